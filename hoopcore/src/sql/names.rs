//! Names beyond ASCII, which depend on the database's encoding.

use super::lex::{self, Lexeme};
use super::scanner::{LiteralForm, TokenKind};

/// Whether a name in the text, or the tag of a literal, has characters beyond ASCII, or may have.
pub(crate) fn has_beyond_ascii(text: &str) -> bool {
    let lexed = lex::lex(text);
    lexed.flaw.is_some() || lexed.lexemes.iter().any(|lexeme| is_beyond_ascii(text, lexeme))
}

fn is_beyond_ascii(text: &str, lexeme: &Lexeme) -> bool {
    let written = lexeme.token.text(text);
    match lexeme.kind() {
        TokenKind::Quoted | TokenKind::UnicodeQuoted => lexeme.contents(text).map_or(true, |name| !name.is_ascii()),
        TokenKind::Literal(LiteralForm::Dollar) => !tag(written).is_ascii(),
        TokenKind::Literal(
            LiteralForm::Plain
            | LiteralForm::Escape
            | LiteralForm::Bits
            | LiteralForm::Hex
            | LiteralForm::National
            | LiteralForm::Unicode,
        ) => false,
        TokenKind::Word
        | TokenKind::Number
        | TokenKind::Parameter
        | TokenKind::Operator
        | TokenKind::Comma
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
        | TokenKind::Arrow => !written.is_ascii(),
    }
}

/// What stands between the first two dollars.
fn tag(literal: &str) -> &str {
    literal.split('$').nth(1).unwrap_or(literal)
}
