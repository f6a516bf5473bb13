//! Names of what PostgreSQL ships: what an unqualified name surely means, and what `$std.catalog` holds.

use crate::listed::holds;

/// Relations of `pg_catalog` in PostgreSQL 13 to 18.
const RELATIONS: &str = include_str!("relations.txt");
/// Relations of `information_schema`.
const INFORMATION_SCHEMA: &str = include_str!("information_schema.txt");
/// Relations of both that `$std.catalog` withholds: statistics and samples of values, credentials, files of the
/// server, other people's queries.
const WITHHELD: &str = include_str!("withheld.txt");
/// Functions of `pg_catalog`.
const FUNCTIONS: &str = include_str!("functions.txt");

/// Whether `pg_catalog` holds a relation of that name.
pub(crate) fn has_relation(name: &str) -> bool {
    may_have_relation(name) && holds(RELATIONS, name)
}

/// Whether `pg_catalog` may hold a relation of that name, in whatever version.
pub(crate) fn may_have_relation(name: &str) -> bool {
    name.starts_with("pg_")
}

/// Whether `pg_catalog` surely holds a function of that name.
pub(crate) fn has_function(name: &str) -> bool {
    holds(FUNCTIONS, name)
}

/// Whether `pg_catalog` may hold a function of that name: those of a version that is newer than the list begin with
/// a prefix that is kept for the system.
pub(crate) fn may_have_function(name: &str) -> bool {
    name.starts_with("pg_") || has_function(name)
}

/// The relations of `$std.catalog`, with their schema.
pub(super) fn catalog() -> impl Iterator<Item = (&'static str, &'static str)> {
    let catalog = RELATIONS.lines().map(|name| ("pg_catalog", name));
    let all = catalog.chain(INFORMATION_SCHEMA.lines().map(|name| ("information_schema", name)));
    all.filter(|(_, name)| !holds(WITHHELD, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_shown_or_withheld() {
        for list in [RELATIONS, INFORMATION_SCHEMA, WITHHELD, FUNCTIONS] {
            assert!(list.lines().is_sorted());
        }
        let shown: alloc::vec::Vec<_> = catalog().collect();
        for (schema, name) in
            [("pg_catalog", "pg_class"), ("information_schema", "columns"), ("pg_catalog", "pg_settings")]
        {
            assert!(shown.contains(&(schema, name)), "{name}");
        }
        for name in ["pg_authid", "pg_stats", "pg_stat_activity", "user_mapping_options", "pg_subscription"] {
            assert!(shown.iter().all(|(_, shown)| *shown != name), "{name}");
        }
        assert!(has_relation("pg_stats") && !has_relation("pg_stat") && !has_relation("orders"));
        assert!(has_function("lower") && !has_function("totals") && may_have_function("pg_of_tomorrow"));
    }
}
