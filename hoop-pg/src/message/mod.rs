//! Messages inside frames: borrowed views that read a body to its last byte or refuse it.
//!
//! See PostgreSQL's documentation, "Message Formats". What the gateway forwards it has read with these; a body with a
//! byte too few or too many is malformed, whatever a more patient reader would make of it.

mod client;
mod server;
mod write;

pub use client::{Bind, Call, Execute, Parse, Subject, Target, Values, close_or_describe, copy_fail, nothing, query};
pub use server::{
    CommandTag, CopyBegins, Field, Fields, Notification, Report, Row, RowDescription, Status, copy_begins,
    parameter_status, parameter_types,
};
pub use write::{Frame, frame};
pub(crate) use write::{write_length, write_value};

/// A body that does not have the form of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid message format")]
pub struct Malformed;

/// Reads a body from its front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// A count: PostgreSQL writes up to 65,535 into its `Int16`.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    /// A string, without the NUL that ends it.
    pub(crate) fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = memchr::memchr(0, self.0).ok_or(Malformed)?;
        let text = self.bytes(length)?;
        self.u8()?;
        Ok(text)
    }

    /// A value with its length before it; `None` is NULL.
    pub(crate) fn value(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.i32()? {
            -1 => Ok(None),
            length => usize::try_from(length).map_err(|_| Malformed).and_then(|length| self.bytes(length)).map(Some),
        }
    }

    /// Steps over items of a fixed width, and gives them.
    pub(crate) fn items(&mut self, count: usize, width: usize) -> Result<&'a [u8], Malformed> {
        self.bytes(count.checked_mul(width).ok_or(Malformed)?)
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
