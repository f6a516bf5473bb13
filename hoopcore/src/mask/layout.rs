//! What the rows of an answer look like: for each column its origin, type and format.

use alloc::string::String;
use alloc::vec::Vec;

use crate::name::ColumnName;

/// The columns of an answer, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The columns.
    pub columns: Vec<Column>,
}

/// One column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name that the client sees: an alias can say anything, so no mask goes by it.
    pub name: String,
    /// Where its values come from.
    pub origin: Origin,
    /// What its type can carry.
    pub kind: CellType,
    /// How its values are written.
    pub format: CellFormat,
}

/// Where texts stand in the values of a column, in the encoding of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// The whole value is a text: those of every type in text form, and those of texts in any.
    Whole,
    /// Somewhere within it, perhaps: arrays, composites and the like in binary form.
    Within,
    /// Nowhere: numbers, times and the like in binary form.
    Nowhere,
}

impl Column {
    /// Where texts stand in its values.
    pub(crate) fn texts(&self) -> Texts {
        match (self.format, self.kind) {
            (CellFormat::Text, _) | (CellFormat::Binary, CellType::Text | CellType::Json) => Texts::Whole,
            (CellFormat::Binary, CellType::Other) => Texts::Within,
            (
                CellFormat::Binary,
                CellType::Integer(_) | CellType::Uuid | CellType::Date | CellType::Timestamp | CellType::Scalar,
            ) => Texts::Nowhere,
        }
    }
}

/// Where the values of a result column come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Bare columns of relations, by their full names: several where a view passes on more than one.
    Columns(Vec<ColumnName>),
    /// A column of a relation that the adapter knows, and that carries no protected value.
    Clean,
    /// Computed: the server names no origin. Hidden where the command may read a protected column.
    Derived,
    /// A relation that the adapter does not know. Hidden where any column mask is armed.
    Unknown,
}

/// What a column's type can carry in place of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellType {
    /// Text of any content: `text`, `varchar`, `bpchar`, `name`, and the types of unknown literals.
    Text,
    /// A whole number: `int2`, `int4`, `int8`.
    Integer(Width),
    /// `uuid`
    Uuid,
    /// `date`
    Date,
    /// A date with a time of day: `timestamp`, `timestamptz`.
    Timestamp,
    /// Another type whose values are never text that a detector could find something in: other numbers and times, `bool`.
    Scalar,
    /// JSON as text: `json` in either format, `jsonb` as text or in its binary form, which is the same text after a
    /// version byte.
    Json,
    /// Anything else that may hold text in a form of its own: arrays, `bytea`, XML, composites.
    Other,
}

/// How many bytes a whole number has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// 16 bits.
    Two,
    /// 32 bits.
    Four,
    /// 64 bits.
    Eight,
}

impl Width {
    /// The same in bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::Two => 16,
            Self::Four => 32,
            Self::Eight => 64,
        }
    }
}

/// How cells are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellFormat {
    /// As text, in UTF-8.
    Text,
    /// In the type's own binary form. For `CellType::Text` it is the same bytes as text.
    Binary,
}
