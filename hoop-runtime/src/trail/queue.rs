//! Records on their way to the writer: bounded by bytes, in order.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoopcore::AuditFailure;
use tokio::sync::oneshot;

/// How long the writer waits before it tries again to write what it owes.
const RETRY: Duration = Duration::from_secs(1);

/// So many bytes are written though nobody waits for them.
const ENOUGH: usize = 256 * 1024;

/// A record's line, and who waits for it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) line: Vec<u8>,
    pub(crate) claim: Claim,
}

impl Entry {
    /// Whether somebody waits for it.
    pub(crate) fn is_awaited(&self) -> bool {
        match self.claim {
            Claim::Awaited(_) => true,
            Claim::Owed | Claim::Loose => false,
        }
    }
}

/// What becomes of a record that could not be written.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Somebody waits for the word that it is safe: a failure is the answer.
    Awaited(oneshot::Sender<Result<(), AuditFailure>>),
    /// Nobody waits, yet it must not be lost: it is written again, elsewhere.
    Owed,
    /// Nobody waits and it may be lost, aloud.
    Loose,
}

/// What the last batch tells of the next: those who were answered are likely to come again soon, and one sync for all
/// costs a fraction of what one for each few does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// How many were answered.
    pub(crate) answered: usize,
    /// How long they are waited for. Nobody waits longer than another sync would take.
    pub(crate) patience: Duration,
}

/// The queue between the sessions and the one writer.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    /// How many bytes may wait.
    limit: usize,
    /// How long records for which nobody waits are gathered.
    gather: Duration,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// Bytes of what waits here and of what the writer has in hand.
    bytes: usize,
    /// Bytes of what waits here.
    waiting: usize,
    /// How many of the entries somebody waits for.
    awaited: usize,
    /// What wakes the writer.
    sleep: Sleep,
    closed: bool,
}

/// What the writer sleeps for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// It does not sleep.
    #[default]
    None,
    /// For any entry.
    Any,
    /// For what is to be written at once.
    Due,
    /// For so many entries that somebody waits for.
    Crowd(usize),
}

impl Queue {
    pub(crate) fn new(limit: usize, gather: Duration) -> Self {
        Self { state: Mutex::default(), ready: Condvar::new(), limit, gather }
    }

    /// Adds a record, unless there is no room. What is owed always has room: there is at most one such record for
    /// each one that was admitted before.
    pub(crate) fn push(&self, entry: Entry) -> Result<(), AuditFailure> {
        let mut state = self.lock();
        if state.closed {
            return Err(AuditFailure::new("the audit trail is closed"));
        }
        let owed = matches!(entry.claim, Claim::Owed);
        if !owed && state.bytes.saturating_add(entry.line.len()) > self.limit {
            return Err(AuditFailure::new("more records wait for the disk than the trail has room for"));
        }
        state.bytes = state.bytes.saturating_add(entry.line.len());
        state.waiting = state.waiting.saturating_add(entry.line.len());
        state.awaited += usize::from(entry.is_awaited());
        state.entries.push(entry);
        let wake = state.wakes();
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// All that waits, or nothing after a while where the writer owes; `None` once closed and empty. Those who were answered
    /// before are waited for as long as `pace` has patience.
    pub(crate) fn take(&self, owes: bool, pace: Pace) -> Option<Vec<Entry>> {
        let state = self.lock();
        let all = state.awaited.saturating_add(pace.answered);
        let mut state = self.sleep(state, Sleep::Crowd(all), Some(pace.patience));
        state = self.sleep(state, Sleep::Due, Some(self.gather));
        if state.entries.is_empty() {
            state = self.sleep(state, Sleep::Any, owes.then_some(RETRY));
            state = self.sleep(state, Sleep::Due, Some(self.gather));
        }
        if state.entries.is_empty() && state.closed { None } else { Some(state.take()) }
    }

    /// Sleeps until there is what is slept for, and no longer than this. Nothing else wakes the writer meanwhile.
    fn sleep<'a>(&self, state: MutexGuard<'a, State>, sleep: Sleep, most: Option<Duration>) -> MutexGuard<'a, State> {
        let asleep = |state: &mut State| {
            state.sleep = if state.ends(sleep) { Sleep::None } else { sleep };
            state.sleep != Sleep::None
        };
        let mut state = match most {
            Some(most) => self.ready.wait_timeout_while(state, most, asleep).unwrap_or_else(PoisonError::into_inner).0,
            None => self.ready.wait_while(state, asleep).unwrap_or_else(PoisonError::into_inner),
        };
        state.sleep = Sleep::None;
        state
    }

    /// Gives back the room of records that the writer is done with.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Bytes of what waits here and of what the writer has in hand.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// What the writer sleeps for now.
    #[cfg(test)]
    pub(crate) fn sleeps_for(&self) -> Sleep {
        self.lock().sleep
    }

    /// Ends the queue: what waits is still written, nothing more is taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the writer is to be woken now.
    fn wakes(&mut self) -> bool {
        let wakes = self.sleep != Sleep::None && self.ends(self.sleep);
        if wakes {
            self.sleep = Sleep::None;
        }
        wakes
    }

    fn ends(&self, sleep: Sleep) -> bool {
        match sleep {
            Sleep::None => true,
            Sleep::Any => self.closed || !self.entries.is_empty(),
            Sleep::Due => self.closed || self.waiting >= ENOUGH || self.awaited > 0,
            Sleep::Crowd(crowd) => self.closed || self.waiting >= ENOUGH || self.awaited >= crowd,
        }
    }

    fn take(&mut self) -> Vec<Entry> {
        self.awaited = 0;
        self.waiting = 0;
        mem::take(&mut self.entries)
    }
}
