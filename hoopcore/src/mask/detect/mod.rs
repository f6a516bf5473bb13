//! Detectors: kinds of values that are recognised by their form.
//!
//! Each detector has one [`Entry`]: how a policy names it, what it finds, an example, and the scanner itself. A scanner
//! looks at one cell at a time, reports byte offsets, and charges what it does to the cell's budget, so that no cell
//! costs more than a fixed multiple of its length.

mod address;
mod card;
mod email;
mod findings;
mod forms;
mod iban;
mod jwt;
mod luhn;
mod national;
mod password;
mod phone;
mod plain;
mod private_key;
mod scanner;
mod text;
mod tokens;
mod wallet;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

pub(crate) use findings::Spot;
pub(crate) use scanner::{DetectorSet, Scanner};

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
    /// An international bank account number.
    Iban,
    /// A social security number of the USA.
    UsSsn,
    /// A taxpayer number of the USA.
    UsItin,
    /// A routing number of a bank in the USA.
    UsAbaRouting,
    /// A social insurance number of Canada.
    CaSin,
    /// An NHS number of the United Kingdom.
    UkNhs,
    /// A national insurance number of the United Kingdom.
    UkNino,
    /// A CPF number of Brazil.
    BrCpf,
    /// A CNPJ number of Brazil.
    BrCnpj,
    /// A NIF number of Spain.
    EsNif,
    /// A NIE number of Spain.
    EsNie,
    /// A codice fiscale of Italy.
    ItFiscalCode,
    /// A tax id of Germany.
    DeTaxId,
    /// A PESEL number of Poland.
    PlPesel,
    /// An Aadhaar number of India.
    InAadhaar,
    /// A PAN number of India.
    InPan,
    /// An NRIC or FIN number of Singapore.
    SgNric,
    /// A tax file number of Australia.
    AuTfn,
    /// A phone number.
    Phone,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A MAC address.
    Mac,
    /// An address of Bitcoin.
    BtcAddress,
    /// An address of Ethereum.
    EthAddress,
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
    /// A password or secret, by what stands before it.
    Password,
    /// A secret access key of AWS.
    AwsSecretKey,
    /// A key of a storage account of Azure.
    AzureStorageKey,
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
    /// For numbers of fixed forms, in one pass with all other detectors that do.
    Forms(&'static [forms::Form]),
    /// For tokens, in one pass with all other detectors that do.
    Tokens(&'static [tokens::Token]),
    /// For JSON Web Tokens, in the same pass.
    Jwt,
    /// For the tokens of all detectors that look for some.
    AllTokens,
}

impl Detector {
    /// Every detector.
    pub const ALL: [Self; 49] = [
        Self::Email,
        Self::Card,
        Self::Iban,
        Self::UsSsn,
        Self::UsItin,
        Self::UsAbaRouting,
        Self::CaSin,
        Self::UkNhs,
        Self::UkNino,
        Self::BrCpf,
        Self::BrCnpj,
        Self::EsNif,
        Self::EsNie,
        Self::ItFiscalCode,
        Self::DeTaxId,
        Self::PlPesel,
        Self::InAadhaar,
        Self::InPan,
        Self::SgNric,
        Self::AuTfn,
        Self::Phone,
        Self::Ip,
        Self::Mac,
        Self::BtcAddress,
        Self::EthAddress,
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
        Self::Password,
        Self::AwsSecretKey,
        Self::AzureStorageKey,
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
        let mut scanner = Scanner::new(Arc::new(DetectorSet::new(vec![(self, Style::Redact)])));
        scanner.scan(text, Form::Text);
        (!scanner.gave_up()).then(|| scanner.spots().map(|spot| spot.start..spot.end).collect())
    }

    fn entry(self) -> &'static Entry {
        match self {
            Self::Email => &email::ENTRY,
            Self::Card => &card::ENTRY,
            Self::Iban => &iban::ENTRY,
            Self::UsSsn => &national::US_SSN,
            Self::UsItin => &national::US_ITIN,
            Self::UsAbaRouting => &national::US_ABA_ROUTING,
            Self::CaSin => &national::CA_SIN,
            Self::UkNhs => &national::UK_NHS,
            Self::UkNino => &national::UK_NINO,
            Self::BrCpf => &national::BR_CPF,
            Self::BrCnpj => &national::BR_CNPJ,
            Self::EsNif => &national::ES_NIF,
            Self::EsNie => &national::ES_NIE,
            Self::ItFiscalCode => &national::IT_FISCAL_CODE,
            Self::DeTaxId => &national::DE_TAX_ID,
            Self::PlPesel => &national::PL_PESEL,
            Self::InAadhaar => &national::IN_AADHAAR,
            Self::InPan => &national::IN_PAN,
            Self::SgNric => &national::SG_NRIC,
            Self::AuTfn => &national::AU_TFN,
            Self::Phone => &phone::ENTRY,
            Self::Ip => &address::IP,
            Self::Mac => &address::MAC,
            Self::BtcAddress => &wallet::BTC_ADDRESS,
            Self::EthAddress => &wallet::ETH_ADDRESS,
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
            Self::Password => &password::PASSWORD,
            Self::AwsSecretKey => &password::AWS_SECRET_KEY,
            Self::AzureStorageKey => &password::AZURE_STORAGE_KEY,
        }
    }
}
