//! Where protected values may go: which masks act on a statement, and which statements no mask could keep safe.
//!
//! A mask works on what returns. So a statement is refused that could carry a protected value elsewhere: into
//! another relation, a definition, a file; into a COPY; or, bit by bit, into which rows return and in which order.

use super::scene::{Item, Scene};
use crate::command::{Columns, Effect, Object, Verb};
use crate::mask::ColumnMask;
use crate::name::QualifiedName;
use crate::policy::ColumnPattern;
use crate::policy::rule::{Action, Masks, OnInference, OnUncertain};
use crate::policy::session::Standing;
use crate::request::{Exposure, Exposures};

/// What a statement does with protected values, as far as it has been read.
#[derive(Clone, Copy, Default)]
pub(super) struct Flow<'a> {
    /// The first mask rule of which a column may be read.
    read: Option<usize>,
    /// The relation that it is read from; `None` where there are several or it has no name.
    read_from: Option<&'a QualifiedName>,
    /// The first mask rule that may act at all: what cannot be seen may read anything.
    armed: Option<usize>,
    /// Something reads what hoop cannot see.
    opaque: bool,
    /// Something other than a row change stores, sends or defines.
    elsewhere: bool,
    /// The one relation whose rows are changed.
    changed: Option<&'a QualifiedName>,
    /// The first refusal that an effect alone is reason for.
    refusal: Option<Refusal>,
}

/// Why a mask rule refuses a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The mask rule's place.
    pub(super) rule: usize,
    pub(super) why: Leak,
}

/// How a protected value would get past a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leak {
    Copy,
    Inference,
    Laundering,
    Uncertain,
}

impl Leak {
    /// The reason in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Copy => "COPY would carry a masked column past the mask; use SELECT",
            Self::Inference => {
                "a masked column may be returned or compared with `=`, but not be searched, sorted or computed with"
            }
            Self::Laundering => "the statement could read a masked column and store its values where no mask reaches",
            Self::Uncertain => "hoop cannot see whether the statement reads a masked column",
        }
    }
}

/// What a finished statement comes to.
#[derive(Clone, Copy, Default)]
pub(super) struct Flowed {
    /// Whether a column mask can act on what it returns.
    pub(super) acts: bool,
    pub(super) refusal: Option<Refusal>,
}

impl<'a> Scene<'a> {
    /// Whether any column can be masked in this session: where the catalog holds no protected column, none.
    pub(super) fn guards_columns(&self) -> bool {
        match &self.call.session.exposures {
            Exposures::Assumed => true,
            Exposures::Known(exposures) => !exposures.is_empty(),
        }
    }

    /// Takes one more effect of a statement into account.
    pub(super) fn flow(&self, flow: &mut Flow<'a>, item: &Item<'a>) {
        let opaque = item.is_asked() && is_opaque(item.effect.verb);
        flow.opaque |= opaque;
        for standing in &self.session.masks {
            if let Some(masks) = self.masks(*standing, item) {
                flow.armed.get_or_insert(standing.rule);
                self.flow_of(flow, standing.rule, masks, item, opaque);
            }
        }
        if item.is_asked() {
            flow.store(item.effect);
        }
    }

    /// The masks of a rule, where it may reach the effect and has columns.
    fn masks(&self, standing: Standing, item: &Item<'_>) -> Option<&'a Masks> {
        match &self.session.rule(standing.rule)?.action {
            Action::Mask(masks) if masks.columns.is_empty() => None,
            Action::Mask(masks) => self.reaches(standing, item).is_possible().then_some(masks),
            Action::Allow(_) | Action::Block(_) | Action::Approve(_) => None,
        }
    }

    fn flow_of(&self, flow: &mut Flow<'a>, rule: usize, masks: &Masks, item: &Item<'a>, opaque: bool) {
        let facts = &item.effect.facts;
        if opaque && masks.on_uncertain == OnUncertain::Block {
            flow.refuse(rule, Leak::Uncertain);
        }
        if !self.reads_any(&masks.columns, item.effect, &facts.columns) {
            return;
        }
        if self.reads_any(&masks.columns, item.effect, &facts.returned) {
            flow.read(rule, item.effect);
        }
        if facts.copy {
            flow.refuse(rule, Leak::Copy);
        }
        let inferred = || self.reads_any(&masks.columns, item.effect, &facts.inferred);
        match masks.on_inference {
            OnInference::Equality if inferred() => flow.refuse(rule, Leak::Inference),
            OnInference::Equality | OnInference::Allow => {}
        }
    }

    fn reads_any(&self, masks: &[ColumnMask], effect: &Effect, columns: &Columns) -> bool {
        !columns.is_empty() && masks.iter().any(|mask| self.may_read(&mask.pattern, effect, columns))
    }

    /// Whether some of these columns of an effect's object may carry a value that the pattern protects.
    pub(super) fn may_read(&self, pattern: &ColumnPattern, effect: &Effect, columns: &Columns) -> bool {
        match &self.call.session.exposures {
            Exposures::Assumed => {
                may_be(effect, &pattern.schema, &pattern.relation) && may_match(columns, &pattern.column)
            }
            Exposures::Known(exposures) => {
                exposures.iter().any(|exposure| reads_through(exposure, pattern, effect, columns))
            }
        }
    }
}

impl<'a> Flow<'a> {
    fn read(&mut self, rule: usize, effect: &'a Effect) {
        let from = match &effect.object {
            Object::Relation(name) => Some(name),
            Object::Function(_)
            | Object::Setting(_)
            | Object::Schema(_)
            | Object::Named(_)
            | Object::Prepared(_)
            | Object::Cursor(_)
            | Object::Any => None,
        };
        self.read_from = if self.read.is_none() || self.read_from == from { from } else { None };
        self.read = Some(self.read.map_or(rule, |first| first.min(rule)));
    }

    fn refuse(&mut self, rule: usize, why: Leak) {
        let refusal = Refusal { rule, why };
        self.refusal = Some(self.refusal.filter(|first| first.rule <= rule).unwrap_or(refusal));
    }

    /// Notes what an effect stores, sends or defines.
    fn store(&mut self, effect: &'a Effect) {
        match (stores(effect), &effect.object) {
            (Store::Nothing, _) => {}
            (Store::Rows, Object::Relation(name)) if self.changed.is_none_or(|changed| changed == name) => {
                self.changed = Some(name);
            }
            (Store::Rows | Store::Elsewhere, _) => self.elsewhere = true,
        }
    }

    /// What the statement comes to.
    pub(super) fn end(self) -> Flowed {
        let acts = self.read.is_some() || (self.opaque && self.armed.is_some());
        Flowed { acts, refusal: self.refusal.or_else(|| self.laundering()) }
    }

    /// A protected value may be returned by the statement that changes rows of its own relation; it may not be read
    /// from one relation and stored in another, nor in anything else.
    fn laundering(&self) -> Option<Refusal> {
        let stored = |rule| Refusal { rule, why: Leak::Laundering };
        if let Some(rule) = self.read {
            let own_rows = self.changed.is_none_or(|changed| Some(changed) == self.read_from);
            return (self.elsewhere || !own_rows).then_some(stored(rule));
        }
        self.armed.filter(|_| self.opaque && self.changed.is_some()).map(stored)
    }
}

/// Whether an effect runs what hoop cannot see into.
pub(super) fn is_opaque(verb: Verb) -> bool {
    match verb {
        Verb::Unknown | Verb::Call | Verb::Fastpath | Verb::Replicate | Verb::Program => true,
        Verb::Read
        | Verb::Insert
        | Verb::Update
        | Verb::Delete
        | Verb::Truncate
        | Verb::Create
        | Verb::Alter
        | Verb::Drop
        | Verb::Grant
        | Verb::Role
        | Verb::Set
        | Verb::File
        | Verb::Maintain
        | Verb::Admin
        | Verb::Lock
        | Verb::Sequence
        | Verb::Notify
        | Verb::Listen
        | Verb::Session => false,
    }
}

/// What an effect leaves behind that could hold a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    Nothing,
    /// Rows of its relation.
    Rows,
    /// Anything else.
    Elsewhere,
}

fn stores(effect: &Effect) -> Store {
    match effect.verb {
        Verb::Read | Verb::Truncate | Verb::Drop | Verb::Listen | Verb::Session => Store::Nothing,
        Verb::Insert | Verb::Update | Verb::Delete => Store::Rows,
        // Row locks of SELECT … FOR UPDATE hold no value; the key of an advisory lock can.
        Verb::Lock if matches!(effect.object, Object::Relation(_)) => Store::Nothing,
        Verb::Lock
        | Verb::Create
        | Verb::Alter
        | Verb::Grant
        | Verb::Role
        | Verb::Set
        | Verb::Call
        | Verb::File
        | Verb::Program
        | Verb::Maintain
        | Verb::Admin
        | Verb::Sequence
        | Verb::Notify
        | Verb::Replicate
        | Verb::Fastpath
        | Verb::Unknown => Store::Elsewhere,
    }
}

/// Whether an effect's object may be a relation that the patterns match. A name without schema may be in any.
fn may_be(effect: &Effect, schema: &crate::policy::Glob, relation: &crate::policy::Glob) -> bool {
    match &effect.object {
        Object::Relation(name) => {
            relation.matches(&name.name) && name.schema.as_ref().is_none_or(|known| schema.matches(known))
        }
        Object::Schema(name) => schema.matches(name),
        Object::Function(_) | Object::Prepared(_) | Object::Cursor(_) | Object::Any => true,
        Object::Setting(_) | Object::Named(_) => false,
    }
}

fn may_match(columns: &Columns, pattern: &crate::policy::Glob) -> bool {
    match columns {
        Columns::All => true,
        Columns::Named(names) => names.iter().any(|name| pattern.matches(name)),
    }
}

/// Whether an effect that reads these columns may read a value that the pattern protects through this exposure.
pub(super) fn reads_through(exposure: &Exposure, pattern: &ColumnPattern, effect: &Effect, columns: &Columns) -> bool {
    pattern.matches(&exposure.exposes) && may_expose(effect, exposure) && may_hold(columns, exposure)
}

/// Whether an effect's object may be the relation that exposes a protected value.
fn may_expose(effect: &Effect, exposure: &Exposure) -> bool {
    match &effect.object {
        Object::Relation(name) => {
            let QualifiedName { schema, name: last } = &exposure.relation;
            *last == name.name && (name.schema.is_none() || schema.is_none() || name.schema == *schema)
        }
        Object::Schema(name) => exposure.relation.schema.as_ref().is_none_or(|schema| schema == name),
        Object::Function(_) | Object::Prepared(_) | Object::Cursor(_) | Object::Any => true,
        Object::Setting(_) | Object::Named(_) => false,
    }
}

fn may_hold(columns: &Columns, exposure: &Exposure) -> bool {
    exposure.column.as_ref().map_or(!columns.is_empty(), |column| columns.may_hold(column))
}
