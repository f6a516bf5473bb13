//! The block `issuers:`: whose tokens let callers in, and what is expected of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hoopcore::identity::jwt::{Algorithm, GroupsFrom, IssuerSettings, KeySet, TokenType};
use hoopcore::policy::Node;
use hoopcore::policy::grammar::Meanings;
use jiff::SignedDuration;

use super::super::grammar;
use super::{Fields, Reader};
use crate::oidc::{IssuerConfig, Issuers, KeySource, KeyUrl};

pub(in crate::config) const ALGORITHMS: &Meanings<Algorithm> = &[
    ("RS256", Algorithm::Rs256, "RSA with SHA-256."),
    ("RS384", Algorithm::Rs384, "RSA with SHA-384."),
    ("RS512", Algorithm::Rs512, "RSA with SHA-512."),
    ("PS256", Algorithm::Ps256, "RSA-PSS with SHA-256."),
    ("PS384", Algorithm::Ps384, "RSA-PSS with SHA-384."),
    ("PS512", Algorithm::Ps512, "RSA-PSS with SHA-512."),
    ("ES256", Algorithm::Es256, "ECDSA on P-256."),
    ("ES384", Algorithm::Es384, "ECDSA on P-384."),
    ("EdDSA", Algorithm::Ed25519, "Ed25519."),
    ("Ed25519", Algorithm::Ed25519, "Ed25519, by its newer name."),
    ("HS256", Algorithm::Hs256, "HMAC with SHA-256: a secret that both sides know."),
    ("HS384", Algorithm::Hs384, "HMAC with SHA-384."),
    ("HS512", Algorithm::Hs512, "HMAC with SHA-512."),
];

pub(in crate::config) const TOKEN_TYPES: &Meanings<TokenType> = &[
    ("jwt", TokenType::Plain, "`JWT`, or none at all."),
    ("at+jwt", TokenType::Access, "An access token as RFC 9068 has it."),
];

impl Reader {
    pub(super) fn issuers(&mut self, node: &Node<'_>) -> Option<Issuers> {
        let entries = self.entries(node, "`issuers`")?;
        let read: Vec<_> = entries.into_iter().map(|(name, key, value)| self.issuer(name, key, value)).collect();
        let configs: Option<Vec<IssuerConfig>> = read.into_iter().collect();
        let issuers = Issuers::new(configs?);
        for problem in issuers.as_ref().err().into_iter().flatten() {
            self.error(node.at, problem, "tokens are told apart by `iss`: one entry for each");
        }
        issuers.ok()
    }

    fn issuer(&mut self, name: &str, key: &Node<'_>, node: &Node<'_>) -> Option<IssuerConfig> {
        let fields = self.fields(node, &grammar::ISSUER)?;
        let keys = fields.get("keys").and_then(|node| self.keys(node));
        let settings = self.issuer_settings(name, &fields);
        let IssuerConfig { settings, keys } = IssuerConfig { settings: settings?, keys: keys? };
        let problems = settings.problems();
        for problem in &problems {
            self.error(
                key.at,
                format!("issuer `{name}` cannot be used: {problem}"),
                "docs/identity.md describes an issuer",
            );
        }
        problems.is_empty().then_some(IssuerConfig { settings, keys })
    }

    fn issuer_settings(&mut self, name: &str, fields: &Fields<'_>) -> Option<IssuerSettings> {
        let url = fields.get("url").and_then(|node| self.text(node, "`url`"));
        let audiences = fields.get("audience").and_then(|node| self.names(node, "an audience"));
        let shared = self.optional(fields, "shared_audience", Self::truth);
        let algorithms = self
            .optional(fields, "algorithms", |reader, node| reader.words::<_, Vec<_>>(node, "algorithm", ALGORITHMS));
        let types = self.optional(fields, "token_types", |reader, node| {
            reader.words::<_, BTreeSet<_>>(node, "token type", TOKEN_TYPES)
        });
        let kind = self.optional(fields, "kind", Self::identity_kind);
        let groups = self.groups_from(fields);
        let group_names = self.optional(fields, "groups", Self::labels);
        let required = self.optional(fields, "require", Self::required_claims);
        let leeway = self.optional(fields, "leeway", Self::duration);
        let life = self.optional(fields, "longest_life", Self::duration);
        let longest = self.optional(fields, "longest_token", Self::bytes);
        let usual = IssuerSettings::new(name, url?, String::new());
        Some(IssuerSettings {
            audiences: audiences?,
            shared_audience: shared?.unwrap_or(usual.shared_audience),
            algorithms: algorithms?.unwrap_or(usual.algorithms),
            types: types?.unwrap_or(usual.types),
            kind: kind?,
            groups: groups?,
            group_names: group_names?.unwrap_or_default(),
            required: required?.unwrap_or_default(),
            leeway: leeway?.unwrap_or(usual.leeway),
            longest_life: life?.unwrap_or(usual.longest_life),
            longest_token: longest?.unwrap_or(usual.longest_token),
            ..usual
        })
    }

    fn keys(&mut self, node: &Node<'_>) -> Option<KeySource> {
        let fields = self.fields(node, &grammar::ISSUER_KEYS)?;
        let file = self.optional(&fields, "file", Self::key_file)?;
        let url = self.optional(&fields, "url", Self::key_url)?;
        let ca = self.optional(&fields, "ca", |reader, node| reader.existing(node, "a certificate"))?;
        match (file, url, ca) {
            (Some(file), None, None) => Some(KeySource::File(file)),
            (None, Some(url), None) => Some(KeySource::Url(url)),
            (None, Some(url), Some(ca)) => Some(KeySource::Url(url.trusting(ca))),
            (Some(_), Some(_), _) | (None, None, _) | (Some(_), None, Some(_)) => {
                let help = "write `{ file: PATH }`, `{ url: URL }` or `{ url: URL, ca: PATH }`";
                self.error(node.at, "keys come either from a file or from a URL", help);
                None
            }
        }
    }

    /// A file that holds keys already: what is wrong with it is told before anybody wants to come in.
    fn key_file(&mut self, node: &Node<'_>) -> Option<PathBuf> {
        let path = self.existing(node, "a key set")?;
        let keys = fs::read_to_string(&path).map_err(|error| error.to_string());
        let keys = keys.and_then(|text| KeySet::from_jwks(&text).map_err(|refused| refused.to_string()));
        if let Err(why) = keys {
            self.error(
                node.at,
                format!("`{}` gives no keys: {why}", path.display()),
                "a key set is a JWKS document: `{ \"keys\": [...] }`",
            );
            return None;
        }
        Some(path)
    }

    fn key_url(&mut self, node: &Node<'_>) -> Option<KeyUrl> {
        let text = self.text(node, "`url`")?;
        let url = KeyUrl::parse(text);
        if let Err(refused) = &url {
            self.error(node.at, format!("`{text}` gives no keys: {refused}"), "name the `jwks_uri` of the issuer");
        }
        url.ok()
    }

    fn groups_from(&mut self, fields: &Fields<'_>) -> Option<Option<GroupsFrom>> {
        let list = self.optional(fields, "groups_from", |reader, node| reader.text(node, "the path of a claim"))?;
        let word = self.optional(fields, "group_from", |reader, node| reader.text(node, "the path of a claim"))?;
        match (list, word) {
            (None, None) => Some(None),
            (Some(path), None) => Some(Some(GroupsFrom::List(path.to_owned()))),
            (None, Some(path)) => Some(Some(GroupsFrom::Word(path.to_owned()))),
            (Some(_), Some(_)) => {
                let help = "`groups_from` names a claim that lists groups, `group_from` one that is a group: take one";
                self.error(fields.at, "an issuer has both `groups_from` and `group_from`", help);
                None
            }
        }
    }

    fn required_claims(&mut self, node: &Node<'_>) -> Option<BTreeMap<String, BTreeSet<String>>> {
        let entries = self.entries(node, "`require`")?;
        let claims: Vec<_> = entries
            .into_iter()
            .map(|(path, _, values)| Some((path.to_owned(), self.names(values, "the value of a claim")?)))
            .collect();
        claims.into_iter().collect()
    }

    fn words<T: Copy, C: FromIterator<T>>(&mut self, node: &Node<'_>, what: &str, words: &Meanings<T>) -> Option<C> {
        let found: Vec<Option<T>> = node.items().iter().map(|item| self.word(item, what, words)).collect();
        found.into_iter().collect()
    }

    pub(super) fn duration(&mut self, node: &Node<'_>) -> Option<Duration> {
        let text = self.text(node, "a duration")?;
        let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
        if duration.is_none() {
            self.error(node.at, format!("`{text}` is no duration"), "write it as `60s`, `15m` or `24h`");
        }
        duration
    }

    fn bytes(&mut self, node: &Node<'_>) -> Option<usize> {
        let text = self.text(node, "a number of bytes")?;
        let bytes = text.parse().ok();
        if bytes.is_none() {
            self.error(node.at, format!("`{text}` is no number of bytes"), "write it as `16384`");
        }
        bytes
    }
}
