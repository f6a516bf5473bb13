//! The first packets of a connection: bytes → what the client wants. Reads and writes nothing itself.
//!
//! The rules are PostgreSQL's own (`ProcessStartupPacket`), or stricter: lengths are exact, nothing may be given
//! twice, each kind of encryption is negotiated at most once.

use std::collections::BTreeSet;

use crate::refusal::{Refusal, code};
use crate::replication::Replication;
use crate::settings::{self, Setting};

/// The longest startup packet, without its length word: PostgreSQL's own limit.
pub const MAX_PACKET: usize = 10_000;
/// The longest name of a database: PostgreSQL would cut a longer one, and find another database.
const MAX_DATABASE: usize = 63;
/// The newest minor version of the protocol 3 that is spoken.
pub const NEWEST_MINOR: u16 = 2;

const CANCEL: u32 = 1234 << 16 | 5678;
const TLS: u32 = 1234 << 16 | 5679;
const GSS: u32 = 1234 << 16 | 5680;
/// Lengths that the key of a cancel request may have: 4 in protocol 3.0, up to 256 since 3.2.
pub(crate) const KEY_LENGTHS: std::ops::RangeInclusive<usize> = 4..=256;

/// What one packet asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// To encrypt the connection.
    Encrypt(Encryption),
    /// To cancel what another session runs.
    Cancel {
        /// The process id that the other session was told.
        process: i32,
        /// The key that goes with it.
        secret: Vec<u8>,
    },
    /// To begin a session.
    Begin(Startup),
}

/// A kind of encryption that a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// TLS.
    Tls,
    /// GSSAPI.
    Gss,
}

/// A client's wish for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// Who the client claims to be.
    pub user: String,
    /// The database it names; PostgreSQL takes the user's name where there is none.
    pub database: String,
    /// Settings in the order in which they take effect: those inside `options` first.
    pub settings: Vec<Setting>,
    /// The minor version of the protocol that is spoken with it: the one it asks for, or the newest.
    pub minor: u16,
    /// What has to be negotiated away, if anything.
    pub negotiation: Option<Negotiation>,
    /// Whether it is a connection for replication.
    pub replication: Replication,
}

impl Startup {
    /// Whether the key to cancel with may be longer than four bytes.
    #[must_use]
    pub fn takes_long_keys(&self) -> bool {
        self.minor >= 2
    }
}

/// What the client asked for and does not get: it is told, and may go on or leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiation {
    /// The minor version that is spoken.
    pub minor: u16,
    /// Options of the protocol that are not known here.
    pub unknown: Vec<String>,
}

/// Why a packet is not answered, or with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not PostgreSQL's protocol: the connection is closed without a word.
    Close,
    /// The client is told why.
    Refuse(Refusal),
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// Which encryption was negotiated on a connection so far; each kind is at most once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Negotiated {
    tls: bool,
    gss: bool,
}

impl Negotiated {
    /// A connection whose first byte was already TLS.
    #[must_use]
    pub fn direct_tls() -> Self {
        Self { tls: true, gss: true }
    }

    /// Reads the next packet, without its length word.
    ///
    /// # Errors
    /// Where the packet is not valid, or asks for encryption a second time.
    pub fn read(&mut self, packet: &[u8]) -> Result<Packet, Rejection> {
        let (&version, rest) = packet.split_first_chunk::<4>().ok_or(Rejection::Close)?;
        match u32::from_be_bytes(version) {
            CANCEL => cancel(rest),
            TLS if !self.tls => self.encrypt(Encryption::Tls, rest),
            GSS if !self.gss => self.encrypt(Encryption::Gss, rest),
            version => Ok(Packet::Begin(begin(version, rest)?)),
        }
    }

    fn encrypt(&mut self, wanted: Encryption, rest: &[u8]) -> Result<Packet, Rejection> {
        if !rest.is_empty() {
            return Err(Rejection::Close);
        }
        match wanted {
            Encryption::Tls => self.tls = true,
            Encryption::Gss => self.gss = true,
        }
        Ok(Packet::Encrypt(wanted))
    }
}

/// The length of a packet after its length word, from that word.
///
/// # Errors
/// Where no startup packet can be that long: what came is not PostgreSQL's protocol.
pub fn packet_length(word: [u8; 4]) -> Result<usize, Rejection> {
    let length = usize::try_from(u32::from_be_bytes(word)).map_err(|_| Rejection::Close)?;
    match length.checked_sub(word.len()) {
        Some(rest) if (4..=MAX_PACKET).contains(&rest) => Ok(rest),
        Some(_) | None => Err(Rejection::Close),
    }
}

/// The packet that asks to cancel, length word included.
pub(crate) fn cancel_request(process: i32, secret: &[u8]) -> Vec<u8> {
    let rest = [&CANCEL.to_be_bytes()[..], &process.to_be_bytes(), secret].concat();
    // At most 256 bytes of secret: no length beyond 32 bits.
    let length = u32::try_from(rest.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &rest].concat()
}

fn cancel(rest: &[u8]) -> Result<Packet, Rejection> {
    match rest.split_first_chunk::<4>() {
        Some((&process, secret)) if KEY_LENGTHS.contains(&secret.len()) => {
            Ok(Packet::Cancel { process: i32::from_be_bytes(process), secret: secret.to_vec() })
        }
        Some(_) | None => Err(Rejection::Close),
    }
}

fn begin(version: u32, rest: &[u8]) -> Result<Startup, Refusal> {
    let [major_high, major_low, minor @ ..] = version.to_be_bytes();
    let (major, minor) = (u16::from_be_bytes([major_high, major_low]), u16::from_be_bytes(minor));
    if major != 3 {
        let message = format!("protocol {major}.{minor} is not supported");
        return Err(Refusal::new(code::UNSUPPORTED, message).with_hint("use protocol 3.0 or 3.2"));
    }
    let mut startup = Parameters::default();
    for (name, value) in pairs(rest)? {
        startup.take(name, value)?;
    }
    startup.finish(minor)
}

/// Splits the names and values of a startup packet, which must fill it exactly.
fn pairs(rest: &[u8]) -> Result<Vec<(&str, &str)>, Refusal> {
    let layout = || Refusal::protocol("invalid startup packet layout: a terminator is expected as the last byte");
    let Some(body) = rest.strip_suffix(b"\0") else { return Err(layout()) };
    let mut texts = body.split(|byte| *byte == 0).map(text).collect::<Result<Vec<_>, _>>()?;
    if texts.pop() != Some("") || texts.len() % 2 != 0 {
        return Err(layout());
    }
    let pairs: Vec<(&str, &str)> =
        texts.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect();
    if pairs.iter().any(|(name, _)| name.is_empty()) {
        return Err(layout());
    }
    Ok(pairs)
}

fn text(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Refusal::new(code::ENCODING, "a startup parameter is not valid UTF-8"))
}

#[derive(Default)]
struct Parameters {
    seen: BTreeSet<String>,
    user: Option<String>,
    database: Option<String>,
    options: Vec<Setting>,
    settings: Vec<Setting>,
    unknown: Vec<String>,
    replication: Replication,
}

impl Parameters {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let folded = name.to_ascii_lowercase();
        if !self.seen.insert(folded.clone()) {
            return Err(Refusal::protocol(format!("startup parameter `{folded}` is given twice")));
        }
        match folded.as_str() {
            "user" => self.user = Some(value.to_owned()),
            "database" => self.database = Some(value.to_owned()),
            "options" => self.options = settings::parse_options(value)?,
            "replication" => self.replication = Replication::parse(value)?,
            _ if name.starts_with("_pq_.") => self.unknown.push(name.to_owned()),
            _ => self.settings.push(Setting::new(name, value)?),
        }
        Ok(())
    }

    fn finish(self, asked: u16) -> Result<Startup, Refusal> {
        let user = self.user.filter(|user| !user.is_empty()).ok_or_else(nobody)?;
        let database = self.database.filter(|database| !database.is_empty()).unwrap_or_else(|| user.clone());
        if database.len() > MAX_DATABASE {
            let message = format!("the name of a database has at most {MAX_DATABASE} bytes");
            return Err(Refusal::new(code::NAME, message));
        }
        let settings = self.options.into_iter().chain(self.settings).collect();
        let minor = asked.min(NEWEST_MINOR);
        let negotiation = Negotiation { minor, unknown: self.unknown };
        let negotiation = (minor < asked || !negotiation.unknown.is_empty()).then_some(negotiation);
        Ok(Startup { user, database, settings, minor, negotiation, replication: self.replication })
    }
}

fn nobody() -> Refusal {
    Refusal::new(code::AUTHORIZATION, "no user name is given in the startup packet")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet without its length word, in which `|` stands for NUL and a leading number for the code.
    fn packet(code: u32, rest: &str) -> Vec<u8> {
        let mut packet = code.to_be_bytes().to_vec();
        packet.extend(rest.replace('|', "\0").bytes());
        packet
    }

    fn told(read: Result<Packet, Rejection>) -> String {
        match read {
            Ok(Packet::Begin(startup)) => begun(&startup),
            Ok(Packet::Encrypt(kind)) => format!("{kind:?}"),
            Ok(Packet::Cancel { process, secret }) => format!("cancel {process} {}", secret.len()),
            Err(Rejection::Close) => String::from("close"),
            Err(Rejection::Refuse(refusal)) => refusal.code.into_owned(),
        }
    }

    fn begun(startup: &Startup) -> String {
        let mut told = format!("{}@{}", startup.user, startup.database);
        for setting in &startup.settings {
            told += &format!(" {}={}", setting.name(), setting.value());
        }
        if startup.replication.is_on() {
            told += &format!(" {:?}", startup.replication);
        }
        if let Some(negotiation) = &startup.negotiation {
            told += &format!(" speaks 3.{} without {:?}", negotiation.minor, negotiation.unknown);
        }
        told
    }

    #[test]
    fn startup_packets() {
        let check = |rest: &str, expected: &str| {
            assert_eq!(told(Negotiated::default().read(&packet(3 << 16, rest))), expected, "{rest}");
        };
        check("user|ann||", "ann@ann");
        check("user|ann|database|shop||", "ann@shop");
        check("database|shop|user|ann||", "ann@shop");
        check("user|ann|database|||", "ann@ann");
        check("user|ann|application_name|psql||", "ann@ann application_name=psql");
        check("user|ann|DateStyle|ISO|TimeZone|UTC||", "ann@ann datestyle=ISO timezone=UTC");
        check("user|ann|client_encoding|SQL_ASCII||", "ann@ann client_encoding=SQL_ASCII");
        check("user|ann|options|-c a.b=1|x|2||", "ann@ann a.b=1 x=2");
        check("user|ann|replication|database||", "ann@ann Logical");
        check("user|ann|replication|false||", "ann@ann");
        check("user|ann|Replication|true||", "ann@ann Physical");
        check("user|ann|x|2|options|-c a.b=1||", "ann@ann a.b=1 x=2");
        check("user|ann|application_name|a\nb||", "ann@ann application_name=a\nb");
        check("user|ann|_pq_.report|1||", "ann@ann speaks 3.0 without [\"_pq_.report\"]");
        // Nobody, or somebody twice.
        check("|", "28000");
        check("database|t||", "28000");
        check("user|||", "28000");
        check("User|ann|database|t|uSER|eve||", "08P01");
        check("user|ann|user|eve||", "08P01");
        check("user|ann|database|a|database|b||", "08P01");
        check("user|ann|x|1|X|2||", "08P01");
        check("user|ann|_pq_.a|1|_pq_.a|2||", "08P01");
        check("user|ann|options|-c a=1|options|-c a=2||", "08P01");
        // The layout.
        check("", "08P01");
        check("user|ann", "08P01");
        check("user|ann|", "08P01");
        check("user|ann|||", "08P01");
        check("user|ann||x", "08P01");
        check("user|ann||x|", "08P01");
        check("user|ann||x|y||", "08P01");
        check("user|ann|x||", "08P01");
        check("||user|ann||", "08P01");
        check("user|post|gres||", "08P01");
        // What must not reach the server.
        check("user|ann|replication|maybe||", "22023");
        check("user|ann|replication|true|Replication|true||", "08P01");
        check("user|ann|options|-c replication=true||", "42602");
        check("user|ann|standard_conforming_strings|off||", "22023");
        check("user|ann|options|-c standard-conforming-strings=off||", "22023");
        check("user|ann|a b|1||", "42602");
        check("user|ann|a;drop|1||", "42602");
        check("user|ann|a..b|1||", "42602");
        check(&format!("user|ann|database|{}||", "d".repeat(64)), "42602");
        check(&format!("user|ann|database|{}||", "d".repeat(63)), &format!("ann@{}", "d".repeat(63)));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        for rest in [b"user\0\xff\0\0".as_slice(), b"user\0a\0x\0\xc3\x28\0\0", b"user\0a\0\xe9\0b\0\0"] {
            let bytes = [&(3u32 << 16).to_be_bytes(), rest].concat();
            assert_eq!(told(Negotiated::default().read(&bytes)), "22021");
        }
    }

    #[test]
    fn versions() {
        let check = |major: u32, minor: u32, expected: &str| {
            assert_eq!(told(Negotiated::default().read(&packet(major << 16 | minor, "user|ann||"))), expected);
        };
        check(3, 0, "ann@ann");
        check(3, 1, "ann@ann");
        check(3, 2, "ann@ann");
        check(3, 3, "ann@ann speaks 3.2 without []");
        check(3, 9999, "ann@ann speaks 3.2 without []");
        check(2, 0, "0A000");
        check(4, 0, "0A000");
        check(0, 0, "0A000");
        check(1234, 5681, "0A000");
        assert_eq!(told(Negotiated::default().read(&[])), "close");
        assert_eq!(told(Negotiated::default().read(&[0, 3, 0])), "close");
    }

    #[test]
    fn keys_are_long_since_3_2() {
        let check = |minor: u32, expected: bool| {
            let read = Negotiated::default().read(&packet(3 << 16 | minor, "user|ann||"));
            let Ok(Packet::Begin(startup)) = read else { panic!("{read:?}") };
            assert_eq!(startup.takes_long_keys(), expected, "3.{minor}");
        };
        check(0, false);
        check(1, false);
        check(2, true);
        check(9999, true);
    }

    #[test]
    fn cancel_requests() {
        let check = |rest: &[u8], expected: &str| {
            assert_eq!(told(Negotiated::default().read(&[&CANCEL.to_be_bytes(), rest].concat())), expected);
        };
        check(&[0, 0, 1, 2, 9, 9, 9, 9], "cancel 258 4");
        check(&[0xff; 4 + 32], "cancel -1 32");
        check(&[0xff; 4 + 256], "cancel -1 256");
        check(&[0xff; 4 + 257], "close");
        check(&[0xff; 4 + 3], "close");
        check(&[0xff; 4], "close");
        check(&[], "close");
    }

    #[test]
    fn each_encryption_is_negotiated_once() {
        let check = |mut negotiated: Negotiated, codes: &[u32], expected: &str| {
            let told: Vec<String> = codes.iter().map(|code| told(negotiated.read(&packet(*code, "")))).collect();
            assert_eq!(told.join(" "), expected);
        };
        check(Negotiated::default(), &[TLS], "Tls");
        check(Negotiated::default(), &[GSS, TLS], "Gss Tls");
        check(Negotiated::default(), &[TLS, GSS], "Tls Gss");
        check(Negotiated::default(), &[TLS, TLS], "Tls 0A000");
        check(Negotiated::default(), &[GSS, GSS], "Gss 0A000");
        check(Negotiated::direct_tls(), &[TLS], "0A000");
        check(Negotiated::direct_tls(), &[GSS], "0A000");
        assert_eq!(told(Negotiated::default().read(&packet(TLS, "x"))), "close");
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_read() {
        let check = |word: u32, expected: Result<usize, Rejection>| {
            assert_eq!(packet_length(word.to_be_bytes()), expected, "{word}");
        };
        check(8, Ok(4));
        check(10_004, Ok(10_000));
        for word in [0, 3, 4, 7, 10_005, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::from_be_bytes(*b"GET ")] {
            check(word, Err(Rejection::Close));
        }
    }
}
