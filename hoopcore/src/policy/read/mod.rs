//! Reads trees into checked rules, and reports every problem on the way.

mod action;
mod asked;
mod conditions;
mod expect;
mod facts;
mod home;
mod http;
mod kubernetes;
mod limits;
mod names;
mod normal;
mod reach;
mod sets;
mod ssh;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::expectation::Expectation;
use super::grammar::{self, Map, Meanings};
use super::index::Texts;
use super::node::{Node, Place, Value};
use super::problem::{PolicyErrors, Problem, Problems, shorten};
use super::rule::{Condition, OnFact, Rule, Written};
use super::{Glob, Mention, Mentioned, shipped, yaml};
use crate::command::Digest;
use crate::decision::RuleRef;
use crate::mask::Keyring;
use crate::resource::ResourceKind;
use crate::truth::Truth;
use sets::Sets;

/// What the files of a policy hold.
pub(super) struct Document {
    pub(super) rules: Vec<Rule>,
    pub(super) expectations: Vec<Expectation>,
    pub(super) mentions: Vec<Mention>,
    pub(super) warnings: Problems,
    pub(super) digest: Digest,
}

/// Reads the files of one policy.
pub(super) fn read(files: &[(Option<&str>, &str)], keys: Option<&Keyring>) -> Result<Document, PolicyErrors> {
    let mut reader = Reader { keys: keys.cloned(), ..Reader::default() };
    let trees: Vec<_> = files.iter().filter_map(|(name, text)| reader.tree(name.map(Arc::from), text)).collect();
    reader.read(&trees.iter().map(|(file, tree)| (file.clone(), tree)).collect::<Vec<_>>())
}

/// Reads the tree of a policy of one file.
pub(super) fn read_tree(tree: &Node<'_>) -> Result<Document, PolicyErrors> {
    Reader::default().read(&[(None, tree)])
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    problems: Problems,
    /// Keys of pseudonyms and shifts, where those who load the policy have any.
    keys: Option<Keyring>,
    /// The texts of rules, each once: the same names stand in many rules.
    shared: Texts,
    sets: Sets,
    /// Whether what is read now are tests: what stands there is no rule's.
    tests: bool,
    names: RuleNames,
    mentions: Vec<Mention>,
    rules: Vec<Rule>,
    expectations: Vec<Expectation>,
}

/// The names of rules.
#[derive(Default)]
struct RuleNames {
    texts: Texts,
    rules: Vec<RuleRef>,
}

impl RuleNames {
    /// Whether a rule has that name.
    fn has(&self, name: &str) -> bool {
        self.texts.find(name).is_some()
    }

    /// Takes down a rule, or gives the one that has its name already.
    fn add(&mut self, rule: &RuleRef) -> Option<&RuleRef> {
        let number = self.texts.add(Arc::clone(&rule.name)) as usize;
        if number <= self.rules.len() {
            return self.rules.get(number - 1);
        }
        self.rules.push(rule.clone());
        None
    }

    /// All of them in their order.
    fn sorted(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.rules.iter().map(|rule| &*rule.name).collect();
        names.sort_unstable();
        names
    }
}

/// A map whose keys are known words, each there at most once.
struct Fields<'n> {
    at: Place,
    entries: Vec<(&'n str, &'n Node<'n>, &'n Node<'n>)>,
    /// Known keys that unknown ones were probably meant to be: that they are missing was said already.
    meant: Vec<String>,
}

impl<'n> Fields<'n> {
    fn get(&self, name: &str) -> Option<&'n Node<'n>> {
        self.entry(name).map(|(_, value)| value)
    }

    /// Whether a key is there, perhaps misspelt.
    fn seems_to_have(&self, name: &str) -> bool {
        self.get(name).is_some() || self.meant.iter().any(|meant| meant == name)
    }

    fn entry(&self, name: &str) -> Option<(&'n Node<'n>, &'n Node<'n>)> {
        self.entries.iter().find(|(key, ..)| *key == name).map(|(_, key, value)| (*key, *value))
    }
}

/// How many keys are looked through one by one.
const FEW: usize = 16;

/// Which keys of a map were met: maps of a few keys, which are most, need no set for that.
#[derive(Default)]
struct Seen<'n>(BTreeSet<&'n str>);

impl<'n> Seen<'n> {
    /// Whether a key stood there before, among those that were kept.
    fn before(&mut self, name: &'n str, kept: &[(&'n str, &'n Node<'n>, &'n Node<'n>)]) -> bool {
        if kept.len() < FEW {
            return kept.iter().any(|(known, ..)| *known == name);
        }
        if self.0.is_empty() {
            self.0.extend(kept.iter().map(|(known, ..)| *known));
        }
        !self.0.insert(name)
    }
}

impl Reader {
    fn read(mut self, trees: &[(Option<Arc<str>>, &Node<'_>)]) -> Result<Document, PolicyErrors> {
        let mut sets = Vec::new();
        for (file, tree) in trees {
            self.problems.enter(file.clone());
            self.definitions(tree, &mut sets);
        }
        self.sets(&sets);
        for (file, tree) in trees {
            self.problems.enter(file.clone());
            self.document(tree);
        }
        self.tests = true;
        for (file, tree) in trees {
            self.problems.enter(file.clone());
            self.expectations(tree);
        }
        self.unused_sets(&sets);
        if let Some((file, _)) = trees.first() {
            self.problems.enter(file.clone());
            self.overall();
        }
        self.finish(trees)
    }

    fn tree<'t>(&mut self, file: Option<Arc<str>>, text: &'t str) -> Option<(Option<Arc<str>>, Node<'t>)> {
        self.problems.enter(file.clone());
        match yaml::parse(text) {
            Ok(tree) => Some((file, tree)),
            Err(malformed) => {
                let problem = self.problems.error(malformed.at, malformed.message);
                problem.help = malformed.help;
                None
            }
        }
    }

    fn finish(self, trees: &[(Option<Arc<str>>, &Node<'_>)]) -> Result<Document, PolicyErrors> {
        let warnings = self.problems;
        if warnings.has_errors() {
            return Err(PolicyErrors { problems: warnings.in_order() });
        }
        let digest = normal::digest(trees.iter().map(|(_, tree)| *tree), &self.sets);
        let mut rules = self.rules;
        rules.sort_by(|a, b| a.at.name.cmp(&b.at.name));
        let (expectations, mentions) = (self.expectations, self.mentions);
        Ok(Document { rules, expectations, mentions, warnings, digest })
    }

    fn document(&mut self, tree: &Node<'_>) {
        if matches!(tree.value, Value::Empty) {
            let problem = self.problems.error(Place::START, "the file is empty");
            problem.help = Some("a policy begins with `hoop: 1`".to_string());
            return;
        }
        let Some(fields) = self.fields(tree, &grammar::FILE) else { return };
        self.version(&fields);
        let rules = fields.get("rules").map(|rules| self.list(rules, "`rules`", "begin each with `- rule: name`"));
        let rules = rules.unwrap_or_default();
        self.rules.reserve(rules.len());
        let mut told = false;
        for rule in rules {
            if self.is_no_rule(rule, &mut told) {
                continue;
            }
            match self.apart(rule) {
                Some(several) => several.iter().for_each(|rule| self.rule(rule)),
                None => self.rule(rule),
            }
        }
    }

    /// The cases may name rules of any file, so they are read when all rules are.
    fn expectations(&mut self, tree: &Node<'_>) {
        let Value::Map(entries) = &tree.value else { return };
        for (_, cases) in entries.iter().filter(|(key, _)| key.text() == Some("expect")) {
            for case in self.list(cases, "`expect`", "begin each case with `- as: { user: name }`") {
                self.expectation(case);
            }
        }
    }

    fn version(&mut self, fields: &Fields<'_>) {
        let Some(version) = fields.get("hoop") else { return };
        if version.text() != Some("1") {
            let problem = self.problems.error(version.at, "this version of the language is not known");
            problem.label = Some("write `1`".to_string());
            problem.help = Some("this hoop reads version 1 of the language alone".to_string());
        }
    }

    fn overall(&mut self) {
        if self.problems.has_errors() {
            return;
        }
        if self.rules.is_empty() {
            self.problems.warning(Place::START, "the policy has no rules: it refuses everything");
        } else if self.expectations.is_empty() {
            let problem = self.problems.warning(Place::START, "the policy has no `expect:`");
            problem.help =
                Some("say for a few commands what is to come out, and `hoop test` will check it".to_string());
        }
    }

    fn rule(&mut self, node: &Node<'_>) {
        let Some(fields) = self.fields(node, &grammar::RULE) else { return };
        let at = self.rule_name(&fields);
        let who = fields.get("who").map(|who| self.who(who));
        let on = fields.get("on").map(|on| self.on(on));
        let when = fields.get("when").map(|when| self.when(when));
        let reason = fields.get("reason").and_then(|reason| self.one_text(reason, "`reason`")).map(Arc::from);
        let limits = self.limits(&fields);
        let action = self.action(&fields, &at);
        if let (Some((key, _)), Some(on)) = (fields.entry("mask"), &on) {
            self.maskable(key, on);
        }
        if let (Some(when), Some(action)) = (fields.get("when"), &action) {
            self.facts_fit(when, action);
        }
        if let (Some(who), Some(on), Some(action)) = (who, on, action) {
            let when = when.unwrap_or_else(super::rule::Condition::always);
            let Place { column, width, .. } = fields.get("rule").map_or(fields.at, |name| name.at);
            let place = Written { order: self.rules.len(), column, width };
            self.rules.push(Rule { at, place, who, on, when, action, limits, reason });
        }
    }

    /// A mask is enforced where an adapter for it exists: on answers of PostgreSQL.
    fn maskable(&mut self, key: &Node<'_>, on: &Condition<OnFact>) {
        let on_postgres = on.truth(&|fact| match fact {
            OnFact::Kind(kind) => (*kind == ResourceKind::Postgres).into(),
            OnFact::Name(_) | OnFact::Label(..) | OnFact::Database(_) => Truth::May,
        });
        // What was not understood holds nowhere, and was reported already.
        let is_understood = on.truth(&|_| Truth::May).is_possible();
        if on_postgres == Truth::No && is_understood {
            let problem = self.problems.error(key.at, "nothing masks the answers of these resources yet");
            problem.help = Some("masks are enforced on resources of kind `postgres`; leave the rule out".to_string());
        }
    }

    fn rule_name(&mut self, fields: &Fields<'_>) -> RuleRef {
        let file = self.problems.file();
        let nameless = RuleRef { name: Arc::from(""), file: file.clone(), line: Some(fields.at.line) };
        let Some(node) = fields.get("rule") else { return nameless };
        let Some(name) = self.one_text(node, "`rule`") else { return nameless };
        let at = RuleRef { name: Arc::from(name), file, line: Some(node.at.line) };
        if ["default", "harmless"].contains(&name) {
            self.problems.error(node.at, format!("the name `{name}` is reserved")).help =
                Some("records use it where no rule of the policy decided".to_string());
        } else if name.chars().count() > 100 || name.chars().any(char::is_control) || name.trim() != name {
            self.problems.error(node.at, "a rule's name has at most 100 characters, none of them a control character");
        } else if let Some(first) = self.names.add(&at) {
            let message = format!("two rules are called `{name}`");
            let help = format!("the other one is {}", first.to_string().trim_start_matches(name).trim());
            self.problems.error(node.at, message).help = Some(help);
        }
        at
    }

    /// The entries of a map with known keys; keys that are unknown, not supported yet or missing are reported.
    fn fields<'n>(&mut self, node: &'n Node<'n>, map: &'static Map) -> Option<Fields<'n>> {
        let Value::Map(_) = &node.value else {
            let help = format!("write `key: value`, with the keys {}", map.known().join(", "));
            self.mismatch(node, map.noun, "a map").help = Some(help);
            return None;
        };
        let mut fields = self.map(node, map.noun)?;
        let meant = &mut fields.meant;
        fields.entries.retain(|(name, key, _)| match map.key(name) {
            Some(known) => {
                if known.is_later() {
                    self.unsupported(key.at, &format!("`{name}`"));
                }
                true
            }
            None => {
                meant.extend(self.stray(key, name, map).map(ToString::to_string));
                false
            }
        });
        self.missing(&fields, map);
        Some(fields)
    }

    /// Reports the keys that cannot be left out, and are not there.
    fn missing(&mut self, fields: &Fields<'_>, map: &Map) {
        let at = Place { width: 1, ..fields.at };
        let required = map.keys.iter().filter_map(|key| Some((key.name, key.required?)));
        for (name, help) in required.filter(|(name, _)| !fields.seems_to_have(name)) {
            self.problems.error(at, format!("`{name}` is missing: {} needs it", map.noun)).help =
                Some(help.to_string());
        }
    }

    /// The items of what must be a list.
    fn list<'n>(&mut self, node: &'n Node<'n>, what: &str, help: &str) -> &'n [Node<'n>] {
        match &node.value {
            Value::List(items) => items,
            Value::Empty | Value::Text(_) | Value::Map(_) => {
                self.mismatch(node, what, "a list").help = Some(help.to_string());
                &[]
            }
        }
    }

    /// Reports that something else stands where a text, a list or a map is expected.
    fn mismatch(&mut self, node: &Node<'_>, what: &str, expected: &str) -> &mut Problem {
        match &node.value {
            Value::Empty => self.problems.error(node.at, format!("{what} has no value: {expected} is expected")),
            Value::Text(_) | Value::List(_) | Value::Map(_) => {
                self.problems.error(node.at, format!("{what} is {expected}, not {}", node.noun()))
            }
        }
    }

    /// The entries of a map with any keys; keys that repeat are reported.
    fn map<'n>(&mut self, node: &'n Node<'n>, what: &str) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.mismatch(node, what, "a map").help = Some("write `name: value`".to_string());
            return None;
        };
        let mut seen = Seen::default();
        let mut fields = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match key.text() {
                None => {
                    let help = "write one key for each, with its own value";
                    self.mismatch(key, &format!("a key of {what}"), "a word").help = Some(help.to_string());
                }
                Some(name) if seen.before(name, &fields) => self.duplicate(key.at, name),
                Some(name) => fields.push((name, key, value)),
            }
        }
        Some(Fields { at: node.at, entries: fields, meant: Vec::new() })
    }

    fn duplicate(&mut self, at: Place, name: &str) {
        let problem = self.problems.error(at, format!("`{}` is written twice", shorten(name)));
        problem.help = Some("a key stands once in a map; several values are a list".to_string());
    }

    /// Takes down what a rule names.
    fn mention(&mut self, name: &Arc<str>, of: Mentioned, at: Place) {
        let Place { line, column, width } = at;
        let (file, name) = (self.problems.file(), Glob::new(Arc::clone(name)));
        self.mentions.push(Mention { name, of, file, line, column, width });
    }

    /// The meaning of one of several words.
    fn word<T: Copy>(&mut self, node: &Node<'_>, what: &str, known: &Meanings<T>) -> Option<T> {
        let text = self.one_text(node, what)?;
        let found = known.iter().find(|(word, ..)| *word == text).map(|(_, meaning, _)| *meaning);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, ..)| *word).collect();
            self.problems.unknown(node.at, what, text, &words);
        }
        found
    }

    /// One text; anything else is reported.
    fn one_text<'n>(&mut self, node: &'n Node<'n>, what: &str) -> Option<&'n str> {
        match node.text() {
            Some(text) if !text.is_empty() => Some(text),
            Some(_) => self.empty(node.at, what),
            None => {
                let help = "write one text; a text that begins with `{` or `[` must stand in quotes";
                self.mismatch(node, what, "a text").help = Some(help.to_string());
                None
            }
        }
    }

    /// A text or a list of texts, with the sets among them in their place; never none without a report.
    fn texts(&mut self, node: &Node<'_>, what: &str) -> Vec<(Arc<str>, Place)> {
        let mut texts = Vec::with_capacity(node.items().len());
        for item in node.items() {
            let Some(text) = self.one_text(item, what) else { continue };
            match text.strip_prefix('$') {
                None => {
                    self.warn_of_bare_set(text, item.at);
                    texts.push((self.shared.shared(text), item.at));
                }
                Some(name) => texts.extend(self.set_named(name, item.at).into_iter().map(|text| (text, item.at))),
            }
        }
        if node.items().is_empty() {
            self.empty::<()>(node.at, what);
        }
        texts
    }

    fn set_named(&mut self, name: &str, at: Place) -> Vec<Arc<str>> {
        if name == "std.catalog" {
            let names = shipped::catalog().map(|(schema, relation)| format!("{schema}.{relation}"));
            return names.map(|name| self.shared.shared(&name)).collect();
        }
        if let Some(set) = self.sets.take(name) {
            return set;
        }
        let known: Vec<&str> = self.sets.names().chain(["std.catalog"]).collect();
        self.problems.unknown(at, "set", name, &known);
        Vec::new()
    }

    fn empty<T>(&mut self, at: Place, what: &str) -> Option<T> {
        self.problems.error(at, format!("{what} is empty: it matches nothing"));
        None
    }

    fn unsupported(&mut self, at: Place, what: &str) {
        let problem = self.problems.error(at, format!("{what} is not supported yet"));
        problem.help = Some("hoop refuses what it would not enforce; leave it out".to_string());
    }
}
