//! The policy changes while sessions run on a real server: what the next command gets, what a running result keeps.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};

use crate::catalog::database;
use crate::front::Front;
use crate::setting::{Gateway, shop};

const SCHEMA: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, email text);
    INSERT INTO customers SELECT n, 'c' || n || '@example.org' FROM generate_series(1, 5000) n;
    CREATE VIEW contacts AS SELECT email AS contact FROM customers;
";

fn policy(rules: &str) -> String {
    let read = "  - { rule: read, who: anyone, on: db, allow: { sql: { read: '*', update: public.customers } } }";
    format!("hoop: 1\nrules:\n{read}\n{rules}")
}

const MASK: &str = "  - { rule: hide, who: anyone, on: db, mask: { columns: { public.customers.email: redact } } }\n";
const ASK: &str = "  - { rule: ask, who: anyone, on: db, approve: { sql: update }, by: { group: dba } }\n";

async fn change(front: &Front, rules: &str) {
    fs::write(front.file("policy.yaml"), policy(rules)).unwrap();
    assert!(front.gateway.reload_policy().await);
}

const CHANGED: &str = "refused by rule `hide`: the policy has changed, and which columns it protects is not known before \
                       the transaction ends: end it, and try again";

/// Why a statement is refused.
async fn refused(client: &Client, sql: &str) -> String {
    let error = client.simple_query(sql).await.expect_err(sql);
    let error = error.as_db_error().expect(sql);
    assert_eq!(error.code().code(), "42501", "{sql}");
    error.message().to_owned()
}

/// A client, and the notices that it is sent.
async fn noticing(front: &Front) -> (Arc<Client>, UnboundedReceiver<String>) {
    let (client, mut connection) = tokio_postgres::connect(&front.dsn(), NoTls).await.unwrap();
    let (told, notices) = unbounded_channel();
    let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notice(notice) = message {
                told.send(notice.message().to_owned()).unwrap();
            }
        }
    });
    (Arc::new(client), notices)
}

async fn next(notices: &mut UnboundedReceiver<String>) -> String {
    tokio::time::timeout(Duration::from_secs(20), notices.recv()).await.unwrap().unwrap()
}

/// The cells of the first row.
async fn first(client: &Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.unwrap();
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    row.map_or("nothing".into(), |row| row.get(0).unwrap_or("NULL").to_owned())
}

#[tokio::test]
async fn newly_protected_columns_are_masked_for_the_next_command() {
    drop(database("reload_masks", SCHEMA).await);
    let front = Front::open(&policy(""), "reload_masks", "").await;
    let client = front.connect().await;
    let prepared = client.prepare("SELECT contact FROM contacts LIMIT 1").await.unwrap();
    let row = async || client.query_one(&prepared, &[]).await.unwrap().get::<_, Option<String>>(0);
    assert!(row().await.unwrap().contains('@'));
    change(&front, MASK).await;
    assert_eq!(first(&client, "SELECT email FROM customers").await, "[redacted]");
    assert_eq!(row().await.unwrap(), "[redacted]", "what was prepared before is masked too");
    let error = client.simple_query("SELECT email::int FROM customers WHERE id = 1").await.unwrap_err();
    assert!(!format!("{error:?}").contains("example.org"), "{error:?}");
    change(&front, "").await;
    assert!(first(&client, "SELECT email FROM customers").await.contains('@'));
    assert!(row().await.unwrap().contains('@'));
}

/// In a transaction the catalog cannot be read: whatever reads a relation is refused until the transaction ends.
#[tokio::test]
async fn what_is_newly_protected_is_read_when_the_transaction_is_over() {
    drop(database("reload_transaction", SCHEMA).await);
    let front = Front::open(&policy(""), "reload_transaction", "").await;
    let client = front.connect().await;
    let reads = [
        "SELECT email FROM customers",
        "SELECT contact || '' FROM contacts",
        "SELECT id FROM customers WHERE email LIKE 'c%'",
        "SELECT 1 FROM contacts WHERE contact LIKE 'c%'",
        "UPDATE customers SET email = contact FROM contacts",
    ];
    for sql in reads {
        change(&front, "").await;
        client.batch_execute("BEGIN").await.unwrap();
        assert!(first(&client, "SELECT email FROM customers").await.contains('@'));
        change(&front, MASK).await;
        assert_eq!(first(&client, "SELECT 1").await, "1");
        assert_eq!(refused(&client, sql).await, CHANGED, "{sql}");
        client.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(first(&client, "SELECT email FROM customers").await, "[redacted]");
    }
}

/// Another policy that protects no column more than the one before leaves what is known of them as it is.
#[tokio::test]
async fn a_transaction_goes_on_where_no_more_is_protected() {
    drop(database("reload_same", SCHEMA).await);
    let front = Front::open(&policy(MASK), "reload_same", "").await;
    let client = front.connect().await;
    client.batch_execute("BEGIN").await.unwrap();
    change(&front, &format!("{MASK}{ASK}")).await;
    assert_eq!(first(&client, "SELECT contact FROM contacts").await, "[redacted]");
    assert_eq!(first(&client, "SELECT upper(contact) FROM contacts").await, "NULL");
}

#[tokio::test]
async fn a_running_result_keeps_its_masks() {
    drop(database("reload_running", SCHEMA).await);
    for (before, after, masked) in [(MASK, "", true), ("", MASK, false)] {
        let front = Front::open(&policy(before), "reload_running", "").await;
        let mut client = front.connect().await;
        let transaction = client.transaction().await.unwrap();
        let portal = transaction.bind("SELECT email FROM customers ORDER BY id", &[]).await.unwrap();
        let all_masked = |rows: &[tokio_postgres::Row]| rows.iter().all(|row| row.get::<_, &str>(0) == "[redacted]");
        assert_eq!(all_masked(&transaction.query_portal(&portal, 1000).await.unwrap()), masked);
        change(&front, after).await;
        let rest = transaction.query_portal(&portal, 0).await.unwrap();
        assert_eq!((rest.len(), all_masked(&rest)), (4000, masked));
    }
}

/// A held command goes on by what is known: not at all where the policy has come to protect more.
#[tokio::test]
async fn what_is_held_is_refused_where_more_is_protected_now() {
    drop(database("reload_held_views", SCHEMA).await);
    let ask =
        "  - { rule: ask, who: anyone, on: db, approve: { sql: { read: public.contacts } }, by: { group: dba } }\n";
    let front = Front::open(&policy(ask), "reload_held_views", "").await;
    let (client, mut notices) = noticing(&front).await;
    let asking = client.clone();
    let held = tokio::spawn(async move { refused(&asking, "SELECT contact || '' FROM contacts").await });
    assert!(next(&mut notices).await.contains("by rule `ask`"));
    change(&front, &format!("{ask}{MASK}")).await;
    assert_eq!(held.await.unwrap(), CHANGED);
}

/// A client whose statement is held is told when others are asked, and the statement goes on or not as the policy says.
#[tokio::test]
async fn what_is_held_follows_the_policy() {
    drop(database("reload_held", SCHEMA).await);
    let front = Front::open(&policy(ASK), "reload_held", "").await;
    let (client, mut notices) = noticing(&front).await;
    let update = || {
        let client = client.clone();
        tokio::spawn(async move { client.execute("UPDATE customers SET email = '' WHERE id = 1", &[]).await })
    };
    let mut notice = async || next(&mut notices).await;
    let held = update();
    assert!(notice().await.contains("by rule `ask`"));
    change(&front, &ASK.replace("rule: ask", "rule: others-ask").replace("dba", "ops")).await;
    assert!(notice().await.contains("by rule `others-ask`"));
    change(&front, "").await;
    assert_eq!(held.await.unwrap().unwrap(), 1);
    change(&front, ASK).await;
    let held = update();
    assert!(notice().await.contains("by rule `ask`"));
    change(&front, "  - { rule: frozen, who: anyone, on: db, block: { sql: update }, reason: no changes today }\n")
        .await;
    let refused = held.await.unwrap().unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!((refused.code().code(), refused.message()), ("42501", "refused by rule `frozen`: no changes today"));
    let rows: Vec<_> = client.query_raw("SELECT 1", Vec::<i32>::new()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(rows.len(), 1);
}

/// The gateway's process: a file that changes is seen, and SIGHUP reads at once.
#[test]
fn the_process_follows_its_files_and_sighup() {
    let rules = |rule: &str| format!("hoop: 1\nrules:\n  - {{ rule: read, who: anyone, on: target, {rule} }}\n");
    let gateway = Gateway::start(&shop(), &rules("allow: { sql: { read: '*' } }"));
    let mut client = gateway.connect("ann");
    assert_eq!(client.rows("select 1 from orders limit 1"), ["D 1"]);
    fs::write(gateway.file("policy.yaml"), rules("block: { sql: read }")).unwrap();
    let mut until = |refused: bool| {
        let begin = std::time::Instant::now();
        while client.query("select 1 from orders limit 1").iter().any(|message| message.tag == b'E') != refused {
            assert!(begin.elapsed() < Duration::from_secs(20), "{}", gateway.log());
        }
    };
    until(true);
    fs::write(gateway.file("policy.yaml"), rules("allow: { sql: { read: '*' } }")).unwrap();
    let pid = Pid::from_raw(i32::try_from(gateway.process()).unwrap()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    until(false);
    fs::write(gateway.file("policy.yaml"), "no policy").unwrap();
    let begin = std::time::Instant::now();
    while !gateway.log().contains("the policy before stays") {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", gateway.log());
    }
    until(false);
}
