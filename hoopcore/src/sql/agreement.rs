//! The second reading: sqlparser's own tokenizer must find the same literals, identifiers and words.
//!
//! It guards against a mistake of our scanner. Forms that sqlparser is known to misread (continued literals, Unicode
//! escapes, comments ended by a carriage return, …) are blanked before; there the scanner alone decides.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::lex::{Cursor, Lexeme};
use super::scanner::{LiteralForm, TokenKind};

/// Whether both readings of a statement are the same.
pub(super) fn agrees(cursor: Cursor<'_>) -> bool {
    let Some(text) = comparable(cursor) else { return false };
    let dialect = PostgreSqlDialect {};
    let Ok(tokens) = Tokenizer::new(&dialect, &text).tokenize() else { return false };
    let mut theirs = tokens.iter().filter_map(mark_of);
    let mut ours = cursor.lexemes.iter().filter_map(|lexeme| mark(cursor.text, lexeme));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(ours), Some(theirs)) if ours == theirs => {}
            _ => return false,
        }
    }
}

/// What both readings must have in common. Operators and punctuation carry no text that could hide another token.
#[derive(Debug, PartialEq, Eq)]
enum Mark<'a> {
    Word(Cow<'a, str>),
    Quoted(Cow<'a, str>),
    Literal(Cow<'a, str>),
    Semicolon,
}

fn mark<'a>(text: &'a str, lexeme: &Lexeme) -> Option<Mark<'a>> {
    match lexeme.kind() {
        TokenKind::Word => Some(Mark::Word(Cow::Borrowed(lexeme.token.text(text)))),
        TokenKind::Quoted if is_misread(text, lexeme) => Some(Mark::Quoted(blank_of(lexeme, 2).into())),
        TokenKind::UnicodeQuoted => Some(Mark::Quoted(blank_of(lexeme, 2).into())),
        TokenKind::Quoted => lexeme.contents(text).ok().map(Mark::Quoted),
        TokenKind::Literal(_) if is_misread(text, lexeme) => Some(Mark::Literal(blank_of(lexeme, 2).into())),
        TokenKind::Literal(_) => lexeme.contents(text).ok().map(Mark::Literal),
        TokenKind::Semicolon => Some(Mark::Semicolon),
        TokenKind::Number
        | TokenKind::Parameter
        | TokenKind::Operator
        | TokenKind::Comma
        | TokenKind::Open
        | TokenKind::Close
        | TokenKind::OpenBracket
        | TokenKind::CloseBracket
        | TokenKind::Period
        | TokenKind::Range
        | TokenKind::Colon
        | TokenKind::Cast
        | TokenKind::Assign
        | TokenKind::Arrow => None,
    }
}

fn mark_of(token: &Token) -> Option<Mark<'_>> {
    match token {
        Token::Word(word) if word.quote_style.is_some() => Some(Mark::Quoted(Cow::Borrowed(&word.value))),
        Token::Word(word) => Some(Mark::Word(Cow::Borrowed(&word.value))),
        Token::SingleQuotedString(text)
        | Token::NationalStringLiteral(text)
        | Token::EscapedStringLiteral(text)
        | Token::UnicodeStringLiteral(text)
        | Token::HexStringLiteral(text)
        | Token::SingleQuotedByteStringLiteral(text) => Some(Mark::Literal(Cow::Borrowed(text))),
        Token::DollarQuotedString(text) => Some(Mark::Literal(Cow::Borrowed(&text.value))),
        Token::SemiColon => Some(Mark::Semicolon),
        // A kind of literal that PostgreSQL does not have agrees with nothing of ours.
        Token::DoubleQuotedString(text)
        | Token::TripleSingleQuotedString(text)
        | Token::TripleDoubleQuotedString(text)
        | Token::DoubleQuotedByteStringLiteral(text)
        | Token::TripleSingleQuotedByteStringLiteral(text)
        | Token::TripleDoubleQuotedByteStringLiteral(text)
        | Token::SingleQuotedRawStringLiteral(text)
        | Token::DoubleQuotedRawStringLiteral(text)
        | Token::TripleSingleQuotedRawStringLiteral(text)
        | Token::TripleDoubleQuotedRawStringLiteral(text) => Some(Mark::Quoted(Cow::Borrowed(text))),
        Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab) => None,
        _ => None,
    }
}

/// The statement with the forms blanked that sqlparser misreads; comments become blanks as well where one of them is
/// ended by a carriage return.
fn comparable(cursor: Cursor<'_>) -> Option<Cow<'_, str>> {
    let text = cursor.source();
    let misread = text.contains('\r') || cursor.lexemes.iter().any(|lexeme| is_misread(cursor.text, lexeme));
    if !misread {
        return Some(Cow::Borrowed(text));
    }
    let mut copy = String::with_capacity(text.len());
    for lexeme in cursor.lexemes {
        copy.push(' ');
        if is_misread(cursor.text, lexeme) {
            let quote = if matches!(lexeme.kind(), TokenKind::Literal(_)) { '\'' } else { '"' };
            copy.push(quote);
            copy.push_str(&blank_of(lexeme, 2));
            copy.push(quote);
        } else {
            copy.push_str(lexeme.token.text(cursor.text));
        }
    }
    Some(Cow::Owned(copy))
}

fn blank_of(lexeme: &Lexeme, quotes: usize) -> String {
    let length = (lexeme.token.end - lexeme.token.start).saturating_sub(quotes);
    "x".repeat(length.clamp(1, 8))
}

fn is_misread(text: &str, lexeme: &Lexeme) -> bool {
    let raw = lexeme.token.text(text);
    match lexeme.kind() {
        TokenKind::UnicodeQuoted | TokenKind::Literal(LiteralForm::Unicode | LiteralForm::National) => true,
        TokenKind::Literal(LiteralForm::Bits | LiteralForm::Hex) => raw.contains('\\') || is_continued(raw),
        TokenKind::Literal(LiteralForm::Plain) => is_continued(raw),
        TokenKind::Literal(LiteralForm::Escape) => raw.contains('\\') || is_continued(raw),
        // Longer than PostgreSQL keeps.
        TokenKind::Quoted => raw.len() > super::scanner::IDENTIFIER_BYTES,
        _ => false,
    }
}

/// Whether a literal has a quote inside that is not doubled.
fn is_continued(raw: &str) -> bool {
    let inside: Vec<&str> = raw.splitn(2, '\'').collect();
    let Some(inside) = inside.last().and_then(|inside| inside.strip_suffix('\'')) else { return false };
    inside.contains('\'') && inside.replace("''", "").contains('\'')
}
