//! Putting a network together: nodes, ports, links.

use std::net::IpAddr;

use super::{Network, NodeSlot, PipeSlot};
use crate::id::{AppId, Direction, LinkId, NodeId, PipeId, PortId};
use crate::link::{Pipe, PipeSpec};
use crate::node::Node;
use crate::record::{AppName, Interface, LinkName, NodeName};
use crate::time::Time;

/// Why a link could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WiringError {
    /// Something is plugged in there already.
    #[error("port {port} of {node} already has a link")]
    PortTaken {
        /// The node's name.
        node: String,
        /// The port's name.
        port: String,
    },
    /// Both ends are the same port.
    #[error("a link cannot join a port to itself")]
    SameEnds,
}

impl Network {
    /// Adds a node with named ports. Its random streams and frame ids go by the order of adding and by its name.
    ///
    /// # Panics
    ///
    /// With more nodes than half a `u32` counts.
    pub fn add_node(&mut self, name: impl Into<String>, ports: Vec<String>, mut node: Box<dyn Node>) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer nodes than a u32 counts"));
        assert!(id.0 < crate::id::FrameId::LINK_BIT, "fewer nodes than half a u32 counts");
        let pipes = vec![None; ports.len()];
        node.enrol(&mut |name, line| self.names.add_rule(name, line));
        self.names.nodes.push(NodeName { name: name.into(), kind: node.kind(), ports });
        self.nodes.push(NodeSlot {
            node,
            pipes,
            scheduled: None,
            frames: 0,
            drops: None,
            rounds: 0,
            rounds_at: Time::ZERO,
            has_started: false,
        });
        id
    }

    /// Registers the addresses of a port, for whoever talks of addresses by name; the node itself is told of them by
    /// whoever made the node.
    pub fn add_interface(&mut self, node: NodeId, port: PortId, mac: [u8; 6], addresses: Vec<IpAddr>) {
        self.names.owners.extend(addresses.iter().map(|address| (*address, node)));
        self.names.interfaces.insert((node, port), Interface { mac, addresses });
    }

    /// Registers a program's name; the node itself is told of the program by whoever made the node.
    ///
    /// # Panics
    ///
    /// With more programs than a `u32` counts.
    pub fn add_app(&mut self, name: impl Into<String>, kind: impl Into<String>, node: NodeId) -> AppId {
        let id = AppId(u32::try_from(self.names.apps.len()).expect("fewer programs than a u32 counts"));
        self.names.apps.push(AppName { name: name.into(), kind: kind.into(), node });
        id
    }

    /// Joins two ports by a link; `specs` are what its two directions are like, from the first end first.
    ///
    /// # Errors
    ///
    /// When a port is taken or both ends are one port.
    ///
    /// # Panics
    ///
    /// When a node or port does not exist.
    pub fn add_link(
        &mut self,
        name: impl Into<String>,
        ends: [(NodeId, PortId); 2],
        specs: [PipeSpec; 2],
    ) -> Result<LinkId, WiringError> {
        if ends[0] == ends[1] {
            return Err(WiringError::SameEnds);
        }
        let taken = ends.iter().find(|(node, port)| self.nodes[node.0 as usize].pipes[usize::from(port.0)].is_some());
        if let Some((node, port)) = taken {
            let node_name = self.names.node(*node).to_owned();
            return Err(WiringError::PortTaken { node: node_name, port: self.names.port(*node, *port).to_owned() });
        }
        let link = LinkId(u32::try_from(self.names.links.len()).expect("fewer links than a u32 counts"));
        self.names.links.push(LinkName { name: name.into(), ends });
        for (direction, spec) in Direction::BOTH.into_iter().zip(specs) {
            let pipe = PipeId::new(link, direction);
            let (node, port) = self.names.source(pipe);
            self.nodes[node.0 as usize].pipes[usize::from(port.0)] = Some(pipe);
            let to = self.names.destination(pipe);
            self.pipes.push(PipeSlot { pipe: Pipe::new(pipe, spec), to, scheduled: None });
        }
        Ok(link)
    }
}
