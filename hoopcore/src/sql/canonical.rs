//! The normal form of a text: what may stand in a record where literals may not.

use alloc::boxed::Box;
use alloc::string::String;

use super::lex::Lexed;
use super::scanner::{Token, TokenKind};

/// The text without its literals (`?` stands for each) and comments, folded, with single blanks.
///
/// What cannot be read is left out and marked by `…`: a part of it may be a literal.
pub(super) fn canonical(text: &str, lexed: &Lexed) -> Box<str> {
    let mut form = String::with_capacity(text.len().min(4096));
    let mut before = None;
    for lexeme in &lexed.lexemes {
        if before.is_some_and(|before| is_parted(before, lexeme.token.kind)) {
            form.push(' ');
        }
        push(&mut form, text, lexeme.token, lexeme.escape);
        before = Some(lexeme.token.kind);
    }
    if lexed.flaw.is_some() {
        form.push_str(if form.is_empty() { "…" } else { " …" });
    }
    form.into_boxed_str()
}

fn push(form: &mut String, text: &str, token: Token, escape: char) {
    match token.kind {
        TokenKind::Literal(_) | TokenKind::Number => form.push('?'),
        TokenKind::Word => form.push_str(&token.folded(text)),
        TokenKind::Quoted | TokenKind::UnicodeQuoted => {
            let name = token.contents(text, escape).unwrap_or_default();
            form.push('"');
            form.push_str(&name.replace('"', "\"\""));
            form.push('"');
        }
        TokenKind::Parameter
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
        | TokenKind::Arrow => form.push_str(token.text(text)),
    }
}

/// Whether a blank stands between two tokens.
fn is_parted(before: TokenKind, after: TokenKind) -> bool {
    let opens = matches!(before, TokenKind::Open | TokenKind::OpenBracket | TokenKind::Period | TokenKind::Cast);
    let closes = matches!(
        after,
        TokenKind::Comma
            | TokenKind::Semicolon
            | TokenKind::Close
            | TokenKind::OpenBracket
            | TokenKind::CloseBracket
            | TokenKind::Period
            | TokenKind::Cast
    );
    let calls =
        after == TokenKind::Open && matches!(before, TokenKind::Word | TokenKind::Quoted | TokenKind::UnicodeQuoted);
    // Side by side `.` and `.` would read as `..`, `.` and `..` as `..` and `.`, `:` and `::` as `::` and `:`.
    let run_together = match before {
        TokenKind::Period => matches!(after, TokenKind::Period | TokenKind::Range),
        TokenKind::Colon => after == TokenKind::Cast,
        _ => false,
    };
    run_together || !(opens || closes || calls)
}
