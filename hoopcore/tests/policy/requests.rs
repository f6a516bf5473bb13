//! The example policies for HTTP, Kubernetes and SSH, held to what the labels of the corpora say.

use std::path::Path;

use hoopcore::command::{Asked, AskedOfSsh, AskedRequest};
use hoopcore::{Call, Identity, Policy, Request, Resource, SessionFacts, Timestamp, Verdict, Verified};
use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A column of labels, the policy that means it, and how many benign cases of the corpus it refuses at most: bodies of
/// Kubernetes are not inspected yet, and lines that a shell computes are not followed.
const POLICIES: [(&str, &str, &str, usize); 5] = [
    ("shell", "readonly_policy", "shell-readonly", 6),
    ("shell", "guard_policy", "shell-guard", 7),
    ("http_k8s", "viewer_policy", "kubernetes-viewer", 0),
    ("http_k8s", "developer_policy", "kubernetes-developer", 2),
    ("http_k8s", "policy", "http-api", 0),
];

#[test]
fn the_example_policies_keep_what_the_labels_say() {
    for (corpus, label, policy, may_be_refused) in POLICIES {
        check(&Path::new(ROOT).join(format!("corpora/{corpus}.jsonl")), label, policy, may_be_refused);
    }
}

#[test]
fn the_example_policies_keep_what_foreign_labels_say() {
    for (corpus, label, policy, may_be_refused) in POLICIES {
        check(&Path::new(ROOT).join(format!("../shared/corpora/{corpus}.jsonl")), label, policy, may_be_refused);
    }
}

fn check(path: &Path, label: &str, name: &str, may_be_refused: usize) {
    let Ok(text) = std::fs::read_to_string(path) else {
        return eprintln!("{} is not beside this clone: not tested", path.display());
    };
    let policy = std::fs::read_to_string(format!("{ROOT}/examples/policies/{name}.yaml")).unwrap();
    let policy = Policy::from_yaml(&policy).unwrap_or_else(|errors| panic!("{name}: {:#?}", errors.problems));
    let (mut let_through, mut refused, mut allowed) = (Vec::new(), Vec::new(), 0);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let Some(expected) = case["expected"][label].as_str() else { continue };
        let asked = asked(&case);
        match (expected, verdict(&policy, &asked) == Verdict::Block) {
            ("block", false) => let_through.push(format!("{}: {asked}", case["id"])),
            ("allow", true) => refused.push(format!("{}: {asked}", case["id"])),
            ("allow", false) => allowed += 1,
            _ => {}
        }
    }
    eprintln!(
        "{name}: {} let through; of {} benign refused {}: {refused:#?}",
        let_through.len(),
        allowed + refused.len(),
        refused.len()
    );
    assert!(let_through.is_empty(), "{name}: let through {let_through:#?}");
    assert!(refused.len() <= may_be_refused, "{name}: refused {refused:#?}");
    assert!(allowed > 0, "{name}: nothing is allowed");
}

fn asked(case: &Value) -> Asked {
    let input = &case["input"];
    match case["cat"].as_str() {
        None => Asked::Ssh(AskedOfSsh::Exec { line: input.as_str().unwrap().into(), terminal: false }),
        Some("k8s") => Asked::Kubernetes(request(input)),
        Some(_) => Asked::Http(request(input)),
    }
}

fn request(input: &Value) -> AskedRequest {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    AskedRequest {
        method: text(&input["method"]),
        uri: text(&input["uri"]),
        headers: input["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        body: Some(&input["body"]).filter(|body| !body.is_null()).map(text),
    }
}

fn verdict(policy: &Policy, asked: &Asked) -> Verdict {
    let who = Verified::vouched(Identity::named("dev").with_groups(["callers"]), "test");
    let on = Resource { kind: asked.kind(), ..Resource::postgres("target") };
    let (command, session) = (asked.command(), SessionFacts::default());
    let call = Call::new(&command, &session, Timestamp::UNIX_EPOCH);
    policy.evaluate(&Request { who: &who, on: &on, call }).verdict()
}
