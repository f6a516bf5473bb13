//! The scanner and the normal form, case by case.

use hoopcore::Command;
use hoopcore::sql::scanner::{Scanner, TokenKind};

/// The tokens of a text, each as `kind:text`; the flaw at its end.
fn tokens(text: &str) -> String {
    let shown = Scanner::new(text).map(|token| match token {
        Ok(token) => format!("{}:{}", kind(token.kind), token.text(text)),
        Err(flaw) => format!("!{} {}", flaw.at, flaw.what),
    });
    shown.collect::<Vec<_>>().join(" | ")
}

fn kind(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Word => "w",
        TokenKind::Quoted | TokenKind::UnicodeQuoted => "q",
        TokenKind::Literal(_) => "l",
        TokenKind::Number => "n",
        TokenKind::Parameter => "p",
        TokenKind::Operator => "o",
        TokenKind::Comma
        | TokenKind::Semicolon
        | TokenKind::Open
        | TokenKind::Close
        | TokenKind::OpenBracket
        | TokenKind::CloseBracket
        | TokenKind::Period
        | TokenKind::Range
        | TokenKind::Colon
        | TokenKind::Cast
        | TokenKind::Assign
        | TokenKind::Arrow => "m",
    }
}

#[test]
fn tokens_are_cut_as_postgresql_cuts_them() {
    let check = |text: &str, expected: &str| assert_eq!(tokens(text), expected, "{text:?}");
    // Words, numbers, parameters.
    check("a1$ _b ä", "w:a1$ | w:_b | w:ä");
    check("1 1.5 .5 5. 1e3 1.5e-3", "n:1 | n:1.5 | n:.5 | n:5. | n:1e3 | n:1.5e-3");
    check("1..2 a.b", "n:1 | m:.. | n:2 | w:a | m:. | w:b");
    check("$1 $23", "p:$1 | p:$23");
    check("1a", "!0 letters follow a number, which versions of PostgreSQL read differently");
    check("1e", "!0 letters follow a number, which versions of PostgreSQL read differently");
    check("1_000", "!0 letters follow a number, which versions of PostgreSQL read differently");
    check("0x1F", "!0 letters follow a number, which versions of PostgreSQL read differently");
    check("1$1", "!0 letters follow a number, which versions of PostgreSQL read differently");
    check("$1a", "!0 letters follow a parameter, which versions of PostgreSQL read differently");
    // Operators end where a comment begins; a trailing sign is an operator of its own.
    check("a<=b", "w:a | o:<= | w:b");
    check("1*-2", "n:1 | o:* | o:- | n:2");
    check("1@-2", "n:1 | o:@- | n:2");
    check("1=-- c\n2", "n:1 | o:= | n:2");
    check("1</*c*/2", "n:1 | o:< | n:2");
    check("a=>b :=c ::d", "w:a | m:=> | w:b | m::= | w:c | m::: | w:d");
    check("a->>'b'", "w:a | o:->> | l:'b'");
    check("- -1+-+", "o:- | o:- | n:1 | o:+ | o:- | o:+");
    // Comments.
    check("1 -- c\n2 -- d\r3", "n:1 | n:2 | n:3");
    check("1 /* a /* b */ c */ 2", "n:1 | n:2");
    check("1 /*/ 2 */ 3", "n:1 | n:3");
    check("1 /* 2", "n:1 | !2 a comment is not closed");
    // Literals.
    check("'it''s'", "l:'it''s'");
    check("'a\\'", "l:'a\\'");
    check("E'a\\'b' e'\\\\'", "l:E'a\\'b' | l:e'\\\\'");
    check("'a'\n'b' 'c' 'd'", "l:'a'\n'b' | l:'c' | l:'d'");
    check("'a' -- c\n 'b'", "l:'a' -- c\n 'b'");
    check("'a' /* c */\n 'b'", "l:'a' | l:'b'");
    check("E'a'\n'\\'b'", "l:E'a'\n'\\'b'");
    check("B'1''0' x'1F'", "l:B'1' | l:'0' | l:x'1F'");
    check("n'a' N'b' U&'c' u&'d'", "l:n'a' | l:N'b' | l:U&'c' | l:u&'d'");
    check("u & 'a'", "w:u | o:& | l:'a'");
    check("'a", "!0 a literal is not closed");
    check("E'a\\'", "!0 a literal is not closed");
    // Dollar quotes.
    check("$$a$$ $t$a$$b$t$", "l:$$a$$ | l:$t$a$$b$t$");
    check("a$b$ c", "w:a$b$ | w:c");
    check("$a$ $A$ $a$", "l:$a$ $A$ $a$");
    check("$ä$x$ä$", "l:$ä$x$ä$");
    check("$1 $2", "p:$1 | p:$2");
    check("$a", "!0 a lone `$`");
    check("$$a", "!0 a dollar-quoted literal is not closed");
    // Quoted identifiers.
    check("\"a\"\"b\" U&\"c\"", "q:\"a\"\"b\" | q:U&\"c\"");
    check("\"a", "!0 a quoted identifier is not closed");
    check("\"\"", "!0 an empty quoted identifier");
    // Blanks: those of PostgreSQL 15 and no others.
    check("a\t\n\r\x0cb", "w:a | w:b");
    check("a\x0bb", "w:a | !1 a character that PostgreSQL does not know outside of literals");
    check("a\u{a0}b", "w:a\u{a0}b");
    check("a\0b", "!0 the text holds a NUL byte");
    check("a\\b", "w:a | !1 a character that PostgreSQL does not know outside of literals");
}

#[test]
fn literals_and_identifiers_are_decoded() {
    let check = |text: &str, expected: Option<&str>| {
        let token = Scanner::new(text).next().unwrap().unwrap();
        assert_eq!(token.contents(text, '\\').ok().as_deref(), expected, "{text:?}");
    };
    check("'it''s'", Some("it's"));
    check("'a\\'", Some("a\\"));
    check("'a' -- c\n 'b''c'", Some("ab'c"));
    check("E'a\\'b\\n\\x41\\101\\u00e9\\U0001F600\\q'", Some("a'b\nAAé😀q"));
    check("E'\\uD83D\\uDE00'", Some("😀"));
    check("E'a'\n'\\x42'", Some("aB"));
    check("E'\\303\\251'", Some("é"));
    check("E'\\xff'", None);
    check("E'\\0'", None);
    check("E'\\u12'", None);
    check("E'\\uD83D'", None);
    check("E'\\uD83Da'", None);
    check("U&'d\\0061t\\+000061\\\\'", Some("data\\"));
    check("U&'\\D83D\\DE00'", Some("😀"));
    check("U&'\\DE00'", None);
    check("U&'\\00'", None);
    check("$t$a'b$t$", Some("a'b"));
    check("$$$$", Some(""));
    check("\"a\"\"B\"", Some("a\"B"));
    check("U&\"\\0073sn\"", Some("ssn"));
    let long = format!("\"{}é\"", "a".repeat(62));
    check(&long, Some(&"a".repeat(62)));
}

#[test]
fn the_normal_form_holds_no_literal() {
    let check = |text: &str, expected: &str| assert_eq!(Command::sql(text).canonical(), expected, "{text:?}");
    check("E'a'.-- c\n.B'1'", "?. .?");
    check(":\t:: cursor", ": ::cursor");
    check("", "");
    check("SELECT 1", "select ?");
    check("SELECT  'a' /* 'b' */ , -5.5 -- 'c'", "select ?, - ?");
    check("SELECT E'a'\n'b', B'1', X'1F', N'c', U&'d' UESCAPE '!', $$e$$", "select ?, ?, ?, ?, ?, ?");
    check("SELECT $1, a.b::int[1] FROM T WHERE f(x)=ANY($2);", "select $1, a.b::int[?] from t where f(x) = any($2);");
    check("SELECT \"A b\", \"c\" FROM U&\"\\0064\"", "select \"A b\", \"c\" from \"d\"");
    check("INSERT INTO t VALUES (1,'a'),(2,'b')", "insert into t values(?, ?), (?, ?)");
    check("ALTER ROLE x PASSWORD 'secret'", "alter role x password ?");
    check("DO $$ secret $$", "do ?");
    check("SELECT 'secret", "select …");
    check("SELECT 1 FROM t WHERE a = 5x 'secret'", "select ? from t where a = …");
    check("/* secret", "…");
    check("SELECT U&'\\zsecret'", "select …");
}
