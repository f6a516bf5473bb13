//! Passwords of callers, kept as they are or as what SCRAM keeps of them: enough to check one, not to be one.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How often a password is hashed where nothing else is said: PostgreSQL's own number.
pub(super) const ITERATIONS: NonZeroU32 = match NonZeroU32::new(4096) {
    Some(often) => often,
    None => NonZeroU32::MIN,
};
/// How often it may be hashed: each login costs that much.
const MOST_ITERATIONS: u32 = 100_000;
/// What the text of a verifier begins with, as PostgreSQL writes it into `pg_authid`.
const PREFIX: &str = "SCRAM-SHA-256$";

type Key = [u8; digest::SHA256_OUTPUT_LEN];

/// What a caller's password is checked with.
#[derive(Clone, Debug)]
pub struct Password(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Clear(SecretString),
    Verifier(Verifier),
}

/// What SCRAM-SHA-256 keeps of a password (RFC 5802, RFC 7677). It is never printed.
#[derive(Clone)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored: Key,
    server: Key,
}

/// A text that begins like a verifier and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it begins with `SCRAM-SHA-256$` and is no verifier of PostgreSQL's form")]
pub struct NotAVerifier;

impl Password {
    /// From a password, or from a verifier in PostgreSQL's form: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
    ///
    /// # Errors
    /// Where the secret begins like a verifier and is none.
    pub fn new(secret: SecretString) -> Result<Self, NotAVerifier> {
        match secret.expose_secret().strip_prefix(PREFIX) {
            None => Ok(Self(Kept::Clear(secret))),
            Some(rest) => Verifier::parse(rest).map(|verifier| Self(Kept::Verifier(verifier))).ok_or(NotAVerifier),
        }
    }

    /// Whether this is the password. How long it takes depends on [`Self::iterations`] alone.
    #[must_use]
    pub fn is(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kept::Clear(kept) => Sha256::digest(password).ct_eq(&Sha256::digest(kept.expose_secret())).into(),
            Kept::Verifier(verifier) => verifier.is_of(password),
        }
    }

    /// How often a password is hashed to check it; `None` where it is kept as it is.
    #[must_use]
    pub fn iterations(&self) -> Option<NonZeroU32> {
        match &self.0 {
            Kept::Clear(_) => None,
            Kept::Verifier(verifier) => Some(verifier.iterations),
        }
    }

    /// What SCRAM needs of it. Of a password that is kept as it is, it is made so.
    #[must_use]
    pub fn verifier(&self, salt: Vec<u8>, iterations: NonZeroU32) -> Verifier {
        match &self.0 {
            Kept::Clear(kept) => Verifier::of(kept.expose_secret().as_bytes(), salt, iterations),
            Kept::Verifier(verifier) => verifier.clone(),
        }
    }
}

impl Verifier {
    /// One that no password fits, hashed so: for callers that there are not.
    #[must_use]
    pub fn of_nobody(salt: Vec<u8>, iterations: NonZeroU32) -> Self {
        Self { iterations, salt, stored: rand::random(), server: rand::random() }
    }

    /// That of a password, hashed so.
    #[must_use]
    pub fn of(password: &[u8], salt: Vec<u8>, iterations: NonZeroU32) -> Self {
        let salted = salted(password, &salt, iterations);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let derived = |label: &[u8]| key_of(hmac::sign(&key, label).as_ref());
        let stored = key_of(digest::digest(&digest::SHA256, &derived(b"Client Key")).as_ref());
        Self { iterations, salt, stored, server: derived(b"Server Key") }
    }

    /// Reads what follows `SCRAM-SHA-256$`.
    fn parse(text: &str) -> Option<Self> {
        let (hashing, keys) = text.split_once('$')?;
        let ((iterations, salt), (stored, server)) = (hashing.split_once(':')?, keys.split_once(':')?);
        let iterations = iterations.parse().ok().filter(|often: &NonZeroU32| often.get() <= MOST_ITERATIONS)?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| (1..=64).contains(&salt.len()))?;
        let key = |text| STANDARD.decode(text).ok()?.try_into().ok();
        Some(Self { iterations, salt, stored: key(stored)?, server: key(server)? })
    }

    fn is_of(&self, password: &[u8]) -> bool {
        let other = Self::of(password, self.salt.clone(), self.iterations);
        (self.stored.ct_eq(&other.stored) & self.server.ct_eq(&other.server)).into()
    }

    /// How often a password is hashed.
    #[must_use]
    pub fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    /// What it is hashed with.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Whether somebody who signed `message` so knows the password (RFC 5802, `ClientProof`).
    #[must_use]
    pub fn is_proved(&self, message: &[u8], proof: &[u8]) -> bool {
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.stored), message);
        let key: Vec<u8> = signature.as_ref().iter().zip(proof).map(|(one, other)| one ^ other).collect();
        let hash = digest::digest(&digest::SHA256, &key);
        proof.len() == self.stored.len() && bool::from(hash.as_ref().ct_eq(&self.stored))
    }

    /// What shows a client that the other side knows the password too (RFC 5802, `ServerSignature`).
    #[must_use]
    pub fn signature(&self, message: &[u8]) -> Key {
        key_of(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.server), message).as_ref())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// Hashes a password for nothing, so often: what is then known took as long as where it was hashed for something.
pub(super) fn hash_in_vain(password: &[u8], iterations: u32) {
    if let Some(iterations) = NonZeroU32::new(iterations) {
        std::hint::black_box(salted(password, &[0; 16], iterations));
    }
}

fn salted(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Key {
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, &prepared(password), &mut salted);
    salted
}

fn key_of(bytes: &[u8]) -> Key {
    bytes.try_into().unwrap_or_default()
}

/// As RFC 4013 has it, and as it is where that does not allow it: so do PostgreSQL and its clients.
fn prepared(password: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
    text.map_or_else(|| password.to_vec(), |text| text.into_owned().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL 15 keeps of the password `pencil`.
    const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    fn password(text: &str) -> Result<Password, NotAVerifier> {
        Password::new(text.into())
    }

    #[test]
    fn a_password_is_told_from_others() {
        let check = |kept: &str, given: &[u8], expected: bool| {
            assert_eq!(password(kept).unwrap().is(given), expected, "{kept} {given:?}");
        };
        check("pencil", b"pencil", true);
        check("pencil", b"Pencil", false);
        check("pencil", b"", false);
        check(PENCIL, b"pencil", true);
        check(PENCIL, b"pencil ", false);
        check(PENCIL, b"", false);
        check(PENCIL, PENCIL.as_bytes(), false);
        // A soft hyphen is nothing, a no-break space a space (RFC 4013).
        check(PENCIL, "pen\u{ad}cil".as_bytes(), true);
        check(PENCIL, b"pencil\xff", false);
    }

    #[test]
    fn a_verifier_is_read_whole_or_refused() {
        assert_eq!(password(PENCIL).unwrap().iterations().map(NonZeroU32::get), Some(4096));
        assert_eq!(password("pencil").unwrap().iterations(), None);
        for (from, to) in [
            ("4096", "0"),
            ("4096", "100001"),
            ("4096:", ""),
            ("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
            ("W22ZaJ0SNY7soEsUEjb6gQ==", "W22Z?"),
            ("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=", "WG5d"),
            (":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", ""),
            ("U=", "U= "),
        ] {
            assert_eq!(password(&PENCIL.replace(from, to)).err(), Some(NotAVerifier), "{from} {to}");
        }
    }

    #[test]
    fn nobody_knows_the_password_of_nobody() {
        let nobody = Verifier::of_nobody(vec![1; 16], ITERATIONS);
        assert!(!nobody.is_of(b""));
        assert!(!nobody.is_proved(b"message", &[0; 32]));
        assert!(!nobody.is_proved(b"message", b""));
    }

    #[test]
    fn secrets_are_not_printed() {
        let told = format!("{:?} {:?}", password("pencil").unwrap(), password(PENCIL).unwrap());
        assert!(!told.contains("pencil") && !told.contains("WG5d"), "{told}");
    }
}
