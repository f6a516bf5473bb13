//! Whether a connection is one for replication: the server then speaks to it as a walsender does.

use crate::refusal::{Refusal, code};

/// What the startup parameter `replication` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replication {
    /// An ordinary session.
    #[default]
    No,
    /// `database`: commands of replication and SQL in one database.
    Logical,
    /// `true`: commands of replication for the whole cluster, and no SQL.
    Physical,
}

impl Replication {
    /// Reads the parameter's value as PostgreSQL does (`ProcessStartupPacket`).
    ///
    /// # Errors
    /// Where it is neither `database` nor a truth value.
    pub fn parse(value: &str) -> Result<Self, Refusal> {
        let folded = value.to_ascii_lowercase();
        let begins = |word: &str, least: usize| folded.len() >= least && word.starts_with(&folded);
        match folded.as_str() {
            "database" if value == "database" => Ok(Self::Logical),
            "1" | "on" => Ok(Self::Physical),
            "0" => Ok(Self::No),
            _ if begins("true", 1) || begins("yes", 1) => Ok(Self::Physical),
            _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Ok(Self::No),
            _ => Err(Refusal::new(code::VALUE, "invalid value for parameter \"replication\"")
                .with_hint("valid values are: false, true, database")),
        }
    }

    /// The value to ask the server with.
    pub(crate) fn value(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Logical => Some("database"),
            Self::Physical => Some("true"),
        }
    }

    /// Whether it is one for replication.
    pub(crate) fn is_on(self) -> bool {
        match self {
            Self::No => false,
            Self::Logical | Self::Physical => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_server_reads_them() {
        let check = |value: &str, expected: Option<Replication>| {
            assert_eq!(Replication::parse(value).ok(), expected, "{value}");
        };
        for value in ["true", "TRUE", "t", "yes", "y", "on", "ON", "1"] {
            check(value, Some(Replication::Physical));
        }
        for value in ["false", "f", "no", "n", "off", "of", "0"] {
            check(value, Some(Replication::No));
        }
        check("database", Some(Replication::Logical));
        for value in ["", "o", "DATABASE", "Database", "data", "truest", "2", "on "] {
            check(value, None);
        }
    }
}
