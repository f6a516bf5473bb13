//! The audit trail: JSON lines that are safe before anybody acts on what they tell.
//!
//! Every gateway has one [`Trail`]. Its only writer thread takes all records that wait, writes them with one call and
//! syncs them together (group commit): a lone client waits for one sync, many share it. A failed write or sync closes
//! the file for ever; what waited is refused, and the next record begins a new file.

mod closing;
mod decided;
mod files;
mod line;
mod measure;
mod queue;
mod record;
#[cfg(test)]
mod tests;
mod ticket;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::oneshot;

pub use decided::style_word;
pub use line::is_deceptive;
pub use measure::{Measurement, measure};
pub use queue::Unwritten;
pub(crate) use record::{Approval, Origin, Step};
pub use record::{Record, hex};
pub(crate) use ticket::Confirmation;
pub use ticket::{NotRecorded, Ticket};

use self::files::{Directory, Folder};
use self::queue::{Delivery, Entry, Queue};
use self::ticket::Trace;
use self::writer::{Backoff, Writer};
use crate::{clock, id};

/// How many bytes of records may wait for the disk before new ones are refused.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// How long a disk may take before those who wait are refused.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How long a disk that fails is left alone: those who wait for their records learn of it before they give up.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_secs(1) };

/// How long the writer may take for what waits when the last one who writes records is gone.
const LINGER: Duration = Duration::from_secs(5);

/// How long a trail waits for its disk.
#[derive(Clone, Copy, Debug)]
struct Waits {
    backoff: Backoff,
    linger: Duration,
}

/// When a record counts as safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Synced to the disk: it survives a power cut.
    #[default]
    Durable,
    /// Handed to the kernel: it survives the end of the process.
    Written,
    /// Queued: it may be lost, and nothing waits for it.
    BestEffort,
}

/// The sink of all records of one gateway. Cheap to clone; the last clone to go waits until what still waits is written,
/// though not for ever.
#[derive(Clone, Debug)]
pub struct Trail(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    queue: Arc<Queue>,
    mode: Mode,
    failing: Arc<AtomicBool>,
    linger: Duration,
}

impl Trail {
    /// A trail in a directory, which is made where it is missing. The first file is begun at once.
    ///
    /// # Errors
    /// Where the directory cannot be made or written.
    pub fn open(directory: &Path, mode: Mode) -> io::Result<Self> {
        let folder = Directory::open(directory.to_owned())?;
        Self::over(Box::new(folder), mode, Waits { backoff: BACKOFF, linger: LINGER })
    }

    fn over(folder: Box<dyn Folder>, mode: Mode, Waits { backoff, linger }: Waits) -> io::Result<Self> {
        let instance: Arc<str> = id::random(8).into();
        let prefix = format!("{}-{instance}", clock::now().strftime("%Y%m%dT%H%M%S%.3fZ"));
        let mut writer = Writer::new(folder, mode, instance, prefix, backoff);
        writer.begin()?;
        let (queue, failing) = (Arc::new(Queue::new(QUEUE_BYTES)), writer.failing());
        let shared = Arc::clone(&queue);
        // Whoever waits for its end waits for what it says then: a thread that hangs cannot be joined.
        let _detached = thread::Builder::new().name("audit".to_owned()).spawn(move || writer::run(&shared, writer))?;
        Ok(Self(Arc::new(Handle { queue, mode, failing, linger })))
    }

    /// Queues a record at once, in the order of the calls; the ticket says when it is safe. With `best_effort` nobody
    /// waits: where there is no room it is lost, and the trail says so later.
    pub fn submit(&self, record: &Record) -> Ticket {
        match self.0.mode {
            Mode::Durable | Mode::Written => match line::render(record) {
                Ok(line) => self.acknowledged(line),
                Err(failure) => Ticket::over(Err(NotRecorded::new(failure, Trace::Never))),
            },
            Mode::BestEffort => {
                self.queue(record, Delivery::BestEffort);
                Ticket::over(Ok(()))
            }
        }
    }

    /// Queues a record that nobody waits for and that must not be lost: it has room even in a full queue, and where a
    /// file fails it is written again to the next one. With `best_effort` it may be lost like any other: there nothing
    /// bounds how many follow while a disk hangs.
    pub fn append(&self, record: &Record) {
        match self.0.mode {
            Mode::Durable | Mode::Written => self.queue(record, Delivery::Retried),
            Mode::BestEffort => self.queue(record, Delivery::BestEffort),
        }
    }

    /// Says when all that was queued before is safe.
    pub fn flush(&self) -> Ticket {
        self.acknowledged(Vec::new())
    }

    /// The trail's end, to be waited for where everybody else is done.
    #[must_use]
    pub fn end(&self) -> TrailEnd {
        TrailEnd { queue: Arc::clone(&self.0.queue), linger: self.0.linger }
    }

    /// Takes a record back that was not written yet; whether that was so.
    pub(crate) fn take_back(&self, number: u64) -> bool {
        self.0.queue.take_back(number)
    }

    /// Bytes of records that wait for the disk.
    pub(crate) fn waiting(&self) -> usize {
        self.0.queue.bytes()
    }

    /// Whether the last records could not be written, or the disk takes longer for them than anybody waits.
    pub(crate) fn is_failing(&self) -> bool {
        self.fails_at(Instant::now())
    }

    fn fails_at(&self, now: Instant) -> bool {
        self.0.failing.load(Ordering::Relaxed) || self.0.queue.in_hand(now) > PATIENCE
    }

    fn acknowledged(&self, line: Vec<u8>) -> Ticket {
        let (sender, receiver) = oneshot::channel();
        match self.0.queue.push(Entry { line, delivery: Delivery::Acknowledged(sender) }) {
            Ok(number) => Ticket::pending(receiver, number),
            Err(failure) => Ticket::over(Err(NotRecorded::new(failure, Trace::Never))),
        }
    }

    /// Queues a record that nobody waits for. Where there is no room the queue counts it as lost.
    fn queue(&self, record: &Record, delivery: Delivery) {
        match line::render(record) {
            Ok(line) => drop(self.0.queue.push(Entry { line, delivery })),
            Err(failure) => tracing::error!(%failure, "a record is lost"),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(unwritten) = self.queue.wait_for_end(self.linger) {
            tracing::error!("{unwritten}");
        }
    }
}

/// The end of a trail, for who wants to know what came of its last records.
#[derive(Debug)]
pub struct TrailEnd {
    queue: Arc<Queue>,
    linger: Duration,
}

impl TrailEnd {
    /// Ends the trail, for all who still write to it, and waits until what waits is written, though not for ever.
    ///
    /// # Errors
    /// Where something of it may be lost.
    pub fn wait(self) -> Result<(), Unwritten> {
        self.queue.wait_for_end(self.linger)
    }
}
