"""What psycopg 3 gives: types in text and binary, pipelines, COPY, server-side cursors, errors, transactions."""

import datetime
import decimal
import os
import threading
import uuid

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

MODE = {"sslmode": "require"} if os.environ["HOOP_WAY"] == "through" else {}
VALUES = {
    "bool": [True, False, None], "int2": [-7, None], "int4": [2**31 - 1], "int8": [-2**63], "float4": [1.5], "float8": [2.25, float("inf")],
    "numeric": [decimal.Decimal("12345.6700"), decimal.Decimal("NaN")], "text": ["naïve ☕ \\ '\"", "", None], "varchar": ["x" * 5000],
    "bytea": [b"\x00\xff\\'", b""], "date": [datetime.date(2026, 2, 28)], "timestamp": [datetime.datetime(2026, 2, 28, 13, 14, 15, 678901)],
    "timestamptz": [datetime.datetime(2026, 2, 28, tzinfo=datetime.timezone.utc)], "interval": [datetime.timedelta(days=2, seconds=3)],
    "uuid": [uuid.UUID(int=7)], "jsonb": [Jsonb({"a": [1, None]})], "int4[]": [[1, None, 3], []], "text[]": [["a", "b c", None]],
    "inet": ["10.1.2.3"], "int4range": ["[1,5)"], "point": ["(1.5,-2)"],
}


def say(*words):
    print(*words, flush=True)


def attempt(name, call):
    try:
        say(name, call())
    except psycopg.Error as error:
        told = error.diag
        say(name, type(error).__name__, told.sqlstate, told.message_primary, told.message_detail, told.constraint_name, told.statement_position)


def types(connection):
    for binary in (False, True):
        for kind, values in VALUES.items():
            for value in values:
                query = sql.SQL("select {}::{} as v").format(sql.Placeholder(), sql.SQL(kind))
                attempt(f"{kind} {binary}", lambda: connection.cursor(binary=binary).execute(query, [value], binary=binary).fetchall())
                connection.commit()


def prepared(connection):
    for turn in range(8):
        say(turn, connection.execute("select %s::int + 1, %s", [turn, "t"], prepare=True).fetchone())
    connection.execute("create table p(a int)")
    say(connection.execute("select * from p", prepare=True).fetchall())
    connection.execute("alter table p add b int")
    attempt("replanned", lambda: connection.execute("select * from p", prepare=True).fetchall())
    connection.rollback()


def pipelines(connection):
    with connection.pipeline():
        cursors = [connection.execute("select %s::int * 2", [number]) for number in range(50)]
    say([cursor.fetchone()[0] for cursor in cursors])

    def broken():
        with connection.pipeline() as pipeline:
            connection.execute("select 1")
            connection.execute("select 1/0")
            connection.execute("select 2")
            pipeline.sync()

    attempt("broken", broken)
    connection.rollback()
    say(connection.execute("select 'fine'").fetchone())


def copies(connection):
    connection.execute("create table c(a int, b text)")
    with connection.cursor().copy("copy c from stdin") as copy:
        for number in range(1000):
            copy.write_row((number, None if number % 3 else f"\t{number}\n\\"))
    with connection.cursor().copy("copy c to stdout") as copy:
        rows = list(copy.rows())
    say(len(rows), rows[:4])
    with connection.cursor().copy("copy c to stdout (format binary)") as copy:
        copy.set_types(["int4", "text"])
        say("binary", sum(row[0] for row in copy.rows()))
    with connection.cursor().copy("copy c(a, b) from stdin (format binary)") as copy:
        copy.set_types(["int4", "text"])
        copy.write_row((5000, "binary"))
    say(connection.execute("select count(*) from c").fetchone())
    connection.commit()

    def bad():
        with connection.cursor().copy("copy c from stdin") as copy:
            copy.write(b"not a number\tx\n")

    attempt("bad", bad)
    connection.rollback()
    try:
        with connection.cursor().copy("copy c from stdin") as copy:
            copy.write(b"1\tx\n")
            raise ValueError("given up")
    except ValueError as error:
        say(error)
    connection.rollback()


def cursors(connection):
    with connection.cursor("named") as cursor:
        cursor.itersize = 7
        cursor.execute("select g, repeat('x', g) from generate_series(1, 30) g")
        say("named", sum(row[0] for row in cursor))
    with connection.cursor() as cursor:
        say("stream", [row[0] for row in cursor.stream("select generate_series(1, 10)")])
        cursor.executemany("select %s::int", [(n,) for n in range(5)], returning=True)
        results = [cursor.fetchone()]
        while cursor.nextset():
            results.append(cursor.fetchone())
        say("many", results)
    described = connection.execute("select 1 as a, 'x'::varchar(7), 1.5::numeric(6,2)").description
    say([(c.name, c.type_code, c.internal_size, c.precision) for c in described])
    connection.rollback()


def errors(connection):
    connection.execute("create table e(id int primary key, v int check (v > 0))")
    connection.execute("insert into e values (1, 1)")
    connection.commit()
    for query in ["select nope", "selec 1", "insert into e values (1, 1)", "insert into e values (2, -1)", "select 1/0", "select 'x'::int", ""]:
        attempt(query, lambda: connection.execute(query).statusmessage)
        say(connection.info.transaction_status.name)
        attempt("in it", lambda: connection.execute("select 1").fetchone())
        connection.rollback()
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute("select 1/0")
        except psycopg.errors.DivisionByZero:
            say("savepoint")
        say(connection.execute("select 2").fetchone())
    connection.rollback()


def asides(connection):
    notices = []
    connection.add_notice_handler(lambda told: notices.append((told.severity, told.message_primary, told.message_hint)))
    connection.execute("do $$ begin raise notice 'hello' using hint = 'h'; end $$")
    connection.commit()
    say(notices)
    connection.autocommit = True
    connection.execute("listen chan")
    connection.execute("notify chan, 'payload'")
    say([(told.channel, told.payload) for told in connection.notifies(timeout=20, stop_after=1)])
    connection.autocommit = False
    say(connection.info.encoding, connection.info.parameter_status("standard_conforming_strings"))


with psycopg.connect(**MODE) as connection:
    for part in (types, prepared, pipelines, copies, cursors, errors, asides):
        say("==", part.__name__)
        part(connection)
        connection.commit()
with psycopg.connect(**MODE) as connection:
    connection.execute("select 1")
    threading.Timer(1, connection.cancel).start()
    attempt("cancelled", lambda: connection.execute("select pg_sleep(60)").fetchone())
