//! What a connection's segments have told of its sequence numbers.
//!
//! smoltcp keeps them to itself, but the shims around it need some: a SYN in TIME-WAIT is judged by the last number
//! received, a challenge ACK is provoked by the next one to be sent, a connection is given up when what was sent has
//! not been acknowledged for long.

use super::segment::{Segment, is_after};
use super::window::Edges;
use crate::time::Time;

/// What is known of a connection's sequence numbers, in the terms of RFC 9293 §3.3.1.
#[derive(Debug, Clone, Default)]
pub(super) struct Track {
    /// ISS: the sequence number of our SYN.
    pub(super) first_sent: Option<u32>,
    /// SND.NXT: after the last sequence number that was ever sent.
    pub(super) next_sent: u32,
    /// SND.UNA: the first that is not acknowledged.
    pub(super) unacknowledged: u32,
    /// Where both windows end.
    pub(super) edges: Edges,
    /// IRS: the sequence number of the peer's SYN.
    pub(super) first_received: Option<u32>,
    /// RCV.NXT, as it was last acknowledged.
    pub(super) acknowledged: u32,
    /// How many SYNs, or SYN|ACKs, have been sent.
    pub(super) syns_sent: u32,
    /// How many keep-alive probes have been sent since the peer was last heard.
    pub(super) probes_unanswered: u32,
    /// How many segments have been sent again.
    pub(super) retransmissions: u64,
    /// When the first segment was sent that the peer has not said anything after.
    pub(super) unanswered_since: Option<Time>,
}

impl Track {
    /// A segment goes out; true if it is sent again.
    pub(super) fn sent(&mut self, segment: &Segment, now: Time) -> bool {
        if segment.is_rst {
            return false;
        }
        self.edges.sending(segment);
        if let Some(ack) = segment.ack {
            self.acknowledged = ack;
        }
        if segment.is_syn {
            self.syns_sent += 1;
            self.first_sent = Some(segment.sequence);
            self.next_sent = segment.end();
            self.unacknowledged = segment.sequence;
            return self.syns_sent > 1;
        }
        if segment.length() == 0 {
            return false;
        }
        if self.unacknowledged == self.next_sent && is_after(self.next_sent, segment.sequence) {
            self.probes_unanswered += 1;
            return false;
        }
        let is_again = is_after(self.next_sent, segment.sequence);
        self.retransmissions += u64::from(is_again);
        if is_after(segment.end(), self.next_sent) {
            self.next_sent = segment.end();
        }
        self.unanswered_since.get_or_insert(now);
        is_again
    }

    /// A segment has come in; true if it acknowledges something new. Its window is mended if it shrinks below what is on
    /// its way.
    pub(super) fn received(&mut self, segment: &Segment, packet: &mut [u8]) -> bool {
        if segment.is_rst {
            return false;
        }
        // An acknowledgment that was overtaken is no news; smoltcp passes over it.
        if self.first_received.is_none() || segment.ack.is_some_and(|ack| !is_after(self.unacknowledged, ack)) {
            self.edges.granting(segment, packet);
        }
        if segment.is_syn {
            self.first_received.get_or_insert(segment.sequence);
        }
        let Some(ack) = segment.ack else { return false };
        self.probes_unanswered = 0;
        let is_progress = is_after(ack, self.unacknowledged) && !is_after(ack, self.next_sent);
        if is_progress {
            self.unacknowledged = ack;
        }
        // Even if it acknowledges nothing: a closed window is a patient "not yet", not silence.
        // RFC 1122 §4.2.2.17: "As long as the receiving TCP continues to send acknowledgments in response to the probe
        // segments, the sending TCP MUST allow the connection to stay open."
        self.unanswered_since = None;
        is_progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u32, payload: usize, ack: Option<u32>, is_syn: bool) -> Segment {
        Segment {
            source_port: 1,
            destination_port: 2,
            sequence,
            ack,
            is_fin: false,
            is_rst: false,
            is_syn,
            window: 1000,
            scale: None,
            tcp: 20,
            payload: 40..40 + payload,
        }
    }

    #[test]
    fn any_answer_ends_the_waiting_and_what_is_sent_next_begins_it() {
        let at = Time::from_secs;
        let mut track = Track::default();
        track.sent(&segment(u32::MAX, 0, None, true), at(0));
        assert!(track.received(&segment(9, 0, Some(0), true), &mut [0; 60]));
        assert_eq!(track.unanswered_since, None);
        assert!(!track.sent(&segment(0, 100, Some(10), false), at(2)));
        assert!(!track.sent(&segment(100, 100, Some(10), false), at(3)));
        assert_eq!(track.unanswered_since, Some(at(2)));
        assert!(track.received(&segment(10, 0, Some(100), false), &mut [0; 60]));
        assert!(!track.received(&segment(10, 0, Some(100), false), &mut [0; 60]));
        assert_eq!(track.unanswered_since, None);
        assert!(track.sent(&segment(100, 100, Some(10), false), at(5)));
        assert_eq!(track.unanswered_since, Some(at(5)));
        assert!(track.received(&segment(10, 0, Some(200), false), &mut [0; 60]));
        assert_eq!((track.unanswered_since, track.next_sent, track.first_received), (None, 200, Some(9)));
        // A keep-alive probe repeats an acknowledged byte and makes nobody wait.
        track.sent(&segment(199, 1, Some(10), false), at(7));
        assert_eq!((track.unanswered_since, track.probes_unanswered), (None, 1));
    }
}
