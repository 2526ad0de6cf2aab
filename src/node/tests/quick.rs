//! The quick way through a router is the long way, only quicker.

use std::time::Duration;

use proptest::prelude::*;
use smoltcp::wire::Ipv4Packet;

use super::lab::*;
use crate::id::PortId;
use crate::node::machine::{MachineSpec, RouteKind, RouteSpec};
use crate::node::{Machine, Node as _};
use crate::record::Value;
use crate::wire::{Layer, View, verify};

const A: &str = "10.0.1.10";
const B: &str = "10.0.2.20";
const ROUTER: &str = "10.0.1.1";

/// What comes of a frame that arrives at the router of `routed`, whose ways are known. A frame that is marked as
/// damaged takes the long way.
fn told(lab: &mut Lab, bytes: &[u8], takes_long_way: bool) -> (Vec<Vec<u8>>, String) {
    lab.log.clear();
    let mut frame = super::super::foreign_frame(bytes, Layer::Ethernet, &mut lab.out);
    frame.foreign = takes_long_way;
    lab.call(1, |node, now, out| node.receive(PortId(0), frame, now, out));
    (lab.sent_by(1), lab.told())
}

/// `routed`, after a packet to the other side and one to the router itself.
fn warm() -> Lab {
    let mut lab = routed();
    for destination in [B, ROUTER] {
        lab.arrive(1, 0, &Packet::udp(A, destination, 9, b"hello").framed(mac(1), mac(2)));
    }
    lab
}

fn forwarded(lab: &mut Lab) -> Option<Value> {
    lab.machine(1).counter("ip.forwarded")
}

#[test]
fn what_follows_takes_the_quick_way_and_does_not_ask_for_timers() {
    let mut lab = warm();
    for _ in 0..2 {
        let (sent, _) = told(&mut lab, &Packet::udp(A, B, 9, b"hello").framed(mac(1), mac(2)), false);
        assert_eq!(sent.len(), 1);
        assert!(lab.out.take_keeps_timers());
    }
    assert_eq!(forwarded(&mut lab), Some(Value::Integer(3)));
    let _ = told(&mut lab, &Packet::udp(A, B, 9, b"hello").framed(mac(1), mac(2)), true);
    assert!(!lab.out.take_keeps_timers());
}

#[test]
fn a_link_or_a_neighbor_that_changes_is_noticed_at_once() {
    let mut lab = warm();
    lab.set_link(1, 1, true, 600);
    let large = Packet::udp(A, B, 9, &[0; 900]).dont_fragment().framed(mac(1), mac(2));
    assert!(told(&mut lab, &large, false).1.contains("fragmentation-needed"));
    let mut lab = warm();
    lab.machine(1).set_routes(&[RouteSpec::refusing("10.0.2.16/28".parse().unwrap(), RouteKind::Blackhole)]);
    let packet = Packet::udp(A, B, 9, b"").framed(mac(1), mac(2));
    assert!(told(&mut lab, &packet, false).1.contains("blackhole"));
}

#[test]
fn an_answer_that_is_trusted_no_longer_is_asked_for_again() {
    let mut lab = Lab::new();
    let r = MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    lab.add("b", Machine::new(MachineSpec::host("b", 1).interface(interface(4, "10.0.2.20/24"))));
    lab.add("r", Machine::new(r));
    lab.wire((1, 1), (0, 0));
    let packet = Packet::udp(A, B, 9, b"").framed(mac(1), mac(2));
    for _ in 0..2 {
        assert!(!told(&mut lab, &packet, false).1.is_empty());
        lab.run_for(Duration::from_millis(10));
    }
    lab.run_for(Duration::from_secs(3600));
    assert!(told(&mut lab, &packet, false).1.contains("arp"), "trusted for ever");
}

#[derive(Debug, Clone)]
struct Strange {
    ttl: u8,
    dont_fragment: bool,
    fragment: Option<(u16, bool)>,
    options: bool,
    payload: usize,
    padding: usize,
    /// Bytes of the frame that are changed, before the header's checksum is made right again.
    changed: Vec<(usize, u8)>,
}

fn strange() -> impl Strategy<Value = Strange> {
    let fragment = prop::option::weighted(0.2, (0_u16..4, any::<bool>()));
    let ttl = prop_oneof![0_u8..4, Just(64_u8), Just(255_u8)];
    let changed = prop::collection::vec((0_usize..42, any::<u8>()), 0..3);
    let sizes = (prop_oneof![0_usize..30, 1460_usize..1490], 0_usize..30);
    (ttl, any::<bool>(), fragment, prop::bool::weighted(0.2), sizes, changed).prop_map(
        |(ttl, dont_fragment, fragment, options, (payload, padding), changed)| Strange {
            ttl,
            dont_fragment,
            fragment,
            options,
            payload,
            padding,
            changed,
        },
    )
}

impl Strange {
    fn bytes(&self, destination: &str) -> Vec<u8> {
        let mut packet = Packet::udp(A, destination, 9, &vec![7; self.payload]).ttl(self.ttl);
        if self.dont_fragment {
            packet = packet.dont_fragment();
        }
        if let Some((offset, more)) = self.fragment {
            packet = packet.offset(offset * 8, more);
        }
        if self.options {
            packet = packet.options(&[7, 3, 4, 0]);
        }
        let mut bytes = packet.framed(mac(1), mac(2));
        bytes.extend(std::iter::repeat_n(0, self.padding));
        for (at, value) in &self.changed {
            if let Some(byte) = bytes.get_mut(*at) {
                *byte = *value;
            }
        }
        let header = usize::from(bytes[14] & 0x0f) * 4;
        if (20..=bytes.len() - 14).contains(&header) {
            Ipv4Packet::new_unchecked(&mut bytes[14..]).fill_checksum();
        }
        bytes
    }
}

proptest! {
    #[test]
    fn both_ways_do_the_same_to_every_packet(strange in strange(), is_for_router in any::<bool>()) {
        let bytes = strange.bytes(if is_for_router { ROUTER } else { B });
        let (mut quick, mut long) = (warm(), warm());
        let transport = View::of_bytes(&bytes, Layer::Ethernet).ip.and_then(|ip| verify::transport_checksum(&ip));
        let sound = Ipv4Packet::new_checked(&bytes[14..]).is_ok_and(|packet| packet.verify_checksum())
            && transport != Some(false);
        // A link that is told of, changed or not, makes a machine forget the ways that it knows.
        long.set_link(1, 1, true, 1500);
        prop_assert_eq!(told(&mut quick, &bytes, !sound), told(&mut long, &bytes, !sound));
        for counter in ["ip.forwarded", "ip.received", "ip.delivered"] {
            let [quick, long] = [&mut quick, &mut long].map(|lab| lab.machine(1).counter(counter));
            prop_assert_eq!(quick, long);
        }
    }
}

#[test]
fn what_is_for_the_machine_itself_is_delivered_until_the_address_goes() {
    let mut lab = warm();
    let packet = Packet::udp(A, ROUTER, 9, b"hello").framed(mac(1), mac(2));
    let delivered = |lab: &mut Lab| lab.machine(1).counter("ip.delivered");
    for expected in 2..5 {
        let (_, told) = told(&mut lab, &packet, false);
        assert!(told.contains("nobody-listens"), "{told}");
        assert_eq!(delivered(&mut lab), Some(Value::Integer(expected)));
    }
    let ping = Packet::ping(A, ROUTER, b"hello").framed(mac(1), mac(2));
    assert_eq!(told(&mut lab, &ping, false).0.len(), 1, "echo requests are the IP layer's");
}
