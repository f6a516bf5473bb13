//! Where connections come from, as far as they are counted by it.

use std::net::{IpAddr, Ipv6Addr};

/// What an address counts as: one who has an IPv6 address has a network of them (RFC 6177).
pub(crate) fn counted(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}
