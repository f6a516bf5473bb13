//! A command that waits, from its caller's side: an owned future that an adapter polls beside its client's socket.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hoopcore::decision::ApprovalRequest;
use hoopcore::{Answer, Denial, Outcome, PendingApproval, Permit};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::registry::{ApprovalEvent, HeldCommand, note};
use crate::clock;
use crate::gateway::Gateway;
use crate::session::record;
use crate::trail::{Origin, Record, Step};

/// How long after the deadline an answer that is being recorded may take before the wait looks again.
const RECORDING: Duration = Duration::from_secs(1);

/// A command that waits for people. Dropping it withdraws the question.
#[must_use = "a held command is polled until it is answered"]
pub struct ApprovalWait {
    gateway: Gateway,
    origin: Origin,
    waiting: Box<HeldCommand>,
    events: mpsc::UnboundedReceiver<ApprovalEvent>,
    /// Other people are asked than the caller was told, or for another time.
    changed: bool,
    deadline: Pin<Box<Sleep>>,
    /// Runs once the deadline has passed with nobody's answer under way.
    expiry: Option<Pin<Box<dyn Future<Output = Denial> + Send>>>,
    over: bool,
}

/// Asks people about a command; the question is recorded before anybody sees it.
pub(crate) async fn hold(
    gateway: Gateway,
    origin: Origin,
    pending: PendingApproval,
    edition: u64,
) -> Result<ApprovalWait, Denial> {
    let (waiting, events) = gateway.approvals().add(origin.clone(), pending, edition)?;
    let deadline = Box::pin(tokio::time::sleep(waiting.left()));
    let waiting = Box::new(waiting);
    let hold = ApprovalWait { gateway, origin, waiting, events, changed: false, deadline, expiry: None, over: false };
    let asked = Record::approval(hold.waiting.since, &hold.origin, Step::Asked, note(&hold.waiting));
    match hold.gateway.acknowledged(hold.gateway.trail().submit(&asked)).await {
        Ok(()) => {
            hold.gateway.approvals().publish(hold.id());
            // The policy may have changed since it was decided that people are to be asked.
            hold.gateway.review(hold.id()).await;
            Ok(hold)
        }
        Err(failure) => Err(Denial::internal(format!("the audit trail could not be written: {failure}"))),
    }
}

impl ApprovalWait {
    /// Whether, since this was asked last, the policy changed who is asked or for how long: then the caller should be
    /// told anew.
    pub fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The id to answer with.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.waiting.id
    }

    /// What is asked.
    #[must_use]
    pub fn request(&self) -> &ApprovalRequest {
        &self.waiting.request
    }

    /// Takes the question back, because the caller cancelled or left, and gives the denial to answer with.
    #[must_use]
    pub fn withdraw(mut self) -> Denial {
        self.take_back().unwrap_or_else(|| Denial::internal("the command was withdrawn while it was being answered"))
    }

    /// Ends the wait where nobody's answer is under way. An answer that is being recorded finds nobody any more.
    fn take_back(&mut self) -> Option<Denial> {
        if std::mem::replace(&mut self.over, true) || self.expiry.is_some() {
            return None;
        }
        self.append(Step::Withdrawn);
        let Some(pending) = self.gateway.approvals().take(self.id()) else {
            self.gateway.approvals().forget(self.id());
            self.leave_unread();
            return None;
        };
        let decision = self.gateway.policy().resume(pending, Answer::Withdrawn, clock::now());
        let explanation = decision.explanation();
        let reason = explanation.reason.clone().unwrap_or_else(|| "the command was withdrawn".into());
        let denial = Denial { rule: explanation.rule.clone(), reason, limit: None };
        let (event, _) = decision.seal();
        self.gateway.trail().append(&Record::event(&self.origin, &event));
        Some(denial)
    }

    /// A permit that came and was not read is not carried out.
    fn leave_unread(&mut self) {
        self.events.close();
        while let Ok(event) = self.events.try_recv() {
            match event {
                ApprovalEvent::Over(Ok(permit)) => {
                    let late = Record::not_carried_out(clock::now(), &self.origin, permit.id().number());
                    self.gateway.trail().append(&late);
                }
                ApprovalEvent::Over(Err(_)) | ApprovalEvent::Changed(_) => {}
            }
        }
    }

    fn append(&self, step: Step) {
        let told = Record::approval(clock::now(), &self.origin, step, note(&self.waiting));
        self.gateway.trail().append(&told);
    }

    /// What is left to do when the time is up; nothing where somebody's answer is being recorded.
    fn expire(&self) -> Option<Pin<Box<dyn Future<Output = Denial> + Send>>> {
        let pending = self.gateway.approvals().take(self.id())?;
        self.append(Step::Expired);
        let decision = self.gateway.policy().resume(pending, Answer::Expired, clock::now());
        let recorded = record(&self.gateway, &self.origin, decision);
        Some(Box::pin(async move {
            match recorded.await {
                Outcome::Block(denial) => denial,
                Outcome::Allow(_) | Outcome::Approve(_) => Denial::internal("nobody answered in time"),
            }
        }))
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Permit, Denial>> {
        if let Some(expiry) = &mut self.expiry {
            return expiry.as_mut().poll(cx).map(Err);
        }
        while let Poll::Ready(event) = self.events.poll_recv(cx) {
            match event {
                Some(ApprovalEvent::Over(answer)) => return Poll::Ready(answer),
                Some(ApprovalEvent::Changed(waiting)) => {
                    self.deadline.as_mut().reset(Instant::now() + waiting.left());
                    self.waiting = waiting;
                    self.changed = true;
                }
                None => return Poll::Ready(Err(Denial::internal("the answer was lost"))),
            }
        }
        while self.deadline.as_mut().poll(cx).is_ready() {
            if let Some(mut expiry) = self.expire() {
                let polled = expiry.as_mut().poll(cx).map(Err);
                self.expiry = Some(expiry);
                return polled;
            }
            self.deadline.as_mut().reset(Instant::now() + RECORDING);
        }
        Poll::Pending
    }
}

impl Future for ApprovalWait {
    type Output = Result<Permit, Denial>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.poll_answer(cx);
        self.over |= polled.is_ready();
        polled
    }
}

impl Drop for ApprovalWait {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl fmt::Debug for ApprovalWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApprovalWait").field("id", &self.waiting.id).finish_non_exhaustive()
    }
}
