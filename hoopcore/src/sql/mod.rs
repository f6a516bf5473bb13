//! PostgreSQL statements → effects. The analysis is right or it concedes; it never guesses.
//!
//! ```text
//! text ─scanner─▶ lexemes ─┬─▶ canonical form                       ┌─ agreement: sqlparser reads the same tokens
//!                          └─▶ statements ─┬─ queries ─ bounds ─────┼─ bridge ─▶ sqlparser's tree ─ query ─▶ effects
//!                                          └─ utility: own small parsers ─▶ effects
//! ```
//!
//! What is read is PostgreSQL's text as its own lexer cuts it; what sqlparser is handed are our tokens. A form that
//! neither sqlparser nor the small parsers know has the effect `unknown`, beside those that its keywords show.

mod agreement;
mod bounds;
mod bridge;
mod cache;
mod canonical;
pub mod catalogue;
mod copy_out;
mod effects;
mod lex;
mod names;
mod query;
pub(crate) mod replication;
pub mod scanner;
mod utility;

use alloc::vec::Vec;

pub use self::cache::Analyses;
pub(crate) use self::copy_out::copy_out;
use self::effects::Effects;
pub(crate) use self::effects::unknown;
use self::lex::{Cursor, Lexed};
pub(crate) use self::names::has_beyond_ascii;
use crate::command::{Command, Statement};
use crate::name::QualifiedName;

/// The effects of a batch of statements.
pub(crate) fn analyse(text: &str) -> Command {
    let lexed = lex::lex(text);
    let canonical = canonical::canonical(text, &lexed);
    Command::analysed(text, canonical, statements(text, &lexed).into_boxed_slice())
}

fn statements(text: &str, lexed: &Lexed) -> Vec<Statement> {
    let cursors = lex::statements(text, &lexed.lexemes);
    let last = cursors.len().saturating_sub(1);
    let mut statements: Vec<Statement> = Vec::with_capacity(cursors.len());
    for (at, cursor) in cursors.into_iter().enumerate() {
        let unread = lexed.flaw.filter(|_| at == last);
        let mut effects = if unread.is_some() { utility::leading(cursor) } else { effects_of(cursor) };
        if let Some(flaw) = unread {
            effects.concede(flaw.what);
        }
        statements.push(effects.finish());
    }
    if let Some(flaw) = lexed.flaw.filter(|_| statements.is_empty()) {
        statements.push(effects::unknown(flaw.what));
    }
    statements
}

/// The effects of one statement, or of one inside another.
fn effects_of(cursor: Cursor<'_>) -> Effects {
    if !utility::is_query(cursor) {
        return utility::effects(cursor);
    }
    match understood(cursor) {
        Ok(effects) => effects,
        Err(why) => {
            let mut effects = utility::leading(cursor);
            effects.concede(why);
            effects
        }
    }
}

fn understood(cursor: Cursor<'_>) -> Result<Effects, &'static str> {
    if let Some(why) = bounds::excess(cursor) {
        return Err(why);
    }
    let parsed = bridge::parse(cursor).ok_or("a form that the parser does not know")?;
    if !agreement::agrees(cursor) {
        return Err("two readings of it differ");
    }
    Ok(query::effects(&parsed))
}

/// The effects of a list of expressions, as `SELECT` has them; with `of_row` their names may be columns of a given row.
fn effects_of_expressions(cursor: Cursor<'_>, of_row: bool) -> Option<Effects> {
    if cursor.is_end() {
        return Some(Effects::default());
    }
    if bounds::excess(cursor).is_some() {
        return None;
    }
    bridge::parse_list(cursor).map(|parsed| query::effects(&bridge::Parsed { of_row, ..parsed }))
}

/// The relation that a text names as a statement would: `customers`, `"Odd Name"`, `public.seq1`.
fn name_in(text: &str) -> Option<QualifiedName> {
    let lexed = lex::lex(text);
    let mut cursor = Cursor { text, lexemes: &lexed.lexemes };
    let name = cursor.name()?;
    (cursor.is_end() && lexed.flaw.is_none()).then_some(name)
}
