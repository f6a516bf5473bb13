//! Addresses of wallets: Bitcoin, with their checksum, and Ethereum.

use sha2::{Digest as _, Sha256};

use super::findings::Sink;
use super::text::{Class, Runs, begins_word, ends_word, off_token};
use super::{Entry, Scan};

pub(super) static BTC_ADDRESS: Entry = Entry {
    word: "btc_address",
    about: "addresses of Bitcoin, with a valid checksum: `1` and `3` in Base58, `bc1` in Bech32",
    example: "pay to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    shortest: 26,
    needs: Class::DIGIT,
    digits: 1,
    scan: Scan::Text(btc),
};

pub(super) static ETH_ADDRESS: Entry = Entry {
    word: "eth_address",
    about: "addresses of Ethereum: `0x` and 40 hexadecimal digits",
    example: "eth 0x52908400098527886E0F7030069857D2E4169EE7",
    shortest: 42,
    needs: Class::DIGIT,
    digits: 1,
    scan: Scan::Text(eth),
};

/// Each word of the bytes that tokens are made of, of at least so many bytes.
fn words(text: &[u8], shortest: usize, mut each: impl FnMut(usize, usize) -> Option<()>) {
    for run in Runs::new(text, shortest, Class::TOKEN, off_token) {
        let mut at = run.start;
        while at < run.end {
            let end = Class::WORD.end(text, at).min(run.end);
            if each(at, end).is_none() {
                return;
            }
            at = end + 1;
        }
    }
}

fn btc(text: &[u8], sink: &mut Sink<'_>) {
    words(text, 26, |start, end| {
        let Some(word) = text.get(start..end).filter(|word| (26..=90).contains(&word.len())) else {
            return sink.spend(1);
        };
        sink.spend(word.len())?;
        let is_address = match word {
            [b'1' | b'3', ..] => is_base58_checked(word),
            [b'b' | b'B', b'c' | b'C', b'1', ..] => is_bech32(word),
            _ => false,
        };
        if is_address && begins_word(text, start) {
            sink.found(start, end);
        }
        Some(())
    });
}

/// Whether 25 bytes are written in Base58 whose last four are the beginning of the hash of the others.
fn is_base58_checked(word: &[u8]) -> bool {
    let mut bytes = [0_u8; 25];
    for character in word {
        let Some(value) = base58(*character) else { return false };
        let carry = bytes.iter_mut().rev().fold(value, |carry, byte| {
            let sum = u32::from(*byte) * 58 + carry;
            *byte = sum.to_le_bytes()[0];
            sum >> 8
        });
        if carry > 0 {
            return false;
        }
    }
    let (payload, check) = bytes.split_at(21);
    let hash = Sha256::digest(Sha256::digest(payload));
    hash.starts_with(check)
}

fn base58(character: u8) -> Option<u32> {
    let value = match character {
        b'1'..=b'9' => character - b'1',
        b'A'..=b'H' => character - b'A' + 9,
        b'J'..=b'N' => character - b'J' + 17,
        b'P'..=b'Z' => character - b'P' + 22,
        b'a'..=b'k' => character - b'a' + 33,
        b'm'..=b'z' => character - b'm' + 44,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Whether a word is an address of Bitcoin in Bech32 or Bech32m
/// ([BIP 173](https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki), BIP 350).
fn is_bech32(word: &[u8]) -> bool {
    let mixed = word.iter().any(u8::is_ascii_uppercase) && word.iter().any(u8::is_ascii_lowercase);
    let prefix = [3, 3, 0, 2, 3];
    let mut check = prefix.into_iter().fold(1, polymod);
    for character in word.iter().skip(3) {
        let alphabet = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        let Some(value) = alphabet.iter().position(|known| *known == character.to_ascii_lowercase()) else {
            return false;
        };
        check = polymod(check, value as u32);
    }
    !mixed && matches!(check, 1 | 0x2bc8_30a3)
}

fn polymod(check: u32, value: u32) -> u32 {
    let generator = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let shifted = (check & 0x1ff_ffff) << 5 ^ value;
    let top = check >> 25;
    generator.iter().enumerate().fold(shifted, |sum, (bit, part)| if top >> bit & 1 == 1 { sum ^ part } else { sum })
}

fn eth(text: &[u8], sink: &mut Sink<'_>) {
    words(text, 42, |start, end| {
        sink.spend(1)?;
        let digits = text.get(start..end).filter(|word| word.len() == 42).and_then(|word| word.strip_prefix(b"0x"));
        if digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            && begins_word(text, start)
            && ends_word(text, end)
        {
            sink.found(start, end);
        }
        Some(())
    });
}
