//! The vectors of C2SP/wycheproof for JSON Web Signatures and Keys, where they are there.

use std::collections::BTreeSet;
use std::fs;

use hoopcore::identity::jwt::{Algorithm, KeySet};
use serde::Deserialize;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/wycheproof");

/// Refused on purpose though labelled valid: 346 and 350 use an algorithm other than the key's own, the keys of 347 and
/// 351 name `ES521`, which does not exist, 372 and 373 have characters in them that base64url does not have. 367 and 370
/// are labelled invalid but are byte for byte the valid 357.
const SIGNATURES_REFUSED_ON_PURPOSE: [u32; 6] = [346, 347, 350, 351, 372, 373];
const SIGNATURES_DEFECTIVE: [u32; 2] = [367, 370];
/// 50 and 67 are encrypted, which nothing here reads.
const ENCRYPTED: [u32; 2] = [50, 67];

#[derive(Deserialize)]
struct Vectors {
    #[serde(rename = "testGroups")]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    public: Option<Value>,
    private: Option<Value>,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    #[serde(rename = "tcId")]
    id: u32,
    result: String,
    #[serde(alias = "jwe")]
    jws: Value,
}

#[test]
fn signatures() {
    check("json_web_signature_test.json", &SIGNATURES_REFUSED_ON_PURPOSE, &SIGNATURES_DEFECTIVE);
}

#[test]
fn keys() {
    check("json_web_key_test.json", &[], &[]);
}

#[test]
fn objects() {
    check("json_web_crypto_test.json", &ENCRYPTED, &[]);
}

/// Only these valid vectors are refused, and only these invalid ones are accepted.
fn check(file: &str, refused_on_purpose: &[u32], defective: &[u32]) {
    let Ok(text) = fs::read_to_string(format!("{FOLDER}/{file}")) else {
        return eprintln!("absent, so not tested: {FOLDER}/{file}");
    };
    let vectors: Vectors = serde_json::from_str(&text).unwrap();
    let (mut refused, mut accepted) = (BTreeSet::new(), BTreeSet::new());
    for group in vectors.groups {
        let keys = key_set(group.public.or(group.private).unwrap());
        for test in group.tests {
            let good = keys.as_ref().is_some_and(|keys| opens(keys, &test.jws));
            match (test.result.as_str(), good) {
                ("valid", false) => refused.insert(test.id),
                ("invalid", true) => accepted.insert(test.id),
                ("valid", true) | ("invalid", false) => false,
                (other, _) => unreachable!("label {other}"),
            };
        }
    }
    assert_eq!(refused, refused_on_purpose.iter().copied().collect(), "{file}: valid and refused");
    assert_eq!(accepted, defective.iter().copied().collect(), "{file}: invalid and accepted");
}

/// A vector has a set of keys or one key.
fn key_set(key: Value) -> Option<KeySet> {
    let set = if key.get("keys").is_some() { key } else { serde_json::json!({ "keys": [key] }) };
    KeySet::from_jwks(&set.to_string()).ok()
}

fn opens(keys: &KeySet, token: &Value) -> bool {
    use Algorithm::{Ed25519, Es256, Es384, Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let all = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, Ed25519, Hs256, Hs384, Hs512];
    let text = token.as_str().map_or_else(|| token.to_string(), Into::into);
    keys.open(&text, &all).is_ok()
}
