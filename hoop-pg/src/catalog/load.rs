//! Asks the catalog over a session's own connection while the session is idle.
//!
//! The extended protocol with names of our own is used, so that what the client prepared without a name stays; one
//! transaction that writes nothing, so that no setting of the session changes.

use std::io;

use bytes::{Bytes, BytesMut};
use hoopcore::policy::ColumnPattern;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::queries;
use crate::frame::{FrameError, Head, Limits, Splitter, Way};
use crate::message::{self, Malformed, Report, Row as RowMessage, parameter_status};

/// How much the catalog may answer, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// How often it is asked: a cancel request that comes late stops whatever runs then.
const ATTEMPTS: usize = 3;

/// One row of an answer, as text.
pub(super) type Row = Vec<Option<String>>;

/// Why the catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The connection broke, or the answer was not as the protocol has it.
    #[error("{0}")]
    Broken(#[from] io::Error),
    /// The server refused, with its error code.
    #[error("the server refused with {0}")]
    Refused(String),
    /// The catalog does not look as expected.
    #[error("the catalog does not look as expected: {0}")]
    Strange(&'static str),
}

impl CatalogError {
    /// Whether a cancel request stopped it that was meant for a command of the client.
    fn is_canceled(&self) -> bool {
        matches!(self, Self::Refused(code) if code == "57014")
    }
}

impl From<Malformed> for CatalogError {
    fn from(error: Malformed) -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl From<FrameError> for CatalogError {
    fn from(error: FrameError) -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// The answers to all questions, in the order of [`queries`].
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The session's path, what settling it gave, what shadows the catalog.
    pub(super) always: Vec<Table>,
    /// Columns that the patterns match.
    pub(super) protected: Table,
    /// What [`queries::about`] asks.
    pub(super) about: Vec<Table>,
    /// What the server said besides: changed settings and notifications, as they came.
    pub(super) asides: Vec<Bytes>,
}

/// Asks everything about these patterns.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    patterns: &[ColumnPattern],
) -> Result<Answers, CatalogError> {
    let name = format!("hoop_{:032x}", rand::random::<u128>());
    let mut talk = Talk { name, stream, left: MAX_ANSWER, asides: Vec::new() };
    let mut answers = talk.everything(patterns).await;
    for _ in 1..ATTEMPTS {
        if !answers.as_ref().is_err_and(CatalogError::is_canceled) {
            break;
        }
        talk.ask(&[queries::ROLLBACK], b'I').await?;
        answers = talk.everything(patterns).await;
    }
    Ok(Answers { asides: talk.asides, ..answers? })
}

/// The rows of one answer, as they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(Vec<u8>);

impl Table {
    fn push(&mut self, row: &[u8]) {
        self.0.extend_from_slice(&row.len().to_be_bytes());
        self.0.extend_from_slice(row);
    }

    /// What tells it from every other answer.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows, as text.
    pub(super) fn rows(&self) -> Result<Vec<Row>, CatalogError> {
        let (mut rows, mut rest) = (Vec::new(), self.0.as_slice());
        while let Some((length, behind)) = rest.split_first_chunk() {
            let (row, behind) = behind.split_at_checked(usize::from_be_bytes(*length)).ok_or(Malformed)?;
            rows.push(texts(row)?);
            rest = behind;
        }
        Ok(rows)
    }

    /// The one value of the answer.
    pub(super) fn value(&self) -> Result<Option<String>, CatalogError> {
        Ok(self.rows()?.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    }

    #[cfg(test)]
    pub(super) fn of(rows: &[&[u8]]) -> Self {
        let mut table = Self::default();
        rows.iter().for_each(|row| table.push(row));
        table
    }
}

fn texts(row: &[u8]) -> Result<Row, CatalogError> {
    RowMessage::read(row)?.cells().map(|cell| cell.map(text).transpose()).collect()
}

fn text(cell: &[u8]) -> Result<String, CatalogError> {
    String::from_utf8(cell.to_vec()).map_err(|_| CatalogError::Strange("a name that is not UTF-8"))
}

/// An array of OIDs as the server wrote it, fit to be asked with.
fn oids(array: &str) -> Result<&str, CatalogError> {
    let fits = array.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'{' | b'}' | b','));
    fits.then_some(array).ok_or(CatalogError::Strange("an OID is not a number"))
}

struct Talk<'a, S> {
    stream: &'a mut S,
    /// A name for statements and portals that the client cannot know.
    name: String,
    /// How many bytes more the server may answer.
    left: usize,
    asides: Vec<Bytes>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<'_, S> {
    /// Asks everything about these patterns, in one transaction.
    async fn everything(&mut self, patterns: &[ColumnPattern]) -> Result<Answers, CatalogError> {
        let mut asked: Vec<&str> = queries::BEGIN.into_iter().chain(queries::ALWAYS).collect();
        if patterns.is_empty() {
            asked.push(queries::COMMIT);
            let mut always = self.ask(&asked, b'I').await?;
            always.pop();
            always.drain(..queries::BEGIN.len());
            return Ok(Answers { always, ..Answers::default() });
        }
        let (protected, affected) = (queries::protected(patterns), queries::affected(patterns));
        asked.extend([protected.as_str(), affected.as_str()]);
        let mut first = self.ask(&asked, b'T').await?;
        let affected =
            first.pop().map(|table| table.value()).transpose()?.flatten().unwrap_or_else(|| String::from("{}"));
        let protected = first.pop().unwrap_or_default();
        let always = first.drain(queries::BEGIN.len()..).collect();
        if protected.is_empty() {
            self.ask(&[queries::COMMIT], b'I').await?;
            return Ok(Answers { always, ..Answers::default() });
        }
        let about = queries::about(oids(&affected)?);
        let second: Vec<&str> = about.iter().map(String::as_str).chain([queries::COMMIT]).collect();
        let about = self.ask(&second, b'I').await?;
        Ok(Answers { always, protected, about, ..Answers::default() })
    }

    /// Asks one query after the other, and gives the rows of each; afterwards the session must stand as said.
    async fn ask(&mut self, asked: &[&str], then: u8) -> Result<Vec<Table>, CatalogError> {
        let questions = self.questions(asked)?;
        let (input, mut output) = tokio::io::split(&mut *self.stream);
        let send = async {
            output.write_all(&questions).await?;
            Ok(output.flush().await?)
        };
        // Both at once: a server that waits for its answers to be read does not read questions.
        let ((), mut answer) = tokio::try_join!(send, listen(input, self.left))?;
        self.left = self.left.saturating_sub(answer.length);
        self.asides.append(&mut answer.asides);
        answer.finish(asked.len(), then)
    }

    fn questions(&self, asked: &[&str]) -> io::Result<BytesMut> {
        let mut buffer = BytesMut::new();
        // What an attempt before left when it was stopped goes first.
        self.forget(&mut buffer)?;
        for query in asked {
            frontend::parse(&self.name, query, [], &mut buffer)?;
            frontend::bind(&self.name, &self.name, [], [(); 0], |(), _| Ok(IsNull::Yes), [], &mut buffer)
                .map_err(|_| io::Error::other("a query without parameters cannot be bound"))?;
            frontend::execute(&self.name, 0, &mut buffer)?;
            self.forget(&mut buffer)?;
        }
        frontend::sync(&mut buffer);
        Ok(buffer)
    }

    /// Lets portal and statement go, if there are any.
    fn forget(&self, buffer: &mut BytesMut) -> io::Result<()> {
        frontend::close(b'P', &self.name, buffer)?;
        frontend::close(b'S', &self.name, buffer)
    }
}

/// Reads until the server waits for a command, and no message is left in part.
async fn listen(mut input: impl AsyncRead + Unpin, left: usize) -> Result<Answer, CatalogError> {
    let mut frames = Splitter::new(Way::FromServer, Limits { looked_at: left, ..Limits::default() });
    let mut answer = Answer::default();
    while answer.status.is_none() || frames.buffered() > 0 {
        match input.read_buf(frames.room()).await? {
            0 => return Err(CatalogError::Broken(io::ErrorKind::UnexpectedEof.into())),
            length => frames.arrived(length),
        }
        while let Some(head) = frames.head()? {
            let Some(body) = frames.body(head)? else { break };
            let is_aside = answer.take(head, body, left)?;
            frames.pass(head);
            answer.asides.extend(frames.passed().filter(|_| is_aside));
        }
    }
    Ok(answer)
}

#[derive(Default)]
struct Answer {
    table: Table,
    results: Vec<Table>,
    refused: Option<String>,
    status: Option<u8>,
    /// Bytes that came.
    length: usize,
    asides: Vec<Bytes>,
}

impl Answer {
    /// Takes one message; whether it is none of ours.
    fn take(&mut self, head: Head, body: &[u8], left: usize) -> Result<bool, CatalogError> {
        self.length += head.length();
        if self.length > left {
            return Err(CatalogError::Strange("it is too large"));
        }
        match head.tag {
            b'D' => self.table.push(body),
            b'C' => self.results.push(std::mem::take(&mut self.table)),
            b'E' => {
                let code = Report::read(body)?.code().unwrap_or_default().to_owned();
                self.refused.get_or_insert(code);
            }
            b'Z' => self.status = body.first().copied(),
            // What these questions are asked under is reported, and that it is back: the encoding, and by servers since 18
            // the path.
            b'S' if matches!(parameter_status(body)?.0, b"search_path" | b"client_encoding") => {}
            b'S' | b'A' => return Ok(true),
            b'1' | b'2' | b'3' => message::nothing(body)?,
            b'N' => {}
            _ => return Err(CatalogError::Strange("a message that does not belong there")),
        }
        Ok(false)
    }

    fn finish(self, asked: usize, then: u8) -> Result<Vec<Table>, CatalogError> {
        if let Some(code) = self.refused {
            return Err(CatalogError::Refused(code));
        }
        if self.results.len() != asked || self.status != Some(then) {
            return Err(CatalogError::Strange("not every query was answered"));
        }
        Ok(self.results)
    }
}
