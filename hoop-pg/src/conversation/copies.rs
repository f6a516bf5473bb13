//! Rows that are copied to the client: described ahead by the server, then masked in their own format.
//!
//! A COPY describes no columns. Before it the server is asked for those of a query like it, in the same transaction: the
//! locks of that query keep them what they are. In a sequence this goes right before the Execute; a simple query waits
//! for the answer, for an error would have the server read over it.

use std::borrow::Cow;
use std::sync::Arc;

use hoopcore::RowMasker;
use hoopcore::copy::{Broken, Rewriter};

use super::{Conversation, Next, Prepared, by_server};
use crate::charset::Charset;
use crate::fifo::{Hearing, Origin, Request, name};
use crate::frame::Head;
use crate::message::{CopyBegins, Subject, frame};
use crate::refusal::{Refusal, code};
use crate::works::{Copying, TOO_LONG, Work, WorkId};

/// What is said of a copy whose rows are not known.
const UNMASKABLE: &str = "what is copied here cannot be masked";

/// The name of the statement that is described.
const STATEMENT: &[u8] = b"hoop copies";

/// A query that waits until the server has described what it copies.
#[derive(Debug)]
pub(super) struct Ahead {
    head: Head,
    work: WorkId,
    /// The server refused the query that is like it.
    failed: bool,
}

impl Conversation {
    /// Whether a work copies to the client through masks, as far as it is known.
    pub(super) fn copies(&self, work: WorkId) -> bool {
        self.works.get(work).is_some_and(|work| work.planned_copy().is_some())
    }

    /// Whether the rows of a copy can be masked by how texts stand on the wire. In binary form they are told from other
    /// values by nothing.
    fn can_mask_copy(&self, work: WorkId) -> bool {
        let Some(copy) = self.works.get(work).and_then(Work::planned_copy) else { return true };
        let charset = self.reading.sent();
        charset.is_utf8() || (charset.is_read() && !copy.format.is_binary() && charset.encode(&copy.query).is_some())
    }

    /// Whether a work may copy to the client, as far as its rows must be masked. Where the policy is only watched, it may.
    pub(super) fn may_copy(&mut self, id: WorkId) -> bool {
        if self.can_mask_copy(id) {
            return true;
        }
        let watched = self.works.get_mut(id).filter(|work| work.is_watched());
        watched.map(|work| work.give_up_copy("a copy in this client_encoding could not be masked")).is_some()
    }

    /// Asks the server for the columns of what a work copies.
    pub(super) fn ask_columns(&mut self, id: WorkId) {
        let Some(work) = self.works.get(id) else { return };
        let Some(copy) = work.planned_copy() else { return };
        // Where nothing is asked, all that is copied is hidden.
        let Some(query) = self.reading.sent().encode(&copy.query).map(Cow::into_owned) else { return };
        let statement = Arc::new(Prepared { command: work.command.clone(), types: Arc::default() });
        self.client.say(|out| {
            frame(out, b'P', |body| {
                body.text(STATEMENT);
                body.text(&query);
                body.i16(0);
            });
            for tag in [b'D', b'C'] {
                frame(out, tag, |body| {
                    body.bytes(b"S");
                    body.text(STATEMENT);
                });
            }
        });
        let named = name(STATEMENT);
        self.owe(Request::Parse { name: named.clone(), statement }, Origin::Added, false);
        self.owe(Request::DescribeCopied(named.clone(), id), Origin::Added, false);
        self.owe(Request::Close(Subject::Statement, named), Origin::Added, false);
    }

    /// Keeps a query back until the server has described what it copies.
    pub(super) fn look_ahead(&mut self, head: Head, work: WorkId) {
        self.works.hold(work);
        self.ask_columns(work);
        self.ahead = Some(Ahead { head, work, failed: false });
    }

    /// What becomes of a query that was kept back, if one was.
    pub(super) fn go_ahead(&mut self) -> Option<Next> {
        self.ahead.as_ref()?;
        if !self.fifo.is_empty() {
            return Some(self.wait());
        }
        let Ahead { head, work, failed } = self.ahead.take()?;
        match self.fifo.hears(head.tag) {
            Hearing::Heard => {
                self.run(Request::Query(work));
                self.forward(head);
            }
            Hearing::Ignored | Hearing::Forbidden => self.drop_ahead(head, failed),
        }
        self.works.release(work);
        Some(Next::Onward)
    }

    /// The server reads over the query. Where that comes of what was asked ahead, the query is over with its error.
    fn drop_ahead(&mut self, head: Head, failed: bool) {
        self.client.skip(head);
        if failed {
            self.client.say(|out| frame(out, b'S', |_| {}));
            self.owe(Request::Sync, Origin::Client, false);
            self.flushed = true;
        }
    }

    /// What was asked ahead ended in an error, which is the answer to the query.
    pub(super) fn failed_ahead(&mut self) {
        if let Some(ahead) = &mut self.ahead {
            ahead.failed = true;
        }
    }

    /// A copy to the client begins.
    pub(super) fn begin_copy(&mut self, id: WorkId, begins: CopyBegins) -> Result<(), Refusal> {
        let begun = if begins.binary && self.copies(id) && !self.reading.said().is_utf8() {
            None
        } else {
            self.works.get_mut(id).and_then(|work| work.begin_copy(begins))
        };
        match self.works.get_mut(id).filter(|work| work.is_watched()) {
            Some(work) if begun.is_none() => work.give_up_copy(UNMASKABLE),
            Some(_) => {}
            None => begun.ok_or_else(unmaskable)?,
        }
        Ok(())
    }

    /// Copied data where the policy is only watched: what masks would make of it is counted. Whether as much of it has
    /// arrived as that takes.
    pub(super) fn watch_copy(&mut self, head: Head, id: WorkId) -> bool {
        let Some(work) = self.works.get_mut(id) else { return true };
        let Copying::Masked(masked) = &mut work.copying else { return true };
        let watched = match self.server.body(head) {
            Ok(None) => return false,
            Ok(Some(body)) => watched(body, masked, self.reading.said()),
            Err(_) => Err(TOO_LONG),
        };
        if let Err(why) = watched {
            work.give_up_copy(why);
        }
        true
    }

    /// Copied data, where masks act on it; `None` where they do not.
    pub(super) fn masked_copy(&mut self, head: Head, id: WorkId) -> Result<Option<bool>, Refusal> {
        let Some(work) = self.works.get_mut(id) else { return Err(unmaskable()) };
        let (rewriter, masker) = match &mut work.copying {
            Copying::Free => return Ok(None),
            Copying::Masked(masked) => (&mut masked.0, &mut masked.1),
            Copying::Planned(..) | Copying::Unmaskable => return Err(unmaskable()),
        };
        let Some(body) = self.server.body(head).map_err(by_server)? else { return Ok(Some(false)) };
        let charset = self.reading.said();
        let mut out = Vec::new();
        // The server sends whole rows, and so whole characters.
        let read = if charset.is_utf8() { Cow::Borrowed(body) } else { decoded(charset, body)? };
        let rows = rewriter.feed(&read, masker, &mut out).map_err(broken)?;
        if !charset.is_utf8() {
            out = encoded(charset, out)?;
        }
        if let Err(limit) = work.copied_rows(rows, out.len()) {
            self.stop(id, limit);
            out.clear();
        }
        self.server.skip(head);
        if !out.is_empty() {
            self.server.say(|to| frame(to, b'd', |body| body.bytes(&out)));
        }
        Ok(Some(true))
    }

    /// A copy to the client ends.
    pub(super) fn end_copy(&mut self, id: WorkId) -> Result<(), Refusal> {
        let Some(work) = self.works.get_mut(id) else { return Ok(()) };
        match &work.copying {
            Copying::Masked(masked) => match masked.0.end() {
                Err(_) if work.is_watched() => work.give_up_copy(UNMASKABLE),
                ended => ended.map_err(broken)?,
            },
            Copying::Free | Copying::Planned(..) | Copying::Unmaskable => {}
        }
        Ok(())
    }
}

/// Counts what masks would make of copied data.
fn watched(body: &[u8], masked: &mut (Rewriter, RowMasker), charset: Charset) -> Result<(), &'static str> {
    let (rewriter, masker) = masked;
    let read = if charset.is_utf8() { Ok(Cow::Borrowed(body)) } else { decoded(charset, body) };
    let read = read.map_err(|_| UNMASKABLE)?;
    rewriter.feed(&read, masker, &mut Vec::new()).map(drop).map_err(|_| UNMASKABLE)
}

fn decoded(charset: Charset, body: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    match charset.decode(body).ok_or_else(unmaskable)? {
        Cow::Borrowed(text) => Ok(Cow::Borrowed(text.as_bytes())),
        Cow::Owned(text) => Ok(Cow::Owned(text.into_bytes())),
    }
}

fn encoded(charset: Charset, rows: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let text = String::from_utf8(rows).map_err(|_| unmaskable())?;
    Ok(charset.encode(&text).ok_or_else(unmaskable)?.into_owned())
}

/// What a copy is refused with whose rows are not read.
pub(super) fn copy_in_another_encoding() -> Refusal {
    Refusal::new(code::PRIVILEGE, "what is copied here cannot be masked in this client_encoding")
        .with_hint("set client_encoding to UTF8")
}

fn broken(broken: Broken) -> Refusal {
    Refusal::new(code::PRIVILEGE, broken.to_string())
}

fn unmaskable() -> Refusal {
    Refusal::new(code::PRIVILEGE, UNMASKABLE).with_hint("select the rows instead of copying them")
}
