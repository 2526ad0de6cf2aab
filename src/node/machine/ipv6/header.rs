//! The IPv6 header: checked once, then known to be sound (RFC 8200 §3).
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! ┌───┬───────┬───────────────────┬───────────────┬───────┬───────┐
//! │ 6 │ class │ flow label        │ payload length│ next  │ hops  │
//! ├───┴───────┴───────────────────┴───────────────┴───────┴───────┤
//! │ source, 16 bytes                                              │
//! │ destination, 16 bytes                                         │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use std::net::Ipv6Addr;

use smoltcp::wire::checksum::{combine, data, pseudo_header_v6};
use smoltcp::wire::{IpProtocol, Ipv6Packet};

use crate::record::{Cause, Outbox};
use crate::wire::{Frame, Layer};

/// The header without extensions.
pub(super) const HEADER_BYTES: usize = 40;

/// The longest payload, by the width of its length field; jumbograms (RFC 2675) are not spoken.
pub(super) const PAYLOAD_BYTES_MAX: usize = 65_535;

/// RFC 8200 §5: "IPv6 requires that every link in the Internet have an MTU of 1280 octets or greater."
pub(super) const MTU_MIN: usize = 1280;

/// Where in the header the hop limit stands.
const HOP_LIMIT_AT: usize = 7;

/// What an IPv6 header says, taken from a packet whose header is sound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    /// What follows the header: perhaps an extension.
    pub(super) next: u8,
    pub(super) hop_limit: u8,
    /// The length of the whole packet.
    pub(super) total_length: usize,
}

impl Header {
    /// Reads a header; there is no checksum that could be wrong.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Cause> {
        match bytes.first().map(|first| first >> 4) {
            Some(6) => {}
            Some(_) => return Err(Cause::UnknownProtocol),
            None => return Err(Cause::Malformed),
        }
        let packet = Ipv6Packet::new_checked(bytes).map_err(|_| Cause::Malformed)?;
        Ok(Self {
            source: packet.src_addr(),
            destination: packet.dst_addr(),
            next: packet.next_header().into(),
            hop_limit: packet.hop_limit(),
            total_length: packet.total_len(),
        })
    }
}

/// Lowers the hop limit by one.
pub(super) fn decrement_hop_limit(packet: &mut [u8]) {
    packet[HOP_LIMIT_AT] = packet[HOP_LIMIT_AT].saturating_sub(1);
}

/// Sets the hop limit.
pub(super) fn set_hop_limit(packet: &mut [u8], hop_limit: u8) {
    packet[HOP_LIMIT_AT] = hop_limit;
}

/// What a machine writes into the header of a packet of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewHeader {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    pub(super) next: u8,
    pub(super) hop_limit: u8,
}

impl NewHeader {
    /// A packet with this header and room for `payload_length` bytes of unspecified contents.
    pub(super) fn packet(&self, payload_length: usize, out: &mut Outbox) -> Frame {
        let mut buffer = out.buffer(HEADER_BYTES + payload_length);
        let mut packet = Ipv6Packet::new_unchecked(buffer.bytes_mut());
        packet.set_version(6);
        packet.set_traffic_class(0);
        packet.set_flow_label(0);
        // Whoever asks for a payload has bounded it; a longer one would only be cut.
        packet.set_payload_len(payload_length.min(PAYLOAD_BYTES_MAX) as u16);
        packet.set_next_header(IpProtocol::from(self.next));
        packet.set_hop_limit(self.hop_limit);
        packet.set_src_addr(self.source);
        packet.set_dst_addr(self.destination);
        Frame::new(buffer, Layer::Ip)
    }
}

/// The sum over an upper-layer packet and its pseudo-header: all ones if its checksum is right (RFC 8200 §8.1).
pub(super) fn upper_sum(source: Ipv6Addr, destination: Ipv6Addr, protocol: IpProtocol, payload: &[u8]) -> u16 {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    combine(&[pseudo_header_v6(&source, &destination, protocol, length), data(payload)])
}

/// Whether the checksum of a whole upper-layer packet is right; true where there is none to check.
pub(super) fn upper_checksum_is_right(header: &Header, protocol: u8, payload: &[u8]) -> bool {
    let protocol = IpProtocol::from(protocol);
    let payload = match protocol {
        IpProtocol::Tcp | IpProtocol::Icmpv6 => payload,
        IpProtocol::Udp => {
            let [_, _, _, _, high, low, a, b, ..] = payload else { return false };
            // RFC 8200 §8.1: "IPv6 receivers must discard UDP packets containing a zero checksum".
            if (*a, *b) == (0, 0) {
                return false;
            }
            payload.get(..usize::from(u16::from_be_bytes([*high, *low]))).unwrap_or_default()
        }
        _ => return true,
    };
    !payload.is_empty() && upper_sum(header.source, header.destination, protocol, payload) == !0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let new = NewHeader { source: Ipv6Addr::LOCALHOST, destination: Ipv6Addr::LOCALHOST, next: 17, hop_limit: 9 };
        let mut frame = new.packet(payload.len(), &mut Outbox::default());
        frame.bytes_mut()[HEADER_BYTES..].copy_from_slice(payload);
        frame.bytes().to_vec()
    }

    #[test]
    fn a_header_that_contradicts_its_packet_is_refused() {
        let good = packet(b"12345678");
        let header = Header::of(&good).unwrap();
        assert_eq!((header.total_length, header.hop_limit, header.next), (48, 9, 17));
        let refused = |change: fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            Header::of(&bytes).err()
        };
        assert_eq!(refused(|bytes| bytes[0] = 0x45), Some(Cause::UnknownProtocol));
        assert_eq!(refused(|bytes| bytes[5] = 9), Some(Cause::Malformed));
        assert_eq!(refused(|bytes| bytes.truncate(39)), Some(Cause::Malformed));
        assert_eq!(refused(Vec::clear), Some(Cause::Malformed));
        // What lies behind is the link's padding.
        assert_eq!(refused(|bytes| bytes.push(0)), None);
    }

    #[test]
    fn a_datagram_without_a_checksum_is_wrong() {
        let mut datagram = vec![0, 1, 0, 2, 0, 10, 0, 0, 7, 7];
        let header = Header::of(&packet(&datagram)).unwrap();
        assert!(!upper_checksum_is_right(&header, 17, &datagram));
        let sum = !upper_sum(header.source, header.destination, IpProtocol::Udp, &datagram);
        datagram[6..8].copy_from_slice(&sum.to_be_bytes());
        assert!(upper_checksum_is_right(&header, 17, &datagram));
        datagram[9] ^= 1;
        assert!(!upper_checksum_is_right(&header, 17, &datagram));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(header) = Header::of(&bytes) {
                prop_assert!(header.total_length <= bytes.len());
                let _ = upper_checksum_is_right(&header, header.next, &bytes[HEADER_BYTES..header.total_length]);
            }
        }
    }
}
