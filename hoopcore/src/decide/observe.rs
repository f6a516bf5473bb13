//! What a decision comes to where the policy is watched and not enforced.

use alloc::sync::Arc;

use crate::decision::{Decision, Outcome, Permit};
use crate::limit::Limits;
use crate::mask::MaskPlan;

/// The same verdict, rule and masks on record, marked as observed; what they would have refused, held or masked goes
/// on as it is. What it would have gone on with, at once or after people agreed, counts what comes back.
pub(crate) fn observe(decision: Decision) -> Decision {
    let Decision { id, explanation, mut event, outcome } = decision;
    event.observed = true;
    let permit = match outcome {
        Outcome::Allow(permit) => Permit::of(&event, permit.plan, permit.meter.limits()),
        Outcome::Approve(pending) => Permit::of(&event, pending.held.plan, &explanation.limits),
        Outcome::Block(_) => Permit::of(&event, Arc::new(MaskPlan::default()), &Limits::default()),
    };
    Decision { id, explanation, event, outcome: Outcome::Allow(permit) }
}
