//! What the record of an execution's end says.

use std::sync::Arc;

use hoopcore::Completion;
use hoopcore::audit::{CompletionStatus, WouldEnd};
use hoopcore::mask::{CellCounts, MaskedBy, MaskedCells};
use serde::Serialize;

use super::decided::Rule;
use super::line;

/// How an execution ended.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// The rule whose limit ended it, or would have.
    rule: Option<Rule>,
    status: &'static str,
    error: Option<String>,
    rows: u64,
    bytes: u64,
    cells_masked: u64,
    cells_clear: u64,
    masked_by: Vec<Masks>,
    would_end: Option<Ending>,
}

/// What masked how many cells.
#[derive(Debug, Serialize)]
struct Masks {
    #[serde(flatten)]
    by: By,
    cells: u64,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum By {
    Column { column: String, rule: Arc<str> },
    Detector { detector: &'static str },
    Doubt { doubt: bool },
}

/// What would have ended an execution that was only watched.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    /// A limit, in the word of the policy language.
    Limit(&'static str),
    /// Something that masks could not act on.
    Unmaskable(&'static str),
}

impl From<&MaskedCells> for Masks {
    fn from(masked: &MaskedCells) -> Self {
        let by = match &masked.by {
            MaskedBy::Column { column, rule } => By::Column { column: column.clone(), rule: Arc::clone(&rule.name) },
            MaskedBy::Detector(detector) => By::Detector { detector: detector.word() },
            MaskedBy::Doubt => By::Doubt { doubt: true },
        };
        Self { by, cells: masked.cells }
    }
}

impl Closing {
    pub(super) fn new(completion: &Completion, cells: CellCounts) -> Self {
        let (status, error, rule) = match &completion.status {
            CompletionStatus::Done => ("done", None, None),
            CompletionStatus::Failed(code) => ("failed", Some(code.clone()), None),
            CompletionStatus::Limited(limit) => {
                ("limited", Some(limit.kind.word().to_owned()), Some(Rule::from(&limit.rule)))
            }
            CompletionStatus::Aborted => ("aborted", None, None),
            CompletionStatus::Unknown => ("unknown", None, None),
        };
        Self {
            rule,
            status,
            error,
            rows: completion.rows,
            bytes: completion.bytes,
            cells_masked: cells.masked,
            cells_clear: cells.clear,
            ..Self::default()
        }
    }

    pub(super) fn not_carried_out() -> Self {
        Self { status: "not_carried_out", ..Self::default() }
    }

    pub(super) fn masked(self, masked: &[MaskedCells]) -> Self {
        Self { masked_by: masked.iter().map(Masks::from).collect(), ..self }
    }

    pub(super) fn would_end(self, why: Option<&WouldEnd>) -> Self {
        match why {
            None => self,
            Some(WouldEnd::Unmaskable(why)) => Self { would_end: Some(Ending::Unmaskable(why)), ..self },
            Some(WouldEnd::Limited(limit)) => {
                let (rule, would_end) = (Some(Rule::from(&limit.rule)), Some(Ending::Limit(limit.kind.word())));
                Self { rule, would_end, ..self }
            }
        }
    }

    /// Its members, which stand in every other record: they are written straight away.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let Self { rule, status, error, rows, bytes, cells_masked, cells_clear, masked_by, would_end } = self;
        out.extend_from_slice(b",\"rule\":");
        line::write(rule, out)?;
        out.extend_from_slice(b",\"completion\":{\"status\":\"");
        out.extend_from_slice(status.as_bytes());
        out.push(b'"');
        if let Some(error) = error {
            out.extend_from_slice(b",\"error\":");
            line::write(error, out)?;
        }
        for (name, number) in
            [("rows", rows), ("bytes", bytes), ("cells_masked", cells_masked), ("cells_clear", cells_clear)]
        {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            line::digits(*number, out);
        }
        if !masked_by.is_empty() {
            out.extend_from_slice(b",\"masked_by\":");
            line::write(masked_by, out)?;
        }
        if let Some(would_end) = would_end {
            out.extend_from_slice(b",\"would_end\":");
            line::write(would_end, out)?;
        }
        out.push(b'}');
        Ok(())
    }
}
