//! How those who wait for records learn what became of them.
//!
//! To wake a task from the writer's thread takes a lock and a system call. So the writer wakes one task for a whole
//! batch, and that one, on a thread of the runtime, wakes the others.

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::ticket::Outcome;

/// Somebody who waits for a record.
pub(crate) type Waiter = oneshot::Sender<Outcome>;

/// All who wait for records that were written together.
#[derive(Debug)]
struct Batch {
    waiters: Vec<Waiter>,
    outcome: Outcome,
}

impl Batch {
    fn deliver(self) {
        for waiter in self.waiters {
            // Whoever has gone in the meantime has said what is to be said of that.
            let _gone = waiter.send(self.outcome.clone());
        }
    }
}

/// The writer's way to those who wait.
#[derive(Debug)]
pub(crate) struct Answers(Option<mpsc::UnboundedSender<Batch>>);

impl Answers {
    /// Through a task of the runtime that this is called in. Where there is none, the writer wakes everybody itself.
    pub(crate) fn start() -> Self {
        let Ok(runtime) = Handle::try_current() else { return Self(None) };
        let (sender, mut batches) = mpsc::unbounded_channel::<Batch>();
        runtime.spawn(async move {
            while let Some(batch) = batches.recv().await {
                batch.deliver();
            }
        });
        Self(Some(sender))
    }

    /// Tells everybody the same.
    pub(crate) fn give(&self, waiters: Vec<Waiter>, outcome: Outcome) {
        let batch = Batch { waiters, outcome };
        let refused = match &self.0 {
            Some(task) => task.send(batch).err().map(|refused| refused.0),
            None => Some(batch),
        };
        if let Some(batch) = refused {
            batch.deliver();
        }
    }
}
