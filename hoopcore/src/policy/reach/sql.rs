//! Which effects of SQL a rule matches.

use alloc::boxed::Box;

use super::{VerbSet, all_within};
use crate::command::sql::Verb;
use crate::policy::pattern::Glob;
use crate::truth::Truth;

/// Effects that a rule matches, by verb and name. Whether a name matches depends on the session.
#[derive(Clone, Debug)]
pub(crate) struct SqlReach {
    pub(crate) verbs: VerbSet<Verb>,
    pub(crate) names: Names,
}

impl SqlReach {
    /// Whether its effects are part of another's.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.verbs.is_within(other.verbs) && self.names.is_within(&other.names)
    }
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

impl Names {
    fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Every) => true,
            (Self::Every, Self::OneOf(_)) => false,
            (Self::OneOf(some), Self::OneOf(others)) => all_within(some, others, NamePattern::is_within),
        }
    }
}

impl NamePattern {
    fn is_within(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        let (Some((Some(schema), name)), Some((wide, wide_name))) = (&self.qualified, &other.qualified) else {
            return false;
        };
        name.is_within(wide_name) && wide.as_ref().is_none_or(|wide| schema.is_within(wide))
    }
}

/// Whether a pattern of schemas matches the schema of a name. A name without schema may be in any: a block or mask
/// matches it by its last part.
pub(crate) fn in_schema(pattern: Option<&Glob>, schema: Option<&str>) -> Truth {
    match (pattern.filter(|pattern| !pattern.is_every()), schema) {
        (None, _) => Truth::Yes,
        (Some(pattern), Some(schema)) => pattern.matches(schema).into(),
        (Some(_), None) => Truth::May,
    }
}
