//! Carries cancel requests out: for a session of this instance, at its server, or through another instance.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hoop_runtime::config::{CancelRequests, ResourceName};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::guesses::Guesses;
use super::{CancelKey, Cancellations, Cancelled, Instances, KEY_LENGTH, Registration, Route, short_key};
use crate::upstream::{CancelTarget, Upstream};

/// How many cancel requests may be on their way to servers at once.
const MOST_AT_ONCE: usize = 32;

/// Where cancel requests are judged and carried out.
#[derive(Debug)]
pub(crate) struct CancelDesk {
    sessions: Cancellations<CancelTarget>,
    instances: Instances,
    guesses: Guesses,
    sending: Semaphore,
}

impl CancelDesk {
    pub(crate) fn new(config: Option<&CancelRequests>) -> Self {
        Self {
            sessions: Cancellations::default(),
            instances: Instances::new(config),
            guesses: Guesses::default(),
            sending: Semaphore::new(MOST_AT_ONCE),
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
        let known = match self.instances.handed_on(process, secret) {
            // Another instance judged what it could, and bounds how often it asks.
            Some(inner) => {
                self.here(process, &inner).await;
                true
            }
            None => self.here(process, secret).await || self.elsewhere(process, secret, upstreams).await,
        };
        if !known {
            self.guesses.wrong(source, now);
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

    /// Whether another instance surely gave that key. One of four bytes may be, and is handed to it.
    async fn elsewhere(&self, process: i32, secret: &[u8], upstreams: &BTreeMap<ResourceName, Arc<Upstream>>) -> bool {
        if !self.instances.is_of_another(process) {
            return false;
        }
        if secret.len() == KEY_LENGTH {
            self.instances.hand_on(process, secret).await;
            return false;
        }
        let Some(route) = self.instances.route(process, secret) else { return false };
        // The other instance also knows what it holds for approval.
        if !self.instances.hand_on(process, secret).await {
            self.at_server(route, upstreams).await;
        }
        true
    }

    async fn at_server(&self, route: Route, upstreams: &BTreeMap<ResourceName, Arc<Upstream>>) {
        if let Some((_, upstream)) = upstreams.iter().find(|(name, _)| route.leads_to(name)) {
            self.send(&CancelTarget::of_another(upstream, route.peer, route.key)).await;
        }
    }

    async fn send(&self, target: &CancelTarget) {
        let Ok(_turn) = self.sending.acquire().await else { return };
        if let Err(error) = target.cancel().await {
            tracing::warn!(%error, "a cancel request did not reach its server");
        }
    }
}
