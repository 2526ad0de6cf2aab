//! What RFC 4443, 4861, 4862 and 8200 require and no other story tells: one rule each.
//!
//! `docs/conformance/ipv6.md` says which rule is told where.

use std::time::Duration;

use super::*;
use crate::id::AppId;
use crate::net::{Net, Program, ProgramError, RawSocket, UdpSocket};
use crate::node::Command;
use crate::node::machine::{AdvertiseSettings, Ipv6Settings};
use crate::record::{Cause, Value};

const A: &str = "2001:db8:1::a";
const B: &str = "2001:db8:1::b";

/// One machine, its addresses checked (or not, if it does not check).
fn alone(spec: MachineSpec) -> Lab {
    let mut lab = Lab::new();
    lab.add("m", Machine::new(spec));
    ready(lab)
}

/// b alone, as an `interface(2, …)`.
fn host() -> Lab {
    alone(MachineSpec::host("b", 1).interface(interface(2, "2001:db8:1::b/64")))
}

fn router() -> MachineSpec {
    MachineSpec::router("r", 1).interface(interface(2, "2001:db8:1::b/64"))
}

fn slaac() -> MachineSpec {
    let mut interface = interface(2, "10.0.0.1/24");
    interface.addresses.clear();
    let ipv6 = Ipv6Settings { is_enabled: true, autoconfigures: true, ..Ipv6Settings::default() };
    MachineSpec { ipv6, ..MachineSpec::host("b", 1).interface(interface) }
}

fn arrive(lab: &mut Lab, packet: Packet6) {
    lab.arrive(0, 0, &packet.framed(mac(9), mac(2)));
}

fn view(lab: &mut Lab, what: &str) -> String {
    let now = lab.now;
    lab.machine(0).show(what, now).unwrap()
}

/// The ICMPv6 messages of a type that the machine has sent, each with the IPv6 header in front.
fn sent(lab: &Lab, kind: u8) -> Vec<Vec<u8>> {
    let frames = lab.sent_by(0).into_iter().map(|frame| frame[14..].to_vec());
    frames.filter(|packet| packet[6] == 58 && packet.get(40) == Some(&kind)).collect()
}

/// Neighbor discovery: type, flags, target, options.
fn neighbor(from: &str, to: &str, kind: u8, flags: u8, target: &str, options: &[u8]) -> Packet6 {
    let body = [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &v6(target).octets(), options].concat();
    Packet6::icmp(from, to, &body).hops(255)
}

fn solicit(from: &str, to: &str, target: &str, options: &[u8]) -> Packet6 {
    neighbor(from, to, 135, 0, target, options)
}

/// An advertisement of a router, lifetime 1800 s.
fn advertise(from: &str, options: &[u8]) -> Packet6 {
    let body = [&[134, 0, 0, 0, 0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0][..], options].concat();
    Packet6::icmp(from, "ff02::1", &body).hops(255)
}

fn prefix(number: u16, valid: u32) -> Vec<u8> {
    let mut option = vec![3, 4, 64, 0xc0];
    option.extend(valid.to_be_bytes());
    option.extend(valid.to_be_bytes());
    option.extend([0; 4]);
    option.extend(v6(&format!("2001:db8:{number:x}::")).octets());
    option
}

const FROM_7: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 7];
const AT_7: [u8; 8] = [2, 1, 2, 0, 0, 0, 0, 7];
const UNKNOWN: [u8; 8] = [99, 1, 1, 2, 3, 4, 5, 6];

// RFC 8200.

#[test]
fn each_fragmented_packet_has_an_identification_of_its_own() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(Duration::from_millis(10));
    lab.log.clear();
    for _ in 0..5 {
        lab.send_ip(0, Packet6::ping(A, B, &[0; 1600]).finish());
    }
    let mut idents: Vec<Vec<u8>> =
        lab.sent_by(0).into_iter().filter(|frame| frame[20] == 44).map(|frame| frame[58..62].to_vec()).collect();
    assert_eq!(idents.len(), 10);
    idents.dedup();
    assert_eq!(idents.len(), 5);
    idents.sort();
    idents.dedup();
    assert_eq!(idents.len(), 5);
}

#[test]
fn fragments_of_different_packets_do_not_make_one() {
    let whole = Packet6::ping(A, B, &[7; 40]);
    let elsewhere = Packet6::ping("2001:db8:1::c", B, &[7; 40]);
    let mut lab = host();
    arrive(&mut lab, Packet6 { bytes: whole.fragment(9, 0..16, true).bytes });
    for other in [whole.fragment(10, 16..48, false), elsewhere.fragment(9, 16..48, false)] {
        let bytes = framed(&other.bytes, EthernetProtocol::Ipv6, mac(9), mac(2));
        lab.arrive(0, 0, &bytes);
    }
    assert!(sent(&lab, 129).is_empty());
}

#[test]
fn a_packet_as_large_as_the_links_mtu_is_accepted() {
    let mut lab = pair();
    // 1500 - 40 - 8.
    lab.send_ip(0, Packet6::ping(A, B, &[0; 1452]).finish());
    lab.run_for(Duration::from_millis(10));
    assert!(lab.told().contains("ICMP6, echo reply, id 4660, seq 1, length 1460"));
}

#[test]
fn what_follows_no_next_header_is_ignored_and_passed_on_unchanged() {
    let odd = Packet6::new("2001:db8:1::a", "2001:db8:2::b", IpProtocol::Unknown(59), b"whatever").finish();
    let mut lab = routed();
    lab.send_ip(0, Packet6::ping("2001:db8:1::a", "2001:db8:2::b", b"").finish());
    lab.run_for(Duration::from_millis(20));
    lab.log.clear();
    lab.send_ip(0, odd);
    lab.run_for(Duration::from_millis(20));
    let passed = lab.sent_by(1);
    assert_eq!((passed.len(), &passed[0][54..]), (1, &b"whatever"[..]));
    assert!(lab.sent_by(2).is_empty() && lab.drops_of(2).is_empty(), "{}", lab.told());
}

#[test]
fn a_destination_takes_a_packet_without_hops_left() {
    let mut lab = host();
    arrive(&mut lab, Packet6::ping(A, B, b"").hops(0));
    lab.run_for(Duration::from_millis(1));
    assert!(lab.told().contains("who has 2001:db8:1::a"), "it wants to answer");
}

#[test]
fn a_checksum_that_is_zero_is_sent_as_all_ones_and_one_that_is_left_out_is_wrong() {
    // What the checksum is without a payload is what the payload must be to make it zero.
    let sum = Packet6::udp(A, B, 9, &[0, 0]).finish()[46..48].to_vec();
    assert_eq!(Packet6::udp(A, B, 9, &sum).finish()[46..48], [0xff, 0xff]);
    let mut lab = host();
    let mut without = Packet6::udp(A, B, 9, b"x").finish();
    without[46..48].fill(0);
    lab.arrive(0, 0, &framed(&without, EthernetProtocol::Ipv6, mac(9), mac(2)));
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::BadChecksum], 0));
}

#[test]
fn the_first_fragment_holds_the_headers_up_to_the_transports() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(Duration::from_millis(10));
    lab.log.clear();
    lab.send_ip(0, Packet6::udp(A, B, 9, &[7; 2000]).extended(60, &[0, 0, 1, 4, 0, 0, 0, 0]).bytes);
    let first = lab.sent_by(0).remove(0);
    // IPv6, fragment header, destination options, UDP.
    assert_eq!((first[20], first[54], first[62]), (44, 60, 17));
    assert_eq!(first[70..74], [0x0f, 0xa0, 0, 9]);
}

// RFC 4443.

fn start(lab: &mut Lab, node: usize, app: u32, program: Program) {
    lab.machine(node).add_program(AppId(app), format!("app{app}"), None, program);
    lab.command(node, &Command::StartApp(AppId(app))).unwrap();
}

/// Reports how many ICMPv6 messages came, and the first byte of the last.
fn listen() -> Program {
    Program::new(|net: Net| async move {
        let socket = RawSocket::icmp(&net);
        for count in 1_u64.. {
            let message = socket.recv().await?;
            net.report("count", count);
            net.report("kind", u64::from(message.bytes.first().copied().unwrap_or(0)));
        }
        Ok::<(), ProgramError>(())
    })
}

#[test]
fn errors_of_every_type_are_handed_up_and_unknown_questions_are_not() {
    let mut lab = host();
    start(&mut lab, 0, 0, listen());
    let quote = Packet6::udp(B, A, 9, b"").finish();
    let mut handed = Vec::new();
    for kind in [1, 2, 3, 4, 100, 127, 150, 200, 255] {
        let body = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &quote].concat();
        arrive(&mut lab, Packet6::icmp(A, B, &body));
        lab.run_for(Duration::from_millis(1));
        if lab.machine(0).outcome(AppId(0), "kind") == Some(Value::from(u64::from(kind))) {
            handed.push(kind);
        }
    }
    assert_eq!(handed, [1, 2, 3, 4, 100, 127], "{}", lab.told());
    assert_eq!(lab.drops_of(0), [Cause::UnknownProtocol; 3]);
    assert!(lab.sent_by(0).is_empty(), "in silence");
}

#[test]
fn time_exceeded_and_parameter_problem_come_back_to_the_socket() {
    for (kind, code) in [(3, 0), (4, 1)] {
        let mut lab = host();
        let ask = Program::new(|net: Net| async move {
            let socket = UdpSocket::bind(&net, 4000)?;
            socket.connect("[2001:db8:1::a]:9".parse().unwrap())?;
            socket.send(b"").await?;
            net.report("error", format!("{:?}", socket.recv_error().await?.kind));
            Ok::<(), ProgramError>(())
        });
        start(&mut lab, 0, 0, ask);
        let body = [&[kind, code, 0, 0, 0, 0, 0, 0][..], &Packet6::udp(B, A, 9, b"").finish()].concat();
        arrive(&mut lab, Packet6::icmp("2001:db8:1::1", B, &body));
        lab.run_for(Duration::from_millis(1));
        let Some(Value::Text(error)) = lab.machine(0).outcome(AppId(0), "error") else { panic!("{}", lab.told()) };
        assert!(error.starts_with(if kind == 3 { "TimeExceeded" } else { "ParameterProblem" }), "{error}");
    }
}

#[test]
fn an_echo_reply_is_handed_to_who_asked() {
    let mut lab = host();
    start(&mut lab, 0, 0, listen());
    arrive(&mut lab, Packet6::icmp(A, B, &[129, 0, 0, 0, 0, 1, 0, 1]));
    lab.run_for(Duration::from_millis(1));
    assert_eq!(lab.machine(0).outcome(AppId(0), "kind"), Some(Value::Integer(129)));
}

#[test]
fn a_ping_to_a_group_is_answered_from_the_interface_that_it_came_in_at() {
    // The way back to the asker leads out of the other interface.
    let spec = MachineSpec::host("b", 1)
        .interface(interface(2, "2001:db8:1::b/64"))
        .interface(interface(3, "2001:db8:2::b/64"));
    let mut lab = alone(unchecked(spec));
    arrive(&mut lab, Packet6::ping("2001:db8:2::9", "ff02::1", b"abc"));
    let asks = lab.told();
    assert!(asks.contains("b.1 >") || asks.contains("m.1 >"), "{asks}");
    let answer = neighbor("2001:db8:2::9", "2001:db8:2::b", 136, 0x60, "2001:db8:2::9", &AT_7);
    lab.arrive(0, 1, &answer.framed(mac(7), mac(3)));
    assert_eq!(sent(&lab, 129)[0][8..24], v6("2001:db8:1::b").octets());
}

#[test]
fn no_error_goes_to_an_anycast_address_that_is_known_as_such_or_is_about_a_redirect() {
    let mut lab = alone(router());
    arrive(&mut lab, Packet6::udp("2001:db8:1::", B, 9, b""));
    assert_eq!((lab.sent_by(0).len(), lab.drops_of(0)), (0, vec![Cause::NobodyListens]));
    lab.log.clear();
    let redirect = [&[137, 0, 0, 0, 0, 0, 0, 0][..], &[0; 32]].concat();
    arrive(&mut lab, Packet6::icmp(A, "2001:db8:9::9", &redirect));
    assert_eq!((lab.sent_by(0).len(), lab.drops_of(0)), (0, vec![Cause::NoRoute]));
}

#[test]
fn what_is_dropped_because_too_much_waits_is_not_complained_about() {
    let mut spec = router();
    spec.ipv4.sends_redirects = false;
    let mut lab = alone(spec);
    for _ in 0..110 {
        arrive(&mut lab, Packet6::udp("2001:db8:1::5", "2001:db8:1::77", 9, b""));
    }
    assert_eq!(lab.drops_of(0), [Cause::NeighborQueueFull; 9]);
    assert!(sent(&lab, 1).is_empty());
}

// RFC 4861: routers.

#[test]
fn a_router_advertises_nothing_unless_it_is_told_to_and_a_host_never_does() {
    let count = |spec: MachineSpec, advertises: bool| {
        let mut spec = unchecked(spec);
        spec.ipv6.advertise = advertises.then(AdvertiseSettings::default);
        let mut lab = Lab::new();
        lab.add("m", Machine::new(spec));
        lab.start();
        lab.run_until(Time::from_secs(100));
        arrive(&mut lab, Packet6::icmp("fe80::9", "ff02::2", &[133, 0, 0, 0, 0, 0, 0, 0]).hops(255));
        lab.run_for(Duration::from_secs(1));
        sent(&lab, 134).len()
    };
    assert_eq!(count(router(), false), 0);
    assert!(count(router(), true) > 0);
    assert_eq!(count(MachineSpec::host("b", 1).interface(interface(2, "2001:db8:1::b/64")), true), 0);
}

#[test]
fn a_router_advertises_on_the_interfaces_that_are_named_and_from_their_link_local_addresses() {
    let mut spec = unchecked(router()).interface(interface(3, "2001:db8:2::1/64"));
    spec.ipv6.advertise = Some(AdvertiseSettings { interfaces: Some(vec![1]), ..AdvertiseSettings::default() });
    let mut lab = Lab::new();
    lab.add("m", Machine::new(spec));
    lab.start();
    let told = lab.told();
    let sent: Vec<&str> = told.lines().filter(|line| line.contains("router advertisement")).collect();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains("m.1 > fe80::ff:fe00:3 > ff02::1:"), "{told}");
}

#[test]
fn an_advertisement_never_exceeds_the_links_mtu() {
    let mut own = interface(2, "2001:db8:1::1/64");
    own.addresses = (1..=100).map(|number| format!("2001:db8:{number:x}::1/64").parse().unwrap()).collect();
    let mut spec = unchecked(MachineSpec::router("r", 1).interface(own));
    spec.ipv6.advertise = Some(AdvertiseSettings::default());
    let mut lab = Lab::new();
    lab.add("m", Machine::new(spec));
    lab.start();
    let sent = sent(&lab, 134);
    // 40 + 16 + 8 bytes, and 44 prefixes of 32 bytes: 1472.
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [1472, 1472, 40 + 24 + 12 * 32]);
}

#[test]
fn what_is_reserved_is_sent_as_zero_and_no_prefix_has_bits_beyond_its_length() {
    let mut spec = unchecked(router());
    spec.ipv6.advertise = Some(AdvertiseSettings { mtu: Some(1400), ..AdvertiseSettings::default() });
    let mut lab = Lab::new();
    lab.add("m", Machine::new(spec));
    lab.start();
    let advertisement = &sent(&lab, 134)[0][40..];
    assert_eq!(advertisement[5] & 0x27, 0, "flags");
    assert_eq!(advertisement[24..28], [5, 1, 0, 0], "MTU option");
    assert_eq!(advertisement[35] & 0x3f, 0, "prefix flags");
    assert_eq!(advertisement[44..48], [0; 4], "second reserved field");
    assert_eq!(advertisement[48..64], v6("2001:db8:1::").octets());
    lab.send_ip(0, Packet6::ping("2001:db8:1::b", "2001:db8:1::77", b"").finish());
    assert_eq!(sent(&lab, 135)[0][44..48], [0; 4]);
    lab.log.clear();
    arrive(&mut lab, solicit("2001:db8:1::7", "ff02::1:ff00:b", B, &FROM_7));
    assert_eq!((sent(&lab, 136)[0][44] & 0x1f, &sent(&lab, 136)[0][45..48]), (0, &[0; 3][..]));
    let mut lab = alone(slaac());
    lab.run_for(Duration::from_secs(5));
    assert_eq!(sent(&lab, 133)[0][44..48], [0; 4]);
}

#[test]
fn a_question_for_routers_teaches_who_asks_but_not_nobody() {
    let mut spec = unchecked(router());
    spec.ipv6.advertise = Some(AdvertiseSettings::default());
    let ask = |lab: &mut Lab, from: &str, options: &[u8]| {
        let body = [&[133, 0, 0, 0, 0, 0, 0, 0][..], options].concat();
        arrive(lab, Packet6::icmp(from, "ff02::2", &body).hops(255));
    };
    let mut lab = alone(spec);
    ask(&mut lab, "::", &[]);
    assert_eq!(view(&mut lab, "neigh"), "", "nobody in particular");
    ask(&mut lab, "fe80::7", &[]);
    assert_eq!(view(&mut lab, "neigh"), "", "without a hardware address");
    ask(&mut lab, "fe80::7", &FROM_7);
    assert_eq!(view(&mut lab, "neigh"), "fe80::7 dev eth2 lladdr 02:00:00:00:00:07 STALE\n");
    // A known neighbor that was a router is none, and one that moved is stale again.
    let claims = neighbor("fe80::7", "fe80::ff:fe00:2", 136, 0xe0, "fe80::7", &AT_7);
    arrive(&mut lab, claims);
    assert!(view(&mut lab, "neigh").contains("router REACHABLE"));
    ask(&mut lab, "fe80::7", &[1, 1, 2, 0, 0, 0, 0, 8]);
    assert_eq!(view(&mut lab, "neigh"), "fe80::7 dev eth2 lladdr 02:00:00:00:00:08 STALE\n");
}

#[test]
fn questions_for_routers_that_break_the_rules_are_dropped_and_hosts_drop_them_all() {
    let mut spec = unchecked(router());
    spec.ipv6.advertise = Some(AdvertiseSettings::default());
    let ask = |lab: &mut Lab, from: &str, hops: u8, body: &[u8]| {
        arrive(lab, Packet6::icmp(from, "ff02::2", body).hops(hops));
    };
    let mut lab = alone(spec);
    let good = [133, 0, 0, 0, 0, 0, 0, 0];
    ask(&mut lab, "fe80::7", 254, &good);
    ask(&mut lab, "fe80::7", 255, &[133, 1, 0, 0, 0, 0, 0, 0]);
    ask(&mut lab, "fe80::7", 255, &[&good[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat());
    ask(&mut lab, "::", 255, &[&good[..], &FROM_7].concat());
    assert_eq!(lab.drops_of(0), [Cause::InvalidDiscovery; 4]);
    // Reserved bits, options that are unknown or not for this message: none of that matters.
    lab.log.clear();
    let odd = [&[133, 0, 0, 0, 1, 2, 3, 4][..], &UNKNOWN, &prefix(9, 60), &AT_7].concat();
    ask(&mut lab, "fe80::7", 255, &odd);
    assert_eq!((lab.drops_of(0), view(&mut lab, "neigh")), (vec![], String::new()));
    let mut lab = host();
    lab.arrive(0, 0, &Packet6::icmp("fe80::7", "ff02::1", &good).hops(255).framed(mac(9), mac(2)));
    assert_eq!(lab.drops_of(0), [Cause::Ignored]);
}

// RFC 4861: hosts.

#[test]
fn who_advertises_is_a_router_with_or_without_its_hardware_address() {
    let mut lab = alone(unchecked(slaac()));
    arrive(&mut lab, advertise("fe80::7", &[]));
    assert_eq!(view(&mut lab, "neigh"), "", "nothing is known that could be kept");
    arrive(&mut lab, solicit("fe80::7", "ff02::1:ff00:2", "fe80::ff:fe00:2", &FROM_7));
    // It has been answered.
    assert_eq!(view(&mut lab, "neigh"), "fe80::7 dev eth2 lladdr 02:00:00:00:00:07 DELAY\n");
    arrive(&mut lab, advertise("fe80::7", &[]));
    assert_eq!(view(&mut lab, "neigh"), "fe80::7 dev eth2 lladdr 02:00:00:00:00:07 router DELAY\n");
    // With another hardware address it is stale again.
    arrive(&mut lab, neighbor("fe80::7", "fe80::ff:fe00:2", 136, 0xe0, "fe80::7", &AT_7));
    arrive(&mut lab, advertise("fe80::7", &[1, 1, 2, 0, 0, 0, 0, 8]));
    assert_eq!(view(&mut lab, "neigh"), "fe80::7 dev eth2 lladdr 02:00:00:00:00:08 router STALE\n");
}

#[test]
fn advertisements_of_routers_that_break_the_rules_are_dropped_and_what_is_odd_is_ignored() {
    let mut lab = alone(unchecked(slaac()));
    let mut coded = advertise("fe80::7", &[]);
    coded.bytes[41] = 1;
    for bad in [
        advertise("fe80::7", &[]).hops(254),
        advertise("2001:db8:1::7", &[]),
        advertise("fe80::7", &[5, 0, 0, 0, 0, 0, 5, 0]),
        coded,
    ] {
        arrive(&mut lab, bad);
    }
    assert_eq!(lab.drops_of(0), [Cause::InvalidDiscovery; 4]);
    assert!(!view(&mut lab, "route").contains("default"));
    lab.log.clear();
    // Options in any order, one twice, an unknown one, one for another message; reserved bits and bits behind the prefix.
    let mut odd = advertise("fe80::7", &[&UNKNOWN[..], &prefix(2, 600), &AT_7, &prefix(1, 600), &FROM_7].concat());
    odd.bytes[45] |= 0x27;
    let beyond = odd.bytes.len() - 9;
    odd.bytes[beyond] = 0x77;
    arrive(&mut lab, odd);
    assert_eq!(lab.drops_of(0), []);
    let routes = view(&mut lab, "route");
    assert!(routes.contains("2001:db8:1::/64 dev eth2") && routes.contains("2001:db8:2::/64 dev eth2"), "{routes}");
    assert_eq!(view(&mut lab, "neigh"), "fe80::7 dev eth2 lladdr 02:00:00:00:00:07 router STALE\n");
}

#[test]
fn a_default_router_that_says_it_is_none_is_struck_off() {
    let mut lab = alone(unchecked(slaac()));
    arrive(&mut lab, advertise("fe80::7", &FROM_7));
    arrive(&mut lab, advertise("fe80::8", &[1, 1, 2, 0, 0, 0, 0, 8]));
    assert!(view(&mut lab, "route").starts_with("default via fe80::7 "));
    arrive(&mut lab, neighbor("fe80::7", "fe80::ff:fe00:2", 136, 0x60, "fe80::7", &AT_7));
    assert!(view(&mut lab, "route").starts_with("default via fe80::8 "));
    assert!(!view(&mut lab, "route").contains("fe80::7"));
    lab.log.clear();
    lab.send_ip(0, Packet6::udp("fe80::ff:fe00:2", "2001:db8:9::9", 9, b"").finish());
    assert_eq!(lab.sent_by(0)[0][..6], mac(8).0);
}

// RFC 4861: neighbors.

#[test]
fn a_question_to_many_carries_the_askers_hardware_address_and_comes_once_a_second() {
    let mut lab = host();
    for _ in 0..3 {
        lab.send_ip(0, Packet6::ping(B, A, b"").finish());
    }
    let asked = sent(&lab, 135);
    assert_eq!((asked.len(), &asked[0][24..40]), (1, &v6("ff02::1:ff00:a").octets()[..]));
    assert_eq!(asked[0][64..72], [1, 1, 2, 0, 0, 0, 0, 2]);
    assert_eq!(asked[0][48..64], v6(A).octets());
    lab.run_for(Duration::from_millis(999));
    lab.send_ip(0, Packet6::ping(B, A, b"").finish());
    assert_eq!(sent(&lab, 135).len(), 1);
    lab.run_for(Duration::from_millis(1));
    assert_eq!(sent(&lab, 135).len(), 2);
}

#[test]
fn an_answer_says_what_the_question_needs() {
    for (spec, router_flag) in [(MachineSpec::host("b", 1), 0), (MachineSpec::router("b", 1), 0x80)] {
        let mut lab = alone(unchecked(spec.interface(interface(2, "2001:db8:1::b/64"))));
        // To the group: with the hardware address, to who asked.
        arrive(&mut lab, solicit(A, "ff02::1:ff00:b", B, &FROM_7));
        let answer = sent(&lab, 136).remove(0);
        assert_eq!((&answer[24..40], answer[44]), (&v6(A).octets()[..], 0x60 | router_flag));
        assert_eq!((&answer[48..64], &answer[64..]), (&v6(B).octets()[..], &[2, 1, 2, 0, 0, 0, 0, 2][..]));
        // To itself: it may be left out.
        lab.log.clear();
        arrive(&mut lab, solicit(A, B, B, &[]));
        let answer = sent(&lab, 136).remove(0);
        assert_eq!((answer[44], answer.len()), (0x60 | router_flag, 64));
        // From nobody: to all, and not as an answer.
        lab.log.clear();
        arrive(&mut lab, solicit("::", "ff02::1:ff00:b", B, &[]));
        let answer = sent(&lab, 136).remove(0);
        assert_eq!((&answer[24..40], answer[44]), (&v6("ff02::1").octets()[..], 0x20 | router_flag));
    }
}

#[test]
fn a_question_teaches_who_asks_and_nothing_else() {
    let mut lab = host();
    arrive(&mut lab, solicit("::", "ff02::1:ff00:b", B, &[14, 1, 1, 2, 3, 4, 5, 6]));
    arrive(&mut lab, solicit(A, B, "2001:db8:1::77", &FROM_7));
    assert_eq!(lab.drops_of(0), [Cause::NotForThisAddress], "the second asks for somebody else");
    assert_eq!(view(&mut lab, "neigh"), "");
    // Options of other messages are none.
    let others = [&UNKNOWN[..], &AT_7, &[4, 1, 0, 0, 0, 0, 0, 0], &[5, 1, 0, 0, 0, 0, 5, 0], &prefix(9, 60)].concat();
    arrive(&mut lab, solicit(A, "ff02::1:ff00:b", B, &others));
    assert!(!view(&mut lab, "neigh").contains("lladdr"));
    arrive(&mut lab, solicit(A, "ff02::1:ff00:b", B, &[&UNKNOWN[..], &FROM_7].concat()));
    assert!(
        view(&mut lab, "neigh").contains("lladdr 02:00:00:00:00:07 STALE") || view(&mut lab, "neigh").contains("DELAY")
    );
    // Whether it is a router is not in a question; that it has moved is.
    arrive(&mut lab, neighbor(A, B, 136, 0xe0, A, &AT_7));
    assert!(view(&mut lab, "neigh").contains("router REACHABLE"));
    arrive(&mut lab, solicit(A, B, B, &FROM_7));
    assert!(view(&mut lab, "neigh").contains("lladdr 02:00:00:00:00:07 router REACHABLE"));
    arrive(&mut lab, solicit(A, B, B, &[1, 1, 2, 0, 0, 0, 0, 8]));
    assert!(view(&mut lab, "neigh").contains("lladdr 02:00:00:00:00:08 router"));
    assert!(!view(&mut lab, "neigh").contains("REACHABLE"));
}

#[test]
fn odd_things_in_an_advertisement_of_a_neighbor_are_ignored() {
    let mut lab = host();
    lab.send_ip(0, Packet6::ping(B, A, b"").finish());
    let mut odd = neighbor(A, B, 136, 0x60, A, &[&FROM_7[..], &UNKNOWN, &[2, 1, 2, 0, 0, 0, 0, 6]].concat());
    odd.bytes[44] |= 0x1f;
    odd.bytes[46] = 9;
    arrive(&mut lab, odd);
    assert_eq!(view(&mut lab, "neigh"), "2001:db8:1::a dev eth2 lladdr 02:00:00:00:00:06 REACHABLE\n");
}

#[test]
fn a_group_is_left_only_with_its_last_address() {
    // Two addresses that end alike: one group.
    let mut lab = alone(unchecked(slaac()));
    arrive(&mut lab, advertise("fe80::9", &prefix(1, 600)));
    arrive(&mut lab, advertise("fe80::9", &prefix(2, 900)));
    lab.run_for(Duration::from_secs(601));
    assert!(
        view(&mut lab, "addr").contains("2001:db8:2::ff:fe00:2") && !view(&mut lab, "addr").contains("2001:db8:1:")
    );
    lab.log.clear();
    arrive(&mut lab, solicit("fe80::9", "ff02::1:ff00:2", "2001:db8:2::ff:fe00:2", &FROM_7));
    assert_eq!(sent(&lab, 136).len(), 1, "it still listens");
}

// RFC 4862.

#[test]
fn a_prefix_of_another_length_makes_no_address() {
    for (length, expected) in [(64, 1), (63, 0), (65, 0), (48, 0), (128, 0)] {
        let mut lab = alone(unchecked(slaac()));
        let mut option = prefix(1, 600);
        option[2] = length;
        arrive(&mut lab, advertise("fe80::7", &option));
        assert_eq!(view(&mut lab, "addr").matches("scope global").count(), expected, "{length}");
    }
}

#[test]
fn anycast_addresses_are_not_asked_for() {
    let mut lab = Lab::new();
    lab.add("m", Machine::new(router()));
    lab.start();
    lab.run_until(Time::from_secs(3));
    let asked: Vec<Vec<u8>> = sent(&lab, 135).into_iter().map(|packet| packet[48..64].to_vec()).collect();
    assert_eq!(asked, [v6("fe80::ff:fe00:2").octets(), v6(B).octets()]);
}

#[test]
fn a_tentative_address_is_neither_answered_for_nor_used_but_hears_of_itself() {
    let mut lab = Lab::new();
    lab.add("m", Machine::new(MachineSpec::host("b", 1).interface(interface(2, "2001:db8:1::b/64"))));
    lab.start();
    lab.log.clear();
    arrive(&mut lab, solicit(A, "ff02::1:ff00:b", B, &FROM_7));
    arrive(&mut lab, Packet6::ping(A, B, b""));
    assert_eq!(lab.drops_of(0), [Cause::Ignored, Cause::NotForThisAddress]);
    assert!(lab.sent_by(0).is_empty());
    // What breaks the rules does not end it; what does not, does.
    arrive(&mut lab, neighbor(B, "ff02::1", 136, 0x20, B, &AT_7).hops(254));
    assert!(!view(&mut lab, "addr").contains("dadfailed"));
    arrive(&mut lab, neighbor(B, "ff02::1", 136, 0x20, B, &AT_7));
    assert!(view(&mut lab, "addr").contains("2001:db8:1::b/64 scope global dadfailed"));
}

#[test]
fn a_deprecated_address_goes_on_receiving_and_an_invalid_one_does_not() {
    let mut lab = alone(unchecked(slaac()));
    let mut lifetimes = prefix(1, 100);
    lifetimes[8..12].copy_from_slice(&10_u32.to_be_bytes());
    arrive(&mut lab, advertise("fe80::9", &[&lifetimes[..], &[1, 1, 2, 0, 0, 0, 0, 9]].concat()));
    let own = "2001:db8:1::ff:fe00:2";
    lab.run_for(Duration::from_secs(50));
    assert!(view(&mut lab, "addr").contains("deprecated"));
    lab.log.clear();
    arrive(&mut lab, Packet6::ping("2001:db8:9::9", own, b""));
    assert_eq!(sent(&lab, 129).len(), 1);
    lab.run_for(Duration::from_secs(51));
    lab.log.clear();
    arrive(&mut lab, Packet6::ping("2001:db8:9::9", own, b""));
    assert_eq!((lab.sent_by(0).len(), lab.drops_of(0)), (0, vec![Cause::NotForwarding]));
    let source = Program::new(|net: Net| async move {
        net.report("source", format!("{:?}", net.source_for("2001:db8:9::9".parse().unwrap()).is_ok()));
        Ok::<(), ProgramError>(())
    });
    start(&mut lab, 0, 0, source);
    assert_eq!(lab.machine(0).outcome(AppId(0), "source"), Some(Value::Text("false".into())));
}
