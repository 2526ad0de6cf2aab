//! RFC 791 §3.2 from end to end: cut on the way, put together at the end, or not.

use std::time::Duration;

use super::lab::*;
use crate::node::Node as _;
use crate::record::{Cause, Value};
use crate::time::Time;

const A: &str = "10.0.1.10";
const B: &str = "10.0.2.20";

/// a sends 3000 bytes to a closed port of b, over a link of 1500 and one of 600 bytes.
fn send_large(lab: &mut Lab) {
    lab.set_link(1, 1, true, 600);
    lab.set_link(2, 0, true, 600);
    lab.send_ip(0, Packet::udp(A, B, 9, &[7; 3000]).finish());
}

#[test]
fn a_datagram_is_cut_twice_and_arrives_whole() {
    let mut lab = routed();
    send_large(&mut lab);
    lab.run_for(Duration::from_millis(10));
    insta::assert_snapshot!(lab.told(), @r"
    0.000 a.0 > 10.0.1.10 > 10.0.2.20 ttl 64 frag 1480@0+
    0.000 a.0 > 10.0.1.10 > 10.0.2.20 ttl 64 frag 1480@1480+
    0.000 a.0 > 10.0.1.10 > 10.0.2.20 ttl 64 frag 48@2960
    0.001 r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 576@0+
    0.001 r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 576@576+
    0.001 r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 328@1152+
    0.001 r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 576@1480+
    0.001 r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 576@2056+
    0.001 r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 328@2632+
    0.001 r.1 > 10.0.1.10 > 10.0.2.20 ttl 63 frag 48@2960
    0.002 b # reassembled 3028 bytes from 10.0.1.10 (7 fragments)
    0.002 b x nobody-listens: 10.0.1.10 > 10.0.2.20 ttl 63 udp 4000 > 9, length 3000
    0.002 b.0 > 10.0.2.20 > 10.0.1.10 ttl 64 icmp 3/3 about 10.0.1.10 > 10.0.2.20
    0.003 r.0 > 10.0.2.20 > 10.0.1.10 ttl 63 icmp 3/3 about 10.0.1.10 > 10.0.2.20
    0.004 a x nobody-listens: 10.0.2.20 > 10.0.1.10 ttl 63 icmp 3/3 about 10.0.1.10 > 10.0.2.20
    ");
    assert_eq!(lab.machine(2).counter("ip.reassembled"), Some(Value::Integer(1)));
    assert_eq!(lab.machine(2).wake_at(), None, "no timer is left behind");
}

#[test]
fn a_lost_fragment_loses_the_datagram_after_thirty_seconds() {
    let mut lab = routed();
    // The second of the six on the second link.
    lab.tamper(|frame| !summary(frame.bytes()).contains("frag 576@576+"));
    send_large(&mut lab);
    lab.run_until(Time::from_secs(29));
    lab.told();
    lab.run_until(Time::from_secs(31));
    insta::assert_snapshot!(lab.told(), @r"
    30.002 b x reassembly-timeout: 10.0.1.10 > 10.0.2.20 ttl 63 frag 576@0+
    30.002 b x reassembly-timeout: 10.0.1.10 > 10.0.2.20 ttl 63 frag 328@1152+
    30.002 b x reassembly-timeout: 10.0.1.10 > 10.0.2.20 ttl 63 frag 576@1480+
    30.002 b x reassembly-timeout: 10.0.1.10 > 10.0.2.20 ttl 63 frag 576@2056+
    30.002 b x reassembly-timeout: 10.0.1.10 > 10.0.2.20 ttl 63 frag 328@2632+
    30.002 b x reassembly-timeout: 10.0.1.10 > 10.0.2.20 ttl 63 frag 48@2960
    30.002 b.0 > 10.0.2.20 > 10.0.1.10 ttl 64 icmp 11/1 about 10.0.1.10 > 10.0.2.20
    30.003 r.0 > 10.0.2.20 > 10.0.1.10 ttl 63 icmp 11/1 about 10.0.1.10 > 10.0.2.20
    30.004 a x nobody-listens: 10.0.2.20 > 10.0.1.10 ttl 63 icmp 11/1 about 10.0.1.10 > 10.0.2.20
    ");
    assert_eq!(lab.machine(2).counter("ip.reassembly_failed"), Some(Value::Integer(1)));
}

#[test]
fn without_the_first_fragment_nobody_is_told() {
    let mut lab = routed();
    lab.tamper(|frame| !summary(frame.bytes()).contains("@0+") || frame.len() > 614);
    send_large(&mut lab);
    lab.run_until(Time::from_secs(31));
    assert_eq!(lab.sent_by(2).len(), 0);
    assert!(lab.drops_of(2).iter().all(|cause| *cause == Cause::ReassemblyTimeout) && !lab.drops_of(2).is_empty());
}

#[test]
fn a_damaged_fragment_spoils_the_whole() {
    let mut lab = routed();
    lab.tamper(|frame| {
        if summary(frame.bytes()).contains("frag 576@576+") {
            let last = frame.len() - 1;
            frame.bytes_mut()[last] ^= 1;
            frame.damaged = true;
        }
        true
    });
    // A ping, so that an undamaged one would be answered. Sent with its checksum right, and not marked.
    lab.set_link(1, 1, true, 600);
    lab.send_ip(0, Packet::ping(A, B, &[7; 1200]).finish());
    lab.run_for(Duration::from_secs(1));
    assert_eq!((lab.drops_of(2), lab.sent_by(2).len()), (vec![Cause::BadChecksum], 0));
}

#[test]
fn an_overlap_loses_all_of_it_and_nobody_is_told() {
    let mut lab = routed();
    let piece = |offset, payload: &[u8], more| {
        Packet::new(A, B, smoltcp::wire::IpProtocol::Unknown(99), payload).offset(offset, more).framed(mac(3), mac(4))
    };
    lab.arrive(2, 0, &piece(0, &[1; 16], true));
    lab.arrive(2, 0, &piece(8, &[2; 16], true));
    lab.arrive(2, 0, &piece(16, &[1; 4], false));
    assert_eq!(lab.drops_of(2), [Cause::FragmentOverlap; 3]);
    lab.run_until(Time::from_secs(40));
    assert_eq!((lab.sent_by(2).len(), lab.machine(2).wake_at()), (0, None));
    // The identification may be used again then.
    lab.log.clear();
    lab.arrive(2, 0, &piece(0, &[1; 16], true));
    lab.arrive(2, 0, &piece(16, &[1; 4], false));
    assert_eq!(lab.drops_of(2), [Cause::UnknownProtocol]);
}

#[test]
fn a_large_ping_is_answered_in_fragments() {
    let mut lab = pair();
    lab.send_ip(0, Packet::ping("10.0.0.1", "10.0.0.2", &[7; 2000]).finish());
    lab.run_for(Duration::from_secs(1));
    let told = lab.told();
    assert!(told.contains("b.0 > 10.0.0.2 > 10.0.0.1 ttl 64 frag 1480@0+"), "{told}");
    assert!(told.contains("a # reassembled 2028 bytes from 10.0.0.2 (2 fragments)"), "{told}");
}

#[test]
fn the_timer_of_a_datagram_does_not_end_the_next_one() {
    let mut lab = routed();
    let piece = |offset, more| {
        Packet::new(A, B, smoltcp::wire::IpProtocol::Unknown(99), &[1; 16]).offset(offset, more).framed(mac(3), mac(4))
    };
    lab.arrive(2, 0, &piece(0, true));
    lab.arrive(2, 0, &piece(16, false));
    lab.run_until(Time::from_secs(20));
    lab.arrive(2, 0, &piece(0, true));
    lab.run_until(Time::from_secs(49));
    lab.log.clear();
    lab.run_until(Time::from_secs(51));
    assert!(lab.told().starts_with("50.000 b"));
}

fn piece(protocol: smoltcp::wire::IpProtocol, offset: u16, length: usize, more: bool) -> Packet {
    Packet::new(A, B, protocol, &vec![1; length]).offset(offset, more)
}

#[test]
fn a_datagram_that_would_be_longer_than_can_be_is_dropped_for_that() {
    let mut lab = routed();
    // The "ping of death": a last fragment that ends at 65,528 + 8 = 65,536 + header.
    lab.arrive(2, 0, &piece(smoltcp::wire::IpProtocol::Icmp, 65_528, 8, false).framed(mac(3), mac(4)));
    assert_eq!(lab.drops_of(2), [Cause::FragmentBeyondEnd]);
    assert_eq!(lab.machine(2).wake_at(), None);
}

#[test]
fn rfc_1858_a_filter_drops_fragments_that_hide_a_tcp_header_and_a_plain_router_does_not() {
    use crate::node::machine::MachineSpec;
    use crate::node::machine::firewall::FirewallSpec;
    let tcp = smoltcp::wire::IpProtocol::Tcp;
    for (firewall, drops) in [(None, 0), (Some(FirewallSpec::default()), 2)] {
        let mut lab = Lab::new();
        let spec =
            MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
        let mut spec = knowing(knowing(spec, 0, A, 1), 1, B, 4);
        spec.firewall = firewall;
        lab.add("r", crate::node::Machine::new(spec));
        lab.arrive(0, 0, &piece(tcp, 0, 8, true).framed(mac(1), mac(2)));
        lab.arrive(0, 0, &piece(tcp, 8, 32, true).framed(mac(1), mac(2)));
        lab.arrive(0, 0, &piece(tcp, 40, 32, false).framed(mac(1), mac(2)));
        assert_eq!(lab.drops_of(0), vec![Cause::TinyFragment; drops]);
        assert_eq!(lab.sent_by(0).len(), 3 - drops);
    }
}

#[test]
fn an_exhausted_table_of_reassemblies_refuses_new_ones_for_half_a_minute_and_no_longer() {
    let mut lab = routed();
    let first = |ident: u16| Packet::udp(A, B, 9, &[0; 16]).offset(0, true).ident(ident).framed(mac(3), mac(4));
    (0..1024).for_each(|ident| lab.arrive(2, 0, &first(ident)));
    assert_eq!(lab.drops_of(2), []);
    lab.arrive(2, 0, &first(5000));
    assert_eq!(lab.drops_of(2), [Cause::ReassemblyLimit]);
    lab.run_until(Time::from_secs(30));
    assert_eq!(lab.drops_of(2).len(), 1 + 1024);
    lab.log.clear();
    lab.arrive(2, 0, &first(5000));
    lab.arrive(
        2,
        0,
        &Packet::new(A, B, smoltcp::wire::IpProtocol::Udp, &[0; 8])
            .offset(24, false)
            .ident(5000)
            .framed(mac(3), mac(4)),
    );
    assert!(lab.told().contains("b # reassembled 52 bytes"), "it works again");
}
