//! Strong Kleene logic: what is not known is neither true nor false.

/// Whether something holds: surely, surely not, or perhaps.
///
/// The order is by certainty of holding, so that "and" is the minimum and "or" the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// Surely not.
    No,
    /// Not known: it may hold.
    May,
    /// Surely.
    Yes,
}

impl Truth {
    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }

    /// It does not hold; what is unknown stays unknown.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::May => Self::May,
            Self::Yes => Self::No,
        }
    }

    /// Whether it holds for sure: what an allow needs.
    #[must_use]
    pub fn is_sure(self) -> bool {
        self == Self::Yes
    }

    /// Whether it may hold: what a block or a mask needs.
    #[must_use]
    pub fn is_possible(self) -> bool {
        self != Self::No
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}
