//! Addresses of machines: IPv4, IPv6 and MAC.

use core::net::Ipv6Addr;
use core::ops::Range;

use memchr::memchr_iter;

use super::findings::Sink;
use super::text::{Class, Runs, begins_word, byte_at, byte_before, ends_word, off_number};
use super::{Entry, Scan};

/// The longest IPv6 address, with an IPv4 address at its end.
const LONGEST: usize = 45;

pub(super) static IP: Entry = Entry {
    word: "ip",
    about: "IPv4 and IPv6 addresses; not versions such as `v1.2.3.4`, not netmasks, not times",
    example: "from 192.0.2.17 ok",
    shortest: 3,
    needs: Class::DIGIT,
    digits: 1,
    scan: Scan::Text(ip),
};

pub(super) static MAC: Entry = Entry {
    word: "mac",
    about: "MAC addresses: six pairs of hexadecimal digits between colons or hyphens",
    example: "ether 52:54:00:ab:cd:ef",
    shortest: 17,
    needs: Class::NONE,
    digits: 0,
    scan: Scan::Text(mac),
};

fn ip(text: &[u8], sink: &mut Sink<'_>) {
    for run in Runs::new(text, 7, Class::NUMBER, off_number) {
        if sink.spend(run.len()).is_none() {
            return;
        }
        let words = text.get(run.clone()).unwrap_or_default().split(|byte| !matches!(byte, b'0'..=b'9' | b'.'));
        let mut at = run.start;
        for word in words {
            let end = at + word.len() - usize::from(word.last() == Some(&b'.'));
            if is_ipv4(text, at..end) {
                sink.found(at, end);
            }
            at += word.len() + 1;
        }
    }
    ipv6(text, sink);
}

/// Whether a stretch of digits and dots is an address: four numbers up to 255 without leading zeros, not a version,
/// not a netmask.
fn is_ipv4(text: &[u8], place: Range<usize>) -> bool {
    let (start, end) = (place.start, place.end);
    let Some(word) = text.get(place).filter(|word| (7..=15).contains(&word.len())) else { return false };
    let mut octets = [0_u8; 4];
    let mut parts = word.split(|byte| *byte == b'.');
    for octet in &mut octets {
        match parts.next().and_then(number) {
            Some(number) => *octet = number,
            None => return false,
        }
    }
    let version =
        byte_at(text, end) == Some(b'-') && byte_at(text, end + 1).is_some_and(|byte| byte.is_ascii_alphabetic());
    let mask = u32::from_be_bytes(octets);
    let is_mask = mask.leading_ones() >= 8 && mask != u32::MAX && mask.leading_ones() + mask.trailing_zeros() == 32;
    parts.next().is_none() && !version && !is_mask && begins_word(text, start) && ends_word(text, end)
}

/// One of the four numbers.
fn number(part: &[u8]) -> Option<u8> {
    let leading_zero = part.len() > 1 && part.first() == Some(&b'0');
    core::str::from_utf8(part).ok().filter(|_| !leading_zero)?.parse().ok()
}

fn ipv6(text: &[u8], sink: &mut Sink<'_>) {
    let mut after = 0;
    for colon in memchr_iter(b':', text) {
        if colon < after {
            continue;
        }
        let before = text.get(after..colon).unwrap_or_default().iter().rev().take(5);
        let start = colon - before.take_while(|byte| byte.is_ascii_hexdigit()).count();
        let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        let end = start + text.iter().skip(start).take(LONGEST + 1).take_while(is_part).count();
        if sink.spend(end - start).is_none() {
            return;
        }
        after = end.max(colon + 1);
        let end = end - usize::from(byte_before(text, end) == Some(b'.'));
        if is_ipv6(text.get(start..end).unwrap_or_default()) && begins_word(text, start) && ends_word(text, end) {
            sink.found(start, end);
        }
    }
}

/// Whether it is an address, and not a name of a program's part such as `a::b`.
fn is_ipv6(word: &[u8]) -> bool {
    let parsed = core::str::from_utf8(word).ok().and_then(|word| word.parse::<Ipv6Addr>().ok());
    parsed.is_some() && word.iter().any(u8::is_ascii_digit)
}

fn mac(text: &[u8], sink: &mut Sink<'_>) {
    for separator in [b':', b'-'] {
        let mut after = 0;
        for at in memchr_iter(separator, text) {
            let Some(start) = at.checked_sub(2).filter(|start| *start >= after) else { continue };
            if sink.spend(1).is_none() {
                return;
            }
            if is_mac(text, start, separator) {
                after = start + 17;
                sink.found(start, after);
            }
        }
    }
}

fn is_mac(text: &[u8], start: usize, separator: u8) -> bool {
    let Some(address) = text.get(start..start + 17) else { return false };
    let fits = |(place, byte): (usize, &u8)| if place % 3 == 2 { *byte == separator } else { byte.is_ascii_hexdigit() };
    let alone = byte_before(text, start) != Some(separator) && byte_at(text, start + 17) != Some(separator);
    address.iter().enumerate().all(fits) && alone && begins_word(text, start) && ends_word(text, start + 17)
}
