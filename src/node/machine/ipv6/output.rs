//! A packet of this machine's own goes out (RFC 8200, RFC 4861 §5.2).

use std::net::Ipv6Addr;

use super::Ipv6Layer;
use super::address::{Own, is_of_link, select_source};
use super::forward::next_hop;
use super::fragment::fragment;
use super::header::{Header, PAYLOAD_BYTES_MAX};
use crate::net::SendError;
use crate::node::machine::firewall::{Chain, Passage};
use crate::node::machine::ip::refusal;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// The MTU of the loopback: whatever fits into a packet's length field.
const LOOPBACK_MTU: usize = PAYLOAD_BYTES_MAX;

/// How many packets from this machine to itself may wait to be taken in.
const LOOPED_PACKETS_MAX: usize = 65_536;

impl Ipv6Layer {
    /// Sends a packet that this machine has made: a socket's, or an answer of its own.
    pub(in crate::node::machine) fn send_own(
        &mut self,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        self.send_through(None, packet, now, out)
    }

    /// The same, through a given interface if there is one.
    pub(in crate::node::machine) fn send_through(
        &mut self,
        through: Option<u16>,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        match Header::of(packet.bytes()) {
            Ok(header) => self.send_as_is(through, &header, packet, now, out),
            Err(cause) => {
                out.drop_frame(packet, cause);
                Err(SendError::NetworkUnreachable)
            }
        }
    }

    /// Sends a packet that was made elsewhere, through a given interface if there is one.
    pub(in crate::node::machine) fn inject(
        &mut self,
        through: Option<u16>,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) {
        // A packet that cannot be sent has been recorded with its cause.
        match Header::of(packet.bytes()) {
            Ok(header) => drop(self.send_as_is(through, &header, packet, now, out)),
            Err(cause) => out.drop_frame(packet, cause),
        }
    }

    fn send_as_is(
        &mut self,
        through: Option<u16>,
        header: &Header,
        mut packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        self.counters.sent += 1;
        packet.buffer_mut().truncate(header.total_length);
        if through.is_none() && self.owns(header.destination) {
            if self.looped.len() >= LOOPED_PACKETS_MAX {
                out.drop_frame(packet, Cause::QueueFull);
                return Ok(());
            }
            self.looped.push_back(packet);
            return Ok(());
        }
        if header.source.is_loopback() || header.destination.is_loopback() {
            // RFC 4291 §2.5.3: "An IPv6 packet with a destination address of loopback must never be sent outside of a
            // single node".
            out.drop_frame(packet, Cause::Martian);
            return Err(SendError::NetworkUnreachable);
        }
        let (interface, neighbor) = match self.way_out(through, header) {
            Ok(way) => way,
            Err((cause, error)) => {
                out.drop_frame(packet, cause);
                return Err(error);
            }
        };
        let passage = Passage { chain: Chain::Out, arrives_by: None, leaves_by: Some(interface) };
        let packet = self.admit(passage, header, packet, now, out).ok_or(SendError::PermissionDenied)?;
        let mtu = self.paths.limit(header.destination, self.mtu_of(interface));
        if header.total_length <= mtu {
            self.transmit(interface, neighbor, packet, now, out);
            return Ok(());
        }
        self.ident = self.ident.wrapping_add(1);
        let ident = self.ident;
        fragment(packet, header, ident, mtu, out, |fragment, out| {
            self.counters.fragments_created += 1;
            self.transmit(interface, neighbor, fragment, now, out);
        });
        Ok(())
    }

    /// Which interface a packet takes, and whom it is handed to there.
    fn way_out(&self, through: Option<u16>, header: &Header) -> Result<(u16, Ipv6Addr), (Cause, SendError)> {
        let destination = header.destination;
        let unreachable = (Cause::NoRoute, SendError::NetworkUnreachable);
        if needs_no_route(destination) {
            let interface = through.or_else(|| self.interface_for(Some(header.source), destination));
            return interface.map(|interface| (interface, destination)).ok_or(unreachable);
        }
        let route = self.routes.lookup(destination.into());
        if let Some(interface) = through {
            // Through that one and no other: by the route if it leads there, otherwise straight to the destination.
            let router =
                route.filter(|route| route.interface == interface).and_then(|route| next_hop(route, destination));
            return Ok((interface, router.unwrap_or(destination)));
        }
        let route = route.ok_or(unreachable)?;
        match refusal(route.kind) {
            Some(refused) => Err(refused),
            None => {
                let told = self.redirects.target_for(destination, route.interface);
                let neighbor = told.or_else(|| next_hop(route, destination)).ok_or(unreachable)?;
                Ok((route.interface, neighbor))
            }
        }
    }

    /// Whom a packet for `destination` is handed to, and at which interface; `None` if that is this machine itself.
    pub(super) fn next_on_the_way(&self, destination: Ipv6Addr) -> Option<(u16, Ipv6Addr)> {
        if self.owns(destination) || destination.is_multicast() {
            return None;
        }
        if needs_no_route(destination) {
            return self.interface_for(None, destination).map(|interface| (interface, destination));
        }
        let route = self.routes.lookup(destination.into())?;
        let told = self.redirects.target_for(destination, route.interface);
        Some((route.interface, told.or_else(|| next_hop(route, destination))?))
    }

    /// The link for a destination that means something on each link: the one that has the source address, or where the
    /// neighbor was heard of, or the first one where IPv6 is spoken (RFC 4007 §6: the default zone).
    fn interface_for(&self, source: Option<Ipv6Addr>, destination: Ipv6Addr) -> Option<u16> {
        let of_source = source.and_then(|source| self.local(source)).map(|local| local.interface);
        let first = || self.links.iter().position(|link| link.is_active).map(|interface| interface as u16);
        of_source.or_else(|| self.neighbors.interface_of(destination)).or_else(first)
    }

    /// The source address for a packet to somebody else's `destination`; `None` without a route or an address.
    pub(super) fn source_toward(&self, destination: Ipv6Addr) -> Option<Ipv6Addr> {
        self.source_for(destination).ok()
    }

    /// The source address that a packet to `destination` carries.
    pub(in crate::node::machine) fn source_for(&self, destination: Ipv6Addr) -> Result<Ipv6Addr, SendError> {
        if self.owns_unicast(destination) {
            return Ok(destination);
        }
        let interface = if needs_no_route(destination) {
            self.interface_for(None, destination).ok_or(SendError::NetworkUnreachable)?
        } else {
            let route = self.routes.lookup(destination.into()).ok_or(SendError::NetworkUnreachable)?;
            if let Some((_, error)) = refusal(route.kind) {
                return Err(error);
            }
            route.interface
        };
        // RFC 6724 §4: "It is RECOMMENDED that the candidate source addresses be the set of unicast addresses assigned to
        // the interface that will be used to send to the destination". A link-local one is of no use beyond the link, so
        // another interface's has to do there.
        let on_interface = self.source_on(interface, destination);
        if let Some(source) = on_interface.filter(|source| is_of_link(destination) || !is_of_link(*source)) {
            return Ok(source);
        }
        let anywhere = self.links.iter().filter(|link| link.is_active).flat_map(|link| &link.addresses);
        let global = anywhere.filter(|own: &&Own| !is_of_link(own.address));
        select_source(global, destination).ok_or(SendError::NetworkUnreachable)
    }

    /// The largest packet that is known to reach `destination` in one piece.
    pub(in crate::node::machine) fn mtu_for(&self, destination: Ipv6Addr) -> usize {
        if self.owns(destination) {
            return LOOPBACK_MTU;
        }
        let interface = if needs_no_route(destination) {
            self.interface_for(None, destination)
        } else {
            self.routes.lookup(destination.into()).map(|route| route.interface)
        };
        self.paths.limit(destination, self.mtu_of(interface.unwrap_or(u16::MAX)))
    }
}

/// Whether an address says nothing of where it is: routes are not asked.
fn needs_no_route(destination: Ipv6Addr) -> bool {
    destination.is_multicast() || destination.is_unicast_link_local()
}
