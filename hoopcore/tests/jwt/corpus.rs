//! The tokens of the corpus: accepted, refused or either, as labelled.

use std::fs;

use hoopcore::identity::jwt::{IssuerSettings, JwtIssuer, KeySet};
use serde::Deserialize;

use crate::minted::now;

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpora");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora");

#[derive(Deserialize)]
struct Case {
    id: String,
    input: String,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    verdict: String,
    reason: String,
}

#[derive(Deserialize)]
struct Setting {
    now: i64,
    issuer: String,
    audience: String,
    jwks: serde_json::Value,
}

#[test]
fn tokens_of_our_own_are_treated_as_labelled() {
    replay(OWN);
}

#[test]
fn tokens_of_the_shared_corpus_are_treated_as_labelled() {
    if fs::exists(format!("{SHARED}/jwt.jsonl")).unwrap() {
        replay(SHARED);
    } else {
        eprintln!("absent, so not tested: {SHARED}/jwt.jsonl");
    }
}

fn replay(folder: &str) {
    let setting: Setting =
        serde_json::from_str(&fs::read_to_string(format!("{folder}/jwt_keys.json")).unwrap()).unwrap();
    let mut settings = IssuerSettings::new("idp", setting.issuer, setting.audience);
    settings.groups = Some(hoopcore::identity::jwt::GroupsFrom::List("groups".into()));
    let issuer = JwtIssuer::new(settings, KeySet::from_jwks(&setting.jwks.to_string()).unwrap()).unwrap();
    assert_eq!(setting.now, now().as_second());
    let mut wrong = Vec::new();
    for line in fs::read_to_string(format!("{folder}/jwt.jsonl")).unwrap().lines() {
        let Case { id, input, expected } = serde_json::from_str(line).unwrap();
        let outcome = issuer.verify(&input, now());
        let fits = match expected.verdict.as_str() {
            "accept" => outcome.is_ok(),
            "reject" => outcome.is_err(),
            "either" => true,
            other => unreachable!("{id}: label {other}"),
        };
        if !fits {
            wrong.push(format!("{id} {}: {outcome:?}", expected.reason));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_keys_that_cannot_be_used_are_told() {
    let setting: Setting = serde_json::from_str(&fs::read_to_string(format!("{OWN}/jwt_keys.json")).unwrap()).unwrap();
    let keys = KeySet::from_jwks(&setting.jwks.to_string()).unwrap();
    let aside: Vec<String> = keys.set_aside().map(|(kid, why)| format!("{}: {why}", kid.unwrap())).collect();
    assert_eq!(
        aside,
        [
            "enc1: the key is not meant to verify signatures",
            "weak1: the key is too weak: RSA needs 2048 to 8192 bits and the exponent 3 or 65537, a secret as many bytes as the hash",
        ]
    );
}
