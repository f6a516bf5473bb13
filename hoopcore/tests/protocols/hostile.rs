//! No bytes panic, nothing is deep, and what is read is read the same from its own words.

use hoopcore::command::ssh::{Asked, Object};
use hoopcore::command::{Effects, Message};
use hoopcore::{Command, Coverage};
use proptest::prelude::*;

fn line(text: &str) -> Command {
    Command::ssh(&Asked::Exec { line: text, terminal: false })
}

#[test]
fn long_and_deep_lines_end() {
    for unit in ["(", "{ ", "if ", "! ", "<<< x ", "< x ", "2>&1 ", "\\\n", "'x'", "#\n", "<<E ", "a;", "a\n", "&&"] {
        let text = unit.repeat(64 * 1024 / unit.len());
        drop(line(&text));
        drop(line(&text.repeat(2)));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_not(text in "[ -~\\n\\t\\r]{0,40}|\\PC{0,40}") {
        drop(line(&text));
        drop(Command::http(&Message::new("GET", &text)));
        drop(Command::kubernetes(&Message::new("GET", &text)));
        drop(Command::ssh(&Asked::Forward { target: &text }));
    }

    /// A word in single quotes is that word.
    #[test]
    fn quoted_words_come_out_as_they_are(words in prop::collection::vec("[ -&(-~]{1,8}", 1..5)) {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let command = line(&quoted.join(" "));
        let Effects::Ssh(effects) = command.what() else { panic!("SSH") };
        let assigns = words[0].contains('=');
        let read = matches!(&effects[0].object, Object::Run(run) if *run.argv == *words);
        prop_assert!(read || assigns, "{:?}", effects);
    }

    /// The canonical path is canonical: read again it is the same.
    #[test]
    fn a_canonical_path_stays(path in "(/[a-c.%0-9A-F;~-]{0,5}){1,4}") {
        let first = Command::http(&Message::new("GET", &path));
        if first.coverage() == Coverage::Full {
            let canonical = first.effects()[0].to_string();
            let again = Command::http(&Message::new("GET", &canonical));
            prop_assert_eq!(again.coverage(), Coverage::Full);
            prop_assert_eq!(again.effects()[0].to_string(), canonical);
        }
    }
}
