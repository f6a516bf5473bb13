//! What becomes of a cell: `cells.txt`.

use hoopcore::ColumnName;
use hoopcore::decision::RuleRef;
use hoopcore::mask::{
    Cell, CellCounts, CellFormat, CellType, Column, ColumnMask, Detector, Layout, MaskPlan, Origin, Style, Tally,
};
use hoopcore::policy::{ColumnPattern, Glob};

#[test]
fn every_case_of_the_table() {
    let cases = include_str!("cells.txt").lines().enumerate();
    let mut seen = 0;
    for (line, case) in cases.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        check(line + 1, case);
        seen += 1;
    }
    assert!(seen > 50, "{seen} cases were read");
}

fn check(line: usize, case: &str) {
    let fields: Vec<&str> = case.split(" | ").map(str::trim).collect();
    let [kind, style, detectors, value, expected] = fields[..] else {
        panic!("line {line}: five fields, not `{case}`")
    };
    let plan = plan(style, detectors);
    let tally = Tally::default();
    let mut rows = plan.rows(&layout(kind), &tally);
    let value = (value != "NULL").then_some(value.as_bytes());
    let left = rows.cell(0, value);
    let expected = match expected {
        "=" => Cell::Pass,
        "NULL" => Cell::Null,
        text => Cell::Replace(text.as_bytes()),
    };
    assert_eq!(left, expected, "line {line}: {case}");
    let counts = CellCounts {
        masked: u64::from(expected != Cell::Pass),
        clear: u64::from(expected == Cell::Pass && style != "-"),
    };
    assert_eq!(tally.counts(), counts, "line {line}: {case}");
}

fn plan(style: &str, detectors: &str) -> MaskPlan {
    let columns = style_of(style).map(|style| ColumnMask {
        pattern: ColumnPattern { schema: Glob::new("*"), relation: Glob::new("t"), column: Glob::new("c") },
        style,
        rule: RuleRef { name: "mask".into(), file: None, line: None },
    });
    let detectors = detectors.split(", ").filter(|detector| *detector != "-").map(|detector| {
        let (word, style) = detector.split_once(' ').expect("a detector and its style");
        let detector = Detector::ALL.into_iter().find(|known| known.word() == word).expect("a detector's word");
        (detector, style_of(style).expect("a style"))
    });
    MaskPlan::new(columns.into_iter().collect(), detectors.collect(), false)
}

fn style_of(text: &str) -> Option<Style> {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("-", _) => None,
        ("null", _) => Some(Style::Null),
        ("redact", _) => Some(Style::Redact),
        ("pseudonym", domain) => Some(Style::Pseudonym(crate::order::domain(domain))),
        ("shift", domain) => Some(Style::Shift(crate::order::domain(domain))),
        ("fixed:", text) => Some(Style::Fixed(text.into())),
        ("partial", keep) => Some(Style::Partial { keep: keep.parse().expect("how many stay") }),
        _ => panic!("no style: `{text}`"),
    }
}

fn layout(kind: &str) -> Layout {
    let kind = match kind {
        "text" => CellType::Text,
        "scalar" => CellType::Scalar,
        "json" => CellType::Json,
        "other" => CellType::Other,
        _ => panic!("no type: `{kind}`"),
    };
    let origin = Origin::Columns(vec![ColumnName::new("public", "t", "c")]);
    Layout { columns: vec![Column { name: "c".into(), origin, kind, format: CellFormat::Text }] }
}
