//! Between rows on the wire and the core's masks: what a result's columns are, and rows written anew.

use std::borrow::Cow;
use std::ops::Range;

use bytes::BytesMut;
use hoopcore::RowMasker;
use hoopcore::copy::CopyOut;
use hoopcore::mask::{Cell, CellFormat, CellType, Column, Layout, Origin, Texts, Width};

use crate::catalog::Catalog;
use crate::charset::Charset;
use crate::frame::HEADER;
use crate::lane::Rewriting;
use crate::message::{Field, Malformed, Reader, RowDescription, write_length, write_value};

/// What masks may add to a row before room is made for it anew, in bytes.
const ROOM: usize = 64;

/// A description longer than this is not kept, in bytes.
const MOST_KEPT: usize = 4096;

/// The layout of rows that the server describes, with what the catalog knows of their origin.
#[must_use]
fn layout(description: &RowDescription<'_>, catalog: &Catalog) -> Layout {
    let columns = description.fields().map(|field| Column {
        name: String::from_utf8_lossy(field.name).into_owned(),
        origin: catalog.origin(field.relation, field.attribute),
        kind: kind(field.kind),
        format: if field.binary { CellFormat::Binary } else { CellFormat::Text },
    });
    Layout { columns: columns.collect() }
}

/// The last layout that was read: drivers have the same statement described again and again.
#[derive(Debug, Default)]
pub(crate) struct LastLayout {
    body: Option<Box<[u8]>>,
    layout: Layout,
}

impl LastLayout {
    /// The layout of rows that this body (`T`) describes.
    ///
    /// # Errors
    /// Where the body is malformed.
    pub(crate) fn read(&mut self, body: &[u8], catalog: &Catalog) -> Result<&Layout, Malformed> {
        if self.body.as_deref() != Some(body) {
            self.layout = layout(&RowDescription::read(body)?, catalog);
            self.body = (body.len() <= MOST_KEPT).then(|| body.into());
        }
        Ok(&self.layout)
    }

    /// The catalog is another one now.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The layout of what a work copies, of which the body (`T`) describes a query with the same columns, and that one's layout.
///
/// # Errors
/// Where the body is malformed.
pub(crate) fn copied(body: &[u8], layout: &Layout, catalog: &Catalog, copy: &CopyOut) -> Result<Layout, Malformed> {
    let description = RowDescription::read(body)?;
    let format = if copy.format.is_binary() { CellFormat::Binary } else { CellFormat::Text };
    let is_left_out =
        |field: &Field<'_>| copy.without_generated && catalog.is_generated(field.relation, field.attribute);
    let kept = description.fields().zip(&layout.columns).filter(|(field, _)| !is_left_out(field));
    Ok(Layout { columns: kept.map(|(_, column)| Column { format, ..column.clone() }).collect() })
}

/// Whether a column comes from a relation that the catalog does not know.
#[must_use]
pub(crate) fn names_unknown(layout: &Layout) -> bool {
    layout.columns.iter().any(|column| column.origin == Origin::Unknown)
}

/// What a type can carry, by its OID in `pg_type.dat`. A domain is described by the type under it.
fn kind(oid: u32) -> CellType {
    match oid {
        // "char", name, text, unknown, bpchar, varchar
        18 | 19 | 25 | 705 | 1042 | 1043 => CellType::Text,
        20 => CellType::Integer(Width::Eight),
        21 => CellType::Integer(Width::Two),
        23 => CellType::Integer(Width::Four),
        2950 => CellType::Uuid,
        1082 => CellType::Date,
        // timestamp, timestamptz
        1114 | 1184 => CellType::Timestamp,
        // bool, oid, tid, xid, cid, float4, float8, money, time, interval, timetz, bit, varbit, numeric
        16 | 26 | 27 | 28 | 29 | 700 | 701 | 790 | 1083 | 1186 | 1266 | 1560 | 1562 | 1700 => CellType::Scalar,
        // json, jsonb
        114 | 3802 => CellType::Json,
        _ => CellType::Other,
    }
}

/// Writes the row (`D`) of this body anew where a mask changes a cell, behind what goes on before it; and says how long
/// the new row is, where there is one. `charset` is how its texts are written.
///
/// # Errors
/// Where the row is malformed or has another number of cells than was described; what was written is to be dropped.
pub(crate) fn mask(
    frame: &mut Rewriting<'_>,
    masker: &mut RowMasker,
    columns: usize,
    charset: Charset,
) -> Result<Option<usize>, Malformed> {
    let mut reader = Reader::new(frame.body);
    if reader.count()? != columns {
        return Err(Malformed);
    }
    let watching = masker.is_watching();
    let length = frame.body.len();
    let mut row = Row::over(frame);
    for index in 0..columns {
        let at = length - reader.left();
        let value = reader.value()?;
        if masker.passes(index) {
            continue;
        }
        let place = at..length - reader.left();
        if charset.is_utf8() {
            row.put(place, masker.cell(index, value))?;
        } else {
            let masked = masked(masker, index, value, charset);
            row.put(place, cell(masked.as_ref().filter(|_| !watching)))?;
        }
    }
    reader.end()?;
    row.end()
}

/// A row that is written anew from the first cell on that changes.
struct Row<'a> {
    before: &'a [u8],
    body: &'a [u8],
    out: &'a mut BytesMut,
    /// Where the new row begins, once it does.
    begun: Option<usize>,
    /// What stands before here in the body was written, or is a cell's old value.
    kept: usize,
}

impl<'a> Row<'a> {
    fn over(frame: &'a mut Rewriting<'_>) -> Self {
        Self { before: frame.before, body: frame.body, out: frame.out, begun: None, kept: 0 }
    }

    /// Puts what a mask leaves of a cell into its place.
    fn put(&mut self, place: Range<usize>, cell: Cell<'_>) -> Result<(), Malformed> {
        let value = match cell {
            Cell::Pass => return Ok(()),
            Cell::Null => None,
            Cell::Replace(bytes) => Some(bytes),
        };
        if self.begun.is_none() {
            self.out.reserve(self.before.len() + HEADER + self.body.len() + ROOM);
            self.out.extend_from_slice(self.before);
            self.begun = Some(self.out.len());
            self.out.extend_from_slice(&[b'D', 0, 0, 0, 0]);
        }
        self.out.extend_from_slice(self.body.get(self.kept..place.start).ok_or(Malformed)?);
        write_value(self.out, value);
        self.kept = place.end;
        Ok(())
    }

    /// How long the new row is, where there is one.
    fn end(self) -> Result<Option<usize>, Malformed> {
        let Some(begun) = self.begun else { return Ok(None) };
        self.out.extend_from_slice(self.body.get(self.kept..).ok_or(Malformed)?);
        write_length(self.out, begun);
        Ok(Some(self.out.len() - begun))
    }
}

fn cell<'a>(masked: Option<&'a Option<Cow<'_, [u8]>>>) -> Cell<'a> {
    match masked {
        None => Cell::Pass,
        Some(None) => Cell::Null,
        Some(Some(bytes)) => Cell::Replace(bytes),
    }
}

/// What stands for a cell in an encoding other than UTF-8, where it is not the cell itself: bytes, or NULL. A text is read
/// and written in its encoding; one that cannot be read, or whose mask cannot be written, becomes NULL.
fn masked<'a>(
    masker: &'a mut RowMasker,
    index: usize,
    value: Option<&[u8]>,
    charset: Charset,
) -> Option<Option<Cow<'a, [u8]>>> {
    match (value, masker.texts(index)) {
        (Some(text), Texts::Whole) => masked_text(masker, index, text, charset),
        (Some(value), Texts::Within) if hides_text(masker, index, value, charset) => Some(None),
        (Some(_), Texts::Within) => None,
        (Some(_), Texts::Nowhere) | (None, _) => match masker.cell(index, value) {
            Cell::Pass => None,
            Cell::Null => Some(None),
            Cell::Replace(bytes) => Some(Some(Cow::Borrowed(bytes))),
        },
    }
}

fn masked_text<'a>(
    masker: &'a mut RowMasker,
    index: usize,
    text: &[u8],
    charset: Charset,
) -> Option<Option<Cow<'a, [u8]>>> {
    let Some(text) = charset.decode(text) else {
        masker.hide();
        return Some(None);
    };
    match masker.cell(index, Some(text.as_bytes())) {
        Cell::Pass => None,
        Cell::Null => Some(None),
        Cell::Replace(bytes) => Some(core::str::from_utf8(bytes).ok().and_then(|text| charset.encode(text))),
    }
}

/// Whether a value with texts somewhere within it becomes NULL: a mask acts on it as it stands, or on what can be read of it.
fn hides_text(masker: &mut RowMasker, index: usize, value: &[u8], charset: Charset) -> bool {
    if masker.masks(index, Some(value)) {
        return true;
    }
    if value.is_ascii() {
        return false;
    }
    let Some(read) = charset.skim(value) else {
        masker.hide();
        return true;
    };
    masker.masks(index, Some(read.as_bytes()))
}

/// Counts what masks would make of the row (`D`) of this body, where the policy is only watched.
///
/// # Errors
/// Where they could not be made to act on it: why.
pub(crate) fn watch(body: &[u8], masker: &mut RowMasker, columns: usize, charset: Charset) -> Result<(), &'static str> {
    let mut row = Rewriting { before: &[], body, out: &mut BytesMut::new() };
    mask(&mut row, masker, columns, charset).map(drop).map_err(|_| "a row is not as the server described it")
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use hoopcore::decision::Outcome;
    use hoopcore::{Call, Command, Identity, Passage, Policy, Request, Resource, SessionFacts, Timestamp, Verified};

    use super::*;
    use crate::message::frame;

    const POLICY: &str = "
hoop: 1
rules:
  - rule: read
    who: anyone
    on: db
    allow: { sql: ['*', unknown] }
  - rule: hide
    who: anyone
    on: db
    mask: { detect: { email: redact } }
";

    fn passage() -> Passage {
        let policy = Policy::from_yaml(POLICY).unwrap();
        let who = Verified::vouched(Identity::named("u"), "test");
        let (command, facts) = (Command::sql("SELECT 1"), SessionFacts::default());
        let now = Timestamp::from_str("2026-01-01T00:00:00Z").unwrap();
        let call = Call::new(&command, &facts, now);
        let decision = policy.evaluate(&Request { who: &who, on: &Resource::postgres("db"), call });
        match decision.record(|_| Ok::<_, String>(())) {
            Outcome::Allow(permit) => permit.spend(),
            other => panic!("{other:?}"),
        }
    }

    fn described(kinds: &[u32]) -> Vec<u8> {
        let mut out = BytesMut::new();
        frame(&mut out, b'T', |body| {
            body.i16(i16::try_from(kinds.len()).unwrap());
            for kind in kinds {
                body.text(b"c");
                body.i32(0);
                body.i16(0);
                body.i32(i32::try_from(*kind).unwrap());
                body.bytes(&[0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0]);
            }
        });
        out[HEADER..].to_vec()
    }

    fn row(cells: &[Option<&str>]) -> Vec<u8> {
        let mut out = BytesMut::new();
        frame(&mut out, b'D', |body| {
            body.i16(i16::try_from(cells.len()).unwrap());
            cells.iter().for_each(|cell| body.value(cell.map(str::as_bytes)));
        });
        out.to_vec()
    }

    #[track_caller]
    fn check(cells: &[Option<&str>], expected: Option<&[Option<&str>]>) {
        let description = described(&[25, 23, 25]);
        let layout = layout(&RowDescription::read(&description).unwrap(), &Catalog::default());
        let mut out = BytesMut::new();
        let mut frame = Rewriting { before: b"before", body: &row(cells)[HEADER..], out: &mut out };
        let length = mask(&mut frame, &mut passage().rows(&layout), 3, Charset::UTF8).unwrap();
        let expected = expected.map(row);
        assert_eq!(length, expected.as_ref().map(Vec::len));
        assert_eq!(out.to_vec(), expected.map(|row| [b"before", row.as_slice()].concat()).unwrap_or_default());
    }

    #[test]
    fn a_row_is_written_anew_only_where_a_cell_changes() {
        check(&[Some("a"), Some("1"), None], None);
        check(&[Some("a"), None, Some("b@x.org")], Some(&[Some("a"), None, Some("[redacted]")]));
        check(&[Some("b@x.org"), Some("7"), None], Some(&[Some("[redacted]"), Some("7"), None]));
    }

    #[test]
    fn a_text_is_masked_in_its_encoding() {
        let check = |client: &str, cell: &[u8], expected: Option<Option<&[u8]>>| {
            let description = described(&[25]);
            let layout = layout(&RowDescription::read(&description).unwrap(), &Catalog::default());
            let mut masker = passage().rows(&layout);
            let masked = masked(&mut masker, 0, Some(cell), Charset::named(client, "UTF8"));
            assert_eq!(masked.as_ref().map(Option::as_deref), expected, "{client} {cell:?}");
        };
        check("LATIN1", b"caf\xe9", None);
        check("LATIN1", b"caf\xe9 b@x.org", Some(Some(b"caf\xe9 [redacted]")));
        check("SJIS", b"\x83\x5c b@x.org", Some(Some(b"\x83\x5c [redacted]")));
        check("SJIS", b"\x83", Some(None));
        check("BIG5", b"\xa4\xa4", Some(None));
        check("BIG5", b"plain", None);
        check("BIG5", b"b@x.org", Some(Some(b"[redacted]")));
        // JIS X 0212 is read, and not written.
        check("EUC_JP", b"\x8f\xb0\xa1", None);
        check("EUC_JP", b"\x8f\xb0\xa1 b@x.org", Some(None));
    }

    #[test]
    fn a_text_within_a_value_is_found_in_its_encoding() {
        let check = |client: &str, cell: &[u8], hidden: bool| {
            // An array of texts in binary form.
            let columns = vec![Column {
                name: String::from("c"),
                origin: Origin::Clean,
                kind: CellType::Other,
                format: CellFormat::Binary,
            }];
            let mut masker = passage().rows(&Layout { columns });
            let masked = masked(&mut masker, 0, Some(cell), Charset::named(client, "UTF8"));
            assert_eq!(masked.is_some(), hidden, "{client} {cell:?}");
        };
        check("LATIN1", b"\0\x03\xf1\0plain", false);
        check("LATIN1", b"\0\x03\xf1\0b@x.org", true);
        check("LATIN1", b"\0\x03\xf1\0zo\xeb@x.org", true);
        check("EUC_JP", b"\0\x03\xf1\0 \xa4\xa2@x.org", true);
        check("SJIS", b"\0\x03\xff\0plain", false);
        check("BIG5", b"\0\0\0plain", false);
        check("BIG5", b"\0\x03\xf1\0plain", true);
    }

    #[test]
    fn a_row_unlike_its_description_is_refused() {
        let description = described(&[25]);
        let layout = layout(&RowDescription::read(&description).unwrap(), &Catalog::default());
        for body in [&b"\0\x02\0\0\0\0\0\0\0\0"[..], b"\0\0", b"\0\x01\0\0\0\x02a", b"\0\x01\0\0\0\x01ab", b""] {
            let mut frame = Rewriting { before: b"", body, out: &mut BytesMut::new() };
            let masked = mask(&mut frame, &mut passage().rows(&layout), 1, Charset::UTF8);
            assert_eq!(masked, Err(Malformed), "{body:?}");
        }
    }
}
