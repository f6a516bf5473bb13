//! Reads the keys that an issuer signs with (RFC 7517), strictly.
//!
//! What is wrong with one key sets that key aside, with the reason: an issuer may publish keys of other kinds and
//! uses. What is wrong with the set as a whole (a secret in it, two keys of one name) refuses the set.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::{Algorithm, Curve, Material};
use super::json::{self, Bounds, Json, JsonProblem, Object};
use super::jws::Jws;
use super::refused::TokenRefused;

/// The longest key set that is read, in bytes.
pub const LONGEST_KEY_SET: usize = 256 * 1024;
/// The most keys in a set.
pub const MOST_KEYS: usize = 100;
/// The longest name of a key, in bytes.
pub(super) const LONGEST_KID: usize = 512;

const BOUNDS: Bounds = Bounds { depth: 8, values: 8192, text: 16 * 1024 };

/// The public keys of an issuer, or the secrets that are shared with it; never both.
///
/// ```
/// use hoopcore::identity::jwt::KeySet;
///
/// let keys = KeySet::from_jwks(r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "sig",
///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// assert!(!keys.shares_a_secret());
/// # Ok::<(), hoopcore::identity::jwt::KeySetRefused>(())
/// ```
#[derive(Clone)]
pub struct KeySet {
    keys: Arc<[Key]>,
}

/// One key of a set, usable or set aside.
pub(super) struct Key {
    kid: Option<String>,
    state: Result<UsableKey, KeyProblem>,
}

struct UsableKey {
    /// The only algorithm it may be used with, where the key says.
    algorithm: Option<Algorithm>,
    material: Material,
}

/// Why a key set is not used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetRefused {
    /// It exceeds [`LONGEST_KEY_SET`].
    #[error("the key set is longer than {LONGEST_KEY_SET} bytes")]
    TooLong,
    /// It could not be read.
    #[error("the key set {0}")]
    Json(#[from] JsonProblem),
    /// It has no list `keys`.
    #[error("the key set has no list `keys`; a JWKS looks like {{\"keys\": [...]}}")]
    NoKeys,
    /// It exceeds [`MOST_KEYS`].
    #[error("the key set has more than {MOST_KEYS} keys")]
    TooManyKeys,
    /// A member of `keys` is not a key.
    #[error("key {0} of the key set is not an object with a `kty`")]
    NotAKey(usize),
    /// Two keys have one name.
    #[error("the key set has two keys with the same `kid`; names must be unique")]
    DuplicateKid,
    /// A private key was published.
    #[error(
        "key {0} of the key set holds a private part; it is no secret any more: replace it, publish public keys only"
    )]
    PrivateKey(usize),
    /// Secrets and public keys stand together.
    #[error("the key set mixes shared secrets with public keys; keep them apart")]
    Mixed,
    /// Not one key can be used.
    #[error("no key of the key set can be used: {0}")]
    NothingUsable(KeyProblem),
}

/// Why one key of a set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// A member has the wrong type, is not canonical base64url, or has the wrong length.
    #[error("a part of the key is missing or malformed")]
    Malformed,
    /// The key type, curve or algorithm is not one that is known here.
    #[error("the key is of a kind that is not supported")]
    Unsupported,
    /// `use` or `key_ops` say that it does not verify signatures.
    #[error("the key is not meant to verify signatures")]
    OtherUse,
    /// `alg` belongs to another type of key.
    #[error("the key's `alg` does not belong to its type")]
    OtherAlgorithm,
    /// RSA outside 2048 to 8192 bits, with an exponent other than 3 and 65537, or an even modulus; a short secret.
    #[error(
        "the key is too weak: RSA needs 2048 to 8192 bits and the exponent 3 or 65537, a secret as many bytes as the hash"
    )]
    Weak,
    /// An RSA modulus of the shape that Infineon's library made (CVE-2017-15361).
    #[error("the key was made by a broken generator (ROCA) and can be factored")]
    Roca,
}

impl KeySet {
    /// Reads a JWKS document.
    ///
    /// # Errors
    /// When the document is not a bounded, unambiguous JWKS, when it holds a private key, mixes secrets with public
    /// keys, names two keys alike, or has no key that can be used.
    pub fn from_jwks(text: &str) -> Result<Self, KeySetRefused> {
        if text.len() > LONGEST_KEY_SET {
            return Err(KeySetRefused::TooLong);
        }
        let document = json::object(text.as_bytes(), BOUNDS)?;
        let Some(Json::List(members)) = document.get("keys") else { return Err(KeySetRefused::NoKeys) };
        if members.len() > MOST_KEYS {
            return Err(KeySetRefused::TooManyKeys);
        }
        let keys: Vec<Key> = members.iter().enumerate().map(|(at, key)| read_key(at, key)).collect::<Result<_, _>>()?;
        Self::checked(keys)
    }

    fn checked(keys: Vec<Key>) -> Result<Self, KeySetRefused> {
        let mut names = BTreeSet::new();
        if !keys.iter().filter_map(|key| key.kid.as_deref()).all(|kid| names.insert(kid)) {
            return Err(KeySetRefused::DuplicateKid);
        }
        let problem = keys.iter().find_map(|key| key.state.as_ref().err()).copied();
        let usable: Vec<bool> = keys.iter().filter_map(Key::shares_a_secret).collect();
        match (usable.first(), problem) {
            (Some(first), _) if usable.iter().any(|other| other != first) => Err(KeySetRefused::Mixed),
            (Some(_), _) => Ok(Self { keys: keys.into() }),
            (None, Some(problem)) => Err(KeySetRefused::NothingUsable(problem)),
            (None, None) => Err(KeySetRefused::NoKeys),
        }
    }

    /// Whether its keys are secrets that both sign and check.
    #[must_use]
    pub fn shares_a_secret(&self) -> bool {
        self.keys.iter().any(|key| key.shares_a_secret() == Some(true))
    }

    /// The keys that are set aside, by name where they have one, with the reason: to be logged.
    pub fn set_aside(&self) -> impl Iterator<Item = (Option<&str>, KeyProblem)> {
        self.keys.iter().filter_map(|key| Some((key.kid.as_deref(), *key.state.as_ref().err()?)))
    }

    /// The payload of a token (JWS, compact form) whose signature is good, whatever the payload says.
    ///
    /// This judges no claim: for an identity use [`JwtIssuer::verify`](super::jwt::JwtIssuer::verify).
    ///
    /// # Errors
    /// When the token is not in canonical form, asks for something that is not supported, or is not signed with one
    /// of the `allowed` algorithms by the key that it names.
    pub fn open(&self, token: &str, allowed: &[Algorithm]) -> Result<Vec<u8>, TokenRefused> {
        let token = Jws::parse(token)?;
        token.verify(self, allowed)?;
        Ok(token.payload)
    }

    /// Checks a signature with the key of that name; without a name, with the only key there is.
    pub(super) fn check(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenRefused> {
        let key = self.named(kid)?.state.as_ref().map_err(|problem| TokenRefused::KeyUnusable(*problem))?;
        if key.algorithm.is_some_and(|only| only != algorithm) || !key.material.fits(algorithm) {
            return Err(TokenRefused::KeyMismatch);
        }
        if !key.material.verifies(algorithm, message, signature) {
            return Err(TokenRefused::Signature);
        }
        Ok(())
    }

    fn named(&self, kid: Option<&str>) -> Result<&Key, TokenRefused> {
        match (kid, &*self.keys) {
            (None, [only]) => Ok(only),
            (None, _) => Err(TokenRefused::KeyNotNamed),
            (Some(kid), keys) => {
                keys.iter().find(|key| key.kid.as_deref() == Some(kid)).ok_or(TokenRefused::UnknownKey)
            }
        }
    }
}

/// Names and states, never material.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.keys.iter().map(|key| (&key.kid, key.state.as_ref().err()))).finish()
    }
}

impl Key {
    /// Whether it is a secret; `None` for one that is set aside.
    fn shares_a_secret(&self) -> Option<bool> {
        self.state.as_ref().ok().map(|key| matches!(key.material, Material::Secret(_)))
    }
}

fn read_key(at: usize, key: &Json) -> Result<Key, KeySetRefused> {
    let Json::Object(members) = key else { return Err(KeySetRefused::NotAKey(at)) };
    let Some(Json::Text(kind)) = members.get("kty") else { return Err(KeySetRefused::NotAKey(at)) };
    // RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2; `priv` is the private part of newer kinds (AKP).
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"].iter().any(|part| members.contains_key(*part)) {
        return Err(KeySetRefused::PrivateKey(at));
    }
    match name_of(members) {
        Ok(kid) => Ok(Key { kid, state: usable(kind, members) }),
        Err(problem) => Ok(Key { kid: None, state: Err(problem) }),
    }
}

fn name_of(members: &Object) -> Result<Option<String>, KeyProblem> {
    match members.get("kid") {
        None => Ok(None),
        Some(Json::Text(kid)) if kid.len() <= LONGEST_KID => Ok(Some(kid.to_string())),
        Some(_) => Err(KeyProblem::Malformed),
    }
}

fn usable(kind: &str, members: &Object) -> Result<UsableKey, KeyProblem> {
    check_purpose(members)?;
    let algorithm = match members.get("alg") {
        None => None,
        Some(Json::Text(name)) => Some(Algorithm::named(name).ok_or(KeyProblem::Unsupported)?),
        Some(_) => return Err(KeyProblem::Malformed),
    };
    let material = match kind {
        "RSA" => rsa(members)?,
        "EC" => curve_point(members)?,
        "OKP" => ed25519(members)?,
        "oct" => Material::Secret(bytes_of(members, "k")?),
        _ => return Err(KeyProblem::Unsupported),
    };
    match algorithm {
        Some(algorithm) if !material.fits(algorithm) => Err(misfit(&material, algorithm)),
        Some(_) | None => Ok(UsableKey { algorithm, material }),
    }
}

fn misfit(material: &Material, algorithm: Algorithm) -> KeyProblem {
    match material {
        Material::Secret(_) if algorithm.shares_a_secret() => KeyProblem::Weak,
        Material::Secret(_) | Material::Rsa { .. } | Material::Point { .. } => KeyProblem::OtherAlgorithm,
    }
}

/// `use` and `key_ops`, where present, must both name the checking of signatures (RFC 7517 §4.2, §4.3).
fn check_purpose(members: &Object) -> Result<(), KeyProblem> {
    match members.get("use") {
        None => {}
        Some(Json::Text(purpose)) if purpose == "sig" => {}
        Some(Json::Text(_)) => return Err(KeyProblem::OtherUse),
        Some(_) => return Err(KeyProblem::Malformed),
    }
    match members.get("key_ops") {
        None => Ok(()),
        Some(Json::List(operations)) if operations.contains(&Json::Text("verify".into())) => Ok(()),
        Some(Json::List(_)) => Err(KeyProblem::OtherUse),
        Some(_) => Err(KeyProblem::Malformed),
    }
}

fn bytes_of(members: &Object, name: &str) -> Result<Vec<u8>, KeyProblem> {
    match members.get(name) {
        Some(Json::Text(text)) => URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyProblem::Malformed),
        Some(_) | None => Err(KeyProblem::Malformed),
    }
}

fn text_of<'m>(members: &'m Object, name: &str) -> Result<&'m str, KeyProblem> {
    match members.get(name) {
        Some(Json::Text(text)) => Ok(text),
        Some(_) | None => Err(KeyProblem::Malformed),
    }
}

fn curve_point(members: &Object) -> Result<Material, KeyProblem> {
    let curve = match text_of(members, "crv")? {
        "P-256" => Curve::P256,
        "P-384" => Curve::P384,
        _ => return Err(KeyProblem::Unsupported),
    };
    let (x, y) = (bytes_of(members, "x")?, bytes_of(members, "y")?);
    // RFC 7518 §6.2.1.2: coordinates have the curve's full width. That the point lies on it is checked with each use.
    if x.len() != curve.width() || y.len() != curve.width() {
        return Err(KeyProblem::Malformed);
    }
    Ok(Material::Point { curve, bytes: [&[0x04], &*x, &*y].concat() })
}

fn ed25519(members: &Object) -> Result<Material, KeyProblem> {
    if text_of(members, "crv")? != "Ed25519" {
        return Err(KeyProblem::Unsupported);
    }
    let bytes = bytes_of(members, "x")?;
    if bytes.len() != Curve::Ed25519.width() {
        return Err(KeyProblem::Malformed);
    }
    Ok(Material::Point { curve: Curve::Ed25519, bytes })
}

fn rsa(members: &Object) -> Result<Material, KeyProblem> {
    let (modulus, exponent) = (bytes_of(members, "n")?, bytes_of(members, "e")?);
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else { return Err(KeyProblem::Malformed) };
    if *first == 0 {
        return Err(KeyProblem::Malformed);
    }
    let bits = modulus.len() * 8 - first.leading_zeros() as usize;
    let exponent_is_usual = matches!(*exponent, [3] | [1, 0, 1]);
    if !(2048..=8192).contains(&bits) || !exponent_is_usual || last % 2 == 0 {
        return Err(KeyProblem::Weak);
    }
    if is_roca(&modulus) {
        return Err(KeyProblem::Roca);
    }
    Ok(Material::Rsa { modulus, exponent })
}

/// Whether the modulus is a power of 65537 modulo each of many small primes: true of every modulus that Infineon's
/// library made, and by chance of less than one in 10²⁰ others (Nemec et al., CCS 2017, §2).
fn is_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
        109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| is_power_of_65537(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

fn is_power_of_65537(value: u32, prime: u32) -> bool {
    let step = 65537 % prime;
    let mut power = 1;
    for _ in 0..prime {
        if power == value {
            return true;
        }
        power = power * step % prime;
    }
    false
}
