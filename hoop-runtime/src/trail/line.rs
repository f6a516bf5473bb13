//! A record as one line of text that no terminal and no log reader can be fooled by.

use std::io;
use std::sync::Arc;

use hoopcore::AuditFailure;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::record::Record;

/// The record as JSON without the line's end. Inside strings only characters that print as themselves stand raw.
pub(crate) fn render(record: &Record) -> Result<Vec<u8>, AuditFailure> {
    let mut line = Vec::with_capacity(1024);
    record.write(&mut line).map_err(|_| AuditFailure::new("a record could not be put into words"))?;
    Ok(line)
}

/// Members of an object as they stand in a record, each with a comma before it.
pub(crate) type Members = Arc<str>;

/// Members that are the same in many records, to be put into them as they are.
pub(crate) fn members(part: &impl Serialize) -> Option<Members> {
    let mut words = Vec::new();
    write_members(part, &mut words).ok()?;
    String::from_utf8(words).ok().map(Arc::from)
}

/// Writes the members of a part behind those that were written before.
pub(crate) fn write_members(part: &impl Serialize, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let begin = out.len();
    write(part, out)?;
    let braces = (out.get(begin).copied(), out.pop());
    match out.get_mut(begin) {
        Some(brace) => *brace = b',',
        None => return Err(serde_json::Error::custom("a part of a record has no members")),
    }
    if out.len() == begin + 1 {
        out.pop();
    }
    match braces {
        (Some(b'{'), Some(b'}')) => Ok(()),
        _ => Err(serde_json::Error::custom("a part of a record has no members")),
    }
}

/// Writes a part as it stands in a record.
pub(crate) fn write(part: &impl Serialize, out: &mut Vec<u8>) -> serde_json::Result<()> {
    part.serialize(&mut Serializer::with_formatter(out, Plain(CompactFormatter)))
}

/// The line with its number and the instance in front.
pub(crate) fn number(line: &[u8], seq: u64, instance: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"seq\":");
    digits(seq, out);
    out.extend_from_slice(b",\"instance\":\"");
    out.extend_from_slice(instance.as_bytes());
    out.extend_from_slice(b"\",");
    out.extend_from_slice(line.get(1..).unwrap_or_default());
    out.push(b'\n');
}

/// Writes a number.
pub(crate) fn digits(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

struct Plain(CompactFormatter);

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.0.write_string_fragment(writer, fragment);
        }
        let mut rest = fragment;
        while let Some((at, deceptive)) = rest.char_indices().find(|(_, c)| is_deceptive(*c)) {
            writer.write_all(rest.get(..at).unwrap_or_default().as_bytes())?;
            for unit in deceptive.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = rest.get(at + deceptive.len_utf8()..).unwrap_or_default();
        }
        self.0.write_string_fragment(writer, rest)
    }
}

/// Characters that move a cursor, hide, or turn the order of what is read: controls (C0 and C1), line and paragraph
/// separators, bidirectional controls, zero-width and invisible ones, tags, and what is no character at all.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e0fff}')
}
