//! Cancel requests on the wire: keys of both lengths, forged ones, and those that reach another instance.

use std::collections::BTreeMap;
use std::time::Duration;

use hoop_runtime::config::{CancelRequests, ServerAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::catalog::connect;
use crate::gate::{Gate, password, startup};

pub(crate) const POLICY: &str = r#"
hoop: 1
rules:
  - rule: staff
    who: { group: staff }
    on: db
    allow: { sql: { read: "*", call: [pg_sleep, pg_backend_pid], set: search_path } }

  - rule: ask
    who: { group: staff }
    on: db
    approve: { sql: { maintain: "*" } }
    by: { group: nobody }
"#;

/// A client that stands, with its key.
pub(crate) struct Client {
    stream: UnixStream,
    pub(crate) key: Vec<u8>,
    /// What the server is at.
    runs: String,
}

impl Client {
    pub(crate) async fn login(gate: &Gate, minor: u8) -> Self {
        let mut stream = gate.unix().await;
        let mut bytes = startup("user|ann|database|postgres");
        bytes[7] = minor;
        stream.write_all(&[bytes, password("ann's secret")].concat()).await.unwrap();
        let mut client = Self { stream, key: Vec::new(), runs: String::new() };
        client.key = client.until(b'K').await;
        client.until(b'Z').await;
        client
    }

    /// The body of the next message of this type.
    async fn until(&mut self, wanted: u8) -> Vec<u8> {
        let read = async {
            loop {
                let tag = self.stream.read_u8().await.unwrap();
                let length = self.stream.read_u32().await.unwrap();
                let mut body = vec![0; length as usize - 4];
                self.stream.read_exact(&mut body).await.unwrap();
                if tag == wanted {
                    return body;
                }
            }
        };
        timeout(Duration::from_secs(30), read).await.unwrap()
    }

    async fn asks(&mut self, sql: &str) {
        let length = u32::try_from(sql.len() + 5).unwrap().to_be_bytes();
        self.stream.write_all(&[b"Q", &length[..], sql.as_bytes(), b"\0"].concat()).await.unwrap();
    }

    /// Begins something that goes on until it is cancelled, and waits until the server is at it.
    pub(crate) async fn begins(&mut self, seconds: &str) {
        self.runs = format!("SELECT pg_sleep({seconds})");
        self.asks(&self.runs.clone()).await;
        while !self.is_running().await {
            tokio::task::yield_now().await;
        }
    }

    async fn is_running(&self) -> bool {
        let seen = "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND wait_event = 'PgSleep'";
        !connect("postgres").await.query(seen, &[&self.runs]).await.unwrap().is_empty()
    }

    pub(crate) async fn is_cancelled(&mut self) {
        let error = String::from_utf8(self.until(b'E').await).unwrap();
        assert!(error.contains("C57014\0"), "{error}");
        self.until(b'Z').await;
    }
}

/// Sends a cancel request; returns when the gateway has dealt with it.
pub(crate) async fn cancel(gate: &Gate, key: &[u8]) {
    let length = u32::try_from(key.len() + 8).unwrap().to_be_bytes();
    let mut stream = TcpStream::connect(gate.tcp(1)).await.unwrap();
    stream.write_all(&[&length[..], b"\x04\xd2\x16\x2e", key].concat()).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

async fn instance(number: u8, peers: &[(u8, &Gate)]) -> Gate {
    let address = |gate: &Gate| ServerAddr::Tcp { host: "127.0.0.1".into(), port: gate.tcp(1).port() };
    let peers: BTreeMap<u8, ServerAddr> = peers.iter().map(|(number, gate)| (*number, address(gate))).collect();
    let key = "0123456789abcdef0123456789abcdef";
    Gate::open_with(POLICY, |config| {
        config.cancel = Some(CancelRequests { key: key.into(), instance: number, peers });
    })
    .await
}

#[tokio::test]
async fn keys_of_both_lengths_cancel() {
    let gate = Gate::open_with(POLICY, |_| {}).await;
    for (minor, seconds) in [(0, "70.1"), (2, "70.2")] {
        let mut client = Client::login(&gate, minor).await;
        assert_eq!(client.key.len() > 8, minor == 2, "{} bytes", client.key.len());
        client.begins(seconds).await;
        cancel(&gate, &client.key).await;
        client.is_cancelled().await;
    }
}

/// What `pg_backend_pid()` and notifications name, for clients that compare.
#[tokio::test]
async fn the_process_is_the_servers() {
    let gate = Gate::open_with(POLICY, |_| {}).await;
    for minor in [0, 2] {
        let mut client = Client::login(&gate, minor).await;
        client.asks("SELECT pg_backend_pid()").await;
        let row = client.until(b'D').await;
        let told = u32::from_be_bytes(client.key[..4].try_into().unwrap());
        assert_eq!(String::from_utf8_lossy(&row[6..]), told.to_string());
    }
}

/// A request for a command that has just ended stops what the gateway itself asks then; the session goes on.
#[tokio::test]
async fn a_late_request_ends_no_session() {
    let gate = Gate::open_with(POLICY, |_| {}).await;
    let mut client = Client::login(&gate, 0).await;
    let process = i32::from_be_bytes(client.key[..4].try_into().unwrap());
    let other = connect("postgres").await;
    // The gateway reads the catalog anew after the path was set, and waits for this.
    other.batch_execute("BEGIN; LOCK TABLE pg_catalog.pg_extension").await.unwrap();
    client.asks("SET search_path = public").await;
    client.until(b'Z').await;
    client.asks("SELECT 1").await;
    let waits = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'";
    while other.query(waits, &[&process]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    cancel(&gate, &client.key).await;
    other.batch_execute("COMMIT").await.unwrap();
    client.until(b'D').await;
}

/// What its clients would not learn of any more is not to be carried out.
#[tokio::test]
async fn a_gateway_that_ends_cancels_what_still_runs() {
    let gate = Gate::open_with(POLICY, |_| {}).await;
    let mut client = Client::login(&gate, 0).await;
    client.begins("70.3").await;
    let _folder = gate.shut_down(Duration::ZERO).await;
    let ends = async {
        while client.is_running().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), ends).await.expect("the server goes on");
    let mut rest = Vec::new();
    client.stream.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("C57P01\0"), "{}", rest.escape_ascii());
}

#[tokio::test]
async fn forged_keys_do_nothing() {
    let gate = Gate::open_with(POLICY, |_| {}).await;
    for (minor, seconds) in [(0, "71.1"), (2, "71.2")] {
        let mut client = Client::login(&gate, minor).await;
        client.begins(seconds).await;
        let key = client.key.clone();
        let last = key.len() - 1;
        for at in [0, 3, 4, last] {
            let mut forged = key.clone();
            forged[at] ^= 1;
            cancel(&gate, &forged).await;
        }
        cancel(&gate, &key[..last]).await;
        cancel(&gate, &[&key[..], b"x"].concat()).await;
        cancel(&gate, &[&key[..4], &[0; 4]].concat()).await;
        assert!(client.is_running().await);
        cancel(&gate, &key).await;
        client.is_cancelled().await;
    }
}

#[tokio::test]
async fn who_guesses_is_not_heard() {
    let gate = Gate::open_with(POLICY, |_| {}).await;
    let mut client = Client::login(&gate, 0).await;
    client.begins("72.1").await;
    let key = client.key.clone();
    for guess in 0..100u8 {
        cancel(&gate, &[&key[..7], &[key[7].wrapping_add(guess.max(1))]].concat()).await;
    }
    cancel(&gate, &key).await;
    assert!(client.is_running().await);
    // Another source is.
    let mut stream = gate.unix().await;
    stream.write_all(&[b"\0\0\0\x10\x04\xd2\x16\x2e", &key[..]].concat()).await.unwrap();
    client.is_cancelled().await;
}

/// Guesses that another instance would have to judge are as few, also all at once.
#[tokio::test]
async fn guesses_at_another_instance_are_few() {
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ServerAddr::Tcp { host: "127.0.0.1".into(), port: peer.local_addr().unwrap().port() };
    let gate = Gate::open_with(POLICY, |config| {
        let key = "0123456789abcdef0123456789abcdef".into();
        config.cancel = Some(CancelRequests { key, instance: 2, peers: BTreeMap::from([(1, address)]) });
    })
    .await;
    let mut guesses = JoinSet::new();
    let to = gate.tcp(1);
    for guess in 0..60u8 {
        guesses.spawn(async move {
            let mut stream = TcpStream::connect(to).await.unwrap();
            let key = [1, 0, 0, 1, 0, 0, 0, guess];
            stream.write_all(&[b"\0\0\0\x10\x04\xd2\x16\x2e", &key[..]].concat()).await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
        });
    }
    let (mut handed_on, mut dropped) = (Vec::new(), 0);
    let settle = async {
        while handed_on.len() + dropped < 60 {
            tokio::select! {
                arrived = peer.accept() => handed_on.push(arrived.unwrap()),
                Some(done) = guesses.join_next() => { done.unwrap(); dropped += 1; }
            }
        }
    };
    timeout(Duration::from_secs(4), settle).await.expect("all are handed on or dropped");
    assert!((1..=30).contains(&handed_on.len()), "{}", handed_on.len());
}

#[tokio::test]
async fn another_instance_reads_a_sealed_key() {
    let (one, two) = (instance(1, &[]).await, instance(2, &[]).await);
    let stranger = Gate::open_with(POLICY, |_| {}).await;
    let mut client = Client::login(&one, 2).await;
    client.begins("73.1").await;
    cancel(&stranger, &client.key).await;
    assert!(client.is_running().await);
    cancel(&two, &client.key).await;
    client.is_cancelled().await;
}

#[tokio::test]
async fn another_instance_hands_a_request_on() {
    let one = instance(1, &[]).await;
    let two = instance(2, &[(1, &one)]).await;
    for (minor, seconds) in [(0, "74.1"), (2, "74.2")] {
        let mut client = Client::login(&one, minor).await;
        client.begins(seconds).await;
        cancel(&two, &client.key).await;
        client.is_cancelled().await;

        client.asks("ANALYZE").await;
        let notice = String::from_utf8(client.until(b'N').await).unwrap();
        assert!(notice.contains("held for approval"), "{notice}");
        cancel(&two, &client.key).await;
        client.is_cancelled().await;
    }
}
