//! The block `issuers:` of the gateway's file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hoopcore::IdentityKind;
use hoopcore::identity::jwt::{Algorithm, GroupsFrom, IssuerSettings, TokenType};
use jiff::SignedDuration;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::{IssuerConfig, KeySource, KeyUrl};

/// One issuer in the gateway's file, by its short name:
///
/// ```yaml
/// issuers:
///   ci:
///     url: https://token.actions.githubusercontent.com
///     audience: hoop
///     keys: { url: https://token.actions.githubusercontent.com/.well-known/jwks }
///     kind: workload
///     group_from: repository_owner_id          # the group `ci/4711`
///     groups: { "4711": platform }             # … which policies call `platform`
///     require: { repository_owner_id: "4711" } # everybody else's jobs have the same issuer
/// ```
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerBlock {
    /// Exactly what `iss` says.
    url: String,
    /// One of these must be in `aud`.
    audience: OneOrMore,
    /// Whether `aud` may name others too; it may, unless this says no.
    shared_audience: Option<bool>,
    /// Where its keys are.
    keys: Keys,
    /// Algorithms by their names in tokens.
    algorithms: Option<BTreeSet<String>>,
    /// Kinds of token: `jwt`, `at+jwt`; both without this.
    token_types: Option<BTreeSet<String>>,
    /// Whether its callers are persons or programs.
    kind: Option<IdentityKind>,
    /// The path of a claim that lists groups.
    groups_from: Option<String>,
    /// The path of a claim that is the only group.
    group_from: Option<String>,
    /// Plain names by group; the others are `issuer/group`.
    #[serde(default)]
    groups: BTreeMap<String, String>,
    /// Claims by path, and the values that they may have.
    #[serde(default)]
    require: BTreeMap<String, OneOrMore>,
    /// How far the clocks may be apart, as `60s`.
    leeway: Option<String>,
    /// The longest life of a token, as `24h`.
    longest_life: Option<String>,
    /// The longest token in bytes.
    longest_token: Option<usize>,
}

#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    file: Option<PathBuf>,
    url: Option<String>,
    ca: Option<PathBuf>,
}

/// One text or a list of them; numbers and truths count as what is written.
#[derive(Clone, Debug)]
struct OneOrMore(BTreeSet<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Texts).map(Self)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = BTreeSet<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok([text.to_owned()].into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok([number.to_string()].into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok([number.to_string()].into())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
        Ok([truth.to_string()].into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut texts = BTreeSet::new();
        while let Some(OneOrMore(more)) = items.next_element()? {
            texts.extend(more);
        }
        Ok(texts)
    }
}

impl IssuerBlock {
    /// The issuer that the block describes; relative paths start at `folder`.
    ///
    /// # Errors
    /// With every problem of the block, in words.
    pub fn issuer(self, name: &str, folder: &Path) -> Result<IssuerConfig, Vec<String>> {
        let mut problems = Vec::new();
        let keys = noted(self.keys.source(folder), &mut problems);
        let mut settings = IssuerSettings::new(name, self.url, String::new());
        settings.audiences = self.audience.0;
        settings.shared_audience = self.shared_audience.unwrap_or(true);
        settings.kind = self.kind;
        settings.groups = noted(groups(self.groups_from, self.group_from), &mut problems).flatten();
        settings.group_names = self.groups;
        settings.required = self.require.into_iter().map(|(path, values)| (path, values.0)).collect();
        settings.longest_token = self.longest_token.unwrap_or(settings.longest_token);
        set(&mut settings.algorithms, self.algorithms.map(algorithms), &mut problems);
        set(&mut settings.types, self.token_types.map(token_types), &mut problems);
        set(&mut settings.leeway, self.leeway.map(|text| duration(&text)), &mut problems);
        set(&mut settings.longest_life, self.longest_life.map(|text| duration(&text)), &mut problems);
        problems.extend(settings.problems());
        match keys {
            Some(keys) if problems.is_empty() => Ok(IssuerConfig { settings, keys }),
            Some(_) | None => Err(problems),
        }
    }
}

impl Keys {
    fn source(self, folder: &Path) -> Result<KeySource, String> {
        match self {
            Self { file: Some(file), url: None, ca: None } => Ok(KeySource::File(folder.join(file))),
            Self { file: None, url: Some(url), ca } => {
                let url = KeyUrl::parse(&url).map_err(|refused| refused.to_string())?;
                Ok(KeySource::Url(ca.into_iter().fold(url, |url, ca| url.trusting(folder.join(ca)))))
            }
            Self { .. } => Err("`keys` needs either a `file` or a `url`, the latter with a `ca` if need be".into()),
        }
    }
}

fn noted<T>(result: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn set<T>(setting: &mut T, value: Option<Result<T, String>>, problems: &mut Vec<String>) {
    if let Some(value) = value.and_then(|value| noted(value, problems)) {
        *setting = value;
    }
}

fn groups(list: Option<String>, word: Option<String>) -> Result<Option<GroupsFrom>, String> {
    match (list, word) {
        (None, None) => Ok(None),
        (Some(path), None) => Ok(Some(GroupsFrom::List(path))),
        (None, Some(path)) => Ok(Some(GroupsFrom::Word(path))),
        (Some(_), Some(_)) => Err("`groups_from` names a list, `group_from` one group; write one of them".into()),
    }
}

fn algorithms(names: BTreeSet<String>) -> Result<Vec<Algorithm>, String> {
    let known = |name: String| Algorithm::named(&name).ok_or_else(|| format!("unknown algorithm `{name}`"));
    names.into_iter().map(known).collect()
}

fn token_types(names: BTreeSet<String>) -> Result<BTreeSet<TokenType>, String> {
    let known = |name: String| match name.as_str() {
        "jwt" => Ok(TokenType::Plain),
        "at+jwt" => Ok(TokenType::Access),
        _ => Err(format!("unknown token type `{name}`; there are `jwt` and `at+jwt`")),
    };
    names.into_iter().map(known).collect()
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: Option<SignedDuration> = text.parse().ok();
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| format!("`{text}` is no duration; write it as `60s`, `15m` or `24h`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = "url: https://idp.example\naudience: hoop\nkeys: { file: keys.json }\n";

    fn read(more: &str) -> Result<IssuerConfig, Vec<String>> {
        let block: IssuerBlock = serde_saphyr::from_str(&[USUAL, more].concat()).unwrap();
        block.issuer("idp", Path::new("/etc/hoop"))
    }

    #[test]
    fn a_short_block_has_strict_defaults() {
        let IssuerConfig { settings, keys } = read("").unwrap();
        assert_eq!(settings, IssuerSettings::new("idp", "https://idp.example", "hoop"));
        assert_eq!(keys, KeySource::File("/etc/hoop/keys.json".into()));
    }

    #[test]
    fn a_long_block_says_all() {
        let text = r#"
url: https://idp.example
audience: [hoop, hoop-staging]
shared_audience: false
keys: { url: "https://idp.example/jwks", ca: idp.pem }
algorithms: [ES256, EdDSA]
token_types: [at+jwt]
kind: workload
groups_from: realm_access.roles
groups: { platform: dba }
require: { azp: deployer, env: [prod, staging], org: 4711 }
leeway: 30s
longest_life: 1h
longest_token: 8192
"#;
        let block: IssuerBlock = serde_saphyr::from_str(text).unwrap();
        let IssuerConfig { settings, keys } = block.issuer("idp", Path::new("/etc/hoop")).unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(
            settings,
            IssuerSettings {
                name: "idp".into(),
                url: "https://idp.example".into(),
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
                    ("org".to_owned(), words(&["4711"]))
                ]
                .into(),
                leeway: Duration::from_secs(30),
                longest_life: Duration::from_secs(3600),
                longest_token: 8192,
            }
        );
        let url = KeyUrl::parse("https://idp.example/jwks").unwrap().trusting("/etc/hoop/idp.pem".into());
        assert_eq!(keys, KeySource::Url(url));
    }

    #[test]
    fn every_problem_is_told() {
        let check = |more: &str, expected: &str| assert_eq!(read(more).unwrap_err(), [expected], "{more}");
        check("leeway: soon", "`soon` is no duration; write it as `60s`, `15m` or `24h`");
        check("leeway: -5s", "`-5s` is no duration; write it as `60s`, `15m` or `24h`");
        check("leeway: 1h", "its leeway can be five minutes at most");
        check("algorithms: [none]", "unknown algorithm `none`");
        check("algorithms: [HS256, RS256]", "algorithms with a shared secret (HS…) cannot stand beside others");
        check("token_types: [logout+jwt]", "unknown token type `logout+jwt`; there are `jwt` and `at+jwt`");
        check("groups_from: a\ngroup_from: b", "`groups_from` names a list, `group_from` one group; write one of them");
        check("groups: { a: other/dba }", "a plain group name cannot have a `/`");
        check("require: { azp: [] }", "a required claim needs a value");
        check("longest_token: 100000", "its tokens can have 1 to 65535 bytes");
        assert_eq!(read("leeway: soon\nalgorithms: [none]").unwrap_err().len(), 2);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_saphyr::from_str::<IssuerBlock>(&[USUAL, "audiences: x"].concat()).is_err());
        let check = |keys: &str, expected: &str| {
            let text = USUAL.replace("{ file: keys.json }", keys);
            let block: IssuerBlock = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(block.issuer("idp", Path::new("/")).unwrap_err(), [expected], "{keys}");
        };
        let either = "`keys` needs either a `file` or a `url`, the latter with a `ca` if need be";
        check("{}", either);
        check("{ file: a, url: \"https://a.example/\" }", either);
        check("{ file: a, ca: b }", either);
        check("{ url: \"http://idp.example/jwks\" }", "keys come over https; http is for this machine alone");
    }
}
