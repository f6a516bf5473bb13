//! What holds for every text.

use hoopcore::Command;
use hoopcore::command::Coverage;
use hoopcore::command::sql::Verb;
use hoopcore::sql::scanner::Scanner;
use proptest::prelude::*;

/// Pieces that mean much to a lexer or parser.
const PIECES: &[&str] = &[
    "'",
    "''",
    "\"",
    "E'",
    "B'",
    "x'",
    "N'",
    "U&'",
    "U&\"",
    "$$",
    "$a$",
    "$1",
    "a$b$",
    "--",
    "-- c\n",
    "--\r",
    "/*",
    "*/",
    "\n",
    "\r",
    " ",
    "\t",
    "\x0b",
    "\u{a0}",
    "\u{feff}",
    "\0",
    "\\",
    "\\'",
    ";",
    "(",
    ")",
    "[",
    "]",
    ".",
    "..",
    ":",
    "::",
    ":=",
    "=>",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "=",
    "~",
    "@",
    "|",
    "?",
    "a",
    "é",
    "1",
    "1.5",
    "1e",
    "UESCAPE '!'",
    "\\0041",
    " SELECT ",
    " FROM ",
    " WHERE ",
    " INSERT INTO ",
    " UPDATE ",
    " SET ",
    " DELETE ",
    " WITH ",
    " AS ",
    " TABLE ",
    " ONLY ",
    " CREATE ",
    " COPY ",
    " TO ",
    " PROGRAM ",
    " JOIN ",
    " ON ",
    " USING ",
    " VALUES ",
    " UNION ",
    " IN ",
    " LIKE ",
    " BETWEEN ",
    " AND ",
    " CASE ",
    " WHEN ",
    " END ",
    " EXISTS ",
    " ARRAY",
    " INTO ",
    " RETURNING ",
    " FOR ",
    " EXPLAIN ",
    " DECLARE ",
    " CURSOR ",
    " OPERATOR",
    " CYCLE ",
    " ROWS ",
    " OVER ",
    " LIMIT ",
    " ORDER BY ",
    " t ",
    " id ",
    " 'x' ",
    " 5 ",
    ", ",
];

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

/// What holds for a text, whatever it is.
fn holds(text: &str) {
    let mut end = 0;
    for token in Scanner::new(text).map_while(Result::ok) {
        assert!(token.start >= end && token.end > token.start, "{text:?}");
        assert!(!token.text(text).is_empty(), "{text:?}");
        end = token.end;
    }
    let command = Command::sql(text);
    for statement in command.statements() {
        let unknown = statement.effects.iter().any(|effect| effect.verb == Verb::Unknown);
        assert!(!statement.effects.is_empty(), "{text:?}");
        assert_eq!(unknown, statement.coverage != Coverage::Full, "{text:?}");
    }
    let canonical = command.canonical();
    if canonical.ends_with('…') {
        return;
    }
    assert_eq!(Command::sql(canonical).canonical(), canonical, "{text:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        holds(&text);
    }

    #[test]
    fn any_soup_of_tokens(text in soup()) {
        holds(&text);
    }

    /// A literal stays out of the normal form, wherever it stands.
    #[test]
    fn no_literal_in_the_normal_form(before in soup(), after in soup(), form in 0..6) {
        let literal = match form {
            0 => "'s3cr3t'",
            1 => "E'\\'s3cr3t'",
            2 => "$q$s3cr3t$q$",
            3 => "U&'s3cr3t'",
            4 => "'a'\n's3cr3t'",
            _ => "-- s3cr3t\n",
        };
        // In front of it nothing may be open, or it is no literal.
        if Scanner::new(&before).all(|token| token.is_ok()) {
            let text = format!("{before} {literal} {after}");
            prop_assert!(!Command::sql(&text).canonical().contains("s3cr3t"), "{text:?}");
        }
    }

    /// What a statement does is seen whatever stands beside it in the same text.
    #[test]
    fn a_statement_is_not_hidden(before in soup(), after in soup()) {
        if Scanner::new(&before).all(|token| token.is_ok()) {
            let text = format!("{before}\n; DROP TABLE canary ; {after}");
            let seen = Command::sql(&text).effects().iter().any(|effect| effect.is_unknown() || effect.verb() == "drop");
            prop_assert!(seen, "{text:?}");
        }
    }
}
