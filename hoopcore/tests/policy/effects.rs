//! Effects as text, so that verdicts are tested without any analysis of statements.

use std::collections::BTreeSet;

use hoopcore::command::sql::{Columns, Duty, Effect, Object, Verb};
use hoopcore::command::{Change, PathChange, Statement};
use hoopcore::{Command, Coverage, QualifiedName, Truth};

/// The command that a line like `read public.orders(id, email); update orders unbounded` describes: effects are
/// parted by `;`, statements by `;;`.
pub(crate) fn command(text: &str) -> Command {
    let statements = text.split(";;").map(str::trim).filter(|statement| !statement.is_empty());
    let statements: Vec<Statement> = statements.map(statement).collect();
    Command::analysed(text, "canonical".into(), statements.into())
}

fn statement(text: &str) -> Statement {
    if let Some(path) = text.strip_prefix("path ") {
        let schemas = path.split(',').map(|schema| schema.trim().to_string()).collect();
        let change = Change::Path(PathChange::To(schemas));
        return Statement { effects: Box::default(), coverage: Coverage::Full, change };
    }
    let effects: Vec<Effect> = text.split(';').map(|text| effect(text.trim())).collect();
    let unknown = effects.iter().any(|effect| effect.verb == Verb::Unknown);
    let coverage = if unknown { Coverage::Partial("gibberish".into()) } else { Coverage::Full };
    Statement { effects: effects.into(), coverage, change: Change::Nothing }
}

/// One effect: `verb object(columns) !inferred flags…`.
fn effect(text: &str) -> Effect {
    let mut words = text.split_whitespace();
    let verb = words.next().expect("a verb");
    let verb = *Verb::ALL.iter().find(|known| known.word() == verb).unwrap_or_else(|| panic!("verb of `{text}`"));
    let mut effect = if verb == Verb::Unknown { Effect::unknown() } else { Effect::new(verb, Object::Any) };
    for word in words {
        match word {
            "unbounded" => effect.facts.unbounded = Truth::Yes,
            "perhaps-unbounded" => effect.facts.unbounded = Truth::May,
            "copy" => effect.facts.copy = true,
            "code" => effect.facts.code = true,
            "harmless" => effect.duty = Duty::Harmless,
            "shadowable" => effect.duty = Duty::HarmlessUnlessShadowed,
            word if word.starts_with('!') => effect.facts.inferred = columns(&word[1..]),
            word => (effect.object, effect.facts.columns) = object(word, verb),
        }
    }
    effect.facts.returned = effect.facts.columns.clone();
    effect.facts.stored = effect.facts.columns.clone();
    effect
}

fn object(word: &str, verb: Verb) -> (Object, Columns) {
    let (name, list) = match word.split_once('(') {
        Some((name, list)) => (name, columns(list.trim_end_matches(')'))),
        None => (word, Columns::none()),
    };
    let object = match (name.split_once(':'), verb) {
        (Some(("prepared", name)), _) => Object::Prepared(name.into()),
        (Some(("cursor", name)), _) => Object::Cursor(name.into()),
        (Some(("schema", name)), _) => Object::Schema(name.into()),
        (Some(("named", name)), _) => Object::Named(name.into()),
        (Some((kind, _)), _) => panic!("object `{kind}:`"),
        (None, _) if name == "*" => Object::Any,
        (None, Verb::Call) => Object::Function(qualified(name)),
        (None, Verb::Set | Verb::Session) => Object::Setting(name.into()),
        (None, Verb::File | Verb::Program | Verb::Role | Verb::Listen | Verb::Notify) => Object::Named(name.into()),
        (None, _) => Object::Relation(qualified(name)),
    };
    (object, list)
}

fn qualified(name: &str) -> QualifiedName {
    match name.split_once('.') {
        Some((schema, name)) => QualifiedName::qualified(schema, name),
        None => QualifiedName::bare(name),
    }
}

fn columns(list: &str) -> Columns {
    match list {
        "*" => Columns::All,
        list => {
            Columns::Named(list.split(',').filter(|name| !name.is_empty()).map(String::from).collect::<BTreeSet<_>>())
        }
    }
}
