//! Shifts: dates and times that are moved by a number of days, the same for all values of a domain.
//!
//! Distances stay, and the time of day; when something happened does not show.

use alloc::format;
use alloc::vec::Vec;

use jiff::Span;
use jiff::civil::Date;

use super::CellFormat;
use super::key::Domain;

/// Values are moved by at least and at most so many days, forth or back.
const LEAST: u32 = 30;
const MOST: u32 = 365;

/// Days from 0001-01-01 and to 9999-12-31, from PostgreSQL's first of January 2000: what is beyond has no form of its own.
const FIRST_DAY: i64 = -730_119;
const LAST_DAY: i64 = 2_921_939;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Writes a date, moved; in text `2026-02-28`, in binary days since 2000. `None` for anything else, and without a key.
pub(crate) fn date(domain: &Domain, format: CellFormat, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match format {
        CellFormat::Text => text(domain, value, out).filter(|_| value.len() == 10),
        CellFormat::Binary => {
            let days = i64::from(i32::from_be_bytes(value.try_into().ok()?));
            let moved = within(days)? + i64::from(days_of(domain)?);
            out.extend_from_slice(&i32::try_from(within(moved)?).ok()?.to_be_bytes());
            Some(())
        }
    }
}

/// Writes a time with its date, moved by whole days; in text `2026-02-28 13:14:15.6+02`, in binary microseconds since 2000.
/// `None` for anything else, and without a key.
pub(crate) fn timestamp(domain: &Domain, format: CellFormat, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match format {
        CellFormat::Text => text(domain, value, out),
        CellFormat::Binary => {
            let time = i64::from_be_bytes(value.try_into().ok()?);
            within(time.div_euclid(DAY))?;
            let moved = time.checked_add(i64::from(days_of(domain)?) * DAY)?;
            within(moved.div_euclid(DAY))?;
            out.extend_from_slice(&moved.to_be_bytes());
            Some(())
        }
    }
}

/// Moves the date that a text begins with; what follows is a time of day, and stays.
fn text(domain: &Domain, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (date, time) = value.split_at_checked(10)?;
    if !is_time(time) {
        return None;
    }
    let [year, month, day] = digits(date)?;
    let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let moved = date.checked_add(Span::new().days(days_of(domain)?)).ok().filter(|moved| moved.year() >= 1)?;
    out.extend_from_slice(format!("{:04}-{:02}-{:02}", moved.year(), moved.month(), moved.day()).as_bytes());
    out.extend_from_slice(time);
    Some(())
}

/// The numbers of `2026-02-28`.
fn digits(date: &[u8]) -> Option<[u16; 3]> {
    let [a, b, c, d, b'-', e, f, b'-', g, h] = *date else { return None };
    let number = |digits: &[u8]| {
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0, |number, digit| number * 10 + u16::from(*digit - b'0')))
    };
    Some([number(&[a, b, c, d]).filter(|year| *year > 0)?, number(&[e, f])?, number(&[g, h])?])
}

/// Nothing, or ` 13:14:15.678+02:30`: what the ISO style of PostgreSQL writes behind a date that is not before Christ.
fn is_time(time: &[u8]) -> bool {
    let form = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'+' | b'-');
    time.split_first()
        .is_none_or(|(first, rest)| matches!(first, b' ' | b'T') && !rest.is_empty() && rest.iter().all(form))
}

fn within(days: i64) -> Option<i64> {
    (FIRST_DAY..=LAST_DAY).contains(&days).then_some(days)
}

/// By how many days values of the domain are moved.
fn days_of(domain: &Domain) -> Option<i32> {
    let mut drawn = domain.draw(b"shift", b"")?;
    let days = i32::try_from(LEAST + drawn.below(MOST - LEAST + 1)).ok()?;
    Some(if drawn.byte() & 1 == 0 { days } else { -days })
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::super::Keyring;
    use super::*;

    fn domain() -> Domain {
        Keyring::new().with("d", b"a secret").domain("d")
    }

    fn moved(move_it: fn(&Domain, CellFormat, &[u8], &mut Vec<u8>) -> Option<()>, value: &str) -> Option<String> {
        let mut out = Vec::new();
        move_it(&domain(), CellFormat::Text, value.as_bytes(), &mut out)?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn distances_and_times_of_day_stay() {
        let days = days_of(&domain()).unwrap();
        assert!((30..=365).contains(&days.unsigned_abs()));
        let day = |text: &str| -> Date { text.get(..10).unwrap().parse().unwrap() };
        for value in ["2026-02-28", "2024-02-29", "0001-12-31", "9998-01-01"] {
            let moved = moved(date, value).unwrap();
            assert_eq!(day(value).checked_add(Span::new().days(days)).unwrap(), day(&moved), "{value}");
        }
        for value in ["2026-02-28 13:14:15.678901+02", "2026-02-28 00:00:00", "2026-02-28T23:59:59-11:30"] {
            let moved = moved(timestamp, value).unwrap();
            assert_eq!((moved.get(10..), moved != value), (value.get(10..), true), "{value}");
        }
    }

    #[test]
    fn what_is_no_date_of_the_iso_style_becomes_null() {
        for value in [
            "infinity",
            "-infinity",
            "",
            "2026-02",
            "28.02.2026",
            "02/28/2026",
            "2026-02-28 BC",
            "2026-02-30",
            "0000-01-01",
            "10000-01-01",
            "2026-02-28 13:00:00 CET",
            "2026-02-28x",
            "+026-02-28",
            "2026-02-28 ",
        ] {
            assert_eq!(moved(timestamp, value), None, "{value}");
            assert_eq!(moved(date, value), None, "{value}");
        }
        assert_eq!(moved(date, "2026-02-28 13:14:15"), None);
    }

    #[test]
    fn binary_values_are_moved_by_as_many_days() {
        let days = i64::from(days_of(&domain()).unwrap());
        let check = |value: i64, expected: Option<i64>| {
            let mut out = Vec::new();
            let day = i32::try_from(value).unwrap();
            let done = date(&domain(), CellFormat::Binary, &day.to_be_bytes(), &mut out);
            assert_eq!(done.map(|()| i64::from(i32::from_be_bytes(out.as_slice().try_into().unwrap()))), expected);
            let mut out = Vec::new();
            let time = value.checked_mul(DAY).map_or(i64::MAX, |time| time + 1);
            let done = timestamp(&domain(), CellFormat::Binary, &time.to_be_bytes(), &mut out);
            let moved = done.map(|()| i64::from_be_bytes(out.as_slice().try_into().unwrap()));
            assert_eq!(moved, expected.map(|day| day * DAY + 1));
        };
        check(9_500, Some(9_500 + days));
        check(-9_500, Some(-9_500 + days));
        for beyond in [i64::from(i32::MAX), i64::from(i32::MIN), FIRST_DAY - 1, LAST_DAY + 1] {
            check(beyond, None);
        }
        let edge = if days > 0 { LAST_DAY } else { FIRST_DAY };
        check(edge, None);
        for wrong in [&b""[..], b"abc", b"abcde", b"123456789"] {
            assert_eq!(date(&domain(), CellFormat::Binary, wrong, &mut Vec::new()), None);
            assert_eq!(timestamp(&domain(), CellFormat::Binary, wrong, &mut Vec::new()), None);
        }
    }
}
