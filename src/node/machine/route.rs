//! Where packets go next: the longest prefix wins.
//!
//! The table is one sorted vector: by family, then the longest prefixes first, then the network, then the metric, then
//! the order in which routes were written. All routes of one prefix length stand together, so a look-up is one binary
//! search for each length that occurs, and the first route found is the one to take. What a look-up finds for the
//! destinations of the day is kept in front of it by [`HopCache`](super::hop::HopCache).

use std::fmt::Write as _;
use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;

use super::spec::{InterfaceSpec, RouteKind, RouteSpec};

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
}

/// Routes of one family and one prefix length.
#[derive(Debug, Clone)]
struct Group {
    is_ipv6: bool,
    mask: u128,
    routes: Range<usize>,
}

/// All routes of a machine.
#[derive(Debug, Default)]
pub(super) struct RouteTable {
    routes: Vec<Route>,
    groups: Vec<Group>,
    /// Routes whose router lies on none of the interfaces' subnets; kept to be shown.
    unusable: Vec<RouteSpec>,
}

impl RouteTable {
    /// The routes that follow from the interfaces' addresses, and `written`.
    pub(super) fn new(interfaces: &[InterfaceSpec], written: &[RouteSpec]) -> Self {
        let mut table = Self::default();
        for (index, interface) in interfaces.iter().enumerate() {
            for address in &interface.addresses {
                table.routes.push(Route {
                    prefix: address.trunc(),
                    via: None,
                    interface: index as u16,
                    metric: 0,
                    kind: RouteKind::Unicast,
                    connected: Some(address.addr()),
                });
            }
        }
        table.sort();
        // Only now: a router is looked for on the subnets of the interfaces alone, not behind another router.
        let resolved: Vec<Option<Route>> = written.iter().map(|route| table.resolve(route)).collect();
        for (route, resolved) in written.iter().zip(resolved) {
            match resolved {
                Some(resolved) => table.routes.push(resolved),
                None => table.unusable.push(route.clone()),
            }
        }
        table.sort();
        table
    }

    /// The route that a packet to `destination` takes.
    pub(super) fn lookup(&self, destination: IpAddr) -> Option<&Route> {
        let wanted = bits(destination);
        for group in self.groups.iter().filter(|group| group.is_ipv6 == destination.is_ipv6()) {
            let routes = &self.routes[group.routes.clone()];
            let network = wanted & group.mask;
            let first = routes.partition_point(|route| bits(route.prefix.addr()) < network);
            if let Some(route) = routes.get(first).filter(|route| bits(route.prefix.addr()) == network) {
                return Some(route);
            }
        }
        None
    }

    /// All routes of one family, one a line, as `ip route` shows them.
    pub(super) fn show(&self, interfaces: &[InterfaceSpec], is_ipv6: bool) -> String {
        let mut text = String::new();
        let name = |interface: u16| interfaces.get(usize::from(interface)).map_or("?", |interface| &interface.name);
        // Shortest prefixes first: the default route is what people look for.
        for group in self.groups.iter().rev().filter(|group| group.is_ipv6 == is_ipv6) {
            for route in &self.routes[group.routes.clone()] {
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
                if route.metric > 0 {
                    let _ = write!(text, " metric {}", route.metric);
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
    fn resolve(&self, written: &RouteSpec) -> Option<Route> {
        let interface = match (written.interface, written.via) {
            (Some(interface), _) => u16::try_from(interface).ok()?,
            (None, Some(via)) => self.lookup(via)?.interface,
            (None, None) if written.kind != RouteKind::Unicast => 0,
            (None, None) => return None,
        };
        let RouteSpec { prefix, via, metric, kind, .. } = *written;
        Some(Route { prefix: prefix.trunc(), via, interface, metric, kind, connected: None })
    }

    fn sort(&mut self) {
        // Stable, so that among equals the order of writing decides; connected routes were there first.
        self.routes.sort_by_key(|route| {
            (
                route.prefix.addr().is_ipv6(),
                u8::MAX - route.prefix.prefix_len(),
                bits(route.prefix.addr()),
                route.metric,
            )
        });
        self.groups.clear();
        for (index, route) in self.routes.iter().enumerate() {
            let (is_ipv6, mask) = (route.prefix.addr().is_ipv6(), mask(route.prefix.prefix_len()));
            match self.groups.last_mut() {
                Some(group) if group.is_ipv6 == is_ipv6 && group.mask == mask => group.routes.end = index + 1,
                _ => self.groups.push(Group { is_ipv6, mask, routes: index..index + 1 }),
            }
        }
    }
}

/// An address as a number whose highest bit is the address's first.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(prefix_length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix_length)).unwrap_or(0)
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
    fn of_equal_prefixes_the_least_metric_wins_and_then_the_first() {
        let written = [
            via("10.9.0.0/16", "10.0.0.7", 20),
            via("10.9.0.0/16", "10.0.0.8", 10),
            via("10.9.0.0/16", "10.0.0.9", 10),
        ];
        let table = RouteTable::new(&interfaces(), &written);
        assert_eq!(next(&table, "10.9.3.3"), Some((0, Some("10.0.0.8".parse().unwrap()))));
    }

    #[test]
    fn a_route_whose_router_is_out_of_reach_is_not_taken() {
        let table = RouteTable::new(&interfaces(), &[via("0.0.0.0/0", "192.168.1.1", 0)]);
        assert_eq!(next(&table, "8.8.8.8"), None);
        assert!(table.show(&interfaces(), false).contains("unusable"));
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
