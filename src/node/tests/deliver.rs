//! What is for a machine, and what it answers when nobody there wants it.

use std::time::Duration;

use smoltcp::wire::{EthernetAddress, IpProtocol};

use super::lab::*;
use crate::node::machine::MachineSpec;
use crate::node::{Command, Machine, Node as _};
use crate::record::{Cause, Value};

/// A host 10.0.0.1 that knows 10.0.0.2.
fn host() -> Lab {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"));
    lab.add("a", Machine::new(knowing(spec, 0, "10.0.0.2", 2)));
    lab
}

fn at_host(lab: &mut Lab, packet: Packet) -> String {
    lab.log.clear();
    lab.arrive(0, 0, &packet.framed(mac(2), mac(1)));
    lab.told()
}

#[test]
fn a_ping_is_answered_with_the_same_contents() {
    let mut lab = host();
    let request = Packet::ping("10.0.0.2", "10.0.0.1", b"some contents").ttl(3).finish();
    lab.arrive(0, 0, &framed(&request, smoltcp::wire::EthernetProtocol::Ipv4, mac(2), mac(1)));
    let reply = ip_of(&lab.sent_by(0)[0]).unwrap().to_vec();
    assert_eq!(summary(&reply), "10.0.0.1 > 10.0.0.2 ttl 64 echo reply, length 21");
    assert_eq!(reply[24..], request[24..]);
    assert_eq!(smoltcp::wire::checksum::data(&reply[20..]), !0);
    assert_eq!(lab.machine(0).counter("icmp.sent.echo_reply"), Some(Value::Integer(1)));
}

#[test]
fn a_ping_with_options_is_answered_without_them() {
    let told = at_host(&mut host(), Packet::ping("10.0.0.2", "10.0.0.1", b"hi").options(&[7, 7, 4, 0, 0, 0, 0, 0]));
    assert_eq!(told, "0.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo reply, length 10\n");
}

#[test]
fn link_padding_is_not_part_of_the_packet() {
    let mut lab = host();
    let mut frame = Packet::ping("10.0.0.2", "10.0.0.1", b"").framed(mac(2), mac(1));
    frame.resize(60, 0xaa);
    lab.arrive(0, 0, &frame);
    assert_eq!(lab.told(), "0.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo reply, length 8\n");
}

#[test]
fn a_broadcast_ping_is_ignored_unless_asked_for() {
    for destination in ["10.0.0.255", "255.255.255.255", "224.0.0.1"] {
        let ping = || Packet::ping("10.0.0.2", destination, b"").framed(mac(2), EthernetAddress::BROADCAST);
        let mut lab = host();
        lab.arrive(0, 0, &ping());
        assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::Ignored], 0), "{destination}");
        let mut lab = Lab::new();
        let mut spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"));
        spec.answers_broadcast_echo = true;
        lab.add("a", Machine::new(knowing(spec, 0, "10.0.0.2", 2)));
        lab.arrive(0, 0, &ping());
        assert_eq!(lab.told(), "0.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 echo reply, length 8\n", "{destination}");
    }
}

#[test]
fn a_datagram_for_nobody_is_refused_with_port_unreachable() {
    let told = at_host(&mut host(), Packet::udp("10.0.0.2", "10.0.0.1", 9, b"hi"));
    insta::assert_snapshot!(told, @r"
    0.000 a x nobody-listens: 10.0.0.2 > 10.0.0.1 ttl 64 udp 4000 > 9, length 2
    0.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 icmp 3/3 about 10.0.0.2 > 10.0.0.1
    ");
}

#[test]
fn a_broadcast_datagram_for_nobody_is_not_complained_about() {
    let mut lab = host();
    for destination in ["10.0.0.255", "255.255.255.255", "224.0.0.1"] {
        lab.log.clear();
        let everybody = EthernetAddress::BROADCAST;
        lab.arrive(0, 0, &Packet::udp("10.0.0.2", destination, 9, b"").framed(mac(2), everybody));
        assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::NobodyListens], 0), "{destination}");
    }
}

#[test]
fn a_group_that_nobody_joined_is_not_taken() {
    let mut lab = host();
    let group = EthernetAddress([0x01, 0x00, 0x5e, 1, 2, 3]);
    lab.arrive(0, 0, &Packet::udp("10.0.0.2", "239.1.2.3", 9, b"").framed(mac(2), group));
    assert_eq!(lab.drops_of(0), [Cause::NotForThisAddress]);
}

#[test]
fn an_unknown_protocol_is_refused_as_such() {
    let told = at_host(&mut host(), Packet::new("10.0.0.2", "10.0.0.1", IpProtocol::Unknown(99), b"12345678"));
    assert!(told.contains("icmp 3/2 about 10.0.0.2 > 10.0.0.1") && told.contains("a x unknown-protocol"), "{told}");
}

#[test]
fn a_segment_for_nobody_is_refused_with_a_reset() {
    let mut lab = host();
    // RFC 9293 §3.10.7.1: without ACK, <SEQ=0><ACK=SEG.SEQ+SEG.LEN>: 100 + SYN + 5 bytes.
    insta::assert_snapshot!(at_host(&mut lab, Packet::tcp("10.0.0.2", "10.0.0.1", "S", b"hello")), @r"
    0.000 a x nobody-listens: 10.0.0.2 > 10.0.0.1 ttl 64 tcp 4000 > 80 [S] seq 100 ack 0
    0.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 tcp 80 > 4000 [R.] seq 0 ack 106
    ");
    // With ACK, <SEQ=SEG.ACK>.
    insta::assert_snapshot!(at_host(&mut lab, Packet::tcp("10.0.0.2", "10.0.0.1", ".", b"")), @r"
    0.000 a x stale-segment: 10.0.0.2 > 10.0.0.1 ttl 64 tcp 4000 > 80 [.] seq 100 ack 500
    0.000 a.0 > 10.0.0.1 > 10.0.0.2 ttl 64 tcp 80 > 4000 [R] seq 500 ack 0
    ");
    insta::assert_snapshot!(at_host(&mut lab, Packet::tcp("10.0.0.2", "10.0.0.1", "R", b"")), @r"
    0.000 a x stale-segment: 10.0.0.2 > 10.0.0.1 ttl 64 tcp 4000 > 80 [R] seq 100 ack 0
    ");
    assert_eq!(lab.machine(0).counter("tcp.resets_sent"), Some(Value::Integer(2)));
}

#[test]
fn a_broadcast_segment_is_not_answered() {
    let mut lab = host();
    let frame = Packet::tcp("10.0.0.2", "10.0.0.255", "S", b"").framed(mac(2), EthernetAddress::BROADCAST);
    lab.arrive(0, 0, &frame);
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::Martian], 0));
}

#[test]
fn truncated_transport_headers_are_malformed() {
    let mut lab = host();
    for protocol in [IpProtocol::Udp, IpProtocol::Tcp, IpProtocol::Icmp] {
        lab.log.clear();
        // A link that marks frames would find the checksum wrong first.
        let bytes = framed(
            &Packet::new("10.0.0.2", "10.0.0.1", protocol, b"1234567").finish(),
            smoltcp::wire::EthernetProtocol::Ipv4,
            mac(2),
            mac(1),
        );
        let frame = crate::wire::Frame::new(lab.out.pool.copy(&bytes), crate::wire::Layer::Ethernet);
        lab.call(0, |node, now, out| node.receive(crate::id::PortId(0), frame, now, out));
        assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::Malformed], 0), "{protocol}");
    }
}

#[test]
fn wrong_checksums_are_found_in_frames_from_outside() {
    let mut lab = host();
    let packets = [
        Packet::udp("10.0.0.2", "10.0.0.1", 9, b"hi"),
        Packet::tcp("10.0.0.2", "10.0.0.1", "S", b""),
        Packet::ping("10.0.0.2", "10.0.0.1", b"hi"),
    ];
    for packet in packets {
        lab.log.clear();
        let mut frame = packet.framed(mac(2), mac(1));
        *frame.last_mut().unwrap() ^= 1;
        lab.arrive(0, 0, &frame);
        assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::BadChecksum], 0));
    }
}

#[test]
fn answers_are_caused_by_what_they_answer() {
    let mut lab = pair();
    lab.send_ip(0, Packet::udp("10.0.0.1", "10.0.0.2", 9, b"").finish());
    lab.run_for(Duration::from_secs(1));
    let chain: Vec<_> = lab
        .log
        .iter()
        .filter_map(|entry| match &entry.what {
            Happened::Sent { bytes, id, cause, .. } => Some((summary(bytes), *id, *cause)),
            _ => None,
        })
        .collect();
    let find = |what: &str| chain.iter().find(|(text, ..)| text.contains(what)).unwrap();
    assert_eq!(find("is at").2, Some(find("who has").1));
    assert_eq!(find("icmp 3/3").2, Some(find("udp 4000").1));
}

#[test]
fn a_machine_that_is_down_drops_everything_and_comes_back_empty() {
    let mut lab = pair();
    lab.send_ip(0, Packet::ping("10.0.0.1", "10.0.0.2", b"").finish());
    lab.run_for(Duration::from_secs(1));
    lab.send_ip(0, Packet::ping("10.0.0.1", "10.0.0.9", b"").finish());
    lab.log.clear();
    lab.command(0, &Command::Crash).unwrap();
    assert_eq!(lab.drops_of(0), [Cause::NodeDown], "the packet that waited for 10.0.0.9");
    assert_eq!(lab.machine(0).wake_at(), None);
    lab.log.clear();
    lab.arrive(0, 0, &Packet::ping("10.0.0.2", "10.0.0.1", b"").framed(mac(2), mac(1)));
    assert_eq!((lab.drops_of(0), lab.sent_by(0).len()), (vec![Cause::NodeDown], 0));
    let inject = Command::Inject {
        port: None,
        layer: crate::wire::Layer::Ip,
        bytes: Packet::ping("10.0.0.1", "10.0.0.2", b"").finish(),
    };
    assert!(lab.command(0, &inject).is_err());
    lab.command(0, &Command::Restart).unwrap();
    let now = lab.now;
    assert_eq!(lab.machine(0).show("neigh", now).as_deref(), Some(""));
    lab.arrive(0, 0, &arp_request());
    lab.log.clear();
    lab.arrive(0, 0, &Packet::ping("10.0.0.2", "10.0.0.1", b"").framed(mac(2), mac(1)));
    assert_eq!(lab.sent_by(0).len(), 1);
}

fn arp_request() -> Vec<u8> {
    use smoltcp::wire::ArpOperation::Request;
    arp(Request, (mac(2), "10.0.0.2"), (EthernetAddress([0; 6]), "10.0.0.1"), EthernetAddress::BROADCAST)
}
