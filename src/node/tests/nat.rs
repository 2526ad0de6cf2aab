//! RFC 4787, 5382 and 5508, requirement by requirement, at a router between an inside and an outside.

use std::time::Duration;

use proptest::prelude::*;
use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::lab::*;
use crate::filter::Filter;
use crate::id::AppId;
use crate::net::{Net, Program};
use crate::node::machine::firewall::{FirewallRule, FirewallSpec, State, Verb};
use crate::node::machine::nat::{Dependence, Forwarded, NatSpec, PortForward, Unsolicited};
use crate::node::machine::{MachineSpec, RouteKind, RouteSpec};
use crate::node::{Command, Machine, Node as _};
use crate::record::{Cause, Value};
use crate::time::Time;
use crate::wire::frame::fill_transport_checksum;

const A: &str = "10.0.1.10";
const A2: &str = "10.0.1.11";
const B: &str = "10.0.2.20";
const OUT: &str = "10.0.2.1";

/// a (10.0.1.10), a2 (10.0.1.11) — r (10.0.1.1, 10.0.2.1) — b (10.0.2.20): only the router is a machine here.
fn lab(spec: NatSpec) -> Lab {
    let mut lab = Lab::new();
    let r = MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    let r = knowing(knowing(knowing(r, 0, A, 1), 0, A2, 5), 1, B, 4);
    lab.add("r", Machine::new(MachineSpec { nat: Some(spec), ..r.route(default_via(B)) }));
    lab
}

fn home() -> NatSpec {
    NatSpec::home(1)
}

fn forwarding() -> NatSpec {
    let forward = PortForward { port: 8080, address: address(A), inside_port: 80, protocols: Forwarded::Both };
    NatSpec { forwards: vec![forward], ..home() }
}

/// A packet from inside, and what the router says to it.
fn from_inside(lab: &mut Lab, packet: Packet) -> String {
    lab.log.clear();
    lab.arrive(0, 0, &packet.framed(mac(1), mac(2)));
    told(lab)
}

/// A packet from outside, and what the router says to it.
fn from_outside(lab: &mut Lab, packet: Packet) -> String {
    lab.log.clear();
    lab.arrive(0, 1, &packet.framed(mac(4), mac(3)));
    told(lab)
}

/// Some time passes; what the router says meanwhile.
fn later(lab: &mut Lab, duration: Duration) -> String {
    lab.log.clear();
    lab.run_for(duration);
    told(lab)
}

/// What is in the log, which stays.
fn told(lab: &mut Lab) -> String {
    let log = lab.log.clone();
    let told = lab.told();
    lab.log = log;
    told
}

/// The IP packets that the router sent last, their checksums found right.
fn sent(lab: &Lab) -> Vec<Vec<u8>> {
    let packets: Vec<Vec<u8>> = lab.sent_by(0).iter().filter_map(|frame| Some(ip_of(frame)?.to_vec())).collect();
    packets.iter().for_each(|packet| checksums_are_right(packet));
    packets
}

fn checksums_are_right(packet: &[u8]) {
    let ip = Ipv4Packet::new_checked(packet).unwrap();
    assert!(ip.verify_checksum(), "{}", summary(packet));
    if ip.more_frags() || ip.frag_offset() != 0 {
        return;
    }
    let mut filled = packet.to_vec();
    fill_transport_checksum(&mut filled);
    let is_udp_without = ip.next_header() == IpProtocol::Udp && packet[26..28] == [0, 0];
    assert!(filled == packet || is_udp_without, "{}", summary(packet));
    if ip.next_header() == IpProtocol::Icmp && matches!(ip.payload()[0], 3 | 4 | 11 | 12) {
        let quote = &ip.payload()[8..];
        let header = &quote[..usize::from(quote[0] & 15) * 4];
        assert_eq!(smoltcp::wire::checksum::data(header), !0, "the quoted header: {}", summary(packet));
    }
}

/// A UDP datagram between two endpoints.
fn udp(source: (&str, u16), destination: (&str, u16), payload: &[u8]) -> Packet {
    let mut packet = Packet::udp(source.0, destination.0, destination.1, payload);
    packet.bytes[20..22].copy_from_slice(&source.1.to_be_bytes());
    packet
}

fn tcp(source: (&str, u16), destination: (&str, u16), flags: &str) -> Packet {
    let mut packet = Packet::tcp(source.0, destination.0, flags, b"");
    packet.bytes[20..22].copy_from_slice(&source.1.to_be_bytes());
    packet.bytes[22..24].copy_from_slice(&destination.1.to_be_bytes());
    packet
}

/// An ICMP error that quotes the beginning of a packet.
fn icmp_error(source: &str, destination: &str, kind: u8, code: u8, quoted: &[u8]) -> Packet {
    let message = [&[kind, code, 0, 0, 0, 0, 0, 0], quoted].concat();
    Packet::new(source, destination, IpProtocol::Icmp, &message)
}

#[test]
fn a_packet_goes_out_under_the_routers_address_and_its_answer_comes_back() {
    let mut lab = lab(home());
    let told = from_inside(&mut lab, udp((A, 4000), (B, 53), b"where is"));
    assert_eq!(
        told,
        "0.000 r # nat: udp 10.0.1.10:4000 is 10.0.2.1:4000 outside\n\
         0.000 r.1 > 10.0.2.1 > 10.0.2.20 ttl 63 udp 4000 > 53, length 8\n"
    );
    let told = from_outside(&mut lab, udp((B, 53), (OUT, 4000), b"there"));
    assert_eq!(told, "0.000 r.0 > 10.0.2.20 > 10.0.1.10 ttl 63 udp 53 > 4000, length 5\n");
    let view = "udp  10.0.1.10:4000        10.0.2.1:4000         10.0.2.20:53                      300s, 1 out, 1 in\n";
    assert_eq!(lab.machine(0).show("nat", Time::ZERO).unwrap(), view);
    assert_eq!(lab.machine(0).counter("nat.sessions"), Some(Value::Integer(1)));
}

#[test]
fn rfc_4787_req_8_a_stranger_is_not_let_in_and_rfc_4787_req_1_all_share_a_mapping() {
    let mut lab = lab(home());
    from_inside(&mut lab, udp((A, 4000), (B, 53), b""));
    assert!(from_outside(&mut lab, udp((B, 54), (OUT, 4000), b"")).contains("x nat-filtered"));
    let told = from_inside(&mut lab, udp((A, 4000), ("10.9.9.9", 99), b""));
    assert!(told.contains("r.1 > 10.0.2.1 > 10.9.9.9 ttl 63 udp 4000 > 99"), "{told}");
}

#[test]
fn two_hosts_with_one_port_get_two() {
    let mut lab = lab(home());
    from_inside(&mut lab, udp((A, 4000), (B, 53), b""));
    let told = from_inside(&mut lab, udp((A2, 4000), (B, 53), b""));
    assert!(told.contains("10.0.2.1 > 10.0.2.20 ttl 63 udp 4002 > 53"), "{told}");
    let told = from_outside(&mut lab, udp((B, 53), (OUT, 4002), b""));
    assert!(told.contains("10.0.2.20 > 10.0.1.11 ttl 63 udp 53 > 4000"), "{told}");
}

#[test]
fn rfc_4787_req_5_the_mapping_ends_after_five_minutes_of_silence() {
    let mut lab = lab(home());
    from_inside(&mut lab, udp((A, 4000), (B, 53), b""));
    lab.run_for(Duration::from_millis(299_999));
    assert!(from_outside(&mut lab, udp((B, 53), (OUT, 4000), b"")).contains("> 10.0.1.10"));
    assert!(
        later(&mut lab, Duration::from_secs(301))
            .contains("r # nat: udp 10.0.1.10:4000 is no longer 10.0.2.1:4000 outside")
    );
    assert!(!from_outside(&mut lab, udp((B, 53), (OUT, 4000), b"")).contains("> 10.0.1.10"));
    assert_eq!(lab.machine(0).wake_at(), None);
}

#[test]
fn a_forwarded_port_reaches_the_server_inside() {
    let mut lab = lab(forwarding());
    let told = from_outside(&mut lab, tcp((B, 5555), (OUT, 8080), "S"));
    assert!(told.contains("r.0 > 10.0.2.20 > 10.0.1.10 ttl 63 tcp 5555 > 80 [S]"), "{told}");
    let told = from_inside(&mut lab, tcp((A, 80), (B, 5555), "S."));
    assert!(told.contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 63 tcp 8080 > 5555 [S.]"), "{told}");
    sent(&lab);
    let view = lab.machine(0).show("nat", Time::ZERO).unwrap();
    assert_eq!(
        view,
        "tcp  10.0.1.10:80          10.0.2.1:8080         *                                 forwarded\n\
         tcp  10.0.1.10:80          10.0.2.1:8080         10.0.2.20:5555        OPENING     240s, 1 out, 1 in\n\
         udp  10.0.1.10:80          10.0.2.1:8080         *                                 forwarded\n"
    );
}

#[test]
fn rfc_4787_req_9a_a_hairpin_shows_the_outside_endpoint_of_who_sends() {
    let mut lab = lab(forwarding());
    let told = from_inside(&mut lab, udp((A2, 4000), (OUT, 8080), b"hi"));
    assert!(told.contains("r.0 > 10.0.2.1 > 10.0.1.10 ttl 63 udp 4000 > 80, length 2"), "{told}");
    let told = from_inside(&mut lab, udp((A, 80), (OUT, 4000), b"hi"));
    assert!(told.contains("r.0 > 10.0.2.1 > 10.0.1.11 ttl 63 udp 8080 > 4000"), "{told}");
    assert_eq!(lab.machine(0).counter("nat.hairpinned"), Some(Value::Integer(2)));
}

/// What everybody writes first, on the machine that translates too.
fn guarded() -> Lab {
    let rules = vec![
        FirewallRule { states: vec![State::Established, State::Related], ..FirewallRule::new(Verb::Accept) },
        FirewallRule {
            arrives_by: Some(0),
            states: vec![State::New],
            filter: Some(Filter::parse("ip.src == 10.0.1.11").unwrap()),
            ..FirewallRule::new(Verb::Accept)
        },
    ];
    let firewall = FirewallSpec { rules, policies: [Verb::Drop, Verb::Drop, Verb::Accept], ..FirewallSpec::default() };
    let r = MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    let r = knowing(knowing(knowing(r, 0, A, 1), 0, A2, 5), 1, B, 4).route(default_via(B));
    let mut lab = Lab::new();
    lab.add("r", Machine::new(MachineSpec { nat: Some(forwarding()), firewall: Some(firewall), ..r }));
    lab
}

#[test]
fn a_firewall_knows_the_answer_to_what_turned_round_by_inside_ends() {
    let mut lab = guarded();
    let told = from_inside(&mut lab, tcp((A2, 4000), (OUT, 8080), "S"));
    assert!(told.contains("r.0 > 10.0.2.1 > 10.0.1.10 ttl 63"), "{told}");
    assert!(lab.machine(0).show("firewall", Time::ZERO).unwrap().contains("10.0.1.11:4000 > 10.0.1.10:80  OPENING"));
    let told = from_inside(&mut lab, tcp((A, 80), (OUT, 4000), "S."));
    assert!(told.contains("r.0 > 10.0.2.1 > 10.0.1.11 ttl 63"), "{told}");
    from_inside(&mut lab, tcp((A2, 4000), (OUT, 8080), "."));
    assert!(lab.machine(0).show("firewall", Time::ZERO).unwrap().contains("ESTABLISHED"));
    // What was sent is sound: the sender's name is back in it.
    sent(&lab);
    // The rule is for a2 alone: the server may not begin.
    let told = from_inside(&mut lab, tcp((A, 5000), (OUT, 8080), "S"));
    assert!(told.contains("x filtered"), "{told}");
}

#[test]
fn a_firewall_knows_an_error_about_what_turned_round() {
    let mut lab = guarded();
    from_inside(&mut lab, udp((A2, 4000), (OUT, 8080), b"hi"));
    let delivered = sent(&lab).remove(0);
    let told = from_inside(&mut lab, icmp_error(A, OUT, 3, 3, &delivered));
    assert!(told.contains("r.0 > 10.0.2.1 > 10.0.1.11 ttl 63 icmp 3/3 about 10.0.1.11 > 10.0.2.1\n"), "{told}");
    assert_eq!(sent(&lab).remove(0)[48..52], [0x0f, 0xa0, 0x1f, 0x90], "4000 > 8080, as it was sent");
}

#[test]
fn what_was_mapped_to_an_address_that_is_gone_is_told_of_then() {
    let mut lab = lab(forwarding());
    let program = Program::new(|net: Net| async move {
        net.sleep(Duration::from_secs(1)).await;
        net.remove_address(1, address(OUT))?;
        Ok(())
    });
    lab.machine(0).add_program(AppId(0), "p", Some(Time::ZERO), program);
    lab.start();
    from_inside(&mut lab, udp((A2, 4000), (B, 53), b"?"));
    let told = later(&mut lab, Duration::from_secs(1));
    assert!(told.contains("1.000 r # nat: udp 10.0.1.11:4000 is no longer 10.0.2.1:4000 outside\n"), "{told}");
    assert_eq!(told.matches("is no longer").count(), 1, "a port forwarding is not a mapping that was made: {told}");
    assert_eq!(lab.machine(0).counter("nat.mappings"), Some(Value::Integer(0)));
}

#[test]
fn without_hairpin_the_outside_address_is_the_routers_alone() {
    let mut lab = lab(NatSpec { hairpins: false, ..forwarding() });
    let told = from_inside(&mut lab, udp((A2, 4000), (OUT, 8080), b"hi"));
    assert!(told.contains("x nobody-listens") && told.contains("icmp 3/3"), "{told}");
}

#[test]
fn rfc_5508_req_7_a_hairpinned_error_finds_who_it_is_for() {
    let mut lab = lab(forwarding());
    from_inside(&mut lab, udp((A2, 4000), (OUT, 8080), b"hi"));
    let delivered = sent(&lab).remove(0);
    // The server inside has nobody at port 80 and says so to whom it believes to have sent it.
    let told = from_inside(&mut lab, icmp_error(A, OUT, 3, 3, &delivered));
    // RFC 5508 REQ-7a: "translate the destination IP address of the outer IP header to be same as the source IP address
    // of the embedded IP packet after the translation."
    assert!(told.contains("r.0 > 10.0.2.1 > 10.0.1.11 ttl 63 icmp 3/3 about 10.0.1.11 > 10.0.2.1\n"), "{told}");
    let error = sent(&lab).remove(0);
    assert_eq!(error[48..52], [0x0f, 0xa0, 0x1f, 0x90], "4000 > 8080, as it was sent");
}

#[test]
fn rfc_5508_req_1_a_ping_is_known_by_its_identifier() {
    let mut lab = lab(home());
    let told = from_inside(&mut lab, Packet::ping(A, B, b"12345678"));
    assert!(told.contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 63 echo request"), "{told}");
    // Another host has the same identifier, and gets another outside.
    from_inside(&mut lab, Packet::ping(A2, B, b"12345678"));
    let mut answer = sent(&lab)[0][20..].to_vec();
    assert_eq!(answer[4..6], [0x12, 0x35]);
    (answer[0], answer[2], answer[3]) = (0, 0, 0);
    let told = from_outside(&mut lab, Packet::new(B, OUT, IpProtocol::Icmp, &answer));
    assert!(told.contains("r.0 > 10.0.2.20 > 10.0.1.11 ttl 63 echo reply"), "{told}");
    assert_eq!(sent(&lab)[0][24..26], [0x12, 0x34]);
    // RFC 5508 REQ-2: at least 60 seconds.
    assert!(later(&mut lab, Duration::from_millis(59_999)).is_empty());
    lab.run_for(Duration::from_millis(1));
    assert_eq!(lab.machine(0).counter("nat.mappings"), Some(Value::Integer(0)));
}

#[test]
fn a_ping_for_the_router_itself_is_answered_by_the_router() {
    let mut lab = lab(home());
    from_inside(&mut lab, Packet::ping(A, B, b""));
    assert!(from_outside(&mut lab, Packet::ping(B, OUT, b"")).contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 64 echo reply"));
}

#[test]
fn rfc_5508_req_4_an_error_from_outside_quotes_what_was_sent_inside() {
    let mut lab = lab(home());
    let before = udp((A, 4000), (B, 53), b"query").finish();
    from_inside(&mut lab, udp((A, 4000), (B, 53), b"query"));
    let outside = sent(&lab).remove(0);
    let told = from_outside(&mut lab, icmp_error("10.0.2.99", OUT, 11, 0, &outside));
    assert!(told.contains("r.0 > 10.0.2.99 > 10.0.1.10 ttl 63 icmp 11/0 about 10.0.1.10 > 10.0.2.20\n"), "{told}");
    let error = sent(&lab).remove(0);
    // But for the time to live, the identification and their checksum, the quotation is what was sent.
    let mut quoted = error[28..].to_vec();
    quoted[4..6].copy_from_slice(&before[4..6]);
    quoted[8] += 1;
    quoted[10..12].copy_from_slice(&before[10..12]);
    assert_eq!(quoted, before);
}

#[test]
fn rfc_5508_req_4_a_quotation_of_eight_bytes_is_enough_and_req_3b_options_are_passed_over() {
    let mut lab = lab(home());
    from_inside(&mut lab, udp((A, 4000), (B, 53), b"query").options(&[7, 3, 4, 0]));
    let outside = sent(&lab).remove(0);
    assert_eq!(outside[0], 0x46);
    let told = from_outside(&mut lab, icmp_error(B, OUT, 3, 1, &outside[..32]));
    assert!(told.contains("r.0 > 10.0.2.20 > 10.0.1.10 ttl 63 icmp 3/1 about 10.0.1.10 > 10.0.2.20\n"), "{told}");
    sent(&lab);
    let told = from_outside(&mut lab, icmp_error(B, OUT, 3, 1, &outside[..25]));
    assert!(told.contains("x malformed"), "{told}");
}

#[test]
fn rfc_5508_req_3_and_req_4_errors_about_nothing_or_with_wrong_checksums_are_dropped() {
    let mut lab = lab(home());
    from_inside(&mut lab, udp((A, 4000), (B, 53), b"query"));
    let outside = sent(&lab).remove(0);
    let unknown = udp((OUT, 5000), (B, 53), b"query").finish();
    assert!(from_outside(&mut lab, icmp_error(B, OUT, 3, 1, &unknown)).contains("x nat-no-mapping"));
    let mut wrong = outside.clone();
    wrong[8] ^= 1;
    assert!(from_outside(&mut lab, icmp_error(B, OUT, 3, 1, &wrong)).contains("x bad-checksum"));
    // A wrong checksum of the error itself; the header's is right.
    let mut damaged = icmp_error(B, OUT, 3, 1, &outside).finish();
    damaged[40] ^= 1;
    lab.log.clear();
    lab.arrive(0, 1, &framed(&damaged, smoltcp::wire::EthernetProtocol::Ipv4, mac(4), mac(3)));
    assert_eq!(lab.drops_of(0), [Cause::BadChecksum]);
}

#[test]
fn rfc_4787_req_12_and_rfc_5508_req_6_an_error_neither_ends_nor_refreshes_a_mapping() {
    let mut lab = lab(home());
    from_inside(&mut lab, udp((A, 4000), (B, 53), b"query"));
    let outside = sent(&lab).remove(0);
    lab.run_for(Duration::from_secs(200));
    from_outside(&mut lab, icmp_error(B, OUT, 3, 3, &outside));
    assert!(from_outside(&mut lab, icmp_error(B, OUT, 3, 3, &outside)).contains("r.0 > "));
    lab.run_for(Duration::from_secs(100));
    assert_eq!(lab.machine(0).counter("nat.mappings"), Some(Value::Integer(0)));
}

#[test]
fn rfc_5508_req_5_an_error_from_inside_quotes_what_was_sent_outside() {
    let mut lab = lab(forwarding());
    from_outside(&mut lab, udp((B, 5555), (OUT, 8080), b"hello"));
    let inside = sent(&lab).remove(0);
    let told = from_inside(&mut lab, icmp_error(A, B, 3, 3, &inside));
    assert!(told.contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 63 icmp 3/3 about 10.0.2.20 > 10.0.2.1\n"), "{told}");
    assert_eq!(sent(&lab)[0][48..52], [0x15, 0xb3, 0x1f, 0x90], "5555 > 8080");
    let told = from_inside(&mut lab, icmp_error(A, B, 3, 3, &udp((B, 1), (A, 2), b"").finish()));
    assert!(told.contains("x nat-no-mapping"), "{told}");
}

#[test]
fn the_routers_own_errors_quote_what_their_receiver_has_sent() {
    // Inside: a packet that dies here, before it is translated.
    let mut lab = lab(forwarding());
    let told = from_inside(&mut lab, udp((A, 4000), (B, 53), b"").ttl(1));
    assert!(told.contains("r.0 > 10.0.1.1 > 10.0.1.10 ttl 64 icmp 11/0 about 10.0.1.10 > 10.0.2.20\n"), "{told}");
    // Outside: one that dies here, after it was translated.
    let told = from_outside(&mut lab, udp((B, 5555), (OUT, 8080), b"").ttl(1));
    assert!(told.contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 64 icmp 11/0 about 10.0.2.20 > 10.0.2.1\n"), "{told}");
    assert_eq!(sent(&lab)[0][48..52], [0x15, 0xb3, 0x1f, 0x90], "5555 > 8080");
    // RFC 4787 REQ-13: "If the packet received on an internal IP address has DF=1, the NAT MUST send back an ICMP message
    // 'Fragmentation needed and DF set' to the host".
    lab.set_link(0, 1, true, 600);
    let told = from_inside(&mut lab, udp((A, 4000), (B, 53), &[0; 900]).dont_fragment());
    assert!(told.contains("icmp 3/4 mtu 600 about 10.0.1.10 > 10.0.2.20"), "{told}");
    // A packet that turned round.
    let told = from_inside(&mut lab, udp((A2, 4000), (OUT, 8080), b"").ttl(1));
    assert!(told.contains("> 10.0.1.11 ttl 64 icmp 11/0 about 10.0.1.11 > 10.0.2.1\n"), "{told}");
    sent(&lab);
}

#[test]
fn a_neighbor_outside_that_does_not_answer_is_told_of_inside() {
    let mut lab = lab(home());
    from_inside(&mut lab, udp((A, 4000), ("10.0.2.77", 53), b""));
    let told = later(&mut lab, Duration::from_secs(3));
    assert!(told.contains("> 10.0.1.10 ttl 64 icmp 3/1 about 10.0.1.10 > 10.0.2.77\n"), "{told}");
}

#[test]
fn rfc_4787_req_14_fragments_pass_in_any_order() {
    let mut lab = lab(home());
    let whole = udp((A, 4000), (B, 53), &[7; 1600]).ident(99).finish();
    let piece = |from: usize, to: usize, more| {
        Packet::new(A, B, IpProtocol::Udp, &whole[20 + from..20 + to]).ident(99).offset(from as u16, more)
    };
    // The last one first; then the first, and nothing passes until all are there.
    assert!(!from_inside(&mut lab, piece(800, 1608, false)).contains(" > 10.0.2.1 > "));
    let told = from_inside(&mut lab, piece(0, 800, true));
    assert!(told.contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 63 frag 1480@0+\n"), "{told}");
    assert!(told.contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 63 frag 128@1480\n"), "{told}");
    // Put together, what was sent is right.
    let fragments = sent(&lab);
    let payload = [&fragments[0][20..], &fragments[1][20..]].concat();
    checksums_are_right(&Packet::new(OUT, B, IpProtocol::Udp, &payload).finish());
    // RFC 6864: the identification is the router's own.
    assert_ne!(fragments[0][4..6], [0, 99]);
}

#[test]
fn what_is_missing_of_a_datagram_that_passes_is_not_the_routers_to_tell() {
    let mut lab = lab(home());
    from_inside(&mut lab, Packet::udp(A, B, 53, &[0; 16]).offset(0, true));
    lab.run_for(Duration::from_secs(30));
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::ReassemblyTimeout], 0));
}

#[test]
fn rfc_5382_req_2b_simultaneous_open_passes() {
    let mut lab = lab(home());
    assert!(from_inside(&mut lab, tcp((A, 4000), (B, 4001), "S")).contains("r.1 > 10.0.2.1 > 10.0.2.20"));
    assert!(from_outside(&mut lab, tcp((B, 4001), (OUT, 4000), "S")).contains("r.0 > 10.0.2.20 > 10.0.1.10"));
    assert!(from_inside(&mut lab, tcp((A, 4000), (B, 4001), "S.")).contains("r.1 > "));
    assert!(from_outside(&mut lab, tcp((B, 4001), (OUT, 4000), "S.")).contains("r.0 > "));
    from_inside(&mut lab, tcp((A, 4000), (B, 4001), "."));
    assert!(lab.machine(0).show("nat", Time::ZERO).unwrap().contains("ESTABLISHED 7440s"));
}

#[test]
fn rfc_5382_req_4_an_unsolicited_syn_is_answered_after_six_seconds() {
    for (filtered, told_of) in [(false, "an unmapped port"), (true, "a mapped port")] {
        let mut lab = lab(NatSpec { unsolicited: Unsolicited::Refuse, ..home() });
        if filtered {
            from_inside(&mut lab, tcp((A, 4000), ("10.9.9.9", 80), "S"));
        }
        assert_eq!(from_outside(&mut lab, tcp((B, 5555), (OUT, 4000), "S")), "", "{told_of}");
        assert_eq!(later(&mut lab, Duration::from_millis(5999)), "", "{told_of}");
        let told = later(&mut lab, Duration::from_millis(1));
        assert!(told.contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 64 icmp 3/3 about 10.0.2.20 > 10.0.2.1\n"), "{told}");
        assert!(told.contains("x nat-filtered"), "{told}");
    }
}

#[test]
fn rfc_5382_req_4_a_syn_that_crosses_one_from_inside_is_never_answered() {
    let mut lab = lab(NatSpec { unsolicited: Unsolicited::Refuse, ..home() });
    from_outside(&mut lab, tcp((B, 4001), (OUT, 4000), "S"));
    lab.run_for(Duration::from_secs(3));
    let told = from_inside(&mut lab, tcp((A, 4000), (B, 4001), "S"));
    assert!(told.contains("x nat-filtered: 10.0.2.20 > 10.0.2.1") && told.contains("r.1 > 10.0.2.1"), "{told}");
    assert_eq!(later(&mut lab, Duration::from_secs(10)), "");
    // Sent again, it is let in.
    assert!(from_outside(&mut lab, tcp((B, 4001), (OUT, 4000), "S")).contains("> 10.0.1.10 "));
}

#[test]
fn rfc_5382_req_4a_policy_may_be_silence() {
    let mut lab = lab(home());
    for packet in [tcp((B, 5555), (OUT, 4000), "S"), udp((B, 5555), (OUT, 4000), b"")] {
        let told = from_outside(&mut lab, packet);
        assert!(told.contains("x nobody-listens") && told.lines().count() == 1, "{told}");
    }
    assert_eq!(later(&mut lab, Duration::from_secs(10)), "");
}

#[test]
fn rfc_5508_req_8_who_finds_no_room_is_told_so() {
    let mut lab = lab(NatSpec { sessions_max: 1, ..home() });
    from_inside(&mut lab, udp((A, 4000), (B, 53), b""));
    let told = from_inside(&mut lab, udp((A2, 4000), (B, 53), b""));
    assert!(told.contains("x nat-exhausted: 10.0.1.11 > 10.0.2.20 ttl 64"), "{told}");
    assert!(told.contains("r.0 > 10.0.1.1 > 10.0.1.11 ttl 64 icmp 3/13 about 10.0.1.11 > 10.0.2.20\n"), "{told}");
    lab.run_for(Duration::from_secs(300));
    assert!(from_inside(&mut lab, udp((A2, 4000), (B, 53), b"")).contains("r.1 > 10.0.2.1 > 10.0.2.20"));
}

#[test]
fn what_cannot_be_translated_stays_inside() {
    let mut lab = lab(home());
    let told = from_inside(&mut lab, Packet::new(A, B, IpProtocol::Unknown(47), b"tunnel"));
    assert!(told.contains("x unknown-protocol"), "{told}");
    let told = from_inside(&mut lab, Packet::new(A, B, IpProtocol::Tcp, b"short"));
    assert!(told.contains("x malformed"), "{told}");
    let told = from_inside(&mut lab, tcp((A, 4000), (B, 80), "R"));
    assert!(told.contains("x nat-no-mapping"), "a reset begins nothing: {told}");
}

#[test]
fn what_passes_by_on_the_outside_is_left_alone() {
    let mut lab = lab(home());
    lab.machine(0)
        .set_routes(&[default_via(B), RouteSpec::refusing("192.0.2.0/24".parse().unwrap(), RouteKind::Blackhole)]);
    let told = from_outside(&mut lab, udp(("10.7.7.7", 1), ("10.8.8.8", 2), b""));
    assert!(told.contains("r.1 > 10.7.7.7 > 10.8.8.8 ttl 63"), "{told}");
}

#[test]
fn the_routers_own_ping_does_not_get_anothers_answer() {
    let mut lab = lab(home());
    lab.send_ip(0, Packet::ping(OUT, B, b"").finish());
    assert!(lab.told().contains("r.1 > 10.0.2.1 > 10.0.2.20 ttl 64 echo request"));
    from_inside(&mut lab, Packet::ping(A, B, b""));
    assert_eq!(sent(&lab)[0][24..26], [0x12, 0x35], "the identifier is the router's");
    let reply = [0, 0, 0, 0, 0x12, 0x34, 0, 1];
    let told = from_outside(&mut lab, Packet::new(B, OUT, IpProtocol::Icmp, &reply));
    assert!(!told.contains("10.0.1.10"), "{told}");
}

#[test]
fn a_crash_forgets_all_but_what_is_configured() {
    let mut lab = lab(NatSpec { unsolicited: Unsolicited::Refuse, ..forwarding() });
    from_inside(&mut lab, udp((A, 4000), (B, 53), b""));
    from_outside(&mut lab, tcp((B, 5555), (OUT, 4000), "S"));
    lab.command(0, &Command::Crash).unwrap();
    assert_eq!(lab.drops_of(0), [Cause::NodeDown], "the SYN that was held");
    lab.command(0, &Command::Restart).unwrap();
    assert!(!from_outside(&mut lab, udp((B, 53), (OUT, 4000), b"")).contains("10.0.1.10"));
    assert!(from_outside(&mut lab, udp((B, 53), (OUT, 8080), b"")).contains("> 10.0.1.10"));
}

fn dependences() -> impl Strategy<Value = Dependence> {
    prop_oneof![Just(Dependence::Endpoint), Just(Dependence::Address), Just(Dependence::AddressAndPort)]
}

/// A packet of one of three kinds, a few endpoints, any payload, perhaps with options or without a checksum.
fn packets() -> impl Strategy<Value = (bool, Packet)> {
    let payload = proptest::collection::vec(any::<u8>(), 0..40);
    (any::<bool>(), 0_u8..3, 0_u8..3, 4000_u16..4003, 50_u16..52, payload, any::<bool>()).prop_map(
        |(is_inward, kind, host, near, far, payload, has_options)| {
            let inside = [A, A2, "10.0.1.12"][usize::from(host)];
            let (source, destination) = if is_inward { ((B, far), (OUT, near)) } else { ((inside, near), (B, far)) };
            let packet = match kind {
                0 => udp(source, destination, &payload),
                1 => tcp(source, destination, if payload.len() % 2 == 0 { "S" } else { "." }),
                _ => {
                    let (kind, near) = (if is_inward { 0 } else { 8 }, near.to_be_bytes());
                    let message = [&[kind, 0, 0, 0, near[0], near[1], 0, 1], &payload[..]].concat();
                    Packet::new(source.0, destination.0, IpProtocol::Icmp, &message)
                }
            };
            (is_inward, if has_options { packet.options(&[7, 3, 4, 0]) } else { packet })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_is_translated_has_right_checksums(
        packets in proptest::collection::vec((packets(), 0_u64..100), 1..30),
        mapping in dependences(), filtering in dependences(),
    ) {
        let mut lab = lab(NatSpec { mapping, filtering, ..forwarding() });
        for ((is_inward, packet), wait) in packets {
            lab.run_for(Duration::from_secs(wait));
            if is_inward { from_outside(&mut lab, packet) } else { from_inside(&mut lab, packet) };
            for packet in sent(&lab) {
                let ip = Ipv4Packet::new_checked(&packet[..]).unwrap();
                let (source, destination) = (ip.src_addr(), ip.dst_addr());
                prop_assert!(destination != address(B) || source == address(OUT), "an inside address is outside");
            }
        }
    }
}
