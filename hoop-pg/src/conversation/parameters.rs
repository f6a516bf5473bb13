//! The values of a statement's parameters, in text form.

use crate::message::Bind;

/// The parameters of a Bind as text; `None` where one of them has a form that is not known here.
/// `text` reads one as it stands on the wire.
pub(super) fn read(
    bind: &Bind<'_>,
    types: &[u32],
    text: impl Fn(&[u8]) -> Option<String>,
) -> Option<Vec<Option<String>>> {
    let types = types.iter().copied().chain(core::iter::repeat(0));
    bind.parameters()
        .zip(types)
        .map(|((binary, value), kind)| match value {
            None => Some(None),
            Some(value) if binary => binary_text(value, kind, &text).map(Some),
            Some(value) => text(value).map(Some),
        })
        .collect()
}

/// A value in the binary form of its type, by the type's OID in `pg_type.dat`.
fn binary_text(value: &[u8], kind: u32, text: impl Fn(&[u8]) -> Option<String>) -> Option<String> {
    match kind {
        16 => match value {
            [0] => Some("f".into()),
            [1] => Some("t".into()),
            _ => None,
        },
        21 => Some(i16::from_be_bytes(value.try_into().ok()?).to_string()),
        23 => Some(i32::from_be_bytes(value.try_into().ok()?).to_string()),
        20 => Some(i64::from_be_bytes(value.try_into().ok()?).to_string()),
        26 => Some(u32::from_be_bytes(value.try_into().ok()?).to_string()),
        2950 => uuid(value),
        // name, text, json, unknown, bpchar, varchar
        19 | 25 | 114 | 705 | 1042 | 1043 => text(value),
        _ => None,
    }
}

fn uuid(value: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(value.try_into().ok()?);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to);
    Some([part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(formats: &[u8], values: &[u8], types: &[u32], expected: Option<&[Option<&str>]>) {
        let body = [b"\0\0", formats, values, b"\0\0"].concat();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let read = read(&Bind::read(&body).unwrap(), types, text);
        let expected = expected.map(|values| values.iter().map(|value| value.map(str::to_owned)).collect::<Vec<_>>());
        assert_eq!(read, expected);
    }

    #[test]
    fn parameters_are_read_as_text_or_not_at_all() {
        let text = b"\0\0";
        let binary = b"\0\x01\0\x01";
        check(text, b"\0\0", &[], Some(&[]));
        check(text, b"\0\x02\0\0\0\x01x\xff\xff\xff\xff", &[25], Some(&[Some("x"), None]));
        check(text, b"\0\x01\0\0\0\x01\xff", &[], None);
        check(binary, b"\0\x01\0\0\0\x02\xff\xfe", &[21], Some(&[Some("-2")]));
        check(binary, b"\0\x01\0\0\0\x04\0\0\x01\0", &[23], Some(&[Some("256")]));
        check(binary, b"\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x07", &[20], Some(&[Some("7")]));
        check(binary, b"\0\x01\0\0\0\x04\xff\xff\xff\xff", &[26], Some(&[Some("4294967295")]));
        check(binary, b"\0\x01\0\0\0\x01\x01", &[16], Some(&[Some("t")]));
        check(binary, b"\0\x01\0\0\0\x02hi", &[25], Some(&[Some("hi")]));
        check(
            binary,
            b"\0\x01\0\0\0\x10\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef",
            &[2950],
            Some(&[Some("01234567-89ab-cdef-0123-456789abcdef")]),
        );
        check(binary, b"\0\x01\0\0\0\x02\0\x01", &[23], None);
        check(binary, b"\0\x01\0\0\0\x01\x02", &[16], None);
        check(binary, b"\0\x01\0\0\0\x02hi", &[], None);
        check(binary, b"\0\x01\0\0\0\x02hi", &[1700], None);
    }
}
