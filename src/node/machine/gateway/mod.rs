//! A gateway: a host whose programs are those of a real kernel.
//!
//! ```text
//!   real kernel ── TUN or TAP ── attach ── Gateway ── nic, arp, nd ── link ── simulated network
//!                                  enter ─────────▶
//!                                  ◀────── leaving
//! ```
//!
//! With packets (a TUN device) the machine below keeps its card: it answers for its addresses on the link, finds neighbors
//! and routes, and takes neither a hop nor a time to live. Everything above IP is the kernel's: echo, reassembly, sockets,
//! path MTU. With frames (a TAP device) the kernel has the card too, and everything passes as it is.
//!
//! What must not leak does not: a packet from the kernel has a source address that belongs behind the gateway, and a packet
//! to the kernel is for such an address and comes from where the kernel's answer would come back into the simulation. Whoever
//! wants more says so ([`GatewaySpec::behind`]).
//!
//! Nothing here touches a device. What leaves is kept, in order, until [`Gateway::take`] is called; a gateway that nobody has
//! attached ends it with a cause.

mod packet;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, Ipv4Packet};

use self::packet::{Ends, is_for_link_layer};
use super::header::Header;
use super::icmp::Complaint;
use super::ip::{IpLayer, is_ipv6, next_hop};
use super::nic::ETHERNET_HEADER_BYTES;
use super::{Machine, vlan};
use crate::id::PortId;
use crate::record::{Cause, Outbox, Value};
use crate::time::Time;
use crate::wire::{Frame, Layer};

pub use settings::KIND;

/// A gateway's only link.
const PORT: PortId = PortId(0);

/// How a gateway differs from a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySpec {
    /// Whether the kernel is handed IP packets, as a TUN device does, or whole frames, as a TAP device does.
    pub layer: Layer,
    /// The simulated subnets: what comes from elsewhere would be answered into a real network.
    pub reach: Vec<IpNet>,
    /// Real networks behind the kernel that may be reached and may send, beside the gateway's own addresses.
    pub behind: Vec<IpNet>,
}

impl Default for GatewaySpec {
    /// Packets, and nothing to reach.
    fn default() -> Self {
        Self { layer: Layer::Ip, reach: Vec::new(), behind: Vec::new() }
    }
}

/// The way to and from a kernel.
#[derive(Debug)]
pub struct Gateway {
    spec: GatewaySpec,
    own: Vec<IpAddr>,
    is_attached: bool,
    /// For the kernel, oldest first; checksums filled in.
    leaving: VecDeque<Frame>,
    entered: u64,
    left: u64,
}

impl Gateway {
    fn new(spec: GatewaySpec, own: Vec<IpAddr>) -> Self {
        Self { spec, own, is_attached: false, leaving: VecDeque::new(), entered: 0, left: 0 }
    }

    /// How it differs from a host.
    #[must_use]
    pub fn spec(&self) -> &GatewaySpec {
        &self.spec
    }

    /// From now on what is for the kernel is kept for [`take`](Self::take), whose caller must keep up.
    pub fn attach(&mut self) {
        self.is_attached = true;
    }

    /// Hands over whole frames rather than packets, or the other way round.
    pub fn set_layer(&mut self, layer: Layer) {
        self.spec.layer = layer;
    }

    /// Adds a network to those that the kernel reaches through the gateway.
    pub fn add_reach(&mut self, net: IpNet) {
        if !self.spec.reach.contains(&net) {
            self.spec.reach.push(net);
        }
    }

    /// The next frame or packet for the kernel.
    pub fn take(&mut self) -> Option<Frame> {
        self.leaving.pop_front()
    }

    pub(super) fn counters(&self) -> Vec<(String, Value)> {
        let named = [("gateway.entered", self.entered), ("gateway.left", self.left)];
        named.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }

    /// Forgets what the kernel has not been handed yet.
    pub(super) fn power_off(&mut self, out: &mut Outbox) {
        for frame in self.leaving.drain(..) {
            out.drop_frame(frame, Cause::NodeDown);
        }
    }

    fn is_behind(&self, address: IpAddr) -> bool {
        self.own.contains(&address) || self.spec.behind.iter().any(|net| net.contains(&address))
    }

    fn is_simulated(&self, address: IpAddr) -> bool {
        self.spec.reach.iter().any(|net| net.contains(&address))
    }

    /// Why a packet from the network must not go to the kernel.
    fn fault_of_leaving(&self, ends: &Ends) -> Option<Cause> {
        if !self.is_attached {
            return Some(Cause::NothingAttached);
        }
        // RFC 1122 §3.2.1.3: "A host MUST silently discard an incoming datagram that is not destined for the host." That
        // the kernel may be a router is for its owner to say.
        if !ends.is_for_many && !self.is_behind(ends.destination) {
            return Some(Cause::NotForwarding);
        }
        // The kernel would take it for one of its own gone astray.
        if self.own.contains(&ends.source) {
            return Some(Cause::Martian);
        }
        (!self.is_simulated(ends.source)).then_some(Cause::NoWayBack)
    }

    /// Why a packet from the kernel must not go into the network.
    fn fault_of_entering(&self, ends: &Ends) -> Option<Cause> {
        // RFC 2827 §3: "input traffic filtering ... to prohibit an attacker from using forged source addresses"; here, what
        // the real machine is called elsewhere.
        (!self.is_behind(ends.source)).then_some(Cause::ForeignSource)
    }

    /// The same for a frame, whose kernel has a card of its own: it speaks before it has an address, and of its link.
    fn fault_of_entering_frame(&self, frame: &[u8]) -> Option<Cause> {
        let header = EthernetFrame::new_checked(frame).ok()?;
        match header.ethertype() {
            EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6 => {}
            EthernetProtocol::Arp => return None,
            _ => return Some(Cause::UnknownProtocol),
        }
        let Some(ends) = Ends::of(header.payload()) else { return Some(Cause::Malformed) };
        let is_of_the_link = match ends.source {
            IpAddr::V4(source) => source.is_unspecified(),
            IpAddr::V6(source) => source.is_unspecified() || source.is_unicast_link_local(),
        };
        if is_of_the_link { None } else { self.fault_of_entering(&ends) }
    }

    /// Keeps a frame or packet for the kernel.
    fn let_go(&mut self, mut frame: Frame) {
        frame.complete();
        self.left += 1;
        self.leaving.push_back(frame);
    }
}

impl Machine {
    /// Puts a kernel in the place of the machine's programs, which run no more.
    pub fn become_gateway(&mut self, spec: GatewaySpec) {
        let addresses = self.spec.interfaces.iter().flat_map(|interface| &interface.addresses);
        let own: Vec<IpAddr> = addresses.map(IpNet::addr).collect();
        self.starts.clear();
        self.gateway = Some(Box::new(Gateway::new(spec, own)));
    }

    /// The way to a kernel, if the machine is a gateway.
    #[must_use]
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_deref()
    }

    /// The same, to be attached and emptied.
    pub fn gateway_mut(&mut self) -> Option<&mut Gateway> {
        self.gateway.as_deref_mut()
    }

    /// The largest packet that the machine's first link carries.
    #[must_use]
    pub fn mtu(&self) -> usize {
        self.ip().mtu_of(PORT.0)
    }

    /// Takes a packet or frame that the kernel has sent.
    pub(crate) fn enter(&mut self, bytes: &[u8], now: Time, out: &mut Outbox) {
        let Some(gateway) = self.gateway.as_deref_mut() else { return };
        gateway.entered += 1;
        let layer = gateway.spec.layer;
        let mut frame = Frame::new(out.pool.copy(bytes), layer);
        if self.is_down {
            return out.drop_frame(frame, Cause::NodeDown);
        }
        // A kernel's checksums are right; a raw socket's may be anything, and whoever receives it then looks.
        frame.damaged = packet::is_damaged(&frame);
        if layer == Layer::Ethernet {
            match gateway.fault_of_entering_frame(frame.bytes()) {
                Some(cause) => out.drop_frame(frame, cause),
                None => vlan::send(&self.spec.interfaces, PORT.0, frame, out),
            }
            return;
        }
        let Some(ends) = Ends::of(frame.bytes()) else { return out.drop_frame(frame, Cause::Malformed) };
        if let Some(cause) = gateway.fault_of_entering(&ends) {
            return out.drop_frame(frame, cause);
        }
        let refusal = match &mut self.ip_mut().ipv6 {
            Some(ipv6) if ends.source.is_ipv6() => ipv6.enter(PORT.0, frame, now, out),
            None if ends.source.is_ipv6() => return out.drop_frame(frame, Cause::UnknownProtocol),
            _ => self.ip_mut().enter(frame, now, out),
        };
        if let Some(refusal) = refusal {
            self.hand_over_own(refusal, out);
        }
        self.settle(now, out);
    }

    /// Takes a frame off the gateway's link, unless it is for the card rather than the kernel; then it is given back.
    pub(super) fn leave(&mut self, port: PortId, mut frame: Frame, out: &mut Outbox) -> Option<Frame> {
        let own = self.spec.interfaces.get(usize::from(port.0))?.mac;
        let Some(gateway) = self.gateway.as_deref_mut() else { return Some(frame) };
        let header = EthernetFrame::new_checked(frame.bytes()).ok().filter(|_| frame.layer == Layer::Ethernet);
        let Some(header) = header else { return Some(frame) };
        let (destination, protocol) = (header.dst_addr(), header.ethertype());
        if destination != own && !destination.is_multicast() {
            return Some(frame);
        }
        let is_packet = matches!(protocol, EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6);
        match gateway.spec.layer {
            Layer::Ethernet => {
                let ends = if is_packet { Ends::of(header.payload()) } else { None };
                // What a link's neighbors say to each other by link-local addresses stays on the link by itself.
                let fault = match ends {
                    _ if !gateway.is_attached => Some(Cause::NothingAttached),
                    Some(ends) if !ends.is_of_the_link() => gateway.fault_of_leaving(&ends),
                    _ => None,
                };
                match fault {
                    Some(cause) => out.drop_frame(frame, cause),
                    None => gateway.let_go(frame),
                }
                None
            }
            Layer::Ip if is_packet && !is_for_link_layer(header.payload()) => {
                frame.buffer_mut().shrink_front(ETHERNET_HEADER_BYTES);
                frame.layer = Layer::Ip;
                self.hand_over(frame, out);
                None
            }
            Layer::Ip => Some(frame),
        }
    }

    /// Gives a packet that came in to the kernel, if it may have it.
    fn hand_over(&mut self, mut packet: Frame, out: &mut Outbox) {
        let Some(ends) = Ends::of(packet.bytes()) else { return out.drop_frame(packet, Cause::Malformed) };
        packet.buffer_mut().truncate(ends.length);
        let Some(gateway) = self.gateway.as_deref_mut() else { return out.drop_frame(packet, Cause::NobodyListens) };
        match gateway.fault_of_leaving(&ends) {
            Some(cause) => out.drop_frame(packet, cause),
            None => gateway.let_go(packet),
        }
    }

    /// Gives the kernel an error of this card's own: nobody answers on the link, the packet is too large for it.
    pub(super) fn hand_over_own(&mut self, mut packet: Frame, out: &mut Outbox) {
        if !is_ipv6(&packet)
            && let Some(neighbor) = self.neighbor_that_tells()
        {
            // A kernel takes no IPv4 packet from itself, so the router on the link says it.
            readdress(&mut packet, neighbor);
        }
        match self.gateway.as_deref_mut() {
            Some(gateway) if gateway.is_attached => gateway.let_go(packet),
            _ => out.drop_frame(packet, Cause::NothingAttached),
        }
    }

    /// Who may be said to have told the kernel of something that this card found out: the first router on the link.
    fn neighbor_that_tells(&self) -> Option<Ipv4Addr> {
        let vias = self.spec.routes.iter().filter_map(|route| route.via);
        vias.filter_map(|via| if let IpAddr::V4(via) = via { Some(via) } else { None }).next()
    }
}

fn readdress(packet: &mut Frame, source: Ipv4Addr) {
    packet.complete();
    let mut ip = Ipv4Packet::new_unchecked(packet.bytes_mut());
    ip.set_src_addr(source);
    ip.fill_checksum();
}

impl IpLayer {
    /// Sends what a kernel has made. An error for the kernel is given back if it is too large.
    fn enter(&mut self, mut packet: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        let header = match Header::of_received(packet.bytes()) {
            Ok(header) => header,
            Err(cause) => {
                self.drop_packet(packet, cause, out);
                return None;
            }
        };
        let mtu = self.mtu_of(PORT.0);
        if header.dont_fragment && header.total_length > mtu {
            let error = self.error_about(Complaint::FragmentationNeeded { mtu }, &mut packet, now, out);
            self.drop_packet(packet, Cause::FragmentationNeeded, out);
            return error;
        }
        let leads_on = self
            .routes
            .lookup(header.destination.into())
            .is_some_and(|route| next_hop(route, header.destination).is_some());
        if !leads_on && self.link_for_many(|| None, header.destination).is_none() {
            let error = self.error_about(Complaint::NetUnreachable, &mut packet, now, out);
            self.drop_packet(packet, Cause::NoRoute, out);
            return error;
        }
        // A packet that cannot be sent has been recorded with its cause.
        let _ = self.send_as_is(None, header, packet, now, out);
        None
    }
}
