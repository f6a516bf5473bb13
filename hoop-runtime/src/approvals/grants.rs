//! What people agreed to beyond one execution, kept in memory: a gateway that restarts has forgotten it, and asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hoopcore::command::Digest;
use hoopcore::{Draw, Grant, Identity, PendingApproval, Timestamp};

use super::protocol::GrantSummary;
use super::registry::{AnswerError, HeldCommand, is_asked};
use crate::clock;
use crate::trail::Origin;

/// How many grants may be kept at the same time.
const LIMIT: usize = 10_000;

/// All grants of a gateway, by what they are bound to. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants(Arc<Mutex<BTreeMap<Digest, Vec<Kept>>>>);

#[derive(Debug)]
struct Kept {
    grant: Grant,
    /// What was held when it was given, and in which session.
    waiting: HeldCommand,
    origin: Origin,
    /// When it ends by the clock that nobody sets.
    ends: Instant,
}

impl Kept {
    fn is_over(&self, now: Timestamp) -> bool {
        Instant::now() >= self.ends || self.grant.is_spent(now)
    }

    fn is_open_to(&self, session: &str) -> bool {
        !self.grant.is_for_session() || *self.waiting.session == *session
    }
}

impl Grants {
    /// Keeps a grant that came with the consent to what was held, where the policy by which it was given is still in force:
    /// one that comes back later is another edition, to which nobody agreed yet.
    pub(crate) fn keep(&self, grant: Grant, waiting: HeldCommand, origin: &Origin, is_in_force: impl FnOnce() -> bool) {
        let (id, now) = (waiting.id.as_str(), clock::now());
        let mut grants = self.lock();
        // Whoever puts another policy in force clears all grants behind that: it comes either before this or after.
        if !is_in_force() {
            tracing::info!(id, "the policy has changed since people agreed: consent is good for one execution alone");
            return;
        }
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
        let kept = Kept { waiting, origin: origin.clone(), ends, grant };
        grants.entry(*kept.grant.binding()).or_default().push(kept);
    }

    /// Takes one execution out of a grant for this very command, if there is one: nobody else gets the same.
    pub(crate) fn draw(&self, pending: &PendingApproval, session: &str, now: Timestamp) -> Option<Draw> {
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
        self.retain(|kept| kept.waiting.id != id);
    }

    /// All that are in force, the oldest first.
    pub(crate) fn list(&self, now: Timestamp) -> Vec<GrantSummary> {
        let grants = self.lock();
        let mut kept: Vec<&Kept> = grants.values().flatten().filter(|kept| !kept.is_over(now)).collect();
        kept.sort_by_key(|kept| kept.waiting.since);
        kept.into_iter().map(|kept| GrantSummary::new(&kept.waiting, &kept.grant, now)).collect()
    }

    /// Takes back one that is in force, for a person whom its rules asked.
    pub(crate) fn revoke(&self, id: &str, by: &Identity, now: Timestamp) -> Result<(HeldCommand, Origin), AnswerError> {
        let mut grants = self.lock();
        let found = grants.values().flatten().find(|kept| kept.waiting.id == id && !kept.is_over(now));
        let found = found.ok_or_else(|| AnswerError::NoGrant(id.to_owned()))?;
        is_asked(&found.waiting, by)?;
        let revoked = (found.waiting.clone(), found.origin.clone());
        grants.retain(|_, kept| {
            kept.retain(|kept| kept.waiting.id != id);
            !kept.is_empty()
        });
        Ok(revoked)
    }

    /// Forgets what ends with a session.
    pub(crate) fn end_session(&self, session: &str) {
        self.retain(|kept| !kept.grant.is_for_session() || *kept.waiting.session != *session);
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

#[cfg(test)]
mod tests {
    use hoopcore::decision::Consent;
    use hoopcore::{Answer, Call, Command, Outcome, Policy, Request, Resource, SessionFacts, Verified};

    use super::super::Registry;
    use super::*;

    /// How many grants are kept of one whose policy is still in force, or is not.
    fn kept(is_in_force: bool) -> usize {
        let rule = "{ rule: a, who: anyone, on: db, approve: { sql: update }, by: { group: dba }, grant: session }";
        let policy = Policy::from_yaml(&format!("hoop: 1\nrules: [{rule}]")).unwrap();
        let (etl, on) = (Verified::vouched(Identity::named("etl"), "test"), Resource::postgres("db"));
        let (command, facts) = (Command::sql("UPDATE t SET a = 1"), SessionFacts::default());
        let call = Call::new(&command, &facts, clock::now());
        let asked = policy.evaluate(&Request { who: &etl, on: &on, call }).record(|_| Ok::<(), String>(()));
        let Outcome::Approve(pending) = asked else { panic!("{asked:?}") };
        let ada = Verified::vouched(Identity::named("ada").with_groups(["dba"]), "test");
        let origin = Origin::new(None, false, &etl, &on);
        let registry = Registry::default();
        let (waiting, _events) = registry.add(origin.clone(), pending, 1).unwrap();
        let pending = registry.take(&waiting.id).unwrap();
        let decision = policy.resume(pending, Answer::By(ada, Consent::Yes), clock::now());
        let released = decision.record(|_| Ok::<(), String>(()));
        let Outcome::Allow(mut permit) = released else { panic!("{released:?}") };
        let grants = Grants::default();
        grants.keep(permit.take_grant().unwrap(), waiting, &origin, || is_in_force);
        grants.list(clock::now()).len()
    }

    #[test]
    fn consent_under_a_policy_that_was_replaced_is_not_kept() {
        assert_eq!((kept(true), kept(false)), (1, 0));
    }
}
