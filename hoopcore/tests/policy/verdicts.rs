//! Verdicts by the cases of `verdicts.txt` and `protocols.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hoopcore::identity::IdentityKind;
use hoopcore::request::Exposures;
use hoopcore::{Call, Identity, Policy, Request, Resource, SessionFacts, Timestamp, Verified};

use crate::effects::command;

/// Who asks, on what and in which circumstances, until a line changes it.
struct Setting {
    who: Identity,
    on: Resource,
    facts: SessionFacts,
    parameters: Option<Vec<Option<String>>>,
    source: Option<std::net::IpAddr>,
    now: Timestamp,
}

impl Default for Setting {
    fn default() -> Self {
        let on = Resource::postgres("db").with_labels(BTreeMap::new());
        let now = "2026-11-24T09:00:00Z".parse().unwrap();
        let who = Identity::named("etl").with_groups(["jobs"]);
        Self { who, on, facts: SessionFacts::default(), parameters: None, source: None, now }
    }
}

impl Setting {
    /// A line such as `as lea kind=human groups=dba,ops`.
    fn set(&mut self, line: &str) -> bool {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "as" => self.identity(rest),
            "on" => self.resource(rest),
            "path" => self.facts.search_path = list(rest),
            "shadows" => self.facts.shadows = Arc::new(list(rest).into_iter().collect()),
            "prepared" => insert(&mut self.facts.prepared, rest),
            "cursor" => insert(&mut self.facts.cursors, rest),
            "exposures" if rest == "none" => self.facts.exposures = Exposures::Known(Arc::new([])),
            "parameters" => {
                self.parameters = Some(list(rest).into_iter().map(|v| (v != "NULL").then_some(v)).collect())
            }
            "source" => self.source = Some(rest.parse().unwrap()),
            "now" => self.now = rest.parse().unwrap(),
            _ => return false,
        }
        true
    }

    fn identity(&mut self, text: &str) {
        let mut words = text.split(' ');
        self.who = Identity::named(words.next().unwrap());
        for word in words {
            match word.split_once('=').unwrap() {
                ("kind", "human") => self.who.kind = Some(IdentityKind::Human),
                ("kind", "workload") => self.who.kind = Some(IdentityKind::Workload),
                ("issuer", issuer) => self.who.issuer = Some(issuer.into()),
                ("groups", groups) => self.who.groups = Some(list(groups).into_iter().collect::<BTreeSet<_>>()),
                (claim, value) => drop(self.who.claims.insert(claim.into(), value.into())),
            }
        }
    }

    fn resource(&mut self, text: &str) {
        let mut words = text.split(' ');
        self.on = Resource::postgres(words.next().unwrap());
        for word in words {
            match word.split_once('=').unwrap() {
                ("database", name) => self.on.database = Some(name.into()),
                (label, value) => drop(self.on.labels.get_or_insert_default().insert(label.into(), value.into())),
            }
        }
    }

    /// `verdict rule`, and `[masked columns]` where there are any.
    fn decide(&self, policy: &Policy, text: &str) -> String {
        let who = Verified::vouched(self.who.clone(), "test");
        let (command, call_parameters) = (command(text), self.parameters.as_ref().map(|bound| bound as _));
        let call =
            Call { parameters: call_parameters, source: self.source, ..Call::new(&command, &self.facts, self.now) };
        let decision = policy.evaluate(&Request { who: &who, on: &self.on, call });
        let explanation = decision.explanation();
        let verdict = policy.session(&who, &self.on).verdict(&call);
        assert_eq!(verdict, explanation.verdict, "the bare verdict of `{text}`");
        let masked: Vec<&str> = explanation.masks.iter().map(|mask| mask.column.as_str()).collect();
        let shown = if masked.is_empty() { String::new() } else { format!(" [{}]", masked.join(" ")) };
        format!("{} {}{shown}", explanation.verdict, explanation.rule.name)
    }

    /// `refused rule` or `fine`, as it comes out when the command is prepared.
    fn prepare(&self, policy: &Policy, text: &str) -> String {
        let who = Verified::vouched(self.who.clone(), "test");
        let command = command(text);
        let call = Call { source: self.source, ..Call::new(&command, &self.facts, self.now) };
        match policy.session(&who, &self.on).prepare(&call) {
            Some(decision) => format!("refused {}", decision.explanation().rule.name),
            None => "fine".into(),
        }
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(String::from).collect()
}

fn insert(map: &mut BTreeMap<String, hoopcore::Command>, text: &str) {
    let (name, effects) = text.split_once(' ').unwrap();
    map.insert(name.into(), command(effects));
}

/// Blocks begin with `# title`, hold a policy, then `---`, then lines that set the scene or are cases.
fn check(blocks: &str) {
    let mut wrong = Vec::new();
    for (at, block) in blocks.split("\n# ").enumerate().skip(1) {
        let (title, rest) = block.split_once('\n').unwrap();
        let (policy, cases) = rest.split_once("\n---\n").unwrap_or_else(|| panic!("block {at}: {title}"));
        let policy = Policy::from_yaml(policy).unwrap_or_else(|errors| panic!("{title}: {:#?}", errors.problems));
        let mut setting = Setting::default();
        for line in cases.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line == "reset" {
                setting = Setting::default();
            } else if let Some((effects, expected)) = line.split_once("=>") {
                let found = match effects.trim().strip_prefix("prepare ") {
                    Some(effects) => setting.prepare(&policy, effects),
                    None => setting.decide(&policy, effects.trim()),
                };
                if found != expected.trim() {
                    wrong.push(format!("{title}: {} => {found}, not {}", effects.trim(), expected.trim()));
                }
            } else {
                assert!(setting.set(line), "{title}: `{line}`");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn verdicts() {
    check(include_str!("verdicts.txt"));
}

#[test]
fn verdicts_on_http_kubernetes_and_ssh() {
    check(include_str!("protocols.txt"));
}
