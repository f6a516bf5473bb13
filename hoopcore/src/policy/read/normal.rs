//! The one form in which equal rules are written equally: it is what a policy's digest is made from.
//!
//! Lists are sets and a lone text is a list of one; maps are sorted by key; sets (`$name`) stand for their members where
//! the reader takes them for sets. A text is written between quotes with its own quotes doubled, so that no two forms run into each other.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::Sets;
use crate::command::Digest;
use crate::policy::node::{Node, Value};

/// The digest of the rules of some files, in the order of their names.
pub(super) fn digest<'n>(trees: impl Iterator<Item = &'n Node<'n>>, sets: &Sets) -> Digest {
    let mut rules: Vec<_> = trees.filter_map(|tree| entry(tree, "rules")).flat_map(Node::items).collect();
    rules.sort_by_key(|rule| entry(rule, "rule").and_then(Node::text));
    let mut normal = Normal { sets, within: Within::Rule, out: String::new() };
    let mut hash = Sha256::new();
    for rule in rules {
        normal.out.clear();
        normal.write(rule);
        hash.update(&normal.out);
    }
    hash.finalize().into()
}

fn entry<'n>(node: &'n Node<'n>, name: &str) -> Option<&'n Node<'n>> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value),
        Value::Empty | Value::Text(_) | Value::List(_) => None,
    }
}

struct Normal<'s> {
    sets: &'s Sets,
    within: Within,
    out: String,
}

/// What is being written, which says where a text that begins with `$` names a set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Rule,
    /// Texts name sets, keys do not.
    Values,
    Mask,
    /// Keys name sets, what they have does not.
    Columns,
    /// Nothing names sets.
    Plain,
}

impl Within {
    /// What the value of a key is within.
    fn of(self, key: &str) -> Self {
        match (self, key) {
            (Self::Rule, "rule" | "reason" | "by" | "within" | "grant" | "limits") => Self::Plain,
            (Self::Rule, "mask") => Self::Mask,
            (Self::Rule | Self::Values, _) => Self::Values,
            (Self::Mask, "columns" | "json") => Self::Columns,
            (Self::Mask | Self::Columns | Self::Plain, _) => Self::Plain,
        }
    }
}

impl<'s> Normal<'s> {
    fn write(&mut self, node: &Node<'_>) {
        match &node.value {
            Value::Empty => self.out.push('~'),
            Value::Text(_) => self.list(core::slice::from_ref(node)),
            Value::List(items) => self.list(items),
            Value::Map(entries) => self.map(entries),
        }
    }

    fn list(&mut self, items: &[Node<'_>]) {
        self.out.push('[');
        match items {
            [one] if self.members(one, Within::Values).is_none() => self.item(one),
            several => {
                let mut forms: Vec<String> = several.iter().flat_map(|item| self.forms(item)).collect();
                forms.sort_unstable();
                forms.dedup();
                forms.iter().for_each(|form| self.out.push_str(form));
            }
        }
        self.out.push(']');
    }

    fn item(&mut self, item: &Node<'_>) {
        match item.text() {
            Some(text) => self.text(text),
            None => self.write(item),
        }
    }

    /// What an item stands for, each in its normal form.
    fn forms(&self, item: &Node<'_>) -> Vec<String> {
        match self.members(item, Within::Values) {
            Some(members) => members.iter().map(|member| self.form(|normal| normal.text(member))).collect(),
            None => vec![self.form(|normal| normal.item(item))],
        }
    }

    fn map(&mut self, entries: &[(Node<'_>, Node<'_>)]) {
        let mut all: Vec<(&str, &Node<'_>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match self.members(key, Within::Columns) {
                Some(members) => all.extend(members.iter().map(|key| (&**key, value))),
                None => all.push((key.text().unwrap_or_default(), value)),
            }
        }
        // Through sets a key may stand there twice.
        let value_of = |key, value| self.form(|normal| normal.value(key, value));
        all.sort_by(|(key, value), (other, its)| {
            key.cmp(other).then_with(|| value_of(key, value).cmp(&value_of(other, its)))
        });
        all.dedup_by(|(key, value), (other, its)| key == other && value_of(key, value) == value_of(other, its));
        self.out.push('{');
        for (key, value) in all {
            self.text(key);
            self.out.push(':');
            self.value(key, value);
        }
        self.out.push('}');
    }

    /// The value of a key.
    fn value(&mut self, key: &str, value: &Node<'_>) {
        let outer = self.within;
        self.within = outer.of(key);
        self.write(value);
        self.within = outer;
    }

    /// What is written by itself.
    fn form(&self, write: impl FnOnce(&mut Self)) -> String {
        let mut normal = Self { sets: self.sets, within: self.within, out: String::new() };
        write(&mut normal);
        normal.out
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        if text.as_bytes().contains(&b'"') {
            self.out.push_str(&text.replace('"', "\"\""));
        } else {
            self.out.push_str(text);
        }
        self.out.push('"');
    }

    /// What a text stands for, where it names a set: it does within one of these alone.
    fn members(&self, node: &Node<'_>, within: Within) -> Option<&'s [Arc<str>]> {
        if self.within != within {
            return None;
        }
        let set = node.text()?.strip_prefix('$')?;
        self.sets.get(set)
    }
}
