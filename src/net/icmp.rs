//! ICMP messages as sockets see them.
//!
//! smoltcp refuses an ICMPv4 error whose quoted packet is truncated, which by RFC 792 they all may be ("internet header
//! plus the first 64 bits of the original datagram's data"), so messages are read here. RFC 792, RFC 1122 §3.2.2 and
//! RFC 4443 are the things to read first. ICMPv6 speaks the same words with other numbers; [`IcmpKind`] has the words.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{IpProtocol, TcpSeqNumber};

use super::packet::Header;

/// What an ICMP error quotes of the packet that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Who had sent it.
    pub source: IpAddr,
    /// Where it was going.
    pub destination: IpAddr,
    /// Its protocol number: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6.
    pub protocol: u8,
    /// Source and destination port of TCP and UDP, as far as quoted.
    pub ports: Option<(u16, u16)>,
    /// Identifier and sequence number, if it was an echo request.
    pub echo: Option<(u16, u16)>,
    /// The first sequence number of a TCP segment.
    pub tcp_sequence: Option<u32>,
}

/// What an ICMP message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IcmpKind {
    /// The answer to a ping.
    EchoReply {
        /// Whose ping.
        ident: u16,
        /// Which one.
        sequence: u16,
        /// How many bytes follow the 8 bytes of the header.
        payload_len: usize,
    },
    /// A ping.
    EchoRequest {
        /// Whose ping.
        ident: u16,
        /// Which one.
        sequence: u16,
        /// How many bytes follow the 8 bytes of the header.
        payload_len: usize,
    },
    /// Anything else.
    Other {
        /// The message's type.
        kind: u8,
        /// Its code.
        code: u8,
    },
    /// A better first hop is known for the packet's destination.
    Redirect {
        /// For whom it is better: a network (0) or a host (1), or either with a type of service (2, 3).
        code: u8,
        /// The router to use.
        router: Ipv4Addr,
        /// About which packet.
        quote: Quote,
    },
    /// Somebody found a field of the packet to be wrong, or unknown.
    ParameterProblem {
        /// What kind of problem, which depends on the IP version.
        code: u8,
        /// Where in the packet, in bytes from its beginning.
        pointer: u32,
        /// About which packet.
        quote: Quote,
    },
    /// The time to live reached zero (code 0) or a reassembly took too long (code 1).
    TimeExceeded {
        /// Which of the two.
        code: u8,
        /// About which packet.
        quote: Quote,
    },
    /// The packet could not be delivered. ICMPv6's "packet too big" appears here too, as [`Reason::TooBig`].
    Unreachable {
        /// Why.
        reason: Reason,
        /// The message's code, which depends on the IP version.
        code: u8,
        /// About which packet.
        quote: Quote,
        /// What would have fitted, when size was the reason and the router told it.
        mtu: Option<usize>,
    },
}

/// Why a packet could not be delivered, whatever the IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The host cannot be reached (`!H` in a traceroute).
    Host,
    /// No route (`!N`).
    Network,
    /// Any other code.
    Other,
    /// Nobody listens at the port.
    Port,
    /// A firewall refuses (`!X`).
    Prohibited,
    /// The host does not speak the protocol (`!P`).
    Protocol,
    /// Larger than the next link's MTU, and it must not be fragmented (`!F`).
    TooBig,
}

/// An ICMP message that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcmpMessage {
    /// Who sent it.
    pub source: IpAddr,
    /// To which of this machine's addresses, or to which broadcast address or group.
    pub destination: IpAddr,
    /// The time to live that it arrived with.
    pub ttl: u8,
    /// What it says.
    pub kind: IcmpKind,
    /// The options of the IPv4 packet that it came in; mostly none.
    pub options: Vec<u8>,
    /// The whole message, from its type on.
    pub bytes: Vec<u8>,
}

/// An ICMP error about a datagram that a UDP socket had sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcmpError {
    /// Who complains: a router on the way, or the destination.
    pub from: IpAddr,
    /// The time to live that the complaint arrived with.
    pub ttl: u8,
    /// What it says: [`IcmpKind::TimeExceeded`] or [`IcmpKind::Unreachable`], with the datagram's ports in its quote.
    pub kind: IcmpKind,
}

impl IcmpKind {
    /// Reads a message, from its type on. `None` if it is too short for what it claims to be.
    pub(crate) fn read(message: &[u8], is_v6: bool) -> Option<Self> {
        let (kind, code) = (*message.first()?, *message.get(1)?);
        let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
        // The eight bytes of every header; what follows is payload or quote.
        let rest = message.get(8..)?;
        let (ident, sequence, payload_len) = (word(4)?, word(6)?, rest.len());
        let quote = || Quote::read(rest);
        Some(match (is_v6, kind) {
            (false, 0) | (true, 129) => Self::EchoReply { ident, sequence, payload_len },
            (false, 8) | (true, 128) => Self::EchoRequest { ident, sequence, payload_len },
            (false, 3) => {
                let reason = reason_v4(code);
                // RFC 1191 §4: "a value of zero" comes from routers that do not know of next-hop MTUs.
                let mtu = Some(usize::from(sequence)).filter(|mtu| reason == Reason::TooBig && *mtu > 0);
                Self::Unreachable { reason, code, quote: quote()?, mtu }
            }
            (true, 1) => Self::Unreachable { reason: reason_v6(code), code, quote: quote()?, mtu: None },
            (true, 2) => {
                let mtu = usize::try_from(u32::from(ident) << 16 | u32::from(sequence)).ok();
                Self::Unreachable { reason: Reason::TooBig, code, quote: quote()?, mtu }
            }
            (false, 5) => {
                let router = Ipv4Addr::from(u32::from(ident) << 16 | u32::from(sequence));
                Self::Redirect { code, router, quote: quote()? }
            }
            (false, 12) => Self::ParameterProblem { code, pointer: u32::from(ident >> 8), quote: quote()? },
            (true, 4) => {
                let pointer = u32::from(ident) << 16 | u32::from(sequence);
                Self::ParameterProblem { code, pointer, quote: quote()? }
            }
            (false, 11) | (true, 3) => Self::TimeExceeded { code, quote: quote()? },
            _ => Self::Other { kind, code },
        })
    }

    /// The packet that an error is about; `None` for what is not an error, redirects among them.
    #[must_use]
    pub fn quote(&self) -> Option<&Quote> {
        match self {
            Self::ParameterProblem { quote, .. }
            | Self::TimeExceeded { quote, .. }
            | Self::Unreachable { quote, .. } => Some(quote),
            Self::EchoReply { .. } | Self::EchoRequest { .. } | Self::Other { .. } | Self::Redirect { .. } => None,
        }
    }

    /// What a Unix program would be told; `None` for what is not an error, or only a hint about sizes or fields.
    #[must_use]
    pub fn error_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::TimeExceeded { .. } => Some(io::ErrorKind::HostUnreachable),
            Self::Unreachable { reason, .. } => match reason {
                Reason::Host | Reason::Other | Reason::Prohibited => Some(io::ErrorKind::HostUnreachable),
                Reason::Network => Some(io::ErrorKind::NetworkUnreachable),
                Reason::Port | Reason::Protocol => Some(io::ErrorKind::ConnectionRefused),
                Reason::TooBig => None,
            },
            Self::EchoReply { .. }
            | Self::EchoRequest { .. }
            | Self::Other { .. }
            | Self::ParameterProblem { .. }
            | Self::Redirect { .. } => None,
        }
    }
}

/// RFC 1122 §3.2.2.1 and RFC 1812 §5.2.7.1 list the codes.
fn reason_v4(code: u8) -> Reason {
    match code {
        0 | 6 | 11 => Reason::Network,
        1 | 5 | 7 | 8 | 12 => Reason::Host,
        2 => Reason::Protocol,
        3 => Reason::Port,
        4 => Reason::TooBig,
        9 | 10 | 13 => Reason::Prohibited,
        _ => Reason::Other,
    }
}

/// RFC 4443 §3.1 lists the codes.
fn reason_v6(code: u8) -> Reason {
    match code {
        0 => Reason::Network,
        1 | 5 | 6 => Reason::Prohibited,
        2 | 3 => Reason::Host,
        4 => Reason::Port,
        _ => Reason::Other,
    }
}

impl Quote {
    /// Reads as much of a quoted packet as is there; `None` if not even its IP header is.
    fn read(packet: &[u8]) -> Option<Self> {
        let (source, destination, protocol, transport) = match packet.first()? >> 4 {
            4 => {
                let header_len = usize::from(packet[0] & 15) * 4;
                let fixed = packet.get(..20).filter(|_| header_len >= 20)?;
                let source = <[u8; 4]>::try_from(&fixed[12..16]).ok()?;
                let destination = <[u8; 4]>::try_from(&fixed[16..20]).ok()?;
                // Of a later fragment no transport header is quoted.
                let is_first = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x1fff == 0;
                let transport = packet.get(header_len..).filter(|_| is_first).unwrap_or_default();
                (Ipv4Addr::from(source).into(), Ipv4Addr::from(destination).into(), fixed[9], transport)
            }
            6 => {
                let fixed = packet.get(..40)?;
                let source = <[u8; 16]>::try_from(&fixed[8..24]).ok()?;
                let destination = <[u8; 16]>::try_from(&fixed[24..40]).ok()?;
                (Ipv6Addr::from(source).into(), Ipv6Addr::from(destination).into(), fixed[6], &packet[40..])
            }
            _ => return None,
        };
        let word = |at: usize| Some(u16::from_be_bytes([*transport.get(at)?, *transport.get(at + 1)?]));
        let pair = |at: usize| Some((word(at)?, word(at + 2)?));
        let ip_protocol = IpProtocol::from(protocol);
        let has_ports = matches!(ip_protocol, IpProtocol::Tcp | IpProtocol::Udp);
        let is_echo = match ip_protocol {
            IpProtocol::Icmp => transport.first() == Some(&8),
            IpProtocol::Icmpv6 => transport.first() == Some(&128),
            _ => false,
        };
        let is_tcp = ip_protocol == IpProtocol::Tcp;
        let tcp_sequence = pair(4).filter(|_| is_tcp).map(|(high, low)| u32::from(high) << 16 | u32::from(low));
        Some(Self {
            source,
            destination,
            protocol,
            ports: pair(0).filter(|_| has_ports),
            echo: pair(4).filter(|_| is_echo),
            tcp_sequence,
        })
    }
}

/// A whole message out of its packet; `None` if it is malformed.
pub(crate) fn message(packet: &[u8], header: &Header) -> Option<IcmpMessage> {
    let bytes = packet.get(header.payload.clone())?;
    let kind = IcmpKind::read(bytes, header.source.is_ipv6())?;
    let options = packet.get(20..header.payload.start).filter(|_| header.source.is_ipv4());
    Some(IcmpMessage {
        source: header.source,
        destination: header.destination,
        ttl: header.ttl,
        kind,
        options: options.map_or_else(Vec::new, <[u8]>::to_vec),
        bytes: bytes.to_vec(),
    })
}

/// A sequence number as plain bits.
pub(crate) fn bits(sequence: TcpSeqNumber) -> u32 {
    sequence.0.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A "destination unreachable" from a router, about 10.0.0.1:1000 > 10.0.0.2:2000, quoting header and eight bytes.
    fn unreachable(code: u8, protocol: u8) -> Vec<u8> {
        let mut message = vec![3, code, 0, 0, 0, 0, 0x05, 0x14];
        message.extend([0x45, 0, 4, 0, 0, 0, 0, 0, 1, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        message.extend([0x03, 0xe8, 0x07, 0xd0, 0x01, 0x02, 0x03, 0x04]);
        message
    }

    #[test]
    fn a_quote_of_header_and_eight_bytes_is_enough() {
        let Some(IcmpKind::Unreachable { reason, quote, mtu, .. }) = IcmpKind::read(&unreachable(4, 6), false) else {
            panic!("not an unreachable");
        };
        // 0x0514 = 1300.
        assert_eq!((reason, mtu), (Reason::TooBig, Some(1300)));
        assert_eq!((quote.ports, quote.tcp_sequence), (Some((1000, 2000)), Some(0x0102_0304)));
        assert_eq!(quote.destination.to_string(), "10.0.0.2");
    }

    #[test]
    fn each_code_has_its_error() {
        let kind = |code| IcmpKind::read(&unreachable(code, 17), false).unwrap().error_kind();
        assert_eq!(kind(0), Some(io::ErrorKind::NetworkUnreachable));
        assert_eq!(kind(1), Some(io::ErrorKind::HostUnreachable));
        assert_eq!(kind(2), Some(io::ErrorKind::ConnectionRefused));
        assert_eq!(kind(3), Some(io::ErrorKind::ConnectionRefused));
        assert_eq!(kind(4), None);
        assert_eq!(kind(13), Some(io::ErrorKind::HostUnreachable));
    }

    #[test]
    fn an_echo_in_a_quote_is_known_by_its_identifier() {
        let mut message = unreachable(1, 1);
        message[28..36].copy_from_slice(&[8, 0, 0, 0, 0x12, 0x34, 0, 7]);
        let kind = IcmpKind::read(&message, false).unwrap();
        assert_eq!(kind.quote().unwrap().echo, Some((0x1234, 7)));
        assert_eq!(kind.quote().unwrap().ports, None);
    }

    #[test]
    fn a_redirect_names_the_router_and_is_no_error() {
        let mut message = unreachable(1, 17);
        message[..8].copy_from_slice(&[5, 1, 0, 0, 10, 0, 0, 9]);
        let kind = IcmpKind::read(&message, false).unwrap();
        assert!(matches!(&kind, IcmpKind::Redirect { code: 1, router, quote }
            if *router == Ipv4Addr::new(10, 0, 0, 9) && quote.ports == Some((1000, 2000))));
        assert_eq!((kind.error_kind(), kind.quote()), (None, None));
    }

    #[test]
    fn version_six_says_the_same_with_other_numbers() {
        let mut message = vec![2, 0, 0, 0, 0, 0, 0x05, 0x00];
        message.extend([0x60, 0, 0, 0, 0, 8, 17, 64]);
        message.extend([[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]; 2].concat());
        message.extend([0, 53, 0, 54, 0, 8, 0, 0]);
        let Some(IcmpKind::Unreachable { reason, quote, mtu, .. }) = IcmpKind::read(&message, true) else {
            panic!("not a packet too big");
        };
        assert_eq!((reason, mtu, quote.ports), (Reason::TooBig, Some(1280), Some((53, 54))));
        assert_eq!(
            IcmpKind::read(&[129, 0, 0, 0, 0, 1, 0, 2, 9], true),
            Some(IcmpKind::EchoReply { ident: 1, sequence: 2, payload_len: 1 })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..80), is_v6: bool) {
            let _ = IcmpKind::read(&bytes, is_v6);
        }

        #[test]
        fn a_truncated_error_loses_what_is_missing_and_no_more(length in 0_usize..36) {
            let message = unreachable(3, 17);
            let kind = IcmpKind::read(&message[..length], false);
            prop_assert_eq!(kind.is_some(), length >= 28);
            prop_assert_eq!(kind.and_then(|kind| kind.quote()?.ports).is_some(), length >= 32);
        }
    }
}
