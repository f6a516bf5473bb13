//! Records on their way to the writer: bounded by bytes, in order.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoopcore::AuditFailure;

use super::answers::Waiter;

/// How long the writer waits before it tries again to write what it owes.
const RETRY: Duration = Duration::from_secs(1);

/// How long records for which nobody waits are gathered: to wake the writer for each costs more than to write it.
const GATHER: Duration = Duration::from_millis(20);

/// So many bytes of them are enough.
const ENOUGH: usize = 256 * 1024;

/// A record's line, and who waits for it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) line: Vec<u8>,
    pub(crate) claim: Claim,
}

/// What becomes of a record that could not be written.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Somebody waits for the word that it is safe: a failure is the answer.
    Awaited(Waiter),
    /// Nobody waits, yet it must not be lost: it is written again, elsewhere.
    Owed,
    /// Nobody waits and it may be lost, aloud.
    Loose,
}

/// The queue between the sessions and the one writer.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// Bytes of what waits here and of what the writer has in hand.
    bytes: usize,
    /// Bytes of what waits here.
    waiting: usize,
    /// Somebody waits for one of the entries.
    urgent: bool,
    writer: Writer,
    closed: bool,
}

/// What the writer does, as far as it must be woken: to wake it when it is awake costs as much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    /// It writes, or has been woken.
    #[default]
    Awake,
    /// It waits for the first entry.
    Idle,
    /// It waits for more entries, or for one that is due.
    Gathering,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), ready: Condvar::new(), limit }
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
        state.urgent |= matches!(entry.claim, Claim::Awaited(_));
        state.entries.push(entry);
        let wake = state.wakes_writer();
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// All that waits, or nothing after a while where the writer owes; `None` once closed and empty.
    pub(crate) fn take(&self, owes: bool) -> Option<Vec<Entry>> {
        let mut state = self.gather(self.lock());
        if state.entries.is_empty() && !state.closed {
            state = self.gather(self.rest(state, owes));
        }
        state.writer = Writer::Awake;
        if state.entries.is_empty() && state.closed { None } else { Some(state.take()) }
    }

    /// Waits until something is due, but not for long.
    fn gather<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writer = Writer::Gathering;
        let gathered = self.ready.wait_timeout_while(state, GATHER, |state| !state.is_due());
        gathered.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for the first entry, or for the next try of what the writer owes.
    fn rest<'a>(&self, mut state: MutexGuard<'a, State>, owes: bool) -> MutexGuard<'a, State> {
        state.writer = Writer::Idle;
        let idle = |state: &mut State| state.entries.is_empty() && !state.closed;
        if owes {
            self.ready.wait_timeout_while(state, RETRY, idle).unwrap_or_else(PoisonError::into_inner).0
        } else {
            self.ready.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner)
        }
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
    /// Whether the writer waits for what there is now.
    fn wakes_writer(&mut self) -> bool {
        let wakes = match self.writer {
            Writer::Awake => false,
            Writer::Idle => true,
            Writer::Gathering => self.is_due(),
        };
        if wakes {
            self.writer = Writer::Awake;
        }
        wakes
    }

    /// Whether what waits is to be written at once.
    fn is_due(&self) -> bool {
        self.urgent || self.closed || self.waiting >= ENOUGH
    }

    fn take(&mut self) -> Vec<Entry> {
        self.urgent = false;
        self.waiting = 0;
        mem::take(&mut self.entries)
    }
}
