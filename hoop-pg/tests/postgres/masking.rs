//! Protected values stay behind the gateway, whatever a client tries.

use crate::script::{Case, cases, report};
use crate::setting::{ALLOW_ALL, Gateway, direct, shop};
use crate::wire::Wire;

/// Masks alone stand before the values.
const MASKS: &str = r#"  - rule: customers-are-masked
    who: anyone
    on: target
    mask:
      columns:
        public.customers.ssn: null
        public.customers.card: redact
        public.customers.email: partial
        public.customers.phone: null
        public.people.ssn: null
        public.visits.ssn: redact
        public.made.ssn: redact
        hidden.vault.secret: null
"#;

/// Detectors alone.
const DETECTORS: &str = r#"  - rule: what-looks-like-it
    who: anyone
    on: target
    mask: { detect: { card: redact, email: redact } }
"#;

/// What is protected in `shop.sql`.
const PROTECTED: [&str; 15] = [
    "521-73-9284",
    "467-88-1530",
    "219-64-7053",
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "ada.byron@example.com",
    "grace@navy.example",
    "linus@kernel.example",
    "+44 20 7946 0958",
    "+1 202 555 0143",
    "900-11-2233",
    "900-44-5566",
    "900-77-8899",
    "hunter2-api-key",
];

/// So many characters of a value in a row are a leak.
const WINDOW: usize = 7;

/// A case that shows nothing on a direct connection would prove nothing behind the gateway.
#[test]
fn every_attack_works_direct() {
    every_attack_works("masking.txt");
    every_attack_works("said.txt");
}

fn every_attack_works(file: &str) {
    let database = shop();
    let works = |case: &Case| {
        let mut server = Wire::connect(&direct(&database)).unwrap();
        let messages = case.run(&mut server);
        leaked(&server.received).is_none().then(|| format!("[{}] {messages:?}", case.name))
    };
    report(&cases(file).iter().filter_map(works).collect::<Vec<_>>());
}

#[test]
fn no_attack_works_through_the_gateway() {
    no_attack_works("masking.txt", MASKS);
}

#[test]
fn no_attack_works_where_copies_are_masked() {
    no_attack_works("masking.txt", &MASKS.replace("    mask:\n", "    mask:\n      on_copy: allow\n"));
}

#[test]
fn detectors_look_at_what_the_server_says() {
    no_attack_works("said.txt", DETECTORS);
}

fn no_attack_works(file: &str, masks: &str) {
    let database = shop();
    let gateway = Gateway::start(&database, &format!("{ALLOW_ALL}{masks}"));
    let cases = cases(file);
    assert!(cases.len() >= 12, "{} cases", cases.len());
    let leak = |case: &Case| {
        let mut client = gateway.connect("ann");
        let messages = case.run(&mut client);
        leaked(&client.received).map(|what| format!("[{}] `{what}` came out: {messages:?}", case.name))
    };
    report(&cases.iter().filter_map(leak).collect::<Vec<_>>());
}

#[test]
fn what_is_not_protected_passes() {
    let database = shop();
    let gateway = Gateway::start(&database, &format!("{ALLOW_ALL}{MASKS}"));
    let wrong = cases("masked.txt")
        .iter()
        .filter_map(|case| case.judge(&case.run(&mut gateway.connect("ann"))))
        .collect::<Vec<_>>();
    report(&wrong);
}

/// A piece of a protected value that stands in these bytes: as it is, in another case, backwards, in hexadecimal or base64 digits, or with
/// separators between its characters.
fn leaked(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let compact: String = text.chars().filter(|c| !",{}[]\"' \n\0".contains(*c)).collect();
    PROTECTED
        .iter()
        .flat_map(|value| forms(value))
        .flat_map(|form| windows(&form))
        .find(|piece| text.contains(piece) || compact.contains(&piece.replace(' ', "")))
}

fn forms(value: &str) -> [String; 4] {
    let hexadecimal: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    [
        value.to_lowercase(),
        value.chars().rev().collect::<String>().to_lowercase(),
        hexadecimal,
        base64(value).to_lowercase(),
    ]
}

fn windows(form: &str) -> Vec<String> {
    let characters: Vec<char> = form.chars().collect();
    let length = if form.len() > 24 { WINDOW * 2 } else { WINDOW };
    characters.windows(length).map(|window| window.iter().collect()).collect()
}

fn base64(value: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32, at: u32| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]);
    let digits = |chunk: &[u8]| {
        let bits = chunk.iter().chain([0, 0].iter()).take(3).fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        (0..=u32::try_from(chunk.len()).unwrap()).map(move |at| digit(bits, at)).collect::<Vec<_>>()
    };
    value.as_bytes().chunks(3).flat_map(digits).collect()
}
