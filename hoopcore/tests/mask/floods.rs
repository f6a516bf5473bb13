//! Cells made of near misses, as someone writes them who can write a row: work stays a fixed multiple of their length.

use hoopcore::RowMasker;
use hoopcore::mask::{Cell, CellFormat, CellType, Column, Detector, Layout, MaskPlan, Origin, Style, Tally};

/// What such a cell repeats. A detector charges each step that it takes to the cell's budget, so a scan whose work
/// grew faster than the cell would run out of it.
const UNITS: [&str; 42] = [
    "a",
    "4",
    "@",
    "a@",
    "a@a",
    "a@a.",
    "@a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@",
    "\"@",
    "\"@[",
    "\" @[1.1.1.1.1.1.1.1.1.1.1.1",
    "a@a.co",
    "4444 ",
    "4444 4444 4444 4444 ",
    "444-",
    "4444\n",
    "4444.",
    "4 ",
    "41111111111111111111 ",
    "-eyJ",
    "eyJhbGciOiJ.",
    "eyJ.eyJ.",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY-----",
    "-----BEGIN RSA ",
    "-----END RSA PRIVATE KEY-----",
    "AKIA",
    "AKIA-",
    "sk-ant-",
    "sk-",
    "ghp_",
    "SG.",
    "glpat-x.",
    "github_pat_ghp_",
    "AIzaAIza-",
    "\\",
    "\\n",
    "\\u0040",
    "%40",
    "&#64;",
    "\u{ff14}",
    "\u{ad}4",
];

#[test]
fn work_is_bounded_at_any_size() {
    let mut rows = every_detector();
    for unit in UNITS {
        for size in [1 << 10, 1 << 14, 1 << 18] {
            let cell = unit.repeat(size / unit.len());
            // A scan that gives up hides the whole cell.
            assert_ne!(rows.cell(0, Some(cell.as_bytes())), Cell::Null, "gave up on {size} bytes of {unit:?}");
        }
    }
}

#[test]
fn a_flood_of_values_is_masked_whole() {
    let mut rows = every_detector();
    for (unit, masked) in [("a@b.co ", "[redacted] "), ("4111111111111111,", "[redacted],")] {
        let cell = unit.repeat(10_000);
        assert_eq!(rows.cell(0, Some(cell.as_bytes())), Cell::Replace(masked.repeat(10_000).as_bytes()), "{unit}");
    }
}

/// A masker of one text in which every detector's findings are redacted.
fn every_detector() -> RowMasker {
    let note = Column { name: "note".into(), origin: Origin::Clean, kind: CellType::Text, format: CellFormat::Text };
    let plan = MaskPlan::new(vec![], Detector::ALL.map(|detector| (detector, Style::Redact)).to_vec(), false);
    plan.rows(&Layout { columns: vec![note] }, &Tally::default())
}
