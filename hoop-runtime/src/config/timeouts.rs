//! How long a gateway waits for its clients and its servers.

use std::time::Duration;

/// How long a listener waits for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// For a client to show who it is, from its first byte on.
    pub login: Duration,
    /// Without a byte, until the system asks whether it is still there.
    pub keepalive: Duration,
}

/// How long sessions on a resource wait, for the server and for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimeouts {
    /// For the server to take a connection and the login.
    pub connect: Duration,
    /// Without a byte of the server, until the system asks whether it is still there.
    pub keepalive: Duration,
    /// For the client's next command outside of a transaction.
    pub idle: Option<Duration>,
    /// For the client's next command within a transaction, or within a sequence that it has not ended.
    pub idle_in_transaction: Option<Duration>,
    /// For the server to be done with a query, or with a step of a sequence.
    pub statement: Option<Duration>,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self { login: Duration::from_secs(10), keepalive: Duration::from_mins(1) }
    }
}

impl Default for SessionTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            keepalive: Duration::from_mins(1),
            idle: None,
            idle_in_transaction: None,
            statement: None,
        }
    }
}

/// What a client or a server took too long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// The client did not show who it is.
    Login,
    /// The client asked for nothing, outside of a transaction.
    Idle,
    /// The client asked for nothing, and left a transaction open.
    IdleInTransaction,
    /// The server was not done with a statement.
    Statement,
}

impl Timeout {
    /// Its word in the gateway's file, in records and in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Idle => "idle",
            Self::IdleInTransaction => "idle_in_transaction",
            Self::Statement => "statement",
        }
    }
}
