//! What tests of the network and of expectations share: a node that does as it is told, frames, entries of scenarios.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smoltcp::wire::{EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, TcpControl, TcpRepr};
use smoltcp::wire::{IpAddress, Ipv4Address, TcpSeqNumber, UdpPacket};

use crate::id::{LinkId, NodeId, PortId};
use crate::link::PipeSpec;
use crate::network::Network;
use crate::node::{Command, LinkState, Node};
use crate::read::{Diagnostic, Reader, Scope, Table};
use crate::record::{Cause, Names, Observer, Outbox, Place, Record, Value, What};
use crate::time::Time;
use crate::wire::{Frame, Layer};

/// What a [`Puppet`] went through, shared with the test.
pub(crate) type Diary = Arc<Mutex<Vec<String>>>;

/// Sends what it is told when it is told, writes down what happens to it, and perhaps answers or drops.
#[derive(Debug, Default)]
pub(crate) struct Puppet {
    /// What to send: when, at which port, which bytes; earliest first.
    pub(crate) script: Vec<(Time, PortId, Vec<u8>)>,
    /// What it went through.
    pub(crate) diary: Diary,
    /// Whether whatever arrives goes out again at the next port.
    pub(crate) forwards: bool,
    /// Whether whatever arrives is dropped, and why.
    pub(crate) drops: Option<Cause>,
    /// Whether it obeys commands.
    pub(crate) obeys: bool,
    /// When it wants to be woken, whatever it does then.
    pub(crate) insists_on: Option<Time>,
}

impl Puppet {
    /// Sends these bytes at port 0.
    pub(crate) fn sending(script: impl IntoIterator<Item = (Time, Vec<u8>)>) -> Self {
        Self { script: script.into_iter().map(|(at, bytes)| (at, PortId(0), bytes)).collect(), ..Self::default() }
    }

    fn say(&self, text: String) {
        self.diary.lock().unwrap().push(text);
    }
}

impl Node for Puppet {
    fn kind(&self) -> &'static str {
        "puppet"
    }

    fn start(&mut self, now: Time, out: &mut Outbox) {
        self.say(format!("{now} start"));
        self.wake(now, out);
    }

    fn receive(&mut self, port: PortId, frame: Frame, now: Time, out: &mut Outbox) {
        self.say(format!(
            "{now} receive {} {}",
            port.0,
            String::from_utf8_lossy(&frame.bytes()[..frame.len().min(14)])
        ));
        match self.drops {
            Some(cause) => out.drop_frame(frame, cause),
            None if self.forwards => out.send(PortId(port.0 ^ 1), frame),
            None => out.consume(frame),
        }
    }

    fn wake(&mut self, now: Time, out: &mut Outbox) {
        while self.script.first().is_some_and(|(at, ..)| *at <= now) {
            let (_, port, bytes) = self.script.remove(0);
            let buffer = out.pool.copy(&bytes);
            out.send(port, Frame::new(buffer, Layer::Ethernet));
        }
        if self.insists_on.is_some() {
            self.say(format!("{now} wake"));
        }
    }

    fn wake_at(&self) -> Option<Time> {
        self.script.first().map(|(at, ..)| *at).into_iter().chain(self.insists_on).min()
    }

    fn link_changed(&mut self, port: PortId, state: LinkState, now: Time, _out: &mut Outbox) {
        let word = if state.is_up { "up" } else { "down" };
        self.say(format!("{now} link {} {word} mtu {}", port.0, state.mtu));
    }

    fn command(&mut self, command: &Command, now: Time, out: &mut Outbox) -> Result<(), String> {
        if !self.obeys {
            return Err(format!("a puppet cannot {}", command.verb()));
        }
        self.say(format!("{now} {command:?}"));
        if let Command::Inject { port, layer, bytes } = command {
            let buffer = out.pool.copy(bytes);
            out.send(port.unwrap_or(PortId(0)), Frame::new(buffer, *layer));
        }
        Ok(())
    }

    fn counter(&self, path: &str) -> Option<Value> {
        (path == "diary.lines").then(|| self.diary.lock().unwrap().len().into())
    }

    fn counters(&self) -> Vec<(String, Value)> {
        self.counter("diary.lines").map(|value| ("diary.lines".to_owned(), value)).into_iter().collect()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

/// `client` and `server`, joined by the link `wan` with a delay of 10 ms.
pub(crate) fn pair(client: Puppet, server: Puppet) -> (Network, LinkId) {
    let mut network = Network::new(1);
    let ends = [("client", client, 1), ("server", server, 2)].map(|(name, node, last)| {
        let id = network.add_node(name, vec!["eth0".to_owned()], Box::new(node));
        network.add_interface(id, PortId(0), [2, 0, 0, 0, 0, last], vec![IpAddr::from([10, 0, 0, last])]);
        (id, PortId(0))
    });
    let spec = PipeSpec { delay: Duration::from_millis(10), ..PipeSpec::default() };
    let link = network.add_link("wan", ends, [spec.clone(), spec]).unwrap();
    network.add_app("fetch", "tcp-send", NodeId(0));
    (network, link)
}

/// The names of [`pair`].
pub(crate) fn scope() -> Scope {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Scope { nodes: owned(&["client", "server"]), links: owned(&["wan"]), apps: owned(&["fetch"]), ..Scope::default() }
}

/// Reads every entry of `section` in a piece of scenario: what came of it, and the mistakes.
pub(crate) fn entries<T>(
    text: &str,
    section: &str,
    scope: Scope,
    mut read: impl FnMut(&Table<'_>) -> Option<T>,
) -> (Vec<T>, Vec<Diagnostic>) {
    let document = toml::de::DeTable::parse(text).expect("the test's TOML is right");
    let reader = Reader::new(text, scope);
    let root = Table::new(document.get_ref(), document.span(), String::new(), &reader);
    let tables: Vec<Table<'_>> = root.get(section).unwrap_or_default();
    let made = tables.iter().filter_map(&mut read).collect();
    drop((tables, root));
    (made, reader.into_problems())
}

/// Writes down every record: `0.010 server:0 < n0.0`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    /// What has been written down so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Observer for Log {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        let place = match record.place {
            Place::Node(node) => names.node(node).to_owned(),
            Place::Pipe(pipe) => format!("{}/{:?}", names.link(pipe.link()), pipe.direction()),
            Place::Port(node, port) => format!("{}:{}", names.node(node), names.port(node, port)),
        };
        let id = |frame: &Frame| frame.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let what = match &record.what {
            What::Altered { frame, how, rule } => {
                let rule = rule.map(|rule| names.rule(rule)).unwrap_or_default();
                format!("altered {frame} {how:?} {rule}")
            }
            What::Delivered { frame } => format!("< {}", id(frame)),
            What::Dropped { frame, cause, rule } => {
                let rule = rule.map(|rule| format!(" by {}", names.rule(rule))).unwrap_or_default();
                format!("x {} {cause}{rule}", id(frame))
            }
            What::LinkIsUp(is_up) => format!("is up: {is_up}"),
            What::Note { text, .. } => format!("# {text}"),
            What::Secret { line } => format!("secret {line}"),
            What::Sent { frame } => {
                let cause = frame.cause.map(|cause| format!(" because of {cause}")).unwrap_or_default();
                format!("> {}{cause}", id(frame))
            }
        };
        self.lines.lock().unwrap().push(format!("{} {place} {what}", record.at));
    }
}

/// An Ethernet frame that says only who it is: its first bytes are `text`.
pub(crate) fn blob(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(60, b' ');
    bytes
}

/// A TCP segment in an Ethernet frame, from or to 10.0.0.1:49152; the other is 10.0.0.2:80.
pub(crate) struct Segment<'a> {
    pub(crate) from_client: bool,
    pub(crate) control: TcpControl,
    pub(crate) sequence: i32,
    pub(crate) ack: Option<i32>,
    pub(crate) payload: &'a [u8],
}

/// Its bytes, checksums right.
pub(crate) fn tcp(segment: &Segment<'_>) -> Vec<u8> {
    let (client, server) = ((Ipv4Address::new(10, 0, 0, 1), 49152), (Ipv4Address::new(10, 0, 0, 2), 80));
    let ((source, source_port), (destination, destination_port)) =
        if segment.from_client { (client, server) } else { (server, client) };
    let repr = TcpRepr {
        src_port: source_port,
        dst_port: destination_port,
        control: segment.control,
        seq_number: TcpSeqNumber(segment.sequence),
        ack_number: segment.ack.map(TcpSeqNumber),
        window_len: 1000,
        window_scale: None,
        max_seg_size: (segment.control == TcpControl::Syn).then_some(1460),
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: segment.payload,
    };
    let mut bytes = vec![0; repr.buffer_len()];
    let mut packet = smoltcp::wire::TcpPacket::new_unchecked(&mut bytes);
    let checksums = smoltcp::phy::ChecksumCapabilities::default();
    repr.emit(&mut packet, &IpAddress::from(source), &IpAddress::from(destination), &checksums);
    ethernet(&ipv4(source, destination, IpProtocol::Tcp, 64, &bytes))
}

/// A UDP datagram in an Ethernet frame from 10.0.0.1:4000 to 10.0.0.2:53.
pub(crate) fn udp(payload: &[u8]) -> Vec<u8> {
    let (source, destination) = (Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2));
    let mut bytes = vec![0; 8 + payload.len()];
    let mut packet = UdpPacket::new_unchecked(&mut bytes);
    packet.set_src_port(4000);
    packet.set_dst_port(53);
    packet.set_len(u16::try_from(8 + payload.len()).unwrap());
    packet.payload_mut().copy_from_slice(payload);
    packet.fill_checksum(&IpAddress::from(source), &IpAddress::from(destination));
    ethernet(&ipv4(source, destination, IpProtocol::Udp, 64, &bytes))
}

/// An IPv4 packet.
pub(crate) fn ipv4(
    source: Ipv4Address,
    destination: Ipv4Address,
    protocol: IpProtocol,
    ttl: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0; 20 + payload.len()];
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
    packet.set_version(4);
    packet.set_header_len(20);
    packet.set_total_len(u16::try_from(20 + payload.len()).unwrap());
    packet.set_hop_limit(ttl);
    packet.set_next_header(protocol);
    packet.set_src_addr(source);
    packet.set_dst_addr(destination);
    packet.payload_mut().copy_from_slice(payload);
    packet.fill_checksum();
    bytes
}

/// An Ethernet frame that carries an IPv4 packet.
pub(crate) fn ethernet(packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 14 + packet.len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes);
    frame.set_src_addr(EthernetAddress([2, 0, 0, 0, 0, 1]));
    frame.set_dst_addr(EthernetAddress([2, 0, 0, 0, 0, 2]));
    frame.set_ethertype(EthernetProtocol::Ipv4);
    frame.payload_mut().copy_from_slice(packet);
    bytes
}
