//! Which effects of HTTP a rule matches.

use super::VerbSet;
use crate::command::http::{Effect, Verb};
use crate::truth::Truth;

/// Effects that a rule matches.
#[derive(Clone, Debug)]
pub(crate) struct HttpReach {
    pub(crate) verbs: VerbSet<Verb>,
}

impl HttpReach {
    /// Whether it matches a request.
    pub(crate) fn matches(&self, effect: &Effect) -> Truth {
        self.verbs.has(effect.verb).into()
    }
}
