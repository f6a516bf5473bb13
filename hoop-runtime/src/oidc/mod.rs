//! Lets callers in who show a signed token, with keys that their issuers publish in a file or on the web.
//!
//! hoopcore judges the tokens; here is what it cannot do itself: fetch keys, and keep them fresh without letting a
//! stranger's token make the gateway fetch more often than once a minute.

mod fetch;
mod keyring;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use hoopcore::identity::jwt::{Admitted, IssuerSettings, TokenRefused, claimed_issuer};

use tokio::task::JoinSet;

use crate::clock;
use keyring::Keyring;

pub use fetch::FetchError;
pub use keyring::KeysError;
pub use source::{KeySource, KeyUrl, SourceError, UrlRefused};

/// An issuer as the gateway's file describes it.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// What is expected of its tokens.
    pub settings: IssuerSettings,
    /// Where its keys are.
    pub keys: KeySource,
}

/// All issuers whose tokens let callers in: the block `issuers:` of the gateway's file.
///
/// ```yaml
/// issuers:
///   ci:
///     url: https://token.actions.githubusercontent.com
///     audience: hoop
///     keys: { url: https://token.actions.githubusercontent.com/.well-known/jwks }
///     kind: workload
///     group_from: repository_owner_id          # the group `ci/4711`
///     groups: { "4711": platform }             # … which policies call `platform`
///     require: { repository_owner_id: "4711" } # everybody else's jobs have the same issuer
/// ```
///
/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Issuers {
    by_url: Arc<BTreeMap<String, Arc<Keyring>>>,
}

/// One of the issuers.
#[derive(Clone, Copy)]
pub struct Issuer<'a>(&'a Arc<Keyring>);

/// Why a token did not let its caller in: for the audit trail. The caller is told only that it did not.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// The token is not good.
    #[error("{0}")]
    Refused(#[from] TokenRefused),
    /// No keys are there to judge it with.
    #[error("the keys of issuer `{0}` could not be had, or not for a day")]
    NoKeys(String),
}

impl Issuers {
    /// These issuers. Keys are not read yet: [`load`](Self::load) does, and otherwise the first token.
    ///
    /// # Errors
    /// With every problem of their settings in words.
    pub fn new(configs: Vec<IssuerConfig>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let (mut by_url, mut names) = (BTreeMap::new(), BTreeSet::new());
        for config in configs {
            let IssuerSettings { name, url, .. } = config.settings.clone();
            problems
                .extend(config.settings.problems().into_iter().map(|problem| format!("issuer `{name}`: {problem}")));
            if by_url.insert(url.clone(), Arc::new(Keyring::new(config))).is_some() {
                problems.push(format!("two issuers have the URL `{url}`"));
            }
            if !names.insert(name.clone()) {
                problems.push(format!("two issuers have the name `{name}`"));
            }
        }
        if problems.is_empty() { Ok(Self { by_url: Arc::new(by_url) }) } else { Err(problems) }
    }

    /// What is expected of each issuer's tokens.
    pub fn settings(&self) -> impl Iterator<Item = &IssuerSettings> {
        self.by_url.values().map(|keyring| keyring.settings())
    }

    /// Whether no token can let anybody in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_url.is_empty()
    }

    /// Reads all keys, at start. Those that cannot be had now are tried again when a token needs them.
    ///
    /// # Errors
    /// With the issuers whose keys could not be had, and why.
    pub async fn load(&self) -> Result<(), Vec<(String, KeysError)>> {
        let mut loading = JoinSet::new();
        for keyring in self.by_url.values() {
            let keyring = Arc::clone(keyring);
            loading.spawn(async move { keyring.load().await.map_err(|error| (keyring.name().to_owned(), error)) });
        }
        let failed: Vec<_> = loading.join_all().await.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// Who the token speaks of, and until when.
    ///
    /// # Errors
    /// Where the token is refused, or the keys to judge it with could not be had.
    pub async fn admit(&self, token: &str) -> Result<Admitted, NotAdmitted> {
        self.of(token)?.admit(token).await
    }

    /// The issuer that a text names which has the form of a token: whose keys decide, not yet whether it is one.
    ///
    /// # Errors
    /// Where it has not that form, or names none of these issuers.
    pub fn of(&self, token: &str) -> Result<Issuer<'_>, TokenRefused> {
        self.by_url.get(&claimed_issuer(token)?).map(Issuer).ok_or(TokenRefused::Issuer)
    }
}

impl Issuer<'_> {
    /// Who a token of this issuer speaks of, and until when.
    ///
    /// # Errors
    /// Where the token is refused, or the keys to judge it with could not be had.
    pub async fn admit(&self, token: &str) -> Result<Admitted, NotAdmitted> {
        let Self(keyring) = self;
        let first = keyring.usable().await?.verify(token, clock::now());
        if first != Err(TokenRefused::UnknownKey) {
            return Ok(first?);
        }
        keyring.renewed().await;
        Ok(keyring.usable().await?.verify(token, clock::now())?)
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.settings().map(|settings| &settings.name)).finish()
    }
}
