//! A second evaluator, slow and obvious, written from the policy language's meaning alone; and the laws that hold
//! between policies. Random policies are printed as YAML, so the reader is tested along.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p hoopcore --test reference` looks further.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod evaluate;
mod generate;
mod laws;
mod masks;
mod model;
mod protocols;

use std::collections::BTreeSet;

use hoopcore::limit::LimitKind;
use hoopcore::{Outcome, Policy, Rates};
use proptest::prelude::*;

use crate::evaluate::Answer;
use crate::model::{PolicyModel, RequestModel};

/// What the engine answers, in the reference's words.
fn engine(policy: &PolicyModel, request: &RequestModel) -> Answer {
    let compiled = Policy::from_yaml(&policy.yaml()).unwrap_or_else(|errors| panic!("{errors:#?}\n{}", policy.yaml()));
    request.with(|request| {
        let decision = compiled.evaluate(request);
        let bare = compiled.session(request.who, request.on).verdict(&request.call);
        let (verdict, rule) = (decision.verdict(), decision.explanation().rule.name.to_string());
        let limits = &decision.explanation().limits;
        let limits = [&limits.rows, &limits.bytes, &limits.seconds];
        let limits = limits.map(|limit| limit.as_ref().map(|limit| (limit.most, limit.rule.name.to_string()))).to_vec();
        let mut demands = BTreeSet::new();
        let mut by_rate = false;
        match decision.record(|_| Ok::<(), String>(())) {
            Outcome::Approve(pending) => {
                demands.extend(pending.demands().iter().map(|demand| demand.rule.name.to_string()))
            }
            Outcome::Block(denial) => by_rate = denial.limit == Some(LimitKind::PerMinute),
            Outcome::Allow(_) => {}
        }
        // The bare verdict asks no counter.
        let counted = by_rate && matches!(request.call.rates, Rates::Counted(_));
        assert!(bare == verdict || counted, "the bare verdict in a session is {bare}");
        assert_eq!(compiled.verdict(request), bare, "the bare verdict without a session");
        Answer { verdict, rule, demands, limits }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn engine_and_reference_agree(policy in generate::policy(), request in generate::request()) {
        let expected = evaluate::evaluate(&policy, &request);
        prop_assert_eq!(engine(&policy, &request), expected, "\n{}\n{:#?}", policy.yaml(), request);
    }
}

/// The rules that a check calls useless.
fn useless(policy: &Policy) -> Vec<String> {
    let messages = policy.warnings().into_iter().map(|warning| warning.message);
    messages
        .filter(|message| message.contains("` does nothing: `"))
        .filter_map(|message| message.split('`').nth(1).map(String::from))
        .collect()
}

/// How many cases a property tries, unless the environment says otherwise.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256)
}
