//! FROM: relations, sub-selects, functions, joins.

use alloc::vec::Vec;

use sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor, TableFunctionArgs, TableSample,
    TableSampleKind, TableSampleMethod, TableSampleModifier, TableWithJoins,
};

use super::flow::Use;
use super::lineage::Outputs;
use super::{Parts, Walk};
use crate::name::QualifiedName;
use crate::sql::catalogue;

/// The name of a sub-select that has none: no column is written with it.
const NAMELESS: &str = "";

impl<'a> Walk<'a> {
    pub(super) fn joins(&mut self, item: &'a TableWithJoins, scope: usize) {
        let TableWithJoins { relation, joins } = item;
        self.factor(relation, scope);
        for Join { relation, global, join_operator } in joins {
            self.expect(!global);
            self.factor(relation, scope);
            self.join(join_operator, scope);
        }
    }

    fn join(&mut self, operator: &'a JoinOperator, scope: usize) {
        match operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => self.constraint(constraint, scope),
            JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_)
            | JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => self.foreign(),
        }
    }

    /// A join compares values of two relations with each other.
    fn constraint(&mut self, constraint: &'a JoinConstraint, scope: usize) {
        match constraint {
            JoinConstraint::None => {}
            JoinConstraint::On(condition) => self.expression(condition, scope, Use::PROBE),
            JoinConstraint::Natural => self.flow.star(scope, None, Use::PROBE),
            JoinConstraint::Using(columns) => {
                // The join may have a name of its own, under which it returns these columns.
                let usage = if self.names_joins { Use::RETURN.probed() } else { Use::PROBE };
                for column in columns {
                    if let Some(parts) = self.object(column) {
                        self.flow.mention(scope, None, &parts.name.value, usage);
                    }
                }
            }
        }
    }

    pub(super) fn factor(&mut self, factor: &'a TableFactor, scope: usize) {
        self.deeper(|walk| walk.one_factor(factor, scope));
    }

    fn one_factor(&mut self, factor: &'a TableFactor, scope: usize) {
        match factor {
            TableFactor::Table { name, alias, args, sample, .. } => {
                self.expect(is_plain(factor));
                self.sample(sample.as_ref(), scope);
                let Some(parts) = self.object(name) else { return };
                match args {
                    None if is_call(parts) => self.foreign(),
                    None => self.relation(parts, alias.as_ref(), scope),
                    Some(TableFunctionArgs { args, settings }) => {
                        self.expect(settings.is_none());
                        self.table_function(name, args, alias.as_ref(), scope);
                    }
                }
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                self.sample(sample.as_ref(), scope);
                let parent = if *lateral { scope } else { self.flow.parent(scope).unwrap_or(scope) };
                let mark = self.flow.mark();
                let outputs = self.query(subquery, parent, self.passing);
                self.derived(alias.as_ref(), outputs, mark, scope);
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias } => {
                self.table_function(name, args, alias.as_ref(), scope);
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let count = self.flow.source_count();
                self.joins(table_with_joins, scope);
                if let Some(alias) = alias {
                    self.alias(alias);
                    self.flow.expose_since(count, &alias.name.value, !alias.columns.is_empty());
                }
            }
            TableFactor::TableFunction { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => self.foreign(),
        }
    }

    fn relation(&mut self, parts: Parts<'a>, alias: Option<&'a TableAlias>, scope: usize) {
        let exposed = alias.map_or(parts.name.value.as_str(), |alias| alias.name.value.as_str());
        let query = if parts.schema.is_none() { self.flow.query(scope, &parts.name.value) } else { None };
        let columns = alias.map_or_else(Vec::new, |alias| self.alias(alias));
        match query {
            Some(table) => self.flow.add_table(scope, exposed, table, columns),
            None => self.flow.add_relation(scope, parts.owned(), exposed, true, columns),
        }
    }

    fn table_function(
        &mut self,
        name: &'a ObjectName,
        args: &'a [sqlparser::ast::FunctionArg],
        alias: Option<&'a TableAlias>,
        scope: usize,
    ) {
        let Some(parts) = self.object(name) else { return };
        self.effects.call(parts.owned(), &super::function::literals(args));
        let mark = self.flow.mark();
        self.arguments(parts, args, scope, Use::RETURN);
        // Whatever its columns are called, they come from its arguments.
        let table = self.flow.declare();
        self.flow.define(table, None, self.flow.since(mark));
        let columns = alias.map_or_else(Vec::new, |alias| self.alias(alias));
        let exposed = alias.map_or(&parts.name.value, |alias| &alias.name.value);
        self.functions.push(FromFunction { exposed, columns, shipped: is_shipped(parts) });
        self.flow.add_table(scope, exposed, table, Vec::new());
    }

    /// A sub-select under a name of its own.
    fn derived(&mut self, alias: Option<&'a TableAlias>, outputs: Outputs<'a>, mark: (usize, usize), scope: usize) {
        let table = self.flow.declare();
        self.flow.define(table, outputs, self.flow.since(mark));
        let columns = alias.map_or_else(Vec::new, |alias| self.alias(alias));
        self.flow.add_table(scope, alias.map_or(NAMELESS, |alias| &alias.name.value), table, columns);
    }

    /// The names that an alias gives to columns.
    fn alias(&mut self, alias: &'a TableAlias) -> Vec<&'a str> {
        let TableAlias { explicit: _, name: _, columns, at } = alias;
        self.expect(at.is_none());
        self.column_names(columns)
    }

    fn sample(&mut self, sample: Option<&'a TableSampleKind>, scope: usize) {
        let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample else {
            return;
        };
        let TableSample { modifier, name, quantity, seed: _, bucket, offset } = &**sample;
        let method = matches!(name, Some(TableSampleMethod::Bernoulli | TableSampleMethod::System));
        let standard = *modifier == TableSampleModifier::TableSample && bucket.is_none() && offset.is_none();
        self.expect(method && standard);
        if let Some(quantity) = quantity {
            self.expression(&quantity.value, scope, Use::PROBE);
        }
    }
}

/// A function in FROM.
pub(super) struct FromFunction<'a> {
    exposed: &'a str,
    /// The names that its alias gives to columns.
    columns: Vec<&'a str>,
    shipped: bool,
}

impl FromFunction<'_> {
    /// Whether `name` behind its own may be a function of what it returns, rather than a column of that. What one of the
    /// database's own returns is not known: there only shipped functions are told from columns.
    fn may_be_called(&self, name: &str) -> bool {
        // What returns no row has one column, which goes by the alias unless that names it.
        let alone = self.columns.is_empty() && name == self.exposed;
        let column = alone || name == "ordinality" || self.columns.contains(&name);
        let known = if self.shipped { catalogue::is_field(name) } else { !catalogue::may_be_function(name) };
        !column && !known
    }
}

impl Walk<'_> {
    /// What stands behind the name of a function in FROM like a column, and may be a call: `f.g` is `g(f)` there.
    pub(super) fn calls_behind_functions(&mut self) {
        let Self { functions, flow, effects, .. } = self;
        for mention in &flow.mentions {
            let behind = functions.iter().filter(|function| mention.qualifier == Some(function.exposed));
            if behind.into_iter().any(|function| function.may_be_called(mention.name)) {
                effects.call(QualifiedName::bare(mention.name), &[]);
            }
        }
    }
}

/// Whether the name is a function that PostgreSQL's grammar calls without parentheses. In quotes it is a relation's; of
/// those that are handed over in quotes anyway it is not known.
fn is_call(name: Parts<'_>) -> bool {
    const CALLED: &[&str] = &[
        "current_catalog",
        "current_date",
        "current_time",
        "current_timestamp",
        "current_user",
        "localtime",
        "localtimestamp",
        "session_user",
        "user",
    ];
    let value = name.name.value.as_str();
    let in_doubt = matches!(value, "current_role" | "current_schema" | "system_user");
    name.schema.is_none() && (in_doubt || name.name.quote_style.is_none() && CALLED.contains(&value))
}

/// Whether a function is shipped, as far as its name tells.
pub(super) fn is_shipped(name: Parts<'_>) -> bool {
    let value = name.name.value.as_str();
    match name.schema {
        None | Some("pg_catalog") => catalogue::may_be_function(value),
        Some("information_schema") => catalogue::is_of_information_schema(value),
        Some(_) => false,
    }
}

/// Whether a table has none of the clauses of other dialects.
pub(super) fn is_plain(factor: &TableFactor) -> bool {
    let TableFactor::Table {
        name: _,
        alias: _,
        args: _,
        with_hints,
        version,
        with_ordinality: _,
        partitions,
        json_path,
        sample: _,
        index_hints,
    } = factor
    else {
        return false;
    };
    with_hints.is_empty() && version.is_none() && partitions.is_empty() && json_path.is_none() && index_hints.is_empty()
}
