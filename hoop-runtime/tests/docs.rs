//! What the pages show at a shell is what the command shows.
//!
//! A block ```` ```yaml ```` or ```` ```yml ```` that begins with `# NAME.yaml` is that file; in a block ```` ```console ```` a line `$ hoop …` is
//! typed where the files are, and below stands all that it shows, standard output first. `REWRITE_CASES=1` writes what it shows now.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod typed;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use typed::words;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

fn run(folder: &Path, line: &str) -> String {
    let mut hoop = Command::new(env!("CARGO_BIN_EXE_hoop"));
    let output =
        hoop.args(words(line).into_iter().skip(1)).current_dir(folder).env_clear().stdin(Stdio::null()).output();
    let output = output.unwrap();
    let shown = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned() + "\n"
}

/// A block of a page as it should be.
fn block(folder: &Path, language: &str, text: &str) -> String {
    match language {
        "yaml" | "yml" => {
            let name =
                text.lines().next().and_then(|line| line.strip_prefix("# ")).filter(|name| name.ends_with(".yaml"));
            if let Some(name) = name {
                fs::write(folder.join(name), text).unwrap();
            }
            text.to_owned()
        }
        "console" => {
            let commands = text.lines().filter_map(|line| line.strip_prefix("$ "));
            let shown: Vec<String> = commands.map(|line| format!("$ {line}\n{}", run(folder, line))).collect();
            shown.join("\n")
        }
        _ => text.to_owned(),
    }
}

fn replay(page: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut replayed = String::new();
    for (at, part) in page.split("```").enumerate() {
        if at > 0 {
            replayed.push_str("```");
        }
        match part.split_once('\n').filter(|_| at % 2 == 1) {
            Some((language, text)) => {
                replayed.push_str(&format!("{language}\n{}", block(folder.path(), language, text)))
            }
            None => replayed.push_str(part),
        }
    }
    replayed
}

#[test]
fn pages_show_what_is_shown() {
    for name in ["tutorial.md", "policy.md"] {
        let path = Path::new(DOCS).join(name);
        let page = fs::read_to_string(&path).unwrap();
        let replayed = replay(&page);
        if std::env::var_os("REWRITE_CASES").is_some() {
            fs::write(&path, &replayed).unwrap();
            continue;
        }
        assert!(replayed == page, "docs/{name} shows something else than the command: run with REWRITE_CASES=1");
    }
}
