//! Where a key belongs that stands in the wrong map: the indentation slipped, or something was nested that stands beside.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::Reader;
use crate::policy::grammar::{self, CASE, FILE, Key, Map, RULE, Shape};
use crate::policy::node::{Node, Value};
use crate::policy::problem::{meant, nearest, shorten};

impl Reader {
    /// Reports a key that the map does not know, with where it belongs; gives the known one that was probably meant, if one was.
    pub(super) fn stray(&mut self, key: &Node<'_>, name: &str, map: &'static Map) -> Option<&'static str> {
        let known = map.known();
        let what = format!("key of {}", map.noun);
        let Some((label, help)) = home(map, name).filter(|_| meant(name, &known).is_none()) else {
            self.problems.unknown(key.at, &what, name, &known);
            return nearest(name, &known);
        };
        let problem = self.problems.error(key.at, format!("unknown {what} `{}`", shorten(name)));
        (problem.label, problem.help) = (Some(label), Some(help));
        None
    }

    /// Whether an item of `rules` is no rule but a part of the file, or a case of `expect`; the first of them is reported.
    pub(super) fn is_no_rule(&mut self, node: &Node<'_>, told: &mut bool) -> bool {
        let Value::Map(entries) = &node.value else { return false };
        let key = |wanted: &str| entries.iter().map(|(key, _)| key).find(|key| key.text() == Some(wanted));
        if key("rule").is_some() && key("who").is_some() {
            return false;
        }
        let part = FILE.keys.iter().find_map(|part| key(part.name).map(|key| (key, part.name)));
        let case = || key("as").filter(|_| key("verdict").is_some()).map(|key| (key, "a case of `expect`"));
        let (key, what, help) = match (part, case()) {
            (Some((key, name)), _) => {
                (key, format!("`{name}`"), format!("begin `{name}:` in the first column, without `-`"))
            }
            (None, Some((key, what))) => {
                (key, what.to_string(), "write `expect:` in the first column above the first case".to_string())
            }
            (None, None) => return false,
        };
        if !core::mem::replace(told, true) {
            self.problems.error(key.at, format!("{what} stands among the rules")).help = Some(help);
        }
        true
    }

    /// The rules that a map holds, each with its own keys: where the `-` of one is missing, they are in one map.
    pub(super) fn apart<'t>(&mut self, node: &Node<'t>) -> Option<Vec<Node<'t>>> {
        let Value::Map(entries) = &node.value else { return None };
        let begins = |(key, _): &&(Node<'_>, Node<'_>)| key.text() == Some("rule");
        let again: Vec<_> = entries.iter().filter(begins).skip(1).collect();
        if again.is_empty() {
            return None;
        }
        for (key, name) in again {
            let problem = self.problems.error(key.at, "a rule begins here without its `-`");
            problem.help = Some(format!("write `- rule: {}`", shorten(name.text().unwrap_or("name"))));
        }
        let mut rules: Vec<Node<'t>> = Vec::new();
        for entry in entries {
            match rules.last_mut() {
                Some(Node { value: Value::Map(rule), .. }) if entry.0.text() != Some("rule") || !has_name(rule) => {
                    rule.push(entry.clone());
                }
                Some(_) | None => rules.push(Node { at: entry.0.at, value: Value::Map(vec![entry.clone()]) }),
            }
        }
        Some(rules)
    }
}

fn has_name(rule: &[(Node<'_>, Node<'_>)]) -> bool {
    rule.iter().any(|(key, _)| key.text() == Some("rule"))
}

/// What to say of a key that belongs into a key of this map, or beside one that it stands in.
fn home(map: &'static Map, name: &str) -> Option<(String, String)> {
    let inside = map.keys.iter().find(|key| maps(&key.value).iter().any(|inner| knows(inner, name)));
    if let Some(Key { name: outer, .. }) = inside {
        let label = format!("`{name}` belongs into `{outer}`");
        return Some((label, format!("indent it under `{outer}:`, or write `{outer}: {{ {name}: … }}`")));
    }
    let outer = around(map).into_iter().find(|outer| knows(outer, name))?;
    let label = format!("`{name}` belongs to {}", outer.noun);
    let help = match outer.name == RULE.name {
        true => format!("begin `{name}:` in the column of `rule:`, `who:` and `on:`"),
        false => format!("begin `{name}:` in the first column"),
    };
    Some((label, help))
}

fn knows(map: &Map, name: &str) -> bool {
    map.key(name).is_some()
}

/// The maps that this one stands in, the innermost first.
fn around(map: &'static Map) -> Vec<&'static Map> {
    match map.name {
        name if name == FILE.name => Vec::new(),
        name if name == RULE.name || name == CASE.name => vec![&FILE],
        _ if is_within(&RULE, map) => vec![&RULE, &FILE],
        _ => Vec::new(),
    }
}

/// Whether a map stands in a key of another.
fn is_within(outer: &'static Map, map: &'static Map) -> bool {
    outer.keys.iter().flat_map(|key| maps(&key.value)).any(|inner| inner.name == map.name)
}

/// The maps that a value may be, or have in a list. The tables are a few levels deep.
fn maps(shape: &'static Shape) -> Vec<&'static grammar::Map> {
    match shape {
        Shape::Map(map) => vec![map],
        Shape::List(one) | Shape::OneOrMore(one) => maps(one),
        Shape::AnyOf(several) => several.iter().flat_map(maps).collect(),
        Shape::Text
        | Shape::Form(_)
        | Shape::Number(..)
        | Shape::Word(_)
        | Shape::Names(_)
        | Shape::Words(..)
        | Shape::Later => Vec::new(),
    }
}
