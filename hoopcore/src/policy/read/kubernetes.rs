//! Reads what requests to a Kubernetes API server a rule matches, in the words of RBAC.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Fields, Reader};
use crate::command::kubernetes::{Verb, group_of};
use crate::policy::grammar;
use crate::policy::node::{Node, Value};
use crate::policy::pattern::Glob;
use crate::policy::reach::kubernetes::{Objects, ResourcePattern, UrlPattern, What};
use crate::policy::reach::{ArgvPattern, KubernetesReach, Sense, VerbSet};

/// Keys that say more about `resources`.
const OF_RESOURCES: [&str; 4] = ["namespaces", "names", "command", "pty"];
const WRITES: [Verb; 9] = [
    Verb::Create,
    Verb::Update,
    Verb::Patch,
    Verb::Delete,
    Verb::DeleteCollection,
    Verb::Exec,
    Verb::Attach,
    Verb::PortForward,
    Verb::Proxy,
];
/// What people write for a verb.
const SYNONYMS: [(&str, &str); 6] = [
    ("read", "get"),
    ("logs", "get"),
    ("apply", "patch"),
    ("edit", "patch"),
    ("port-forward", "portforward"),
    ("remove", "delete"),
];
/// What people write for a built-in resource.
const SINGULAR: [(&str, &str); 8] = [
    ("pod", "pods"),
    ("service", "services"),
    ("secret", "secrets"),
    ("configmap", "configmaps"),
    ("node", "nodes"),
    ("namespace", "namespaces"),
    ("deployment", "deployments.apps"),
    ("job", "jobs.batch"),
];

impl Reader {
    /// What stands after `kubernetes:`: maps in the words of RBAC, or verbs on everything.
    pub(super) fn kubernetes(&mut self, node: &Node<'_>, sense: Sense) -> Box<[KubernetesReach]> {
        if node.items().is_empty() {
            self.empty::<()>(node.at, "`kubernetes`");
        }
        let mut reaches = Vec::new();
        for item in node.items() {
            match &item.value {
                Value::Map(_) => reaches.extend(self.kubernetes_entry(item, sense)),
                Value::Text(_) | Value::Empty | Value::List(_) => {
                    let verbs = self.kubernetes_verbs(item, sense);
                    self.warn_of_writes(verbs, &What::Everything, item, sense);
                    reaches.push(KubernetesReach { verbs, what: What::Everything });
                }
            }
        }
        reaches.into()
    }

    fn kubernetes_entry(&mut self, node: &Node<'_>, sense: Sense) -> Option<KubernetesReach> {
        let fields = self.fields(node, &grammar::KUBERNETES_RULE)?;
        let verbs = fields.get("verbs").map(|verbs| self.kubernetes_verbs(verbs, sense));
        let what = match (fields.get("resources"), fields.get("nonResourceURLs")) {
            (Some(resources), None) => What::Objects(Box::new(self.objects(&fields, resources, sense))),
            (None, Some(urls)) => {
                for (name, key, _) in fields.entries.iter().filter(|(name, ..)| OF_RESOURCES.contains(name)) {
                    self.problems.error(key.at, format!("`{name}` belongs to `resources`"));
                }
                What::Urls(self.patterns(urls, "path", UrlPattern::parse))
            }
            (None, None) if fields.seems_to_have("resources") || fields.seems_to_have("nonResourceURLs") => {
                return None;
            }
            (None, None) | (Some(_), Some(_)) => {
                let problem =
                    self.problems.error(node.at, "an entry names `resources` or `nonResourceURLs`, one of them");
                problem.help =
                    Some("for every resource write `resources: \"*\"`; for both kinds write two entries".to_string());
                return None;
            }
        };
        self.warn_of_writes(verbs?, &what, node, sense);
        Some(KubernetesReach { verbs: verbs?, what })
    }

    fn warn_of_writes(&mut self, verbs: VerbSet<Verb>, what: &What, node: &Node<'_>, sense: Sense) {
        let is_every = match what {
            What::Everything => true,
            What::Objects(objects) => objects.resources.iter().any(ResourcePattern::is_every),
            What::Urls(_) => false,
        };
        if is_every && sense == Sense::Covers && WRITES.into_iter().any(|verb| verbs.has(verb)) {
            self.problems.warning(node.at, "a write on every resource").help =
                Some("name the resources where you can".to_string());
        }
    }

    fn objects(&mut self, fields: &Fields<'_>, resources: &Node<'_>, sense: Sense) -> Objects {
        let terminal = fields.entry("pty").is_some_and(|(key, node)| self.terminal(key, node, sense));
        let glob = |text: &str| Ok(Glob::new(text));
        Objects {
            resources: self.resources(resources),
            namespaces: fields.get("namespaces").map(|node| self.patterns(node, "namespace", glob)),
            names: fields.get("names").map(|node| self.patterns(node, "name", glob)),
            command: fields.get("command").map(|node| self.commands(node, sense)),
            terminal: terminal || sense == Sense::Refuses,
        }
    }

    /// Patterns on the words of a command.
    pub(super) fn commands(&mut self, node: &Node<'_>, sense: Sense) -> Box<[ArgvPattern]> {
        self.patterns(node, "command pattern", |text| ArgvPattern::parse(text, sense))
    }

    /// `pty: true`: what is run may have a terminal. A block reaches it with one or without.
    pub(super) fn terminal(&mut self, key: &Node<'_>, node: &Node<'_>, sense: Sense) -> bool {
        if sense == Sense::Refuses {
            self.problems.error(key.at, "`pty` belongs to an allow or approve").help =
                Some("a block reaches commands with a terminal or without".to_string());
        }
        self.flag(node, "`pty`")
    }

    fn resources(&mut self, node: &Node<'_>) -> Box<[ResourcePattern]> {
        for (text, at) in self.texts(node, "a resource") {
            let (name, part) = text.split_once('/').map_or((&*text, ""), |(name, _)| text.split_at(name.len()));
            let plural = SINGULAR.iter().find(|(singular, _)| *singular == name).map(|(_, plural)| plural.to_string());
            let Some(meant) = plural.or_else(|| group_of(name).map(|group| format!("{name}.{group}"))) else {
                continue;
            };
            let problem = self.problems.error(at, format!("there is no resource `{name}` in the core group"));
            problem.label = Some(format!("did you mean `{meant}{part}`?"));
        }
        self.patterns(node, "resource", ResourcePattern::parse)
    }

    fn kubernetes_verbs(&mut self, node: &Node<'_>, sense: Sense) -> VerbSet<Verb> {
        let mut verbs = VerbSet::none();
        for (word, at) in self.texts(node, "a verb") {
            let Some(set) = self.verb_set::<Verb>(&word, at, "kubernetes", sense) else {
                if let Some((_, verb)) = SYNONYMS.iter().find(|(other, _)| **other == *word) {
                    self.problems.label_with(format!("did you mean `{verb}`?"));
                }
                continue;
            };
            if set.has(Verb::Unknown) && sense == Sense::Covers {
                self.warn_of_unknown(at);
            }
            verbs = Verb::ALL.iter().copied().filter(|verb| set.has(*verb)).fold(verbs, VerbSet::with);
        }
        verbs
    }
}
