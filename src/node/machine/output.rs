//! A packet of this machine's own goes out (RFC 1122 §3.3.1).

use std::net::Ipv4Addr;

use smoltcp::wire::{EthernetAddress, Ipv4Packet};

use super::fragment::fragment;
use super::header::Header;
use super::hop::HERE;
use super::ip::{IpLayer, next_hop, refusal};
use crate::net::SendError;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// How many packets from this machine to itself may wait to be taken in.
const LOOPED_PACKETS_MAX: usize = 65_536;

impl IpLayer {
    /// Sends a packet that this machine has made: a socket's, or an answer of the IP layer's own.
    pub(super) fn send_own(&mut self, packet: Frame, now: Time, out: &mut Outbox) -> Result<(), SendError> {
        self.send_through(None, packet, now, out)
    }

    /// The same, through a given interface if there is one.
    pub(super) fn send_through(
        &mut self,
        through: Option<u16>,
        mut packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        let Ok(header) = Header::of_own(packet.bytes()) else {
            self.drop_packet(packet, Cause::Malformed, out);
            return Err(SendError::NetworkUnreachable);
        };
        // RFC 6864 §4.1: the identification of a packet that cannot be fragmented means nothing; any other needs one
        // that was not used lately.
        let ident = (header.ident == 0 && !header.dont_fragment).then(|| self.next_ident());
        let mut ip = Ipv4Packet::new_unchecked(packet.bytes_mut());
        if let Some(ident) = ident {
            ip.set_ident(ident);
        }
        ip.fill_checksum();
        let header = Header { ident: ident.unwrap_or(header.ident), ..header };
        self.send_as_is(through, header, packet, now, out)
    }

    /// Sends a packet whose header is not touched, through a given interface if there is one.
    pub(super) fn send_as_is(
        &mut self,
        through: Option<u16>,
        mut header: Header,
        mut packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        self.counters.sent += 1;
        packet.buffer_mut().truncate(header.total_length);
        if self.gate.is_some() {
            self.untranslate_own_error(&mut header, &mut packet);
        }
        if through.is_none() && self.owns_v4(header.destination) {
            if self.looped.len() >= LOOPED_PACKETS_MAX {
                self.drop_packet(packet, Cause::QueueFull, out);
                return Ok(());
            }
            self.looped.push_back(packet);
            return Ok(());
        }
        if header.source.is_loopback() || header.destination.is_loopback() {
            // RFC 1122 §3.2.1.3: loopback addresses "MUST NOT appear outside a host".
            self.drop_packet(packet, Cause::Martian, out);
            return Err(SendError::NetworkUnreachable);
        }
        let (interface, neighbor, is_only) = match self.way_out(through, &header, &packet, now) {
            Ok(way) => way,
            Err((cause, error)) => {
                self.drop_packet(packet, cause, out);
                return Err(error);
            }
        };
        let (header, packet) = match self.gate {
            None => (header, packet),
            Some(_) => {
                let passed = self.going_out(interface, header, packet, now, out);
                passed.ok_or(SendError::PermissionDenied)?
            }
        };
        if is_only && self.gate.is_none() && self.owns_v4(header.source) {
            self.remember_way(HERE, &header, interface, neighbor, now);
        }
        let mtu = self.paths.limit(header.destination, self.mtu_of(interface));
        if header.total_length <= mtu {
            self.transmit(interface, neighbor, packet, now, out);
            return Ok(());
        }
        if header.dont_fragment {
            self.drop_packet(packet, Cause::FragmentationNeeded, out);
            return Err(SendError::MessageTooLong { mtu });
        }
        fragment(packet, &header, mtu, out, |fragment, out| {
            self.counters.fragments_created += 1;
            self.transmit(interface, neighbor, fragment, now, out);
        });
        Ok(())
    }

    /// Which interface a packet takes, whom it is handed to there, and whether every packet to its destination is.
    fn way_out(
        &self,
        through: Option<u16>,
        header: &Header,
        packet: &Frame,
        now: Time,
    ) -> Result<(u16, Ipv4Addr, bool), (Cause, SendError)> {
        let destination = header.destination;
        // A group is on every link, and whoever names one means that one.
        if let Some(interface) = through.filter(|_| destination.is_multicast()) {
            return Ok((interface, destination, false));
        }
        let preferred = || through.or_else(|| self.interface_of(header.source));
        if let Some((interface, neighbor)) = self.link_for_many(preferred, destination) {
            return Ok((interface, neighbor, false));
        }
        let route = self.route_of(header, packet.bytes(), now);
        if let Some(interface) = through {
            // Through that one and no other: by the route if it leads there, otherwise straight to the destination.
            let route = route.map(|(route, _)| route).filter(|route| route.interface == interface);
            let router = route.and_then(|route| next_hop(route, destination));
            return Ok((interface, router.unwrap_or(destination), false));
        }
        let unreachable = (Cause::NoRoute, SendError::NetworkUnreachable);
        let (route, is_only) = route.ok_or(unreachable)?;
        match refusal(route.kind) {
            Some(refused) => Err(refused),
            None => {
                let router = self.redirects.router_for(destination, route.interface);
                let neighbor = router.or_else(|| next_hop(route, destination)).ok_or(unreachable)?;
                Ok((route.interface, neighbor, is_only))
            }
        }
    }

    /// The link for a destination that routes do not tell: the limited broadcast address, and a group that no route
    /// leads to. That is the `preferred` one, or else the first.
    pub(super) fn link_for_many(
        &self,
        preferred: impl FnOnce() -> Option<u16>,
        destination: Ipv4Addr,
    ) -> Option<(u16, Ipv4Addr)> {
        let is_for_many = destination.is_broadcast()
            || (destination.is_multicast() && self.routes.lookup(destination.into()).is_none());
        let has_interfaces = !self.interfaces.is_empty();
        (is_for_many && has_interfaces).then(|| (preferred().unwrap_or(0), destination))
    }

    /// The hardware address that needs no asking for: of a broadcast address or a group.
    pub(super) fn mac_for_many(&self, neighbor: Ipv4Addr) -> Option<EthernetAddress> {
        if neighbor.is_multicast() {
            // RFC 1112 §6.4: "placing the low-order 23-bits of the IP address into the low-order 23 bits of the
            // Ethernet multicast address 01-00-5E-00-00-00".
            let [_, b, c, d] = neighbor.octets();
            return Some(EthernetAddress([0x01, 0x00, 0x5e, b & 0x7f, c, d]));
        }
        self.is_broadcast_v4(neighbor).then_some(EthernetAddress::BROADCAST)
    }
}
