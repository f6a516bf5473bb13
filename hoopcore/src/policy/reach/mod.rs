//! Which effects a rule matches, by protocol.

mod argv;
pub(crate) mod http;
pub(crate) mod kubernetes;
mod sql;
pub(crate) mod ssh;

use alloc::boxed::Box;
use core::marker::PhantomData;

use crate::command::Verbs;

#[cfg(feature = "yaml")]
pub(crate) use argv::ArgvPattern;
pub(crate) use http::HttpReach;
pub(crate) use kubernetes::KubernetesReach;
pub(crate) use sql::{NamePattern, Names, SqlReach, in_schema};
pub(crate) use ssh::SshReach;

/// What an action does with what it reaches, which decides what its wildcards stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// An allow or approve: `*` does not include `unknown`.
    Covers,
    /// A block: `*` is every verb.
    Refuses,
}

impl Sense {
    /// The verbs that `*` stands for.
    pub(crate) fn every<V: Verbs>(self) -> VerbSet<V> {
        match self {
            Self::Covers => VerbSet::every().without(V::UNKNOWN),
            Self::Refuses => VerbSet::every(),
        }
    }
}

/// The effects that a rule matches: for each protocol alternatives, of none nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reaches {
    pub(crate) sql: Box<[SqlReach]>,
    pub(crate) http: Box<[HttpReach]>,
    pub(crate) kubernetes: Box<[KubernetesReach]>,
    pub(crate) ssh: Box<[SshReach]>,
}

impl Reaches {
    /// Every effect of every protocol, what is not understood too: `block: all`.
    pub(crate) fn everything() -> Self {
        Self {
            sql: Box::new([SqlReach { verbs: VerbSet::every(), names: Names::Every }]),
            http: Box::new([HttpReach { verbs: VerbSet::every(), paths: http::Paths::Every }]),
            kubernetes: Box::new([KubernetesReach { verbs: VerbSet::every(), what: kubernetes::What::Everything }]),
            ssh: Box::new([SshReach { verbs: VerbSet::every(), what: ssh::What::Everything }]),
        }
    }

    /// Whether all that it surely matches others match too, as far as the forms of the patterns tell; nothing is part of
    /// nothing.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let Self { sql, http, kubernetes, ssh } = self;
        let is_empty = sql.is_empty() && http.is_empty() && kubernetes.is_empty() && ssh.is_empty();
        !is_empty
            && all_within(sql, &other.sql, SqlReach::is_within)
            && all_within(http, &other.http, HttpReach::is_within)
            && all_within(kubernetes, &other.kubernetes, KubernetesReach::is_within)
            && all_within(ssh, &other.ssh, SshReach::is_within)
    }
}

/// Whether each of some patterns is part of one of others.
fn all_within<T>(some: &[T], others: &[T], is_within: impl Fn(&T, &T) -> bool) -> bool {
    some.iter().all(|one| others.iter().any(|other| is_within(one, other)))
}

/// A set of one protocol's verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VerbSet<V>(u32, PhantomData<V>);

impl<V: Verbs> VerbSet<V> {
    /// No verb.
    pub(crate) const fn none() -> Self {
        Self(0, PhantomData)
    }

    /// Every verb, what is not understood and what is harmless too.
    pub(crate) fn every() -> Self {
        V::ALL.iter().copied().fold(Self::none(), Self::with)
    }

    /// The set with one more verb.
    pub(crate) fn with(self, verb: V) -> Self {
        Self(self.0 | Self::bit(verb), PhantomData)
    }

    /// The set without one verb.
    pub(crate) fn without(self, verb: V) -> Self {
        Self(self.0 & !Self::bit(verb), PhantomData)
    }

    /// Whether a verb is in it.
    pub(crate) fn has(self, verb: V) -> bool {
        self.0 & Self::bit(verb) != 0
    }

    /// Whether all of its verbs are in another.
    pub(crate) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The set as bits, by the verbs' places.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    fn bit(verb: V) -> u32 {
        1 << verb.place()
    }
}
