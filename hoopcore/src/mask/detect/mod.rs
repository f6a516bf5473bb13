//! Detectors: kinds of values that are recognised by their form.
//!
//! Each detector is one file with one [`Entry`]: how a policy names it, what it finds, an example, and the scanner
//! itself. A scanner looks at one cell at a time, reports byte offsets,
//! and charges what it does to the cell's budget, so that no cell costs more than a fixed multiple of its length.

mod card;
mod email;
mod findings;
mod plain;
mod scanner;
mod text;

use alloc::vec::Vec;
use core::ops::Range;

pub(crate) use findings::Spot;
pub(crate) use scanner::Scanner;

use crate::mask::Style;
use crate::mask::detect::findings::Sink;
use crate::mask::detect::text::Class;
use crate::mask::rewrite::Form;

/// A kind of value that is recognised by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// An e-mail address: a local part, `@` and a dotted domain.
    Email,
    /// A payment card number: an issuer's prefix, the issuer's length, a valid Luhn digit.
    Card,
}

/// What a detector found: a range of bytes.
pub type Finding = Range<usize>;

/// What there is to know about a detector.
struct Entry {
    /// Its name in a policy.
    word: &'static str,
    /// What it finds, in a line.
    about: &'static str,
    /// A text with one finding in it.
    example: &'static str,
    /// The length in bytes of the shortest thing that it finds.
    shortest: usize,
    /// Classes of bytes that all it finds has each of.
    needs: Class,
    /// How many digits all it finds has at least.
    digits: usize,
    /// Finds everything, in any order.
    scan: fn(&[u8], &mut Sink<'_>),
}

impl Detector {
    /// Every detector.
    pub const ALL: [Self; 2] = [Self::Email, Self::Card];

    /// Its name in a policy.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.entry().word
    }

    /// What it finds and what it leaves alone, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        self.entry().about
    }

    /// A text with one finding in it.
    #[must_use]
    pub fn example(self) -> &'static str {
        self.entry().example
    }

    /// Everything it finds in a text: ranges of bytes in ascending order, none overlapping another.
    ///
    /// `None` where the text costs more than the bound on work allows: then a mask hides it as a whole.
    #[must_use]
    pub fn find(self, text: &[u8]) -> Option<Vec<Finding>> {
        let mut scanner = Scanner::new(&[(self, Style::Redact)]);
        scanner.scan(text, Form::Text);
        (!scanner.gave_up()).then(|| scanner.spots().map(|spot| spot.start..spot.end).collect())
    }

    fn entry(self) -> &'static Entry {
        match self {
            Self::Email => &email::ENTRY,
            Self::Card => &card::ENTRY,
        }
    }
}
