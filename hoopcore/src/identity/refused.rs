//! Why a token was refused, in words that repeat nothing of the token.

use core::fmt;

use super::json::JsonProblem;
use super::jwks::KeyProblem;

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What comes before the first dot.
    Header,
    /// What stands between the dots.
    Claims,
    /// What follows the second dot.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "claims",
            Self::Signature => "signature",
        })
    }
}

/// Why a token was refused: for the audit trail and the operator. A stranger is told only that it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// It exceeds the limit of its issuer, in bytes.
    #[error("the token is longer than {0} bytes")]
    TooLong(usize),
    /// It is not in the compact form of a signed token.
    #[error("the token is not three parts joined by dots")]
    NotCompact,
    /// A part of it is not canonical base64url without padding.
    #[error("the token's {0} is not canonical base64url")]
    Encoding(Part),
    /// A part of it is not one unambiguous, bounded JSON object.
    #[error("the token's {0} part {1}")]
    Json(Part, JsonProblem),
    /// The header asks for something that is not supported.
    #[error("the token's header has `{0}`, which is not supported")]
    HeaderMember(&'static str),
    /// A header member has the wrong type or an impossible length.
    #[error("the token's header has a `{0}` of the wrong type or size")]
    HeaderType(&'static str),
    /// The algorithm is missing, unknown, or not on the issuer's list.
    #[error("the token's algorithm is not one that its issuer is allowed")]
    Algorithm,
    /// `typ` says that it is another kind of token.
    #[error("the token's `typ` is not one that its issuer is allowed")]
    Type,
    /// It names no key, and there is not exactly one.
    #[error("the token names no key (`kid`), and its issuer does not have exactly one")]
    KeyNotNamed,
    /// The key that it names is not in the issuer's set: a newer set may have it.
    #[error("the token is signed with a key that its issuer has not published")]
    UnknownKey,
    /// The key that it names was set aside.
    #[error("the token's key cannot be used: {0}")]
    KeyUnusable(KeyProblem),
    /// Its algorithm is not one of the key that it names.
    #[error("the token's algorithm is not the one that its key is for")]
    KeyMismatch,
    /// The signature was not made by the key over these bytes.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing that every token needs.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// A claim is not of the type that its standard asks for, or out of range.
    #[error("the claim `{0}` is not {1}")]
    Claim(&'static str, &'static str),
    /// Two claims have one path, as `{"a.b": 1, "a": {"b": 2}}`.
    #[error("two claims have the same path")]
    AmbiguousPath,
    /// `iss` is not exactly that of a configured issuer.
    #[error("the token's issuer (`iss`) is not one that is configured")]
    Issuer,
    /// `aud` does not allow the token to be used here.
    #[error("the token is not meant for this audience (`aud`)")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet (`nbf`)")]
    NotYet,
    /// `iat` has not come.
    #[error("the token was issued in the future (`iat`)")]
    IssuedLater,
    /// It expires before it begins.
    #[error("the token expires before it begins")]
    Backwards,
    /// It is valid for longer than its issuer is allowed.
    #[error("the token is valid for longer than its issuer is allowed")]
    LivesTooLong,
    /// Only the holder of a key may use it (`cnf`), which a password or header cannot prove.
    #[error("the token is bound to a key (`cnf`), and nothing here proves that the caller holds it")]
    BoundToKey,
    /// A claim does not have one of the values that the issuer's settings demand.
    #[error("the claim `{0}` does not have a value that is required")]
    Required(alloc::string::String),
    /// The groups are not in the form that the issuer's settings name.
    #[error("the claim `{0}` does not give groups: {1}")]
    Groups(alloc::string::String, &'static str),
}
