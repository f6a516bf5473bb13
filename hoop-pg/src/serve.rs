//! Listening: connections come in, sessions run, and in the end all of them stop.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoop_runtime::config::{Config, ListenAddr, Listener, Method, Plaintext, Protocol, Verify};
use hoop_runtime::{Gateway, socket};
use hoopcore::ResourceKind;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

use crate::cancel::CancelDesk;
use crate::client_login::Desk;
use crate::drain::{Drain, Drainer};
use crate::entrance::{Acceptor, Entrance, Established, Shared};
use crate::guesses::Guesses;
use crate::places::{Place, Places};
use crate::relay::{self, End};
use crate::tls::{self, TlsError};
use crate::transport::{Transport, tune};
use crate::upstream::Upstream;
use crate::verifiers::Verifiers;

/// How long nobody is let in after the system could not give another connection.
const PAUSE: Duration = Duration::from_millis(100);
/// How long sessions have, when their time is over, to cancel what their servers still run.
const CUTTING_OFF: Duration = Duration::from_secs(3);

/// A gateway that listens.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<ListenAddr>,
    drainer: Drainer,
    tasks: JoinSet<()>,
}

/// Why a gateway cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("`{address}` cannot be listened on: {error}")]
    Listen {
        /// The address.
        address: ListenAddr,
        /// Why.
        error: io::Error,
    },
    /// TLS cannot be set up.
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// Listens on all PostgreSQL listeners of a gateway's configuration, and serves who connects.
///
/// Port 0 stands for any free one: [`Server::addresses`] tells which it became.
///
/// # Errors
/// Where an address is taken or a certificate cannot be used; nothing listens then.
pub async fn serve(gateway: Gateway) -> Result<Server, ServeError> {
    let shared = Arc::new(shared(gateway.config())?);
    let mut doors = Vec::new();
    for listener in &gateway.config().listeners {
        match listener.protocol {
            Protocol::Postgres => doors.push(Door::open(&gateway, listener, &shared).await?),
        }
    }
    let drainer = Drainer::default();
    let mut tasks = JoinSet::new();
    let addresses = doors.iter().map(|door| door.address.clone()).collect();
    for door in doors {
        tasks.spawn(door.attend(drainer.listen()));
    }
    Ok(Server { addresses, drainer, tasks })
}

/// Sets up all that [`serve`] would need, without listening.
///
/// # Errors
/// Where a certificate cannot be used.
pub fn check(config: &Config) -> Result<(), ServeError> {
    for certificate in config.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
        tls::acceptor(certificate)?;
    }
    shared(config)?;
    Ok(())
}

impl Server {
    /// Where it listens, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[ListenAddr] {
        &self.addresses
    }

    /// Stops listening at once. Sessions end when they are idle; what still runs after `grace` is cancelled at its server and cut off, which takes some
    /// seconds at most.
    pub async fn shutdown(mut self, grace: Duration) {
        self.drainer.begin(Instant::now() + grace);
        while self.tasks.join_next().await.is_some() {}
    }
}

fn shared(config: &Config) -> Result<Shared, TlsError> {
    let resources = config.resources.iter();
    let (cancels, verifiers) = (CancelDesk::new(config.cancel.as_ref()), Arc::new(Verifiers::new(config)));
    let mut shared = Shared { upstreams: BTreeMap::new(), cancels, verifiers, refusals: Guesses::default() };
    for (name, target) in resources.filter(|(_, target)| target.kind == ResourceKind::Postgres) {
        match target.tls.verify {
            Verify::Full => {}
            Verify::Ca => tracing::warn!(resource = %name, "the name in the server's certificate is NOT checked"),
            Verify::None => tracing::warn!(resource = %name, "the way to the server is NOT encrypted"),
        }
        for method in &target.credential.methods {
            match method {
                Method::Scram => {}
                Method::Trust => tracing::warn!(resource = %name, "the server may let the gateway in WITHOUT a proof"),
                Method::Md5 => tracing::warn!(resource = %name, "the server may ask for an MD5 password"),
                Method::Cleartext => tracing::warn!(resource = %name, "the server may ask for the password ITSELF"),
            }
        }
        shared.upstreams.insert(name.clone(), Arc::new(Upstream::new(target)?));
    }
    Ok(shared)
}

/// One place where clients connect.
struct Door {
    socket: Socket,
    address: ListenAddr,
    entrance: Arc<Entrance>,
    places: Arc<Places>,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Door {
    async fn open(gateway: &Gateway, listener: &Listener, shared: &Arc<Shared>) -> Result<Self, ServeError> {
        let tls = listener.tls.as_ref().map(tls::acceptor).transpose()?.map(Acceptor);
        let end_point = listener.tls.as_ref().map(tls::own_end_point).transpose()?.flatten();
        let desk = Desk::new(listener.login, &shared.verifiers, end_point);
        let failed = |error| ServeError::Listen { address: listener.address.clone(), error };
        let (socket, address) = bind(listener).await.map_err(failed)?;
        match listener.plaintext {
            Plaintext::Refused => {}
            Plaintext::Loopback => tracing::warn!(%address, "clients on this machine may send passwords in PLAIN TEXT"),
        }
        let places = Places::new(listener.limits);
        let (gateway, listener, shared) = (gateway.clone(), listener.clone(), Arc::clone(shared));
        let entrance = Arc::new(Entrance { gateway, listener, tls, desk, shared });
        Ok(Self { socket, address, entrance, places })
    }

    /// Lets clients in until the gateway is about to stop, and sees their sessions end.
    async fn attend(self, mut drain: Drain) {
        let mut sessions = JoinSet::new();
        let until = loop {
            tokio::select! {
                (stream, place) = self.next() => {
                    sessions.spawn(attend(Arc::clone(&self.entrance), stream, place, drain.clone()));
                }
                Some(ended) = sessions.join_next(), if !sessions.is_empty() => report(ended),
                until = drain.begun() => break until,
            }
        };
        drop(self);
        let ended = async {
            while let Some(ended) = sessions.join_next().await {
                report(ended);
            }
        };
        // Sessions hear themselves that their time is over.
        if timeout_at(until + CUTTING_OFF, ended).await.is_err() {
            sessions.shutdown().await;
        }
    }

    /// The next client. A connection that the system cannot give is not the end: others close, and there is room again.
    async fn next(&self) -> (Transport, Place) {
        loop {
            match self.socket.accept(self.entrance.listener.timeouts.keepalive).await {
                Ok(stream) => {
                    // Without a place the connection is closed without a word: to wait for one would keep others out.
                    if let Some(place) = self.places.take(stream.peer().map(|peer| peer.ip())) {
                        return (stream, place);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, address = %self.address, "a client could not be let in");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn attend(entrance: Arc<Entrance>, stream: Transport, mut place: Place, mut drain: Drain) {
    let established = tokio::select! {
        established = entrance.admit(stream, &mut place) => established,
        () = drain.over() => None,
    };
    if let Some(established) = established {
        run(established, drain).await;
    }
}

/// Runs a session; what its server still runs when it ends is cancelled.
async fn run(established: Established, drain: Drain) {
    let Established { client, server, session, outset, registration } = established;
    let id = session.id().to_owned();
    let cancel = relay::Cancelling { signal: registration.signal(), target: Some(registration.target().clone()) };
    let End { reason, busy } = relay::run(client, server, session, outset, cancel, drain).await;
    tracing::info!(session = %id, %reason, busy, "a session ended");
    if busy && let Err(error) = registration.target().cancel().await {
        tracing::warn!(session = %id, %error, "what the server still runs could not be cancelled");
    }
}

/// A session that panicked took nobody with it: its connections are closed, and the operator is told.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a session ended by a fault in the gateway");
    }
}

impl Socket {
    async fn accept(&self, keepalive: Duration) -> io::Result<Transport> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                tune(&stream, keepalive)?;
                Ok(Transport::Tcp(stream))
            }
            Self::Unix(listener, _) => Ok(Transport::Unix(listener.accept().await?.0)),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            drop(std::fs::remove_file(path));
        }
    }
}

async fn bind(listener: &Listener) -> io::Result<(Socket, ListenAddr)> {
    match &listener.address {
        ListenAddr::Tcp(address) => bind_tcp(*address).await,
        ListenAddr::Unix(path) => {
            let bound = socket::listen(path, listener.open_to.mode()).await?;
            Ok((Socket::Unix(bound, path.clone()), listener.address.clone()))
        }
    }
}

async fn bind_tcp(address: SocketAddr) -> io::Result<(Socket, ListenAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = ListenAddr::Tcp(listener.local_addr()?);
    Ok((Socket::Tcp(listener), address))
}
