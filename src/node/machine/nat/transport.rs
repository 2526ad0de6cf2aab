//! What of a packet's transport header matters to an address translator.

use smoltcp::wire::{IpProtocol, TcpPacket, UdpPacket};

use super::super::header::Header;
use super::super::middle::Segment;
use super::rewrite::Endpoint;

/// A protocol whose endpoints can be told apart behind one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Protocol {
    Icmp,
    Tcp,
    Udp,
}

impl Protocol {
    pub(super) fn of(protocol: IpProtocol) -> Option<Self> {
        match protocol {
            IpProtocol::Icmp => Some(Self::Icmp),
            IpProtocol::Tcp => Some(Self::Tcp),
            IpProtocol::Udp => Some(Self::Udp),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What a packet is to an address translator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// It goes from one endpoint to another.
    Flow(Flow),
    /// An ICMP error: about another packet.
    Error,
    /// An ICMP message that is neither query, answer nor error about a packet.
    OtherIcmp,
    /// A protocol without ports.
    Portless,
    /// Shorter than its header.
    Malformed,
}

/// From one endpoint to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) protocol: Protocol,
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
    /// An ICMP query, as opposed to an answer.
    pub(super) is_query: bool,
    pub(super) segment: Segment,
}

impl Transport {
    /// Looks at an unfragmented packet.
    pub(super) fn of(header: &Header, packet: &[u8]) -> Self {
        let Some(protocol) = Protocol::of(header.protocol) else { return Self::Portless };
        let payload = header.payload(packet);
        let (source, destination, segment) = match protocol {
            Protocol::Icmp => return Self::of_icmp(header, payload),
            Protocol::Tcp => {
                let Ok(tcp) = TcpPacket::new_checked(payload) else { return Self::Malformed };
                let segment = Segment { is_syn: tcp.syn(), is_ack: tcp.ack(), is_fin: tcp.fin(), is_reset: tcp.rst() };
                (tcp.src_port(), tcp.dst_port(), segment)
            }
            Protocol::Udp => {
                let Ok(udp) = UdpPacket::new_checked(payload) else { return Self::Malformed };
                (udp.src_port(), udp.dst_port(), Segment::NONE)
            }
        };
        Self::Flow(Flow {
            protocol,
            source: Endpoint::new(header.source, source),
            destination: Endpoint::new(header.destination, destination),
            is_query: false,
            segment,
        })
    }

    fn of_icmp(header: &Header, message: &[u8]) -> Self {
        let [kind, _, _, _, high, low, _, _, ..] = message else { return Self::Malformed };
        match kind {
            // RFC 5508 §3 calls them queries: echo, timestamp, information, address mask; and their answers.
            0 | 8 | 13..=18 => {
                let ident = u16::from_be_bytes([*high, *low]);
                Self::Flow(Flow {
                    protocol: Protocol::Icmp,
                    source: Endpoint::new(header.source, ident),
                    destination: Endpoint::new(header.destination, ident),
                    is_query: matches!(kind, 8 | 13 | 15 | 17),
                    segment: Segment::NONE,
                })
            }
            // Destination unreachable, source quench, time exceeded, parameter problem.
            3 | 4 | 11 | 12 => Self::Error,
            _ => Self::OtherIcmp,
        }
    }
}

impl Flow {
    /// The far end, as a session knows it: of an ICMP query only the address, for its identifier is the near end's.
    pub(super) fn far(self, end: Endpoint) -> Endpoint {
        if self.protocol == Protocol::Icmp { Endpoint::new(end.address, 0) } else { end }
    }
}
