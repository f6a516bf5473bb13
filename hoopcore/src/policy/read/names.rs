//! Reads what effects of SQL a rule matches: verbs, and patterns on names.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Reader;
use crate::command::sql::Verb;
use crate::policy::node::{Node, Place, Value};
use crate::policy::pattern::{ColumnPattern, Glob, TOO_LONG, is_every, parts};
use crate::policy::problem::shorten;
use crate::policy::reach::ssh::PathPattern;
use crate::policy::reach::{NamePattern, Names, Sense, SqlReach, VerbSet};

/// Verbs after which any name may stand: of settings, roles, channels, files. Else it is what lives in a schema.
const FREE: [&str; 14] = [
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

impl Reader {
    /// What stands after `sql:`: a map of verbs to names, or verbs on everything.
    pub(super) fn sql(&mut self, node: &Node<'_>, sense: Sense) -> Box<[SqlReach]> {
        if let Value::Map(map) = &node.value {
            let Some(fields) = self.map(node, "`sql`") else { return Box::default() };
            if map.is_empty() {
                self.empty::<()>(node.at, "`sql`");
            }
            let mut reaches = Vec::with_capacity(fields.entries.len());
            for (word, key, value) in &fields.entries {
                let Some(verbs) = self.verbs(word, key.at, sense) else { continue };
                let names = self.names(value, word);
                self.warn_of_wildcard(verbs, &names, key.at, sense);
                reaches.push(SqlReach { verbs, names });
            }
            return reaches.into();
        }
        let words = self.texts(node, "`sql`");
        let mut reaches = Vec::with_capacity(words.len());
        for (word, at) in words {
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

    /// The names that stand after a verb.
    fn names(&mut self, node: &Node<'_>, verb: &str) -> Names {
        let texts = self.texts(node, "the object of a verb");
        if texts.iter().any(|(text, _)| is_every(text)) {
            return Names::Every;
        }
        let mut patterns = Vec::with_capacity(texts.len());
        patterns.extend(texts.iter().filter_map(|(text, at)| self.name(text, *at, verb)));
        Names::OneOf(patterns.into())
    }

    fn name(&mut self, text: &Arc<str>, at: Place, verb: &str) -> Option<NamePattern> {
        if verb == "file"
            && let Err(why) = PathPattern::parse(text)
        {
            self.problems.error(at, format!("`{}` is no path pattern: {why}", shorten(text)));
            return None;
        }
        match NamePattern::in_schema(text) {
            Ok(pattern) => Some(pattern),
            Err(why) if FREE.contains(&verb) && (why != TOO_LONG || verb == "program") => {
                Some(NamePattern::plain(text))
            }
            Err(why) => {
                self.problems.error(at, format!("`{}` is no name pattern: {why}", shorten(text)));
                None
            }
        }
    }

    /// A pattern on columns: `schema.relation.column`, or `relation.column` in any schema.
    pub(super) fn column(&mut self, text: &str, at: Place) -> Option<ColumnPattern> {
        let parsed = parts(text).and_then(|parts| match parts.as_slice() {
            [relation, column] => Ok(["*", relation, column].map(Glob::new)),
            [schema, relation, column] => Ok([schema, relation, column].map(|part| Glob::new(&**part))),
            _ => Err("write `schema.relation.column`, or `relation.column` for any schema"),
        });
        match parsed {
            Ok([schema, relation, column]) => {
                if schema.as_str() == "*" && relation.as_str() == "public" {
                    self.warn_of_no_column(text, column.as_str(), at);
                }
                Some(ColumnPattern { schema, relation, column })
            }
            Err(why) => {
                let is_set = self.sets.touch(text);
                let problem = self.problems.error(at, format!("`{}` is no column pattern: {why}", shorten(text)));
                problem.label = is_set.then(|| format!("did you mean `${text}`?"));
                None
            }
        }
    }

    /// Two names are a relation and its column. Where the first is the usual schema, a schema and a relation were meant.
    fn warn_of_no_column(&mut self, text: &str, column: &str, at: Place) {
        let message = format!("this is the column `{}` of relations called `public`", shorten(column));
        let problem = self.problems.warning(at, message);
        problem.help =
            Some(format!("for all columns of a relation write `{}.*`, for one its name there", shorten(text)));
    }

    /// The texts of a key that may name a set.
    pub(super) fn key_texts(&mut self, text: &str, at: Place) -> Vec<Arc<str>> {
        match text.strip_prefix('$') {
            None => vec![self.shared.shared(text)],
            Some(name) => self.set_named(name, at),
        }
    }
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
