//! Masks rows, cell by cell.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::decision::Denial;
use crate::mask::{Layout, MaskPlan};

/// Masks the rows of one layout.
#[derive(Debug)]
pub struct RowMasker {
    tally: Tally,
}

/// What becomes of one row.
#[must_use = "a row that is stopped must not be forwarded"]
#[derive(Debug)]
pub enum RowVerdict {
    /// It goes on as it is.
    Pass,
    /// Some of its cells were replaced.
    Masked,
    /// A limit is reached: the answer ends here.
    Stop(Denial),
}

/// What becomes of one cell.
#[derive(Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// It goes on as it is.
    Pass,
    /// It becomes NULL.
    Null,
    /// It becomes these bytes, in the column's own format.
    Replace(&'a [u8]),
}

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
}

impl RowMasker {
    pub(crate) fn new(_plan: &MaskPlan, _layout: &Layout, tally: Tally) -> Self {
        Self { tally }
    }

    /// Whether every cell passes as it is: then rows need not be looked at.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        false
    }

    /// What becomes of the cell in column `index` of a row; NULL stays NULL, and so does a cell that the layout
    /// does not describe.
    pub fn cell(&mut self, _index: usize, _value: Option<&[u8]>) -> Cell<'_> {
        self.tally.0.masked.fetch_add(1, Ordering::Relaxed);
        Cell::Null
    }

    /// Masks one row in place.
    pub fn row(&mut self, cells: &mut [Option<Cow<'_, [u8]>>]) -> RowVerdict {
        for (index, cell) in cells.iter_mut().enumerate() {
            match self.cell(index, cell.as_deref()) {
                Cell::Pass => {}
                Cell::Null => *cell = None,
                Cell::Replace(bytes) => *cell = Some(Cow::Owned(bytes.to_vec())),
            }
        }
        RowVerdict::Masked
    }
}
