//! Masks rows, cell by cell.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::decision::Denial;
use crate::limit::Meter;
use crate::mask::detect::Scanner;
use crate::mask::json::Paths;
use crate::mask::rewrite::{self, Form};
use crate::mask::{CellFormat, CellType, Column, Layout, MaskPlan, Origin, Style, Tally, Texts};

/// Masks the rows of one layout.
///
/// What becomes of each column is settled once, when the masker is made; then a cell costs no allocation.
#[derive(Debug)]
pub struct RowMasker {
    columns: Box<[Treatment]>,
    /// Where texts stand in the cells of each column.
    texts: Box<[Texts]>,
    /// A cell that the layout does not describe.
    undescribed: Treatment,
    scanner: Scanner,
    buffer: Vec<u8>,
    /// What detectors leave of what paths leave.
    found: Vec<u8>,
    tally: Tally,
    meter: Meter,
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

/// What becomes of the cells of one column.
#[derive(Clone, Debug)]
enum Treatment {
    /// They go on as they are.
    Pass,
    /// They become NULL, whatever they hold.
    Hide,
    /// The whole cell becomes what the style leaves, or what a stricter style leaves whose detector finds something.
    Whole(Style),
    /// The whole cell becomes another value of its type.
    Exchange(Style, CellType, CellFormat),
    /// What paths select in the document is masked, then what the detectors find in what is left.
    Paths(Paths),
    /// What the detectors find is masked within the cell.
    Scan(Form),
}

impl Treatment {
    fn of(plan: &MaskPlan, column: &Column) -> Self {
        match style_on(plan, column) {
            Some(Style::Json(_)) => Self::Paths(paths_on(plan, column)),
            Some(style) => Self::masked(style, column),
            None if plan.detectors.is_empty() => Self::Pass,
            None => Self::scanned(column.kind),
        }
    }

    /// A protected column, with a style that its type can carry.
    fn masked(style: Style, column: &Column) -> Self {
        match (column.kind, style) {
            (_, Style::Null) | (CellType::Scalar | CellType::Json | CellType::Other, _) => Self::Hide,
            (CellType::Text, style) => Self::Whole(style),
            (CellType::Integer(_) | CellType::Uuid | CellType::Date | CellType::Timestamp, style) => {
                Self::Exchange(style, column.kind, column.format)
            }
        }
    }

    fn scanned(kind: CellType) -> Self {
        match kind {
            CellType::Text => Self::Scan(Form::Text),
            CellType::Json => Self::Scan(Form::Json),
            CellType::Other => Self::Scan(Form::Opaque),
            CellType::Integer(_) | CellType::Uuid | CellType::Date | CellType::Timestamp | CellType::Scalar => {
                Self::Pass
            }
        }
    }
}

/// The masks of paths in a column of JSON, of all rules that have some.
fn paths_on(plan: &MaskPlan, column: &Column) -> Paths {
    let names: &[_] = if let Origin::Columns(names) = &column.origin { names } else { &[] };
    let masks = names.iter().flat_map(|name| plan.styles_of(name)).filter_map(|style| match style {
        Style::Json(masks) => Some(masks),
        Style::Null
        | Style::Redact
        | Style::Fixed(_)
        | Style::Pseudonym(_)
        | Style::Shift(_)
        | Style::Partial { .. } => None,
    });
    Paths::new(masks.flat_map(|masks| masks.iter()), column.format)
}

/// The style that column masks put on a result column, by where its values come from.
fn style_on(plan: &MaskPlan, column: &Column) -> Option<Style> {
    match &column.origin {
        Origin::Columns(names) if !names.is_empty() => {
            Style::strictest_on(column.kind, names.iter().flat_map(|name| plan.styles_of(name)))
        }
        Origin::Columns(_) | Origin::Unknown => (!plan.columns.is_empty()).then_some(Style::Null),
        Origin::Derived => plan.tainted.then_some(Style::Null),
        Origin::Clean => None,
    }
}

impl RowMasker {
    pub(crate) fn new(plan: &MaskPlan, layout: &Layout, tally: Tally) -> Self {
        Self {
            columns: layout.columns.iter().map(|column| Treatment::of(plan, column)).collect(),
            texts: layout.columns.iter().map(Column::texts).collect(),
            undescribed: if plan.is_armed() { Treatment::Hide } else { Treatment::Pass },
            scanner: Scanner::new(plan.detectors.clone()),
            buffer: Vec::new(),
            found: Vec::new(),
            tally,
            meter: Meter::default(),
        }
    }

    /// The same, with a meter that each whole row is charged to.
    pub(crate) fn with_meter(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// Whether every cell that the layout describes passes as it is: then rows need not be looked at.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.columns.iter().all(|column| matches!(column, Treatment::Pass))
    }

    /// Whether every cell in column `index` passes as it is: then it need not be looked at.
    #[must_use]
    #[inline]
    pub fn passes(&self, index: usize) -> bool {
        matches!(self.columns.get(index).unwrap_or(&self.undescribed), Treatment::Pass)
    }

    /// Where texts stand in the cells of column `index`, in the encoding of the session. Masks are made for UTF-8: where that
    /// is another, the adapter turns a text before it is masked, and what comes of it back.
    #[must_use]
    pub fn texts(&self, index: usize) -> Texts {
        self.texts.get(index).copied().unwrap_or(Texts::Whole)
    }

    /// Counts a cell that the adapter hides, because it cannot be read or its mask cannot be written.
    pub fn hide(&mut self) {
        self.tally.count_masked();
    }

    /// What becomes of the cell in column `index` of a row, counted from zero.
    ///
    /// NULL (`None`) stays NULL and is answered with `Pass`. A cell that the layout does not describe becomes NULL
    /// where any mask is armed. What `Replace` holds is valid until the next call.
    pub fn cell(&mut self, index: usize, value: Option<&[u8]>) -> Cell<'_> {
        let treatment = self.columns.get(index).unwrap_or(&self.undescribed);
        match (treatment, value) {
            (Treatment::Pass, _) | (Treatment::Scan(_), None) => Cell::Pass,
            (Treatment::Hide | Treatment::Whole(_) | Treatment::Exchange(..) | Treatment::Paths(_), None) => {
                self.tally.count_clear();
                Cell::Pass
            }
            (Treatment::Hide, Some(_)) => {
                self.tally.count_masked();
                Cell::Null
            }
            (Treatment::Whole(style), Some(value)) => {
                self.tally.count_masked();
                self.buffer.clear();
                let style = self.scanner.strictest(style, value);
                written(style.write(value, &mut self.buffer), &self.buffer)
            }
            (Treatment::Exchange(style, kind, format), Some(value)) => {
                self.tally.count_masked();
                self.buffer.clear();
                written(style.exchange(*kind, *format, value, &mut self.buffer), &self.buffer)
            }
            (Treatment::Paths(paths), Some(value)) => {
                self.buffer.clear();
                let Some(changed) = paths.mask(value, &mut self.buffer) else {
                    self.tally.count_masked();
                    return Cell::Null;
                };
                self.scanner.scan(&self.buffer, Form::Json);
                if self.scanner.is_clean() {
                    if changed {
                        self.tally.count_masked();
                    }
                    return if changed { Cell::Replace(&self.buffer) } else { Cell::Pass };
                }
                self.tally.count_masked();
                self.found.clear();
                written(rewrite::masked(Form::Json, &self.buffer, &mut self.scanner, &mut self.found), &self.found)
            }
            (Treatment::Scan(form), Some(value)) => {
                self.scanner.scan(value, *form);
                if self.scanner.is_clean() {
                    return Cell::Pass;
                }
                self.tally.count_masked();
                self.buffer.clear();
                written(rewrite::masked(*form, value, &mut self.scanner, &mut self.buffer), &self.buffer)
            }
        }
    }

    /// Masks one row in place, and counts it against the limits: a row that is stopped, and all after it, must not go
    /// on.
    pub fn row(&mut self, cells: &mut [Option<Cow<'_, [u8]>>]) -> RowVerdict {
        let mut verdict = RowVerdict::Pass;
        for (index, cell) in cells.iter_mut().enumerate() {
            let masked = match self.cell(index, cell.as_deref()) {
                Cell::Pass => continue,
                Cell::Null => None,
                Cell::Replace(bytes) => Some(Cow::Owned(bytes.to_vec())),
            };
            *cell = masked;
            verdict = RowVerdict::Masked;
        }
        match self.meter.row(cells.iter().flatten().map(|cell| cell.len() as u64).sum()) {
            Ok(()) => verdict,
            Err(limit) => RowVerdict::Stop(limit.denial()),
        }
    }
}

fn written(done: Option<()>, buffer: &[u8]) -> Cell<'_> {
    match done {
        Some(()) => Cell::Replace(buffer),
        None => Cell::Null,
    }
}
