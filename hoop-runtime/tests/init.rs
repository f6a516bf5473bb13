//! What `hoop init` writes runs as it is, and overwrites nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use hoop_runtime::{Config, schema};

fn hoop(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hoop")).args(words).current_dir(folder).output().unwrap()
}

#[test]
fn what_it_writes_runs_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    assert!(hoop(folder.path(), &["init", "shop"]).status.success());
    let shop = folder.path().join("shop");
    let check = hoop(&shop, &["check", "--gateway", "gateway.yaml", "policy.yaml"]);
    assert_eq!(String::from_utf8_lossy(&check.stdout), "good: 0 errors, 0 warnings\n");
    assert!(hoop(&shop, &["test", "policy.yaml"]).status.success());
    Config::read(&shop.join("gateway.yaml")).unwrap();
    let mode = fs::metadata(shop.join("etl-7.secret")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a password is its owner's alone");
    for (file, made) in [("policy", schema::policy()), ("gateway", schema::gateway())] {
        let validator = jsonschema::validator_for(&made).unwrap();
        let text = fs::read_to_string(shop.join(format!("{file}.yaml"))).unwrap();
        assert!(validator.is_valid(&serde_saphyr::from_str(&text).unwrap()), "{file}");
    }

    fs::write(shop.join("policy.yaml"), "mine").unwrap();
    assert_eq!(hoop(folder.path(), &["init", "shop"]).status.code(), Some(2));
    assert_eq!(fs::read_to_string(shop.join("policy.yaml")).unwrap(), "mine");
}

#[test]
fn shells_and_man_know_the_subcommands() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(hoop(folder.path(), &["completions", shell]).stdout).unwrap();
        assert!(script.contains("explain"), "{shell}");
    }
    let page = String::from_utf8(hoop(folder.path(), &["man"]).stdout).unwrap();
    assert!(page.starts_with(".ie") && page.contains("hoop") && page.contains("explain"), "{page}");
    assert!(hoop(folder.path(), &["man", "--directory", "."]).status.success());
    assert!(folder.path().join("hoop-explain.1").exists());
}

#[test]
fn the_example_policies_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies");
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        for command in ["check", "test"] {
            let output = hoop(&folder, &[command, &name]);
            let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{command} {name}: {out}{errors}");
        }
    }
}
