//! What servers send once a session stands.

use super::{Malformed, Reader};

/// The columns of rows that follow (`T`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDescription<'a> {
    count: usize,
    columns: &'a [u8],
}

/// One column, as the server describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name that the client sees.
    pub name: &'a [u8],
    /// The relation that its values come from; zero where there is none.
    pub relation: u32,
    /// The relation's attribute; zero stands for the whole row.
    pub attribute: i16,
    /// The OID of its type.
    pub kind: u32,
    /// Whether its values come in binary form.
    pub binary: bool,
}

impl<'a> RowDescription<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let count = reader.count()?;
        let columns = reader.rest();
        for _ in 0..count {
            field(&mut reader)?;
        }
        reader.end().map(|()| Self { count, columns })
    }

    /// The columns, in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + 'a {
        let mut reader = Reader::new(self.columns);
        (0..self.count).map_while(move |_| field(&mut reader).ok())
    }
}

fn field<'a>(reader: &mut Reader<'a>) -> Result<Field<'a>, Malformed> {
    let name = reader.text()?;
    let (relation, attribute, kind) = (reader.u32()?, reader.i16()?, reader.u32()?);
    let (_size, _modifier) = (reader.i16()?, reader.i32()?);
    let binary = match reader.i16()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed),
    };
    Ok(Field { name, relation, attribute, kind, binary })
}

/// One row (`D`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    count: usize,
    cells: &'a [u8],
}

impl<'a> Row<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let count = reader.count()?;
        let cells = reader.rest();
        for _ in 0..count {
            reader.value()?;
        }
        reader.end().map(|()| Self { count, cells })
    }

    /// How many cells it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Its cells, in order; `None` is NULL.
    pub fn cells(&self) -> impl Iterator<Item = Option<&'a [u8]>> + 'a {
        let mut reader = Reader::new(self.cells);
        (0..self.count).map_while(move |_| reader.value().ok())
    }
}

/// How a statement ended (`C`): its command tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandTag<'a>(&'a [u8]);

impl<'a> CommandTag<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let tag = reader.text()?;
        reader.end().map(|()| Self(tag))
    }

    /// Whether a transaction, or a part of it, was undone.
    #[must_use]
    pub fn is_rollback(&self) -> bool {
        self.0.starts_with(b"ROLLBACK")
    }

    /// Whether a transaction, or a part of it, ended.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.is_rollback() || self.0.starts_with(b"COMMIT") || self.0.starts_with(b"PREPARE TRANSACTION")
    }

    /// The rows that it counts: `SELECT 5`, `INSERT 0 5`, `COPY 5`. Tags without a number count none.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let last = self.0.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        core::str::from_utf8(last).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

/// Where the session's transaction stands (`Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In no transaction.
    Idle,
    /// In a transaction.
    Open,
    /// In a transaction that failed.
    Failed,
}

impl Status {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        match body {
            b"I" => Ok(Self::Idle),
            b"T" => Ok(Self::Open),
            b"E" => Ok(Self::Failed),
            _ => Err(Malformed),
        }
    }
}

/// An error or notice (`E`, `N`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    fields: &'a [u8],
}

/// The fields of an error or notice: a type and a text each (PostgreSQL's documentation, "Error and Notice Message
/// Fields").
pub type Fields<'a> = (u8, &'a [u8]);

impl<'a> Report<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        while reader.u8()? != 0 {
            reader.text()?;
        }
        reader.end().map(|()| Self { fields: body })
    }

    /// The fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = Fields<'a>> + 'a {
        let mut reader = Reader::new(self.fields);
        core::iter::from_fn(move || match reader.u8() {
            Ok(0) | Err(Malformed) => None,
            Ok(kind) => reader.text().ok().map(|text| (kind, text)),
        })
    }

    /// The first field of a type.
    #[must_use]
    pub fn field(&self, kind: u8) -> Option<&'a [u8]> {
        self.fields().find(|(other, _)| *other == kind).map(|(_, text)| text)
    }

    /// The error code, where it has one of five characters.
    #[must_use]
    pub fn code(&self) -> Option<&'a str> {
        let code = core::str::from_utf8(self.field(b'C')?).ok()?;
        (code.len() == 5).then_some(code)
    }

    /// Whether the server ends the session with it. The untranslated field counts, where there is one.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        let severity = self.field(b'V').or_else(|| self.field(b'S'));
        matches!(severity, Some(b"FATAL" | b"PANIC"))
    }
}

/// A setting that the server reports (`S`): its name and value.
///
/// # Errors
/// Where the body is malformed.
pub fn parameter_status(body: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut reader = Reader::new(body);
    let status = (reader.text()?, reader.text()?);
    reader.end().map(|()| status)
}

/// The types of a statement's parameters (`t`). Of more than 65,535, which can be prepared and not bound, PostgreSQL writes as
/// much of their count as fits.
///
/// # Errors
/// Where the body is malformed.
pub fn parameter_types(body: &[u8]) -> Result<Vec<u32>, Malformed> {
    let mut reader = Reader::new(body);
    let count = reader.count()?;
    let (types, rest) = reader.rest().as_chunks();
    if !rest.is_empty() || types.len() & usize::from(u16::MAX) != count {
        return Err(Malformed);
    }
    Ok(types.iter().map(|oid| u32::from_be_bytes(*oid)).collect())
}

/// A copy that begins (`G`, `H`). Its formats are for the client to read.
///
/// # Errors
/// Where the body is malformed.
pub fn copy_begins(body: &[u8]) -> Result<CopyBegins, Malformed> {
    let mut reader = Reader::new(body);
    let binary = reader.u8()? != 0;
    let columns = reader.count()?;
    reader.items(columns, 2)?;
    reader.end()?;
    Ok(CopyBegins { binary, columns })
}

/// How the rows of a copy come (`G`, `H`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyBegins {
    /// In the binary format.
    pub binary: bool,
    /// With so many columns.
    pub columns: usize,
}

/// What another session, or this one, notified (`A`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The process that notified.
    pub process: i32,
    /// The channel.
    pub channel: &'a [u8],
    /// What it said.
    pub payload: &'a [u8],
}

impl<'a> Notification<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let notification = Self { process: reader.i32()?, channel: reader.text()?, payload: reader.text()? };
        reader.end().map(|()| notification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_gives_each_column_its_origin() {
        let body = b"\0\x02id\0\0\0\x40\x01\0\x04\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0?column?\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\x01";
        let fields: Vec<_> = RowDescription::read(body).unwrap().fields().collect();
        assert_eq!(
            fields,
            [
                Field { name: b"id", relation: 0x4001, attribute: 4, kind: 23, binary: false },
                Field { name: b"?column?", relation: 0, attribute: 0, kind: 25, binary: true },
            ]
        );
        for cut in 0..body.len() {
            assert_eq!(RowDescription::read(&body[..cut]), Err(Malformed));
        }
        assert_eq!(RowDescription::read(&[&body[..], b"x"].concat()), Err(Malformed));
    }

    #[test]
    fn a_row_is_consumed_exactly() {
        let body = b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0";
        let cells: Vec<_> = Row::read(body).unwrap().cells().collect();
        assert_eq!(cells, [Some(&b"ab"[..]), None, Some(b"")]);
        for cut in 0..body.len() {
            assert_eq!(Row::read(&body[..cut]), Err(Malformed));
        }
        assert_eq!(Row::read(b"\0\x01\0\0\0\x02abc"), Err(Malformed));
        assert_eq!(Row::read(b"\0\x01\x80\0\0\0"), Err(Malformed));
    }

    #[test]
    fn a_tag_counts_rows() {
        for (body, rows) in [
            (&b"SELECT 5\0"[..], 5),
            (b"INSERT 0 12\0", 12),
            (b"COPY 18446744073709551615\0", u64::MAX),
            (b"BEGIN\0", 0),
            (b"CREATE TABLE\0", 0),
            (b"\0", 0),
        ] {
            assert_eq!(CommandTag::read(body).unwrap().rows(), rows, "{body:?}");
        }
        assert_eq!(CommandTag::read(b"SELECT 5"), Err(Malformed));
    }

    #[test]
    fn a_report_ends_with_a_zero_and_may_lack_a_code() {
        let report = Report::read(b"SERROR\0C42501\0Mno\0\0").unwrap();
        assert_eq!((report.code(), report.field(b'M'), report.is_fatal()), (Some("42501"), Some(&b"no"[..]), false));
        let report = Report::read(b"SFEHLER\0VFATAL\0\0").unwrap();
        assert_eq!((report.code(), report.is_fatal()), (None, true));
        assert_eq!(Report::read(b"\0").unwrap().fields().count(), 0);
        for body in [&b""[..], b"SERROR\0", b"SERROR", b"\0\0", b"SERROR\0\0x"] {
            assert_eq!(Report::read(body), Err(Malformed), "{body:?}");
        }
    }

    #[test]
    fn small_messages_are_read_to_their_end() {
        assert_eq!(parameter_status(b"TimeZone\0UTC\0"), Ok((&b"TimeZone"[..], &b"UTC"[..])));
        assert_eq!(parameter_status(b"TimeZone\0UTC\0\0"), Err(Malformed));
        assert_eq!(parameter_types(b"\0\x02\0\0\0\x17\0\0\0\x19"), Ok(vec![23, 25]));
        assert_eq!(parameter_types(b"\0\x02\0\0\0\x17"), Err(Malformed));
        assert_eq!(parameter_types(b"\0\x01\0\0\0\x17\0"), Err(Malformed));
        assert_eq!(parameter_types(&[&[0, 1], &[0; 4 * 65_537][..]].concat()), Ok(vec![0; 65_537]));
        assert_eq!(copy_begins(b"\x01\0\x02\0\0\0\x01"), Ok(CopyBegins { binary: true, columns: 2 }));
        assert_eq!(copy_begins(b"\0\0\x02\0\0"), Err(Malformed));
        let notified = Notification { process: 7, channel: b"c", payload: b"hi" };
        assert_eq!(Notification::read(b"\0\0\0\x07c\0hi\0"), Ok(notified));
        assert_eq!(Notification::read(b"\0\0\0\x07c\0hi"), Err(Malformed));
        assert_eq!(Status::read(b"T"), Ok(Status::Open));
        assert_eq!(Status::read(b"TT"), Err(Malformed));
        assert_eq!(Status::read(b""), Err(Malformed));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _ = (CommandTag::read(&body).map(|tag| tag.rows()), Status::read(&body), copy_begins(&body));
            let _ = (parameter_status(&body), parameter_types(&body), Notification::read(&body));
            if let Ok(report) = Report::read(&body) {
                let _ = (report.code(), report.is_fatal());
            }
            if let Ok(row) = Row::read(&body) {
                proptest::prop_assert_eq!(row.cells().count(), row.count());
            }
            if let Ok(description) = RowDescription::read(&body) {
                description.fields().for_each(drop);
            }
        }
    }
}
