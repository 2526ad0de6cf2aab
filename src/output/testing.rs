//! A small network's names and frames, for the outputs' tests.
//!
//! ```text
//! client ── access ── r1 ── wan ── server
//! ```

use std::net::IpAddr;

use smoltcp::wire::{
    ArpOperation, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol, IpRepr,
    Ipv4Address, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber, UdpPacket, UdpRepr,
};

use crate::id::{AppId, Direction, FrameId, LinkId, NodeId, PipeId, PortId, RuleId};
use crate::record::{AppName, LinkName, Names, NodeName, Observer, Place, Record, RuleName, What};
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

/// The pipe from the client to r1.
pub(super) fn access() -> PipeId {
    PipeId::new(LinkId(0), Direction::AToB)
}

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
    let repr = UdpRepr { src_port: 5000, dst_port: 53 };
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

    pub(super) fn finish(&mut self, millis: u64) {
        self.observer.finish(Time::from_millis(millis), &self.names);
    }
}
