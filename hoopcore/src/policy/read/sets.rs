//! Reads the sets of all files, whatever their order: a set may name others, but not itself.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Reader;
use crate::policy::node::{Node, Place, Value};
use crate::policy::problem::shorten;

/// What sets stand for, and what became of them.
#[derive(Default)]
pub(super) struct Sets {
    members: BTreeMap<String, Vec<Arc<str>>>,
    /// Those that something names, or that somebody may have meant to.
    used: BTreeSet<String>,
}

impl Sets {
    /// What a set stands for.
    pub(super) fn get(&self, name: &str) -> Option<&[Arc<str>]> {
        self.members.get(name).map(Vec::as_slice)
    }

    /// What a set stands for, where something names it.
    pub(super) fn take(&mut self, name: &str) -> Option<Vec<Arc<str>>> {
        let members = self.members.get(name).cloned()?;
        self.touch(name);
        Some(members)
    }

    /// Whether there is a set that is called like a text.
    pub(super) fn touch(&mut self, name: &str) -> bool {
        let is_set = self.members.contains_key(name);
        if is_set && !self.used.contains(name) {
            self.used.insert(name.to_string());
        }
        is_set
    }

    /// The names of all.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }
}

/// A set as it is written.
pub(super) struct Definition<'n> {
    name: &'n str,
    file: Option<Arc<str>>,
    at: Place,
    value: &'n Node<'n>,
}

/// How far a set is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unread,
    /// The sets that it names are being read.
    Open,
    Read,
}

impl Reader {
    /// The sets of one file, as they are written.
    pub(super) fn definitions<'n>(&mut self, tree: &'n Node<'n>, all: &mut Vec<Definition<'n>>) {
        let Value::Map(entries) = &tree.value else { return };
        for (_, sets) in entries.iter().filter(|(key, _)| key.text() == Some("sets")) {
            let Some(sets) = self.map(sets, "`sets`") else { continue };
            for (name, key, value) in sets.entries {
                self.set_name(name, key.at);
                all.push(Definition { name, file: self.problems.file(), at: key.at, value });
            }
        }
    }

    fn set_name(&mut self, name: &str, at: Place) {
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') || name.is_empty() {
            let problem = self.problems.error(at, format!("a set cannot be called `{}`", shorten(name)));
            problem.help = Some("use letters, digits, `-` and `_`".to_string());
        }
    }

    /// Reads all sets, those that others name before them.
    pub(super) fn sets(&mut self, all: &[Definition<'_>]) {
        let mut places = BTreeMap::new();
        for (place, definition) in all.iter().enumerate() {
            if places.insert(definition.name, place).is_some() {
                self.problems.enter(definition.file.clone());
                self.problems.error(definition.at, format!("two sets are called `{}`", shorten(definition.name)));
            }
        }
        self.sets.members = places.keys().map(|name| (name.to_string(), Vec::new())).collect();
        let mut progress = vec![Progress::Unread; all.len()];
        for place in 0..all.len() {
            self.set(place, all, &places, &mut progress);
        }
    }

    /// Reads one set after those that it names, without recursion.
    fn set(&mut self, place: usize, all: &[Definition<'_>], places: &BTreeMap<&str, usize>, progress: &mut [Progress]) {
        let mut stack = vec![place];
        while let Some(place) = stack.last().copied() {
            let (Some(definition), Some(so_far)) = (all.get(place), progress.get_mut(place)) else { return };
            let before = core::mem::replace(so_far, Progress::Open);
            if before != Progress::Unread {
                stack.pop();
                if before == Progress::Open {
                    self.define(definition);
                }
                progress.get_mut(place).into_iter().for_each(|so_far| *so_far = Progress::Read);
                continue;
            }
            self.problems.enter(definition.file.clone());
            for (item, named) in definition.names() {
                let Some(inner) = places.get(named).copied() else { continue };
                match progress.get(inner) {
                    Some(Progress::Unread) => stack.push(inner),
                    Some(Progress::Open) => self.holds_itself(item.at, named),
                    Some(Progress::Read) | None => {}
                }
            }
        }
    }

    fn holds_itself(&mut self, at: Place, name: &str) {
        self.problems.error(at, format!("the set `{}` holds itself", shorten(name))).help =
            Some("take it out here: a set names others that do not lead back to it".to_string());
    }

    fn define(&mut self, definition: &Definition<'_>) {
        self.problems.enter(definition.file.clone());
        let mut seen = BTreeSet::new();
        let texts = self.texts(definition.value, "a set").into_iter().map(|(text, _)| text);
        let members = texts.filter(|text| seen.insert(Arc::clone(text))).collect();
        self.sets.members.insert(definition.name.to_string(), members);
    }

    /// Warns of sets that nothing names.
    pub(super) fn unused_sets(&mut self, all: &[Definition<'_>]) {
        if self.problems.has_errors() {
            return;
        }
        for definition in all.iter().filter(|definition| !self.sets.used.contains(definition.name)) {
            self.problems.enter(definition.file.clone());
            let problem = self.problems.warning(definition.at, format!("nothing uses the set `{}`", definition.name));
            problem.help = Some(format!("a set is named with `$`: `${}`; or leave it out", definition.name));
        }
    }

    /// Warns of a name that is written like a set's, and is none without `$`.
    pub(super) fn warn_of_bare_set(&mut self, text: &str, at: Place) {
        if !self.tests && self.sets.touch(text) {
            let problem = self.problems.warning(at, format!("`{text}` stands for itself here, not for the set"));
            problem.label = Some(format!("did you mean `${text}`?"));
        }
    }
}

impl<'n> Definition<'n> {
    /// The sets that it names, each with its item.
    fn names(&self) -> impl Iterator<Item = (&'n Node<'n>, &'n str)> {
        self.value.items().iter().filter_map(|item| Some((item, item.text()?.strip_prefix('$')?)))
    }
}
