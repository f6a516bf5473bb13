//! A command line as a shell reads it: the simple commands in it, and the files that it redirects to and from.
//!
//! bash and POSIX shells must agree about what is read here. It is one pass over the tokens without recursion: every
//! simple command is taken down, wherever it stands in lists, pipelines, conditions and loops. Words that the shell
//! computes end the reading: what was recognised before stays, and the rest is unread.

mod meaning;
mod scanner;

use alloc::string::String;
use alloc::vec::Vec;

use super::Unread;
use crate::command::Run;
use crate::command::opaque::is_opaque;
use crate::command::ssh::{Effect, Object, Verb};
use meaning::changes_meaning;
use scanner::{Direction, Redirect, Scanner, Token, Word};

/// The longest line that is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// How many simple commands a line may have.
const COMMANDS: usize = 256;

/// What a line does.
pub(super) struct Line {
    pub(super) effects: Vec<Effect>,
    /// Why not all of it was read.
    pub(super) unread: Option<Unread>,
}

/// Reads a line.
pub(super) fn read(line: &str, terminal: bool) -> Line {
    let mut reading = Reading { terminal, ..Reading::default() };
    let end = if line.len() > LONGEST { Err("the command line is too long") } else { reading.line(line) };
    let unread = end.err().or_else(|| reading.effects.is_empty().then_some("the command line holds no command"));
    Line { effects: reading.effects, unread }
}

/// Where in the grammar a word stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// A command may begin: a first word may be reserved.
    #[default]
    Begin,
    /// Within a simple command.
    Within,
    /// After `fi`, `done`, `}` or `)`: redirections or an operator.
    After,
}

#[derive(Default)]
struct Reading {
    effects: Vec<Effect>,
    /// The words of the command at hand.
    argv: Vec<String>,
    place: Place,
    terminal: bool,
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), Unread> {
        let mut scanner = Scanner::new(line);
        while let Some(token) = scanner.next_token()? {
            match token {
                Token::Word(word) => self.word(word)?,
                Token::Redirect(redirect) => self.redirect(redirect)?,
                Token::Plumbing => self.redirected(),
                Token::Operator | Token::Newline => self.end()?,
                Token::Open => self.open()?,
                Token::Close => {
                    self.end()?;
                    self.place = Place::After;
                }
            }
        }
        self.end()
    }

    fn word(&mut self, word: Word) -> Result<(), Unread> {
        match self.place {
            Place::Begin if word.is_plain => self.first(word.text),
            Place::Begin | Place::Within => self.push(word.text),
            Place::After => Err("a word stands where the shell expects the end of a command"),
        }
    }

    /// The first word of a command, written without quotes: it may be reserved.
    fn first(&mut self, word: String) -> Result<(), Unread> {
        match word.as_str() {
            "if" | "then" | "elif" | "else" | "while" | "until" | "do" | "{" | "!" => {}
            "fi" | "done" | "}" => self.place = Place::After,
            "for" | "case" | "esac" | "in" | "select" | "function" | "time" | "coproc" | "[[" | "]]" => {
                return Err("the command line has a construct of the shell that hoop does not follow");
            }
            _ => return self.push(word),
        }
        Ok(())
    }

    /// One more word of the command at hand. Before its program it may be an assignment, of whatever is quoted.
    fn push(&mut self, word: String) -> Result<(), Unread> {
        if self.argv.is_empty() && is_assignment(&word) {
            return Err("it sets a variable, which may change what later words mean");
        }
        self.place = Place::Within;
        self.argv.push(word);
        Ok(())
    }

    /// After a redirection no word of the command is reserved.
    fn redirected(&mut self) {
        if self.place == Place::Begin {
            self.place = Place::Within;
        }
    }

    fn open(&mut self) -> Result<(), Unread> {
        match self.place {
            Place::Begin => Ok(()),
            Place::Within | Place::After => Err("it defines a function or an array"),
        }
    }

    fn redirect(&mut self, redirect: Redirect) -> Result<(), Unread> {
        let Redirect { direction, path } = redirect;
        self.redirected();
        if path.is_empty() || path.contains(|c: char| c.is_control()) {
            return Err("it redirects to a path that is empty, or has a control character");
        }
        if path.starts_with("/dev/tcp") || path.starts_with("/dev/udp") {
            return Err("it opens a connection to a host");
        }
        if path == "/dev/null" {
            return Ok(());
        }
        let verbs: &[Verb] = match direction {
            Direction::In => &[Verb::Read],
            Direction::Out => &[Verb::Write],
            Direction::Both => &[Verb::Read, Verb::Write],
        };
        self.effects.extend(verbs.iter().map(|verb| Effect::on_path(*verb, path.as_str())));
        Ok(())
    }

    /// The command at hand ends.
    fn end(&mut self) -> Result<(), Unread> {
        self.place = Place::Begin;
        if self.argv.is_empty() {
            return Ok(());
        }
        let argv = core::mem::take(&mut self.argv);
        let (opaque, changes) = (is_opaque(&argv), changes_meaning(&argv));
        self.effects.push(Effect {
            verb: Verb::Run,
            object: Object::Run(Run { argv: argv.into(), terminal: self.terminal, opaque }),
        });
        if changes {
            return Err("a command of the shell may change what later words mean");
        }
        if self.effects.len() > COMMANDS {
            return Err("the command line has too many commands");
        }
        Ok(())
    }
}

/// `NAME=…`, `NAME+=…`.
fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(begins) && name.chars().all(|c| begins(c) || c.is_ascii_digit())
}
