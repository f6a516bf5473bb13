//! Cases as text: a statement at the left margin, its effects indented below, an empty line between cases.
//!
//! A statement in double quotes is read as JSON, for characters that a reader could not see. `calls:` before the
//! effects lists the shipped functions and operators that must not be shadowed.

use std::fmt::Write as _;

use hoopcore::Command;

use crate::print;

const FILES: &[(&str, &str)] = &[
    ("queries", include_str!("cases/queries.txt")),
    ("columns", include_str!("cases/columns.txt")),
    ("writes", include_str!("cases/writes.txt")),
    ("limits", include_str!("cases/limits.txt")),
    ("functions", include_str!("cases/functions.txt")),
    ("session", include_str!("cases/session.txt")),
    ("definitions", include_str!("cases/definitions.txt")),
    ("evasions", include_str!("cases/evasions.txt")),
    ("lexical", include_str!("cases/lexical.txt")),
];

/// The same, as a replication connection sends it.
const REPLICATION: &str = include_str!("cases/replication.txt");

/// A statement in a line, `=>`, and what it compares of which relation; `-` where it returns bare columns alone.
#[test]
fn what_is_compared_is_as_written() {
    let mut failures = String::new();
    let text = include_str!("cases/compared.txt");
    for case in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sql, expected) = case.split_once(" => ").expect("a statement and what it compares");
        let found = print::compared(&Command::sql(sql));
        if found != expected {
            let _ = writeln!(failures, "{sql} => {found}  -- not {expected}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn effects_are_as_written() {
    let mut failures = String::new();
    let files = FILES.iter().map(|(file, text)| (*file, *text, Command::sql as fn(&str) -> Command));
    for (file, text, read) in files.chain([("replication", REPLICATION, Command::replication as _)]) {
        for case in text.split("\n\n").map(without_comments).filter(|case| !case.trim().is_empty()) {
            check(file, &case, read, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn without_comments(case: &str) -> String {
    case.lines().filter(|line| !line.starts_with("# ")).map(|line| format!("{line}\n")).collect()
}

fn check(file: &str, case: &str, read: fn(&str) -> Command, failures: &mut String) {
    let (effects, sql): (Vec<&str>, Vec<&str>) = case.lines().partition(|line| line.starts_with("  "));
    let sql = sql.join("\n");
    let text = if sql.starts_with('"') { serde_json::from_str(&sql).expect("a JSON string") } else { sql.clone() };
    let command = read(&text);
    let (calls, effects): (Vec<&str>, Vec<&str>) = effects.iter().partition(|line| line.starts_with("  calls:"));
    let expected: String = effects.iter().map(|line| format!("{line}\n")).collect();
    let found = print::effects(&command);
    if found != expected {
        let _ = write!(failures, "{file}: {sql}\n{found}  -- not\n{expected}\n");
    }
    for expected in calls {
        let found = format!("  calls: {}", print::calls(&command));
        let found = found.trim_end();
        if found != expected.trim_end() {
            let _ = write!(failures, "{file}: {sql}\n{found}\n  -- not\n{expected}\n\n");
        }
    }
}
