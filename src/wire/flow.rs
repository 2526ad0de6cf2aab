//! Who talks to whom: the five-tuple.
//!
//! A flow has a direction: a segment and its answer are of two flows, each the other's [`reversed`](Flow::reversed).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use smoltcp::wire::IpProtocol;

use super::view::{Ip, View, be16};
use super::{Frame, Layer};

/// Source, destination, protocol, and what tells the conversations between the two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Who sent it.
    pub source: IpAddr,
    /// For whom it is.
    pub destination: IpAddr,
    /// What the IP payload is; IPv6 extension headers do not count.
    pub protocol: IpProtocol,
    /// What tells this conversation from others between the same two.
    pub ports: Ports,
}

/// What tells one conversation from another between the same two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ports {
    /// Nothing: a protocol without ports, a later fragment, or a header cut short.
    Absent,
    /// ICMP echo: the identifier, the same in request and reply.
    Ident(u16),
    /// TCP and UDP.
    Pair {
        /// The sender's.
        source: u16,
        /// The receiver's.
        destination: u16,
    },
}

impl Flow {
    /// The flow that a frame belongs to; `None` if it carries no whole IP header.
    #[must_use]
    pub fn of(frame: &Frame) -> Option<Self> {
        View::of(frame).ip.as_ref().map(Self::of_packet)
    }

    /// The flow of an IP packet, or of the beginning of one: the quotation in an ICMP error has its ports too.
    #[must_use]
    pub fn of_ip(bytes: &[u8]) -> Option<Self> {
        View::of_bytes(bytes, Layer::Ip).ip.as_ref().map(Self::of_packet)
    }

    /// The flow of a packet that has been taken apart.
    #[must_use]
    pub fn of_packet(ip: &Ip<'_>) -> Self {
        let ports = ip.transport(ip.protocol).and_then(|payload| Ports::read(ip, payload));
        Self {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            ports: ports.unwrap_or(Ports::Absent),
        }
    }

    /// The flow of the answers.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, ports: self.ports.reversed(), ..self }
    }

    /// The port it was sent from, if it has ports.
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        match self.ports {
            Ports::Pair { source, .. } => Some(source),
            Ports::Absent | Ports::Ident(_) => None,
        }
    }

    /// The port it is sent to, if it has ports.
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        match self.ports {
            Ports::Pair { destination, .. } => Some(destination),
            Ports::Absent | Ports::Ident(_) => None,
        }
    }
}

impl Ports {
    fn read(ip: &Ip<'_>, payload: &[u8]) -> Option<Self> {
        match ip.protocol {
            IpProtocol::Tcp | IpProtocol::Udp => {
                Some(Self::Pair { source: be16(payload, 0)?, destination: be16(payload, 2)? })
            }
            // Echo request and reply: 8 and 0 in ICMP (RFC 792), 128 and 129 in ICMPv6 (RFC 4443 §4).
            IpProtocol::Icmp if matches!(payload.first()?, 0 | 8) => Some(Self::Ident(be16(payload, 4)?)),
            IpProtocol::Icmpv6 if matches!(payload.first()?, 128 | 129) => Some(Self::Ident(be16(payload, 4)?)),
            _ => None,
        }
    }

    fn reversed(self) -> Self {
        match self {
            Self::Pair { source, destination } => Self::Pair { source: destination, destination: source },
            Self::Absent | Self::Ident(_) => self,
        }
    }
}

impl fmt::Display for Flow {
    /// `10.0.0.1:49152 > 10.0.0.2:80`, `[2001:db8::1]:49152 > [2001:db8::2]:80`, `10.0.0.1 > 10.0.0.2 id 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ports {
            Ports::Absent => write!(f, "{} > {}", self.source, self.destination),
            Ports::Ident(ident) => write!(f, "{} > {} id {ident}", self.source, self.destination),
            Ports::Pair { source, destination } => {
                let (source, destination) =
                    (SocketAddr::new(self.source, source), SocketAddr::new(self.destination, destination));
                write!(f, "{source} > {destination}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(protocol: u8, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 0, 0, 7];
        bytes.extend(flags.to_be_bytes());
        bytes.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.extend(payload);
        let length = u16::try_from(bytes.len()).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn an_answer_is_of_the_reversed_flow() {
        let there = Flow::of_ip(&ipv4(6, 0, &[0xc0, 0, 0, 80])).unwrap();
        assert_eq!(there.to_string(), "10.0.0.1:49152 > 10.0.0.2:80");
        assert_eq!(there.reversed().to_string(), "10.0.0.2:80 > 10.0.0.1:49152");
        assert_eq!(there.reversed().reversed(), there);
        assert_eq!((there.source_port(), there.destination_port()), (Some(49152), Some(80)));
    }

    #[test]
    fn an_echo_and_its_reply_share_the_ident() {
        let request = Flow::of_ip(&ipv4(1, 0, &[8, 0, 0, 0, 0, 7, 0, 1])).unwrap();
        let mut reply = Flow::of_ip(&ipv4(1, 0, &[0, 0, 0, 0, 0, 7, 0, 1])).unwrap();
        (reply.source, reply.destination) = (reply.destination, reply.source);
        assert_eq!(request.reversed(), reply);
        assert_eq!(request.to_string(), "10.0.0.1 > 10.0.0.2 id 7");
    }

    #[test]
    fn only_a_first_fragment_has_ports() {
        let payload = [0x0f, 0xa0, 0x82, 0x9a, 0, 12, 0, 0];
        let ports = |flags| Flow::of_ip(&ipv4(17, flags, &payload)).unwrap().ports;
        assert_eq!(ports(0x2000), Ports::Pair { source: 4000, destination: 33434 });
        assert_eq!(ports(0x2001), Ports::Absent);
        assert_eq!(ports(0x0001), Ports::Absent);
    }

    #[test]
    fn a_header_cut_short_has_no_ports() {
        assert_eq!(Flow::of_ip(&ipv4(17, 0, &[0x0f, 0xa0, 0x82])).unwrap().ports, Ports::Absent);
        assert_eq!(Flow::of_ip(&ipv4(17, 0, &[])[..19]), None);
    }

    #[test]
    fn ipv6_ports_stand_behind_brackets() {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 4, 17, 64];
        for last in [1, 2] {
            bytes.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        }
        bytes.extend([0, 53, 0, 54]);
        assert_eq!(Flow::of_ip(&bytes).unwrap().to_string(), "[2001:db8::1]:53 > [2001:db8::2]:54");
    }
}
