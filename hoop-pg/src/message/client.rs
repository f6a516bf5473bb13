//! What clients send once a session stands.

use super::{Malformed, Reader};

/// The text of a simple query (`Q`), without its NUL.
///
/// # Errors
/// Where the body is not one string.
pub fn query(body: &[u8]) -> Result<&[u8], Malformed> {
    only_text(body)
}

/// The reason that ends a copy (`f`).
///
/// # Errors
/// Where the body is not one string.
pub fn copy_fail(body: &[u8]) -> Result<&[u8], Malformed> {
    only_text(body)
}

fn only_text(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(body);
    let text = reader.text()?;
    reader.end().map(|()| text)
}

/// A message without a body (`S`, `H`, `X`, `c`).
///
/// # Errors
/// Where there is one.
pub fn nothing(body: &[u8]) -> Result<(), Malformed> {
    Reader::new(body).end()
}

/// A statement to be prepared (`P`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The name it gets; empty for the unnamed statement.
    pub name: &'a [u8],
    /// Its text.
    pub query: &'a [u8],
    types: &'a [u8],
}

impl<'a> Parse<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let (name, query) = (reader.text()?, reader.text()?);
        let count = reader.count()?;
        let types = reader.items(count, 4)?;
        reader.end().map(|()| Self { name, query, types })
    }

    /// The types that the client gives its parameters, in order; zero leaves one to the server.
    pub fn types(&self) -> impl Iterator<Item = u32> + 'a {
        self.types.as_chunks().0.iter().map(|oid| u32::from_be_bytes(*oid))
    }
}

/// A prepared statement with its parameters (`B`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal that it makes; empty for the unnamed portal.
    pub portal: &'a [u8],
    /// The statement that it runs.
    pub statement: &'a [u8],
    /// The values for its parameters.
    pub values: Values<'a>,
}

impl<'a> Bind<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed, and where it has parameter formats for another number of parameters.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let (portal, statement) = (reader.text()?, reader.text()?);
        let values = Values::take(&mut reader)?;
        codes(&mut reader)?;
        reader.end()?;
        let Values { formats, count, .. } = values;
        let is_one_for_each = matches!(formats.len() / 2, 0 | 1) || formats.len() / 2 == count;
        if is_one_for_each { Ok(Self { portal, statement, values }) } else { Err(Malformed) }
    }
}

/// The values for parameters, and the form of each: a part of Bind and of FunctionCall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'a> {
    bytes: &'a [u8],
    formats: &'a [u8],
    count: usize,
    values: &'a [u8],
}

impl<'a> Values<'a> {
    /// Reads what [`bytes`](Self::bytes) gave.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let values = Self::take(&mut reader)?;
        reader.end().map(|()| values)
    }

    fn take(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let whole = reader.rest();
        let formats = codes(reader)?;
        let count = reader.count()?;
        let values = reader.rest();
        for _ in 0..count {
            reader.value()?;
        }
        let bytes = whole.get(..whole.len().saturating_sub(reader.left())).ok_or(Malformed)?;
        Ok(Self { bytes, formats, count, values })
    }

    /// As they stand in the message.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// All in order: whether each is in binary form, and its bytes; `None` is NULL.
    pub fn iter(&self) -> impl Iterator<Item = (bool, Option<&'a [u8]>)> + use<'a> {
        let formats = self.formats.as_chunks::<2>().0;
        let (count, mut reader) = (self.count, Reader::new(self.values));
        (0..count).map_while(move |index| {
            let format = if formats.len() == 1 { formats.first() } else { formats.get(index) };
            reader.value().ok().map(|value| (format.is_some_and(|format| *format != [0, 0]), value))
        })
    }
}

/// Format codes, each of them text or binary.
fn codes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let count = reader.count()?;
    let codes = reader.items(count, 2)?;
    let known = codes.as_chunks().0.iter().all(|code| matches!(code, [0, 0 | 1]));
    if known { Ok(codes) } else { Err(Malformed) }
}

/// Whether a name is a prepared statement's or a portal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

/// What a Describe or Close is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Whether the name is a statement's or a portal's.
    pub subject: Subject,
    /// The name.
    pub name: &'a [u8],
}

/// Reads the body of a Describe (`D`) or Close (`C`).
///
/// # Errors
/// Where it is malformed.
pub fn close_or_describe(body: &[u8]) -> Result<Target<'_>, Malformed> {
    let mut reader = Reader::new(body);
    let subject = match reader.u8()? {
        b'S' => Subject::Statement,
        b'P' => Subject::Portal,
        _ => return Err(Malformed),
    };
    let name = reader.text()?;
    reader.end().map(|()| Target { subject, name })
}

/// A portal to be run (`E`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The portal.
    pub portal: &'a [u8],
    /// How many rows are wanted at most; zero or less stands for all.
    pub rows: i32,
}

impl<'a> Execute<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let (portal, rows) = (reader.text()?, reader.i32()?);
        reader.end().map(|()| Self { portal, rows })
    }
}

/// A call of a function outside SQL (`F`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The function's OID.
    pub function: u32,
    /// What it is called with.
    pub values: Values<'a>,
}

impl<'a> Call<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let function = reader.u32()?;
        let values = Values::take(&mut reader)?;
        let result = reader.i16()?;
        reader.end()?;
        if matches!(result, 0 | 1) { Ok(Self { function, values }) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_string_and_nothing_else() {
        for (body, expected) in [
            (&b"SELECT 1\0"[..], Ok(&b"SELECT 1"[..])),
            (b"\0", Ok(b"")),
            (b"SELECT '\xff'\0", Ok(b"SELECT '\xff'")),
            (b"", Err(Malformed)),
            (b"SELECT 1", Err(Malformed)),
            (b"SELECT 1\0Q\0\0\0\x05\0", Err(Malformed)),
            (b"SELECT\0 1\0", Err(Malformed)),
        ] {
            assert_eq!(query(body), expected, "{body:?}");
        }
    }

    #[test]
    fn a_parse_has_a_name_a_text_and_types() {
        let parse = Parse::read(b"s1\0SELECT $1\0\0\x02\0\0\0\x17\0\0\0\0").unwrap();
        assert_eq!((parse.name, parse.query), (&b"s1"[..], &b"SELECT $1"[..]));
        assert_eq!(parse.types().collect::<Vec<_>>(), [23, 0]);
        for body in [
            &b"s1\0SELECT 1\0"[..],
            b"s1\0SELECT 1\0\0\x01\0\0\0",
            b"s1\0SELECT 1\0\0\0X",
            b"s1\0SELECT 1",
            b"s1\0SELECT 1\0\xff\xff",
        ] {
            assert_eq!(Parse::read(body), Err(Malformed), "{body:?}");
        }
    }

    #[test]
    fn a_bind_gives_each_parameter_its_format() {
        type Parameters<'a> = Vec<(bool, Option<&'a [u8]>)>;
        fn check(body: &[u8], expected: Result<Parameters<'_>, Malformed>) {
            assert_eq!(Bind::read(body).map(|bind| bind.values.iter().collect()), expected, "{body:?}");
        }
        check(b"p\0s\0\0\0\0\0\0\0", Ok(vec![]));
        check(b"\0\0\0\0\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\0", Ok(vec![(false, Some(b"x")), (false, None)]));
        check(
            b"\0\0\0\x01\0\x01\0\x02\0\0\0\x01x\0\0\0\0\0\x01\0\x01",
            Ok(vec![(true, Some(b"x")), (true, Some(b""))]),
        );
        check(
            b"\0\0\0\x02\0\0\0\x01\0\x02\0\0\0\x01x\0\0\0\x01y\0\0",
            Ok(vec![(false, Some(b"x")), (true, Some(b"y"))]),
        );
        check(b"\0\0\0\x02\0\0\0\x01\0\x01\0\0\0\x01x\0\0", Err(Malformed));
        check(b"\0\0\0\x01\0\x02\0\x01\0\0\0\x01x\0\0", Err(Malformed));
        check(b"\0\0\0\0\0\x01\0\0\x03\xe8x\0\0", Err(Malformed));
        check(b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0", Err(Malformed));
        check(b"\0\0\0\0\0\0\0\0Q", Err(Malformed));
        check(b"\0\0\0\0\xff\xff\0\0", Err(Malformed));
    }

    #[test]
    fn a_target_names_a_statement_or_a_portal() {
        assert_eq!(close_or_describe(b"Ss1\0"), Ok(Target { subject: Subject::Statement, name: b"s1" }));
        assert_eq!(close_or_describe(b"P\0"), Ok(Target { subject: Subject::Portal, name: b"" }));
        for body in [&b""[..], b"S", b"Xs1\0", b"Ss1", b"Ss1\0\0"] {
            assert_eq!(close_or_describe(body), Err(Malformed), "{body:?}");
        }
    }

    #[test]
    fn an_execute_is_consumed_exactly() {
        assert_eq!(Execute::read(b"p\0\0\0\0\x02"), Ok(Execute { portal: b"p", rows: 2 }));
        for body in [&b"p\0\0\0\0"[..], b"p\0\0\0\0\x02\0", b""] {
            assert_eq!(Execute::read(body), Err(Malformed), "{body:?}");
        }
    }

    #[test]
    fn a_call_names_its_function() {
        let read = |body| Call::read(body).map(|call| (call.function, call.values.iter().next()));
        assert_eq!(read(b"\0\0\x06\x3e\0\0\0\0\0\0"), Ok((1598, None)));
        assert_eq!(read(b"\0\0\0\x01\0\0\0\x01\0\0\0\x01x\0\x01"), Ok((1, Some((false, Some(&b"x"[..]))))));
        for body in [&b"\0\0\x06\x3e\0\0\0\0\0"[..], b"\0\0\x06\x3e\0\0\0\0\0\x02", b"\0\0\x06\x3e\0\0\0\x01\0\0"] {
            assert_eq!(Call::read(body), Err(Malformed), "{body:?}");
        }
    }

    #[test]
    fn a_message_without_body_has_none() {
        assert_eq!(nothing(b""), Ok(()));
        assert_eq!(nothing(b"\0"), Err(Malformed));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _ = (query(&body), close_or_describe(&body), Execute::read(&body), Call::read(&body));
            if let Ok(parse) = Parse::read(&body) {
                parse.types().for_each(drop);
            }
            if let Ok(bind) = Bind::read(&body) {
                proptest::prop_assert_eq!(bind.values.iter().count(), bind.values.count());
                proptest::prop_assert_eq!(Values::read(bind.values.bytes()), Ok(bind.values));
            }
        }
    }
}
