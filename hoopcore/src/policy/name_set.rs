//! The names that many rules match, as one question: names written out are looked up, patterns are tried in turn.

use alloc::vec::Vec;

use super::index::Texts;
use super::pattern::{Glob, GlobRef};
use super::reach::{NamePattern, Names, Reaches, in_schema};
use crate::command::sql::Verb;
use crate::truth::Truth;

/// Names of relations and functions.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameSet {
    /// Whether it holds everything, what has another name or none too.
    every: bool,
    /// Whether it holds every name.
    every_name: bool,
    /// Whether there is nothing that it holds.
    some: bool,
    /// Last parts that are written out; the patterns of the schemas of each stand at its place.
    written: Texts,
    schemas: Vec<Vec<Option<Glob>>>,
    /// Patterns of a schema, where there is one, and of the last part; each with how the last part begins.
    patterns: Vec<(Option<Glob>, Glob)>,
    heads: Vec<Head>,
}

/// The first bytes that a pattern asks for: most names differ in them.
#[derive(Clone, Copy, Debug)]
struct Head {
    bytes: u64,
    mask: u64,
}

/// The name of a relation or function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    /// Its schema, where it is known.
    pub(crate) schema: Option<&'a str>,
    /// Its last part.
    pub(crate) last: &'a str,
}

impl NameSet {
    /// Adds what a rule matches by a verb.
    pub(crate) fn add(&mut self, reaches: &Reaches, verb: Verb) {
        for reach in reaches.sql.iter().filter(|reach| reach.verbs.has(verb)) {
            self.some = true;
            match &reach.names {
                Names::Every => self.every = true,
                Names::OneOf(patterns) => {
                    patterns.iter().filter_map(NamePattern::qualified).for_each(|name| self.pattern(name))
                }
            }
        }
    }

    fn pattern(&mut self, (schema, last): (Option<GlobRef<'_>>, GlobRef<'_>)) {
        self.every_name |= last.is_every() && schema.is_none_or(GlobRef::is_every);
        let schema = schema.map(GlobRef::to_owned);
        if !last.is_literal() {
            self.patterns.push((schema, last.to_owned()));
            return;
        }
        let at = self.written.add(last.as_str()) as usize;
        self.schemas.resize_with(self.schemas.len().max(at), Vec::new);
        if let Some(schemas) = self.schemas.get_mut(at - 1) {
            schemas.push(schema);
        }
    }

    /// The same, ready for questions: of what several rules match, each once.
    pub(crate) fn complete(mut self) -> Self {
        self.patterns.sort_unstable();
        self.patterns.dedup();
        self.heads = self.patterns.iter().map(|(_, last)| Head::of(last)).collect();
        self.schemas.iter_mut().for_each(|schemas| {
            schemas.sort_unstable();
            schemas.dedup();
        });
        self
    }

    /// Whether it holds every name.
    pub(crate) fn is_every_name(&self) -> bool {
        self.every || self.every_name
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        !self.some
    }

    /// Whether it holds a name, or all that has another name or none; `None` where it cannot tell.
    pub(crate) fn holds(&self, name: Option<Name<'_>>) -> Option<Truth> {
        match name {
            _ if self.every => Some(Truth::Yes),
            _ if !self.some => Some(Truth::No),
            Some(_) if self.every_name => Some(Truth::Yes),
            Some(name) => Some(self.written(name).or(self.matches(name))),
            None => None,
        }
    }

    fn written(&self, Name { schema, last }: Name<'_>) -> Truth {
        let schemas = self.written.find(last).and_then(|at| self.schemas.get(at as usize - 1));
        let each = schemas.into_iter().flatten().map(|pattern| in_schema(pattern.as_ref().map(Glob::as_ref), schema));
        each.fold(Truth::No, Truth::or)
    }

    fn matches(&self, Name { schema, last }: Name<'_>) -> Truth {
        let first = first_bytes(last);
        let alike = self.heads.iter().zip(&self.patterns).filter(|(head, _)| first & head.mask == head.bytes);
        let each = alike.filter(|(_, (_, pattern))| pattern.matches(last));
        each.map(|(_, (pattern, _))| in_schema(pattern.as_ref().map(Glob::as_ref), schema)).fold(Truth::No, Truth::or)
    }
}

impl Head {
    fn of(pattern: &Glob) -> Self {
        let bits = 8 * pattern.beginning().len().min(8);
        let mask = u64::MAX.checked_shl(u32::try_from(bits).unwrap_or(0)).map_or(u64::MAX, |rest| !rest);
        Self { bytes: first_bytes(pattern.beginning()) & mask, mask }
    }
}

/// The first eight bytes of a text, the first of them lowest; after its end zeros.
fn first_bytes(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let short = || bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    bytes.first_chunk().map_or_else(short, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::format;

    use super::*;
    use crate::policy::reach::{SqlReach, VerbSet};

    /// One set of all the patterns holds what one of them matches.
    fn check(patterns: &[&str], names: &[&str]) {
        let pattern = |text: &&str| NamePattern::in_schema(&format!("s.{text}").into()).ok();
        let names_of = Names::OneOf(patterns.iter().filter_map(pattern).collect());
        let reach = SqlReach { verbs: VerbSet::none().with(Verb::Read), names: names_of };
        let mut set = NameSet::default();
        set.add(&Reaches { sql: Box::new([reach]), ..Reaches::default() }, Verb::Read);
        let set = set.complete();
        for last in names {
            let expected = Truth::from(patterns.iter().any(|pattern| Glob::new(*pattern).matches(last)));
            let asked = |schema| set.holds(Some(Name { schema, last }));
            assert_eq!(asked(Some("s")), Some(expected), "{last} in {patterns:?}");
            assert_eq!(asked(Some("other")), Some(Truth::No), "{last} in {patterns:?}");
            assert_eq!(asked(None), Some(expected.and(Truth::May)), "{last} in {patterns:?}");
        }
    }

    #[test]
    fn a_set_holds_what_one_of_its_patterns_matches() {
        let names = ["", "t", "table", "tables_1", "tables_12", "tablespaces", "other", "\u{0}", "t\u{0}"];
        let patterns = ["t", "t*", "*s", "tables_*", "tables_1*", "tables_12", "o*h*r", "*pace*", "t*"];
        check(&patterns, &names);
        patterns.iter().for_each(|pattern| check(&[pattern], &names));
        check(&[], &names);
        let many: Vec<_> = (0..100).map(|number| format!("tables_{number}")).collect();
        check(&many.iter().map(|name| &**name).collect::<Vec<_>>(), &names);
    }
}
