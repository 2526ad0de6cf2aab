//! RFC 826 and RFC 1122 §2.3.2: who is asked, who is learned, who waits.

use std::time::Duration;

use smoltcp::wire::ArpOperation::{Reply, Request};
use smoltcp::wire::EthernetAddress;

use super::lab::*;
use crate::node::machine::{ArpSettings, MachineSpec};
use crate::node::{Machine, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;

const NOBODY: EthernetAddress = EthernetAddress([0; 6]);
const EVERYBODY: EthernetAddress = EthernetAddress::BROADCAST;

fn ping() -> Vec<u8> {
    Packet::ping("10.0.0.1", "10.0.0.2", b"hi").finish()
}

/// A lonely host 10.0.0.1 with hardware address 1.
fn alone() -> Lab {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"))));
    lab
}

fn neighbors(lab: &mut Lab, node: usize) -> String {
    let now = lab.now;
    lab.machine(node).show("neigh", now).unwrap()
}

#[test]
fn a_first_packet_waits_for_the_answer_and_the_asked_learns_too() {
    let mut lab = pair();
    lab.send_ip(0, ping());
    lab.run_for(Duration::from_millis(100));
    insta::assert_snapshot!(lab.told(), @r"
    0.000 a.0 > arp to everybody: who has 10.0.0.2, tell 10.0.0.1
    0.001 b # arp: 10.0.0.1 is at 02:00:00:00:00:01
    0.001 b.0 > arp to 02:00:00:00:00:01: 10.0.0.2 is at 02:00:00:00:00:02
    0.002 a # arp: 10.0.0.2 is at 02:00:00:00:00:02
    0.002 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo request, length 10
    0.003 b.0 > 10.0.0.2 > 10.0.0.1 ttl 64 echo reply, length 10
    0.004 a x nobody-listens: 10.0.0.2 > 10.0.0.1 ttl 64 echo reply, length 10
    ");
    insta::assert_snapshot!(neighbors(&mut lab, 0), @r"
    10.0.0.2 dev eth1 lladdr 02:00:00:00:00:02 REACHABLE
    ");
    lab.send_ip(0, ping());
    lab.run_for(Duration::from_millis(100));
    insta::assert_snapshot!(lab.told(), @r"
    0.100 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo request, length 10
    0.101 b.0 > 10.0.0.2 > 10.0.0.1 ttl 64 echo reply, length 10
    0.102 a x nobody-listens: 10.0.0.2 > 10.0.0.1 ttl 64 echo reply, length 10
    ");
}

#[test]
fn an_answer_that_has_aged_is_checked_with_whom_it_came_from_while_packets_go_on() {
    let mut lab = pair();
    lab.send_ip(0, ping());
    // Learned at 2 ms: fresh up to, not including, 60.002 s.
    lab.run_until(Time::from_nanos(60_001_999_999));
    assert!(neighbors(&mut lab, 0).contains("REACHABLE"));
    lab.run_until(Time::from_millis(60_002));
    assert!(neighbors(&mut lab, 0).contains("STALE"));
    lab.told();
    lab.send_ip(0, ping());
    lab.run_for(Duration::from_millis(10));
    insta::assert_snapshot!(lab.told(), @r"
    60.002 a.0 > arp to 02:00:00:00:00:02: who has 10.0.0.2, tell 10.0.0.1
    60.002 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo request, length 10
    60.003 b.0 > arp to 02:00:00:00:00:01: 10.0.0.2 is at 02:00:00:00:00:02
    60.003 b.0 > 10.0.0.2 > 10.0.0.1 ttl 64 echo reply, length 10
    60.004 a x nobody-listens: 10.0.0.2 > 10.0.0.1 ttl 64 echo reply, length 10
    ");
    assert!(neighbors(&mut lab, 0).contains("REACHABLE"));
}

#[test]
fn nobody_answers_three_times_and_the_sender_is_told() {
    let mut lab = alone();
    lab.send_ip(0, ping());
    lab.run_for(Duration::from_secs(10));
    insta::assert_snapshot!(lab.told(), @r"
    0.000 a.0 > arp to everybody: who has 10.0.0.2, tell 10.0.0.1
    1.000 a.0 > arp to everybody: who has 10.0.0.2, tell 10.0.0.1
    2.000 a.0 > arp to everybody: who has 10.0.0.2, tell 10.0.0.1
    3.000 a # arp: no answer from 10.0.0.2 after 3 tries
    3.000 a x neighbor-unreachable: 10.0.0.1 > 10.0.0.2 ttl 64 echo request, length 10
    3.000 a x nobody-listens: 10.0.0.1 > 10.0.0.1 ttl 64 icmp 3/1 about 10.0.0.1 > 10.0.0.2
    ");
    assert_eq!(neighbors(&mut lab, 0), "10.0.0.2 dev eth1 FAILED\n");
    assert_eq!(lab.machine(0).counter("arp.requests_sent"), Some(Value::Integer(3)));
    // The next packet makes the machine ask anew.
    lab.send_ip(0, ping());
    assert_eq!(lab.sent_by(0).len(), 1);
}

#[test]
fn an_aged_neighbor_that_is_gone_is_asked_alone_first_and_then_by_broadcast() {
    let mut lab = pair();
    lab.send_ip(0, ping());
    lab.run_until(Time::from_secs(100));
    lab.told();
    lab.tamper(|_| false);
    lab.send_ip(0, ping());
    lab.run_for(Duration::from_secs(10));
    insta::assert_snapshot!(lab.told(), @r"
    100.000 a.0 > arp to 02:00:00:00:00:02: who has 10.0.0.2, tell 10.0.0.1
    100.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo request, length 10
    101.000 a.0 > arp to everybody: who has 10.0.0.2, tell 10.0.0.1
    102.000 a.0 > arp to everybody: who has 10.0.0.2, tell 10.0.0.1
    103.000 a # arp: no answer from 10.0.0.2 after 3 tries
    ");
}

#[test]
fn too_many_packets_for_one_neighbor_push_the_oldest_out() {
    let mut lab = Lab::new();
    let mut spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"));
    spec.arp = ArpSettings { queue_packets: 2, ..ArpSettings::default() };
    lab.add("a", Machine::new(spec));
    for length in 1..=3 {
        lab.send_ip(0, Packet::ping("10.0.0.1", "10.0.0.2", &vec![0; length]).finish());
    }
    assert_eq!(lab.drops_of(0), [Cause::NeighborQueueFull]);
    assert!(lab.told().contains("neighbor-queue-full: 10.0.0.1 > 10.0.0.2 ttl 64 echo request, length 9"));
    lab.arrive(0, 0, &arp(Reply, (mac(2), "10.0.0.2"), (mac(1), "10.0.0.1"), mac(1)));
    insta::assert_snapshot!(lab.told(), @r"
    0.000 a # arp: 10.0.0.2 is at 02:00:00:00:00:02
    0.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo request, length 10
    0.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo request, length 11
    ");
}

#[test]
fn who_asks_for_somebody_else_is_not_learned() {
    let mut lab = alone();
    lab.arrive(0, 0, &arp(Request, (mac(2), "10.0.0.2"), (NOBODY, "10.0.0.3"), EVERYBODY));
    assert_eq!((neighbors(&mut lab, 0).as_str(), lab.sent_by(0).len()), ("", 0));
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_learned() {
    let mut lab = alone();
    lab.arrive(0, 0, &arp(Reply, (mac(2), "10.0.0.2"), (mac(1), "10.0.0.1"), mac(1)));
    lab.arrive(0, 0, &arp(Reply, (mac(2), "10.0.0.2"), (NOBODY, "10.0.0.2"), EVERYBODY));
    assert_eq!(neighbors(&mut lab, 0), "");
}

#[test]
fn a_gratuitous_announcement_updates_what_is_known() {
    let mut lab = pair();
    lab.send_ip(0, ping());
    lab.run_for(Duration::from_secs(1));
    lab.told();
    lab.arrive(0, 0, &arp(Request, (mac(9), "10.0.0.2"), (NOBODY, "10.0.0.2"), EVERYBODY));
    assert_eq!(neighbors(&mut lab, 0), "10.0.0.2 dev eth1 lladdr 02:00:00:00:00:09 REACHABLE\n");
    insta::assert_snapshot!(lab.told(), @r"
    1.000 a # arp: 10.0.0.2 moved from 02:00:00:00:00:02 to 02:00:00:00:00:09
    ");
}

#[test]
fn a_static_neighbor_is_neither_asked_nor_overwritten() {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"));
    lab.add("a", Machine::new(knowing(spec, 0, "10.0.0.2", 7)));
    lab.arrive(0, 0, &arp(Request, (mac(9), "10.0.0.2"), (NOBODY, "10.0.0.1"), EVERYBODY));
    lab.told();
    lab.send_ip(0, ping());
    let frames = lab.sent_by(0);
    assert_eq!((frames.len(), &frames[0][..6]), (1, &mac(7).0[..]));
    assert_eq!(neighbors(&mut lab, 0), "10.0.0.2 dev eth1 lladdr 02:00:00:00:00:07 PERMANENT\n");
}

#[test]
fn a_probe_without_a_sender_is_answered_but_not_learned() {
    let mut lab = alone();
    lab.arrive(0, 0, &arp(Request, (mac(2), "0.0.0.0"), (NOBODY, "10.0.0.1"), EVERYBODY));
    assert_eq!(lab.told(), "0.000 a.0 > arp to 02:00:00:00:00:02: 10.0.0.1 is at 02:00:00:00:00:01\n");
    assert_eq!(neighbors(&mut lab, 0), "");
}

#[test]
fn who_claims_the_machines_own_address_is_noted_and_not_learned() {
    let mut lab = alone();
    lab.arrive(0, 0, &arp(Request, (mac(2), "10.0.0.1"), (NOBODY, "10.0.0.1"), EVERYBODY));
    assert_eq!(neighbors(&mut lab, 0), "");
    assert!(lab.told().contains("# arp: 02:00:00:00:00:02 claims to be 10.0.0.1"));
}

#[test]
fn only_the_addresses_of_the_link_are_answered_for() {
    let mut lab = routed();
    lab.arrive(1, 0, &arp(Request, (mac(1), "10.0.1.10"), (NOBODY, "10.0.2.1"), EVERYBODY));
    assert_eq!(lab.sent_by(1).len(), 0);
    lab.arrive(1, 1, &arp(Request, (mac(4), "10.0.2.20"), (NOBODY, "10.0.2.1"), EVERYBODY));
    assert_eq!(lab.sent_by(1).len(), 1);
}

#[test]
fn a_link_that_goes_down_takes_its_neighbors_along() {
    let mut lab = alone();
    lab.arrive(0, 0, &arp(Request, (mac(2), "10.0.0.2"), (NOBODY, "10.0.0.1"), EVERYBODY));
    lab.send_ip(0, Packet::ping("10.0.0.1", "10.0.0.3", b"").finish());
    lab.told();
    lab.set_link(0, 0, false, 1500);
    assert_eq!(lab.drops_of(0), [Cause::LinkDown]);
    assert_eq!(neighbors(&mut lab, 0), "");
    assert_eq!(lab.machine(0).wake_at(), None);
}

#[test]
fn requests_are_caused_by_the_packet_that_waits() {
    let mut lab = routed_unknown();
    lab.arrive(1, 0, &Packet::ping("10.0.1.10", "10.0.2.20", b"").framed(mac(1), mac(2)));
    assert!(lab.told().contains("r.1 > arp to everybody: who has 10.0.2.20, tell 10.0.2.1"));
}

/// As `routed`, but the router knows nobody.
fn routed_unknown() -> Lab {
    let mut lab = Lab::new();
    lab.add("-", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "10.0.1.10/24"))));
    let r = MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    lab.add("r", Machine::new(r));
    lab
}

#[test]
fn a_forwarded_packet_whose_next_hop_is_silent_comes_back_as_host_unreachable() {
    let mut lab = routed_unknown();
    lab.wire((0, 0), (1, 0));
    lab.arrive(1, 0, &Packet::udp("10.0.1.10", "10.0.2.20", 9, b"").framed(mac(1), mac(2)));
    lab.run_for(Duration::from_secs(5));
    let told = lab.told();
    assert!(told.contains("3.000 r x neighbor-unreachable: 10.0.1.10 > 10.0.2.20 ttl 63 udp"), "{told}");
    assert!(told.contains("r.0 > 10.0.1.1 > 10.0.1.10 ttl 64 icmp 3/1 about 10.0.1.10 > 10.0.2.20"), "{told}");
}

/// A router 10.0.1.1/24, 10.0.2.1/24 with a default route, that answers for others at its first interface.
fn proxy() -> Lab {
    let mut lab = Lab::new();
    let mut spec = MachineSpec::router("r", 1)
        .interface(interface(1, "10.0.1.1/24"))
        .interface(interface(2, "10.0.2.1/24"))
        .route(default_via("10.0.2.254"));
    spec.arp.proxies = vec![0];
    lab.add("r", Machine::new(spec));
    lab
}

/// Who is said to have `target`, when somebody at `port` asks.
fn asked(lab: &mut Lab, port: u16, sender: &str, target: &str) -> String {
    lab.log.clear();
    lab.arrive(0, port, &arp(Request, (mac(9), sender), (NOBODY, target), EVERYBODY));
    lab.told()
}

#[test]
fn rfc_1027_a_proxy_answers_for_who_is_behind_another_interface() {
    let mut lab = proxy();
    let told = asked(&mut lab, 0, "10.0.1.9", "10.0.2.20");
    assert!(told.contains("r.0 > arp to 02:00:00:00:00:09: 10.0.2.20 is at 02:00:00:00:00:01"), "{told}");
    assert_eq!(lab.machine(0).counter("arp.proxied"), Some(Value::Integer(1)));
    // Who asked is known now.
    assert!(neighbors(&mut lab, 0).contains("10.0.1.9 dev eth1 lladdr 02:00:00:00:00:09 REACHABLE"));
    // For itself it answers as ever, and that is no proxying.
    assert!(asked(&mut lab, 0, "10.0.1.9", "10.0.1.1").contains("10.0.1.1 is at"));
    assert_eq!(lab.machine(0).counter("arp.proxied"), Some(Value::Integer(1)));
}

#[test]
fn rfc_1027_a_proxy_is_silent_where_it_must_be() {
    let mut lab = proxy();
    // Behind the same interface; by the default route alone; a broadcast address; its own address on another link.
    for target in ["10.0.1.77", "192.0.2.1", "10.0.2.255", "255.255.255.255", "224.0.0.9", "127.0.0.1", "10.0.2.1"] {
        assert_eq!(asked(&mut lab, 0, "10.0.1.9", target), "", "{target}");
    }
    // At an interface where it is not a proxy; and to who asks whether an address is free.
    assert_eq!(asked(&mut lab, 1, "10.0.2.20", "10.0.1.9"), "");
    assert_eq!(asked(&mut lab, 0, "0.0.0.0", "10.0.2.20"), "");
    // And to who announces himself, wherever he belongs.
    assert_eq!(asked(&mut lab, 0, "10.0.2.20", "10.0.2.20"), "");
    // Nor is anybody learned by that.
    assert_eq!(neighbors(&mut lab, 0), "");
}

#[test]
fn a_machine_announces_its_addresses_when_it_starts_and_when_a_link_comes_up_if_it_is_to() {
    let announcing = |announces: bool| {
        let mut lab = Lab::new();
        let mut spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"));
        spec.interfaces[0].addresses.push("10.0.5.1/24".parse().unwrap());
        spec.arp.announces = announces;
        lab.add("a", Machine::new(spec));
        lab
    };
    let both = "0.000 a.0 > arp to everybody: who has 10.0.0.1, tell 10.0.0.1\n\
                0.000 a.0 > arp to everybody: who has 10.0.5.1, tell 10.0.5.1\n";
    let mut lab = announcing(true);
    lab.start();
    assert_eq!(lab.told(), both);
    lab.set_link(0, 0, false, 1500);
    assert_eq!(lab.told(), "");
    lab.set_link(0, 0, true, 1500);
    assert_eq!(lab.told(), both);
    assert_eq!(lab.machine(0).counter("arp.announced"), Some(Value::Integer(4)));
    let mut lab = announcing(false);
    lab.start();
    assert_eq!(lab.told(), "");
    // An interface without a link has nobody to tell, once it is known that others have one.
    let mut lab = Lab::new();
    let mut spec =
        MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24")).interface(interface(2, "10.0.5.1/24"));
    spec.arp.announces = true;
    lab.add("a", Machine::new(spec));
    lab.set_link(0, 1, true, 1500);
    lab.start();
    assert_eq!(lab.told(), "0.000 a.1 > arp to everybody: who has 10.0.5.1, tell 10.0.5.1\n");
}

#[test]
fn a_full_table_of_neighbors_refuses_new_ones_while_all_are_being_asked_and_recovers() {
    let mut lab = Lab::new();
    let mut spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/16"));
    spec.arp.queue_packets = 1;
    lab.add("a", Machine::new(spec));
    let send = |lab: &mut Lab, number: u32| {
        let destination = std::net::Ipv4Addr::from(0x0a00_0100 + number).to_string();
        lab.send_ip(0, Packet::udp("10.0.0.1", &destination, 9, b"").finish());
    };
    // A scan of the subnet: 1024 addresses that nobody has.
    (0..1024).for_each(|number| send(&mut lab, number));
    assert_eq!((lab.drops_of(0).len(), neighbors(&mut lab, 0).lines().count()), (0, 1024));
    send(&mut lab, 1024);
    assert_eq!(lab.drops_of(0), [Cause::NeighborQueueFull]);
    // When they have been given up, there is room again, and the table does not grow.
    lab.run_until(Time::from_secs(4));
    lab.log.clear();
    send(&mut lab, 1024);
    lab.arrive(0, 0, &arp(Reply, (mac(2), "10.0.5.0"), (mac(1), "10.0.0.1"), mac(1)));
    assert!(neighbors(&mut lab, 0).contains("10.0.5.0 dev eth1 lladdr 02:00:00:00:00:02 REACHABLE"));
    assert_eq!(neighbors(&mut lab, 0).lines().count(), 1024);
    assert!(lab.told().contains("> 10.0.0.1 > 10.0.5.0 ttl 64 udp"));
}
