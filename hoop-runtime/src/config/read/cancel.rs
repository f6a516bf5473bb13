//! The block `cancel:`: what instances of a gateway share to carry out cancel requests.

use std::collections::BTreeMap;

use hoopcore::policy::Node;
use secrecy::{ExposeSecret as _, SecretString};

use super::Reader;
use crate::config::{CancelRequests, ServerAddr, grammar};

/// A shorter secret could be guessed by who was given keys that it seals.
const SHORTEST_KEY: usize = 32;

impl Reader {
    pub(super) fn cancel(&mut self, node: &Node<'_>) -> Option<CancelRequests> {
        let fields = self.fields(node, &grammar::CANCEL)?;
        let key = fields.get("key").and_then(|node| self.cancel_key(node));
        let instance = fields.get("instance").and_then(|node| self.instance(node));
        let peers = self.optional(&fields, "peers", Self::peers);
        let (key, instance, peers) = (key?, instance?, peers?.unwrap_or_default());
        if peers.contains_key(&instance) {
            let help = "every instance has a number of its own, and `peers` lists the others";
            self.error(node.at, format!("instance {instance} is its own peer"), help);
        }
        Some(CancelRequests { key, instance, peers })
    }

    fn cancel_key(&mut self, node: &Node<'_>) -> Option<SecretString> {
        let key = self.secret(node)?;
        if key.expose_secret().len() < SHORTEST_KEY {
            let message = format!("the key for cancel requests has less than {SHORTEST_KEY} characters");
            self.error(node.at, message, "make one with `openssl rand -hex 32`");
            return None;
        }
        Some(key)
    }

    fn instance(&mut self, node: &Node<'_>) -> Option<u8> {
        let text = self.text(node, "the number of an instance")?;
        let number = text.parse().ok().filter(|number| (1..=127).contains(number));
        if number.is_none() {
            self.error(node.at, format!("`{text}` is no number of an instance"), "write a number from 1 to 127");
        }
        number
    }

    fn peers(&mut self, node: &Node<'_>) -> Option<BTreeMap<u8, ServerAddr>> {
        let entries = self.entries(node, "`peers`")?;
        let peers: Vec<_> = entries
            .into_iter()
            .map(|(_, key, value)| Some((self.instance(key), self.server_addr(value))))
            .map(|both| both.and_then(|(number, address)| Some((number?, address?))))
            .collect();
        peers.into_iter().collect()
    }
}
