//! Multicast listener discovery, the listener's half: which groups is this machine in? (RFC 3810)
//!
//! Every address has a solicited-node group, and routers and snooping switches want to be told of it. A report goes out
//! when an interface begins to work, again when its link-local address has been checked (RFC 3590), and in answer to
//! queries. Nobody here asks: switches flood what is for groups, and multicast is not routed.
//!
//! Reports are those of version 2, as today's systems send them; they go to all routers that listen (ff02::16) with a
//! hop-by-hop router alert, once where RFC 3810 §6.1 would repeat them against loss. A query of version 1 is answered in
//! version 2 too: there is no querier to be compatible with.

use std::net::Ipv6Addr;

use smoltcp::wire::IpProtocol;

use super::address::{ALL_LISTENER_ROUTERS, ALL_NODES, multicast_mac};
use super::extension::next;
use super::header::{HEADER_BYTES, Header, NewHeader, upper_sum};
use super::icmp::kind;
use super::{Ipv6Layer, Origin};
use crate::record::{Cause, Outbox};
use crate::wire::Frame;

/// Hop-by-hop options: ICMPv6 follows; router alert "MLD" (RFC 2711 §2.1), padding. RFC 3810 §5: "All MLDv2 messages
/// described in this document MUST be sent with a link-local IPv6 Source Address, an IPv6 Hop Limit of 1, and an IPv6
/// Router Alert option in a Hop-by-Hop Options header."
const ROUTER_ALERT: [u8; 8] = [next::ICMPV6, 0, 5, 2, 0, 0, 1, 0];

/// How long each group's record is, without sources.
const RECORD_BYTES: usize = 20;

/// How many records fit into one report of at most 1280 bytes: (1280 - 40 - 8 - 8) / 20.
const RECORDS_MAX: usize = 61;

/// How many groups of one interface are listened to: what programs ask for is bounded.
const GROUPS_MAX: usize = 1024;

/// RFC 3810 §5.2.12: what a record says.
mod record {
    pub(super) const MODE_IS_EXCLUDE: u8 = 2;
    pub(super) const CHANGE_TO_INCLUDE: u8 = 3;
    pub(super) const CHANGE_TO_EXCLUDE: u8 = 4;
}

impl Ipv6Layer {
    /// Whether packets to a group are for this machine.
    pub(super) fn is_listening(&self, interface: u16, group: Ipv6Addr) -> bool {
        self.link(interface).is_some_and(|link| link.groups.contains_key(&group))
    }

    /// Listens to a group; whoever calls reports it.
    pub(super) fn join(&mut self, interface: u16, group: Ipv6Addr) {
        if let Some(link) = self.links.get_mut(usize::from(interface)) {
            *link.groups.entry(group).or_insert(0) += 1;
        }
    }

    /// Listens no longer, unless there is another reason to; that is reported.
    pub(super) fn leave(&mut self, interface: u16, group: Ipv6Addr, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        let Some(reasons) = link.groups.get_mut(&group) else { return };
        *reasons -= 1;
        if *reasons == 0 {
            link.groups.remove(&group);
            self.report(interface, record::CHANGE_TO_INCLUDE, &[group], out);
        }
    }

    /// Listens to a group because a program asks for it.
    pub(in crate::node::machine) fn join_for_program(&mut self, interface: u16, group: Ipv6Addr, out: &mut Outbox) {
        let Some(link) = self.link(interface).filter(|link| link.is_active) else { return };
        if link.groups.len() >= GROUPS_MAX && !link.groups.contains_key(&group) {
            return out.note(None, || format!("group {group}: not listened to, {GROUPS_MAX} others are"));
        }
        let (is_new, is_up) = (!link.groups.contains_key(&group), link.is_up);
        self.join(interface, group);
        if is_new && is_up {
            self.report_group(interface, group, out);
        }
    }

    /// Listens no longer because a program asks for it.
    pub(in crate::node::machine) fn leave_for_program(&mut self, interface: u16, group: Ipv6Addr, out: &mut Outbox) {
        self.leave(interface, group, out);
    }

    /// Reports all groups of an interface as new.
    pub(super) fn report_groups(&mut self, interface: u16, out: &mut Outbox) {
        let groups = self.reported_groups(interface);
        self.report(interface, record::CHANGE_TO_EXCLUDE, &groups, out);
    }

    /// Reports a group as new.
    pub(super) fn report_group(&mut self, interface: u16, group: Ipv6Addr, out: &mut Outbox) {
        self.report(interface, record::CHANGE_TO_EXCLUDE, &[group], out);
    }

    /// Takes a listener discovery message that begins at `at`, and ends the packet.
    pub(super) fn listener_input(
        &mut self,
        origin: Origin,
        header: &Header,
        at: usize,
        packet: Frame,
        out: &mut Outbox,
    ) {
        let message = packet.bytes().get(at..).unwrap_or_default();
        let is_query = message.first() == Some(&kind::LISTENER_QUERY) && message.len() >= 24;
        let is_from_link = header.source.is_unicast_link_local() && header.hop_limit == 1;
        let (Origin::Link { interface, .. }, true, true) = (origin, is_query, is_from_link) else {
            // RFC 3810 §6.2: queries that are not from the link "MUST be silently discarded"; reports are for routers.
            return out.drop_frame(packet, Cause::Ignored);
        };
        let asked = message.get(8..24).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).map(Ipv6Addr::from);
        let mut groups = self.reported_groups(interface);
        groups.retain(|group| asked.is_some_and(|asked| asked.is_unspecified() || asked == *group));
        // RFC 3810 §6.2 lets the answer wait for a random time, so that not all listeners speak at once; here, as nobody
        // is overheard, it is given at once.
        self.report(interface, record::MODE_IS_EXCLUDE, &groups, out);
        out.consume(packet);
    }

    /// RFC 3810 §6: "the link-scope all-nodes multicast address (FF02::1) is handled as a special case. [...] MLD messages
    /// are never sent for this address", nor for groups of the interface itself.
    fn reported_groups(&self, interface: u16) -> Vec<Ipv6Addr> {
        let groups = self.link(interface).into_iter().flat_map(|link| link.groups.keys());
        groups.filter(|group| **group != ALL_NODES).copied().collect()
    }

    fn report(&mut self, interface: u16, kind_of_record: u8, groups: &[Ipv6Addr], out: &mut Outbox) {
        // RFC 3590 §4: while there is no valid link-local address, "the unspecified address (::) is used".
        let source = self.link(interface).and_then(|link| link.link_local()).unwrap_or(Ipv6Addr::UNSPECIFIED);
        for groups in groups.chunks(RECORDS_MAX) {
            self.counters.listener_reports += 1;
            let message_length = 8 + groups.len() * RECORD_BYTES;
            let new = NewHeader { source, destination: ALL_LISTENER_ROUTERS, next: next::HOP_BY_HOP, hop_limit: 1 };
            let mut packet = new.packet(ROUTER_ALERT.len() + message_length, out);
            let body = &mut packet.bytes_mut()[HEADER_BYTES..];
            body[..ROUTER_ALERT.len()].copy_from_slice(&ROUTER_ALERT);
            let message = &mut body[ROUTER_ALERT.len()..];
            message[..8].copy_from_slice(&[kind::LISTENER_REPORT_V2, 0, 0, 0, 0, 0, 0, groups.len() as u8]);
            for (bytes, group) in message[8..].chunks_exact_mut(RECORD_BYTES).zip(groups) {
                bytes[..4].copy_from_slice(&[kind_of_record, 0, 0, 0]);
                bytes[4..].copy_from_slice(&group.octets());
            }
            let sum = !upper_sum(source, ALL_LISTENER_ROUTERS, IpProtocol::Icmpv6, message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
            self.emit(interface, multicast_mac(ALL_LISTENER_ROUTERS), packet, out);
        }
    }
}
