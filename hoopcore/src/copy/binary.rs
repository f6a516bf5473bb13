//! The binary format: a header, rows of cells with their lengths, a trailer.

use alloc::vec::Vec;

use super::rewriter::{Broken, Piece, Writer};
use crate::mask::{Cell, RowMasker};

/// What every binary copy begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// The longest extension of the header that is passed on.
const LONGEST_EXTENSION: usize = 1 << 16;

/// How far a binary copy has come.
#[derive(Debug, Default)]
pub(super) enum Binary {
    #[default]
    Header,
    Rows,
    Over,
}

impl Binary {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// The next piece, if it is whole.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Broken> {
        match self {
            Self::Header => {
                let piece = header(bytes)?;
                if piece.is_some() {
                    *self = Self::Rows;
                }
                Ok(piece.map(Piece::Frame))
            }
            Self::Rows if bytes.starts_with(&[0xff, 0xff]) => {
                *self = Self::Over;
                Ok(Some(Piece::Frame(2)))
            }
            Self::Rows => row_length(bytes).map(|length| length.map(Piece::Row)),
            Self::Over if bytes.is_empty() => Ok(None),
            Self::Over => Err(Broken::Malformed),
        }
    }
}

/// The length of the header: its signature, flags of which none is known, an extension.
fn header(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let begun = SIGNATURE.get(..bytes.len()).unwrap_or(SIGNATURE);
    if !bytes.starts_with(begun) {
        return Err(Broken::Malformed);
    }
    let (Some(flags), Some(extension)) = (long(bytes, SIGNATURE.len()), long(bytes, SIGNATURE.len() + 4)) else {
        return Ok(None);
    };
    let extension = usize::try_from(extension).map_err(|_| Broken::Malformed)?;
    if flags != 0 || extension > LONGEST_EXTENSION {
        return Err(Broken::Malformed);
    }
    let length = SIGNATURE.len() + 8 + extension;
    Ok((bytes.len() >= length).then_some(length))
}

fn long(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().copied().map(i32::from_be_bytes)
}

/// How many cells a row has.
fn count(bytes: &[u8]) -> Option<i16> {
    bytes.first_chunk().copied().map(i16::from_be_bytes)
}

/// The length of a row, once it is whole.
fn row_length(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let Some(cells) = count(bytes) else { return Ok(None) };
    let cells = usize::try_from(cells).map_err(|_| Broken::Malformed)?;
    let mut at = 2_usize;
    for _ in 0..cells {
        let Some(length) = long(bytes, at) else { return Ok(None) };
        at = at.saturating_add(4).saturating_add(value_length(length)?);
    }
    Ok((bytes.len() >= at).then_some(at))
}

/// The bytes of a value, none of NULL.
fn value_length(length: i32) -> Result<usize, Broken> {
    if length == -1 { Ok(0) } else { usize::try_from(length).map_err(|_| Broken::Malformed) }
}

/// Writes a row that is whole; `None` where it has another number of cells.
pub(super) fn row(row: &[u8], columns: usize, masker: &mut RowMasker, out: &mut Vec<u8>) -> Option<()> {
    let cells = count(row).and_then(|cells| usize::try_from(cells).ok());
    if cells != Some(columns) {
        return None;
    }
    let mut writer = Writer::new(row, out);
    let mut at = 2;
    for index in 0..columns {
        let length = long(row, at)?;
        let end = at + 4 + value_length(length).ok()?;
        let value = if length == -1 { None } else { Some(row.get(at + 4..end)?) };
        match masker.cell(index, value) {
            Cell::Pass => {}
            Cell::Null => writer.replace(at, end, |out| out.extend_from_slice(&(-1_i32).to_be_bytes()))?,
            Cell::Replace(bytes) => {
                let length = i32::try_from(bytes.len()).ok()?;
                writer.replace(at, end, |out| {
                    out.extend_from_slice(&length.to_be_bytes());
                    out.extend_from_slice(bytes);
                })?;
            }
        }
        at = end;
    }
    writer.finish()
}
