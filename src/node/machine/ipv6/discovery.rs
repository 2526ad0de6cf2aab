//! Neighbor discovery: who is where on a link, and is it still there? (RFC 4861 §7)
//!
//! Questions go to the few who may be meant (the solicited-node group) when nothing is known, and to the neighbor itself
//! when it is only to be seen whether it is still there. Packets for a neighbor that does not answer are refused with
//! "address unreachable", also those of this machine's own programs.

use std::net::Ipv6Addr;

use smoltcp::wire::{EthernetAddress, EthernetProtocol};

use super::address::{ALL_NODES, multicast_mac, select_source, solicited_node};
use super::header::{HEADER_BYTES, Header, NewHeader};
use super::icmp::{Complaint, kind};
use super::message::{Flags, NeighborMessage};
use super::neighbor::{NeighborKey, State};
use super::{Ipv6Layer, Origin, Timer, extension::next};
use crate::id::FrameId;
use crate::node::Mac;
use crate::node::machine::nic::put_header;
use crate::node::machine::vlan;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// RFC 4861 §7.1: "The IP Hop Limit field has a value of 255, i.e., the packet could not possibly have been forwarded by a
/// router."
pub(super) const DISCOVERY_HOP_LIMIT: u8 = 255;

const NO_MAC: EthernetAddress = EthernetAddress([0; 6]);

impl Ipv6Layer {
    /// Puts a packet on the link at `interface`, addressed to `neighbor`, or lets it wait until the neighbor is known.
    pub(super) fn transmit(&mut self, interface: u16, neighbor: Ipv6Addr, packet: Frame, now: Time, out: &mut Outbox) {
        if neighbor.is_multicast() {
            return self.emit(interface, multicast_mac(neighbor), packet, out);
        }
        let key = NeighborKey { interface, address: neighbor };
        let Some(known) = self.neighbors.get_mut(key) else {
            return self.begin_asking(key, packet, now, out);
        };
        let mac = known.mac;
        match known.state_at(now) {
            State::Delay | State::Permanent | State::Probe { .. } | State::Reachable { .. } => {
                self.emit(interface, mac, packet, out);
            }
            State::Stale => {
                // RFC 4861 §7.3.3: "The first time a node sends a packet to a neighbor whose entry is STALE, the sender
                // changes the state to DELAY and sets a timer to expire in DELAY_FIRST_PROBE_TIME seconds."
                known.change(State::Delay, now);
                self.arm(key, now + self.spec.ipv6.nd.probe_after, now);
                self.emit(interface, mac, packet, out);
            }
            State::Incomplete { .. } => {
                known.waiting.push_back(packet);
                // RFC 4861 §7.2.2: "When a queue overflows, the new arrival SHOULD replace the oldest entry."
                let too_many = known.waiting.len() > self.spec.ipv6.nd.queue_packets.max(1);
                if let Some(oldest) = known.waiting.pop_front_if(|_| too_many) {
                    out.drop_frame(oldest, Cause::NeighborQueueFull);
                }
            }
            State::Failed => self.begin_asking(key, packet, now, out),
        }
    }

    /// Puts an Ethernet header in front of a packet and the frame on the link.
    pub(super) fn emit(&mut self, interface: u16, destination: EthernetAddress, mut packet: Frame, out: &mut Outbox) {
        let Some(spec) = self.spec.interfaces.get(usize::from(interface)) else {
            return out.drop_frame(packet, Cause::NoLink);
        };
        put_header(&mut packet, destination, spec.mac, EthernetProtocol::Ipv6);
        vlan::send(&self.spec.interfaces, interface, packet, out);
    }

    /// It is time to do something about a neighbor.
    pub(super) fn neighbor_is_due(&mut self, key: NeighborKey, now: Time, out: &mut Outbox) {
        let tries_max = self.spec.ipv6.nd.tries.max(1);
        let retry_at = now + self.retry_after(key.interface);
        let Some(neighbor) = self.neighbors.get_mut(key) else { return };
        neighbor.timer_at = None;
        let mac = neighbor.mac;
        match neighbor.state {
            State::Incomplete { tries } if tries < tries_max => {
                neighbor.state = State::Incomplete { tries: tries + 1 };
                self.arm(key, retry_at, now);
                self.ask_everybody(key, out);
            }
            // RFC 4861 §7.3.3: "If the entry is still in the DELAY state when the timer expires, the entry's state changes
            // to PROBE. [...] Upon entering the PROBE state, a node sends a unicast Neighbor Solicitation message to the
            // neighbor using the cached link-layer address."
            State::Delay => {
                neighbor.change(State::Probe { tries: 1 }, now);
                self.arm(key, retry_at, now);
                self.ask_itself(key, mac, out);
            }
            State::Probe { tries } if tries < tries_max => {
                neighbor.state = State::Probe { tries: tries + 1 };
                self.arm(key, retry_at, now);
                self.ask_itself(key, mac, out);
            }
            State::Incomplete { .. } | State::Probe { .. } => self.give_up(key, now, out),
            State::Failed | State::Permanent | State::Reachable { .. } | State::Stale => {}
        }
    }

    /// Takes a neighbor discovery message that begins at `at`, and ends the packet.
    pub(super) fn discovery_input(
        &mut self,
        origin: Origin,
        header: &Header,
        at: usize,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) {
        let Origin::Link { interface, .. } = origin else {
            return out.drop_frame(packet, Cause::InvalidDiscovery);
        };
        if header.hop_limit != DISCOVERY_HOP_LIMIT {
            return out.drop_frame(packet, Cause::InvalidDiscovery);
        }
        let message = packet.bytes().get(at..).unwrap_or_default();
        let dropped = match message.first().copied() {
            Some(kind @ (kind::NEIGHBOR_SOLICITATION | kind::NEIGHBOR_ADVERTISEMENT)) => {
                match NeighborMessage::read(message, header.source, header.destination) {
                    None => Some(Cause::InvalidDiscovery),
                    Some(read) if kind == kind::NEIGHBOR_SOLICITATION => {
                        self.solicited(interface, header, &read, packet.id, now, out)
                    }
                    Some(read) => self.advertised(interface, header, &read, now, out),
                }
            }
            Some(kind::ROUTER_SOLICITATION) => self.router_was_solicited(interface, header, message, now, out),
            Some(kind::ROUTER_ADVERTISEMENT) => self.router_advertised(interface, header, message, now, out),
            Some(kind::REDIRECT) => self.redirected(interface, header, message, now, out),
            _ => Some(Cause::Ignored),
        };
        match dropped {
            Some(cause) => out.drop_frame(packet, cause),
            None => out.consume(packet),
        }
    }

    /// Somebody asks for an address (RFC 4861 §7.2.3, §7.2.4). Why it is of no use, if it is not.
    fn solicited(
        &mut self,
        interface: u16,
        header: &Header,
        message: &NeighborMessage,
        frame: Option<FrameId>,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Cause> {
        let (source, target) = (header.source, message.target);
        let own = self.own(interface, target).copied();
        if own.is_some_and(|own| own.is_tentative()) {
            return self.tentative_was_solicited(interface, source, message, now, out);
        }
        let local = self.local(target).filter(|local| local.interface == interface);
        let Some(local) = local else {
            // RFC 4861 §7.2.3: "A valid Neighbor Solicitation that does not meet any of the following requirements MUST be
            // silently discarded". It came because the addresses of a group end alike.
            return Some(Cause::NotForThisAddress);
        };
        // "If the Source Address is not the unspecified address and, on link layers that have addresses, the
        // solicitation includes a Source Link-Layer Address option, then the recipient SHOULD create or update the
        // Neighbor Cache entry for the IP Source Address of the solicitation."
        if let Some(mac) = message.mac.filter(|_| !source.is_unspecified()) {
            self.heard_of(NeighborKey { interface, address: source }, mac, now, out);
        }
        self.counters.neighbor_advertisements += 1;
        let flags = Flags {
            is_router: self.spec.forwards,
            is_solicited: !source.is_unspecified(),
            // §7.2.4: "If the Target Address is either an anycast address or [...], the Override flag SHOULD be set to
            // zero."
            overrides: !local.is_anycast,
        };
        // "If the solicitation's IP Destination Address is not a multicast address, the Target Link-Layer Address option
        // MAY be omitted". As on Linux it is.
        let mac = header.destination.is_multicast().then(|| self.mac_of(interface));
        let body = NeighborMessage::advertisement(target, flags, mac);
        // "If the source of the solicitation is the unspecified address, the node MUST set the Solicited flag to zero and
        // multicast the advertisement to the all-nodes address."
        let destination = if source.is_unspecified() { ALL_NODES } else { source };
        let from = if local.is_anycast { self.source_on(interface, destination) } else { Some(target) };
        let Some(from) = from else { return Some(Cause::NoRoute) };
        let answer = self.discovery_packet(from, destination, &body, out).caused_by(frame);
        self.transmit(interface, destination, answer, now, out);
        None
    }

    /// Somebody says where an address is (RFC 4861 §7.2.5). Why it is of no use, if it is not.
    fn advertised(
        &mut self,
        interface: u16,
        header: &Header,
        message: &NeighborMessage,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Cause> {
        let (target, flags) = (message.target, message.flags);
        if let Some(own) = self.own(interface, target).copied() {
            // RFC 4862 §5.4.4: a tentative address "is a duplicate"; for one in use "it is an indication of a
            // configuration error [...]. A node [...] MAY" say so.
            if own.is_tentative() {
                self.is_duplicate(interface, target, message.mac, now, out);
            } else {
                let source = header.source;
                out.note(None, || format!("nd: {source} claims {target}, which is this machine's address"));
            }
            return None;
        }
        let key = NeighborKey { interface, address: target };
        let reachable = State::Reachable { until: self.trusted_until(interface, now) };
        // "If no entry exists, the advertisement SHOULD be silently discarded. There is no need to create an entry if none
        // exists, since the recipient has apparently not initiated any communication with the target."
        let Some(known) = self.neighbors.get_mut(key) else { return Some(Cause::Ignored) };
        let state = known.state_at(now);
        match state {
            State::Permanent | State::Failed => return Some(Cause::Ignored),
            State::Incomplete { .. } => {
                // "If the link layer has addresses and no Target Link-Layer Address option is included, the receiving
                // node SHOULD silently discard the received advertisement."
                let Some(mac) = message.mac else { return Some(Cause::Ignored) };
                known.is_router = flags.is_router;
                let state = if flags.is_solicited { reachable } else { State::Stale };
                self.learn(key, mac, state, now, out);
                return None;
            }
            _ => {}
        }
        let (old, new) = (known.mac, message.mac.unwrap_or(known.mac));
        if old != new && !flags.overrides {
            // "I. If the Override flag is clear and the supplied link-layer address differs from that in the cache, then
            // one of two actions takes place: a. If the state of the entry is REACHABLE, set it to STALE, but do not
            // update the entry in any other way. b. Otherwise, the received advertisement should be ignored".
            if matches!(state, State::Reachable { .. }) {
                self.set_state(key, State::Stale, now);
                return None;
            }
            return Some(Cause::Ignored);
        }
        known.mac = new;
        let was_router = std::mem::replace(&mut known.is_router, flags.is_router);
        if old != new {
            out.note(None, || format!("nd: {target} moved from {} to {}", Mac(old), Mac(new)));
        }
        if was_router && !flags.is_router {
            // "In those cases where the IsRouter flag changes from TRUE to FALSE as a result of this update, the node MUST
            // remove that router from the Default Router List".
            self.is_no_router(key, out);
        }
        if flags.is_solicited {
            self.set_state(key, reachable, now);
        } else if old != new {
            self.set_state(key, State::Stale, now);
        }
        None
    }

    /// A neighbor has said where it is, though not in answer to a question: "the state of the entry is STALE" if that is
    /// news (RFC 4861 §7.2.3).
    pub(super) fn heard_of(&mut self, key: NeighborKey, mac: EthernetAddress, now: Time, out: &mut Outbox) {
        let Some(neighbor) = self.neighbors.entry(key, State::Failed, now) else { return };
        match neighbor.state {
            State::Permanent => {}
            State::Failed | State::Incomplete { .. } => self.learn(key, mac, State::Stale, now, out),
            _ if neighbor.mac != mac => {
                let old = std::mem::replace(&mut neighbor.mac, mac);
                out.note(None, || format!("nd: {} moved from {} to {}", key.address, Mac(old), Mac(mac)));
                self.set_state(key, State::Stale, now);
            }
            _ => {}
        }
    }

    /// A hardware address has become known: what waited for it goes out.
    fn learn(&mut self, key: NeighborKey, mac: EthernetAddress, state: State, now: Time, out: &mut Outbox) {
        let Some(neighbor) = self.neighbors.get_mut(key) else { return };
        neighbor.mac = mac;
        let waiting = std::mem::take(&mut neighbor.waiting);
        self.set_state(key, state, now);
        out.note(None, || format!("nd: {} is at {}", key.address, Mac(mac)));
        self.router_is_back(key);
        for packet in waiting {
            self.transmit(key.interface, key.address, packet, now, out);
        }
    }

    /// A connection with `peer` makes progress: whoever stands next on the way there need not be asked.
    ///
    /// RFC 4861 §7.3.1: "A neighbor is considered reachable if the node has recently received a confirmation that packets
    /// sent recently to the neighbor were received by its IP layer. Positive confirmation can be gathered in two ways:
    /// hints from upper-layer protocols that indicate a connection is making 'forward progress', or [...]".
    pub(in crate::node::machine) fn confirm(&mut self, peer: Ipv6Addr, now: Time) {
        let Some((interface, address)) = self.next_on_the_way(peer) else { return };
        let key = NeighborKey { interface, address };
        let Some(neighbor) = self.neighbors.get(key) else { return };
        if neighbor.has_mac() && neighbor.state != State::Permanent {
            self.set_state(key, State::Reachable { until: self.trusted_until(interface, now) }, now);
        }
    }

    /// Lets a packet wait for an answer to a first question.
    fn begin_asking(&mut self, key: NeighborKey, packet: Frame, now: Time, out: &mut Outbox) {
        let state = State::Incomplete { tries: 1 };
        let Some(neighbor) = self.neighbors.entry(key, state, now) else {
            return out.drop_frame(packet, Cause::NeighborQueueFull);
        };
        neighbor.change(state, now);
        neighbor.waiting.push_back(packet);
        self.arm(key, now + self.retry_after(key.interface), now);
        self.ask_everybody(key, out);
    }

    fn give_up(&mut self, key: NeighborKey, now: Time, out: &mut Outbox) {
        self.counters.neighbors_failed += 1;
        let tries = self.spec.ipv6.nd.tries.max(1);
        let Some(neighbor) = self.neighbors.get_mut(key) else { return };
        neighbor.change(State::Failed, now);
        neighbor.is_router = false;
        let waiting = std::mem::take(&mut neighbor.waiting);
        out.note(None, || format!("nd: no answer from {} after {tries} tries", key.address));
        self.prefer_another_router(key);
        self.forget_redirects_to(key);
        for packet in waiting {
            // RFC 4861 §7.2.2: "If no Neighbor Advertisement is received after MAX_MULTICAST_SOLICIT solicitations,
            // address resolution has failed. The sender MUST return ICMP destination unreachable indications with code 3
            // (Address Unreachable) for each packet queued awaiting address resolution."
            self.drop_and_tell(packet, Cause::NeighborUnreachable, Complaint::AddressUnreachable, now, out);
        }
    }

    /// Puts a known neighbor into a state in which nothing is due.
    fn set_state(&mut self, key: NeighborKey, state: State, now: Time) {
        self.disarm(key);
        if let Some(neighbor) = self.neighbors.get_mut(key) {
            neighbor.change(state, now);
        }
    }

    fn arm(&mut self, key: NeighborKey, at: Time, now: Time) {
        self.disarm(key);
        // Never at once: a machine that asks again without waiting would ask for ever at the same instant.
        let at = at.max(Time::from_nanos(now.as_nanos().saturating_add(1)));
        if let Some(neighbor) = self.neighbors.get_mut(key) {
            neighbor.timer_at = Some(at);
            self.timers.insert((at, Timer::Neighbor(key)));
        }
    }

    fn disarm(&mut self, key: NeighborKey) {
        if let Some(at) = self.neighbors.get_mut(key).and_then(|neighbor| neighbor.timer_at.take()) {
            self.timers.remove(&(at, Timer::Neighbor(key)));
        }
    }

    fn trusted_until(&self, interface: u16, now: Time) -> Time {
        now + self.link(interface).map(|link| link.reachable_for).unwrap_or_default()
    }

    /// Asks everybody whose address ends like the neighbor's.
    fn ask_everybody(&mut self, key: NeighborKey, out: &mut Outbox) {
        let group = solicited_node(key.address);
        self.ask(key, group, multicast_mac(group), out);
    }

    /// Asks the neighbor itself whether it is still there.
    fn ask_itself(&mut self, key: NeighborKey, mac: EthernetAddress, out: &mut Outbox) {
        self.ask(key, key.address, mac, out);
    }

    fn ask(&mut self, key: NeighborKey, destination: Ipv6Addr, mac: EthernetAddress, out: &mut Outbox) {
        let prompt = self.neighbors.get(key).and_then(|neighbor| neighbor.waiting.front());
        let cause = prompt.and_then(|packet| packet.id.or(packet.cause));
        // RFC 4861 §7.2.2: "If the source address of the packet prompting the solicitation is the same as one of the
        // addresses assigned to the outgoing interface, that address SHOULD be placed in the IP Source Address of the
        // outgoing solicitation. Otherwise, any one of the addresses assigned to the interface should be used."
        let prompted_by = prompt.and_then(|packet| Header::of(packet.bytes()).ok()).map(|header| header.source);
        let of_prompt =
            prompted_by.filter(|source| self.own(key.interface, *source).is_some_and(|own| own.is_usable()));
        let Some(source) = of_prompt.or_else(|| self.source_on(key.interface, key.address)) else { return };
        self.counters.neighbor_solicitations += 1;
        let own_mac = self.mac_of(key.interface);
        let body = NeighborMessage::solicitation(key.address, Some(own_mac), None);
        let packet = self.discovery_packet(source, destination, &body, out).caused_by(cause);
        self.emit(key.interface, mac, packet, out);
    }

    /// An ICMPv6 message that must not leave the link.
    pub(super) fn discovery_packet(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        message: &[u8],
        out: &mut Outbox,
    ) -> Frame {
        let new = NewHeader { source, destination, next: next::ICMPV6, hop_limit: DISCOVERY_HOP_LIMIT };
        let mut packet = new.packet(message.len(), out).with_checksum_pending();
        packet.bytes_mut()[HEADER_BYTES..].copy_from_slice(message);
        packet
    }

    pub(super) fn mac_of(&self, interface: u16) -> EthernetAddress {
        self.spec.interfaces.get(usize::from(interface)).map_or(NO_MAC, |spec| spec.mac)
    }

    /// The address of `interface` that a packet for `destination` carries.
    pub(in crate::node::machine) fn source_on(&self, interface: u16, destination: Ipv6Addr) -> Option<Ipv6Addr> {
        select_source(self.link(interface)?.addresses.iter(), destination)
    }
}
