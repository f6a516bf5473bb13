//! Tests of the trail: what was acknowledged is what a power cut leaves, wherever the disk fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoopcore::{Call, Command, Identity, Policy, Request, Resource, SessionFacts, Timestamp, Verified};
use serde_json::Value;

use super::files::SegmentFile;
use super::*;
use crate::Attempt;

/// A disk that fails is tried again at once, or not within a test.
const AT_ONCE: Waits = Waits { backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO }, linger: HOUR };
const MUCH_LATER: Waits = Waits { backoff: Backoff { first: HOUR, longest: HOUR }, linger: HOUR };
const HOUR: Duration = Duration::from_secs(3600);

/// A disk on which bytes are safe only once they are synced, and whose operations fail on demand.
#[derive(Clone, Default)]
struct Disk(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    files: BTreeMap<String, Content>,
    operations: u32,
    failing: std::ops::Range<u32>,
    failed: u32,
    /// Operations do not come back.
    hangs: bool,
}

#[derive(Clone, Default)]
struct Content {
    safe: Vec<u8>,
    unsynced: Vec<u8>,
    /// Whether that is safe or not.
    written: Vec<u8>,
}

impl Disk {
    /// A disk whose operations of these numbers, counted from zero, fail.
    fn failing(failing: std::ops::Range<u32>) -> Self {
        Self(Arc::new((Mutex::new(State { failing, ..State::default() }), Condvar::new())))
    }

    fn operation<T>(&self, run: impl FnOnce(&mut State, bool) -> T) -> io::Result<T> {
        let (state, awake) = &*self.0;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = awake.wait_while(state, |state| state.hangs).unwrap_or_else(PoisonError::into_inner);
        let fails = state.failing.contains(&state.operations);
        state.operations += 1;
        state.failed += u32::from(fails);
        let done = run(&mut state, fails);
        if fails { Err(io::Error::other("no space left on device")) } else { Ok(done) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hang(&self, hangs: bool) {
        self.state().hangs = hangs;
        self.0.1.notify_all();
    }

    /// So many operations fail from now on, and those after them do not.
    fn fail_from_now(&self, count: u32) {
        let mut state = self.state();
        state.failing = state.operations..state.operations.saturating_add(count);
    }

    fn failures(&self) -> u32 {
        self.state().failed
    }

    fn operations(&self) -> u32 {
        self.state().operations
    }

    /// What is left after a power cut: the whole lines among the safe bytes.
    fn recover(&self) -> Vec<Value> {
        self.lines(|content| content.safe.clone())
    }

    /// What can be read before one: the whole lines of all that was written.
    fn read(&self) -> Vec<Value> {
        self.lines(|content| content.written.clone())
    }

    fn lines(&self, bytes: impl Fn(&Content) -> Vec<u8>) -> Vec<Value> {
        let state = self.state();
        let whole = |content: &Content| {
            let text = String::from_utf8(bytes(content)).unwrap();
            text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect::<Vec<_>>()
        };
        state.files.values().flat_map(whole).map(|line| serde_json::from_str(&line).unwrap()).collect()
    }
}

impl Folder for Disk {
    fn create(&mut self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        self.operation(|state, fails| {
            if !fails {
                assert!(state.files.insert(name.to_owned(), Content::default()).is_none(), "a name is used once");
            }
        })?;
        Ok(Box::new(OpenFile { disk: self.clone(), name: name.to_owned(), failed: false }))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.operation(|_, _| ())
    }

    fn discard(&mut self, name: &str) -> io::Result<()> {
        self.state().files.remove(name);
        Ok(())
    }
}

struct OpenFile {
    disk: Disk,
    name: String,
    failed: bool,
}

impl SegmentFile for OpenFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(!self.failed, "a file that failed is never used again");
        let written = self.disk.operation(|state, fails| {
            let part = if fails { &bytes[..bytes.len() / 2] } else { bytes };
            let content = state.files.get_mut(&self.name).unwrap();
            content.unsynced.extend_from_slice(part);
            content.written.extend_from_slice(part);
        });
        self.failed = written.is_err();
        written
    }

    fn sync(&mut self) -> io::Result<()> {
        assert!(!self.failed, "a file that failed is never used again");
        let synced = self.disk.operation(|state, fails| {
            let content = state.files.get_mut(&self.name).unwrap();
            let unsynced = std::mem::take(&mut content.unsynced);
            if !fails {
                content.safe.extend_from_slice(&unsynced);
            }
        });
        self.failed = synced.is_err();
        synced
    }
}

fn attempt(user: &str) -> Record {
    let attempt = Attempt { user: user.to_owned(), ..Attempt::default() };
    Record::login_refused(clock::now(), &attempt, user)
}

/// The names in the records that are left, in order.
fn names(records: &[Value]) -> Vec<String> {
    records.iter().filter_map(|record| record["reason"].as_str()).map(str::to_owned).collect()
}

/// Twelve records one after another; after each third one a record that nobody waits for. Gives those acknowledged.
async fn drive(trail: Trail) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut acknowledged, mut owed) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..12 {
        let name = format!("awaited-{number}");
        if trail.submit(&attempt(&name)).await.is_ok() {
            acknowledged.insert(name);
        }
        if number % 3 == 0 {
            let name = format!("owed-{number}");
            trail.append(&attempt(&name));
            owed.insert(name);
        }
    }
    written(&trail).await;
    (acknowledged, owed)
}

/// Waits until the disk has done with failing.
async fn written(trail: &Trail) {
    for _ in 0..8 {
        if trail.flush().await.is_ok() {
            break;
        }
    }
}

#[tokio::test]
async fn acknowledged_is_recoverable_whichever_operation_fails() {
    for length in [1, 2, 5] {
        for first in 0.. {
            let disk = Disk::failing(first..first + length);
            let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, AT_ONCE);
            assert!(!disk.state().files.values().any(|file| file.written.is_empty()), "an empty file stays");
            let Ok(trail) = trail else { continue };
            let (acknowledged, owed) = drive(trail).await;
            let expected: BTreeSet<_> = acknowledged.union(&owed).cloned().collect();
            let records = disk.recover();
            let recovered = names(&records);
            assert_eq!(recovered.len(), expected.len(), "twice or never, failing from {first}: {recovered:?}");
            assert_eq!(BTreeSet::from_iter(recovered), expected, "failing from {first}");
            let numbers: Vec<_> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
            assert!(numbers.is_sorted_by(|one, next| one < next), "numbers grow: {numbers:?}");
            if disk.failures() == 0 {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_disk_that_stays_broken_refuses_and_keeps_what_was_acknowledged() {
    let disk = Disk::failing(7..u32::MAX);
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, AT_ONCE).unwrap();
    let (acknowledged, _) = drive(trail).await;
    assert_eq!(acknowledged.len(), 1, "{acknowledged:?}");
    assert!(acknowledged.is_subset(&BTreeSet::from_iter(names(&disk.recover()))));
}

#[tokio::test]
async fn without_a_sync_a_power_cut_takes_what_was_acknowledged() {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::Written, AT_ONCE).unwrap();
    let (acknowledged, _) = drive(trail).await;
    assert_eq!(acknowledged.len(), 12);
    assert!(disk.recover().is_empty(), "this test can tell a sync from none");
}

#[tokio::test]
async fn a_file_that_failed_is_named_by_the_next() {
    let disk = Disk::failing(5..6);
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, AT_ONCE).unwrap();
    drive(trail).await;
    let segments: Vec<_> = disk.recover().into_iter().filter(|record| record["kind"] == "segment").collect();
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[1]["failure"], "no space left on device");
    assert!(segments[1]["after"].as_str().unwrap().ends_with("-000001.jsonl"));
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "not within 20 seconds: {what}");
}

/// A disk that fails from its next operation on, behind a trail that has noticed.
async fn broken(waits: Waits) -> (Disk, Trail) {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, waits).unwrap();
    disk.fail_from_now(u32::MAX);
    assert!(trail.submit(&attempt("the first")).await.is_err());
    assert!(trail.is_failing());
    (disk, trail)
}

#[tokio::test]
async fn a_trail_is_well_again_without_being_asked() {
    let (disk, trail) = broken(AT_ONCE).await;
    disk.fail_from_now(3);
    eventually("it writes again", || !trail.is_failing()).await;
    assert!(trail.submit(&attempt("the next")).await.is_ok());
}

#[tokio::test]
async fn a_disk_that_hangs_is_seen() {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, AT_ONCE).unwrap();
    let later = || Instant::now() + PATIENCE + Duration::from_secs(1);
    eventually("it waits", || !trail.fails_at(later())).await;
    disk.hang(true);
    let ticket = trail.submit(&attempt("one"));
    eventually("it writes", || trail.fails_at(later())).await;
    disk.hang(false);
    ticket.await.unwrap();
    eventually("it waits again", || !trail.fails_at(later())).await;
}

/// Whoever asks for what, as often as they like, and gives up.
#[tokio::test]
async fn a_broken_disk_is_left_alone_and_fills_no_memory() {
    let (disk, trail) = broken(MUCH_LATER).await;
    let operations = disk.operations();
    let (record, room) = (attempt(&"x".repeat(8000)), QUEUE_BYTES + 10_000);
    let kept: Vec<_> = (0..1500).map(|_| trail.submit(&record)).collect();
    for _ in 0..1500 {
        drop(Confirmation::new(trail.clone(), trail.submit(&record), Some(|| attempt("not done"))));
    }
    assert!(trail.waiting() <= room, "{} bytes", trail.waiting());
    drop(kept);
    assert_eq!(disk.operations(), operations, "nobody touches it");
    disk.fail_from_now(0);
    drop(trail);
    let told = names(&disk.read());
    assert!(told.len() > 100 && !told.contains(&"not done".to_owned()), "nothing is said of what never was");
}

/// A disk that does not answer keeps no process from its end, which knows what it leaves behind.
#[tokio::test]
async fn the_end_waits_no_longer_than_it_may() {
    let disk = Disk::default();
    let waits = Waits { linger: Duration::ZERO, ..AT_ONCE };
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, waits).unwrap();
    trail.submit(&attempt("one")).await.unwrap();
    disk.hang(true);
    trail.append(&attempt("two"));
    let end = trail.end();
    drop(trail);
    let Err(Unwritten::Hanging { bytes, .. }) = end.wait() else { panic!("a record waits") };
    assert!(bytes > 100, "{bytes}");
    disk.hang(false);
}

#[tokio::test]
async fn the_end_says_whether_all_was_written() {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, AT_ONCE).unwrap();
    trail.append(&attempt("one"));
    assert_eq!(trail.end().wait(), Ok(()));
    assert_eq!(names(&disk.recover()), ["one"]);
    assert!(trail.submit(&attempt("two")).await.is_err(), "it has ended");
    let (_disk, trail) = broken(MUCH_LATER).await;
    trail.append(&attempt("two"));
    assert_eq!(trail.end().wait(), Err(Unwritten::Failed { records: 1 }));
}

#[test]
fn rests_grow_to_the_longest() {
    let rests = [1, 2, 3, 6, 7, 40, u32::MAX].map(|failures| BACKOFF.rest(failures).as_millis());
    assert_eq!(rests, [20, 40, 80, 640, 1000, 1000, 1000]);
}

#[tokio::test]
async fn what_was_lost_is_told() {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::BestEffort, AT_ONCE).unwrap();
    disk.hang(true);
    let record = attempt(&"x".repeat(8000));
    for _ in 0..1500 {
        trail.submit(&record).await.unwrap();
    }
    disk.hang(false);
    drop(trail);
    let records = disk.read();
    let lost: u64 =
        records.iter().filter(|record| record["kind"] == "lost").filter_map(|r| r["records"].as_u64()).sum();
    assert!(lost > 0);
    assert_eq!(names(&records).len() as u64 + lost, 1500);
}

/// Nobody waits for the second and third any longer: one is in the writer's hand, the other is not yet.
#[tokio::test]
async fn what_nobody_waits_for_is_taken_back_or_corrected() {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, AT_ONCE).unwrap();
    let confirm = |name: &'static str| {
        Confirmation::new(trail.clone(), trail.submit(&attempt(name)), Some(move || attempt(&format!("not {name}"))))
    };
    confirm("first").await.unwrap();
    disk.hang(true);
    let second = confirm("second");
    eventually("it is in hand", || trail.0.queue.is_empty()).await;
    let (third, fourth) = (confirm("third"), confirm("fourth"));
    drop((second, third));
    disk.hang(false);
    fourth.await.unwrap();
    drop(trail);
    assert_eq!(names(&disk.recover()), ["first", "second", "fourth", "not second"]);
}

/// What was refused and can be read all the same is corrected, wherever the disk fails.
#[tokio::test]
async fn what_failed_is_corrected_where_it_can_be_read() {
    let mut corrected = 0;
    for length in [1, 2, 5] {
        for first in 0..40 {
            let disk = Disk::failing(first..first + length);
            let Ok(trail) = Trail::over(Box::new(disk.clone()), Mode::Durable, AT_ONCE) else { continue };
            let mut refused = Vec::new();
            for number in 0..12 {
                let ticket = trail.submit(&attempt(&number.to_string()));
                let not = || attempt(&format!("not {number}"));
                if Confirmation::new(trail.clone(), ticket, Some(not)).await.is_err() {
                    refused.push(number.to_string());
                }
            }
            written(&trail).await;
            let (read, safe) = (names(&disk.read()), names(&disk.recover()));
            for name in refused.iter().filter(|name| read.contains(name)) {
                assert!(safe.contains(&format!("not {name}")), "{name}, failing from {first}: {safe:?}");
                corrected += 1;
            }
            let corrections = safe.iter().filter(|name| name.starts_with("not ")).count();
            assert!(corrections <= refused.len(), "{safe:?}");
        }
    }
    assert!(corrected > 0);
}

#[tokio::test]
async fn many_records_share_a_sync() {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable, AT_ONCE).unwrap();
    disk.hang(true);
    let tickets: Vec<_> = (0..1000).map(|number| trail.submit(&attempt(&number.to_string()))).collect();
    disk.hang(false);
    for ticket in tickets {
        ticket.await.unwrap();
    }
    let operations = disk.operations();
    assert!(operations <= 8, "{operations} operations for 1000 records");
    assert_eq!(names(&disk.recover()), (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_queue_refuses_what_is_awaited_and_takes_what_is_retried() {
    let entry = |delivery| Entry { line: vec![0; 100], delivery };
    let awaited = || entry(Delivery::Acknowledged(oneshot::channel().0));
    let one = awaited().bytes();
    assert!(one > 100);
    let queue = Queue::new(2 * one);
    assert!(queue.push(awaited()).is_ok());
    assert!(queue.push(awaited()).is_ok());
    assert!(queue.push(awaited()).is_err());
    for _ in 2..16 {
        assert!(queue.push(entry(Delivery::Retried)).is_ok());
    }
    assert!(queue.push(entry(Delivery::Retried)).is_err(), "that is bounded, too");
    let taken = queue.take(None).unwrap();
    assert_eq!((taken.entries.len(), taken.lost), (16, 1));
    assert!(queue.push(awaited()).is_err(), "bytes in the writer's hand count");
    queue.release(15 * one);
    assert!(queue.push(awaited()).is_ok());
}

#[tokio::test]
async fn hostile_text_stays_one_line_and_comes_back_exactly() {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpora/log_injection.jsonl");
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/log_injection.jsonl");
    let cases = fs::read_to_string(shared).or_else(|_| fs::read_to_string(own)).unwrap();
    let mut values: Vec<String> = cases
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["input"]["value"].as_str().unwrap().to_owned())
        .collect();
    values.extend(('\0'..='\u{ffff}').map(|c| format!("a{c}\u{e0041}\"z")));
    for value in values {
        let line = line::render(&attempt(&value)).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line.chars().find(|c| is_deceptive(*c)), None, "raw in {line:?}");
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["reason"], Value::String(value));
    }
}

#[tokio::test]
async fn files_on_disk_are_private_and_numbered() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let trail = Trail::open(&folder.path().join("deep/audit"), Mode::Durable).unwrap();
    trail.submit(&attempt("one")).await.unwrap();
    drop(trail);
    let file = fs::read_dir(folder.path().join("deep/audit")).unwrap().next().unwrap().unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(file.path()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(lines[1]["kind"], "login_refused");
}

/// The line of what is decided about a statement, without what no two decisions share.
fn decided(origin: &Origin, policy: &Policy, command: &Command, facts: &SessionFacts) -> Value {
    let who = Verified::vouched(Identity::named("etl-7"), "test");
    let call = Call::new(command, facts, clock::now());
    let (event, _sealed) = policy.evaluate(&Request { who: &who, on: &Resource::postgres("db"), call }).seal();
    let line = line::render(&Record::event(origin, &event)).unwrap();
    let mut record: Value = serde_json::from_slice(&line).unwrap();
    for own in ["time", "session", "decision"] {
        assert!(record.as_object_mut().unwrap().remove(own).is_some(), "{own}");
    }
    record
}

#[test]
fn what_is_said_again_is_said_in_the_same_words() {
    const RULES: &str = "hoop: 1\nrules:\n- { rule: NAME, who: anyone, on: db, allow: { sql: { read: public.* } } }\n";
    let policies = ["one", "other"].map(|name| Policy::from_yaml(&RULES.replace("NAME", name)).unwrap());
    let commands = ["SELECT a FROM t", "SELECT a FROM t WHERE b = 1", "DROP TABLE t", "SELECT"].map(Command::sql);
    let unknown = SessionFacts { search_path: Vec::new(), ..SessionFacts::default() };
    let origin = || {
        let who = Verified::vouched(Identity::named("etl-7"), "test");
        Origin::new(None, false, &who, &Resource::postgres("db"))
    };
    let warm = origin();
    for _ in 0..2 {
        for (policy, command) in
            policies.iter().flat_map(|policy| commands.iter().map(move |command| (policy, command)))
        {
            for facts in [&SessionFacts::default(), &unknown] {
                let expected = decided(&origin(), policy, command, facts);
                assert_eq!(decided(&warm, policy, command, facts), expected);
            }
        }
    }
}

#[test]
fn a_record_reads_from_who_to_what() {
    let who = Verified::vouched(Identity::named("etl-7"), "test");
    let origin = Origin::new("127.0.0.1".parse().ok(), true, &who, &Resource::postgres("db"));
    let check = |record: &Record, expected: &str| {
        let line = String::from_utf8(line::render(record).unwrap()).unwrap();
        assert_eq!(line, expected.replace("SESSION", &origin.session));
    };
    let at = Timestamp::UNIX_EPOCH;
    check(
        &Record::not_carried_out(at, &origin, 7),
        r#"{"time":"1970-01-01T00:00:00Z","kind":"closing","observed":true,"session":"SESSION","who":{"user":"etl-7","how":"test"},"source":"127.0.0.1","on":{"resource":"db"},"decision":7,"rule":null,"completion":{"status":"not_carried_out","rows":0,"bytes":0,"cells_masked":0,"cells_clear":0}}"#,
    );
    let login = Record::login(at, &origin, &[0xab; 32], None).void(at);
    let policy = "ab".repeat(32);
    check(
        &login,
        &format!(
            r#"{{"time":"1970-01-01T00:00:00Z","kind":"void","voids":"login","observed":true,"session":"SESSION","who":{{"user":"etl-7","how":"test"}},"source":"127.0.0.1","on":{{"resource":"db"}},"policy":"{policy}"}}"#
        ),
    );
    check(
        &Record::session_expired(at, &origin),
        r#"{"time":"1970-01-01T00:00:00Z","kind":"session_expired","observed":true,"session":"SESSION","who":{"user":"etl-7","how":"test"},"source":"127.0.0.1","on":{"resource":"db"},"reason":"the token that opened the session has ended"}"#,
    );
    check(
        &Record::timed_out(at, &origin, crate::config::Timeout::Idle, Duration::from_secs(90)),
        r#"{"time":"1970-01-01T00:00:00Z","kind":"timed_out","observed":true,"session":"SESSION","who":{"user":"etl-7","how":"test"},"source":"127.0.0.1","on":{"resource":"db"},"timeout":"idle","after":"1m 30s"}"#,
    );
}
