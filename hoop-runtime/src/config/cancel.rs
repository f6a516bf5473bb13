//! What several instances of a gateway share so that each of them can carry out a client's cancel request.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::ServerAddr;

/// How cancel requests find their session among several instances: the block `cancel:` of the gateway's file.
///
/// ```yaml
/// cancel:
///   key: { file: cancel.key }          # the same for all instances: `openssl rand -hex 32 > cancel.key`
///   instance: 1                        # another number for each, 1 to 127
///   peers: { 2: "gw-2.internal:6432" } # listeners of the others
/// ```
#[derive(Clone, Debug)]
pub struct CancelRequests {
    /// What seals the keys that clients are given.
    pub key: SecretString,
    /// The number of this instance: 1 to 127.
    pub instance: u8,
    /// Where the other instances listen, by their numbers.
    pub peers: BTreeMap<u8, ServerAddr>,
}
