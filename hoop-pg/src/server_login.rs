//! Logging in to a server: from the startup packet to the moment when it waits for the first command.

use std::io;

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Message, ParameterStatusBody};
use postgres_protocol::message::frontend;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncWriteExt as _;

use crate::refusal::{Refusal, code};
use crate::transport::{Transport, read_message};

/// The longest message that a server may send meanwhile: PostgreSQL's own clients have the same limit.
const MAX_MESSAGE: usize = 30_000;
/// How many messages it may send meanwhile.
const MAX_MESSAGES: u32 = 1_000;

/// As whom, where and how to log in.
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: Option<&'a SecretString>,
    pub(crate) database: &'a str,
    pub(crate) settings: &'a [(&'a str, &'a str)],
}

/// What the server told while it let the gateway in.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) notices: Vec<Bytes>,
    pub(crate) key: Option<(i32, i32)>,
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
}

/// A server's error, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) code: String,
    message: String,
}

impl Login<'_> {
    pub(crate) async fn carry_out(&self, stream: &mut Transport) -> Result<Opened, Failure> {
        let mut talk = Talk { stream, left: MAX_MESSAGES, notices: Vec::new() };
        let identity = [("user", self.user), ("database", self.database)];
        let parameters = identity.into_iter().chain(self.settings.iter().copied());
        talk.send(|buffer| frontend::startup_message(parameters, buffer)).await?;
        self.authenticate(&mut talk).await?;
        talk.until_ready().await
    }

    async fn authenticate(&self, talk: &mut Talk<'_>) -> Result<(), Failure> {
        match talk.receive().await? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationSasl(offer) => {
                let offered = offer.mechanisms().collect::<Vec<_>>()?;
                self.scram(talk, &offered).await?;
            }
            Message::AuthenticationMd5Password(_) => return Err(Failure::Unwilling("it asks for an MD5 password")),
            Message::AuthenticationCleartextPassword => {
                return Err(Failure::Unwilling("it asks for the password in clear text"));
            }
            _ => return Err(Failure::Unwilling("it asks for a login that is not known here")),
        }
        match talk.receive().await? {
            Message::AuthenticationOk => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// Proves to each other that both know the password (RFC 5802, RFC 7677), which never leaves the gateway.
    async fn scram(&self, talk: &mut Talk<'_>, offered: &[&str]) -> Result<(), Failure> {
        let password = self.password.ok_or(Failure::Unwilling("it asks for a password and none is configured"))?;
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
    notices: Vec<Bytes>,
}

impl Talk<'_> {
    async fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        write(&mut buffer)?;
        self.stream.write_all(&buffer).await?;
        self.stream.flush().await
    }

    async fn receive(&mut self) -> Result<Message, Failure> {
        loop {
            self.left = self.left.checked_sub(1).ok_or_else(unexpected)?;
            let mut bytes = read_message(self.stream, MAX_MESSAGE).await?;
            let whole = bytes.clone().freeze();
            match Message::parse(&mut bytes)?.ok_or_else(unexpected)? {
                Message::NoticeResponse(_) => self.notices.push(whole),
                Message::ErrorResponse(error) => return Err(Failure::Refused(ServerError::read(&error)?)),
                other => return Ok(other),
            }
        }
    }

    async fn until_ready(mut self) -> Result<Opened, Failure> {
        let mut opened = Opened::default();
        loop {
            match self.receive().await? {
                Message::ParameterStatus(status) => opened.parameters.push(parameter(&status)?),
                Message::BackendKeyData(key) => opened.key = Some((key.process_id(), key.secret_key())),
                Message::ReadyForQuery(_) => return Ok(Opened { notices: self.notices, ..opened }),
                _ => return Err(unexpected()),
            }
        }
    }
}

fn parameter(status: &ParameterStatusBody) -> io::Result<(String, String)> {
    Ok((status.name()?.to_owned(), status.value()?.to_owned()))
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
    pub(crate) fn for_client(&self) -> Refusal {
        let about_client_or_state = ["0A", "22", "3D", "42", "53", "55", "57"];
        if about_client_or_state.iter().any(|class| self.code.starts_with(class)) {
            let (code, message) = (self.code.clone().into(), self.message.clone().into());
            return Refusal { code, message, hint: None };
        }
        Refusal::new(code::NO_SERVER, "the server behind the gateway does not let the gateway in")
    }
}

fn is_code(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}
