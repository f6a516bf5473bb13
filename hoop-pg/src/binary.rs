//! Values in the binary form of their types, for people to read. See `*_recv` in PostgreSQL's `src/backend/utils/adt`.
//!
//! Bytes that are no value of their type give `None`.

use std::fmt::Write as _;

use fallible_iterator::FallibleIterator;
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, date};
use postgres_protocol::types as wire;
use postgres_types::{Kind, Type};

/// What is shown of `bytea`, in bytes.
const SHOWN_BYTES: usize = 64;

/// What is shown of an array, in elements.
const SHOWN_ELEMENTS: usize = 256;

/// How many digits of a number are shown on either side of its point: few bytes can stand for very many of them.
const SHOWN_DIGITS: usize = 128;

/// A value as its text form has it in any session: the same text that a client would send. `text` reads one as it stands on
/// the wire.
pub(crate) fn text_form(value: &[u8], kind: u32, text: &dyn Fn(&[u8]) -> Option<String>) -> Option<String> {
    match Type::from_oid(kind)? {
        Type::BOOL => match value {
            [0] => Some("f".into()),
            [1] => Some("t".into()),
            _ => None,
        },
        Type::INT2 => Some(i16::from_be_bytes(value.try_into().ok()?).to_string()),
        Type::INT4 => Some(i32::from_be_bytes(value.try_into().ok()?).to_string()),
        Type::INT8 => Some(i64::from_be_bytes(value.try_into().ok()?).to_string()),
        Type::OID => Some(u32::from_be_bytes(value.try_into().ok()?).to_string()),
        Type::UUID => uuid(value),
        Type::NAME | Type::TEXT | Type::JSON | Type::UNKNOWN | Type::BPCHAR | Type::VARCHAR => text(value),
        _ => None,
    }
}

/// A value in words for people: how its text form stands hangs on settings, or has several ways.
pub(crate) fn shown(value: &[u8], kind: u32, text: &dyn Fn(&[u8]) -> Option<String>) -> Option<String> {
    let kind = Type::from_oid(kind)?;
    match kind {
        Type::FLOAT4 => Some(format!("{:?}", f32::from_be_bytes(value.try_into().ok()?))),
        Type::FLOAT8 => Some(format!("{:?}", f64::from_be_bytes(value.try_into().ok()?))),
        Type::NUMERIC => numeric(value),
        Type::DATE => day(wire::date_from_sql(value).ok()?),
        Type::TIMESTAMP => moment(wire::timestamp_from_sql(value).ok()?, ""),
        Type::TIMESTAMPTZ => moment(wire::timestamp_from_sql(value).ok()?, "Z"),
        Type::TIME => clock(wire::time_from_sql(value).ok()?),
        Type::INTERVAL => interval(value),
        Type::BYTEA => Some(hex(value)),
        Type::INET | Type::CIDR => wire::inet_from_sql(value).ok().map(|it| format!("{}/{}", it.addr(), it.netmask())),
        Type::XML => text(value),
        Type::JSONB => value.strip_prefix(b"\x01").and_then(text),
        _ if matches!(kind.kind(), Kind::Array(_)) => array(value, text),
        _ => None,
    }
}

/// The name of a type, or its number.
pub(crate) fn type_name(kind: u32) -> String {
    match (kind, Type::from_oid(kind)) {
        (0, _) => "of a type that is not known".into(),
        (_, Some(known)) => format!("type {}", known.name()),
        (_, None) => format!("type {kind}"),
    }
}

fn uuid(value: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(value.try_into().ok()?);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to);
    Some([part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?].join("-"))
}

/// A header of four numbers, then digits to the base of 10,000.
fn numeric(value: &[u8]) -> Option<String> {
    let (numbers, []) = value.as_chunks::<2>() else { return None };
    let [count, weight, sign, scale, digits @ ..] = numbers else { return None };
    let (weight, scale) = (i32::from(i16::from_be_bytes(*weight)), usize::from(u16::from_be_bytes(*scale)));
    let digits: Vec<u16> = digits.iter().map(|digit| u16::from_be_bytes(*digit)).collect();
    let whole = digits.len() == usize::from(u16::from_be_bytes(*count)) && digits.iter().all(|digit| *digit < 10_000);
    let many = usize::try_from(weight).is_ok_and(|weight| weight >= SHOWN_DIGITS / 4) || scale > SHOWN_DIGITS;
    if !whole || many {
        return None;
    }
    let sign = match u16::from_be_bytes(*sign) {
        0 => "",
        0x4000 => "-",
        0xc000 => return Some("NaN".into()),
        0xd000 => return Some("Infinity".into()),
        0xf000 => return Some("-Infinity".into()),
        _ => return None,
    };
    let written = |places: std::ops::Range<i32>| {
        places.fold(String::new(), |mut written, place| {
            let digit = usize::try_from(place).ok().and_then(|place| digits.get(place)).unwrap_or(&0);
            let _written = write!(written, "{digit:04}");
            written
        })
    };
    let before = written(0..weight.saturating_add(1));
    let before = Some(before.trim_start_matches('0')).filter(|digits| !digits.is_empty()).unwrap_or("0");
    let quads = i32::try_from(scale.div_ceil(4)).ok()?;
    let after = written(weight.saturating_add(1)..weight.saturating_add(1).saturating_add(quads));
    let point = if scale > 0 { "." } else { "" };
    Some([sign, before, point, after.get(..scale)?].concat())
}

const EPOCH: Date = date(2000, 1, 1);

fn day(days: i32) -> Option<String> {
    match days {
        i32::MAX => Some("infinity".into()),
        i32::MIN => Some("-infinity".into()),
        _ => Some(EPOCH.checked_add(SignedDuration::from_hours(i64::from(days) * 24)).ok()?.to_string()),
    }
}

fn moment(microseconds: i64, zone: &str) -> Option<String> {
    match microseconds {
        i64::MAX => Some("infinity".into()),
        i64::MIN => Some("-infinity".into()),
        _ => {
            let moment = DateTime::from_parts(EPOCH, Time::midnight());
            Some(format!("{}{zone}", moment.checked_add(SignedDuration::from_micros(microseconds)).ok()?))
        }
    }
}

fn clock(microseconds: i64) -> Option<String> {
    if microseconds == 86_400_000_000 {
        return Some("24:00:00".into());
    }
    Some(Time::midnight().checked_add(SignedDuration::from_micros(microseconds)).ok()?.to_string())
}

fn interval(value: &[u8]) -> Option<String> {
    let (time, rest) = value.split_first_chunk()?;
    let (days, months) = rest.split_first_chunk()?;
    let months = i32::from_be_bytes(months.try_into().ok()?);
    let (time, days) = (i64::from_be_bytes(*time), i32::from_be_bytes(*days));
    Some(format!("{months} months, {days} days, {:#}", SignedDuration::from_micros(time)))
}

fn hex(value: &[u8]) -> String {
    let mut shown = String::from("\\x");
    for byte in value.iter().take(SHOWN_BYTES) {
        let _written = write!(shown, "{byte:02x}");
    }
    if value.len() > SHOWN_BYTES {
        let _written = write!(shown, "… ({} bytes)", value.len());
    }
    shown
}

/// `{1,NULL,3}`; where it has more dimensions than one, with their lengths before it: `[2][2]{1,2,3,4}`.
fn array(value: &[u8], text: &dyn Fn(&[u8]) -> Option<String>) -> Option<String> {
    let array = wire::array_from_sql(value).ok()?;
    let element = array.element_type();
    let dimensions: Vec<i32> = array.dimensions().map(|one| Ok(one.len)).collect().ok()?;
    let (mut shown, mut count) = (Vec::new(), 0_usize);
    let mut elements = array.values();
    while let Some(one) = elements.next().ok()? {
        if count < SHOWN_ELEMENTS {
            shown.push(one.map_or(Some("NULL".into()), |one| in_array(one, element, text))?);
        }
        count = count.saturating_add(1);
    }
    let lengths: String = match dimensions.as_slice() {
        [] | [_] => String::new(),
        several => several.iter().map(|length| format!("[{length}]")).collect(),
    };
    let more = if count > SHOWN_ELEMENTS { format!("… ({count} elements)") } else { String::new() };
    Some(format!("{lengths}{{{}}}{more}", shown.join(",")))
}

/// An element; texts are quoted, so that none looks like several.
fn in_array(value: &[u8], kind: u32, text: &dyn Fn(&[u8]) -> Option<String>) -> Option<String> {
    let known = Type::from_oid(kind)?;
    if matches!(known.kind(), Kind::Array(_)) {
        return None;
    }
    match known {
        Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8 | Type::OID | Type::UUID => text_form(value, kind, text),
        _ => match text_form(value, kind, text) {
            Some(text) => Some(format!("{text:?}")),
            None => shown(value, kind, text),
        },
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn utf8(bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }

    /// A value by the hex of its binary form, as `SELECT encode(..._send(value), 'hex')` gives it.
    #[track_caller]
    fn check(kind: Type, hex: &str, expected: Option<&str>) {
        let value: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let exact = text_form(&value, kind.oid(), &utf8);
        let read = exact.clone().or_else(|| shown(&value, kind.oid(), &utf8));
        assert_eq!(read.as_deref(), expected, "{kind} {hex}");
        let one_way = [Type::BOOL, Type::INT2, Type::INT4, Type::INT8, Type::OID, Type::UUID, Type::TEXT];
        assert_eq!(exact.is_some(), read.is_some() && one_way.contains(&kind), "{kind} {hex}");
    }

    #[test]
    fn what_has_one_text_form_is_read() {
        check(Type::BOOL, "01", Some("t"));
        check(Type::BOOL, "02", None);
        check(Type::INT2, "fffe", Some("-2"));
        check(Type::INT4, "00000100", Some("256"));
        check(Type::INT4, "0001", None);
        check(Type::INT8, "0000000000000007", Some("7"));
        check(Type::OID, "ffffffff", Some("4294967295"));
        check(Type::UUID, "0123456789abcdef0123456789abcdef", Some("01234567-89ab-cdef-0123-456789abcdef"));
        check(Type::TEXT, "6869", Some("hi"));
        check(Type::TEXT, "ff", None);
        check(Type::POINT, "00", None);
    }

    #[test]
    fn numbers_are_shown() {
        check(Type::NUMERIC, "0002000000000002000c1388", Some("12.50"));
        check(Type::NUMERIC, "0001ffff400000040001", Some("-0.0001"));
        check(Type::NUMERIC, "0000000000000000", Some("0"));
        check(Type::NUMERIC, "0000000000000002", Some("0.00"));
        check(Type::NUMERIC, "00010002000000000001", Some("100000000"));
        check(Type::NUMERIC, "0001fffe0000000a2694", Some("0.0000987600"));
        check(Type::NUMERIC, "00000000c0000000", Some("NaN"));
        check(Type::NUMERIC, "00000000f0000020", Some("-Infinity"));
        check(Type::NUMERIC, "00017fff000000000001", None);
        check(Type::NUMERIC, "00010000000000002710", None);
        check(Type::NUMERIC, "00020000000000000001", None);
        check(Type::NUMERIC, "000100000000000000", None);
        check(Type::FLOAT4, "3fc00000", Some("1.5"));
        check(Type::FLOAT8, "7ff8000000000000", Some("NaN"));
        check(Type::FLOAT8, "7fefffffffffffff", Some("1.7976931348623157e308"));
        check(Type::FLOAT8, "3fc00000", None);
    }

    #[test]
    fn times_are_shown() {
        check(Type::DATE, "00000000", Some("2000-01-01"));
        check(Type::DATE, "ffffffff", Some("1999-12-31"));
        check(Type::DATE, "7fffffff", Some("infinity"));
        check(Type::DATE, "7ffffffe", None);
        check(Type::TIMESTAMP, "0000000000000001", Some("2000-01-01T00:00:00.000001"));
        check(Type::TIMESTAMPTZ, "0000000000000000", Some("2000-01-01T00:00:00Z"));
        check(Type::TIMESTAMPTZ, "8000000000000000", Some("-infinity"));
        check(Type::TIMESTAMPTZ, "7ffffffffffffffe", None);
        check(Type::TIME, "0000000000000001", Some("00:00:00.000001"));
        check(Type::TIME, "000000141dd76000", Some("24:00:00"));
        check(Type::TIME, "000000141dd76001", None);
        check(Type::INTERVAL, "000000000000000100000002fffffffd", Some("-3 months, 2 days, 1µs"));
    }

    #[test]
    fn bytes_arrays_and_the_rest_are_shown() {
        check(Type::BYTEA, "00ff", Some("\\x00ff"));
        check(Type::INET, "02200004c0a80001", Some("192.168.0.1/32"));
        check(Type::JSONB, "017b7d", Some("{}"));
        check(Type::JSONB, "027b7d", None);
        check(Type::INT4_ARRAY, "0000000100000001000000170000000200000001000000040000000affffffff", Some("{10,NULL}"));
        check(Type::TEXT_ARRAY, "0000000100000000000000190000000100000001000000026122", Some(r#"{"a\""}"#));
        check(Type::TEXT_ARRAY, "000000000000000000000019", Some("{}"));
        check(Type::INT4_ARRAY, "000000010000000000000017000000020000000100000004", None);
        let long = shown(&[7; 500], Type::BYTEA.oid(), &utf8).unwrap();
        assert!(long.ends_with("07… (500 bytes)") && long.len() < 200);
        let mut many = BytesMut::new();
        let ints = std::iter::repeat_n(1, 1000);
        let put = |one: i32, out: &mut BytesMut| {
            wire::int4_to_sql(one, out);
            Ok(postgres_protocol::IsNull::No)
        };
        let dimension = wire::ArrayDimension { len: 1000, lower_bound: 1 };
        wire::array_to_sql([dimension], Type::INT4.oid(), ints, put, &mut many).unwrap();
        assert!(shown(&many, Type::INT4_ARRAY.oid(), &utf8).unwrap().ends_with("1}… (1000 elements)"));
    }

    #[test]
    fn types_have_names() {
        assert_eq!(type_name(1700), "type numeric");
        assert_eq!(type_name(1_000_000), "type 1000000");
        assert_eq!(type_name(0), "of a type that is not known");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(kind in 1_u32..5000, value in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _ = (text_form(&value, kind, &utf8), type_name(kind));
            if let Some(shown) = shown(&value, kind, &utf8) {
                proptest::prop_assert!(shown.len() <= 300 + 20 * value.len());
            }
        }

        #[test]
        fn no_number_or_array_panics(
            start in proptest::collection::vec(0_u8..3, 20),
            value in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        ) {
            let value = [start, value].concat();
            for kind in [Type::NUMERIC, Type::INT4_ARRAY, Type::NUMERIC_ARRAY, Type::INTERVAL, Type::INET] {
                let _ = shown(&value, kind.oid(), &utf8);
            }
        }
    }
}
