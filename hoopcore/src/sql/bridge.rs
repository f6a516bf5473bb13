//! Hands a statement that our scanner read to sqlparser, token by token.
//!
//! sqlparser never reads the text itself: what is a literal, a comment or an identifier is decided by the scanner
//! alone. A word that is not a keyword of PostgreSQL's queries goes over as a quoted identifier, so that words of
//! other dialects (`TOP`, `FINAL`, `QUALIFY`) cannot mean anything. Forms that sqlparser lacks are rewritten to ones
//! with the same effects; a rewrite that does not fit ends in a parse error, which is conceded.

mod forms;
mod rewrite;

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Word};

use super::bounds;
use super::lex::{Cursor, Lexeme};
use super::scanner::{LiteralForm, TokenKind};
use crate::name::QualifiedName;

/// A statement as sqlparser understands it, and what only the tokens show.
pub(super) struct Parsed {
    pub(super) statement: Box<Statement>,
    pub(super) operators: Vec<QualifiedName>,
    /// Functions called in what was left out.
    pub(super) calls: Vec<QualifiedName>,
    /// A clause that compares columns was left out (`SEARCH`, `CYCLE`).
    pub(super) compares: bool,
    /// An item of a list stands for several columns (`(row).*`).
    pub(super) expands: bool,
    /// The columns that a join is made by go by a name of its own (`USING (a) AS j`).
    pub(super) names_joins: bool,
    /// How often `INTO` stands in the statement.
    pub(super) intos: usize,
    /// Some query takes only some of its rows, or numbers them (`LIMIT`, `DISTINCT ON`, `OVER`).
    pub(super) cuts: bool,
    /// Names that clauses which were left out give to columns and joins.
    pub(super) given: Vec<String>,
    /// Names that RETURNING gives to the row as it was and as it is.
    pub(super) versions: Vec<String>,
    /// Names may stand for columns of a row that is not in FROM.
    pub(super) of_row: bool,
}

/// Parses one query or data-modifying statement; `None` where sqlparser does not understand it.
pub(super) fn parse(cursor: Cursor<'_>) -> Option<Parsed> {
    Bridge::new(cursor).parse()
}

/// Parses a list of expressions as the list of a SELECT.
pub(super) fn parse_list(cursor: Cursor<'_>) -> Option<Parsed> {
    let mut bridge = Bridge::new(cursor);
    bridge.out.push(keyword(Keyword::SELECT, "select"));
    bridge.parse()
}
struct Bridge<'a> {
    cursor: Cursor<'a>,
    out: Vec<Token>,
    depth: usize,
    /// The depth of parentheses at which the assignments of an UPDATE stand.
    assigning: Option<usize>,
    found: Found,
}

/// What the tokens show and the tree does not.
#[derive(Default)]
struct Found {
    operators: Vec<QualifiedName>,
    calls: Vec<QualifiedName>,
    compares: bool,
    expands: bool,
    names_joins: bool,
    intos: usize,
    cuts: bool,
    given: Vec<String>,
    versions: Vec<String>,
}

impl<'a> Bridge<'a> {
    fn new(cursor: Cursor<'a>) -> Self {
        let out = Vec::with_capacity(cursor.lexemes.len() + 8);
        Self { cursor, out, depth: 0, assigning: None, found: Found::default() }
    }

    fn parse(mut self) -> Option<Parsed> {
        self.run()?;
        let dialect = PostgreSqlDialect {};
        let mut parser = Parser::new(&dialect).with_recursion_limit(bounds::RECURSION).with_tokens(self.out);
        let statement = Box::new(parser.parse_statement().ok()?);
        let whole = parser.peek_token_ref().token == Token::EOF;
        let Found { operators, calls, compares, expands, names_joins, intos, cuts, given, versions } = self.found;
        let of_row = false;
        whole.then_some(Parsed {
            versions,
            statement,
            operators,
            calls,
            compares,
            expands,
            names_joins,
            intos,
            cuts,
            given,
            of_row,
        })
    }

    fn run(&mut self) -> Option<()> {
        while let Some(next) = self.cursor.peek() {
            if !self.rewrite()? {
                self.cursor.advance();
                self.push(next)?;
            }
        }
        Some(())
    }

    fn push(&mut self, lexeme: &Lexeme) -> Option<()> {
        let text = self.cursor.text;
        let token = match lexeme.kind() {
            TokenKind::Word => word(&lexeme.token.folded(text)),
            TokenKind::Quoted | TokenKind::UnicodeQuoted => quoted(lexeme.identifier(text)?),
            TokenKind::Literal(form) => return self.push_literal(form, lexeme),
            TokenKind::Number => Token::Number(lexeme.token.text(text).to_owned(), false),
            TokenKind::Parameter => Token::Placeholder(lexeme.token.text(text).to_owned()),
            TokenKind::Operator => return self.push_operator(lexeme.token.text(text)),
            TokenKind::Comma => Token::Comma,
            TokenKind::Semicolon => Token::SemiColon,
            TokenKind::Open => Token::LParen,
            TokenKind::Close => Token::RParen,
            TokenKind::OpenBracket => Token::LBracket,
            TokenKind::CloseBracket => Token::RBracket,
            TokenKind::Period => Token::Period,
            TokenKind::Range => return None,
            TokenKind::Colon => Token::Colon,
            TokenKind::Cast => Token::DoubleColon,
            TokenKind::Assign => Token::RArrow,
            TokenKind::Arrow => Token::RArrow,
        };
        self.note(&token);
        self.out.push(token);
        Some(())
    }

    fn note(&mut self, token: &Token) {
        match token {
            Token::LParen => self.depth += 1,
            Token::RParen => {
                self.depth = self.depth.saturating_sub(1);
                self.assigning = self.assigning.filter(|depth| *depth <= self.depth);
            }
            Token::Word(Word { quote_style: None, value, .. }) => {
                self.imply(implied_operators(value));
                match value.as_str() {
                    "into" => self.found.intos += 1,
                    "limit" | "offset" | "fetch" | "over" | "window" => self.found.cuts = true,
                    "on" if self.follows_word("distinct") => self.found.cuts = true,
                    "set" => self.assigning = Some(self.depth),
                    "from" | "where" | "returning" | "when" if self.assigning == Some(self.depth) => {
                        self.assigning = None;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Whether the last token that went over is this keyword.
    fn follows_word(&self, word: &str) -> bool {
        matches!(self.out.last(), Some(Token::Word(Word { quote_style: None, value, .. })) if value == word)
    }

    /// A literal; after a type's name it is a cast.
    fn push_literal(&mut self, form: LiteralForm, lexeme: &Lexeme) -> Option<()> {
        let contents = lexeme.contents(self.cursor.text).ok()?.into_owned();
        let literal = match form {
            LiteralForm::Bits => Token::SingleQuotedByteStringLiteral(contents),
            LiteralForm::Hex => Token::HexStringLiteral(contents),
            LiteralForm::Plain
            | LiteralForm::Escape
            | LiteralForm::National
            | LiteralForm::Unicode
            | LiteralForm::Dollar => Token::SingleQuotedString(contents),
        };
        match self.type_before() {
            Some(at) => {
                let name = self.out.split_off(at);
                self.out.extend([keyword(Keyword::CAST, "cast"), Token::LParen, literal, keyword(Keyword::AS, "as")]);
                self.out.extend(name);
                self.out.push(Token::RParen);
            }
            None => self.out.push(literal),
        }
        Some(())
    }

    /// Where the name of a type begins that the tokens so far end with: names that are no keywords of queries.
    fn type_before(&self) -> Option<usize> {
        let is_name = |token: &Token| matches!(token, Token::Word(Word { quote_style: Some(_), .. }));
        let mut start = self.out.len();
        self.out.last().filter(|last| is_name(last))?;
        start -= 1;
        while let [.., name, Token::Period] = self.out.get(..start)?
            && is_name(name)
        {
            start -= 2;
        }
        Some(start)
    }

    fn push_operator(&mut self, operator: &str) -> Option<()> {
        if !(operator == "*" && self.is_star_due()) {
            self.imply(&[if operator == "!=" { "<>" } else { operator }]);
        }
        let token = operator_token(operator);
        self.out.push(match token {
            // In front of an operand any other operator stands for one that may fail.
            Token::CustomBinaryOperator(_) if self.is_operand_due() => Token::Minus,
            // sqlparser knows only some before ANY and ALL; all but `=` and `<>` compare in ways that tell values.
            token if self.is_quantified() && !is_comparison(&token) => Token::Gt,
            token => token,
        });
        Some(())
    }

    /// Whether a `*` stands here for all columns and not for a multiplication.
    fn is_star_due(&self) -> bool {
        match self.out.last() {
            Some(Token::Word(word)) => {
                matches!(word.keyword, Keyword::SELECT | Keyword::DISTINCT | Keyword::ALL | Keyword::RETURNING)
            }
            Some(Token::Period | Token::LParen | Token::Comma) | None => true,
            Some(_) => false,
        }
    }

    /// Whether an operand is due here: then an operator stands in front of it.
    fn is_operand_due(&self) -> bool {
        match self.out.last() {
            Some(Token::Word(word)) => word.quote_style.is_none() && word.keyword != Keyword::END,
            Some(Token::Period | Token::LParen | Token::LBracket | Token::Comma | Token::RArrow) | None => true,
            Some(last) => is_operator(last),
        }
    }

    fn is_quantified(&self) -> bool {
        ["any", "all", "some"].iter().any(|word| self.cursor.at_word(word))
    }

    fn imply(&mut self, operators: &[&str]) {
        for operator in operators {
            self.add_operator(QualifiedName::bare(*operator));
        }
    }

    fn add_operator(&mut self, operator: QualifiedName) {
        if !self.found.operators.contains(&operator) {
            self.found.operators.push(operator);
        }
    }
}

fn is_comparison(token: &Token) -> bool {
    matches!(token, Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq)
}

/// Whether an operand is due after this token because it is an operator.
fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Placeholder(_)
            | Token::RParen
            | Token::RBracket
            | Token::Mul
    )
}

/// The operators that a keyword looks up by name.
fn implied_operators(word: &str) -> &'static [&'static str] {
    match word {
        "like" => &["~~", "!~~"],
        "ilike" => &["~~*", "!~~*"],
        "similar" => &["~", "!~"],
        "between" => &[">=", "<=", "<", ">"],
        "in" => &["=", "<>"],
        "nullif" | "natural" | "using" | "case" | "distinct" => &["="],
        _ => &[],
    }
}

/// A word of PostgreSQL's query grammar as a keyword, any other as a quoted identifier.
fn word(folded: &str) -> Token {
    if QUERY_WORDS.binary_search(&folded).is_ok() { Token::make_word(folded, None) } else { quoted(folded.to_owned()) }
}

fn quoted(value: String) -> Token {
    Token::Word(Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword })
}

fn keyword(keyword: Keyword, value: &str) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style: None, keyword })
}

fn operator_token(operator: &str) -> Token {
    match operator {
        "=" => Token::Eq,
        "<>" | "!=" => Token::Neq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "||" => Token::StringConcat,
        "|" => Token::Pipe,
        "&" => Token::Ampersand,
        "^" => Token::Caret,
        "#" => Token::Sharp,
        "~" => Token::Tilde,
        "~*" => Token::TildeAsterisk,
        "!~" => Token::ExclamationMarkTilde,
        "!~*" => Token::ExclamationMarkTildeAsterisk,
        "~~" => Token::DoubleTilde,
        "~~*" => Token::DoubleTildeAsterisk,
        "!~~" => Token::ExclamationMarkDoubleTilde,
        "!~~*" => Token::ExclamationMarkDoubleTildeAsterisk,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        "!!" => Token::DoubleExclamationMark,
        "|/" => Token::PGSquareRoot,
        "||/" => Token::PGCubeRoot,
        "@" => Token::AtSign,
        "@-@" => Token::AtDashAt,
        "@@" => Token::AtAt,
        "?-" => Token::QuestionMarkDash,
        "?|" => Token::QuestionPipe,
        other => Token::CustomBinaryOperator(other.to_owned()),
    }
}

/// The keywords of PostgreSQL that queries, expressions, types and data-modifying statements are written with, sorted.
const QUERY_WORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "at",
    "bernoulli",
    "between",
    "bigint",
    "bit",
    "boolean",
    "both",
    "by",
    "case",
    "cast",
    "char",
    "character",
    "coalesce",
    "collate",
    "conflict",
    "constraint",
    "cross",
    "cube",
    "current",
    "current_catalog",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "day",
    "dec",
    "decimal",
    "default",
    "delete",
    "desc",
    "distinct",
    "do",
    "double",
    "else",
    "end",
    "escape",
    "except",
    "exclude",
    "exists",
    "extract",
    "false",
    "fetch",
    "filter",
    "first",
    "float",
    "following",
    "for",
    "from",
    "full",
    "greatest",
    "group",
    "grouping",
    "groups",
    "having",
    "hour",
    "ilike",
    "in",
    "inner",
    "insert",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "last",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "locked",
    "matched",
    "materialized",
    "merge",
    "minute",
    "month",
    "natural",
    "next",
    "nfc",
    "nfd",
    "nfkc",
    "nfkd",
    "no",
    "normalize",
    "normalized",
    "not",
    "nothing",
    "notnull",
    "nowait",
    "null",
    "nullif",
    "nulls",
    "numeric",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "ordinality",
    "outer",
    "over",
    "overlaps",
    "overlay",
    "partition",
    "placing",
    "position",
    "preceding",
    "precision",
    "range",
    "real",
    "recursive",
    "repeatable",
    "returning",
    "right",
    "rollup",
    "row",
    "rows",
    "second",
    "select",
    "session_user",
    "set",
    "sets",
    "share",
    "similar",
    "skip",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system",
    "temp",
    "temporary",
    "then",
    "ties",
    "time",
    "timestamp",
    "to",
    "trailing",
    "trim",
    "true",
    "unbounded",
    "union",
    "unknown",
    "unlogged",
    "update",
    "user",
    "using",
    "values",
    "varchar",
    "varying",
    "when",
    "where",
    "window",
    "with",
    "within",
    "without",
    "xmlconcat",
    "year",
    "zone",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted() {
        assert!(QUERY_WORDS.is_sorted());
    }
}
