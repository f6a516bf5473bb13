//! A policy as it concerns one caller on one resource.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::rule::{Action, Condition, Masks, OnFact, Rule, WhoFact};
use super::{ColumnPattern, Glob, Policy};
use crate::audit::Caller;
use crate::decision::{Decision, Verdict};
use crate::identity::{Identity, Verified};
use crate::mask::{Detector, MaskPlan, Style};
use crate::request::Call;
use crate::resource::Resource;
use crate::truth::Truth;

/// A policy as it concerns one caller on one resource: the same answers, faster.
#[derive(Clone, Debug)]
pub struct PolicySession {
    pub(crate) policy: Policy,
    pub(crate) who: Verified<Identity>,
    pub(crate) on: Resource,
    /// The caller and the resource as records name them.
    pub(crate) caller: Arc<Caller>,
    pub(crate) resource: Arc<(String, Option<String>)>,
    /// Rules that may concern this caller on this resource, each kind in the order of the names.
    pub(crate) blocks: Box<[Standing]>,
    pub(crate) allows: Box<[Standing]>,
    /// Those of the allows that limit what they let through.
    pub(crate) limited: Box<[Standing]>,
    pub(crate) approves: Box<[Standing]>,
    pub(crate) masks: Box<[Standing]>,
    /// The mask plans of rules without `when`, by whether columns are armed and the answer is tainted.
    pub(crate) plans: Option<Plans>,
}

/// A rule whose who and on hold, perhaps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Its place among the policy's rules.
    pub(crate) rule: usize,
    /// Whether who and on hold: never `No`.
    pub(crate) truth: Truth,
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
        let standing = |wanted: fn(&Action) -> bool| -> Box<[Standing]> {
            let rules = policy.rules().iter().enumerate().filter(|(_, rule)| wanted(&rule.action));
            let standings = rules.map(|(at, rule)| Standing { rule: at, truth: stands(rule, who, on) });
            standings.filter(|standing| standing.truth.is_possible()).collect()
        };
        let allows = standing(|action| matches!(action, Action::Allow(_)));
        let is_limited = |standing: &&Standing| policy.rules().get(standing.rule).is_some_and(Rule::is_limited);
        let mut session = Self {
            policy: policy.clone(),
            who: who.clone(),
            on: on.clone(),
            caller: Arc::new(caller(who)),
            resource: Arc::new((on.name.clone(), on.database.clone())),
            blocks: standing(|action| matches!(action, Action::Block(_))),
            limited: allows.iter().filter(is_limited).copied().collect(),
            allows,
            approves: standing(|action| matches!(action, Action::Approve(_))),
            masks: standing(|action| matches!(action, Action::Mask(_))),
            plans: None,
        };
        let unconditional = session.mask_rules().all(|(rule, _)| rule.when.is_always());
        session.plans = unconditional.then(|| Plans {
            tainted: Arc::new(session.plan(|_| true, true, true)),
            clean: Arc::new(session.plan(|_| true, true, false)),
            without_columns: Arc::new(session.plan(|_| true, false, false)),
        });
        session
    }

    /// The bare answer; allocates nothing.
    #[must_use]
    pub fn verdict(&self, call: &Call<'_>) -> Verdict {
        crate::decide::verdict(self, call)
    }

    /// At Parse: refuses only what no parameters, no time and no grant could permit.
    pub fn prepare(&mut self, call: &Call<'_>) -> Option<Decision> {
        crate::decide::prepare(self, call)
    }

    /// Decides a call.
    pub fn decide(&mut self, call: &Call<'_>) -> Decision {
        crate::decide::decide(self, call)
    }

    /// Patterns of the columns that a mask may hide from this caller: an adapter resolves them in the catalog
    /// and tells what it found in `SessionFacts::exposures`.
    #[must_use]
    pub fn protected_columns(&self) -> Vec<ColumnPattern> {
        let mut patterns: Vec<ColumnPattern> = Vec::new();
        for mask in self.mask_rules().flat_map(|(_, masks)| &masks.columns) {
            if !patterns.contains(&mask.pattern) {
                patterns.push(mask.pattern.clone());
            }
        }
        patterns
    }

    /// Whether some allow or approve may reach something on the resource: else the caller is not let in at all.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        !self.allows.is_empty() || !self.approves.is_empty()
    }

    pub(crate) fn rule(&self, at: usize) -> Option<&Rule> {
        self.policy.rules().get(at)
    }

    /// The mask rules that may concern this caller.
    pub(crate) fn mask_rules(&self) -> impl Iterator<Item = (&Rule, &Masks)> {
        self.masks.iter().filter_map(|standing| {
            let rule = self.rule(standing.rule)?;
            match &rule.action {
                Action::Mask(masks) => Some((rule, masks)),
                Action::Allow(_) | Action::Block(_) | Action::Approve(_) => None,
            }
        })
    }

    /// The plan of those mask rules that are armed.
    pub(crate) fn plan(&self, armed: impl Fn(&Rule) -> bool, with_columns: bool, tainted: bool) -> MaskPlan {
        let rules = || self.mask_rules().filter(|(rule, _)| armed(rule)).map(|(_, masks)| masks);
        let columns = rules().filter(|_| with_columns).flat_map(|masks| masks.columns.iter().cloned()).collect();
        let styles = |detector| {
            rules()
                .flat_map(|masks| &masks.detectors)
                .filter(move |(other, _)| *other == detector)
                .map(|(_, style)| style)
        };
        let strictest = |detector| Style::strictest(styles(detector)).map(|style| (detector, style));
        MaskPlan::new(columns, Detector::ALL.into_iter().filter_map(strictest).collect(), tainted)
    }
}

/// The caller as records name it.
fn caller(who: &Verified<Identity>) -> Caller {
    Caller {
        user: who.user.clone(),
        kind: who.kind,
        issuer: who.issuer.clone(),
        groups: who.groups.clone(),
        how: who.how().to_string(),
    }
}

/// Whether a rule's who and on hold.
fn stands(rule: &Rule, who: &Identity, on: &Resource) -> Truth {
    who_holds(&rule.who, who).and(on_holds(&rule.on, on))
}

fn who_holds(condition: &Condition<WhoFact>, who: &Identity) -> Truth {
    condition.truth(&|fact| match fact {
        WhoFact::User(name) => name.matches(&who.user).into(),
        WhoFact::Group(name) => {
            let groups = who.groups.as_ref();
            groups.map_or(Truth::May, |groups| groups.iter().any(|group| name.matches(group)).into())
        }
        WhoFact::Claim(path, value) => claim_holds(who, path, value),
        WhoFact::Kind(kind) => who.kind.map_or(Truth::May, |known| (known == *kind).into()),
        WhoFact::Issuer(issuer) => who.issuer.as_ref().map_or(Truth::May, |known| issuer.matches(known).into()),
    })
}

/// Whether a claim has a value; one that is absent is unknown.
pub(crate) fn claim_holds(who: &Identity, path: &str, value: &Glob) -> Truth {
    who.claims.get(path).map_or(Truth::May, |known| value.matches(known).into())
}

fn on_holds(condition: &Condition<OnFact>, on: &Resource) -> Truth {
    condition.truth(&|fact| match fact {
        OnFact::Name(name) => name.matches(&on.name).into(),
        OnFact::Kind(kind) => (on.kind == *kind).into(),
        OnFact::Label(label, value) => {
            let labels = on.labels.as_ref();
            labels.map_or(Truth::May, |labels| labels.get(label).is_some_and(|known| value.matches(known)).into())
        }
        OnFact::Database(name) => on.database.as_ref().map_or(Truth::May, |known| name.matches(known).into()),
    })
}
