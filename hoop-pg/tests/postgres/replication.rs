//! Replication through the gateway: PostgreSQL's own clients, slot by slot, and never past a mask.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::cluster::{Cluster, psql};
use crate::front::{Front, says};

/// A cluster of its own: a backup takes all of it.
fn own_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start().unwrap_or_else(|error| panic!("{error}")))
}

/// A new database in it with a table, and a client around the gateway.
async fn database(name: &str) -> Client {
    let connect = async |database: &str| {
        let (client, connection) = tokio_postgres::connect(&own_cluster().url(database), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    connect("postgres").await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let client = connect(name).await;
    client
        .batch_execute("CREATE TABLE people (id int, ssn text); INSERT INTO people VALUES (1, '123-45-6789')")
        .await
        .unwrap();
    client
}

async fn value(client: &Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.unwrap();
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    row.unwrap_or_default()
}

async fn open(policy: &str, database: &str) -> Front {
    Front::open_before(own_cluster(), policy, database, "").await
}

/// One of PostgreSQL's clients, which connects to the gateway.
fn client(front: &Front, program: &str, arguments: &[&str]) -> Command {
    let mut client = Command::new(psql().unwrap().with_file_name(program));
    let folder = front.file("audit").parent().unwrap().display().to_string();
    client.args(["-h", &folder, "-p", "5432", "-U", "ann", "-w"]).args(arguments).env("PGPASSWORD", "ann's");
    client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    client
}

/// What a client came to: whether it was content, and what it said.
async fn run(mut client: Command) -> (bool, String) {
    let output: Output = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Whether a client does not serve so new a server: it says so by itself, with or without a gateway.
fn is_too_old(said: &str) -> bool {
    said.contains("incompatible server version")
}

/// Waits until the condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what} does not come");
        tokio::task::yield_now().await;
    }
}

/// Waits until no walsender holds a slot any more: one goes on for a moment when its client has left.
async fn until_released(around: &Client, slot: &str) {
    let asks = format!("SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'");
    until("the end of the walsender", async || value(around, &asks).await == "f").await;
}

/// The records of what was decided, or carried out, about commands whose effects hold this one.
fn decisions<'r>(records: &'r [Value], effect: &str) -> Vec<&'r Value> {
    let bears = |record: &&Value| {
        record["effects"].as_array().is_some_and(|effects| effects.iter().any(|known| known == effect))
    };
    records.iter().filter(bears).collect()
}

fn closing<'r>(records: &'r [Value], decision: &Value) -> &'r Value {
    let closes = |record: &&Value| record["kind"] == "closing" && record["decision"] == decision["decision"];
    records.iter().find(closes).expect("every execution is closed")
}

const ONE_SLOT: &str = r#"
hoop: 1
rules:
  - { rule: one-slot, who: { group: staff }, on: db, allow: { sql: { replicate: changes, set: search_path } } }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_streamed_by_the_slot_that_is_allowed() {
    let around = database("repl_logical").await;
    let front = open(ONE_SLOT, "repl_logical").await;
    let recv =
        |arguments: &[&str]| run(client(&front, "pg_recvlogical", &[&["-d", "repl_logical"], arguments].concat()));

    let (done, said) = recv(&["--create-slot", "-S", "changes", "-P", "test_decoding"]).await;
    assert!(done, "{said}");
    around
        .batch_execute("INSERT INTO people SELECT n, repeat('x', 3000) FROM generate_series(2, 2000) n")
        .await
        .unwrap();
    let end = value(&around, "SELECT pg_current_wal_insert_lsn()").await;
    let (done, said) = recv(&["--start", "-S", "changes", "-f", "-", "--no-loop", "--endpos", &end]).await;
    assert!(done, "{said}");
    assert_eq!(said.matches("table public.people: INSERT").count(), 1999, "{}", said.len());

    let (done, said) = recv(&["--create-slot", "-S", "others", "-P", "test_decoding"]).await;
    assert!(!done && said.contains("refused by rule `default`"), "{said}");
    until_released(&around, "changes").await;
    let (done, said) = recv(&["--drop-slot", "-S", "changes"]).await;
    assert!(done, "{said}");

    let records = front.records().await;
    let streamed = decisions(&records, "replicate changes");
    let start = streamed.iter().find(|one| one["command"].as_str().unwrap().starts_with("START_REPLICATION")).unwrap();
    assert_eq!((&start["verdict"], &start["rule"]["name"]), (&"allow".into(), &"one-slot".into()));
    let closed = closing(&records, start);
    // The client leaves once it has what it asked for: it need not wait for the server's last word.
    assert!(["done", "unknown"].map(Some).contains(&closed["completion"]["status"].as_str()), "{closed}");
    assert!(closed["completion"]["bytes"].as_u64().unwrap() > 5_000_000, "{closed}");
    assert_eq!(decisions(&records, "replicate others")[0]["verdict"], "block");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_received() {
    const POLICY: &str = r#"
hoop: 1
rules:
  - { rule: log, who: { group: staff }, on: db, allow: { sql: { replicate: [archive, no-slot, timeline-history] } } }
"#;
    let around = database("repl_physical").await;
    let front = open(POLICY, "repl_physical").await;
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().to_str().unwrap();
    let (done, said) = run(client(&front, "pg_receivewal", &["--create-slot", "-S", "archive"])).await;
    assert!(done, "{said}");
    let (done, said) = run(client(&front, "pg_receivewal", &["--create-slot", "-S", "another"])).await;
    assert!(!done && said.contains("refused by rule `default`"), "{said}");
    around
        .batch_execute("INSERT INTO people SELECT n, repeat('x', 3000) FROM generate_series(2, 500) n")
        .await
        .unwrap();
    let end = value(&around, "SELECT pg_current_wal_insert_lsn()").await;
    for slot in [&["-S", "archive"][..], &[]] {
        let arguments = [&["-D", into, "--no-loop", "--synchronous", "--endpos", &end], slot].concat();
        let (done, said) = run(client(&front, "pg_receivewal", &arguments)).await;
        if is_too_old(&said) {
            return;
        }
        assert!(done, "{said}");
    }
    assert!(fs::read_dir(folder.path()).unwrap().count() >= 1);
    until_released(&around, "archive").await;
    let (done, said) = run(client(&front, "pg_receivewal", &["--drop-slot", "-S", "archive"])).await;
    assert!(done, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole() {
    const POLICY: &str = r#"
hoop: 1
rules:
  - { rule: backups, who: { group: staff }, on: db, allow: { sql: { replicate: [base-backup, no-slot, "pg_basebackup_*"] } } }
"#;
    let _around = database("repl_backup").await;
    let front = open(POLICY, "repl_backup").await;
    let folder = tempfile::tempdir().unwrap();
    let (plain, archive) = (folder.path().join("plain"), folder.path().join("tar"));
    let into = |path: &Path| path.to_str().unwrap().to_owned();
    let (done, said) = run(client(&front, "pg_basebackup", &["-D", &into(&plain), "-X", "stream", "-c", "fast"])).await;
    if is_too_old(&said) {
        return;
    }
    assert!(done, "{said}");
    let mut verify = Command::new(psql().unwrap().with_file_name("pg_verifybackup"));
    verify.args(["--no-parse-wal", &into(&plain)]);
    let (good, said) = run(verify).await;
    assert!(good, "{said}");
    let arguments = ["-D", &into(&archive), "-Ft", "-X", "none", "-c", "fast", "--no-manifest"];
    let (done, said) = run(client(&front, "pg_basebackup", &arguments)).await;
    assert!(done, "{said}");
    assert!(fs::metadata(archive.join("base.tar")).unwrap().len() > 10 << 20);
    let arguments = ["-t", "server:/tmp/hoop-never", "-X", "none", "-c", "fast"];
    let (done, said) = run(client(&front, "pg_basebackup", &arguments)).await;
    assert!(!done && said.contains("refused by rule `default`"), "{said}");
}

/// Whatever an allow says: a stream carries all columns, of all databases.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_replicated_past_a_mask() {
    const POLICY: &str = r#"
hoop: 1
rules:
  - { rule: all, who: { group: staff }, on: { kind: postgres }, allow: { sql: ["*", unknown] } }
  - { rule: hidden, who: anyone, on: { name: db, database: elsewhere }, mask: { columns: { public.people.ssn: redact } } }
"#;
    let around = database("repl_masked").await;
    // Where the mask cannot act, there is replication; in the log of the whole cluster, it could.
    let front = open(POLICY, "repl_masked").await;
    let script = "CREATE_REPLICATION_SLOT masked TEMPORARY LOGICAL test_decoding;";
    let told = says(&format!("{} replication=database", front.dsn()), script).await;
    assert!(told.contains("test_decoding") && !told.contains("42501"), "{told}");
    let told = says(&format!("{} replication=true", front.dsn()), "IDENTIFY_SYSTEM; \nTIMELINE_HISTORY 1;").await;
    assert!(told.contains("systemid") && told.contains("42501: refused by rule `hidden"), "{told}");
    let (done, said) = run(client(&front, "pg_basebackup", &["-D", "/nowhere/at/all", "-X", "none"])).await;
    assert!(!done, "{said}");

    for mask in ["columns: { public.people.ssn: redact }", "detect: { card: redact }"] {
        let policy =
            POLICY.replace("columns: { public.people.ssn: redact }", mask).replace(", database: elsewhere", "");
        let front = open(&policy, "repl_masked").await;
        let script = "CREATE_REPLICATION_SLOT masked TEMPORARY LOGICAL test_decoding;
            START_REPLICATION SLOT masked LOGICAL 0/0;
            START_REPLICATION something else;";
        let told = says(&format!("{} replication=database", front.dsn()), script).await;
        assert_eq!(told.matches("42501: refused by rule `hidden").count(), 3, "{told}");
        assert!(told.contains("a replication stream carries every column as it is"), "{told}");
    }
    assert_eq!(value(&around, "SELECT count(*) FROM pg_replication_slots WHERE database = 'repl_masked'").await, "0");
}

/// SQL over such a connection is judged, and masked, like any other.
#[tokio::test(flavor = "multi_thread")]
async fn statements_are_judged_as_ever() {
    const POLICY: &str = r#"
hoop: 1
rules:
  - { rule: reads, who: { group: staff }, on: db, allow: { sql: { read: public.people, create: "*", set: search_path, call: "*" } } }
  - { rule: hidden, who: anyone, on: db, mask: { columns: { public.people.ssn: redact } } }
"#;
    let around = database("repl_sql").await;
    let front = open(POLICY, "repl_sql").await;
    let dsn = format!("{} replication=database", front.dsn());
    let told =
        says(&dsn, "SELECT id, ssn FROM people;\nDROP TABLE people;\nSHOW server_version_num;\nSELECT 1 AS one;").await;
    assert!(told.contains("[redacted]") && !told.contains("123-45"), "{told}");
    assert!(told.contains("42501: refused by rule `default`") && told.contains("server_version_num"), "{told}");
    // Once definitions may have changed, statements are not read any more: the catalog cannot be asked.
    let told = says(&dsn, "CREATE TABLE fresh (a int);\nSELECT id FROM people;").await;
    assert!(told.contains("CREATE TABLE\n") && told.contains("cannot look them up"), "{told}");
    // A walsender for the whole cluster runs no SQL; what is refused is refused by the policy.
    let told = says(&format!("{} replication=true", front.dsn()), "SELECT 1;\nDROP TABLE people;").await;
    assert!(told.contains("cannot execute SQL commands in WAL sender"), "{told}");
    assert!(told.contains("42501: refused by rule `default`"), "{told}");
    assert_eq!(value(&around, "SELECT count(*) FROM people").await, "1");
}

/// A stream that runs is no way around a mask that comes: it ends, and does not begin again.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_policy() {
    let around = database("repl_reload").await;
    let policy = ONE_SLOT.replace("changes", "reloaded");
    let front = open(&policy, "repl_reload").await;
    around.batch_execute("SELECT pg_create_logical_replication_slot('reloaded', 'test_decoding')").await.unwrap();
    let file = front.file("received");
    let received = || fs::read_to_string(&file).unwrap_or_default();
    let to = file.to_str().unwrap();
    let arguments = ["-d", "repl_reload", "--start", "-S", "reloaded", "-f", to, "--no-loop", "-F", "0"];
    let receiving = tokio::spawn(run(client(&front, "pg_recvlogical", &arguments)));
    let active = async |wanted: &str| {
        value(&around, "SELECT active FROM pg_replication_slots WHERE slot_name = 'reloaded'").await == wanted
    };
    until("the stream", async || active("t").await).await;
    // The same rules read anew are nothing new.
    fs::write(front.file("policy.yaml"), format!("# a comment\n{policy}")).unwrap();
    assert!(front.gateway.reload_policy().await);
    around.batch_execute("INSERT INTO people VALUES (3, '555-66-7777')").await.unwrap();
    until("the row", async || received().contains("555-66")).await;
    let masked = "\n  - { rule: hidden, who: anyone, on: db, mask: { columns: { public.people.ssn: redact } } }\n";
    fs::write(front.file("policy.yaml"), format!("{}{masked}", policy.trim_end())).unwrap();
    assert!(front.gateway.reload_policy().await);
    around.batch_execute("INSERT INTO people VALUES (2, '987-65-4321')").await.unwrap();
    let (done, said) = receiving.await.unwrap();
    assert!(!done && said.contains("the policy has changed") && !received().contains("987-65"), "{said}");
    let (done, said) = run(client(&front, "pg_recvlogical", &arguments)).await;
    assert!(!done && said.contains("refused by rule `hidden`"), "{said}");
    until_released(&around, "reloaded").await;
    around.batch_execute("SELECT pg_drop_replication_slot('reloaded')").await.unwrap();
}

/// Where the policy is only watched it ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_watched_stream_goes_on_when_its_policy_changes() {
    let around = database("repl_watched").await;
    let policy = ONE_SLOT.replace("changes", "watched");
    let front = Front::open_before(own_cluster(), &policy, "repl_watched", "    mode: observe").await;
    around.batch_execute("SELECT pg_create_logical_replication_slot('watched', 'test_decoding')").await.unwrap();
    let file = front.file("received");
    let arguments =
        ["-d", "repl_watched", "--start", "-S", "watched", "-f", file.to_str().unwrap(), "--no-loop", "-F", "0"];
    let receiving = tokio::spawn(run(client(&front, "pg_recvlogical", &arguments)));
    let received = |what: &str| fs::read_to_string(&file).is_ok_and(|text| text.contains(what));
    around.batch_execute("INSERT INTO people VALUES (2, 'before')").await.unwrap();
    until("the stream", async || received("before")).await;
    fs::write(front.file("policy.yaml"), policy.replace("watched", "another")).unwrap();
    assert!(front.gateway.reload_policy().await);
    for number in 0..3 {
        around.batch_execute(&format!("INSERT INTO people VALUES (3, 'after {number}')")).await.unwrap();
        until("what follows", async || received(&format!("after {number}"))).await;
    }
    front.shut_down(Duration::from_secs(60)).await;
    let (_, said) = receiving.await.unwrap();
    assert!(said.contains("the gateway is shutting down"), "{said}");
    until_released(&around, "watched").await;
    around.batch_execute("SELECT pg_drop_replication_slot('watched')").await.unwrap();
}

/// A stream can begin again where it stood: it does not hold up a gateway that is about to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_gateway_does() {
    let around = database("repl_drain").await;
    let front = open(&ONE_SLOT.replace("changes", "drained"), "repl_drain").await;
    around.batch_execute("SELECT pg_create_logical_replication_slot('drained', 'test_decoding')").await.unwrap();
    let arguments = ["-d", "repl_drain", "--start", "-S", "drained", "-f", "-", "--no-loop"];
    let receiving = tokio::spawn(run(client(&front, "pg_recvlogical", &arguments)));
    until("the stream", async || {
        value(&around, "SELECT active FROM pg_replication_slots WHERE slot_name = 'drained'").await == "t"
    })
    .await;
    let begin = Instant::now();
    front.shut_down(Duration::from_secs(60)).await;
    assert!(begin.elapsed() < Duration::from_secs(20), "the stream holds the gateway up");
    let (done, said) = receiving.await.unwrap();
    assert!(!done && said.contains("the gateway is shutting down"), "{said}");
    until_released(&around, "drained").await;
    around.batch_execute("SELECT pg_drop_replication_slot('drained')").await.unwrap();
}
