//! A firewall on a router and on a host: what passes, what is said about what does not.

use std::time::Duration;

use smoltcp::wire::IpProtocol;

use super::lab::*;
use crate::filter::Filter;
use crate::node::machine::firewall::{Chain, FirewallRule, FirewallSpec, Refusal, State, Verb};
use crate::node::machine::nat::NatSpec;
use crate::node::machine::{InterfaceSpec, MachineSpec};
use crate::node::{Machine, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;

const A: &str = "10.0.1.10";
const B: &str = "10.0.2.20";

/// a — r — b, with a firewall on r, whose interfaces are 0 toward a and 1 toward b.
fn router(firewall: FirewallSpec) -> Lab {
    machine(MachineSpec::router("r", 1), firewall)
}

fn machine(spec: MachineSpec, firewall: FirewallSpec) -> Lab {
    let mut lab = Lab::new();
    let inside: InterfaceSpec = interface(2, "10.0.1.1/24");
    let spec = knowing(knowing(spec.interface(inside).interface(interface(3, "10.0.2.1/24")), 0, A, 1), 1, B, 4);
    lab.add("r", Machine::new(MachineSpec { firewall: Some(firewall), ..spec }));
    lab
}

fn rule(filter: &str, verb: Verb) -> FirewallRule {
    FirewallRule { filter: Some(Filter::parse(filter).unwrap()), ..FirewallRule::new(verb) }
}

fn rules(rules: Vec<FirewallRule>) -> FirewallSpec {
    FirewallSpec { rules, ..FirewallSpec::default() }
}

/// What everybody writes first: answers may come in, and what is begun inside may go out.
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

fn from_a(lab: &mut Lab, packet: Packet) -> String {
    lab.log.clear();
    lab.arrive(0, 0, &packet.framed(mac(1), mac(2)));
    lab.told()
}

fn from_b(lab: &mut Lab, packet: Packet) -> String {
    lab.log.clear();
    lab.arrive(0, 1, &packet.framed(mac(4), mac(3)));
    lab.told()
}

#[test]
fn answers_come_in_and_nothing_else() {
    let mut lab = router(stateful());
    assert!(from_b(&mut lab, Packet::udp(B, A, 4000, b"")).contains("x filtered"));
    assert!(from_a(&mut lab, Packet::udp(A, B, 4000, b"")).contains("r.1 > "));
    assert!(from_b(&mut lab, Packet::udp(B, A, 4000, b"")).contains("r.0 > "));
    assert!(from_b(&mut lab, Packet::udp(B, A, 4001, b"")).contains("x filtered"));
    assert!(
        from_b(&mut lab, Packet::ping(B, "10.0.2.1", b"")).contains("x filtered"),
        "the router itself is silent too"
    );
    assert_eq!(lab.machine(0).counter("firewall.policy.forward.packets"), Some(Value::Integer(2)));
    assert_eq!(lab.machine(0).counter("firewall.policy.in.packets"), Some(Value::Integer(1)));
    assert!(lab.machine(0).show("firewall", Time::ZERO).unwrap().contains("10.0.1.10:4000 > 10.0.2.20:4000"));
}

#[test]
fn a_rejected_segment_is_reset_and_a_rejected_datagram_is_told_of() {
    let mut lab = router(rules(vec![rule("tcp || udp", Verb::Reject(Refusal::Fitting))]));
    let told = from_a(&mut lab, Packet::tcp(A, B, "S", b""));
    assert!(told.contains("x filtered: 10.0.1.10 > 10.0.2.20 ttl 64"), "{told}");
    assert!(told.contains("r.0 > 10.0.2.20 > 10.0.1.10 ttl 64 tcp 80 > 4000 [R.] seq 0 ack 101\n"), "{told}");
    let told = from_a(&mut lab, Packet::udp(A, B, 9, b""));
    assert!(told.contains("r.0 > 10.0.1.1 > 10.0.1.10 ttl 64 icmp 3/13 about 10.0.1.10 > 10.0.2.20\n"), "{told}");
    // A reset is not answered by a reset.
    assert_eq!(from_a(&mut lab, Packet::tcp(A, B, "R", b"")).lines().count(), 1);
    assert_eq!(lab.machine(0).counter("tcp.resets_sent"), Some(Value::Integer(1)));
}

#[test]
fn a_rejection_may_be_the_icmp_error_that_is_asked_for() {
    for (refusal, code) in [(Refusal::PortUnreachable, 3), (Refusal::Prohibited, 13)] {
        let mut lab = router(rules(vec![FirewallRule::new(Verb::Reject(refusal))]));
        let told = from_a(&mut lab, Packet::tcp(A, B, "S", b""));
        assert!(told.contains(&format!("icmp 3/{code} about 10.0.1.10 > 10.0.2.20\n")), "{told}");
    }
}

#[test]
fn a_refusal_is_not_judged_by_who_makes_it() {
    // Nothing may go out, and still the sender is told.
    let mut firewall = rules(vec![rule("udp", Verb::Reject(Refusal::Fitting))]);
    firewall.policies = [Verb::Accept, Verb::Accept, Verb::Drop];
    let mut lab = router(firewall);
    assert!(from_a(&mut lab, Packet::udp(A, B, 9, b"")).contains("icmp 3/13"));
    assert!(from_a(&mut lab, Packet::ping(A, "10.0.1.1", b"")).contains("x filtered: 10.0.1.1 > 10.0.1.10"));
}

#[test]
fn a_program_whose_packet_may_not_go_out_is_told_at_once() {
    let firewall =
        rules(vec![FirewallRule { chains: vec![Chain::Out], ..rule("udp", Verb::Reject(Refusal::Fitting)) }]);
    let mut lab = machine(MachineSpec::host("h", 1), firewall);
    lab.send_ip(0, Packet::udp("10.0.1.1", A, 9, b"").finish());
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::Filtered], 0));
}

#[test]
fn the_loopback_is_not_judged() {
    let firewall = FirewallSpec { policies: [Verb::Drop; 3], ..FirewallSpec::default() };
    let mut lab = machine(MachineSpec::host("h", 1), firewall);
    lab.send_ip(0, Packet::ping("127.0.0.1", "127.0.0.1", b"").finish());
    assert!(!lab.told().contains("filtered"));
}

#[test]
fn an_error_about_a_known_connection_is_related_and_one_about_another_is_not() {
    let mut lab = router(stateful());
    from_a(&mut lab, Packet::udp(A, B, 9, b"hello"));
    let error = |port: u16| {
        let quoted = Packet::udp(A, B, port, b"hello").finish();
        Packet::new(B, A, IpProtocol::Icmp, &[&[3, 3, 0, 0, 0, 0, 0, 0], &quoted[..]].concat())
    };
    assert!(from_b(&mut lab, error(9)).contains("r.0 > "));
    assert!(from_b(&mut lab, error(10)).contains("x filtered"));
}

#[test]
fn a_stateless_firewall_lets_later_fragments_pass_and_a_stateful_one_sees_the_whole() {
    let fragments = || {
        [
            Packet::udp(A, B, 9, &[0; 16]).ident(5).offset(0, true),
            Packet::new(A, B, IpProtocol::Udp, &[0; 8]).ident(5).offset(24, false),
        ]
    };
    let mut stateless = router(rules(vec![rule("udp.dstport == 9", Verb::Drop)]));
    let [first, last] = fragments();
    assert!(from_a(&mut stateless, first).contains("x filtered"));
    assert!(from_a(&mut stateless, last).contains("r.1 > "), "it has no ports");
    let mut firewall = stateful();
    firewall.rules.insert(0, rule("udp.dstport == 9", Verb::Drop));
    let mut stateful = router(firewall);
    let [first, last] = fragments();
    assert!(!from_a(&mut stateful, last).contains("r.1 > "));
    assert!(from_a(&mut stateful, first).contains("x filtered"));
    stateful.run_for(Duration::from_secs(60));
    assert_eq!(stateful.sent_by(0).len(), 0);
}

#[test]
fn rules_see_inside_addresses_where_there_is_a_translator() {
    let mut firewall = stateful();
    firewall.rules.insert(0, rule("ip.dst == 10.0.1.99", Verb::Drop));
    let mut lab = Lab::new();
    let r = MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    let r = knowing(knowing(r, 0, A, 1), 1, B, 4);
    lab.add("r", Machine::new(MachineSpec { firewall: Some(firewall), nat: Some(NatSpec::home(1)), ..r }));
    assert!(from_a(&mut lab, Packet::udp(A, B, 53, b"")).contains("r.1 > 10.0.2.1 > 10.0.2.20"));
    let mut answer = Packet::udp(B, "10.0.2.1", 4000, b"");
    answer.bytes[20..22].copy_from_slice(&53_u16.to_be_bytes());
    assert!(from_b(&mut lab, answer).contains("r.0 > 10.0.2.20 > 10.0.1.10"));
    let view = lab.machine(0).show("firewall", Time::ZERO).unwrap();
    assert!(view.contains("udp   10.0.1.10:4000 > 10.0.2.20:53  ANSWERED"), "{view}");
}

#[test]
fn a_machine_that_lost_its_power_knows_no_connection_any_more() {
    let mut lab = router(stateful());
    from_a(&mut lab, Packet::udp(A, B, 4000, b""));
    lab.command(0, &crate::node::Command::Restart).unwrap();
    assert!(from_b(&mut lab, Packet::udp(B, A, 4000, b"")).contains("x filtered"));
}
