//! Names of what PostgreSQL ships: what an unqualified name surely means, and what `$std.catalog` holds.

use alloc::vec::Vec;

/// Relations of `pg_catalog` in PostgreSQL 13 to 18, in order; `-` marks what `$std.catalog` withholds: statistics
/// and samples of values, credentials, files of the server, other people's queries.
const RELATIONS: &str = include_str!("relations.txt");
/// Relations of `information_schema`, marked in the same way.
const INFORMATION_SCHEMA: &str = include_str!("information_schema.txt");
/// Functions of `pg_catalog`, in order.
const FUNCTIONS: &str = include_str!("functions.txt");

/// Lists by which a bare name is looked up. Made once for each policy.
#[derive(Debug)]
pub(crate) struct Shipped {
    relations: Vec<&'static str>,
    functions: Vec<&'static str>,
}

impl Shipped {
    pub(crate) fn new() -> Self {
        let relations = RELATIONS.lines().filter_map(|line| line.get(1..)).collect();
        Self { relations, functions: FUNCTIONS.lines().collect() }
    }

    /// Whether `pg_catalog` holds a relation of that name.
    pub(crate) fn has_relation(&self, name: &str) -> bool {
        name.starts_with("pg_") && self.relations.binary_search(&name).is_ok()
    }

    /// Whether `pg_catalog` may hold a function of that name: those of a version that is newer than the list begin
    /// with a prefix that is kept for the system.
    pub(crate) fn may_have_function(&self, name: &str) -> bool {
        name.starts_with("pg_") || self.functions.binary_search(&name).is_ok()
    }

    /// Whether it surely does.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.functions.binary_search(&name).is_ok()
    }
}

/// The relations of `$std.catalog`, with their schema.
pub(super) fn catalog() -> impl Iterator<Item = (&'static str, &'static str)> {
    let shown = |list: &'static str| list.lines().filter_map(|line| line.strip_prefix('+'));
    let catalog = shown(RELATIONS).map(|name| ("pg_catalog", name));
    catalog.chain(shown(INFORMATION_SCHEMA).map(|name| ("information_schema", name)))
}
