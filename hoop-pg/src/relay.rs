//! Runs a session between its two peers: reads, lets the conversation go on, asks for decisions, writes.
//!
//! One task does all of it. A side is not read while the other has not taken what is meant for it, so that a slow peer
//! slows its own session and costs no memory.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hoop_runtime::approvals::ApprovalWait;
use hoop_runtime::config::{Enforcement, Timeout};
use hoop_runtime::{Admission, Later, Session, Soon};
use hoopcore::request::Exposures;
use hoopcore::{Denial, Permit};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::cancel::CancelSignal;
use crate::catalog;
use crate::conversation::{Conversation, Next, Question, too_much_behind};
pub use crate::conversation::{Encodings, Outset};
use crate::drain::Drain;
use crate::entrance::CATALOG_PATIENCE;
use crate::frame::Limits;
use crate::patience::{self, Over, Patience};
use crate::refusal::{Refusal, code};
use crate::scrub::Guard;
use crate::upstream::CancelTarget;

/// A side is read ahead of what is dealt with by this much.
const READ_AHEAD: usize = 32 * 1024;

/// So much is read behind a command that waits for people, to notice when its client leaves. Where there is more, it is
/// refused.
const HELD_AHEAD: usize = 1024 * 1024;

/// How long a server may go on without saying anything after its client left.
const GRACE: Duration = Duration::from_secs(1);

/// `query_canceled`
const CANCELED: &str = "57014";

/// `connection_failure`
const CONNECTION: &str = "08006";

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub reason: Reason,
    /// The server had not answered everything: what it still runs should be cancelled.
    pub busy: bool,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The client left.
    #[error("the client left")]
    ClientLeft,
    /// The server ended the session or went away.
    #[error("the server left")]
    ServerLeft,
    /// One side broke the protocol, or the session could not go on safely; the client was told.
    #[error("{0}")]
    Broken(Refusal),
}

/// Runs a session until one side leaves it.
///
/// The session is past both logins: the server awaits the first query, and the client was told so. `outset` has the catalog as it was
/// read with the session's [`protected columns`](Session::protected_columns), and the session's facts are told of it.
/// When the gateway is about to stop, the session ends as soon as nothing is under way, and at the latest when the gateway
/// is no longer patient. However it ends, what ran goes on record: also where the future is dropped.
pub async fn run<C, S>(
    client: C,
    server: S,
    session: Session,
    outset: impl Into<Outset>,
    cancel: impl Into<Cancelling>,
    drain: Drain,
) -> End
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut relay = Relay::new(client, server, session, outset.into(), cancel.into(), drain);
    let reason = loop {
        match poll_fn(|cx| relay.poll(cx)).await {
            Stop::Refresh => {
                if let Err(reason) = relay.refresh().await {
                    break reason;
                }
            }
            Stop::End(reason) => break reason,
        }
    };
    relay.finish(reason).await
}

/// How what the server runs is cancelled, by the client and by the gateway.
#[derive(Clone, Debug)]
pub struct Cancelling {
    /// Tells of the client's requests while a command is held.
    pub signal: CancelSignal,
    /// Where the gateway's own requests go, when something goes beyond a limit. Without one its rows are dropped until the
    /// server is done with it.
    pub target: Option<CancelTarget>,
}

impl From<CancelSignal> for Cancelling {
    fn from(signal: CancelSignal) -> Self {
        Self { signal, target: None }
    }
}

/// Why the relay stands still.
enum Stop {
    Refresh,
    End(Reason),
}

impl From<Refusal> for Stop {
    fn from(why: Refusal) -> Self {
        Self::End(Reason::Broken(why))
    }
}

/// The sides that had nothing more to read: they wake the task when they have.
#[derive(Default)]
struct Silent {
    client: bool,
    server: bool,
}

/// A decision that the client's next message waits for.
enum Decision {
    None,
    Preparing(Later<Option<Denial>>),
    Admitting(Later<Admission>),
    Holding { hold: ApprovalWait, cancelled: Pin<Box<dyn Future<Output = ()> + Send>> },
}

struct Relay<C, S> {
    client: C,
    server: S,
    session: Session,
    conversation: Conversation,
    cancel: Cancelling,
    /// A request to cancel that is on its way.
    cancelling: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    /// How long either side may be waited for.
    patience: Patience,
    /// When something that runs has to be looked at.
    alarm: Option<Pin<Box<Sleep>>>,
    decision: Decision,
    /// The edition of the policy that the catalog was read for.
    edition: u64,
    client_starved: bool,
    server_starved: bool,
    /// Nothing more comes from the client.
    client_gone: bool,
    /// Nothing more is heard of the client: it said good-bye, or all that it sent was heard.
    farewell: bool,
    /// The server takes nothing more.
    server_deaf: bool,
    server_gone: bool,
    /// Until when the server may go on without a word after its client left.
    grace: Pin<Box<Sleep>>,
    /// When the token ends that let the client in.
    over: Option<Pin<Box<Sleep>>>,
    ending: Ending,
}

/// Whether the gateway is about to stop.
enum Ending {
    /// Not that it was heard; it is told when what still runs is cut off.
    Unheard(Pin<Box<dyn Future<Output = Instant> + Send>>),
    /// What still runs is cut off then.
    Heard(Pin<Box<Sleep>>),
}

impl<C, S> Relay<C, S> {
    fn record(&mut self) {
        for event in self.conversation.closed() {
            self.session.close(event);
        }
    }
}

impl<C, S> Drop for Relay<C, S> {
    fn drop(&mut self) {
        self.conversation.abandon();
        self.record();
    }
}

impl<C, S> Relay<C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn new(client: C, server: S, session: Session, outset: Outset, cancel: Cancelling, mut drain: Drain) -> Self {
        let conversation = Conversation::new(outset, Limits::default());
        let patience = Patience::new(session.timeouts());
        let mut relay = Self {
            client,
            server,
            edition: session.edition(),
            over: session.time_left().map(|left| Box::pin(tokio::time::sleep(left))),
            session,
            conversation,
            cancel,
            cancelling: None,
            patience,
            alarm: None,
            decision: Decision::None,
            client_starved: true,
            server_starved: true,
            client_gone: false,
            farewell: false,
            server_deaf: false,
            server_gone: false,
            grace: Box::pin(tokio::time::sleep(GRACE)),
            ending: Ending::Unheard(Box::pin(async move { drain.begun().await })),
        };
        relay.guard();
        relay
    }

    /// What the server says besides rows is looked at where a column is protected in this database, or a detector armed.
    fn guard(&mut self) {
        match self.session.mode() {
            Enforcement::Enforce => {}
            Enforcement::Observe => return self.conversation.guard(Guard::default()),
        }
        let exposed = match &self.session.facts().exposures {
            Exposures::Assumed | Exposures::Unknown => true,
            Exposures::Known(exposures) => !exposures.is_empty(),
        };
        let columns = exposed && !self.session.protected_columns().is_empty();
        let guard = Guard { columns, detectors: self.session.detectors() };
        self.conversation.guard(guard);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        let mut silent = Silent::default();
        loop {
            let moved = match self.step(cx, &mut silent) {
                Ok(moved) => moved,
                Err(stop) => return Poll::Ready(stop),
            };
            if !moved {
                return self.part(cx).map_or_else(Poll::Ready, |()| Poll::Pending);
            }
        }
    }

    /// Does once everything that can be done now; whether there was anything.
    fn step(&mut self, cx: &mut Context<'_>, silent: &mut Silent) -> Result<bool, Stop> {
        self.follow_policy()?;
        let mut moved = self.keep_waits(cx)?;
        moved |= self.read_client(cx, silent);
        moved |= self.read_server(cx, silent);
        moved |= self.keep_limits(cx)?;
        moved |= self.poll_decision(cx)?;
        moved |= self.hear_client(cx)?;
        moved |= self.hear_server()?;
        moved |= self.write(cx)?;
        Ok(moved)
    }

    /// Ends the session, or what its server runs, where one side is waited for too long; whether anything was done.
    fn keep_waits(&mut self, cx: &mut Context<'_>) -> Result<bool, Stop> {
        let Poll::Ready(over) = self.patience.poll(cx, self.conversation.waits()) else { return Ok(false) };
        match over {
            Over::Time(timeout, after) => {
                self.session.timed_out(timeout, after);
                match timeout {
                    Timeout::Statement => self.conversation.cancel_statement(),
                    Timeout::Idle | Timeout::IdleInTransaction | Timeout::Login => {
                        return Err(patience::told(timeout).into());
                    }
                }
                Ok(true)
            }
            Over::Grace => {
                Err(Refusal::new(code::SHUTDOWN, "the server did not end a statement that took too long").into())
            }
        }
    }

    /// Looks after what has limits; whether that changed anything.
    fn keep_limits(&mut self, cx: &mut Context<'_>) -> Result<bool, Stop> {
        let due = self.conversation.keep_time(std::time::Instant::now)?;
        self.alarm = due.map(|due| Box::pin(tokio::time::sleep_until(due.into())));
        let mut moved = self.alarm.as_mut().is_some_and(|alarm| alarm.as_mut().poll(cx).is_ready());
        if self.conversation.wants_cancel() {
            let target = self.cancel.target.clone();
            self.cancelling = Some(Box::pin(async move {
                match target {
                    Some(target) => target.cancel().await,
                    None => Ok(()),
                }
            }));
        }
        if let Some(cancelling) = &mut self.cancelling
            && let Poll::Ready(sent) = cancelling.as_mut().poll(cx)
        {
            if let Err(error) = sent {
                tracing::warn!(%error, session = self.session.id(), "what went beyond a limit could not be cancelled");
            }
            self.cancelling = None;
            self.conversation.cancel_sent();
            moved = true;
        }
        Ok(moved)
    }

    fn hear_client(&mut self, cx: &mut Context<'_>) -> Result<bool, Stop> {
        let mut moved = false;
        while !self.farewell && !self.conversation.client.is_full() {
            match self.conversation.hear_client()? {
                Next::Onward => {
                    moved = true;
                    self.follow_policy()?;
                }
                Next::Wait => break,
                Next::Refresh if self.conversation.is_at_rest() => return Err(Stop::Refresh),
                Next::Refresh => break,
                Next::Ask(question) => {
                    self.ask(question);
                    self.poll_decision(cx)?;
                    moved = true;
                }
                Next::Starved => {
                    // Then it may be read, though it was read ahead.
                    moved |= !self.client_starved;
                    self.client_starved = true;
                    if self.client_gone {
                        self.conversation.take_leave();
                        self.say_farewell();
                    }
                    break;
                }
                Next::Farewell => self.say_farewell(),
            }
        }
        Ok(moved)
    }

    fn say_farewell(&mut self) {
        self.farewell = true;
        self.grace.as_mut().reset(Instant::now() + GRACE);
    }

    /// A new policy may protect more columns than those that the catalog was read for.
    /// A stream of replication has no end of its own: such a session ends, and is judged anew when its client begins again where
    /// it stood; not where the policy is only watched.
    fn follow_policy(&mut self) -> Result<(), Stop> {
        let edition = self.session.follow_policy();
        if self.edition == edition {
            return Ok(());
        }
        self.edition = edition;
        match self.session.facts().exposures {
            Exposures::Known(_) => {}
            Exposures::Assumed | Exposures::Unknown => self.conversation.distrust(),
        }
        self.guard();
        match self.session.mode() {
            Enforcement::Enforce if self.conversation.replicates() => {}
            Enforcement::Enforce | Enforcement::Observe => return Ok(()),
        }
        let why = Refusal::new(code::SHUTDOWN, "the policy has changed, and what is replicated is to be judged anew");
        Err(why.with_hint("connect again: the stream goes on where it stood").into())
    }

    fn hear_server(&mut self) -> Result<bool, Stop> {
        let mut moved = false;
        while !self.conversation.server.is_full() {
            match self.conversation.hear_server(self.session.facts_mut())? {
                Next::Starved => {
                    moved |= !self.server_starved;
                    self.server_starved = true;
                    break;
                }
                _ => moved = true,
            }
        }
        self.record();
        Ok(moved)
    }

    fn ask(&mut self, question: Question) {
        let Some((command, parameters)) = self.conversation.asked() else { return };
        let done = match question {
            Question::Prepare => match self.session.prepare(command) {
                Soon::Now(refusal) => prepared(refusal),
                Soon::Later(refusal) => return self.decision = Decision::Preparing(refusal),
            },
            Question::Admit => match self.session.admit(command, parameters) {
                Soon::Now(admission) => admitted(admission),
                Soon::Later(admission) => return self.decision = Decision::Admitting(admission),
            },
        };
        self.decided(done);
    }

    /// Goes on with the decision that the client waits for; whether that changed anything.
    fn poll_decision(&mut self, cx: &mut Context<'_>) -> Result<bool, Stop> {
        let done = match &mut self.decision {
            Decision::None => return Ok(false),
            Decision::Preparing(refusal) => match refusal.as_mut().poll(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(refusal) => prepared(refusal),
            },
            Decision::Admitting(admission) => match admission.as_mut().poll(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(admission) => admitted(admission),
            },
            Decision::Holding { hold, cancelled } => {
                if let Poll::Ready(answer) = Pin::new(&mut *hold).poll(cx) {
                    Done::Decided(answer)
                } else if hold.take_change() {
                    let told = held(hold);
                    self.conversation.notice(&told);
                    return Ok(true);
                } else if cancelled.as_mut().poll(cx).is_ready() {
                    Done::Withdrawn(Refusal::new(CANCELED, "canceling statement due to user request"))
                } else if self.client_gone || self.conversation.leaves() {
                    return Err(self.withdraw());
                } else if self.conversation.behind() >= HELD_AHEAD {
                    Done::Withdrawn(too_much_behind())
                } else {
                    return Ok(false);
                }
            }
        };
        self.decided(done);
        Ok(true)
    }

    fn decided(&mut self, done: Done) {
        match (std::mem::replace(&mut self.decision, Decision::None), done) {
            (_, Done::Prepared) => self.conversation.prepared(),
            (_, Done::Decided(Ok(permit))) => self.conversation.permitted(permit, self.session.facts()),
            (_, Done::Decided(Err(denial))) => self.conversation.denied(&denial),
            (_, Done::Held(hold)) => self.hold(hold),
            (Decision::Holding { hold, .. }, Done::Withdrawn(told)) => {
                let _withdrawn: Denial = hold.withdraw();
                self.conversation.turned_down(told);
            }
            (_, Done::Withdrawn(_)) => {}
        }
    }

    /// Tells the client that a person must answer, and waits on.
    fn hold(&mut self, hold: ApprovalWait) {
        let wait = self.cancel.signal.wait();
        let cancelled = Box::pin(async move { wait.requested().await });
        self.conversation.notice(&held(&hold));
        self.decision = Decision::Holding { hold, cancelled };
    }

    /// The client left while its command was held.
    fn withdraw(&mut self) -> Stop {
        if let Decision::Holding { hold, .. } = std::mem::replace(&mut self.decision, Decision::None) {
            let _withdrawn: Denial = hold.withdraw();
        }
        Stop::End(Reason::ClientLeft)
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Stop> {
        let mut moved = match self.conversation.server.poll_write(cx, &mut self.client) {
            Poll::Pending => false,
            Poll::Ready(Ok(wrote)) => wrote,
            Poll::Ready(Err(_)) => return Err(Stop::End(Reason::ClientLeft)),
        };
        if !self.server_deaf {
            match self.conversation.client.poll_write(cx, &mut self.server) {
                Poll::Pending => {}
                Poll::Ready(Ok(wrote)) => moved |= wrote,
                // What it said before it left is still to be read.
                Poll::Ready(Err(_)) => self.server_deaf = true,
            }
        }
        Ok(moved)
    }

    fn read_client(&mut self, cx: &mut Context<'_>, silent: &mut Silent) -> bool {
        if silent.client || self.client_gone || !self.may_read_client() {
            return false;
        }
        let read = self.conversation.client.poll_read(cx, &mut self.client);
        silent.client = read.is_pending();
        self.client_starved &= read.is_pending();
        match read {
            Poll::Pending => false,
            Poll::Ready(arrived) => {
                self.client_gone = arrived == 0;
                if self.client_gone {
                    self.grace.as_mut().reset(Instant::now() + GRACE);
                }
                true
            }
        }
    }

    /// Whether more of the client is wanted. While a command of it is held, it is read in any case: it may leave.
    fn may_read_client(&self) -> bool {
        let lane = &self.conversation.client;
        match self.decision {
            Decision::Holding { .. } => self.conversation.behind() < HELD_AHEAD,
            Decision::None | Decision::Preparing(_) | Decision::Admitting(_) => {
                !lane.is_full() && (self.client_starved || lane.buffered() < READ_AHEAD)
            }
        }
    }

    fn read_server(&mut self, cx: &mut Context<'_>, silent: &mut Silent) -> bool {
        let lane = &mut self.conversation.server;
        if silent.server || self.server_gone || lane.is_full() || !(self.server_starved || lane.buffered() < READ_AHEAD)
        {
            return false;
        }
        let read = lane.poll_read(cx, &mut self.server);
        silent.server = read.is_pending();
        self.server_starved &= read.is_pending();
        match read {
            Poll::Pending => false,
            Poll::Ready(arrived) => {
                self.server_gone = arrived == 0;
                if self.farewell || self.client_gone {
                    self.grace.as_mut().reset(Instant::now() + GRACE);
                }
                true
            }
        }
    }

    /// Ends the session when a side has left and everything that it said was dealt with.
    fn part(&mut self, cx: &mut Context<'_>) -> Result<(), Stop> {
        if self.server_gone && self.server_starved {
            let reason = if self.farewell { Reason::ClientLeft } else { Reason::ServerLeft };
            return Err(Stop::End(reason));
        }
        let leaves = self.farewell || (self.client_gone && self.conversation.holds_back());
        if leaves && self.grace.as_mut().poll(cx).is_ready() {
            return Err(Stop::End(Reason::ClientLeft));
        }
        if self.is_to_end(cx) {
            return Err(Refusal::new(code::SHUTDOWN, "the gateway is shutting down").into());
        }
        if self.over.as_mut().is_some_and(|over| over.as_mut().poll(cx).is_ready()) {
            self.session.expired();
            let why = Refusal::new(code::SHUTDOWN, "the token that opened this session has ended");
            return Err(Stop::from(why.with_hint("connect again with a new one")));
        }
        Ok(())
    }

    /// Whether the gateway is about to stop and nothing is under way, or may be any longer.
    fn is_to_end(&mut self, cx: &mut Context<'_>) -> bool {
        if let Ending::Unheard(word) = &mut self.ending
            && let Poll::Ready(until) = word.as_mut().poll(cx)
        {
            self.ending = Ending::Heard(Box::pin(sleep_until(until)));
        }
        match &mut self.ending {
            Ending::Unheard(_) => false,
            Ending::Heard(time) => {
                let is_idle = self.conversation.may_end() && matches!(self.decision, Decision::None);
                is_idle || time.as_mut().poll(cx).is_ready()
            }
        }
    }

    /// Reads the catalog anew over the session's own connection, on which nothing is under way.
    async fn refresh(&mut self) -> Result<(), Reason> {
        let patterns = self.session.protected_columns();
        poll_fn(|cx| self.conversation.client.poll_write(cx, &mut self.server))
            .await
            .map_err(|_| Reason::ServerLeft)?;
        let loaded = timeout(CATALOG_PATIENCE, catalog::load(&mut self.server, &patterns)).await;
        let loaded = loaded.map_err(|_| self.unreadable(&"it took too long"))?;
        let loaded = loaded.map_err(|error| self.unreadable(&error))?;
        loaded.tell(self.session.facts_mut());
        // Settings and notifications that came meanwhile are heard like any others.
        for aside in &loaded.asides {
            self.conversation.server.room().extend_from_slice(aside);
        }
        self.conversation.refreshed(loaded.catalog);
        self.guard();
        Ok(())
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> Reason {
        tracing::error!(%error, session = self.session.id(), "the catalog could not be read");
        Reason::Broken(Refusal::new(code::INTERNAL, "the catalog could not be read"))
    }

    /// Tells the client why the session ends.
    async fn finish(mut self, reason: Reason) -> End {
        let busy = self.conversation.is_busy();
        match &reason {
            Reason::Broken(why) => self.conversation.fatal(why),
            Reason::ServerLeft if !self.conversation.has_ended() => {
                let why = Refusal::new(CONNECTION, "the server closed the connection unexpectedly");
                self.conversation.fatal(&why);
            }
            Reason::ServerLeft | Reason::ClientLeft => {}
        }
        let Self { conversation, client, .. } = &mut self;
        let farewell = async {
            poll_fn(|cx| conversation.server.poll_write(cx, client)).await?;
            client.shutdown().await
        };
        // A client that does not take its last words goes without them.
        drop(timeout(GRACE, farewell).await);
        End { reason, busy }
    }
}

/// What came of a decision.
enum Done {
    Prepared,
    Decided(Result<Permit, Denial>),
    Held(ApprovalWait),
    /// What was held is taken back, and the client told so in these words.
    Withdrawn(Refusal),
}

fn prepared(refusal: Option<Denial>) -> Done {
    refusal.map_or(Done::Prepared, |denial| Done::Decided(Err(denial)))
}

fn admitted(admission: Admission) -> Done {
    match admission {
        Admission::Permitted(permit) => Done::Decided(Ok(permit)),
        Admission::Denied(denial) => Done::Decided(Err(denial)),
        Admission::Held(hold) => Done::Held(hold),
    }
}

/// What a client is told while people are asked.
fn held(hold: &ApprovalWait) -> Refusal {
    let request = hold.request();
    let rules: Vec<String> = request.rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
    let message = format!("held for approval {} by rule {} until {}", hold.id(), rules.join(", "), request.deadline);
    Refusal::new("00000", message).with_hint(format!("to let it run: hoop approvals approve {}", hold.id()))
}
