//! What detectors found in a cell, and what that cost.

use alloc::vec::Vec;

use crate::mask::Style;
use crate::mask::detect::scanner::Scanner;
use crate::mask::style::Strictest;

/// Steps that a detector may take for each byte of a cell.
const STEPS_PER_BYTE: usize = 64;

/// Steps that a detector may take in any cell.
const STEPS_ALWAYS: usize = 1024;

/// What the detectors found in one cell. Kept between cells for its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    hits: Vec<Hit>,
    exhausted: bool,
}

/// A verified match of one detector.
#[derive(Clone, Copy, Debug)]
struct Hit {
    start: usize,
    end: usize,
    /// The detector's place in the scanner.
    by: usize,
}

/// Matches that overlap, taken together: where to mask, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot<'a> {
    /// The first byte.
    pub(crate) start: usize,
    /// The byte after the last.
    pub(crate) end: usize,
    /// The strictest style of the matches.
    pub(crate) style: &'a Style,
}

/// Where one detector reports what it finds in one text.
pub(crate) struct Sink<'a> {
    findings: &'a mut Findings,
    by: usize,
    left: usize,
}

impl Findings {
    /// Forgets the cell before.
    pub(crate) fn clear(&mut self) {
        self.hits.clear();
        self.exhausted = false;
    }

    /// Whether the cell may go on as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.hits.is_empty() && !self.exhausted
    }

    /// Whether a detector gave up: then what it would have found is not known.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// The styles of all that was found.
    pub(crate) fn styles<'a>(&self, scanner: &'a Scanner) -> impl Iterator<Item = &'a Style> {
        self.hits.iter().map(|hit| scanner.style(hit.by))
    }

    /// Where to mask, in ascending order: the union of all matches.
    pub(crate) fn spots<'a>(&mut self, scanner: &'a Scanner) -> impl Iterator<Item = Spot<'a>> {
        self.hits.sort_unstable_by_key(|hit| hit.start);
        union(&self.hits, scanner)
    }

    /// Where the detector at place `by` of the scanner reports on a text of this length.
    pub(crate) fn sink(&mut self, by: usize, length: usize) -> Sink<'_> {
        Sink { findings: self, by, left: length.saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS_ALWAYS) }
    }
}

impl Sink<'_> {
    /// Reports a match.
    pub(crate) fn found(&mut self, start: usize, end: usize) {
        self.findings.hits.push(Hit { start, end, by: self.by });
    }

    /// Charges steps; `None` where too many were taken, and the detector gives up.
    pub(crate) fn spend(&mut self, steps: usize) -> Option<()> {
        match self.left.checked_sub(steps) {
            Some(left) => self.left = left,
            None => {
                self.findings.exhausted = true;
                return None;
            }
        }
        Some(())
    }
}

/// Takes overlapping hits together; they stand in ascending order.
fn union<'a>(hits: &[Hit], scanner: &'a Scanner) -> impl Iterator<Item = Spot<'a>> {
    let mut hits = hits.iter().peekable();
    core::iter::from_fn(move || {
        let first = hits.next()?;
        let mut strictest = Strictest::default();
        strictest.add(scanner.style(first.by));
        let mut end = first.end;
        while let Some(hit) = hits.next_if(|hit| hit.start < end) {
            strictest.add(scanner.style(hit.by));
            end = end.max(hit.end);
        }
        strictest.style().map(|style| Spot { start: first.start, end, style })
    })
}
