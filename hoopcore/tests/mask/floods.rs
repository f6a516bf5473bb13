//! Cells made of near misses, as someone writes them who can write a row: work stays a fixed multiple of their length.

use hoopcore::RowMasker;
use hoopcore::mask::{Cell, CellFormat, CellType, Column, Detector, Layout, MaskPlan, Origin, Style, Tally};

/// What such a cell repeats. A detector charges each step that it takes to the cell's budget, so a scan whose work
/// grew faster than the cell would run out of it.
const UNITS: [&str; 70] = [
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
    "DE00 ",
    "DE8937040044053201300",
    "1.1.",
    "1.1.1.1 ",
    "::",
    "a:",
    "1:2:3:4:5:6:7:8:",
    "00-",
    "00:00:00:00:00:00:",
    "123-45-",
    "123-45-6789 ",
    "A1234567",
    "tfn 670 858 ",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa ",
    "bc1qpzry9x8gf2tvdw0s3jn54khce6mua7l",
    "0x52908400098527886E0F7030069857D2E4169EE7 ",
    "+49 170 ",
    "(1",
    "12 ",
    "pwd=",
    "pwd='",
    "pwd=\"",
    "pwd='pwd=\"pwd=`",
    "a://b:c@",
    "://",
    " -p",
    "mysql -p",
    "password '",
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
        for size in [1 << 10, 1 << 13, 1 << 16] {
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
