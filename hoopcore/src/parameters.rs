//! The values bound to a command's parameters: what rules compare, what people are shown, and what tells them apart.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The value of one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter<'a> {
    /// NULL.
    Null,
    /// Its text form, which rules compare.
    Text(Cow<'a, str>),
    /// What people are shown of it. To rules it is not known: its text form may be another.
    Shown(Cow<'a, str>),
    /// Nobody can be shown it: what it is, in words. To rules it is not known.
    Unread(Cow<'a, str>),
}

impl Parameter<'_> {
    /// The same, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> Parameter<'_> {
        match self {
            Self::Null => Parameter::Null,
            Self::Text(text) => Parameter::Text(Cow::Borrowed(text)),
            Self::Shown(text) => Parameter::Shown(Cow::Borrowed(text)),
            Self::Unread(what) => Parameter::Unread(Cow::Borrowed(what)),
        }
    }

    /// The same, to be kept.
    #[must_use]
    pub fn into_owned(self) -> Parameter<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Parameter::Null,
            Self::Text(text) => Parameter::Text(own(text)),
            Self::Shown(text) => Parameter::Shown(own(text)),
            Self::Unread(what) => Parameter::Unread(own(what)),
        }
    }
}

/// The values bound to a command's parameters, as whoever asks has them. They are read where a rule asks for one or people
/// are to be shown them, and nowhere else.
///
/// Texts that are at hand are parameters as they are; `None` is NULL:
/// ```
/// use hoopcore::parameters::{Parameter, Parameters};
///
/// let bound = vec![Some("5".to_owned()), None];
/// assert_eq!(bound.get(0), Some(Parameter::Text("5".into())));
/// assert_eq!(bound.get(1), Some(Parameter::Null));
/// assert_eq!(bound.get(2), None);
/// ```
pub trait Parameters: fmt::Debug {
    /// How many there are.
    fn count(&self) -> usize;

    /// The value of one, counted from zero; `None` where there are not so many.
    fn get(&self, index: usize) -> Option<Parameter<'_>>;

    /// Hands over, part by part, all that tells these values from others: for those of a wire protocol bytes, forms and
    /// types, whether they can be read or not. A grant is good for values of which all parts are the same.
    fn identify(&self, part: &mut dyn FnMut(&[u8]));

    /// Whether values of the same parts are surely the same. Where they are not, people's consent is good for one
    /// execution.
    fn are_told_apart(&self) -> bool;
}

impl Parameters for Vec<Option<String>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        let value = <[_]>::get(self, index)?.as_deref();
        Some(value.map_or(Parameter::Null, |text| Parameter::Text(Cow::Borrowed(text))))
    }

    fn identify(&self, part: &mut dyn FnMut(&[u8])) {
        for value in self {
            part(&[u8::from(value.is_some())]);
            part(value.as_deref().unwrap_or_default().as_bytes());
        }
    }

    fn are_told_apart(&self) -> bool {
        true
    }
}

/// What was shown of values whose identity is kept elsewhere.
#[derive(Debug)]
pub(crate) struct Kept<'a>(pub(crate) &'a [Parameter<'static>]);

impl Parameters for Kept<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        self.0.get(index).map(Parameter::borrowed)
    }

    fn identify(&self, _: &mut dyn FnMut(&[u8])) {}

    fn are_told_apart(&self) -> bool {
        false
    }
}
