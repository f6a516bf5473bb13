//! What people agreed to beyond one execution, kept in memory: a gateway that restarts has forgotten it, and asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hoopcore::command::Digest;
use hoopcore::{Draw, Grant, Pending, Timestamp};

/// How many grants may be kept at the same time.
const LIMIT: usize = 10_000;

/// All grants of a gateway, by what they are bound to. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants(Arc<Mutex<BTreeMap<Digest, Vec<Kept>>>>);

#[derive(Debug)]
struct Kept {
    grant: Grant,
    /// The id under which the command was held that it was given for.
    id: String,
    /// The session that asked.
    session: Arc<str>,
    /// When it ends by the clock that nobody sets.
    ends: Instant,
}

impl Kept {
    fn is_over(&self, now: Timestamp) -> bool {
        Instant::now() >= self.ends || self.grant.is_spent(now)
    }

    fn is_open_to(&self, session: &str) -> bool {
        !self.grant.is_for_session() || *self.session == *session
    }
}

impl Grants {
    /// Keeps a grant that came with the consent to what was held under this id.
    pub(crate) fn keep(&self, grant: Grant, id: &str, session: &Arc<str>, now: Timestamp) {
        let mut grants = self.lock();
        grants.retain(|_, kept| {
            kept.retain(|kept| !kept.is_over(now));
            !kept.is_empty()
        });
        if grants.len() >= LIMIT {
            tracing::warn!(id, "more grants are open than there is room for: this one is good for one execution alone");
            return;
        }
        let left = Duration::try_from(grant.until().duration_since(now)).unwrap_or_default();
        let ends = Instant::now().checked_add(left).unwrap_or_else(Instant::now);
        let kept = Kept { id: id.to_owned(), session: Arc::clone(session), ends, grant };
        grants.entry(*kept.grant.binding()).or_default().push(kept);
    }

    /// Takes one execution out of a grant for this very command, if there is one: nobody else gets the same.
    pub(crate) fn draw(&self, pending: &Pending, session: &str, now: Timestamp) -> Option<Draw> {
        let mut grants = self.lock();
        if grants.is_empty() {
            return None;
        }
        let open = grants.get_mut(&pending.binding())?.iter_mut();
        open.filter(|kept| !kept.is_over(now) && kept.is_open_to(session))
            .find_map(|kept| kept.grant.draw(pending, now))
    }

    /// Forgets a grant for a command whose caller was gone when people agreed.
    pub(crate) fn forget(&self, id: &str) {
        self.retain(|kept| kept.id != id);
    }

    /// Forgets what ends with a session.
    pub(crate) fn end_session(&self, session: &str) {
        self.retain(|kept| !kept.grant.is_for_session() || *kept.session != *session);
    }

    /// Forgets all: they were given under another policy.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn retain(&self, keep: impl Fn(&Kept) -> bool) {
        self.lock().retain(|_, kept| {
            kept.retain(&keep);
            !kept.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Vec<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
