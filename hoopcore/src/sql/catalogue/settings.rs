//! Settings: which of them anybody may change for the own session.

/// What changing a setting means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) enum SettingKind {
    /// A matter of the session alone: display, planning, time-outs.
    Plain,
    /// Pinned by the gateway in the startup packet: its pinned values are harmless, and so is RESET, which goes back
    /// to them.
    Pinned(&'static [&'static str]),
    /// It makes the session stricter with these values; all others ask for an allow.
    Stricter(&'static [&'static str]),
    /// Everything else, the settings of extensions and applications (`app.user`) included.
    Guarded,
}

const ON: &[&str] = &["on", "true", "yes", "1"];

const PLAIN: &[&str] = &[
    "application_name",
    "array_nulls",
    "bytea_output",
    "check_function_bodies",
    "client_min_messages",
    "constraint_exclusion",
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "cpu_tuple_cost",
    "cursor_tuple_fraction",
    "datestyle",
    "debug_pretty_print",
    "default_statistics_target",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "effective_cache_size",
    "effective_io_concurrency",
    "enable_async_append",
    "enable_bitmapscan",
    "enable_gathermerge",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_incremental_sort",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_memoize",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_parallel_append",
    "enable_parallel_hash",
    "enable_partition_pruning",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_seqscan",
    "enable_sort",
    "enable_tidscan",
    "escape_string_warning",
    "extra_float_digits",
    "force_parallel_mode",
    "from_collapse_limit",
    "geqo",
    "geqo_effort",
    "geqo_generations",
    "geqo_pool_size",
    "geqo_seed",
    "geqo_selection_bias",
    "geqo_threshold",
    "gin_fuzzy_search_limit",
    "hash_mem_multiplier",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "jit",
    "jit_above_cost",
    "jit_inline_above_cost",
    "jit_optimize_above_cost",
    "join_collapse_limit",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "lock_timeout",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "min_parallel_index_scan_size",
    "min_parallel_table_scan_size",
    "parallel_leader_participation",
    "parallel_setup_cost",
    "parallel_tuple_cost",
    "plan_cache_mode",
    "quote_all_identifiers",
    "random_page_cost",
    "recursive_worktable_factor",
    "seed",
    "seq_page_cost",
    "statement_timeout",
    "synchronize_seqscans",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "timezone",
    "timezone_abbreviations",
    "transaction_deferrable",
    "transaction_isolation",
    "work_mem",
    "xmlbinary",
    "xmloption",
];

/// What changing the setting of this name, in lower case, means.
pub(in crate::sql) fn setting_kind(name: &str) -> SettingKind {
    match name {
        "client_encoding" => SettingKind::Pinned(&["utf8", "utf-8", "unicode"]),
        "standard_conforming_strings" => SettingKind::Pinned(ON),
        "backslash_quote" => SettingKind::Stricter(&["safe_encoding"]),
        "default_transaction_read_only" | "transaction_read_only" | "row_security" => SettingKind::Stricter(ON),
        _ if PLAIN.binary_search(&name).is_ok() => SettingKind::Plain,
        _ => SettingKind::Guarded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted() {
        assert!(PLAIN.is_sorted());
        assert_eq!(setting_kind("timezone"), SettingKind::Plain);
        assert_eq!(setting_kind("role"), SettingKind::Guarded);
        assert_eq!(setting_kind("app.user"), SettingKind::Guarded);
    }
}
