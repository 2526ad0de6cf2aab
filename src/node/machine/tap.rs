//! Programs that look at everything: `tcpdump` on this machine.
//!
//! Frames are shown where they enter and leave the machine, so that the layers between know nothing of it: what comes in
//! before anything is done with it, what goes out as it is put on the link, in that order. A tagged frame is shown a
//! second time, without its tag, at the interface of its VLAN. A machine that nobody looks at asks once for each frame
//! whether somebody does; while somebody looks, a router takes no quick way, because programs have to get their turn.

use super::{Machine, vlan};
use crate::id::PortId;
use crate::net::{Place, Stack};
use crate::node::machine::MachineSpec;
use crate::record::{Effect, Outbox};
use crate::time::Time;
use crate::wire::vlan::tag_of;
use crate::wire::{Frame, Pool};

impl Machine {
    /// Shows a frame that has come in. Says whether anybody looks.
    pub(super) fn tap_received(&mut self, port: PortId, frame: &Frame, now: Time) -> bool {
        let Some(stack) = tapped(&mut self.stack) else { return false };
        show(stack, &self.spec, (port, false), frame, now);
        true
    }

    /// Shows the frames that were put on links since there were so many effects.
    pub(super) fn tap_sent(&mut self, before: usize, now: Time, out: &Outbox) {
        let Some(stack) = tapped(&mut self.stack) else { return };
        for effect in out.effects().iter().skip(before) {
            if let Effect::Send { port, frame } = effect {
                show(stack, &self.spec, (*port, true), frame, now);
            }
        }
    }

    /// Shows the packet from this machine to itself that is to be taken in next.
    pub(super) fn tap_looped(&mut self, now: Time) {
        let (Some(stack), Some(ip)) = (tapped(&mut self.stack), self.ip.as_deref()) else { return };
        if let Some(packet) = ip.looped.front().or_else(|| ip.ipv6.as_ref()?.first_looped()) {
            stack.show_frame(packet, Place::Loopback, now);
        }
    }
}

/// The sockets, if somebody looks.
fn tapped(stack: &mut Option<Box<Stack>>) -> Option<&mut Stack> {
    stack.as_deref_mut().filter(|stack| stack.is_tapped())
}

fn show(stack: &mut Stack, spec: &MachineSpec, (port, is_outgoing): (PortId, bool), frame: &Frame, now: Time) {
    stack.show_frame(frame, Place::Link { interface: port.0, is_outgoing }, now);
    if tag_of(frame.bytes()).is_some() {
        let mut untagged = frame.duplicate(&mut Pool::default());
        let interface = vlan::interface_for(&spec.interfaces, port, &mut untagged);
        if let Some(PortId(interface)) = interface.filter(|interface| *interface != port) {
            stack.show_frame(&untagged, Place::Link { interface, is_outgoing }, now);
        }
    }
}
