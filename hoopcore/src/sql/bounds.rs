//! Keeps every recursion over a statement inside a 2 MiB stack: what is deeper or longer is conceded beforehand.
//!
//! sqlparser recurses over nesting when it parses, and over chains (`a AND b AND …`, `UNION`, `x::int::int`) when its
//! tree is dropped; the latter cannot be caught. Both are bounded here on the tokens, where nothing recurses.

use super::lex::Cursor;
use super::scanner::TokenKind;

/// Parentheses and brackets nested deeper are conceded.
const MAX_DEPTH: usize = 32;

/// Tokens that may stand side by side without a comma between them: a chain has at least one for each link.
const MAX_CHAIN: usize = 4096;

/// Joins and set operations in all, which form chains across commas.
const MAX_LINKS: usize = 512;

/// Why a statement is not handed to the parser, if it is not.
pub(super) fn excess(cursor: Cursor<'_>) -> Option<&'static str> {
    let mut chains = [0_usize; MAX_DEPTH + 1];
    let mut depth = 0_usize;
    let mut links = 0_usize;
    for lexeme in cursor.lexemes {
        match lexeme.kind() {
            TokenKind::Open | TokenKind::OpenBracket => depth += 1,
            TokenKind::Close | TokenKind::CloseBracket if depth == 0 => return Some("parentheses do not match"),
            TokenKind::Close | TokenKind::CloseBracket => depth -= 1,
            TokenKind::Word if LINKS.iter().any(|word| lexeme.is_word(cursor.text, word)) => links += 1,
            _ => {}
        }
        let Some(chain) = chains.get_mut(depth) else { return Some("parentheses are nested too deep") };
        match lexeme.kind() {
            TokenKind::Comma | TokenKind::Open | TokenKind::OpenBracket => *chain = 0,
            _ => *chain += 1,
        }
        if *chain > MAX_CHAIN || links > MAX_LINKS {
            return Some("an expression, or a chain of joins or set operations, is too long");
        }
    }
    (depth != 0).then_some("parentheses do not match")
}

const LINKS: [&str; 4] = ["join", "union", "except", "intersect"];
