//! Reads PostgreSQL's tokens exactly as its own lexer does (`src/backend/parser/scan.l`, PostgreSQL 15).
//!
//! Whoever judges a statement must see the same literals, comments and semicolons as the server that runs it. The
//! scanner assumes that a text was decoded as the server decodes it, and `standard_conforming_strings = on`. Where
//! supported versions of PostgreSQL differ (vertical tab, junk after a number, `0x1F`, `1_000`) it refuses.
//! It allocates nothing and takes time proportional to the text.

mod literal;

pub use literal::Unreadable;
use memchr::{memchr, memchr2, memchr3};

/// Block comments nested deeper than this are refused: PostgreSQL itself takes quadratic time for them.
pub const COMMENT_DEPTH: usize = 64;

/// PostgreSQL cuts identifiers to this many bytes.
pub const IDENTIFIER_BYTES: usize = 63;

/// Operator characters in a row that are looked at: each operator looks at all that follow it.
const MAX_RUN: usize = 1024;

/// One token and where it stands in the text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

impl Token {
    /// The bytes of the token, prefix and quotes included.
    #[must_use]
    pub fn text<'a>(&self, of: &'a str) -> &'a str {
        of.get(self.start..self.end).unwrap_or("")
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword or an identifier without quotes.
    Word,
    /// An identifier in quotes.
    Quoted,
    /// An identifier written `U&"…"`; a `UESCAPE` clause may follow.
    UnicodeQuoted,
    /// A literal in quotes.
    Literal(LiteralForm),
    /// A number.
    Number,
    /// A parameter, `$1`.
    Parameter,
    /// An operator, one byte or more.
    Operator,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `.`
    Period,
    /// `..`
    Range,
    /// `:`
    Colon,
    /// `::`
    Cast,
    /// `:=`
    Assign,
    /// `=>`
    Arrow,
}

/// How a literal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralForm {
    /// `'…'`
    Plain,
    /// `E'…'`
    Escape,
    /// `B'…'`
    Bits,
    /// `X'…'`
    Hex,
    /// `N'…'`
    National,
    /// `U&'…'`; a `UESCAPE` clause may follow.
    Unicode,
    /// `$tag$…$tag$`
    Dollar,
}

/// Why a text cannot be read on, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The byte at which the unreadable part begins.
    pub at: usize,
    /// What is wrong, in words for the reader of a record.
    pub what: &'static str,
}

/// The tokens of a text, in order; ends at the first flaw.
///
/// ```
/// use hoopcore::sql::scanner::{Scanner, TokenKind};
///
/// let kinds: Vec<_> = Scanner::new("SELECT a$b$ --\r; x").map(|token| token.map(|token| token.kind)).collect();
/// assert_eq!(kinds, [Ok(TokenKind::Word), Ok(TokenKind::Word), Ok(TokenKind::Semicolon), Ok(TokenKind::Word)]);
/// ```
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    done: bool,
}

impl<'a> Scanner<'a> {
    /// A scanner at the beginning of the text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, done: false }
    }

    /// The byte at a distance from the current one; NUL past the end, which no readable text holds.
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or(&[])
    }

    fn flaw(at: usize, what: &'static str) -> Flaw {
        Flaw { at, what }
    }

    fn skip_blanks(&mut self) -> Result<(), Flaw> {
        loop {
            match self.peek(0) {
                byte if is_space(byte) => self.at += 1,
                b'-' if self.peek(1) == b'-' => self.skip_line_comment(),
                b'/' if self.peek(1) == b'*' => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// A line comment ends at a line feed or a carriage return.
    fn skip_line_comment(&mut self) {
        self.at += memchr2(b'\n', b'\r', self.rest()).unwrap_or(self.rest().len());
    }

    fn skip_block_comment(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                    if depth > COMMENT_DEPTH {
                        return Err(Self::flaw(start, "comments are nested too deep"));
                    }
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.skip_to_comment_mark(start)?,
            }
        }
    }

    fn skip_to_comment_mark(&mut self, start: usize) -> Result<(), Flaw> {
        let from = self.at + 1;
        let rest = self.bytes.get(from..).unwrap_or(&[]);
        match memchr3(b'*', b'/', 0, rest) {
            Some(found) if rest.get(found) != Some(&0) => {
                self.at = from + found;
                Ok(())
            }
            _ => Err(Self::flaw(start, "a comment is not closed")),
        }
    }

    fn token(&mut self) -> Result<TokenKind, Flaw> {
        match self.peek(0) {
            b'\'' => self.quoted_literal(0, LiteralForm::Plain),
            b'"' => self.quoted_identifier(0, TokenKind::Quoted),
            b'$' => self.dollar(),
            b'e' | b'E' if self.peek(1) == b'\'' => self.escape_literal(),
            b'b' | b'B' if self.peek(1) == b'\'' => self.quoted_literal(1, LiteralForm::Bits),
            b'x' | b'X' if self.peek(1) == b'\'' => self.quoted_literal(1, LiteralForm::Hex),
            b'n' | b'N' if self.peek(1) == b'\'' => self.quoted_literal(1, LiteralForm::National),
            b'u' | b'U' if self.peek(1) == b'&' && self.peek(2) == b'\'' => {
                self.quoted_literal(2, LiteralForm::Unicode)
            }
            b'u' | b'U' if self.peek(1) == b'&' && self.peek(2) == b'"' => {
                self.quoted_identifier(2, TokenKind::UnicodeQuoted)
            }
            byte if is_word_start(byte) => Ok(self.word()),
            byte if byte.is_ascii_digit() => self.number(),
            b'.' if self.peek(1).is_ascii_digit() => self.number(),
            byte => self.mark(byte),
        }
    }

    fn word(&mut self) -> TokenKind {
        while is_word_part(self.peek(0)) {
            self.at += 1;
        }
        TokenKind::Word
    }

    fn mark(&mut self, byte: u8) -> Result<TokenKind, Flaw> {
        let kind = match (byte, self.peek(1)) {
            (b'.', b'.') | (b':', b':' | b'=') => return Ok(self.double_mark(byte)),
            (b',', _) => TokenKind::Comma,
            (b';', _) => TokenKind::Semicolon,
            (b'(', _) => TokenKind::Open,
            (b')', _) => TokenKind::Close,
            (b'[', _) => TokenKind::OpenBracket,
            (b']', _) => TokenKind::CloseBracket,
            (b'.', _) => TokenKind::Period,
            (b':', _) => TokenKind::Colon,
            _ if is_operator(byte) => return self.operator(),
            _ => return Err(Self::flaw(self.at, "a character that PostgreSQL does not know outside of literals")),
        };
        self.at += 1;
        Ok(kind)
    }

    fn double_mark(&mut self, byte: u8) -> TokenKind {
        let second = self.peek(1);
        self.at += 2;
        match (byte, second) {
            (b'.', _) => TokenKind::Range,
            (_, b'=') => TokenKind::Assign,
            _ => TokenKind::Cast,
        }
    }

    /// The longest run of operator characters, cut where a comment begins; a trailing `+` or `-` belongs to it only
    /// where one of `~ ! @ # ^ & | ? %` or a backtick stands before.
    fn operator(&mut self) -> Result<TokenKind, Flaw> {
        let start = self.at;
        let run = self.rest().iter().take(MAX_RUN + 1).take_while(|byte| is_operator(**byte)).count();
        if run > MAX_RUN {
            return Err(Self::flaw(start, "too many operators in a row"));
        }
        let run = self.rest().get(..run).unwrap_or(&[]);
        let cut = run.windows(2).position(|pair| pair == b"/*" || pair == b"--").unwrap_or(run.len());
        let length = operator_length(run.get(..cut).unwrap_or(run));
        if length > IDENTIFIER_BYTES {
            return Err(Self::flaw(start, "an operator is too long"));
        }
        self.at += length;
        Ok(if run.get(..length) == Some(b"=>") { TokenKind::Arrow } else { TokenKind::Operator })
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Result<TokenKind, Flaw> {
        let start = self.at;
        self.digits();
        if self.peek(0) == b'.' && self.peek(1) != b'.' {
            self.at += 1;
            self.digits();
        }
        let exponent = matches!(self.peek(0), b'e' | b'E');
        let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
        if exponent && self.peek(1 + sign).is_ascii_digit() {
            self.at += 1 + sign;
            self.digits();
        }
        if is_word_start(self.peek(0)) || self.peek(0) == b'$' {
            return Err(Self::flaw(start, "letters follow a number, which versions of PostgreSQL read differently"));
        }
        Ok(TokenKind::Number)
    }

    /// `$1`, or a dollar quote; a lone `$` is nothing.
    fn dollar(&mut self) -> Result<TokenKind, Flaw> {
        let start = self.at;
        if !self.peek(1).is_ascii_digit() {
            return self.dollar_literal();
        }
        self.at += 1;
        self.digits();
        if is_word_start(self.peek(0)) {
            return Err(Self::flaw(start, "letters follow a parameter, which versions of PostgreSQL read differently"));
        }
        Ok(TokenKind::Parameter)
    }

    fn dollar_literal(&mut self) -> Result<TokenKind, Flaw> {
        let start = self.at;
        let mut length = 1;
        while is_tag_part(self.peek(length)) {
            length += 1;
        }
        if self.peek(length) != b'$' {
            return Err(Self::flaw(start, "a lone `$`"));
        }
        let tag = self.rest().get(..=length).unwrap_or(&[]);
        self.at += tag.len();
        let Some(found) = memchr::memmem::find(self.rest(), tag) else {
            return Err(Self::flaw(start, "a dollar-quoted literal is not closed"));
        };
        self.at += found + tag.len();
        Ok(TokenKind::Literal(LiteralForm::Dollar))
    }

    /// A literal in which only a doubled quote stands for a quote, and in `B'…'` and `X'…'` not even that.
    fn quoted_literal(&mut self, prefix: usize, form: LiteralForm) -> Result<TokenKind, Flaw> {
        let start = self.at;
        self.at += prefix + 1;
        loop {
            let Some(found) = memchr(b'\'', self.rest()) else {
                return Err(Self::flaw(start, "a literal is not closed"));
            };
            self.at += found + 1;
            let digits = matches!(form, LiteralForm::Bits | LiteralForm::Hex);
            if !(self.is_continued() || !digits && self.is_doubled()) {
                return Ok(TokenKind::Literal(form));
            }
        }
    }

    fn escape_literal(&mut self) -> Result<TokenKind, Flaw> {
        let start = self.at;
        self.at += 2;
        loop {
            let Some(found) = memchr2(b'\'', b'\\', self.rest()) else {
                return Err(Self::flaw(start, "a literal is not closed"));
            };
            self.at += found;
            let escaped = self.peek(0) == b'\\';
            self.at += if escaped { 2 } else { 1 };
            if !escaped && !self.is_doubled() && !self.is_continued() {
                return Ok(TokenKind::Literal(LiteralForm::Escape));
            }
        }
    }

    /// Goes past a second quote after the first: it belongs to the literal.
    fn is_doubled(&mut self) -> bool {
        let doubled = self.peek(0) == b'\'';
        if doubled {
            self.at += 1;
        }
        doubled
    }

    /// Goes past blanks with a line break in them and a quote: it continues the literal, by the rules that it began
    /// with.
    fn is_continued(&mut self) -> bool {
        let length = continuation(self.rest());
        self.at += length.unwrap_or(0);
        length.is_some()
    }

    fn quoted_identifier(&mut self, prefix: usize, kind: TokenKind) -> Result<TokenKind, Flaw> {
        let start = self.at;
        self.at += prefix + 1;
        let from = self.at;
        loop {
            let Some(found) = memchr(b'"', self.rest()) else {
                return Err(Self::flaw(start, "a quoted identifier is not closed"));
            };
            self.at += found + 1;
            if self.peek(0) != b'"' {
                break;
            }
            self.at += 1;
        }
        if self.at == from + 1 {
            return Err(Self::flaw(start, "an empty quoted identifier"));
        }
        Ok(kind)
    }

    fn next_token(&mut self) -> Result<Option<Token>, Flaw> {
        if self.at == 0 && memchr(0, self.bytes).is_some() {
            return Err(Self::flaw(0, "the text holds a NUL byte"));
        }
        self.skip_blanks()?;
        let start = self.at;
        if start >= self.text.len() {
            return Ok(None);
        }
        let kind = self.token()?;
        Ok(Some(Token { kind, start, end: self.at }))
    }
}

impl Iterator for Scanner<'_> {
    type Item = Result<Token, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.next_token().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// How many bytes of a run of operator characters are one operator.
fn operator_length(run: &[u8]) -> usize {
    if run.iter().any(|byte| matches!(byte, b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%')) {
        return run.len();
    }
    run.iter().rposition(|byte| !matches!(byte, b'+' | b'-')).map_or(1, |last| last + 1)
}

/// The length of blanks with a line break and of the quote after them, where a literal is continued.
///
/// Line comments may stand among the blanks; block comments may not.
fn continuation(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut line_broken = false;
    loop {
        match rest.get(at)? {
            b'\'' if line_broken => return Some(at + 1),
            b'\n' | b'\r' => {
                line_broken = true;
                at += 1;
            }
            b' ' | b'\t' | b'\x0c' => at += 1,
            b'-' if rest.get(at + 1) == Some(&b'-') => at += memchr2(b'\n', b'\r', rest.get(at..)?)?,
            _ => return None,
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word_part(byte: u8) -> bool {
    is_tag_part(byte) || byte == b'$'
}

fn is_tag_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit()
}

fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}
