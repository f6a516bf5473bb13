//! Patterns on names: `*` stands for any run of characters within one part.

use alloc::string::String;

use crate::name::ColumnName;

/// A pattern on one part of a name, in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    /// A pattern; every text is one.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == text };
        let Some(mut left) = text.strip_prefix(first) else { return false };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return left.ends_with(part);
            }
            let Some(at) = left.find(part) else { return false };
            left = left.get(at + part.len()..).unwrap_or_default();
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
