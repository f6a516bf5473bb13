//! Effects by the cases of `*.txt`.
//!
//! A case is an input, `=>` and its effects, parted by `; `; `? reason` stands for what was not understood. `REWRITE_CASES=1`
//! writes what comes out now.

use std::fs;

use hoopcore::command::ssh::Asked;
use hoopcore::command::{Effects, Message, ssh};
use hoopcore::{Command, Coverage};

/// What a command does, in a line.
pub(crate) fn effects(command: &Command) -> String {
    let mut words: Vec<String> = match command.what() {
        Effects::Ssh(effects) => effects.iter().filter(|one| one.verb != ssh::Verb::Unknown).map(run).collect(),
        Effects::Kubernetes(effects) => {
            let command = |run: &hoopcore::command::Run| {
                format!(" -- {}{}{}", flag(run.terminal, "pty "), flag(run.opaque, "opaque "), run.argv.join(" "))
            };
            let one = |effect: &hoopcore::command::kubernetes::Effect| {
                format!("{} {effect}{}", effect.verb.word(), effect.command.as_ref().map(command).unwrap_or_default())
            };
            effects.iter().map(one).filter(|text| text != "unknown *").collect()
        }
        Effects::Http(effects) => effects.iter().map(http).filter(|text| text != "unknown *").collect(),
        Effects::Sql(_) => panic!("not SQL"),
    };
    let unread = command.effects().iter().any(hoopcore::Effect::is_unknown);
    match command.coverage() {
        Coverage::Full => assert!(!unread, "{command:?}"),
        Coverage::Partial(why) => {
            assert!(unread, "{command:?}");
            words.push(format!("? {why}"));
        }
    }
    words.join("; ")
}

fn http(effect: &hoopcore::command::http::Effect) -> String {
    let query = flag(!effect.query.is_empty(), " query=") + &effect.query.join(",");
    let media = effect.media.as_ref().map(|media| format!(" media={media}")).unwrap_or_default();
    format!("{} {effect}{query}{media}", effect.verb.word())
}

fn run(effect: &ssh::Effect) -> String {
    let ssh::Object::Run(run) = &effect.object else { return format!("{} {effect}", effect.verb.word()) };
    let words: Vec<String> = run.argv.iter().map(|word| quoted(word)).collect();
    format!("run {}{}{}", flag(run.terminal, "pty "), flag(run.opaque, "opaque "), words.join(" "))
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains([' ', '\n', ';', '\t']) { format!("{word:?}") } else { word.to_owned() }
}

fn flag(is_set: bool, text: &str) -> String {
    if is_set { text.to_owned() } else { String::new() }
}

/// `METHOD target`, and header fields after ` | `.
fn message<T>(line: &str, then: impl FnOnce(&Message<'_>) -> T) -> T {
    let (request, headers) = line.split_once(" | ").unwrap_or((line, ""));
    let (method, target) = request.split_once(' ').unwrap_or((request, ""));
    let headers: Vec<(&str, &str)> = headers.split(" | ").filter_map(|field| field.split_once(": ")).collect();
    then(&Message { headers: &headers, ..Message::new(method, target) })
}

fn asked(line: &str) -> Command {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = rest.split(' ').collect();
    // `\n` stands for the end of a line, `\r` and `\t` for those characters.
    let text = rest.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t");
    let asked = match (word, words.as_slice()) {
        ("exec", _) => Asked::Exec { line: &text, terminal: false },
        ("pty", _) => Asked::Exec { line: &text, terminal: true },
        ("sftp", [operation, path]) => Asked::File { operation, path, to: None },
        ("sftp", [operation, path, to]) => Asked::File { operation, path, to: Some(to) },
        ("forward", _) => Asked::Forward { target: rest },
        ("shell", _) => Asked::Shell,
        ("agent", _) => Asked::Agent,
        ("x11", _) => Asked::X11,
        _ => panic!("`{line}`"),
    };
    Command::ssh(&asked)
}

fn check(name: &str, command: impl Fn(&str) -> Command) {
    let path = format!("{}/tests/protocols/{name}", env!("CARGO_MANIFEST_DIR"));
    let cases = fs::read_to_string(&path).unwrap();
    let line = |line: &str| match line.split_once(" => ").or_else(|| line.split_once(" =>")) {
        Some((input, _)) => format!("{input} => {}", effects(&command(input))),
        None => line.to_owned(),
    };
    let found: Vec<String> = cases.lines().map(line).collect();
    let found = found.join("\n") + "\n";
    if std::env::var_os("REWRITE_CASES").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let wrong: Vec<_> = found.lines().zip(cases.lines()).filter(|(found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn requests_of_http() {
    check("http.txt", |line| message(line, Command::http));
}

#[test]
fn requests_to_kubernetes() {
    check("kubernetes.txt", |line| message(line, Command::kubernetes));
}

#[test]
fn command_lines_files_and_forwards() {
    check("ssh.txt", asked);
}
