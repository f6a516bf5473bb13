//! One direction of a session: frames from one peer, and what goes on to the other in their place.

use std::collections::VecDeque;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use crate::frame::{FrameError, Head, Limits, Splitter, Way};

/// While this much waits to be written, nothing more is taken from the peer that it comes from.
const FULL: usize = 32 * 1024;

/// Shorter slices are copied to what was written before them, which costs less than to keep them apart.
const SHORT: usize = 1024;

/// Slices given to one write.
const SLICES: usize = 16;

/// One direction of a session.
#[derive(Debug)]
pub(crate) struct Lane {
    input: Splitter,
    output: Output,
    /// What the gateway said while a frame was passing in pieces.
    late: BytesMut,
}

/// A frame that may be written anew.
#[derive(Debug)]
pub(crate) struct Rewriting<'a> {
    /// What goes on before it: to be written first.
    pub(crate) before: &'a [u8],
    /// What it says.
    pub(crate) body: &'a [u8],
    /// Where to write.
    pub(crate) out: &'a mut BytesMut,
}

impl Lane {
    pub(crate) fn new(way: Way, limits: Limits) -> Self {
        Self { input: Splitter::new(way, limits), output: Output::default(), late: BytesMut::new() }
    }

    /// Where to read to.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        self.input.room()
    }

    /// Reads once; how many bytes arrived, none at the end.
    pub(crate) fn poll_read<R: AsyncRead + Unpin>(&mut self, cx: &mut Context<'_>, from: &mut R) -> Poll<usize> {
        let read: Poll<io::Result<usize>> = pin!(from.read_buf(self.input.room())).poll(cx);
        // A connection that broke ended, as far as a session is concerned.
        let arrived = read.map(Result::unwrap_or_default);
        if let Poll::Ready(length) = arrived {
            self.input.arrived(length);
        }
        arrived
    }

    /// How many bytes were read that have not gone on.
    pub(crate) fn buffered(&self) -> usize {
        self.input.buffered()
    }

    pub(crate) fn is_mid_frame(&self) -> bool {
        self.input.is_mid_frame()
    }

    /// Whether a frame of this type has arrived behind the next one; `seen` is how many bytes were looked at.
    pub(crate) fn has_behind(&self, tag: u8, seen: &mut usize) -> bool {
        self.input.has_behind(tag, seen)
    }

    /// The header of the next frame.
    #[inline]
    pub(crate) fn head(&mut self) -> Result<Option<Head>, FrameError> {
        let head = self.input.head()?;
        if !self.late.is_empty() && !self.input.is_mid_frame() {
            self.say_late();
        }
        Ok(head)
    }

    /// What was said while a frame was passing comes behind it.
    #[cold]
    fn say_late(&mut self) {
        self.collect();
        self.output.tail.extend_from_slice(&self.late);
        self.late.clear();
    }

    /// The body of the next frame, once it has arrived.
    pub(crate) fn body(&self, head: Head) -> Result<Option<&[u8]>, FrameError> {
        self.input.body(head)
    }

    /// Lets the next frame go on as it is.
    pub(crate) fn pass(&mut self, head: Head) {
        self.input.pass(head);
    }

    /// Drops the next frame.
    pub(crate) fn skip(&mut self, head: Head) {
        self.collect();
        self.input.skip(head);
    }

    /// Says something of the gateway's own, between frames.
    pub(crate) fn say(&mut self, write: impl FnOnce(&mut BytesMut)) {
        if self.input.is_mid_frame() {
            write(&mut self.late);
        } else {
            self.collect();
            write(&mut self.output.tail);
        }
    }

    /// The next frame, to be written anew, once it has arrived. Only where all of it was written is
    /// [`Lane::rewritten`] to be called.
    pub(crate) fn rewriting(&mut self, head: Head) -> Result<Option<Rewriting<'_>>, FrameError> {
        let body = self.input.body(head)?;
        Ok(body.map(|body| Rewriting { before: self.input.passing(), body, out: &mut self.output.tail }))
    }

    /// The next frame, and what goes on before it, was written anew.
    pub(crate) fn rewritten(&mut self, head: Head) {
        self.input.copied();
        self.input.skip(head);
    }

    /// Takes back so many bytes of what was written last.
    pub(crate) fn unsay(&mut self, length: usize) {
        let tail = &mut self.output.tail;
        tail.truncate(tail.len().saturating_sub(length));
    }

    fn collect(&mut self) {
        let passing = self.input.passing();
        if passing.is_empty() {
            return;
        }
        if passing.len() < SHORT {
            self.output.tail.extend_from_slice(passing);
            self.input.copied();
        } else if let Some(passed) = self.input.passed() {
            self.output.push(passed);
        }
    }

    /// Whether so much waits to be written that nothing more should be added.
    pub(crate) fn is_full(&self) -> bool {
        self.output.length() >= FULL
    }

    /// Writes what waits. Ready when nothing does any more, with whether there was anything.
    pub(crate) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<bool>> {
        self.collect();
        self.output.poll_write(cx, to)
    }
}

/// Bytes that wait to be written, in order.
#[derive(Debug, Default)]
struct Output {
    chunks: VecDeque<Bytes>,
    /// How many bytes the chunks hold.
    queued: usize,
    /// What comes behind the chunks.
    tail: BytesMut,
    unflushed: bool,
}

impl Output {
    fn length(&self) -> usize {
        self.queued + self.tail.len()
    }

    fn push(&mut self, bytes: Bytes) {
        if !self.tail.is_empty() {
            self.queued += self.tail.len();
            self.chunks.push_back(self.tail.split().freeze());
        }
        self.queued += bytes.len();
        self.chunks.push_back(bytes);
    }

    fn poll_write<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<bool>> {
        let wrote = self.length() > 0;
        while self.length() > 0 {
            let written = ready!(self.poll_slices(cx, to))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.advance(written);
        }
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(wrote))
    }

    fn poll_slices<W: AsyncWrite + Unpin>(&self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<usize>> {
        if self.chunks.is_empty() {
            return Pin::new(to).poll_write(cx, &self.tail);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let waiting = self.chunks.iter().map(Bytes::as_ref).chain([self.tail.as_ref()]);
        for (slice, bytes) in slices.iter_mut().zip(waiting) {
            *slice = IoSlice::new(bytes);
        }
        let used = slices.get(..(self.chunks.len() + 1).min(SLICES)).unwrap_or_default();
        Pin::new(to).poll_write_vectored(cx, used)
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(chunk) = self.chunks.front_mut() {
            let step = written.min(chunk.len());
            self.queued -= step;
            chunk.advance(step);
            written -= step;
            if !chunk.is_empty() {
                return;
            }
            self.chunks.pop_front();
        }
        self.tail.advance(written);
        // What an answer of many bytes needed is given back with the next one of few.
        if self.tail.is_empty() && self.tail.capacity() > SHORT.max(4 * written) {
            self.tail = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(bytes: &[u8]) -> Lane {
        let mut lane = Lane::new(Way::FromServer, Limits::default());
        lane.room().extend_from_slice(bytes);
        lane
    }

    /// What comes out at a peer that takes a few bytes at a time.
    fn written(lane: &mut Lane) -> Vec<u8> {
        struct Narrow(Vec<u8>);
        impl AsyncWrite for Narrow {
            fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                let taken = bytes.len().min(3);
                self.0.extend_from_slice(&bytes[..taken]);
                Poll::Ready(Ok(taken))
            }
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        let mut to = Narrow(Vec::new());
        let polled = lane.poll_write(&mut Context::from_waker(std::task::Waker::noop()), &mut to);
        assert!(matches!(polled, Poll::Ready(Ok(_))));
        assert_eq!(lane.output.length(), 0);
        to.0
    }

    #[test]
    fn what_passes_what_is_dropped_and_what_is_said_keep_their_order() {
        let mut lane = lane(b"1\0\0\0\x042\0\0\0\x04n\0\0\0\x04");
        let head = lane.head().unwrap().unwrap();
        lane.pass(head);
        lane.say(|out| out.extend_from_slice(b"(said)"));
        let head = lane.head().unwrap().unwrap();
        lane.skip(head);
        let head = lane.head().unwrap().unwrap();
        lane.pass(head);
        assert_eq!(written(&mut lane), b"1\0\0\0\x04(said)n\0\0\0\x04");
    }

    #[test]
    fn nothing_is_said_in_the_middle_of_a_frame() {
        let mut lane = lane(b"D\0\0\0\x08ab");
        let head = lane.head().unwrap().unwrap();
        lane.pass(head);
        lane.say(|out| out.extend_from_slice(b"(said)"));
        lane.room().extend_from_slice(b"cdZ");
        assert_eq!(lane.head(), Ok(None));
        assert_eq!(written(&mut lane), b"D\0\0\0\x08abcd(said)");
    }

    #[test]
    fn long_and_short_slices_keep_their_order() {
        let long = [&b"d\0\0\x08\x04"[..], &[b'x'; 2048]].concat();
        let mut lane = lane(&[&b"c\0\0\0\x04"[..], &long, &long, b"c\0\0\0\x04"].concat());
        let mut expected = Vec::new();
        while let Some(head) = lane.head().unwrap() {
            lane.pass(head);
            lane.say(|out| out.extend_from_slice(b"!"));
            expected.extend_from_slice(if head.tag == b'd' { &long } else { b"c\0\0\0\x04" });
            expected.push(b'!');
        }
        assert!(!lane.is_full());
        assert_eq!(written(&mut lane), expected);
    }
}
