//! What holds for all bytes.

use hoopcore::mask::{Cell, CellFormat, CellType, Column, Detector, Layout, MaskPlan, Origin, Style, Tally};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Pieces that detectors stumble over, values that they must find among them.
const PIECES: [&str; 30] = [
    "jane@example.com",
    "a@b.co",
    "4111111111111111",
    "4111 1111 1111 1111",
    "3782-822463-10005",
    "@",
    ".",
    "com",
    "[",
    "]",
    "\"",
    "\\",
    "\\n",
    "\\u0040",
    "%40",
    "&#64;",
    "4",
    "44",
    "4444",
    " ",
    "-",
    "\n",
    "{",
    "}",
    ":",
    ",",
    "é",
    "＠",
    "\u{ad}",
    "日本",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec(select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![4 => pieces, 1 => vec(any::<u8>(), 0..200)]
}

fn style() -> impl Strategy<Value = Style> {
    prop_oneof![
        Just(Style::Redact),
        Just(Style::Fixed("a \"fixed\" text".into())),
        (0..20_u8).prop_map(|keep| Style::Partial { keep }),
        Just(Style::Pseudonym(crate::order::domain("a"))),
    ]
}

/// What leaves of a cell.
fn left(cell: &[u8], kind: CellType, detectors: &[Detector], style: &Style) -> Option<Vec<u8>> {
    let column = Column { name: "x".into(), origin: Origin::Clean, kind, format: CellFormat::Text };
    let plan = MaskPlan::new(vec![], detectors.iter().map(|detector| (*detector, style.clone())).collect(), false);
    match plan.rows(&Layout { columns: vec![column] }, &Tally::default()).cell(0, Some(cell)) {
        Cell::Pass => Some(cell.to_vec()),
        Cell::Null => None,
        Cell::Replace(bytes) => Some(bytes.to_vec()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn findings_are_ranges_in_order(text in text()) {
        for detector in Detector::ALL {
            let mut after = 0;
            for found in detector.find(&text).expect("within the bound on work") {
                prop_assert!(after <= found.start && found.start < found.end && found.end <= text.len());
                after = found.end;
            }
        }
    }

    #[test]
    fn text_stays_utf8(text in text(), style in style()) {
        let masked = left(&text, CellType::Text, &Detector::ALL, &style).expect("a text");
        prop_assert_eq!(std::str::from_utf8(&text).is_ok(), std::str::from_utf8(&masked).is_ok());
    }

    #[test]
    fn nothing_is_left_to_find(text in text(), detector in select(&Detector::ALL[..])) {
        let masked = left(&text, CellType::Text, &[detector], &Style::Redact).expect("a text");
        prop_assert_eq!(left(&masked, CellType::Text, &[detector], &Style::Redact), Some(masked.clone()));
    }

    #[test]
    fn a_value_is_found_among_anything(before in text(), after in text(), card in any::<bool>()) {
        let (detector, value) = if card { (Detector::Card, "4111111111111111") } else { (Detector::Email, "jane@example.com") };
        let cell = [&before[..], b" ", value.as_bytes(), b" ", &after[..]].concat();
        let (start, end) = (before.len() + 1, before.len() + 1 + value.len());
        let found = detector.find(&cell).expect("within the bound on work");
        prop_assert!(found.iter().any(|hit| hit.start <= start && end <= hit.end), "{found:?}");
    }

    #[test]
    fn json_stays_json(strings in vec(text(), 1..4), number in select(&[4111111111111111_u64, 5, 0][..]), style in style()) {
        let strings: Vec<_> = strings.iter().map(|text| String::from_utf8_lossy(text)).collect();
        let json = serde_json::json!({ "a": strings, strings[0].as_ref(): number, "n": [number, null, true] }).to_string();
        let masked = left(json.as_bytes(), CellType::Json, &Detector::ALL, &style).expect("JSON");
        let read: Result<serde_json::Value, _> = serde_json::from_slice(&masked);
        prop_assert!(read.is_ok(), "{} became {}", json, String::from_utf8_lossy(&masked));
    }
}
