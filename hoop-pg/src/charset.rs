//! How texts stand on the wire: what PostgreSQL calls `client_encoding`, told apart from UTF-8.
//!
//! The server turns what a client sends from its encoding into the database's before it reads it, and turns its answers
//! back. So a text is decoded here first, and what comes of that is analysed, masked and recorded. `encoding_rs` decodes;
//! `tests/postgres/charset.rs` holds it against the server, character by character. Where both read a character in another
//! way, it is not read at all. All encodings that PostgreSQL has carry ASCII as it is: bytes that are ASCII alone mean the
//! same in each of them.

use std::borrow::Cow;

use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GB18030, GBK, IBM866, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6,
    ISO_8859_7, ISO_8859_8, ISO_8859_10, ISO_8859_13, ISO_8859_14, ISO_8859_15, ISO_8859_16, KOI8_R, KOI8_U, SHIFT_JIS,
    WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256,
    WINDOWS_1257, WINDOWS_1258,
};

/// How texts stand on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charset(Kind);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Utf8,
    /// ISO 8859-1, of which some characters are others.
    Latin(&'static [(char, char)]),
    /// Like the library reads it, except for characters that PostgreSQL reads in another way.
    Table(&'static Encoding, &'static str),
    /// Of which nothing but ASCII is read.
    Unread,
}

/// The encodings that are read, by the names that a server reports.
const KNOWN: [(&str, Kind); 34] = [
    ("LATIN1", Kind::Latin(&[])),
    ("LATIN2", Kind::Table(ISO_8859_2, "")),
    ("LATIN3", Kind::Table(ISO_8859_3, "")),
    ("LATIN4", Kind::Table(ISO_8859_4, "")),
    ("LATIN5", Kind::Latin(&[('Ð', 'Ğ'), ('Ý', 'İ'), ('Þ', 'Ş'), ('ð', 'ğ'), ('ý', 'ı'), ('þ', 'ş')])),
    ("LATIN6", Kind::Table(ISO_8859_10, "")),
    ("LATIN7", Kind::Table(ISO_8859_13, "")),
    ("LATIN8", Kind::Table(ISO_8859_14, "")),
    ("LATIN9", Kind::Table(ISO_8859_15, "")),
    ("LATIN10", Kind::Table(ISO_8859_16, "")),
    ("ISO_8859_5", Kind::Table(ISO_8859_5, "")),
    ("ISO_8859_6", Kind::Table(ISO_8859_6, "")),
    ("ISO_8859_7", Kind::Table(ISO_8859_7, "")),
    ("ISO_8859_8", Kind::Table(ISO_8859_8, "")),
    ("KOI8R", Kind::Table(KOI8_R, "")),
    ("KOI8U", Kind::Table(KOI8_U, "ўЎ")),
    ("WIN866", Kind::Table(IBM866, "")),
    ("WIN874", Kind::Table(WINDOWS_874, "")),
    ("WIN1250", Kind::Table(WINDOWS_1250, "")),
    ("WIN1251", Kind::Table(WINDOWS_1251, "")),
    ("WIN1252", Kind::Table(WINDOWS_1252, "")),
    ("WIN1253", Kind::Table(WINDOWS_1253, "")),
    ("WIN1254", Kind::Table(WINDOWS_1254, "")),
    ("WIN1255", Kind::Table(WINDOWS_1255, "")),
    ("WIN1256", Kind::Table(WINDOWS_1256, "")),
    ("WIN1257", Kind::Table(WINDOWS_1257, "")),
    ("WIN1258", Kind::Table(WINDOWS_1258, "")),
    ("EUC_CN", Kind::Table(GBK, "·—")),
    ("EUC_JP", Kind::Table(EUC_JP, "¦")),
    ("EUC_KR", Kind::Table(EUC_KR, "")),
    ("GB18030", Kind::Table(GB18030, "︐︒︑︓︔︕︖︗︘︙ḿ\u{e7c7}龴龵龶龷龸龹龺龻")),
    ("GBK", Kind::Table(GBK, "")),
    ("SJIS", Kind::Table(SHIFT_JIS, "")),
    ("UHC", Kind::Table(EUC_KR, "")),
];

impl Charset {
    /// UTF-8, by which nothing is turned.
    pub const UTF8: Self = Self(Kind::Utf8);

    /// One that is not known, of which nothing but ASCII is read.
    pub const UNREAD: Self = Self(Kind::Unread);

    /// How texts stand on the wire with this `client_encoding` and this `server_encoding`, as the server reports them.
    ///
    /// ```
    /// use hoop_pg::charset::Charset;
    ///
    /// let latin = Charset::named("LATIN1", "UTF8");
    /// assert_eq!(latin.decode(b"caf\xe9").as_deref(), Some("café"));
    /// assert_eq!(Charset::named("BIG5", "UTF8").decode(b"\xa4\xa4"), None);
    /// ```
    #[must_use]
    pub fn named(client: &str, server: &str) -> Self {
        match client {
            // Nothing is turned: what the server holds stands on the wire. Where it does not know either, it is the
            // client's own matter, which is UTF-8 as a rule.
            "SQL_ASCII" if server == client => Self::UTF8,
            "SQL_ASCII" => Self::named(server, server),
            // The old name is reported where the client wrote it so.
            "UTF8" | "UNICODE" => Self::UTF8,
            _ => Self(KNOWN.iter().find(|(name, _)| *name == client).map_or(Kind::Unread, |(_, kind)| *kind)),
        }
    }

    /// Whether nothing is turned.
    #[must_use]
    pub fn is_utf8(self) -> bool {
        self.0 == Kind::Utf8
    }

    /// Whether more is read of it than ASCII.
    #[must_use]
    pub fn is_read(self) -> bool {
        self.0 != Kind::Unread
    }

    /// The text that these bytes are; `None` where they are none, or where the server may take them for another.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        if bytes.is_ascii() {
            return core::str::from_utf8(bytes).ok().map(Cow::Borrowed);
        }
        match self.0 {
            Kind::Utf8 => core::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Kind::Latin(others) => {
                Some(Cow::Owned(bytes.iter().map(|byte| other(others, char::from(*byte))).collect()))
            }
            Kind::Table(encoding, disputed) => {
                let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
                let certain = !text.contains(|letter| disputed.contains(letter)) && is_alone(encoding, &text, bytes);
                certain.then_some(text)
            }
            Kind::Unread => None,
        }
    }

    /// What can be read of bytes among which texts stand, for those who look for something in it; `None` where nothing beyond
    /// ASCII is read.
    #[must_use]
    pub fn skim(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self.0 {
            Kind::Utf8 => Some(String::from_utf8_lossy(bytes)),
            Kind::Latin(_) => self.decode(bytes),
            Kind::Table(encoding, _) => Some(encoding.decode_without_bom_handling(bytes).0),
            Kind::Unread => None,
        }
    }

    /// The bytes that stand for this text; `None` where there are none.
    #[must_use]
    pub fn encode(self, text: &str) -> Option<Cow<'_, [u8]>> {
        if text.is_ascii() {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        match self.0 {
            Kind::Utf8 => Some(Cow::Borrowed(text.as_bytes())),
            Kind::Latin(others) => {
                text.chars().map(|letter| byte_of(others, letter)).collect::<Option<_>>().map(Cow::Owned)
            }
            Kind::Table(encoding, _) => {
                let (bytes, _, unmappable) = encoding.encode(text);
                let certain = !unmappable && self.decode(&bytes).as_deref() == Some(text);
                certain.then_some(bytes)
            }
            Kind::Unread => None,
        }
    }

    /// The bytes for a text of the gateway's own, with a question mark for what they cannot carry.
    #[must_use]
    pub fn encode_or_ask(self, text: &str) -> Cow<'_, [u8]> {
        self.encode(text).unwrap_or_else(|| {
            let encoded = |letter: char| self.encode(letter.encode_utf8(&mut [0; 4])).map(Cow::into_owned);
            Cow::Owned(text.chars().flat_map(|letter| encoded(letter).unwrap_or_else(|| b"?".to_vec())).collect())
        })
    }
}

/// In GB18030 two codes are the ideographic space to the library and one to PostgreSQL.
fn is_alone(encoding: &'static Encoding, text: &str, bytes: &[u8]) -> bool {
    encoding != GB18030 || !text.contains('\u{3000}') || *encoding.encode(text).0 == *bytes
}

fn other(others: &[(char, char)], letter: char) -> char {
    others.iter().find(|(of_latin1, _)| *of_latin1 == letter).map_or(letter, |(_, other)| *other)
}

fn byte_of(others: &[(char, char)], letter: char) -> Option<u8> {
    let replaced = others.iter().any(|(of_latin1, _)| *of_latin1 == letter);
    let of_latin1 = others.iter().find(|(_, other)| *other == letter).map_or(letter, |(of_latin1, _)| *of_latin1);
    u8::try_from(of_latin1).ok().filter(|_| !replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(client: &str, bytes: &[u8], text: Option<&str>) {
        let charset = Charset::named(client, "UTF8");
        assert_eq!(charset.decode(bytes).as_deref(), text, "{client}");
        if let Some(text) = text {
            assert_eq!(charset.encode(text).as_deref(), Some(bytes), "{client}");
        }
    }

    #[test]
    fn texts_are_turned_both_ways() {
        check("UTF8", "é".as_bytes(), Some("é"));
        check("UNICODE", b"\xe9", None);
        check("SQL_ASCII", "é".as_bytes(), Some("é"));
        check("LATIN1", b"\xe9\x9f", Some("é\u{9f}"));
        check("LATIN5", b"\xdd\xfd\xe9", Some("İıé"));
        check("WIN1252", b"\x80", Some("€"));
        check("KOI8R", b"\xc1", Some("а"));
        check("KOI8U", b"\xae", None);
        check("SJIS", b"\x83\x5c'", Some("ソ'"));
        check("SJIS", b"\x83'", None);
        check("GBK", b"\xbf\x5c", Some("縗"));
        check("GBK", b"\xbf'", None);
        check("EUC_JP", b"\xa4\xa2", Some("あ"));
        check("GB18030", b"\x81\x30\x84\x36", Some("¥"));
        check("GB18030", b"\xa1\xa1", Some("\u{3000}"));
        check("GB18030", b"\xa3\xa0", None);
        check("GB18030", b"\xa6\xd9", None);
        for unread in ["BIG5", "JOHAB", "EUC_TW", "MULE_INTERNAL", "EUC_JIS_2004", "SHIFT_JIS_2004", "new"] {
            check(unread, b"plain ' \\", Some("plain ' \\"));
            check(unread, b"\xa4\xa4", None);
        }
    }

    #[test]
    fn a_client_that_asks_for_none_sees_what_the_server_holds() {
        let check = |server: &str, bytes: &[u8], text: Option<&str>| {
            assert_eq!(Charset::named("SQL_ASCII", server).decode(bytes).as_deref(), text, "{server}");
        };
        check("UTF8", "é".as_bytes(), Some("é"));
        check("LATIN1", b"\xe9", Some("é"));
        check("EUC_TW", b"\xa4\xa4", None);
        check("SQL_ASCII", "é".as_bytes(), Some("é"));
        check("SQL_ASCII", b"\xe9", None);
    }

    #[test]
    fn what_cannot_be_carried_is_a_question_mark_in_the_gateways_own_words() {
        let check = |client: &str, text: &str, bytes: &[u8]| {
            assert_eq!(*Charset::named(client, "UTF8").encode_or_ask(text), *bytes, "{client}");
        };
        check("LATIN1", "é … x", b"\xe9 ? x");
        check("BIG5", "é", b"?");
        check("KOI8U", "ў", b"?");
        check("LATIN5", "Ðİ", b"?\xdd");
        assert_eq!(Charset::named("LATIN1", "UTF8").encode("…"), None);
    }

    /// Bytes that begin, continue or end a character somewhere, and some that stand in statements.
    fn byte() -> impl proptest::strategy::Strategy<Value = u8> {
        proptest::sample::select(
            b"'\"\\$;aA09\x40\x7e\x7f\x80\x81\x84\x8e\x8f\xa0\xa1\xa3\xb1\xdf\xe0\xfc\xfe\xff".as_slice(),
        )
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(20_000))]
        #[test]
        fn two_texts_in_a_row_are_one(
            encoding in 0..KNOWN.len(),
            before in proptest::collection::vec(byte(), 0..6),
            behind in proptest::collection::vec(byte(), 0..6),
        ) {
            let (name, _) = KNOWN[encoding];
            let charset = Charset::named(name, "UTF8");
            if let (Some(one), Some(other)) = (charset.decode(&before), charset.decode(&behind)) {
                let whole = [before.as_slice(), &behind].concat();
                let (read, expected) = (charset.decode(&whole), format!("{one}{other}"));
                // Beside an ideographic space a byte may be unread that is read alone, and that no server takes.
                let unread = read.is_none() && expected.contains('\u{3000}') && whole.contains(&0x80);
                proptest::prop_assert!(unread || read.as_deref() == Some(&expected), "{} {:?}", name, whole);
            }
        }
    }
}
