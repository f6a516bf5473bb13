//! International bank account numbers (ISO 13616): a country, its length, and a remainder of one by 97.

use super::findings::Sink;
use super::text::{Class, begins_word, byte_at, ends_word};
use super::{Entry, Scan};

/// The shortest number, of Norway.
const SHORTEST: usize = 15;

pub(super) static ENTRY: Entry = Entry {
    word: "iban",
    about: "international bank account numbers, alone or in groups, with their country's length and valid check digits",
    example: "IBAN GB39 NWBK 4874 5268 5969 38",
    shortest: SHORTEST,
    needs: Class::DIGIT,
    digits: 6,
    scan: Scan::Text(scan),
};

/// The length of each country's numbers, from the registry of SWIFT.
const LENGTHS: [(&[u8; 2], usize); 88] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

fn scan(text: &[u8], sink: &mut Sink<'_>) {
    let mut at = 0;
    // Each begins with two letters and two digits: the digits are rarer.
    while let Some(skipped) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let digits = at + skipped;
        at = Class::DIGIT.end(text, digits);
        let Some(start) = digits.checked_sub(2).filter(|start| begins_word(text, *start)) else { continue };
        let Some(length) = length_at(text, start) else { continue };
        if sink.spend(1 + length).is_none() {
            return;
        }
        if let Some(end) = end_at(text, start, length).filter(|end| ends_word(text, *end)) {
            sink.found(start, end);
        }
    }
}

/// The length of the numbers of the country that stands at a place.
fn length_at(text: &[u8], start: usize) -> Option<usize> {
    let country = [byte_at(text, start)?.to_ascii_uppercase(), byte_at(text, start + 1)?.to_ascii_uppercase()];
    let place = LENGTHS.binary_search_by(|(known, _)| (**known).cmp(&country)).ok()?;
    LENGTHS.get(place).map(|(_, length)| *length)
}

/// Where a number of so many characters ends that begins at `start`, with a space or hyphen between groups or without,
/// if its check digits are valid.
fn end_at(text: &[u8], start: usize, length: usize) -> Option<usize> {
    let mut at = start;
    // The country and the check digits count last.
    let (mut head, mut body) = (0, 0);
    for place in 0..length {
        if place > 0 && matches!(byte_at(text, at), Some(b' ' | b'-')) {
            at += 1;
        }
        let value = char::from(byte_at(text, at)?).to_digit(36)?;
        let remainder = if place < 4 { &mut head } else { &mut body };
        *remainder = appended(*remainder, value);
        at += 1;
    }
    let checks = text.get(start + 2..start + 4)?.iter().all(u8::is_ascii_digit);
    // Two letters and two digits are six decimal places: 10^6 leaves 27.
    (checks && (body * 27 + head) % 97 == 1).then_some(at)
}

/// The remainder by 97 after one more digit, or a letter as two of them.
fn appended(remainder: u32, value: u32) -> u32 {
    (remainder * if value > 9 { 100 } else { 10 } + value) % 97
}
