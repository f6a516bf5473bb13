//! All commands that are held, by id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hoopcore::approver::{self, Unfit};
use hoopcore::decision::{ApprovalRequest, Consent, Demand};
use hoopcore::grant::Terms;
use hoopcore::{Answer, Denial, Identity, Outcome, PendingApproval, Permit, Timestamp, Verified};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::in_hand::InHand;
use super::protocol::GrantSummary;
use crate::gateway::Gateway;
use crate::session::record;
use crate::trail::{Approval, Origin, Record, Step, hex};
use crate::{clock, id};

/// How long an id is: fifty bits of chance.
const ID_LENGTH: usize = 10;
/// How many commands may wait at the same time.
const LIMIT: usize = 10_000;

/// All commands that are held. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Debug)]
struct Entry {
    waiting: HeldCommand,
    origin: Origin,
    /// Absent while an answer is being recorded, or the command judged again.
    pending: Option<PendingApproval>,
    /// The edition of the policy by which it was judged last.
    edition: u64,
    /// Who has looked since what is asked changed last; absent where it is as it was asked first.
    reviewed_by: Option<BTreeSet<String>>,
    /// Whether the question is on record: before, nobody sees it.
    is_recorded: bool,
    events: mpsc::UnboundedSender<ApprovalEvent>,
}

impl Entry {
    fn seen(held: &BTreeMap<String, Self>) -> impl Iterator<Item = &Self> {
        held.values().filter(|entry| entry.is_recorded)
    }
}

fn entry<'h>(held: &'h mut BTreeMap<String, Entry>, id: &str) -> Result<&'h mut Entry, AnswerError> {
    held.get_mut(id).filter(|entry| entry.is_recorded).ok_or_else(|| AnswerError::Unknown(id.to_owned()))
}

/// What happens to a command while it is held.
#[derive(Debug)]
pub(crate) enum ApprovalEvent {
    /// Other people are asked, or for another time.
    Changed(Box<HeldCommand>),
    /// It is over.
    Over(Result<Permit, Denial>),
}

/// A held command, to show.
#[derive(Clone, Debug)]
pub struct HeldCommand {
    /// Its id.
    pub id: String,
    /// Since when.
    pub since: Timestamp,
    /// The same by a clock that nobody sets.
    pub(crate) begun: Instant,
    /// The session that it came from.
    pub session: Arc<str>,
    /// What is asked.
    pub request: ApprovalRequest,
    /// Who must agree, and who has.
    pub demands: Vec<Demand>,
}

/// What an answer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// It may be carried out now.
    Released,
    /// It waits for more people.
    StillWaiting,
    /// It was refused.
    Refused,
    /// The caller had left.
    CallerLeft,
}

/// Why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Nothing is held under this id.
    #[error("no command is held as `{0}`: it was answered, it expired, or its caller left")]
    Unknown(String),
    /// Another answer is being recorded.
    #[error("`{0}` is being answered by somebody else, or judged again, at this moment; look again")]
    Contested(String),
    /// Nobody may answer for a command of their own.
    #[error("`{0}` is your own command: somebody else must answer for it")]
    Own(String),
    /// Only people answer.
    #[error("only a person can answer for `{0}`")]
    Workload(String),
    /// No rule asks this person.
    #[error("no rule that asks about `{id}` names a group of yours; it asks {groups}")]
    NotAsked {
        /// The id.
        id: String,
        /// The groups that are asked.
        groups: String,
    },
    /// The policy changed what is asked, and this person has not looked since.
    #[error(
        "a change of the policy changed what is asked about `{0}`; look with `hoop approvals show {0}`, then answer"
    )]
    Changed(String),
    /// The answer could not be recorded, so it does not count.
    #[error("the answer was not recorded and does not count: {0}")]
    NotRecorded(String),
    /// No grant of this id is in force.
    #[error("no consent is in force as `{0}`: it is used up, it ended, or it was for one execution")]
    NoGrant(String),
    /// A grant was taken back, and that is not on record.
    #[error("it holds no longer, but that could not be recorded: {0}")]
    RevokedUnrecorded(String),
}

impl Registry {
    /// All that waits, by id.
    #[must_use]
    pub fn list(&self) -> Vec<HeldCommand> {
        Entry::seen(&self.lock()).map(|entry| entry.waiting.clone()).collect()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        Entry::seen(&self.lock()).count()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What waits under an id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<HeldCommand> {
        self.lock().get(id).filter(|entry| entry.is_recorded).map(|entry| entry.waiting.clone())
    }

    /// Holds a command under a new id. Nobody sees it before it is published.
    pub(crate) fn add(
        &self,
        origin: Origin,
        mut pending: PendingApproval,
        edition: u64,
    ) -> Result<(HeldCommand, mpsc::UnboundedReceiver<ApprovalEvent>), Denial> {
        let mut held = self.lock();
        if held.len() >= LIMIT {
            return Err(Denial::internal("too many commands wait for approval; try again later"));
        }
        let id = unused(&held);
        pending.hold_as(id.as_str().into());
        let waiting = HeldCommand {
            id: id.clone(),
            since: clock::now(),
            begun: Instant::now(),
            session: Arc::clone(&origin.session),
            request: pending.request().clone(),
            demands: pending.demands().to_vec(),
        };
        let (events, receiver) = mpsc::unbounded_channel();
        held.insert(
            id,
            Entry {
                waiting: waiting.clone(),
                origin,
                pending: Some(pending),
                edition,
                reviewed_by: None,
                is_recorded: false,
                events,
            },
        );
        Ok((waiting, receiver))
    }

    /// Shows a held command to those who are asked, now that the question is on record.
    pub(crate) fn publish(&self, id: &str) {
        self.lock().get_mut(id).into_iter().for_each(|entry| entry.is_recorded = true);
    }

    /// Ends a wait from the caller's side, unless an answer is being recorded: then that one counts.
    pub(crate) fn take(&self, id: &str) -> Option<PendingApproval> {
        let mut held = self.lock();
        let pending = held.get_mut(id)?.pending.take()?;
        held.remove(id);
        Some(pending)
    }

    /// Forgets a command whose caller no longer waits.
    pub(crate) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// What waits under an id, for one who is asked about it: what this person answers from then on is an answer to this.
    ///
    /// # Errors
    /// Where nothing is held under the id, or no rule asks this person.
    pub fn look(&self, id: &str, approver: &Identity) -> Result<HeldCommand, AnswerError> {
        let mut held = self.lock();
        let entry = entry(&mut held, id)?;
        is_asked(&entry.waiting, approver)?;
        if let Some(reviewed_by) = &mut entry.reviewed_by {
            reviewed_by.insert(approver.user.clone());
        }
        Ok(entry.waiting.clone())
    }

    fn begin(
        &self,
        id: &str,
        approver: &Identity,
        consent: Consent,
    ) -> Result<(PendingApproval, HeldCommand, Origin), AnswerError> {
        let mut held = self.lock();
        let entry = entry(&mut held, id)?;
        may_answer(&entry.waiting, approver)?;
        if consent == Consent::Yes
            && entry.reviewed_by.as_ref().is_some_and(|reviewed_by| !reviewed_by.contains(&approver.user))
        {
            return Err(AnswerError::Changed(id.to_owned()));
        }
        let pending = entry.pending.take().ok_or_else(|| AnswerError::Contested(id.to_owned()))?;
        Ok((pending, entry.waiting.clone(), entry.origin.clone()))
    }

    /// What was judged by an earlier policy than this one, to be judged again.
    fn begin_review(&self, id: &str, edition: u64) -> Option<(PendingApproval, HeldCommand, Origin)> {
        let mut held = self.lock();
        let entry = held.get_mut(id).filter(|entry| entry.is_recorded && entry.edition < edition)?;
        Some((entry.pending.take()?, entry.waiting.clone(), entry.origin.clone()))
    }

    /// Puts back what goes on waiting, judged by an edition of the policy where it was judged; its caller is told where
    /// others are asked, or for something else, or for another time.
    pub(super) fn requeue(&self, id: &str, pending: PendingApproval, edition: Option<u64>) -> Answered {
        let mut held = self.lock();
        let Some(entry) = held.get_mut(id) else { return Answered::CallerLeft };
        let (before, now) = (&entry.waiting.request, pending.request());
        let asks_otherwise = !entry.waiting.demands.iter().map(asked).eq(pending.demands().iter().map(asked));
        let changed = asks_otherwise || before.rules != now.rules || before.deadline != now.deadline;
        if asks_otherwise {
            entry.reviewed_by = Some(BTreeSet::new());
        }
        entry.waiting.request = now.clone();
        entry.waiting.demands = pending.demands().to_vec();
        entry.pending = Some(pending);
        entry.edition = edition.unwrap_or(entry.edition);
        let told = !changed || entry.events.send(ApprovalEvent::Changed(Box::new(entry.waiting.clone()))).is_ok();
        if told { Answered::StillWaiting } else { Answered::CallerLeft }
    }

    pub(super) fn finish(&self, id: &str, outcome: Result<Permit, Denial>) -> Answered {
        let answered = if outcome.is_ok() { Answered::Released } else { Answered::Refused };
        let events = self.lock().remove(id).map(|entry| entry.events);
        match events.map(|events| events.send(ApprovalEvent::Over(outcome))) {
            Some(Ok(())) => answered,
            Some(Err(_)) | None => Answered::CallerLeft,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unused(held: &BTreeMap<String, Entry>) -> String {
    loop {
        let id = id::random(ID_LENGTH);
        if !held.contains_key(&id) {
            return id;
        }
    }
}

/// What consent to a demand is consent to.
fn asked(demand: &Demand) -> (&str, &str, u32, Terms) {
    (&demand.rule.name, &demand.group, demand.people, demand.terms)
}

/// Nobody answers for themselves, and only who is asked.
fn may_answer(waiting: &HeldCommand, approver: &Identity) -> Result<(), AnswerError> {
    approver::may_answer(approver, &waiting.request.who, &waiting.demands).map_err(|why| waiting.refusal(why))
}

/// Some rule asks a group of this person's.
pub(crate) fn is_asked(waiting: &HeldCommand, approver: &Identity) -> Result<(), AnswerError> {
    if approver::is_asked(approver, &waiting.demands) { Ok(()) } else { Err(waiting.refusal(Unfit::NotAsked)) }
}

impl HeldCommand {
    /// The time when it was asked, and what passed since then by a clock that nobody sets: a wall clock that is set meanwhile
    /// makes it wait neither longer nor shorter.
    pub(crate) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begun.elapsed()).unwrap_or(SignedDuration::MAX);
        self.since.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// How long people may still answer.
    pub(crate) fn left(&self) -> Duration {
        Duration::try_from(self.request.deadline.duration_since(self.now())).unwrap_or_default()
    }

    /// Why somebody's answer to it does not count.
    fn refusal(&self, why: Unfit) -> AnswerError {
        let groups = || self.demands.iter().map(|demand| format!("`{}`", demand.group)).collect::<Vec<_>>().join(", ");
        match why {
            Unfit::Caller => AnswerError::Own(self.id.clone()),
            Unfit::Workload => AnswerError::Workload(self.id.clone()),
            Unfit::NotAsked => AnswerError::NotAsked { id: self.id.clone(), groups: groups() },
        }
    }
}

impl Gateway {
    /// Records a person's answer to a held command, then lets it act.
    ///
    /// # Errors
    /// Where the answer does not count: nothing is held under the id, it is the person's own command, no rule asks this
    /// person, it is a yes to what changed since this person looked ([`Registry::look`]), or it could not be recorded.
    pub async fn answer(
        &self,
        id: &str,
        approver: Verified<Identity>,
        consent: Consent,
    ) -> Result<Answered, AnswerError> {
        let (pending, waiting, origin) = self.approvals().begin(id, &approver, consent)?;
        let held = InHand::new(self.approvals(), id, pending);
        let note = Approval { by: Some(approver.user.clone()), answer: Some(word(consent)), ..note(&waiting) };
        let answered = Record::approval(clock::now(), &origin, Step::Answered, note);
        if let Err(failure) = self.record_before(answered).await {
            drop(held);
            self.review(id).await;
            return Err(AnswerError::NotRecorded(failure.to_string()));
        }
        let answer = Answer::By(approver, consent);
        match self.resume(id, held, &waiting, &origin, answer).await {
            Answered::StillWaiting => Ok(self.review(id).await.unwrap_or(Answered::StillWaiting)),
            answered @ (Answered::Released | Answered::Refused | Answered::CallerLeft) => Ok(answered),
        }
    }

    /// What people agreed to beyond one execution, and is in force; the oldest first.
    #[must_use]
    pub fn granted(&self) -> Vec<GrantSummary> {
        self.grants().list(clock::now())
    }

    /// Takes back what people agreed to beyond executions so far; the next one asks again. It ends at once, and is recorded then.
    ///
    /// # Errors
    /// Where no grant of this id is in force, no rule asked this person, or the end could not be recorded.
    pub async fn revoke(&self, id: &str, by: &Verified<Identity>) -> Result<(), AnswerError> {
        let (waiting, origin) = self.grants().revoke(id, by, clock::now())?;
        let note = Approval { by: Some(by.user.clone()), ..note(&waiting) };
        let revoked = Record::approval(clock::now(), &origin, Step::Revoked, note);
        let recorded = self.acknowledged(self.trail().submit(&revoked)).await;
        recorded.map_err(|failure| AnswerError::RevokedUnrecorded(failure.to_string()))
    }

    /// Judges a held command again by the policy in force, where an earlier one judged it last.
    pub(crate) async fn review(&self, id: &str) -> Option<Answered> {
        let mut came_to = None;
        loop {
            let Some((pending, waiting, origin)) = self.approvals().begin_review(id, self.current().1) else {
                return came_to;
            };
            let held = InHand::new(self.approvals(), id, pending);
            came_to = Some(self.resume(id, held, &waiting, &origin, Answer::PolicyChanged).await);
        }
    }

    /// Judges again all that is held.
    pub(crate) async fn review_all(&self) {
        let held: Vec<String> = self.approvals().lock().keys().cloned().collect();
        let mut reviews = JoinSet::new();
        for id in held {
            let gateway = self.clone();
            reviews.spawn(async move { gateway.review(&id).await });
        }
        reviews.join_all().await;
    }

    /// Judges a held command by the policy in force, and lets that act, once it is recorded.
    async fn resume(
        &self,
        id: &str,
        mut held: InHand<'_>,
        waiting: &HeldCommand,
        origin: &Origin,
        answer: Answer,
    ) -> Answered {
        let (policy, edition) = self.current();
        let Some(mut pending) = held.resume() else { return Answered::CallerLeft };
        pending.has_waited_until(waiting.now());
        let outcome = record(self, origin, policy.resume(pending, answer, clock::now())).await;
        held.settle();
        match outcome {
            Outcome::Approve(pending) => self.approvals().requeue(id, pending, Some(edition)),
            Outcome::Block(denial) => self.approvals().finish(id, Err(denial)),
            Outcome::Allow(permit) => self.release(id, origin, permit, edition),
        }
    }

    /// Lets a command go on. What people agreed to beyond it is kept first: the next command may come at once.
    fn release(&self, id: &str, origin: &Origin, mut permit: Permit, edition: u64) -> Answered {
        // Who left has no use for a grant.
        if let (Some(grant), Some(waiting)) = (permit.take_grant(), self.approvals().find(id)) {
            self.grants().keep(grant, waiting, origin, || self.current().1 == edition);
        }
        let decision = permit.id().number();
        let answered = self.approvals().finish(id, Ok(permit));
        if answered == Answered::CallerLeft {
            self.grants().forget(id);
            self.trail().append(&Record::not_carried_out(clock::now(), origin, decision));
        }
        answered
    }
}

fn word(consent: Consent) -> &'static str {
    match consent {
        Consent::Yes => "yes",
        Consent::No => "no",
    }
}

/// What records say of a held command, before anybody answers.
pub(crate) fn note(waiting: &HeldCommand) -> Approval {
    Approval {
        approval: waiting.id.clone(),
        rules: waiting.request.rules.iter().map(|rule| rule.name.to_string()).collect(),
        deadline: waiting.request.deadline,
        digest: hex(&waiting.request.digest),
        by: None,
        answer: None,
    }
}
