//! Cutting a packet that is larger than its path allows; only its source does that (RFC 8200 §4.5).
//!
//! ```text
//! | per-fragment headers |                    |          fragmentable part          |
//! | per-fragment headers | fragment header | part…  |
//! | per-fragment headers | fragment header |        | part…  |
//! | per-fragment headers | fragment header |                 | p |
//! ```

use super::extension::{FRAGMENT_HEADER_BYTES, next, per_fragment_part};
use super::header::{HEADER_BYTES, Header, MTU_MIN};
use crate::record::Outbox;
use crate::wire::{Frame, Layer};

/// The offset is measured in units of 8 bytes.
const UNIT_BYTES: usize = 8;

/// Cuts `packet` into fragments of at most `mtu` bytes and hands each to `each`, in order. The packet is consumed.
///
/// An MTU below the least that every link must have counts as that.
pub(super) fn fragment(
    mut packet: Frame,
    header: &Header,
    ident: u32,
    mtu: usize,
    out: &mut Outbox,
    mut each: impl FnMut(Frame, &mut Outbox),
) {
    // The transport checksum covers all fragments: it cannot be filled in later.
    packet.complete();
    let mtu = mtu.max(MTU_MIN);
    let cause = packet.id.or(packet.cause);
    let (front, named_at) = per_fragment_part(packet.bytes(), header);
    let follows = packet.bytes()[named_at];
    let room = mtu.saturating_sub(front + FRAGMENT_HEADER_BYTES).max(UNIT_BYTES);
    let mut start = front;
    while start < header.total_length {
        let is_last = header.total_length - start <= room;
        let end = if is_last { header.total_length } else { start + room / UNIT_BYTES * UNIT_BYTES };
        let mut buffer = out.buffer(front + FRAGMENT_HEADER_BYTES + end - start);
        let bytes = buffer.bytes_mut();
        bytes[..front].copy_from_slice(&packet.bytes()[..front]);
        bytes[named_at] = next::FRAGMENT;
        let offset_and_flag = (start - front) as u16 | u16::from(!is_last);
        bytes[front..front + 2].copy_from_slice(&[follows, 0]);
        bytes[front + 2..front + 4].copy_from_slice(&offset_and_flag.to_be_bytes());
        bytes[front + 4..front + 8].copy_from_slice(&ident.to_be_bytes());
        bytes[front + FRAGMENT_HEADER_BYTES..].copy_from_slice(&packet.bytes()[start..end]);
        let payload_length = (bytes.len() - HEADER_BYTES) as u16;
        bytes[4..6].copy_from_slice(&payload_length.to_be_bytes());
        let mut fragment = Frame::new(buffer, Layer::Ip).caused_by(cause);
        fragment.inherit_doubts(&packet);
        each(fragment, out);
        start = end;
    }
    out.consume(packet);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::machine::ipv6::extension::{Leads, walk};
    use crate::node::machine::ipv6::header::NewHeader;
    use std::net::Ipv6Addr;

    fn cut(packet: Frame, mtu: usize) -> Vec<Frame> {
        let header = Header::of(packet.bytes()).unwrap();
        let mut fragments = Vec::new();
        fragment(packet, &header, 77, mtu, &mut Outbox::default(), |fragment, _| fragments.push(fragment));
        fragments
    }

    fn packet(payload_length: usize) -> Frame {
        let new = NewHeader { source: Ipv6Addr::LOCALHOST, destination: Ipv6Addr::LOCALHOST, next: 99, hop_limit: 9 };
        let mut frame = new.packet(payload_length, &mut Outbox::default());
        for (index, byte) in frame.bytes_mut()[HEADER_BYTES..].iter_mut().enumerate() {
            *byte = (index / 5) as u8;
        }
        frame
    }

    /// (whole length, offset, more follow) of each.
    fn shape(fragments: &[Frame]) -> Vec<(usize, usize, bool)> {
        let read = |fragment: &Frame| {
            let header = Header::of(fragment.bytes()).unwrap();
            let Leads::Fragment(found) = walk(fragment.bytes(), &header, false) else { panic!("{fragment:?}") };
            assert_eq!((found.ident, found.next), (77, 99));
            (header.total_length, found.offset, found.more_follow)
        };
        fragments.iter().map(read).collect()
    }

    #[test]
    fn every_fragment_but_the_last_is_a_multiple_of_eight_bytes() {
        // 1500 - 40 - 8 = 1452, rounded down to 1448.
        let fragments = cut(packet(3000), 1500);
        assert_eq!(shape(&fragments), [(1496, 0, true), (1496, 1448, true), (152, 2896, false)]);
        let joined: Vec<u8> = fragments.iter().flat_map(|fragment| fragment.bytes()[48..].to_vec()).collect();
        assert_eq!(joined, packet(3000).bytes()[40..]);
    }

    #[test]
    fn the_last_fragment_may_fill_the_mtu_to_the_byte() {
        // 1448 + 1452.
        assert_eq!(shape(&cut(packet(2900), 1500)), [(1496, 0, true), (1500, 1448, false)]);
        assert_eq!(shape(&cut(packet(2901), 1500)), [(1496, 0, true), (1496, 1448, true), (53, 2896, false)]);
    }

    #[test]
    fn no_fragment_is_cut_smaller_than_every_link_allows() {
        assert_eq!(shape(&cut(packet(1300), 68)), [(1280, 0, true), (116, 1232, false)]);
    }
}
