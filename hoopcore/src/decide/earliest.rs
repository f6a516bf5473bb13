//! Of the rules that were found, the one that counts.

/// The place of the rule that comes first by name, of those that were found; places are in the order of the names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Earliest(u32);

impl Default for Earliest {
    /// None was found.
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Earliest {
    /// The rule at a place.
    pub(super) fn of(rule: usize) -> Self {
        Self(u32::try_from(rule).unwrap_or(u32::MAX - 1))
    }

    /// The same, or another that comes first.
    pub(super) fn or(self, other: Self) -> Self {
        self.min(other)
    }

    /// Whether one was found.
    pub(super) fn is_found(self) -> bool {
        self != Self::default()
    }

    /// Its place.
    pub(super) fn place(self) -> Option<usize> {
        self.is_found().then_some(self.0 as usize)
    }
}
