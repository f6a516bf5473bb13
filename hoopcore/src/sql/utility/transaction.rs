//! BEGIN, COMMIT, ROLLBACK, savepoints: harmless, except for two-phase commit and leaving read-only mode.

use super::end;
use crate::command::sql::Verb;
use crate::sql::effects::Effects;
use crate::sql::lex::Cursor;
use crate::sql::scanner::TokenKind;

pub(super) fn effects(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.eat_word("begin") {
        cursor.eat_any(&["work", "transaction"]);
        return modes(effects, cursor, "transaction_read_only");
    }
    if cursor.eat_words(&["start", "transaction"]) {
        return modes(effects, cursor, "transaction_read_only");
    }
    if cursor.eat_words(&["commit", "prepared"]) || cursor.eat_words(&["rollback", "prepared"]) {
        return named(effects, cursor);
    }
    if cursor.eat_word("savepoint") || cursor.eat_words(&["release", "savepoint"]) || cursor.eat_word("release") {
        return savepoint(effects, cursor);
    }
    if cursor.eat_any(&["rollback", "abort"]).is_some() {
        cursor.eat_any(&["work", "transaction"]);
        if cursor.eat_word("to") {
            cursor.eat_word("savepoint");
            return savepoint(effects, cursor);
        }
        return chain(effects, cursor);
    }
    cursor.eat_any(&["commit", "end"])?;
    cursor.eat_any(&["work", "transaction"]);
    chain(effects, cursor)
}

fn chain(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.eat_word("and") {
        cursor.eat_word("no");
        cursor.eat_word("chain").then_some(())?;
    }
    end(cursor)?;
    effects.harmless();
    Some(())
}

fn savepoint(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.identifier()?;
    end(cursor)?;
    effects.harmless();
    Some(())
}

/// `PREPARE TRANSACTION 'name'`: its work outlives the session.
pub(super) fn two_phase(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    cursor.eat_word("transaction").then_some(())?;
    named(effects, cursor)
}

fn named(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let name = cursor.literal()?;
    end(cursor)?;
    effects.named(Verb::Admin, name);
    Some(())
}

/// Modes of a transaction: harmless, but READ WRITE undoes a session's read-only default.
pub(super) fn modes(effects: &mut Effects, mut cursor: Cursor<'_>, read_only: &str) -> Option<()> {
    while !cursor.is_end() {
        if cursor.eat_words(&["read", "write"]) {
            effects.set(read_only, Some("off"));
        } else if cursor.eat_words(&["isolation", "level"]) {
            level(&mut cursor)?;
        } else {
            let known = cursor.eat_words(&["read", "only"])
                || cursor.eat_word("deferrable")
                || cursor.eat_words(&["not", "deferrable"]);
            known.then_some(())?;
        }
        cursor.eat(TokenKind::Comma);
    }
    effects.harmless();
    Some(())
}

fn level(cursor: &mut Cursor<'_>) -> Option<()> {
    let known = cursor.eat_words(&["read", "committed"])
        || cursor.eat_words(&["read", "uncommitted"])
        || cursor.eat_words(&["repeatable", "read"])
        || cursor.eat_word("serializable");
    known.then_some(())
}
