//! Keys of pseudonyms and shifts: one for each domain, and what is drawn from them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest as _, Sha256};

/// The length of a block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// Secrets for pseudonyms and shifts, by domain. They are kept outside of policies: the same key gives the same pseudonyms.
#[derive(Clone, Default)]
pub struct Keyring(BTreeMap<String, Arc<[u8]>>);

/// The domain of a style: values of one domain have the same pseudonyms, and nobody can tell those of another from them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Domain {
    name: Arc<str>,
    key: Option<Key>,
}

/// A key that is drawn from a secret for one domain alone.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

/// Bytes that depend on a key, a purpose and a value, as many as are asked for.
pub(crate) struct Stream {
    seed: [u8; 32],
    block: [u8; 32],
    count: u64,
    at: usize,
}

impl Keyring {
    /// The domain whose secret stands for those that have none of their own.
    pub const DEFAULT: &'static str = "default";

    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same keys, and a secret for a domain. It should have 16 random bytes or more.
    #[must_use]
    pub fn with(mut self, domain: impl Into<String>, secret: &[u8]) -> Self {
        self.0.insert(domain.into(), secret.into());
        self
    }

    /// The domain with its key, where it has one.
    #[must_use]
    pub fn domain(&self, name: &str) -> Domain {
        let secret = self.0.get(name).or_else(|| self.0.get(Self::DEFAULT));
        let key = secret.map(|secret| Key(hmac(secret, &[b"hoop domain", name.as_bytes()])));
        Domain { name: name.into(), key }
    }
}

impl Domain {
    /// A domain without a key: what it hides becomes NULL.
    #[must_use]
    pub fn keyless(name: &str) -> Self {
        Keyring::new().domain(name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has a key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// A number that depends on the key, a purpose and a value; `None` without a key.
    pub(crate) fn word(&self, purpose: &[u8], value: &[u8]) -> Option<u64> {
        let drawn = hmac(&self.key.as_ref()?.0, &[purpose, value]);
        drawn.first_chunk().copied().map(u64::from_be_bytes)
    }

    /// What is drawn from the key for a purpose and a value; `None` without a key.
    pub(crate) fn draw(&self, purpose: &[u8], value: &[u8]) -> Option<Stream> {
        let seed = hmac(&self.key.as_ref()?.0, &[purpose, value]);
        Some(Stream { seed, block: [0; 32], count: 0, at: BLOCK })
    }
}

impl Stream {
    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        if self.at >= self.block.len() {
            self.block = hmac(&self.seed, &[&self.count.to_be_bytes()]);
            self.count += 1;
            self.at = 0;
        }
        let byte = self.block.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        byte
    }

    /// The next number below `bound`, each about as likely as any other.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let drawn = [self.byte(), self.byte(), self.byte(), self.byte()];
        let wide = u64::from(u32::from_be_bytes(drawn)) * u64::from(bound);
        u32::try_from(wide >> 32).unwrap_or_default()
    }
}

/// HMAC-SHA-256 ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)) over parts, each with its length before it, so that no
/// two lists of parts are the same message.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut message = Vec::new();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    hmac_sha256(key, &message)
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut padded = [0; BLOCK];
    let hashed: [u8; 32] = Sha256::digest(key).into();
    let key = if key.len() > BLOCK { &hashed[..] } else { key };
    padded.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let inner = Sha256::new().chain_update(padded.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Domain").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// [RFC 4231](https://www.rfc-editor.org/rfc/rfc4231), section 4: test cases 1, 2, 3 and 6.
    #[test]
    fn hmac_gives_what_the_standard_gives() {
        for (key, message, expected) in [
            (&[0x0b; 20][..], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac_sha256(key, message)), expected);
        }
    }

    #[test]
    fn domains_share_nothing_but_the_secret_they_are_drawn_from() {
        let keyring = Keyring::new().with("default", b"one").with("own", b"two");
        let first = |domain: &Domain, purpose: &[u8], value: &[u8]| {
            domain.draw(purpose, value).map(|mut stream| [stream.byte(), stream.byte(), stream.byte(), stream.byte()])
        };
        let (a, b, own) = (keyring.domain("a"), keyring.domain("b"), keyring.domain("own"));
        assert_eq!(first(&a, b"p", b"x"), first(&keyring.domain("a"), b"p", b"x"));
        for other in [first(&b, b"p", b"x"), first(&own, b"p", b"x"), first(&a, b"q", b"x"), first(&a, b"p", b"y")] {
            assert_ne!(first(&a, b"p", b"x"), other);
        }
        assert_eq!(first(&Domain::keyless("a"), b"p", b"x"), None);
        assert!(!format!("{keyring:?} {a:?}").contains("one"));
    }
}
