//! A request of HTTP as an adapter read it from the wire.

use alloc::format;
use alloc::string::String;

use sha2::{Digest as _, Sha256};

/// A request of HTTP, to an API or to a Kubernetes API server.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The method, as it came.
    pub method: &'a str,
    /// The request's target as it came: a path and its query.
    pub target: &'a str,
    /// Names and values of the header fields, in order.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, where there is one.
    pub body: Option<&'a [u8]>,
}

/// Header fields that hold credentials: no record, and nobody who approves, is to see them.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

impl<'a> Message<'a> {
    /// A request without header fields and body.
    #[must_use]
    pub fn new(method: &'a str, target: &'a str) -> Self {
        Self { method, target, headers: &[], body: None }
    }

    /// The values of a header field, in order.
    #[cfg(any(feature = "http", feature = "kubernetes"))]
    pub(crate) fn all<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'a str> + 'm {
        let fields = self.headers.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| *value)
    }

    /// The whole request as text, for people who approve it; without credentials. Of a body that is no text its digest.
    #[cfg_attr(
        not(any(feature = "http", feature = "kubernetes")),
        expect(dead_code, reason = "nothing reads requests")
    )]
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{} {}", self.method, self.target);
        let is_shown = |name: &str| !CREDENTIALS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
        for (name, value) in self.headers.iter().filter(|(name, _)| is_shown(name)) {
            text.push('\n');
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
        }
        match self.body.map(|body| (body, core::str::from_utf8(body))) {
            None => {}
            Some((_, Ok(body))) => {
                text.push_str("\n\n");
                text.push_str(body);
            }
            Some((body, Err(_))) => {
                let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
                text.push_str(&format!("\n\n{} bytes, SHA-256 {digest}", body.len()));
            }
        }
        text
    }
}
