//! Follows the policy's files: what is good is put in force, what is not leaves the policy as it is.
//!
//! The files are looked at twice a second, through links: so an editor that renames, a link that is swapped (as a
//! Kubernetes ConfigMap is) and a file on a network are all seen. They are read once nothing about them has changed for
//! one look, and all of them at once, so that neither half a file nor half of a change of several becomes a policy.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hoopcore::command::Digest;
use sha2::{Digest as _, Sha256};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;
use crate::diagnostics::Sources;
use crate::gateway::Gateway;
use crate::policy_files::{self, Loaded, PolicyFilesError};
use crate::trail::Record;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// How often the policy's files became the policy in force since the start, and how often they did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// They were put in force.
    pub done: u64,
    /// They could not be read, were wrong, or the change could not be recorded: the policy before stays.
    pub refused: u64,
}

/// What became of the policy's files once they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Refused,
}

impl Outcome {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// What a gateway knows of the files of its policy.
#[derive(Debug)]
pub(crate) struct Reload {
    done: AtomicU64,
    refused: AtomicU64,
    /// Digest of the texts that were tried last.
    tried: Mutex<Option<Digest>>,
    /// One reload at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Reload {
    pub(crate) fn of(sources: &Sources) -> Self {
        let tried = Mutex::new(Some(digest(sources)));
        Self { done: AtomicU64::new(0), refused: AtomicU64::new(0), tried, turn: tokio::sync::Mutex::new(()) }
    }

    /// Remembers what is tried now; whether it is something else than before.
    fn is_new(&self, texts: Option<Digest>) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let new = *tried != texts || texts.is_none();
        *tried = texts;
        new
    }

    fn forget(&self) {
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// SHA-256 over the names and texts of files, each with its length before it.
fn digest(sources: &Sources) -> Digest {
    let mut hash = Sha256::new();
    for part in sources.iter().flat_map(|(name, text)| [name, text]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    There { device: u64, inode: u64, size: u64, modified: (i64, i64), changed: (i64, i64) },
    Gone(io::ErrorKind),
}

fn look(path: &Path) -> Look {
    match fs::metadata(path) {
        Ok(file) => Look::There {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        },
        Err(error) => Look::Gone(error.kind()),
    }
}

fn look_at(paths: &[PathBuf]) -> Vec<Look> {
    paths.iter().map(|path| look(path)).collect()
}

/// Runs what waits for a disk.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(run).await.ok()
}

/// The texts of the files, where they stayed as they were while they were read.
fn read_steady(paths: &[PathBuf]) -> Option<Result<Sources, PolicyFilesError>> {
    let before = look_at(paths);
    let sources = policy_files::read(paths);
    (look_at(paths) == before).then_some(sources)
}

/// What became of the texts of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    InForce,
    Wrong,
    NotRecorded,
}

impl Gateway {
    /// How often the policy's files became the policy in force since the start, and how often they did not.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        let Reload { done, refused, .. } = self.reload_state();
        Reloads { done: done.load(Ordering::Relaxed), refused: refused.load(Ordering::Relaxed) }
    }

    /// Follows the policy's files until it is dropped.
    pub async fn follow_policy_files(&self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut read) = (Vec::new(), Vec::new());
        loop {
            ticks.tick().await;
            let paths = self.config().policy.clone();
            let Some(now) = blocking(move || look_at(&paths)).await else { continue };
            if now == seen && now != read && self.reload_changed().await {
                read.clone_from(&now);
            }
            seen = now;
        }
    }

    /// Reads the policy's files and puts what they hold in force, also where they have not changed; whether that was done.
    /// What is wrong with them goes to the log and on record, and the policy before stays.
    pub async fn reload_policy(&self) -> bool {
        let _turn = self.reload_state().turn.lock().await;
        let paths = self.config().policy.clone();
        let Some(sources) = blocking(move || policy_files::read(&paths)).await else { return false };
        self.reload_state().is_new(sources.as_ref().ok().map(digest));
        self.put_in_force_if_good(sources).await == Came::InForce
    }

    /// Reloads where the texts are others than those that were tried last; whether that is done with.
    async fn reload_changed(&self) -> bool {
        let _turn = self.reload_state().turn.lock().await;
        let paths = self.config().policy.clone();
        let Some(Some(sources)) = blocking(move || read_steady(&paths)).await else { return false };
        let new = self.reload_state().is_new(sources.as_ref().ok().map(digest));
        !new || self.put_in_force_if_good(sources).await != Came::NotRecorded
    }

    async fn put_in_force_if_good(&self, sources: Result<Sources, PolicyFilesError>) -> Came {
        let loaded = match sources {
            Ok(sources) => {
                let keys = self.config().keyring.clone();
                blocking(move || policy_files::parse_with_keys(sources, &keys)).await
            }
            Err(error) => Some(Err(error)),
        };
        match loaded {
            Some(Ok(loaded)) => self.change_policy(loaded).await,
            Some(Err(error)) => self.keep_policy(&error),
            None => Came::Wrong,
        }
    }

    /// A change of the policy is recorded before it is in force; what is held is judged by it at once.
    async fn change_policy(&self, Loaded { policy, sources }: Loaded) -> Came {
        let before = *self.policy().digest();
        let record = Record::policy_reloaded(clock::now(), &before, policy.digest());
        if let Err(failure) = self.record_before(record).await {
            tracing::error!(%failure, "a new policy is NOT in force: that it changed could not be recorded");
            self.count_reload(Outcome::Refused);
            // To be tried again.
            self.reload_state().forget();
            return Came::NotRecorded;
        }
        let warnings = policy.warnings();
        if !warnings.is_empty() {
            tracing::warn!("the new policy has warnings:\n{}", sources.render_all(&warnings));
        }
        let same = before == *policy.digest();
        self.put_in_force(policy);
        if !same {
            self.grants().clear();
        }
        self.count_reload(Outcome::Done);
        tracing::info!("a new policy is in force");
        self.review_all().await;
        Came::InForce
    }

    fn keep_policy(&self, error: &PolicyFilesError) -> Came {
        tracing::error!("the policy's files are NOT in force, the policy before stays:\n{error}");
        let in_force = *self.policy().digest();
        self.trail().append(&Record::policy_refused(clock::now(), &in_force, error));
        self.count_reload(Outcome::Refused);
        Came::Wrong
    }

    fn count_reload(&self, outcome: Outcome) {
        match outcome {
            Outcome::Done => self.reload_state().done.fetch_add(1, Ordering::Relaxed),
            Outcome::Refused => self.reload_state().refused.fetch_add(1, Ordering::Relaxed),
        };
        if let Some(metrics) = self.metrics() {
            metrics.reloaded(outcome);
        }
    }
}
