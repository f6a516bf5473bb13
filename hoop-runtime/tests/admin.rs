//! The admin address: what it counts, what it says of the gateway's health, and that it says no more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use hoop_runtime::config::Timeout;
use hoop_runtime::{Admission, Attempt, Config, Gateway};
use hoopcore::audit::{Completion, CompletionStatus};
use hoopcore::mask::{Cell, CellFormat, CellType, Column, Origin};
use hoopcore::{Command, Layout, Resource};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const POLICY: &str = "
hoop: 1
rules:
  - { rule: reads, who: anyone, on: [db, old], allow: { sql: { read: public.orders } } }
  - { rule: cards, who: anyone, on: [db, old], mask: { detect: { card: redact } } }
";

fn gateway(folder: &TempDir, admin: &str) -> Gateway {
    let file = format!(
        "
policy: policy.yaml
audit: {{ directory: audit }}
identities: {{ etl-7: {{ password: {{ file: secret }} }} }}
listeners: [{{ protocol: postgres, address: ./pg.sock, resource: db }}]
resources:
  db: {{ kind: postgres, address: db.internal, databases: [shop], credential: {{ user: app }} }}
  old: {{ kind: postgres, address: old.internal, databases: [shop], credential: {{ user: app }}, mode: observe }}
{admin}"
    );
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    fs::write(folder.path().join("secret"), "opensesame").unwrap();
    fs::write(folder.path().join("gateway.yaml"), file).unwrap();
    Gateway::open(Config::read(&folder.path().join("gateway.yaml")).unwrap()).unwrap()
}

/// The status and the body of an answer.
async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn started(gateway: &Gateway) -> SocketAddr {
    let admin = gateway.admin().await.unwrap().unwrap();
    let address = admin.address().unwrap();
    tokio::spawn(admin.serve());
    address
}

#[tokio::test]
async fn decisions_sessions_and_answers_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder, "admin: { address: \"127.0.0.1:0\" }");
    let address = started(&gateway).await;
    let who = gateway.prove("etl-7", b"opensesame").await.unwrap();
    let on = Resource::postgres("db").with_database("shop");
    let mut session = gateway.login(who, on, None).await.unwrap();
    let read = Command::sql("SELECT * FROM orders WHERE note = 'a secret'");
    let Admission::Permitted(permit) = session.admit(&read, None).await else { panic!("a read is allowed") };
    session.close(permit.spend().close(Completion { status: CompletionStatus::Done, rows: 3, bytes: 120 }));
    let Admission::Denied(_) = session.admit(&Command::sql("DROP TABLE orders"), None).await else { panic!() };
    gateway.refuse_login(&Attempt::default(), "a wrong password").await;
    session.timed_out(Timeout::Idle, Duration::from_secs(1));
    assert!(gateway.reload_policy().await);
    fs::write(folder.path().join("policy.yaml"), "hoop: none").unwrap();
    assert!(!gateway.reload_policy().await);

    let (status, told) = ask(address, "GET /metrics").await;
    assert_eq!(status, 200);
    for line in [
        "hoop_decisions_total{verdict=\"allow\",rule=\"reads\"} 1",
        "hoop_decisions_total{verdict=\"block\",rule=\"default\"} 1",
        "hoop_sessions 1",
        "hoop_logins_refused_total 1",
        "hoop_approvals_held 0",
        "hoop_audit_wait_seconds_count 2",
        "hoop_answer_rows_total 3",
        "hoop_answer_bytes_total 120",
        "hoop_timeouts_total{timeout=\"idle\"} 1",
        "hoop_policy_reloads_total{outcome=\"done\"} 1",
        "hoop_policy_reloads_total{outcome=\"refused\"} 1",
        "hoop_protected_cells_total{left=\"masked\"} 0",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} is missing in\n{told}");
    }
    assert!(!told.contains("secret") && !told.contains("orders") && !told.contains("etl-7"), "{told}");
    drop(session);
    assert!(ask(address, "GET /metrics").await.1.contains("\nhoop_sessions 0\n"));
}

/// One card number comes back, from a resource where the policy is enforced and from one where it is only watched.
#[tokio::test]
async fn cells_are_counted_by_what_masks_them() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder, "admin: { address: \"127.0.0.1:0\" }");
    let address = started(&gateway).await;
    let note = Column { name: "n".into(), origin: Origin::Clean, kind: CellType::Text, format: CellFormat::Text };
    for resource in ["db", "old"] {
        let who = gateway.prove("etl-7", b"opensesame").await.unwrap();
        let mut session = gateway.login(who, Resource::postgres(resource).with_database("shop"), None).await.unwrap();
        let admitted = session.admit(&Command::sql("SELECT note FROM orders"), None).await;
        let Admission::Permitted(permit) = admitted else { panic!("a read is allowed") };
        let passage = permit.spend();
        let mut rows = passage.rows(&Layout { columns: vec![note.clone()] });
        let left = rows.cell(0, Some(b"4111 1111 1111 1111"));
        assert_eq!(left, if resource == "db" { Cell::Replace(b"[redacted]") } else { Cell::Pass });
        session.close(passage.close(Completion { status: CompletionStatus::Done, rows: 1, bytes: 20 }));
    }
    let told = ask(address, "GET /metrics").await.1;
    for line in [
        "hoop_masked_cells_total{by=\"detector\",name=\"card\",rule=\"\",observed=\"false\"} 1",
        "hoop_masked_cells_total{by=\"detector\",name=\"card\",rule=\"\",observed=\"true\"} 1",
        "hoop_protected_cells_total{left=\"masked\"} 1",
        "hoop_protected_cells_total{left=\"observed\"} 1",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} is missing in\n{told}");
    }
}

#[tokio::test]
async fn health_is_good_until_the_gateway_ends() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder, "admin: { address: \"127.0.0.1:0\" }");
    let address = started(&gateway).await;
    assert_eq!(ask(address, "GET /health").await, (200, "ok\n".into()));
    assert_eq!(ask(address, "GET /approvals").await.0, 404);
    assert_eq!(ask(address, "POST /health").await.0, 405);
    gateway.end();
    assert_eq!(ask(address, "GET /health").await, (503, "the gateway is ending\n".into()));
}

#[tokio::test]
async fn without_an_address_nothing_listens() {
    let folder = tempfile::tempdir().unwrap();
    assert!(gateway(&folder, "").admin().await.unwrap().is_none());
}
