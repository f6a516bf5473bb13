//! The order of answers against a model: a server that handles one message at a time by PostgreSQL's rules, and the
//! gateway's account of what it owes.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hoop_pg::fifo::{Answer, Event, Fifo, Hearing, Lookup, Origin, Request, Violation, name};
use hoop_pg::message::{Status, Subject};

type Machine = Fifo<u32, u32, &'static str>;

/// Whatever is sent, and whenever the server gets to it: each answer is accounted to what really ran, with the
/// statement that it was believed to be, and every work is let go of as often as it was taken.
pub(crate) fn honest(script: &mut Script<'_>) {
    let mut pair = Pair::default();
    while let Some(message) = script.message() {
        pair.client(message);
        for _ in 0..script.below(4) {
            pair.step();
        }
        if pair.broken {
            return;
        }
    }
    while !pair.broken && pair.step() {}
    if !pair.broken {
        pair.fifo.abandon();
        pair.count_released();
        assert!(pair.balance.values().all(|count| *count == 0), "{:?}", pair.balance);
    }
}

/// A server that answers anything in any order: nothing panics, and nothing is kept once it is abandoned.
pub(crate) fn hostile(script: &mut Script<'_>) {
    let mut pair = Pair::default();
    while let Some(message) = script.message() {
        if let Message::Execute(..) | Message::Bind { .. } | Message::DescribePortal(_) = message {
            pair.fifo.push(Request::Execute(1), Origin::Added, true);
        } else {
            pair.client(message);
        }
        for _ in 0..script.below(3) {
            let _violation = pair.fifo.answer(ANSWERS[script.below(ANSWERS.len())]);
        }
    }
    pair.fifo.abandon();
    assert!(pair.fifo.is_settled() && pair.fifo.is_empty());
}

const ANSWERS: [Answer; 18] = [
    Answer::ParseComplete,
    Answer::BindComplete,
    Answer::CloseComplete,
    Answer::ParameterDescription,
    Answer::RowDescription,
    Answer::NoData,
    Answer::DataRow,
    Answer::CommandComplete,
    Answer::EmptyQuery,
    Answer::PortalSuspended,
    Answer::CopyIn,
    Answer::CopyOut,
    Answer::CopyData,
    Answer::CopyDone,
    Answer::FunctionResult,
    Answer::Error,
    Answer::Ready(Status::Idle),
    Answer::Ready(Status::Open),
];

/// The most messages of one conversation.
const MOST: usize = 64;

/// Bytes read as choices.
pub(crate) struct Script<'a> {
    bytes: std::slice::Iter<'a, u8>,
    messages: usize,
}

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), messages: 0 }
    }

    /// A number below a bound; zero where the bytes are used up.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte) % bound)
    }

    fn name(&mut self) -> u8 {
        self.below(3) as u8
    }

    fn mostly(&mut self) -> bool {
        self.below(10) != 9
    }

    fn fate(&mut self) -> Fate {
        let rows = self.name();
        match self.below(8) {
            0..4 => Fate::Rows(rows),
            4 => Fate::Suspends(rows),
            5 => Fate::Fails,
            6 => Fate::CopiesIn,
            _ => Fate::CopiesOut(rows),
        }
    }

    /// The next message of the client; none once the bytes are used up.
    fn message(&mut self) -> Option<Message> {
        self.messages += 1;
        if self.messages > MOST || self.bytes.len() == 0 {
            return None;
        }
        Some(match self.below(26) {
            0..4 => Message::Parse(self.name(), self.mostly()),
            4..8 => Message::Bind { portal: self.name(), statement: self.name(), good: self.mostly() },
            8 => Message::DescribeStatement(self.name()),
            9 => Message::DescribePortal(self.name()),
            10..14 => Message::Execute(self.name(), self.fate()),
            14 => Message::Close(Subject::Portal, self.name()),
            15 => Message::Close(Subject::Statement, self.name()),
            16..19 => Message::Sync(self.mostly()),
            19 => Message::Query(vec![self.fate()], self.status()),
            20 => Message::Query(vec![self.fate(), self.fate()], self.status()),
            21 => Message::Call(self.mostly()),
            22 => Message::CopyData(self.mostly()),
            23 => Message::CopyDone,
            24 => Message::CopyFail,
            _ => Message::Flush,
        })
    }

    fn status(&mut self) -> Status {
        if self.below(2) == 0 { Status::Idle } else { Status::Open }
    }
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
    /// Something ran that the next Sync commits, and that can fail then.
    uncommitted: bool,
    dead: bool,
}

impl Server {
    fn say(&mut self, answer: Answer, work: Option<u32>) {
        self.answers.push_back((answer, work));
    }

    fn ready(&mut self, status: Status) {
        self.status = Some(status);
        self.uncommitted = false;
        if status == Status::Idle {
            self.portals.clear();
        }
        self.say(Answer::Ready(status), None);
    }

    fn fail(&mut self, extended: bool) {
        self.say(Answer::Error, None);
        self.uncommitted = false;
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
        let Sent { message, work, statement } = sent;
        match message {
            Message::Parse(name, good) => self.parse(name, good, statement),
            Message::Bind { portal, statement, good } => self.bind(portal, statement, good, work),
            Message::DescribeStatement(_) | Message::DescribePortal(_) => self.describe(&message),
            Message::Execute(name, fate) => self.execute(name, fate),
            Message::Close(subject, name) => self.close(subject, name),
            Message::Sync(good) => self.sync(good),
            Message::Query(fates, status) => self.query(work, fates.into(), status),
            Message::Call(good) => self.call(good, work),
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail | Message::Flush => {}
        }
    }

    fn parse(&mut self, name: u8, good: bool, statement: u32) {
        if !good || (name != 0 && self.statements.contains_key(&name)) {
            return self.fail(true);
        }
        self.statements.insert(name, statement);
        self.say(Answer::ParseComplete, None);
    }

    fn bind(&mut self, portal: u8, statement: u8, good: bool, work: u32) {
        let bound = self.statements.get(&statement).copied();
        if !good || bound.is_none() || (portal != 0 && self.portals.contains_key(&portal)) {
            return self.fail(true);
        }
        self.portals.insert(portal, work);
        self.say(Answer::BindComplete, bound);
    }

    fn describe(&mut self, message: &Message) {
        match message {
            Message::DescribeStatement(name) if self.statements.contains_key(name) => {
                self.say(Answer::ParameterDescription, None);
                self.say(Answer::RowDescription, None);
            }
            Message::DescribePortal(name) if self.portals.contains_key(name) => {
                self.say(Answer::RowDescription, self.portals.get(name).copied());
            }
            _ => self.fail(true),
        }
    }

    fn execute(&mut self, name: u8, fate: Fate) {
        let Some(work) = self.portals.get(&name).copied() else { return self.fail(true) };
        self.uncommitted = true;
        self.run(work, fate, None, Status::Idle);
    }

    fn close(&mut self, subject: Subject, name: u8) {
        match subject {
            Subject::Statement => self.statements.remove(&name),
            Subject::Portal => self.portals.remove(&name),
        };
        self.say(Answer::CloseComplete, None);
    }

    fn sync(&mut self, good: bool) {
        let good = good || !self.uncommitted;
        self.ignoring = false;
        if !good {
            self.say(Answer::Error, None);
        }
        self.ready(if good { self.status.unwrap_or(Status::Idle) } else { Status::Idle });
    }

    fn call(&mut self, good: bool, work: u32) {
        if !good {
            return self.fail(false);
        }
        self.say(Answer::FunctionResult, Some(work));
        self.ready(self.status.unwrap_or(Status::Idle));
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
            Event::CopyOut(work) | Event::CopyBoth(work) | Event::Result(work) => assert_eq!(Some(work), truth),
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
        self.count_released();
    }

    fn count_released(&mut self) {
        for work in self.fifo.released() {
            *self.balance.entry(work).or_default() -= 1;
        }
    }
}

fn named(number: u8) -> Bytes {
    if number == 0 { name(b"") } else { name(&[b'a' + number]) }
}
