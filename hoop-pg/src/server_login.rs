//! Logging in to a server: from the startup packet to the moment when it waits for the first command.

use std::io;

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator as _;
use hoop_runtime::config::{Credential, Method};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use secrecy::{ExposeSecret as _, SecretString};

use crate::frame::HEADER;
use crate::message::{Malformed, Reader};
use crate::refusal::{Refusal, code};
use crate::reported::Reported;
use crate::startup::KEY_LENGTHS;
use crate::transport::{Transport, read_message};

/// The longest message that a server may send meanwhile: PostgreSQL's own clients have the same limit.
const MAX_MESSAGE: usize = 30_000;
/// How many messages it may send meanwhile.
const MAX_MESSAGES: u32 = 1_000;

/// As whom, where and how to log in.
pub(crate) struct Login<'a> {
    pub(crate) credential: &'a Credential,
    pub(crate) database: &'a str,
    pub(crate) settings: &'a [(&'a str, &'a str)],
    /// The minor version of the protocol to ask for. A server that knows an older one only says so.
    pub(crate) minor: u16,
}

/// What the server told while it let the gateway in.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub(crate) reported: Reported,
    pub(crate) notices: Vec<Bytes>,
    pub(crate) key: Option<ServerKey>,
}

/// What a server wants to be shown before it cancels what a connection runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerKey {
    /// The server's process for the connection.
    pub(crate) process: i32,
    /// Four bytes, and up to 256 since protocol 3.2.
    pub(crate) secret: Bytes,
}

/// Why there is no session with the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It could not be reached, or did not speak the protocol.
    #[error("{0}")]
    Broken(#[from] io::Error),
    /// What it asks for, or cannot give, is not acceptable.
    #[error("{0}")]
    Unwilling(&'static str),
    /// It refused.
    #[error("{}", .0.code)]
    Refused(ServerError),
    /// It does not let anybody in who speaks so new a protocol.
    #[error("it does not know how to speak an older protocol than it is asked for")]
    TooNew,
}

/// A server's error, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) code: String,
    message: String,
}

impl Login<'_> {
    pub(crate) async fn carry_out(&self, stream: &mut Transport) -> Result<Opened, Failure> {
        let mut talk = Talk { stream, left: MAX_MESSAGES, heard: false, minor: self.minor, opened: Opened::default() };
        let identity = [("user", self.credential.user.as_str()), ("database", self.database)];
        let parameters = identity.into_iter().chain(self.settings.iter().copied());
        talk.send(|buffer| startup(self.minor, parameters, buffer)).await?;
        self.authenticate(&mut talk).await?;
        talk.until_ready().await
    }

    async fn authenticate(&self, talk: &mut Talk<'_>) -> Result<(), Failure> {
        match talk.receive().await? {
            Message::AuthenticationOk => return self.trusted(),
            Message::AuthenticationSasl(offer) => {
                self.permit(Method::Scram, talk)?;
                let offered = offer.mechanisms().collect::<Vec<_>>()?;
                self.scram(talk, &offered).await?;
            }
            Message::AuthenticationMd5Password(challenge) => {
                self.permit(Method::Md5, talk)?;
                let password = self.password()?.expose_secret();
                let proof = md5_hash(self.credential.user.as_bytes(), password.as_bytes(), challenge.salt());
                talk.send(|buffer| frontend::password_message(proof.as_bytes(), buffer)).await?;
            }
            Message::AuthenticationCleartextPassword => {
                self.permit(Method::Cleartext, talk)?;
                let password = self.password()?.expose_secret();
                talk.send(|buffer| frontend::password_message(password.as_bytes(), buffer)).await?;
            }
            _ => return Err(Failure::Unwilling("it asks for a login that is not known here")),
        }
        match talk.receive().await? {
            Message::AuthenticationOk => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// A server that asks for no proof gives none either: it may be another one.
    fn trusted(&self) -> Result<(), Failure> {
        if self.credential.password.is_none() || self.credential.methods.contains(&Method::Trust) {
            return Ok(());
        }
        Err(Failure::Unwilling("it lets the gateway in without its password, and `methods` does not name `trust`"))
    }

    /// What could give the password away is done over a way that nobody listens to, and only where it is configured.
    fn permit(&self, asked: Method, talk: &Talk<'_>) -> Result<(), Failure> {
        if !self.credential.methods.contains(&asked) {
            return Err(Failure::Unwilling("it asks for a login that `methods` of its credential does not name"));
        }
        match asked {
            Method::Scram | Method::Trust => Ok(()),
            Method::Md5 | Method::Cleartext if talk.stream.is_private() => Ok(()),
            Method::Md5 | Method::Cleartext => Err(Failure::Unwilling("it asks for a password on an open line")),
        }
    }

    fn password(&self) -> Result<&SecretString, Failure> {
        let missing = Failure::Unwilling("it asks for a password and none is configured");
        self.credential.password.as_ref().ok_or(missing)
    }

    /// Proves to each other that both know the password (RFC 5802, RFC 7677), which never leaves the gateway.
    async fn scram(&self, talk: &mut Talk<'_>, offered: &[&str]) -> Result<(), Failure> {
        let password = self.password()?;
        let (mechanism, binding) = mechanism(offered, talk.stream.server_end_point())?;
        let mut scram = ScramSha256::new(password.expose_secret().as_bytes(), binding);
        talk.send(|buffer| frontend::sasl_initial_response(mechanism, scram.message(), buffer)).await?;
        let Message::AuthenticationSaslContinue(challenge) = talk.receive().await? else { return Err(unexpected()) };
        // The server says how often to hash: up to 100,000 times, beyond which the library gives up.
        let challenge = challenge.data().to_vec();
        let solved = tokio::task::spawn_blocking(move || scram.update(&challenge).map(|()| scram));
        let mut scram = solved.await.map_err(io::Error::other)??;
        talk.send(|buffer| frontend::sasl_response(scram.message(), buffer)).await?;
        let Message::AuthenticationSaslFinal(proof) = talk.receive().await? else { return Err(unexpected()) };
        scram.finish(proof.data()).map_err(|_| Failure::Unwilling("it does not know the password itself"))
    }
}

/// A startup packet that asks for a minor version of protocol 3.
fn startup<'a>(
    minor: u16,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
    buffer: &mut BytesMut,
) -> io::Result<()> {
    frontend::startup_message(parameters, buffer)?;
    // Behind the length and the major version.
    if let Some(written) = buffer.get_mut(6..8) {
        written.copy_from_slice(&minor.to_be_bytes());
    }
    Ok(())
}

/// The best mechanism of those offered, bound to the server's certificate where both sides can.
fn mechanism(offered: &[&str], end_point: Option<Vec<u8>>) -> Result<(&'static str, ChannelBinding), Failure> {
    let bound = offered.contains(&SCRAM_SHA_256_PLUS);
    match end_point {
        Some(hash) if bound => Ok((SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash))),
        _ if !offered.contains(&SCRAM_SHA_256) => Err(Failure::Unwilling("it offers no login that is known here")),
        // Said so that a server that did offer it finds out that somebody took the offer away.
        Some(_) => Ok((SCRAM_SHA_256, ChannelBinding::unrequested())),
        None => Ok((SCRAM_SHA_256, ChannelBinding::unsupported())),
    }
}

fn unexpected() -> Failure {
    Failure::Broken(io::Error::new(io::ErrorKind::InvalidData, "a message came that does not belong there"))
}

/// A bounded talk with the server: notices are kept aside, an error ends it.
struct Talk<'a> {
    stream: &'a mut Transport,
    left: u32,
    /// Something was heard that belongs to no negotiation of the version.
    heard: bool,
    /// The minor version of the protocol that is spoken.
    minor: u16,
    opened: Opened,
}

impl Talk<'_> {
    async fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        write(&mut buffer)?;
        self.stream.say(&buffer).await
    }

    async fn receive(&mut self) -> Result<Message, Failure> {
        Ok(self.receive_whole().await?.0)
    }

    /// The next message, and its bytes.
    async fn receive_whole(&mut self) -> Result<(Message, Bytes), Failure> {
        loop {
            self.left = self.left.checked_sub(1).ok_or_else(unexpected)?;
            let bytes = read_message(self.stream, MAX_MESSAGE).await.map_err(|error| self.broken(error))?;
            let whole = bytes.freeze();
            if whole.first() == Some(&b'v') {
                self.negotiated(&whole)?;
                continue;
            }
            let first = !std::mem::replace(&mut self.heard, true);
            if whole.first() == Some(&b'K') {
                self.opened.key = Some(ServerKey::read(&whole)?);
                continue;
            }
            match Message::parse(&mut whole.as_ref().into())?.ok_or_else(unexpected)? {
                Message::NoticeResponse(_) => self.opened.notices.push(whole),
                Message::ErrorResponse(error) => return Err(self.refused(ServerError::read(&error)?, first)),
                other => return Ok((other, whole)),
            }
        }
    }

    /// A server says once, before anything else, that it speaks an older protocol. No options were asked for.
    fn negotiated(&mut self, message: &Bytes) -> Result<(), Failure> {
        let spoken = spoken(message).map_err(|Malformed| unexpected())?;
        if self.heard || spoken >= self.minor {
            return Err(unexpected());
        }
        self.minor = spoken;
        Ok(())
    }

    /// A server from before the negotiation refuses or hangs up at once.
    fn refused(&self, error: ServerError, first: bool) -> Failure {
        let unknown = error.code.starts_with("0A") || error.code == code::PROTOCOL;
        if first && self.minor > 0 && unknown { Failure::TooNew } else { Failure::Refused(error) }
    }

    fn broken(&self, error: io::Error) -> Failure {
        let hung_up = matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset);
        if hung_up && !self.heard && self.minor > 0 { Failure::TooNew } else { Failure::Broken(error) }
    }

    async fn until_ready(mut self) -> Result<Opened, Failure> {
        loop {
            match self.receive_whole().await? {
                (Message::ParameterStatus(_), whole) => {
                    self.opened.reported.take(whole).map_err(|Malformed| unexpected())?;
                }
                (Message::ReadyForQuery(_), _) => return Ok(self.opened),
                _ => return Err(unexpected()),
            }
        }
    }
}

/// The minor version in a NegotiateProtocolVersion (`v`) that names no option.
fn spoken(message: &[u8]) -> Result<u16, Malformed> {
    let mut body = Reader::new(message.get(HEADER..).ok_or(Malformed)?);
    let (version, options) = (body.u32()?, body.i32()?);
    body.end()?;
    // Servers before 18 may write the minor version alone.
    match (u16::try_from(version & 0xffff), version >> 16, options) {
        (Ok(minor), 0 | 3, 0) => Ok(minor),
        _ => Err(Malformed),
    }
}

impl ServerKey {
    /// A BackendKeyData (`K`).
    fn read(message: &Bytes) -> Result<Self, Failure> {
        let mut body = Reader::new(message.get(HEADER..).unwrap_or_default());
        let process = body.i32().map_err(|Malformed| unexpected())?;
        let secret = message.slice_ref(body.rest());
        if KEY_LENGTHS.contains(&secret.len()) { Ok(Self { process, secret }) } else { Err(unexpected()) }
    }
}

impl ServerError {
    /// The code and the message; a server that gives none has an internal error.
    fn read(error: &ErrorResponseBody) -> io::Result<Self> {
        let mut read = Self { code: code::INTERNAL.to_owned(), message: String::new() };
        let mut fields = error.fields();
        while let Some(field) = fields.next()? {
            let value = String::from_utf8_lossy(field.value_bytes());
            match field.type_() {
                b'C' if is_code(&value) => read.code = value.into_owned(),
                b'M' => read.message = value.into_owned(),
                _ => {}
            }
        }
        Ok(read)
    }

    /// What the client is told: the server's own words where they are about the client's wishes or the server's
    /// state, and none that could tell as whom or from where the gateway logs in.
    pub(crate) fn for_client(&self, role: &str) -> Refusal {
        let about_client_or_state = ["0A", "22", "3D", "42", "53", "55", "57"];
        if !about_client_or_state.iter().any(|class| self.code.starts_with(class)) {
            return Refusal::new(code::NO_SERVER, "the server behind the gateway does not let the gateway in");
        }
        let message = match self.code.as_str() {
            code::TOO_MANY => "the server behind the gateway takes no more connections now".into(),
            _ if names(&self.message, role) => "the server behind the gateway refuses the session".into(),
            _ => self.message.clone().into(),
        };
        Refusal { code: self.code.clone().into(), message, hint: None }
    }
}

/// Whether a text has this name as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let within_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + name.len()..).unwrap_or_default());
        !before.ends_with(within_word) && !after.starts_with(within_word)
    })
}

fn is_code(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;

    use super::*;

    fn credential(methods: &[Method]) -> Credential {
        let methods = methods.iter().copied().collect();
        Credential { methods, ..Credential::new("app", Some("secret".into())) }
    }

    fn told(outcome: Result<Opened, Failure>) -> String {
        match outcome {
            Ok(Opened { reported, notices, key }) => {
                let body = |message: &Bytes| String::from_utf8_lossy(&message[HEADER..]).replace('\0', "|");
                let reported: Vec<String> = reported.messages().map(body).collect();
                let key = key.map(|key| (key.process, key.secret.len()));
                format!("[{}] {} {key:?}", reported.join(" "), notices.len())
            }
            Err(Failure::Broken(error)) => format!("broken: {error}"),
            Err(Failure::Unwilling(why)) => format!("unwilling: {why}"),
            Err(Failure::TooNew) => "too new".into(),
            Err(Failure::Refused(error)) => {
                let refusal = error.for_client("app");
                format!("{}: {} {}", error.code, refusal.code, refusal.message)
            }
        }
    }

    /// What comes of a server that says this, and what the gateway said after its startup packet.
    async fn outcome(methods: &[Method], says: &[u8]) -> (String, Vec<u8>) {
        let (near, mut far) = UnixStream::pair().unwrap();
        let credential = credential(methods);
        let login = Login { credential: &credential, database: "shop", settings: &[("a", "b")], minor: 2 };
        far.write_all(says).await.unwrap();
        let told = {
            let mut near = Transport::Unix(near);
            let server = async {
                let mut length = [0; 4];
                far.read_exact(&mut length).await.unwrap();
                let mut packet = vec![0; u32::from_be_bytes(length) as usize - 4];
                far.read_exact(&mut packet).await.unwrap();
                assert_eq!(packet, b"\0\x03\0\x02user\0app\0database\0shop\0a\0b\0\0");
                far.shutdown().await.unwrap();
            };
            let (outcome, ()) = tokio::join!(login.carry_out(&mut near), server);
            told(outcome)
        };
        let mut said = Vec::new();
        // A side that leaves something unread resets the connection: an end as well.
        let _ended = far.read_to_end(&mut said).await;
        (told, said)
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
    }

    const TRUSTED: &[Method] = &[Method::Scram, Method::Trust];
    const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
    const READY: &[u8] = b"Z\0\0\0\x05I";

    #[tokio::test]
    async fn what_a_server_may_say() {
        let check = async |says: &[&[u8]], expected: &str| {
            assert_eq!(outcome(TRUSTED, &says.concat()).await.0, expected);
        };
        let (setting, notice) = (message(b'S', b"a\0b\0"), message(b'N', b"MHi\0\0"));
        let key = message(b'K', b"\0\0\0\x01\0\0\0\x02");
        check(&[OK, READY], "[] 0 None").await;
        check(&[OK, &setting, &notice, &key, READY], "[a|b|] 1 Some((1, 4))").await;
        // A trigger on logins changed what was reported before.
        let again = message(b'S', b"a\0\xff\0");
        check(&[OK, &setting, &again, READY], "[a|\u{fffd}|] 0 None").await;
        check(&[&notice, OK, READY], "[] 1 None").await;
        let long = |length: usize| message(b'K', &[&[0, 0, 0, 1][..], &vec![7; length]].concat());
        check(&[OK, &long(32), READY], "[] 0 Some((1, 32))").await;
        check(&[OK, &long(256), READY], "[] 0 Some((1, 256))").await;
        let older = message(b'v', b"\0\x03\0\0\0\0\0\0");
        check(&[&older, OK, READY], "[] 0 None").await;
        check(&[&message(b'v', b"\0\0\0\x01\0\0\0\0"), OK, READY], "[] 0 None").await;

        let odd = "broken: a message came that does not belong there";
        check(&[READY], "unwilling: it asks for a login that is not known here").await;
        check(&[OK, OK], odd).await;
        check(&[OK, &long(3), READY], odd).await;
        check(&[OK, &long(257), READY], odd).await;
        check(&[OK, &message(b'K', b""), READY], odd).await;
        // The version is settled once, downwards, before anything else, and there were no options to decline.
        check(&[&older, &older, OK, READY], odd).await;
        check(&[OK, &older, READY], odd).await;
        check(&[&notice, &older, OK, READY], odd).await;
        check(&[&message(b'v', b"\0\x03\0\x02\0\0\0\0"), OK, READY], odd).await;
        check(&[&message(b'v', b"\0\x02\0\0\0\0\0\0"), OK, READY], odd).await;
        check(&[&message(b'v', b"\0\x03\0\0\0\0\0\x01_pq_.x\0"), OK, READY], odd).await;
        check(&[&message(b'v', b"\0\x03"), OK, READY], odd).await;
        check(&[OK, b"1\0\0\0\x04"], odd).await;
        check(&[OK, &notice.repeat(1_000), READY], odd).await;
        check(&[OK, &setting], "broken: early eof").await;
        check(&[], "too new").await;
        check(&[&notice], "broken: early eof").await;
        let refuses = |code: &str| message(b'E', format!("SFATAL\0C{code}\0Mno\0\0").as_bytes());
        check(&[&refuses("0A000")], "too new").await;
        check(&[&refuses("08P01")], "too new").await;
        check(&[&refuses("3D000")], "3D000: 3D000 no").await;
        check(&[OK, &refuses("0A000")], "0A000: 0A000 no").await;
        check(&[&older, &refuses("0A000")], "0A000: 0A000 no").await;
        check(&[b"R\0\0\0\x03"], "broken: a message has an invalid length").await;
        check(&[b"R\x7f\xff\xff\xff"], "broken: a message has an invalid length").await;
        check(&[b"R\0\0\x75\x35"], "broken: a message has an invalid length").await;
        check(&[b"w\0\0\0\x08\0\0\0\0"], "broken: unknown message tag `119`").await;
        check(&[b"R\0\0\0\x04"], "broken: failed to fill whole buffer").await;
        check(&[OK, b"S\0\0\0\x06ab"], "broken: unexpected EOF").await;
    }

    #[tokio::test]
    async fn a_server_s_refusal_in_words_for_the_client() {
        let check = async |fields: &str, expected: &str| {
            let error = message(b'E', fields.replace('|', "\0").as_bytes());
            assert_eq!(outcome(TRUSTED, &error).await.0, expected, "{fields}");
            let error = [OK, &error].concat();
            assert_eq!(outcome(TRUSTED, &error).await.0, expected, "{fields}");
        };
        let generic = "08004 the server behind the gateway does not let the gateway in";
        check("SFATAL|C57P03|Mstarting up||", "57P03: 57P03 starting up").await;
        check("SFATAL|C3D000|Mno such database||", "3D000: 3D000 no such database").await;
        check("SFATAL|C42704|Mno role \"app\"||", "42704: 42704 the server behind the gateway refuses the session")
            .await;
        check("SFATAL|C22023|Mno application_name||", "22023: 22023 no application_name").await;
        let full = "53300: 53300 the server behind the gateway takes no more connections now";
        check("SFATAL|C53300|Mtoo many connections for role \"app\"||", full).await;
        check("SFATAL|C28P01|Mpassword of app is wrong||", &format!("28P01: {generic}")).await;
        check("SFATAL|C28000|Mno entry for 10.0.0.7||", &format!("28000: {generic}")).await;
        check("SFATAL|Mno code||", &format!("XX000: {generic}")).await;
        check("SFATAL|C5|Mshort code||", &format!("XX000: {generic}")).await;
        check("|", &format!("XX000: {generic}")).await;
    }

    #[tokio::test]
    async fn passwords_are_given_as_configured_only() {
        let check = async |methods: &[Method], asks: &[u8], expected: &str, answer: &[u8]| {
            let says = [&message(b'R', asks), OK, READY].concat();
            let (told, said) = outcome(methods, &says).await;
            assert_eq!((told.as_str(), said.as_slice()), (expected, answer));
        };
        let unnamed = "unwilling: it asks for a login that `methods` of its credential does not name";
        check(&[Method::Scram], b"\0\0\0\x03", unnamed, b"").await;
        check(&[Method::Scram, Method::Md5], b"\0\0\0\x03", unnamed, b"").await;
        check(&[Method::Scram], b"\0\0\0\x05salt", unnamed, b"").await;
        check(&[Method::Md5], b"\0\0\0\x0aSCRAM-SHA-256\0\0", unnamed, b"").await;
        check(&[Method::Cleartext], b"\0\0\0\x03", "[] 0 None", &message(b'p', b"secret\0")).await;
        // Who asks for nothing has shown nothing.
        let trusting = "unwilling: it lets the gateway in without its password, and `methods` does not name `trust`";
        check(&[Method::Scram], b"\0\0\0\0", trusting, b"").await;
        check(&[Method::Scram, Method::Md5, Method::Cleartext], b"\0\0\0\0", trusting, b"").await;
        let proof = format!("{}\0", md5_hash(b"app", b"secret", *b"salt"));
        check(&[Method::Md5], b"\0\0\0\x05salt", "[] 0 None", &message(b'p', proof.as_bytes())).await;
        let unknown = "unwilling: it offers no login that is known here";
        check(&[Method::Scram], b"\0\0\0\x0aOAUTHBEARER\0\0", unknown, b"").await;
        check(&[Method::Scram], b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0", unknown, b"").await;
    }

    /// A server that knows the name of the mechanism, and then says this with the client's nonce in place of `NONCE`.
    async fn scram(first: &str, then: &[u8]) -> String {
        let (near, mut far) = UnixStream::pair().unwrap();
        let credential = credential(&[Method::Scram]);
        let login = Login { credential: &credential, database: "shop", settings: &[], minor: 0 };
        let server = async {
            far.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")).await.unwrap();
            let mut length = [0; 4];
            far.read_exact(&mut length).await.unwrap();
            far.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize - 4]).await.unwrap();
            let said = crate::transport::read_message(&mut far, 1_000).await.unwrap();
            let said = String::from_utf8_lossy(&said).into_owned();
            let nonce = said.rsplit("r=").next().unwrap();
            let challenge = [b"\0\0\0\x0b", first.replace("NONCE", nonce).as_bytes()].concat();
            far.write_all(&[&message(b'R', &challenge), then].concat()).await.unwrap();
            far.shutdown().await.unwrap();
            far
        };
        let mut near = Transport::Unix(near);
        let (outcome, _far) = tokio::join!(login.carry_out(&mut near), server);
        told(outcome)
    }

    #[tokio::test]
    async fn a_server_that_only_pretends_to_know_the_password() {
        let check = async |first: &str, then: &[u8], expected: &str| {
            let told = scram(first, then).await;
            assert!(told.starts_with(expected), "{first}: {told}");
        };
        let good = "r=NONCEx,s=c2FsdA==,i=4096";
        check("r=other,s=c2FsdA==,i=4096", b"", "broken: invalid nonce").await;
        check("r=NONCEx,s=c2FsdA==,i=2147483647", b"", "broken: SCRAM iteration count").await;
        check("r=NONCEx,s=c2FsdA==,i=-1", b"", "broken").await;
        check("r=NONCEx,s=?,i=1", b"", "broken").await;
        check("", b"", "broken").await;
        check(good, OK, "broken: a message came that does not belong there").await;
        let wrong = message(b'R', b"\0\0\0\x0cv=AAAA");
        check(good, &[&wrong, OK, READY].concat(), "unwilling: it does not know the password itself").await;
        let error = message(b'E', b"C28P01\0Mwrong\0\0");
        check(good, &error, "28P01: 08004").await;
    }

    #[test]
    fn the_strongest_mechanism_that_both_sides_have() {
        let check = |offered: &[&str], end_point: Option<Vec<u8>>, expected: Option<&str>| {
            assert_eq!(mechanism(offered, end_point).ok().map(|(name, _)| name), expected);
        };
        check(&[SCRAM_SHA_256, SCRAM_SHA_256_PLUS], Some(vec![1]), Some(SCRAM_SHA_256_PLUS));
        check(&[SCRAM_SHA_256_PLUS], Some(vec![1]), Some(SCRAM_SHA_256_PLUS));
        check(&[SCRAM_SHA_256, SCRAM_SHA_256_PLUS], None, Some(SCRAM_SHA_256));
        check(&[SCRAM_SHA_256], Some(vec![1]), Some(SCRAM_SHA_256));
        check(&[SCRAM_SHA_256_PLUS], None, None);
        check(&[], None, None);
    }
}
