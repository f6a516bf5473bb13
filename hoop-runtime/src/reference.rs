//! The reference of a file's keys as Markdown, from the tables that its reader uses.

use std::collections::BTreeSet;

use hoopcore::policy::grammar::{Key, Map, Shape, Word};

/// Each map of a file as a section: its keys, what stands there, what it is for.
#[must_use]
pub fn markdown(root: &'static Map) -> String {
    let mut page = String::new();
    let mut told = BTreeSet::new();
    let mut waiting = vec![("the file".to_owned(), root)];
    while let Some((path, map)) = waiting.pop() {
        if told.insert(map.name) {
            section(&mut page, &path, map);
            let inner = map.keys.iter().rev().flat_map(|key| inside(&path, key.name, &key.value));
            waiting.extend(inner);
        }
    }
    page
}

fn section(page: &mut String, path: &str, map: &Map) {
    page.push_str(&format!(
        "## {path}\n{}\n\n| key | what stands there | what it is for |\n|---|---|---|\n",
        map.about
    ));
    for key in map.keys.iter().filter(|key| !key.is_later()) {
        let (name, mark, about) = (key.name, mark(key), cell(key.about));
        page.push_str(&format!("| `{name}`{mark} | {} | {about} |\n", holds(&key.value)));
    }
    if !map.choice.is_empty() {
        let names: Vec<String> = map.choice.iter().map(|name| format!("`{name}`")).collect();
        page.push_str(&format!("\nExactly one of {} stands.\n", names.join(", ")));
    }
    for (key, words) in map.keys.iter().flat_map(|key| words_in(&key.value).into_iter().map(move |words| (key, words)))
    {
        page.push('\n');
        for Word { word, about } in words {
            page.push_str(&format!("- `{}: {word}`: {about}\n", key.name));
        }
    }
    page.push('\n');
}

fn mark(key: &Key) -> &'static str {
    if key.required.is_some() { " (required)" } else { "" }
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What stands at a key, in words.
fn holds(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Form(_) => "text".to_owned(),
        Shape::Number(least, most) => format!("number from {least} to {most}"),
        Shape::Word(list) => {
            let words: Vec<String> = list().iter().map(|word| format!("`{}`", word.word)).collect();
            words.join(", ")
        }
        Shape::Map(keys) => format!("map: {}", keys.noun),
        Shape::Names(inner) => format!("map from names to: {}", holds(inner)),
        Shape::Words(_, inner) => format!("map from words to: {}", holds(inner)),
        Shape::List(inner) => format!("list of: {}", holds(inner)),
        Shape::OneOrMore(inner) => format!("{}, or a list of several", holds(inner)),
        Shape::AnyOf(shapes) => shapes.iter().map(holds).collect::<Vec<_>>().join("; or "),
        Shape::Later => "not supported yet".to_owned(),
    }
}

/// The lists of words that a key takes and that need explaining.
fn words_in(shape: &Shape) -> Vec<Vec<Word>> {
    match shape {
        Shape::Word(list) => vec![list()],
        Shape::OneOrMore(inner) | Shape::List(inner) => words_in(inner),
        Shape::AnyOf(shapes) => shapes.iter().flat_map(words_in).collect(),
        Shape::Text
        | Shape::Form(_)
        | Shape::Number(..)
        | Shape::Map(_)
        | Shape::Names(_)
        | Shape::Words(..)
        | Shape::Later => Vec::new(),
    }
}

/// The maps with known keys below a key, each with its path.
fn inside(path: &str, key: &str, shape: &'static Shape) -> Vec<(String, &'static Map)> {
    let path = if path == "the file" { format!("`{key}`") } else { format!("{}.{key}`", path.trim_end_matches('`')) };
    below(path, shape)
}

fn below(path: String, shape: &'static Shape) -> Vec<(String, &'static Map)> {
    match shape {
        Shape::Map(keys) => vec![(path, *keys)],
        Shape::Names(inner) | Shape::Words(_, inner) => below(format!("{}.NAME`", path.trim_end_matches('`')), inner),
        Shape::List(inner) | Shape::OneOrMore(inner) => below(path, inner),
        Shape::AnyOf(shapes) => shapes.iter().flat_map(|shape| below(path.clone(), shape)).collect(),
        Shape::Text | Shape::Form(_) | Shape::Number(..) | Shape::Word(_) | Shape::Later => Vec::new(),
    }
}
