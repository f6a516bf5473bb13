//! What all sessions of a gateway share: configuration, policy, audit trail, held commands.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hoopcore::{AuditFailure, Denial, Identity, Policy, Resource, Verified};

use crate::approvals::Registry;
use crate::clock;
use crate::config::Config;
use crate::policy_files::{self, PolicyFilesError};
use crate::session::Session;
use crate::trail::{Origin, Record, Ticket, Trail};

/// How long a command waits for its record before it is refused.
const PATIENCE: Duration = Duration::from_secs(2);

/// What all sessions of a gateway share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    policy: RwLock<Policy>,
    edition: AtomicU64,
    trail: Trail,
    approvals: Registry,
}

/// Somebody who wants to come in and has not proved who that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The name that is claimed.
    pub user: String,
    /// The resource that is asked for, where one is.
    pub resource: Option<String>,
    /// The database that is asked for, where one is.
    pub database: Option<String>,
    /// Where the connection comes from.
    pub source: Option<IpAddr>,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The policy cannot be loaded.
    #[error(transparent)]
    Policy(#[from] PolicyFilesError),
    /// The audit trail cannot be written.
    #[error("the audit trail in `{}` cannot be written: {error}", directory.display())]
    Trail {
        /// Its directory.
        directory: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Gateway {
    /// A gateway with its policy loaded and its audit trail open.
    ///
    /// # Errors
    /// Where the policy cannot be loaded or the trail cannot be written.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let policy = policy_files::load(&config.policy)?.policy;
        let trail = Trail::open(&config.audit.directory, config.audit.mode)
            .map_err(|error| OpenError::Trail { directory: config.audit.directory.clone(), error })?;
        let policy = RwLock::new(policy);
        let approvals = Registry::default();
        Ok(Self(Arc::new(Shared { config, policy, edition: AtomicU64::new(0), trail, approvals })))
    }

    /// The gateway's own file.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.current().0
    }

    /// The audit trail.
    #[must_use]
    pub fn trail(&self) -> &Trail {
        &self.0.trail
    }

    /// Commands that wait for people.
    #[must_use]
    pub fn approvals(&self) -> &Registry {
        &self.0.approvals
    }

    /// The identity that a name and a password prove; the same word for an unknown name and a wrong password.
    #[must_use]
    pub fn identify(&self, user: &str, password: &[u8]) -> Option<Verified<Identity>> {
        self.0.config.identities.prove(user, password)
    }

    /// Lets a caller in: the login is recorded, then the session begins.
    ///
    /// # Errors
    /// Where no allow or approve may reach anything on the resource, or the login cannot be recorded. The refusal is
    /// recorded too, and does not tell whether the resource exists.
    pub async fn login(
        &self,
        who: Verified<Identity>,
        on: Resource,
        source: Option<IpAddr>,
    ) -> Result<Session, Denial> {
        let (policy, _) = self.current();
        if !policy.session(&who, &on).is_reachable() {
            let attempt = Attempt {
                user: who.user.clone(),
                resource: Some(on.name.clone()),
                database: on.database.clone(),
                source,
            };
            return Err(self.refuse_login(&attempt, "no rule allows anything on this resource").await);
        }
        let session = self.session(who, on, source);
        let origin = Origin { session: session.id().into(), source };
        let record = Record::login(clock::now(), &origin, session.who(), session.on(), policy.digest());
        match self.patience(self.trail().submit(&record)).await {
            Ok(()) => Ok(session),
            Err(failure) => Err(Denial::internal(format!("the audit trail could not be written: {failure}"))),
        }
    }

    /// Records that somebody was not let in, and gives the words for the caller, which do not tell why.
    pub async fn refuse_login(&self, attempt: &Attempt, reason: &str) -> Denial {
        tracing::warn!(user = %attempt.user.escape_debug(), reason, "login refused");
        let ticket = self.trail().submit(&Record::login_refused(clock::now(), attempt, reason));
        if let Err(failure) = self.patience(ticket).await {
            tracing::error!(%failure, "a refused login could not be recorded");
        }
        Denial::internal("the name, the password or the resource is not right, or not allowed")
    }

    /// A session without a record of its own, for a caller whose login is recorded elsewhere.
    #[must_use]
    pub fn session(&self, who: Verified<Identity>, on: Resource, source: Option<IpAddr>) -> Session {
        Session::new(self.clone(), who, on, source)
    }

    /// The policy in force and which edition it is.
    pub(crate) fn current(&self) -> (Policy, u64) {
        let policy = self.0.policy.read().unwrap_or_else(PoisonError::into_inner);
        (policy.clone(), self.edition())
    }

    pub(crate) fn edition(&self) -> u64 {
        self.0.edition.load(Ordering::Acquire)
    }

    /// Waits for a record, but not for ever: a disk that hangs refuses commands, it does not hold them.
    pub(crate) async fn patience(&self, ticket: Ticket) -> Result<(), AuditFailure> {
        tokio::time::timeout(PATIENCE, ticket)
            .await
            .unwrap_or_else(|_| Err(AuditFailure::new("the disk took more than two seconds")))
    }
}
