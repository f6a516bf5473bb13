//! The gateway's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): what a client says, and what it is
//! answered. Reads and writes nothing itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hoop_runtime::config::Verifier;
use subtle::ConstantTimeEq as _;

/// The mechanism without channel binding.
pub(crate) const PLAIN: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub(crate) const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Why an exchange does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// What came is no message of the exchange.
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    /// The client did not see the offer that was made: somebody on the way may have changed it.
    #[error("SCRAM channel binding negotiation error")]
    Downgraded,
    /// The client is bound to another certificate than the gateway's: somebody is on the way.
    #[error("SCRAM channel binding check failed")]
    OtherChannel,
    /// The client does not know the password, or there is no such caller.
    #[error("the name or the password is wrong")]
    WrongPassword,
}

/// An exchange whose first message was answered.
#[derive(Debug)]
pub(crate) struct Challenge {
    verifier: Verifier,
    /// What the client must repeat of the first message, with what it is bound to.
    binding: String,
    nonce: String,
    /// The client's first message without its header, and the answer.
    said: String,
    answer: String,
}

/// The mechanisms to offer on a connection that a login can be bound to, or cannot.
pub(crate) fn offered(end_point: Option<&[u8]>) -> &'static [&'static str] {
    if end_point.is_some() { &[PLUS, PLAIN] } else { &[PLAIN] }
}

impl Challenge {
    /// Answers the client's first message.
    pub(crate) fn new(
        verifier: Verifier,
        mechanism: &[u8],
        first: &[u8],
        end_point: Option<&[u8]>,
    ) -> Result<Self, Refused> {
        let first = str::from_utf8(first).map_err(|_| Refused::Malformed("it is not UTF-8"))?;
        let (header, said) = header(first)?;
        let bound = bound(mechanism, header, end_point)?;
        let client = client_nonce(said)?;
        let nonce = format!("{client}{}", STANDARD.encode(rand::random::<[u8; 18]>()));
        let (salt, often) = (STANDARD.encode(verifier.salt()), verifier.iterations());
        let answer = format!("r={nonce},s={salt},i={often}");
        let binding = STANDARD.encode([header.as_bytes(), bound].concat());
        Ok(Self { verifier, binding, nonce, said: said.to_owned(), answer })
    }

    /// What the client is to solve.
    pub(crate) fn answer(&self) -> &str {
        &self.answer
    }

    /// What shows the client that the gateway knows the password too, where it showed so itself.
    pub(crate) fn solved(&self, last: &[u8]) -> Result<String, Refused> {
        let last = str::from_utf8(last).map_err(|_| Refused::Malformed("it is not UTF-8"))?;
        let (unproved, proof) = last.rsplit_once(",p=").ok_or(Refused::Malformed("there is no proof"))?;
        let (binding, rest) = unproved
            .strip_prefix("c=")
            .and_then(|rest| rest.split_once(",r="))
            .ok_or(Refused::Malformed("there is no channel binding or nonce"))?;
        // What follows the nonce are extensions, which may be ignored (RFC 5802 §5.1).
        let nonce = rest.split_once(',').map_or(rest, |(nonce, _)| nonce);
        if nonce != self.nonce {
            return Err(Refused::Malformed("it is not the nonce of the answer"));
        }
        if !bool::from(binding.as_bytes().ct_eq(self.binding.as_bytes())) {
            return Err(Refused::OtherChannel);
        }
        let proof = STANDARD.decode(proof).map_err(|_| Refused::Malformed("the proof is not base64"))?;
        let message = format!("{},{},{unproved}", self.said, self.answer);
        if !self.verifier.is_proved(message.as_bytes(), &proof) {
            return Err(Refused::WrongPassword);
        }
        Ok(format!("v={}", STANDARD.encode(self.verifier.signature(message.as_bytes()))))
    }
}

/// The header that says what the client is bound to, and the rest of its first message.
fn header(first: &str) -> Result<(&str, &str), Refused> {
    let flag = first.find(',').ok_or(Refused::Malformed("there is no header"))?;
    let name = first.get(flag + 1..).and_then(|rest| rest.find(',')).ok_or(Refused::Malformed("there is no header"))?;
    match first.split_at_checked(flag + name + 2) {
        Some((header, said)) if name == 0 => Ok((header, said)),
        _ => Err(Refused::Malformed("a name to act for is not supported")),
    }
}

/// What the client is bound to, by the mechanism it chose and its header, where both agree with what was offered.
fn bound<'a>(mechanism: &[u8], header: &str, end_point: Option<&'a [u8]>) -> Result<&'a [u8], Refused> {
    let plus = match mechanism {
        _ if mechanism == PLUS.as_bytes() => true,
        _ if mechanism == PLAIN.as_bytes() => false,
        _ => return Err(Refused::Malformed("the mechanism was not offered")),
    };
    match (header, plus, end_point) {
        ("p=tls-server-end-point,,", true, Some(end_point)) => Ok(end_point),
        ("n,,", false, _) | ("y,,", false, None) => Ok(&[]),
        // It could bind, and believes that the gateway cannot.
        ("y,,", false, Some(_)) => Err(Refused::Downgraded),
        (_, true, None) => Err(Refused::Malformed("the mechanism was not offered")),
        _ => Err(Refused::Malformed("the mechanism and the header do not agree")),
    }
}

/// The client's nonce. The name that it gives here does not count: the startup packet has it.
fn client_nonce(said: &str) -> Result<&str, Refused> {
    let rest = said.strip_prefix("n=").and_then(|rest| rest.split_once(",r="));
    let (_, rest) =
        rest.filter(|(name, _)| !name.contains(',')).ok_or(Refused::Malformed("there is no name or nonce"))?;
    let nonce = rest.split_once(',').map_or(rest, |(nonce, _)| nonce);
    let printable = !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic());
    if printable { Ok(nonce) } else { Err(Refused::Malformed("the nonce is not printable")) }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    use super::*;

    const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
    const END: &[u8] = b"the hash of a certificate";

    fn verifier() -> Verifier {
        Verifier::of(b"pencil", b"salt".to_vec(), ITERATIONS)
    }

    /// What becomes of a client that is bound so and knows this password, told of this end point by the gateway.
    fn outcome(password: &str, binding: ChannelBinding, mechanism: &str, end_point: Option<&[u8]>) -> String {
        let mut client = ScramSha256::new(password.as_bytes(), binding);
        let challenge = match Challenge::new(verifier(), mechanism.as_bytes(), client.message(), end_point) {
            Ok(challenge) => challenge,
            Err(refused) => return refused.to_string(),
        };
        client.update(challenge.answer().as_bytes()).unwrap();
        match challenge.solved(client.message()) {
            Ok(proof) => client.finish(proof.as_bytes()).map_or_else(|error| error.to_string(), |()| "in".to_owned()),
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn clients_of_another_library() {
        let bound = || ChannelBinding::tls_server_end_point(END.to_vec());
        let check = |password, binding, mechanism, end_point, expected: &str| {
            assert_eq!(outcome(password, binding, mechanism, end_point), expected, "{mechanism}");
        };
        check("pencil", ChannelBinding::unsupported(), PLAIN, None, "in");
        check("pencil", ChannelBinding::unsupported(), PLAIN, Some(END), "in");
        check("pencil", ChannelBinding::unrequested(), PLAIN, None, "in");
        check("pencil", bound(), PLUS, Some(END), "in");
        let wrong = "the name or the password is wrong";
        check("Pencil", ChannelBinding::unsupported(), PLAIN, None, wrong);
        check("", bound(), PLUS, Some(END), wrong);
        // Somebody is on the way, with a certificate of their own, or took the offer away.
        check("pencil", bound(), PLUS, Some(b"another"), "SCRAM channel binding check failed");
        check("pencil", ChannelBinding::unrequested(), PLAIN, Some(END), "SCRAM channel binding negotiation error");
        let malformed = |what: &str| format!("malformed SCRAM message: {what}");
        check("pencil", bound(), PLUS, None, &malformed("the mechanism was not offered"));
        check("pencil", ChannelBinding::unsupported(), "PLAIN", None, &malformed("the mechanism was not offered"));
        let disagree = malformed("the mechanism and the header do not agree");
        check("pencil", bound(), PLAIN, Some(END), &disagree);
        check("pencil", ChannelBinding::unsupported(), PLUS, Some(END), &disagree);
    }

    #[test]
    fn the_first_message() {
        let check = |first: &[u8], expected: Result<(), &'static str>| {
            let answered = Challenge::new(verifier(), PLAIN.as_bytes(), first, None).map(drop);
            assert_eq!(answered, expected.map_err(Refused::Malformed), "{}", first.escape_ascii());
        };
        check(b"n,,n=,r=abc", Ok(()));
        check(b"n,,n=ann,r=abc", Ok(()));
        check(b"n,,n=ann,r=abc,x=later", Ok(()));
        check(b"n,a=eve,n=ann,r=abc", Err("a name to act for is not supported"));
        check(b"n,,m=must,n=ann,r=abc", Err("there is no name or nonce"));
        check(b"n,,n=a,b=c,r=abc", Err("there is no name or nonce"));
        check(b"n,,r=abc", Err("there is no name or nonce"));
        check(b"n,,n=,r=", Err("the nonce is not printable"));
        check(b"n,,n=,r=a\x01", Err("the nonce is not printable"));
        check("n,,n=,r=\u{e9}".as_bytes(), Err("the nonce is not printable"));
        check(b"n,,n=,r=\xff", Err("it is not UTF-8"));
        check(b"q,,n=,r=abc", Err("the mechanism and the header do not agree"));
        check(b"p=tls-unique,,n=,r=abc", Err("the mechanism and the header do not agree"));
        for first in [&b""[..], b",", b"n", b"n,"] {
            check(first, Err("there is no header"));
        }
    }

    #[test]
    fn the_last_message() {
        let challenge = Challenge::new(verifier(), PLAIN.as_bytes(), b"n,,n=,r=abc", None).unwrap();
        let nonce = &challenge.nonce;
        let proof = STANDARD.encode([0; 32]);
        let check = |last: &str, expected: &str| {
            assert_eq!(challenge.solved(last.as_bytes()).unwrap_err().to_string(), expected, "{last}");
        };
        let malformed = |what: &str| format!("malformed SCRAM message: {what}");
        check(&format!("c=biws,r={nonce},p={proof}"), "the name or the password is wrong");
        check(&format!("c=biws,r={nonce},x=1,p={proof}"), "the name or the password is wrong");
        check(&format!("c=biws,r={nonce},p="), "the name or the password is wrong");
        check(&format!("c=eSws,r={nonce},p={proof}"), "SCRAM channel binding check failed");
        check(&format!("c=,r={nonce},p={proof}"), "SCRAM channel binding check failed");
        check(&format!("c=biws,r=abc,p={proof}"), &malformed("it is not the nonce of the answer"));
        check(&format!("c=biws,r={nonce}x,p={proof}"), &malformed("it is not the nonce of the answer"));
        check(&format!("c=biws,r={nonce}"), &malformed("there is no proof"));
        check(&format!("r={nonce},p={proof}"), &malformed("there is no channel binding or nonce"));
        check(&format!("c=biws,r={nonce},p=?"), &malformed("the proof is not base64"));
        check("", &malformed("there is no proof"));
        assert!(challenge.solved(b"\xff").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(first in proptest::collection::vec(proptest::num::u8::ANY, 0..40), last in ".{0,40}") {
            let challenge = Challenge::new(Verifier::of_nobody(vec![1], ITERATIONS), PLUS.as_bytes(), &first, Some(END));
            if let Ok(challenge) = challenge {
                let _ = challenge.solved(last.as_bytes());
            }
        }
    }
}
