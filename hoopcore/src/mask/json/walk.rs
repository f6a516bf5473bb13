//! Walks through a document and replaces what paths select. It keeps a frame for each open bracket, and nothing else.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::str;

use memchr::{memchr, memchr2};

use super::JsonMask;
use super::path::Key;
use crate::mask::Style;
use crate::mask::rewrite::escape;

/// A document nested deeper is hidden as a whole.
const DEEPEST: usize = 512;

/// A mask, and how many steps of its path were taken to come here.
type Progress = (usize, usize);

/// Writes the document anew, which begins at `at`, and says whether something was replaced; `None` where it cannot be
/// followed.
pub(super) fn mask(masks: &[JsonMask], document: &[u8], at: usize, out: &mut Vec<u8>) -> Option<bool> {
    let mut walk = Walk { masks, document, at, copied: 0, open: Vec::new(), hidden: None, out };
    walk.document()?;
    let changed = walk.copied > 0;
    walk.out.extend_from_slice(document.get(walk.copied..)?);
    Some(changed)
}

struct Walk<'a> {
    masks: &'a [JsonMask],
    document: &'a [u8],
    at: usize,
    /// How much of the document was written.
    copied: usize,
    /// The brackets that are open here.
    open: Vec<Frame>,
    /// One of them of which all is replaced.
    hidden: Option<Hidden>,
    out: &'a mut Vec<u8>,
}

/// An open bracket.
struct Frame {
    is_object: bool,
    progress: Vec<Progress>,
    /// The index of the value at hand.
    index: usize,
}

struct Hidden {
    start: usize,
    depth: usize,
    style: Style,
}

/// Where the walk goes on.
enum Next {
    /// With a value, to which this progress was made.
    Value(Vec<Progress>),
    /// Behind a value.
    Behind,
    End,
}

impl<'a> Walk<'a> {
    fn document(&mut self) -> Option<()> {
        let mut next = Next::Value((0..self.masks.len()).map(|mask| (mask, 0)).collect());
        loop {
            next = match next {
                Next::Value(progress) => self.value(progress)?,
                Next::Behind => self.behind()?,
                Next::End => return Some(()),
            };
        }
    }

    /// Reads a value; of one in brackets the bracket.
    fn value(&mut self, progress: Vec<Progress>) -> Option<Next> {
        self.space();
        let (start, style) = (self.at, self.style(&progress));
        match self.peek()? {
            bracket @ (b'{' | b'[') => return self.opens(bracket == b'{', progress, style),
            b'"' => {
                let raw = self.string()?;
                if let Some(style) = style {
                    self.replace(start, &style, Some(&decoded(raw)?))?;
                }
            }
            _ => {
                let bare = self.bare()?;
                if let Some(style) = style.filter(|_| bare != "null") {
                    self.replace(start, &style, Some(bare).filter(|bare| !matches!(*bare, "true" | "false")))?;
                }
            }
        }
        Some(Next::Behind)
    }

    fn opens(&mut self, is_object: bool, progress: Vec<Progress>, style: Option<Style>) -> Option<Next> {
        let depth = self.open.len();
        (depth < DEEPEST).then_some(())?;
        let hides = style.map(|style| Hidden { start: self.at, depth, style });
        let progress = if hides.is_some() { Vec::new() } else { progress };
        self.hidden = self.hidden.take().or(hides);
        self.at += 1;
        self.open.push(Frame { is_object, progress, index: 0 });
        self.space();
        if self.peek()? == closing(is_object) { Some(Next::Behind) } else { self.child() }
    }

    /// Goes on to the value at hand of the innermost bracket, past its name.
    fn child(&mut self) -> Option<Next> {
        let (is_object, index) = self.open.last().map(|frame| (frame.is_object, frame.index))?;
        if !is_object {
            return self.step(Key::Index(index));
        }
        self.space();
        let raw = self.string()?;
        self.space();
        self.eat(b':')?;
        let is_asked = self.open.last().is_some_and(|frame| !frame.progress.is_empty());
        if !is_asked {
            return Some(Next::Value(Vec::new()));
        }
        self.step(Key::Name(&decoded(raw)?))
    }

    /// What progress paths make to a child of the innermost bracket.
    fn step(&self, key: Key<'_>) -> Option<Next> {
        let mut progress: Vec<Progress> = Vec::new();
        let mut add = |one: Progress| {
            if !progress.contains(&one) {
                progress.push(one);
            }
        };
        for (mask, steps) in &self.open.last()?.progress {
            let Some(segment) = self.masks.get(*mask)?.path.segments.get(*steps) else { continue };
            if segment.selects(key) {
                add((*mask, steps + 1));
            }
            if segment.descends {
                add((*mask, *steps));
            }
        }
        Some(Next::Value(progress))
    }

    /// The strictest style of the paths that end here.
    fn style(&self, progress: &[Progress]) -> Option<Style> {
        let ends = progress.iter().filter_map(|(mask, steps)| {
            let mask = self.masks.get(*mask)?;
            (mask.path.segments.len() == *steps).then_some(&mask.style)
        });
        Style::strictest(ends)
    }

    /// Goes on behind a value: to the next one, out of a bracket, or to the end.
    fn behind(&mut self) -> Option<Next> {
        self.space();
        let Some(frame) = self.open.last_mut() else {
            return (self.at == self.document.len()).then_some(Next::End);
        };
        match self.document.get(self.at)? {
            b',' => {
                frame.index += 1;
                self.at += 1;
                self.child()
            }
            end if *end == closing(frame.is_object) => {
                self.at += 1;
                self.open.pop();
                self.closed()?;
                Some(Next::Behind)
            }
            _ => None,
        }
    }

    /// A bracket was closed: all of it may be hidden.
    fn closed(&mut self) -> Option<()> {
        match self.hidden.take() {
            Some(Hidden { start, depth, style }) if depth == self.open.len() => self.replace(start, &style, None),
            hidden => {
                self.hidden = hidden;
                Some(())
            }
        }
    }

    /// Puts what the style leaves in place of what was read since `start`; `text` is its text, where it has one.
    fn replace(&mut self, start: usize, style: &Style, text: Option<&str>) -> Option<()> {
        self.out.extend_from_slice(self.document.get(self.copied..start)?);
        self.copied = self.at;
        let mut left = Vec::new();
        let style = match (style, text) {
            (Style::Partial { .. } | Style::Pseudonym(_), None) => &Style::Redact,
            (style, _) => style,
        };
        if style.write(text.unwrap_or_default().as_bytes(), &mut left).is_none() {
            self.out.extend_from_slice(b"null");
            return Some(());
        }
        self.out.push(b'"');
        escape(str::from_utf8(&left).ok()?, self.out);
        self.out.push(b'"');
        Some(())
    }

    fn peek(&self) -> Option<u8> {
        self.document.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then_some(())?;
        self.at += 1;
        Some(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads a string; what is between its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.eat(b'"')?;
        let start = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', self.document.get(self.at..)?)?;
            if self.peek()? == b'"' {
                self.at += 1;
                return self.document.get(start..self.at - 1);
            }
            self.at += 2;
        }
    }

    /// Reads a number, or one of the three words.
    fn bare(&mut self) -> Option<&'a str> {
        let start = self.at;
        while let Some(b'a'..=b'z' | b'0'..=b'9' | b'-' | b'+' | b'.' | b'E') = self.peek() {
            self.at += 1;
        }
        let bare = str::from_utf8(self.document.get(start..self.at)?).ok()?;
        let is_number = bare.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        (is_number || matches!(bare, "true" | "false" | "null")).then_some(bare)
    }
}

fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// What a string stands for; `None` where it is not UTF-8, or an escape stands for no character.
pub(super) fn decoded(raw: &[u8]) -> Option<Cow<'_, str>> {
    let raw = str::from_utf8(raw).ok()?;
    if memchr(b'\\', raw.as_bytes()).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let (meant, behind) = escaped(after)?;
        text.push(meant);
        rest = behind;
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// What stands behind a backslash.
fn escaped(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let meant = match chars.next()? {
        plain @ ('"' | '\\' | '/') => plain,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode(chars.as_str()),
        _ => return None,
    };
    Some((meant, chars.as_str()))
}

/// Four hexadecimal digits, or two times four where they are a pair.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (first, rest) = digits(text)?;
    if let Some(meant) = char::from_u32(first) {
        return Some((meant, rest));
    }
    let (second, rest) = digits(rest.strip_prefix("\\u")?)?;
    let is_pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
    let meant = is_pair.then(|| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)))??;
    Some((meant, rest))
}

fn digits(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = all.then(|| u32::from_str_radix(digits, 16).ok())??;
    Some((number, rest))
}
