//! What an answer makes of a held command.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use jiff::Timestamp;

use super::evaluation::{Evaluation, Stage};
use super::outcome::{Words, deadline, reserved};
use super::{Details, Findings};
use crate::approver::{Unfit, is_in, may_answer};
use crate::decision::{Answer, Consent, Decision, Demand, Outcome, PendingApproval, Permit, Verdict};
use crate::grant::{Grant, GrantNote};
use crate::identity::Identity;
use crate::limit::Rates;
use crate::parameters::Kept;
use crate::policy::Policy;
use crate::request::Call;

/// The decision that an answer makes of a held command. The command is judged again: by this policy, now.
pub(crate) fn resume(policy: &Policy, held: PendingApproval, answer: Answer, now: Timestamp) -> Decision {
    let PendingApproval { request, demands, held: mut facts } = held;
    let session = policy.session(&request.who, &facts.on);
    if facts.policy != *policy.digest() {
        // What is known of protected columns was asked about another policy's.
        let protected = session.standpoint().protected_columns();
        let known = core::mem::take(&mut facts.session.exposures);
        facts.session.exposures = known.of_others(&facts.protected, &protected);
        (facts.policy, facts.protected) = (*policy.digest(), protected);
    }
    let parameters = request.parameters.clone();
    let kept = parameters.as_deref().map(Kept);
    let call = Call {
        command: &request.command.clone(),
        session: &facts.session.clone(),
        parameters: kept.as_ref().map(|kept| kept as _),
        source: facts.source,
        now,
        // It was counted when it was first judged.
        rates: Rates::Ignored,
    };
    let evaluation = Evaluation { session: session.standpoint(), call: &call, stage: Stage::Execute };
    let mut details = Details::default();
    let findings = evaluation.judge(&mut details);
    let pending = PendingApproval { request, demands, held: facts };
    Resumption { evaluation, findings, details }.answer(pending, answer)
}

/// A held command, judged again.
struct Resumption<'a> {
    evaluation: Evaluation<'a>,
    findings: Findings,
    details: Details,
}

impl Resumption<'_> {
    fn answer(self, mut pending: PendingApproval, answer: Answer) -> Decision {
        match answer {
            Answer::Expired => return self.refuse(&pending, "nobody answered in time"),
            Answer::Withdrawn => return self.refuse(&pending, "the request was withdrawn"),
            Answer::By(_, _) if self.is_late(&pending) => return self.refuse(&pending, "the answer came too late"),
            Answer::By(_, _) | Answer::PolicyChanged => {}
        }
        if self.findings.verdict() == Verdict::Block {
            return self.evaluation.conclude(&self.findings, self.details);
        }
        let shown = self.ask_anew(&mut pending);
        match answer {
            _ if !pending.demands.is_empty() && self.is_late(&pending) => {
                self.refuse(&pending, "nobody answered in time")
            }
            Answer::By(by, consent) => self.spoken(pending, &shown, &by, consent),
            Answer::PolicyChanged | Answer::Expired | Answer::Withdrawn => self.settle(pending, ""),
        }
    }

    fn is_late(&self, pending: &PendingApproval) -> bool {
        pending.held.until.unwrap_or(self.evaluation.call.now) >= pending.request.deadline
    }

    /// Demands what is demanded now, with the consent that was given, and gives what was demanded before; the time runs
    /// since it was asked first.
    fn ask_anew(&self, pending: &mut PendingApproval) -> Vec<Demand> {
        let now = carried_over(&pending.demands, self.evaluation.demands(&self.details));
        let shown = core::mem::replace(&mut pending.demands, now);
        pending.request.rules = pending.demands.iter().map(|demand| demand.rule.clone()).collect();
        pending.request.deadline = deadline(pending.held.since, &pending.demands);
        shown
    }

    /// What a person's word makes of it. A yes is one to what was shown.
    fn spoken(self, mut pending: PendingApproval, shown: &[Demand], by: &Identity, consent: Consent) -> Decision {
        match may_answer(by, &pending.request.who, &pending.demands) {
            Ok(()) => {}
            // Then it goes on by the policy's word alone.
            Err(Unfit::NotAsked) if pending.demands.is_empty() => {}
            Err(why) => return self.settle(pending, why.words()),
        }
        if consent == Consent::No {
            return self.refuse(&pending, format!("`{}` said no", by.user));
        }
        let mut why = "what is asked has changed since it was shown: look again";
        for demand in pending.demands.iter_mut().filter(|demand| is_in(by, &demand.group)) {
            if shown.iter().any(|shown| binds(shown, demand)) {
                demand.agreed.insert(by.user.clone());
                why = "";
            }
        }
        self.settle(pending, why)
    }

    /// It goes on where all demands are met; else it waits, and says why.
    fn settle(self, pending: PendingApproval, why: &'static str) -> Decision {
        if pending.demands.iter().all(is_satisfied) { self.release(&pending) } else { self.wait(pending, why) }
    }

    fn refuse(self, pending: &PendingApproval, why: impl Into<Cow<'static, str>>) -> Decision {
        let rule = pending.demands.first().map_or_else(|| reserved("default"), |demand| demand.rule.clone());
        let words = Words { verdict: Verdict::Block, rule, reason: Some(why.into()), limit: None, grant: None };
        let denial = words.denial();
        self.evaluation.decision(words, &self.findings, self.details, |_, _, _| Outcome::Block(denial))
    }

    /// It goes on waiting, for the rest of its time.
    fn wait(self, pending: PendingApproval, why: &'static str) -> Decision {
        let rule = pending.demands.first().map_or_else(|| reserved("default"), |demand| demand.rule.clone());
        let missing = || format!("still waiting for {}", missing(&pending.demands));
        let reason = if why.is_empty() { missing().into() } else { Cow::Borrowed(why) };
        let words = Words { verdict: Verdict::Approve, rule, reason: Some(reason), limit: None, grant: None };
        self.evaluation.decision(words, &self.findings, self.details, |_, _, _| Outcome::Approve(pending))
    }

    fn release(self, pending: &PendingApproval) -> Decision {
        let verdict = if self.findings.masked { Verdict::Mask } else { Verdict::Allow };
        let rule = self.evaluation.words(&self.findings, &self.details).rule;
        let reason = match pending.demands.as_slice() {
            [] => Cow::Borrowed("the policy allows it by now"),
            demands => format!("approved by {}", people(demands)).into(),
        };
        let grant = Grant::beyond(pending, self.evaluation.call.now);
        let once = || GrantNote::once(&pending.request);
        let note = (!pending.demands.is_empty()).then(|| grant.as_ref().map_or_else(once, Grant::note));
        let words = Words { verdict, rule, reason: Some(reason), limit: None, grant: note };
        self.evaluation.decision(words, &self.findings, self.details, |_, _, permit| {
            Outcome::Allow(Permit { grant: grant.map(Box::new), ..permit() })
        })
    }
}

/// The demands as they are now, with the consent that was given to what they demand.
fn carried_over(before: &[Demand], mut now: Vec<Demand>) -> Vec<Demand> {
    for demand in &mut now {
        let same = before.iter().find(|before| binds(before, demand));
        demand.agreed = same.map(|same| same.agreed.clone()).unwrap_or_default();
    }
    now
}

/// Whether consent to one demand is consent to another: to the same rule, group and terms, and of no fewer people.
fn binds(agreed: &Demand, now: &Demand) -> bool {
    agreed.rule.name == now.rule.name
        && agreed.group == now.group
        && agreed.terms == now.terms
        && agreed.people <= now.people
}

fn is_satisfied(demand: &Demand) -> bool {
    demand.agreed.len() >= demand.people as usize
}

/// Who agreed, each once.
fn people(demands: &[Demand]) -> String {
    quoted(&demands.iter().flat_map(|demand| demand.agreed.iter().cloned()).collect())
}

pub(super) fn quoted(people: &BTreeSet<String>) -> String {
    let quoted: Vec<_> = people.iter().map(|user| format!("`{user}`")).collect();
    quoted.join(", ")
}

/// What is still to come.
fn missing(demands: &[Demand]) -> String {
    let open = demands.iter().filter(|demand| !is_satisfied(demand));
    let each = open.map(|demand| {
        format!("{} of group `{}`", (demand.people as usize).saturating_sub(demand.agreed.len()), demand.group)
    });
    each.collect::<Vec<_>>().join(", ")
}
