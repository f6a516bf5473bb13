//! Calls: what the function does, and what becomes of its arguments.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, WindowFrame, WindowFrameBound, WindowSpec, WindowType,
};

use super::expression::{is_column, literal};
use super::flow::Use;
use super::{Parts, Walk, parts};

/// Functions that tell no more of a column than whether it is NULL, how many values it has, or its type.
const SILENT: &[&str] = &["count", "grouping", "num_nonnulls", "num_nulls", "pg_typeof"];

/// Functions of the shipped catalogue that give a value for every column as it is, and hardly a larger one: no error tells
/// anything about it. What is computed is another matter: a value that it grows with can be made to burst a limit.
const TOTAL: &[&str] = &[
    "btrim",
    "char_length",
    "character_length",
    "coalesce",
    "first_value",
    "initcap",
    "lag",
    "last_value",
    "lead",
    "lower",
    "ltrim",
    "max",
    "md5",
    "min",
    "octet_length",
    "reverse",
    "row",
    "row_to_json",
    "rtrim",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "to_json",
    "trim",
    "upper",
];

impl<'a> Walk<'a> {
    pub(super) fn function(&mut self, function: &'a Function, scope: usize, usage: Use) {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        let plain = !uses_odbc_syntax && *parameters == FunctionArguments::None && null_treatment.is_none();
        self.expect(plain);
        let Some(name) = self.object(name) else { return };
        match args {
            FunctionArguments::None => self.expect(is_keyword(name)),
            FunctionArguments::Subquery(query) => {
                self.expect(is_keyword(name));
                self.sub_query(query, scope, argument_usage(name, usage));
            }
            FunctionArguments::List(list) => self.call(name, list, scope, usage),
        }
        for key in within_group {
            self.order_key(key, scope, argument_usage(name, usage));
        }
        if let Some(filter) = filter {
            self.expression(filter, scope, argument_usage(name, usage).probed());
        }
        match over {
            None | Some(WindowType::NamedWindow(_)) => {}
            Some(WindowType::WindowSpec(window)) => self.window(window, scope),
        }
    }

    fn call(&mut self, name: Parts<'a>, list: &'a FunctionArgumentList, scope: usize, usage: Use) {
        let FunctionArgumentList { duplicate_treatment: _, args, clauses } = list;
        if !is_syntax(name) {
            self.effects.call(name.owned(), &literals(args));
        }
        self.arguments(name, args, scope, usage);
        for clause in clauses {
            self.clause(clause, scope, argument_usage(name, usage));
        }
    }

    /// The arguments of a call whose value is used so, in an expression or in FROM.
    pub(super) fn arguments(&mut self, name: Parts<'a>, args: &'a [FunctionArg], scope: usize, usage: Use) {
        let usage = argument_usage(name, usage);
        for (place, argument) in args.iter().enumerate() {
            match argument {
                FunctionArg::Unnamed(arg) => self.argument(arg, scope, used_as(part(name, place, args), arg, usage)),
                FunctionArg::Named { name: _, arg, operator: _ } => self.argument(arg, scope, usage.probed()),
                FunctionArg::ExprNamed { name, arg, operator } => {
                    match operator {
                        // `f(a => 1)`: no name of a column.
                        FunctionArgOperator::RightArrow => self.expect(matches!(name, Expr::Identifier(_))),
                        FunctionArgOperator::Equals
                        | FunctionArgOperator::Assignment
                        | FunctionArgOperator::Space
                        | FunctionArgOperator::Colon
                        | FunctionArgOperator::Value => self.expression(name, scope, usage.probed()),
                    }
                    self.argument(arg, scope, usage.probed());
                }
            }
        }
    }

    fn argument(&mut self, argument: &'a FunctionArgExpr, scope: usize, usage: Use) {
        match argument {
            FunctionArgExpr::Expr(expression) => self.expression(expression, scope, usage),
            FunctionArgExpr::QualifiedWildcard(name) => match parts(name) {
                Some(parts) => self.flow.star(scope, Some(&parts.name.value), usage),
                None => self.foreign(),
            },
            // `count(*)` counts rows and reads no column.
            FunctionArgExpr::Wildcard => {}
            FunctionArgExpr::WildcardWithOptions(_) => self.foreign(),
        }
    }

    fn clause(&mut self, clause: &'a FunctionArgumentClause, scope: usize, usage: Use) {
        match clause {
            FunctionArgumentClause::OrderBy(keys) => {
                for key in keys {
                    self.order_key(key, scope, usage.probed());
                }
            }
            FunctionArgumentClause::JsonNullClause(_) => {}
            FunctionArgumentClause::JsonReturningClause(returning) => self.data_type(&returning.data_type),
            FunctionArgumentClause::IgnoreOrRespectNulls(_)
            | FunctionArgumentClause::Where(_)
            | FunctionArgumentClause::Limit(_)
            | FunctionArgumentClause::OnOverflow(_)
            | FunctionArgumentClause::Having(_)
            | FunctionArgumentClause::Separator(_) => self.foreign(),
        }
    }

    /// A window numbers and cuts rows by the values of its keys.
    pub(super) fn window(&mut self, window: &'a WindowSpec, scope: usize) {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = window;
        for key in partition_by {
            self.expression(key, scope, Use::PROBE);
        }
        for key in order_by {
            self.order_key(key, scope, Use::PROBE);
        }
        if let Some(WindowFrame { units: _, start_bound, end_bound }) = window_frame {
            self.bound(start_bound, scope);
            if let Some(end) = end_bound {
                self.bound(end, scope);
            }
        }
    }

    fn bound(&mut self, bound: &'a WindowFrameBound, scope: usize) {
        match bound {
            WindowFrameBound::CurrentRow | WindowFrameBound::Preceding(None) | WindowFrameBound::Following(None) => {}
            WindowFrameBound::Preceding(Some(distance)) | WindowFrameBound::Following(Some(distance)) => {
                self.expression(distance, scope, Use::PROBE);
            }
        }
    }
}

/// Whether the name is a keyword of the grammar and not looked up: it was written without quotes or schema.
fn is_keyword(name: Parts<'_>) -> bool {
    name.schema.is_none() && name.name.quote_style.is_none()
}

/// Whether the call is syntax that PostgreSQL carries out itself, whatever functions there are.
fn is_syntax(name: Parts<'_>) -> bool {
    is_keyword(name)
        && matches!(
            name.name.value.as_str(),
            "coalesce"
                | "current_time"
                | "current_timestamp"
                | "greatest"
                | "grouping"
                | "least"
                | "localtime"
                | "localtimestamp"
                | "normalize"
                | "nullif"
                | "row"
                | "xmlattributes"
                | "xmlconcat"
                | "xmlelement"
                | "xmlforest"
                | "xmlpi"
        )
}

/// What an argument is to its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The function fails, or not, by what it is.
    Choice,
    /// A column as it is tells nothing by it: the function counts it, changes its letters, asks whether it is NULL.
    Column,
}

/// What an argument is to a function of [`TOTAL`] or [`SILENT`].
fn part(name: Parts<'_>, place: usize, args: &[FunctionArg]) -> Part {
    match (name.name.value.as_str(), place) {
        // What follows in `coalesce` is evaluated only where this is NULL.
        ("coalesce" | "row", _) | ("lag" | "lead" | "row_to_json", 0) => Part::Column,
        (silent, _) if SILENT.binary_search(&silent).is_ok() => Part::Column,
        _ if args.len() == 1 => Part::Column,
        _ => Part::Choice,
    }
}

fn used_as(part: Part, argument: &FunctionArgExpr, usage: Use) -> Use {
    let column = match argument {
        FunctionArgExpr::Expr(expression) => is_column(expression),
        FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::Wildcard => true,
        FunctionArgExpr::WildcardWithOptions(_) => false,
    };
    match part {
        Part::Column if column => usage.weighed(),
        Part::Column | Part::Choice => usage.probed(),
    }
}

/// How a function uses its arguments, given how its value is used.
pub(super) fn argument_usage(name: Parts<'_>, usage: Use) -> Use {
    let usage = usage.worked();
    let shipped = matches!(name.schema, None | Some("pg_catalog"));
    let value = name.name.value.as_str();
    if shipped && SILENT.binary_search(&value).is_ok() {
        return Use { unused: usage.unused, ..Use::TOUCH };
    }
    if shipped && TOTAL.binary_search(&value).is_ok() {
        return usage;
    }
    usage.probed()
}

/// The first arguments where they are literals and have no names.
pub(super) fn literals(args: &[FunctionArg]) -> Vec<Option<Cow<'_, str>>> {
    if args.iter().any(|argument| !matches!(argument, FunctionArg::Unnamed(_))) {
        return Vec::new();
    }
    args.iter()
        .take(2)
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => literal(expression),
            _ => None,
        })
        .collect()
}
