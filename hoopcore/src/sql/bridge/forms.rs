//! Clauses and tests of PostgreSQL that sqlparser lacks, written as ones that it has, with the same effects.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Word};

use super::{Bridge, keyword, quoted};
use crate::sql::lex::Cursor;
use crate::sql::scanner::TokenKind;

impl Bridge<'_> {
    /// `x IS JSON …` looks at x as `x IS TRUE` does.
    pub(super) fn is_json(&mut self) -> bool {
        let mut rest = self.cursor;
        if !(rest.eat_words(&["is", "json"]) || rest.eat_words(&["is", "not", "json"])) {
            return false;
        }
        rest.eat_any(&["value", "scalar", "array", "object"]);
        if rest.eat_words(&["with", "unique"]) || rest.eat_words(&["without", "unique"]) {
            rest.eat_word("keys");
        }
        self.cursor = rest;
        self.out.extend([keyword(Keyword::IS, "is"), keyword(Keyword::TRUE, "true")]);
        true
    }

    /// `x ISNULL` is `x IS NULL`, `x NOTNULL` is `x IS NOT NULL`.
    pub(super) fn null_test(&mut self, not: &[Token]) -> bool {
        if self.is_operand_due() {
            return false;
        }
        self.cursor.advance();
        self.out.push(keyword(Keyword::IS, "is"));
        self.out.extend_from_slice(not);
        self.out.push(keyword(Keyword::NULL, "null"));
        true
    }

    /// `FOR UPDATE OF a, b` is `FOR UPDATE OF a FOR UPDATE OF b`.
    pub(super) fn locked_names(&mut self) -> bool {
        let mut rest = self.cursor;
        let update = rest.eat_words(&["for", "update", "of"]) || rest.eat_words(&["for", "no", "key", "update", "of"]);
        let share = rest.eat_words(&["for", "share", "of"]) || rest.eat_words(&["for", "key", "share", "of"]);
        let Some(names) = names(&mut rest).filter(|names| (update || share) && names.len() > 1) else { return false };
        for name in names {
            let lock = if update { keyword(Keyword::UPDATE, "update") } else { keyword(Keyword::SHARE, "share") };
            self.out.extend([keyword(Keyword::FOR, "for"), lock, keyword(Keyword::OF, "of"), quoted(name)]);
        }
        self.cursor = rest;
        true
    }

    /// `x AT LOCAL` works as `x AT TIME ZONE 'UTC'` does.
    pub(super) fn local_time(&mut self) -> bool {
        let found = self.cursor.eat_words(&["at", "local"]);
        if found {
            let zone = [keyword(Keyword::AT, "at"), keyword(Keyword::TIME, "time"), keyword(Keyword::ZONE, "zone")];
            self.out.extend(zone);
            self.out.push(Token::SingleQuotedString("UTC".into()));
        }
        found
    }

    /// `WHEN NOT MATCHED BY SOURCE`, `… BY TARGET`.
    pub(super) fn merge_side(&mut self) -> bool {
        let side = match self.follows(Keyword::MATCHED) {
            true if self.cursor.eat_words(&["by", "source"]) => keyword(Keyword::SOURCE, "source"),
            true if self.cursor.eat_words(&["by", "target"]) => keyword(Keyword::TARGET, "target"),
            true | false => return false,
        };
        self.out.extend([keyword(Keyword::BY, "by"), side]);
        true
    }

    /// `THEN INSERT DEFAULT VALUES` is `THEN INSERT VALUES (DEFAULT)`.
    pub(super) fn merge_defaults(&mut self) -> bool {
        let found = self.cursor.eat_words(&["insert", "default", "values"]);
        if found {
            self.out.extend([keyword(Keyword::INSERT, "insert"), keyword(Keyword::VALUES, "values"), Token::LParen]);
            self.out.extend([keyword(Keyword::DEFAULT, "default"), Token::RParen]);
        }
        found
    }

    /// `x::type COLLATE name` is computed from x as `x::type::type(1)` is, and has its name.
    pub(super) fn collated_cast(&mut self) -> bool {
        let [.., Token::DoubleColon, name @ Token::Word(Word { quote_style: Some(_), .. })] = self.out.as_slice()
        else {
            return false;
        };
        let name = name.clone();
        let mut rest = self.cursor;
        rest.advance();
        if rest.name().is_none() {
            return false;
        }
        let length = [Token::LParen, Token::Number("1".into(), false), Token::RParen];
        self.out.extend([Token::DoubleColon, name]);
        self.out.extend(length);
        self.cursor = rest;
        true
    }

    /// `COLLATION FOR (x)` is `pg_collation_for(x)`.
    pub(super) fn collation_for(&mut self) -> bool {
        let mut rest = self.cursor;
        let found = rest.eat_words(&["collation", "for"]) && rest.at(TokenKind::Open);
        if found {
            self.cursor = rest;
            self.out.push(quoted("pg_collation_for".into()));
        }
        found
    }

    /// `GROUP BY DISTINCT …` and `GROUP BY ALL …` go by the same keys as `GROUP BY …`.
    pub(super) fn drop_grouping_quantifier(&mut self) -> bool {
        let word = |token: &Token, keyword| matches!(token, Token::Word(word) if word.keyword == keyword);
        let found = match self.out.as_slice() {
            [.., group, by] => word(group, Keyword::GROUP) && word(by, Keyword::BY),
            _ => false,
        };
        if found {
            self.cursor.advance();
        }
        found
    }

    /// `trim(LEADING FROM x)` is `trim(LEADING x)`.
    pub(super) fn drop_trim_from(&mut self) -> bool {
        let plain = |word: &Word, keyword| word.quote_style.is_none() && word.keyword == keyword;
        let sides = [Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING];
        let found = match self.out.as_slice() {
            [.., Token::Word(trim), Token::LParen, Token::Word(side)] => {
                plain(trim, Keyword::TRIM) && sides.into_iter().any(|known| plain(side, known))
            }
            _ => false,
        };
        if found {
            self.cursor.advance();
        }
        found
    }

    /// `RETURNING WITH (OLD AS o, NEW AS n) …`: names for what `old` and `new` are otherwise.
    pub(super) fn row_versions(&mut self) -> Option<bool> {
        let mut rest = self.cursor;
        if !rest.eat_words(&["returning", "with"]) {
            return Some(false);
        }
        let mut list = rest.group()?;
        loop {
            list.eat_any(&["old", "new"])?;
            list.eat_word("as").then_some(())?;
            self.found.versions.push(list.identifier()?);
            if !list.eat(TokenKind::Comma) {
                break;
            }
        }
        list.is_end().then_some(())?;
        self.out.push(keyword(Keyword::RETURNING, "returning"));
        self.assigning = None;
        self.cursor = rest;
        Some(true)
    }

    /// `substring(x SIMILAR pattern ESCAPE e)` is `substring(x, pattern, e)`.
    pub(super) fn similar_substring(&mut self) -> Option<bool> {
        let mut rest = self.cursor;
        rest.advance();
        if rest.at_word("to") {
            return Some(false);
        }
        let mut pattern = rest;
        while !rest.at_word("escape") {
            if rest.group().is_none() {
                rest.advance()?;
            }
        }
        pattern.lexemes = pattern.lexemes.get(..pattern.lexemes.len() - rest.lexemes.len())?;
        rest.advance();
        self.out.push(Token::Comma);
        self.cursor = pattern;
        self.run()?;
        self.out.push(Token::Comma);
        self.cursor = rest;
        Some(true)
    }
}

/// Names between commas.
fn names(cursor: &mut Cursor<'_>) -> Option<alloc::vec::Vec<alloc::string::String>> {
    let mut names = alloc::vec![cursor.identifier()?];
    while cursor.eat(TokenKind::Comma) {
        names.push(cursor.identifier()?);
    }
    Some(names)
}
