//! How many clients a listener takes at once.

/// How many clients may be connected to a listener at once. Requests to cancel have places of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// All of them.
    pub clients: usize,
    /// Those that have not shown who they are yet.
    pub logins: usize,
    /// Of these, from one IP address, or one network of IPv6 (/64).
    pub logins_per_address: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self { clients: 10_000, logins: 1_000, logins_per_address: 200 }
    }
}
