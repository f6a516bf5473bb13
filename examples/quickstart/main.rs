//! hoop in front of PostgreSQL, with a tour in the terminal: masked columns, refused statements, an approval, the records.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../hoop-pg/tests/support/cluster.rs"]
mod cluster;
mod gateway;
mod terminal;
mod tour;
mod upstream;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use self::cluster::Cluster;
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
    let psql = cluster::psql();
    let cluster =
        if args.upstream.is_none() { Some(Cluster::start().map_err(|error| error.to_string())?) } else { None };
    let psql = psql.ok_or("no `psql` on this machine; get it with `apt-get install postgresql-client`")?;
    let upstream = match (&args.upstream, &cluster) {
        (Some(url), _) => Upstream::parse(url)?,
        (None, Some(cluster)) => Upstream::private(cluster),
        (None, None) => return Err("no server to stand before".into()),
    };
    let shop = upstream.fill(&psql)?;
    let gateway = Gateway::start(&upstream)?;
    tour::run(&gateway, &psql)?;
    if !args.no_wait {
        tour::go_on(&gateway);
        leave.wait();
    }
    drop(gateway);
    drop(shop);
    Ok(())
}
