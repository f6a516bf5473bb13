//! A connection to a client or a server, whichever way it is carried.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use rustls::pki_types::CertificateDer;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use crate::certificate::end_point;

/// How long between two questions whether the other side is still there, at most.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
/// The length word and the type byte before it.
const HEADER: usize = 5;

/// A connection over TCP, TLS or a Unix socket.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Whether nobody on the way can read what is sent.
    #[must_use]
    pub fn is_private(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Unix(_) | Self::Tls(_) => true,
        }
    }

    /// What a login to the server on the other side is bound to, where its certificate allows that.
    #[must_use]
    pub fn server_end_point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => None,
            Self::Tls(stream) => end_point(stream.get_ref().1.peer_certificates()?.first()?),
        }
    }

    /// Whether it is carried by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The certificate that a client showed and the gateway checked.
    #[must_use]
    pub fn client_certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Tls(stream) => match &**stream {
                TlsStream::Server(stream) => stream.get_ref().1.peer_certificates()?.first(),
                TlsStream::Client(_) => None,
            },
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }

    /// Sends all of it, at once.
    ///
    /// # Errors
    /// Where the other side is gone.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.write_all(bytes.as_ref()).await?;
        self.flush().await
    }

    /// The other side's address, where it has one.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Unix(_) => None,
            Self::Tls(stream) => stream.get_ref().0.peer_addr().ok(),
        }
    }
}

/// Sends small messages at once, and finds out when the other side is gone: after so long without a byte it is asked.
///
/// # Errors
/// Where the system refuses the options.
pub fn tune(stream: &TcpStream, keepalive: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(keepalive).with_interval(keepalive.min(KEEPALIVE_EVERY));
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Reads one message whole, header included, without reading beyond it.
///
/// # Errors
/// Where the stream ends, or the message says that it is shorter than its own length word or longer than `limit`.
pub async fn read_message<S: AsyncRead + Unpin>(stream: &mut S, limit: usize) -> io::Result<BytesMut> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let [_, length @ ..] = header;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| too_long())?;
    let body = length.checked_sub(length_word()).filter(|body| *body <= limit).ok_or_else(too_long)?;
    let mut message = BytesMut::from(header.as_slice());
    read_body(stream, body, &mut message).await?;
    Ok(message)
}

const fn length_word() -> usize {
    HEADER - 1
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message has an invalid length")
}

/// Reads exactly `length` bytes. The buffer grows as they come: nothing is set aside for bytes that never do.
///
/// # Errors
/// Where the stream ends before.
pub async fn read_body<S: AsyncRead + Unpin>(stream: &mut S, length: usize, into: &mut BytesMut) -> io::Result<()> {
    let mut limited = into.limit(length);
    while limited.has_remaining_mut() {
        if stream.read_buf(&mut limited).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_read_exactly() {
        let check = async |bytes: &[u8], expected: Result<&[u8], io::ErrorKind>| {
            let mut stream = bytes;
            let read = read_message(&mut stream, 16).await;
            assert_eq!(read.as_deref().map_err(io::Error::kind), expected.as_deref().map_err(|kind| *kind));
        };
        check(b"p\0\0\0\x06ab", Ok(b"p\0\0\0\x06ab")).await;
        check(b"p\0\0\0\x04next", Ok(b"p\0\0\0\x04")).await;
        check(b"p\0\0\0\x14abcdefghijklmnop+", Ok(b"p\0\0\0\x14abcdefghijklmnop")).await;
        check(b"p\0\0\0\x15abcdefghijklmnopq", Err(io::ErrorKind::InvalidData)).await;
        check(b"p\0\0\0\x03", Err(io::ErrorKind::InvalidData)).await;
        check(b"p\xff\xff\xff\xff", Err(io::ErrorKind::InvalidData)).await;
        check(b"p\0\0\0\x06a", Err(io::ErrorKind::UnexpectedEof)).await;
        check(b"p\0\0", Err(io::ErrorKind::UnexpectedEof)).await;
    }
}
