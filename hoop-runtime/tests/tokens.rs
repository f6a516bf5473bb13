//! A token as the password: who comes in, as whom, and for how long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::task::Poll;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoop_runtime::{Admission, Config, Gateway, Proven, Session};
use hoopcore::{Command, Resource, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tempfile::TempDir;

const POLICY: &str = "
hoop: 1
rules:
  - rule: jobs-read-orders
    who: { group: batch-jobs }
    on: orders-db
    allow: { sql: { read: public.orders } }
";

const GATEWAY: &str = "
policy: policy.yaml
audit: { directory: audit }
identities:
  etl-7: { groups: [batch-jobs], password: { file: secret } }
issuers:
  ci:
    url: https://ci.example
    audience: hoop
    keys: { file: keys.json }
    kind: workload
    groups_from: teams
    groups: { jobs: batch-jobs }
    require: { project: [4711, 4712] }
    leeway: 0s
listeners: [{ protocol: postgres, address: ./pg.sock, resource: orders-db }]
resources:
  orders-db: { kind: postgres, address: db.internal, databases: [shop], credential: { user: app } }
";

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap()
}

fn gateway() -> (TempDir, Gateway) {
    let folder = tempfile::tempdir().unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair().public_key());
    let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#);
    for (name, text) in
        [("policy.yaml", POLICY), ("secret", "opensesame"), ("gateway.yaml", GATEWAY), ("keys.json", &keys)]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let gateway = Gateway::open(Config::read(&folder.path().join("gateway.yaml")).unwrap()).unwrap();
    (folder, gateway)
}

/// A token of the issuer that is good for so many seconds, with further claims.
fn token(subject: &str, seconds: i64, more: &str) -> String {
    token_of("https://ci.example", subject, seconds, more)
}

fn token_of(issuer: &str, subject: &str, seconds: i64, more: &str) -> String {
    let end = Timestamp::now().as_second() + seconds;
    let claims = format!(r#"{{"iss":"{issuer}","aud":"hoop","sub":"{subject}","exp":{end}{more}}}"#);
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"k"}"#), URL_SAFE_NO_PAD.encode(claims));
    let signature = pair().sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

const JOB: &str = r#","project":4711,"teams":["jobs","dba"]"#;

async fn outcome(gateway: &Gateway, user: &str, secret: &str) -> String {
    match gateway.prove(user, secret.as_bytes()).await {
        Ok(Proven { who, .. }) => {
            let groups: Vec<String> = who.groups.iter().flatten().cloned().collect();
            format!("{} in [{}]", who.user, groups.join(", "))
        }
        Err(why) => why,
    }
}

#[tokio::test]
async fn a_password_or_a_token_proves_who_comes_in() {
    let (_folder, gateway) = gateway();
    let check = async |user: &str, secret: &str, expected: &str| {
        assert_eq!(outcome(&gateway, user, secret).await, expected, "{user}");
    };
    let wrong = "the name or the password is wrong";
    let good = token("job-1", 300, JOB);
    check("etl-7", "opensesame", "etl-7 in [batch-jobs]").await;
    check("etl-7", "opensesam", wrong).await;
    // A token speaks for itself, whatever the client calls itself.
    check("etl-7", &good, "job-1 in [batch-jobs, ci/dba]").await;
    check("job-1", &good, "job-1 in [batch-jobs, ci/dba]").await;
    check("runner", &good, "job-1 in [batch-jobs, ci/dba]").await;
    check("runner", "", "the token is not three parts joined by dots").await;
    check("runner", "opensesame", "the token is not three parts joined by dots").await;
    let (signed, _) = good.rsplit_once('.').unwrap();
    check("runner", &format!("{signed}.AAAA"), "the token's signature is wrong").await;
    check("runner", &token("job-1", -1, JOB), "the token has expired").await;
    check("etl-7", &token("job-1", -1, JOB), "the token has expired").await;
    let strange = token_of("https://no.example", "job-1", 300, JOB);
    check("runner", &strange, "the token's issuer (`iss`) is not one that is configured").await;
    check("etl-7", &strange, wrong).await;
    check("runner", &token("job-1", 300, ""), "the claim `project` does not have a value that is required").await;
    check("runner", &token("etl-7", 300, JOB), "the token speaks of a name that is listed with a password").await;
    assert!(gateway.prove("runner", &[0xff, 0xfe]).await.is_err());
}

/// What PostgreSQL keeps of the password `pencil`, but hashed as often as may be.
const VERIFIER: &str = "SCRAM-SHA-256$100000:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/// Whether it is done without waiting for anything.
async fn is_done_at_once(future: impl Future) -> bool {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

#[tokio::test]
async fn passwords_are_hashed_beside_the_sessions_and_tokens_not_at_all() {
    let (folder, _) = gateway();
    fs::write(folder.path().join("secret"), VERIFIER).unwrap();
    fs::write(folder.path().join("gateway.yaml"), GATEWAY.replace("directory: audit", "directory: other")).unwrap();
    let gateway = Gateway::open(Config::read(&folder.path().join("gateway.yaml")).unwrap()).unwrap();
    gateway.load_keys().await;
    for user in ["etl-7", "nobody"] {
        assert!(!is_done_at_once(gateway.prove(user, b"opensesame")).await, "{user}");
        for good in [token("job-1", 300, JOB), token("job-1", -1, JOB)] {
            assert!(is_done_at_once(gateway.prove(user, good.as_bytes())).await, "{user}");
        }
    }
    assert_eq!(outcome(&gateway, "etl-7", "opensesame").await, "the name or the password is wrong");
}

async fn admit(session: &mut Session) -> Admission {
    session.admit(&Command::sql("SELECT id FROM public.orders"), None).await
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let (folder, gateway) = gateway();
    let proven = gateway.prove("runner", token("job-1", 300, JOB).as_bytes()).await.unwrap();
    let ended = Proven { until: Some(Timestamp::now()), ..proven.clone() };
    let login = async |proven: Proven| {
        gateway.login(proven, Resource::postgres("orders-db").with_database("shop"), None).await.unwrap()
    };
    let (mut lasting, mut ending) = (login(proven).await, login(ended).await);
    assert!(lasting.time_left().unwrap() > Duration::from_secs(200));
    assert_eq!(ending.time_left(), Some(Duration::ZERO));
    let Admission::Denied(refused) = admit(&mut ending).await else { panic!("the token has ended") };
    assert_eq!(refused.reason, "the token that opened this session has ended; connect again with a new one");
    assert!(ending.prepare(&Command::sql("SELECT 1")).await.is_some());
    assert!(matches!(admit(&mut lasting).await, Admission::Permitted(_)));
    gateway.trail().flush().await.unwrap();
    let records: String = fs::read_dir(folder.path().join("audit"))
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let ends = records.lines().filter(|record| record.contains(r#""kind":"session_expired""#)).collect::<Vec<_>>();
    assert_eq!(ends.len(), 1, "{records}");
    assert!(ends[0].contains(&format!(r#""session":"{}""#, ending.id())), "{ends:?}");
    assert!(ends[0].contains("the token that opened the session has ended"));
    assert!(!records.contains("login_refused"), "{records}");
    assert!(records.contains("EdDSA token of issuer `ci`, sha256 "));
    assert!(!records.contains(&URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA""#)[..12]), "no part of a token is recorded");
}
