//! The one writer: takes all that waits, writes it with one call, syncs once, and answers everybody.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hoopcore::AuditFailure;

use super::Mode;
use super::answers::Answers;
use super::files::{Folder, SegmentFile};
use super::line;
use super::queue::{Claim, Entry, Queue};
use super::record::Record;
use crate::clock;

/// Where a segment ends and the next one begins.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Writes until the queue is closed and empty.
pub(crate) fn run(queue: &Queue, mut writer: Writer) {
    let _guard = AbortOnPanic;
    while let Some(batch) = queue.take(writer.owes()) {
        queue.release(writer.commit(batch));
    }
    writer.give_up();
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
    answers: Answers,
    seq: u64,
    segment: Option<Segment>,
    /// Number of the last segment that was begun.
    last: u32,
    /// The segment before, and why it failed, until the next one tells it.
    previous: Option<(String, Option<String>)>,
    /// Records that nobody waits for and that must not be lost.
    owed: Vec<Entry>,
    buffer: Vec<u8>,
    /// The last records could not be written.
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
        answers: Answers,
    ) -> Self {
        Self {
            folder,
            mode,
            instance,
            prefix,
            answers,
            seq: 0,
            segment: None,
            last: 0,
            previous: None,
            owed: Vec::new(),
            buffer: Vec::new(),
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

    pub(crate) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Writes a batch and answers everybody who waits. Gives how many bytes it is done with.
    pub(crate) fn commit(&mut self, batch: Vec<Entry>) -> usize {
        let mut entries = std::mem::take(&mut self.owed);
        entries.extend(batch);
        let outcome = self.write(&entries);
        self.failing.store(outcome.is_err(), Ordering::Relaxed);
        if let Err(error) = &outcome {
            tracing::error!(%error, records = entries.len(), "the audit trail could not be written");
            self.abandon(error);
        }
        self.settle(entries, outcome)
    }

    /// At the end: one last try, then what is still owed is lost, aloud.
    pub(crate) fn give_up(&mut self) {
        if self.owes() {
            self.commit(Vec::new());
        }
        if !self.owed.is_empty() {
            tracing::error!(
                records = self.owed.len(),
                "closing records are lost: the audit trail could not be written"
            );
        }
    }

    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut segment = match self.segment.take() {
            Some(segment) if segment.bytes < SEGMENT_BYTES => segment,
            full => self.next(full, &mut buffer)?,
        };
        for entry in entries.iter().filter(|entry| !entry.line.is_empty()) {
            self.seq += 1;
            line::number(&entry.line, self.seq, &self.instance, &mut buffer);
        }
        let written = append(&mut segment, &buffer, self.mode);
        segment.bytes += if written.is_ok() { buffer.len() as u64 } else { 0 };
        self.buffer = buffer;
        self.segment = Some(segment);
        written
    }

    /// A new segment, whose first line says which one it follows.
    fn next(&mut self, full: Option<Segment>, buffer: &mut Vec<u8>) -> io::Result<Segment> {
        if let Some(full) = full {
            self.previous = Some((full.name, None));
        }
        self.last += 1;
        let name = format!("{}-{:06}.jsonl", self.prefix, self.last);
        let file = self.folder.create(&name)?;
        let (after, failure) = self.previous.clone().unzip();
        let header = Record::segment(clock::now(), after, failure.flatten());
        let header = line::render(&header).map_err(|error| io::Error::other(error.to_string()))?;
        self.seq += 1;
        line::number(&header, self.seq, &self.instance, buffer);
        Ok(Segment { name, file, bytes: 0 })
    }

    /// Closes a segment that failed for ever: what the kernel did with its last bytes is not known.
    fn abandon(&mut self, error: &io::Error) {
        let Some(failed) = self.segment.take() else { return };
        let Segment { name, file, bytes } = failed;
        drop(file);
        if bytes == 0 {
            self.folder.discard(&name);
        } else {
            self.previous = Some((name, Some(error.to_string())));
        }
    }

    fn settle(&mut self, entries: Vec<Entry>, outcome: io::Result<()>) -> usize {
        let (mut done, mut waiters) = (0, Vec::new());
        for entry in entries {
            let bytes = entry.line.len();
            match (entry.claim, &outcome) {
                (Claim::Awaited(waiter), _) => waiters.push(waiter),
                (Claim::Owed | Claim::Loose, Ok(())) => {}
                (Claim::Owed, Err(_)) => {
                    self.owed.push(Entry { line: entry.line, claim: Claim::Owed });
                    continue;
                }
                (Claim::Loose, Err(_)) => tracing::error!("a record is lost: the audit trail could not be written"),
            }
            done += bytes;
        }
        self.answers.give(waiters, outcome.map_err(|error| AuditFailure::new(error.to_string())));
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
