//! Which ports hear each other: wires, and on them VLANs.
//!
//! A link carries one *channel* for frames without a tag and one for each VLAN that the scenario says anything of. A
//! switch joins channels: those of one VLAN if it knows VLANs, all its ports' alike ones if it does not. What is joined
//! is one wire: one subnet, whoever is on it.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Layout, NodePlan};
use crate::node::Role;
use crate::node::machine::VlanSpec;
use crate::node::switch::{Membership, VLAN_DEFAULT, VlanSet};
use crate::read::{Diagnostic, Reader};

/// The most combinations of a port and a VLAN.
const CHANNELS_MAX: usize = 4_000_000;

impl Layout {
    /// Ports that hear each other get one number; the numbers follow the order of the links.
    ///
    /// A link carries one channel without a tag and one for each VLAN that anything is said of. A switch joins channels:
    /// those of one VLAN if it knows VLANs, all its ports' alike ones if it does not.
    pub(super) fn number_wires(&mut self, reader: &Reader) {
        let mut vlans = self.vlans();
        let total: usize = self.nodes.iter().map(|node| node.interfaces.len()).sum();
        if total.saturating_mul(1 + vlans.len()) > CHANNELS_MAX.max(total) {
            let named = self.nodes.iter().find(|node| node.vlans.is_some()).or_else(|| self.nodes.first());
            let span = named.map_or(0..0, |node| node.span.clone());
            let title = format!("{} VLANs over {total} interfaces are too many", vlans.len());
            reader.report(Diagnostic::new(span, title).label(format!("at most {CHANNELS_MAX} combinations")));
            vlans.clear();
        }
        let width = 1 + vlans.len();
        let channels = Channels { vlans, offsets: self.offsets() };
        let mut joined = Union::new(total * width);
        for link in &self.links {
            let [a, b] = &link.ends;
            for tag in channels.tags() {
                joined.join(channels.of(a.node, a.port, tag), channels.of(b.node, b.port, tag));
            }
        }
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.role == Role::Bridge) {
            channels.join_ports(index, node, &mut joined);
        }
        let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
        let linked = self.links.iter().flat_map(|link| &link.ends).map(|end| channels.of(end.node, end.port, None));
        let all = self.nodes.iter().enumerate().flat_map(|(index, node)| {
            node.interfaces.iter().enumerate().map(move |(port, interface)| (index, port, interface.vlan))
        });
        let all = all.map(|(node, port, vlan)| channels.heard_by(node, port, vlan));
        for channel in linked.chain(all.collect::<Vec<usize>>()) {
            let next = numbers.len();
            numbers.entry(joined.root(channel)).or_insert(next);
        }
        for (index, node) in self.nodes.iter_mut().enumerate() {
            for (port, interface) in node.interfaces.iter_mut().enumerate() {
                interface.wire = numbers[&joined.root(channels.heard_by(index, port, interface.vlan))];
            }
        }
        self.wires = numbers.len();
    }

    /// How many interfaces come before each node's.
    fn offsets(&self) -> Vec<usize> {
        let counts = self.nodes.iter().scan(0, |total, node| {
            let offset = *total;
            *total += node.interfaces.len();
            Some(offset)
        });
        counts.collect()
    }

    /// Every VLAN that anything is said of, in order.
    fn vlans(&self) -> Vec<u16> {
        let mut vlans = BTreeSet::new();
        for node in &self.nodes {
            vlans.extend(node.interfaces.iter().filter_map(|interface| interface.vlan.map(|vlan| vlan.id)));
            for membership in node.vlans.iter().flat_map(BTreeMap::values) {
                match membership {
                    Membership::Access(vlan) => drop(vlans.insert(*vlan)),
                    Membership::Trunk { vlans: these, native } => {
                        vlans.extend(*native);
                        if let VlanSet::These(these) = these {
                            vlans.extend(these);
                        }
                    }
                }
            }
            if node.vlans.is_some() {
                vlans.insert(VLAN_DEFAULT);
            }
        }
        vlans.into_iter().collect()
    }
}

/// What a link carries beside each other: frames without a tag, and those of each VLAN.
struct Channels {
    /// In order.
    vlans: Vec<u16>,
    /// How many interfaces come before each node's.
    offsets: Vec<usize>,
}

impl Channels {
    /// Every form that a frame can have: none, or a tag.
    fn tags(&self) -> impl Iterator<Item = Option<u16>> {
        std::iter::once(None).chain(self.vlans.iter().copied().map(Some))
    }

    fn of(&self, node: usize, port: usize, tag: Option<u16>) -> usize {
        let place = tag.and_then(|tag| self.vlans.binary_search(&tag).ok()).map_or(0, |index| index + 1);
        (self.offsets[node] + port) * (1 + self.vlans.len()) + place
    }

    /// The channel that an interface hears.
    fn heard_by(&self, node: usize, port: usize, vlan: Option<VlanSpec>) -> usize {
        match vlan {
            None => self.of(node, port, None),
            Some(VlanSpec { parent, id }) => self.of(node, parent, Some(id)),
        }
    }

    fn join_ports(&self, index: usize, node: &NodePlan, joined: &mut Union) {
        let Some(memberships) = &node.vlans else {
            for tag in self.tags() {
                (1..node.interfaces.len())
                    .for_each(|port| joined.join(self.of(index, 0, tag), self.of(index, port, tag)));
            }
            return;
        };
        for vlan in &self.vlans {
            let mut first = None;
            for (port, interface) in node.interfaces.iter().enumerate() {
                let membership = memberships.get(&interface.name).unwrap_or(&Membership::UNSAID);
                if membership.carries(*vlan) {
                    let channel = self.of(index, port, membership.tags(*vlan).then_some(*vlan));
                    joined.join(*first.get_or_insert(channel), channel);
                }
            }
        }
    }
}

/// Sets that grow together (union by smaller root, with path halving).
pub(super) struct Union {
    parents: Vec<usize>,
}

impl Union {
    pub(super) fn new(count: usize) -> Self {
        Self { parents: (0..count).collect() }
    }

    pub(super) fn root(&mut self, mut item: usize) -> usize {
        while self.parents[item] != item {
            self.parents[item] = self.parents[self.parents[item]];
            item = self.parents[item];
        }
        item
    }

    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{addresses, mistakes, plan, routes};

    /// Two switches with hosts in two VLANs, joined by a trunk, and a router on a stick.
    const CAMPUS: &str = r#"
[nodes]
a = {}
b = {}
c = {}
d = {}
r = { kind = "router", addr = { "eth0.10" = "192.168.10.1/24", "eth0.20" = "192.168.20.1/24" } }
[nodes.s1]
kind = "switch"
vlans = { p0 = 10, p1 = 20, p2 = "trunk", p3 = [10, 20] }
[nodes.s2]
kind = "switch"
vlans = { p0 = 10, p1 = 20, p2 = "trunk" }
[links]
a = { ends = ["a", "s1:p0"] }
b = { ends = ["b", "s1:p1"] }
trunk = { ends = ["s1:p2", "s2:p2"] }
c = { ends = ["c", "s2:p0"] }
d = { ends = ["d", "s2:p1"] }
stick = { ends = ["r:eth0", "s1:p3"] }
"#;

    #[test]
    fn each_vlan_is_a_subnet_of_its_own_and_the_router_on_a_stick_leads_from_one_to_the_other() {
        let plan = plan(CAMPUS);
        let expected = [
            "a:eth0 192.168.10.2/24",
            "b:eth0 192.168.20.2/24",
            "c:eth0 192.168.10.3/24",
            "d:eth0 192.168.20.3/24",
            "r:eth0.10 192.168.10.1/24",
            "r:eth0.20 192.168.20.1/24",
        ];
        assert_eq!(addresses(&plan), expected);
        assert_eq!(routes(&plan, "a"), ["default via 192.168.10.1"]);
        assert_eq!(routes(&plan, "d"), ["default via 192.168.20.1"]);
        // The VLANs share the card's address, which shows the first of theirs.
        let router = plan.layout.nodes.iter().find(|node| node.name == "r").unwrap();
        let macs: Vec<[u8; 6]> = router.interfaces.iter().map(|interface| interface.mac).collect();
        assert_eq!(macs, [[2, 0, 192, 168, 10, 1]; 3]);
    }

    #[test]
    fn hosts_of_two_vlans_are_on_two_wires_though_one_switch_joins_them() {
        let plan = plan(
            "[nodes]\na = {}\nb = {}\nc = {}\nsw = { kind = \"switch\", vlans = { p1 = 20 } }\n[links]\n\
             a = { ends = [\"a\", \"sw\"] }\nb = { ends = [\"b\", \"sw\"] }\nc = { ends = [\"c\", \"sw\"] }\n",
        );
        assert_eq!(addresses(&plan), ["a:eth0 10.0.0.1/24", "b:eth0 10.0.1.1/24", "c:eth0 10.0.0.2/24"]);
    }

    #[test]
    fn a_switch_that_knows_no_vlans_joins_them_all_and_a_native_vlan_joins_access_ports() {
        // a is in VLAN 5, which is native on the link to the plain switch, where b is; r hears 9 through that switch.
        let plan = plan(
            r#"
[nodes]
a = { addr = "10.5.0.1/24" }
b = {}
c = { addr = "10.9.0.1/24" }
r = { kind = "router", addr = { eth0 = "10.5.0.9/24", "eth0.9" = "10.9.0.9/24" } }
plain = { kind = "switch" }
sw = { kind = "switch", vlans = { p0 = 5, p1 = { trunk = [9], native = 5 }, p2 = 9 } }
[links]
a = { ends = ["a", "sw:p0"] }
up = { ends = ["sw:p1", "plain"] }
b = { ends = ["b", "plain"] }
c = { ends = ["c", "sw:p2"] }
r = { ends = ["r:eth0", "plain"] }
"#,
        );
        assert!(addresses(&plan).contains(&"b:eth0 10.5.0.2/24".to_owned()));
        assert_eq!(routes(&plan, "b"), ["default via 10.5.0.9"]);
        assert_eq!(routes(&plan, "c"), ["default via 10.9.0.9"]);
    }

    #[test]
    fn mistakes_about_vlans_stand_where_they_are() {
        let text = r#"
[nodes]
a = { addr = { "eth0.0" = "10.0.0.1/24", "eth0.4095" = "10.0.0.1/24", "eth1.10" = "10.0.0.1/24", "eth0.10" = "10.0.0.1/24" } }
sw = { kind = "switch", vlans = { p0 = 4095, p9 = 10, p1 = "trnk", p2 = [10, 0], p3 = { trunk = "all", native = 0 }, p4 = { native = 1 } } }
[links]
a = { ends = ["a", "sw"] }
"#;
        assert_eq!(
            mistakes(text),
            [
                "\"eth0.0\": no link ends at `a:eth0.0`",
                "\"eth0.4095\": no link ends at `a:eth0.4095`",
                "\"eth1.10\": no link ends at `a:eth1.10`",
                "4095: 4095 is not a VLAN",
                "p9: `sw` has no port `p9`",
                "\"trnk\": `trnk` is not what a port carries",
                "0: 0 is not a VLAN",
                "0: 0 is not a VLAN",
                "{ native = 1 }: `nodes.sw.vlans.p4` lacks `trunk`",
            ]
        );
    }

    #[test]
    fn too_many_vlans_over_too_many_ports_are_refused_before_memory_is_taken() {
        let all: Vec<String> = (1..=4094).map(|vlan| vlan.to_string()).collect();
        let list = all.join(", ");
        let text = format!(
            "[nodes]\nsw = {{ kind = \"switch\", vlans = {{ p0 = [{list}] }} }}\n[topology.s]\nkind = \"star\"\nhosts = 1000\n\
             [links]\nx = {{ ends = [\"sw:p0\", \"s\"] }}\n"
        );
        assert!(mistakes(&text).iter().any(|mistake| mistake.contains("4094 VLANs over")), "{:?}", mistakes(&text));
    }
}
