//! How a client shows who it is: by its certificate, a password, a token, or SCRAM.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use hoop_runtime::config::{LoginMethod, Verifier};
use hoop_runtime::{Gateway, Proven};

use crate::certificate;
use crate::frame::HEADER;
use crate::message::Reader;
use crate::refusal::{Refusal, code};
use crate::reply::Reply;
use crate::scram::{self, Challenge, Refused};
use crate::transport::{Transport, read_message};
use crate::verifiers::Verifiers;

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
    Scram {
        /// What it keeps of the callers' passwords.
        verifiers: Arc<Verifiers>,
        /// What a login is bound to: the hash of the gateway's own certificate.
        end_point: Option<Vec<u8>>,
    },
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
    pub(crate) fn new(method: LoginMethod, verifiers: &Arc<Verifiers>, end_point: Option<Vec<u8>>) -> Self {
        match method {
            LoginMethod::Password => Self::Password,
            LoginMethod::Scram => Self::Scram { verifiers: Arc::clone(verifiers), end_point },
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
            Self::Scram { verifiers, end_point } => {
                let end_point = end_point.as_deref().filter(|_| stream.is_tls());
                by_scram(stream, gateway, user, before, (verifiers.of(user), end_point)).await
            }
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
    stream.say(before.ask_password()).await?;
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

async fn by_scram(
    stream: &mut Transport,
    gateway: &Gateway,
    user: &str,
    before: Reply,
    (verifier, end_point): (Verifier, Option<&[u8]>),
) -> Result<Proven, Trouble> {
    stream.say(before.ask_scram(scram::offered(end_point))).await?;
    let message = read_message(stream, MAX_SCRAM).await?;
    let (mechanism, first) = initial(&message).ok_or_else(unexpected)?;
    let told = |refused| refused_scram(user, refused);
    let challenge = Challenge::new(verifier, mechanism, first, end_point).map_err(told)?;
    stream.say(Reply::new().scram_goes_on(challenge.answer())).await?;
    let message = read_message(stream, MAX_SCRAM).await?;
    let last = message.strip_prefix(b"p").and_then(|rest| rest.get(4..)).ok_or_else(unexpected)?;
    let proof = challenge.solved(last).map_err(told)?;
    stream.say(Reply::new().scram_ends(&proof)).await?;
    let known = gateway.config().identities.find(user);
    let known = known.ok_or_else(|| refused_scram(user, Refused::WrongPassword))?;
    let how = if mechanism == scram::PLUS.as_bytes() {
        "password by SCRAM-SHA-256-PLUS"
    } else {
        "password by SCRAM-SHA-256"
    };
    Ok(known.verified(how).into())
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
