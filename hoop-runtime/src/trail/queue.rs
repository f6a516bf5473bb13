//! Records on their way to the writer: bounded by bytes, in order.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hoopcore::AuditFailure;

use super::ticket::Waiter;

/// How long records for which nobody waits are gathered: to wake the writer for each costs more than to write it.
const GATHER: Duration = Duration::from_millis(20);

/// So many bytes of them are enough.
const ENOUGH: usize = 256 * 1024;

/// How many times the room for other records there is for what is written again until it is safe.
const ROOM_FOR_RETRIED: usize = 8;

/// A record's line, and who waits for it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) line: Vec<u8>,
    pub(crate) delivery: Delivery,
}

impl Entry {
    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        mem::size_of::<Self>().saturating_add(self.line.capacity())
    }
}

/// What becomes of a record that could not be written.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Somebody waits for the word that it is safe: a failure is the answer.
    Acknowledged(Waiter),
    /// Nobody waits, yet it must not be lost: it is written again, elsewhere.
    Retried,
    /// Nobody waits and it may be lost, aloud.
    BestEffort,
}

/// What a trail could not write before it ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unwritten {
    /// The disk does not answer.
    #[error(
        "the disk of the audit trail did not answer for {} seconds: the last records, about {bytes} bytes, may be lost",
        limit.as_secs()
    )]
    Hanging {
        /// Bytes of memory that the records take that wait for it.
        bytes: usize,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The last try failed.
    #[error("the audit trail could not be written to its end: records of what was carried out are lost ({records})")]
    Failed {
        /// How many of them were to be kept in any case.
        records: u64,
    },
}

/// What the writer takes at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) entries: Vec<Entry>,
    /// How many records there was no room for.
    pub(crate) lost: u64,
}

/// The queue between the sessions and the one writer.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    ended: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// The number of the first of them; each entry has the next one.
    first: u64,
    /// Bytes of what waits here and of what the writer has in hand.
    bytes: usize,
    /// Bytes of what waits here.
    waiting: usize,
    /// Somebody waits for one of the entries.
    urgent: bool,
    /// How many records there was no room for, that nobody was told of.
    lost: u64,
    writer: Writer,
    /// Since when the writer has had in hand what it took.
    in_hand: Option<Instant>,
    closed: bool,
    /// Since when its end is waited for.
    ending: Option<Instant>,
    /// How many records the writer had to give up, once it has ended.
    end: Option<u64>,
}

/// What the writer does, as far as it must be woken: to wake it when it is awake costs as much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    /// It writes, has been woken, or rests after a failure.
    #[default]
    Awake,
    /// It waits for the first entry.
    Idle,
    /// It waits for more entries, or for one that is due.
    Gathering,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), ready: Condvar::new(), ended: Condvar::new(), limit }
    }

    /// Adds a record, unless there is no room, and gives the number to take it back by. What is written until it is safe
    /// has more room: there are at most a few such records for each one that was admitted before.
    pub(crate) fn push(&self, entry: Entry) -> Result<u64, AuditFailure> {
        let mut state = self.lock();
        if state.closed {
            return Err(state.refuse(&entry.delivery, "the audit trail is closed"));
        }
        let limit = match entry.delivery {
            Delivery::Acknowledged(_) | Delivery::BestEffort => self.limit,
            Delivery::Retried => self.limit.saturating_mul(ROOM_FOR_RETRIED),
        };
        if state.bytes.saturating_add(entry.bytes()) > limit {
            return Err(state.refuse(&entry.delivery, "more records wait for the disk than the trail has room for"));
        }
        let number = state.add(entry);
        let wake = state.wakes_writer();
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        Ok(number)
    }

    /// Takes a record back that the writer does not have in hand yet; whether that was so. It is never written then.
    pub(crate) fn take_back(&self, number: u64) -> bool {
        self.lock().take_back(number)
    }

    /// All that waits; `None` once closed and empty. After a failure nothing is given before it is time to try again,
    /// and then there may be nothing.
    pub(crate) fn take(&self, retry: Option<Instant>) -> Option<Batch> {
        let mut state = self.lock();
        state.in_hand = None;
        state = match retry {
            Some(retry) => self.rest(state, retry),
            None => self.wait(state),
        };
        state.writer = Writer::Awake;
        if state.entries.is_empty() && state.closed {
            return None;
        }
        state.in_hand = Some(Instant::now());
        Some(state.take())
    }

    /// Waits for entries, and a little for more of those for which nobody waits.
    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let mut state = self.gather(state);
        if state.entries.is_empty() && !state.closed {
            state.writer = Writer::Idle;
            let idle = |state: &mut State| state.entries.is_empty() && !state.closed;
            state = self.gather(self.ready.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner));
        }
        state
    }

    /// Waits until something is due, but not for long.
    fn gather<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writer = Writer::Gathering;
        let gathered = self.ready.wait_timeout_while(state, GATHER, |state| !state.is_due());
        gathered.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until it is time to try again.
    fn rest<'a>(&self, mut state: MutexGuard<'a, State>, retry: Instant) -> MutexGuard<'a, State> {
        state.writer = Writer::Awake;
        let time = retry.saturating_duration_since(Instant::now());
        let rested = self.ready.wait_timeout_while(state, time, |state| !state.closed);
        rested.unwrap_or_else(PoisonError::into_inner).0
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

    /// How long the writer has had in hand what it took last; nothing where it is done with it.
    pub(crate) fn in_hand(&self, now: Instant) -> Duration {
        self.lock().in_hand.map(|since| now.saturating_duration_since(since)).unwrap_or_default()
    }

    /// Whether the writer has taken everything.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    /// Ends the queue: what waits is still written, nothing more is taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Says that the writer has ended, and how many records it had to give up.
    pub(crate) fn end(&self, given_up: u64) {
        self.lock().end = Some(given_up);
        self.ended.notify_all();
    }

    /// Ends the queue and waits for the writer's end, as long as this at most from the first call on.
    pub(crate) fn wait_for_end(&self, limit: Duration) -> Result<(), Unwritten> {
        self.close();
        let mut state = self.lock();
        let since = *state.ending.get_or_insert_with(Instant::now);
        let left = limit.saturating_sub(since.elapsed());
        let waited = self.ended.wait_timeout_while(state, left, |state| state.end.is_none());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.end {
            Some(0) => Ok(()),
            Some(records) => Err(Unwritten::Failed { records }),
            None => Err(Unwritten::Hanging { bytes: state.bytes, limit }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, entry: Entry) -> u64 {
        let number = self.first.saturating_add(self.entries.len() as u64);
        self.bytes = self.bytes.saturating_add(entry.bytes());
        self.waiting = self.waiting.saturating_add(entry.line.len());
        self.urgent |= matches!(entry.delivery, Delivery::Acknowledged(_));
        self.entries.push(entry);
        number
    }

    fn refuse(&mut self, delivery: &Delivery, why: &'static str) -> AuditFailure {
        match delivery {
            Delivery::Acknowledged(_) => {}
            Delivery::Retried | Delivery::BestEffort => self.lose(why),
        }
        AuditFailure::new(why)
    }

    /// Counts a record as lost. One line of the log stands for all until the trail tells how many they are.
    fn lose(&mut self, why: &'static str) {
        if self.lost == 0 {
            tracing::error!("records are being lost: {why}");
        }
        self.lost = self.lost.saturating_add(1);
    }

    fn take_back(&mut self, number: u64) -> bool {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) else { return false };
        // Its place stays, and counts: later ones are found by theirs.
        let line = mem::take(&mut entry.line);
        entry.delivery = Delivery::BestEffort;
        self.waiting = self.waiting.saturating_sub(line.len());
        self.bytes = self.bytes.saturating_sub(line.capacity());
        true
    }

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

    fn take(&mut self) -> Batch {
        self.urgent = false;
        self.waiting = 0;
        self.first = self.first.saturating_add(self.entries.len() as u64);
        Batch { entries: mem::take(&mut self.entries), lost: mem::take(&mut self.lost) }
    }
}
