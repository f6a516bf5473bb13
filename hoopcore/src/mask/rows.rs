//! Masks rows, cell by cell.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::decision::Denial;
use crate::limit::Meter;
use crate::mask::detect::Scanner;
use crate::mask::json::Paths;
use crate::mask::rewrite::{self, Form};
use crate::mask::tally::Count;
use crate::mask::{CellFormat, CellType, Column, ColumnMask, Layout, MaskPlan, Origin, Style, Tally, Texts};

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
    count: Count,
    meter: Meter,
    /// Everything is counted, and nothing changed.
    watched: bool,
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

/// The column mask that a cell is masked by, as its place in the plan; none where it is hidden because its origin is lost.
type By = Option<usize>;

/// What becomes of the cells of one column.
#[derive(Clone, Debug)]
enum Treatment {
    /// They go on as they are.
    Pass,
    /// They become NULL, whatever they hold.
    Hide(By),
    /// The whole cell becomes what the style leaves, or what a stricter style leaves whose detector finds something.
    Whole(Style, By),
    /// The whole cell becomes another value of its type.
    Exchange(Style, CellType, CellFormat, By),
    /// What paths select in the document is masked, then what the detectors find in what is left.
    Paths(Paths, By),
    /// What the detectors find is masked within the cell.
    Scan(Form),
}

impl Treatment {
    fn of(plan: &MaskPlan, column: &Column) -> Self {
        match style_on(plan, column) {
            Some(Style::Json(_)) => Self::Paths(paths_on(plan, column), mask_on(plan, column)),
            Some(style) => Self::masked(style, column, mask_on(plan, column)),
            None if plan.detectors.is_empty() => Self::Pass,
            None => Self::scanned(column.kind),
        }
    }

    /// A protected column, with a style that its type can carry.
    fn masked(style: Style, column: &Column, by: By) -> Self {
        match (column.kind, style) {
            (_, Style::Null) | (CellType::Scalar | CellType::Json | CellType::Other, _) => Self::Hide(by),
            (CellType::Text, style) => Self::Whole(style, by),
            (CellType::Integer(_) | CellType::Uuid | CellType::Date | CellType::Timestamp, style) => {
                Self::Exchange(style, column.kind, column.format, by)
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

/// The column mask that counts where a cell is masked: the strictest, of equal ones the first.
fn mask_on(plan: &MaskPlan, column: &Column) -> By {
    let names: &[_] = if let Origin::Columns(names) = &column.origin { names } else { &[] };
    let acts = |mask: &ColumnMask| names.iter().any(|name| mask.pattern.matches(name));
    let masks = plan.columns.iter().enumerate().filter(|(_, mask)| acts(mask));
    let strictest = masks.reduce(|best, next| if next.1.style.is_stricter_than(&best.1.style) { next } else { best });
    strictest.map(|(place, _)| place)
}

impl RowMasker {
    pub(crate) fn new(plan: &MaskPlan, layout: &Layout, tally: &Tally) -> Self {
        Self {
            columns: layout.columns.iter().map(|column| Treatment::of(plan, column)).collect(),
            texts: layout.columns.iter().map(Column::texts).collect(),
            undescribed: if plan.is_armed() { Treatment::Hide(None) } else { Treatment::Pass },
            scanner: Scanner::new(plan.detectors.clone()),
            buffer: Vec::new(),
            found: Vec::new(),
            count: tally.count(),
            meter: Meter::default(),
            watched: false,
        }
    }

    /// The same where the policy is watched: what would become of a cell is counted, and it goes on as it is.
    pub(crate) fn watching(self, watched: bool) -> Self {
        Self { watched, ..self }
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
        self.count.masked(None);
    }

    /// Whether the policy is only watched: then every cell goes on as it is, one that cannot be read too.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.watched
    }

    /// What becomes of the cell in column `index` of a row, counted from zero.
    ///
    /// NULL (`None`) stays NULL and is answered with `Pass`. A cell that the layout does not describe becomes NULL
    /// where any mask is armed. What `Replace` holds is valid until the next call. Where the policy is only watched, what
    /// would become of the cell is counted, and the answer is `Pass`.
    pub fn cell(&mut self, index: usize, value: Option<&[u8]>) -> Cell<'_> {
        let watched = self.watched;
        match self.masked(index, value) {
            Cell::Null | Cell::Replace(_) if watched => Cell::Pass,
            cell => cell,
        }
    }

    /// Counts as [`RowMasker::cell`] does, and says whether the cell is masked, or would be.
    pub fn masks(&mut self, index: usize, value: Option<&[u8]>) -> bool {
        self.masked(index, value) != Cell::Pass
    }

    fn masked(&mut self, index: usize, value: Option<&[u8]>) -> Cell<'_> {
        let treatment = self.columns.get(index).unwrap_or(&self.undescribed);
        match (treatment, value) {
            (Treatment::Pass, _) | (Treatment::Scan(_), None) => Cell::Pass,
            (Treatment::Hide(_) | Treatment::Whole(..) | Treatment::Exchange(..) | Treatment::Paths(..), None) => {
                self.count.clear();
                Cell::Pass
            }
            (Treatment::Hide(by), Some(_)) => {
                self.count.masked(*by);
                Cell::Null
            }
            (Treatment::Whole(style, by), Some(value)) => {
                self.count.masked(*by);
                let style = self.scanner.strictest(style, value);
                if let Some(constant) = style.constant() {
                    return Cell::Replace(constant);
                }
                self.buffer.clear();
                written(style.write(value, &mut self.buffer), &self.buffer)
            }
            (Treatment::Exchange(style, kind, format, by), Some(value)) => {
                self.count.masked(*by);
                self.buffer.clear();
                written(style.exchange(*kind, *format, value, &mut self.buffer), &self.buffer)
            }
            (Treatment::Paths(paths, by), Some(value)) => {
                self.buffer.clear();
                let Some(changed) = paths.mask(value, &mut self.buffer) else {
                    self.count.masked(*by);
                    return Cell::Null;
                };
                self.scanner.scan(&self.buffer, Form::Json);
                if self.scanner.is_clean() {
                    if changed {
                        self.count.masked(*by);
                    }
                    return if changed { Cell::Replace(&self.buffer) } else { Cell::Pass };
                }
                if changed {
                    self.count.masked(*by);
                } else {
                    self.count.found(self.scanner.found());
                }
                self.found.clear();
                written(rewrite::masked(Form::Json, &self.buffer, &mut self.scanner, &mut self.found), &self.found)
            }
            (Treatment::Scan(form), Some(value)) => {
                self.scanner.scan(value, *form);
                if self.scanner.is_clean() {
                    return Cell::Pass;
                }
                self.count.found(self.scanner.found());
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
            Err(limit) if !self.watched => RowVerdict::Stop(limit.denial()),
            Ok(()) | Err(_) => verdict,
        }
    }
}

fn written(done: Option<()>, buffer: &[u8]) -> Cell<'_> {
    match done {
        Some(()) => Cell::Replace(buffer),
        None => Cell::Null,
    }
}
