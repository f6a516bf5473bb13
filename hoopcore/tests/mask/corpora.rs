//! What detectors find, and what they leave alone, in texts whose values are known.

use std::fs;
use std::ops::Range;
use std::path::Path;

use hoopcore::mask::Detector;
use serde_json::Value;

/// A text with the values in it that some detector should find.
struct Case {
    id: String,
    text: String,
    is_hard: bool,
    spans: Vec<(String, Range<usize>)>,
}

/// How a detector fared.
#[derive(Default, Debug)]
struct Score {
    found: usize,
    missed: Vec<String>,
    left_alone: usize,
    false_hits: Vec<String>,
}

#[test]
fn detectors_find_what_is_there_in_the_project_s_own_cases() {
    let own = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../corpora/pii.jsonl"))).expect("our own corpus");
    check(&own);
}

#[test]
fn detectors_find_what_is_there_in_foreign_cases() {
    for file in ["pii.jsonl", "pii_presidio.jsonl"] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/");
        match read(&Path::new(path).join(file)) {
            Some(cases) => check(&cases),
            None => eprintln!("{file} is not beside this clone: not tested"),
        }
    }
}

/// Of a hundred easy cases so many are found; a phone number has no check digit.
fn basic(detector: Detector) -> usize {
    if detector == Detector::Phone { 97 } else { 99 }
}

/// Of a hundred hard cases so many are found.
const HARD: usize = 80;

/// Of a hundred texts with look-alikes no more than so many are hit.
const LOOK_ALIKES: usize = 3;

/// Each detector's share of what it should find, among easy and hard cases, and of texts with look-alikes that it hits.
fn check(cases: &[Case]) {
    assert!(cases.len() > 100, "{} cases were read", cases.len());
    for detector in Detector::ALL {
        for (level, is_hard, expected) in [("basic", false, basic(detector)), ("hard", true, HARD)] {
            let score = score(detector, cases.iter().filter(|case| case.is_hard == is_hard));
            let (all, clean) = (score.found + score.missed.len(), score.left_alone + score.false_hits.len());
            if all > 0 {
                eprintln!(
                    "{:>12} {level:<5} {}/{all} found, {}/{clean} left alone",
                    detector.word(),
                    score.found,
                    score.left_alone
                );
            }
            assert!(score.found * 100 >= all * expected, "{} misses {:?}", detector.word(), score.missed);
            assert!(
                score.false_hits.len() * 100 <= clean * LOOK_ALIKES,
                "{} hits {:?}",
                detector.word(),
                score.false_hits
            );
        }
    }
}

fn score<'a>(detector: Detector, cases: impl Iterator<Item = &'a Case>) -> Score {
    let mut score = Score::default();
    for case in cases {
        let found = detector.find(case.text.as_bytes()).expect("within the bound on work");
        let wanted: Vec<_> = case.spans.iter().filter(|(kind, _)| is_wanted(detector, kind)).collect();
        for (_, span) in &wanted {
            match found.iter().any(|hit| hit.start <= span.start && span.end <= hit.end) {
                true => score.found += 1,
                false => score.missed.push(case.id.clone()),
            }
        }
        if wanted.is_empty() {
            let alien =
                |hit: &Range<usize>| !case.spans.iter().any(|(_, span)| hit.start < span.end && span.start < hit.end);
            match found.iter().any(alien) {
                true => score.false_hits.push(case.id.clone()),
                false => score.left_alone += 1,
            }
        }
    }
    score
}

/// What the corpora call what a detector finds.
fn is_wanted(detector: Detector, kind: &str) -> bool {
    match detector {
        Detector::Card => kind == "CREDIT_CARD",
        Detector::ApiKey => ["_TOKEN", "_ACCESS_KEY", "AGE_KEY"].iter().any(|ending| kind.ends_with(ending)),
        other => kind == other.word().to_uppercase(),
    }
}

fn read(path: &Path) -> Option<Vec<Case>> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().map(|line| case(&serde_json::from_str(line).expect("a line of JSON"))).collect())
}

fn case(line: &Value) -> Case {
    let expected = &line["expected"];
    let place = |span: &Value, end: &str| usize::try_from(span[end].as_u64().expect("an offset")).expect("an offset");
    let spans = expected["spans"].as_array().expect("spans").iter();
    Case {
        id: line["id"].as_str().expect("an id").to_owned(),
        text: line["input"].as_str().expect("a text").to_owned(),
        is_hard: expected["level"] == "hard",
        spans: spans
            .map(|span| (span["type"].as_str().expect("a type").to_owned(), place(span, "start")..place(span, "end")))
            .collect(),
    }
}
