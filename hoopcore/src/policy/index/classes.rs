//! Verbs of all protocols in one count, and which of them a rule is about.

use crate::command::{self, Command, Effects, Verbs, http, kubernetes, sql, ssh};
use crate::policy::reach::{Names, Reaches, VerbSet};
use crate::policy::rule::{Action, Asked, Rule};

/// One verb of one protocol, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u32);

/// A set of verbs, of whatever protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Classes(u64);

/// Where the verbs of each protocol begin.
const SQL: u32 = 0;
const HTTP: u32 = SQL + sql::Verb::ALL.len() as u32;
const KUBERNETES: u32 = HTTP + http::Verb::ALL.len() as u32;
const SSH: u32 = KUBERNETES + kubernetes::Verb::ALL.len() as u32;
const END: u32 = SSH + ssh::Verb::ALL.len() as u32;
const _: () = assert!(END <= u64::BITS, "the verbs of all protocols fit a word");

impl Class {
    /// What harmless effects of SQL bear beside their own verb.
    pub(crate) const SESSION: Self = Self(SQL + sql::Verb::Session as u32);

    /// How many there are.
    pub(crate) const COUNT: usize = END as usize;

    /// The class of an effect.
    pub(crate) fn of(effect: command::Effect<'_>) -> Self {
        Self(match effect {
            command::Effect::Sql(effect) => return Self::of_sql(effect.verb),
            command::Effect::Http(effect) => HTTP + effect.verb.place(),
            command::Effect::Kubernetes(effect) => KUBERNETES + effect.verb.place(),
            command::Effect::Ssh(effect) => SSH + effect.verb.place(),
        })
    }

    /// The class of the effects of SQL with a verb.
    pub(crate) fn of_sql(verb: sql::Verb) -> Self {
        Self(SQL + verb.place())
    }

    /// Every class.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..END).map(Self)
    }

    /// Its number, below [`Class::COUNT`].
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

impl Classes {
    const NONE: Self = Self(0);
    pub(crate) const EVERY: Self = Self(u64::MAX);

    /// Whether a class is among them.
    pub(crate) fn has(self, class: Class) -> bool {
        self.0 & (1 << class.0) != 0
    }

    /// Whether they share a class with others.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What an effect bears that is harmless, perhaps.
    pub(crate) fn of_effect(effect: command::Effect<'_>, is_harmless: bool) -> Self {
        let own = Self(1 << Class::of(effect).0);
        if is_harmless { own.and(Self(1 << Class::SESSION.0)) } else { own }
    }

    /// What a command may bear. What it executes by name may be anything.
    pub(crate) fn of_command(command: &Command) -> Self {
        let one = |class: Class| Self(1 << class.0);
        match command.what() {
            Effects::Sql(statements) => {
                let effects = statements.iter().flat_map(|statement| &statement.effects);
                effects.fold(one(Class::SESSION), |classes, effect| match &effect.object {
                    sql::Object::Prepared(_) | sql::Object::Cursor(_) => Self::EVERY,
                    sql::Object::Relation(_)
                    | sql::Object::Function(_)
                    | sql::Object::Setting(_)
                    | sql::Object::Schema(_)
                    | sql::Object::Named(_)
                    | sql::Object::Any => classes.and(one(Class::of(command::Effect::Sql(effect)))),
                })
            }
            Effects::Http(_) | Effects::Kubernetes(_) | Effects::Ssh(_) => {
                command.effects().into_iter().fold(Self::NONE, |classes, effect| classes.and(one(Class::of(effect))))
            }
        }
    }

    fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    fn of_verbs<V: Verbs>(begin: u32, verbs: VerbSet<V>) -> Self {
        Self(u64::from(verbs.bits()) << begin)
    }
}

/// The classes of which a rule may match an effect, and those of which it matches every effect whatever the call.
pub(super) fn of(rule: &Rule) -> (Classes, Classes) {
    let (may, whole) = match &rule.action {
        Action::Allow(reaches) | Action::Block(reaches) => of_reaches(reaches),
        Action::Approve(approval) => match &approval.what {
            Asked::Effects(reaches) => of_reaches(reaches),
            Asked::Otherwise => (Classes::EVERY, Classes::NONE),
        },
        Action::Mask(_) => (Classes::EVERY, Classes::NONE),
    };
    (may, if rule.when.is_always() { whole } else { Classes::NONE })
}

fn of_reaches(reaches: &Reaches) -> (Classes, Classes) {
    let (mut may, mut whole) = (Classes::NONE, Classes::NONE);
    for reach in &reaches.sql {
        let classes = Classes::of_verbs(SQL, reach.verbs);
        may = may.and(classes);
        whole = if matches!(reach.names, Names::Every) { whole.and(classes) } else { whole };
    }
    let http = reaches.http.iter().map(|reach| Classes::of_verbs(HTTP, reach.verbs));
    let kubernetes = reaches.kubernetes.iter().map(|reach| Classes::of_verbs(KUBERNETES, reach.verbs));
    let ssh = reaches.ssh.iter().map(|reach| Classes::of_verbs(SSH, reach.verbs));
    (http.chain(kubernetes).chain(ssh).fold(may, Classes::and), whole)
}
