//! Writes a cell anew, with what detectors found masked.

use alloc::format;
use alloc::vec::Vec;

use memchr::memchr2;

use crate::mask::Style;
use crate::mask::detect::{Scanner, Spot};

/// The form in which a cell holds text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// It is the text.
    Text,
    /// JSON: strings can change, the structure around them cannot.
    Json,
    /// A form that is not taken apart.
    Opaque,
}

/// Writes `cell` with everything masked that the scanner found in it; `None` where only NULL hides it for sure.
pub(crate) fn masked(form: Form, cell: &[u8], scanner: &mut Scanner, out: &mut Vec<u8>) -> Option<()> {
    if scanner.wants_null() {
        return None;
    }
    match form {
        Form::Text => text(cell, scanner.spots(), out),
        Form::Json => json(cell, scanner.spots(), out),
        Form::Opaque => None,
    }
}

fn text<'a>(cell: &[u8], spots: impl Iterator<Item = Spot<'a>>, out: &mut Vec<u8>) -> Option<()> {
    let mut copied = 0;
    for spot in spots {
        out.extend_from_slice(cell.get(copied..spot.start)?);
        spot.style.write(cell.get(spot.start..spot.end)?, out)?;
        copied = spot.end;
    }
    out.extend_from_slice(cell.get(copied..)?);
    Some(())
}

fn json<'a>(cell: &[u8], spots: impl Iterator<Item = Spot<'a>>, out: &mut Vec<u8>) -> Option<()> {
    let mut tokens = Tokens { json: cell, after: 0 };
    let mut writer = Writer { cell, copied: 0, out };
    let mut current = tokens.next()?;
    for spot in spots {
        while let Some(token) = current.filter(|token| token.start < spot.end) {
            if token.end > spot.start {
                writer.mask(&token, &spot)?;
            }
            if token.end > spot.end {
                break;
            }
            current = tokens.next()?;
        }
    }
    writer.out.extend_from_slice(cell.get(writer.copied..)?);
    Some(())
}

/// A value in JSON, or a name: all that is not structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    /// The first byte; of a string, the one after its quote.
    start: usize,
    /// The byte after the last; of a string, its closing quote.
    end: usize,
    is_string: bool,
}

/// Reads the tokens of JSON, without checking the structure around them.
struct Tokens<'a> {
    json: &'a [u8],
    after: usize,
}

impl Tokens<'_> {
    /// The next token, if there is one; `None` where a string never ends.
    #[expect(clippy::option_option, reason = "the outer one is a failure, the inner one the end")]
    fn next(&mut self) -> Option<Option<Token>> {
        let rest = self.json.get(self.after..)?;
        let Some(skipped) = rest.iter().position(|byte| !is_structure(*byte)) else { return Some(None) };
        let first = self.after + skipped;
        if self.json.get(first) == Some(&b'"') {
            let end = string_end(self.json, first + 1)?;
            self.after = end + 1;
            return Some(Some(Token { start: first + 1, end, is_string: true }));
        }
        let bare = self.json.get(first..)?;
        let length = bare.iter().position(|byte| is_structure(*byte) || *byte == b'"').unwrap_or(bare.len());
        self.after = first + length;
        Some(Some(Token { start: first, end: self.after, is_string: false }))
    }
}

/// Where the string that begins at `at` has its closing quote.
fn string_end(json: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', json.get(at..)?)?;
        match json.get(at) {
            Some(b'"') => return Some(at),
            Some(_) => at += 2,
            None => return None,
        }
    }
}

/// Structure, white space, and the version byte of binary `jsonb`.
fn is_structure(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' | 1)
}

/// Writes JSON anew, token by token.
struct Writer<'a> {
    cell: &'a [u8],
    copied: usize,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    /// Masks the part of a token that a spot covers.
    fn mask(&mut self, token: &Token, spot: &Spot<'_>) -> Option<()> {
        let (from, to) = (spot.start.max(token.start), spot.end.min(token.end));
        match token.is_string {
            true if from < to => self.replace(from, to, b"", spot.style),
            false if self.copied <= token.start => {
                // Where two things were found in one number, neither's style is right for all of it.
                let covered = from == token.start && to == token.end;
                self.replace(token.start, token.end, b"\"", if covered { spot.style } else { &Style::Redact })
            }
            true | false => Some(()),
        }
    }

    /// Puts what the style leaves in place of a range, between quotes of the caller's choice.
    fn replace(&mut self, from: usize, to: usize, quote: &[u8], style: &Style) -> Option<()> {
        self.out.extend_from_slice(self.cell.get(self.copied..from)?);
        self.out.extend_from_slice(quote);
        write_in_string(style, self.cell.get(from..to)?, self.out)?;
        self.out.extend_from_slice(quote);
        self.copied = to;
        Some(())
    }
}

/// Writes what a style leaves of a part of a JSON string, as a part of a JSON string.
fn write_in_string(style: &Style, part: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match style {
        Style::Fixed(text) => escape(text, out),
        // The end of an escape alone would mean something else.
        Style::Partial { .. } if part.contains(&b'\\') => Style::Partial { keep: 0 }.write(part, out)?,
        // The letters of an escape must stay what they are.
        Style::Pseudonym(_) if part.contains(&b'\\') => Style::Redact.write(part, out)?,
        Style::Null
        | Style::Redact
        | Style::Pseudonym(_)
        | Style::Shift(_)
        | Style::Partial { .. }
        | Style::Json(_) => style.write(part, out)?,
    }
    Some(())
}

/// Writes a text as a part of a JSON string ([RFC 8259, 7](https://www.rfc-editor.org/rfc/rfc8259#section-7)).
pub(crate) fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}
