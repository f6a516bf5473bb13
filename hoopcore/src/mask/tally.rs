//! Counts what left masked and what in clear.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

/// Cells that left masked and in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellCounts {
    /// Cells of protected columns, or with something that a detector found, that left masked.
    pub masked: u64,
    /// Cells of protected columns that left in clear: only NULLs can.
    pub clear: u64,
}

/// The counts of a passage, shared by its maskers.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    masked: AtomicU64,
    clear: AtomicU64,
}

impl Tally {
    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> CellCounts {
        CellCounts { masked: self.0.masked.load(Ordering::Relaxed), clear: self.0.clear.load(Ordering::Relaxed) }
    }

    pub(crate) fn count_masked(&self) {
        self.0.masked.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_clear(&self) {
        self.0.clear.fetch_add(1, Ordering::Relaxed);
    }
}
