//! Scripted conversations. Random ones, against a simulated server, are the fuzz target `fifo`.

use super::*;

type Machine = Fifo<u32, u32, &'static str>;

/// Says what happens to each message of a conversation: requests in lower case as they are sent, answers as they come.
fn play(script: &str) -> Vec<String> {
    let mut fifo = Machine::default();
    let mut told = Vec::new();
    for word in script.split_whitespace() {
        told.extend(match word.split_once('=') {
            Some((request, work)) => send(&mut fifo, request, work.parse().unwrap()),
            None => send_or_answer(&mut fifo, word),
        });
        told.extend(fifo.released().map(|work| format!("-{work}")));
    }
    told
}

fn send(fifo: &mut Machine, word: &str, work: u32) -> Option<String> {
    let (request, of) = word.split_once(':').unwrap_or((word, ""));
    let (name, changes) = (name(of.as_bytes()), request.ends_with('!'));
    let request = match request.trim_end_matches('!') {
        "parse" => Request::Parse { name, statement: work },
        "bind" => Request::Bind { portal: name, work },
        "execute" => Request::Execute(work),
        "query" => Request::Query(work),
        "call" => Request::Call(work),
        "describe" => Request::DescribePortal(Some(work)),
        "describe-copied" => Request::DescribeCopied(name, work),
        other => panic!("no request `{other}`"),
    };
    fifo.push(request, Origin::Client, changes);
    None
}

fn send_or_answer(fifo: &mut Machine, word: &str) -> Option<String> {
    let request = match word.split_once(':').unwrap_or((word, "")) {
        ("sync", _) => Request::Sync,
        ("describe", of) => Request::DescribeStatement(name(of.as_bytes())),
        ("close", of) => Request::Close(Subject::Statement, name(of.as_bytes())),
        ("close-portal", of) => Request::Close(Subject::Portal, name(of.as_bytes())),
        ("poison", reason) => Request::Poison { reason: leak(reason), alone: false },
        ("poison-query", reason) => Request::Poison { reason: leak(reason), alone: true },
        ("end-copy", _) => {
            fifo.end_copy();
            return None;
        }
        ("statement?", of) => return Some(format!("{:?}", fifo.statement(of.as_bytes()))),
        ("portal?", of) => return Some(format!("{:?}", fifo.portal(of.as_bytes()))),
        ("hears?", tag) => return Some(format!("{:?}", fifo.hears(tag.as_bytes()[0]))),
        ("settled?", _) => return Some(format!("{}", fifo.is_settled())),
        ("rests?", _) => return Some(format!("{} {}", fifo.is_at_rest(), fifo.will_rest())),
        ("left?", _) => return Some(format!("{}", fifo.len())),
        _ => return Some(answered(fifo, word)),
    };
    fifo.push(request, Origin::Client, false);
    None
}

fn leak(text: &str) -> &'static str {
    String::from(text).leak()
}

fn answered(fifo: &mut Machine, word: &str) -> String {
    let answer = match word {
        "1" => Answer::ParseComplete,
        "2" => Answer::BindComplete,
        "3" => Answer::CloseComplete,
        "t" => Answer::ParameterDescription,
        "T" => Answer::RowDescription,
        "n" => Answer::NoData,
        "D" => Answer::DataRow,
        "C" => Answer::CommandComplete,
        "I" => Answer::EmptyQuery,
        "s" => Answer::PortalSuspended,
        "G" => Answer::CopyIn,
        "H" => Answer::CopyOut,
        "W" => Answer::CopyBoth,
        "d" => Answer::CopyData,
        "c" => Answer::CopyDone,
        "V" => Answer::FunctionResult,
        "E" => Answer::Error,
        "ZI" => Answer::Ready(Status::Idle),
        "ZT" => Answer::Ready(Status::Open),
        "ZE" => Answer::Ready(Status::Failed),
        other => panic!("no answer `{other}`"),
    };
    match fifo.answer(answer) {
        Ok(turn) => match turn.event {
            Event::Parsed(name) => format!("parsed:{}", String::from_utf8_lossy(&name)),
            Event::Bound(name, work) => format!("bound:{}={work}", String::from_utf8_lossy(&name)),
            Event::Closed(_, name) => format!("closed:{}", String::from_utf8_lossy(&name)),
            Event::Parameters(name) => format!("parameters:{}", String::from_utf8_lossy(&name)),
            Event::Columns(work) => format!("columns{}", of(work)),
            Event::NoColumns(work) => format!("no-columns{}", of(work)),
            Event::Row(work) => format!("row={work}"),
            Event::Complete(work) => format!("complete={work}"),
            Event::Suspended(work) => format!("suspended={work}"),
            Event::CopyIn(work) => format!("copy-in={work}"),
            Event::CopyOut(work) => format!("copy-out={work}"),
            Event::CopyBoth(work) => format!("copy-both={work}"),
            Event::Result(work) => format!("result={work}"),
            Event::Failed(work) => format!("failed{}", of(work)),
            Event::NotPrepared(statement) => format!("not-prepared={statement}"),
            Event::Refused(reason) => format!("refused:{reason}"),
            Event::Ready(status) => format!("ready:{status:?}"),
        },
        Err(Violation) => String::from("violation"),
    }
}

fn of(work: Option<u32>) -> String {
    work.map_or_else(String::new, |work| format!("={work}"))
}

#[track_caller]
fn check(script: &str, expected: &str) {
    assert_eq!(play(script).join(" "), expected, "{script}");
}

#[test]
fn a_simple_query_ends_with_ready() {
    check("query=1 T D D C ZI", "columns=1 row=1 row=1 complete=1 ready:Idle -1");
    check("query=1 I ZI", "complete=1 ready:Idle -1");
    check("query=1 C T D C ZT", "complete=1 columns=1 row=1 complete=1 ready:Open -1");
    check("query=1 E ZI", "failed=1 ready:Idle -1");
    check("query=1 T D E ZE query=2", "columns=1 row=1 failed=1 ready:Failed -1");
    check("query=1 query=2 C ZI C ZI", "complete=1 ready:Idle -1 complete=2 ready:Idle -2");
}

#[test]
fn what_is_copied_is_described_ahead() {
    check(
        "parse:c=7 describe-copied:c=1 close:c execute=1 sync 1 t T 3 H d c C ZI",
        "parsed:c parameters:c columns=1 -1 closed:c copy-out=1 copy-out=1 copy-out=1 complete=1 -1 ready:Idle",
    );
    check("parse:c=7 describe-copied:c=1 close:c execute=1 sync E ZI", "not-prepared=7 -1 -1 ready:Idle");
    check("parse:c=7 describe-copied:c=1 close:c 1 t n 3", "parsed:c parameters:c no-columns=1 -1 closed:c");
}

#[test]
fn an_extended_query_is_answered_message_by_message() {
    check(
        "parse:s=7 bind:p=1 describe=1 execute=1 sync 1 2 T D C ZT",
        "parsed:s bound:p=1 columns=1 -1 row=1 complete=1 -1 ready:Open",
    );
    check("parse=7 describe: sync 1 t T ZI", "parsed: parameters: columns ready:Idle");
    check("parse=7 describe: sync 1 t n ZI", "parsed: parameters: no-columns ready:Idle");
    check(
        "bind:p=1 execute=1 execute=1 sync 2 D s D C ZI",
        "bound:p=1 row=1 suspended=1 -1 row=1 complete=1 -1 ready:Idle -1",
    );
    check("bind=1 bind=2 sync 2 2 ZT portal?:", "bound:=1 bound:=2 -1 ready:Open Known(2)");
    check(
        "bind:p=1 sync 2 ZT close-portal:p sync 3 ZT portal?:p",
        "bound:p=1 ready:Open closed:p -1 ready:Open Nothing",
    );
    check("bind:p=1 sync 2 ZI portal?:p", "bound:p=1 ready:Idle -1 Nothing");
    check("call=3 V ZI", "result=3 ready:Idle -3");
}

#[test]
fn an_error_skips_to_the_next_sync() {
    check(
        "parse=7 bind=1 execute=1 sync query=2 1 E ZI C ZI",
        "parsed: failed=1 -1 -1 ready:Idle complete=2 ready:Idle -2",
    );
    check("bind=1 query=2 call=3 sync E ZI left?:", "failed=1 -1 -2 -3 ready:Idle 0");
    check(
        "bind=1 E hears?:Q hears?:B hears?:d hears?:S hears?:X sync hears?:Q ZI",
        "failed=1 -1 Ignored Ignored Ignored Heard Heard Heard ready:Idle",
    );
    check("sync E ZI", "failed ready:Idle");
    check("E", "failed");
}

#[test]
fn names_change_when_the_server_says_so() {
    check(
        "parse:s=1 sync 1 ZI parse:s=2 statement?:s sync statement?:s E ZI statement?:s",
        "parsed:s ready:Idle Known(2) Pending not-prepared=2 ready:Idle Known(1)",
    );
    check("parse:s=1 statement?:s query=9 statement?:s", "Known(1) Pending");
    check(
        "parse:s=1 sync 1 ZI close:s statement?:s sync statement?:s 3 ZI statement?:s",
        "parsed:s ready:Idle Nothing Pending closed:s ready:Idle Nothing",
    );
    check("statement?:s", "Nothing");
    let long = "n".repeat(63);
    check(&format!("parse:{long}x=1 sync 1 ZI statement?:{long}y"), &format!("parsed:{long} ready:Idle Known(1)"));
}

#[test]
fn a_poison_raises_its_own_error() {
    check("poison-query:no E ZE", "refused:no ready:Failed");
    check("poison-query:no C", "violation");
    check("poison:no 2", "violation");
    check("poison:no D", "violation");
    check("parse=1 poison:no hears?:E sync 1 E ZI", "Ignored parsed: refused:no ready:Idle");
    check("poison:no E hears?:B sync ZI", "refused:no Ignored ready:Idle");
    check(
        "query=1 poison-query:no query=2 C ZI E ZI C ZI",
        "complete=1 ready:Idle -1 refused:no ready:Idle complete=2 ready:Idle -2",
    );
}

#[test]
fn a_copy_from_the_client_swallows_syncs() {
    check("query=1 G end-copy C ZI", "copy-in=1 complete=1 ready:Idle -1");
    check("query=1 G C", "copy-in=1 violation");
    check(
        "execute=1 sync G hears?:S hears?:B hears?:d end-copy sync C ZI left?:",
        "copy-in=1 Ignored Forbidden Heard complete=1 -1 ready:Idle 0",
    );
    check("execute=1 sync end-copy sync G C ZI left?:", "copy-in=1 complete=1 -1 ready:Idle 0");
    check("execute=1 sync end-copy sync E ZI ZI left?:", "failed=1 -1 ready:Idle ready:Idle 0");
    check("execute=1 G E hears?:d sync ZI", "copy-in=1 failed=1 -1 Ignored ready:Idle");
    check("query=1 G E end-copy ZI left?:", "copy-in=1 failed=1 ready:Idle -1 0");
    check("query=1 end-copy C ZI left?:", "complete=1 ready:Idle -1 0");
    check("end-copy left?: hears?:d hears?:c", "0 Ignored Ignored");
    check("query=1 end-copy end-copy G C G C ZI", "copy-in=1 complete=1 copy-in=1 complete=1 ready:Idle -1");
}

#[test]
fn a_copy_both_ways_ends_when_both_have_ended_it() {
    let ended = "complete=1 ready:Idle -1";
    check("query=1 W d end-copy d c C ZI", &format!("copy-both=1 copy-out=1 copy-out=1 copy-out=1 {ended}"));
    check("query=1 W c end-copy C ZI", &format!("copy-both=1 copy-out=1 {ended}"));
    check("query=1 end-copy W c C ZI left?:", &format!("copy-both=1 copy-out=1 {ended} 0"));
    check("query=1 W E ZI", "copy-both=1 failed=1 ready:Idle -1");
    check("query=1 W E end-copy hears?:d ZI left?:", "copy-both=1 failed=1 Heard ready:Idle -1 0");
    // A timeline that ends is followed by the next one's name.
    check(
        "query=1 W c end-copy T D C C ZI",
        "copy-both=1 copy-out=1 columns=1 row=1 complete=1 complete=1 ready:Idle -1",
    );
    // Neither side ends it for the other, nor goes on after its own end.
    check("query=1 W C", "copy-both=1 violation");
    check("query=1 W c C", "copy-both=1 copy-out=1 violation");
    check("query=1 W end-copy C", "copy-both=1 violation");
    check("query=1 W c d", "copy-both=1 copy-out=1 violation");
    check("query=1 W W", "copy-both=1 violation");
    check("query=1 W D", "copy-both=1 violation");
    check("query=1 H W", "copy-out=1 violation");
    check("execute=1 W", "violation");
    check("query=1 W hears?:d hears?:c hears?:X", "copy-both=1 Heard Heard Heard");
    check("query=1 W hears?:f hears?:Q hears?:S hears?:H", "copy-both=1 Forbidden Forbidden Forbidden Forbidden");
    check("query=1 W end-copy hears?:d hears?:c hears?:Q", "copy-both=1 Forbidden Forbidden Heard");
}

#[test]
fn a_backup_is_rows_and_copies_in_turn() {
    check(
        "query=1 T D C T D D C H d d c T D C C ZI",
        "columns=1 row=1 complete=1 columns=1 row=1 row=1 complete=1 copy-out=1 copy-out=1 copy-out=1 copy-out=1 columns=1 row=1 complete=1 complete=1 ready:Idle -1",
    );
    check(
        "query=1 H d c H d c C ZI",
        "copy-out=1 copy-out=1 copy-out=1 copy-out=1 copy-out=1 copy-out=1 complete=1 ready:Idle -1",
    );
}

#[test]
fn a_copy_to_the_client_has_its_own_rows() {
    check("query=1 H d d c C ZI", "copy-out=1 copy-out=1 copy-out=1 copy-out=1 complete=1 ready:Idle -1");
    check("query=1 d", "violation");
    check("query=1 H D", "copy-out=1 violation");
    check("query=1 H d c d", "copy-out=1 copy-out=1 copy-out=1 violation");
    check("query=1 H C", "copy-out=1 violation");
    check("execute=1 H d E sync ZI", "copy-out=1 copy-out=1 failed=1 -1 ready:Idle");
}

#[test]
fn an_answer_out_of_turn_is_a_violation() {
    for answer in ["1", "2", "3", "t", "T", "n", "D", "C", "I", "s", "G", "H", "d", "c", "V", "ZI"] {
        check(answer, "violation");
    }
    for script in [
        "sync D",
        "parse=1 2",
        "bind=1 1",
        "execute=1 T",
        "execute=1 ZI",
        "query=1 s",
        "query=1 V",
        "query=1 1",
        "call=1 D",
        "call=1 C",
        "describe: ZI",
        "describe=1 t",
        "describe=1 C",
    ] {
        let told = play(script);
        assert_eq!(told.last().map(String::as_str), Some("violation"), "{script}");
    }
    check("query=1 E C", "failed=1 violation");
    check("query=1 E E ZI", "failed=1 failed=1 ready:Idle -1");
}

#[test]
fn facts_are_settled_when_what_changes_them_is_answered() {
    check("query!=1 settled?: query=2 C ZI settled?:", "false complete=1 ready:Idle -1 true");
    check("bind=1 execute!=2 sync settled?: E settled?:", "false failed=1 -1 -2 true");
}

#[test]
fn the_server_rests_when_it_awaits_a_query() {
    check(
        "rests?: query=1 rests?: C rests?: ZI rests?:",
        "true false false true complete=1 false true ready:Idle -1 true false",
    );
    check(
        "query=1 C ZT rests?: query=1 C ZI rests?:",
        "complete=1 ready:Open -1 false false complete=1 ready:Idle -1 true false",
    );
    check(
        "bind=1 rests?: 2 rests?: sync rests?: ZI rests?:",
        "false false bound:=1 false false false true ready:Idle -1 true false",
    );
}

#[test]
fn a_query_is_not_over_before_anything_of_it_was_carried_out() {
    check("query=1 ZI", "violation");
    check("call=1 ZI", "violation");
    check("query=1 T D ZI", "columns=1 row=1 violation");
    // The Sync was sent before the server copied, and read after the copy failed: its ReadyForQuery comes first.
    check("query=1 sync G E ZI query=2 ZI", "copy-in=1 failed=1 ready:Idle -1 violation");
}

#[test]
fn what_is_abandoned_is_let_go_of() {
    let mut fifo = Machine::default();
    fifo.push(Request::Bind { portal: name(b"p"), work: 1 }, Origin::Client, false);
    fifo.answer(Answer::BindComplete).unwrap();
    fifo.push(Request::Execute(1), Origin::Client, false);
    fifo.push(Request::Query(2), Origin::Client, true);
    fifo.abandon();
    assert_eq!(fifo.released().collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!((fifo.len(), fifo.is_settled()), (0, true));
}
