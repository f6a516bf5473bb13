//! Logs to standard error: what happens, never a value or a secret.

use std::io;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// Logs to standard error from now on. `RUST_LOG` says how much; without it, what is worth a person's while.
///
/// Of the libraries underneath only warnings are logged, whatever `RUST_LOG` says: the parser of statements would tell
/// every literal, and no setting may turn that on.
pub fn start() {
    let chosen = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second call, or a logger of the embedding program, is left as it is.
    drop(subscriber(io::stderr, chosen).try_init());
}

/// What [`start`] installs, for another writer and another choice.
pub fn subscriber<W>(writer: W, chosen: EnvFilter) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    Registry::default().with(fmt::layer().with_writer(writer).with_filter(filter_fn(may_be_told).and(chosen)))
}

fn may_be_told(event: &Metadata<'_>) -> bool {
    event.target().starts_with("hoop") || *event.level() <= Level::WARN
}
