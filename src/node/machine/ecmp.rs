//! Several routes that cost the same: each flow keeps to one of them (RFC 2991, RFC 2992).
//!
//! A flow's packets must not overtake each other, so the choice depends on the flow alone: addresses, protocol and
//! ports, stirred with a number of the router's own, so that routers in a row do not all choose alike. Of a packet that
//! is a fragment, and of any protocol without ports, only addresses and protocol count. Each route gets a score from the
//! flow, and the highest wins ("highest random weight", RFC 2991 section 3): when a route goes, only its own flows move.
//!
//! A route whose link is down is passed over while there is another; and so is one whose router did not answer when it was
//! asked for its hardware address, for a minute, be the other as cheap or not (RFC 1122 §3.3.1.5).

use std::net::IpAddr;
use std::time::Duration;

use smoltcp::wire::IpProtocol;

use super::header::Header;
use super::ip::IpLayer;
use super::neighbor::NeighborKey;
use super::route::Route;
use crate::rng::Rng;
use crate::time::Time;

/// How long a router that did not answer is passed over before it is tried again.
const LOST_FOR: Duration = Duration::from_secs(60);

/// How one machine stirs.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlowHash {
    seed: u64,
}

impl FlowHash {
    /// As the machine called `name` does in a run with this seed.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self { seed: Rng::stream(seed, &format!("node {name}/ecmp")).next_u64() }
    }

    /// A number for the flow that a packet belongs to.
    fn of(self, header: &Header, packet: &[u8]) -> u64 {
        let addresses = u64::from(header.source.to_bits()) << 32 | u64::from(header.destination.to_bits());
        let has_ports = matches!(header.protocol, IpProtocol::Tcp | IpProtocol::Udp) && !header.is_fragment();
        let ports =
            header.payload(packet).first_chunk().filter(|_| has_ports).map_or(0, |ports| u32::from_be_bytes(*ports));
        let rest = u64::from(u8::from(header.protocol)) << 32 | u64::from(ports);
        mix(mix(self.seed ^ addresses) ^ rest)
    }
}

impl IpLayer {
    /// The route that a packet takes, and whether every packet to its destination takes that one.
    pub(super) fn route_of(&self, header: &Header, packet: &[u8], now: Time) -> Option<(&Route, bool)> {
        let destination = header.destination.into();
        let (choices, fallbacks) = self.routes.ways(destination);
        if let ([only], []) = (choices, fallbacks) {
            return Some((only, true));
        }
        let leads_on = |route: &Route| self.is_up(route.interface) && !self.has_lost_router(route, now);
        let flow = self.flow_hash.of(header, packet);
        let best = choices.iter().max_by_key(|route| (leads_on(route), score(flow, route)))?;
        let route = if leads_on(best) { None } else { fallbacks.iter().find(|route| leads_on(route)) };
        Some((route.unwrap_or(best), false))
    }

    /// Whether the router that a route leads to was asked lately, and did not answer.
    ///
    /// RFC 1122 §3.3.1.4: "The IP layer MUST be able to detect the failure of a 'next-hop' gateway that is listed in its
    /// route cache and to choose an alternate gateway".
    fn has_lost_router(&self, route: &Route, now: Time) -> bool {
        let Some(IpAddr::V4(address)) = route.via else { return false };
        self.neighbors
            .failed_at(NeighborKey { interface: route.interface, address })
            .is_some_and(|at| now < at + LOST_FOR)
    }
}

/// How well a flow and a route go together. It depends on where the route leads, not on where it stands in the table.
fn score(flow: u64, route: &Route) -> u64 {
    let via = route.via.map_or(0, |via| match via {
        IpAddr::V4(via) => u64::from(via.to_bits()),
        IpAddr::V6(via) => (via.to_bits() >> 64) as u64 ^ via.to_bits() as u64,
    });
    mix(flow ^ mix(via ^ u64::from(route.interface) << 48))
}

/// The last step of the generator SplitMix64 (Steele, Lea, Flood 2014): each bit of the result depends on every bit.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::machine::header::NewHeader;
    use crate::record::Outbox;

    /// A UDP packet from this port.
    fn packet(port: u16, more_fragments: bool) -> Vec<u8> {
        let new = NewHeader {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 9, 1].into(),
            protocol: IpProtocol::Udp,
            ttl: 64,
            tos: 0,
            ident: 0,
            dont_fragment: false,
        };
        let mut frame = new.packet(8, &mut Outbox::default());
        frame.bytes_mut()[20..].copy_from_slice(&[(port >> 8) as u8, port as u8, 0, 9, 0, 8, 0, 0]);
        let mut ip = smoltcp::wire::Ipv4Packet::new_unchecked(frame.bytes_mut());
        ip.set_more_frags(more_fragments);
        ip.fill_checksum();
        frame.bytes().to_vec()
    }

    fn hash(packet: &[u8]) -> u64 {
        FlowHash { seed: 5 }.of(&Header::of_received(packet).unwrap(), packet)
    }

    fn route(last: u8) -> Route {
        let spec = crate::node::machine::RouteSpec::via("10.0.9.0/24".parse().unwrap(), [10, 0, 0, last].into());
        Route::of(&spec)
    }

    #[test]
    fn ports_count_but_not_in_fragments() {
        assert_ne!(hash(&packet(1, false)), hash(&packet(2, false)));
        assert_eq!(hash(&packet(1, true)), hash(&packet(2, true)));
    }

    #[test]
    fn flows_spread_evenly_and_only_those_of_a_lost_route_move() {
        let best = |routes: &[Route], port| {
            let flow = hash(&packet(port, false));
            let best = routes.iter().max_by_key(|route| score(flow, route)).unwrap();
            best.via.unwrap()
        };
        let all = [route(1), route(2), route(3), route(4)];
        let chosen: Vec<_> = (0..4000).map(|port| best(&all, port)).collect();
        for route in &all {
            let share = chosen.iter().filter(|via| Some(**via) == route.via).count();
            // 1000 expected, deviation √(4000 × ¼ × ¾) = 27; five of them.
            assert!((863..=1137).contains(&share), "{share}");
        }
        for (port, before) in (0..4000).zip(&chosen) {
            let after = best(&all[..3], port);
            assert!(after == *before || Some(*before) == all[3].via);
        }
    }
}
