//! A network for tests, small enough to be obvious: nodes whose outboxes are wired together.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet,
    TcpPacket, UdpPacket,
};

use crate::id::{FrameId, PortId};
use crate::node::machine::{InterfaceSpec, MachineSpec, RouteSpec};
use crate::node::{Command, LinkState, Mac, Machine, Node};
use crate::record::{Cause, Effect, Outbox};
use crate::time::Time;
use crate::wire::{Frame, Layer};

/// How long every wire is.
pub(super) const WIRE_DELAY: Duration = Duration::from_millis(1);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happened {
    Dropped { cause: Cause, bytes: Vec<u8> },
    Note(String),
    Sent { port: u16, bytes: Vec<u8>, id: FrameId, cause: Option<FrameId> },
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: Time,
    pub(super) node: usize,
    pub(super) what: Happened,
}

type Tamper = Box<dyn FnMut(&mut Frame) -> bool>;

#[derive(Default)]
pub(super) struct Lab {
    names: Vec<&'static str>,
    nodes: Vec<Box<dyn Node>>,
    wires: BTreeMap<(usize, u16), (usize, u16)>,
    arrivals: BTreeMap<(Time, u64), (usize, u16, Frame)>,
    sequence: u64,
    ids: Vec<u32>,
    pub(super) now: Time,
    pub(super) out: Outbox,
    pub(super) log: Vec<Entry>,
    /// Sees every frame that is put on a wire, and loses it by answering false.
    tamper: Option<Tamper>,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self { out: Outbox::new(true), ..Self::default() }
    }

    pub(super) fn add(&mut self, name: &'static str, node: impl Node + 'static) -> usize {
        self.names.push(name);
        self.nodes.push(Box::new(node));
        self.ids.push(0);
        self.nodes.len() - 1
    }

    pub(super) fn wire(&mut self, a: (usize, u16), b: (usize, u16)) {
        self.wires.insert(a, b);
        self.wires.insert(b, a);
    }

    /// Lets `tamper` see every frame that is put on a wire; what it answers false for is lost.
    pub(super) fn tamper(&mut self, tamper: impl FnMut(&mut Frame) -> bool + 'static) {
        self.tamper = Some(Box::new(tamper));
    }

    pub(super) fn machine(&mut self, node: usize) -> &mut Machine {
        self.node(node).downcast_mut().unwrap()
    }

    pub(super) fn node(&mut self, node: usize) -> &mut dyn Any {
        self.nodes[node].as_any()
    }

    pub(super) fn call(&mut self, node: usize, call: impl FnOnce(&mut dyn Node, Time, &mut Outbox)) {
        call(self.nodes[node].as_mut(), self.now, &mut self.out);
        self.carry_out(node);
    }

    pub(super) fn command(&mut self, node: usize, command: &Command) -> Result<(), String> {
        let mut result = Ok(());
        self.call(node, |node, now, out| result = node.command(command, now, out));
        result
    }

    /// Lets a machine send an IP packet as it is.
    pub(super) fn send_ip(&mut self, node: usize, bytes: Vec<u8>) {
        self.command(node, &Command::Inject { port: None, layer: Layer::Ip, bytes }).unwrap();
    }

    /// A frame arrives at a port out of nowhere.
    pub(super) fn arrive(&mut self, node: usize, port: u16, bytes: &[u8]) {
        let frame = super::super::foreign_frame(bytes, Layer::Ethernet, &mut self.out);
        self.call(node, |node, now, out| node.receive(PortId(port), frame, now, out));
    }

    pub(super) fn set_link(&mut self, node: usize, port: u16, is_up: bool, mtu: usize) {
        self.call(node, |node, now, out| {
            node.link_changed(PortId(port), LinkState { is_up, mtu, rate: None }, now, out)
        });
    }

    pub(super) fn start(&mut self) {
        for node in 0..self.nodes.len() {
            self.call(node, |node, now, out| node.start(now, out));
        }
    }

    /// Runs until nothing more is due up to and at `until`.
    pub(super) fn run_until(&mut self, until: Time) {
        for _ in 0..1_000_000 {
            let arrival = self.arrivals.first_key_value().map(|(key, _)| key.0);
            let wakes = self.nodes.iter().enumerate().filter_map(|(index, node)| Some((node.wake_at()?, index)));
            let wake = wakes.min();
            let next = arrival.into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (node, port, frame)) = self.arrivals.pop_first().unwrap();
                self.call(node, |node, now, out| node.receive(PortId(port), frame, now, out));
            } else if let Some((_, node)) = wake {
                self.call(node, |node, now, out| node.wake(now, out));
            }
        }
        panic!("time stands still at {}", self.now);
    }

    pub(super) fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    fn carry_out(&mut self, node: usize) {
        let mut effects = Vec::new();
        self.out.swap_effects(&mut effects);
        for effect in effects {
            let what = match effect {
                Effect::Altered { .. } => unreachable!("nodes do not alter frames"),
                Effect::Dropped { mut frame, cause, .. } => {
                    frame.complete();
                    let bytes = frame.bytes().to_vec();
                    self.out.consume(frame);
                    Happened::Dropped { cause, bytes }
                }
                Effect::Misbehaved { text, .. } | Effect::Note { text, .. } => Happened::Note(text),
                Effect::Secret { line } => Happened::Note(line),
                Effect::Send { port, mut frame } => {
                    frame.cause = frame.id.or(frame.cause);
                    let id = FrameId { origin: node as u32, count: self.ids[node] };
                    self.ids[node] += 1;
                    frame.id = Some(id);
                    // A frame on a wire is complete whenever anyone looks: so look, but do not help.
                    let mut seen = frame.duplicate(&mut self.out.pool);
                    seen.complete();
                    let bytes = seen.bytes().to_vec();
                    self.out.consume(seen);
                    assert_eq!(frame.layer, Layer::Ethernet);
                    let sent = Happened::Sent { port: port.0, bytes, id, cause: frame.cause };
                    let passes = self.tamper.as_mut().is_none_or(|tamper| tamper(&mut frame));
                    match self.wires.get(&(node, port.0)).filter(|_| passes) {
                        Some((far, far_port)) => {
                            self.sequence += 1;
                            let at = self.now + WIRE_DELAY;
                            self.arrivals.insert((at, self.sequence), (*far, *far_port, frame));
                        }
                        None => self.out.consume(frame),
                    }
                    sent
                }
            };
            self.log.push(Entry { at: self.now, node, what });
        }
    }

    /// Everything that happened since the last call, one line each, as a person would tell it.
    pub(super) fn told(&mut self) -> String {
        let mut text = String::new();
        for Entry { at, node, what } in std::mem::take(&mut self.log) {
            let name = self.names[node];
            let _ = match what {
                Happened::Dropped { cause, bytes } => writeln!(text, "{at} {name} x {cause}: {}", summary(&bytes)),
                Happened::Note(note) => writeln!(text, "{at} {name} # {note}"),
                Happened::Sent { port, bytes, .. } => writeln!(text, "{at} {name}.{port} > {}", summary(&bytes)),
            };
        }
        text
    }

    /// The frames that a node has sent, Ethernet headers included.
    pub(super) fn sent_by(&self, node: usize) -> Vec<Vec<u8>> {
        let sent = self.log.iter().filter(|entry| entry.node == node);
        sent.filter_map(|entry| match &entry.what {
            Happened::Sent { bytes, .. } => Some(bytes.clone()),
            _ => None,
        })
        .collect()
    }

    /// Why a node has dropped frames, in order.
    pub(super) fn drops_of(&self, node: usize) -> Vec<Cause> {
        let dropped = self.log.iter().filter(|entry| entry.node == node);
        dropped
            .filter_map(|entry| match entry.what {
                Happened::Dropped { cause, .. } => Some(cause),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn mac(number: u8) -> EthernetAddress {
    EthernetAddress([2, 0, 0, 0, 0, number])
}

pub(super) fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// An interface `eth<number>` with the hardware address `02:00:00:00:00:<number>`.
pub(super) fn interface(number: u8, own: &str) -> InterfaceSpec {
    InterfaceSpec::new(format!("eth{number}"), mac(number), own.parse().unwrap())
}

pub(super) fn default_via(router: &str) -> RouteSpec {
    RouteSpec::via("0.0.0.0/0".parse().unwrap(), router.parse().unwrap())
}

/// a (10.0.0.1) ── b (10.0.0.2): hosts 0 and 1.
pub(super) fn pair() -> Lab {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24"))));
    lab.add("b", Machine::new(MachineSpec::host("b", 1).interface(interface(2, "10.0.0.2/24"))));
    lab.wire((0, 0), (1, 0));
    lab
}

/// a (10.0.1.10) ── r (10.0.1.1, 10.0.2.1) ── b (10.0.2.20): nodes 0, 1 and 2. Everybody knows everybody's hardware.
pub(super) fn routed() -> Lab {
    let mut lab = Lab::new();
    let a = MachineSpec::host("a", 1).interface(interface(1, "10.0.1.10/24")).route(default_via("10.0.1.1"));
    let b = MachineSpec::host("b", 1).interface(interface(4, "10.0.2.20/24")).route(default_via("10.0.2.1"));
    let r = MachineSpec::router("r", 1).interface(interface(2, "10.0.1.1/24")).interface(interface(3, "10.0.2.1/24"));
    lab.add("a", Machine::new(knowing(a, 0, "10.0.1.1", 2)));
    lab.add("r", Machine::new(knowing(knowing(r, 0, "10.0.1.10", 1), 1, "10.0.2.20", 4)));
    lab.add("b", Machine::new(knowing(b, 0, "10.0.2.1", 3)));
    lab.wire((0, 0), (1, 0));
    lab.wire((1, 1), (2, 0));
    lab
}

pub(super) fn knowing(mut spec: MachineSpec, interface: usize, address: &str, number: u8) -> MachineSpec {
    let neighbor =
        crate::node::machine::NeighborSpec { interface, address: address.parse().unwrap(), mac: mac(number) };
    spec.neighbors.push(neighbor);
    spec
}

/// An IPv4 packet, its header checksum right, its transport checksum too once `finish`ed.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
}

impl Packet {
    pub(super) fn new(source: &str, destination: &str, protocol: IpProtocol, payload: &[u8]) -> Self {
        let mut bytes = vec![0; 20];
        bytes.extend(payload);
        let length = bytes.len();
        let mut ip = Ipv4Packet::new_unchecked(&mut bytes);
        ip.set_version(4);
        ip.set_header_len(20);
        ip.set_total_len(length as u16);
        ip.set_hop_limit(64);
        ip.set_ident(7);
        ip.set_next_header(protocol);
        ip.set_src_addr(address(source));
        ip.set_dst_addr(address(destination));
        Self { bytes }
    }

    /// From port 4000.
    pub(super) fn udp(source: &str, destination: &str, port: u16, payload: &[u8]) -> Self {
        let mut datagram = vec![0; 8];
        datagram.extend(payload);
        let length = datagram.len();
        let mut udp = UdpPacket::new_unchecked(&mut datagram);
        udp.set_src_port(4000);
        udp.set_dst_port(port);
        udp.set_len(length as u16);
        Self::new(source, destination, IpProtocol::Udp, &datagram)
    }

    pub(super) fn ping(source: &str, destination: &str, payload: &[u8]) -> Self {
        let message = [&[8, 0, 0, 0, 0x12, 0x34, 0, 1], payload].concat();
        Self::new(source, destination, IpProtocol::Icmp, &message)
    }

    /// From port 4000 to port 80, sequence number 100, acknowledgment number 500.
    pub(super) fn tcp(source: &str, destination: &str, flags: &str, payload: &[u8]) -> Self {
        let mut segment = vec![0; 20];
        segment.extend(payload);
        let mut tcp = TcpPacket::new_unchecked(&mut segment);
        tcp.set_src_port(4000);
        tcp.set_dst_port(80);
        tcp.set_seq_number(smoltcp::wire::TcpSeqNumber(100));
        tcp.set_header_len(20);
        tcp.set_syn(flags.contains('S'));
        tcp.set_fin(flags.contains('F'));
        tcp.set_rst(flags.contains('R'));
        tcp.set_ack(flags.contains('.'));
        if flags.contains('.') {
            tcp.set_ack_number(smoltcp::wire::TcpSeqNumber(500));
        }
        Self::new(source, destination, IpProtocol::Tcp, &segment)
    }

    pub(super) fn ttl(mut self, ttl: u8) -> Self {
        Ipv4Packet::new_unchecked(&mut self.bytes).set_hop_limit(ttl);
        self
    }

    pub(super) fn dont_fragment(mut self) -> Self {
        Ipv4Packet::new_unchecked(&mut self.bytes).set_dont_frag(true);
        self
    }

    pub(super) fn offset(mut self, offset: u16, more: bool) -> Self {
        let mut ip = Ipv4Packet::new_unchecked(&mut self.bytes);
        ip.set_frag_offset(offset);
        ip.set_more_frags(more);
        self
    }

    pub(super) fn ident(mut self, ident: u16) -> Self {
        Ipv4Packet::new_unchecked(&mut self.bytes).set_ident(ident);
        self
    }

    /// With these options, a multiple of four bytes.
    pub(super) fn options(mut self, options: &[u8]) -> Self {
        self.bytes.splice(20..20, options.iter().copied());
        let length = self.bytes.len();
        let mut ip = Ipv4Packet::new_unchecked(&mut self.bytes);
        ip.set_header_len(20 + options.len() as u8);
        ip.set_total_len(length as u16);
        self
    }

    /// All checksums filled in.
    pub(super) fn finish(mut self) -> Vec<u8> {
        Ipv4Packet::new_unchecked(&mut self.bytes).fill_checksum();
        crate::wire::frame::fill_transport_checksum(&mut self.bytes);
        self.bytes
    }

    /// All checksums filled in, in an Ethernet frame.
    pub(super) fn framed(self, source: EthernetAddress, destination: EthernetAddress) -> Vec<u8> {
        framed(&self.finish(), EthernetProtocol::Ipv4, source, destination)
    }
}

pub(super) fn framed(
    payload: &[u8],
    protocol: EthernetProtocol,
    source: EthernetAddress,
    destination: EthernetAddress,
) -> Vec<u8> {
    let mut bytes = vec![0; 14];
    let mut header = EthernetFrame::new_unchecked(&mut bytes);
    header.set_src_addr(source);
    header.set_dst_addr(destination);
    header.set_ethertype(protocol);
    bytes.extend(payload);
    bytes
}

/// An ARP packet in an Ethernet frame.
pub(super) fn arp(
    operation: ArpOperation,
    sender: (EthernetAddress, &str),
    target: (EthernetAddress, &str),
    destination: EthernetAddress,
) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: sender.0,
        source_protocol_addr: address(sender.1),
        target_hardware_addr: target.0,
        target_protocol_addr: address(target.1),
    };
    let mut bytes = [0; 28];
    repr.emit(&mut ArpPacket::new_unchecked(&mut bytes));
    framed(&bytes, EthernetProtocol::Arp, sender.0, destination)
}

/// The IP packet in a frame, or the packet itself, if it is one.
pub(super) fn ip_of(bytes: &[u8]) -> Option<&[u8]> {
    match EthernetFrame::new_checked(bytes) {
        _ if bytes.first() == Some(&0x45) || bytes.first().is_some_and(|first| (0x46..=0x4f).contains(first)) => {
            Some(bytes)
        }
        Ok(frame) if frame.ethertype() == EthernetProtocol::Ipv4 => Some(&bytes[14..]),
        _ => None,
    }
}

/// Where the bytes of an IPv6 packet, alone or in a frame, begin.
fn layer_of_ipv6(bytes: &[u8]) -> Option<Layer> {
    let in_frame = bytes.get(12..15).is_some_and(|found| found[..2] == [0x86, 0xdd] && found[2] >> 4 == 6);
    let is_bare = bytes.len() >= 40 && bytes[0] >> 4 == 6;
    if in_frame { Some(Layer::Ethernet) } else { is_bare.then_some(Layer::Ip) }
}

/// One line about a frame or packet, enough to tell a test's story.
pub(super) fn summary(bytes: &[u8]) -> String {
    if let Some(layer) = layer_of_ipv6(bytes) {
        let frame = Frame::new(crate::wire::Pool::default().copy(bytes), layer);
        return crate::wire::summarize(&frame, &crate::wire::Numeric);
    }
    let Some(packet) = ip_of(bytes) else { return summary_of_arp(bytes) };
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return "nonsense".into() };
    let (source, destination) = (ip.src_addr(), ip.dst_addr());
    let head = format!("{source} > {destination} ttl {}", ip.hop_limit());
    let wrong = if ip.verify_checksum() { "" } else { " (bad header checksum)" };
    if ip.frag_offset() != 0 || ip.more_frags() {
        let more = if ip.more_frags() { "+" } else { "" };
        return format!("{head} frag {}@{}{more}{wrong}", ip.payload().len(), ip.frag_offset());
    }
    let payload = ip.payload();
    let what = match (ip.next_header(), payload) {
        (IpProtocol::Icmp, [0, 0, ..]) => format!("echo reply, length {}", payload.len()),
        (IpProtocol::Icmp, [8, 0, ..]) => format!("echo request, length {}", payload.len()),
        (IpProtocol::Icmp, [kind, code, _, _, _, _, high, low, quote @ ..]) => {
            let wrong = if smoltcp::wire::checksum::data(payload) == !0 { "" } else { " (bad checksum)" };
            let mtu = u16::from_be_bytes([*high, *low]);
            let mtu = if mtu > 0 { format!(" mtu {mtu}") } else { String::new() };
            let quoted = quote.get(12..20).map_or_else(String::new, |a| {
                format!(" about {}.{}.{}.{} > {}.{}.{}.{}", a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7])
            });
            format!("icmp {kind}/{code}{mtu}{quoted}{wrong}")
        }
        (IpProtocol::Udp, _) => match UdpPacket::new_checked(payload) {
            Ok(udp) => format!("udp {} > {}, length {}", udp.src_port(), udp.dst_port(), udp.payload().len()),
            Err(_) => "udp nonsense".into(),
        },
        (IpProtocol::Tcp, _) => match TcpPacket::new_checked(payload) {
            Ok(tcp) => {
                let flags = [(tcp.syn(), 'S'), (tcp.fin(), 'F'), (tcp.rst(), 'R'), (tcp.ack(), '.')];
                let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
                format!(
                    "tcp {} > {} [{flags}] seq {} ack {}",
                    tcp.src_port(),
                    tcp.dst_port(),
                    tcp.seq_number(),
                    tcp.ack_number()
                )
            }
            Err(_) => "tcp nonsense".into(),
        },
        (protocol, _) => format!("{protocol}"),
    };
    format!("{head} {what}{wrong}")
}

fn summary_of_arp(bytes: &[u8]) -> String {
    let Ok(frame) = EthernetFrame::new_checked(bytes) else { return "nonsense".into() };
    let repr = ArpPacket::new_checked(frame.payload()).ok().and_then(|packet| ArpRepr::parse(&packet).ok());
    let to = Mac(frame.dst_addr()).to_string();
    let to = if frame.dst_addr().is_broadcast() { "everybody" } else { &to };
    match repr {
        Some(ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_protocol_addr,
            target_protocol_addr,
            ..
        }) => {
            format!("arp to {to}: who has {target_protocol_addr}, tell {source_protocol_addr}")
        }
        Some(ArpRepr::EthernetIpv4 { source_hardware_addr, source_protocol_addr, .. }) => {
            format!("arp to {to}: {source_protocol_addr} is at {}", Mac(source_hardware_addr))
        }
        _ => format!("ethertype {}", frame.ethertype()),
    }
}
