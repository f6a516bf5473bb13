//! Cuts a stream of bytes into PostgreSQL's frames, and refuses what PostgreSQL refuses, before it is complete.
//!
//! A frame is one byte for its type, four for its length (which counts itself, not the type), and its body. Nothing is
//! allocated from a declared length: the buffer grows by what arrives, and only a frame that must be looked at as a
//! whole is gathered in it. What needs no look passes in the pieces in which it comes, and frames that follow one
//! another go on as one slice without a copy.

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes before a frame's body: its type and its length.
pub const HEADER: usize = 5;

/// How much room is offered to a read of a peer that says much at a time.
const CHUNK: usize = 32 * 1024;

/// How much room is offered to a read of one that does not: most sessions, most of the time.
const SMALL_CHUNK: usize = 4 * 1024;

/// PostgreSQL's limit for messages of a client that carry no data (`PQ_SMALL_MESSAGE_LIMIT`).
const SMALL_FROM_CLIENT: usize = 10_000;

/// libpq's limit for messages of a server that carry no data.
const SMALL_FROM_SERVER: usize = 30_000;

/// PostgreSQL's limit for any message (`PQ_LARGE_MESSAGE_LIMIT`).
const LARGEST: usize = 0x3fff_ffff;

/// Which peer the bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    FromClient,
    /// From the server to the client.
    FromServer,
}

/// How large a frame may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Queries, statements, parameters, function calls and copied data from a client.
    pub from_client: usize,
    /// Frames of a server that must be looked at as a whole: rows to be masked, descriptions, errors.
    pub looked_at: usize,
}

impl Default for Limits {
    /// 64 MiB each way.
    fn default() -> Self {
        Self { from_client: 64 << 20, looked_at: 64 << 20 }
    }
}

/// The header of a frame: small enough to be handed on in a register, for every message passes many hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The message type.
    pub tag: u8,
    /// What the frame declares: its length without its type.
    declared: u32,
}

impl Head {
    /// The length of the whole frame, header included.
    #[must_use]
    pub fn length(self) -> usize {
        as_usize(self.declared).saturating_add(1)
    }
}

/// Why a stream cannot be cut into frames. The connection cannot go on: its boundaries are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A type that this peer never sends once a session stands.
    #[error("invalid message type {0}")]
    Tag(u8),
    /// Shorter than its own length field.
    #[error("invalid message length")]
    Short,
    /// Longer than this type may be.
    #[error("message of {length} bytes is longer than the {limit} allowed for its type")]
    Long {
        /// What the header declares.
        length: u32,
        /// What is allowed.
        limit: u32,
    },
}

/// What a message type is limited to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Small,
    Large,
    /// Large, and good to pass without a look.
    Data,
}

fn client_size(tag: u8) -> Option<Size> {
    match tag {
        b'Q' | b'P' | b'B' | b'F' => Some(Size::Large),
        b'd' => Some(Size::Data),
        b'D' | b'E' | b'C' | b'S' | b'H' | b'c' | b'f' | b'X' => Some(Size::Small),
        _ => None,
    }
}

fn server_size(tag: u8) -> Option<Size> {
    match tag {
        b'D' | b'd' | b'V' => Some(Size::Data),
        b'T' | b't' | b'E' | b'N' | b'A' => Some(Size::Large),
        b'1' | b'2' | b'3' | b'C' | b'G' | b'H' | b'I' | b'S' | b'W' | b'Z' | b'c' | b'n' | b's' => Some(Size::Small),
        _ => None,
    }
}

/// Whether a declared length is no more than `most`.
fn within(length: u32, most: usize) -> Result<(), FrameError> {
    let limit = u32::try_from(most).unwrap_or(u32::MAX);
    if length > limit { Err(FrameError::Long { length, limit }) } else { Ok(()) }
}

fn as_usize(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// What is still to come of a frame that passes in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Pass(usize),
    Drop(usize),
}

/// Cuts the bytes of one peer into frames.
///
/// ```
/// use hoop_pg::frame::{Limits, Splitter, Way};
///
/// let mut splitter = Splitter::new(Way::FromClient, Limits::default());
/// splitter.room().extend_from_slice(b"Q\0\0\0\x0dSELECT 1\0S\0\0");
/// let head = splitter.head()?.expect("a whole header");
/// assert_eq!(splitter.body(head)?, Some(&b"SELECT 1\0"[..]));
/// splitter.pass(head);
/// assert_eq!(splitter.head()?, None);
/// assert_eq!(splitter.passed().as_deref(), Some(&b"Q\0\0\0\x0dSELECT 1\0"[..]));
/// # Ok::<(), hoop_pg::frame::FrameError>(())
/// ```
#[derive(Debug)]
pub struct Splitter {
    way: Way,
    limits: Limits,
    buffer: BytesMut,
    /// How much room the next read is offered, about.
    chunk: usize,
    /// Bytes at the front of the buffer that go on as they are.
    passing: usize,
    rest: Rest,
}

impl Splitter {
    /// A splitter for what comes from one peer.
    #[must_use]
    pub fn new(way: Way, limits: Limits) -> Self {
        Self { way, limits, buffer: BytesMut::new(), chunk: SMALL_CHUNK, passing: 0, rest: Rest::Pass(0) }
    }

    /// The buffer, with room for the next read at its end.
    pub fn room(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < self.chunk / 2 {
            if self.buffer.is_empty() {
                self.buffer = BytesMut::with_capacity(self.chunk);
            } else {
                self.buffer.reserve(self.chunk);
            }
        }
        &mut self.buffer
    }

    /// A read brought so many bytes: where they filled the room, the next one is offered more, where they were few, less.
    pub fn arrived(&mut self, length: usize) {
        if self.buffer.len() == self.buffer.capacity() {
            self.chunk = CHUNK.min(self.chunk * 2);
        } else if length < self.chunk / 4 {
            self.chunk = SMALL_CHUNK.max(self.chunk / 2);
        }
    }

    /// How many bytes have arrived and not gone on.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the peer is in the middle of a frame that passes in pieces.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        !matches!(self.rest, Rest::Pass(0) | Rest::Drop(0))
    }

    /// The header of the next frame, as soon as it has arrived and is one that this peer may send.
    ///
    /// # Errors
    /// Where no frame of the peer may begin like this.
    #[inline]
    pub fn head(&mut self) -> Result<Option<Head>, FrameError> {
        if self.is_mid_frame() {
            self.go_on();
            if self.is_mid_frame() {
                return Ok(None);
            }
        }
        self.head_at(self.passing)
    }

    /// Whether a frame of this type has begun to arrive behind the next one, with only whole frames between. `seen` is how
    /// many bytes of the next frame and those behind it were looked at; nothing is looked at twice.
    #[must_use]
    pub fn has_behind(&self, tag: u8, seen: &mut usize) -> bool {
        while let Ok(Some(head)) = self.head_at(self.passing.saturating_add(*seen)) {
            if head.tag == tag {
                return true;
            }
            *seen = seen.saturating_add(head.length());
        }
        false
    }

    #[inline]
    fn head_at(&self, at: usize) -> Result<Option<Head>, FrameError> {
        let unread = self.buffer.get(at..).unwrap_or_default();
        let Some(&[tag, a, b, c, d]) = unread.first_chunk::<HEADER>() else {
            return match unread.first() {
                Some(&tag) => self.size(tag).map(|_| None),
                None => Ok(None),
            };
        };
        let declared = u32::from_be_bytes([a, b, c, d]);
        self.check(tag, declared)?;
        Ok(Some(Head { tag, declared }))
    }

    #[inline]
    fn check(&self, tag: u8, length: u32) -> Result<(), FrameError> {
        let most = match (self.size(tag)?, self.way) {
            (Size::Small, Way::FromClient) => SMALL_FROM_CLIENT,
            (Size::Small, Way::FromServer) => SMALL_FROM_SERVER,
            (Size::Large | Size::Data, Way::FromClient) => self.limits.from_client,
            (Size::Large, Way::FromServer) => self.limits.looked_at,
            (Size::Data, Way::FromServer) => LARGEST,
        };
        if as_usize(length) < HEADER - 1 {
            return Err(FrameError::Short);
        }
        within(length, most)
    }

    #[inline]
    fn size(&self, tag: u8) -> Result<Size, FrameError> {
        match self.way {
            Way::FromClient => client_size(tag),
            Way::FromServer => server_size(tag),
        }
        .ok_or(FrameError::Tag(tag))
    }

    /// The body of the next frame, once all of it has arrived.
    ///
    /// # Errors
    /// Where the frame is larger than what may be gathered to be looked at.
    pub fn body(&self, head: Head) -> Result<Option<&[u8]>, FrameError> {
        let most = match self.way {
            Way::FromClient => self.limits.from_client,
            Way::FromServer => self.limits.looked_at,
        };
        within(head.declared, most)?;
        Ok(self.buffer.get(self.passing + HEADER..self.passing + head.length()))
    }

    /// Lets the next frame go on as it is, in pieces where it has not all arrived.
    #[inline]
    pub fn pass(&mut self, head: Head) {
        self.rest = Rest::Pass(head.length());
        self.go_on();
    }

    /// Drops the next frame, in pieces where it has not all arrived. What passed before it must have been taken.
    pub fn skip(&mut self, head: Head) {
        debug_assert_eq!(self.passing, 0, "what passed is taken before something is dropped");
        self.rest = Rest::Drop(head.length());
        self.go_on();
    }

    #[inline]
    fn go_on(&mut self) {
        let arrived = self.buffer.len() - self.passing;
        match self.rest {
            Rest::Pass(rest) => {
                let step = rest.min(arrived);
                self.passing += step;
                self.rest = Rest::Pass(rest - step);
            }
            Rest::Drop(rest) => {
                let step = rest.min(arrived);
                self.advance(step);
                self.rest = Rest::Drop(rest - step);
            }
        }
    }

    /// The bytes that go on as they are.
    #[must_use]
    pub fn passing(&self) -> &[u8] {
        self.buffer.get(..self.passing).unwrap_or_default()
    }

    /// Takes what goes on as it is, if anything does.
    pub fn passed(&mut self) -> Option<Bytes> {
        let length = core::mem::take(&mut self.passing);
        if length == 0 {
            return None;
        }
        let taken = self.buffer.split_to(length);
        self.give_back(length);
        Some(taken.freeze())
    }

    /// Drops what goes on as it is, which was copied from [`Splitter::passing`]: where it is short, that costs less than to
    /// take it.
    pub fn copied(&mut self) {
        let length = core::mem::take(&mut self.passing);
        if length > 0 {
            self.advance(length);
        }
    }

    fn advance(&mut self, length: usize) {
        self.buffer.advance(length);
        self.give_back(length);
    }

    /// A buffer that grew to gather bytes goes with them.
    fn give_back(&mut self, taken: usize) {
        if taken > 2 * CHUNK && self.buffer.len() <= CHUNK {
            self.buffer = BytesMut::from(self.buffer.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn splitter(way: Way, bytes: &[u8]) -> Splitter {
        let mut splitter = Splitter::new(way, Limits { from_client: 1000, looked_at: 2000 });
        splitter.room().extend_from_slice(bytes);
        splitter
    }

    fn check(way: Way, bytes: &[u8], expected: Result<Option<(u8, usize)>, FrameError>) {
        let found = splitter(way, bytes).head().map(|head| head.map(|head| (head.tag, head.length())));
        assert_eq!(found, expected, "{way:?} {bytes:?}");
    }

    #[test]
    fn a_header_is_judged_as_soon_as_it_arrives() {
        use Way::{FromClient, FromServer};
        check(FromClient, b"", Ok(None));
        check(FromClient, b"Q", Ok(None));
        check(FromClient, b"Q\0\0\0", Ok(None));
        check(FromClient, b"Q\0\0\0\x04", Ok(Some((b'Q', 5))));
        check(FromClient, b"Q\0\0\0\x0dSEL", Ok(Some((b'Q', 14))));
        check(FromClient, b"q", Err(FrameError::Tag(b'q')));
        check(FromClient, b"p", Err(FrameError::Tag(b'p')));
        check(FromClient, b"T", Err(FrameError::Tag(b'T')));
        check(FromClient, b"\0", Err(FrameError::Tag(0)));
        check(FromClient, b"S\0\0\0\x03", Err(FrameError::Short));
        check(FromClient, b"Q\0\0\0\0", Err(FrameError::Short));
        check(FromClient, b"Q\xff\xff\xff\xff", Err(FrameError::Long { length: 0xffff_ffff, limit: 1000 }));
        check(FromClient, b"d\x7f\xff\xff\xff", Err(FrameError::Long { length: 0x7fff_ffff, limit: 1000 }));
        check(FromClient, b"E\0\0\x27\x11", Err(FrameError::Long { length: 10_001, limit: 10_000 }));
        check(FromClient, b"E\0\0\x27\x10", Ok(Some((b'E', 10_001))));
        check(FromServer, b"Q", Err(FrameError::Tag(b'Q')));
        check(FromServer, b"R", Err(FrameError::Tag(b'R')));
        check(FromServer, b"W", Ok(None));
        check(FromServer, b"v", Err(FrameError::Tag(b'v')));
        check(FromServer, b"D\x3f\xff\xff\xff", Ok(Some((b'D', 0x4000_0000))));
        check(FromServer, b"D\x40\0\0\0", Err(FrameError::Long { length: 0x4000_0000, limit: 0x3fff_ffff }));
        check(FromServer, b"T\0\0\x08\0", Err(FrameError::Long { length: 2048, limit: 2000 }));
        check(FromServer, b"Z\0\0\x75\x31", Err(FrameError::Long { length: 30_001, limit: 30_000 }));
    }

    #[test]
    fn a_row_too_large_to_look_at_can_still_pass() {
        let mut splitter = splitter(Way::FromServer, b"D\x3f\xff\xff\xffabc");
        let head = splitter.head().unwrap().unwrap();
        assert!(matches!(splitter.body(head), Err(FrameError::Long { limit: 2000, .. })));
        splitter.pass(head);
        assert_eq!(splitter.passed().unwrap(), &b"D\x3f\xff\xff\xffabc"[..]);
        assert!(splitter.is_mid_frame());
        splitter.room().extend_from_slice(b"defg");
        assert_eq!(splitter.head(), Ok(None));
        assert_eq!(splitter.passed().unwrap(), &b"defg"[..]);
    }

    #[test]
    fn frames_that_pass_go_on_as_one_slice() {
        let mut splitter = splitter(Way::FromServer, b"1\0\0\0\x042\0\0\0\x04n\0\0\0\x04C");
        for _ in 0..2 {
            let head = splitter.head().unwrap().unwrap();
            splitter.pass(head);
        }
        assert_eq!(splitter.passed().unwrap(), &b"1\0\0\0\x042\0\0\0\x04"[..]);
        let head = splitter.head().unwrap().unwrap();
        splitter.skip(head);
        assert_eq!((splitter.head(), splitter.buffered(), splitter.passed()), (Ok(None), 1, None));
    }

    #[test]
    fn what_waits_behind_a_frame_is_seen() {
        let mut splitter = splitter(Way::FromClient, b"S\0\0\0\x04H\0\0\0\x04X\0\0\0\x04Q");
        let head = splitter.head().unwrap().unwrap();
        let has_behind = |splitter: &Splitter, tag| {
            let mut seen = head.length();
            (splitter.has_behind(tag, &mut seen), seen)
        };
        assert_eq!(has_behind(&splitter, b'X'), (true, 10));
        assert_eq!(has_behind(&splitter, b'Q'), (false, 15));
        assert_eq!(has_behind(&splitter, b'S'), (false, 15));
        splitter.room().extend_from_slice(b"\0\0\0\x05\0X\0\0\0\x04");
        assert!(splitter.has_behind(b'X', &mut 15));
    }

    #[test]
    fn a_buffer_that_grew_is_given_back() {
        let mut splitter = Splitter::new(Way::FromClient, Limits::default());
        splitter.room().extend_from_slice(&[b'Q', 0, 0x10, 0, 0]);
        splitter.room().extend_from_slice(&vec![b' '; 0x10_0000 - 4]);
        let head = splitter.head().unwrap().unwrap();
        splitter.pass(head);
        assert_eq!(splitter.passed().unwrap().len(), 0x10_0001);
        assert!(splitter.room().capacity() <= 2 * CHUNK);
    }

    #[test]
    fn reads_are_offered_as_much_as_they_use() {
        let mut splitter = Splitter::new(Way::FromServer, Limits::default());
        let mut read = |bytes: usize| {
            let room = splitter.room();
            let offered = room.capacity() - room.len();
            let length = bytes.min(offered);
            room.extend_from_slice(&vec![b' '; length]);
            splitter.arrived(length);
            drop(splitter.buffer.split());
            offered
        };
        assert_eq!(read(100), SMALL_CHUNK);
        for _ in 0..8 {
            read(usize::MAX);
        }
        assert_eq!(read(usize::MAX), CHUNK);
        for _ in 0..8 {
            read(10);
        }
        splitter.buffer = BytesMut::new();
        assert_eq!(splitter.room().capacity(), SMALL_CHUNK);
    }

    /// What comes out when the bytes arrive in these pieces: rows pass, all else is gathered, `S` is dropped.
    fn run(way: Way, pieces: &[&[u8]]) -> (Vec<u8>, Vec<Vec<u8>>, Option<FrameError>) {
        let mut splitter = Splitter::new(way, Limits { from_client: 1000, looked_at: 2000 });
        let (mut out, mut bodies) = (Vec::new(), Vec::new());
        for piece in pieces {
            splitter.room().extend_from_slice(piece);
            let error = drain(&mut splitter, &mut out, &mut bodies).err();
            out.extend(splitter.passed().unwrap_or_default());
            if error.is_some() {
                return (out, bodies, error);
            }
        }
        (out, bodies, None)
    }

    fn drain(splitter: &mut Splitter, out: &mut Vec<u8>, bodies: &mut Vec<Vec<u8>>) -> Result<(), FrameError> {
        while let Some(head) = splitter.head()? {
            match head.tag {
                b'D' | b'd' => splitter.pass(head),
                b'S' => {
                    out.extend(splitter.passed().unwrap_or_default());
                    splitter.skip(head);
                }
                _ => match splitter.body(head)? {
                    Some(body) => {
                        bodies.push(body.to_vec());
                        splitter.pass(head);
                    }
                    None => break,
                },
            }
        }
        Ok(())
    }

    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let tag = prop::sample::select(b"QPBDECSHdcfXTdZ1Iq".to_vec());
        let frame = (tag, prop::collection::vec(any::<u8>(), 0..40), 0..20_u32).prop_map(|(tag, body, skew)| {
            let length = u32::try_from(body.len()).unwrap() + if skew == 0 { 1 } else { 4 };
            [&[tag][..], &length.to_be_bytes(), &body].concat()
        });
        prop::collection::vec(frame, 0..12).prop_map(|frames| frames.concat())
    }

    proptest! {
        #[test]
        fn any_segmentation_gives_the_same(
            bytes in prop_oneof![frames(), prop::collection::vec(any::<u8>(), 0..200)],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            client in any::<bool>(),
        ) {
            let way = if client { Way::FromClient } else { Way::FromServer };
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(run(way, &pieces), run(way, &[&bytes]));
        }
    }
}
