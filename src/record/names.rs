//! What people call the things that ids stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::id::{AppId, Direction, LinkId, NodeId, PipeId, PortId, RuleId};
use crate::wire::Resolve;

/// A node's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeName {
    /// As in the scenario: `client`.
    pub name: String,
    /// Which kind of node: `host`, `router`, `switch`.
    pub kind: &'static str,
    /// Its ports' names, in order: `eth0`.
    pub ports: Vec<String>,
}

/// A link's name and what it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkName {
    /// As in the scenario: `wan`.
    pub name: String,
    /// First end, second end.
    pub ends: [(NodeId, PortId); 2],
}

/// An impairment or a fault rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleName {
    /// As in the scenario, `lose-first-syn`, or made from the link's name: `wan/ab/loss`.
    pub name: String,
    /// The line of the scenario file, from 1; `None` for what Rust code added.
    pub line: Option<u32>,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppName {
    /// As in the scenario: `fetch`.
    pub name: String,
    /// Which kind of program: `tcp-send`.
    pub kind: String,
    /// Where it runs.
    pub node: NodeId,
}

/// The addresses of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its hardware address.
    pub mac: [u8; 6],
    /// Its IP addresses, the preferred one first.
    pub addresses: Vec<IpAddr>,
}

/// Every name of one network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Indexed by [`NodeId`].
    pub nodes: Vec<NodeName>,
    /// Indexed by [`LinkId`].
    pub links: Vec<LinkName>,
    /// Indexed by [`RuleId`].
    pub rules: Vec<RuleName>,
    /// Indexed by [`AppId`].
    pub apps: Vec<AppName>,
    /// The addresses of ports that have any.
    pub interfaces: BTreeMap<(NodeId, PortId), Interface>,
    /// Whose each IP address is; behind different address translators one address may be several nodes'.
    pub owners: BTreeSet<(IpAddr, NodeId)>,
}

impl Names {
    /// Registers a rule: an impairment or a fault.
    ///
    /// # Panics
    ///
    /// With more rules than a `u32` counts.
    pub fn add_rule(&mut self, name: impl Into<String>, line: Option<u32>) -> RuleId {
        let id = RuleId(u32::try_from(self.rules.len()).expect("fewer rules than a u32 counts"));
        self.rules.push(RuleName { name: name.into(), line });
        id
    }

    /// The rule of this name, the first if a fault borrows an impairment's.
    #[must_use]
    pub fn find_rule(&self, name: &str) -> Option<RuleId> {
        let index = self.rules.iter().position(|rule| rule.name == name)?;
        Some(RuleId(u32::try_from(index).ok()?))
    }

    /// A node's name.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &str {
        &self.nodes[id.0 as usize].name
    }

    /// A port's name, without its node's.
    #[must_use]
    pub fn port(&self, node: NodeId, port: PortId) -> &str {
        &self.nodes[node.0 as usize].ports[usize::from(port.0)]
    }

    /// A link's name.
    #[must_use]
    pub fn link(&self, id: LinkId) -> &str {
        &self.links[id.0 as usize].name
    }

    /// A rule's name.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> &str {
        &self.rules[id.0 as usize].name
    }

    /// A program's name.
    #[must_use]
    pub fn app(&self, id: AppId) -> &str {
        &self.apps[id.0 as usize].name
    }

    /// The IP addresses of a node, by its ports.
    pub fn addresses_of(&self, node: NodeId) -> impl Iterator<Item = IpAddr> {
        let ports = self.interfaces.range((node, PortId(0))..=(node, PortId(u16::MAX)));
        ports.flat_map(|(_, interface)| interface.addresses.iter().copied())
    }

    /// Where a pipe begins.
    #[must_use]
    pub fn source(&self, pipe: PipeId) -> (NodeId, PortId) {
        self.links[pipe.link().0 as usize].ends[usize::from(pipe.direction() == Direction::BToA)]
    }

    /// Where a pipe ends.
    #[must_use]
    pub fn destination(&self, pipe: PipeId) -> (NodeId, PortId) {
        self.links[pipe.link().0 as usize].ends[usize::from(pipe.direction() == Direction::AToB)]
    }

    /// The pipe that begins at a port, if a link is plugged in there.
    #[must_use]
    pub fn pipe_from(&self, node: NodeId, port: PortId) -> Option<PipeId> {
        // Linear, for setting up and for tests; observers that need it often keep a table of their own.
        self.links.iter().enumerate().find_map(|(index, link)| {
            let end = link.ends.iter().position(|end| *end == (node, port))?;
            let direction = if end == 0 { Direction::AToB } else { Direction::BToA };
            Some(PipeId::new(LinkId(u32::try_from(index).ok()?), direction))
        })
    }
}

impl Resolve for Names {
    /// The name of the node that has this address; `None` if several have it, behind different address translators.
    fn name(&self, address: IpAddr) -> Option<&str> {
        let mut owners = self.owners.range((address, NodeId(0))..=(address, NodeId(u32::MAX)));
        let (_, node) = owners.next()?;
        owners.next().is_none().then(|| self.node(*node))
    }
}
