//! A text as lexemes: tokens whose contents are known to be readable, cut into statements.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::scanner::{Flaw, LiteralForm, Scanner, Token, TokenKind, Unreadable};
use crate::name::QualifiedName;

/// Texts of more tokens are conceded; a bulk INSERT of tens of thousands of values stays below.
pub(super) const MAX_TOKENS: usize = 1 << 18;

/// A token, and the escape character that its contents are read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) escape: char,
    end: usize,
}

/// The lexemes of a text up to its first flaw.
pub(super) struct Lexed {
    pub(super) lexemes: Vec<Lexeme>,
    pub(super) flaw: Option<Flaw>,
}

/// Reads a whole text.
pub(super) fn lex(text: &str) -> Lexed {
    let mut lexemes = Vec::with_capacity(text.len().min(4096) / 4 + 4);
    let mut flaw = None;
    for token in Scanner::new(text) {
        match token {
            Ok(_) if lexemes.len() >= MAX_TOKENS => flaw = Some(too_long(&lexemes)),
            Ok(token) => lexemes.push(Lexeme { token, escape: '\\', end: token.end }),
            Err(found) => flaw = Some(found),
        }
        if flaw.is_some() {
            break;
        }
    }
    if has_unicode(&lexemes)
        && let Err(at) = join_escapes(text, &mut lexemes)
    {
        flaw = Some(cut(&mut lexemes, at, "an invalid Unicode escape"));
    }
    if let Some(at) = unreadable(text, &lexemes) {
        flaw = Some(cut(&mut lexemes, at, "an invalid escape in a literal"));
    }
    Lexed { lexemes, flaw }
}

fn too_long(lexemes: &[Lexeme]) -> Flaw {
    Flaw { at: lexemes.last().map_or(0, |last| last.token.end), what: "the text is too long to be analysed" }
}

/// Drops everything from a position on.
fn cut(lexemes: &mut Vec<Lexeme>, at: usize, what: &'static str) -> Flaw {
    let flaw = Flaw { at: lexemes.get(at).map_or(0, |lexeme| lexeme.token.start), what };
    lexemes.truncate(at);
    flaw
}

fn is_unicode(lexeme: &Lexeme) -> bool {
    matches!(lexeme.token.kind, TokenKind::UnicodeQuoted | TokenKind::Literal(LiteralForm::Unicode))
}

fn has_unicode(lexemes: &[Lexeme]) -> bool {
    lexemes.iter().any(is_unicode)
}

/// Joins each `UESCAPE 'c'` with the token before it. On failure: the position of that token.
fn join_escapes(text: &str, lexemes: &mut Vec<Lexeme>) -> Result<(), usize> {
    let mut joined: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
    let mut rest = lexemes.iter().copied();
    while let Some(lexeme) = rest.next() {
        let clause = lexeme.token.kind == TokenKind::Word && lexeme.token.text(text).eq_ignore_ascii_case("uescape");
        let position = joined.len().saturating_sub(1);
        match joined.last_mut() {
            Some(before) if clause && is_unicode(before) => {
                let clause = rest.next().ok_or(position)?;
                before.escape = escape_character(text, clause).ok_or(position)?;
                before.end = clause.token.end;
            }
            _ => joined.push(lexeme),
        }
    }
    *lexemes = joined;
    Ok(())
}

fn escape_character(text: &str, lexeme: Lexeme) -> Option<char> {
    if lexeme.token.kind != TokenKind::Literal(LiteralForm::Plain) {
        return None;
    }
    let contents = lexeme.token.contents(text, '\\').ok()?;
    let escape = contents.chars().next().filter(|only| only.len_utf8() == contents.len())?;
    let forbidden =
        escape.is_ascii_hexdigit() || matches!(escape, '+' | '\'' | '"' | ' ' | '\t' | '\n' | '\r' | '\x0c');
    (!forbidden && escape.is_ascii()).then_some(escape)
}

/// The position of the first lexeme whose escapes PostgreSQL would refuse.
fn unreadable(text: &str, lexemes: &[Lexeme]) -> Option<usize> {
    let escapes =
        |lexeme: &Lexeme| is_unicode(lexeme) || matches!(lexeme.token.kind, TokenKind::Literal(LiteralForm::Escape));
    lexemes.iter().position(|lexeme| escapes(lexeme) && lexeme.contents(text).is_err())
}

impl Lexeme {
    /// The byte after it, its `UESCAPE` clause included.
    fn end(&self) -> usize {
        self.end
    }

    pub(super) fn kind(&self) -> TokenKind {
        self.token.kind
    }

    /// What the literal or quoted identifier stands for.
    pub(super) fn contents<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, Unreadable> {
        self.token.contents(text, self.escape)
    }

    /// Whether it is this keyword, given in lower case, without quotes.
    pub(super) fn is_word(&self, text: &str, word: &str) -> bool {
        self.token.kind == TokenKind::Word && self.token.text(text).eq_ignore_ascii_case(word)
    }

    /// Whether it is this operator.
    pub(super) fn is_operator(&self, text: &str, operator: &str) -> bool {
        self.token.kind == TokenKind::Operator && self.token.text(text) == operator
    }

    /// The identifier that it stands for, quoted or not.
    pub(super) fn identifier(&self, text: &str) -> Option<String> {
        match self.token.kind {
            TokenKind::Word => Some(self.token.folded(text).into_owned()),
            TokenKind::Quoted | TokenKind::UnicodeQuoted => self.contents(text).ok().map(Cow::into_owned),
            _ => None,
        }
    }
}

/// The statements of a text: cut at semicolons outside of parentheses; empty ones left out.
pub(super) fn statements<'a>(text: &'a str, lexemes: &'a [Lexeme]) -> Vec<Cursor<'a>> {
    let mut statements = Vec::new();
    let mut rest = lexemes;
    while !rest.is_empty() {
        let length = statement_length(text, rest);
        let (statement, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if !statement.is_empty() {
            statements.push(Cursor { text, lexemes: statement });
        }
        rest = after.split_first().map_or(&[], |(_, after)| after);
    }
    statements
}

/// A routine with a body of statements (`BEGIN ATOMIC`) is not cut: all that follows counts as a part of it.
fn statement_length(text: &str, lexemes: &[Lexeme]) -> usize {
    let mut depth = 0_usize;
    let creates = lexemes.first().is_some_and(|first| first.is_word(text, "create"));
    for (at, lexeme) in lexemes.iter().enumerate() {
        match lexeme.kind() {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Semicolon if depth == 0 => return at,
            TokenKind::Word if creates && lexeme.is_word(text, "atomic") => return lexemes.len(),
            _ => {}
        }
    }
    lexemes.len()
}

/// A place in a statement, and what follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) lexemes: &'a [Lexeme],
}

impl<'a> Cursor<'a> {
    pub(super) fn is_end(&self) -> bool {
        self.lexemes.is_empty()
    }

    pub(super) fn peek(&self) -> Option<&'a Lexeme> {
        self.lexemes.first()
    }

    /// The next lexeme, if it is of this kind.
    pub(super) fn at(&self, kind: TokenKind) -> bool {
        self.peek().is_some_and(|next| next.kind() == kind)
    }

    pub(super) fn at_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|next| next.is_word(self.text, word))
    }

    /// Whether these keywords follow in this order.
    pub(super) fn at_words(&self, words: &[&str]) -> bool {
        self.lexemes.len() >= words.len()
            && self.lexemes.iter().zip(words).all(|(lexeme, word)| lexeme.is_word(self.text, word))
    }

    /// The same without these keywords at the end, where they stand there.
    pub(super) fn without_tail(&self, words: &[&str]) -> Self {
        let length = self.lexemes.len().saturating_sub(words.len());
        let tail = Self { text: self.text, lexemes: self.lexemes.get(length..).unwrap_or(&[]) };
        let found = self.lexemes.len() > words.len() && tail.at_words(words);
        let lexemes = if found { self.lexemes.get(..length).unwrap_or(&[]) } else { self.lexemes };
        Self { text: self.text, lexemes }
    }

    /// What stands before `rest`, which is its end.
    pub(super) fn before(&self, rest: &Self) -> Self {
        let length = self.lexemes.len().saturating_sub(rest.lexemes.len());
        Self { text: self.text, lexemes: self.lexemes.get(..length).unwrap_or(&[]) }
    }

    /// The text from the first lexeme to the last.
    pub(super) fn source(&self) -> &'a str {
        match (self.lexemes.first(), self.lexemes.last()) {
            (Some(first), Some(last)) => self.text.get(first.token.start..last.end()).unwrap_or(""),
            _ => "",
        }
    }

    /// Goes past the next lexeme and gives it.
    pub(super) fn advance(&mut self) -> Option<&'a Lexeme> {
        let (first, rest) = self.lexemes.split_first()?;
        self.lexemes = rest;
        Some(first)
    }

    /// Goes past the next lexeme where it is of this kind.
    pub(super) fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.advance();
        }
        found
    }

    /// Goes past these keywords where all of them follow in this order.
    pub(super) fn eat_words(&mut self, words: &[&str]) -> bool {
        let follow = self.at_words(words);
        if follow {
            self.lexemes = self.lexemes.get(words.len()..).unwrap_or(&[]);
        }
        follow
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.eat_words(&[word])
    }

    /// Goes past the first of these keywords that follows, and gives it.
    pub(super) fn eat_any<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        words.iter().copied().find(|word| self.eat_word(word))
    }

    /// The next lexeme as an identifier.
    pub(super) fn identifier(&mut self) -> Option<String> {
        let name = self.peek()?.identifier(self.text)?;
        self.advance();
        Some(name)
    }

    /// `name`, `schema.name` or `database.schema.name`.
    pub(super) fn name(&mut self) -> Option<QualifiedName> {
        let mut schema = None;
        let mut name = self.identifier()?;
        let mut parts = 1;
        while self.eat(TokenKind::Period) {
            schema = Some(core::mem::replace(&mut name, self.identifier()?));
            parts += 1;
        }
        (parts <= 3).then_some(QualifiedName { schema, name })
    }

    /// The next lexeme as a literal in quotes.
    pub(super) fn literal(&mut self) -> Option<Cow<'a, str>> {
        let next = self.peek().filter(|next| matches!(next.kind(), TokenKind::Literal(_)))?;
        self.advance();
        next.contents(self.text).ok()
    }

    /// Goes past a pair of parentheses and gives what is inside.
    pub(super) fn group(&mut self) -> Option<Cursor<'a>> {
        if !self.at(TokenKind::Open) {
            return None;
        }
        let mut depth = 0_usize;
        for (at, lexeme) in self.lexemes.iter().enumerate() {
            match lexeme.kind() {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inside = self.lexemes.get(1..at).unwrap_or(&[]);
                self.lexemes = self.lexemes.get(at + 1..).unwrap_or(&[]);
                return Some(Cursor { text: self.text, lexemes: inside });
            }
        }
        None
    }

    /// Whether the keyword stands anywhere from here on.
    pub(super) fn mentions(&self, word: &str) -> bool {
        self.lexemes.iter().any(|lexeme| lexeme.is_word(self.text, word))
    }

    /// What follows the first of this keyword outside of parentheses.
    pub(super) fn after_word(&self, word: &str) -> Option<Self> {
        let mut depth = 0_usize;
        for (at, lexeme) in self.lexemes.iter().enumerate() {
            match lexeme.kind() {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                TokenKind::Word if depth == 0 && lexeme.is_word(self.text, word) => {
                    return Some(Self { text: self.text, lexemes: self.lexemes.get(at + 1..)? });
                }
                _ => {}
            }
        }
        None
    }
}
