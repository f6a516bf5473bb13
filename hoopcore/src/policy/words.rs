//! How the facts that a rule asks for read, as they would be written in a policy.

use core::fmt;

use serde::Serialize;

use super::pattern::Glob;
use super::rule::{Network, OnFact, WhenFact, WhoFact};
use super::time::{Days, End, Window};

impl fmt::Display for WhoFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user: {name}"),
            Self::Group(name) => write!(f, "group: {name}"),
            Self::Claim(path, value) => write!(f, "claim: {{ {path}: {value} }}"),
            Self::Kind(kind) => {
                f.write_str("kind: ")?;
                kind.serialize(f)
            }
            Self::Issuer(name) => write!(f, "issuer: {name}"),
        }
    }
}

impl fmt::Display for OnFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "name: {name}"),
            Self::Kind(kind) => {
                f.write_str("kind: ")?;
                kind.serialize(f)
            }
            Self::Label(label, value) => write!(f, "labels: {{ {label}: {value} }}"),
            Self::Database(name) => write!(f, "database: {name}"),
        }
    }
}

impl fmt::Display for WhenFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbounded(wanted) => write!(f, "unbounded: {wanted}"),
            Self::Copy(wanted) => write!(f, "copy: {wanted}"),
            Self::Code(wanted) => write!(f, "code: {wanted}"),
            Self::Query(name) => write!(f, "query: {name}"),
            Self::Media(name) => write!(f, "media: {name}"),
            Self::Time(window) => write!(f, "time: {window}"),
            Self::Source(network) => write!(f, "source: {network}"),
            Self::Claim(path, value) => write!(f, "claim: {{ {path}: {value} }}"),
            Self::Parameter(number, value) => write!(f, "parameters: {{ {number}: {value} }}"),
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ ")?;
        if self.days != Days::ALL {
            write!(f, "days: [{}], ", self.days)?;
        }
        match self.hours {
            Some((from, End::At(to))) => {
                write!(f, "from: \"{}\", to: \"{}\", ", from.strftime("%H:%M"), to.strftime("%H:%M"))?;
            }
            Some((from, End::Midnight)) => write!(f, "from: \"{}\", to: \"24:00\", ", from.strftime("%H:%M"))?,
            None => {}
        }
        write!(f, "zone: {} }}", self.zone_name)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words().enumerate() {
            write!(f, "{}{word}", if at > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
