//! A client that sends exactly the bytes it is told and keeps every byte that it gets.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long a client waits for an answer before its test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whoever takes nothing for this long takes nothing more.
const STUCK: Duration = Duration::from_secs(3);

/// Where to connect, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) socket: SocketAddr,
    /// The authority to verify the server with; without, the connection is in clear.
    pub(crate) ca: Option<std::path::PathBuf>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
}

trait Duplex: Read + Write + Send {
    /// Says that nothing more will be sent.
    fn finish(&mut self);
    /// Fails to write where the other side takes nothing for this long.
    fn limit_writes(&mut self, patience: Duration);
}

impl Duplex for TcpStream {
    fn finish(&mut self) {
        let _gone = self.shutdown(Shutdown::Write);
    }

    fn limit_writes(&mut self, patience: Duration) {
        self.set_write_timeout(Some(patience)).unwrap();
    }
}

impl Duplex for StreamOwned<ClientConnection, TcpStream> {
    fn finish(&mut self) {
        self.conn.send_close_notify();
        let _gone = self.flush();
        let _gone = self.sock.shutdown(Shutdown::Write);
    }

    fn limit_writes(&mut self, patience: Duration) {
        self.sock.limit_writes(patience);
    }
}

/// A connection to a server or a gateway.
pub(crate) struct Wire {
    stream: Box<dyn Duplex>,
    /// Every byte that came after the start of the session, for those who look for values in it.
    pub(crate) received: Vec<u8>,
    /// What the server told at the start: for cancel requests.
    pub(crate) key: Vec<u8>,
}

/// One message of the server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    /// A session, or what the server said instead.
    pub(crate) fn connect(to: &Address) -> Result<Self, Message> {
        Self::connect_with(to, &[])
    }

    /// A session with more startup parameters.
    pub(crate) fn connect_with(to: &Address, parameters: &[(&str, &str)]) -> Result<Self, Message> {
        let mut wire = Self::open(to);
        wire.send(&startup(to, parameters));
        let mut scram = None;
        loop {
            let message = wire.next().expect("the server closed the connection without a word");
            match message.tag {
                b'R' => wire.authenticate(&message.body, to, &mut scram),
                b'K' => wire.key = message.body,
                b'E' => return Err(message),
                b'Z' => break,
                _ => {}
            }
        }
        wire.received.clear();
        Ok(wire)
    }

    /// A connection on which nothing was said yet, but that TLS was asked for where there is an authority.
    pub(crate) fn open(to: &Address) -> Self {
        let mut tcp = TcpStream::connect_timeout(&to.socket, PATIENCE).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let stream: Box<dyn Duplex> = match &to.ca {
            None => Box::new(tcp),
            Some(ca) => {
                tcp.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).unwrap();
                let mut answer = [0];
                tcp.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"S", "TLS was refused");
                Box::new(StreamOwned::new(tls(ca), tcp))
            }
        };
        Self { stream, received: Vec::new(), key: Vec::new() }
    }

    fn authenticate(&mut self, body: &[u8], to: &Address, scram: &mut Option<ScramSha256>) {
        match (body[3], scram) {
            (0, _) => {}
            (3, _) => self.send(&frame(b'p', &[to.password.as_bytes(), b"\0"].concat())),
            (10, scram) => {
                let begin = scram.insert(ScramSha256::new(to.password.as_bytes(), ChannelBinding::unsupported()));
                let length = u32::try_from(begin.message().len()).unwrap().to_be_bytes();
                let answer = [SCRAM_SHA_256.as_bytes(), b"\0", &length, begin.message()].concat();
                self.send(&frame(b'p', &answer));
            }
            (11, Some(scram)) => {
                scram.update(&body[4..]).unwrap();
                self.send(&frame(b'p', scram.message()));
            }
            (12, Some(scram)) => scram.finish(&body[4..]).unwrap(),
            (other, _) => panic!("unknown authentication {other}"),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    /// Sends what the other side may not want to hear to its end.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Sending fails where the other side takes nothing any more.
    pub(crate) fn give_up_writing_when_stuck(&mut self) {
        self.stream.limit_writes(STUCK);
    }

    /// Every byte up to the end of the connection, whole messages or not.
    pub(crate) fn read_all(&mut self, into: &mut Vec<u8>) {
        // Closed or reset: both are an end.
        let _end = self.stream.read_to_end(into);
    }

    /// Says that nothing more will be sent; gives what still comes.
    pub(crate) fn leave(&mut self) -> Vec<Message> {
        self.stream.finish();
        self.until(b"")
    }

    /// The next message; `None` where the connection ended.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return None,
            Err(error) => panic!("no answer: {error}; so far {}", show_bytes(&self.received)),
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).unwrap();
        self.received.extend(head);
        self.received.extend(&body);
        Some(Message { tag: head[0], body })
    }

    /// Messages up to the first with one of these tags, or to the end.
    pub(crate) fn until(&mut self, tags: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next() {
            messages.push(message);
            if messages.last().is_some_and(|last| tags.contains(&last.tag)) {
                break;
            }
        }
        messages
    }

    /// What a simple query gives, up to ReadyForQuery or the server's wish for data.
    pub(crate) fn query(&mut self, sql: &str) -> Vec<Message> {
        self.send(&frame(b'Q', &[sql.as_bytes(), b"\0"].concat()));
        self.until(b"ZG")
    }

    /// The rows of a simple query as text, one line each.
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<String> {
        self.query(sql).iter().filter(|message| message.tag == b'D').map(Message::show).collect()
    }
}

/// Asks to cancel what a session runs, as `psql` does.
pub(crate) fn cancel(to: &Address, key: &[u8]) {
    let mut wire = Wire::open(to);
    let length = u32::try_from(8 + key.len()).unwrap().to_be_bytes();
    wire.send(&[&length[..], &[0x04, 0xd2, 0x16, 0x2e], key].concat());
    assert!(wire.next().is_none(), "a cancel request is not answered");
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

fn tls(ca: &Path) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

fn startup(to: &Address, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = vec![0, 3, 0, 0];
    for (name, value) in [("user", to.user.as_str()), ("database", &to.database)].iter().chain(parameters) {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes(), &body[..]].concat()
}

/// A message of a client: tag, length, body.
pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
}

impl Message {
    /// The message on one line: its tag, and what is in it.
    pub(crate) fn show(&self) -> String {
        let tag = char::from(self.tag);
        match self.tag {
            b'E' | b'N' => format!("{tag} {}", self.fields()),
            b'D' => format!("{tag} {}", self.cells().join("|")),
            b'T' => format!("{tag} {}", self.columns(u32::MAX).join(",")),
            // The process that notifies is another one on each connection.
            b'A' => format!("{tag} {}", show_bytes(&self.body[4..])),
            b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c' => tag.to_string(),
            _ => format!("{tag} {}", show_bytes(self.body.strip_suffix(b"\0").unwrap_or(&self.body))),
        }
    }

    /// The same, with tables above this number shown as table 0.
    pub(crate) fn show_with_tables_up_to(&self, newest: u32) -> String {
        if self.tag == b'T' { format!("T {}", self.columns(newest).join(",")) } else { self.show() }
    }

    /// One field of an error or a notice; empty where there is none.
    pub(crate) fn field(&self, code: char) -> String {
        let found = self.body.split(|byte| *byte == 0).find(|field| field.first() == Some(&(code as u8)));
        found.map(|field| String::from_utf8_lossy(&field[1..]).into_owned()).unwrap_or_default()
    }

    fn fields(&self) -> String {
        let fields = self.body.split(|byte| *byte == 0).filter(|field| !field.is_empty()).map(show_bytes);
        fields.collect::<Vec<_>>().join(" · ")
    }

    /// The cells of a row; NULL is `␀`.
    pub(crate) fn cells(&self) -> Vec<String> {
        let mut rest = &self.body[2..];
        let mut cells = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*length)).ok();
            let cell = length.map(|length| &after[..length]);
            cells.push(cell.map_or_else(|| String::from("␀"), show_bytes));
            rest = &after[length.unwrap_or(0)..];
        }
        cells
    }

    /// Name and table of each column; its attribute, type and format as hexadecimal digits.
    fn columns(&self, newest: u32) -> Vec<String> {
        let mut rest = &self.body[2..];
        let mut columns = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let name = String::from_utf8_lossy(&rest[..end]).into_owned();
            let (table, facts) = rest[end + 1..end + 19].split_first_chunk::<4>().unwrap();
            let table = Some(u32::from_be_bytes(*table)).filter(|table| *table <= newest).unwrap_or(0);
            columns.push(format!("{name}:{table}:{}", hexadecimal(facts)));
            rest = &rest[end + 19..];
        }
        columns
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.show())
    }
}

/// Bytes as text where they are UTF-8, with everything escaped that is not printable.
pub(crate) fn show_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text.escape_debug().to_string(),
        Ok(_) | Err(_) => format!("\\x{}", hexadecimal(bytes)),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
