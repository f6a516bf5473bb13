//! Who calls: an identity, and the proof that somebody checked it.

#[cfg(feature = "jwt")]
mod algorithm;
#[cfg(feature = "jwt")]
mod claims;
#[cfg(feature = "jwt")]
mod json;
#[cfg(feature = "jwt")]
mod jwks;
#[cfg(feature = "jwt")]
mod jws;
#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "jwt")]
mod refused;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::ops::Deref;

/// Whether a person or a program calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// A person.
    Human,
    /// A job, service account, bot or agent.
    Workload,
}

/// A caller: name, kind, groups and claims. What is absent is unknown, not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The caller's name: unique within its issuer.
    pub user: String,
    /// Person or program, where the issuer says.
    pub kind: Option<IdentityKind>,
    /// Who vouched for it (`iss` of a token), where somebody did.
    pub issuer: Option<String>,
    /// Its groups; `None` where nobody told, which is not the same as no groups.
    pub groups: Option<BTreeSet<String>>,
    /// Claims of its token, by path; a claim that is absent is unknown.
    pub claims: BTreeMap<String, String>,
    /// Other names under which the same person or program calls.
    pub aliases: BTreeSet<String>,
}

impl Identity {
    /// A caller of which only the name is known.
    pub fn named(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            kind: None,
            issuer: None,
            groups: None,
            claims: BTreeMap::new(),
            aliases: BTreeSet::new(),
        }
    }

    /// The same caller, who calls under these names too.
    #[must_use]
    pub fn with_aliases<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.aliases = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether both may be one: a name or alias of the one is a name or alias of the other, whoever vouched for it and in
    /// letters of either case.
    ///
    /// ```
    /// use hoopcore::Identity;
    ///
    /// let alice = Identity::named("alice").with_aliases(["alice@example.com"]);
    /// assert!(alice.may_be(&Identity::named("Alice@example.com")));
    /// assert!(!alice.may_be(&Identity::named("bob@example.com")));
    /// ```
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        self.names().any(|name| other.names().any(|other| name.eq_ignore_ascii_case(other)))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().chain([&self.user]).map(String::as_str)
    }

    /// The same caller, in exactly these groups.
    #[must_use]
    pub fn with_groups<G: Into<String>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = Some(groups.into_iter().map(Into::into).collect());
        self
    }

    /// The same caller, of this kind.
    #[must_use]
    pub fn with_kind(mut self, kind: IdentityKind) -> Self {
        self.kind = Some(kind);
        self
    }
}

/// Something that was checked, and how. Only the check itself can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    how: String,
}

impl<T> Verified<T> {
    /// The word of an embedding service that it authenticated the caller itself; `how` stands in every record.
    pub fn vouched(value: T, how: impl Into<String>) -> Self {
        Self { value, how: how.into() }
    }

    /// How it was checked.
    pub fn how(&self) -> &str {
        &self.how
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
