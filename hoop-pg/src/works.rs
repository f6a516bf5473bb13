//! What runs, or may still run, under a permit: one work for each query, call and portal.

use std::time::{Duration, Instant};

use hoopcore::audit::{CompletionStatus, WouldEnd};
use hoopcore::copy::{CopyOut, Rewriter};
use hoopcore::{Command, Completion, Event, Layout, Limit, Meter, Passage, Permit, RowMasker};

use crate::conversation::Bound;
use crate::message::CopyBegins;

/// What a portal or prepared statement takes besides its text or parameters, in bytes, about.
pub(crate) const FRAME: usize = 1024;

/// What a column of masked rows takes, in bytes, about.
const COLUMN: usize = 64;

/// Why masks do not act on a message that is not gathered.
pub(crate) const TOO_LONG: &str = "a row is too long to be looked at";

/// Names a work for as long as something holds it.
pub(crate) type WorkId = u32;

/// What becomes of a work's rows.
#[derive(Debug)]
pub(crate) enum Rows {
    /// They pass as they are.
    Free,
    /// Masks are armed, and nothing has described the rows: none may come.
    Undescribed,
    /// They pass through the masker, if they have as many columns as it knows.
    Masked(Box<RowMasker>, usize),
}

/// What becomes of what a work copies to the client.
#[derive(Debug)]
pub(crate) enum Copying {
    /// It passes as it is.
    Free,
    /// Masks may act on it, and nothing is known of its rows: none may come.
    Unmaskable,
    /// Its rows are known, and their columns once the server described them.
    Planned(Box<CopyOut>, Option<Layout>),
    /// It passes through masks.
    Masked(Box<(Rewriter, RowMasker)>),
}

/// A query, call or portal that was permitted.
#[derive(Debug)]
pub(crate) struct Work {
    /// What runs.
    pub(crate) command: Command,
    /// The values bound to its parameters.
    pub(crate) parameters: Option<Bound>,
    /// What becomes of its rows.
    pub(crate) rows: Rows,
    /// How many of the command's statements were carried out.
    pub(crate) statement: usize,
    /// A portal's permit is used up with its statement, a query's with the last of its statements.
    pub(crate) is_portal: bool,
    /// How often names were given or taken when it was permitted.
    pub(crate) names: u64,
    /// Facts about the session depend on its outcome.
    pub(crate) changes: bool,
    /// It may change a setting by which texts are read.
    pub(crate) rereads: bool,
    /// What becomes of what it copies to the client.
    pub(crate) copying: Copying,
    armed: bool,
    /// The policy is only watched: all of it goes on as it is.
    watched: bool,
    /// Since when it runs, where the policy is only watched, and has not been counted.
    since: Option<Instant>,
    meter: Meter,
    /// Counts for the cursor that the statement at hand fetches from.
    fetching: Option<Meter>,
    /// The limit that it went beyond: nothing more of it goes on.
    stopped: Option<Limit>,
    passage: Option<Passage>,
    holders: u32,
    status: CompletionStatus,
    /// Rows that passed since the last statement was carried out.
    passed: u64,
    count: u64,
    copied: u64,
    bytes: u64,
}

impl Work {
    /// A command with a permit, which is spent on it.
    pub(crate) fn new(command: Command, parameters: Option<Bound>, permit: Permit) -> Self {
        let armed = permit.masks_armed();
        let passage = permit.spend();
        Self {
            command,
            parameters,
            rows: if armed { Rows::Undescribed } else { Rows::Free },
            statement: 0,
            is_portal: false,
            names: 0,
            changes: true,
            rereads: true,
            copying: if passage.masks_copies() { Copying::Unmaskable } else { Copying::Free },
            armed,
            watched: passage.is_watched(),
            since: None,
            meter: passage.meter().clone(),
            fetching: None,
            stopped: None,
            passage: Some(passage),
            holders: 0,
            status: CompletionStatus::Aborted,
            passed: 0,
            count: 0,
            copied: 0,
            bytes: 0,
        }
    }

    /// Whether masks are armed for what it returns.
    pub(crate) fn has_masks(&self) -> bool {
        self.armed
    }

    /// Whether masks are armed, and nothing has described its rows.
    pub(crate) fn is_undescribed(&self) -> bool {
        matches!(self.rows, Rows::Undescribed)
    }

    /// Whether the policy is only watched: all of it goes on as it is, and what would have become of it is counted.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched
    }

    /// Notes that masks could not act on something of it, where the policy is only watched: why.
    pub(crate) fn unmaskable(&mut self, why: &'static str) {
        self.would_end(WouldEnd::Unmaskable(why));
    }

    /// What it copies is not looked at any further, where the policy is only watched: why.
    pub(crate) fn give_up_copy(&mut self, why: &'static str) {
        self.unmaskable(why);
        self.copying = Copying::Free;
    }

    fn would_end(&mut self, why: WouldEnd) {
        if let Some(passage) = &mut self.passage {
            passage.would_end(why);
        }
    }

    /// Whether what it returns may hold a protected value outside of rows.
    pub(crate) fn is_tainted(&self) -> bool {
        self.passage.as_ref().is_some_and(Passage::is_tainted)
    }

    /// Whether its permit is used up: it was carried out or failed.
    pub(crate) fn is_spent(&self) -> bool {
        self.passage.is_none()
    }

    /// Whether the server has begun to run it, and stopped before its end.
    pub(crate) fn is_suspended(&self) -> bool {
        !self.is_spent() && self.status == CompletionStatus::Done
    }

    /// What it takes, in bytes: its text too, for the statement that it was bound from may be gone.
    fn taken(&self) -> usize {
        let parameters = self.parameters.as_ref().map_or(0, Bound::taken);
        let columns = if let Rows::Masked(_, columns) = self.rows { columns } else { 0 };
        self.command.text().len() + parameters + FRAME + columns * COLUMN
    }

    /// Its rows have this layout from now on.
    pub(crate) fn describe(&mut self, layout: &Layout) {
        let Some(passage) = &self.passage else { return };
        let masker = passage.rows(layout);
        self.rows = if masker.is_idle() { Rows::Free } else { Rows::Masked(Box::new(masker), layout.columns.len()) };
    }

    /// Notes what its statement says of the rows that it copies, where masks may act on them.
    ///
    /// # Errors
    /// Where they could not be masked: why.
    pub(crate) fn plan_copy(&mut self) -> Result<(), &'static str> {
        if let Copying::Unmaskable = self.copying
            && let Some(copy) = CopyOut::read(self.command.text())
        {
            match copy {
                Ok(copy) => self.copying = Copying::Planned(Box::new(copy), None),
                Err(why) if self.watched => self.give_up_copy(why),
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    /// What it copies to the client through masks, if it does.
    pub(crate) fn planned_copy(&self) -> Option<&CopyOut> {
        match &self.copying {
            Copying::Planned(copy, _) => Some(copy),
            Copying::Free | Copying::Unmaskable | Copying::Masked(..) => None,
        }
    }

    /// What it copies has these columns.
    pub(crate) fn describe_copy(&mut self, layout: Layout) {
        if let Copying::Planned(_, known) = &mut self.copying {
            *known = Some(layout);
        }
    }

    /// Its copy begins; `None` where its rows could not be masked. Where the columns are not those that were described,
    /// every cell is hidden.
    pub(crate) fn begin_copy(&mut self, begins: CopyBegins) -> Option<()> {
        if let Copying::Free = self.copying {
            return Some(());
        }
        let passage = self.passage.as_ref()?;
        self.copying = match core::mem::replace(&mut self.copying, Copying::Unmaskable) {
            Copying::Planned(copy, layout) if copy.format.is_binary() == begins.binary => {
                let layout = layout.filter(|layout| layout.columns.len() == begins.columns);
                let masker = passage.rows(layout.as_ref().unwrap_or(&Layout::default()));
                if layout.is_some() && masker.is_idle() {
                    Copying::Free
                } else {
                    Copying::Masked(Box::new((Rewriter::new(&copy.format, begins.columns), masker)))
                }
            }
            Copying::Planned(..) | Copying::Free | Copying::Unmaskable | Copying::Masked(..) => return None,
        };
        Some(())
    }

    /// Rows of a copy pass, in so many bytes together, unless that goes beyond a limit.
    pub(crate) fn copied_rows(&mut self, rows: usize, bytes: usize) -> Result<(), Limit> {
        if rows == 0 {
            return self.bytes(bytes);
        }
        self.copied_row(bytes)?;
        (1..rows).try_for_each(|_| self.copied_row(0))
    }

    /// A row of so many bytes passes, unless that goes beyond a limit.
    pub(crate) fn row(&mut self, bytes: usize) -> Result<(), Limit> {
        self.charge(|meter| meter.row(length(bytes)).map_err(Clone::clone))?;
        self.passed += 1;
        self.bytes = self.bytes.saturating_add(length(bytes));
        Ok(())
    }

    /// A row of a copy passes, unless that goes beyond a limit. What the server says of their number counts at its end.
    pub(crate) fn copied_row(&mut self, bytes: usize) -> Result<(), Limit> {
        self.charge(|meter| meter.row(length(bytes)).map_err(Clone::clone))?;
        self.copied += 1;
        self.bytes = self.bytes.saturating_add(length(bytes));
        Ok(())
    }

    /// Bytes pass that are no row, unless that goes beyond a limit.
    pub(crate) fn bytes(&mut self, bytes: usize) -> Result<(), Limit> {
        self.charge(|meter| meter.bytes(length(bytes)).map_err(Clone::clone))?;
        self.bytes = self.bytes.saturating_add(length(bytes));
        Ok(())
    }

    /// It ran for so long, which may go beyond a limit.
    pub(crate) fn ran(&mut self, time: Duration) -> Result<(), Limit> {
        self.charge(|meter| meter.ran(time).map_err(Clone::clone))
    }

    /// Charges its own meter and that of the cursor that it fetches from. Where the policy is only watched, nothing stops it.
    fn charge(&mut self, one: impl Fn(&Meter) -> Result<(), Limit>) -> Result<(), Limit> {
        let own = one(&self.meter);
        let fetched = self.fetching.as_ref().map_or(Ok(()), one);
        match own.and(fetched) {
            Err(limit) if self.watched => {
                self.would_end(WouldEnd::Limited(limit));
                Ok(())
            }
            charged => charged,
        }
    }

    /// Counts the time for which it runs, where the policy is only watched and that time is limited.
    pub(crate) fn watch_time(&mut self, now: impl Fn() -> Instant) {
        if self.watched && self.time_left().is_some() {
            let now = now();
            let since = self.since.replace(now).unwrap_or(now);
            // Nothing stops it.
            drop(self.ran(now.saturating_duration_since(since)));
        }
    }

    /// For how much longer it may run, where that is limited.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let fetched = self.fetching.as_ref().and_then(Meter::time_left);
        self.meter.time_left().into_iter().chain(fetched).min()
    }

    /// What counts what comes back.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What it fetches from a cursor counts for that cursor too.
    pub(crate) fn fetch(&mut self, cursor: Option<Meter>) {
        self.fetching = cursor.filter(|cursor| !cursor.is_unlimited() && !cursor.counts_with(&self.meter));
    }

    /// Whether it may be stopped.
    pub(crate) fn is_limited(&self) -> bool {
        !self.watched && (!self.meter.is_unlimited() || self.fetching.is_some())
    }

    /// Nothing more of it goes on: it went beyond this limit.
    pub(crate) fn stop(&mut self, limit: Limit) {
        self.status = CompletionStatus::Limited(limit.clone());
        self.stopped = Some(limit);
    }

    /// The limit that it went beyond, if it did.
    pub(crate) fn stopped(&self) -> Option<&Limit> {
        self.stopped.as_ref()
    }

    /// It was sent to be run, and its outcome is not known until the server says so.
    pub(crate) fn run(&mut self) {
        self.status = CompletionStatus::Unknown;
    }

    /// A statement of it was carried out, or stopped before its end; the tag counts so many rows. Others than those
    /// of a portal that goes on have to be described anew.
    pub(crate) fn carried_out(&mut self, tagged: u64) {
        if self.stopped.is_some() {
            return;
        }
        self.since = None;
        self.count = self.count.saturating_add(tagged.max(self.passed));
        (self.passed, self.copied) = (0, 0);
        self.status = CompletionStatus::Done;
        if self.armed && !self.is_portal {
            self.rows = Rows::Undescribed;
        }
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// All works of a session.
#[derive(Debug, Default)]
pub(crate) struct Works {
    works: Vec<Option<Work>>,
    free: Vec<WorkId>,
    closed: Vec<Event>,
}

impl Works {
    /// Takes in a work that nothing holds yet.
    pub(crate) fn begin(&mut self, work: Work) -> WorkId {
        if let Some(id) = self.free.pop()
            && let Some(slot) = self.slot(id)
        {
            *slot = Some(work);
            return id;
        }
        self.works.push(Some(work));
        WorkId::try_from(self.works.len() - 1).unwrap_or(WorkId::MAX)
    }

    fn slot(&mut self, id: WorkId) -> Option<&mut Option<Work>> {
        self.works.get_mut(usize::try_from(id).ok()?)
    }

    /// The work of this name.
    pub(crate) fn get(&self, id: WorkId) -> Option<&Work> {
        self.works.get(usize::try_from(id).ok()?)?.as_ref()
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, id: WorkId) -> Option<&mut Work> {
        self.slot(id)?.as_mut()
    }

    /// What all of them take, in bytes.
    pub(crate) fn taken(&self) -> usize {
        self.works.iter().flatten().map(Work::taken).sum()
    }

    /// One more thing holds the work.
    pub(crate) fn hold(&mut self, id: WorkId) {
        if let Some(work) = self.get_mut(id) {
            work.holders += 1;
        }
    }

    /// One thing fewer holds the work; with the last it ends.
    pub(crate) fn release(&mut self, id: WorkId) {
        let Some(work) = self.get_mut(id) else { return };
        work.holders = work.holders.saturating_sub(1);
        if work.holders == 0 {
            self.close(id);
            if let Some(slot) = self.slot(id) {
                *slot = None;
                self.free.push(id);
            }
        }
    }

    /// A statement was carried out; the tag counts so many rows.
    pub(crate) fn carried_out(&mut self, id: WorkId, tagged: u64) {
        let Some(work) = self.get_mut(id) else { return };
        work.carried_out(tagged);
        if work.is_portal {
            self.close(id);
        }
    }

    /// The permit is used up: what was carried out goes on record.
    fn close(&mut self, id: WorkId) {
        let Some(work) = self.get_mut(id) else { return };
        let rows = work.count.saturating_add(work.passed).saturating_add(work.copied);
        let completion = Completion { status: work.status.clone(), rows, bytes: work.bytes };
        let event = work.passage.take().map(|passage| passage.close(completion));
        self.closed.extend(event);
    }

    /// The server refused to carry it out, with this code.
    pub(crate) fn fail(&mut self, id: WorkId, code: Option<&str>) {
        if let Some(work) = self.get_mut(id).filter(|work| work.stopped.is_none()) {
            work.status = CompletionStatus::Failed(code.unwrap_or("XX000").to_owned());
        }
        self.close(id);
    }

    /// The closing records since the last call.
    pub(crate) fn closed(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.closed.drain(..)
    }
}
