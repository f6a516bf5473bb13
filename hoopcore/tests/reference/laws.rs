//! What holds between a policy and a stricter or freer one, and between what is known and what is not.

use hoopcore::audit::EventKind;
use hoopcore::request::SessionFacts;
use hoopcore::{Call, Decision, Outcome, Policy, Request, Timestamp, Verdict};
use proptest::prelude::*;

use crate::evaluate::Most;
use crate::generate::{allow, approve, block, limits, mask, policy, request, rule_that};
use crate::model::{ActionModel, LimitsModel, PolicyModel, RequestModel, RuleModel};
use crate::{cases, engine, useless};

/// What a decision records, and whether it comes to a permit with masks.
fn told(decision: Decision) -> (Timestamp, EventKind, Option<bool>) {
    let (event, sealed) = decision.seal();
    let (at, kind) = (event.at, event.kind.clone());
    match sealed.release(event.written()) {
        Outcome::Allow(permit) => (at, kind, Some(permit.masks_armed())),
        Outcome::Approve(_) | Outcome::Block(_) => (at, kind, None),
    }
}

fn with(policy: &PolicyModel, rule: RuleModel) -> PolicyModel {
    let mut rules = policy.rules.clone();
    rules.push(rule);
    PolicyModel { rules }
}

/// The request with less known about it: each way of forgetting alone.
fn forgotten(policy: &PolicyModel, request: &RequestModel) -> Vec<(&'static str, RequestModel)> {
    let forget = |name, change: fn(&mut RequestModel)| {
        let mut forgotten = request.clone();
        change(&mut forgotten);
        (name, forgotten)
    };
    let mut all = vec![
        forget("groups", |request| request.who.groups = None),
        forget("claims", |request| request.who.claims.clear()),
        forget("kind", |request| request.who.kind = None),
        forget("issuer", |request| request.who.issuer = None),
        forget("labels", |request| request.on.labels = None),
        forget("database", |request| request.on.database = None),
        forget("source", |request| request.source = None),
        forget("parameters", |request| request.parameters = None),
        forget("search path", |request| request.path.clear()),
        forget("exposures", |request| request.exposed = true),
    ];
    // No block on another verb reaches `unknown`: where a rule lets that through, a name forgotten may free.
    if !policy.rules.iter().any(RuleModel::covers_unknown) {
        all.push(forget("prepared statements", |request| request.prepared.clear()));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 3, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_block_makes_nothing_freer(policy in policy(), rule in rule_that(block()), request in request()) {
        let (before, after) = (engine(&policy, &request), engine(&with(&policy, rule), &request));
        prop_assert!(after.verdict >= before.verdict);
    }

    #[test]
    fn a_mask_makes_nothing_freer(policy in policy(), rule in rule_that(mask()), request in request()) {
        let (before, after) = (engine(&policy, &request), engine(&with(&policy, rule), &request));
        prop_assert!(after.verdict >= before.verdict);
    }

    #[test]
    fn a_limit_makes_nothing_freer(policy in policy(), limits in limits(), at in any::<prop::sample::Index>(), request in request()) {
        let mut limited = policy.clone();
        let rule = &mut limited.rules[at.index(policy.rules.len())];
        if matches!(rule.action, ActionModel::Allow(_)) {
            let added = |old: Option<u64>, new: Option<u64>| old.into_iter().chain(new).min();
            let old = rule.limits;
            rule.limits.rows = added(old.rows, limits.rows);
            rule.limits.bytes = added(old.bytes, limits.bytes);
            rule.limits.seconds = added(old.seconds, limits.seconds);
            rule.limits.per_minute = added(old.per_minute, limits.per_minute);
        }
        let (before, after) = (engine(&policy, &request), engine(&limited, &request));
        prop_assert!(after.verdict >= before.verdict);
        let is_kept = |(before, after): (&Most, &Most)| {
            before.as_ref().is_none_or(|before| after.as_ref().is_some_and(|after| after.0 <= before.0))
        };
        prop_assert!(after.verdict == Verdict::Block || before.limits.iter().zip(&after.limits).all(is_kept));
    }

    #[test]
    fn an_allow_makes_nothing_stricter(policy in policy(), rule in rule_that(allow()), request in request()) {
        // But for its limits: they hold for what other allows let through.
        let rule = RuleModel { limits: LimitsModel::default(), ..rule };
        let (before, after) = (engine(&policy, &request), engine(&with(&policy, rule), &request));
        prop_assert!(after.verdict <= before.verdict);
    }

    #[test]
    fn an_approve_removes_no_demand_and_no_block(policy in policy(), rule in rule_that(approve()), request in request()) {
        let (before, after) = (engine(&policy, &request), engine(&with(&policy, rule), &request));
        prop_assert!(after.demands.is_superset(&before.demands) || after.verdict == Verdict::Block);
        let by_a_block = before.verdict == Verdict::Block && before.rule != "default";
        prop_assert!(!by_a_block || after.verdict == Verdict::Block);
        prop_assert!(before.verdict == Verdict::Block || after.verdict >= before.verdict);
    }

    #[test]
    fn what_is_not_known_makes_nothing_freer(policy in policy(), request in request()) {
        let before = engine(&policy, &request);
        for (what, forgotten) in forgotten(&policy, &request) {
            let after = engine(&policy, &forgotten);
            prop_assert!(after.verdict >= before.verdict, "without {}: {:?} after {:?}", what, after, before);
        }
    }

    #[test]
    fn order_means_nothing(policy in policy(), request in request(), seed in any::<u64>()) {
        let mut shuffled = policy.clone();
        shuffled.rules.rotate_left(seed as usize % policy.rules.len().max(1));
        shuffled.rules.reverse();
        let before = Policy::from_yaml(&policy.yaml()).unwrap();
        let after = Policy::from_yaml(&shuffled.yaml()).unwrap();
        prop_assert_eq!(before.digest(), after.digest());
        prop_assert_eq!(engine(&policy, &request), engine(&shuffled, &request));
    }

    #[test]
    fn what_does_nothing_can_go(policy in policy(), request in request()) {
        let compiled = Policy::from_yaml(&policy.yaml()).unwrap();
        let before = engine(&policy, &request);
        for name in useless(&compiled) {
            let rules = policy.rules.iter().filter(|rule| rule.name != name).cloned().collect();
            let after = engine(&PolicyModel { rules }, &request);
            prop_assert_eq!(after.verdict, before.verdict, "without {} of\n{}\n{:#?}", name, policy.yaml(), request);
        }
    }

    #[test]
    fn what_was_asked_before_means_nothing(policy in policy(), one in request(), other in request()) {
        let compiled = Policy::from_yaml(&policy.yaml()).unwrap();
        let (who, on, command) = (one.caller(), &one.on, one.command());
        let (facts, others) = (one.facts(), other.facts());
        let strangers = [
            SessionFacts { search_path: others.search_path.clone(), ..facts.clone() },
            SessionFacts { shadows: others.shadows.clone(), ..facts.clone() },
            SessionFacts { prepared: others.prepared.clone(), ..facts.clone() },
            SessionFacts { cursors: others.cursors.clone(), ..facts.clone() },
            SessionFacts { exposures: others.exposures.clone(), ..facts.clone() },
        ];
        // Only one thing is other than before, or everything is.
        let (first, last) = (one.call(&command, &facts), other.call(&command, &others));
        let mut steps = vec![
            first,
            first,
            Call { source: last.source, ..first },
            Call { parameters: last.parameters, ..first },
            Call { now: last.now, ..first },
            Call { rates: last.rates, ..first },
            last,
            first,
        ];
        steps.extend(strangers.iter().map(|session| Call { session, ..first }));
        let mut session = compiled.session(&who, on);
        for call in steps {
            let (before, alone) = (session.decide(&call), compiled.evaluate(&Request { who: &who, on, call }));
            prop_assert_eq!(before.explanation(), alone.explanation());
            prop_assert_eq!(told(before), told(alone));
        }
    }

    #[test]
    fn files_mean_nothing(policy in policy(), cut in any::<prop::sample::Index>()) {
        let (first, second) = policy.rules.split_at(cut.index(policy.rules.len() + 1));
        let half = |rules: &[RuleModel]| PolicyModel { rules: rules.to_vec() }.yaml();
        let whole = Policy::from_yaml(&policy.yaml()).unwrap();
        let halves = Policy::from_files(&[("b.yaml", &half(second)), ("a.yaml", &half(first))]).unwrap();
        prop_assert_eq!(whole.digest(), halves.digest());
        let of_tree = Policy::from_tree(&hoopcore::policy::parse(&policy.yaml()).unwrap()).unwrap();
        prop_assert_eq!(whole.digest(), of_tree.digest());
    }
}
