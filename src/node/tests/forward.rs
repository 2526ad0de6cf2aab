//! RFC 1812 §5: what a router does to packets for others.

use std::time::Duration;

use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::lab::*;
use crate::node::machine::{MachineSpec, RouteKind, RouteSpec};
use crate::node::{Machine, Node as _};
use crate::record::{Cause, Value};

const A: &str = "10.0.1.10";
const B: &str = "10.0.2.20";

/// Hands the router of `routed` a packet from a.
fn at_router(lab: &mut Lab, packet: Packet) -> String {
    lab.log.clear();
    lab.arrive(1, 0, &packet.framed(mac(1), mac(2)));
    lab.told()
}

#[test]
fn a_packet_goes_on_with_one_hop_less_and_a_right_checksum() {
    let mut lab = routed();
    assert_eq!(
        at_router(&mut lab, Packet::udp(A, B, 9, b"hello").ttl(64)),
        "0.000 r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 udp 4000 > 9, length 5\n"
    );
    assert_eq!(lab.machine(1).counter("ip.forwarded"), Some(Value::Integer(1)));
}

#[test]
fn nothing_but_the_time_to_live_and_the_checksum_is_changed() {
    let mut lab = routed();
    let before = Packet::udp(A, B, 9, b"hello").options(&[7, 3, 4, 0]).ident(0xbeef).framed(mac(1), mac(2));
    // Twice: found in the tables, then in the cache.
    for _ in 0..2 {
        lab.log.clear();
        lab.arrive(1, 0, &before);
        let mut after = lab.sent_by(1).remove(0);
        assert_eq!(after[..12], [mac(4).0, mac(3).0].concat()[..]);
        after[..12].copy_from_slice(&before[..12]);
        after[14 + 8] += 1;
        Ipv4Packet::new_unchecked(&mut after[14..]).fill_checksum();
        assert_eq!(after, before);
    }
}

#[test]
fn the_last_hop_of_a_time_to_live_is_two() {
    let mut lab = routed();
    assert!(at_router(&mut lab, Packet::udp(A, B, 9, b"").ttl(2)).contains("r.1 > 10.0.1.10 > 10.0.2.20 ttl 1"));
    for ttl in [1, 0] {
        let told = at_router(&mut lab, Packet::udp(A, B, 9, b"").ttl(ttl));
        assert!(told.contains("r.0 > 10.0.1.1 > 10.0.1.10 ttl 64 icmp 11/0 about 10.0.1.10 > 10.0.2.20\n"), "{told}");
        assert!(told.contains(&format!("r x ttl-expired: 10.0.1.10 > 10.0.2.20 ttl {ttl}")), "{told}");
    }
}

#[test]
fn the_time_to_live_of_what_is_for_the_router_itself_does_not_matter() {
    let mut lab = routed();
    assert!(at_router(&mut lab, Packet::ping(A, "10.0.2.1", b"").ttl(1)).contains("echo reply"));
}

#[test]
fn a_packet_of_exactly_the_mtu_passes_and_one_byte_more_does_not() {
    let mut lab = routed();
    lab.set_link(1, 1, true, 600);
    // 600 - 20 - 8 = 572.
    let fits = Packet::udp(A, B, 9, &[0; 572]).dont_fragment();
    assert!(at_router(&mut lab, fits).contains("r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 udp 4000 > 9, length 572"));
    let told = at_router(&mut lab, Packet::udp(A, B, 9, &[0; 573]).dont_fragment());
    assert!(
        told.contains("r.0 > 10.0.1.1 > 10.0.1.10 ttl 64 icmp 3/4 mtu 600 about 10.0.1.10 > 10.0.2.20\n"),
        "{told}"
    );
    assert!(told.contains("r x fragmentation-needed: "), "{told}");
    let told = at_router(&mut lab, Packet::udp(A, B, 9, &[0; 573]));
    // 581 bytes of payload: 576 (a multiple of 8 that fits 580) and 5.
    assert!(told.contains("r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 576@0+\n"), "{told}");
    assert!(told.contains("r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 5@576\n"), "{told}");
}

#[test]
fn a_smaller_mtu_counts_even_for_a_destination_that_is_cached() {
    let mut lab = routed();
    let packet = || Packet::udp(A, B, 9, &[0; 1000]).dont_fragment();
    at_router(&mut lab, packet());
    at_router(&mut lab, packet());
    lab.set_link(1, 1, true, 900);
    assert!(at_router(&mut lab, packet()).contains("icmp 3/4 mtu 900"));
}

#[test]
fn without_a_route_the_network_is_unreachable() {
    let mut lab = routed();
    let told = at_router(&mut lab, Packet::udp(A, "192.0.2.1", 9, b""));
    assert!(told.contains("icmp 3/0 about 10.0.1.10 > 192.0.2.1\n") && told.contains("r x no-route"), "{told}");
    // The route is looked for before the time to live is looked at.
    assert!(at_router(&mut lab, Packet::udp(A, "192.0.2.1", 9, b"").ttl(1)).contains("icmp 3/0"));
}

#[test]
fn a_route_can_refuse_aloud_or_in_silence() {
    let mut lab = routed();
    let route = |prefix: &str, kind| RouteSpec::refusing(prefix.parse().unwrap(), kind);
    lab.machine(1).set_routes(&[
        route("192.0.2.0/24", RouteKind::Unreachable),
        route("198.51.100.0/24", RouteKind::Prohibit),
        route("203.0.113.0/24", RouteKind::Blackhole),
    ]);
    let told = at_router(&mut lab, Packet::udp(A, "192.0.2.1", 9, b""));
    assert!(told.contains("icmp 3/1") && told.contains("x no-route"), "{told}");
    let told = at_router(&mut lab, Packet::udp(A, "198.51.100.1", 9, b""));
    assert!(told.contains("icmp 3/13") && told.contains("x filtered"), "{told}");
    let told = at_router(&mut lab, Packet::udp(A, "203.0.113.1", 9, b""));
    assert_eq!(told, "0.000 r x blackhole: 10.0.1.10 > 203.0.113.1 ttl 64 udp 4000 > 9, length 0\n");
}

#[test]
fn other_routes_count_at_once_even_for_a_destination_that_is_cached() {
    let mut lab = routed();
    at_router(&mut lab, Packet::udp(A, B, 9, b""));
    lab.machine(1).set_routes(&[RouteSpec::refusing("10.0.2.20/32".parse().unwrap(), RouteKind::Prohibit)]);
    assert!(at_router(&mut lab, Packet::udp(A, B, 9, b"")).contains("icmp 3/13"));
}

#[test]
fn a_host_does_not_forward() {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("h", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    lab.add("h", Machine::new(spec));
    lab.arrive(0, 0, &Packet::udp(A, B, 9, b"").framed(mac(1), mac(2)));
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::NotForwarding], 0));
}

#[test]
fn errors_about_what_may_not_be_complained_about_are_withheld() {
    let mut lab = routed();
    let error = [&[3_u8, 1, 0, 0, 0, 0, 0, 0][..], &Packet::udp(B, A, 9, b"").finish()].concat();
    let silent = [
        ("an ICMP error", Packet::new(A, B, IpProtocol::Icmp, &error).ttl(1)),
        ("ICMP too short to tell", Packet::new(A, B, IpProtocol::Icmp, &[]).ttl(1)),
        ("a later fragment", Packet::udp(A, B, 9, b"12345678").offset(8, false).ttl(1)),
    ];
    for (what, packet) in silent {
        let told = at_router(&mut lab, packet);
        assert!(told.starts_with("0.000 r x ttl-expired") && told.lines().count() == 1, "{what}: {told}");
    }
    assert_eq!(lab.machine(1).counter("icmp.errors_withheld"), Some(Value::Integer(3)));
    let loud = [
        ("an echo request", Packet::ping(A, B, b"").ttl(1)),
        ("a first fragment", Packet::udp(A, B, 9, b"12345678").offset(0, true).ttl(1)),
    ];
    for (what, packet) in loud {
        assert!(at_router(&mut lab, packet).contains("icmp 11/0"), "{what}");
    }
}

#[test]
fn an_error_quotes_as_much_as_fits_576_bytes_as_it_was_received() {
    let mut lab = routed();
    for (length, quoted) in [(10, 38), (520, 548), (521, 548), (1400, 548)] {
        let packet = Packet::udp(A, B, 9, &vec![7; length]).ttl(1);
        let received = packet.clone().finish();
        at_router(&mut lab, packet.clone());
        lab.arrive(1, 0, &packet.framed(mac(1), mac(2)));
        let frame = lab.sent_by(1).remove(0);
        let ip = Ipv4Packet::new_checked(&frame[14..]).unwrap();
        assert_eq!(ip.payload()[8..], received[..quoted.min(received.len())]);
        assert_eq!(ip.total_len() as usize, 28 + quoted.min(received.len()));
        assert!(ip.total_len() <= 576 && ip.verify_checksum());
        assert_eq!(smoltcp::wire::checksum::data(ip.payload()), !0);
        // RFC 1812 §4.3.2.5: precedence 6.
        assert_eq!(frame[15], 0xc0);
    }
}

#[test]
fn the_source_of_an_error_is_the_address_on_the_link_it_leaves_by() {
    // To 10.0.1.10 the way back leads out of the second interface.
    let mut lab = Lab::new();
    let spec =
        MachineSpec::router("r", 1).interface(interface(2, "10.0.9.1/24")).interface(interface(3, "10.0.2.1/24"));
    let spec = spec.route(RouteSpec::via("10.0.1.0/24".parse().unwrap(), "10.0.2.20".parse().unwrap()));
    lab.add("r", Machine::new(knowing(spec, 1, "10.0.2.20", 4)));
    lab.arrive(0, 0, &Packet::udp(A, "192.0.2.1", 9, b"").framed(mac(1), mac(2)));
    assert!(lab.told().contains("r.1 > 10.0.2.1 > 10.0.1.10 ttl 64 icmp 3/0"));
}

#[test]
fn martians_are_dropped() {
    let martians = [
        ("127.0.0.1", B),
        ("0.0.0.0", B),
        ("0.1.2.3", B),
        ("224.0.0.5", B),
        ("255.255.255.255", B),
        ("240.0.0.1", B),
        ("10.0.1.1", B),
        ("10.0.2.1", B),
        ("10.0.1.255", B),
        (A, "127.0.0.1"),
        (A, "0.0.0.0"),
        (A, "240.0.0.1"),
        ("0.0.0.0", "255.255.255.255"),
    ];
    for (source, destination) in martians {
        let mut lab = routed();
        lab.arrive(1, 0, &Packet::udp(source, destination, 9, b"").framed(mac(1), mac(2)));
        assert_eq!(lab.drops_of(1), [Cause::Martian], "{source} > {destination}");
        assert_eq!(lab.sent_by(1).len(), 0);
    }
}

#[test]
fn a_dhcp_client_may_speak_without_an_address() {
    let mut lab = routed();
    lab.arrive(1, 0, &Packet::udp("0.0.0.0", "255.255.255.255", 67, b"").framed(mac(1), mac(2)));
    assert_eq!(lab.drops_of(1), [Cause::NobodyListens]);
}

#[test]
fn source_routes_are_refused_and_broken_options_complained_about() {
    let mut lab = routed();
    for kind in [131, 137] {
        let told = at_router(&mut lab, Packet::udp(A, B, 9, b"").options(&[kind, 7, 4, 10, 0, 2, 1, 0]));
        assert!(told.contains("r x filtered"), "{told}");
    }
    let told = at_router(&mut lab, Packet::udp(A, B, 9, b"").options(&[1, 7, 9, 4]));
    assert!(told.contains("icmp 12/0 about 10.0.1.10") && told.contains("r x malformed"), "{told}");
    lab.arrive(1, 0, &Packet::udp(A, B, 9, b"").options(&[1, 7, 9, 4]).framed(mac(1), mac(2)));
    let frame = lab.sent_by(1).remove(0);
    // Type 12, and the pointer to the option: 20 + 1.
    assert_eq!((frame[14 + 20], frame[14 + 24]), (12, 21));
}

#[test]
fn a_damaged_header_ends_at_the_router_and_a_damaged_payload_at_the_host() {
    let mut lab = routed();
    let mut bytes = Packet::udp(A, B, 9, b"hello").framed(mac(1), mac(2));
    bytes[14 + 9] ^= 4;
    lab.arrive(1, 0, &bytes);
    assert_eq!(lab.drops_of(1), [Cause::BadChecksum]);
    lab.log.clear();
    let mut bytes = Packet::udp(A, B, 9, b"hello").framed(mac(1), mac(2));
    *bytes.last_mut().unwrap() ^= 4;
    lab.arrive(1, 0, &bytes);
    lab.run_for(Duration::from_millis(10));
    assert_eq!((lab.drops_of(1), lab.drops_of(2)), (vec![], vec![Cause::BadChecksum]));
}

#[test]
fn a_routing_loop_ends_when_the_time_to_live_does() {
    let mut lab = Lab::new();
    let one = MachineSpec::router("r1", 1).interface(interface(1, "10.0.0.1/24")).route(default_via("10.0.0.2"));
    let two = MachineSpec::router("r2", 1).interface(interface(2, "10.0.0.2/24")).route(default_via("10.0.0.1"));
    lab.add("r1", Machine::new(one));
    lab.add("r2", Machine::new(two));
    lab.wire((0, 0), (1, 0));
    lab.arrive(0, 0, &Packet::ping("10.0.0.9", "192.0.2.1", b"").ttl(20).framed(mac(9), mac(1)));
    lab.run_for(Duration::from_secs(1));
    // 19 hops lower it from 20 to 1; the next router refuses it, and looks for whom to tell.
    let told = lab.told();
    assert_eq!(told.lines().filter(|line| line.contains("> 10.0.0.9 > 192.0.2.1")).count(), 19, "{told}");
    assert!(told.contains("r2 x ttl-expired") && told.contains("who has 10.0.0.9, tell 10.0.0.2"), "{told}");
}

#[test]
fn a_link_broadcast_that_is_for_one_machine_is_dropped() {
    let mut lab = routed();
    let everybody = smoltcp::wire::EthernetAddress::BROADCAST;
    for destination in [B, "10.0.1.1"] {
        lab.log.clear();
        lab.arrive(1, 0, &Packet::udp(A, destination, 9, b"").framed(mac(1), everybody));
        assert_eq!((lab.drops_of(1), lab.sent_by(1).len()), (vec![Cause::LinkBroadcast], 0));
    }
}

#[test]
fn a_directed_broadcast_is_for_the_router_but_does_not_pass() {
    let mut lab = routed();
    lab.arrive(1, 0, &Packet::udp(A, "10.0.2.255", 9, b"").framed(mac(1), mac(2)));
    assert_eq!((lab.drops_of(1), lab.sent_by(1).len()), (vec![Cause::NobodyListens], 0));
}

#[test]
fn frames_for_others_and_of_unknown_kinds_are_not_taken() {
    use smoltcp::wire::{EthernetAddress, EthernetProtocol};
    let mut lab = routed();
    lab.arrive(1, 0, &Packet::udp(A, B, 9, b"").framed(mac(1), mac(9)));
    lab.arrive(1, 0, &framed(&[0x60; 60], EthernetProtocol::Ipv6, mac(1), mac(2)));
    lab.arrive(1, 0, &framed(&[0x60; 60], EthernetProtocol::Ipv4, mac(1), mac(2)));
    lab.arrive(1, 0, &framed(&[0; 60], EthernetProtocol::Unknown(0x8100), mac(1), mac(2)));
    lab.arrive(1, 0, &Packet::udp(A, B, 9, b"").framed(EthernetAddress([3, 0, 0, 0, 0, 1]), mac(2)));
    lab.arrive(1, 0, &[0; 13]);
    lab.arrive(1, 7, &Packet::udp(A, B, 9, b"").framed(mac(1), mac(2)));
    let expected = [
        Cause::NotForThisAddress,
        Cause::UnknownProtocol,
        Cause::UnknownProtocol,
        Cause::UnknownProtocol,
        Cause::Malformed,
        Cause::Malformed,
        Cause::NoLink,
    ];
    assert_eq!(lab.drops_of(1), expected);
}

#[test]
fn a_neighbor_that_moves_is_followed_even_for_a_destination_that_is_cached() {
    let mut lab = Lab::new();
    let spec =
        MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    lab.add("r", Machine::new(spec));
    let everybody = smoltcp::wire::EthernetAddress::BROADCAST;
    let asks = |number| arp(smoltcp::wire::ArpOperation::Request, (mac(number), B), (mac(0), "10.0.2.1"), everybody);
    let next = |lab: &mut Lab| {
        lab.log.clear();
        lab.arrive(0, 0, &Packet::udp(A, B, 9, b"").framed(mac(1), mac(2)));
        lab.sent_by(0).iter().map(|frame| frame[5]).collect::<Vec<_>>()
    };
    lab.arrive(0, 1, &asks(4));
    assert_eq!((next(&mut lab), next(&mut lab)), (vec![4], vec![4]));
    lab.arrive(0, 1, &asks(5));
    assert_eq!((next(&mut lab), next(&mut lab)), (vec![5], vec![5]));
    // Once its answer has aged it is asked again, though the destination is cached.
    lab.now = crate::time::Time::from_secs(60);
    assert_eq!(next(&mut lab), [5, 5]);
    // The link goes and comes back: nobody is known, so the packet waits and everybody is asked.
    lab.set_link(0, 1, false, 1500);
    lab.set_link(0, 1, true, 1500);
    assert_eq!(next(&mut lab), [0xff]);
}
