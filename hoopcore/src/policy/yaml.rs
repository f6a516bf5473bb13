//! Text → a tree of nodes with their places. Every scalar stays the text that was written.

mod syntax;

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::node::{Node, Place, Value};

/// A larger text is refused before it is read.
const MAX_BYTES: usize = 8 << 20;

/// More lists and maps within each other are refused.
const MAX_DEPTH: usize = 48;

/// More events (a scalar, the begin or end of a list or map) are refused.
const MAX_EVENTS: usize = 4_000_000;

/// More events that aliases stand for, all together, are refused; and more that are kept for them.
const MAX_REPEATED: usize = 100_000;
const MAX_KEPT: usize = 1_000_000;

/// More anchors, and more aliases, are refused.
const MAX_ANCHORS: usize = 256;
const MAX_ALIASES: usize = 4096;

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
pub fn parse(text: &str) -> Result<Node<'_>, Box<Malformed>> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than the {MAX_BYTES} that are read", text.len());
        return Err(Box::new(Malformed {
            at: Place::START,
            message,
            help: Some("split it into several files".to_owned()),
        }));
    }
    Reader::new(text).document()
}

/// Builds nodes from the parser's events.
struct Reader<'t> {
    text: &'t str,
    events: Parser<'t, StrInput<'t>>,
    counted: Counted,
    anchors: BTreeMap<usize, Anchored<'t>>,
}

/// What was met so far.
#[derive(Default)]
struct Counted {
    depth: usize,
    events: usize,
    aliases: usize,
    repeated: usize,
    kept: usize,
}

impl Counted {
    /// How many events there are once aliases are put in.
    fn size(&self) -> usize {
        self.events + self.repeated
    }
}

/// A node that aliases stand for, and its size.
struct Anchored<'t> {
    node: Node<'t>,
    events: usize,
}

type Read<T> = Result<T, Box<Malformed>>;

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        let options = granit_parser::options! { flow_nesting_limit: MAX_DEPTH, emit_comments: false };
        let events = Parser::new_from_str_with_options(text, options);
        Self { text, events, counted: Counted::default(), anchors: BTreeMap::new() }
    }

    /// The one document; a text without any is empty.
    fn document(mut self) -> Read<Node<'t>> {
        let mut document = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(..) if document.is_some() => return Err(self.malformed(&span, "document")),
                Event::DocumentStart(..) | Event::DocumentEnd | Event::StreamStart | Event::StreamEnd => {}
                event => document = Some(self.node(event, &span)?),
            }
        }
        Ok(document.unwrap_or(Node { at: Place::START, value: Value::Empty }))
    }

    fn next(&mut self) -> Read<Option<(Event<'t>, Span)>> {
        let Some(event) = self.events.next() else { return Ok(None) };
        let (event, span) = event.map_err(|error| self.scan_error(&error))?;
        self.counted.events += usize::from(!matches!(event, Event::Alias(_)));
        if self.counted.events > MAX_EVENTS {
            return Err(self.malformed(&span, "limit exceeded"));
        }
        Ok(Some((event, span)))
    }

    fn scan_error(&self, error: &ScanError) -> Box<Malformed> {
        let at = error.marker();
        let at = Place { line: number(at.line()).max(1), column: number(at.col() + 1), width: 1 };
        Box::new(syntax::explain(self.text, at, &error.info()))
    }

    fn malformed(&self, span: &Span, complaint: &str) -> Box<Malformed> {
        Box::new(syntax::explain(self.text, place(span), complaint))
    }

    /// The node that begins with an event. As deep as the text is nested, which is bounded.
    fn node(&mut self, event: Event<'t>, span: &Span) -> Read<Node<'t>> {
        let at = place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.untagged(tag, span)?;
                self.anchored(anchor, span, Node { at, value: scalar(text, style) }, 1)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.untagged(tag, span)?;
                self.collection(anchor, span, Self::list)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.untagged(tag, span)?;
                self.collection(anchor, span, Self::map)
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Err(self.malformed(span, "a value is missing")),
        }
    }

    fn collection(&mut self, anchor: usize, span: &Span, inside: fn(&mut Self) -> Read<Value<'t>>) -> Read<Node<'t>> {
        self.counted.depth += 1;
        if self.counted.depth > MAX_DEPTH {
            return Err(self.malformed(span, "depth"));
        }
        let before = self.counted.size();
        let value = inside(self)?;
        self.counted.depth -= 1;
        let events = self.counted.size() - before + 1;
        self.anchored(anchor, span, Node { at: place(span), value }, events)
    }

    fn list(&mut self) -> Read<Value<'t>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                None | Some((Event::SequenceEnd, _)) => return Ok(Value::List(items)),
                Some((event, span)) => items.push(self.node(event, &span)?),
            }
        }
    }

    /// Keys that repeat are kept: whoever reads the tree reports them.
    fn map(&mut self) -> Read<Value<'t>> {
        // Most maps have one entry.
        let mut entries = Vec::with_capacity(1);
        loop {
            match self.next()? {
                None | Some((Event::MappingEnd, _)) => return Ok(Value::Map(entries)),
                Some((Event::Scalar(text, ScalarStyle::Plain, ..), span)) if text == "<<" => {
                    return Err(self.malformed(&span, "merge key"));
                }
                Some((event, span)) => {
                    let key = self.node(event, &span)?;
                    let Some((event, span)) = self.next()? else { return Ok(Value::Map(entries)) };
                    entries.push((key, self.node(event, &span)?));
                }
            }
        }
    }

    /// A tag would say how a text is to be read: it is read as it was written, or not at all.
    fn untagged(&self, tag: Option<Cow<'_, Tag>>, span: &Span) -> Read<()> {
        if tag.is_none() { Ok(()) } else { Err(self.malformed(&span.tag_span().unwrap_or(*span), "tag")) }
    }

    /// Keeps a node that has an anchor for its aliases.
    fn anchored(&mut self, anchor: usize, span: &Span, node: Node<'t>, events: usize) -> Read<Node<'t>> {
        if anchor == 0 {
            return Ok(node);
        }
        self.counted.kept += events;
        if self.anchors.len() >= MAX_ANCHORS || self.counted.kept > MAX_KEPT {
            return Err(self.malformed(span, "anchors limit"));
        }
        self.anchors.insert(anchor, Anchored { node: node.clone(), events });
        Ok(node)
    }

    /// What an alias stands for, all of it in the alias's place.
    fn alias(&mut self, anchor: usize, span: &Span) -> Read<Node<'t>> {
        let Some(Anchored { node, events }) = self.anchors.get(&anchor) else {
            return Err(self.malformed(span, "an alias inside of what it stands for"));
        };
        self.counted.aliases += 1;
        self.counted.repeated += events;
        if self.counted.aliases > MAX_ALIASES || self.counted.repeated > MAX_REPEATED {
            return Err(self.malformed(span, "aliases"));
        }
        let mut node = node.clone();
        node.set_place(place(span));
        Ok(node)
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value<'_> {
    match (style, &*text) {
        (ScalarStyle::Plain, "" | "~") => Value::Empty,
        (_, _) => Value::Text(text),
    }
}

fn place(span: &Span) -> Place {
    let (line, column) = (span.start.line(), span.start.col() + 1);
    Place { line: number(line).max(1), column: number(column), width: number(span.len()) }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
