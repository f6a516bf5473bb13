//! What is said about broken policies, by the cases of `problems.txt`.

use std::fs;

use hoopcore::Policy;
use hoopcore::mask::Keyring;
use hoopcore::policy::{Problem, Severity};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policy/problems.txt");

/// A block is a title, a text, `---`, and one line for each problem: `line:column+width error: message | label | help`.
/// `REWRITE_CASES=1` writes what is said now.
#[test]
fn problems() {
    let cases = fs::read_to_string(CASES).unwrap();
    let mut blocks = cases.split("\n## ");
    let mut said = blocks.next().unwrap().to_owned();
    for block in blocks {
        let (text, _) = block.split_once("\n---\n").unwrap_or_else(|| panic!("no `---` in {block}"));
        said.push_str(&format!("\n## {text}\n---\n{}", lines(text)));
    }
    if std::env::var_os("REWRITE_CASES").is_some() {
        fs::write(CASES, &said).unwrap();
    }
    let changed: Vec<_> = said.lines().zip(cases.lines()).filter(|(said, expected)| said != expected).take(5).collect();
    assert!(said == cases, "problems.txt says something else: {changed:#?}");
}

/// What is said about the policy below a title.
fn lines(block: &str) -> String {
    let text = block.split_once('\n').unwrap().1.replace('→', "\t");
    let problems = match Policy::from_yaml(&text) {
        Ok(policy) => policy.warnings(),
        Err(errors) => errors.problems,
    };
    problems.iter().map(line).collect()
}

fn line(problem: &Problem) -> String {
    let Problem { severity, message, line, column, width, label, help, .. } = problem;
    let severity = if *severity == Severity::Error { "error" } else { "warning" };
    let (label, help) = (label.as_deref().unwrap_or_default(), help.as_deref().unwrap_or_default());
    let all = format!("{line}:{column}+{width} {severity}: {message} | {label} | {help}");
    format!("{}\n", all.trim_end_matches(" | ").trim_end_matches(" |"))
}

#[test]
fn several_files_are_one_policy() {
    let head = "hoop: 1\nrules:\n";
    let rule = |name: &str, set: &str| {
        format!("  - {{ rule: {name}, who: anyone, on: db, allow: {{ sql: {{ read: {set} }} }} }}\n")
    };
    let sets = "hoop: 1\nsets: { shop: [public.orders] }\n";
    let policy = Policy::from_files(&[("a.yaml", &format!("{head}{}", rule("a", "$shop"))), ("sets.yaml", sets)]);
    assert!(policy.is_ok(), "{policy:#?}");

    let twice = [("a.yaml", format!("{head}{}", rule("a", "x"))), ("b.yaml", format!("\n{head}{}", rule("a", "$y")))];
    let files: Vec<(&str, &str)> = twice.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let problems = Policy::from_files(&files).unwrap_err().problems;
    let shown: Vec<String> = problems
        .iter()
        .map(|problem| {
            format!("{}:{} {} ({:?})", problem.file.as_deref().unwrap(), problem.line, problem.message, problem.help)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "b.yaml:4 two rules are called `a` (Some(\"the other one is (a.yaml:3)\"))",
            "b.yaml:4 unknown set `y` (Some(\"known: std.catalog\"))",
        ]
    );
}

/// Texts that nobody writes: the answer is a problem, soon, and never a crash.
#[test]
fn hostile_texts_are_refused() {
    let deep_flow = format!("hoop: 1\nrules: {}", "[".repeat(100_000));
    let deep_block: String = (0..3000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let anchors = "a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n\
        d: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e, *e]\n";
    let deep_not = format!("hoop: 1\nrules:\n- rule: a\n  who: {}anyone{}\n", "{not: ".repeat(2000), "}".repeat(2000));
    let huge = " ".repeat(9 << 20);
    let texts = [
        &deep_flow,
        &deep_block,
        anchors,
        &deep_not,
        &huge,
        "\u{0}",
        "\u{feff}",
        "!!binary x",
        "? ? ?",
        "*",
        "&",
        "- - -",
    ];
    for text in texts {
        let errors = Policy::from_yaml(text).expect_err(&text.chars().take(40).collect::<String>());
        assert!(errors.problems.iter().any(|problem| problem.severity == Severity::Error));
    }
}

#[test]
fn a_key_that_is_missing_is_a_problem_where_there_is_a_keyring() {
    let text = "hoop: 1\nrules:\n  - { rule: a, who: anyone, on: db, mask: { columns: { a.b.c: { pseudonym: { domain: x } } } } }\n";
    let files = [("a.yaml", text)];
    assert!(Policy::from_files(&files).is_ok());
    for keys in [Keyring::new().with("x", b"secret"), Keyring::new().with("default", b"secret")] {
        assert!(Policy::from_files_with_keys(&files, &keys).is_ok());
    }
    let problems = Policy::from_files_with_keys(&files, &Keyring::new().with("y", b"secret")).unwrap_err().problems;
    let shown: Vec<String> = problems.iter().map(line).collect();
    let help = "give it one in `keyring` of the gateway's file, or one called `default`";
    assert_eq!(shown, [format!("3:86+1 error: there is no key for the domain `x` |  | {help}\n")]);
}
