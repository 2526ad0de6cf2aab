//! Routes: those that are left out are found along the shortest paths.
//!
//! A machine that writes `gateway` or `routes` has exactly those. Of the others, a host with one way out gets a default
//! route, and a router, or a host with several ways out, gets one route to every subnet. Distance is the number of
//! routers on the way; of equally short ways, the one over the earlier link is taken, then the one over the earlier
//! router. Only routers forward, and a router of one IP version forwards only that.
//!
//! A router that translates addresses tells nobody outside of what is inside.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::layout::Layout;
use super::paths::{Member, Search, Subnet};
use super::realms::is_link_local;
use crate::node::Role;
use crate::node::machine::RouteSpec;
use crate::read::{Diagnostic, Located, Reader};

/// How many routes are shown one by one; with more, neighboring prefixes that go the same way become one.
const LISTED_MAX: usize = 64;

/// How many routes may be found for one scenario: some 100 bytes of memory each.
const ROUTES_MAX: usize = 8_000_000;

impl Layout {
    /// Checks written routes and finds the ones left out.
    pub(super) fn find_routes(&mut self, reader: &Reader) {
        self.check_gateways(reader);
        let subnets = self.subnets();
        let mut own: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (index, subnet) in subnets.iter().enumerate() {
            subnet.routers.iter().chain(&subnet.hosts).for_each(|member| own[member.node].push(index));
        }
        let mut found = self.default_routes(&subnets, &own);
        let total = self.search_all(&subnets, &own, &mut found);
        if total > ROUTES_MAX {
            reader.report(
                Diagnostic::new(0..0, format!("this network needs more than {ROUTES_MAX} routes"))
                    .label("write `gateway` or `routes` for some of the routers"),
            );
            return;
        }
        for (node, routes) in self.nodes.iter_mut().zip(found) {
            node.routes.extend(shortened(routes));
            if node.reach.len() > LISTED_MAX {
                node.reach = IpNet::aggregate(&node.reach);
            }
        }
    }

    fn check_gateways(&self, reader: &Reader) {
        for node in &self.nodes {
            for Located { value: via, span } in &node.gateways {
                let via = *via;
                let nets = || node.interfaces.iter().flat_map(|interface| &interface.addresses);
                if nets().any(|net| net.addr() == via) {
                    reader.report(
                        Diagnostic::new(span.clone(), format!("{via} is an address of `{}` itself", node.name))
                            .label("a gateway is another machine on the same link"),
                    );
                } else if !is_link_local(via) && !nets().any(|net| net.contains(&via)) {
                    let known: Vec<String> = nets().map(|net| net.trunc().to_string()).collect();
                    let label = match known.as_slice() {
                        [] => format!("`{}` has no address", node.name),
                        known => format!("`{}` is on {}", node.name, known.join(", ")),
                    };
                    reader.report(
                        Diagnostic::new(span.clone(), format!("the gateway {via} is not on a link of `{}`", node.name))
                            .label(label),
                    );
                }
            }
        }
    }

    /// All subnets, in the order of their wires.
    fn subnets(&self) -> Vec<Subnet> {
        let mut places: BTreeMap<(usize, IpNet), usize> = BTreeMap::new();
        let mut subnets: Vec<Subnet> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.role != Role::Bridge) {
            let outside = node.outside();
            for (port, interface) in node.interfaces.iter().enumerate() {
                for address in interface.addresses.iter().filter(|address| !is_link_local(address.addr())) {
                    let next = subnets.len();
                    let place = *places.entry((interface.wire, address.trunc())).or_insert(next);
                    if place == next {
                        subnets.push(Subnet { net: address.trunc(), routers: Vec::new(), hosts: Vec::new() });
                    }
                    let translates = outside == Some(port) && address.addr().is_ipv4();
                    let member = Member { node: index, address: address.addr(), translates };
                    let list = match node.role {
                        Role::Router => &mut subnets[place].routers,
                        _ => &mut subnets[place].hosts,
                    };
                    if list.last().is_none_or(|last| last.node != index) {
                        list.push(member);
                    }
                }
            }
        }
        // By wire, so that "the earlier link" means the earlier in the file.
        let mut order: Vec<(&(usize, IpNet), &usize)> = places.iter().collect();
        order.sort_by_key(|((wire, _), place)| (*wire, **place));
        let order: Vec<usize> = order.into_iter().map(|(_, place)| *place).collect();
        let mut slots: Vec<Option<Subnet>> = subnets.into_iter().map(Some).collect();
        order.into_iter().filter_map(|place| slots[place].take()).collect()
    }

    /// A default route for every host that has a router on a link of its own, one for each IP version.
    fn default_routes(&self, subnets: &[Subnet], own: &[Vec<usize>]) -> Vec<Vec<RouteSpec>> {
        let hosts = self.nodes.iter().zip(own).map(|(node, own)| {
            if !matches!(node.role, Role::Gateway | Role::Host) {
                return Vec::new();
            }
            let gateway = |is_v4: bool| {
                let near =
                    own.iter().map(|subnet| &subnets[*subnet]).filter(|subnet| subnet.net.addr().is_ipv4() == is_v4);
                let routers = near.flat_map(|subnet| &subnet.routers).filter(|router| !router.translates);
                // A router that leads nowhere else is only taken when there is no other.
                let leads_on = |router: &&Member| self.nodes[router.node].interfaces.len() > 1;
                routers.clone().find(leads_on).or_else(|| routers.clone().next()).map(|router| router.address)
            };
            let wanted = [true, false].into_iter().filter(|is_v4| node.wants_routes_for(!is_v4));
            wanted.filter_map(gateway).map(|via| RouteSpec::via(default_net(via), via)).collect()
        });
        hosts.collect()
    }

    /// Searches from every subnet and notes who goes where; returns how many routes that makes.
    fn search_all(&mut self, subnets: &[Subnet], own: &[Vec<usize>], found: &mut [Vec<RouteSpec>]) -> usize {
        let mut search = Search::new(subnets, own);
        let choosing = self.choosing_hosts(subnets, own);
        let gateways: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].role == Role::Gateway).collect();
        let mut total = 0;
        for (target, subnet) in subnets.iter().enumerate() {
            for (node, reached) in search.from(target) {
                if reached.distance > 0 && self.nodes[node].wants_routes_for(subnet.net.addr().is_ipv6()) {
                    found[node].push(RouteSpec::via(subnet.net, reached.via));
                    total += 1;
                }
            }
            let is_wanted = |host: &&usize| {
                !own[**host].contains(&target) && self.nodes[**host].wants_routes_for(subnet.net.addr().is_ipv6())
            };
            for host in choosing.iter().filter(is_wanted) {
                let near = own[*host].iter().filter(|near| subnets[**near].is_of_version(subnet.net));
                let routers = near.flat_map(|near| subnets[*near].routers.iter().map(move |router| (near, router)));
                let routers = routers.filter(|(_, router)| !router.translates);
                let reaching = routers.filter_map(|(near, router)| Some((search.reached(router.node)?, near, router)));
                if let Some((.., router)) = reaching.min_by_key(|(reached, near, _)| (reached.distance, **near)) {
                    found[*host].push(RouteSpec::via(subnet.net, router.address));
                    total += 1;
                }
            }
            for gateway in gateways.iter().copied() {
                let near = own[gateway].iter().flat_map(|near| &subnets[*near].routers);
                let mut ways =
                    near.filter(|router| !router.translates && router.address.is_ipv4() == is_ipv4(subnet.net));
                if own[gateway].contains(&target) || ways.any(|router| search.reached(router.node).is_some()) {
                    self.nodes[gateway].reach.push(subnet.net);
                }
            }
            if total > ROUTES_MAX {
                break;
            }
        }
        total
    }

    /// Hosts that have routers on several subnets of theirs: for them a default route is not enough.
    fn choosing_hosts(&self, subnets: &[Subnet], own: &[Vec<usize>]) -> Vec<usize> {
        let has_choice = |index: &usize| {
            let node = &self.nodes[*index];
            let near = own[*index].iter().map(|subnet| &subnets[*subnet]);
            let ways = |is_ipv6: bool| {
                let has_routers =
                    |subnet: &&Subnet| !subnet.routers.is_empty() && subnet.net.addr().is_ipv6() == is_ipv6;
                near.clone().filter(has_routers).count()
            };
            let has_ways = |is_ipv6| node.wants_routes_for(is_ipv6) && ways(is_ipv6) > 1;
            matches!(node.role, Role::Gateway | Role::Host) && (has_ways(false) || has_ways(true))
        };
        (0..self.nodes.len()).filter(has_choice).collect()
    }
}

/// Everything, in the IP version of `address`.
pub(super) fn default_net(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn is_ipv4(net: IpNet) -> bool {
    net.addr().is_ipv4()
}

/// The same routes in fewer words, once there are many: two halves of a prefix that go the same way become one.
///
/// Where packets go does not change, nor which destinations are unreachable.
fn shortened(mut routes: Vec<RouteSpec>) -> Vec<RouteSpec> {
    if routes.len() <= LISTED_MAX {
        return routes;
    }
    routes.sort_by_key(|route| route.prefix);
    let mut short: Vec<RouteSpec> = Vec::new();
    for route in routes {
        short.push(route);
        // In this order the halves of a prefix are neighbors, and what they become may be half of another.
        while let [.., low, high] = short.as_mut_slice()
            && let Some(both) = low.prefix.supernet()
            && low.via == high.via
            && low.prefix != high.prefix
            && high.prefix.supernet() == Some(both)
        {
            low.prefix = both;
            short.pop();
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::super::section::Plan;
    use super::super::testing::{plan, routes};
    use super::*;

    #[test]
    fn a_host_gets_a_default_route_and_a_router_one_to_every_other_subnet() {
        let plan = plan("[topology.c]\nkind = \"chain\"\nrouters = 2\n");
        assert_eq!(routes(&plan, "h1"), ["default via 10.0.0.1"]);
        assert_eq!(routes(&plan, "r1"), ["10.0.2.0/24 via 10.0.1.2"]);
        assert_eq!(routes(&plan, "h2"), ["default via 10.0.2.1"]);
    }

    #[test]
    fn of_two_equally_short_ways_the_one_over_the_earlier_link_is_taken() {
        let diamond = |first: &str, second: &str| {
            let links =
                format!("{first} = {{ ends = [\"a\", \"{first}\"] }}\n{second} = {{ ends = [\"a\", \"{second}\"] }}");
            let text = format!(
                "[nodes]\na.kind = \"router\"\nup.kind = \"router\"\ndown.kind = \"router\"\nb.kind = \"router\"\nh = {{}}\n\
                 [links]\n{links}\nub = {{ ends = [\"up\", \"b\"] }}\ndb = {{ ends = [\"down\", \"b\"] }}\n\
                 bh = {{ ends = [\"b\", \"h\"] }}\n"
            );
            // Subnets in the order of the links: 0 and 1 from a, 2 up-b, 3 down-b, 4 b-h.
            routes(&plan(&text), "a").into_iter().find(|route| route.starts_with("10.0.4.0/24"))
        };
        // The earlier of a's links is 10.0.0.0/24 in both cases; on it a is .1 and the other router .2.
        assert_eq!(diamond("up", "down").as_deref(), Some("10.0.4.0/24 via 10.0.0.2"));
        assert_eq!(diamond("down", "up").as_deref(), Some("10.0.4.0/24 via 10.0.0.2"));
    }

    #[test]
    fn a_machine_that_writes_routes_has_exactly_those() {
        let text = |more: &str| {
            format!(
                "[nodes]\nh = {{}}\nr1 = {{ kind = \"router\"{more} }}\nr2.kind = \"router\"\ng = {{}}\n[links]\n\
                 a = {{ ends = [\"h\", \"r1\"] }}\nb = {{ ends = [\"r1\", \"r2\"] }}\nc = {{ ends = [\"r2\", \"g\"] }}\n"
            )
        };
        assert_eq!(routes(&plan(&text("")), "r1"), ["10.0.2.0/24 via 10.0.1.2"]);
        assert_eq!(routes(&plan(&text(", routes = []")), "r1"), [""; 0]);
        assert_eq!(routes(&plan(&text(", gateway = \"10.0.1.2\"")), "r1"), ["default via 10.0.1.2"]);
    }

    #[test]
    fn a_host_with_two_ways_out_knows_which_leads_where() {
        let plan = plan(
            "[nodes]\nm = {}\nr1.kind = \"router\"\nr2.kind = \"router\"\na = {}\nb = {}\n[links]\n\
             l0 = { ends = [\"m\", \"r1\"] }\nl1 = { ends = [\"m\", \"r2\"] }\n\
             l2 = { ends = [\"r1\", \"a\"] }\nl3 = { ends = [\"r2\", \"b\"] }\n",
        );
        let expected = ["default via 10.0.0.1", "10.0.2.0/24 via 10.0.0.1", "10.0.3.0/24 via 10.0.1.1"];
        assert_eq!(routes(&plan, "m"), expected);
        assert_eq!(routes(&plan, "r1"), [""; 0], "a host does not forward, so r2's link is not to be reached");
    }

    /// Follows routes from a node to an address; the names of the nodes on the way, or `None` if there is no way.
    fn walk(plan: &Plan, from: usize, to: IpAddr) -> Option<usize> {
        let nodes = &plan.layout.nodes;
        let has = |node: usize, address: IpAddr| {
            nodes[node].interfaces.iter().flat_map(|one| &one.addresses).any(|net| net.addr() == address)
        };
        let is_near = |node: usize, address: IpAddr| {
            nodes[node].interfaces.iter().flat_map(|one| &one.addresses).any(|net| net.contains(&address))
        };
        let (mut here, mut hops) = (from, 0);
        while !has(here, to) {
            hops += 1;
            let next = if is_near(here, to) {
                to
            } else {
                let known = nodes[here].routes.iter().filter(|route| route.prefix.contains(&to));
                known.max_by_key(|route| route.prefix.prefix_len())?.via?
            };
            here = (0..nodes.len()).find(|node| has(*node, next))?;
            if hops > nodes.len() {
                return None;
            }
        }
        Some(hops)
    }

    #[test]
    fn in_a_grid_every_way_is_a_shortest_one_even_where_routes_were_shortened() {
        // 9 × 9 routers have 144 links between them, more than are listed one by one.
        let plan = plan("[topology.g]\nkind = \"grid\"\nrows = 9\ncolumns = 9\nhosts = \"none\"\n");
        let nodes = &plan.layout.nodes;
        assert!(nodes.iter().any(|node| node.routes.iter().any(|route| route.prefix.prefix_len() < 24)));
        for from in [0, 40, 80] {
            for (to, node) in nodes.iter().enumerate() {
                let (row, column) = (to / 9, to % 9);
                let distance = row.abs_diff(from / 9) + column.abs_diff(from % 9);
                let ways = node.interfaces.iter().map(|one| walk(&plan, from, one.addresses[0].addr()));
                let ways: Vec<usize> = ways.map(|way| way.expect("a grid is connected")).collect();
                // An address on the near side of the last router is reached in as many hops as there are links to it,
                // one on its far side over that link, which is no longer.
                assert_eq!(ways.iter().min(), Some(&distance), "from {from} to {to}");
                assert!(ways.iter().all(|way| *way <= distance + 1), "from {from} to {to}: {ways:?}");
            }
        }
    }

    #[test]
    fn shortened_routes_cover_the_same_addresses_the_same_way() {
        let routes: Vec<RouteSpec> = (0..200_u8)
            .map(|subnet| {
                let to = IpNet::new_assert(Ipv4Addr::new(10, 1, subnet, 0).into(), 24);
                RouteSpec::via(to, Ipv4Addr::new(10, 0, 0, subnet / 48).into())
            })
            .collect();
        let short = shortened(routes.clone());
        assert!(short.len() < 20, "{}", short.len());
        let way = |routes: &[RouteSpec], address: IpAddr| {
            let matching = routes.iter().filter(|route| route.prefix.contains(&address));
            matching.max_by_key(|route| route.prefix.prefix_len()).and_then(|route| route.via)
        };
        for third in 0..=255 {
            let address = IpAddr::from([10, 1, third, 7]);
            assert_eq!(way(&routes, address), way(&short, address), "{address}");
        }
    }
}
