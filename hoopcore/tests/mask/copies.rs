//! Rows of COPY: what a statement says of them, how they are written anew, and what holds for any bytes in any pieces.

use std::fmt::Write as _;

use hoopcore::ColumnName;
use hoopcore::copy::{Broken, CopyFormat, CopyOut, CsvFormat, Rewriter, TextFormat};
use hoopcore::decision::RuleRef;
use hoopcore::mask::{
    CellFormat, CellType, Column, ColumnMask, Detector, Layout, MaskPlan, Origin, RowMasker, Style, Tally,
};
use hoopcore::policy::{ColumnPattern, Glob};
use proptest::prelude::*;

/// The columns of the cases: clean, protected by what stands before `@`, clean with a detector on it.
const COLUMNS: usize = 3;

fn rows(style: Style, format: &CopyFormat) -> RowMasker {
    let protected = || ColumnName::new("s", "t", "secret");
    let pattern = ColumnPattern { schema: Glob::new("s"), relation: Glob::new("t"), column: Glob::new("secret") };
    let mask = ColumnMask { pattern, style, rule: RuleRef { name: "r".into(), file: None, line: None } };
    let plan = MaskPlan::new(vec![mask], vec![(Detector::Email, Style::Redact)], true);
    let written = if format.is_binary() { CellFormat::Binary } else { CellFormat::Text };
    let column = |origin, kind| Column { name: "c".into(), origin, kind, format: written };
    let columns = vec![
        column(Origin::Clean, CellType::Scalar),
        column(Origin::Columns(vec![protected()]), CellType::Text),
        column(Origin::Clean, CellType::Text),
    ];
    plan.rows(&Layout { columns }, &Tally::default())
}

/// Feeds the bytes in pieces that end where `cuts` say.
fn fed(format: &CopyFormat, bytes: &[u8], cuts: &[usize], style: Style) -> Result<(Vec<u8>, usize), Broken> {
    let (mut rewriter, mut masker) = (Rewriter::new(format, COLUMNS), rows(style, format));
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    let (mut out, mut count) = (Vec::new(), 0);
    for piece in cuts.windows(2) {
        count += rewriter.feed(&bytes[piece[0]..piece[1]], &mut masker, &mut out)?;
    }
    rewriter.end()?;
    Ok((out, count))
}

fn format(copy: &str) -> CopyFormat {
    CopyOut::read(&format!("COPY t TO STDOUT {}", copy.trim_matches(' ').trim_start_matches("()")))
        .unwrap()
        .unwrap()
        .format
}

/// `options | rows => what comes out`, with `↵` for newlines and `→` for tabs; `!` where the rows are refused.
#[test]
fn rows_are_written_anew_as_postgresql_writes_them() {
    let mut failures = String::new();
    let text = include_str!("copies.txt");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (options, rest) = line.split_once(" | ").unwrap();
        let (bytes, expected) = rest.split_once(" => ").unwrap();
        let bytes = bytes.replace('↵', "\n").replace('→', "\t");
        for style in [("", Style::Redact), ("null ", Style::Null), ("odd ", Style::Fixed("a\n\\\"',;\t".into()))] {
            let Some(options) = options.strip_prefix(style.0).filter(|rest| rest.starts_with('(')) else { continue };
            let found = match fed(&format(options), bytes.as_bytes(), &[], style.1) {
                Ok((out, _)) => String::from_utf8(out).unwrap().replace('\n', "↵").replace('\t', "→"),
                Err(_) => "!".into(),
            };
            if found != expected {
                let _ = writeln!(failures, "{line}\n    {found}");
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn binary(rows: &[[Option<&[u8]>; COLUMNS]]) -> Vec<u8> {
    let mut out = [&b"PGCOPY\n\xff\r\n\0"[..], &[0; 8]].concat();
    for row in rows {
        out.extend(3_i16.to_be_bytes());
        for cell in row {
            out.extend(cell.map_or(-1, |cell| i32::try_from(cell.len()).unwrap()).to_be_bytes());
            out.extend(cell.unwrap_or_default());
        }
    }
    out.extend([0xff, 0xff]);
    out
}

#[test]
fn binary_rows_keep_their_frame() {
    let before = binary(&[[Some(b"\0\0"), Some(b"042"), None], [None, None, Some(b"a@b.org")]]);
    let after = binary(&[[Some(b"\0\0"), Some(b"[redacted]"), None], [None, None, Some(b"[redacted]")]]);
    assert_eq!(fed(&CopyFormat::Binary, &before, &[], Style::Redact), Ok((after, 2)));
    let refused =
        |bytes: &[u8]| assert_eq!(fed(&CopyFormat::Binary, bytes, &[], Style::Redact), Err(Broken::Malformed));
    for end in 0..before.len() {
        refused(&before[..end]);
    }
    refused(&[&before[..], b"x"].concat());
    refused(&[&before[..15], &[1], &before[16..]].concat());
    refused(&[&before[..19], &2_i16.to_be_bytes(), &[0; 8], &[0xff, 0xff]].concat());
    refused(&[&before[..19], &3_i16.to_be_bytes(), &(-2_i32).to_be_bytes(), &[0; 8], &[0xff, 0xff]].concat());
}

#[test]
fn a_row_without_end_is_refused_at_64_mib() {
    for (format, begin) in [(format(""), &b"1\t"[..]), (format("(format csv)"), b"1,\"")] {
        let (mut rewriter, mut masker) = (Rewriter::new(&format, COLUMNS), rows(Style::Redact, &format));
        let mut feed = |bytes: &[u8]| rewriter.feed(bytes, &mut masker, &mut Vec::new());
        feed(begin).unwrap();
        let chunk = vec![b'x'; 8 << 20];
        assert_eq!((0..9).find_map(|_| feed(&chunk).err()), Some(Broken::TooLong));
    }
}

/// A statement in a line, `=>`, and its query and format; `-` where nothing is copied to the client, `!` where that is refused.
#[test]
fn what_is_copied_is_as_written() {
    let mut failures = String::new();
    let text = include_str!("copied.txt");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sql, expected) = line.split_once(" => ").unwrap();
        let found = match CopyOut::read(sql) {
            None => "-".into(),
            Some(Err(why)) => format!("! {why}"),
            Some(Ok(copy)) => shown(&copy),
        };
        if !found.starts_with(expected) || expected != "!" && found != expected {
            let _ = writeln!(failures, "{sql} => {found}  -- not {expected}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn shown(copy: &CopyOut) -> String {
    let header = |header: bool| if header { " header" } else { "" };
    let null = |null: &[u8]| String::from_utf8(null.to_vec()).unwrap();
    let format = match &copy.format {
        CopyFormat::Text(TextFormat { delimiter, null: of, header: has }) => {
            format!("text {:?} {:?}{}", char::from(*delimiter), null(of), header(*has))
        }
        CopyFormat::Csv(CsvFormat { delimiter, quote, escape, null: of, header: has }) => {
            let [delimiter, quote, escape] = [delimiter, quote, escape].map(|byte| char::from(*byte));
            format!("csv {delimiter:?} {quote:?} {escape:?} {:?}{}", null(of), header(*has))
        }
        CopyFormat::Binary => "binary".into(),
    };
    format!("{} | {format}{}", copy.query, if copy.without_generated { " without generated" } else { "" })
}

/// A cell as PostgreSQL writes it, from its source (`CopyAttributeOutText`, `CopyAttributeOutCSV`).
fn written(format: &CopyFormat, cell: Option<&str>, out: &mut Vec<u8>) {
    match (format, cell) {
        (CopyFormat::Text(format), None) => out.extend(&format.null),
        (CopyFormat::Csv(format), None) => out.extend(&format.null),
        (CopyFormat::Text(format), Some(cell)) => {
            for byte in cell.bytes() {
                let at = b"\x08\x0c\n\r\t\x0b".iter().position(|special| *special == byte);
                match at {
                    Some(at) => out.extend([b'\\', b"bfnrtv"[at]]),
                    None if byte == b'\\' || byte == format.delimiter => out.extend([b'\\', byte]),
                    None => out.push(byte),
                }
            }
        }
        (CopyFormat::Csv(format), Some(cell)) => {
            let special = |byte: u8| [format.delimiter, format.quote, b'\n', b'\r'].contains(&byte);
            if cell.as_bytes() != format.null && !cell.bytes().any(special) {
                return out.extend(cell.bytes());
            }
            out.push(format.quote);
            for byte in cell.bytes() {
                if byte == format.quote || byte == format.escape {
                    out.push(format.escape);
                }
                out.push(byte);
            }
            out.push(format.quote);
        }
        (CopyFormat::Binary, _) => unreachable!(),
    }
}

fn stream(format: &CopyFormat, rows: &[[Option<String>; COLUMNS]]) -> Vec<u8> {
    if let CopyFormat::Binary = format {
        let cells = |row: &'_ [Option<String>; COLUMNS]| row.clone().map(|cell| cell.map(String::into_bytes));
        let owned: Vec<_> = rows.iter().map(cells).collect();
        let rows: Vec<_> = owned.iter().map(|row| row.each_ref().map(|cell| cell.as_deref())).collect();
        return binary(&rows);
    }
    let delimiter = match format {
        CopyFormat::Text(format) => format.delimiter,
        CopyFormat::Csv(format) => format.delimiter,
        CopyFormat::Binary => unreachable!(),
    };
    let mut out = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                out.push(delimiter);
            }
            written(format, cell.as_deref(), &mut out);
        }
        out.push(b'\n');
    }
    out
}

fn formats() -> impl Strategy<Value = CopyFormat> {
    let options = [
        "",
        "(delimiter ';')",
        "(null 'n')",
        "(null '')",
        "(format csv)",
        "(format csv, delimiter '|', quote '''', escape '\\')",
        "(format csv, escape 'x', null 'n')",
        "(format binary)",
    ];
    prop::sample::select(options.to_vec()).prop_map(format)
}

fn table() -> impl Strategy<Value = Vec<[Option<String>; COLUMNS]>> {
    let cell = || prop::option::weighted(0.8, "[a-cnNx;|,\"'\\\\\n\r\t\u{b}é ]{0,9}");
    prop::collection::vec([cell(), cell(), cell()], 0..6)
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let likely = prop::sample::select(b"\n\t,;\"\\N|'x\0\xff\x03".to_vec());
    prop::collection::vec(prop_oneof![3 => likely, 1 => any::<u8>()], 0..80)
}

proptest! {
    /// The protected column is masked, and the others stay as they are.
    #[test]
    fn a_copy_is_the_copy_of_masked_rows(format in formats(), table in table(), cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        let ambiguous = matches!(&format, CopyFormat::Text(text) if text.null != b"\\N");
        let masked = |cell: &Option<String>| match cell {
            None if !ambiguous => None,
            None | Some(_) => Some("[redacted]".to_string()),
        };
        let expected: Vec<_> = table.iter().map(|[a, b, c]| [a.clone(), masked(b), c.clone()]).collect();
        let found = fed(&format, &stream(&format, &table), &cuts, Style::Redact);
        let rows = table.len();
        let expected = stream(&format, &expected);
        let (out, count) = found.unwrap();
        prop_assert_eq!(count, rows);
        // What PostgreSQL quotes stays between quotes.
        let bare = |bytes: &[u8]| match &format {
            CopyFormat::Csv(csv) => bytes.iter().copied().filter(|byte| *byte != csv.quote).collect::<Vec<_>>(),
            CopyFormat::Text(_) | CopyFormat::Binary => bytes.to_vec(),
        };
        prop_assert_eq!(bare(&out), bare(&expected));
    }

    /// NULL in place of every protected value: nothing tells one that was NULL from one that was not.
    #[test]
    fn hidden_cells_are_all_the_same(format in formats(), table in table()) {
        let hidden: Vec<_> = table.iter().map(|[a, _, c]| [a.clone(), None, c.clone()]).collect();
        let found = fed(&format, &stream(&format, &table), &[], Style::Null).unwrap();
        prop_assert_eq!(found.0, stream(&format, &hidden));
    }

    #[test]
    fn pieces_mean_nothing(format in formats(), bytes in any_bytes(), cuts in prop::collection::vec(any::<usize>(), 0..12)) {
        prop_assert_eq!(fed(&format, &bytes, &cuts, Style::Redact), fed(&format, &bytes, &[], Style::Redact));
    }
}
