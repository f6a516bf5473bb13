//! hoop in front of PostgreSQL, with a tour in the terminal: masked columns, refused statements, an approval, the records.

mod client;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../hoop-pg/tests/support/cluster.rs"]
mod cluster;
#[cfg(feature = "embedded")]
mod embedded;
mod gateway;
mod terminal;
mod tour;
mod upstream;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use self::client::Client;
use self::cluster::Cluster;
#[cfg(feature = "embedded")]
use self::cluster::ClusterError;
use self::gateway::Gateway;
use self::terminal::Leave;
use self::upstream::Upstream;

/// Shows hoop in front of PostgreSQL.
#[derive(Parser)]
struct Args {
    /// A server of your own instead of a throw-away one; the tour makes a schema `shop` there, and takes it away again
    #[arg(long, value_name = "postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    upstream: Option<String>,
    /// End after the tour
    #[arg(long)]
    no_wait: bool,
    /// PostgreSQL inside this process, although the machine has one of its own
    #[cfg(feature = "embedded")]
    #[arg(long, conflicts_with = "upstream")]
    embedded: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let leave = Leave::watch()?;
    let server = Server::choose(args)?;
    let upstream = server.upstream(args)?;
    let client = server.client()?;
    let shop = upstream.fill(&client)?;
    let gateway = Gateway::start(&upstream, &client)?;
    tour::run(&gateway, &client)?;
    if !args.no_wait {
        tour::go_on(&gateway, &client);
        leave.wait();
    }
    drop(gateway);
    drop(shop);
    Ok(())
}

/// The server that the tour stands before. A private one ends when this is dropped.
enum Server {
    /// The user's own.
    Named,
    /// The machine's binaries.
    Private(Cluster),
    /// PostgreSQL inside this process.
    #[cfg(feature = "embedded")]
    Inside(embedded::Embedded),
}

impl Server {
    fn choose(args: &Args) -> Result<Self, Box<dyn Error>> {
        if args.upstream.is_some() {
            return Ok(Self::Named);
        }
        #[cfg(feature = "embedded")]
        if args.embedded {
            return Ok(Self::Inside(embedded::Embedded::start()?));
        }
        match Cluster::start() {
            Ok(cluster) => Ok(Self::Private(cluster)),
            #[cfg(feature = "embedded")]
            Err(ClusterError::Missing) => Ok(Self::Inside(embedded::Embedded::start()?)),
            Err(error) => Err(error.to_string().into()),
        }
    }

    fn upstream(&self, args: &Args) -> Result<Upstream, Box<dyn Error>> {
        match self {
            Self::Named => Upstream::parse(args.upstream.as_deref().unwrap_or_default()),
            Self::Private(cluster) => Ok(Upstream::private(cluster)),
            #[cfg(feature = "embedded")]
            Self::Inside(server) => Ok(Upstream::inside(server.port)),
        }
    }

    /// Who asks: `psql`. The server inside this process can do without.
    fn client(&self) -> Result<Client, Box<dyn Error>> {
        match (self, cluster::psql()) {
            #[cfg(feature = "embedded")]
            (Self::Inside(_), _) => Ok(Client::Own),
            (Self::Named | Self::Private(_), Some(psql)) => Ok(Client::Psql(psql)),
            (Self::Named | Self::Private(_), None) => {
                Err("no `psql` on this machine; get it with `apt-get install postgresql-client`".into())
            }
        }
    }
}
