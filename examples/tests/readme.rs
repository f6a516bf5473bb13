//! What the README shows is what runs.
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines between two marks, each without its indentation.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    let lines = text.lines().map(str::trim).skip_while(|line| *line != begin).skip(1);
    lines.take_while(|line| *line != end).collect()
}

#[test]
fn shows_the_lines_of_the_example() {
    let example = read("examples/service.rs");
    let example = between(&example, "// README.md shows the lines from here", "// to here.");
    assert!(!example.is_empty(), "the example has lost its marks");
    let readme = read("README.md");
    assert_eq!(between(&readme, "```rust", "```"), example);
}

#[test]
fn shows_the_policy_of_the_example() {
    let readme = read("README.md");
    assert_eq!(
        between(&readme, "```yaml", "```"),
        read("examples/service.yaml").lines().map(str::trim).collect::<Vec<_>>()
    );
}

#[test]
fn names_the_commands_that_are_there() {
    let readme = read("README.md");
    for command in ["./quickstart", "./test"] {
        assert!(readme.contains(command), "{command}");
        assert!(read(command.trim_start_matches("./")).starts_with("#!"), "{command} is a script");
    }
}
