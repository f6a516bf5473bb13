//! Holds the facts that a rule asks for to the protocols that it is about.

use alloc::format;
use alloc::vec::Vec;

use super::Reader;
use crate::command::sql::Verb;
use crate::policy::node::{Node, Place, Value};
use crate::policy::reach::{Reaches, SqlReach};
use crate::policy::rule::{Action, Asked};

/// Facts that one protocol alone has.
const FACTS: [(&str, &str); 6] = [
    ("unbounded", "sql"),
    ("copy", "sql"),
    ("code", "sql"),
    ("parameters", "sql"),
    ("query", "http"),
    ("media", "http"),
];

/// Facts of SQL that some verbs alone ever have, beside what was not understood.
const VERBS: [(&str, &[Verb]); 2] =
    [("unbounded", &[Verb::Update, Verb::Delete]), ("code", &[Verb::Create, Verb::Alter, Verb::Drop])];

impl Reader {
    /// Reports each fact of `when` that a protocol of the action does not have.
    ///
    /// What covers or masks "whatever comes" may ask for any fact: where a protocol does not have it, it is not known.
    pub(super) fn facts_fit(&mut self, when: &Node<'_>, action: &Action) {
        let reaches = match action {
            Action::Allow(reaches) | Action::Block(reaches) => reaches,
            Action::Approve(approval) => match &approval.what {
                Asked::Effects(reaches) => reaches,
                Asked::Otherwise => return,
            },
            Action::Mask(_) => return,
        };
        let named = named(reaches);
        let mut asked = Vec::new();
        facts(when, &mut asked);
        for (fact, at, owner) in asked {
            let Some(other) = named.iter().find(|protocol| **protocol != owner) else {
                self.verbs_fit(fact, at, reaches);
                continue;
            };
            let problem = self.problems.error(at, format!("`{other}` has no fact `{fact}`"));
            problem.help = Some(if named.contains(&owner) {
                format!("only `{owner}` has it: give the other protocols a rule of their own")
            } else {
                format!("only `{owner}` has it")
            });
        }
    }
}

impl Reader {
    /// Warns of a fact that no verb of the action ever has.
    fn verbs_fit(&mut self, fact: &str, at: Place, reaches: &Reaches) {
        let Some((_, verbs)) = VERBS.iter().find(|(known, _)| *known == fact) else { return };
        let has_it = |reach: &SqlReach| verbs.iter().chain(&[Verb::Unknown]).any(|verb| reach.verbs.has(*verb));
        if !reaches.sql.is_empty() && !reaches.sql.iter().any(has_it) {
            let words: Vec<&str> = verbs.iter().map(|verb| verb.word()).collect();
            let problem = self.problems.warning(at, format!("no verb of this rule is ever `{fact}`"));
            problem.help = Some(format!("only {} have that fact", words.join(", ")));
        }
    }
}

/// The protocols that an action names.
fn named(reaches: &Reaches) -> Vec<&'static str> {
    let Reaches { sql, http, kubernetes, ssh } = reaches;
    let all = [
        ("sql", sql.is_empty()),
        ("http", http.is_empty()),
        ("kubernetes", kubernetes.is_empty()),
        ("ssh", ssh.is_empty()),
    ];
    all.into_iter().filter(|(_, is_empty)| !is_empty).map(|(protocol, _)| protocol).collect()
}

/// The facts in a `when`, with their places and the protocol that has them. As deep as the text, which is bounded.
fn facts<'n>(node: &'n Node<'n>, found: &mut Vec<(&'n str, Place, &'static str)>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| facts(item, found)),
        Value::Map(entries) => {
            for (key, value) in entries {
                let owner = key.text().and_then(|text| FACTS.iter().find(|(fact, _)| *fact == text));
                found.extend(owner.map(|(fact, owner)| (*fact, key.at, *owner)));
                if key.text() == Some("not") {
                    facts(value, found);
                }
            }
        }
        Value::Empty | Value::Text(_) => {}
    }
}
