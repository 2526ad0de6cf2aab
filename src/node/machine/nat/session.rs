//! One connection through a mapping: how long it may be silent (RFC 5382 §5, RFC 4787 §4.3, RFC 5508 §3.2).

use super::super::middle::{Seen, Segment, Way};
use super::spec::NatSpec;
use crate::time::Time;

/// One connection: a mapping and a far end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    tcp: Option<Seen>,
    /// When it is forgotten if nothing more comes.
    pub(super) expires_at: Time,
    /// When the translator will look at it: its entry among the timers. Never later than `expires_at`.
    pub(super) due_at: Time,
    /// Packets from inside, from outside.
    pub(super) packets: [u64; 2],
}

impl Session {
    pub(super) fn new(is_tcp: bool) -> Self {
        let tcp = is_tcp.then(Seen::default);
        Self { tcp, expires_at: Time::ZERO, due_at: Time::ZERO, packets: [0; 2] }
    }

    /// A packet has gone through.
    pub(super) fn packet(&mut self, way: Way, segment: Segment, spec: &NatSpec, is_query: bool, now: Time) {
        self.packets[way as usize] += 1;
        let is_first = self.packets == [0, 1];
        let lasts_for = match &mut self.tcp {
            Some(tcp) => {
                tcp.see(way, segment);
                if tcp.is_open() { spec.tcp_established_for } else { spec.tcp_transitory_for }
            }
            // RFC 4787 REQ-6: "The NAT mapping Refresh Direction MUST have a 'NAT Outbound refresh behavior' of 'True'."
            // "a) The NAT mapping MAY have a 'NAT Inbound refresh behavior' of 'True'."
            None if way == Way::Back && !spec.refreshed_from_outside && !is_first => return,
            None if is_query => spec.icmp_for,
            None => spec.udp_for,
        };
        self.expires_at = now + lasts_for;
    }

    /// What it is called in listings; empty where there is nothing to say.
    pub(super) fn state(&self) -> &'static str {
        self.tcp.map_or("", Seen::name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4787_req_6_what_goes_out_refreshes_and_what_comes_in_if_so_configured() {
        let udp = |refreshed_from_outside| {
            let spec = NatSpec { refreshed_from_outside, ..NatSpec::home(0) };
            let mut session = Session::new(false);
            session.packet(Way::There, Segment::NONE, &spec, false, Time::ZERO);
            session.packet(Way::Back, Segment::NONE, &spec, false, Time::from_secs(100));
            let after_inbound = session.expires_at;
            session.packet(Way::There, Segment::NONE, &spec, false, Time::from_secs(200));
            (after_inbound, session.expires_at)
        };
        assert_eq!(udp(true), (Time::from_secs(400), Time::from_secs(500)));
        assert_eq!(udp(false), (Time::from_secs(300), Time::from_secs(500)));
    }

    #[test]
    fn rfc_5382_req_5_an_established_connection_lasts_longer() {
        let spec = NatSpec::home(0);
        let mut session = Session::new(true);
        let syn = Segment { is_syn: true, ..Segment::NONE };
        let mut lasts = |way, segment| {
            session.packet(way, segment, &spec, false, Time::ZERO);
            session.expires_at
        };
        assert_eq!(lasts(Way::There, syn), Time::from_secs(240));
        assert_eq!(lasts(Way::Back, Segment { is_ack: true, ..syn }), Time::from_secs(240));
        assert_eq!(lasts(Way::There, Segment { is_ack: true, ..Segment::NONE }), Time::from_secs(7440));
    }
}
