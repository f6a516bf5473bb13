//! Issuers: their settings, their keys, and what an identity gets from them.

use std::collections::BTreeMap;

use hoopcore::Timestamp;
use hoopcore::identity::IdentityKind;
use hoopcore::identity::jwt::{
    Algorithm, GroupsFrom, IssuerSettings, JwtIssuer, JwtIssuers, KeySet, TokenRefused, TokenType,
};
use ring::rand::SystemRandom;
use ring::signature::{EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair};
use ring::{hmac, signature};

use crate::minted::{CLAIMS, HEADER, base64, issuer, issuer_with, jwk, key_set, now, settings, signed};

fn claims_with(claim: &str) -> String {
    CLAIMS.replace("{\"iss\"", &format!("{{{claim},\"iss\""))
}

fn admitted_claims(claim: &str) -> BTreeMap<String, String> {
    let mut claims = issuer().verify(&signed(HEADER, claims_with(claim)), now()).unwrap().identity.claims.clone();
    ["iss", "aud", "sub", "exp", "iat"].iter().for_each(|usual| drop(claims.remove(*usual)));
    claims
}

#[test]
fn an_identity_carries_what_the_token_says() {
    let issuer = issuer_with(|settings| settings.kind = Some(IdentityKind::Workload));
    let token = signed(HEADER, CLAIMS);
    let admitted = issuer.verify(&token, now()).unwrap();
    assert_eq!(admitted.identity.user, "ci-bot");
    assert_eq!(admitted.identity.issuer.as_deref(), Some("https://idp.example"));
    assert_eq!(admitted.identity.kind, Some(IdentityKind::Workload));
    assert_eq!(admitted.identity.groups, None, "nobody told");
    assert_eq!(admitted.until, Timestamp::from_second(1_800_000_360).unwrap());
    let how = admitted.identity.how();
    assert!(how.starts_with("EdDSA token of issuer `idp`, sha256 "), "{how}");
    assert!(!token.split('.').any(|part| how.contains(part)), "{how}");
}

#[test]
fn claims_are_found_by_their_path() {
    let check = |claim: &str, expected: &[(&str, &str)]| {
        let expected = expected.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
        assert_eq!(admitted_claims(claim), expected, "{claim}");
    };
    check(r#""ref":"refs/heads/main""#, &[("ref", "refs/heads/main")]);
    check(r#""run":12,"ok":true,"low":-3"#, &[("run", "12"), ("ok", "true"), ("low", "-3")]);
    check(
        r#""kubernetes.io":{"pod":{"name":"p"},"namespace":"n"}"#,
        &[("kubernetes.io.pod.name", "p"), ("kubernetes.io.namespace", "n")],
    );
    // Unknown, not empty: rules must not compare what cannot be compared.
    check(r#""a":null,"b":1.5,"c":["x"],"d":{},"e":"x\ny","f":"\u202e","g\n":1"#, &[]);
}

#[test]
fn required_claims_must_have_one_of_their_values() {
    let issuer = issuer_with(|settings| {
        settings.required = [("repository_owner_id".to_string(), ["7".to_string(), "8".to_string()].into())].into();
    });
    let check = |claim: &str, admitted: bool| {
        let outcome = issuer.verify(&signed(HEADER, claims_with(claim)), now());
        assert_eq!(outcome.is_ok(), admitted, "{claim}: {outcome:?}");
    };
    check(r#""repository_owner_id":"7""#, true);
    check(r#""repository_owner_id":8"#, true);
    check(r#""repository_owner_id":"9""#, false);
    check(r#""repository_owner_id":["7"]"#, false);
    check(r#""repository_owner_id":null"#, false);
    check(r#""x":1"#, false);
}

#[test]
fn one_text_can_be_the_group() {
    let issuer = issuer_with(|settings| settings.groups = Some(GroupsFrom::Word("org.id".into())));
    let groups =
        |claim: &str| issuer.verify(&signed(HEADER, claims_with(claim)), now()).map(|a| a.identity.groups.clone());
    assert_eq!(groups(r#""org":{"id":"7"}"#), Ok(Some(["idp/7".to_string()].into())));
    assert_eq!(groups(r#""x":1"#), Ok(None));
    assert!(groups(r#""org":{"id":7}"#).is_err());
    assert!(groups(r#""org":{"id":["7"]}"#).is_err());
}

#[test]
fn an_audience_can_be_demanded_alone() {
    let issuer = issuer_with(|settings| {
        settings.shared_audience = false;
        settings.audiences.insert("gateway-2".into());
    });
    let check = |audience: &str, admitted: bool| {
        let token = signed(HEADER, CLAIMS.replace("\"gateway\"", audience));
        assert_eq!(issuer.verify(&token, now()).is_ok(), admitted, "{audience}");
    };
    check("\"gateway\"", true);
    check("[\"gateway-2\",\"gateway\"]", true);
    check("[\"gateway\",\"other\"]", false);
    check("[]", false);
}

#[test]
fn token_types_can_be_narrowed() {
    let issuer = issuer_with(|settings| settings.types = [TokenType::Access].into());
    assert_eq!(issuer.verify(&signed(HEADER, CLAIMS), now()), Err(TokenRefused::Type));
    assert!(issuer.verify(&signed(HEADER.replace("JWT", "at+jwt"), CLAIMS), now()).is_ok());
}

#[test]
fn among_several_keys_the_token_names_its_own() {
    let issuer = JwtIssuer::new(settings(), key_set(&[jwk("j"), jwk("k")])).unwrap();
    assert!(issuer.verify(&signed(HEADER, CLAIMS), now()).is_ok());
    let nameless = signed(r#"{"alg":"EdDSA"}"#, CLAIMS);
    assert_eq!(issuer.verify(&nameless, now()), Err(TokenRefused::KeyNotNamed));
    let later = issuer.with_keys(key_set(&[jwk("l")])).unwrap();
    assert_eq!(later.verify(&signed(HEADER, CLAIMS), now()), Err(TokenRefused::UnknownKey));
}

#[test]
fn a_token_is_judged_by_the_issuer_that_it_names() {
    let other = IssuerSettings::new("other", "https://other.example", "gateway");
    let stranger = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let issuers = JwtIssuers::new([issuer(), JwtIssuer::new(other, key_set(&[stranger.into()])).unwrap()]).unwrap();
    let from = |url: &str| signed(HEADER, CLAIMS.replace("https://idp.example", url));
    assert!(issuers.verify(&from("https://idp.example"), now()).is_ok());
    assert_eq!(issuers.verify(&from("https://other.example"), now()), Err(TokenRefused::Signature));
    assert_eq!(issuers.verify(&from("https://evil.example"), now()), Err(TokenRefused::Issuer));
    assert_eq!(issuers.of(&from("https://other.example")).unwrap().settings().name, "other");
    assert!(JwtIssuers::default().verify(&from("https://idp.example"), now()).is_err());
    let twice = JwtIssuers::new([issuer(), issuer()]).unwrap_err();
    assert_eq!(twice.problems().len(), 2, "{twice}");
}

#[test]
fn settings_that_cannot_hold_are_told_all_at_once() {
    let broken = IssuerSettings {
        name: "A/b".into(),
        audiences: [].into(),
        algorithms: vec![Algorithm::Hs256, Algorithm::Rs256],
        group_names: [("x".to_string(), "other/dba".to_string())].into(),
        longest_token: 1 << 20,
        ..settings()
    };
    assert_eq!(
        broken.problems(),
        [
            "its name must be lower-case letters, digits, `.`, `-` and `_`, at most 63 of them",
            "it needs an audience; a token for anybody is a token for nobody",
            "algorithms with a shared secret (HS…) cannot stand beside others",
            "a plain group name cannot have a `/`",
            "its tokens can have 1 to 65535 bytes",
        ]
    );
    assert!(JwtIssuer::new(broken, key_set(&[jwk("k")])).is_err());
    let secret = IssuerSettings { algorithms: vec![Algorithm::Hs256], ..settings() };
    let refused = JwtIssuer::new(secret, key_set(&[jwk("k")])).unwrap_err();
    assert_eq!(refused.to_string(), "its keys do not belong to its algorithms");
}

#[test]
fn a_public_key_is_no_secret() {
    // The classic confusion: an HMAC made with the bytes of the public key.
    let key = base64([9; 32]);
    let secrets = key_set(&[format!(r#"{{"kty":"oct","kid":"k","alg":"HS256","k":"{key}"}}"#)]);
    let shared = IssuerSettings { algorithms: vec![Algorithm::Hs256], ..settings() };
    let shared = JwtIssuer::new(shared, secrets.clone()).unwrap();
    let message = format!("{}.{}", base64(r#"{"alg":"HS256","kid":"k"}"#), base64(CLAIMS));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[9; 32]), message.as_bytes());
    let token = format!("{message}.{}", base64(mac));
    assert!(shared.verify(&token, now()).is_ok());
    assert_eq!(shared.verify(&signed(HEADER, CLAIMS), now()), Err(TokenRefused::Algorithm));
    assert_eq!(issuer().verify(&token, now()), Err(TokenRefused::Algorithm));
    assert!(JwtIssuer::new(settings(), secrets.clone()).is_err());
    assert!(!format!("{shared:?}{secrets:?}").contains(&key), "a secret is never printed");
}

#[test]
fn elliptic_curves_verify_in_their_fixed_form() {
    let p256 = (Algorithm::Es256, "P-256", 32, &signature::ECDSA_P256_SHA256_FIXED_SIGNING);
    let p384 = (Algorithm::Es384, "P-384", 48, &signature::ECDSA_P384_SHA384_FIXED_SIGNING);
    for (algorithm, curve, width, signing) in [p256, p384] {
        let pair = new_pair(signing);
        let (x, y) = pair.public_key().as_ref()[1..].split_at(width);
        let key = format!(r#"{{"kty":"EC","crv":"{curve}","kid":"k","x":"{}","y":"{}"}}"#, base64(x), base64(y));
        let issuer = JwtIssuer::new(settings(), key_set(&[key])).unwrap();
        let message = format!("{}.{}", base64(format!(r#"{{"alg":"{algorithm}","kid":"k"}}"#)), base64(CLAIMS));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        let token = |signature: &[u8]| format!("{message}.{}", base64(signature));
        assert!(issuer.verify(&token(signature.as_ref()), now()).is_ok());
        assert_eq!(issuer.verify(&token(&vec![0; 2 * width]), now()), Err(TokenRefused::Signature));
        assert_eq!(issuer.verify(&token(&[signature.as_ref(), &[0]].concat()), now()), Err(TokenRefused::Signature));
    }
}

fn new_pair(signing: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(signing, document.as_ref(), &random).unwrap()
}

#[test]
fn key_sets_are_read_strictly() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let ed = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{more}}}"#);
    let check = |keys: &[String], expected: &str| {
        let outcome = KeySet::from_jwks(&format!(r#"{{"keys":[{}]}}"#, keys.join(",")));
        let outcome = outcome.map_or_else(|refused| refused.to_string(), |_| "read".into());
        assert_eq!(outcome, expected, "{keys:?}");
    };
    let nothing = |why: &str| format!("no key of the key set can be used: {why}");
    let (malformed, unsupported) =
        ("a part of the key is missing or malformed", "the key is of a kind that is not supported");
    let (other_use, other_algorithm) =
        ("the key is not meant to verify signatures", "the key's `alg` does not belong to its type");

    check(&[ed("")], "read");
    check(&[ed(r#","use":"sig","key_ops":["verify"],"alg":"EdDSA","x5t":"y","later":[]"#)], "read");
    check(&[ed(""), ed("")], "read");
    check(&[ed(r#","use":"enc""#), ed(r#","kid":"a""#), r#"{"kty":"AKP","alg":"ML-DSA-44"}"#.into()], "read");
    check(&[], "the key set has no list `keys`; a JWKS looks like {\"keys\": [...]}");
    check(&["1".into()], "key 0 of the key set is not an object with a `kty`");
    check(&[ed(""), r#"{"kid":"a"}"#.into()], "key 1 of the key set is not an object with a `kty`");
    check(
        &[ed(r#","kid":"a""#), ed(r#","kid":"\u0061""#)],
        "the key set has two keys with the same `kid`; names must be unique",
    );
    check(&[ed(r#","kty":"OKP""#)], "the key set names a member twice");
    let private =
        "key 0 of the key set holds a private part; it is no secret any more: replace it, publish public keys only";
    check(&[ed(r#","d":"AA""#)], private);
    check(&[r#"{"kty":"AKP","priv":"AA"}"#.into()], private);
    let secret = format!(r#"{{"kty":"oct","k":"{}"}}"#, base64([1; 32]));
    check(std::slice::from_ref(&secret), "read");
    check(&[ed(""), secret], "the key set mixes shared secrets with public keys; keep them apart");

    check(&[ed(r#","kid":7"#)], &nothing(malformed));
    check(&[ed(r#","use":["sig"]"#)], &nothing(malformed));
    check(&[ed(r#","use":"enc""#)], &nothing(other_use));
    check(&[ed(r#","key_ops":["sign"]"#)], &nothing(other_use));
    check(&[ed(r#","key_ops":"verify""#)], &nothing(malformed));
    check(&[ed(r#","use":"sig","key_ops":["encrypt"]"#)], &nothing(other_use));
    check(&[ed(r#","alg":"ES256""#)], &nothing(other_algorithm));
    check(&[ed(r#","alg":"HS256""#)], &nothing(other_algorithm));
    check(&[ed(r#","alg":"none""#)], &nothing(unsupported));
    check(&[ed("").replace("Ed25519", "Ed448")], &nothing(unsupported));
    check(&[ed("").replace(x, "AAAA")], &nothing(malformed));
    check(&[ed("").replace(x, &format!("{x}="))], &nothing(malformed));
    check(&[r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.into()], &nothing(malformed));
    check(&[r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.into()], &nothing(unsupported));
    check(&[r#"{"kty":"oct","alg":"HS256","k":"AAAA"}"#.into()], &nothing(WEAK));

    let many: Vec<String> = (0..101).map(|n| ed(&format!(r#","kid":"{n}""#))).collect();
    check(&many, "the key set has more than 100 keys");
    assert!(KeySet::from_jwks(&" ".repeat(256 * 1024 + 1)).is_err());
}

const WEAK: &str =
    "the key is too weak: RSA needs 2048 to 8192 bits and the exponent 3 or 65537, a secret as many bytes as the hash";

#[test]
fn rsa_keys_are_strong_or_not_used() {
    let modulus = |bytes: usize| {
        let mut modulus = vec![0xc5; bytes];
        modulus[bytes - 1] = 0x9b;
        modulus
    };
    let check = |modulus: &[u8], exponent: &[u8], expected: Option<&str>| {
        let key = format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, base64(modulus), base64(exponent));
        let outcome = KeySet::from_jwks(&format!(r#"{{"keys":[{key}]}}"#)).err().map(|refused| refused.to_string());
        assert_eq!(outcome, expected.map(|why| format!("no key of the key set can be used: {why}")));
    };
    let malformed = Some("a part of the key is missing or malformed");
    check(&modulus(256), &[1, 0, 1], None);
    check(&modulus(256), &[3], None);
    check(&modulus(1024), &[1, 0, 1], None);
    check(&modulus(255), &[1, 0, 1], Some(WEAK));
    check(&modulus(1025), &[1, 0, 1], Some(WEAK));
    check(&modulus(256), &[1], Some(WEAK));
    check(&modulus(256), &[], Some(WEAK));
    check(&modulus(256), &[0, 1, 0, 1], Some(WEAK));
    check(&modulus(256), &[1, 0, 0], Some(WEAK));
    check(&[modulus(255), vec![0x9a]].concat(), &[1, 0, 1], Some(WEAK));
    check(&[vec![0], modulus(256)].concat(), &[1, 0, 1], malformed);
    check(&[], &[1, 0, 1], malformed);
}
