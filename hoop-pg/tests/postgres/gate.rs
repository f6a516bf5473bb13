//! How a client comes in, or does not: raw bytes, TLS, passwords, routes, settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoop_pg::Server;
use hoop_runtime::config::{
    Audit, Certificate, ClientLimits, ClientTimeouts, Config, Identities, Known, ListenAddr, Listener, LoginMethod,
    OpenTo, Password, Plaintext, Protocol, ResourceName,
};
use hoop_runtime::trail::Mode;
use hoopcore::Identity;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::catalog::target;
use crate::cluster::write_certificates;
use crate::direct::cluster;
use crate::tokens::issuers;

pub(crate) const POLICY: &str = r#"
hoop: 1
rules:
  - { rule: staff, who: { group: staff }, on: [db, many], allow: { sql: { read: "*", set: work_mem } } }
  - rule: builds-of-main
    who: { issuer: "https://ci.example", group: ci/builders, kind: workload, claim: { ref: [refs/heads/main, refs/tags/*], run.attempt: 1, run.protected: true } }
    on: db
    allow: { sql: { read: pg_catalog.pg_class } }
    when: { source: 127.0.0.0/8, claim: { repository: acme/* }, not: { claim: { actor: mallory } } }
"#;

/// A gateway in this process, with one listener of each kind: TLS, plain text, a Unix socket; and one without a resource.
pub(crate) struct Gate {
    server: Server,
    directory: TempDir,
}

impl Gate {
    pub(crate) async fn open() -> Self {
        Self::open_with(POLICY, |_| {}).await
    }

    /// With this policy, and a configuration that differs from the usual one.
    pub(crate) async fn open_with(policy: &str, change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        write_certificates(directory.path()).unwrap_or_else(|error| panic!("{error}"));
        fs::write(directory.path().join("policy.yaml"), policy).unwrap();
        let mut config = configuration(directory.path().to_owned());
        change(&mut config);
        let gateway = hoop_runtime::Gateway::open(config).unwrap();
        let server = hoop_pg::serve(gateway).await.unwrap();
        Self { server, directory }
    }

    pub(crate) fn tcp(&self, listener: usize) -> SocketAddr {
        match &self.server.addresses()[listener] {
            ListenAddr::Tcp(address) => *address,
            ListenAddr::Unix(path) => panic!("{} is not TCP", path.display()),
        }
    }

    /// The path of a file in the gateway's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) async fn unix(&self) -> UnixStream {
        UnixStream::connect(self.directory.path().join("gate.sock")).await.unwrap()
    }

    pub(crate) async fn tls(&self, listener: usize) -> TlsStream<TcpStream> {
        let mut stream = TcpStream::connect(self.tcp(listener)).await.unwrap();
        stream.write_all(b"\0\0\0\x08\x04\xd2\x16\x2f").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'S');
        self.handshake(stream, &[]).await.unwrap()
    }

    async fn handshake(&self, stream: TcpStream, alpn: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.directory.path().join("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// Ends it after so long.
    pub(crate) async fn shut_down(self, grace: Duration) -> TempDir {
        self.server.shutdown(grace).await;
        self.directory
    }

    pub(crate) fn records(&self) -> String {
        let files = fs::read_dir(self.directory.path().join("audit")).unwrap();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap_or_default()).collect()
    }
}

fn configuration(directory: PathBuf) -> Config {
    let name = |name: &str| ResourceName::parse(name).unwrap();
    let listener = |address: ListenAddr, tls: Option<Certificate>, resource: Option<ResourceName>| Listener {
        protocol: Protocol::Postgres,
        address,
        tls,
        plaintext: Plaintext::Refused,
        login: LoginMethod::Password,
        resource,
        replication: false,
        timeouts: ClientTimeouts::default(),
        limits: ClientLimits::default(),
        open_to: OpenTo::default(),
    };
    let local = |listener: Listener| Listener { plaintext: Plaintext::Loopback, ..listener };
    let any = || ListenAddr::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let certificate =
        Certificate { certificate: directory.join("server.crt"), key: directory.join("server.key"), clients: None };
    let mut many = target(cluster());
    many.databases = vec!["postgres".into(), "template1".into(), "not_there".into()];
    let known = |user: &str, group: &str| Known {
        identity: Identity::named(user).with_groups([group]),
        password: Some(Password::new(format!("{user}'s secret").into()).unwrap()),
        certificates: BTreeSet::new(),
    };
    Config {
        policy: vec![directory.join("policy.yaml")],
        audit: Audit { directory: directory.join("audit"), mode: Mode::Written },
        identities: Identities::from_iter([known("ann", "staff"), known("eve", "visitors")]),
        issuers: issuers(&directory),
        keyring: hoopcore::mask::Keyring::new(),
        listeners: vec![
            listener(any(), Some(certificate.clone()), Some(name("db"))),
            listener(any(), None, Some(name("db"))),
            listener(ListenAddr::Unix(directory.join("gate.sock")), None, Some(name("db"))),
            listener(any(), Some(certificate), None),
            local(listener(any(), None, Some(name("db")))),
        ],
        resources: BTreeMap::from([
            (name("db"), target(cluster())),
            (name("many"), many),
            (name("closed"), target(cluster())),
        ]),
        approvals: None,
        cancel: None,
        admin: None,
    }
}

/// A startup packet of these parameters, in which `|` stands for NUL.
pub(crate) fn startup(parameters: &str) -> Vec<u8> {
    let body = [&[0, 3, 0, 0], parameters.replace('|', "\0").as_bytes(), b"\0\0"].concat();
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes(), &body[..]].concat()
}

pub(crate) fn password(password: &str) -> Vec<u8> {
    let length = u32::try_from(password.len() + 5).unwrap().to_be_bytes();
    [b"p", &length[..], password.as_bytes(), b"\0"].concat()
}

/// The tags of all messages up to the end of the stream, and of an error its code and message.
pub(crate) async fn told(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // Reset or closed: both are an end.
    let _end =
        timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.expect("the gateway does not end");
    let mut told = String::new();
    let mut rest = &bytes[..];
    while let [tag, a, b, c, d, after @ ..] = rest {
        let (body, next) = after.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize - 4);
        told.push(char::from(*tag));
        if *tag == b'E' {
            let fields: Vec<&[u8]> = body.split(|byte| *byte == 0).collect();
            let field = |name: u8| fields.iter().find_map(|field| field.strip_prefix(&[name])).unwrap_or_default();
            told += &format!(" {} {}", String::from_utf8_lossy(field(b'C')), String::from_utf8_lossy(field(b'M')));
        }
        rest = next;
    }
    told
}

pub(crate) async fn says(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> String {
    // The gateway may close before all was sent.
    let _sent = stream.write_all(bytes).await;
    let _ended = stream.shutdown().await;
    told(stream).await
}

#[tokio::test]
async fn the_first_bytes() {
    let gate = Gate::open().await;
    let check = async |bytes: &[u8], expected: &str| {
        for listener in [0, 1] {
            let mut stream = TcpStream::connect(gate.tcp(listener)).await.unwrap();
            assert_eq!(says(&mut stream, bytes).await, expected, "{}", String::from_utf8_lossy(bytes));
        }
    };
    let (tls, gss) = (b"\0\0\0\x08\x04\xd2\x16\x2f", b"\0\0\0\x08\x04\xd2\x16\x30");
    let early = "E 08P01 data came before the answer to a request for encryption";
    check(&[tls, &startup("user|ann")[..]].concat(), early).await;
    check(&[gss, &startup("user|ann")[..]].concat(), early).await;
    check(&[&tls[..], b"\x16\x03\x01"].concat(), early).await;
    check(b"", "").await;
    check(b"\0\0", "").await;
    check(b"\0\0\0\x08", "").await;
    check(b"GET / HTTP/1.1\r\n\r\n", "").await;
    check(b"\x16\x03\x01\0\x05hello", "").await;
    check(b"\0\0\0\x09\x04\xd2\x16\x2fx", "").await;
    check(b"Q\0\0\0\x0dSELECT 1\0", "").await;
    check(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02", "").await;
    check(&startup("user|ann"), "E 28000 a password is taken over an encrypted connection only").await;
    check(&startup("database|ann"), "E 28000 no user name is given in the startup packet").await;
}

#[tokio::test]
async fn encryption_that_is_not_offered() {
    let gate = Gate::open().await;
    for (listener, request) in [(1, 0x2f), (1, 0x30), (0, 0x30)] {
        let mut stream = TcpStream::connect(gate.tcp(listener)).await.unwrap();
        stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, request]).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'N');
        // Again: not a second time.
        let answer = says(&mut stream, &[0, 0, 0, 8, 0x04, 0xd2, 0x16, request]).await;
        assert!(answer.starts_with("E 0A000"), "{answer}");
    }
}

#[tokio::test]
async fn tls_from_the_first_byte_needs_the_name_of_the_protocol() {
    let gate = Gate::open().await;
    let connect = async || TcpStream::connect(gate.tcp(0)).await.unwrap();
    let mut named = gate.handshake(connect().await, &[b"postgresql"]).await.unwrap();
    assert_eq!(says(&mut named, &startup("database|x")).await, "E 28000 no user name is given in the startup packet");
    let mut nameless = gate.handshake(connect().await, &[]).await.unwrap();
    assert_eq!(says(&mut nameless, &startup("user|ann")).await, "");
    assert!(gate.handshake(connect().await, &[b"h2"]).await.is_err());
    let mut twice = gate.tls(0).await;
    assert!(says(&mut twice, b"\0\0\0\x08\x04\xd2\x16\x2f").await.starts_with("E 0A000"));
    let mut gss = gate.tls(0).await;
    assert!(says(&mut gss, b"\0\0\0\x08\x04\xd2\x16\x30").await.starts_with("E 0A000"));
}

#[tokio::test]
async fn passwords() {
    let gate = Gate::open().await;
    let check = async |user: &str, message: &[u8], expected: &str| {
        let bytes = [startup(&format!("user|{user}|database|postgres")), message.to_vec()].concat();
        assert_eq!(says(&mut gate.tls(0).await, &bytes).await, format!("R{expected}"));
        assert_eq!(says(&mut gate.unix().await, &bytes).await, format!("R{expected}"));
        let mut local = TcpStream::connect(gate.tcp(4)).await.unwrap();
        assert_eq!(says(&mut local, &bytes).await, format!("R{expected}"));
    };
    let wrong = |user: &str| format!("E 28P01 password authentication failed for user \"{user}\"");
    check("ann", &password("wrong"), &wrong("ann")).await;
    check("ann", &password(""), &wrong("ann")).await;
    check("ann", &password("eve's secret"), &wrong("ann")).await;
    check("nobody", &password(""), &wrong("nobody")).await;
    check("nobody", &password("x"), &wrong("nobody")).await;
    check("ANN", &password("ann's secret"), &wrong("ANN")).await;
    check("ann", &password(&"x".repeat(65_000)), &wrong("ann")).await;
    let unexpected = "E 08P01 a password message is expected";
    check("ann", b"Q\0\0\0\x0dSELECT 1\0", unexpected).await;
    check("ann", b"p\0\0\0\x04", unexpected).await;
    check("ann", b"p\0\0\0\x07a\0\0", unexpected).await;
    check("ann", b"p\0\0\0\x07\0a\0", unexpected).await;
    check("ann", b"p\0\0\0\x05a", unexpected).await;
    check("ann", b"p\0\0\0\x03", "").await;
    check("ann", b"p\xff\xff\xff\xff", "").await;
    check("ann", &password(&"x".repeat(66_000)), "").await;
    check("ann", b"p\0\0\0\x20ann", "").await;

    let records = gate.records();
    for user in ["ann", "nobody"] {
        assert!(records.contains(&format!("\"{user}\"")), "{user} is not in {records}");
    }
    assert!(!records.contains("secret"), "{records}");
}

/// Who shows nothing goes on record too, but not as often as it likes.
#[tokio::test]
async fn refusals_of_who_shows_nothing() {
    let gate = Gate::open().await;
    let open = [startup("user|plain|database|postgres"), password("ann's secret")].concat();
    let mut stream = TcpStream::connect(gate.tcp(1)).await.unwrap();
    assert!(says(&mut stream, &open).await.starts_with("E 28000"));
    for what in ["user|copier|database|postgres|replication|true", "user|odd|database|postgres"] {
        says(&mut gate.unix().await, &[startup(what), b"Q\0\0\0\x04".to_vec()].concat()).await;
    }
    let records = gate.records();
    for (user, reason) in [
        ("plain", "a password is taken over an encrypted connection only"),
        ("copier", "replication connections are not let through here"),
        ("odd", "a password message is expected"),
    ] {
        let record = records.lines().find(|line| line.contains(&format!("\"{user}\""))).expect(user);
        assert!(record.contains("login_refused") && record.contains(reason), "{record}");
    }
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..150 {
        let (to, open) = (gate.tcp(1), open.clone());
        flood.spawn(async move { says(&mut TcpStream::connect(to).await.unwrap(), &open).await });
    }
    flood.join_all().await;
    let recorded = gate.records().lines().filter(|line| line.contains("\"plain\"")).count();
    assert!((10..100).contains(&recorded), "{recorded}");
}

#[tokio::test]
async fn routes() {
    let gate = Gate::open().await;
    let closed = "E 28000 the name, the password or the resource is not right, or not allowed";
    let check = async |listener: usize, user: &str, database: &str, expected: &str| {
        let bytes =
            [startup(&format!("user|{user}|database|{database}")), password(&format!("{user}'s secret"))].concat();
        let told = says(&mut gate.tls(listener).await, &bytes).await;
        assert!(told.starts_with(expected), "{user} {database}: {told}");
    };
    check(0, "ann", "postgres", "RRS").await;
    check(0, "ann", "template1", &format!("R{closed}")).await;
    check(0, "ann", "no_such", &format!("R{closed}")).await;
    check(0, "ann", "db/postgres", &format!("R{closed}")).await;
    check(0, "ann", "", &format!("R{closed}")).await;
    check(0, "eve", "postgres", &format!("R{closed}")).await;
    check(0, "eve", "no_such", &format!("R{closed}")).await;
    check(3, "ann", "db", "RRS").await;
    check(3, "ann", "db/postgres", "RRS").await;
    check(3, "ann", "many/template1", "RRS").await;
    check(3, "ann", "many/not_there", "RE 3D000 database \"not_there\" does not exist").await;
    check(3, "ann", "many", &format!("R{closed}")).await;
    check(3, "ann", "many/", &format!("R{closed}")).await;
    check(3, "ann", "closed", &format!("R{closed}")).await;
    check(3, "ann", "nowhere", &format!("R{closed}")).await;
    check(3, "ann", "postgres", &format!("R{closed}")).await;
}

#[tokio::test]
async fn settings_are_judged() {
    let gate = Gate::open().await;
    let check = async |parameters: &str, expected: &str| {
        let bytes = [startup(&format!("user|ann|database|postgres|{parameters}")), password("ann's secret")].concat();
        let told = says(&mut gate.tls(0).await, &bytes).await;
        assert!(told.starts_with(expected), "{parameters}: {told}");
    };
    check("application_name|psql|client_encoding|SQL_ASCII", "RRS").await;
    check("datestyle|ISO|timezone|Europe/Berlin|extra_float_digits|2", "RRS").await;
    check("options|-c work_mem=1MB", "RRS").await;
    check("options|-c role=postgres", "RE 42501").await;
    check("role|postgres", "RE 42501").await;
    check("options|-c session_replication_role=replica", "RE 42501").await;
    check("options|-c row_security=off -c work_mem=1MB", "RE 42501").await;
    check("default_transaction_read_only|off", "RE 42501").await;
    check("session_authorization|postgres", "RE 42501").await;
    check("work_mem|lots", "RE 22023 invalid value for parameter \"work_mem\": \"lots\"").await;
    check("options|-d 5", "E 0A000").await;
    check("replication|database", "E 0A000").await;
    check("replication|true", "E 0A000").await;
    check("replication|off", "RRS").await;
    check("replication|maybe", "E 22023").await;
    check("standard_conforming_strings|off", "E 22023").await;
    check("_pq_.x|1", "vRRS").await;

    let versions = async |minor: u8, expected: &str| {
        let mut bytes = startup("user|ann|database|postgres");
        bytes[7] = minor;
        let told = says(&mut gate.tls(0).await, &[bytes, password("ann's secret")].concat()).await;
        assert!(told.starts_with(expected), "3.{minor}: {told}");
    };
    versions(1, "RRS").await;
    versions(2, "RRS").await;
    versions(3, "vRRS").await;
}

/// Cases of the corpus that are about the first bytes: none that must be refused may be let in.
#[tokio::test]
async fn the_corpus_of_first_bytes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/pgwire.jsonl");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpora/pgwire.jsonl");
    let cases = fs::read_to_string(file).or_else(|_| fs::read_to_string(own)).unwrap();
    let gate = Gate::open().await;
    let mut refused = 0;
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        if case["phase"] != "startup" || !case["generator"].is_null() {
            continue;
        }
        let bytes = base64(case["input"].as_str().unwrap());
        let told = [
            says(&mut TcpStream::connect(gate.tcp(0)).await.unwrap(), &bytes).await,
            says(&mut gate.tls(0).await, &bytes).await,
            says(&mut gate.unix().await, &bytes).await,
        ];
        if case["expected"]["verdict"] == "reject" {
            refused += 1;
            assert!(told.iter().all(|told| !told.contains('R')), "{}: {told:?}", case["name"]);
        }
    }
    assert!(refused > 5, "{refused} cases");
}

pub(crate) fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(digit).collect();
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}

#[tokio::test]
async fn shutting_down_ends_everything() {
    let gate = Gate::open().await;
    let mut waiting = gate.unix().await;
    waiting.write_all(&startup("user|ann|database|postgres")).await.unwrap();
    assert_eq!(waiting.read_u8().await.unwrap(), b'R');
    let (address, socket) = (gate.tcp(0), gate.directory.path().join("gate.sock"));
    gate.server.shutdown(Duration::ZERO).await;
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!socket.exists());
}
