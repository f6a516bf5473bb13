//! Reads what effects of SQL a rule matches: verbs, and patterns on names.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::Reader;
use crate::command::sql::Verb;
use crate::policy::node::{Node, Place, Value};
use crate::policy::pattern::{ColumnPattern, Glob, fold, is_every, parts};
use crate::policy::problem::shorten;
use crate::policy::reach::{NamePattern, Names, Sense, SqlReach, VerbSet};

/// What the names that stand after a verb are names of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// What lives in a schema: two parts at most.
    InSchema,
    /// Anything: settings, roles, channels, files.
    Free,
}

impl Reader {
    /// What stands after `sql:`: a map of verbs to names, or verbs on everything.
    pub(super) fn sql(&mut self, node: &Node, sense: Sense) -> Box<[SqlReach]> {
        let mut reaches = Vec::new();
        if let Value::Map(_) = &node.value {
            let Some(fields) = self.map(node, "`sql`") else { return Box::default() };
            if fields.entries.is_empty() {
                self.empty::<()>(node.at, "`sql`");
            }
            for (word, key, value) in &fields.entries {
                let Some(verbs) = self.verbs(word, key.at, sense) else { continue };
                let names = self.names(value, named(word));
                self.warn_of_wildcard(verbs, &names, key.at, sense);
                reaches.push(SqlReach { verbs, names });
            }
            return reaches.into();
        }
        for (word, at) in self.texts(node, "`sql`") {
            let Some(verbs) = self.verbs(&word, at, sense) else { continue };
            self.warn_of_wildcard(verbs, &Names::Every, at, sense);
            reaches.push(SqlReach { verbs, names: Names::Every });
        }
        reaches.into()
    }

    fn verbs(&mut self, word: &str, at: Place, sense: Sense) -> Option<VerbSet<Verb>> {
        self.verb_set(word, at, "sql", sense)
    }

    fn warn_of_wildcard(&mut self, verbs: VerbSet<Verb>, names: &Names, at: Place, sense: Sense) {
        if sense == Sense::Refuses {
            return;
        }
        if verbs.has(Verb::Unknown) {
            self.warn_of_unknown(at);
        } else if matches!(names, Names::Every) && WRITES.into_iter().any(|verb| verbs.has(verb)) {
            self.problems.warning(at, "a write on every object").help =
                Some("name the objects where you can".to_string());
        }
    }

    fn names(&mut self, node: &Node, named: Named) -> Names {
        let texts = self.texts(node, "the object of a verb");
        if texts.iter().any(|(text, _)| is_every(text)) {
            return Names::Every;
        }
        let patterns: Vec<_> = texts.iter().filter_map(|(text, at)| self.name(text, *at, named)).collect();
        Names::OneOf(patterns.into())
    }

    fn name(&mut self, text: &str, at: Place, named: Named) -> Option<NamePattern> {
        let parsed = parts(text).and_then(|parts| {
            let mut parts = parts.into_iter();
            match (parts.next(), parts.next(), parts.next()) {
                (Some(name), None, _) => Ok((None, name)),
                (Some(schema), Some(name), None) => Ok((Some(schema), name)),
                _ => Err("a name has two parts at most: `schema.name`"),
            }
        });
        if let (Err(why), Named::InSchema) = (&parsed, named) {
            self.problems.error(at, format!("`{}` is no name pattern: {why}", shorten(text)));
            return None;
        }
        let folded = match &parsed {
            Ok((Some(schema), name)) => Glob::new([schema.as_str(), ".", name.as_str()].concat()),
            Ok((None, name)) => name.clone(),
            Err(_) => Glob::new(fold(text)),
        };
        Some(NamePattern { qualified: parsed.ok(), folded, written: Glob::new(text) })
    }

    /// A pattern on columns: `schema.relation.column`, or `relation.column` in any schema.
    pub(super) fn column(&mut self, text: &str, at: Place) -> Option<ColumnPattern> {
        let parsed = parts(text).and_then(|parts| match parts.as_slice() {
            [relation, column] => Ok([&Glob::every(), relation, column].map(Clone::clone)),
            [schema, relation, column] => Ok([schema, relation, column].map(Clone::clone)),
            _ => Err("write `schema.relation.column`, or `relation.column` for any schema"),
        });
        match parsed {
            Ok([schema, relation, column]) => Some(ColumnPattern { schema, relation, column }),
            Err(why) => {
                self.problems.error(at, format!("`{}` is no column pattern: {why}", shorten(text)));
                None
            }
        }
    }

    /// The texts of a key that may name a set.
    pub(super) fn key_texts(&mut self, text: &str, at: Place) -> Vec<alloc::string::String> {
        match text.strip_prefix('$') {
            None => vec![text.to_string()],
            Some(name) => self.set_named(name, at),
        }
    }
}

fn named(word: &str) -> Named {
    let free = [
        "set",
        "role",
        "file",
        "program",
        "admin",
        "notify",
        "listen",
        "replicate",
        "grant",
        "lock",
        "fastpath",
        "session",
        "unknown",
        "*",
    ];
    if free.contains(&word) { Named::Free } else { Named::InSchema }
}

const WRITES: [Verb; 15] = [
    Verb::Insert,
    Verb::Update,
    Verb::Delete,
    Verb::Truncate,
    Verb::Create,
    Verb::Alter,
    Verb::Drop,
    Verb::Grant,
    Verb::Role,
    Verb::Call,
    Verb::File,
    Verb::Program,
    Verb::Admin,
    Verb::Replicate,
    Verb::Fastpath,
];
