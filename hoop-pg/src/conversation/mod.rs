//! A session once it stands: what each side says, judged, forwarded, refused, masked. Without I/O.
//!
//! The client's bytes go into [`Conversation::client`], the server's into [`Conversation::server`]; what is to be written
//! comes out of the same lanes. Where a message of the client needs a decision, [`Conversation::hear_client`] gives a
//! [`Question`] and goes on with nothing else of the client until it is answered.

mod client_side;
mod copies;
mod limits;
mod parameters;
mod server_side;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hoopcore::command::Analyses;
use hoopcore::parameters::Parameters;
use hoopcore::{Command, Event};

use crate::catalog::Catalog;
use crate::fifo::{Fifo, Origin, Request};
use crate::frame::{FrameError, Head, Limits, Way};
use crate::lane::Lane;
use crate::masking::LastLayout;
use crate::message::{Malformed, frame};
use crate::patience::Waits;
use crate::poison::{self, Poison};
pub use crate::reading::Encodings;
use crate::reading::{self, Reading, Text};
use crate::refusal::{Refusal, code};
use crate::replication::Replication;
use crate::scrub::Guard;
use crate::upkeep::Upkeep;
use crate::works::{FRAME, WorkId, Works};
pub(crate) use client_side::too_much_behind;
use copies::Ahead;
use limits::Brake;
pub(crate) use parameters::Bound;

/// How many answers may be awaited before the client must wait for some of them.
const MOST_OWED: usize = 4096;

/// How many bytes may have been sent since the last time that nothing was awaited.
const MOST_UNANSWERED: usize = 64 << 20;

/// How much the portals of one session may take, in bytes.
const MOST_BOUND: usize = 64 << 20;

/// How much the prepared statements of one session may take, in bytes.
const MOST_PREPARED: usize = 64 << 20;

/// What a prepared statement does.
#[derive(Debug)]
pub(crate) struct Prepared {
    command: Command,
    /// The types of its parameters, as far as the client or the server named them.
    types: Arc<[u32]>,
}

impl Prepared {
    /// What it takes, in bytes, about.
    fn taken(&self) -> usize {
        self.command.text().len() + self.types.len() * size_of::<u32>() + FRAME
    }
}

/// What a session begins with.
#[derive(Debug)]
pub struct Outset {
    /// Where result columns come from.
    pub catalog: Catalog,
    /// Whether it is one for replication.
    pub replication: Replication,
    /// How texts stand on the wire.
    pub encodings: Encodings,
}

impl From<Catalog> for Outset {
    fn from(catalog: Catalog) -> Self {
        Self { catalog, replication: Replication::No, encodings: Encodings::default() }
    }
}

/// What is known of the relay's progress with one side.
#[derive(Debug)]
pub(crate) enum Next {
    /// A message was dealt with.
    Onward,
    /// The next message has not all arrived.
    Starved,
    /// The next message waits for an answer of the server.
    Wait,
    /// The next message waits until the catalog was read anew.
    Refresh,
    /// The next message waits for a decision.
    Ask(Question),
    /// The client says good-bye.
    Farewell,
}

/// A decision about [what was asked](Conversation::asked) that is needed before anything more of the client is heard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    /// Whether the command could ever be permitted.
    Prepare,
    /// Whether it is permitted with its parameters.
    Admit,
}

/// A message of the client that waits for a decision.
#[derive(Debug)]
struct Asked {
    head: Head,
    kind: Kind,
    /// The statement or portal that it gives a name to.
    name: Bytes,
    command: Command,
    parameters: Option<parameters::Asked>,
    /// The error code of a refusal: not the policy's own where the name that is used was never given.
    code: &'static str,
    /// How many bytes of it and what is behind it were looked at, for a good-bye.
    seen: usize,
}

/// What comes of a text that the client sends.
enum Written {
    /// It is to be decided about.
    Command(Command),
    /// The server will soon have said how it reads it.
    Later,
    /// It is no text.
    Nothing,
}

/// Which message waits for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Query,
    Parse,
    Bind,
    Execute,
    Call,
}

/// Why a message was refused: large and rare, so it is kept apart from what the server owes.
type Reason = Box<Poison>;

/// A session once it stands.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// What the client says, on its way to the server.
    pub(crate) client: Lane,
    /// What the server says, on its way to the client.
    pub(crate) server: Lane,
    fifo: Fifo<Arc<Prepared>, WorkId, Reason>,
    works: Works,
    catalog: Catalog,
    layout: LastLayout,
    upkeep: Upkeep,
    reading: Reading,
    replication: Replication,
    analyses: Analyses,
    asked: Option<Asked>,
    /// How often a name of SQL was given or taken: what runs by name is judged anew when that changed.
    names: u64,
    /// What must not stand in what the server says besides rows.
    guard: Guard,
    /// The server was told to send what it has, since it was last sent anything.
    flushed: bool,
    /// Bytes sent since the last time that nothing was awaited.
    unanswered: usize,
    /// What prepared statements take, at most, in bytes.
    prepared: usize,
    /// What portals take, at most, in bytes.
    bound: usize,
    /// The server said that it ends the session.
    ended: bool,
    /// How many messages were answered when the server was asked to cancel the next one, which took too long.
    too_long: Option<u64>,
    scratch: BytesMut,
    /// A query that waits until the server has described what it copies.
    ahead: Option<Ahead>,
    /// Works with limits: one runs at a time.
    brake: Brake,
}

impl Conversation {
    pub(crate) fn new(outset: Outset, limits: Limits) -> Self {
        let Outset { catalog, replication, encodings } = outset;
        Self {
            client: Lane::new(Way::FromClient, limits),
            server: Lane::new(Way::FromServer, limits),
            fifo: Fifo::default(),
            works: Works::default(),
            catalog,
            layout: LastLayout::default(),
            upkeep: Upkeep::default(),
            reading: Reading::new(encodings),
            replication,
            analyses: Analyses::default(),
            asked: None,
            names: 0,
            guard: Guard::default(),
            flushed: true,
            unanswered: 0,
            prepared: 0,
            bound: 0,
            ended: false,
            too_long: None,
            scratch: BytesMut::new(),
            ahead: None,
            brake: Brake::default(),
        }
    }

    /// What must not stand in what the server says besides rows, from now on. For what runs that is no less than when it
    /// began, whatever the policy says now.
    pub(crate) fn guard(&mut self, guard: Guard) {
        let runs = !self.is_at_rest();
        let before = std::mem::replace(&mut self.guard, guard);
        if runs {
            self.guard.columns |= before.columns;
            if !self.guard.detectors.is_armed() {
                self.guard.detectors = before.detectors;
            }
        }
    }

    /// Puts a catalog that was read anew in the place of the old one.
    pub(crate) fn refreshed(&mut self, catalog: Catalog) {
        self.catalog = catalog;
        self.layout.forget();
        self.upkeep.refreshed();
    }

    /// The catalog is of another policy: until it is read anew, no relation is known.
    pub(crate) fn distrust(&mut self) {
        self.catalog = Catalog::default();
        self.layout.forget();
        self.upkeep.doubt();
    }

    /// Whether nothing is under way, so that the connection to the server can be used for something else.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.fifo.is_at_rest() && self.server.buffered() == 0 && !self.holds_back()
    }

    /// Whether nothing is under way between transactions, on either side.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_at_rest() && self.client.buffered() == 0
    }

    /// Whether the session is one for replication: what it was permitted may go on without an end.
    pub(crate) fn replicates(&self) -> bool {
        self.replication.is_on()
    }

    /// Whether the session can end without anything being lost: nothing is under way, or a stream that both sides can begin
    /// again where it stood.
    pub(crate) fn may_end(&self) -> bool {
        self.is_idle() || (self.fifo.is_streaming() && !self.server.is_mid_frame())
    }

    /// The command that waits for a decision, and the values bound to its parameters.
    pub(crate) fn asked(&self) -> Option<(&Command, Option<&dyn Parameters>)> {
        self.asked.as_ref().map(|asked| (&asked.command, asked.parameters.as_ref().map(|bound| bound as _)))
    }

    /// Whether the server owes an answer.
    pub(crate) fn is_busy(&self) -> bool {
        !self.fifo.is_empty()
    }

    /// What the session waits for.
    pub(crate) fn waits(&self) -> Waits {
        if self.fifo.is_at_rest() {
            return if self.asked.is_some() { Waits::Otherwise } else { Waits::Client };
        }
        if self.fifo.is_streaming() {
            return Waits::Otherwise;
        }
        // What the server was not told to send may be done, though nothing was heard of it.
        let kept_back = !self.flushed && (self.asked.is_some() || self.fifo.running().is_none());
        match (self.fifo.is_empty() || kept_back, self.asked.is_some()) {
            (false, _) => Waits::Server(self.fifo.answered()),
            (true, true) => Waits::Otherwise,
            (true, false) => Waits::ClientInTransaction,
        }
    }

    /// Whether the server said that it ends the session.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Records of what was carried out, since the last call.
    pub(crate) fn closed(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.works.closed()
    }

    /// No answer will come any more: what runs goes on record as it stands.
    pub(crate) fn abandon(&mut self) {
        self.fifo.abandon();
        self.release();
    }

    /// Lets go of works that the FIFO let go of.
    fn release(&mut self) {
        for work in self.fifo.released() {
            self.works.release(work);
        }
    }

    /// Enters a message that is forwarded now.
    fn owe(&mut self, request: Request<Arc<Prepared>, WorkId, Reason>, origin: Origin, changes: bool) {
        self.flushed = false;
        if let Some(work) = request.work() {
            self.works.hold(work);
        }
        self.fifo.push(request, origin, changes);
    }

    /// Enters a message that runs a work, which is forwarded now.
    fn run(&mut self, request: Request<Arc<Prepared>, WorkId, Reason>) {
        let work = request.work().and_then(|work| self.works.get_mut(work));
        let (changes, rereads) = work.map_or((false, false), |work| {
            work.run();
            (work.changes, work.rereads)
        });
        self.reading.forwarded(rereads);
        self.brake_for(&request);
        self.owe(request, Origin::Client, changes);
    }

    /// Asks the server for what the layout of a portal's rows is, before they come.
    fn describe(&mut self, portal: &[u8], work: WorkId) {
        self.client.say(|out| {
            frame(out, b'D', |body| {
                body.bytes(b"P");
                body.text(portal);
            });
        });
        self.owe(Request::DescribePortal(Some(work)), Origin::Added, false);
    }

    /// Puts a message that must fail in the place of one that is refused.
    fn refuse(&mut self, head: Head, kind: Kind, name: &[u8], told: Refusal) {
        let mut poison = Poison::new(told);
        self.client.skip(head);
        self.client.say(|out| match kind {
            Kind::Query => poison.query(out),
            Kind::Parse => poison.parse(name, out),
            Kind::Bind => poison.bind(out),
            Kind::Execute => poison.execute(out),
            Kind::Call => poison = poison.clone().call(out),
        });
        let alone = matches!(kind, Kind::Query | Kind::Call);
        self.owe(Request::Poison { reason: Box::new(poison), alone }, Origin::Client, false);
    }

    /// Waits for the server, which is told to send what it has where it might not.
    fn wait(&mut self) -> Next {
        if !self.flushed {
            self.client.say(|out| frame(out, b'H', |_| {}));
            self.flushed = true;
        }
        Next::Wait
    }

    /// What comes of a text that the client sends.
    fn command(&mut self, text: Text) -> Written {
        match text {
            Text::Nothing => Written::Nothing,
            Text::Doubtful(..) if self.fifo.will_rest() => Written::Later,
            Text::Doubtful(text, why) | Text::Unread(text, why) => Written::Command(Command::unread(&text, why)),
            Text::Read(text) => {
                let command = self.analysed(&text);
                let differs = self.reading.names_may_differ() && command.has_names_beyond_ascii();
                Written::Command(if differs { Command::unread(&text, reading::NAMES) } else { command })
            }
        }
    }

    /// The analysis of a text; those of the last ones are kept.
    fn analysed(&mut self, text: &str) -> Command {
        match self.replication {
            Replication::No => self.analyses.command(text),
            Replication::Logical | Replication::Physical => self.command_of_replication(text),
        }
    }

    /// A command of replication, or SQL. Over such a connection the catalog cannot be asked again.
    fn command_of_replication(&self, text: &str) -> Command {
        if self.upkeep.is_redefined() {
            let why = "definitions may have changed, and a replication connection cannot look them up";
            return Command::unread(text, why);
        }
        Command::replication(text)
    }

    /// Tells the client something, between two messages of the server.
    pub(crate) fn notice(&mut self, told: &Refusal) {
        let charset = self.reading.said();
        self.server.say(|out| poison::notice(told, charset, out));
    }

    /// Tells the client why the session ends.
    pub(crate) fn fatal(&mut self, why: &Refusal) {
        let charset = self.reading.said();
        self.server.say(|out| poison::fatal(why, charset, out));
    }

    /// Tells the client an error, in place of one of the server's.
    fn tell_error(&mut self, told: &Refusal) {
        let charset = self.reading.said();
        self.server.say(|out| poison::error(told, charset, out));
    }

    /// Tells the server that the session ends, where it is not in the middle of a message.
    pub(crate) fn take_leave(&mut self) {
        if !self.client.is_mid_frame() {
            self.client.say(|out| frame(out, b'X', |_| {}));
        }
    }
}

/// The client broke the protocol.
fn by_client(error: impl Into<Broken>) -> Refusal {
    error.into().0
}

/// The server broke the protocol.
fn by_server(error: impl Into<Broken>) -> Refusal {
    let Broken(Refusal { message, .. }) = error.into();
    Refusal::protocol(format!("the server broke the protocol: {message}"))
}

/// Why a stream of messages cannot be followed any further.
struct Broken(Refusal);

impl From<FrameError> for Broken {
    fn from(error: FrameError) -> Self {
        Self(Refusal::protocol(error.to_string()))
    }
}

impl From<Malformed> for Broken {
    fn from(error: Malformed) -> Self {
        Self(Refusal::protocol(error.to_string()))
    }
}

impl From<crate::fifo::Violation> for Broken {
    fn from(error: crate::fifo::Violation) -> Self {
        Self(Refusal::protocol(error.to_string()))
    }
}

impl From<&'static str> for Broken {
    fn from(what: &'static str) -> Self {
        Self(Refusal::protocol(Cow::Borrowed(what)))
    }
}

/// The refusal of bytes that are no text.
fn not_text() -> Refusal {
    Refusal::new(code::ENCODING, "invalid byte sequence for encoding \"UTF8\"")
}

/// The refusal of a name of which it is not known what it is to the server.
fn not_a_name() -> Refusal {
    let told = "the name of a statement or portal has characters that are not read in this client_encoding";
    Refusal::new(code::ENCODING, told).with_hint("use a name of ASCII characters")
}
