//! ICMP redirects: a router tells a host on its link of a better first hop, and the host remembers
//! (RFC 1812 §5.2.7.2, RFC 1122 §3.2.2.2 and §3.3.1).
//!
//! A router that sends a packet back onto the link that it came from forwards it all the same: the redirect is about
//! the next ones. A host believes only the router that it uses now, and only about a router on the same link; what it
//! was told holds for one destination, for some minutes, or until the new router is silent.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::header::Header;
use super::icmp::{Complaint, ICMP_HEADER_BYTES};
use super::ip::{IpLayer, Timer, next_hop};
use super::lessons::Lessons;
use super::neighbor::NeighborKey;
use super::path_mtu::Quoted;
use super::spec::InterfaceSpec;
use crate::record::Outbox;
use crate::time::Time;
use crate::wire::Frame;

/// How long a better way is remembered. As Linux does (`ipv4/route/gc_timeout`).
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// For how many destinations better ways are remembered; further ones push out what ends soonest.
const REDIRECTED_MAX: usize = 1024;

/// The ICMP type.
pub(super) const REDIRECT: u8 = 5;

#[derive(Debug, Clone, Copy)]
struct BetterWay {
    interface: u16,
    router: Ipv4Addr,
}

/// What routers have said about better ways.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    ways: Lessons<Ipv4Addr, BetterWay, REDIRECTED_MAX>,
}

impl Redirects {
    /// The router at `interface` that packets to `destination` should go to, if one was told.
    pub(super) fn router_for(&self, destination: Ipv4Addr, interface: u16) -> Option<Ipv4Addr> {
        self.ways.get(destination).filter(|way| way.interface == interface).map(|way| way.router)
    }

    /// Forgets everything. Who calls this has dropped the timers too.
    pub(super) fn clear(&mut self) {
        self.ways.clear();
    }

    /// One destination a line, as `ip route show cache` has it.
    pub(super) fn show(&self, interfaces: &[InterfaceSpec], now: Time) -> String {
        let mut text = String::new();
        for (destination, way, until) in self.ways.iter() {
            let device = interfaces.get(usize::from(way.interface)).map_or("?", |interface| &interface.name);
            let left = until.since(now).as_secs();
            let _ = writeln!(text, "{destination} via {} dev {device} <redirected> expires {left}s", way.router);
        }
        text
    }
}

impl IpLayer {
    /// Tells the sender of a packet that is about to leave by the interface that it came from, if there is a shorter way.
    pub(super) fn redirect(
        &mut self,
        interface: u16,
        neighbor: Ipv4Addr,
        header: &Header,
        packet: &mut Frame,
        now: Time,
        out: &mut Outbox,
    ) {
        // With address translation the sender does not know where its packet goes.
        if !self.spec.ipv4.sends_redirects || self.gate.is_some() {
            return;
        }
        // RFC 1812 §5.2.7.2: "The IP source address in the packet is on the same Logical IP (sub)network as the next-hop
        // IP address". A packet that goes back to its own sender has lost its way altogether.
        let is_shorter = self.share_a_subnet(interface, header.source, neighbor) && header.source != neighbor;
        if !is_shorter {
            return;
        }
        let error = self.error_about(Complaint::Redirect { router: neighbor }, packet, now, out);
        self.send_error(error, now, out);
    }

    /// Takes a redirect; `message` begins with the ICMP type.
    pub(super) fn learn_redirect(&mut self, header: &Header, message: &[u8], now: Time, out: &mut Outbox) {
        let Some(interface) = self.arrived_on.filter(|_| self.spec.ipv4.accepts_redirects) else { return };
        let Some((head, quote)) = message.split_at_checked(ICMP_HEADER_BYTES) else { return };
        let Some(Quoted { source, destination, .. }) = Quoted::read(quote) else { return };
        let router = Ipv4Addr::new(head[4], head[5], head[6], head[7]);
        // RFC 1122 §3.3.1.2: a redirect for a network "SHOULD be treated identically to a Host Redirect message". There
        // are four codes: for networks and hosts, with and without a type of service.
        if head[1] > 3 || !self.owns_v4(source) || self.owns_v4(destination) || self.is_for_many(destination) {
            return;
        }
        // RFC 1122 §3.2.2.2: "A Redirect message SHOULD be silently discarded if the new gateway address it specifies is
        // not on the same connected (sub-) net through which the Redirect arrived ... or if the source of the Redirect is
        // not the current first-hop gateway for the specified destination".
        let is_near = self.share_a_subnet(interface, header.source, router) && !self.owns_v4(router);
        let is_from_first_hop = self.first_hop(destination) == Some((interface, header.source));
        if !is_near || self.is_broadcast_v4(router) || !is_from_first_hop || router == header.source {
            return;
        }
        let until = now + REMEMBERED_FOR;
        self.hops.forget();
        if let Some((at, old)) = self.redirects.ways.learn(destination, BetterWay { interface, router }, until) {
            self.timers.remove(&(at, Timer::Redirect(old)));
        }
        self.timers.insert((until, Timer::Redirect(destination)));
        self.counters.redirects_accepted += 1;
        out.note(None, || format!("redirected: {destination} is reached through {router}"));
    }

    /// A better way is old, or leads nowhere: the route holds again.
    pub(super) fn forget_redirect(&mut self, destination: Ipv4Addr) {
        if let Some(at) = self.redirects.ways.forget(destination) {
            self.hops.forget();
            self.timers.remove(&(at, Timer::Redirect(destination)));
        }
    }

    /// A router does not answer any more: who was sent to it by a redirect goes back to the route.
    ///
    /// RFC 1122 §3.3.1.4: "The IP layer MUST be able to detect the failure of a 'next-hop' gateway that is listed in its
    /// route cache and to choose an alternate gateway".
    pub(super) fn forget_redirects_to(&mut self, key: NeighborKey) {
        let leads_there = |way: &BetterWay| way.interface == key.interface && way.router == key.address;
        let lost = self.redirects.ways.iter().filter(|(_, way, _)| leads_there(way));
        let lost: Vec<Ipv4Addr> = lost.map(|(destination, ..)| destination).collect();
        lost.into_iter().for_each(|destination| self.forget_redirect(destination));
    }

    /// Which interface packets to `destination` leave by now, and whom they are handed to.
    fn first_hop(&self, destination: Ipv4Addr) -> Option<(u16, Ipv4Addr)> {
        let route = self.routes.lookup(destination.into())?;
        let router = self.redirects.router_for(destination, route.interface);
        Some((route.interface, router.or_else(|| next_hop(route, destination))?))
    }

    /// Whether two addresses lie on one subnet of an interface.
    fn share_a_subnet(&self, interface: u16, one: Ipv4Addr, other: Ipv4Addr) -> bool {
        self.addresses_on(interface).any(|subnet| subnet.contains(&one) && subnet.contains(&other))
    }

    fn is_for_many(&self, address: Ipv4Addr) -> bool {
        address.is_multicast() || self.is_broadcast_v4(address)
    }
}

/// Whether an ICMP packet is a redirect.
pub(super) fn is_redirect(header: &Header, packet: &[u8]) -> bool {
    header.payload(packet).first() == Some(&REDIRECT)
}
