//! The audit trail: JSON lines that are safe before anybody acts on what they tell.
//!
//! Every gateway has one [`Trail`]. Its only writer thread takes all records that wait, writes them with one call and
//! syncs them together (group commit): a lone client waits for one sync, many share it. A failed write or sync closes
//! the file for ever; what waited is refused, and the next record begins a new file.

mod answers;
mod files;
mod line;
mod measure;
mod queue;
mod record;
#[cfg(test)]
mod tests;
mod writer;

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use hoopcore::AuditFailure;
use serde::Deserialize;
use tokio::sync::oneshot;

pub use line::is_deceptive;
pub use measure::{Measurement, measure};
pub(crate) use record::{Approval, Origin, Step};
pub use record::{Record, hex, style_word};

use self::answers::{Answers, Outcome};
use self::files::{Directory, Folder};
use self::queue::{Claim, Entry, Queue};
use self::writer::Writer;
use crate::{clock, id};

/// How many bytes of records may wait for the disk before new ones are refused.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;

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

/// The sink of all records of one gateway. Cheap to clone; the last clone to go writes what still waits.
#[derive(Clone, Debug)]
pub struct Trail(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    queue: Arc<Queue>,
    mode: Mode,
    failing: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
}

impl Trail {
    /// A trail in a directory, which is made where it is missing. The first file is begun at once. Opened within a
    /// tokio runtime, it wakes those who wait for records with fewer system calls.
    ///
    /// # Errors
    /// Where the directory cannot be made or written.
    pub fn open(directory: &Path, mode: Mode) -> io::Result<Self> {
        let folder = Directory::open(directory.to_owned())?;
        Self::over(Box::new(folder), mode)
    }

    fn over(folder: Box<dyn Folder>, mode: Mode) -> io::Result<Self> {
        let instance: Arc<str> = id::random(8).into();
        let prefix = format!("{}-{instance}", clock::now().strftime("%Y%m%dT%H%M%S%.3fZ"));
        let mut writer = Writer::new(folder, mode, instance, prefix, Answers::start());
        writer.begin()?;
        let (queue, failing) = (Arc::new(Queue::new(QUEUE_BYTES)), writer.failing());
        let shared = Arc::clone(&queue);
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(move || writer::run(&shared, writer))?;
        Ok(Self(Arc::new(Handle { queue, mode, failing, writer: Some(thread) })))
    }

    /// Queues a record at once, in the order of the calls; the ticket says when it is safe.
    pub fn submit(&self, record: &Record) -> Ticket {
        let (answer, ticket) = match self.0.mode {
            Mode::Durable | Mode::Written => {
                let (sender, receiver) = oneshot::channel();
                (Claim::Awaited(sender), Ticket(Wait::For(receiver)))
            }
            Mode::BestEffort => (Claim::Loose, Ticket(Wait::Over(Some(Ok(()))))),
        };
        match (self.push(record, answer), self.0.mode) {
            (Ok(()), _) => ticket,
            (Err(failure), Mode::Durable | Mode::Written) => Ticket(Wait::Over(Some(Err(failure)))),
            (Err(failure), Mode::BestEffort) => {
                tracing::error!(%failure, "a record is lost");
                ticket
            }
        }
    }

    /// Queues a record that nobody waits for and that must not be lost: it has room even in a full queue, and where a
    /// file fails it is written again to the next one. With `best_effort` it may be lost like any other: there nothing
    /// bounds how many follow while a disk hangs.
    pub fn append(&self, record: &Record) {
        let claim = match self.0.mode {
            Mode::Durable | Mode::Written => Claim::Owed,
            Mode::BestEffort => Claim::Loose,
        };
        if let Err(failure) = self.push(record, claim) {
            tracing::error!(%failure, "a record is lost");
        }
    }

    /// Says when all that was queued before is safe.
    pub fn flush(&self) -> Ticket {
        let (sender, receiver) = oneshot::channel();
        match self.0.queue.push(Entry { line: Vec::new(), claim: Claim::Awaited(sender) }) {
            Ok(()) => Ticket(Wait::For(receiver)),
            Err(failure) => Ticket(Wait::Over(Some(Err(failure)))),
        }
    }

    /// Bytes of records that wait for the disk.
    pub(crate) fn waiting(&self) -> usize {
        self.0.queue.bytes()
    }

    /// Whether the last records could not be written.
    pub(crate) fn is_failing(&self) -> bool {
        self.0.failing.load(Ordering::Relaxed)
    }

    fn push(&self, record: &Record, claim: Claim) -> Result<(), AuditFailure> {
        self.0.queue.push(Entry { line: line::render(record)?, claim })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

/// The wait for one record. Dropping it does not take the record back.
#[must_use = "a record is safe only when its ticket says so"]
#[derive(Debug)]
pub struct Ticket(Wait);

#[derive(Debug)]
enum Wait {
    Over(Option<Outcome>),
    For(oneshot::Receiver<Outcome>),
}

impl Ticket {
    /// The answer where it is there already.
    pub(crate) fn settled(self) -> Result<Outcome, Self> {
        match self.0 {
            Wait::Over(Some(answer)) => Ok(answer),
            Wait::Over(None) | Wait::For(_) => Err(self),
        }
    }
}

impl Future for Ticket {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let gone = || AuditFailure::new("the audit trail is closed");
        match &mut self.0 {
            Wait::Over(answer) => Poll::Ready(answer.take().unwrap_or_else(|| Err(gone()))),
            Wait::For(receiver) => Pin::new(receiver).poll(cx).map(|answer| answer.unwrap_or_else(|_| Err(gone()))),
        }
    }
}
