//! Logs to standard error: what happens, never a value or a secret.

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// The variable that says how much is logged: `warn`, `info`, `debug`.
const CHOICE: &str = "HOOP_LOG";

/// Logs to standard error from now on. `HOOP_LOG` says how much; without it, what is worth a person's while.
///
/// Of the libraries underneath only warnings are logged, whatever `HOOP_LOG` says: the parser of statements would tell
/// every literal, and no setting may turn that on.
pub fn start() {
    let chosen = EnvFilter::try_from_env(CHOICE).unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // A logger that the embedding program set up before is left as it is.
    drop(subscriber(io::stderr, colour, chosen).try_init());
}

/// What [`start`] installs, for another writer and another choice.
pub fn subscriber<W>(writer: W, colour: bool, chosen: EnvFilter) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(colour);
    Registry::default().with(lines.with_filter(filter_fn(may_be_told).and(chosen)))
}

fn may_be_told(event: &Metadata<'_>) -> bool {
    event.target().starts_with("hoop") || *event.level() <= Level::WARN
}
