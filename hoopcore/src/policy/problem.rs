//! What is wrong with a policy's text: every problem at once, each with its place.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

#[cfg(feature = "yaml")]
use super::node::Place;

/// Everything that is wrong with a policy's text, at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} problem(s) in the policy", problems.len())]
pub struct PolicyErrors {
    /// Each problem with its place, in the order of the text; warnings too.
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

/// Collects the problems of several files.
#[cfg(feature = "yaml")]
#[derive(Clone, Debug, Default)]
pub struct Problems {
    file: Option<Arc<str>>,
    files: Vec<Arc<str>>,
    list: Vec<(usize, Problem)>,
}

#[cfg(feature = "yaml")]
impl Problems {
    /// Whether the policy is refused already.
    pub(super) fn has_errors(&self) -> bool {
        self.list.iter().any(|(_, problem)| problem.severity == Severity::Error)
    }

    /// How many problems there are so far.
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Puts another text under the mark of the problem that was reported last.
    pub(super) fn label_with(&mut self, label: impl Into<String>) {
        if let Some((_, problem)) = self.list.last_mut() {
            problem.label = Some(label.into());
        }
    }

    /// Gives the problem that was reported last another help.
    pub(super) fn help_with(&mut self, help: impl Into<String>) {
        if let Some((_, problem)) = self.list.last_mut() {
            problem.help = Some(help.into());
        }
    }

    /// What is reported from now on is in this file.
    pub fn enter(&mut self, file: Option<Arc<str>>) {
        self.files.extend(file.clone());
        self.file = file;
    }

    /// The file that is being read.
    pub(super) fn file(&self) -> Option<Arc<str>> {
        self.file.clone()
    }

    /// Reports an error; the reference completes it.
    pub fn error(&mut self, at: Place, message: impl Into<String>) -> &mut Problem {
        self.report(Severity::Error, at, message.into())
    }

    /// Reports a warning.
    pub fn warning(&mut self, at: Place, message: impl Into<String>) -> &mut Problem {
        self.report(Severity::Warning, at, message.into())
    }

    /// Reports a word that is none of those known, with the nearest of them.
    pub fn unknown(&mut self, at: Place, what: &str, word: &str, known: &[&str]) {
        let near = nearest(word, known).or_else(|| meant(word, known));
        let problem = self.error(at, format!("unknown {what} `{}`", shorten(word)));
        problem.label = near.map(|near| format!("did you mean `{near}`?"));
        problem.help = Some(format!("known: {}", known.join(", ")));
    }

    fn report(&mut self, severity: Severity, at: Place, message: String) -> &mut Problem {
        let Place { line, column, width } = at;
        let file = self.file.clone();
        let problem = Problem { severity, message, file, line, column, width: width.max(1), label: None, help: None };
        &mut self.list.push_mut((self.files.len(), problem)).1
    }

    /// The warnings, where nothing is worse; else all problems.
    ///
    /// # Errors
    /// Where one of the problems is an error.
    pub fn finish(self) -> Result<Vec<Problem>, PolicyErrors> {
        let has_errors = self.has_errors();
        let problems = self.in_order();
        if has_errors { Err(PolicyErrors { problems }) } else { Ok(problems) }
    }

    /// All of them, in the order of the files and of their texts.
    pub(super) fn in_order(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|(file, problem)| (*file, problem.line, problem.column));
        self.list.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// Cuts what a message quotes.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_string(),
    }
}

/// The known word that means what was written.
pub(super) fn meant<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let same = SYNONYMS.iter().filter(|(other, _)| other.eq_ignore_ascii_case(word));
    same.filter_map(|(_, ours)| known.iter().find(|known| *known == ours)).next().copied()
}

/// What people write who know other tools, and hoop's word for it.
const SYNONYMS: [(&str, &str); 43] = [
    ("select", "read"),
    ("write", "update"),
    ("exec", "call"),
    ("execute", "call"),
    ("remove", "delete"),
    ("copy", "read"),
    ("revoke", "grant"),
    ("vacuum", "maintain"),
    ("analyze", "maintain"),
    ("merge", "update"),
    ("deny", "block"),
    ("denied", "block"),
    ("refuse", "block"),
    ("forbid", "block"),
    ("permit", "allow"),
    ("accept", "allow"),
    ("name", "rule"),
    ("role", "group"),
    ("team", "group"),
    ("subject", "who"),
    ("principal", "who"),
    ("resource", "on"),
    ("target", "on"),
    ("if", "when"),
    ("condition", "when"),
    ("description", "reason"),
    ("comment", "reason"),
    ("tests", "expect"),
    ("version", "hoop"),
    ("yes", "true"),
    ("no", "false"),
    ("hide", "redact"),
    ("remove", "redact"),
    ("hash", "pseudonym"),
    ("credit_card", "card"),
    ("creditcard", "card"),
    ("apikey", "api_key"),
    ("secret", "password"),
    ("telephone", "phone"),
    ("ip_addr", "ip"),
    ("mail", "email"),
    ("ssn", "us_ssn"),
    ("ip_address", "ip"),
];

/// The known word that is nearest by edit distance, where one is near.
#[cfg(feature = "yaml")]
#[must_use]
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase();
    let far = (word.chars().count() / 3).clamp(1, 3);
    let by_distance = known.iter().map(|known| (distance(&word, &known.to_lowercase()), *known));
    by_distance.filter(|(distance, _)| *distance <= far).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// The edit distance with swapped neighbours counted as one, for words of up to 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            let swap = if swapped { at(&before, j - 1) + 1 } else { usize::MAX };
            let change = at(&above, j) + usize::from(x != y);
            row.push(change.min(at(&above, j + 1) + 1).min(at(&row, j) + 1).min(swap));
        }
        before = core::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}
