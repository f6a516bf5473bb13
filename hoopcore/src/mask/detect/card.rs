//! Payment card numbers: a prefix and a length that an issuer uses, and a valid check digit.

use core::ops::Range;

use super::findings::Sink;
use super::text::{Class, Runs, begins_word, byte_at, byte_before, ends_word, off_number};
use super::{Entry, Scan, luhn};

/// Most digits of a card number.
const MOST: usize = 19;

/// Fewest digits of a card number: 12, of old Maestro cards.
const FEWEST: usize = 12;

/// The longest separator between groups of digits: ` - `.
const WIDEST: usize = 3;

pub(super) static ENTRY: Entry = Entry {
    word: "card",
    about: "payment card numbers of 13 to 19 digits (Maestro from 12), alone or in groups, with an issuer's prefix and a valid check digit",
    example: "paid with 4111 1111 1111 1111",
    shortest: FEWEST,
    needs: Class::NONE,
    digits: FEWEST,
    scan: Scan::Text(scan),
};

/// Issuers' prefixes, as the range of the first six digits, and the lengths of their numbers as a set of bits.
const ISSUERS: [(u32, u32, u32); 22] = [
    (180_000, 180_099, lengths(&[15])),                             // JCB, old
    (213_100, 213_199, lengths(&[15])),                             // JCB, old
    (220_000, 220_499, lengths(&[16, 17, 18, 19])),                 // Mir
    (222_100, 272_099, lengths(&[16])),                             // Mastercard
    (300_000, 305_999, lengths(&[14, 16])),                         // Diners Club
    (309_500, 309_599, lengths(&[14, 16])),                         // Diners Club
    (340_000, 349_999, lengths(&[15])),                             // American Express
    (350_000, 359_999, lengths(&[16])),                             // JCB, and what test data takes for it
    (352_800, 358_999, lengths(&[17, 18, 19])),                     // JCB
    (360_000, 369_999, lengths(&[14, 16])),                         // Diners Club
    (370_000, 379_999, lengths(&[15])),                             // American Express
    (380_000, 399_999, lengths(&[14, 16])),                         // Diners Club
    (400_000, 499_999, lengths(&[13, 16, 19])),                     // Visa
    (501_800, 509_999, lengths(&[12, 13, 14, 15, 16, 17, 18, 19])), // Maestro, Verve, Elo, RuPay
    (510_000, 559_999, lengths(&[16])),                             // Mastercard
    (560_000, 589_999, lengths(&[12, 13, 14, 15, 16, 17, 18, 19])), // Maestro
    (600_000, 629_999, lengths(&[16, 17, 18, 19])),                 // Discover, RuPay, UnionPay, Hipercard
    (630_400, 630_499, lengths(&[12, 13, 14, 15, 16, 17, 18, 19])), // Maestro
    (636_000, 659_999, lengths(&[16, 17, 18, 19])), // Discover, InterPayment, InstaPayment, RuPay, Verve
    (670_000, 679_999, lengths(&[12, 13, 14, 15, 16, 17, 18, 19])), // Maestro
    (810_000, 829_999, lengths(&[16, 17, 18, 19])), // UnionPay, RuPay
    (979_200, 979_299, lengths(&[16])),             // Troy
];

const fn lengths(of: &[u32]) -> u32 {
    let mut set = 0;
    let mut rest = of;
    while let [length, more @ ..] = rest {
        set |= 1 << *length;
        rest = more;
    }
    set
}

fn scan(text: &[u8], sink: &mut Sink<'_>) {
    for run in Runs::new(text, FEWEST, Class::NUMBER, off_number) {
        let digits = text.get(run.clone()).unwrap_or_default().iter().filter(|byte| byte.is_ascii_digit()).count();
        if digits >= FEWEST && scan_run(text, run, sink).is_none() {
            return;
        }
    }
}

/// Reports every card number among digits and what may stand between them.
fn scan_run(text: &[u8], run: Range<usize>, sink: &mut Sink<'_>) -> Option<()> {
    let mut at = run.start;
    while let Some(start) = next_digit(text, at).filter(|start| *start < run.end) {
        at = digits_end(text, start, run.len());
        sink.spend(1 + (at - start) / 8)?;
        numbers_from(text, start, sink)?;
    }
    Some(())
}

/// Reports every card number that begins with the group of digits at `start`.
///
/// Numbers that follow each other may read as one by accident, so no number found hides another.
fn numbers_from(text: &[u8], start: usize, sink: &mut Sink<'_>) -> Option<()> {
    if !can_begin(text, start) {
        return Some(());
    }
    let mut number = Number::default();
    let mut group = start;
    loop {
        let end = digits_end(text, group, MOST + 1);
        sink.spend(end - group)?;
        if !number.add_group(text.get(group..end).unwrap_or_default()) {
            return Some(());
        }
        if number.is_card() && can_end(text, end) && !is_in_uuid(text, start) {
            sink.found(start, end);
        }
        let next = separator(text, end).filter(|(kind, _)| number.length < MOST && number.add_separator(*kind));
        let Some((_, next)) = next else { return Some(()) };
        group = next;
    }
}

/// Groups of digits, read as one number.
#[derive(Default)]
struct Number {
    digits: [u8; MOST],
    length: usize,
    /// The lengths of the groups, four bits each.
    shape: u64,
    /// Whether a line ended between groups.
    is_broken: bool,
    /// Whether a separator stood between groups that other numbers have too.
    is_dotted: bool,
}

/// What stands between groups of digits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    /// Spaces and hyphens.
    Plain,
    /// The end of a line: once in a number.
    Line,
    /// A dot or an underscore: only in a card's usual groups.
    Dot,
}

impl Number {
    /// Takes a group; `false` where that makes too many digits.
    fn add_group(&mut self, group: &[u8]) -> bool {
        let Some(free) = self.digits.get_mut(self.length..self.length + group.len()) else { return false };
        free.copy_from_slice(group);
        self.length += group.len();
        self.shape = (self.shape << 4) | group.len().min(15) as u64;
        true
    }

    /// Takes a separator; `false` where the number cannot go on after it.
    fn add_separator(&mut self, kind: Separator) -> bool {
        let was_broken = self.is_broken;
        self.is_broken |= kind == Separator::Line;
        self.is_dotted |= kind == Separator::Dot;
        self.shape & 15 >= 3 && !(was_broken && kind == Separator::Line)
    }

    fn is_card(&self) -> bool {
        self.length >= FEWEST && self.has_issuer() && self.has_check_digit() && self.has_shape()
    }

    fn has_issuer(&self) -> bool {
        let prefix = self.digits.iter().take(6).fold(0, |prefix, digit| prefix * 10 + u32::from(digit - b'0'));
        let issuers = ISSUERS.iter().take_while(|(from, _, _)| *from <= prefix);
        issuers.into_iter().any(|(_, to, lengths)| prefix <= *to && lengths & (1 << self.length) != 0)
    }

    fn has_check_digit(&self) -> bool {
        self.digits.get(..self.length).is_some_and(luhn::holds)
    }

    fn has_shape(&self) -> bool {
        !self.is_dotted || matches!(self.shape, 0x4444 | 0x44441..=0x44443 | 0x465 | 0x464)
    }
}

/// Not within a word, and not the fraction of a decimal number.
fn can_begin(text: &[u8], start: usize) -> bool {
    match byte_before(text, start) {
        Some(b'.') => !byte_before(text, start - 1).is_some_and(|byte| byte.is_ascii_digit()),
        Some(_) | None => begins_word(text, start),
    }
}

/// Not within a word, and not the whole part of a decimal number.
fn can_end(text: &[u8], end: usize) -> bool {
    match byte_at(text, end) {
        Some(b'.') => !byte_at(text, end + 1).is_some_and(|byte| byte.is_ascii_digit()),
        Some(_) | None => ends_word(text, end),
    }
}

/// What separates the digits before `at` from digits after it, and where those begin.
fn separator(text: &[u8], at: usize) -> Option<(Separator, usize)> {
    let rest = text.get(at..)?;
    let length = rest.iter().take(WIDEST + 1).position(u8::is_ascii_digit)?;
    let kind = match rest.get(..length)? {
        b"." | b"_" => Separator::Dot,
        b"\n" | b"\r\n" | b" \n" => Separator::Line,
        between if between.iter().all(|byte| matches!(byte, b' ' | b'-')) => Separator::Plain,
        _ => return None,
    };
    Some((kind, at + length))
}

/// Whether digits stand in a UUID, whose groups may by accident be all digits.
fn is_in_uuid(text: &[u8], at: usize) -> bool {
    [0, 9, 14, 19].into_iter().filter_map(|offset| at.checked_sub(offset)).any(|start| {
        text.get(start..start + 36).is_some_and(|uuid| {
            let hyphens = [8, 13, 18, 23];
            uuid.iter().enumerate().all(|(place, byte)| match hyphens.contains(&place) {
                true => *byte == b'-',
                false => byte.is_ascii_hexdigit(),
            })
        })
    })
}

fn next_digit(text: &[u8], from: usize) -> Option<usize> {
    let skipped = text.get(from..)?.iter().position(u8::is_ascii_digit)?;
    Some(from + skipped)
}

/// Where digits end, looking at no more than `most`.
fn digits_end(text: &[u8], from: usize, most: usize) -> usize {
    from + text.iter().skip(from).take(most).take_while(|byte| byte.is_ascii_digit()).count()
}
