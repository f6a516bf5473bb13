//! Several masks on one cell, and the styles with keys: `order.txt`.

use std::sync::Arc;

use hoopcore::ColumnName;
use hoopcore::decision::RuleRef;
use hoopcore::mask::{
    Cell, CellFormat, CellType, Column, ColumnMask, Detector, Domain, Keyring, Layout, MaskPlan, Origin, Style, Tally,
    Width,
};
use hoopcore::policy::{ColumnPattern, Glob};

#[test]
fn every_case_of_the_table() {
    let cases = include_str!("order.txt").lines().enumerate();
    let mut seen = 0;
    for (line, case) in cases.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<&str> = case.split('|').map(str::trim).collect();
        let [kind, styles, detectors, value, expected] = fields[..] else { panic!("line {}: five fields", line + 1) };
        let left = left(kind, styles, detectors, value);
        match (expected, left.as_deref()) {
            ("NULL", None) => {}
            ("~", Some(left)) => assert!(left != value && alike(left, value), "line {}: {case}: {left}", line + 1),
            (expected, left) => assert_eq!(left, Some(expected), "line {}: {case}", line + 1),
        }
        seen += 1;
    }
    assert!(seen > 45, "{seen} cases were read");
}

/// The domain with its key, where it has one.
pub(crate) fn domain(name: &str) -> Arc<Domain> {
    Arc::new(Keyring::new().with("a", b"a secret of some length").with("b", b"another secret").domain(name))
}

fn style(text: &str) -> Option<Style> {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("-", _) => None,
        ("null", _) => Some(Style::Null),
        ("redact", _) => Some(Style::Redact),
        ("fixed:", text) => Some(Style::Fixed(text.into())),
        ("pseudonym", name) => Some(Style::Pseudonym(domain(name))),
        ("shift", name) => Some(Style::Shift(domain(name))),
        ("partial", keep) => Some(Style::Partial { keep: keep.parse().unwrap() }),
        _ => panic!("no style: `{text}`"),
    }
}

fn left(kind: &str, styles: &str, detectors: &str, value: &str) -> Option<String> {
    let mask = |style| ColumnMask {
        pattern: ColumnPattern { schema: Glob::new("*"), relation: Glob::new("t"), column: Glob::new("c") },
        style,
        rule: RuleRef { name: "mask".into(), file: None, line: None },
    };
    let columns: Vec<ColumnMask> = styles.split(';').filter_map(|text| style(text.trim())).map(mask).collect();
    let detectors = detectors.split(", ").filter(|detector| *detector != "-").map(|detector| {
        let (word, text) = detector.split_once(' ').unwrap();
        (Detector::ALL.into_iter().find(|known| known.word() == word).unwrap(), style(text).unwrap())
    });
    let origin = Origin::Columns(vec![ColumnName::new("public", "t", "c")]);
    let column = Column { name: "c".into(), origin, kind: kind_of(kind), format: CellFormat::Text };
    let plan = MaskPlan::new(columns, detectors.collect(), false);
    match plan.rows(&Layout { columns: vec![column] }, &Tally::default()).cell(0, Some(value.as_bytes())) {
        Cell::Pass => Some(value.to_owned()),
        Cell::Null => None,
        Cell::Replace(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
    }
}

fn kind_of(word: &str) -> CellType {
    match word {
        "text" => CellType::Text,
        "int2" => CellType::Integer(Width::Two),
        "int4" => CellType::Integer(Width::Four),
        "int8" => CellType::Integer(Width::Eight),
        "uuid" => CellType::Uuid,
        "date" => CellType::Date,
        "timestamp" => CellType::Timestamp,
        "scalar" => CellType::Scalar,
        "json" => CellType::Json,
        "other" => CellType::Other,
        _ => panic!("no type: `{word}`"),
    }
}

/// Whether two values have the same shape: whole numbers of one sign, or texts with letters, digits and punctuation in the
/// same places. A UUID's digits may be letters.
fn alike(one: &str, other: &str) -> bool {
    if let (Ok(one), Ok(other)) = (one.parse::<i64>(), other.parse::<i64>()) {
        return (one < 0) == (other < 0);
    }
    let is_uuid = one.len() == 36 && one.split('-').count() == 5;
    let class = |c: char| match c {
        _ if is_uuid && c.is_ascii_hexdigit() => 'x',
        _ if c.is_ascii_digit() => '0',
        _ if c.is_uppercase() => 'A',
        _ if c.is_alphabetic() => 'a',
        c => c,
    };
    one.chars().map(class).eq(other.chars().map(class))
}
