//! What detectors find and leave alone: `detectors.txt`.

use hoopcore::mask::Detector;

#[test]
fn every_case_of_the_table() {
    let cases = include_str!("detectors.txt").lines().enumerate();
    let mut seen = 0;
    for (line, case) in cases.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        check(line + 1, case);
        seen += 1;
    }
    assert!(seen > 100, "{seen} cases were read");
}

fn check(line: usize, case: &str) {
    let fields: Vec<&str> = case.splitn(3, " | ").collect();
    let [word, expected, text] = fields[..] else { panic!("line {line}: three fields, not `{case}`") };
    let detector = Detector::ALL.into_iter().find(|detector| detector.word() == word.trim());
    let detector = detector.unwrap_or_else(|| panic!("line {line}: no detector `{word}`"));
    let found = detector.find(text.replace("\\n", "\n").as_bytes()).expect("within the bound on work");
    assert_eq!(!found.is_empty(), expected.trim() == "found", "line {line}: {case}: {found:?}");
}

#[test]
fn each_detector_finds_its_example() {
    for detector in Detector::ALL {
        let found = detector.find(detector.example().as_bytes());
        assert_eq!(found.map(|found| found.len()), Some(1), "{}: {}", detector.word(), detector.example());
    }
}

#[test]
fn each_detector_has_a_word_of_its_own() {
    let words: std::collections::BTreeSet<_> = Detector::ALL.map(Detector::word).into();
    assert_eq!(words.len(), Detector::ALL.len());
    assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
}
