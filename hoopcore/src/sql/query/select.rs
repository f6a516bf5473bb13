//! SELECT, VALUES, set operations, WITH.

use alloc::string::String;
use alloc::vec::Vec;

use sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, Ident, LimitClause, LockClause, NamedWindowDefinition, NamedWindowExpr, OrderBy,
    OrderByExpr, OrderByKind, OrderBySort, Query, Select, SelectFlavor, SelectInto, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableAliasColumnDef, Value, Values,
    WildcardAdditionalOptions, With,
};

use super::expression::{is_column, name_of};
use super::flow::{Doing, Span, Use};
use super::{Walk, parts};
use crate::command::Change;
use crate::command::sql::Verb;
use crate::name::QualifiedName;

/// The columns that a query gives: what each mentions, `None` where their number is not known.
pub(super) type Outputs = Option<Vec<Span>>;

/// The columns of a query's body, and the scope that its ORDER BY sees.
struct Body {
    outputs: Outputs,
    scope: usize,
    distinct_on: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn query(&mut self, query: &'a Query, parent: usize, usage: Use) -> Outputs {
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
        let relations = self.flow.relation_count();
        let body = self.body(body, scope, usage);
        let cut = limit_clause.is_some() || fetch.is_some() || body.distinct_on;
        if let Some(order_by) = order_by {
            self.order_by(order_by, &body, cut);
        }
        if let Some(limit) = limit_clause {
            self.limit(limit, scope);
        }
        if let Some(quantity) = fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()) {
            self.expression(quantity, scope, Use::PROBE);
        }
        for lock in locks {
            self.lock(lock, relations);
        }
        body.outputs
    }

    fn with(&mut self, with: &'a With, scope: usize) {
        let With { with_token: _, recursive, cte_tables } = with;
        if *recursive {
            for cte in cte_tables {
                self.flow.add_query(scope, &cte.alias.name.value);
            }
        }
        for cte in cte_tables {
            let Cte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
            self.expect(from.is_none() && alias.at.is_none());
            let mut outputs = None;
            self.deeper(|walk| outputs = walk.query(query, scope, Use::RETURN));
            self.name_outputs(&alias.columns, outputs.as_deref());
            if !*recursive {
                self.flow.add_query(scope, &alias.name.value);
            }
        }
    }

    /// `AS t (a, b)` over the columns of a sub-select.
    pub(super) fn name_outputs(&mut self, names: &'a [TableAliasColumnDef], outputs: Option<&[Span]>) {
        for (at, column) in names.iter().enumerate() {
            let TableAliasColumnDef { name, data_type } = column;
            if let Some(data_type) = data_type {
                self.data_type(data_type);
            }
            match outputs.map(|outputs| outputs.get(at)) {
                Some(Some(span)) => self.flow.rename(&name.value, span.clone()),
                Some(None) => {}
                None => self.flow.rename(&name.value, self.flow.since((0, 0))),
            }
        }
    }

    /// The left arm of a chain of set operations is taken in a loop: such chains are long.
    fn body(&mut self, mut body: &'a SetExpr, scope: usize, mut usage: Use) -> Body {
        let mut arms = Vec::new();
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
            self.join_outputs(&mut first.outputs, other.and_then(|other| other.outputs));
        }
        if combined {
            first.scope = scope;
        }
        first
    }

    /// Rows that both arms have, or only one, tell which values are equal; merging equal rows tells only how many.
    fn arm_usage(&mut self, op: SetOperator, quantifier: SetQuantifier, usage: Use) -> Use {
        match quantifier {
            SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None => {}
            SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => self.foreign(),
        }
        match op {
            SetOperator::Union if quantifier == SetQuantifier::All => usage,
            SetOperator::Union => usage.worked(),
            SetOperator::Except | SetOperator::Intersect | SetOperator::Minus => {
                Use { unused: false, ..usage.probed() }
            }
        }
    }

    /// A column of a set operation stands for those of both arms.
    fn join_outputs(&mut self, first: &mut Outputs, other: Outputs) {
        let joined = match (first.as_mut(), other) {
            (Some(first), Some(other)) if first.len() == other.len() => {
                for (one, two) in first.iter_mut().zip(other) {
                    *one = one.joined(&two);
                }
                true
            }
            _ => false,
        };
        if !joined {
            *first = None;
        }
    }

    fn arm(&mut self, body: &'a SetExpr, scope: usize, usage: Use) -> Body {
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
        Body { outputs, scope, distinct_on: false }
    }

    pub(super) fn values(&mut self, values: &'a Values, scope: usize, usage: Use) -> Outputs {
        let Values { explicit_row, value_keyword, rows } = values;
        self.expect(!explicit_row && !value_keyword);
        let mark = self.flow.mark();
        for expression in rows.iter().flat_map(|row| row.content.iter()) {
            self.output(expression, scope, usage);
        }
        let columns = rows.first().map_or(0, |row| row.content.len());
        let all = self.flow.since(mark);
        Some(core::iter::repeat_n(all, columns.min(2000)).collect())
    }

    fn select(&mut self, select: &'a Select, parent: usize, usage: Use) -> Body {
        let scope = self.flow.open(Some(parent));
        self.dialects(select);
        for item in &select.from {
            self.joins(item, scope);
        }
        let (grouped, distinct_on) = (is_grouped(select), matches!(select.distinct, Some(Distinct::On(_))));
        let plain = !grouped && select.distinct.is_none();
        let usage = if matches!(select.distinct, Some(Distinct::Distinct)) { usage.worked() } else { usage };
        let outputs = self.items(&select.projection, scope, Use { unused: usage.unused && plain, ..usage });
        if let Some(Distinct::On(keys)) = &select.distinct {
            self.keys(keys, scope, outputs.as_deref());
        }
        for condition in [&select.selection, &select.having].into_iter().flatten() {
            self.expression(condition, scope, Use::PROBE);
        }
        self.group_by(&select.group_by, scope, outputs.as_deref());
        for NamedWindowDefinition(_, window) in &select.named_window {
            match window {
                NamedWindowExpr::NamedWindow(_) => {}
                NamedWindowExpr::WindowSpec(window) => self.window(window, scope),
            }
        }
        if let Some(into) = &select.into {
            self.into(into);
        }
        Body { outputs, scope, distinct_on }
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
    pub(super) fn items(&mut self, items: &'a [SelectItem], scope: usize, usage: Use) -> Outputs {
        let mut outputs = Some(Vec::with_capacity(items.len()));
        for item in items {
            let mark = self.flow.mark();
            match item {
                SelectItem::UnnamedExpr(expression) => {
                    self.output(expression, scope, usage);
                    if !matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
                        self.flow.rename(name_of(expression), self.flow.since(mark));
                    }
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    self.output(expr, scope, usage);
                    self.flow.rename(&alias.value, self.flow.since(mark));
                }
                SelectItem::ExprWithAliases { .. } => self.foreign(),
                SelectItem::Wildcard(options) => {
                    self.wildcard(options);
                    self.star(scope, None, usage);
                    outputs = None;
                }
                SelectItem::QualifiedWildcard(kind, options) => {
                    self.wildcard(options);
                    self.qualified_star(kind, scope, usage);
                    outputs = None;
                }
            }
            if let Some(outputs) = &mut outputs {
                outputs.push(self.flow.since(mark));
            }
        }
        outputs.filter(|_| !self.expands)
    }

    /// A value that is returned or stored: as it is, where it is a bare column.
    pub(super) fn output(&mut self, expression: &'a Expr, scope: usize, usage: Use) {
        let usage = if is_column(expression) { usage } else { usage.worked() };
        self.expression(expression, scope, usage);
    }

    fn star(&mut self, scope: usize, qualifier: Option<&'a str>, usage: Use) {
        if !usage.unused {
            self.flow.star(scope, qualifier, usage);
        }
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

    fn qualified_star(&mut self, kind: &'a SelectItemQualifiedWildcardKind, scope: usize, usage: Use) {
        match kind {
            SelectItemQualifiedWildcardKind::ObjectName(name) => match parts(name) {
                Some(parts) => self.star(scope, Some(&parts.name.value), usage),
                None => self.foreign(),
            },
            SelectItemQualifiedWildcardKind::Expr(expression) => self.output(expression, scope, usage),
        }
    }

    fn group_by(&mut self, group_by: &'a GroupByExpr, scope: usize, outputs: Option<&[Span]>) {
        match group_by {
            GroupByExpr::All(_) => self.foreign(),
            GroupByExpr::Expressions(keys, modifiers) => {
                self.expect(modifiers.is_empty());
                self.keys(keys, scope, outputs);
            }
        }
    }

    /// Keys that rows are grouped or told apart by: names, expressions, or numbers of output columns.
    fn keys(&mut self, keys: &'a [Expr], scope: usize, outputs: Option<&[Span]>) {
        for key in keys {
            self.expression(key, scope, Use::PROBE);
            self.numbered(Doing::Decides, key, outputs);
        }
    }

    /// Keys that are numbers of output columns, alone or in lists of keys.
    fn numbered(&mut self, doing: Doing, key: &'a Expr, outputs: Option<&[Span]>) {
        let mut keys = Vec::from([key]);
        while let Some(key) = keys.pop() {
            match key {
                Expr::Value(value) => self.number(doing, &value.value, outputs),
                Expr::Nested(inner) => keys.push(inner),
                Expr::Tuple(items) => keys.extend(items),
                Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => keys.extend(sets.iter().flatten()),
                _ => {}
            }
        }
    }

    fn number(&mut self, doing: Doing, key: &'a Value, outputs: Option<&[Span]>) {
        let Value::Number(number, _) = key else { return };
        let span = number.parse::<usize>().ok().and_then(|number| outputs?.get(number.checked_sub(1)?));
        match span {
            Some(span) => self.flow.turn_to(doing, &span.clone()),
            None => self.flow.do_all(doing),
        }
    }

    /// An order alone shows no value; with a limit it picks rows by value.
    fn order_by(&mut self, order_by: &'a OrderBy, body: &Body, cut: bool) {
        let OrderBy { kind, interpolate } = order_by;
        self.expect(interpolate.is_none());
        match kind {
            OrderByKind::All(_) => self.foreign(),
            OrderByKind::Expressions(keys) => {
                let (usage, doing) = if cut { (Use::PROBE, Doing::Decides) } else { (Use::TOUCH, Doing::Compared) };
                for key in keys {
                    self.order_key(key, body.scope, usage);
                    self.numbered(doing, &key.expr, body.outputs.as_deref());
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
                    self.expression(expression, scope, Use::PROBE);
                }
            }
            LimitClause::OffsetCommaLimit { .. } => self.foreign(),
        }
    }

    fn lock(&mut self, lock: &'a LockClause, since: usize) {
        let of = lock.of.as_ref().and_then(parts).map(|parts| parts.name.value.as_str());
        let all = !self.flow.relations_since(since).any(|(exposed, _)| Some(exposed) == of);
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
