//! `hoop-pg` itself, with its files in a temporary folder.

use std::error::Error;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::Config;

use crate::client::Client;
use crate::cluster::{write_certificates, write_private};
use crate::upstream::{Trust, Upstream};

/// The server's password stands in the gateway's environment: no file holds it.
const SERVER_PASSWORD: &str = "HOOP_SERVER_PASSWORD";

/// A running gateway.
pub(crate) struct Gateway {
    process: Child,
    directory: TempDir,
    pub(crate) port: u16,
    pub(crate) password: String,
    pub(crate) database: String,
}

impl Gateway {
    /// Writes the gateway's files and starts it.
    pub(crate) fn start(upstream: &Upstream, client: &Client) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::Builder::new().prefix("hoop-quickstart-").tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let password = format!("{:016x}", rand::random::<u64>());
        write_certificates(directory.path()).map_err(|error| error.to_string())?;
        write_private(&directory.path().join("ann.secret"), &password)?;
        fs::write(directory.path().join("policy.yaml"), include_str!("../policies/shop.yaml"))?;
        fs::write(directory.path().join("gateway.yaml"), configuration(port, upstream, client))?;
        let process = Command::new(program("hoop-pg")?)
            .args(["--config", "gateway.yaml"])
            .current_dir(directory.path())
            .env(SERVER_PASSWORD, &upstream.password)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("log"))?)
            .spawn()?;
        let mut gateway = Self { process, directory, port, password, database: upstream.database.clone() };
        gateway.wait_until_it_listens()?;
        Ok(gateway)
    }

    fn wait_until_it_listens(&mut self) -> Result<(), Box<dyn Error>> {
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.process.try_wait()?.is_some() || begin.elapsed() > Duration::from_secs(20) {
                let log = fs::read_to_string(self.file("log")).unwrap_or_default();
                return Err(format!("hoop-pg does not listen: {log}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// One of its files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where `psql` connects as Ann.
    pub(crate) fn dsn(&self) -> String {
        let Self { port, database, .. } = self;
        let ca = self.file("ca.pem");
        format!(
            "host=localhost port={port} user=ann dbname={database} sslmode=verify-full sslrootcert={}",
            ca.display()
        )
    }

    /// Where a client of our own connects as Ann.
    pub(crate) fn socket(&self) -> Config {
        let mut config = Config::new();
        config.host_path(self.directory.path()).port(self.port);
        config.user("ann").password(&self.password).dbname(&self.database);
        config
    }

    /// The `hoop` command with these words, as the person who approves would give it.
    pub(crate) fn hoop(&self, words: &[&str]) -> Result<Command, Box<dyn Error>> {
        let mut command = Command::new(program("hoop")?);
        command.args(words).arg("--config").arg(self.file("gateway.yaml")).stdin(Stdio::null());
        Ok(command)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A program that was built beside this one.
fn program(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| format!("`{name}` is not built; ./quickstart builds it").into())
}

fn configuration(port: u16, upstream: &Upstream, client: &Client) -> String {
    let Upstream { host, port: server, user, database, trust, .. } = upstream;
    let tls = match trust {
        Trust::Authority(file) => format!("{{ verify: full, ca: {:?} }}", Path::new(file)),
        Trust::System => "{ verify: full }".into(),
        Trust::Nothing => "{ verify: none }".into(),
    };
    let socket = match client {
        Client::Psql(_) => String::new(),
        Client::Own => format!("  - {{ protocol: postgres, address: \"unix:.s.PGSQL.{port}\", resource: shop-db }}\n"),
    };
    let password = match upstream.password.as_str() {
        "" => String::new(),
        _ => format!(", password: {{ env: {SERVER_PASSWORD} }}"),
    };
    let me = uzers::get_current_username().unwrap_or_default();
    let me = me.to_string_lossy();
    format!(
        "policy: [policy.yaml]
audit: {{ directory: audit, mode: durable }}
identities:
  ann: {{ kind: human, groups: [developers], password: {{ file: ann.secret }} }}
listeners:
  - {{ protocol: postgres, address: \"127.0.0.1:{port}\", tls: {{ certificate: server.crt, key: server.key }}, resource: shop-db }}
{socket}resources:
  shop-db:
    kind: postgres
    address: \"{host}:{server}\"
    databases: [{database:?}]
    tls: {tls}
    credential: {{ user: {user:?}{password} }}
approvals:
  socket: approvals.sock
  approvers: {{ {me:?}: {{ name: boss, groups: [dba] }} }}
"
    )
}
