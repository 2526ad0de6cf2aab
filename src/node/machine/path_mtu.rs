//! Path MTU discovery (RFC 1191): what routers on the way have said about the size of packets.
//!
//! Everything that must not be fragmented carries the don't-fragment bit; a router that cannot pass it on says so, and
//! says what would fit. That is believed for a time, ten minutes unless the machine's settings say otherwise, for that
//! destination, if the message quotes a packet that this machine can have sent. Larger packets are then cut by their sender: segments in `net`, datagrams that may be
//! fragmented in [`output`](super::output); others are refused with "message too long".

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::fragment::IPV4_MTU_MIN;
use super::header::{HEADER_BYTES, Header, PACKET_BYTES_MAX};
use super::icmp::ICMP_HEADER_BYTES;
use super::ip::{IpLayer, Timer};
use super::lessons::Lessons;
use crate::record::Outbox;
use crate::time::Time;
use crate::wire::Frame;

/// For how many destinations lessons are remembered; further ones push out what ends soonest.
const PATHS_MAX: usize = 1024;

/// Sizes to try when a router does not say what would fit. RFC 1191 §7.1, table 7-1.
const PLATEAUS: [usize; 10] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, IPV4_MTU_MIN];

/// What was learned about paths.
#[derive(Debug, Default)]
pub(super) struct PathMtus {
    lessons: Lessons<Ipv4Addr, usize, PATHS_MAX>,
}

impl PathMtus {
    /// The largest packet that is known to reach `destination` whole, or `link_mtu` if that is smaller.
    pub(super) fn limit(&self, destination: Ipv4Addr, link_mtu: usize) -> usize {
        self.lessons.get(destination).map_or(link_mtu, |mtu| link_mtu.min(*mtu))
    }

    pub(super) fn clear(&mut self) {
        self.lessons.clear();
    }

    /// What was learned, one destination a line, as `ip route show cache` has it.
    pub(super) fn show(&self, now: Time) -> String {
        let mut text = String::new();
        for (destination, mtu, until) in self.lessons.iter() {
            let _ = writeln!(text, "{destination} mtu {mtu}{}", expires(until, now));
        }
        text
    }
}

impl IpLayer {
    /// Takes what "fragmentation needed" teaches. `message` begins with the ICMP type.
    pub(super) fn learn_path_mtu(&mut self, message: &[u8], now: Time, out: &mut Outbox) {
        let Some((head, quote)) = message.split_at_checked(ICMP_HEADER_BYTES) else { return };
        let Some(Quoted { source, destination, total_length }) = Quoted::read(quote) else { return };
        if !self.owns_v4(source) || self.owns_v4(destination) {
            return;
        }
        let said = usize::from(u16::from_be_bytes([head[6], head[7]]));
        // RFC 1191 §5: routers from before it leave the field zero; then the next lower plateau is tried.
        let plateau = PLATEAUS.into_iter().find(|plateau| *plateau < total_length).unwrap_or(IPV4_MTU_MIN);
        // RFC 1191 §3: "A host MUST never reduce its estimate of the Path MTU below 68 octets."
        let mtu = if said == 0 { plateau } else { said.max(IPV4_MTU_MIN) };
        // "A host MUST not increase its estimate of the Path MTU in response to the contents of a Datagram Too Big
        // message"; nor can one be about a packet that would have fitted.
        let known = self.paths.limit(destination, PACKET_BYTES_MAX);
        if mtu >= total_length || mtu >= known {
            return;
        }
        let until = self.spec.ipv4.path_mtu_end(now);
        self.hops.forget();
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
    pub(super) fn forget_path_mtu(&mut self, destination: Ipv4Addr) {
        self.paths.lessons.forget(destination);
        self.hops.forget();
    }

    /// Whether a packet is "fragmentation needed", whole enough to be learned from.
    pub(super) fn is_fragmentation_needed(header: &Header, packet: &Frame) -> bool {
        matches!(header.payload(packet.bytes()), [3, 4, ..])
    }
}

/// When something that was learned ends, as `ip route show cache` says it; nothing if it never does.
pub(super) fn expires(until: Time, now: Time) -> String {
    if until == Time::MAX { String::new() } else { format!(" expires {}s", until.since(now).as_secs()) }
}

/// The start of a packet that an ICMP error quotes; unlike a packet's, its length is that of what is not there.
pub(super) struct Quoted {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    total_length: usize,
}

impl Quoted {
    pub(super) fn read(quote: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = quote.first_chunk()?;
        let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        (header[0] >> 4 == 4).then(|| Self {
            source: address(12),
            destination: address(16),
            total_length: usize::from(u16::from_be_bytes([header[2], header[3]])),
        })
    }
}
