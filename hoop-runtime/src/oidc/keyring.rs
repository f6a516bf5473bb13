//! The keys of one issuer, kept fresh: at most one reading at a time, at most one a minute, none older than a day.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoopcore::identity::jwt::{IssuerRefused, IssuerSettings, JwtIssuer, KeySet, KeySetRefused};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::source::{Document, SourceError};
use super::{IssuerConfig, NotAdmitted};

/// The shortest time between two readings, whoever asks for them.
const BETWEEN_READINGS: Duration = Duration::from_secs(60);
/// How long keys are used after they were read: an issuer that cannot be asked for a day lets nobody in any more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a caller waits for newer keys where older ones are there.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of one issuer.
pub(super) struct Keyring {
    config: IssuerConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<Keys>,
    /// When the last reading began, good or not.
    began: Option<Instant>,
    /// Closed when that reading ended.
    reading: Option<watch::Receiver<()>>,
}

struct Keys {
    issuer: Arc<JwtIssuer>,
    read: Instant,
    fresh: Duration,
}

/// What is to be done before keys are used.
enum Age {
    /// Nothing.
    Fresh,
    /// They are read anew meanwhile.
    Ripe,
    /// They are read anew before, and serve where that fails.
    Over,
    /// They are read anew before.
    Unusable,
}

/// Why the keys of an issuer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// They could not be read.
    #[error("the key set could not be read: {0}")]
    Source(#[from] SourceError),
    /// They cannot be used.
    #[error("{0}")]
    Refused(#[from] KeySetRefused),
    /// They do not belong to what the issuer is configured for.
    #[error("{0}")]
    Issuer(#[from] IssuerRefused),
}

impl Keyring {
    pub(super) fn new(config: IssuerConfig) -> Self {
        Self { config, state: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.config.settings.name
    }

    pub(super) fn settings(&self) -> &IssuerSettings {
        &self.config.settings
    }

    /// The issuer with its keys. They are read anew in the background when their time is nearly over; when it is over, or
    /// there are none, the caller waits. Older keys serve only where that reading failed or did not end in time: a key
    /// that the issuer took back lets nobody in for longer than the issuer said that it may be kept.
    pub(super) async fn usable(self: &Arc<Self>) -> Result<Arc<JwtIssuer>, NotAdmitted> {
        match self.age() {
            Age::Fresh => {}
            Age::Ripe => drop(self.renew()),
            // A reading that takes longer goes on; whoever comes when it is over has its keys.
            Age::Over => drop(timeout(PATIENCE, self.renewed()).await),
            Age::Unusable => self.renewed().await,
        }
        self.present().ok_or_else(|| NotAdmitted::NoKeys(self.name().to_owned()))
    }

    fn age(&self) -> Age {
        let state = self.state();
        let Some(Keys { read, fresh, .. }) = &state.keys else { return Age::Unusable };
        match read.elapsed() {
            age if age >= STALE => Age::Unusable,
            age if age >= *fresh => Age::Over,
            // So that a reading that fails can be repeated before the time is over.
            age if age >= *fresh * 4 / 5 => Age::Ripe,
            _ => Age::Fresh,
        }
    }

    fn present(&self) -> Option<Arc<JwtIssuer>> {
        let state = self.state();
        state.keys.as_ref().filter(|keys| keys.read.elapsed() < STALE).map(|keys| Arc::clone(&keys.issuer))
    }

    /// Waits for newer keys, unless none may be asked for yet.
    pub(super) async fn renewed(self: &Arc<Self>) {
        let Some(mut reading) = self.renew() else { return };
        // An error is what is waited for: the reading is over and its end of the channel closed.
        while reading.changed().await.is_ok() {}
    }

    /// Begins a reading, or joins the one that is under way. It goes on when nobody waits for it any more: a caller
    /// that leaves must not take the newer keys from the others.
    fn renew(self: &Arc<Self>) -> Option<watch::Receiver<()>> {
        let mut state = self.state();
        if let Some(reading) = state.reading.as_ref().filter(|reading| reading.has_changed().is_ok()) {
            return Some(reading.clone());
        }
        if state.began.is_some_and(|began| began.elapsed() < BETWEEN_READINGS) {
            return None;
        }
        let (under_way, reading) = watch::channel(());
        state.began = Some(Instant::now());
        state.reading = Some(reading.clone());
        drop(state);
        let keyring = self.clone();
        tokio::spawn(async move {
            if let Err(error) = keyring.read().await {
                tracing::warn!(issuer = keyring.name(), %error, "keys not renewed");
            }
            drop(under_way);
        });
        Some(reading)
    }

    /// Reads the keys now, at start.
    pub(super) async fn load(&self) -> Result<(), KeysError> {
        self.state().began = Some(Instant::now());
        self.read().await
    }

    async fn read(&self) -> Result<(), KeysError> {
        let Document { text, fresh } = self.config.keys.read().await?;
        let set = KeySet::from_jwks(&text)?;
        for (kid, problem) in set.set_aside() {
            tracing::info!(issuer = self.name(), kid, %problem, "key set aside");
        }
        let issuer = Arc::new(JwtIssuer::new(self.config.settings.clone(), set)?);
        self.state().keys = Some(Keys { issuer, read: Instant::now(), fresh });
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
