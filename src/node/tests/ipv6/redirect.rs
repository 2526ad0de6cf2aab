//! Redirects: who sends them, who believes them, and for how long (RFC 4861 §8).

use std::time::Duration;

use super::*;
use crate::record::{Cause, Value};

const HOST: &str = "2001:db8:1::a";
const FAR: &str = "2001:db8:9::9";

/// The redirects among the frames that the only machine has sent, without headers.
fn redirects(lab: &Lab) -> Vec<Vec<u8>> {
    let frames = lab.sent_by(0).into_iter();
    frames.filter(|frame| frame[20] == 58 && frame.get(54) == Some(&137)).map(|frame| frame[54..].to_vec()).collect()
}

/// A router with the other router of its first link as its way to everywhere.
fn router(change: impl FnOnce(&mut MachineSpec)) -> Lab {
    let mut spec = unchecked(MachineSpec::router("r", 1))
        .interface(interface(2, "2001:db8:1::1/64"))
        .interface(interface(3, "2001:db8:2::1/64"))
        .route(RouteSpec { interface: Some(0), ..default6("fe80::ff:fe00:5") });
    change(&mut spec);
    let mut lab = Lab::new();
    lab.add("r", Machine::new(spec));
    lab.start();
    lab.log.clear();
    lab
}

/// Lets the router know a neighbor on its first link.
fn introduce(lab: &mut Lab, address: &str, number: u8) {
    let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &v6("2001:db8:1::1").octets(), &[1, 1], &mac(number).0].concat();
    lab.arrive(0, 0, &Packet6::icmp(address, "ff02::1:ff00:1", &body).hops(255).framed(mac(number), mac_of_group()));
    lab.log.clear();
}

fn mac_of_group() -> EthernetAddress {
    EthernetAddress([0x33, 0x33, 0xff, 0, 0, 1])
}

#[test]
fn a_router_redirects_to_the_link_local_address_of_a_better_router() {
    let mut lab = router(|_| ());
    introduce(&mut lab, HOST, 1);
    introduce(&mut lab, "fe80::ff:fe00:5", 5);
    let packet = Packet6::udp(HOST, FAR, 9, b"hello");
    lab.arrive(0, 0, &packet.clone().framed(mac(1), mac(2)));
    let [redirect] = &redirects(&lab)[..] else { panic!("{}", lab.told()) };
    assert_eq!(redirect[8..24], v6("fe80::ff:fe00:5").octets());
    assert_eq!(redirect[24..40], v6(FAR).octets());
    assert_eq!(redirect[40..48], [2, 1, 2, 0, 0, 0, 0, 5]);
    assert_eq!((&redirect[4..8], &redirect[50..56]), (&[0; 4][..], &[0; 6][..]), "what is reserved");
    // 53 bytes of packet: 48 of them fit whole units of eight.
    assert_eq!((&redirect[48..50], redirect.len()), (&[4, 7][..], 40 + 8 + 8 + 48));
    assert_eq!(redirect[56..], packet.finish()[..48]);
    let sent = lab.sent_by(0);
    assert_eq!(
        (sent[0][21], &sent[0][22..38]),
        (255, &v6("fe80::ff:fe00:2").octets()[..]),
        "from its link-local address"
    );
    // The packet goes on all the same.
    assert_eq!((sent.len(), &sent[1][..6]), (2, &mac(5).0[..]));
}

#[test]
fn a_router_redirects_to_the_destination_itself_if_that_is_on_the_link() {
    let mut lab = router(|_| ());
    introduce(&mut lab, HOST, 1);
    introduce(&mut lab, "2001:db8:1::b", 6);
    lab.arrive(0, 0, &Packet6::udp(HOST, "2001:db8:1::b", 9, b"").framed(mac(1), mac(2)));
    let [redirect] = &redirects(&lab)[..] else { panic!("{}", lab.told()) };
    assert_eq!(
        (&redirect[8..24], &redirect[24..40]),
        (&v6("2001:db8:1::b").octets()[..], &v6("2001:db8:1::b").octets()[..])
    );
}

#[test]
fn a_router_that_is_known_by_a_global_address_is_named_by_its_link_local_one_or_not_at_all() {
    let by_global = |spec: &mut MachineSpec| spec.routes[0] = default6("2001:db8:1::5");
    let mut lab = router(by_global);
    introduce(&mut lab, HOST, 1);
    introduce(&mut lab, "2001:db8:1::5", 5);
    lab.arrive(0, 0, &Packet6::udp(HOST, FAR, 9, b"").framed(mac(1), mac(2)));
    assert!(redirects(&lab).is_empty(), "nobody has told what its link-local address is");
    introduce(&mut lab, "fe80::5", 5);
    lab.arrive(0, 0, &Packet6::udp(HOST, FAR, 9, b"").framed(mac(1), mac(2)));
    assert_eq!(redirects(&lab)[0][8..24], v6("fe80::5").octets());
}

#[test]
fn only_neighbors_whose_packets_go_back_to_their_link_are_redirected() {
    let count = |change: fn(&mut MachineSpec), packet: Packet6, port: u16| {
        let mut lab = router(change);
        introduce(&mut lab, HOST, 1);
        introduce(&mut lab, "fe80::ff:fe00:5", 5);
        lab.arrive(0, port, &packet.framed(mac(1), mac(2 + port as u8)));
        redirects(&lab).len()
    };
    let packet = || Packet6::udp(HOST, FAR, 9, b"");
    assert_eq!(count(|_| (), packet(), 0), 1);
    assert_eq!(count(|spec| spec.ipv4.sends_redirects = false, packet(), 0), 0);
    assert_eq!(count(|_| (), Packet6::udp("2001:db8:7::7", FAR, 9, b""), 0), 0, "from somebody far away");
    assert_eq!(count(|_| (), Packet6::udp("2001:db8:2::7", FAR, 9, b""), 1), 0, "from the other link");
    assert_eq!(count(|_| (), Packet6::udp(HOST, "ff05::7", 9, b""), 0), 0, "to a group");
    assert_eq!(count(|spec| spec.forwards = false, packet(), 0), 0, "a host sends none");
}

#[test]
fn redirects_share_the_limit_of_errors() {
    let mut lab = router(|spec| spec.ipv4.error_limit = crate::node::machine::IcmpLimit { per_second: 1, burst: 2 });
    introduce(&mut lab, HOST, 1);
    introduce(&mut lab, "fe80::ff:fe00:5", 5);
    for _ in 0..5 {
        lab.arrive(0, 0, &Packet6::udp(HOST, FAR, 9, b"").framed(mac(1), mac(2)));
    }
    assert_eq!(redirects(&lab).len(), 2);
    assert_eq!(lab.machine(0).counter("nd.sent.redirect"), Some(Value::Integer(2)));
    assert_eq!(lab.machine(0).counter("icmp6.errors_limited"), Some(Value::Integer(3)));
}

/// A host with a default router, which it has heard of.
fn host(accepts: bool) -> Lab {
    let mut spec = unchecked(MachineSpec::host("a", 1))
        .interface(interface(1, "2001:db8:1::a/64"))
        .route(RouteSpec { interface: Some(0), ..default6("fe80::1") });
    spec.ipv4.accepts_redirects = accepts;
    let mut lab = Lab::new();
    lab.add("a", Machine::new(spec));
    lab.start();
    lab.log.clear();
    lab
}

/// A redirect, with the hardware address of the target unless it is 0.
fn redirect(target: &str, destination: &str, number: u8) -> Vec<u8> {
    let mut body = vec![137, 0, 0, 0, 0, 0, 0, 0];
    body.extend(v6(target).octets());
    body.extend(v6(destination).octets());
    if number != 0 {
        body.extend([2, 1]);
        body.extend(mac(number).0);
    }
    body
}

fn tell(lab: &mut Lab, from: &str, body: &[u8]) {
    lab.arrive(0, 0, &Packet6::icmp(from, HOST, body).hops(255).framed(mac(9), mac(1)));
}

fn view(lab: &mut Lab, what: &str) -> String {
    let now = lab.now;
    lab.machine(0).show(what, now).unwrap()
}

#[test]
fn a_host_obeys_its_first_hop_for_one_destination_and_five_minutes() {
    let mut lab = host(true);
    tell(&mut lab, "fe80::1", &redirect("fe80::2", FAR, 2));
    assert_eq!(view(&mut lab, "cache"), "2001:db8:9::9 via fe80::2 dev eth1 <redirected> expires 300s\n");
    assert_eq!(view(&mut lab, "neigh"), "fe80::2 dev eth1 lladdr 02:00:00:00:00:02 router STALE\n");
    assert_eq!(lab.machine(0).counter("nd.redirects_accepted"), Some(Value::Integer(1)));
    lab.log.clear();
    lab.send_ip(0, Packet6::udp(HOST, FAR, 9, b"").finish());
    assert_eq!(lab.sent_by(0)[0][..6], mac(2).0);
    lab.log.clear();
    lab.send_ip(0, Packet6::udp(HOST, "2001:db8:9::8", 9, b"").finish());
    assert!(lab.told().contains("who has fe80::1"), "others go the old way");
    lab.run_for(Duration::from_secs(301));
    assert_eq!(view(&mut lab, "cache"), "");
}

#[test]
fn a_destination_that_is_its_own_target_is_on_the_link_and_perhaps_no_router() {
    let mut lab = host(true);
    tell(&mut lab, "fe80::1", &redirect(FAR, FAR, 7));
    assert_eq!(view(&mut lab, "cache"), "2001:db8:9::9 dev eth1 <redirected> expires 300s\n");
    assert_eq!(view(&mut lab, "neigh"), "2001:db8:9::9 dev eth1 lladdr 02:00:00:00:00:07 STALE\n");
    // Without the hardware address it is asked for.
    let mut lab = host(true);
    tell(&mut lab, "fe80::1", &redirect(FAR, FAR, 0));
    assert_eq!(view(&mut lab, "neigh"), "");
    lab.send_ip(0, Packet6::udp(HOST, FAR, 9, b"").finish());
    assert!(lab.told().contains("who has 2001:db8:9::9"));
}

#[test]
fn a_redirect_to_a_known_neighbor_that_moved_makes_it_stale() {
    let mut lab = host(true);
    tell(&mut lab, "fe80::1", &redirect("fe80::2", FAR, 2));
    // A neighbor advertisement: a router, solicited, overriding.
    let body = [&[136, 0, 0, 0, 0xe0, 0, 0, 0][..], &v6("fe80::2").octets(), &[2, 1, 2, 0, 0, 0, 0, 2]].concat();
    lab.arrive(0, 0, &Packet6::icmp("fe80::2", HOST, &body).hops(255).framed(mac(2), mac(1)));
    tell(&mut lab, "fe80::1", &redirect("fe80::2", "2001:db8:9::8", 2));
    assert_eq!(view(&mut lab, "neigh"), "fe80::2 dev eth1 lladdr 02:00:00:00:00:02 router REACHABLE\n", "no news");
    tell(&mut lab, "fe80::1", &redirect("fe80::2", "2001:db8:9::7", 3));
    assert_eq!(view(&mut lab, "neigh"), "fe80::2 dev eth1 lladdr 02:00:00:00:00:03 router STALE\n");
}

#[test]
fn redirects_that_break_the_rules_are_dropped() {
    let refused = |accepts, from: &str, body: Vec<u8>, hops: u8, expected: Cause| {
        let mut lab = host(accepts);
        lab.arrive(0, 0, &Packet6::icmp(from, HOST, &body).hops(hops).framed(mac(9), mac(1)));
        assert_eq!((lab.drops_of(0), view(&mut lab, "cache")), (vec![expected], String::new()), "{from} {body:?}");
    };
    let good = || redirect("fe80::2", FAR, 2);
    let changed = |at: usize, byte: u8| {
        let mut body = good();
        body[at] = byte;
        body
    };
    refused(true, "fe80::66", good(), 255, Cause::InvalidDiscovery);
    refused(true, "2001:db8:1::1", good(), 255, Cause::InvalidDiscovery);
    refused(true, "fe80::1", good(), 64, Cause::InvalidDiscovery);
    refused(true, "fe80::1", changed(1, 1), 255, Cause::InvalidDiscovery);
    refused(true, "fe80::1", changed(41, 0), 255, Cause::InvalidDiscovery);
    refused(true, "fe80::1", redirect("2001:db8:1::2", FAR, 2), 255, Cause::InvalidDiscovery);
    refused(true, "fe80::1", redirect("fe80::2", "ff05::1", 2), 255, Cause::InvalidDiscovery);
    refused(true, "fe80::1", redirect("fe80::ff:fe00:1", FAR, 2), 255, Cause::InvalidDiscovery);
    refused(true, "fe80::1", redirect("fe80::2", HOST, 2), 255, Cause::InvalidDiscovery);
    refused(false, "fe80::1", good(), 255, Cause::Ignored);
}

#[test]
fn what_is_reserved_or_unknown_in_a_redirect_is_ignored_and_no_prefix_need_cover_the_target() {
    let mut lab = host(true);
    let mut body = redirect("fe80::2", FAR, 0);
    body[5] = 77;
    body.extend([99, 1, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 2]);
    tell(&mut lab, "fe80::1", &body);
    assert!(view(&mut lab, "cache").contains("via fe80::2"));
    assert!(view(&mut lab, "neigh").contains("fe80::2 dev eth1 lladdr 02:00:00:00:00:02 router"));
}

#[test]
fn a_router_is_not_redirected() {
    let mut lab = router(|_| ());
    let body = redirect("fe80::7", FAR, 7);
    lab.arrive(0, 0, &Packet6::icmp("fe80::ff:fe00:5", "2001:db8:1::1", &body).hops(255).framed(mac(5), mac(2)));
    assert_eq!((lab.drops_of(0), view(&mut lab, "cache")), (vec![Cause::Ignored], String::new()));
}

#[test]
fn a_first_hop_that_falls_silent_or_is_no_router_is_left_again() {
    let mut lab = host(true);
    tell(&mut lab, "fe80::1", &redirect("fe80::2", FAR, 2));
    lab.send_ip(0, Packet6::udp(HOST, FAR, 9, b"").finish());
    // 5 s in use, 3 s of questions.
    lab.run_for(Duration::from_millis(8100));
    assert_eq!(view(&mut lab, "cache"), "");
    lab.log.clear();
    lab.send_ip(0, Packet6::udp(HOST, FAR, 9, b"").finish());
    assert!(lab.told().contains("who has fe80::1"));
    let mut lab = host(true);
    tell(&mut lab, "fe80::1", &redirect("fe80::2", FAR, 2));
    // A neighbor advertisement: solicited, not a router.
    let body = [&[136, 0, 0, 0, 0x40, 0, 0, 0][..], &v6("fe80::2").octets()].concat();
    lab.arrive(0, 0, &Packet6::icmp("fe80::2", HOST, &body).hops(255).framed(mac(2), mac(1)));
    assert_eq!(view(&mut lab, "cache"), "");
}

#[test]
fn the_number_of_redirects_is_bounded_and_the_oldest_makes_room() {
    let mut lab = host(true);
    for number in 0..1030_u16 {
        tell(&mut lab, "fe80::1", &redirect("fe80::2", &format!("2001:db8:9::{number:x}"), 2));
        lab.run_for(Duration::from_millis(1));
        lab.log.clear();
    }
    let cache = view(&mut lab, "cache");
    assert_eq!(cache.lines().count(), 1024);
    assert!(
        !cache.contains("2001:db8:9::5 ") && cache.contains("2001:db8:9::6 ") && cache.contains("2001:db8:9::405 ")
    );
    lab.run_for(Duration::from_secs(301));
    assert_eq!(view(&mut lab, "cache"), "");
    tell(&mut lab, "fe80::1", &redirect("fe80::2", FAR, 2));
    assert_eq!(view(&mut lab, "cache").lines().count(), 1);
}
