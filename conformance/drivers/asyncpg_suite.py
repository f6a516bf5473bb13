"""What asyncpg gives: types in binary, prepared statements, cursors, COPY, pools, errors, transactions."""

import asyncio
import datetime
import decimal
import io
import os
import uuid

import asyncpg

WAY = {"host": "127.0.0.1", "ssl": "require" if os.environ["HOOP_WAY"] == "through" else "disable"}
VALUES = {
    "bool": [True, None], "int2": [-7], "int4": [2**31 - 1], "int8": [-2**63], "float4": [1.5], "float8": [2.25], "text": ["naïve ☕ \\ '\"", ""],
    "numeric": [decimal.Decimal("12345.6700"), decimal.Decimal("NaN")], "bytea": [b"\x00\xff", b""], "date": [datetime.date(2026, 2, 28)],
    "timestamp": [datetime.datetime(2026, 2, 28, 13, 14, 15, 678901)], "interval": [datetime.timedelta(days=2, seconds=3)],
    "uuid": [uuid.UUID(int=7)], "jsonb": ['{"a": [1, null]}'], "int4[]": [[1, None, 3]], "text[]": [["a", None]], "inet": ["10.1.2.3"],
    "int4range": [asyncpg.Range(1, 5)], "point": [(1.5, -2)], "bit(3)": [asyncpg.BitString("101")],
}


def say(*words):
    print(*words, flush=True)


async def attempt(name, awaitable):
    try:
        say(name, await awaitable)
    except asyncpg.PostgresError as error:
        say(name, type(error).__name__, error.sqlstate, error, error.detail, error.constraint_name)
    except (asyncpg.InterfaceError, asyncio.TimeoutError) as error:
        say(name, type(error).__name__)


async def types(connection):
    for kind, values in VALUES.items():
        for value in values:
            await attempt(kind, connection.fetchrow(f"select $1::{kind} as v", value))
    await connection.execute("create type mood as enum ('ok', 'bad'); create type pair as (a int, b text)")
    await attempt("enum", connection.fetchval("select $1::mood", "bad"))
    await attempt("pair", connection.fetchval("select row(1, 'x')::pair"))
    await attempt("record", connection.fetchval("select (1, 'x'::text, null::int)"))


async def statements(connection):
    statement = await connection.prepare("select $1::int + 1 as sum, 'x' as t")
    say([await statement.fetchval(n) for n in range(5)], statement.get_parameters(), [a.name for a in statement.get_attributes()])
    await connection.execute("create table s(a int)")
    say(await connection.fetch("select * from s"))
    await connection.execute("alter table s add b text")
    await attempt("replanned", connection.fetch("select * from s"))
    await connection.executemany("insert into s values ($1, $2)", [(n, str(n)) for n in range(500)])
    say(await connection.fetchval("select sum(a) from s"))
    await attempt("half", connection.executemany("insert into s values ($1, $2 / 0)", [(1, 2), (3, 4)]))
    say(await connection.execute("update s set b = 'z' where a < 10"))


async def cursors(connection):
    async with connection.transaction():
        total = 0
        async for row in connection.cursor("select generate_series(1, 100) as g", prefetch=7):
            total += row["g"]
        say("cursor", total)
        cursor = await connection.cursor("select generate_series(1, 20)")
        say(await cursor.fetch(5), await cursor.forward(5), await cursor.fetchrow())


async def copies(connection):
    await connection.execute("create table c(a int, b text)")
    say(await connection.copy_records_to_table("c", records=[(n, None if n % 3 else f"\t{n}\n") for n in range(2000)]))
    out = io.BytesIO()
    say(await connection.copy_from_table("c", output=out, format="csv"), len(out.getvalue()))
    out = io.BytesIO()
    say(await connection.copy_from_query("select a from c where a < $1", 5, output=out), out.getvalue())
    await attempt("bad", connection.copy_to_table("c", source=io.BytesIO(b"x\ty\n")))
    say(await connection.fetchval("select count(*) from c"))


async def errors(connection):
    await connection.execute("create table e(id int primary key, v int check (v > 0)); insert into e values (1, 1)")
    for query in ["select nope", "selec 1", "insert into e values (1, 1)", "insert into e values (2, -1)", "select 1/0", "select 1; select 1/0"]:
        await attempt(query, connection.execute(query))
    async with connection.transaction():
        try:
            async with connection.transaction():
                await connection.execute("select 1/0")
        except asyncpg.DivisionByZeroError:
            say("savepoint")
        say(await connection.fetchval("select 2"))
    await attempt("time-out", connection.execute("select pg_sleep(60)", timeout=1))
    say(await connection.fetchval("select 'still here'"))


async def asides(connection):
    heard, notices = asyncio.Queue(), []
    connection.add_log_listener(lambda _, told: notices.append((told.severity, told.message)))
    await connection.add_listener("chan", lambda _connection, _process, channel, payload: heard.put_nowait((channel, payload)))
    await connection.execute("notify chan, 'payload'")
    say(await asyncio.wait_for(heard.get(), 20))
    await connection.execute("do $$ begin raise notice 'hello'; end $$")
    await connection.fetchval("select 1")
    say(notices)


async def main():
    connection = await asyncpg.connect(**WAY)
    for part in (types, statements, cursors, copies, errors, asides):
        say("==", part.__name__)
        await part(connection)
    await connection.close()
    async with asyncpg.create_pool(min_size=2, max_size=4, **WAY) as pool:
        say("pool", sorted(await asyncio.gather(*[pool.fetchval("select $1::int", n) for n in range(40)])))


asyncio.run(main())
