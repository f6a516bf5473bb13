//! A command of replication as words, cut as `repl_scanner.l` cuts it.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::iter::Peekable;
use core::str::Chars;

/// More words are conceded.
const MOST: usize = 1 << 12;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A name or keyword, as it is written.
    Name(String),
    /// A name in double quotes.
    Quoted(String),
    /// A text in quotes.
    Text(String),
    /// A number.
    Number(String),
    /// A place in the log: `16/B374D848`.
    Position(String),
    Open,
    Close,
    Comma,
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// Whether a character belongs to a name: to one it begins with, or goes on.
pub(super) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// The words of a command, a semicolon at its end left out. `None` where it has anything else in it.
pub(super) fn read(text: &str) -> Option<Vec<Word>> {
    let text = text.trim_end_matches(is_space);
    let text = text.strip_suffix(';').unwrap_or(text);
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            _ if is_space(c) => continue,
            '(' => words.push(Word::Open),
            ')' => words.push(Word::Close),
            ',' => words.push(Word::Comma),
            '\'' => words.push(Word::Text(quoted(&mut rest, '\'')?)),
            '"' => words.push(Word::Quoted(quoted(&mut rest, '"')?)),
            _ => words.push(plain(c, &mut rest)?),
        }
        if words.len() > MOST {
            return None;
        }
    }
    Some(words)
}

/// The rest of what began with a quote; the quote doubled stands for itself.
fn quoted(rest: &mut Peekable<Chars<'_>>, quote: char) -> Option<String> {
    let mut contents = String::new();
    loop {
        let c = rest.next()?;
        if c != quote {
            contents.push(c);
        } else if rest.next_if_eq(&quote).is_some() {
            contents.push(quote);
        } else {
            return Some(contents);
        }
    }
}

/// A name, a number or a place in the log. They end where a blank, a comma or a parenthesis follows, or nothing: what is cut
/// otherwise is not what it looks like.
fn plain(first: char, rest: &mut Peekable<Chars<'_>>) -> Option<Word> {
    let mut word = String::from(first);
    while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '/')) {
        word.push(c);
    }
    if rest.peek().is_some_and(|c| !is_space(*c) && !matches!(c, '(' | ')' | ',')) {
        return None;
    }
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    match word.split_once('/') {
        Some((high, low)) if is_hex(high) && is_hex(low) => Some(Word::Position(word)),
        Some(_) => None,
        None if word.bytes().all(|byte| byte.is_ascii_digit()) => Some(Word::Number(word)),
        None if first.is_ascii_alphabetic() || first == '_' => Some(Word::Name(word)),
        None => None,
    }
}

/// The words with their literals stripped.
pub(super) fn canonical(words: &[Word]) -> Box<str> {
    let shown: Vec<String> = words
        .iter()
        .map(|word| match word {
            Word::Name(name) => name.to_owned(),
            Word::Quoted(name) => format!("\"{}\"", name.replace('"', "\"\"")),
            Word::Text(_) | Word::Number(_) | Word::Position(_) => "?".to_owned(),
            Word::Open => "(".to_owned(),
            Word::Close => ")".to_owned(),
            Word::Comma => ",".to_owned(),
        })
        .collect();
    shown.join(" ").into_boxed_str()
}

/// A place among words.
pub(super) struct Reader<'a>(&'a [Word]);

impl<'a> Reader<'a> {
    pub(super) fn new(words: &'a [Word]) -> Self {
        Self(words)
    }

    pub(super) fn is_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn at(&self, word: &Word) -> bool {
        self.0.first() == Some(word)
    }

    pub(super) fn next(&mut self) -> Option<&'a Word> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(super) fn expect(&mut self, word: &Word) -> Option<()> {
        if !self.at(word) {
            return None;
        }
        self.next().map(drop)
    }

    /// Goes past a keyword where it follows.
    pub(super) fn eat(&mut self, keyword: &str) -> bool {
        let found = matches!(self.0.first(), Some(Word::Name(name)) if name == keyword);
        if found {
            self.next();
        }
        found
    }

    /// A name, in small letters where it is not quoted.
    pub(super) fn name(&mut self) -> Option<String> {
        match self.next()? {
            Word::Name(name) => Some(name.to_ascii_lowercase()),
            Word::Quoted(name) => Some(name.clone()),
            Word::Text(_) | Word::Number(_) | Word::Position(_) | Word::Open | Word::Close | Word::Comma => None,
        }
    }

    pub(super) fn number(&mut self) -> Option<()> {
        matches!(self.next()?, Word::Number(_)).then_some(())
    }

    pub(super) fn position(&mut self) -> Option<()> {
        matches!(self.next()?, Word::Position(_)).then_some(())
    }

    /// The value of an option, where one follows.
    pub(super) fn value(&mut self) -> Option<String> {
        let value = match self.0.first()? {
            Word::Text(value) | Word::Number(value) | Word::Quoted(value) => value.clone(),
            Word::Name(value) => value.to_ascii_lowercase(),
            Word::Position(_) | Word::Open | Word::Close | Word::Comma => return None,
        };
        self.next();
        Some(value)
    }
}
