//! Detectors: kinds of values that are recognised by their form.
//!
//! Each detector has one [`Entry`]: how a policy names it, what it finds, an example, and the scanner itself. A scanner
//! looks at one cell at a time, reports byte offsets, and charges what it does to the cell's budget, so that no cell
//! costs more than a fixed multiple of its length.

mod card;
mod email;
mod findings;
mod jwt;
mod plain;
mod private_key;
mod scanner;
mod text;
mod tokens;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

pub(crate) use findings::Spot;
pub(crate) use scanner::{Armory, Scanner};

use crate::mask::Style;
use crate::mask::detect::findings::Sink;
use crate::mask::detect::text::Class;
use crate::mask::rewrite::Form;

/// A kind of value that is recognised by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// An e-mail address: a local part, `@` and a dotted domain.
    Email,
    /// A payment card number: an issuer's prefix, the issuer's length, a valid Luhn digit.
    Card,
    /// Any key or token that is known by its issuer's prefix.
    ApiKey,
    /// An access key id of AWS.
    AwsAccessKey,
    /// An API key of Google Cloud.
    GcpApiKey,
    /// A token of GitHub.
    GithubToken,
    /// A token of GitLab.
    GitlabToken,
    /// A token of Slack.
    SlackToken,
    /// A key of Stripe.
    StripeKey,
    /// A key of OpenAI.
    OpenaiKey,
    /// A key of Anthropic.
    AnthropicKey,
    /// A token of npm.
    NpmToken,
    /// A token of PyPI.
    PypiToken,
    /// A key of SendGrid.
    SendgridKey,
    /// A key of Twilio.
    TwilioKey,
    /// A token of Shopify.
    ShopifyToken,
    /// A token of HashiCorp Vault.
    VaultToken,
    /// A token of DigitalOcean.
    DigitaloceanToken,
    /// A token of Hugging Face.
    HuggingfaceToken,
    /// A token of Databricks.
    DatabricksToken,
    /// A key of age.
    AgeKey,
    /// A JSON Web Token.
    Jwt,
    /// A private key in PEM, of OpenSSH or of PGP.
    PrivateKey,
}

/// What a detector found: a range of bytes.
pub type Finding = Range<usize>;

/// What there is to know about a detector.
struct Entry {
    /// Its name in a policy.
    word: &'static str,
    /// What it finds, in a line.
    about: &'static str,
    /// A text with one finding in it.
    example: &'static str,
    /// The length in bytes of the shortest thing that it finds.
    shortest: usize,
    /// Classes of bytes that all it finds has each of.
    needs: Class,
    /// How many digits all it finds has at least.
    digits: usize,
    /// How it looks.
    scan: Scan,
}

/// How a detector looks at a text.
#[derive(Clone, Copy)]
enum Scan {
    /// On its own: finds everything, in any order.
    Text(fn(&[u8], &mut Sink<'_>)),
    /// For tokens, in one pass with all other detectors that do.
    Tokens(&'static [tokens::Token]),
    /// For JSON Web Tokens, in the same pass.
    Jwt,
    /// For the tokens of all detectors that look for some.
    AllTokens,
}

impl Detector {
    /// Every detector.
    pub const ALL: [Self; 23] = [
        Self::Email,
        Self::Card,
        Self::ApiKey,
        Self::AwsAccessKey,
        Self::GcpApiKey,
        Self::GithubToken,
        Self::GitlabToken,
        Self::SlackToken,
        Self::StripeKey,
        Self::OpenaiKey,
        Self::AnthropicKey,
        Self::NpmToken,
        Self::PypiToken,
        Self::SendgridKey,
        Self::TwilioKey,
        Self::ShopifyToken,
        Self::VaultToken,
        Self::DigitaloceanToken,
        Self::HuggingfaceToken,
        Self::DatabricksToken,
        Self::AgeKey,
        Self::Jwt,
        Self::PrivateKey,
    ];

    /// Its name in a policy.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.entry().word
    }

    /// What it finds and what it leaves alone, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        self.entry().about
    }

    /// A text with one finding in it.
    #[must_use]
    pub fn example(self) -> &'static str {
        self.entry().example
    }

    /// Everything it finds in a text: ranges of bytes in ascending order, none overlapping another.
    ///
    /// `None` where the text costs more than the bound on work allows: then a mask hides it as a whole.
    #[must_use]
    pub fn find(self, text: &[u8]) -> Option<Vec<Finding>> {
        let mut scanner = Scanner::new(Arc::new(Armory::new(vec![(self, Style::Redact)])));
        scanner.scan(text, Form::Text);
        (!scanner.gave_up()).then(|| scanner.spots().map(|spot| spot.start..spot.end).collect())
    }

    fn entry(self) -> &'static Entry {
        match self {
            Self::Email => &email::ENTRY,
            Self::Card => &card::ENTRY,
            Self::ApiKey => &tokens::API_KEY,
            Self::AwsAccessKey => &tokens::AWS_ACCESS_KEY,
            Self::GcpApiKey => &tokens::GCP_API_KEY,
            Self::GithubToken => &tokens::GITHUB_TOKEN,
            Self::GitlabToken => &tokens::GITLAB_TOKEN,
            Self::SlackToken => &tokens::SLACK_TOKEN,
            Self::StripeKey => &tokens::STRIPE_KEY,
            Self::OpenaiKey => &tokens::OPENAI_KEY,
            Self::AnthropicKey => &tokens::ANTHROPIC_KEY,
            Self::NpmToken => &tokens::NPM_TOKEN,
            Self::PypiToken => &tokens::PYPI_TOKEN,
            Self::SendgridKey => &tokens::SENDGRID_KEY,
            Self::TwilioKey => &tokens::TWILIO_KEY,
            Self::ShopifyToken => &tokens::SHOPIFY_TOKEN,
            Self::VaultToken => &tokens::VAULT_TOKEN,
            Self::DigitaloceanToken => &tokens::DIGITALOCEAN_TOKEN,
            Self::HuggingfaceToken => &tokens::HUGGINGFACE_TOKEN,
            Self::DatabricksToken => &tokens::DATABRICKS_TOKEN,
            Self::AgeKey => &tokens::AGE_KEY,
            Self::Jwt => &jwt::ENTRY,
            Self::PrivateKey => &private_key::ENTRY,
        }
    }
}
