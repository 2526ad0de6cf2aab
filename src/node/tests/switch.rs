//! IEEE 802.1D: a switch learns, forwards, floods, forgets.

use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use super::lab::*;
use crate::id::PortId;
use crate::node::switch::STATIONS_MAX;
use crate::node::{Command, LinkState, Node as _, Switch, SwitchSpec};
use crate::record::{Cause, Value};
use crate::time::Time;

fn switch(ports: usize) -> Lab {
    let mut lab = Lab::new();
    lab.add("sw", Switch::new(SwitchSpec::new("sw", ports)));
    lab
}

fn frame(source: EthernetAddress, destination: EthernetAddress) -> Vec<u8> {
    Packet::udp("10.0.0.1", "10.0.0.2", 9, b"").framed(source, destination)
}

/// The ports that a frame left by.
fn ports(lab: &mut Lab, port: u16, source: u8, destination: u8) -> Vec<u16> {
    lab.log.clear();
    lab.arrive(0, port, &frame(mac(source), mac(destination)));
    let sent = lab.log.iter().filter_map(|entry| match entry.what {
        Happened::Sent { port, .. } => Some(port),
        _ => None,
    });
    sent.collect()
}

#[test]
fn unknown_stations_are_flooded_to_and_known_ones_are_not() {
    let mut lab = switch(4);
    assert_eq!(ports(&mut lab, 1, 1, 2), [0, 2, 3]);
    assert!(lab.told().starts_with("0.000 sw # learned 02:00:00:00:00:01 on p1\n"));
    assert_eq!(ports(&mut lab, 3, 2, 1), [1]);
    assert_eq!(ports(&mut lab, 1, 1, 2), [3]);
    let switch: &mut Switch = lab.node(0).downcast_mut().unwrap();
    insta::assert_snapshot!(switch.show("fdb", Time::ZERO).unwrap(), @r"
    02:00:00:00:00:01 dev p1 age 0s
    02:00:00:00:00:02 dev p3 age 0s
    ");
}

#[test]
fn broadcast_and_multicast_are_always_flooded() {
    let mut lab = switch(3);
    for destination in [EthernetAddress::BROADCAST, EthernetAddress([1, 0, 0x5e, 0, 0, 1])] {
        lab.log.clear();
        lab.arrive(0, 0, &frame(mac(1), destination));
        assert_eq!(lab.sent_by(0).len(), 2);
    }
}

#[test]
fn a_frame_is_never_sent_back_where_it_came_from() {
    let mut lab = switch(3);
    ports(&mut lab, 0, 1, 9);
    assert_eq!(ports(&mut lab, 0, 2, 1), Vec::<u16>::new());
    assert_eq!(lab.drops_of(0), [Cause::SamePort]);
}

#[test]
fn a_station_that_moves_is_found_at_its_new_port() {
    let mut lab = switch(3);
    ports(&mut lab, 0, 1, 9);
    ports(&mut lab, 2, 1, 9);
    assert!(lab.told().contains("# 02:00:00:00:00:01 moved from p0 to p2"));
    assert_eq!(ports(&mut lab, 1, 2, 1), [2]);
}

#[test]
fn a_station_is_forgotten_three_hundred_seconds_after_its_last_frame() {
    let mut lab = switch(3);
    ports(&mut lab, 0, 1, 9);
    lab.now = Time::from_secs(100);
    ports(&mut lab, 0, 1, 9);
    lab.now = Time::from_nanos(399_999_999_999);
    assert_eq!(ports(&mut lab, 1, 2, 1), [0]);
    lab.now = Time::from_secs(400);
    assert_eq!(ports(&mut lab, 1, 2, 1), [0, 2]);
}

#[test]
fn the_copies_of_a_flood_are_caused_by_the_frame() {
    let mut lab = pair();
    let sw = lab.add("sw", Switch::new(SwitchSpec::new("sw", 3)));
    lab.wire((0, 0), (sw, 0));
    lab.wire((1, 0), (sw, 1));
    lab.send_ip(0, Packet::ping("10.0.0.1", "10.0.0.2", b"").finish());
    lab.run_for(Duration::from_secs(1));
    let sent = |node: usize| {
        let log = lab.log.iter().filter(move |entry| entry.node == node);
        log.filter_map(|entry| match entry.what {
            Happened::Sent { id, cause, .. } => Some((id, cause)),
            _ => None,
        })
        .collect::<Vec<_>>()
    };
    // The first that a sends is its ARP request; the switch makes two of it.
    let request = sent(0)[0].0;
    assert!(sent(sw)[..2].iter().all(|(_, cause)| *cause == Some(request)));
    assert!(lab.told().contains("b.0 > 10.0.0.2 > 10.0.0.1 ttl 64 echo reply"));
}

#[test]
fn a_group_address_as_a_source_is_malformed() {
    let mut lab = switch(3);
    lab.arrive(0, 0, &frame(EthernetAddress([3, 0, 0, 0, 0, 1]), mac(2)));
    lab.arrive(0, 0, &[0; 13]);
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::Malformed, Cause::Malformed], 0));
}

#[test]
fn a_full_table_floods_for_newcomers_until_others_are_forgotten() {
    let mut lab = switch(3);
    let station = |number: usize| EthernetAddress([2, 1, 0, (number >> 16) as u8, (number >> 8) as u8, number as u8]);
    for number in 0..STATIONS_MAX {
        lab.arrive(0, 0, &frame(station(number), mac(9)));
    }
    lab.log.clear();
    lab.arrive(0, 1, &frame(mac(1), mac(9)));
    assert_eq!(ports(&mut lab, 0, 2, 1), [1, 2]);
    let counted = |lab: &mut Lab| lab.node(0).downcast_mut::<Switch>().unwrap().counter("not_learned");
    assert_eq!(counted(&mut lab), Some(Value::Integer(2)));
    lab.now = Time::from_secs(300);
    lab.arrive(0, 1, &frame(mac(1), mac(9)));
    assert_eq!(ports(&mut lab, 0, 2, 1), [1]);
}

#[test]
fn a_port_that_loses_its_link_loses_its_stations() {
    let mut lab = switch(3);
    ports(&mut lab, 0, 1, 9);
    lab.call(0, |node, now, out| {
        node.link_changed(PortId(0), LinkState { is_up: false, mtu: 1500, rate: None }, now, out)
    });
    assert_eq!(ports(&mut lab, 1, 2, 1), [0, 2]);
}

#[test]
fn a_switch_that_is_down_passes_nothing_and_comes_back_empty() {
    let mut lab = switch(3);
    ports(&mut lab, 0, 1, 9);
    lab.command(0, &Command::Crash).unwrap();
    assert_eq!(ports(&mut lab, 1, 2, 1), Vec::<u16>::new());
    assert_eq!(lab.drops_of(0), [Cause::NodeDown]);
    lab.command(0, &Command::Restart).unwrap();
    assert_eq!(ports(&mut lab, 1, 2, 1), [0, 2]);
}

#[test]
fn a_switch_with_one_port_has_nowhere_to_send() {
    let mut lab = switch(1);
    assert_eq!(ports(&mut lab, 0, 1, 2), Vec::<u16>::new());
    assert_eq!(lab.drops_of(0), [Cause::NoLink]);
}
