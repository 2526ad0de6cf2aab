//! The Address Resolution Protocol (RFC 826, RFC 1122 §2.3.2), and packets that wait for it.
//!
//! Requests are broadcast when nothing is known, and sent to the old hardware address first when something was. Whoever
//! asks for this machine is learned; what others say to each other only refreshes what is known already. Packets for a
//! neighbor that does not answer are refused with "host unreachable", also those of this machine's own programs.

use std::net::Ipv4Addr;

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetProtocol};

use super::conflict::Claim;
use super::icmp::Complaint;
use super::ip::{IpLayer, Timer};
use super::neighbor::{NeighborKey, State};
use super::nic::{ETHERNET_HEADER_BYTES, put_header};
use super::spec::RouteKind;
use super::vlan;
use crate::id::FrameId;
use crate::node::Mac;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::{Frame, Layer};

/// An ARP packet for IPv4 over Ethernet.
const ARP_BYTES: usize = 28;

pub(super) const NO_MAC: EthernetAddress = EthernetAddress([0; 6]);

impl IpLayer {
    /// Puts a packet on the link at `interface`, addressed to `neighbor`, or lets it wait until the neighbor is known.
    pub(super) fn transmit(&mut self, interface: u16, neighbor: Ipv4Addr, packet: Frame, now: Time, out: &mut Outbox) {
        if let Some(mac) = self.mac_for_many(neighbor) {
            return self.emit(interface, mac, packet, out);
        }
        let key = NeighborKey { interface, address: neighbor };
        let cause = packet.id.or(packet.cause);
        let Some(known) = self.neighbors.get_mut(key) else {
            return self.begin_asking(key, packet, now, out);
        };
        let mac = known.mac;
        match known.state {
            State::Permanent | State::Probing { .. } => self.emit(interface, mac, packet, out),
            State::Reachable { until } if now < until => self.emit(interface, mac, packet, out),
            State::Reachable { .. } => {
                // Trusted no longer, used all the same until it is known to be wrong. The question goes first, so that
                // the other side, whose knowledge is as old, need not ask in turn.
                known.state = State::Probing { tries: 1 };
                self.arm(key, now);
                self.ask(key, mac, cause, out);
                self.emit(interface, mac, packet, out);
            }
            State::Incomplete { .. } => {
                known.waiting.push_back(packet);
                // RFC 1122 §2.3.2.2: "The link layer SHOULD save (rather than discard) at least one (the latest)
                // packet of each set of packets destined to the same unresolved IP address".
                let too_many = known.waiting.len() > self.spec.arp.queue_packets.max(1);
                if let Some(oldest) = known.waiting.pop_front_if(|_| too_many) {
                    self.drop_packet(oldest, Cause::NeighborQueueFull, out);
                }
            }
            State::Failed => self.begin_asking(key, packet, now, out),
        }
    }

    /// A neighbor that was asked has not answered in time: ask again, or give up.
    pub(super) fn neighbor_is_silent(&mut self, key: NeighborKey, now: Time, out: &mut Outbox) {
        let tries_max = self.spec.arp.tries.max(1);
        let Some(neighbor) = self.neighbors.get_mut(key) else { return };
        neighbor.timer_at = None;
        let cause = neighbor.waiting.front().and_then(|packet| packet.id.or(packet.cause));
        match &mut neighbor.state {
            State::Incomplete { tries } | State::Probing { tries } if *tries < tries_max => {
                *tries += 1;
                self.arm(key, now);
                // A neighbor that moved to other hardware hears a broadcast, not what is sent to its old address.
                self.ask(key, EthernetAddress::BROADCAST, cause, out);
            }
            State::Incomplete { .. } | State::Probing { .. } => self.give_up(key, now, out),
            State::Failed | State::Permanent | State::Reachable { .. } => {}
        }
    }

    /// Takes an ARP packet off a link; the frame still has its Ethernet header.
    pub(super) fn arp_input(&mut self, interface: u16, frame: Frame, now: Time, out: &mut Outbox) {
        self.counters.arp_received += 1;
        // RFC 826: "?Do I have the hardware type in ar$hrd?", "?Do I speak the protocol in ar$pro?"
        let repr = frame.bytes().get(ETHERNET_HEADER_BYTES..).and_then(|bytes| ArpPacket::new_checked(bytes).ok());
        let repr = repr.and_then(|packet| ArpRepr::parse(&packet).ok());
        let Some(ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: mac,
            source_protocol_addr: sender,
            target_protocol_addr: target,
            ..
        }) = repr
        else {
            return self.drop_packet(frame, Cause::Malformed, out);
        };
        if mac.is_multicast() || mac == NO_MAC || sender.is_multicast() || sender.is_broadcast() {
            return self.drop_packet(frame, Cause::Malformed, out);
        }
        let is_claimed = self.owns_on(interface, sender);
        self.hear_claim(interface, Claim { mac, sender, target, operation }, now, out);
        let is_for_me = self.owns_on(interface, target) || self.answers_for(interface, sender, target);
        if is_claimed {
            // Whoever uses this machine's address is not learned: that would be believing it.
        } else if !sender.is_unspecified() {
            // An unspecified sender is a probe (RFC 5227 §2.1.1): it is answered, but there is nobody to learn.
            let key = NeighborKey { interface, address: sender };
            let merged = self.merge(key, mac, now, out);
            // "If Merge_flag is false, add the triplet": of those who ask. An answer to a question that was never
            // asked is the oldest of tricks.
            let has_asked = operation == ArpOperation::Request && is_for_me;
            if !merged && has_asked && self.is_on_link(interface, sender) {
                self.learn(key, mac, now, out);
            }
        }
        if operation == ArpOperation::Request && is_for_me {
            self.counters.arp_replies += 1;
            self.counters.arp_proxied += u64::from(!self.owns_on(interface, target));
            let reply = ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: self.mac_of(interface),
                source_protocol_addr: target,
                target_hardware_addr: mac,
                target_protocol_addr: sender,
            };
            self.send_arp(interface, mac, &reply, frame.id, out);
        }
        out.consume(frame);
    }

    /// RFC 826: "If the pair <protocol type, sender protocol address> is already in my translation table, update the
    /// sender hardware address field of the entry with the new information in the packet and set Merge_flag to true."
    fn merge(&mut self, key: NeighborKey, mac: EthernetAddress, now: Time, out: &mut Outbox) -> bool {
        let Some(known) = self.neighbors.get_mut(key) else { return false };
        let (state, old) = (known.state, known.mac);
        match state {
            State::Permanent => {}
            State::Failed | State::Incomplete { .. } => self.learn(key, mac, now, out),
            State::Probing { .. } | State::Reachable { .. } => {
                if old != mac {
                    out.note(None, || format!("arp: {} moved from {} to {}", key.address, Mac(old), Mac(mac)));
                }
                self.set_reachable(key, mac, now);
            }
        }
        true
    }

    /// A neighbor has become known: what waited for it goes out.
    fn learn(&mut self, key: NeighborKey, mac: EthernetAddress, now: Time, out: &mut Outbox) {
        self.set_reachable(key, mac, now);
        let Some(neighbor) = self.neighbors.get_mut(key) else { return };
        out.note(None, || format!("arp: {} is at {}", key.address, Mac(mac)));
        for packet in std::mem::take(&mut neighbor.waiting) {
            self.emit(key.interface, mac, packet, out);
        }
    }

    fn set_reachable(&mut self, key: NeighborKey, mac: EthernetAddress, now: Time) {
        let trusted_for = self.spec.arp.reachable_for;
        let until = if trusted_for.is_zero() { Time::MAX } else { now + trusted_for };
        self.disarm(key);
        if self.neighbors.get_mut(key).is_some_and(|neighbor| neighbor.has_mac() && neighbor.mac != mac) {
            self.hops.forget();
        }
        // Without room the neighbor stays unknown, and is asked when it is needed.
        let _ = self.neighbors.set(key, State::Reachable { until }, mac, now);
    }

    /// Lets a packet wait for an answer to a first question.
    fn begin_asking(&mut self, key: NeighborKey, packet: Frame, now: Time, out: &mut Outbox) {
        let cause = packet.id.or(packet.cause);
        let Some((neighbor, has_evicted)) = self.neighbors.set(key, State::Incomplete { tries: 1 }, NO_MAC, now) else {
            return self.drop_packet(packet, Cause::NeighborQueueFull, out);
        };
        neighbor.waiting.push_back(packet);
        if has_evicted {
            self.hops.forget();
        }
        self.arm(key, now);
        self.ask(key, EthernetAddress::BROADCAST, cause, out);
    }

    fn give_up(&mut self, key: NeighborKey, now: Time, out: &mut Outbox) {
        self.counters.neighbors_failed += 1;
        self.hops.forget();
        self.forget_redirects_to(key);
        let tries = self.spec.arp.tries.max(1);
        let Some((neighbor, _)) = self.neighbors.set(key, State::Failed, NO_MAC, now) else { return };
        let waiting = std::mem::take(&mut neighbor.waiting);
        out.note(None, || format!("arp: no answer from {} after {tries} tries", key.address));
        for packet in waiting {
            // RFC 1812 §3.3.2: "reply that the destination is unreachable ... only when this proves fruitless". The
            // sender may be a program of this machine: then the message loops back, and its socket hears of it as of
            // any other.
            self.drop_and_tell(packet, Cause::NeighborUnreachable, Complaint::HostUnreachable, now, out);
        }
    }

    /// Sets the timer after which a neighbor counts as silent.
    fn arm(&mut self, key: NeighborKey, now: Time) {
        self.disarm(key);
        // Never at once: a machine that asks again without waiting would ask for ever at the same instant.
        let at = (now + self.spec.arp.retry_after).max(Time::from_nanos(now.as_nanos().saturating_add(1)));
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

    /// Asks who has the neighbor's address, everybody or only its old hardware address.
    fn ask(&mut self, key: NeighborKey, whom: EthernetAddress, cause: Option<FrameId>, out: &mut Outbox) {
        self.counters.arp_requests += 1;
        let request = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: self.mac_of(key.interface),
            source_protocol_addr: self.source_on(key.interface, key.address).unwrap_or(Ipv4Addr::UNSPECIFIED),
            // RFC 826 leaves it open; zero is what everybody sends.
            target_hardware_addr: NO_MAC,
            target_protocol_addr: key.address,
        };
        self.send_arp(key.interface, whom, &request, cause, out);
    }

    /// Whether the machine answers at `interface` in place of `target`, which is behind another one (RFC 1027).
    fn answers_for(&self, interface: u16, sender: Ipv4Addr, target: Ipv4Addr) -> bool {
        // A probe asks whether an address is taken (RFC 5227 §2.1.1): by its owner, not by who knows the way to it.
        // Nor is who announces his own address asking for anything.
        let is_asking = !sender.is_unspecified() && sender != target;
        if !self.spec.arp.proxies.contains(&usize::from(interface)) || !is_asking {
            return false;
        }
        // RFC 1027 §2.4: "An ARP request for a broadcast address must elicit no reply, regardless of the source address or
        // physical networks involved."
        if target.is_multicast() || target.is_loopback() || self.owns_v4(target) || self.is_broadcast_v4(target) {
            return false;
        }
        // RFC 1027 §2.2: "The default route must not be used when checking for a route to the target host of an ARP
        // request", and "If the network interfaces on which the request was received and through which the route to the
        // target passes are the same, the gateway must not reply."
        let route = self.routes.lookup(target.into()).filter(|route| route.prefix.prefix_len() > 0);
        self.spec.forwards
            && route.is_some_and(|route| route.kind == RouteKind::Unicast && route.interface != interface)
    }

    /// Tells everybody on a link of the addresses there, if the machine does that: whoever knew somebody else by them
    /// knows better now.
    pub(super) fn announce(&mut self, interface: u16, out: &mut Outbox) {
        if !self.spec.arp.announces || !self.is_up(interface) {
            return;
        }
        for own in self.addresses_on(interface).collect::<Vec<_>>() {
            self.announce_one(interface, own.addr(), out);
        }
    }

    pub(super) fn send_arp(
        &mut self,
        interface: u16,
        destination: EthernetAddress,
        repr: &ArpRepr,
        cause: Option<FrameId>,
        out: &mut Outbox,
    ) {
        let mut buffer = out.buffer(ARP_BYTES);
        repr.emit(&mut ArpPacket::new_unchecked(buffer.bytes_mut()));
        let mut frame = Frame::new(buffer, Layer::Ip).caused_by(cause);
        put_header(&mut frame, destination, self.mac_of(interface), EthernetProtocol::Arp);
        vlan::send(&self.spec.interfaces, interface, frame, out);
    }

    pub(super) fn mac_of(&self, interface: u16) -> EthernetAddress {
        self.spec.interfaces.get(usize::from(interface)).map_or(NO_MAC, |spec| spec.mac)
    }

    /// Whether an address lies on a subnet of the interface.
    pub(super) fn is_on_link(&self, interface: u16, address: Ipv4Addr) -> bool {
        self.addresses_on(interface).any(|own| own.contains(&address))
    }
}
