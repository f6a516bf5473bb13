//! The admin address: `/metrics` for Prometheus and `/health` for a load balancer. Off unless the gateway's file names one.
//!
//! Nothing can be changed there, and nothing that it tells is a value or a statement. It has neither TLS nor a login: bind
//! it to loopback or to a network of your own.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::gateway::Gateway;

/// How many connections are served at once.
const CONNECTIONS: usize = 16;
/// How long a connection may last.
const LONGEST: Duration = Duration::from_secs(30);
/// How long nobody is let in after the system could not give another connection.
const PAUSE: Duration = Duration::from_millis(100);

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// A bound admin address that nobody is served on yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    gateway: Gateway,
}

impl Gateway {
    /// Binds the admin address, where the configuration names one.
    ///
    /// # Errors
    /// Where it is taken.
    pub async fn admin(&self) -> io::Result<Option<Admin>> {
        let Some(address) = self.config().admin else { return Ok(None) };
        Ok(Some(Admin { listener: TcpListener::bind(address).await?, gateway: self.clone() }))
    }
}

impl Admin {
    /// Where it listens.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is dropped.
    pub async fn serve(self) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let gateway = self.gateway.clone();
                    tokio::spawn(async move {
                        let _permit = permit;
                        // A connection that breaks or takes too long is nobody's concern.
                        drop(timeout(LONGEST, attend(gateway, stream)).await);
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "the admin address could not take a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn attend(gateway: Gateway, stream: TcpStream) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let answer = answer(&gateway, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await
}

fn answer(gateway: &Gateway, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return reply(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET\n".to_owned());
    }
    match request.uri().path() {
        "/metrics" => reply(StatusCode::OK, METRICS, gateway.metrics_text()),
        "/health" => match gateway.ailment() {
            None => reply(StatusCode::OK, PLAIN, "ok\n".to_owned()),
            Some(ailment) => reply(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{ailment}\n")),
        },
        _ => reply(StatusCode::NOT_FOUND, PLAIN, "there are /metrics and /health\n".to_owned()),
    }
}

fn reply(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
