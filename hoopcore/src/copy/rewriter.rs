//! Cuts the bytes of a copy into rows, whatever pieces they come in.

use alloc::vec::Vec;

use super::binary::Binary;
use super::csv::Csv;
use super::text::Text;
use super::{CopyFormat, CsvFormat, TextFormat};
use crate::mask::RowMasker;

/// A longer row is not masked but refused.
const LONGEST: usize = 64 << 20;

/// Why a copy cannot be followed any further: nothing more of it may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A row is longer than 64 MiB.
    TooLong,
    /// The bytes are not in the format that the statement asked for, or a row has another number of cells.
    Malformed,
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a row of the copy is longer than 64 MiB, and cannot be masked",
            Self::Malformed => "the rows of the copy are not in the format that was asked for, and cannot be masked",
        })
    }
}

impl core::error::Error for Broken {}

/// Writes the bytes of a copy anew, row by row. It keeps no more than one row.
#[derive(Debug)]
pub struct Rewriter {
    format: Format,
    columns: usize,
    /// The begin of a row of which the end has not come.
    pending: Vec<u8>,
    /// How much of it was looked at.
    seen: usize,
    /// The next row has names, no values.
    header: bool,
}

#[derive(Debug)]
enum Format {
    Text(Text),
    Csv(Csv),
    Binary(Binary),
}

/// A part of the stream, once it is whole.
pub(super) enum Piece {
    /// So many bytes that go on as they are: a header, a trailer.
    Frame(usize),
    /// So many bytes that are a row.
    Row(usize),
}

impl Rewriter {
    /// For a copy of so many columns.
    #[must_use]
    pub fn new(format: &CopyFormat, columns: usize) -> Self {
        let (header, format) = match format {
            CopyFormat::Text(format @ TextFormat { header, .. }) => (*header, Format::Text(Text::new(format))),
            CopyFormat::Csv(format @ CsvFormat { header, .. }) => (*header, Format::Csv(Csv::new(format))),
            CopyFormat::Binary => (false, Format::Binary(Binary::default())),
        };
        Self { format, columns, pending: Vec::new(), seen: 0, header }
    }

    /// Takes the next bytes, writes the rows that are whole now to `out`, masked, and says how many they are.
    ///
    /// # Errors
    /// Where a row cannot be followed; what was written to `out` is to be dropped.
    pub fn feed(&mut self, bytes: &[u8], masker: &mut RowMasker, out: &mut Vec<u8>) -> Result<usize, Broken> {
        if self.pending.is_empty() {
            let (used, rows) = self.rows(bytes, masker, out)?;
            self.keep(bytes.get(used..).unwrap_or_default())?;
            return Ok(rows);
        }
        self.keep(bytes)?;
        let mut pending = core::mem::take(&mut self.pending);
        let (used, rows) = self.rows(&pending, masker, out)?;
        pending.drain(..used);
        self.pending = pending;
        Ok(rows)
    }

    /// Whether the copy may end here.
    ///
    /// # Errors
    /// Where it is in the middle of a row, or its trailer is missing.
    pub fn end(&self) -> Result<(), Broken> {
        let over = match &self.format {
            Format::Text(_) | Format::Csv(_) => true,
            Format::Binary(binary) => binary.is_over(),
        };
        if over && self.pending.is_empty() { Ok(()) } else { Err(Broken::Malformed) }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if self.pending.len().saturating_add(bytes.len()) > LONGEST.saturating_mul(2) {
            return Err(Broken::TooLong);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes all rows that are whole; how many bytes and how many rows that were.
    fn rows(&mut self, bytes: &[u8], masker: &mut RowMasker, out: &mut Vec<u8>) -> Result<(usize, usize), Broken> {
        let (mut used, mut rows) = (0, 0);
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let Some(piece) = self.next(rest)? else {
                return if rest.len() > LONGEST { Err(Broken::TooLong) } else { Ok((used, rows)) };
            };
            self.seen = 0;
            used += match piece {
                Piece::Frame(length) => {
                    out.extend_from_slice(rest.get(..length).ok_or(Broken::Malformed)?);
                    length
                }
                Piece::Row(length) => {
                    let row = rest.get(..length).filter(|row| row.len() <= LONGEST).ok_or(Broken::TooLong)?;
                    rows += usize::from(!self.header);
                    self.row(row, masker, out)?;
                    length
                }
            };
        }
    }

    /// The next piece, if it is whole. What was looked at is not looked at again.
    fn next(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Broken> {
        let fresh = bytes.get(self.seen..).unwrap_or_default();
        let end = match &mut self.format {
            Format::Text(text) => text.end(fresh),
            Format::Csv(csv) => csv.end(fresh),
            Format::Binary(binary) => return binary.next(bytes),
        };
        let piece = end.map(|end| Piece::Row(self.seen + end));
        self.seen = bytes.len();
        Ok(piece)
    }

    fn row(&mut self, row: &[u8], masker: &mut RowMasker, out: &mut Vec<u8>) -> Result<(), Broken> {
        if core::mem::take(&mut self.header) {
            out.extend_from_slice(row);
            return Ok(());
        }
        let done = match &mut self.format {
            Format::Text(text) => text.row(row, self.columns, masker, out),
            Format::Csv(csv) => csv.row(row, self.columns, masker, out),
            Format::Binary(_) => super::binary::row(row, self.columns, masker, out),
        };
        done.ok_or(Broken::Malformed)
    }
}

/// Writes a row anew where cells change; what lies between is copied.
pub(super) struct Writer<'a> {
    row: &'a [u8],
    copied: usize,
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(row: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self { row, copied: 0, out }
    }

    /// Writes something in place of the bytes from `start` to `end`.
    pub(super) fn replace(&mut self, start: usize, end: usize, write: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
        self.out.extend_from_slice(self.row.get(self.copied..start)?);
        write(self.out);
        self.copied = end;
        Some(())
    }

    /// Copies the rest.
    pub(super) fn finish(self) -> Option<()> {
        self.out.extend_from_slice(self.row.get(self.copied..)?);
        Some(())
    }
}
