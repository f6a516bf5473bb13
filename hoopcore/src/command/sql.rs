//! What statements of SQL do: verbs, objects, and the facts that rules may ask for.

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;

use super::verb::verbs;
use crate::name::QualifiedName;
use crate::truth::Truth;

/// One thing that a statement does to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub object: Object,
    /// What rules may ask about it.
    pub facts: Facts,
    /// Whether an allow is asked for it.
    pub duty: Duty,
}

verbs! {
    /// What is done to an object: the words of `sql:` in a policy.
    pub enum Verb {
        Read = "read",
        Insert = "insert",
        Update = "update",
        Delete = "delete",
        Truncate = "truncate",
        Create = "create",
        Alter = "alter",
        Drop = "drop",
        Grant = "grant",
        Role = "role",
        Set = "set",
        Call = "call",
        File = "file",
        Program = "program",
        Maintain = "maintain",
        Admin = "admin",
        Lock = "lock",
        Sequence = "sequence",
        Notify = "notify",
        Listen = "listen",
        Replicate = "replicate",
        Fastpath = "fastpath",
        Session = "session",
        Unknown = "unknown",
    }
}

/// What is acted on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A table, view, sequence, index, type or anything else that lives in a schema and is not a function.
    Relation(QualifiedName),
    /// A function, procedure, aggregate or operator.
    Function(QualifiedName),
    /// A configuration setting.
    Setting(String),
    /// A whole schema: it stands for everything in it.
    Schema(String),
    /// Something with a plain name of its own: a role, a channel, an extension, a file.
    Named(String),
    /// What the statement prepared under this name does (`EXECUTE`).
    Prepared(String),
    /// What the cursor declared under this name returns (`FETCH`); `MOVE` and `CLOSE` bear none.
    Cursor(String),
    /// Nothing that has a name, or everything: only a `*` covers it.
    Any,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relation(name) | Self::Function(name) => name.fmt(f),
            Self::Schema(name) => write!(f, "{name}.*"),
            Self::Setting(name) | Self::Named(name) | Self::Prepared(name) | Self::Cursor(name) => f.write_str(name),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Whether an allow is asked for an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It must be covered by an allow or approve.
    Covered,
    /// Harmless: it bears the verb `session` beside its own, and only a block may name it.
    Harmless,
    /// Harmless unless the session's path holds a function or operator of that name before the shipped one.
    HarmlessUnlessShadowed,
}

/// What rules may ask about an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// An UPDATE or DELETE without a WHERE that limits it.
    pub unbounded: Truth,
    /// Moved by COPY.
    pub copy: bool,
    /// Defines code that runs later: a function, trigger or rule.
    pub code: bool,
    /// Columns of the object that the statement may read, on whatever way.
    pub columns: Columns,
    /// Those of them whose values may reach what it returns or stores, bare or in an expression; not those that only
    /// a condition, an order, `count(c)`, `c IS NULL` or `pg_typeof(c)` reads.
    pub returned: Columns,
    /// Those of the returned whose values may reach what it stores: all that is not returned by the RETURNING of the
    /// statement itself. A statement that stores nothing stores none of them.
    pub stored: Columns,
    /// Those of them whose values the statement may reveal by what it does: which rows it picks, groups, joins or
    /// numbers, whether it fails. Comparing the bare column for equality with a constant or parameter does not count,
    /// nor does an order without a limit, nor an expression that cannot fail, whose cell is hidden where the column is.
    pub inferred: Columns,
    /// Those of them that the statement does anything else with than return or store the bare column: compares, orders,
    /// groups, counts, computes.
    pub compared: Columns,
    /// Those of the compared of which an equality, an order or a count is asked, as it is granted of a column as it is.
    pub weighed: Columns,
    /// Those of them that are written behind their relation (`t.c`): each may be a function of the row (`c(t)`), which may
    /// fail or give several rows by what it is given.
    pub behind: Columns,
}

impl Facts {
    /// Every column may be read, returned, stored, inferred and compared.
    #[must_use]
    pub fn of_all_columns() -> Self {
        let all = || Columns::All;
        Self {
            columns: all(),
            returned: all(),
            stored: all(),
            inferred: all(),
            compared: all(),
            weighed: all(),
            behind: all(),
            ..Self::default()
        }
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            unbounded: Truth::No,
            copy: false,
            code: false,
            columns: Columns::none(),
            returned: Columns::none(),
            stored: Columns::none(),
            inferred: Columns::none(),
            compared: Columns::none(),
            weighed: Columns::none(),
            behind: Columns::none(),
        }
    }
}

/// Columns of one relation, by an over-estimate: what is not named here is surely not touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Perhaps all: a star, a whole row, or something not understood.
    All,
    /// At most these.
    Named(BTreeSet<String>),
}

impl Columns {
    /// No column.
    #[must_use]
    pub const fn none() -> Self {
        Self::Named(BTreeSet::new())
    }

    /// Takes others in.
    #[cfg(feature = "sql")]
    pub(crate) fn join(&mut self, others: Self) {
        match (self, others) {
            (Self::Named(names), Self::Named(others)) => names.extend(others),
            (all, Self::All) => *all = Self::All,
            (Self::All, Self::Named(_)) => {}
        }
    }

    /// Whether the column may be among them.
    #[must_use]
    pub fn may_hold(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(column),
        }
    }

    /// Whether there may be any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }
}

impl Effect {
    /// An effect without particular facts, for which an allow is asked.
    #[must_use]
    pub fn new(verb: Verb, object: Object) -> Self {
        Self { verb, object, facts: Facts::default(), duty: Duty::Covered }
    }

    /// Whether it may bring a function that bears the name of a shipped one.
    pub(crate) fn may_define_functions(&self) -> bool {
        match self.verb {
            Verb::Create | Verb::Alter => !matches!(self.object, Object::Relation(_)) || self.facts.code,
            Verb::Admin | Verb::Unknown | Verb::Fastpath | Verb::Call | Verb::Program | Verb::Replicate => true,
            Verb::Read
            | Verb::Insert
            | Verb::Update
            | Verb::Delete
            | Verb::Truncate
            | Verb::Drop
            | Verb::Grant
            | Verb::Role
            | Verb::Set
            | Verb::File
            | Verb::Maintain
            | Verb::Lock
            | Verb::Sequence
            | Verb::Notify
            | Verb::Listen
            | Verb::Session => false,
        }
    }

    /// What is compared with a parameter of a type that somebody made is compared as that type compares: it tells more
    /// than an equality.
    #[cfg(feature = "sql")]
    pub(crate) fn compare_made_types(&mut self) {
        let Facts { inferred, weighed, .. } = &mut self.facts;
        inferred.join(weighed.clone());
    }

    /// The effect of what could not be read.
    #[must_use]
    pub fn unknown() -> Self {
        let facts = Facts { unbounded: Truth::May, ..Facts::of_all_columns() };
        Self { facts, ..Self::new(Verb::Unknown, Object::Any) }
    }
}
