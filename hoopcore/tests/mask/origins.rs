//! Where a column's values come from decides what becomes of them.

use std::borrow::Cow;

use hoopcore::ColumnName;
use hoopcore::RowVerdict;
use hoopcore::decision::RuleRef;
use hoopcore::mask::{
    Cell, CellFormat, CellType, Column, ColumnMask, Detector, Layout, MaskPlan, Origin, Style, Tally, Texts, Width,
};
use hoopcore::policy::{ColumnPattern, Glob};

const VALUE: &[u8] = b"jane@example.com";

fn mask(column: &str, style: Style) -> ColumnMask {
    ColumnMask {
        pattern: ColumnPattern {
            schema: Glob::new("public"),
            relation: Glob::new("people"),
            column: Glob::new(column),
        },
        style,
        rule: RuleRef { name: "people-are-masked".into(), file: None, line: None },
    }
}

fn columns(names: &[&str]) -> Origin {
    Origin::Columns(names.iter().map(|name| ColumnName::new("public", "people", *name)).collect())
}

fn layout(origins: impl IntoIterator<Item = Origin>) -> Layout {
    let text = |origin| Column { name: "x".into(), origin, kind: CellType::Text, format: CellFormat::Binary };
    Layout { columns: origins.into_iter().map(text).collect() }
}

/// What a text of one origin becomes.
fn left(plan: &MaskPlan, origin: Origin) -> Option<Vec<u8>> {
    let mut rows = plan.rows(&layout([origin]), &Tally::default());
    match rows.cell(0, Some(VALUE)) {
        Cell::Pass => Some(VALUE.to_vec()),
        Cell::Null => None,
        Cell::Replace(bytes) => Some(bytes.to_vec()),
    }
}

fn check(plan: &MaskPlan, origin: Origin, expected: Option<&str>) {
    let shown = left(plan, origin.clone()).map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    assert_eq!(shown.as_deref(), expected, "{origin:?} under {plan:?}");
}

#[test]
fn a_column_is_masked_where_it_comes_from() {
    let clear = Some("jane@example.com");
    let plan = |tainted| {
        MaskPlan::new(vec![mask("email", Style::Redact), mask("*mail", Style::Partial { keep: 3 })], vec![], tainted)
    };
    for tainted in [false, true] {
        check(&plan(tainted), columns(&["email"]), Some("[redacted]"));
        check(&plan(tainted), columns(&["fax", "email"]), Some("[redacted]"));
        check(&plan(tainted), columns(&["webmail"]), Some("****com"));
        check(&plan(tainted), columns(&["fax"]), clear);
        check(&plan(tainted), Origin::Clean, clear);
        check(&plan(tainted), columns(&[]), None);
        check(&plan(tainted), Origin::Unknown, None);
    }
    check(&plan(true), Origin::Derived, None);
    check(&plan(false), Origin::Derived, clear);
}

#[test]
fn without_column_masks_only_detectors_act() {
    let plan = MaskPlan::new(vec![], vec![(Detector::Email, Style::Redact)], false);
    for origin in [columns(&["email"]), columns(&[]), Origin::Clean, Origin::Derived, Origin::Unknown] {
        check(&plan, origin, Some("[redacted]"));
    }
}

#[test]
fn a_cell_that_no_layout_describes_is_hidden() {
    let tally = Tally::default();
    let armed = MaskPlan::new(vec![], vec![(Detector::Email, Style::Redact)], false);
    assert_eq!(armed.rows(&layout([]), &tally).cell(0, Some(b"x")), Cell::Null);
    assert_eq!(MaskPlan::default().rows(&layout([]), &tally).cell(0, Some(b"x")), Cell::Pass);
}

#[test]
fn texts_are_told_from_values_that_have_no_encoding() {
    let tally = Tally::default();
    let check = |kind: CellType, format: CellFormat, expected: Texts| {
        let mut described = layout([Origin::Clean]);
        described.columns[0] = Column { kind, format, ..described.columns[0].clone() };
        assert_eq!(MaskPlan::default().rows(&described, &tally).texts(0), expected, "{kind:?} {format:?}");
    };
    for kind in [CellType::Text, CellType::Json] {
        check(kind, CellFormat::Text, Texts::Whole);
        check(kind, CellFormat::Binary, Texts::Whole);
    }
    for kind in [CellType::Integer(Width::Four), CellType::Uuid, CellType::Date, CellType::Scalar] {
        check(kind, CellFormat::Text, Texts::Whole);
        check(kind, CellFormat::Binary, Texts::Nowhere);
    }
    check(CellType::Other, CellFormat::Text, Texts::Whole);
    check(CellType::Other, CellFormat::Binary, Texts::Within);
    let mut rows = MaskPlan::default().rows(&layout([]), &tally);
    assert_eq!(rows.texts(0), Texts::Whole);
    rows.hide();
    assert_eq!(tally.counts().masked, 1);
}

#[test]
fn a_masker_is_idle_where_all_columns_pass() {
    let tally = Tally::default();
    let masks = || vec![mask("email", Style::Null)];
    let by_columns = MaskPlan::new(masks(), vec![], false);
    let by_detectors = MaskPlan::new(masks(), vec![(Detector::Card, Style::Redact)], false);
    assert!(MaskPlan::default().rows(&layout([Origin::Unknown, Origin::Derived]), &tally).is_idle());
    assert!(by_columns.rows(&layout([Origin::Clean, columns(&["fax"])]), &tally).is_idle());
    assert!(!by_columns.rows(&layout([Origin::Clean, columns(&["email"])]), &tally).is_idle());
    assert!(!by_columns.rows(&layout([Origin::Unknown]), &tally).is_idle());
    assert!(!by_detectors.rows(&layout([Origin::Clean]), &tally).is_idle());
}

#[test]
fn a_row_is_masked_in_place() {
    let plan = MaskPlan::new(vec![mask("email", Style::Partial { keep: 4 }), mask("ssn", Style::Null)], vec![], false);
    let tally = Tally::default();
    let mut rows = plan.rows(&layout([Origin::Clean, columns(&["email"]), columns(&["ssn"])]), &tally);
    let mut row = ["7", "jane@example.com", "042-42-0042"].map(|cell| Some(Cow::Borrowed(cell.as_bytes())));
    assert!(matches!(rows.row(&mut row), RowVerdict::Masked));
    assert_eq!(row, [Some(Cow::Borrowed(&b"7"[..])), Some(Cow::Borrowed(b"****.com")), None]);
    assert_eq!((tally.counts().masked, tally.counts().clear), (2, 0));

    let mut nulls = [Some(Cow::Borrowed(&b"7"[..])), None, None];
    assert!(matches!(rows.row(&mut nulls), RowVerdict::Pass));
    assert_eq!((tally.counts().masked, tally.counts().clear), (2, 2));
}
