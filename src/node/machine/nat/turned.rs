//! Who has sent a packet that turned round: its source is an outside endpoint, as its receiver must see it, and somebody
//! inside holds that.
//!
//! A firewall knows connections by their inside ends on both ways. An answer to what turned round turns round too, and
//! gets another outside source than the one that it answers to: only by the inside ends do the two belong together.

use super::super::header::Header;
use super::Nat;
use super::error::Quoted;
use super::rewrite::{Endpoint, Side, rewrite, rewrite_address};
use super::transport::Transport;
use crate::wire::Frame;

/// The two names of who has sent a packet that turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node::machine) struct Turned {
    inside: Endpoint,
    outside: Endpoint,
}

impl Nat {
    /// Who has sent a packet on its way from one interface to another, if it has turned round.
    pub(in crate::node::machine) fn sender_of_turned(&self, packet: &Frame) -> Option<Turned> {
        let header = Header::of_own(packet.bytes()).ok().filter(|header| self.has_address(header.source))?;
        let (protocol, outside) = match Transport::of(&header, packet.bytes()) {
            Transport::Flow(flow) => (flow.protocol, flow.source),
            // Who complains about a packet is who it was for.
            Transport::Error => {
                let quoted = Quoted::read(&header, packet.bytes()).ok()?;
                (quoted.protocol, quoted.destination)
            }
            Transport::OtherIcmp | Transport::Portless | Transport::Malformed => return None,
        };
        Some(Turned { inside: self.table.holder_of(protocol, outside)?, outside })
    }
}

impl Turned {
    /// Has the packet show its sender's inside end.
    pub(in crate::node::machine) fn show_inside(self, packet: &mut Frame) {
        name_sender(packet, self.inside);
    }

    /// Has it show the outside one again.
    pub(in crate::node::machine) fn show_outside(self, packet: &mut Frame) {
        name_sender(packet, self.outside);
    }
}

fn name_sender(packet: &mut Frame, name: Endpoint) {
    let Ok(mut header) = Header::of_own(packet.bytes()) else { return };
    match Transport::of(&header, packet.bytes()) {
        Transport::Flow(_) => rewrite(packet, &mut header, Side::Source, name),
        Transport::Error => {
            if let Ok(quoted) = Quoted::read(&header, packet.bytes()) {
                quoted.rewrite(packet, &header, Side::Destination, name);
            }
            rewrite_address(packet, &mut header, Side::Source, name.address);
        }
        Transport::OtherIcmp | Transport::Portless | Transport::Malformed => {}
    }
}
