//! The text format: a row a line, cells between delimiters, backslashes before what is special.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use memchr::{memchr, memchr2};

use super::TextFormat;
use super::rewriter::Writer;
use crate::mask::{Cell, RowMasker};

/// What stands for NULL where nothing else is asked for. No value is written so.
const NULL: &[u8] = b"\\N";

#[derive(Debug)]
pub(super) struct Text {
    format: TextFormat,
    /// The byte before was a backslash: what comes next is no delimiter.
    escaped: bool,
}

impl Text {
    pub(super) fn new(format: &TextFormat) -> Self {
        Self { format: format.clone(), escaped: false }
    }

    /// Where the row ends, behind its newline, if it ends in these bytes.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.is_empty() {
            return None;
        }
        let mut at = usize::from(core::mem::take(&mut self.escaped));
        loop {
            at += memchr2(b'\n', b'\\', bytes.get(at..)?)?;
            if bytes.get(at) == Some(&b'\n') {
                return Some(at + 1);
            }
            self.escaped = at + 1 == bytes.len();
            at += 2;
        }
    }

    /// Writes a row; `None` where it has another number of cells.
    pub(super) fn row(&self, row: &[u8], columns: usize, masker: &mut RowMasker, out: &mut Vec<u8>) -> Option<()> {
        let line = row.strip_suffix(b"\n")?;
        let mut writer = Writer::new(row, out);
        let mut start = 0;
        for index in 0..columns {
            let rest = line.get(start..)?;
            let length = self.cell_length(rest);
            self.cell(index, rest.get(..length)?, start, masker, &mut writer)?;
            start += length + 1;
        }
        let whole = if columns == 0 { line.is_empty() } else { start == line.len() + 1 };
        whole.then(|| writer.finish())?
    }

    fn cell_length(&self, rest: &[u8]) -> usize {
        let mut at = 0;
        while let Some(found) = rest.get(at..).and_then(|rest| memchr2(self.format.delimiter, b'\\', rest)) {
            at += found;
            if rest.get(at) == Some(&self.format.delimiter) {
                return at;
            }
            at += 2;
        }
        rest.len()
    }

    fn cell(
        &self,
        index: usize,
        raw: &[u8],
        start: usize,
        masker: &mut RowMasker,
        writer: &mut Writer<'_>,
    ) -> Option<()> {
        if masker.passes(index) {
            return Some(());
        }
        // Where a value may be written like NULL it counts as one: who guesses it as `NULL '…'` must not see it spared.
        let is_null = raw == self.format.null && raw == NULL;
        let value = if is_null { None } else { Some(unescaped(raw)) };
        match masker.cell(index, value.as_deref()) {
            Cell::Pass => Some(()),
            Cell::Null => writer.replace(start, start + raw.len(), |out| out.extend_from_slice(&self.format.null)),
            Cell::Replace(bytes) => writer.replace(start, start + raw.len(), |out| self.escape(bytes, out)),
        }
    }

    /// Writes a value as PostgreSQL does (`CopyAttributeOutText`).
    fn escape(&self, value: &[u8], out: &mut Vec<u8>) {
        for byte in value {
            match letter(*byte) {
                Some(letter) => out.extend_from_slice(&[b'\\', letter]),
                None if *byte == b'\\' || *byte == self.format.delimiter => out.extend_from_slice(&[b'\\', *byte]),
                None => out.push(*byte),
            }
        }
    }
}

fn letter(byte: u8) -> Option<u8> {
    Some(match byte {
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x0b => b'v',
        _ => return None,
    })
}

/// What a cell stands for.
fn unescaped(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut value = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        value.push(if byte == b'\\' { bytes.next().map_or(byte, meant) } else { byte });
    }
    Cow::Owned(value)
}

/// What the letter behind a backslash stands for.
fn meant(letter: u8) -> u8 {
    match letter {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        other => other,
    }
}
