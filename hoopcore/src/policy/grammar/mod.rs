//! What a file may hold, as data: the keys of each map, their values, and what each is for.
//!
//! The readers take the keys that they know from these tables, so a key that is not here does not exist; the JSON Schema
//! and the reference are written from the same tables, so neither can say anything else.

mod policy;
mod protocols;

use alloc::vec::Vec;

pub use policy::FILE;
pub(super) use policy::*;
pub(super) use protocols::{KUBERNETES_RULE, OF_SSH_KEYS, REQUEST_KEYS, SSH_RULE};

/// What a node may be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A text. Numbers and truth values are texts too, as they are written.
    Text,
    /// A text of a certain form: a regular expression as JSON Schema has them.
    Form(&'static str),
    /// A whole number, from the first to the second.
    Number(u64, u64),
    /// One of some words.
    Word(fn() -> Vec<Word>),
    /// A map with known keys.
    Map(&'static Map),
    /// A map from any names to values.
    Names(&'static Self),
    /// A map from some words to values.
    Words(fn() -> Vec<Word>, &'static Self),
    /// A list.
    List(&'static Self),
    /// One, or a list of several.
    OneOrMore(&'static Self),
    /// One of several shapes.
    AnyOf(&'static [Self]),
    /// Known, and refused until it is supported.
    Later,
}

/// A map with known keys.
#[derive(Debug)]
pub struct Map {
    /// The name of its definition in the schema.
    pub name: &'static str,
    /// What an error text calls it: `a rule`.
    pub noun: &'static str,
    /// What it is for, in a sentence or two.
    pub about: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [Key],
    /// Keys of which exactly one stands; none where there is no such choice.
    pub choice: &'static [&'static str],
}

/// A key of a map.
#[derive(Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it is for, in a sentence or two, with what holds without it.
    pub about: &'static str,
    /// What stands there.
    pub value: Shape,
    /// Where the key cannot be left out: what to write.
    pub required: Option<&'static str>,
    /// Keys without which it cannot stand.
    pub needs: &'static [&'static str],
}

/// A word, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub word: &'static str,
    /// What it means, in a sentence.
    pub about: &'static str,
}

impl Map {
    /// The keys that the map knows.
    pub fn known(&self) -> Vec<&'static str> {
        self.keys.iter().filter(|key| !key.is_later()).map(|key| key.name).collect()
    }

    /// The key of that name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    /// A key that may be left out.
    #[must_use]
    pub const fn optional(name: &'static str, value: Shape, about: &'static str) -> Self {
        Self { name, about, value, required: None, needs: &[] }
    }

    /// A key that cannot be left out; `help` says what to write.
    #[must_use]
    pub const fn required(name: &'static str, value: Shape, about: &'static str, help: &'static str) -> Self {
        Self { name, about, value, required: Some(help), needs: &[] }
    }

    /// The same key, which cannot stand without some others.
    #[must_use]
    pub const fn with(self, needs: &'static [&'static str]) -> Self {
        Self { needs, ..self }
    }

    /// Whether it is known, and refused until it is supported.
    #[must_use]
    pub fn is_later(&self) -> bool {
        matches!(self.value, Shape::Later)
    }
}

impl Word {
    /// A word, and what it means.
    #[must_use]
    pub const fn new(word: &'static str, about: &'static str) -> Self {
        Self { word, about }
    }
}

/// A table of words as the readers use it: each with its meaning for a program and for a person.
pub type Meanings<T> = [(&'static str, T, &'static str)];

/// The words of a table.
pub fn words<T>(table: &Meanings<T>) -> Vec<Word> {
    table.iter().map(|(word, _, about)| Word::new(word, about)).collect()
}
