//! Runs the armed detectors over one cell.

use alloc::boxed::Box;

use crate::mask::Style;
use crate::mask::detect::Scan;
use crate::mask::detect::findings::{Armed, Findings, Source, Spot};
use crate::mask::detect::plain::Plain;
use crate::mask::detect::text::{Class, Makeup};
use crate::mask::detect::tokens::Tokens;
use crate::mask::rewrite::Form;
use crate::mask::style::Strictest;

/// The detectors that a policy arms, and what they found in the cell that was scanned last.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    armed: Box<[Armed]>,
    tokens: Tokens,
    findings: Findings,
    plain: Plain,
}

impl Scanner {
    /// A scanner for these detectors.
    pub(crate) fn new(armed: &[Armed]) -> Self {
        let tokens = Tokens::of(armed.iter().map(|(detector, _)| *detector));
        Self { armed: armed.into(), tokens, findings: Findings::default(), plain: Plain::default() }
    }

    /// Looks for everything in a cell; what was found before is forgotten.
    ///
    /// JSON is looked at as it reads, so that nothing found begins or ends within an escape; any other text both as
    /// it stands and as it reads.
    pub(crate) fn scan(&mut self, cell: &[u8], form: Form) {
        self.findings.clear();
        if self.armed.iter().all(|(detector, _)| cell.len() < detector.entry().shortest) {
            return;
        }
        let makeup = Makeup::of(cell);
        let Self { armed, tokens, findings, plain } = self;
        let mut look_at = |source, makeup| look_at(armed, tokens, source, makeup, findings);
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

    /// Whether only NULL hides for sure what is in the cell: a style asks for it, or the scan was given up.
    pub(crate) fn wants_null(&self) -> bool {
        self.findings.is_exhausted() || self.findings.styles(&self.armed).any(|style| *style == Style::Null)
    }

    /// Whether the scan of the cell was given up, because it would have cost too much.
    pub(crate) fn gave_up(&self) -> bool {
        self.findings.is_exhausted()
    }

    /// Where to mask, in ascending order: the union of all that was found.
    pub(crate) fn spots(&mut self) -> impl Iterator<Item = Spot<'_>> {
        self.findings.spots(&self.armed)
    }

    /// The style for a whole cell: the column's, or the strictest of the stricter ones whose detectors find something.
    pub(crate) fn strictest<'a>(&'a mut self, style: &'a Style, cell: &[u8]) -> &'a Style {
        if !self.armed.iter().any(|(_, armed)| armed.is_stricter_than(style)) {
            return style;
        }
        self.scan(cell, Form::Text);
        if self.wants_null() {
            return &Style::Null;
        }
        let mut strictest = Strictest::default();
        strictest.add(style);
        self.findings
            .styles(&self.armed)
            .filter(|found| found.is_stricter_than(style))
            .for_each(|found| strictest.add(found));
        strictest.style().unwrap_or(style)
    }
}

fn look_at(armed: &[Armed], tokens: &Tokens, source: Source<'_>, makeup: Makeup, findings: &mut Findings) {
    let text = source.text();
    for (by, (detector, _)) in armed.iter().enumerate() {
        let entry = detector.entry();
        if text.len() < entry.shortest || !makeup.may_have(entry.needs, entry.digits) {
            continue;
        }
        match entry.scan {
            Scan::Text(scan) => scan(text, &mut findings.sink(by, source)),
            Scan::Tokens(_) | Scan::AllTokens | Scan::Jwt => {}
        }
    }
    tokens.scan(text, &mut findings.sink(0, source));
}
