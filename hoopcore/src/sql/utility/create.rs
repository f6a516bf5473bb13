//! CREATE and IMPORT FOREIGN SCHEMA.

use alloc::collections::BTreeSet;

use super::maintain::relation;
use super::object::{Kind, add, kind, object};
use super::{end, expressions, session};
use crate::command::sql::{Columns, Duty, Effect, Facts, Object, Verb};
use crate::name::QualifiedName;
use crate::sql::catalogue;
use crate::sql::effects::Effects;
use crate::sql::effects_of;
use crate::sql::lex::{Cursor, Lexeme};
use crate::sql::scanner::TokenKind;

/// `CREATE …`
pub(super) fn effects(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_words(&["or", "replace"]);
    if cursor.mentions("atomic") {
        effects.concede("a routine with a body of statements");
    }
    cursor.eat_any(&["global", "local"]);
    cursor.eat_any(&["temp", "temporary", "unlogged"]);
    let recursive = cursor.eat_word("recursive");
    if cursor.at_word("unique") || cursor.at_word("index") {
        return index(effects, cursor);
    }
    if cursor.eat_word("statistics") {
        return statistics(effects, cursor);
    }
    cursor.eat_any(&["constraint", "default"]);
    let (policy, domain) = (cursor.at_word("policy"), cursor.at_word("domain"));
    let stored = cursor.at_word("table") || cursor.at_words(&["foreign", "table"]);
    let view = recursive || cursor.at_word("view") || cursor.at_words(&["materialized", "view"]);
    match kind(&mut cursor)? {
        Kind::Relation if view => query_of(effects, cursor),
        Kind::Relation if stored => table(effects, cursor),
        Kind::Attached => attached(effects, cursor, policy),
        Kind::Schema => schema(effects, cursor),
        Kind::Column => None,
        kind @ (Kind::Relation | Kind::Function | Kind::Role | Kind::Mapping | Kind::Admin) => {
            cursor.eat_words(&["if", "not", "exists"]);
            let (verb, object) = object(&mut cursor, kind, Verb::Create)?;
            add(effects, kind, verb, object);
            if domain {
                base(effects, &mut cursor)?;
            }
            if kind == Kind::Relation {
                expressions::calls(effects, cursor);
            }
            Some(())
        }
    }
}

/// What a domain is made over: over rows it is one more name under which a row is written like a column (`t.d`).
/// Nobody need be asked for it beyond `create`.
fn base(effects: &mut Effects, cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.eat_word("as");
    let name = cursor.name()?;
    let shipped = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
    if !shipped || !STANDARD.contains(&&*name.name) && !catalogue::is_shipped_type(&name.name) {
        effects.add(Effect { duty: Duty::Harmless, ..Effect::new(Verb::Alter, Object::Relation(name)) });
    }
    Some(())
}

/// Words that the grammar has for types: no other type can be meant by them.
const STANDARD: &[&str] = &[
    "bigint",
    "bit",
    "boolean",
    "char",
    "character",
    "dec",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "interval",
    "national",
    "nchar",
    "numeric",
    "real",
    "smallint",
    "time",
    "timestamp",
    "varchar",
];

/// Whether all types of a list are PostgreSQL's own whatever types there are, and compare exactly.
pub(super) fn are_fixed(mut list: Cursor<'_>) -> bool {
    let mut begins = true;
    while !list.is_end() {
        // Lengths.
        if list.group().is_some() {
            continue;
        }
        let Some(next) = list.advance() else { return false };
        let exact = |word: &&&str| !matches!(**word, "double" | "float" | "real");
        let standard = STANDARD.iter().filter(exact).any(|word| next.is_word(list.text, word));
        let float = ["float4", "float8"].iter().any(|word| list.mentions(word));
        let shipped = next.is_word(list.text, "pg_catalog") && list.at(TokenKind::Period) && !float;
        if begins && !standard && !shipped {
            return false;
        }
        begins = next.kind() == TokenKind::Comma;
    }
    true
}

fn created(effects: &mut Effects, cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.eat_words(&["if", "not", "exists"]);
    effects.relation(Verb::Create, cursor.name()?);
    Some(())
}

/// A view, materialized or not, or a table made of a query: what is behind the first `AS`.
fn query_of(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    created(effects, &mut cursor)?;
    let mut query = cursor.after_word("as")?;
    for clause in [
        &["with", "no", "data"][..],
        &["with", "data"],
        &["with", "check", "option"],
        &["with", "local", "check", "option"],
        &["with", "cascaded", "check", "option"],
    ] {
        query = query.without_tail(clause);
    }
    if query.eat_word("execute") {
        return session::execute(effects, query);
    }
    crate::sql::utility::is_query(query).then_some(())?;
    effects.absorb(effects_of(query));
    Some(())
}

/// A table: of a query, or of columns whose defaults and checks may call.
fn table(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    if cursor.after_word("as").is_some() {
        return query_of(effects, cursor);
    }
    let mut cursor = cursor;
    created(effects, &mut cursor)?;
    let definition = cursor;
    if cursor.eat_words(&["partition", "of"]) {
        effects.relation(Verb::Alter, cursor.name()?);
    }
    if let Some(server) = cursor.after_word("server").and_then(|mut after| after.identifier()) {
        effects.named(Verb::Admin, server);
    }
    sources(effects, definition)?;
    expressions::calls(effects, definition);
    Some(())
}

/// Relations that a definition refers to: parents, models, and those that foreign keys point at.
fn sources(effects: &mut Effects, definition: Cursor<'_>) -> Option<()> {
    let mut cursor = definition;
    let mut begins = false;
    while let Some(next) = cursor.advance() {
        let begun = core::mem::replace(&mut begins, matches!(next.kind(), TokenKind::Open | TokenKind::Comma));
        if next.is_word(cursor.text, "references") {
            reference(effects, &mut cursor)?;
        } else if next.is_word(cursor.text, "inherits") {
            let mut parents = cursor.group()?;
            while let Some(parent) = parents.name() {
                effects.relation(Verb::Alter, parent);
                parents.eat(TokenKind::Comma);
            }
        } else if begun
            && next.is_word(cursor.text, "like")
            && let Some(model) = cursor.name()
        {
            effects.relation(Verb::Read, model);
        }
    }
    Some(())
}

/// What a foreign key points at: each value that is written is looked for there.
fn reference(effects: &mut Effects, cursor: &mut Cursor<'_>) -> Option<()> {
    let name = cursor.name()?;
    let columns = cursor.group().map_or_else(Columns::none, names);
    let facts = Facts { inferred: columns.clone(), compared: columns.clone(), columns, ..Facts::default() };
    effects.add(Effect { facts, ..Effect::new(Verb::Read, Object::Relation(name)) });
    Some(())
}

/// The foreign keys in a definition.
pub(super) fn references(effects: &mut Effects, definition: Cursor<'_>) -> Option<()> {
    let mut cursor = definition;
    while let Some(next) = cursor.advance() {
        if next.is_word(cursor.text, "references") {
            reference(effects, &mut cursor)?;
        }
    }
    Some(())
}

fn names(mut list: Cursor<'_>) -> Columns {
    let mut names = BTreeSet::new();
    while let Some(name) = list.identifier() {
        names.insert(name);
        list.eat(TokenKind::Comma);
    }
    Columns::Named(names)
}

/// `CREATE [UNIQUE] INDEX [name] ON t …`: an index lives in its table's schema.
fn index(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_word("unique");
    cursor.eat_word("index").then_some(())?;
    cursor.eat_word("concurrently");
    cursor.eat_words(&["if", "not", "exists"]);
    let name = if cursor.at_word("on") { None } else { Some(cursor.identifier()?) };
    cursor.eat_word("on").then_some(())?;
    let table = relation(&mut cursor)?;
    let name = name.unwrap_or_else(|| table.name.clone());
    effects.relation(Verb::Create, QualifiedName { schema: table.schema.clone(), name });
    effects.add(evaluated(table, cursor, true));
    expressions::calls(effects, cursor);
    Some(())
}

/// `CREATE STATISTICS [name] [(kinds)] ON … FROM t`: ANALYZE evaluates its expressions for rows of the table.
fn statistics(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_words(&["if", "not", "exists"]);
    let name = if cursor.at_word("on") || cursor.at(TokenKind::Open) { None } else { Some(cursor.name()?) };
    cursor.group();
    cursor.eat_word("on").then_some(())?;
    let from = cursor.after_word("from")?;
    let mut rest = from;
    let table = relation(&mut rest)?;
    end(rest)?;
    if let Some(name) = name {
        effects.relation(Verb::Create, name);
    }
    effects.relation(Verb::Create, table.clone());
    let list = cursor.before(&from);
    let computed = list.lexemes.iter().any(|lexeme| lexeme.kind() == TokenKind::Open);
    effects.add(evaluated(table, list, computed));
    expressions::calls(effects, list);
    Some(())
}

/// What a definition makes of its table's rows. Expressions and conditions are evaluated for each of them and may fail,
/// as an index does whose rows are too long, so what they name decides; nobody need be asked for it beyond `create`.
fn evaluated(table: QualifiedName, definition: Cursor<'_>, computed: bool) -> Effect {
    // Whatever stands there: words that are no columns do no harm.
    let name = |lexeme: &Lexeme| lexeme.identifier(definition.text);
    let names: BTreeSet<_> = definition.lexemes.iter().filter_map(name).collect();
    // The name of the table stands for its whole row.
    let columns = if names.contains(&table.name) { Columns::All } else { Columns::Named(names) };
    let inferred = if computed { columns.clone() } else { Columns::none() };
    let facts = Facts { inferred, compared: columns.clone(), columns, ..Facts::default() };
    Effect { facts, duty: Duty::Harmless, ..Effect::new(Verb::Read, Object::Relation(table)) }
}

/// A trigger, rule or policy on a table.
fn attached(effects: &mut Effects, mut cursor: Cursor<'_>, policy: bool) -> Option<()> {
    cursor.identifier()?;
    let mut after = cursor.after_word("on")?;
    // `CREATE RULE r AS ON event TO t`
    if let Some(target) = cursor.eat_word("as").then(|| after.after_word("to")).flatten() {
        after = target;
    }
    let table = after.name()?;
    if policy {
        effects.relation(Verb::Grant, table.clone());
    }
    effects.code(Verb::Create, Object::Relation(table));
    Some(())
}

/// A schema; one with elements in the same statement is conceded.
fn schema(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_words(&["if", "not", "exists"]);
    let named = if cursor.at_word("authorization") { None } else { Some(cursor.identifier()?) };
    let owner = if cursor.eat_word("authorization") { Some(cursor.identifier()?) } else { None };
    effects.push(Verb::Create, Object::Schema(named.or(owner)?));
    end(cursor)
}

/// `IMPORT FOREIGN SCHEMA s … FROM SERVER x INTO t`
pub(super) fn import(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    let server = cursor.after_word("server")?.identifier()?;
    effects.named(Verb::Admin, server);
    let into = cursor.after_word("into")?.identifier()?;
    effects.push(Verb::Create, Object::Schema(into));
    Some(())
}
