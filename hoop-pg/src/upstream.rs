//! The way to the server behind the gateway: dialled, encrypted, logged in with a credential that no client sees.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hoop_runtime::config::{Credential, ServerAddr, SessionTimeouts, Target};
use postgres_protocol::message::frontend;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::MutexGuard;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

use crate::cancel::Turns;
use crate::refusal::{Refusal, code};
use crate::reported::Reported;
use crate::server_login::{Failure, Login, Opened, ServerKey};
use crate::startup::{self, NEWEST_MINOR};
use crate::tls::{self, TlsError};
use crate::transport::{Transport, tune};

/// How long a server may take to close the connection of a cancel request.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// A server, and how it is reached.
#[derive(Debug)]
pub struct Upstream {
    address: ServerAddr,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Whether TLS begins without asking for it.
    direct: bool,
    credential: Credential,
    timeouts: SessionTimeouts,
    /// The newest minor version of the protocol that the server is asked for.
    minor: AtomicU16,
}

/// A connection on which the server waits for the first command.
#[derive(Debug)]
pub struct Connection {
    /// The connection itself.
    pub stream: Transport,
    /// Settings and their values, as the server reported them.
    pub reported: Reported,
    /// Notices that it sent meanwhile, as they came.
    pub notices: Vec<Bytes>,
    /// How to cancel what it runs.
    pub cancel: CancelTarget,
}

/// How to cancel what one connection runs: the server's own process id and key, and the very server.
#[derive(Clone, Debug)]
pub struct CancelTarget {
    upstream: Arc<Upstream>,
    /// Where the connection went: a name may stand for several servers.
    peer: Option<SocketAddr>,
    key: Option<ServerKey>,
    turns: Arc<Turns>,
}

impl Upstream {
    /// A server as the configuration has it.
    ///
    /// # Errors
    /// Where the authorities to trust cannot be read, or the host's name cannot stand in a certificate.
    pub fn new(target: &Target) -> Result<Self, TlsError> {
        let tls = match &target.address {
            ServerAddr::Unix(_) => None,
            ServerAddr::Tcp { host, .. } => tls::connector(&target.tls)?.zip(Some(tls::server_name(host)?)),
        };
        let minor = AtomicU16::new(NEWEST_MINOR);
        let (address, credential) = (target.address.clone(), target.credential.clone());
        Ok(Self { address, tls, direct: target.tls.direct, credential, timeouts: target.timeouts, minor })
    }

    /// Opens a connection to a database with these settings, and logs in.
    ///
    /// # Errors
    /// Where the server cannot be reached, is not the one it should be, or refuses: in words for the client, without
    /// the gateway's own credential.
    pub async fn connect(self: &Arc<Self>, database: &str, settings: &[(&str, &str)]) -> Result<Connection, Refusal> {
        match timeout(self.timeouts.connect, self.negotiate(database, settings)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(failure)) => Err(self.refusal(&failure)),
            Err(_) => Err(self.refusal(&Failure::Broken(io::ErrorKind::TimedOut.into()))),
        }
    }

    /// Opens a connection; a server that cannot even say that it speaks an older protocol is asked again, and from then
    /// on, in the oldest.
    async fn negotiate(self: &Arc<Self>, database: &str, settings: &[(&str, &str)]) -> Result<Connection, Failure> {
        match self.open(database, settings, self.minor.load(Relaxed)).await {
            Err(Failure::TooNew) => {
                let connection = self.open(database, settings, 0).await?;
                self.minor.store(0, Relaxed);
                Ok(connection)
            }
            opened => opened,
        }
    }

    async fn open(
        self: &Arc<Self>,
        database: &str,
        settings: &[(&str, &str)],
        minor: u16,
    ) -> Result<Connection, Failure> {
        let mut stream = self.dial(None).await?;
        let peer = stream.peer();
        let login = Login { credential: &self.credential, database, settings, minor };
        let Opened { reported, notices, key } = login.carry_out(&mut stream).await?;
        let cancel = CancelTarget { upstream: Arc::clone(self), peer, key, turns: Arc::default() };
        Ok(Connection { stream, reported, notices, cancel })
    }

    /// A connection on which nothing was said yet, encrypted as the configuration has it.
    async fn dial(&self, again: Option<SocketAddr>) -> Result<Transport, Failure> {
        let stream = match (&self.address, again) {
            (ServerAddr::Unix(path), _) => return Ok(Transport::Unix(UnixStream::connect(path).await?)),
            (ServerAddr::Tcp { .. }, Some(peer)) => TcpStream::connect(peer).await?,
            (ServerAddr::Tcp { host, port }, None) => TcpStream::connect((host.as_str(), *port)).await?,
        };
        tune(&stream, self.timeouts.keepalive)?;
        match &self.tls {
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                encrypt(stream, connector, name.clone(), self.direct).await
            }
            None => Ok(Transport::Tcp(stream)),
        }
    }

    /// The words for the client, and for the operator's log.
    fn refusal(&self, failure: &Failure) -> Refusal {
        let server = &self.address;
        match failure {
            Failure::Broken(error) => {
                tracing::warn!(%server, %error, "the server cannot be reached");
                Refusal::new(code::CONNECTION, "the server behind the gateway cannot be reached")
            }
            Failure::Unwilling(_) | Failure::TooNew => {
                tracing::warn!(%server, why = %failure, "the server cannot be used");
                Refusal::new(code::NO_SERVER, "the server behind the gateway cannot be used")
            }
            Failure::Refused(error) => {
                tracing::warn!(%server, code = %error.code, "the server refused the login");
                error.for_client(&self.credential.user)
            }
        }
    }
}

/// Begins TLS, where it is not direct after asking for it.
async fn encrypt(
    mut stream: TcpStream,
    connector: TlsConnector,
    name: ServerName<'static>,
    direct: bool,
) -> Result<Transport, Failure> {
    if !direct {
        ask_for_tls(&mut stream).await?;
    }
    let stream = connector.connect(name, stream).await?;
    // Only a server that names the protocol speaks it: another one might take what comes for something else.
    if direct && stream.get_ref().1.alpn_protocol() != Some(tls::ALPN) {
        return Err(Failure::Unwilling(
            "it takes TLS without being asked, and does not speak PostgreSQL's protocol in it",
        ));
    }
    Ok(Transport::Tls(Box::new(TlsStream::Client(stream))))
}

/// Asks for TLS. Exactly one byte is read of the answer: what came after it would not be encrypted.
async fn ask_for_tls(stream: &mut TcpStream) -> Result<(), Failure> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await?;
    match stream.read_u8().await? {
        b'S' => Ok(()),
        _ => Err(Failure::Unwilling("it does not offer TLS")),
    }
}

impl CancelTarget {
    /// What another gateway needs besides the resource to do the same: where the connection went, and its key.
    pub(crate) fn parts(&self) -> Option<(Option<SocketAddr>, &ServerKey)> {
        Some((self.peer, self.key.as_ref()?))
    }

    /// How to cancel what a connection to this server runs that another gateway opened.
    pub(crate) fn of_another(upstream: &Arc<Upstream>, peer: Option<SocketAddr>, key: ServerKey) -> Self {
        Self { upstream: Arc::clone(upstream), peer, key: Some(key), turns: Arc::default() }
    }

    /// The turn to send a client's request, as long as it is kept; `None` where another one waits for its turn.
    pub(crate) async fn alone(&self) -> Option<MutexGuard<'_, ()>> {
        self.turns.take().await
    }

    /// Asks the server to cancel what the connection runs; returns when the server has taken note.
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub async fn cancel(&self) -> io::Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        match timeout(CANCEL_PATIENCE, self.send(key)).await {
            Ok(sent) => sent.map_err(|failure| io::Error::other(failure.to_string())),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn send(&self, key: &ServerKey) -> Result<(), Failure> {
        let mut stream = self.upstream.dial(self.peer).await?;
        ask_to_cancel(&mut stream, key.process, &key.secret).await?;
        Ok(())
    }
}

/// Sends a cancel request. Nothing is said to it: the other side closes when it has taken note.
pub(crate) async fn ask_to_cancel<S>(stream: &mut S, process: i32, secret: &[u8]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&startup::cancel_request(process, secret)).await?;
    stream.flush().await?;
    let _ended = stream.read(&mut [0; 1]).await;
    Ok(())
}
