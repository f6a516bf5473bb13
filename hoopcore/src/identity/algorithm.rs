//! The signature algorithms of tokens, and the one place where a signature is verified.
//!
//! The mathematics is ring's, as in TLS: a token library would add checks of its own that are less strict than those
//! around here, and a second set of cryptographic code.

use alloc::vec::Vec;
use core::fmt;

use ring::{hmac, signature};

/// How a token is signed (RFC 7518 §3.1, RFC 8037, RFC 9864). There is no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    Rs384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    Rs512,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// RSA, PSS, SHA-384.
    Ps384,
    /// RSA, PSS, SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519: `EdDSA`, and `Ed25519` as newer issuers write it.
    Ed25519,
    /// HMAC with SHA-256: whoever can check such a token can also make one.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// The ones that an issuer is allowed where its settings do not say otherwise.
    pub const USUAL: [Self; 5] = [Self::Rs256, Self::Ps256, Self::Es256, Self::Es384, Self::Ed25519];

    /// The algorithm of that name, spelled exactly so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::Ed25519,
            "HS256" => Self::Hs256,
            "HS384" => Self::Hs384,
            "HS512" => Self::Hs512,
            _ => return None,
        })
    }

    /// Its name in a token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ed25519 => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Whether one secret both signs and checks.
    #[must_use]
    pub fn shares_a_secret(self) -> bool {
        matches!(self.scheme(), Scheme::Mac(_))
    }

    fn scheme(self) -> Scheme {
        match self {
            Self::Rs256 => Scheme::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Scheme::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Scheme::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Scheme::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Scheme::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Scheme::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Self::Es256 => Scheme::Curve(Curve::P256),
            Self::Es384 => Scheme::Curve(Curve::P384),
            Self::Ed25519 => Scheme::Curve(Curve::Ed25519),
            Self::Hs256 => Scheme::Mac(hmac::HMAC_SHA256),
            Self::Hs384 => Scheme::Mac(hmac::HMAC_SHA384),
            Self::Hs512 => Scheme::Mac(hmac::HMAC_SHA512),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an algorithm needs of a key.
enum Scheme {
    Rsa(&'static signature::RsaParameters),
    Curve(Curve),
    Mac(hmac::Algorithm),
}

/// An elliptic curve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    Ed25519,
}

impl Curve {
    /// The bytes of one coordinate.
    pub(super) fn width(self) -> usize {
        match self {
            Self::P256 | Self::Ed25519 => 32,
            Self::P384 => 48,
        }
    }

    /// ECDSA signatures are `r || s` in fixed width (RFC 7518 §3.4), never DER.
    fn verification(self) -> &'static dyn signature::VerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::Ed25519 => &signature::ED25519,
        }
    }
}

/// What a signature is checked with. It is never printed.
#[derive(Clone)]
pub(super) enum Material {
    /// Big-endian, without leading zeros.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A point as the curve encodes it: uncompressed for P-256 and P-384.
    Point {
        curve: Curve,
        bytes: Vec<u8>,
    },
    Secret(Vec<u8>),
}

impl Material {
    /// Whether it is a key of the type and strength that the algorithm needs.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm.scheme()) {
            (Self::Rsa { .. }, Scheme::Rsa(_)) => true,
            (Self::Point { curve, .. }, Scheme::Curve(needed)) => *curve == needed,
            // RFC 7518 §3.2: a secret is at least as long as the hash.
            (Self::Secret(bytes), Scheme::Mac(hash)) => bytes.len() >= hash.digest_algorithm().output_len(),
            (Self::Rsa { .. }, Scheme::Curve(_) | Scheme::Mac(_)) => false,
            (Self::Point { .. }, Scheme::Rsa(_) | Scheme::Mac(_)) => false,
            (Self::Secret(_), Scheme::Rsa(_) | Scheme::Curve(_)) => false,
        }
    }

    /// Whether `signature` is one over `message` by this key. A MAC is compared in constant time.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm.scheme()) {
            (Self::Rsa { modulus: n, exponent: e }, Scheme::Rsa(parameters)) => {
                signature::RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (Self::Point { curve, bytes }, Scheme::Curve(needed)) if *curve == needed => {
                signature::UnparsedPublicKey::new(curve.verification(), bytes).verify(message, signature).is_ok()
            }
            (Self::Secret(bytes), Scheme::Mac(hash)) => {
                hmac::verify(&hmac::Key::new(hash, bytes), message, signature).is_ok()
            }
            (Self::Rsa { .. } | Self::Point { .. } | Self::Secret(_), _) => false,
        }
    }
}
