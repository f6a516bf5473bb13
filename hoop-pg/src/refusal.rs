//! What a client is told when it is not let in.

use std::borrow::Cow;

/// A FATAL error: the code, the reason and what to do, as the client shows them before the connection closes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The error code, five characters (PostgreSQL, Appendix A).
    pub code: Cow<'static, str>,
    /// The reason.
    pub message: Cow<'static, str>,
    /// What to do about it.
    pub hint: Option<Cow<'static, str>>,
}

/// Error codes that the gateway itself uses.
pub mod code {
    /// `protocol_violation`
    pub const PROTOCOL: &str = "08P01";
    /// `connection_failure`: the server behind the gateway cannot be reached.
    pub const CONNECTION: &str = "08006";
    /// `sqlserver_rejected_establishment_of_sqlconnection`: the server behind the gateway cannot be used.
    pub const NO_SERVER: &str = "08004";
    /// `feature_not_supported`
    pub const UNSUPPORTED: &str = "0A000";
    /// `character_not_in_repertoire`
    pub const ENCODING: &str = "22021";
    /// `invalid_parameter_value`
    pub const VALUE: &str = "22023";
    /// `invalid_authorization_specification`
    pub const AUTHORIZATION: &str = "28000";
    /// `invalid_password`
    pub const PASSWORD: &str = "28P01";
    /// `insufficient_privilege`
    pub const PRIVILEGE: &str = "42501";
    /// `invalid_name`
    pub const NAME: &str = "42602";
    /// `too_many_connections`
    pub const TOO_MANY: &str = "53300";
    /// `configuration_limit_exceeded`: a limit of a rule.
    pub const LIMIT: &str = "53400";
    /// `query_canceled`
    pub const CANCELED: &str = "57014";
    /// `idle_session_timeout`
    pub const IDLE: &str = "57P05";
    /// `idle_in_transaction_session_timeout`
    pub const IDLE_IN_TRANSACTION: &str = "25P03";
    /// `admin_shutdown`: drivers take it as a reason to connect anew.
    pub const SHUTDOWN: &str = "57P01";
    /// `internal_error`
    pub const INTERNAL: &str = "XX000";
}

impl Refusal {
    /// A refusal without a hint.
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into(), hint: None }
    }

    /// The same refusal, with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Bytes that break the protocol.
    pub fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::PROTOCOL, message)
    }
}
