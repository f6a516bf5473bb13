//! Statements about the session: settings, cursors, prepared statements, channels, EXPLAIN, CALL.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{create, end, expressions, transaction};
use crate::command::sql::{Duty, Effect, Object, Verb};
use crate::command::{Change, Command, PathChange};
use crate::sql::effects::Effects;
use crate::sql::lex::Cursor;
use crate::sql::scanner::TokenKind;
use crate::sql::{effects_of, utility};

/// `SET …`
pub(super) fn set(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.eat_words(&["session", "characteristics", "as", "transaction"]) {
        return transaction::modes(effects, cursor, "default_transaction_read_only");
    }
    if cursor.eat_word("constraints") {
        return constraints(effects, cursor);
    }
    let local = cursor.at_word("local");
    for scope in [&["session"][..], &["local"], &[]] {
        let mut ahead = cursor;
        if ahead.eat_words(scope) && ahead.eat_words(&["session", "authorization"]) {
            return value(effects, "session_authorization", ahead);
        }
    }
    if !is_assignment(cursor) {
        cursor.eat_any(&["session", "local"]);
    }
    if cursor.eat_words(&["transaction", "snapshot"]) {
        cursor.literal()?;
        effects.set("transaction_snapshot", None);
        return end(cursor);
    }
    if cursor.at_word("transaction") && !is_assignment(cursor) {
        cursor.advance();
        return transaction::modes(effects, cursor, "transaction_read_only");
    }
    named_setting(effects, cursor)?;
    if let Some(path) = path_in(cursor).filter(|_| !local) {
        effects.change(Change::Path(PathChange::To(path)));
    }
    Some(())
}

/// The schemas of `search_path TO a, b`, where each is plainly named and none has a meaning of its own.
fn path_in(mut cursor: Cursor<'_>) -> Option<Vec<String>> {
    let assigned = cursor.eat_word("search_path") && (cursor.eat_word("to") || eat_operator(&mut cursor, "="));
    (assigned || cursor.eat_word("schema")).then_some(())?;
    let mut path = Vec::new();
    loop {
        let name = cursor.identifier().or_else(|| cursor.literal().map(Cow::into_owned))?;
        let special = name.is_empty() || name.starts_with('$') || name.starts_with("pg_") || name == "default";
        (!special).then(|| path.push(name))?;
        if !cursor.eat(TokenKind::Comma) {
            return cursor.is_end().then_some(path);
        }
    }
}

fn eat_operator(cursor: &mut Cursor<'_>, operator: &str) -> bool {
    let found = cursor.peek().is_some_and(|next| next.is_operator(cursor.text, operator));
    if found {
        cursor.advance();
    }
    found
}

/// `SET x = …` with a name that is also a keyword of this statement.
fn is_assignment(mut cursor: Cursor<'_>) -> bool {
    cursor.advance();
    cursor.at_word("to") || cursor.peek().is_some_and(|next| next.is_operator(cursor.text, "="))
}

fn named_setting(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let assigned = is_assignment(cursor);
    if cursor.eat_words(&["time", "zone"]) {
        return zone(effects, cursor);
    }
    for (words, setting) in [
        (&["role"][..], "role"),
        (&["names"], "client_encoding"),
        (&["schema"], "search_path"),
        (&["xml", "option"], "xmloption"),
    ] {
        if !assigned && cursor.eat_words(words) {
            return value(effects, setting, cursor);
        }
    }
    let name = setting_name(&mut cursor)?;
    if cursor.eat_words(&["from", "current"]) {
        effects.reset(&name);
        return end(cursor);
    }
    (cursor.eat_word("to") || eat_operator(&mut cursor, "=")).then_some(())?;
    value(effects, &name, cursor)
}

fn setting_name(cursor: &mut Cursor<'_>) -> Option<String> {
    let mut name = cursor.identifier()?;
    while cursor.eat(TokenKind::Period) {
        name.push('.');
        name.push_str(&cursor.identifier()?);
    }
    Some(name)
}

/// A time zone may be an interval, with fields.
fn zone(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    let plain = cursor.lexemes.len() <= 6 && cursor.lexemes.iter().all(|lexeme| is_value(lexeme.kind()));
    (plain && !cursor.is_end()).then_some(())?;
    effects.set("timezone", None);
    Some(())
}

fn is_value(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Word
            | TokenKind::Quoted
            | TokenKind::Literal(_)
            | TokenKind::Number
            | TokenKind::Operator
            | TokenKind::Open
            | TokenKind::Close
    )
}

/// The value of a setting: `DEFAULT`, one word or literal, or a list.
fn value(effects: &mut Effects, setting: &str, cursor: Cursor<'_>) -> Option<()> {
    match cursor.lexemes {
        [] if setting == "client_encoding" => effects.reset(setting),
        [] => return None,
        [one] if one.is_word(cursor.text, "default") => effects.reset(setting),
        [one] => {
            let value = match one.kind() {
                TokenKind::Word | TokenKind::Number => Cow::Borrowed(one.token.text(cursor.text)),
                TokenKind::Quoted | TokenKind::UnicodeQuoted | TokenKind::Literal(_) => {
                    one.contents(cursor.text).ok()?
                }
                _ => return None,
            };
            effects.set(setting, Some(&value));
        }
        list => {
            let plain = |kind| {
                matches!(kind, TokenKind::Comma | TokenKind::Operator | TokenKind::Number)
                    || matches!(kind, TokenKind::Word | TokenKind::Quoted | TokenKind::Literal(_))
            };
            list.iter().all(|lexeme| plain(lexeme.kind())).then_some(())?;
            effects.set(setting, None);
        }
    }
    Some(())
}

fn constraints(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if !cursor.eat_word("all") {
        cursor.name()?;
        while cursor.eat(TokenKind::Comma) {
            cursor.name()?;
        }
    }
    cursor.eat_any(&["deferred", "immediate"])?;
    end(cursor)?;
    effects.harmless();
    Some(())
}

/// `RESET …`
pub(super) fn reset(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.eat_word("all") {
        effects.harmless();
        effects.change(Change::Path(PathChange::Reset));
    } else if cursor.eat_words(&["time", "zone"]) {
        effects.reset("timezone");
    } else if cursor.eat_words(&["session", "authorization"]) {
        effects.reset("session_authorization");
    } else if cursor.eat_words(&["transaction", "isolation", "level"]) {
        effects.reset("transaction_isolation");
    } else {
        effects.reset(&setting_name(&mut cursor)?);
    }
    end(cursor)
}

/// `SHOW …`
pub(super) fn show(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let known = cursor.eat_words(&["time", "zone"])
        || cursor.eat_words(&["transaction", "isolation", "level"])
        || cursor.eat_words(&["session", "authorization"])
        || setting_name(&mut cursor).is_some();
    known.then_some(())?;
    end(cursor)?;
    effects.harmless();
    Some(())
}

/// `DISCARD …`
pub(super) fn discard(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    match cursor.eat_any(&["all", "plans", "sequences", "temp", "temporary"])? {
        "all" => effects.change(Change::Discard),
        "plans" | "sequences" => {}
        _ => effects.change(Change::Definitions),
    }
    end(cursor)?;
    effects.harmless();
    Some(())
}

/// `LISTEN channel`
pub(super) fn channel(effects: &mut Effects, verb: Verb, mut cursor: Cursor<'_>) -> Option<()> {
    let name = cursor.identifier()?;
    end(cursor)?;
    effects.named(verb, name);
    Some(())
}

/// `NOTIFY channel, 'payload'`
pub(super) fn notify(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let name = cursor.identifier()?;
    if cursor.eat(TokenKind::Comma) {
        cursor.literal()?;
    }
    end(cursor)?;
    effects.named(Verb::Notify, name);
    Some(())
}

/// `UNLISTEN channel` or `UNLISTEN *`
pub(super) fn unlisten(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if !eat_operator(&mut cursor, "*") {
        cursor.identifier()?;
    }
    end(cursor)?;
    effects.harmless();
    Some(())
}

/// `DECLARE c CURSOR FOR query`: the query's effects.
pub(super) fn declare(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let name = cursor.identifier()?;
    while cursor.eat_any(&["binary", "asensitive", "insensitive", "scroll"]).is_some()
        || cursor.eat_words(&["no", "scroll"])
    {}
    cursor.eat_word("cursor").then_some(())?;
    let hold = cursor.eat_words(&["with", "hold"]);
    cursor.eat_words(&["without", "hold"]);
    cursor.eat_word("for").then_some(())?;
    let command = inside(effects, cursor)?;
    // What outlives its transaction is run by COMMIT, and nothing tells what that changes.
    let runs_later = hold && command.statements().iter().any(|statement| !matches!(statement.change, Change::Nothing));
    effects.change(if runs_later { Change::Unknown } else { Change::Declare { name, command, hold } });
    Some(())
}

/// The effects of a query inside the statement, and the query as a command of its own.
fn inside(effects: &mut Effects, cursor: Cursor<'_>) -> Option<Command> {
    utility::is_query(cursor).then_some(())?;
    let own = effects_of(cursor);
    effects.absorb(own);
    Some(Command::sql(cursor.source()))
}

/// The cursor's name ends the statement, whatever direction and count stand before.
fn cursor_name(cursor: Cursor<'_>) -> Option<String> {
    let plain = |lexeme: &crate::sql::lex::Lexeme| {
        matches!(lexeme.kind(), TokenKind::Word | TokenKind::Number | TokenKind::Operator)
    };
    let (name, before) = cursor.lexemes.split_last()?;
    (before.len() <= 4 && before.iter().all(plain)).then_some(())?;
    name.identifier(cursor.text)
}

/// `FETCH … c`: what the cursor's query returns; `MOVE … c` runs it as well.
pub(super) fn fetch(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    let object = Object::Cursor(cursor_name(cursor)?);
    effects.add(Effect { duty: Duty::Harmless, ..Effect::new(Verb::Session, object) });
    Some(())
}

/// `CLOSE c`, or `ALL`
pub(super) fn close(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let name = name_or_all(&mut cursor)?;
    end(cursor)?;
    effects.harmless();
    effects.change(Change::Close(name));
    Some(())
}

/// `DEALLOCATE [PREPARE] p`, or `ALL`
pub(super) fn deallocate(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.lexemes.len() > 1 {
        cursor.eat_word("prepare");
    }
    let name = name_or_all(&mut cursor)?;
    end(cursor)?;
    effects.harmless();
    effects.change(Change::Deallocate(name));
    Some(())
}

/// A name, or `None` for the keyword `ALL`.
fn name_or_all(cursor: &mut Cursor<'_>) -> Option<Option<String>> {
    if cursor.eat_word("all") { Some(None) } else { cursor.identifier().map(Some) }
}

/// `PREPARE p (types) AS statement`: the statement's effects.
pub(super) fn prepare(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let name = cursor.identifier()?;
    let types = if cursor.at(TokenKind::Open) { Some(cursor.group()?) } else { None };
    cursor.eat_word("as").then_some(())?;
    let mut command = inside(effects, cursor)?;
    if let Some(types) = types {
        command = command.with_types(types.source());
        if !create::are_fixed(types) {
            command = command.with_made_types().with_calls(&expressions::made_types(types));
        }
    }
    effects.change(Change::Prepare { name, command });
    Some(())
}

/// `EXECUTE p (values)`
pub(super) fn execute(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let name = cursor.identifier()?;
    effects.push(Verb::Call, Object::Prepared(name));
    if let Some(values) = cursor.group() {
        expressions::all(effects, values)?;
    }
    end(cursor)
}

/// `CALL procedure (values)`
pub(super) fn call(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let whole = cursor;
    let name = cursor.name()?;
    cursor.group()?;
    end(cursor)?;
    expressions::all(effects, whole)?;
    effects.push(Verb::Call, Object::Function(name));
    Some(())
}

/// `EXPLAIN … statement`: its effects. A plan shows what conditions compare with, so what is read counts as returned.
pub(super) fn explain(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    if cursor.at(TokenKind::Open) && is_options(cursor) {
        cursor.group()?;
    } else {
        cursor.eat_any(&["analyze", "analyse"]);
        cursor.eat_word("verbose");
    }
    let inside = utility::is_query(cursor)
        || ["declare", "create", "refresh", "execute"].iter().any(|word| cursor.at_word(word));
    inside.then_some(())?;
    let defines = !utility::is_query(cursor) && !cursor.at_word("declare");
    let mut explained = effects_of(cursor);
    explained.return_all();
    explained.explain(defines);
    effects.absorb(explained);
    Some(())
}

/// Options in parentheses and not a query in them.
fn is_options(mut cursor: Cursor<'_>) -> bool {
    let Some(inside) = cursor.group() else { return false };
    !utility::is_query(inside) && !cursor.is_end()
}
