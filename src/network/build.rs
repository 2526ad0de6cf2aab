//! Putting a network together: nodes, ports, links.

use std::net::IpAddr;

use super::part::{Crossing, Ends, LaneSlot, NodeSlot, PipeSlot, PortSlot};
use super::{Network, Seat};
use crate::id::{AppId, Direction, LinkId, NodeId, PipeId, PortId};
use crate::link::{Lane, Pipe, PipeSpec};
use crate::node::Node;
use crate::record::{AppName, Interface, LinkName, NodeName};

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
        let id = NodeId(u32::try_from(self.node_seats.len()).expect("fewer nodes than a u32 counts"));
        assert!(id.0 < crate::id::FrameId::LINK_BIT, "fewer nodes than half a u32 counts");
        node.enrol(&mut |name, line| self.names.add_rule(name, line));
        let slot = NodeSlot::new(id, node, vec![PortSlot::default(); ports.len()]);
        self.names.nodes.push(NodeName { name: name.into(), kind: slot.node.kind(), ports });
        // Behind all others, whichever part they are in: the order in a part is that of the ids.
        let index = self.parts[0].add_node(slot);
        self.node_seats.push(Seat { part: 0, index });
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
        let taken = ends.iter().find(|(node, port)| self.pipe_from(*node, *port).is_some());
        if let Some((node, port)) = taken {
            let node_name = self.names.node(*node).to_owned();
            return Err(WiringError::PortTaken { node: node_name, port: self.names.port(*node, *port).to_owned() });
        }
        let link = LinkId(u32::try_from(self.names.links.len()).expect("fewer links than a u32 counts"));
        self.names.links.push(LinkName { name: name.into(), ends });
        for (direction, spec) in Direction::BOTH.into_iter().zip(specs) {
            let id = PipeId::new(link, direction);
            self.add_pipe(Pipe::new(id, spec));
        }
        Ok(link)
    }

    /// Puts a pipe in the part of the node that it begins at, and plugs it in at both ends.
    ///
    /// # Panics
    ///
    /// When a node or port does not exist.
    pub(super) fn add_pipe(&mut self, mut pipe: Pipe) {
        let id = pipe.id();
        let ((from, from_port), (to, to_port)) = (self.names.source(id), self.names.destination(id));
        let [from_seat, to_seat] = [from, to].map(|node| self.node_seats[node.0 as usize]);
        let mut crossing = None;
        let index = u32::try_from(self.parts[from_seat.part as usize].pipes.len()).expect("there are no more than ids");
        let mut ends = Ends::Pipe(index);
        if from_seat.part != to_seat.part {
            // Of one instant, what arrives comes before what is sent if its node comes before.
            pipe.divide(to < from);
            let lanes = &mut self.parts[to_seat.part as usize].lanes;
            let lane = u32::try_from(lanes.len()).expect("there are no more than ids");
            lanes.push(LaneSlot { lane: Lane::default(), to: (to_seat.index, to_port), scheduled: None });
            crossing = Some(Crossing { part: to_seat.part, lane });
            ends = Ends::Lane(lane);
        }
        let slot = PipeSlot { pipe, to: (to_seat.index, to_port), crossing, scheduled: None };
        self.parts[from_seat.part as usize].pipes.push(slot);
        self.port_mut(from, from_port).begins = Some(index);
        self.port_mut(to, to_port).ends = Some(ends);
        let seat = Seat { part: from_seat.part, index };
        match self.pipe_seats.get_mut(id.0 as usize) {
            Some(known) => *known = seat,
            None => self.pipe_seats.push(seat),
        }
        self.parallel.forget_distances();
    }

    fn port_mut(&mut self, node: NodeId, port: PortId) -> &mut PortSlot {
        &mut self.node_slot_mut(node).ports[usize::from(port.0)]
    }
}
