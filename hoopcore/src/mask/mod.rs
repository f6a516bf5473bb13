//! Hides values on their way back to the client.

mod layout;
mod rows;
mod style;

pub use layout::{CellFormat, CellType, Column, Layout, Origin};
pub use rows::{Cell, CellCounts, RowMasker, RowVerdict, Tally};
pub use style::Style;

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
    pub(crate) detectors: Arc<[(Detector, Style)]>,
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

/// A kind of value that is recognised by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// An e-mail address (RFC 5321 mailbox with a dotted domain).
    Email,
    /// A payment card number: 13 to 19 digits, spaces or hyphens between groups, with a valid Luhn digit.
    Card,
}

impl Detector {
    /// Every detector.
    pub const ALL: [Self; 2] = [Self::Email, Self::Card];

    /// Its name in a policy.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Card => "card",
        }
    }
}

impl MaskPlan {
    /// Whether anything is armed.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        !self.columns.is_empty() || !self.detectors.is_empty()
    }

    /// The strictest style that the column masks put on a column, if any does.
    #[must_use]
    pub fn style_of(&self, column: &ColumnName) -> Option<Style> {
        let styles: Vec<&Style> =
            self.columns.iter().filter(|mask| mask.pattern.matches(column)).map(|mask| &mask.style).collect();
        Style::strictest(styles)
    }
}
