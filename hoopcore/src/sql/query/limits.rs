//! Whether a WHERE really limits the rows of an UPDATE or DELETE.
//!
//! It does for sure where a column of the target is compared with constants in a way that most rows do not pass, or
//! joined with rows of another relation. Everything else may be true of every row: only a catalogue and the data
//! could tell. `AND` limits where one side does, `OR` where both do.
//!
//! Ranges count as limits within what keys and dates usually span: a lower bound above 1 or an upper bound of at most
//! 100000, a date from 1990 on or before 2100. `id > 0` and `id < 999999999` do not.

use alloc::vec::Vec;

use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, GroupByExpr, LimitClause, Query, Select, SelectItem, SetExpr, TableFactor,
    TableWithJoins, UnaryOperator, Value,
};

use super::expression::{is_constant, literal};
use super::{Parts, parts};
use crate::command::sql::Verb;
use crate::truth::Truth;

const SMALLEST_LOWER: f64 = 1.0;
const LARGEST_UPPER: f64 = 100_000.0;

/// Columns of the system's own, which all rows may have alike.
const ALIKE: [&str; 5] = ["cmax", "cmin", "tableoid", "xmax", "xmin"];

/// The target of a statement and what stands beside it in FROM or USING.
pub(super) struct Limits<'a> {
    verb: Verb,
    target: &'a str,
    exposed: &'a str,
    others: Vec<Other<'a>>,
    /// Names of common table expressions: their rows may be all of the target's.
    queries: Vec<&'a str>,
}

struct Other<'a> {
    exposed: &'a str,
    /// A relation that is surely another one than the target.
    distinct: bool,
}

/// Which side of a range a constant is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Lower,
    Upper,
}

impl<'a> Limits<'a> {
    pub(super) fn new(verb: Verb, target: Parts<'a>, exposed: &'a str, queries: Vec<&'a str>) -> Self {
        Self { verb, target: &target.name.value, exposed, others: Vec::new(), queries }
    }

    /// With relations beside the target.
    pub(super) fn beside(mut self, items: &'a [TableWithJoins]) -> Self {
        for item in items {
            self.add(&item.relation);
            for join in &item.joins {
                self.add(&join.relation);
            }
        }
        self
    }

    pub(super) fn add(&mut self, factor: &'a TableFactor) {
        let (exposed, distinct) = match factor {
            TableFactor::Table { name, alias, args: None, .. } => match parts(name) {
                Some(found) => {
                    let name = found.name.value.as_str();
                    (alias.as_ref().map_or(name, |alias| &alias.name.value), self.is_distinct(name))
                }
                None => ("", false),
            },
            TableFactor::Derived { alias: Some(alias), .. } => (alias.name.value.as_str(), false),
            _ => ("", false),
        };
        self.others.push(Other { exposed, distinct });
    }

    fn is_distinct(&self, name: &str) -> bool {
        name != self.target && !self.queries.contains(&name)
    }

    /// Whether the condition leaves the statement unbounded.
    pub(super) fn unbounded(&self, condition: &'a Expr) -> Truth {
        if is_true(condition) {
            return Truth::Yes;
        }
        let limited = self.holds(condition, self.exposed, self.others.is_empty()) || self.is_joined(condition);
        if limited { Truth::No } else { Truth::May }
    }

    /// Whether the condition limits the rows of the relation exposed by this name; `alone` where no other one is
    /// there that a bare name could belong to.
    fn holds(&self, condition: &'a Expr, exposed: &str, alone: bool) -> bool {
        match condition {
            Expr::Nested(inner) => self.holds(inner, exposed, alone),
            Expr::BinaryOp { op: BinaryOperator::And, .. } => {
                operands(condition, &BinaryOperator::And).any(|operand| self.holds(operand, exposed, alone))
            }
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
                operands(condition, &BinaryOperator::Or).all(|operand| self.holds(operand, exposed, alone))
            }
            _ => self.limits(condition, &|column| is_column_of(column, exposed, alone)),
        }
    }

    /// Whether one comparison limits the rows of the relation whose columns `own` knows.
    fn limits(&self, condition: &'a Expr, own: &dyn Fn(&Expr) -> bool) -> bool {
        match condition {
            Expr::BinaryOp { left, op, right } => self.compares(left, op, right, own),
            Expr::InList { expr, list, negated: false } => owns(expr, own) && list.iter().all(is_constant),
            Expr::Between { expr, negated: false, low, high } => {
                let values = [low, high].into_iter().all(|bound| is_constant(bound) || is_moment(bound));
                own(expr) && values && (is_limit(low, Side::Lower) || is_limit(high, Side::Upper))
            }
            Expr::Like { negated: false, any: false, expr, pattern, escape_char: None }
            | Expr::ILike { negated: false, any: false, expr, pattern, escape_char: None } => {
                own(expr) && literal(pattern).is_some_and(|pattern| is_selective(&pattern))
            }
            Expr::IsNull(inner) | Expr::IsTrue(inner) | Expr::IsFalse(inner) => own(inner),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => own(condition),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => own(expr),
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                own(left) && (is_constant(right) || subquery(right).is_some_and(|query| self.chooses(query, left)))
            }
            Expr::InSubquery { expr, subquery, negated: false } => own(expr) && self.chooses(subquery, expr),
            Expr::Value(value) => value.value == Value::Boolean(false),
            _ => false,
        }
    }

    fn compares(&self, left: &'a Expr, op: &BinaryOperator, right: &'a Expr, own: &dyn Fn(&Expr) -> bool) -> bool {
        let side = match op {
            BinaryOperator::Eq => return self.equals(left, right, own) || self.equals(right, left, own),
            BinaryOperator::Gt | BinaryOperator::GtEq => Side::Lower,
            BinaryOperator::Lt | BinaryOperator::LtEq => Side::Upper,
            _ => return false,
        };
        let turned = match side {
            Side::Lower => Side::Upper,
            Side::Upper => Side::Lower,
        };
        own(left) && is_limit(right, side) || own(right) && is_limit(left, turned)
    }

    fn equals(&self, column: &'a Expr, value: &'a Expr, own: &dyn Fn(&Expr) -> bool) -> bool {
        let chosen = || subquery(value).is_some_and(|query| self.chooses(query, column));
        owns(column, own) && (is_constant(value) || is_moment(value)) || own(column) && chosen()
    }

    /// Whether the rows are joined with ones of another relation; a DELETE asks that those are limited too, for a
    /// foreign key joins every row.
    fn is_joined(&self, condition: &'a Expr) -> bool {
        let linked = |other: &Other<'_>| other.distinct && self.links(condition, self.exposed, other.exposed);
        self.others
            .iter()
            .any(|other| linked(other) && (self.verb != Verb::Delete || self.holds(condition, other.exposed, false)))
            || self.exists(condition)
    }

    /// Whether one of the conditions is `a.x = b.y`.
    fn links(&self, condition: &'a Expr, one: &str, two: &str) -> bool {
        operands(strip(condition), &BinaryOperator::And).any(|operand| match strip(operand) {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                let (left, right) = (qualifier(left), qualifier(right));
                left == Some(one) && right == Some(two) || left == Some(two) && right == Some(one)
            }
            Expr::BinaryOp { op: BinaryOperator::And, .. } => self.links(strip(operand), one, two),
            _ => false,
        })
    }

    /// `EXISTS (SELECT … FROM o WHERE o.x = target.y …)` is a join.
    fn exists(&self, condition: &'a Expr) -> bool {
        operands(strip(condition), &BinaryOperator::And).any(|operand| {
            let Expr::Exists { subquery, negated: false } = strip(operand) else { return false };
            let Some((select, exposed, name)) = single(subquery) else { return false };
            let Some(inner) = &select.selection else { return false };
            self.is_distinct(name)
                && exposed != self.exposed
                && self.links(inner, self.exposed, exposed)
                && (self.verb != Verb::Delete || self.holds(inner, exposed, false))
        })
    }

    /// Whether a sub-select gives few values, and ones that do not come from the row itself.
    fn chooses(&self, query: &'a Query, column: &Expr) -> bool {
        let Some((select, exposed, name)) = single(query) else { return false };
        let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
            select.projection.as_slice()
        else {
            return false;
        };
        let same = name == self.target;
        let own = qualifier(item) == Some(exposed) && exposed != self.exposed
            || bare(item).is_some_and(|item| same || bare(column).or(last(column)) != Some(item));
        let limited = select.selection.as_ref().is_some_and(|inner| self.holds(inner, exposed, true)) || is_cut(query);
        own && (limited || self.is_distinct(name) && self.verb != Verb::Delete)
    }
}

/// Whether a column, or one of several compared together, is one that `own` knows.
fn owns(column: &Expr, own: &dyn Fn(&Expr) -> bool) -> bool {
    match column {
        Expr::Tuple(columns) => columns.iter().any(own),
        _ => own(column),
    }
}

/// The operands of a chain of one operator.
fn operands<'a>(chain: &'a Expr, operator: &'a BinaryOperator) -> impl Iterator<Item = &'a Expr> {
    let mut next = Some(chain);
    core::iter::from_fn(move || match next.take()? {
        Expr::BinaryOp { left, op, right } if op == operator => {
            next = Some(left);
            Some(&**right)
        }
        last => Some(last),
    })
}

fn strip(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => strip(inner),
        other => other,
    }
}

fn is_true(condition: &Expr) -> bool {
    match strip(condition) {
        Expr::Value(value) => value.value == Value::Boolean(true),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => is_constant(left) && left == right,
        _ => false,
    }
}

/// Whether a column is surely one of the relation exposed by this name.
fn is_column_of(column: &Expr, exposed: &str, alone: bool) -> bool {
    match strip(column) {
        Expr::Identifier(name) => alone && !ALIKE.contains(&name.value.as_str()),
        Expr::CompoundIdentifier(_) => {
            qualifier(column) == Some(exposed) && last(column).is_some_and(|name| !ALIKE.contains(&name))
        }
        _ => false,
    }
}

fn qualifier(column: &Expr) -> Option<&str> {
    match strip(column) {
        Expr::CompoundIdentifier(path) => match path.as_slice() {
            [.., table, _] => Some(&table.value),
            _ => None,
        },
        _ => None,
    }
}

fn bare(column: &Expr) -> Option<&str> {
    match strip(column) {
        Expr::Identifier(name) => Some(&name.value),
        _ => None,
    }
}

fn last(column: &Expr) -> Option<&str> {
    match strip(column) {
        Expr::CompoundIdentifier(path) => path.last().map(|name| name.value.as_str()),
        _ => None,
    }
}

fn subquery(expression: &Expr) -> Option<&Query> {
    match strip(expression) {
        Expr::Subquery(query) => Some(query),
        _ => None,
    }
}

/// A plain SELECT from one relation: the SELECT, the relation's name there and its own.
fn single(query: &Query) -> Option<(&Select, &str, &str)> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let [TableWithJoins { relation: TableFactor::Table { name, alias, args: None, .. }, joins }] =
        select.from.as_slice()
    else {
        return None;
    };
    let name = &parts(name)?.name.value;
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let plain = query.with.is_none() && joins.is_empty() && !grouped && select.having.is_none();
    let distinct = matches!(select.distinct, None | Some(Distinct::All | Distinct::Distinct));
    (plain && distinct)
        .then(|| (&**select, alias.as_ref().map_or(name.as_str(), |alias| &alias.name.value), name.as_str()))
}

/// Whether a LIMIT of at most 100000 stands behind a query.
fn is_cut(query: &Query) -> bool {
    let Some(LimitClause::LimitOffset { limit: Some(limit), .. }) = &query.limit_clause else { return false };
    number(limit).is_some_and(|limit| limit <= LARGEST_UPPER)
}

/// Whether a bound of a range leaves rows out.
fn is_limit(bound: &Expr, side: Side) -> bool {
    if let Some(number) = number(bound) {
        return match side {
            Side::Lower => number > SMALLEST_LOWER,
            Side::Upper => number <= LARGEST_UPPER,
        };
    }
    match literal(bound) {
        Some(text) => match (year(&text), side) {
            (Some(year), Side::Lower) => year >= 1990,
            (Some(year), Side::Upper) => year < 2100,
            (None, _) => false,
        },
        None => is_moment(bound) && (side == Side::Lower || is_past(bound)),
    }
}

/// Now, or a moment reckoned from it.
fn is_moment(expression: &Expr) -> bool {
    match strip(expression) {
        Expr::Function(function) => parts(&function.name).is_some_and(|parts| {
            parts.schema.is_none()
                && matches!(
                    parts.name.value.as_str(),
                    "now" | "current_date" | "current_timestamp" | "localtimestamp" | "transaction_timestamp"
                )
        }),
        Expr::BinaryOp { left, op: BinaryOperator::Minus | BinaryOperator::Plus, right } => {
            is_moment(left) && is_constant(right)
        }
        Expr::Cast { expr, .. } => is_moment(expr),
        _ => false,
    }
}

/// Now minus a time that is not zero or negative.
fn is_past(moment: &Expr) -> bool {
    match strip(moment) {
        Expr::Cast { expr, .. } => is_past(expr),
        Expr::BinaryOp { op: BinaryOperator::Minus, right, .. } => is_positive(right),
        _ => false,
    }
}

fn is_positive(time: &Expr) -> bool {
    match strip(time) {
        Expr::Interval(interval) => is_positive(&interval.value),
        Expr::Cast { expr, .. } => is_positive(expr),
        other => match (literal(other), number(other)) {
            (Some(text), _) => !text.contains('-') && text.bytes().any(|byte| matches!(byte, b'1'..=b'9')),
            (None, Some(number)) => number > 0.0,
            (None, None) => false,
        },
    }
}

fn number(expression: &Expr) -> Option<f64> {
    match strip(expression) {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            Value::SingleQuotedString(text) => text.trim().parse().ok().filter(|number: &f64| !number.is_nan()),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => number(expr).map(|number| -number),
        Expr::Cast { expr, .. } => number(expr),
        _ => None,
    }
}

/// The year that a date in ISO form begins with.
fn year(text: &str) -> Option<u32> {
    let (year, rest) = text.split_at_checked(4)?;
    let month = rest.strip_prefix('-')?;
    month.starts_with(|next: char| next.is_ascii_digit()).then(|| year.parse().ok()).flatten()
}

/// Whether a pattern asks for a beginning, or for at least three characters.
fn is_selective(pattern: &str) -> bool {
    let literal = |next: &char| !matches!(next, '%' | '_' | '\\');
    pattern.chars().next().is_some_and(|first| literal(&first)) || pattern.chars().filter(literal).count() >= 3
}
