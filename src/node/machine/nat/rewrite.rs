//! Other addresses and ports in a packet, and what follows from that for its checksums (RFC 3022 §4.1, RFC 1624).
//!
//! A packet may be whole or cut short, as those are that an ICMP error quotes: what is not there is not changed. All
//! checksums are mended, never computed anew, so that a packet that was damaged on its way stays so.

use std::net::Ipv4Addr;

use smoltcp::wire::IpProtocol;

use super::super::header::{Header, mend_checksum};
use crate::wire::{Checksum, Frame};

/// An address with a port, or with what stands for one: the identifier of an ICMP query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::node::machine) struct Endpoint {
    pub(in crate::node::machine) address: Ipv4Addr,
    pub(in crate::node::machine) port: u16,
}

impl Endpoint {
    pub(in crate::node::machine) const fn new(address: Ipv4Addr, port: u16) -> Self {
        Self { address, port }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}:{}", self.address, self.port))
    }
}

/// Which end of a packet is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Destination,
    Source,
}

/// Where the header's checksum stands.
const HEADER_CHECKSUM_AT: usize = 10;

/// Gives a packet another end. `header` must be the packet's, and follows the change.
pub(super) fn rewrite(packet: &mut Frame, header: &mut Header, side: Side, to: Endpoint) {
    // A pending checksum is computed later, over what the packet says then.
    let mends_transport = packet.checksum == Checksum::Complete;
    rewrite_bytes(packet.bytes_mut(), header.length, header.protocol, side, to, mends_transport);
    match side {
        Side::Destination => header.destination = to.address,
        Side::Source => header.source = to.address,
    }
}

/// Gives a packet another address at one end, and leaves what its header stands in front of as it is.
pub(super) fn rewrite_address(packet: &mut Frame, header: &mut Header, side: Side, to: Ipv4Addr) {
    replace_address(packet.bytes_mut(), side, to);
    match side {
        Side::Destination => header.destination = to,
        Side::Source => header.source = to,
    }
}

/// The same for bytes that begin with an IPv4 header of `header_length` bytes.
pub(super) fn rewrite_bytes(
    packet: &mut [u8],
    header_length: usize,
    protocol: IpProtocol,
    side: Side,
    to: Endpoint,
    mends_transport: bool,
) {
    let Some(old_address) = replace_address(packet, side, to.address) else { return };
    let Some(transport) = packet.get_mut(header_length..) else { return };
    let Some((port_at, checksum_at)) = places(protocol, side) else { return };
    let Some(old_port) = replace(transport, port_at, to.port) else { return };
    if !mends_transport {
        return;
    }
    // RFC 768: "An all zero transmitted checksum value means that the transmitter generated no checksum".
    let is_optional = protocol == IpProtocol::Udp;
    if is_optional && transport.get(checksum_at..checksum_at + 2) == Some(&[0, 0]) {
        return;
    }
    // RFC 792: the ICMP checksum covers the message alone, not the addresses.
    if protocol != IpProtocol::Icmp {
        for (old, new) in words(old_address).into_iter().zip(words(to.address)) {
            mend_checksum(transport, checksum_at, old, new);
        }
    }
    mend_checksum(transport, checksum_at, old_port, to.port);
    // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
    if is_optional && transport.get(checksum_at..checksum_at + 2) == Some(&[0, 0]) {
        transport[checksum_at..checksum_at + 2].fill(0xff);
    }
}

/// Gives a packet another identification.
pub(in crate::node::machine) fn rewrite_ident(packet: &mut [u8], ident: u16) {
    if let Some(old) = replace(packet, 4, ident) {
        mend_checksum(packet, HEADER_CHECKSUM_AT, old, ident);
    }
}

/// Where the port of one end stands behind the IP header, and where the checksum.
fn places(protocol: IpProtocol, side: Side) -> Option<(usize, usize)> {
    let port_at = if side == Side::Source { 0 } else { 2 };
    match protocol {
        // A query has one identifier, whichever way it goes.
        IpProtocol::Icmp => Some((4, 2)),
        IpProtocol::Tcp => Some((port_at, 16)),
        IpProtocol::Udp => Some((port_at, 6)),
        _ => None,
    }
}

/// Replaces an address and mends the header's checksum; the old address.
fn replace_address(packet: &mut [u8], side: Side, to: Ipv4Addr) -> Option<Ipv4Addr> {
    let at = if side == Side::Source { 12 } else { 16 };
    let field: &mut [u8; 4] = packet.get_mut(at..at + 4)?.first_chunk_mut()?;
    let old = Ipv4Addr::from(*field);
    *field = to.octets();
    for (old, new) in words(old).into_iter().zip(words(to)) {
        mend_checksum(packet, HEADER_CHECKSUM_AT, old, new);
    }
    Some(old)
}

/// Replaces 16 bits; the old ones.
fn replace(bytes: &mut [u8], at: usize, new: u16) -> Option<u16> {
    let field: &mut [u8; 2] = bytes.get_mut(at..at + 2)?.first_chunk_mut()?;
    let old = u16::from_be_bytes(*field);
    *field = new.to_be_bytes();
    Some(old)
}

fn words(address: Ipv4Addr) -> [u16; 2] {
    let [a, b, c, d] = address.octets();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::machine::header::{HEADER_BYTES, NewHeader, transport_checksum_is_right};
    use crate::record::Outbox;
    use proptest::prelude::*;

    fn packet(protocol: IpProtocol, source: u32, destination: u32, payload: &[u8], pending: bool) -> Frame {
        let new = NewHeader {
            source: source.into(),
            destination: destination.into(),
            protocol,
            ttl: 9,
            tos: 0,
            ident: 5,
            dont_fragment: false,
        };
        let mut frame = new.packet(payload.len(), &mut Outbox::default()).with_checksum_pending();
        frame.bytes_mut()[HEADER_BYTES..].copy_from_slice(payload);
        match protocol {
            IpProtocol::Udp => {
                let length = (payload.len() as u16).to_be_bytes();
                frame.bytes_mut()[HEADER_BYTES + 4..HEADER_BYTES + 6].copy_from_slice(&length);
            }
            IpProtocol::Tcp => frame.bytes_mut()[HEADER_BYTES + 12] = 0x50,
            _ => {}
        }
        if !pending {
            frame.complete();
        }
        frame
    }

    fn sides() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Source), Just(Side::Destination)]
    }

    fn protocols() -> impl Strategy<Value = IpProtocol> {
        prop_oneof![Just(IpProtocol::Icmp), Just(IpProtocol::Tcp), Just(IpProtocol::Udp)]
    }

    proptest! {
        #[test]
        fn checksums_stay_right_whatever_is_put_in(
            protocol in protocols(), side in sides(), source: u32, destination: u32, address: u32, port: u16,
            mut payload in proptest::collection::vec(any::<u8>(), 20..60), pending: bool,
        ) {
            payload[0] = 8;
            let mut frame = packet(protocol, source, destination, &payload, pending);
            let mut header = Header::of_received(frame.bytes()).unwrap();
            rewrite(&mut frame, &mut header, side, Endpoint::new(address.into(), port));
            frame.complete();
            let after = Header::of_received(frame.bytes());
            prop_assert!(after.is_ok(), "the header's checksum");
            let after = after.unwrap();
            prop_assert_eq!((after.source, after.destination), (header.source, header.destination));
            prop_assert!(transport_checksum_is_right(&after, frame.bytes()));
            if protocol == IpProtocol::Udp {
                prop_assert_ne!(&frame.bytes()[26..28], &[0, 0], "a checksum of zero would say that there is none");
            }
        }

        #[test]
        fn there_and_back_again_is_the_same_packet(
            protocol in protocols(), side in sides(), source: u32, destination: u32, address: u32, port: u16,
            payload in proptest::collection::vec(any::<u8>(), 20..60),
        ) {
            let mut frame = packet(protocol, source, destination, &payload, false);
            let before = frame.bytes().to_vec();
            let mut header = Header::of_received(frame.bytes()).unwrap();
            let (port_at, _) = places(protocol, side).unwrap();
            let at = HEADER_BYTES + port_at;
            let old_port = u16::from_be_bytes([before[at], before[at + 1]]);
            let old = if side == Side::Source { header.source } else { header.destination };
            rewrite(&mut frame, &mut header, side, Endpoint::new(address.into(), port));
            rewrite(&mut frame, &mut header, side, Endpoint::new(old, old_port));
            prop_assert_eq!(frame.bytes(), before);
        }

        #[test]
        fn a_packet_that_is_cut_short_is_changed_as_far_as_it_goes(
            bytes in proptest::collection::vec(any::<u8>(), 0..60), length in 0_usize..80, side in sides(),
            protocol in protocols(), mends: bool,
        ) {
            let mut changed = bytes.clone();
            rewrite_bytes(&mut changed, length, protocol, side, Endpoint::new(Ipv4Addr::BROADCAST, 7), mends);
            rewrite_ident(&mut changed, 9);
            prop_assert_eq!(changed.len(), bytes.len());
        }
    }

    #[test]
    fn a_datagram_without_a_checksum_stays_without_one() {
        let mut frame = packet(IpProtocol::Udp, 1, 2, &[0; 20], false);
        frame.bytes_mut()[26..28].fill(0);
        let mut header = Header::of_received(frame.bytes()).unwrap();
        rewrite(&mut frame, &mut header, Side::Source, Endpoint::new(Ipv4Addr::BROADCAST, 7));
        assert_eq!(frame.bytes()[26..28], [0, 0]);
    }

    #[test]
    fn a_damaged_packet_stays_damaged() {
        let mut frame = packet(IpProtocol::Tcp, 1, 2, &[3; 30], false);
        frame.bytes_mut()[45] ^= 4;
        let mut header = Header::of_received(frame.bytes()).unwrap();
        rewrite(&mut frame, &mut header, Side::Destination, Endpoint::new(Ipv4Addr::BROADCAST, 7));
        assert!(!transport_checksum_is_right(&header, frame.bytes()));
    }
}
