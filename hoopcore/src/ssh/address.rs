//! Where a forwarded connection goes to.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::Unread;
use crate::command::ssh::{Effect, Object, Verb};

/// The effect of forwarding to `host:port`; an IPv6 address stands in brackets.
pub(super) fn read(target: &str) -> Result<Effect, Unread> {
    let (host, port) = target.rsplit_once(':').ok_or("a forward goes to `host:port`")?;
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| is_number && *port != 0);
    let port = port.ok_or("the port of a forward is a number from 1 to 65535")?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => alloc::format!("{}", host.parse::<Ipv6Addr>().map_err(|_| "the brackets hold no IPv6 address")?),
        None => name(host)?,
    };
    Ok(Effect { verb: Verb::Forward, object: Object::Address { host: host.into(), port } })
}

/// A host's name in lower case, or its IPv4 address in the usual form. Resolvers take other numbers for addresses too.
fn name(host: &str) -> Result<alloc::string::String, Unread> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if !host.split('.').all(is_label) {
        return Err("the host of a forward is a name or an address");
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("the host of a forward is a number that stands for an address");
    }
    Ok(host)
}
