//! COPY.

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::{end, expressions, is_query};
use crate::command::sql::{Columns, Effect, Facts, Object, Verb};
use crate::name::QualifiedName;
use crate::sql::effects::Effects;
use crate::sql::effects_of;
use crate::sql::lex::Cursor;
use crate::sql::scanner::TokenKind;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    From,
    To,
}

/// `COPY …`: `read` or `insert` with the fact `copy`, or the effects of a query; and the file or program.
pub(super) fn effects(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_word("binary");
    if let Some(query) = cursor.group() {
        is_query(query).then_some(())?;
        let mut copied = effects_of(query);
        copied.copy_all();
        effects.absorb(copied);
        cursor.eat_word("to").then_some(())?;
        return place(effects, cursor, Direction::To);
    }
    let name = cursor.name()?;
    let columns = match cursor.group() {
        Some(list) => names(list)?,
        None => Columns::All,
    };
    let direction =
        if cursor.eat_word("to") { Direction::To } else { cursor.eat_word("from").then_some(Direction::From)? };
    effects.add(relation(name, columns, direction));
    place(effects, cursor, direction)
}

fn relation(name: QualifiedName, columns: Columns, direction: Direction) -> Effect {
    let copied = Facts { copy: true, ..Facts::default() };
    let (verb, facts) = match direction {
        Direction::From => (Verb::Insert, copied),
        Direction::To => (Verb::Read, Facts { returned: columns.clone(), stored: columns.clone(), columns, ..copied }),
    };
    Effect { facts, ..Effect::new(verb, Object::Relation(name)) }
}

fn names(mut list: Cursor<'_>) -> Option<Columns> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    loop {
        names.insert(list.identifier()?);
        if !list.eat(TokenKind::Comma) {
            end(list)?;
            return Some(Columns::Named(names));
        }
    }
}

/// Where the rows come from or go to, and the options after it.
fn place(effects: &mut Effects, mut cursor: Cursor<'_>, direction: Direction) -> Option<()> {
    if cursor.eat_word("program") {
        cursor.literal()?;
        effects.any(Verb::Program);
    } else if let Some(file) = cursor.literal() {
        effects.named(Verb::File, file);
    } else {
        cursor.eat_any(&["stdin", "stdout"])?;
    }
    options(effects, &mut cursor)?;
    if direction == Direction::From && cursor.eat_word("where") {
        return expressions::of_row(effects, cursor);
    }
    end(cursor)
}

/// Options in parentheses, or one after the other as before PostgreSQL 9.0.
fn options(effects: &mut Effects, cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.eat_word("with");
    if let Some(list) = cursor.group() {
        return encoding(effects, list);
    }
    encoding(effects, *cursor)?;
    while let Some(next) = cursor.peek() {
        let known = match next.kind() {
            TokenKind::Word => !next.is_word(cursor.text, "where"),
            TokenKind::Literal(_) | TokenKind::Comma | TokenKind::Quoted => true,
            TokenKind::Operator => next.is_operator(cursor.text, "*"),
            _ => false,
        };
        if !known {
            break;
        }
        cursor.advance();
    }
    Some(())
}

/// Rows in another encoding are as good as another `client_encoding`.
fn encoding(effects: &mut Effects, mut options: Cursor<'_>) -> Option<()> {
    while let Some(next) = options.advance() {
        if next.identifier(options.text).as_deref() == Some("encoding") {
            let value = options.advance().and_then(|value| value.contents(options.text).ok());
            effects.set("client_encoding", value.as_deref());
        }
    }
    Some(())
}
