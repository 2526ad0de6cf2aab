//! The IPv4 header: checked once, then known to be sound.
//!
//! Formats come from `smoltcp::wire`; this adds the checks that its views leave out and the edits that a forwarder
//! makes in place. Read RFC 791 §3.1 first.

use std::net::Ipv4Addr;

use smoltcp::wire::{IpProtocol, Ipv4Packet, TcpPacket, UdpPacket};

use crate::record::{Cause, Outbox};
use crate::wire::{Frame, Layer};

/// An IPv4 header without options.
pub(super) const HEADER_BYTES: usize = 20;

/// The longest IPv4 packet, by the width of its length field.
pub(super) const PACKET_BYTES_MAX: usize = 65_535;

/// What an IPv4 header says, taken from a packet whose header is sound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) protocol: IpProtocol,
    /// The length of the header, options included: 20 to 60 bytes.
    pub(super) length: usize,
    /// The length of the whole packet.
    pub(super) total_length: usize,
    pub(super) ttl: u8,
    pub(super) ident: u16,
    pub(super) dont_fragment: bool,
    pub(super) more_fragments: bool,
    /// Where this fragment's payload belongs, in bytes.
    pub(super) offset: usize,
}

impl Header {
    /// Reads the header of a packet that came from elsewhere.
    pub(super) fn of_received(bytes: &[u8]) -> Result<Self, Cause> {
        let header = Self::of_own(bytes)?;
        // RFC 1122 §3.2.1.2: "A host MUST verify the IP header checksum on every received datagram and silently
        // discard every datagram that has a bad checksum."
        if Ipv4Packet::new_unchecked(bytes).verify_checksum() { Ok(header) } else { Err(Cause::BadChecksum) }
    }

    /// Reads the header of a packet whose checksum may not be filled in yet.
    pub(super) fn of_own(bytes: &[u8]) -> Result<Self, Cause> {
        match bytes.first().map(|first| first >> 4) {
            Some(4) => {}
            // RFC 1122 §3.2.1.1: "A datagram whose version number is not 4 MUST be silently discarded."
            Some(_) => return Err(Cause::UnknownProtocol),
            None => return Err(Cause::Malformed),
        }
        // RFC 1812 §5.2.2: "The IP header length field must be large enough to hold the minimum length legal IP
        // datagram (20 bytes = 5 words)", and "The packet length reported by the Link Layer must be large enough to
        // hold the minimum length legal IP datagram"; `new_checked` sees to the rest of that list.
        let packet = Ipv4Packet::new_checked(bytes).map_err(|_| Cause::Malformed)?;
        let length = usize::from(packet.header_len());
        if length < HEADER_BYTES {
            return Err(Cause::Malformed);
        }
        Ok(Self {
            source: packet.src_addr(),
            destination: packet.dst_addr(),
            protocol: packet.next_header(),
            length,
            total_length: usize::from(packet.total_len()),
            ttl: packet.hop_limit(),
            ident: packet.ident(),
            dont_fragment: packet.dont_frag(),
            more_fragments: packet.more_frags(),
            offset: usize::from(packet.frag_offset()),
        })
    }

    /// Whether this is a part of a datagram rather than all of it.
    pub(super) fn is_fragment(&self) -> bool {
        self.more_fragments || self.offset != 0
    }

    /// What lies behind the header, link padding left out.
    pub(super) fn payload<'b>(&self, packet: &'b [u8]) -> &'b [u8] {
        packet.get(self.length..self.total_length).unwrap_or_default()
    }
}

/// Lowers the time to live by one and mends the checksum for it.
pub(super) fn decrement_ttl(packet: &mut [u8]) {
    let [.., ttl, protocol, _, _] = &mut packet[..12] else { unreachable!("twelve bytes were sliced") };
    let before = u16::from_be_bytes([*ttl, *protocol]);
    *ttl = ttl.saturating_sub(1);
    let after = u16::from_be_bytes([*ttl, *protocol]);
    mend_checksum(packet, 10, before, after);
}

/// Mends the checksum at `at` for 16 bits that have changed from `before` to `after`; one that is not there is left.
pub(super) fn mend_checksum(bytes: &mut [u8], at: usize, before: u16, after: u16) {
    let Some([high, low]) = bytes.get_mut(at..at + 2) else { return };
    // RFC 1624 §3: "HC' = ~(~HC + ~m + m')"
    let sum = u32::from(!u16::from_be_bytes([*high, *low])) + u32::from(!before) + u32::from(after);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    [*high, *low] = (!(sum as u16)).to_be_bytes();
}

/// Whether the transport checksum of an unfragmented packet is right; true where there is none to check.
pub(super) fn transport_checksum_is_right(header: &Header, packet: &[u8]) -> bool {
    let payload = header.payload(packet);
    let (source, destination) = (header.source.into(), header.destination.into());
    match header.protocol {
        IpProtocol::Icmp => smoltcp::wire::checksum::data(payload) == !0,
        IpProtocol::Tcp => TcpPacket::new_checked(payload).is_ok_and(|tcp| tcp.verify_checksum(&source, &destination)),
        IpProtocol::Udp => UdpPacket::new_checked(payload).is_ok_and(|udp| udp.verify_checksum(&source, &destination)),
        _ => true,
    }
}

/// One IP option, as it stands in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IpOption<'b> {
    /// Type, length and contents.
    pub(super) bytes: &'b [u8],
    /// Where it begins, counted from the start of the packet.
    pub(super) at: usize,
}

impl IpOption<'_> {
    /// Record route.
    pub(super) const RECORD_ROUTE: u8 = 7;
    /// Internet timestamp.
    pub(super) const TIMESTAMP: u8 = 68;
    /// Loose source and record route.
    pub(super) const LSRR: u8 = 131;
    /// Strict source and record route.
    pub(super) const SSRR: u8 = 137;

    /// Its type: copied flag, class and number.
    pub(super) fn kind(&self) -> u8 {
        self.bytes[0]
    }

    /// RFC 791: "The copied flag indicates that this option is copied into all fragments on fragmentation."
    pub(super) fn is_copied(&self) -> bool {
        self.kind() & 0x80 != 0
    }
}

/// The options of a header, padding left out. A malformed one yields where it stands, and ends the walk.
pub(super) fn options(packet: &[u8], header_length: usize) -> impl Iterator<Item = Result<IpOption<'_>, usize>> {
    let mut at = HEADER_BYTES;
    let header = packet.get(..header_length).unwrap_or_default();
    std::iter::from_fn(move || {
        // RFC 791: type 0 is the end of the list, type 1 "may be used between options" and is a single byte.
        while header.get(at) == Some(&1) {
            at += 1;
        }
        let start = at;
        let kind = *header.get(start)?;
        if kind == 0 {
            return None;
        }
        let length = header.get(start + 1).map_or(0, |length| usize::from(*length));
        match header.get(start..start + length) {
            Some(bytes) if length >= 2 => {
                at += length;
                Some(Ok(IpOption { bytes, at: start }))
            }
            _ => {
                at = header.len();
                Some(Err(start))
            }
        }
    })
}

/// What a machine writes into the header of a packet of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewHeader {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) protocol: IpProtocol,
    pub(super) ttl: u8,
    /// The whole type-of-service byte.
    pub(super) tos: u8,
    pub(super) ident: u16,
    pub(super) dont_fragment: bool,
}

impl NewHeader {
    /// A packet with this header, its checksum right, and room for `payload_length` bytes of unspecified contents.
    pub(super) fn packet(&self, payload_length: usize, out: &mut Outbox) -> Frame {
        let mut buffer = out.buffer(HEADER_BYTES + payload_length);
        let bytes = buffer.bytes_mut();
        bytes[..HEADER_BYTES].fill(0);
        bytes[1] = self.tos;
        let mut packet = Ipv4Packet::new_unchecked(bytes);
        packet.set_version(4);
        packet.set_header_len(20);
        // Whoever asks for a payload has bounded it; a longer one would only be cut.
        packet.set_total_len((HEADER_BYTES + payload_length).min(PACKET_BYTES_MAX) as u16);
        packet.set_ident(self.ident);
        packet.set_dont_frag(self.dont_fragment);
        packet.set_hop_limit(self.ttl);
        packet.set_next_header(self.protocol);
        packet.set_src_addr(self.source);
        packet.set_dst_addr(self.destination);
        packet.fill_checksum();
        Frame::new(buffer, Layer::Ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(ttl: u8, payload: &[u8]) -> Vec<u8> {
        let new = NewHeader {
            source: Ipv4Addr::new(10, 0, 0, 1),
            destination: Ipv4Addr::new(10, 0, 0, 2),
            protocol: IpProtocol::Udp,
            ttl,
            tos: 0,
            ident: 7,
            dont_fragment: false,
        };
        let mut frame = new.packet(payload.len(), &mut Outbox::default());
        frame.bytes_mut()[HEADER_BYTES..].copy_from_slice(payload);
        frame.bytes().to_vec()
    }

    #[test]
    fn a_header_that_contradicts_its_packet_is_refused() {
        let good = packet(64, b"12345678");
        assert!(Header::of_received(&good).is_ok());
        let refused = |change: fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            Header::of_received(&bytes).err()
        };
        assert_eq!(refused(|bytes| bytes[0] = 0x65), Some(Cause::UnknownProtocol));
        assert_eq!(refused(|bytes| bytes[0] = 0x44), Some(Cause::Malformed));
        assert_eq!(refused(|bytes| bytes[0] = 0x4f), Some(Cause::Malformed));
        assert_eq!(refused(|bytes| bytes[3] = 29), Some(Cause::Malformed));
        assert_eq!(refused(|bytes| bytes[3] = 19), Some(Cause::Malformed));
        assert_eq!(refused(|bytes| bytes[8] = 63), Some(Cause::BadChecksum));
        assert_eq!(refused(Vec::clear), Some(Cause::Malformed));
        assert_eq!(refused(|bytes| bytes.truncate(19)), Some(Cause::Malformed));
    }

    #[test]
    fn options_are_walked_up_to_their_end_or_first_mistake() {
        let walk = |options: &[u8]| {
            let bytes = [&[0; 20], options].concat();
            let found: Vec<_> = super::options(&bytes, bytes.len()).map(|o| o.map(|o| (o.kind(), o.at))).collect();
            found
        };
        assert_eq!(walk(&[1, 148, 4, 0, 0, 0, 7, 3]), [Ok((148, 21))]);
        assert_eq!(walk(&[7, 3, 4, 1, 131, 3, 4, 0]), [Ok((7, 20)), Ok((131, 24))]);
        assert_eq!(walk(&[7, 1, 4, 1]), [Err(20)]);
        assert_eq!(walk(&[148, 4, 0, 0, 7, 9, 0, 0]), [Ok((148, 20)), Err(24)]);
        assert_eq!(walk(&[1, 1, 1, 7]), [Err(23)]);
    }

    proptest! {
        #[test]
        fn the_mended_checksum_is_the_one_that_a_full_computation_gives(ttl: u8, ident: u16, source: u32) {
            let new = NewHeader {
                source: source.into(), destination: Ipv4Addr::BROADCAST, protocol: IpProtocol::Tcp,
                ttl, tos: 3, ident, dont_fragment: true,
            };
            let mut frame = new.packet(0, &mut Outbox::default());
            decrement_ttl(frame.bytes_mut());
            prop_assert_eq!(frame.bytes()[8], ttl.saturating_sub(1));
            prop_assert!(Header::of_received(frame.bytes()).is_ok());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(header) = Header::of_own(&bytes) {
                let _ = options(&bytes, header.length).count();
                let _ = transport_checksum_is_right(&header, &bytes);
                prop_assert!(header.length >= HEADER_BYTES && header.total_length <= bytes.len());
            }
        }
    }
}
