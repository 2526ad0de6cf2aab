//! Path MTU discovery: what routers on the way have said about the size of packets (RFC 8201).
//!
//! No router cuts a packet, so every one that is too large comes back as "packet too big" with the size that would fit.
//! That is believed for a time, for that destination, if the message quotes a packet that this machine can have sent. The
//! time is that of IPv4's lessons, ten minutes: RFC 8201 §4, an attempt to detect an increase "must not be done less than 5
//! minutes after a Packet Too Big message has been received for the given path", and twice that is recommended. Larger packets are then cut by their sender: segments in `net`, everything else in [`fragment`](super::fragment).

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use super::header::{HEADER_BYTES, MTU_MIN, PAYLOAD_BYTES_MAX};
use super::icmp::ICMP_HEADER_BYTES;
use super::{Ipv6Layer, Timer};
use crate::node::machine::lessons::Lessons;
use crate::node::machine::path_mtu::expires;
use crate::record::Outbox;
use crate::time::Time;

/// For how many destinations lessons are remembered; further ones push out what ends soonest.
const PATHS_MAX: usize = 1024;

/// What was learned about paths.
#[derive(Debug, Default)]
pub(super) struct PathMtus {
    lessons: Lessons<Ipv6Addr, usize, PATHS_MAX>,
}

impl PathMtus {
    /// The largest packet that is known to reach `destination` whole, or `link_mtu` if that is smaller.
    pub(super) fn limit(&self, destination: Ipv6Addr, link_mtu: usize) -> usize {
        self.lessons.get(destination).map_or(link_mtu, |mtu| link_mtu.min(*mtu))
    }

    pub(super) fn clear(&mut self) {
        self.lessons.clear();
    }

    /// What was learned, one destination a line, as `ip -6 route show cache` has it.
    pub(super) fn show(&self, now: Time) -> String {
        let mut text = String::new();
        for (destination, mtu, until) in self.lessons.iter() {
            let _ = writeln!(text, "{destination} mtu {mtu}{}", expires(until, now));
        }
        text
    }
}

impl Ipv6Layer {
    /// Takes what "packet too big" teaches. `message` begins with the ICMPv6 type.
    pub(super) fn learn_path_mtu(&mut self, message: &[u8], now: Time, out: &mut Outbox) {
        let Some((head, quote)) = message.split_at_checked(ICMP_HEADER_BYTES) else { return };
        let Some(Quoted { source, destination, total_length }) = Quoted::read(quote) else { return };
        if !self.owns_unicast(source) || self.owns(destination) {
            return;
        }
        let [_, _, _, _, said @ ..] = head else { return };
        let said = <[u8; 4]>::try_from(said).map_or(0, u32::from_be_bytes);
        let Ok(mtu) = usize::try_from(said) else { return };
        // RFC 8201 §4: "If a node receives a Packet Too Big message reporting a next-hop MTU that is less than the IPv6
        // minimum link MTU, it must discard it. A node must not reduce its estimate of the Path MTU below the IPv6 minimum
        // link MTU".
        if mtu < MTU_MIN {
            return;
        }
        // "A node must not increase its estimate of the Path MTU in response to the contents of a Packet Too Big message";
        // nor can one be about a packet that would have fitted.
        let known = self.paths.limit(destination, HEADER_BYTES + PAYLOAD_BYTES_MAX);
        if mtu >= total_length || mtu >= known {
            return;
        }
        let until = self.spec.ipv4.path_mtu_end(now);
        if let Some((at, old)) = self.paths.lessons.learn(destination, mtu, until) {
            self.timers.remove(&(at, Timer::PathMtu(old)));
        }
        if until < Time::MAX {
            self.timers.insert((until, Timer::PathMtu(destination)));
        }
        self.counters.path_mtus_learned += 1;
        out.note(None, || format!("path mtu to {destination} is {mtu}"));
    }

    /// A lesson is old: larger packets may be tried again.
    pub(super) fn forget_path_mtu(&mut self, destination: Ipv6Addr) {
        self.paths.lessons.forget(destination);
    }
}

/// The start of a packet that an error quotes; its length is that of what is not there.
struct Quoted {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    total_length: usize,
}

impl Quoted {
    fn read(quote: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = quote.first_chunk()?;
        let address = |at: usize| <[u8; 16]>::try_from(&header[at..at + 16]).ok().map(Ipv6Addr::from);
        (header[0] >> 4 == 6).then_some(())?;
        Some(Self {
            source: address(8)?,
            destination: address(24)?,
            total_length: HEADER_BYTES + usize::from(u16::from_be_bytes([header[4], header[5]])),
        })
    }
}
