//! Expressions inside statements that sqlparser is not asked about.

use alloc::vec::Vec;

use crate::command::sql::{Effect, Object, Verb};
use crate::name::QualifiedName;
use crate::sql::effects::Effects;
use crate::sql::lex::{Cursor, Lexeme};
use crate::sql::scanner::TokenKind;
use crate::sql::{catalogue, effects_of_expressions};

/// The effects of a list of expressions that makes up the whole cursor.
pub(super) fn all(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    effects.absorb(effects_of_expressions(cursor, false)?);
    Some(())
}

/// The same of expressions that are evaluated for each row that comes in.
pub(super) fn of_row(effects: &mut Effects, cursor: Cursor<'_>) -> Option<()> {
    effects.absorb(effects_of_expressions(cursor, true)?);
    Some(())
}

/// Keywords before which a name in front of parentheses is no function.
const NAMES_FOLLOW: &[&str] =
    &["by", "class", "constraint", "family", "index", "into", "of", "on", "references", "table"];

/// Kinds of indexes that are shipped: `USING gin (a)` is no call.
const METHODS: &[&str] = &["brin", "btree", "gin", "gist", "hash", "spgist"];

/// The calls in a definition, by its tokens: each name in front of parentheses that is neither a keyword nor a type,
/// and does not stand where a name of another kind is due; and each operator.
pub(super) fn calls(effects: &mut Effects, cursor: Cursor<'_>) {
    for at in 0..cursor.lexemes.len() {
        let Some([lexeme, rest @ ..]) = cursor.lexemes.get(at..) else { return };
        if lexeme.kind() == TokenKind::Operator {
            let before = cursor.lexemes.get(..at).unwrap_or(&[]);
            let schema = match before {
                [.., schema, period] if period.kind() == TokenKind::Period => schema.identifier(cursor.text),
                _ => None,
            };
            effects.operator(QualifiedName { schema, name: lexeme.token.text(cursor.text).into() });
        }
        if lexeme.kind() == TokenKind::Cast {
            // A cast to a type that is not shipped runs the code of its owner.
            let made = made_type(Cursor { text: cursor.text, lexemes: rest });
            made.into_iter().for_each(|name| effects.add(Effect::new(Verb::Call, Object::Function(name))));
        }
        // `(x).f` is a call of f.
        if let [period, name, ..] = rest
            && matches!(lexeme.kind(), TokenKind::Close | TokenKind::CloseBracket)
            && period.kind() == TokenKind::Period
            && let Some(name) = name.identifier(cursor.text)
        {
            effects.call(QualifiedName::bare(name), &[]);
        }
        let open = rest.first().is_some_and(|next| next.kind() == TokenKind::Open);
        if let Some(name) = lexeme.identifier(cursor.text).filter(|_| open) {
            call(effects, cursor, at, lexeme, name);
        }
    }
}

/// The types of a list that are not shipped.
pub(super) fn made_types(mut list: Cursor<'_>) -> Vec<QualifiedName> {
    let (mut made, mut begins) = (Vec::new(), true);
    while !list.is_end() {
        if begins {
            made.extend(made_type(list));
        }
        begins = list.at(TokenKind::Comma);
        // Lengths.
        if list.group().is_none() {
            list.advance();
        }
    }
    made
}

/// The type that is named here, unless it is shipped.
fn made_type(mut list: Cursor<'_>) -> Option<QualifiedName> {
    let name = list.name()?;
    let bare = |name: &str| catalogue::is_shipped_type(name) || catalogue::is_keyword(name);
    let shipped = match name.schema.as_deref() {
        None => bare(&name.name),
        Some(schema) => schema == "pg_catalog",
    };
    (!shipped).then_some(name)
}

fn call(effects: &mut Effects, cursor: Cursor<'_>, at: usize, lexeme: &Lexeme, name: alloc::string::String) {
    let text = cursor.text;
    let mut before = cursor.lexemes.get(..at).unwrap_or(&[]);
    let mut schema = None;
    if let [outer @ .., qualifier, period] = before
        && period.kind() == TokenKind::Period
    {
        schema = qualifier.identifier(text);
        before = outer;
    }
    let method = before.last().is_some_and(|last| last.is_word(text, "using")) && METHODS.contains(&name.as_str());
    let keyword = method || schema.is_none() && lexeme.kind() == TokenKind::Word && catalogue::is_keyword(&name);
    if keyword
        || catalogue::is_shipped_type(&name) && schema.is_none()
        || before.last().is_some_and(|last| is_due(text, last))
    {
        return;
    }
    effects.call(QualifiedName { schema, name }, &[]);
}

/// Whether a name of another kind is due after this: the type of a column, a relation, a method.
fn is_due(text: &str, last: &Lexeme) -> bool {
    match last.kind() {
        TokenKind::Quoted | TokenKind::UnicodeQuoted | TokenKind::Cast => true,
        TokenKind::Word => {
            let word = last.token.folded(text);
            NAMES_FOLLOW.contains(&&*word) || !catalogue::is_keyword(&word)
        }
        _ => false,
    }
}
