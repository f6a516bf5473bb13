//! Keys and tokens that their issuers made to be recognised: a prefix, then characters of one alphabet.
//!
//! All armed ones are looked for in one pass over the stretches of a text that are long enough to hold any.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::findings::Sink;
use super::text::{Class, Runs, begins_word, ends_word, off_token};
use super::{Detector, Entry, Scan, jwt};

/// The shortest token: four letters and sixteen characters.
const SHORTEST: usize = 20;

/// How many characters of a body tell whether it is a placeholder such as `xxxxxxxx`.
const LOOKED_AT: usize = 32;

/// How many different characters a body has at least.
const VARIETY: u32 = 6;

/// One form of a token.
#[derive(Debug)]
pub(super) struct Token {
    prefix: &'static str,
    /// What follows.
    body: Class,
    /// How many bytes follow at least, and at most.
    lengths: (usize, usize),
}

const fn exactly(prefix: &'static str, body: Class, length: usize) -> Token {
    Token { prefix, body, lengths: (length, length) }
}

const fn at_least(prefix: &'static str, body: Class, length: usize) -> Token {
    Token { prefix, body, lengths: (length, usize::MAX) }
}

const fn entry(word: &'static str, about: &'static str, example: &'static str, tokens: &'static [Token]) -> Entry {
    Entry { word, about, example, shortest: SHORTEST, needs: Class::NONE, digits: 0, scan: Scan::Tokens(tokens) }
}

const UPPER: Class = Class::UPPER.or(Class::DIGIT);

pub(super) static AWS_ACCESS_KEY: Entry = entry(
    "aws_access_key",
    "access key ids of AWS: `AKIA`, `ASIA` and the like, then 16 letters and digits",
    "aws_access_key_id = ASIA7BPWHYMRPPGRUHIN",
    &[exactly("AKIA", UPPER, 16), exactly("ASIA", UPPER, 16), exactly("ABIA", UPPER, 16), exactly("ACCA", UPPER, 16)],
);

pub(super) static GCP_API_KEY: Entry = entry(
    "gcp_api_key",
    "API keys of Google Cloud: `AIza` and 35 characters",
    "key=AIzabPNzFRuwzrJBgU3Wwq-RhTyd_JCg2HgZ1KZ",
    &[exactly("AIza", Class::URL_SAFE, 35)],
);

pub(super) static GITHUB_TOKEN: Entry = entry(
    "github_token",
    "tokens of GitHub: `ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`, `github_pat_`",
    "GITHUB_TOKEN=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",
    &[
        at_least("ghp_", Class::WORD, 36),
        at_least("gho_", Class::WORD, 36),
        at_least("ghu_", Class::WORD, 36),
        at_least("ghs_", Class::WORD, 36),
        at_least("ghr_", Class::WORD, 36),
        at_least("github_pat_", Class::URL_SAFE, 50),
    ],
);

pub(super) static GITLAB_TOKEN: Entry = entry(
    "gitlab_token",
    "tokens of GitLab: `glpat-`, `gldt-`, `glrt-`, `glcbt-`, `glptt-`, `glsoat-`, `glft-`",
    "PRIVATE-TOKEN: glpat-wT6bqX9PzK3mRcL2vYhN",
    &[
        at_least("glpat-", Class::TOKEN, 20),
        at_least("gldt-", Class::TOKEN, 20),
        at_least("glrt-", Class::TOKEN, 20),
        at_least("glcbt-", Class::TOKEN, 20),
        at_least("glptt-", Class::TOKEN, 20),
        at_least("glsoat-", Class::TOKEN, 20),
        at_least("glft-", Class::TOKEN, 20),
    ],
);

pub(super) static SLACK_TOKEN: Entry = entry(
    "slack_token",
    "tokens of Slack: `xoxb-`, `xoxp-`, `xapp-` and the like",
    "token: xoxb-000971311461-881528651632-plpc2XCrvjq22ULEjWDdzSo1",
    &[
        at_least("xoxa-", Class::TOKEN, 20),
        at_least("xoxb-", Class::TOKEN, 20),
        at_least("xoxc-", Class::TOKEN, 20),
        at_least("xoxd-", Class::TOKEN, 20),
        at_least("xoxe-", Class::TOKEN, 20),
        at_least("xoxe.xox", Class::TOKEN, 20),
        at_least("xoxo-", Class::TOKEN, 20),
        at_least("xoxp-", Class::TOKEN, 20),
        at_least("xoxr-", Class::TOKEN, 20),
        at_least("xoxs-", Class::TOKEN, 20),
        at_least("xapp-", Class::TOKEN, 20),
    ],
);

pub(super) static STRIPE_KEY: Entry = entry(
    "stripe_key",
    "secret keys of Stripe: `sk_live_`, `rk_test_` and the like, `whsec_`; not the publishable `pk_`",
    "Stripe key rk_live_jtVBrErjV3NLzAXoX7Sn1MTv",
    &[
        at_least("sk_live_", Class::WORD, 16),
        at_least("sk_test_", Class::WORD, 16),
        at_least("rk_live_", Class::WORD, 16),
        at_least("rk_test_", Class::WORD, 16),
        at_least("whsec_", Class::WORD, 24),
    ],
);

pub(super) static OPENAI_KEY: Entry = entry(
    "openai_key",
    "keys of OpenAI and of services that took over their form: `sk-` and 32 letters and digits or more, `sk-proj-`",
    "OPENAI_API_KEY=sk-proj-Zq3vT8mWbX2kLr9YcN5dHs7PfJ1aGe4U",
    &[
        at_least("sk-", Class::WORD, 32),
        at_least("sk-proj-", Class::URL_SAFE, 20),
        at_least("sk-svcacct-", Class::URL_SAFE, 20),
        at_least("sk-admin-", Class::URL_SAFE, 20),
    ],
);

pub(super) static ANTHROPIC_KEY: Entry = entry(
    "anthropic_key",
    "keys of Anthropic: `sk-ant-` and more",
    "x-api-key: sk-ant-api03-Vj1DiCeo_B2o-NYP3FtqIbcEMRt2Gpo4xnnMO1Lj5G24",
    &[at_least("sk-ant-", Class::URL_SAFE, 20)],
);

pub(super) static NPM_TOKEN: Entry = entry(
    "npm_token",
    "tokens of npm: `npm_` and 36 letters and digits",
    "_authToken=npm_RS6UO5yOn9tjpsKaurmsICSqUOACV3mjVlCb",
    &[exactly("npm_", Class::WORD, 36)],
);

pub(super) static PYPI_TOKEN: Entry = entry(
    "pypi_token",
    "tokens of PyPI: `pypi-AgE` and more",
    "password = pypi-AgEIcHlwaS5vcmcCJDU2NzhlOTAxLTIzNDUtNjc4OS1hYmNkLWVmMDEyMzQ1Njc4OQ",
    &[at_least("pypi-AgE", Class::URL_SAFE, 50)],
);

pub(super) static SENDGRID_KEY: Entry = entry(
    "sendgrid_key",
    "keys of SendGrid: `SG.`, 22 characters, a dot, 43 characters",
    "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",
    &[exactly("SG.", Class::TOKEN, 66)],
);

pub(super) static TWILIO_KEY: Entry = entry(
    "twilio_key",
    "API key ids of Twilio: `SK` and 32 hexadecimal digits",
    "twilio: SK3f9a1c7e5b2d8046a1c3e5f7092b4d6e",
    &[exactly("SK", Class::HEX, 32)],
);

pub(super) static SHOPIFY_TOKEN: Entry = entry(
    "shopify_token",
    "tokens of Shopify: `shpat_`, `shpca_`, `shppa_`, `shpss_` and 32 hexadecimal digits",
    "X-Shopify-Access-Token: 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",
    &[
        exactly("shpat_", Class::HEX, 32),
        exactly("shpca_", Class::HEX, 32),
        exactly("shppa_", Class::HEX, 32),
        exactly("shpss_", Class::HEX, 32),
    ],
);

pub(super) static VAULT_TOKEN: Entry = entry(
    "vault_token",
    "tokens of HashiCorp Vault: `hvs.`, `hvb.`, `hvr.` and 24 characters or more",
    "VAULT_TOKEN=hvs.58RlB-6Xufw3nnJ8EJtyqkSj9Xu_cwkxqhuQNh63",
    &[
        at_least("hvs.", Class::URL_SAFE, 24),
        at_least("hvb.", Class::URL_SAFE, 24),
        at_least("hvr.", Class::URL_SAFE, 24),
    ],
);

pub(super) static DIGITALOCEAN_TOKEN: Entry = entry(
    "digitalocean_token",
    "tokens of DigitalOcean: `dop_v1_`, `doo_v1_`, `dor_v1_` and 64 hexadecimal digits",
    "dop_v1_cd48264f3fe64d82e6928e746393a65543b13e892cd3ad370e41abc742db8f75",
    &[exactly("dop_v1_", Class::HEX, 64), exactly("doo_v1_", Class::HEX, 64), exactly("dor_v1_", Class::HEX, 64)],
);

pub(super) static HUGGINGFACE_TOKEN: Entry = entry(
    "huggingface_token",
    "tokens of Hugging Face: `hf_` and 34 letters and digits, `api_org_`",
    "HF_TOKEN=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",
    &[exactly("hf_", Class::WORD, 34), exactly("api_org_", Class::WORD, 34)],
);

pub(super) static DATABRICKS_TOKEN: Entry = entry(
    "databricks_token",
    "tokens of Databricks: `dapi` and 32 hexadecimal digits",
    "Bearer dapi8b1a0fab4e04f0ce8c4a84d30f401637",
    &[exactly("dapi", Class::HEX, 32)],
);

pub(super) static AGE_KEY: Entry = entry(
    "age_key",
    "secret keys of age: `AGE-SECRET-KEY-1` and 58 letters and digits",
    "AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHC",
    &[exactly("AGE-SECRET-KEY-1", UPPER, 58)],
);

/// The detectors that `api_key` stands for.
const API_KEYS: [Detector; 18] = [
    Detector::AwsAccessKey,
    Detector::GcpApiKey,
    Detector::GithubToken,
    Detector::GitlabToken,
    Detector::SlackToken,
    Detector::StripeKey,
    Detector::OpenaiKey,
    Detector::AnthropicKey,
    Detector::NpmToken,
    Detector::PypiToken,
    Detector::SendgridKey,
    Detector::TwilioKey,
    Detector::ShopifyToken,
    Detector::VaultToken,
    Detector::DigitaloceanToken,
    Detector::HuggingfaceToken,
    Detector::DatabricksToken,
    Detector::AgeKey,
];

pub(super) static API_KEY: Entry = Entry {
    word: "api_key",
    about: "all keys and tokens that a detector of their own knows by their issuer's prefix",
    example: "OPENAI_API_KEY=sk-proj-Zq3vT8mWbX2kLr9YcN5dHs7PfJ1aGe4U",
    shortest: SHORTEST,
    needs: Class::NONE,
    digits: 0,
    scan: Scan::AllTokens,
};

/// The tokens that a policy arms.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    /// Each token with the place of its detector among the armed ones.
    armed: Box<[(&'static Token, usize)]>,
    /// The bytes that some prefix begins with, as a set.
    first: u128,
    /// The places of the detectors of JSON Web Tokens, which are made of the same bytes.
    jwt: Box<[usize]>,
}

impl Tokens {
    /// The tokens of these detectors.
    pub(super) fn of(detectors: impl Iterator<Item = Detector>) -> Self {
        let (mut armed, mut jwt) = (Vec::new(), Vec::new());
        for (by, detector) in detectors.enumerate() {
            match detector.entry().scan {
                Scan::Text(_) | Scan::Forms(_) => {}
                Scan::Jwt => jwt.push(by),
                Scan::Tokens(tokens) => armed.extend(tokens.iter().map(|token| (token, by))),
                Scan::AllTokens => {
                    for part in API_KEYS {
                        if let Scan::Tokens(tokens) = part.entry().scan {
                            armed.extend(tokens.iter().map(|token| (token, by)));
                        }
                    }
                }
            }
        }
        let first = armed.iter().filter_map(|(token, _)| token.prefix.as_bytes().first());
        Self { first: first.fold(0, |all, byte| all | bit(*byte)), armed: armed.into(), jwt: jwt.into() }
    }

    /// Finds every token.
    pub(super) fn scan(&self, text: &[u8], sink: &mut Sink<'_>) {
        if self.armed.is_empty() && self.jwt.is_empty() {
            return;
        }
        for run in Runs::new(text, SHORTEST, Class::TOKEN, off_token) {
            if self.jwt.iter().any(|by| jwt::scan(text, run.clone(), *by, sink).is_none()) {
                return;
            }
            let mut ends = Ends::default();
            for start in run.clone().take(run.len() + 1 - SHORTEST) {
                if self.may_begin(text, start) && self.scan_at(text, start, &mut ends, sink).is_none() {
                    return;
                }
            }
        }
    }

    fn may_begin(&self, text: &[u8], start: usize) -> bool {
        text.get(start).is_some_and(|byte| self.first & bit(*byte) != 0) && begins_word(text, start)
    }

    /// Finds every token that begins at a place.
    fn scan_at(&self, text: &[u8], start: usize, ends: &mut Ends, sink: &mut Sink<'_>) -> Option<()> {
        let rest = text.get(start..).unwrap_or_default();
        for (token, by) in &self.armed {
            if !rest.starts_with(token.prefix.as_bytes()) {
                continue;
            }
            let body = start + token.prefix.len();
            let (end, steps) = ends.end(token.body, text, body);
            sink.spend(1 + steps)?;
            let (least, most) = token.lengths;
            let fits = (least..=most).contains(&(end - body)) && ends_word(text, end);
            if fits && has_variety(text.get(body..end).unwrap_or_default()) {
                sink.found_by(*by, start, end);
            }
        }
        Some(())
    }
}

/// Stretches of bytes of one class that were looked at before: a flood of prefixes reads each byte once.
#[derive(Default)]
struct Ends([(Class, Range<usize>); 5]);

impl Ends {
    /// Where bytes of a class end, looking from a place on; and how many bytes had to be looked at.
    fn end(&mut self, class: Class, text: &[u8], from: usize) -> (usize, usize) {
        let known = self.0.iter().position(|(known, _)| *known == class);
        let place = known.or_else(|| self.0.iter().position(|(known, _)| *known == Class::NONE));
        let Some((known, stretch)) = place.and_then(|place| self.0.get_mut(place)) else {
            let end = class.end(text, from);
            return (end, end - from);
        };
        if *known == class && stretch.contains(&from) {
            return (stretch.end, 0);
        }
        (*known, *stretch) = (class, from..class.end(text, from));
        (stretch.end, stretch.end - from)
    }
}

/// Whether a body is not a placeholder.
fn has_variety(body: &[u8]) -> bool {
    body.iter().take(LOOKED_AT).fold(0, |seen, byte| seen | bit(*byte)).count_ones() >= VARIETY
}

/// A byte of ASCII as a set of one.
fn bit(byte: u8) -> u128 {
    1_u128.checked_shl(u32::from(byte)).unwrap_or(0)
}
