//! Fragments that wait for the rest of their datagram, whatever the IP version (RFC 815 for the idea, RFC 5722 for what
//! overlaps deserve).
//!
//! Fragments are kept as the frames they came in, sorted by offset, until their payloads meet without a gap; kept whole,
//! they can each be recorded with a cause when the rest does not come. An overlap is never legitimate: the datagram is
//! lost, and what else comes of it goes the same way until its time is up. What a datagram is known by, how long its
//! fragments wait, and how a packet is made of them is the caller's business.

use std::collections::BTreeMap;

use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::pool::Buffer;
use crate::wire::{Frame, Layer};

/// How many datagrams a machine puts together at once.
pub(super) const DATAGRAMS_MAX: usize = 1024;

/// How many fragments one datagram may have: 65,535 bytes at the least MTU of 68, 48 bytes of payload each, are 1366.
pub(super) const FRAGMENTS_MAX: usize = 1366;

/// How many bytes may wait in all. As on Linux, 4 MiB.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// One fragment and which bytes of the datagram's payload it holds.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where its payload belongs.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where in the frame its payload begins.
    pub(super) payload_at: usize,
    /// It is not the last.
    pub(super) more_follow: bool,
    pub(super) frame: Frame,
}

impl Piece {
    fn payload(&self) -> &[u8] {
        &self.frame.bytes()[self.payload_at..self.payload_at + self.end - self.start]
    }
}

/// What became of a fragment.
#[derive(Debug)]
pub(super) enum Kept {
    /// It waits for others. With a time: it was the first to come, and will wait until then.
    Waiting(Option<Time>),
    /// It was the last to come.
    Complete(Complete),
    /// It cannot be used.
    Refused(Frame, Cause),
    /// It contradicts others, and all of them are lost.
    Overlap(Vec<Frame>),
}

/// All pieces of a datagram, in order, without gaps.
#[derive(Debug)]
pub(super) struct Complete {
    pieces: Vec<Piece>,
    /// The piece that gives the whole its identity: without it there would be no packet.
    last_to_come: usize,
    /// Until when they would have waited.
    pub(super) deadline: Time,
    /// How long the payload is.
    pub(super) length: usize,
}

impl Complete {
    /// How many pieces there are.
    pub(super) fn count(&self) -> usize {
        self.pieces.len()
    }

    /// The packet that the first piece came in.
    pub(super) fn first_packet(&self) -> &[u8] {
        self.pieces[0].frame.bytes()
    }

    /// Where the first piece's payload begins in its packet: how long its headers are.
    pub(super) fn first_payload_at(&self) -> usize {
        self.pieces[0].payload_at
    }

    /// Writes the payload of all.
    pub(super) fn copy_payload(&self, to: &mut [u8]) {
        for piece in &self.pieces {
            to[piece.start..piece.end].copy_from_slice(piece.payload());
        }
    }

    /// Ends the pieces; `buffer` is the packet that was made of them.
    pub(super) fn into_packet(self, buffer: Buffer, out: &mut Outbox) -> Frame {
        let mut packet = Frame::new(buffer, Layer::Ip);
        let last = &self.pieces[self.last_to_come].frame;
        (packet.id, packet.cause) = (last.id, last.cause);
        self.pieces.iter().for_each(|piece| packet.inherit_doubts(&piece.frame));
        self.pieces.into_iter().for_each(|piece| out.consume(piece.frame));
        packet
    }

    /// Gives up after all: all but the last to come end here, for `cause`.
    pub(super) fn into_refused(mut self, cause: Cause, out: &mut Outbox) -> Frame {
        let frame = self.pieces.swap_remove(self.last_to_come).frame;
        self.pieces.drain(..).for_each(|piece| out.drop_frame(piece.frame, cause));
        frame
    }
}

#[derive(Debug)]
struct Partial {
    /// When the fragments that came are given up.
    deadline: Time,
    /// Sorted by `start`, without overlaps.
    pieces: Vec<Piece>,
    /// How many bytes of payload have come.
    received: usize,
    /// How many there will be; known once the last fragment has come.
    total: Option<usize>,
    /// An overlap was seen.
    is_spoilt: bool,
}

/// Datagrams of which some fragments have come, each known by a `K`.
#[derive(Debug)]
pub(super) struct Partials<K> {
    partials: BTreeMap<K, Partial>,
    /// Bytes of all frames that wait.
    bytes: usize,
}

impl<K> Default for Partials<K> {
    fn default() -> Self {
        Self { partials: BTreeMap::new(), bytes: 0 }
    }
}

impl<K: Ord + Copy> Partials<K> {
    /// Takes a fragment, which is not empty. The first one of a datagram waits until `deadline`, which is the caller's to
    /// keep: [`Partials::expire`].
    pub(super) fn add(&mut self, key: K, piece: Piece, deadline: Time) -> Kept {
        let is_new = !self.partials.contains_key(&key);
        let is_full = is_new && self.partials.len() >= DATAGRAMS_MAX;
        if is_full || self.bytes + piece.frame.len() > BYTES_MAX {
            return Kept::Refused(piece.frame, Cause::ReassemblyLimit);
        }
        let partial = self.partials.entry(key).or_insert_with(|| Partial::new(deadline));
        if partial.is_spoilt {
            return Kept::Refused(piece.frame, Cause::FragmentOverlap);
        }
        let (start, end) = (piece.start, piece.end);
        let place = partial.pieces.partition_point(|other| other.start < start);
        if let Some(same) = partial.pieces.get(place).filter(|other| (other.start, other.end) == (start, end))
            && same.payload() == piece.payload()
            && (partial.total == Some(end)) != piece.more_follow
        {
            return Kept::Refused(piece.frame, Cause::DuplicateFragment);
        }
        if partial.contradicts(&piece, place) {
            let mut lost: Vec<Frame> =
                std::mem::take(&mut partial.pieces).into_iter().map(|piece| piece.frame).collect();
            partial.is_spoilt = true;
            self.bytes -= lost.iter().map(Frame::len).sum::<usize>();
            lost.push(piece.frame);
            return Kept::Overlap(lost);
        }
        if partial.pieces.len() >= FRAGMENTS_MAX {
            return Kept::Refused(piece.frame, Cause::ReassemblyLimit);
        }
        if !piece.more_follow {
            partial.total = Some(end);
        }
        partial.received += end - start;
        self.bytes += piece.frame.len();
        partial.pieces.insert(place, piece);
        if partial.total != Some(partial.received) {
            return Kept::Waiting(is_new.then_some(partial.deadline));
        }
        let Partial { deadline, pieces, received, .. } = self.partials.remove(&key).expect("it was just added to");
        self.bytes -= pieces.iter().map(|piece| piece.frame.len()).sum::<usize>();
        Kept::Complete(Complete { pieces, last_to_come: place, deadline, length: received })
    }

    /// The time for these fragments is up: all of them, the first part of the datagram first if it has come.
    ///
    /// The flag says whether it has. `None` if the datagram was put together meanwhile.
    pub(super) fn expire(&mut self, key: K) -> Option<(bool, Vec<Frame>)> {
        let partial = self.partials.remove(&key)?;
        let has_first = partial.pieces.first().is_some_and(|piece| piece.start == 0);
        let frames: Vec<Frame> = partial.pieces.into_iter().map(|piece| piece.frame).collect();
        self.bytes -= frames.iter().map(Frame::len).sum::<usize>();
        Some((has_first, frames))
    }

    /// Every frame that waits, the table left empty.
    pub(super) fn drain(&mut self) -> Vec<Frame> {
        self.bytes = 0;
        let partials = std::mem::take(&mut self.partials).into_values();
        partials.flat_map(|partial| partial.pieces).map(|piece| piece.frame).collect()
    }

    /// How many datagrams and bytes wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.partials.len(), self.bytes)
    }

    /// The first datagram that waits.
    #[cfg(test)]
    pub(super) fn first_key(&self) -> Option<K> {
        self.partials.keys().next().copied()
    }
}

impl Partial {
    fn new(deadline: Time) -> Self {
        Self { deadline, pieces: Vec::new(), received: 0, total: None, is_spoilt: false }
    }

    /// Whether `piece`, which would stand at `place`, does not go together with what has come.
    fn contradicts(&self, piece: &Piece, place: usize) -> bool {
        let overlaps_previous = place > 0 && self.pieces[place - 1].end > piece.start;
        let overlaps_next = self.pieces.get(place).is_some_and(|next| next.start < piece.end);
        let ends_elsewhere = match self.total {
            Some(total) if piece.more_follow => piece.end >= total,
            Some(total) => piece.end != total,
            None => !piece.more_follow && self.pieces.last().is_some_and(|last| last.end > piece.start),
        };
        overlaps_previous || overlaps_next || ends_elsewhere
    }
}
