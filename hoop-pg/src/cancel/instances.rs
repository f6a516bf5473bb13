//! Several gateways behind one address: a cancel request may reach another one than the session did.
//!
//! The process id that a client is told says which instance has its session. A key of protocol 3.2 is a sealed text
//! that says all that is needed to cancel; one of protocol 3.0 is four bytes, which only that instance can judge.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use hoop_runtime::config::{CancelRequests, ResourceName, ServerAddr};
use rand::RngExt as _;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::seal::{OVERHEAD, Purpose, Sealer};
use crate::message::{Malformed, Reader};
use crate::server_login::ServerKey;
use crate::upstream::ask_to_cancel;

/// The longest key of protocol 3.2 that a client is given: sealed once more for another instance it has 256 bytes.
const LONGEST: usize = 256 - OVERHEAD;
/// How long another instance may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of 31 bits, the lower ones tell sessions of one instance apart.
const SESSION_BITS: u32 = 24;

/// This instance among those that share a secret.
#[derive(Debug)]
pub(crate) struct Instances {
    number: u8,
    /// Whether there are no others.
    is_alone: bool,
    sealer: Sealer,
    peers: BTreeMap<u8, ServerAddr>,
}

/// What is needed to cancel what a session runs without knowing the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    resource: [u8; 8],
    /// Where the connection went: a name may stand for several servers.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) key: ServerKey,
}

impl Instances {
    /// As the gateway's file has it; alone, with a secret of its own, where it does not.
    pub(crate) fn new(config: Option<&CancelRequests>) -> Self {
        match config {
            Some(CancelRequests { key, instance, peers }) => {
                let sealer = Sealer::new(key.expose_secret().as_bytes());
                Self { number: *instance, is_alone: false, sealer, peers: peers.clone() }
            }
            None => {
                let sealer = Sealer::new(&rand::random::<[u8; 32]>());
                Self { number: 0, is_alone: true, sealer, peers: BTreeMap::new() }
            }
        }
    }

    /// The process id that a session's client is told: the server's own, where that says enough.
    pub(super) fn process(&self, at_server: Option<i32>) -> i32 {
        let own = |process: &i32| self.is_alone && *process > 0 && !self.is_of_another(*process);
        at_server.filter(own).unwrap_or_else(|| self.base() | rand::rng().random_range(1..1 << SESSION_BITS))
    }

    /// The upper bits of the process ids that this instance makes up.
    fn base(&self) -> i32 {
        i32::from(self.number) << SESSION_BITS
    }

    /// Whether a session with this process id, if there is one, is another instance's.
    pub(crate) fn is_of_another(&self, process: i32) -> bool {
        process < 0 || process >> SESSION_BITS != i32::from(self.number)
    }

    /// The key of protocol 3.2 for a session; `None` where the server's own is too long to be put into it.
    pub(super) fn key(&self, process: i32, route: &Route) -> Option<Bytes> {
        let sealed = self.sealer.seal(Purpose::Key, process, &route.write())?;
        (sealed.len() <= LONGEST).then_some(sealed)
    }

    /// What a key of protocol 3.2 says that an instance gave.
    pub(crate) fn route(&self, process: i32, key: &[u8]) -> Option<Route> {
        Route::read(&self.sealer.open(Purpose::Key, process, key)?).ok()
    }

    /// The key in a request that another instance handed on.
    pub(crate) fn handed_on(&self, process: i32, secret: &[u8]) -> Option<Vec<u8>> {
        self.sealer.open(Purpose::Forwarded, process, secret)
    }

    /// Hands a request to the instance that has the session; whether it is known and took it.
    pub(crate) async fn hand_on(&self, process: i32, secret: &[u8]) -> bool {
        let number = u8::try_from(process >> SESSION_BITS).ok();
        let Some(peer) = number.and_then(|number| self.peers.get(&number)) else { return false };
        let Some(sealed) = self.sealer.seal(Purpose::Forwarded, process, secret) else { return false };
        let sent = timeout(PATIENCE, send(peer, process, &sealed)).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = &sent {
            tracing::warn!(%peer, %error, "a cancel request could not be handed to another instance");
        }
        sent.is_ok()
    }
}

async fn send(peer: &ServerAddr, process: i32, sealed: &[u8]) -> io::Result<()> {
    match peer {
        ServerAddr::Tcp { host, port } => {
            ask_to_cancel(&mut TcpStream::connect((host.as_str(), *port)).await?, process, sealed).await
        }
        ServerAddr::Unix(path) => ask_to_cancel(&mut UnixStream::connect(path).await?, process, sealed).await,
    }
}

impl Route {
    /// The way to a session's server, of this resource.
    pub(crate) fn new(resource: &str, peer: Option<SocketAddr>, key: ServerKey) -> Self {
        Self { resource: fingerprint(resource), peer, key }
    }

    /// Whether it leads to this resource.
    pub(crate) fn leads_to(&self, resource: &ResourceName) -> bool {
        self.resource == fingerprint(resource.as_str())
    }

    fn write(&self) -> Vec<u8> {
        let address = match self.peer.map(|peer| (peer.ip(), peer.port())) {
            None => vec![0],
            Some((IpAddr::V4(ip), port)) => [&[4][..], &ip.octets(), &port.to_be_bytes()].concat(),
            Some((IpAddr::V6(ip), port)) => [&[6][..], &ip.octets(), &port.to_be_bytes()].concat(),
        };
        [&self.resource[..], &address, &self.key.process.to_be_bytes(), &self.key.secret].concat()
    }

    fn read(text: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(text);
        let resource = reader.array()?;
        let peer = match reader.u8()? {
            0 => None,
            4 => Some(SocketAddr::from((reader.array::<4>()?, reader.array().map(u16::from_be_bytes)?))),
            6 => Some(SocketAddr::from((reader.array::<16>()?, reader.array().map(u16::from_be_bytes)?))),
            _ => return Err(Malformed),
        };
        let process = reader.i32()?;
        let secret = Bytes::copy_from_slice(reader.rest());
        Ok(Self { resource, peer, key: ServerKey { process, secret } })
    }
}

/// What names a resource in few bytes.
fn fingerprint(resource: &str) -> [u8; 8] {
    let mut short = [0; 8];
    short.iter_mut().zip(Sha256::digest(resource.as_bytes())).for_each(|(to, from)| *to = from);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(secret: &str, number: u8) -> Instances {
        let config = CancelRequests { key: secret.into(), instance: number, peers: BTreeMap::new() };
        Instances::new(Some(&config))
    }

    fn route(peer: Option<&str>, secret: usize) -> Route {
        let key = ServerKey { process: -7, secret: vec![9; secret].into() };
        Route::new("db", peer.map(|peer| peer.parse().unwrap()), key)
    }

    #[test]
    fn every_instance_that_shares_the_secret_reads_a_key() {
        let (one, two, stranger) = (instance("a", 1), instance("a", 2), instance("b", 2));
        for peer in [None, Some("10.0.0.1:5432"), Some("[2001:db8::1]:5432")] {
            let route = route(peer, 32);
            let key = one.key(7, &route).unwrap();
            assert_eq!(two.route(7, &key), Some(route));
            assert_eq!(two.route(8, &key), None);
            assert_eq!(stranger.route(7, &key), None);
            assert_eq!(Instances::new(None).route(7, &key), None);
        }
    }

    #[test]
    fn a_key_fits_into_a_request_that_is_handed_on() {
        let one = instance("a", 1);
        let longest = (0..=256).rev().find_map(|length| one.key(7, &route(Some("[::1]:1"), length))).unwrap();
        assert_eq!(longest.len(), LONGEST);
        let sealed = one.sealer.seal(Purpose::Forwarded, 7, &longest).unwrap();
        assert_eq!(sealed.len(), 256);
        assert_eq!(one.handed_on(7, &sealed).as_deref(), Some(&longest[..]));
        assert_eq!(one.handed_on(8, &sealed), None);
        assert_eq!(one.route(7, &sealed), None, "one is not the other");
        assert_eq!(one.handed_on(7, &longest), None, "nor the other the one");
    }

    #[test]
    fn a_client_is_told_the_servers_process_where_that_says_enough() {
        let (alone, one) = (Instances::new(None), instance("a", 1));
        assert_eq!(alone.process(Some(4711)), 4711);
        for process in [None, Some(0), Some(-3), Some(1 << 24), Some(4711)] {
            assert!(!one.is_of_another(one.process(process)), "{process:?}");
            assert!(!alone.is_of_another(alone.process(process)), "{process:?}");
        }
    }

    #[test]
    fn process_ids_tell_instances_apart() {
        let (none, last) = (Instances::new(None), instance("a", 127));
        let check = |process: i32, of_none: bool, of_last: bool| {
            assert_eq!((!none.is_of_another(process), !last.is_of_another(process)), (of_none, of_last), "{process}");
        };
        check(1, true, false);
        check((1 << 24) - 1, true, false);
        check(1 << 24, false, false);
        check(last.base() + 1, false, true);
        check(i32::MAX, false, true);
        check(-1, false, false);
    }
}
