//! Masks rows of `COPY … TO STDOUT` in their own format, as a stream.
//!
//! [`CopyOut`] is what a statement says of its rows: a query with the same columns, for which a server tells their
//! origins, and the format. A [`Rewriter`] takes the bytes of the copy in whatever pieces they come, and writes them
//! anew row by row: what no mask changes stays as it came, byte for byte.
//!
//! ```
//! use hoopcore::copy::{CopyOut, Rewriter};
//! use hoopcore::mask::{CellFormat, CellType, Column, Detector, Layout, MaskPlan, Origin, Style, Tally};
//!
//! let copy = CopyOut::read("COPY notes (id, body) TO STDOUT (FORMAT csv)").unwrap().unwrap();
//! assert_eq!(copy.query, "SELECT \"id\", \"body\" FROM notes");
//! let column = |kind| Column { name: "c".into(), origin: Origin::Clean, kind, format: CellFormat::Text };
//! let layout = Layout { columns: vec![column(CellType::Scalar), column(CellType::Text)] };
//! let plan = MaskPlan::new(vec![], vec![(Detector::Email, Style::Redact)], false);
//! let mut rows = plan.rows(&layout, &Tally::default());
//! let (mut rewriter, mut out) = (Rewriter::new(&copy.format, 2), Vec::new());
//! rewriter.feed(b"7,\"ask, jane@ex", &mut rows, &mut out).unwrap();
//! rewriter.feed(b"ample.com\"\n8,x\n", &mut rows, &mut out).unwrap();
//! assert_eq!(out, b"7,\"ask, [redacted]\"\n8,x\n");
//! assert!(rewriter.end().is_ok());
//! ```

mod binary;
mod csv;
mod rewriter;
mod text;

use alloc::string::String;
use alloc::vec::Vec;

pub use self::rewriter::{Broken, Rewriter};

/// What a `COPY … TO STDOUT` says of the rows that it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOut {
    /// A query with the same columns: for each a server can tell its origin and type.
    pub query: String,
    /// The query has the relation's generated columns too, which a COPY without a list of columns leaves out.
    pub without_generated: bool,
    /// How the rows are written.
    pub format: CopyFormat,
}

/// How the rows of a copy are written ([COPY, File Formats](https://www.postgresql.org/docs/current/sql-copy.html)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    /// A row a line, with backslashes before what is special.
    Text(TextFormat),
    /// Comma-separated values.
    Csv(CsvFormat),
    /// A header, rows with their lengths, a trailer.
    Binary,
}

/// The options of the text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFormat {
    /// What stands between cells.
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: Vec<u8>,
    /// Whether the first row has the names of the columns.
    pub header: bool,
}

/// The options of comma-separated values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    /// What stands between cells.
    pub delimiter: u8,
    /// What stands around a cell with something special in it.
    pub quote: u8,
    /// What stands before a quote within quotes, and before itself.
    pub escape: u8,
    /// What stands for NULL, without quotes.
    pub null: Vec<u8>,
    /// Whether the first row has the names of the columns.
    pub header: bool,
}

impl CopyOut {
    /// What a text copies to the client; `None` where it holds no `COPY … TO STDOUT`.
    ///
    /// # Errors
    /// Where it does, and its rows could not be followed: why.
    #[cfg(feature = "sql")]
    #[must_use]
    pub fn read(text: &str) -> Option<Result<Self, &'static str>> {
        crate::sql::copy_out(text)
    }
}

impl CopyFormat {
    /// Whether cells are in the binary form of their types.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        match self {
            Self::Text(_) | Self::Csv(_) => false,
            Self::Binary => true,
        }
    }
}
