//! The `hoop` command, as a person at a shell sees it: the cases are in `cli/*.txt`.
//!
//! `$ hoop …` is what is typed in the folder `cli`, `< FILE` at its end gives standard input; below stands what comes on
//! standard output, then, after `!`, on standard error, then the exit status where it is not 0.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod typed;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use typed::words;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli");

/// What a line typed at a shell shows.
fn run(line: &str) -> String {
    let (line, input) = line.split_once(" < ").map_or((line, None), |(line, input)| (line, Some(input)));
    let input = input.map_or_else(Stdio::null, |name| File::open(Path::new(FOLDER).join(name)).unwrap().into());
    let output = Command::new(env!("CARGO_BIN_EXE_hoop"))
        .args(words(line).into_iter().skip(1))
        .current_dir(FOLDER)
        .env_clear()
        .stdin(input)
        .output()
        .unwrap();
    let mut shown = String::from_utf8(output.stdout).unwrap();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        shown.push_str(format!("! {line}").trim_end());
        shown.push('\n');
    }
    match output.status.code().unwrap() {
        0 => shown,
        code => format!("{shown}exit {code}\n"),
    }
}

/// Everything that the file's commands show, in the form of the file.
fn replay(text: &str) -> String {
    let mut replayed = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            replayed.push_str(&format!("{}{line}\n", if replayed.is_empty() { "" } else { "\n" }));
        } else if let Some(command) = line.strip_prefix("$ ") {
            replayed.push_str(&format!("{line}\n{}", run(command)));
        }
    }
    replayed
}

#[test]
fn commands_show_what_the_cases_say() {
    for entry in fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap();
        let shown = replay(&expected);
        if std::env::var_os("REWRITE_CASES").is_some() {
            fs::write(&path, &shown).unwrap();
            continue;
        }
        assert_eq!(shown, expected, "in {}", path.display());
    }
}

/// Text that a caller made up cannot move the cursor of whoever reads the trail, and colour is for terminals.
#[test]
fn no_escape_sequence_reaches_a_pipe() {
    let shown = run("hoop audit show --directory trail");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(!run("hoop test shop.yaml").contains('\u{1b}'));
}
