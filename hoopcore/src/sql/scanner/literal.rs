//! What literals and identifiers stand for: quotes, escapes and continuations resolved as PostgreSQL does.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{IDENTIFIER_BYTES, LiteralForm, Token, TokenKind, continuation};

/// A literal or identifier whose escapes PostgreSQL would refuse, or that this scanner does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Token {
    /// The identifier that a word stands for: ASCII letters in lower case, cut at 63 bytes.
    #[must_use]
    pub fn folded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let word = cut(self.text(text));
        if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(word.to_ascii_lowercase())
        } else {
            Cow::Borrowed(word)
        }
    }

    /// The identifier that a quoted one stands for, or the contents of a literal.
    ///
    /// `escape` is the character of a `UESCAPE` clause, a backslash where there is none; it counts for the `U&`
    /// forms alone. Bit strings come out as they are written.
    ///
    /// # Errors
    /// Where PostgreSQL would refuse an escape.
    pub fn contents<'a>(&self, text: &'a str, escape: char) -> Result<Cow<'a, str>, Unreadable> {
        let text = self.text(text);
        match self.kind {
            TokenKind::Quoted => Ok(cut_cow(undouble(inner(text, 1), '"'))),
            TokenKind::UnicodeQuoted => {
                let raw = undouble(inner(text, 3), '"');
                Ok(cut_cow(Cow::Owned(unicode(&raw, escape)?)))
            }
            TokenKind::Literal(LiteralForm::Plain) => Ok(joined(inner(text, 1))),
            TokenKind::Literal(LiteralForm::Bits | LiteralForm::Hex | LiteralForm::National) => {
                Ok(joined(inner(text, 2)))
            }
            TokenKind::Literal(LiteralForm::Unicode) => Ok(Cow::Owned(unicode(&joined(inner(text, 3)), escape)?)),
            TokenKind::Literal(LiteralForm::Escape) => escaped(inner(text, 2)).map(Cow::Owned),
            TokenKind::Literal(LiteralForm::Dollar) => Ok(Cow::Borrowed(dollar(text))),
            _ => Ok(Cow::Borrowed(text)),
        }
    }
}

fn inner(text: &str, prefix: usize) -> &str {
    text.get(prefix..text.len().saturating_sub(1)).unwrap_or("")
}

fn dollar(text: &str) -> &str {
    let tag = text.bytes().skip(1).position(|byte| byte == b'$').unwrap_or(0) + 2;
    text.get(tag..text.len().saturating_sub(tag)).unwrap_or("")
}

/// The first 63 bytes, never a part of a character.
fn cut(name: &str) -> &str {
    if name.len() <= IDENTIFIER_BYTES {
        return name;
    }
    let end = (0..=IDENTIFIER_BYTES).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.get(..end).unwrap_or(name)
}

fn cut_cow(name: Cow<'_, str>) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(cut(name)),
        Cow::Owned(name) => Cow::Owned(String::from(cut(&name))),
    }
}

fn undouble(raw: &str, quote: char) -> Cow<'_, str> {
    if !raw.contains(quote) {
        return Cow::Borrowed(raw);
    }
    let double: String = [quote, quote].iter().collect();
    let mut single = [0; 4];
    Cow::Owned(raw.replace(&double, quote.encode_utf8(&mut single)))
}

/// The parts of a literal without escapes, put together.
fn joined(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\'') {
        return Cow::Borrowed(raw);
    }
    let mut contents = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\'') {
        contents.push_str(before);
        rest = after_quote(after, &mut contents);
    }
    contents.push_str(rest);
    Cow::Owned(contents)
}

/// What follows a quote inside a literal: its double, or a continuation.
fn after_quote<'a>(after: &'a str, contents: &mut String) -> &'a str {
    if let Some(rest) = after.strip_prefix('\'') {
        contents.push('\'');
        return rest;
    }
    continuation(after.as_bytes()).and_then(|length| after.get(length..)).unwrap_or("")
}

/// `U&` escapes: four hexadecimal digits, or `+` and six, or the escape character twice.
fn unicode(raw: &str, escape: char) -> Result<String, Unreadable> {
    let mut contents = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    let mut high: Option<u32> = None;
    while let Some(next) = rest.next() {
        if next != escape {
            plain(&mut contents, next, high)?;
            continue;
        }
        if rest.as_str().starts_with(escape) {
            rest.next();
            plain(&mut contents, escape, high)?;
            continue;
        }
        let long = rest.as_str().starts_with('+');
        if long {
            rest.next();
        }
        let code = hex(&mut rest, if long { 6 } else { 4 })?;
        high = push_code(&mut contents, code, high)?;
    }
    if high.is_some() { Err(Unreadable) } else { Ok(contents) }
}

fn plain(contents: &mut String, next: char, high: Option<u32>) -> Result<(), Unreadable> {
    if high.is_some() {
        return Err(Unreadable);
    }
    contents.push(next);
    Ok(())
}

/// Adds a code point; a high surrogate is kept until its low one comes.
fn push_code(contents: &mut String, code: u32, high: Option<u32>) -> Result<Option<u32>, Unreadable> {
    let code = match (high, code) {
        (None, 0xD800..=0xDBFF) => return Ok(Some(code)),
        (Some(high), 0xDC00..=0xDFFF) => 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00),
        (Some(_), _) | (None, 0) => return Err(Unreadable),
        (None, code) => code,
    };
    contents.push(char::from_u32(code).ok_or(Unreadable)?);
    Ok(None)
}

fn hex(rest: &mut core::str::Chars<'_>, digits: usize) -> Result<u32, Unreadable> {
    let mut code = 0;
    for _ in 0..digits {
        let digit = rest.next().and_then(|next| next.to_digit(16)).ok_or(Unreadable)?;
        code = code * 16 + digit;
    }
    Ok(code)
}

/// The contents of `E'…'`: escapes may build bytes, which must come out as UTF-8.
fn escaped(raw: &str) -> Result<String, Unreadable> {
    let mut contents = Vec::with_capacity(raw.len());
    let mut rest = raw;
    let mut high = None;
    while let Some(at) = rest.find(['\\', '\'']) {
        let (before, mark) = rest.split_at(at);
        if high.is_some() && !(before.is_empty() && (mark.starts_with("\\u") || mark.starts_with("\\U"))) {
            return Err(Unreadable);
        }
        contents.extend_from_slice(before.as_bytes());
        rest = match mark.strip_prefix('\\') {
            Some(escape) => one_escape(escape, &mut contents, &mut high)?,
            None => {
                let mut quote = String::new();
                let rest = after_quote(mark.get(1..).unwrap_or(""), &mut quote);
                contents.extend_from_slice(quote.as_bytes());
                rest
            }
        };
    }
    if high.is_some() {
        return Err(Unreadable);
    }
    contents.extend_from_slice(rest.as_bytes());
    if contents.contains(&0) {
        return Err(Unreadable);
    }
    String::from_utf8(contents).map_err(|_| Unreadable)
}

fn one_escape<'a>(escape: &'a str, contents: &mut Vec<u8>, high: &mut Option<u32>) -> Result<&'a str, Unreadable> {
    let mut rest = escape.chars();
    let next = rest.next().ok_or(Unreadable)?;
    match next {
        'u' | 'U' => {
            let code = hex(&mut rest, if next == 'u' { 4 } else { 8 })?;
            let mut text = String::new();
            *high = push_code(&mut text, code, *high)?;
            contents.extend_from_slice(text.as_bytes());
        }
        '0'..='7' => return Ok(coded_byte(escape, 8, 3, contents)),
        'x' if rest.as_str().starts_with(|next: char| next.is_ascii_hexdigit()) => {
            return Ok(coded_byte(rest.as_str(), 16, 2, contents));
        }
        _ => {
            let mut buffer = [0; 4];
            let next = control(next).ok_or(Unreadable)?;
            contents.extend_from_slice(next.encode_utf8(&mut buffer).as_bytes());
        }
    }
    Ok(rest.as_str())
}

/// What a letter after a backslash stands for; versions of PostgreSQL differ about `\v`.
fn control(letter: char) -> Option<char> {
    match letter {
        'b' => Some('\x08'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => None,
        other => Some(other),
    }
}

fn coded_byte<'a>(digits: &'a str, radix: u32, at_most: usize, contents: &mut Vec<u8>) -> &'a str {
    let mut code = 0;
    let mut length = 0;
    for digit in digits.chars().take(at_most).map_while(|next| next.to_digit(radix)) {
        code = code * radix + digit;
        length += 1;
    }
    contents.push((code & 0xFF) as u8);
    digits.get(length..).unwrap_or("")
}
