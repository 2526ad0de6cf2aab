//! Who has which ports, and which ports share one wire.
//!
//! This is the scenario reduced to what addresses and routes depend on. Everything is in the order of the file: nodes,
//! links, and within a node its interfaces, which are numbered in the order in which links name them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use crate::node::machine::{RouteSpec, VlanSpec};
use crate::node::switch::Membership;
use crate::node::{Ipv6Wish, Role};
use crate::read::{Diagnostic, Located, Reader, Span, nearest};
use crate::wire::vlan::VLAN_ID_MAX;

/// Whether addresses and routes are found for a node of this role.
pub(super) fn is_machine(role: Role) -> bool {
    matches!(role, Role::Gateway | Role::Host | Role::Router)
}

/// An address that the scenario writes.
#[derive(Debug, Clone)]
pub(super) struct WrittenAddress {
    /// On which interface; `None`: on the only one.
    pub(super) interface: Option<String>,
    /// The address with its prefix length.
    pub(super) address: IpNet,
    pub(super) span: Span,
}

/// What is known of a node before anything is found.
#[derive(Debug)]
pub(super) struct NodePlan {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) role: Role,
    /// It is written as a host, and a real machine takes its place.
    pub(super) was_host: bool,
    /// What a switch's ports carry by what it says, by the ports' names; `None` in a switch that knows no VLANs.
    pub(super) vlans: Option<BTreeMap<String, Membership>>,
    /// The interfaces for which `addr` says something, with where it does; `None` for all of them.
    pub(super) addressed: Vec<(Option<String>, Span)>,
    pub(super) written: Vec<WrittenAddress>,
    /// The interfaces that ask a DHCP server for an address, with where that is written; `None` for the only one.
    pub(super) dynamic: Vec<(Option<String>, Span)>,
    /// Hardware addresses that are written, by interface; `None` for the only one.
    pub(super) macs: Vec<(Option<String>, [u8; 6], Span)>,
    /// The interface whose addresses stand for everybody behind the others, if it translates addresses.
    pub(super) translates_at: Option<String>,
    /// The routers that `gateway` and `routes` name.
    pub(super) gateways: Vec<Located<IpAddr>>,
    /// Destinations that `routes` names.
    pub(super) destinations: Vec<IpNet>,
    /// Whether routes are to be found: neither `gateway` nor `routes` is written.
    pub(super) wants_routes: bool,
    /// Programs that find its routes: each kind with the IP version.
    pub(super) routed_by: Vec<(&'static str, u8)>,
    /// Whether IPv6 is asked for where no IPv6 address is written.
    pub(super) ipv6: Ipv6Wish,
    /// Whether it finds out by itself that somebody else has its address: then that may be what a scenario is about.
    pub(super) detects_conflicts: bool,
    /// Whether it makes the last 64 bits of its addresses of a secret.
    pub(super) has_stable_identifiers: bool,
    /// Whether it tells hosts of the prefixes of its links: on all of them, or on the ones that are named.
    pub(super) advertises: Option<Option<Vec<String>>>,
    /// Routes that were found, and those that `gateway` stands for.
    pub(super) routes: Vec<RouteSpec>,
    /// The subnets to which there is a way from here, its own among them; found for gateways only.
    pub(super) reach: Vec<IpNet>,
    /// Routes that `routes` writes out, for listings.
    pub(super) written_routes: Vec<RouteSpec>,
    pub(super) interfaces: Vec<Interface>,
}

/// One port of a node.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: String,
    /// The link that is plugged in.
    pub(super) link: Option<usize>,
    /// Whose link it uses and in which VLAN, if it is such a one.
    pub(super) vlan: Option<VlanSpec>,
    /// Whether VLANs use its link: then it needs no address of its own.
    pub(super) has_vlans: bool,
    /// The wire it is on: ports with the same number hear each other.
    pub(super) wire: usize,
    pub(super) addresses: Vec<IpNet>,
    /// Whether `addr` says something about it, if only that it has none.
    pub(super) is_written: bool,
    /// Whether it asks a DHCP server for its IPv4 address.
    pub(super) is_dynamic: bool,
    pub(super) mac: [u8; 6],
    /// The addresses that it will make itself from what is advertised on its wire.
    pub(super) foreseen: Vec<Ipv6Addr>,
}

/// One end of a link, as written.
#[derive(Debug)]
pub(super) struct EndPlan {
    /// Index of the node.
    pub(super) node: usize,
    pub(super) interface: Option<String>,
    pub(super) span: Span,
    /// Index of the interface, once it is known.
    pub(super) port: usize,
}

/// A link's ends.
#[derive(Debug)]
pub(super) struct LinkPlan {
    pub(super) name: String,
    pub(super) ends: [EndPlan; 2],
}

/// Everything that addresses and routes depend on.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The run's seed, from which some hosts make their addresses.
    pub(super) seed: u64,
    pub(super) nodes: Vec<NodePlan>,
    pub(super) links: Vec<LinkPlan>,
    /// How many wires there are.
    pub(super) wires: usize,
}

/// How many ports a node may have: a port's number has 16 bits.
pub(super) const PORTS_MAX: usize = 1 << 16;

/// What an interface such as `eth0.10` is called behind its link's interface: `eth0` and 10.
fn vlan_of_name(name: &str) -> Option<(&str, u16)> {
    let (parent, id) = name.rsplit_once('.')?;
    let is_plain = !id.is_empty() && !id.starts_with('0') && id.bytes().all(|digit| digit.is_ascii_digit());
    let id = id.parse().ok().filter(|id| is_plain && (1..=VLAN_ID_MAX).contains(id))?;
    Some((parent, id))
}

/// Interfaces that need no link: a router's own address, a test network behind it.
fn needs_no_link(interface: &str) -> bool {
    interface.starts_with("lo") || interface.starts_with("dummy")
}

impl Layout {
    /// Makes the ports that links name, names those they do not, and finds out who shares a wire.
    pub(super) fn plug_in(&mut self, reader: &Reader) {
        self.name_ports(reader);
        for node in &mut self.nodes {
            node.place_addresses(reader);
        }
        self.number_wires(reader);
    }

    fn name_ports(&mut self, reader: &Reader) {
        // A name that some link or address spells out is never given to an end that spells none.
        let mut spelled: Vec<BTreeSet<String>> = vec![BTreeSet::new(); self.nodes.len()];
        for end in self.links.iter().flat_map(|link| &link.ends) {
            spelled[end.node].extend(end.interface.clone());
        }
        let mut taken: Vec<BTreeSet<String>> = vec![BTreeSet::new(); self.nodes.len()];
        let mut numbers = vec![0_usize; self.nodes.len()];
        for (index, link) in self.links.iter_mut().enumerate() {
            if link.ends[0].node == link.ends[1].node {
                let name = &self.nodes[link.ends[0].node].name;
                reader.report(
                    Diagnostic::new(
                        link.ends[1].span.clone(),
                        format!("`{}` would join `{name}` to itself", link.name),
                    )
                    .label("a link joins two different nodes"),
                );
            }
            for end in &mut link.ends {
                let node = &mut self.nodes[end.node];
                let name = end.interface.clone().unwrap_or_else(|| {
                    let number = &mut numbers[end.node];
                    let word = if node.role == Role::Bridge { "p" } else { "eth" };
                    while spelled[end.node].contains(&format!("{word}{number}")) {
                        *number += 1;
                    }
                    *number += 1;
                    format!("{word}{}", *number - 1)
                });
                if !taken[end.node].insert(name.clone()) {
                    reader.report(
                        Diagnostic::new(end.span.clone(), format!("`{}:{name}` has a link already", node.name))
                            .label("one link for each interface; a switch joins several"),
                    );
                }
                if node.interfaces.len() == PORTS_MAX {
                    reader.report(
                        Diagnostic::new(end.span.clone(), format!("`{}` has too many links", node.name))
                            .label(format!("at most {PORTS_MAX}")),
                    );
                }
                end.port = node.interfaces.len().min(PORTS_MAX - 1);
                if node.interfaces.len() < PORTS_MAX {
                    node.interfaces.push(Interface::new(name, Some(index)));
                }
            }
        }
    }
}

impl Interface {
    fn new(name: String, link: Option<usize>) -> Self {
        Self {
            name,
            link,
            vlan: None,
            has_vlans: false,
            wire: 0,
            addresses: Vec::new(),
            is_written: false,
            is_dynamic: false,
            mac: [0; 6],
            foreseen: Vec::new(),
        }
    }
}

impl NodePlan {
    /// The interface that a written name, or its absence, means.
    fn interface_for(&mut self, name: Option<&str>, span: &Span, reader: &Reader) -> Option<usize> {
        let Some(name) = name else {
            return match self.interfaces.len() {
                // A node without links still has an address that can be talked about.
                0 => {
                    self.interfaces.push(Interface::new("eth0".into(), None));
                    Some(0)
                }
                1 => Some(0),
                count => {
                    let names: Vec<&str> = self.interfaces.iter().map(|interface| interface.name.as_str()).collect();
                    reader.report(
                        Diagnostic::new(span.clone(), format!("`{}` has {count} interfaces", self.name))
                            .label(format!("say which: {{ {} = … }}", names.join(" = …, "))),
                    );
                    None
                }
            };
        };
        if let Some(index) = self.interfaces.iter().position(|interface| interface.name == name) {
            return Some(index);
        }
        if let Some((parent, id)) = vlan_of_name(name)
            && let Some(parent) =
                self.interfaces.iter().position(|interface| interface.name == parent && interface.link.is_some())
        {
            let vlan = Some(VlanSpec { parent, id });
            self.interfaces[parent].has_vlans = true;
            self.interfaces.push(Interface { vlan, ..Interface::new(name.to_owned(), None) });
            return Some(self.interfaces.len() - 1);
        }
        let has_links = self.interfaces.iter().any(|interface| interface.link.is_some());
        if needs_no_link(name) || !has_links {
            self.interfaces.push(Interface::new(name.to_owned(), None));
            return Some(self.interfaces.len() - 1);
        }
        let names: Vec<&str> = self.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        let label = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("links end at: {}", names.join(", ")),
        };
        reader.report(Diagnostic::new(span.clone(), format!("no link ends at `{}:{name}`", self.name)).label(label));
        None
    }

    /// Whether it tells hosts on the link at one of its interfaces of the prefixes there.
    pub(super) fn advertises_on(&self, port: usize) -> bool {
        let name = &self.interfaces[port].name;
        self.advertises.as_ref().is_some_and(|on| on.as_ref().is_none_or(|names| names.contains(name)))
    }

    /// Whether routes of one IP version are to be found: if none are written at all, or, with IPv6 asked for, only of the
    /// other.
    pub(super) fn wants_routes_for(&self, is_ipv6: bool) -> bool {
        let mut written = self
            .gateways
            .iter()
            .map(|via| via.value.is_ipv6())
            .chain(self.destinations.iter().map(|to| to.addr().is_ipv6()));
        let has_other_only = self.gateways.len() + self.destinations.len() > 0 && written.all(|is_v6| !is_v6);
        let found = self.wants_routes || (is_ipv6 && self.ipv6 == Ipv6Wish::Found && has_other_only);
        // Who makes its own addresses finds its own routers, and who runs a routing program its own routes.
        let is_routed = self.routed_by.iter().any(|(_, version)| (*version == 6) == is_ipv6);
        found && !is_routed && !(is_ipv6 && self.ipv6 == Ipv6Wish::Autoconfigured)
    }

    /// Puts what the scenario writes onto the interfaces it means.
    fn place_addresses(&mut self, reader: &Reader) {
        for (name, span) in std::mem::take(&mut self.addressed) {
            if let Some(index) = self.interface_for(name.as_deref(), &span, reader) {
                self.interfaces[index].is_written = true;
            }
        }
        for written in std::mem::take(&mut self.written) {
            let index = match &written.interface {
                // Already reported where the interface itself was looked for.
                Some(name) => self.interfaces.iter().position(|interface| interface.name == *name),
                None => (self.interfaces.len() == 1).then_some(0),
            };
            if let Some(index) = index {
                self.interfaces[index].addresses.push(written.address);
            }
            self.written.push(written);
        }
        for (name, span) in std::mem::take(&mut self.dynamic) {
            if let Some(index) = self.interface_for(name.as_deref(), &span, reader) {
                self.interfaces[index].is_dynamic = true;
            }
        }
        for (name, mac, span) in std::mem::take(&mut self.macs) {
            if let Some(index) = self.interface_for(name.as_deref(), &span, reader) {
                self.interfaces[index].mac = mac;
            }
        }
    }

    /// The addresses of VLANs on each interface.
    pub(super) fn vlan_addresses(&self) -> BTreeMap<usize, Vec<IpNet>> {
        let mut addresses: BTreeMap<usize, Vec<IpNet>> = BTreeMap::new();
        for interface in &self.interfaces {
            if let Some(vlan) = interface.vlan {
                addresses.entry(vlan.parent).or_default().extend(&interface.addresses);
            }
        }
        addresses
    }

    /// Whether one of its interfaces asks a DHCP server for an address.
    pub(super) fn is_dynamic(&self) -> bool {
        self.interfaces.iter().any(|interface| interface.is_dynamic)
    }

    /// Gives the VLANs of an interface its hardware address, unless they have one of their own.
    pub(super) fn share_macs(&mut self) {
        let macs: Vec<[u8; 6]> = self.interfaces.iter().map(|interface| interface.mac).collect();
        for interface in self.interfaces.iter_mut().filter(|interface| interface.mac == [0; 6]) {
            if let Some(vlan) = interface.vlan {
                interface.mac = macs[vlan.parent];
            }
        }
    }

    /// The port whose addresses stand for everybody behind the others, if it translates addresses.
    pub(super) fn outside(&self) -> Option<usize> {
        let name = self.translates_at.as_ref()?;
        self.interfaces.iter().position(|interface| interface.name == *name)
    }

    /// Where an address is written, for messages.
    pub(super) fn span_of(&self, address: IpNet) -> Span {
        let written = self.written.iter().find(|written| written.address == address);
        written.map_or_else(|| self.span.clone(), |written| written.span.clone())
    }
}
