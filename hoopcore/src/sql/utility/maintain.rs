//! VACUUM, ANALYZE, REINDEX, CLUSTER, REFRESH, TRUNCATE, LOCK, CHECKPOINT, LOAD.

use super::end;
use crate::command::sql::{Columns, Duty, Effect, Facts, Object, Verb};
use crate::name::QualifiedName;
use crate::sql::effects::Effects;
use crate::sql::lex::Cursor;
use crate::sql::scanner::TokenKind;

/// `[ONLY] name [*]`
pub(super) fn relation(cursor: &mut Cursor<'_>) -> Option<QualifiedName> {
    cursor.eat_word("only");
    let mut name = cursor.name();
    if name.is_none() {
        let mut inside = cursor.group()?;
        name = inside.name();
        end(inside)?;
    }
    if cursor.peek().is_some_and(|next| next.is_operator(cursor.text, "*")) {
        cursor.advance();
    }
    name
}

/// `LOCK [TABLE] t, … [IN … MODE] [NOWAIT]`
pub(super) fn lock(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_word("table");
    loop {
        effects.relation(Verb::Lock, relation(&mut cursor)?);
        if !cursor.eat(TokenKind::Comma) {
            break;
        }
    }
    if cursor.eat_word("in") {
        while cursor.eat_any(&["access", "row", "share", "update", "exclusive"]).is_some() {}
        cursor.eat_word("mode").then_some(())?;
    }
    cursor.eat_word("nowait");
    end(cursor)
}

/// `VACUUM …`
pub(super) fn vacuum(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.group().is_none() {
        while cursor.eat_any(&["full", "freeze", "verbose", "analyze", "analyse"]).is_some() {}
    }
    targets(effects, cursor)
}

/// `ANALYZE …`
pub(super) fn analyze(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.group().is_none() {
        cursor.eat_word("verbose");
    }
    targets(effects, cursor)
}

fn targets(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.is_end() {
        effects.any(Verb::Maintain);
        return Some(());
    }
    loop {
        effects.relation(Verb::Maintain, relation(&mut cursor)?);
        cursor.group();
        if !cursor.eat(TokenKind::Comma) {
            return end(cursor);
        }
    }
}

/// `REINDEX …`
pub(super) fn reindex(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.group();
    let kind = cursor.eat_any(&["index", "table", "schema", "database", "system"])?;
    cursor.eat_word("concurrently");
    match kind {
        "index" | "table" => effects.relation(Verb::Maintain, relation(&mut cursor)?),
        "schema" => effects.push(Verb::Maintain, Object::Schema(cursor.identifier()?)),
        _ => {
            cursor.identifier();
            effects.any(Verb::Maintain);
        }
    }
    end(cursor)
}

/// `CLUSTER …`: the table's rows come to stand in the order of an index, whose columns are not named.
pub(super) fn cluster(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.group().is_none() {
        cursor.eat_word("verbose");
    }
    if cursor.is_end() {
        effects.any(Verb::Maintain);
        return Some(());
    }
    let mut name = cursor.name()?;
    if cursor.eat_word("on") {
        name = cursor.name()?;
    } else if cursor.eat_word("using") {
        cursor.identifier()?;
    }
    effects.relation(Verb::Maintain, name.clone());
    let facts = Facts { columns: Columns::All, compared: Columns::All, ..Facts::default() };
    effects.add(Effect { facts, duty: Duty::Harmless, ..Effect::new(Verb::Read, Object::Relation(name)) });
    end(cursor)
}

/// `REFRESH MATERIALIZED VIEW …`
pub(super) fn refresh(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_words(&["materialized", "view"]).then_some(())?;
    cursor.eat_word("concurrently");
    effects.relation(Verb::Maintain, cursor.name()?);
    let _ = cursor.eat_words(&["with", "data"]) || cursor.eat_words(&["with", "no", "data"]);
    end(cursor)
}

/// `TRUNCATE [TABLE] t, …`; with CASCADE it stands for every relation.
pub(super) fn truncate(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_word("table");
    loop {
        effects.relation(Verb::Truncate, relation(&mut cursor)?);
        if !cursor.eat(TokenKind::Comma) {
            break;
        }
    }
    let _ = cursor.eat_words(&["restart", "identity"]) || cursor.eat_words(&["continue", "identity"]);
    if cursor.eat_any(&["cascade", "restrict"]) == Some("cascade") {
        effects.any(Verb::Truncate);
    }
    end(cursor)
}

/// `CHECKPOINT`
pub(super) fn checkpoint(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    effects.any(Verb::Admin);
    end(cursor)
}

/// `LOAD 'file'`
pub(super) fn load(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let file = cursor.literal()?;
    effects.named(Verb::Admin, file);
    end(cursor)
}
