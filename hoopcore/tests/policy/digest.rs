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
fn a_text_that_is_no_set_stands_for_itself() {
    let reason = |text: &str| format!("- {{ rule: a, who: anyone, on: db, block: all, reason: {text} }}\n");
    different(&reason("$one"), &reason("t.email"));
    different(&mask("{ t.a: { fixed: $one } }"), &mask("{ t.a: { fixed: t.email } }"));
    let claim = |key: &str| format!("- {{ rule: a, who: {{ claim: {{ {key}: $one }} }}, on: db, block: all }}\n");
    different(&claim("$one"), &claim("t.email"));
    same(&claim("reason"), "- { rule: a, who: { claim: { reason: t.email } }, on: db, block: all }\n");
}

#[test]
fn sets_stand_in_any_order() {
    let policy = |sets: &str, names: &str| {
        let rule = format!("{{ rule: a, who: anyone, on: db, block: {{ sql: {{ read: {names} }} }} }}");
        *Policy::from_yaml(&format!("hoop: 1\nsets: {sets}\nrules:\n  - {rule}\n")).unwrap().digest()
    };
    let written_out = policy("{}", "[a.t, b.t]");
    assert_eq!(policy("{ all: [$shop, b.t], shop: [a.t] }", "$all"), written_out);
    assert_eq!(policy("{ shop: [a.t], all: [b.t, $shop] }", "$all"), written_out);
    assert_eq!(policy("{ x: $y, y: [$z, $w], z: $w, w: [a.t, b.t] }", "$x"), written_out);
}

#[test]
fn sets_double_no_work() {
    let level = |n: usize| format!("s{n}: [$s{0}, $s{0}]", n + 1);
    let sets = (0..60).map(level).chain(["s60: public.t".into()]).collect::<Vec<_>>().join(", ");
    let rule = |names: &str| format!("{{ rule: a, who: anyone, on: db, block: {{ sql: {{ read: {names} }} }} }}");
    let digest = |names| {
        *Policy::from_yaml(&format!("hoop: 1\nsets: {{ {sets} }}\nrules:\n  - {}\n", rule(names))).unwrap().digest()
    };
    assert_eq!(digest("$s0"), digest("public.t"));
}

#[test]
fn texts_do_not_run_into_each_other() {
    let block = |names: &str| format!("- {{ rule: a, who: anyone, on: db, block: {{ sql: {{ set: {names} }} }} }}\n");
    different(&block(r#"["x", "y"]"#), &block(r#"['x""y']"#));
    different(&block(r#"['x"', y]"#), &block(r#"[x, '"y']"#));
}
