//! Which effects of SSH a rule matches.

use super::VerbSet;
use crate::command::ssh::{Effect, Verb};
use crate::truth::Truth;

/// Effects that a rule matches.
#[derive(Clone, Debug)]
pub(crate) struct SshReach {
    pub(crate) verbs: VerbSet<Verb>,
}

impl SshReach {
    /// Whether it matches an effect.
    pub(crate) fn matches(&self, effect: &Effect) -> Truth {
        self.verbs.has(effect.verb).into()
    }
}
