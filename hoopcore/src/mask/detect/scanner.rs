//! Runs the armed detectors over one cell.

use alloc::boxed::Box;

use crate::mask::Style;
use crate::mask::detect::findings::Findings;
use crate::mask::detect::text::Classes;
use crate::mask::detect::{Detector, Entry};

/// The shortest thing that any detector finds: `a@b.co`.
const SHORTEST: usize = 6;

/// The detectors that a policy arms, each with its style.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    armed: Box<[(Detector, Style)]>,
}

impl Scanner {
    /// A scanner for these detectors.
    pub(crate) fn new(armed: &[(Detector, Style)]) -> Self {
        Self { armed: armed.into() }
    }

    /// The style of the detector at a place.
    pub(crate) fn style(&self, by: usize) -> &Style {
        // A place that does not exist is never reported; the strictest style stands in for it.
        self.armed.get(by).map_or(&Style::Null, |(_, style)| style)
    }

    /// Whether some detector's style is stricter than `style`.
    pub(crate) fn has_stricter_than(&self, style: &Style) -> bool {
        self.armed.iter().any(|(_, armed)| armed.is_stricter_than(style))
    }

    /// Finds everything in a cell; what was found before is forgotten.
    pub(crate) fn scan(&self, cell: &[u8], findings: &mut Findings) {
        findings.clear();
        if cell.len() < SHORTEST || self.armed.is_empty() {
            return;
        }
        let present = Classes::of(cell);
        for (by, (detector, _)) in self.armed.iter().enumerate() {
            let Entry { needs, scan, .. } = detector.entry();
            if present.contains(*needs) {
                scan(cell, &mut findings.sink(by, cell.len()));
            }
        }
    }
}
