drop schema if exists shop cascade;
create schema shop;
create table shop.customers(id int primary key, name text, email text, ssn text, note text);
insert into shop.customers values
  (1, 'Ada Byron', 'ada.byron@example.com', '521-73-9284', 'pays with 4111 1111 1111 1111'),
  (2, 'Grace Hopper', 'grace@navy.example', '467-88-1530', 'call before nine'),
  (3, 'Linus T', 'linus@kernel.example', '219-64-7053', null);
create table shop.orders(id int primary key, customer_id int references shop.customers(id), amount numeric(10, 2), status text);
insert into shop.orders values (10, 1, 99.50, 'paid'), (11, 1, 5.00, 'open'), (12, 2, 7.00, 'open');
