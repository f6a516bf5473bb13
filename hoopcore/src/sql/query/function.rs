//! Calls: what the function does, and what becomes of its arguments.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, WindowFrame, WindowFrameBound, WindowSpec, WindowType,
};

use super::expression::{is_column, is_quiet, is_textual, literal};
use super::flow::Use;
use super::{Parts, Walk, parts};

/// Functions that tell no more of a column than whether it is NULL, how many values it has, or its type.
const SILENT: &[&str] = &["count", "grouping", "num_nonnulls", "num_nulls", "pg_typeof"];

/// Functions of the shipped catalogue that give a value for every argument, but for those that [`part`] tells of: no
/// error tells anything about it.
const TOTAL: &[&str] = &[
    "array_agg",
    "array_append",
    "array_length",
    "array_prepend",
    "array_remove",
    "array_replace",
    "array_to_json",
    "array_to_string",
    "ascii",
    "avg",
    "bit_length",
    "btrim",
    "cardinality",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "date_part",
    "date_trunc",
    "encode",
    "every",
    "first_value",
    "greatest",
    "hashtext",
    "initcap",
    "json_agg",
    "json_build_array",
    "json_build_object",
    "jsonb_agg",
    "jsonb_build_array",
    "jsonb_build_object",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "md5",
    "min",
    "mode",
    "normalize",
    "nth_value",
    "nullif",
    "octet_length",
    "percentile_cont",
    "percentile_disc",
    "position",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "replace",
    "reverse",
    "right",
    "row",
    "row_to_json",
    "rtrim",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "split_part",
    "starts_with",
    "string_agg",
    "string_to_array",
    "strpos",
    "substr",
    "substring",
    "sum",
    "to_json",
    "to_jsonb",
    "translate",
    "trim",
    "upper",
    "xmlconcat",
    "xmlforest",
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
    /// The function works with any value.
    Value,
    /// The function fails, or not, by what it is.
    Choice,
    /// A column as it is tells nothing by it: the function counts it, adds it up, gathers it, asks whether it is NULL.
    Column,
}

/// What an argument is to a function of [`TOTAL`] or [`SILENT`].
fn part(name: Parts<'_>, place: usize, args: &[FunctionArg]) -> Part {
    let value = name.name.value.as_str();
    match (value, place) {
        ("date_part" | "date_trunc" | "percentile_cont" | "percentile_disc", 0)
        | ("encode" | "nth_value" | "substr" | "substring", 1)
        | ("date_trunc" | "split_part" | "substr" | "substring", 2) => Part::Choice,
        ("json_build_object" | "jsonb_build_object", _) if args.len() % 2 == 1 => Part::Choice,
        ("json_build_object" | "jsonb_build_object", place) if place % 2 == 0 => Part::Column,
        ("avg" | "sum", _) => Part::Column,
        ("array_agg", _) if !args.iter().filter_map(expression_of).any(is_textual) => Part::Column,
        // What follows is evaluated only where this is NULL.
        ("coalesce", place) => {
            let rest = args.get(place + 1..).unwrap_or_default();
            if rest.iter().filter_map(expression_of).all(is_quiet) { Part::Value } else { Part::Column }
        }
        _ if SILENT.binary_search(&value).is_ok() => Part::Column,
        _ => Part::Value,
    }
}

fn expression_of(argument: &FunctionArg) -> Option<&sqlparser::ast::Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
        _ => None,
    }
}

fn used_as(part: Part, argument: &FunctionArgExpr, usage: Use) -> Use {
    let column = match argument {
        FunctionArgExpr::Expr(expression) => is_column(expression),
        FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::Wildcard => true,
        FunctionArgExpr::WildcardWithOptions(_) => false,
    };
    match part {
        Part::Value => usage,
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
    if shipped && TOTAL.binary_search(&value).is_ok() || is_keyword(name) && value == "array" {
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
