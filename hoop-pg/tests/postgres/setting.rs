//! What the tests stand on: one cluster for all of them, databases made from a template, a gateway for each test.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cluster::{write_certificates, write_private};
use crate::direct::cluster;
use crate::wire::{Address, Wire};

/// The password of every caller of a gateway in the tests.
const PASSWORD: &str = "correct horse battery staple";

/// Whoever may do everything, and what the analysis does not understand besides.
pub(crate) const ALLOW_ALL: &str = r#"
hoop: 1
rules:
  - rule: everything
    who: anyone
    on: target
    allow: { sql: ["*", unknown] }
"#;

/// A way around the gateway, as the role that the gateway uses.
pub(crate) fn direct(database: &str) -> Address {
    Address {
        socket: SocketAddr::from(([127, 0, 0, 1], cluster().port)),
        ca: None,
        user: "postgres".into(),
        password: cluster().password.clone(),
        database: database.into(),
    }
}

/// A new database with the tables of `tests/cases/shop.sql`.
pub(crate) fn shop() -> String {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let name = create("template0");
        run(&name, include_str!("../cases/shop.sql"));
        name
    });
    create(template)
}

/// A new database, made like another one.
pub(crate) fn create(template: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    run("postgres", &format!("create database {name} template {template} encoding 'UTF8'"));
    name
}

/// Runs SQL around the gateway; it must not fail.
pub(crate) fn run(database: &str, sql: &str) {
    let messages = Wire::connect(&direct(database)).unwrap().query(sql);
    let failed = messages.iter().find(|message| message.tag == b'E');
    assert!(failed.is_none(), "{failed:?}");
}

/// hoop-pg, in a process of its own, in front of one database of the cluster.
pub(crate) struct Gateway {
    process: Child,
    directory: TempDir,
    port: u16,
    database: String,
}

impl Gateway {
    /// A gateway with this policy. Its resource is called `target`; callers are `job` (a workload of the group `callers`), `ann` (of
    /// `developers`) and `boss` (of `dba`); the user who runs the tests may answer approvals as `boss`.
    pub(crate) fn start(database: &str, policy: &str) -> Self {
        Self::start_with(database, policy, "", "")
    }

    /// The same with more keys of its listener and of its resource, each with a comma after it.
    pub(crate) fn start_with(database: &str, policy: &str, listener: &str, resource: &str) -> Self {
        let ca = cluster().ca();
        let server = format!("address: 'localhost:{}', tls: {{ verify: full, ca: {} }},", cluster().port, ca.display());
        Self::open(database, policy, "written", listener, &format!("{resource} {server}"))
    }

    /// The same, with a mode of its audit trail.
    pub(crate) fn start_recording(database: &str, policy: &str, mode: &str) -> Self {
        let server = format!("address: 'localhost:{}', tls: {{ verify: none }},", cluster().port);
        Self::open(database, policy, mode, "", &server)
    }

    /// The same in front of whatever listens on this port of the machine, in clear.
    pub(crate) fn start_before(server: u16, database: &str, policy: &str) -> Self {
        Self::open(database, policy, "written", "", &format!("address: 'localhost:{server}', tls: {{ verify: none }},"))
    }

    fn open(database: &str, policy: &str, mode: &str, listener: &str, resource: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        write_certificates(directory.path()).unwrap_or_else(|error| panic!("{error}"));
        write_private(&directory.path().join("caller.secret"), PASSWORD).unwrap();
        write_private(&directory.path().join("server.secret"), &cluster().password).unwrap();
        write_private(&directory.path().join("masks.secret"), "a key of masks that is long enough").unwrap();
        fs::write(directory.path().join("policy.yaml"), policy).unwrap();
        let configuration = configuration(port, database, mode, listener, resource);
        fs::write(directory.path().join("gateway.yaml"), configuration).unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        // To the gateway a file that must not grow is an error of the write, as a full disk is.
        let process = Command::new("/bin/sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" --config gateway.yaml", env!("CARGO_BIN_EXE_hoop-pg")])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut gateway = Self { process, directory, port, database: database.into() };
        gateway.wait_until_it_listens();
        gateway
    }

    fn wait_until_it_listens(&mut self) {
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.process.try_wait().unwrap().is_some() || begin.elapsed() > Duration::from_secs(20) {
                panic!("the gateway does not listen: {}", self.log());
            }
            std::thread::yield_now();
        }
    }

    /// How a caller comes in.
    pub(crate) fn address(&self, user: &str) -> Address {
        Address {
            socket: SocketAddr::from(([127, 0, 0, 1], self.port)),
            ca: Some(self.directory.path().join("ca.pem")),
            user: user.into(),
            password: PASSWORD.into(),
            database: self.database.clone(),
        }
    }

    /// A session of a caller.
    pub(crate) fn connect(&self, user: &str) -> Wire {
        Wire::connect(&self.address(user)).unwrap_or_else(|error| panic!("{error:?}\n{}", self.log()))
    }

    /// What the gateway logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// A file or directory of the gateway.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// All records so far.
    pub(crate) fn records(&self) -> String {
        let files = fs::read_dir(self.file("audit")).unwrap();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    /// Lets no file of the gateway grow beyond so many bytes; `None` for any size.
    pub(crate) fn bound_files(&self, bytes: Option<u64>) {
        let process = rustix::process::Pid::from_child(&self.process);
        let limit = rustix::process::Rlimit { current: bytes, maximum: None };
        rustix::process::prlimit(Some(process), rustix::process::Resource::Fsize, limit).unwrap();
    }

    /// Tells the gateway to end.
    pub(crate) fn terminate(&self) {
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    }

    /// Whether the gateway ended well; it must end soon.
    pub(crate) fn ends_well(&mut self) -> bool {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.success();
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "the gateway does not end: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// The gateway's process, to measure it.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(port: u16, database: &str, mode: &str, listener: &str, resource: &str) -> String {
    let me = uzers::get_current_username().unwrap_or_default();
    let me = Path::new(&me).display();
    format!(
        "policy: [policy.yaml]
audit: {{ directory: audit, mode: {mode} }}
identities:
  job: {{ kind: workload, groups: [callers], password: {{ file: caller.secret }} }}
  ann: {{ kind: human, groups: [developers], password: {{ file: caller.secret }} }}
  boss: {{ kind: human, groups: [dba], password: {{ file: caller.secret }} }}
keyring: {{ people: {{ file: masks.secret }} }}
listeners:
  - {{ {listener} protocol: postgres, address: \"127.0.0.1:{port}\", tls: {{ certificate: server.crt, key: server.key }}, resource: target }}
resources:
  target: {{
    {resource}
    kind: postgres, databases: [{database}],
    credential: {{ user: postgres, password: {{ file: server.secret }} }} }}
approvals:
  socket: approvals.sock
  approvers:
    {me}: {{ name: boss, groups: [dba] }}
"
    )
}
