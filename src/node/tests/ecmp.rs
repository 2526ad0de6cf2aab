//! Routes that cost the same: flows are spread, and each keeps to its way.

use std::collections::BTreeSet;

use smoltcp::wire::ArpOperation;

use super::lab::*;
use crate::node::machine::{MachineSpec, RouteSpec};
use crate::node::{Machine, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;

/// A router called `name` with two ways to 10.0.9.0/24: 10.0.2.2 at port 1 and 10.0.3.2 at port 2.
fn forked(name: &'static str, seed: u64) -> Lab {
    let mut lab = Lab::new();
    let via = |router: &str| RouteSpec::via("10.0.9.0/24".parse().unwrap(), router.parse().unwrap());
    let spec = MachineSpec::router(name, seed)
        .interface(interface(1, "10.0.1.1/24"))
        .interface(interface(2, "10.0.2.1/24"))
        .interface(interface(3, "10.0.3.1/24"))
        .route(via("10.0.2.2"))
        .route(via("10.0.3.2"));
    lab.add(name, Machine::new(knowing(knowing(spec, 1, "10.0.2.2", 22), 2, "10.0.3.2", 32)));
    lab
}

/// By which port a datagram to this port leaves.
fn way(lab: &mut Lab, port: u16) -> u16 {
    lab.log.clear();
    lab.arrive(0, 0, &Packet::udp("10.0.1.10", "10.0.9.9", port, b"12345678").framed(mac(9), mac(1)));
    let told = lab.told();
    assert_eq!(told.lines().count(), 1, "{told}");
    if told.contains(".1 > 10.0.1.10") { 1 } else { 2 }
}

fn ways(lab: &mut Lab) -> Vec<u16> {
    (0..200).map(|port| way(lab, 1000 + port)).collect()
}

#[test]
fn flows_are_spread_and_each_keeps_to_its_way() {
    let mut lab = forked("r", 1);
    let first = ways(&mut lab);
    assert_eq!(ways(&mut lab), first);
    let left = first.iter().filter(|way| **way == 1).count();
    // 100 expected, deviation √(200 × ¼) = 7; five of them.
    assert!((65..=135).contains(&left), "{left}");
    assert_eq!(lab.machine(0).counter("ip.forwarded"), Some(Value::Integer(400)));
}

#[test]
fn another_router_and_another_seed_choose_otherwise() {
    let all = [("r", 1), ("s", 1), ("r", 2)].map(|(name, seed)| ways(&mut forked(name, seed)));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn all_fragments_of_one_sender_take_the_same_way() {
    let mut lab = forked("r", 1);
    let ways: BTreeSet<u16> = (0..50_u16)
        .map(|number| {
            lab.log.clear();
            let fragment = Packet::udp("10.0.1.10", "10.0.9.9", number, b"12345678");
            lab.arrive(0, 0, &fragment.offset(8 * (number % 2), true).framed(mac(9), mac(1)));
            if lab.told().contains("r.1 > ") { 1 } else { 2 }
        })
        .collect();
    assert_eq!(ways.len(), 1);
}

#[test]
fn when_a_link_is_down_its_flows_move_and_no_others() {
    let mut lab = forked("r", 1);
    let before = ways(&mut lab);
    lab.set_link(0, 1, false, 1500);
    assert!(ways(&mut lab).iter().all(|way| *way == 2));
    lab.set_link(0, 1, true, 1500);
    // The neighbor was configured, so it is still known.
    assert_eq!(ways(&mut lab), before);
}

#[test]
fn a_packet_of_the_routers_own_is_spread_too() {
    let mut lab = forked("r", 1);
    let ports: BTreeSet<bool> = (0..50)
        .map(|port| {
            lab.log.clear();
            lab.send_ip(0, Packet::udp("10.0.1.1", "10.0.9.9", port, b"").finish());
            lab.told().contains("r.1 > ")
        })
        .collect();
    assert_eq!(ports.len(), 2);
}

#[test]
fn the_time_to_live_counts_on_every_way() {
    let mut lab = forked("r", 1);
    for port in 0..20 {
        lab.log.clear();
        lab.arrive(0, 0, &Packet::udp("10.0.1.10", "10.0.9.9", port, b"").ttl(1).framed(mac(9), mac(1)));
        assert_eq!(lab.drops_of(0), [Cause::TtlExpired]);
    }
}

#[test]
fn a_machine_tells_which_route_it_takes() {
    let mut lab = forked("r", 1);
    let route = lab.machine(0).route_to("10.0.9.9".parse().unwrap()).unwrap();
    assert_eq!((route.via, route.interface), (Some("10.0.2.2".parse().unwrap()), Some(1)));
    assert_eq!(lab.machine(0).route_to("10.0.3.9".parse().unwrap()).unwrap().interface, Some(2));
    assert_eq!(lab.machine(0).route_to("192.0.2.1".parse().unwrap()), None);
}

/// A host 10.0.1.10 with two default routers, 10.0.1.1 and, dearer, 10.0.1.2; only the second one is there.
fn host(metric: u32) -> Lab {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("h", 1).interface(interface(10, "10.0.1.10/24")).route(default_via("10.0.1.1"));
    let spec = spec.route(RouteSpec { metric, ..default_via("10.0.1.2") });
    lab.add("h", Machine::new(knowing(spec, 0, "10.0.1.2", 2)));
    lab
}

fn send(lab: &mut Lab, port: u16) -> String {
    lab.log.clear();
    lab.send_ip(0, Packet::udp("10.0.1.10", "10.0.9.9", port, b"").finish());
    lab.told()
}

#[test]
fn rfc_1122_when_a_router_does_not_answer_another_one_is_taken_for_a_minute() {
    for metric in [0, 10] {
        let mut lab = host(metric);
        // Of flows that are spread, some take the first router.
        let port = (0..50).find(|port| send(&mut lab, *port).contains("who has 10.0.1.1,")).unwrap();
        lab.run_until(Time::from_secs(3));
        let told = send(&mut lab, port);
        assert!(told.starts_with("3.000 h.0 > 10.0.1.10 > 10.0.9.9"), "{told}");
        lab.run_until(Time::from_nanos(62_999_999_999));
        assert!(send(&mut lab, port).contains("h.0 > 10.0.1.10 > 10.0.9.9"));
        // Then the first one has another chance, and when it answers it is the router again.
        lab.run_until(Time::from_secs(63));
        assert!(send(&mut lab, port).contains("who has 10.0.1.1,"), "{metric}");
        lab.arrive(0, 0, &arp(ArpOperation::Reply, (mac(1), "10.0.1.1"), (mac(10), "10.0.1.10"), mac(10)));
        lab.log.clear();
        lab.send_ip(0, Packet::udp("10.0.1.10", "10.0.9.9", port, b"").finish());
        assert_eq!(lab.sent_by(0)[0][..6], mac(1).0);
    }
}

#[test]
fn with_no_other_router_the_lost_one_is_asked_again() {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("h", 1).interface(interface(10, "10.0.1.10/24")).route(default_via("10.0.1.1"));
    lab.add("h", Machine::new(spec));
    send(&mut lab, 1);
    lab.run_until(Time::from_secs(3));
    assert!(send(&mut lab, 1).contains("who has 10.0.1.1,"));
}

#[test]
fn rfc_1812_a_router_whose_link_fails_takes_the_next_best_route_or_says_that_there_is_none() {
    let mut lab = Lab::new();
    let spec = MachineSpec::router("r", 1)
        .interface(interface(1, "10.0.1.1/24"))
        .interface(interface(2, "10.0.2.1/24"))
        .interface(interface(3, "10.0.3.1/24"))
        .route(RouteSpec::via("10.0.9.0/24".parse().unwrap(), "10.0.2.2".parse().unwrap()))
        .route(RouteSpec::via("10.0.0.0/16".parse().unwrap(), "10.0.3.2".parse().unwrap()));
    let spec = knowing(knowing(knowing(spec, 0, "10.0.1.10", 9), 1, "10.0.2.2", 22), 2, "10.0.3.2", 32);
    lab.add("r", Machine::new(spec));
    assert_eq!(way(&mut lab, 9), 1);
    lab.set_link(0, 1, false, 1500);
    assert_eq!(way(&mut lab, 9), 2);
    let now = lab.now;
    assert!(lab.machine(0).show("route", now).unwrap().contains("10.0.9.0/24 via 10.0.2.2 dev eth2 linkdown\n"));
    lab.set_link(0, 2, false, 1500);
    lab.arrive(0, 0, &Packet::udp("10.0.1.10", "10.0.9.9", 9, b"").framed(mac(9), mac(1)));
    assert_eq!(lab.drops_of(0), [Cause::NoRoute]);
    assert!(lab.told().contains("icmp 3/0 about 10.0.1.10 > 10.0.9.9"));
    lab.set_link(0, 1, true, 1500);
    assert_eq!(way(&mut lab, 9), 1);
}
