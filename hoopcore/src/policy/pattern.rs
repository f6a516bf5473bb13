//! Patterns on names: `*` stands for any run of characters within one part.

use alloc::string::String;
use alloc::vec::Vec;

use crate::name::ColumnName;

/// A pattern on one part of a name, in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    text: String,
    /// Where the first `*` stands.
    star: Option<usize>,
}

impl Glob {
    /// A pattern; every text is one.
    pub fn new(pattern: impl Into<String>) -> Self {
        let text = pattern.into();
        Self { star: text.find('*'), text }
    }

    /// The pattern that matches everything.
    #[must_use]
    pub fn every() -> Self {
        Self::new("*")
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before its first `*`.
    pub(crate) fn beginning(&self) -> &str {
        self.star.and_then(|star| self.text.get(..star)).unwrap_or(&self.text)
    }

    /// Whether it matches everything.
    #[must_use]
    pub fn is_every(&self) -> bool {
        self.star == Some(0) && is_every(&self.text)
    }

    /// Whether it matches one text alone.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.star.is_none()
    }

    /// Whether all that it matches another matches too, as far as their forms tell.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self == other || other.is_every() || (self.is_literal() && other.matches(&self.text))
    }

    /// Whether it matches the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some(star) = self.star else { return self.text == text };
        let (first, rest) = self.text.split_at(star);
        let Some(mut left) = text.strip_prefix(first) else { return false };
        let Some(rest) = rest.get(1..).filter(|rest| !rest.is_empty()) else { return true };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return left.ends_with(part);
            }
            let Some((_, after)) = left.split_once(part) else { return false };
            left = after;
        }
        true
    }
}

/// A pattern on columns: `schema.relation.column`, each part a glob.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnPattern {
    /// The schema's pattern.
    pub schema: Glob,
    /// The relation's pattern.
    pub relation: Glob,
    /// The column's pattern.
    pub column: Glob,
}

impl ColumnPattern {
    /// Whether it matches a column.
    #[must_use]
    pub fn matches(&self, column: &ColumnName) -> bool {
        self.schema.matches(&column.schema)
            && self.relation.matches(&column.relation)
            && self.column.matches(&column.column)
    }
}

impl core::fmt::Display for ColumnPattern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}.{}", self.schema.as_str(), self.relation.as_str(), self.column.as_str())
    }
}

/// Whether a pattern matches everything.
pub(super) fn is_every(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*')
}

/// The parts of a dotted name, each a glob, folded as PostgreSQL folds names: what stands in double quotes keeps
/// its case. `Err` says what is wrong.
pub(super) fn parts(text: &str) -> Result<Vec<Glob>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, after) = part(rest)?;
        parts.push(Glob::new(part));
        match after.strip_prefix('.') {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(parts),
            None => return Err("a quoted part of a name ends at its closing quote"),
        }
    }
}

/// The first part of a dotted name, and what follows it.
fn part(text: &str) -> Result<(String, &str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted_part(quoted);
    }
    let end = text.find('.').unwrap_or(text.len());
    let (part, after) = text.split_at(end);
    if part.is_empty() {
        return Err("a part of the name is empty");
    }
    if part.contains(|c: char| c == '"' || c.is_whitespace() || c.is_control()) {
        return Err("a name with quotes or spaces stands in double quotes of its own: `'\"my table\"'`");
    }
    if part.contains(char::is_alphanumeric) && part.contains(|c| "[](){}/\\?^|+".contains(c)) {
        return Err(
            "`*` is the only wildcard; a name with other signs stands in double quotes of its own: `'\"a/b\"'`",
        );
    }
    Ok((fold(part), after))
}

fn quoted_part(text: &str) -> Result<(String, &str), &'static str> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"').ok_or("the closing quote of the name is missing")?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                part.push('"');
                rest = after;
            }
            None if part.contains('*') => return Err("`*` in a quoted name is not supported"),
            None if part.is_empty() => return Err("a part of the name is empty"),
            None => return Ok((part, after)),
        }
    }
}

/// Folds an unquoted name: ASCII letters in lower case, as a server with a UTF-8 database does.
pub(super) fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}
