//! A private, throw-away PostgreSQL: the machine's binaries, a data directory of its own, a free port on loopback, TLS and
//! passwords. It ends with the process that started it, however that ends. Tests and the quick start share this file.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// A running cluster. Dropping it ends the server and removes its files; so does the end of the process.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The port on 127.0.0.1.
    pub(crate) port: u16,
    /// The password of the superuser `postgres`.
    pub(crate) password: String,
    // In this order: the server ends before its files go.
    _server: Server,
    directory: TempDir,
}

/// The server, and a shell that ends it when this process ends or drops it.
#[derive(Debug)]
struct Server {
    child: Child,
    watchdog: Child,
}

/// Why there is no cluster.
#[derive(Debug)]
pub(crate) enum ClusterError {
    /// The machine has no PostgreSQL server.
    Missing,
    /// It has one that did not start, in its own words.
    Failed(String),
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "no PostgreSQL server on this machine; get one with `apt-get install postgresql`, `dnf install postgresql-server` or `brew install postgresql`",
            ),
            Self::Failed(why) => write!(f, "PostgreSQL did not start: {why}"),
        }
    }
}

impl From<io::Error> for ClusterError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<rcgen::Error> for ClusterError {
    fn from(error: rcgen::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Cluster {
    /// Starts a cluster; returns when it takes connections.
    pub(crate) fn start() -> Result<Self, ClusterError> {
        let initdb = server_program("initdb").ok_or(ClusterError::Missing)?;
        let directory = tempfile::Builder::new().prefix("hoop-postgres-").tempdir()?;
        let password = format!("{:032x}", rand::random::<u128>());
        let owner = Owner::for_server();
        write_certificates(directory.path())?;
        write_private(&directory.path().join("password"), &password)?;
        owner.take(directory.path())?;
        initialise(&initdb, directory.path(), &owner)?;
        let (_server, port) = launch(&initdb.with_file_name("postgres"), directory.path(), &owner)?;
        Ok(Self { port, password, _server, directory })
    }

    /// The certificate of the authority that signed the server's: it names `localhost` and 127.0.0.1.
    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Where the superuser connects to a database, as a URL.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The files are the `TempDir`'s to remove; without this word the watchdog would.
        if let Some(mut input) = self.watchdog.stdin.take() {
            drop(writeln!(input, "keep"));
        }
        drop(self.child.wait());
        drop(self.watchdog.wait());
    }
}

/// The path of `psql`: the server's own, else the one on PATH.
pub(crate) fn psql() -> Option<PathBuf> {
    let own = server_program("initdb").map(|initdb| initdb.with_file_name("psql")).filter(|file| file.is_file());
    own.or_else(|| on_path("psql"))
}

/// The path of one of the server's programs: on PATH, else the newest that Debian or Homebrew put in their places.
fn server_program(name: &str) -> Option<PathBuf> {
    // A link on PATH may stand for one program of a folder only, so it is followed to where its fellows are.
    let followed = on_path(name).and_then(|file| file.canonicalize().ok());
    followed.filter(|file| file.with_file_name("postgres").is_file()).or_else(|| {
        ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"]
            .into_iter()
            .find_map(|root| newest(Path::new(root), name))
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn newest(root: &Path, name: &str) -> Option<PathBuf> {
    let folders = fs::read_dir(root).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let files = folders.map(|folder| folder.join("bin").join(name)).filter(|file| file.is_file());
    files.max_by_key(|file| version(file))
}

/// The number in a folder like `15` or `postgresql@16`.
fn version(file: &Path) -> u32 {
    let folder = file.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    folder.rsplit('@').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Who runs the server: PostgreSQL refuses root.
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn for_server() -> Self {
        if uzers::get_effective_uid() != 0 {
            return Self(None);
        }
        let user = ["postgres", "nobody"].into_iter().find_map(uzers::get_user_by_name);
        Self(user.map(|user| (user.uid(), user.primary_group_id())))
    }

    /// Makes everything in a folder, and the folder, the server's.
    fn take(&self, folder: &Path) -> io::Result<()> {
        let Some((user, group)) = self.0 else { return Ok(()) };
        for entry in fs::read_dir(folder)? {
            chown(entry?.path(), Some(user), Some(group))?;
        }
        chown(folder, Some(user), Some(group))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }
}

/// Writes `ca.pem`, and `server.crt` and `server.key` that it signed for `localhost` and 127.0.0.1.
pub(crate) fn write_certificates(directory: &Path) -> Result<(), ClusterError> {
    let authority = authority()?;
    let key = KeyPair::generate()?;
    let names = ["localhost", "127.0.0.1"].map(String::from);
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    write_private(&directory.join("server.key"), &key.serialize_pem())?;
    write_private(&directory.join("server.crt"), &certificate.pem())?;
    write_private(&directory.join("ca.pem"), &authority.pem())?;
    Ok(())
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "hoop test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Writes a file that only its owner reads.
pub(crate) fn write_private(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
}

fn initialise(initdb: &Path, directory: &Path, owner: &Owner) -> Result<(), ClusterError> {
    let output = owner
        .command(initdb)
        .args(["--no-sync", "--auth=scram-sha-256", "--username=postgres"])
        .args(["--encoding=UTF8", "--locale=C", "--pwfile"])
        .arg(directory.join("password"))
        .arg("--pgdata")
        .arg(directory.join("data"))
        .current_dir(directory)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(ClusterError::Failed(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Starts the server on a free port. Another process may take the port first: then the next one is tried.
fn launch(postgres: &Path, directory: &Path, owner: &Owner) -> Result<(Server, u16), ClusterError> {
    let mut why = String::new();
    for _ in 0..5 {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let child = serve(postgres, directory, owner, port)?;
        let watchdog = watch(&child, directory)?;
        let mut server = Server { child, watchdog };
        match server.child.stderr.take().map(ready) {
            Some(Ok(())) => return Ok((server, port)),
            Some(Err(words)) => why = words,
            None => why = String::from("it has no output"),
        }
    }
    Err(ClusterError::Failed(why))
}

/// The server, in a process group of its own so that ctrl-C reaches it only through the watchdog. Nothing is synced to disk.
fn serve(postgres: &Path, directory: &Path, owner: &Owner, port: u16) -> io::Result<Child> {
    let file = |name: &str| directory.join(name).display().to_string();
    let settings = [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".into(),
        format!("unix_socket_directories={}", directory.display()),
        "ssl=on".into(),
        format!("ssl_cert_file={}", file("server.crt")),
        format!("ssl_key_file={}", file("server.key")),
        "fsync=off".into(),
        "synchronous_commit=off".into(),
        "full_page_writes=off".into(),
        "shared_buffers=32MB".into(),
        "max_prepared_transactions=4".into(),
        "wal_level=logical".into(),
        "timezone=UTC".into(),
    ];
    owner
        .command(postgres)
        .arg("-D")
        .arg(directory.join("data"))
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .env("LC_ALL", "C")
        .current_dir(directory)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// Starts a shell that outlives this process by a moment: when its input ends, for whatever reason, it ends the server.
fn watch(server: &Child, directory: &Path) -> io::Result<Child> {
    let script = r#"read -r word; kill -QUIT "$1" 2>/dev/null
        tries=0; while kill -0 "$1" 2>/dev/null && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.05; done
        [ "$word" = keep ] || rm -rf "$2""#;
    Command::new("/bin/sh")
        .args(["-c", script, "watchdog", &server.id().to_string()])
        .arg(directory)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Waits for the server's word that it takes connections; gives its last words where it ends before.
fn ready(stderr: ChildStderr) -> Result<(), String> {
    let mut lines = BufReader::new(stderr);
    let mut said = String::new();
    loop {
        let start = said.len();
        if lines.read_line(&mut said).unwrap_or(0) == 0 {
            return Err(said);
        }
        if said.get(start..).is_some_and(|line| line.contains("ready to accept connections")) {
            // The log is read on so that the server never waits for a full pipe.
            thread::spawn(move || io::copy(&mut lines.by_ref(), &mut io::sink()));
            return Ok(());
        }
    }
}
