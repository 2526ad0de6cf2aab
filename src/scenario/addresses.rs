//! Addresses: those that are written, checked, and those that are left out, found.
//!
//! Every wire is a subnet. If some address on it is written, the others get the next free ones of that prefix; if none
//! is, the wire gets the next free `10.0.N.0/24`, or a wider one if it has more than 253 stations. Routers come before
//! hosts, then the order of the file holds. What is written is never moved. Whoever asks for IPv6 gets an address of the
//! wire's IPv6 prefix too, written or the next free `2001:db8:N::/64` (RFC 3849).
//!
//! An interface with `"dhcp"` gets none here: a DHCP server gives it one while the run goes on. It has no part in finding
//! routes either; its subnet is known by whoever has a written or found address on the wire, a server or a relay at least.
//!
//! A hardware address is made from the first address of its interface, so that both can be recognised in a trace:
//! 10.0.1.10 goes with 02:00:0a:00:01:0a, and 2001:db8:1::10 alone with 02:06:00:01:00:10. An interface without an
//! address has one made from its name. The VLANs of an interface share its hardware address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use smoltcp::wire::EthernetAddress;

use super::layout::{Layout, NodePlan, is_machine};
use super::realms::Realms;
use crate::node::machine::{autoconfigured_address, stable_address};
use crate::node::{Ipv6Wish, Role};
use crate::read::{Diagnostic, Reader};
use crate::rng::fnv1a;

/// Where fresh subnets come from.
const POOL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8);

/// The prefix length of a fresh subnet, unless more stations need a shorter one.
const PREFIX: u8 = 24;

/// How many addresses outside their link's subnet are told of on one wire.
const LONELY_TOLD_MAX: usize = 8;

/// One interface of a layout: node, port.
type Place = (usize, usize);

impl Layout {
    /// Checks what is written and finds what is not.
    pub(super) fn find_addresses(&mut self, reader: &Reader) {
        self.check_usable(reader);
        let stations = self.stations();
        let mut fresh = Fresh::new(self);
        for wire in &stations {
            self.fill_wire(wire, &mut fresh, reader);
        }
        let mut fresh = FreshIpv6::new(self);
        for wire in &stations {
            self.fill_wire_with_ipv6(wire, &mut fresh, reader);
        }
        let before = reader.problem_count();
        let realms = Realms::of(self);
        self.check_subnets(&stations, &realms, reader);
        // One subnet in two places has all its addresses twice: that is told already.
        if reader.problem_count() == before {
            self.check_unique(&realms, reader);
        }
        self.find_macs();
        self.foresee(&stations);
    }

    /// Finds out which addresses hosts will make themselves, so that they have names.
    fn foresee(&mut self, stations: &[Vec<Place>]) {
        for wire in stations {
            let advertised = wire.iter().filter(|(node, port)| self.nodes[*node].advertises_on(*port));
            let nets = advertised.flat_map(|(node, port)| &self.nodes[*node].interfaces[*port].addresses);
            let prefixes: BTreeSet<Ipv6Net> = nets
                .filter_map(|net| match net {
                    IpNet::V6(net) if net.prefix_len() == 64 && !net.addr().is_unicast_link_local() => {
                        Some(net.trunc())
                    }
                    _ => None,
                })
                .collect();
            for (node, port) in wire.iter().copied() {
                if self.nodes[node].ipv6 == Ipv6Wish::Autoconfigured {
                    let NodePlan { name, has_stable_identifiers, interfaces, .. } = &mut self.nodes[node];
                    let interface = &mut interfaces[port];
                    let own = prefixes.iter().map(|net| match has_stable_identifiers {
                        true => stable_address(self.seed, name, &interface.name, net.addr()),
                        false => autoconfigured_address(net.addr(), EthernetAddress(interface.mac)),
                    });
                    interface.foreseen = own.collect();
                }
            }
        }
    }

    /// Those who have or want an address, by wire: routers first.
    fn stations(&self) -> Vec<Vec<Place>> {
        let mut stations = vec![Vec::new(); self.wires];
        // A host that becomes a gateway keeps its place.
        for roles in [[Role::Router; 2], [Role::Gateway, Role::Host], [Role::Outside; 2]] {
            for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| roles.contains(&node.role)) {
                for (port, interface) in node.interfaces.iter().enumerate() {
                    stations[interface.wire].push((index, port));
                }
            }
        }
        stations
    }

    fn fill_wire(&mut self, stations: &[Place], fresh: &mut Fresh, reader: &Reader) {
        let is_wanting = |layout: &Self, (node, port): Place| {
            let interface = &layout.nodes[node].interfaces[port];
            let has_own_link = interface.link.is_some() && !interface.has_vlans;
            is_machine(layout.nodes[node].role) && !interface.is_written && has_own_link
        };
        let mut wanting: Vec<Place> = stations.iter().copied().filter(|place| is_wanting(self, *place)).collect();
        let written: Vec<IpNet> = stations
            .iter()
            .flat_map(|(node, port)| &self.nodes[*node].interfaces[*port].addresses)
            .copied()
            .filter(|address| address.prefix_len() < address.max_prefix_len() - 1)
            .collect();
        let prefix = written.iter().find(|net| net.addr().is_ipv4()).or_else(|| written.first());
        if prefix.is_some_and(|prefix| prefix.addr().is_ipv6()) {
            // Those make their addresses themselves.
            wanting.retain(|(node, _)| self.nodes[*node].ipv6 != Ipv6Wish::Autoconfigured);
        }
        if wanting.is_empty() {
            return;
        }
        let prefix = match prefix {
            Some(prefix) => prefix.trunc(),
            None => match fresh.take(stations.len()) {
                Some(prefix) => prefix.into(),
                None => {
                    let node = &self.nodes[wanting[0].0];
                    reader.report(
                        Diagnostic::new(node.span.clone(), format!("no subnet of {POOL} is left for `{}`", node.name))
                            .label("write addresses for some of the links"),
                    );
                    return;
                }
            },
        };
        let used: BTreeSet<IpAddr> = written.iter().map(IpNet::addr).collect();
        let mut free = hosts_of(prefix).filter(|address| !used.contains(address));
        for (node, port) in wanting {
            let Some(address) = free.next() else {
                let node = &self.nodes[node];
                reader.report(
                    Diagnostic::new(node.span.clone(), format!("no address of {prefix} is left for `{}`", node.name))
                        .label(format!("{} stations share that subnet", stations.len())),
                );
                return;
            };
            let address = IpNet::new(address, prefix.prefix_len()).expect("the length was that of a prefix");
            self.nodes[node].interfaces[port].addresses.push(address);
        }
    }

    /// Gives an IPv6 address to those of a wire who ask for IPv6 and have none there.
    fn fill_wire_with_ipv6(&mut self, stations: &[Place], fresh: &mut FreshIpv6, reader: &Reader) {
        let is_wanting = |layout: &Self, (node, port): Place| {
            let interface = &layout.nodes[node].interfaces[port];
            let has_none_on_purpose = interface.is_written && interface.addresses.is_empty() && !interface.is_dynamic;
            let has_one = interface.addresses.iter().any(|address| address.addr().is_ipv6());
            let is_on_a_link = interface.vlan.is_some() || (interface.link.is_some() && !interface.has_vlans);
            layout.nodes[node].ipv6 == Ipv6Wish::Found && is_on_a_link && !has_none_on_purpose && !has_one
        };
        let wanting: Vec<Place> = stations.iter().copied().filter(|place| is_wanting(self, *place)).collect();
        if wanting.is_empty() {
            return;
        }
        let addresses = stations.iter().flat_map(|(node, port)| &self.nodes[*node].interfaces[*port].addresses);
        let is_shared = |net: &&IpNet| net.addr().is_ipv6() && net.prefix_len() < 127;
        let written: Vec<IpNet> = addresses.filter(is_shared).copied().collect();
        let global = written.iter().find(|net| !matches!(net.addr(), IpAddr::V6(v6) if v6.is_unicast_link_local()));
        let prefix = global.map_or_else(|| fresh.take().into(), IpNet::trunc);
        let used: BTreeSet<IpAddr> = written.iter().map(IpNet::addr).collect();
        let mut free = hosts_of(prefix).filter(|address| !used.contains(address));
        for (node, port) in wanting {
            let Some(address) = free.next() else {
                let node = &self.nodes[node];
                reader.report(
                    Diagnostic::new(node.span.clone(), format!("no address of {prefix} is left for `{}`", node.name))
                        .label(format!("{} stations share that subnet", stations.len())),
                );
                return;
            };
            let address = IpNet::new(address, prefix.prefix_len()).expect("the length was that of a prefix");
            self.nodes[node].interfaces[port].addresses.push(address);
        }
    }

    /// Refuses what cannot be anybody's address.
    fn check_usable(&self, reader: &Reader) {
        for written in self.nodes.iter().flat_map(|node| &node.written) {
            let (net, address) = (written.address, written.address.addr());
            let what = match address {
                _ if address.is_loopback() => "a loopback address",
                _ if address.is_multicast() => "a multicast address",
                _ if address.is_unspecified() => "no address at all",
                IpAddr::V4(v4) if net.prefix_len() < 31 && v4.is_broadcast() => "a broadcast address",
                IpAddr::V4(_) if net.prefix_len() < 31 && address == net.network() => "the subnet's own address",
                IpAddr::V4(_) if net.prefix_len() < 31 && address == net.broadcast() => {
                    "the subnet's broadcast address"
                }
                _ => continue,
            };
            let first = hosts_of(net.trunc()).next();
            let label = first.filter(|_| !address.is_loopback() && !address.is_multicast());
            let label = label.map_or_else(String::new, |first| format!("such as \"{first}/{}\"", net.prefix_len()));
            reader.report(
                Diagnostic::new(written.span.clone(), format!("{address} is {what}, not a machine's")).label(label),
            );
        }
    }

    /// Refuses an address that nobody on its wire could talk to, and one subnet on two wires.
    fn check_subnets(&self, stations: &[Vec<Place>], realms: &Realms, reader: &Reader) {
        let mut wires_of: BTreeMap<IpNet, Vec<usize>> = BTreeMap::new();
        for (wire, places) in stations.iter().enumerate() {
            let subnets = self.subnets_of(places);
            self.check_lonely(places, &subnets, reader);
            for (subnet, (node, address)) in subnets {
                let wires = wires_of.entry(subnet).or_default();
                let is_twice = wires.iter().any(|other| !realms.are_apart(*other, wire, subnet.addr()));
                wires.push(wire);
                if is_twice {
                    let span = self.nodes[node].span_of(address);
                    reader.report(
                        Diagnostic::new(span, format!("{subnet} is on two links that nothing joins"))
                            .label("each link is a subnet of its own; a switch joins links into one"),
                    );
                }
            }
        }
    }

    /// The subnets of a wire, each with the first node that has an address in it, and that address.
    fn subnets_of(&self, places: &[Place]) -> BTreeMap<IpNet, (usize, IpNet)> {
        let mut subnets = BTreeMap::new();
        for (node, port) in places {
            for address in &self.nodes[*node].interfaces[*port].addresses {
                subnets.entry(address.trunc()).or_insert((*node, *address));
            }
        }
        subnets
    }

    fn check_lonely(&self, places: &[Place], subnets: &BTreeMap<IpNet, (usize, IpNet)>, reader: &Reader) {
        if subnets.len() < 2 {
            return;
        }
        let addresses_of = |(node, port): Place| &self.nodes[node].interfaces[port].addresses;
        let mut members: BTreeMap<IpNet, usize> = BTreeMap::new();
        for place in places {
            let own: BTreeSet<IpNet> = addresses_of(*place).iter().map(IpNet::trunc).collect();
            own.into_iter().for_each(|subnet| *members.entry(subnet).or_default() += 1);
        }
        // Another prefix length may be meant: who lies in somebody else's subnet, or has somebody in its own, is heard.
        let is_heard = |address: &IpNet| {
            members[&address.trunc()] > 1
                || subnets.keys().any(|other| {
                    *other != address.trunc() && (other.contains(&address.addr()) || address.contains(&other.addr()))
                })
        };
        let is_lonely = |place: &Place| !addresses_of(*place).is_empty() && !addresses_of(*place).iter().any(is_heard);
        let lonely: Vec<Place> = places.iter().copied().filter(is_lonely).collect();
        let addressed = places.iter().filter(|place| !addresses_of(**place).is_empty()).count();
        // Where nobody is heard, the first is as right as the others: it is left alone.
        let blamed = if lonely.len() == addressed { lonely.get(1..).unwrap_or(&[]) } else { &lonely };
        for (node, port) in blamed.iter().take(LONELY_TOLD_MAX) {
            let (address, interface) = (addresses_of((*node, *port))[0], &self.nodes[*node].interfaces[*port]);
            let others = subnets.keys().filter(|subnet| **subnet != address.trunc());
            let others: Vec<String> = others.take(3).map(ToString::to_string).collect();
            let link = interface.link.map_or("its link", |link| self.links[link].name.as_str());
            reader.report(
                Diagnostic::new(
                    self.nodes[*node].span_of(address),
                    format!("{address} is outside the subnet of `{link}`"),
                )
                .label(format!("there it is {}", others.join(", "))),
            );
        }
    }

    fn check_unique(&self, realms: &Realms, reader: &Reader) {
        let mut owners: BTreeMap<IpAddr, Vec<(&NodePlan, usize)>> = BTreeMap::new();
        for node in &self.nodes {
            let interfaces = node.interfaces.iter();
            for (wire, address) in interfaces.flat_map(|one| one.addresses.iter().map(|address| (one.wire, address))) {
                let known = owners.entry(address.addr()).or_default();
                let owner =
                    known.iter().rev().find(|(_, other)| !realms.are_apart(*other, wire, address.addr())).copied();
                known.push((node, wire));
                let may_be_twice = |owner: &NodePlan| owner.detects_conflicts || node.detects_conflicts;
                if let Some((owner, _)) = owner.filter(|(owner, _)| owner.name == node.name || !may_be_twice(owner)) {
                    // Two of one node: the second one written is the mistake.
                    let last = node.written.iter().rev().find(|written| written.address.addr() == address.addr());
                    let span = last.map_or_else(|| node.span.clone(), |written| written.span.clone());
                    reader.report(
                        Diagnostic::new(span, format!("{} is taken", address.addr()))
                            .label(format!("it is an address of `{}`", owner.name)),
                    );
                }
            }
        }
    }

    /// Gives every interface a hardware address of its own.
    fn find_macs(&mut self) {
        let written = self.nodes.iter().flat_map(|node| &node.interfaces).map(|interface| interface.mac);
        let mut taken: BTreeSet<[u8; 6]> = written.filter(|mac| *mac != [0; 6]).collect();
        for node in &mut self.nodes {
            let of_vlans = node.vlan_addresses();
            for (port, interface) in node.interfaces.iter_mut().enumerate() {
                if interface.mac != [0; 6] || interface.vlan.is_some() {
                    continue;
                }
                let addresses = || interface.addresses.iter().chain(of_vlans.get(&port).into_iter().flatten());
                let ipv4 = addresses().find_map(|address| match address.addr() {
                    IpAddr::V4(v4) => Some((0, v4.octets())),
                    IpAddr::V6(_) => None,
                });
                let ipv6 = addresses().find_map(|address| match address.addr() {
                    IpAddr::V6(v6) if !v6.is_unicast_link_local() => Some((6, recognisable(v6))),
                    _ => None,
                });
                // 02: locally administered (IEEE 802). The third byte up is the address, or a hash under 02:01.
                let (kind, bytes) = ipv4.or(ipv6).unwrap_or_else(|| {
                    (1, (fnv1a(format!("{}:{}", node.name, interface.name).bytes()) as u32).to_be_bytes())
                });
                let mut suffix = u32::from_be_bytes(bytes);
                let mac = loop {
                    let [a, b, c, d] = suffix.to_be_bytes();
                    let mac = [2, kind, a, b, c, d];
                    if taken.insert(mac) {
                        break mac;
                    }
                    suffix = suffix.wrapping_add(1);
                };
                interface.mac = mac;
            }
            node.share_macs();
        }
    }
}

/// The parts of an IPv6 address that people tell machines apart by: the subnet of 2001:db8:N::H, and the host.
fn recognisable(address: Ipv6Addr) -> [u8; 4] {
    let [_, _, subnet, .., host] = address.segments();
    let ([a, b], [c, d]) = (subnet.to_be_bytes(), host.to_be_bytes());
    [a, b, c, d]
}

/// Every address that a machine of a subnet may have, in order.
fn hosts_of(subnet: IpNet) -> Box<dyn Iterator<Item = IpAddr>> {
    match subnet {
        IpNet::V4(net) => Box::new(net.hosts().map(IpAddr::from)),
        // The lowest one means "any router" (RFC 4291 §2.6.1).
        IpNet::V6(net) => Box::new(
            (u128::from(net.network()) + 1..=u128::from(net.broadcast())).map(|bits| Ipv6Addr::from(bits).into()),
        ),
    }
}

/// Subnets that nothing written touches.
struct Fresh {
    /// The written ranges, merged and in order.
    written: Vec<(u32, u32)>,
    /// The first address that has not been given away.
    next: u64,
}

impl Fresh {
    fn new(layout: &Layout) -> Self {
        let addresses =
            layout.nodes.iter().flat_map(|node| &node.interfaces).flat_map(|interface| &interface.addresses);
        let routes = layout.nodes.iter().flat_map(|node| &node.destinations);
        // A written route to everything does not take everything.
        let nets = addresses.chain(routes.filter(|to| to.prefix_len() > POOL.prefix_len()));
        let mut ranges: Vec<(u32, u32)> = nets
            .filter_map(|net| match net {
                IpNet::V4(net) => Some((u32::from(net.network()), u32::from(net.broadcast()))),
                IpNet::V6(_) => None,
            })
            .collect();
        ranges.sort_unstable();
        let mut written: Vec<(u32, u32)> = Vec::new();
        for (start, end) in ranges {
            match written.last_mut() {
                Some((_, last)) if start <= *last => *last = end.max(*last),
                _ => written.push((start, end)),
            }
        }
        Self { written, next: u64::from(u32::from(POOL.network())) }
    }

    /// A subnet with room for so many stations.
    fn take(&mut self, stations: usize) -> Option<Ipv4Net> {
        // Two addresses of a subnet are nobody's: its own and its broadcast address.
        let wanted = u32::try_from(stations + 2).ok()?.next_power_of_two().trailing_zeros();
        let prefix = PREFIX.min(u8::try_from(32 - wanted).ok()?);
        let size = 1_u64 << (32 - prefix);
        let last_of_pool = u64::from(u32::from(POOL.broadcast()));
        let mut start = self.next.next_multiple_of(size);
        loop {
            let end = start + size - 1;
            if end > last_of_pool {
                return None;
            }
            let after = self.written.partition_point(|(_, last)| u64::from(*last) < start);
            match self.written.get(after).filter(|(first, _)| u64::from(*first) <= end) {
                Some((_, last)) => start = (u64::from(*last) + 1).next_multiple_of(size),
                None => {
                    self.next = end + 1;
                    return Ipv4Net::new(Ipv4Addr::from(u32::try_from(start).ok()?), prefix).ok();
                }
            }
        }
    }
}

/// IPv6 subnets that nothing written touches.
struct FreshIpv6 {
    written: Vec<Ipv6Net>,
    next: u32,
}

impl FreshIpv6 {
    fn new(layout: &Layout) -> Self {
        let addresses =
            layout.nodes.iter().flat_map(|node| &node.interfaces).flat_map(|interface| &interface.addresses);
        let routes = layout.nodes.iter().flat_map(|node| &node.destinations);
        // As for IPv4, a written route to everything does not take everything.
        let nets = addresses.chain(routes.filter(|to| to.prefix_len() > 32));
        let written = nets.filter_map(|net| match net {
            IpNet::V6(net) => Some(*net),
            IpNet::V4(_) => None,
        });
        Self { written: written.collect(), next: 0 }
    }

    /// The next `2001:db8:N::/64`; after 65,536 of them, `2001:db8:N:1::/64`.
    fn take(&mut self) -> Ipv6Net {
        loop {
            let (low, high) = (self.next as u16, (self.next >> 16) as u16);
            self.next += 1;
            let subnet = Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, low, high, 0, 0, 0, 0), 64);
            if !self.written.iter().any(|net| net.contains(&subnet) || subnet.contains(net)) {
                return subnet;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{addresses, mistakes, plan, routes};

    #[test]
    fn a_link_without_addresses_is_the_next_free_subnet_and_routers_come_first() {
        let plan = plan(
            "[nodes]\nclient = {}\nr1 = { kind = \"router\" }\nserver = {}\n[links]\n\
             a = { ends = [\"client\", \"r1\"] }\nb = { ends = [\"r1\", \"server\"] }\n",
        );
        let expected =
            ["client:eth0 10.0.0.2/24", "r1:eth0 10.0.0.1/24", "r1:eth1 10.0.1.1/24", "server:eth0 10.0.1.2/24"];
        assert_eq!(addresses(&plan), expected);
    }

    #[test]
    fn what_is_written_stays_and_the_others_fill_the_gaps_of_its_prefix() {
        let plan = plan(
            "[nodes]\na = { addr = \"192.168.7.2/29\" }\nb = {}\nc = {}\nsw = { kind = \"switch\" }\n[links]\n\
             a = { ends = [\"a\", \"sw\"] }\nb = { ends = [\"b\", \"sw\"] }\nc = { ends = [\"c\", \"sw\"] }\n",
        );
        assert_eq!(addresses(&plan), ["a:eth0 192.168.7.2/29", "b:eth0 192.168.7.1/29", "c:eth0 192.168.7.3/29"]);
    }

    #[test]
    fn a_fresh_subnet_touches_nothing_that_is_written() {
        // 10.0.0.0/23 is written elsewhere, and 10.0.2.0/24 is a destination of a written route.
        let plan = plan(
            "[nodes]\na = { addr = \"10.0.1.9/23\" }\n\
             b = { kind = \"router\", addr = { eth0 = \"10.0.1.10/23\" }, routes = [{ to = \"10.0.2.0/24\", kind = \"blackhole\" }] }\n\
             c = {}\n[links]\nx = { ends = [\"a\", \"b:eth0\"] }\ny = { ends = [\"b\", \"c\"] }\n",
        );
        assert_eq!(addresses(&plan)[2..], ["b:eth1 10.0.3.1/24", "c:eth0 10.0.3.2/24"]);
    }

    #[test]
    fn a_wire_of_253_stations_fits_a_24_and_one_of_254_too_but_not_one_of_255() {
        // 256 addresses less the subnet's own and the broadcast address.
        let star = |hosts: usize| {
            let plan = plan(&format!("[topology.s]\nkind = \"star\"\nhosts = {hosts}\n"));
            addresses(&plan).first().expect("there are hosts").rsplit('/').next().map(str::to_owned)
        };
        assert_eq!(star(253).as_deref(), Some("24"));
        assert_eq!(star(254).as_deref(), Some("24"));
        assert_eq!(star(255).as_deref(), Some("23"));
    }

    #[test]
    fn an_empty_list_means_no_address() {
        let plan = plan("[nodes]\na = { addr = [] }\nb = {}\n[links]\nx = { ends = [\"a\", \"b\"] }\n");
        assert_eq!(addresses(&plan), ["b:eth0 10.0.0.1/24"]);
    }

    #[test]
    fn a_hardware_address_shows_the_first_address_and_a_written_one_stays() {
        let plan = plan(
            "[nodes]\na = { addr = \"10.0.1.10/24\" }\nb = { mac = \"02:00:00:00:00:0b\" }\nc = { addr = [] }\n\
             [links]\nx = { ends = [\"a\", \"b\"] }\ny = { ends = [\"b\", \"c\"] }\n"
                .replace("mac = \"02:00:00:00:00:0b\"", "mac = { eth0 = \"02:00:00:00:00:0b\" }")
                .as_str(),
        );
        let mac = |node: usize, port: usize| plan.layout.nodes[node].interfaces[port].mac;
        assert_eq!(mac(0, 0), [2, 0, 10, 0, 1, 10]);
        assert_eq!(mac(1, 0), [2, 0, 0, 0, 0, 11]);
        assert_eq!(mac(2, 0)[..2], [2, 1], "made from the name");
    }

    #[test]
    fn who_asks_for_ipv6_gets_a_subnet_for_each_wire_beside_ipv4() {
        let text = |more: &str| {
            format!(
                "ipv6 = true\n[nodes]\nclient = {{ {more} }}\nr1 = {{ kind = \"router\" }}\nserver = {{}}\n[links]\n\
                 a = {{ ends = [\"client\", \"r1\"] }}\nb = {{ ends = [\"r1\", \"server\"] }}\n"
            )
        };
        let client = |more: &str| {
            addresses(&plan(&text(more))).into_iter().filter(|one| one.starts_with("client")).collect::<Vec<_>>()
        };
        let expected = [
            "client:eth0 10.0.0.2/24",
            "client:eth0 2001:db8::2/64",
            "r1:eth0 10.0.0.1/24",
            "r1:eth0 2001:db8::1/64",
            "r1:eth1 10.0.1.1/24",
            "r1:eth1 2001:db8:1::1/64",
            "server:eth0 10.0.1.2/24",
            "server:eth0 2001:db8:1::2/64",
        ];
        assert_eq!(addresses(&plan(&text(""))), expected);
        assert_eq!(routes(&plan(&text("")), "client"), ["default via 10.0.0.1", "default via 2001:db8::1"]);
        // Not who says no, nor who writes an IPv6 address, nor who writes that there is none.
        assert_eq!(client("ipv6 = false"), ["client:eth0 10.0.0.2/24"]);
        assert_eq!(client("addr = \"2001:db8::77/64\"")[..], ["client:eth0 2001:db8::77/64"]);
        assert_eq!(client("addr = \"10.0.0.9/24\"")[..], ["client:eth0 10.0.0.9/24", "client:eth0 2001:db8::2/64"]);
        assert_eq!(client("addr = []"), [""; 0]);
        // A gateway of one family does not keep the other from being found.
        let routes = routes(&plan(&text("gateway = \"10.0.0.1\"")), "client");
        assert_eq!(routes, ["default via 10.0.0.1", "default via 2001:db8::1"]);
    }

    #[test]
    fn a_fresh_ipv6_subnet_touches_nothing_that_is_written() {
        let plan = plan(
            "ipv6 = true\n[nodes]\na = { addr = \"2001:db8::9/64\" }\nb = { kind = \"router\" }\nc = {}\n[links]\n\
             x = { ends = [\"a\", \"b\"] }\ny = { ends = [\"b\", \"c\"] }\n",
        );
        assert!(addresses(&plan).contains(&"b:eth0 2001:db8::1/64".to_owned()));
        assert!(addresses(&plan).contains(&"c:eth0 2001:db8:1::2/64".to_owned()));
    }

    #[test]
    fn an_address_that_a_host_will_make_itself_is_foreseen() {
        let text = |advertise: &str| {
            format!(
                "[nodes]\nh = {{ ipv6 = \"slaac\" }}\n\
                 r = {{ kind = \"router\", addr = \"2001:db8:7::1/64\", {advertise} }}\n[links]\nx = {{ ends = [\"h\", \"r\"] }}\n"
            )
        };
        let foreseen = |advertise: &str| {
            let plan = plan(&text(advertise));
            assert!(plan.layout.nodes[0].interfaces[0].addresses.is_empty());
            assert!(plan.layout.nodes[0].routes.is_empty());
            plan.layout.nodes[0].interfaces[0].foreseen.len()
        };
        assert_eq!(foreseen("advertise = true"), 1);
        assert_eq!(foreseen("advertise = { interval = \"9s\" }"), 1);
        assert_eq!(foreseen("advertise = false"), 0);
    }

    #[test]
    fn no_two_interfaces_share_a_hardware_address() {
        let plan = plan(
            "[nodes]\na = { addr = \"10.0.1.10/24\" }\nb = { addr = \"10.0.1.11/24\", mac = \"02:00:0a:00:01:0a\" }\n\
             [links]\nx = { ends = [\"a\", \"b\"] }\n",
        );
        assert_ne!(plan.layout.nodes[0].interfaces[0].mac, plan.layout.nodes[1].interfaces[0].mac);
    }

    #[test]
    fn a_full_prefix_is_told_at_the_node_that_finds_no_room() {
        let text = "[nodes]\na = { addr = \"10.9.0.1/30\" }\nb = {}\nc = {}\nsw = { kind = \"switch\" }\n[links]\n\
             a = { ends = [\"a\", \"sw\"] }\nb = { ends = [\"b\", \"sw\"] }\nc = { ends = [\"c\", \"sw\"] }\n";
        assert_eq!(mistakes(text), ["c: no address of 10.9.0.0/30 is left for `c`"]);
    }

    #[test]
    fn addresses_of_two_lengths_that_hear_each_other_may_share_a_wire() {
        let wire = |a: &str, b: &str| {
            mistakes(&format!(
                "[nodes]\na = {{ addr = \"{a}\" }}\nb = {{ addr = \"{b}\" }}\n[links]\nx = {{ ends = [\"a\", \"b\"] }}\n"
            ))
        };
        assert_eq!(wire("10.0.1.10/24", "10.0.1.80/16"), [""; 0]);
        assert_eq!(wire("10.0.1.10/24", "10.0.2.80/24").len(), 1);
    }
}
