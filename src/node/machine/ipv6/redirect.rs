//! Redirects: a router tells a neighbor of a better first hop, and the neighbor remembers (RFC 4861 §8).
//!
//! ```text
//!  0       1       2               4                               8
//! ┌───────┬───────┬───────────────┬───────────────────────────────┐
//! │ 137   │ code 0│ checksum      │ reserved                      │
//! ├───────┴───────┴───────────────┴───────────────────────────────┤
//! │ target, 16 bytes: whom to hand packets to                     │
//! │ destination, 16 bytes: packets for whom                       │
//! ├───────┬───────┬───────────────────────────────────────────────┤
//! │ option│ length│ target's MAC; the packet that was in the wrong place │
//! └───────┴───────┴───────────────────────────────────────────────┘
//! ```
//!
//! The packet itself goes on its way all the same: the redirect is about the next ones. A host believes only the router
//! that it uses now. What it was told is its destination cache: one destination each, until the new first hop is silent,
//! or the router is none any more, or some minutes have passed.

use std::fmt::Write as _;
use std::net::Ipv6Addr;
use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use super::header::{HEADER_BYTES, Header, MTU_MIN};
use super::icmp::kind;
use super::message::{option, options, options_are_sound};
use super::neighbor::NeighborKey;
use super::{Ipv6Layer, Timer};
use crate::node::machine::lessons::Lessons;
use crate::node::machine::spec::InterfaceSpec;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// How long a redirect is without options.
const REDIRECT_BYTES: usize = 40;

/// How long the option with the packet is without the packet.
const QUOTE_BYTES: usize = 8;

/// How long a better way is remembered. The standard leaves that open; five minutes, as for IPv4.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// For how many destinations better ways are remembered; further ones push out what ends soonest.
pub(super) const REDIRECTED_MAX: usize = 1024;

/// A redirect that has passed those checks of RFC 4861 §8.1 that need nothing but the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Redirect {
    /// The better first hop: a router, or the destination itself.
    pub(super) target: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    /// The target's hardware address, if it is told.
    pub(super) mac: Option<EthernetAddress>,
}

impl Redirect {
    /// Reads a message, from its type on, that came from `source`.
    pub(super) fn read(message: &[u8], source: Ipv6Addr) -> Option<Self> {
        // RFC 4861 §8.1: "ICMP length (derived from the IP length) is 40 or more octets."
        let fixed: &[u8; REDIRECT_BYTES] = message.first_chunk()?;
        let rest = &message[REDIRECT_BYTES..];
        let address = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(fixed.get(at..at + 16)?).ok()?));
        let (target, destination) = (address(8)?, address(24)?);
        // "IP Source Address is a link-local address.", "ICMP Code is 0.", "All included options have a length that is
        // greater than zero."
        if !source.is_unicast_link_local() || fixed[1] != 0 || !options_are_sound(rest) {
            return None;
        }
        // "The ICMP Destination Address field in the redirect message does not contain a multicast address."
        // "The ICMP Target Address is either a link-local address (when redirected to a router) or the same as the ICMP
        // Destination Address (when redirected to the on-link destination)."
        if destination.is_multicast() || !(target.is_unicast_link_local() || target == destination) {
            return None;
        }
        let found = options(rest).find(|(kind, _)| *kind == option::TARGET_MAC);
        let mac = found.and_then(|(_, body)| body.first_chunk().copied().map(EthernetAddress));
        if mac.is_some_and(|mac| mac.is_multicast() || mac.0 == [0; 6]) {
            return None;
        }
        Some(Self { target, destination, mac })
    }

    /// The message, with as much of `packet` as fits.
    pub(super) fn write(&self, packet: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind::REDIRECT, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(self.target.octets());
        bytes.extend(self.destination.octets());
        if let Some(mac) = self.mac {
            bytes.extend([option::TARGET_MAC, 1]);
            bytes.extend(mac.0);
        }
        // §9: "The amount of data to include in the Redirected Header option MUST be limited so that the entire redirect
        // packet does not exceed the minimum MTU required to support IPv6". Options are a multiple of eight bytes long;
        // what does not fill the last eight is left out.
        let room = (MTU_MIN - HEADER_BYTES - bytes.len() - QUOTE_BYTES).min(packet.len()) / 8 * 8;
        bytes.extend([option::REDIRECTED, ((QUOTE_BYTES + room) / 8) as u8, 0, 0, 0, 0, 0, 0]);
        bytes.extend(&packet[..room]);
        bytes
    }
}

#[derive(Debug, Clone, Copy)]
struct BetterWay {
    interface: u16,
    target: Ipv6Addr,
}

/// What routers have said about better ways: the destination cache (RFC 4861 §5.1), as far as it differs from the routes.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    ways: Lessons<Ipv6Addr, BetterWay, REDIRECTED_MAX>,
}

impl Redirects {
    /// Whom packets to `destination` are handed to at `interface`, if that was told.
    pub(super) fn target_for(&self, destination: Ipv6Addr, interface: u16) -> Option<Ipv6Addr> {
        self.ways.get(destination).filter(|way| way.interface == interface).map(|way| way.target)
    }

    /// Forgets everything. Who calls this has dropped the timers too.
    pub(super) fn clear(&mut self) {
        self.ways.clear();
    }

    /// One destination a line, as `ip -6 route show cache` has it.
    pub(super) fn show(&self, interfaces: &[InterfaceSpec], now: Time) -> String {
        let mut text = String::new();
        for (destination, way, until) in self.ways.iter() {
            let device = interfaces.get(usize::from(way.interface)).map_or("?", |interface| &interface.name);
            let via = if way.target == destination { String::new() } else { format!(" via {}", way.target) };
            let left = until.since(now).as_secs();
            let _ = writeln!(text, "{destination}{via} dev {device} <redirected> expires {left}s");
        }
        text
    }
}

impl Ipv6Layer {
    /// Tells the sender of a packet that is about to leave by the interface that it came from, if there is a better first
    /// hop for it. `packet` is as it was received.
    ///
    /// RFC 4861 §8.2: "A router SHOULD send a redirect message, subject to rate limiting, whenever it forwards a packet"
    /// of which three things are true: "the Source Address field of the packet identifies a neighbor", "a better first-hop
    /// node resides on the same link as the sending node for the Destination Address of the packet being forwarded", and
    /// "the Destination Address of the packet is not a multicast address."
    pub(super) fn redirect(
        &mut self,
        interface: u16,
        neighbor: Ipv6Addr,
        header: &Header,
        packet: &mut Frame,
        now: Time,
        out: &mut Outbox,
    ) {
        if !self.spec.ipv4.sends_redirects || !self.is_neighbor(interface, header.source) || neighbor == header.source {
            return;
        }
        // §8.2: "If the target is a router, that router's link-local address MUST be used." If nobody has told it, nothing
        // can be said.
        let target = if neighbor == header.destination || neighbor.is_unicast_link_local() {
            neighbor
        } else {
            match self.neighbors.link_local_of(NeighborKey { interface, address: neighbor }) {
                Some(target) => target,
                None => return,
            }
        };
        let own = self.link(interface).and_then(|link| link.link_local());
        let Some(source) = own else { return };
        // "A router MUST limit the rate at which Redirect messages are sent".
        if !self.has_leave_to_complain(now, out) {
            return;
        }
        let known = self.neighbors.get(NeighborKey { interface, address: neighbor });
        let mac = known.filter(|known| known.has_mac()).map(|known| known.mac);
        // What is quoted must be as the sender's wire carried it.
        packet.complete();
        let message = Redirect { target, destination: header.destination, mac }.write(packet.bytes());
        self.counters.redirects += 1;
        let redirect =
            self.discovery_packet(source, header.source, &message, out).caused_by(packet.id.or(packet.cause));
        self.transmit(interface, header.source, redirect, now, out);
    }

    /// A router tells of a better first hop. Why that is of no use, if it is not.
    pub(super) fn redirected(
        &mut self,
        interface: u16,
        header: &Header,
        message: &[u8],
        now: Time,
        out: &mut Outbox,
    ) -> Option<Cause> {
        // RFC 4861 §8.2: "A router MUST NOT update its routing tables upon receipt of a Redirect."
        if self.spec.forwards || !self.spec.ipv4.accepts_redirects {
            return Some(Cause::Ignored);
        }
        let Some(Redirect { target, destination, mac }) = Redirect::read(message, header.source) else {
            return Some(Cause::InvalidDiscovery);
        };
        // §8.1: "The IP source address of the Redirect is the same as the current first-hop router for the specified ICMP
        // Destination Address."
        if self.next_on_the_way(destination) != Some((interface, header.source)) || self.owns(target) {
            return Some(Cause::InvalidDiscovery);
        }
        let key = NeighborKey { interface, address: target };
        if let Some(mac) = mac {
            self.heard_of(key, mac, now, out);
        }
        // §8.3: "If the Target Address is not the same as the Destination Address, the host MUST set IsRouter to TRUE for
        // the target."
        if let Some(known) = self.neighbors.get_mut(key).filter(|_| target != destination) {
            known.is_router = true;
        }
        let until = now + REMEMBERED_FOR;
        if let Some((at, old)) = self.redirects.ways.learn(destination, BetterWay { interface, target }, until) {
            self.timers.remove(&(at, Timer::Redirect(old)));
        }
        self.timers.insert((until, Timer::Redirect(destination)));
        self.counters.redirects_accepted += 1;
        out.note(None, || match target == destination {
            true => format!("redirected: {destination} is on the link of {}", self.name_of(interface)),
            false => format!("redirected: {destination} is reached through {target}"),
        });
        None
    }

    /// A better way is old, or leads nowhere: the route holds again.
    pub(super) fn forget_redirect(&mut self, destination: Ipv6Addr) {
        if let Some(at) = self.redirects.ways.forget(destination) {
            self.timers.remove(&(at, Timer::Redirect(destination)));
        }
    }

    /// A neighbor does not answer, or is no router: who was sent to it by a redirect goes back to the route.
    ///
    /// RFC 4861 §7.3.3: "all Destination Cache entries that reference the (former) router must perform next-hop determination
    /// again before using the entry."
    pub(super) fn forget_redirects_to(&mut self, key: NeighborKey) {
        let leads_there = |way: &BetterWay| way.interface == key.interface && way.target == key.address;
        let lost = self.redirects.ways.iter().filter(|(_, way, _)| leads_there(way));
        let lost: Vec<Ipv6Addr> = lost.map(|(destination, ..)| destination).collect();
        lost.into_iter().for_each(|destination| self.forget_redirect(destination));
    }

    /// Whether an address is on the link at `interface`.
    fn is_neighbor(&self, interface: u16, address: Ipv6Addr) -> bool {
        let of_link = |route: &crate::node::machine::route::Route| route.interface == interface && route.via.is_none();
        address.is_unicast_link_local() || self.routes.lookup(address.into()).is_some_and(of_link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 9]);

    fn address(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    fn redirect() -> Redirect {
        Redirect { target: address("fe80::2"), destination: address("2001:db8:9::9"), mac: Some(MAC) }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for mac in [None, Some(MAC)] {
            let redirect = Redirect { mac, ..redirect() };
            assert_eq!(Redirect::read(&redirect.write(b"whatever"), address("fe80::1")), Some(redirect));
        }
        let to_itself = Redirect { target: address("2001:db8:9::9"), ..redirect() };
        assert_eq!(Redirect::read(&to_itself.write(&[]), address("fe80::1")), Some(to_itself));
    }

    #[test]
    fn a_redirect_fits_1280_bytes_however_long_the_packet() {
        // 40 + 40 + 8 + 8 + 1184 = 1280; without the hardware address eight more of the packet.
        for mac in [Some(MAC), None] {
            let message = Redirect { mac, ..redirect() }.write(&[7; 9000]);
            assert_eq!((message.len() + HEADER_BYTES, message.len() % 8), (MTU_MIN, 0));
        }
        assert_eq!(redirect().write(&[7; 53]).len(), 40 + 8 + 8 + 48);
    }

    #[test]
    fn messages_that_break_the_rules_are_no_messages() {
        let good = redirect().write(&[]);
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Redirect::read(&bytes, address("fe80::1"))
        };
        assert_eq!(changed(4, 77), Some(redirect()), "what is reserved is ignored");
        assert_eq!(changed(1, 1), None, "code");
        assert_eq!(changed(8, 0x20), None, "a router that is not link-local");
        assert_eq!(changed(24, 0xff), None, "multicast destination");
        assert_eq!(changed(41, 0), None, "option of no length");
        assert_eq!(changed(42, 3), None, "multicast hardware address");
        assert_eq!(Redirect::read(&good[..39], address("fe80::1")), None);
        assert_eq!(Redirect::read(&good, address("2001:db8::1")), None, "not from the link");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            mut message in proptest::collection::vec(any::<u8>(), 0..120),
            lengths in proptest::collection::vec(0_u8..5, 10),
        ) {
            for (index, length) in lengths.into_iter().enumerate() {
                if let Some(byte) = message.get_mut(41 + index * 8) {
                    *byte = length;
                }
            }
            if let Some(byte) = message.get_mut(1) {
                *byte = 0;
            }
            let read = Redirect::read(&message, address("fe80::1"));
            prop_assert!(read.is_none_or(|read| !read.destination.is_multicast()));
            prop_assert!(redirect().write(&message).len() <= MTU_MIN - HEADER_BYTES);
        }
    }
}
