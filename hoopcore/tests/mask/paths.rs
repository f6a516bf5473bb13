//! Masks of paths in JSON: cases as text, and a second evaluator on the document as values.

use std::fmt::Write as _;

use hoopcore::ColumnName;
use hoopcore::decision::RuleRef;
use hoopcore::mask::{
    Cell, CellCounts, CellFormat, CellType, Column, ColumnMask, Detector, JsonMask, JsonPath, Layout, MaskPlan, Origin,
    RowMasker, Style, Tally,
};
use hoopcore::policy::{ColumnPattern, Glob};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::order::domain;

fn column_mask(style: Style) -> ColumnMask {
    ColumnMask {
        pattern: ColumnPattern { schema: Glob::new("s"), relation: Glob::new("t"), column: Glob::new("c") },
        style,
        rule: RuleRef { name: "r".into(), file: None, line: None },
    }
}

fn rows(plan: &MaskPlan, kind: CellType, format: CellFormat, tally: &Tally) -> RowMasker {
    let origin = Origin::Columns(vec![ColumnName::new("s", "t", "c")]);
    plan.rows(&Layout { columns: vec![Column { name: "c".into(), origin, kind, format }] }, tally)
}

/// What is left of a document; `None` where it is hidden.
fn masked(masks: Vec<JsonMask>, document: &[u8], format: CellFormat) -> Option<Vec<u8>> {
    let plan = MaskPlan::new(vec![column_mask(Style::Json(masks.into()))], vec![], true);
    left(&mut rows(&plan, CellType::Json, format, &Tally::default()), document)
}

fn left(rows: &mut RowMasker, document: &[u8]) -> Option<Vec<u8>> {
    match rows.cell(0, Some(document)) {
        Cell::Pass => Some(document.to_vec()),
        Cell::Null => None,
        Cell::Replace(bytes) => Some(bytes.to_vec()),
    }
}

fn mask(text: &str) -> JsonMask {
    let (path, style) = text.rsplit_once(' ').unwrap();
    let style = match style {
        "null" => Style::Null,
        "redact" => Style::Redact,
        "partial" => Style::Partial { keep: 4 },
        "pseudonym" => Style::Pseudonym(hoopcore::mask::Domain::keyless("d").into()),
        fixed => Style::Fixed(fixed.strip_prefix("fixed:").unwrap().into()),
    };
    JsonMask { path: JsonPath::parse(path).unwrap(), style }
}

#[test]
fn documents_are_written_anew_as_the_cases_say() {
    let mut failures = String::new();
    let text = include_str!("paths.txt");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (masks, rest) = line.split_once(" | ").unwrap();
        let (document, expected) = rest.split_once(" => ").unwrap();
        // A list of paths, but not one within brackets.
        let masks: Vec<_> = masks
            .split(", $")
            .enumerate()
            .map(|(at, text)| mask(&format!("{}{text}", if at > 0 { "$" } else { "" })))
            .collect();
        let found = masked(masks.clone(), document.as_bytes(), CellFormat::Text);
        let shown = found.clone().map_or("NULL".into(), |found| String::from_utf8(found).unwrap());
        if shown != expected {
            let _ = writeln!(failures, "{line}\n    {shown}");
        }
        // Binary `jsonb` is the same behind its version.
        let versioned = |bytes: &[u8]| [&[1], bytes].concat();
        let binary = masked(masks, &versioned(document.as_bytes()), CellFormat::Binary);
        assert_eq!(binary, found.map(|found| versioned(&found)), "{line}");
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn documents_nested_too_deep_are_hidden() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert_eq!(masked(vec![mask("$..x redact")], &nested(512), CellFormat::Text), Some(nested(512)));
    assert_eq!(masked(vec![mask("$..x redact")], &nested(513), CellFormat::Text), None);
    assert_eq!(masked(vec![mask("$..x redact")], &nested(1 << 20), CellFormat::Text), None);
}

#[test]
fn what_is_no_json_is_hidden() {
    let plan = MaskPlan::new(vec![column_mask(Style::Json([mask("$.a redact")].into()))], vec![], true);
    for kind in [CellType::Text, CellType::Other, CellType::Scalar, CellType::Uuid] {
        let mut rows = rows(&plan, kind, CellFormat::Text, &Tally::default());
        assert_eq!(rows.cell(0, Some(b"{\"b\": 1}")), Cell::Null, "{kind:?}");
        assert_eq!(rows.cell(0, None), Cell::Pass);
    }
}

#[test]
fn a_mask_of_the_whole_column_is_stricter() {
    let masks = vec![column_mask(Style::Json([mask("$.a redact")].into())), column_mask(Style::Partial { keep: 4 })];
    let plan = MaskPlan::new(masks, vec![], true);
    let mut rows = rows(&plan, CellType::Json, CellFormat::Text, &Tally::default());
    assert_eq!(rows.cell(0, Some(b"{\"b\": 1}")), Cell::Null);
}

#[test]
fn masks_of_several_rules_add_up_and_detectors_look_at_the_rest() {
    let masks = ["$.a redact", "$.b partial"].map(|text| column_mask(Style::Json([mask(text)].into())));
    let plan = MaskPlan::new(masks.into(), vec![(Detector::Email, Style::Redact)], true);
    let tally = Tally::default();
    let mut rows = rows(&plan, CellType::Json, CellFormat::Text, &tally);
    let mut check = |document: &str, expected: &str| {
        assert_eq!(
            left(&mut rows, document.as_bytes()).map(|left| String::from_utf8(left).unwrap()),
            Some(expected.into())
        );
    };
    check(r#"{"a": 1, "b": "12345678", "c": "x"}"#, r#"{"a": "[redacted]", "b": "****5678", "c": "x"}"#);
    check(r#"{"a": 1, "c": "to a@b.org"}"#, r#"{"a": "[redacted]", "c": "to [redacted]"}"#);
    check(r#"{"c": "to a@b.org"}"#, r#"{"c": "to [redacted]"}"#);
    check(r#"{"c": "x"}"#, r#"{"c": "x"}"#);
    assert_eq!(tally.counts(), CellCounts { masked: 3, clear: 0 });
}

#[test]
fn pseudonyms_are_those_of_texts() {
    let pseudonym = JsonMask { path: JsonPath::parse("$.a").unwrap(), style: Style::Pseudonym(domain("a")) };
    let of = |document: &str| masked(vec![pseudonym.clone()], document.as_bytes(), CellFormat::Text).unwrap();
    assert_eq!(of(r#"{"a": "Jane"}"#), of(r#"{"a": "\u004aane"}"#));
    assert_ne!(of(r#"{"a": "Jane"}"#), of(r#"{"a": "Jana"}"#));
}

/// `path`, or `path => why it is refused`.
#[test]
fn paths_are_read_or_refused_with_a_reason() {
    for path in
        ["$", "$.a", "$.é", "$._a1", "$['a'][\"b\"]", "$[0][10]", "$[*].*", "$..a", "$..*", "$..['a']", "$[ 'a' , 1 ]"]
    {
        assert!(JsonPath::parse(path).is_ok(), "{path}");
    }
    for (path, why) in [
        ("", "begin it"),
        ("a", "begin it"),
        (".a", "begin it"),
        ("$a", "a step begins"),
        ("$.", "a name without"),
        ("$..", "a name without"),
        ("$...a", "a name without"),
        ("$.1a", "a name without"),
        ("$.a-b", "a name without"),
        ("$.a b", "a name without"),
        ("$.a ", "a name without"),
        ("$[", "a bracket is not"),
        ("$['a'", "a bracket is not"),
        ("$['a", "the quotes"),
        ("$['\\x']", "the name has an escape"),
        ("$[a]", "brackets hold"),
        ("$[]", "brackets hold"),
        ("$[01]", "that is no index"),
        ("$[99999999999999999999]", "that is no index"),
        ("$[-1]", "an index counts"),
        ("$[1:2]", "slices"),
        ("$[:2]", "slices"),
        ("$[?@.a]", "filters"),
        ("$[?(@.a == 1)]", "filters"),
    ] {
        let refused = JsonPath::parse(path).unwrap_err();
        assert!(refused.starts_with(why), "{path}: {refused}");
    }
    assert!(JsonPath::parse(&format!("${}", ".a".repeat(33))).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Name(bool, &'static str),
    Index(bool, usize),
    All(bool),
}

impl Step {
    fn text(&self) -> String {
        let dots = |deep: &bool| if *deep { ".." } else { "" };
        match self {
            Self::Name(deep, name) => format!("{}['{name}']", dots(deep)),
            Self::Index(deep, index) => format!("{}[{index}]", dots(deep)),
            Self::All(deep) => format!("{}[*]", dots(deep)),
        }
    }

    fn descends(&self) -> bool {
        match self {
            Self::Name(deep, _) | Self::Index(deep, _) | Self::All(deep) => *deep,
        }
    }
}

/// What the paths select, put in the place of it: each path is followed from its end to its begin.
fn replaced(value: &mut Value, paths: &[&[Step]]) {
    if paths.iter().any(|path| path.is_empty()) {
        if !value.is_null() {
            *value = json!("[redacted]");
        }
        return;
    }
    let below = |selects: &dyn Fn(&Step) -> bool| -> Vec<&[Step]> {
        let goes_on = paths.iter().flat_map(|path| {
            let stays = path[0].descends().then_some(*path);
            selects(&path[0]).then_some(&path[1..]).into_iter().chain(stays)
        });
        goes_on.collect()
    };
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                replaced(
                    inner,
                    &below(&|step| matches!(step, Step::All(_)) || matches!(step, Step::Name(_, name) if name == key)),
                );
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter_mut().enumerate() {
                replaced(
                    inner,
                    &below(&|step| {
                        matches!(step, Step::All(_)) || matches!(step, Step::Index(_, index) if *index == at)
                    }),
                );
            }
        }
        _ => {}
    }
}

fn step() -> impl Strategy<Value = Step> {
    let deep = any::<bool>();
    prop_oneof![
        4 => (deep, prop::sample::select(vec!["a", "b", "é"])).prop_map(|(deep, name)| Step::Name(deep, name)),
        2 => (any::<bool>(), 0..3_usize).prop_map(|(deep, index)| Step::Index(deep, index)),
        1 => any::<bool>().prop_map(Step::All),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a\"\\\\é\n😀]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let entries = prop::collection::vec((prop::sample::select(vec!["a", "b", "é", "d"]), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            entries.prop_map(|entries| entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_selected_is_replaced_and_nothing_else(
        document in document(),
        paths in prop::collection::vec(prop::collection::vec(step(), 0..4), 1..4),
    ) {
        let text = |path: &Vec<Step>| format!("${}", path.iter().map(Step::text).collect::<String>());
        let masks: Vec<_> = paths.iter().map(|path| mask(&format!("{} redact", text(path)))).collect();
        let mut expected = document.clone();
        replaced(&mut expected, &paths.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for written in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
            let left = masked(masks.clone(), written.as_bytes(), CellFormat::Text).expect("it is a document");
            prop_assert_eq!(serde_json::from_slice::<Value>(&left).unwrap(), expected.clone());
        }
    }

    #[test]
    fn any_bytes(document in prop::collection::vec(prop_oneof![prop::sample::select(b"{}[]\",:\\u01 a".to_vec()), any::<u8>()], 0..60)) {
        let masks = vec![mask("$..a partial"), mask("$[0] null")];
        for format in [CellFormat::Text, CellFormat::Binary] {
            masked(masks.clone(), &document, format);
        }
    }
}
