//! Hides values on their way back to the client.
//!
//! Two mechanisms, never confused. **Columns** are the boundary: a mask rule names a column, the adapter says which
//! columns a result column comes from, and the whole cell is masked; where the origin is lost, the cell is hidden.
//! **Detectors** are a best effort on what no rule names: they find e-mail addresses, card numbers and the like by
//! their form, and what they find is masked within the cell.
//!
//! What a cell becomes depends on what its type can carry:
//!
//! | style | [`CellType::Text`] | whole numbers, UUIDs | dates, timestamps | any other type |
//! |---|---|---|---|---|
//! | `null` | NULL | NULL | NULL | NULL |
//! | `redact` | `[redacted]` | NULL | NULL | NULL |
//! | `fixed` | the rule's text | NULL | NULL | NULL |
//! | `pseudonym` | another text of the same shape | another of its type | NULL | NULL |
//! | `shift` | NULL | NULL | moved by days | NULL |
//! | `partial` | `****` and the last characters | NULL | NULL | NULL |
//!
//! [`Style::Json`] masks values within JSON, which paths select; any other type than JSON becomes NULL.
//!
//! What a detector finds is replaced where it stands in a text, and within the strings of JSON (a JSON number
//! becomes a string); in any other form of text the whole cell becomes NULL. NULL stays NULL.
//!
//! ```
//! use hoopcore::mask::{Cell, CellFormat, CellType, Column, Detector, Layout, MaskPlan, Origin, Style, Tally};
//!
//! let note = Column {
//!     name: "note".into(),
//!     origin: Origin::Clean,
//!     kind: CellType::Text,
//!     format: CellFormat::Text,
//! };
//! let plan = MaskPlan::new(vec![], vec![(Detector::Email, Style::Redact)], false);
//! let tally = Tally::default();
//! let mut rows = plan.rows(&Layout { columns: vec![note] }, &tally);
//! assert_eq!(rows.cell(0, Some(b"ask jane@example.com")), Cell::Replace(b"ask [redacted]"));
//! assert_eq!(rows.cell(0, Some(b"ask Jane")), Cell::Pass);
//! assert_eq!(tally.counts().masked, 1);
//! ```

mod detect;
mod json;
mod key;
mod layout;
mod pseudonym;
mod rewrite;
mod rows;
mod shift;
mod style;
mod tally;

pub use detect::{Detector, Finding};
pub use json::{JsonMask, JsonPath};
pub use key::{Domain, Keyring};
pub use layout::{CellFormat, CellType, Column, Layout, Origin, Texts, Width};
pub use rows::{Cell, RowMasker, RowVerdict};
pub use style::Style;
pub use tally::{CellCounts, MaskedBy, MaskedCells, Tally};

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::decision::RuleRef;
use crate::name::ColumnName;

/// A column mask that can act on an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedMask {
    /// The column, in the words of the rule or, where the relation is known, by its full name.
    pub column: String,
    /// How it is masked.
    pub style: Style,
    /// The rule that masks it.
    pub rule: RuleRef,
}

/// Which masks act on the answer to one command. Made when the command is decided.
#[derive(Clone, Debug, Default)]
pub struct MaskPlan {
    /// Column masks of the rules that may reach the caller, in the order of their rules' names.
    pub(crate) columns: Arc<[ColumnMask]>,
    /// Detectors armed, each with its style.
    pub(crate) detectors: Arc<detect::DetectorSet>,
    /// Whether the command may return a value computed from a protected column: then a cell whose origin is
    /// lost is hidden.
    pub(crate) tainted: bool,
}

/// One column pattern of a mask rule.
#[derive(Clone, Debug)]
pub struct ColumnMask {
    /// Matches the columns it protects.
    pub pattern: crate::policy::ColumnPattern,
    /// How they are masked.
    pub style: Style,
    /// The rule.
    pub rule: RuleRef,
}

impl MaskPlan {
    /// A plan of one's own, for a service that masks what no policy decided about.
    ///
    /// `tainted` says that a value computed from a protected column may be among what returns. A permit carries the
    /// plan of its decision, and no other takes its place.
    #[must_use]
    pub fn new(columns: Vec<ColumnMask>, detectors: Vec<(Detector, Style)>, tainted: bool) -> Self {
        Self { columns: columns.into(), detectors: Arc::new(detect::DetectorSet::new(detectors)), tainted }
    }

    /// Whether anything is armed.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        !self.columns.is_empty() || !self.detectors.is_empty()
    }

    /// The strictest style that the column masks put on a column, if any does.
    #[must_use]
    pub fn style_of(&self, column: &ColumnName) -> Option<Style> {
        Style::strictest(self.styles_of(column))
    }

    /// A masker for rows of this layout, which counts into `tally`.
    #[must_use]
    pub fn rows(&self, layout: &Layout, tally: &Tally) -> RowMasker {
        RowMasker::new(self, layout, tally)
    }

    pub(crate) fn styles_of(&self, column: &ColumnName) -> impl Iterator<Item = &Style> {
        self.columns.iter().filter(|mask| mask.pattern.matches(column)).map(|mask| &mask.style)
    }
}
