//! Encodings of the client: read character by character as the server reads them, and no way around a decision or a mask.

use std::fmt::Write as _;

use hoop_pg::charset::Charset;

use crate::script::{Case, cases, report};
use crate::setting::{Gateway, create, direct, run, shop};
use crate::wire::{Message, Wire, frame};

/// Every encoding that a client may ask for, but for those of which nothing beyond ASCII is read.
const READ: [&str; 34] = [
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "KOI8R",
    "KOI8U",
    "WIN866",
    "WIN874",
    "WIN1250",
    "WIN1251",
    "WIN1252",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
    "WIN1258",
    "EUC_CN",
    "EUC_JP",
    "EUC_KR",
    "GB18030",
    "GBK",
    "SJIS",
    "UHC",
];

/// Every character of an encoding, as bytes and as UTF-8, in hexadecimal digits: those of one and two bytes, those of three
/// that EUC_JP has, and what the Basic Multilingual Plane becomes.
const CHARACTERS: &str = r"
create function is_text(bytes bytea, encoding name) returns bool language plpgsql as $$
begin return length(convert_from(bytes, encoding)) = 1; exception when others then return false; end $$;
create function bytes_of(number int, encoding name) returns bytea language plpgsql as $$
begin return convert_to(chr(number), encoding); exception when others then return null; end $$;
create function characters(encoding name) returns table(bytes text, utf8 text) language sql as $$
    with one(b) as (select set_byte('\x00', 0, i) from generate_series(1, 255) i),
    high(b) as (select b from one where get_byte(b, 0) >= 128),
    three(b) as (select '\x8f'::bytea || x.b || y.b from high x, high y where encoding = 'EUC_JP'),
    plane(b) as (select bytes_of(number, encoding) from generate_series(128, 65533) number
        where number not between 55296 and 57343),
    every(b) as (select b from one union select x.b || y.b from high x, one y union select b from three union select b from plane)
    select encode(b, 'hex'), encode(convert_to(convert_from(b, encoding), 'UTF8'), 'hex') from every
    where b is not null and is_text(b, encoding)
$$;";

#[test]
fn each_character_is_read_as_the_server_reads_it() {
    let database = create("template0");
    let mut server = Wire::connect(&direct(&database)).unwrap();
    server.query(CHARACTERS);
    report(&READ.iter().filter_map(|encoding| disagreement(&mut server, encoding)).collect::<Vec<_>>());
}

/// What is read otherwise; or that too little is read.
fn disagreement(server: &mut Wire, encoding: &str) -> Option<String> {
    let charset = Charset::named(encoding, "UTF8");
    let rows = server.query(&format!("select * from characters('{encoding}')"));
    let characters: Vec<_> = rows.iter().filter(|row| row.tag == b'D').map(character).collect();
    let mut told = String::new();
    let mut read = 0;
    for (bytes, text) in &characters {
        match charset.decode(bytes) {
            Some(decoded) if decoded == text.as_str() => read += 1,
            Some(decoded) => write!(told, " {bytes:02x?} is `{text}`, read as `{decoded}`;").unwrap(),
            None => {}
        }
        let back = charset.encode(text);
        let same = |back: &[u8]| charset.decode(back).as_deref() == Some(text);
        assert!(back.is_none_or(|back| same(&back)), "{encoding} {bytes:02x?}");
    }
    // Those which are not read are few, and each is refused as a text.
    let enough = characters.len() > 200 && read * 100 >= characters.len() * 98;
    (!told.is_empty() || !enough).then(|| format!("{encoding}: {read} of {} read;{told}", characters.len()))
}

fn character(row: &Message) -> (Vec<u8>, String) {
    let cells = row.cells();
    let bytes = |hexadecimal: &str| -> Vec<u8> {
        let digits = hexadecimal.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    };
    (bytes(&cells[0]), String::from_utf8(bytes(&cells[1])).unwrap())
}

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: developers-work
    who: { group: developers }
    on: target
    allow: { sql: { read: "*", insert: public.notes, call: "*", set: [client_encoding, standard_conforming_strings] } }
  - rule: no-secrets
    who: anyone
    on: target
    block: { sql: { read: [hidden.vault, "*.Ä"] } }
    reason: it is secret
"#;

#[test]
fn no_encoding_leads_around_a_decision() {
    let database = shop();
    run(&database, "create view turning as select set_config('client_encoding', 'SJIS', false)");
    let gateway = Gateway::start(&database, POLICY);
    let judge = |case: &Case| case.judge(&case.run(&mut gateway.connect("ann")));
    report(&cases("encodings.txt").iter().filter_map(judge).collect::<Vec<_>>());
}

/// What a client asks for when it connects is judged like a SET of it.
#[test]
fn a_client_begins_in_the_encoding_that_the_policy_lets_it_have() {
    let database = shop();
    let open = Gateway::start(&database, POLICY);
    let closed = Gateway::start(&database, &POLICY.replace("client_encoding, ", ""));
    let check = |gateway: &Gateway, parameters: &[(&str, &str)], expected: &str| {
        let mut session = Wire::connect_with(&gateway.address("ann"), parameters).unwrap();
        assert_eq!(session.rows("show client_encoding"), [format!("D {expected}")], "{parameters:?}");
        session.query("reset all");
        assert_eq!(session.rows("show client_encoding"), [format!("D {expected}")], "{parameters:?}");
    };
    check(&open, &[], "UTF8");
    check(&open, &[("client_encoding", "latin1")], "LATIN1");
    check(&open, &[("client_encoding", "SQL_ASCII")], "SQL_ASCII");
    check(&open, &[("options", "-c client_encoding=sjis")], "SJIS");
    check(&open, &[("options", "-c client_encoding=sjis"), ("client_encoding", "utf8")], "UTF8");
    check(&closed, &[], "UTF8");
    check(&closed, &[("client_encoding", "latin1")], "UTF8");
    check(&closed, &[("client_encoding", "nonsense")], "UTF8");
    check(&closed, &[("client_encoding", "'utf-8'")], "UTF8");
    check(&closed, &[("client_encoding", "unicode")], "UNICODE");
    let refused = Wire::connect_with(&open.address("ann"), &[("client_encoding", "nonsense")]).err().unwrap();
    assert_eq!(refused.field('C'), "22023");
}

/// A database in another encoding: texts come and go, and names beyond ASCII are refused, for the server folds and cuts them
/// otherwise.
#[test]
fn databases_in_other_encodings() {
    let latin = create_in("LATIN1");
    let ascii = create_in("SQL_ASCII");
    run(&latin, "create table notes(id int, body text); insert into notes values (1, U&'\\00e9')");
    run(&ascii, "create table notes(id int, body text); insert into notes values (1, E'\\351')");
    let (latin, ascii) = (Gateway::start(&latin, POLICY), Gateway::start(&ascii, POLICY));
    let check = |gateway: &Gateway, encoding: &str, sql: &[u8], expected: &[u8]| {
        let mut session = Wire::connect_with(&gateway.address("ann"), &[("client_encoding", encoding)]).unwrap();
        session.send(&frame(b'Q', &[sql, b"\0"].concat()));
        let got = session.until(b"Z");
        let found = got.iter().any(|message| memchr::memmem::find(&message.body, expected).is_some());
        assert!(found, "{encoding} {sql:?}: {got:?}");
    };
    let select = b"select 'rows: ' || body from notes";
    check(&latin, "utf8", select, "rows: é".as_bytes());
    check(&latin, "latin1", select, b"rows: \xe9");
    check(&latin, "sql_ascii", select, b"rows: \xe9");
    check(&latin, "latin1", b"select 'found' from notes where body = '\xe9'", b"found");
    check(&latin, "latin1", b"select 1 as \xe9", b"42501");
    check(&latin, "utf8", "select 1 as \"é\"".as_bytes(), b"42501");
    check(&latin, "utf8", b"select 1 as U&\"\\00e9\"", b"42501");
    check(&ascii, "sql_ascii", select, b"rows: \xe9");
    check(&ascii, "sql_ascii", b"select '\xe9'", b"22021");
    check(&ascii, "sql_ascii", "select 'é' as é".as_bytes(), "é".as_bytes());
    check(&ascii, "latin1", b"select 'found' from notes where body = '\xe9'", b"found");
    check(&ascii, "latin1", b"select 1 as \xe9", b"42501");
}

fn create_in(encoding: &str) -> String {
    let name = format!("encoded_{}", encoding.to_lowercase());
    run("postgres", &format!("create database {name} template template0 encoding '{encoding}'"));
    name
}

const MASKS: &str = r#"
  - rule: customers-are-masked
    who: anyone
    on: target
    mask: { columns: { public.customers.email: partial }, detect: { email: redact }, on_copy: allow }
"#;

/// What a caller gets of a masked column, and of one in which detectors look, stands in its own encoding.
#[test]
fn masks_read_and_write_the_encoding_of_the_client() {
    let database = shop();
    run(
        &database,
        "insert into customers(id, email, note) values (9, 'anna@exämplé', 'wörtlich: ann@example.org'), (10, '中文', '中文')",
    );
    let gateway = Gateway::start(&database, &format!("{POLICY}{MASKS}"));
    let check = |encoding: &str, sql: &str, expected: &[u8]| {
        let mut session = gateway.connect("ann");
        session.query(&format!("begin; set local client_encoding to {encoding}"));
        let text = Charset::named(&encoding.to_uppercase(), "UTF8").encode(sql).unwrap();
        session.send(&frame(b'Q', &[&*text, b"\0"].concat()));
        let got = session.until(b"Z");
        let found = got.iter().any(|message| memchr::memmem::find(&message.body, expected).is_some());
        assert!(found, "{encoding} {sql}: {got:?}");
    };
    let select = "select email, note from customers where id = 9";
    check("utf8", select, "****mplé\0\0\0\x15wörtlich: [redacted]".as_bytes());
    check("latin1", select, b"****mpl\xe9\0\0\0\x14w\xf6rtlich: [redacted]");
    check("win1252", select, b"****mpl\xe9\0\0\0\x14w\xf6rtlich: [redacted]");
    check("sql_ascii", select, "****mplé\0\0\0\x15wörtlich: [redacted]".as_bytes());
    let copy = "copy (select email, note from customers where id = 9) to stdout";
    check("latin1", copy, b"****mpl\xe9\tw\xf6rtlich: [redacted]\n");
    let copy = "copy (select email, id as \"é\" from customers where id = 9) to stdout (format csv, header)";
    check("latin1", copy, b"email,\xe9\n");
    check("latin1", copy, b"****mpl\xe9,9\n");
    // What cannot be read is hidden where a mask may act on it, and passes where none does.
    let other = "select email, note, id from customers where id = 10";
    check("gbk", other, b"****\0\0\0\x04\xd6\xd0\xce\xc4\0\0\0\x0210");
    check(
        "big5",
        "select email, note, id from customers where id = 10",
        b"\0\x03\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x0210",
    );
    check("big5", "copy (select note from customers) to stdout", b"client_encoding");
    check("latin1", "copy (select note from customers) to stdout (format binary)", b"client_encoding");
}
