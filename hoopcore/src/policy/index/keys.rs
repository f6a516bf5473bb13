//! The names that a rule's who and on ask for: without one of them the rule does not hold.

use alloc::vec;
use alloc::vec::Vec;

use super::{ANY, Key};
use crate::policy::rule::{Condition, OnFact, Rule, WhoFact};
use crate::resource::ResourceKind;

/// More pairs of a resource and a caller are not written out: the rule then stands for every caller.
const MOST: usize = 64;

/// The names of a rule.
pub(super) struct Keys<'r> {
    resources: Option<Vec<&'r str>>,
    callers: Option<Vec<Caller<'r>>>,
    pub(super) kinds: Kinds,
    /// Whether the names and kinds are all that who and on ask.
    pub(super) settled: bool,
}

/// Kinds of resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kinds(u8);

/// A group or a user.
pub(super) enum Caller<'r> {
    Group(&'r str),
    User(&'r str),
}

/// What a condition asks for.
struct Asked<T> {
    /// One of these must be so; `None` where no such list can be told.
    names: Option<Vec<T>>,
    /// Whether it asks nothing else.
    settled: bool,
}

impl<'r> Keys<'r> {
    /// The names that a rule asks for.
    pub(super) fn of(rule: &'r Rule) -> Self {
        let resources = asked(&rule.on, &resource);
        let kinds = asked(&rule.on, &|fact| match fact {
            OnFact::Kind(kind) => Some(*kind),
            OnFact::Name(_) | OnFact::Label(..) | OnFact::Database(_) => None,
        });
        let callers = asked(&rule.who, &caller);
        let count = |names: Option<usize>| names.unwrap_or(1);
        let pairs = count(resources.names.as_ref().map(Vec::len)) * count(callers.names.as_ref().map(Vec::len));
        let settled = (resources.settled || kinds.settled) && callers.settled && pairs <= MOST;
        let callers = callers.names.filter(|_| pairs <= MOST);
        let kinds = kinds.names.map_or(Kinds::EVERY, |kinds| Kinds::of(&kinds));
        Self { resources: resources.names, callers, kinds, settled }
    }

    /// The keys of its resources.
    pub(super) fn resources(&self, number: impl FnMut(&str) -> Key) -> Vec<Key> {
        self.resources.as_ref().map_or_else(|| vec![ANY], |names| names.iter().copied().map(number).collect())
    }

    /// The keys of its callers.
    pub(super) fn callers(&self, mut group: impl FnMut(&str) -> Key, mut user: impl FnMut(&str) -> Key) -> Vec<Key> {
        let Some(callers) = &self.callers else { return vec![ANY] };
        let key = |caller: &Caller<'_>| match caller {
            Caller::Group(name) => group(name),
            Caller::User(name) => user(name),
        };
        callers.iter().map(key).collect()
    }
}

/// Every resource that a rule names, and every caller.
pub(super) fn names(rule: &Rule) -> (Vec<&str>, Vec<Caller<'_>>) {
    (
        rule.on.facts().into_iter().filter_map(resource).collect(),
        rule.who.facts().into_iter().filter_map(caller).collect(),
    )
}

fn resource(fact: &OnFact) -> Option<&str> {
    match fact {
        OnFact::Name(name) if name.is_literal() => Some(name.as_str()),
        OnFact::Name(_) | OnFact::Kind(_) | OnFact::Label(..) | OnFact::Database(_) => None,
    }
}

fn caller(fact: &WhoFact) -> Option<Caller<'_>> {
    match fact {
        WhoFact::Group(name) if name.is_literal() => Some(Caller::Group(name.as_str())),
        WhoFact::User(name) if name.is_literal() => Some(Caller::User(name.as_str())),
        WhoFact::Group(_) | WhoFact::User(_) | WhoFact::Claim(..) | WhoFact::Kind(_) | WhoFact::Issuer(_) => None,
    }
}

impl Kinds {
    const EVERY: Self = Self(u8::MAX);

    fn of(kinds: &[ResourceKind]) -> Self {
        Self(kinds.iter().fold(0, |all, kind| all | Self::bit(*kind)))
    }

    /// Whether a kind is among them.
    pub(super) fn has(self, kind: ResourceKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    fn bit(kind: ResourceKind) -> u8 {
        1 << kind as u8
    }
}

fn asked<'r, F, T>(condition: &'r Condition<F>, name: &impl Fn(&'r F) -> Option<T>) -> Asked<T> {
    match condition {
        Condition::Is(fact) => match name(fact) {
            Some(name) => Asked { names: Some(vec![name]), settled: true },
            None => Asked { names: None, settled: false },
        },
        Condition::Not(_) => Asked { names: None, settled: false },
        Condition::All(all) => match all.as_slice() {
            [] => Asked { names: None, settled: true },
            [one] => asked(one, name),
            several => Asked { names: several.iter().find_map(|one| asked(one, name).names), settled: false },
        },
        Condition::OneOf(several) => one_of(several, name),
    }
}

fn one_of<'r, F, T>(several: &'r [Condition<F>], name: &impl Fn(&'r F) -> Option<T>) -> Asked<T> {
    let (mut names, mut settled) = (Vec::new(), true);
    for one in several {
        let asked = asked(one, name);
        let Some(found) = asked.names else { return Asked { names: None, settled: false } };
        names.extend(found);
        settled &= asked.settled;
    }
    Asked { names: Some(names), settled }
}
