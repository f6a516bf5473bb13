//! The one writer: takes all that waits, writes it with one call, syncs once, and answers everybody.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hoopcore::AuditFailure;

use super::Mode;
use super::files::{Folder, SegmentFile};
use super::line;
use super::queue::{Batch, Delivery, Entry, Queue};
use super::record::Record;
use super::ticket::{NotRecorded, Trace};
use crate::clock;

/// Where a segment ends and the next one begins.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// A larger buffer is not kept for the next batch.
const KEPT_BUFFER: usize = 1024 * 1024;

/// How long the writer rests between its tries to write to a disk that fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// After the first failure; twice as long after each further one.
    pub(crate) first: Duration,
    /// Never longer than this.
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The rest after so many failures, one behind the other.
    pub(crate) fn rest(self, failures: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

/// Writes until the queue is closed and empty.
pub(crate) fn run(queue: &Queue, mut writer: Writer) {
    let _guard = AbortOnPanic;
    while let Some(batch) = queue.take(writer.retry) {
        queue.release(writer.commit(batch));
    }
    queue.end(writer.give_up());
}

/// A writer that died without a word would leave every session waiting, so the process goes with it.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            process::abort();
        }
    }
}

/// The segments of one run of the gateway.
pub(crate) struct Writer {
    folder: Box<dyn Folder>,
    mode: Mode,
    instance: Arc<str>,
    prefix: String,
    backoff: Backoff,
    seq: u64,
    segment: Option<Segment>,
    /// Number of the last segment that was begun.
    last: u32,
    /// The segment before, and why it failed, until the next one tells it.
    previous: Option<(String, Option<String>)>,
    /// Records that nobody waits for and that must not be lost.
    owed: Vec<Entry>,
    /// How many records were lost that the trail does not tell of yet.
    lost: u64,
    buffer: Vec<u8>,
    /// How often nothing could be written, one time behind the other.
    failures: u32,
    /// When to try again after a failure.
    retry: Option<Instant>,
    /// The same for others to look at: the last records could not be written.
    failing: Arc<AtomicBool>,
}

struct Segment {
    name: String,
    file: Box<dyn SegmentFile>,
    bytes: u64,
}

impl Writer {
    pub(crate) fn new(
        folder: Box<dyn Folder>,
        mode: Mode,
        instance: Arc<str>,
        prefix: String,
        backoff: Backoff,
    ) -> Self {
        Self {
            folder,
            mode,
            instance,
            prefix,
            backoff,
            seq: 0,
            segment: None,
            last: 0,
            previous: None,
            owed: Vec::new(),
            lost: 0,
            buffer: Vec::new(),
            failures: 0,
            retry: None,
            failing: Arc::default(),
        }
    }

    /// Begins the first segment, so that a folder that cannot be written is found at the start.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.write(&[])
    }

    /// Whether the last records could not be written, for others to look at.
    pub(crate) fn failing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failing)
    }

    /// Writes a batch, and what is owed, and answers everybody who waits. Gives how many bytes it is done with.
    pub(crate) fn commit(&mut self, batch: Batch) -> usize {
        let mut entries = std::mem::take(&mut self.owed);
        entries.extend(batch.entries);
        self.lost = self.lost.saturating_add(batch.lost);
        let outcome = match self.write(&entries) {
            Ok(()) => {
                self.recover();
                Ok(())
            }
            Err(error) => Err(self.fail(&error, entries.len())),
        };
        self.settle(entries, outcome)
    }

    fn recover(&mut self) {
        (self.failures, self.retry, self.lost) = (0, None, 0);
        self.failing.store(false, Ordering::Relaxed);
    }

    fn fail(&mut self, error: &io::Error, records: usize) -> NotRecorded {
        tracing::error!(%error, records, "the audit trail could not be written");
        self.failures = self.failures.saturating_add(1);
        self.retry = Instant::now().checked_add(self.backoff.rest(self.failures));
        self.failing.store(true, Ordering::Relaxed);
        let trace = self.abandon(error);
        NotRecorded::new(AuditFailure::new(error.to_string()), trace)
    }

    /// At the end: one last try, then what is still owed is lost, aloud. Gives how many records that are.
    pub(crate) fn give_up(&mut self) -> u64 {
        if !self.owed.is_empty() {
            self.commit(Batch::default());
        }
        let lost = self.owed.len();
        if lost > 0 {
            tracing::error!(records = lost, "records are lost: the audit trail could not be written");
        }
        lost as u64
    }

    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut segment = match self.segment.take() {
            Some(segment) if segment.bytes < SEGMENT_BYTES => segment,
            full => self.next(full, &mut buffer)?,
        };
        self.tell_lost(&mut buffer);
        for entry in entries.iter().filter(|entry| !entry.line.is_empty()) {
            self.seq += 1;
            line::number(&entry.line, self.seq, &self.instance, &mut buffer);
        }
        let written = append(&mut segment, &buffer, self.mode);
        segment.bytes += if written.is_ok() { buffer.len() as u64 } else { 0 };
        self.buffer = if buffer.capacity() > KEPT_BUFFER { Vec::new() } else { buffer };
        self.segment = Some(segment);
        written
    }

    /// What was lost is told by the trail itself.
    fn tell_lost(&mut self, buffer: &mut Vec<u8>) {
        if self.lost > 0 {
            self.tell(&Record::lost(clock::now(), self.lost), buffer);
        }
    }

    /// Writes a record of the trail's own.
    fn tell(&mut self, record: &Record, buffer: &mut Vec<u8>) {
        match line::render(record) {
            Ok(line) => {
                self.seq += 1;
                line::number(&line, self.seq, &self.instance, buffer);
            }
            Err(failure) => tracing::error!(%failure, "a record is lost"),
        }
    }

    /// A new segment, whose first line says which one it follows.
    fn next(&mut self, full: Option<Segment>, buffer: &mut Vec<u8>) -> io::Result<Segment> {
        if let Some(full) = full {
            self.previous = Some((full.name, None));
        }
        self.last += 1;
        let name = format!("{}-{:06}.jsonl", self.prefix, self.last);
        let file = self.folder.create(&name)?;
        if let Err(error) = self.folder.sync() {
            self.discard(&name);
            return Err(error);
        }
        let (after, failure) = self.previous.clone().unzip();
        self.tell(&Record::segment(clock::now(), after, failure.flatten()), buffer);
        Ok(Segment { name, file, bytes: 0 })
    }

    /// Closes a segment that failed for ever: what the kernel did with its last bytes is not known. Says whether they
    /// may be read.
    fn abandon(&mut self, error: &io::Error) -> Trace {
        let Some(Segment { name, file, bytes }) = self.segment.take() else { return Trace::Never };
        drop(file);
        if bytes > 0 {
            self.previous = Some((name, Some(error.to_string())));
            return Trace::Possible;
        }
        self.discard(&name)
    }

    /// Takes away a file in which nothing was acknowledged; says whether what it holds may be read all the same.
    fn discard(&mut self, name: &str) -> Trace {
        match self.folder.discard(name) {
            Ok(()) => Trace::Never,
            Err(error) => {
                tracing::warn!(name, %error, "a file of the audit trail that failed at once could not be taken away");
                Trace::Possible
            }
        }
    }

    fn settle(&mut self, entries: Vec<Entry>, outcome: Result<(), NotRecorded>) -> usize {
        let mut done = 0;
        for entry in entries {
            let bytes = entry.bytes();
            match (entry.delivery, &outcome) {
                // Whoever has gone in the meantime has said what is to be said of that.
                (Delivery::Acknowledged(waiter), _) => drop(waiter.send(outcome.clone())),
                (Delivery::Retried | Delivery::BestEffort, Ok(())) => {}
                (Delivery::Retried, Err(_)) => {
                    self.owed.push(Entry { line: entry.line, delivery: Delivery::Retried });
                    continue;
                }
                (Delivery::BestEffort, Err(_)) => self.lost += u64::from(!entry.line.is_empty()),
            }
            done += bytes;
        }
        done
    }
}

fn append(segment: &mut Segment, bytes: &[u8], mode: Mode) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    segment.file.append(bytes)?;
    match mode {
        Mode::Durable => segment.file.sync(),
        Mode::Written | Mode::BestEffort => Ok(()),
    }
}
