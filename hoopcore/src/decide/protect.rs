//! Where protected values may go: which masks act on a statement, and which statements no mask could keep safe.
//!
//! A mask works on what returns. So a statement is refused that could carry a protected value elsewhere: into
//! another relation, a definition, a file; into a COPY; or, bit by bit, into which rows return and in which order.

use super::evaluation::{Evaluation, Item, SqlItem, Stage};
use crate::command::sql::{Columns, Effect, Object, Verb};
use crate::mask::ColumnMask;
use crate::name::QualifiedName;
use crate::policy::ColumnPattern;
use crate::policy::rule::{Action, Masks, OnCopy, OnInference, OnUncertain};
use crate::policy::standings::Standing;
use crate::request::{Carrier, Exposure, Exposures};

/// What a statement does with protected values, as far as it has been read.
#[derive(Clone, Copy, Default)]
pub(super) struct Flow {
    /// The first mask rule of which a column may be returned.
    returned: Option<usize>,
    /// The first mask rule of which a column's value may reach what the statement stores.
    stored: Option<usize>,
    /// The first mask rule that may reach what hoop cannot see into, which may read anything.
    unseen: Option<usize>,
    /// Something runs what hoop cannot see into.
    opaque: bool,
    /// Something that hoop can see into stores, sends or defines.
    keeps: bool,
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
    Comparison,
    Laundering,
    Definition,
    Uncertain,
    Replication,
    Stale,
}

impl Leak {
    /// The reason in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Copy => "COPY would carry a masked column past the mask; use SELECT",
            Self::Inference => {
                "a masked column may be returned or compared with `=`, but not be searched, sorted or computed with"
            }
            Self::Comparison => {
                "a masked column may be returned, but not be compared, sorted, grouped, counted or computed with"
            }
            Self::Laundering => "the statement could read a masked column and store its values where no mask reaches",
            Self::Definition => "the statement would change a relation that holds a masked column",
            Self::Replication => "a replication stream carries every column as it is, past all masks; read with SELECT",
            Self::Stale => {
                "the policy has changed, and which columns it protects is not known before the transaction ends: end it, and try again"
            }
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

impl<'a> Evaluation<'a> {
    /// Whether any column can be masked in this session: where the catalog holds no protected column, none.
    pub(super) fn guards_columns(&self) -> bool {
        match &self.call.session.exposures {
            Exposures::Assumed | Exposures::Unknown => true,
            Exposures::Known(exposures) => !exposures.is_empty(),
        }
    }

    /// Why an effect is refused that streams what it reads past all masks: whichever could ever act in the session.
    pub(super) fn streams(&self, item: &SqlItem<'_>) -> Option<Refusal> {
        if item.effect.verb != Verb::Replicate || !item.is_asked() || self.stage != Stage::Execute {
            return None;
        }
        let rule = self.session.rules.masks.iter().map(|standing| standing.rule).min()?;
        Some(Refusal { rule, why: Leak::Replication })
    }

    /// Takes one more effect of a statement into account.
    pub(super) fn flow(&self, flow: &mut Flow, item: &SqlItem<'a>) {
        let opaque = item.is_asked() && is_opaque(item.effect.verb);
        flow.opaque |= opaque;
        if opaque || item.effect.facts.code || self.may_expose_any(item.effect) {
            for standing in &self.session.rules.masks {
                if let Some(masks) = self.masks(*standing, item) {
                    self.flow_of(flow, standing.rule, masks, item, opaque);
                }
            }
        }
        // A setting keeps what `set_config` computes, whoever may set it.
        let counts = item.is_asked() || item.effect.verb == Verb::Set;
        flow.keeps |= counts && !opaque && keeps(item.effect);
    }

    /// Whether anything protected may be read through an effect's object: of most it may not, and no mask need be asked.
    fn may_expose_any(&self, effect: &Effect) -> bool {
        match &self.call.session.exposures {
            Exposures::Assumed | Exposures::Unknown => true,
            Exposures::Known(exposures) => exposures.iter().any(|exposure| may_expose(effect, exposure)),
        }
    }

    /// The masks of a rule, where it may reach the effect and has columns.
    fn masks(&self, standing: Standing, item: &SqlItem<'_>) -> Option<&'a Masks> {
        match &self.session.rule(standing.rule)?.action {
            Action::Mask(masks) if masks.columns.is_empty() => None,
            Action::Mask(masks) => self.reaches(standing, &Item::Sql(*item)).is_possible().then_some(masks),
            Action::Allow(_) | Action::Block(_) | Action::Approve(_) => None,
        }
    }

    fn flow_of(&self, flow: &mut Flow, rule: usize, masks: &Masks, item: &SqlItem<'a>, opaque: bool) {
        let facts = &item.effect.facts;
        if self.is_stale() && (opaque || may_touch(item.effect)) {
            flow.refuse(rule, Leak::Stale);
        }
        if opaque {
            first(&mut flow.unseen, rule);
        }
        // What cannot be seen into may compare anything.
        if opaque && (masks.on_uncertain == OnUncertain::Block || masks.on_inference == OnInference::Block) {
            flow.refuse(rule, Leak::Uncertain);
        }
        // What it returns may hold any value.
        if opaque && facts.copy && masks.on_copy == OnCopy::Block {
            flow.refuse(rule, Leak::Copy);
        }
        // What runs later, or was not understood, may both read and keep anything.
        if item.is_asked() && (item.effect.verb == Verb::Unknown || facts.code) {
            flow.refuse(rule, Leak::Laundering);
        }
        if item.effect.verb == Verb::Alter && self.reads_any(&masks.columns, item.effect, &Columns::All) {
            flow.refuse(rule, Leak::Definition);
        }
        if !self.reads_any(&masks.columns, item.effect, &facts.columns) {
            return;
        }
        if self.reads_any(&masks.columns, item.effect, &facts.returned) {
            first(&mut flow.returned, rule);
        }
        if self.reads_any(&masks.columns, item.effect, &facts.stored) {
            first(&mut flow.stored, rule);
        }
        if facts.copy && masks.on_copy == OnCopy::Block {
            flow.refuse(rule, Leak::Copy);
        }
        let inferred = || self.reads_any(&masks.columns, item.effect, &facts.inferred);
        let compared = || self.reads_any(&masks.columns, item.effect, &facts.compared);
        match masks.on_inference {
            OnInference::Equality if inferred() || self.computes_any(&masks.columns, item.effect) => {
                flow.refuse(rule, Leak::Inference)
            }
            OnInference::Block if compared() || self.computes_any(&masks.columns, item.effect) => {
                flow.refuse(rule, Leak::Comparison)
            }
            OnInference::Allow
                if masks.on_uncertain == OnUncertain::Block && self.calls_any(&masks.columns, item.effect) =>
            {
                flow.refuse(rule, Leak::Uncertain)
            }
            OnInference::Equality | OnInference::Block | OnInference::Allow => {}
        }
    }

    /// Whether nobody knows yet which relations carry what the rules protect.
    fn is_stale(&self) -> bool {
        match &self.call.session.exposures {
            Exposures::Unknown => true,
            Exposures::Assumed | Exposures::Known(_) => false,
        }
    }

    fn reads_any(&self, masks: &[ColumnMask], effect: &Effect, columns: &Columns) -> bool {
        !columns.is_empty() && masks.iter().any(|mask| self.may_read(&mask.pattern, effect, columns))
    }

    /// Whether what is granted of a column as it is is asked of something that is computed from a protected one, or a
    /// function of the row runs.
    fn computes_any(&self, masks: &[ColumnMask], effect: &Effect) -> bool {
        self.carries_any(masks, effect, Carrier::Computed, &effect.facts.weighed) || self.calls_any(masks, effect)
    }

    /// Whether a function of a row with a protected column runs, written like a column.
    fn calls_any(&self, masks: &[ColumnMask], effect: &Effect) -> bool {
        self.carries_any(masks, effect, Carrier::Function, &effect.facts.behind)
    }

    fn carries_any(&self, masks: &[ColumnMask], effect: &Effect, carrier: Carrier, columns: &Columns) -> bool {
        let Exposures::Known(exposures) = &self.call.session.exposures else { return false };
        let carriers = || exposures.iter().filter(|exposure| exposure.carrier == carrier);
        !columns.is_empty()
            && carriers()
                .any(|exposure| masks.iter().any(|mask| reads_through(exposure, &mask.pattern, effect, columns)))
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
            Exposures::Unknown => true,
        }
    }
}

impl Flow {
    fn refuse(&mut self, rule: usize, why: Leak) {
        let refusal = Refusal { rule, why };
        self.refusal = Some(self.refusal.filter(|first| first.rule <= rule).unwrap_or(refusal));
    }

    /// What the statement comes to.
    pub(super) fn end(self) -> Flowed {
        let acts = self.returned.is_some() || self.unseen.is_some();
        Flowed { acts, refusal: self.refusal.or_else(|| self.laundering()) }
    }

    /// A protected value may be returned; it may not be kept where no mask reaches, in the same relation either.
    fn laundering(&self) -> Option<Refusal> {
        let stored = self.stored.filter(|_| self.keeps || self.opaque);
        let rule = stored.or(self.unseen.filter(|_| self.keeps))?;
        Some(Refusal { rule, why: Leak::Laundering })
    }
}

/// Rules are named by their place: the first by name stands in the record, whatever the order of the effects.
fn first(known: &mut Option<usize>, rule: usize) {
    *known = Some(known.map_or(rule, |first| first.min(rule)));
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

/// Whether an effect reads or redefines a relation, or may.
fn may_touch(effect: &Effect) -> bool {
    effect.facts.code || effect.verb == Verb::Alter || !effect.facts.columns.is_empty()
}

/// Whether an effect leaves something behind that could hold a value.
fn keeps(effect: &Effect) -> bool {
    match effect.verb {
        Verb::Read | Verb::Delete | Verb::Truncate | Verb::Drop | Verb::Listen | Verb::Session => false,
        // Row locks of SELECT … FOR UPDATE hold no value; the key of an advisory lock can.
        Verb::Lock => !matches!(effect.object, Object::Relation(_)),
        Verb::Insert
        | Verb::Update
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
        | Verb::Unknown => true,
    }
}

/// Whether an effect's object may be a relation that the patterns match. A name without schema may be in any.
pub(super) fn may_be(effect: &Effect, schema: &crate::policy::Glob, relation: &crate::policy::Glob) -> bool {
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
    // The relation's name is compared first: a database may expose a column through hundreds of others.
    may_expose(effect, exposure) && may_hold(columns, exposure) && pattern.matches(&exposure.exposes)
}

/// Whether an effect's object may be the relation that exposes a protected value.
pub(super) fn may_expose(effect: &Effect, exposure: &Exposure) -> bool {
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
