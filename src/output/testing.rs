//! A small network's names and frames, for the outputs' tests.
//!
//! ```text
//! client ── access ── r1 ── wan ── server
//! ```

use std::net::IpAddr;
use std::time::Duration;

use smoltcp::wire::{
    ArpOperation, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol, IpRepr,
    Ipv4Address, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber, UdpPacket, UdpRepr,
};

use crate::id::{AppId, Direction, FrameId, LinkId, NodeId, PipeId, PortId, RuleId};
use crate::record::{Alteration, AppName, Cause, LinkName, Names, NodeName, Observer, Place, Record, RuleName, What};
use crate::time::Time;
use crate::wire::{Frame, Layer, Pool};

pub(super) const CLIENT: NodeId = NodeId(0);
pub(super) const R1: NodeId = NodeId(1);
pub(super) const SERVER: NodeId = NodeId(2);
pub(super) const ETH0: PortId = PortId(0);
pub(super) const LAN: PortId = PortId(0);
pub(super) const WAN: PortId = PortId(1);
pub(super) const LOSE_FIRST_SYN: RuleId = RuleId(0);
pub(super) const FETCH: AppId = AppId(0);
pub(super) const TWICE: RuleId = RuleId(1);

/// The pipe from r1 to the server.
pub(super) fn wan() -> PipeId {
    PipeId::new(LinkId(1), Direction::AToB)
}

pub(super) fn names() -> Names {
    let node = |name: &str, kind, ports: &[&str]| NodeName {
        name: name.into(),
        kind,
        ports: ports.iter().map(|port| (*port).to_owned()).collect(),
    };
    let link = |name: &str, a, b| LinkName { name: name.into(), ends: [a, b] };
    let rule = |name: &str, line| RuleName { name: name.into(), line };
    Names {
        nodes: vec![
            node("client", "host", &["eth0"]),
            node("r1", "router", &["lan", "wan"]),
            node("server", "host", &["eth0"]),
        ],
        links: vec![link("access", (CLIENT, ETH0), (R1, LAN)), link("wan", (R1, WAN), (SERVER, ETH0))],
        rules: vec![rule("lose-first-syn", Some(12)), rule("wan/ab/duplicate", None)],
        apps: vec![AppName { name: "fetch".into(), kind: "tcp-send".into(), node: CLIENT }],
        ..Names::default()
    }
}

/// The names that people give to the addresses.
pub(super) fn hosts() -> Vec<(IpAddr, String)> {
    vec![("10.0.1.10".parse().unwrap(), "client".into()), ("10.0.2.80".parse().unwrap(), "server".into())]
}

pub(super) fn id(node: NodeId, count: u32) -> FrameId {
    FrameId { origin: node.0, count }
}

/// A frame with an identity.
pub(super) fn frame(bytes: &[u8], id: FrameId, cause: Option<FrameId>) -> Frame {
    let mut frame = Frame::new(Pool::default().copy(bytes), Layer::Ethernet).caused_by(cause);
    frame.id = Some(id);
    frame
}

/// What was just sent by hand, as the far end sees it.
pub(super) fn same(frame: &Frame) -> Frame {
    let mut copy = frame.duplicate(&mut Pool::default());
    (copy.id, copy.cause) = (frame.id, frame.cause);
    copy
}

fn ethernet(kind: EthernetProtocol, payload: &[u8]) -> Vec<u8> {
    let repr = EthernetRepr {
        src_addr: EthernetAddress([2, 0, 0, 0, 0, 1]),
        dst_addr: EthernetAddress([2, 0, 0, 0, 0, 2]),
        ethertype: kind,
    };
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(&mut EthernetFrame::new_unchecked(&mut bytes));
    bytes.extend(payload);
    bytes
}

fn ipv4(source: [u8; 4], destination: [u8; 4], next_header: IpProtocol, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let repr = Ipv4Repr {
        src_addr: Ipv4Address::from(source),
        dst_addr: Ipv4Address::from(destination),
        next_header,
        payload_len: payload.len(),
        hop_limit,
    };
    let mut bytes = vec![0; repr.buffer_len() + payload.len()];
    IpRepr::Ipv4(repr).emit(&mut bytes[..], &Default::default());
    bytes[repr.buffer_len()..].copy_from_slice(payload);
    ethernet(EthernetProtocol::Ipv4, &bytes)
}

pub(super) const CLIENT_IP: [u8; 4] = [10, 0, 1, 10];
pub(super) const SERVER_IP: [u8; 4] = [10, 0, 2, 80];

/// Client to server; `ttl` tells the hops apart.
pub(super) fn tcp_out(control: TcpControl, seq: i32, ack: Option<i32>, payload: &[u8], ttl: u8) -> Vec<u8> {
    tcp((CLIENT_IP, 49152), (SERVER_IP, 80), control, seq, ack, payload, ttl)
}

/// Server to client.
pub(super) fn tcp_back(control: TcpControl, seq: i32, ack: Option<i32>, payload: &[u8], ttl: u8) -> Vec<u8> {
    tcp((SERVER_IP, 80), (CLIENT_IP, 49152), control, seq, ack, payload, ttl)
}

fn tcp(
    source: ([u8; 4], u16),
    destination: ([u8; 4], u16),
    control: TcpControl,
    seq: i32,
    ack: Option<i32>,
    payload: &[u8],
    ttl: u8,
) -> Vec<u8> {
    let repr = TcpRepr {
        src_port: source.1,
        dst_port: destination.1,
        control,
        seq_number: TcpSeqNumber(seq),
        ack_number: ack.map(TcpSeqNumber),
        window_len: 64240,
        window_scale: None,
        max_seg_size: (control == TcpControl::Syn).then_some(1460),
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload,
    };
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(
        &mut TcpPacket::new_unchecked(&mut bytes[..]),
        &Ipv4Address::from(source.0).into(),
        &Ipv4Address::from(destination.0).into(),
        &Default::default(),
    );
    ipv4(source.0, destination.0, IpProtocol::Tcp, ttl, &bytes)
}

/// A UDP datagram from the client to the server.
pub(super) fn udp(payload: &[u8], ttl: u8) -> Vec<u8> {
    let repr = UdpRepr { src_port: 5000, dst_port: 9 };
    let mut bytes = vec![0; repr.header_len() + payload.len()];
    repr.emit(
        &mut UdpPacket::new_unchecked(&mut bytes[..]),
        &Ipv4Address::from(CLIENT_IP).into(),
        &Ipv4Address::from(SERVER_IP).into(),
        payload.len(),
        |buffer| buffer.copy_from_slice(payload),
        &Default::default(),
    );
    ipv4(CLIENT_IP, SERVER_IP, IpProtocol::Udp, ttl, &bytes)
}

/// Who has the router's address?
pub(super) fn arp_request() -> Vec<u8> {
    arp(ArpOperation::Request, CLIENT_IP, [10, 0, 1, 1])
}

/// The router has.
pub(super) fn arp_reply() -> Vec<u8> {
    arp(ArpOperation::Reply, [10, 0, 1, 1], CLIENT_IP)
}

fn arp(operation: ArpOperation, source: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: EthernetAddress([2, 0, 0, 0, 0, 1]),
        source_protocol_addr: Ipv4Address::from(source),
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: Ipv4Address::from(target),
    };
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(&mut smoltcp::wire::ArpPacket::new_unchecked(&mut bytes[..]));
    ethernet(EthernetProtocol::Arp, &bytes)
}

/// Tells an observer one thing after the other.
pub(super) struct Teller<'o> {
    pub(super) names: Names,
    pub(super) observer: &'o mut dyn Observer,
}

impl<'o> Teller<'o> {
    pub(super) fn new(observer: &'o mut dyn Observer) -> Self {
        Self { names: names(), observer }
    }

    pub(super) fn tell(&mut self, micros: u64, place: Place, what: What<'_>) {
        let at = Time::from_nanos(micros * 1_000);
        self.observer.record(&Record { at, place, what }, &self.names);
    }

    pub(super) fn sent(&mut self, micros: u64, node: NodeId, port: PortId, frame: &Frame) {
        self.tell(micros, Place::Port(node, port), What::Sent { frame });
    }

    pub(super) fn delivered(&mut self, micros: u64, node: NodeId, port: PortId, frame: &Frame) {
        self.tell(micros, Place::Port(node, port), What::Delivered { frame });
    }

    pub(super) fn dropped(&mut self, micros: u64, place: Place, frame: &Frame, cause: Cause, rule: Option<RuleId>) {
        self.tell(micros, place, What::Dropped { frame, cause, rule });
    }

    pub(super) fn altered(&mut self, micros: u64, pipe: PipeId, frame: &Frame, how: Alteration, rule: RuleId) {
        let what = What::Altered { frame: frame.id.unwrap(), how, rule: Some(rule) };
        self.tell(micros, Place::Pipe(pipe), what);
    }

    pub(super) fn finish(&mut self, millis: u64) {
        self.observer.finish(Time::from_millis(millis), &self.names);
    }
}

/// The first SYN is lost on the wan; the second gets through, twice.
pub(super) fn lossy_handshake(observer: &mut dyn Observer) {
    let mut teller = Teller::new(observer);
    let syn = |ttl, id, cause| frame(&tcp_out(TcpControl::Syn, 1000, None, b"", ttl), id, cause);
    teller.tell(0, Place::Node(CLIENT), What::Note { app: Some(FETCH), text: "connecting to server:80" });
    let first = syn(64, id(CLIENT, 0), None);
    teller.sent(0, CLIENT, ETH0, &first);
    teller.delivered(1_004, R1, LAN, &first);
    let onward = syn(63, id(R1, 0), first.id);
    teller.sent(1_004, R1, WAN, &onward);
    teller.dropped(1_004, Place::Pipe(wan()), &onward, Cause::Fault, Some(LOSE_FIRST_SYN));

    let again = syn(64, id(CLIENT, 1), first.id);
    teller.sent(1_000_000, CLIENT, ETH0, &again);
    teller.delivered(1_001_004, R1, LAN, &again);
    let onward = syn(63, id(R1, 1), again.id);
    teller.sent(1_001_004, R1, WAN, &onward);
    let copy = FrameId { origin: FrameId::LINK_BIT | wan().0, count: 0 };
    teller.altered(1_001_004, wan(), &onward, Alteration::Duplicated { copy }, TWICE);
    teller.delivered(1_021_004, SERVER, ETH0, &onward);

    let answer = frame(&tcp_back(TcpControl::Syn, 7000, Some(1001), b"", 64), id(SERVER, 0), onward.id);
    teller.sent(1_021_004, SERVER, ETH0, &answer);
    let mut copied = same(&onward);
    (copied.id, copied.cause) = (Some(copy), onward.id);
    teller.delivered(1_021_004, SERVER, ETH0, &copied);
    teller.dropped(1_021_004, Place::Node(SERVER), &copied, Cause::StaleSegment, None);
    teller.delivered(1_041_004, R1, WAN, &answer);
    let onward = frame(&tcp_back(TcpControl::Syn, 7000, Some(1001), b"", 63), id(R1, 2), answer.id);
    teller.sent(1_041_004, R1, LAN, &onward);
    teller.delivered(1_042_008, CLIENT, ETH0, &onward);
    teller.tell(1_042_008, Place::Node(CLIENT), What::Note { app: Some(FETCH), text: "connected" });
    let data = frame(&tcp_out(TcpControl::Psh, 1001, Some(7001), b"hello", 64), id(CLIENT, 2), onward.id);
    teller.sent(1_042_008, CLIENT, ETH0, &data);
    teller.finish(1_043);
}

/// A router shows its routes while an address is asked for, a client that it knows nobody.
pub(super) fn views(observer: &mut dyn Observer) {
    let mut teller = Teller::new(observer);
    let question = frame(&arp_request(), id(CLIENT, 0), None);
    teller.sent(0, CLIENT, ETH0, &question);
    let text = "show route\ndefault via 10.0.2.254 dev wan\n10.0.1.0/24 dev lan";
    teller.tell(250, Place::Node(R1), What::Note { app: None, text });
    teller.delivered(500, R1, LAN, &question);
    teller.tell(500, Place::Node(CLIENT), What::Note { app: None, text: "show neigh: nothing" });
    teller.finish(1);
}

/// An address is asked for, a hop limit runs out, a bit flips, a frame is held back, a link fails under a frame.
pub(super) fn misfortunes(observer: &mut dyn Observer) {
    let mut teller = Teller::new(observer);
    let question = frame(&arp_request(), id(CLIENT, 0), None);
    teller.sent(0, CLIENT, ETH0, &question);
    teller.delivered(500, R1, LAN, &question);
    let answer = frame(&arp_reply(), id(R1, 0), question.id);
    teller.sent(500, R1, LAN, &answer);
    teller.delivered(1_000, CLIENT, ETH0, &answer);

    let probe = frame(&udp(b"probe", 1), id(CLIENT, 1), None);
    teller.sent(1_000, CLIENT, ETH0, &probe);
    teller.delivered(1_500, R1, LAN, &probe);
    teller.dropped(1_500, Place::Node(R1), &probe, Cause::TtlExpired, None);

    let mut hit = frame(&udp(b"hello", 63), id(R1, 1), None);
    teller.sent(2_000, R1, WAN, &hit);
    teller.altered(2_000, wan(), &hit, Alteration::Corrupted { byte: 42, bit: 3 }, TWICE);
    hit.bytes_mut()[42] ^= 1 << 3;
    hit.damaged = true;
    teller.delivered(22_000, SERVER, ETH0, &hit);
    teller.dropped(22_000, Place::Node(SERVER), &hit, Cause::BadChecksum, None);

    let late = frame(&udp(b"world", 63), id(R1, 2), None);
    teller.sent(30_000, R1, WAN, &late);
    teller.altered(30_000, wan(), &late, Alteration::Delayed(Duration::from_millis(30)), TWICE);
    for pipe in [wan(), PipeId(wan().0 + 1)] {
        teller.tell(40_000, Place::Pipe(pipe), What::LinkIsUp(false));
    }
    teller.dropped(40_000, Place::Pipe(wan()), &late, Cause::LinkDown, None);
    for pipe in [wan(), PipeId(wan().0 + 1)] {
        teller.tell(540_000, Place::Pipe(pipe), What::LinkIsUp(true));
    }
    let unsent = Frame::new(Pool::default().copy(&udp(b"x", 64)[14..]), Layer::Ip).caused_by(probe.id);
    teller.dropped(540_000, Place::Node(R1), &unsent, Cause::NoRoute, None);
    teller.finish(541);
}
