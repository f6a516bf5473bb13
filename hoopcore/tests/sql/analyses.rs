//! Kept analyses: what they give is what an analysis anew gives, whatever was seen before.

use hoopcore::Command;
use hoopcore::command::Analyses;
use proptest::prelude::*;

fn told(command: &Command) -> String {
    format!("{:?}\n{}\n{:?}\n{}", command.what(), command.canonical(), command.digest(), command.text())
}

/// All texts in turn, each by one that keeps what it saw.
fn check(texts: &[String]) {
    let mut analyses = Analyses::default();
    for text in texts.iter().chain(texts) {
        assert_eq!(told(&analyses.command(text)), told(&Command::sql(text)), "{text:?} after {texts:?}");
    }
}

#[test]
fn what_a_literal_means_is_never_taken_from_another() {
    let pairs = [
        ("SELECT set_config('role', 'a', false)", "SELECT set_config('work_mem', 'a', false)"),
        ("SELECT nextval('a')", "SELECT nextval('b')"),
        ("SELECT * FROM t WHERE a = 'x'::regclass", "SELECT * FROM t WHERE a = 'y'::regclass"),
        ("SELECT * FROM t WHERE a = 5 OR a < 5 OR a > 5", "SELECT * FROM t WHERE a = 5 OR a < 4 OR a > 6"),
        ("DELETE FROM t WHERE a = 5 OR a <> 5", "DELETE FROM t WHERE a = 5 OR a <> 6"),
        ("SELECT 1; SET role = 'a'", "SELECT 1; SET role = 'b'"),
        ("SELECT a FROM t WHERE b = 'x' ORDER BY 1", "SELECT a FROM t WHERE b = 'y' ORDER BY 2"),
        ("SELECT a FROM t WHERE b = E'\\'' AND c = '; DROP TABLE t --'", "SELECT a FROM t WHERE b = E'x' AND c = 'y'"),
        ("SELECT a FROM t WHERE b = 0xFF", "SELECT a FROM t WHERE b = 1xFF"),
        ("SELECT a FROM t WHERE b = 'a'\n'b'", "SELECT a FROM t WHERE b = 'a'"),
        ("SELECT a FROM t WHERE b = 5::text", "SELECT a FROM t WHERE b = 6::text"),
        ("SELECT a FROM t WHERE b = 7", "SELECT a FROM t WHERE b = '7'"),
        ("SELECT a FROM t WHERE b = 7 -- c = 1", "SELECT a FROM t WHERE b = 8 -- c = 2"),
        ("SELECT a FROM t WHERE \"b\" = 7;", "SELECT a FROM t WHERE \"b\" = 8;"),
    ];
    for (one, other) in pairs {
        check(&[one.into(), other.into()]);
        check(&[other.into(), one.into()]);
    }
}

#[test]
fn a_statement_in_another_text_is_not_analysed_anew() {
    let shared = |one: &str, other: &str| {
        let mut analyses = Analyses::default();
        std::ptr::eq(analyses.command(one).what(), analyses.command(other).what())
    };
    assert!(shared("SELECT a FROM t WHERE b = 7 AND c < 'x';", "SELECT a FROM t WHERE b = 81 AND c < 'a@b.org';"));
    assert!(!shared("SELECT a FROM t WHERE b = 7", "SELECT a FROM t WHERE c = 7"));
    assert!(!shared("SELECT a FROM t WHERE b = 7", "SELECT a FROM t WHERE b = 'x'"));
    assert!(!shared("UPDATE t SET a = 7 WHERE b = 7", "UPDATE t SET a = 8 WHERE b = 7"));
}

const PIECES: &[&str] = &[
    "SELECT ",
    "a ",
    "FROM t ",
    "WHERE ",
    "b ",
    "= ",
    "< ",
    "<> ",
    "7 ",
    "81",
    "'x' ",
    "'y'",
    "E'\\''",
    "'a''b' ",
    "AND ",
    "OR ",
    "f( ",
    ") ",
    "; ",
    ", ",
    "--c\n",
    "/* ",
    "*/ ",
    "$1 ",
    "::int ",
    "\n",
    "LIMIT ",
    "UPDATE ",
    "SET ",
    "\"q\" ",
    "0x1F ",
    "- ",
    "nextval( ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_texts(texts in prop::collection::vec(prop::collection::vec(prop::sample::select(PIECES), 0..14), 1..6)) {
        check(&texts.iter().map(|pieces| format!("SELECT a FROM t WHERE b = 7 AND {}", pieces.concat())).collect::<Vec<_>>());
        check(&texts.iter().map(|pieces| pieces.concat()).collect::<Vec<_>>());
    }
}
