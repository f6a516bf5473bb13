//! Paths into JSON: a subset of [RFC 9535](https://www.rfc-editor.org/rfc/rfc9535).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// A longer path is refused, in segments.
const MOST_SEGMENTS: usize = 32;

/// A path into JSON: `$.a`, `$['a']`, `$[0]`, `$[*]`, `$..a`, `$..[*]`, and lists of these in brackets.
///
/// ```
/// use hoopcore::mask::JsonPath;
///
/// assert!(JsonPath::parse("$.people[*]['first name']").is_ok());
/// assert_eq!(JsonPath::parse("$[-1]"), Err("an index counts from the begin: `[0]` is the first"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JsonPath {
    text: Arc<str>,
    pub(super) segments: Box<[Segment]>,
}

/// One step of a path: to children, or to all descendants.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Segment {
    pub(super) descends: bool,
    selectors: Box<[Selector]>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Selector {
    Name(String),
    Index(usize),
    All,
}

/// A value within another one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    Name(&'a str),
    Index(usize),
}

impl Segment {
    /// Whether it selects the child.
    pub(super) fn selects(&self, key: Key<'_>) -> bool {
        self.selectors.iter().any(|selector| match (selector, key) {
            (Selector::All, _) => true,
            (Selector::Name(name), Key::Name(key)) => name == key,
            (Selector::Index(index), Key::Index(key)) => *index == key,
            (Selector::Name(_), Key::Index(_)) | (Selector::Index(_), Key::Name(_)) => false,
        })
    }
}

impl fmt::Debug for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const UNENDED: &str = "a bracket is not closed";
const NO_NAME: &str = "a name without brackets has letters, digits and `_`; write `['…']` around others";

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Where it is none, or uses what is not supported: why, with what to write.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut rest = text.strip_prefix('$').ok_or("begin it with `$`, the whole document")?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            if segments.len() >= MOST_SEGMENTS {
                return Err("it has more than 32 steps");
            }
            let (segment, after) = segment(rest)?;
            segments.push(segment);
            rest = after;
        }
        Ok(Self { text: text.into(), segments: segments.into() })
    }
}

/// `.name`, `.*`, `[…]`, `..name`, `..*`, `..[…]`.
fn segment(text: &str) -> Result<(Segment, &str), &'static str> {
    let (descends, rest) = match text.strip_prefix("..") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (selectors, rest) = match (descends, rest.strip_prefix('[')) {
        (_, Some(list)) => bracketed(list)?,
        (true, None) => named(rest)?,
        (false, None) => named(rest.strip_prefix('.').ok_or("a step begins with `.`, `..` or `[`")?)?,
    };
    Ok((Segment { descends, selectors: selectors.into() }, rest))
}

/// `name` or `*`.
fn named(text: &str) -> Result<(Vec<Selector>, &str), &'static str> {
    if let Some(rest) = text.strip_prefix('*') {
        return Ok((Vec::from([Selector::All]), rest));
    }
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii();
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).ok_or(NO_NAME)?;
    let begins = name.chars().next().is_some_and(|first| !first.is_ascii_digit());
    let ends = rest.is_empty() || rest.starts_with(['.', '[']);
    if !begins || !ends {
        return Err(NO_NAME);
    }
    Ok((Vec::from([Selector::Name(name.into())]), rest))
}

/// `'name'`, `"name"`, `0`, `*`, or several with commas between them, behind the bracket.
fn bracketed(text: &str) -> Result<(Vec<Selector>, &str), &'static str> {
    let mut selectors = Vec::new();
    let mut rest = text;
    loop {
        let (selector, after) = selector(rest.trim_start())?;
        selectors.push(selector);
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(']') {
            return Ok((selectors, after));
        }
        rest = rest.strip_prefix(',').ok_or(if rest.starts_with(':') { NO_SLICE } else { UNENDED })?;
    }
}

const NO_SLICE: &str = "slices are not supported; write `[*]`, or single indices";

fn selector(text: &str) -> Result<(Selector, &str), &'static str> {
    let first = text.chars().next().ok_or(UNENDED)?;
    match first {
        '*' => Ok((Selector::All, text.strip_prefix('*').unwrap_or_default())),
        '\'' | '"' => quoted(text, first),
        '?' => Err("filters are not supported; name what is to be hidden"),
        ':' => Err(NO_SLICE),
        '-' => Err("an index counts from the begin: `[0]` is the first"),
        '0'..='9' => {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let (number, rest) = text.split_at_checked(end).ok_or(UNENDED)?;
            let leads = number.len() > 1 && number.starts_with('0');
            let index = number.parse().ok().filter(|_| !leads).ok_or("that is no index")?;
            Ok((Selector::Index(index), rest))
        }
        _ => Err("brackets hold `'name'`, an index, or `*`"),
    }
}

/// A name between quotes, with the escapes of JSON and of the quote.
fn quoted(text: &str, quote: char) -> Result<(Selector, &str), &'static str> {
    let mut name = String::new();
    let mut escaped = false;
    let inside = text.get(1..).unwrap_or_default();
    for (at, c) in inside.char_indices() {
        if escaped {
            escaped = false;
            if c != quote || quote == '"' {
                name.push('\\');
            }
            name.push(c);
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            let name = super::walk::decoded(name.as_bytes()).ok_or("the name has an escape that JSON does not have")?;
            return Ok((Selector::Name(name.into_owned()), inside.get(at + 1..).unwrap_or_default()));
        } else if c < ' ' {
            return Err("the name has a control character");
        } else {
            name.push(c);
        }
    }
    Err("the quotes are not closed")
}
