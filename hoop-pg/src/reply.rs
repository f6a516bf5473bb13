//! What the gateway itself says to a client until its session stands.

use bytes::{Bytes, BytesMut};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::response::{ErrorResponse, ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::{Authentication, NegotiateProtocolVersion};

use crate::cancel::CancelKey;
use crate::message::frame;
use crate::refusal::Refusal;
use crate::startup::Negotiation;

/// Messages to a client, one after the other.
#[derive(Debug, Default)]
pub struct Reply(BytesMut);

impl AsRef<[u8]> for Reply {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Reply {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes to send.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0.freeze()
    }

    /// Tells which version is spoken, and which options of the protocol are not known.
    #[must_use]
    pub fn negotiate(self, negotiation: &Negotiation) -> Self {
        let Negotiation { minor, unknown } = negotiation.clone();
        let version = 3 << 16 | i32::from(minor);
        self.say(Message::NegotiateProtocolVersion(NegotiateProtocolVersion::new(version, unknown)))
    }

    /// Asks for the password, in clear text.
    #[must_use]
    pub fn ask_password(self) -> Self {
        self.say(Message::Authentication(Authentication::CleartextPassword))
    }

    /// Asks to begin one of these SASL mechanisms.
    #[must_use]
    pub fn ask_scram(self, mechanisms: &[&str]) -> Self {
        let mechanisms = mechanisms.iter().map(|name| (*name).to_owned()).collect();
        self.say(Message::Authentication(Authentication::SASL(mechanisms)))
    }

    /// Answers the first message of a SASL login.
    #[must_use]
    pub fn scram_goes_on(self, answer: &str) -> Self {
        self.say(Message::Authentication(Authentication::SASLContinue(Bytes::copy_from_slice(answer.as_bytes()))))
    }

    /// Answers the last message of a SASL login.
    #[must_use]
    pub fn scram_ends(self, answer: &str) -> Self {
        self.say(Message::Authentication(Authentication::SASLFinal(Bytes::copy_from_slice(answer.as_bytes()))))
    }

    /// The client is who it claims to be.
    #[must_use]
    pub fn authenticated(self) -> Self {
        self.say(Message::Authentication(Authentication::Ok))
    }

    /// What the client must show to cancel.
    #[must_use]
    pub fn cancel_key(mut self, key: &CancelKey) -> Self {
        frame(&mut self.0, b'K', |body| {
            body.i32(key.process);
            body.bytes(&key.secret);
        });
        self
    }

    /// A message of the server, as it came.
    #[must_use]
    pub fn relayed(mut self, message: &[u8]) -> Self {
        self.0.extend_from_slice(message);
        self
    }

    /// The session waits for its first command.
    #[must_use]
    pub fn ready(self) -> Self {
        self.say(Message::ReadyForQuery(ReadyForQuery::new(TransactionStatus::Idle)))
    }

    /// The client is not let in.
    #[must_use]
    pub fn refuse(self, refusal: &Refusal) -> Self {
        let Refusal { code, message, hint } = refusal;
        let fields = [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', code.as_ref()), (b'M', message.as_ref())];
        let hint = hint.as_deref().map(|hint| (b'H', hint));
        // A NUL would end the field, and what follows it would be read as another.
        let fields = fields.into_iter().chain(hint).map(|(field, text)| (field, text.replace('\0', " "))).collect();
        self.say(Message::ErrorResponse(ErrorResponse::new(fields)))
    }

    #[expect(clippy::expect_used, reason = "the encoder fails only on a cancel key of an impossible length")]
    fn say(mut self, message: Message) -> Self {
        message.encode(&mut self.0).expect("messages of the gateway's own can be encoded");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::code;

    #[test]
    fn what_is_said_stands_on_the_wire_as_the_protocol_has_it() {
        let check = |reply: Reply, expected: &[u8]| assert_eq!(reply.into_bytes(), expected);
        check(Reply::new().ask_password(), b"R\0\0\0\x08\0\0\0\x03");
        check(Reply::new().ask_scram(&["A", "B"]), b"R\0\0\0\x0d\0\0\0\x0aA\0B\0\0");
        check(Reply::new().scram_goes_on("r=x"), b"R\0\0\0\x0b\0\0\0\x0br=x");
        check(Reply::new().scram_ends("v=x"), b"R\0\0\0\x0b\0\0\0\x0cv=x");
        check(Reply::new().authenticated().ready(), b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
        let key = |secret: &'static [u8]| CancelKey { process: 7, secret: Bytes::from_static(secret) };
        check(Reply::new().cancel_key(&key(b"\xff\x01\x02\x03")), b"K\0\0\0\x0c\0\0\0\x07\xff\x01\x02\x03");
        check(Reply::new().cancel_key(&key(b"longer")), b"K\0\0\0\x0e\0\0\0\x07longer");
        let negotiation = Negotiation { minor: 2, unknown: vec![String::from("_pq_.x")] };
        check(Reply::new().negotiate(&negotiation), b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0");
        let refusal = Refusal::new(code::PROTOCOL, "no\0pe").with_hint("go");
        check(Reply::new().refuse(&refusal), b"E\0\0\0\x25SFATAL\0VFATAL\0C08P01\0Mno pe\0Hgo\0\0");
    }
}
