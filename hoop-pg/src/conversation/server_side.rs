//! What the server says: matched with what it was asked, masked, and passed on.

use std::sync::Arc;

use bytes::BytesMut;
use hoop_runtime::config::Timeout;
use hoopcore::SessionFacts;
use hoopcore::command::sql::Verb;
use hoopcore::command::{Change, Effect};

use super::{Conversation, Next, Prepared, Reason, by_server};
use crate::fifo::{Answer, Event, Origin, Turn};
use crate::frame::Head;
use crate::masking;
use crate::message::{
    CommandTag, Notification, Report, RowDescription, Status, Subject, copy_begins, nothing, parameter_status,
    parameter_types,
};
use crate::patience;
use crate::poison::Poison;
use crate::reading;
use crate::refusal::{Refusal, code};
use crate::scrub::{self, Words};
use crate::upkeep::{self, Lost};
use crate::works::{FRAME, Rows, TOO_LONG, Work, WorkId};

/// What a message that is written anew may leave behind for the next one, in bytes.
const MOST_SCRATCH: usize = 8 * 1024;

/// Why no mask can act on what a call gives.
pub(super) const CALL: &str = "the result of a function call cannot be masked";

impl Conversation {
    /// Deals with the next message of the server.
    ///
    /// # Errors
    /// Where the server broke the protocol, or says what must not go on: the session ends.
    pub(crate) fn hear_server(&mut self, facts: &mut SessionFacts) -> Result<Next, Refusal> {
        let Some(head) = self.server.head().map_err(by_server)? else { return Ok(Next::Starved) };
        let heard = match head.tag {
            b'D' | b'd' | b'V' if self.is_stopped() => self.drop_data(head)?,
            b'D' => self.rows(head)?,
            b'd' | b'V' => self.data(head)?,
            _ if self.server.body(head).map_err(by_server)?.is_none() => false,
            _ => {
                self.answer(head, facts)?;
                true
            }
        };
        self.settle();
        self.release();
        Ok(if heard { Next::Onward } else { Next::Starved })
    }

    pub(super) fn turn(&mut self, answer: Answer) -> Result<Turn<Arc<Prepared>, WorkId, Reason>, Refusal> {
        self.fifo.answer(answer).map_err(by_server)
    }

    /// Rows that follow one another: each masked where a mask may act, else passed on in the pieces in which it comes.
    /// Whether the last of them has arrived.
    fn rows(&mut self, first: Head) -> Result<bool, Refusal> {
        let Event::Row(id) = self.turn(Answer::DataRow)?.event else { return Err(by_server("a row out of turn")) };
        let mut head = first;
        while self.row(head, id)? {
            let more = !self.server.is_full() && !self.is_stopped_work(id);
            match self.server.head().map_err(by_server)? {
                Some(next) if more && next.tag == b'D' => head = next,
                Some(_) | None => return Ok(true),
            }
        }
        Ok(false)
    }

    fn row(&mut self, head: Head, id: WorkId) -> Result<bool, Refusal> {
        let Some(work) = self.works.get_mut(id) else { return Err(by_server("a row of nothing")) };
        if work.is_watched() {
            return Ok(self.watch_row(head, id));
        }
        let anew = match &mut work.rows {
            Rows::Free => None,
            Rows::Undescribed => return Err(by_server("a row that was never described")),
            Rows::Masked(masker, columns) => {
                let frame = self.server.rewriting(head).map_err(by_server)?;
                let Some(mut frame) = frame else { return Ok(false) };
                let begin = frame.out.len();
                let masked = masking::mask(&mut frame, masker, *columns, self.reading.said());
                masked.inspect_err(|_| frame.out.truncate(begin)).map_err(by_server)?
            }
        };
        let passes = work.row(anew.unwrap_or(head.length()));
        match (anew, passes) {
            (None, Ok(())) => self.server.pass(head),
            (None, Err(limit)) => {
                self.stop(id, limit);
                self.server.skip(head);
            }
            (Some(_), Ok(())) => self.server.rewritten(head),
            (Some(length), Err(limit)) => {
                self.stop(id, limit);
                self.server.rewritten(head);
                self.server.unsay(length);
            }
        }
        Ok(true)
    }

    /// A row where the policy is only watched: what masks would make of it is counted, and it passes as it is. Whether as
    /// much of it has arrived as that takes.
    fn watch_row(&mut self, head: Head, id: WorkId) -> bool {
        let Some(work) = self.works.get_mut(id) else { return true };
        let watched = match (&mut work.rows, self.server.body(head)) {
            (Rows::Free, _) => Ok(()),
            (Rows::Undescribed, _) => Err("a row was never described"),
            (Rows::Masked(..), Ok(None)) => return false,
            (Rows::Masked(masker, columns), Ok(Some(body))) => {
                masking::watch(body, masker, *columns, self.reading.said())
            }
            (Rows::Masked(..), Err(_)) => Err(TOO_LONG),
        };
        if let Err(why) = watched {
            work.unmaskable(why);
        }
        // What goes beyond a limit is noted, and stops nothing.
        drop(work.row(head.length()));
        self.server.pass(head);
        true
    }

    /// Copied data, masked where masks may act; or the result of a call, in which nothing protected may be.
    fn data(&mut self, head: Head) -> Result<bool, Refusal> {
        let answer = if head.tag == b'd' { Answer::CopyData } else { Answer::FunctionResult };
        let (Event::CopyOut(work) | Event::Result(work)) = self.turn(answer)?.event else {
            return Err(by_server("data out of turn"));
        };
        let watched = self.works.get(work).is_some_and(Work::is_watched);
        if answer == Answer::FunctionResult {
            self.refuse_tainted(work)?;
        } else if watched {
            if !self.watch_copy(head, work) {
                return Ok(false);
            }
        } else if let Some(heard) = self.masked_copy(head, work)? {
            return Ok(heard);
        }
        let Some(passes) = self.count_data(head, work)? else { return Ok(false) };
        if let Err(limit) = passes {
            self.stop(work, limit);
            self.server.skip(head);
            return Ok(true);
        }
        if let Some(work) = self.works.get_mut(work).filter(|_| answer == Answer::FunctionResult) {
            work.carried_out(0);
        }
        self.server.pass(head);
        Ok(true)
    }

    fn refuse_tainted(&mut self, work: WorkId) -> Result<(), Refusal> {
        match self.works.get_mut(work) {
            Some(work) if !work.is_tainted() => {}
            Some(work) if work.is_watched() => work.unmaskable(CALL),
            Some(_) | None => return Err(Refusal::new(code::PRIVILEGE, CALL)),
        }
        Ok(())
    }

    /// The body of a message that was seen to be whole.
    fn said(&self, head: Head) -> &[u8] {
        self.server.body(head).ok().flatten().unwrap_or_default()
    }

    fn answer(&mut self, head: Head, facts: &mut SessionFacts) -> Result<(), Refusal> {
        match head.tag {
            b'T' | b'C' | b'I' | b's' | b'c' | b'G' | b'H' | b'Z' if self.is_stopped() => self.drop_answer(head, facts),
            b'E' => {
                // The error itself is told before anything is taken back.
                let told = self.error(head, facts);
                self.reading.ended();
                told
            }
            b'N' => self.notice_of_server(head),
            b'A' => self.notification(head),
            b'S' => self.setting(head),
            b'T' => self.columns(head),
            b't' => self.parameters(head),
            b'C' => self.complete(head, facts),
            b'Z' => self.ready(head, facts),
            b'1' | b'2' | b'3' | b'n' | b'I' | b's' | b'c' => self.acknowledged(head, facts),
            b'G' | b'H' => self.copy(head),
            b'W' if self.replication.is_on() => self.copy(head),
            _ => Err(by_server("a message that has no place in a session")),
        }
    }

    /// Messages without a body.
    fn acknowledged(&mut self, head: Head, facts: &mut SessionFacts) -> Result<(), Refusal> {
        nothing(self.said(head)).map_err(by_server)?;
        let turn = self.turn(match head.tag {
            b'1' => Answer::ParseComplete,
            b'2' => Answer::BindComplete,
            b'3' => Answer::CloseComplete,
            b'n' => Answer::NoData,
            b'I' => Answer::EmptyQuery,
            b's' => Answer::PortalSuspended,
            _ => Answer::CopyDone,
        })?;
        match turn.event {
            Event::Parsed(name) => self.parsed(&name, facts),
            Event::Bound(portal, work) => self.bound(&portal, work, facts),
            Event::Closed(subject, name) => self.closed_name(subject, &name, facts),
            Event::CopyOut(work) => self.end_copy(work)?,
            Event::Complete(work) => {
                self.works.carried_out(work, 0);
                self.unbrake(work);
            }
            Event::Suspended(work) => {
                self.unbrake(work);
                if let Some(work) = self.works.get_mut(work) {
                    work.carried_out(0);
                }
            }
            _ => {}
        }
        self.pass_to(turn.origin, head);
        Ok(())
    }

    /// Passes an answer on where the client asked for it.
    fn pass_to(&mut self, origin: Origin, head: Head) {
        match origin {
            Origin::Client => self.server.pass(head),
            Origin::Added => self.server.skip(head),
        }
    }

    /// `EXECUTE` in SQL runs what the protocol prepared under a name.
    fn parsed(&mut self, name: &[u8], facts: &mut SessionFacts) {
        if let (false, Some(prepared), Ok(name)) =
            (name.is_empty(), self.fifo.statement_mut(name), core::str::from_utf8(name))
        {
            facts.prepared.insert(name.to_owned(), prepared.command.clone());
            self.names += 1;
        }
    }

    /// `FETCH` in SQL runs on what the protocol bound under a name.
    fn bound(&mut self, portal: &[u8], work: WorkId, facts: &mut SessionFacts) {
        if let (false, Some(work), Ok(name)) =
            (portal.is_empty(), self.works.get_mut(work), core::str::from_utf8(portal))
        {
            facts.cursors.insert(name.to_owned(), work.command.clone());
            self.brake.declared(name, work.meter());
            // Its own name is none that it runs by.
            work.names += u64::from(work.names == self.names);
            self.names += 1;
        }
    }

    fn closed_name(&mut self, subject: Subject, name: &[u8], facts: &mut SessionFacts) {
        let Ok(name) = core::str::from_utf8(name) else { return };
        self.names += u64::from(!name.is_empty());
        match subject {
            Subject::Statement => drop(facts.prepared.remove(name)),
            Subject::Portal => drop(facts.cursors.remove(name)),
        }
    }

    fn columns(&mut self, head: Head) -> Result<(), Refusal> {
        RowDescription::read(self.said(head)).map_err(by_server)?;
        let turn = self.turn(Answer::RowDescription)?;
        if let Event::Columns(Some(work)) = turn.event {
            self.describe_rows(head, work)?;
        }
        self.pass_to(turn.origin, head);
        Ok(())
    }

    fn describe_rows(&mut self, head: Head, work: WorkId) -> Result<(), Refusal> {
        let Some(work) = self.works.get_mut(work) else { return Ok(()) };
        if !work.has_masks() {
            return Ok(());
        }
        let body = self.server.body(head).ok().flatten().unwrap_or_default();
        let layout = self.layout.read(body, &self.catalog).map_err(by_server)?;
        if (self.guard.columns || work.is_watched()) && masking::names_unknown(layout) {
            self.upkeep.doubt();
        }
        let copied = work.planned_copy().map(|copy| masking::copied(body, layout, &self.catalog, copy));
        match copied {
            Some(copied) => work.describe_copy(copied.map_err(by_server)?),
            None => work.describe(layout),
        }
        Ok(())
    }

    fn parameters(&mut self, head: Head) -> Result<(), Refusal> {
        let types = parameter_types(self.said(head)).map_err(by_server)?;
        let turn = self.turn(Answer::ParameterDescription)?;
        if let Event::Parameters(name) = &turn.event
            && let Some(prepared) = self.fifo.statement_mut(name)
        {
            *prepared = Arc::new(Prepared { command: prepared.command.clone(), types: types.into() });
        }
        self.pass_to(turn.origin, head);
        Ok(())
    }

    fn copy(&mut self, head: Head) -> Result<(), Refusal> {
        let begins = copy_begins(self.said(head)).map_err(by_server)?;
        let turn = self.turn(match head.tag {
            b'G' => Answer::CopyIn,
            b'W' => Answer::CopyBoth,
            _ => Answer::CopyOut,
        })?;
        if let Event::CopyOut(work) | Event::CopyBoth(work) = turn.event {
            self.begin_copy(work, begins)?;
        }
        self.server.pass(head);
        Ok(())
    }

    fn complete(&mut self, head: Head, facts: &mut SessionFacts) -> Result<(), Refusal> {
        let tag = CommandTag::read(self.said(head)).map_err(by_server)?;
        let (rows, rolled_back, ended) = (tag.rows(), tag.is_rollback(), tag.is_end());
        let turn = self.turn(Answer::CommandComplete)?;
        if let Event::Complete(work) = turn.event {
            self.works.carried_out(work, rows);
            self.apply(work, facts);
            self.unbrake(work);
        }
        if rolled_back {
            self.upkeep.rolled_back(facts);
        }
        if ended {
            self.reading.ended();
        }
        self.server.pass(head);
        Ok(())
    }

    /// Brings what is known of the session in step with a statement that was carried out.
    pub(super) fn apply(&mut self, id: WorkId, facts: &mut SessionFacts) {
        let Some(work) = self.works.get_mut(id) else { return };
        let Some(statement) = work.command.statements().get(work.statement) else {
            // A command of replication may have several parts, none of which changes the session.
            if self.replication.is_on() && work.command.effects().iter().any(is_replication) {
                return;
            }
            // More statements were carried out than were understood.
            facts.defines = true;
            return self.upkeep.carried_out(&Change::Unknown, facts);
        };
        work.statement += 1;
        let change = upkeep::change(statement, facts);
        facts.defines |= upkeep::defines(statement, facts);
        if matches!(change, Change::Unknown) {
            let lost = upkeep::lost(&work.command, statement, facts);
            self.lose(lost, facts);
        }
        self.meter_cursors(id, &change);
        self.rename(&change);
        self.upkeep.carried_out(&change, facts);
    }

    /// What names stand for is not known any more.
    fn lose(&mut self, lost: Lost, facts: &mut SessionFacts) {
        match lost {
            Lost::Nothing => return,
            Lost::Cursors => {}
            Lost::All => {
                facts.prepared.clear();
                self.fifo.forget_statement(None);
            }
        }
        self.fifo.forget_portals();
        self.upkeep.forget_cursors(facts);
    }

    /// Names of prepared statements and of portals are one for SQL and the protocol.
    fn rename(&mut self, change: &Change) {
        self.names += u64::from(names_something(change));
        match change {
            Change::Prepare { name, command } => {
                let prepared = Prepared { command: command.clone(), types: Arc::default() };
                self.prepared = self.prepared.saturating_add(prepared.taken());
                self.fifo.hold_statement(name.as_bytes(), Arc::new(prepared));
            }
            Change::Deallocate(Some(name)) => self.fifo.forget_statement(Some(name.as_bytes())),
            Change::Deallocate(None) | Change::Discard => self.fifo.forget_statement(None),
            Change::Declare { name, command, .. } => {
                self.bound = self.bound.saturating_add(command.text().len() + FRAME);
                self.fifo.forget_portal(name.as_bytes());
            }
            Change::Close(Some(name)) => self.fifo.forget_portal(name.as_bytes()),
            // A portal that is gone can only come back by one of the others.
            Change::Close(None) | Change::Nothing | Change::Path(_) | Change::Definitions | Change::Unknown => {}
        }
    }

    fn error(&mut self, head: Head, facts: &mut SessionFacts) -> Result<(), Refusal> {
        let report = Report::read(self.said(head)).map_err(by_server)?;
        let (fatal, told) = (report.is_fatal(), report.code().map(str::to_owned));
        let (idle, late) = (self.fifo.is_empty(), self.took_too_long());
        let Turn { origin, event } = self.turn(Answer::Error)?;
        if origin == Origin::Added && matches!(event, Event::NotPrepared(_)) {
            self.failed_ahead();
        }
        if idle && !fatal {
            return Err(by_server("an error that nothing caused"));
        }
        self.ended |= fatal;
        self.upkeep.rolled_back(facts);
        let written = match event {
            Event::Refused(poison) => return self.tell_refusal(head, &poison),
            Event::Failed(Some(work)) if !fatal && self.is_stopped_work(work) => {
                return self.tell_limit(head, work, told);
            }
            Event::Failed(Some(work)) => {
                self.unbrake(work);
                let text = self.works.get(work).map(|work| work.command.clone());
                self.works.fail(work, told.as_deref());
                text
            }
            Event::NotPrepared(prepared) => Some(prepared.command.clone()),
            _ => None,
        };
        if late && !fatal && told.as_deref() == Some(code::CANCELED) {
            self.server.skip(head);
            self.tell_error(&patience::told(Timeout::Statement));
            return Ok(());
        }
        self.tell(head, written.as_ref().map_or("", |command| command.text()))
    }

    /// Tells of a refusal in place of the error that it raised.
    fn tell_refusal(&mut self, head: Head, poison: &Poison) -> Result<(), Refusal> {
        let report = Report::read(self.said(head)).map_err(by_server)?;
        // A walsender may not get as far as its parser; whatever it says of the message, it did nothing.
        let refused = self.replication.is_on() && !report.is_fatal();
        if !poison.raised(&report) && !refused {
            return self.tell(head, "");
        }
        self.server.skip(head);
        self.tell_error(poison.told());
        Ok(())
    }

    /// Passes an error or notice on, without values where there may be protected ones.
    fn tell(&mut self, head: Head, written: &str) -> Result<(), Refusal> {
        if self.guard.is_off() {
            self.server.pass(head);
            return Ok(());
        }
        let body = self.server.body(head).ok().flatten().unwrap_or_default();
        let report = Report::read(body).map_err(by_server)?;
        let words = Words { report: &report, written, charset: self.reading.said() };
        self.guard.report(head.tag, words, &mut self.scratch);
        self.replace(head);
        Ok(())
    }

    /// Says what was written aside in place of a message.
    fn replace(&mut self, head: Head) {
        self.server.skip(head);
        self.server.say(|out| out.extend_from_slice(&self.scratch));
        self.scratch.clear();
        if self.scratch.capacity() > MOST_SCRATCH {
            self.scratch = BytesMut::new();
        }
    }

    fn notice_of_server(&mut self, head: Head) -> Result<(), Refusal> {
        if self.guard.drops(&Report::read(self.said(head)).map_err(by_server)?) {
            self.server.skip(head);
            return Ok(());
        }
        self.tell(head, "")
    }

    fn notification(&mut self, head: Head) -> Result<(), Refusal> {
        let body = self.server.body(head).ok().flatten().unwrap_or_default();
        let notification = Notification::read(body).map_err(by_server)?;
        if self.guard.is_off() {
            self.server.pass(head);
        } else {
            self.guard.notification(&notification, self.reading.said(), &mut self.scratch);
            self.replace(head);
        }
        Ok(())
    }

    /// A setting that the server reports.
    fn setting(&mut self, head: Head) -> Result<(), Refusal> {
        let body = self.server.body(head).ok().flatten().unwrap_or_default();
        let (name, value) = parameter_status(body).map_err(by_server)?;
        let shown = !scrub::can_carry_text(name) || self.guard.shows(value, self.reading.said());
        if name == reading::STRINGS.as_bytes() {
            self.reading.strings_reported(value == b"on");
        } else if name == reading::ENCODING.as_bytes() {
            self.reading.encoding_reported(value);
            self.layout.forget();
        }
        if shown {
            self.server.pass(head);
        } else {
            self.server.skip(head);
        }
        Ok(())
    }

    fn ready(&mut self, head: Head, facts: &mut SessionFacts) -> Result<(), Refusal> {
        let status = Status::read(self.said(head)).map_err(by_server)?;
        self.turn(Answer::Ready(status))?;
        self.brake.release();
        if status == Status::Idle {
            self.upkeep.idle(facts);
            self.brake.idle(facts);
        }
        if self.fifo.is_empty() {
            self.reading.settled(status);
        }
        self.server.pass(head);
        Ok(())
    }
}

fn is_replication(effect: &Effect<'_>) -> bool {
    matches!(effect, Effect::Sql(effect) if effect.verb == Verb::Replicate)
}

/// Whether a change gives a name of a prepared statement or cursor, or takes one.
fn names_something(change: &Change) -> bool {
    match change {
        Change::Prepare { .. }
        | Change::Deallocate(_)
        | Change::Declare { .. }
        | Change::Close(_)
        | Change::Discard
        | Change::Unknown => true,
        Change::Nothing | Change::Path(_) | Change::Definitions => false,
    }
}
