//! The `hoop-pg` gateway: reads its file, listens, and ends when it is told to.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use hoop_pg::{Server, dsn};
use hoop_runtime::config::{Config, Enforcement, Names};
use hoop_runtime::{Gateway, logging, policy_files};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// How long sessions may go on after the gateway was told to end.
const GRACE: Duration = Duration::from_secs(30);

/// How long may take what sessions still do when they have to end at once.
const LAST_WORDS: Duration = Duration::from_secs(1);

type Failure = Box<dyn std::error::Error>;

/// hoop in front of PostgreSQL: every statement decided, every answer masked.
///
/// What it logs goes to standard error; HOOP_LOG says how much (`warn`, `info`, `debug`).
#[derive(Debug, Parser)]
#[command(name = "hoop-pg", version, max_term_width = 120)]
struct Arguments {
    /// The gateway's own file
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Threads that serve sessions; half of the machine's cores where left out
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say everything that is wrong with the file, the policy and the certificates; start nothing
    Check,
}

fn main() -> ExitCode {
    let Arguments { config, workers, command } = Arguments::parse();
    let Some(config) = config else { missing_config() };
    let outcome = match command {
        Some(Command::Check) => check(&config),
        None => start(&config, workers.map_or_else(half_of_the_cores, usize::from)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // There is nobody to tell where standard error is closed.
            let _told = writeln!(std::io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

fn missing_config() -> ! {
    let message = "name the gateway's own file: `hoop-pg --config FILE`";
    Arguments::command().error(ErrorKind::MissingRequiredArgument, message).exit()
}

fn check(path: &Path) -> Result<(), Failure> {
    let config = Config::read(path)?;
    let loaded = policy_files::load(&config.policy)?;
    hoop_pg::check(&config)?;
    let mut warnings = loaded.policy.warnings();
    if config.issuers.settings().nth(1).is_some() {
        warnings.extend(loaded.policy.names_alone());
    }
    warnings.extend(Names::read(path)?.unnamed_approvers(path));
    if !warnings.is_empty() {
        writeln!(std::io::stderr(), "{}\n", loaded.sources.render_all(&warnings))?;
    }
    for (resource, _) in config.resources.iter().filter(|(_, target)| target.mode == Enforcement::Observe) {
        let told = "the policy is only observed: nothing is refused, held or masked";
        writeln!(std::io::stderr(), "warning: `{resource}`: {told}")?;
    }
    let (listeners, resources) = (config.listeners.len(), config.resources.len());
    writeln!(std::io::stdout(), "good: listeners {listeners}, resources {resources}")?;
    Ok(())
}

/// The server and the clients want their share of a machine, and sessions that seldom change threads cost less.
fn half_of_the_cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

fn start(path: &Path, workers: usize) -> Result<(), Failure> {
    logging::start();
    let config = Config::read(path)?;
    let runtime = runtime(workers).enable_all().build()?;
    let gateway = runtime.block_on(async { Gateway::open(config) })?;
    let trail = gateway.trail().end();
    let ran = runtime.block_on(run(gateway));
    // Sessions that are left now say how what they carried out ended; then the trail ends.
    runtime.shutdown_timeout(LAST_WORDS);
    ran.and(trail.wait().map_err(Failure::from))
}

/// One thread needs none of what several have to agree on.
fn runtime(workers: usize) -> Builder {
    if workers == 1 {
        return Builder::new_current_thread();
    }
    let mut several = Builder::new_multi_thread();
    several.worker_threads(workers);
    several
}

async fn run(gateway: Gateway) -> Result<(), Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    gateway.load_keys().await;
    let server = hoop_pg::serve(gateway.clone()).await?;
    follow_policy(&gateway)?;
    announce(&server, gateway.config());
    open_admin(&gateway).await?;
    tokio::select! {
        Err(error) = gateway.serve_approvals() => return Err(format!("approvers cannot be answered: {error}").into()),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    gateway.end();
    tracing::info!("ending: sessions have {} seconds, a second signal ends at once", GRACE.as_secs());
    tokio::select! {
        () = server.shutdown(GRACE) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// A changed policy is put in force as soon as it is seen, and at once on SIGHUP.
fn follow_policy(gateway: &Gateway) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (following, told) = (gateway.clone(), gateway.clone());
    tokio::spawn(async move { following.follow_policy_files().await });
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            told.reload_policy().await;
        }
    });
    Ok(())
}

fn announce(server: &Server, config: &Config) {
    for (address, listener) in server.addresses().iter().zip(&config.listeners) {
        tracing::info!(%address, "listening");
        for line in dsn::lines(config, listener, address) {
            tracing::info!("connect with: psql \"{line}\"");
        }
    }
}

/// Serves the admin address, where there is one, until the process ends.
async fn open_admin(gateway: &Gateway) -> Result<(), Failure> {
    let bound = gateway.admin().await.map_err(|error| format!("the admin address cannot be listened on: {error}"))?;
    if let Some(admin) = bound {
        tracing::info!(address = %admin.address()?, "metrics and health");
        tokio::spawn(admin.serve());
    }
    Ok(())
}
