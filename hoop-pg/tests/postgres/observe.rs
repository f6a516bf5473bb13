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
    assert_eq!((&closing["completion"]["rows"], &closing["completion"]["cells_masked"]), (&2.into(), &0.into()));
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
