//! Keeps every recursion over a statement inside a 2 MiB stack: what is deeper or longer is conceded beforehand.
//!
//! sqlparser recurses over nesting when it parses, and over chains (`a AND b AND …`, `UNION`, `x::int::int`) when its
//! tree is dropped; an overflow cannot be caught. All of it is bounded here, on the tokens, where nothing recurses.

use super::lex::{Cursor, Lexeme};
use super::scanner::TokenKind;

/// Parentheses and brackets nested deeper are conceded.
const MAX_DEPTH: usize = 32;

/// Tokens that may stand side by side without a comma between them: a chain has at least one for each link.
const MAX_CHAIN: usize = 2048;

/// Joins and set operations in all, which form chains across commas.
const MAX_LINKS: usize = 512;

/// sqlparser's own bound on nested queries and expressions. A level takes up to 21 KiB of stack in an optimised build,
/// four times as much in one that is not: such a build understands less.
pub(super) const RECURSION: usize = if cfg!(debug_assertions) { 17 } else { 40 };

/// Joins whose condition is still to come, on which sqlparser recurses without a bound of its own.
const MAX_PENDING: usize = if cfg!(debug_assertions) { 3 } else { 8 };

/// Why a statement is not handed to the parser, if it is not.
pub(super) fn excess(cursor: Cursor<'_>) -> Option<&'static str> {
    let mut levels = Levels { open: [Level::default(); MAX_DEPTH + 1], depth: 0, links: 0, pending: 0 };
    cursor.lexemes.iter().find_map(|lexeme| levels.take(cursor.text, lexeme).err()).or_else(|| levels.rest())
}

/// What is counted on one level of parentheses.
#[derive(Clone, Copy, Default)]
struct Level {
    chain: usize,
    pending: usize,
}

/// The open levels of parentheses, the outermost first.
struct Levels {
    open: [Level; MAX_DEPTH + 1],
    depth: usize,
    links: usize,
    /// The pending joins of all open levels.
    pending: usize,
}

impl Levels {
    fn take(&mut self, text: &str, lexeme: &Lexeme) -> Result<(), &'static str> {
        match lexeme.kind() {
            TokenKind::Open | TokenKind::OpenBracket => return self.down(),
            TokenKind::Close | TokenKind::CloseBracket => self.up()?,
            TokenKind::Comma => self.level().chain = 0,
            TokenKind::Word => self.word(text, lexeme),
            _ => {}
        }
        self.level().chain += 1;
        if self.level().chain > MAX_CHAIN || self.links > MAX_LINKS || self.pending > MAX_PENDING {
            return Err("an expression, or a chain of joins or set operations, is too long");
        }
        Ok(())
    }

    fn down(&mut self) -> Result<(), &'static str> {
        self.depth += 1;
        match self.open.get_mut(self.depth) {
            Some(level) => {
                *level = Level::default();
                Ok(())
            }
            None => Err("parentheses are nested too deep"),
        }
    }

    fn up(&mut self) -> Result<(), &'static str> {
        self.pending -= self.level().pending;
        self.depth = self.depth.checked_sub(1).ok_or(UNMATCHED)?;
        Ok(())
    }

    /// Joins wait for their condition; `NATURAL` and `CROSS` need none.
    fn word(&mut self, text: &str, lexeme: &Lexeme) {
        let is = |words: &[&str]| words.iter().any(|word| lexeme.is_word(text, word));
        if is(&["join", "union", "except", "intersect"]) {
            self.links += 1;
        }
        let level = self.level();
        let before = level.pending;
        if is(&["join"]) {
            level.pending += 1;
        } else if is(&["on", "using", "natural", "cross"]) {
            level.pending = before.saturating_sub(1);
        }
        let after = level.pending;
        self.pending = self.pending + after - before;
    }

    fn level(&mut self) -> &mut Level {
        let [first, inner @ ..] = &mut self.open;
        match self.depth.checked_sub(1) {
            Some(depth) => inner.get_mut(depth).unwrap_or(first),
            None => first,
        }
    }

    fn rest(&self) -> Option<&'static str> {
        (self.depth != 0).then_some(UNMATCHED)
    }
}

const UNMATCHED: &str = "parentheses do not match";
