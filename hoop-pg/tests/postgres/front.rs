//! A gateway from its files, in front of the cluster, as `psql` and tokio-postgres come to it over a Unix socket.

use std::fs;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use hoop_pg::Server;
use hoop_runtime::{Config, Gateway};
use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::cluster::{Cluster, psql};
use crate::direct::cluster;

/// A gateway in this process, with its files in a folder.
pub(crate) struct Front {
    pub(crate) gateway: Gateway,
    pub(crate) folder: TempDir,
    database: String,
    server: Server,
}

impl Front {
    /// Before this database, with more lines for the resource `db`.
    pub(crate) async fn open(policy: &str, database: &str, more: &str) -> Self {
        Self::open_before(cluster(), policy, database, more).await
    }

    /// The same before another cluster.
    pub(crate) async fn open_before(cluster: &Cluster, policy: &str, database: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("policy.yaml", policy);
        write("ann.secret", "ann's");
        write("db.secret", &cluster.password);
        let file = format!(
            "
policy: policy.yaml
audit: {{ directory: audit, mode: written }}
identities:
  ann: {{ kind: workload, groups: [staff], password: {{ file: ann.secret }} }}
listeners: [{{ protocol: postgres, address: ./.s.PGSQL.5432, resource: db, replication: true }}]
resources:
  db:
    kind: postgres
    address: 'localhost:{}'
    databases: [{database}]
    tls: {{ verify: full, ca: {:?} }}
    credential: {{ user: postgres, password: {{ file: db.secret }} }}
{more}
",
            cluster.port,
            cluster.ca()
        );
        write("gateway.yaml", &file);
        let gateway = Gateway::open(Config::read(&folder.path().join("gateway.yaml")).unwrap()).unwrap();
        let server = hoop_pg::serve(gateway.clone()).await.unwrap();
        Self { gateway, folder, database: database.to_owned(), server }
    }

    /// Ends the gateway as a signal does.
    pub(crate) async fn shut_down(self, grace: Duration) {
        self.server.shutdown(grace).await;
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where clients connect.
    pub(crate) fn dsn(&self) -> String {
        format!("host={} user=ann password=ann's dbname={}", self.folder.path().display(), self.database)
            .replace("ann's", r"ann\'s")
    }

    pub(crate) async fn connect(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.dsn(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// All records, once they are safe.
    pub(crate) async fn records(&self) -> Vec<Value> {
        self.gateway.trail().flush().await.unwrap();
        let mut files: Vec<_> = fs::read_dir(self.file("audit")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// All that `psql` says to a script, errors where they happen.
pub(crate) async fn says(dsn: &str, script: &str) -> String {
    let (dsn, script) = (dsn.to_owned(), script.to_owned());
    let run = move || {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), script).unwrap();
        let mut psql = Command::new(psql().unwrap());
        psql.args(["-X", "-a", "-P", "pager=off", "-v", "VERBOSITY=verbose", "-f"]).arg(file.path()).arg(&dsn);
        let mut shown = tempfile::tempfile().unwrap();
        psql.stdin(Stdio::null()).stdout(shown.try_clone().unwrap()).stderr(shown.try_clone().unwrap());
        psql.status().unwrap();
        let mut text = String::new();
        shown.rewind().unwrap();
        shown.read_to_string(&mut text).unwrap();
        text.replace(&format!("{}", file.path().display()), "script")
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}
