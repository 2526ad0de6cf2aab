//! What is for others goes on, or its sender is told why not (RFC 8200 §3, RFC 4443 §3, RFC 4291 §2.5.6).

use std::time::Duration;

use super::*;
use crate::node::machine::RouteKind;
use crate::record::Cause;

const A: &str = "2001:db8:1::a";
const B: &str = "2001:db8:2::b";

/// What the router does with a packet of a's, once everybody knows everybody.
fn told_by_router(packet: Packet6) -> String {
    let mut lab = acquainted();
    lab.arrive(1, 0, &packet.framed(mac(1), mac(2)));
    lab.told()
}

fn acquainted() -> Lab {
    let mut lab = routed();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(Duration::from_millis(50));
    lab.tamper(|_| false);
    lab.log.clear();
    lab
}

#[test]
fn a_packet_goes_on_with_one_hop_less() {
    let mut lab = acquainted();
    let sent = Packet6::udp(A, B, 9, b"hello").hops(33).finish();
    lab.arrive(1, 0, &framed(&sent, EthernetProtocol::Ipv6, mac(1), mac(2)));
    let forwarded = lab.sent_by(1).pop().unwrap();
    let mut expected = sent;
    expected[7] = 32;
    assert_eq!(forwarded[14..], expected);
    assert_eq!((&forwarded[..6], &forwarded[6..12]), (&mac(4).0[..], &mac(3).0[..]));
    assert_eq!(lab.machine(1).counter("ip6.forwarded"), Some(3_u64.into()));
}

#[test]
fn a_packet_without_hops_left_is_told_of() {
    insta::assert_snapshot!(told_by_router(Packet6::udp(A, B, 9, b"").hops(1)), @"
    0.052 r x ttl-expired: 2001:db8:1::a.4000 > 2001:db8:2::b.9: UDP, length 0 [hlim 1]
    0.052 r.0 > 2001:db8:1::1 > 2001:db8:1::a: ICMP6, time exceeded in-transit (about udp 2001:db8:1::a.4000 > 2001:db8:2::b.9), length 56
    ");
    assert!(told_by_router(Packet6::udp(A, B, 9, b"").hops(0)).contains("time exceeded"));
    assert!(told_by_router(Packet6::udp(A, B, 9, b"").hops(2)).contains("r.1 >"));
    // For the router itself the hop limit means nothing.
    assert!(told_by_router(Packet6::ping(A, "2001:db8:2::1", b"").hops(0)).contains("echo reply"));
}

#[test]
fn a_packet_that_is_too_big_is_never_cut_but_told_of_with_the_mtu_of_the_next_link() {
    let mut lab = acquainted();
    lab.set_link(1, 1, true, 1400);
    // 40 + 8 + 1352 = 1400 fits to the byte.
    for (length, fits) in [(1352, true), (1353, false)] {
        lab.log.clear();
        lab.arrive(1, 0, &Packet6::udp(A, B, 9, &vec![0; length]).framed(mac(1), mac(2)));
        let told = lab.told();
        assert_eq!(told.contains("r.1 >"), fits, "{told}");
        assert_eq!(told.contains("ICMP6, packet too big, mtu 1400"), !fits, "{told}");
    }
}

#[test]
fn link_local_addresses_do_not_leave_their_link() {
    insta::assert_snapshot!(told_by_router(Packet6::udp("fe80::ff:fe00:1", B, 9, b"")), @"
    0.052 r x beyond-scope: fe80::ff:fe00:1.4000 > 2001:db8:2::b.9: UDP, length 0
    0.052 r.0 > fe80::ff:fe00:2 > ff02::1:ff00:1: ICMP6, neighbor solicitation, who has fe80::ff:fe00:1, length 32
    ");
    let to_link_local = told_by_router(Packet6::udp(A, "fe80::77", 9, b""));
    assert!(to_link_local.contains("r x beyond-scope") && !to_link_local.contains(" > 2001"), "{to_link_local}");
    let from_nobody = told_by_router(Packet6::udp("::", B, 9, b""));
    assert!(from_nobody.contains("r x martian"), "{from_nobody}");
}

#[test]
fn extension_headers_are_not_looked_at_on_the_way() {
    // An option that must be known, a source route: the destination's business.
    for (kind, header) in [(0, [0, 0, 0xfe, 4, 0, 0, 0, 0]), (43, [0, 0, 0, 1, 0, 0, 0, 0])] {
        let told = told_by_router(Packet6::udp(A, B, 9, b"").extended(kind, &header));
        assert!(told.contains("r.1 >"), "{told}");
    }
}

#[test]
fn routes_refuse_each_in_its_way() {
    let answer = |kind: Option<RouteKind>| {
        let mut lab = acquainted();
        let to = "2001:db8:9::/48".parse().unwrap();
        let routes: Vec<RouteSpec> = kind.map(|kind| RouteSpec::refusing(to, kind)).into_iter().collect();
        lab.machine(1).set_routes(&routes);
        lab.arrive(1, 0, &Packet6::udp(A, "2001:db8:9::1", 9, b"").framed(mac(1), mac(2)));
        let told = lab.told();
        let cause = told.split("r x ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or_default().to_owned();
        let code = lab.sent_by(1);
        (
            cause,
            told.split("unreachable, ").nth(1).map(|rest| rest.split(" 2001").next().unwrap().to_owned()),
            code.len(),
        )
    };
    let route = |text: &str| Some(text.to_owned());
    assert_eq!(answer(None), ("no-route".into(), route("unreachable route"), 0));
    assert_eq!(answer(Some(RouteKind::Unreachable)), ("no-route".into(), route("reject route"), 0));
    assert_eq!(answer(Some(RouteKind::Prohibit)), ("filtered".into(), route("unreachable prohibited"), 0));
    assert_eq!(answer(Some(RouteKind::Blackhole)), ("blackhole".into(), None, 0));
}

#[test]
fn a_host_does_not_forward() {
    let mut lab = pair();
    lab.arrive(0, 0, &Packet6::udp("2001:db8:1::b", "2001:db8:9::1", 9, b"").framed(mac(2), mac(1)));
    assert_eq!(lab.drops_of(0), [Cause::NotForwarding]);
}

#[test]
fn a_neighbor_behind_the_router_that_is_silent_is_unreachable_to_the_sender() {
    let mut lab = routed();
    lab.send_ip(0, Packet6::udp(A, "2001:db8:2::99", 9, b"").finish());
    lab.run_for(Duration::from_secs(5));
    let told = lab.told();
    assert!(told.contains("r x neighbor-unreachable"), "{told}");
    assert!(
        told.contains("2001:db8:1::1 > 2001:db8:1::a: ICMP6, destination unreachable, unreachable address"),
        "{told}"
    );
}

#[test]
fn a_router_that_checks_sources_drops_what_comes_from_the_wrong_side() {
    let mut lab = Lab::new();
    let mut spec = MachineSpec::router("r", 1)
        .interface(interface(2, "2001:db8:1::1/64"))
        .interface(interface(3, "2001:db8:2::1/64"));
    spec.ipv4.checks_sources = true;
    spec.ipv6.nd.dad_transmits = 0;
    spec.neighbors.push(crate::node::machine::NeighborSpec { interface: 1, address: B.parse().unwrap(), mac: mac(4) });
    lab.add("r", Machine::new(spec));
    lab.start();
    for (source, drops) in
        [(A, None), ("2001:db8:2::77", Some(Cause::SpoofedSource)), ("2001:db8:7::7", Some(Cause::SpoofedSource))]
    {
        lab.log.clear();
        lab.arrive(0, 0, &Packet6::udp(source, B, 9, b"").framed(mac(1), mac(2)));
        assert_eq!(lab.drops_of(0), drops.into_iter().collect::<Vec<_>>(), "{source}");
    }
    // Neighbors that speak of their link alone are heard.
    lab.log.clear();
    lab.arrive(0, 0, &Packet6::ping("fe80::ff:fe00:1", "2001:db8:1::1", b"").framed(mac(1), mac(2)));
    assert_eq!(lab.drops_of(0), []);
}

#[test]
fn a_router_that_clamps_lowers_what_a_syn_announces_to_what_fits_both_links() {
    let clamping = |clamps: bool| {
        let mut lab = Lab::new();
        let mut spec = MachineSpec::router("r", 1)
            .interface(interface(2, "2001:db8:1::1/64"))
            .interface(interface(3, "2001:db8:2::1/64"));
        spec.ipv4.clamps_mss = clamps;
        spec.ipv6.nd.dad_transmits = 0;
        for (interface, address, number) in [(0, A, 1), (1, B, 4)] {
            let address = address.parse().unwrap();
            spec.neighbors.push(crate::node::machine::NeighborSpec { interface, address, mac: mac(number) });
        }
        lab.add("r", Machine::new(spec));
        lab.start();
        lab.set_link(0, 1, true, 1400);
        lab
    };
    let announced = |clamps: bool, flags: &str| {
        let mut lab = clamping(clamps);
        let mut segment = [0; 24];
        segment[20..].copy_from_slice(&[2, 4, 0x05, 0xa0]);
        let mut tcp = TcpPacket::new_unchecked(&mut segment);
        tcp.set_header_len(24);
        tcp.set_syn(flags.contains('S'));
        tcp.set_ack(flags.contains('.'));
        lab.log.clear();
        lab.arrive(0, 0, &Packet6::new(A, B, IpProtocol::Tcp, &segment).framed(mac(1), mac(2)));
        let frame = lab.sent_by(0).pop().unwrap();
        let mut again = frame[14..].to_vec();
        crate::wire::frame::fill_transport_checksum(&mut again);
        assert_eq!(again, frame[14..], "the checksum was mended wrongly");
        u16::from_be_bytes([frame[14 + 62], frame[14 + 63]])
    };
    // 1400 - 60.
    assert_eq!((announced(true, "S"), announced(true, "S."), announced(true, ".")), (1340, 1340, 1440));
    assert_eq!(announced(false, "S"), 1440);
}
