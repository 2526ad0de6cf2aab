//! A packet comes in: is it sound, may it be, and whom is it for? (RFC 8200 §3 and §4, RFC 4291 §2.5 to §2.8)

use std::net::Ipv6Addr;

use smoltcp::wire::{TcpPacket, UdpPacket};

use super::address::scope;
use super::extension::{Leads, next, walk, walk_on};
use super::header::{Header, set_hop_limit, upper_checksum_is_right};
use super::icmp::Complaint;
use super::{Ipv6Layer, Origin};
use crate::net::tcp::reset_reply;
use crate::node::machine::firewall::{Chain, Passage};
use crate::node::machine::route::Route;
use crate::node::machine::spec::RouteKind;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

impl Ipv6Layer {
    /// Takes a packet off a link. What is for this machine's sockets is given back, whole.
    pub(in crate::node::machine) fn input(
        &mut self,
        interface: u16,
        is_for_many: bool,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        if !self.link(interface).is_some_and(|link| link.is_active) {
            out.drop_frame(packet, Cause::UnknownProtocol);
            return None;
        }
        self.counters.received += 1;
        self.take(Origin::Link { interface, is_for_many }, packet, now, out)
    }

    /// A packet from this machine to itself has come round. What is for its sockets is given back.
    pub(in crate::node::machine) fn next_looped(&mut self, now: Time, out: &mut Outbox) -> Option<Option<Frame>> {
        let packet = self.looped.pop_front()?;
        Some(self.take(Origin::Loopback, packet, now, out))
    }

    fn take(&mut self, origin: Origin, mut packet: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        let header = match Header::of(packet.bytes()) {
            Ok(header) => header,
            Err(cause) => {
                out.drop_frame(packet, cause);
                return None;
            }
        };
        // Whatever lies behind the packet is the link's padding.
        packet.buffer_mut().truncate(header.total_length);
        let Origin::Link { interface, is_for_many } = origin else {
            return self.deliver(origin, &header, packet, now, out);
        };
        match self.judge(interface, is_for_many, &header) {
            Judgement::Dropped(cause) => out.drop_frame(packet, cause),
            Judgement::ForOthers => self.forward(interface, &header, packet, now, out),
            Judgement::ForThis => return self.deliver(origin, &header, packet, now, out),
        }
        None
    }

    fn judge(&self, interface: u16, is_for_many: bool, header: &Header) -> Judgement {
        let destination = header.destination;
        if self.is_martian(header) {
            return Judgement::Dropped(Cause::Martian);
        }
        if self.spec.ipv4.checks_sources && !self.would_answer_by(interface, header.source) {
            // As for IPv4, RFC 1812 §5.3.8; RFC 2827 is for both.
            return Judgement::Dropped(Cause::SpoofedSource);
        }
        if destination.is_multicast() {
            let is_listening = self.is_listening(interface, destination);
            return if is_listening { Judgement::ForThis } else { Judgement::Dropped(Cause::NotForThisAddress) };
        }
        if is_for_many {
            // What RFC 1122 §3.3.6 says of IPv4: a link-layer multicast of what is for one machine is not taken.
            return Judgement::Dropped(Cause::LinkBroadcast);
        }
        // A global address counts on whichever link the packet came in (the "weak" model), a link-local one on its own.
        if let Some(local) = self.local(destination)
            && (local.interface == interface || !destination.is_unicast_link_local())
        {
            return Judgement::ForThis;
        }
        if self.own(interface, destination).is_some_and(|own| own.is_tentative()) {
            // RFC 4862 §2: "A tentative address is not considered assigned to an interface in the usual sense. An
            // interface discards received packets addressed to a tentative address".
            return Judgement::Dropped(Cause::NotForThisAddress);
        }
        if self.spec.forwards { Judgement::ForOthers } else { Judgement::Dropped(Cause::NotForwarding) }
    }

    /// Whether an address in a packet from a link must not appear there.
    fn is_martian(&self, header: &Header) -> bool {
        let Header { source, destination, .. } = *header;
        // RFC 4291 §2.5.2: "The unspecified address must not be used as the destination address of IPv6 packets". §2.5.3:
        // "A packet received on an interface with a destination address of loopback must be dropped"; it "must not be
        // used as the source address in IPv6 packets that are sent outside of a single node". §2.7: "Multicast addresses
        // must not be used as source addresses in IPv6 packets".
        if source.is_loopback() || source.is_multicast() || destination.is_loopback() || destination.is_unspecified() {
            return true;
        }
        // §2.7: a multicast of scope 0 is reserved, one of scope 1 "is useful only for loopback transmission".
        if destination.is_multicast() && destination.octets()[1] & 0x0f <= scope::INTERFACE {
            return true;
        }
        // RFC 4038 §4.2: IPv4-mapped addresses are not for the wire. And nobody else has one of this machine's own.
        let is_mapped = |address: Ipv6Addr| address.to_ipv4_mapped().is_some();
        is_mapped(source) || is_mapped(destination) || self.owns_unicast(source)
    }

    /// Whether a packet to `source` would leave by this interface. A link-local address is on every link, and who has no
    /// address yet may be anywhere.
    fn would_answer_by(&self, interface: u16, source: Ipv6Addr) -> bool {
        let leads_there = |route: &Route| route.kind == RouteKind::Unicast && route.interface == interface;
        let is_of_this_link = source.is_unspecified() || source.is_unicast_link_local();
        is_of_this_link || self.routes.choices(source.into()).iter().any(leads_there)
    }

    /// Takes a packet that is for this machine. What is for its sockets is given back.
    fn deliver(
        &mut self,
        origin: Origin,
        header: &Header,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        let is_for_many = header.destination.is_multicast();
        let mut leads = walk(packet.bytes(), header, is_for_many);
        if let Leads::Fragment(fragment) = leads {
            self.counters.fragments_received += 1;
            if !fragment.is_atomic() {
                let whole = self.reassemble(header, &fragment, packet, now, out)?;
                let header = Header::of(whole.bytes()).expect("a header was just written");
                return self.deliver(origin, &header, whole, now, out);
            }
            // RFC 6946 §4: "A host that receives an IPv6 packet that includes a Fragment Header with the 'Fragment Offset'
            // equal to 0 and the 'M' bit equal to 0 MUST process that packet in isolation from any other
            // packets/fragments".
            leads = walk_on(packet.bytes(), &fragment, is_for_many);
        }
        match leads {
            Leads::Upper { protocol, at } => self.deliver_upper(origin, header, protocol, at, packet, now, out),
            Leads::Nowhere => {
                out.consume(packet);
                None
            }
            // A fragment within a fragment.
            Leads::Fragment(_) => {
                out.drop_frame(packet, Cause::Malformed);
                None
            }
            Leads::Refused(cause, None) => {
                out.drop_frame(packet, cause);
                None
            }
            Leads::Refused(cause, Some(complaint)) => {
                self.drop_and_tell(packet, cause, complaint, now, out);
                None
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what is known of a packet after its headers have been walked")]
    fn deliver_upper(
        &mut self,
        origin: Origin,
        header: &Header,
        protocol: u8,
        at: usize,
        packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        let payload = packet.bytes().get(at..).unwrap_or_default();
        // Only a link that flips bits, or somebody outside, makes wrong checksums; such frames are marked.
        if packet.is_doubtful() && !upper_checksum_is_right(header, protocol, payload) {
            out.drop_frame(packet, Cause::BadChecksum);
            return None;
        }
        let packet = match origin {
            Origin::Loopback => packet,
            Origin::Link { interface, .. } => {
                let passage = Passage { chain: Chain::In, arrives_by: Some(interface), leaves_by: None };
                self.admit(passage, header, packet, now, out)?
            }
        };
        self.counters.delivered += 1;
        if protocol == next::ICMPV6 {
            return self.icmp_input(origin, header, at, packet, now, out);
        }
        Some(packet)
    }

    /// Answers for a packet that no socket wants, and ends it.
    pub(in crate::node::machine) fn refuse(&mut self, packet: Frame, now: Time, out: &mut Outbox) {
        let Ok(header) = Header::of(packet.bytes()) else {
            return out.drop_frame(packet, Cause::Malformed);
        };
        let mut leads = walk(packet.bytes(), &header, header.destination.is_multicast());
        if let Leads::Fragment(fragment) = leads {
            leads = walk_on(packet.bytes(), &fragment, header.destination.is_multicast());
        }
        let Leads::Upper { protocol, at } = leads else {
            return out.drop_frame(packet, Cause::Malformed);
        };
        let payload = packet.bytes().get(at..).unwrap_or_default();
        match protocol {
            next::UDP if UdpPacket::new_checked(payload).is_err() => out.drop_frame(packet, Cause::Malformed),
            next::TCP if TcpPacket::new_checked(payload).is_err() => out.drop_frame(packet, Cause::Malformed),
            next::TCP => self.refuse_segment(&header, at, packet, now, out),
            // RFC 4443 §3.1: "A destination node SHOULD originate a Destination Unreachable message with Code 4 in
            // response to a packet for which the transport protocol (e.g., UDP) has no listener, if that transport protocol
            // has no alternative means to inform the sender."
            next::UDP => self.drop_and_tell(packet, Cause::NobodyListens, Complaint::PortUnreachable, now, out),
            _ => out.drop_frame(packet, Cause::NobodyListens),
        }
    }

    fn refuse_segment(&mut self, header: &Header, at: usize, packet: Frame, now: Time, out: &mut Outbox) {
        if header.destination.is_multicast() {
            return out.drop_frame(packet, Cause::Martian);
        }
        let is_syn = packet.bytes().get(at + 13).is_some_and(|flags| flags & 0x12 == 0x02);
        let reset = reset_reply(&packet, &mut out.pool);
        out.drop_frame(packet, if is_syn { Cause::NobodyListens } else { Cause::StaleSegment });
        if let Some(mut reset) = reset {
            self.counters.resets += 1;
            set_hop_limit(reset.bytes_mut(), self.hop_limit_for(header.source));
            let _ = self.send_own(reset, now, out);
        }
    }
}

/// Whom a packet from a link is for.
enum Judgement {
    Dropped(Cause),
    ForOthers,
    ForThis,
}
