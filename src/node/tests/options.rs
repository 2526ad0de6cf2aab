//! IPv4 options on their way (RFC 791 §3.1, RFC 1812 §5.3.13, RFC 1122 §3.2.2.6).

use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use super::lab::*;
use crate::record::Cause;
use crate::time::Time;

const A: &str = "10.0.1.10";
const B: &str = "10.0.2.20";

/// The options of the last frame that a node has sent.
fn options_sent(lab: &Lab, node: usize) -> Vec<u8> {
    let frame = lab.sent_by(node).pop().unwrap();
    let length = usize::from(frame[14] & 0x0f) * 4;
    frame[34..14 + length].to_vec()
}

fn record_route(entries: u8) -> Vec<u8> {
    let mut option = vec![7, 3 + 4 * entries, 4];
    option.resize(usize::from(4 + 4 * entries), 0);
    option
}

#[test]
fn a_router_records_the_address_on_the_link_that_the_packet_leaves_by() {
    let mut lab = routed();
    for _ in 0..2 {
        lab.arrive(1, 0, &Packet::udp(A, B, 9, b"").options(&record_route(2)).framed(mac(1), mac(2)));
        assert_eq!(options_sent(&lab, 1), [7, 11, 8, 10, 0, 2, 1, 0, 0, 0, 0, 0]);
    }
    assert!(!lab.told().contains("bad"), "the header checksum fits");
}

#[test]
fn a_ping_records_the_way_there_and_back() {
    let mut lab = routed();
    lab.send_ip(0, Packet::ping(A, B, b"hello").options(&record_route(4)).finish());
    lab.run_for(Duration::from_millis(10));
    // The router's far side, the host, the router's near side; whoever asked adds itself when the reply has come.
    let expected = [&[7, 19, 16][..], &[10, 0, 2, 1], &[10, 0, 2, 20], &[10, 0, 1, 1], &[0; 5]].concat();
    assert_eq!(options_sent(&lab, 1), expected);
    assert!(lab.told().contains("r.0 > 10.0.2.20 > 10.0.1.10 ttl 63 echo reply, length 13\n"));
}

#[test]
fn a_full_record_passes_as_it_is() {
    let mut lab = routed();
    let full = [7, 7, 8, 1, 2, 3, 4, 0];
    lab.arrive(1, 0, &Packet::udp(A, B, 9, b"").options(&full).framed(mac(1), mac(2)));
    assert_eq!(options_sent(&lab, 1), full);
}

#[test]
fn times_are_recorded_by_every_station() {
    let mut lab = routed();
    lab.now = Time::from_millis(1000);
    // Address and time, room for three.
    let option = [&[68, 28, 5, 1][..], &[0; 24]].concat();
    lab.send_ip(0, Packet::ping(A, B, b"").options(&option).finish());
    lab.run_for(Duration::from_millis(10));
    let time = |milliseconds: u32| milliseconds.to_be_bytes();
    let stations = [([10, 0, 2, 1], time(1001)), ([10, 0, 2, 20], time(1002)), ([10, 0, 1, 1], time(1003))];
    let entries: Vec<u8> = stations.iter().flat_map(|(address, time)| [*address, *time].concat()).collect();
    assert_eq!(options_sent(&lab, 1), [&[68, 28, 29, 1][..], &entries].concat());
}

#[test]
fn an_option_with_half_a_place_left_is_complained_about_and_the_quote_is_as_received() {
    let mut lab = routed();
    let packet = Packet::udp(A, B, 9, b"").options(&[7, 7, 4, 0, 0, 0, 0, 7, 7, 6, 9, 9, 9, 9, 0, 0]);
    let received = packet.clone().finish();
    lab.arrive(1, 0, &packet.framed(mac(1), mac(2)));
    assert_eq!(lab.drops_of(1), [Cause::Malformed]);
    let error = lab.sent_by(1).remove(0);
    // The pointer of the second option: 20 + 7 + 2. The first one, which there was room in, is quoted empty.
    assert_eq!((error[14 + 20], error[14 + 24]), (12, 29));
    assert_eq!(error[14 + 28..], received);
}

#[test]
fn source_routes_are_refused_and_their_sender_is_told() {
    for kind in [131, 137] {
        let mut lab = routed();
        let option = [kind, 7, 4, 10, 0, 2, 1, 0];
        lab.arrive(1, 0, &Packet::udp(A, B, 9, b"").options(&option).framed(mac(1), mac(2)));
        let told = lab.told();
        assert!(told.contains("r.0 > 10.0.1.1 > 10.0.1.10 ttl 64 icmp 3/5 about 10.0.1.10 > 10.0.2.20\n"), "{told}");
        assert!(told.contains("r x filtered"), "{told}");
        // Also if it is for the router itself, or for a host.
        lab.arrive(1, 0, &Packet::udp(A, "10.0.1.1", 9, b"").options(&option).framed(mac(1), mac(2)));
        assert!(lab.told().contains("icmp 3/5"));
        lab.arrive(2, 0, &Packet::udp(A, B, 9, b"").options(&option).framed(mac(3), mac(4)));
        assert!(lab.told().contains("b.0 > 10.0.2.20 > 10.0.1.10 ttl 64 icmp 3/5"));
    }
}

#[test]
fn nobody_complains_about_options_of_what_it_should_not_have_got() {
    let mut lab = routed();
    let broken = || Packet::udp(A, B, 9, b"").options(&[7, 9, 4, 0]);
    lab.arrive(1, 0, &broken().framed(mac(1), EthernetAddress::BROADCAST));
    assert_eq!((lab.drops_of(1), lab.sent_by(1).len()), (vec![Cause::LinkBroadcast], 0));
    lab.arrive(0, 0, &broken().framed(mac(2), mac(1)));
    assert_eq!(lab.drops_of(0), [Cause::Martian]);
    let other = Packet::udp("10.0.1.1", B, 9, b"").options(&[7, 9, 4, 0]);
    lab.arrive(0, 0, &other.framed(mac(2), mac(1)));
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::Martian, Cause::NotForwarding], 0));
}

#[test]
fn options_that_nobody_here_writes_to_pass_as_they_are() {
    let mut lab = routed();
    // Router alert, and a kind that nobody knows.
    let options = [148, 4, 0, 0, 94, 4, 1, 2];
    lab.arrive(1, 0, &Packet::udp(A, B, 9, b"").options(&options).framed(mac(1), mac(2)));
    assert_eq!(options_sent(&lab, 1), options);
}
