//! Masks of paths in JSON: as text and binary, through views and copies, and past expressions.

use crate::script::{Case, cases, report};
use crate::setting::{Gateway, run, shop};

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
      json:
        public.profiles.doc: { "$..ssn": redact, "$.mail": partial }
        public.profiles.docb: { "$..ssn": redact, "$.tel[*]": partial }
      on_copy: allow
"#;

const TABLES: &str = r#"
create table profiles (id int primary key, doc json, docb jsonb);
insert into profiles values
  (1, '{"ssn": "521-73-9284", "name": "Ada", "mail": "ada.byron@example.com"}', '{"ssn": "521-73-9284", "name": "Ada", "tel": ["+44 20 7946 0958"]}'),
  (2, null, '{"sub": {"ssn": 5217392840}}'),
  (3, '[1, {"\u0073sn" : {"a": "521-73-9284"}, "ssn":"521-73-9284"}]', 'null');
create view profile_docs as select doc as d from profiles;
create view profile_numbers as select docb->>'ssn' as n from profiles;
"#;

#[test]
fn what_paths_select_is_masked() {
    let database = shop();
    run(&database, TABLES);
    let gateway = Gateway::start(&database, POLICY);
    let judge = |case: &Case| case.judge(&case.run(&mut gateway.connect("ann")));
    report(&cases("json.txt").iter().filter_map(judge).collect::<Vec<_>>());
}
