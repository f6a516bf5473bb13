//! Asks the catalog over a session's own connection while the session is idle.
//!
//! The extended protocol with names of our own is used, so that what the client prepared without a name stays; one
//! transaction that writes nothing, so that no setting of the session changes.

use std::io;

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator as _;
use hoopcore::policy::ColumnPattern;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::queries;
use crate::transport::read_message;

/// How much the catalog may answer, in bytes.
const MAX_ANSWER: usize = 64 << 20;

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

/// The answers to all questions, in the order of [`queries`].
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The session's path, what settling it gave, what shadows the catalog.
    pub(super) always: Vec<Vec<Row>>,
    /// Columns that the patterns match.
    pub(super) protected: Vec<Row>,
    /// What [`queries::about`] asks.
    pub(super) about: Vec<Vec<Row>>,
    /// What the server said besides: changed settings and notifications, as they came.
    pub(super) asides: Vec<Bytes>,
}

/// Asks everything about these patterns.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    patterns: &[ColumnPattern],
) -> Result<Answers, CatalogError> {
    let mut talk =
        Talk { name: format!("hoop_{:032x}", rand::random::<u128>()), stream, left: MAX_ANSWER, asides: Vec::new() };
    let mut asked: Vec<&str> = [queries::BEGIN].into_iter().chain(queries::ALWAYS).collect();
    if patterns.is_empty() {
        asked.push(queries::COMMIT);
        let mut always = talk.ask(&asked, b'I').await?;
        always.pop();
        always.drain(..1);
        return Ok(Answers { always, asides: talk.asides, ..Answers::default() });
    }
    let (protected, affected) = (queries::protected(patterns), queries::affected(patterns));
    asked.extend([protected.as_str(), affected.as_str()]);
    let mut first = talk.ask(&asked, b'T').await?;
    let affected = first.pop().as_deref().and_then(value).unwrap_or_else(|| String::from("{}"));
    let protected = first.pop().unwrap_or_default();
    let always = first.drain(1..).collect();
    if protected.is_empty() {
        talk.ask(&[queries::COMMIT], b'I').await?;
        return Ok(Answers { always, asides: talk.asides, ..Answers::default() });
    }
    let about = queries::about(oids(&affected)?);
    let second: Vec<&str> = about.iter().map(String::as_str).chain([queries::COMMIT]).collect();
    let about = talk.ask(&second, b'I').await?;
    Ok(Answers { always, protected, about, asides: talk.asides })
}

/// The one value of an answer.
pub(super) fn value(rows: &[Row]) -> Option<String> {
    rows.first()?.first()?.clone()
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
    /// Asks one query after the other, and gives the rows of each; afterwards the session must stand as said.
    async fn ask(&mut self, asked: &[&str], then: u8) -> Result<Vec<Vec<Row>>, CatalogError> {
        let questions = self.questions(asked)?;
        let (mut input, mut output) = tokio::io::split(&mut *self.stream);
        let send = async {
            output.write_all(&questions).await?;
            Ok(output.flush().await?)
        };
        let mut answer = Answer::default();
        let (left, asides) = (&mut self.left, &mut self.asides);
        let receive = async {
            while answer.status.is_none() {
                let mut message = read_message(&mut input, *left).await?;
                *left = left.saturating_sub(message.len());
                let whole = message.clone().freeze();
                let message = Message::parse(&mut message)?.ok_or(CatalogError::Strange("half a message"))?;
                asides.extend(answer.take(message, whole)?);
            }
            Ok::<_, CatalogError>(())
        };
        // Both at once: a server that waits for its answers to be read does not read questions.
        tokio::try_join!(send, receive)?;
        answer.finish(asked.len(), then)
    }

    fn questions(&self, asked: &[&str]) -> io::Result<BytesMut> {
        let mut buffer = BytesMut::new();
        for query in asked {
            frontend::parse(&self.name, query, [], &mut buffer)?;
            frontend::bind(&self.name, &self.name, [], [(); 0], |(), _| Ok(IsNull::Yes), [], &mut buffer)
                .map_err(|_| io::Error::other("a query without parameters cannot be bound"))?;
            frontend::execute(&self.name, 0, &mut buffer)?;
            frontend::close(b'P', &self.name, &mut buffer)?;
            frontend::close(b'S', &self.name, &mut buffer)?;
        }
        frontend::sync(&mut buffer);
        Ok(buffer)
    }
}

#[derive(Default)]
struct Answer {
    rows: Vec<Row>,
    results: Vec<Vec<Row>>,
    refused: Option<String>,
    status: Option<u8>,
}

impl Answer {
    /// Takes one message; gives it back where it is none of ours.
    fn take(&mut self, message: Message, whole: Bytes) -> Result<Option<Bytes>, CatalogError> {
        match message {
            Message::DataRow(row) => self.rows.push(texts(&row)?),
            Message::CommandComplete(_) => self.results.push(std::mem::take(&mut self.rows)),
            Message::ErrorResponse(error) => {
                let code = error.fields().find(|field| Ok(field.type_() == b'C'))?;
                let code = code.map(|field| String::from_utf8_lossy(field.value_bytes()).into_owned());
                self.refused.get_or_insert(code.unwrap_or_default());
            }
            Message::ReadyForQuery(ready) => self.status = Some(ready.status()),
            // Servers since 18 report the path that these questions are asked under, and that it is back.
            Message::ParameterStatus(status) if status.name()? == "search_path" => {}
            Message::ParameterStatus(_) | Message::NotificationResponse(_) => return Ok(Some(whole)),
            Message::ParseComplete | Message::BindComplete | Message::CloseComplete | Message::NoticeResponse(_) => {}
            _ => return Err(CatalogError::Strange("a message that does not belong there")),
        }
        Ok(None)
    }

    fn finish(self, asked: usize, then: u8) -> Result<Vec<Vec<Row>>, CatalogError> {
        if let Some(code) = self.refused {
            return Err(CatalogError::Refused(code));
        }
        if self.results.len() != asked || self.status != Some(then) {
            return Err(CatalogError::Strange("not every query was answered"));
        }
        Ok(self.results)
    }
}

fn texts(row: &DataRowBody) -> Result<Row, CatalogError> {
    let buffer = row.buffer();
    let cells = row.ranges().map(|range| Ok(range.and_then(|range| buffer.get(range)))).collect::<Vec<_>>()?;
    cells.into_iter().map(|cell| cell.map(text).transpose()).collect()
}

fn text(cell: &[u8]) -> Result<String, CatalogError> {
    String::from_utf8(cell.to_vec()).map_err(|_| CatalogError::Strange("a name that is not UTF-8"))
}
