//! Text → a tree of nodes with their places. Every scalar stays the text that was written.

mod syntax;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};

use super::node::{Node, Place, Value};

/// A larger text is refused before it is read.
const MAX_BYTES: usize = 8 << 20;

/// What is wrong with a text that is not even YAML.
#[derive(Debug)]
pub struct Malformed {
    /// Where.
    pub at: Place,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// The tree of the one document that `text` holds.
///
/// Depth, size, anchors and aliases are bounded; duplicate keys are kept, for the reader to report.
///
/// # Errors
/// Where the text is no such document.
pub fn parse(text: &str) -> Result<Node, Box<Malformed>> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than the {MAX_BYTES} that are read", text.len());
        return Err(Box::new(Malformed {
            at: Place::START,
            message,
            help: Some("split it into several files".to_owned()),
        }));
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => Ok(raw.into_node(text)),
        Err(error) => Err(Box::new(malformed(text, &error))),
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 48,
            flow_nesting_limit: 48,
            max_documents: 1,
            max_nodes: 4_000_000,
            max_events: 8_000_000,
            max_anchors: 256,
            max_aliases: 4096,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn malformed(text: &str, error: &serde_saphyr::Error) -> Malformed {
    let at = error.location().map_or(Place::START, |location| place(&location));
    let message = error.without_snippet().to_string();
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    syntax::explain(text, at, &message)
}

fn place(location: &Location) -> Place {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        line: number(location.line()).max(1),
        column: number(location.column()).max(1),
        width: number(location.span().len()),
    }
}

/// What serde sees of a node before its scalars are turned back into the text that was written.
enum Raw {
    /// Resolved to null, a boolean or a number: the text of the source counts.
    Plain,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

trait IntoNode {
    fn into_node(self, source: &str) -> Node;
}

impl IntoNode for Spanned<Raw> {
    fn into_node(self, source: &str) -> Node {
        let at = place(&self.referenced);
        let value = match self.value {
            Raw::Plain => plain(source, &self.defined),
            Raw::Text(text) => Value::Text(text),
            Raw::List(items) => Value::List(items.into_iter().map(|item| item.into_node(source)).collect()),
            Raw::Map(entries) => {
                let both = |(key, value): (Self, Self)| (key.into_node(source), value.into_node(source));
                Value::Map(entries.into_iter().map(both).collect())
            }
        };
        Node { at, value }
    }
}

fn plain(source: &str, defined: &Location) -> Value {
    let span = defined.span();
    let range = span.byte_offset().zip(span.byte_len()).map(|(from, len)| (from, from.saturating_add(len)));
    let written = range.and_then(|(from, to)| source.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?));
    match written {
        None | Some("" | "~") => Value::Empty,
        Some(written) => Value::Text(written.to_owned()),
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a map")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}
