//! A packet comes in: is it sound, may it be, and whom is it for? (RFC 1122 §3.2.1, RFC 1812 §5.2)

use std::net::Ipv4Addr;

use smoltcp::wire::{IpProtocol, Ipv4Packet, TcpPacket, UdpPacket};

use super::header::{HEADER_BYTES, Header, transport_checksum_is_right};
use super::icmp::Complaint;
use super::ip::{IpLayer, Timer, is_ipv6};
use super::nic::Arrival;
use super::reassembly::{FragmentKey, Verdict};
use super::redirect::is_redirect;
use super::route::Route;
use super::spec::RouteKind;
use crate::net::tcp::reset_reply;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// The group of everybody on a link, which every machine is in (RFC 1112 §4).
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

impl IpLayer {
    /// Takes an IP packet. What is for this machine's sockets is given back, whole.
    pub(super) fn input(&mut self, arrival: Arrival, mut packet: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        self.arrived_on = arrival.interface();
        let header = match Header::of_received(packet.bytes()) {
            Ok(header) => header,
            Err(cause) => {
                self.drop_packet(packet, cause, out);
                return None;
            }
        };
        // Whatever lies behind the packet is the link's padding.
        packet.buffer_mut().truncate(header.total_length);
        let Arrival::Link { interface, is_for_many } = arrival else {
            return self.deliver(&header, packet, now, out);
        };
        if self.is_martian(&header, &packet) {
            self.drop_packet(packet, Cause::Martian, out);
            return None;
        }
        if self.spec.ipv4.checks_sources && !self.would_answer_by(interface, header.source) {
            // RFC 1812 §5.3.8: "the router MUST silently discard a packet if the interface on which the packet was received
            // is not the interface on which a packet would be forwarded to reach the address contained in the source
            // address."
            self.counters.spoofed += 1;
            self.drop_packet(packet, Cause::SpoofedSource, out);
            return None;
        }
        let (header, packet) = match self.gate {
            None => (header, packet),
            Some(_) => self.came_in(interface, header, packet, now, out)?,
        };
        let destination = header.destination;
        let is_multicast = destination.is_multicast();
        if is_multicast && destination != ALL_HOSTS && !self.is_member(interface, destination) {
            // Nobody here listens to that group; nor is there multicast routing.
            self.drop_packet(packet, Cause::NotForThisAddress, out);
            return None;
        }
        let is_broadcast = !is_multicast && self.is_broadcast_v4(destination);
        if is_for_many && !is_multicast && !is_broadcast {
            // RFC 1122 §3.3.6: "A host SHOULD silently discard a datagram that is received via a link-layer broadcast
            // (see Section 2.4) but does not specify an IP multicast or broadcast destination address."
            self.drop_packet(packet, Cause::LinkBroadcast, out);
            return None;
        }
        // An own address counts on whichever link the packet came in: the "weak" model of RFC 1122 §3.3.4.2.
        let is_for_me = is_multicast
            || is_broadcast
            || self.owns_v4(destination)
            || self.is_for_dhcp_client(interface, &header, packet.bytes());
        if !is_for_me && !self.spec.forwards {
            // RFC 1122 §3.2.1.3: "A host MUST silently discard an incoming datagram that is not destined for the host."
            self.drop_packet(packet, Cause::NotForwarding, out);
            return None;
        }
        if header.length > HEADER_BYTES
            && let Err((cause, complaint)) = Self::check_options(&header, packet.bytes())
        {
            self.drop_and_tell(packet, cause, complaint, now, out);
            return None;
        }
        if is_for_me {
            if is_broadcast && !is_for_many && self.is_for_another_subnet(interface, destination) {
                // RFC 1812 §5.2.3: "There is also a hybrid case, where certain IP broadcasts and IP multicasts are both
                // delivered locally and forwarded."
                self.counters.broadcasts_forwarded += 1;
                let copy = packet.duplicate(&mut out.pool);
                self.forward(interface, header, copy, now, out);
            }
            if !is_for_many {
                self.remember_own(interface, &header);
            }
            return self.deliver(&header, packet, now, out);
        }
        self.forward(interface, header, packet, now, out);
        None
    }

    /// A packet from this machine to itself has come round. What is for its sockets is given back.
    pub(super) fn next_looped(&mut self, now: Time, out: &mut Outbox) -> Option<Option<Frame>> {
        match self.looped.pop_front() {
            Some(packet) => Some(self.input(Arrival::Loopback, packet, now, out)),
            None => {
                self.arrived_on = None;
                self.ipv6.as_mut()?.next_looped(now, out)
            }
        }
    }

    /// Answers for a packet that no socket wants, and ends it.
    pub(super) fn refuse(&mut self, packet: Frame, now: Time, out: &mut Outbox) {
        if let Some(ipv6) = self.ipv6.as_mut().filter(|_| is_ipv6(&packet)) {
            return ipv6.refuse(packet, now, out);
        }
        let Ok(header) = Header::of_own(packet.bytes()) else {
            return self.drop_packet(packet, Cause::Malformed, out);
        };
        let packet = match self.gate {
            None => packet,
            Some(_) => match self.is_solicited(&header, packet, now, out) {
                Some(packet) => packet,
                None => return,
            },
        };
        let payload = header.payload(packet.bytes());
        match header.protocol {
            // Somebody listens after all: the table of better ways.
            IpProtocol::Icmp if is_redirect(&header, packet.bytes()) => out.consume(packet),
            IpProtocol::Icmp => self.drop_packet(packet, Cause::NobodyListens, out),
            // RFC 768 and RFC 9293 §3.1: eight and twenty bytes at least.
            IpProtocol::Udp if UdpPacket::new_checked(payload).is_err() => {
                self.drop_packet(packet, Cause::Malformed, out)
            }
            IpProtocol::Tcp if TcpPacket::new_checked(payload).is_err() => {
                self.drop_packet(packet, Cause::Malformed, out)
            }
            IpProtocol::Tcp => self.refuse_segment(&header, packet, now, out),
            // RFC 1122 §4.1.3.1: "If a datagram arrives addressed to a UDP port for which there is no pending LISTEN
            // call, UDP SHOULD send an ICMP Port Unreachable message."
            IpProtocol::Udp => self.drop_and_tell(packet, Cause::NobodyListens, Complaint::PortUnreachable, now, out),
            // RFC 1122 §3.2.2.1: "the designated transport protocol is not supported".
            _ => self.drop_and_tell(packet, Cause::UnknownProtocol, Complaint::ProtocolUnreachable, now, out),
        }
    }

    fn refuse_segment(&mut self, header: &Header, packet: Frame, now: Time, out: &mut Outbox) {
        if !self.owns_v4(header.destination) {
            // RFC 1122 §4.2.3.10: "A TCP implementation MUST silently discard an incoming SYN segment that is addressed
            // to a broadcast or multicast address."
            return self.drop_packet(packet, Cause::Martian, out);
        }
        let is_syn = header.payload(packet.bytes()).get(13).is_some_and(|flags| flags & 0x12 == 0x02);
        let reset = reset_reply(&packet, &mut out.pool);
        self.drop_packet(packet, if is_syn { Cause::NobodyListens } else { Cause::StaleSegment }, out);
        if let Some(mut reset) = reset {
            self.counters.resets += 1;
            Ipv4Packet::new_unchecked(reset.bytes_mut()).set_hop_limit(self.spec.ttl);
            let _ = self.send_own(reset, now, out);
        }
    }

    /// The time for some fragments is up.
    pub(super) fn reassembly_timeout(&mut self, key: FragmentKey, now: Time, out: &mut Outbox) {
        let Some((has_first, mut fragments)) = self.reassembly.expire(key) else { return };
        if fragments.is_empty() {
            // An overlap had spoilt it; they were dropped then.
            return;
        }
        self.counters.reassembly_failed += 1;
        // RFC 1122 §3.3.2: "If this timeout expires, the partially-reassembled datagram MUST be discarded and an ICMP
        // Time Exceeded message sent to the source host (if fragment zero has been received)."
        // A part of what was only passing through is nobody's loss here: its destination will say so.
        let is_for_me = self.gate.is_none() || self.owns_v4(key.destination());
        let error = (has_first && is_for_me)
            .then(|| self.error_about(Complaint::ReassemblyTimeout, &mut fragments[0], now, out))
            .flatten();
        for fragment in fragments {
            self.drop_packet(fragment, Cause::ReassemblyTimeout, out);
        }
        self.send_error(error, now, out);
    }

    /// Takes a packet that is for this machine. What is for its sockets is given back.
    fn deliver(&mut self, header: &Header, packet: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        if !header.is_fragment() {
            return self.deliver_whole(header, packet, now, out);
        }
        let (whole, packet) = self.reassemble(header, packet, now, out)?;
        self.deliver_whole(&whole, packet, now, out)
    }

    /// Takes a fragment. The whole packet is given back once it is complete.
    pub(super) fn reassemble(
        &mut self,
        header: &Header,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<(Header, Frame)> {
        self.counters.fragments_received += 1;
        match self.reassembly.add(header, packet, now, out) {
            Verdict::Kept(deadline) => {
                if let Some(deadline) = deadline {
                    self.timers.insert((deadline, Timer::Reassembly(FragmentKey::of(header))));
                }
                None
            }
            Verdict::Whole { packet, fragments, deadline } => {
                self.timers.remove(&(deadline, Timer::Reassembly(FragmentKey::of(header))));
                self.counters.reassembled += 1;
                out.note(None, || {
                    format!("reassembled {} bytes from {} ({fragments} fragments)", packet.len(), header.source)
                });
                match Header::of_own(packet.bytes()) {
                    Ok(whole) => Some((whole, packet)),
                    Err(cause) => {
                        self.drop_packet(packet, cause, out);
                        None
                    }
                }
            }
            Verdict::Refused(packet, cause) => {
                self.drop_packet(packet, cause, out);
                None
            }
            Verdict::Overlap(fragments) => {
                self.counters.reassembly_failed += 1;
                for fragment in fragments {
                    self.drop_packet(fragment, Cause::FragmentOverlap, out);
                }
                None
            }
        }
    }

    fn deliver_whole(&mut self, header: &Header, packet: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        // Only a link that flips bits, or somebody outside, makes wrong checksums; such frames are marked.
        if packet.is_doubtful() && !transport_checksum_is_right(header, packet.bytes()) {
            self.drop_packet(packet, Cause::BadChecksum, out);
            return None;
        }
        let mut packet = match self.gate {
            None => packet,
            Some(_) if self.arrived_on.is_some_and(|on| self.is_for_dhcp_client(on, header, packet.bytes())) => packet,
            Some(_) => self.for_me(packet, now, out)?,
        };
        self.counters.delivered += 1;
        if header.length > HEADER_BYTES {
            let here = if self.owns_v4(header.destination) { Some(header.destination) } else { self.any_address() };
            packet = self.stamp(header, packet, here.unwrap_or(Ipv4Addr::UNSPECIFIED), now, out)?;
        }
        if header.protocol == IpProtocol::Icmp {
            return self.icmp_input(packet, header, now, out);
        }
        Some(packet)
    }

    /// Whether an address in a packet from a link must not appear there.
    fn is_martian(&self, header: &Header, packet: &Frame) -> bool {
        let Header { source, destination, .. } = *header;
        // RFC 1122 §3.2.1.3: "{ 127, <any> } Internal host loopback address. Addresses of this form MUST NOT appear
        // outside a host." And class E, but for the limited broadcast address, is nobody's.
        // RFC 1812 §4.2.3.1: a router "SHOULD silently discard on receipt (i.e., do not even deliver to applications in the
        // router) any packet addressed to 0.0.0.0 or { <Network-prefix>, 0 }."
        if self.spec.forwards && self.is_subnet_v4(destination) {
            return true;
        }
        let [first, ..] = destination.octets();
        if first == 127 || first == 0 || (first >= 240 && !destination.is_broadcast()) {
            return true;
        }
        let [first, ..] = source.octets();
        match first {
            // RFC 1122 §3.2.1.3: "{ 0, 0 } This host on this network. MUST NOT be sent, except as a source address as
            // part of an initialization procedure by which the host learns its own IP address."
            0 => !(source.is_unspecified() && is_to_dhcp_server(header, packet)),
            // RFC 1812 §5.3.7: "A router SHOULD NOT forward any packet that has an invalid IP source address or a
            // source address on network 0", and loopback, multicast and broadcast addresses are no source either.
            127 | 224..=255 => true,
            // One of this machine's own is not on a link; a broadcast address is nobody's.
            _ => self.owns_v4(source) || self.is_broadcast_v4(source),
        }
    }

    /// Whether a packet to `source` would, or could, leave by this interface. Who has no address yet may be anywhere.
    fn would_answer_by(&self, interface: u16, source: Ipv4Addr) -> bool {
        let leads_there = |route: &Route| route.kind == RouteKind::Unicast && route.interface == interface;
        source.is_unspecified() || self.routes.choices(source.into()).iter().any(leads_there)
    }

    /// Whether a broadcast that came in at `interface` is for everybody on another of this router's subnets, and may go
    /// on to them.
    ///
    /// RFC 2644 §2 has the option off by default; by RFC 1812 §5.3.5.2 it was on. The limited broadcast address is for no
    /// subnet: RFC 1812 §5.3.5.1, "Limited broadcasts MUST NOT be forwarded."
    fn is_for_another_subnet(&self, interface: u16, destination: Ipv4Addr) -> bool {
        let is_allowed = self.spec.forwards && self.spec.ipv4.forwards_directed_broadcasts;
        is_allowed && !destination.is_broadcast() && !self.is_on_link(interface, destination)
    }
}

/// Whether this is a DHCP client that does not know its address yet (RFC 2131 §4.1).
fn is_to_dhcp_server(header: &Header, packet: &Frame) -> bool {
    const DHCP_SERVER: u16 = 67;
    let udp = UdpPacket::new_checked(header.payload(packet.bytes()));
    header.protocol == IpProtocol::Udp
        && header.destination.is_broadcast()
        && udp.is_ok_and(|udp| udp.dst_port() == DHCP_SERVER)
}
