//! The reference for HTTP, Kubernetes and SSH: what rules match, written a second time, and the laws over it.

use std::collections::BTreeSet;

use hoopcore::command::{Effects, Run, http, kubernetes, ssh};
use hoopcore::{
    Call, Command, Coverage, Identity, Outcome, Policy, Request, Resource, SessionFacts, Timestamp, Verdict, Verified,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{cases, useless};

type Kleene = Option<bool>;
type Words = Vec<&'static str>;

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    verdict: Verdict,
    rule: String,
    /// The approves that demand.
    demands: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Rule {
    name: String,
    /// Callers in this group, or anyone.
    group: Option<&'static str>,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Allow(Vec<Entry>),
    Block(Vec<Entry>),
    BlockAll,
    Approve(Vec<Entry>),
    Otherwise,
}

/// What one protocol of a rule matches.
#[derive(Clone, Debug)]
enum Entry {
    Http { verb: &'static str, paths: Words },
    Kubernetes { verbs: Words, resources: Words, namespaces: Words, names: Words, command: Words, pty: bool },
    Urls { verbs: Words, urls: Words },
    Ssh { verb: &'static str, patterns: Words, pty: bool },
}

#[derive(Clone, Debug)]
enum Asked {
    Http(Vec<http::Effect>),
    Kubernetes(Vec<kubernetes::Effect>),
    Ssh(Vec<ssh::Effect>),
}

/// One effect, of whatever protocol.
#[derive(Clone, Debug)]
enum One {
    Http(http::Effect),
    Kubernetes(kubernetes::Effect),
    Ssh(ssh::Effect),
}

#[derive(Clone, Debug)]
struct Question {
    groups: Option<Words>,
    asked: Asked,
}

impl Asked {
    fn each(&self) -> Vec<One> {
        match self {
            Self::Http(effects) => effects.iter().cloned().map(One::Http).collect(),
            Self::Kubernetes(effects) => effects.iter().cloned().map(One::Kubernetes).collect(),
            Self::Ssh(effects) => effects.iter().cloned().map(One::Ssh).collect(),
        }
    }

    fn command(&self) -> Command {
        let effects = match self {
            Self::Http(effects) => Effects::Http(effects.clone().into()),
            Self::Kubernetes(effects) => Effects::Kubernetes(effects.clone().into()),
            Self::Ssh(effects) => Effects::Ssh(effects.clone().into()),
        };
        Command::of("text", "text".into(), effects, Coverage::Full)
    }
}

impl One {
    fn is_unknown(&self) -> bool {
        match self {
            Self::Http(effect) => effect.verb == http::Verb::Unknown,
            Self::Kubernetes(effect) => effect.verb == kubernetes::Verb::Unknown,
            Self::Ssh(effect) => effect.verb == ssh::Verb::Unknown,
        }
    }
}

// The policy as text.

fn yaml(rules: &[Rule]) -> String {
    let rules: String = rules.iter().map(rule_yaml).collect();
    format!("hoop: 1\nrules:{}\n", if rules.is_empty() { " []".into() } else { format!("\n{rules}") })
}

fn rule_yaml(rule: &Rule) -> String {
    let who = rule.group.map_or("anyone".into(), |group| format!("{{ group: {group} }}"));
    let by = "\n    by: { group: dba }";
    let action = match &rule.action {
        Action::Allow(entries) => format!("allow: {}", entries_yaml(entries, false)),
        Action::Block(entries) => format!("block: {}", entries_yaml(entries, true)),
        Action::BlockAll => "block: all".into(),
        Action::Approve(entries) => format!("approve: {}{by}", entries_yaml(entries, false)),
        Action::Otherwise => format!("approve: otherwise{by}"),
    };
    format!("  - rule: {}\n    who: {who}\n    on: \"*\"\n    {action}\n", rule.name)
}

/// One entry of each protocol at most, but for Kubernetes.
fn entries_yaml(entries: &[Entry], is_block: bool) -> String {
    let (mut all, mut kubernetes) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Http { verb, paths } => all.push(format!("http: {{ {verb:?}: {paths:?} }}")),
            Entry::Kubernetes { verbs, resources, namespaces, names, command, pty } => {
                let list = |word, words: &Words| {
                    if words.is_empty() { String::new() } else { format!(", {word}: {words:?}") }
                };
                let more = list("namespaces", namespaces) + &list("names", names) + &list("command", command);
                let pty = if *pty && !is_block { ", pty: true" } else { "" };
                kubernetes.push(format!("{{ verbs: {verbs:?}, resources: {resources:?}{more}{pty} }}"));
            }
            Entry::Urls { verbs, urls } => {
                kubernetes.push(format!("{{ verbs: {verbs:?}, nonResourceURLs: {urls:?} }}"))
            }
            Entry::Ssh { verb: verb @ ("shell" | "unknown"), .. } => all.push(format!("ssh: {{ {verb}: true }}")),
            Entry::Ssh { verb: "*", .. } => all.push("ssh: \"*\"".into()),
            Entry::Ssh { verb, patterns, pty } => {
                let pty = if *pty && *verb == "run" && !is_block { ", pty: true" } else { "" };
                all.push(format!("ssh: {{ {verb}: {patterns:?}{pty} }}"));
            }
        }
    }
    if !kubernetes.is_empty() {
        all.push(format!("kubernetes: [{}]", kubernetes.join(", ")));
    }
    format!("{{ {} }}", all.join(", "))
}

// What it means.

fn evaluate(rules: &[Rule], question: &Question) -> Answer {
    let effects = question.asked.each();
    let reaching = |kind: fn(&Action) -> bool, wanted: fn(Kleene) -> bool| {
        let of_kind = rules.iter().filter(|rule| kind(&rule.action));
        let found = of_kind.filter(|rule| effects.iter().any(|one| wanted(reaches(rules, rule, question, one))));
        found.map(|rule| rule.name.clone()).collect::<BTreeSet<String>>()
    };
    let block = |rule: String| Answer { verdict: Verdict::Block, rule, demands: BTreeSet::new() };
    let may = |truth: Kleene| truth != Some(false);
    let is_block = |action: &Action| matches!(action, Action::Block(_) | Action::BlockAll);
    let is_approve = |action: &Action| matches!(action, Action::Approve(_) | Action::Otherwise);
    if let Some(first) = reaching(is_block, may).into_iter().next() {
        return block(first);
    }
    let covers = |one: &One| {
        let covering = rules.iter().filter(|rule| !is_block(&rule.action));
        covering.into_iter().any(|rule| reaches(rules, rule, question, one) == Some(true))
    };
    if !effects.iter().all(covers) {
        return block("default".into());
    }
    let demands = reaching(is_approve, may);
    if let Some(first) = demands.first().cloned() {
        return Answer { verdict: Verdict::Approve, rule: first, demands };
    }
    let allows = reaching(|action| matches!(action, Action::Allow(_)), |truth| truth == Some(true));
    Answer { verdict: Verdict::Allow, rule: allows.into_iter().next().unwrap_or("harmless".into()), demands }
}

fn reaches(rules: &[Rule], rule: &Rule, question: &Question, one: &One) -> Kleene {
    let who = match (rule.group, &question.groups) {
        (None, _) => Some(true),
        (Some(group), groups) => groups.as_ref().map(|groups| groups.contains(&group)),
    };
    let pattern = match &rule.action {
        Action::Allow(entries) | Action::Approve(entries) => {
            any(entries.iter().map(|entry| matches(entry, one, false)))
        }
        Action::Block(entries) => any(entries.iter().map(|entry| matches(entry, one, true))),
        Action::BlockAll => Some(true),
        Action::Otherwise => {
            let mut allows = rules.iter().filter(|rule| matches!(rule.action, Action::Allow(_)));
            Some(!one.is_unknown() && !allows.any(|allow| reaches(rules, allow, question, one) == Some(true)))
        }
    };
    all([who, pattern])
}

fn matches(entry: &Entry, one: &One, is_block: bool) -> Kleene {
    match (entry, one) {
        (Entry::Http { verb, paths }, One::Http(effect)) => {
            let group = match effect.verb {
                http::Verb::Get | http::Verb::Head | http::Verb::Options => "read",
                http::Verb::Unknown => "unknown",
                _ => "write",
            };
            let own = [effect.verb.word(), group].contains(verb) || *verb == "*" && (is_block || group != "unknown");
            let path = |template: &&str| effect.path.as_ref().map(|path| template_fits(template, path)).unwrap_or(None);
            all([Some(own), if paths.contains(&"*") { Some(true) } else { any(paths.iter().map(path)) }])
        }
        (Entry::Kubernetes { verbs, .. } | Entry::Urls { verbs, .. }, One::Kubernetes(effect)) => {
            let word = effect.verb.word();
            let own = verbs.contains(&word) || verbs.contains(&"*") && (is_block || word != "unknown");
            all([Some(own), object_fits(entry, effect, is_block)])
        }
        (Entry::Ssh { verb: "*", .. }, One::Ssh(effect)) => match &effect.object {
            ssh::Object::Run(run) => Some(command_fits("**", run, is_block) && (is_block || !run.terminal)),
            _ => Some(is_block || effect.verb != ssh::Verb::Unknown),
        },
        (Entry::Ssh { verb, .. }, One::Ssh(effect)) if *verb != effect.verb.word() => Some(false),
        (Entry::Ssh { patterns, pty, .. }, One::Ssh(effect)) => match &effect.object {
            ssh::Object::Run(run) => {
                let terminal = is_block || *pty || !run.terminal;
                Some(terminal && patterns.iter().any(|pattern| command_fits(pattern, run, is_block)))
            }
            ssh::Object::Path(path) => any(patterns.iter().map(|pattern| path_fits(pattern, path))),
            ssh::Object::Address { .. } => panic!("no addresses here"),
            ssh::Object::Any => Some(true),
        },
        _ => Some(false),
    }
}

/// Exactly, or perhaps where case and a slash at the end are left out of account.
fn template_fits(template: &str, path: &str) -> Kleene {
    let fits = |template: &str, path: &str| {
        let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
        let rest = template.last() == Some(&"**");
        let named = &template[..template.len() - usize::from(rest)];
        let one = |(named, given): (&&str, &&str)| named == given || named.starts_with('{') && !given.is_empty();
        (path.len() == named.len() || rest && path.len() > named.len()) && named.iter().zip(&path).all(one)
    };
    let blurred = |text: &str| text.to_lowercase().trim_end_matches('/').to_string();
    if fits(template, path) {
        return Some(true);
    }
    if fits(&blurred(template), &blurred(path)) { None } else { Some(false) }
}

fn object_fits(entry: &Entry, effect: &kubernetes::Effect, is_block: bool) -> Kleene {
    let resource = match (entry, &effect.object) {
        (_, kubernetes::Object::Any) => return None,
        (Entry::Urls { urls, .. }, kubernetes::Object::Url(path)) => {
            let fits = |url: &&str| url.strip_suffix('*').map_or(**url == **path, |start| path.starts_with(start));
            return Some(urls.iter().any(fits));
        }
        (Entry::Kubernetes { .. }, kubernetes::Object::Resource(resource)) => resource,
        _ => return Some(false),
    };
    let Entry::Kubernetes { resources, namespaces, names, command, pty, .. } = entry else { panic!("an entry") };
    let written = |resource: &kubernetes::Resource| {
        let group = if resource.group.is_empty() { String::new() } else { format!(".{}", resource.group) };
        let part = resource.subresource.as_ref().map(|part| format!("/{part}")).unwrap_or_default();
        format!("{}{group}{part}", resource.resource)
    };
    let is_named = resources.iter().any(|pattern| match *pattern {
        "*" => true,
        "pods/*" => resource.resource == "pods" && resource.group.is_empty() && resource.subresource.is_some(),
        "*.apps" => resource.group == "apps",
        pattern => pattern == written(resource),
    });
    let namespace = match &resource.namespace {
        _ if namespaces.is_empty() => Some(true),
        Some(namespace) => Some(namespaces.iter().any(|one| *one == "*" || one == namespace)),
        None if namespaces.contains(&"*") => Some(true),
        None if resource.resource == "nodes" => Some(false),
        None => None,
    };
    let name = match &resource.name {
        _ if names.is_empty() => Some(true),
        Some(name) => Some(names.iter().any(|one| one == name)),
        None => None,
    };
    let run = match &effect.command {
        _ if command.is_empty() => Some(true),
        Some(run) => {
            let terminal = is_block || *pty || !run.terminal;
            Some(terminal && command.iter().any(|pattern| command_fits(pattern, run, is_block)))
        }
        None => (effect.verb != kubernetes::Verb::Attach).then_some(false),
    };
    all([Some(is_named), namespace, name, run])
}

fn command_fits(pattern: &str, run: &Run, is_block: bool) -> bool {
    let words: Vec<&str> = pattern.split(' ').collect();
    if !is_block && run.opaque && pattern.contains('*') {
        return false;
    }
    let wild = |word: &str| is_block || !word.starts_with('-');
    let one = |at: usize, pattern: &str, word: &str| match pattern {
        "*" => wild(word),
        "{ls,df}" => ["ls", "df"]
            .into_iter()
            .any(|name| name == word || is_block && at == 0 && word.ends_with(&format!("/{name}"))),
        "*.log" => word.ends_with(".log") && (is_block || wild(word) && !word.contains('/')),
        name => name == word || is_block && at == 0 && word.ends_with(&format!("/{name}")),
    };
    let rest = words.last() == Some(&"**");
    let named = &words[..words.len() - usize::from(rest)];
    let fits = run.argv.len() == named.len() || rest && run.argv.len() > named.len();
    fits && named.iter().zip(&run.argv).enumerate().all(|(at, (pattern, word))| one(at, pattern, word))
        && run.argv[named.len()..].iter().all(|word| wild(word))
}

fn path_fits(pattern: &str, path: &str) -> Kleene {
    if pattern == "/**" {
        return Some(true);
    }
    if !path.starts_with('/') || path.contains("..") {
        return None;
    }
    match pattern.strip_suffix("/**") {
        Some(start) => Some(path == start || path.starts_with(&format!("{start}/"))),
        None => Some(pattern == path),
    }
}

fn all(facts: impl IntoIterator<Item = Kleene>) -> Kleene {
    let facts: Vec<Kleene> = facts.into_iter().collect();
    if facts.contains(&Some(false)) { Some(false) } else { (!facts.contains(&None)).then_some(true) }
}

fn any(facts: impl IntoIterator<Item = Kleene>) -> Kleene {
    all(facts.into_iter().map(|fact| fact.map(|truth| !truth))).map(|truth| !truth)
}

// A small world, so that rules and requests meet.

fn words(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Words> {
    vec(select(of), 1..=most)
}

fn maybe(of: &'static [&'static str]) -> impl Strategy<Value = Words> {
    prop_oneof![2 => Just(vec![]), 1 => words(of, 2)]
}

const COMMANDS: [&str; 8] = ["**", "ls", "ls **", "ls *", "{ls,df} -l", "cat *.log", "sh -c", "sh *"];

fn entry() -> impl Strategy<Value = Entry> {
    let http = (
        select(vec!["GET", "POST", "read", "write", "*", "unknown"]),
        words(&["*", "/a", "/a/", "/a/{x}", "/a/**", "/**", "/A/b", "/{x}/b"], 2),
    );
    let verbs = || words(&["get", "list", "delete", "exec", "attach", "*", "unknown"], 3);
    let kubernetes = (
        verbs(),
        words(&["*", "pods", "pods/*", "pods/exec", "*.apps", "deployments.apps", "nodes"], 2),
        maybe(&["n1", "n2", "*"]),
        maybe(&["o1", "o2"]),
        maybe(&COMMANDS),
        prop::bool::ANY,
    );
    let ssh = prop_oneof![
        4 => (words(&COMMANDS, 2), prop::bool::ANY).prop_map(|(patterns, pty)| Entry::Ssh { verb: "run", patterns, pty }),
        2 => (select(vec!["read", "write"]), words(&["/**", "/a", "/a/**", "/a/b"], 2))
            .prop_map(|(verb, patterns)| Entry::Ssh { verb, patterns, pty: false }),
        2 => select(vec!["shell", "unknown", "*"]).prop_map(|verb| Entry::Ssh { verb, patterns: vec![], pty: false }),
    ];
    prop_oneof![
        http.prop_map(|(verb, paths)| Entry::Http { verb, paths }),
        kubernetes.prop_map(|(verbs, resources, namespaces, names, command, pty)| Entry::Kubernetes {
            verbs,
            resources,
            namespaces,
            names,
            command,
            pty
        }),
        (verbs(), words(&["*", "/u", "/u/*"], 2)).prop_map(|(verbs, urls)| Entry::Urls { verbs, urls }),
        ssh,
    ]
}

/// One entry of each protocol: a key stands once in a map.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    vec(entry(), 1..4).prop_map(|mut entries| {
        let mut seen = BTreeSet::new();
        entries.retain(|entry| match entry {
            Entry::Http { .. } => seen.insert("http"),
            Entry::Ssh { .. } => seen.insert("ssh"),
            Entry::Kubernetes { .. } | Entry::Urls { .. } => true,
        });
        entries
    })
}

fn allow() -> impl Strategy<Value = Action> {
    entries().prop_map(Action::Allow)
}

fn block() -> impl Strategy<Value = Action> {
    prop_oneof![8 => entries().prop_map(Action::Block), 1 => Just(Action::BlockAll)]
}

fn approve() -> impl Strategy<Value = Action> {
    prop_oneof![3 => entries().prop_map(Action::Approve), 1 => Just(Action::Otherwise)]
}

fn rule(action: impl Strategy<Value = Action>) -> impl Strategy<Value = Rule> {
    let group = prop_oneof![3 => Just(None), 1 => select(vec!["g1", "g2"]).prop_map(Some)];
    (group, action).prop_map(|(group, action)| Rule { name: "z".into(), group, action })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let action = prop_oneof![6 => allow(), 1 => block(), 2 => approve()];
    vec(rule(action), 1..7).prop_map(|rules| {
        let name = |at: usize| format!("{}-{at}", ["m", "c", "x", "a"][at % 4]);
        rules.into_iter().enumerate().map(|(at, rule)| Rule { name: name(at), ..rule }).collect()
    })
}

fn run() -> impl Strategy<Value = Run> {
    let argv = select(vec![
        vec!["ls"],
        vec!["ls", "-l"],
        vec!["ls", "a"],
        vec!["/bin/ls", "a"],
        vec!["df", "-l"],
        vec!["cat", "a.log"],
        vec!["cat", "b/a.log"],
        vec!["cat", "-a.log"],
    ]);
    let plain = argv.prop_map(|argv| (argv, false));
    let opaque = select(vec![vec!["sh"], vec!["sh", "-c"], vec!["sh", "x"]]).prop_map(|argv| (argv, true));
    (prop_oneof![3 => plain, 1 => opaque], prop::bool::weighted(0.2)).prop_map(|((argv, opaque), terminal)| Run {
        terminal,
        opaque,
        ..Run::new(argv)
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let path = select(vec!["/", "/a", "/a/", "/A", "/a/b", "/a/B", "/a/b/c", "/c/b"]);
    let http = (select(&http::Verb::ALL[..]), path).prop_map(|(verb, path)| match verb {
        http::Verb::Unknown => http::Effect::unknown(),
        verb => http::Effect::new(verb, path),
    });
    let ssh = prop_oneof![
        5 => run().prop_map(|run| ssh::Effect { verb: ssh::Verb::Run, object: ssh::Object::Run(run) }),
        2 => (select(vec![ssh::Verb::Read, ssh::Verb::Write]), select(vec!["/a", "/a/b", "/ab", "a", "/a/../c"]))
            .prop_map(|(verb, path)| ssh::Effect::on_path(verb, path)),
        1 => Just(ssh::Effect::of(ssh::Verb::Shell)),
        1 => Just(ssh::Effect::unknown()),
    ];
    prop_oneof![
        vec(http, 1..3).prop_map(Asked::Http),
        vec(kubernetes_effect(), 1..3).prop_map(Asked::Kubernetes),
        vec(ssh, 1..3).prop_map(Asked::Ssh),
    ]
}

fn kubernetes_effect() -> impl Strategy<Value = kubernetes::Effect> {
    use kubernetes::Verb;
    let what = select(vec![
        ("pods", "", None),
        ("pods", "", Some("exec")),
        ("deployments", "apps", None),
        ("nodes", "", None),
    ]);
    let place = (option::of(select(vec!["n1", "n2"])), option::of(select(vec!["o1", "o3"])));
    let verb = select(vec![Verb::Get, Verb::List, Verb::Delete, Verb::Exec, Verb::Attach]);
    let resource =
        (verb, what, place, option::of(run())).prop_map(|(verb, (resource, group, part), (namespace, name), run)| {
            let resource = kubernetes::Resource {
                group: group.into(),
                resource: resource.into(),
                subresource: part.map(String::from),
                namespace: namespace.map(String::from),
                name: name.map(String::from),
            };
            let command = run.filter(|_| verb == Verb::Exec);
            kubernetes::Effect { command, ..kubernetes::Effect::on(verb, resource) }
        });
    let url = (select(vec![Verb::Get, Verb::Delete]), select(vec!["/u", "/u/v", "/w"])).prop_map(|(verb, url)| {
        kubernetes::Effect { verb, object: kubernetes::Object::Url(url.into()), command: None }
    });
    prop_oneof![6 => resource, 2 => url, 1 => Just(kubernetes::Effect::unknown())]
}

fn question() -> impl Strategy<Value = Question> {
    let groups = option::of(prop_oneof![Just(vec![]), Just(vec!["g1"]), Just(vec!["g1", "g2"])]);
    (groups, asked()).prop_map(|(groups, asked)| Question { groups, asked })
}

// The engine, and the laws.

fn engine(rules: &[Rule], question: &Question) -> Answer {
    let text = yaml(rules);
    let policy = Policy::from_yaml(&text).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"));
    let mut who = Identity::named("u");
    who.groups = question.groups.as_ref().map(|groups| groups.iter().map(ToString::to_string).collect());
    let who = Verified::vouched(who, "test");
    let (on, command, facts) = (Resource::postgres("r"), question.asked.command(), SessionFacts::default());
    let call = Call::new(&command, &facts, Timestamp::UNIX_EPOCH);
    let decision = policy.evaluate(&Request { who: &who, on: &on, call });
    let (verdict, rule) = (decision.verdict(), decision.explanation().rule.name.to_string());
    assert_eq!(policy.session(&who, &on).verdict(&call), verdict, "the bare verdict");
    let demands = match decision.record(|_| Ok::<(), String>(())) {
        Outcome::Approve(pending) => pending.demands().iter().map(|demand| demand.rule.name.to_string()).collect(),
        Outcome::Allow(_) | Outcome::Block(_) => BTreeSet::new(),
    };
    Answer { verdict, rule, demands }
}

fn with(rules: &[Rule], rule: Rule) -> Vec<Rule> {
    rules.iter().cloned().chain([rule]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn engine_and_reference_agree_on_every_protocol(rules in rules(), question in question()) {
        prop_assert_eq!(engine(&rules, &question), evaluate(&rules, &question), "\n{}\n{:#?}", yaml(&rules), question);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 3, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_block_makes_no_request_freer(rules in rules(), rule in rule(block()), question in question()) {
        prop_assert!(engine(&with(&rules, rule), &question).verdict >= engine(&rules, &question).verdict);
    }

    #[test]
    fn an_allow_makes_no_request_stricter(rules in rules(), rule in rule(allow()), question in question()) {
        prop_assert!(engine(&with(&rules, rule), &question).verdict <= engine(&rules, &question).verdict);
    }

    #[test]
    fn an_approve_removes_no_demand_of_a_request(rules in rules(), rule in rule(approve()), question in question()) {
        let (before, after) = (engine(&rules, &question), engine(&with(&rules, rule), &question));
        prop_assert!(after.demands.is_superset(&before.demands) || after.verdict == Verdict::Block);
        prop_assert!(before.verdict != Verdict::Block || before.rule == "default" || after.verdict == Verdict::Block);
    }

    #[test]
    fn groups_that_are_not_known_make_no_request_freer(rules in rules(), question in question()) {
        let forgotten = Question { groups: None, ..question.clone() };
        prop_assert!(engine(&rules, &forgotten).verdict >= engine(&rules, &question).verdict);
    }

    #[test]
    fn order_means_nothing_to_requests(rules in rules(), question in question()) {
        let reversed: Vec<Rule> = rules.iter().rev().cloned().collect();
        prop_assert_eq!(engine(&rules, &question), engine(&reversed, &question));
    }

    #[test]
    fn what_does_nothing_to_requests_can_go(rules in rules(), question in question()) {
        let compiled = Policy::from_yaml(&yaml(&rules)).unwrap();
        let before = engine(&rules, &question);
        for name in useless(&compiled) {
            let left: Vec<Rule> = rules.iter().filter(|rule| rule.name != name).cloned().collect();
            let after = engine(&left, &question);
            prop_assert_eq!(after.verdict, before.verdict, "without {} of\n{}\n{:#?}", name, yaml(&rules), question);
        }
    }
}
