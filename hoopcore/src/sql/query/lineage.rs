//! What the columns of sub-selects are made of, and how what is done to them reaches that.
//!
//! A sub-select, a common table expression or a function in FROM is a table with outputs. A name that meets an output
//! does to what was mentioned there what it does itself; so does a star to all outputs, and a whole row. Where it is
//! not known which output a name means, it is any.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::flow::{Flow, Mention, Source, Use};

/// More names than this are not followed.
const MAX_MENTIONS: usize = 1 << 16;

/// Stands for a name that is not known: an output that has it may be any.
pub(super) const ANY_NAME: &str = "";

/// What a part of the statement mentioned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) mentions: Range<usize>,
    pub(super) stars: Range<usize>,
}

impl Span {
    fn is_empty(&self) -> bool {
        self.mentions.is_empty() && self.stars.is_empty()
    }

    fn each(&self) -> impl Iterator<Item = Mentioned> {
        self.mentions.clone().map(Mentioned::Name).chain(self.stars.clone().map(Mentioned::Star))
    }
}

/// A column of a query under its name.
#[derive(Clone, Debug)]
pub(super) struct Column<'a> {
    pub(super) name: Cow<'a, str>,
    /// What was mentioned for it, in each arm of a set operation.
    pub(super) spans: Vec<Span>,
    /// Whether it is a column as it is: neither computed nor mixed with others.
    pub(super) bare: bool,
}

/// What a query gives.
#[derive(Clone, Debug)]
pub(super) enum Output<'a> {
    Column(Column<'a>),
    /// The columns that each of these stars stands for: several, of the same columns, in the arms of a set operation.
    Star(Vec<usize>),
}

/// The columns that a query gives, in order; `None` where that is not known.
pub(super) type Outputs<'a> = Option<Vec<Output<'a>>>;

/// A sub-select, a common table expression, a function in FROM.
#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    outputs: Outputs<'a>,
    /// All that was mentioned in it.
    region: Span,
}

/// One thing that was mentioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mentioned {
    Name(usize),
    Star(usize),
}

/// What an output hands something on to.
pub(super) enum Target {
    Spans(Vec<Span>, bool),
    /// The star as a whole.
    Star(usize),
    /// One name of those that the star stands for.
    Through(usize),
    /// Where these go to, they may go as parts of a row that a function takes.
    Row(Vec<Span>),
    /// The same of all that the star stands for.
    RowOf(usize),
}

impl<'a> Column<'a> {
    pub(super) fn new(name: impl Into<Cow<'a, str>>, span: Span, bare: bool) -> Self {
        let spans = if span.is_empty() { Vec::new() } else { vec![span] };
        Self { name: name.into(), spans, bare }
    }

    fn is(&self, name: &str) -> bool {
        self.name == name || self.name == ANY_NAME
    }
}

/// The column at a place that is counted from zero, where no star stands before it.
pub(super) fn column_at<'o, 'a>(outputs: &'o Outputs<'a>, place: usize) -> Option<&'o Column<'a>> {
    let outputs = outputs.as_ref()?;
    let counted = outputs.get(..place)?.iter().all(|output| matches!(output, Output::Column(_)));
    match outputs.get(place)? {
        Output::Column(column) if counted => Some(column),
        Output::Column(_) | Output::Star(_) => None,
    }
}

impl<'a> Flow<'a> {
    /// The columns of a set operation: each stands for those of both arms, under the name of the first.
    pub(super) fn joined(&self, first: Outputs<'a>, other: Outputs<'a>) -> Outputs<'a> {
        let (first, other) = (first?, other?);
        let pairs = (first.len() == other.len()).then(|| first.into_iter().zip(other))?;
        pairs.map(|(one, two)| self.joined_output(one, two)).collect()
    }

    fn joined_output(&self, one: Output<'a>, two: Output<'a>) -> Option<Output<'a>> {
        match (one, two) {
            (Output::Column(one), Output::Column(two)) => {
                let spans = one.spans.into_iter().chain(two.spans).collect();
                Some(Output::Column(Column { name: one.name, spans, bare: false }))
            }
            (Output::Star(mut stars), Output::Star(others)) => {
                let of = |stars: &[usize]| stars.first().and_then(|star| self.only_source(*star));
                let alike = of(&stars)?.is_same(of(&others)?);
                stars.extend(others);
                alike.then_some(Output::Star(stars))
            }
            (Output::Column(_), Output::Star(_)) | (Output::Star(_), Output::Column(_)) => None,
        }
    }

    /// What a star stands for, where that is one thing under its own names.
    fn only_source(&self, star: usize) -> Option<&Source<'a>> {
        let star = self.stars.get(star)?;
        let mut sources = self.sources.iter().filter(|source| self.is_of_star(star, source));
        sources.next().filter(|source| sources.next().is_none() && !source.renamed && source.columns.is_empty())
    }

    /// The same is done to what a name of an order or a grouping is in the stars that are given.
    pub(super) fn name_in_stars(&mut self, usage: Use, name: &'a str, outputs: &Outputs<'a>) {
        let stars = outputs.iter().flatten().flat_map(Output::stars);
        let places = stars.filter_map(|star| self.stars.get(*star)).map(|star| (star.scope, star.qualifier));
        for (scope, qualifier) in places.collect::<Vec<_>>() {
            self.mentions.push(Mention { scope, qualifier, name, usage, behind: false, excused: true });
        }
    }

    /// A table that is defined later.
    pub(super) fn declare(&mut self) -> usize {
        self.tables.push(Table { outputs: Some(Vec::new()), region: Span::default() });
        self.tables.len() - 1
    }

    /// A table with what it gives and all that it mentions.
    pub(super) fn define(&mut self, table: usize, outputs: Outputs<'a>, region: Span) {
        if let Some(table) = self.tables.get_mut(table) {
            *table = Table { outputs, region };
        }
    }

    /// Hands what is done to a column on to what was mentioned for it.
    pub(super) fn hand_on(&mut self, usage: Use, column: &Column<'_>) {
        let usage = usage.through(column.bare);
        column.spans.iter().for_each(|span| drop(self.add_to(usage, span)));
    }

    /// Hands it on to all that was mentioned in a region.
    pub(super) fn hand_on_to_all(&mut self, usage: Use, region: &Span) {
        drop(self.add_to(usage.through(false), region));
    }

    /// Adds a usage to what a span mentions; gives what changed by it.
    fn add_to(&mut self, usage: Use, span: &Span) -> Vec<Mentioned> {
        let mut changed = Vec::new();
        for at in span.mentions.clone() {
            if self.mentions.get_mut(at).is_some_and(|mention| mention.usage.gain(usage)) {
                changed.push(Mentioned::Name(at));
            }
        }
        for at in span.stars.clone() {
            if self.stars.get_mut(at).is_some_and(|star| star.usage.gain(usage)) {
                changed.push(Mentioned::Star(at));
            }
        }
        changed
    }

    /// Follows all that is done to outputs to what they are made of; whether that was few enough.
    pub(super) fn follow(&mut self) -> bool {
        if self.tables.is_empty() {
            return true;
        }
        if self.weigh_all {
            self.weigh_computed();
        }
        let names = (0..self.mentions.len()).map(Mentioned::Name);
        let mut pending: Vec<Mentioned> = names.chain((0..self.stars.len()).map(Mentioned::Star)).collect();
        let mut passed = BTreeSet::new();
        while let Some(next) = pending.pop() {
            match next {
                Mentioned::Name(at) => self.follow_name(at, &mut passed, &mut pending),
                Mentioned::Star(at) => self.follow_star(at, &mut pending),
            }
            if self.mentions.len() > MAX_MENTIONS {
                return false;
            }
        }
        true
    }

    /// Every output may be one that rows are ordered by.
    fn weigh_computed(&mut self) {
        let outputs = self.tables.iter().filter_map(|table| table.outputs.as_ref()).flatten();
        let columns: Vec<Column<'a>> = outputs.filter_map(Output::column).cloned().collect();
        columns.iter().for_each(|column| self.hand_on(Use::TOUCH.weighed(), column));
    }

    fn follow_name(&mut self, at: usize, passed: &mut Passed<'a>, pending: &mut Vec<Mentioned>) {
        let Some(mention) = self.mentions.get(at).copied().filter(|mention| mention.usage.does()) else { return };
        let mention = Mention { usage: mention.used(), ..mention };
        for source in 0..self.sources.len() {
            let targets = self.sources.get(source).map_or_else(Vec::new, |source| self.met_by(&mention, source));
            for target in targets {
                match target {
                    Target::Spans(spans, bare) => {
                        let usage = mention.usage.through(bare);
                        spans.iter().for_each(|span| pending.extend(self.add_to(usage, span)));
                    }
                    Target::Star(star) => pending.extend(self.add_to_star(mention.usage, star)),
                    Target::Through(star) => pending.extend(self.pass_on(&mention, Mentioned::Star(star), passed)),
                    Target::Row(spans) => {
                        let usage = mention.usage.gone();
                        spans.iter().for_each(|span| pending.extend(self.add_to(usage, span)));
                        let parts: Vec<Mentioned> = spans.iter().flat_map(Span::each).collect();
                        pending.extend(parts.into_iter().filter_map(|part| self.pass_on(&mention, part, passed)));
                    }
                    Target::RowOf(star) => pending.extend(self.add_to_star(mention.usage.gone(), star)),
                }
            }
        }
    }

    fn follow_star(&mut self, at: usize, pending: &mut Vec<Mentioned>) {
        let Some(star) = self.stars.get(at).copied().filter(|star| star.usage.does()) else { return };
        let met = self.sources.iter().filter(|source| self.is_of_star(&star, source));
        let tables: Vec<usize> = met.filter_map(Source::table).collect();
        for target in
            tables.into_iter().filter_map(|table| self.tables.get(table)).flat_map(Table::all).collect::<Vec<_>>()
        {
            match target {
                Target::Spans(spans, bare) => {
                    let usage = star.usage.through(bare);
                    spans.iter().for_each(|span| pending.extend(self.add_to(usage, span)));
                }
                Target::Star(inner) | Target::Through(inner) => pending.extend(self.add_to_star(star.usage, inner)),
                Target::Row(_) | Target::RowOf(_) => {}
            }
        }
    }

    fn add_to_star(&mut self, usage: Use, star: usize) -> Option<Mentioned> {
        let changed = self.stars.get_mut(star)?.usage.gain(usage);
        changed.then_some(Mentioned::Star(star))
    }

    /// A name of those that a star stands for is one where the star stands, and a function of a row that something is
    /// a part of is one of that's row.
    fn pass_on(&mut self, mention: &Mention<'a>, part: Mentioned, passed: &mut Passed<'a>) -> Option<Mentioned> {
        let (scope, qualifier) = match part {
            Mentioned::Star(star) => self.stars.get(star).map(|star| (star.scope, star.qualifier))?,
            Mentioned::Name(at) => self.mentions.get(at).map(|name| (name.scope, name.qualifier))?,
        };
        let usage = Use { unused: false, ..mention.usage };
        let does = [usage.returned, usage.stored, usage.inferred, usage.compared, usage.weighed, mention.behind];
        if !passed.insert((part, mention.name, does)) {
            return None;
        }
        self.mentions.push(Mention { scope, qualifier, usage, excused: true, ..*mention });
        Some(Mentioned::Name(self.mentions.len() - 1))
    }

    /// The outputs of a source that a name may mean.
    pub(super) fn met_by(&self, mention: &Mention<'a>, source: &Source<'a>) -> Vec<Target> {
        let Some(table) = source.table().and_then(|table| self.tables.get(table)) else { return Vec::new() };
        if !self.sees(mention.scope, source.scope) {
            return Vec::new();
        }
        if self.is_row(mention, source) {
            return table.all();
        }
        if !self.may_belong(mention, source) {
            return Vec::new();
        }
        if source.renamed {
            return table.all();
        }
        let mut met = table.named(mention.name, &source.columns);
        if mention.qualifier.is_some() && met.is_empty() {
            // Nothing but `t.f` for `f(t)`: what is done to its value is done to every column.
            return table.all().into_iter().map(Target::computed).collect();
        }
        let is_column = met.iter().any(|target| matches!(target, Target::Spans(..)));
        if mention.qualifier.is_some() && !is_column {
            // `t.f` for `f(t)`
            met.extend(table.all().into_iter().filter_map(Target::part_of_row));
        }
        met
    }
}

/// What was passed on already.
type Passed<'a> = BTreeSet<(Mentioned, &'a str, [bool; 6])>;

impl Target {
    /// The same, as a part of something that is computed.
    fn computed(self) -> Self {
        match self {
            Self::Spans(spans, _) => Self::Spans(spans, false),
            Self::Star(_) | Self::Through(_) | Self::Row(_) | Self::RowOf(_) => self,
        }
    }

    fn part_of_row(self) -> Option<Self> {
        match self {
            Self::Spans(spans, _) => Some(Self::Row(spans)),
            Self::Star(star) => Some(Self::RowOf(star)),
            Self::Through(_) | Self::Row(_) | Self::RowOf(_) => None,
        }
    }
}

impl Table<'_> {
    fn all(&self) -> Vec<Target> {
        match &self.outputs {
            None => vec![Target::Spans(vec![self.region.clone()], false)],
            Some(outputs) => outputs
                .iter()
                .flat_map(|output| match output {
                    Output::Column(column) => vec![Target::Spans(column.spans.clone(), column.bare)],
                    Output::Star(stars) => stars.iter().copied().map(Target::Star).collect(),
                })
                .collect(),
        }
    }

    /// The outputs of this name, where the first ones have these names instead of their own.
    fn named(&self, name: &str, names: &[&str]) -> Vec<Target> {
        let Some(outputs) = &self.outputs else { return self.all() };
        let counted = outputs.iter().take(names.len()).all(|output| matches!(output, Output::Column(_)));
        if !counted {
            return self.all();
        }
        let met = |(place, output): (usize, &Output<'_>)| match output {
            Output::Column(column) if names.get(place).map_or(column.is(name), |given| *given == name) => {
                vec![Target::Spans(column.spans.clone(), column.bare)]
            }
            Output::Column(_) => Vec::new(),
            Output::Star(stars) => stars.iter().copied().map(Target::Through).collect(),
        };
        outputs.iter().enumerate().flat_map(met).collect()
    }
}

impl<'a> Output<'a> {
    fn column(&self) -> Option<&Column<'a>> {
        match self {
            Self::Column(column) => Some(column),
            Self::Star(_) => None,
        }
    }

    fn stars(&self) -> &[usize] {
        match self {
            Self::Column(_) => &[],
            Self::Star(stars) => stars,
        }
    }
}

/// The columns of this name in an order or a grouping: those that a query gives go by it too.
pub(super) fn columns_named<'a>(outputs: &Outputs<'a>, name: &str) -> Vec<Column<'a>> {
    let all = outputs.iter().flatten().filter_map(Output::column);
    all.filter(|column| column.is(name)).cloned().collect()
}
