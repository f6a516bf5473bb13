//! INSERT, UPDATE, DELETE, MERGE.

use alloc::string::String;
use alloc::vec::Vec;

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, DoUpdate, Expr, FromTable, Insert, Merge, MergeAction,
    MergeClause, MergeClauseKind, MergeInsertExpr, MergeInsertKind, MergeUpdateExpr, MergeUpdateKind, OnConflict,
    OnConflictAction, OnInsert, OutputClause, SelectItem, Statement, TableFactor, TableObject, TableWithJoins, Update,
    UpdateTableFromKind,
};

use super::flow::Use;
use super::limits::Limits;
use super::{Parts, Walk};
use crate::command::sql::{Effect, Facts, Object, Verb};
use crate::truth::Truth;

impl<'a> Walk<'a> {
    pub(super) fn modification(&mut self, statement: &'a Statement, scope: usize) {
        let scope = self.flow.open(Some(scope));
        if let Statement::Insert(insert) = statement {
            self.insert(insert, scope);
        } else if let Statement::Update(update) = statement {
            self.update(update, scope);
        } else if let Statement::Delete(delete) = statement {
            self.delete(delete, scope);
        } else if let Statement::Merge(merge) = statement {
            self.merge(merge, scope);
        } else {
            self.foreign();
        }
    }

    fn insert(&mut self, insert: &'a Insert, scope: usize) {
        self.insert_dialects(insert);
        self.intos += 1;
        let TableObject::TableName(name) = &insert.table else { return self.foreign() };
        let Some(parts) = self.object(name) else { return };
        self.effects.relation(Verb::Insert, parts.owned());
        if let Some(source) = &insert.source {
            let outside = self.flow.parent(scope).unwrap_or(scope);
            self.query(source, outside, Use::RETURN);
        }
        let alias = insert.table_alias.as_ref().map_or(&parts.name.value, |alias| &alias.alias.value);
        let met = self.may_meet_all(parts);
        self.flow.add_relation(scope, parts.owned(), alias, false, Vec::new());
        match &insert.on {
            None => {}
            Some(OnInsert::OnConflict(conflict)) => self.conflict(conflict, parts, met, scope),
            Some(_) => self.foreign(),
        }
        self.returning(insert.returning.as_deref(), parts, scope);
    }

    /// Whether what is inserted may conflict with every row that is there: it comes from the target, or from a series.
    fn may_meet_all(&self, target: Parts<'a>) -> Truth {
        let again = self.flow.reads(&target.name.value) || self.effects.calls("generate_series");
        if again { Truth::May } else { Truth::No }
    }

    fn insert_dialects(&mut self, insert: &'a Insert) {
        let Insert {
            insert_token: _,
            optimizer_hints,
            or,
            ignore,
            into,
            table: _,
            table_alias: _,
            columns: _,
            overwrite,
            source: _,
            assignments,
            partitioned,
            after_columns,
            has_table_keyword,
            on: _,
            returning: _,
            output,
            replace_into,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        let lists = optimizer_hints.is_empty() && assignments.is_empty() && after_columns.is_empty();
        let flags = *into && !ignore && !overwrite && !has_table_keyword && !replace_into;
        let clauses = or.is_none() && partitioned.is_none() && output.is_none() && priority.is_none();
        let others = insert_alias.is_none() && settings.is_none() && format_clause.is_none();
        let several = multi_table_insert_type.is_none()
            && multi_table_into_clauses.is_empty()
            && multi_table_when_clauses.is_empty()
            && multi_table_else_clause.is_none();
        self.expect(lists && flags && clauses && others && several);
    }

    /// ON CONFLICT reads the columns that it names, and may update.
    fn conflict(&mut self, conflict: &'a OnConflict, target: Parts<'a>, met: Truth, scope: usize) {
        let OnConflict { conflict_target, action } = conflict;
        match conflict_target {
            None | Some(ConflictTarget::OnConstraint(_)) => {}
            Some(ConflictTarget::Columns(columns)) => {
                for column in columns {
                    self.flow.mention(scope, None, &column.value, Use::TOUCH);
                }
            }
        }
        match action {
            OnConflictAction::DoNothing => {}
            OnConflictAction::DoUpdate(DoUpdate { assignments, selection }) => {
                self.write(Verb::Update, target, met);
                // What was to be inserted: nothing is read for it that was not mentioned before.
                let excluded = self.flow.declare();
                self.flow.add_table(scope, "excluded", excluded, Vec::new());
                self.assignments(assignments, scope);
                if let Some(condition) = selection {
                    self.expression(condition, scope, Use::PROBE);
                }
            }
        }
    }

    fn assignments(&mut self, assignments: &'a [Assignment], scope: usize) {
        for Assignment { target, value } in assignments {
            match target {
                AssignmentTarget::ColumnName(_) | AssignmentTarget::Tuple(_) => {}
            }
            self.output(value, scope, Use::RETURN);
        }
    }

    fn returning(&mut self, returning: Option<&'a [SelectItem]>, target: Parts<'a>, scope: usize) {
        if let Some(items) = returning {
            let usage = if self.nesting == 0 { Use::RETURNING } else { Use::RETURN };
            // The row as it was and as it is, in PostgreSQL 18.
            for version in ["old", "new"].into_iter().chain(self.versions.iter().map(String::as_str)) {
                self.flow.add_relation(scope, target.owned(), version, false, Vec::new());
            }
            self.items(items, scope, usage);
        }
    }

    fn update(&mut self, update: &'a Update, scope: usize) {
        let Update {
            update_token: _,
            optimizer_hints,
            table,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
        } = update;
        let orders = order_by.is_empty() && limit.is_none();
        self.expect(optimizer_hints.is_empty() && output.is_none() && or.is_none() && orders);
        let others: &[TableWithJoins] = match from {
            None => &[],
            Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => from,
        };
        let Some(target) = self.limited(Verb::Update, table, others, selection.as_ref(), scope) else { return };
        self.assignments(assignments, scope);
        self.returning(returning.as_deref(), target, scope);
    }

    fn delete(&mut self, delete: &'a Delete, scope: usize) {
        let Delete {
            delete_token: _,
            optimizer_hints,
            tables,
            from,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
        } = delete;
        let orders = order_by.is_empty() && limit.is_none();
        self.expect(optimizer_hints.is_empty() && tables.is_empty() && output.is_none() && orders);
        let FromTable::WithFromKeyword(from) = from else { return self.foreign() };
        let [table] = from.as_slice() else { return self.foreign() };
        let others = using.as_deref().unwrap_or(&[]);
        let Some(target) = self.limited(Verb::Delete, table, others, selection.as_ref(), scope) else { return };
        self.returning(returning.as_deref(), target, scope);
    }

    /// The target of an UPDATE or DELETE with all that chooses its rows.
    fn limited(
        &mut self,
        verb: Verb,
        table: &'a TableWithJoins,
        others: &'a [TableWithJoins],
        condition: Option<&'a Expr>,
        scope: usize,
    ) -> Option<Parts<'a>> {
        self.expect(table.joins.is_empty());
        let (parts, exposed) = self.target(&table.relation)?;
        self.flow.add_relation(scope, parts.owned(), exposed, false, Vec::new());
        for other in others {
            self.joins(other, scope);
        }
        let unbounded = match condition {
            None => Truth::Yes,
            Some(condition) => {
                let queries = self.flow.queries(scope);
                Limits::new(verb, parts, exposed, queries).beside(others).unbounded(condition)
            }
        };
        self.write(verb, parts, unbounded);
        if let Some(condition) = condition {
            self.expression(condition, scope, Use::PROBE);
        }
        Some(parts)
    }

    fn write(&mut self, verb: Verb, parts: Parts<'a>, unbounded: Truth) {
        let facts = Facts { unbounded, ..Facts::default() };
        self.effects.add(Effect { facts, ..Effect::new(verb, Object::Relation(parts.owned())) });
    }

    /// The name of a target, and the one that it has in the statement.
    fn target(&mut self, factor: &'a TableFactor) -> Option<(Parts<'a>, &'a str)> {
        let TableFactor::Table { name, alias, args: None, with_ordinality: false, sample: None, .. } = factor else {
            self.foreign();
            return None;
        };
        self.expect(super::from::is_plain(factor));
        self.expect(alias.as_ref().is_none_or(|alias| alias.columns.is_empty() && alias.at.is_none()));
        let parts = self.object(name)?;
        Some((parts, alias.as_ref().map_or(&parts.name.value, |alias| &alias.name.value)))
    }

    fn merge(&mut self, merge: &'a Merge, scope: usize) {
        let Merge { merge_token: _, optimizer_hints, into, table, source, on, clauses, output } = merge;
        self.expect(optimizer_hints.is_empty() && *into);
        self.intos += 1;
        let Some((parts, exposed)) = self.target(table) else { return };
        self.flow.add_relation(scope, parts.owned(), exposed, true, Vec::new());
        self.factor(source, scope);
        self.expression(on, scope, Use::PROBE);
        let unbounded = |verb| {
            let mut limits = Limits::new(verb, parts, exposed, self.flow.queries(scope));
            limits.add(source);
            limits.unbounded(on)
        };
        let bounds = Bounds { update: unbounded(Verb::Update), delete: unbounded(Verb::Delete) };
        for clause in clauses {
            self.merge_clause(clause, parts, scope, &bounds);
        }
        match output {
            None => {}
            Some(OutputClause::Returning { returning_token: _, select_items }) => {
                self.returning(Some(select_items), parts, scope);
            }
            Some(OutputClause::Output { .. }) => self.foreign(),
        }
    }

    fn merge_clause(&mut self, clause: &'a MergeClause, target: Parts<'a>, scope: usize, bounds: &Bounds) {
        let MergeClause { when_token: _, clause_kind, predicate, action } = clause;
        let bounds = match clause_kind {
            MergeClauseKind::Matched | MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => bounds,
            // Whatever the condition does not join.
            MergeClauseKind::NotMatchedBySource => &Bounds { update: Truth::May, delete: Truth::May },
        };
        if let Some(predicate) = predicate {
            self.expression(predicate, scope, Use::PROBE);
        }
        match action {
            MergeAction::Insert(insert) => self.merge_insert(insert, target, scope),
            MergeAction::Update(MergeUpdateExpr { update_token: _, kind, update_predicate, delete_predicate }) => {
                self.expect(update_predicate.is_none() && delete_predicate.is_none());
                self.write(Verb::Update, target, bounds.update);
                match kind {
                    MergeUpdateKind::Set(assignments) => self.assignments(assignments, scope),
                    MergeUpdateKind::Wildcard => self.foreign(),
                }
            }
            MergeAction::Delete { delete_token: _ } => self.write(Verb::Delete, target, bounds.delete),
            MergeAction::DoNothing { do_token: _, nothing_token: _ } => {}
        }
    }

    fn merge_insert(&mut self, insert: &'a MergeInsertExpr, target: Parts<'a>, scope: usize) {
        let MergeInsertExpr { insert_token: _, columns: _, kind_token: _, kind, insert_predicate } = insert;
        self.expect(insert_predicate.is_none());
        self.effects.relation(Verb::Insert, target.owned());
        match kind {
            MergeInsertKind::Values(values) => {
                self.values(values, scope, Use::RETURN);
            }
            MergeInsertKind::Row | MergeInsertKind::Wildcard => self.foreign(),
        }
    }
}

/// Whether the actions of a MERGE reach every row.
struct Bounds {
    update: Truth,
    delete: Truth,
}
