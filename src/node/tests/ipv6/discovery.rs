//! Neighbors are found, doubted, asked again and given up (RFC 4861 §7).

use std::time::Duration;

use super::*;
use crate::node::machine::RouteKind;
use crate::node::tests::lab::WIRE_DELAY;
use crate::record::Cause;

const A: &str = "2001:db8:1::a";
const B: &str = "2001:db8:1::b";

fn neighbors(lab: &mut Lab, node: usize) -> String {
    let now = lab.now;
    lab.machine(node).show("neigh", now).unwrap()
}

#[test]
fn a_first_packet_waits_for_the_answer_and_the_asked_learns_too() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(Duration::from_millis(10));
    insta::assert_snapshot!(lab.told(), @"
    1.002 a.0 > 2001:db8:1::a > ff02::1:ff00:b: ICMP6, neighbor solicitation, who has 2001:db8:1::b, length 32
    1.003 b # nd: 2001:db8:1::a is at 02:00:00:00:00:01
    1.003 b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, neighbor advertisement, tgt is 2001:db8:1::b, length 32
    1.004 a # nd: 2001:db8:1::b is at 02:00:00:00:00:02
    1.004 a.0 > 2001:db8:1::a > 2001:db8:1::b: ICMP6, echo request, id 4660, seq 1, length 8
    1.005 b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, echo reply, id 4660, seq 1, length 8
    1.006 a x nobody-listens: 2001:db8:1::b > 2001:db8:1::a: ICMP6, echo reply, id 4660, seq 1, length 8
    ");
}

#[test]
fn who_was_only_heard_of_is_asked_five_seconds_after_it_is_first_used() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(Duration::from_millis(10));
    // b has heard of a from a's question, and used that for its answer.
    assert_eq!(neighbors(&mut lab, 1), "2001:db8:1::a dev eth2 lladdr 02:00:00:00:00:01 DELAY\n");
    lab.log.clear();
    lab.run_for(Duration::from_secs(6));
    insta::assert_snapshot!(lab.told(), @"
    6.003 b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, neighbor solicitation, who has 2001:db8:1::a, length 32
    6.004 a.0 > 2001:db8:1::a > 2001:db8:1::b: ICMP6, neighbor advertisement, tgt is 2001:db8:1::a, length 24
    ");
    assert_eq!(neighbors(&mut lab, 1), "2001:db8:1::a dev eth2 lladdr 02:00:00:00:00:01 REACHABLE\n");
}

#[test]
fn a_neighbor_that_is_gone_is_used_for_five_seconds_asked_for_three_and_then_given_up() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    // Trusted for at most 45 s.
    lab.run_for(Duration::from_secs(60));
    assert_eq!(neighbors(&mut lab, 0), "2001:db8:1::b dev eth1 lladdr 02:00:00:00:00:02 STALE\n");
    lab.tamper(|_| false);
    lab.log.clear();
    let start = lab.now;
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    let mut states = Vec::new();
    for second in [0, 4, 5, 6, 7, 8] {
        lab.run_until(start + Duration::from_secs(second));
        states.push(neighbors(&mut lab, 0).rsplit(' ').next().unwrap().trim().to_owned());
    }
    assert_eq!(states, ["DELAY", "DELAY", "PROBE", "PROBE", "PROBE", "FAILED"]);
    // The packet, and three questions to the neighbor itself.
    let sent = lab.sent_by(0);
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|frame| frame[..6] == mac(2).0));
}

#[test]
fn a_silent_neighbor_is_asked_thrice_and_then_unreachable() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::udp(A, "2001:db8:1::99", 9, b"").finish());
    lab.send_ip(0, Packet6::udp(A, "2001:db8:1::99", 10, b"").finish());
    lab.run_for(Duration::from_secs(4));
    insta::assert_snapshot!(lab.told(), @"
    1.002 a.0 > 2001:db8:1::a > ff02::1:ff00:99: ICMP6, neighbor solicitation, who has 2001:db8:1::99, length 32
    1.003 b x not-for-this-address: 2001:db8:1::a > ff02::1:ff00:99: ICMP6, neighbor solicitation, who has 2001:db8:1::99, length 32
    2.002 a.0 > 2001:db8:1::a > ff02::1:ff00:99: ICMP6, neighbor solicitation, who has 2001:db8:1::99, length 32
    2.003 b x not-for-this-address: 2001:db8:1::a > ff02::1:ff00:99: ICMP6, neighbor solicitation, who has 2001:db8:1::99, length 32
    3.002 a.0 > 2001:db8:1::a > ff02::1:ff00:99: ICMP6, neighbor solicitation, who has 2001:db8:1::99, length 32
    3.003 b x not-for-this-address: 2001:db8:1::a > ff02::1:ff00:99: ICMP6, neighbor solicitation, who has 2001:db8:1::99, length 32
    4.002 a # nd: no answer from 2001:db8:1::99 after 3 tries
    4.002 a x neighbor-unreachable: 2001:db8:1::a.4000 > 2001:db8:1::99.9: UDP, length 0
    4.002 a x neighbor-unreachable: 2001:db8:1::a.4000 > 2001:db8:1::99.10: UDP, length 0
    4.002 a x nobody-listens: 2001:db8:1::a > 2001:db8:1::a: ICMP6, destination unreachable, unreachable address 2001:db8:1::99 (about udp 2001:db8:1::a.4000 > 2001:db8:1::99.9), length 56
    4.002 a x nobody-listens: 2001:db8:1::a > 2001:db8:1::a: ICMP6, destination unreachable, unreachable address 2001:db8:1::99 (about udp 2001:db8:1::a.4000 > 2001:db8:1::99.10), length 56
    ");
    assert_eq!(neighbors(&mut lab, 0), "2001:db8:1::99 dev eth1 FAILED\n");
}

#[test]
fn a_full_queue_drops_the_oldest_packet() {
    let mut lab = pair();
    for port in 0..103 {
        lab.send_ip(0, Packet6::udp(A, "2001:db8:1::99", 1000 + port, b"").finish());
    }
    assert_eq!(lab.drops_of(0), [Cause::NeighborQueueFull; 2]);
    let told = lab.told();
    assert!(told.contains("x neighbor-queue-full: 2001:db8:1::a.4000 > 2001:db8:1::99.1000"), "{told}");
}

/// An advertisement from b about `target`, in a frame.
fn advertisement(target: &str, flags: u8, mac_option: Option<u8>, destination: &str) -> Packet6 {
    let mut message = vec![136, 0, 0, 0, flags, 0, 0, 0];
    message.extend(v6(target).octets());
    message.extend(mac_option.into_iter().flat_map(|number| [2, 1, 2, 0, 0, 0, 0, number]));
    Packet6::icmp(target, destination, &message).hops(255)
}

const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

#[test]
fn an_advertisement_changes_an_entry_as_its_flags_say() {
    // RFC 4861 §7.2.5 and its table in appendix C: flags, hardware address, what the entry says afterwards.
    let reachable = "lladdr 02:00:00:00:00:02 REACHABLE";
    let cases = [
        (SOLICITED | OVERRIDE, Some(2), reachable),
        (SOLICITED, Some(2), reachable),
        (SOLICITED, None, reachable),
        (0, Some(2), reachable),
        (0, Some(7), "lladdr 02:00:00:00:00:02 STALE"),
        (SOLICITED, Some(7), "lladdr 02:00:00:00:00:02 STALE"),
        (OVERRIDE, Some(7), "lladdr 02:00:00:00:00:07 STALE"),
        (SOLICITED | OVERRIDE, Some(7), "lladdr 02:00:00:00:00:07 REACHABLE"),
        (ROUTER | SOLICITED | OVERRIDE, Some(2), "lladdr 02:00:00:00:00:02 router REACHABLE"),
    ];
    for (flags, number, expected) in cases {
        let mut lab = pair();
        lab.send_ip(0, Packet6::ping(A, B, b"").finish());
        lab.run_for(Duration::from_millis(10));
        lab.arrive(0, 0, &advertisement(B, flags, number, A).framed(mac(2), mac(1)));
        assert_eq!(neighbors(&mut lab, 0), format!("{B} dev eth1 {expected}\n"), "{flags:#x} {number:?}");
    }
}

#[test]
fn an_answer_to_a_question_that_was_never_asked_is_ignored() {
    let mut lab = pair();
    lab.arrive(0, 0, &advertisement(B, OVERRIDE, Some(7), "ff02::1").framed(mac(7), mac(1)));
    assert_eq!((lab.drops_of(0), neighbors(&mut lab, 0)), (vec![Cause::Ignored], String::new()));
}

#[test]
fn an_unsolicited_answer_ends_the_waiting_but_is_not_trusted() {
    let mut lab = pair();
    lab.tamper(|_| false);
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.arrive(0, 0, &advertisement(B, OVERRIDE, Some(2), "ff02::1").framed(mac(2), mac(1)));
    assert_eq!(neighbors(&mut lab, 0), format!("{B} dev eth1 lladdr 02:00:00:00:00:02 DELAY\n"));
    assert!(lab.told().contains("echo request"));
}

#[test]
fn discovery_from_beyond_the_link_or_against_the_rules_is_refused() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(Duration::from_millis(10));
    lab.log.clear();
    let good = advertisement(B, SOLICITED | OVERRIDE, Some(7), A);
    let coded = Packet6::icmp(B, A, &[&[136, 1], &good.bytes[42..]].concat()).hops(255);
    let mut empty_option = good.clone();
    empty_option.bytes[65] = 0;
    for bad in [good.clone().hops(254), coded, empty_option, advertisement(B, SOLICITED, Some(7), "ff02::1")] {
        lab.arrive(0, 0, &bad.framed(mac(7), mac(1)));
    }
    assert_eq!(lab.drops_of(0), [Cause::InvalidDiscovery; 4]);
    assert!(neighbors(&mut lab, 0).contains("02:00:00:00:00:02 REACHABLE"));
    lab.arrive(0, 0, &good.framed(mac(7), mac(1)));
    assert!(neighbors(&mut lab, 0).contains("02:00:00:00:00:07 REACHABLE"));
}

#[test]
fn a_router_answers_for_the_subnets_anycast_address_and_yields_it() {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"))));
    lab.add("r", Machine::new(MachineSpec::router("r", 1).interface(interface(2, "2001:db8:1::1/64"))));
    lab.wire((0, 0), (1, 0));
    let mut lab = ready(lab);
    lab.send_ip(0, Packet6::ping(A, "2001:db8:1::", b"").finish());
    lab.run_for(Duration::from_millis(10));
    let told = lab.told();
    // The reply comes from an address of the router alone (RFC 4443 §2.2).
    assert!(told.contains("r.0 > 2001:db8:1::1 > 2001:db8:1::a: ICMP6, echo reply"), "{told}");
    assert!(neighbors(&mut lab, 0).contains("2001:db8:1:: dev eth1 lladdr 02:00:00:00:00:02 router REACHABLE"));
}

#[test]
fn what_waits_is_dropped_when_the_link_goes_down() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::udp(A, "2001:db8:1::99", 9, b"").finish());
    lab.set_link(0, 0, false, 1500);
    assert_eq!(lab.drops_of(0), [Cause::LinkDown]);
    lab.run_for(Duration::from_secs(10));
    assert_eq!((neighbors(&mut lab, 0).as_str(), lab.machine(0).counter("nd.failed")), ("", Some(0_u64.into())));
}

#[test]
fn a_neighbor_of_the_configuration_needs_no_question() {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"));
    lab.add("a", Machine::new(super::super::lab::knowing(spec, 0, B, 7)));
    let mut lab = ready(lab);
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    assert!(lab.told().contains("echo request"));
    assert_eq!(neighbors(&mut lab, 0), format!("{B} dev eth1 lladdr 02:00:00:00:00:07 PERMANENT\n"));
}

#[test]
fn a_route_that_refuses_refuses() {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("a", 1)
        .interface(interface(1, "2001:db8:1::a/64"))
        .route(RouteSpec::refusing("2001:db8:9::/48".parse().unwrap(), RouteKind::Unreachable));
    lab.add("a", Machine::new(spec));
    let mut lab = ready(lab);
    lab.send_ip(0, Packet6::ping(A, "2001:db8:9::1", b"").finish());
    lab.send_ip(0, Packet6::ping(A, "2001:db8:8::1", b"").finish());
    assert_eq!(lab.drops_of(0), [Cause::NoRoute; 2]);
    assert_eq!(lab.now, READY + WIRE_DELAY * 2);
}
