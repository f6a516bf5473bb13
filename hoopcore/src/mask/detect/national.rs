//! Numbers of persons and taxpayers, by country: the form that the state gives them, and its check digits.

use super::Entry;
use super::Scan;
use super::forms::Form;
use super::luhn;
use super::text::Class;

const fn entry(
    word: &'static str,
    about: &'static str,
    example: &'static str,
    shape: (usize, usize),
    forms: &'static [Form],
) -> Entry {
    let (shortest, digits) = shape;
    Entry { word, about, example, shortest, needs: Class::DIGIT, digits, scan: Scan::Forms(forms) }
}

pub(super) static US_SSN: Entry = entry(
    "us_ssn",
    "social security numbers of the USA, of areas that exist; without separators only after `ssn` or `social security`",
    "social security number 304-01-5298",
    (9, 9),
    &[
        Form::new("999-99-9999", us_ssn),
        Form::new("999 99 9999", us_ssn),
        Form::new("999.99.9999", us_ssn),
        Form::after("999999999", &["ssn", "social security", "social"], us_ssn),
    ],
);

/// Area 000, 666 and from 900 on were never given out, nor group 00 and serial 0000; three were printed in
/// advertisements.
fn us_ssn(number: &[u8]) -> bool {
    let area = value(number, 0, 3);
    let known = [78_051_120, 219_099_999, 457_555_462];
    (1..900).contains(&area)
        && area != 666
        && value(number, 3, 5) > 0
        && value(number, 5, 9) > 0
        && !known.contains(&value(number, 0, 9))
}

pub(super) static US_ITIN: Entry = entry(
    "us_itin",
    "taxpayer numbers of the USA: area 900 to 999 and a group that is in use; without separators only after `itin` or `tax`",
    "ITIN 912-72-3456",
    (9, 9),
    &[
        Form::new("999-99-9999", us_itin),
        Form::new("999 99 9999", us_itin),
        Form::after("999999999", &["itin", "tax", "taxpayer"], us_itin),
    ],
);

fn us_itin(number: &[u8]) -> bool {
    value(number, 0, 3) >= 900 && matches!(value(number, 3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

pub(super) static US_ABA_ROUTING: Entry = entry(
    "us_aba_routing",
    "routing numbers of banks in the USA, with a valid check digit, after `routing`, `aba` or `rtn`",
    "routing number 021000021",
    (9, 9),
    &[
        Form::after("999999999", &["routing", "aba", "rtn", "transit"], us_aba),
        Form::after("9999-9999-9", &["routing", "aba", "rtn", "transit"], us_aba),
    ],
);

fn us_aba(number: &[u8]) -> bool {
    weighted(number, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10) && value(number, 0, 9) > 0
}

pub(super) static CA_SIN: Entry = entry(
    "ca_sin",
    "social insurance numbers of Canada, with a valid check digit, after `sin`, `nas` or `social insurance`",
    "SIN: 130 692 544",
    (9, 9),
    &[
        Form::after("999 999 999", SIN, ca_sin),
        Form::after("999-999-999", SIN, ca_sin),
        Form::after("999999999", SIN, ca_sin),
    ],
);

const SIN: &[&str] = &["sin", "nas", "social insurance", "assurance sociale"];

fn ca_sin(number: &[u8]) -> bool {
    !matches!(number.first(), Some(b'0' | b'8')) && luhn::holds(number)
}

pub(super) static UK_NHS: Entry = entry(
    "uk_nhs",
    "NHS numbers of the United Kingdom, with a valid check digit, after `nhs`",
    "NHS number 943 476 5919",
    (10, 10),
    &[
        Form::after("999 999 9999", &["nhs"], uk_nhs),
        Form::after("999-999-9999", &["nhs"], uk_nhs),
        Form::after("9999999999", &["nhs"], uk_nhs),
    ],
);

fn uk_nhs(number: &[u8]) -> bool {
    let check = 11 - weighted(number, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check != 10 && check % 11 == digit(number, 9)
}

pub(super) static UK_NINO: Entry = entry(
    "uk_nino",
    "national insurance numbers of the United Kingdom: two letters that are given out, six digits, `A` to `D`",
    "NI number AB 12 34 56 C",
    (9, 6),
    &[
        Form::new("AA999999A", uk_nino),
        Form::new("AA 999999 A", uk_nino),
        Form::new("AA 99 99 99 A", uk_nino),
        Form::new("AA-99-99-99-A", uk_nino),
    ],
);

fn uk_nino(number: &[u8]) -> bool {
    let [first, second, .., last] = number else { return false };
    let given = !b"DFIQUV".contains(first) && !b"DFIOQUV".contains(second);
    given && !UNUSED.contains(&[*first, *second]) && (b'A'..=b'D').contains(last)
}

/// Prefixes of national insurance numbers that mean something else.
const UNUSED: [[u8; 2]; 7] = [*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"];

pub(super) static BR_CPF: Entry = entry(
    "br_cpf",
    "CPF numbers of Brazil, with two valid check digits; without dots only after `cpf`",
    "CPF 529.982.247-25",
    (11, 11),
    &[Form::new("999.999.999-99", br_cpf), Form::after("99999999999", &["cpf"], br_cpf)],
);

fn br_cpf(number: &[u8]) -> bool {
    let first = weighted(number, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10 % 11 % 10;
    let second = weighted(number, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10 % 11 % 10;
    first == digit(number, 9) && second == digit(number, 10) && !is_repeated(number)
}

pub(super) static BR_CNPJ: Entry = entry(
    "br_cnpj",
    "CNPJ numbers of Brazil, with two valid check digits; without dots only after `cnpj`",
    "CNPJ 11.222.333/0001-81",
    (14, 14),
    &[Form::new("99.999.999/9999-99", br_cnpj), Form::after("99999999999999", &["cnpj"], br_cnpj)],
);

fn br_cnpj(number: &[u8]) -> bool {
    let check = |sum: u32| match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let first = check(weighted(number, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = check(weighted(number, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    first == digit(number, 12) && second == digit(number, 13) && !is_repeated(number)
}

pub(super) static ES_NIF: Entry = entry(
    "es_nif",
    "NIF numbers of Spain: eight digits and the letter that follows from them",
    "NIF: 83227832D",
    (9, 8),
    &[Form::new("99999999A", es_nif), Form::new("99999999-A", es_nif), Form::new("99.999.999-A", es_nif)],
);

fn es_nif(number: &[u8]) -> bool {
    es_letter(value(number, 0, 8)) == number.last().copied()
}

pub(super) static ES_NIE: Entry = entry(
    "es_nie",
    "NIE numbers of Spain: `X`, `Y` or `Z`, seven digits and the letter that follows from them",
    "NIE: X1234567L",
    (9, 7),
    &[Form::new("A9999999A", es_nie), Form::new("A-9999999-A", es_nie), Form::new("A9999999-A", es_nie)],
);

fn es_nie(number: &[u8]) -> bool {
    let Some(first @ b'X'..=b'Z') = number.first() else { return false };
    es_letter(u32::from(first - b'X') * 10_000_000 + value(number, 1, 8)) == number.last().copied()
}

fn es_letter(number: u32) -> Option<u8> {
    b"TRWAGMYFPDXBNJZSQVHLCKE".get(number as usize % 23).copied()
}

pub(super) static IT_FISCAL_CODE: Entry = entry(
    "it_fiscal_code",
    "codici fiscali of Italy, with a valid check letter",
    "codice fiscale: RSSMRA85T10A562S",
    (16, 7),
    &[Form::new("AAAAAA99A99A999A", it_fiscal_code)],
);

/// What a character at an odd place counts, by its own value.
const IT_ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

fn it_fiscal_code(code: &[u8]) -> bool {
    let Some((last, body)) = code.split_last() else { return false };
    let own = |byte: u8| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A') });
    let counted = |(place, byte): (usize, &u8)| match place % 2 {
        0 => IT_ODD.get(own(*byte) as usize).copied().unwrap_or(0),
        _ => own(*byte),
    };
    body.iter().enumerate().map(counted).sum::<u32>() % 26 == own(*last)
}

pub(super) static DE_TAX_ID: Entry = entry(
    "de_tax_id",
    "tax ids of Germany, with a valid check digit, after `Steuer`, `IdNr` or `tax id`",
    "Steuer-ID: 86 095 742 719",
    (11, 11),
    &[Form::after("99999999999", STEUER, de_tax_id), Form::after("99 999 999 999", STEUER, de_tax_id)],
);

const STEUER: &[&str] =
    &["steuer", "steuerid", "steueridentifikationsnummer", "idnr", "tin", "tax id", "identifikationsnummer"];

/// ISO/IEC 7064, MOD 11,10; among the first ten digits one stands two or three times and no other more than once.
fn de_tax_id(number: &[u8]) -> bool {
    let body = number.iter().take(10).map(|byte| u32::from(byte - b'0'));
    let product = body.clone().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    let counts = (0..10).map(|wanted| body.clone().filter(|digit| *digit == wanted).count());
    let repeated = (counts.clone().filter(|count| *count > 1).count(), counts.max().unwrap_or(0));
    digit(number, 0) > 0 && (11 - product) % 10 == digit(number, 10) && matches!(repeated, (1, 2 | 3))
}

pub(super) static PL_PESEL: Entry = entry(
    "pl_pesel",
    "PESEL numbers of Poland, with a date and a valid check digit, after `pesel`",
    "PESEL: 44051401359",
    (11, 11),
    &[Form::after("99999999999", &["pesel"], pl_pesel)],
);

fn pl_pesel(number: &[u8]) -> bool {
    let date = (1..=12).contains(&(value(number, 2, 4) % 20)) && (1..=31).contains(&value(number, 4, 6));
    date && (10 - weighted(number, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == digit(number, 10)
}

pub(super) static IN_AADHAAR: Entry = entry(
    "in_aadhaar",
    "Aadhaar numbers of India, with a valid check digit, after `aadhaar`, `uid` or `uidai`",
    "Aadhaar 2341 2341 2346",
    (12, 12),
    &[
        Form::after("9999 9999 9999", AADHAAR, in_aadhaar),
        Form::after("9999-9999-9999", AADHAAR, in_aadhaar),
        Form::after("999999999999", AADHAAR, in_aadhaar),
    ],
);

const AADHAAR: &[&str] = &["aadhaar", "aadhar", "adhaar", "uid", "uidai"];

fn in_aadhaar(number: &[u8]) -> bool {
    digit(number, 0) >= 2 && verhoeff(number) == 0
}

/// The check of Verhoeff: digits as elements of the dihedral group of a pentagon, the place as a permutation.
fn verhoeff(number: &[u8]) -> u32 {
    let multiply = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permuted = |(place, byte): (usize, &u8)| {
        let once = |digit: u32| [1, 5, 7, 6, 2, 8, 3, 0, 9, 4].get(digit as usize).copied().unwrap_or(0);
        (0..place % 8).fold(u32::from(byte - b'0'), |digit, _| once(digit))
    };
    number.iter().rev().enumerate().map(permuted).fold(0, multiply)
}

pub(super) static IN_PAN: Entry = entry(
    "in_pan",
    "PAN numbers of India: five letters, the fourth of which names the kind of holder, four digits, a letter",
    "PAN: ABCPE1234F",
    (10, 4),
    &[Form::new("AAAAA9999A", in_pan)],
);

fn in_pan(number: &[u8]) -> bool {
    number.get(3).is_some_and(|kind| b"ABCFGHJKLPT".contains(kind)) && value(number, 5, 9) > 0
}

pub(super) static SG_NRIC: Entry = entry(
    "sg_nric",
    "NRIC and FIN numbers of Singapore: a letter, seven digits and the letter that follows from them",
    "NRIC S1234567D",
    (9, 7),
    &[Form::new("A9999999A", sg_nric)],
);

fn sg_nric(number: &[u8]) -> bool {
    let sum = weighted(number.get(1..).unwrap_or_default(), &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, offset) = match number.first() {
        Some(b'S') => (b"JZIHGFEDCBA", 0),
        Some(b'T') => (b"JZIHGFEDCBA", 4),
        Some(b'F') => (b"XWUTRQPNMLK", 0),
        Some(b'G') => (b"XWUTRQPNMLK", 4),
        Some(b'M') => (b"XWUTRQPNJLK", 3),
        _ => return false,
    };
    letters.get((sum + offset) as usize % 11) == number.last()
}

pub(super) static AU_TFN: Entry = entry(
    "au_tfn",
    "tax file numbers of Australia, with a valid check digit, after `tfn` or `tax file`",
    "TFN: 670 858 326",
    (9, 9),
    &[
        Form::after("999 999 999", TFN, au_tfn),
        Form::after("999-999-999", TFN, au_tfn),
        Form::after("999999999", TFN, au_tfn),
    ],
);

const TFN: &[&str] = &["tfn", "tax file"];

fn au_tfn(number: &[u8]) -> bool {
    weighted(number, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && value(number, 0, 9) > 0
}

/// The digit at a place; zero where there is none.
fn digit(number: &[u8], place: usize) -> u32 {
    number.get(place).map_or(0, |byte| u32::from(byte.wrapping_sub(b'0')))
}

/// The number that some of the digits are.
fn value(number: &[u8], from: usize, to: usize) -> u32 {
    (from..to).fold(0, |value, place| value * 10 + digit(number, place))
}

/// The sum of the digits, each taken as often as its weight says.
fn weighted(number: &[u8], weights: &[u32]) -> u32 {
    weights.iter().enumerate().map(|(place, weight)| weight * digit(number, place)).sum()
}

/// Whether all digits are the same: such numbers pass some checks and are given out to nobody.
fn is_repeated(number: &[u8]) -> bool {
    number.iter().all(|digit| Some(digit) == number.first())
}
