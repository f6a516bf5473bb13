//! SELECT, VALUES, set operations, WITH.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, Ident, LimitClause, LockClause, NamedWindowDefinition, NamedWindowExpr, OrderBy,
    OrderByExpr, OrderByKind, OrderBySort, Query, Select, SelectFlavor, SelectInto, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableAliasColumnDef, Value, Values,
    WildcardAdditionalOptions, With,
};

use super::expression::is_column;
use super::figure::name_of;
use super::flow::{Doing, Use};
use super::lineage::{ANY_NAME, Column, Output, Outputs, Span, column_at, columns_named};
use super::{Walk, parts};
use crate::command::Change;
use crate::command::sql::Verb;
use crate::name::QualifiedName;

/// What a query's body gives, and the scope that its ORDER BY sees.
struct Body<'a> {
    outputs: Outputs<'a>,
    scope: usize,
    /// The scope of the innermost query in parentheses, whose WITH the clauses behind them see.
    names: usize,
    /// Whether its order decides which rows there are.
    cut: bool,
    /// Of a set operation, all that it mentions.
    combined: Option<Span>,
}

impl<'a> Walk<'a> {
    /// A query within the statement: where some query cuts rows off, the order of another may decide which.
    pub(super) fn query(&mut self, query: &'a Query, parent: usize, usage: Use) -> Outputs<'a> {
        self.clauses(query, parent, usage, self.cuts).outputs
    }

    /// The query that the statement is.
    pub(super) fn whole_query(&mut self, query: &'a Query, scope: usize) {
        self.clauses(query, scope, Use::RETURN, false);
    }

    /// A query's body with what stands around it; `cut` says that clauses around the query leave some of its rows out.
    fn clauses(&mut self, query: &'a Query, parent: usize, usage: Use, cut: bool) -> Body<'a> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        self.expect(for_clause.is_none() && settings.is_none() && format_clause.is_none() && pipe_operators.is_empty());
        let scope = self.flow.open(Some(parent));
        if let Some(with) = with {
            self.with(with, scope);
        }
        let sources = self.flow.source_count();
        let cut = cut || limit_clause.is_some() || fetch.is_some();
        let body = match &**body {
            SetExpr::Query(inner) => self.in_parentheses(inner, scope, usage, cut),
            body => self.body(body, scope, usage),
        };
        let cut = cut || body.cut;
        if let Some(order_by) = order_by {
            self.order_by(order_by, &body, cut);
        }
        if let Some(limit) = limit_clause {
            self.limit(limit, body.names);
        }
        if let Some(quantity) = fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()) {
            self.expression(quantity, body.names, Use::PROBE);
        }
        for lock in locks {
            self.lock(lock, sources);
        }
        Body { cut, ..body }
    }

    /// Clauses behind a query in parentheses are its own: PostgreSQL reads them as if they stood inside.
    fn in_parentheses(&mut self, query: &'a Query, scope: usize, usage: Use, cut: bool) -> Body<'a> {
        let mut inner = Body { outputs: None, scope, names: scope, cut, combined: None };
        self.deeper(|walk| inner = walk.clauses(query, scope, usage, cut));
        inner
    }

    fn with(&mut self, with: &'a With, scope: usize) {
        let With { with_token: _, recursive, cte_tables } = with;
        let tables: Vec<usize> = cte_tables.iter().map(|_| self.flow.declare()).collect();
        if *recursive {
            for (cte, table) in cte_tables.iter().zip(&tables) {
                self.flow.add_query(scope, &cte.alias.name.value, *table);
            }
        }
        for (cte, table) in cte_tables.iter().zip(tables) {
            let Cte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
            self.expect(from.is_none() && alias.at.is_none());
            let mark = self.flow.mark();
            let mut outputs = None;
            let usage = self.passing;
            self.deeper(|walk| outputs = walk.query(query, scope, usage));
            let outputs = self.named_outputs(&alias.columns, outputs);
            self.flow.define(table, outputs, self.flow.since(mark));
            if !*recursive {
                self.flow.add_query(scope, &alias.name.value, table);
            }
        }
    }

    /// `WITH t (a, b) AS` over the columns of a query.
    fn named_outputs(&mut self, names: &'a [TableAliasColumnDef], mut outputs: Outputs<'a>) -> Outputs<'a> {
        let names = self.column_names(names);
        for (place, name) in names.into_iter().enumerate() {
            column_at(&outputs, place)?;
            if let Some(Output::Column(column)) = outputs.as_mut()?.get_mut(place) {
                column.name = name.into();
            }
        }
        outputs
    }

    /// The names of a list of columns behind an alias.
    pub(super) fn column_names(&mut self, names: &'a [TableAliasColumnDef]) -> Vec<&'a str> {
        let mut found = Vec::with_capacity(names.len());
        for TableAliasColumnDef { name, data_type } in names {
            found.push(name.value.as_str());
            if let Some(data_type) = data_type {
                self.data_type(data_type);
            }
        }
        found
    }

    /// The left arm of a chain of set operations is taken in a loop: such chains are long.
    fn body(&mut self, mut body: &'a SetExpr, scope: usize, mut usage: Use) -> Body<'a> {
        let mut arms = Vec::new();
        let mark = self.flow.mark();
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = body {
            usage = self.arm_usage(*op, *set_quantifier, usage);
            arms.push((&**right, usage));
            body = left;
        }
        let combined = !arms.is_empty();
        let mut first = self.arm(body, scope, usage);
        for (arm, usage) in arms {
            let mut other = None;
            self.deeper(|walk| other = Some(walk.arm(arm, scope, usage)));
            first.outputs = self.flow.joined(first.outputs, other.and_then(|other| other.outputs));
        }
        if combined {
            first.scope = scope;
            first.combined = Some(self.flow.since(mark));
        }
        first
    }

    /// Rows that both arms have, or only one, and equal rows that are merged tell which values are equal; to find out, the
    /// server may sort them all, and their order then tells between which values of the other arm one is.
    fn arm_usage(&mut self, op: SetOperator, quantifier: SetQuantifier, usage: Use) -> Use {
        match quantifier {
            SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None => {}
            SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => self.foreign(),
        }
        match op {
            // What is compared with all rows is compared by the collation of any arm.
            SetOperator::Union if quantifier == SetQuantifier::All && usage.weighed => usage.probed(),
            SetOperator::Union if quantifier == SetQuantifier::All => usage,
            SetOperator::Union | SetOperator::Except | SetOperator::Intersect | SetOperator::Minus => {
                Use { unused: false, ..usage.probed() }
            }
        }
    }

    fn arm(&mut self, body: &'a SetExpr, scope: usize, usage: Use) -> Body<'a> {
        let outputs = match body {
            SetExpr::Select(select) => return self.select(select, scope, usage),
            SetExpr::Query(query) => {
                let mut outputs = None;
                self.deeper(|walk| outputs = walk.query(query, scope, usage));
                outputs
            }
            SetExpr::Values(values) => self.values(values, scope, usage),
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => {
                self.modification(statement, scope);
                None
            }
            SetExpr::SetOperation { .. } => {
                let mut outputs = None;
                self.deeper(|walk| outputs = walk.body(body, scope, usage).outputs);
                outputs
            }
            SetExpr::Table(_) => {
                self.foreign();
                None
            }
        };
        Body { outputs, scope, names: scope, cut: false, combined: None }
    }

    /// The columns of VALUES are called `column1`, `column2` and so on.
    pub(super) fn values(&mut self, values: &'a Values, scope: usize, usage: Use) -> Outputs<'a> {
        let Values { explicit_row, value_keyword, rows } = values;
        self.expect(!explicit_row && !value_keyword);
        let mut columns: Vec<Column<'a>> = Vec::new();
        for (place, expression) in rows.iter().flat_map(|row| row.content.iter().enumerate()) {
            let mark = self.flow.mark();
            self.output(expression, scope, usage);
            let cell = Column::new(format!("column{}", place + 1), self.flow.since(mark), false);
            match columns.get_mut(place) {
                Some(column) => column.spans.extend(cell.spans),
                None => columns.push(cell),
            }
        }
        Some(columns.into_iter().map(Output::Column).collect())
    }

    fn select(&mut self, select: &'a Select, parent: usize, usage: Use) -> Body<'a> {
        let scope = self.flow.open(Some(parent));
        self.dialects(select);
        for item in &select.from {
            self.joins(item, scope);
        }
        let (grouped, distinct_on) = (is_grouped(select), matches!(select.distinct, Some(Distinct::On(_))));
        let plain = !grouped && select.distinct.is_none();
        let usage = match (&select.distinct, &*select.projection) {
            (Some(Distinct::Distinct), [SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }]) => {
                usage.weighed()
            }
            // Rows come in an order made of hashes, beside which the other columns stand.
            (Some(Distinct::Distinct), _) => usage.probed(),
            (Some(Distinct::On(_) | Distinct::All) | None, _) => usage,
        };
        let outputs = self.items(&select.projection, scope, Use { unused: usage.unused && plain, ..usage });
        if let Some(Distinct::On(keys)) = &select.distinct {
            self.keys(keys, scope, &outputs);
        }
        for condition in [&select.selection, &select.having].into_iter().flatten() {
            self.expression(condition, scope, Use::PROBE);
        }
        self.group_by(&select.group_by, scope, &outputs);
        for NamedWindowDefinition(_, window) in &select.named_window {
            match window {
                NamedWindowExpr::NamedWindow(_) => {}
                NamedWindowExpr::WindowSpec(window) => self.window(window, scope),
            }
        }
        if let Some(into) = &select.into {
            self.into(into);
        }
        Body { outputs, scope, names: parent, cut: distinct_on, combined: None }
    }

    /// Clauses that PostgreSQL does not have.
    fn dialects(&mut self, select: &'a Select) {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct: _,
            select_modifiers,
            top,
            top_before_distinct,
            projection: _,
            exclude,
            into: _,
            from: _,
            lateral_views,
            prewhere,
            selection: _,
            connect_by,
            group_by: _,
            cluster_by,
            distribute_by,
            sort_by,
            having: _,
            named_window: _,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let lists = optimizer_hints.is_empty() && lateral_views.is_empty() && connect_by.is_empty();
        let orders = cluster_by.is_empty() && distribute_by.is_empty() && sort_by.is_empty();
        let clauses = top.is_none() && exclude.is_none() && prewhere.is_none() && qualify.is_none();
        let modes = select_modifiers.is_none() && !top_before_distinct && value_table_mode.is_none();
        self.expect(lists && orders && clauses && modes && *flavor == SelectFlavor::Standard);
    }

    /// The list of a SELECT or RETURNING.
    pub(super) fn items(&mut self, items: &'a [SelectItem], scope: usize, usage: Use) -> Outputs<'a> {
        let mut outputs = Vec::with_capacity(items.len());
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expression) => {
                    outputs.push(self.column_of(expression, name_of(expression), scope, usage));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    outputs.push(self.column_of(expr, &alias.value, scope, usage));
                }
                SelectItem::ExprWithAliases { .. } => self.foreign(),
                SelectItem::Wildcard(options) => {
                    self.wildcard(options);
                    outputs.extend(self.star(scope, None, usage));
                }
                SelectItem::QualifiedWildcard(kind, options) => {
                    self.wildcard(options);
                    outputs.extend(self.qualified_star(kind, scope, usage));
                }
            }
        }
        Some(outputs).filter(|_| !self.expands)
    }

    /// One item of a list, under its name.
    fn column_of(&mut self, expression: &'a Expr, name: &'a str, scope: usize, usage: Use) -> Output<'a> {
        let mark = self.flow.mark();
        self.output(expression, scope, usage);
        Output::Column(Column::new(name, self.flow.since(mark), is_column(expression)))
    }

    /// A value that is returned or stored: as it is, where it is a bare column.
    pub(super) fn output(&mut self, expression: &'a Expr, scope: usize, usage: Use) {
        let usage = match is_column(expression) {
            true => usage,
            false if usage.weighed => usage.probed(),
            false => usage.worked(),
        };
        self.expression(expression, scope, usage);
    }

    /// A star, as an output of the list that it stands in.
    fn star(&mut self, scope: usize, qualifier: Option<&'a str>, usage: Use) -> Option<Output<'a>> {
        if usage.unused {
            return None;
        }
        self.flow.star(scope, qualifier, usage);
        self.flow.stars.len().checked_sub(1).map(|star| Output::Star(Vec::from([star])))
    }

    pub(super) fn wildcard(&mut self, options: &'a WildcardAdditionalOptions) {
        let WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            opt_alias,
        } = options;
        let first = opt_ilike.is_none() && opt_exclude.is_none() && opt_except.is_none();
        self.expect(first && opt_replace.is_none() && opt_rename.is_none() && opt_alias.is_none());
    }

    fn qualified_star(
        &mut self,
        kind: &'a SelectItemQualifiedWildcardKind,
        scope: usize,
        usage: Use,
    ) -> Option<Output<'a>> {
        match kind {
            SelectItemQualifiedWildcardKind::ObjectName(name) => match parts(name) {
                Some(parts) => self.star(scope, Some(&parts.name.value), usage),
                None => {
                    self.foreign();
                    None
                }
            },
            // The fields of a row have any names.
            SelectItemQualifiedWildcardKind::Expr(expression) => {
                Some(self.column_of(expression, ANY_NAME, scope, usage.worked()))
            }
        }
    }

    fn group_by(&mut self, group_by: &'a GroupByExpr, scope: usize, outputs: &Outputs<'a>) {
        match group_by {
            GroupByExpr::All(_) => self.foreign(),
            GroupByExpr::Expressions(keys, modifiers) => {
                self.expect(modifiers.is_empty());
                self.keys(keys, scope, outputs);
            }
        }
    }

    /// Keys that rows are grouped or told apart by: names, expressions, or numbers of output columns.
    fn keys(&mut self, keys: &'a [Expr], scope: usize, outputs: &Outputs<'a>) {
        for key in keys {
            let mark = self.flow.mark();
            self.expression(key, scope, Use::PROBE);
            self.outputs_of_key(Doing::Decides, key, outputs, mark);
        }
    }

    /// Keys that are names or numbers of output columns, alone or in lists of keys.
    fn outputs_of_key(&mut self, doing: Doing, key: &'a Expr, outputs: &Outputs<'a>, mark: (usize, usize)) {
        let mut keys = Vec::from([key]);
        while let Some(key) = keys.pop() {
            match key {
                Expr::Identifier(name) => {
                    if self.expands && outputs.is_none() {
                        self.flow.do_all(doing);
                    }
                    let columns = columns_named(outputs, &name.value);
                    if !columns.is_empty() || may_be_any(outputs) {
                        self.flow.excuse(mark, &name.value);
                    }
                    self.flow.name_in_stars(doing.usage(), &name.value, outputs);
                    columns.iter().for_each(|column| self.flow.hand_on(doing.usage(), column));
                }
                Expr::Value(value) => self.number(doing, &value.value, outputs),
                Expr::Nested(inner) => keys.push(inner),
                Expr::Tuple(items) => keys.extend(items),
                Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => keys.extend(sets.iter().flatten()),
                _ => {}
            }
        }
    }

    fn number(&mut self, doing: Doing, key: &'a Value, outputs: &Outputs<'a>) {
        let Value::Number(number, _) = key else { return };
        let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match place.and_then(|place| column_at(outputs, place)) {
            Some(column) => self.flow.hand_on(doing.usage(), column),
            None => self.flow.do_all(doing),
        }
    }

    /// The order of a column alone shows no value; with a limit it picks rows by value, among others it shows where
    /// between them a value is.
    fn order_by(&mut self, order_by: &'a OrderBy, body: &Body<'a>, cut: bool) {
        let OrderBy { kind, interpolate } = order_by;
        self.expect(interpolate.is_none());
        match kind {
            OrderByKind::All(_) => self.foreign(),
            OrderByKind::Expressions(keys) => {
                let decides = cut || body.combined.is_some();
                let doing = if decides { Doing::Decides } else { Doing::Orders };
                for key in keys {
                    let mark = self.flow.mark();
                    self.order_key(key, body.scope, weighing(&key.expr, doing.usage()));
                    self.outputs_of_key(doing, &key.expr, &body.outputs, mark);
                }
                match &body.combined {
                    Some(region) if body.outputs.is_none() => self.flow.hand_on_to_all(Use::PROBE, region),
                    Some(_) | None => {}
                }
            }
        }
    }

    pub(super) fn order_key(&mut self, key: &'a OrderByExpr, scope: usize, usage: Use) {
        let OrderByExpr { expr, options, with_fill } = key;
        self.expect(with_fill.is_none());
        match &options.sort {
            None | Some(OrderBySort::Asc | OrderBySort::Desc) => {}
            Some(OrderBySort::Using(_)) => self.foreign(),
        }
        self.expression(expr, scope, usage);
    }

    fn limit(&mut self, limit: &'a LimitClause, scope: usize) {
        match limit {
            LimitClause::LimitOffset { limit, offset, limit_by } => {
                self.expect(limit_by.is_empty());
                for expression in limit.iter().chain(offset.iter().map(|offset| &offset.value)) {
                    self.fixes(expression);
                    self.expression(expression, scope, Use::PROBE);
                }
            }
            LimitClause::OffsetCommaLimit { .. } => self.foreign(),
        }
    }

    fn lock(&mut self, lock: &'a LockClause, since: usize) {
        let of = lock.of.as_ref().and_then(parts).map(|parts| parts.name.value.as_str());
        let known = self.flow.relations_since(since).any(|(exposed, _)| Some(exposed) == of);
        // The name may be that of a sub-select, of which all is locked.
        let all = !known || of.is_some_and(|of| self.flow.has_table_since(since, of));
        let locked: Vec<QualifiedName> = self
            .flow
            .relations_since(since)
            .filter(|(exposed, _)| all || Some(*exposed) == of)
            .map(|(_, name)| name.clone())
            .collect();
        if locked.is_empty() {
            self.effects.any(Verb::Lock);
        }
        for name in locked {
            self.effects.relation(Verb::Lock, name);
        }
    }

    fn into(&mut self, into: &'a SelectInto) {
        self.intos += 1;
        let [target] = into.targets.as_slice() else { return self.foreign() };
        let name = match target {
            Expr::Identifier(name) => Some(QualifiedName::bare(name.value.clone())),
            Expr::CompoundIdentifier(parts) => qualified(parts),
            _ => None,
        };
        match name {
            Some(name) => {
                self.effects.relation(Verb::Create, name);
                self.effects.change(Change::Definitions);
            }
            None => self.foreign(),
        }
    }
}

/// Whether a name may be that of an output that is not known.
fn may_be_any(outputs: &Outputs<'_>) -> bool {
    outputs.as_ref().is_none_or(|outputs| outputs.iter().any(|output| matches!(output, Output::Star(_))))
}

/// A usage for something that decides unless it is a column.
pub(super) fn weighing(expression: &Expr, usage: Use) -> Use {
    if usage.weighed && !is_column(expression) { usage.probed() } else { usage }
}

fn is_grouped(select: &Select) -> bool {
    select.having.is_some()
        || match &select.group_by {
            GroupByExpr::All(_) => true,
            GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
        }
}

fn qualified(parts: &[Ident]) -> Option<QualifiedName> {
    let value = |part: &Ident| -> String { part.value.clone() };
    match parts {
        [schema, name] | [_, schema, name] => Some(QualifiedName::qualified(value(schema), value(name))),
        _ => None,
    }
}
