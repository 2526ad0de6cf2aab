//! How many ICMP errors a machine sends (RFC 1812 §4.3.2.8), and machines that send none.

use super::lab::*;
use crate::node::machine::{IcmpLimit, MachineSpec};
use crate::node::{Machine, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;

/// A router 10.0.1.1, 10.0.2.1 that knows 10.0.1.10 and has these habits.
fn router(change: impl FnOnce(&mut MachineSpec)) -> Lab {
    let mut lab = Lab::new();
    let spec =
        MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    let mut spec = knowing(spec, 0, "10.0.1.10", 1);
    change(&mut spec);
    lab.add("r", Machine::new(spec));
    lab
}

fn expire(lab: &mut Lab) -> usize {
    lab.log.clear();
    lab.arrive(0, 0, &Packet::udp("10.0.1.10", "10.0.2.20", 9, b"").ttl(1).framed(mac(1), mac(2)));
    assert_eq!(lab.drops_of(0), [Cause::TtlExpired]);
    lab.sent_by(0).len()
}

fn counter(lab: &mut Lab, name: &str) -> Option<Value> {
    lab.machine(0).counter(name)
}

#[test]
fn errors_beyond_the_limit_are_withheld_and_counted() {
    let mut lab = router(|spec| spec.ipv4.error_limit = IcmpLimit { per_second: 2, burst: 3 });
    let told: Vec<usize> = (0..5).map(|_| expire(&mut lab)).collect();
    assert_eq!(told, [1, 1, 1, 0, 0]);
    assert!(lab.told().contains("# icmp: an error is withheld: the limit is 2/s, 3 at once"));
    assert_eq!(counter(&mut lab, "icmp.errors_limited"), Some(Value::Integer(2)));
    assert_eq!(counter(&mut lab, "icmp.sent.time_exceeded"), Some(Value::Integer(3)));
    lab.now = Time::from_millis(499);
    assert_eq!(expire(&mut lab), 0);
    lab.now = Time::from_millis(500);
    assert_eq!((expire(&mut lab), expire(&mut lab)), (1, 0));
}

#[test]
fn what_may_not_be_complained_about_costs_nothing_of_the_limit() {
    let mut lab = router(|spec| spec.ipv4.error_limit = IcmpLimit { per_second: 1, burst: 1 });
    let later = || Packet::udp("10.0.1.10", "10.0.2.20", 9, b"12345678").offset(8, false).ttl(1);
    (0..3).for_each(|_| lab.arrive(0, 0, &later().framed(mac(1), mac(2))));
    assert_eq!(expire(&mut lab), 1);
    assert_eq!(counter(&mut lab, "icmp.errors_withheld"), Some(Value::Integer(3)));
    assert_eq!(counter(&mut lab, "icmp.errors_limited"), Some(Value::Integer(0)));
}

#[test]
fn pings_are_answered_whatever_the_limit() {
    let mut lab = router(|spec| spec.ipv4.error_limit = IcmpLimit { per_second: 1, burst: 1 });
    for _ in 0..5 {
        lab.arrive(0, 0, &Packet::ping("10.0.1.10", "10.0.1.1", b"").framed(mac(1), mac(2)));
    }
    assert_eq!(lab.sent_by(0).len(), 5);
}

#[test]
fn a_restart_fills_the_bucket() {
    let mut lab = router(|spec| spec.ipv4.error_limit = IcmpLimit { per_second: 1, burst: 1 });
    assert_eq!((expire(&mut lab), expire(&mut lab)), (1, 0));
    lab.command(0, &crate::node::Command::Restart).unwrap();
    assert_eq!(expire(&mut lab), 1);
}

#[test]
fn a_silent_router_forwards_and_answers_pings_but_never_complains() {
    let mut lab = router(|spec| {
        spec.ipv4.sends_errors = false;
        spec.neighbors.push(crate::node::machine::NeighborSpec {
            interface: 1,
            address: "10.0.2.20".parse().unwrap(),
            mac: mac(4),
        });
    });
    assert_eq!(expire(&mut lab), 0);
    lab.arrive(0, 0, &Packet::udp("10.0.1.10", "192.0.2.1", 9, b"").framed(mac(1), mac(2)));
    lab.set_link(0, 1, true, 600);
    lab.arrive(0, 0, &Packet::udp("10.0.1.10", "10.0.2.20", 9, &[0; 900]).dont_fragment().framed(mac(1), mac(2)));
    assert_eq!(lab.drops_of(0), [Cause::TtlExpired, Cause::NoRoute, Cause::FragmentationNeeded]);
    assert_eq!(lab.sent_by(0).len(), 0);
    assert_eq!(counter(&mut lab, "icmp.errors_silenced"), Some(Value::Integer(3)));
    lab.arrive(0, 0, &Packet::udp("10.0.1.10", "10.0.2.20", 9, b"").framed(mac(1), mac(2)));
    lab.arrive(0, 0, &Packet::ping("10.0.1.10", "10.0.1.1", b"").framed(mac(1), mac(2)));
    assert_eq!(lab.sent_by(0).len(), 2);
}
