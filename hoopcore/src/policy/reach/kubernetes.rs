//! Which effects of Kubernetes a rule matches.

use super::VerbSet;
use crate::command::kubernetes::{Effect, Verb};
use crate::truth::Truth;

/// Effects that a rule matches.
#[derive(Clone, Debug)]
pub(crate) struct KubernetesReach {
    pub(crate) verbs: VerbSet<Verb>,
}

impl KubernetesReach {
    /// Whether it matches a request.
    pub(crate) fn matches(&self, effect: &Effect) -> Truth {
        self.verbs.has(effect.verb).into()
    }
}
