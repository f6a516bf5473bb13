//! Equal rules have one digest, however they are written; others have another.

use hoopcore::Policy;

fn digest(rules: &str) -> hoopcore::command::Digest {
    let text = format!("hoop: 1\nsets: {{ pii: [t.email, t.phone], one: [t.email] }}\nrules:\n{rules}");
    *Policy::from_yaml(&text).unwrap_or_else(|errors| panic!("{text}\n{errors:?}")).digest()
}

/// The same rule with another action.
fn mask(columns: &str) -> String {
    format!("- {{ rule: m, who: anyone, on: db, mask: {{ columns: {columns} }} }}\n")
}

fn same(one: &str, other: &str) {
    assert_eq!(digest(one), digest(other), "{one}\n{other}");
}

fn different(one: &str, other: &str) {
    assert_ne!(digest(one), digest(other), "{one}\n{other}");
}

#[test]
fn keys_and_members_have_no_order() {
    let rule = "- { rule: a, who: { user: [u, v] }, on: db, allow: { sql: { read: [x, y], insert: x } } }\n";
    same(rule, "- { allow: { sql: { insert: [x], read: [y, x, y] } }, on: [db], who: { user: [v, u] }, rule: 'a' }\n");
    different(rule, "- { rule: a, who: { user: [u, v] }, on: db, allow: { sql: { read: x, insert: [x, y] } } }\n");
    same(
        "- { rule: a, who: [{ user: u }, { group: g }], on: db, block: all }\n",
        "- { rule: a, who: [{ group: g }, { user: u }], on: db, block: all }\n",
    );
}

#[test]
fn rules_have_no_order() {
    let rule = |name: &str| format!("- {{ rule: {name}, who: anyone, on: db, block: all }}\n");
    same(&[rule("a"), rule("b")].concat(), &[rule("b"), rule("a")].concat());
    different(&rule("a"), &rule("b"));
    different(&rule("a"), &[rule("a"), rule("b")].concat());
}

#[test]
fn sets_stand_for_their_members() {
    same(&mask("{ $pii: redact }"), &mask("{ t.phone: redact, t.email: redact }"));
    same(&mask("{ $one: redact, t.email: redact }"), &mask("{ t.email: redact }"));
    same(&mask("{ $one: redact, t.email: partial }"), &mask("{ t.email: partial, $one: redact }"));
    different(&mask("{ $one: redact, t.email: partial }"), &mask("{ t.email: redact }"));
    different(&mask("{ $pii: redact }"), &mask("{ $pii: partial }"));
}

#[test]
fn texts_do_not_run_into_each_other() {
    let block = |names: &str| format!("- {{ rule: a, who: anyone, on: db, block: {{ sql: {{ set: {names} }} }} }}\n");
    different(&block(r#"["x", "y"]"#), &block(r#"['x""y']"#));
    different(&block(r#"['x"', y]"#), &block(r#"[x, '"y']"#));
}
