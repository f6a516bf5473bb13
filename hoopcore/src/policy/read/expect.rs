//! Reads the tests that a policy brings along.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Fields, Reader};
use crate::command::Asked;
use crate::identity::Identity;
use crate::policy::expectation::Expectation;
use crate::policy::grammar::{self, KINDS, RESOURCES, VERDICTS};
use crate::policy::node::{Node, Value};
use crate::policy::problem::shorten;
use crate::resource::{Resource, ResourceKind};

impl Reader {
    /// One case of `expect:`.
    pub(super) fn expectation(&mut self, node: &Node<'_>) {
        let Some(fields) = self.fields(node, &grammar::CASE) else { return };
        let who = fields.get("as").and_then(|node| self.identity(node));
        let asked = self.asked(&fields);
        let kind = asked.as_ref().map_or(ResourceKind::Postgres, Asked::kind);
        let on = fields.get("on").and_then(|node| self.resource(node, kind));
        let verdict = fields.get("verdict").and_then(|node| self.word(node, "verdict", &VERDICTS));
        let parameters = fields.get("parameters").map(|node| self.values(node));
        let parsed = (self.parsed(&fields, "now"), self.parsed(&fields, "source"));
        let rule = fields.get("rule").and_then(|node| self.rule_named(node));
        let list = |reader: &mut Self, name| {
            let texts = reader.texts(fields.get(name)?, &format!("`{name}`"));
            Some(texts.into_iter().map(|(text, _)| text.to_string()).collect::<Vec<String>>())
        };
        let (search_path, masked) = (list(self, "search_path"), list(self, "masked"));
        let (Some(who), Some(on), Some(asked), Some(verdict)) = (who, on, asked, verdict) else { return };
        let (file, line, (now, source)) = (self.problems.file(), node.at.line, parsed);
        let case =
            Expectation { file, line, who, on, asked, parameters, search_path, now, source, verdict, rule, masked };
        self.expectations.push(case);
    }

    fn parsed<T: core::str::FromStr>(&mut self, fields: &Fields<'_>, name: &str) -> Option<T> {
        let node = fields.get(name)?;
        let text = self.one_text(node, &format!("`{name}`"))?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let problem = self.problems.error(node.at, format!("`{}` cannot be read as `{name}`", shorten(text)));
            problem.help = Some("`now` is written as `2026-11-22T09:00:00Z`, `source` as an address".to_string());
        }
        parsed
    }

    fn rule_named(&mut self, node: &Node<'_>) -> Option<String> {
        let name = self.one_text(node, "`rule`")?;
        if !self.names.has(name) && name != "default" && name != "harmless" {
            let known: Vec<&str> = self.names.sorted().into_iter().chain(["default", "harmless"]).collect();
            self.problems.unknown(node.at, "rule", name, &known);
        }
        Some(name.to_string())
    }

    fn values(&mut self, node: &Node<'_>) -> Vec<Option<String>> {
        let value = |item: &Node<'_>| match &item.value {
            Value::Empty => None,
            Value::Text(text) => Some(text.to_string()),
            Value::List(_) | Value::Map(_) => {
                self.problems.error(item.at, "a parameter is a text or, for NULL, `~`");
                None
            }
        };
        node.items().iter().map(value).collect()
    }

    fn identity(&mut self, node: &Node<'_>) -> Option<Identity> {
        let fields = self.fields(node, &grammar::CALLER)?;
        let mut who = Identity::named(fields.get("user").and_then(|user| self.one_text(user, "`user`"))?);
        who.kind = fields.get("kind").and_then(|kind| self.word(kind, "kind of caller", &KINDS));
        who.issuer = fields.get("issuer").and_then(|issuer| self.one_text(issuer, "`issuer`")).map(ToString::to_string);
        who.groups = fields.get("groups").map(|groups| self.groups(groups));
        who.claims = fields.get("claims").map(|claims| self.pairs(claims, "`claims`")).unwrap_or_default();
        Some(who)
    }

    fn groups(&mut self, node: &Node<'_>) -> BTreeSet<String> {
        if node.items().is_empty() {
            return BTreeSet::new();
        }
        self.texts(node, "`groups`").into_iter().map(|(text, _)| text.to_string()).collect()
    }

    pub(super) fn pairs(&mut self, node: &Node<'_>, what: &str) -> BTreeMap<String, String> {
        let Some(fields) = self.map(node, what) else { return BTreeMap::new() };
        let pairs = fields
            .entries
            .iter()
            .map(|(name, _, value)| Some((name.to_string(), self.one_text(value, what)?.to_string())));
        pairs.flatten().collect()
    }

    /// The resource; what it speaks is guessed from the command.
    fn resource(&mut self, node: &Node<'_>, guess: ResourceKind) -> Option<Resource> {
        let named = |name| Resource { kind: guess, ..Resource::postgres(name) };
        if let Some(name) = node.text() {
            return Some(named(name));
        }
        let fields = self.fields(node, &grammar::TARGET)?;
        let mut on = named(fields.get("name").and_then(|name| self.one_text(name, "`name`"))?);
        if let Some(kind) = fields.get("kind") {
            on.kind = self.word(kind, "kind of resource", &RESOURCES)?;
        }
        on.labels = fields.get("labels").map(|labels| self.pairs(labels, "`labels`"));
        on.database =
            fields.get("database").and_then(|name| self.one_text(name, "`database`")).map(ToString::to_string);
        Some(on)
    }
}
