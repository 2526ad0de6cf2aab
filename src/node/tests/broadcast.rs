//! Broadcasts at a router: which are for it, which go on, and what may not be one (RFC 1812 §4.2.3.1, §5.3.4, §5.3.5,
//! RFC 2644); and packets that say that they come from elsewhere (RFC 1812 §5.3.8).

use smoltcp::wire::EthernetAddress;

use super::lab::*;
use crate::node::machine::{MachineSpec, RouteSpec};
use crate::node::{Machine, Node as _};
use crate::record::{Cause, Value};

const A: &str = "10.0.1.10";

/// A router 10.0.1.1, 10.0.2.1.
fn router(change: impl FnOnce(&mut MachineSpec)) -> Lab {
    let mut lab = Lab::new();
    let spec =
        MachineSpec::router("r", 1).interface(interface(1, "10.0.1.1/24")).interface(interface(2, "10.0.2.1/24"));
    let mut spec = knowing(knowing(spec, 0, A, 10), 1, "10.0.2.20", 20);
    change(&mut spec);
    lab.add("r", Machine::new(spec));
    lab
}

fn passing() -> Lab {
    router(|spec| spec.ipv4.forwards_directed_broadcasts = true)
}

fn arrive(lab: &mut Lab, packet: Packet) -> Vec<Vec<u8>> {
    lab.log.clear();
    lab.arrive(0, 0, &packet.framed(mac(10), mac(1)));
    lab.sent_by(0)
}

#[test]
fn rfc_2644_directed_broadcasts_are_not_passed_on_unless_asked_for() {
    let to_all = || Packet::udp(A, "10.0.2.255", 9, b"hello");
    let mut lab = router(|_| {});
    assert_eq!((arrive(&mut lab, to_all()).len(), lab.drops_of(0)), (0, vec![Cause::NobodyListens]));
    let mut lab = passing();
    let sent = arrive(&mut lab, to_all());
    // To everybody on the link, with one hop less; and the router itself has it too (RFC 1812 §4.2.2.11).
    assert_eq!((sent.len(), &sent[0][..6], sent[0][14 + 8]), (1, &[0xff; 6][..], 63));
    assert_eq!(lab.drops_of(0), [Cause::NobodyListens]);
    assert_eq!(lab.machine(0).counter("ip.broadcasts_forwarded"), Some(Value::Integer(1)));
}

#[test]
fn a_broadcast_for_the_link_that_it_came_from_or_for_all_links_stays_there() {
    for destination in ["10.0.1.255", "255.255.255.255"] {
        let mut lab = passing();
        assert_eq!(arrive(&mut lab, Packet::udp(A, destination, 9, b"hello")).len(), 0);
        assert_eq!(lab.drops_of(0), [Cause::NobodyListens], "{destination}");
    }
}

#[test]
fn what_came_as_a_link_broadcast_is_never_passed_on() {
    let mut lab = passing();
    for destination in ["10.0.2.255", "10.0.2.20", "255.255.255.255"] {
        let packet = Packet::udp(A, destination, 9, b"hello");
        lab.arrive(0, 0, &packet.framed(mac(10), EthernetAddress::BROADCAST));
        assert_eq!(lab.sent_by(0).len(), 0, "{destination}");
    }
}

#[test]
fn nobody_is_told_of_a_broadcast_that_cannot_go_on() {
    let mut lab = passing();
    assert_eq!(arrive(&mut lab, Packet::udp(A, "10.0.2.255", 9, b"hello").ttl(1)).len(), 0);
    assert_eq!(lab.drops_of(0), [Cause::TtlExpired, Cause::NobodyListens]);
}

#[test]
fn the_address_of_a_subnet_itself_is_nobodys() {
    for destination in ["10.0.1.0", "10.0.2.0"] {
        let mut lab = passing();
        assert_eq!(arrive(&mut lab, Packet::udp(A, destination, 9, b"hello")).len(), 0);
        assert_eq!(lab.drops_of(0), [Cause::Martian], "{destination}");
    }
    // On a link of two, both addresses are somebody's (RFC 3021).
    let mut lab = router(|spec| spec.interfaces.push(interface(3, "10.0.3.1/31")));
    assert!(arrive(&mut lab, Packet::udp(A, "10.0.3.0", 9, b"hello"))[0].starts_with(&[0xff; 6]), "it is asked for");
}

#[test]
fn a_router_that_checks_sources_drops_what_comes_from_the_wrong_side() {
    let checking = || {
        router(|spec| {
            spec.ipv4.checks_sources = true;
            spec.routes.push(RouteSpec::via("10.0.9.0/24".parse().unwrap(), "10.0.1.10".parse().unwrap()));
        })
    };
    let mut lab = checking();
    // From the link itself, and from behind a router on it.
    for source in [A, "10.0.9.9"] {
        assert_eq!(arrive(&mut lab, Packet::udp(source, "10.0.2.20", 9, b"")).len(), 1, "{source}");
    }
    // From another link, and from where no route leads.
    for source in ["10.0.2.77", "192.0.2.1"] {
        assert_eq!(arrive(&mut lab, Packet::udp(source, "10.0.2.20", 9, b"")).len(), 0);
        assert_eq!(lab.drops_of(0), [Cause::SpoofedSource], "{source}");
    }
    assert_eq!(lab.machine(0).counter("ip.spoofed"), Some(Value::Integer(2)));
    // A DHCP client has no address yet.
    arrive(&mut lab, Packet::udp("0.0.0.0", "255.255.255.255", 67, b""));
    assert_eq!(lab.drops_of(0), [Cause::NobodyListens]);
    // RFC 1812 §5.3.8: "If this feature is implemented, it MUST be disabled by default."
    assert_eq!(arrive(&mut router(|_| {}), Packet::udp("10.0.2.77", "10.0.2.20", 9, b"")).len(), 1);
}
