//! Putting fragments together again (RFC 791 §3.2, RFC 815 for the idea, RFC 5722 for what overlaps deserve).
//!
//! Fragments are kept as the frames they came in, sorted by offset, until their payloads meet without a gap. Then one
//! packet is made of them. Kept whole, they can each be recorded with a cause when the rest does not come. An overlap
//! is never legitimate: the datagram is lost, and what else comes of it goes the same way until its time is up.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::Ipv4Packet;

use super::header::{Header, PACKET_BYTES_MAX};
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::{Frame, Layer};

/// How long fragments wait for the rest, from the first one's arrival. Linux waits 30 s; RFC 1122 §3.3.2 would have at
/// least 60 s, from times of slower links.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// How many datagrams a machine puts together at once.
pub(super) const DATAGRAMS_MAX: usize = 1024;

/// How many fragments one datagram may have: 65,535 bytes at the least MTU of 68, 48 bytes of payload each, are 1366.
pub(super) const FRAGMENTS_MAX: usize = 1366;

/// How many bytes may wait in all. As on Linux, 4 MiB.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// RFC 791: "The internet identification field (ID) is used together with the source and destination address, and the
/// protocol fields, to identify datagram fragments for reassembly."
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FragmentKey {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ident: u16,
    protocol: u8,
}

impl FragmentKey {
    pub(super) fn of(header: &Header) -> Self {
        let Header { source, destination, ident, protocol, .. } = *header;
        Self { source, destination, ident, protocol: protocol.into() }
    }

    /// For whom the datagram is.
    pub(super) fn destination(&self) -> Ipv4Addr {
        self.destination
    }
}

/// What became of a fragment.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It waits for others. With a time: it was the first to come, and will wait until then.
    Kept(Option<Time>),
    /// It was the last to come: the whole packet, of how many fragments it was made, and until when it would have
    /// waited.
    Whole { packet: Frame, fragments: usize, deadline: Time },
    /// It cannot be used.
    Refused(Frame, Cause),
    /// It contradicts others, and all of them are lost.
    Overlap(Vec<Frame>),
}

/// One fragment and which bytes of the payload it holds.
#[derive(Debug)]
struct Piece {
    start: usize,
    end: usize,
    header_length: usize,
    frame: Frame,
}

impl Piece {
    fn payload(&self) -> &[u8] {
        &self.frame.bytes()[self.header_length..self.header_length + self.end - self.start]
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

/// Datagrams of which some fragments have come.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    partials: BTreeMap<FragmentKey, Partial>,
    /// Bytes of all frames that wait.
    bytes: usize,
}

impl Reassembly {
    /// Takes a fragment. Its deadline, when asked for, is the caller's to keep: [`Reassembly::expire`].
    pub(super) fn add(&mut self, header: &Header, fragment: Frame, now: Time, out: &mut Outbox) -> Verdict {
        let (start, end) = (header.offset, header.offset + header.total_length - header.length);
        // RFC 791: the length of all but the last is a multiple of eight bytes. The whole must fit its length field:
        // "ping of death".
        let is_odd = header.more_fragments && !(end - start).is_multiple_of(8);
        if start == end || is_odd || end + header.length > PACKET_BYTES_MAX {
            return Verdict::Refused(fragment, Cause::Malformed);
        }
        let key = FragmentKey::of(header);
        let is_new = !self.partials.contains_key(&key);
        let is_full = is_new && self.partials.len() >= DATAGRAMS_MAX;
        if is_full || self.bytes + fragment.len() > BYTES_MAX {
            return Verdict::Refused(fragment, Cause::ReassemblyLimit);
        }
        let partial = self.partials.entry(key).or_insert_with(|| Partial::new(now + TIMEOUT));
        if partial.is_spoilt {
            return Verdict::Refused(fragment, Cause::FragmentOverlap);
        }
        let piece = Piece { start, end, header_length: header.length, frame: fragment };
        let place = partial.pieces.partition_point(|other| other.start < start);
        if let Some(same) = partial.pieces.get(place).filter(|other| (other.start, other.end) == (start, end))
            && same.payload() == piece.payload()
            && (partial.total == Some(end)) != header.more_fragments
        {
            return Verdict::Refused(piece.frame, Cause::DuplicateFragment);
        }
        if partial.contradicts(&piece, place, header.more_fragments) {
            let mut lost: Vec<Frame> =
                std::mem::take(&mut partial.pieces).into_iter().map(|piece| piece.frame).collect();
            partial.is_spoilt = true;
            self.bytes -= lost.iter().map(Frame::len).sum::<usize>();
            lost.push(piece.frame);
            return Verdict::Overlap(lost);
        }
        if partial.pieces.len() >= FRAGMENTS_MAX {
            return Verdict::Refused(piece.frame, Cause::ReassemblyLimit);
        }
        if !header.more_fragments {
            partial.total = Some(end);
        }
        partial.received += end - start;
        self.bytes += piece.frame.len();
        partial.pieces.insert(place, piece);
        if partial.total != Some(partial.received) {
            return Verdict::Kept(is_new.then_some(partial.deadline));
        }
        let partial = self.partials.remove(&key).expect("it was just added to");
        self.bytes -= partial.pieces.iter().map(|piece| piece.frame.len()).sum::<usize>();
        partial.assemble(place, out)
    }

    /// The time for these fragments is up: all of them, the first part of the datagram first if it has come.
    ///
    /// The flag says whether it has. `None` if the datagram was put together meanwhile.
    pub(super) fn expire(&mut self, key: FragmentKey) -> Option<(bool, Vec<Frame>)> {
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
}

impl Partial {
    fn new(deadline: Time) -> Self {
        Self { deadline, pieces: Vec::new(), received: 0, total: None, is_spoilt: false }
    }

    /// Whether `piece`, which would stand at `place`, does not go together with what has come.
    fn contradicts(&self, piece: &Piece, place: usize, more_follow: bool) -> bool {
        let overlaps_previous = place > 0 && self.pieces[place - 1].end > piece.start;
        let overlaps_next = self.pieces.get(place).is_some_and(|next| next.start < piece.end);
        let ends_elsewhere = match self.total {
            Some(total) if more_follow => piece.end >= total,
            Some(total) => piece.end != total,
            None => !more_follow && self.pieces.last().is_some_and(|last| last.end > piece.start),
        };
        overlaps_previous || overlaps_next || ends_elsewhere
    }

    /// One packet of all pieces. The one at `last_to_come` gives it its identity: without it there would be no packet.
    fn assemble(mut self, last_to_come: usize, out: &mut Outbox) -> Verdict {
        let first = &self.pieces[0];
        let total_length = first.header_length + self.received;
        if total_length > PACKET_BYTES_MAX {
            // Only when the first fragment has more options than the one that was checked.
            let frame = self.pieces.swap_remove(last_to_come).frame;
            self.pieces.drain(..).for_each(|piece| out.drop_frame(piece.frame, Cause::Malformed));
            return Verdict::Refused(frame, Cause::Malformed);
        }
        let mut buffer = out.buffer(total_length);
        let bytes = buffer.bytes_mut();
        bytes[..first.header_length].copy_from_slice(&first.frame.bytes()[..first.header_length]);
        for piece in &self.pieces {
            bytes[first.header_length + piece.start..first.header_length + piece.end].copy_from_slice(piece.payload());
        }
        let mut ip = Ipv4Packet::new_unchecked(bytes);
        ip.set_total_len(total_length as u16);
        ip.set_more_frags(false);
        ip.set_frag_offset(0);
        ip.fill_checksum();
        let mut packet = Frame::new(buffer, Layer::Ip);
        packet.id = self.pieces[last_to_come].frame.id;
        packet.cause = self.pieces[last_to_come].frame.cause;
        packet.damaged = self.pieces.iter().any(|piece| piece.frame.damaged);
        let fragments = self.pieces.len();
        self.pieces.into_iter().for_each(|piece| out.consume(piece.frame));
        Verdict::Whole { packet, fragments, deadline: self.deadline }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::machine::fragment::fragment;
    use crate::node::machine::header::NewHeader;
    use proptest::prelude::*;
    use smoltcp::wire::IpProtocol;

    fn new_header(ident: u16) -> NewHeader {
        NewHeader {
            source: Ipv4Addr::new(10, 0, 0, 1),
            destination: Ipv4Addr::new(10, 0, 0, 2),
            protocol: IpProtocol::Unknown(99),
            ttl: 9,
            tos: 0,
            ident,
            dont_fragment: false,
        }
    }

    /// The fragments of a packet whose payload bytes are their own offsets.
    fn fragments(ident: u16, payload_length: usize, mtu: usize) -> Vec<Frame> {
        let mut out = Outbox::default();
        let mut whole = new_header(ident).packet(payload_length, &mut out);
        for (index, byte) in whole.bytes_mut()[20..].iter_mut().enumerate() {
            *byte = (index / 7) as u8;
        }
        let header = Header::of_received(whole.bytes()).unwrap();
        let mut list = Vec::new();
        fragment(whole, &header, mtu, &mut out, |fragment, _| list.push(fragment));
        list
    }

    /// A fragment with these bytes at this offset.
    fn piece(ident: u16, offset: usize, payload: &[u8], more: bool) -> Frame {
        let mut frame = new_header(ident).packet(payload.len(), &mut Outbox::default());
        frame.bytes_mut()[20..].copy_from_slice(payload);
        let mut ip = Ipv4Packet::new_unchecked(frame.bytes_mut());
        ip.set_frag_offset(offset as u16);
        ip.set_more_frags(more);
        ip.fill_checksum();
        frame
    }

    fn add(table: &mut Reassembly, frame: Frame) -> Verdict {
        let header = Header::of_received(frame.bytes()).unwrap();
        table.add(&header, frame, Time::ZERO, &mut Outbox::default())
    }

    fn cause(verdict: Verdict) -> Cause {
        match verdict {
            Verdict::Refused(_, cause) => cause,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn fragments_in_any_order_make_the_packet_again(
            length in 1_usize..4000, mtu in 68_usize..1500, seed: u64,
        ) {
            prop_assume!(length + 20 > mtu);
            let mut parts = fragments(5, length, mtu);
            let mut rng = crate::rng::Rng::stream(seed, "shuffle");
            for index in (1..parts.len()).rev() {
                parts.swap(index, rng.below(index as u64 + 1) as usize);
            }
            let count = parts.len();
            let mut table = Reassembly::default();
            for (index, part) in parts.into_iter().enumerate() {
                match add(&mut table, part) {
                    Verdict::Kept(deadline) => {
                        prop_assert_eq!(deadline.is_some(), index == 0);
                        prop_assert!(index + 1 < count);
                    }
                    Verdict::Whole { packet, fragments, .. } => {
                        prop_assert_eq!((index + 1, fragments), (count, count));
                        let header = Header::of_received(packet.bytes()).unwrap();
                        prop_assert!(!header.is_fragment());
                        let want: Vec<u8> = (0..length).map(|index| (index / 7) as u8).collect();
                        prop_assert_eq!(header.payload(packet.bytes()), &want[..]);
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert_eq!((table.bytes, table.partials.len()), (0, 0));
        }

        #[test]
        fn whatever_comes_every_frame_is_accounted_for(
            parts in proptest::collection::vec((0_usize..20, 0_usize..40, any::<bool>(), 0_u16..2), 1..60),
        ) {
            let (mut table, mut given_back, mut merged) = (Reassembly::default(), 0, 0);
            let count = parts.len();
            for (offset, length, more, ident) in parts {
                match add(&mut table, piece(ident, offset * 8, &vec![ident as u8; length], more)) {
                    Verdict::Kept(_) => {}
                    Verdict::Whole { fragments, .. } => merged += fragments,
                    Verdict::Refused(..) => given_back += 1,
                    Verdict::Overlap(frames) => given_back += frames.len(),
                }
            }
            let waiting = table.drain().len();
            prop_assert_eq!(given_back + merged + waiting, count);
        }
    }

    #[test]
    fn the_same_fragment_twice_is_a_duplicate_and_does_no_harm() {
        let mut table = Reassembly::default();
        assert!(matches!(add(&mut table, piece(1, 0, &[7; 16], true)), Verdict::Kept(Some(_))));
        assert_eq!(cause(add(&mut table, piece(1, 0, &[7; 16], true))), Cause::DuplicateFragment);
        assert!(matches!(add(&mut table, piece(1, 16, &[7; 3], false)), Verdict::Whole { fragments: 2, .. }));
    }

    #[test]
    fn an_overlap_loses_the_whole_datagram() {
        let overlapping = [
            piece(1, 0, &[8; 16], true),
            piece(1, 8, &[7; 16], true),
            piece(1, 0, &[7; 24], true),
            piece(1, 8, &[7; 1], false),
        ];
        for second in overlapping {
            let mut table = Reassembly::default();
            let _ = add(&mut table, piece(1, 0, &[7; 16], true));
            assert!(matches!(add(&mut table, second), Verdict::Overlap(frames) if frames.len() == 2));
            // RFC 5722 §4: "the entire datagram (and any constituent fragments, including those not yet received) MUST
            // be silently discarded."
            assert_eq!(cause(add(&mut table, piece(1, 16, &[7; 3], false))), Cause::FragmentOverlap);
            assert!(
                matches!(table.expire(table.partials.keys().next().copied().unwrap()), Some((false, frames)) if frames.is_empty())
            );
        }
    }

    #[test]
    fn two_different_ends_contradict_each_other() {
        for second in [piece(1, 16, &[7; 8], true), piece(1, 32, &[7; 1], false), piece(1, 8, &[7; 8], false)] {
            let mut table = Reassembly::default();
            let _ = add(&mut table, piece(1, 16, &[7; 8], false));
            assert!(matches!(add(&mut table, second), Verdict::Overlap(_)));
        }
    }

    #[test]
    fn a_fragment_that_reaches_beyond_the_longest_packet_is_malformed() {
        let mut table = Reassembly::default();
        // 65,512 + 20 + 3 = 65,535 fits, one more does not.
        assert!(matches!(add(&mut table, piece(1, 65_512, &[0; 3], false)), Verdict::Kept(_)));
        assert_eq!(cause(add(&mut table, piece(2, 65_512, &[0; 4], false))), Cause::Malformed);
        assert_eq!(cause(add(&mut table, piece(3, 0, &[0; 9], true))), Cause::Malformed);
        assert_eq!(cause(add(&mut table, piece(4, 8, &[], false))), Cause::Malformed);
    }

    #[test]
    fn the_number_of_datagrams_is_bounded() {
        let mut table = Reassembly::default();
        for ident in 0..DATAGRAMS_MAX {
            assert!(matches!(add(&mut table, piece(ident as u16, 0, &[0; 8], true)), Verdict::Kept(Some(_))));
        }
        assert_eq!(cause(add(&mut table, piece(60_000, 0, &[0; 8], true))), Cause::ReassemblyLimit);
        // One that has begun still ends.
        assert!(matches!(add(&mut table, piece(0, 8, &[0; 8], false)), Verdict::Whole { .. }));
        assert!(matches!(add(&mut table, piece(60_000, 0, &[0; 8], true)), Verdict::Kept(Some(_))));
    }
}
