//! The tokens of a command line: words without their quotes, operators, redirections.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::Unread;

/// A token.
#[derive(Debug)]
pub(super) enum Token {
    Word(Word),
    Redirect(Redirect),
    /// A redirection that opens no file: from text of the line, or between descriptors.
    Plumbing,
    /// `;`, `&`, `&&`, `|`, `||`.
    Operator,
    Newline,
    /// `(` and `)`.
    Open,
    Close,
}

/// A word as the program gets it.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether nothing of it was quoted: then it may be reserved, or an assignment.
    pub(super) is_plain: bool,
}

/// A redirection to or from a file.
#[derive(Debug)]
pub(super) struct Redirect {
    pub(super) direction: Direction,
    pub(super) path: String,
}

/// Which way a redirection goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    In,
    Out,
    Both,
}

/// Cuts a line into tokens, as far as they are written out.
pub(super) struct Scanner<'a> {
    rest: &'a str,
    /// Here-documents whose bodies follow the line at hand.
    documents: Vec<Document>,
}

/// A here-document that was announced.
struct Document {
    delimiter: String,
    /// Whether its body is taken as it is.
    is_quoted: bool,
    /// `<<-`: tabs before its lines do not count.
    strips_tabs: bool,
}

const COMPUTED: Unread = "a word is computed by the shell: an expansion, a substitution or a pattern";

impl<'a> Scanner<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line, documents: Vec::new() }
    }

    pub(super) fn next_token(&mut self) -> Result<Option<Token>, Unread> {
        self.skip_blanks();
        let Some(first) = self.peek() else {
            return if self.documents.is_empty() { Ok(None) } else { Err("a here-document is not there") };
        };
        match first {
            '\n' => {
                self.take();
                self.documents()?;
                Ok(Some(Token::Newline))
            }
            '#' => {
                self.skip_comment();
                self.next_token_after_comment()
            }
            '(' if self.rest.starts_with("((") => Err(COMPUTED),
            '(' => self.one(Token::Open),
            ')' => self.one(Token::Close),
            ';' | '|' | '&' => self.operator(),
            '<' | '>' => self.redirection(),
            _ => self.word_or_redirection(),
        }
    }

    /// A comment ends before the end of its line: what follows is that, or nothing.
    fn next_token_after_comment(&mut self) -> Result<Option<Token>, Unread> {
        match self.peek() {
            Some(_) => {
                self.take();
                self.documents()?;
                Ok(Some(Token::Newline))
            }
            None if self.documents.is_empty() => Ok(None),
            None => Err("a here-document is not there"),
        }
    }

    fn one(&mut self, token: Token) -> Result<Option<Token>, Unread> {
        self.take();
        Ok(Some(token))
    }

    fn operator(&mut self) -> Result<Option<Token>, Unread> {
        let longer = ["&&", "||"].into_iter().find(|operator| self.rest.starts_with(operator));
        // `&> file` is one redirection for bash, and the end of a command and another for a POSIX shell.
        if [";;", ";&", "|&", "&>"].into_iter().any(|operator| self.rest.starts_with(operator)) {
            return Err("it has an operator of the shell that hoop does not follow");
        }
        self.skip(longer.map_or(1, str::len));
        if self.rest.starts_with("\\\n") {
            return Err("an operator may go on in the next line");
        }
        Ok(Some(Token::Operator))
    }

    fn redirection(&mut self) -> Result<Option<Token>, Unread> {
        if self.rest.starts_with("<(") || self.rest.starts_with(">(") {
            return Err(COMPUTED);
        }
        if self.rest.starts_with("<<<") {
            self.skip("<<<".len());
            self.skip_spaces();
            self.word()?;
            return Ok(Some(Token::Plumbing));
        }
        if self.rest.starts_with("<<") {
            self.announce()?;
            return Ok(Some(Token::Plumbing));
        }
        if self.rest.starts_with("<&") || self.rest.starts_with(">&") {
            self.duplicate()?;
            return Ok(Some(Token::Plumbing));
        }
        let known = [
            ("<>", Direction::Both),
            (">>", Direction::Out),
            (">|", Direction::Out),
            ("<", Direction::In),
            (">", Direction::Out),
        ];
        let found = known.into_iter().find(|(operator, _)| self.rest.starts_with(operator));
        let (operator, direction) = found.ok_or("it has a redirection that hoop does not follow")?;
        self.skip(operator.len());
        self.target(direction)
    }

    /// The file of a redirection.
    fn target(&mut self, direction: Direction) -> Result<Option<Token>, Unread> {
        self.skip_spaces();
        let Word { text: path, .. } = self.word()?;
        Ok(Some(Token::Redirect(Redirect { direction, path })))
    }

    /// `2>&1`, `<&-`: between descriptors. With a word bash opens a file.
    fn duplicate(&mut self) -> Result<(), Unread> {
        self.skip(">&".len());
        self.skip_spaces();
        let Word { text, is_plain } = self.word()?;
        let is_descriptor = text == "-" || text.bytes().all(|byte| byte.is_ascii_digit());
        if is_plain && is_descriptor { Ok(()) } else { Err("it has a redirection that hoop does not follow") }
    }

    /// `<<WORD`: the body follows the line.
    fn announce(&mut self) -> Result<(), Unread> {
        self.skip("<<".len());
        let strips_tabs = self.rest.starts_with('-');
        if strips_tabs {
            self.take();
        }
        self.skip_spaces();
        let Word { text: delimiter, is_plain } = self.word()?;
        if delimiter.contains('\n') {
            return Err("the end of a here-document is no single line");
        }
        self.documents.push(Document { delimiter, is_quoted: !is_plain, strips_tabs });
        Ok(())
    }

    /// The bodies of the here-documents of the line that ended.
    fn documents(&mut self) -> Result<(), Unread> {
        for document in core::mem::take(&mut self.documents) {
            loop {
                if self.rest.is_empty() {
                    return Err("a here-document does not end");
                }
                let (line, after) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
                self.rest = after;
                let line = if document.strips_tabs { line.trim_start_matches('\t') } else { line };
                if line == document.delimiter {
                    break;
                }
                if !document.is_quoted && line.contains(['$', '`', '\\']) {
                    return Err(COMPUTED);
                }
            }
        }
        Ok(())
    }

    /// A word, or a redirection of the descriptor whose number it is.
    fn word_or_redirection(&mut self) -> Result<Option<Token>, Unread> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let after = self.rest.get(digits..).unwrap_or_default();
        if digits > 0 && after.starts_with(['<', '>']) {
            self.rest = after;
            return self.redirection();
        }
        let word = self.word()?;
        if self.rest.starts_with('(') {
            return Err("it defines a function or an array");
        }
        Ok(Some(Token::Word(word)))
    }

    /// One word, its quotes taken off.
    fn word(&mut self) -> Result<Word, Unread> {
        let (mut text, mut is_plain, mut is_there) = (String::new(), true, false);
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    is_plain = false;
                    self.single_quoted(&mut text)?;
                }
                '"' => {
                    is_plain = false;
                    self.double_quoted(&mut text)?;
                }
                '\\' => {
                    self.take();
                    is_plain = false;
                    text.push(self.escaped()?);
                }
                // A brace stands for itself where it is a word of its own, or `{}`.
                '{' | '}' => self.braces(&mut text)?,
                '$' if self.ends_word_after_one() => {
                    self.take();
                    text.push('$');
                }
                '[' | ']' if text.is_empty() && self.ends_word_after_one() => {
                    self.take();
                    text.push(c);
                }
                '$' | '`' | '*' | '?' | '[' => return Err(COMPUTED),
                '~' if text.is_empty() || text.ends_with([':', '=']) => return Err(COMPUTED),
                c if c.is_ascii_graphic() => {
                    self.take();
                    text.push(c);
                }
                _ => return Err("a character outside quotes is neither ASCII nor printable"),
            }
            is_there = true;
        }
        if !self.documents.is_empty() && text.contains('\n') {
            return Err("a quote goes over the begin of a here-document");
        }
        if is_there { Ok(Word { text, is_plain }) } else { Err("a word is missing") }
    }

    /// The character after a `\`. A word that goes on in the next line is not followed: what it begins there differs.
    fn escaped(&mut self) -> Result<char, Unread> {
        match self.take().ok_or("a `\\` stands at the end")? {
            '\n' => Err("a word goes on in the next line"),
            escaped => printable(escaped),
        }
    }

    fn braces(&mut self, text: &mut String) -> Result<(), Unread> {
        let run: String = self.rest.chars().take_while(|c| matches!(c, '{' | '}')).collect();
        let ends = self.rest.get(run.len()..).is_none_or(|after| after.chars().next().is_none_or(ends_word));
        if !text.is_empty() || !ends || !matches!(run.as_str(), "{" | "}" | "{}") {
            return Err(COMPUTED);
        }
        self.skip(run.len());
        text.push_str(&run);
        Ok(())
    }

    fn single_quoted(&mut self, text: &mut String) -> Result<(), Unread> {
        self.take();
        let (inside, after) = self.rest.split_once('\'').ok_or("a quote is not closed")?;
        for c in inside.chars() {
            text.push(printable(c)?);
        }
        self.rest = after;
        Ok(())
    }

    fn double_quoted(&mut self, text: &mut String) -> Result<(), Unread> {
        self.take();
        loop {
            match self.take().ok_or("a quote is not closed")? {
                '"' => return Ok(()),
                '`' => return Err(COMPUTED),
                '$' if !self.peek().is_some_and(|c| matches!(c, '"' | ' ')) => return Err(COMPUTED),
                '\\' => match self.take().ok_or("a quote is not closed")? {
                    '\n' => {}
                    escaped @ ('$' | '`' | '"' | '\\') => text.push(escaped),
                    other => {
                        text.push('\\');
                        text.push(printable(other)?);
                    }
                },
                c => text.push(printable(c)?),
            }
        }
    }

    /// Whether the word ends after the character at hand.
    fn ends_word_after_one(&self) -> bool {
        let mut chars = self.rest.chars();
        chars.next();
        chars.next().is_none_or(ends_word)
    }

    /// Blanks, and ends of lines that are escaped; not where a here-document follows the line.
    fn skip_blanks(&mut self) {
        self.skip_spaces();
        while let Some(after) = self.rest.strip_prefix("\\\n").filter(|_| self.documents.is_empty()) {
            self.rest = after;
            self.skip_spaces();
        }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn skip_comment(&mut self) {
        self.rest = self.rest.find('\n').and_then(|at| self.rest.get(at..)).unwrap_or_default();
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.skip(c.len_utf8());
        Some(c)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

/// Whether a character ends a word that is not quoted.
fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

/// A quoted character; control characters other than tabs and ends of lines are not followed.
fn printable(c: char) -> Result<char, Unread> {
    if c.is_control() && !matches!(c, '\t' | '\n') { Err("a control character") } else { Ok(c) }
}
