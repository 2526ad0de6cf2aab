//! A packet for others goes on (RFC 8200 §3, RFC 4443 §3).
//!
//! It is the same frame all the way: its hop limit is lowered in place, one Ethernet header taken off and another put on.
//! A packet that does not fit the next link is never cut here.

use std::net::{IpAddr, Ipv6Addr};

use super::Ipv6Layer;
use super::extension::{Leads, next, walk};
use super::header::{HEADER_BYTES, Header, decrement_hop_limit};
use super::icmp::Complaint;
use crate::node::machine::firewall::{Chain, Passage};
use crate::node::machine::mss;
use crate::node::machine::route::Route;
use crate::node::machine::spec::RouteKind;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// What becomes of a packet for others.
enum Way {
    /// It goes out of this interface, to this neighbor.
    On(u16, Ipv6Addr),
    /// It ends here, and its sender may be told.
    Refused(Cause, Option<Complaint>),
}

impl Ipv6Layer {
    /// Sends a packet that came in at `interface` on its way, or says why not.
    pub(super) fn forward(&mut self, interface: u16, header: &Header, mut packet: Frame, now: Time, out: &mut Outbox) {
        match self.way_on(interface, header) {
            Way::On(leaves_by, neighbor) => {
                let passage =
                    Passage { chain: Chain::Forward, arrives_by: Some(interface), leaves_by: Some(leaves_by) };
                let Some(passed) = self.admit(passage, header, packet, now, out) else { return };
                packet = passed;
                if leaves_by == interface {
                    self.redirect(interface, neighbor, header, &mut packet, now, out);
                }
                self.clamp_mss(header, &mut packet, interface, leaves_by, out);
                decrement_hop_limit(packet.bytes_mut());
                self.counters.forwarded += 1;
                self.transmit(leaves_by, neighbor, packet, now, out);
            }
            // Nothing in the packet has been changed yet: what is quoted is what was received.
            Way::Refused(cause, Some(complaint)) => self.drop_and_tell(packet, cause, complaint, now, out),
            Way::Refused(cause, None) => out.drop_frame(packet, cause),
        }
    }

    /// Makes a SYN on its way announce no more than fits the links on both sides, if this router does that: the twin of
    /// IPv4's [`mss`].
    fn clamp_mss(&mut self, header: &Header, packet: &mut Frame, from: u16, to: u16, out: &mut Outbox) {
        if !self.spec.ipv4.clamps_mss {
            return;
        }
        let Leads::Upper { protocol: next::TCP, at } = walk(packet.bytes(), header, false) else { return };
        if !packet.bytes().get(at..).is_some_and(mss::is_syn) {
            return;
        }
        let mtu = self.mtu_of(from).min(self.paths.limit(header.destination, self.mtu_of(to)));
        // As for IPv4, with 20 bytes more of fixed headers (RFC 8200 §8.3).
        let most = mtu.saturating_sub(HEADER_BYTES + mss::TCP_HEADER_BYTES);
        if let Some(before) = mss::clamp(packet, at, most) {
            self.counters.mss_clamped += 1;
            let Header { source, destination, .. } = *header;
            out.note(None, || format!("mss: {source} > {destination}: {before} becomes {most}"));
        }
    }

    fn way_on(&self, came_in_at: u16, header: &Header) -> Way {
        if header.source.is_unspecified() {
            // RFC 4291 §2.5.2: "An IPv6 packet with a source address of unspecified must never be forwarded by an IPv6
            // router."
            return Way::Refused(Cause::Martian, None);
        }
        if header.destination.is_unicast_link_local() {
            // RFC 4291 §2.5.6: "Routers must not forward any packets with Link-Local source or destination addresses to
            // other links." This one is on the link that it came from, where it belongs.
            return Way::Refused(Cause::BeyondScope, None);
        }
        let Some(route) = self.routes.lookup(header.destination.into()) else {
            // RFC 4443 §3.1: "If the reason for the failure to deliver is lack of a matching entry in the forwarding node's
            // routing table, the Code field is set to 0."
            return Way::Refused(Cause::NoRoute, Some(Complaint::NoRoute));
        };
        match route.kind {
            RouteKind::Blackhole => return Way::Refused(Cause::Blackhole, None),
            RouteKind::Prohibit => return Way::Refused(Cause::Filtered, Some(Complaint::Prohibited)),
            RouteKind::Unreachable => return Way::Refused(Cause::NoRoute, Some(Complaint::RejectRoute)),
            RouteKind::Unicast => {}
        }
        if header.source.is_unicast_link_local() && route.interface != came_in_at {
            // "If the reason for the failure to deliver is that the destination is beyond the scope of the source address,
            // the Code field is set to 2."
            return Way::Refused(Cause::BeyondScope, Some(Complaint::BeyondScope));
        }
        if header.hop_limit <= 1 {
            // RFC 4443 §3.3: "If a router receives a packet with a Hop Limit of zero, or if a router decrements a packet's
            // Hop Limit to zero, it MUST discard the packet and originate an ICMPv6 Time Exceeded message with Code 0 to
            // the source of the packet."
            return Way::Refused(Cause::TtlExpired, Some(Complaint::HopLimitExceeded));
        }
        let mtu = self.mtu_of(route.interface);
        if header.total_length > mtu {
            // RFC 8200 §4.5: "fragmentation in IPv6 is performed only by source nodes, not by routers along a packet's
            // delivery path". RFC 4443 §3.2: "A Packet Too Big MUST be sent by a router in response to a packet that it
            // cannot forward because the packet is larger than the MTU of the outgoing link."
            return Way::Refused(Cause::PacketTooBig, Some(Complaint::PacketTooBig { mtu }));
        }
        match next_hop(route, header.destination) {
            Some(neighbor) => Way::On(route.interface, neighbor),
            None => Way::Refused(Cause::NoRoute, Some(Complaint::NoRoute)),
        }
    }
}

/// Whom a route hands a packet for `destination` to; `None` if that is of another family.
pub(super) fn next_hop(route: &Route, destination: Ipv6Addr) -> Option<Ipv6Addr> {
    match route.via {
        None => Some(destination),
        Some(IpAddr::V6(router)) => Some(router),
        Some(IpAddr::V4(_)) => None,
    }
}
