//! Which columns of which relations a statement touches, and where their values go.
//!
//! Names are resolved without a catalogue, so the answer is an over-estimate: a column without qualifier may be one
//! of every relation that it can see, and a value is followed through renames by name.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::Effects;
use super::expression::ANY_NAME;
use crate::command::sql::{Columns, Effect, Facts, Object, Verb};
use crate::name::QualifiedName;

/// Relations times mentions that are looked at; more is conceded.
const MAX_PAIRS: usize = 1 << 22;

/// Shipped functions that take a whole row as their only argument, and so can be written like a column of it.
const ROW_FUNCTIONS: &[&str] = &[
    "any_out",
    "anycompatible_out",
    "anycompatiblenonarray_out",
    "anyelement_out",
    "anynonarray_out",
    "array_agg",
    "concat",
    "hash_record",
    "json_agg",
    "json_build_array",
    "json_build_object",
    "jsonb_agg",
    "jsonb_build_array",
    "jsonb_build_object",
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
    /// The list of a sub-select that only has to exist.
    pub(super) unused: bool,
}

impl Use {
    pub(super) const TOUCH: Self =
        Self { returned: false, stored: false, inferred: false, compared: true, unused: false };
    pub(super) const RETURN: Self = Self { returned: true, stored: true, compared: false, ..Self::TOUCH };
    /// What RETURNING hands to the client goes nowhere else.
    pub(super) const RETURNING: Self = Self { stored: false, ..Self::RETURN };
    pub(super) const PROBE: Self = Self { inferred: true, ..Self::TOUCH };
    pub(super) const EXIST: Self = Self { unused: true, ..Self::TOUCH };

    /// The same, and it decides.
    pub(super) fn probed(self) -> Self {
        Self { inferred: true, compared: true, ..self }
    }

    /// The same, but it decides nothing: it is compared with a known value alone.
    pub(super) fn equated(self) -> Self {
        Self { inferred: false, compared: true, ..self }
    }

    /// The same, and it does not stay as it is.
    pub(super) fn worked(self) -> Self {
        Self { compared: true, ..self }
    }
}

#[derive(Debug, Default)]
struct Scope<'a> {
    parent: Option<usize>,
    /// Names of common table expressions.
    queries: Vec<&'a str>,
    /// Names of sub-selects and functions in FROM.
    derived: Vec<&'a str>,
}

#[derive(Clone, Debug)]
struct Relation<'a> {
    scope: usize,
    name: QualifiedName,
    exposed: &'a str,
    /// Read in any case, not only where columns are touched.
    read: bool,
    /// Its columns have other names in the statement.
    renamed: bool,
}

#[derive(Debug)]
struct Mention<'a> {
    scope: usize,
    qualifier: Option<&'a str>,
    name: &'a str,
    usage: Use,
}

#[derive(Debug)]
struct Star<'a> {
    scope: usize,
    qualifier: Option<&'a str>,
    usage: Use,
}

/// What a part of the statement mentioned.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    mentions: Range<usize>,
    stars: Range<usize>,
}

impl Span {
    /// Both, and what lies between.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let cover = |one: &Range<usize>, two: &Range<usize>| one.start.min(two.start)..one.end.max(two.end);
        Self { mentions: cover(&self.mentions, &other.mentions), stars: cover(&self.stars, &other.stars) }
    }
}

#[derive(Debug)]
struct Rename {
    name: String,
    from: Span,
}

/// The names of a statement, as they are met.
#[derive(Debug, Default)]
pub(super) struct Flow<'a> {
    scopes: Vec<Scope<'a>>,
    relations: Vec<Relation<'a>>,
    mentions: Vec<Mention<'a>>,
    stars: Vec<Star<'a>>,
    renames: Vec<Rename>,
    compare_all: bool,
    /// Every column may be worked with somewhere, though none decides by that.
    work_all: bool,
}

/// What a value may be found to do after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It decides about rows.
    Decides,
    /// It is compared.
    Compared,
}

impl Doing {
    fn is_of(self, usage: Use) -> bool {
        match self {
            Self::Decides => usage.inferred,
            Self::Compared => usage.compared,
        }
    }

    fn add_to(self, usage: &mut Use) {
        *usage = match self {
            Self::Decides => usage.probed(),
            Self::Compared => usage.worked(),
        };
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

    pub(super) fn add_query(&mut self, scope: usize, name: &'a str) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.queries.push(name);
        }
    }

    pub(super) fn add_derived(&mut self, scope: usize, name: &'a str) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.derived.push(name);
        }
    }

    /// Whether the name is one of a common table expression here.
    pub(super) fn is_query(&self, scope: usize, name: &str) -> bool {
        self.ancestry(scope).any(|scope| scope.queries.contains(&name))
    }

    /// The names of all common table expressions here.
    pub(super) fn queries(&self, scope: usize) -> Vec<&'a str> {
        self.ancestry(scope).flat_map(|scope| scope.queries.iter().copied()).collect()
    }

    fn ancestry(&self, scope: usize) -> impl Iterator<Item = &Scope<'a>> {
        core::iter::successors(self.scopes.get(scope), |scope| self.scopes.get(scope.parent?))
    }

    fn sees(&self, from: usize, scope: usize) -> bool {
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
        renamed: bool,
    ) {
        self.relations.push(Relation { scope, name, exposed, read, renamed });
    }

    /// The relations met since there were this many go by another name as well: that of the join that they are in.
    pub(super) fn expose_since(&mut self, count: usize, exposed: &'a str, renamed: bool) {
        let joined: Vec<_> = self.relations.iter().skip(count).cloned().collect();
        for relation in joined {
            self.relations.push(Relation { exposed, renamed: renamed || relation.renamed, ..relation });
        }
    }

    pub(super) fn mention(&mut self, scope: usize, qualifier: Option<&'a str>, name: &'a str, usage: Use) {
        self.mentions.push(Mention { scope, qualifier, name, usage });
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
            Doing::Compared => self.work_all = true,
        }
    }

    /// The position from which [`Self::since`] measures.
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.mentions.len(), self.stars.len())
    }

    pub(super) fn since(&self, mark: (usize, usize)) -> Span {
        Span { mentions: mark.0..self.mentions.len(), stars: mark.1..self.stars.len() }
    }

    /// What was mentioned goes on under this name.
    pub(super) fn rename(&mut self, name: &str, from: Span) {
        self.renames.push(Rename { name: name.to_owned(), from });
    }

    /// What was mentioned does so after all.
    pub(super) fn turn_to(&mut self, doing: Doing, span: &Span) {
        for mention in self.mentions.get_mut(span.mentions.clone()).unwrap_or_default() {
            doing.add_to(&mut mention.usage);
        }
        for star in self.stars.get_mut(span.stars.clone()).unwrap_or_default() {
            doing.add_to(&mut star.usage);
        }
    }

    /// The relations met since there were this many, under the name that the statement gives them.
    pub(super) fn relations_since(&self, count: usize) -> impl Iterator<Item = (&'a str, &QualifiedName)> {
        self.relations.iter().skip(count).map(|relation| (relation.exposed, &relation.name))
    }

    pub(super) fn relation_count(&self) -> usize {
        self.relations.len()
    }

    /// Adds the `read` effects with their columns.
    pub(super) fn distribute(&mut self, effects: &mut Effects) {
        let pairs = self.relations.len().saturating_mul(self.mentions.len() + self.stars.len());
        if pairs > MAX_PAIRS || self.renames.len().saturating_mul(self.mentions.len()) > MAX_PAIRS * 4 {
            effects.concede("it names too many columns of too many relations");
            return;
        }
        self.follow_renames(Doing::Decides);
        self.follow_renames(Doing::Compared);
        for relation in &self.relations {
            let facts = self.facts(relation);
            if relation.read || !facts.columns.is_empty() {
                let object = Object::Relation(relation.name.clone());
                effects.add(Effect { facts, ..Effect::new(Verb::Read, object) });
            }
        }
    }

    /// Where a name that decides, or is compared, stands for other names, those do so too.
    fn follow_renames(&mut self, doing: Doing) {
        if self.does_by_row(doing) || doing == Doing::Compared && self.compares_rows_within() {
            self.do_all(doing);
            return;
        }
        let mut pending: Vec<usize> = (0..self.renames.len()).collect();
        loop {
            let mentioned = self.mentions.iter().filter(|mention| doing.is_of(mention.usage));
            let names: BTreeSet<&str> = mentioned.map(|mention| mention.name).collect();
            let is_one = |name: &str| name == ANY_NAME && !names.is_empty() || names.contains(name);
            let (now, later): (Vec<usize>, Vec<usize>) =
                pending.into_iter().partition(|at| self.renames.get(*at).is_some_and(|rename| is_one(&rename.name)));
            if now.is_empty() {
                return;
            }
            for at in now {
                if let Some(span) = self.renames.get(at).map(|rename| rename.from.clone()) {
                    self.turn_to(doing, &span);
                }
            }
            pending = later;
        }
    }

    /// Whether all columns of a sub-select or common table expression may be compared: a star reaches relations by name.
    fn compares_rows_within(&self) -> bool {
        self.stars.iter().any(|star| star.usage.compared)
            && self.scopes.iter().any(|scope| !scope.derived.is_empty() || !scope.queries.is_empty())
    }

    /// Whether a whole row of a sub-select or common table expression decides or is compared.
    fn does_by_row(&self, doing: Doing) -> bool {
        self.mentions.iter().filter(|mention| doing.is_of(mention.usage)).any(|mention| {
            let row = |name: &str| {
                self.ancestry(mention.scope).any(|scope| scope.derived.contains(&name) || scope.queries.contains(&name))
            };
            match mention.qualifier {
                None => row(mention.name),
                Some(qualifier) => is_row_function(mention.name) && row(qualifier),
            }
        })
    }

    fn facts(&self, relation: &Relation<'_>) -> Facts {
        let mut touched = Touched::default();
        for mention in &self.mentions {
            self.touch(relation, mention, &mut touched);
        }
        for star in &self.stars {
            let reaches = match star.qualifier {
                None => star.scope == relation.scope,
                Some(qualifier) => qualifier == relation.exposed && self.sees(star.scope, relation.scope),
            };
            if reaches {
                touched.all(star.usage);
            }
        }
        touched.facts(self.compare_all, self.work_all)
    }

    fn touch(&self, relation: &Relation<'_>, mention: &Mention<'a>, touched: &mut Touched<'a>) {
        let visible = self.sees(mention.scope, relation.scope);
        let whole = match mention.qualifier {
            None => mention.name == relation.exposed,
            Some(qualifier) => qualifier == relation.exposed && is_row_function(mention.name),
        };
        if visible && (whole || (relation.renamed && self.may_belong(relation, mention))) {
            return touched.all(mention.usage);
        }
        if visible && self.may_belong(relation, mention) {
            return touched.one(mention.name, mention.usage);
        }
        // What decides or is compared may have come here from a sub-select under the same name.
        if mention.usage.compared && !self.belongs_elsewhere(mention) {
            touched.compared_one(mention.name, mention.usage, relation.renamed);
        }
    }

    fn may_belong(&self, relation: &Relation<'_>, mention: &Mention<'_>) -> bool {
        match mention.qualifier {
            None => true,
            Some(qualifier) => qualifier == relation.exposed || !self.is_known(mention.scope, qualifier),
        }
    }

    /// Whether the mention names a relation of its own by its qualifier.
    fn belongs_elsewhere(&self, mention: &Mention<'_>) -> bool {
        let Some(qualifier) = mention.qualifier else { return false };
        let is_derived = self
            .ancestry(mention.scope)
            .any(|scope| scope.derived.contains(&qualifier) || scope.queries.contains(&qualifier));
        !is_derived && self.is_known(mention.scope, qualifier)
    }

    /// Whether something of this name is in FROM here.
    fn is_known(&self, scope: usize, name: &str) -> bool {
        self.ancestry(scope).any(|scope| scope.derived.contains(&name) || scope.queries.contains(&name))
            || self.relations.iter().any(|relation| relation.exposed == name && self.sees(scope, relation.scope))
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
    }

    fn one(&mut self, name: &'a str, usage: Use) {
        self.columns.names.insert(name);
        if usage.returned {
            self.returned.names.insert(name);
        }
        if usage.stored {
            self.stored.names.insert(name);
        }
        self.compared_one(name, usage, false);
    }

    /// What a name does, of this relation or of any whose columns were renamed.
    fn compared_one(&mut self, name: &'a str, usage: Use, renamed: bool) {
        if usage.inferred {
            self.inferred.all |= renamed;
            self.inferred.names.insert(name);
        }
        if usage.compared {
            self.compared.all |= renamed;
            self.compared.names.insert(name);
        }
    }

    fn facts(self, compare_all: bool, work_all: bool) -> Facts {
        let inferred = if compare_all { Columns::All } else { self.inferred.columns() };
        let compared = if compare_all || work_all { Columns::All } else { self.compared.columns() };
        let (returned, stored) = (self.returned.columns(), self.stored.columns());
        Facts { columns: self.columns.columns(), returned, stored, inferred, compared, ..Facts::default() }
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
