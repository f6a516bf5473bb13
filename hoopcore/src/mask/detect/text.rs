//! Bytes and characters as detectors see them.

/// Classes of bytes, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Classes(u8);

impl Classes {
    /// `0` to `9`.
    pub(super) const DIGIT: Self = Self(1);
    /// `@`.
    pub(super) const AT: Self = Self(1 << 1);
    /// `.`.
    pub(super) const DOT: Self = Self(1 << 2);
    /// What may begin an escape or a character that looks like ASCII: such a text is also looked at as it reads.
    pub(super) const MAY_READ_OTHERWISE: Self = Self(1 << 3);

    /// The classes that occur in a text.
    pub(super) fn of(text: &[u8]) -> Self {
        Self(text.iter().fold(0, |all, byte| all | CLASS_OF.get(usize::from(*byte)).unwrap_or(&0)))
    }

    /// Whether all classes of another set are in this one.
    pub(super) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any class of another set is in this one.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The class of one byte.
    pub(super) const fn of_byte(byte: u8) -> Self {
        match byte {
            b'0'..=b'9' => Self::DIGIT,
            b'@' => Self::AT,
            b'.' => Self::DOT,
            b'\\' | b'%' | b'&' | 0xC2 | 0xD9 | 0xDB | 0xE2 | 0xE3 | 0xEF | 0xF0 => Self::MAY_READ_OTHERWISE,
            _ => Self(0),
        }
    }
}

/// The class of each byte.
static CLASS_OF: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "the loop ends at the array's length")]
        {
            classes[byte] = Classes::of_byte(byte as u8).0;
        }
        byte += 1;
    }
    classes
};

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
