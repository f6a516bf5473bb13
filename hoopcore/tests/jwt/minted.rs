//! Tokens of an issuer of our own, signed with keys that exist nowhere else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoopcore::Timestamp;
use hoopcore::identity::jwt::{IssuerSettings, JwtIssuer, KeySet};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// The clock of all cases.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) const HEADER: &str = r#"{"alg":"EdDSA","kid":"k","typ":"JWT"}"#;
pub(crate) const CLAIMS: &str =
    r#"{"iss":"https://idp.example","aud":"gateway","sub":"ci-bot","exp":1800000300,"iat":1799999990}"#;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The public key, as the issuer publishes it.
pub(crate) fn jwk(kid: &str) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{}"}}"#, base64(pair().public_key()))
}

pub(crate) fn key_set(keys: &[String]) -> KeySet {
    KeySet::from_jwks(&format!(r#"{{"keys":[{}]}}"#, keys.join(","))).unwrap()
}

pub(crate) fn settings() -> IssuerSettings {
    IssuerSettings::new("idp", "https://idp.example", "gateway")
}

pub(crate) fn issuer() -> JwtIssuer {
    issuer_with(|_| {})
}

pub(crate) fn issuer_with(change: impl FnOnce(&mut IssuerSettings)) -> JwtIssuer {
    let mut settings = settings();
    change(&mut settings);
    JwtIssuer::new(settings, key_set(&[jwk("k")])).unwrap()
}

/// A token with these parts and a signature that fits them.
pub(crate) fn signed(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = base64(pair().sign(message.as_bytes()));
    format!("{message}.{signature}")
}
