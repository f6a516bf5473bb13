//! Comma-separated values: a row may go over several lines, within quotes.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use memchr::memchr2;

use super::CsvFormat;
use super::rewriter::Writer;
use crate::mask::{Cell, RowMasker};

#[derive(Debug)]
pub(super) struct Csv {
    format: CsvFormat,
    place: Place,
}

/// Where a byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Outside of quotes.
    #[default]
    Outside,
    /// Within quotes.
    Inside,
    /// Within quotes, behind an escape.
    Escaped,
}

/// A cell as it stands in a row.
struct Raw<'a> {
    bytes: &'a [u8],
    quoted: bool,
}

impl Csv {
    pub(super) fn new(format: &CsvFormat) -> Self {
        Self { format: format.clone(), place: Place::Outside }
    }

    /// Where the row ends, behind its newline, if it ends in these bytes.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            at += self.special(bytes.get(at..)?)?;
            let byte = *bytes.get(at)?;
            at += 1;
            if byte == b'\n' && self.place == Place::Outside {
                return Some(at);
            }
            self.place = self.after(self.place, byte);
        }
    }

    /// The next byte that may change the place, or end something.
    fn special(&self, bytes: &[u8]) -> Option<usize> {
        match self.place {
            Place::Outside => memchr2(b'\n', self.format.quote, bytes),
            Place::Inside => memchr2(self.format.quote, self.format.escape, bytes),
            Place::Escaped => (!bytes.is_empty()).then_some(0),
        }
    }

    /// Where the byte after this one stands. A quote that is doubled leaves and enters quotes at once.
    fn after(&self, place: Place, byte: u8) -> Place {
        let CsvFormat { quote, escape, .. } = self.format;
        match place {
            Place::Outside if byte == quote => Place::Inside,
            Place::Outside => Place::Outside,
            Place::Inside if byte == quote => Place::Outside,
            Place::Inside if byte == escape => Place::Escaped,
            Place::Inside | Place::Escaped => Place::Inside,
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
            let raw = Raw { bytes: rest.get(..length)?, quoted: rest.first() == Some(&self.format.quote) };
            if !masker.passes(index) {
                self.cell(index, &raw, (start, columns), masker, &mut writer)?;
            }
            start += length + 1;
        }
        let whole = if columns == 0 { line.is_empty() } else { start == line.len() + 1 };
        whole.then(|| writer.finish())?
    }

    fn cell_length(&self, rest: &[u8]) -> usize {
        let mut place = Place::Outside;
        for (at, byte) in rest.iter().enumerate() {
            if place == Place::Outside && *byte == self.format.delimiter {
                return at;
            }
            place = self.after(place, *byte);
        }
        rest.len()
    }

    fn cell(
        &self,
        index: usize,
        raw: &Raw<'_>,
        (start, columns): (usize, usize),
        masker: &mut RowMasker,
        writer: &mut Writer<'_>,
    ) -> Option<()> {
        let is_null = !raw.quoted && raw.bytes == self.format.null;
        let value = if is_null { None } else { Some(self.unquoted(raw)?) };
        let end = start + raw.bytes.len();
        match masker.cell(index, value.as_deref()) {
            Cell::Pass => Some(()),
            Cell::Null => writer.replace(start, end, |out| out.extend_from_slice(&self.format.null)),
            Cell::Replace(bytes) => {
                let quoted = raw.quoted || self.wants_quotes(bytes, columns);
                writer.replace(start, end, |out| self.write(bytes, quoted, out))
            }
        }
    }

    /// What a cell stands for; `None` where quotes do not stand around all of it.
    fn unquoted<'a>(&self, raw: &Raw<'a>) -> Option<Cow<'a, [u8]>> {
        let CsvFormat { quote, escape, .. } = self.format;
        if !raw.quoted {
            return (!raw.bytes.contains(&quote)).then_some(Cow::Borrowed(raw.bytes));
        }
        let inside = raw.bytes.strip_prefix(&[quote])?.strip_suffix(&[quote])?;
        if memchr2(quote, escape, inside).is_none() {
            return Some(Cow::Borrowed(inside));
        }
        let mut value = Vec::with_capacity(inside.len());
        let mut bytes = inside.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let follows = bytes.peek().is_some_and(|next| *next == quote || *next == escape);
            match byte {
                byte if byte == escape && follows => value.extend(bytes.next()),
                byte if byte == quote => return None,
                byte => value.push(byte),
            }
        }
        Some(Cow::Owned(value))
    }

    /// Whether PostgreSQL puts quotes around a value (`CopyAttributeOutCSV`).
    fn wants_quotes(&self, value: &[u8], columns: usize) -> bool {
        let CsvFormat { delimiter, quote, null, .. } = &self.format;
        let special = |byte: &u8| byte == delimiter || byte == quote || matches!(byte, b'\n' | b'\r');
        value == null || columns == 1 && value == b"\\." || value.iter().any(special)
    }

    fn write(&self, value: &[u8], quoted: bool, out: &mut Vec<u8>) {
        let CsvFormat { quote, escape, .. } = self.format;
        if !quoted {
            return out.extend_from_slice(value);
        }
        out.push(quote);
        for byte in value {
            if *byte == quote || *byte == escape {
                out.push(escape);
            }
            out.push(*byte);
        }
        out.push(quote);
    }
}
