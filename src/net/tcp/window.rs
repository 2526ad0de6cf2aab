//! Windows that seem to shrink, kept from smoltcp (RFC 9293 §3.8.6, RFC 7323 §2).
//!
//! A window field counts in steps of a power of two. When what arrives is no multiple of a step, the right edge of the
//! window moves back by less than one.
//!
//! ```text
//!            ack 100, window 3 × 8 bytes: edge 124        ack 121, window 0 × 8 bytes: edge 121
//! ```
//!
//! That is no reason to lose anything, but smoltcp takes each edge at its word. As receiver it cuts off what lies
//! beyond the edge that it named last, and takes a FIN behind the cut for the end of the stream: bytes are lost. As
//! sender it takes what is on its way beyond the edge for unsent, and forgets to send it again. And while the last edge
//! it named is that of its own SYN|ACK, which is not scaled, it believes that it has offered more than it has room for.

use smoltcp::wire::{TcpPacket, TcpSeqNumber};

use super::segment::{Segment, is_after, set_ip_length};
use crate::wire::Frame;

/// RFC 7323 §2.3: "the shift count MUST be limited to 14".
const SCALE_MAX: u8 = 14;

/// Where the windows of a connection end.
#[derive(Debug, Clone, Default)]
pub(super) struct Edges {
    /// The scale that our SYN has announced.
    our_scale: Option<u8>,
    /// The scale that the peer's SYN has announced.
    their_scale: Option<u8>,
    /// The sequence number after the last that the peer may send, as it was last told.
    offered: Option<u32>,
    /// It was last told so by a SYN|ACK.
    is_offered_by_syn: bool,
    /// The sequence number after the last that we may send.
    granted: Option<u32>,
    /// The sequence number after the last byte that was sent within what was granted then.
    sent: Option<u32>,
    /// SND.NXT: that, or the one after our FIN.
    next: Option<u32>,
}

/// How much of a segment lies within what the peer was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// All of it, or none of it and smoltcp knows.
    Whole,
    /// So many bytes of its payload.
    Part(usize),
    /// None of it, and smoltcp would believe otherwise.
    Nothing,
}

impl Edges {
    /// A segment goes out.
    pub(super) fn sending(&mut self, segment: &Segment) {
        if segment.is_syn {
            self.our_scale = segment.scale;
        }
        if let Some(ack) = segment.ack {
            // RFC 7323 §2.2: "The window field in a segment where the SYN bit is set ... MUST NOT be scaled."
            let scale = if segment.is_syn { 0 } else { self.scale() };
            self.offered = Some(edge(ack, segment.window, scale));
            self.is_offered_by_syn = segment.is_syn;
        }
        // What lies beyond is a probe of a closed window: smoltcp knows that it has not been sent.
        if !segment.payload.is_empty() && self.granted.is_some_and(|granted| is_after(granted, segment.sequence)) {
            self.sent = later(self.sent, segment.sequence.wrapping_add(segment.payload.len() as u32));
            self.next = later(self.next, segment.end());
        }
        if segment.is_fin {
            self.next = later(self.next, segment.end());
        }
    }

    /// Gives an acknowledgment without data the sequence number that it must have.
    ///
    /// RFC 9293 §3.10.7.4: "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>". smoltcp takes SND.NXT back to SND.UNA at a timeout: to a
    /// peer that has received what is sent again already, the acknowledgment would seem old, and be passed over. When
    /// both sides wait for an acknowledgment, neither would ever get one.
    pub(super) fn number(&self, segment: &mut Segment, packet: &mut [u8]) {
        let is_empty = segment.length() == 0 && !segment.is_rst;
        if let Some(next) = self.next.filter(|next| is_empty && is_after(*next, segment.sequence)) {
            segment.sequence = next;
            TcpPacket::new_unchecked(&mut packet[segment.tcp..]).set_seq_number(TcpSeqNumber(next.cast_signed()));
        }
    }

    /// How much of what has come in may be taken.
    pub(super) fn fit(&self, segment: &Segment) -> Fit {
        let end = segment.sequence.wrapping_add(segment.payload.len() as u32);
        let has_data = !segment.payload.is_empty();
        let Some(offered) = self.offered.filter(|offered| has_data && is_after(end, *offered)) else {
            return Fit::Whole;
        };
        if is_after(offered, segment.sequence) {
            Fit::Part(offered.wrapping_sub(segment.sequence) as usize)
        } else if self.is_offered_by_syn && self.scale() > 0 {
            Fit::Nothing
        } else {
            Fit::Whole
        }
    }

    /// By how much our windows are scaled: RFC 7323 §2.2, not at all unless both sides have offered to.
    fn scale(&self) -> u8 {
        self.our_scale.filter(|_| self.their_scale.is_some()).unwrap_or(0)
    }

    /// Takes note of the window that a segment grants which acknowledges no less than those before it. It is
    /// written anew if it would end before what has been sent.
    ///
    /// RFC 9293 §3.8.6: "a sending TCP peer MUST be robust against window shrinking, which may cause the 'usable window'
    /// to become negative", and "SHOULD retransmit normally the old unacknowledged data".
    pub(super) fn granting(&mut self, segment: &Segment, packet: &mut [u8]) {
        if segment.is_syn {
            self.their_scale = segment.scale.map(|scale| scale.min(SCALE_MAX));
        }
        let Some(ack) = segment.ack else { return };
        let scale = if segment.is_syn { 0 } else { self.their_scale.unwrap_or(0) };
        let mut window = segment.window;
        if let Some(sent) = self.sent.filter(|sent| is_after(*sent, edge(ack, window, scale))) {
            let steps = sent.wrapping_sub(ack).div_ceil(1 << scale);
            window = u16::try_from(steps).unwrap_or(u16::MAX);
            TcpPacket::new_unchecked(&mut packet[segment.tcp..]).set_window_len(window);
        }
        self.granted = Some(edge(ack, window, scale));
    }
}

/// The later of two sequence numbers, one of which there may not be.
fn later(known: Option<u32>, new: u32) -> Option<u32> {
    known.filter(|known| is_after(*known, new)).or(Some(new))
}

/// Where a window ends.
fn edge(ack: u32, window: u16, scale: u8) -> u32 {
    ack.wrapping_add(u32::from(window) << scale)
}

/// Leaves the first `length` bytes of a segment's payload, and no FIN behind them.
pub(super) fn trim(frame: &mut Frame, segment: &mut Segment, length: usize) {
    segment.payload.end = segment.payload.start + length;
    segment.is_fin = false;
    frame.buffer_mut().truncate(segment.payload.end);
    set_ip_length(frame.bytes_mut());
    let mut tcp = TcpPacket::new_unchecked(&mut frame.bytes_mut()[segment.tcp..]);
    tcp.set_fin(false);
    tcp.set_psh(false);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u32, payload: usize, ack: u32, window: u16) -> Segment {
        Segment {
            source_port: 1,
            destination_port: 2,
            sequence,
            ack: Some(ack),
            is_fin: false,
            is_rst: false,
            is_syn: false,
            window,
            scale: None,
            tcp: 20,
            payload: 40..40 + payload,
        }
    }

    fn syn(scale: Option<u8>) -> Segment {
        Segment { is_syn: true, scale, ..segment(u32::MAX, 0, 100, 1000) }
    }

    /// Both ends scale, ours by 8, theirs by 4; we may send from 0 to 1000, they from 100.
    fn open() -> Edges {
        let mut edges = Edges::default();
        edges.sending(&syn(Some(3)));
        edges.granting(&Segment { ack: Some(0), ..syn(Some(2)) }, &mut [0; 60]);
        edges
    }

    /// The window field as it is after `edges` have seen it.
    fn granted(edges: &mut Edges, ack: u32, window: u16) -> u16 {
        let mut packet = [0; 60];
        let mut tcp = TcpPacket::new_unchecked(&mut packet[20..]);
        tcp.set_window_len(window);
        edges.granting(&segment(100, 0, ack, window), &mut packet);
        TcpPacket::new_unchecked(&packet[20..]).window_len()
    }

    #[test]
    fn what_lies_beyond_the_last_offer_is_cut_off() {
        let mut edges = open();
        edges.sending(&segment(0, 0, 100, 3));
        // 100 + 3 × 8 = 124.
        assert_eq!(edges.fit(&segment(100, 24, 0, 0)), Fit::Whole);
        assert_eq!(edges.fit(&segment(100, 25, 0, 0)), Fit::Part(24));
        assert_eq!(edges.fit(&segment(123, 9, 0, 0)), Fit::Part(1));
        // A probe of the closed window: smoltcp answers it.
        assert_eq!(edges.fit(&segment(124, 1, 0, 0)), Fit::Whole);
        edges.sending(&segment(0, 0, 121, 0));
        assert_eq!(edges.fit(&segment(121, 3, 0, 0)), Fit::Whole);
    }

    #[test]
    fn what_a_syn_offers_is_not_scaled() {
        let edges = open();
        assert_eq!(edges.fit(&segment(1000, 101, 0, 0)), Fit::Part(100));
        assert_eq!(edges.fit(&segment(1100, 1, 0, 0)), Fit::Nothing);
        // Without data there is nothing to be cut off.
        assert_eq!(edges.fit(&segment(5000, 0, 0, 0)), Fit::Whole);
        let mut unscaled = Edges::default();
        unscaled.sending(&syn(Some(3)));
        unscaled.granting(&syn(None), &mut [0; 60]);
        assert_eq!(unscaled.fit(&segment(1100, 1, 0, 0)), Fit::Whole);
    }

    #[test]
    fn a_window_never_ends_before_what_has_been_sent_within_it() {
        let mut edges = open();
        // 0 + 6 × 4 = 24 bytes, of which 23 are sent.
        assert_eq!(granted(&mut edges, 0, 6), 6);
        edges.sending(&segment(0, 23, 100, 3));
        // 11 have been read by none: 12 are left, told as 3 × 4 = 12, from 10 on: up to 22. Mended to four steps.
        assert_eq!(granted(&mut edges, 10, 3), 4);
        // All that was sent has come: a closed window is closed.
        assert_eq!(granted(&mut edges, 23, 0), 0);
        // A probe of it is not on its way.
        edges.sending(&segment(23, 1, 100, 3));
        assert_eq!(granted(&mut edges, 23, 0), 0);
    }

    #[test]
    fn an_acknowledgment_has_the_number_after_all_that_was_sent() {
        let mut edges = open();
        let number = |edges: &Edges, mut segment: Segment| {
            let mut packet = [0; 100];
            edges.number(&mut segment, &mut packet);
            (segment.sequence, TcpPacket::new_unchecked(&packet[20..]).seq_number().0)
        };
        assert_eq!(number(&edges, segment(0, 0, 100, 3)), (0, 0));
        edges.sending(&segment(0, 500, 100, 3));
        edges.sending(&Segment { is_fin: true, ..segment(500, 20, 100, 3) });
        assert_eq!(number(&edges, segment(0, 0, 100, 3)), (521, 521));
        assert_eq!(number(&edges, segment(521, 0, 100, 3)), (521, 0));
        // Data keeps its place, and so does a RST.
        assert_eq!(number(&edges, segment(0, 20, 100, 3)), (0, 0));
        assert_eq!(number(&edges, Segment { is_rst: true, ..segment(0, 0, 100, 3) }), (0, 0));
    }
}
