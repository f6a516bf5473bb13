//! The one form in which equal rules are written equally: it is what a policy's digest is made from.
//!
//! Lists are sets and a lone text is a list of one; maps are sorted by key; sets (`$name`) stand for their members. A
//! text is written between quotes with its own quotes doubled, so that no two forms run into each other.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::command::Digest;
use crate::policy::node::{Node, Value};

/// The digest of one rule's normal form.
pub(super) fn digest(rule: &Node, sets: &BTreeMap<String, Vec<String>>) -> Digest {
    let mut normal = Normal { sets, out: String::with_capacity(256) };
    normal.write(rule);
    Sha256::digest(normal.out).into()
}

/// The digest of all rules: the same whatever their order, and however often one is written.
pub(super) fn digest_of_all(mut rules: Vec<Digest>) -> Digest {
    rules.sort_unstable();
    rules.dedup();
    rules.iter().fold(Sha256::new(), |hash, rule| hash.chain_update(rule)).finalize().into()
}

struct Normal<'s> {
    sets: &'s BTreeMap<String, Vec<String>>,
    out: String,
}

impl<'s> Normal<'s> {
    fn write(&mut self, node: &Node) {
        match &node.value {
            Value::Empty => self.out.push('~'),
            Value::Text(_) => self.list(core::slice::from_ref(node)),
            Value::List(items) => self.list(items),
            Value::Map(entries) => self.map(entries),
        }
    }

    fn list(&mut self, items: &[Node]) {
        self.out.push('[');
        let mut parts = Vec::with_capacity(items.len());
        for item in items {
            self.item(item, &mut parts);
        }
        self.sort(&parts);
        self.out.push(']');
    }

    fn item(&mut self, item: &Node, parts: &mut Vec<Range<usize>>) {
        match (item.text(), self.members(item)) {
            (_, Some(members)) => parts.extend(members.iter().map(|member| self.part(|normal| normal.text(member)))),
            (Some(text), None) => parts.push(self.part(|normal| normal.text(text))),
            (None, None) => parts.push(self.part(|normal| normal.write(item))),
        }
    }

    fn map(&mut self, entries: &[(Node, Node)]) {
        self.out.push('{');
        let mut parts = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match self.members(key) {
                Some(members) => parts.extend(members.iter().map(|key| self.entry(key, value))),
                None => parts.push(self.entry(key.text().unwrap_or_default(), value)),
            }
        }
        self.sort(&parts);
        self.out.push('}');
    }

    fn entry(&mut self, key: &str, value: &Node) -> Range<usize> {
        self.part(|normal| {
            normal.text(key);
            normal.out.push(':');
            normal.write(value);
        })
    }

    fn part(&mut self, write: impl FnOnce(&mut Self)) -> Range<usize> {
        let start = self.out.len();
        write(self);
        start..self.out.len()
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

    /// Puts the last parts of what was written in order, each once.
    fn sort(&mut self, parts: &[Range<usize>]) {
        let [first, _, ..] = parts else { return };
        let start = first.start;
        let mut texts: Vec<&str> = parts.iter().filter_map(|part| self.out.get(part.clone())).collect();
        if texts.is_sorted_by(|one, next| one < next) {
            return;
        }
        texts.sort_unstable();
        texts.dedup();
        let sorted = texts.concat();
        self.out.truncate(start);
        self.out.push_str(&sorted);
    }

    fn members(&self, node: &Node) -> Option<&'s [String]> {
        let set = node.text()?.strip_prefix('$')?;
        self.sets.get(set).map(Vec::as_slice)
    }
}
