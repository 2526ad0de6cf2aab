//! IEEE 802.1Q: ports belong to VLANs, and nothing leaks from one to another; limits on flooding and learning.

use proptest::prelude::*;
use smoltcp::wire::EthernetAddress;

use super::lab::*;
use crate::id::PortId;
use crate::node::machine::{InterfaceSpec, MachineSpec, VlanSpec};
use crate::node::switch::{Membership, VlanSet};
use crate::node::{Machine, Node as _, Switch, SwitchSpec};
use crate::record::{Cause, Value};
use crate::time::Time;
use crate::wire::{Frame, Layer, Pool, vlan};

fn trunk(vlans: &[u16], native: Option<u16>) -> Membership {
    Membership::Trunk { vlans: VlanSet::These(vlans.iter().copied().collect()), native }
}

/// p0 and p1 in VLAN 10, p2 in 20, p3 a trunk of both whose native VLAN is 99, p4 a trunk of 10 alone without a native one.
fn switch() -> Lab {
    let mut spec = SwitchSpec { is_vlan_aware: true, ..SwitchSpec::new("sw", 5) };
    let access = Membership::Access;
    let ports = [access(10), access(10), access(20), trunk(&[10, 20], Some(99)), trunk(&[10], None)];
    for (port, vlans) in spec.ports.iter_mut().zip(ports) {
        port.vlans = vlans;
    }
    let mut lab = Lab::new();
    lab.add("sw", Switch::new(spec));
    lab
}

fn untagged(source: u8, destination: u8) -> Vec<u8> {
    let destination = if destination == 255 { EthernetAddress::BROADCAST } else { mac(destination) };
    Packet::udp("10.0.0.1", "10.0.0.2", 9, b"").framed(mac(source), destination)
}

fn tagged(tag: u16, frame: &[u8]) -> Vec<u8> {
    let mut frame = Frame::new(Pool::default().copy(frame), Layer::Ethernet);
    vlan::put_tag(&mut frame, tag);
    frame.bytes().to_vec()
}

/// What comes out where when `frame` comes in at `port`: the port, and the tag if there is one.
fn out(lab: &mut Lab, port: u16, frame: &[u8]) -> Vec<(u16, Option<u16>)> {
    lab.log.clear();
    lab.arrive(0, port, frame);
    let sent = lab.log.iter().filter_map(|entry| match &entry.what {
        Happened::Sent { port, bytes, .. } => Some((*port, vlan::tag_of(bytes))),
        _ => None,
    });
    sent.collect()
}

#[test]
fn a_flood_stays_in_its_vlan_and_is_tagged_on_trunks_only() {
    let mut lab = switch();
    assert_eq!(out(&mut lab, 0, &untagged(1, 255)), [(1, None), (3, Some(10)), (4, Some(10))]);
    assert_eq!(out(&mut lab, 2, &untagged(2, 255)), [(3, Some(20))]);
    assert!(lab.told().starts_with("0.000 sw # learned 02:00:00:00:00:02 on p2 in vlan 20\n"));
}

#[test]
fn a_tag_is_stripped_at_an_access_port_and_the_rest_is_as_it_was() {
    let mut lab = switch();
    let plain = untagged(1, 255);
    assert_eq!(out(&mut lab, 3, &tagged(0xa00a, &plain)), [(0, None), (1, None), (4, Some(0xa00a))]);
    let sent = lab.sent_by(0);
    assert_eq!((&sent[0], &sent[1], &sent[2]), (&plain, &plain, &tagged(0xa00a, &plain)));
}

#[test]
fn an_untagged_frame_on_a_trunk_is_in_the_native_vlan_if_there_is_one() {
    let mut lab = switch();
    // Nobody else carries VLAN 99.
    assert_eq!(out(&mut lab, 3, &untagged(1, 255)), []);
    assert_eq!(lab.drops_of(0), [Cause::WrongVlan]);
    assert!(lab.told().contains("learned 02:00:00:00:00:01 on p3 in vlan 99"));
    assert_eq!(out(&mut lab, 4, &untagged(1, 255)), []);
    assert_eq!(lab.told().lines().count(), 1, "dropped, and nothing learned");
}

#[test]
fn what_a_port_does_not_carry_is_dropped_there() {
    let mut lab = switch();
    for (port, tag) in [(0, 10), (0, 20), (3, 30), (3, 4095), (4, 20)] {
        assert_eq!(out(&mut lab, port, &tagged(tag, &untagged(1, 255))), [], "vlan {tag} at p{port}");
        assert_eq!(lab.drops_of(0), [Cause::WrongVlan]);
    }
    // A priority without a VLAN is as good as no tag; it is not passed on.
    assert_eq!(out(&mut lab, 0, &tagged(0xa000, &untagged(1, 255))), [(1, None), (3, Some(0xa00a)), (4, Some(0xa00a))]);
}

#[test]
fn a_tag_that_is_not_all_there_is_malformed() {
    let mut lab = switch();
    assert_eq!(out(&mut lab, 3, &tagged(10, &untagged(1, 255))[..17]), []);
    assert_eq!(lab.drops_of(0), [Cause::Malformed]);
}

#[test]
fn one_address_may_be_at_two_places_in_two_vlans() {
    let mut lab = switch();
    assert_eq!(out(&mut lab, 1, &untagged(7, 255)).len(), 3);
    assert_eq!(out(&mut lab, 2, &untagged(7, 255)).len(), 1);
    assert_eq!(out(&mut lab, 3, &tagged(10, &untagged(1, 7))), [(1, None)]);
    assert_eq!(out(&mut lab, 3, &tagged(20, &untagged(1, 7))), [(2, None)]);
    let switch: &mut Switch = lab.node(0).downcast_mut().unwrap();
    insta::assert_snapshot!(switch.show("fdb", Time::ZERO).unwrap() + &switch.show("vlan", Time::ZERO).unwrap(), @"
    02:00:00:00:00:01 dev p3 vlan 10 age 0s
    02:00:00:00:00:07 dev p1 vlan 10 age 0s
    02:00:00:00:00:01 dev p3 vlan 20 age 0s
    02:00:00:00:00:07 dev p2 vlan 20 age 0s
    p0 access 10
    p1 access 10
    p2 access 20
    p3 trunk 10 20, 99 untagged
    p4 trunk 10
    ");
}

#[test]
fn a_switch_that_knows_no_vlans_passes_tags_on_unread() {
    let mut lab = Lab::new();
    lab.add("sw", Switch::new(SwitchSpec::new("sw", 3)));
    assert_eq!(out(&mut lab, 0, &tagged(10, &untagged(1, 255))), [(1, Some(10)), (2, Some(10))]);
    assert_eq!(out(&mut lab, 1, &untagged(2, 1)), [(0, None)]);
}

#[test]
fn no_more_is_flooded_than_the_limit_allows() {
    let mut lab = Lab::new();
    lab.add("sw", Switch::new(SwitchSpec { storm_limit: Some(3), ..SwitchSpec::new("sw", 3) }));
    for _ in 0..5 {
        lab.arrive(0, 0, &untagged(1, 255));
    }
    assert_eq!((lab.sent_by(0).len(), lab.drops_of(0)), (6, vec![Cause::StormLimit; 2]));
    assert_eq!(lab.told().matches("# storm on p0: 3 frames flooded within 1s").count(), 1);
    // What need not be flooded passes, and so does what comes from elsewhere.
    assert_eq!(out(&mut lab, 1, &untagged(2, 1)), [(0, None)]);
    assert_eq!(out(&mut lab, 0, &untagged(1, 2)), [(1, None)]);
    assert_eq!(out(&mut lab, 1, &untagged(2, 255)).len(), 2);
    lab.now = Time::from_secs(1);
    assert_eq!(out(&mut lab, 0, &untagged(1, 255)).len(), 2);
}

#[test]
fn two_parallel_links_make_a_storm_that_a_limit_bounds() {
    let storm = |storm_limit| {
        let mut lab = Lab::new();
        for name in ["a", "b"] {
            lab.add(name, Switch::new(SwitchSpec { storm_limit, ..SwitchSpec::new(name, 3) }));
        }
        lab.wire((0, 0), (1, 0));
        lab.wire((0, 1), (1, 1));
        lab.arrive(0, 2, &untagged(1, 255));
        lab.run_until(Time::from_millis(900));
        (lab.sent_by(0).len(), lab.drops_of(0).len() + lab.drops_of(1).len())
    };
    // Two copies go round, one each way. They are at a every other millisecond, which sends each out of two ports.
    assert_eq!(storm(None), (2 + 450 * 4, 0));
    // Each port of each switch floods ten times.
    assert_eq!(storm(Some(10)), (2 + 10 * 4, 2));
}

#[test]
fn a_small_table_forgets_nobody_for_a_newcomer() {
    let mut lab = Lab::new();
    lab.add("sw", Switch::new(SwitchSpec { stations_max: 2, ..SwitchSpec::new("sw", 3) }));
    for station in 1..=4 {
        let _ = out(&mut lab, 0, &untagged(station, 255));
    }
    let told = lab.told();
    assert!(!told.contains("no room"), "told at the third: {told}");
    assert_eq!(out(&mut lab, 1, &untagged(9, 1)), [(0, None)]);
    assert_eq!(out(&mut lab, 1, &untagged(9, 4)).len(), 2, "flooded");
    let switch: &mut Switch = lab.node(0).downcast_mut().unwrap();
    assert_eq!(switch.counter("not_learned"), Some(Value::Integer(4)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_frame_is_sent_or_dropped_and_nothing_leaks(
        port in 0..6_u16,
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            (any::<u16>(), 0..30_usize).prop_map(|(tag, cut)| {
                let frame = tagged(tag, &untagged(1, 255));
                frame[..frame.len() - cut].to_vec()
            }),
        ],
    ) {
        let mut lab = switch();
        lab.arrive(0, port, &bytes);
        let is_gone = lab.log.iter().any(|entry| matches!(entry.what, Happened::Dropped { .. } | Happened::Sent { .. }));
        prop_assert!(is_gone, "no silent drop");
        // From VLAN 20 there is no way to the ports of VLAN 10, and back.
        let out: Vec<u16> = lab.log.iter().filter_map(|entry| match entry.what {
            Happened::Sent { port, .. } => Some(port),
            _ => None,
        }).collect();
        prop_assert!(!(out.contains(&2) && (out.contains(&0) || out.contains(&1))));
        prop_assert!(!out.contains(&port));
    }
}

#[test]
fn a_port_that_is_not_there_is_no_panic() {
    let mut lab = switch();
    lab.call(0, |node, now, out| {
        let frame = Frame::new(out.pool.copy(&untagged(1, 255)), Layer::Ethernet);
        node.receive(PortId(77), frame, now, out);
    });
    assert_eq!(lab.drops_of(0), [Cause::WrongVlan]);
}

/// A host with an untagged address and one in VLAN 10, on one card.
fn stick() -> Lab {
    let of_vlan = InterfaceSpec {
        vlan: Some(VlanSpec { parent: 0, id: 10 }),
        link: None,
        ..InterfaceSpec::new("eth1.10", mac(1), "10.0.10.1/24".parse().unwrap())
    };
    let spec = MachineSpec::router("r", 1).interface(interface(1, "10.0.1.1/24")).interface(of_vlan);
    let mut lab = Lab::new();
    lab.add("r", Machine::new(knowing(knowing(spec, 0, "10.0.1.9", 9), 1, "10.0.10.8", 8)));
    lab
}

#[test]
fn a_vlan_of_an_interface_takes_tagged_frames_and_answers_with_the_tag() {
    let mut lab = stick();
    let ping = |source: &str, own: &str| Packet::ping(source, own, b"").framed(mac(9), mac(1));
    lab.arrive(0, 0, &ping("10.0.1.9", "10.0.1.1"));
    lab.arrive(0, 0, &tagged(0xa00a, &ping("10.0.10.8", "10.0.10.1")));
    let sent = lab.sent_by(0);
    assert_eq!(sent.iter().map(|bytes| vlan::tag_of(bytes)).collect::<Vec<_>>(), [None, Some(10)]);
    // It asks in the VLAN for who is there.
    lab.log.clear();
    lab.send_ip(0, Packet::ping("10.0.10.1", "10.0.10.77", b"").finish());
    let asked = &lab.sent_by(0)[0];
    assert_eq!((vlan::tag_of(asked), &asked[16..18]), (Some(10), &[0x08, 0x06][..]));
}

#[test]
fn a_router_on_a_stick_changes_the_tag_and_refuses_vlans_it_has_no_interface_for() {
    let mut lab = stick();
    let packet = Packet::udp("10.0.1.9", "10.0.10.8", 9, b"hello").framed(mac(9), mac(1));
    lab.arrive(0, 0, &packet);
    let sent = &lab.sent_by(0)[0];
    assert_eq!((vlan::tag_of(sent), sent.len()), (Some(10), packet.len() + 4));
    lab.log.clear();
    lab.arrive(0, 0, &tagged(11, &packet));
    assert_eq!(lab.drops_of(0), [Cause::WrongVlan]);
    lab.log.clear();
    // A mere priority is as good as no tag.
    lab.arrive(0, 0, &tagged(0xe000, &packet));
    assert_eq!(lab.sent_by(0).len(), 1);
}

#[test]
fn a_link_that_goes_down_takes_its_vlans_along() {
    let mut lab = stick();
    let shows = |lab: &mut Lab| lab.machine(0).show("addr", Time::ZERO).unwrap();
    lab.set_link(0, 0, true, 1400);
    assert!(shows(&mut lab).contains("eth1.10@eth1: <BROADCAST,MULTICAST,UP> mtu 1400\n"), "{}", shows(&mut lab));
    lab.set_link(0, 0, false, 1400);
    assert!(shows(&mut lab).contains("eth1.10@eth1: <BROADCAST,MULTICAST,DOWN> mtu 1400\n"), "{}", shows(&mut lab));
}
