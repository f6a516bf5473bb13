//! Conversations as text: what each side says, and what the other hears.
//!
//! A line `c MESSAGE` is said by the client, `s MESSAGE` by the server. `> MESSAGE` is what the server then hears, and
//! `< MESSAGE` what the client does. A policy decides at once; `POISON` stands for the name in the last poison.

use std::fmt::Write as _;
use std::str::FromStr as _;

use hoopcore::audit::{EventKind, WouldEnd};
use hoopcore::decision::Outcome;
use hoopcore::request::{Carrier, Exposure, Exposures};
use hoopcore::{
    Call, ColumnName, Decision, Identity, Policy, PolicySession, QualifiedName, Resource, SessionFacts, Timestamp,
    Verified,
};
use proptest::prelude::*;

use super::*;
use crate::frame::Splitter;
use crate::message::{Frame, Report, Row};

const POLICY: &str = "
hoop: 1
rules:
  - rule: work
    who: anyone
    on: db
    allow: { sql: { read: '*', insert: '*', update: '*', set: '*', create: '*', fastpath: '*' } }
  - rule: no-secrets
    who: anyone
    on: db
    block: { sql: { read: secret } }
    reason: it is secret
";

const MASKED: &str = "
  - rule: hide
    who: anyone
    on: db
    mask: { columns: { public.people.ssn: 'null' }, detect: { email: redact } }
";

/// A session with its policy, and the peers' views of it.
struct Table {
    conversation: Conversation,
    rules: PolicySession,
    facts: SessionFacts,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    fatal: Option<String>,
    records: usize,
    /// The last closing record.
    closed: Option<Event>,
    /// The policy is only watched.
    watched: bool,
    poison: String,
}

impl Table {
    fn set(masked: bool) -> Self {
        let policy = Policy::from_yaml(&format!("{POLICY}{}", if masked { MASKED } else { "" })).unwrap();
        let who = Verified::vouched(Identity::named("u"), "test");
        let exposures = Exposures::Known(if masked { exposures() } else { Arc::new([]) });
        let facts = SessionFacts { exposures, ..SessionFacts::default() };
        let mut conversation = Conversation::new(Catalog::default().into(), Limits::default());
        conversation.guard(Guard { columns: masked, ..Guard::default() });
        Self {
            rules: policy.session(&who, &Resource::postgres("db")),
            conversation,
            facts,
            to_server: Vec::new(),
            to_client: Vec::new(),
            fatal: None,
            records: 0,
            closed: None,
            watched: false,
            poison: String::new(),
        }
    }

    /// Where the policy is only watched, and no row of more than 64 bytes is looked at.
    fn watched() -> Self {
        let mut table = Self::set(true);
        let limits = Limits { looked_at: 64, ..Limits::default() };
        table.conversation = Conversation::new(Catalog::default().into(), limits);
        Self { watched: true, ..table }
    }

    /// Says what a line of a case says.
    fn line(&mut self, line: &str) {
        match line.split_once(' ').unwrap() {
            ("c", message) => self.client_says(&encode(message, Way::FromClient)),
            (_, message) => self.server_says(&encode(message, Way::FromServer)),
        }
    }

    fn client_says(&mut self, bytes: &[u8]) {
        self.conversation.client.room().extend_from_slice(bytes);
        self.go_on();
    }

    fn server_says(&mut self, bytes: &[u8]) {
        self.conversation.server.room().extend_from_slice(bytes);
        self.go_on();
    }

    /// What a relay does without any wait.
    fn go_on(&mut self) {
        if self.fatal.is_some() {
            return;
        }
        if let Err(why) = self.hear_all() {
            self.fatal = Some(why.message.into_owned());
        }
        for event in self.conversation.closed() {
            self.records += 1;
            self.closed = Some(event);
        }
        self.to_server.extend(drained(&mut self.conversation.client));
        self.to_client.extend(drained(&mut self.conversation.server));
        if let Some(at) = memchr::memmem::rfind(&self.to_server, b"hoop_deny_") {
            self.poison = String::from_utf8_lossy(&self.to_server[at..at + 42]).into_owned();
        }
    }

    fn hear_all(&mut self) -> Result<(), Refusal> {
        while let Next::Onward = self.conversation.hear_server(&mut self.facts)? {}
        loop {
            match self.conversation.hear_client()? {
                Next::Onward => {}
                Next::Ask(question) => self.decide(question),
                Next::Refresh => {
                    self.conversation.refreshed(Catalog::default());
                    self.facts.search_path = vec!["public".into()];
                }
                Next::Starved | Next::Wait | Next::Farewell => return Ok(()),
            }
        }
    }

    fn decide(&mut self, question: Question) {
        let now = Timestamp::from_str("2026-01-01T00:00:00Z").unwrap();
        let (command, parameters) = self.conversation.asked().expect("a command that waits");
        let call = Call { parameters, ..Call::new(command, &self.facts, now) };
        let decision = match question {
            Question::Prepare => self.rules.prepare(&call),
            Question::Admit => Some(self.rules.decide(&call)),
        };
        let watched = |decision: Decision| if self.watched { decision.observe() } else { decision };
        match decision.map(watched).map(|decision| decision.record(|_| Ok::<_, String>(()))) {
            None => self.conversation.prepared(),
            Some(Outcome::Allow(permit)) => self.conversation.permitted(permit, &self.facts),
            Some(Outcome::Block(denial)) => self.conversation.denied(&denial),
            Some(Outcome::Approve(_)) => panic!("no rule asks a person"),
        }
    }
}

fn exposures() -> Arc<[Exposure]> {
    let exposes = ColumnName::new("public", "people", "ssn");
    let relation = QualifiedName::qualified("public", "people");
    Arc::new([Exposure { relation, column: Some("ssn".into()), carrier: Carrier::Column, exposes }])
}

/// What a lane has to write.
fn drained(lane: &mut Lane) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let polled = lane.poll_write(&mut std::task::Context::from_waker(std::task::Waker::noop()), &mut out);
    assert!(polled.is_ready());
    out.into_inner()
}

/// A message as bytes: its type, then its parts with a `|` between them.
fn encode(message: &str, way: Way) -> Vec<u8> {
    let (tag, rest) = message.split_once(' ').unwrap_or((message, ""));
    let parts: Vec<&str> = rest.split('|').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or("");
    let mut out = BytesMut::new();
    frame(&mut out, tag.as_bytes()[0], |body| match (way, tag) {
        (Way::FromClient, "Q" | "f") => body.text(rest.as_bytes()),
        (Way::FromClient, "P") => {
            body.text(part(0).as_bytes());
            body.text(part(1).as_bytes());
            body.i16(0);
        }
        (Way::FromClient, "B") => {
            body.text(part(0).as_bytes());
            body.text(part(1).as_bytes());
            (0..3).for_each(|_| body.i16(0));
        }
        (Way::FromClient, "D" | "C") => {
            body.bytes(part(0).as_bytes());
            body.text(part(1).as_bytes());
        }
        (Way::FromClient, "E") => {
            body.text(rest.as_bytes());
            body.i32(0);
        }
        (Way::FromClient, "F") => {
            body.i32(rest.parse().unwrap());
            (0..3).for_each(|_| body.i16(0));
        }
        (Way::FromServer, "T") => columns(body, &parts),
        (Way::FromServer, "D") => {
            body.i16(i16::try_from(parts.len()).unwrap());
            parts.iter().for_each(|cell| body.value((*cell != "NULL").then_some(cell.as_bytes())));
        }
        (Way::FromServer, "E" | "N") => {
            for field in &parts {
                body.bytes(&field.as_bytes()[..1]);
                body.text(&field.as_bytes()[1..]);
            }
            body.bytes(&[0]);
        }
        (Way::FromServer, "S") => {
            body.text(part(0).as_bytes());
            body.text(part(1).as_bytes());
        }
        (Way::FromServer, "A") => {
            body.i32(7);
            body.text(part(0).as_bytes());
            body.text(part(1).as_bytes());
        }
        (Way::FromServer, "C") => body.text(rest.as_bytes()),
        (Way::FromServer, "t") => body.bytes(b"\0\x01\0\0\0\x17"),
        (Way::FromServer, "G" | "H") => {
            let columns: i16 = rest.parse().unwrap_or(0);
            body.bytes(b"\0");
            body.i16(columns);
            (0..columns).for_each(|_| body.i16(0));
        }
        (_, "d") => body.bytes(rest.replace('↵', "\n").as_bytes()),
        (Way::FromServer, "V") => body.value(Some(rest.as_bytes())),
        _ => body.bytes(rest.as_bytes()),
    });
    out.to_vec()
}

/// Columns of text without an origin.
fn columns(body: &mut Frame<'_>, names: &[&str]) {
    body.i16(i16::try_from(names.len()).unwrap());
    for name in names {
        body.text(name.as_bytes());
        body.bytes(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    }
}

/// Messages as text again.
fn decode(bytes: &[u8], way: Way) -> Vec<String> {
    let mut splitter = Splitter::new(way, Limits::default());
    splitter.room().extend_from_slice(bytes);
    let mut messages = Vec::new();
    while let Some(head) = splitter.head().unwrap() {
        messages.push(shown(head.tag, splitter.body(head).unwrap().unwrap(), way));
        splitter.pass(head);
    }
    assert_eq!(splitter.passed().unwrap_or_default().len(), bytes.len(), "half a message: {bytes:?}");
    messages
}

fn shown(tag: u8, body: &[u8], way: Way) -> String {
    let mut out = String::from(char::from(tag));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match (way, tag) {
        (Way::FromServer, b'E' | b'N') => {
            let fields: Vec<String> = Report::read(body)
                .unwrap()
                .fields()
                .map(|(kind, value)| format!("{}{}", char::from(kind), text(value)))
                .collect();
            write!(out, " {}", fields.join("|")).unwrap();
        }
        (Way::FromServer, b'D') => {
            let cells: Vec<String> =
                Row::read(body).unwrap().cells().map(|cell| cell.map_or("NULL".into(), text)).collect();
            write!(out, " {}", cells.join("|")).unwrap();
        }
        (Way::FromServer, b'T' | b't' | b'G' | b'H') => {}
        _ => {
            let words: Vec<String> =
                body.split(|byte| *byte == 0 || *byte == 0xff).filter(|word| !word.is_empty()).map(text).collect();
            if !words.is_empty() {
                write!(out, " {}", words.join("|").replace('\n', "↵")).unwrap();
            }
        }
    }
    out
}

/// Plays a script with each message cut into pieces, and gives the two ends' views.
fn play(script: &str, masked: bool, mut cut: impl FnMut(usize) -> Vec<usize>) -> (Vec<String>, Table) {
    let mut table = Table::set(masked);
    let mut told = Vec::new();
    let lines = script.lines().map(str::trim).filter(|line| line.starts_with("c ") || line.starts_with("s "));
    for line in lines {
        let (way, message) = match line.split_at(2) {
            ("c ", message) => (Way::FromClient, message),
            (_, message) => (Way::FromServer, message),
        };
        let bytes = encode(&message.replace("POISON", &table.poison), way);
        told.push(line.to_owned());
        let mut at = 0;
        for next in cut(bytes.len()).into_iter().chain([bytes.len()]) {
            match way {
                Way::FromClient => table.client_says(&bytes[at..next]),
                Way::FromServer => table.server_says(&bytes[at..next]),
            }
            at = next;
        }
        let (to_server, to_client) = (std::mem::take(&mut table.to_server), std::mem::take(&mut table.to_client));
        let poison = table.poison.clone();
        let hide = |message: String| if poison.is_empty() { message } else { message.replace(&poison, "POISON") };
        told.extend(decode(&to_server, Way::FromClient).into_iter().map(|message| format!("> {}", hide(message))));
        told.extend(decode(&to_client, Way::FromServer).into_iter().map(|message| format!("< {}", hide(message))));
        if let Some(why) = &table.fatal {
            told.push(format!("fatal {why}"));
            break;
        }
    }
    (told, table)
}

#[track_caller]
fn check(masked: bool, script: &str) -> Table {
    let expected: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let (told, table) = play(script, masked, |_| Vec::new());
    assert_eq!(told.join("\n"), expected.join("\n"));
    table
}

#[test]
fn what_is_permitted_passes_as_it_is() {
    let table = check(false, SIMPLE);
    assert_eq!(table.records, 1);
    let table = check(false, EXTENDED);
    assert_eq!(table.records, 1);
}

const SIMPLE: &str = "
    c Q SELECT 1
    > Q SELECT 1
    s T a
    < T
    s D 1
    < D 1
    s C SELECT 1
    < C SELECT 1
    s Z I
    < Z I
";

const EXTENDED: &str = "
    c P s|SELECT 1
    > P s|SELECT 1
    c D S|s
    > D Ss
    c B p|s
    > B p|s
    c E p
    > E p
    c S
    > S
    s 1
    < 1
    s t
    < t
    s T a
    < T
    s 2
    < 2
    s D 1
    < D 1
    s C SELECT 1
    < C SELECT 1
    s Z I
    < Z I
    c C S|s
    > C Ss
    c S
    > S
    s 3
    < 3
    s Z I
    < Z I
";

#[test]
fn what_is_refused_becomes_an_error_of_its_own() {
    check(false, REFUSED_QUERY);
    check(false, REFUSED_BIND);
    check(
        false,
        "
        c P s|SELECT * FROM secret
        > P s|\"POISON\"
        c B |s
        c S
        > S
        s E SERROR|C42601|Msyntax error at or near \"POISON\"
        < E SERROR|VERROR|C42501|Mrefused by rule `no-secrets`: it is secret|Hthe rule stands in line 8 of the policy
        s Z T
        < Z T
        ",
    );
}

const REFUSED_QUERY: &str = "
    c Q SELECT * FROM secret
    > Q \"POISON\"
    s E SERROR|C42601|Msyntax error at or near \"POISON\"|P1
    < E SERROR|VERROR|C42501|Mrefused by rule `no-secrets`: it is secret|Hthe rule stands in line 8 of the policy
    s Z I
    < Z I
";

const REFUSED_BIND: &str = "
    c B |never
    > B POISON
    c E
    c S
    > S
    s E SERROR|C26000|Mprepared statement \"POISON\" does not exist
    < E SERROR|VERROR|C26000|Mrefused by rule `default`: no rule allows `unknown`
    s Z I
    < Z I
";

#[test]
fn another_error_than_the_poisons_is_told_as_it_is() {
    check(
        false,
        "
        c Q SELECT * FROM secret
        > Q \"POISON\"
        s E SERROR|C57014|Mcanceling statement
        < E SERROR|C57014|Mcanceling statement
        s Z I
        < Z I
        ",
    );
}

#[test]
fn text_that_is_not_utf8_reaches_no_parser() {
    let mut table = Table::set(false);
    table.client_says(b"Q\0\0\0\x0bSEL'\xff'\0");
    let to_server = String::from_utf8_lossy(&table.to_server).into_owned();
    assert!(to_server.contains(&format!("\"{}\"", table.poison)) && !to_server.contains("SEL"), "{to_server}");
    table.server_says(&encode(&format!("E SERROR|C42601|M{}", table.poison), Way::FromServer));
    let told = decode(&table.to_client, Way::FromServer).concat();
    assert!(told.contains("C22021"), "{told}");
}

#[test]
fn rows_are_masked_by_the_layout_of_the_portal() {
    check(true, MASKED_PORTAL);
    check(
        true,
        "
        c Q SELECT 'a@x.org'; SELECT 1
        > Q SELECT 'a@x.org'; SELECT 1
        s T a
        < T
        s D a@x.org
        < D [redacted]
        s C SELECT 1
        < C SELECT 1
        s D a@x.org
        fatal the server broke the protocol: a row that was never described
        ",
    );
    check(
        true,
        "
        c P |SELECT 1
        > P SELECT 1
        c B |
        > B
        c E
        > D P
        > E
        s 1
        < 1
        s 2
        < 2
        s n
        s D 1
        fatal the server broke the protocol: a row that was never described
        ",
    );
}

#[test]
fn a_client_that_has_its_portal_described_saves_the_gateway_from_asking() {
    check(
        true,
        "
        c P |SELECT name FROM people
        > P SELECT name FROM people
        c B |
        > B
        c D P
        > D P
        c E
        > E
        s 1
        < 1
        s 2
        < 2
        s T a
        < T
        s D a@x.org
        < D [redacted]
        s s
        < s
        c E
        > E
        s D a@x.org
        < D [redacted]
        ",
    );
    // Of a Describe in another sequence nobody knows whether it is carried out.
    check(
        true,
        "
        c P |SELECT name FROM people
        > P SELECT name FROM people
        c B p|
        > B p
        c D Pp
        > D Pp
        c S
        > S
        s 1
        < 1
        s 2
        < 2
        c E p
        > D Pp
        > E p
        ",
    );
    // A Describe of the statement tells of another moment.
    check(
        true,
        "
        c P |SELECT name FROM people
        > P SELECT name FROM people
        c B |
        > B
        c D S
        > D S
        c E
        > D P
        > E
        ",
    );
}

const MASKED_PORTAL: &str = "
    c P |SELECT name FROM people
    > P SELECT name FROM people
    c B |
    > B
    c E
    > D P
    > E
    c S
    > S
    s 1
    < 1
    s 2
    < 2
    s T a
    s D see a@x.org
    < D see [redacted]
    s D plain
    < D plain
    s C SELECT 2
    < C SELECT 2
    s Z I
    < Z I
";

#[test]
fn what_is_derived_from_a_protected_column_is_hidden() {
    check(
        true,
        "
        c Q SELECT ssn FROM people
        > Q SELECT ssn FROM people
        s T a
        < T
        s D 123-45-6789
        < D NULL
        s D NULL
        < D NULL
        ",
    );
}

#[test]
fn values_leave_neither_in_errors_nor_beside_them() {
    check(
        true,
        "
        c Q SELECT name FROM people
        > Q SELECT name FROM people
        s N SNOTICE|VNOTICE|C00000|Mssn is 1-2|Fpl_exec.c
        < N SNOTICE|VNOTICE|C00000|Mthe text is hidden, because it may hold protected values|Fpl_exec.c
        s A chan|1-2
        < A \u{7}chan
        s S application_name|1-2
        s S TimeZone|UTC
        < S TimeZone|UTC
        s E SERROR|VERROR|C22P02|Minvalid input: \"1-2\"|DKey (1-2)
        < E SERROR|VERROR|C22P02|Minvalid input: \"…\"
        s Z I
        < Z I
        ",
    );
}

#[test]
fn a_copy_passes_through_the_detectors() {
    check(
        true,
        "
        c Q COPY other TO STDOUT
        > P hoop copies|SELECT * FROM other
        > D Shoop copies
        > C Shoop copies
        > H
        c S
        s 1
        s t
        s T a|b
        s 3
        > Q COPY other TO STDOUT
        > S
        s H 2
        < H
        s d 1\task a@b.org↵
        < d 1\task [redacted]↵
        s d 2\task
        s d  a@b
        s d .org↵3\tx↵4
        < d 2\task [redacted]↵3\tx↵
        s d \ty↵
        < d 4\ty↵
        s c
        < c
        s C COPY 4
        < C COPY 4
        s Z I
        < Z I
        s Z I
        < Z I
        ",
    );
    // Columns that are not those which were described are hidden.
    check(
        true,
        "
        c P |COPY other (a) TO STDOUT
        > P COPY other (a) TO STDOUT
        c B |
        > B
        c E
        > P hoop copies|SELECT \"a\" FROM other
        > D Shoop copies
        > C Shoop copies
        > E
        c S
        > S
        s 1
        < 1
        s 2
        < 2
        s 1
        s t
        s T a
        s 3
        s H 2
        < H
        s d 1\t2↵
        < d \\N\t\\N↵
        s d 1↵
        fatal the rows of the copy are not in the format that was asked for, and cannot be masked
        ",
    );
}

#[test]
fn an_error_of_what_is_asked_ahead_is_the_answer() {
    check(
        true,
        "
        c Q COPY other TO STDOUT
        > P hoop copies|SELECT * FROM other
        > D Shoop copies
        > C Shoop copies
        > H
        s E SERROR|C42P01|Mthere is none
        > S
        < E SERROR|C42P01|Mthere is none
        c Q SELECT 1
        > Q SELECT 1
        s Z I
        < Z I
        ",
    );
    // An error before it has the query read over up to the client's own Sync.
    check(
        true,
        "
        c P |SELECT 1 FROM nothing
        > P SELECT 1 FROM nothing
        c Q COPY other TO STDOUT
        > P hoop copies|SELECT * FROM other
        > D Shoop copies
        > C Shoop copies
        > H
        s E SERROR|C42703|Mthere is none
        < E SERROR|C42703|Mthere is none
        c S
        > S
        s Z I
        < Z I
        ",
    );
}

#[test]
fn a_copy_passes_where_nothing_is_masked() {
    check(
        false,
        "
        c Q COPY other TO STDOUT
        > Q COPY other TO STDOUT
        s H
        < H
        s d a
        < d a
        s c
        < c
        s C COPY 1
        < C COPY 1
        s Z I
        < Z I
        ",
    );
    check(
        false,
        "
        c Q COPY t FROM STDIN
        > Q COPY t FROM STDIN
        c d a
        > d a
        s G
        < G
        c S
        c d b
        > d b
        c c
        > c
        s C COPY 2
        < C COPY 2
        s Z I
        < Z I
        c c
        ",
    );
    check(
        false,
        "
        c Q COPY t FROM STDIN
        > Q COPY t FROM STDIN
        s G
        < G
        c Q SELECT 1
        fatal a copy must be ended before anything else is asked
        ",
    );
}

#[test]
fn texts_are_read_in_the_encoding_that_the_server_reports() {
    check(
        false,
        r#"
        s S client_encoding|LATIN1
        < S client_encoding|LATIN1
        c Q SELECT 'é'
        > Q SELECT 'é'
        s C SELECT 1
        < C SELECT 1
        s S client_encoding|BIG5
        < S client_encoding|BIG5
        s Z I
        < Z I
        c Q SELECT 'plain'
        > Q SELECT 'plain'
        s C SELECT 1
        < C SELECT 1
        s Z I
        < Z I
        c Q SELECT 'é'
        > Q "POISON"
        s E SERROR|C42601|MPOISON
        < E SERROR|VERROR|C42501|Mrefused by rule `default`: hoop could not read the statement: characters beyond ASCII, while client_encoding is or may be one that is not read
        "#,
    );
}

#[test]
fn texts_beyond_ascii_wait_for_the_servers_word_of_the_encoding() {
    check(
        false,
        "
        c Q SET client_encoding TO 'LATIN1'
        > Q SET client_encoding TO 'LATIN1'
        c Q SELECT 'é'
        s C SET
        < C SET
        s S client_encoding|LATIN1
        < S client_encoding|LATIN1
        s Z I
        > Q SELECT 'é'
        < Z I
        ",
    );
    // Within a sequence it would be waited for in vain.
    check(
        false,
        r#"
        c P |SET client_encoding TO 'LATIN1'
        > P SET client_encoding TO 'LATIN1'
        c B |
        > B
        s 1
        < 1
        c E
        > E
        c P |SELECT 'é'
        > P "POISON"
        "#,
    );
}

#[test]
fn what_a_rollback_may_take_back_is_waited_for() {
    check(
        false,
        "
        s S client_encoding|LATIN1
        < S client_encoding|LATIN1
        c Q BEGIN; SET LOCAL client_encoding TO 'SJIS'
        > Q BEGIN; SET LOCAL client_encoding TO 'SJIS'
        s C BEGIN
        < C BEGIN
        s C SET
        < C SET
        s S client_encoding|SJIS
        < S client_encoding|SJIS
        s Z T
        < Z T
        c Q ROLLBACK
        > Q ROLLBACK
        c Q SELECT 'é'
        s C ROLLBACK
        < C ROLLBACK
        s S client_encoding|LATIN1
        < S client_encoding|LATIN1
        s Z I
        > Q SELECT 'é'
        < Z I
        ",
    );
}

#[test]
fn rows_in_an_encoding_that_is_in_doubt_are_hidden_where_masks_may_act() {
    check(
        true,
        "
        c Q SET client_encoding TO 'LATIN1'; SELECT 'é', 'a@x.org', 'plain'
        > Q SET client_encoding TO 'LATIN1'; SELECT 'é', 'a@x.org', 'plain'
        s C SET
        < C SET
        s T a|b|c
        < T
        s D é|a@x.org|plain
        < D NULL|[redacted]|plain
        ",
    );
}

#[test]
fn a_backslash_is_not_read_while_strings_may_not_conform() {
    check(
        false,
        r#"
        c Q SELECT '\'
        > Q SELECT '\'
        s C SELECT 1
        < C SELECT 1
        s S standard_conforming_strings|off
        < S standard_conforming_strings|off
        s Z I
        < Z I
        c Q SELECT 'plain'
        > Q SELECT 'plain'
        s C SELECT 1
        < C SELECT 1
        s Z I
        < Z I
        c Q SELECT '\'
        > Q "POISON"
        "#,
    );
    // Between the change and the server's word of it.
    check(
        false,
        r#"
        c Q SET standard_conforming_strings TO off
        > Q SET standard_conforming_strings TO off
        c P |SELECT '\'
        s C SET
        < C SET
        s S standard_conforming_strings|off
        < S standard_conforming_strings|off
        s Z I
        > P "POISON"
        < Z I
        "#,
    );
}

#[test]
fn what_depends_on_an_answer_waits_for_it() {
    check(
        false,
        "
        c Q SET search_path TO other
        > Q SET search_path TO other
        c Q SELECT * FROM t
        > H
        s C SET
        < C SET
        s Z I
        > Q SELECT * FROM t
        < Z I
        ",
    );
    check(
        false,
        "
        c P s|SELECT 1
        > P s|SELECT 1
        c S
        > S
        c B |s
        s E SERROR|C42P05|Mexists
        > B POISON
        < E SERROR|C42P05|Mexists
        s Z I
        < Z I
        ",
    );
}

#[test]
fn what_the_server_skips_is_not_sent() {
    check(
        false,
        "
        c B |never
        > B POISON
        c P |SELECT * FROM secret
        c Q SELECT * FROM secret
        c d x
        c S
        > S
        c Q SELECT 1
        > Q SELECT 1
        ",
    );
}

#[test]
fn a_portal_that_ended_is_decided_about_again() {
    let table = check(
        false,
        "
        c P |SELECT 1
        > P SELECT 1
        c B p|
        > B p
        c E p
        > E p
        c H
        > H
        s 1
        < 1
        s 2
        < 2
        s D 1
        < D 1
        s C SELECT 1
        < C SELECT 1
        c E p
        > E p
        s C SELECT 0
        < C SELECT 0
        ",
    );
    assert_eq!(table.records, 2);
}

#[test]
fn a_call_outside_sql_is_refused_where_its_result_could_not_be_masked() {
    check(
        false,
        "
        c F 1598
        > F \u{6}>
        s V 1
        < V \u{1}1
        s Z I
        < Z I
        ",
    );
}

/// What masks could not act on passes byte for byte where the policy is only watched, and the closing record says so.
#[test]
fn what_could_not_be_masked_passes_where_the_policy_is_watched() {
    let check = |before: &[&str], row: Vec<u8>, after: &str, why: &'static str| {
        let mut table = Table::watched();
        before.iter().for_each(|line| table.line(line));
        table.to_client.clear();
        let (begin, rest) = row.split_at(row.len() / 2);
        table.server_says(begin);
        table.server_says(rest);
        assert_eq!((&table.fatal, table.to_client.as_slice()), (&None, row.as_slice()), "{before:?}");
        [after, "s Z I"].iter().for_each(|line| table.line(line));
        let Some(EventKind::Closed { would_end, .. }) = table.closed.map(|event| event.kind) else { panic!("{why}") };
        assert_eq!(would_end, Some(WouldEnd::Unmaskable(why)));
    };
    let row = |cell: &str| encode(&format!("D {cell}"), Way::FromServer);
    let described = ["c Q SELECT note FROM people", "s T note"];
    check(&described, row(&"x".repeat(100)), "s C SELECT 1", "a row is too long to be looked at");
    check(&described[..1], row("a@b.org"), "s C SELECT 1", "a row was never described");
    check(&described, row("a@b.org|more"), "s C SELECT 1", "a row is not as the server described it");
}

#[test]
fn bytes_that_are_no_message_end_the_session() {
    for (client, bytes) in [
        (true, &b"q\0\0\0\x04"[..]),
        (true, b"Q\0\0\0\x0cSELECT 1"),
        (true, b"Q\0\0\0\x0eSELECT 1\0Q"),
        (true, b"S\0\0\0\x05x"),
        (true, b"B\0\0\0\x11\0\0\0\0\0\x01\0\0\x03\xe8x\0\0"),
        (true, b"p\0\0\0\x05\0"),
        (false, b"R\0\0\0\x08\0\0\0\0"),
        (false, b"Z\0\0\0\x05I"),
        (false, b"Z\0\0\0\x05X"),
        (false, b"D\0\0\0\x06\0\0"),
        (false, b"E\0\0\0\x05\0"),
        (false, b"W\0\0\0\x07\0\0\0"),
    ] {
        let mut table = Table::set(false);
        if client {
            table.client_says(bytes)
        } else {
            table.server_says(bytes)
        }
        assert!(table.fatal.is_some(), "{bytes:?}");
        assert!(table.to_server.is_empty() && table.to_client.is_empty(), "{bytes:?}");
    }
}

const SCRIPTS: [(bool, &str); 5] =
    [(false, SIMPLE), (false, EXTENDED), (false, REFUSED_QUERY), (false, REFUSED_BIND), (true, MASKED_PORTAL)];

proptest! {
    #[test]
    fn any_segmentation_gives_the_same(
        which in 0..SCRIPTS.len(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let (masked, script) = SCRIPTS[which];
        let whole: Vec<u8> = ends(&play(script, masked, |_| Vec::new()).0);
        let mut cuts = cuts.iter().cycle();
        let (told, _) = play(script, masked, |length| {
            let mut places: Vec<usize> = cuts.by_ref().take(3).map(|cut| cut.index(length)).collect();
            places.sort_unstable();
            places
        });
        prop_assert_eq!(ends(&told), whole);
    }

    #[test]
    fn no_bytes_panic(
        said in prop::collection::vec((any::<bool>(), noise()), 1..20),
        masked in any::<bool>(),
    ) {
        let mut table = Table::set(masked);
        for (client, bytes) in said {
            if client { table.client_says(&bytes) } else { table.server_says(&bytes) }
        }
        table.conversation.abandon();
        prop_assert!(table.conversation.fifo.is_empty());
    }
}

fn ends(told: &[String]) -> Vec<u8> {
    told.join("\n").into_bytes()
}

/// Messages of either side, whole or not quite.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let client = prop::sample::select(vec![
        "Q SELECT 1",
        "Q SELECT * FROM secret",
        "P |SELECT ssn FROM people",
        "P s|SELECT 1",
        "B |",
        "B p|s",
        "B |s",
        "D P|",
        "D S|s",
        "E",
        "E p",
        "C P|p",
        "C S|s",
        "S",
        "H",
        "F 5",
        "d x",
        "c",
        "f x",
        "X",
        "Q COPY t FROM STDIN",
        "Q CREATE TABLE t (a int)",
    ]);
    let server = prop::sample::select(vec![
        "1",
        "2",
        "3",
        "t",
        "T a",
        "n",
        "D 1",
        "D 1|2",
        "C SELECT 1",
        "I",
        "s",
        "G",
        "H",
        "d x",
        "c",
        "V 1",
        "E SERROR|C42601|Mx",
        "E SFATAL|VFATAL|C57P01|Mx",
        "N SNOTICE|Mx",
        "A a|b",
        "S a|b",
        "Z I",
        "Z T",
        "Z E",
        "C ROLLBACK",
    ]);
    prop_oneof![
        8 => client.prop_map(|message| encode(message, Way::FromClient)),
        8 => server.prop_map(|message| encode(message, Way::FromServer)),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}
