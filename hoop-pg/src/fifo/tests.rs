//! Scripted conversations, and random ones against a server that is simulated message by message.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

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
        told.extend(fifo.released().iter().map(|work| format!("-{work}")));
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
    check("query=1 ZT rests?: query=1 ZI rests?:", "ready:Open -1 false false ready:Idle -1 true false");
    check(
        "bind=1 rests?: 2 rests?: sync rests?: ZI rests?:",
        "false false bound:=1 false false false true ready:Idle -1 true false",
    );
}

#[test]
fn what_is_abandoned_is_let_go_of() {
    let mut fifo = Machine::default();
    fifo.push(Request::Bind { portal: name(b"p"), work: 1 }, Origin::Client, false);
    fifo.answer(Answer::BindComplete).unwrap();
    fifo.push(Request::Execute(1), Origin::Client, false);
    fifo.push(Request::Query(2), Origin::Client, true);
    fifo.abandon();
    assert_eq!((fifo.released(), fifo.len(), fifo.is_settled()), (vec![1, 2, 1], 0, true));
}

/// What a client may send, with how the server fares with it.
#[derive(Clone, Debug)]
enum Message {
    Parse(u8, bool),
    Bind { portal: u8, statement: u8, good: bool },
    DescribeStatement(u8),
    DescribePortal(u8),
    Execute(u8, Fate),
    Close(Subject, u8),
    Sync(bool),
    Query(Vec<Fate>, Status),
    Call(bool),
    CopyData(bool),
    CopyDone,
    CopyFail,
    Flush,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Rows(u8),
    Suspends(u8),
    Fails,
    CopiesIn,
    CopiesOut(u8),
}

/// A message on its way to the server, with what the gateway took it for.
#[derive(Debug)]
struct Sent {
    message: Message,
    work: u32,
    statement: u32,
}

/// A server that handles one message at a time by PostgreSQL's rules: `PostgresMain` and `CopyGetData`.
#[derive(Default)]
struct Server {
    statements: BTreeMap<u8, u32>,
    portals: BTreeMap<u8, u32>,
    ignoring: bool,
    status: Option<Status>,
    /// A copy runs, with the work, and what is left of the query that it belongs to.
    copying: Option<(u32, Option<VecDeque<Fate>>, Status)>,
    answers: VecDeque<(Answer, Option<u32>)>,
    copy_failed: bool,
    dead: bool,
}

impl Server {
    fn say(&mut self, answer: Answer, work: Option<u32>) {
        self.answers.push_back((answer, work));
    }

    fn ready(&mut self, status: Status) {
        self.status = Some(status);
        if status == Status::Idle {
            self.portals.clear();
        }
        self.say(Answer::Ready(status), None);
    }

    fn fail(&mut self, extended: bool) {
        self.say(Answer::Error, None);
        if extended {
            self.ignoring = true;
        } else {
            self.ready(Status::Idle);
        }
    }

    fn take(&mut self, sent: Sent) {
        if self.dead {
            return;
        }
        if let Some((work, rest, status)) = self.copying.take() {
            return self.copy(sent, work, rest, status);
        }
        if self.ignoring && !matches!(sent.message, Message::Sync(_)) {
            return;
        }
        match sent.message {
            Message::Parse(name, good) => {
                if !good || (name != 0 && self.statements.contains_key(&name)) {
                    return self.fail(true);
                }
                self.statements.insert(name, sent.statement);
                self.say(Answer::ParseComplete, None);
            }
            Message::Bind { portal, statement, good } => {
                let bound = self.statements.get(&statement).copied();
                if !good || bound.is_none() || (portal != 0 && self.portals.contains_key(&portal)) {
                    return self.fail(true);
                }
                self.portals.insert(portal, sent.work);
                self.say(Answer::BindComplete, bound);
            }
            Message::DescribeStatement(name) => {
                if !self.statements.contains_key(&name) {
                    return self.fail(true);
                }
                self.say(Answer::ParameterDescription, None);
                self.say(Answer::RowDescription, None);
            }
            Message::DescribePortal(name) => match self.portals.get(&name).copied() {
                Some(work) => self.say(Answer::RowDescription, Some(work)),
                None => self.fail(true),
            },
            Message::Execute(name, fate) => match self.portals.get(&name).copied() {
                Some(work) => self.run(work, fate, None, Status::Idle),
                None => self.fail(true),
            },
            Message::Close(subject, name) => {
                match subject {
                    Subject::Statement => self.statements.remove(&name),
                    Subject::Portal => self.portals.remove(&name),
                };
                self.say(Answer::CloseComplete, None);
            }
            Message::Sync(good) => {
                self.ignoring = false;
                if !good {
                    self.say(Answer::Error, None);
                }
                self.ready(if good { self.status.unwrap_or(Status::Idle) } else { Status::Idle });
            }
            Message::Query(fates, status) => self.query(sent.work, fates.into(), status),
            Message::Call(good) => {
                if !good {
                    return self.fail(false);
                }
                self.say(Answer::FunctionResult, Some(sent.work));
                self.ready(self.status.unwrap_or(Status::Idle));
            }
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail | Message::Flush => {}
        }
    }

    fn query(&mut self, work: u32, mut fates: VecDeque<Fate>, status: Status) {
        while let Some(fate) = fates.pop_front() {
            match fate {
                Fate::CopiesIn => return self.run(work, fate, Some(fates), status),
                Fate::Fails | Fate::Suspends(_) => return self.fail(false),
                Fate::Rows(_) => {
                    self.say(Answer::RowDescription, Some(work));
                    self.run(work, fate, None, status);
                }
                Fate::CopiesOut(_) => self.run(work, fate, None, status),
            }
        }
        self.ready(status);
    }

    fn run(&mut self, work: u32, fate: Fate, rest: Option<VecDeque<Fate>>, status: Status) {
        let work = Some(work);
        match fate {
            Fate::Rows(rows) => {
                (0..rows).for_each(|_| self.say(Answer::DataRow, work));
                self.say(Answer::CommandComplete, work);
            }
            Fate::Suspends(rows) => {
                (0..rows).for_each(|_| self.say(Answer::DataRow, work));
                self.say(Answer::PortalSuspended, work);
            }
            Fate::Fails => self.fail(true),
            Fate::CopiesIn => {
                self.say(Answer::CopyIn, work);
                self.copying = work.map(|work| (work, rest, status));
            }
            Fate::CopiesOut(rows) => {
                self.say(Answer::CopyOut, work);
                (0..rows).for_each(|_| self.say(Answer::CopyData, work));
                self.say(Answer::CopyDone, work);
                self.say(Answer::CommandComplete, work);
            }
        }
    }

    fn copy(&mut self, sent: Sent, work: u32, rest: Option<VecDeque<Fate>>, status: Status) {
        match sent.message {
            Message::CopyData(true) | Message::Sync(_) | Message::Flush => self.copying = Some((work, rest, status)),
            Message::CopyData(false) | Message::CopyFail => {
                self.copy_failed = true;
                self.fail(rest.is_none());
            }
            Message::CopyDone => {
                self.say(Answer::CommandComplete, Some(work));
                if let Some(rest) = rest {
                    self.query(work, rest, status);
                }
            }
            _ => self.dead = true,
        }
    }
}

/// The gateway between a client that sends these messages and such a server.
#[derive(Default)]
struct Pair {
    fifo: Machine,
    wire: VecDeque<Sent>,
    server: Server,
    /// What the gateway believed each work to run.
    works: BTreeMap<u32, Lookup<u32>>,
    balance: BTreeMap<u32, i32>,
    next: u32,
    broken: bool,
}

impl Pair {
    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn client(&mut self, message: Message) {
        let tag = match &message {
            Message::Parse(..) => b'P',
            Message::Bind { .. } => b'B',
            Message::DescribeStatement(_) | Message::DescribePortal(_) => b'D',
            Message::Execute(..) => b'E',
            Message::Close(..) => b'C',
            Message::Sync(_) => b'S',
            Message::Query(..) => b'Q',
            Message::Call(_) => b'F',
            Message::CopyData(_) => b'd',
            Message::CopyDone => b'c',
            Message::CopyFail => b'f',
            Message::Flush => b'H',
        };
        match &message {
            Message::Bind { statement, .. } => {
                self.settle(|fifo| fifo.statement(&named(*statement)) == Lookup::Pending)
            }
            Message::DescribePortal(of) | Message::Execute(of, _) => {
                self.settle(|fifo| fifo.portal(&named(*of)) == Lookup::Pending);
            }
            _ => {}
        }
        match self.fifo.hears(tag) {
            Hearing::Heard => self.forward(message),
            Hearing::Ignored => {}
            Hearing::Forbidden => self.broken = true,
        }
    }

    fn forward(&mut self, message: Message) {
        let (mut work, mut statement) = (0, 0);
        let request = match &message {
            Message::Parse(of, _) => {
                statement = self.fresh();
                Request::Parse { name: named(*of), statement }
            }
            Message::Bind { portal, statement, .. } => {
                let runs = match self.fifo.statement(&named(*statement)) {
                    Lookup::Known(statement) => Lookup::Known(*statement),
                    Lookup::Nothing => Lookup::Nothing,
                    Lookup::Pending => Lookup::Pending,
                };
                work = self.fresh();
                self.works.insert(work, runs);
                Request::Bind { portal: named(*portal), work }
            }
            Message::DescribeStatement(of) => Request::DescribeStatement(named(*of)),
            Message::DescribePortal(of) => match self.fifo.portal(&named(*of)) {
                Lookup::Known(known) => {
                    work = known;
                    Request::DescribePortal(Some(known))
                }
                Lookup::Nothing | Lookup::Pending => Request::DescribePortal(None),
            },
            Message::Execute(of, _) => match self.fifo.portal(&named(*of)) {
                Lookup::Known(known) => {
                    work = known;
                    Request::Execute(known)
                }
                Lookup::Nothing | Lookup::Pending => {
                    work = self.fresh();
                    Request::Execute(work)
                }
            },
            Message::Close(subject, of) => Request::Close(*subject, named(*of)),
            Message::Sync(_) => Request::Sync,
            Message::Query(..) => {
                work = self.fresh();
                Request::Query(work)
            }
            Message::Call(_) => {
                work = self.fresh();
                Request::Call(work)
            }
            Message::CopyDone | Message::CopyFail => {
                self.fifo.end_copy();
                return self.wire.push_back(Sent { message, work, statement });
            }
            Message::CopyData(_) | Message::Flush => return self.wire.push_back(Sent { message, work, statement }),
        };
        if let Some(work) = request.work() {
            *self.balance.entry(work).or_default() += 1;
        }
        self.fifo.push(request, Origin::Client, false);
        self.wire.push_back(Sent { message, work, statement });
    }

    /// Waits for answers as long as a name depends on them.
    fn settle(&mut self, depends: impl Fn(&Machine) -> bool) {
        while depends(&self.fifo) && !self.broken {
            assert!(self.step(), "a name depends on an answer that does not come");
        }
    }

    /// The server takes a message or the gateway an answer; whether there was one.
    fn step(&mut self) -> bool {
        if let Some((answer, truth)) = self.server.answers.pop_front() {
            self.answer(answer, truth);
            return true;
        }
        let sent = self.wire.pop_front();
        let some = sent.is_some();
        sent.into_iter().for_each(|sent| self.server.take(sent));
        self.broken |= self.server.dead && self.server.answers.is_empty();
        some
    }

    fn answer(&mut self, answer: Answer, truth: Option<u32>) {
        let event = match self.fifo.answer(answer) {
            Ok(turn) => turn.event,
            Err(Violation) => {
                assert!(self.server.copy_failed, "a violation by an honest server: {answer:?}");
                self.broken = true;
                return;
            }
        };
        match event {
            Event::Bound(_, work) => assert_eq!(self.works.get(&work), truth.map(Lookup::Known).as_ref()),
            Event::Row(work) | Event::Complete(work) | Event::Suspended(work) | Event::CopyIn(work) => {
                assert_eq!(Some(work), truth);
            }
            Event::CopyOut(work) | Event::Result(work) => assert_eq!(Some(work), truth),
            Event::Columns(Some(work)) => assert_eq!(Some(work), truth),
            Event::Columns(None)
            | Event::NoColumns(_)
            | Event::Parsed(_)
            | Event::Closed(..)
            | Event::Parameters(_)
            | Event::Failed(_)
            | Event::NotPrepared(_)
            | Event::Refused(_)
            | Event::Ready(_) => {}
        }
        for work in self.fifo.released() {
            *self.balance.entry(work).or_default() -= 1;
        }
    }
}

fn named(number: u8) -> Bytes {
    if number == 0 { name(b"") } else { name(&[b'a' + number]) }
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Fate::Rows),
        1 => (0..3_u8).prop_map(Fate::Suspends),
        1 => Just(Fate::Fails),
        1 => Just(Fate::CopiesIn),
        1 => (0..3_u8).prop_map(Fate::CopiesOut),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    let name = 0..3_u8;
    let mostly = || prop::bool::weighted(0.9);
    let status = prop::sample::select(vec![Status::Idle, Status::Open]);
    prop_oneof![
        4 => (name.clone(), mostly()).prop_map(|(name, good)| Message::Parse(name, good)),
        4 => (name.clone(), name.clone(), mostly())
            .prop_map(|(portal, statement, good)| Message::Bind { portal, statement, good }),
        1 => name.clone().prop_map(Message::DescribeStatement),
        1 => name.clone().prop_map(Message::DescribePortal),
        4 => (name.clone(), fates()).prop_map(|(name, fate)| Message::Execute(name, fate)),
        1 => (any::<bool>(), name).prop_map(|(portal, name)| {
            Message::Close(if portal { Subject::Portal } else { Subject::Statement }, name)
        }),
        4 => mostly().prop_map(Message::Sync),
        2 => (prop::collection::vec(fates(), 1..3), status).prop_map(|(fates, status)| Message::Query(fates, status)),
        1 => any::<bool>().prop_map(Message::Call),
        1 => mostly().prop_map(Message::CopyData),
        2 => Just(Message::CopyDone),
        1 => Just(Message::CopyFail),
        1 => Just(Message::Flush),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever is sent, and whenever the server gets to it: each answer is accounted to what really ran, with the
    /// statement that it was believed to be.
    #[test]
    fn answers_belong_to_what_ran(script in prop::collection::vec((messages(), 0..4_usize), 1..40)) {
        let mut pair = Pair::default();
        for (message, steps) in script {
            pair.client(message);
            for _ in 0..steps {
                pair.step();
            }
            if pair.broken {
                return Ok(());
            }
        }
        while !pair.broken && pair.step() {}
        if !pair.broken {
            pair.fifo.abandon();
            for work in pair.fifo.released() {
                *pair.balance.entry(work).or_default() -= 1;
            }
            prop_assert!(pair.balance.values().all(|count| *count == 0), "{:?}", pair.balance);
        }
    }

    #[test]
    fn no_order_of_answers_panics(
        script in prop::collection::vec((messages(), prop::collection::vec(0..18_usize, 0..3)), 1..30)
    ) {
        let answers = [
            Answer::ParseComplete, Answer::BindComplete, Answer::CloseComplete, Answer::ParameterDescription,
            Answer::RowDescription, Answer::NoData, Answer::DataRow, Answer::CommandComplete, Answer::EmptyQuery,
            Answer::PortalSuspended, Answer::CopyIn, Answer::CopyOut, Answer::CopyData, Answer::CopyDone,
            Answer::FunctionResult, Answer::Error, Answer::Ready(Status::Idle), Answer::Ready(Status::Open),
        ];
        let mut pair = Pair::default();
        for (message, says) in script {
            if let Message::Execute(..) | Message::Bind { .. } | Message::DescribePortal(_) = message {
                pair.fifo.push(Request::Execute(1), Origin::Added, true);
            } else {
                pair.client(message);
            }
            for index in says {
                let _ = pair.fifo.answer(answers[index]);
            }
        }
        pair.fifo.abandon();
        prop_assert!(pair.fifo.is_settled() && pair.fifo.is_empty());
    }
}
