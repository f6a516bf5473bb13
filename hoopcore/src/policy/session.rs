//! A policy as it concerns one caller on one resource.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::index::Classes;
use super::recent::Recent;
use super::rule::{Condition, OnFact, Rule, WhoFact};
use super::standings::{Kept, Named, Standings, Standpoint};
use super::{ColumnPattern, Glob, Policy};
use crate::decide::Settled;
use crate::decision::{Decision, PendingApproval, Verdict};
use crate::grant::Draw;
use crate::identity::{Identity, Verified};
use crate::mask::MaskPlan;
use crate::request::Call;
use crate::resource::Resource;
use crate::truth::Truth;

/// A policy as it concerns one caller on one resource: the same answers, faster.
#[derive(Clone, Debug)]
pub struct PolicySession {
    policy: Policy,
    who: Verified<Identity>,
    on: Resource,
    rules: Standings,
    kept: Kept,
    recent: Recent,
}

/// Mask plans made once.
#[derive(Clone, Debug)]
pub(crate) struct Plans {
    pub(crate) tainted: Arc<MaskPlan>,
    pub(crate) clean: Arc<MaskPlan>,
    pub(crate) without_columns: Arc<MaskPlan>,
}

impl PolicySession {
    pub(super) fn new(policy: &Policy, who: &Verified<Identity>, on: &Resource) -> Self {
        let rules = policy.standings(who, on, Classes::EVERY).by_class();
        let point = Standpoint { policy, who, on, rules: &rules, kept: None };
        let kept = Kept { named: Named::of(who, on), plans: Plans::new(point), settled: Settled::new(point) };
        let recent = Recent::of(point);
        Self { policy: policy.clone(), who: who.clone(), on: on.clone(), rules, kept, recent }
    }

    /// The bare answer; allocates nothing.
    #[must_use]
    pub fn verdict(&self, call: &Call<'_>) -> Verdict {
        crate::decide::verdict(self.standpoint(), call)
    }

    /// At Parse: refuses only what no parameters, no time and no grant could permit.
    pub fn prepare(&mut self, call: &Call<'_>) -> Option<Decision> {
        crate::decide::prepare(self.standpoint(), call)
    }

    /// Decides a call.
    pub fn decide(&mut self, call: &Call<'_>) -> Decision {
        self.decide_by(call, |session| crate::decide::decide(session, call))
    }

    /// Decides a call for which people may have agreed before. Where it would be held, `draw` is asked for one execution
    /// out of a grant: what it gives is used up, whatever becomes of the decision.
    pub fn decide_granted(
        &mut self,
        call: &Call<'_>,
        draw: &mut dyn FnMut(&PendingApproval) -> Option<Draw>,
    ) -> Decision {
        self.decide_by(call, |session| crate::decide::decide_granted(session, call, draw))
    }

    /// The decision that was made before, or the one that is made now.
    fn decide_by(&mut self, call: &Call<'_>, judge: impl FnOnce(Standpoint<'_>) -> Decision) -> Decision {
        if let Some(decision) = self.recent.again(call) {
            return decision;
        }
        let decision = judge(self.standpoint());
        self.recent.keep(call, &decision);
        decision
    }

    /// Patterns of the columns that a mask may hide from this caller: an adapter resolves them in the catalog
    /// and tells what it found in `SessionFacts::exposures`.
    #[must_use]
    pub fn protected_columns(&self) -> Vec<ColumnPattern> {
        self.standpoint().protected_columns()
    }

    /// The detectors of all mask rules that may reach the caller, whatever their conditions: for texts of an answer
    /// that stand in no row.
    #[must_use]
    pub fn detectors(&self) -> MaskPlan {
        self.standpoint().plan(|_| true, false, false)
    }

    /// Whether some allow or approve may reach something on the resource: else the caller is not let in at all.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        !self.rules.allows.is_empty() || !self.rules.approves.is_empty()
    }

    pub(crate) fn standpoint(&self) -> Standpoint<'_> {
        let Self { policy, who, on, rules, kept, recent: _ } = self;
        Standpoint { policy, who, on, rules, kept: Some(kept) }
    }
}

impl Plans {
    /// The plans, where none hangs on the call.
    fn new(point: Standpoint<'_>) -> Option<Self> {
        let unconditional = point.mask_rules().all(|(rule, _)| rule.when.is_always());
        unconditional.then(|| Self {
            tainted: Arc::new(point.plan(|_| true, true, true)),
            clean: Arc::new(point.plan(|_| true, true, false)),
            without_columns: Arc::new(point.plan(|_| true, false, false)),
        })
    }
}

/// Whether a rule's who and on hold.
pub(super) fn stands(rule: &Rule, who: &Identity, on: &Resource) -> Truth {
    who_holds(&rule.who, who).and(on_holds(&rule.on, on))
}

fn who_holds(condition: &Condition<WhoFact>, who: &Identity) -> Truth {
    condition.truth(&|fact| who_fact(fact, who))
}

/// Whether a fact about the caller holds.
pub(crate) fn who_fact(fact: &WhoFact, who: &Identity) -> Truth {
    match fact {
        WhoFact::User(name) => name.matches(&who.user).into(),
        WhoFact::Group(name) => {
            let groups = who.groups.as_ref();
            groups.map_or(Truth::May, |groups| groups.iter().any(|group| name.matches(group)).into())
        }
        WhoFact::Claim(path, value) => claim_holds(who, path, value),
        WhoFact::Kind(kind) => who.kind.map_or(Truth::May, |known| (known == *kind).into()),
        WhoFact::Issuer(issuer) => who.issuer.as_ref().map_or(Truth::May, |known| issuer.matches(known).into()),
    }
}

/// Whether a claim has a value; one that is absent is unknown.
pub(crate) fn claim_holds(who: &Identity, path: &str, value: &Glob) -> Truth {
    who.claims.get(path).map_or(Truth::May, |known| value.matches(known).into())
}

fn on_holds(condition: &Condition<OnFact>, on: &Resource) -> Truth {
    condition.truth(&|fact| on_fact(fact, on))
}

/// Whether a fact about the resource holds.
pub(crate) fn on_fact(fact: &OnFact, on: &Resource) -> Truth {
    match fact {
        OnFact::Name(name) => name.matches(&on.name).into(),
        OnFact::Kind(kind) => (on.kind == *kind).into(),
        OnFact::Label(label, value) => {
            let labels = on.labels.as_ref();
            labels.map_or(Truth::May, |labels| labels.get(&**label).is_some_and(|known| value.matches(known)).into())
        }
        OnFact::Database(name) => on.database.as_ref().map_or(Truth::May, |known| name.matches(known).into()),
    }
}
