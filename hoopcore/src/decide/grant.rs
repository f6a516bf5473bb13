//! A command that people agreed to before: one execution out of their grant releases it.

use alloc::format;

use super::outcome::Words;
use super::resume::quoted;
use super::scene::{Moment, Scene};
use super::{Findings, Minutes};
use crate::decision::{Decision, Outcome, Pending, Verdict};
use crate::grant::Draw;
use crate::policy::standings::Standpoint;
use crate::request::Call;

/// The decision about a call, for which people may have agreed already: `draw` is asked where it would be held.
pub(crate) fn decide_granted(
    session: Standpoint<'_>,
    call: &Call<'_>,
    draw: &mut dyn FnMut(&Pending) -> Option<Draw>,
) -> Decision {
    let scene = Scene { session, call, moment: Moment::Now };
    let mut minutes = Minutes::default();
    let findings = scene.judge(&mut minutes).with_rate(|| scene.charge());
    if findings.verdict() != Verdict::Approve {
        return scene.conclude(&findings, minutes);
    }
    let pending = scene.pending(scene.demands(&minutes), findings.masked);
    match draw(&pending).filter(|draw| draw.is_for(&pending)) {
        Some(draw) => scene.release(&findings, minutes, &draw),
        None => scene.conclude(&findings, minutes),
    }
}

impl Scene<'_> {
    fn release(&self, findings: &Findings, minutes: Minutes, draw: &Draw) -> Decision {
        let verdict = if findings.masked { Verdict::Mask } else { Verdict::Allow };
        let rule = self.words(findings, &minutes).rule;
        let reason = Some(format!("approved before by {}", quoted(draw.people())).into());
        let words = Words { verdict, rule, reason, limit: None, grant: Some(draw.note().clone()) };
        self.decision(words, findings, minutes, |_, _, permit| Outcome::Allow(permit()))
    }
}
