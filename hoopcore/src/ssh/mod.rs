//! From what is asked of an SSH server to its effects: commands, files, forwards, sessions.
//!
//! A command line is read as the shell of the server reads it, bash or a POSIX shell: into the words of each simple
//! command, where they are written out. What the shell would have to compute (expansions, substitutions, patterns) and
//! what changes the meaning of later words (aliases, functions, variables) is not followed: the line has the effect
//! `unknown` beside those that were recognised.
//!
//! ```
//! use hoopcore::Command;
//! use hoopcore::command::ssh::Asked;
//!
//! let command = Command::ssh(&Asked::Exec { line: "cd /srv && git 'status' > /tmp/out", terminal: false });
//! let words: Vec<String> = command.effects().iter().map(|one| format!("{} {one}", one.verb())).collect();
//! assert_eq!(words, ["run cd /srv", "write /tmp/out", "run git status"]);
//! let computed = Command::ssh(&Asked::Exec { line: "rm -rf $HOME", terminal: false });
//! assert!(computed.effects().iter().any(|effect| effect.is_unknown()));
//! ```

mod address;
mod file;
mod shell;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::command::ssh::{Asked, Effect, Verb};
use crate::command::{Command, Coverage, Effects};

/// Why something was not understood.
type Unread = &'static str;

/// The command that a request on an SSH connection is.
pub(crate) fn analyse(asked: &Asked<'_>) -> Command {
    let text = asked.text();
    match asked {
        Asked::Exec { line, terminal } => {
            let shell::Line { effects, unread } = shell::read(line, *terminal);
            command(&text, effects, unread)
        }
        Asked::File { operation, path, to } => found(&text, file::effects(operation, path, *to)),
        Asked::Forward { target } => found(&text, address::read(target).map(|effect| vec![effect])),
        Asked::Shell => command(&text, vec![Effect::of(Verb::Shell)], None),
        Asked::Agent => command(&text, vec![Effect::of(Verb::Agent)], None),
        Asked::X11 => command(&text, vec![Effect::of(Verb::X11)], None),
    }
}

fn found(text: &str, effects: Result<Vec<Effect>, Unread>) -> Command {
    match effects {
        Ok(effects) => command(text, effects, None),
        Err(why) => command(text, Vec::new(), Some(why)),
    }
}

fn command(text: &str, mut effects: Vec<Effect>, unread: Option<Unread>) -> Command {
    effects.extend(unread.map(|_| Effect::unknown()));
    let words: Vec<String> =
        effects.iter().map(|effect| format!("{} {}", effect.verb.word(), effect.recorded())).collect();
    let coverage = unread.map_or(Coverage::Full, |why| Coverage::Partial(why.into()));
    Command::of(text, words.join("; ").into(), Effects::Ssh(effects.into()), coverage)
}
