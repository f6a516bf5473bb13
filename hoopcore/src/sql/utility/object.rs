//! DROP, COMMENT, SECURITY LABEL, and the kinds of objects that statements name.

use super::end;
use crate::command::sql::{Object, Verb};
use crate::name::QualifiedName;
use crate::sql::effects::Effects;
use crate::sql::lex::Cursor;
use crate::sql::scanner::TokenKind;

/// What a kind of object is to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lives in a schema and is no function.
    Relation,
    /// A function, procedure, aggregate or operator.
    Function,
    /// A schema.
    Schema,
    /// A role.
    Role,
    /// A trigger, rule or policy: named, but a part of the table behind `ON`.
    Attached,
    /// A column: a part of the relation whose name stands before its own.
    Column,
    /// A user mapping: a part of the server behind `SERVER`.
    Mapping,
    /// What only an administrator makes: extensions, servers, databases, …
    Admin,
}

const KINDS: &[(&[&str], Kind)] = &[
    (&["materialized", "view"], Kind::Relation),
    (&["foreign", "table"], Kind::Relation),
    (&["text", "search", "configuration"], Kind::Relation),
    (&["text", "search", "dictionary"], Kind::Relation),
    (&["text", "search", "parser"], Kind::Relation),
    (&["text", "search", "template"], Kind::Relation),
    (&["operator", "class"], Kind::Relation),
    (&["operator", "family"], Kind::Relation),
    (&["table"], Kind::Relation),
    (&["view"], Kind::Relation),
    (&["sequence"], Kind::Relation),
    (&["index"], Kind::Relation),
    (&["type"], Kind::Relation),
    (&["domain"], Kind::Relation),
    (&["collation"], Kind::Relation),
    (&["conversion"], Kind::Relation),
    (&["statistics"], Kind::Relation),
    (&["function"], Kind::Function),
    (&["procedure"], Kind::Function),
    (&["routine"], Kind::Function),
    (&["aggregate"], Kind::Function),
    (&["operator"], Kind::Function),
    (&["schema"], Kind::Schema),
    (&["user", "mapping"], Kind::Mapping),
    (&["role"], Kind::Role),
    (&["user"], Kind::Role),
    (&["group"], Kind::Role),
    (&["trigger"], Kind::Attached),
    (&["rule"], Kind::Attached),
    (&["policy"], Kind::Attached),
    (&["constraint"], Kind::Attached),
    (&["column"], Kind::Column),
    (&["event", "trigger"], Kind::Admin),
    (&["foreign", "data", "wrapper"], Kind::Admin),
    (&["access", "method"], Kind::Admin),
    (&["large", "object"], Kind::Admin),
    (&["procedural", "language"], Kind::Admin),
    (&["trusted", "language"], Kind::Admin),
    (&["trusted", "procedural", "language"], Kind::Admin),
    (&["language"], Kind::Admin),
    (&["cast"], Kind::Admin),
    (&["transform"], Kind::Admin),
    (&["database"], Kind::Admin),
    (&["extension"], Kind::Admin),
    (&["publication"], Kind::Admin),
    (&["server"], Kind::Admin),
    (&["subscription"], Kind::Admin),
    (&["tablespace"], Kind::Admin),
];

/// Goes past the keywords of a kind of object.
pub(super) fn kind(cursor: &mut Cursor<'_>) -> Option<Kind> {
    KINDS.iter().find(|(words, _)| cursor.eat_words(words)).map(|(_, kind)| *kind)
}

/// The next name as an object of this kind, and the verb that counts for it.
pub(super) fn object(cursor: &mut Cursor<'_>, kind: Kind, verb: Verb) -> Option<(Verb, Object)> {
    Some(match kind {
        Kind::Relation => (verb, Object::Relation(cursor.name()?)),
        Kind::Function => (verb, Object::Function(routine(cursor)?)),
        Kind::Schema => (verb, Object::Schema(cursor.identifier()?)),
        Kind::Role => (Verb::Role, Object::Named(cursor.identifier()?)),
        Kind::Attached => {
            cursor.identifier()?;
            cursor.eat_word("on").then_some(())?;
            cursor.eat_word("domain");
            (verb, Object::Relation(cursor.name()?))
        }
        Kind::Column => (verb, Object::Relation(column(cursor)?)),
        Kind::Mapping => (Verb::Admin, Object::Named(cursor.after_word("server")?.identifier()?)),
        Kind::Admin => (Verb::Admin, cursor.identifier().map_or(Object::Any, Object::Named)),
    })
}

/// A routine's name, or an operator's, with its arguments where they are written.
pub(super) fn routine(cursor: &mut Cursor<'_>) -> Option<QualifiedName> {
    let mut name = QualifiedName { schema: None, name: operator(cursor).or_else(|| cursor.identifier())? };
    while cursor.eat(TokenKind::Period) {
        let next = operator(cursor).or_else(|| cursor.identifier())?;
        name = QualifiedName { schema: Some(name.name), name: next };
    }
    cursor.group();
    Some(name)
}

fn operator(cursor: &mut Cursor<'_>) -> Option<alloc::string::String> {
    let next = cursor.peek().filter(|next| next.kind() == TokenKind::Operator)?;
    cursor.advance();
    Some(next.token.text(cursor.text).into())
}

/// `[schema.]relation.column`
fn column(cursor: &mut Cursor<'_>) -> Option<QualifiedName> {
    let mut path = alloc::vec![cursor.identifier()?];
    while cursor.eat(TokenKind::Period) {
        path.push(cursor.identifier()?);
    }
    match path.as_slice() {
        [relation, _] => Some(QualifiedName::bare(relation.clone())),
        [schema, relation, _] | [_, schema, relation, _] => {
            Some(QualifiedName::qualified(schema.clone(), relation.clone()))
        }
        _ => None,
    }
}

/// Adds an effect on an object; routines, triggers and rules are code.
pub(super) fn add(effects: &mut Effects, kind: Kind, verb: Verb, object: Object) {
    match kind {
        Kind::Function | Kind::Attached => effects.code(verb, object),
        Kind::Relation | Kind::Schema | Kind::Role | Kind::Column | Kind::Mapping | Kind::Admin => {
            effects.push(verb, object);
        }
    }
}

/// `DROP kind [IF EXISTS] name, … [CASCADE]`; with CASCADE it stands for everything.
pub(super) fn drop(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.eat_words(&["owned", "by"]) {
        effects.any(Verb::Drop);
        effects.any(Verb::Grant);
        return Some(());
    }
    let policy = cursor.at_word("policy");
    let kind = kind(&mut cursor)?;
    cursor.eat_word("concurrently");
    cursor.eat_words(&["if", "exists"]);
    loop {
        let (verb, object) = object(&mut cursor, kind, Verb::Drop)?;
        if policy {
            effects.push(Verb::Grant, object.clone());
        }
        add(effects, kind, verb, object);
        if !cursor.eat(TokenKind::Comma) {
            break;
        }
    }
    if matches!(kind, Kind::Admin | Kind::Mapping) {
        return Some(());
    }
    if cursor.eat_word("using") {
        cursor.identifier()?;
    }
    if cursor.eat_any(&["cascade", "restrict"]) == Some("cascade") {
        effects.any(Verb::Drop);
    }
    end(cursor)
}

/// `COMMENT ON kind name IS …`
pub(super) fn comment(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_word("on").then_some(())?;
    let kind = kind(&mut cursor)?;
    let (verb, object) = object(&mut cursor, kind, Verb::Alter)?;
    if kind != Kind::Admin {
        cursor.after_word("is").or_else(|| cursor.at_word("is").then_some(cursor))?;
    }
    effects.push(verb, object);
    Some(())
}

/// `SECURITY LABEL …`: labels are another system of privileges.
pub(super) fn label(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    cursor.at_word("label").then_some(())?;
    effects.any(Verb::Admin);
    Some(())
}
