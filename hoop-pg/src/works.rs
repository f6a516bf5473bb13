//! What runs, or may still run, under a permit: one work for each query, call and portal.

use hoopcore::audit::CompletionStatus;
use hoopcore::{Command, Completion, Event, Layout, Passage, Permit, RowMasker};

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

/// A query, call or portal that was permitted.
#[derive(Debug)]
pub(crate) struct Work {
    /// What runs.
    pub(crate) command: Command,
    /// The values bound to its parameters.
    pub(crate) parameters: Option<Vec<Option<String>>>,
    /// What becomes of its rows.
    pub(crate) rows: Rows,
    /// How many of the command's statements were carried out.
    pub(crate) statement: usize,
    /// A portal's permit is used up with its statement, a query's with the last of its statements.
    pub(crate) is_portal: bool,
    /// Facts about the session depend on its outcome.
    pub(crate) changes: bool,
    armed: bool,
    passage: Option<Passage>,
    holders: u32,
    status: CompletionStatus,
    /// Rows that passed since the last statement was carried out.
    passed: u64,
    count: u64,
    bytes: u64,
}

impl Work {
    /// A command with a permit, which is spent on it.
    pub(crate) fn new(command: Command, parameters: Option<Vec<Option<String>>>, permit: Permit) -> Self {
        let armed = permit.masks_armed();
        Self {
            command,
            parameters,
            rows: if armed { Rows::Undescribed } else { Rows::Free },
            statement: 0,
            is_portal: false,
            changes: true,
            armed,
            passage: Some(permit.spend()),
            holders: 0,
            status: CompletionStatus::Aborted,
            passed: 0,
            count: 0,
            bytes: 0,
        }
    }

    /// Whether masks are armed for what it returns.
    pub(crate) fn has_masks(&self) -> bool {
        self.armed
    }

    /// Whether what it returns may hold a protected value outside of rows.
    pub(crate) fn is_tainted(&self) -> bool {
        self.passage.as_ref().is_some_and(Passage::is_tainted)
    }

    /// Whether its permit is used up: it was carried out or failed.
    pub(crate) fn is_spent(&self) -> bool {
        self.passage.is_none()
    }

    /// Its rows have this layout from now on.
    pub(crate) fn describe(&mut self, layout: &Layout) {
        let Some(passage) = &self.passage else { return };
        let masker = passage.rows(layout);
        self.rows = if masker.is_idle() { Rows::Free } else { Rows::Masked(Box::new(masker), layout.columns.len()) };
    }

    /// A row of so many bytes passed.
    pub(crate) fn row(&mut self, bytes: usize) {
        self.passed += 1;
        self.bytes(bytes);
    }

    /// Bytes passed that are no row.
    pub(crate) fn bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// It was sent to be run, and its outcome is not known until the server says so.
    pub(crate) fn run(&mut self) {
        self.status = CompletionStatus::Unknown;
    }

    /// A statement of it was carried out, or stopped before its end; the tag counts so many rows. Others than those
    /// of a portal that goes on have to be described anew.
    pub(crate) fn carried_out(&mut self, tagged: u64) {
        self.count = self.count.saturating_add(tagged.max(self.passed));
        self.passed = 0;
        self.status = CompletionStatus::Done;
        if self.armed && !self.is_portal {
            self.rows = Rows::Undescribed;
        }
    }
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
        let rows = work.count.saturating_add(work.passed);
        let completion = Completion { status: work.status.clone(), rows, bytes: work.bytes };
        let event = work.passage.take().map(|passage| passage.close(completion));
        self.closed.extend(event);
    }

    /// The server refused to carry it out, with this code.
    pub(crate) fn fail(&mut self, id: WorkId, code: Option<&str>) {
        if let Some(work) = self.get_mut(id) {
            work.status = CompletionStatus::Failed(code.unwrap_or("XX000").to_owned());
        }
        self.close(id);
    }

    /// The closing records since the last call.
    pub(crate) fn closed(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.closed.drain(..)
    }
}
