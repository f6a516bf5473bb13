//! What must hold for any bytes: one function per target. None may panic, hang, or break its property.
#![forbid(unsafe_code)]

mod fifo;
mod protocols;

use hoop_pg::charset::Charset;
use hoop_pg::frame::{FrameError, Limits, Splitter, Way};
use hoop_pg::message;
use hoop_pg::startup::{Negotiated, packet_length};
use hoop_runtime::diagnostics::Sources;
use hoopcore::command::sql::Verb;
use hoopcore::copy::{Broken, CopyOut, Rewriter};
use hoopcore::decision::RuleRef;
use hoopcore::mask::{
    Cell, CellFormat, CellType, Column, ColumnMask, JsonMask, JsonPath, MaskPlan, Origin, Style, Tally,
};
use hoopcore::policy::{ColumnPattern, Glob};
use hoopcore::{
    Call, ColumnName, Command, Coverage, Identity, Layout, Outcome, Policy, Request, Resource, RowMasker, SessionFacts,
    Timestamp, Verified,
};

/// Statements: what is not understood in full has an effect that says so, and the text without its literals is read as well.
pub fn sql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let command = Command::sql(text);
    for statement in command.statements() {
        let unknown = statement.effects.iter().any(|effect| effect.verb == Verb::Unknown);
        assert!(unknown || statement.coverage == Coverage::Full, "what is not understood bears the verb `unknown`");
    }
    let _ = Command::sql(command.canonical());
}

/// Requests of HTTP and Kubernetes.
pub fn requests(data: &[u8]) {
    std::str::from_utf8(data).ok().into_iter().for_each(protocols::requests);
}

/// Command lines of SSH.
pub fn shell(data: &[u8]) {
    std::str::from_utf8(data).ok().into_iter().for_each(protocols::shell);
}

/// Policies, of several files with a byte 0x1e between two: every problem has its place in a file, and can be shown.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files: Vec<(String, &str)> =
        text.split('\x1e').enumerate().map(|(at, text)| (format!("{at}.yaml"), text)).collect();
    let named: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let Err(errors) = Policy::from_files(&named) else { return };
    assert!(!errors.problems.is_empty(), "a policy is refused for a reason");
    let mut sources = Sources::default();
    named.iter().for_each(|(name, text)| sources.insert(*name, text));
    assert!(!sources.render_all(&errors.problems).is_empty());
    for problem in &errors.problems {
        let file = problem.file.as_deref().and_then(|file| named.iter().find(|(name, _)| *name == file));
        let lines = file.map_or(1, |(_, text)| text.split(['\n', '\r']).count() + 1);
        assert!((1..=lines).contains(&(problem.line as usize)), "line {} of {lines}", problem.line);
        assert!(problem.column >= 1 && !problem.message.is_empty());
    }
}

/// What a client sends: its frames do not depend on how the bytes arrive, no body upsets its reader, and texts in any encoding
/// are what their pieces are.
pub fn client_frames(data: &[u8]) {
    let Some((&at, bytes)) = data.split_first() else { return };
    for encoding in
        ["UTF8", "LATIN1", "LATIN5", "KOI8U", "WIN1252", "EUC_JP", "EUC_CN", "EUC_KR", "SJIS", "GBK", "GB18030", "BIG5"]
    {
        texts(Charset::named(encoding, "UTF8"), bytes, usize::from(at));
    }
    frames(data, Way::FromClient, |tag, body| match tag {
        b'Q' => drop(message::query(body)),
        b'P' => drop(message::Parse::read(body).map(|parse| parse.types().count())),
        b'B' => drop(message::Bind::read(body).map(|bind| bind.values.iter().count())),
        b'C' | b'D' => drop(message::close_or_describe(body)),
        b'E' => drop(message::Execute::read(body)),
        b'F' => drop(message::Call::read(body)),
        b'f' => drop(message::copy_fail(body)),
        _ => drop(message::nothing(body)),
    });
}

/// What a server sends: the same.
pub fn server_frames(data: &[u8]) {
    frames(data, Way::FromServer, |tag, body| match tag {
        b'T' => drop(message::RowDescription::read(body).map(|row| row.fields().count())),
        b'D' => drop(message::Row::read(body).map(|row| row.cells().count())),
        b'C' => drop(message::CommandTag::read(body).map(|tag| tag.rows())),
        b'E' | b'N' => drop(message::Report::read(body).map(|report| (report.fields().count(), report.is_fatal()))),
        b'Z' => drop(message::Status::read(body)),
        b'S' => drop(message::parameter_status(body)),
        b't' => drop(message::parameter_types(body)),
        b'G' | b'H' => drop(message::copy_begins(body)),
        b'A' => drop(message::Notification::read(body)),
        _ => {}
    });
}

/// Two texts in a row are one text, so that a server which reads character by character reads the same; and what is encoded is
/// decoded as it was.
fn texts(charset: Charset, bytes: &[u8], at: usize) {
    let (before, behind) = bytes.split_at(at.min(bytes.len()));
    let whole = charset.decode(bytes);
    if let (Some(before), Some(behind)) = (charset.decode(before), charset.decode(behind)) {
        let both = format!("{before}{behind}");
        // With an ideographic space, a text may be unread as a whole.
        let unread = whole.is_none() && both.contains('\u{3000}');
        assert!(unread || whole.as_deref() == Some(&both), "two texts are not one");
    }
    if let Some(text) = whole
        && let Some(encoded) = charset.encode(&text)
    {
        assert_eq!(charset.decode(&encoded).as_deref(), Some(text.as_ref()), "a text is not what it was encoded from");
    }
    drop(charset.encode_or_ask(&String::from_utf8_lossy(bytes)));
}

fn frames(data: &[u8], way: Way, read: impl Fn(u8, &[u8])) {
    let Some((&step, stream)) = data.split_first() else { return };
    let whole = cut(stream, way, stream.len().max(1), &read);
    let pieces = cut(stream, way, usize::from(step).max(1), &read);
    assert_eq!(whole, pieces, "the frames depend on how the bytes arrive");
}

type Cut = (Vec<(u8, usize)>, Vec<u8>, Option<FrameError>);

/// The frames of a stream that arrives in pieces of `step` bytes, what goes on, and what ends it.
fn cut(stream: &[u8], way: Way, step: usize, read: &impl Fn(u8, &[u8])) -> Cut {
    let mut splitter = Splitter::new(way, Limits { from_client: 4096, looked_at: 4096 });
    let (mut frames, mut passed) = (Vec::new(), Vec::new());
    for piece in stream.chunks(step) {
        splitter.room().extend_from_slice(piece);
        let end = take(&mut splitter, read, &mut frames);
        passed.extend(splitter.passed().iter().flatten());
        if end.is_some() {
            return (frames, passed, end);
        }
    }
    assert!(stream.starts_with(&passed), "what goes on is what came");
    (frames, passed, None)
}

fn take(splitter: &mut Splitter, read: &impl Fn(u8, &[u8]), frames: &mut Vec<(u8, usize)>) -> Option<FrameError> {
    loop {
        let head = match splitter.head() {
            Ok(Some(head)) => head,
            Ok(None) => return None,
            Err(error) => return Some(error),
        };
        match splitter.body(head) {
            Ok(Some(body)) => read(head.tag, body),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
        frames.push((head.tag, head.length()));
        splitter.pass(head);
    }
}

/// The order of answers, against a model of the server or against a server that keeps no order.
pub fn fifo(data: &[u8]) {
    let mut script = fifo::Script::new(data);
    if script.below(2) == 0 { fifo::honest(&mut script) } else { fifo::hostile(&mut script) }
}

/// The packets before a session.
pub fn startup(data: &[u8]) {
    let mut negotiated = Negotiated::default();
    let mut rest = data;
    while let Some((word, after)) = rest.split_first_chunk::<4>() {
        let Ok(length) = packet_length(*word) else { return };
        let Some(packet) = after.get(..length) else { return };
        if negotiated.read(packet).is_err() {
            return;
        }
        rest = &after[length..];
    }
}

/// Rows: a protected cell never passes, a card number between other text never stays whole.
pub fn mask_rows(data: &[u8]) {
    const CARD: &str = "5105 1051 0510 5100";
    let mut masker = masker("partial");
    assert_ne!(masker.cell(0, Some(data)), Cell::Pass, "a protected cell passed");
    let text = String::from_utf8_lossy(data);
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (before, after) = text.split_at(middle);
    let cell = format!("{before}\n\n{CARD}\n\n{after}");
    match masker.cell(1, Some(cell.as_bytes())) {
        Cell::Pass => panic!("a card number passed in `{cell}`"),
        Cell::Null => {}
        Cell::Replace(bytes) => {
            assert!(!String::from_utf8_lossy(bytes).contains(CARD), "a card number stayed in `{cell}`")
        }
    }
}

/// Documents: what is masked of one is masked already, and a secret that a path selects never stays.
pub fn json_paths(data: &[u8]) {
    const SECRET: &[u8] = b"\"042-42-0042\"";
    let plan = json_plan();
    let Some(left) = hidden(&plan, data) else { return };
    assert_eq!(hidden(&plan, &left).as_ref(), Some(&left), "something was left to mask");
    let around = [br#"{"a": "#, data, br#", "ssn": "042-42-0042", "b": [{"ssn": "042-42-0042"}]}"#].concat();
    let Some(left) = hidden(&plan, &around) else { return };
    let kept = |bytes: &[u8]| bytes.windows(SECRET.len()).filter(|window| *window == SECRET).count();
    assert!(kept(&left) <= kept(data), "a secret stayed");
}

fn json_plan() -> MaskPlan {
    let mask = |path| JsonMask { path: JsonPath::parse(path).expect("it is a path"), style: Style::Redact };
    let pattern = ColumnPattern { schema: Glob::new("*"), relation: Glob::new("*"), column: Glob::new("*") };
    let style = Style::Json(["$..ssn", "$.b[1]", "$[0].*"].map(mask).into());
    let rule = RuleRef { name: "hide".into(), file: None, line: None };
    MaskPlan::new(vec![ColumnMask { pattern, style, rule }], vec![], true)
}

/// What is left of a document; `None` where all of it is hidden.
fn hidden(plan: &MaskPlan, document: &[u8]) -> Option<Vec<u8>> {
    let origin = Origin::Columns(vec![ColumnName::new("s", "t", "c")]);
    let column = Column { name: "c".into(), origin, kind: CellType::Json, format: CellFormat::Text };
    match plan.rows(&Layout { columns: vec![column] }, &Tally::default()).cell(0, Some(document)) {
        Cell::Pass => Some(document.to_vec()),
        Cell::Null => None,
        Cell::Replace(bytes) => Some(bytes.to_vec()),
    }
}

/// Bytes of a COPY in a format that the first one chooses: in pieces they give the same as whole, and what is masked of it
/// is masked already.
pub fn copy_rows(data: &[u8]) {
    const OPTIONS: [&str; 7] = [
        "",
        "(header)",
        "(delimiter ';', null 'x')",
        "(format csv)",
        "(format csv, header, delimiter '|')",
        "(format csv, quote '$', escape '!', null 'n')",
        "(format binary)",
    ];
    let [option, step, bytes @ ..] = data else { return };
    let options = OPTIONS[usize::from(*option) % OPTIONS.len()];
    let copy = CopyOut::read(&format!("COPY people (ssn, note) TO STDOUT {options}"));
    let copy = copy.expect("it is a COPY").expect("it is understood");
    let whole = copied(&copy, bytes, bytes.len());
    assert_eq!(whole, copied(&copy, bytes, usize::from(*step)), "the pieces change what comes out");
    let Ok(masked) = whole else { return };
    assert_eq!(copied(&copy, &masked, masked.len()), Ok(masked), "something was left to mask");
}

fn copied(copy: &CopyOut, bytes: &[u8], step: usize) -> Result<Vec<u8>, Broken> {
    let (mut rewriter, mut masker, mut out) = (Rewriter::new(&copy.format, 2), masker("redact"), Vec::new());
    for piece in bytes.chunks(step.max(1)) {
        rewriter.feed(piece, &mut masker, &mut out)?;
    }
    rewriter.end().map(|()| out)
}

fn masker(style: &str) -> RowMasker {
    let policy = "hoop: 1\nrules:\n  - { rule: read, who: anyone, on: shop, allow: { sql: read } }\n  - { rule: hide, who: anyone, on: shop, mask: { columns: { public.people.ssn: STYLE }, detect: { card: redact } } }\n";
    let policy = Policy::from_yaml(&policy.replace("STYLE", style)).expect("the policy is valid");
    let who = Verified::vouched(Identity::named("fuzz"), "fuzz");
    let (command, session) = (Command::sql("SELECT ssn, note FROM people"), SessionFacts::default());
    let call = Call::new(&command, &session, Timestamp::UNIX_EPOCH);
    let decision = policy.evaluate(&Request { who: &who, on: &Resource::postgres("shop"), call });
    let Outcome::Allow(permit) = decision.record(|_| Ok::<(), String>(())) else { panic!("the policy allows it") };
    let column =
        |name: &str, origin| Column { name: name.into(), origin, kind: CellType::Text, format: CellFormat::Text };
    let ssn = Origin::Columns(vec![ColumnName::new("public", "people", "ssn")]);
    permit.spend().rows(&Layout { columns: vec![column("ssn", ssn), column("note", Origin::Clean)] })
}
