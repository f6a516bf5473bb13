//! Settings that a server reports while it lets the gateway in: of each, the last report counts.

use std::borrow::Cow;

use bytes::Bytes;

use crate::frame::HEADER;
use crate::message::{Malformed, parameter_status};

/// Settings and their values, as a server reported them last. A trigger on logins may change what was reported before.
#[derive(Clone, Debug, Default)]
pub struct Reported(Vec<Report>);

#[derive(Clone, Debug)]
struct Report {
    name: Bytes,
    value: Bytes,
    message: Bytes,
}

impl Reported {
    /// Takes a ParameterStatus (`S`) in place of what was reported of the same setting before.
    pub(crate) fn take(&mut self, message: Bytes) -> Result<(), Malformed> {
        let (name, value) = parameter_status(message.get(HEADER..).unwrap_or_default())?;
        let (name, value) = (message.slice_ref(name), message.slice_ref(value));
        self.0.retain(|report| report.name != name);
        self.0.push(Report { name, value, message });
        Ok(())
    }

    /// The value of a setting. Bytes that are not UTF-8 are replaced: a server writes them in the client's encoding.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let report = self.0.iter().find(|report| report.name == name.as_bytes())?;
        Some(String::from_utf8_lossy(&report.value))
    }

    /// The messages, as they came.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter().map(|report| &report.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::frame;

    fn reported(settings: &[(&[u8], &[u8])]) -> Reported {
        let mut reported = Reported::default();
        for (name, value) in settings {
            let mut message = bytes::BytesMut::new();
            frame(&mut message, b'S', |body| {
                body.bytes(&[*name, b"\0", *value, b"\0"].concat());
            });
            reported.take(message.freeze()).unwrap();
        }
        reported
    }

    #[test]
    fn the_last_report_of_a_setting_counts() {
        let all = reported(&[(b"a", b"on"), (b"b", b"1"), (b"a", b"off")]);
        assert_eq!((all.value("a").as_deref(), all.value("b").as_deref()), (Some("off"), Some("1")));
        assert_eq!(all.value("c"), None);
        let told: Vec<&[u8]> = all.messages().map(AsRef::as_ref).collect();
        assert_eq!(told, [&b"S\0\0\0\x08b\x001\0"[..], b"S\0\0\0\x0aa\0off\0"]);
    }

    #[test]
    fn what_is_not_utf8_goes_on_as_it_came() {
        let all = reported(&[(b"session_authorization", b"andr\xe9")]);
        assert_eq!(all.value("session_authorization").as_deref(), Some("andr\u{fffd}"));
        assert!(all.messages().all(|message| message.ends_with(b"andr\xe9\0")));
    }

    #[test]
    fn what_is_no_report() {
        for message in [&b"S\0\0\0\x04"[..], b"S\0\0\0\x06ab", b"S\0\0\0\x09a\0b\0\0", b"S"] {
            assert_eq!(Reported::default().take(Bytes::from_static(message)), Err(Malformed));
        }
    }
}
