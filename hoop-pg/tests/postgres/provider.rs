//! A token of a real OpenID provider is the password of a real client. Where npm cannot give the provider, the test says so.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hoop_runtime::oidc::{IssuerConfig, Issuers, KeySource, KeyUrl};
use hoopcore::identity::jwt::{GroupsFrom, IssuerSettings};
use serde_json::Value;

use crate::gate::{Gate, POLICY};
use crate::logins::{dsn, refused, with_psql};

/// The provider's package, at the version that the test was written for.
const PACKAGE: &str = "oidc-provider@9.13.3";

/// The provider, which ends with its input.
struct Provider {
    process: Child,
    says: Value,
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

impl Provider {
    /// Starts it; `None` where this machine cannot have it.
    fn start() -> Option<Self> {
        let folder = installed()?;
        let script = include_str!("../support/provider.mjs");
        std::fs::write(folder.join("provider.mjs"), script).unwrap();
        let mut command = Command::new("node");
        command.arg("provider.mjs").current_dir(&folder);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let lines = BufReader::new(process.stdout.take()?).lines();
        // It tells of itself in plain words before.
        let line = lines.map_while(Result::ok).find(|line| line.starts_with('{')).expect("the provider does not start");
        Some(Self { process, says: serde_json::from_str(&line).unwrap() })
    }

    fn says(&self, what: &str) -> &str {
        self.says[what].as_str().unwrap_or_else(|| panic!("no {what} in {}", self.says))
    }

    fn issuers(&self) -> Issuers {
        let settings = IssuerSettings {
            groups: Some(GroupsFrom::List("groups".to_owned())),
            group_names: [("team".to_owned(), "staff".to_owned())].into(),
            ..IssuerSettings::new("idp", self.says("issuer"), "hoop")
        };
        let keys = KeySource::Url(KeyUrl::parse(self.says("jwks_uri")).unwrap());
        Issuers::new(vec![IssuerConfig { settings, keys }]).unwrap()
    }
}

/// The folder in which the provider is installed, once for all runs.
fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE);
    if folder.join("node_modules/oidc-provider").is_dir() {
        return Some(folder);
    }
    std::fs::create_dir_all(&folder).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).arg(PACKAGE);
    let done = npm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success()).then_some(folder)
}

#[tokio::test]
async fn a_token_of_a_real_provider_lets_psql_in() {
    let Some(provider) = tokio::task::spawn_blocking(Provider::start).await.unwrap() else {
        return eprintln!("absent, so not tested: `npm install {PACKAGE}` and node");
    };
    let issuers = provider.issuers();
    let gate = Gate::open_with(POLICY, |config| config.issuers = issuers).await;
    let enter = async |token: String| with_psql(dsn(&gate, 0, "user=ci"), &[("PGPASSWORD", token)]).await;
    let token = provider.says("access_token").to_owned();
    assert_eq!(enter(token.clone()).await.as_deref(), Ok("in"));
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    refused(enter(format!("{message}.{other}{}", &signature[1..])).await, "password authentication failed");

    let records = gate.records();
    assert!(records.contains("ES256 token of issuer `idp`"), "{records}");
    assert!(records.contains("\"job-1\""), "{records}");
    // A gateway that has not heard of the issuer.
    let stranger = Gate::open().await;
    let dsn = dsn(&stranger, 0, "user=ci");
    refused(with_psql(dsn, &[("PGPASSWORD", token)]).await, "password authentication failed");
}
