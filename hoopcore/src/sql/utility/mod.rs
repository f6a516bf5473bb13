//! Statements other than queries → effects, each by a small parser of its own.
//!
//! A parser that does not fit gives `None`: the statement then has what its keywords show, and `unknown` beside it.

mod access;
mod alter;
mod copy;
mod create;
mod expressions;
mod maintain;
mod object;
mod session;
mod transaction;

use super::effects::Effects;
use super::lex::Cursor;
use super::scanner::TokenKind;
use crate::command::Change;
use crate::command::sql::{Effect, Facts, Object, Verb};
use crate::truth::Truth;

const NOT_UNDERSTOOD: &str = "a form of this statement that is not understood";

/// Words that a query or a data-modifying statement begins with.
const QUERY: [&str; 8] = ["select", "with", "values", "table", "insert", "update", "delete", "merge"];

/// Whether the statement goes to sqlparser.
pub(super) fn is_query(cursor: Cursor<'_>) -> bool {
    cursor.at(TokenKind::Open) || QUERY.iter().any(|word| cursor.at_word(word))
}

/// The effects of a statement that is no query.
pub(super) fn effects(cursor: Cursor<'_>) -> Effects {
    let mut effects = Effects::default();
    if statement(&mut effects, cursor).is_none() {
        effects.absorb(leading(cursor));
        effects.concede(NOT_UNDERSTOOD);
    }
    effects
}

fn statement(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    let whole = cursor;
    let first = cursor.advance()?;
    if first.kind() != TokenKind::Word {
        return None;
    }
    match &*first.token.folded(cursor.text) {
        "begin" | "start" | "commit" | "end" | "abort" | "rollback" | "savepoint" | "release" => {
            transaction::effects(effects, whole)
        }
        "prepare" if cursor.at_word("transaction") => transaction::two_phase(effects, cursor),
        "set" => session::set(effects, cursor),
        "reset" => session::reset(effects, cursor),
        "show" => session::show(effects, cursor),
        "discard" => session::discard(effects, cursor),
        "listen" => session::channel(effects, Verb::Listen, cursor),
        "notify" => session::notify(effects, cursor),
        "unlisten" => session::unlisten(effects, cursor),
        "declare" => session::declare(effects, cursor),
        "fetch" => session::fetch(effects, cursor),
        "move" => session::fetch(effects, cursor),
        "close" => session::close(effects, cursor),
        "deallocate" => session::deallocate(effects, cursor),
        "prepare" => session::prepare(effects, cursor),
        "execute" => session::execute(effects, cursor),
        "explain" => session::explain(effects, cursor),
        "call" => session::call(effects, cursor),
        "lock" => maintain::lock(effects, cursor),
        "vacuum" => maintain::vacuum(effects, cursor),
        "analyze" | "analyse" => maintain::analyze(effects, cursor),
        "reindex" => maintain::reindex(effects, cursor),
        "cluster" => maintain::cluster(effects, cursor),
        "refresh" => maintain::refresh(effects, cursor),
        "truncate" => maintain::truncate(effects, cursor),
        "checkpoint" => maintain::checkpoint(effects, cursor),
        "load" => maintain::load(effects, cursor),
        "copy" => copy::effects(effects, cursor),
        "create" | "alter" | "drop" | "import" => definition(effects, whole),
        "comment" => object::comment(effects, cursor),
        "security" => object::label(effects, cursor),
        "grant" | "revoke" => access::grant(effects, cursor),
        "reassign" => access::reassign(effects, cursor),
        _ => None,
    }
}

/// Statements after which relations, functions or types are others.
fn definition(effects: &mut Effects, mut cursor: Cursor<'_>) -> Option<()> {
    effects.change(Change::Definitions);
    match cursor.eat_any(&["create", "alter", "drop", "import"])? {
        "create" => create::effects(effects, cursor),
        "alter" => alter::effects(effects, cursor),
        "drop" => object::drop(effects, cursor),
        _ => create::import(effects, cursor),
    }
}

/// What the keywords of a statement show, where it is not understood as a whole: never less than it may do by its
/// leading keyword, never all that it does.
pub(super) fn leading(cursor: Cursor<'_>) -> Effects {
    let mut effects = Effects::default();
    let Some(first) = cursor.peek().filter(|first| first.kind() == TokenKind::Word || first.kind() == TokenKind::Open)
    else {
        return effects;
    };
    for verb in verbs(&first.token.folded(cursor.text)) {
        add(&mut effects, *verb);
    }
    for (word, verb) in INSIDE {
        if is_query(cursor) && cursor.mentions(word) {
            add(&mut effects, verb);
        }
    }
    effects
}

/// What may stand anywhere in a query.
const INSIDE: [(&str, Verb); 6] = [
    ("select", Verb::Read),
    ("table", Verb::Read),
    ("insert", Verb::Insert),
    ("update", Verb::Update),
    ("delete", Verb::Delete),
    ("into", Verb::Create),
];

fn add(effects: &mut Effects, verb: Verb) {
    let facts = match verb {
        Verb::Read => Facts::of_all_columns(),
        Verb::Update | Verb::Delete => Facts { unbounded: Truth::May, ..Facts::default() },
        _ => Facts::default(),
    };
    effects.add(Effect { facts, ..Effect::new(verb, Object::Any) });
}

fn verbs(leading: &str) -> &'static [Verb] {
    match leading {
        "alter" => &[Verb::Alter],
        "analyze" | "analyse" | "vacuum" | "reindex" | "cluster" | "refresh" => &[Verb::Maintain],
        "call" | "execute" => &[Verb::Call],
        "checkpoint" | "import" | "load" | "security" => &[Verb::Admin],
        "comment" => &[Verb::Alter],
        "copy" => &[Verb::Read, Verb::Insert, Verb::File, Verb::Program],
        "create" => &[Verb::Create],
        "drop" => &[Verb::Drop],
        "grant" | "reassign" | "revoke" => &[Verb::Grant],
        "listen" => &[Verb::Listen],
        "lock" => &[Verb::Lock],
        "merge" => &[Verb::Insert, Verb::Update, Verb::Delete],
        "notify" => &[Verb::Notify],
        "reset" | "set" => &[Verb::Set],
        "truncate" => &[Verb::Truncate],
        _ => &[],
    }
}

/// Whether nothing is left: a form that goes on is not the one that was understood.
fn end(cursor: Cursor<'_>) -> Option<()> {
    cursor.is_end().then_some(())
}
