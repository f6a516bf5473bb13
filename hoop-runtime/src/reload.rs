//! Follows the policy's files: what is good is put in force, what is not leaves the policy as it is.
//!
//! The files are looked at twice a second, through links: so an editor that renames, a link that is swapped (as a
//! Kubernetes ConfigMap is) and a file on a network are all seen. They are read once nothing about them has changed for
//! one look, or for some seconds where one may still be written, and all of them at once, so that neither half a file nor
//! half of a change of several becomes a policy.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hoopcore::Policy;
use hoopcore::command::Digest;
use hoopcore::mask::Keyring;
use sha2::{Digest as _, Sha256};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;
use crate::diagnostics::Sources;
use crate::gateway::{Change, Gateway};
use crate::policy_files::{self, Loaded, PolicyFilesError};
use crate::trail::Record;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// For how many looks files must stand still that were renamed into their place, and came whole.
const RENAMED_LOOKS: u32 = 1;

/// The same for files that are written in their place: a copy may stall in the middle.
const WRITTEN_LOOKS: u32 = 6;

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
pub(crate) enum ReloadResult {
    /// They are in force.
    Applied,
    /// They are wrong, or cannot be read.
    Rejected,
    /// That they are in force could not be recorded, so they are not; to be tried again.
    Unrecorded,
}

impl ReloadResult {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Applied => "done",
            Self::Rejected | Self::Unrecorded => "refused",
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

impl Look {
    fn file(&self) -> Option<(u64, u64)> {
        match *self {
            Self::There { device, inode, .. } => Some((device, inode)),
            Self::Gone(_) => None,
        }
    }

    /// Whether this is a file that is written where it stands, and may not be whole: the same file looked otherwise before,
    /// or nothing has happened to it since it was written last, not even that it got its name.
    fn is_written_in_place(&self, before: Option<&Self>) -> bool {
        let same = before.is_some_and(|before| before != self && before.file() == self.file());
        match self {
            Self::There { modified, changed, .. } => same || modified == changed,
            Self::Gone(_) => false,
        }
    }
}

/// What was seen of the files, look by look.
#[derive(Debug, Default)]
struct Watch {
    seen: Vec<Look>,
    /// How they looked when they were read last.
    read: Vec<Look>,
    /// How many looks in a row were like the one before.
    still: u32,
    /// One of them has been written in its place since they were read.
    in_place: bool,
}

impl Watch {
    /// Takes a look; whether the files have changed and stood still for long enough to be read.
    fn look(&mut self, now: Vec<Look>) -> bool {
        if now == self.seen {
            self.still = self.still.saturating_add(1);
        } else {
            let changed = now.iter().enumerate().filter(|(place, look)| self.seen.get(*place) != Some(look));
            self.in_place |= changed.into_iter().any(|(place, look)| look.is_written_in_place(self.seen.get(place)));
            (self.still, self.seen) = (0, now);
        }
        let enough = if self.in_place { WRITTEN_LOOKS } else { RENAMED_LOOKS };
        self.still >= enough && self.seen != self.read
    }

    /// They were read as they looked last.
    fn read(&mut self) {
        self.read.clone_from(&self.seen);
        self.in_place = false;
    }
}

/// Runs what waits for a disk; nothing where it failed in a way that it should not.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(run).await.ok()
}

/// The texts of the files, where they stayed as they were while they were read.
fn read_steady(paths: &[PathBuf]) -> Option<Result<Sources, PolicyFilesError>> {
    let before = look_at(paths);
    let sources = policy_files::read(paths);
    (look_at(paths) == before).then_some(sources)
}

/// A policy, and what is to be said about it, which takes as long to find as the policy to read.
struct Checked {
    policy: Policy,
    warnings: Option<String>,
}

fn check(sources: Sources, keys: &Keyring) -> Result<Checked, PolicyFilesError> {
    let Loaded { policy, sources } = policy_files::parse_with_keys(sources, keys)?;
    let warnings = policy.warnings();
    let warnings = (!warnings.is_empty()).then(|| sources.render_all(&warnings));
    Ok(Checked { policy, warnings })
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
        let mut watch = Watch::default();
        loop {
            ticks.tick().await;
            let paths = self.config().policy.clone();
            let Some(now) = blocking(move || look_at(&paths)).await else { continue };
            if watch.look(now) && self.reload_changed().await {
                watch.read();
            }
        }
    }

    /// Reads the policy's files and puts what they hold in force, also where they have not changed; whether that was done.
    /// What is wrong with them goes to the log and on record, and the policy before stays.
    pub async fn reload_policy(&self) -> bool {
        let _turn = self.reload_state().turn.lock().await;
        let paths = self.config().policy.clone();
        let Some(sources) = blocking(move || policy_files::read(&paths)).await else { return false };
        self.reload_state().is_new(sources.as_ref().ok().map(digest));
        self.apply(sources).await == ReloadResult::Applied
    }

    /// Reloads where the texts are others than those that were tried last; whether that is done with.
    async fn reload_changed(&self) -> bool {
        let _turn = self.reload_state().turn.lock().await;
        let paths = self.config().policy.clone();
        let Some(Some(sources)) = blocking(move || read_steady(&paths)).await else { return false };
        let new = self.reload_state().is_new(sources.as_ref().ok().map(digest));
        !new || self.apply(sources).await != ReloadResult::Unrecorded
    }

    async fn apply(&self, sources: Result<Sources, PolicyFilesError>) -> ReloadResult {
        let checked = match sources {
            Ok(sources) => {
                let keys = self.config().keyring.clone();
                blocking(move || check(sources, &keys)).await.unwrap_or(Err(PolicyFilesError::Unfinished))
            }
            Err(error) => Err(error),
        };
        let result = match checked {
            Ok(checked) => self.change_policy(checked).await,
            Err(error) => self.keep_policy(&error),
        };
        self.count_reload(result);
        result
    }

    /// A change of the policy is recorded before it is in force; what is held is judged by it at once.
    async fn change_policy(&self, Checked { policy, warnings }: Checked) -> ReloadResult {
        let before = *self.policy().digest();
        let record = Record::policy_reloaded(clock::now(), &before, policy.digest());
        if let Err(failure) = self.record_before(record).await {
            tracing::error!(%failure, "a new policy is NOT in force: that it changed could not be recorded");
            // To be tried again.
            self.reload_state().forget();
            return ReloadResult::Unrecorded;
        }
        if let Some(warnings) = warnings {
            tracing::warn!("the new policy has warnings:\n{warnings}");
        }
        match self.put_in_force(policy) {
            Change::Rules => {
                self.grants().clear();
                tracing::info!("a new policy is in force");
                self.review_all().await;
            }
            Change::Places => tracing::info!("the policy was read anew, and its rules are the same"),
        }
        ReloadResult::Applied
    }

    fn keep_policy(&self, error: &PolicyFilesError) -> ReloadResult {
        tracing::error!("the policy's files are NOT in force, the policy before stays:\n{error}");
        let in_force = *self.policy().digest();
        self.trail().append(&Record::policy_refused(clock::now(), &in_force, error));
        ReloadResult::Rejected
    }

    fn count_reload(&self, result: ReloadResult) {
        match result {
            ReloadResult::Applied => self.reload_state().done.fetch_add(1, Ordering::Relaxed),
            ReloadResult::Rejected | ReloadResult::Unrecorded => {
                self.reload_state().refused.fetch_add(1, Ordering::Relaxed)
            }
        };
        if let Some(metrics) = self.metrics() {
            metrics.reloaded(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Watch, blocking};

    /// A file by its inode, its size, and whether it got its name after it was written.
    fn file(inode: u64, size: u64, renamed: bool) -> Look {
        let modified = (i64::try_from(size).unwrap_or_default(), 0);
        let changed = (modified.0 + i64::from(renamed), 0);
        Look::There { device: 1, inode, size, modified, changed }
    }

    /// Looks one after the other, each a file's inode, `r` where it was renamed into its place, and its size; after how
    /// many of them the file is read.
    fn check(looks: &str, expected: &[usize]) {
        let mut watch = Watch { seen: vec![file(1, 10, true)], read: vec![file(1, 10, true)], ..Watch::default() };
        let look = |word: &str| match word.split_once(['r', 'w']) {
            Some((inode, size)) => file(inode.parse().unwrap(), size.parse().unwrap(), word.contains('r')),
            None => Look::Gone(std::io::ErrorKind::NotFound),
        };
        let mut read = Vec::new();
        for (count, word) in looks.split(' ').enumerate() {
            if watch.look(vec![look(word)]) {
                watch.read();
                read.push(count + 1);
            }
        }
        assert_eq!(read, expected, "{looks}");
    }

    #[test]
    fn what_may_still_be_written_rests_longer() {
        check("1r10 1r10 1r10", &[]);
        check("2r20 2r20 2r20", &[2]);
        check("gone gone 2r20 2r20", &[2, 4]);
        // A copy over the file stalls for two seconds and goes on.
        check("1w0 1w5 1w5 1w5 1w5 1w20 1w20 1w20 1w20 1w20 1w20 1w20 1w20", &[12]);
        check("1w5 1w5 1w5 1w5 1w5 1w5 1w5", &[7]);
        // The same into a new file, also where that is seen from its beginning.
        check("gone 2w5 2w5 2w5 2w5 2w20 2w20 2w20 2w20 2w20 2w20 2w20", &[12]);
        // Whoever renames afterwards has it read at once the next time.
        check("1w5 1w5 1w5 1w5 1w5 1w5 1w5 3r30 3r30", &[7, 9]);
        // Only its times are others.
        check("1r11 1r11 1r11 1r11 1r11 1r11 1r11", &[7]);
    }

    #[tokio::test]
    async fn a_failure_of_our_own_is_told() {
        assert_eq!(blocking(|| 1).await, Some(1));
        assert_eq!(blocking(|| "x".parse::<i32>().unwrap()).await, None);
    }
}
