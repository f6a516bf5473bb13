//! Takes a token in the compact form of RFC 7515 apart: exactly one way to read it, nothing that is not understood.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::Algorithm;
use super::json::{self, Bounds, Json, Object};
use super::jwks::{KeySet, LONGEST_KID};
use super::refused::{Part, TokenRefused};

const HEADER_BOUNDS: Bounds = Bounds { depth: 4, values: 64, text: 4096 };

/// Header members that change how a token is to be read or where its key comes from. None of them is supported, and a
/// token that has one may mean something else to its issuer (RFC 7515 §4.1, RFC 7516 §4.1, RFC 7797, RFC 8725 §3).
const NOT_SUPPORTED: [&str; 16] =
    ["crit", "b64", "jku", "jwk", "x5u", "x5c", "cty", "zip", "enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"];

/// A token taken apart, not yet checked.
pub(super) struct Jws<'t> {
    pub(super) header: Header,
    pub(super) payload: Vec<u8>,
    /// What the signature covers: the first two parts as they came.
    signed: &'t str,
    signature: Vec<u8>,
}

/// What a token says about itself.
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
}

impl<'t> Jws<'t> {
    /// Three parts of canonical base64url, of which the first is a header that is understood in full.
    pub(super) fn parse(token: &'t str) -> Result<Self, TokenRefused> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenRefused::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenRefused::NotCompact)?;
        if payload.contains('.') {
            return Err(TokenRefused::NotCompact);
        }
        Ok(Self {
            header: Header::parse(&decode(header, Part::Header)?)?,
            payload: decode(payload, Part::Claims)?,
            signed,
            signature: decode(signature, Part::Signature)?,
        })
    }

    /// Whether one of the allowed algorithms and the key that it names made the signature.
    pub(super) fn verify(&self, keys: &KeySet, allowed: &[Algorithm]) -> Result<(), TokenRefused> {
        let algorithm = self.header.algorithm;
        if !allowed.contains(&algorithm) {
            return Err(TokenRefused::Algorithm);
        }
        keys.check(self.header.kid.as_deref(), algorithm, self.signed.as_bytes(), &self.signature)
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, TokenRefused> {
        let members = json::object(bytes, HEADER_BOUNDS).map_err(|why| TokenRefused::Json(Part::Header, why))?;
        if let Some(name) = NOT_SUPPORTED.iter().find(|name| members.contains_key(**name)) {
            return Err(TokenRefused::HeaderMember(name));
        }
        let algorithm = text(&members, "alg")?.ok_or(TokenRefused::Algorithm)?;
        let kid = text(&members, "kid")?;
        if kid.is_some_and(|kid| kid.len() > LONGEST_KID) {
            return Err(TokenRefused::HeaderType("kid"));
        }
        Ok(Self {
            algorithm: Algorithm::named(algorithm).ok_or(TokenRefused::Algorithm)?,
            kid: kid.map(Into::into),
            typ: text(&members, "typ")?.map(Into::into),
        })
    }
}

fn text<'m>(members: &'m Object, name: &'static str) -> Result<Option<&'m str>, TokenRefused> {
    match members.get(name) {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text)),
        Some(_) => Err(TokenRefused::HeaderType(name)),
    }
}

/// Without padding, line ends or other characters, and with all unused bits zero: one text for each token.
fn decode(text: &str, part: Part) -> Result<Vec<u8>, TokenRefused> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenRefused::Encoding(part))
}
