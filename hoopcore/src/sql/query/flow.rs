//! Which columns of which relations a statement touches, and where their values go.
//!
//! Names are resolved without a catalogue, so the answer is an over-estimate: a column without qualifier may be one
//! of every relation that it can see. Through sub-selects values are followed by `lineage.rs`.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::Effects;
use super::lineage::{Span, Table};
use crate::command::sql::{Columns, Effect, Facts, Object, Verb};
use crate::name::QualifiedName;

/// Relations times mentions that are looked at; more is conceded.
const MAX_PAIRS: usize = 1 << 22;

/// Shipped functions that take a whole row as their only argument, and so can be written like a column of it, of all
/// versions. `max` and `min`, which take rows since PostgreSQL 18, are names of columns too often.
const ROW_FUNCTIONS: &[&str] = &[
    "any_out",
    "any_value",
    "anycompatible_out",
    "anycompatiblenonarray_out",
    "anyelement_out",
    "anynonarray_out",
    "array_agg",
    "concat",
    "hash_record",
    "json_agg",
    "json_agg_strict",
    "json_build_array",
    "json_build_object",
    "jsonb_agg",
    "jsonb_agg_strict",
    "jsonb_build_array",
    "jsonb_build_object",
    "pg_column_compression",
    "pg_column_size",
    "pg_column_toast_chunk_id",
    "quote_literal",
    "quote_nullable",
    "record_out",
    "record_send",
    "row_to_json",
    "to_json",
    "to_jsonb",
];

/// What happens to the value of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// It may reach what the statement returns or stores.
    pub(super) returned: bool,
    /// It may reach what the statement stores.
    pub(super) stored: bool,
    /// It may decide about rows, errors or other values.
    pub(super) inferred: bool,
    /// It is used otherwise than returned or stored as it is. What decides is.
    pub(super) compared: bool,
    /// It decides unless it is a column as it is: equality, an order, a count of one tell what is granted, of something
    /// computed they tell whatever was asked.
    pub(super) weighed: bool,
    /// The list of a sub-select that only has to exist.
    pub(super) unused: bool,
}

impl Use {
    pub(super) const TOUCH: Self =
        Self { returned: false, stored: false, inferred: false, compared: true, weighed: false, unused: false };
    /// The list of a sub-select in FROM: what becomes of it, those that name it say.
    pub(super) const PASS: Self = Self { compared: false, ..Self::TOUCH };
    pub(super) const RETURN: Self = Self { returned: true, stored: true, compared: false, ..Self::TOUCH };
    /// What RETURNING hands to the client goes nowhere else.
    pub(super) const RETURNING: Self = Self { stored: false, ..Self::RETURN };
    pub(super) const PROBE: Self = Self { inferred: true, ..Self::TOUCH };
    pub(super) const EXIST: Self = Self { unused: true, ..Self::TOUCH };

    /// The same, and it decides.
    pub(super) fn probed(self) -> Self {
        Self { inferred: true, compared: true, weighed: false, ..self }
    }

    /// The same, but it decides nothing where it is a column: it is compared with a known value alone.
    pub(super) fn equated(self) -> Self {
        Self { inferred: false, compared: true, weighed: true, ..self }
    }

    /// The same, and it decides unless it is a column.
    pub(super) fn weighed(self) -> Self {
        Self { compared: true, weighed: !self.inferred, ..self }
    }

    /// The same, and it does not stay as it is.
    pub(super) fn worked(self) -> Self {
        Self { compared: true, ..self }
    }

    /// The same for what an output is made of.
    pub(super) fn through(self, bare: bool) -> Self {
        let inferred = self.inferred || self.weighed && !bare;
        Self { inferred, weighed: self.weighed && !inferred, ..self }
    }

    /// Whether anything is done.
    pub(super) fn does(self) -> bool {
        self.returned || self.stored || self.compared
    }

    /// Only where it goes to.
    pub(super) fn gone(self) -> Self {
        Self { inferred: false, compared: false, weighed: false, ..self }
    }

    /// Takes on what another use does; whether that is more than before.
    pub(super) fn gain(&mut self, other: Self) -> bool {
        let before = *self;
        self.returned |= other.returned;
        self.stored |= other.stored;
        self.inferred |= other.inferred;
        self.compared |= other.compared;
        self.weighed |= other.weighed;
        *self != before
    }
}

#[derive(Debug, Default)]
struct Scope<'a> {
    parent: Option<usize>,
    /// Common table expressions: their names and tables.
    queries: Vec<(&'a str, usize)>,
}

/// Something in FROM, or what a statement writes to.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) scope: usize,
    pub(super) exposed: &'a str,
    pub(super) what: What,
    /// Its columns have other names in the statement, and which has which is not known.
    pub(super) renamed: bool,
    /// The names that the first columns have in the statement.
    pub(super) columns: Vec<&'a str>,
}

/// What a source is.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A relation, read in any case or only where columns are touched.
    Relation { name: QualifiedName, read: bool },
    /// A table of the statement's own, by its number.
    Table(usize),
}

impl Source<'_> {
    pub(super) fn table(&self) -> Option<usize> {
        match &self.what {
            What::Table(table) => Some(*table),
            What::Relation { .. } => None,
        }
    }

    /// Whether it is the same relation or the same table as another.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.what, &other.what) {
            (What::Relation { name, read: _ }, What::Relation { name: other, read: _ }) => name == other,
            (What::Table(table), What::Table(other)) => table == other,
            (What::Relation { .. }, What::Table(_)) | (What::Table(_), What::Relation { .. }) => false,
        }
    }

    fn relation(&self) -> Option<&QualifiedName> {
        match &self.what {
            What::Relation { name, read: _ } => Some(name),
            What::Table(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Mention<'a> {
    pub(super) scope: usize,
    pub(super) qualifier: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) usage: Use,
    /// It is written behind the name of something in FROM: it may be a function of that's row.
    pub(super) behind: bool,
    /// It may be the name of something else than a column of a source.
    pub(super) excused: bool,
}

impl Mention<'_> {
    /// How the value is used: that of a shipped function of the row, written like a column, is computed.
    pub(super) fn used(&self) -> Use {
        self.usage.through(!(self.behind && is_row_function(self.name)))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Star<'a> {
    pub(super) scope: usize,
    pub(super) qualifier: Option<&'a str>,
    pub(super) usage: Use,
}

/// The names of a statement, as they are met.
#[derive(Debug, Default)]
pub(super) struct Flow<'a> {
    scopes: Vec<Scope<'a>>,
    pub(super) sources: Vec<Source<'a>>,
    pub(super) tables: Vec<Table<'a>>,
    pub(super) mentions: Vec<Mention<'a>>,
    pub(super) stars: Vec<Star<'a>>,
    compare_all: bool,
    /// Every column may be worked with somewhere, though none decides by that.
    work_all: bool,
    /// Every output of a table may be ordered by.
    pub(super) weigh_all: bool,
}

/// What a value may be found to do after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It decides about rows.
    Decides,
    /// Rows are ordered by it.
    Orders,
}

impl Doing {
    /// The usage of what does so.
    pub(super) fn usage(self) -> Use {
        match self {
            Self::Decides => Use::PROBE,
            Self::Orders => Use::TOUCH.weighed(),
        }
    }
}

impl<'a> Flow<'a> {
    /// A scope of names inside another one.
    pub(super) fn open(&mut self, parent: Option<usize>) -> usize {
        self.scopes.push(Scope { parent, ..Scope::default() });
        self.scopes.len() - 1
    }

    pub(super) fn parent(&self, scope: usize) -> Option<usize> {
        self.scopes.get(scope).and_then(|scope| scope.parent)
    }

    pub(super) fn add_query(&mut self, scope: usize, name: &'a str, table: usize) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.queries.push((name, table));
        }
    }

    /// The common table expression of this name here.
    pub(super) fn query(&self, scope: usize, name: &str) -> Option<usize> {
        let mut queries = self.ancestry(scope).flat_map(|scope| scope.queries.iter().rev());
        queries.find(|(query, _)| *query == name).map(|(_, table)| *table)
    }

    /// The names of all common table expressions here.
    pub(super) fn queries(&self, scope: usize) -> Vec<&'a str> {
        self.ancestry(scope).flat_map(|scope| scope.queries.iter().map(|(name, _)| *name)).collect()
    }

    fn ancestry(&self, scope: usize) -> impl Iterator<Item = &Scope<'a>> {
        core::iter::successors(self.scopes.get(scope), |scope| self.scopes.get(scope.parent?))
    }

    pub(super) fn sees(&self, from: usize, scope: usize) -> bool {
        let mut at = Some(from);
        while let Some(here) = at {
            if here == scope {
                return true;
            }
            at = self.parent(here);
        }
        false
    }

    pub(super) fn add_relation(
        &mut self,
        scope: usize,
        name: QualifiedName,
        exposed: &'a str,
        read: bool,
        columns: Vec<&'a str>,
    ) {
        let what = What::Relation { name, read };
        self.sources.push(Source { scope, exposed, what, renamed: !columns.is_empty(), columns });
    }

    /// A table under a name, and names for its first columns.
    pub(super) fn add_table(&mut self, scope: usize, exposed: &'a str, table: usize, columns: Vec<&'a str>) {
        self.sources.push(Source { scope, exposed, what: What::Table(table), renamed: false, columns });
    }

    /// What was met since there were so many goes by another name as well: that of the join that it is in.
    pub(super) fn expose_since(&mut self, count: usize, exposed: &'a str, renamed: bool) {
        let joined: Vec<_> = self.sources.iter().skip(count).cloned().collect();
        for source in joined {
            self.sources.push(Source { exposed, renamed: renamed || source.renamed, ..source });
        }
    }

    pub(super) fn mention(&mut self, scope: usize, qualifier: Option<&'a str>, name: &'a str, usage: Use) {
        let behind = qualifier.is_some();
        self.mentions.push(Mention { scope, qualifier, name, usage, behind, excused: false });
    }

    /// A name behind a row in parentheses: a field, or a function of the row of something in FROM.
    pub(super) fn behind_row(&mut self, scope: usize, name: &'a str, usage: Use) {
        self.mentions.push(Mention { scope, qualifier: None, name, usage, behind: true, excused: true });
    }

    /// What was mentioned since may be no column: an output has this name, or a clause that was left out gives it.
    pub(super) fn excuse(&mut self, mark: (usize, usize), name: &str) {
        let since = self.mentions.iter_mut().skip(mark.0);
        let named = since.filter(|mention| mention.qualifier.is_none() && mention.name == name);
        named.for_each(|mention| mention.excused = true);
    }

    pub(super) fn star(&mut self, scope: usize, qualifier: Option<&'a str>, usage: Use) {
        self.stars.push(Star { scope, qualifier, usage });
    }

    /// Every column is compared with others somewhere.
    pub(super) fn compare_all(&mut self) {
        self.compare_all = true;
    }

    /// Every column may do so somewhere.
    pub(super) fn do_all(&mut self, doing: Doing) {
        match doing {
            Doing::Decides => self.compare_all = true,
            Doing::Orders => (self.work_all, self.weigh_all) = (true, true),
        }
    }

    /// The position from which [`Self::since`] measures.
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.mentions.len(), self.stars.len())
    }

    pub(super) fn since(&self, mark: (usize, usize)) -> Span {
        Span { mentions: mark.0..self.mentions.len(), stars: mark.1..self.stars.len() }
    }

    /// The relations met since there were so many sources, under the name that the statement gives them.
    pub(super) fn relations_since(&self, count: usize) -> impl Iterator<Item = (&'a str, &QualifiedName)> {
        self.sources.iter().skip(count).filter_map(|source| Some((source.exposed, source.relation()?)))
    }

    /// Whether a sub-select or the like was met since under this name.
    pub(super) fn has_table_since(&self, count: usize, exposed: &str) -> bool {
        self.sources.iter().skip(count).any(|source| source.exposed == exposed && source.table().is_some())
    }

    /// Whether a relation of this name was met.
    pub(super) fn reads(&self, name: &str) -> bool {
        self.sources.iter().filter_map(Source::relation).any(|relation| relation.name == name)
    }

    pub(super) fn source_count(&self) -> usize {
        self.sources.len()
    }

    /// Adds the `read` effects with their columns.
    pub(super) fn distribute(&mut self, effects: &mut Effects) {
        if self.pairs() > MAX_PAIRS || !self.follow() {
            effects.concede("it names too many columns of too many relations");
            return;
        }
        for source in &self.sources {
            let What::Relation { name, read } = &source.what else { continue };
            let facts = self.facts(source);
            if *read || !facts.columns.is_empty() {
                let object = Object::Relation(name.clone());
                effects.add(Effect { facts, ..Effect::new(Verb::Read, object) });
            }
        }
    }

    /// Whether every name and every star may stand for something that it sees, or for what is given elsewhere.
    /// PostgreSQL refuses what does not: so it was looked for in the wrong place.
    pub(super) fn all_meet(&self, given: &[String]) -> bool {
        let few = self.pairs() <= MAX_PAIRS;
        few && self.mentions.iter().all(|mention| self.meets(mention, given))
            && self.stars.iter().all(|star| self.sources.iter().any(|source| self.is_of_star(star, source)))
    }

    fn meets(&self, mention: &Mention<'a>, given: &[String]) -> bool {
        let elsewhere = mention.excused || given.iter().any(|name| name == mention.name);
        elsewhere || self.sources.iter().any(|source| self.may_meet(mention, source))
    }

    fn pairs(&self) -> usize {
        self.sources.len().saturating_mul(self.mentions.len() + self.stars.len())
    }

    fn may_meet(&self, mention: &Mention<'a>, source: &Source<'a>) -> bool {
        let sees = self.sees(mention.scope, source.scope);
        match source.table() {
            _ if !sees => false,
            None => self.may_belong(mention, source) || self.is_row(mention, source),
            Some(_) if mention.qualifier == Some(source.exposed) => true,
            Some(_) => self.is_row(mention, source) || !self.met_by(mention, source).is_empty(),
        }
    }

    fn facts(&self, relation: &Source<'a>) -> Facts {
        let mut touched = Touched::default();
        for mention in &self.mentions {
            self.touch(relation, mention, &mut touched);
        }
        for star in self.stars.iter().filter(|star| self.is_of_star(star, relation)) {
            touched.all(star.usage);
        }
        touched.facts(self.compare_all, self.work_all)
    }

    fn touch(&self, relation: &Source<'a>, mention: &Mention<'a>, touched: &mut Touched<'a>) {
        if !self.sees(mention.scope, relation.scope) {
            return;
        }
        let belongs = self.may_belong(mention, relation);
        if self.is_row(mention, relation) || relation.renamed && belongs {
            let surely = !mention.behind || relation.columns.contains(&mention.name);
            touched.all(mention.used().through(!relation.renamed || surely));
            if mention.used().does() && !surely {
                touched.behind.names.insert(mention.name);
            }
        } else if belongs {
            touched.one(mention);
        }
    }

    /// Whether a star stands for the columns of a source, among others. One with a name that nothing has is any's.
    pub(super) fn is_of_star(&self, star: &Star<'a>, source: &Source<'a>) -> bool {
        match star.qualifier {
            None => star.scope == source.scope,
            Some(qualifier) => {
                let named = qualifier == source.exposed || !self.is_known(star.scope, qualifier);
                named && self.sees(star.scope, source.scope)
            }
        }
    }

    /// Whether a name is a whole row of a source.
    pub(super) fn is_row(&self, mention: &Mention<'a>, source: &Source<'a>) -> bool {
        match mention.qualifier {
            None => mention.name == source.exposed,
            Some(qualifier) => qualifier == source.exposed && is_row_function(mention.name),
        }
    }

    /// Whether a name may be that of a column of a source.
    pub(super) fn may_belong(&self, mention: &Mention<'a>, source: &Source<'a>) -> bool {
        match mention.qualifier {
            None => true,
            Some(qualifier) => qualifier == source.exposed || !self.is_known(mention.scope, qualifier),
        }
    }

    /// Whether something of this name is in FROM here.
    fn is_known(&self, scope: usize, name: &str) -> bool {
        self.sources.iter().any(|source| source.exposed == name && self.sees(scope, source.scope))
    }
}

fn is_row_function(name: &str) -> bool {
    ROW_FUNCTIONS.binary_search(&name).is_ok()
}

/// The columns of one relation as they are found.
#[derive(Debug, Default)]
struct Touched<'a> {
    columns: Found<'a>,
    returned: Found<'a>,
    stored: Found<'a>,
    inferred: Found<'a>,
    compared: Found<'a>,
    weighed: Found<'a>,
    /// Named behind the relation.
    behind: Found<'a>,
}

#[derive(Debug, Default)]
struct Found<'a> {
    all: bool,
    names: BTreeSet<&'a str>,
}

impl<'a> Touched<'a> {
    fn all(&mut self, usage: Use) {
        self.columns.all = true;
        self.returned.all |= usage.returned;
        self.stored.all |= usage.stored;
        self.inferred.all |= usage.inferred;
        self.compared.all |= usage.compared;
        self.weighed.all |= usage.weighed;
    }

    fn one(&mut self, mention: &Mention<'a>) {
        let (name, usage) = (mention.name, mention.used());
        self.columns.names.insert(name);
        if usage.returned {
            self.returned.names.insert(name);
        }
        if usage.stored {
            self.stored.names.insert(name);
        }
        if usage.inferred {
            self.inferred.names.insert(name);
        }
        if usage.compared {
            self.compared.names.insert(name);
        }
        if usage.weighed {
            self.weighed.names.insert(name);
        }
        if usage.does() && mention.behind {
            self.behind.names.insert(name);
        }
    }

    fn facts(self, compare_all: bool, work_all: bool) -> Facts {
        let inferred = if compare_all { Columns::All } else { self.inferred.columns() };
        let compared = if compare_all || work_all { Columns::All } else { self.compared.columns() };
        let weighed = if work_all { Columns::All } else { self.weighed.columns() };
        Facts {
            columns: self.columns.columns(),
            returned: self.returned.columns(),
            stored: self.stored.columns(),
            inferred,
            compared,
            weighed,
            behind: self.behind.columns(),
            ..Facts::default()
        }
    }
}

impl Found<'_> {
    fn columns(self) -> Columns {
        if self.all {
            return Columns::All;
        }
        Columns::Named(self.names.into_iter().map(ToOwned::to_owned).collect())
    }
}
