//! The only place where a verdict is made.

use jiff::Timestamp;

use crate::decision::{Answer, Decision, Pending, Verdict};
use crate::policy::{Policy, PolicySession};
use crate::request::Call;

pub(crate) fn verdict(_session: &PolicySession, _call: &Call<'_>) -> Verdict {
    Verdict::Block
}

pub(crate) fn prepare(_session: &PolicySession, _call: &Call<'_>) -> Option<Decision> {
    None
}

pub(crate) fn decide(_session: &PolicySession, _call: &Call<'_>) -> Decision {
    loop {}
}

pub(crate) fn resume(_policy: &Policy, _held: Pending, _answer: Answer, _now: Timestamp) -> Decision {
    loop {}
}
