//! One connection through a mapping: how far it is, and how long it may be silent (RFC 5382 §5, RFC 4787 §4.3).
//!
//! ```text
//!            SYN from one side      SYN from the other      an ACK
//!   (new) ─────────────────────▶ transitory ───────────────────────▶ established
//!                                 ▲    ▲                                 │
//!                                 │    └───── RST, or FIN of both ───────┘
//!                                 └─ a new SYN begins anew
//! ```
//!
//! Both SYNs count whatever their order: simultaneous open is an opening like any other (RFC 5382 REQ-2). A connection
//! that was not seen from its beginning stays transitory.

use std::time::Duration;

use super::spec::NatSpec;
use super::transport::Segment;
use crate::time::Time;

/// From which side of the translator a packet comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Inside,
    Outside,
}

/// What has been seen of a TCP connection.
#[derive(Debug, Clone, Copy, Default)]
struct Tracked {
    /// A SYN from inside, from outside.
    syn: [bool; 2],
    fin: [bool; 2],
    is_established: bool,
    is_reset: bool,
}

/// One connection: a mapping and a far end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    tcp: Option<Tracked>,
    /// When it is forgotten if nothing more comes.
    pub(super) expires_at: Time,
    /// When the translator will look at it: its entry among the timers. Never later than `expires_at`.
    pub(super) due_at: Time,
    /// Packets from inside, from outside.
    pub(super) packets: [u64; 2],
}

impl Session {
    pub(super) fn new(is_tcp: bool) -> Self {
        let tcp = is_tcp.then(Tracked::default);
        Self { tcp, expires_at: Time::ZERO, due_at: Time::ZERO, packets: [0; 2] }
    }

    /// A packet has gone through.
    pub(super) fn packet(&mut self, from: From, segment: Segment, spec: &NatSpec, is_query: bool, now: Time) {
        self.packets[from as usize] += 1;
        let lasts_for = match &mut self.tcp {
            Some(tcp) => {
                tcp.see(from, segment);
                self.tcp_lasts_for(spec)
            }
            // RFC 4787 REQ-6: "The NAT mapping Refresh Direction MUST have a 'NAT Outbound refresh behavior' of 'True'."
            // "a) The NAT mapping MAY have a 'NAT Inbound refresh behavior' of 'True'."
            None if from == From::Outside && !spec.refreshed_from_outside && self.packets != [0, 1] => return,
            None if is_query => spec.icmp_for,
            None => spec.udp_for,
        };
        self.expires_at = now + lasts_for;
    }

    fn tcp_lasts_for(&self, spec: &NatSpec) -> Duration {
        match self.tcp {
            // RFC 5382 REQ-5: "the established connection idle-timeout MUST NOT be less than 2 hours 4 minutes", "the
            // transitory connection idle-timeout MUST NOT be less than 4 minutes".
            Some(tcp) if tcp.is_open() => spec.tcp_established_for,
            _ => spec.tcp_transitory_for,
        }
    }

    /// What it is called in listings; empty where there is nothing to say.
    pub(super) fn state(&self) -> &'static str {
        match self.tcp {
            None => "",
            Some(tcp) if tcp.is_reset => "RESET",
            Some(tcp) if tcp.fin == [true; 2] => "CLOSING",
            Some(tcp) if tcp.is_established => "ESTABLISHED",
            Some(_) => "OPENING",
        }
    }
}

impl Tracked {
    fn see(&mut self, from: From, segment: Segment) {
        if segment.is_syn && self.is_over() {
            *self = Self::default();
        }
        self.syn[from as usize] |= segment.is_syn;
        self.fin[from as usize] |= segment.is_fin;
        self.is_reset |= segment.is_reset;
        self.is_established |= self.syn == [true; 2] && segment.is_ack && !segment.is_syn;
    }

    fn is_over(self) -> bool {
        self.is_reset || self.fin == [true; 2]
    }

    fn is_open(self) -> bool {
        self.is_established && !self.is_over()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: Segment = Segment { is_syn: true, ..Segment::NONE };
    const SYN_ACK: Segment = Segment { is_syn: true, is_ack: true, ..Segment::NONE };
    const ACK: Segment = Segment { is_ack: true, ..Segment::NONE };
    const FIN: Segment = Segment { is_fin: true, is_ack: true, ..Segment::NONE };
    const RST: Segment = Segment { is_reset: true, ..Segment::NONE };

    /// How many seconds a session lasts after these packets at time zero.
    fn lasts(packets: &[(From, Segment)]) -> u64 {
        let mut session = Session::new(true);
        for (from, segment) in packets {
            session.packet(*from, *segment, &NatSpec::home(0), false, Time::ZERO);
        }
        session.expires_at.as_nanos() / 1_000_000_000
    }

    #[test]
    fn rfc_5382_req_5_a_connection_is_established_after_three_packets_and_no_sooner() {
        let (inside, outside) = (From::Inside, From::Outside);
        assert_eq!(lasts(&[(inside, SYN)]), 240);
        assert_eq!(lasts(&[(inside, SYN), (outside, SYN_ACK)]), 240);
        assert_eq!(lasts(&[(inside, SYN), (outside, SYN_ACK), (inside, ACK)]), 7440);
        // Begun outside.
        assert_eq!(lasts(&[(outside, SYN), (inside, SYN_ACK), (outside, ACK)]), 7440);
    }

    #[test]
    fn rfc_5382_req_2_simultaneous_open_is_an_opening() {
        let (inside, outside) = (From::Inside, From::Outside);
        assert_eq!(lasts(&[(inside, SYN), (outside, SYN), (inside, SYN_ACK), (outside, SYN_ACK)]), 240);
        assert_eq!(lasts(&[(inside, SYN), (outside, SYN), (inside, SYN_ACK), (outside, ACK)]), 7440);
    }

    #[test]
    fn one_fin_leaves_a_connection_established_and_two_or_a_reset_do_not() {
        let (inside, outside) = (From::Inside, From::Outside);
        let open = [(inside, SYN), (outside, SYN_ACK), (inside, ACK)];
        let then = |more: &[(From, Segment)]| lasts(&[&open[..], more].concat());
        assert_eq!(then(&[(inside, FIN)]), 7440);
        assert_eq!(then(&[(inside, FIN), (outside, FIN)]), 240);
        assert_eq!(then(&[(outside, RST)]), 240);
        assert_eq!(then(&[(outside, RST), (inside, SYN)]), 240);
        assert_eq!(then(&[(outside, RST), (inside, SYN), (outside, SYN_ACK), (inside, ACK)]), 7440);
    }

    #[test]
    fn what_was_not_seen_from_its_beginning_stays_transitory() {
        assert_eq!(lasts(&[(From::Inside, ACK), (From::Outside, ACK), (From::Inside, ACK)]), 240);
    }

    #[test]
    fn rfc_4787_req_6_what_goes_out_refreshes_and_what_comes_in_if_so_configured() {
        let udp = |refreshed_from_outside| {
            let spec = NatSpec { refreshed_from_outside, ..NatSpec::home(0) };
            let mut session = Session::new(false);
            session.packet(From::Inside, Segment::NONE, &spec, false, Time::ZERO);
            session.packet(From::Outside, Segment::NONE, &spec, false, Time::from_secs(100));
            let after_inbound = session.expires_at;
            session.packet(From::Inside, Segment::NONE, &spec, false, Time::from_secs(200));
            (after_inbound, session.expires_at)
        };
        assert_eq!(udp(true), (Time::from_secs(400), Time::from_secs(500)));
        assert_eq!(udp(false), (Time::from_secs(300), Time::from_secs(500)));
    }
}
