//! Forms of PostgreSQL that sqlparser lacks, written as ones that it has, with the same effects.

use alloc::borrow::ToOwned as _;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Word};

use super::{Bridge, keyword, quoted};
use crate::name::QualifiedName;
use crate::sql::lex::{Cursor, Lexeme};
use crate::sql::scanner::{LiteralForm, TokenKind};

/// Words that may follow a relation and cannot begin an operand: a `*` before one of them is no multiplication.
const AFTER_RELATION: &[&str] = &[
    "as",
    "cross",
    "fetch",
    "for",
    "full",
    "group",
    "having",
    "inner",
    "join",
    "limit",
    "natural",
    "offset",
    "on",
    "order",
    "returning",
    "set",
    "tablesample",
    "union",
    "except",
    "intersect",
    "using",
    "where",
    "window",
];

impl Bridge<'_> {
    /// Rewrites what stands at the cursor. `Some(true)` where it did; `None` where the form cannot be understood.
    pub(super) fn rewrite(&mut self) -> Option<bool> {
        let Some(next) = self.cursor.peek() else { return Some(false) };
        match next.kind() {
            TokenKind::Word => self.rewrite_word(next),
            TokenKind::Operator => Some(self.drop_descendants(next)),
            _ => Some(false),
        }
    }

    fn rewrite_word(&mut self, next: &Lexeme) -> Option<bool> {
        let word = next.token.folded(self.cursor.text);
        Some(match &*word {
            "only" => self.drop_only(),
            "table" => self.table_command(),
            "variadic" => self.cursor.eat_word("variadic"),
            "operator" => return self.qualified_operator(),
            "rows" => return self.rows_from(),
            "for" => self.lock_strength(),
            "overriding" => self.drop_overriding(),
            "exclude" => self.drop_frame_exclusion(),
            "where" => self.current_of(),
            "search" | "cycle" => return self.drop_search_or_cycle(),
            "current_role" => self.current_role(),
            "xmlelement" | "xmlpi" => self.xml_name(),
            "xmlforest" | "xmlattributes" => return self.xml_list(),
            _ => false,
        })
    }

    /// The last token that went over, if it is this keyword.
    fn follows(&self, expected: Keyword) -> bool {
        matches!(self.out.last(), Some(Token::Word(Word { keyword, quote_style: None, .. })) if *keyword == expected)
    }

    /// `ONLY t` and `ONLY (t)` have the effects of `t`; after `ROWS` it belongs to FETCH FIRST.
    fn drop_only(&mut self) -> bool {
        if self.follows(Keyword::ROW) || self.follows(Keyword::ROWS) {
            self.cursor.advance();
            self.out.push(keyword(Keyword::ONLY, "only"));
            return true;
        }
        self.cursor.advance();
        let mut inside = self.cursor;
        if let Some(mut group) = inside.group()
            && let Some(name) = relation_alone(&mut group)
        {
            self.cursor = inside;
            self.push_name(&name);
        }
        true
    }

    fn push_name(&mut self, name: &QualifiedName) {
        if let Some(schema) = &name.schema {
            self.out.extend([quoted(schema.clone()), Token::Period]);
        }
        self.out.push(quoted(name.name.clone()));
    }

    /// `t *` has the effects of `t`.
    fn drop_descendants(&mut self, next: &Lexeme) -> bool {
        let after_name = matches!(self.out.last(), Some(Token::Word(Word { quote_style: Some(_), .. })));
        if !(after_name && next.is_operator(self.cursor.text, "*")) {
            return false;
        }
        let mut rest = self.cursor;
        rest.advance();
        let ends = match rest.peek() {
            None => true,
            Some(after) => match after.kind() {
                TokenKind::Close | TokenKind::Comma | TokenKind::Semicolon => true,
                TokenKind::Word => AFTER_RELATION.iter().any(|word| after.is_word(rest.text, word)),
                _ => false,
            },
        };
        if ends {
            self.cursor = rest;
        }
        ends
    }

    /// `TABLE t` is `SELECT * FROM t`, except after `INTO`.
    fn table_command(&mut self) -> bool {
        let into = [Keyword::INTO, Keyword::TEMP, Keyword::TEMPORARY, Keyword::UNLOGGED];
        if into.into_iter().any(|word| self.follows(word)) {
            self.cursor.advance();
            return true;
        }
        self.cursor.advance();
        let select = [keyword(Keyword::SELECT, "select"), Token::Mul, keyword(Keyword::FROM, "from")];
        self.out.extend(select);
        true
    }

    /// `OPERATOR(schema.op)` in the place of an operator between two operands.
    fn qualified_operator(&mut self) -> Option<bool> {
        let mut rest = self.cursor;
        rest.advance();
        let Some(mut group) = rest.group() else { return Some(false) };
        let mut schema = None;
        while let Some(part) = group.identifier() {
            schema = Some(part);
            group.eat(TokenKind::Period).then_some(())?;
        }
        let operator = group.advance().filter(|last| last.kind() == TokenKind::Operator)?;
        let name = operator.token.text(group.text).to_owned();
        group.is_end().then_some(())?;
        self.add_operator(QualifiedName { schema, name: name.clone() });
        self.out.push(Token::CustomBinaryOperator(name));
        self.cursor = rest;
        Some(true)
    }

    /// `ROWS FROM (f(x), g(y))` calls f and g.
    fn rows_from(&mut self) -> Option<bool> {
        let Some(mut rest) = self.cursor.past(&["rows", "from"]) else { return Some(false) };
        let functions = rest.group()?;
        self.cursor = functions;
        self.run()?;
        self.cursor = rest;
        Some(true)
    }

    /// `FOR NO KEY UPDATE` and `FOR KEY SHARE` take locks like the others.
    fn lock_strength(&mut self) -> bool {
        for (form, lock, word) in [
            (&["for", "no", "key", "update"][..], Keyword::UPDATE, "update"),
            (&["for", "key", "share"], Keyword::SHARE, "share"),
        ] {
            if self.cursor.eat_words(form) {
                self.out.extend([keyword(Keyword::FOR, "for"), keyword(lock, word)]);
                return true;
            }
        }
        false
    }

    fn drop_overriding(&mut self) -> bool {
        self.cursor.eat_words(&["overriding", "user", "value"])
            || self.cursor.eat_words(&["overriding", "system", "value"])
    }

    fn drop_frame_exclusion(&mut self) -> bool {
        [&["exclude", "current", "row"][..], &["exclude", "no", "others"], &["exclude", "group"], &["exclude", "ties"]]
            .into_iter()
            .any(|form| self.cursor.eat_words(form))
    }

    /// `WHERE CURRENT OF cursor` reaches one row, as `WHERE ctid = $0` does.
    fn current_of(&mut self) -> bool {
        let Some(mut rest) = self.cursor.past(&["where", "current", "of"]) else { return false };
        if rest.identifier().is_none() {
            return false;
        }
        self.cursor = rest;
        let row = [keyword(Keyword::WHERE, "where"), quoted("ctid".to_owned()), Token::Eq];
        self.out.extend(row);
        self.out.push(Token::Placeholder("$0".to_owned()));
        true
    }

    /// `SEARCH …` and `CYCLE …` after a recursive query compare columns and add others.
    fn drop_search_or_cycle(&mut self) -> Option<bool> {
        if !matches!(self.out.last(), Some(Token::RParen)) {
            return Some(false);
        }
        let mut rest = self.cursor;
        let cycle = rest.eat_word("cycle");
        let search = ["breadth", "depth"].iter().any(|order| rest.eat_words(&["search", order, "first", "by"]));
        if !cycle && !search {
            return Some(false);
        }
        names(&mut rest)?;
        rest.eat_word("set").then_some(())?;
        rest.identifier()?;
        if cycle {
            if rest.eat_word("to") {
                constant(&mut rest)?;
                rest.eat_word("default").then_some(())?;
                constant(&mut rest)?;
            }
            rest.eat_word("using").then_some(())?;
            rest.identifier()?;
        }
        self.compares = true;
        self.cursor = rest;
        Some(true)
    }

    fn current_role(&mut self) -> bool {
        self.cursor.advance();
        self.out.push(keyword(Keyword::CURRENT_USER, "current_user"));
        true
    }

    /// `xmlelement(NAME x, …)` → `xmlelement('x', …)`.
    fn xml_name(&mut self) -> bool {
        let mut rest = self.cursor;
        let Some(function) = rest.identifier() else { return false };
        if !(rest.eat(TokenKind::Open) && rest.eat_word("name")) {
            return false;
        }
        let Some(name) = rest.identifier() else { return false };
        self.out.extend([keyword(Keyword::NoKeyword, &function), Token::LParen, Token::SingleQuotedString(name)]);
        self.cursor = rest;
        true
    }

    /// `xmlforest(a AS b, …)` → `xmlforest(a, …)`.
    fn xml_list(&mut self) -> Option<bool> {
        let mut rest = self.cursor;
        let function = rest.identifier()?;
        let mut items = rest.group()?;
        self.out.extend([keyword(Keyword::NoKeyword, &function), Token::LParen]);
        let mut depth = 0_usize;
        while let Some(next) = items.peek() {
            match next.kind() {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && items.eat_word("as") {
                items.identifier()?;
                continue;
            }
            items.advance();
            self.push(next)?;
        }
        self.out.push(Token::RParen);
        self.cursor = rest;
        Some(true)
    }
}

impl Cursor<'_> {
    /// The cursor past these keywords, where they follow.
    fn past(mut self, words: &[&str]) -> Option<Self> {
        self.eat_words(words).then_some(self)
    }
}

/// A relation's name with nothing behind it but perhaps a `*`.
fn relation_alone(group: &mut Cursor<'_>) -> Option<QualifiedName> {
    let name = group.name()?;
    if group.peek().is_some_and(|next| next.is_operator(group.text, "*")) {
        group.advance();
    }
    group.is_end().then_some(name)
}

fn names(cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.identifier()?;
    while cursor.eat(TokenKind::Comma) {
        cursor.identifier()?;
    }
    Some(())
}

fn constant(cursor: &mut Cursor<'_>) -> Option<()> {
    let next = cursor.advance()?;
    let known = match next.kind() {
        TokenKind::Number | TokenKind::Literal(LiteralForm::Plain) => true,
        TokenKind::Word => next.is_word(cursor.text, "true") || next.is_word(cursor.text, "false"),
        _ => false,
    };
    known.then_some(())
}
