//! Asks a URL once: bounded in time and size, and nothing is followed.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hoopcore::identity::jwt::LONGEST_KEY_SET;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::authorities::{self, PemError};

/// How long the whole exchange may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a URL gave.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: String,
    /// How long the server says that it may be kept.
    pub(super) max_age: Option<Duration>,
}

/// Why a URL gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It took too long.
    #[error("it took more than ten seconds")]
    TooSlow,
    /// No connection came about, TLS included.
    #[error("no connection: {0}")]
    Connect(io::Error),
    /// No authority can be trusted.
    #[error("{0}")]
    Pem(#[from] PemError),
    /// TLS cannot be set up.
    #[error("no TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The server broke HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// The server sent another place. It is not followed: keys come from where the file says.
    #[error("it answered {0}; redirects are not followed, write the final URL")]
    Redirect(StatusCode),
    /// The server refused.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// The answer is compressed, which nobody asked for.
    #[error("it answered in an encoding that was not asked for")]
    Encoded,
    /// The answer exceeds the limit.
    #[error("its answer is longer than {LONGEST_KEY_SET} bytes")]
    TooLong,
    /// The answer is not text.
    #[error("its answer is not UTF-8")]
    NotText,
    /// The answer ended early.
    #[error("its answer broke off")]
    BrokenOff,
}

/// What is trusted: the authorities in the file, or without one those of the system.
pub(super) fn tls(file: Option<&Path>) -> Result<Arc<ClientConfig>, FetchError> {
    let roots = authorities::trusted(file)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// One GET on a connection of its own.
pub(super) async fn get(
    uri: &Uri,
    host: &str,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Answer, FetchError> {
    let exchange = async {
        let stream = TcpStream::connect((host, port)).await.map_err(FetchError::Connect)?;
        let Some(tls) = tls else { return exchange(stream, uri).await };
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| FetchError::Connect(io::Error::other(error)))?;
        let stream = TlsConnector::from(tls).connect(name, stream).await.map_err(FetchError::Connect)?;
        exchange(stream, uri).await
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(FetchError::TooSlow))
}

async fn exchange<S>(stream: S, uri: &Uri) -> Result<Answer, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = request(uri);
    // The sender is dropped with the answer, which ends the connection.
    let answer = async move { read(sender.send_request(request).await?).await };
    let (answer, _) = tokio::join!(answer, connection);
    answer
}

fn request(uri: &Uri) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    if let Some(host) = uri.authority().and_then(|authority| authority.as_str().parse().ok()) {
        headers.insert(HOST, host);
    }
    headers.insert(ACCEPT, hyper::header::HeaderValue::from_static("application/jwk-set+json, application/json"));
    headers.insert(ACCEPT_ENCODING, hyper::header::HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, hyper::header::HeaderValue::from_static("hoop"));
    request
}

async fn read(response: Response<Incoming>) -> Result<Answer, FetchError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(FetchError::Redirect(status));
    }
    if status != StatusCode::OK {
        return Err(FetchError::Status(status));
    }
    if response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(FetchError::Encoded);
    }
    let max_age = max_age(&response);
    let body = Limited::new(response.into_body(), LONGEST_KEY_SET)
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { FetchError::TooLong } else { FetchError::BrokenOff })?;
    let body = String::from_utf8(body.to_bytes().into()).map_err(|_| FetchError::NotText)?;
    Ok(Answer { body, max_age })
}

/// Zero where the answer must not be kept.
fn max_age(response: &Response<Incoming>) -> Option<Duration> {
    let control = response.headers().get(CACHE_CONTROL)?.to_str().ok()?.to_ascii_lowercase();
    let directives: Vec<&str> = control.split(',').map(str::trim).collect();
    if directives.iter().any(|directive| matches!(*directive, "no-store" | "no-cache")) {
        return Some(Duration::ZERO);
    }
    let age = directives.iter().find_map(|directive| directive.strip_prefix("max-age="))?;
    age.parse().ok().map(Duration::from_secs)
}
