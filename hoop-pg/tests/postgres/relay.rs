//! The relay alone between tokio-postgres and the cluster, without the gateway's own login.

use std::fs;
use std::sync::Arc;

use hoop_pg::cancel::{CancelKey, Cancellations};
use hoop_pg::drain::Drainer;
use hoop_pg::relay::{self, End, Reason};
use hoop_pg::reply::Reply;
use hoop_pg::upstream::Upstream;
use hoop_pg::{catalog, settings};
use hoop_runtime::{Config, Gateway};
use hoopcore::{Identity, Resource, Verified};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config as ClientConfig, NoTls};

use crate::catalog::target;
use crate::direct::cluster;

/// A gateway with this policy, in a folder of its own.
struct Place {
    gateway: Gateway,
    _folder: TempDir,
}

fn place(policy: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, CONFIG).unwrap();
    let gateway = Gateway::open(Config::read(&file).unwrap()).unwrap();
    Place { gateway, _folder: folder }
}

const CONFIG: &str = "
policy: [policy.yaml]
audit: { directory: audit, mode: best_effort }
identities: {}
listeners:
  - { protocol: postgres, address: '127.0.0.1:1', resource: db }
resources:
  db: { kind: postgres, address: '127.0.0.1:1', databases: [postgres], credential: { user: postgres } }
";

const OPEN: &str = "
hoop: 1
rules:
  - rule: everything
    who: anyone
    on: db
    allow: { sql: ['*', unknown, fastpath] }
";

/// A client on the relay, and the relay.
async fn through(place: &Place, database: &str) -> (Client, JoinHandle<End>) {
    let (near, relay) = raw(place, database).await;
    let (client, connection) = ClientConfig::new().user("u").connect_raw(near, NoTls).await.unwrap();
    tokio::spawn(connection);
    (client, relay)
}

/// The client's end of a relay.
async fn raw(place: &Place, database: &str) -> (DuplexStream, JoinHandle<End>) {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let upstream = Arc::new(Upstream::new(&target(cluster())).unwrap());
    let mut connection = upstream.connect(database, &settings::PINS).await.unwrap();
    let who = Verified::vouched(Identity::named("u"), "test");
    let on = Resource::postgres("db").with_database(database);
    let mut session = place.gateway.session(who, on, None);
    let loaded = catalog::load(&mut connection.stream, &session.protected_columns()).await.unwrap();
    loaded.tell(session.facts_mut());
    let cancellations = Cancellations::default();
    let relay = tokio::spawn(async move {
        greet(&mut far).await;
        let registration = cancellations.register(CancelKey { process: 1, secret: vec![7; 4].into() }, ());
        relay::run(far, connection.stream, session, loaded.catalog, registration.signal(), Drainer::default().listen())
            .await
    });
    (near, relay)
}

/// Takes any login.
async fn greet(client: &mut DuplexStream) {
    let length = client.read_u32().await.unwrap();
    let mut startup = vec![0; usize::try_from(length).unwrap() - 4];
    client.read_exact(&mut startup).await.unwrap();
    let reply = Reply::new().authenticated().relayed(b"S\0\0\0\x19client_encoding\0UTF8\0").ready();
    client.write_all(&reply.into_bytes()).await.unwrap();
}

async fn fresh(name: &str, schema: &str) {
    crate::catalog::database(name, schema).await;
}

#[tokio::test]
async fn statements_run_as_direct() {
    fresh("relay_open", "CREATE TABLE t (a int PRIMARY KEY, b text)").await;
    let place = place(OPEN);
    let (mut client, relay) = through(&place, "relay_open").await;

    assert_eq!(client.execute("INSERT INTO t VALUES ($1, $2), (2, 'two')", &[&1, &"one"]).await.unwrap(), 2);
    let rows = client.query("SELECT a, b FROM t ORDER BY a", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(1)).collect::<Vec<&str>>(), ["one", "two"]);
    client.batch_execute("BEGIN; INSERT INTO t VALUES (3, 'x'); ROLLBACK; ; SELECT 1; SELECT 2").await.unwrap();
    let error = client.execute("INSERT INTO t VALUES (1, 'again')", &[]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION));

    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT * FROM generate_series(1, 5)", &[]).await.unwrap();
    for expected in [2, 2, 1] {
        assert_eq!(transaction.query_portal(&portal, 2).await.unwrap().len(), expected);
    }
    transaction.commit().await.unwrap();

    let sink = client.copy_in::<_, bytes::Bytes>("COPY t FROM STDIN").await.unwrap();
    copy(sink, &["7\tseven\n", "8\teight\n"]).await.unwrap();
    let sink = client.copy_in::<_, bytes::Bytes>("COPY t FROM STDIN").await.unwrap();
    let error = copy(sink, &["x\tbad\n"]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_TEXT_REPRESENTATION));
    assert_eq!(copied(&client, "COPY t TO STDOUT").await, "1\tone\n2\ttwo\n7\tseven\n8\teight\n");

    drop(client);
    assert_eq!(relay.await.unwrap(), End { reason: Reason::ClientLeft, busy: false });
}

async fn copy(
    sink: tokio_postgres::CopyInSink<bytes::Bytes>,
    lines: &[&'static str],
) -> Result<u64, tokio_postgres::Error> {
    let mut sink = std::pin::pin!(sink);
    for line in lines {
        futures_util::SinkExt::send(&mut sink, bytes::Bytes::from_static(line.as_bytes())).await?;
    }
    sink.finish().await
}

async fn copied(client: &Client, sql: &str) -> String {
    let stream = client.copy_out(sql).await.unwrap();
    let chunks: Vec<_> = futures_util::TryStreamExt::try_collect(stream).await.unwrap();
    let chunks: Vec<bytes::Bytes> = chunks;
    String::from_utf8(chunks.concat()).unwrap()
}
