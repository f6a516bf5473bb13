//! `COPY … TO STDOUT`: which columns its rows have, and how they are written. What is not understood is refused.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::lex::{self, Cursor};
use super::scanner::TokenKind;
use super::utility::is_query;
use crate::copy::{CopyFormat, CopyOut, CsvFormat, TextFormat};

const SEVERAL: &str = "COPY of what is masked must be sent alone, without other statements";
const STRANGE: &str = "the options of the COPY are not understood, so its rows cannot be masked";
const ENCODED: &str = "rows in another ENCODING cannot be masked";

/// Bytes that PostgreSQL takes for no delimiter of the text format.
const NO_DELIMITERS: &[u8] = b"\\.abcdefghijklmnopqrstuvwxyz0123456789";

/// What the text copies to the client, if it does.
pub(crate) fn copy_out(text: &str) -> Option<Result<CopyOut, &'static str>> {
    if !may_copy(text) {
        return None;
    }
    let lexed = lex::lex(text);
    let statements = lex::statements(text, &lexed.lexemes);
    let copies = statements.iter().find_map(|statement| statement_of(*statement))?;
    Some(match statements.len() {
        1 if lexed.flaw.is_some() => Err(STRANGE),
        1 => copies,
        _ => Err(SEVERAL),
    })
}

/// Whether the keyword may stand in a text: it can be written in no other letters.
fn may_copy(text: &str) -> bool {
    text.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"copy"))
}

fn statement_of(mut cursor: Cursor<'_>) -> Option<Result<CopyOut, &'static str>> {
    if !cursor.eat_word("copy") {
        return None;
    }
    match source(&mut cursor) {
        Some(source) => goes_out(cursor).map(|options| read(&source, options)),
        // Neither read as a relation nor as a query: it may copy anything.
        None => Some(Err(STRANGE)),
    }
}

struct Source {
    query: String,
    without_generated: bool,
    binary: bool,
}

/// `BINARY name (columns)` or `(query)`.
fn source(cursor: &mut Cursor<'_>) -> Option<Source> {
    if let Some(query) = cursor.group() {
        let alone = query.lexemes.iter().all(|lexeme| lexeme.kind() != TokenKind::Semicolon);
        let query = (alone && is_query(query)).then(|| query.source())?;
        return Some(Source { query: query.into(), without_generated: false, binary: false });
    }
    let binary = cursor.eat_word("binary");
    let before = *cursor;
    cursor.name()?;
    let length = before.lexemes.len().checked_sub(cursor.lexemes.len())?;
    let name = Cursor { text: before.text, lexemes: before.lexemes.get(..length)? }.source();
    let columns = cursor.group().map(columns);
    let (list, without_generated) = match columns {
        None => (String::from("*"), true),
        Some(list) => (list?, false),
    };
    Some(Source { query: format!("SELECT {list} FROM {name}"), without_generated, binary })
}

/// Names between commas, each in quotes.
fn columns(mut list: Cursor<'_>) -> Option<String> {
    let mut quoted = String::new();
    loop {
        let name = list.identifier()?;
        quoted.push_str(&format!("\"{}\"", name.replace('"', "\"\"")));
        if list.is_end() {
            return Some(quoted);
        }
        list.eat(TokenKind::Comma).then_some(())?;
        quoted.push_str(", ");
    }
}

/// What stands behind `TO STDOUT`; `None` where the rows go elsewhere or come in.
fn goes_out(mut cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    cursor.eat_word("to").then_some(())?;
    cursor.eat_any(&["stdin", "stdout"])?;
    Some(cursor)
}

fn read(source: &Source, cursor: Cursor<'_>) -> Result<CopyOut, &'static str> {
    if cursor.mentions("encoding") {
        return Err(ENCODED);
    }
    let mut options = Options::default();
    if source.binary {
        options.format = Some("binary".into());
    }
    let format = options.read(cursor).and_then(|()| options.format());
    let format = format.ok_or(STRANGE)?;
    Ok(CopyOut { query: source.query.clone(), without_generated: source.without_generated, format })
}

/// The options as they are found, each at most once.
#[derive(Default)]
struct Options {
    format: Option<String>,
    delimiter: Option<u8>,
    null: Option<Vec<u8>>,
    header: Option<bool>,
    quote: Option<u8>,
    escape: Option<u8>,
    force_quote: Option<()>,
}

impl Options {
    fn read(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        if cursor.eat_words(&["using", "delimiters"]) || cursor.eat_word("delimiters") {
            once(&mut self.delimiter, byte(&mut cursor)?)?;
        }
        cursor.eat_word("with");
        match cursor.group() {
            Some(list) => {
                self.list(list)?;
                cursor.is_end().then_some(())
            }
            None => self.old(cursor),
        }
    }

    /// `(FORMAT csv, HEADER)`
    fn list(&mut self, mut list: Cursor<'_>) -> Option<()> {
        loop {
            let name = list.identifier()?;
            self.option(&name, &mut list)?;
            if list.is_end() {
                return Some(());
            }
            list.eat(TokenKind::Comma).then_some(())?;
        }
    }

    fn option(&mut self, name: &str, list: &mut Cursor<'_>) -> Option<()> {
        match name {
            "format" => once(&mut self.format, word(list)?),
            "delimiter" => once(&mut self.delimiter, byte(list)?),
            "null" => once(&mut self.null, list.literal()?.into_owned().into_bytes()),
            "header" => once(&mut self.header, truth(list)?),
            "quote" => once(&mut self.quote, byte(list)?),
            "escape" => once(&mut self.escape, byte(list)?),
            "force_quote" => once(&mut self.force_quote, list_or_star(list)?),
            _ => None,
        }
    }

    /// `CSV HEADER DELIMITER AS ';'`, as before PostgreSQL 9.0.
    fn old(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        while !cursor.is_end() {
            let words = ["binary", "csv", "header", "delimiter", "null", "quote", "escape", "force"];
            match cursor.eat_any(&words)? {
                word @ ("binary" | "csv") => once(&mut self.format, word.into())?,
                "header" => once(&mut self.header, true)?,
                "force" => {
                    cursor.eat_word("quote").then_some(())?;
                    once(&mut self.force_quote, names_or_star(&mut cursor)?)?;
                }
                word => {
                    cursor.eat_word("as");
                    match word {
                        "delimiter" => once(&mut self.delimiter, byte(&mut cursor)?)?,
                        "null" => once(&mut self.null, cursor.literal()?.into_owned().into_bytes())?,
                        "quote" => once(&mut self.quote, byte(&mut cursor)?)?,
                        _ => once(&mut self.escape, byte(&mut cursor)?)?,
                    }
                }
            }
        }
        Some(())
    }

    /// The format, where the options make sense together.
    fn format(&self) -> Option<CopyFormat> {
        let Self { format, delimiter, null, header, quote, escape, force_quote } = self;
        let quotes = quote.is_some() || escape.is_some() || force_quote.is_some();
        let plain = delimiter.is_none() && null.is_none() && header.is_none();
        match format.as_deref().unwrap_or("text") {
            "text" if !quotes => self.text().map(CopyFormat::Text),
            "csv" => self.csv().map(CopyFormat::Csv),
            "binary" if plain && !quotes => Some(CopyFormat::Binary),
            _ => None,
        }
    }

    fn text(&self) -> Option<TextFormat> {
        let delimiter = self.delimiter.unwrap_or(b'\t');
        let null = self.null.clone().unwrap_or_else(|| b"\\N".to_vec());
        let sound = !NO_DELIMITERS.contains(&delimiter) && is_sound(delimiter, &null);
        sound.then(|| TextFormat { delimiter, null, header: self.header.unwrap_or(false) })
    }

    fn csv(&self) -> Option<CsvFormat> {
        let delimiter = self.delimiter.unwrap_or(b',');
        let null = self.null.clone().unwrap_or_default();
        let quote = self.quote.unwrap_or(b'"');
        let escape = self.escape.unwrap_or(quote);
        let apart = quote != delimiter && escape != delimiter && !null.contains(&quote);
        let visible = |byte: u8| !matches!(byte, b'\n' | b'\r' | 0);
        let sound = apart && visible(quote) && visible(escape) && is_sound(delimiter, &null);
        sound.then(|| CsvFormat { delimiter, quote, escape, null, header: self.header.unwrap_or(false) })
    }
}

fn is_sound(delimiter: u8, null: &[u8]) -> bool {
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0);
    !ends(&delimiter) && !null.contains(&delimiter) && !null.iter().any(ends)
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// A literal of one byte.
fn byte(cursor: &mut Cursor<'_>) -> Option<u8> {
    match cursor.literal()?.as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        _ => None,
    }
}

/// A word, in quotes or not.
fn word(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.literal().map(alloc::borrow::Cow::into_owned).or_else(|| cursor.identifier())
}

/// Nothing, which is true, or a truth value.
fn truth(cursor: &mut Cursor<'_>) -> Option<bool> {
    if cursor.is_end() || cursor.at(TokenKind::Comma) {
        return Some(true);
    }
    match word(cursor)?.to_ascii_lowercase().as_str() {
        "true" | "on" => Some(true),
        "false" | "off" => Some(false),
        _ => None,
    }
}

/// `*`, or names in parentheses.
fn list_or_star(cursor: &mut Cursor<'_>) -> Option<()> {
    match cursor.group() {
        Some(list) => columns(list).map(|_| ()),
        None => cursor.advance()?.is_operator(cursor.text, "*").then_some(()),
    }
}

/// `*`, or names with commas between them.
fn names_or_star(cursor: &mut Cursor<'_>) -> Option<()> {
    if cursor.peek()?.is_operator(cursor.text, "*") {
        cursor.advance();
        return Some(());
    }
    cursor.identifier()?;
    while cursor.eat(TokenKind::Comma) {
        cursor.identifier()?;
    }
    Some(())
}
