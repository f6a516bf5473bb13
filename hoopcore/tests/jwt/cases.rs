//! The cases of `cases.txt`: a good token, edited, and what becomes of it.

use hoopcore::identity::jwt::{GroupsFrom, TokenRefused};

use crate::minted::{CLAIMS, HEADER, issuer_with, now, signed};

const CASES: &str = include_str!("cases.txt");

#[test]
fn every_edited_token_is_treated_as_listed() {
    let issuer = issuer_with(|settings| {
        settings.groups = Some(GroupsFrom::List("groups".into()));
        settings.group_names = [("platform".to_string(), "dba".to_string())].into();
    });
    let mut failed = Vec::new();
    for case in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (edits, expected) = case.split_once(" => ").unwrap();
        let outcome = match issuer.verify(&edited(edits.trim()), now()) {
            Ok(admitted) => describe(&admitted.identity.user, admitted.identity.groups.as_ref()),
            Err(refused) => refused.to_string(),
        };
        if outcome != expected.trim() {
            failed.push(format!("{case}\n    but came: {outcome}"));
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

fn describe(user: &str, groups: Option<&std::collections::BTreeSet<String>>) -> String {
    let groups = groups.map(|groups| groups.iter().cloned().collect::<Vec<_>>().join(", "));
    groups.map_or(format!("admitted {user}"), |groups| format!("admitted {user} in [{groups}]"))
}

/// `name=json` sets a claim, `-name` removes it, `+name=json` adds it once more; `header.` edits the header.
fn edited(edits: &str) -> String {
    let (mut header, mut claims) = (members(HEADER), members(CLAIMS));
    for edit in edits.split(" ; ").filter(|edit| *edit != "nothing") {
        match edit.split_once("header.") {
            Some((sign, rest)) if sign.is_empty() || sign == "-" || sign == "+" => {
                apply(&mut header, &[sign, rest].concat());
            }
            Some(_) | None => apply(&mut claims, edit),
        }
    }
    signed(text(&header), text(&claims))
}

type Members = Vec<(String, String)>;

fn members(json: &str) -> Members {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
    object.into_iter().map(|(name, value)| (name, value.to_string())).collect()
}

fn text(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn apply(members: &mut Members, edit: &str) {
    if let Some(name) = edit.strip_prefix('-') {
        return members.retain(|(other, _)| other != name);
    }
    let (name, value) = edit.trim_start_matches('+').split_once('=').unwrap();
    if !edit.starts_with('+') {
        members.retain(|(other, _)| other != name);
    }
    members.push((name.into(), value.into()));
}

#[test]
fn the_form_of_a_token_is_exact() {
    let good = signed(HEADER, CLAIMS);
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let check = |token: String, expected: &str| {
        let refused: TokenRefused = issuer_with(|_| {}).verify(&token, now()).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{token}");
    };
    assert!(issuer_with(|_| {}).verify(&good, now()).is_ok());
    check(String::new(), "the token is not three parts joined by dots");
    check(header.into(), "the token is not three parts joined by dots");
    check(format!("{header}.{claims}"), "the token is not three parts joined by dots");
    check(format!("{good}."), "the token is not three parts joined by dots");
    check(format!("{good}.{signature}"), "the token is not three parts joined by dots");
    check(format!(".{good}"), "the token is not three parts joined by dots");
    check("..".into(), "the token's header part is not well-formed JSON");
    check(format!("{header}.{claims}."), "the token's signature is wrong");
    check(format!("{header}..{signature}"), "the token's claims part is not well-formed JSON");
    check(format!(" {good}"), "the token's header is not canonical base64url");
    check(format!("{good}\n"), "the token's signature is not canonical base64url");
    check(format!("{header}=.{claims}.{signature}"), "the token's header is not canonical base64url");
    check(format!("{header}.{claims}\u{e9}.{signature}"), "the token's claims is not canonical base64url");
    check(format!("Bearer {good}"), "the token's header is not canonical base64url");
    check("a".repeat(16 * 1024 + 1), "the token is longer than 16384 bytes");
}
