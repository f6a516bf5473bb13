//! How a client shows who it is: by its certificate, a password, a token, or SCRAM.

use std::collections::BTreeMap;
use std::io;

use bytes::BytesMut;
use hoop_runtime::config::{Config, LoginMethod, Verifier};
use hoop_runtime::{Gateway, Proven};
use tokio::io::AsyncWriteExt as _;

use crate::certificate;
use crate::frame::HEADER;
use crate::message::Reader;
use crate::refusal::{Refusal, code};
use crate::reply::Reply;
use crate::scram::{self, Challenge, Refused};
use crate::transport::{Transport, read_message};

/// The longest message that holds a password: PostgreSQL's own limit.
const MAX_PASSWORD: usize = 65_535;
/// The longest message of a SCRAM login: PostgreSQL's own limit.
const MAX_SCRAM: usize = 1024;

/// How clients of one listener show who they are.
#[derive(Debug)]
pub(crate) enum Desk {
    /// By a password or a token that they send.
    Password,
    /// By SCRAM.
    Scram(Box<Verifiers>),
}

/// What SCRAM keeps of the callers' passwords.
#[derive(Debug)]
pub(crate) struct Verifiers {
    known: BTreeMap<String, Verifier>,
    /// What the salts of callers are made from that there are not: the same at each try.
    strangers: ring::hmac::Key,
    /// What a login is bound to: the hash of the gateway's own certificate.
    end_point: Option<Vec<u8>>,
}

/// What became of a login.
pub(crate) enum Outcome {
    /// The client is known.
    Proven(Proven),
    /// It is not let in: with what it is told, and the reason for the record.
    Refused(Refusal, Option<String>),
}

/// Why a login came to no outcome.
enum Trouble {
    Broken(io::Error),
    Refused(Refusal, Option<String>),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal, None)
    }
}

impl Desk {
    /// For a listener whose own certificate has this end point.
    pub(crate) fn new(method: LoginMethod, config: &Config, end_point: Option<Vec<u8>>) -> Self {
        match method {
            LoginMethod::Password => Self::Password,
            LoginMethod::Scram => Self::Scram(Box::new(Verifiers::new(config, end_point))),
        }
    }

    /// Finds out who a client is that calls itself `user`. `before` is said with the question.
    pub(crate) async fn identify(
        &self,
        stream: &mut Transport,
        gateway: &Gateway,
        user: &str,
        before: Reply,
    ) -> io::Result<Outcome> {
        let proven = match self {
            Self::Password => by_password(stream, gateway, user, before).await,
            Self::Scram(verifiers) => verifiers.prove(stream, gateway, user, before).await,
        };
        match proven {
            Ok(proven) => Ok(Outcome::Proven(proven)),
            Err(Trouble::Refused(refusal, reason)) => Ok(Outcome::Refused(refusal, reason)),
            Err(Trouble::Broken(error)) => Err(error),
        }
    }
}

/// Who a client's certificate says that it is.
pub(crate) fn by_certificate(stream: &Transport, gateway: &Gateway, user: &str) -> Option<Proven> {
    let names = certificate::names(stream.client_certificate()?);
    gateway.config().identities.certified(user, &names).map(Proven::from)
}

async fn by_password(stream: &mut Transport, gateway: &Gateway, user: &str, before: Reply) -> Result<Proven, Trouble> {
    send(stream, before.ask_password()).await?;
    let message = read_message(stream, MAX_PASSWORD).await?;
    let password = password(&message).ok_or_else(|| Refusal::protocol("a password message is expected"))?;
    let proven = match password {
        [] => Err("the password is empty".to_owned()),
        _ => gateway.prove(user, password).await,
    };
    proven.map_err(|reason| wrong(user, reason))
}

fn wrong(user: &str, reason: String) -> Trouble {
    let message = format!("password authentication failed for user \"{user}\"");
    Trouble::Refused(Refusal::new(code::PASSWORD, message), Some(reason))
}

/// The password in a message that holds nothing else.
fn password(message: &[u8]) -> Option<&[u8]> {
    let body = message.strip_prefix(b"p")?.get(4..)?;
    body.strip_suffix(b"\0").filter(|password| !password.contains(&0))
}

impl Verifiers {
    fn new(config: &Config, end_point: Option<Vec<u8>>) -> Self {
        let known = config
            .identities
            .iter()
            .filter_map(|known| Some((known.identity.user.clone(), known.password.as_ref()?.verifier())));
        let strangers = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &rand::random::<[u8; 32]>());
        Self { known: known.collect(), strangers, end_point }
    }

    /// A caller that there is not is asked like any other.
    fn of(&self, user: &str) -> Verifier {
        self.known.get(user).cloned().unwrap_or_else(|| {
            let salt = ring::hmac::sign(&self.strangers, user.as_bytes());
            Verifier::of_nobody(salt.as_ref().iter().copied().take(16).collect())
        })
    }

    async fn prove(
        &self,
        stream: &mut Transport,
        gateway: &Gateway,
        user: &str,
        before: Reply,
    ) -> Result<Proven, Trouble> {
        let end_point = self.end_point.as_deref().filter(|_| stream.is_tls());
        send(stream, before.ask_scram(scram::offered(end_point))).await?;
        let message = read_message(stream, MAX_SCRAM).await?;
        let (mechanism, first) = initial(&message).ok_or_else(unexpected)?;
        let told = |refused| refused_scram(user, refused);
        let challenge = Challenge::new(self.of(user), mechanism, first, end_point).map_err(told)?;
        send(stream, Reply::new().scram_goes_on(challenge.answer())).await?;
        let message = read_message(stream, MAX_SCRAM).await?;
        let last = message.strip_prefix(b"p").and_then(|rest| rest.get(4..)).ok_or_else(unexpected)?;
        let proof = challenge.solved(last).map_err(told)?;
        send(stream, Reply::new().scram_ends(&proof)).await?;
        let known = gateway.config().identities.find(user);
        let known = known.ok_or_else(|| refused_scram(user, Refused::WrongPassword))?;
        let how = if mechanism == scram::PLUS.as_bytes() {
            "password by SCRAM-SHA-256-PLUS"
        } else {
            "password by SCRAM-SHA-256"
        };
        Ok(known.verified(how).into())
    }
}

fn unexpected() -> Refusal {
    Refusal::protocol("a SASL response is expected")
}

fn refused_scram(user: &str, refused: Refused) -> Trouble {
    match refused {
        Refused::Malformed(_) => Refusal::protocol(refused.to_string()).into(),
        Refused::Downgraded | Refused::OtherChannel => {
            let told = Refusal::new(code::AUTHORIZATION, refused.to_string());
            Trouble::Refused(told, Some(refused.to_string()))
        }
        Refused::WrongPassword => wrong(user, refused.to_string()),
    }
}

/// The mechanism and the first message in a SASLInitialResponse.
fn initial(message: &BytesMut) -> Option<(&[u8], &[u8])> {
    let mut body = Reader::new(message.strip_prefix(b"p")?.get(HEADER - 1..)?);
    let (mechanism, first) = (body.text().ok()?, body.value().ok()??);
    body.end().ok()?;
    Some((mechanism, first))
}

async fn send(stream: &mut Transport, reply: Reply) -> io::Result<()> {
    stream.write_all(&reply.into_bytes()).await?;
    stream.flush().await
}
