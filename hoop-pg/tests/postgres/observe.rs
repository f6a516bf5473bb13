//! A policy that is only watched: what comes back is what comes back without a gateway, and records say what would
//! have happened.

use serde_json::Value;
use tokio_postgres::NoTls;

use crate::catalog::database;
use crate::direct::cluster;
use crate::front::{Front, says};

const OBSERVED: &str = "    mode: observe";

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: staff-read
    who: { group: staff }
    on: db
    allow: { sql: { read: "public.*" } }
  - rule: fixes-need-a-person
    who: { group: staff }
    on: db
    approve: { sql: { update: public.customers } }
    by: { group: dba }
  - rule: tables-stay
    who: anyone
    on: db
    block: { sql: drop }
  - rule: addresses-are-masked
    who: anyone
    on: db
    mask: { columns: { public.customers.email: redact }, detect: { card: redact } }
"#;

const SCHEMA: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, email text, note text);
    INSERT INTO customers VALUES (1, 'ann@example.org', 'pays with 4111 1111 1111 1111'), (2, 'bob@example.org', NULL);
    CREATE TABLE gone (a int);
";

/// Statements that an enforced policy would allow, mask, hold, refuse, could not read, or could not even keep apart.
const SCRIPT: &str = r"
SELECT * FROM customers ORDER BY id;
SELECT upper(email), count(*) OVER () FROM customers WHERE email LIKE 'a%';
COPY customers TO STDOUT;
COPY customers (id, note) FROM STDIN;
7	seven
\.
CREATE TABLE copies AS SELECT email FROM customers;
SELECT email::int FROM customers WHERE id = 1;
DO $$ BEGIN RAISE NOTICE 'address %', (SELECT email FROM customers WHERE id = 1); END $$;
UPDATE customers SET note = 'new' WHERE id = 2 RETURNING *;
DROP TABLE gone;
BEGIN;
THIS IS NOT SQL;
SELECT 1;
ROLLBACK;
PREPARE p AS DELETE FROM customers WHERE id = $1;
EXECUTE p(7);
EXECUTE nobody;
DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers ORDER BY id;
FETCH 1 FROM c;
SELECT 1; SELECT email FROM customers WHERE id = 1; SELECT 1/0; SELECT 2;
SET standard_conforming_strings = off;
SELECT 'a\'b', email FROM customers WHERE id = 1;
RESET standard_conforming_strings;
SET client_encoding = 'LATIN1';
SELECT email FROM customers WHERE id = 2;
RESET client_encoding;
LISTEN word; NOTIFY word, 'ann@example.org';
EXPLAIN (COSTS OFF) SELECT email FROM customers WHERE email = 'bob@example.org';
SELECT * FROM customers ORDER BY id;
";

/// One decision as `verdict rule`, marked where it is observed.
fn told(record: &Value) -> String {
    let word = |path: &str| record.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mark = if record["observed"] == true { "" } else { "ENFORCED " };
    format!("{mark}{} {}", word("/verdict"), word("/rule/name"))
}

#[tokio::test]
async fn nothing_is_refused_held_or_masked() {
    drop(database("observed_direct", SCHEMA).await);
    drop(database("observed", SCHEMA).await);
    let front = Front::open(POLICY, "observed", OBSERVED).await;
    let direct = says(&cluster().url("observed_direct"), SCRIPT).await;
    let through = says(&front.dsn(), SCRIPT).await;
    assert!(direct.contains("ann@example.org") && direct.contains("22012"), "{direct}");
    let without_pid = |text: &str| {
        let lines =
            text.lines().map(|line| line.split_once(" received from server process").map_or(line, |(line, _)| line));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_pid(&through), without_pid(&direct));
}

#[tokio::test]
async fn records_say_what_would_have_happened() {
    drop(database("observed_records", SCHEMA).await);
    let front = Front::open(POLICY, "observed_records", OBSERVED).await;
    let check = async |sql: &str, expected: &str| {
        let before = front.records().await.len();
        let (client, connection) = tokio_postgres::connect(&front.dsn(), NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let ran = client.batch_execute(sql).await;
        drop(client);
        connection.await.unwrap().unwrap();
        // The settings that the client asks for when it connects are the first.
        let mut records = until_closed(&front, before).await;
        records.retain(|record| record["rule"]["name"] != "harmless");
        assert!(records.iter().all(|record| record["observed"] == true), "{records:?}");
        let decisions: Vec<_> = records.iter().filter(|record| record["kind"] == "decision").map(told).collect();
        assert_eq!(decisions.join(", "), expected, "{sql}: {ran:?}");
        records
    };
    check("SELECT id FROM customers", "allow staff-read").await;
    let records = check("SELECT email FROM customers", "mask staff-read").await;
    let decision = records.iter().find(|record| record["kind"] == "decision").unwrap();
    assert_eq!(decision["masks"][0]["column"], "public.customers.email");
    let closing = records.iter().rfind(|record| record["kind"] == "closing").unwrap();
    assert_eq!((&closing["completion"]["rows"], &closing["completion"]["cells_masked"]), (&2.into(), &2.into()));
    let by = serde_json::json!([{"column": "public.customers.email", "rule": "addresses-are-masked", "cells": 2}]);
    assert_eq!(closing["completion"]["masked_by"], by);
    check("COPY customers TO STDOUT", "block addresses-are-masked").await;
    check("UPDATE customers SET note = '' WHERE id = 1", "approve fixes-need-a-person").await;
    check("DROP TABLE gone", "block tables-stay").await;
    check("TRUNCATE customers", "block default").await;
    check("DO 'BEGIN END'", "block default").await;
    check("GIBBERISH", "block default").await;
    check("SET client_encoding = 'LATIN1'", "block default").await;
}

/// The records after the first `before`, once both decisions among them are closed.
async fn until_closed(front: &Front, before: usize) -> Vec<Value> {
    let closed = async {
        loop {
            let records = front.records().await.split_off(before);
            let count = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
            if count("decision") == 2 && count("closing") == 2 {
                return records;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), closed).await.expect("a closing record is missing")
}

/// What would be refused when it is prepared is prepared, described, bound and run.
#[tokio::test]
async fn the_extended_protocol_goes_on_too() {
    drop(database("observed_extended", SCHEMA).await);
    let front = Front::open(POLICY, "observed_extended", OBSERVED).await;
    let client = front.connect().await;
    let row = client.query_one("SELECT email, note FROM customers WHERE id = $1", &[&1]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("ann@example.org", "pays with 4111 1111 1111 1111"));
    client.execute("DROP TABLE gone", &[]).await.unwrap();
    assert_eq!(client.execute("UPDATE customers SET note = $1", &[&"x"]).await.unwrap(), 2);
    let row = client.query_one("INSERT INTO customers VALUES (3, 'c@d.ef') RETURNING email", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "c@d.ef");
}

/// An enforced policy that allows nothing here lets nobody in; one that is watched does, and says so.
#[tokio::test]
async fn who_would_not_be_let_in_is() {
    let nothing = "hoop: 1\nrules: []";
    let front = Front::open(nothing, "postgres", "").await;
    assert!(tokio_postgres::connect(&front.dsn(), NoTls).await.is_err());
    let front = Front::open(nothing, "postgres", OBSERVED).await;
    assert_eq!(front.connect().await.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    let login = &front.records().await[1];
    assert_eq!((&login["kind"], &login["observed"]), (&"login".into(), &true.into()));
    assert_eq!(login["reason"], "no rule allows anything on this resource");
    let wrong = front.dsn().replace("ann", "eve");
    assert!(tokio_postgres::connect(&wrong, NoTls).await.is_err(), "a password is asked for all the same");
}

const COUNTED: &str = r#"
hoop: 1
rules:
  - rule: staff-read
    who: { group: staff }
    on: db
    allow: { sql: { read: "public.*", set: client_encoding } }
  - rule: fixes-need-a-person
    who: { group: staff }
    on: db
    approve: { sql: { update: public.customers } }
    by: { group: dba }
  - rule: customers-are-masked
    who: anyone
    on: db
    mask:
      columns: { public.customers.email: redact, public.customers.cards: "null" }
      json: { public.customers.profile: { "$.ssn": redact } }
      detect: { card: redact, ip: "null" }
      on_copy: allow
"#;

const CUSTOMERS: &str = r#"
    CREATE TABLE customers (id bigint PRIMARY KEY, email text, note text, profile jsonb, cards text[], at date);
    INSERT INTO customers VALUES
        (4111111111111111, 'ann@example.org', 'pays with 4111 1111 1111 1111 from 10.0.0.1', '{"ssn": 7}', '{x}', NULL),
        (2, NULL, 'Zoë paid with 4111 1111 1111 1111', '{"card": "4111 1111 1111 1111"}', NULL, '2026-01-01'),
        (3, 'bob@example.org', 'plain', '{"a": 1}', '{}', NULL);
"#;

/// What a closing record says of masks.
fn masked(closing: &Value) -> String {
    let completion = &closing["completion"];
    format!("{} {} {}", completion["cells_masked"], completion["cells_clear"], completion["masked_by"])
}

/// What the closing records say after the first `before`, once each decision is closed.
async fn closed(front: &Front, before: usize) -> Vec<Value> {
    let closed = async {
        loop {
            let records = front.records().await.split_off(before);
            let of = |kind: &'static str| records.iter().filter(move |record| record["kind"] == kind);
            let decided: Vec<_> = of("decision").map(|record| &record["decision"]).collect();
            let closed: Vec<_> = of("closing").filter(|record| decided.contains(&&record["decision"])).collect();
            if !decided.is_empty() && decided.len() == closed.len() {
                return closed.into_iter().cloned().collect();
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), closed).await.expect("a closing record is missing")
}

/// Whatever protocol and format the rows come in: an observed policy counts what the same policy masks where it is enforced,
/// and not a byte changes.
#[tokio::test]
async fn what_masks_would_do_is_counted_as_what_they_do() {
    drop(database("observed_counts", CUSTOMERS).await);
    let observed = Front::open(COUNTED, "observed_counts", OBSERVED).await;
    let enforced = Front::open(COUNTED, "observed_counts", "").await;
    let (watched, masking) = (observed.connect().await, enforced.connect().await);
    let (direct, connection) = tokio_postgres::connect(&cluster().url("observed_counts"), NoTls).await.unwrap();
    tokio::spawn(connection);
    let all = "SELECT * FROM customers";
    let cases: [(&str, &str, i64); 12] = [
        ("simple", all, 8),
        ("extended", all, 8),
        ("simple", "SELECT note FROM customers", 2),
        ("extended", "SELECT upper(email), note FROM customers", 4),
        ("extended", "SELECT id, at FROM customers", 0),
        ("simple", "SELECT note FROM customers; SELECT email FROM customers", 4),
        ("extended", "SELECT ARRAY[note] FROM customers WHERE id = 2", 1),
        ("copy", "COPY customers TO STDOUT", 8),
        ("copy", "COPY customers (note, id) TO STDOUT (FORMAT csv, HEADER)", 2),
        ("copy", "COPY customers TO STDOUT (FORMAT binary)", 8),
        ("copy", "COPY (SELECT email FROM customers) TO STDOUT", 2),
        ("LATIN1", "SELECT note, ARRAY[note] FROM customers WHERE id = 2", 2),
    ];
    for (how, sql, expected) in cases {
        let counted = async |front: &Front, client| {
            let before = front.records().await.len();
            let said = said(client, how, sql).await;
            let closings = closed(front, before).await;
            (said, closings)
        };
        let (through, would) = counted(&observed, &watched).await;
        let (_, done) = counted(&enforced, &masking).await;
        assert_eq!(through, said(&direct, how, sql).await, "{sql}");
        let (would, done): (Vec<_>, Vec<_>) = (would.iter().map(masked).collect(), done.iter().map(masked).collect());
        assert_eq!(would, done, "{how}: {sql}");
        let all = would.iter().filter_map(|told| told.split(' ').next()?.parse::<i64>().ok()).sum::<i64>();
        assert_eq!(all, expected, "{how}: {sql}: {would:?}");
    }
}

/// All bytes of the answer, in the form in which this way of asking gives them.
async fn said(client: &tokio_postgres::Client, how: &str, sql: &str) -> String {
    use futures_util::TryStreamExt as _;
    match how {
        "simple" => format!("{:?}", client.simple_query(sql).await.unwrap()),
        "copy" => {
            let stream = client.copy_out(sql).await.unwrap();
            let chunks: Vec<_> = stream.try_collect().await.unwrap();
            format!("{:?}", chunks.concat())
        }
        encoding => {
            let encoding = if encoding == "extended" { "UTF8" } else { encoding };
            client.batch_execute(&format!("SET client_encoding = '{encoding}'")).await.unwrap();
            let statement = client.prepare(sql).await.unwrap();
            let rows = client.query(&statement, &[]).await.unwrap();
            let cell = |row: &tokio_postgres::Row, at| format!("{:?}", row.get::<_, Option<Raw>>(at).map(|raw| raw.0));
            let cells = |row: &tokio_postgres::Row| (0..row.len()).map(|at| cell(row, at)).collect::<Vec<_>>();
            client.batch_execute("SET client_encoding = 'UTF8'").await.unwrap();
            format!("{:?}", rows.iter().map(cells).collect::<Vec<_>>())
        }
    }
}

/// A value of any type, as the bytes that came.
struct Raw(Vec<u8>);

impl<'a> tokio_postgres::types::FromSql<'a> for Raw {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }
}

/// What would be held is counted as if people had agreed; what would be refused is not carried out, and counts nothing.
#[tokio::test]
async fn what_would_be_held_is_counted_and_what_would_be_refused_is_not() {
    drop(database("observed_held", CUSTOMERS).await);
    let front = Front::open(COUNTED, "observed_held", OBSERVED).await;
    let client = front.connect().await;
    let mut checked = Vec::new();
    for sql in ["UPDATE customers SET note = '' WHERE id = 3 RETURNING email", "TRUNCATE customers"] {
        let before = front.records().await.len();
        client.batch_execute(sql).await.unwrap();
        checked.extend(closed(&front, before).await.iter().map(masked));
    }
    let held = r#"1 0 [{"column":"public.customers.email","rule":"customers-are-masked","cells":1}]"#;
    assert_eq!(checked, [held, "0 0 null"]);
}

const LIMITED: &str = r#"
hoop: 1
rules:
  - rule: a-little
    who: { group: staff }
    on: db
    allow: { sql: { read: "public.*", call: "*" } }
    limits: { rows: 5, bytes: 2000, seconds: 1 }
  - rule: cards-are-masked
    who: anyone
    on: db
    mask: { detect: { card: redact } }
"#;

/// What goes beyond a limit, or could not be masked, goes on to its end, and its closing record says what would have ended it.
#[tokio::test]
async fn what_would_end_an_answer_is_recorded_and_ends_nothing() {
    drop(database("observed_limits", "CREATE TABLE nums AS SELECT n FROM generate_series(1, 9) n").await);
    let front = Front::open(LIMITED, "observed_limits", OBSERVED).await;
    let client = front.connect().await;
    let cases = [
        ("SELECT n FROM nums LIMIT 5", "done 5 null null"),
        ("SELECT n FROM nums LIMIT 6", r#"done 6 {"limit":"rows"} a-little"#),
        ("SELECT repeat('x', 3000) FROM nums LIMIT 1", r#"done 1 {"limit":"bytes"} a-little"#),
        ("SELECT pg_sleep(1.1) FROM nums LIMIT 1", r#"done 1 {"limit":"seconds"} a-little"#),
        ("SELECT 1 / (n - 7) FROM nums", r#"failed 6 {"limit":"rows"} a-little"#),
        ("COPY nums TO STDOUT", r#"done 9 {"limit":"rows"} a-little"#),
        ("SET client_encoding = 'LATIN1'", "done 0 null null"),
        (
            "COPY nums TO STDOUT (FORMAT binary)",
            r#"done 9 {"unmaskable":"a copy in this client_encoding could not be masked"} null"#,
        ),
    ];
    for (sql, expected) in cases {
        let before = front.records().await.len();
        let ran =
            if sql.starts_with("COPY") { copied(&client, sql).await } else { client.simple_query(sql).await.is_ok() };
        assert_eq!(ran, !expected.starts_with("failed"), "{sql}");
        let closings = closed(&front, before).await;
        let word = |value: &Value| value.as_str().unwrap_or("null").to_owned();
        let told = closings.iter().map(|closing| {
            let completion = &closing["completion"];
            let (status, rule) = (word(&completion["status"]), word(&closing["rule"]["name"]));
            format!("{status} {} {} {rule}", completion["rows"], completion["would_end"])
        });
        assert_eq!(told.collect::<Vec<_>>().join(", "), expected, "{sql}");
    }
}

async fn copied(client: &tokio_postgres::Client, sql: &str) -> bool {
    use futures_util::TryStreamExt as _;
    client.copy_out(sql).await.unwrap().try_collect::<Vec<_>>().await.is_ok()
}
