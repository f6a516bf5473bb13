//! The wait for one record, and what is to be said where nobody waits to its end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hoopcore::AuditFailure;
use tokio::sync::oneshot;

use super::{Record, Trail};

/// What became of a record.
pub(crate) type Outcome = Result<(), NotRecorded>;

/// Somebody who waits for a record.
pub(crate) type Waiter = oneshot::Sender<Outcome>;

/// Why a record is not safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct NotRecorded {
    failure: AuditFailure,
    trace: Trace,
}

/// Whether a record that is not safe may be read in the trail all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// It was never written.
    Never,
    /// It may stand in a file that failed, or the disk may still take it.
    Possible,
}

impl NotRecorded {
    pub(crate) const fn new(failure: AuditFailure, trace: Trace) -> Self {
        Self { failure, trace }
    }
}

impl From<NotRecorded> for AuditFailure {
    fn from(why: NotRecorded) -> Self {
        why.failure
    }
}

/// The wait for one record. Dropping it does not take the record back.
#[must_use = "a record is safe only when its ticket says so"]
#[derive(Debug)]
pub struct Ticket(Wait);

#[derive(Debug)]
enum Wait {
    Over(Option<Outcome>),
    For {
        answer: oneshot::Receiver<Outcome>,
        /// The record's number in the queue.
        number: u64,
    },
}

impl Ticket {
    pub(super) const fn over(outcome: Outcome) -> Self {
        Self(Wait::Over(Some(outcome)))
    }

    pub(super) const fn pending(answer: oneshot::Receiver<Outcome>, number: u64) -> Self {
        Self(Wait::For { answer, number })
    }

    /// The answer where it is there already.
    pub(crate) fn settled(self) -> Result<Outcome, Self> {
        match self.0 {
            Wait::Over(Some(answer)) => Ok(answer),
            Wait::Over(None) | Wait::For { .. } => Err(self),
        }
    }
}

impl Future for Ticket {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let gone = || Err(NotRecorded::new(AuditFailure::new("the audit trail is closed"), Trace::Possible));
        match &mut self.0 {
            Wait::Over(answer) => Poll::Ready(answer.take().unwrap_or_else(gone)),
            Wait::For { answer, .. } => Pin::new(answer).poll(cx).map(|answer| answer.unwrap_or_else(|_| gone())),
        }
    }
}

/// The wait for the record of something that is done only once it is safe. Where that is not done after all, because
/// the record failed or nobody waits any longer, it is taken back, or, where it is too late for that, a correction is
/// appended. Without a correction the record is true in any case, and stays.
pub(crate) struct Confirmation<F: FnOnce() -> Record> {
    trail: Trail,
    ticket: Ticket,
    correction: Option<F>,
}

impl<F: FnOnce() -> Record> Confirmation<F> {
    pub(crate) const fn new(trail: Trail, ticket: Ticket, correction: Option<F>) -> Self {
        Self { trail, ticket, correction }
    }

    fn correct(&mut self, trace: Trace) {
        match (self.correction.take(), trace) {
            (Some(correction), Trace::Possible) => self.trail.append(&correction()),
            (Some(_), Trace::Never) | (None, _) => {}
        }
    }

    /// What nobody waits for any longer, taken back where the writer does not have it yet.
    fn take_back(&self) -> Trace {
        match &self.ticket.0 {
            Wait::For { number, .. } if self.trail.take_back(*number) => Trace::Never,
            Wait::For { .. } => Trace::Possible,
            Wait::Over(Some(Err(why))) => why.trace,
            Wait::Over(Some(Ok(())) | None) => Trace::Possible,
        }
    }
}

impl<F: FnOnce() -> Record + Unpin> Future for Confirmation<F> {
    type Output = Result<(), AuditFailure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.ticket).poll(cx).map(|answer| {
            match &answer {
                Ok(()) => self.correction = None,
                Err(why) => self.correct(why.trace),
            }
            answer.map_err(AuditFailure::from)
        })
    }
}

impl<F: FnOnce() -> Record> Drop for Confirmation<F> {
    fn drop(&mut self) {
        if self.correction.is_some() {
            self.correct(self.take_back());
        }
    }
}
