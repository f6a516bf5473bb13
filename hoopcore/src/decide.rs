//! The only place where a verdict is made.
//!
//! Rules reach effects in strong Kleene logic ([`reach`]); here is what follows from that. A block that may reach
//! one effect refuses the command; every effect needs an allow or approve that surely reaches it; every approve
//! that may reach one demands its people; masks attach. The order of the rules means nothing: of several the first
//! by name stands in the record.

mod earliest;
mod evaluation;
mod found;
mod grant;
mod limits;
mod near;
mod observe;
mod outcome;
mod protect;
mod reach;
mod resume;
mod settled;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use found::verdict_as_found;
pub(crate) use grant::decide_granted;
pub(crate) use near::near;
pub(crate) use observe::observe;
pub(crate) use resume::resume;
pub(crate) use settled::Settled;

use crate::decision::{Decision, EffectNote, Verdict};
use crate::policy::index::Class;
use crate::policy::rule::{Action, Approval, Asked};
use crate::policy::standings::{Ranks, Standing, Standpoint};
use crate::request::Call;
use crate::truth::Truth;
use earliest::Earliest;
use evaluation::{Evaluation, Item, Stage, Step};
use protect::{Flow, Refusal};

/// The bare answer; most are settled without judging each effect by each rule.
pub(crate) fn verdict(session: Standpoint<'_>, call: &Call<'_>) -> Verdict {
    if let Some(verdict) = session.kept.and_then(|kept| kept.settled.verdict(call)) {
        return verdict;
    }
    let evaluation = Evaluation { session, call, stage: Stage::Execute };
    let findings = evaluation.judge(&mut ());
    findings.with_rate(|| evaluation.uncounted()).verdict()
}

/// The refusal of what no parameters, no time and no grant could permit.
pub(crate) fn prepare(session: Standpoint<'_>, call: &Call<'_>) -> Option<Decision> {
    let evaluation = Evaluation { session, call, stage: Stage::Prepare };
    let mut details = Details::default();
    let findings = evaluation.judge(&mut details);
    (findings.verdict() == Verdict::Block).then(|| evaluation.conclude(&findings, details))
}

/// The decision about a call.
pub(crate) fn decide(session: Standpoint<'_>, call: &Call<'_>) -> Decision {
    let evaluation = Evaluation { session, call, stage: Stage::Execute };
    let mut details = Details::default();
    let findings = evaluation.judge(&mut details).with_rate(|| evaluation.charge());
    evaluation.conclude(&findings, details)
}

/// What was found about a command; rules are named by their place, which is the order of their names.
#[derive(Clone, Copy, Default)]
struct Findings {
    /// The first block that may reach an effect.
    block: Earliest,
    /// Whether an effect is left uncovered.
    uncovered: bool,
    /// Why no mask could keep the command safe.
    refusal: Option<Refusal>,
    /// The allow whose rate leaves no room for the command.
    rate: Earliest,
    /// The first approve that demands.
    demand: Earliest,
    /// The first allow that covers an effect.
    allow: Earliest,
    /// Whether a column mask can act on what returns.
    masked: bool,
}

impl Findings {
    /// `block > approve > mask > allow`.
    fn verdict(&self) -> Verdict {
        if self.block.is_found() || self.uncovered || self.refusal.is_some() || self.rate.is_found() {
            Verdict::Block
        } else if self.demand.is_found() {
            Verdict::Approve
        } else if self.masked {
            Verdict::Mask
        } else {
            Verdict::Allow
        }
    }

    /// The same with what `rate` finds, which is asked only for a command that would not be refused without it.
    fn with_rate(mut self, rate: impl FnOnce() -> Option<usize>) -> Self {
        if self.verdict() != Verdict::Block {
            self.rate = rate().map(Earliest::of).unwrap_or_default();
        }
        self
    }
}

/// What was found about one effect.
#[derive(Clone, Copy, Default)]
struct Finding {
    block: Earliest,
    allow: Earliest,
    /// The first approve that surely reaches it.
    approve: Earliest,
    /// The first approve that may.
    demand: Earliest,
    /// Whether an allow or approve was asked for it.
    asked: bool,
}

impl Finding {
    fn is_uncovered(&self) -> bool {
        self.asked && !self.block.is_found() && !self.allow.is_found() && !self.approve.is_found()
    }

    /// The rule that decided about the effect.
    fn rule(&self) -> Option<usize> {
        [self.block, self.approve, self.demand, self.allow].into_iter().find_map(Earliest::place)
    }
}

/// Takes down what a decision says beyond its verdict; the bare verdict takes down nothing.
trait Recorder {
    fn effect(&mut self, evaluation: &Evaluation<'_>, item: &Item<'_>, finding: &Finding);
    fn demand(&mut self, approve: usize);
}

impl Recorder for () {
    fn effect(&mut self, _: &Evaluation<'_>, _: &Item<'_>, _: &Finding) {}
    fn demand(&mut self, _: usize) {}
}

/// What a decision says beyond its verdict.
#[derive(Default)]
struct Details {
    notes: Vec<EffectNote>,
    /// The effects as records name them.
    recorded: Vec<String>,
    demands: BTreeSet<usize>,
    /// The first effect that was left uncovered.
    uncovered: Option<usize>,
}

impl Recorder for Details {
    fn effect(&mut self, evaluation: &Evaluation<'_>, item: &Item<'_>, finding: &Finding) {
        if finding.is_uncovered() {
            self.uncovered.get_or_insert(self.notes.len());
        }
        let object = evaluation.object(item);
        self.recorded.push(evaluation.recorded(item, &object));
        self.notes.push(evaluation.note(item, finding, object));
    }

    fn demand(&mut self, approve: usize) {
        self.demands.insert(approve);
    }
}

impl<'a> Evaluation<'a> {
    fn judge(&self, recorder: &mut impl Recorder) -> Findings {
        let mut findings = Findings::default();
        let guarded = !self.session.rules.masks.is_empty() && self.guards_columns();
        let mut flow = Flow::default();
        self.walk(&mut |step| match step {
            Step::Effect(item) => {
                let finding = self.effect(&item, recorder);
                recorder.effect(self, &item, &finding);
                findings.add(&finding);
                match &item {
                    Item::Sql(item) => {
                        findings.refusal = findings.refusal.or(self.streams(item));
                        if guarded {
                            self.flow(&mut flow, item);
                        }
                    }
                    Item::Http(_) | Item::Kubernetes(_) | Item::Ssh(_) => {}
                }
            }
            Step::End if !guarded => {}
            Step::End => {
                let flowed = core::mem::take(&mut flow).end();
                findings.masked |= flowed.acts;
                // What a mask refuses at Parse could be permitted at another time.
                findings.refusal = findings.refusal.or(flowed.refusal.filter(|_| self.stage == Stage::Execute));
            }
        });
        findings
    }

    /// Judges one effect by every rule that stands in the session.
    fn effect(&self, item: &Item<'a>, recorder: &mut impl Recorder) -> Finding {
        let asked = match self.stage {
            Stage::Execute => item.is_asked(),
            Stage::Prepare => item.harmless() == Truth::No,
        };
        let mut finding = Finding { asked, block: self.block(item), ..Finding::default() };
        if !asked || finding.block.is_found() {
            return finding;
        }
        finding.allow = self.first(&self.session.rules.allows, item, |truth| self.covers(truth));
        for standing in &self.session.rules.approves {
            let truth = self.approval(standing.rule).map_or(Truth::No, |approval| match approval.what {
                Asked::Effects(_) => self.reaches(*standing, item),
                Asked::Otherwise if finding.allow.is_found() || item.effect().is_unknown() => Truth::No,
                Asked::Otherwise => self.reaches(*standing, item),
            });
            if truth.is_possible() {
                finding.demand = finding.demand.or(Earliest::of(standing.rule));
                recorder.demand(standing.rule);
            }
            if self.covers(truth) {
                finding.approve = finding.approve.or(Earliest::of(standing.rule));
            }
        }
        finding
    }

    /// The first block that may reach an effect; at Parse, the first that will whatever follows.
    fn block(&self, item: &Item<'a>) -> Earliest {
        self.first(&self.session.rules.blocks, item, |truth| match self.stage {
            Stage::Execute => truth.is_possible(),
            Stage::Prepare => truth.is_sure(),
        })
    }

    /// Whether an allow or approve that reaches an effect so surely covers it; at Parse, whether it could.
    fn covers(&self, truth: Truth) -> bool {
        match self.stage {
            Stage::Execute => truth.is_sure(),
            Stage::Prepare => truth.is_possible(),
        }
    }

    /// The first rule whose truth is wanted; what is harmless is matched by its own verb and by `session`.
    fn first(&self, ranks: &Ranks, item: &Item<'a>, wanted: impl Fn(Truth) -> bool) -> Earliest {
        let own = Class::of(item.effect());
        let first = |class: Class, borne: Truth| {
            let mut rules = ranks.of(class);
            let found = rules.find(|standing| wanted(self.truth(**standing, item, class, borne)));
            found.map(|standing| Earliest::of(standing.rule)).unwrap_or_default()
        };
        let by_verb = first(own, Truth::Yes);
        match item.harmless() {
            Truth::No => by_verb,
            borne @ (Truth::May | Truth::Yes) => by_verb.or(first(Class::SESSION, borne)),
        }
    }

    /// Whether a rule reaches an effect that bears a class. A rule that matches the whole class need not look at it.
    fn truth(&self, standing: Standing, item: &Item<'a>, class: Class, borne: Truth) -> Truth {
        if standing.is_whole(class) && borne.is_sure() { standing.truth } else { self.reaches(standing, item) }
    }

    fn approval(&self, rule: usize) -> Option<&'a Approval> {
        match &self.session.rule(rule)?.action {
            Action::Approve(approval) => Some(approval),
            Action::Allow(_) | Action::Block(_) | Action::Mask(_) => None,
        }
    }
}

impl Findings {
    fn add(&mut self, finding: &Finding) {
        self.block = self.block.or(finding.block);
        self.uncovered |= finding.is_uncovered();
        self.demand = self.demand.or(finding.demand);
        self.allow = self.allow.or(finding.allow);
    }
}
