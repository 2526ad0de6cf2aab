//! Shortest paths over the database, and the routes that follow (RFC 2328 §16.1).
//!
//! Dijkstra's algorithm over routers and networks, from this router. A link counts only if both of its ends say that it
//! is there. Of equally short paths all are kept, as far as they begin differently.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::database::Database;
use crate::net::{NEXT_HOPS_MAX, NextHop};
use crate::time::Time;
use crate::wire::ospf::lsa::{Content, Link, LinkKind, LsaKey, MAX_AGE, NETWORK, ROUTER};

/// §16.1: of equally near candidates networks come before routers, so that all equally short paths are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Vertex {
    /// By the address of its designated router.
    Network(Ipv4Addr),
    /// By its router ID.
    Router(Ipv4Addr),
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) cost: u32,
    pub(super) next_hops: BTreeSet<NextHop>,
}

/// Everything that can be reached, by prefix. What needs no router is there too, its next hops without a router.
pub(super) type Paths = BTreeMap<Ipv4Net, Path>;

/// What a search needs to know of the router itself.
pub(super) struct Root<'r> {
    pub(super) id: Ipv4Addr,
    /// Its links as they are, whatever the database says of them.
    pub(super) links: &'r [Link],
    /// Its interfaces, by their own addresses.
    pub(super) ways: &'r BTreeMap<Ipv4Addr, u16>,
    /// The address of a neighbor on an interface, by its router ID.
    pub(super) neighbor: &'r dyn Fn(u16, Ipv4Addr) -> Option<Ipv4Addr>,
}

struct Search<'d> {
    /// Routers by ID, networks by their designated router's address: what they say now.
    routers: BTreeMap<Ipv4Addr, &'d [Link]>,
    networks: BTreeMap<Ipv4Addr, (Ipv4Addr, &'d [Ipv4Addr])>,
    reached: BTreeMap<Vertex, Path>,
    candidates: BTreeSet<(u32, Vertex)>,
    tentative: BTreeMap<Vertex, Path>,
}

/// Finds the shortest paths to everything.
pub(super) fn find(database: &Database, root: &Root<'_>, now: Time) -> Paths {
    let mut search = Search::new(database, root, now);
    search.run(root);
    search.paths()
}

impl<'d> Search<'d> {
    fn new(database: &'d Database, root: &Root<'d>, now: Time) -> Self {
        let (mut routers, mut networks) = (BTreeMap::new(), BTreeMap::new());
        for (key, stored) in database.iter().filter(|(_, stored)| stored.age(now) < MAX_AGE) {
            match &stored.content {
                // A router speaks for itself alone.
                Content::Router(links) if key.id == key.router => {
                    routers.insert(key.id, links.as_slice());
                }
                Content::Network { mask, routers } => {
                    // Should two routers say that they speak for one network, the one that was heard first in order counts.
                    networks.entry(key.id).or_insert((*mask, routers.as_slice()));
                }
                _ => {}
            }
        }
        routers.insert(root.id, root.links);
        Self { routers, networks, reached: BTreeMap::new(), candidates: BTreeSet::new(), tentative: BTreeMap::new() }
    }

    fn run(&mut self, root: &Root<'_>) {
        let start = Vertex::Router(root.id);
        self.offer(start, Path { cost: 0, next_hops: BTreeSet::new() });
        while let Some((_, vertex)) = self.candidates.pop_first() {
            let Some(path) = self.tentative.remove(&vertex) else { continue };
            for (next, metric, link) in self.edges(vertex) {
                if self.reached.contains_key(&next) || !self.leads_back(next, vertex) {
                    continue;
                }
                let next_hops = self.next_hops(root, vertex, &path, next, link);
                if !next_hops.is_empty() {
                    self.offer(next, Path { cost: path.cost.saturating_add(metric), next_hops });
                }
            }
            self.reached.insert(vertex, path);
        }
    }

    /// Where a vertex leads, at what cost; for a router with the link that says so.
    fn edges(&self, vertex: Vertex) -> Vec<(Vertex, u32, Option<Link>)> {
        match vertex {
            Vertex::Network(address) => {
                let routers = self.networks.get(&address).map_or(&[][..], |(_, routers)| routers);
                routers.iter().map(|router| (Vertex::Router(*router), 0, None)).collect()
            }
            Vertex::Router(id) => {
                let links = self.routers.get(&id).copied().unwrap_or_default();
                let edges = links.iter().filter_map(|link| {
                    let next = match link.kind {
                        LinkKind::PointToPoint => Vertex::Router(link.id),
                        LinkKind::Stub => return None,
                        LinkKind::Transit => Vertex::Network(link.id),
                    };
                    Some((next, u32::from(link.metric), Some(*link)))
                });
                edges.collect()
            }
        }
    }

    /// §16.1 (2) (b): whether a vertex knows of a link back.
    fn leads_back(&self, from: Vertex, to: Vertex) -> bool {
        match (from, to) {
            (Vertex::Network(address), Vertex::Router(id)) => {
                self.networks.get(&address).is_some_and(|(_, routers)| routers.contains(&id))
            }
            (Vertex::Router(id), Vertex::Network(address)) => self.has_link(id, LinkKind::Transit, address),
            (Vertex::Router(id), Vertex::Router(other)) => self.has_link(id, LinkKind::PointToPoint, other),
            (Vertex::Network(_), Vertex::Network(_)) => false,
        }
    }

    fn links_of(&self, id: Ipv4Addr) -> &'d [Link] {
        self.routers.get(&id).copied().unwrap_or_default()
    }

    fn has_link(&self, id: Ipv4Addr, kind: LinkKind, to: Ipv4Addr) -> bool {
        self.links_of(id).iter().any(|link| link.kind == kind && link.id == to)
    }

    /// §16.1.1: how a path goes on from the root.
    fn next_hops(
        &self,
        root: &Root<'_>,
        parent: Vertex,
        path: &Path,
        next: Vertex,
        link: Option<Link>,
    ) -> BTreeSet<NextHop> {
        let way = link.and_then(|link| root.ways.get(&link.data).copied());
        match (parent, next) {
            // A neighbor of the root itself.
            (Vertex::Router(id), Vertex::Router(neighbor)) if id == root.id => {
                let hop = way.and_then(|interface| {
                    let via = (root.neighbor)(interface, neighbor)?;
                    Some(NextHop { interface, via: Some(IpAddr::V4(via)) })
                });
                hop.into_iter().collect()
            }
            (Vertex::Router(id), Vertex::Network(_)) if id == root.id => {
                way.map(|interface| NextHop { interface, via: None }).into_iter().collect()
            }
            // A router on a network of the root's: by its address there.
            (Vertex::Network(network), Vertex::Router(id)) if path.next_hops.iter().any(|hop| hop.via.is_none()) => {
                let mut there = self.links_of(id).iter();
                let there = there.find(|link| link.kind == LinkKind::Transit && link.id == network);
                let beyond = path.next_hops.iter().filter_map(|hop| match (hop.via, there) {
                    (None, Some(link)) => Some(NextHop { via: Some(IpAddr::V4(link.data)), ..*hop }),
                    (None, None) => None,
                    (Some(_), _) => Some(*hop),
                });
                beyond.collect()
            }
            _ => path.next_hops.clone(),
        }
    }

    /// A path to a vertex: the best so far, or as good as the best, or not good enough.
    fn offer(&mut self, vertex: Vertex, path: Path) {
        match self.tentative.get_mut(&vertex) {
            Some(known) if known.cost < path.cost => {}
            Some(known) if known.cost == path.cost => merge(known, path),
            known => {
                if let Some(known) = known {
                    self.candidates.remove(&(known.cost, vertex));
                }
                self.candidates.insert((path.cost, vertex));
                self.tentative.insert(vertex, path);
            }
        }
    }

    /// The prefixes of networks on the way, and of the subnets behind the routers that were reached.
    fn paths(&self) -> Paths {
        let mut paths = Paths::new();
        for (vertex, path) in &self.reached {
            match vertex {
                Vertex::Network(address) => {
                    if let Some((mask, _)) = self.networks.get(address) {
                        reach(&mut paths, *address, *mask, path.clone());
                    }
                }
                Vertex::Router(id) => {
                    for link in self.links_of(*id).iter().filter(|link| link.kind == LinkKind::Stub) {
                        let cost = path.cost.saturating_add(link.metric.into());
                        reach(&mut paths, link.id, link.data, Path { cost, next_hops: path.next_hops.clone() });
                    }
                }
            }
        }
        paths
    }
}

fn merge(known: &mut Path, other: Path) {
    known.next_hops.extend(other.next_hops);
    while known.next_hops.len() > NEXT_HOPS_MAX {
        known.next_hops.pop_last();
    }
}

fn reach(paths: &mut Paths, address: Ipv4Addr, mask: Ipv4Addr, path: Path) {
    let Some(net) = Ipv4Net::with_netmask(address, mask).ok().map(|net| net.trunc()) else { return };
    match paths.get_mut(&net) {
        Some(known) if known.cost < path.cost => {}
        Some(known) if known.cost == path.cost => merge(known, path),
        _ => drop(paths.insert(net, path)),
    }
}

/// The name of a router's advertisement.
pub(super) fn router_key(id: Ipv4Addr) -> LsaKey {
    LsaKey { kind: ROUTER, id, router: id }
}

/// The name of a network's advertisement, by its designated router.
pub(super) fn network_key(address: Ipv4Addr, router: Ipv4Addr) -> LsaKey {
    LsaKey { kind: NETWORK, id: address, router }
}
