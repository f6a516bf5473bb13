//! GRANT, REVOKE, ALTER DEFAULT PRIVILEGES, REASSIGN OWNED.

use super::object::routine;
use crate::command::sql::{Object, Verb};
use crate::sql::effects::Effects;
use crate::sql::lex::Cursor;
use crate::sql::scanner::TokenKind;

/// `GRANT … ON … TO …`, `GRANT role TO …`, and REVOKE.
pub(super) fn grant(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let Some(mut objects) = cursor.after_word("on") else {
        return roles(effects, &mut cursor);
    };
    if objects.eat_word("all") {
        let mut schemas = objects.after_word("schema")?;
        return each(effects, &mut schemas, |cursor| cursor.identifier().map(Object::Schema));
    }
    let others = ["database", "domain", "language", "parameter", "tablespace", "type"];
    if objects.eat_any(&["function", "procedure", "routine"]).is_some() {
        each(effects, &mut objects, |cursor| routine(cursor).map(Object::Function))
    } else if objects.eat_word("schema") {
        each(effects, &mut objects, |cursor| cursor.identifier().map(Object::Schema))
    } else if objects.eat_words(&["large", "object"]) {
        effects.any(Verb::Grant);
        Some(())
    } else if objects.eat_words(&["foreign", "server"])
        || objects.eat_words(&["foreign", "data", "wrapper"])
        || is_kind(&mut objects, &others)
    {
        each(effects, &mut objects, |cursor| cursor.name().map(|name| Object::Named(name.name)))
    } else {
        is_kind(&mut objects, &["table", "sequence"]);
        each(effects, &mut objects, |cursor| cursor.name().map(Object::Relation))
    }
}

/// Goes past the keyword of a kind where the name of an object follows it.
fn is_kind(cursor: &mut Cursor<'_>, kinds: &[&str]) -> bool {
    let mut ahead = *cursor;
    let found = ahead.eat_any(kinds).is_some() && ahead.identifier().is_some() && !cursor_ends_name(*cursor);
    if found {
        cursor.advance();
    }
    found
}

/// Whether the next word is a name by itself, before a comma or `TO`.
fn cursor_ends_name(mut cursor: Cursor<'_>) -> bool {
    cursor.advance();
    cursor.at(TokenKind::Comma) || cursor.at(TokenKind::Period) || cursor.at_word("to") || cursor.at_word("from")
}

fn each<'a>(
    effects: &mut Effects,
    cursor: &mut Cursor<'a>,
    object: impl Fn(&mut Cursor<'a>) -> Option<Object>,
) -> Option<()> {
    loop {
        effects.push(Verb::Grant, object(cursor)?);
        if !cursor.eat(TokenKind::Comma) {
            return (cursor.at_word("to") || cursor.at_word("from")).then_some(());
        }
    }
}

/// Membership in roles.
fn roles(effects: &mut Effects, cursor: &mut Cursor<'_>) -> Option<()> {
    let _ = cursor.eat_words(&["admin", "option", "for"])
        || cursor.eat_words(&["inherit", "option", "for"])
        || cursor.eat_words(&["set", "option", "for"]);
    each(effects, cursor, |cursor| cursor.identifier().map(Object::Named))
}

/// `REASSIGN OWNED BY … TO …`
pub(super) fn reassign(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    cursor.at_word("owned").then_some(())?;
    effects.any(Verb::Grant);
    Some(())
}
