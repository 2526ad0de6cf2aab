//! Putting IPv4 fragments together again (RFC 791 §3.2): one packet of what [`Partials`] has collected.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::header::{Header, PACKET_BYTES_MAX};
use super::pieces::{Complete, Kept, Partials, Piece};
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// How long fragments wait for the rest, from the first one's arrival. Linux waits 30 s; RFC 1122 §3.3.2 would have at
/// least 60 s, from times of slower links.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

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

/// Datagrams of which some fragments have come.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    partials: Partials<FragmentKey>,
}

impl Reassembly {
    /// Takes a fragment. Its deadline, when asked for, is the caller's to keep: [`Reassembly::expire`].
    pub(super) fn add(&mut self, header: &Header, fragment: Frame, now: Time, out: &mut Outbox) -> Verdict {
        let (start, end) = (header.offset, header.offset + header.total_length - header.length);
        // RFC 791: the length of all but the last is a multiple of eight bytes.
        let is_odd = header.more_fragments && !(end - start).is_multiple_of(8);
        if start == end || is_odd {
            return Verdict::Refused(fragment, Cause::Malformed);
        }
        // The whole must fit its length field: the "ping of death" did not.
        if end + header.length > PACKET_BYTES_MAX {
            return Verdict::Refused(fragment, Cause::FragmentBeyondEnd);
        }
        if hides_tcp_header(header) {
            return Verdict::Refused(fragment, Cause::TinyFragment);
        }
        let piece =
            Piece { start, end, payload_at: header.length, more_follow: header.more_fragments, frame: fragment };
        match self.partials.add(FragmentKey::of(header), piece, now + TIMEOUT) {
            Kept::Waiting(deadline) => Verdict::Kept(deadline),
            Kept::Complete(complete) => assemble(complete, out),
            Kept::Refused(frame, cause) => Verdict::Refused(frame, cause),
            Kept::Overlap(frames) => Verdict::Overlap(frames),
        }
    }

    /// The time for these fragments is up: all of them, the first part of the datagram first if it has come.
    ///
    /// The flag says whether it has. `None` if the datagram was put together meanwhile.
    pub(super) fn expire(&mut self, key: FragmentKey) -> Option<(bool, Vec<Frame>)> {
        self.partials.expire(key)
    }

    /// Every frame that waits, the table left empty.
    pub(super) fn drain(&mut self) -> Vec<Frame> {
        self.partials.drain()
    }
}

/// How much of a TCP header the first fragment must have: up to and with the flags (RFC 1858 §3.2.1, "TMIN").
const TCP_HEADER_BYTES_MIN: usize = 16;

/// Whether a fragment hides a part of its TCP header from who looks at fragments one by one.
///
/// RFC 1858 §3.2.2: "IF FO=1 and PROTOCOL=TCP then DROP PACKET", where the offset counts in eight bytes; RFC 3128 has both
/// checks made. Honest packets are cut there only with 40 bytes of
/// options, on a link of 68 bytes.
pub(super) fn hides_tcp_header(header: &Header) -> bool {
    let length = header.total_length - header.length;
    let is_short = header.offset == 0 && header.more_fragments && length < TCP_HEADER_BYTES_MIN;
    header.protocol == IpProtocol::Tcp && (is_short || header.offset == 8)
}

/// One packet of all pieces.
fn assemble(complete: Complete, out: &mut Outbox) -> Verdict {
    let header_length = complete.first_payload_at();
    let total_length = header_length + complete.length;
    if total_length > PACKET_BYTES_MAX {
        // Only when the first fragment has more options than the one that was checked.
        return Verdict::Refused(complete.into_refused(Cause::FragmentBeyondEnd, out), Cause::FragmentBeyondEnd);
    }
    let mut buffer = out.buffer(total_length);
    let bytes = buffer.bytes_mut();
    bytes[..header_length].copy_from_slice(&complete.first_packet()[..header_length]);
    complete.copy_payload(&mut bytes[header_length..]);
    let mut ip = Ipv4Packet::new_unchecked(bytes);
    ip.set_total_len(total_length as u16);
    ip.set_more_frags(false);
    ip.set_frag_offset(0);
    ip.fill_checksum();
    let (fragments, deadline) = (complete.count(), complete.deadline);
    Verdict::Whole { packet: complete.into_packet(buffer, out), fragments, deadline }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::machine::fragment::fragment;
    use crate::node::machine::header::NewHeader;
    use crate::node::machine::pieces::DATAGRAMS_MAX;
    use proptest::prelude::*;

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
            prop_assert_eq!(table.partials.waiting(), (0, 0));
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
                matches!(table.expire(table.partials.first_key().unwrap()), Some((false, frames)) if frames.is_empty())
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
    fn a_fragment_that_reaches_beyond_the_longest_packet_is_refused_and_so_is_a_malformed_one() {
        let mut table = Reassembly::default();
        // 65,512 + 20 + 3 = 65,535 fits, one more does not.
        assert!(matches!(add(&mut table, piece(1, 65_512, &[0; 3], false)), Verdict::Kept(_)));
        assert_eq!(cause(add(&mut table, piece(2, 65_512, &[0; 4], false))), Cause::FragmentBeyondEnd);
        assert_eq!(cause(add(&mut table, piece(3, 0, &[0; 9], true))), Cause::Malformed);
        assert_eq!(cause(add(&mut table, piece(4, 8, &[], false))), Cause::Malformed);
    }

    #[test]
    fn a_tcp_fragment_that_hides_a_part_of_the_header_is_refused() {
        let fragment = |offset: usize, length: usize, protocol: IpProtocol| {
            let mut frame = piece(1, offset, &vec![0; length], true);
            let mut ip = Ipv4Packet::new_unchecked(frame.bytes_mut());
            ip.set_next_header(protocol);
            ip.fill_checksum();
            frame
        };
        let tcp = IpProtocol::Tcp;
        let add = |frame| add(&mut Reassembly::default(), frame);
        // Eight bytes: the ports. Or a second fragment that could write over the flags.
        assert_eq!(cause(add(fragment(0, 8, tcp))), Cause::TinyFragment);
        assert_eq!(cause(add(fragment(8, 64, tcp))), Cause::TinyFragment);
        assert!(matches!(add(fragment(0, 16, tcp)), Verdict::Kept(_)));
        assert!(matches!(add(fragment(16, 8, tcp)), Verdict::Kept(_)));
        assert!(matches!(add(fragment(0, 8, IpProtocol::Udp)), Verdict::Kept(_)));
        assert!(matches!(add(fragment(8, 8, IpProtocol::Udp)), Verdict::Kept(_)));
    }

    #[test]
    fn the_number_of_bytes_that_wait_is_bounded_and_there_is_room_again() {
        let mut table = Reassembly::default();
        let whole = |ident: u16| piece(ident, 0, &[0; 60_000], true);
        let most = crate::node::machine::pieces::BYTES_MAX / whole(0).len();
        for ident in 0..most {
            assert!(matches!(add(&mut table, whole(ident as u16)), Verdict::Kept(Some(_))));
        }
        assert_eq!(cause(add(&mut table, whole(60_000))), Cause::ReassemblyLimit);
        // What is small still fits, and what ends makes room.
        assert!(matches!(add(&mut table, piece(0, 60_000, &[0; 8], false)), Verdict::Whole { .. }));
        assert!(matches!(add(&mut table, whole(60_000)), Verdict::Kept(Some(_))));
    }

    #[test]
    fn the_number_of_fragments_of_a_datagram_is_bounded_and_it_can_still_be_whole() {
        let mut table = Reassembly::default();
        let fragments_max = crate::node::machine::pieces::FRAGMENTS_MAX;
        for number in 0..fragments_max {
            assert!(matches!(add(&mut table, piece(1, 16 + number * 16, &[0; 8], true)), Verdict::Kept(_)));
        }
        assert_eq!(cause(add(&mut table, piece(1, 16 + fragments_max * 16, &[0; 8], true))), Cause::ReassemblyLimit);
        // Another datagram is not concerned; and when its time is up, everything of this one goes.
        assert!(matches!(add(&mut table, piece(2, 0, &[0; 8], true)), Verdict::Kept(Some(_))));
        let first = table.partials.first_key().unwrap();
        assert!(matches!(table.expire(first), Some((false, frames)) if frames.len() == fragments_max));
        assert!(matches!(add(&mut table, piece(1, 16, &[0; 8], true)), Verdict::Kept(Some(_))));
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
