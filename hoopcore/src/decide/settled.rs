//! What the rules of a session say of an effect by its verb and its name alone: most calls need no more.
//!
//! Where anything else counts (a `when`, an approve, a masked column, what is not known) nothing is settled, and the
//! call is judged in full. What is settled is what that would give.

use alloc::boxed::Box;

use super::protect::{is_opaque, may_be, may_expose};
use crate::command::sql::{Duty, Effect, Object, Verb};
use crate::command::{Effects, Statement, Verbs as _};
use crate::decision::Verdict;
use crate::limit::Rates;
use crate::policy::index::Class;
use crate::policy::name_set::{Name, NameSet};
use crate::policy::reach::Reaches;
use crate::policy::rule::{Action, Asked, Rule};
use crate::policy::standings::{Standing, Standpoint};
use crate::policy::{ColumnPattern, shipped};
use crate::request::{Call, Exposures};
use crate::truth::Truth;

/// What is settled for the commands of a session.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    /// For each verb of SQL, by its place.
    verbs: Box<[ByVerb]>,
    /// What masks protect.
    masked: Box<[ColumnPattern]>,
    /// Whether a rule limits how many commands are permitted.
    rated: bool,
}

/// What rules say of the effects of a verb.
#[derive(Clone, Debug, Default)]
struct ByVerb {
    /// What blocks match, whatever the call.
    blocked: NameSet,
    /// Whether other rules may refuse an effect, or demand people for it.
    may_stop: bool,
    /// What allows surely match, whatever the call.
    allowed: NameSet,
    /// Whether other rules may cover an effect.
    may_cover: bool,
    /// What all this says of every relation and function, whatever its name.
    any_name: Answer,
}

/// What is settled about an effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answer {
    Covered,
    Refused,
    #[default]
    Open,
}

impl Answer {
    fn is_settled(self) -> bool {
        self != Self::Open
    }

    /// What is settled about two effects of a command: one that is refused settles it.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (Self::Open, _) | (_, Self::Open) => Self::Open,
            (Self::Covered, Self::Covered) => Self::Covered,
        }
    }
}

impl Settled {
    /// What is settled by the rules of a session.
    pub(crate) fn new(session: Standpoint<'_>) -> Self {
        let of_verb = |verb: &Verb| ByVerb::new(session, *verb);
        let masked = session.mask_rules().flat_map(|(_, masks)| &masks.columns).map(|mask| mask.pattern.clone());
        let limits = session.rules.limited.iter().filter_map(|standing| session.rule(standing.rule));
        Self {
            verbs: Verb::ALL.iter().map(of_verb).collect(),
            masked: masked.collect(),
            rated: limits.map(Rule::limits).any(|limits| limits.per_minute.is_some()),
        }
    }

    /// The verdict, where it is settled. One effect that is refused settles it; else every effect must be covered.
    pub(super) fn verdict(&self, call: &Call<'_>) -> Option<Verdict> {
        let Effects::Sql(statements) = call.command.what() else { return None };
        let mut settled = !self.rated || !matches!(call.rates, Rates::Uncounted);
        for statement in statements {
            for effect in &statement.effects {
                match self.answer(effect, statements, call) {
                    Answer::Refused => return Some(Verdict::Block),
                    Answer::Covered => settled &= !self.may_mask(effect, call),
                    Answer::Open => settled = false,
                }
            }
        }
        settled.then_some(Verdict::Allow)
    }

    fn answer(&self, effect: &Effect, statements: &[Statement], call: &Call<'_>) -> Answer {
        let Some(rules) = self.verbs.get(effect.verb.place() as usize) else { return Answer::Open };
        match (effect.duty, &effect.object) {
            (_, Object::Prepared(_) | Object::Cursor(_)) => Answer::Open,
            (Duty::Covered, Object::Relation(_) | Object::Function(_)) if rules.any_name.is_settled() => rules.any_name,
            (Duty::Covered, object) => rules.by_name(written(object), at_home(object, statements, call)),
            (Duty::Harmless, _) => self.harmless(rules),
            (Duty::HarmlessUnlessShadowed, Object::Function(name))
                if statements.len() == 1 && !call.session.defines && !call.session.shadows.contains(&name.name) =>
            {
                self.harmless(rules)
            }
            (Duty::HarmlessUnlessShadowed, _) => Answer::Open,
        }
    }

    /// What is harmless needs no allow; blocks may match it by its own verb and by `session`.
    fn harmless(&self, rules: &ByVerb) -> Answer {
        let session = self.verbs.get(Class::SESSION.place());
        let is_free = rules.is_free() && session.is_some_and(ByVerb::is_free);
        if is_free { Answer::Covered } else { Answer::Open }
    }

    /// Whether a mask may have a say about an effect.
    fn may_mask(&self, effect: &Effect, call: &Call<'_>) -> bool {
        if self.masked.is_empty() {
            return false;
        }
        let is_guarded = match &call.session.exposures {
            Exposures::Assumed | Exposures::Unknown => true,
            Exposures::Known(exposures) => !exposures.is_empty(),
        };
        let unseen = is_opaque(effect.verb) || effect.facts.code || effect.verb == Verb::Alter;
        is_guarded && (unseen || !effect.facts.columns.is_empty() && self.may_read_masked(effect, call))
    }

    /// Whether an effect's object may hold what a mask protects.
    fn may_read_masked(&self, effect: &Effect, call: &Call<'_>) -> bool {
        match &call.session.exposures {
            Exposures::Assumed => self.masked.iter().any(|pattern| may_be(effect, &pattern.schema, &pattern.relation)),
            Exposures::Known(exposures) => exposures.iter().any(|exposure| may_expose(effect, exposure)),
            Exposures::Unknown => true,
        }
    }
}

impl ByVerb {
    fn new(session: Standpoint<'_>, verb: Verb) -> Self {
        let mut rules = Self::default();
        let class = Class::of_sql(verb);
        session.rules.blocks.of(class).for_each(|standing| rules.block(session, *standing, verb));
        session.rules.allows.of(class).for_each(|standing| rules.allow(session, *standing, verb));
        for standing in &session.rules.approves {
            match session.rule(standing.rule).map(|rule| &rule.action) {
                Some(Action::Approve(approval)) if matches!(approval.what, Asked::Otherwise) => rules.may_cover = true,
                Some(_) | None => rules.may_stop |= standing.may_match(class),
            }
        }
        // No mask rule lets anything be replicated past it.
        rules.may_stop |= verb == Verb::Replicate && !session.rules.masks.is_empty();
        rules.blocked = rules.blocked.complete();
        rules.allowed = rules.allowed.complete();
        rules.any_name = rules.any_name();
        rules
    }

    fn any_name(&self) -> Answer {
        if self.blocked.is_every_name() || (self.is_free() && self.allowed.is_empty() && !self.may_cover) {
            return Answer::Refused;
        }
        if self.is_free() && self.allowed.is_every_name() { Answer::Covered } else { Answer::Open }
    }

    fn block(&mut self, session: Standpoint<'_>, standing: Standing, verb: Verb) {
        match names(session, standing) {
            Some(reaches) => self.blocked.add(reaches, verb),
            None => self.may_stop = true,
        }
    }

    fn allow(&mut self, session: Standpoint<'_>, standing: Standing, verb: Verb) {
        match names(session, standing) {
            // What is not sure of its caller covers nothing.
            _ if !standing.truth.is_sure() => {}
            Some(reaches) => self.allowed.add(reaches, verb),
            None => self.may_cover = true,
        }
    }

    /// Whether no rule may refuse an effect or demand people for it.
    fn is_free(&self) -> bool {
        self.blocked.is_empty() && !self.may_stop
    }

    /// What is settled about an effect on an object, of which a block may know less than an allow.
    fn by_name(&self, name: Option<Name<'_>>, home: Option<Name<'_>>) -> Answer {
        match self.blocked.holds(name) {
            Some(Truth::No) if !self.may_stop => {}
            Some(Truth::May | Truth::Yes) => return Answer::Refused,
            Some(Truth::No) | None => return Answer::Open,
        }
        match self.allowed.holds(home) {
            Some(Truth::Yes) => Answer::Covered,
            Some(Truth::No) if !self.may_cover => Answer::Refused,
            Some(Truth::No | Truth::May) | None => Answer::Open,
        }
    }
}

/// The name of a relation or function, as it is written.
fn written(object: &Object) -> Option<Name<'_>> {
    match object {
        Object::Relation(name) | Object::Function(name) => {
            Some(Name { schema: name.schema.as_deref(), last: &name.name })
        }
        Object::Setting(_)
        | Object::Schema(_)
        | Object::Named(_)
        | Object::Prepared(_)
        | Object::Cursor(_)
        | Object::Any => None,
    }
}

/// The same with its schema, where a path of one schema tells it: of a relation that is not shipped.
fn at_home<'a>(object: &'a Object, statements: &[Statement], call: &'a Call<'_>) -> Option<Name<'a>> {
    let name = written(object)?;
    match (object, statements, call.session.search_path.as_slice()) {
        (Object::Relation(_), [_], [home])
            if name.schema.is_none() && home != "pg_catalog" && !shipped::may_have_relation(name.last) =>
        {
            Some(Name { schema: Some(home), ..name })
        }
        _ => Some(name),
    }
}

/// What a rule matches, where that does not hang on the call.
fn names<'a>(session: Standpoint<'a>, standing: Standing) -> Option<&'a Reaches> {
    let Rule { when, action, .. } = session.rule(standing.rule)?;
    match action {
        Action::Allow(reaches) | Action::Block(reaches) if when.is_always() => Some(reaches),
        Action::Allow(_) | Action::Block(_) | Action::Approve(_) | Action::Mask(_) => None,
    }
}
