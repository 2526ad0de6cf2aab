//! An address is used only if nobody else has it (RFC 4862 §5.4).

use std::time::Duration;

use super::*;
use crate::id::AppId;
use crate::net::{Net, Program};
use crate::node::Command;
use crate::record::{Cause, Value};

fn addresses(lab: &mut Lab, node: usize) -> Vec<String> {
    let now = lab.now;
    let shown = lab.machine(node).show("addr", now).unwrap();
    shown.lines().filter_map(|line| line.strip_prefix("    inet6 ")).skip(1).map(str::to_owned).collect()
}

#[test]
fn an_address_is_asked_for_once_and_taken_a_second_later() {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"))));
    lab.start();
    assert_eq!(
        addresses(&mut lab, 0),
        ["fe80::ff:fe00:1/64 scope link tentative", "2001:db8:1::a/64 scope global tentative"]
    );
    lab.run_until(Time::from_nanos(999_999_999));
    assert!(addresses(&mut lab, 0).iter().all(|line| line.ends_with(" tentative")));
    lab.run_until(READY);
    insta::assert_snapshot!(lab.told(), @"
    0.000 a.0 > :: > ff02::16: ICMP6, multicast listener report v2, 2 group record(s), length 48
    0.000 a.0 > :: > ff02::1:ff00:1: ICMP6, neighbor solicitation, who has fe80::ff:fe00:1, length 32
    0.000 a.0 > :: > ff02::1:ff00:a: ICMP6, neighbor solicitation, who has 2001:db8:1::a, length 32
    1.000 a # ipv6: eth1 has 2001:db8:1::a
    1.000 a # ipv6: eth1 has fe80::ff:fe00:1
    1.000 a.0 > fe80::ff:fe00:1 > ff02::16: ICMP6, multicast listener report v2, 2 group record(s), length 48
    ");
    assert!(!addresses(&mut lab, 0).iter().any(|line| line.ends_with(" tentative")));
    assert_eq!(lab.machine(0).wake_at(), None);
}

#[test]
fn who_has_an_address_defends_it() {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"))));
    lab.add("late", Machine::new(MachineSpec::host("late", 1).interface(interface(2, "2001:db8:1::a/64"))));
    lab.wire((0, 0), (1, 0));
    lab.call(0, |node, now, out| node.start(now, out));
    lab.run_until(Time::from_secs(5));
    lab.log.clear();
    lab.call(1, |node, now, out| node.start(now, out));
    lab.run_for(Duration::from_secs(5));
    insta::assert_snapshot!(lab.told(), @"
    5.000 late.0 > :: > ff02::16: ICMP6, multicast listener report v2, 2 group record(s), length 48
    5.000 late.0 > :: > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has fe80::ff:fe00:2, length 32
    5.000 late.0 > :: > ff02::1:ff00:a: ICMP6, neighbor solicitation, who has 2001:db8:1::a, length 32
    5.001 a x not-for-this-address: :: > ff02::16: ICMP6, multicast listener report v2, 2 group record(s), length 48
    5.001 a x not-for-this-address: :: > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has fe80::ff:fe00:2, length 32
    5.001 a.0 > 2001:db8:1::a > ff02::1: ICMP6, neighbor advertisement, tgt is 2001:db8:1::a, length 32
    5.002 late.0 > :: > ff02::16: ICMP6, multicast listener report v2, 1 group record(s), length 28
    5.002 late # ipv6: 2001:db8:1::a is a duplicate: 02:00:00:00:00:01 has it
    5.003 a x not-for-this-address: :: > ff02::16: ICMP6, multicast listener report v2, 1 group record(s), length 28
    6.000 late # ipv6: eth2 has fe80::ff:fe00:2
    6.000 late.0 > fe80::ff:fe00:2 > ff02::16: ICMP6, multicast listener report v2, 1 group record(s), length 28
    6.001 a x not-for-this-address: fe80::ff:fe00:2 > ff02::16: ICMP6, multicast listener report v2, 1 group record(s), length 28
    ");
    assert_eq!(
        addresses(&mut lab, 1),
        ["fe80::ff:fe00:2/64 scope link", "2001:db8:1::a/64 scope global dadfailed tentative"]
    );
    assert_eq!(lab.machine(1).counter("nd.duplicates"), Some(Value::Integer(1)));
    // What is sent to it does not reach the second.
    lab.arrive(1, 0, &Packet6::ping("2001:db8:1::9", "2001:db8:1::a", b"").framed(mac(9), mac(2)));
    assert_eq!(lab.drops_of(1), [Cause::NotForwarding]);
}

#[test]
fn of_two_who_want_an_address_at_once_neither_gets_it() {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"))));
    lab.add("b", Machine::new(MachineSpec::host("b", 1).interface(interface(2, "2001:db8:1::a/64"))));
    lab.wire((0, 0), (1, 0));
    let mut lab = ready(lab);
    for node in [0, 1] {
        assert!(addresses(&mut lab, node)[1].ends_with("dadfailed tentative"));
    }
}

#[test]
fn a_question_that_comes_back_is_known_by_its_nonce() {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"))));
    lab.start();
    for frame in lab.sent_by(0) {
        lab.arrive(0, 0, &frame);
    }
    lab.run_until(READY);
    assert_eq!(addresses(&mut lab, 0)[1], "2001:db8:1::a/64 scope global");
}

#[test]
fn two_equal_hardware_addresses_end_ipv6_on_the_second() {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"))));
    lab.add("b", Machine::new(MachineSpec::host("b", 1).interface(interface(1, "2001:db8:1::b/64"))));
    lab.wire((0, 0), (1, 0));
    lab.call(0, |node, now, out| node.start(now, out));
    lab.run_until(Time::from_secs(5));
    lab.call(1, |node, now, out| node.start(now, out));
    lab.run_for(Duration::from_secs(5));
    let told = lab.told();
    assert!(told.contains("b # ipv6: ends on eth1: its hardware address is not unique"), "{told}");
    assert!(addresses(&mut lab, 1).iter().all(|line| line.contains("dadfailed")));
    lab.arrive(1, 0, &Packet6::ping("2001:db8:1::a", "2001:db8:1::b", b"").framed(mac(9), mac(1)));
    assert_eq!(lab.drops_of(1), [Cause::UnknownProtocol]);
}

#[test]
fn programs_wait_until_addresses_are_known_to_be_free() {
    let program = || {
        Program::new(|net: Net| async move {
            net.report("began", net.now().as_nanos() / 1_000_000);
            Ok(())
        })
    };
    let mut lab = unready_pair();
    lab.machine(0).add_program(AppId(0), "early", Some(Time::ZERO), program());
    lab.machine(0).add_program(AppId(1), "late", Some(Time::from_secs(3)), program());
    lab.start();
    lab.run_until(Time::from_secs(4));
    let began = |lab: &mut Lab, app| lab.machine(0).outcome(AppId(app), "began");
    assert_eq!(began(&mut lab, 0), Some(Value::Integer(1000)));
    assert_eq!(began(&mut lab, 1), Some(Value::Integer(3000)));
    // After a restart as well.
    lab.command(0, &Command::Restart).unwrap();
    lab.run_until(Time::from_secs(6));
    assert_eq!((began(&mut lab, 0), began(&mut lab, 1)), (Some(Value::Integer(5000)), Some(Value::Integer(5000))));
}

#[test]
fn a_link_that_is_down_delays_the_question_until_it_is_up() {
    let mut lab = unready_pair();
    lab.set_link(0, 0, false, 1500);
    lab.start();
    assert!(lab.sent_by(0).is_empty());
    lab.run_until(Time::from_secs(3));
    lab.set_link(0, 0, true, 1500);
    lab.run_until(Time::from_millis(3_500));
    assert!(addresses(&mut lab, 0)[1].ends_with("tentative"));
    // Down again in the middle: nobody could have objected.
    lab.set_link(0, 0, false, 1500);
    lab.run_until(Time::from_secs(10));
    assert!(addresses(&mut lab, 0)[1].ends_with("tentative"));
    lab.set_link(0, 0, true, 1500);
    lab.run_until(Time::from_secs(11));
    assert_eq!(addresses(&mut lab, 0)[1], "2001:db8:1::a/64 scope global");
}

#[test]
fn groups_are_reported_with_a_router_alert_and_a_right_checksum() {
    let mut lab = Lab::new();
    lab.add("r", Machine::new(MachineSpec::router("r", 1).interface(interface(1, "2001:db8:1::1/64"))));
    lab.start();
    let report = lab.sent_by(0).remove(0);
    let packet = &report[14..];
    assert_eq!(report[..6], [0x33, 0x33, 0, 0, 0, 0x16]);
    assert_eq!((packet[6], packet[7]), (0, 1), "hop-by-hop options, hop limit 1");
    assert_eq!(packet[40..48], [58, 0, 5, 2, 0, 0, 1, 0]);
    let ip = crate::wire::view::Ip::parse(packet).unwrap();
    assert_eq!(crate::wire::verify::transport_checksum(&ip), Some(true));
    let groups: Vec<Ipv6Addr> = packet[56..]
        .chunks_exact(20)
        .map(|record| {
            assert_eq!(record[..4], [4, 0, 0, 0]);
            Ipv6Addr::from(<[u8; 16]>::try_from(&record[4..]).unwrap())
        })
        .collect();
    // All routers; the groups of the anycast, the written and the link-local address.
    let expected = ["ff02::2", "ff02::1:ff00:0", "ff02::1:ff00:1"];
    assert_eq!(groups, expected.map(v6));
    // Asked, it answers.
    lab.run_until(READY);
    lab.log.clear();
    let mut query = vec![130, 0, 0, 0, 0, 0, 0, 0];
    query.extend([0; 16]);
    query.extend([2, 125, 0, 0]);
    lab.arrive(0, 0, &Packet6::icmp("fe80::9", "ff02::1", &query).hops(1).framed(mac(9), mac(1)));
    assert!(lab.told().contains("fe80::ff:fe00:1 > ff02::16: ICMP6, multicast listener report v2"));
    lab.arrive(0, 0, &Packet6::icmp("2001:db8:1::9", "ff02::1", &query).hops(1).framed(mac(9), mac(1)));
    assert_eq!(lab.drops_of(0), [Cause::Ignored]);
}
