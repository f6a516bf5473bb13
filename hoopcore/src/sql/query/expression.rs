//! Expressions: what they call, what they cast to, which columns they use and how.

use alloc::borrow::Cow;
use alloc::string::ToString as _;

use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, Interval, Query, Subscript, TypedString, UnaryOperator, Value,
};

use super::flow::Use;
use super::{Walk, parts};
use crate::command::sql::{Effect, Object, Verb};
use crate::name::QualifiedName;
use crate::sql::catalogue;

/// Words of PostgreSQL's grammar that are never names, `DEFAULT` apart.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "collate",
    "constraint",
    "current_catalog",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "from",
    "group",
    "having",
    "in",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "user",
    "using",
    "when",
    "where",
    "window",
    "with",
];

/// Words of the grammar that may be names as well: forms of `normalize`, a function without parentheses, and one that is
/// a word since PostgreSQL 16.
const MAY_BE_WORDS: &[&str] = &["current_role", "current_schema", "nfc", "nfd", "nfkc", "nfkd", "system_user"];

impl<'a> Walk<'a> {
    /// Walks an expression whose value is used so.
    pub(super) fn expression(&mut self, expression: &'a Expr, scope: usize, usage: Use) {
        self.deeper(|walk| walk.chain(expression, scope, usage));
    }

    fn each(&mut self, expressions: impl IntoIterator<Item = &'a Expr>, scope: usize, usage: Use) {
        for expression in expressions {
            self.expression(expression, scope, usage);
        }
    }

    /// Follows chains of left operands in a loop: they are long, where everything else is bounded by parentheses.
    fn chain(&mut self, expression: &'a Expr, scope: usize, usage: Use) {
        let mut next = Some((expression, usage));
        while let Some((expression, usage)) = next {
            next = self.link(expression, scope, usage);
        }
    }

    /// Walks one expression except for the operand that it gives back.
    fn link(&mut self, expression: &'a Expr, scope: usize, usage: Use) -> Option<(&'a Expr, Use)> {
        match expression {
            Expr::Identifier(name) => self.name(name, scope, usage),
            Expr::CompoundIdentifier(path) => self.column(path, scope, usage),
            Expr::Value(_) => {}
            Expr::Nested(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::Extract { field: _, syntax: _, expr: inner }
            | Expr::Collate { expr: inner, collation: _ }
            | Expr::IsJson { expr: inner, kind: _, unique_keys: _, negated: _ }
            | Expr::IsNormalized { expr: inner, form: _, negated: _ } => return Some((inner, usage)),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) | Expr::IsUnknown(inner) | Expr::IsNotUnknown(inner) => {
                return Some((inner, if is_column(inner) { Use::TOUCH.weighed() } else { usage }));
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                return Some(self.comparison(left, right, scope, usage));
            }
            Expr::BinaryOp { left, op, right } => return self.operation(left, op, right, scope, usage),
            Expr::UnaryOp { op, expr } => return Some((expr, unary_usage(*op, usage))),
            Expr::Cast { kind, expr, data_type, format } => {
                self.expect(matches!(kind, CastKind::Cast | CastKind::DoubleColon) && format.is_none());
                self.data_type(data_type);
                return Some((expr, if is_text(data_type) { usage } else { usage.probed() }));
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                self.expression(time_zone, scope, usage.probed());
                return Some((timestamp, usage));
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.access(access_chain, scope, usage);
                return Some((root, usage));
            }
            Expr::TypedString(typed) => self.typed(typed),
            Expr::Interval(interval) => return self.interval(interval, usage),
            Expr::InList { expr, list, negated: _ } => {
                let compared = is_column(expr) && list.iter().all(is_constant);
                let usage = if list.iter().all(is_quiet) { usage } else { usage.probed() };
                self.each(list, scope, usage);
                return Some((expr, if compared { usage.equated() } else { usage }));
            }
            _ => self.branch(expression, scope, usage),
        }
        None
    }

    /// The forms that no long chain is made of.
    fn branch(&mut self, expression: &'a Expr, scope: usize, usage: Use) {
        match expression {
            Expr::Between { expr, negated: _, low, high } => {
                let usage = if is_quiet(low) && is_quiet(high) { usage } else { usage.probed() };
                self.each([&**expr, low, high], scope, usage);
            }
            Expr::Like { negated: _, any: _, expr, pattern, escape_char }
            | Expr::ILike { negated: _, any: _, expr, pattern, escape_char } => {
                self.pattern(expr, pattern, escape_char.as_deref(), scope, usage);
            }
            Expr::SimilarTo { negated: _, expr, pattern, escape_char } => {
                self.pattern(expr, pattern, escape_char.as_deref(), scope, usage);
            }
            Expr::InSubquery { expr, subquery, negated: _ } => self.membership(expr, subquery, scope, usage),
            Expr::AnyOp { left, compare_op, right, is_some: _ } => {
                self.quantified(left, compare_op, right, scope, usage)
            }
            Expr::AllOp { left, compare_op: _, right } => self.each([&**left, right], scope, usage.probed()),
            Expr::Position { expr, r#in } => self.each([&**expr, r#in], scope, usage),
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand: _ } => {
                self.call_shipped("substring");
                self.expression(expr, scope, usage);
                self.each(substring_from.iter().chain(substring_for).map(|part| &**part), scope, usage.probed());
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => {
                let characters = trim_characters.iter().flatten();
                self.each(trim_what.iter().map(|what| &**what).chain(characters), scope, usage);
                self.expression(expr, scope, usage);
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.call_shipped("overlay");
                self.each([&**expr, overlay_what], scope, usage);
                self.each([&**overlay_from].into_iter().chain(overlay_for.as_deref()), scope, usage.probed());
            }
            Expr::Function(function) => self.function(function, scope, usage),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.case(operand.as_deref(), conditions, scope, usage);
                self.each(else_result.as_deref(), scope, usage);
            }
            Expr::Exists { subquery, negated: _ } => self.sub_query(subquery, scope, Use::EXIST),
            Expr::Subquery(subquery) => self.sub_query(subquery, scope, usage),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                self.each(sets.iter().flatten(), scope, usage);
            }
            Expr::Tuple(items) => self.each(items, scope, usage),
            Expr::Array(Array { elem, named: _ }) => self.each(elem, scope, usage),
            Expr::Wildcard(_) => self.flow.star(scope, None, usage),
            Expr::QualifiedWildcard(name, _) => match parts(name) {
                Some(parts) => self.flow.star(scope, Some(&parts.name.value), usage),
                None => self.foreign(),
            },
            _ => self.unsupported(expression),
        }
    }

    /// The forms that PostgreSQL lacks; those walked above never come here.
    fn unsupported(&mut self, expression: &'a Expr) {
        match expression {
            Expr::JsonAccess { .. }
            | Expr::InUnnest { .. }
            | Expr::RLike { .. }
            | Expr::Convert { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Prefixed { .. }
            | Expr::Struct { .. }
            | Expr::Named { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::MatchAgainst { .. }
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::Lambda(_)
            | Expr::MemberOf(_)
            | Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::IsJson { .. }
            | Expr::IsNormalized { .. }
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::BinaryOp { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::SimilarTo { .. }
            | Expr::AnyOp { .. }
            | Expr::AllOp { .. }
            | Expr::UnaryOp { .. }
            | Expr::Cast { .. }
            | Expr::AtTimeZone { .. }
            | Expr::Extract { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Overlay { .. }
            | Expr::Collate { .. }
            | Expr::Nested(_)
            | Expr::Value(_)
            | Expr::TypedString(_)
            | Expr::Function(_)
            | Expr::Case { .. }
            | Expr::Exists { .. }
            | Expr::Subquery(_)
            | Expr::GroupingSets(_)
            | Expr::Cube(_)
            | Expr::Rollup(_)
            | Expr::Tuple(_)
            | Expr::Array(_)
            | Expr::Interval(_)
            | Expr::Wildcard(_)
            | Expr::QualifiedWildcard(..) => self.foreign(),
        }
    }

    /// A column, or `DEFAULT`. Another reserved word cannot be a name: sqlparser has misread the statement.
    fn name(&mut self, name: &'a Ident, scope: usize, usage: Use) {
        let word = name.quote_style.is_none();
        if word && RESERVED.binary_search(&name.value.as_str()).is_ok() {
            self.foreign();
        } else if !(word && name.value == "default") {
            let mark = self.flow.mark();
            self.flow.mention(scope, None, &name.value, usage);
            if MAY_BE_WORDS.contains(&name.value.as_str()) {
                self.flow.excuse(mark, &name.value);
            }
        }
    }

    /// `t.c`, `s.t.c` or `d.s.t.c`.
    fn column(&mut self, path: &'a [Ident], scope: usize, usage: Use) {
        match path {
            [.., table, column] if path.len() <= 4 => {
                self.flow.mention(scope, Some(&table.value), &column.value, usage);
            }
            _ => self.foreign(),
        }
    }

    /// Walks the right side of a comparison and says how the left one is used.
    fn comparison(&mut self, left: &'a Expr, right: &'a Expr, scope: usize, usage: Use) -> (&'a Expr, Use) {
        let known = is_column(left) && is_constant(right) || is_constant(left) && is_column(right);
        let usage = match known {
            true => usage.equated(),
            false if has_loud_part(left) || has_loud_part(right) => usage.probed(),
            false => usage,
        };
        self.expression(right, scope, usage);
        (left, usage)
    }

    /// `a || b` joins texts, which always works, or arrays and documents, which may not fit together.
    fn concatenation(&mut self, left: &'a Expr, right: &'a Expr, scope: usize, usage: Use) -> (&'a Expr, Use) {
        let text = !usage.weighed && (is_text_beside(left, right) || is_text_beside(right, left));
        let operand = |operand: &Expr| match text || is_constant(operand) {
            true => usage,
            false if is_column(operand) || is_concatenation(operand) => usage.weighed(),
            false if is_textual(operand) => usage.worked(),
            false => usage.probed(),
        };
        self.expression(right, scope, operand(right));
        (left, operand(left))
    }

    fn operation(
        &mut self,
        left: &'a Expr,
        op: &'a BinaryOperator,
        right: &'a Expr,
        scope: usize,
        usage: Use,
    ) -> Option<(&'a Expr, Use)> {
        match op {
            BinaryOperator::Eq | BinaryOperator::NotEq => return Some(self.comparison(left, right, scope, usage)),
            BinaryOperator::And | BinaryOperator::Or => {}
            BinaryOperator::StringConcat => return Some(self.concatenation(left, right, scope, usage)),
            BinaryOperator::Spaceship
            | BinaryOperator::Xor
            | BinaryOperator::DuckIntegerDivide
            | BinaryOperator::MyIntegerDivide
            | BinaryOperator::Match
            | BinaryOperator::Regexp
            | BinaryOperator::Glob
            | BinaryOperator::Assignment => self.foreign(),
            _ => {}
        }
        let lazy = has_loud_part(left) || has_loud_part(right);
        let usage = if is_total(op) && !lazy { usage } else { usage.probed() };
        self.expression(right, scope, usage);
        Some((left, usage))
    }

    /// A pattern from a column may be malformed, so it decides about an error; a constant one does not.
    fn pattern(&mut self, expr: &'a Expr, pattern: &'a Expr, escape: Option<&'a Expr>, scope: usize, usage: Use) {
        self.expression(expr, scope, usage);
        self.expression(pattern, scope, usage.probed());
        self.each(escape, scope, usage.probed());
    }

    /// `x IN (SELECT …)`: with a constant on the left it compares one value, else all with all.
    fn membership(&mut self, expr: &'a Expr, subquery: &'a Query, scope: usize, usage: Use) {
        let usage = if is_constant(expr) { usage.equated() } else { usage.probed() };
        self.expression(expr, scope, usage);
        self.sub_query(subquery, scope, usage);
    }

    fn quantified(&mut self, left: &'a Expr, op: &'a BinaryOperator, right: &'a Expr, scope: usize, usage: Use) {
        let compared = *op == BinaryOperator::Eq && is_column(left) && is_constant(right);
        let usage = if compared { usage.equated() } else { usage.probed() };
        self.each([left, right], scope, usage);
    }

    /// What a CASE asks decides which branch runs, and a branch may fail.
    fn case(&mut self, operand: Option<&'a Expr>, conditions: &'a [CaseWhen], scope: usize, usage: Use) {
        let constants = conditions.iter().all(|when| is_constant(&when.condition));
        let compared = operand.is_some_and(is_column) && constants;
        let asked = if compared { usage.equated() } else { usage.probed() };
        self.each(operand, scope, asked);
        for CaseWhen { condition, result } in conditions {
            self.expression(condition, scope, usage.probed());
            self.expression(result, scope, usage);
        }
    }

    fn access(&mut self, chain: &'a [AccessExpr], scope: usize, usage: Use) {
        for access in chain {
            match access {
                AccessExpr::Dot(Expr::Identifier(field)) => self.flow.behind_row(scope, &field.value, usage),
                AccessExpr::Dot(_) => self.foreign(),
                AccessExpr::Subscript(Subscript::Index { index }) => self.expression(index, scope, usage.probed()),
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    self.expect(stride.is_none());
                    self.each(lower_bound.iter().chain(upper_bound), scope, usage.probed());
                }
            }
        }
    }

    fn typed(&mut self, typed: &'a TypedString) {
        let TypedString { data_type, value: _, uses_odbc_syntax } = typed;
        self.expect(!uses_odbc_syntax);
        self.data_type(data_type);
    }

    fn interval(&mut self, interval: &'a Interval, usage: Use) -> Option<(&'a Expr, Use)> {
        let Interval { value, leading_field: _, leading_precision: _, last_field: _, fractional_seconds_precision: _ } =
            interval;
        Some((value, usage.probed()))
    }

    /// A cast to a type that is not shipped runs the code of its owner: input functions, checks of domains.
    pub(super) fn data_type(&mut self, data_type: &'a DataType) {
        if let Some(name) = user_type(data_type) {
            self.effects.add(Effect::new(Verb::Call, Object::Function(name)));
        }
    }

    fn call_shipped(&mut self, name: &str) {
        self.effects.call(QualifiedName::bare(name), &[]);
    }
}

/// The name of a type that PostgreSQL does not ship.
fn user_type(data_type: &DataType) -> Option<QualifiedName> {
    use sqlparser::ast::ArrayElemTypeDef as Element;
    let mut data_type = data_type;
    while let DataType::Array(
        Element::AngleBracket(inner)
        | Element::SquareBracket(inner, _)
        | Element::Parenthesis(inner)
        | Element::Qualified(inner, _),
    ) = data_type
    {
        data_type = inner;
    }
    if let DataType::Custom(name, _) = data_type {
        let Some(parts) = parts(name) else { return Some(QualifiedName::bare(name.to_string())) };
        let shipped = matches!(parts.schema, None | Some("pg_catalog"));
        return (!(shipped && catalogue::is_shipped_type(&parts.name.value))).then(|| parts.owned());
    }
    if is_standard(data_type) { None } else { Some(QualifiedName::bare(data_type.to_string())) }
}

/// Whether the type is one that PostgreSQL's grammar spells with keywords.
fn is_standard(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Character(_)
            | DataType::Char(_)
            | DataType::CharacterVarying(_)
            | DataType::CharVarying(_)
            | DataType::Varchar(_)
            | DataType::Numeric(_)
            | DataType::Decimal(_)
            | DataType::Dec(_)
            | DataType::Float(_)
            | DataType::SmallInt(_)
            | DataType::Int(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::Real
            | DataType::DoublePrecision
            | DataType::Boolean
            | DataType::Time(..)
            | DataType::Timestamp(..)
            | DataType::Interval { .. }
            | DataType::Bit(_)
            | DataType::BitVarying(_)
    )
}

/// Whether a cast to the type never fails.
fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Character(_)
        | DataType::Char(_)
        | DataType::CharacterVarying(_)
        | DataType::CharVarying(_)
        | DataType::Varchar(_) => true,
        DataType::Custom(name, _) => parts(name).is_some_and(|parts| {
            parts.schema.is_none_or(|schema| schema == "pg_catalog")
                && matches!(parts.name.value.as_str(), "text" | "varchar" | "bpchar" | "name")
        }),
        _ => false,
    }
}

/// Whether an operator gives a value for every operand, so that nothing is learnt from an error.
fn is_total(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Arrow
            | BinaryOperator::LongArrow
            | BinaryOperator::PGStartsWith
    )
}

fn unary_usage(op: UnaryOperator, usage: Use) -> Use {
    match op {
        UnaryOperator::Not | UnaryOperator::Plus => usage,
        UnaryOperator::Minus
        | UnaryOperator::AtDashAt
        | UnaryOperator::BangNot
        | UnaryOperator::BitwiseNot
        | UnaryOperator::DoubleAt
        | UnaryOperator::Hash
        | UnaryOperator::PGAbs
        | UnaryOperator::PGCubeRoot
        | UnaryOperator::PGPostfixFactorial
        | UnaryOperator::PGPrefixFactorial
        | UnaryOperator::PGSquareRoot
        | UnaryOperator::QuestionDash
        | UnaryOperator::QuestionPipe => usage.probed(),
    }
}

/// A bare column, in parentheses or not, perhaps cast to a text of any length, which changes nothing.
pub(super) fn is_column(expression: &Expr) -> bool {
    match expression {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Nested(inner) => is_column(inner),
        Expr::Cast { expr: inner, data_type, .. } => is_whole_text(data_type) && is_column(inner),
        _ => false,
    }
}

fn is_whole_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Varchar(None) | DataType::CharacterVarying(None) => true,
        DataType::Custom(name, modifiers) => {
            let text = |parts: super::Parts<'_>| parts.schema.is_none() && parts.name.value == "text";
            modifiers.is_empty() && parts(name).is_some_and(text)
        }
        _ => false,
    }
}

/// A value that the statement itself gives: literals, parameters, and what is built of them without calls.
pub(super) fn is_constant(expression: &Expr) -> bool {
    let mut expression = expression;
    loop {
        expression = match expression {
            Expr::Value(_) | Expr::TypedString(_) => return true,
            // A text with a collation of its own is written so: what is compared with it is compared by that.
            Expr::Cast { data_type: DataType::Custom(_, modifiers), .. } if !modifiers.is_empty() => return false,
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::UnaryOp { expr: inner, .. } => inner,
            Expr::Interval(interval) => &interval.value,
            Expr::Array(Array { elem, .. }) => return elem.iter().all(is_constant),
            Expr::Tuple(items) => return items.iter().all(is_constant),
            Expr::BinaryOp { left, right, .. } if is_constant(right) => left,
            _ => return false,
        };
    }
}

/// Whether nothing is learnt from an expression's being evaluated or not: it can neither fail nor take its time.
pub(super) fn is_quiet(expression: &Expr) -> bool {
    is_column(expression) || is_constant(expression)
}

/// Whether a row is compared of which a later part may not be evaluated, for an earlier one has decided.
fn has_loud_part(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => has_loud_part(inner),
        Expr::Tuple(parts) => !parts.iter().all(is_quiet),
        Expr::Function(function) => is_row(function) && !arguments(function).all(is_quiet),
        _ => false,
    }
}

fn is_row(function: &Function) -> bool {
    parts(&function.name).is_some_and(|name| name.schema.is_none() && name.name.value == "row")
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
    };
    list.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
        _ => None,
    })
}

/// Whether `one || other` is a text because `one` is a literal that is no array, and `other` more than a literal.
fn is_text_beside(one: &Expr, other: &Expr) -> bool {
    match one {
        Expr::Nested(inner) => is_text_beside(inner, other),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => !text.contains(['{', '[']) && !is_constant(other),
            _ => false,
        },
        _ => false,
    }
}

fn is_concatenation(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_concatenation(inner),
        Expr::BinaryOp { op: BinaryOperator::StringConcat, .. } => true,
        _ => false,
    }
}

/// Functions of the shipped catalogue that give a text whatever they are given.
const TEXTUAL: &[&str] = &[
    "btrim",
    "concat",
    "concat_ws",
    "initcap",
    "left",
    "lower",
    "ltrim",
    "md5",
    "replace",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "string_agg",
    "substr",
    "substring",
    "to_char",
    "translate",
    "upper",
];

/// Whether an expression gives a text for sure.
pub(super) fn is_textual(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_textual(inner),
        Expr::Cast { data_type, .. } => is_text(data_type),
        Expr::Trim { .. } => true,
        Expr::Value(value) => matches!(&value.value, Value::SingleQuotedString(text) if !text.contains(['{', '['])),
        Expr::Case { conditions, else_result, .. } => {
            conditions.iter().map(|when| &when.result).chain(else_result.as_deref()).any(is_textual)
        }
        Expr::Function(function) => parts(&function.name).is_some_and(|name| {
            let (shipped, value) = (matches!(name.schema, None | Some("pg_catalog")), name.name.value.as_str());
            shipped && TEXTUAL.binary_search(&value).is_ok()
                || name.schema.is_none() && value == "coalesce" && arguments(function).any(is_textual)
        }),
        _ => false,
    }
}

/// A text literal, behind casts.
pub(super) fn literal(expression: &Expr) -> Option<Cow<'_, str>> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(Cow::Borrowed(text)),
            Value::Boolean(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            _ => None,
        },
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => literal(inner),
        Expr::TypedString(typed) => match &typed.value.value {
            Value::SingleQuotedString(text) => Some(Cow::Borrowed(text)),
            _ => None,
        },
        _ => None,
    }
}
