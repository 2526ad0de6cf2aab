//! The firewall judges IPv6 by the rules that it has for IPv4, and leaves the link's own messages alone.

use super::*;
use crate::filter::Filter;
use crate::node::machine::firewall::{Chain, FirewallRule, FirewallSpec, Refusal, State, Verb};
use crate::node::tests::lab::knowing;
use crate::record::Value;

const A: &str = "2001:db8:1::a";
const B: &str = "2001:db8:2::b";
const R: &str = "2001:db8:2::1";

/// a — r — b, with a firewall on r, whose interfaces are 0 toward a and 1 toward b.
fn router(firewall: FirewallSpec) -> Lab {
    let spec = MachineSpec::router("r", 1)
        .interface(interface(2, "2001:db8:1::1/64"))
        .interface(interface(3, "2001:db8:2::1/64"));
    let spec = unchecked(knowing(knowing(spec, 0, A, 1), 1, B, 4));
    let mut lab = Lab::new();
    lab.add("r", Machine::new(MachineSpec { firewall: Some(firewall), ..spec }));
    lab.start();
    lab.log.clear();
    lab
}

/// What is begun inside may go out, and its answers may come back.
fn stateful() -> FirewallSpec {
    FirewallSpec {
        rules: vec![
            FirewallRule { states: vec![State::Established, State::Related], ..FirewallRule::new(Verb::Accept) },
            FirewallRule { arrives_by: Some(0), states: vec![State::New], ..FirewallRule::new(Verb::Accept) },
        ],
        policies: [Verb::Drop, Verb::Drop, Verb::Accept],
        ..FirewallSpec::default()
    }
}

fn from_a(lab: &mut Lab, packet: Packet6) -> String {
    lab.log.clear();
    lab.arrive(0, 0, &packet.framed(mac(1), mac(2)));
    lab.told()
}

fn from_b(lab: &mut Lab, packet: Packet6) -> String {
    lab.log.clear();
    lab.arrive(0, 1, &packet.framed(mac(4), mac(3)));
    lab.told()
}

/// As it stands: a fragment's checksum is of the whole.
fn fragment_from_b(lab: &mut Lab, fragment: Packet6) -> String {
    lab.log.clear();
    lab.arrive(0, 1, &framed(&fragment.bytes, EthernetProtocol::Ipv6, mac(4), mac(3)));
    lab.told()
}

#[test]
fn answers_come_in_and_nothing_else() {
    let mut lab = router(stateful());
    assert!(from_b(&mut lab, Packet6::udp(B, A, 4000, b"")).contains("x filtered"));
    assert!(from_a(&mut lab, Packet6::udp(A, B, 4000, b"")).contains("r.1 > "));
    assert!(from_b(&mut lab, Packet6::udp(B, A, 4000, b"")).contains("r.0 > "));
    assert!(from_b(&mut lab, Packet6::syn(B, A)).contains("x filtered"));
    assert!(from_b(&mut lab, Packet6::ping(B, R, b"")).contains("x filtered"), "the router itself is silent too");
    assert_eq!(lab.machine(0).counter("firewall.policy.forward.packets"), Some(Value::Integer(2)));
    assert_eq!(lab.machine(0).counter("firewall.policy.in.packets"), Some(Value::Integer(1)));
    assert!(
        lab.machine(0).show("firewall", Time::ZERO).unwrap().contains("[2001:db8:1::a]:4000 > [2001:db8:2::b]:4000")
    );
}

#[test]
fn an_error_about_what_went_out_is_related_and_another_is_not() {
    let mut lab = router(stateful());
    let sent = Packet6::udp(A, B, 9, b"hi");
    from_a(&mut lab, sent.clone());
    let about = |packet: Packet6| [&[1, 4, 0, 0, 0, 0, 0, 0], &packet.finish()[..]].concat();
    assert!(from_b(&mut lab, Packet6::icmp(B, A, &about(sent))).contains("r.0 > "));
    assert!(from_b(&mut lab, Packet6::icmp(B, A, &about(Packet6::udp(A, B, 10, b"hi")))).contains("x filtered"));
}

#[test]
fn neighbor_discovery_passes_where_all_else_is_dropped() {
    let mut lab = router(FirewallSpec { policies: [Verb::Drop; 3], ..FirewallSpec::default() });
    let mut solicitation = vec![135, 0, 0, 0, 0, 0, 0, 0];
    solicitation.extend(v6(R).octets());
    solicitation.extend([1, 1, 2, 0, 0, 0, 0, 4]);
    let told = from_b(&mut lab, Packet6::icmp(B, R, &solicitation).hops(255));
    assert!(told.contains("r.1 > ") && told.contains("neighbor advertisement"), "{told}");
    assert!(from_b(&mut lab, Packet6::ping(B, R, b"")).contains("x filtered"));
}

#[test]
fn who_is_rejected_is_told_as_fits() {
    let mut lab = router(FirewallSpec {
        policies: [Verb::Accept, Verb::Reject(Refusal::Fitting), Verb::Drop],
        ..FirewallSpec::default()
    });
    let told = from_b(&mut lab, Packet6::syn(B, A));
    assert!(told.contains("x filtered") && told.contains("Flags [R.]"), "{told}");
    // RFC 4443 §3.1, code 1. The firewall lets its own word out, whatever it says of others'.
    let told = from_b(&mut lab, Packet6::udp(B, A, 9, b""));
    assert!(told.contains("x filtered") && told.contains("unreachable prohibited"), "{told}");
    assert_eq!(lab.machine(0).counter("firewall.policy.forward.packets"), Some(Value::Integer(2)));
}

#[test]
fn what_goes_out_is_judged_too() {
    let rule = FirewallRule {
        chains: vec![Chain::Out],
        filter: Some(Filter::parse("icmpv6.type == 129").unwrap()),
        ..FirewallRule::new(Verb::Drop)
    };
    let mut lab = router(FirewallSpec { rules: vec![rule], ..FirewallSpec::default() });
    assert!(from_b(&mut lab, Packet6::ping(B, R, b"")).contains("x filtered"));
    assert!(from_b(&mut lab, Packet6::udp(B, R, 9, b"")).contains("unreachable port"));
}

#[test]
fn later_fragments_follow_the_first() {
    let mut lab = router(stateful());
    let answer = Packet6::udp(B, A, 4000, &[7; 80]);
    assert!(fragment_from_b(&mut lab, answer.fragment(1, 40..88, false)).contains("x filtered"));
    from_a(&mut lab, Packet6::udp(A, B, 4000, b""));
    assert!(fragment_from_b(&mut lab, answer.fragment(2, 0..40, true)).contains("r.0 > "));
    assert!(fragment_from_b(&mut lab, answer.fragment(2, 40..88, false)).contains("r.0 > "));
    assert!(fragment_from_b(&mut lab, answer.fragment(3, 40..88, false)).contains("x filtered"), "of another packet");
    lab.run_for(std::time::Duration::from_secs(60));
    assert!(fragment_from_b(&mut lab, answer.fragment(2, 40..88, false)).contains("x filtered"), "too late");
}

#[test]
fn fragments_of_too_many_packets_are_judged_alone_until_the_others_are_old() {
    let mut lab = router(stateful());
    let answer = Packet6::udp(B, A, 4000, &[7; 80]);
    from_a(&mut lab, Packet6::udp(A, B, 4000, b""));
    for ident in 0..=1024 {
        fragment_from_b(&mut lab, answer.fragment(ident, 0..40, true));
    }
    assert!(fragment_from_b(&mut lab, answer.fragment(1023, 40..88, false)).contains("r.0 > "));
    assert!(fragment_from_b(&mut lab, answer.fragment(1024, 40..88, false)).contains("x filtered"));
    lab.run_for(std::time::Duration::from_secs(60));
    fragment_from_b(&mut lab, answer.fragment(1024, 0..40, true));
    assert!(fragment_from_b(&mut lab, answer.fragment(1024, 40..88, false)).contains("r.0 > "));
}

#[test]
fn a_full_table_refuses_new_connections_until_old_ones_end() {
    let mut lab = router(FirewallSpec { tracked_max: 1, ..stateful() });
    from_a(&mut lab, Packet6::udp(A, B, 1, b""));
    assert!(from_a(&mut lab, Packet6::udp(A, B, 2, b"")).contains("x tracking-full"));
    lab.run_for(std::time::Duration::from_secs(300));
    assert!(from_a(&mut lab, Packet6::udp(A, B, 2, b"")).contains("r.1 > "));
}
