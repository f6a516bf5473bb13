//! The beginning of a connection, up to what the client wants: encryption is settled, nobody is known yet.

use std::future::ready;
use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use crate::refusal::Refusal;
use crate::startup::{Encryption, Negotiated, Packet, Rejection, packet_length};
use crate::tls::ALPN;
use crate::transport::{Transport, read_body};

/// The first byte of TLS: a record that holds a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// Why a connection ends before it is known what the client wants.
#[derive(Debug)]
pub(crate) enum Leave {
    /// Nothing is said: it broke, or does not speak the protocol.
    Silently,
    /// The client is told why.
    Told(Box<Transport>, Refusal),
}

impl From<io::Error> for Leave {
    fn from(_: io::Error) -> Self {
        Self::Silently
    }
}

/// Reads packets until one says what the client wants, and settles encryption on the way.
pub(crate) async fn greet(stream: Transport, tls: Option<&TlsAcceptor>) -> Result<(Transport, Packet), Leave> {
    let (mut stream, mut negotiated) = direct_tls(stream, tls).await?;
    loop {
        let bytes = match read_packet(&mut stream).await? {
            Ok(bytes) => bytes,
            Err(rejection) => return Err(leave(stream, rejection)),
        };
        let encryption = match negotiated.read(&bytes) {
            Ok(Packet::Encrypt(encryption)) => encryption,
            Ok(packet) => return Ok((stream, packet)),
            Err(rejection) => return Err(leave(stream, rejection)),
        };
        if has_more(&mut stream).await {
            // Whoever sent it could not know the answer: somebody on the way may have put it there (CVE-2021-23214).
            let refusal = Refusal::protocol("data came before the answer to a request for encryption");
            return Err(Leave::Told(Box::new(stream), refusal));
        }
        stream = match (encryption, stream, tls) {
            (Encryption::Tls, Transport::Tcp(mut plain), Some(acceptor)) => {
                plain.write_all(b"S").await?;
                negotiated = Negotiated::direct_tls();
                accept(plain, acceptor).await?
            }
            (Encryption::Tls | Encryption::Gss, mut stream, _) => {
                stream.write_all(b"N").await?;
                stream.flush().await?;
                stream
            }
        };
    }
}

/// TLS from the first byte on, without asking: only a client that names the protocol is let in so.
async fn direct_tls(stream: Transport, tls: Option<&TlsAcceptor>) -> Result<(Transport, Negotiated), Leave> {
    let Transport::Tcp(plain) = stream else { return Ok((stream, Negotiated::default())) };
    let mut first = [0];
    if plain.peek(&mut first).await? == 0 {
        return Err(Leave::Silently);
    }
    if first != [TLS_HANDSHAKE] {
        return Ok((Transport::Tcp(plain), Negotiated::default()));
    }
    let encrypted = accept(plain, tls.ok_or(Leave::Silently)?).await?;
    match &encrypted {
        Transport::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(ALPN) => {
            Ok((encrypted, Negotiated::direct_tls()))
        }
        Transport::Tcp(_) | Transport::Unix(_) | Transport::Tls(_) => Err(Leave::Silently),
    }
}

async fn accept(plain: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Transport> {
    let stream = acceptor.accept(plain).await?;
    Ok(Transport::Tls(Box::new(TlsStream::Server(stream))))
}

async fn read_packet(stream: &mut Transport) -> io::Result<Result<BytesMut, Rejection>> {
    let mut word = [0; 4];
    stream.read_exact(&mut word).await?;
    let length = match packet_length(word) {
        Ok(length) => length,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let mut packet = BytesMut::new();
    read_body(stream, length, &mut packet).await?;
    Ok(Ok(packet))
}

fn leave(stream: Transport, rejection: Rejection) -> Leave {
    match rejection {
        Rejection::Close => Leave::Silently,
        Rejection::Refuse(refusal) => Leave::Told(Box::new(stream), refusal),
    }
}

/// Whether something can be read already.
async fn has_more(stream: &mut Transport) -> bool {
    let mut byte = [0];
    tokio::select! {
        biased;
        read = stream.read(&mut byte) => matches!(read, Ok(1..)),
        () = ready(()) => false,
    }
}
