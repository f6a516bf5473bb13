//! What the catalog is asked. Everything is written with its schema, and with a path that holds `pg_catalog` before
//! anything else: no object of a user can stand in for what is meant.

use std::fmt::Write as _;

use hoopcore::policy::{ColumnPattern, Glob};

/// Schemas of the session's path, as it stands: `pg_catalog` only where it is named. None, which is a path that is not
/// known, where it names the temporary schema: to ask for the path would make that one.
const PATH: &str = "SELECT s FROM pg_catalog.unnest(CASE
    WHEN pg_catalog.strpos(pg_catalog.lower(pg_catalog.current_setting('search_path')), 'pg_temp')
        OPERATOR(pg_catalog.=) 0 THEN pg_catalog.current_schemas(false) END) AS s";

/// For what follows in this transaction: nothing shadows the catalog, nothing cuts a query short.
const SETTLE: &str = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), \
    pg_catalog.set_config('statement_timeout', '0', true)";

/// Names of functions and operators of `pg_catalog` that others bear too. What came with an extension that a superuser
/// owns is not counted: whoever could install it could do anything.
const SHADOWS: &str = "
WITH trusted AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    JOIN pg_catalog.pg_roles o ON o.oid = e.extowner AND o.rolsuper
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
)
SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
WHERE p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace
    AND EXISTS (SELECT FROM pg_catalog.pg_proc b
        WHERE b.proname = p.proname AND b.pronamespace = 'pg_catalog'::pg_catalog.regnamespace)
    AND NOT EXISTS (SELECT FROM trusted t
        WHERE t.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND t.objid = p.oid)
UNION
SELECT DISTINCT o.oprname::text FROM pg_catalog.pg_operator o
WHERE o.oprnamespace <> 'pg_catalog'::pg_catalog.regnamespace
    AND EXISTS (SELECT FROM pg_catalog.pg_operator b
        WHERE b.oprname = o.oprname AND b.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace)
    AND NOT EXISTS (SELECT FROM trusted t
        WHERE t.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND t.objid = o.oid)";

/// Relations that show values of all tables (statistics), and what other sessions run. What an extension calls a query,
/// a plan or a command is taken for one.
const TELLTALES: &str = "
SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND (
    (n.nspname = 'pg_catalog' AND c.relname IN
        ('pg_statistic', 'pg_stats', 'pg_statistic_ext_data', 'pg_stats_ext', 'pg_stats_ext_exprs'))
    OR (n.nspname = 'pg_catalog' AND c.relname = 'pg_stat_activity' AND a.attname = 'query')
    OR (c.relname = 'pg_stat_statements' AND a.attname = 'query')
    OR (a.attname IN ('bind_variables', 'command', 'constvalue', 'example', 'plan', 'query', 'query_plan', 'query_text',
            'statement', 'top_query')
        AND EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e'
            AND e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid)))";

/// Views that call functions or operators which are not made with the database. Those of an extension are not counted:
/// whoever could install it could do anything.
const CALLING: &str = "
SELECT DISTINCT r.ev_class FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
WHERE r.ev_type = '1' AND d.refobjid >= 16384 AND d.refclassid IN
    ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e'
        AND e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = r.ev_class)";

/// Every relation that a result column can come from, as `oid:columns`, in one value; behind that the numbers of generated
/// columns, `oid:columns:3:5`.
const RELATIONS: &str = "
SELECT pg_catalog.string_agg(c.oid::text || ':' || c.relnatts::text || coalesce(g.attributes, ''), ' ')
FROM pg_catalog.pg_class c
LEFT JOIN (SELECT d.adrelid, pg_catalog.string_agg(':' || d.adnum::text, '') FROM pg_catalog.pg_attrdef d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
    GROUP BY d.adrelid) AS g(relation, attributes) ON g.relation = c.oid
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S', 't')";

/// Shipped functions that cannot be written like a column of a row, tell nothing of it, or are known to take one.
const KNOWN: &str = "p.prokind NOT IN ('f', 'a') OR p.provariadic = 0 AND p.pronargs - p.pronargdefaults > 1
    OR p.proname IN ('any_out', 'any_value', 'anycompatible_out', 'anycompatiblenonarray_out', 'anyelement_out',
        'anynonarray_out', 'array_agg', 'concat', 'count', 'cume_dist', 'dense_rank', 'hash_record', 'json_agg',
        'json_agg_strict', 'json_build_array', 'json_build_object', 'jsonb_agg', 'jsonb_agg_strict',
        'jsonb_build_array', 'jsonb_build_object', 'mode', 'num_nonnulls', 'num_nulls', 'percent_rank',
        'pg_collation_for', 'pg_column_compression', 'pg_column_size', 'pg_column_toast_chunk_id', 'pg_typeof',
        'quote_literal', 'quote_nullable', 'rank', 'record_out', 'record_send', 'row_to_json', 'to_json', 'to_jsonb')";

/// Begins the look into the catalog. None of it writes. What is asked and answered is UTF-8 up to its end, whatever the
/// client writes in.
pub(super) const BEGIN: [&str; 2] =
    ["BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", "SELECT pg_catalog.set_config('client_encoding', 'UTF8', true)"];
/// Ends it.
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// What is asked in any case: the path, then what shadows the catalog.
pub(super) const ALWAYS: [&str; 3] = [PATH, SETTLE, SHADOWS];

/// Columns that the patterns match: relation, attribute, schema, relation's name, column's name.
pub(super) fn protected(patterns: &[ColumnPattern]) -> String {
    format!("SELECT a.attrelid, a.attnum, n.nspname, c.relname, a.attname FROM {COLUMNS} AND ({})", any_of(patterns))
}

const COLUMNS: &str = "pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')";

/// Every relation that protected values may be read from, and more: what inherits from them, what they inherit from,
/// views of them, views of those. In one value, as an array.
pub(super) fn affected(patterns: &[ColumnPattern]) -> String {
    format!(
        "
WITH RECURSIVE protected(oid) AS MATERIALIZED (SELECT DISTINCT a.attrelid FROM {COLUMNS} AND ({})),
telltale(oid) AS (SELECT DISTINCT t.attrelid FROM ({TELLTALES}) t),
calling(oid) AS ({CALLING}),
edge(base, dependent) AS (
    SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits i
    UNION ALL SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i
    UNION ALL SELECT d.refobjid, r.ev_class FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        WHERE d.refobjid <> r.ev_class
    -- Dependencies on what initdb made are not kept: such views are found by the text of their rule.
    UNION ALL SELECT t.oid, r.ev_class FROM telltale t
        JOIN pg_catalog.pg_rewrite r ON r.ev_class >= 16384
            AND r.ev_action::text LIKE '%:relid ' || t.oid::text || ' %'
),
affected(oid) AS (
    SELECT p.oid FROM protected p
    UNION SELECT t.oid FROM telltale t WHERE EXISTS (SELECT FROM protected)
    UNION SELECT c.oid FROM calling c WHERE EXISTS (SELECT FROM protected)
    UNION SELECT e.dependent FROM affected JOIN edge e ON e.base = affected.oid
)
SELECT pg_catalog.array_agg(oid) FROM affected",
        any_of(patterns)
    )
}

/// What is asked about the affected relations, in the order in which the answers are read.
pub(super) fn about(affected: &str) -> [String; 9] {
    let these = format!("= ANY ('{affected}'::pg_catalog.oid[])");
    [
        format!(
            "SELECT c.oid, n.nspname, c.relname, c.reltoastrelid, t.relname, a.attnum, a.attname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid {these}"
        ),
        format!(
            "SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits i
WHERE i.inhparent {these} AND i.inhrelid {these}"
        ),
        format!(
            "SELECT r.ev_class, r.ev_action::text FROM pg_catalog.pg_rewrite r
WHERE r.ev_type = '1' AND r.ev_class {these}"
        ),
        format!(
            "SELECT DISTINCT r.ev_class, d.refobjid, d.refobjsubid FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
WHERE d.refobjid <> r.ev_class AND r.ev_class {these}"
        ),
        format!(
            "SELECT d.adrelid, d.adnum, d.adbin::text FROM pg_catalog.pg_attrdef d
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
WHERE d.adrelid {these}"
        ),
        TELLTALES.to_owned(),
        like_columns(&these),
        types(&these),
        RELATIONS.to_owned(),
    ]
}

/// What can be written like a column of a row: `c.f` for `f(c)`, `c.d` for `c::d` where `d` is a domain over rows.
fn like_columns(these: &str) -> String {
    format!(
        "WITH RECURSIVE shape(type) AS (
    SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typrelid {these}
    UNION SELECT c.reloftype FROM pg_catalog.pg_class c WHERE c.oid {these}
    UNION SELECT d.oid FROM pg_catalog.pg_type d JOIN shape s ON d.typtype = 'd' AND d.typbasetype = s.type)
SELECT p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_type t ON t.oid = p.proargtypes[0]
    OR t.oid = p.provariadic AND p.pronargs = 1
WHERE NOT (p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND ({KNOWN}))
    AND (t.oid IN (SELECT s.type FROM shape s) OR t.typtype = 'p' AND t.typname IN
    ('record', 'any', 'anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray'))
UNION SELECT d.typname FROM pg_catalog.pg_type d JOIN shape s ON s.type = d.oid WHERE d.typtype = 'd'"
    )
}

/// Types of others that columns have, or whole relations: a domain checks values, a relation's type its columns, and a
/// domain over rows is a name of the row.
fn types(these: &str) -> String {
    format!(
        "WITH RECURSIVE shape(relation, type) AS (
    SELECT c.oid, c.reltype FROM pg_catalog.pg_class c WHERE c.oid {these}
    UNION SELECT c.oid, c.reloftype FROM pg_catalog.pg_class c WHERE c.oid {these}
    UNION SELECT s.relation, d.oid FROM pg_catalog.pg_type d JOIN shape s ON d.typtype = 'd' AND d.typbasetype = s.type
), used(relation, attribute, type) AS (
    SELECT a.attrelid, a.attnum, a.atttypid FROM pg_catalog.pg_attribute a
    WHERE a.attrelid {these} AND a.attnum > 0 AND NOT a.attisdropped
    UNION SELECT s.relation, 0::pg_catalog.int2, s.type FROM shape s
    UNION SELECT u.relation, u.attribute, x.inner_type FROM used u
        JOIN pg_catalog.pg_type t ON t.oid = u.type AND t.oid >= 16384
        CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem)) AS x(inner_type)
)
SELECT u.relation, u.attribute, n.nspname, t.typname FROM used u
JOIN pg_catalog.pg_type t ON t.oid = u.type AND t.oid >= 16384
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
WHERE t.typtype = 'd' OR c.relkind = 'c'"
    )
}

/// A condition that holds for every column that one of the patterns matches.
fn any_of(patterns: &[ColumnPattern]) -> String {
    let mut condition = String::from("false");
    for ColumnPattern { schema, relation, column } in patterns {
        let parts = [("n.nspname", schema), ("c.relname", relation), ("a.attname", column)];
        // An `E` string means the same whatever the session has made of plain ones.
        let parts = parts.map(|(name, glob)| format!("{name} LIKE E'{}'", like(glob).replace('\\', r"\\")));
        let _ = write!(condition, " OR ({})", parts.join(" AND "));
    }
    condition
}

/// A glob in the words of LIKE, inside a string of SQL: `*` is `%`, all else stands for itself.
fn like(glob: &Glob) -> String {
    let mut like = String::new();
    for character in glob.as_str().chars() {
        match character {
            '*' => like.push('%'),
            '%' | '_' | '\\' => like.extend(['\\', character]),
            '\'' => like.push_str("''"),
            other => like.push(other),
        }
    }
    like
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_in_the_words_of_like() {
        let check = |glob: &str, expected: &str| assert_eq!(like(&Glob::new(glob)), expected);
        check("customers", "customers");
        check("*", "%");
        check("a*b*", "a%b%");
        check("50%_off", r"50\%\_off");
        check(r"a\b", r"a\\b");
        check("o'clock", "o''clock");
        check("x' OR true --", "x'' OR true --");
    }
}
