//! Reads how long a gateway waits.

use std::ops::RangeInclusive;
use std::time::Duration;

use hoopcore::policy::Node;
use jiff::SignedDuration;

use super::{Fields, Reader};
use crate::config::grammar;
use crate::config::timeouts::{ClientTimeouts, SessionTimeouts};

/// What can be waited for. Within a month, sums with the clock's time stay far from its end.
const WAITS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(30 * 24);

/// The system counts these in whole seconds, and not further.
const KEEPALIVES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(9);

impl Reader {
    pub(super) fn client_timeouts(&mut self, node: &Node<'_>) -> Option<ClientTimeouts> {
        let fields = self.fields(node, &grammar::CLIENT_TIMEOUTS)?;
        let login = self.timeout(&fields, "login", WAITS);
        let keepalive = self.timeout(&fields, "keepalive", KEEPALIVES);
        let usual = ClientTimeouts::default();
        Some(ClientTimeouts { login: login?.unwrap_or(usual.login), keepalive: keepalive?.unwrap_or(usual.keepalive) })
    }

    pub(super) fn session_timeouts(&mut self, node: &Node<'_>) -> Option<SessionTimeouts> {
        let fields = self.fields(node, &grammar::SESSION_TIMEOUTS)?;
        let connect = self.timeout(&fields, "connect", WAITS);
        let keepalive = self.timeout(&fields, "keepalive", KEEPALIVES);
        let idle = self.timeout(&fields, "idle", WAITS);
        let idle_in_transaction = self.timeout(&fields, "idle_in_transaction", WAITS);
        let statement = self.timeout(&fields, "statement", WAITS);
        let usual = SessionTimeouts::default();
        Some(SessionTimeouts {
            connect: connect?.unwrap_or(usual.connect),
            keepalive: keepalive?.unwrap_or(usual.keepalive),
            idle: idle?,
            idle_in_transaction: idle_in_transaction?,
            statement: statement?,
        })
    }

    fn timeout(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        range: RangeInclusive<Duration>,
    ) -> Option<Option<Duration>> {
        self.optional(fields, name, |reader, node| {
            let duration = reader.duration(node)?;
            if range.contains(&duration) {
                return Some(duration);
            }
            let (shortest, longest) = (words(*range.start()), words(*range.end()));
            let text = node.text().unwrap_or_default();
            let help = format!("write `{shortest}` to `{longest}`, or leave `{name}` out");
            reader.error(node.at, format!("nobody can wait for `{text}`"), &help);
            None
        })
    }
}

/// The duration as it is written in the file.
fn words(duration: Duration) -> String {
    SignedDuration::try_from(duration).map(|duration| format!("{duration:#}")).unwrap_or_default()
}
