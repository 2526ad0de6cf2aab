//! TCP segments: looked at, edited in place, cut in pieces, answered with a RST.
//!
//! ```text
//! | IP header | TCP header | options | payload |
//! 0           tcp                    payload   end
//! ```

use std::ops::Range;

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, TcpSeqNumber};

use super::super::icmp::bits;
use super::super::packet::{self, Envelope, Header};
use crate::wire::{Frame, Layer, Pool};

/// The least payload that a cut segment carries, however small the MTU claims to be: what an IPv4 path of 68 bytes,
/// the smallest that RFC 791 allows, has room for.
const PIECE_MIN: usize = 28;

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) sequence: u32,
    /// The acknowledgment number, if there is one.
    pub(crate) ack: Option<u32>,
    pub(crate) is_fin: bool,
    pub(crate) is_rst: bool,
    pub(crate) is_syn: bool,
    /// The window field, not scaled.
    pub(crate) window: u16,
    /// The window scale that a SYN announces, if it does.
    pub(crate) scale: Option<u8>,
    /// Where in the packet the TCP header begins.
    pub(crate) tcp: usize,
    /// Where in the packet the payload is.
    pub(crate) payload: Range<usize>,
}

impl Segment {
    /// Reads a segment; `None` if its headers contradict themselves.
    pub(crate) fn read(packet: &[u8], header: &Header) -> Option<Self> {
        let Range { start, end } = header.payload;
        let tcp = TcpPacket::new_checked(packet.get(start..end)?).ok()?;
        if tcp.src_port() == 0 || tcp.dst_port() == 0 {
            return None;
        }
        Some(Self {
            source_port: tcp.src_port(),
            destination_port: tcp.dst_port(),
            sequence: bits(tcp.seq_number()),
            ack: tcp.ack().then(|| bits(tcp.ack_number())),
            is_fin: tcp.fin(),
            is_rst: tcp.rst(),
            is_syn: tcp.syn(),
            window: tcp.window_len(),
            scale: tcp.syn().then(|| option(tcp.options(), 3, 3)).flatten().map(|value| tcp.options()[value.start]),
            tcp: start,
            payload: start + usize::from(tcp.header_len())..end,
        })
    }

    /// Whether it asks for a new connection.
    pub(crate) fn is_opening(&self) -> bool {
        self.is_syn && self.ack.is_none() && !self.is_rst && !self.is_fin
    }

    /// How many sequence numbers it takes: SYN and FIN count as one each.
    pub(crate) fn length(&self) -> u32 {
        let flags = u32::from(self.is_syn) + u32::from(self.is_fin);
        u32::try_from(self.payload.len()).unwrap_or(u32::MAX).wrapping_add(flags)
    }

    /// The sequence number after its last.
    pub(crate) fn end(&self) -> u32 {
        self.sequence.wrapping_add(self.length())
    }
}

/// Whether sequence number `left` comes after `right`, in the half of the circle that counts as after.
pub(crate) fn is_after(left: u32, right: u32) -> bool {
    left.wrapping_sub(right).cast_signed() > 0
}

/// Where a SYN's maximum segment size is written.
fn mss_option(options: &[u8]) -> Option<Range<usize>> {
    option(options, 2, 4)
}

/// Where the value of the first option of this kind and length is written.
fn option(options: &[u8], kind: u8, length: usize) -> Option<Range<usize>> {
    let mut at = 0;
    loop {
        match *options.get(at)? {
            0 => return None,
            1 => at += 1,
            found => {
                let found_length = usize::from(*options.get(at + 1)?);
                if found == kind && found_length == length && options.len() >= at + length {
                    return Some(at + 2..at + length);
                }
                at += found_length.max(2);
            }
        }
    }
}

/// Lowers the maximum segment size that a SYN announces to `most`, or sets it to just that.
///
/// RFC 6691 §2: "the value to be sent in the MSS option should be equal to the effective MTU minus the fixed IP and TCP
/// headers."
pub(crate) fn limit_mss(packet: &mut [u8], segment: &Segment, most: usize) {
    let options = segment.tcp + 20..segment.payload.start;
    let Some(options) = packet.get_mut(options) else { return };
    let Some(place) = mss_option(options) else { return };
    let announced = u16::from_be_bytes([options[place.start], options[place.start + 1]]);
    let limited = announced.min(u16::try_from(most).unwrap_or(u16::MAX));
    options[place].copy_from_slice(&limited.to_be_bytes());
}

/// What fits into one segment on a path: the MTU without the fixed IP and TCP headers.
pub(crate) fn mss_for(mtu: usize, is_v4: bool) -> usize {
    mtu.saturating_sub(if is_v4 { 40 } else { 60 }).max(PIECE_MIN)
}

/// Turns a SYN into an acknowledgment of what was never sent.
pub(crate) fn syn_into_ack(packet: &mut [u8], segment: &Segment, ack: u32) {
    let mut tcp = TcpPacket::new_unchecked(&mut packet[segment.tcp..]);
    tcp.set_syn(false);
    tcp.set_ack(true);
    tcp.set_ack_number(TcpSeqNumber(ack.cast_signed()));
}

/// Cuts a segment that is larger than `mtu` in pieces that fit, in order, onto the end of `pieces`.
///
/// Each piece has all options. PSH and FIN are on the last only. smoltcp knows nothing of it: to the peer it looks as
/// if segments had been this small from the first. The original is recycled.
pub(crate) fn cut(frame: Frame, mtu: usize, pool: &mut Pool, pieces: &mut Vec<Frame>) {
    let header = Header::read(frame.bytes());
    let segment = header.as_ref().and_then(|header| Segment::read(frame.bytes(), header));
    let Some(segment) = segment.filter(|segment| frame.len() > mtu && !segment.payload.is_empty()) else {
        pieces.push(frame);
        return;
    };
    let headers_len = segment.payload.start;
    let room = mtu.saturating_sub(headers_len).max(PIECE_MIN);
    let payload = &frame.bytes()[segment.payload.clone()];
    let last = payload.len().div_ceil(room) - 1;
    for (index, part) in payload.chunks(room).enumerate() {
        let mut buffer = pool.take(headers_len + part.len());
        let bytes = buffer.bytes_mut();
        bytes[..headers_len].copy_from_slice(&frame.bytes()[..headers_len]);
        bytes[headers_len..].copy_from_slice(part);
        set_ip_length(bytes);
        let mut tcp = TcpPacket::new_unchecked(&mut bytes[segment.tcp..]);
        let offset = u32::try_from(index * room).unwrap_or(u32::MAX);
        tcp.set_seq_number(TcpSeqNumber(segment.sequence.wrapping_add(offset).cast_signed()));
        if index < last {
            tcp.set_psh(false);
            tcp.set_fin(false);
        }
        pieces.push(Frame::new(buffer, Layer::Ip).with_checksum_pending().caused_by(frame.cause));
    }
    frame.recycle(pool);
}

/// Writes the packet's length into its IP header.
pub(super) fn set_ip_length(packet: &mut [u8]) {
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    if packet[0] >> 4 == 4 {
        Ipv4Packet::new_unchecked(packet).set_total_len(length);
    } else {
        Ipv6Packet::new_unchecked(packet).set_payload_len(length.saturating_sub(40));
    }
}

/// The RST that answers a segment which nobody wants; `None` if it must not be answered: it is a RST itself, was
/// sent to everybody, or is no segment at all. The segment stays the caller's.
#[must_use]
pub fn reset_reply(packet: &Frame, pool: &mut Pool) -> Option<Frame> {
    let header = Header::read(packet.bytes()).filter(|header| header.protocol == IpProtocol::Tcp)?;
    let segment = Segment::read(packet.bytes(), &header)?;
    if segment.is_rst || header.destination.is_multicast() || header.destination.is_unspecified() {
        return None;
    }
    let envelope = Envelope {
        source: header.destination,
        destination: header.source,
        protocol: IpProtocol::Tcp,
        ttl: packet::TTL,
        dont_fragment: true,
        ident: 0,
    };
    let (mut buffer, start) = envelope.open(20, pool).ok()?;
    let mut tcp = TcpPacket::new_unchecked(&mut buffer.bytes_mut()[start..]);
    tcp.set_src_port(segment.destination_port);
    tcp.set_dst_port(segment.source_port);
    tcp.set_header_len(20);
    tcp.clear_flags();
    tcp.set_rst(true);
    tcp.set_window_len(0);
    tcp.set_urgent_at(0);
    tcp.set_checksum(0);
    match segment.ack {
        // RFC 9293 §3.10.7.1: "If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>"
        Some(ack) => {
            tcp.set_seq_number(TcpSeqNumber(ack.cast_signed()));
            tcp.set_ack_number(TcpSeqNumber(0));
        }
        // "If the ACK bit is off, sequence number zero is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>"
        None => {
            tcp.set_seq_number(TcpSeqNumber(0));
            tcp.set_ack(true);
            tcp.set_ack_number(TcpSeqNumber(segment.end().cast_signed()));
        }
    }
    Some(packet::seal(buffer).caused_by(packet.id.or(packet.cause)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 10.0.0.1:1000 > 10.0.0.2:80 with an MSS option behind a NOP, PSH and FIN set.
    fn segment(payload: &[u8], flags: u8) -> Frame {
        let mut pool = Pool::default();
        let envelope = Envelope {
            source: "10.0.0.1".parse().unwrap(),
            destination: "10.0.0.2".parse().unwrap(),
            protocol: IpProtocol::Tcp,
            ttl: 64,
            dont_fragment: true,
            ident: 0,
        };
        let (mut buffer, start) = envelope.open(28 + payload.len(), &mut pool).unwrap();
        let tcp = &mut buffer.bytes_mut()[start..];
        tcp[..20].copy_from_slice(&[3, 0xe8, 0, 80, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 9, 0x70, flags, 1, 0, 0, 0, 0, 0]);
        tcp[20..28].copy_from_slice(&[1, 2, 4, 0xff, 0xd7, 1, 1, 0]);
        tcp[28..].copy_from_slice(payload);
        packet::seal(buffer)
    }

    fn read(frame: &Frame) -> Segment {
        Segment::read(frame.bytes(), &Header::read(frame.bytes()).unwrap()).unwrap()
    }

    #[test]
    fn the_mss_is_lowered_and_never_raised() {
        let mut frame = segment(b"", 2);
        let view = read(&frame);
        limit_mss(frame.bytes_mut(), &view, mss_for(1500, true));
        assert_eq!(frame.bytes()[43..45], 1460_u16.to_be_bytes());
        limit_mss(frame.bytes_mut(), &view, mss_for(9000, true));
        assert_eq!(frame.bytes()[43..45], 1460_u16.to_be_bytes());
        assert_eq!(mss_for(1500, false), 1440);
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole(length in 1_usize..5000, mtu in 68_usize..1600) {
            let payload: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut pieces = Vec::new();
            cut(segment(&payload, 0x19), mtu, &mut Pool::default(), &mut pieces);
            let mut joined = Vec::new();
            let mut expected = 0xffff_fff0_u32;
            for (index, piece) in pieces.iter().enumerate() {
                let view = read(piece);
                let is_last = index + 1 == pieces.len();
                prop_assert!(piece.len() <= mtu.max(48 + PIECE_MIN));
                prop_assert_eq!(view.sequence, expected);
                prop_assert_eq!(view.is_fin, is_last);
                prop_assert_eq!(&piece.bytes()[40..48], &[1, 2, 4, 0xff, 0xd7, 1, 1, 0]);
                expected = expected.wrapping_add(u32::try_from(view.payload.len()).unwrap());
                joined.extend_from_slice(&piece.bytes()[view.payload]);
            }
            prop_assert_eq!(joined, payload);
        }

        #[test]
        fn options_of_any_kind_are_survived(options in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(place) = mss_option(&options) {
                prop_assert!(place.end <= options.len());
            }
        }
    }

    #[test]
    fn a_segment_that_fits_is_left_alone() {
        let mut pieces = Vec::new();
        cut(segment(&[7; 952], 0x10), 1000, &mut Pool::default(), &mut pieces);
        assert_eq!((pieces.len(), pieces[0].len()), (1, 1000));
    }

    #[test]
    fn a_syn_is_refused_by_its_sequence_number_and_an_ack_by_what_it_acknowledges() {
        let mut pool = Pool::default();
        let reply = reset_reply(&segment(b"", 2), &mut pool).unwrap();
        let view = read(&reply);
        assert_eq!((view.is_rst, view.sequence, view.ack), (true, 0, Some(0xffff_fff1)));
        assert_eq!((view.source_port, view.destination_port), (80, 1000));
        let view = read(&reset_reply(&segment(b"x", 0x10), &mut pool).unwrap());
        assert_eq!((view.is_rst, view.sequence, view.ack), (true, 9, None));
        assert!(reset_reply(&segment(b"", 4), &mut pool).is_none());
    }
}
