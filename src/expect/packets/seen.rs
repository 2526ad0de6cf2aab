//! What goes past: frames become shapes with relative sequence numbers.

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::IpProtocol;

use super::flow::Talk;
use super::shape::{IcmpName, Sequence, Shape, Tcp, TcpOption, TcpOptions};
use crate::expect::Passage;
use crate::id::RuleId;
use crate::record::{Cause, Names};
use crate::time::Time;
use crate::wire::view::{Fragment, Ip, View};
use crate::wire::{Conversations, Flow, Frame};

/// How many cut datagrams are remembered, so that later fragments are known to belong.
const DATAGRAMS_MAX: usize = 256;

/// A packet that went past the vantage point.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) at: Time,
    pub(super) passage: Passage,
    pub(super) shape: Shape,
    /// What became of it on the way, once that is known.
    pub(super) outcome: Option<Outcome>,
    /// For each match expression of the lines, whether it matched.
    pub(super) matched: Vec<bool>,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Dropped { cause: Cause, rule: Option<RuleId> },
}

impl Outcome {
    /// Under which name a line tells of it: the rule's, or else the cause's.
    pub(super) fn name<'n>(&self, names: &'n Names) -> Option<&'n str> {
        match self {
            Self::Delivered => None,
            Self::Dropped { rule: Some(rule), .. } => Some(names.rule(*rule)),
            Self::Dropped { cause, rule: None } => Some(cause.name()),
        }
    }
}

/// Tells packets of one conversation from others, and makes shapes of them.
#[derive(Debug)]
pub(super) struct Eye {
    /// `None`: every frame is meant.
    talk: Option<Talk>,
    /// Which sequence numbers count as zero.
    conversations: Conversations,
    /// The first fragments of datagrams that belong to the conversation.
    datagrams: Vec<(IpAddr, IpAddr, u32)>,
}

impl Eye {
    pub(super) fn new(talk: Option<Talk>) -> Self {
        Self { talk, conversations: Conversations::default(), datagrams: Vec::new() }
    }

    /// What the frame looks like and which way it goes, if it is meant. `past` is its way past the vantage point.
    pub(super) fn look(&mut self, frame: &Frame, past: Passage) -> Option<(Passage, Shape)> {
        let view = View::of(frame);
        let passage = match self.talk.clone() {
            Some(talk) => self.passage(&talk, &view)?,
            None => past,
        };
        Some((passage, self.shape(&view, frame)))
    }

    fn passage(&mut self, talk: &Talk, view: &View<'_>) -> Option<Passage> {
        if let Some(arp) = view.arp.and_then(Arp::parse) {
            return talk.passage_of_arp(arp.sender, arp.target);
        }
        let ip = view.ip.as_ref()?;
        let flow = Flow::of_packet(ip);
        if let Some(quoted) = quotation(ip) {
            return talk.passage_of_complaint(&quoted).or_else(|| talk.passage(&flow));
        }
        match ip.fragment {
            Some(Fragment { offset: 0, id, .. }) => {
                let passage = talk.passage(&flow)?;
                if self.datagrams.len() == DATAGRAMS_MAX {
                    self.datagrams.remove(0);
                }
                self.datagrams.push((ip.source, ip.destination, id));
                Some(passage)
            }
            Some(Fragment { id, .. }) if talk.has_ports() => {
                let is_known = self.datagrams.contains(&(ip.source, ip.destination, id));
                if is_known { talk.passage_of_fragment(&flow) } else { None }
            }
            _ => talk.passage(&flow),
        }
    }

    fn shape(&mut self, view: &View<'_>, frame: &Frame) -> Shape {
        if let Some(arp) = view.arp.and_then(Arp::parse) {
            return arp.shape();
        }
        let Some(ip) = &view.ip else {
            let length = view.bytes.len().saturating_sub(ETHERNET_HEADER_BYTES);
            return Shape::Ether { ethertype: view.ethertype.unwrap_or(0), length: Some(length) };
        };
        if let Some(Fragment { offset, more, .. }) = ip.fragment {
            return Shape::Fragment { first: offset, last: offset + ip.payload.len(), more };
        }
        let known = match ip.protocol {
            IpProtocol::Tcp => self.tcp(ip, frame),
            IpProtocol::Udp => udp(ip),
            IpProtocol::Icmp | IpProtocol::Icmpv6 => icmp(ip),
            _ => None,
        };
        known.unwrap_or_else(|| Shape::Ip { protocol: ip.protocol.into(), length: Some(ip.payload.len()) })
    }

    fn tcp(&mut self, ip: &Ip<'_>, frame: &Frame) -> Option<Shape> {
        let header = ip.payload.first_chunk::<20>()?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let long = |at: usize| u32::from(word(at)) << 16 | u32::from(word(at + 2));
        let header_length = usize::from(header[12] >> 4) * 4;
        let options = ip.payload.get(20..header_length)?;
        let (sequence, ack, flags) = (long(4), long(8), header[13]);
        let length = u32::try_from(ip.payload.len() - header_length).unwrap_or(u32::MAX);
        let relative = self.conversations.observe(frame);
        let acknowledged = |raw: u32| relative.acknowledgment(raw);
        let list = tcp_options(options, acknowledged);
        Some(Shape::Tcp(Tcp {
            flags,
            sequence: Some(Sequence { first: relative.sequence(sequence), length }),
            ack: (flags & ACK != 0).then(|| acknowledged(ack)),
            window: Some(word(14)),
            options: (!list.is_empty()).then_some(TcpOptions { list, is_open: false }),
        }))
    }
}

const ACK: u8 = 0x10;

const ETHERNET_HEADER_BYTES: usize = 14;

/// The options of a TCP header, without padding; what is cut short ends the list.
fn tcp_options(mut bytes: &[u8], acknowledged: impl Fn(u32) -> u32 + Copy) -> Vec<TcpOption> {
    let mut list = Vec::new();
    while let Some((&kind, rest)) = bytes.split_first() {
        match kind {
            0 => break,
            1 => bytes = rest,
            _ => {
                let Some(length) = rest.first().map(|length| usize::from(*length)).filter(|length| *length >= 2) else {
                    break;
                };
                let Some(body) = bytes.get(2..length) else { break };
                list.push(tcp_option(kind, body, acknowledged));
                bytes = bytes.get(length..).unwrap_or_default();
            }
        }
    }
    list
}

fn tcp_option(kind: u8, body: &[u8], acknowledged: impl Fn(u32) -> u32 + Copy) -> TcpOption {
    let long = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let known = match (kind, body) {
        (2, [high, low]) => Some(TcpOption::MaximumSegmentSize(Some(u16::from_be_bytes([*high, *low])))),
        (3, [shift]) => Some(TcpOption::WindowScale(Some(*shift))),
        (4, []) => Some(TcpOption::SackPermitted),
        (5, blocks) if !blocks.is_empty() && blocks.len().is_multiple_of(8) => {
            let relative = |bytes: &[u8]| long(bytes).map(acknowledged);
            let block = |bytes: &[u8]| relative(bytes).zip(bytes.get(4..).and_then(relative));
            blocks.chunks_exact(8).map(block).collect::<Option<Vec<_>>>().map(TcpOption::Sack)
        }
        (8, times) if times.len() == 8 => {
            long(times).zip(long(&times[4..])).map(|pair| TcpOption::Timestamps(Some(pair)))
        }
        _ => None,
    };
    known.unwrap_or(TcpOption::Other(kind))
}

fn udp(ip: &Ip<'_>) -> Option<Shape> {
    let length = ip.payload.len().checked_sub(8)?;
    Some(Shape::Udp { length: Some(length) })
}

fn icmp(ip: &Ip<'_>) -> Option<Shape> {
    let header = ip.payload.first_chunk::<8>()?;
    let (is_v6, kind, code) = (ip.protocol == IpProtocol::Icmpv6, header[0], header[1]);
    let is_echo = if is_v6 { matches!(kind, 128 | 129) } else { matches!(kind, 0 | 8) };
    let sequence = is_echo.then(|| u16::from_be_bytes([header[6], header[7]]));
    Some(Shape::Icmp { what: IcmpName::of(is_v6, kind, code), sequence, length: Some(ip.payload.len() - 8) })
}

/// The flow of the packet that an ICMP error complains about.
fn quotation(ip: &Ip<'_>) -> Option<Flow> {
    let kind = *ip.payload.first()?;
    let is_error = match ip.protocol {
        IpProtocol::Icmp => matches!(kind, 3 | 4 | 5 | 11 | 12),
        IpProtocol::Icmpv6 => kind < 128,
        _ => false,
    };
    if is_error && ip.fragment.is_none() { Flow::of_ip(ip.payload.get(8..)?) } else { None }
}

/// An ARP message for IPv4 over Ethernet.
struct Arp {
    is_request: bool,
    hardware: [u8; 6],
    sender: Ipv4Addr,
    target: Ipv4Addr,
}

impl Arp {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<28>()?;
        let address = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
        // Ethernet (1), IPv4 (0x0800), their lengths; then 1 for a request and 2 for a reply.
        let is_plain = bytes[..7] == [0, 1, 8, 0, 6, 4, 0] && matches!(bytes[7], 1 | 2);
        let hardware = *bytes[8..].first_chunk()?;
        is_plain.then(|| Self { is_request: bytes[7] == 1, hardware, sender: address(14), target: address(24) })
    }

    fn shape(&self) -> Shape {
        if self.is_request {
            Shape::ArpRequest { address: Some(self.target), tell: Some(self.sender) }
        } else {
            Shape::ArpReply { address: Some(self.sender), hardware: Some(self.hardware) }
        }
    }
}
