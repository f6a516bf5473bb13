//! Pseudonyms: values that look like the ones they stand for, the same for the same value.
//!
//! A text keeps its length and its punctuation: each letter becomes a letter, each digit a digit. A whole number becomes one
//! of the same sign and type, and no two become the same; a UUID becomes another.

use alloc::vec::Vec;

use super::key::Domain;
use super::{CellFormat, Width};

/// Rounds of the permutation of whole numbers: four make it as good as random
/// ([Luby and Rackoff](https://doi.org/10.1137/0217022)), and two more cost little.
const ROUNDS: u8 = 6;

/// Writes the pseudonym of a text; `None` without a key, or where it is not UTF-8.
pub(crate) fn text(domain: &Domain, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text = core::str::from_utf8(value).ok()?;
    let mut drawn = domain.draw(b"text", value)?;
    let mut letter = |first: u8, count: u32| first + u8::try_from(drawn.below(count)).unwrap_or_default();
    out.extend(text.chars().map(|c| match c {
        '0'..='9' => letter(b'0', 10),
        'A'..='Z' => letter(b'A', 26),
        ' ' | '\t' | '\n' | '\r' => c as u8,
        _ if c.is_ascii_punctuation() => c as u8,
        _ if c.is_uppercase() => letter(b'A', 26),
        _ => letter(b'a', 26),
    }));
    Some(())
}

/// Writes the pseudonym of a whole number in its own format.
pub(crate) fn integer(
    domain: &Domain,
    width: Width,
    format: CellFormat,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let number = read_integer(width, format, value)?;
    let bits = width.bits() - 1;
    // Negative numbers are as many as the others: -1 is the first of them.
    let pseudonym = match u64::try_from(number) {
        Ok(magnitude) => i64::try_from(permuted(domain, bits, magnitude)?).ok()?,
        Err(_) => !i64::try_from(permuted(domain, bits, u64::try_from(!number).ok()?)?).ok()?,
    };
    write_integer(width, format, pseudonym, out)
}

/// Another number of so many bits, by a Feistel network; no two become the same.
fn permuted(domain: &Domain, bits: u32, number: u64) -> Option<u64> {
    // Odd numbers of bits are permuted one bit wider, until what comes out is narrow enough: cycle walking
    // (NIST SP 800-38G, "Format-Preserving Encryption", discusses it).
    let half = bits.div_ceil(2);
    let mask = (1_u64 << half) - 1;
    let mut walked = number;
    loop {
        let (mut left, mut right) = (walked >> half, walked & mask);
        for round in 0..ROUNDS {
            let word = domain.word(&[round, u8::try_from(bits).ok()?], &right.to_be_bytes())?;
            (left, right) = (right, left ^ (word & mask));
        }
        walked = left << half | right;
        if walked >> bits == 0 {
            return Some(walked);
        }
    }
}

fn read_integer(width: Width, format: CellFormat, value: &[u8]) -> Option<i64> {
    let number = match (format, width) {
        (CellFormat::Text, _) => core::str::from_utf8(value).ok()?.parse().ok()?,
        (CellFormat::Binary, Width::Two) => i16::from_be_bytes(value.try_into().ok()?).into(),
        (CellFormat::Binary, Width::Four) => i32::from_be_bytes(value.try_into().ok()?).into(),
        (CellFormat::Binary, Width::Eight) => i64::from_be_bytes(value.try_into().ok()?),
    };
    // A number that its type cannot hold is none.
    let beyond = width.bits() - 1;
    ((number ^ (number >> 63)) >> beyond.min(63) == 0 || width == Width::Eight).then_some(number)
}

fn write_integer(width: Width, format: CellFormat, number: i64, out: &mut Vec<u8>) -> Option<()> {
    match (format, width) {
        (CellFormat::Text, _) => out.extend_from_slice(alloc::format!("{number}").as_bytes()),
        (CellFormat::Binary, Width::Two) => out.extend_from_slice(&i16::try_from(number).ok()?.to_be_bytes()),
        (CellFormat::Binary, Width::Four) => out.extend_from_slice(&i32::try_from(number).ok()?.to_be_bytes()),
        (CellFormat::Binary, Width::Eight) => out.extend_from_slice(&number.to_be_bytes()),
    }
    Some(())
}

/// Writes the pseudonym of a UUID: version 8, made by its maker's own rule
/// ([RFC 9562, 5.8](https://www.rfc-editor.org/rfc/rfc9562#section-5.8)).
pub(crate) fn uuid(domain: &Domain, format: CellFormat, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let value = read_uuid(format, value)?;
    let mut drawn = domain.draw(b"uuid", &value.to_be_bytes())?;
    let drawn = u128::from_be_bytes(core::array::from_fn(|_| drawn.byte()));
    let uuid = drawn & !(0xf << 76 | 0x3 << 62) | 0x8 << 76 | 0x2 << 62;
    match format {
        CellFormat::Binary => out.extend_from_slice(&uuid.to_be_bytes()),
        CellFormat::Text => {
            let digits = alloc::format!("{uuid:032x}");
            for (at, digit) in digits.bytes().enumerate() {
                if matches!(at, 8 | 12 | 16 | 20) {
                    out.push(b'-');
                }
                out.push(digit);
            }
        }
    }
    Some(())
}

fn read_uuid(format: CellFormat, value: &[u8]) -> Option<u128> {
    match format {
        CellFormat::Binary => Some(u128::from_be_bytes(value.try_into().ok()?)),
        CellFormat::Text => {
            let digits: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'-').collect();
            let is_uuid = value.len() == 36 && digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit);
            u128::from_str_radix(core::str::from_utf8(&digits).ok().filter(|_| is_uuid)?, 16).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::super::Keyring;
    use super::*;

    fn domain() -> Domain {
        Keyring::new().with("d", b"a secret").domain("d")
    }

    fn number(width: Width, number: i64) -> Option<i64> {
        let mut out = Vec::new();
        integer(&domain(), width, CellFormat::Text, alloc::format!("{number}").as_bytes(), &mut out)?;
        core::str::from_utf8(&out).unwrap().parse().ok()
    }

    #[test]
    fn no_two_numbers_become_the_same_and_each_stays_in_its_type() {
        for (width, most) in
            [(Width::Two, i64::from(i16::MAX)), (Width::Four, i64::from(i32::MAX)), (Width::Eight, i64::MAX)]
        {
            let numbers: BTreeSet<i64> = (-600..600).chain([most, -most - 1]).collect();
            let pseudonyms: BTreeSet<i64> = numbers.iter().map(|value| number(width, *value).unwrap()).collect();
            assert_eq!(pseudonyms.len(), numbers.len(), "{width:?}");
            assert!(pseudonyms.iter().all(|value| (-most - 1..=most).contains(value)), "{width:?}");
            assert!(numbers.iter().all(|value| (*value < 0) == (number(width, *value).unwrap() < 0)), "{width:?}");
        }
        assert_eq!(number(Width::Two, 40_000), None);
        assert_eq!(number(Width::Four, i64::from(i32::MIN) - 1), None);
    }

    #[test]
    fn both_formats_give_the_same_number() {
        for (width, value) in [(Width::Two, 7), (Width::Four, -7), (Width::Eight, 1 << 40)] {
            let mut binary = Vec::new();
            write_integer(width, CellFormat::Binary, value, &mut binary).unwrap();
            let mut out = Vec::new();
            integer(&domain(), width, CellFormat::Binary, &binary, &mut out).unwrap();
            assert_eq!(read_integer(width, CellFormat::Binary, &out), number(width, value), "{width:?}");
        }
    }

    #[test]
    fn a_uuid_becomes_another_in_both_formats() {
        let text = b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        let (mut as_text, mut as_binary) = (Vec::new(), Vec::new());
        uuid(&domain(), CellFormat::Text, text, &mut as_text).unwrap();
        let value = read_uuid(CellFormat::Text, text).unwrap();
        uuid(&domain(), CellFormat::Binary, &value.to_be_bytes(), &mut as_binary).unwrap();
        assert_eq!(read_uuid(CellFormat::Text, &as_text), read_uuid(CellFormat::Binary, &as_binary));
        assert_eq!((as_text[14], as_text.len()), (b'8', 36));
        for wrong in
            [&b"a0eebc99"[..], b"", b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", b"a0eebc999c0b4ef8bb6d6bb9bd380a11----"]
        {
            assert_eq!(read_uuid(CellFormat::Text, wrong).is_some(), wrong.len() == 36 && wrong.ends_with(b"----"));
        }
    }
}
