//! Two databases that are alike but for protected values look alike to a masked caller, whatever it asks.

use crate::script::report;
use crate::setting::{Gateway, direct, run, shop};
use crate::wire::Wire;

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
        public.customers.balance: null
        public.everything.f8: null
        public.everything.da: null
        public.everything.tz: null
        public.everything.iv: null
"#;

/// Other values in the same order: the order of a column is no secret.
const OTHERS: &str = "
update customers set ssn = '612-84-0395', balance = 11 where id = 1;
update customers set ssn = '358-77-2641', balance = 22 where id = 2;
update customers set ssn = '108-53-6942', balance = 37 where id = 3;
update everything set f8 = 7.75, da = '2026-05-17', tz = '2026-03-01 05:14:15+02', iv = '100000 years' where id = 1";

/// The lines of a section of the cases.
fn section(name: &str) -> Vec<&'static str> {
    let lines = include_str!("../cases/interference.txt").lines().filter(|line| !line.starts_with('#'));
    let from = lines.skip_while(|line| *line != format!("[{name}]")).skip(1);
    from.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty()).collect()
}

/// Every byte that comes for a statement, which leaves nothing behind.
fn answer(wire: &mut Wire, sql: &str) -> Vec<u8> {
    wire.query("begin");
    wire.received.clear();
    wire.query(sql);
    let bytes = std::mem::take(&mut wire.received);
    wire.query("rollback");
    bytes
}

fn twins() -> [String; 2] {
    let twins = [shop(), shop()];
    run(&twins[1], OTHERS);
    twins
}

/// What shows no difference direct would prove nothing.
#[test]
fn every_expression_and_context_tells_direct() {
    let [mut one, mut other] = twins().map(|database| Wire::connect(&direct(&database)).unwrap());
    let (expressions, contexts) = (section("expressions"), section("contexts"));
    let mut silent = |expression: &str, context: &str| {
        let sql = context.replace('@', expression);
        (answer(&mut one, &sql) == answer(&mut other, &sql)).then_some(sql)
    };
    let mut wrong: Vec<String> = contexts.iter().filter_map(|context| silent(expressions[0], context)).collect();
    wrong.extend(expressions.iter().filter_map(|expression| silent(expression, contexts[1])));
    report(&wrong);
}

#[test]
fn a_masked_caller_cannot_tell_them_apart() {
    let [one, other] = twins().map(|database| Gateway::start(&database, POLICY));
    let (mut one, mut other) = (one.connect("ann"), other.connect("ann"));
    let (expressions, contexts) = (section("expressions"), section("contexts"));
    let all = contexts.iter().flat_map(|context| expressions.iter().map(|expression| context.replace('@', expression)));
    let tells = all.filter(|sql| answer(&mut one, sql) != answer(&mut other, sql));
    report(&tells.collect::<Vec<_>>());
}
