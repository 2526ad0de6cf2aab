//! A TCP connection as somebody in the middle sees it: an address translator, a firewall.
//!
//! ```text
//!            SYN one way          SYN the other way       an ACK
//!   (new) ───────────────▶ transitory ───────────────────────────▶ established
//!                           ▲    ▲                                     │
//!                           │    └──────── RST, or FIN both ways ──────┘
//!                           └─ a new SYN begins anew
//! ```
//!
//! Both SYNs count whatever their order: simultaneous open is an opening like any other (RFC 5382 REQ-2). A connection
//! that was not seen from its beginning stays transitory. Sequence numbers are not looked at.

use std::time::Duration;

use smoltcp::wire::TcpPacket;

/// RFC 5382 REQ-5: "the value of the 'established connection idle-timeout' MUST NOT be less than 2 hours 4 minutes."
pub(super) const ESTABLISHED_FOR: Duration = Duration::from_secs(2 * 3600 + 4 * 60);

/// RFC 5382 REQ-5: "The value of the 'transitory connection idle-timeout' MUST NOT be less than 4 minutes."
pub(super) const TRANSITORY_FOR: Duration = Duration::from_secs(4 * 60);

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From inside to outside, or as the connection's first packet went.
    There,
    /// The other way.
    Back,
}

/// What a TCP segment asks for; nothing for other protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Segment {
    pub(super) is_syn: bool,
    pub(super) is_ack: bool,
    pub(super) is_fin: bool,
    pub(super) is_reset: bool,
}

impl Segment {
    pub(super) const NONE: Self = Self { is_syn: false, is_ack: false, is_fin: false, is_reset: false };

    /// What a segment with a whole header asks for.
    pub(super) fn of(tcp: &TcpPacket<&[u8]>) -> Self {
        Self { is_syn: tcp.syn(), is_ack: tcp.ack(), is_fin: tcp.fin(), is_reset: tcp.rst() }
    }
}

/// What has been seen of a TCP connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// A SYN there, back.
    syn: [bool; 2],
    fin: [bool; 2],
    is_established: bool,
    is_reset: bool,
}

impl Seen {
    /// A segment goes by.
    pub(super) fn see(&mut self, way: Way, segment: Segment) {
        if segment.is_syn && self.is_over() {
            *self = Self::default();
        }
        self.syn[way as usize] |= segment.is_syn;
        self.fin[way as usize] |= segment.is_fin;
        self.is_reset |= segment.is_reset;
        self.is_established |= self.syn == [true; 2] && segment.is_ack && !segment.is_syn;
    }

    /// Whether it has begun and not ended.
    pub(super) fn is_open(self) -> bool {
        self.is_established && !self.is_over()
    }

    /// What it is called in listings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self { is_reset: true, .. } => "RESET",
            Self { fin: [true, true], .. } => "CLOSING",
            Self { is_established: true, .. } => "ESTABLISHED",
            _ => "OPENING",
        }
    }

    /// Whether it was reset, or closed both ways.
    pub(super) fn is_over(self) -> bool {
        self.is_reset || self.fin == [true; 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const SYN: Segment = Segment { is_syn: true, ..Segment::NONE };
    const SYN_ACK: Segment = Segment { is_syn: true, is_ack: true, ..Segment::NONE };
    const ACK: Segment = Segment { is_ack: true, ..Segment::NONE };
    const FIN: Segment = Segment { is_fin: true, is_ack: true, ..Segment::NONE };
    const RST: Segment = Segment { is_reset: true, ..Segment::NONE };

    /// What a connection is called after these segments.
    fn name(segments: &[(Way, Segment)]) -> &'static str {
        let mut seen = Seen::default();
        segments.iter().for_each(|(way, segment)| seen.see(*way, *segment));
        seen.name()
    }

    #[test]
    fn rfc_5382_req_5_a_connection_is_established_after_three_packets_and_no_sooner() {
        let (there, back) = (Way::There, Way::Back);
        assert_eq!(name(&[(there, SYN)]), "OPENING");
        assert_eq!(name(&[(there, SYN), (back, SYN_ACK)]), "OPENING");
        assert_eq!(name(&[(there, SYN), (back, SYN_ACK), (there, ACK)]), "ESTABLISHED");
        assert_eq!(name(&[(back, SYN), (there, SYN_ACK), (back, ACK)]), "ESTABLISHED");
    }

    #[test]
    fn rfc_5382_req_2_simultaneous_open_is_an_opening() {
        let (there, back) = (Way::There, Way::Back);
        assert_eq!(name(&[(there, SYN), (back, SYN), (there, SYN_ACK), (back, SYN_ACK)]), "OPENING");
        assert_eq!(name(&[(there, SYN), (back, SYN), (there, SYN_ACK), (back, ACK)]), "ESTABLISHED");
    }

    #[test]
    fn one_fin_leaves_a_connection_established_and_two_or_a_reset_do_not() {
        let (there, back) = (Way::There, Way::Back);
        let open = [(there, SYN), (back, SYN_ACK), (there, ACK)];
        let then = |more: &[(Way, Segment)]| name(&[&open[..], more].concat());
        assert_eq!(then(&[(there, FIN)]), "ESTABLISHED");
        assert_eq!(then(&[(there, FIN), (back, FIN)]), "CLOSING");
        assert_eq!(then(&[(back, RST)]), "RESET");
        assert_eq!(then(&[(back, RST), (there, SYN)]), "OPENING");
        assert_eq!(then(&[(back, RST), (there, SYN), (back, SYN_ACK), (there, ACK)]), "ESTABLISHED");
    }

    #[test]
    fn what_was_not_seen_from_its_beginning_stays_transitory() {
        assert_eq!(name(&[(Way::There, ACK), (Way::Back, ACK), (Way::There, ACK)]), "OPENING");
    }
}
