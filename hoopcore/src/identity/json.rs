//! Reads JSON of a stranger: bounded in depth, size and count, and refused when a member is named twice.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How much is read before the reading ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Lists and objects inside one another.
    pub(super) depth: usize,
    /// Values and member names in all.
    pub(super) values: usize,
    /// Bytes in one text.
    pub(super) text: usize,
}

/// A JSON value. Two values of one name cannot be in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Truth(bool),
    Integer(i128),
    /// A number with a fraction or an exponent, or too large for 64 bits.
    Inexact,
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

/// The members of an object by name.
pub(super) type Object = BTreeMap<String, Json>;

/// Why a text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    /// It does not follow RFC 8259, or is not UTF-8.
    #[error("is not well-formed JSON")]
    Malformed,
    /// It is a list or a bare value.
    #[error("is not a JSON object")]
    NotAnObject,
    /// Two members have the same name: two readers could understand it differently.
    #[error("names a member twice")]
    Duplicate,
    /// Its nesting exceeds the limit.
    #[error("is nested too deeply")]
    TooDeep,
    /// It has more values than the limit.
    #[error("has too many values")]
    TooMany,
    /// A text in it exceeds the limit.
    #[error("has a text that is too long")]
    TooLong,
}

/// Reads one object that is the whole of `bytes`.
pub(super) fn object(bytes: &[u8], bounds: Bounds) -> Result<Object, JsonProblem> {
    let reading = Reading { bounds, left: Cell::new(bounds.values), problem: Cell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Value { reading: &reading, depth: 0 }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(JsonProblem::NotAnObject),
        Err(_) => Err(reading.problem.get().unwrap_or(JsonProblem::Malformed)),
    }
}

struct Reading {
    bounds: Bounds,
    left: Cell<usize>,
    problem: Cell<Option<JsonProblem>>,
}

impl Reading {
    fn fail<E: Error>(&self, problem: JsonProblem) -> E {
        self.problem.set(Some(problem));
        E::custom(problem)
    }

    fn count<E: Error>(&self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| self.fail(JsonProblem::TooMany))?;
        self.left.set(left);
        Ok(())
    }

    fn text<E: Error>(&self, text: &str) -> Result<String, E> {
        if text.len() > self.bounds.text {
            return Err(self.fail(JsonProblem::TooLong));
        }
        Ok(text.into())
    }
}

/// One value to be read, so deep inside the text.
#[derive(Clone, Copy)]
struct Value<'r> {
    reading: &'r Reading,
    depth: usize,
}

impl Value<'_> {
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.depth >= self.reading.bounds.depth {
            return Err(self.reading.fail(JsonProblem::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        self.reading.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Truth(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Inexact)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        self.reading.text(text).map(Json::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inside = self.inside()?;
        let mut object = Object::new();
        while let Some(name) = members.next_key::<String>()? {
            self.reading.count()?;
            let name = self.reading.text(&name)?;
            let value = members.next_value_seed(inside)?;
            if object.insert(name, value).is_some() {
                return Err(self.reading.fail(JsonProblem::Duplicate));
            }
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn check(text: &str, expected: Result<(), JsonProblem>) {
        let bounds = Bounds { depth: 3, values: 12, text: 8 };
        assert_eq!(object(text.as_bytes(), bounds).map(drop), expected, "{text}");
    }

    #[test]
    fn only_one_reading_is_possible() {
        check("{}", Ok(()));
        check(" { \"a\" : [1, -1, 1.5, null, true, \"x\"] } ", Ok(()));
        check("", Err(JsonProblem::Malformed));
        check("{} {}", Err(JsonProblem::Malformed));
        check("{\"a\":1,}", Err(JsonProblem::Malformed));
        check("{\"a\":01}", Err(JsonProblem::Malformed));
        check("{\"a\":1e999}", Err(JsonProblem::Malformed));
        check("{\"a\":NaN}", Err(JsonProblem::Malformed));
        check("{'a':1}", Err(JsonProblem::Malformed));
        check("{\"a\":\"\\ud800\"}", Err(JsonProblem::Malformed));
        check("\u{feff}{}", Err(JsonProblem::Malformed));
        check("[]", Err(JsonProblem::NotAnObject));
        check("\"a\"", Err(JsonProblem::NotAnObject));
        check("{\"a\":1,\"a\":1}", Err(JsonProblem::Duplicate));
        check("{\"a\":1,\"\\u0061\":1}", Err(JsonProblem::Duplicate));
        check("{\"a\":{\"b\":1,\"b\":2}}", Err(JsonProblem::Duplicate));
        check("{\"a\":[{\"b\":1,\"b\":2}]}", Err(JsonProblem::Duplicate));
    }

    #[test]
    fn what_is_too_much_is_not_read() {
        check("{\"a\":[[1]]}", Ok(()));
        check("{\"a\":[[[1]]]}", Err(JsonProblem::TooDeep));
        check(&format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)), Err(JsonProblem::TooDeep));
        check("{\"a\":[1,2,3,4,5,6,7,8,9]}", Ok(()));
        check("{\"a\":[1,2,3,4,5,6,7,8,9,0]}", Err(JsonProblem::TooMany));
        check("{\"12345678\":\"12345678\"}", Ok(()));
        check("{\"a\":\"123456789\"}", Err(JsonProblem::TooLong));
        check("{\"123456789\":1}", Err(JsonProblem::TooLong));
        assert_eq!(object(b"{\"a\":\"\xff\"}", Bounds { depth: 3, values: 9, text: 9 }), Err(JsonProblem::Malformed));
    }
}
