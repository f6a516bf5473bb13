//! Policy files as people break them, and all that `hoop check` says about each: the cases are in `broken.txt`.
//!
//! A block is a title, a file, `---`, whether an editor with the JSON Schema marks the file, and the messages. In a file `→` is a
//! tab, `¶` a carriage return, `⟨BOM⟩` a byte order mark, `⟨FF⟩` a byte that is not UTF-8, and `⟨500 × [⟩` five hundred times `[`.
//! `REWRITE_CASES=1` writes what is said now.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use hoop_runtime::schema;
use jsonschema::Validator;
use serde_json::Value;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broken.txt");

/// The bytes of a file as it is written in a case.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟨') {
        bytes.extend_from_slice(before.as_bytes());
        let (special, after) = after.split_once('⟩').expect("`⟨` without `⟩`");
        match (special, special.split_once(" × ")) {
            ("BOM", _) => bytes.extend_from_slice("\u{feff}".as_bytes()),
            ("FF", _) => bytes.push(0xff),
            (_, Some((times, what))) => bytes.extend(what.repeat(times.parse().unwrap()).as_bytes()),
            (other, None) => panic!("`⟨{other}⟩` is not known"),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes.clone()).map_or(bytes, |text| text.replace('→', "\t").replace('¶', "\r").into_bytes())
}

/// Whether an editor marks the file.
fn by_schema(validator: &Validator, file: &[u8]) -> &'static str {
    let value = std::str::from_utf8(file).ok().and_then(|text| serde_saphyr::from_str::<Value>(text).ok());
    match value {
        None => "editor: no YAML",
        Some(value) if validator.is_valid(&value) => "editor: silent",
        Some(_) => "editor: marks it",
    }
}

/// What `hoop check` shows, without the count at its end.
fn check(folder: &Path, file: &[u8]) -> String {
    fs::write(folder.join("policy.yaml"), file).unwrap();
    let check = Command::new(env!("CARGO_BIN_EXE_hoop")).args(["check", "policy.yaml"]).current_dir(folder).output();
    let output = check.unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    let shown: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
    format!("{}\nexit {}\n", shown.join("\n"), output.status.code().unwrap())
}

#[test]
fn broken_files_are_told_how_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    let validator = jsonschema::validator_for(&schema::policy()).unwrap();
    let cases = fs::read_to_string(CASES).unwrap();
    let mut blocks = cases.split("\n## ");
    let mut said = blocks.next().unwrap().to_owned();
    for block in blocks {
        let (text, _) = block.split_once("\n---\n").unwrap_or_else(|| panic!("no `---` in {block}"));
        let file = bytes(text.split_once('\n').unwrap().1);
        let (editor, shown) = (by_schema(&validator, &file), check(folder.path(), &file));
        said.push_str(&format!("\n## {text}\n---\n{editor}\n{shown}"));
    }
    if std::env::var_os("REWRITE_CASES").is_some() {
        fs::write(CASES, &said).unwrap();
    }
    assert!(said == cases, "what is said has changed: run with REWRITE_CASES=1 and read the difference");
}
