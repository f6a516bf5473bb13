//! What the client says: judged, then forwarded or refused.

use std::sync::Arc;

use bytes::Bytes;
use hoopcore::command::Change;
use hoopcore::{Command, Denial, Permit, SessionFacts};

use super::copies::copy_in_another_encoding;
use super::server_side::CALL;
use super::{
    Asked, Conversation, Kind, MOST_BOUND, MOST_OWED, MOST_PREPARED, MOST_UNANSWERED, Next, Prepared, Question,
    Written, by_client, not_a_name, not_text, parameters,
};
use crate::fifo::{Hearing, Lookup, Origin, Request, name};
use crate::frame::Head;
use crate::message::{Bind, Call, Execute, Malformed, Parse, Subject, close_or_describe, copy_fail, nothing, query};
use crate::poison::refused;
use crate::reading;
use crate::refusal::{Refusal, code};
use crate::upkeep;
use crate::works::{FRAME, Work, WorkId};

/// `invalid_sql_statement_name`: drivers prepare a statement again when they see it.
const NO_STATEMENT: &str = "26000";

/// `invalid_cursor_name`
const NO_PORTAL: &str = "34000";

/// The first OID of what is not made with a database.
const FIRST_MADE: u32 = 16384;

/// `float4` and `float8`: what is compared with them is rounded.
const FLOATS: [u32; 2] = [700, 701];

/// `configuration_limit_exceeded`
const TOO_MUCH: &str = "53400";

impl Conversation {
    /// Deals with the next message of the client.
    ///
    /// # Errors
    /// Where the client broke the protocol: the session ends.
    pub(crate) fn hear_client(&mut self) -> Result<Next, Refusal> {
        if self.asked.is_some() {
            return Ok(Next::Wait);
        }
        if let Some(next) = self.go_ahead() {
            return Ok(next);
        }
        let Some(head) = self.client.head().map_err(by_client)? else { return Ok(Next::Starved) };
        match self.fifo.hears(head.tag) {
            Hearing::Ignored => {
                self.client.skip(head);
                return Ok(Next::Onward);
            }
            Hearing::Forbidden => return Err(by_client("a copy must be ended before anything else is asked")),
            Hearing::Heard if head.tag == b'd' => {
                self.client.pass(head);
                return Ok(Next::Onward);
            }
            Hearing::Heard => {}
        }
        if self.client.body(head).map_err(by_client)?.is_none() {
            return Ok(Next::Starved);
        }
        if self.is_overdue() || self.is_braked(head) {
            return Ok(self.wait());
        }
        self.message(head).map_err(by_client)
    }

    /// Whether so much was asked that answers must come first.
    fn is_overdue(&mut self) -> bool {
        if self.fifo.is_empty() {
            self.unanswered = 0;
        }
        self.fifo.len() >= MOST_OWED || self.unanswered >= MOST_UNANSWERED
    }

    fn message(&mut self, head: Head) -> Result<Next, Malformed> {
        match head.tag {
            b'P' | b'B' | b'E' | b'F' if self.replication.is_on() => self.simple_only(head),
            b'Q' => self.query(head),
            b'P' => self.parse(head),
            b'B' => self.bind(head),
            b'D' => self.describe_or_close(head),
            b'E' => self.execute(head),
            b'C' => self.describe_or_close(head),
            b'F' => self.call(head),
            b'S' => self.sync(head),
            b'H' => self.flush(head),
            b'c' | b'f' => self.copy_ends(head),
            b'X' => self.farewell(head),
            _ => Err(Malformed),
        }
    }

    /// A replication connection speaks the simple protocol alone. The server says so itself of the message in its place.
    fn simple_only(&mut self, head: Head) -> Result<Next, Malformed> {
        let kind = match head.tag {
            b'P' => Kind::Parse,
            b'B' => Kind::Bind,
            b'E' => Kind::Execute,
            _ => Kind::Call,
        };
        let told = "extended query protocol not supported in a replication connection";
        self.refuse(head, kind, b"", Refusal::protocol(told));
        Ok(Next::Onward)
    }

    /// The body of a message that was seen to be whole.
    fn body(&self, head: Head) -> &[u8] {
        self.client.body(head).ok().flatten().unwrap_or_default()
    }

    /// Refuses a message for the name that it uses.
    fn refuse_name(&mut self, head: Head, kind: Kind) -> Next {
        self.refuse(head, kind, b"", not_a_name());
        Next::Onward
    }

    /// Forwards a message as it is.
    pub(super) fn forward(&mut self, head: Head) -> Next {
        self.unanswered = self.unanswered.saturating_add(head.length());
        self.client.pass(head);
        Next::Onward
    }

    fn query(&mut self, head: Head) -> Result<Next, Malformed> {
        let text = self.reading.text(query(self.body(head))?);
        let command = match self.command(text) {
            Written::Command(command) => command,
            Written::Later => return Ok(Next::Wait),
            Written::Nothing => {
                self.refuse(head, Kind::Query, b"", not_text());
                return Ok(Next::Onward);
            }
        };
        let (prepared, declared) = names_given(&command);
        if prepared > 0 && self.has_prepared_too_much(head.length() + prepared * FRAME) {
            self.refuse(head, Kind::Query, b"", too_much_prepared());
            return Ok(Next::Onward);
        }
        if declared > 0 && self.has_bound_too_much(head.length() + declared * FRAME) {
            self.refuse(head, Kind::Query, b"", too_much_bound());
            return Ok(Next::Onward);
        }
        Ok(self.ask(Asked::new(head, Kind::Query, command)))
    }

    fn parse(&mut self, head: Head) -> Result<Next, Malformed> {
        let parse = Parse::read(self.body(head))?;
        let (given, text) = (name(parse.name), self.reading.text(parse.query));
        let known = self.reading.name(parse.name).map(|known| name(&known));
        let made = parse.types().any(|oid| oid >= FIRST_MADE || FLOATS.contains(&oid));
        if self.has_prepared_too_much(head.length() + FRAME) {
            self.refuse(head, Kind::Parse, &given, too_much_prepared());
            return Ok(Next::Onward);
        }
        let command = match self.command(text) {
            Written::Command(command) => command,
            Written::Later => return Ok(Next::Wait),
            Written::Nothing => {
                self.refuse(head, Kind::Parse, &given, not_text());
                return Ok(Next::Onward);
            }
        };
        let Some(name) = known else { return Ok(self.refuse_name(head, Kind::Parse)) };
        let command = if made { command.with_made_types() } else { command };
        Ok(self.ask(Asked { name, ..Asked::new(head, Kind::Parse, command) }))
    }

    /// Whether a statement that takes so much is one too many. What was closed is counted out only when that matters.
    fn has_prepared_too_much(&mut self, taken: usize) -> bool {
        if self.prepared.saturating_add(taken) > MOST_PREPARED {
            self.prepared = self.fifo.statements().map(|prepared| prepared.taken()).sum();
        }
        self.prepared.saturating_add(taken) > MOST_PREPARED
    }

    /// Whether a portal that takes so much is one too many. What was closed is counted out only when that matters.
    fn has_bound_too_much(&mut self, taken: usize) -> bool {
        if self.bound.saturating_add(taken) > MOST_BOUND {
            self.bound = self.works.taken() + self.upkeep.taken();
        }
        self.bound.saturating_add(taken) > MOST_BOUND
    }

    fn bind(&mut self, head: Head) -> Result<Next, Malformed> {
        if self.has_bound_too_much(head.length() + FRAME) {
            Bind::read(self.body(head))?;
            self.refuse(head, Kind::Bind, b"", too_much_bound());
            return Ok(Next::Onward);
        }
        let bind = Bind::read(self.body(head))?;
        let names = self.reading.name(bind.statement).zip(self.reading.name(bind.portal));
        let Some((statement, portal)) = names else { return Ok(self.refuse_name(head, Kind::Bind)) };
        let name = name(&portal);
        let (command, bound, code) = match self.fifo.statement(&statement) {
            Lookup::Pending => return Ok(self.wait()),
            Lookup::Known(prepared) => {
                let bound = self.reading.bound(bind.values, Arc::clone(&prepared.types));
                (prepared.command.clone(), bound, code::PRIVILEGE)
            }
            // Nobody prepared it in the protocol or by a statement that was understood.
            Lookup::Nothing => {
                let bound = self.reading.bound(bind.values, Arc::default());
                (Command::sql(&format!("EXECUTE {}", quoted(&statement))), bound, NO_STATEMENT)
            }
        };
        let parameters = Some(bound.into());
        Ok(self.ask(Asked { name, parameters, code, ..Asked::new(head, Kind::Bind, command) }))
    }

    fn execute(&mut self, head: Head) -> Result<Next, Malformed> {
        let execute = Execute::read(self.body(head))?;
        let Some(portal) = self.reading.name(execute.portal) else { return Ok(self.refuse_name(head, Kind::Execute)) };
        // What runs before it may give the portal's name to another query.
        if !self.fifo.is_settled() {
            return Ok(self.wait());
        }
        let (command, bound, code) = match self.fifo.portal(&portal) {
            Lookup::Pending => return Ok(self.wait()),
            Lookup::Known(id) => match self.works.get(id) {
                Some(work) if !work.is_spent() && !self.is_another(work) => {
                    let portal = execute.portal.to_vec();
                    return Ok(self.execute_bound(head, &portal, id));
                }
                // It was carried out before, or runs by a name that may stand for something else now: that is another
                // execution, with a permit of its own.
                Some(work) => (work.command.clone(), work.parameters.clone(), code::PRIVILEGE),
                None => return Err(Malformed),
            },
            // A cursor that SQL declared, or nothing.
            Lookup::Nothing => (Command::sql(&format!("FETCH ALL FROM {}", quoted(&portal))), None, NO_PORTAL),
        };
        let parameters = bound.map(Into::into);
        Ok(self.ask(Asked { parameters, code, ..Asked::new(head, Kind::Execute, command) }))
    }

    /// Whether what a portal runs by name is perhaps not what was permitted: the server looks the name up when it first runs.
    fn is_another(&self, work: &Work) -> bool {
        work.command.stands_for_others()
            && !work.is_suspended()
            && (work.names != self.names || !self.fifo.is_settled_on_names())
    }

    /// Runs a portal whose permit is not used up.
    fn execute_bound(&mut self, head: Head, portal: &[u8], id: WorkId) -> Next {
        if !self.may_copy(id) {
            self.refuse(head, Kind::Execute, b"", copy_in_another_encoding());
            return Next::Onward;
        }
        if self.copies(id) {
            self.ask_columns(id);
        } else if self.works.get(id).is_some_and(Work::is_undescribed) && !self.fifo.will_describe(id) {
            self.describe(portal, id);
        }
        self.run(Request::Execute(id));
        self.forward(head)
    }

    fn call(&mut self, head: Head) -> Result<Next, Malformed> {
        let Call { function, values } = Call::read(self.body(head))?;
        let parameters = Some(self.reading.bound(values, Arc::default()).into());
        Ok(self.ask(Asked { parameters, ..Asked::new(head, Kind::Call, Command::fastpath(function)) }))
    }

    fn describe_or_close(&mut self, head: Head) -> Result<Next, Malformed> {
        let target = close_or_describe(self.body(head))?;
        let named = self.reading.name(target.name).map(|known| name(&known));
        let Some(named) = named else { return Ok(self.refuse_name(head, Kind::Execute)) };
        let request = match (head.tag, target.subject) {
            (b'C', subject) => Request::Close(subject, named),
            (_, Subject::Statement) => Request::DescribeStatement(named),
            (_, Subject::Portal) if !self.fifo.is_settled() => return Ok(self.wait()),
            (_, Subject::Portal) => match self.fifo.portal(&named) {
                Lookup::Pending => return Ok(self.wait()),
                Lookup::Known(work) => Request::DescribePortal(Some(work)),
                Lookup::Nothing => Request::DescribePortal(None),
            },
        };
        self.owe(request, Origin::Client, false);
        Ok(self.forward(head))
    }

    fn sync(&mut self, head: Head) -> Result<Next, Malformed> {
        nothing(self.body(head))?;
        self.owe(Request::Sync, Origin::Client, false);
        self.flushed = true;
        Ok(self.forward(head))
    }

    fn flush(&mut self, head: Head) -> Result<Next, Malformed> {
        nothing(self.body(head))?;
        self.flushed = true;
        Ok(self.forward(head))
    }

    fn copy_ends(&mut self, head: Head) -> Result<Next, Malformed> {
        match head.tag {
            b'c' => nothing(self.body(head))?,
            _ => drop(copy_fail(self.body(head))?),
        }
        self.fifo.end_copy();
        // A server that copies has read over whatever told it to send what it has.
        self.flushed = false;
        Ok(self.forward(head))
    }

    fn farewell(&mut self, head: Head) -> Result<Next, Malformed> {
        nothing(self.body(head))?;
        self.client.pass(head);
        Ok(Next::Farewell)
    }

    /// Asks for a decision, as soon as all is known that it depends on.
    fn ask(&mut self, asked: Asked) -> Next {
        let by_name = asked.command.stands_for_others();
        if !self.fifo.is_settled() || (by_name && !self.fifo.is_settled_on_names()) {
            return self.wait();
        }
        let stale = self.upkeep.is_stale() && !self.replication.is_on();
        if stale && self.fifo.is_at_rest() {
            return Next::Refresh;
        }
        if stale && self.fifo.will_rest() {
            return Next::Wait;
        }
        let question = match asked.kind {
            Kind::Parse => Question::Prepare,
            Kind::Query | Kind::Bind | Kind::Execute | Kind::Call => Question::Admit,
        };
        self.asked = Some(asked);
        Next::Ask(question)
    }

    /// Whether the server will hear a message that was decided about: an error that came meanwhile has it skipped. One
    /// that has become forbidden stays where it is, and is found so when it is dealt with again.
    fn is_still_heard(&mut self, head: Head) -> bool {
        match self.fifo.hears(head.tag) {
            Hearing::Heard => true,
            Hearing::Ignored => {
                self.client.skip(head);
                false
            }
            Hearing::Forbidden => false,
        }
    }

    /// The statement may be prepared; whether it may run is decided when it is bound.
    pub(crate) fn prepared(&mut self) {
        let Some(Asked { head, name, command, .. }) = self.asked.take() else { return };
        if !self.is_still_heard(head) {
            return;
        }
        let Ok(parse) = Parse::read(self.body(head)) else { return };
        let types = parse.types().collect();
        self.prepared = self.prepared.saturating_add(head.length() + FRAME);
        self.owe(Request::Parse { name, statement: Arc::new(Prepared { command, types }) }, Origin::Client, false);
        self.forward(head);
    }

    /// The command is permitted once.
    pub(crate) fn permitted(&mut self, permit: Permit, facts: &SessionFacts) {
        let Some(Asked { head, kind, name, command, parameters, .. }) = self.asked.take() else { return };
        let (changes, rereads) = (upkeep::changes(&command, facts), reading::changes(&command, facts));
        let mut work = Work::new(command, parameters.map(parameters::Asked::into_bound), permit);
        work.is_portal = matches!(kind, Kind::Bind | Kind::Execute);
        (work.names, work.changes, work.rereads) = (self.names, changes, rereads);
        let work = self.works.begin(work);
        self.meter_fetch(work);
        if !self.is_still_heard(head) {
            return self.works.release(work);
        }
        let planned = self.works.get_mut(work).map_or(Ok(()), Work::plan_copy);
        let planned = planned.map_err(|why| Refusal::new(code::PRIVILEGE, why));
        let planned = planned.and_then(|()| self.may_copy(work).then_some(()).ok_or_else(copy_in_another_encoding));
        if let Err(told) = planned {
            self.works.release(work);
            return self.refuse(head, kind, b"", told);
        }
        match kind {
            Kind::Query if self.copies(work) => self.look_ahead(head, work),
            Kind::Query => {
                self.run(Request::Query(work));
                self.forward(head);
            }
            // A statement is prepared without a permit: this one is of no use.
            Kind::Parse => self.works.release(work),
            Kind::Bind => self.permit_bind(head, name, work),
            Kind::Execute => self.permit_execute(head, work),
            Kind::Call => self.permit_call(head, work),
        }
        // A copy is asked about first, in the encoding that it was written in.
        if let Some(work) = self.works.get(work) {
            self.reading.forwarded(work.rereads);
        }
    }

    fn permit_bind(&mut self, head: Head, portal: Bytes, work: WorkId) {
        let text = self.works.get(work).map_or(0, |work| work.command.text().len());
        self.bound = self.bound.saturating_add(head.length() + text + FRAME);
        self.owe(Request::Bind { portal, work }, Origin::Client, false);
        self.forward(head);
    }

    fn permit_execute(&mut self, head: Head, work: WorkId) {
        let Ok(execute) = Execute::read(self.body(head)) else { return };
        let portal = execute.portal.to_vec();
        if self.copies(work) {
            self.ask_columns(work);
        } else if self.works.get(work).is_some_and(Work::has_masks) {
            self.describe(&portal, work);
        }
        self.run(Request::Execute(work));
        self.forward(head);
    }

    /// The result of a call is no row: no mask can act on it.
    fn permit_call(&mut self, head: Head, work: WorkId) {
        if self.works.get(work).is_some_and(|work| work.is_tainted() && !work.is_watched()) {
            self.works.release(work);
            let denial = Denial::internal(CALL);
            return self.refuse(head, Kind::Call, b"", refused(&denial));
        }
        self.run(Request::Call(work));
        self.forward(head);
    }

    /// The command is refused by the policy.
    pub(crate) fn denied(&mut self, denial: &Denial) {
        let Some(asked) = &self.asked else { return };
        let told = refused(denial);
        let told = if denial.limit.is_none() { Refusal { code: asked.code.into(), ..told } } else { told };
        self.turned_down(told);
    }

    /// The command is refused in these words.
    pub(crate) fn turned_down(&mut self, told: Refusal) {
        let Some(Asked { head, kind, .. }) = self.asked.take() else { return };
        if !self.is_still_heard(head) {
            return;
        }
        let named = match kind {
            Kind::Parse => Parse::read(self.body(head)).map(|parse| name(parse.name)).unwrap_or_default(),
            Kind::Query | Kind::Bind | Kind::Execute | Kind::Call => name(b""),
        };
        self.refuse(head, kind, &named, told);
    }

    /// Whether the client said good-bye behind the message that waits for a decision.
    pub(crate) fn leaves(&mut self) -> bool {
        self.asked.as_mut().is_some_and(|asked| self.client.has_behind(b'X', &mut asked.seen))
    }

    /// How many bytes the client sent behind the message that waits for a decision.
    pub(crate) fn behind(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, |asked| asked.head.length());
        self.client.buffered().saturating_sub(asked)
    }
}

impl Asked {
    /// A message that gives nothing a name and has no parameters.
    fn new(head: Head, kind: Kind, command: Command) -> Self {
        let seen = head.length();
        Self { head, kind, name: Bytes::new(), command, parameters: None, code: code::PRIVILEGE, seen }
    }
}

/// How many statements the command prepares, and how many cursors it declares.
fn names_given(command: &Command) -> (usize, usize) {
    let changes = || command.statements().iter().map(|statement| &statement.change);
    let prepared = changes().filter(|change| matches!(change, Change::Prepare { .. })).count();
    (prepared, changes().filter(|change| matches!(change, Change::Declare { .. })).count())
}

fn too_much_bound() -> Refusal {
    Refusal::new(TOO_MUCH, "the session holds too many portals")
        .with_hint("close cursors and portals that are no longer used, or end the transaction")
}

/// So much was sent behind a command that waits for people that no more of it is read: it could not be noticed any more that
/// the client leaves.
pub(crate) fn too_much_behind() -> Refusal {
    Refusal::new(TOO_MUCH, "too much was sent behind a statement that waits for approval")
        .with_hint("send what comes behind it once it is answered")
}

fn too_much_prepared() -> Refusal {
    Refusal::new(TOO_MUCH, "the session holds too many prepared statements")
        .with_hint("close those that are no longer used")
}

/// A name as SQL writes it.
fn quoted(name: &[u8]) -> String {
    format!("\"{}\"", String::from_utf8_lossy(name).replace('"', "\"\""))
}
