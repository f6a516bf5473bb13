//! The one form in which equal rules are written equally: it is what a policy's digest is made from.
//!
//! Lists are sets and a lone text is a list of one; maps are sorted by key; sets (`$name`) stand for their members. A
//! text is written between quotes with its own quotes doubled, so that no two forms run into each other.

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
    let mut normal = Normal { sets, out: String::new() };
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
    out: String,
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
            [one] if self.members(one).is_none() => self.item(one),
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
        match self.members(item) {
            Some(members) => members.iter().map(|member| self.form(|normal| normal.text(member))).collect(),
            None => vec![self.form(|normal| normal.item(item))],
        }
    }

    fn map(&mut self, entries: &[(Node<'_>, Node<'_>)]) {
        let mut all: Vec<(&str, &Node<'_>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match self.members(key) {
                Some(members) => all.extend(members.iter().map(|key| (&**key, value))),
                None => all.push((key.text().unwrap_or_default(), value)),
            }
        }
        // Through sets a key may stand there twice.
        let value_of = |value| self.form(|normal| normal.write(value));
        all.sort_by(|(key, value), (other, its)| key.cmp(other).then_with(|| value_of(value).cmp(&value_of(its))));
        all.dedup_by(|(key, value), (other, its)| key == other && value_of(value) == value_of(its));
        self.out.push('{');
        for (key, value) in all {
            self.text(key);
            self.out.push(':');
            self.write(value);
        }
        self.out.push('}');
    }

    /// What is written by itself.
    fn form(&self, write: impl FnOnce(&mut Self)) -> String {
        let mut normal = Self { sets: self.sets, out: String::new() };
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

    fn members(&self, node: &Node<'_>) -> Option<&'s [Arc<str>]> {
        let set = node.text()?.strip_prefix('$')?;
        self.sets.get(set).map(Vec::as_slice)
    }
}
