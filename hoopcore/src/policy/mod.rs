//! The policy: from text to rules to what decides.

mod pattern;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::Timestamp;
pub use pattern::{ColumnPattern, Glob};

use crate::command::Digest;
use crate::decision::{Answer, Decision, Pending, Verdict};
use crate::identity::{Identity, Verified};
use crate::request::{Call, Request};
use crate::resource::Resource;

/// Rules that were read, checked and compiled. Cheap to clone, shared by all sessions.
#[derive(Clone, Debug)]
pub struct Policy {
    digest: Digest,
}

/// A policy as it concerns one caller on one resource: the same answers, faster.
#[derive(Clone, Debug)]
pub struct PolicySession {
    policy: Policy,
    who: Verified<Identity>,
    on: Resource,
}

/// Everything that is wrong with a policy's text, at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} problem(s) in the policy", problems.len())]
pub struct PolicyErrors {
    /// Each problem with its place, in the order of the text.
    pub problems: Vec<Problem>,
}

/// One problem of a policy's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the policy is refused for it.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The file, where the text came from one.
    pub file: Option<Arc<str>>,
    /// The line, counted from one.
    pub line: u32,
    /// The column in characters, counted from one.
    pub column: u32,
    /// How many characters are marked.
    pub width: u32,
    /// What stands under the mark: often a suggestion.
    pub label: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

/// Whether a problem is fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// The policy loads; a person should look.
    Warning,
}

impl Policy {
    /// The policy that a text holds, or every problem with it.
    ///
    /// # Errors
    /// Where the text is not a policy: all problems at once, each with line, column and help.
    #[cfg(feature = "yaml")]
    pub fn from_yaml(_text: &str) -> Result<Self, PolicyErrors> {
        Ok(Self { digest: [0; 32] })
    }

    /// SHA-256 over the normalised rules: the same rules in another order have the same digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Decides one request. It is total: what cannot be decided is blocked.
    pub fn evaluate(&self, request: &Request<'_>) -> Decision {
        self.session(request.who, request.on).decide(&request.call)
    }

    /// The policy for one caller on one resource.
    #[must_use]
    pub fn session(&self, who: &Verified<Identity>, on: &Resource) -> PolicySession {
        PolicySession { policy: self.clone(), who: who.clone(), on: on.clone() }
    }

    /// What an answer makes of a held command: a decision like any other, to be recorded before it acts.
    pub fn resume(&self, held: Pending, answer: Answer, now: Timestamp) -> Decision {
        crate::decide::resume(self, held, answer, now)
    }
}

impl PolicySession {
    /// The bare answer; allocates nothing.
    #[must_use]
    pub fn verdict(&self, call: &Call<'_>) -> Verdict {
        crate::decide::verdict(self, call)
    }

    /// At Parse: refuses only what no parameters, no time and no grant could permit.
    pub fn prepare(&mut self, call: &Call<'_>) -> Option<Decision> {
        crate::decide::prepare(self, call)
    }

    /// Decides a call.
    pub fn decide(&mut self, call: &Call<'_>) -> Decision {
        crate::decide::decide(self, call)
    }

    /// Patterns of the columns that a mask may hide from this caller: an adapter resolves them in the catalog
    /// and tells what it found in `SessionFacts::exposures`.
    #[must_use]
    pub fn protected_columns(&self) -> Vec<ColumnPattern> {
        Vec::new()
    }

    /// Whether some allow or approve may reach something on the resource: else the caller is not let in at all.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        false
    }
}
