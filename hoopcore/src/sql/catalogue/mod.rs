//! What PostgreSQL ships in `pg_catalog`, and which of it is harmless.
//!
//! The lists are data read from a PostgreSQL 15 cluster by `extract.sql`. A function is harmless where every one of
//! its overloads is immutable or stable and it is not among [`REFUSED`], or where [`ADMITTED`] names it. A name
//! counts only as long as nothing on the session's path bears it too.

mod settings;

use crate::listed::holds;

pub(super) use settings::{SettingKind, setting_kind};

const FUNCTIONS: &str = include_str!("functions.txt");
const OPERATORS: &str = include_str!("operators.txt");
/// Columns of what shipped functions return.
const FIELDS: &str = include_str!("fields.txt");
const TYPES: &str = include_str!("types.txt");
const KEYWORDS: &str = include_str!("keywords.txt");

/// Stable or immutable, and yet no matter for everybody: they run a query given as text, show what others do, read
/// statistics (which hold values), lie about files, assign transaction numbers, or belong to machinery.
const REFUSED: &[&str] = &[
    "database_to_xml",
    "database_to_xml_and_xmlschema",
    "database_to_xmlschema",
    "fmgr_c_validator",
    "fmgr_internal_validator",
    "fmgr_sql_validator",
    "pg_config",
    "pg_current_xact_id",
    "pg_cursor",
    "pg_event_trigger_ddl_commands",
    "pg_event_trigger_dropped_objects",
    "pg_event_trigger_table_rewrite_oid",
    "pg_event_trigger_table_rewrite_reason",
    "pg_filenode_relation",
    "pg_get_replication_slots",
    "pg_mcv_list_items",
    "pg_mcv_list_send",
    "pg_prepared_statement",
    "pg_relation_filenode",
    "pg_relation_filepath",
    "pg_replication_origin_oid",
    "schema_to_xml",
    "schema_to_xml_and_xmlschema",
    "schema_to_xmlschema",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "table_to_xmlschema",
    "txid_current",
];

/// Statistics of all sessions, activity of others among them.
const REFUSED_PREFIX: &str = "pg_stat_get_";

/// Volatile, and yet harmless: clocks, random numbers, sizes, how far the log is, and what concerns the own session
/// alone.
const ADMITTED: &[&str] = &[
    "clock_timestamp",
    "currval",
    "gen_random_uuid",
    "lastval",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_blocking_pids",
    "pg_collation_actual_version",
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_database_size",
    "pg_get_wal_replay_pause_state",
    "pg_indexes_size",
    "pg_is_in_recovery",
    "pg_is_wal_replay_paused",
    "pg_jit_available",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_relation_size",
    "pg_table_size",
    "pg_total_relation_size",
    "random",
    "setseed",
    "timeofday",
];

/// The functions of `information_schema`, all of them immutable or stable: what its views are made of, and drivers ask
/// for keys by.
const OF_INFORMATION_SCHEMA: &[&str] = &[
    "_pg_char_max_length",
    "_pg_char_octet_length",
    "_pg_datetime_precision",
    "_pg_expandarray",
    "_pg_index_position",
    "_pg_interval_type",
    "_pg_numeric_precision",
    "_pg_numeric_precision_radix",
    "_pg_numeric_scale",
    "_pg_truetypid",
    "_pg_truetypmod",
];

/// What calling a shipped function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FunctionKind {
    /// Nothing that anybody need be asked for.
    Harmless,
    /// Moves a sequence that its first argument names.
    Sequence,
    /// Takes an advisory lock.
    Lock,
    /// Sends its second argument on the channel that its first one names.
    Notify,
    /// Sets the setting that its first argument names to its second.
    Setting,
    /// Anything: not shipped, or not reviewed.
    Unreviewed,
}

/// What calling the shipped function of this name does.
pub(super) fn function_kind(name: &str) -> FunctionKind {
    match name {
        "nextval" | "setval" => FunctionKind::Sequence,
        "set_config" => FunctionKind::Setting,
        "pg_notify" => FunctionKind::Notify,
        "pg_advisory_lock"
        | "pg_advisory_lock_shared"
        | "pg_advisory_xact_lock"
        | "pg_advisory_xact_lock_shared"
        | "pg_try_advisory_lock"
        | "pg_try_advisory_lock_shared"
        | "pg_try_advisory_xact_lock"
        | "pg_try_advisory_xact_lock_shared" => FunctionKind::Lock,
        _ if is_harmless_function(name) => FunctionKind::Harmless,
        _ => FunctionKind::Unreviewed,
    }
}

/// Whether `information_schema` is shipped with a function of this name.
pub(super) fn is_of_information_schema(name: &str) -> bool {
    OF_INFORMATION_SCHEMA.binary_search(&name).is_ok()
}

fn is_harmless_function(name: &str) -> bool {
    if ADMITTED.binary_search(&name).is_ok() {
        return true;
    }
    !name.starts_with(REFUSED_PREFIX) && REFUSED.binary_search(&name).is_err() && holds(FUNCTIONS, name)
}

/// Whether the name of a function or operator means something shipped as long as no other schema on the session's
/// path bears it too: the names that a gateway must look for there.
#[must_use]
pub fn is_catalogued(name: &str) -> bool {
    is_shipped_operator(name) || function_kind(name) != FunctionKind::Unreviewed
}

/// Whether an operator of this name is shipped. All of them are harmless.
pub(super) fn is_shipped_operator(name: &str) -> bool {
    matches!(name, "<>" | "!=") || holds(OPERATORS, name)
}

/// Whether what some shipped function returns has a column of this name.
pub(super) fn is_field(name: &str) -> bool {
    holds(FIELDS, name)
}

/// Whether a function of this name may be shipped.
pub(super) fn may_be_function(name: &str) -> bool {
    crate::policy::shipped::may_have_function(name)
}

/// Whether a type of this name is shipped; such a cast runs no code but PostgreSQL's.
pub(super) fn is_shipped_type(name: &str) -> bool {
    holds(TYPES, name)
}

/// Whether the word, in lower case, is a keyword of PostgreSQL.
pub(super) fn is_keyword(word: &str) -> bool {
    holds(KEYWORDS, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_searched_whole() {
        for list in [FUNCTIONS, OPERATORS, FIELDS, TYPES, KEYWORDS] {
            assert!(list.lines().is_sorted());
            assert!(list.lines().all(|name| holds(list, name)));
        }
        assert!(ADMITTED.is_sorted() && REFUSED.is_sorted() && OF_INFORMATION_SCHEMA.is_sorted());
    }

    #[test]
    fn kinds() {
        for name in ["upper", "count", "now", "jsonb_each_text", "pg_table_is_visible", "random"] {
            assert_eq!(function_kind(name), FunctionKind::Harmless, "{name}");
        }
        for name in ["", "uppe", "upperr", "pg_sleep", "pg_read_file", "query_to_xml", "dblink", "lo_get", "currtid2"] {
            assert_eq!(function_kind(name), FunctionKind::Unreviewed, "{name}");
        }
        assert!(!is_shipped_operator("====") && !is_shipped_operator(""));
    }
}
