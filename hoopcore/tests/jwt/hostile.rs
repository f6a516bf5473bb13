//! What holds for all bytes: nothing panics, and nothing but the token itself is admitted.

use hoopcore::identity::jwt::{GroupsFrom, KeySet};
use proptest::prelude::*;

use crate::minted::{CLAIMS, HEADER, issuer, issuer_with, jwk, now, signed};

#[test]
fn a_token_changed_in_one_character_is_refused() {
    let (issuer, good) = (issuer(), signed(HEADER, CLAIMS));
    for at in 0..good.len() {
        for other in ["A", "B", "g", "w", "_", "-", ".", "=", "/", "\n", "\0", "é", ""] {
            let changed = [&good[..at], other, &good[at + 1..]].concat();
            assert!(changed == good || issuer.verify(&changed, now()).is_err(), "{at} {other:?}");
        }
    }
}

#[test]
fn a_token_that_ends_early_is_refused() {
    let (issuer, good) = (issuer(), signed(HEADER, CLAIMS));
    for end in 0..good.len() {
        assert!(issuer.verify(&good[..end], now()).is_err(), "{end}");
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let issuer = issuer_with(|settings| {
        settings.groups = Some(GroupsFrom::List("groups".into()));
        settings.longest_token = 65_535;
    });
    let check = |claim: String, expected: &str| {
        let claims = CLAIMS.replace("{\"iss\"", &format!("{{{claim},\"iss\""));
        assert_eq!(issuer.verify(&signed(HEADER, claims), now()).unwrap_err().to_string(), expected);
    };
    let groups: Vec<String> = (0..257).map(|n| format!("\"g{n}\"")).collect();
    check(
        format!("\"groups\":[{}]", groups.join(",")),
        "the claim `groups` does not give groups: the list is too long",
    );
    check(
        format!("\"groups\":[\"{}\"]", "g".repeat(257)),
        "the claim `groups` does not give groups: a name in the list is empty, too long or not printable",
    );
    check(format!("\"x\":[{}0]", "0,".repeat(5000)), "the token's claims part has too many values");
    check(format!("\"x\":\"{}\"", "x".repeat(4097)), "the token's claims part has a text that is too long");
    check(format!("\"{}\":1", "x".repeat(4097)), "the token's claims part has a text that is too long");
    check(format!("\"x\":{}{}", "[".repeat(17), "]".repeat(17)), "the token's claims part is nested too deeply");
    check(
        format!("\"x\":{}1{}", "{\"x\":".repeat(4000), "}".repeat(4000)),
        "the token's claims part is nested too deeply",
    );
    check(format!("\"x\":[{}1]", "\"a\",".repeat(14_000)), "the token is longer than 65535 bytes");
    let long = CLAIMS.replace("ci-bot", &"x".repeat(1025));
    let refused = issuer.verify(&signed(HEADER, long), now()).unwrap_err();
    assert_eq!(refused.to_string(), "the claim `sub` is not at most 1024 bytes long");
}

/// JSON-like text: what a parser must survive.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_string()),
        Just("}".to_string()),
        Just("[".to_string()),
        Just("]".to_string()),
        Just(",".to_string()),
        Just(":".to_string()),
        Just("\"exp\":1800000300".to_string()),
        Just("\"alg\":\"EdDSA\"".to_string()),
        Just("\"sub\":\"x\"".to_string()),
        "\"[a-z.]{0,3}\":".prop_map(|name| name),
        "-?[0-9]{1,20}(\\.[0-9])?".prop_map(|number| number),
        "\"\\PC{0,4}\"".prop_map(|text| text),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_panics_or_is_admitted(token in "\\PC{0,80}|[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(issuer().verify(&token, now()).is_err());
    }

    #[test]
    fn no_signed_bytes_panic(
        header in prop_oneof![Just(HEADER.as_bytes().to_vec()), pieces().prop_map(String::into_bytes), any::<Vec<u8>>()],
        claims in prop_oneof![pieces().prop_map(String::into_bytes), any::<Vec<u8>>()],
    ) {
        let _ = issuer().verify(&signed(header, claims), now());
    }

    #[test]
    fn no_key_set_panics(text in pieces(), start in 0..200_usize, end in 0..200_usize) {
        let _ = KeySet::from_jwks(&text);
        let set = format!("{{\"keys\":[{}]}}", jwk("k"));
        if let (Some(before), Some(after)) = (set.get(..start), set.get(end..)) {
            let _ = KeySet::from_jwks(&[before, &text, after].concat());
        }
    }
}
