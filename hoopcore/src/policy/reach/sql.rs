//! Which effects of SQL a rule matches.

use alloc::boxed::Box;

use super::VerbSet;
use crate::command::sql::Verb;
use crate::policy::pattern::Glob;

/// Effects that a rule matches, by verb and name. Whether a name matches depends on the session.
#[derive(Clone, Debug)]
pub(crate) struct SqlReach {
    pub(crate) verbs: VerbSet<Verb>,
    pub(crate) names: Names,
}

/// Names that a rule matches.
#[derive(Clone, Debug)]
pub(crate) enum Names {
    Every,
    OneOf(Box<[NamePattern]>),
}

/// A pattern on the object of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamePattern {
    /// What lives in a schema: the schema's pattern (any, where it was not written) and the last part's.
    pub(crate) qualified: Option<(Option<Glob>, Glob)>,
    /// What has one plain name: the whole pattern, folded.
    pub(crate) folded: Glob,
    /// Files and programs: the whole pattern as it was written.
    pub(crate) written: Glob,
}
