//! An answer that is nearly always there at once.

use std::fmt;
use std::future::{Future, IntoFuture, ready};
use std::pin::Pin;

/// A future of an answer.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An answer, or a future of it where something must be waited for: for a disk, for a person.
///
/// It can be awaited like any future; who asks often looks first whether that is needed.
#[must_use = "an answer is there to be looked at"]
pub enum Soon<T> {
    /// It is there.
    Now(T),
    /// It comes later.
    Later(Later<T>),
}

impl<T> Soon<T> {
    pub(crate) fn later(answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(answer))
    }
}

impl<T: Send + 'static> IntoFuture for Soon<T> {
    type Output = T;
    type IntoFuture = Later<T>;

    fn into_future(self) -> Later<T> {
        match self {
            Self::Now(answer) => Box::pin(ready(answer)),
            Self::Later(answer) => answer,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Soon<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}
