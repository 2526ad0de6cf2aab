//! Cutting a packet that is larger than the next link allows (RFC 791 §3.2).
//!
//! ```text
//! | header | options |          payload          |
//! | header | options | payload…  |                    offset 0,  more fragments
//! | header | copied  |           | payload…  |        offset n,  more fragments
//! | header | copied  |                       | p |    offset m,  as the original had it
//! ```

use smoltcp::wire::Ipv4Packet;

use super::header::{HEADER_BYTES, Header, options};
use crate::record::Outbox;
use crate::wire::{Frame, Layer};

/// RFC 791: "The fragment offset is measured in units of 8 octets (64 bits)."
const UNIT_BYTES: usize = 8;

/// RFC 791: "Every internet module must be able to forward a datagram of 68 octets without further fragmentation."
pub(super) const IPV4_MTU_MIN: usize = 68;

/// Cuts `packet` into fragments of at most `mtu` bytes and hands each to `each`, in order. The packet is consumed.
///
/// An MTU below the least that RFC 791 allows counts as that.
pub(super) fn fragment(
    mut packet: Frame,
    header: &Header,
    mtu: usize,
    out: &mut Outbox,
    mut each: impl FnMut(Frame, &mut Outbox),
) {
    // The transport checksum covers all fragments: it cannot be filled in later.
    packet.complete();
    let mtu = mtu.max(IPV4_MTU_MIN);
    let cause = packet.id.or(packet.cause);
    let later_options = Copied::of(packet.bytes(), header.length);
    let mut start = 0;
    let payload_length = header.total_length - header.length;
    while start < payload_length {
        let options = if start == 0 { &packet.bytes()[HEADER_BYTES..header.length] } else { later_options.bytes() };
        let header_length = HEADER_BYTES + options.len();
        let room = (mtu - header_length) / UNIT_BYTES * UNIT_BYTES;
        let end = if payload_length - start <= mtu - header_length { payload_length } else { start + room };
        let mut buffer = out.buffer(header_length + end - start);
        let bytes = buffer.bytes_mut();
        bytes[..HEADER_BYTES].copy_from_slice(&packet.bytes()[..HEADER_BYTES]);
        bytes[HEADER_BYTES..header_length].copy_from_slice(options);
        bytes[header_length..].copy_from_slice(&packet.bytes()[header.length + start..header.length + end]);
        let total_length = bytes.len();
        let mut ip = Ipv4Packet::new_unchecked(bytes);
        ip.set_header_len(header_length as u8);
        ip.set_total_len(total_length as u16);
        // A fragment may itself be cut: its last piece is the last of all only if it was.
        ip.set_more_frags(end < payload_length || header.more_fragments);
        ip.set_frag_offset((header.offset + start) as u16);
        ip.fill_checksum();
        let mut fragment = Frame::new(buffer, Layer::Ip).caused_by(cause);
        fragment.inherit_doubts(&packet);
        each(fragment, out);
        start = end;
    }
    out.consume(packet);
}

/// The options of later fragments: at most 40 bytes, padded with zeros (the end of the list) to a multiple of four.
struct Copied {
    bytes: [u8; 40],
    length: usize,
}

impl Copied {
    fn of(packet: &[u8], header_length: usize) -> Self {
        let mut copied = Self { bytes: [0; 40], length: 0 };
        for option in options(packet, header_length).flatten().filter(|option| option.is_copied()) {
            copied.bytes[copied.length..copied.length + option.bytes.len()].copy_from_slice(option.bytes);
            copied.length += option.bytes.len();
        }
        copied.length = copied.length.next_multiple_of(4);
        copied
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::FrameId;
    use crate::node::machine::header::NewHeader;
    use smoltcp::wire::IpProtocol;
    use std::net::Ipv4Addr;

    fn packet(payload_length: usize, out: &mut Outbox) -> Frame {
        let new = NewHeader {
            source: Ipv4Addr::new(10, 0, 0, 1),
            destination: Ipv4Addr::new(10, 0, 0, 2),
            protocol: IpProtocol::Unknown(99),
            ttl: 9,
            tos: 0,
            ident: 77,
            dont_fragment: false,
        };
        let mut frame = new.packet(payload_length, out);
        for (index, byte) in frame.bytes_mut()[HEADER_BYTES..].iter_mut().enumerate() {
            *byte = index as u8;
        }
        frame
    }

    fn cut(packet: Frame, mtu: usize, out: &mut Outbox) -> Vec<Frame> {
        let header = Header::of_received(packet.bytes()).unwrap();
        let mut fragments = Vec::new();
        fragment(packet, &header, mtu, out, |fragment, _| fragments.push(fragment));
        fragments
    }

    /// (header length, payload length, offset, more fragments) of each.
    fn shape(fragments: &[Frame]) -> Vec<(usize, usize, usize, bool)> {
        let headers = fragments.iter().map(|fragment| Header::of_received(fragment.bytes()).unwrap());
        headers.map(|h| (h.length, h.total_length - h.length, h.offset, h.more_fragments)).collect()
    }

    #[test]
    fn every_fragment_but_the_last_is_a_multiple_of_eight_bytes() {
        let mut out = Outbox::default();
        // 1420 - 20 = 1400 is a multiple of 8; 1421 to 1427 round down to the same.
        for mtu in [1420, 1427] {
            let fragments = cut(packet(3000, &mut out), mtu, &mut out);
            assert_eq!(shape(&fragments), [(20, 1400, 0, true), (20, 1400, 1400, true), (20, 200, 2800, false)]);
            let payload: Vec<u8> = fragments.iter().flat_map(|fragment| fragment.bytes()[20..].to_vec()).collect();
            assert_eq!(payload, packet(3000, &mut out).bytes()[20..]);
        }
    }

    #[test]
    fn the_last_fragment_may_fill_the_mtu_to_the_byte() {
        let mut out = Outbox::default();
        // 80 - 20 = 60: 56 bytes fit as a first fragment, all 60 as a last one.
        assert_eq!(shape(&cut(packet(116, &mut out), 80, &mut out)), [(20, 56, 0, true), (20, 60, 56, false)]);
        assert_eq!(
            shape(&cut(packet(117, &mut out), 80, &mut out)),
            [(20, 56, 0, true), (20, 56, 56, true), (20, 5, 112, false)]
        );
    }

    #[test]
    fn a_piece_of_a_fragment_is_last_only_if_the_fragment_was() {
        let mut out = Outbox::default();
        let middle = cut(packet(3000, &mut out), 1420, &mut out).remove(1);
        assert_eq!(shape(&cut(middle, 820, &mut out)), [(20, 800, 1400, true), (20, 600, 2200, true)]);
    }

    #[test]
    fn only_copied_options_go_into_later_fragments() {
        let mut out = Outbox::default();
        // Record route (7) is not copied, router alert (148) is.
        let options = [7, 3, 4, 1, 148, 4, 0, 0];
        let mut bytes = packet(100, &mut out).bytes().to_vec();
        bytes.splice(20..20, options);
        let mut ip = Ipv4Packet::new_unchecked(&mut bytes);
        ip.set_header_len(28);
        ip.set_total_len(128);
        ip.fill_checksum();
        let whole = Frame::new(out.pool.copy(&bytes), Layer::Ip);
        let fragments = cut(whole, 84, &mut out);
        assert_eq!(shape(&fragments), [(28, 56, 0, true), (24, 44, 56, false)]);
        assert_eq!(fragments[0].bytes()[20..28], options);
        assert_eq!(fragments[1].bytes()[20..24], [148, 4, 0, 0]);
    }

    #[test]
    fn fragments_are_caused_by_what_was_cut() {
        let mut out = Outbox::default();
        let mut whole = packet(200, &mut out);
        whole.id = Some(FrameId { origin: 3, count: 8 });
        let cut = cut(whole, 100, &mut out);
        assert!(
            cut.iter().all(|fragment| fragment.cause == Some(FrameId { origin: 3, count: 8 }) && fragment.id.is_none())
        );
    }
}
