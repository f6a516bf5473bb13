//! Clients' certificates: who signs them, and whom the names in them stand for.

use std::collections::BTreeSet;

use hoopcore::policy::Node;

use super::{Reader, value_of};
use crate::config::{CertificateName, ClientCertificates, grammar};

/// Makes a name of a text.
type Naming = fn(String) -> CertificateName;

/// What names in certificates are called.
const KINDS: [(&str, Naming); 4] = [
    ("cn", CertificateName::Common),
    ("dns", |name| CertificateName::Dns(name.to_ascii_lowercase())),
    ("uri", CertificateName::Uri),
    ("email", CertificateName::Email),
];

impl Reader {
    pub(super) fn client_certificates(&mut self, node: &Node<'_>) -> Option<ClientCertificates> {
        let fields = self.fields(node, &grammar::CLIENTS)?;
        let ca = fields.get("ca").and_then(|node| self.existing(node, "a certificate"));
        let required = self.optional(&fields, "required", Self::truth);
        Some(ClientCertificates { ca: ca?, required: required?.unwrap_or_default() })
    }

    pub(super) fn certificate_names(&mut self, node: &Node<'_>) -> Option<BTreeSet<CertificateName>> {
        let fields = self.fields(node, &grammar::CERTIFICATE_NAMES)?;
        let mut names = BTreeSet::new();
        for (kind, naming) in KINDS {
            let found = self.optional(&fields, kind, |reader, node| reader.names(node, "a name in a certificate"))?;
            let found: BTreeSet<String> = found.unwrap_or_default();
            names.extend(found.into_iter().map(naming));
        }
        if names.is_empty() {
            self.error(
                node.at,
                "`certificate` names nothing",
                "write `{ dns: NAME }`, `{ uri: URI }` or `{ cn: NAME }`",
            );
            return None;
        }
        Some(names)
    }

    /// Certificates that let somebody in must be asked for by some listener.
    pub(super) fn certificates_are_asked_for(&mut self, identities: &Node<'_>, listeners: &Node<'_>) {
        let asked = listeners.items().iter().filter_map(|listener| value_of(listener, "tls"));
        if asked.into_iter().any(|tls| value_of(tls, "clients").is_some()) {
            return;
        }
        let hoopcore::policy::Value::Map(entries) = &identities.value else { return };
        for certificate in entries.iter().filter_map(|(_, identity)| value_of(identity, "certificate")) {
            let help = "give a listener `tls: { …, clients: { ca: FILE } }`";
            self.error(certificate.at, "no listener asks clients for certificates", help);
        }
    }
}
