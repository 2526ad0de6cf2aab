//! Which wires share one space of addresses.
//!
//! An address translator hides what is behind it: a subnet there may be in use elsewhere too, as `192.168.1.0/24` is in
//! every other home, and nobody outside has a way to it. A *realm* (RFC 2663 §2.1) is what routers join without
//! translating. Two realms are apart if both are behind translators, and neither behind the other, however many
//! translators are between; then one address may be in both. Wires that nothing joins at all are more probably a mistake.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::layout::Layout;
use super::wires::Union;
use crate::node::Role;

/// The realm of every wire.
#[derive(Debug)]
pub(super) struct Realms {
    /// By wire: the realm's number.
    of_wire: Vec<usize>,
    /// By realm: the realms in front of it, through one translator.
    in_front: Vec<BTreeSet<usize>>,
}

/// Whether an address means something on each link.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

impl Realms {
    /// Finds the realms of a layout whose wires are numbered.
    pub(super) fn of(layout: &Layout) -> Self {
        let mut joined = Union::new(layout.wires);
        let routers = || layout.nodes.iter().filter(|node| node.role == Role::Router);
        for router in routers() {
            let outside = router.outside();
            let ports = router.interfaces.iter().enumerate().filter(|(port, _)| Some(*port) != outside);
            let mut wires = ports.map(|(_, interface)| interface.wire);
            if let Some(first) = wires.next() {
                wires.for_each(|wire| joined.join(first, wire));
            }
        }
        let of_wire: Vec<usize> = (0..layout.wires).map(|wire| joined.root(wire)).collect();
        let mut in_front = vec![BTreeSet::new(); layout.wires];
        for router in routers() {
            let Some(outside) = router.outside() else { continue };
            let front = of_wire[router.interfaces[outside].wire];
            let inside = router.interfaces.iter().enumerate().filter(|(port, _)| *port != outside);
            for (_, interface) in inside {
                in_front[of_wire[interface.wire]].insert(front);
            }
        }
        Self { of_wire, in_front }
    }

    /// Whether nobody on one wire could mean somebody on the other when it names this address. IPv6 is not translated, but
    /// its link-local addresses mean something on one link only.
    pub(super) fn are_apart(&self, a: usize, b: usize, address: IpAddr) -> bool {
        if is_link_local(address) {
            return a != b;
        }
        let (a, b) = (self.of_wire[a], self.of_wire[b]);
        let is_hidden = |realm: usize| !self.in_front[realm].is_empty();
        address.is_ipv4() && is_hidden(a) && is_hidden(b) && !self.is_behind(a, b) && !self.is_behind(b, a)
    }

    /// Whether realm `a` is `b`, or behind it.
    fn is_behind(&self, a: usize, b: usize) -> bool {
        let (mut seen, mut ahead) = (BTreeSet::new(), vec![a]);
        while let Some(realm) = ahead.pop() {
            if realm == b {
                return true;
            }
            if seen.insert(realm) {
                ahead.extend(&self.in_front[realm]);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{mistakes, plan, routes};

    /// Two homes behind translators, an internet between them, a server.
    fn homes(first: &str, second: &str) -> String {
        format!(
            "[nodes]\na = {{ addr = \"{first}.10/24\" }}\nb = {{ addr = \"{second}.10/24\" }}\n\
             ra = {{ kind = \"router\", nat = {{ outside = \"wan\" }}, addr = {{ lan = \"{first}.1/24\" }} }}\n\
             rb = {{ kind = \"router\", nat = {{ outside = \"wan\" }}, addr = {{ lan = \"{second}.1/24\" }} }}\n\
             isp = {{ kind = \"router\" }}\nserver = {{}}\n[links]\n\
             la = {{ ends = [\"a\", \"ra:lan\"] }}\nlb = {{ ends = [\"b\", \"rb:lan\"] }}\n\
             wa = {{ ends = [\"ra:wan\", \"isp\"] }}\nwb = {{ ends = [\"rb:wan\", \"isp\"] }}\n\
             ws = {{ ends = [\"isp\", \"server\"] }}\n"
        )
    }

    #[test]
    fn two_homes_may_use_the_same_addresses() {
        assert_eq!(mistakes(&homes("192.168.1", "192.168.1")), [""; 0]);
    }

    #[test]
    fn a_home_may_not_use_the_addresses_of_the_internet_in_front_of_it() {
        let text = homes("192.168.1", "192.168.2").replace("server = {}", "server = { addr = \"192.168.1.80/24\" }");
        assert_eq!(mistakes(&text).len(), 1, "{:?}", mistakes(&text));
        let without = homes("192.168.1", "192.168.1").replace("nat = { outside = \"wan\" }, ", "");
        assert!(!mistakes(&without).is_empty());
    }

    #[test]
    fn nobody_outside_has_a_way_in_and_everybody_inside_one_out() {
        let plan = plan(&homes("192.168.1", "192.168.2"));
        // 10.0.0.0/24 and 10.0.1.0/24 are the homes' links to the provider, 10.0.2.0/24 the server's.
        assert_eq!(routes(&plan, "isp"), [""; 0]);
        assert_eq!(routes(&plan, "ra"), ["10.0.1.0/24 via 10.0.0.2", "10.0.2.0/24 via 10.0.0.2"]);
        assert_eq!(routes(&plan, "server"), ["default via 10.0.2.1"]);
    }

    #[test]
    fn a_host_in_front_of_a_translator_does_not_take_it_for_its_gateway() {
        let plan = plan(
            "[nodes]\na = {}\nr = { kind = \"router\", nat = { outside = \"wan\" } }\nserver = {}\n[links]\n\
             lan = { ends = [\"a\", \"r\"] }\nwan = { ends = [\"r:wan\", \"server\"] }\n",
        );
        assert_eq!((routes(&plan, "server"), routes(&plan, "a")), (vec![], vec!["default via 10.0.0.1".to_owned()]));
    }
}
