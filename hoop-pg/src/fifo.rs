//! What the server still owes: which message of the client each of its answers belongs to.
//!
//! A state machine without I/O. What the client sends is entered in the order in which it is forwarded; what the server
//! answers is matched against the oldest entry, and an answer that nothing waits for is a [`Violation`]. The names of
//! prepared statements and portals change only when the server acknowledges them, never when the client asks: a request
//! may be skipped after an error (PostgreSQL's documentation, "Extended Query").
//!
//! Works (`W`) are the executions that answers are accounted to. The machine counts nothing: each time it lets go of a
//! work that it was given, it says so in [`Fifo::released`].

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::message::{Status, Subject};

/// A name as the server keeps it: names are equal where their first 63 bytes are (`NAMEDATALEN`).
pub const NAME_LENGTH: usize = 63;

/// A name as the server keeps it.
#[must_use]
pub fn name(name: &[u8]) -> Bytes {
    Bytes::copy_from_slice(significant(name))
}

fn significant(name: &[u8]) -> &[u8] {
    name.get(..NAME_LENGTH).unwrap_or(name)
}

/// A message that was forwarded to the server, and waits for its answer.
#[derive(Clone, Debug)]
pub enum Request<S, W, P> {
    /// `P`: the statement that the name will stand for.
    Parse {
        /// The statement's name.
        name: Bytes,
        /// What the name will stand for.
        statement: S,
    },
    /// `B`: the work that the portal will stand for.
    Bind {
        /// The portal's name.
        portal: Bytes,
        /// What will be run.
        work: W,
    },
    /// `D` of a statement.
    DescribeStatement(Bytes),
    /// `D` of a statement with the columns of what a work copies.
    DescribeCopied(Bytes, W),
    /// `D` of a portal, with the work that it stands for where that is known.
    DescribePortal(Option<W>),
    /// `E`.
    Execute(W),
    /// `C`.
    Close(Subject, Bytes),
    /// `S`.
    Sync,
    /// `Q`.
    Query(W),
    /// `F`.
    Call(W),
    /// In place of a message that must not run, one that must fail.
    Poison {
        /// What the client is told.
        reason: P,
        /// Whether the message refused was a query or call, which ends by itself, or one of a sequence up to a Sync.
        alone: bool,
    },
}

impl<S, W: Copy, P> Request<S, W, P> {
    /// The work that it holds until it is answered.
    #[must_use]
    pub fn work(&self) -> Option<W> {
        match self {
            Self::Bind { work, .. }
            | Self::DescribeCopied(_, work)
            | Self::Execute(work)
            | Self::Query(work)
            | Self::Call(work) => Some(*work),
            Self::DescribePortal(work) => *work,
            Self::Parse { .. } | Self::DescribeStatement(_) | Self::Close(..) | Self::Sync | Self::Poison { .. } => {
                None
            }
        }
    }
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The client's: it sees the answer.
    Client,
    /// Added on the client's behalf: it sees the answer only where that is an error.
    Added,
}

#[derive(Debug)]
struct Owed<S, W, P> {
    request: Request<S, W, P>,
    origin: Origin,
    changes: bool,
}

#[derive(Debug)]
enum Entry<S, W, P> {
    Owed(Owed<S, W, P>),
    /// The client ended a copy here: a server that copies reads up to this point and ignores every Sync before it.
    CopyEnd,
}

/// What the server says, as far as the order of answers is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `1`
    ParseComplete,
    /// `2`
    BindComplete,
    /// `3`
    CloseComplete,
    /// `t`
    ParameterDescription,
    /// `T`
    RowDescription,
    /// `n`
    NoData,
    /// `D`
    DataRow,
    /// `C`
    CommandComplete,
    /// `I`
    EmptyQuery,
    /// `s`
    PortalSuspended,
    /// `G`
    CopyIn,
    /// `H`
    CopyOut,
    /// `W`
    CopyBoth,
    /// `d`
    CopyData,
    /// `c`
    CopyDone,
    /// `V`
    FunctionResult,
    /// `E`
    Error,
    /// `Z`
    Ready(Status),
}

/// What an answer means, and to whom it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn<S, W, P> {
    /// Whose message is answered.
    pub origin: Origin,
    /// What the answer means.
    pub event: Event<S, W, P>,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<S, W, P> {
    /// The name stands for the statement now.
    Parsed(Bytes),
    /// The portal stands for the work now.
    Bound(Bytes, W),
    /// The name stands for nothing now.
    Closed(Subject, Bytes),
    /// The statement's parameters are described.
    Parameters(Bytes),
    /// The statement's, portal's or query's columns are described; of a statement's no row comes.
    Columns(Option<W>),
    /// The statement or portal has no columns.
    NoColumns(Option<W>),
    /// A row.
    Row(W),
    /// A statement was carried out, or there was none.
    Complete(W),
    /// A portal stops before its end; it can be run on.
    Suspended(W),
    /// A copy from the client begins.
    CopyIn(W),
    /// A copy to the client begins, goes on or ends.
    CopyOut(W),
    /// A copy both ways begins.
    CopyBoth(W),
    /// The result of a function call.
    Result(W),
    /// An error. What the client sent after it is skipped up to the next Sync.
    Failed(Option<W>),
    /// An error: the statement cannot be prepared. What the client sent after it is skipped up to the next Sync.
    NotPrepared(S),
    /// The error that a poison was there to raise.
    Refused(P),
    /// The server awaits a new query.
    Ready(Status),
}

/// An answer that nothing waits for: the stream cannot be understood further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server answered out of turn")]
pub struct Violation;

/// What becomes of a message that the client sends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// The server acts on it, or will see it in its turn.
    Heard,
    /// The server is known to ignore it: it need not be judged or forwarded.
    Ignored,
    /// The server would end the session.
    Forbidden,
}

/// What a name stands for when a message that is sent now arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// This, or the message is skipped.
    Known(T),
    /// Nothing that a message of the client made.
    Nothing,
    /// It depends on answers that have not come yet.
    Pending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copying {
    No,
    /// From the client, who has not ended it.
    In,
    /// From the client, who has.
    InEnded,
    Out,
    OutEnded,
    /// Both ways at once, until both sides have ended it.
    Both {
        client: bool,
        server: bool,
    },
}

impl Copying {
    /// Both ways, where each side goes on or has ended it.
    fn both(client: bool, server: bool) -> Self {
        if client && server { Self::OutEnded } else { Self::Both { client, server } }
    }

    /// The client sends data, and nothing else until it has ended them.
    fn takes_data(self) -> bool {
        match self {
            Self::In | Self::Both { client: false, .. } => true,
            Self::No | Self::InEnded | Self::Out | Self::OutEnded | Self::Both { client: true, .. } => false,
        }
    }
}

/// What the server still owes, and what the session's names stand for.
#[derive(Debug)]
pub struct Fifo<S, W, P> {
    entries: VecDeque<Entry<S, W, P>>,
    statements: HashMap<Bytes, S>,
    portals: HashMap<Bytes, W>,
    /// The server reads over everything up to the next Sync, which the client has not sent.
    skipping: bool,
    /// The oldest entry ended in an error, and only its ReadyForQuery is to come.
    failed: bool,
    /// Something of the oldest entry was carried out: a query or call is not over before that, or an error.
    carried_out: bool,
    copying: Copying,
    status: Status,
    changing: usize,
    /// The server awaits a new query, and nothing was sent since it said so.
    resting: bool,
    /// How many entries were answered to their end.
    answered: u64,
    released: Vec<W>,
}

impl<S, W, P> Default for Fifo<S, W, P> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            statements: HashMap::new(),
            portals: HashMap::new(),
            skipping: false,
            failed: false,
            carried_out: false,
            copying: Copying::No,
            status: Status::Idle,
            changing: 0,
            resting: true,
            answered: 0,
            released: Vec::new(),
        }
    }
}

impl<S: Clone, W: Copy, P> Fifo<S, W, P> {
    /// What becomes of a message of this type that the client sends now.
    #[must_use]
    pub fn hears(&self, tag: u8) -> Hearing {
        match tag {
            b'X' => Hearing::Heard,
            b'd' | b'c' => match self.copying {
                Copying::Both { client: true, .. } => Hearing::Forbidden,
                Copying::Both { client: false, .. } => Hearing::Heard,
                _ if self.skipping || self.entries.is_empty() => Hearing::Ignored,
                _ => Hearing::Heard,
            },
            _ if matches!(self.copying, Copying::Both { client: false, .. }) => Hearing::Forbidden,
            b'S' | b'H' if self.copying == Copying::In => Hearing::Ignored,
            b'S' => Hearing::Heard,
            _ if self.skipping => Hearing::Ignored,
            b'f' if self.entries.is_empty() => Hearing::Ignored,
            b'f' => Hearing::Heard,
            _ if self.copying == Copying::In => Hearing::Forbidden,
            _ => Hearing::Heard,
        }
    }

    /// Enters a message that is forwarded now; `changes` says that facts about the session depend on its outcome.
    pub fn push(&mut self, request: Request<S, W, P>, origin: Origin, changes: bool) {
        match request {
            Request::Sync => self.skipping = false,
            Request::Poison { alone, .. } => self.skipping |= !alone,
            _ => {}
        }
        self.resting = false;
        self.changing += usize::from(changes);
        self.entries.push_back(Entry::Owed(Owed { request, origin, changes }));
    }

    /// Notes that the client ends a copy (`c`, `f`), where one is under way or may begin.
    pub fn end_copy(&mut self) {
        match self.copying {
            Copying::In => self.copying = Copying::InEnded,
            Copying::Both { server, .. } => self.copying = Copying::both(true, server),
            Copying::No | Copying::InEnded | Copying::Out | Copying::OutEnded if self.entries.is_empty() => {}
            Copying::No | Copying::InEnded | Copying::Out | Copying::OutEnded => {
                self.entries.push_back(Entry::CopyEnd);
            }
        }
    }

    /// How many answers are awaited.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many messages were answered to their end: another number means that the server has come further.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// Whether nothing is awaited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the next answer belongs to, where that is something that runs.
    #[must_use]
    pub fn answering(&self) -> Option<W> {
        runs(&self.front().ok()?.request)
    }

    /// What the server runs, or will as soon as it comes to it: it may keep back its answers to what stands before.
    #[must_use]
    pub fn running(&self) -> Option<W> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Owed(owed) => runs(&owed.request),
            Entry::CopyEnd => None,
        })
    }

    /// Whether the server takes data of a copy from the client.
    #[must_use]
    pub fn is_copying_in(&self) -> bool {
        self.copying == Copying::In
    }

    /// Whether the client sends data of a copy, which may go both ways.
    #[must_use]
    pub fn takes_data(&self) -> bool {
        self.copying.takes_data()
    }

    /// Whether data go both ways, for as long as both sides wish.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        matches!(self.copying, Copying::Both { .. })
    }

    /// Whether no fact about the session depends on an answer to come.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.changing == 0
    }

    /// Whether no answer is to come that gives a name of SQL or takes one.
    #[must_use]
    pub fn is_settled_on_names(&self) -> bool {
        self.entries.iter().all(|entry| match entry {
            Entry::Owed(owed) => !touches_a_name(&owed.request),
            Entry::CopyEnd => true,
        })
    }

    /// Whether the server awaits a new query outside of any transaction, and nothing was sent to it since.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.resting && self.status == Status::Idle
    }

    /// Whether the server will await a new query without anything more being sent to it.
    #[must_use]
    pub fn will_rest(&self) -> bool {
        matches!(self.entries.back(), Some(Entry::Owed(owed)) if ends_sequence(&owed.request))
    }

    /// Where the session's transaction stood when the server last awaited a query.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// What the name of a prepared statement stands for when a message that is sent now arrives.
    pub fn statement(&self, name: &[u8]) -> Lookup<&S> {
        let name = significant(name);
        let made = self.look_back(|request| match request {
            Request::Parse { name: other, statement } if other == name => Some(Some(statement)),
            Request::Close(Subject::Statement, other) if other == name => Some(None),
            _ => None,
        });
        made.unwrap_or_else(|| found(self.statements.get(name)))
    }

    /// What the name of a portal stands for when a message that is sent now arrives.
    pub fn portal(&self, name: &[u8]) -> Lookup<W> {
        let name = significant(name);
        let made = self.look_back(|request| match request {
            Request::Bind { portal, work } if portal == name => Some(Some(*work)),
            Request::Close(Subject::Portal, other) if other == name => Some(None),
            _ => None,
        });
        made.unwrap_or_else(|| found(self.portals.get(name).copied()))
    }

    /// The youngest entry that gives or takes a name. In the running sequence it holds, or what is sent now is skipped
    /// with it; before the last Sync it may fail, and what is sent now runs all the same.
    fn look_back<'a, T>(&'a self, touches: impl Fn(&'a Request<S, W, P>) -> Option<Option<T>>) -> Option<Lookup<T>> {
        let mut certain = true;
        for entry in self.entries.iter().rev() {
            let Entry::Owed(owed) = entry else { continue };
            match touches(&owed.request) {
                Some(made) => return Some(if certain { found(made) } else { Lookup::Pending }),
                None => certain &= !ends_sequence(&owed.request),
            }
        }
        None
    }

    /// Whether the rows of a work are described, or an error has it skipped, before what is sent now is heard.
    pub fn will_describe(&self, work: W) -> bool
    where
        W: PartialEq,
    {
        for entry in self.entries.iter().rev() {
            match entry {
                Entry::Owed(Owed { request: Request::DescribePortal(Some(other)), .. }) if *other == work => {
                    return true;
                }
                Entry::Owed(Owed { request: Request::Bind { work: other, .. }, .. }) if *other == work => return false,
                Entry::Owed(owed) if ends_sequence(&owed.request) => return false,
                Entry::Owed(_) | Entry::CopyEnd => {}
            }
        }
        false
    }

    /// What an acknowledged statement stands for, to be changed by what the server says of it.
    pub fn statement_mut(&mut self, name: &[u8]) -> Option<&mut S> {
        self.statements.get_mut(significant(name))
    }

    /// The statements that names stand for.
    pub fn statements(&self) -> impl Iterator<Item = &S> {
        self.statements.values()
    }

    /// Gives a name to a statement that the server holds without a message of the client: `PREPARE`.
    pub fn hold_statement(&mut self, held: &[u8], statement: S) {
        self.statements.insert(name(held), statement);
    }

    /// Takes the name from a statement: `DEALLOCATE`. With `None` from all but the unnamed one.
    pub fn forget_statement(&mut self, name: Option<&[u8]>) {
        match name {
            Some(name) => drop(self.statements.remove(significant(name))),
            None => self.statements.retain(|name, _| name.is_empty()),
        }
    }

    /// Takes the name from a portal that may have become another: `DECLARE`, `CLOSE`.
    pub fn forget_portal(&mut self, name: &[u8]) {
        self.released.extend(self.portals.remove(significant(name)));
    }

    /// Takes the names from all portals but the unnamed one, which no SQL can give.
    pub fn forget_portals(&mut self) {
        self.released.extend(self.portals.extract_if(|name, _| !name.is_empty()).map(|(_, work)| work));
    }

    /// The works that were let go of since the last call; one as often as it was.
    pub fn released(&mut self) -> impl Iterator<Item = W> + '_ {
        self.released.drain(..)
    }

    /// Lets go of everything: no further answer will come.
    pub fn abandon(&mut self) {
        while let Some(entry) = self.entries.pop_front() {
            self.release(entry);
        }
        self.released.extend(self.portals.drain().map(|(_, work)| work));
    }

    /// Matches an answer of the server with what it was asked.
    ///
    /// # Errors
    /// Where nothing waits for such an answer.
    pub fn answer(&mut self, answer: Answer) -> Result<Turn<S, W, P>, Violation> {
        match answer {
            Answer::Error => Ok(self.fail()),
            Answer::Ready(status) => self.ready(status),
            _ if self.failed => Err(Violation),
            Answer::ParseComplete
            | Answer::BindComplete
            | Answer::CloseComplete
            | Answer::ParameterDescription
            | Answer::NoData => self.acknowledge(answer),
            Answer::RowDescription => self.describe(),
            Answer::DataRow
            | Answer::CommandComplete
            | Answer::EmptyQuery
            | Answer::PortalSuspended
            | Answer::CopyIn
            | Answer::CopyOut
            | Answer::CopyBoth
            | Answer::CopyData
            | Answer::CopyDone
            | Answer::FunctionResult => self.run(answer),
        }
    }

    fn front(&self) -> Result<&Owed<S, W, P>, Violation> {
        match self.entries.front() {
            Some(Entry::Owed(owed)) => Ok(owed),
            Some(Entry::CopyEnd) | None => Err(Violation),
        }
    }

    /// Takes the oldest entry, and the ends of copies that never began behind it.
    fn pop(&mut self) -> Option<Owed<S, W, P>> {
        let entry = self.entries.pop_front();
        self.answered = self.answered.wrapping_add(1);
        while matches!(self.entries.front(), Some(Entry::CopyEnd)) {
            self.entries.pop_front();
        }
        match entry {
            Some(Entry::Owed(owed)) => {
                self.changing -= usize::from(owed.changes);
                Some(owed)
            }
            Some(Entry::CopyEnd) | None => None,
        }
    }

    /// Lets go of the work of an entry that will not be answered.
    fn release(&mut self, entry: Entry<S, W, P>) {
        let Entry::Owed(owed) = entry else { return };
        self.changing -= usize::from(owed.changes);
        self.released.extend(owed.request.work());
    }

    fn acknowledge(&mut self, answer: Answer) -> Result<Turn<S, W, P>, Violation> {
        let origin = self.front()?.origin;
        let event = match (answer, &self.front()?.request) {
            (Answer::ParameterDescription, Request::DescribeStatement(name) | Request::DescribeCopied(name, _)) => {
                Event::Parameters(name.clone())
            }
            (Answer::ParseComplete, Request::Parse { .. })
            | (Answer::BindComplete, Request::Bind { .. })
            | (Answer::CloseComplete, Request::Close(..))
            | (
                Answer::NoData,
                Request::DescribeStatement(_) | Request::DescribeCopied(..) | Request::DescribePortal(_),
            ) => self.apply()?,
            _ => return Err(Violation),
        };
        Ok(Turn { origin, event })
    }

    /// Takes the oldest entry and does to the names what it asked for.
    fn apply(&mut self) -> Result<Event<S, W, P>, Violation> {
        match self.pop().ok_or(Violation)?.request {
            Request::Parse { name, statement } => {
                self.statements.insert(name.clone(), statement);
                Ok(Event::Parsed(name))
            }
            Request::Bind { portal, work } => {
                self.released.extend(self.portals.insert(portal.clone(), work));
                Ok(Event::Bound(portal, work))
            }
            Request::Close(subject, name) => {
                match subject {
                    Subject::Statement => drop(self.statements.remove(&name)),
                    Subject::Portal => self.released.extend(self.portals.remove(&name)),
                }
                Ok(Event::Closed(subject, name))
            }
            Request::DescribeStatement(_) => Ok(Event::NoColumns(None)),
            Request::DescribeCopied(_, work) => {
                self.released.push(work);
                Ok(Event::NoColumns(Some(work)))
            }
            Request::DescribePortal(work) => {
                self.released.extend(work);
                Ok(Event::NoColumns(work))
            }
            Request::Execute(_) | Request::Sync | Request::Query(_) | Request::Call(_) | Request::Poison { .. } => {
                Err(Violation)
            }
        }
    }

    fn describe(&mut self) -> Result<Turn<S, W, P>, Violation> {
        let Owed { request, origin, .. } = self.front()?;
        let (origin, work) = match request {
            Request::Query(work) => {
                let turn = Turn { origin: *origin, event: Event::Columns(Some(*work)) };
                // A stream of replication or a backup is followed by rows that tell where it ended.
                if self.copying == Copying::OutEnded {
                    self.copying = Copying::No;
                }
                return Ok(turn);
            }
            Request::DescribeStatement(_) => (*origin, None),
            Request::DescribeCopied(_, work) => (*origin, Some(*work)),
            Request::DescribePortal(work) => (*origin, *work),
            _ => return Err(Violation),
        };
        self.pop();
        self.released.extend(work);
        Ok(Turn { origin, event: Event::Columns(work) })
    }

    fn run(&mut self, answer: Answer) -> Result<Turn<S, W, P>, Violation> {
        let (origin, work, runs) = match *self.front()? {
            Owed { request: Request::Query(work), origin, .. } => (origin, work, Runs::Query),
            Owed { request: Request::Execute(work), origin, .. } => (origin, work, Runs::Portal),
            Owed { request: Request::Call(work), origin, .. } => (origin, work, Runs::Call),
            _ => return Err(Violation),
        };
        let (event, next) = carry_on(answer, runs, self.copying, work).ok_or(Violation)?;
        self.copying = next;
        match answer {
            Answer::CopyIn => self.drop_syncs(),
            Answer::CopyBoth => self.end_early(),
            _ => {}
        }
        self.carried_out |= matches!(answer, Answer::CommandComplete | Answer::EmptyQuery | Answer::FunctionResult);
        let ends = matches!(answer, Answer::CommandComplete | Answer::EmptyQuery | Answer::PortalSuspended);
        if ends && runs == Runs::Portal {
            self.carried_out = false;
            self.pop();
            self.released.push(work);
        }
        Ok(Turn { origin, event })
    }

    /// A server that copies ignores every Sync up to the end of the copy, wherever the client put it.
    fn drop_syncs(&mut self) {
        let end = self.entries.iter().position(|entry| matches!(entry, Entry::CopyEnd));
        if let Some(end) = end {
            self.entries.remove(end);
            self.copying = Copying::InEnded;
        }
        let mut before = end.unwrap_or(self.entries.len());
        self.entries.retain(|entry| {
            let reaches = before > 0;
            before = before.saturating_sub(1);
            !(reaches && matches!(entry, Entry::Owed(Owed { request: Request::Sync, .. })))
        });
    }

    /// The client may have ended a copy before it began.
    fn end_early(&mut self) {
        if let Some(end) = self.entries.iter().position(|entry| matches!(entry, Entry::CopyEnd)) {
            self.entries.remove(end);
            self.copying = Copying::both(true, false);
        }
    }

    fn fail(&mut self) -> Turn<S, W, P> {
        self.copying = Copying::No;
        let Ok(front) = self.front() else {
            return Turn { origin: Origin::Client, event: Event::Failed(None) };
        };
        let (origin, work) = (front.origin, front.request.work());
        if let Request::Sync | Request::Query(_) | Request::Call(_) = front.request {
            self.failed = true;
            return Turn { origin, event: Event::Failed(work) };
        }
        let Some(owed) = self.pop() else { return Turn { origin, event: Event::Failed(work) } };
        let event = match owed.request {
            Request::Poison { reason, alone: true } => {
                // A ReadyForQuery follows, as it does after the error of a Sync.
                self.failed = true;
                self.entries.push_front(Entry::Owed(Owed { request: Request::Sync, origin, changes: false }));
                return Turn { origin, event: Event::Refused(reason) };
            }
            Request::Poison { reason, alone: false } => Event::Refused(reason),
            Request::Parse { statement, .. } => Event::NotPrepared(statement),
            _ => Event::Failed(work),
        };
        self.released.extend(work);
        self.skip();
        Turn { origin, event }
    }

    /// Drops what the server reads over after an error: everything up to the next Sync.
    fn skip(&mut self) {
        while let Some(entry) = self.entries.front() {
            if matches!(entry, Entry::Owed(Owed { request: Request::Sync, .. })) {
                return;
            }
            let Some(entry) = self.entries.pop_front() else { break };
            self.release(entry);
        }
        self.skipping = true;
    }

    fn ready(&mut self, status: Status) -> Result<Turn<S, W, P>, Violation> {
        let Owed { request, origin, .. } = self.front()?;
        let (origin, work) = (*origin, request.work());
        if !matches!(request, Request::Sync | Request::Query(_) | Request::Call(_)) || self.copying != Copying::No {
            return Err(Violation);
        }
        // One that came early belongs to a Sync that was taken for ignored: a copy had failed before it. All answers
        // after it would be accounted to another message.
        if !matches!(request, Request::Sync) && !self.carried_out && !self.failed {
            return Err(Violation);
        }
        self.pop();
        self.failed = false;
        self.carried_out = false;
        self.resting = self.entries.is_empty();
        self.status = status;
        self.released.extend(work);
        if status == Status::Idle {
            self.released.extend(self.portals.drain().map(|(_, work)| work));
        }
        Ok(Turn { origin, event: Event::Ready(status) })
    }
}

/// The work that a message runs.
fn runs<S, W: Copy, P>(request: &Request<S, W, P>) -> Option<W> {
    match request {
        Request::Execute(work) | Request::Query(work) | Request::Call(work) => Some(*work),
        Request::Parse { .. }
        | Request::Bind { .. }
        | Request::DescribeStatement(_)
        | Request::DescribeCopied(..)
        | Request::DescribePortal(_)
        | Request::Close(..)
        | Request::Sync
        | Request::Poison { .. } => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    Query,
    Portal,
    Call,
}

/// What an answer means for something that runs, and where its copy stands then; `None` where it makes no sense.
fn carry_on<S, W, P>(answer: Answer, runs: Runs, copying: Copying, work: W) -> Option<(Event<S, W, P>, Copying)> {
    match (runs, answer, copying) {
        (Runs::Call, Answer::FunctionResult, Copying::No) => Some((Event::Result(work), Copying::No)),
        (Runs::Call, ..) | (_, Answer::FunctionResult, _) => None,
        (Runs::Query, Answer::PortalSuspended, _) => None,
        (_, Answer::DataRow, Copying::No) => Some((Event::Row(work), Copying::No)),
        (_, Answer::PortalSuspended, Copying::No) => Some((Event::Suspended(work), Copying::No)),
        (_, Answer::CommandComplete, Copying::No | Copying::InEnded | Copying::OutEnded)
        | (_, Answer::EmptyQuery, Copying::No) => Some((Event::Complete(work), Copying::No)),
        (_, Answer::CopyIn, Copying::No) => Some((Event::CopyIn(work), Copying::In)),
        (_, Answer::CopyOut, Copying::No) | (_, Answer::CopyData, Copying::Out) => {
            Some((Event::CopyOut(work), Copying::Out))
        }
        // A backup is a copy for each tablespace, as servers before PostgreSQL 15 send it.
        (Runs::Query, Answer::CopyOut, Copying::OutEnded) => Some((Event::CopyOut(work), Copying::Out)),
        (Runs::Query, Answer::CopyBoth, Copying::No) => Some((Event::CopyBoth(work), Copying::both(false, false))),
        (_, Answer::CopyData, Copying::Both { server: false, .. }) => Some((Event::CopyOut(work), copying)),
        (_, Answer::CopyDone, Copying::Both { client, server: false }) => {
            Some((Event::CopyOut(work), Copying::both(client, true)))
        }
        (_, Answer::CopyDone, Copying::Out) => Some((Event::CopyOut(work), Copying::OutEnded)),
        _ => None,
    }
}

fn found<T>(value: Option<T>) -> Lookup<T> {
    value.map_or(Lookup::Nothing, Lookup::Known)
}

/// Whether a message gives or takes a name that SQL can use: the unnamed ones it cannot.
fn touches_a_name<S, W, P>(request: &Request<S, W, P>) -> bool {
    match request {
        Request::Parse { name, .. } | Request::Bind { portal: name, .. } | Request::Close(_, name) => !name.is_empty(),
        Request::DescribeStatement(_)
        | Request::DescribeCopied(..)
        | Request::DescribePortal(_)
        | Request::Execute(_)
        | Request::Sync
        | Request::Query(_)
        | Request::Call(_)
        | Request::Poison { .. } => false,
    }
}

/// Whether what comes after is heard even where this fails.
fn ends_sequence<S, W, P>(request: &Request<S, W, P>) -> bool {
    match request {
        Request::Sync | Request::Query(_) | Request::Call(_) => true,
        Request::Poison { alone, .. } => *alone,
        Request::Parse { .. }
        | Request::Bind { .. }
        | Request::DescribeStatement(_)
        | Request::DescribeCopied(..)
        | Request::DescribePortal(_)
        | Request::Execute(_)
        | Request::Close(..) => false,
    }
}

#[cfg(test)]
mod tests;
