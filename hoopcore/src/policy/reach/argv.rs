//! Patterns on the words of a command: `git {status,log} **`.
//!
//! `*` is one word, or any run of characters within one; `**` at the end is any rest; `{a,b}` is either. Quotes take
//! the meaning from what stands in them. In what an allow or approve covers, a wildcard matches no word that begins
//! with `-`, for options can write files and reach hosts, and nothing of an opaque command; in a block it matches
//! every word.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Sense;
use crate::command::Run;

/// How many words one word with braces may stand for.
const ALTERNATIVES: usize = 256;

/// A pattern on the words of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArgvPattern {
    /// For each word the alternatives.
    words: Box<[Box<[Word]>]>,
    /// Whether any rest may follow.
    rest: bool,
    sense: Sense,
}

/// A word: literal pieces, with any run of characters between two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word(Box<[Box<str>]>);

impl ArgvPattern {
    /// The pattern that every command matches, as far as wildcards do.
    pub(crate) fn every(sense: Sense) -> Self {
        Self { words: Box::default(), rest: true, sense }
    }

    /// Whether every command matches, as far as wildcards do.
    pub(crate) fn is_every(&self) -> bool {
        self.words.is_empty() && self.rest
    }

    /// Reads a pattern; `Err` says what is wrong with it.
    pub(crate) fn parse(text: &str, sense: Sense) -> Result<Self, &'static str> {
        let mut words = Vec::new();
        let mut rest = false;
        let mut left = text.trim_start();
        while !left.is_empty() {
            if rest {
                return Err("`**` stands for any rest, so it is the last word");
            }
            let after =
                left.strip_prefix("**").filter(|after| after.is_empty() || after.starts_with(char::is_whitespace));
            if let Some(after) = after {
                (rest, left) = (true, after.trim_start());
                continue;
            }
            let (word, after) = word(left)?;
            words.push(word);
            left = after.trim_start();
        }
        if words.is_empty() && !rest {
            return Err("it has no words");
        }
        Ok(Self { words: words.into(), rest, sense })
    }

    /// Whether its commands are part of another's: of the same words, or of all words where a block names them, for a
    /// wildcard of what covers matches less than words that are written out.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let senses = self.sense == other.sense || other.sense == Sense::Refuses;
        let same = self.words == other.words && self.rest == other.rest;
        senses && (same || (other.is_every() && other.sense == Sense::Refuses))
    }

    /// Whether a command matches.
    pub(crate) fn matches(&self, run: &Run) -> bool {
        let argv = &run.argv;
        if argv.len() < self.words.len() || argv.len() > self.words.len() && !self.rest {
            return false;
        }
        if run.opaque && self.sense == Sense::Covers && !self.is_literal() {
            return false;
        }
        let (named, rest) = argv.split_at(self.words.len());
        let mut words = self.words.iter().zip(named).enumerate();
        words.all(|(at, (either, word))| either.iter().any(|one| one.matches(word, at == 0, self.sense)))
            && rest.iter().all(|word| is_matched_by_any(word, self.sense))
    }

    fn is_literal(&self) -> bool {
        !self.rest && self.words.iter().flatten().all(Word::is_literal)
    }
}

impl Word {
    fn is_literal(&self) -> bool {
        self.0.len() == 1
    }

    /// `*`, and nothing else.
    fn is_any(&self) -> bool {
        self.0.len() > 1 && self.0.iter().all(|piece| piece.is_empty())
    }

    fn matches(&self, word: &str, is_program: bool, sense: Sense) -> bool {
        if self.is_any() {
            return is_matched_by_any(word, sense);
        }
        match sense {
            Sense::Covers => self.glob(word) && (self.is_literal() || self.surely_within(word)),
            // A program may be named with its directory.
            Sense::Refuses if is_program => {
                self.glob(word) || self.glob(last_part(word)) || self.0.len() == 1 && self.names(last_part(word))
            }
            Sense::Refuses => self.glob(word),
        }
    }

    /// Whether what the wildcards stand for is no option, and no path out of where the pattern points.
    fn surely_within(&self, word: &str) -> bool {
        let slashes = |text: &str| text.bytes().filter(|byte| *byte == b'/').count();
        let is_named = self.0.first().is_some_and(|piece| !piece.is_empty()) || !word.starts_with('-');
        // All slashes are literal ones.
        let is_within = slashes(word) == self.0.iter().map(|piece| slashes(piece)).sum::<usize>();
        is_named && is_within && word.split('/').all(|segment| segment != "..")
    }

    /// Whether it is a literal that names this program, wherever that is.
    fn names(&self, program: &str) -> bool {
        self.0.first().is_some_and(|piece| last_part(piece) == program)
    }

    fn glob(&self, word: &str) -> bool {
        let Some((first, rest)) = self.0.split_first() else { return false };
        let Some(mut left) = word.strip_prefix(&**first) else { return false };
        let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
        for piece in middle {
            let Some((_, after)) = left.split_once(&**piece) else { return false };
            left = after;
        }
        left.ends_with(&**last)
    }
}

/// What stands after the last slash.
fn last_part(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}

/// Whether a `*` or `**` matches a word.
fn is_matched_by_any(word: &str, sense: Sense) -> bool {
    match sense {
        Sense::Covers => !word.starts_with('-'),
        Sense::Refuses => true,
    }
}

/// The alternatives of the first word, and what follows it.
fn word(text: &str) -> Result<(Box<[Word]>, &str), &'static str> {
    let mut words: Vec<Vec<String>> = vec![vec![String::new()]];
    let mut left = text;
    while let Some(c) = left.chars().next().filter(|c| !c.is_whitespace()) {
        let after = left.get(c.len_utf8()..).unwrap_or_default();
        left = match c {
            '\'' | '"' => {
                let (quoted, after) = after.split_once(c).ok_or("a closing quote is missing")?;
                words.iter_mut().for_each(|pieces| push(pieces, quoted));
                after
            }
            '{' => {
                let (inside, after) = after.split_once('}').ok_or("the closing `}` is missing")?;
                words = either(&words, inside)?;
                after
            }
            '}' => return Err("a `}` closes nothing; quote it to mean the character"),
            '*' if after.starts_with('*') => return Err("`**` is a word of its own, the last one"),
            '*' => {
                words.iter_mut().for_each(|pieces| pieces.push(String::new()));
                after
            }
            c => {
                let mut buffer = [0; 4];
                words.iter_mut().for_each(|pieces| push(pieces, c.encode_utf8(&mut buffer)));
                after
            }
        };
    }
    let word = |pieces: Vec<String>| Word(pieces.into_iter().map(String::into_boxed_str).collect());
    Ok((words.into_iter().map(word).collect(), left))
}

/// Each of the words so far with each of the alternatives.
fn either(words: &[Vec<String>], inside: &str) -> Result<Vec<Vec<String>>, &'static str> {
    if inside.contains(|c: char| matches!(c, '{' | '*' | '\'' | '"') || c.is_whitespace()) {
        return Err("braces hold plain alternatives: `{status,log}`");
    }
    let mut all = Vec::new();
    for alternative in inside.split(',') {
        for pieces in words {
            let mut pieces = pieces.to_owned();
            push(&mut pieces, alternative);
            all.push(pieces);
        }
    }
    if all.len() > ALTERNATIVES { Err("the braces stand for too many words") } else { Ok(all) }
}

fn push(pieces: &mut [String], text: &str) {
    if let Some(last) = pieces.last_mut() {
        last.push_str(text);
    }
}
