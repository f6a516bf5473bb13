//! Reads how many clients a listener takes at once.

use hoopcore::policy::Node;

use super::{Fields, Reader};
use crate::config::grammar::{self, MOST_CLIENTS};
use crate::config::limits::ClientLimits;

impl Reader {
    pub(super) fn client_limits(&mut self, node: &Node<'_>) -> Option<ClientLimits> {
        let fields = self.fields(node, &grammar::CLIENT_LIMITS)?;
        let clients = self.clients(&fields, "clients");
        let logins = self.clients(&fields, "logins");
        let logins_per_address = self.clients(&fields, "logins_per_address");
        let usual = ClientLimits::default();
        Some(ClientLimits {
            clients: clients?.unwrap_or(usual.clients),
            logins: logins?.unwrap_or(usual.logins),
            logins_per_address: logins_per_address?.unwrap_or(usual.logins_per_address),
        })
    }

    fn clients(&mut self, fields: &Fields<'_>, name: &str) -> Option<Option<usize>> {
        self.optional(fields, name, |reader, node| {
            let text = reader.text(node, "a number of clients")?;
            let number = text.parse().ok().filter(|number| (1..=MOST_CLIENTS).contains(number));
            if number.is_none() {
                let help = format!("write a number from 1 to {MOST_CLIENTS}");
                reader.error(node.at, format!("`{text}` is no number of clients"), &help);
            }
            number.and_then(|number| usize::try_from(number).ok())
        })
    }
}
