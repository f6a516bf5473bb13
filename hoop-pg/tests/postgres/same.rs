//! The same results through the gateway as direct, message by message.

use crate::script::{Case, cases, report};
use crate::setting::{ALLOW_ALL, Gateway, direct, shop};
use crate::wire::{Message, Wire};

const MASKS_ELSEWHERE: &str = r#"
  - rule: masks-elsewhere
    who: anyone
    on: target
    mask: { columns: { elsewhere.people.ssn: null } }
"#;

#[test]
fn without_masks() {
    compare(ALLOW_ALL);
}

#[test]
fn with_masks_armed_on_columns_that_are_not_there() {
    compare(&format!("{ALLOW_ALL}{MASKS_ELSEWHERE}"));
}

/// The cases themselves give the same twice; else a difference would say nothing.
#[test]
fn direct_twice() {
    let (one, two) = (shop(), shop());
    report(&differences(Wire::connect(&direct(&one)).unwrap(), Wire::connect(&direct(&two)).unwrap()));
}

/// A session's first temporary schema changes what it may do: the gateway must not make it.
#[test]
fn a_path_to_the_temporary_schema_makes_none() {
    let database = shop();
    let gateway = Gateway::start(&database, &format!("{ALLOW_ALL}{MASKS_ELSEWHERE}"));
    for mut session in [Wire::connect(&direct(&database)).unwrap(), gateway.connect("ann")] {
        session.query("set search_path to pg_temp, public");
        assert_eq!(session.rows("select count(*) from public.customers"), ["D 3"]);
        assert_eq!(session.rows("select pg_my_temp_schema()"), ["D 0"]);
    }
}

fn compare(policy: &str) {
    let (bare, behind) = (shop(), shop());
    let gateway = Gateway::start(&behind, policy);
    report(&differences(Wire::connect(&direct(&bare)).unwrap(), gateway.connect("ann")));
}

fn differences(mut one: Wire, mut other: Wire) -> Vec<String> {
    let cases = cases("same.txt");
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let newest = newest_table(&mut one);
    let run = |case: &Case| {
        let (expected, got) = (shown(&case.run(&mut one), newest), shown(&case.run(&mut other), newest));
        (expected != got).then(|| difference(&case.name, &expected, &got))
    };
    cases.iter().filter_map(run).collect()
}

fn difference(case: &str, expected: &[String], got: &[String]) -> String {
    let at = expected.iter().zip(got).take_while(|(one, other)| one == other).count();
    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| String::from("nothing"));
    format!("[{case}] message {at}: direct `{}`, through the gateway `{}`", line(expected), line(got))
}

fn newest_table(wire: &mut Wire) -> u32 {
    let row = wire.query("select max(oid) from pg_class").into_iter().find(|message| message.tag == b'D');
    row.and_then(|row| row.cells().first()?.parse().ok()).expect("the catalog answers")
}

/// The messages as text, but for the numbers of tables that the cases themselves made: those differ between databases.
fn shown(messages: &[Message], newest: u32) -> Vec<String> {
    messages.iter().map(|message| message.show_with_tables_up_to(newest)).collect()
}
