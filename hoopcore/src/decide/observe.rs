//! What a decision comes to where the policy is watched and not enforced.

use alloc::sync::Arc;

use crate::decision::{Decision, Outcome, Permit};
use crate::limit::Limits;
use crate::mask::MaskPlan;

/// The same verdict, rule and masks on record, marked as observed; what they would have refused, held or masked goes
/// on as it is.
pub(crate) fn observe(decision: Decision) -> Decision {
    let Decision { id, explanation, mut event, outcome: _ } = decision;
    event.observed = true;
    let permit = Permit::of(&event, Arc::new(MaskPlan::default()), &Limits::default());
    Decision { id, explanation, event, outcome: Outcome::Allow(permit) }
}
