//! Reads what effects a rule matches, protocol by protocol.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Reader;
use crate::command::Verbs;
use crate::command::sql::Verb;
use crate::policy::grammar;
use crate::policy::node::{Node, Place, Value};
use crate::policy::problem::shorten;
use crate::policy::reach::{Reaches, Sense, VerbSet};

impl Reader {
    /// A map of protocols to what is matched in each.
    pub(super) fn reaches(&mut self, node: &Node<'_>, sense: Sense) -> Option<Reaches> {
        if let Some(text) = node.text() {
            return self.reach_text(node, text, sense);
        }
        if let Some((key, word)) = verb_without_protocol(node) {
            let problem = self.problems.error(key, format!("`{word}` is a verb of `sql`, and stands without it"));
            problem.label = Some(format!("write `sql: {{ {word}: ... }}`"));
            return None;
        }
        let fields = self.fields(node, &grammar::EFFECTS)?;
        if fields.entries.is_empty() {
            return self.empty(node.at, grammar::EFFECTS.noun);
        }
        Some(Reaches {
            sql: fields.get("sql").map(|node| self.sql(node, sense)).unwrap_or_default(),
            http: fields.get("http").map(|node| self.http(node, sense)).unwrap_or_default(),
            kubernetes: fields.get("kubernetes").map(|node| self.kubernetes(node, sense)).unwrap_or_default(),
            ssh: fields.get("ssh").map(|node| self.ssh(node, sense)).unwrap_or_default(),
        })
    }

    fn reach_text(&mut self, node: &Node<'_>, text: &str, sense: Sense) -> Option<Reaches> {
        match (text, sense) {
            ("all", Sense::Refuses) => Some(Reaches::everything()),
            ("all", Sense::Covers) => {
                let problem = self.problems.error(node.at, "only a block knows `all`");
                problem.label = Some("write `{ sql: \"*\" }`".to_string());
                None
            }
            (text, _) => {
                let problem = self
                    .problems
                    .error(node.at, format!("`{}` does not say of which protocol, and on what", shorten(text)));
                problem.help = Some("write `{ sql: { read: public.orders } }`".to_string());
                None
            }
        }
    }

    /// The verb that a word is, or those that `*` stands for.
    pub(super) fn verb_set<V: Verbs>(
        &mut self,
        word: &str,
        at: Place,
        protocol: &str,
        sense: Sense,
    ) -> Option<VerbSet<V>> {
        if word == "*" {
            return Some(sense.every());
        }
        let verb = V::ALL.iter().find(|verb| verb.word() == word);
        if verb.is_none() && word.contains(',') {
            let problem = self.problems.error(at, format!("`{}` is one text, no list of verbs", shorten(word)));
            let bare = word.trim_matches(['[', ']']);
            problem.help = Some(format!("write the list without quotes: `[{}]`", shorten(bare)));
        } else if verb.is_none() {
            let known: Vec<&str> = V::ALL.iter().map(|verb| verb.word()).collect();
            self.problems.unknown(at, &format!("verb of `{protocol}`"), word, &known);
        }
        verb.map(|verb| VerbSet::none().with(*verb))
    }

    /// Each pattern of a list; what is wrong with one is said where it stands.
    pub(super) fn patterns<T>(
        &mut self,
        node: &Node<'_>,
        what: &str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Box<[T]> {
        let mut patterns = Vec::new();
        for (text, at) in self.texts(node, what) {
            match parse(&text) {
                Ok(pattern) => patterns.push(pattern),
                Err(why) => drop(self.problems.error(at, format!("`{}` is no {what}: {why}", shorten(&text)))),
            }
        }
        patterns.into()
    }

    /// `true`, or `*` where a list of names would stand.
    pub(super) fn flag(&mut self, node: &Node<'_>, what: &str) -> bool {
        let is_set = matches!(node.text(), Some("true" | "*"));
        if !is_set {
            let problem = self.problems.error(node.at, format!("{what} takes `true` alone"));
            problem.help = Some("leave the key out where it is not meant".to_string());
        }
        is_set
    }

    pub(super) fn warn_of_unknown(&mut self, at: Place) {
        let problem = self.problems.warning(at, "what hoop could not read is let through");
        problem.help = Some("no block, mask or fact reaches into it".to_string());
    }
}

/// A verb that stands where its protocol is expected.
fn verb_without_protocol(node: &Node<'_>) -> Option<(Place, &'static str)> {
    let Value::Map(entries) = &node.value else { return None };
    let verb = |word: &str| Verb::ALL.iter().map(|verb| verb.word()).find(|verb| *verb == word);
    entries.iter().find_map(|(key, _)| Some((key.at, verb(key.text()?)?)))
}
