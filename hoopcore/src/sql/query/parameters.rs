//! Parameters: where they stand decides about their types, and a type that somebody made compares as it likes.

use sqlparser::ast::{Expr, Value};

use super::Walk;

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Places {
    /// How often.
    all: usize,
    /// How often where it is of a type that PostgreSQL ships: beside a column, under a cast, behind LIMIT.
    fixed: usize,
    /// A column is compared with it, or with what is made of it.
    compared: bool,
}

impl Places {
    /// Whether a column is compared with a value whose type somebody may have made.
    pub(super) fn may_be_of_made_type(self) -> bool {
        self.compared && self.all > self.fixed
    }
}

impl<'a> Walk<'a> {
    /// A parameter, wherever it stands.
    pub(super) fn parameter(&mut self, value: &'a Value) {
        if let Value::Placeholder(name) = value {
            self.parameters.entry(name).or_default().all += 1;
        }
    }

    /// An expression that takes no type from elsewhere.
    pub(super) fn fixes(&mut self, expression: &'a Expr) {
        if let Some(name) = placeholder(expression) {
            self.parameters.entry(name).or_default().fixed += 1;
        }
    }

    /// A column is compared with this.
    pub(super) fn compares(&mut self, given: &'a Expr) {
        self.fixes(given);
        let mut inside = [given].to_vec();
        while let Some(expression) = inside.pop() {
            match expression {
                Expr::Value(value) => {
                    if let Value::Placeholder(name) = &value.value {
                        self.parameters.entry(name).or_default().compared = true;
                    }
                }
                Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::UnaryOp { expr: inner, .. } => {
                    inside.push(inner);
                }
                Expr::Interval(interval) => inside.push(&interval.value),
                Expr::Array(array) => inside.extend(&array.elem),
                _ => {}
            }
        }
    }
}

/// The parameter that an expression is.
fn placeholder(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => Some(name),
            _ => None,
        },
        Expr::Nested(inner) => placeholder(inner),
        _ => None,
    }
}
