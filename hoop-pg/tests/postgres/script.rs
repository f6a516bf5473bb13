//! Cases as text: what a client sends, line by line, and what it must get.
//!
//! ```text
//! [what the case shows]
//! query SELECT 1                       a simple query; reads to ReadyForQuery, or to the server's wish for data
//! parse NAME SQL                       `-` is the name that is empty
//! bind PORTAL STATEMENT FORMAT V | V   FORMAT of the results: text or binary; a value is text, `\N` or `\xHEX` in binary
//! describe statement NAME              or `describe portal NAME`; likewise `close`
//! execute PORTAL ROWS                  0 rows: all
//! sync                                 reads like `query`
//! flush                                `flush 2` reads two messages
//! data TEXT / done / fail WHY          the messages of COPY; `\t`, `\n` and `\xHEX` stand for bytes
//! send TAG BODY                        any message, with the same escapes
//! read                                 reads like `query`
//! > D 1|x                              a message that must come, in the order of the lines: its tag, then words that
//!                                      stand in it; messages between the lines may be of any kind
//! >! secret                            words that stand in no message
//! ```

use std::path::Path;

use crate::wire::{Message, Wire, frame};

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) steps: Vec<String>,
    pub(crate) expected: Vec<String>,
    pub(crate) forbidden: Vec<String>,
}

/// The cases of a file in `tests/cases`.
pub(crate) fn cases(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            let name = name.trim_end_matches(']').to_owned();
            cases.push(Case { name, steps: Vec::new(), expected: Vec::new(), forbidden: Vec::new() });
            continue;
        }
        let case = cases.last_mut().unwrap_or_else(|| panic!("{file}: a line before the first case"));
        match (line.strip_prefix(">!"), line.strip_prefix('>')) {
            (Some(words), _) => case.forbidden.push(words.trim().to_owned()),
            (None, Some(message)) => case.expected.push(message.trim().to_owned()),
            (None, None) => case.steps.push(line.to_owned()),
        }
    }
    cases
}

impl Case {
    /// Sends what the case says; gives every message that came.
    pub(crate) fn run(&self, wire: &mut Wire) -> Vec<Message> {
        self.steps.iter().flat_map(|step| run(step, wire)).collect()
    }

    /// What is wrong with an answer, if anything.
    pub(crate) fn judge(&self, messages: &[Message]) -> Option<String> {
        let shown: Vec<String> = messages.iter().map(Message::show).collect();
        let mut rest = shown.iter();
        let missing = self.expected.iter().find(|expected| !rest.any(|message| fits(message, expected)));
        let present = self.forbidden.iter().find(|words| shown.iter().any(|message| message.contains(words.as_str())));
        let wrong = match (missing, present) {
            (None, None) => return None,
            (Some(missing), _) => format!("missing `{missing}`"),
            (None, Some(present)) => format!("`{present}` came"),
        };
        Some(format!("[{}] {wrong}; the answer was\n    {}", self.name, shown.join("\n    ")))
    }
}

/// Whether a message has the tag and all the words.
fn fits(message: &str, expected: &str) -> bool {
    let (tag, words) = expected.split_at(1);
    message.starts_with(tag) && words.split_whitespace().all(|word| message.contains(word))
}

/// Panics with everything that went wrong, if anything did.
pub(crate) fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn run(step: &str, wire: &mut Wire) -> Vec<Message> {
    let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
    match word {
        "query" => {
            wire.send(&frame(b'Q', &[rest.as_bytes(), b"\0"].concat()));
            wire.until(b"ZG")
        }
        "sync" => {
            wire.send(&frame(b'S', b""));
            wire.until(b"ZG")
        }
        "read" => wire.until(b"ZG"),
        "flush" => {
            wire.send(&frame(b'H', b""));
            (0..rest.parse().unwrap_or(0)).filter_map(|_| wire.next()).collect()
        }
        other => {
            wire.send(&message(other, rest).unwrap_or_else(|| panic!("unknown step `{step}`")));
            Vec::new()
        }
    }
}

fn message(word: &str, rest: &str) -> Option<Vec<u8>> {
    let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(match word {
        "parse" => frame(b'P', &[&name(first)[..], after.as_bytes(), b"\0\0\0"].concat()),
        "bind" => frame(b'B', &bind(first, after)?),
        "describe" => frame(b'D', &target(first, after)),
        "close" => frame(b'C', &target(first, after)),
        "execute" => frame(b'E', &[&name(first)[..], &after.parse::<i32>().ok()?.to_be_bytes()].concat()),
        "data" => frame(b'd', &unescape(rest)),
        "done" => frame(b'c', b""),
        "fail" => frame(b'f', &name(rest)),
        "send" => frame(first.bytes().next()?, &unescape(after)),
        _ => return None,
    })
}

/// A name with its end; `-` is the empty one.
fn name(text: &str) -> Vec<u8> {
    let text = if text == "-" { "" } else { text };
    [text.as_bytes(), b"\0"].concat()
}

fn target(kind: &str, of: &str) -> Vec<u8> {
    let letter = if kind == "portal" { b'P' } else { b'S' };
    [vec![letter], name(of)].concat()
}

fn bind(portal: &str, rest: &str) -> Option<Vec<u8>> {
    let mut words = rest.splitn(3, ' ');
    let (statement, format) = (words.next()?, words.next()?);
    let values: Vec<&str> = words.next().map(|values| values.split('|').map(str::trim).collect()).unwrap_or_default();
    let count = u16::try_from(values.len()).ok()?.to_be_bytes();
    let formats: Vec<u8> = values.iter().flat_map(|value| [0, u8::from(value.starts_with("\\x"))]).collect();
    let cells: Vec<u8> = values.iter().flat_map(|value| cell(value)).collect();
    let results = [0, 1, 0, u8::from(format == "binary")];
    Some([name(portal), name(statement), count.to_vec(), formats, count.to_vec(), cells, results.to_vec()].concat())
}

fn cell(value: &str) -> Vec<u8> {
    if value == "\\N" {
        return (-1_i32).to_be_bytes().to_vec();
    }
    let bytes = unescape(value);
    [&i32::try_from(bytes.len()).unwrap_or(0).to_be_bytes()[..], &bytes].concat()
}

/// Text with `\n`, `\r`, `\t` and `\xHEX` (up to the next character that is no hexadecimal digit) as bytes; any other backslash stands for itself.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend(&rest.as_bytes()[..at]);
        let after = &rest[at + 1..];
        let (taken, escaped) = match after.chars().next() {
            Some('n') => (1, b"\n".to_vec()),
            Some('r') => (1, b"\r".to_vec()),
            Some('t') => (1, b"\t".to_vec()),
            Some('x') => hexadecimal(after),
            Some(_) | None => (0, b"\\".to_vec()),
        };
        bytes.extend(escaped);
        rest = &after[taken..];
    }
    bytes.extend(rest.as_bytes());
    bytes
}

fn hexadecimal(after: &str) -> (usize, Vec<u8>) {
    let digits = after[1..].bytes().take_while(u8::is_ascii_hexdigit).count() / 2 * 2;
    let bytes = (1..=digits).step_by(2).map(|at| u8::from_str_radix(&after[at..at + 2], 16).unwrap_or(0)).collect();
    (digits + 1, bytes)
}
