//! The tree that a text is, before it means anything: nodes with places.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// Where something stands in a text; line and column count from one, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column of its first character.
    pub column: u32,
    /// How many characters it takes, line ends included.
    pub width: u32,
}

impl Place {
    /// The beginning of the text.
    pub const START: Self = Self { line: 1, column: 1, width: 0 };
}

/// One node with its place. Texts are borrowed from the text that was read, as far as they stand there as they are.
#[derive(Clone, Debug)]
pub struct Node<'t> {
    /// Where it stands.
    pub at: Place,
    /// What it holds.
    pub value: Value<'t>,
}

/// What a node holds. Scalars are text: `no`, `on`, `0755` and `08:00` mean what they look like.
#[derive(Clone, Debug)]
pub enum Value<'t> {
    /// Nothing was written, or `~`.
    Empty,
    /// A scalar as it was written, without its quotes.
    Text(Cow<'t, str>),
    /// A list.
    List(Vec<Node<'t>>),
    /// A map; keys may repeat, which whoever reads it reports.
    Map(Vec<(Node<'t>, Node<'t>)>),
}

impl Node<'_> {
    /// The scalar's text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Empty | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The items of a list; anything else is a list of itself.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Empty | Value::Text(_) | Value::Map(_) => core::slice::from_ref(self),
        }
    }

    /// Puts all of it into one place. As deep as the text was nested.
    pub(super) fn set_place(&mut self, at: Place) {
        self.at = at;
        match &mut self.value {
            Value::Empty | Value::Text(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.set_place(at)),
            Value::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.set_place(at);
                value.set_place(at);
            }),
        }
    }

    /// What it is, for an error text.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match &self.value {
            Value::Empty => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}
