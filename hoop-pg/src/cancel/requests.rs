//! Carries cancel requests out: for a session of this instance, at its server, or through another instance.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hoop_runtime::config::{CancelRequests, ResourceName};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{CancelKey, Cancellations, Cancelled, Instances, KEY_LENGTH, Registration, Route, short_key};
use crate::guesses::Guesses;
use crate::upstream::{CancelTarget, Upstream};

/// How many cancel requests may be on their way to servers at once, and to other instances.
const MOST_AT_ONCE: usize = 32;

/// Where cancel requests are judged and carried out.
#[derive(Debug)]
pub(crate) struct CancelDesk {
    sessions: Cancellations<CancelTarget>,
    instances: Instances,
    guesses: Guesses,
    sending: Semaphore,
    handing: Semaphore,
}

/// Whether another instance has the session of a request.
enum Elsewhere {
    /// It gave that key.
    Surely(Route),
    /// It alone can tell.
    Perhaps,
    No,
}

impl CancelDesk {
    pub(crate) fn new(config: Option<&CancelRequests>) -> Self {
        Self {
            sessions: Cancellations::default(),
            instances: Instances::new(config),
            guesses: Guesses::default(),
            sending: Semaphore::new(MOST_AT_ONCE),
            handing: Semaphore::new(MOST_AT_ONCE),
        }
    }

    /// Gives a session the key to cancel with: a long one where its client takes that.
    pub(crate) fn register(&self, resource: &str, target: CancelTarget, long: bool) -> Registration<CancelTarget> {
        let parts = target.parts();
        let process = self.instances.process(parts.map(|(_, key)| key.process));
        let route = parts.filter(|_| long).map(|(peer, key)| Route::new(resource, peer, key.clone()));
        let secret = route.and_then(|route| self.instances.key(process, &route)).unwrap_or_else(short_key);
        self.sessions.register(CancelKey { process, secret }, target)
    }

    /// Carries out a request. Whoever sent it is told nothing, whatever becomes of it.
    pub(crate) async fn request(
        &self,
        process: i32,
        secret: &[u8],
        source: Option<IpAddr>,
        upstreams: &BTreeMap<ResourceName, Arc<Upstream>>,
    ) {
        let now = Instant::now();
        if !self.guesses.allow(source, now) {
            tracing::warn!(?source, "cancel requests come too fast, and wrong");
            return;
        }
        // Another instance judged what it could, and bounds how often it asks.
        if let Some(inner) = self.instances.handed_on(process, secret) {
            self.here(process, &inner).await;
            return;
        }
        if self.here(process, secret).await {
            return;
        }
        match self.elsewhere(process, secret) {
            Elsewhere::Surely(route) => self.carry_over(process, secret, route, upstreams).await,
            Elsewhere::Perhaps => {
                // Counted before it is handed on: many at once are not fewer.
                self.guesses.wrong(source, now);
                self.hand_on(process, secret).await;
            }
            Elsewhere::No => self.guesses.wrong(source, now),
        }
    }

    /// Whether a session of this instance has that key.
    async fn here(&self, process: i32, secret: &[u8]) -> bool {
        match self.sessions.request(process, secret) {
            Cancelled::AtServer(target) => self.send(&target).await,
            Cancelled::Withdrawn => {}
            Cancelled::Nobody => return false,
        }
        true
    }

    fn elsewhere(&self, process: i32, secret: &[u8]) -> Elsewhere {
        match self.instances.is_of_another(process) {
            true if secret.len() == KEY_LENGTH => Elsewhere::Perhaps,
            true => self.instances.route(process, secret).map_or(Elsewhere::No, Elsewhere::Surely),
            false => Elsewhere::No,
        }
    }

    async fn carry_over(
        &self,
        process: i32,
        secret: &[u8],
        route: Route,
        upstreams: &BTreeMap<ResourceName, Arc<Upstream>>,
    ) {
        // The other instance also knows what it holds for approval.
        if !self.hand_on(process, secret).await {
            self.at_server(route, upstreams).await;
        }
    }

    async fn hand_on(&self, process: i32, secret: &[u8]) -> bool {
        let Ok(_turn) = self.handing.acquire().await else { return false };
        self.instances.hand_on(process, secret).await
    }

    async fn at_server(&self, route: Route, upstreams: &BTreeMap<ResourceName, Arc<Upstream>>) {
        if let Some((_, upstream)) = upstreams.iter().find(|(name, _)| route.leads_to(name)) {
            self.send(&CancelTarget::of_another(upstream, route.peer, route.key)).await;
        }
    }

    async fn send(&self, target: &CancelTarget) {
        // One that waits is sent after this one came, and does for both.
        let Some(_alone) = target.alone().await else { return };
        let Ok(_turn) = self.sending.acquire().await else { return };
        if let Err(error) = target.cancel().await {
            tracing::warn!(%error, "a cancel request did not reach its server");
        }
    }
}
