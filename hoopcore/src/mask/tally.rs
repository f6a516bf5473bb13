//! Counts what left masked and what in clear, and by what.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    masked: Counter,
    clear: Counter,
    doubt: Counter,
    /// One for each column mask of the plan, in its order.
    columns: Box<[Counter]>,
    /// One for each detector that is armed.
    found: Box<[Counter]>,
    /// Whether a masker is there that counts alone.
    taken: AtomicBool,
}

/// Counts cells of all maskers.
#[derive(Debug, Default)]
struct Counter {
    /// Written by one masker alone.
    alone: AtomicU64,
    /// Written by all others that are there at the same time.
    others: AtomicU64,
}

/// What one masker counts into a tally. Nearly always it is the only one, and need not heed any other.
#[derive(Debug)]
pub(crate) struct Count {
    counters: Arc<Counters>,
    is_alone: bool,
}

impl Tally {
    /// One that tells the masks of this plan apart.
    pub(crate) fn of(plan: &MaskPlan) -> Self {
        let zeroes = |count: usize| (0..count).map(|_| Counter::default()).collect();
        let (columns, found) = (zeroes(plan.columns.len()), zeroes(plan.detectors.detectors().len()));
        Self(Arc::new(Counters { columns, found, ..Counters::default() }))
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> CellCounts {
        CellCounts { masked: self.0.masked.read(), clear: self.0.clear.read() }
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

    /// Begins to count for one more masker.
    pub(crate) fn count(&self) -> Count {
        let is_alone = !self.0.taken.swap(true, Ordering::Acquire);
        Count { counters: Arc::clone(&self.0), is_alone }
    }
}

impl Count {
    /// A cell is masked by the column mask at this place of the plan, or by the doubt where it comes from.
    pub(crate) fn masked(&mut self, by: Option<usize>) {
        self.add(&self.counters.masked);
        match by.map(|place| self.counters.columns.get(place)) {
            Some(Some(counter)) => self.add(counter),
            Some(None) => {}
            None => self.add(&self.counters.doubt),
        }
    }

    /// A cell is masked by what the detectors found in it at these places among the armed ones, a bit each; without one, by
    /// the doubt of what stands in it.
    pub(crate) fn found(&mut self, places: u64) {
        self.add(&self.counters.masked);
        if places == 0 {
            return self.add(&self.counters.doubt);
        }
        for (place, counter) in self.counters.found.iter().take(64).enumerate() {
            if places & (1 << place) != 0 {
                self.add(counter);
            }
        }
    }

    /// A cell of a protected column left in clear.
    pub(crate) fn clear(&mut self) {
        self.add(&self.counters.clear);
    }

    fn add(&self, counter: &Counter) {
        if self.is_alone {
            counter.alone.store(counter.alone.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            counter.others.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if self.is_alone {
            self.counters.taken.store(false, Ordering::Release);
        }
    }
}

impl Counter {
    fn read(&self) -> u64 {
        self.alone.load(Ordering::Relaxed).saturating_add(self.others.load(Ordering::Relaxed))
    }
}

/// What was counted, where anything was.
fn masked(counter: &Counter, by: impl FnOnce() -> MaskedBy) -> Option<MaskedCells> {
    let cells = counter.read();
    (cells > 0).then(|| MaskedCells { by: by(), cells })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_masker_counts_into_the_same_totals() {
        let tally = Tally::default();
        let (mut first, mut second) = (tally.count(), tally.count());
        first.masked(None);
        second.masked(None);
        second.clear();
        drop(first);
        let mut third = tally.count();
        assert!(third.is_alone && !second.is_alone);
        third.masked(None);
        second.masked(None);
        assert_eq!(tally.counts(), CellCounts { masked: 4, clear: 1 });
    }
}
