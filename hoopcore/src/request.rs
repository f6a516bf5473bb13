//! What is asked: who calls, on what, and the call itself with what is known of its session.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use jiff::Timestamp;

use crate::command::Command;
use crate::identity::{Identity, Verified};
use crate::limit::Rates;
use crate::name::{ColumnName, QualifiedName};
use crate::parameters::Parameters;
use crate::policy::ColumnPattern;
use crate::resource::Resource;

/// One question to a policy.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who calls.
    pub who: &'a Verified<Identity>,
    /// On what.
    pub on: &'a Resource,
    /// What is asked for.
    pub call: Call<'a>,
}

/// A command and the circumstances in which it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The command, analysed.
    pub command: &'a Command,
    /// What is known of the session that it runs in.
    pub session: &'a SessionFacts,
    /// Values bound to the command's parameters; `None` where they are not known.
    pub parameters: Option<&'a dyn Parameters>,
    /// Where the caller's connection comes from, where that is known.
    pub source: Option<IpAddr>,
    /// The time of the call.
    pub now: Timestamp,
    /// What counts commands, where a rule limits how many are permitted per minute.
    pub rates: Rates<'a>,
}

impl<'a> Call<'a> {
    /// A call without parameters from an unknown source, which nothing counts.
    #[must_use]
    pub fn new(command: &'a Command, session: &'a SessionFacts, now: Timestamp) -> Self {
        Self { command, session, parameters: None, source: None, now, rates: Rates::Uncounted }
    }
}

/// What is known of the session that a command runs in.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Schemas that an unqualified name is looked up in, in order, without `pg_catalog`, which comes first.
    /// Empty means: not known.
    pub search_path: Vec<String>,
    /// Functions and operators of other schemas that bear the name of one in `pg_catalog`.
    pub shadows: Arc<BTreeSet<String>>,
    /// Functions may have been made that `shadows` does not know: any function of `pg_catalog` may be shadowed.
    pub defines: bool,
    /// What statements prepared by SQL do, by name.
    pub prepared: BTreeMap<String, Command>,
    /// What cursors declared by SQL return, by name.
    pub cursors: BTreeMap<String, Command>,
    /// Where protected values can be read from.
    pub exposures: Exposures,
}

impl Default for SessionFacts {
    /// A fresh session with the path `public`, nothing shadowed and nothing prepared.
    fn default() -> Self {
        Self {
            search_path: vec![String::from("public")],
            shadows: Arc::default(),
            defines: false,
            prepared: BTreeMap::new(),
            cursors: BTreeMap::new(),
            exposures: Exposures::Assumed,
        }
    }
}

/// Where the values of protected columns can be read from.
#[derive(Clone, Debug, Default)]
pub enum Exposures {
    /// Not looked up: a rule's column names are taken at their word, by name.
    #[default]
    Assumed,
    /// What the catalog says: every column that carries a protected column's value, the protected ones included,
    /// and views, partitions and materialized copies of them. Where it is empty no column mask can act.
    Known(Arc<[Exposure]>),
    /// The catalog was not asked yet about the columns that the rules protect now: any relation may carry any of them,
    /// and whatever reads one is refused where a column mask stands.
    Unknown,
}

impl Exposures {
    /// What is known of the columns that are protected `now`, where this was found out for those protected `before`.
    #[must_use]
    pub fn of_others(self, before: &[ColumnPattern], now: &[ColumnPattern]) -> Self {
        match self {
            Self::Assumed => Self::Assumed,
            Self::Known(exposures) if now.iter().all(|pattern| before.contains(pattern)) => Self::Known(exposures),
            Self::Known(_) | Self::Unknown => Self::Unknown,
        }
    }
}

/// How the value of a protected column is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// As it is.
    Column,
    /// Within what a view or a generated column computes, or among values from elsewhere.
    Computed,
    /// By no column but a function of the row, which can be written like one (`t.f` for `f(t)`).
    Function,
}

/// A column through which a protected column's value can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The relation that a statement names.
    pub relation: QualifiedName,
    /// Its column; `None` where any of its columns may carry the value.
    pub column: Option<String>,
    /// How it carries the value.
    pub carrier: Carrier,
    /// The protected column whose value it is.
    pub exposes: ColumnName,
}
