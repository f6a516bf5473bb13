//! What all sessions of a gateway share: configuration, policy, audit trail, held commands.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hoopcore::identity::jwt::Admitted;
use hoopcore::{AuditFailure, Denial, Identity, Policy, Resource, Timestamp, Verified};
use tokio::sync::Semaphore;

use crate::approvals::{Grants, Registry};
use crate::clock;
use crate::config::{Config, Enforcement, ResourceName, SessionTimeouts, Target, Timeout};
use crate::metrics::Metrics;
use crate::oidc::Issuer;
use crate::policy_files::{self, PolicyFilesError};
use crate::rates::Rates;
use crate::reload::Reload;
use crate::session::Session;
use crate::trail::{Confirmation, PATIENCE, Record, Ticket, Trail};

/// Why a password lets nobody in.
const WRONG: &str = "the name or the password is wrong";

/// What all sessions of a gateway share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    policy: RwLock<InForce>,
    /// Counts how often the policy was read.
    reading: AtomicU64,
    trail: Trail,
    approvals: Registry,
    grants: Grants,
    rates: Rates,
    /// What counts where the policy is only watched: that uses up nothing of what is enforced.
    watched_rates: Rates,
    metrics: Option<Metrics>,
    ending: AtomicBool,
    reload: Reload,
    /// Turns to hash a password.
    hashing: Arc<Semaphore>,
}

/// The policy that is judged by.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    pub(crate) policy: Policy,
    /// Counts the policies up to this one. The same rules read anew are no other policy.
    pub(crate) edition: u64,
    /// Counts how often it was read: then its rules may stand in other lines.
    pub(crate) reading: u64,
}

/// What another reading of the policy's files changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// What is allowed, blocked, held or masked.
    Rules,
    /// Where the rules stand, at most.
    Places,
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

/// A caller who showed who it is, and until when that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Who it is.
    pub who: Verified<Identity>,
    /// When the token that proved it ends. A password does not end.
    pub until: Option<Timestamp>,
}

impl From<Verified<Identity>> for Proven {
    fn from(who: Verified<Identity>) -> Self {
        Self { who, until: None }
    }
}

impl From<Admitted> for Proven {
    fn from(Admitted { identity, until }: Admitted) -> Self {
        Self { who: identity, until: Some(until) }
    }
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
        let sources = policy_files::read(&config.policy)?;
        let reload = Reload::of(&sources);
        let policy = policy_files::parse_with_keys(sources, &config.keyring)?.policy;
        let trail = Trail::open(&config.audit.directory, config.audit.mode)
            .map_err(|error| OpenError::Trail { directory: config.audit.directory.clone(), error })?;
        warn_of_observed(&config);
        let policy = RwLock::new(InForce { policy, edition: 1, reading: 1 });
        let (approvals, grants) = (Registry::default(), Grants::default());
        let (rates, watched_rates) = (Rates::default(), Rates::default());
        let metrics = config.admin.map(|_| Metrics::default());
        let (reading, ending) = (AtomicU64::new(1), AtomicBool::new(false));
        let hashing = Arc::new(Semaphore::new(hashed_at_once()));
        Ok(Self(Arc::new(Shared {
            config,
            policy,
            reading,
            trail,
            approvals,
            grants,
            rates,
            watched_rates,
            metrics,
            ending,
            reload,
            hashing,
        })))
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

    /// What counts commands, for all sessions together in which the policy is enforced, or in which it is watched.
    pub(crate) fn rates(&self, mode: Enforcement) -> &Rates {
        match mode {
            Enforcement::Enforce => &self.0.rates,
            Enforcement::Observe => &self.0.watched_rates,
        }
    }

    /// What is counted, where the configuration names an admin address.
    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        self.0.metrics.as_ref()
    }

    /// All that is counted, in the text form of OpenMetrics.
    pub(crate) fn metrics_text(&self) -> String {
        let told = |metrics: &Metrics| metrics.text(self.approvals().len(), self.trail().waiting());
        self.metrics().map(told).unwrap_or_default()
    }

    /// Why nothing should be sent to this gateway now, if so.
    pub(crate) fn ailment(&self) -> Option<&'static str> {
        if self.0.ending.load(Ordering::Relaxed) {
            return Some("the gateway is ending");
        }
        self.trail().is_failing().then_some("the audit trail cannot be written")
    }

    /// Says from now on that the gateway is ending.
    pub fn end(&self) {
        self.0.ending.store(true, Ordering::Relaxed);
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.0.grants
    }

    pub(crate) fn reload_state(&self) -> &Reload {
        &self.0.reload
    }

    /// Puts a policy in force: the next command of every session is judged by it.
    pub(crate) fn put_in_force(&self, policy: Policy) -> Change {
        let mut current = self.0.policy.write().unwrap_or_else(PoisonError::into_inner);
        let same = current.policy.digest() == policy.digest();
        let InForce { edition, reading, .. } = *current;
        *current = InForce { policy, edition: edition + u64::from(!same), reading: reading + 1 };
        self.0.reading.store(reading + 1, Ordering::Release);
        if same { Change::Places } else { Change::Rules }
    }

    /// Reads the keys of all issuers. What cannot be had now is logged, and asked for again when a token needs it.
    pub async fn load_keys(&self) {
        for (issuer, error) in self.config().issuers.load().await.err().into_iter().flatten() {
            tracing::error!(issuer, %error, "its tokens let nobody in until its keys are there");
        }
    }

    /// Who comes in with this password, which may be a token of one of the issuers. What the client calls itself counts
    /// for a password alone: a token says itself whom it speaks of, and is judged before anybody is looked up.
    ///
    /// # Errors
    /// With the reason for the record. The caller must not learn it.
    pub async fn prove(&self, user: &str, secret: &[u8]) -> Result<Proven, String> {
        let Config { identities, issuers, .. } = self.config();
        let token = str::from_utf8(secret).map_err(|_| "the password is not a token".to_owned());
        let issuer = token.and_then(|token| Ok((issuers.of(token).map_err(|why| why.to_string())?, token)));
        let no_token = match issuer {
            Ok((issuer, token)) => return self.by_token(issuer, token).await,
            Err(why) => why,
        };
        let wrong = || if issuers.is_empty() || identities.find(user).is_some() { WRONG.to_owned() } else { no_token };
        self.by_password(user, secret).await.ok_or_else(wrong)
    }

    async fn by_token(&self, issuer: Issuer<'_>, token: &str) -> Result<Proven, String> {
        let admitted = issuer.admit(token).await.map_err(|why| why.to_string())?;
        // Rules that name a user mean the one who is listed.
        if self.config().identities.find(&admitted.identity.user).is_some() {
            return Err("the token speaks of a name that is listed with a password".to_owned());
        }
        Ok(admitted.into())
    }

    /// Passwords are hashed on threads of their own, few at once: sessions do not wait for strangers.
    async fn by_password(&self, user: &str, password: &[u8]) -> Option<Proven> {
        let identities = &self.config().identities;
        if !identities.are_hashed() {
            return identities.prove(user, password).map(Proven::from);
        }
        let turn = Arc::clone(&self.0.hashing).acquire_owned().await.ok()?;
        let (gateway, user, password) = (self.clone(), user.to_owned(), password.to_vec());
        let proved = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            gateway.config().identities.prove(&user, &password)
        });
        proved.await.ok().flatten().map(Proven::from)
    }

    /// Lets a caller in: the login is recorded, then the session begins.
    ///
    /// # Errors
    /// Where no allow or approve may reach anything on the resource and the policy is enforced on it, or the login cannot be recorded. The refusal is
    /// recorded too, and does not tell whether the resource exists.
    pub async fn login(&self, who: impl Into<Proven>, on: Resource, source: Option<IpAddr>) -> Result<Session, Denial> {
        let (policy, _) = self.current();
        let Proven { who, until } = who.into();
        let closed = (!policy.session(&who, &on).is_reachable()).then_some("no rule allows anything on this resource");
        if let (Some(reason), Enforcement::Enforce) = (closed, self.mode(&on)) {
            let attempt = Attempt {
                user: who.user.clone(),
                resource: Some(on.name.clone()),
                database: on.database.clone(),
                source,
            };
            return Err(self.refuse_login(&attempt, reason).await);
        }
        let session = self.session(Proven { who, until }, on, source);
        let record = Record::login(clock::now(), session.origin(), policy.digest(), closed);
        match self.record_before(record).await {
            Ok(()) => Ok(session),
            Err(failure) => Err(Denial::internal(format!("the audit trail could not be written: {failure}"))),
        }
    }

    /// Records that somebody was not let in, and gives the words for the caller, which do not tell why.
    pub async fn refuse_login(&self, attempt: &Attempt, reason: &str) -> Denial {
        tracing::warn!(user = %attempt.user.escape_debug(), reason, "login refused");
        self.count_refused_login();
        let ticket = self.trail().submit(&Record::login_refused(clock::now(), attempt, reason));
        if let Err(failure) = self.acknowledged(ticket).await {
            tracing::error!(%failure, "a refused login could not be recorded");
        }
        Denial::internal("the name, the password or the resource is not right, or not allowed")
    }

    /// A session without a record of its own, for a caller whose login is recorded elsewhere.
    #[must_use]
    pub fn session(&self, who: impl Into<Proven>, on: Resource, source: Option<IpAddr>) -> Session {
        Session::new(self.clone(), who.into(), on, source)
    }

    /// Counts that somebody was not let in, where it goes on no record.
    pub fn count_refused_login(&self) {
        if let Some(metrics) = self.metrics() {
            metrics.refused_login();
        }
    }

    /// Counts that somebody took too long.
    pub fn count_timeout(&self, what: Timeout) {
        if let Some(metrics) = self.metrics() {
            metrics.timed_out(what);
        }
    }

    /// Whether the policy is enforced on a resource; it is on one that the configuration does not name.
    pub(crate) fn mode(&self, on: &Resource) -> Enforcement {
        self.target(on).map_or(Enforcement::Enforce, |target| target.mode)
    }

    /// How long sessions on a resource wait.
    pub(crate) fn timeouts(&self, on: &Resource) -> SessionTimeouts {
        self.target(on).map(|target| target.timeouts).unwrap_or_default()
    }

    fn target(&self, on: &Resource) -> Option<&Target> {
        ResourceName::parse(&on.name).and_then(|name| self.config().resources.get(&name))
    }

    /// The policy in force and which edition it is.
    pub(crate) fn current(&self) -> (Policy, u64) {
        let InForce { policy, edition, .. } = self.in_force();
        (policy, edition)
    }

    pub(crate) fn in_force(&self) -> InForce {
        self.0.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often the policy was read until now: what differs is to be asked for.
    pub(crate) fn reading(&self) -> u64 {
        self.0.reading.load(Ordering::Acquire)
    }

    /// Waits for a record of what is true in any case.
    pub(crate) async fn acknowledged(&self, ticket: Ticket) -> Result<(), AuditFailure> {
        in_time(async { ticket.await.map_err(AuditFailure::from) }).await
    }

    /// Records something that is done only once that is safe. Where it is not, or this is dropped, the trail either tells
    /// nothing of it or a second record says that it did not come about.
    pub(crate) async fn record_before(&self, record: Record) -> Result<(), AuditFailure> {
        let ticket = self.trail().submit(&record);
        in_time(Confirmation::new(self.trail().clone(), ticket, Some(move || record.void(clock::now())))).await
    }
}

/// Waits for a record, but not for ever: a disk that hangs refuses commands, it does not hold them.
pub(crate) async fn in_time(record: impl Future<Output = Result<(), AuditFailure>>) -> Result<(), AuditFailure> {
    let late = || AuditFailure::new("the disk took more than two seconds");
    tokio::time::timeout(PATIENCE, record).await.unwrap_or_else(|_| Err(late()))
}

/// How many passwords are hashed at once: half of the cores stay with the sessions.
fn hashed_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// Where nothing is enforced, nobody is to believe that it is.
fn warn_of_observed(config: &Config) {
    for (resource, _) in config.resources.iter().filter(|(_, target)| target.mode == Enforcement::Observe) {
        tracing::warn!(%resource, "the policy is ONLY OBSERVED here: nothing is refused, held or masked");
    }
}
