//! JSON Schema of the policy language and of the gateway's file, from the tables that their readers use.

use hoopcore::policy::grammar::{self, Key, Map as Keys, Shape, Word};
use serde_json::{Map, Value, json};

use crate::config;

/// The schema of a policy file, for editors and other programs. It does not know what only the meaning tells, such as
/// whether a set exists.
#[must_use]
pub fn policy() -> Value {
    document(&grammar::FILE)
}

/// The schema of the gateway's own file.
#[must_use]
pub fn gateway() -> Value {
    document(&config::grammar::FILE)
}

/// The schema as text, the same each time.
#[must_use]
pub fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn document(root: &'static Keys) -> Value {
    let mut definitions = Map::new();
    let mut waiting = vec![root];
    while let Some(keys) = waiting.pop() {
        if !definitions.contains_key(keys.name) {
            definitions.insert(keys.name.to_owned(), map(keys));
            waiting.extend(keys.keys.iter().rev().flat_map(|key| maps_in(&key.value)));
        }
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": format!("hoop: {}", root.name),
        "allOf": [{ "$ref": format!("#/definitions/{}", root.name) }],
        "definitions": definitions,
    })
}

/// The maps with known keys that a shape refers to.
fn maps_in(shape: &'static Shape) -> Vec<&'static Keys> {
    match shape {
        Shape::Map(keys) => vec![*keys],
        Shape::Names(inner) | Shape::Words(_, inner) | Shape::List(inner) | Shape::OneOrMore(inner) => maps_in(inner),
        Shape::AnyOf(shapes) => shapes.iter().flat_map(maps_in).collect(),
        Shape::Text | Shape::Form(_) | Shape::Number(..) | Shape::Word(_) | Shape::Later => Vec::new(),
    }
}

fn map(keys: &Keys) -> Value {
    let known = || keys.keys.iter().filter(|key| !key.is_later());
    let properties: Map<String, Value> = known().map(|key| (key.name.to_owned(), described(key))).collect();
    let required: Vec<&str> = known().filter(|key| key.required.is_some()).map(|key| key.name).collect();
    let mut schema = json!({
        "description": keys.about,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    let Some(object) = schema.as_object_mut() else { return schema };
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    let needs: Map<String, Value> =
        known().filter(|key| !key.needs.is_empty()).map(|key| (key.name.to_owned(), json!(key.needs))).collect();
    if !needs.is_empty() {
        object.insert("dependencies".to_owned(), json!(needs));
    }
    if !keys.choice.is_empty() {
        let one: Vec<Value> = keys.choice.iter().map(|name| json!({ "required": [name] })).collect();
        object.insert("oneOf".to_owned(), json!(one));
    }
    schema
}

fn described(key: &Key) -> Value {
    let mut description = Map::new();
    description.insert("description".to_owned(), json!(key.about));
    description.extend(fragment(&key.value));
    Value::Object(description)
}

fn value(shape: &Shape) -> Value {
    Value::Object(fragment(shape))
}

fn fragment(shape: &Shape) -> Map<String, Value> {
    let schema = match shape {
        Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Form(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Word(list) => words(&list()),
        Shape::Map(keys) => json!({ "$ref": format!("#/definitions/{}", keys.name) }),
        Shape::Names(inner) => json!({ "type": "object", "additionalProperties": value(inner) }),
        Shape::Words(list, inner) => table(&list(), inner),
        Shape::List(inner) => json!({ "type": "array", "items": value(inner) }),
        Shape::OneOrMore(inner) => json!({ "anyOf": [value(inner), { "type": "array", "items": value(inner) }] }),
        Shape::AnyOf(shapes) => json!({ "anyOf": shapes.iter().map(value).collect::<Vec<_>>() }),
        Shape::Later => json!({ "not": {} }),
    };
    match schema {
        Value::Object(fragment) => fragment,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// One of some words, each with its meaning. A word that YAML takes for something else may stand as that too.
fn words(list: &[Word]) -> Value {
    let one = |word: &Word| {
        let mut schema = json!({ "const": word.word, "description": word.about });
        if let Some(other) = as_yaml_reads(word.word) {
            schema = json!({ "enum": [word.word, other], "description": word.about });
        }
        schema
    };
    json!({ "oneOf": list.iter().map(one).collect::<Vec<_>>() })
}

fn as_yaml_reads(word: &str) -> Option<Value> {
    match word {
        "~" => Some(Value::Null),
        word => serde_json::from_str::<Value>(word).ok().filter(|value| !value.is_string()),
    }
}

/// A map from some words to values.
fn table(list: &[Word], inner: &Shape) -> Value {
    let described = |word: &Word| {
        let mut schema = Map::new();
        schema.insert("description".to_owned(), json!(word.about));
        schema.extend(fragment(inner));
        (word.word.to_owned(), Value::Object(schema))
    };
    let properties: Map<String, Value> = list.iter().map(described).collect();
    json!({ "type": "object", "minProperties": 1, "properties": properties, "additionalProperties": false })
}
