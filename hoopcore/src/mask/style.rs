//! The styles in which a value is hidden, and what each leaves of a text.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::key::Domain;
use super::{CellFormat, CellType, JsonMask, pseudonym, shift};

/// What `redact` leaves of a text.
const REDACTED: &[u8] = b"[redacted]";

/// What `partial` puts in place of all that it hides, however long that was.
const STARS: &[u8] = b"****";

/// How a value is hidden.
///
/// Every style but `null` leaves a text; a type that cannot carry one gets NULL in its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// The cell becomes NULL.
    Null,
    /// The value becomes `[redacted]`.
    Redact,
    /// The value becomes this text.
    Fixed(Arc<str>),
    /// Another value of the same shape, the same for the same value: whole numbers, UUIDs and texts carry it.
    Pseudonym(Arc<Domain>),
    /// A date, with or without a time, is moved by a number of days, the same for all values of the domain.
    Shift(Arc<Domain>),
    /// The value becomes `****` and its last characters: the length of what is hidden does not show. A value of no
    /// more characters than would stay becomes `****`, and so does one whose end is not UTF-8.
    Partial {
        /// How many characters stay.
        keep: u8,
    },
    /// What paths select in a JSON document is hidden, each in its own style; a document that cannot be followed becomes
    /// NULL.
    Json(Arc<[JsonMask]>),
}

/// Finds the strictest of several styles, one at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Strictest<'a> {
    best: Option<&'a Style>,
    fixed: Option<&'a Style>,
    pseudonym: Option<&'a Style>,
    shift: Option<&'a Style>,
    partial: Option<&'a Style>,
}

impl Style {
    /// The strictest of several: `null > redact > fixed > pseudonym > shift > partial`; two of one style that
    /// differ add `redact`.
    #[must_use]
    pub fn strictest<'a>(styles: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut strictest = Strictest::default();
        styles.into_iter().for_each(|style| strictest.add(style));
        strictest.style().cloned()
    }

    /// The strictest of several on a cell of this type: each, and what comes of them, is first what the type can carry.
    pub(crate) fn strictest_on<'a>(kind: CellType, styles: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let strictest = Self::strictest(styles.into_iter().map(|style| style.carried_by(kind)))?;
        Some(strictest.carried_by(kind).clone())
    }

    /// The style itself where a cell of this type can carry what it leaves, else `null`.
    fn carried_by(&self, kind: CellType) -> &Self {
        let carried = match self {
            Self::Null => true,
            Self::Redact | Self::Fixed(_) | Self::Partial { .. } => kind == CellType::Text,
            Self::Pseudonym(domain) => {
                domain.has_key() && matches!(kind, CellType::Text | CellType::Integer(_) | CellType::Uuid)
            }
            Self::Shift(domain) => domain.has_key() && matches!(kind, CellType::Date | CellType::Timestamp),
            Self::Json(_) => kind == CellType::Json,
        };
        if carried { self } else { &Self::Null }
    }

    /// Writes what the style leaves of a value that is no text, in its own type and format; `None` where it leaves NULL.
    pub(crate) fn exchange(&self, kind: CellType, format: CellFormat, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match (self, kind) {
            (Self::Pseudonym(domain), CellType::Integer(width)) => {
                pseudonym::integer(domain, width, format, value, out)
            }
            (Self::Pseudonym(domain), CellType::Uuid) => pseudonym::uuid(domain, format, value, out),
            (Self::Shift(domain), CellType::Date) => shift::date(domain, format, value, out),
            (Self::Shift(domain), CellType::Timestamp) => shift::timestamp(domain, format, value, out),
            (Self::Null | Self::Redact | Self::Fixed(_) | Self::Partial { .. } | Self::Json(_), _)
            | (
                Self::Pseudonym(_),
                CellType::Text
                | CellType::Date
                | CellType::Timestamp
                | CellType::Scalar
                | CellType::Json
                | CellType::Other,
            )
            | (
                Self::Shift(_),
                CellType::Text
                | CellType::Integer(_)
                | CellType::Uuid
                | CellType::Scalar
                | CellType::Json
                | CellType::Other,
            ) => None,
        }
    }

    /// Whether it hides more than `other`, as the policy orders them.
    #[must_use]
    pub fn is_stricter_than(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    /// What the style leaves of every text, where that is always the same.
    pub(crate) fn constant(&self) -> Option<&[u8]> {
        match self {
            Self::Redact => Some(REDACTED),
            Self::Fixed(fixed) => Some(fixed.as_bytes()),
            Self::Null | Self::Pseudonym(_) | Self::Shift(_) | Self::Partial { .. } | Self::Json(_) => None,
        }
    }

    /// Writes what the style leaves of `text`; `None` where it leaves NULL.
    pub(crate) fn write(&self, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Null | Self::Shift(_) | Self::Json(_) => return None,
            Self::Pseudonym(domain) => pseudonym::text(domain, text, out)?,
            Self::Redact => out.extend_from_slice(REDACTED),
            Self::Fixed(fixed) => out.extend_from_slice(fixed.as_bytes()),
            Self::Partial { keep } => {
                out.extend_from_slice(STARS);
                out.extend_from_slice(tail(text, *keep));
            }
        }
        Some(())
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 6,
            Self::Redact => 5,
            Self::Fixed(_) => 4,
            Self::Pseudonym(_) => 3,
            Self::Shift(_) => 2,
            Self::Partial { .. } => 1,
            Self::Json(_) => 0,
        }
    }
}

impl<'a> Strictest<'a> {
    /// Takes one more style into account.
    pub(crate) fn add(&mut self, style: &'a Style) {
        let same = match style {
            Style::Null | Style::Redact | Style::Json(_) => None,
            Style::Fixed(_) => self.fixed.replace(style),
            Style::Pseudonym(_) => self.pseudonym.replace(style),
            Style::Shift(_) => self.shift.replace(style),
            Style::Partial { .. } => self.partial.replace(style),
        };
        if same.is_some_and(|same| same != style) {
            self.raise(&Style::Redact);
        }
        self.raise(style);
    }

    /// The strictest so far.
    pub(crate) fn style(&self) -> Option<&'a Style> {
        self.best
    }

    fn raise(&mut self, style: &'a Style) {
        if self.best.is_none_or(|best| style.is_stricter_than(best)) {
            self.best = Some(style);
        }
    }
}

/// The last `keep` characters of a text; nothing where it has no more than that, or where they are not UTF-8.
fn tail(text: &[u8], keep: u8) -> &[u8] {
    let starts = text.iter().enumerate().rev().filter(|(_, byte)| !is_continuation(**byte)).map(|(at, _)| at);
    let kept = match usize::from(keep).checked_sub(1) {
        None => return &[],
        Some(before) => starts.clone().nth(before).filter(|at| *at > 0),
    };
    kept.and_then(|at| text.get(at..)).filter(|tail| core::str::from_utf8(tail).is_ok()).unwrap_or_default()
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn partial_keeps_the_last_characters() {
        for (keep, value, expected) in [
            (4, "4111111111111111", "****1111"),
            (4, "12345", "****2345"),
            (4, "1234", "****"),
            (4, "", "****"),
            (0, "secret", "****"),
            (3, "größe", "****öße"),
            (2, "日本語", "****本語"),
            (3, "日本語", "****"),
            (255, "short", "****"),
        ] {
            let mut out = Vec::new();
            Style::Partial { keep }.write(value.as_bytes(), &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected, "keep {keep} of {value}");
        }
    }

    #[test]
    fn partial_shows_nothing_of_an_end_that_is_not_utf8() {
        for value in [&b"abc\x80\x80\x80\x80\x80"[..], b"abcdef\xff", b"\x80\x80\x80\x80", b"ab\xc3\x28\x80c"] {
            let mut out = Vec::new();
            Style::Partial { keep: 2 }.write(value, &mut out).unwrap();
            assert_eq!(out, STARS, "{value:?}");
        }
    }

    #[test]
    fn the_strictest_wins_in_any_order() {
        let (null, redact) = (Style::Null, Style::Redact);
        let (x, y) = (Style::Fixed("x".into()), Style::Fixed("y".into()));
        let (two, four) = (Style::Partial { keep: 2 }, Style::Partial { keep: 4 });
        for (styles, expected) in [
            (alloc::vec![&four], &four),
            (alloc::vec![&four, &four], &four),
            (alloc::vec![&four, &x], &x),
            (alloc::vec![&two, &four], &redact),
            (alloc::vec![&x, &y], &redact),
            (alloc::vec![&two, &x, &four], &redact),
            (alloc::vec![&x, &redact], &redact),
            (alloc::vec![&x, &y, &null], &null),
        ] {
            let mut reversed = styles.clone();
            reversed.reverse();
            assert_eq!(Style::strictest(styles).as_ref(), Some(expected));
            assert_eq!(Style::strictest(reversed).as_ref(), Some(expected));
        }
        assert_eq!(Style::strictest([]), None);
    }
}
