//! Answers that go beyond the limits of a rule, in each protocol and each state of a transaction.

use std::fs;
use std::process::Command;

use crate::cluster::psql;
use crate::script::{Case, cases, report};
use crate::setting::{Gateway, run, shop};
use crate::wire::Wire;

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: few-rows
    who: { group: callers }
    on: target
    allow: { sql: { read: "*", insert: "*", update: "*" } }
    limits: { rows: 5 }
  - rule: few-bytes
    who: { group: developers }
    on: target
    allow: { sql: { read: "*" } }
    limits: { bytes: 200 }
  - rule: not-for-long
    who: { group: dba }
    on: target
    allow: { sql: { read: "*", insert: "*", call: pg_catalog.pg_sleep } }
    limits: { seconds: 1 }
"#;

const MASKS: &str = r#"
  - rule: hide
    who: anyone
    on: target
    mask: { columns: { public.big.note: redact } }
"#;

fn big() -> String {
    let database = shop();
    run(&database, "create table big as select id, 'note' as note from generate_series(1, 50000) id");
    database
}

/// The same without masks, and with masks armed, where the gateway describes each portal.
#[test]
fn cases_of_limited_answers() {
    for policy in [POLICY.to_owned(), format!("{POLICY}{MASKS}")] {
        let gateway = Gateway::start(&big(), &policy);
        let judge = |case: &Case| {
            let user = case.name.split(':').next().unwrap_or_default();
            case.judge(&case.run(&mut gateway.connect(user)))
        };
        report(&cases("limits.txt").iter().filter_map(judge).collect::<Vec<_>>());
    }
}

fn records(gateway: &Gateway) -> String {
    let files = fs::read_dir(gateway.file("audit")).unwrap();
    files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap_or_default()).collect()
}

#[test]
fn the_closing_record_names_the_limit_and_its_rule() {
    let gateway = Gateway::start(&big(), POLICY);
    let mut client = gateway.connect("job");
    client.query("select id from big");
    // What is recorded of the first stands before what is recorded of the second.
    client.query("select id from big limit 1");
    let records = records(&gateway);
    let closing = records.lines().find(|line| line.contains("\"closing\"")).unwrap_or_else(|| panic!("{records}"));
    for words in ["\"status\":\"limited\"", "\"error\":\"rows\"", "\"few-rows\"", "\"rows\":5"] {
        assert!(closing.contains(words), "{words}: {closing}");
    }
}

#[test]
fn commands_per_minute_count_for_all_sessions_of_a_caller() {
    let policy = POLICY.replace("rows: 5", "per_minute: 3");
    let gateway = Gateway::start(&big(), &policy);
    let read = |client: &mut Wire| {
        client.query("select id from big limit 1").iter().map(|message| message.show()).collect::<Vec<_>>().join("; ")
    };
    let [mut first, mut second] = [gateway.connect("job"), gateway.connect("job")];
    assert!(read(&mut first).contains("C SELECT"));
    assert!(read(&mut second).contains("C SELECT"));
    // Refused and harmless statements do not count.
    first.query("drop table big");
    first.query("select 1");
    assert!(read(&mut first).contains("C SELECT"));
    let refused = read(&mut second);
    assert!(refused.contains("53400") && refused.contains("more than 3 commands within a minute"), "{refused}");
    assert_eq!(second.rows("select 'alive'"), ["D alive"]);
    assert!(read(&mut gateway.connect("ann")).contains("C SELECT"));
}

/// `psql` as people use it, and with a cursor of its own (`FETCH_COUNT`).
#[test]
fn psql_is_told() {
    let gateway = Gateway::start(&big(), POLICY);
    let to = gateway.address("job");
    let psql = |arguments: &[&str]| {
        let output = Command::new(psql().unwrap())
            .args(["-X", "-At", "-v", "ON_ERROR_STOP=0"])
            .args(arguments)
            .env("PGPASSWORD", &to.password)
            .env("PGSSLMODE", "require")
            .args(["-h", "127.0.0.1", "-p", &to.socket.port().to_string(), "-U", &to.user, "-d", &to.database])
            .output()
            .unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let told = "refused by rule `few-rows`: the answer has more than 5 rows";
    for arguments in [
        &["-c", "select id + 100000 from big order by id", "-c", "select 'alive'"][..],
        &["-v", "FETCH_COUNT=2", "-c", "select id + 100000 from big order by id", "-c", "select 'alive'"],
        &["-c", "copy (select id + 100000 from big order by id) to stdout", "-c", "select 'alive'"],
        &["-c", "\\copy (select id + 100000 from big order by id) to stdout", "-c", "select 'alive'"],
    ] {
        let shown = psql(arguments);
        assert!(shown.contains(told) && shown.contains("alive") && !shown.contains("100006"), "{arguments:?}: {shown}");
    }
}
