//! Names of relations, functions and columns, folded as PostgreSQL folds them.

use alloc::string::String;
use core::fmt;

/// A relation, function or type as a statement names it: `schema.name`, or `name` alone.
///
/// The parts are already folded (unquoted ASCII letters in lower case), unescaped and cut at 63 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// The schema, where the statement names one.
    pub schema: Option<String>,
    /// The last part.
    pub name: String,
}

impl QualifiedName {
    /// A name without schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// A name in a schema.
    pub fn qualified(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), name: name.into() }
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A column by its full name, as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnName {
    /// The schema of the relation.
    pub schema: String,
    /// The table, view or other relation.
    pub relation: String,
    /// The column.
    pub column: String,
}

impl ColumnName {
    /// The column `schema.relation.column`.
    pub fn new(schema: impl Into<String>, relation: impl Into<String>, column: impl Into<String>) -> Self {
        Self { schema: schema.into(), relation: relation.into(), column: column.into() }
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.schema, self.relation, self.column)
    }
}
