//! The network card: Ethernet headers on and off, in place (RFC 894).
//!
//! Outgoing packets have room in front of them, so a header costs no copy. What a card does not take in is what is for
//! other cards; that happens whenever a switch floods.

use smoltcp::wire::{EthernetAddress, EthernetFrame, EthernetProtocol};

use super::ip::IpLayer;
use super::vlan;
use crate::id::PortId;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::bpdu::is_for_neighbor;
use crate::wire::{Frame, Layer};

/// The length of an Ethernet header.
pub(super) const ETHERNET_HEADER_BYTES: usize = 14;

/// Where a packet came in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arrival {
    /// On a link.
    Link {
        /// At which interface.
        interface: u16,
        /// As a link-layer broadcast or multicast.
        is_for_many: bool,
    },
    /// From this machine itself.
    Loopback,
}

impl Arrival {
    /// The interface, if it came in on a link.
    pub(super) fn interface(self) -> Option<u16> {
        match self {
            Self::Link { interface, .. } => Some(interface),
            Self::Loopback => None,
        }
    }
}

impl IpLayer {
    /// Takes a frame off a link. What is for this machine's sockets is given back, as a whole IP packet.
    pub(super) fn receive(&mut self, port: PortId, mut frame: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        let Some(port) = vlan::interface_for(&self.spec.interfaces, port, &mut frame) else {
            self.drop_packet(frame, Cause::WrongVlan, out);
            return None;
        };
        let Some(spec) = self.spec.interfaces.get(usize::from(port.0)) else {
            self.drop_packet(frame, Cause::NoLink, out);
            return None;
        };
        let own = spec.mac;
        let header = match frame.layer {
            Layer::Ethernet => EthernetFrame::new_checked(frame.bytes()).ok(),
            Layer::Ip => None,
        };
        let Some(header) = header else {
            self.drop_packet(frame, Cause::Malformed, out);
            return None;
        };
        let (source, destination, protocol) = (header.src_addr(), header.dst_addr(), header.ethertype());
        if source.is_multicast() {
            // IEEE 802.3 §3.2.3: a source address is that of one station.
            self.drop_packet(frame, Cause::Malformed, out);
            return None;
        }
        // What is for the other end of the link alone is for switches (IEEE 802.1D table 7-10).
        let is_for_others = !destination.is_multicast() || is_for_neighbor(&destination.0);
        if destination != own && is_for_others {
            self.drop_packet(frame, Cause::NotForThisAddress, out);
            return None;
        }
        let arrival = Arrival::Link { interface: port.0, is_for_many: destination.is_multicast() };
        match protocol {
            EthernetProtocol::Ipv4 => {
                frame.buffer_mut().shrink_front(ETHERNET_HEADER_BYTES);
                frame.layer = Layer::Ip;
                self.counters.received += 1;
                self.input(arrival, frame, now, out)
            }
            EthernetProtocol::Arp => {
                self.arp_input(port.0, frame, now, out);
                None
            }
            EthernetProtocol::Ipv6 if self.ipv6.is_some() => {
                frame.buffer_mut().shrink_front(ETHERNET_HEADER_BYTES);
                frame.layer = Layer::Ip;
                self.arrived_on = Some(port.0);
                let ipv6 = self.ipv6.as_mut()?;
                ipv6.input(port.0, destination.is_multicast(), frame, now, out)
            }
            _ => {
                self.drop_packet(frame, Cause::UnknownProtocol, out);
                None
            }
        }
    }

    /// Puts an Ethernet header in front of an IP packet and the frame on the link.
    pub(super) fn emit(&mut self, interface: u16, destination: EthernetAddress, mut packet: Frame, out: &mut Outbox) {
        let Some(spec) = self.spec.interfaces.get(usize::from(interface)) else {
            return self.drop_packet(packet, Cause::NoLink, out);
        };
        put_header(&mut packet, destination, spec.mac, EthernetProtocol::Ipv4);
        vlan::send(&self.spec.interfaces, interface, packet, out);
    }
}

/// Puts an Ethernet header in front of a packet.
pub(super) fn put_header(
    packet: &mut Frame,
    destination: EthernetAddress,
    source: EthernetAddress,
    protocol: EthernetProtocol,
) {
    packet.buffer_mut().grow_front(ETHERNET_HEADER_BYTES);
    let mut header = EthernetFrame::new_unchecked(packet.bytes_mut());
    header.set_dst_addr(destination);
    header.set_src_addr(source);
    header.set_ethertype(protocol);
    packet.layer = Layer::Ethernet;
}
