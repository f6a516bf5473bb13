//! Masks of paths in JSON: what a path selects is replaced, all else of the document stays byte for byte.
//!
//! A document that cannot be followed, because it is malformed or nested too deep, is hidden as a whole.

mod path;
mod walk;

pub use path::JsonPath;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{CellFormat, Style};

/// A path, and how what it selects is hidden.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonMask {
    /// Selects values of a document: every one that bears the name, where a name stands more than once.
    pub path: JsonPath,
    /// How they are hidden. A style that leaves a text leaves a JSON string, `null` leaves `null`.
    pub style: Style,
}

/// All masks on the documents of one column.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    masks: Box<[JsonMask]>,
    format: CellFormat,
}

impl Paths {
    pub(crate) fn new<'a>(masks: impl Iterator<Item = &'a JsonMask>, format: CellFormat) -> Self {
        Self { masks: masks.cloned().collect(), format }
    }

    /// Writes a document anew where something of it is masked, and says whether that is so; `None` where only hiding all
    /// of it is safe.
    pub(crate) fn mask(&self, document: &[u8], out: &mut Vec<u8>) -> Option<bool> {
        // Binary `jsonb` has the number of its version before the text.
        let versioned = self.format == CellFormat::Binary && document.first() == Some(&1);
        walk::mask(&self.masks, document, usize::from(versioned), out)
    }
}
