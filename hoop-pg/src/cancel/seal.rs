//! Seals what a cancel request must hold so that any instance of the gateway can carry it out, and nobody else can read
//! or make one.

use bytes::Bytes;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

/// How many bytes a sealed text is longer than the text itself: the nonce and the tag.
pub(super) const OVERHEAD: usize = NONCE_LEN + 16;

/// What a sealed text is for: one cannot be taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A client's key: where its server is, and the server's key.
    Key = 1,
    /// A request that one instance hands to another.
    Forwarded = 2,
}

/// The secret that all instances share, ready for use. It is never printed.
pub(super) struct Sealer(LessSafeKey);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// From a secret of any length (RFC 5869).
    pub(super) fn new(secret: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "the length asked for is that of the algorithm's own keys")]
        let key: UnboundKey = Salt::new(HKDF_SHA256, b"hoop-pg")
            .extract(secret)
            .expand(&[b"cancel requests"], &CHACHA20_POLY1305)
            .expect("a key of 32 bytes can be derived")
            .into();
        Self(LessSafeKey::new(key))
    }

    /// Seals a text for a process id: the nonce, then the text, then the tag.
    pub(super) fn seal(&self, purpose: Purpose, process: i32, text: &[u8]) -> Option<Bytes> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = text.to_vec();
        let bound_to = Aad::from(associated(purpose, process));
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound_to, &mut sealed).ok()?;
        Some([&nonce[..], &sealed].concat().into())
    }

    /// The text, where it was sealed with the same secret, for the same purpose and process id.
    pub(super) fn open(&self, purpose: Purpose, process: i32, sealed: &[u8]) -> Option<Vec<u8>> {
        let (&nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = sealed.to_vec();
        let bound_to = Aad::from(associated(purpose, process));
        let opened = self.0.open_in_place(Nonce::assume_unique_for_key(nonce), bound_to, &mut text).ok()?;
        let length = opened.len();
        text.truncate(length);
        Some(text)
    }
}

fn associated(purpose: Purpose, process: i32) -> [u8; 5] {
    let [a, b, c, d] = process.to_be_bytes();
    [purpose as u8, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_so_is_opened() {
        let (ours, same, other) = (Sealer::new(b"secret"), Sealer::new(b"secret"), Sealer::new(b"Secret"));
        let sealed = ours.seal(Purpose::Key, 7, b"text").unwrap();
        assert_eq!(sealed.len(), 4 + OVERHEAD);
        assert_eq!(same.open(Purpose::Key, 7, &sealed).unwrap(), b"text");
        assert_eq!(same.open(Purpose::Forwarded, 7, &sealed), None);
        assert_eq!(same.open(Purpose::Key, 8, &sealed), None);
        assert_eq!(other.open(Purpose::Key, 7, &sealed), None);
        for at in 0..sealed.len() {
            let mut forged = sealed.to_vec();
            forged[at] ^= 1;
            assert_eq!(same.open(Purpose::Key, 7, &forged), None, "byte {at}");
            assert_eq!(same.open(Purpose::Key, 7, &sealed[..at]), None, "{at} bytes");
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_alike() {
        let sealer = Sealer::new(b"secret");
        let seal = || sealer.seal(Purpose::Key, 7, b"text").unwrap();
        assert_ne!(seal(), seal());
    }
}
