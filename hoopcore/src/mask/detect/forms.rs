//! Numbers that states and banks give out: a fixed form, and a check that most other numbers of that form fail.
//!
//! All armed ones are looked for in one pass over the words of a text.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::findings::Sink;
use super::text::{Class, byte_at, byte_before, ends_word, follows};
use super::{Detector, Scan};

/// The longest form, without what stands between its groups.
const LONGEST: usize = 20;

/// One form of a number.
#[derive(Debug)]
pub(super) struct Form {
    /// `9` for a digit, `A` for a letter; anything else is itself.
    text: &'static str,
    /// Words of which one must stand shortly before, where the form alone says too little.
    words: &'static [&'static str],
    /// Whether the letters (in upper case) and digits pass the check.
    holds: fn(&[u8]) -> bool,
}

impl Form {
    pub(super) const fn new(text: &'static str, holds: fn(&[u8]) -> bool) -> Self {
        Self { text, words: &[], holds }
    }

    pub(super) const fn after(text: &'static str, words: &'static [&'static str], holds: fn(&[u8]) -> bool) -> Self {
        Self { text, words, holds }
    }

    /// How the form begins: with so many digits, or with so many letters.
    fn lead(&self) -> Lead {
        let text = self.text.as_bytes();
        let length = |kind| text.iter().take_while(|byte| **byte == kind).count();
        match length(b'9') {
            0 => Lead::Letters(length(b'A')),
            digits => Lead::Digits(digits),
        }
    }

    /// Where a number of the form ends that begins at `start`, if it passes the check.
    fn end_at(&self, text: &[u8], start: usize) -> Option<usize> {
        let mut characters = [0; LONGEST];
        let mut left = characters.iter_mut();
        let number = text.get(start..start + self.text.len())?;
        for (byte, kind) in number.iter().zip(self.text.bytes()) {
            match kind {
                b'9' if byte.is_ascii_digit() => *left.next()? = *byte,
                b'A' if byte.is_ascii_alphabetic() => *left.next()? = byte.to_ascii_uppercase(),
                b'9' | b'A' => return None,
                other if other == *byte => {}
                _ => return None,
            }
        }
        let length = LONGEST - left.len();
        (self.holds)(characters.get(..length)?).then_some(start + self.text.len())
    }
}

/// How a word begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Digits(usize),
    Letters(usize),
}

impl Lead {
    fn of(text: &[u8], start: usize) -> Self {
        match Class::DIGIT.end(text, start) - start {
            0 => Self::Letters(LETTER.end(text, start) - start),
            digits => Self::Digits(digits),
        }
    }

    /// A set with this lead alone; leads longer than any form's are in none.
    fn bit(self) -> u64 {
        match self {
            Self::Digits(length) => 1_u64.checked_shl(u32::try_from(length).unwrap_or(u32::MAX)).unwrap_or(0) << 32,
            Self::Letters(length) if length < 32 => 1 << length,
            Self::Letters(_) => 0,
        }
    }
}

const LETTER: Class = Class::UPPER.or(Class::A_TO_F).or(Class::G_TO_Z);

/// The forms that a policy arms.
#[derive(Clone, Debug, Default)]
pub(super) struct Forms {
    /// Each form with how it begins and the place of its detector among the armed ones.
    armed: Box<[(Lead, &'static Form, usize)]>,
    /// How the forms begin, as a set.
    leads: u64,
    /// How many digits the one with the fewest has.
    digits: usize,
}

impl Forms {
    /// The forms of these detectors.
    pub(super) fn of(detectors: impl Iterator<Item = Detector>) -> Self {
        let mut armed = Vec::new();
        let mut digits = usize::MAX;
        for (by, detector) in detectors.enumerate() {
            let entry = detector.entry();
            if let Scan::Forms(forms) = entry.scan {
                armed.extend(forms.iter().map(|form| (form.lead(), form, by)));
                digits = digits.min(entry.digits);
            }
        }
        Self { leads: armed.iter().fold(0, |all, (lead, _, _)| all | lead.bit()), armed: armed.into(), digits }
    }

    /// How many digits a text has at least that one of the forms is in.
    pub(super) fn digits(&self) -> usize {
        self.digits
    }

    /// Finds every number.
    pub(super) fn scan(&self, text: &[u8], sink: &mut Sink<'_>) {
        let mut at = 0;
        while let Some(start) = next_word(text, at) {
            at = Class::WORD.end(text, start);
            if self.scan_word(text, start, sink).is_none() {
                return;
            }
        }
    }

    /// Finds every number that begins with a word.
    fn scan_word(&self, text: &[u8], start: usize, sink: &mut Sink<'_>) -> Option<()> {
        // The letter of an escape is no part of the word.
        let start = if byte_before(text, start) == Some(b'\\') { start + 1 } else { start };
        let lead = Lead::of(text, start);
        sink.spend(1)?;
        if self.leads & lead.bit() == 0 || continues_before(text, start) {
            return Some(());
        }
        for (_, form, by) in self.armed.iter().filter(|(begins, _, _)| *begins == lead) {
            sink.spend(1)?;
            let Some(end) = form.end_at(text, start).filter(|end| ends_word(text, *end)) else { continue };
            if !continues_after(text, end) && (form.words.is_empty() || follows(text, start, form.words)) {
                sink.found_by(*by, start, end);
            }
        }
        Some(())
    }
}

/// Whether a place is within a longer number: digits and a hyphen, dot or slash stand before.
fn continues_before(text: &[u8], start: usize) -> bool {
    matches!(byte_before(text, start), Some(b'-' | b'.' | b'/'))
        && byte_before(text, start - 1).is_some_and(|byte| byte.is_ascii_digit())
}

/// Whether a number goes on after a place: a hyphen, dot or slash and a digit follow.
fn continues_after(text: &[u8], end: usize) -> bool {
    matches!(byte_at(text, end), Some(b'-' | b'.' | b'/'))
        && byte_at(text, end + 1).is_some_and(|byte| byte.is_ascii_digit())
}

fn next_word(text: &[u8], from: usize) -> Option<usize> {
    let skipped = text.get(from..)?.iter().position(|byte| Class::WORD.has(*byte))?;
    Some(from + skipped)
}
