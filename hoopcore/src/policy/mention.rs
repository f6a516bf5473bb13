//! Groups and resources that rules name, with their places: what a gateway's file should know.

use alloc::sync::Arc;

use super::pattern::Glob;

/// A name that a rule relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The name, or a glob.
    pub name: Glob,
    /// Of what.
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

/// What a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mentioned {
    /// A group of callers.
    Caller,
    /// A group of those who answer for approves.
    Approver,
    /// A resource.
    Resource,
    /// A database of a resource.
    Database,
    /// The value of a resource's label of this name.
    Label(Arc<str>),
}
