//! Effects as text, one a line. What is stored is shown where it is not all that is returned.

use hoopcore::Command;
use hoopcore::command::sql::{Columns, Duty, Effect, Facts, Object, Verb};
use hoopcore::command::{Change, Coverage, Statement};
use hoopcore::truth::Truth;

/// The effects of a text: a line for each, `;` between statements, `?` before what was conceded.
///
/// Calls that are harmless unless shadowed are left out; [`calls`] gives them.
pub(crate) fn effects(command: &Command) -> String {
    command.statements().iter().map(statement).collect::<Vec<_>>().join("  ;\n")
}

fn statement(statement: &Statement) -> String {
    let shown = |effect: &&Effect| effect.verb != Verb::Call || effect.duty == Duty::Covered;
    let mut text: String = statement.effects.iter().filter(shown).map(|one| format!("  {}\n", effect(one))).collect();
    if let Coverage::Partial(why) = &statement.coverage {
        text += &format!("  ? {why}\n");
    }
    text + &change(&statement.change)
}

/// The calls that are harmless unless shadowed.
pub(crate) fn calls(command: &Command) -> String {
    let shadowable = |effect: &&Effect| effect.duty == Duty::HarmlessUnlessShadowed;
    let effects = command.statements().iter().flat_map(|statement| &statement.effects);
    effects.filter(shadowable).map(|effect| effect.object.to_string()).collect::<Vec<_>>().join(" ")
}

/// What is compared of which object; `-` where nothing is.
pub(crate) fn compared(command: &Command) -> String {
    let effects = command.statements().iter().flat_map(|statement| &statement.effects);
    let compares = |effect: &&Effect| !effect.facts.compared.is_empty();
    let one = |effect: &Effect| format!("{}{}", effect.object, list("", &effect.facts.compared));
    let all = effects.filter(compares).map(one).collect::<Vec<_>>().join(" ");
    if all.is_empty() { "-".into() } else { all }
}

fn effect(effect: &Effect) -> String {
    let Facts { unbounded, copy, code, columns, returned, stored, inferred, compared: _, weighed: _, behind: _ } =
        &effect.facts;
    let mut text = format!("{} {}{}", effect.verb.word(), object(&effect.object), list("", columns));
    text += &list(" returned", returned);
    if stored != returned {
        text += " ";
        text += if stored.is_empty() { "unstored" } else { "stored" };
        text += &list("", stored);
    }
    text += &list(" inferred", inferred);
    let flags = [
        (effect.duty == Duty::Harmless, " harmless"),
        (*unbounded == Truth::Yes, " unbounded"),
        (*unbounded == Truth::May, " perhaps-unbounded"),
        (*copy, " copy"),
        (*code, " code"),
    ];
    text + &flags.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect::<String>()
}

fn object(object: &Object) -> String {
    match object {
        Object::Function(name) => format!("function {name}"),
        Object::Setting(name) => format!("setting {name}"),
        Object::Named(name) => format!("named {name}"),
        Object::Prepared(name) => format!("prepared {name}"),
        Object::Cursor(name) => format!("cursor {name}"),
        Object::Relation(_) | Object::Schema(_) | Object::Any => object.to_string(),
    }
}

fn list(name: &str, columns: &Columns) -> String {
    match columns {
        Columns::All => format!("{name}(*)"),
        Columns::Named(names) if names.is_empty() => String::new(),
        Columns::Named(names) => format!("{name}({})", names.iter().cloned().collect::<Vec<_>>().join(",")),
    }
}

fn change(change: &Change) -> String {
    match change {
        Change::Nothing | Change::Unknown | Change::Definitions => String::new(),
        Change::Prepare { name, command } => format!("  = prepares {name}: {}\n", command.canonical()),
        Change::Declare { name, command, hold } => {
            let hold = if *hold { " held" } else { "" };
            format!("  = declares {name}{hold}: {}\n", command.canonical())
        }
        Change::Deallocate(name) => format!("  = deallocates {}\n", name.as_deref().unwrap_or("all")),
        Change::Close(name) => format!("  = closes {}\n", name.as_deref().unwrap_or("all")),
        Change::Path(path) => format!("  = path {path:?}\n"),
        Change::Discard => String::from("  = discards all\n"),
    }
}
