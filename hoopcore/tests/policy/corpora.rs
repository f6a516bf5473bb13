//! The two example policies of the SQL corpus, held to what its labels say.

use std::path::Path;

use hoopcore::policy::Expectation;
use hoopcore::{
    Call, Command, Explanation, Identity, Policy, Request, Resource, SessionFacts, Timestamp, Verdict, Verified,
};
use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Of the statements labelled `allow`, so many in a hundred may be refused.
const MAY_BE_REFUSED: usize = 3;

#[test]
fn the_example_policies_keep_what_the_labels_say() {
    let own = format!("{ROOT}/corpora/sql.jsonl");
    check_corpus(Path::new(&own), "readonly_policy", "sql-readonly");
    check_corpus(Path::new(&own), "guard_policy", "sql-guard");
}

#[test]
fn the_example_policies_keep_what_foreign_labels_say() {
    let foreign = format!("{ROOT}/../shared/corpora/sql.jsonl");
    check_corpus(Path::new(&foreign), "readonly_policy", "sql-readonly");
    check_corpus(Path::new(&foreign), "guard_policy", "sql-guard");
}

#[test]
fn the_example_policies_meet_their_own_expectations() {
    for name in [
        "sql-readonly",
        "sql-guard",
        "shop",
        "http-api",
        "kubernetes-viewer",
        "kubernetes-developer",
        "deployer",
        "shell-readonly",
        "shell-guard",
    ] {
        let policy = example(name);
        assert!(policy.warnings().iter().all(|warning| warning.message.contains("every object")), "{name}");
        for case in policy.expectations() {
            let found = decided(&policy, case);
            let masked: Vec<_> = found.masks.iter().map(|mask| mask.column.clone()).collect();
            let rule = case.rule.as_deref().is_none_or(|rule| rule == &*found.rule.name);
            let is_met = case.verdict == found.verdict && rule && case.masked.as_ref().is_none_or(|all| *all == masked);
            assert!(is_met, "{name}, line {}: {found:#?}", case.line);
        }
    }
}

/// No statement labelled `block` is let through; few of those labelled `allow` are refused.
fn check_corpus(path: &Path, label: &str, policy: &str) {
    let Ok(text) = std::fs::read_to_string(path) else {
        return eprintln!("{} is not beside this clone: not tested", path.display());
    };
    let (mut let_through, mut refused, mut allowed) = (Vec::new(), Vec::new(), 0);
    let policy = example(policy);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (id, sql) = (case["id"].as_str().unwrap(), case["input"].as_str().unwrap());
        let verdict = verdict(&policy, sql);
        match (case["expected"][label].as_str().unwrap(), verdict == Verdict::Block) {
            ("block", false) => let_through.push(format!("{id}: {sql}")),
            ("allow", true) => refused.push(format!("{id}: {sql}")),
            ("allow", false) => allowed += 1,
            _ => {}
        }
    }
    eprintln!("{label}: {} let through; of {} benign refused {refused:#?}", let_through.len(), allowed + refused.len());
    assert!(let_through.is_empty(), "{label}: let through {let_through:#?}");
    assert!(refused.len() * 100 <= (allowed + refused.len()) * MAY_BE_REFUSED, "{label}: refused {refused:#?}");
}

fn example(name: &str) -> Policy {
    let text = std::fs::read_to_string(format!("{ROOT}/examples/policies/{name}.yaml")).unwrap();
    Policy::from_yaml(&text).unwrap()
}

fn verdict(policy: &Policy, sql: &str) -> Verdict {
    let who = Identity::named("dev").with_groups(["callers"]);
    explanation(policy, &who, &Resource::postgres("target"), sql).verdict
}

fn explanation(policy: &Policy, who: &Identity, on: &Resource, sql: &str) -> Explanation {
    let who = Verified::vouched(who.clone(), "test");
    let (command, session) = (Command::sql(sql), SessionFacts::default());
    let call = Call::new(&command, &session, Timestamp::UNIX_EPOCH);
    policy.evaluate(&Request { who: &who, on, call }).explanation().clone()
}

fn decided(policy: &Policy, case: &Expectation) -> Explanation {
    let who = Verified::vouched(case.who.clone(), "test");
    let (command, session) = (case.asked.command(), SessionFacts::default());
    let call = Call::new(&command, &session, case.now.unwrap_or(Timestamp::UNIX_EPOCH));
    let call = Call { source: case.source, ..call };
    policy.evaluate(&Request { who: &who, on: &case.on, call }).explanation().clone()
}
