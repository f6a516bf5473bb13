//! Stops what goes beyond a limit, so that the server really ends it.
//!
//! What has limits runs alone: nothing of the client is forwarded behind it until its outcome is known. When it goes beyond,
//! nothing more of it reaches the client, and the server is asked to cancel. Where that comes too late and the server carries
//! it out, a message that must fail follows before anything else: the transaction is aborted, a sequence skipped up to its
//! Sync, as after any other error. Nothing is forwarded while the request to cancel is on its way, so that it hits nothing else.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hoopcore::command::Change;
use hoopcore::command::sql::Object;
use hoopcore::{Limit, Meter, SessionFacts};

use super::{Conversation, by_server};
use crate::fifo::{Answer, Event, Origin, Request};
use crate::frame::Head;
use crate::message::{CommandTag, RowDescription, Status, copy_begins, frame, nothing};
use crate::poison::{Poison, refused};
use crate::refusal::{Refusal, code};
use crate::works::{Work, WorkId};

/// How long a server may go on with what was stopped before the session ends.
const GRACE: Duration = Duration::from_secs(10);

/// Cursors that nobody declared, and that are counted each by itself.
const MOST_CURSORS: usize = 1024;

/// What is known of the work with limits that runs.
#[derive(Debug, Default)]
pub(super) struct Brake {
    /// It was forwarded, and its outcome is not known.
    on: Option<WorkId>,
    /// Since when it runs, and has not been counted.
    since: Option<Instant>,
    request: Cancelling,
    /// When the session ends if what was stopped still runs.
    until: Option<Instant>,
    /// What was stopped was carried out all the same: a message that must fail is to follow, alone or within a sequence.
    owed: Option<(Refusal, bool)>,
    /// What counts for each cursor and named portal.
    cursors: HashMap<String, Meter>,
}

/// Where a request to cancel stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cancelling {
    #[default]
    No,
    Wanted,
    Underway,
}

impl Brake {
    /// What fetches from this name counts together.
    pub(super) fn declared(&mut self, name: &str, meter: &Meter) {
        if meter.is_unlimited() {
            self.cursors.remove(name);
        } else {
            self.cursors.insert(name.to_owned(), meter.clone());
        }
    }

    /// What counts for a cursor. One of which nothing is known counts from its first FETCH on, if that has limits; of too
    /// many the last ones count together.
    fn meter(&mut self, name: String, own: &Meter) -> Option<Meter> {
        if let Some(known) = self.cursors.get(&name) {
            return Some(known.clone());
        }
        if own.is_unlimited() {
            return None;
        }
        let name = if self.cursors.len() < MOST_CURSORS { name } else { String::new() };
        Some(self.cursors.entry(name).or_insert_with(|| own.clone()).clone())
    }

    /// No transaction is open: cursors are gone, except for those that outlive it.
    pub(super) fn idle(&mut self, facts: &SessionFacts) {
        self.cursors.retain(|name, _| facts.cursors.contains_key(name));
    }

    /// The outcome is known.
    pub(super) fn release(&mut self) {
        (self.on, self.since, self.until) = (None, None, None);
    }

    /// What was stopped was carried out all the same.
    fn owes(&mut self, told: Option<Refusal>, alone: bool) {
        if let Some(told) = told {
            self.owed = Some((told, alone));
            self.forgo_cancel();
        }
    }

    /// Nothing runs any more that a request could cancel.
    fn forgo_cancel(&mut self) {
        if self.request == Cancelling::Wanted {
            self.request = Cancelling::No;
        }
    }

    fn close(&mut self, change: &Change) {
        match change {
            Change::Close(Some(name)) => drop(self.cursors.remove(name)),
            Change::Close(None) | Change::Discard => self.cursors.clear(),
            Change::Nothing
            | Change::Prepare { .. }
            | Change::Deallocate(_)
            | Change::Declare { .. }
            | Change::Path(_)
            | Change::Definitions
            | Change::Unknown => {}
        }
    }
}

impl Conversation {
    /// Whether a message of the client waits for the outcome of what runs. What a copy needs to end goes on, and so does
    /// a good-bye.
    pub(super) fn is_braked(&self, head: Head) -> bool {
        self.holds_back() && !matches!(head.tag, b'X' | b'H') && !self.fifo.takes_data()
    }

    /// Whether nothing more is forwarded for now, because of something with limits.
    pub(crate) fn holds_back(&self) -> bool {
        self.brake.on.is_some() || self.brake.request != Cancelling::No || self.brake.owed.is_some()
    }

    /// Notes that something with limits is forwarded.
    pub(super) fn brake_for<S, P>(&mut self, request: &Request<S, WorkId, P>) {
        if let Request::Execute(id) | Request::Query(id) | Request::Call(id) = request
            && self.works.get(*id).is_some_and(Work::is_limited)
        {
            self.brake.on = Some(*id);
        }
    }

    /// A portal was run to its end, or to where it stops: its outcome is known. A query goes on to its ReadyForQuery.
    pub(super) fn unbrake(&mut self, id: WorkId) {
        if self.brake.on == Some(id) && self.works.get(id).is_none_or(|work| work.is_portal) {
            self.brake.release();
        }
    }

    /// The statement at hand of a work may fetch from a cursor: what it returns counts for that cursor too.
    pub(super) fn meter_fetch(&mut self, id: WorkId) {
        let Some(work) = self.works.get_mut(id) else { return };
        let statement = work.command.statements().get(work.statement);
        let cursor =
            statement.into_iter().flat_map(|statement| &statement.effects).find_map(|effect| match &effect.object {
                Object::Cursor(name) => Some(name.clone()),
                Object::Relation(_)
                | Object::Function(_)
                | Object::Setting(_)
                | Object::Schema(_)
                | Object::Named(_)
                | Object::Prepared(_)
                | Object::Any => None,
            });
        work.fetch(cursor.and_then(|name| self.brake.meter(name, work.meter())));
    }

    /// A statement of a work was carried out: cursors may have come or gone, and the next statement begins.
    pub(super) fn meter_cursors(&mut self, id: WorkId, change: &Change) {
        if let (Change::Declare { name, .. }, Some(work)) = (change, self.works.get(id)) {
            self.brake.declared(name, work.meter());
        }
        self.brake.close(change);
        self.meter_fetch(id);
    }

    /// Ends a work at its limit: the server is to be told.
    pub(super) fn stop(&mut self, id: WorkId, limit: Limit) {
        if let Some(work) = self.works.get_mut(id) {
            work.stop(limit);
            self.brake.request = Cancelling::Wanted;
        }
    }

    /// Whether what the server runs was stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.brake.on.is_some() && self.fifo.answering().is_some_and(|id| self.is_stopped_work(id))
    }

    /// Whether this work was stopped.
    pub(super) fn is_stopped_work(&self, id: WorkId) -> bool {
        self.works.get(id).is_some_and(|work| work.stopped().is_some())
    }

    /// Counts copied data, and the result of a call. The end of a copy in binary format is no row. `None` where more of
    /// the message is needed to tell.
    pub(super) fn count_data(&mut self, head: Head, id: WorkId) -> Result<Option<Result<(), Limit>>, Refusal> {
        let is_short = head.length() == crate::frame::HEADER + 2;
        let body = if is_short { self.server.body(head).map_err(by_server)? } else { Some(&[][..]) };
        let Some(body) = body else { return Ok(None) };
        let is_row = head.tag == b'd' && body != [0xff, 0xff];
        let Some(work) = self.works.get_mut(id) else { return Ok(Some(Ok(()))) };
        Ok(Some(if is_row { work.copied_row(head.length()) } else { work.bytes(head.length()) }))
    }

    /// Drops data of what was stopped.
    pub(super) fn drop_data(&mut self, head: Head) -> Result<bool, Refusal> {
        self.turn(match head.tag {
            b'D' => Answer::DataRow,
            b'd' => Answer::CopyData,
            _ => Answer::FunctionResult,
        })?;
        self.server.skip(head);
        Ok(true)
    }

    /// Drops what else the server says of what was stopped, and notes when it was carried out all the same.
    pub(super) fn drop_answer(&mut self, head: Head, facts: &mut SessionFacts) -> Result<(), Refusal> {
        let answer = self.answer_of(head)?;
        let running = self.fifo.answering();
        let told = running.and_then(|id| self.works.get(id)?.stopped().map(|limit| refused(&limit.denial())));
        self.server.skip(head);
        match self.turn(answer)?.event {
            Event::Complete(id) => {
                let is_portal = self.works.get(id).is_some_and(|work| work.is_portal);
                self.works.carried_out(id, 0);
                self.apply(id, facts);
                self.brake.owes(told.filter(|_| is_portal), false);
                self.unbrake(id);
            }
            Event::Suspended(id) => {
                self.brake.owes(told, false);
                self.unbrake(id);
            }
            Event::Ready(_) => {
                self.brake.owes(told, true);
                self.brake.release();
            }
            Event::CopyIn(_) => self.fail_copy(),
            _ => {}
        }
        Ok(())
    }

    /// What a message says that a stopped work may still cause, with its body read as ever.
    fn answer_of(&self, head: Head) -> Result<Answer, Refusal> {
        let body = self.server.body(head).ok().flatten().unwrap_or_default();
        let answer = match head.tag {
            b'T' => RowDescription::read(body).map(|_| Answer::RowDescription),
            b'C' => CommandTag::read(body).map(|_| Answer::CommandComplete),
            b'I' => nothing(body).map(|()| Answer::EmptyQuery),
            b's' => nothing(body).map(|()| Answer::PortalSuspended),
            b'c' => nothing(body).map(|()| Answer::CopyDone),
            b'G' => copy_begins(body).map(|_| Answer::CopyIn),
            b'H' => copy_begins(body).map(|_| Answer::CopyOut),
            _ => Status::read(body).map(Answer::Ready),
        };
        answer.map_err(by_server)
    }

    /// The server waits for data of the client: it is told that none come.
    fn fail_copy(&mut self) {
        self.client.say(|out| frame(out, b'f', |body| body.text(b"the gateway ends the command")));
        self.fifo.end_copy();
    }

    /// Has the server cancel what it takes too long for. It fails, or is done just before: then nothing was cancelled.
    pub(crate) fn cancel_statement(&mut self) {
        if self.brake.request != Cancelling::No {
            return;
        }
        self.too_long = Some(self.fifo.answered());
        self.brake.request = Cancelling::Wanted;
        if self.fifo.is_copying_in() {
            self.fail_copy();
        }
    }

    /// Whether what the server is about to answer took too long.
    pub(super) fn took_too_long(&self) -> bool {
        self.too_long == Some(self.fifo.answered())
    }

    /// Tells of the limit in place of the error that ended what was stopped.
    pub(super) fn tell_limit(&mut self, head: Head, id: WorkId, code: Option<String>) -> Result<(), Refusal> {
        let told = self.works.get(id).and_then(Work::stopped).map(|limit| refused(&limit.denial()));
        self.works.fail(id, code.as_deref());
        self.brake.release();
        self.brake.forgo_cancel();
        self.server.skip(head);
        if let Some(told) = told {
            self.tell_error(&told);
        }
        Ok(())
    }

    /// Puts the message that must fail behind what was carried out, once no request to cancel is under way.
    pub(super) fn settle(&mut self) {
        if self.brake.request != Cancelling::No {
            return;
        }
        let Some((told, alone)) = self.brake.owed.take() else { return };
        let poison = Poison::stop(told);
        self.client.say(|out| {
            if alone {
                poison.query(out);
            } else {
                poison.bind(out);
                frame(out, b'H', |_| {});
            }
        });
        self.owe(Request::Poison { reason: Box::new(poison), alone }, Origin::Added, false);
        self.flushed = true;
    }

    /// Whether the server is to be asked to cancel what it runs; says so once.
    pub(crate) fn wants_cancel(&mut self) -> bool {
        let wanted = self.brake.request == Cancelling::Wanted;
        if wanted {
            self.brake.request = Cancelling::Underway;
        }
        wanted
    }

    /// The request to cancel has arrived, or will not.
    pub(crate) fn cancel_sent(&mut self) {
        self.brake.request = Cancelling::No;
        self.settle();
    }

    /// Counts the time for which something with a limit runs, and stops it when that is over; when to look again.
    ///
    /// # Errors
    /// Where the server goes on with what was stopped: the session ends.
    pub(crate) fn keep_time(&mut self, now: impl Fn() -> Instant) -> Result<Option<Instant>, Refusal> {
        if let Some(work) = self.fifo.running().and_then(|id| self.works.get_mut(id)) {
            work.watch_time(&now);
        }
        let Some(id) = self.brake.on.filter(|id| self.fifo.running() == Some(*id)) else { return Ok(None) };
        if self.is_stopped_work(id) {
            return self.await_stop(now()).map(Some);
        }
        let Some(work) = self.works.get_mut(id) else { return Ok(None) };
        if work.time_left().is_none() {
            return Ok(None);
        }
        let now = now();
        let since = self.brake.since.replace(now).unwrap_or(now);
        match work.ran(now.saturating_duration_since(since)) {
            Ok(()) => Ok(work.time_left().map(|left| now + left)),
            Err(limit) => {
                self.stop(id, limit);
                if self.fifo.is_copying_in() {
                    self.fail_copy();
                }
                self.await_stop(now).map(Some)
            }
        }
    }

    fn await_stop(&mut self, now: Instant) -> Result<Instant, Refusal> {
        let until = *self.brake.until.get_or_insert(now + GRACE);
        if now < until {
            return Ok(until);
        }
        Err(Refusal::new(code::SHUTDOWN, "the server did not end what went beyond a limit of the policy"))
    }
}
