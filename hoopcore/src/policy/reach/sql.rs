//! Which effects of SQL a rule matches.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;

use super::{VerbSet, all_within};
use crate::command::sql::Verb;
use crate::policy::pattern::{Glob, GlobRef, fold, parts};
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
    /// Files and programs: the whole pattern as it was written.
    pub(crate) written: Glob,
    /// What has one plain name: the whole pattern, folded.
    pub(crate) folded: Glob,
    place: Place,
}

/// Where in a folded pattern the patterns of a schema and of what lives in it stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing that lives in a schema has such a name.
    Nowhere,
    /// The whole is the last part's; the schema may be any.
    Whole,
    /// On either side of the dot at this place.
    Around(usize),
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
    /// The pattern on what lives in a schema; `Err` says why a text is none.
    pub(crate) fn in_schema(text: &Arc<str>) -> Result<Self, &'static str> {
        let parts = parts(text)?;
        let place = match parts.as_slice() {
            [_] => Place::Whole,
            [schema, _] => Place::Around(schema.len()),
            _ => return Err("a name has two parts at most: `schema.name`"),
        };
        let is_as_written = parts.iter().all(|part| matches!(part, Cow::Borrowed(_)));
        let folded = if is_as_written { Arc::clone(text) } else { parts.join(".").into() };
        Ok(Self { written: Glob::new(Arc::clone(text)), folded: Glob::new(folded), place })
    }

    /// The pattern on what has one plain name.
    pub(crate) fn plain(text: &Arc<str>) -> Self {
        Self { written: Glob::new(Arc::clone(text)), folded: Glob::new(fold(text)), place: Place::Nowhere }
    }

    /// The patterns of the schema (any, where it was not written) and of the last part, for what lives in a schema.
    pub(crate) fn qualified(&self) -> Option<(Option<GlobRef<'_>>, GlobRef<'_>)> {
        let folded = self.folded.as_ref();
        match self.place {
            Place::Nowhere => None,
            Place::Whole => Some((None, folded)),
            Place::Around(dot) => folded.split(dot).map(|(schema, name)| (Some(schema), name)),
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        let (Some((Some(schema), name)), Some((wide, wide_name))) = (self.qualified(), other.qualified()) else {
            return false;
        };
        name.is_within(wide_name) && wide.is_none_or(|wide| schema.is_within(wide))
    }
}

/// Whether a pattern of schemas matches the schema of a name. A name without schema may be in any: a block or mask
/// matches it by its last part.
pub(crate) fn in_schema(pattern: Option<GlobRef<'_>>, schema: Option<&str>) -> Truth {
    match (pattern.filter(|pattern| !pattern.is_every()), schema) {
        (None, _) => Truth::Yes,
        (Some(pattern), Some(schema)) => pattern.matches(schema).into(),
        (Some(_), None) => Truth::May,
    }
}
