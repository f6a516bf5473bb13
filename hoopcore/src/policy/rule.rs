//! Rules as they were checked: nothing in here can still be wrong.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::pattern::Glob;
use super::reach::Reaches;
use super::time::Window;
use crate::decision::RuleRef;
use crate::grant::Terms;
use crate::identity::IdentityKind;
use crate::mask::{ColumnMask, Detector, Style};
use crate::resource::ResourceKind;
use crate::truth::Truth;

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its name, file and line.
    pub(crate) at: RuleRef,
    pub(crate) place: Written,
    pub(crate) who: Condition<WhoFact>,
    pub(crate) on: Condition<OnFact>,
    pub(crate) when: Condition<WhenFact>,
    pub(crate) action: Action,
    /// Few rules have any.
    pub(crate) limits: Option<Box<LimitWords>>,
    pub(crate) reason: Option<Arc<str>>,
}

/// Where a rule was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// How many rules were written before it, in all files.
    pub(crate) order: usize,
    /// The column of its name, counted from one, and how many characters that takes.
    pub(crate) column: u32,
    pub(crate) width: u32,
}

/// The `limits` of an allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LimitWords {
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) seconds: Option<u64>,
    pub(crate) per_minute: Option<u32>,
}

impl Rule {
    /// Whether it limits what it lets through.
    pub(crate) fn is_limited(&self) -> bool {
        self.limits.is_some()
    }

    /// How much it lets through.
    pub(crate) fn limits(&self) -> LimitWords {
        self.limits.as_deref().copied().unwrap_or_default()
    }
}

/// What a rule does, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Block,
    Allow,
    /// An allow that limits what it lets through.
    Limit,
    Approve,
    Mask,
}

impl Does {
    /// What a rule does.
    pub(crate) fn of(rule: &Rule) -> Self {
        match &rule.action {
            Action::Block(_) => Self::Block,
            Action::Allow(_) if rule.is_limited() => Self::Limit,
            Action::Allow(_) => Self::Allow,
            Action::Approve(_) => Self::Approve,
            Action::Mask(_) => Self::Mask,
        }
    }
}

/// What a rule does.
#[derive(Debug)]
pub(crate) enum Action {
    Allow(Reaches),
    Block(Reaches),
    Approve(Box<Approval>),
    Mask(Masks),
}

/// What an approve demands.
#[derive(Debug)]
pub(crate) struct Approval {
    pub(crate) what: Asked,
    pub(crate) group: Arc<str>,
    pub(crate) people: u32,
    pub(crate) within: Duration,
    pub(crate) terms: Terms,
}

/// What an approve covers.
#[derive(Debug)]
pub(crate) enum Asked {
    Effects(Reaches),
    /// Whatever no allow surely covers.
    Otherwise,
}

/// What a mask hides.
#[derive(Debug)]
pub(crate) struct Masks {
    pub(crate) columns: Box<[ColumnMask]>,
    pub(crate) detectors: Box<[(Detector, Style)]>,
    pub(crate) on_inference: OnInference,
    pub(crate) on_uncertain: OnUncertain,
    pub(crate) on_copy: OnCopy,
}

/// What becomes of a COPY of a protected column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnCopy {
    /// It goes through; its rows are masked.
    Allow,
    /// It is refused.
    Block,
}

/// What becomes of a command that may tell a protected value otherwise than by returning its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnInference {
    /// It goes through; computed cells are hidden.
    Allow,
    /// Only comparing for equality goes through.
    Equality,
    /// Nothing goes through but returning the bare column.
    Block,
}

/// What becomes of a command of which hoop cannot see whether it reads a protected column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnUncertain {
    /// It goes through; computed cells are hidden.
    Mask,
    /// It is refused.
    Block,
}

/// A condition over facts, in strong Kleene logic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition<F> {
    /// All hold; of none, that is so.
    All(Vec<Self>),
    /// One at least holds.
    OneOf(Vec<Self>),
    Not(Box<Self>),
    Is(F),
}

/// A fact about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhoFact {
    User(Glob),
    Group(Glob),
    Claim(Arc<str>, Glob),
    Kind(IdentityKind),
    Issuer(Glob),
}

/// A fact about the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OnFact {
    Name(Glob),
    Kind(ResourceKind),
    Label(Arc<str>, Glob),
    Database(Glob),
}

/// A fact about the effect or the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhenFact {
    Unbounded(bool),
    Copy(bool),
    Code(bool),
    /// A parameter of the request's query has this name.
    Query(Glob),
    /// The media type of the request's body.
    Media(Glob),
    Time(Box<Window>),
    Source(Network),
    Claim(Arc<str>, Glob),
    /// The value of a parameter, counted from one.
    Parameter(usize, Glob),
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(super) address: IpAddr,
    pub(super) bits: u8,
}

impl<F> Condition<F> {
    /// What always holds.
    pub(crate) fn always() -> Self {
        Self::All(Vec::new())
    }

    /// That all of some hold: of one alone, that it does.
    pub(crate) fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::combined(conditions, Self::All)
    }

    /// That one at least of some holds: of one alone, that it does.
    pub(crate) fn one_of(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::combined(conditions, Self::OneOf)
    }

    fn combined(conditions: impl IntoIterator<Item = Self>, several: fn(Vec<Self>) -> Self) -> Self {
        let mut conditions = conditions.into_iter();
        match (conditions.next(), conditions.next()) {
            (Some(one), None) => one,
            (first, second) => several(first.into_iter().chain(second).chain(conditions).collect()),
        }
    }

    pub(crate) fn is_always(&self) -> bool {
        matches!(self, Self::All(all) if all.is_empty())
    }

    /// Every fact that it asks for, or for the opposite of. As deep as the text was nested.
    pub(crate) fn facts(&self) -> Vec<&F> {
        match self {
            Self::All(several) | Self::OneOf(several) => several.iter().flat_map(Self::facts).collect(),
            Self::Not(inner) => inner.facts(),
            Self::Is(fact) => vec![fact],
        }
    }

    /// Whether it holds, given whether each fact does. As deep as the text was nested, which the reader bounds.
    pub(crate) fn truth(&self, fact: &impl Fn(&F) -> Truth) -> Truth {
        match self {
            Self::All(all) => all.iter().fold(Truth::Yes, |truth, one| truth.and(one.truth(fact))),
            Self::OneOf(any) => any.iter().fold(Truth::No, |truth, one| truth.or(one.truth(fact))),
            Self::Not(inner) => inner.truth(fact).negate(),
            Self::Is(is) => fact(is),
        }
    }
}

/// Why a text names no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoNetwork {
    /// It is no address, or there are not so many bits.
    Unread,
    /// The address goes on behind the bits that count; the range that it lies in.
    Within(Network),
    /// IPv4 addresses as IPv6 has them, and others beside them.
    Mapped,
}

impl Network {
    /// The network that an address with an optional `/bits` names. An IPv4 network written as IPv6 is that IPv4 network.
    pub(crate) fn parse(text: &str) -> Result<Self, NoNetwork> {
        let network = Self::written(text).ok_or(NoNetwork::Unread)?.canonical().ok_or(NoNetwork::Mapped)?;
        let first = Self { address: network.first(), ..network };
        if first == network { Ok(network) } else { Err(NoNetwork::Within(first)) }
    }

    fn written(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(longest), |bits| bits.parse().ok().filter(|bits| *bits <= longest))?;
        Some(Self { address, bits })
    }

    /// The same with an IPv4 address as one (`::ffff:10.0.0.0/104` is `10.0.0.0/8`); `None` where the range holds others.
    fn canonical(self) -> Option<Self> {
        match (self.address, self.address.to_canonical()) {
            (IpAddr::V6(_), address @ IpAddr::V4(_)) => Some(Self { address, bits: self.bits.checked_sub(96)? }),
            (IpAddr::V4(_), IpAddr::V4(_)) | (_, IpAddr::V6(_)) => Some(self),
        }
    }

    /// The address without what stands behind the bits that count.
    fn first(self) -> IpAddr {
        let bits = u32::from(self.bits);
        match self.address {
            IpAddr::V4(address) => {
                let mask = 32_u32.checked_sub(bits).and_then(|rest| u32::MAX.checked_shl(rest)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = 128_u32.checked_sub(bits).and_then(|rest| u128::MAX.checked_shl(rest)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        }
    }

    /// Whether an address lies in it. An IPv4 address written as IPv6 counts as the IPv4 address that it is.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Self { address, ..*self }.first() == self.address
    }
}
