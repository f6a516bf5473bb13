//! Tests of the trail: what was acknowledged is what a power cut leaves, wherever the disk fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hoopcore::{Call, Command, Identity, Policy, Request, Resource, SessionFacts, Timestamp, Verified};
use serde_json::Value;

use super::files::SegmentFile;
use super::*;
use crate::Attempt;

/// A disk on which bytes are safe only once they are synced, and whose operations fail on demand.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<String, Content>,
    operations: u32,
    failing: std::ops::Range<u32>,
    failed: u32,
}

#[derive(Clone, Default)]
struct Content {
    safe: Vec<u8>,
    unsynced: Vec<u8>,
}

impl Disk {
    /// A disk whose operations of these numbers, counted from zero, fail.
    fn failing(failing: std::ops::Range<u32>) -> Self {
        Self(Arc::new(Mutex::new(State { failing, ..State::default() })))
    }

    fn operation<T>(&self, run: impl FnOnce(&mut State, bool) -> T) -> io::Result<T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fails = state.failing.contains(&state.operations);
        state.operations += 1;
        state.failed += u32::from(fails);
        let done = run(&mut state, fails);
        if fails { Err(io::Error::other("no space left on device")) } else { Ok(done) }
    }

    fn failures(&self) -> u32 {
        self.0.lock().unwrap().failed
    }

    /// What is left after a power cut: the whole lines among the safe bytes.
    fn recover(&self) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        let whole = |content: &Content| {
            let text = String::from_utf8(content.safe.clone()).unwrap();
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

    fn discard(&mut self, name: &str) {
        self.0.lock().unwrap().files.remove(name);
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
            state.files.get_mut(&self.name).unwrap().unsynced.extend_from_slice(part);
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
    for _ in 0..8 {
        if trail.flush().await.is_ok() {
            break;
        }
    }
    (acknowledged, owed)
}

#[tokio::test]
async fn acknowledged_is_recoverable_whichever_operation_fails() {
    for length in [1, 2, 5] {
        for first in 0.. {
            let disk = Disk::failing(first..first + length);
            let Ok(trail) = Trail::over(Box::new(disk.clone()), Mode::Durable) else { continue };
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
    let disk = Disk::failing(6..u32::MAX);
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable).unwrap();
    let (acknowledged, _) = drive(trail).await;
    assert_eq!(acknowledged.len(), 1, "{acknowledged:?}");
    assert!(acknowledged.is_subset(&BTreeSet::from_iter(names(&disk.recover()))));
}

#[tokio::test]
async fn without_a_sync_a_power_cut_takes_what_was_acknowledged() {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::Written).unwrap();
    let (acknowledged, _) = drive(trail).await;
    assert_eq!(acknowledged.len(), 12);
    assert!(disk.recover().is_empty(), "this test can tell a sync from none");
}

#[tokio::test]
async fn a_file_that_failed_is_named_by_the_next() {
    let disk = Disk::failing(4..5);
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable).unwrap();
    drive(trail).await;
    let segments: Vec<_> = disk.recover().into_iter().filter(|record| record["kind"] == "segment").collect();
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[1]["failure"], "no space left on device");
    assert!(segments[1]["after"].as_str().unwrap().ends_with("-000001.jsonl"));
}

#[tokio::test]
async fn a_trail_says_that_it_fails_until_it_does_not() {
    let disk = Disk::failing(6..7);
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable).unwrap();
    let mut story = Vec::new();
    for number in 0..6 {
        let safe = trail.submit(&attempt(&number.to_string())).await.is_ok();
        assert_eq!(trail.is_failing(), !safe);
        story.push(safe);
    }
    assert_eq!((story.first(), story.contains(&false), story.last()), (Some(&true), true, Some(&true)), "{story:?}");
}

#[tokio::test]
async fn many_records_share_a_sync() {
    let disk = Disk::default();
    let trail = Trail::over(Box::new(disk.clone()), Mode::Durable).unwrap();
    let slow = disk.0.lock().unwrap();
    let tickets: Vec<_> = (0..1000).map(|number| trail.submit(&attempt(&number.to_string()))).collect();
    drop(slow);
    for ticket in tickets {
        ticket.await.unwrap();
    }
    let operations = disk.0.lock().unwrap().operations;
    assert!(operations <= 8, "{operations} operations for 1000 records");
    assert_eq!(names(&disk.recover()), (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_queue_refuses_what_is_awaited_and_takes_what_is_owed() {
    let queue = Queue::new(100);
    let awaited = |bytes: usize| Entry { line: vec![0; bytes], claim: Claim::Awaited(oneshot::channel().0) };
    assert!(queue.push(awaited(90)).is_ok());
    assert!(queue.push(awaited(20)).is_err());
    assert!(queue.push(Entry { line: vec![0; 20], claim: Claim::Owed }).is_ok());
    let taken = queue.take(false).unwrap();
    assert_eq!(taken.len(), 2);
    assert!(queue.push(awaited(20)).is_err(), "bytes in the writer's hand count");
    queue.release(110);
    assert!(queue.push(awaited(20)).is_ok());
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
        r#"{"time":"1970-01-01T00:00:00Z","kind":"closing","observed":true,"session":"SESSION","source":"127.0.0.1","decision":7,"rule":null,"completion":{"status":"not_carried_out","rows":0,"bytes":0,"cells_masked":0,"cells_clear":0}}"#,
    );
    check(
        &Record::timed_out(at, &origin, crate::config::Timeout::Idle, Duration::from_secs(90)),
        r#"{"time":"1970-01-01T00:00:00Z","kind":"timed_out","observed":true,"session":"SESSION","who":{"user":"etl-7","how":"test"},"source":"127.0.0.1","on":{"resource":"db"},"timeout":"idle","after":"1m 30s"}"#,
    );
}
