//! A token as the password: who comes in with it, and when the session ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoop_runtime::oidc::{IssuerConfig, Issuers, KeySource};
use hoopcore::identity::jwt::{GroupsFrom, IssuerSettings};
use hoopcore::{IdentityKind, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tokio::io::AsyncWriteExt as _;

use crate::gate::{Gate, password, says, startup, told};

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap()
}

/// One issuer, whose group `team` is the policy's `staff`.
pub(crate) fn issuers(directory: &Path) -> Issuers {
    let keys = directory.join("keys.json");
    let x = URL_SAFE_NO_PAD.encode(pair().public_key());
    fs::write(&keys, format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#)).unwrap();
    let settings = IssuerSettings {
        groups: Some(GroupsFrom::List("groups".to_owned())),
        group_names: [("team".to_owned(), "staff".to_owned())].into(),
        leeway: Duration::ZERO,
        kind: Some(IdentityKind::Workload),
        ..IssuerSettings::new("ci", "https://ci.example", "hoop")
    };
    Issuers::new(vec![IssuerConfig { settings, keys: KeySource::File(keys) }]).unwrap()
}

fn token(seconds: i64, group: &str) -> String {
    token_with(seconds, group, "")
}

/// A token with more claims, each with a comma before it.
fn token_with(seconds: i64, group: &str, more: &str) -> String {
    let end = Timestamp::now().as_second() + seconds;
    let claims =
        format!(r#"{{"iss":"https://ci.example","aud":"hoop","sub":"job-1","exp":{end},"groups":["{group}"]{more}}}"#);
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"k"}"#), URL_SAFE_NO_PAD.encode(claims));
    let signature = pair().sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn login(user: &str, token: &str) -> Vec<u8> {
    [startup(&format!("user|{user}|database|postgres")), password(token)].concat()
}

#[tokio::test]
async fn a_token_lets_its_caller_in() {
    let gate = Gate::open().await;
    let check = async |user: &str, token: &str, expected: &str| {
        let told = says(&mut gate.tls(0).await, &login(user, token)).await;
        assert!(told.starts_with(expected), "{user}: {told}");
        let told = says(&mut gate.unix().await, &login(user, token)).await;
        assert!(told.starts_with(expected), "{user} on a Unix socket: {told}");
    };
    let good = token(300, "team");
    let wrong = "RE 28P01 password authentication failed for user";
    let closed = "RE 28000 the name, the password or the resource is not right, or not allowed";
    check("job-1", &good, "RRS").await;
    check("whoever", &good, "RRS").await;
    check("ann", &good, "RRS").await;
    check("ann", &token(-1, "team"), wrong).await;
    check("whoever", &token(-1, "team"), wrong).await;
    check("whoever", &good.replace('.', ".."), wrong).await;
    check("whoever", &token(300, "staff"), closed).await;
    check("whoever", &token(300, "ci/staff"), closed).await;

    let records = gate.records();
    assert!(records.contains("EdDSA token of issuer `ci`"), "{records}");
    assert!(records.contains("the token has expired"), "{records}");
    assert!(!records.contains("eyJ"), "no part of a token is recorded: {records}");
}

#[tokio::test]
async fn a_session_is_closed_when_its_token_ends() {
    let gate = Gate::open().await;
    let mut client = gate.tls(0).await;
    client.write_all(&login("job-1", &token(2, "team"))).await.unwrap();
    let told = told(&mut client).await;
    assert!(told.starts_with("RRS"), "{told}");
    assert!(told.ends_with("ZE 57P01 the token that opened this session has ended"), "{told}");
    // The session's end is told before its record is written.
    let begin = std::time::Instant::now();
    while !gate.records().contains(r#""kind":"session_expired""#) {
        assert!(begin.elapsed().as_secs() < 20, "{}", gate.records());
        tokio::task::yield_now().await;
    }
}

/// Claims of a token count in `who` and in `when`: known ones decide, and what a token does not claim is unknown, which no
/// allow takes for granted.
#[tokio::test]
async fn claims_count_in_rules() {
    let gate = Gate::open().await;
    let check = async |group: &str, claims: &str, expected: &str| {
        let token = token_with(300, group, claims);
        let mut bytes = login("job-1", &token);
        for (tag, body) in [(b'Q', &b"select relname from pg_class limit 1\0"[..]), (b'X', b"")] {
            bytes.extend(crate::wire::frame(tag, body));
        }
        let told = says(&mut gate.tls(0).await, &bytes).await;
        let (_, answer) = told.split_once('Z').unwrap_or(("", &told));
        assert!(answer.starts_with(expected), "{claims}: {told}");
    };
    let claims = |change: (&str, &str)| {
        let all =
            r#","ref":"refs/heads/main","run":{"attempt":1,"protected":true},"repository":"acme/shop","actor":"jo""#;
        assert!(all.contains(change.0), "{change:?}");
        all.replacen(change.0, change.1, 1)
    };
    let (closed, refused) = ("RE 28000", "E 42501 refused by rule `default`");
    check("builders", &claims(("", "")), "TDC").await;
    check("builders", &claims(("heads/main", "tags/v1")), "TDC").await;
    check("ci/builders", &claims(("", "")), closed).await;
    check("builders", &claims(("heads/main", "heads/dev")), closed).await;
    check("builders", &claims(("\"attempt\":1", "\"attempt\":2")), closed).await;
    check("builders", &claims(("true", "false")), closed).await;
    check("builders", &claims(("acme/", "evil/")), refused).await;
    check("builders", &claims(("\"jo\"", "\"mallory\"")), refused).await;
    check("builders", &claims((r#""ref":"refs/heads/main","#, "")), refused).await;
    check("builders", &claims((r#""ref":"refs/heads/main""#, r#""ref":["refs/heads/main"]"#)), refused).await;
    check("builders", &claims((r#","actor":"jo""#, "")), refused).await;
}
