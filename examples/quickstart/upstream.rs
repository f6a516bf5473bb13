//! The server behind the gateway: the private cluster, or one that the user names.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::client::{Client, talk};
use crate::cluster::Cluster;

/// Where a server is, and as whom the gateway logs in.
pub(crate) struct Upstream {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    /// What vouches for the server: an authority's file, the system's authorities, or nothing.
    pub(crate) trust: Trust,
}

/// What vouches for the server.
pub(crate) enum Trust {
    Authority(PathBuf),
    System,
    Nothing,
}

impl Upstream {
    /// The private cluster.
    pub(crate) fn private(cluster: &Cluster) -> Self {
        Self {
            host: "localhost".into(),
            port: cluster.port,
            user: "postgres".into(),
            password: cluster.password.clone(),
            database: "postgres".into(),
            trust: Trust::Authority(cluster.ca()),
        }
    }

    /// PostgreSQL inside this process: one connection at a time, and whoever asks is the superuser.
    #[cfg(feature = "embedded")]
    pub(crate) fn inside(port: u16) -> Self {
        Self {
            host: "127.0.0.1".into(),
            port,
            user: "postgres".into(),
            password: String::new(),
            database: "template1".into(),
            trust: Trust::Nothing,
        }
    }

    /// The server that a URL names; `sslmode=disable` gives up encryption, `sslrootcert` names an authority.
    pub(crate) fn parse(url: &str) -> Result<Self, Box<dyn Error>> {
        let (address, options) = url.split_once('?').unwrap_or((url, ""));
        let option = |name: &str| options.split('&').find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
        let config: tokio_postgres::Config = address.parse().map_err(|error| format!("`{address}`: {error}"))?;
        let host = config.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(name) => Some(name.clone()),
            Host::Unix(_) => None,
        });
        let plain = option("sslmode") == Some("disable") || config.get_ssl_mode() == SslMode::Disable;
        let authority = option("sslrootcert").map(|file| Trust::Authority(file.into())).unwrap_or(Trust::System);
        Ok(Self {
            host: host.ok_or("the URL names no host")?,
            port: config.get_ports().first().copied().unwrap_or(5432),
            user: config.get_user().ok_or("the URL names no user")?.to_owned(),
            password: String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned(),
            database: config.get_dbname().ok_or("the URL names no database")?.to_owned(),
            trust: if plain { Trust::Nothing } else { authority },
        })
    }

    /// Makes the shop, around the gateway; it is taken away when what comes back is dropped.
    pub(crate) fn fill<'a>(&'a self, client: &'a Client) -> Result<Shop<'a>, Box<dyn Error>> {
        self.run(client, include_str!("shop.sql"))?;
        Ok(Shop { upstream: self, client })
    }

    fn run(&self, client: &Client, sql: &str) -> Result<(), Box<dyn Error>> {
        match client {
            Client::Psql(psql) => self.run_with(psql, sql),
            Client::Own => talk(&self.config(), sql).map(drop),
        }
    }

    /// Where a client of our own connects. It cannot encrypt: it asks the server inside this process alone.
    fn config(&self) -> Config {
        let mut config = Config::new();
        config.host(&self.host).port(self.port).user(&self.user).password(&self.password).dbname(&self.database);
        config
    }

    fn run_with(&self, psql: &Path, sql: &str) -> Result<(), Box<dyn Error>> {
        let Self { host, port, user, database, .. } = self;
        let mode = match &self.trust {
            Trust::Authority(file) => format!("sslmode=verify-full sslrootcert={}", file.display()),
            Trust::System => "sslmode=require".into(),
            Trust::Nothing => "sslmode=disable".into(),
        };
        let output = Command::new(psql)
            .args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(format!("host={host} port={port} user={user} dbname={database} {mode}"))
            .env("PGPASSWORD", &self.password)
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
    }
}

/// The tables of the tour.
pub(crate) struct Shop<'a> {
    upstream: &'a Upstream,
    client: &'a Client,
}

impl Drop for Shop<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.upstream.run(self.client, "drop schema shop cascade") {
            eprintln!("the schema `shop` could not be taken away: {error}");
        }
    }
}
