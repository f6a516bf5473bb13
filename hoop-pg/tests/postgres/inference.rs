//! With `on_inference: block` nothing is done with a protected column but returning it, masked.

use crate::script::{Case, cases, report};
use crate::setting::{Gateway, shop};

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
    mask: { columns: { public.customers.ssn: redact }, on_inference: block }
"#;

#[test]
fn a_protected_column_is_returned_and_nothing_else() {
    let gateway = Gateway::start(&shop(), POLICY);
    let judge = |case: &Case| case.judge(&case.run(&mut gateway.connect("ann")));
    report(&cases("inference.txt").iter().filter_map(judge).collect::<Vec<_>>());
}
