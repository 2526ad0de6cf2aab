//! ICMP messages as sockets see them.
use std::net::IpAddr;

/// What an ICMP error quotes of the packet that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Who had sent it.
    pub source: IpAddr,
    /// Where it was going.
    pub destination: IpAddr,
    /// Its protocol number: 1, 6, 17, 58.
    pub protocol: u8,
    /// Source and destination port of TCP and UDP, as far as quoted.
    pub ports: Option<(u16, u16)>,
    /// Identifier and sequence number of an echo request.
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
        /// How many bytes follow the header.
        payload_len: usize,
    },
    /// A ping.
    EchoRequest {
        /// Whose ping.
        ident: u16,
        /// Which one.
        sequence: u16,
        /// How many bytes follow the header.
        payload_len: usize,
    },
    /// The time to live reached zero (code 0) or a reassembly took too long (code 1).
    TimeExceeded {
        /// Which of the two.
        code: u8,
        /// About which packet.
        quote: Quote,
    },
    /// The packet could not be delivered; ICMPv6's "packet too big" appears here too, with its MTU.
    Unreachable {
        /// Why: the code of the message.
        code: u8,
        /// About which packet.
        quote: Quote,
        /// What would have fitted, when size was the reason.
        mtu: Option<usize>,
    },
    /// Anything else.
    Other {
        /// The message's type.
        kind: u8,
        /// Its code.
        code: u8,
    },
}

/// An ICMP message that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcmpMessage {
    /// Who sent it.
    pub source: IpAddr,
    /// To which of this machine's addresses.
    pub destination: IpAddr,
    /// The time to live that it arrived with.
    pub ttl: u8,
    /// What it says.
    pub kind: IcmpKind,
    /// The whole message, from its type on.
    pub bytes: Vec<u8>,
}

/// An ICMP error about a datagram that a UDP socket had sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcmpError {
    /// Who complains.
    pub from: IpAddr,
    /// The time to live that the complaint arrived with.
    pub ttl: u8,
    /// What it says: [`IcmpKind::TimeExceeded`] or [`IcmpKind::Unreachable`].
    pub kind: IcmpKind,
}
