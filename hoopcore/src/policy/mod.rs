//! The policy: from text to rules to what decides.
//!
//! A text is read into a tree of nodes with places, the tree into checked rules, and for each caller and resource
//! those rules that may concern them are kept in a [`PolicySession`]. Whatever is wrong with the text is found at
//! once, and nothing that is read is ever ignored: what hoop would not enforce, it refuses to load.

#![cfg_attr(not(feature = "yaml"), allow(dead_code, reason = "a policy is made from text alone, for now"))]

mod expectation;
#[cfg(feature = "yaml")]
pub mod grammar;
pub(crate) mod index;
#[cfg(feature = "yaml")]
mod lint;
mod mention;
pub(crate) mod name_set;
#[cfg(feature = "yaml")]
mod node;
mod pattern;
mod problem;
pub(crate) mod reach;
#[cfg(feature = "yaml")]
mod read;
mod recent;
pub(crate) mod rule;
pub(crate) mod session;
pub(crate) mod shipped;
pub(crate) mod standings;
pub(crate) mod time;
mod words;
#[cfg(feature = "yaml")]
mod yaml;

use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::Timestamp;

pub use expectation::Expectation;
pub use mention::{Mention, Mentioned};
#[cfg(feature = "yaml")]
pub use node::{Node, Place, Value};
pub(crate) use pattern::GlobRef;
pub use pattern::{ColumnPattern, Glob};
pub use problem::{PolicyErrors, Problem, Severity};
#[cfg(feature = "yaml")]
pub use problem::{Problems, nearest};
pub use session::PolicySession;
#[cfg(feature = "yaml")]
pub use yaml::{Malformed, parse};

use crate::command::Digest;
use crate::decision::{Answer, Decision, NearRule, PendingApproval, Verdict};
use crate::identity::{Identity, Verified};
#[cfg(feature = "yaml")]
use crate::mask::Keyring;
use crate::request::Request;
use crate::resource::Resource;
use index::{Classes, Entry, Index};
use rule::Rule;
use standings::{Standings, Standpoint};

/// Rules that were read, checked and compiled. Cheap to clone, shared by all sessions.
#[derive(Clone, Debug)]
pub struct Policy(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    /// In the order of their names.
    rules: Vec<Rule>,
    index: Index,
    expectations: Vec<Expectation>,
    mentions: Vec<Mention>,
    #[cfg(feature = "yaml")]
    warnings: Problems,
    digest: Digest,
}

impl Policy {
    /// The policy that a text holds, or every problem with it.
    ///
    /// ```
    /// use hoopcore::Policy;
    ///
    /// let wrong = "hoop: 1\nrules:\n  - rule: a\n    who: anyone\n    on: db\n    alow: { sql: read }\n";
    /// let errors = Policy::from_yaml(wrong).unwrap_err();
    /// let first = &errors.problems[0];
    /// assert_eq!((first.line, first.column, first.width), (6, 5, 4));
    /// assert_eq!(first.message, "unknown key of a rule `alow`");
    /// assert_eq!(first.label.as_deref(), Some("did you mean `allow`?"));
    /// ```
    ///
    /// # Errors
    /// Where the text is not a policy: all problems at once, each with line, column and help.
    #[cfg(feature = "yaml")]
    pub fn from_yaml(text: &str) -> Result<Self, PolicyErrors> {
        Self::read(&[(None, text)], None)
    }

    /// The one policy that several files are together; each is given by name and text. The order does not matter.
    ///
    /// # Errors
    /// As [`Policy::from_yaml`]; each problem names its file.
    #[cfg(feature = "yaml")]
    pub fn from_files(files: &[(&str, &str)]) -> Result<Self, PolicyErrors> {
        let files: Vec<_> = files.iter().map(|(name, text)| (Some(*name), *text)).collect();
        Self::read(&files, None)
    }

    /// The same, with keys for pseudonyms and shifts. Without a key for its domain such a style does not load; a policy that
    /// was read without a keyring leaves NULL in its place.
    ///
    /// # Errors
    /// As [`Policy::from_files`].
    #[cfg(feature = "yaml")]
    pub fn from_files_with_keys(files: &[(&str, &str)], keys: &Keyring) -> Result<Self, PolicyErrors> {
        let files: Vec<_> = files.iter().map(|(name, text)| (Some(*name), *text)).collect();
        Self::read(&files, Some(keys))
    }

    #[cfg(feature = "yaml")]
    fn read(files: &[(Option<&str>, &str)], keys: Option<&Keyring>) -> Result<Self, PolicyErrors> {
        Ok(Self::compile(read::read(files, keys)?))
    }

    /// The policy that a tree holds, as [`parse`] gives it: for a program that looks at the tree, too. A tree is read
    /// as deep as it is, which [`parse`] bounds.
    ///
    /// # Errors
    /// As [`Policy::from_yaml`].
    #[cfg(feature = "yaml")]
    pub fn from_tree(tree: &Node<'_>) -> Result<Self, PolicyErrors> {
        Ok(Self::compile(read::read_tree(tree)?))
    }

    #[cfg(feature = "yaml")]
    fn compile(document: read::Document) -> Self {
        let read::Document { rules, expectations, mentions, warnings, digest } = document;
        let index = Index::new(&rules);
        Self(Arc::new(Compiled { rules, index, expectations, mentions, warnings, digest }))
    }

    /// SHA-256 over the normalised rules: the same rules in another order have the same digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// What a person should look at, although the policy loads. Rules are compared with each other for it, each time that
    /// it is asked: with ten thousand of them that takes some tenths of a second at most.
    #[cfg(feature = "yaml")]
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        let mut problems = self.0.warnings.clone();
        lint::rules(&self.0.rules, &self.0.index, &mut problems);
        problems.in_order()
    }

    /// A warning for each allow and approve that goes by a caller's name, whoever vouches for it: to be asked where several
    /// issuers are trusted, of which each may give its callers any name.
    #[cfg(feature = "yaml")]
    #[must_use]
    pub fn names_alone(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        lint::names_alone(&self.0.rules, &mut problems);
        problems.in_order()
    }

    /// The tests that the policy brings along (`expect:`), in the order of its files.
    #[must_use]
    pub fn expectations(&self) -> &[Expectation] {
        &self.0.expectations
    }

    /// The groups, resources, databases and labels that rules name, each with its place: what a gateway's file should know.
    #[must_use]
    pub fn mentions(&self) -> &[Mention] {
        &self.0.mentions
    }

    /// Decides one request. It is total: what cannot be decided is blocked.
    pub fn evaluate(&self, request: &Request<'_>) -> Decision {
        let Request { who, on, call } = request;
        let rules = self.standings(who, on, Classes::of_command(call.command));
        crate::decide::decide(Standpoint { policy: self, who, on, rules: &rules, kept: None }, call)
    }

    /// The rules that are close to a request, the closest first: at most one part of each does not surely hold. For people
    /// who ask why; nothing is decided.
    #[must_use]
    pub fn near(&self, request: &Request<'_>) -> Vec<NearRule> {
        let Request { who, on, call } = request;
        let rules = self.standings(who, on, Classes::of_command(call.command));
        crate::decide::near(Standpoint { policy: self, who, on, rules: &rules, kept: None }, call)
    }

    /// The bare answer to one request: to count, to try a policy. Nothing is recorded, so nothing may act on it.
    #[must_use]
    pub fn verdict(&self, request: &Request<'_>) -> Verdict {
        let Request { who, on, call } = request;
        let nobody = Standings::default();
        let point = Standpoint { policy: self, who, on, rules: &nobody, kept: None };
        crate::decide::verdict_as_found(point, call).unwrap_or_else(|| {
            let rules = Standings::gather(self, who, on, Classes::of_command(call.command));
            crate::decide::verdict(Standpoint { rules: &rules, ..point }, call)
        })
    }

    /// The policy for one caller on one resource.
    #[must_use]
    pub fn session(&self, who: &Verified<Identity>, on: &Resource) -> PolicySession {
        PolicySession::new(self, who, on)
    }

    /// What an answer makes of a held command: a decision like any other, to be recorded before it acts.
    ///
    /// The command is judged again, by this policy and at this moment: what is no longer permitted is refused,
    /// whoever agreed.
    pub fn resume(&self, held: PendingApproval, answer: Answer, now: Timestamp) -> Decision {
        crate::decide::resume(self, held, answer, now)
    }

    /// The rules that may concern a caller on a resource and match an effect of these classes, in their order.
    fn standings(&self, who: &Identity, on: &Resource, asked: Classes) -> Standings {
        Standings::gather(self, who, on, asked).in_order()
    }

    /// The rules that may concern a caller on a resource, in the cells of the index.
    pub(crate) fn cells<'a>(&'a self, who: &'a Identity, on: &'a Resource) -> impl Iterator<Item = &'a [Entry]> {
        self.0.index.cells(who, on)
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.0.rules
    }
}
