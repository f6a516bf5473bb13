//! The checked-in JSON Schemas and references are what the readers' tables give, and files are judged by them as by `hoop check`.
//!
//! `REWRITE_CASES=1` writes the files anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hoop_runtime::config::grammar as gateway;
use hoop_runtime::{reference, schema};
use jsonschema::Validator;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compare(file: &str, made: &str) {
    let path = root().join(file);
    if std::env::var_os("REWRITE_CASES").is_some() {
        fs::write(&path, made).unwrap();
    }
    assert!(read(&path) == made, "{file} is not what the tables give: run this test with REWRITE_CASES=1");
}

#[test]
fn schemas_are_what_the_tables_give() {
    compare("schema/policy.json", &schema::text(&schema::policy()));
    compare("schema/gateway.json", &schema::text(&schema::gateway()));
}

const MARK: &str = "<!-- From here on generated from the tables of the reader. -->\n";

#[test]
fn the_reference_is_what_the_tables_give() {
    let page = read(&root().join("docs/gateway.md"));
    let (by_hand, _) = page.split_once(MARK).expect("the page lost its mark");
    compare("docs/gateway.md", &format!("{by_hand}{MARK}\n{}", reference::markdown(&gateway::FILE)));
}

fn problems(validator: &Validator, text: &str) -> Vec<String> {
    let value: Value = serde_saphyr::from_str(text).unwrap();
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The texts between fences of one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn good_policies_are_good_by_the_schema() {
    let validator = jsonschema::validator_for(&schema::policy()).unwrap();
    let folder = root().join("examples/policies");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let examples: Vec<String> = files.chain([root().join("examples/service.yaml")]).map(|path| read(&path)).collect();
    let page = read(&root().join("docs/policy.md"));
    let texts: Vec<&str> = examples.iter().map(String::as_str).chain(blocks(&page, "yaml")).collect();
    assert!(texts.len() > 8, "examples are missing");
    for text in texts {
        assert_eq!(problems(&validator, text), Vec::<String>::new(), "in\n{text}");
    }
}

#[test]
fn good_gateways_are_good_by_the_schema() {
    let validator = jsonschema::validator_for(&schema::gateway()).unwrap();
    for page in ["README.md", "docs/gateway.md", "docs/identity.md"] {
        for text in blocks(&read(&root().join(page)), "yml") {
            assert_eq!(problems(&validator, text), Vec::<String>::new(), "in\n{text}");
        }
    }
}

/// Editors see at once what only stands together.
#[test]
fn the_schema_knows_which_keys_need_another() {
    let validator = jsonschema::validator_for(&schema::policy()).unwrap();
    let rule = |rest: &str| format!("hoop: 1\nrules:\n- {{ rule: r, who: anyone, on: db, {rest} }}\n");
    let is_good = |rest: &str| problems(&validator, &rule(rest)).is_empty();
    assert!(is_good("approve: otherwise, by: { group: dba }, within: 15m, grant: once"));
    assert!(is_good("allow: { sql: { read: '*' } }, limits: { rows: 1 }"));
    assert!(!is_good("approve: otherwise"));
    assert!(!is_good("block: all, by: { group: dba }"));
    assert!(!is_good("block: all, within: 15m"));
    assert!(!is_good("block: all, grant: once"));
    assert!(!is_good("block: all, limits: { rows: 1 }"));
}

/// `hoop check --format sarif` against the schema of OASIS, with files of several problems and of none.
#[test]
fn logs_are_sarif() {
    let standard = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sarif/sarif-schema-2.1.0.json"));
    let mut standard: Value = serde_json::from_str(&standard).unwrap();
    // A pattern of a key that is not used here, which is no regular expression: a bracket of it is never opened.
    for object in ["run", "toolComponent"] {
        standard["definitions"][object]["properties"]["language"].as_object_mut().unwrap().remove("pattern").unwrap();
    }
    let validator = jsonschema::validator_for(&standard).unwrap();
    for file in ["wrong.yaml", "doubtful.yaml", "shop.yaml"] {
        let mut hoop = Command::new(env!("CARGO_BIN_EXE_hoop"));
        hoop.args(["check", "--format", "sarif", file]).current_dir(root().join("hoop-runtime/tests/cli"));
        let log: Value = serde_json::from_slice(&hoop.output().unwrap().stdout).unwrap();
        let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "of {file}");
        assert_eq!(log["runs"][0]["results"].as_array().unwrap().is_empty(), file == "shop.yaml");
    }
}
