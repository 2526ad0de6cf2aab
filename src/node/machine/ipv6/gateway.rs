//! What a kernel sends through a gateway (see [`gateway`](super::super::gateway)).

use super::Ipv6Layer;
use super::header::Header;
use super::icmp::Complaint;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

impl Ipv6Layer {
    /// Sends what a kernel has made, which alone may cut it. An error for the kernel is given back if it is too large, or
    /// no route leads there.
    pub(in crate::node::machine) fn enter(
        &mut self,
        interface: u16,
        mut packet: Frame,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        let header = match Header::of(packet.bytes()) {
            Ok(header) => header,
            Err(cause) => {
                out.drop_frame(packet, cause);
                return None;
            }
        };
        let mtu = self.mtu_of(interface);
        let refusal = if header.total_length > mtu {
            Some((Cause::PacketTooBig, Complaint::PacketTooBig { mtu }))
        } else if !header.destination.is_multicast() && self.next_on_the_way(header.destination).is_none() {
            Some((Cause::NoRoute, Complaint::NoRoute))
        } else {
            None
        };
        let Some((cause, complaint)) = refusal else {
            self.inject(None, packet, now, out);
            return None;
        };
        let error = self.error_about(complaint, &mut packet, now, out);
        out.drop_frame(packet, cause);
        error
    }
}
