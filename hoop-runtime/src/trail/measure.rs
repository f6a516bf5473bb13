//! How many records a disk takes, and how long each waits.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Mode, Record, Trail};
use crate::{Attempt, clock};

/// What a disk gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Records that were acknowledged.
    pub records: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// The wait of each record, shortest first.
    pub waits: Vec<Duration>,
}

impl Measurement {
    /// Records in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.elapsed.as_secs_f64()
    }

    /// The wait that this share of the records, in hundredths, did not exceed.
    #[must_use]
    pub fn wait(&self, percent: usize) -> Duration {
        let at = self.waits.len().saturating_mul(percent) / 100;
        self.waits.get(at.min(self.waits.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// Writes records of about `bytes` bytes into a directory, from as many clients at once, each waiting for its own.
///
/// # Errors
/// Where the directory cannot be written.
pub async fn measure(
    directory: &Path,
    mode: Mode,
    clients: usize,
    bytes: usize,
    time: Duration,
) -> io::Result<Measurement> {
    let trail = Trail::open(directory, mode)?;
    let begin = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..clients {
        running.spawn(client(trail.clone(), "x".repeat(bytes), begin + time));
    }
    let mut waits: Vec<Duration> = running.join_all().await.into_iter().flatten().collect();
    let elapsed = begin.elapsed();
    waits.sort_unstable();
    Ok(Measurement { records: waits.len(), elapsed, waits })
}

async fn client(trail: Trail, text: String, until: Instant) -> Vec<Duration> {
    let mut waits = Vec::new();
    while Instant::now() < until {
        let begin = Instant::now();
        let record = Record::login_refused(clock::now(), &Attempt::default(), &text);
        if trail.submit(&record).await.is_err() {
            break;
        }
        waits.push(begin.elapsed());
    }
    waits
}
