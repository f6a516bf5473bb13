//! Runs the armed detectors over one cell.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::mask::Style;
use crate::mask::detect::findings::{Armed, Findings, Source, Spot};
use crate::mask::detect::forms::Forms;
use crate::mask::detect::plain::Plain;
use crate::mask::detect::text::{Class, Makeup};
use crate::mask::detect::tokens::Tokens;
use crate::mask::detect::{Detector, Scan};
use crate::mask::rewrite::Form;
use crate::mask::style::Strictest;

/// The detectors that a policy arms, each with its style: made once, shared by all scanners.
#[derive(Clone, Debug, Default)]
pub(crate) struct DetectorSet {
    armed: Box<[Armed]>,
    forms: Forms,
    tokens: Tokens,
}

impl DetectorSet {
    /// These detectors.
    pub(crate) fn new(armed: Vec<Armed>) -> Self {
        let detectors = || armed.iter().map(|(detector, _)| *detector);
        Self { forms: Forms::of(detectors()), tokens: Tokens::of(detectors()), armed: armed.into() }
    }

    fn look_at(&self, source: Source<'_>, makeup: Makeup, findings: &mut Findings) {
        let text = source.text();
        for (by, (detector, _)) in self.armed.iter().enumerate() {
            let entry = detector.entry();
            if text.len() < entry.shortest || !makeup.may_have(entry.needs, entry.digits) {
                continue;
            }
            match entry.scan {
                Scan::Text(scan) => scan(text, &mut findings.sink(by, source)),
                Scan::Forms(_) | Scan::Tokens(_) | Scan::AllTokens | Scan::Jwt => {}
            }
        }
        if makeup.may_have(Class::DIGIT, self.forms.digits()) {
            self.forms.scan(text, &mut findings.sink(0, source));
        }
        self.tokens.scan(text, &mut findings.sink(0, source));
    }

    /// The detectors that are armed, in their order.
    pub(crate) fn detectors(&self) -> impl ExactSizeIterator<Item = Detector> {
        self.armed.iter().map(|(detector, _)| *detector)
    }

    /// Whether no detector is armed.
    pub(crate) fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }
}

/// Looks for what detectors find, one cell at a time.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    detectors: Arc<DetectorSet>,
    findings: Findings,
    plain: Plain,
}

impl Scanner {
    /// A scanner with these detectors.
    pub(crate) fn new(detectors: Arc<DetectorSet>) -> Self {
        Self { detectors, findings: Findings::default(), plain: Plain::default() }
    }

    /// Looks for everything in a cell; what was found before is forgotten.
    ///
    /// JSON is looked at as it reads, so that nothing found begins or ends within an escape; any other text both as
    /// it stands and as it reads.
    pub(crate) fn scan(&mut self, cell: &[u8], form: Form) {
        self.findings.clear();
        if self.detectors.armed.iter().all(|(detector, _)| cell.len() < detector.entry().shortest) {
            return;
        }
        let makeup = Makeup::of(cell);
        let Self { detectors, findings, plain } = self;
        let mut look_at = |source, makeup| detectors.look_at(source, makeup, findings);
        let copy = if makeup.may_have(Class::READS_OTHERWISE, 0) { plain.read(cell) } else { None };
        if copy.is_none() || form != Form::Json {
            look_at(Source::Cell(cell), makeup);
        }
        if let Some(copy) = copy {
            look_at(Source::Copy(copy), Makeup::of(copy.text()));
        }
    }

    /// Whether the cell may go on as it is.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The places among the armed detectors of those that found something, a bit each: a policy arms fewer than 64.
    pub(crate) fn found(&self) -> u64 {
        self.findings.places().fold(0, |found, place| found | 1_u64.checked_shl(place).unwrap_or(0))
    }

    /// Whether only NULL hides for sure what is in the cell: a style asks for it, or the scan was given up.
    pub(crate) fn wants_null(&self) -> bool {
        self.findings.is_exhausted() || self.findings.styles(&self.detectors.armed).any(|style| *style == Style::Null)
    }

    /// Whether the scan of the cell was given up, because it would have cost too much.
    pub(crate) fn gave_up(&self) -> bool {
        self.findings.is_exhausted()
    }

    /// Where to mask, in ascending order: the union of all that was found.
    pub(crate) fn spots(&mut self) -> impl Iterator<Item = Spot<'_>> {
        self.findings.spots(&self.detectors.armed)
    }

    /// The style for a whole cell: the column's, or the strictest of the stricter ones whose detectors find something.
    pub(crate) fn strictest<'a>(&'a mut self, style: &'a Style, cell: &[u8]) -> &'a Style {
        if !self.detectors.armed.iter().any(|(_, armed)| armed.is_stricter_than(style)) {
            return style;
        }
        self.scan(cell, Form::Text);
        if self.wants_null() {
            return &Style::Null;
        }
        let mut strictest = Strictest::default();
        strictest.add(style);
        self.findings
            .styles(&self.detectors.armed)
            .filter(|found| found.is_stricter_than(style))
            .for_each(|found| strictest.add(found));
        strictest.style().unwrap_or(style)
    }
}
