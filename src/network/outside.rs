//! The side of a network that is turned to the outside: gateways, and who watches while time stands.
//!
//! What a kernel sends comes in as an [`Enter`], an action planned for its time, so that a run with such actions is a run
//! like any other: planned again from a recording, they give the same bytes. What is for a kernel is [taken](Network::leaving)
//! by who keeps the device, between two steps.

use super::{Action, Network};
use crate::id::NodeId;
use crate::node::{Gateway, Machine};
use crate::wire::Frame;

/// What a kernel has sent to a gateway: packets of one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enter {
    /// The gateway.
    pub node: NodeId,
    /// Packets or frames, whichever its device has, in order.
    pub packets: Vec<Vec<u8>>,
}

impl Action for Enter {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        // As with any action at time zero: a node that has not begun can do nothing.
        if network.has_started {
            network.start_node(self.node);
        }
        for packet in &self.packets {
            network.enter(self.node, packet);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!("{} packets from outside (node {})", self.packets.len(), self.node.0)
    }
}

impl Network {
    /// All gateways, in the order of the nodes.
    #[must_use]
    pub fn gateways(&mut self) -> Vec<NodeId> {
        let nodes = (0..u32::try_from(self.node_seats.len()).unwrap_or(u32::MAX)).map(NodeId);
        nodes.filter(|node| self.gateway(*node).is_some()).collect()
    }

    /// A machine, to be asked for its addresses and the like; `None` if the node is none.
    pub fn machine(&mut self, node: NodeId) -> Option<&mut Machine> {
        self.node_seats.get(node.0 as usize)?;
        self.node_slot_mut(node).node.as_any().downcast_mut::<Machine>()
    }

    /// The gateway that a node is, if it is one.
    pub fn gateway(&mut self, node: NodeId) -> Option<&mut Gateway> {
        self.machine(node)?.gateway_mut()
    }

    /// The next packet or frame for the kernel behind a gateway; to be [given back](Self::recycle).
    #[must_use]
    pub fn leaving(&mut self, node: NodeId) -> Option<Frame> {
        self.gateway(node)?.take()
    }

    /// Gives a frame's buffer back.
    pub fn recycle(&mut self, frame: Frame) {
        frame.recycle(&mut self.parts[0].outbox.pool);
    }

    /// Lets those who watch write down what they have held back, as far as nothing more can happen to it. For who looks
    /// while the run goes on; it changes nothing of what is written in the end.
    pub fn flush(&mut self) {
        for observer in &mut self.observers {
            observer.flush(self.now, &self.names);
        }
    }

    /// From now on an action that cannot be carried out does not end the run: a person has asked for it and is told.
    pub fn forgive(&mut self) {
        self.complaints.get_or_insert_default();
    }

    /// Why actions could not be carried out since the last call.
    pub fn take_complaints(&mut self) -> Vec<String> {
        self.complaints.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How many frames and packets were dropped so far, on links and in nodes.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let nodes = self.parts.iter().flat_map(|part| &part.nodes);
        let pipes = self.parts.iter().flat_map(|part| &part.pipes);
        let in_nodes = nodes.filter_map(|slot| slot.drops.as_deref()).flatten().sum::<u64>();
        in_nodes + pipes.map(|slot| slot.pipe.counters().dropped).sum::<u64>()
    }

    fn enter(&mut self, node: NodeId, packet: &[u8]) {
        if self.machine(node).is_some() {
            self.call(node, |node, now, out| {
                let machine = node.as_any().downcast_mut::<Machine>();
                machine.expect("it was asked for just now").enter(packet, now, out);
            });
        }
    }
}
