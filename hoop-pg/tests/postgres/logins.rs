//! How clients show who they are besides a password in clear: SCRAM, bound to the gateway's certificate, and
//! certificates of their own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use hoop_runtime::config::{CertificateName, ClientCertificates, Identities, Known, LoginMethod, Password};
use hoopcore::Identity;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, SanType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::catalog::{connect, database};
use crate::cluster::psql;
use crate::gate::{Gate, POLICY, says, startup};

/// What `psql` says to this connection string, or why it does not come in.
pub(crate) async fn with_psql(dsn: String, environment: &[(&str, String)]) -> Result<String, String> {
    let mut command = Command::new(psql().unwrap());
    command.args(["-XAt", "-c", "select 'in'", &dsn]).envs(environment.iter().map(|(name, value)| (name, value)));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

pub(crate) fn dsn(gate: &Gate, listener: usize, more: &str) -> String {
    let (port, ca) = (gate.tcp(listener).port(), gate.file("ca.pem"));
    format!("host=localhost port={port} dbname=postgres sslmode=verify-full sslrootcert={} {more}", ca.display())
}

pub(crate) fn refused(outcome: Result<String, String>, why: &str) {
    let told = outcome.unwrap_err();
    assert!(told.contains(why), "{told}");
}

async fn scram() -> Gate {
    Gate::open_with(POLICY, |config| {
        config.listeners[0].login = LoginMethod::Scram;
        config.listeners[2].login = LoginMethod::Scram;
    })
    .await
}

#[tokio::test]
async fn scram_is_bound_to_the_certificate_of_the_gateway() {
    let gate = scram().await;
    for binding in ["require", "prefer", "disable"] {
        let dsn = |password: &str| dsn(&gate, 0, &format!("user=ann channel_binding={binding} password='{password}'"));
        assert_eq!(with_psql(dsn("ann\\'s secret"), &[]).await.as_deref(), Ok("in"), "{binding}");
        refused(with_psql(dsn("wrong"), &[]).await, "password authentication failed for user \"ann\"");
    }
    let eve = dsn(&gate, 0, "user=eve channel_binding=require password='eve\\'s secret'");
    refused(with_psql(eve, &[]).await, "the name, the password or the resource is not right");
    let nobody = dsn(&gate, 0, "user=nobody channel_binding=require password=x");
    refused(with_psql(nobody, &[]).await, "password authentication failed for user \"nobody\"");

    let socket = gate.file("gate.sock");
    let (client, connection) = tokio_postgres::Config::new()
        .user("ann")
        .password("ann's secret")
        .dbname("postgres")
        .connect_raw(tokio::net::UnixStream::connect(socket).await.unwrap(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client.simple_query("SELECT 1").await.unwrap();
    drop(client);

    let records = gate.records();
    assert!(records.contains("password by SCRAM-SHA-256-PLUS"), "{records}");
    assert!(records.contains("password by SCRAM-SHA-256\""), "{records}");
    assert!(records.contains("the name or the password is wrong"), "{records}");
    assert!(!records.contains("secret"), "{records}");
}

#[tokio::test]
async fn a_verifier_serves_in_place_of_the_password() {
    let verifier = postgres_protocol::password::scram_sha_256(b"ann's secret");
    let gate = Gate::open_with(POLICY, |config| {
        config.listeners[0].login = LoginMethod::Scram;
        let known = Known {
            identity: Identity::named("ann").with_groups(["staff"]),
            password: Some(Password::new(verifier.into()).unwrap()),
            certificates: BTreeSet::new(),
        };
        config.identities = Identities::from_iter([known]);
    })
    .await;
    // By SCRAM on one listener, in clear on another.
    for (listener, resource) in [(0, "postgres"), (3, "db/postgres")] {
        let dsn = |password: &str| dsn(&gate, listener, &format!("user=ann dbname={resource} password='{password}'"));
        assert_eq!(with_psql(dsn("ann\\'s secret"), &[]).await.as_deref(), Ok("in"));
        refused(with_psql(dsn("wrong"), &[]).await, "password authentication failed");
    }
}

/// The mechanisms, salt and count that somebody is asked for who calls itself so.
async fn asked(gate: &Gate, user: &str) -> (Vec<u8>, String) {
    let mut stream = gate.unix().await;
    stream.write_all(&startup(&format!("user|{user}|database|postgres"))).await.unwrap();
    let offer = message(&mut stream).await;
    let body = [b"SCRAM-SHA-256\0", &8u32.to_be_bytes()[..], b"n,,n=,r=abc"].concat();
    let body = [&body[..14], &11u32.to_be_bytes(), &body[18..]].concat();
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    stream.write_all(&[b"p", &length[..], &body].concat()).await.unwrap();
    let answer = String::from_utf8(message(&mut stream).await[4..].to_vec()).unwrap();
    (offer, answer.split_once(",s=").unwrap().1.to_owned())
}

async fn message(stream: &mut tokio::net::UnixStream) -> Vec<u8> {
    assert_eq!(stream.read_u8().await.unwrap(), b'R');
    let mut body = vec![0; stream.read_u32().await.unwrap() as usize - 4];
    stream.read_exact(&mut body).await.unwrap();
    body
}

#[tokio::test]
async fn nobody_is_asked_like_everybody() {
    let gate = scram().await;
    let (ann, nobody) = (asked(&gate, "ann").await, asked(&gate, "nobody").await);
    assert_eq!(ann.0, b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    assert_eq!(ann.0, nobody.0);
    assert_eq!(ann.1.len(), nobody.1.len());
    assert_eq!(ann, asked(&gate, "ann").await);
    assert_eq!(nobody, asked(&gate, "nobody").await);
    assert_ne!(nobody.1, asked(&gate, "no-one").await.1);
    // After another start with the same keys nobody and everybody are asked as before, a caller with a verifier like the others.
    let (folder, often) = (gate.file(""), "SCRAM-SHA-256$5000:");
    let verifier =
        postgres_protocol::password::scram_sha_256(b"ann's secret").replacen("SCRAM-SHA-256$4096:", often, 1);
    let again = async |password: &str| {
        Gate::open_with(POLICY, |config| {
            config.listeners[2].login = LoginMethod::Scram;
            for listener in &mut config.listeners {
                listener.tls.iter_mut().for_each(|tls| tls.key = folder.join("server.key"));
                listener.tls.iter_mut().for_each(|tls| tls.certificate = folder.join("server.crt"));
            }
            let bob = Known {
                identity: Identity::named("bob"),
                password: Some(Password::new(password.to_owned().into()).unwrap()),
                certificates: BTreeSet::new(),
            };
            let others = config.identities.iter().cloned().collect::<Vec<_>>();
            config.identities = others.into_iter().chain([bob]).collect();
        })
        .await
    };
    let second = again("bob's secret").await;
    assert_eq!((&ann, &nobody), (&asked(&second, "ann").await, &asked(&second, "nobody").await));
    let third = again(&verifier).await;
    for user in ["ann", "bob", "nobody"] {
        assert!(asked(&third, user).await.1.ends_with(",i=5000"), "{user}");
    }
}

#[tokio::test]
async fn what_is_no_scram_login() {
    let gate = scram().await;
    let check = async |message: &[u8], expected: &str| {
        let bytes = [&startup("user|ann|database|postgres"), message].concat();
        assert_eq!(says(&mut gate.unix().await, &bytes).await, expected, "{}", message.escape_ascii());
    };
    let unexpected = "RE 08P01 a SASL response is expected";
    check(b"p\0\0\0\x0bsecret\0", unexpected).await;
    check(b"Q\0\0\0\x0dSELECT 1\0", unexpected).await;
    check(b"p\0\0\0\x16SCRAM-SHA-256\0\xff\xff\xff\xff", unexpected).await;
    check(b"p\0\0\0\x16SCRAM-SHA-256\0\0\0\0\x09", unexpected).await;
    check(b"p\0\0\0\x18SCRAM-SHA-256\0\0\0\0\x01nn", unexpected).await;
    let other = "RE 08P01 malformed SCRAM message: the mechanism was not offered";
    check(b"p\0\0\0\x1bSCRAM-SHA-256-PLUS\0\0\0\0\0", "RE 08P01 malformed SCRAM message: there is no header").await;
    check(b"p\0\0\0\x1aEXTERNAL\0\0\0\0\x0bn,,n=,r=abc", unexpected).await;
    check(b"p\0\0\0\x1cEXTERNAL\0\0\0\0\x0bn,,n=,r=abc", other).await;
    check(b"p\xff\xff\xff\xff", "R").await;
    check(b"p\0\0\x08\0", "R").await;
}

/// An authority for clients, and certificates that it signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(folder: &Path, file: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, file);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join(file), authority.pem()).unwrap();
        Self(authority)
    }

    /// What tells `psql` to show a certificate with these names.
    fn client(&self, folder: &Path, common: &str, uri: Option<&str>) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = uri.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let (cert, secret) = (folder.join(format!("{common}.crt")), folder.join(format!("{common}.key")));
        fs::write(&cert, certificate.pem()).unwrap();
        crate::cluster::write_private(&secret, &key.serialize_pem()).unwrap();
        format!("sslcert={} sslkey={}", cert.display(), secret.display())
    }
}

#[tokio::test]
async fn a_certificate_lets_its_caller_in() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (ours, others) = (Authority::new(folder, "clients.pem"), Authority::new(folder, "others.pem"));
    let gate = Gate::open_with(POLICY, |config| {
        for (listener, required) in [(0, false), (3, true)] {
            let clients = ClientCertificates { ca: folder.join("clients.pem"), required };
            config.listeners[listener].tls.as_mut().unwrap().clients = Some(clients);
        }
        let known = |user: &str, group: &str, names: &[CertificateName]| Known {
            identity: Identity::named(user).with_groups([group]),
            password: Some(Password::new("a secret".to_owned().into()).unwrap()),
            certificates: names.iter().cloned().collect(),
        };
        let (cn, uri) = (CertificateName::Common("ann.corp".into()), CertificateName::Uri("spiffe://corp/job".into()));
        let shared = CertificateName::Common("shared".into());
        config.identities = Identities::from_iter([
            known("ann", "staff", &[cn, shared.clone()]),
            known("job", "staff", &[uri]),
            known("eve", "visitors", &[shared]),
        ]);
    })
    .await;
    let enter = async |listener: usize, user: &str, certificate: &str| {
        let database = if listener == 3 { "db/postgres" } else { "postgres" };
        let dsn = dsn(&gate, listener, &format!("user={user} dbname={database} {certificate}"));
        with_psql(dsn, &[("PGPASSWORD", "wrong".into()), ("HOME", folder.display().to_string())]).await
    };
    let certified = ours.client(folder, "ann.corp", None);
    let job = ours.client(folder, "any", Some("spiffe://corp/job"));
    for listener in [0, 3] {
        // Whatever it calls itself: its certificate says who it is.
        assert_eq!(enter(listener, "ann", &certified).await.as_deref(), Ok("in"));
        assert_eq!(enter(listener, "whoever", &certified).await.as_deref(), Ok("in"));
        assert_eq!(enter(listener, "whoever", &job).await.as_deref(), Ok("in"));
    }
    // One that speaks of several lets the one in that it names, with what that one may do.
    let shared = ours.client(folder, "shared", None);
    assert_eq!(enter(0, "ann", &shared).await.as_deref(), Ok("in"));
    refused(enter(0, "eve", &shared).await, "the name, the password or the resource is not right");
    refused(enter(0, "job", &shared).await, "password authentication failed");

    // Names that stand for nobody, or none: a password, where that is enough.
    let stranger = ours.client(folder, "stranger", Some("spiffe://corp/other"));
    for listener in [0, 3] {
        refused(enter(listener, "ann", &stranger).await, "password authentication failed");
    }
    refused(enter(0, "ann", "").await, "password authentication failed");
    refused(enter(3, "ann", "").await, "certificate required");
    // Another authority's.
    let forged = others.client(folder, "ann.corp", None);
    for listener in [0, 3] {
        let told = enter(listener, "ann", &forged).await.unwrap_err();
        assert!(told.contains("unknown ca") || told.contains("closed the connection"), "{told}");
    }
    let records = gate.records();
    assert!(records.contains("client certificate cn:ann.corp"), "{records}");
    assert!(records.contains("client certificate uri:spiffe://corp/job"), "{records}");
}

async fn version() -> i32 {
    let row = connect("postgres").await.query_one("SHOW server_version_num", &[]).await.unwrap();
    row.get::<_, String>(0).parse().unwrap()
}

/// Since PostgreSQL 17 a trigger may run before the first command, and changes what was reported before.
#[tokio::test]
async fn what_a_trigger_on_logins_sets_is_what_counts() {
    if version().await < 170_000 {
        return;
    }
    let reported = database("reported_late", "").await;
    let gate = Gate::open_with(POLICY, |config| {
        config.resources.values_mut().for_each(|target| target.databases = vec!["reported_late".into()]);
    })
    .await;
    let dsn = dsn(&gate, 0, "user=ann password='ann\\'s secret' dbname=reported_late");
    let check = async |setting: &str, value: &str, expected: Result<&str, &str>| {
        let trigger = format!(
            "CREATE OR REPLACE FUNCTION late() RETURNS event_trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM set_config('{setting}', '{value}', false); END $$;
             DROP EVENT TRIGGER IF EXISTS late;
             CREATE EVENT TRIGGER late ON login EXECUTE FUNCTION late();"
        );
        reported.batch_execute(&trigger).await.unwrap();
        let outcome = with_psql(dsn.clone(), &[]).await;
        match expected {
            Ok(told) => assert_eq!(outcome.as_deref(), Ok(told), "{setting}"),
            Err(why) => refused(outcome, why),
        }
    };
    check("work_mem", "8MB", Ok("in")).await;
    check("client_encoding", "LATIN1", Ok("in")).await;
    check("standard_conforming_strings", "off", Err("the server behind the gateway cannot be used")).await;
}

#[tokio::test]
async fn tls_to_the_server_without_asking() {
    let gate = Gate::open_with(POLICY, |config| {
        config.resources.values_mut().for_each(|target| target.tls.direct = true);
    })
    .await;
    let outcome = with_psql(dsn(&gate, 0, "user=ann password='ann\\'s secret'"), &[]).await;
    if version().await >= 170_000 {
        assert_eq!(outcome.as_deref(), Ok("in"));
    } else {
        refused(outcome, "the server behind the gateway cannot be reached");
    }
}
