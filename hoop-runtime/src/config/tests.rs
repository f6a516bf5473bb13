//! Tests of the configuration: a file that is right, and the messages for files that are wrong.

use std::time::Duration;

use hoopcore::IdentityKind;
use hoopcore::identity::jwt::{Algorithm, GroupsFrom, IssuerSettings, TokenType};
use secrecy::ExposeSecret as _;

use super::*;

/// A folder with what good files name: a policy, a certificate and its key, a secret.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("policy.yaml", "hoop: 1"),
        ("gw.crt", ""),
        ("keys.json", r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#),
        ("gw.key", ""),
        ("etl.secret", "opensesame\n"),
        ("empty.secret", "\n"),
        ("short.secret", "too short\n"),
        (
            "verifier.secret",
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        ),
        ("broken.secret", "SCRAM-SHA-256$4096"),
        ("cancel.key", "0123456789abcdef0123456789abcdef\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(folder: &Path, text: &str) -> Result<Config, ConfigErrors> {
    let path = folder.join("gateway.yaml");
    fs::write(&path, text).unwrap();
    Config::read(&path)
}

const GOOD: &str = r#"
policy: [policy.yaml]
audit: { directory: audit, mode: written }
identities:
  etl-7: { kind: workload, groups: [batch-jobs], password: { file: etl.secret } }
  deployer: { certificate: { cn: deployer, dns: [Deploy.Internal], uri: "spiffe://corp/deploy", email: d@corp.example } }
  both: { password: { file: verifier.secret }, certificate: { cn: both } }
listeners:
  - { protocol: postgres, address: "127.0.0.1:6432", tls: { certificate: gw.crt, key: gw.key, clients: { ca: gw.crt, required: true } }, resource: orders-db }
  - { protocol: postgres, address: run/pg.sock, replication: true, open_to: group }
  - { protocol: postgres, address: "127.0.0.1:6433", plaintext: loopback, login: scram, timeouts: { login: 3s }, limits: { logins: 50, logins_per_address: 5 } }
resources:
  orders-db: { kind: postgres, address: db.internal:5433, databases: [shop], labels: { env: prod }, mode: enforce,
               tls: { verify: ca, ca: gw.crt }, credential: { user: app, password: { env: CARGO_PKG_NAME } } }
  local: { kind: postgres, address: "[::1]", databases: shop, mode: observe, tls: { direct: true }, credential: { user: app, methods: [scram, md5] },
           timeouts: { connect: 5s, keepalive: 2m, idle: 15m, statement: 1h30m } }
cancel: { key: { file: cancel.key }, instance: 1, peers: { 2: "gw-2.internal:6432", 3: run/gw-3.sock } }
approvals: { socket: run/approvals.sock, approvers: { ada: { name: ada@example.com, groups: [dba] }, bob: { identities: [bob@example.com], groups: dba } } }
"#;

#[test]
fn a_good_file_is_read_whole() {
    let folder = folder();
    let config = read(folder.path(), GOOD).unwrap();
    let name = |name| ResourceName::parse(name).unwrap();
    assert_eq!(config.policy, [folder.path().join("policy.yaml")]);
    assert_eq!(config.audit, Audit { directory: folder.path().join("audit"), mode: Mode::Written });
    let modes: Vec<Enforcement> = config.resources.values().map(|target| target.mode).collect();
    assert_eq!(modes, [Enforcement::Observe, Enforcement::Enforce]);
    let etl = config.identities.prove("etl-7", b"opensesame").unwrap();
    assert_eq!((etl.user.as_str(), etl.how()), ("etl-7", "password"));
    assert!(etl.groups.as_ref().unwrap().contains("batch-jobs"));
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:6432");
    assert_eq!(config.listeners[1].address, ListenAddr::Unix(folder.path().join("run/pg.sock")));
    let plaintext: Vec<Plaintext> = config.listeners.iter().map(|listener| listener.plaintext).collect();
    assert_eq!(plaintext, [Plaintext::Refused, Plaintext::Refused, Plaintext::Loopback]);
    let methods = |resource| config.resources[&name(resource)].credential.methods.iter().copied().collect::<Vec<_>>();
    assert_eq!(methods("orders-db"), [Method::Scram]);
    assert_eq!(methods("local"), [Method::Scram, Method::Md5]);
    assert_eq!(config.resources[&name("orders-db")].address.to_string(), "db.internal:5433");
    assert_eq!(config.resources[&name("orders-db")].tls.verify, Verify::Ca);
    assert_eq!(config.resources[&name("local")].address, ServerAddr::Tcp { host: "::1".to_owned(), port: 5432 });
    assert_eq!(config.resources[&name("local")].tls, UpstreamTls { verify: Verify::Full, ca: None, direct: true });
    assert_eq!(config.listeners[0].timeouts, ClientTimeouts::default());
    let replication: Vec<bool> = config.listeners.iter().map(|listener| listener.replication).collect();
    assert_eq!(replication, [false, true, false]);
    let login = Duration::from_secs(3);
    assert_eq!(config.listeners[2].timeouts, ClientTimeouts { login, ..ClientTimeouts::default() });
    assert_eq!(config.listeners[0].limits, ClientLimits { clients: 10_000, logins: 1_000, logins_per_address: 200 });
    let limits = ClientLimits { clients: 10_000, logins: 50, logins_per_address: 5 };
    assert_eq!(config.listeners[2].limits, limits);
    let modes: Vec<u32> = config.listeners.iter().map(|listener| listener.open_to.mode()).collect();
    assert_eq!(modes, [0o600, 0o660, 0o600]);
    assert_eq!(config.resources[&name("orders-db")].timeouts, SessionTimeouts::default());
    let times = SessionTimeouts {
        connect: Duration::from_secs(5),
        keepalive: Duration::from_mins(2),
        idle: Some(Duration::from_mins(15)),
        idle_in_transaction: None,
        statement: Some(Duration::from_mins(90)),
    };
    assert_eq!(config.resources[&name("local")].timeouts, times);
    let clients = config.listeners[0].tls.as_ref().unwrap().clients.clone().unwrap();
    assert_eq!(clients, ClientCertificates { ca: folder.path().join("gw.crt"), required: true });
    let logins: Vec<LoginMethod> = config.listeners.iter().map(|listener| listener.login).collect();
    assert_eq!(logins, [LoginMethod::Password, LoginMethod::Password, LoginMethod::Scram]);
    let names =
        |user| config.identities.find(user).unwrap().certificates.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        names("deployer"),
        ["cn:deployer", "dns:deploy.internal", "uri:spiffe://corp/deploy", "email:d@corp.example"]
    );
    assert!(config.identities.find("deployer").unwrap().password.is_none());
    assert_eq!(names("both"), ["cn:both"]);
    assert!(config.identities.prove("both", b"pencil").is_some());
    let cancel = config.cancel.unwrap();
    assert_eq!((cancel.instance, cancel.key.expose_secret()), (1, "0123456789abcdef0123456789abcdef"));
    assert_eq!(cancel.peers[&2].to_string(), "gw-2.internal:6432");
    assert_eq!(cancel.peers[&3], ServerAddr::Unix(folder.path().join("run/gw-3.sock")));
    let approvals = config.approvals.unwrap();
    assert_eq!(approvals.approvers["ada"].name, "ada@example.com");
    let bob = &approvals.approvers["bob"];
    assert_eq!((bob.name.as_str(), &bob.identities), ("bob", &BTreeSet::from(["bob@example.com".to_owned()])));
}

#[test]
fn an_issuer_is_read_whole() {
    let folder = folder();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let check = |block: &str, expected: IssuerSettings| {
        let config = read(folder.path(), &format!("{GOOD}issuers:\n  idp: {block}\n")).unwrap();
        assert_eq!(config.issuers.settings().collect::<Vec<_>>(), [&expected]);
    };
    let usual = IssuerSettings::new("idp", "https://idp.example", "hoop");
    check("{ url: https://idp.example, audience: hoop, keys: { file: keys.json } }", usual.clone());
    let whole = "{ url: https://idp.example, audience: [hoop, hoop-staging], shared_audience: false,
         keys: { url: https://idp.example/jwks, ca: gw.crt }, algorithms: [ES256, EdDSA], token_types: at+jwt,
         kind: workload, groups_from: realm_access.roles, groups: { platform: dba },
         require: { azp: deployer, env: [prod, staging], org: 4711 }, leeway: 30s, longest_life: 1h, longest_token: 8192 }";
    check(
        whole,
        IssuerSettings {
            audiences: words(&["hoop", "hoop-staging"]),
            shared_audience: false,
            algorithms: vec![Algorithm::Es256, Algorithm::Ed25519],
            types: [TokenType::Access].into(),
            kind: Some(IdentityKind::Workload),
            groups: Some(GroupsFrom::List("realm_access.roles".into())),
            group_names: [("platform".to_owned(), "dba".to_owned())].into(),
            required: [
                ("azp".to_owned(), words(&["deployer"])),
                ("env".to_owned(), words(&["prod", "staging"])),
                ("org".to_owned(), words(&["4711"])),
            ]
            .into(),
            leeway: Duration::from_secs(30),
            longest_life: Duration::from_secs(3600),
            longest_token: 8192,
            ..usual
        },
    );
}

#[test]
fn a_password_proves_one_name_alone() {
    let folder = folder();
    let identities = read(folder.path(), GOOD).unwrap().identities;
    for (user, password) in [
        ("both", "pencil "),
        ("deployer", ""),
        ("etl-7", ""),
        ("etl-7", "opensesam"),
        ("etl-7", "opensesame\n"),
        ("", ""),
        ("nobody", ""),
    ] {
        assert_eq!(identities.prove(user, password.as_bytes()), None, "{user:?} with {password:?}");
    }
}

#[test]
fn places_are_read_without_secrets() {
    let folder = folder();
    let path = folder.path().join("gateway.yaml");
    fs::write(&path, GOOD.replace("CARGO_PKG_NAME", "SURELY_NOT_SET").replace("etl.secret", "gone")).unwrap();
    let places = Places::read(&path).unwrap();
    assert_eq!(places.audit, folder.path().join("audit"));
    assert_eq!(places.approvals, Some(folder.path().join("run/approvals.sock")));
}

#[test]
fn secrets_show_nowhere() {
    let folder = folder();
    let config = read(folder.path(), GOOD).unwrap();
    assert!(!format!("{config:?}").contains("opensesame"));
    assert!(!format!("{config:?}").contains("hoop-runtime"));
    let spread = ["\n      file: x\n      x: opensesame\n    ", "\n      |\n      a\n      opensesame\n   "];
    for password in [
        "opensesame",
        "{ file: etl.secret, x: opensesame }",
        "[opensesame]",
        "{ value: opensesame }",
        "{ env: { a: opensesame } }",
        "'a\n    opensesame'",
        "{ opensesame: x }",
    ] {
        let errors = read(folder.path(), &GOOD.replace("{ file: etl.secret }", password)).unwrap_err();
        assert!(!errors.to_string().contains("opensesame"), "{errors}");
    }
    for password in spread {
        let text = format!("policy: policy.yaml\nidentities:\n  etl-7:\n    oops: 1\n    password: {password}\n");
        let errors = read(folder.path(), &text).unwrap_err();
        assert!(!errors.to_string().contains("opensesame"), "{errors}");
    }
}

/// Each case is a file and, below the line `---`, all that is said about it.
#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let folder = folder();
    let here = format!("{}/", folder.path().display());
    let mut told = String::new();
    for case in include_str!("cases.txt").split_inclusive("\n===\n") {
        let (text, _) = case.split_once("---\n").unwrap();
        let said = read(folder.path(), text).unwrap_err().to_string().replace(&here, "");
        told.push_str(&format!("{text}---\n{said}\n===\n"));
    }
    if std::env::var_os("REWRITE_CASES").is_some() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/cases.txt"), &told).unwrap();
    }
    assert_eq!(told, include_str!("cases.txt"));
}
