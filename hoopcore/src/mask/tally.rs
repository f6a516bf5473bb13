//! Counts what left masked and what in clear, and by what.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::decision::RuleRef;
use crate::mask::{Detector, MaskPlan};

/// Cells that left masked and in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellCounts {
    /// Cells of protected columns, or with something that a detector found, that left masked.
    pub masked: u64,
    /// Cells of protected columns that left in clear: only NULLs can.
    pub clear: u64,
}

/// How many cells one thing masked. A cell in which several detectors found something counts for each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedCells {
    /// What masked them.
    pub by: MaskedBy,
    /// How many.
    pub cells: u64,
}

/// What masks a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskedBy {
    /// A column mask; of several on a cell the strictest, of equal ones the first rule by name.
    Column {
        /// The column, in the words of the rule.
        column: String,
        /// The rule.
        rule: RuleRef,
    },
    /// A detector, which found something in it.
    Detector(Detector),
    /// The doubt where its value comes from, or what stands in it.
    Doubt,
}

/// The counts of a passage, shared by its maskers.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    masked: AtomicU64,
    clear: AtomicU64,
    doubt: AtomicU64,
    /// One for each column mask of the plan, in its order.
    columns: Box<[AtomicU64]>,
    /// One for each detector that is armed.
    found: Box<[AtomicU64]>,
}

impl Tally {
    /// One that tells the masks of this plan apart.
    pub(crate) fn of(plan: &MaskPlan) -> Self {
        let zeroes = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        let (columns, found) = (zeroes(plan.columns.len()), zeroes(plan.detectors.detectors().len()));
        Self(Arc::new(Counters { columns, found, ..Counters::default() }))
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> CellCounts {
        CellCounts { masked: read(&self.0.masked), clear: read(&self.0.clear) }
    }

    /// What masked how many cells so far, by the plan that the tally was made for.
    pub(crate) fn masked_by(&self, plan: &MaskPlan) -> Vec<MaskedCells> {
        let columns = plan.columns.iter().zip(&self.0.columns).map(|(mask, counter)| {
            let by = || MaskedBy::Column { column: mask.pattern.to_string(), rule: mask.rule.clone() };
            masked(counter, by)
        });
        let found = plan.detectors.detectors().zip(&self.0.found);
        let found = found.map(|(detector, counter)| masked(counter, || MaskedBy::Detector(detector)));
        columns.chain(found).flatten().chain(masked(&self.0.doubt, || MaskedBy::Doubt)).collect()
    }

    /// A cell is masked by the column mask at this place of the plan, or by the doubt where it comes from.
    pub(crate) fn count_masked(&self, by: Option<usize>) {
        add(&self.0.masked);
        match by.map(|place| self.0.columns.get(place)) {
            Some(Some(counter)) => add(counter),
            Some(None) => {}
            None => add(&self.0.doubt),
        }
    }

    /// A cell is masked by what the detectors found in it at these places among the armed ones, a bit each; without one, by
    /// the doubt of what stands in it.
    pub(crate) fn count_found(&self, places: u64) {
        add(&self.0.masked);
        if places == 0 {
            return add(&self.0.doubt);
        }
        for (place, counter) in self.0.found.iter().take(64).enumerate() {
            if places & (1 << place) != 0 {
                add(counter);
            }
        }
    }

    pub(crate) fn count_clear(&self) {
        add(&self.0.clear);
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// What was counted, where anything was.
fn masked(counter: &AtomicU64, by: impl FnOnce() -> MaskedBy) -> Option<MaskedCells> {
    let cells = read(counter);
    (cells > 0).then(|| MaskedCells { by: by(), cells })
}
