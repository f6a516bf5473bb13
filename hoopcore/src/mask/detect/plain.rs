//! Text as a person reads it: escapes decoded, characters that look or act like ASCII folded to it.
//!
//! A value may stand in a cell as `jane\u0040example.com`, `jane%40example.com` or with full-width digits. Detectors
//! then look at a plain copy too, and what they find there is traced back to the bytes of the cell.

use alloc::vec::Vec;

use memchr::memchr3;

use super::text::{Class, char_at};

/// A plain copy of a cell, and the way back. Kept between cells for its memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Plain {
    text: Vec<u8>,
    /// For each unit that was decoded, folded or dropped: where the copy and the cell go on after it.
    after: Vec<(u32, u32)>,
}

/// What stands in the plain copy for a unit of the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// A character.
    Char(char),
    /// One byte of a character that is escaped byte by byte.
    Byte(u8),
    /// Nothing: it does not show.
    Nothing,
}

impl Plain {
    /// Reads a cell; `None` where it is plain as it stands, or too long to trace back.
    pub(super) fn read(&mut self, cell: &[u8]) -> Option<&Self> {
        if cell.is_ascii() && memchr3(b'\\', b'%', b'&', cell).is_none() {
            return None;
        }
        self.text.clear();
        self.after.clear();
        u32::try_from(cell.len()).ok()?;
        let mut copied = 0;
        let mut at = 0;
        while let Some(skipped) = cell.get(at..)?.iter().position(|byte| Class::READS_OTHERWISE.has(*byte)) {
            at += skipped;
            let Some((reading, length)) = unit_at(cell, at) else {
                at += 1;
                continue;
            };
            self.text.extend_from_slice(cell.get(copied..at)?);
            self.push(reading);
            at += length;
            copied = at;
            self.after.push((u32::try_from(self.text.len()).ok()?, u32::try_from(at).ok()?));
        }
        self.text.extend_from_slice(cell.get(copied..)?);
        (!self.after.is_empty()).then_some(self)
    }

    /// The plain copy.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where a place of the copy is in the cell.
    pub(super) fn origin_of(&self, place: usize) -> usize {
        let units = self.after.partition_point(|(plain, _)| *plain as usize <= place);
        let (plain, cell) = units.checked_sub(1).and_then(|last| self.after.get(last)).copied().unwrap_or_default();
        cell as usize + (place - plain as usize)
    }

    fn push(&mut self, reading: Reading) {
        match reading {
            Reading::Char(c) => self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Reading::Byte(byte) => self.text.push(byte),
            Reading::Nothing => {}
        }
    }
}

/// The unit that begins at a place: how it reads, and its length in the cell.
fn unit_at(cell: &[u8], at: usize) -> Option<(Reading, usize)> {
    let rest = cell.get(at..)?;
    let (reading, length) = match rest {
        [b'\\', rest @ ..] => backslash(rest)?,
        [b'%', high, low, ..] => (byte(hex(&[*high, *low])?), 3),
        [b'&', rest @ ..] => entity(rest)?,
        _ => {
            let c = char_at(cell, at)?;
            return Some((fold(c)?, c.len_utf8()));
        }
    };
    match reading {
        Reading::Char(c) => Some((fold(c).unwrap_or(reading), length)),
        Reading::Byte(_) | Reading::Nothing => Some((reading, length)),
    }
}

/// An escape of JSON, JavaScript, C or SQL, after its backslash.
fn backslash(rest: &[u8]) -> Option<(Reading, usize)> {
    let read = |c, length| Some((Reading::Char(c), length));
    match rest {
        [b'n', ..] => read('\n', 2),
        [b't', ..] => read('\t', 2),
        [b'r', ..] => read('\r', 2),
        [b'b', ..] => read('\u{8}', 2),
        [b'f', ..] => read('\u{c}', 2),
        [c @ (b'"' | b'\'' | b'\\' | b'/'), ..] => read(char::from(*c), 2),
        [b'x', high, low, ..] => Some((byte(hex(&[*high, *low])?), 4)),
        [b'u', digits @ ..] => utf16(digits),
        _ => None,
    }
}

/// `\u` and four digits, or two such for a character beyond the first plane.
fn utf16(digits: &[u8]) -> Option<(Reading, usize)> {
    let first = hex(digits.get(..4)?)?;
    if let Some(c) = char::from_u32(first) {
        return Some((Reading::Char(c), 6));
    }
    let second = digits.get(4..10).and_then(|rest| hex(rest.strip_prefix(b"\\u")?));
    match (first, second) {
        (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
            let c = char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00));
            Some((Reading::Char(c.unwrap_or(char::REPLACEMENT_CHARACTER)), 12))
        }
        _ => Some((Reading::Char(char::REPLACEMENT_CHARACTER), 6)),
    }
}

/// A character reference of HTML, after its `&`: by number, or one of the few names that matter here.
fn entity(rest: &[u8]) -> Option<(Reading, usize)> {
    let end = rest.iter().take(9).position(|byte| *byte == b';')?;
    let c = match rest.get(..end)? {
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(hex(digits)?)?,
        [b'#', digits @ ..] => char::from_u32(core::str::from_utf8(digits).ok()?.parse().ok()?)?,
        b"commat" => '@',
        b"period" => '.',
        b"amp" => '&',
        b"quot" => '"',
        b"apos" => '\'',
        b"lt" => '<',
        b"gt" => '>',
        b"nbsp" => ' ',
        _ => return None,
    };
    Some((Reading::Char(c), end + 2))
}

/// The value of one to eight hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// A value below 256 as a byte or, where it is ASCII, as a character.
fn byte(value: u32) -> Reading {
    match u8::try_from(value) {
        Ok(byte) if !byte.is_ascii() => Reading::Byte(byte),
        _ => Reading::Char(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)),
    }
}

/// What a character beyond ASCII looks or acts like, if that is ASCII or nothing.
fn fold(c: char) -> Option<Reading> {
    let ascii = |from: u32, to: char| char::from_u32(u32::from(c) - from + u32::from(to)).map(Reading::Char);
    match c {
        // Spaces, hyphens and the minus sign.
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(Reading::Char(' ')),
        '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{fe63}' => Some(Reading::Char('-')),
        // Soft hyphen, zero width, direction marks, word joiner, byte order mark.
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => {
            Some(Reading::Nothing)
        }
        // Full-width ASCII, small forms, digits of other scripts.
        '\u{ff01}'..='\u{ff5e}' => ascii(0xFF01, '!'),
        '\u{fe6b}' => Some(Reading::Char('@')),
        '\u{fe52}' | '\u{3002}' | '\u{ff61}' => Some(Reading::Char('.')),
        '\u{660}'..='\u{669}' => ascii(0x660, '0'),
        '\u{6f0}'..='\u{6f9}' => ascii(0x6F0, '0'),
        '\u{1d7ce}'..='\u{1d7ff}' => char::from_digit((u32::from(c) - 0x1D7CE) % 10, 10).map(Reading::Char),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cell: &str, expected: &str) {
        let mut plain = Plain::default();
        let read = plain.read(cell.as_bytes()).map(|plain| plain.text().to_vec());
        let read = read.unwrap_or_else(|| cell.as_bytes().to_vec());
        assert_eq!(core::str::from_utf8(&read).unwrap(), expected, "{cell}");
    }

    #[test]
    fn escapes_are_decoded_and_look_alikes_folded() {
        for (cell, expected) in [
            (r"jane\u0040example.com", "jane@example.com"),
            (r"a\nb\tc\\n", "a\nb\tc\\n"),
            (r"\ud83d\ude00 \ud83d x \uzz", "\u{1f600} \u{fffd} x \\uzz"),
            (r"a\x40b \q", r"a@b \q"),
            ("jane%40example.com 100% %4", "jane@example.com 100% %4"),
            ("%C3%A9", "é"),
            ("a&#64;b&#x40;c&commat;d&amp;&unknown;", "a@b@c@d&&unknown;"),
            ("４４９３＠", "4493@"),
            ("44\u{ad}93\u{200b}\u{2011}1\u{a0}2", "4493-1 2"),
            ("٤٤۹", "449"),
            (r"\uff14", "4"),
            ("Grüße — “plain” €", "Grüße — “plain” €"),
        ] {
            check(cell, expected);
        }
    }

    #[test]
    fn places_are_traced_back() {
        let mut plain = Plain::default();
        let plain = plain.read(br"a\u0040b%40c").unwrap();
        assert_eq!(plain.text(), b"a@b@c");
        assert_eq!([0, 1, 2, 3, 4, 5].map(|place| plain.origin_of(place)), [0, 1, 7, 8, 11, 12]);
    }
}
