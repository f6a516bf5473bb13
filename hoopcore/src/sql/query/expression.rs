//! Expressions: what they call, what they cast to, which columns they use and how.

use alloc::borrow::Cow;
use alloc::string::ToString as _;

use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Ident, Interval, Query, Subscript,
    TypedString, UnaryOperator, Value,
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
            Expr::Value(value) => self.parameter(&value.value),
            Expr::Nested(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::Collate { expr: inner, collation: _ } => return Some((inner, usage)),
            Expr::Extract { field: _, syntax: _, expr: inner }
            | Expr::IsJson { expr: inner, kind: _, unique_keys: _, negated: _ }
            | Expr::IsNormalized { expr: inner, form: _, negated: _ } => return Some((inner, usage.probed())),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) | Expr::IsUnknown(inner) | Expr::IsNotUnknown(inner) => {
                self.fixes(inner);
                return Some((inner, if is_column(inner) { Use::TOUCH.weighed() } else { usage.probed() }));
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                return Some(self.comparison(left, right, scope, usage));
            }
            Expr::BinaryOp { left, op, right } => return self.operation(left, op, right, scope, usage),
            Expr::UnaryOp { op, expr } => return Some((expr, unary_usage(*op, usage))),
            Expr::Cast { kind, expr, data_type, format } => {
                self.expect(matches!(kind, CastKind::Cast | CastKind::DoubleColon) && format.is_none());
                self.data_type(data_type);
                if is_fixed(data_type) {
                    self.fixes(expr);
                }
                return Some((expr, if is_text(data_type) { usage } else { usage.probed() }));
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                self.expression(time_zone, scope, usage.probed());
                return Some((timestamp, usage.probed()));
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let Some((table, column, rest)) = qualified_element(root, access_chain) {
                    self.access(root, rest, scope, usage);
                    let plain = rest.iter().all(|access| matches!(access, AccessExpr::Subscript(_)));
                    let usage = if plain { usage.worked() } else { usage.probed() };
                    self.flow.mention(scope, Some(table), column, usage);
                    return None;
                }
                self.access(root, access_chain, scope, usage);
                let indexes = access_chain.iter().all(|access| matches!(access, AccessExpr::Subscript(_)));
                return Some((root, if indexes { usage.worked() } else { usage.probed() }));
            }
            Expr::TypedString(typed) => self.typed(typed),
            Expr::Interval(interval) => return self.interval(interval, usage),
            Expr::InList { expr, list, negated: _ } => {
                let known = is_column(expr) && list.iter().all(is_given);
                list.iter().for_each(|item| self.compares(item));
                let usage = if known { usage.equated() } else { usage.probed() };
                self.each(list, scope, usage);
                return Some((expr, usage));
            }
            _ => self.branch(expression, scope, usage),
        }
        None
    }

    /// The forms that no long chain is made of.
    fn branch(&mut self, expression: &'a Expr, scope: usize, usage: Use) {
        match expression {
            Expr::Between { expr, negated: _, low, high } => {
                self.each([&**expr, low, high], scope, usage.probed());
            }
            Expr::Like { negated: _, any: _, expr, pattern, escape_char }
            | Expr::ILike { negated: _, any: _, expr, pattern, escape_char }
            | Expr::SimilarTo { negated: _, expr, pattern, escape_char } => {
                self.each([&**expr, pattern].into_iter().chain(escape_char.as_deref()), scope, usage.probed());
            }
            Expr::InSubquery { expr, subquery, negated: _ } => self.membership(expr, subquery, scope, usage),
            Expr::AnyOp { left, compare_op, right, is_some: _ } => {
                self.quantified(left, compare_op, right, scope, usage)
            }
            Expr::AllOp { left, compare_op: _, right } => self.each([&**left, right], scope, usage.probed()),
            Expr::Position { expr, r#in } => self.each([&**expr, r#in], scope, usage.probed()),
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand: _ } => {
                self.call_shipped("substring");
                let parts = [Some(expr), substring_from.as_ref(), substring_for.as_ref()].into_iter().flatten();
                self.each(parts.map(|part| &**part), scope, usage.probed());
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => {
                let characters = trim_characters.iter().flatten();
                self.each(trim_what.iter().map(|what| &**what).chain(characters), scope, usage.probed());
                let plain = trim_what.is_none() && trim_characters.is_none() && is_column(expr);
                self.expression(expr, scope, if plain { usage.weighed() } else { usage.probed() });
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.call_shipped("overlay");
                let parts = [&**expr, overlay_what, overlay_from].into_iter().chain(overlay_for.as_deref());
                self.each(parts, scope, usage.probed());
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
            Expr::Array(Array { elem, named: _ }) => self.each(elem, scope, usage.probed()),
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
        let known = is_column(left) && is_given(right) || is_given(left) && is_column(right);
        [left, right].into_iter().for_each(|side| self.compares(side));
        let usage = if known { usage.equated() } else { usage.probed() };
        self.expression(right, scope, usage);
        (left, usage)
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
            BinaryOperator::And | BinaryOperator::Or => {
                self.expression(right, scope, usage);
                return Some((left, usage));
            }
            // A path that the statement writes itself is followed in any document.
            BinaryOperator::Arrow | BinaryOperator::LongArrow if is_literal(right) => {
                return Some((left, usage.worked()));
            }
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
        // By an operator's failing, for a value or beside another that it then does not look at, anything can be asked.
        self.expression(right, scope, usage.probed());
        Some((left, usage.probed()))
    }

    /// `x IN (SELECT …)`: with a constant on the left it compares one value, else all with all.
    fn membership(&mut self, expr: &'a Expr, subquery: &'a Query, scope: usize, usage: Use) {
        self.compares(expr);
        let usage = if is_given(expr) { usage.equated() } else { usage.probed() };
        self.expression(expr, scope, usage);
        self.sub_query(subquery, scope, usage);
    }

    fn quantified(&mut self, left: &'a Expr, op: &'a BinaryOperator, right: &'a Expr, scope: usize, usage: Use) {
        let compared = *op == BinaryOperator::Eq && is_column(left) && is_given(right);
        self.compares(right);
        let usage = if compared { usage.equated() } else { usage.probed() };
        self.each([left, right], scope, usage);
    }

    /// What a CASE asks decides which branch runs, and a branch may fail.
    fn case(&mut self, operand: Option<&'a Expr>, conditions: &'a [CaseWhen], scope: usize, usage: Use) {
        let constants = conditions.iter().all(|when| is_given(&when.condition));
        let compared = operand.is_some_and(is_column) && constants;
        conditions.iter().for_each(|when| self.compares(&when.condition));
        let asked = if compared { usage.equated() } else { usage.probed() };
        self.each(operand, scope, asked);
        for CaseWhen { condition, result } in conditions {
            self.expression(condition, scope, usage.probed());
            self.expression(result, scope, usage);
        }
    }

    /// What stands behind an expression: an element, a field, or a function. `(x).f` is `f(x)` where x has no field f.
    fn access(&mut self, root: &'a Expr, chain: &'a [AccessExpr], scope: usize, usage: Use) {
        let record = returns_record(root);
        for (place, access) in chain.iter().enumerate() {
            match access {
                AccessExpr::Dot(Expr::Identifier(field)) => {
                    self.flow.behind_row(scope, &field.value, usage);
                    if !(place == 0 && record && catalogue::is_field(&field.value)) {
                        self.effects.call(QualifiedName::bare(&*field.value), &[literal(root)]);
                    }
                }
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
            parts.schema == Some("pg_catalog")
                && matches!(parts.name.value.as_str(), "text" | "varchar" | "bpchar" | "name")
        }),
        _ => false,
    }
}

/// Whether the type is PostgreSQL's own whatever types there are: a bare name is looked up in `pg_temp` first.
fn is_fixed(data_type: &DataType) -> bool {
    match data_type {
        DataType::Custom(name, modifiers) => {
            modifiers.is_empty() && parts(name).is_some_and(|parts| parts.schema == Some("pg_catalog"))
        }
        _ => is_standard(data_type),
    }
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

/// A bare column, in parentheses or not.
pub(super) fn is_column(expression: &Expr) -> bool {
    match expression {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Nested(inner) => is_column(inner),
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

/// A constant that is compared as the other side's type compares: nobody can have made its type. One with a collation of
/// its own is compared by that, a row part by part, and beside a float numbers are rounded.
fn is_given(expression: &Expr) -> bool {
    let mut expression = expression;
    loop {
        expression = match expression {
            Expr::Value(_) => return true,
            Expr::TypedString(typed) => return is_fixed(&typed.data_type) && !is_float(&typed.data_type),
            Expr::Cast { expr: inner, data_type, .. } if is_fixed(data_type) && !is_float(data_type) => inner,
            Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => inner,
            Expr::Interval(interval) => &interval.value,
            Expr::Array(Array { elem, .. }) => return elem.iter().all(is_given),
            _ => return false,
        };
    }
}

/// `t.c[1]`: the column in front of the first subscript, and what stands from there on.
fn qualified_element<'e>(root: &'e Expr, chain: &'e [AccessExpr]) -> Option<(&'e str, &'e str, &'e [AccessExpr])> {
    let Expr::Identifier(first) = root else { return None };
    let fields = chain.iter().take_while(|access| matches!(access, AccessExpr::Dot(Expr::Identifier(_)))).count();
    let (path, rest) = chain.split_at_checked(fields)?;
    let name = |access: &'e AccessExpr| match access {
        AccessExpr::Dot(Expr::Identifier(field)) => Some(field.value.as_str()),
        AccessExpr::Dot(_) | AccessExpr::Subscript(_) => None,
    };
    let column = path.last().and_then(name)?;
    let table = path.iter().rev().nth(1).map_or(Some(first.value.as_str()), name)?;
    (path.len() <= 3 && !rest.is_empty()).then_some((table, column, rest))
}

/// Whether an expression is a call of a shipped function.
fn returns_record(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => returns_record(inner),
        Expr::Function(function) => parts(&function.name).is_some_and(super::from::is_shipped),
        _ => false,
    }
}

fn is_float(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float(_) | DataType::Real | DataType::DoublePrecision => true,
        DataType::Custom(name, _) => {
            parts(name).is_some_and(|parts| matches!(parts.name.value.as_str(), "float4" | "float8"))
        }
        _ => false,
    }
}

/// A literal as it stands.
fn is_literal(expression: &Expr) -> bool {
    match expression {
        Expr::Value(_) => true,
        Expr::Nested(inner) => is_literal(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => matches!(&**inner, Expr::Value(_)),
        _ => false,
    }
}

/// A text literal, behind casts that leave it as it is.
pub(super) fn literal(expression: &Expr) -> Option<Cow<'_, str>> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(Cow::Borrowed(text)),
            Value::Boolean(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            _ => None,
        },
        Expr::Nested(inner) => literal(inner),
        Expr::Cast { expr: inner, data_type, .. } if keeps_text(data_type) => literal(inner),
        Expr::TypedString(typed) if keeps_text(&typed.data_type) => match &typed.value.value {
            Value::SingleQuotedString(text) => Some(Cow::Borrowed(text)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a text cast to the type stays as it is, or is the name of what it then stands for.
fn keeps_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Varchar(None) | DataType::CharacterVarying(None) => true,
        DataType::Custom(name, modifiers) => {
            modifiers.is_empty()
                && parts(name).is_some_and(|parts| {
                    matches!(parts.schema, None | Some("pg_catalog"))
                        && matches!(parts.name.value.as_str(), "text" | "regclass")
                })
        }
        _ => false,
    }
}
