//! Bytes and characters as detectors see them.

use core::ops::Range;

/// Classes of bytes, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Class(u16);

impl Class {
    /// Any byte, for a detector that needs none in particular.
    pub(super) const NONE: Self = Self(0);
    /// `0` to `9`.
    pub(super) const DIGIT: Self = Self(1);
    /// What may stand between groups of digits: space, hyphen, dot, underscore, the end of a line.
    pub(super) const BETWEEN_DIGITS: Self = Self(1 << 1);
    /// What may begin an escape, or a character that looks like ASCII.
    pub(super) const READS_OTHERWISE: Self = Self(1 << 2);
    /// `@`.
    pub(super) const AT: Self = Self(1 << 3);
    /// `a` to `f`.
    pub(super) const A_TO_F: Self = Self(1 << 4);
    /// `g` to `z`.
    pub(super) const G_TO_Z: Self = Self(1 << 5);
    /// `A` to `Z`.
    pub(super) const UPPER: Self = Self(1 << 6);
    /// `-` and `_`.
    pub(super) const DASH: Self = Self(1 << 7);
    /// `.`.
    pub(super) const DOT: Self = Self(1 << 8);
    /// `+`, `/` and `=`, which Base64 has beside letters and digits.
    pub(super) const BASE64: Self = Self(1 << 9);
    /// `:`.
    pub(super) const COLON: Self = Self(1 << 10);

    /// Digits, and what may stand between groups of them.
    pub(super) const NUMBER: Self = Self::DIGIT.or(Self::BETWEEN_DIGITS);
    /// What tokens and names of hosts are made of: letters, digits, `-`, `_`, `.`.
    pub(super) const TOKEN: Self = Self::URL_SAFE.or(Self::DOT);
    /// Lower-case hexadecimal digits.
    pub(super) const HEX: Self = Self::DIGIT.or(Self::A_TO_F);
    /// Letters and digits.
    pub(super) const WORD: Self = Self::HEX.or(Self::G_TO_Z).or(Self::UPPER);
    /// What Base64 for URLs is made of: letters, digits, `-`, `_`.
    pub(super) const URL_SAFE: Self = Self::WORD.or(Self::DASH);

    /// Bytes of either set.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a byte is of one of the classes.
    pub(super) fn has(self, byte: u8) -> bool {
        CLASSES_OF.get(usize::from(byte)).is_some_and(|classes| classes & self.0 != 0)
    }

    /// Where bytes of these classes end, looking from `start` on.
    pub(super) fn end(self, text: &[u8], start: usize) -> usize {
        start + text.iter().skip(start).take_while(|byte| self.has(**byte)).count()
    }

    const fn of(byte: u8) -> Self {
        match byte {
            b'0'..=b'9' => Self::DIGIT,
            b'a'..=b'f' => Self::A_TO_F,
            b'g'..=b'z' => Self::G_TO_Z,
            b'A'..=b'Z' => Self::UPPER,
            b'-' | b'_' => Self::DASH.or(Self::BETWEEN_DIGITS),
            b'.' => Self::DOT.or(Self::BETWEEN_DIGITS),
            b' ' | b'\r' | b'\n' => Self::BETWEEN_DIGITS,
            b'@' => Self::AT,
            b':' => Self::COLON,
            b'+' | b'/' | b'=' => Self::BASE64,
            b'\\' | b'%' | b'&' | 0xC2 | 0xD9 | 0xDB | 0xE2 | 0xE3 | 0xEF | 0xF0 => Self::READS_OTHERWISE,
            _ => Self::NONE,
        }
    }
}

/// The classes of each byte.
static CLASSES_OF: [u16; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "the loop ends at the array's length")]
        {
            classes[byte] = Class::of(byte as u8).0;
        }
        byte += 1;
    }
    classes
};

/// What a text is made of, as far as that is cheap to know: a text that lacks what a detector needs is not scanned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Makeup {
    classes: Class,
    digits: usize,
}

impl Makeup {
    /// Up to this length each byte is looked at; longer texts have to be scanned for rare bytes, which is faster.
    const SHORT: usize = 64;

    /// The makeup of a text.
    pub(super) fn of(text: &[u8]) -> Self {
        if text.len() > Self::SHORT {
            return Self { classes: Class(u16::MAX), digits: count_digits(text) };
        }
        let mut makeup = Self { classes: Class::NONE, digits: 0 };
        for byte in text {
            let classes = CLASSES_OF.get(usize::from(*byte)).copied().unwrap_or_default();
            makeup.classes.0 |= classes;
            makeup.digits += usize::from(classes & Class::DIGIT.0);
        }
        makeup
    }

    /// Whether bytes of all these classes may be in the text, and so many digits.
    pub(super) fn may_have(self, classes: Class, digits: usize) -> bool {
        self.classes.0 & classes.0 == classes.0 && self.digits >= digits
    }
}

/// How many digits a text has; shaped so that the compiler counts many bytes at once.
fn count_digits(text: &[u8]) -> usize {
    let in_block = |block: &[u8]| block.iter().fold(0_u8, |count, byte| count + u8::from(byte.is_ascii_digit()));
    text.chunks(128).map(|block| usize::from(in_block(block))).sum()
}

/// The longest stretches of bytes of one class that have at least so many bytes.
///
/// A stretch that begins at a place covers all bytes up to its shortest length from there. Looking at those from the
/// last one back, the first byte of another class says where the next stretch can begin, so that most bytes of a text
/// without any are never looked at.
pub(super) struct Runs<'a, F> {
    text: &'a [u8],
    class: Class,
    /// Zero for a byte of the class, and for no other.
    off: F,
    shortest: usize,
    /// Where the next run can begin: the byte before is of another class.
    from: usize,
}

/// How many bytes are looked at at once.
const BLOCK: usize = 16;

impl<'a, F: Fn(u8) -> u8> Runs<'a, F> {
    /// The runs of at least `shortest` bytes, which is not zero, of a class; `off` tells the same bytes many at once.
    pub(super) fn new(text: &'a [u8], shortest: usize, class: Class, off: F) -> Self {
        Self { text, class, off, shortest, from: 0 }
    }

    /// The last byte of another class among those from `self.from` to `probe`.
    fn last_other(&self, probe: usize) -> Option<usize> {
        let Some(block) = self.text.get(..=probe)?.last_chunk::<BLOCK>() else {
            return self.last_other_of(self.from..probe + 1);
        };
        // A loop over an array, so that the compiler looks at all bytes at once.
        let mut others = [0; BLOCK];
        for (other, byte) in others.iter_mut().zip(block) {
            *other = (self.off)(*byte);
        }
        match u128::from_le_bytes(others) {
            0 => self.last_other_of(self.from..(probe + 1 - BLOCK).max(self.from)),
            others => Some(probe - others.leading_zeros() as usize / 8).filter(|place| *place >= self.from),
        }
    }

    fn last_other_of(&self, places: Range<usize>) -> Option<usize> {
        let start = places.start;
        self.text.get(places)?.iter().rposition(|byte| !self.class.has(*byte)).map(|place| start + place)
    }
}

impl<F: Fn(u8) -> u8> Iterator for Runs<'_, F> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.from;
            let probe = start + self.shortest - 1;
            if probe >= self.text.len() {
                return None;
            }
            if let Some(other) = self.last_other(probe) {
                self.from = other + 1;
                continue;
            }
            let end = self.class.end(self.text, probe + 1);
            self.from = end + 1;
            return Some(start..end);
        }
    }
}

/// The character that begins at a place; `None` at the end and where the bytes are not UTF-8.
pub(super) fn char_at(text: &[u8], at: usize) -> Option<char> {
    let rest = text.get(at..)?;
    let first = *rest.first()?;
    if first < 0x80 {
        return Some(char::from(first));
    }
    first_char(rest.get(..width_of(first)?)?)
}

/// The character that ends before a place; `None` at the start and where the bytes are not UTF-8.
pub(super) fn char_before(text: &[u8], at: usize) -> Option<char> {
    let before = text.get(..at)?;
    let last = *before.last()?;
    if last < 0x80 {
        return Some(char::from(last));
    }
    let start = before.iter().rev().take(4).position(|byte| byte & 0xC0 != 0x80)?;
    first_char(before.get(before.len() - start - 1..)?)
}

/// The byte at a place; `None` before the start (a place that wrapped) and past the end.
pub(super) fn byte_at(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied()
}

/// The byte before a place.
pub(super) fn byte_before(text: &[u8], at: usize) -> Option<u8> {
    text.get(at.checked_sub(1)?).copied()
}

/// How far a byte is from [`Class::TOKEN`].
pub(super) fn off_token(byte: u8) -> u8 {
    off(byte | 0x20, b'a', b'z').min(off(byte, b'0', b'9')).min(off(byte, b'-', b'.')).min(byte ^ b'_')
}

/// How far a byte is from [`Class::NUMBER`].
pub(super) fn off_number(byte: u8) -> u8 {
    let between = (byte ^ b' ').min(byte ^ b'_').min(byte ^ b'\r').min(byte ^ b'\n');
    off(byte, b'0', b'9').min(off(byte, b'-', b'.')).min(between)
}

/// How far a byte is from a range; in arithmetic on bytes alone, which the compiler does on many at once.
const fn off(byte: u8, first: u8, last: u8) -> u8 {
    byte.wrapping_sub(first).saturating_sub(last - first)
}

/// Whether a place begins a word: no letter or digit of ASCII stands before it, or one that belongs to an escape
/// such as `\n`.
pub(super) fn begins_word(text: &[u8], at: usize) -> bool {
    match byte_before(text, at) {
        Some(byte) if byte.is_ascii_alphabetic() => byte_before(text, at - 1) == Some(b'\\'),
        Some(byte) => !byte.is_ascii_digit(),
        None => true,
    }
}

/// Whether a place ends a word: no letter or digit of ASCII stands there.
pub(super) fn ends_word(text: &[u8], at: usize) -> bool {
    !byte_at(text, at).is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// How far before a number a word may stand that says what it is.
const CONTEXT: usize = 48;

/// Whether one of some words, in small letters, stands shortly before a place.
pub(super) fn follows(text: &[u8], at: usize, words: &[&str]) -> bool {
    let context = text.get(at.saturating_sub(CONTEXT)..at).unwrap_or_default();
    words.iter().any(|word| {
        context.windows(word.len()).enumerate().any(|(start, window)| {
            window.eq_ignore_ascii_case(word.as_bytes())
                && !byte_before(context, start).is_some_and(|byte| byte.is_ascii_alphabetic())
                && !byte_at(context, start + word.len()).is_some_and(|byte| byte.is_ascii_alphabetic())
        })
    })
}

/// The only character of some bytes.
fn first_char(bytes: &[u8]) -> Option<char> {
    let mut chars = core::str::from_utf8(bytes).ok()?.chars();
    chars.next().filter(|_| chars.next().is_none())
}

fn width_of(first: u8) -> Option<usize> {
    match first {
        0xC2..=0xDF => Some(2),
        0xE0..=0xEF => Some(3),
        0xF0..=0xF4 => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_is_told_at_once_is_the_class() {
        for byte in 0..=255 {
            assert_eq!(off_token(byte) == 0, Class::TOKEN.has(byte), "{byte}");
            assert_eq!(off_number(byte) == 0, Class::NUMBER.has(byte), "{byte}");
        }
    }

    #[test]
    fn runs_are_found_wherever_they_are() {
        for shortest in [1, 7, 12, 16, 20] {
            for length in 0..40 {
                for before in 0..40 {
                    let text = ["/".repeat(before), "1".repeat(length), "/11/".into()].concat();
                    let runs: Vec<_> = Runs::new(text.as_bytes(), shortest, Class::NUMBER, off_number).collect();
                    let all = [before..before + length, before + length + 1..before + length + 3];
                    let expected: Vec<_> = all.into_iter().filter(|run| run.len() >= shortest).collect();
                    assert_eq!(runs, expected, "{text}");
                }
            }
        }
    }
}
