//! What the corpora say about requests, against Kubernetes' own resolver.

use hoopcore::command::{Effects, Message, kubernetes};
use hoopcore::{Command, Coverage};
use serde_json::Value;

const FOREIGN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/kube_requestinfo.jsonl");

/// The object as Kubernetes' resolver tells it.
fn expected(case: &Value) -> String {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let verb = match (case["resource_request"].as_bool(), text("subresource")) {
        (Some(true), verb @ ("exec" | "attach" | "portforward" | "proxy")) => verb,
        _ => text("verb"),
    };
    if case["resource_request"].as_bool() != Some(true) {
        return format!("{verb} {}", text("path"));
    }
    let own = |key: &str| Some(text(key).to_owned()).filter(|text| !text.is_empty());
    let resource = kubernetes::Resource {
        group: text("group").into(),
        resource: text("resource").into(),
        subresource: own("subresource"),
        namespace: own("ns"),
        name: own("name"),
    };
    format!("{verb} {resource}")
}

#[test]
fn requests_are_what_kubernetes_sees() {
    let Ok(text) = std::fs::read_to_string(FOREIGN) else {
        return eprintln!("{FOREIGN} is not beside this clone: not tested");
    };
    let (mut same, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (method, uri) = (case["method"].as_str().unwrap(), case["uri"].as_str().unwrap());
        let command = Command::kubernetes(&Message::new(method, uri));
        let Effects::Kubernetes(effects) = command.what() else { panic!("Kubernetes") };
        let found = format!("{} {}", effects[0].verb.word(), effects[0]);
        match command.coverage() {
            Coverage::Full if found == expected(&case) => same += 1,
            Coverage::Full => wrong.push(format!("{method} {uri}: {found}, not {}", expected(&case))),
            Coverage::Partial(why) => refused.push(format!("{method} {uri}: {why}")),
        }
    }
    if std::env::var_os("SHOW_REFUSED").is_some() {
        refused.iter().for_each(|line| eprintln!("{line}"));
    }
    eprintln!("{same} as Kubernetes sees them, {} refused, {} otherwise", refused.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(same * 2 >= text.lines().count(), "few are read: {same}");
}
