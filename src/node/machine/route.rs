//! Where packets go next: the longest prefix wins.
//!
//! The table is one sorted vector: by family, then the longest prefixes first, then the network, then how far who says it
//! is trusted, then the metric, then the order in which routes were written. So the routes of one prefix stand together, the one to take first, and with
//! it those that cost the same, among which [`ecmp`](super::ecmp) chooses. A [`Trie`] for each family knows where the
//! routes of the longest prefix stand.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;

use super::spec::{InterfaceSpec, RouteKind, RouteSpec};
use super::trie::{Entry, Trie};
use crate::net::{NextHop, RouteProtocol};

/// How many written routes a machine keeps: the whole internet's, which were a million in 2025. Those beyond are left
/// out.
const ROUTES_MAX: usize = 1 << 20;

/// One route, its interface found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) prefix: IpNet,
    pub(super) via: Option<IpAddr>,
    /// Meaningless for routes that refuse.
    pub(super) interface: u16,
    pub(super) metric: u32,
    pub(super) kind: RouteKind,
    /// The own address that makes this subnet a neighborhood, for routes that follow from addresses.
    pub(super) connected: Option<IpAddr>,
    /// Who found it, for routes that programs found.
    pub(super) learned: Option<RouteProtocol>,
    /// Where it stands among all, in the order of writing; connected routes first.
    order: u32,
    /// Its link is down: it is only shown.
    is_down: bool,
}

/// All routes of a machine.
#[derive(Debug)]
pub(super) struct RouteTable {
    routes: Vec<Route>,
    /// For each prefix, which routes to take.
    best: Vec<Best>,
    /// Which of `best` an address leads to: IPv4 and IPv6.
    tries: [Trie; 2],
    /// Routes whose router lies on none of the interfaces' subnets; kept to be shown.
    unusable: Vec<RouteSpec>,
}

/// The routes of one prefix that cost the least, and behind them those that cost more.
#[derive(Debug, Clone, Copy)]
struct Best {
    first: u32,
    count: u32,
    more: u32,
}

impl Default for RouteTable {
    /// No routes.
    fn default() -> Self {
        Self::of(Vec::new(), Vec::new())
    }
}

impl RouteTable {
    /// The routes that follow from the interfaces' addresses, and `written`.
    #[cfg(test)]
    pub(super) fn new(interfaces: &[InterfaceSpec], written: &[RouteSpec]) -> Self {
        Self::with_learned(interfaces, written, Vec::new())
    }

    /// The same, with routes that programs found.
    pub(super) fn with_learned(interfaces: &[InterfaceSpec], written: &[RouteSpec], learned: Vec<Route>) -> Self {
        let mut connected = Vec::new();
        for (index, interface) in interfaces.iter().enumerate() {
            for address in &interface.addresses {
                connected.push(Route {
                    prefix: address.trunc(),
                    via: None,
                    interface: index as u16,
                    metric: 0,
                    kind: RouteKind::Unicast,
                    connected: Some(address.addr()),
                    learned: None,
                    order: 0,
                    is_down: false,
                });
            }
        }
        let mut unusable = Vec::new();
        // A router is looked for on the subnets of the interfaces alone, not behind another router.
        let neighborhood = Self::of(connected.clone(), Vec::new());
        for route in written.iter().take(ROUTES_MAX) {
            match neighborhood.interface_of(route) {
                Some(interface) => connected.push(Route { interface, ..Route::of(route) }),
                None => unusable.push(route.clone()),
            }
        }
        connected.extend(learned);
        Self::of(connected, unusable)
    }

    fn of(mut routes: Vec<Route>, unusable: Vec<RouteSpec>) -> Self {
        for (order, route) in routes.iter_mut().enumerate() {
            route.order = order as u32;
        }
        let mut table =
            Self { routes, best: Vec::new(), tries: [Trie::new(Vec::new()), Trie::new(Vec::new())], unusable };
        table.index();
        table
    }

    /// Takes routes out of use whose links are down, and back in if they no longer are. Each change builds the table anew.
    ///
    /// RFC 1812 §5.3.12.3: "If an interface fails or is disabled a router MUST remove and stop advertising all routes in its
    /// forwarding database that make use of that interface. It MUST disable all static routes that make use of that
    /// interface. If other routes to the same destination and TOS are learned or remembered by the router, the router MUST
    /// choose the best alternate". §5.3.12.4: "If an interface that had not been available becomes available, a router MUST
    /// reenable any static routes that use that interface."
    pub(super) fn set_down(&mut self, is_down: impl Fn(u16) -> bool) {
        let mut has_changed = false;
        for route in self.routes.iter_mut().filter(|route| route.kind == RouteKind::Unicast) {
            let before = std::mem::replace(&mut route.is_down, is_down(route.interface));
            has_changed |= before != route.is_down;
        }
        if has_changed {
            self.index();
        }
    }

    /// Puts the routes in order and finds the best of each prefix.
    fn index(&mut self) {
        // Among equals the order of writing decides; connected routes were there first.
        self.routes.sort_by_key(|route| {
            let prefix = route.prefix.addr();
            let length = u8::MAX - route.prefix.prefix_len();
            (prefix.is_ipv6(), length, bits(prefix), route.is_down, route.distance(), route.metric, route.order)
        });
        let (mut best, mut entries) = (Vec::new(), [Vec::new(), Vec::new()]);
        let mut first = 0;
        for same in self.routes.chunk_by(|one, other| one.prefix == other.prefix) {
            let (prefix, value) = (same[0].prefix, best.len() as u32);
            let usable = same.partition_point(|route| !route.is_down) as u32;
            if usable > 0 {
                let entry = Entry { bits: bits(prefix.addr()), length: prefix.prefix_len(), value };
                entries[usize::from(prefix.addr().is_ipv6())].push(entry);
                let count = same.iter().take_while(|route| same[0].shares_with(route)).count() as u32;
                best.push(Best { first, count, more: usable - count });
            }
            first += same.len() as u32;
        }
        self.best = best;
        self.tries = entries.map(Trie::new);
    }

    /// The route that a packet to `destination` takes, the first of those that cost the same.
    pub(super) fn lookup(&self, destination: IpAddr) -> Option<&Route> {
        self.choices(destination).first()
    }

    /// The routes to `destination` that cost the least. None, if no route leads there.
    pub(super) fn choices(&self, destination: IpAddr) -> &[Route] {
        self.ways(destination).0
    }

    /// The same, and the routes of the same prefix that cost more, the cheapest first.
    pub(super) fn ways(&self, destination: IpAddr) -> (&[Route], &[Route]) {
        let found = self.tries[usize::from(destination.is_ipv6())].find(bits(destination));
        let Some(Best { first, count, more }) = found.map(|found| self.best[found as usize]) else { return (&[], &[]) };
        let (first, count, more) = (first as usize, count as usize, more as usize);
        self.routes[first..first + count + more].split_at(count)
    }

    /// All routes of one family, one a line, as `ip route` shows them.
    pub(super) fn show(&self, interfaces: &[InterfaceSpec], is_ipv6: bool) -> String {
        let mut text = String::new();
        let name = |interface: u16| interfaces.get(usize::from(interface)).map_or("?", |interface| &interface.name);
        // Shortest prefixes first: the default route is what people look for.
        let first_ipv6 = self.routes.partition_point(|route| route.prefix.addr().is_ipv4());
        let (v4, v6) = self.routes.split_at(first_ipv6);
        let family = if is_ipv6 { v6 } else { v4 };
        let is_as_long = |one: &Route, other: &Route| one.prefix.prefix_len() == other.prefix.prefix_len();
        for group in family.chunk_by(is_as_long).rev() {
            for route in group {
                let prefix = if route.prefix.prefix_len() == 0 { "default".into() } else { route.prefix.to_string() };
                if route.kind != RouteKind::Unicast {
                    let _ = write!(text, "{} {prefix}", route.kind.name());
                } else if let Some(via) = route.via {
                    let _ = write!(text, "{prefix} via {via} dev {}", name(route.interface));
                } else {
                    let _ = write!(text, "{prefix} dev {}", name(route.interface));
                }
                if let Some(source) = route.connected {
                    let _ = write!(text, " proto kernel scope link src {source}");
                }
                if let Some(protocol) = route.learned {
                    let _ = write!(text, " proto {}", protocol.name());
                }
                if route.metric > 0 {
                    let _ = write!(text, " metric {}", route.metric);
                }
                if route.is_down {
                    text.push_str(" linkdown");
                }
                text.push('\n');
            }
        }
        for route in self.unusable.iter().filter(|route| route.prefix.addr().is_ipv6() == is_ipv6) {
            let via = route.via.map_or_else(String::new, |via| format!(" via {via}"));
            let _ = writeln!(text, "{}{via} unusable: its router is on no subnet of this machine", route.prefix);
        }
        text
    }

    /// Finds the interface of a written route; `None` if there is none.
    fn interface_of(&self, written: &RouteSpec) -> Option<u16> {
        match (written.interface, written.via) {
            (Some(interface), _) => u16::try_from(interface).ok(),
            (None, Some(via)) => self.lookup(via).map(|route| route.interface),
            (None, None) => (written.kind != RouteKind::Unicast).then_some(0),
        }
    }
}

impl Route {
    /// What a written route says; its interface is still to be found.
    pub(super) fn of(written: &RouteSpec) -> Self {
        let RouteSpec { prefix, via, metric, kind, .. } = *written;
        Self {
            prefix: prefix.trunc(),
            via,
            interface: 0,
            metric,
            kind,
            connected: None,
            learned: None,
            order: 0,
            is_down: false,
        }
    }

    /// A route that a program has found.
    pub(super) fn learned(prefix: IpNet, hop: NextHop, metric: u32, protocol: RouteProtocol) -> Self {
        Self {
            prefix,
            via: hop.via,
            interface: hop.interface,
            metric,
            kind: RouteKind::Unicast,
            connected: None,
            learned: Some(protocol),
            order: 0,
            is_down: false,
        }
    }

    /// How little it is trusted: of routes to one prefix the most trusted are taken.
    fn distance(&self) -> u8 {
        self.learned.map_or(0, RouteProtocol::distance)
    }

    /// Whether flows are spread over this route and `other`, which is of the same prefix: both lead on, at the same
    /// cost. Neighborhoods do not share: the first one is where the neighbors are.
    fn shares_with(&self, other: &Self) -> bool {
        let leads_on = |route: &Self| route.kind == RouteKind::Unicast && route.connected.is_none() && !route.is_down;
        self == other
            || (leads_on(self) && leads_on(other) && self.metric == other.metric && self.learned == other.learned)
    }
}

/// An address as a number whose highest bit is the address's first.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smoltcp::wire::EthernetAddress;

    fn interfaces() -> Vec<InterfaceSpec> {
        let mac = EthernetAddress([2, 0, 0, 0, 0, 1]);
        let mut list = vec![InterfaceSpec::new("eth0", mac, "10.0.0.1/24".parse().unwrap())];
        list.push(InterfaceSpec::new("eth1", mac, "10.0.1.1/24".parse().unwrap()));
        list
    }

    fn via(prefix: &str, router: &str, metric: u32) -> RouteSpec {
        RouteSpec { metric, ..RouteSpec::via(prefix.parse().unwrap(), router.parse().unwrap()) }
    }

    fn next(table: &RouteTable, destination: &str) -> Option<(u16, Option<IpAddr>)> {
        table.lookup(destination.parse().unwrap()).map(|route| (route.interface, route.via))
    }

    #[test]
    fn the_longest_prefix_wins_whatever_its_metric() {
        let written = [via("0.0.0.0/0", "10.0.0.254", 0), via("10.9.0.0/16", "10.0.1.9", 500)];
        let table = RouteTable::new(&interfaces(), &written);
        assert_eq!(next(&table, "10.9.3.3"), Some((1, Some("10.0.1.9".parse().unwrap()))));
        assert_eq!(next(&table, "10.8.3.3"), Some((0, Some("10.0.0.254".parse().unwrap()))));
        assert_eq!(next(&table, "10.0.1.77"), Some((1, None)));
    }

    #[test]
    fn of_equal_prefixes_the_least_metric_wins_and_those_that_have_it_share() {
        let written = [
            via("10.9.0.0/16", "10.0.0.7", 20),
            via("10.9.0.0/16", "10.0.0.8", 10),
            via("10.9.0.0/16", "10.0.0.9", 10),
        ];
        let table = RouteTable::new(&interfaces(), &written);
        assert_eq!(next(&table, "10.9.3.3"), Some((0, Some("10.0.0.8".parse().unwrap()))));
        let choices = table.choices("10.9.3.3".parse().unwrap());
        let choices: Vec<String> = choices.iter().map(|route| route.via.unwrap().to_string()).collect();
        assert_eq!(choices, ["10.0.0.8", "10.0.0.9"]);
    }

    #[test]
    fn neighborhoods_and_refusals_do_not_share() {
        let refusing = |kind| RouteSpec::refusing("10.9.0.0/16".parse().unwrap(), kind);
        let written = [
            via("10.0.0.0/24", "10.0.1.9", 0),
            refusing(RouteKind::Prohibit),
            via("10.9.0.0/16", "10.0.0.8", 0),
            refusing(RouteKind::Blackhole),
        ];
        let table = RouteTable::new(&interfaces(), &written);
        let count = |destination: &str| table.choices(destination.parse().unwrap()).len();
        assert_eq!((count("10.0.0.7"), count("10.9.3.3"), count("10.8.3.3")), (1, 1, 0));
    }

    #[test]
    fn a_route_whose_router_is_out_of_reach_is_not_taken() {
        let table = RouteTable::new(&interfaces(), &[via("0.0.0.0/0", "192.168.1.1", 0)]);
        assert_eq!(next(&table, "8.8.8.8"), None);
        assert!(table.show(&interfaces(), false).contains("unusable"));
    }

    #[test]
    fn rfc_1812_a_route_whose_link_is_down_gives_way_and_comes_back() {
        let written =
            [via("10.9.0.0/16", "10.0.0.7", 0), via("10.9.0.0/16", "10.0.1.8", 5), via("10.0.0.0/8", "10.0.1.9", 0)];
        let mut table = RouteTable::new(&interfaces(), &written);
        let router = |table: &RouteTable, to: &str| next(table, to).map(|(_, via)| via.map(|via| via.to_string()));
        let some = |via: &str| Some(Some(via.to_owned()));
        assert_eq!((router(&table, "10.9.0.1"), router(&table, "10.0.0.9")), (some("10.0.0.7"), Some(None)));
        table.set_down(|interface| interface == 0);
        // The dearer route to the same network; and for what was a neighbor, the shorter prefix.
        assert_eq!((router(&table, "10.9.0.1"), router(&table, "10.0.0.9")), (some("10.0.1.8"), some("10.0.1.9")));
        let shown = table.show(&interfaces(), false);
        assert!(shown.contains("10.9.0.0/16 via 10.0.0.7 dev eth0 linkdown\n"), "{shown}");
        table.set_down(|_| true);
        assert_eq!(router(&table, "10.9.0.1"), None);
        table.set_down(|_| false);
        assert_eq!((router(&table, "10.9.0.1"), router(&table, "10.0.0.9")), (some("10.0.0.7"), Some(None)));
        assert_eq!(table.ways("10.9.0.1".parse().unwrap()).1.len(), 1);
    }

    #[test]
    fn families_do_not_mix() {
        let table = RouteTable::new(&interfaces(), &[via("0.0.0.0/0", "10.0.0.254", 0)]);
        assert_eq!(next(&table, "::a00:1"), None);
    }

    #[test]
    fn the_table_reads_as_people_know_it() {
        let mut written = vec![via("0.0.0.0/0", "10.0.0.254", 0), via("10.9.0.0/16", "10.0.1.9", 5)];
        written.push(RouteSpec::refusing("10.66.0.0/16".parse().unwrap(), RouteKind::Blackhole));
        insta::assert_snapshot!(RouteTable::new(&interfaces(), &written).show(&interfaces(), false), @r"
        default via 10.0.0.254 dev eth0
        10.9.0.0/16 via 10.0.1.9 dev eth1 metric 5
        blackhole 10.66.0.0/16
        10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1
        10.0.1.0/24 dev eth1 proto kernel scope link src 10.0.1.1
        ");
    }

    proptest! {
        #[test]
        fn a_look_up_finds_what_a_walk_over_all_routes_finds(
            prefixes in proptest::collection::vec((any::<u32>(), 0_u8..=32, 0_u32..3), 0..40),
            wanted in proptest::collection::vec(any::<u32>(), 20),
        ) {
            // Few distinct networks, so that prefixes nest and collide.
            let written: Vec<RouteSpec> = prefixes.iter().enumerate().map(|(index, (network, length, metric))| {
                let prefix = IpNet::new(IpAddr::V4((network & 0xf0c0_0003).into()), *length).unwrap();
                let via = IpAddr::V4((0x0a00_0002 + index as u32).into());
                RouteSpec { metric: *metric, ..RouteSpec::via(prefix, via) }
            }).collect();
            let table = RouteTable::new(&interfaces()[..1], &written);
            for wanted in wanted {
                let wanted = IpAddr::V4((wanted & 0xf0c0_0003).into());
                let best = written.iter().filter(|route| route.prefix.contains(&wanted)).enumerate()
                    .min_by_key(|(index, route)| (u8::MAX - route.prefix.prefix_len(), route.metric, *index));
                let found = table.lookup(wanted).filter(|route| route.connected.is_none());
                prop_assert_eq!(found.and_then(|route| route.via), best.and_then(|(_, route)| route.via));
            }
        }
    }
}
