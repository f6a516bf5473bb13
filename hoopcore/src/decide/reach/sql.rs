//! Whether a rule's patterns match an effect of SQL: names are looked up as the session does.

use alloc::string::String;

use crate::command::sql::{Duty, Object, Verb};
use crate::decide::evaluation::{Evaluation, Ground, SqlItem};
use crate::name::QualifiedName;
use crate::policy::reach::ssh::PathPattern;
use crate::policy::reach::{NamePattern, Names, SqlReach, in_schema};
use crate::policy::{Glob, GlobRef, shipped};
use crate::truth::Truth;

impl Evaluation<'_> {
    pub(super) fn matches_sql(&self, reach: &SqlReach, item: &SqlItem<'_>) -> Truth {
        let own = Truth::from(reach.verbs.has(item.effect.verb));
        let session = Truth::from(reach.verbs.has(Verb::Session)).and(item.harmless);
        match own.or(session) {
            Truth::No => Truth::No,
            verb @ (Truth::May | Truth::Yes) => verb.and(self.names(&reach.names, item)),
        }
    }

    fn names(&self, names: &Names, item: &SqlItem<'_>) -> Truth {
        let patterns = match names {
            Names::Every => return Truth::Yes,
            Names::OneOf(patterns) => patterns,
        };
        let truth = patterns.iter().fold(Truth::No, |truth, pattern| truth.or(matches_name(pattern, item)));
        match truth {
            Truth::May if self.all_homes_match(patterns, item) => Truth::Yes,
            Truth::No | Truth::May | Truth::Yes => truth,
        }
    }

    /// Whether a name without schema is matched by one pattern or another in each schema that it may be in.
    fn all_homes_match(&self, patterns: &[NamePattern], item: &SqlItem<'_>) -> bool {
        let name = match &item.effect.object {
            Object::Relation(name) | Object::Function(name) if name.schema.is_none() => name,
            Object::Relation(_)
            | Object::Function(_)
            | Object::Setting(_)
            | Object::Schema(_)
            | Object::Named(_)
            | Object::Prepared(_)
            | Object::Cursor(_)
            | Object::Any => return false,
        };
        let matches = |home: &str, (schema, last): (Option<GlobRef<'_>>, GlobRef<'_>)| {
            last.matches(&name.name) && schema.is_none_or(|schema| schema.matches(home))
        };
        let is_matched = |home| patterns.iter().filter_map(NamePattern::qualified).any(|p| matches(home, p));
        let mut homes = self.homes(name, item).into_iter().flatten().peekable();
        homes.peek().is_some() && homes.all(is_matched)
    }

    /// The one schema that a name without schema is surely in.
    pub(in crate::decide) fn home<'i>(&self, name: &QualifiedName, item: &SqlItem<'i>) -> Option<&'i str> {
        let mut homes = self.homes(name, item)?;
        homes.next().filter(|_| homes.next().is_none())
    }

    /// The schemas that a name without schema may be in; `None` where they are not known.
    fn homes<'i>(&self, name: &QualifiedName, item: &SqlItem<'i>) -> Option<impl Iterator<Item = &'i str> + use<'i>> {
        let (catalog, path) = match &item.effect.object {
            Object::Function(_) => self.function_homes(&name.name, item),
            Object::Relation(_)
            | Object::Setting(_)
            | Object::Schema(_)
            | Object::Named(_)
            | Object::Prepared(_)
            | Object::Cursor(_)
            | Object::Any => self.relation_homes(&name.name, item.ground),
        };
        // What is not shipped is not in `pg_catalog`, wherever the path names that.
        let path = path?.iter().map(String::as_str).filter(|home| *home != "pg_catalog");
        Some(catalog.then_some("pg_catalog").into_iter().chain(path))
    }

    /// Where a relation without schema may live: whether in `pg_catalog`, and in which schemas of the path (`None`
    /// where the path is not known).
    fn relation_homes<'g>(&self, name: &str, ground: Ground<'g>) -> (bool, Option<&'g [String]>) {
        let shipped = shipped::has_relation(name);
        let Some(path) = ground.path else { return (shipped, None) };
        match (shipped, path.iter().position(|schema| schema == "pg_catalog")) {
            (false, _) => (false, Some(path)),
            // The path does not name it, so it comes first.
            (true, None) => (true, Some(&[])),
            (true, Some(at)) => (true, path.get(..at)),
        }
    }

    /// Where a function or operator without schema may live. The analysis knows the shipped operators.
    fn function_homes<'i>(&self, name: &str, item: &SqlItem<'i>) -> (bool, Option<&'i [String]>) {
        let ground = item.ground;
        let is_shipped = item.effect.duty == Duty::HarmlessUnlessShadowed || shipped::has_function(name);
        if is_shipped && !self.is_shadowed(name, ground) {
            return (true, Some(&[]));
        }
        (shipped::may_have_function(name), ground.path)
    }
}

/// Whether a pattern matches the object of an effect, as far as its name tells.
fn matches_name(pattern: &NamePattern, item: &SqlItem<'_>) -> Truth {
    let qualified = pattern.qualified();
    match &item.effect.object {
        Object::Relation(name) | Object::Function(name) => {
            qualified.map_or(Truth::No, |(schema, last)| matches_qualified(schema, last, name))
        }
        Object::Schema(name) => qualified.map_or(Truth::No, |(schema, last)| whole_schema(schema, last, name)),
        Object::Setting(name) => matches_folded(&pattern.folded, name),
        Object::Named(name) => match item.effect.verb {
            Verb::File => matches_file(&pattern.written, name),
            Verb::Program => pattern.written.matches(name).into(),
            Verb::Read
            | Verb::Insert
            | Verb::Update
            | Verb::Delete
            | Verb::Truncate
            | Verb::Create
            | Verb::Alter
            | Verb::Drop
            | Verb::Grant
            | Verb::Role
            | Verb::Set
            | Verb::Call
            | Verb::Maintain
            | Verb::Admin
            | Verb::Lock
            | Verb::Sequence
            | Verb::Notify
            | Verb::Listen
            | Verb::Replicate
            | Verb::Fastpath
            | Verb::Session
            | Verb::Unknown => pattern.folded.matches(name).into(),
        },
        Object::Prepared(_) | Object::Cursor(_) | Object::Any => Truth::May,
    }
}

/// Whether a pattern on the server's files matches a path. What is no pattern on paths, after a verb `*`, matches what is
/// written like it, and never surely.
fn matches_file(pattern: &Glob, path: &str) -> Truth {
    let written = || if pattern.matches(path) { Truth::May } else { Truth::No };
    // Some servers part segments with a backslash: such a path may be any, as a relative one.
    let path = if path.contains('\\') { "" } else { path };
    PathPattern::parse(pattern.as_str()).map_or_else(|_| written(), |pattern| pattern.matches(path))
}

/// Whether a pattern matches a name.
fn matches_qualified(schema: Option<GlobRef<'_>>, last: GlobRef<'_>, name: &QualifiedName) -> Truth {
    if last.matches(&name.name) { in_schema(schema, name.schema.as_deref()) } else { Truth::No }
}

/// A whole schema is surely matched where everything in it is, and perhaps where something in it may be.
fn whole_schema(schema: Option<GlobRef<'_>>, last: GlobRef<'_>, name: &str) -> Truth {
    if schema.is_some_and(|schema| !schema.matches(name)) {
        return Truth::No;
    }
    if schema.is_some() && last.is_every() { Truth::Yes } else { Truth::May }
}

/// Settings are named in any case.
fn matches_folded(pattern: &Glob, name: &str) -> Truth {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return pattern.matches(&name.to_ascii_lowercase()).into();
    }
    pattern.matches(name).into()
}
