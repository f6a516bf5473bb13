//! FROM: relations, sub-selects, functions, joins.

use sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor, TableFunctionArgs, TableSample,
    TableSampleKind, TableSampleMethod, TableSampleModifier, TableWithJoins,
};

use super::flow::Use;
use super::function::argument_usage;
use super::{Parts, Walk};

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
                for column in columns {
                    if let Some(parts) = self.object(column) {
                        self.flow.mention(scope, None, &parts.name.value, Use::PROBE);
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
                let outputs = self.query(subquery, parent, Use::RETURN);
                self.derived(alias.as_ref(), outputs.as_deref(), scope);
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias } => {
                self.table_function(name, args, alias.as_ref(), scope);
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let count = self.flow.relation_count();
                self.joins(table_with_joins, scope);
                if let Some(alias) = alias {
                    self.flow.expose_since(count, &alias.name.value, !alias.columns.is_empty());
                    self.derived(Some(alias), None, scope);
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
        let is_query = parts.schema.is_none() && self.flow.is_query(scope, &parts.name.value);
        if is_query {
            self.flow.add_derived(scope, exposed);
            if let Some(alias) = alias {
                self.alias(alias, None);
            }
            return;
        }
        let renamed = alias.is_some_and(|alias| !alias.columns.is_empty());
        self.flow.add_relation(scope, parts.owned(), exposed, true, renamed);
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
        self.arguments(args, scope, argument_usage(parts, Use::RETURN));
        let span = self.flow.since(mark);
        self.flow.rename(&parts.name.value, span.clone());
        match alias {
            Some(alias) => {
                self.flow.rename(&alias.name.value, span.clone());
                self.flow.add_derived(scope, &alias.name.value);
                for column in &alias.columns {
                    self.flow.rename(&column.name.value, span.clone());
                    if let Some(data_type) = &column.data_type {
                        self.data_type(data_type);
                    }
                }
            }
            None => self.flow.add_derived(scope, &parts.name.value),
        }
    }

    /// A sub-select or join under a name of its own.
    fn derived(&mut self, alias: Option<&'a TableAlias>, outputs: Option<&[super::flow::Span]>, scope: usize) {
        self.flow.add_derived(scope, alias.map_or(NAMELESS, |alias| &alias.name.value));
        if let Some(alias) = alias {
            self.alias(alias, outputs);
        }
    }

    fn alias(&mut self, alias: &'a TableAlias, outputs: Option<&[super::flow::Span]>) {
        let TableAlias { explicit: _, name: _, columns, at } = alias;
        self.expect(at.is_none());
        self.name_outputs(columns, outputs);
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
