//! The name that PostgreSQL gives a column of an expression (`FigureColname`).

use sqlparser::ast::{AccessExpr, DataType, Expr, TrimWhereField};

use super::lineage::ANY_NAME;
use super::parts;

/// A name, and whether a cast around the expression leaves it.
struct Figured<'a> {
    name: &'a str,
    strong: bool,
}

fn strong(name: &str) -> Figured<'_> {
    Figured { name, strong: true }
}

fn weak(name: &str) -> Figured<'_> {
    Figured { name, strong: false }
}

/// The name; [`ANY_NAME`] where it is not known.
pub(super) fn name_of(expression: &Expr) -> &str {
    figure(expression).name
}

fn figure(expression: &Expr) -> Figured<'_> {
    match expression {
        Expr::Identifier(name) => strong(&name.value),
        Expr::CompoundIdentifier(path) => path.last().map_or(strong(ANY_NAME), |last| strong(&last.value)),
        Expr::CompoundFieldAccess { root, access_chain } => field(access_chain).map_or_else(|| figure(root), strong),
        Expr::Function(function) => strong(parts(&function.name).map_or(ANY_NAME, |parts| &parts.name.value)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figure(inner),
        Expr::Cast { expr, data_type, .. } => {
            Some(figure(expr)).filter(|figured| figured.strong).unwrap_or_else(|| weak(type_name(data_type)))
        }
        Expr::Case { else_result, .. } => {
            let otherwise = else_result.as_deref().map(figure).filter(|figured| figured.strong);
            otherwise.unwrap_or_else(|| weak("case"))
        }
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        Expr::TypedString(_) | Expr::Interval(_) => weak(ANY_NAME),
        Expr::Exists { negated: false, .. } => strong("exists"),
        Expr::Array(_) => strong("array"),
        Expr::Tuple(_) => strong("row"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Position { .. } => strong("position"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::IsNormalized { .. } => strong("is_normalized"),
        // `date_part` before PostgreSQL 14; the name of a column inside; operators that are functions.
        Expr::Extract { .. } | Expr::Subquery(_) => strong(ANY_NAME),
        Expr::BinaryOp { op: sqlparser::ast::BinaryOperator::Overlaps, .. } => strong("overlaps"),
        Expr::Value(_)
        | Expr::Exists { negated: true, .. }
        | Expr::UnaryOp { .. }
        | Expr::BinaryOp { .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::SimilarTo { .. }
        | Expr::AnyOp { .. }
        | Expr::AllOp { .. } => weak("?column?"),
        _ => weak(ANY_NAME),
    }
}

fn field(chain: &[AccessExpr]) -> Option<&str> {
    chain.iter().rev().find_map(|access| match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name.value.as_str()),
        AccessExpr::Dot(_) => Some(ANY_NAME),
        AccessExpr::Subscript(_) => None,
    })
}

fn type_name(data_type: &DataType) -> &str {
    match data_type {
        DataType::Custom(name, _) => parts(name).map_or(ANY_NAME, |parts| parts.name.value.as_str()),
        _ => ANY_NAME,
    }
}
