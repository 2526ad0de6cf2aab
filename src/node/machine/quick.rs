//! The quick way through a machine, for the packet whose like has just passed.
//!
//! There are three: through a router, from a link to this machine's own sockets, and from these to a link. Almost every packet that a router forwards is plain: an untagged frame for its own card, an IPv4 header without
//! options, time to live to spare, no larger than the next link takes, from and to addresses for which the long walk
//! ([`input`](super::input), [`forward`](super::forward)) has just been taken. Such a packet is looked at once and
//! changed in place: two hardware addresses, the time to live and its checksum.
//!
//! Nothing is decided here that the long walk would decide otherwise: a packet of which anything is not plain is left
//! to it, untouched. What a flow's way depends on is in the [key](super::hop::FlowKey) or makes the
//! [cache](super::hop::HopCache) forget. The twin test below sends the same packets both ways.

use std::net::Ipv4Addr;

use smoltcp::wire::{EthernetProtocol, Ipv4Packet};

use super::header::{HEADER_BYTES, Header, decrement_ttl};
use super::hop::{FlowKey, HERE, QuickWay};
use super::ip::IpLayer;
use super::mss;
use super::neighbor::NeighborKey;
use super::nic::{ETHERNET_HEADER_BYTES, put_header};
use crate::id::PortId;
use crate::record::Outbox;
use crate::time::Time;
use crate::wire::{Frame, Layer};

const ICMP: u8 = 1;

/// The bit of the header's seventh and eighth bytes that forbids fragmentation.
const DONT_FRAGMENT: u16 = 0x4000;

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
        // Fragments of what is for this machine wait for each other; filters look at fragments too.
        let is_whole = u16::from_be_bytes([head[20], head[21]]) & 0x3fff == 0;
        let is_for_this_card = head[..6] == self.spec.interfaces.get(usize::from(port.0))?.mac.0;
        // Echo requests are answered by the IP layer itself; a last hop matters to those that it does not reach.
        let may_pass = if way.ends_here() { head[23] != ICMP } else { head[22] > 1 };
        (is_sound && is_whole && is_for_this_card && may_pass && total_length <= way.mtu).then_some(*way)
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

    /// Takes a frame off a link that is known to be for this machine's sockets: a whole packet.
    pub(super) fn take_quickly(&mut self, port: PortId, mut frame: Frame) -> Frame {
        let length = frame.bytes().get(16..18).map_or(0, |length| u16::from_be_bytes([length[0], length[1]]));
        let buffer = frame.buffer_mut();
        buffer.shrink_front(ETHERNET_HEADER_BYTES);
        buffer.truncate(usize::from(length));
        frame.layer = Layer::Ip;
        self.arrived_on = Some(port.0);
        self.counters.received += 1;
        self.counters.delivered += 1;
        frame
    }

    /// Sends a packet of this machine's own if it is plain and its way is known; otherwise it is given back, untouched.
    pub(super) fn send_quickly(&mut self, mut packet: Frame, now: Time, out: &mut Outbox) -> Result<(), Frame> {
        let length = packet.len();
        let Some(head) = packet.bytes().first_chunk::<HEADER_BYTES>() else { return Err(packet) };
        let total_length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let fragment = u16::from_be_bytes([head[6], head[7]]);
        if head[0] != 0x45 || total_length != length || fragment & 0x3fff != 0 || self.gate.is_some() {
            return Err(packet);
        }
        let [source, destination] = [&head[12..16], &head[16..20]].map(address);
        let way = self.hops.find(FlowKey { source, destination, from: HERE }, now);
        let Some(way) = way.filter(|way| total_length <= way.mtu).copied() else { return Err(packet) };
        // RFC 6864 §4.1, as the long way has it.
        let needs_ident = [head[4], head[5]] == [0, 0] && fragment & DONT_FRAGMENT == 0;
        self.counters.sent += 1;
        let ident = needs_ident.then(|| self.next_ident());
        let mut ip = Ipv4Packet::new_unchecked(packet.bytes_mut());
        if let Some(ident) = ident {
            ip.set_ident(ident);
        }
        ip.fill_checksum();
        put_header(&mut packet, way.mac, way.own_mac, EthernetProtocol::Ipv4);
        out.send(PortId(way.interface), packet);
        Ok(())
    }

    /// Remembers that packets of this source and destination that come in on an interface are for this machine.
    pub(super) fn remember_own(&mut self, from: u16, header: &Header) {
        let Header { source, destination, .. } = *header;
        // Who has no address yet is not always who it was; what is for many is not always for this machine.
        if self.gate.is_none() && !source.is_unspecified() && self.owns_v4(destination) {
            self.hops.remember(FlowKey { source, destination, from }, QuickWay::ending_here());
        }
    }

    /// Remembers the way that a packet takes for those that are like it, if every one of them takes it.
    pub(super) fn remember_way(&mut self, from: u16, header: &Header, interface: u16, neighbor: Ipv4Addr, now: Time) {
        let known = self.neighbors.mac_of(NeighborKey { interface, address: neighbor }, now);
        let (Some((mac, fresh_until)), Some(spec)) = (known, self.spec.interfaces.get(usize::from(interface))) else {
            return;
        };
        let own_mac = spec.mac;
        let mtu = match from {
            HERE => self.paths.limit(header.destination, self.mtu_of(interface)),
            _ => self.mtu_of(interface),
        };
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use smoltcp::wire::EthernetAddress;

    use super::*;
    use crate::net::{Ip, SendError};
    use crate::node::machine::{InterfaceSpec, MachineSpec, RouteSpec};
    use crate::record::Effect;

    const OWN: [u8; 4] = [10, 0, 0, 1];

    /// A host whose neighbors are known; 10.9.0.0/16 lies behind one of them.
    fn host() -> IpLayer {
        let mac = |last| EthernetAddress([2, 0, 0, 0, 0, last]);
        let mut spec = MachineSpec::host("h", 1);
        spec.interfaces.push(InterfaceSpec::new("eth0", mac(1), "10.0.0.1/24".parse().unwrap()));
        spec.routes.push(RouteSpec::via("10.9.0.0/16".parse().unwrap(), "10.0.0.2".parse().unwrap()));
        let mut layer = IpLayer::new(Arc::new(spec));
        for last in [2, 3] {
            let key = NeighborKey { interface: 0, address: Ipv4Addr::new(10, 0, 0, last) };
            let _ = layer.neighbors.set(key, super::super::neighbor::State::Permanent, mac(last), Time::ZERO);
        }
        layer
    }

    #[derive(Debug, Clone)]
    struct Sent {
        source: [u8; 4],
        destination: [u8; 4],
        ident: u16,
        /// The field of flags and fragment offset.
        fragment: u16,
        options: bool,
        protocol: u8,
        payload: usize,
    }

    impl Sent {
        fn frame(&self, out: &mut Outbox) -> Frame {
            let header = if self.options { 24 } else { 20 };
            let mut bytes = vec![0; header + self.payload];
            bytes[0] = 0x40 | (header / 4) as u8;
            let total = bytes.len() as u16;
            bytes[2..4].copy_from_slice(&total.to_be_bytes());
            bytes[4..6].copy_from_slice(&self.ident.to_be_bytes());
            bytes[6..8].copy_from_slice(&self.fragment.to_be_bytes());
            (bytes[8], bytes[9]) = (64, self.protocol);
            bytes[12..16].copy_from_slice(&self.source);
            bytes[16..20].copy_from_slice(&self.destination);
            bytes[20..header].fill(1);
            Frame::new(out.pool.copy(&bytes), Layer::Ip)
        }
    }

    fn sent() -> impl Strategy<Value = Sent> {
        let source = prop_oneof![9 => Just(OWN), 1 => Just([10, 0, 0, 77]), 1 => Just([127, 0, 0, 1])];
        let others =
            [[10, 0, 0, 2], [10, 0, 0, 3], [10, 9, 1, 1], [10, 0, 0, 1], [10, 0, 0, 255], [224, 0, 0, 5], [8, 8, 8, 8]];
        let destination = prop::sample::select(others.to_vec());
        let fragment = prop_oneof![Just(0_u16), Just(0x4000), Just(0x2000), Just(5)];
        let ident = prop_oneof![Just(0_u16), any::<u16>()];
        let rest = (prop::bool::weighted(0.1), any::<u8>(), prop_oneof![0_usize..40, 1470_usize..1490]);
        (source, destination, ident, fragment, rest).prop_map(
            |(source, destination, ident, fragment, (options, protocol, payload))| Sent {
                source,
                destination,
                ident,
                fragment,
                options,
                protocol,
                payload,
            },
        )
    }

    /// What comes of sending: the result, what was put on the link, what was dropped and why.
    fn send(layer: &mut IpLayer, sent: &Sent) -> (Result<(), SendError>, String) {
        let mut out = Outbox::new(true);
        let frame = sent.frame(&mut out);
        let result = layer.send(frame, Time::from_secs(1), &mut out);
        let tell = |effect: &Effect| match effect {
            Effect::Send { port, frame } => format!("{port:?} {:?}\n", frame.bytes()),
            other => format!("{other:?}\n"),
        };
        (result, out.effects().iter().map(tell).collect())
    }

    proptest! {
        #[test]
        fn what_is_sent_quickly_is_what_would_be_sent_at_length(packets in prop::collection::vec(sent(), 1..40)) {
            let (mut quick, mut long) = (host(), host());
            for sent in &packets {
                long.hops.forget();
                prop_assert_eq!(send(&mut quick, sent), send(&mut long, sent));
                prop_assert_eq!(quick.counters.list(), long.counters.list());
            }
        }
    }

    #[test]
    fn a_packet_that_follows_another_is_sent_quickly_until_the_path_has_a_smaller_mtu() {
        let mut layer = host();
        let plain = Sent {
            source: OWN,
            destination: [10, 9, 1, 1],
            ident: 0,
            fragment: 0x4000,
            options: false,
            protocol: 17,
            payload: 1000,
        };
        let mut out = Outbox::new(false);
        let frame = plain.frame(&mut out);
        assert!(layer.send_quickly(frame, Time::ZERO, &mut out).is_err(), "nothing is known yet");
        send(&mut layer, &plain).0.unwrap();
        let frame = plain.frame(&mut out);
        assert!(layer.send_quickly(frame, Time::ZERO, &mut out).is_ok());
        // "Fragmentation needed", 600, about such a packet.
        let mut message = vec![3, 4, 0, 0, 0, 0, 2, 88];
        message.extend_from_slice(plain.frame(&mut out).bytes());
        layer.learn_path_mtu(&message, Time::ZERO, &mut out);
        assert_eq!(layer.mtu_for(Ipv4Addr::from(plain.destination).into()), 600);
        assert_eq!(send(&mut layer, &plain).0, Err(SendError::MessageTooLong { mtu: 600 }));
    }
}
