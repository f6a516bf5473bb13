//! Names in clients' certificates, and whom they stand for.

use std::fmt;

/// A name in a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateName {
    /// The common name of its subject.
    Common(String),
    /// A host name, in lower case.
    Dns(String),
    /// A URI, such as a SPIFFE ID.
    Uri(String),
    /// A mail address.
    Email(String),
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::Common(name) => ("cn", name),
            Self::Dns(name) => ("dns", name),
            Self::Uri(name) => ("uri", name),
            Self::Email(name) => ("email", name),
        };
        write!(f, "{kind}:{name}")
    }
}
