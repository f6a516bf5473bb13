//! Cells made of near misses, as someone writes them who can write a row: work stays a fixed multiple of their length.

use hoopcore::mask::{Cell, CellFormat, CellType, Column, Detector, Layout, MaskPlan, Origin, Style, Tally};

/// What such a cell repeats. A detector charges each step that it takes to the cell's budget, so a scan whose work
/// grew faster than the cell would run out of it.
const UNITS: [&str; 26] = [
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
    for unit in UNITS {
        for size in [1 << 10, 1 << 14, 1 << 18] {
            let cell = unit.repeat(size / unit.len());
            for detector in Detector::ALL {
                let found = detector.find(cell.as_bytes());
                assert!(found.is_some(), "{} gave up on {size} bytes of {unit:?}", detector.word());
            }
        }
    }
}

#[test]
fn a_flood_of_values_is_masked_whole() {
    let note = Column { name: "note".into(), origin: Origin::Clean, kind: CellType::Text, format: CellFormat::Text };
    let plan = MaskPlan::new(vec![], Detector::ALL.map(|detector| (detector, Style::Redact)).to_vec(), false);
    let mut rows = plan.rows(&Layout { columns: vec![note] }, &Tally::default());
    for (unit, masked) in [("a@b.co ", "[redacted] "), ("4111111111111111,", "[redacted],")] {
        let cell = unit.repeat(10_000);
        assert_eq!(rows.cell(0, Some(cell.as_bytes())), Cell::Replace(masked.repeat(10_000).as_bytes()), "{unit}");
    }
}
