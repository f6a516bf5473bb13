//! Patterns on names: `*` stands for any run of characters within one part.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::name::ColumnName;

/// A pattern on one part of a name, in which `*` stands for any run of characters. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    text: Arc<str>,
    /// How many bytes stand before the first `*`.
    head: usize,
}

/// A pattern that is a part of another text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GlobRef<'p> {
    text: &'p str,
    head: usize,
}

impl Glob {
    /// A pattern; every text is one.
    pub fn new(pattern: impl Into<Arc<str>>) -> Self {
        let text = pattern.into();
        Self { head: head(&text), text }
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

    /// The same, as a part of a text is one.
    pub(crate) fn as_ref(&self) -> GlobRef<'_> {
        GlobRef { text: &self.text, head: self.head }
    }

    /// What stands before its first `*`.
    pub(crate) fn beginning(&self) -> &str {
        self.text.get(..self.head).unwrap_or_default()
    }

    /// Whether it matches everything.
    #[must_use]
    pub fn is_every(&self) -> bool {
        self.as_ref().is_every()
    }

    /// Whether it matches one text alone.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.as_ref().is_literal()
    }

    /// Whether all that it matches another matches too, as far as their forms tell.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.as_ref().is_within(other.as_ref())
    }

    /// Whether it matches the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.as_ref().matches(text)
    }
}

impl<'p> GlobRef<'p> {
    /// The pattern that a text is.
    pub(crate) fn new(text: &'p str) -> Self {
        Self { text, head: head(text) }
    }

    /// The two patterns on either side of the character at a place.
    pub(super) fn split(self, at: usize) -> Option<(Self, Self)> {
        let (first, rest) = (self.text.get(..at)?, self.text.get(at + 1..)?);
        let second = if self.head > at { Self { text: rest, head: self.head - at - 1 } } else { Self::new(rest) };
        Some((Self { text: first, head: self.head.min(at) }, second))
    }

    pub(crate) fn as_str(self) -> &'p str {
        self.text
    }

    pub(crate) fn is_every(self) -> bool {
        self.head == 0 && is_every(self.text)
    }

    pub(crate) fn is_literal(self) -> bool {
        self.head == self.text.len()
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self == other || other.is_every() || (self.is_literal() && other.matches(self.text))
    }

    pub(crate) fn matches(self, text: &str) -> bool {
        let (first, rest) = self.text.split_at(self.head);
        let Some(rest) = rest.strip_prefix('*') else { return self.text == text };
        let Some(mut left) = text.strip_prefix(first) else { return false };
        if rest.is_empty() {
            return true;
        }
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

    /// The pattern on its own.
    pub(crate) fn to_owned(self) -> Glob {
        Glob { text: self.text.into(), head: self.head }
    }
}

/// How many bytes stand before the first `*`.
fn head(pattern: &str) -> usize {
    pattern.bytes().position(|byte| byte == b'*').unwrap_or(pattern.len())
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

/// What is said of a pattern that matches no name, because PostgreSQL cuts names.
pub(super) const TOO_LONG: &str =
    "PostgreSQL keeps 63 bytes of a name: write as much of each part as it keeps, in whole characters";
/// The bytes that PostgreSQL keeps of a name (`NAMEDATALEN` less one).
const KEPT: usize = 63;

/// The parts of a dotted name, each a glob, folded as PostgreSQL folds names: what stands in double quotes keeps
/// its case. A part that folding leaves as it was written is borrowed. `Err` says what is wrong.
pub(super) fn parts(text: &str) -> Result<Vec<Cow<'_, str>>, &'static str> {
    let mut parts = Vec::with_capacity(2);
    let mut rest = text;
    loop {
        let (part, after) = part(rest)?;
        if part.bytes().filter(|byte| *byte != b'*').count() > KEPT {
            return Err(TOO_LONG);
        }
        parts.push(part);
        match after.strip_prefix('.') {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(parts),
            None => return Err("a quoted part of a name ends at its closing quote"),
        }
    }
}

/// The first part of a dotted name, and what follows it.
fn part(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted_part(quoted).map(|(part, after)| (part.into(), after));
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
pub(super) fn fold(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name.into(),
    }
}
