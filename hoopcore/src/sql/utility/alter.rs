//! ALTER.

use super::maintain::relation;
use super::object::{Kind, add, kind, object};
use super::{create, end, expressions};
use crate::command::sql::{Object, Verb};
use crate::name::QualifiedName;
use crate::sql::effects::Effects;
use crate::sql::lex::Cursor;
use crate::sql::scanner::TokenKind;

/// `ALTER …`
pub(super) fn effects(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.at_word("system") {
        effects.any(Verb::Admin);
        return Some(());
    }
    if cursor.at_words(&["default", "privileges"]) {
        effects.any(Verb::Grant);
        return Some(());
    }
    let policy = cursor.at_word("policy");
    let kind = kind(&mut cursor)?;
    cursor.eat_words(&["if", "exists"]);
    match kind {
        Kind::Column => None,
        Kind::Relation => {
            if cursor.eat_words(&["all", "in", "tablespace"]) {
                effects.any(Verb::Alter);
                return Some(());
            }
            let name = relation(&mut cursor)?;
            effects.relation(Verb::Alter, name.clone());
            actions(effects, &name, cursor)
        }
        Kind::Function | Kind::Schema | Kind::Role | Kind::Attached | Kind::Mapping | Kind::Admin => {
            let (verb, object) = object(&mut cursor, kind, Verb::Alter)?;
            // A new owner, or rights other than those of the caller.
            if policy || cursor.mentions("owner") || cursor.mentions("definer") {
                effects.push(Verb::Grant, object.clone());
            }
            add(effects, kind, verb, object);
            Some(())
        }
    }
}

/// What the actions of ALTER TABLE and its like do beyond `alter`.
fn actions(effects: &mut Effects, name: &QualifiedName, cursor: Cursor<'_>) -> Option<()> {
    expressions::calls(effects, cursor);
    create::references(effects, cursor)?;
    let mut rest = cursor;
    let mut at_start = true;
    while !rest.is_end() {
        if at_start {
            action(effects, name, rest)?;
        }
        if rest.group().is_some() {
            at_start = false;
            continue;
        }
        at_start = rest.advance()?.kind() == TokenKind::Comma;
    }
    Some(())
}

fn action(effects: &mut Effects, name: &QualifiedName, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.eat_words(&["owner", "to"]) {
        effects.relation(Verb::Grant, name.clone());
    } else if cursor.eat_words(&["set", "schema"]) {
        let schema = cursor.identifier()?;
        end(cursor)?;
        effects.relation(Verb::Create, QualifiedName::qualified(schema, name.name.clone()));
    } else if cursor.eat_word("drop") {
        if !cursor.at_word("constraint") && !cursor.at_word("attribute") {
            effects.relation(Verb::Drop, name.clone());
        }
        if cursor.mentions("cascade") {
            effects.any(Verb::Drop);
        }
    } else if KIN.iter().any(|words| cursor.eat_words(words)) {
        effects.relation(Verb::Alter, cursor.name()?);
    } else if is_row_security(cursor) {
        effects.relation(Verb::Grant, name.clone());
    } else if cursor.at_word("enable") || cursor.at_word("disable") {
        effects.code(Verb::Alter, Object::Relation(name.clone()));
    }
    Some(())
}

/// Actions that change another relation as well.
const KIN: [&[&str]; 4] = [&["attach", "partition"], &["detach", "partition"], &["inherit"], &["no", "inherit"]];

fn is_row_security(cursor: Cursor<'_>) -> bool {
    [&["enable", "row"][..], &["disable", "row"], &["force", "row"], &["no", "force"]]
        .iter()
        .any(|words| cursor.at_words(words))
}
