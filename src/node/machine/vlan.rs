//! VLANs on a machine's interfaces: `eth0.10` sends and takes the frames of VLAN 10 at `eth0` (IEEE 802.1Q).
//!
//! Such an interface has addresses, neighbors and routes as any other; it has no link of its own. Its frames are tagged
//! on their way out and their tags are taken off on their way in, so that nothing above knows of them. A trunk to a
//! router with one interface for each VLAN is known as a router on a stick.

use super::spec::{InterfaceSpec, VlanSpec};
use crate::id::PortId;
use crate::record::Outbox;
use crate::wire::vlan::{put_tag, tag_of, take_tag};
use crate::wire::{Frame, Layer};

/// The twelve bits of a tag that name the VLAN.
const VLAN_BITS: u16 = 0x0fff;

/// The interface that a frame is for by its tag, which is taken off; `None` if there is none for its VLAN.
pub(super) fn interface_for(interfaces: &[InterfaceSpec], port: PortId, frame: &mut Frame) -> Option<PortId> {
    let Some(tag) = tag_of(frame.bytes()).filter(|_| frame.layer == Layer::Ethernet) else { return Some(port) };
    let interface = match tag & VLAN_BITS {
        // IEEE 802.1Q table 9-2: VLAN 0 says that the tag has a priority and nothing else.
        0 => port,
        id => {
            let parent = usize::from(port.0);
            let index = interfaces.iter().position(|interface| interface.vlan == Some(VlanSpec { parent, id }))?;
            PortId(u16::try_from(index).ok()?)
        }
    };
    take_tag(frame);
    Some(interface)
}

/// Puts a frame of an interface on the link: its own, or with a tag on that of the interface that it belongs to.
pub(super) fn send(interfaces: &[InterfaceSpec], interface: u16, mut frame: Frame, out: &mut Outbox) {
    let vlan = interfaces.get(usize::from(interface)).and_then(|interface| interface.vlan);
    let port = match vlan {
        None => interface,
        Some(VlanSpec { parent, id }) => {
            put_tag(&mut frame, id);
            u16::try_from(parent).unwrap_or(u16::MAX)
        }
    };
    out.send(PortId(port), frame);
}

/// The interfaces whose frames cross the link at a port: its own, and those of VLANs there.
pub(super) fn sharing(interfaces: &[InterfaceSpec], port: PortId) -> impl Iterator<Item = u16> + use<> {
    let parent = usize::from(port.0);
    let is_there = |interface: &InterfaceSpec| interface.vlan.is_some_and(|vlan| vlan.parent == parent);
    let vlans = interfaces.iter().enumerate().filter(|(_, interface)| is_there(interface));
    let vlans: Vec<u16> = vlans.filter_map(|(index, _)| u16::try_from(index).ok()).collect();
    std::iter::once(port.0).chain(vlans)
}
