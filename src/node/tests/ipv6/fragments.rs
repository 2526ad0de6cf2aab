//! Fragments are made by sources and put together by destinations (RFC 8200 §4.5, RFC 5722, RFC 6946).

use std::time::Duration;

use super::*;
use crate::record::Cause;

const A: &str = "2001:db8:1::a";
const B: &str = "2001:db8:1::b";

fn acquainted() -> Lab {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping(A, B, b"").finish());
    lab.run_for(Duration::from_millis(10));
    lab.log.clear();
    lab
}

fn arrive(lab: &mut Lab, packet: Packet6) {
    let bytes = framed(&packet.bytes, EthernetProtocol::Ipv6, mac(1), mac(2));
    lab.arrive(1, 0, &bytes);
}

#[test]
fn a_large_ping_is_cut_by_its_source_and_comes_back_whole() {
    let mut lab = acquainted();
    lab.send_ip(0, Packet6::ping(A, B, &[7; 3000]).finish());
    lab.run_for(Duration::from_millis(10));
    insta::assert_snapshot!(lab.told(), @"
    1.012 a.0 > 2001:db8:1::a > 2001:db8:1::b: ICMP6, echo request, id 4660, seq 1, length 1448, frag id 2739118104, offset 0+
    1.012 a.0 > 2001:db8:1::a > 2001:db8:1::b: icmp6, length 1448, frag id 2739118104, offset 1448+
    1.012 a.0 > 2001:db8:1::a > 2001:db8:1::b: icmp6, length 112, frag id 2739118104, offset 2896
    1.013 b # reassembled 3048 bytes from 2001:db8:1::a (3 fragments)
    1.013 b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, echo reply, id 4660, seq 1, length 1448, frag id 662893306, offset 0+
    1.013 b.0 > 2001:db8:1::b > 2001:db8:1::a: icmp6, length 1448, frag id 662893306, offset 1448+
    1.013 b.0 > 2001:db8:1::b > 2001:db8:1::a: icmp6, length 112, frag id 662893306, offset 2896
    1.014 a # reassembled 3048 bytes from 2001:db8:1::b (3 fragments)
    1.014 a x nobody-listens: 2001:db8:1::b > 2001:db8:1::a: ICMP6, echo reply, id 4660, seq 1, length 3008
    ");
    let counter = |lab: &mut Lab, node: usize, name: &str| lab.machine(node).counter(name);
    assert_eq!(counter(&mut lab, 0, "ip6.fragments_created"), Some(3_u64.into()));
    assert_eq!(counter(&mut lab, 1, "ip6.reassembled"), Some(1_u64.into()));
}

#[test]
fn fragments_in_any_order_make_the_whole() {
    let whole = Packet6::ping(A, B, &[7; 40]);
    let mut lab = acquainted();
    arrive(&mut lab, whole.fragment(9, 32..48, false));
    arrive(&mut lab, whole.fragment(9, 0..16, true));
    assert_eq!((lab.sent_by(1).len(), lab.drops_of(1).len()), (0, 0));
    arrive(&mut lab, whole.fragment(9, 16..32, true));
    assert!(lab.told().contains("echo reply, id 4660, seq 1, length 48"));
}

#[test]
fn an_overlap_loses_all_in_silence() {
    let whole = Packet6::ping(A, B, &[7; 40]);
    let mut lab = acquainted();
    arrive(&mut lab, whole.fragment(9, 0..16, true));
    arrive(&mut lab, whole.fragment(9, 8..24, true));
    arrive(&mut lab, whole.fragment(9, 24..48, false));
    assert_eq!((lab.drops_of(1), lab.sent_by(1).len()), (vec![Cause::FragmentOverlap; 3], 0));
    // The same piece twice is no contradiction.
    arrive(&mut lab, whole.fragment(10, 0..16, true));
    arrive(&mut lab, whole.fragment(10, 0..16, true));
    assert_eq!(lab.drops_of(1).last(), Some(&Cause::DuplicateFragment));
    arrive(&mut lab, whole.fragment(10, 16..48, false));
    assert_eq!(lab.sent_by(1).len(), 1);
}

#[test]
fn an_atomic_fragment_is_no_fragment_and_meets_no_other() {
    let whole = Packet6::ping(A, B, &[7; 40]);
    let mut lab = acquainted();
    arrive(&mut lab, whole.fragment(9, 0..16, true));
    arrive(&mut lab, whole.fragment(9, 0..48, false));
    assert!(lab.told().contains("echo reply, id 4660, seq 1, length 48"));
    arrive(&mut lab, whole.fragment(9, 16..48, false));
    assert!(lab.told().contains("echo reply, id 4660, seq 1, length 48"), "the others are still there");
}

#[test]
fn a_datagram_whose_rest_does_not_come_is_given_up_after_a_minute() {
    let whole = Packet6::ping(A, B, &[7; 40]);
    let mut lab = acquainted();
    arrive(&mut lab, whole.fragment(9, 0..16, true));
    arrive(&mut lab, whole.fragment(10, 16..48, false));
    let start = lab.now;
    lab.run_until(start + Duration::from_nanos(59_999_999_999));
    assert!(lab.drops_of(1).is_empty());
    lab.run_until(start + Duration::from_secs(61));
    assert_eq!(lab.drops_of(1), [Cause::ReassemblyTimeout; 2]);
    let told = lab.told();
    // Only for the one whose first fragment has come.
    assert_eq!(
        told.matches("b.0 > 2001:db8:1::b > 2001:db8:1::a: ICMP6, ip reassembly time exceeded").count(),
        1,
        "{told}"
    );
}

#[test]
fn fragments_that_cannot_be_are_told_of() {
    let whole = Packet6::ping(A, B, &[7; 40]);
    let answer = |packet: Packet6| {
        let mut lab = acquainted();
        arrive(&mut lab, packet);
        assert_eq!(lab.drops_of(1).len(), 1);
        let told = lab.told();
        told.split("parameter problem, ").nth(1).map(|rest| rest.split(" (about").next().unwrap().to_owned())
    };
    assert_eq!(answer(whole.fragment(9, 0..15, true)).as_deref(), Some("erroneous - octet 4"));
    let mut far = whole.fragment(9, 0..16, false);
    far.bytes[42..44].copy_from_slice(&65_528_u16.to_be_bytes());
    assert_eq!(answer(far).as_deref(), Some("erroneous - octet 42"));
    // RFC 7112: a first fragment without the transport's header.
    let udp = Packet6::udp(A, B, 9, &[0; 40]).extended(60, &[0, 0, 1, 4, 0, 0, 0, 0]);
    assert_eq!(answer(udp.fragment(9, 0..8, true)).as_deref(), Some("option - octet 0"));
    assert_eq!(answer(whole.fragment(9, 8..8, false)), None);
}

#[test]
fn the_number_of_datagrams_is_bounded() {
    let whole = Packet6::ping(A, B, &[7; 40]);
    let mut lab = acquainted();
    for ident in 0..1025 {
        arrive(&mut lab, whole.fragment(ident, 0..16, true));
    }
    assert_eq!(lab.drops_of(1), [Cause::ReassemblyLimit]);
    // One that has begun still ends, and makes room.
    arrive(&mut lab, whole.fragment(0, 16..48, false));
    arrive(&mut lab, whole.fragment(2000, 0..16, true));
    assert_eq!(lab.drops_of(1), [Cause::ReassemblyLimit]);
}
