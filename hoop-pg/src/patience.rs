//! How long a session waits for either side, and what it was waiting for when that was too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hoop_runtime::config::{SessionTimeouts, Timeout};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::refusal::{Refusal, code};

/// How long a server may go on with what it was asked to cancel.
const GRACE: Duration = Duration::from_secs(10);

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// For the client's next command.
    Client,
    /// The same, while a transaction or a sequence is open.
    ClientInTransaction,
    /// For the server, which was done with so many messages before.
    Server(u64),
    /// For something that has a time of its own, or may take any.
    Otherwise,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The session ends, or the statement is to be cancelled.
    Time(Timeout, Duration),
    /// What was to be cancelled goes on.
    Grace,
}

/// Keeps the time of one session.
#[derive(Debug)]
pub(crate) struct Patience {
    timeouts: SessionTimeouts,
    waits: Waits,
    since: Instant,
    /// The server was asked to cancel what the session waits for.
    cancelled: bool,
    /// It is set to no later than what is due, and set anew when it rings: not with each statement.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) fn new(timeouts: SessionTimeouts) -> Self {
        Self { timeouts, waits: Waits::Otherwise, since: Instant::now(), cancelled: false, alarm: None }
    }

    fn limit(&self, waits: Waits) -> Option<(Timeout, Duration)> {
        match waits {
            Waits::Client => Some((Timeout::Idle, self.timeouts.idle?)),
            Waits::ClientInTransaction => Some((Timeout::IdleInTransaction, self.timeouts.idle_in_transaction?)),
            Waits::Server(_) => Some((Timeout::Statement, self.timeouts.statement?)),
            Waits::Otherwise => None,
        }
    }

    /// Notes what the session waits for now; whether that is too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, waits: Waits) -> Poll<Over> {
        let Some((timeout, limit)) = self.limit(waits) else {
            self.waits = waits;
            return Poll::Pending;
        };
        if self.waits != waits {
            (self.waits, self.since, self.cancelled) = (waits, Instant::now(), false);
        }
        let due = self.since + limit + if self.cancelled { GRACE } else { Duration::ZERO };
        if !self.rings(cx, due) {
            return Poll::Pending;
        }
        if self.cancelled {
            return Poll::Ready(Over::Grace);
        }
        self.cancelled = true;
        Poll::Ready(Over::Time(timeout, limit))
    }

    /// Whether it is later than this.
    fn rings(&mut self, cx: &mut Context<'_>, due: Instant) -> bool {
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if alarm.deadline() > due {
            alarm.as_mut().reset(due);
        }
        while alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() >= due {
                return true;
            }
            alarm.as_mut().reset(due);
        }
        false
    }
}

/// What the client is told, in PostgreSQL's words where it has any.
pub(crate) fn told(timeout: Timeout) -> Refusal {
    let (code, message) = match timeout {
        Timeout::Idle => (code::IDLE, "terminating connection due to idle-session timeout"),
        Timeout::IdleInTransaction => {
            (code::IDLE_IN_TRANSACTION, "terminating connection due to idle-in-transaction timeout")
        }
        Timeout::Statement => (code::CANCELED, "canceling statement due to statement timeout"),
        Timeout::Login => (code::CANCELED, "canceling authentication due to timeout"),
    };
    let hint = format!("the gateway's file gives the time: `timeouts: {{ {}: … }}`", timeout.word());
    Refusal::new(code, message).with_hint(hint)
}
