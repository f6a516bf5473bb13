//! What a gateway counts, for Prometheus: numbers, and names of rules and of what they mask, never a value or a statement.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hoopcore::Event;
use hoopcore::audit::EventKind;
use hoopcore::mask::{MaskedBy, MaskedCells};
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::config::Timeout;
use crate::reload::ReloadResult;

/// The shortest wait for a record that is told apart; ten more follow, each twice as long.
const SHORTEST_WAIT: f64 = 0.000_25;

/// What a gateway counts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Counts>);

struct Counts {
    registry: Registry,
    decisions: Family<Decided, Counter>,
    sessions: Gauge,
    refused_logins: Counter,
    held: Gauge,
    record_wait: Histogram,
    queued: Gauge,
    rows: Counter,
    bytes: Counter,
    cells: Family<Cells, Counter>,
    masked: Family<Masked, Counter>,
    timeouts: Family<TimedOut, Counter>,
    reloads: Family<Reloaded, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    verdict: String,
    rule: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cells {
    left: &'static str,
}

/// What masked cells, or would have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Masked {
    by: &'static str,
    name: String,
    rule: String,
    observed: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TimedOut {
    timeout: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reloaded {
    outcome: &'static str,
}

/// A session that counts as open until it is dropped.
pub(crate) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open")
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut counts = Counts {
            registry: Registry::with_prefix("hoop"),
            decisions: Family::default(),
            sessions: Gauge::default(),
            refused_logins: Counter::default(),
            held: Gauge::default(),
            record_wait: Histogram::new(exponential_buckets(SHORTEST_WAIT, 2.0, 11)),
            queued: Gauge::default(),
            rows: Counter::default(),
            bytes: Counter::default(),
            cells: Family::default(),
            masked: Family::default(),
            timeouts: Family::default(),
            reloads: Family::default(),
        };
        counts.register();
        Self(Arc::new(counts))
    }
}

impl Counts {
    fn register(&mut self) {
        let Self {
            registry,
            decisions,
            sessions,
            refused_logins,
            held,
            record_wait,
            queued,
            rows,
            bytes,
            cells,
            masked,
            timeouts,
            reloads,
        } = self;
        registry.register("decisions", "Decisions by verdict and deciding rule", decisions.clone());
        registry.register("sessions", "Sessions that are open", sessions.clone());
        registry.register("logins_refused", "Callers who were not let in", refused_logins.clone());
        registry.register("approvals_held", "Commands that wait for people", held.clone());
        registry.register("audit_wait_seconds", "How long a decision waited for its record", record_wait.clone());
        registry.register("audit_queue_bytes", "Bytes of records that wait for the disk", queued.clone());
        registry.register("answer_rows", "Rows that were returned or changed", rows.clone());
        registry.register("answer_bytes", "Bytes of answers, after masking", bytes.clone());
        registry.register(
            "protected_cells",
            "Cells of protected columns that left, masked or in clear, or that would have been masked where the policy is only observed",
            cells.clone(),
        );
        registry.register(
            "masked_cells",
            "Cells that were masked, or would have been where the policy is only observed, by what masks them",
            masked.clone(),
        );
        registry.register(
            "timeouts",
            "Waits that took too long, by their word in the gateway's file",
            timeouts.clone(),
        );
        registry.register(
            "policy_reloads",
            "How often the policy's files were read anew, by what came of it",
            reloads.clone(),
        );
        // What never happened is told too, so that an alert has something to compare with.
        for result in [ReloadResult::Applied, ReloadResult::Rejected] {
            drop(reloads.get_or_create(&Reloaded { outcome: result.word() }));
        }
    }
}

impl Masked {
    fn new(by: &MaskedBy, observed: bool) -> Self {
        let (by, name, rule) = match by {
            MaskedBy::Column { column, rule } => ("column", column.clone(), rule.name.as_ref().to_owned()),
            MaskedBy::Detector(detector) => ("detector", detector.word().to_owned(), String::new()),
            MaskedBy::Doubt => ("doubt", String::new(), String::new()),
        };
        Self { by, name, rule, observed: if observed { "true" } else { "false" } }
    }
}

impl Metrics {
    /// A decision, or the end of an execution.
    pub(crate) fn event(&self, event: &Event) {
        match &event.kind {
            EventKind::Decided { verdict, rule, .. } => {
                let labels = Decided { verdict: verdict.to_string(), rule: rule.name.as_ref().to_owned() };
                self.0.decisions.get_or_create(&labels).inc();
            }
            EventKind::Closed { completion, cells, masked, would_end: _ } => {
                self.0.rows.inc_by(completion.rows);
                self.0.bytes.inc_by(completion.bytes);
                let left = if event.observed { "observed" } else { "masked" };
                for (left, count) in [(left, cells.masked), ("clear", cells.clear)] {
                    self.0.cells.get_or_create(&Cells { left }).inc_by(count);
                }
                for MaskedCells { by, cells } in masked {
                    self.0.masked.get_or_create(&Masked::new(by, event.observed)).inc_by(*cells);
                }
            }
        }
    }

    /// A session begins.
    pub(crate) fn open(&self) -> Open {
        self.0.sessions.inc();
        Open(self.0.sessions.clone())
    }

    /// Somebody was not let in.
    pub(crate) fn refused_login(&self) {
        self.0.refused_logins.inc();
    }

    /// Somebody took too long.
    pub(crate) fn timed_out(&self, what: Timeout) {
        self.0.timeouts.get_or_create(&TimedOut { timeout: what.word() }).inc();
    }

    /// The policy's files were read anew.
    pub(crate) fn reloaded(&self, result: ReloadResult) {
        self.0.reloads.get_or_create(&Reloaded { outcome: result.word() }).inc();
    }

    /// A decision waited so long for its record.
    pub(crate) fn waited(&self, wait: Duration) {
        self.0.record_wait.observe(wait.as_secs_f64());
    }

    /// Everything in the text form of OpenMetrics, with what is looked up only now.
    pub(crate) fn text(&self, held: usize, queued: usize) -> String {
        self.0.held.set(i64::try_from(held).unwrap_or(i64::MAX));
        self.0.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        let mut text = String::new();
        match encode(&mut text, &self.0.registry) {
            Ok(()) => text,
            // Writing to memory does not fail.
            Err(_) => String::new(),
        }
    }
}
