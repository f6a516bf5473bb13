// What node-postgres gives: types, prepared statements, cursors, COPY, errors, transactions.
const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');
const { from, to } = require('pg-copy-streams');
const { pipeline } = require('stream/promises');
const { Readable, Writable } = require('stream');

const ssl = process.env.HOOP_WAY === 'through' ? { rejectUnauthorized: false } : false;
const say = (...words) => console.log(...words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))));

async function attempt(name, run) {
  try {
    const result = await run();
    say(name, result?.rows ?? result ?? '', result?.command ?? '', result?.rowCount ?? '');
  } catch (error) {
    say(name, error.code ?? '', error.message, error.detail ?? '', error.constraint ?? '', error.position ?? '');
  }
}

async function types(client) {
  const values = { bool: true, int2: -7, int8: '9007199254740993', float8: 2.25, numeric: '12345.6700', text: 'naïve ☕ \\ \'"', bytea: Buffer.from([0, 255]),
    timestamptz: '2026-02-28T13:14:15.678Z', uuid: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', jsonb: '{"a":[1,null]}', 'int4[]': [1, null, 3], 'text[]': ['a', null, 'b c'] };
  for (const [kind, value] of Object.entries(values)) {
    await attempt(kind, () => client.query(`select $1::${kind} as v, null::${kind} as n`, [value]));
    await attempt(kind + ' binary', () => client.query({ text: `select $1::${kind} as v`, values: [value], binary: true }));
  }
  await attempt('rows as arrays', () => client.query({ text: 'select 1 as a, 2 as a', rowMode: 'array' }));
  await attempt('several', async () => (await client.query('select 1; select 2 as b; select 3 where false')).map((one) => one.rows));
}

async function statements(client) {
  for (let n = 0; n < 5; n++) await attempt('named', () => client.query({ name: 'plus', text: 'select $1::int + 1 as sum', values: [n] }));
  await attempt('another text', () => client.query({ name: 'plus', text: 'select 2', values: [] }));
  await client.query('create table s(a int)');
  await attempt('star', () => client.query({ name: 'star', text: 'select * from s' }));
  await client.query('alter table s add b int');
  await attempt('replanned', () => client.query({ name: 'star', text: 'select * from s' }));
  await attempt('many', async () => (await Promise.all([...Array(30).keys()].map((n) => client.query('select $1::int as n', [n])))).map((one) => one.rows[0].n));
}

async function cursors(client) {
  const cursor = client.query(new Cursor('select generate_series(1, 25) as g'));
  let sum = 0, rows;
  while ((rows = await cursor.read(7)).length) sum += rows.reduce((all, row) => all + row.g, 0);
  await cursor.close();
  say('cursor', sum);
}

async function copies(client) {
  await client.query('create table c(a int, b text)');
  const lines = [...Array(3000).keys()].map((n) => `${n}\t${n % 3 ? 'x' : '\\N'}\n`);
  await pipeline(Readable.from(lines), client.query(from('copy c from stdin')));
  let bytes = 0;
  await pipeline(client.query(to('copy c to stdout')), new Writable({ write(chunk, _, next) { bytes += chunk.length; next(); } }));
  say('copy', bytes);
  await attempt('bad', () => pipeline(Readable.from(['x\ty\n']), client.query(from('copy c from stdin'))));
  await attempt('count', () => client.query('select count(*), count(b) from c'));
}

async function errors(client) {
  await client.query('create table e(id int primary key, v int check (v > 0)); insert into e values (1, 1)');
  for (const text of ['select nope', 'selec 1', 'insert into e values (1, 1)', 'insert into e values (2, -1)', 'select 1/0', "select 'x'::int", '', 'select 1; select 1/0'])
    await attempt(text, () => client.query(text));
  await attempt('bound', () => client.query('select $1::int', ['x']));
  await client.query('begin');
  await attempt('fails', () => client.query('select 1/0'));
  await attempt('in it', () => client.query('select 1'));
  await client.query('rollback');
  await attempt('after', () => client.query('select 1 as one'));
}

async function asides(client) {
  const heard = new Promise((resolve) => client.once('notification', (told) => resolve([told.channel, told.payload])));
  client.on('notice', (notice) => say('notice', notice.severity, notice.message));
  await client.query('listen chan');
  await client.query("notify chan, 'payload'");
  say(await heard);
  await client.query("do $$ begin raise notice 'hello'; end $$");
}

(async () => {
  const client = new Client({ ssl });
  await client.connect();
  for (const part of [types, statements, cursors, copies, errors, asides]) {
    say('==', part.name);
    await part(client);
  }
  await client.end();
  const pool = new Pool({ ssl, max: 4 });
  say('pool', (await Promise.all([...Array(40).keys()].map((n) => pool.query('select $1::int as n', [n])))).map((one) => one.rows[0].n));
  await pool.end();
})();
