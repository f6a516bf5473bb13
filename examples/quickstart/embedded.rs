//! PostgreSQL inside this process, for machines that have none: one connection at a time, without TLS.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use pglite_oxide::PgliteServer;

/// A startup packet's first eight bytes end in the protocol's version: this is 3.2.
const NEWER: [u8; 4] = [0, 3, 0, 2];

/// What servers before PostgreSQL 18 say to it, field by field.
const UNSUPPORTED: &[u8] =
    b"SFATAL\0VFATAL\0C0A000\0Munsupported frontend protocol 3.2: server supports 3.0 to 3.0\0\0";

/// A running server. It ends with the process, and so do its files.
pub(crate) struct Embedded {
    pub(crate) port: u16,
    _server: PgliteServer,
}

impl Embedded {
    /// Starts it; it takes one connection at a time.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let server = PgliteServer::temporary_tcp().map_err(|error| format!("PostgreSQL did not start: {error:#}"))?;
        let address = server.tcp_addr().ok_or("PostgreSQL listens nowhere")?;
        Ok(Self { port: watch(address)?, _server: server })
    }
}

/// Listens in front of the server, which gives up listening where a client asks for a newer protocol than it knows.
fn watch(server: SocketAddr) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // One that breaks off is followed by the next.
            thread::spawn(move || drop(attend(client, server)));
        }
    });
    Ok(port)
}

fn attend(mut client: TcpStream, server: SocketAddr) -> io::Result<()> {
    let mut begin = [0; 8];
    client.read_exact(&mut begin)?;
    if begin.ends_with(&NEWER) {
        let length = u32::try_from(UNSUPPORTED.len() + 4).unwrap_or_default();
        return client.write_all(&[b"E", &length.to_be_bytes()[..], UNSUPPORTED].concat());
    }
    let mut server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.write_all(&begin)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        drop(io::copy(&mut from, &mut to));
        // Without this word the server would take an abrupt end for a fault.
        drop(to.write_all(b"X\0\0\0\x04"));
        to.shutdown(Shutdown::Write)
    });
    drop(io::copy(&mut server, &mut client));
    client.shutdown(Shutdown::Both)
}
