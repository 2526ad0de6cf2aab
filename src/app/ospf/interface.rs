//! An interface of the protocol, and who speaks for its network (RFC 2328 §9).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::neighbor::{Neighbor, State};
use crate::wire::ospf::lsa::{LsaHeader, LsaKey};

/// How many neighbors one interface may have; hellos of further ones are not believed.
pub(super) const NEIGHBORS_MAX: usize = 256;

/// What kind of network a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetworkKind {
    /// There may be many routers; one of them speaks for the network.
    Broadcast,
    /// Two routers.
    PointToPoint,
}

/// What part this router plays on a network. §9.1; "down" is not having the interface at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Backup,
    Designated,
    Other,
    PointToPoint,
    Waiting,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Backup => "Backup",
            Self::Designated => "DR",
            Self::Other => "DROther",
            Self::PointToPoint => "Point-to-point",
            Self::Waiting => "Waiting",
        }
    }
}

/// What an interface is like, whatever happens on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    /// The address that it speaks from, with its subnet.
    pub(super) net: Ipv4Net,
    /// Other subnets of it.
    pub(super) more_nets: Vec<Ipv4Net>,
    pub(super) mtu: usize,
    pub(super) cost: u16,
    pub(super) priority: u8,
    pub(super) kind: NetworkKind,
    /// It is told of, but nobody is spoken to on it.
    pub(super) is_passive: bool,
}

/// An interface that is up.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) port: Port,
    pub(super) role: Role,
    /// The designated router and its backup, by their addresses on the link; unspecified: none.
    pub(super) designated: Ipv4Addr,
    pub(super) backup: Ipv4Addr,
    /// By their addresses on the link.
    pub(super) neighbors: BTreeMap<Ipv4Addr, Neighbor>,
    /// What is to be told here at the end of this event, to everybody.
    pub(super) to_flood: BTreeSet<LsaKey>,
    /// What is to be acknowledged here, once the acknowledgments have waited for company.
    pub(super) to_acknowledge: BTreeMap<LsaKey, LsaHeader>,
}

/// Who can be elected: its router ID, its address, its priority, and whom it declares.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: Ipv4Addr,
    address: Ipv4Addr,
    priority: u8,
    designated: Ipv4Addr,
    backup: Ipv4Addr,
}

impl Interface {
    pub(super) fn new(port: Port) -> Self {
        let role = match port.kind {
            NetworkKind::PointToPoint => Role::PointToPoint,
            // §9.3: a router that cannot become designated router need not wait for who is.
            NetworkKind::Broadcast if port.priority == 0 => Role::Other,
            NetworkKind::Broadcast => Role::Waiting,
        };
        Self {
            port,
            role,
            designated: Ipv4Addr::UNSPECIFIED,
            backup: Ipv4Addr::UNSPECIFIED,
            neighbors: BTreeMap::new(),
            to_flood: BTreeSet::new(),
            to_acknowledge: BTreeMap::new(),
        }
    }

    /// The address that it speaks from.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.port.net.addr()
    }

    /// Whether this router speaks for the network, or would.
    pub(super) fn is_designated_or_backup(&self) -> bool {
        matches!(self.role, Role::Designated | Role::Backup)
    }

    /// §10.4: whether databases are to be kept equal with this neighbor, and not only hellos exchanged.
    pub(super) fn wants_adjacency(&self, neighbor: &Neighbor) -> bool {
        let speaks = |address: Ipv4Addr| address == self.designated || address == self.backup;
        self.role == Role::PointToPoint || self.is_designated_or_backup() || speaks(neighbor.address)
    }

    /// The neighbor of a router ID.
    pub(super) fn neighbor_of(&self, id: Ipv4Addr) -> Option<&Neighbor> {
        self.neighbors.values().find(|neighbor| neighbor.id == id)
    }

    /// Neighbors with which databases are equal.
    pub(super) fn full(&self) -> impl Iterator<Item = &Neighbor> {
        self.neighbors.values().filter(|neighbor| neighbor.state == State::Full)
    }

    /// §9.4: finds out who speaks for the network; whether anything has changed by it.
    pub(super) fn elect(&mut self, own_id: Ipv4Addr) -> bool {
        let before = (self.designated, self.backup, self.role);
        self.elect_once(own_id);
        let is_new = |role: Role| role != before.2 && matches!(role, Role::Designated | Role::Backup);
        let was = matches!(before.2, Role::Designated | Role::Backup);
        // Step 4: who has just become one of the two, or is no longer, looks again: so nobody is both.
        if is_new(self.role) || (was && self.role == Role::Other) {
            self.elect_once(own_id);
        }
        (self.designated, self.backup, self.role) != before
    }

    fn elect_once(&mut self, own_id: Ipv4Addr) {
        let own = Candidate {
            id: own_id,
            address: self.address(),
            priority: self.port.priority,
            designated: self.designated,
            backup: self.backup,
        };
        // Step 1: those that can be elected are heard both ways, this router itself included.
        let heard = self.neighbors.values().filter(|neighbor| neighbor.state >= State::TwoWay);
        let heard = heard.map(|neighbor| Candidate {
            id: neighbor.id,
            address: neighbor.address,
            priority: neighbor.priority,
            designated: neighbor.designated,
            backup: neighbor.backup,
        });
        let all: Vec<Candidate> = heard.chain([own]).filter(|candidate| candidate.priority > 0).collect();
        let best = |some: &mut dyn Iterator<Item = &Candidate>| {
            some.max_by_key(|candidate| (candidate.priority, candidate.id)).map(|candidate| candidate.address)
        };
        let says_designated = |candidate: &&Candidate| candidate.designated == candidate.address;
        let says_backup = |candidate: &&Candidate| candidate.backup == candidate.address && !says_designated(candidate);
        // Step 2: the backup is the best of those that declare themselves so, else the best that is not designated router.
        let backup = best(&mut all.iter().filter(says_backup))
            .or_else(|| best(&mut all.iter().filter(|candidate| !says_designated(candidate))));
        // Step 3: the designated router is the best of those that declare themselves so, else the backup steps up.
        let designated = best(&mut all.iter().filter(says_designated)).or(backup);
        self.designated = designated.unwrap_or(Ipv4Addr::UNSPECIFIED);
        self.backup = backup.unwrap_or(Ipv4Addr::UNSPECIFIED);
        self.role = match self.address() {
            own if own == self.designated => Role::Designated,
            own if own == self.backup => Role::Backup,
            _ => Role::Other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(priority: u8) -> Interface {
        let port = Port {
            name: "eth0".into(),
            net: "10.0.0.5/24".parse().unwrap(),
            more_nets: Vec::new(),
            mtu: 1500,
            cost: 1,
            priority,
            kind: NetworkKind::Broadcast,
            is_passive: false,
        };
        Interface::new(port)
    }

    fn heard(interface: &mut Interface, last: u8, priority: u8, designated: u8, backup: u8) {
        let address = |last: u8| if last == 0 { Ipv4Addr::UNSPECIFIED } else { [10, 0, 0, last].into() };
        let mut neighbor = Neighbor::new([last, last, last, last].into(), address(last));
        neighbor.state = State::TwoWay;
        (neighbor.priority, neighbor.designated, neighbor.backup) = (priority, address(designated), address(backup));
        interface.neighbors.insert(neighbor.address, neighbor);
    }

    /// The last bytes of who was elected, and this router's part; its ID is 5.5.5.5.
    fn elected(interface: &mut Interface) -> (u8, u8, Role) {
        interface.elect([5, 5, 5, 5].into());
        (interface.designated.octets()[3], interface.backup.octets()[3], interface.role)
    }

    #[test]
    fn alone_it_speaks_for_the_network_without_a_backup() {
        assert_eq!(elected(&mut interface(1)), (5, 0, Role::Designated));
    }

    #[test]
    fn where_nobody_is_yet_the_greatest_router_id_wins_and_the_next_is_backup() {
        let mut one = interface(1);
        heard(&mut one, 7, 1, 0, 0);
        heard(&mut one, 3, 1, 0, 0);
        // Until 10.0.0.7 says that it speaks, it counts as the backup that steps up.
        assert_eq!(elected(&mut one), (7, 7, Role::Other));
        heard(&mut one, 7, 1, 7, 0);
        assert_eq!(elected(&mut one), (7, 5, Role::Backup));
    }

    #[test]
    fn priority_comes_before_router_id_and_zero_never_speaks() {
        let mut one = interface(2);
        heard(&mut one, 7, 1, 0, 0);
        assert_eq!(elected(&mut one), (5, 7, Role::Designated));
        let mut other = interface(0);
        heard(&mut other, 3, 1, 0, 0);
        assert_eq!(elected(&mut other), (3, 3, Role::Other));
        heard(&mut other, 3, 1, 3, 0);
        assert_eq!(elected(&mut other), (3, 0, Role::Other));
    }

    #[test]
    fn who_speaks_already_goes_on_whoever_comes() {
        let mut one = interface(200);
        heard(&mut one, 3, 1, 3, 2);
        heard(&mut one, 2, 1, 3, 2);
        assert_eq!(elected(&mut one), (3, 2, Role::Other));
    }

    #[test]
    fn when_the_speaker_goes_the_backup_steps_up_and_another_becomes_backup() {
        let mut one = interface(1);
        heard(&mut one, 3, 1, 0, 2);
        heard(&mut one, 2, 1, 0, 2);
        // 10.0.0.2 was backup and does not know yet that it is to speak.
        assert_eq!(elected(&mut one), (2, 2, Role::Other));
        heard(&mut one, 2, 1, 2, 0);
        assert_eq!(elected(&mut one), (2, 5, Role::Backup));
    }
}
