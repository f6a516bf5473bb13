//! Queries and data-modifying statements → effects, from sqlparser's tree.
//!
//! Every variant of the tree is named: what PostgreSQL lacks, or what this module does not understand, is conceded.

mod dml;
mod expression;
mod figure;
mod flow;
mod from;
mod function;
mod limits;
mod lineage;
mod parameters;
mod select;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query, Statement};

use self::flow::{Flow, Use};
use self::from::FromFunction;
use self::parameters::Places;
use super::bridge::Parsed;
use super::effects::Effects;
use crate::name::QualifiedName;

/// Expressions nested deeper in the tree are conceded.
const MAX_NESTING: usize = 150;

/// The effects of a parsed statement.
pub(super) fn effects(parsed: &Parsed) -> Effects {
    let mut walk = Walk {
        effects: Effects::default(),
        flow: Flow::default(),
        nesting: 0,
        intos: 0,
        expands: parsed.expands,
        names_joins: parsed.names_joins,
        cuts: parsed.cuts,
        versions: &parsed.versions,
        // A clause that was left out may return what it names under another name.
        passing: if parsed.compares { Use::RETURN } else { Use::PASS },
        functions: Vec::new(),
        parameters: BTreeMap::new(),
    };
    if parsed.compares {
        walk.flow.compare_all();
    }
    let root = walk.flow.open(None);
    walk.statement(&parsed.statement, root);
    for operator in &parsed.operators {
        walk.effects.operator(operator.clone());
    }
    for function in &parsed.calls {
        walk.effects.call(function.clone(), &[]);
    }
    walk.expect(walk.intos == parsed.intos);
    if !parsed.of_row && !walk.flow.all_meet(&parsed.given) {
        walk.effects.concede("a name that nothing in FROM has");
    }
    walk.calls_behind_functions();
    walk.flow.distribute(&mut walk.effects);
    if walk.parameters.values().any(|places| places.may_be_of_made_type()) {
        walk.effects.compare_made_types();
    }
    walk.effects
}

/// A walk over one statement.
struct Walk<'a> {
    effects: Effects,
    flow: Flow<'a>,
    nesting: usize,
    /// How many `INTO` the tree accounts for: each one must be understood.
    intos: usize,
    /// Some item of some list stands for several columns.
    expands: bool,
    /// The columns that some join is made by go by a name of the join's own.
    names_joins: bool,
    /// Rows are cut off or numbered somewhere.
    cuts: bool,
    /// Names that RETURNING gives to the row as it was and as it is.
    versions: &'a [String],
    /// How the lists of sub-selects in FROM are used.
    passing: Use,
    functions: Vec<FromFunction<'a>>,
    parameters: BTreeMap<&'a str, Places>,
}

impl<'a> Walk<'a> {
    fn statement(&mut self, statement: &'a Statement, scope: usize) {
        if let Statement::Query(query) = statement {
            self.whole_query(query, scope);
        } else {
            self.modification(statement, scope);
        }
    }

    fn foreign(&mut self) {
        self.effects.concede("a form that this analysis does not know");
    }

    /// Concedes where a clause of another dialect is there.
    fn expect(&mut self, absent: bool) {
        if !absent {
            self.foreign();
        }
    }

    /// Runs one step deeper, as long as that is safe.
    fn deeper(&mut self, step: impl FnOnce(&mut Self)) {
        if self.nesting >= MAX_NESTING {
            self.effects.concede("it is nested too deep");
            return;
        }
        self.nesting += 1;
        step(self);
        self.nesting -= 1;
    }

    fn object(&mut self, name: &'a ObjectName) -> Option<Parts<'a>> {
        let parts = parts(name);
        if parts.is_none() {
            self.foreign();
        }
        parts
    }

    fn sub_query(&mut self, query: &'a Query, scope: usize, usage: Use) {
        self.deeper(|walk| {
            walk.query(query, scope, usage);
        });
    }
}

/// A name of at most three parts.
#[derive(Clone, Copy)]
struct Parts<'a> {
    schema: Option<&'a str>,
    name: &'a Ident,
}

impl Parts<'_> {
    fn owned(self) -> QualifiedName {
        QualifiedName { schema: self.schema.map(ToOwned::to_owned), name: self.name.value.clone() }
    }
}

fn parts(name: &ObjectName) -> Option<Parts<'_>> {
    match name.0.as_slice() {
        [name] => Some(Parts { schema: None, name: ident(name)? }),
        [schema, name] | [_, schema, name] => Some(Parts { schema: Some(&ident(schema)?.value), name: ident(name)? }),
        _ => None,
    }
}

fn ident(part: &ObjectNamePart) -> Option<&Ident> {
    match part {
        ObjectNamePart::Identifier(ident) => Some(ident),
        ObjectNamePart::Function(_) => None,
    }
}
