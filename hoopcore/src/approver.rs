//! Who may answer for a held command: the one place that says so.

use core::fmt;

use crate::decision::Demand;
use crate::identity::{Identity, IdentityKind};

/// Why somebody's word does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is the caller itself, under this name or another.
    Caller,
    /// It is a program.
    Workload,
    /// It is in no group that is asked.
    NotAsked,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl Unfit {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Caller => "nobody answers for what they ask themselves",
            Self::Workload => "only a person can answer",
            Self::NotAsked => "who answered is in no group that is asked",
        }
    }
}

/// Whether somebody's word counts for what a caller asks for: another's than the caller's, a person's, and one of a group
/// that is asked.
///
/// # Errors
/// With the reason why it does not.
pub fn may_answer(by: &Identity, caller: &Identity, demands: &[Demand]) -> Result<(), Unfit> {
    if by.may_be(caller) {
        return Err(Unfit::Caller);
    }
    if by.kind == Some(IdentityKind::Workload) {
        return Err(Unfit::Workload);
    }
    if is_asked(by, demands) { Ok(()) } else { Err(Unfit::NotAsked) }
}

/// Whether somebody is in a group that is asked.
#[must_use]
pub fn is_asked(by: &Identity, demands: &[Demand]) -> bool {
    demands.iter().any(|demand| is_in(by, &demand.group))
}

/// Whether somebody is surely in a group.
pub(crate) fn is_in(by: &Identity, group: &str) -> bool {
    by.groups.as_ref().is_some_and(|groups| groups.contains(group))
}
