//! Takes values out of what a server says besides rows: errors, notices, notifications, reported settings.
//!
//! Where columns are protected in a database, an error text can carry a protected value that no row masker sees:
//! `invalid input syntax for type integer: "123-45-6789"`. What a function raised is hidden whole; of the server's own
//! words stays what cannot be a value: the names that it gives in fields of their own, and what the client wrote itself.
//! Where detectors are armed, they look at what is left.

use std::borrow::Cow;

use bytes::BytesMut;
use hoopcore::mask::{Cell, CellFormat, CellType, Column, Layout, MaskPlan, Origin, RowMasker, Tally};

use crate::charset::Charset;
use crate::message::{Notification, Report, frame};

/// What stands for a text that is hidden whole.
const HIDDEN: &str = "the text is hidden, because it may hold protected values";

/// What stands for a value within a text.
const ELLIPSIS: &str = "…";

/// Fields of an error that name the object that it is about: schema, table, column, type, constraint.
const NAMES: &[u8] = b"stcdn";

/// Fields in which no value can stand: severity, code, position, and where in the server's source the words are.
const FIXED: &[u8] = b"SVCPFLR";

/// A text of at most so many bytes is in some long statement by chance.
const SHORT: usize = 2;

/// What stands between two quoted names in the server's own words. Anything else may be part of a value with a quote.
const BETWEEN: [&str; 10] = [
    " of relation ",
    " of table ",
    " in table ",
    " on table ",
    " for table ",
    " for relation ",
    " violates check constraint ",
    " violates foreign key constraint ",
    " violates not-null constraint ",
    " and ",
];

/// What must not stand in what a server says besides rows.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Columns are protected in this database.
    pub columns: bool,
    /// The detectors that are armed.
    pub detectors: MaskPlan,
}

/// What a server says in an error or notice, and what its words are read by.
#[derive(Clone, Copy, Debug)]
pub struct Words<'r> {
    /// The error or notice.
    pub report: &'r Report<'r>,
    /// What the client wrote itself.
    pub written: &'r str,
    /// How the server's words stand on the wire.
    pub charset: Charset,
}

impl Guard {
    /// Whether everything may be said.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.columns && !self.detectors.is_armed()
    }

    /// Whether a notice is not told at all: how much a server says for its log hangs on values, too.
    #[must_use]
    pub fn drops(&self, notice: &Report<'_>) -> bool {
        self.columns && is_for_the_log(notice)
    }

    /// Writes an error or notice without what must not stand in it.
    pub fn report(&self, tag: u8, words: Words<'_>, out: &mut BytesMut) {
        let raised = is_raised(words.report);
        let mut detecting = Detecting::new(self, words.charset);
        frame(out, tag, |body| {
            for (kind, text) in words.report.fields() {
                let left = if self.columns { words.field(kind, text, raised) } else { Some(Cow::Borrowed(text)) };
                let Some(text) = left else { continue };
                body.bytes(&[kind]);
                body.text(if FIXED.contains(&kind) { text } else { detecting.masked(text) }.as_ref());
            }
            body.bytes(&[0]);
        });
    }

    /// Writes a notification without what must not stand in its payload.
    pub fn notification(&self, notification: &Notification<'_>, charset: Charset, out: &mut BytesMut) {
        let payload = if self.columns { b"" } else { notification.payload };
        let mut detecting = Detecting::new(self, charset);
        frame(out, b'A', |body| {
            body.i32(notification.process);
            body.text(&detecting.masked(Cow::Borrowed(notification.channel)));
            body.text(&detecting.masked(Cow::Borrowed(payload)));
        });
    }

    /// Whether a reported setting that can hold any text may be reported.
    #[must_use]
    pub fn shows(&self, value: &[u8], charset: Charset) -> bool {
        !self.columns && Detecting::new(self, charset).masked(Cow::Borrowed(value)) == value
    }
}

/// The armed detectors, at work on texts of a server.
struct Detecting {
    masker: Option<RowMasker>,
    charset: Charset,
}

impl Detecting {
    fn new(guard: &Guard, charset: Charset) -> Self {
        let text = || {
            let column =
                Column { name: String::new(), origin: Origin::Clean, kind: CellType::Text, format: CellFormat::Text };
            guard.detectors.rows(&Layout { columns: vec![column] }, &Tally::default())
        };
        Self { masker: guard.detectors.is_armed().then(text), charset }
    }

    /// What detectors leave of a text.
    fn masked<'a>(&mut self, text: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        let Some(masker) = &mut self.masker else { return text };
        let hidden = || Cow::Borrowed(HIDDEN.as_bytes());
        let Some(read) = self.charset.decode(&text) else { return hidden() };
        match masker.cell(0, Some(read.as_bytes())) {
            Cell::Pass => text,
            Cell::Null => hidden(),
            Cell::Replace(left) => match std::str::from_utf8(left) {
                Ok(left) => Cow::Owned(self.charset.encode_or_ask(left).into_owned()),
                Err(_) => hidden(),
            },
        }
    }
}

impl Words<'_> {
    /// What stays of a field.
    fn field<'a>(&self, kind: u8, text: &'a [u8], raised: bool) -> Option<Cow<'a, [u8]>> {
        match kind {
            _ if FIXED.contains(&kind) => Some(Cow::Borrowed(text)),
            b'M' if raised => Some(Cow::Borrowed(HIDDEN.as_bytes())),
            b'M' => Some(self.message(text)),
            b'H' | b's' | b't' | b'c' | b'd' | b'n' if !raised => Some(Cow::Borrowed(text)),
            // Detail, context and internal query hold rows, values and texts of functions.
            _ => None,
        }
    }

    /// What stays of the server's own words.
    fn message<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(read) = self.charset.decode(text) else { return Cow::Borrowed(HIDDEN.as_bytes()) };
        let unquoted = self.unquote(&read);
        // What the server says of a place in the statement it says before it looks at any row.
        let placed = self.report.field(b'P').is_some();
        let left = match self.report.code().and_then(|code| code.get(..2)) {
            Some("22" | "54" | "XX") => Cow::Owned(without_numbers(&unquoted, self.written)),
            Some("0A" | "42") if !placed => {
                Cow::Owned(without_numbers(&without_end(&unquoted, self.written), self.written))
            }
            _ => unquoted,
        };
        if left == read { Cow::Borrowed(text) } else { Cow::Owned(self.charset.encode_or_ask(&left).into_owned()) }
    }

    /// The text with everything from its first quote to its last hidden, unless all of that is names.
    fn unquote<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let (Some(first), Some(last)) = (text.find('"'), text.rfind('"')) else { return Cow::Borrowed(text) };
        let quoted = text.get(first + 1..last).unwrap_or_default();
        let names = quoted.split('"').enumerate().all(|(index, part)| match index % 2 {
            0 => self.is_name(part),
            _ => BETWEEN.contains(&part),
        });
        if names && first < last {
            return Cow::Borrowed(text);
        }
        let (before, after) = (text.get(..first).unwrap_or_default(), text.get(last + 1..).unwrap_or_default());
        Cow::Owned(format!("{before}\"{ELLIPSIS}\"{after}"))
    }

    fn is_name(&self, part: &str) -> bool {
        let is_part = |text: &[u8]| self.charset.decode(text).is_some_and(|text| text == part);
        let named = self.report.fields().any(|(kind, text)| NAMES.contains(&kind) && is_part(text));
        named || is_written(part, self.written) || is_word_of(part, self.written)
    }
}

/// Whether the words may be a function's own (`RAISE`, `plpy.error`), or cannot be told from them.
fn is_raised(report: &Report<'_>) -> bool {
    let by_class = report.code().is_none_or(|code| code.starts_with("P0") || !is_known_class(code));
    let by_language = report.field(b'F').is_some_and(|file| file.starts_with(b"pl") && !file.starts_with(b"plan"));
    // Where the server's words are translated, neither the quotes nor the words are known.
    let translated = report.field(b'V').is_some_and(|severity| report.field(b'S') != Some(severity));
    by_class || by_language || translated || is_for_the_log(report)
}

/// What goes to the server's log is for those who may read it: plans, statements of functions, their parameters.
fn is_for_the_log(report: &Report<'_>) -> bool {
    report.field(b'V').is_some_and(|severity| severity == b"LOG" || severity.starts_with(b"DEBUG"))
        || report.field(b'F') == Some(b"auto_explain.c")
}

/// The classes of PostgreSQL's own error codes (its documentation, Appendix A).
fn is_known_class(code: &str) -> bool {
    matches!(
        code.get(..2),
        Some(
            "00" | "01"
                | "02"
                | "03"
                | "08"
                | "09"
                | "0A"
                | "0B"
                | "0F"
                | "0L"
                | "0P"
                | "0Z"
                | "20"
                | "21"
                | "22"
                | "23"
                | "24"
                | "25"
                | "26"
                | "27"
                | "28"
                | "2B"
                | "2D"
                | "2F"
                | "34"
                | "38"
                | "39"
                | "3B"
                | "3D"
                | "3F"
                | "40"
                | "42"
                | "44"
                | "53"
                | "54"
                | "55"
                | "57"
                | "58"
                | "72"
                | "F0"
                | "HV"
                | "XX"
        )
    )
}

/// The text without what stands behind its colon in no quotes, unless the client wrote it: a name that was looked up, which
/// may be a value (`operator does not exist: …`).
fn without_end(text: &str, written: &str) -> String {
    match text.split_once(": ") {
        Some((before, end)) if !end.starts_with('"') && !is_written(end, written) => format!("{before}: {ELLIPSIS}"),
        Some(_) | None => text.to_owned(),
    }
}

/// Whether the client wrote a text itself. Every short one stands in some long statement.
fn is_written(text: &str, written: &str) -> bool {
    text.len() > SHORT && written.contains(text)
}

/// Whether a short text is a whole word of what the client wrote, and no number.
fn is_word_of(part: &str, written: &str) -> bool {
    let in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    part.len() > 1
        && part.chars().any(char::is_alphabetic)
        && written.split(|letter| !in_word(letter)).any(|word| word.eq_ignore_ascii_case(part))
}

/// The text with its numbers hidden, except for those that the client wrote and for lengths of types: they may be values.
/// Names keep their digits.
fn without_numbers(text: &str, written: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = number_length(rest);
        let in_name = out.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_');
        let taken = if length > 0 { length } else { first.len_utf8() };
        let (part, after) = rest.split_at(taken);
        let kept = length == 0 || quoted || in_name || is_written(part, written) || is_length(&out, after);
        out.push_str(if kept { part } else { ELLIPSIS });
        quoted ^= first == '"';
        rest = after;
    }
    out
}

/// How long the number is that a text begins with: decimal digits, or hexadecimal ones behind `0x`.
fn number_length(text: &str) -> usize {
    let (prefix, digits) = match text.strip_prefix("0x") {
        Some(digits) => (2, digits),
        None => (0, text),
    };
    let is_digit = |letter: char| letter.is_ascii_digit() || prefix > 0 && letter.is_ascii_hexdigit();
    let length = digits.find(|letter| !is_digit(letter)).unwrap_or(digits.len());
    if length == 0 { 0 } else { prefix + length }
}

/// Whether a number between these is the length of a type, as in `character varying(20)`.
fn is_length(before: &str, after: &str) -> bool {
    let types = ["character varying(", "character(", "bit(", "bit varying(", "numeric("];
    after.starts_with(')') && types.iter().any(|name| before.ends_with(name))
}

/// Whether a reported setting can hold any text that a statement computed.
#[must_use]
pub fn can_carry_text(setting: &[u8]) -> bool {
    // PostgreSQL checks the values of all others that it reports against lists and forms.
    matches!(setting, b"application_name" | b"search_path")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::HEADER;

    fn guard() -> Guard {
        Guard { columns: true, detectors: MaskPlan::default() }
    }

    /// Fields are written `S=ERROR C=22P02 …`, with a `|` between them.
    #[track_caller]
    fn check(fields: &str, written: &str, expected: &str) {
        check_in(Charset::UTF8, fields, written, expected);
    }

    /// The same, with words and what stays of them in another encoding.
    #[track_caller]
    fn check_in(charset: Charset, fields: &str, written: &str, expected: &str) {
        let body: Vec<u8> = fields
            .split('|')
            .flat_map(|field| charset.encode_or_ask(&field.replacen('=', "", 1)).into_owned().into_iter().chain([0]))
            .chain([0])
            .collect();
        let mut out = BytesMut::new();
        let report = Report::read(&body).unwrap();
        guard().report(b'E', Words { report: &report, written, charset }, &mut out);
        let told: Vec<String> = Report::read(&out[HEADER..])
            .unwrap()
            .fields()
            .map(|(kind, text)| format!("{}={}", char::from(kind), charset.decode(text).unwrap()))
            .collect();
        assert_eq!(told.join("|"), expected, "{fields}");
    }

    #[test]
    fn a_quoted_value_is_hidden_unless_the_client_wrote_it() {
        let input = "S=ERROR|V=ERROR|C=22P02|M=invalid input syntax for type integer: \"042-42-0042\"";
        check(
            input,
            "SELECT ssn::int FROM t",
            "S=ERROR|V=ERROR|C=22P02|M=invalid input syntax for type integer: \"…\"",
        );
        check(input, "SELECT '042-42-0042'::int", input);
        check("C=42P01|M=relation \"nope\" does not exist", "TABLE nope", "C=42P01|M=relation \"nope\" does not exist");
        check("C=42P01|M=relation \"nope\" does not exist", "TABLE x", "C=42P01|M=relation \"…\" does not exist");
        check(
            "C=22P02|M=invalid input syntax for type integer: \"a\"123-45-6789\"b\"",
            "SELECT ('a\"' || ssn || '\"b')::int",
            "C=22P02|M=invalid input syntax for type integer: \"…\"",
        );
        check("C=22P02|M=half a \" quote 7", "", "C=22P02|M=half a \"…\" quote …");
        check("C=22P02|M=an empty \"\" one", "", "C=22P02|M=an empty \"…\" one");
    }

    #[test]
    fn words_in_another_encoding_are_read_in_it() {
        let latin = Charset::named("LATIN1", "UTF8");
        let input = "C=22P02|M=invalid input syntax for type integer: \"é\"";
        check_in(latin, input, "SELECT x::int FROM t", "C=22P02|M=invalid input syntax for type integer: \"?\"");
        check_in(latin, input, "SELECT 'é'::int", input);
        check_in(latin, "C=23505|M=a \"é\"|n=é", "", "C=23505|M=a \"é\"|n=é");
        let body = b"C22P02\0M: \"\xe9\"\0\0";
        let mut out = BytesMut::new();
        let report = Report::read(body).unwrap();
        let words = Words { report: &report, written: "'\u{e9}'", charset: Charset::UNREAD };
        guard().report(b'E', words, &mut out);
        assert!(String::from_utf8_lossy(&out).contains(HIDDEN));
    }

    #[test]
    fn names_in_fields_of_their_own_stay() {
        check(
            "C=23505|M=duplicate key value violates unique constraint \"t_pkey\"|D=Key (ssn)=(1) already exists.|s=public|t=t|n=t_pkey",
            "INSERT INTO t SELECT 1",
            "C=23505|M=duplicate key value violates unique constraint \"t_pkey\"|s=public|t=t|n=t_pkey",
        );
        check(
            "C=23502|M=null value in column \"c\" of relation \"t\" violates not-null constraint|D=Failing row contains (x).|s=public|t=t|c=c",
            "",
            "C=23502|M=null value in column \"c\" of relation \"t\" violates not-null constraint|s=public|t=t|c=c",
        );
    }

    #[test]
    fn numbers_of_values_are_hidden() {
        check("C=22003|M=value 4111111111111111 is out of range", "", "C=22003|M=value … is out of range");
        check("C=22003|M=value 4111 is out of range", "SELECT 4111", "C=22003|M=value 4111 is out of range");
        check(
            "C=22001|M=value too long for type character varying(20)",
            "",
            "C=22001|M=value too long for type character varying(20)",
        );
        check("C=57014|M=stopped after 1000 rows", "", "C=57014|M=stopped after 1000 rows");
        check(
            "C=22008|M=date field value out of range: 521-73-92",
            "make_date",
            "C=22008|M=date field value out of range: …-…-…",
        );
        check(
            "C=22003|M=percentile value 8.5 is not between 0 and 1",
            "",
            "C=22003|M=percentile value ….… is not between … and …",
        );
        check(
            "C=22021|M=invalid byte sequence for encoding \"UTF8\": 0xf0 0x3a 0x31",
            "convert_from(x, 'UTF8')",
            "C=22021|M=invalid byte sequence for encoding \"UTF8\": … … …",
        );
        check("C=42704|M=large object 521739284 does not exist", "", "C=42704|M=large object … does not exist");
        check("C=XX000|M=cache lookup failed for type 521739284", "", "C=XX000|M=cache lookup failed for type …");
        check(
            "C=42P05|M=prepared statement \"s12\" already exists",
            "s12",
            "C=42P05|M=prepared statement \"s12\" already exists",
        );
        check("C=42501|M=permission denied for table t12", "", "C=42501|M=permission denied for table t12");
    }

    #[test]
    fn a_name_that_was_looked_up_may_be_a_value() {
        check("C=42883|M=operator does not exist: 521-x", "", "C=42883|M=operator does not exist: …");
        check(
            "C=0A000|M=references are not implemented: ada.b@x.com",
            "",
            "C=0A000|M=references are not implemented: …",
        );
        check(
            "C=42883|M=operator does not exist: +++",
            "SELECT '+++'::regoper",
            "C=42883|M=operator does not exist: +++",
        );
        let placed = "C=42883|M=operator does not exist: text + integer|P=9";
        check(placed, "", placed);
    }

    #[test]
    fn a_short_text_is_no_proof_that_the_client_wrote_it() {
        check("C=22023|M=invalid hexadecimal digit: \"g\"", "abcdefgh", "C=22023|M=invalid hexadecimal digit: \"…\"");
        check("C=42703|M=column \"a\" does not exist", "SELECT a", "C=42703|M=column \"…\" does not exist");
        check("C=42703|M=column \"id\" does not exist|P=8", "SELECT id", "C=42703|M=column \"id\" does not exist|P=8");
    }

    #[test]
    fn what_a_function_raises_is_hidden_whole() {
        let hidden = format!("M={HIDDEN}");
        check("C=P0001|M=ssn is 1|H=x|D=y|W=z|q=q|p=1|n=1-2", "", &format!("C=P0001|{hidden}"));
        check(
            "C=00000|M=ssn is 1|F=pl_exec.c|R=exec_stmt_raise",
            "",
            &format!("C=00000|{hidden}|F=pl_exec.c|R=exec_stmt_raise"),
        );
        check("C=22012|M=ssn is 1|F=plpy_elog.c", "", &format!("C=22012|{hidden}|F=plpy_elog.c"));
        check("C=SECRT|M=x", "", &format!("C=SECRT|{hidden}"));
        check("M=no code at all", "", &hidden);
        check("S=LOG|V=LOG|C=00000|M=plan: (ssn = '1')", "", &format!("S=LOG|V=LOG|C=00000|{hidden}"));
        check("S=DEBUG|V=DEBUG2|C=00000|M=x", "", &format!("S=DEBUG|V=DEBUG2|C=00000|{hidden}"));
        check("S=FEHLER|V=ERROR|C=22P02|M=»1-2«", "", &format!("S=FEHLER|V=ERROR|C=22P02|{hidden}"));
        check("C=42601|M=syntax error|F=planner.c", "", "C=42601|M=syntax error|F=planner.c");
    }

    #[test]
    fn what_a_server_says_for_its_log_is_not_told() {
        let drops = |guard: &Guard, body: &[u8]| guard.drops(&Report::read(body).unwrap());
        assert!(drops(&guard(), b"SLOG\0VLOG\0C00000\0Mx\0\0"));
        assert!(drops(&guard(), b"SDEBUG\0VDEBUG5\0C00000\0Mx\0\0"));
        assert!(drops(&guard(), b"SNOTICE\0VNOTICE\0C00000\0Mx\0Fauto_explain.c\0\0"));
        assert!(!drops(&guard(), b"SNOTICE\0VNOTICE\0C00000\0Mx\0\0"));
        assert!(!drops(&Guard::default(), b"SLOG\0VLOG\0C00000\0Mx\0\0"));
    }

    #[test]
    fn a_notification_keeps_its_channel() {
        let mut out = BytesMut::new();
        let told = Notification { process: 7, channel: b"c", payload: b"1-2" };
        guard().notification(&told, Charset::UTF8, &mut out);
        assert_eq!(out, &b"A\0\0\0\x0b\0\0\0\x07c\0\0"[..]);
    }
}
