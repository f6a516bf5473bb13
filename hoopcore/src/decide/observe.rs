//! What a decision comes to where the policy is watched and not enforced.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::outcome::closing;
use crate::decision::{Decision, Outcome, Permit};
use crate::limit::Limits;
use crate::mask::MaskPlan;

/// The same verdict, rule and masks on record, marked as observed; what they would have refused, held or masked goes
/// on as it is.
pub(crate) fn observe(decision: Decision) -> Decision {
    let Decision { id, explanation, mut event, outcome: _ } = decision;
    event.observed = true;
    let permit = Permit {
        id,
        plan: Arc::new(MaskPlan::default()),
        limits: Box::new(Limits::default()),
        closing: Box::new(closing(&event)),
        grant: None,
    };
    Decision { id, explanation, event, outcome: Outcome::Allow(permit) }
}
