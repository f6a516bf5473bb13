//! COPY to the client through masks: what comes out, that nothing else changes, and a dump that can be restored.

use std::process::{Command, Output};

use crate::cluster::psql;
use crate::script::{Case, cases, report};
use crate::setting::{Gateway, create, direct, shop};
use crate::wire::{Address, Message, Wire};

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: everything
    who: anyone
    on: target
    allow: { sql: "*" }
  - rule: hide
    who: anyone
    on: target
    mask:
      columns:
        public.customers.ssn: redact
        public.customers.card: redact
        public.customers.email: partial
        public.customers.phone: partial
        public.people.ssn: "null"
        public.visits.ssn: redact
        public.made.ssn: redact
        hidden.vault.secret: "null"
      detect: { email: redact }
      on_copy: allow
"#;

#[test]
fn rows_that_are_copied_are_masked() {
    let gateway = Gateway::start(&shop(), POLICY);
    let judge = |case: &Case| case.judge(&case.run(&mut gateway.connect("ann")));
    report(&cases("copies.txt").iter().filter_map(judge).collect::<Vec<_>>());
}

/// Masks look at every row here, and find nothing: all messages are those of the server.
#[test]
fn what_no_mask_changes_stays_as_it_is() {
    let database = shop();
    let gateway = Gateway::start(&database, &POLICY.replace("{ email: redact }", "{ card: redact }"));
    for copy in ["everything", "orders", "names_of_columns", "(select * from everything e, orders)"] {
        for options in [
            "",
            "(header)",
            "(delimiter ';', null 'x')",
            "(format csv)",
            "(format csv, header, force_quote *)",
            "(format csv, delimiter '|', quote '''', escape E'\\\\', null 'n')",
            "(format binary)",
        ] {
            let sql = format!("copy {copy} to stdout {options}");
            let shown = |address: &Address| messages(&mut Wire::connect(address).unwrap(), &sql);
            assert_eq!(shown(&gateway.address("ann")), shown(&direct(&database)), "{sql}");
        }
    }
}

fn messages(wire: &mut Wire, sql: &str) -> Vec<String> {
    let odd = "create temp table names_of_columns (\"a,b\" text, \"c\"\"d\" text, \"e\tf\" text);
        insert into names_of_columns values ('x,\"y\"', E'a\\nb\\\\N', ''), ('\\.', null, 'x''|n')";
    wire.query(odd);
    wire.query(sql).iter().map(Message::show).collect()
}

/// Runs a program of PostgreSQL's at an address.
fn run(program: &str, address: &Address, arguments: &[&str]) -> Output {
    let program = psql().unwrap().with_file_name(program);
    let mut command = Command::new(program);
    command.env("PGHOST", address.socket.ip().to_string()).env("PGPORT", address.socket.port().to_string());
    command.env("PGUSER", &address.user).env("PGPASSWORD", &address.password).env("PGDATABASE", &address.database);
    command.args(arguments).output().unwrap()
}

#[test]
fn psql_copies_masked_rows() {
    let gateway = Gateway::start(&shop(), POLICY);
    let copy = r"\copy (select id, ssn, name from customers order by id) to stdout csv header";
    let told = run("psql", &gateway.address("ann"), &["-X", "-c", copy, "-c", "select 'alive'"]);
    let text = String::from_utf8_lossy(&told.stdout);
    let expected = "id,ssn,name\n1,[redacted],Ada Byron\n2,[redacted],Grace Hopper\n3,[redacted],Linus T\n";
    assert!(text.starts_with(expected) && text.contains("alive"), "{text}");
}

#[test]
fn a_dump_is_masked_and_can_be_restored() {
    let database = shop();
    // Pseudonyms keep a unique column unique.
    let policy = POLICY.replace("customers.email: partial", "customers.email: { pseudonym: { domain: people } }");
    let gateway = Gateway::start(&database, &policy.replace("{ email: redact }", "{ card: redact }"));
    let dump = run("pg_dump", &gateway.address("ann"), &["--no-owner"]);
    let text = String::from_utf8_lossy(&dump.stdout);
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    for protected in ["521-73-9284", "ada.byron", "4111111111111111", "7946 0958", "900-11-2233", "900-44", "hunter2"] {
        assert!(!text.contains(protected), "{protected}");
    }
    let restored = direct(&create("template0"));
    let file = gateway.file("dump.sql");
    std::fs::write(&file, &dump.stdout).unwrap();
    let psql = run("psql", &restored, &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file.to_str().unwrap()]);
    assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
    let rows = |address: &Address, sql: &str| Wire::connect(address).unwrap().rows(sql);
    assert_eq!(
        rows(&restored, "select id, name, ssn, length(email) from customers where id = 2"),
        ["D 2|Grace Hopper|[redacted]|18"]
    );
    for table in ["orders", "everything"] {
        let sql = format!("select * from {table} order by id");
        assert_eq!(rows(&restored, &sql), rows(&direct(&database), &sql));
    }
}
