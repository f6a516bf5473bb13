-- Reads the names that the catalogue's tables hold from a fresh PostgreSQL 15 cluster:
--   psql -X -At -f extract.sql
-- The review of functions is in mod.rs: what is immutable or stable passes unless REFUSED names it, what is volatile
-- only where ADMITTED does. Functions that take or return types that SQL cannot name are left out.
\echo FUNCTIONS
SELECT proname
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind IN ('f', 'a', 'w')
  AND NOT EXISTS (SELECT FROM unnest(proargtypes::oid[] || prorettype) AS t(oid) JOIN pg_type USING (oid)
                  WHERE typtype = 'p' AND typname IN ('internal', 'cstring', 'trigger', 'event_trigger', 'language_handler',
                        'fdw_handler', 'index_am_handler', 'table_am_handler', 'tsm_handler', 'pg_ddl_command'))
GROUP BY proname
HAVING bool_and(provolatile <> 'v')
ORDER BY proname COLLATE "C";
\echo OPERATORS
SELECT oprname FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace GROUP BY oprname ORDER BY oprname COLLATE "C";
\echo FIELDS
SELECT DISTINCT a.name COLLATE "C" FROM pg_proc p, unnest(p.proargnames, p.proargmodes) AS a(name, mode)
WHERE p.pronamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND a.mode IN ('o', 'b', 't') AND a.name <> ''
ORDER BY 1;
\echo TYPES
SELECT typname FROM pg_type
WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND typname NOT LIKE '\_pg\_%'
ORDER BY typname COLLATE "C";
\echo KEYWORDS
SELECT word, catcode FROM pg_get_keywords() ORDER BY word COLLATE "C";
