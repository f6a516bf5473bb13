#!/usr/bin/env bash
# What psql shows: types, errors, transactions, COPY both ways, cursors, large objects, meta-commands.
set -u
p() { "$PSQL" -X -q "$@" 2>&1; }
p -a <<'SQL'
\pset null ␀
create table t(id int primary key, name text, at timestamptz, amount numeric(10,2), flags bool[], doc jsonb, raw bytea);
insert into t values (1, 'naïve ☕ "q" \ back', '2026-02-28 13:14:15+02', 12.50, '{t,f,NULL}', '{"a": [1, null]}', '\x00ff10'), (2, null, null, null, null, null, null);
select * from t order by id;
\d t
\x on
select * from t where id = 1;
\x off
select 1 as a \; select 2 as b \; select 3/0;
begin; savepoint s; select 1/0; rollback to s; select 'still here'; commit;
begin; select 1/0; select 2; rollback;
copy t(id, name) from stdin;
3	three
4	\N
\.
copy t(id) from stdin;
x
\.
copy t to stdout;
copy t to stdout (format csv, header);
\copy (select id from t order by id) to stdout
begin; declare c cursor for select generate_series(1, 5); fetch 2 from c; move 1 from c; fetch all from c; close c; commit;
\set FETCH_COUNT 2
select generate_series(1, 5);
\unset FETCH_COUNT
prepare p(int) as select $1 + 1; execute p(41); deallocate p; execute p(1);
select format('%s', 1) as gexec \gdesc
select 'select 42' \gexec
do $$ begin raise notice 'a notice'; raise warning 'a warning' using detail = 'd', hint = 'h'; end $$;
explain (costs off) select * from t where id = 1;
show server_version_num;
select repeat('x', 100000) = repeat('x', 100000) as long;
;
-- nothing
set standard_conforming_strings = off;
select 'a\'b';
set standard_conforming_strings = on;
\lo_import /dev/null
select count(*) from pg_largeobject_metadata;
drop table t; drop table t;
\echo :SQLSTATE :LAST_ERROR_MESSAGE
SQL
p -1 -c 'create table u(a int)' -c 'insert into u values (1)' -c 'select * from u'
p -c 'select 1; select 2' -c 'select nope' -c 'select 3'
seq 1 20000 | p -c 'copy u from stdin' && p -c 'select count(*), sum(a) from u'
p -At -c 'copy (select generate_series(1, 50000)) to stdout' | cksum
p -v ON_ERROR_STOP=1 -f /dev/stdin <<<'select 1/0; select 2;'; echo "exit $?"
