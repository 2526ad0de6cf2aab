//! A frame: bytes, an identity and a provenance.
//!
//! The same type serves as the *packet* inside a machine, where its bytes begin with the IP header ([`Layer::Ip`]), and
//! as the *frame* on a link, where they begin with the Ethernet header ([`Layer::Ethernet`]). One frame crosses one
//! link: whoever sends it on makes it a new frame whose [`cause`](Frame::cause) is the old one.

use smoltcp::wire::{EthernetFrame, Icmpv4Packet, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, UdpPacket, checksum};

use super::pool::{Buffer, Pool};
use super::view::{be16, ethertype};
use super::vlan::{VLAN_TAG_BYTES, tag_of};
use crate::id::FrameId;

/// Where a frame's bytes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// With an Ethernet header.
    Ethernet,
    /// With an IPv4 or IPv6 header.
    Ip,
}

/// Whether the transport checksum has been filled in.
///
/// As with a network card's offload: a stack leaves the checksum of a TCP segment, UDP datagram or ICMP message open,
/// and it is computed when somebody looks at the bytes ([`Frame::complete`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The bytes are as a wire would carry them.
    Complete,
    /// The transport header's checksum field is still to be computed.
    Pending,
}

/// Bytes on their way, with an identity.
#[derive(Debug)]
pub struct Frame {
    /// Which frame this is; given by the network when the frame is put on a link, `None` before that.
    pub id: Option<FrameId>,
    /// The frame without which this one would not be: what a router received, what an ICMP error complains about.
    pub cause: Option<FrameId>,
    /// Where the bytes begin.
    pub layer: Layer,
    /// Whether the transport checksum has been filled in.
    pub checksum: Checksum,
    /// A link has flipped bits: whoever receives the frame verifies its checksums.
    pub damaged: bool,
    /// Somebody else has made the bytes: whoever receives the frame verifies its checksums as well.
    pub foreign: bool,
    buffer: Buffer,
}

impl Frame {
    /// A frame without an identity yet.
    #[must_use]
    pub fn new(buffer: Buffer, layer: Layer) -> Self {
        Self { id: None, cause: None, layer, checksum: Checksum::Complete, damaged: false, foreign: false, buffer }
    }

    /// The same frame, caused by `cause`.
    #[must_use]
    pub fn caused_by(mut self, cause: Option<FrameId>) -> Self {
        self.cause = cause;
        self
    }

    /// The same frame, with the transport checksum still to be computed.
    #[must_use]
    pub fn with_checksum_pending(mut self) -> Self {
        self.checksum = Checksum::Pending;
        self
    }

    /// A copy in a buffer of its own, without an identity, caused by this frame.
    #[must_use]
    pub fn duplicate(&self, pool: &mut Pool) -> Self {
        Self {
            id: None,
            cause: self.id.or(self.cause),
            layer: self.layer,
            checksum: self.checksum,
            damaged: self.damaged,
            foreign: self.foreign,
            buffer: pool.copy(self.buffer.bytes()),
        }
    }

    /// Whether its checksums may be wrong, so that whoever receives it verifies them.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.damaged || self.foreign
    }

    /// Its bytes have been made anew, or verified: they are as sound as any.
    pub fn set_sound(&mut self) {
        (self.damaged, self.foreign) = (false, false);
    }

    /// Makes this as doubtful as the frame that it is made of.
    pub fn inherit_doubts(&mut self, of: &Self) {
        self.damaged |= of.damaged;
        self.foreign |= of.foreign;
    }

    /// Gives the bytes back to the pool; the end of every frame.
    pub fn recycle(self, pool: &mut Pool) {
        pool.give(self.buffer);
    }

    /// The bytes. A [pending](Checksum::Pending) transport checksum holds anything.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// The bytes, to be edited in place.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut()
    }

    /// The buffer, to add or remove headers.
    #[must_use]
    pub fn buffer_mut(&mut self) -> &mut Buffer {
        &mut self.buffer
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from the IP header on, if this is an IP packet or a frame that carries one.
    #[must_use]
    pub fn ip_bytes(&self) -> Option<&[u8]> {
        match self.layer {
            Layer::Ip => Some(self.bytes()),
            Layer::Ethernet => {
                let header = self.ethernet_header_length();
                let ethertype = header.checked_sub(2).and_then(|at| be16(self.bytes(), at))?;
                let is_ip = matches!(ethertype, ethertype::IPV4 | ethertype::IPV6);
                is_ip.then(|| self.bytes().get(header..))?
            }
        }
    }

    /// How long the Ethernet header is, a VLAN tag included.
    fn ethernet_header_length(&self) -> usize {
        let tag = tag_of(self.bytes()).map_or(0, |_| VLAN_TAG_BYTES);
        EthernetFrame::<&[u8]>::header_len() + tag
    }

    /// Fills in a pending transport checksum, so that the bytes are as a wire would carry them.
    pub fn complete(&mut self) {
        if self.checksum == Checksum::Complete {
            return;
        }
        self.checksum = Checksum::Complete;
        let offset = match self.layer {
            Layer::Ip => 0,
            Layer::Ethernet => self.ethernet_header_length(),
        };
        if let Some(packet) = self.bytes_mut().get_mut(offset..) {
            fill_transport_checksum(packet);
        }
    }
}

/// Computes the checksum of the TCP segment, UDP datagram or ICMP message that an unfragmented IP packet carries.
///
/// Packets that are too short for their headers, fragments and other protocols are left as they are.
pub fn fill_transport_checksum(packet: &mut [u8]) {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => {
            let Ok(mut ip) = Ipv4Packet::new_checked(packet) else { return };
            if ip.more_frags() || ip.frag_offset() != 0 {
                return;
            }
            let (source, destination, protocol) = (ip.src_addr().into(), ip.dst_addr().into(), ip.next_header());
            match protocol {
                IpProtocol::Tcp => {
                    if let Ok(mut tcp) = TcpPacket::new_checked(ip.payload_mut()) {
                        tcp.fill_checksum(&source, &destination);
                    }
                }
                IpProtocol::Udp => {
                    if let Ok(mut udp) = UdpPacket::new_checked(ip.payload_mut()) {
                        udp.fill_checksum(&source, &destination);
                    }
                }
                IpProtocol::Icmp => {
                    if let Ok(mut icmp) = Icmpv4Packet::new_checked(ip.payload_mut()) {
                        icmp.fill_checksum();
                    }
                }
                _ => {}
            }
        }
        Some(6) => {
            let Ok(mut ip) = Ipv6Packet::new_checked(packet) else { return };
            let (source, destination, protocol) = (ip.src_addr(), ip.dst_addr(), ip.next_header());
            match protocol {
                IpProtocol::Tcp => {
                    if let Ok(mut tcp) = TcpPacket::new_checked(ip.payload_mut()) {
                        tcp.fill_checksum(&source.into(), &destination.into());
                    }
                }
                IpProtocol::Udp => {
                    if let Ok(mut udp) = UdpPacket::new_checked(ip.payload_mut()) {
                        udp.fill_checksum(&source.into(), &destination.into());
                    }
                }
                IpProtocol::Icmpv6 => {
                    // Of any type, known or not.
                    let message = ip.payload_mut();
                    if message.len() >= 4 {
                        message[2..4].fill(0);
                        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
                        let pseudo = checksum::pseudo_header_v6(&source, &destination, protocol, length);
                        let sum = !checksum::combine(&[pseudo, checksum::data(message)]);
                        message[2..4].copy_from_slice(&sum.to_be_bytes());
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_checksum_is_filled_once_somebody_looks() {
        let mut pool = Pool::default();
        // 10.0.0.1:1000 > 10.0.0.2:2000, "hi", checksums zero.
        let mut bytes = vec![0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes.extend([0x03, 0xe8, 0x07, 0xd0, 0, 10, 0, 0, b'h', b'i']);
        let mut frame = Frame::new(pool.copy(&bytes), Layer::Ip).with_checksum_pending();
        frame.complete();
        let ip = Ipv4Packet::new_checked(frame.bytes()).unwrap();
        let udp = UdpPacket::new_checked(ip.payload()).unwrap();
        assert!(udp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()));
        assert_ne!(udp.checksum(), 0);
    }

    #[test]
    fn a_pending_checksum_behind_a_vlan_tag_is_filled_too() {
        let mut pool = Pool::default();
        let mut bytes = vec![2; 12];
        bytes.extend([0x81, 0, 0, 10, 8, 0]);
        bytes.extend([0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.extend([0x03, 0xe8, 0x07, 0xd0, 0, 10, 0, 0, b'h', b'i']);
        let mut frame = Frame::new(pool.copy(&bytes), Layer::Ethernet).with_checksum_pending();
        frame.complete();
        let ip = Ipv4Packet::new_checked(frame.ip_bytes().unwrap()).unwrap();
        assert!(
            UdpPacket::new_checked(ip.payload()).unwrap().verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into())
        );
    }

    #[test]
    fn completing_nonsense_leaves_it_as_it_is() {
        for length in 0..64 {
            for first in [0x45, 0x60, 0x4f, 0x00, 0xff] {
                let bytes = vec![first; length];
                let mut frame = Frame::new(Pool::default().copy(&bytes), Layer::Ip).with_checksum_pending();
                frame.complete();
                assert_eq!(frame.len(), length);
            }
        }
    }
}
