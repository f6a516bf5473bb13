//! Writes frames of the gateway's own.

use bytes::{BufMut as _, BytesMut};

use crate::frame::HEADER;

/// Writes one frame.
pub fn frame(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut Frame<'_>)) {
    body(&mut Frame::begin(out, tag));
}

/// A frame that is being written. Its length is set when it is dropped.
///
/// A body beyond the protocol's 31 bits comes out with a length that every peer refuses.
#[derive(Debug)]
pub struct Frame<'a> {
    out: &'a mut BytesMut,
    start: usize,
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        write_length(self.out, self.start);
    }
}

/// Writes how long the frame is that begins at `start` and ends where the buffer ends.
pub(crate) fn write_length(out: &mut BytesMut, start: usize) {
    let length = i32::try_from(out.len() - start - 1).unwrap_or(-1);
    if let Some(place) = out.get_mut(start + 1..start + HEADER) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes a value with its length before it; `None` is NULL.
pub(crate) fn write_value(out: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        None => out.put_i32(-1),
        Some(bytes) => {
            out.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            out.put_slice(bytes);
        }
    }
}

impl<'a> Frame<'a> {
    /// A frame without a body yet.
    pub fn begin(out: &'a mut BytesMut, tag: u8) -> Self {
        let start = out.len();
        out.put_slice(&[tag, 0, 0, 0, 0]);
        Self { out, start }
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// A string and the NUL that ends it; a NUL inside it ends it early.
    pub fn text(&mut self, text: &[u8]) {
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        self.out.put_slice(text);
        self.out.put_u8(0);
    }

    /// A number of 16 bits.
    pub fn i16(&mut self, number: i16) {
        self.out.put_i16(number);
    }

    /// A number of 32 bits.
    pub fn i32(&mut self, number: i32) {
        self.out.put_i32(number);
    }

    /// A value with its length before it; `None` is NULL.
    pub fn value(&mut self, value: Option<&[u8]>) {
        write_value(self.out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_its_body() {
        let mut out = BytesMut::from(&b"before"[..]);
        frame(&mut out, b'E', |body| {
            body.text(b"a\0b");
            body.i32(7);
            body.i16(-1);
            body.value(None);
            body.value(Some(b"xy"));
        });
        assert_eq!(out, &b"beforeE\0\0\0\x16a\0\0\0\0\x07\xff\xff\xff\xff\xff\xff\0\0\0\x02xy"[..]);
        let mut out = BytesMut::new();
        frame(&mut out, b'S', |_| {});
        assert_eq!(out, &b"S\0\0\0\x04"[..]);
    }
}
