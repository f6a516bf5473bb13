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

/// Words that begin a query.
const BEGINS_QUERY: &[&str] = &["select", "table", "values", "with"];

impl Bridge<'_> {
    /// Rewrites what stands at the cursor. `Some(true)` where it did; `None` where the form cannot be understood.
    pub(super) fn rewrite(&mut self) -> Option<bool> {
        let Some(next) = self.cursor.peek() else { return Some(false) };
        match next.kind() {
            // Behind a period any word is a name.
            TokenKind::Word if self.out.last() == Some(&Token::Period) => {
                self.cursor.advance();
                self.out.push(quoted(next.token.folded(self.cursor.text).into_owned()));
                Some(true)
            }
            TokenKind::Word => Some(self.assigned_part()? || self.rewrite_word(next)?),
            TokenKind::Quoted | TokenKind::UnicodeQuoted => self.assigned_part(),
            TokenKind::Operator => Some(self.drop_descendants(next)),
            TokenKind::Period => Some(self.all_fields()),
            TokenKind::Cast => Some(self.frame_type()),
            _ => Some(false),
        }
    }

    fn rewrite_word(&mut self, next: &Lexeme) -> Option<bool> {
        let word = next.token.folded(self.cursor.text);
        Some(match &*word {
            "only" => self.drop_only(),
            "table" => self.table_command(),
            "variadic" => self.drop_variadic(),
            "operator" => return self.qualified_operator(),
            "rows" => return self.rows_from(),
            "into" => return self.insert_columns(),
            "on" => self.empty_from(),
            "conflict" => return self.conflict_target(),
            "as" => self.nameless_columns(),
            "is" => self.is_document() || self.is_json(),
            "isnull" => self.null_test(&[]),
            "notnull" => self.null_test(&[keyword(Keyword::NOT, "not")]),
            "using" => return self.order_operator(),
            "tablesample" => return self.drop_sample(),
            "for" => self.locked_names() || self.lock_strength(),
            "at" => self.local_time(),
            "by" => self.merge_side(),
            "collate" => self.collated_cast(),
            "collation" => self.collation_for(),
            "distinct" | "all" => self.drop_grouping_quantifier(),
            "from" => self.drop_trim_from(),
            "insert" => self.merge_defaults(),
            "returning" => return self.row_versions(),
            "similar" => return self.similar_substring(),
            "overriding" => self.drop_overriding(),
            "exclude" => self.drop_frame_exclusion(),
            "where" => self.current_of(),
            "search" | "cycle" => return self.drop_search_or_cycle(),
            "xmlelement" | "xmlpi" => self.xml_name(),
            "xmlforest" | "xmlattributes" => return self.xml_list(),
            _ => false,
        })
    }

    /// The last token that went over, if it is this keyword.
    pub(super) fn follows(&self, expected: Keyword) -> bool {
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
        if !self.is_relation_due() {
            self.out.push(quoted("only".to_owned()));
            return true;
        }
        let mut inside = self.cursor;
        if let Some(mut group) = inside.group()
            && let Some(name) = relation_alone(&mut group)
        {
            self.cursor = inside;
            self.push_name(&name);
        }
        true
    }

    /// Whether a relation may stand here; behind an operand a word is the name of an output.
    fn is_relation_due(&self) -> bool {
        matches!(self.out.last(), Some(Token::Comma | Token::LParen))
            || [Keyword::FROM, Keyword::JOIN, Keyword::UPDATE, Keyword::USING, Keyword::INTO]
                .into_iter()
                .any(|before| self.follows(before))
    }

    /// `f(VARIADIC x)` calls f as `f(x)` does.
    fn drop_variadic(&mut self) -> bool {
        let found = matches!(self.out.last(), Some(Token::Comma | Token::LParen));
        if found {
            self.cursor.advance();
        }
        found
    }

    fn push_name(&mut self, name: &QualifiedName) {
        if let Some(schema) = &name.schema {
            self.out.extend([quoted(schema.clone()), Token::Period]);
        }
        self.out.push(quoted(name.name.clone()));
    }

    /// `t *` has the effects of `t`. Before a name it is that only where `FROM t` or `JOIN t` stands before.
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
        let aliased = rest.identifier().is_some() && self.is_from();
        if ends || aliased {
            self.cursor.advance();
        }
        ends || aliased
    }

    /// Whether the last name that went over is the first in FROM or JOIN.
    fn is_from(&self) -> bool {
        match self.out.as_slice() {
            [before @ .., Token::Word(from), Token::Word(_)] => {
                let distinct = matches!(before.last(), Some(Token::Word(word)) if word.keyword == Keyword::DISTINCT);
                matches!(from.keyword, Keyword::FROM | Keyword::JOIN) && !distinct
            }
            _ => false,
        }
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
        let prefix = self.is_operand_due();
        self.out.push(if prefix { Token::Minus } else { Token::CustomBinaryOperator(name) });
        self.cursor = rest;
        Some(true)
    }

    /// `ORDER BY x USING op`, `JOIN … USING (a, b) AS t`.
    fn order_operator(&mut self) -> Option<bool> {
        let mut rest = self.cursor;
        rest.advance();
        if rest.at(TokenKind::Operator) {
            let operator = rest.advance()?.token.text(rest.text).to_owned();
            self.add_operator(QualifiedName::bare(operator));
            self.cursor = rest;
            return Some(true);
        }
        if rest.at_word("operator") {
            self.cursor = rest;
            let length = self.out.len();
            self.qualified_operator()?.then_some(())?;
            self.out.truncate(length);
            return Some(true);
        }
        let columns = rest.group().filter(|inside| !crate::sql::utility::is_query(*inside));
        let Some(columns) = columns else { return Some(false) };
        if !rest.eat_word("as") {
            return Some(false);
        }
        self.found.given.push(rest.identifier()?);
        self.imply(&["="]);
        self.found.names_joins = true;
        self.out.extend([keyword(Keyword::USING, "using"), Token::LParen]);
        self.cursor = columns;
        self.run()?;
        self.out.push(Token::RParen);
        self.cursor = rest;
        Some(true)
    }

    /// `TABLESAMPLE method (constants) [REPEATABLE (constant)]`: the method is a function.
    fn drop_sample(&mut self) -> Option<bool> {
        let mut rest = self.cursor;
        rest.advance();
        let method = rest.name()?;
        let mut constants = is_constant(rest.group()?);
        if rest.eat_word("repeatable") {
            constants &= is_constant(rest.group()?);
        }
        constants.then_some(())?;
        if !(method.schema.is_none() && matches!(method.name.as_str(), "bernoulli" | "system")) {
            self.found.calls.push(method);
        }
        self.cursor = rest;
        Some(true)
    }

    /// `(row).*` is the row.
    fn all_fields(&mut self) -> bool {
        let mut rest = self.cursor;
        rest.advance();
        let star = rest.advance().is_some_and(|star| star.is_operator(rest.text, "*"));
        let after_group = matches!(self.out.last(), Some(Token::RParen));
        if star && after_group {
            self.found.expands = true;
            self.cursor = rest;
        }
        star && after_group
    }

    /// `'1 day'::interval PRECEDING` is `'1 day' PRECEDING`.
    fn frame_type(&mut self) -> bool {
        let mut rest = self.cursor;
        rest.advance();
        let literal = matches!(self.out.last(), Some(Token::SingleQuotedString(_)));
        let found = literal && rest.eat_word("interval") && (rest.at_word("preceding") || rest.at_word("following"));
        if found {
            self.cursor = rest;
        }
        found
    }

    /// `x IS DOCUMENT` looks at x as `x IS TRUE` does.
    fn is_document(&mut self) -> bool {
        let (plain, negated) = (&["is", "document"][..], &["is", "not", "document"][..]);
        let found = self.cursor.eat_words(plain) || self.cursor.eat_words(negated);
        if found {
            self.out.extend([keyword(Keyword::IS, "is"), keyword(Keyword::TRUE, "true")]);
        }
        found
    }

    /// `f(x) AS (a int, b text)`: columns without a name for their relation.
    fn nameless_columns(&mut self) -> bool {
        let mut rest = self.cursor;
        rest.advance();
        let after_call = matches!(self.out.last(), Some(Token::RParen)) || self.follows(Keyword::ORDINALITY);
        let columns = rest.group().is_some_and(|inside| !crate::sql::utility::is_query(inside));
        if !(after_call && columns) {
            return false;
        }
        self.cursor.advance();
        self.out.extend([keyword(Keyword::AS, "as"), quoted("?column?".to_owned())]);
        true
    }

    /// `SET a[1] = …`, `SET a.b = …`: a part of column a.
    fn assigned_part(&mut self) -> Option<bool> {
        let starts = self.follows(Keyword::SET) || matches!(self.out.last(), Some(Token::Comma));
        if !(starts && self.assigning == Some(self.depth)) {
            return Some(false);
        }
        let mut rest = self.cursor;
        let column = rest.identifier()?;
        if !(rest.at(TokenKind::OpenBracket) || rest.at(TokenKind::Period)) {
            return Some(false);
        }
        let parts = part(&mut rest)?;
        if !rest.peek()?.is_operator(rest.text, "=") {
            return Some(false);
        }
        parts.then_some(())?;
        self.out.push(quoted(column));
        self.cursor = rest;
        Some(true)
    }

    /// `INSERT INTO t (a[1], b.c)`: parts of columns.
    fn insert_columns(&mut self) -> Option<bool> {
        if !self.follows(Keyword::INSERT) {
            return Some(false);
        }
        let mut rest = self.cursor;
        rest.advance();
        let name = rest.name()?;
        let alias = if rest.eat_word("as") { Some(rest.identifier()?) } else { None };
        let Some(mut columns) = rest.group().filter(|inside| !crate::sql::utility::is_query(*inside)) else {
            return Some(false);
        };
        self.found.intos += 1;
        self.out.push(keyword(Keyword::INTO, "into"));
        self.push_name(&name);
        if let Some(alias) = alias {
            self.out.extend([keyword(Keyword::AS, "as"), quoted(alias)]);
        }
        self.out.push(Token::LParen);
        loop {
            self.out.push(quoted(columns.identifier()?));
            part(&mut columns)?.then_some(())?;
            if !columns.eat(TokenKind::Comma) {
                break;
            }
            self.out.push(Token::Comma);
        }
        columns.is_end().then_some(())?;
        self.out.push(Token::RParen);
        self.cursor = rest;
        Some(true)
    }

    /// `SELECT 1 ON CONFLICT …` is `SELECT 1 WHERE true ON CONFLICT …`.
    fn empty_from(&mut self) -> bool {
        let found = self.cursor.past(&["on", "conflict"]).is_some() && self.ends_with_list();
        if found {
            self.cursor.advance();
            self.out.extend([
                keyword(Keyword::WHERE, "where"),
                keyword(Keyword::TRUE, "true"),
                keyword(Keyword::ON, "on"),
            ]);
        }
        found
    }

    /// Whether the tokens so far end with the list of a SELECT and no clause behind it.
    fn ends_with_list(&self) -> bool {
        let mut depth = 0_usize;
        for token in self.out.iter().rev() {
            match token {
                Token::RParen => depth += 1,
                Token::LParen if depth == 0 => return false,
                Token::LParen => depth -= 1,
                Token::Word(Word { keyword: Keyword::SELECT, .. }) if depth == 0 => return true,
                Token::Word(Word { keyword, quote_style: None, .. }) if depth == 0 && begins_clause(*keyword) => {
                    return false;
                }
                _ => {}
            }
        }
        false
    }

    /// `ON CONFLICT (lower(a) COLLATE "C", b) WHERE c > 0`: the columns that it looks at, and the calls.
    fn conflict_target(&mut self) -> Option<bool> {
        let mut rest = self.cursor;
        rest.advance();
        let Some(mut target) = rest.group().filter(|_| self.follows(Keyword::ON)) else { return Some(false) };
        let mut predicate = rest;
        if rest.eat_word("where") {
            let length = rest.lexemes.iter().position(|lexeme| lexeme.is_word(rest.text, "do"))?;
            predicate.lexemes = rest.lexemes.get(..length)?;
            rest.lexemes = rest.lexemes.get(length..)?;
        } else {
            predicate.lexemes = &[];
        }
        self.out.extend([keyword(Keyword::CONFLICT, "conflict"), Token::LParen]);
        self.names(&mut target)?;
        self.names(&mut predicate)?;
        self.out.push(Token::RParen);
        self.cursor = rest;
        Some(true)
    }

    /// Every name in an expression as one more column, but for those of calls and operators.
    fn names(&mut self, expression: &mut Cursor<'_>) -> Option<()> {
        while let Some(next) = expression.advance() {
            match next.kind() {
                TokenKind::Operator => self.imply(&[next.token.text(expression.text)]),
                TokenKind::Word if next.is_word(expression.text, "collate") => {
                    expression.name()?;
                }
                TokenKind::Word if BEGINS_QUERY.iter().any(|word| next.is_word(expression.text, word)) => return None,
                TokenKind::Word | TokenKind::Quoted | TokenKind::UnicodeQuoted => {
                    let name = next.identifier(expression.text)?;
                    if expression.at(TokenKind::Period) {
                        continue;
                    }
                    if expression.at(TokenKind::Open) {
                        self.found.calls.push(QualifiedName::bare(name));
                        continue;
                    }
                    self.imply(super::implied_operators(&name));
                    if self.out.last() != Some(&Token::LParen) {
                        self.out.push(Token::Comma);
                    }
                    self.out.push(quoted(name));
                }
                TokenKind::OpenBracket | TokenKind::CloseBracket | TokenKind::Semicolon => return None,
                _ => {}
            }
        }
        Some(())
    }

    /// `ROWS FROM (f(x), g(y))` calls f and g.
    fn rows_from(&mut self) -> Option<bool> {
        let Some(mut rest) = self.cursor.past(&["rows", "from"]) else { return Some(false) };
        // Otherwise it is a column of that name, before FROM.
        let functions = rest.group().filter(|inside| !crate::sql::utility::is_query(*inside));
        let Some(functions) = functions else { return Some(false) };
        self.cursor = functions;
        if is_list(functions) {
            self.joined_list()?;
            rest.eat_words(&["with", "ordinality"]);
        } else {
            self.run()?;
        }
        self.cursor = rest;
        Some(true)
    }

    /// `f(x), g(y)` as `(f(x) CROSS JOIN g(y))`: a name behind it is one of all.
    fn joined_list(&mut self) -> Option<()> {
        self.out.push(Token::LParen);
        let depth = self.depth;
        while let Some(next) = self.cursor.peek() {
            if next.kind() == TokenKind::Comma && self.depth == depth {
                self.cursor.advance();
                self.out.extend([keyword(Keyword::CROSS, "cross"), keyword(Keyword::JOIN, "join")]);
            } else if !self.rewrite()? {
                self.cursor.advance();
                self.push(next)?;
            }
        }
        self.out.push(Token::RParen);
        Some(())
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

    /// What a frame leaves out, behind where it ends.
    fn drop_frame_exclusion(&mut self) -> bool {
        let ends = [Keyword::PRECEDING, Keyword::FOLLOWING, Keyword::ROW];
        if !ends.into_iter().any(|end| self.follows(end)) {
            return false;
        }
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
        self.found.given.push(rest.identifier()?);
        if cycle {
            if rest.eat_word("to") {
                constant(&mut rest)?;
                rest.eat_word("default").then_some(())?;
                constant(&mut rest)?;
            }
            rest.eat_word("using").then_some(())?;
            self.found.given.push(rest.identifier()?);
        }
        self.found.compares = true;
        self.cursor = rest;
        Some(true)
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

/// Whether a keyword begins what may stand behind the list of a SELECT, or shows that it is none.
fn begins_clause(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::WINDOW
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::FETCH
            | Keyword::FOR
            | Keyword::VALUES
            | Keyword::CONFLICT
    )
}

/// A relation's name with nothing behind it but perhaps a `*`.
fn relation_alone(group: &mut Cursor<'_>) -> Option<QualifiedName> {
    let name = group.name()?;
    if group.peek().is_some_and(|next| next.is_operator(group.text, "*")) {
        group.advance();
    }
    group.is_end().then_some(name)
}

/// Whether there is a comma outside of all parentheses.
fn is_list(cursor: Cursor<'_>) -> bool {
    let mut rest = cursor;
    while !rest.is_end() {
        if rest.group().is_none() && rest.advance().is_some_and(|next| next.kind() == TokenKind::Comma) {
            return true;
        }
    }
    false
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

/// Goes past the subscripts and fields of a column that is written to; whether all of them are constants.
fn part(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut constants = true;
    loop {
        if cursor.eat(TokenKind::Period) {
            cursor.identifier()?;
        } else if cursor.eat(TokenKind::OpenBracket) {
            while !cursor.eat(TokenKind::CloseBracket) {
                constants &= is_plain(cursor.advance()?, cursor.text);
            }
        } else {
            return Some(constants);
        }
    }
}

fn is_constant(cursor: Cursor<'_>) -> bool {
    cursor.lexemes.iter().all(|lexeme| is_plain(lexeme, cursor.text))
}

/// A part of a constant: a literal, a number, a sign.
fn is_plain(lexeme: &Lexeme, text: &str) -> bool {
    match lexeme.kind() {
        TokenKind::Number | TokenKind::Literal(_) | TokenKind::Parameter | TokenKind::Colon | TokenKind::Comma => true,
        TokenKind::Operator => matches!(lexeme.token.text(text), "-" | "+"),
        TokenKind::Word => lexeme.is_word(text, "null"),
        _ => false,
    }
}
