//! The styles in which a value is hidden.

use alloc::vec::Vec;

/// How a value is hidden.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// The cell becomes NULL.
    Null,
    /// The value becomes `[redacted]`, where its type can carry text; else NULL.
    Redact,
    /// Only the last characters stay, the others become `*`.
    Partial {
        /// How many characters stay.
        keep: u8,
    },
}

impl Style {
    /// The strictest of several: `null > redact > partial`; two partials that differ add `redact`.
    #[must_use]
    pub fn strictest(styles: Vec<&Self>) -> Option<Self> {
        let first = (*styles.first()?).clone();
        Some(styles.into_iter().fold(first, |strictest, style| strictest.join(style)))
    }

    fn join(self, other: &Self) -> Self {
        match (&self, other) {
            (Self::Null, _) | (_, Self::Null) => Self::Null,
            (Self::Redact, _) | (_, Self::Redact) => Self::Redact,
            (Self::Partial { keep: a }, Self::Partial { keep: b }) if a == b => self,
            (Self::Partial { .. }, Self::Partial { .. }) => Self::Redact,
        }
    }
}
