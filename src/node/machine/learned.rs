//! Routes that programs on the machine have found, and groups that they listen to.
//!
//! A routing program tells of its routes by prefix ([`LearnedRoutes`](crate::net::LearnedRoutes)); here they are kept
//! for it, bounded, and become part of the route table. Groups are for the link alone: no group is routed, and no IGMP
//! report is made for one: RFC 2453 §4.5: "Note that IGMP is not needed since these are inter-router messages which are not
//! forwarded."

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::ip::IpLayer;
use super::route::Route;
use crate::net::{NEXT_HOPS_MAX, NextHop, RouteChange, RouteOwner};
use crate::record::Outbox;

/// How many routes programs may have put into one machine; further ones are refused until there is room.
pub(super) const LEARNED_ROUTES_MAX: usize = 1 << 16;

/// How many groups programs may listen to on all interfaces of a machine.
const GROUPS_MAX: usize = 4096;

/// A route as its program told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Learned {
    next_hops: Vec<NextHop>,
    metric: u32,
}

/// The routes that programs have found.
#[derive(Debug, Default)]
pub(super) struct LearnedTable {
    routes: BTreeMap<(IpNet, RouteOwner), Learned>,
    /// How many routes there was no room for.
    pub(super) refused: u64,
}

/// Which IP versions' routes have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Changed {
    pub(super) v4: bool,
    pub(super) v6: bool,
}

impl Changed {
    fn note(&mut self, prefix: IpNet) {
        match prefix {
            IpNet::V4(_) => self.v4 = true,
            IpNet::V6(_) => self.v6 = true,
        }
    }
}

impl LearnedTable {
    /// Whether there is any, of either IP version.
    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.routes.clear();
    }

    /// Carries out changes; says what has really changed, and how many routes there was no room for.
    fn change(&mut self, owner: RouteOwner, changes: &[RouteChange]) -> (Changed, usize) {
        let (mut changed, mut refused) = (Changed::default(), 0);
        for change in changes {
            match change {
                RouteChange::Put { prefix, next_hops, metric } if !next_hops.is_empty() => {
                    let key = (prefix.trunc(), owner);
                    if self.routes.len() >= LEARNED_ROUTES_MAX && !self.routes.contains_key(&key) {
                        refused += 1;
                        continue;
                    }
                    let mut next_hops = next_hops.clone();
                    next_hops.sort_unstable();
                    next_hops.dedup();
                    next_hops.truncate(NEXT_HOPS_MAX);
                    let new = Learned { next_hops, metric: *metric };
                    if self.routes.get(&key) != Some(&new) {
                        self.routes.insert(key, new);
                        changed.note(*prefix);
                    }
                }
                RouteChange::Put { prefix, .. } | RouteChange::Remove(prefix) => {
                    if self.routes.remove(&(prefix.trunc(), owner)).is_some() {
                        changed.note(*prefix);
                    }
                }
            }
        }
        self.refused += refused as u64;
        (changed, refused)
    }

    /// Forgets all of one program.
    fn withdraw(&mut self, owner: RouteOwner) -> Changed {
        let mut changed = Changed::default();
        self.routes.retain(|(prefix, of), _| {
            let goes = *of == owner;
            if goes {
                changed.note(*prefix);
            }
            !goes
        });
        changed
    }

    /// All routes of one IP version, for the route table.
    pub(super) fn routes(&self, is_ipv6: bool) -> Vec<Route> {
        let of_version = self.routes.iter().filter(|((prefix, _), _)| prefix.addr().is_ipv6() == is_ipv6);
        let routes = of_version.flat_map(|((prefix, owner), learned)| {
            let new = |hop: &NextHop| Route::learned(*prefix, *hop, learned.metric, owner.protocol);
            learned.next_hops.iter().map(new)
        });
        routes.collect()
    }
}

impl IpLayer {
    /// Carries out what a program says of its routes.
    pub(super) fn change_learned(&mut self, owner: RouteOwner, changes: &[RouteChange]) -> usize {
        let (changed, refused) = self.learned.change(owner, changes);
        self.rebuild_routes(changed);
        refused
    }

    /// Forgets a program's routes.
    pub(super) fn withdraw_learned(&mut self, owner: RouteOwner) {
        let changed = self.learned.withdraw(owner);
        self.rebuild_routes(changed);
    }

    /// Makes the route tables anew.
    pub(super) fn rebuild_routes(&mut self, changed: Changed) {
        if changed.v4 {
            self.find_routes();
            self.hops.forget();
        }
        if let Some(ipv6) = self.ipv6.as_mut().filter(|_| changed.v6) {
            ipv6.set_learned(self.learned.routes(true));
        }
    }

    /// Whether packets to a group are for this machine.
    pub(super) fn is_member(&self, interface: u16, group: Ipv4Addr) -> bool {
        self.groups.contains_key(&(interface, group))
    }

    /// Listens to a group.
    pub(super) fn join_group(&mut self, interface: u16, group: IpAddr, out: &mut Outbox) {
        match (group, &mut self.ipv6) {
            (IpAddr::V4(group), _) => {
                if self.groups.len() < GROUPS_MAX || self.groups.contains_key(&(interface, group)) {
                    *self.groups.entry((interface, group)).or_insert(0) += 1;
                } else {
                    out.note(None, || format!("group {group}: not listened to, {GROUPS_MAX} others are"));
                }
            }
            (IpAddr::V6(group), Some(ipv6)) => ipv6.join_for_program(interface, group, out),
            (IpAddr::V6(_), None) => {}
        }
    }

    /// Listens to a group no longer, if nobody else does.
    pub(super) fn leave_group(&mut self, interface: u16, group: IpAddr, out: &mut Outbox) {
        match (group, &mut self.ipv6) {
            (IpAddr::V4(group), _) => {
                if let Some(reasons) = self.groups.get_mut(&(interface, group)) {
                    *reasons -= 1;
                    if *reasons == 0 {
                        self.groups.remove(&(interface, group));
                    }
                }
            }
            (IpAddr::V6(group), Some(ipv6)) => ipv6.leave_for_program(interface, group, out),
            (IpAddr::V6(_), None) => {}
        }
    }
}

/// The groups that programs listen to, each on an interface, with how many reasons there are.
pub(super) type Groups = BTreeMap<(u16, Ipv4Addr), u32>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AppId;
    use crate::net::RouteProtocol;

    fn owner(protocol: RouteProtocol) -> RouteOwner {
        RouteOwner { protocol, app: AppId(0) }
    }

    fn put(prefix: &str, vias: &[&str], metric: u32) -> RouteChange {
        let next_hops = vias.iter().map(|via| NextHop { interface: 0, via: Some(via.parse().unwrap()) }).collect();
        RouteChange::Put { prefix: prefix.parse().unwrap(), next_hops, metric }
    }

    #[test]
    fn a_change_that_changes_nothing_is_none() {
        let mut table = LearnedTable::default();
        let rip = owner(RouteProtocol::Rip);
        let (changed, _) = table.change(rip, &[put("10.9.0.0/16", &["10.0.0.2", "10.0.0.1"], 3)]);
        assert_eq!(changed, Changed { v4: true, v6: false });
        // The same, in another order.
        let (changed, _) = table.change(rip, &[put("10.9.0.0/16", &["10.0.0.1", "10.0.0.2"], 3)]);
        assert_eq!(changed, Changed::default());
        let (changed, _) = table.change(rip, &[RouteChange::Remove("10.8.0.0/16".parse().unwrap())]);
        assert_eq!(changed, Changed::default());
        let (changed, _) = table.change(rip, &[put("10.9.0.0/16", &[], 3)]);
        assert_eq!((changed.v4, table.is_empty()), (true, true));
    }

    #[test]
    fn a_group_too_many_is_told_of_and_there_is_room_once_one_is_left() {
        let spec = crate::node::machine::MachineSpec::host("a", 1);
        let mut ip = IpLayer::new(std::sync::Arc::new(spec));
        let mut out = Outbox::new(true);
        let group = |number: usize| IpAddr::V4(Ipv4Addr::from_bits(0xe100_0000 + number as u32));
        (0..GROUPS_MAX).for_each(|number| ip.join_group(0, group(number), &mut out));
        assert!(out.effects().is_empty());
        ip.join_group(0, group(GROUPS_MAX), &mut out);
        assert_eq!((out.effects().len(), ip.groups.len()), (1, GROUPS_MAX));
        ip.leave_group(0, group(7), &mut out);
        ip.join_group(0, group(GROUPS_MAX), &mut out);
        assert_eq!((out.effects().len(), ip.groups.len()), (1, GROUPS_MAX));
    }

    #[test]
    fn a_program_withdraws_its_own_routes_alone() {
        let mut table = LearnedTable::default();
        table.change(owner(RouteProtocol::Rip), &[put("10.9.0.0/16", &["10.0.0.2"], 3)]);
        table.change(owner(RouteProtocol::Ospf), &[put("10.9.0.0/16", &["10.0.0.3"], 30)]);
        table.withdraw(owner(RouteProtocol::Rip));
        let left = table.routes(false);
        assert_eq!((left.len(), left[0].learned), (1, Some(RouteProtocol::Ospf)));
    }

    #[test]
    fn a_full_table_refuses_and_takes_again_once_there_is_room() {
        let mut table = LearnedTable::default();
        let rip = owner(RouteProtocol::Rip);
        let prefix = |index: u32| IpNet::new(Ipv4Addr::from(index << 8).into(), 24).unwrap();
        let hop = vec![NextHop { interface: 0, via: None }];
        let put = |index| RouteChange::Put { prefix: prefix(index), next_hops: hop.clone(), metric: 1 };
        let many: Vec<RouteChange> = (0..LEARNED_ROUTES_MAX as u32 + 2).map(put).collect();
        assert_eq!(table.change(rip, &many).1, 2);
        assert_eq!((table.refused, table.routes(false).len()), (2, LEARNED_ROUTES_MAX));
        table.change(rip, &[RouteChange::Remove(prefix(0))]);
        assert_eq!(table.change(rip, &[put(70_000)]).1, 0);
        // What is there already can always be changed.
        let other = RouteChange::Put { prefix: prefix(70_000), next_hops: hop.clone(), metric: 2 };
        assert_eq!(table.change(rip, &[other]), (Changed { v4: true, v6: false }, 0));
    }
}
