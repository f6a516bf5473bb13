//! Analyses that are kept: for texts that were seen, and for texts that differ from one that was seen only in literals
//! that mean nothing to the analysis.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;

use super::scanner::{LiteralForm, Scanner, Token, TokenKind};
use crate::command::Command;

/// How many analyses are kept, and how long their texts may be.
const KEPT: usize = 128;
const LONGEST: usize = 2048;

/// Longer literals are told apart.
const LONGEST_LITERAL: usize = 256;

/// Stands for a literal in a form, with its kind before it. No text that PostgreSQL reads holds it.
const MARK: char = '\0';

/// Keeps analyses of SQL. What it gives is what [`Command::sql`] gives, sooner.
///
/// ```
/// use hoopcore::command::{Analyses, Command};
///
/// let mut analyses = Analyses::default();
/// for id in ["7", "8"] {
///     let text = format!("SELECT name FROM customers WHERE id = {id}");
///     let command = analyses.command(&text);
///     assert_eq!((command.text(), command.digest()), (text.as_str(), Command::sql(&text).digest()));
/// }
/// ```
#[derive(Debug, Default)]
pub struct Analyses(BTreeMap<Box<str>, Command>);

impl Analyses {
    /// The analysis of a text.
    pub fn command(&mut self, text: &str) -> Command {
        if text.len() > LONGEST || text.contains(MARK) {
            return Command::sql(text);
        }
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let form = form(text);
        if let Some(known) = self.0.get(form.as_deref().unwrap_or(text)) {
            return known.again(text);
        }
        let command = Command::sql(text);
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        self.0.insert(form.unwrap_or_else(|| text.into()).into(), command.clone());
        command
    }
}

/// A SELECT with marks in the place of literals that a column is compared with: all else byte for byte as it is. `None`
/// where it has no such literals, or is anything but one SELECT.
///
/// In a SELECT nothing depends on the value that a column is compared with. In an UPDATE it may: whether ranges together
/// let every row through. And what an argument of a function, a setting or a name is written as always counts.
fn form(text: &str) -> Option<String> {
    let mut form = String::with_capacity(text.len());
    let mut copied = 0;
    let mut before: [Option<Token>; 2] = [None, None];
    let mut tokens = Scanner::new(text).peekable();
    if !matches!(tokens.peek(), Some(Ok(first)) if is_select(text, *first)) {
        return None;
    }
    while let Some(token) = tokens.next() {
        let token = token.ok()?;
        if token.kind == TokenKind::Semicolon && tokens.peek().is_some() {
            return None;
        }
        let ends = tokens.peek().is_none_or(|next| next.as_ref().is_ok_and(|next| ends_comparison(next.kind)));
        let stands_alone = ends && is_apart(text.get(token.end..)?);
        if let Some(kind) = plain(text, token).filter(|_| stands_alone && compares(text, before)) {
            form.push_str(text.get(copied..token.start)?);
            form.extend([kind, MARK]);
            copied = token.end;
        }
        before = [before[1], Some(token)];
    }
    form.push_str(text.get(copied..)?);
    (copied > 0).then_some(form)
}

fn is_select(text: &str, token: Token) -> bool {
    token.kind == TokenKind::Word && token.text(text).eq_ignore_ascii_case("select")
}

/// Whether a column, or another name, and a comparison stand before.
fn compares(text: &str, before: [Option<Token>; 2]) -> bool {
    let [Some(name), Some(operator)] = before else { return false };
    matches!(name.kind, TokenKind::Word | TokenKind::Quoted)
        && operator.kind == TokenKind::Operator
        && matches!(operator.text(text), "=" | "<" | ">" | "<=" | ">=" | "<>")
}

/// Whether a literal before it is the whole of what is compared.
fn ends_comparison(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Semicolon | TokenKind::Word | TokenKind::Close | TokenKind::Comma)
}

/// Whether what follows a literal cannot be read as a part of it.
fn is_apart(rest: &str) -> bool {
    rest.chars().next().is_none_or(|next| matches!(next, ' ' | '\t' | '\n' | '\r' | ';' | ')' | ','))
}

/// The kind of a literal that every reader reads alike: digits, or a short text of harmless characters in quotes.
fn plain(text: &str, token: Token) -> Option<char> {
    let written = token.text(text);
    match token.kind {
        TokenKind::Number if written.len() < 10 && written.bytes().all(|byte| byte.is_ascii_digit()) => Some('n'),
        TokenKind::Literal(LiteralForm::Plain) if written.len() <= LONGEST_LITERAL => {
            let inside = written.strip_prefix('\'')?.strip_suffix('\'')?;
            let harmless = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ':' | '@' | '+' | '/');
            inside.chars().all(harmless).then_some('s')
        }
        _ => None,
    }
}
