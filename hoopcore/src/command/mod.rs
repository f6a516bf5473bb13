//! What a caller asks for, normalised: effects on objects, and how much of it was understood.

mod asked;
mod change;
mod effect;
mod fact;
pub mod http;
pub mod kubernetes;
mod message;
#[cfg(any(feature = "kubernetes", feature = "ssh"))]
pub(crate) mod opaque;
mod run;
pub mod sql;
pub mod ssh;
mod verb;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use asked::{Asked, AskedOfSsh, AskedRequest};
pub use change::{Change, PathChange};
pub use effect::{Coverage, Effect, Effects};
pub use message::Message;
pub use run::Run;
use sha2::{Digest as _, Sha256};
pub use verb::Verbs;

#[cfg(feature = "sql")]
pub use crate::sql::Analyses;

#[cfg(feature = "sql")]
use crate::name::QualifiedName;

/// The canonical form of what was not read.
const NOT_READ: &str = "(not read)";

/// SHA-256 over the exact bytes of a command.
pub type Digest = [u8; 32];

/// One message of the caller (a batch, a request, a command line), analysed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Command(Arc<Analysed>);

#[derive(Debug)]
struct Analysed {
    text: Box<str>,
    canonical: Arc<str>,
    digest: Digest,
    effects: Arc<Effects>,
    coverage: Coverage,
}

/// One statement of SQL: what it does, and whether all of it was understood.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it does; a statement that was not understood has at least the effect `unknown`.
    pub effects: Box<[sql::Effect]>,
    /// Whether these are all its effects.
    pub coverage: Coverage,
    /// What it changes in its session.
    pub change: Change,
}

impl Statement {
    /// Whether it may bring a function that bears the name of a shipped one, otherwise than by what a function does that
    /// it calls: whoever has carried it out says so in [`SessionFacts::defines`](crate::SessionFacts::defines).
    #[must_use]
    pub fn defines_functions(&self) -> bool {
        self.asked().any(|effect| effect.verb != sql::Verb::Call && effect.may_define_functions())
    }

    /// The same with what functions do.
    pub(crate) fn may_define_functions(&self) -> bool {
        matches!(self.change, Change::Unknown) || self.asked().any(sql::Effect::may_define_functions)
    }

    fn asked(&self) -> impl Iterator<Item = &sql::Effect> {
        self.effects.iter().filter(|effect| effect.duty == sql::Duty::Covered)
    }
}

impl Command {
    /// Statements of SQL from an analysis: `canonical` is the text with its literals stripped.
    ///
    /// Whoever calls it vouches that the statements list every effect: what is not listed is not judged. For SQL
    /// there is `Command::sql`, which vouches itself.
    #[must_use]
    pub fn analysed(text: &str, canonical: Box<str>, statements: Box<[Statement]>) -> Self {
        let partial =
            statements.iter().map(|statement| &statement.coverage).find(|coverage| **coverage != Coverage::Full);
        let coverage = partial.cloned().unwrap_or(Coverage::Full);
        Self::of(text, canonical, Effects::Sql(statements), coverage)
    }

    /// A command of any protocol from an analysis: `canonical` is the text with its literals stripped.
    ///
    /// Whoever calls it vouches that every effect is listed, and that what was not understood is listed as `unknown`.
    #[must_use]
    pub fn of(text: &str, canonical: Box<str>, effects: Effects, coverage: Coverage) -> Self {
        let digest = Sha256::digest(text.as_bytes()).into();
        Self(Arc::new(Analysed {
            text: text.into(),
            canonical: canonical.into(),
            digest,
            effects: Arc::new(effects),
            coverage,
        }))
    }

    /// The same command in another text, for which the analysis is the same.
    #[cfg(feature = "sql")]
    pub(crate) fn again(&self, text: &str) -> Self {
        let Analysed { canonical, effects, coverage, .. } = &*self.0;
        let (canonical, effects, coverage) = (Arc::clone(canonical), Arc::clone(effects), coverage.clone());
        let digest = Sha256::digest(text.as_bytes()).into();
        Self(Arc::new(Analysed { text: text.into(), canonical, digest, effects, coverage }))
    }

    /// The same command, to be run with parameters of these types: another type may call another function.
    #[cfg(feature = "sql")]
    pub(crate) fn with_types(self, types: &str) -> Self {
        if types.is_empty() {
            return self;
        }
        let Analysed { text, canonical, effects, coverage, digest } = &*self.0;
        let digest = Sha256::digest([digest, types.as_bytes()].concat()).into();
        let (canonical, effects, coverage) = (Arc::clone(canonical), Arc::clone(effects), coverage.clone());
        Self(Arc::new(Analysed { text: text.clone(), canonical, digest, effects, coverage }))
    }

    /// The same command, to be run with parameters of types that somebody made: what is compared with one is compared
    /// as that type compares, so it tells more than an equality.
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn with_made_types(&self) -> Self {
        self.with_effects(|effects| effects.iter_mut().for_each(sql::Effect::compare_made_types))
    }

    /// The same command, each statement of which calls these functions besides.
    #[cfg(feature = "sql")]
    pub(crate) fn with_calls(&self, names: &[QualifiedName]) -> Self {
        let call = |name: &QualifiedName| sql::Effect::new(sql::Verb::Call, sql::Object::Function(name.clone()));
        self.with_effects(|effects| effects.extend(names.iter().map(call)))
    }

    #[cfg(feature = "sql")]
    fn with_effects(&self, change: impl Fn(&mut Vec<sql::Effect>)) -> Self {
        let Analysed { text, canonical, effects, coverage, digest } = &*self.0;
        let Effects::Sql(statements) = &**effects else { return self.clone() };
        let mut statements = statements.clone();
        for statement in &mut statements {
            let mut effects = core::mem::take(&mut statement.effects).into_vec();
            change(&mut effects);
            statement.effects = effects.into();
        }
        let effects = Arc::new(Effects::Sql(statements));
        let (text, canonical, coverage) = (text.clone(), Arc::clone(canonical), coverage.clone());
        Self(Arc::new(Analysed { text, canonical, digest: *digest, effects, coverage }))
    }

    /// Whether it runs or reads from what a name stands for (`EXECUTE`, `FETCH`), which may be something else the next time.
    #[must_use]
    pub fn stands_for_others(&self) -> bool {
        match self.what() {
            Effects::Sql(statements) => statements
                .iter()
                .flat_map(|statement| &statement.effects)
                .any(|effect| matches!(effect.object, sql::Object::Prepared(_) | sql::Object::Cursor(_))),
            Effects::Http(_) | Effects::Kubernetes(_) | Effects::Ssh(_) => false,
        }
    }

    /// A batch of PostgreSQL statements, as one simple query or one Parse message carries it.
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn sql(text: &str) -> Self {
        crate::sql::analyse(text)
    }

    /// What a replication connection of PostgreSQL sends as one simple query: a command of replication, or plain SQL where it
    /// is none.
    ///
    /// ```
    /// # use hoopcore::Command;
    /// let command = Command::replication("START_REPLICATION SLOT nightly LOGICAL 0/0");
    /// assert_eq!(command.effects()[0].to_string(), "nightly");
    /// ```
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn replication(text: &str) -> Self {
        crate::sql::replication::analyse(text)
    }

    /// A batch of statements in words that are not to be read as `Command::sql` reads them, and so not at all.
    ///
    /// Its one effect is `unknown`; nothing of the text goes into the canonical form. The text may stand for other bytes, so
    /// people's consent to it is good for one execution.
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn unread(text: &str, why: &'static str) -> Self {
        Self::analysed(text, NOT_READ.into(), Box::new([crate::sql::unknown(why)]))
    }

    /// Whether a name in the statements has characters beyond ASCII, or may have. Which such names are the same to a
    /// server, and where it cuts a long one, depends on the encoding of its database: the analysis goes by UTF-8.
    ///
    /// ```
    /// use hoopcore::Command;
    ///
    /// assert!(Command::sql("SELECT * FROM Ämter").has_names_beyond_ascii());
    /// assert!(Command::sql("SELECT nextval('ämter_id')").has_names_beyond_ascii());
    /// assert!(!Command::sql("SELECT 'Ämter' AS name").has_names_beyond_ascii());
    /// ```
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn has_names_beyond_ascii(&self) -> bool {
        let of_objects = || self.statements().iter().flat_map(|statement| &statement.effects);
        let written = !self.text().is_ascii() || self.text().contains("&\"");
        of_objects().any(|effect| !alloc::string::ToString::to_string(&effect.object).is_ascii())
            || (written && crate::sql::has_beyond_ascii(self.text()))
    }

    /// A request to an HTTP API. Whoever forwards it forwards the canonical path of its effect.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(message: &Message<'_>) -> Self {
        crate::http::analyse(message)
    }

    /// A request to a Kubernetes API server.
    #[cfg(feature = "kubernetes")]
    #[must_use]
    pub fn kubernetes(message: &Message<'_>) -> Self {
        crate::kubernetes::analyse(message)
    }

    /// What is asked of an SSH server.
    #[cfg(feature = "ssh")]
    #[must_use]
    pub fn ssh(asked: &ssh::Asked<'_>) -> Self {
        crate::ssh::analyse(asked)
    }

    /// A call of the function with this OID outside SQL: PostgreSQL's FunctionCall message.
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn fastpath(function: u32) -> Self {
        let text = alloc::format!("fastpath {function}");
        let object = sql::Object::Function(QualifiedName::bare(alloc::format!("{function}")));
        let facts = sql::Facts::of_all_columns();
        let effect = sql::Effect { facts, ..sql::Effect::new(sql::Verb::Fastpath, object) };
        let statement = Statement { effects: Box::new([effect]), coverage: Coverage::Full, change: Change::Unknown };
        Self::analysed(&text, text.as_str().into(), Box::new([statement]))
    }

    /// Whether it is in words that were not read.
    pub(crate) fn is_unread(&self) -> bool {
        self.canonical() == NOT_READ
    }

    /// Whether both are one analysis of one text.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The text as it came. It may hold secrets: never log it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The text with its literals stripped, for records and caches.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// The same, to be kept.
    pub(crate) fn shared_canonical(&self) -> Arc<str> {
        Arc::clone(&self.0.canonical)
    }

    /// SHA-256 over the exact text, and the types that `PREPARE` gives its parameters: what a grant is bound to.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// Its statements of SQL, in order; none where the text is empty or holds only comments and semicolons, and in a
    /// command of another protocol.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        match &*self.0.effects {
            Effects::Sql(statements) => statements,
            Effects::Http(_) | Effects::Kubernetes(_) | Effects::Ssh(_) => &[],
        }
    }

    /// What it does, by its protocol.
    #[must_use]
    pub fn what(&self) -> &Effects {
        &self.0.effects
    }

    /// Its effects, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect<'_>> {
        match &*self.0.effects {
            Effects::Sql(statements) => statements.iter().flat_map(|one| &one.effects).map(Effect::Sql).collect(),
            Effects::Http(effects) => effects.iter().map(Effect::Http).collect(),
            Effects::Kubernetes(effects) => effects.iter().map(Effect::Kubernetes).collect(),
            Effects::Ssh(effects) => effects.iter().map(Effect::Ssh).collect(),
        }
    }

    /// `Full` where all of it was understood, else the first reason why something was not.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.0.coverage.clone()
    }
}
