//! Shortest paths: who reaches a subnet over which router.
//!
//! One breadth-first search for each subnet, over routers and the subnets that two or more of them share: a star of ten
//! thousand links costs no more than its ten thousand one-router subnets.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// A node on a subnet, and its address there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) node: usize,
    pub(super) address: IpAddr,
    /// It hides what is behind it from this subnet.
    pub(super) translates: bool,
}

/// Those who can talk without a router.
#[derive(Debug)]
pub(super) struct Subnet {
    pub(super) net: IpNet,
    /// In the order of the file.
    pub(super) routers: Vec<Member>,
    pub(super) hosts: Vec<Member>,
}

impl Subnet {
    /// Whether it speaks the IP version of `net`.
    pub(super) fn is_of_version(&self, net: IpNet) -> bool {
        self.net.addr().is_ipv4() == net.addr().is_ipv4()
    }
}

/// How a router reaches the target of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    /// Which target: what was found for another one counts for nothing.
    target: usize,
    /// How many routers lie between.
    pub(super) distance: u32,
    /// The subnet over which the next router is reached; meaningless at distance 0.
    over: usize,
    /// That router's address.
    pub(super) via: IpAddr,
}

/// Searches, one after the other, with the room that they need.
#[derive(Debug)]
pub(super) struct Search<'l> {
    subnets: &'l [Subnet],
    /// The subnets of each node that lead on, because several routers share them.
    ways: Vec<Vec<usize>>,
    reached: Vec<Reached>,
    /// For which target each subnet was last crossed.
    crossed: Vec<usize>,
    target: usize,
}

impl<'l> Search<'l> {
    /// `own` are the subnets of each node.
    pub(super) fn new(subnets: &'l [Subnet], own: &[Vec<usize>]) -> Self {
        let leads_on = |subnet: &usize| subnets[*subnet].routers.len() > 1;
        let nowhere = Reached { target: usize::MAX, distance: 0, over: 0, via: Ipv4Addr::UNSPECIFIED.into() };
        Self {
            subnets,
            ways: own.iter().map(|own| own.iter().copied().filter(leads_on).collect()).collect(),
            reached: vec![nowhere; own.len()],
            crossed: vec![usize::MAX; subnets.len()],
            target: usize::MAX,
        }
    }

    /// Every router that reaches the subnet `target`, nearest first, and how.
    pub(super) fn from(&mut self, target: usize) -> Vec<(usize, Reached)> {
        self.target = target;
        self.crossed[target] = target;
        let routers = &self.subnets[target].routers;
        let mut order: Vec<usize> = routers.iter().map(|router| router.node).collect();
        for router in routers {
            self.reached[router.node] = Reached { target, distance: 0, over: target, via: router.address };
        }
        let (mut level_at, mut distance) = (0, 0);
        while level_at < order.len() {
            let level_end = order.len();
            distance += 1;
            for at in level_at..level_end {
                self.cross_from(order[at], distance, &mut order);
            }
            // Of two routers at one distance, the earlier in the file crosses a shared subnet first.
            order[level_end..].sort_unstable();
            level_at = level_end;
        }
        order.into_iter().map(|node| (node, self.reached[node])).collect()
    }

    /// How a router reaches the target of the last search.
    pub(super) fn reached(&self, node: usize) -> Option<Reached> {
        Some(self.reached[node]).filter(|reached| reached.target == self.target)
    }

    /// Reaches the neighbors of a router that itself has been reached.
    fn cross_from(&mut self, near: usize, distance: u32, order: &mut Vec<usize>) {
        let target = self.target;
        for over in self.ways[near].iter().copied() {
            let between = &self.subnets[over];
            if self.crossed[over] == target || !between.is_of_version(self.subnets[target].net) {
                continue;
            }
            let via = between.routers.iter().find(|router| router.node == near);
            let via = via.expect("a router is a member of its own subnets");
            // Outside a translator, nobody has a way to what is inside.
            if via.translates {
                continue;
            }
            self.crossed[over] = target;
            let next = Reached { target, distance, over, via: via.address };
            for far in between.routers.iter().map(|router| router.node) {
                let known = &mut self.reached[far];
                if known.target != target {
                    order.push(far);
                    *known = next;
                } else if known.distance == distance && over < known.over {
                    *known = next;
                }
            }
        }
    }
}
