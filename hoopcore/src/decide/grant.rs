//! A command that people agreed to before: one execution out of their grant releases it.

use alloc::format;

use super::evaluation::{Evaluation, Stage};
use super::outcome::Words;
use super::resume::quoted;
use super::{Details, Findings};
use crate::decision::{Decision, Outcome, PendingApproval, Verdict};
use crate::grant::Draw;
use crate::policy::standings::Standpoint;
use crate::request::Call;

/// The decision about a call, for which people may have agreed already: `draw` is asked where it would be held.
pub(crate) fn decide_granted(
    session: Standpoint<'_>,
    call: &Call<'_>,
    draw: &mut dyn FnMut(&PendingApproval) -> Option<Draw>,
) -> Decision {
    let evaluation = Evaluation { session, call, stage: Stage::Execute };
    let mut details = Details::default();
    let findings = evaluation.judge(&mut details).with_rate(|| evaluation.charge());
    if findings.verdict() != Verdict::Approve {
        return evaluation.conclude(&findings, details);
    }
    let pending = evaluation.pending(evaluation.demands(&details), findings.masked);
    match draw(&pending).filter(|draw| draw.is_for(&pending)) {
        Some(draw) => evaluation.release(&findings, details, &draw),
        None => evaluation.conclude(&findings, details),
    }
}

impl Evaluation<'_> {
    fn release(&self, findings: &Findings, details: Details, draw: &Draw) -> Decision {
        let verdict = if findings.masked { Verdict::Mask } else { Verdict::Allow };
        let rule = self.words(findings, &details).rule;
        let reason = Some(format!("approved before by {}", quoted(draw.people())).into());
        let words = Words { verdict, rule, reason, limit: None, grant: Some(draw.note().clone()) };
        self.decision(words, findings, details, |_, _, permit| Outcome::Allow(permit()))
    }
}
