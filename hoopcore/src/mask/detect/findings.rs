//! What detectors found in a cell, and what that cost.

use alloc::vec::Vec;

use crate::mask::Style;
use crate::mask::detect::Detector;
use crate::mask::detect::plain::Plain;
use crate::mask::style::Strictest;

/// Steps that a detector may take for each byte of a text.
const STEPS_PER_BYTE: usize = 64;

/// Steps that a detector may take in any text.
const STEPS_ALWAYS: usize = 1024;

/// A detector that a policy arms, with its style.
pub(crate) type Armed = (Detector, Style);

/// What the detectors found in one cell. Kept between cells for its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    hits: Vec<Hit>,
    exhausted: bool,
}

/// A verified match of one detector.
#[derive(Clone, Copy, Debug)]
struct Hit {
    start: u32,
    end: u32,
    /// The detector's place among the armed ones.
    by: u32,
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

/// The text that a detector looks at.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// The cell itself.
    Cell(&'a [u8]),
    /// A plain copy of it.
    Copy(&'a Plain),
}

/// Where one detector reports what it finds in one text.
pub(crate) struct Sink<'a> {
    findings: &'a mut Findings,
    source: Source<'a>,
    by: usize,
    steps_left: usize,
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
    pub(crate) fn styles<'a>(&self, armed: &'a [Armed]) -> impl Iterator<Item = &'a Style> {
        self.hits.iter().map(|hit| style_of(armed, *hit))
    }

    /// The place of each match's detector among the armed ones.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        self.hits.iter().map(|hit| hit.by)
    }

    /// Where to mask, in ascending order: the union of all matches.
    pub(crate) fn spots<'a>(&mut self, armed: &'a [Armed]) -> impl Iterator<Item = Spot<'a>> {
        self.hits.sort_unstable_by_key(|hit| hit.start);
        union(&self.hits, armed)
    }

    /// Where the detector at place `by` among the armed ones reports on a text.
    pub(crate) fn sink<'a>(&'a mut self, by: usize, source: Source<'a>) -> Sink<'a> {
        let steps_left = source.text().len().saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS_ALWAYS);
        Sink { findings: self, source, by, steps_left }
    }
}

impl<'a> Source<'a> {
    /// The text.
    pub(crate) fn text(self) -> &'a [u8] {
        match self {
            Self::Cell(cell) => cell,
            Self::Copy(plain) => plain.text(),
        }
    }

    /// Where a range of the text is in the cell.
    fn in_cell(self, start: usize, end: usize) -> (usize, usize) {
        match self {
            // What stands after a backslash is masked with it: a backslash alone would escape what follows.
            Self::Cell(cell) => {
                let before = cell.get(..start).unwrap_or_default();
                (start - before.iter().rev().take_while(|byte| **byte == b'\\').count(), end)
            }
            Self::Copy(plain) => (plain.origin_of(start), plain.origin_of(end)),
        }
    }
}

impl Sink<'_> {
    /// Reports a match.
    pub(crate) fn found(&mut self, start: usize, end: usize) {
        self.found_by(self.by, start, end);
    }

    /// Reports a match of the detector at place `by` among the armed ones.
    pub(crate) fn found_by(&mut self, by: usize, start: usize, end: usize) {
        let (start, end) = self.source.in_cell(start, end);
        match (u32::try_from(start), u32::try_from(end), u32::try_from(by)) {
            (Ok(start), Ok(end), Ok(by)) => self.findings.hits.push(Hit { start, end, by }),
            _ => self.findings.exhausted = true,
        }
    }

    /// Charges steps; `None` where too many were taken, and the detector gives up.
    #[must_use]
    pub(crate) fn spend(&mut self, steps: usize) -> Option<()> {
        let left = self.steps_left.checked_sub(steps);
        self.findings.exhausted |= left.is_none();
        self.steps_left = left?;
        Some(())
    }
}

/// Takes overlapping hits together; they stand in ascending order.
fn union<'a>(hits: &[Hit], armed: &'a [Armed]) -> impl Iterator<Item = Spot<'a>> {
    let mut hits = hits.iter().peekable();
    core::iter::from_fn(move || {
        let first = hits.next()?;
        let mut strictest = Strictest::default();
        strictest.add(style_of(armed, *first));
        let mut end = first.end;
        while let Some(hit) = hits.next_if(|hit| hit.start < end) {
            strictest.add(style_of(armed, *hit));
            end = end.max(hit.end);
        }
        strictest.style().map(|style| Spot { start: first.start as usize, end: end as usize, style })
    })
}

/// The style of the detector that found something. A place that does not exist is never reported.
fn style_of(armed: &[Armed], hit: Hit) -> &Style {
    armed.get(hit.by as usize).map_or(&Style::Null, |(_, style)| style)
}
