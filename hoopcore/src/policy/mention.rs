//! Groups that rules name, with their places.

use alloc::sync::Arc;

use super::pattern::Glob;

/// A group that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Its name, or a glob.
    pub group: Glob,
    /// Whose group it is.
    pub of: Mentioned,
    /// The file, where the rule came from one.
    pub file: Option<Arc<str>>,
    /// The line, counted from one.
    pub line: u32,
    /// The column in characters, counted from one.
    pub column: u32,
    /// How many characters the name takes.
    pub width: u32,
}

/// Whose group a rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mentioned {
    /// Callers'.
    Caller,
    /// Those who answer for approves.
    Approver,
}
