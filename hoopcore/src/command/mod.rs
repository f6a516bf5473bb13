//! What a caller asks for, normalised: effects on objects, and how much of it was understood.

mod change;
mod effect;

use alloc::boxed::Box;
use alloc::sync::Arc;

pub use change::{Change, PathChange};
pub use effect::{Columns, Coverage, Duty, Effect, Facts, Object, Verb};
use sha2::{Digest as _, Sha256};

#[cfg(feature = "sql")]
use crate::name::QualifiedName;

/// SHA-256 over the exact bytes of a command.
pub type Digest = [u8; 32];

/// One message of the caller (a batch, a request, a command line), analysed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Command(Arc<Analysed>);

#[derive(Debug)]
struct Analysed {
    text: Box<str>,
    canonical: Box<str>,
    digest: Digest,
    statements: Box<[Statement]>,
}

/// One statement of a command: what it does, and whether all of it was understood.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it does; a statement that was not understood has at least the effect `unknown`.
    pub effects: Box<[Effect]>,
    /// Whether these are all its effects.
    pub coverage: Coverage,
    /// What it changes in its session.
    pub change: Change,
}

impl Command {
    /// A command from an analysis: `canonical` is the text with its literals stripped.
    ///
    /// Whoever calls it vouches that the statements list every effect: what is not listed is not judged. For SQL
    /// there is `Command::sql`, which vouches itself.
    #[must_use]
    pub fn analysed(text: &str, canonical: Box<str>, statements: Box<[Statement]>) -> Self {
        let digest = Sha256::digest(text.as_bytes()).into();
        Self(Arc::new(Analysed { text: text.into(), canonical, digest, statements }))
    }

    /// A batch of PostgreSQL statements, as one simple query or one Parse message carries it.
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn sql(text: &str) -> Self {
        crate::sql::analyse(text)
    }

    /// A call of the function with this OID outside SQL: PostgreSQL's FunctionCall message.
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn fastpath(function: u32) -> Self {
        let text = alloc::format!("fastpath {function}");
        let object = Object::Function(QualifiedName::bare(alloc::format!("{function}")));
        let facts = Facts::of_all_columns();
        let effect = Effect { facts, ..Effect::new(Verb::Fastpath, object) };
        let statement = Statement { effects: Box::new([effect]), coverage: Coverage::Full, change: Change::Unknown };
        Self::analysed(&text, text.as_str().into(), Box::new([statement]))
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

    /// SHA-256 over the exact text: what a grant is bound to.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// Its statements, in order; none where the text is empty or holds only comments and semicolons.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.0.statements
    }

    /// The effects of all its statements, in order.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.0.statements.iter().flat_map(|statement| statement.effects.iter())
    }

    /// `Full` where every statement was understood, else the first reason why one was not.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.0
            .statements
            .iter()
            .map(|statement| statement.coverage.clone())
            .find(|coverage| *coverage != Coverage::Full)
            .unwrap_or(Coverage::Full)
    }
}
