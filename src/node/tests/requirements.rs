//! Requirements of RFC 791, 792, 826, 1122, 1191 and 1812 that no other story here tells. `docs/conformance/ipv4.md` names
//! the test of each.

use smoltcp::wire::ArpOperation::Request;
use smoltcp::wire::{EthernetAddress, IpProtocol, Ipv4Packet};

use super::lab::*;
use crate::node::machine::MachineSpec;
use crate::node::{Machine, Node as _};
use crate::record::{Cause, Value};

const A: &str = "10.0.1.10";
const B: &str = "10.0.2.20";
const NOBODY: EthernetAddress = EthernetAddress([0; 6]);

/// The packets that the router of `routed` sends when it has received this, link headers left out.
fn from_router(lab: &mut Lab, packet: &[u8]) -> Vec<Vec<u8>> {
    lab.log.clear();
    lab.arrive(1, 0, &framed(packet, smoltcp::wire::EthernetProtocol::Ipv4, mac(1), mac(2)));
    lab.sent_by(1).into_iter().map(|frame| frame[14..].to_vec()).collect()
}

fn with_header(mut packet: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut packet);
    Ipv4Packet::new_unchecked(&mut packet).fill_checksum();
    packet
}

#[test]
fn rfc_1812_reserved_bits_neither_matter_nor_change_in_fragments_either() {
    let mut lab = routed();
    let strange = |packet: Packet| {
        with_header(packet.finish(), |bytes| {
            bytes[1] = 0x01;
            bytes[6] |= 0x80;
        })
    };
    let sent = from_router(&mut lab, &strange(Packet::udp(A, B, 9, b"hello")));
    assert_eq!((sent.len(), sent[0][1], sent[0][6] & 0x80), (1, 0x01, 0x80));
    lab.set_link(1, 1, true, 600);
    let sent = from_router(&mut lab, &strange(Packet::udp(A, B, 9, &[7; 1000])));
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|fragment| (fragment[1], fragment[6] & 0x80) == (0x01, 0x80)));
    // Nor does a machine set them in what it makes itself.
    let error = from_router(&mut lab, &strange(Packet::udp(A, B, 9, b"").ttl(1))).remove(0);
    assert_eq!((error[1] & 0x01, error[6] & 0x80), (0, 0));
}

#[test]
fn rfc_1812_a_reply_has_the_type_of_service_of_its_request() {
    let mut lab = routed();
    let ping = with_header(Packet::ping(A, "10.0.1.1", b"hi").finish(), |bytes| bytes[1] = 0xb8);
    assert_eq!(from_router(&mut lab, &ping)[0][1], 0xb8);
}

#[test]
fn rfc_1812_the_time_to_live_of_an_answer_is_not_that_of_the_question() {
    let mut lab = routed();
    for ttl in [1, 3, 200] {
        assert_eq!(from_router(&mut lab, &Packet::ping(A, "10.0.1.1", b"").ttl(ttl).finish())[0][8], 64);
        assert_eq!(from_router(&mut lab, &Packet::udp(A, "10.0.1.1", 9, b"").ttl(ttl).finish())[0][8], 64);
    }
}

#[test]
fn rfc_1812_an_invalid_header_is_dropped_in_silence_whatever_is_wrong_with_it() {
    let good = Packet::udp(A, B, 9, b"hello").finish();
    type Change = fn(&mut [u8]);
    let invalid: [(&str, Change); 4] = [
        ("version", |bytes| bytes[0] = 0x55),
        ("header length", |bytes| bytes[0] = 0x44),
        ("total length below the header's", |bytes| bytes[2..4].copy_from_slice(&[0, 19])),
        ("total length beyond the frame", |bytes| bytes[2..4].copy_from_slice(&[4, 0])),
    ];
    for (what, change) in invalid {
        let mut lab = routed();
        let sent = from_router(&mut lab, &with_header(good.clone(), change));
        assert_eq!((sent.len(), lab.drops_of(1).len()), (0, 1), "{what}");
    }
    let mut lab = routed();
    let mut wrong = good;
    wrong[10] ^= 1;
    assert_eq!((from_router(&mut lab, &wrong).len(), lab.drops_of(1)), (0, vec![Cause::BadChecksum]));
}

#[test]
fn rfc_1812_nothing_is_reassembled_on_its_way() {
    let mut lab = routed();
    let first = from_router(&mut lab, &Packet::udp(A, B, 9, &[1; 16]).offset(0, true).finish());
    let last = from_router(&mut lab, &Packet::new(A, B, IpProtocol::Udp, &[1; 8]).offset(24, false).finish());
    assert_eq!((first.len(), last.len()), (1, 1));
    assert_eq!(lab.machine(1).counter("ip.fragments_received"), Some(Value::Integer(0)));
}

#[test]
fn rfc_1191_datagram_too_big_has_the_mtu_in_the_low_half_of_the_unused_field() {
    let mut lab = routed();
    lab.set_link(1, 1, true, 600);
    let error = from_router(&mut lab, &Packet::udp(A, B, 9, &[7; 1000]).dont_fragment().finish()).remove(0);
    assert_eq!((&error[20..22], &error[24..28]), (&[3, 4][..], &[0, 0, 0x02, 0x58][..]));
}

#[test]
fn rfc_792_fields_that_mean_nothing_are_zero_and_the_quote_begins_with_the_header() {
    let mut lab = routed();
    let sent = Packet::udp(A, B, 9, b"hello").ttl(1).finish();
    let error = from_router(&mut lab, &sent).remove(0);
    assert_eq!((&error[20..22], &error[24..28]), (&[11, 0][..], &[0; 4][..]));
    assert_eq!(error[28..], sent);
    assert_eq!(smoltcp::wire::checksum::data(&error[20..]), !0);
}

#[test]
fn rfc_1122_an_icmp_message_of_unknown_type_is_dropped_in_silence() {
    let mut lab = pair();
    for kind in [1_u8, 2, 6, 15, 17, 18, 39, 255] {
        lab.log.clear();
        let message = Packet::new("10.0.0.2", "10.0.0.1", IpProtocol::Icmp, &[kind, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        lab.arrive(0, 0, &message.framed(mac(2), mac(1)));
        assert_eq!((lab.sent_by(0).len(), lab.drops_of(0)), (0, vec![Cause::NobodyListens]), "{kind}");
    }
}

#[test]
fn rfc_1122_a_host_takes_datagrams_whatever_their_time_to_live() {
    let mut lab = pair();
    for ttl in [0, 1] {
        lab.log.clear();
        lab.arrive(0, 0, &Packet::udp("10.0.0.2", "10.0.0.1", 9, b"").ttl(ttl).framed(mac(2), mac(1)));
        assert_eq!(lab.drops_of(0), [Cause::NobodyListens]);
    }
}

#[test]
fn rfc_1122_a_host_drops_what_comes_from_nobody_or_everybody_or_itself() {
    for source in ["0.0.0.0", "0.0.0.7", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.0.255", "10.0.0.1"] {
        let mut lab = pair();
        lab.arrive(0, 0, &Packet::ping(source, "10.0.0.1", b"").framed(mac(2), mac(1)));
        assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::Martian], 0), "{source}");
    }
}

#[test]
fn rfc_1122_the_largest_datagram_that_there_can_be_is_put_together() {
    let mut lab = pair();
    // 20 + 8 + 65,507 = 65,535, and the reply is as large.
    lab.send_ip(0, Packet::ping("10.0.0.1", "10.0.0.2", &vec![7; 65_507]).finish());
    lab.run_for(std::time::Duration::from_secs(1));
    let told = lab.told();
    assert!(told.contains("b # reassembled 65535 bytes") && told.contains("a # reassembled 65535 bytes"), "{told}");
}

#[test]
fn rfc_1122_a_link_broadcast_carries_nothing_but_a_broadcast() {
    let mut lab = pair();
    for (destination, is_for_all) in
        [("10.0.0.255", true), ("255.255.255.255", true), ("224.0.0.1", false), ("10.0.0.2", false)]
    {
        lab.log.clear();
        lab.send_ip(0, Packet::udp("10.0.0.1", destination, 9, b"").finish());
        let packets: Vec<_> = lab.sent_by(0).into_iter().filter(|frame| frame[12..14] == [8, 0]).collect();
        assert!(packets.iter().all(|frame| (frame[..6] == [0xff; 6]) == is_for_all), "{destination}");
        assert_eq!(packets.len(), usize::from(destination != "10.0.0.2"), "{destination}");
    }
}

#[test]
fn rfc_826_other_hardware_other_protocols_and_other_lengths_are_not_understood() {
    let question = arp(Request, (mac(2), "10.0.0.2"), (NOBODY, "10.0.0.1"), EthernetAddress::BROADCAST);
    // Hardware type, protocol type, and their lengths; and an operation that nobody knows.
    for (at, value) in [(15, 6), (16, 0x86), (18, 8), (19, 16), (21, 9)] {
        let mut lab = pair();
        let mut strange = question.clone();
        strange[at] = value;
        lab.arrive(0, 0, &strange);
        assert_eq!(lab.sent_by(0).len(), 0, "byte {at}");
        assert_eq!(lab.machine(0).counter("arp.received"), Some(Value::Integer(1)));
    }
    let mut lab = pair();
    lab.arrive(0, 0, &question[..14 + 27]);
    assert_eq!((lab.sent_by(0).len(), lab.drops_of(0)), (0, vec![Cause::Malformed]));
}

#[test]
fn rfc_826_an_answer_goes_to_the_asker_alone_with_everything_swapped() {
    let mut lab = pair();
    lab.arrive(0, 0, &arp(Request, (mac(2), "10.0.0.2"), (NOBODY, "10.0.0.1"), EthernetAddress::BROADCAST));
    let reply = lab.sent_by(0).remove(0);
    assert_eq!((&reply[..6], &reply[6..12]), (&mac(2).0[..], &mac(1).0[..]));
    let fields = [&[0, 1, 8, 0, 6, 4, 0, 2][..], &mac(1).0, &[10, 0, 0, 1], &mac(2).0, &[10, 0, 0, 2]].concat();
    assert_eq!(reply[14..14 + 28], fields);
}

#[test]
fn rfc_1122_a_machine_with_several_addresses_sends_from_the_one_on_the_way() {
    let mut lab = Lab::new();
    let spec =
        MachineSpec::router("r", 1).interface(interface(1, "10.0.1.1/24")).interface(interface(2, "10.0.2.1/24"));
    lab.add("r", Machine::new(knowing(knowing(spec, 0, A, 10), 1, B, 20)));
    for (port, source, own) in [(0, A, [10, 0, 1, 1]), (1, B, [10, 0, 2, 1])] {
        lab.log.clear();
        // Nobody has a route to there: the error leaves by the link on which the packet came.
        let packet = Packet::udp(source, "192.0.2.1", 9, b"");
        lab.arrive(0, port, &packet.framed(mac(10), mac(1 + port as u8)));
        assert_eq!(lab.sent_by(0)[0][14 + 12..14 + 16], own);
    }
}

#[test]
fn rfc_791_every_datagram_that_may_be_cut_has_an_identification_of_its_own() {
    let mut lab = routed();
    let idents: std::collections::BTreeSet<[u8; 2]> = (0..1000)
        .map(|number| {
            let answer = from_router(&mut lab, &Packet::udp(A, "10.0.1.1", number, b"").finish()).remove(0);
            [answer[4], answer[5]]
        })
        .collect();
    assert_eq!(idents.len(), 1000);
}

#[test]
fn rfc_791_options_that_end_early_are_filled_up_with_zeros() {
    let mut lab = routed();
    // Ten bytes of options, and two to fill the word; of the reply's, eight are left.
    let ping = Packet::ping(A, "10.0.1.1", b"").options(&[148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0]).finish();
    let reply = from_router(&mut lab, &ping).remove(0);
    assert_eq!((reply[0] & 0x0f, &reply[20..28]), (7, &[7, 7, 8, 10, 0, 1, 1, 0][..]));
}
