//! The quick way through a router, for the packet whose like has just passed.
//!
//! Almost every packet that a router forwards is plain: an untagged frame for its own card, an IPv4 header without
//! options, time to live to spare, no larger than the next link takes, from and to addresses for which the long walk
//! ([`input`](super::input), [`forward`](super::forward)) has just been taken. Such a packet is looked at once and
//! changed in place: two hardware addresses, the time to live and its checksum.
//!
//! Nothing is decided here that the long walk would decide otherwise: a packet of which anything is not plain is left
//! to it, untouched. What a flow's way depends on is in the [key](super::hop::FlowKey) or makes the
//! [cache](super::hop::HopCache) forget. The twin test below sends the same packets both ways.

use std::net::Ipv4Addr;

use super::header::{HEADER_BYTES, Header, decrement_ttl};
use super::hop::{FlowKey, QuickWay};
use super::ip::IpLayer;
use super::mss;
use super::neighbor::NeighborKey;
use super::nic::ETHERNET_HEADER_BYTES;
use crate::id::PortId;
use crate::record::Outbox;
use crate::time::Time;
use crate::wire::{Frame, Layer};

const TCP: u8 = 6;

/// Where the flags of a TCP segment are, in a frame without a tag whose IPv4 header has no options.
const TCP_FLAGS_AT: usize = ETHERNET_HEADER_BYTES + HEADER_BYTES + 13;

const SYN: u8 = 0x02;

impl IpLayer {
    /// The way of a frame that is plain, if it is known.
    pub(super) fn quick_way(&self, port: PortId, frame: &Frame, now: Time) -> Option<QuickWay> {
        // A doubtful frame is checked, and the address translator and the firewall look at every packet.
        if frame.is_doubtful() || self.gate.is_some() || frame.layer != Layer::Ethernet {
            return None;
        }
        let head: &[u8; ETHERNET_HEADER_BYTES + HEADER_BYTES] = frame.bytes().first_chunk()?;
        // An untagged IPv4 packet from one station, its header without options.
        if head[6] & 1 != 0 || head[12..15] != [0x08, 0x00, 0x45] {
            return None;
        }
        // A SYN may have to be changed on its way.
        if self.spec.ipv4.clamps_mss && may_be_syn(frame.bytes()) {
            return None;
        }
        let [source, destination] = [&head[26..30], &head[30..34]].map(address);
        let way = self.hops.find(FlowKey { source, destination, from: port.0 }, now)?;
        let total_length = usize::from(u16::from_be_bytes([head[16], head[17]]));
        let is_sound = total_length >= HEADER_BYTES && total_length <= frame.len() - ETHERNET_HEADER_BYTES;
        let has_time_to_live = head[22] > 1;
        // Filters look at fragments, and a SYN may have to be changed.
        let is_whole = u16::from_be_bytes([head[20], head[21]]) & 0x3fff == 0;
        let may_be_syn = || head[23] == TCP && frame.bytes().get(TCP_FLAGS_AT).is_none_or(|flags| flags & SYN != 0);
        let is_left_alone = is_whole && !(self.spec.ipv4.clamps_mss && may_be_syn());
        let is_for_this_card = head[..6] == self.spec.interfaces.get(usize::from(port.0))?.mac.0;
        (is_sound && has_time_to_live && is_left_alone && is_for_this_card && total_length <= way.mtu).then_some(*way)
    }

    /// Forwards a frame whose way is known.
    pub(super) fn pass_quickly(&mut self, way: &QuickWay, mut frame: Frame, out: &mut Outbox) {
        let head: &mut [u8; ETHERNET_HEADER_BYTES + HEADER_BYTES] =
            frame.bytes_mut().first_chunk_mut().expect("what is shorter has no quick way");
        head[..6].copy_from_slice(&way.mac.0);
        head[6..12].copy_from_slice(&way.own_mac.0);
        decrement_ttl(&mut head[ETHERNET_HEADER_BYTES..]);
        let length = ETHERNET_HEADER_BYTES + usize::from(u16::from_be_bytes([head[16], head[17]]));
        // Whatever lies behind the packet is the link's padding.
        frame.buffer_mut().truncate(length);
        self.counters.received += 1;
        self.counters.forwarded += 1;
        out.keeps_timers();
        out.send(PortId(way.interface), frame);
    }

    /// Remembers the way that a packet takes for those that are like it, if every one of them takes it.
    pub(super) fn remember_way(&mut self, from: u16, header: &Header, interface: u16, neighbor: Ipv4Addr, now: Time) {
        let known = self.neighbors.mac_of(NeighborKey { interface, address: neighbor }, now);
        let (Some((mac, fresh_until)), Some(spec)) = (known, self.spec.interfaces.get(usize::from(interface))) else {
            return;
        };
        let (own_mac, mtu) = (spec.mac, self.mtu_of(interface));
        // A tag would have to be put on.
        if spec.vlan.is_none() {
            let key = FlowKey { source: header.source, destination: header.destination, from };
            self.hops.remember(key, QuickWay { fresh_until, interface, mtu, own_mac, mac });
        }
    }
}

/// Whether an untagged frame with an IPv4 header without options is a SYN, as far as one byte can tell.
fn may_be_syn(frame: &[u8]) -> bool {
    const PROTOCOL: usize = ETHERNET_HEADER_BYTES + 9;
    frame.get(PROTOCOL) == Some(&6) && frame.get(ETHERNET_HEADER_BYTES + HEADER_BYTES..).is_some_and(mss::is_syn)
}

fn address(bytes: &[u8]) -> Ipv4Addr {
    <[u8; 4]>::try_from(bytes).map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from)
}
