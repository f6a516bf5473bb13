//! The values that are bound to a statement's parameters: kept as they came, read where somebody asks.

use std::cell::OnceCell;
use std::sync::Arc;

use hoopcore::parameters::{Parameter, Parameters};

use crate::binary;
use crate::charset::Charset;
use crate::message::Values;

/// The values of a Bind or a FunctionCall as they stand on the wire, with all that they are read by.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    /// Their part of the message.
    bytes: Arc<[u8]>,
    count: usize,
    /// The types of the parameters, as far as the client or the server named them.
    types: Arc<[u32]>,
    charset: Charset,
    /// The encoding of texts, as the server calls it; `None` while that is in doubt.
    encoding: Option<Arc<str>>,
}

impl Bound {
    /// Values for parameters of these types, of which texts stand in this encoding, if it is known for certain.
    pub(crate) fn new(values: Values<'_>, types: Arc<[u32]>, charset: Charset, encoding: Option<Arc<str>>) -> Self {
        Self { bytes: values.bytes().into(), count: values.count(), types, charset, encoding }
    }

    /// What they take, in bytes.
    pub(crate) fn taken(&self) -> usize {
        self.bytes.len() + self.types.len() * size_of::<u32>()
    }

    fn values(&self) -> impl Iterator<Item = (bool, u32, Option<&[u8]>)> {
        let types = self.types.iter().copied().chain(std::iter::repeat(0));
        let values = Values::read(&self.bytes).ok().into_iter().flat_map(|values| values.iter());
        values.zip(types).map(|((binary, value), kind)| (binary, kind, value))
    }

    fn read(&self) -> Vec<Parameter<'static>> {
        self.values()
            .map(|(binary, kind, value)| value.map_or(Parameter::Null, |value| self.value(binary, kind, value)))
            .collect()
    }

    fn value(&self, binary: bool, kind: u32, value: &[u8]) -> Parameter<'static> {
        let text = |bytes: &[u8]| self.charset.decode(bytes).map(String::from);
        let read = if binary { binary::text_form(value, kind, &text) } else { text(value) };
        let shown = || if binary { binary::shown(value, kind, &text) } else { None };
        match read {
            Some(text) => Parameter::Text(text.into()),
            None => shown().map_or_else(
                || Parameter::Unread(what(binary, kind, value).into()),
                |text| Parameter::Shown(text.into()),
            ),
        }
    }
}

/// What a value is that cannot be read.
fn what(binary: bool, kind: u32, value: &[u8]) -> String {
    let form = if binary { "binary" } else { "text" };
    format!("{form}, {} bytes, {}", value.len(), binary::type_name(kind))
}

/// The same, to ask about: they are read once, however many rules ask.
#[derive(Debug)]
pub(crate) struct Asked {
    bound: Bound,
    read: OnceCell<Vec<Parameter<'static>>>,
}

impl Asked {
    pub(crate) fn into_bound(self) -> Bound {
        self.bound
    }
}

impl From<Bound> for Asked {
    fn from(bound: Bound) -> Self {
        Self { bound, read: OnceCell::new() }
    }
}

impl Parameters for Asked {
    fn count(&self) -> usize {
        self.bound.count
    }

    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        self.read.get_or_init(|| self.bound.read()).get(index).map(Parameter::borrowed)
    }

    /// The encoding, all types, and each value with its form: what is not read counts like anything else.
    fn identify(&self, part: &mut dyn FnMut(&[u8])) {
        part(self.bound.encoding.as_deref().unwrap_or_default().as_bytes());
        part(&self.bound.types.iter().flat_map(|kind| kind.to_be_bytes()).collect::<Vec<_>>());
        for (binary, _, value) in self.bound.values() {
            part(&[u8::from(binary), u8::from(value.is_some())]);
            part(value.unwrap_or_default());
        }
    }

    fn are_told_apart(&self) -> bool {
        self.bound.count == 0 || self.bound.encoding.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters of these types, from the codes of their forms and their values with lengths.
    fn bound(forms: &[u8], values: &[u8], types: &[u32], encoding: Option<&str>) -> Asked {
        let bytes = [forms, values].concat();
        let charset = encoding.map_or(Charset::UNREAD, |name| Charset::named(name, "UTF8"));
        Bound::new(Values::read(&bytes).unwrap(), types.into(), charset, encoding.map(Into::into)).into()
    }

    const TEXT: &[u8] = b"\0\0";
    const BINARY: &[u8] = b"\0\x01\0\x01";

    #[track_caller]
    fn check(forms: &[u8], values: &[u8], types: &[u32], expected: &[Parameter<'_>]) {
        let bound = bound(forms, values, types, Some("UTF8"));
        assert_eq!((bound.count(), bound.get(bound.count())), (expected.len(), None));
        assert_eq!((0..bound.count()).filter_map(|at| bound.get(at)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn each_value_is_read_on_its_own() {
        use Parameter::{Null, Shown, Text, Unread};
        check(TEXT, b"\0\0", &[], &[]);
        check(TEXT, b"\0\x02\0\0\0\x01x\xff\xff\xff\xff", &[25], &[Text("x".into()), Null]);
        check(BINARY, b"\0\x01\0\0\0\x04\0\0\x01\0", &[23], &[Text("256".into())]);
        check(BINARY, b"\0\x01\0\0\0\x0a\0\x01\0\0\0\0\0\0\0\x07", &[1700], &[Shown("7".into())]);
        check(TEXT, b"\0\x01\0\0\0\x01\xff", &[], &[Unread("text, 1 bytes, of a type that is not known".into())]);
        let unread = Unread("binary, 2 bytes, type int4".into());
        check(BINARY, b"\0\x02\0\0\0\x02hi\0\0\0\x02hi", &[23, 25], &[unread, Text("hi".into())]);
        check(BINARY, b"\0\x01\0\0\0\x02hi", &[70_000], &[Unread("binary, 2 bytes, type 70000".into())]);
    }

    fn identity(bound: &Asked) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        bound.identify(&mut |part| parts.push(part.to_vec()));
        parts
    }

    #[test]
    fn whatever_the_server_could_tell_apart_is_told_apart() {
        let one = b"\0\x01\0\0\0\x02hi".as_slice();
        let all = [
            bound(TEXT, one, &[], Some("UTF8")),
            bound(BINARY, one, &[], Some("UTF8")),
            bound(BINARY, one, &[1700], Some("UTF8")),
            bound(BINARY, one, &[1700, 23], Some("UTF8")),
            bound(BINARY, one, &[1700], Some("BIG5")),
            bound(BINARY, b"\0\x01\0\0\0\x02ho", &[1700], Some("UTF8")),
            bound(BINARY, b"\0\x01\xff\xff\xff\xff", &[1700], Some("UTF8")),
            bound(BINARY, b"\0\x01\0\0\0\0", &[1700], Some("UTF8")),
            bound(BINARY, b"\0\x02\0\0\0\x01h\0\0\0\x01i", &[1700], Some("UTF8")),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().map(identity).collect();
        assert_eq!(different.len(), all.len());
        // One form for all is the same as the form of each.
        let each = bound(b"\0\x02\0\x01\0\x01", b"\0\x02\xff\xff\xff\xff\xff\xff\xff\xff", &[], Some("UTF8"));
        assert_eq!(
            identity(&each),
            identity(&bound(BINARY, b"\0\x02\xff\xff\xff\xff\xff\xff\xff\xff", &[], Some("UTF8")))
        );
        assert!(all.iter().all(Parameters::are_told_apart));
        assert!(!bound(TEXT, one, &[], None).are_told_apart());
        assert!(bound(TEXT, b"\0\0", &[], None).are_told_apart());
    }
}
