//! Makes an identity of a signed token (JWT), strictly: what RFC 7519 leaves open and RFC 8725 warns of is refused.
//!
//! A [`JwtIssuer`] is one issuer that is trusted, with the keys it signs with; [`JwtIssuers`] are all of them. Nothing
//! here fetches keys or reads a clock: both are handed in, and a token can make nobody open a connection.
//!
//! ```
//! use hoopcore::Timestamp;
//! use hoopcore::identity::jwt::{IssuerSettings, JwtIssuer, KeySet, TokenRefused};
//!
//! let keys = KeySet::from_jwks(r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one",
//!     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
//! let issuer = JwtIssuer::new(IssuerSettings::new("ci", "https://ci.example", "hoop"), keys)?;
//! let now: Timestamp = "2026-11-22T09:00:00Z".parse()?;
//! assert_eq!(issuer.verify("not a token", now), Err(TokenRefused::NotCompact));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub use super::algorithm::Algorithm;
use super::claims::{Claims, Paths, is_plain};
pub use super::json::JsonProblem;
pub use super::jwks::{KeyProblem, KeySet, KeySetRefused, LONGEST_KEY_SET, MOST_KEYS};
use super::jws::Jws;
pub use super::refused::{Part, TokenRefused};
use super::{Identity, IdentityKind, Verified};

/// The longest token that any issuer can be allowed, in bytes.
pub const LONGEST_TOKEN: usize = 65_535;

/// Which kind of token an issuer may give (`typ` in the header). Logout tokens, assertions and the like are never taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenType {
    /// `JWT` or nothing: identity tokens, and those of CI systems and of Kubernetes.
    Plain,
    /// `at+jwt`: access tokens (RFC 9068).
    Access,
}

/// Where the groups of a caller stand in its token, by path: names of objects joined by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupsFrom {
    /// A list of texts, each a group.
    List(String),
    /// One text that is the only group, as `repository_owner_id`.
    Word(String),
}

/// What is expected of an issuer's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The short name of the issuer: its groups are `name/group`.
    pub name: String,
    /// Exactly what `iss` says.
    pub url: String,
    /// One of these must be in `aud`, exactly so.
    pub audiences: BTreeSet<String>,
    /// Whether `aud` may name others too. Whoever they are, they can use the token here.
    pub shared_audience: bool,
    /// The signature algorithms that are accepted. Those with a shared secret stand alone.
    pub algorithms: Vec<Algorithm>,
    /// The kinds of token that are accepted.
    pub types: BTreeSet<TokenType>,
    /// Whether its callers are persons or programs, where that is known.
    pub kind: Option<IdentityKind>,
    /// Where the groups stand; without it they are unknown.
    pub groups: Option<GroupsFrom>,
    /// Plain names for groups, by the name in the token.
    pub group_names: BTreeMap<String, String>,
    /// Claims, by path, that must have one of the values. An issuer that serves strangers too, as those of public CI
    /// systems do, needs at least one.
    pub required: BTreeMap<String, BTreeSet<String>>,
    /// How far the two clocks may be apart.
    pub leeway: Duration,
    /// The longest time from `iat` (or `nbf`, or now) to `exp`.
    pub longest_life: Duration,
    /// The longest token, in bytes; at most [`LONGEST_TOKEN`].
    pub longest_token: usize,
}

impl IssuerSettings {
    /// An issuer of that short name and `iss`, whose tokens are meant for `audience`: the usual algorithms, 60 seconds
    /// of leeway, a life of at most a day, tokens of at most 16 KiB, no groups.
    pub fn new(name: impl Into<String>, url: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            audiences: [audience.into()].into(),
            shared_audience: true,
            algorithms: Algorithm::USUAL.to_vec(),
            types: [TokenType::Plain, TokenType::Access].into(),
            kind: None,
            groups: None,
            group_names: BTreeMap::new(),
            required: BTreeMap::new(),
            leeway: Duration::from_secs(60),
            longest_life: Duration::from_secs(24 * 60 * 60),
            longest_token: 16 * 1024,
        }
    }

    /// Everything that is wrong with the settings, in words; nothing where they can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let checks = [
            (is_name(&self.name), "its name must be lower-case letters, digits, `.`, `-` and `_`, at most 63 of them"),
            (is_plain(&self.url), "its URL must be what `iss` says, printable and not empty"),
            (!self.audiences.is_empty(), "it needs an audience; a token for anybody is a token for nobody"),
            (self.audiences.iter().all(|one| is_plain(one)), "an audience must be printable and not empty"),
            (!self.algorithms.is_empty(), "it needs an algorithm"),
            (!self.mixes_secrets(), "algorithms with a shared secret (HS…) cannot stand beside others"),
            (!self.types.is_empty(), "it needs a token type"),
            (self.group_names.values().all(|name| is_plain_group(name)), "a plain group name cannot have a `/`"),
            (self.required.values().all(|values| !values.is_empty()), "a required claim needs a value"),
            (self.leeway <= Duration::from_secs(300), "its leeway can be five minutes at most"),
            (!self.longest_life.is_zero(), "its tokens need a life"),
            (self.longest_life <= Duration::from_secs(366 * 86_400), "its tokens can live a year at most"),
            ((1..=LONGEST_TOKEN).contains(&self.longest_token), "its tokens can have 1 to 65535 bytes"),
        ];
        checks.iter().filter(|(holds, _)| !holds).map(|(_, problem)| (*problem).to_string()).collect()
    }

    fn mixes_secrets(&self) -> bool {
        self.shares_a_secret() && !self.algorithms.iter().all(|algorithm| algorithm.shares_a_secret())
    }

    fn shares_a_secret(&self) -> bool {
        self.algorithms.iter().any(|algorithm| algorithm.shares_a_secret())
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

fn is_plain_group(name: &str) -> bool {
    is_plain(name) && !name.contains('/')
}

/// Why issuers cannot be used: each problem in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerRefused(Vec<String>);

impl IssuerRefused {
    /// The problems, each a phrase of its own.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for IssuerRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl core::error::Error for IssuerRefused {}

/// Who a good token speaks of, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The caller.
    pub identity: Verified<Identity>,
    /// When the token ends, leeway included: what it opened ends with it.
    pub until: Timestamp,
}

/// One issuer that is trusted, and the keys that it signs with.
#[derive(Clone, Debug)]
pub struct JwtIssuer {
    settings: IssuerSettings,
    keys: KeySet,
}

impl JwtIssuer {
    /// An issuer with these settings and keys.
    ///
    /// # Errors
    /// When the settings cannot be used, or the keys are secrets and the algorithms are not (or the other way round).
    pub fn new(settings: IssuerSettings, keys: KeySet) -> Result<Self, IssuerRefused> {
        let mut problems = settings.problems();
        if settings.shares_a_secret() != keys.shares_a_secret() {
            problems.push("its keys do not belong to its algorithms".into());
        }
        if problems.is_empty() { Ok(Self { settings, keys }) } else { Err(IssuerRefused(problems)) }
    }

    /// What is expected of its tokens.
    #[must_use]
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// The same issuer with newer keys.
    ///
    /// # Errors
    /// When the keys do not belong to its algorithms.
    pub fn with_keys(&self, keys: KeySet) -> Result<Self, IssuerRefused> {
        Self::new(self.settings.clone(), keys)
    }

    /// Checks a token: form, issuer, signature, times, audience, and everything that its settings demand.
    ///
    /// # Errors
    /// With the first thing that is wrong. [`TokenRefused::UnknownKey`] may end with newer keys; nothing else will.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Admitted, TokenRefused> {
        let read = Token::parse(token, self.settings.longest_token)?;
        self.check_origin(&read)?;
        self.check_audience(&read.claims)?;
        let until = self.check_times(&read.claims, now.as_second())?;
        let identity = self.identity(&read.claims)?;
        Ok(Admitted { identity: Verified { value: identity, how: self.how(token, &read.jws) }, until })
    }

    /// The issuer is known before its keys are asked, and its signature before anything else is believed.
    fn check_origin(&self, token: &Token<'_>) -> Result<(), TokenRefused> {
        if token.claims.issuer()? != self.settings.url {
            return Err(TokenRefused::Issuer);
        }
        self.check_type(token.jws.header.typ.as_deref())?;
        token.jws.verify(&self.keys, &self.settings.algorithms)
    }

    /// Media types ignore case and may leave out `application/` (RFC 7515 §4.1.9).
    fn check_type(&self, typ: Option<&str>) -> Result<(), TokenRefused> {
        let typ = typ.map(str::to_ascii_lowercase);
        let kind = match typ.as_deref() {
            None | Some("jwt") => TokenType::Plain,
            Some("at+jwt" | "application/at+jwt") => TokenType::Access,
            Some(_) => return Err(TokenRefused::Type),
        };
        if self.settings.types.contains(&kind) { Ok(()) } else { Err(TokenRefused::Type) }
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), TokenRefused> {
        let audience = claims.audience()?;
        let ours = audience.iter().filter(|one| self.settings.audiences.contains(**one)).count();
        let meant_for_us = if self.settings.shared_audience { ours > 0 } else { ours > 0 && ours == audience.len() };
        if meant_for_us { Ok(()) } else { Err(TokenRefused::Audience) }
    }

    /// Gives the time when the token ends, leeway included.
    fn check_times(&self, claims: &Claims, now: i64) -> Result<Timestamp, TokenRefused> {
        let expiry = claims.time("exp")?.ok_or(TokenRefused::Missing("exp"))?;
        let (from, issued) = (claims.time("nbf")?, claims.time("iat")?);
        let leeway = seconds(self.settings.leeway);
        let until = expiry.saturating_add(leeway);
        let begin = issued.or(from).unwrap_or(now);
        let is_later = |time: Option<i64>| time.is_some_and(|time| time > now.saturating_add(leeway));
        if now >= until {
            return Err(TokenRefused::Expired);
        }
        if is_later(from) {
            return Err(TokenRefused::NotYet);
        }
        if is_later(issued) {
            return Err(TokenRefused::IssuedLater);
        }
        if from.max(issued).is_some_and(|begin| begin >= until) {
            return Err(TokenRefused::Backwards);
        }
        if expiry.saturating_sub(begin) > seconds(self.settings.longest_life) {
            return Err(TokenRefused::LivesTooLong);
        }
        Timestamp::from_second(until).map_err(|_| TokenRefused::Claim("exp", "a time before the year 9999"))
    }

    fn identity(&self, claims: &Claims) -> Result<Identity, TokenRefused> {
        if claims.has("cnf") {
            return Err(TokenRefused::BoundToKey);
        }
        let paths = claims.by_path()?;
        self.check_required(&paths)?;
        Ok(Identity {
            user: claims.subject()?.to_string(),
            kind: self.settings.kind,
            issuer: Some(self.settings.url.clone()),
            groups: self.groups(&paths)?,
            claims: paths.comparable(),
            aliases: BTreeSet::new(),
        })
    }

    fn check_required(&self, paths: &Paths<'_>) -> Result<(), TokenRefused> {
        match self.settings.required.iter().find(|(path, values)| !paths.is_one_of(path, values)) {
            Some((path, _)) => Err(TokenRefused::Required(path.clone())),
            None => Ok(()),
        }
    }

    /// `name/group`, or the plain name that the settings give it: no issuer can make up a group of another.
    fn groups(&self, paths: &Paths<'_>) -> Result<Option<BTreeSet<String>>, TokenRefused> {
        let names = match &self.settings.groups {
            None => None,
            Some(GroupsFrom::List(path)) => paths.groups(path)?,
            Some(GroupsFrom::Word(path)) => paths.group(path)?,
        };
        Ok(names.map(|names| names.into_iter().map(|name| self.group(name)).collect()))
    }

    fn group(&self, name: &str) -> String {
        match self.settings.group_names.get(name) {
            Some(plain) => plain.clone(),
            None => format!("{}/{name}", self.settings.name),
        }
    }

    /// Ties every record to the one token, without a part of it that could be used.
    fn how(&self, token: &str, jws: &Jws<'_>) -> String {
        let digest: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} token of issuer `{}`, sha256 {digest}", jws.header.algorithm, self.settings.name)
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// A token whose form is good and of which nothing else is known.
struct Token<'t> {
    jws: Jws<'t>,
    claims: Claims,
}

impl<'t> Token<'t> {
    fn parse(token: &'t str, longest: usize) -> Result<Self, TokenRefused> {
        if token.len() > longest {
            return Err(TokenRefused::TooLong(longest));
        }
        let jws = Jws::parse(token)?;
        let claims = Claims::parse(&jws.payload)?;
        Ok(Self { jws, claims })
    }
}

/// The `iss` that a token claims: to choose whose keys are asked, and for nothing else.
///
/// # Errors
/// When the token has not the form of one.
pub fn claimed_issuer(token: &str) -> Result<String, TokenRefused> {
    Token::parse(token, LONGEST_TOKEN)?.claims.issuer().map(str::to_string)
}

/// All issuers that are trusted.
#[derive(Clone, Debug, Default)]
pub struct JwtIssuers {
    by_url: BTreeMap<String, JwtIssuer>,
}

impl JwtIssuers {
    /// These issuers, told apart by name and by `iss`.
    ///
    /// # Errors
    /// When two of them have the same name or the same URL.
    pub fn new(issuers: impl IntoIterator<Item = JwtIssuer>) -> Result<Self, IssuerRefused> {
        let (mut by_url, mut names, mut problems) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        for issuer in issuers {
            let IssuerSettings { name, url, .. } = issuer.settings.clone();
            if !names.insert(name.clone()) {
                problems.push(format!("two issuers have the name `{name}`"));
            }
            if by_url.insert(url.clone(), issuer).is_some() {
                problems.push(format!("two issuers have the URL `{url}`"));
            }
        }
        if problems.is_empty() { Ok(Self { by_url }) } else { Err(IssuerRefused(problems)) }
    }

    /// The issuer that the token says it is from: whose keys decide, not yet whether it is true.
    ///
    /// # Errors
    /// When the token has not the form of one, or names no issuer of these.
    pub fn of(&self, token: &str) -> Result<&JwtIssuer, TokenRefused> {
        self.by_url.get(&claimed_issuer(token)?).ok_or(TokenRefused::Issuer)
    }

    /// Checks a token with the issuer that it names.
    ///
    /// # Errors
    /// As [`JwtIssuer::verify`], and when it names no issuer of these.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Admitted, TokenRefused> {
        self.of(token)?.verify(token, now)
    }
}
