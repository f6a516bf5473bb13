//! Which effects a rule matches, by protocol.

mod http;
mod kubernetes;
mod sql;
mod ssh;

use alloc::boxed::Box;
use core::marker::PhantomData;

use crate::command::Verbs;

pub(crate) use http::HttpReach;
pub(crate) use kubernetes::KubernetesReach;
pub(crate) use sql::{NamePattern, Names, SqlReach};
pub(crate) use ssh::SshReach;

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
            http: Box::new([HttpReach { verbs: VerbSet::every() }]),
            kubernetes: Box::new([KubernetesReach { verbs: VerbSet::every() }]),
            ssh: Box::new([SshReach { verbs: VerbSet::every() }]),
        }
    }
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

    fn bit(verb: V) -> u32 {
        1 << verb.place()
    }
}
