-- The database that the cases run on.
create table customers(id int primary key, name text, email text unique, phone varchar(20), ssn text, card text, note text, balance numeric default 0);
insert into customers values
  (1, 'Ada Byron', 'ada.byron@example.com', '+44 20 7946 0958', '521-73-9284', '4111111111111111', 'vip', 10),
  (2, 'Grace Hopper', 'grace@navy.example', '+1 202 555 0143', '467-88-1530', '5555555555554444', 'call before 9', 20),
  (3, 'Linus T', 'linus@kernel.example', null, '219-64-7053', '378282246310005', null, 30);
create table orders(id int primary key, customer_id int references customers(id), amount numeric(10, 2) check (amount >= 0), status text);
insert into orders values (10, 1, 99.50, 'paid'), (11, 1, 5, 'open'), (12, 2, 7, 'open'), (13, 3, 1, 'shipped');
create type mood as enum ('ok', 'bad');
create table everything(id int primary key, bo bool, i2 int2, i8 int8, f4 float4, f8 float8, nu numeric(10, 2), te text, vc varchar(20), ch char(5),
  by bytea, da date, ts timestamp, tz timestamptz, iv interval, uu uuid, js json, jb jsonb, ia int[], ta text[], ra int4range, ip inet, po point, mo mood, na name);
insert into everything values
  (1, true, -7, 9007199254740993, 1.5, 2.25, 12345.67, 'naïve ☕ "quoted" \ back', 'var', 'ch', '\x00ff10', '2026-02-28', '2026-02-28 13:14:15.678901',
   '2026-02-28 13:14:15+02', '1 year 2 days 03:04:05', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null]}', '{"b": {"c": "d"}}', '{1,NULL,3}', '{a,"b c",NULL}', '[1,5)', '10.1.2.3/8', '(1.5,-2)', 'bad', 'n'),
  (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
  (3, false, 0, 0, 'NaN', '-Infinity', 'NaN', '', '', '', '', 'infinity', '-infinity', 'infinity', '0', '00000000-0000-0000-0000-000000000000', 'null', '[]', '{}', '{{x},{y}}', 'empty', '::1', '(0,0)', 'ok', '');
create sequence tickets;
create function say(what text) returns text language plpgsql as $$ begin raise notice 'it says %', what using detail = 'a detail', hint = 'a hint'; return what; end $$;
create procedure tidy() language plpgsql as $$ begin update orders set status = 'tidy' where id = -1; end $$;
create view names as select id, name from customers;
create view contacts as select id, name, email as reach from customers;
create materialized view ages as select id, ssn as number from customers;
create schema decoy;
create schema hidden;
create table decoy.vault(id int, secret text);
insert into decoy.vault values (1, 'nothing to see');
create table hidden.vault(id int, secret text);
insert into hidden.vault values (1, 'hunter2-api-key');
create table notes(id int, body text);
create table people(id int, ssn text);
create table staff(desk text) inherits (people);
insert into staff values (1, '900-11-2233', 'a1');
create table visits(at date, ssn text) partition by range (at);
create table visits_2026 partition of visits for values from ('2026-01-01') to ('2027-01-01');
insert into visits values ('2026-02-03', '900-44-5566');
create function telltale(customers) returns text language sql stable as 'select $1.ssn';
create function hint(customers) returns text language sql stable as 'select left($1.ssn, 1)';
create function hint_of_any(record) returns text language plpgsql stable as 'begin return left(to_jsonb($1) ->> ''ssn'', 1); end';
create function areas(customers) returns setof text language sql stable as 'select unnest(string_to_array($1.ssn, ''2''))';
create domain whole_customer as customers;
create function hint_of_whole(whole_customer) returns text language sql stable as 'select left(($1).ssn, 1)';
create function sneak() returns setof text language sql stable security definer as 'select ssn from customers';
create view loud as select id, upper(ssn) as u from customers;
create view united as select name as x from customers union all select ssn from customers;
create view viewed as select reach as again from contacts;
create view wholes as select c as w from customers c;
create view scalars as select (select ssn from customers where id = 1) as s;
create view tales as select telltale(c) as t from customers c;
create view withs as with q as (select ssn from customers) select ssn || '' as s from q;
create view joined as select e from (customers c cross join (select 1) o) as j(a, b, x, d, e);
create materialized view gathered as select string_agg(ssn, ',') as everybody from customers;
create function lookup(int) returns text language sql stable as 'select ssn from customers where id = $1';
create view called as select s from sneak() s;
create view looked as select o.id, lookup(o.customer_id) as s from orders o;
create view relooked as select id, s as t from looked;
create view labels as select id, upper(status) as s from orders;
create table made(id int, ssn text, made text generated always as ('x' || ssn) stored);
insert into made(id, ssn) values (1, '900-77-8899');
analyze;
