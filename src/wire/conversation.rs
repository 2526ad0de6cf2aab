//! TCP sequence numbers counted from the beginning of their connection.
//!
//! Initial sequence numbers are random; what a reader wants is "the first byte", "byte 1461". Whoever watches a
//! network owns a [`Conversations`], shows it every frame in order, and prints numbers [`Relative`] to what it
//! remembers: a SYN is 0, the first byte of data is 1, in both directions. Of a connection that was met in the middle,
//! the first segment seen is 1.

use std::collections::BTreeMap;

use smoltcp::wire::IpProtocol;

use super::flow::Flow;
use super::frame::Frame;
use super::view::{View, be16, be32, byte, tcp_header_bytes};

/// How many directions of connections are remembered before the older half is forgotten, at about 60 bytes each.
const DIRECTIONS_MAX: usize = 131_072;

/// The beginnings of the connections seen so far.
#[derive(Debug, Clone, Default)]
pub struct Conversations {
    /// First sequence numbers by who sends: those met or used lately.
    recent: BTreeMap<Flow, u32>,
    /// Those that will be forgotten next, unless they are used.
    older: BTreeMap<Flow, u32>,
}

/// What the numbers of one segment are counted from; zeros leave them as they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relative {
    sequence: u32,
    acknowledgment: u32,
}

/// What a summary says of a TCP segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) sequence: u32,
    pub(super) acknowledgment: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    pub(super) urgent: u16,
    pub(super) options: &'a [u8],
    /// Bytes of data by what the headers say, whether or not all of it is there.
    pub(super) length: u32,
}

impl Conversations {
    /// Takes note of a frame, and says what its numbers are to be counted from.
    ///
    /// Of a frame that a link has damaged no note is taken: what a flipped bit says shall not count for those that follow.
    pub fn observe(&mut self, frame: &Frame) -> Relative {
        let view = View::of(frame);
        let segment = view.ip.and_then(|ip| {
            let tcp = ip.transport(IpProtocol::Tcp)?;
            Some((Flow::of_packet(&ip), Segment::read(tcp, ip.payload_claimed)?))
        });
        segment.map_or_else(Relative::default, |(flow, segment)| match frame.damaged {
            false => self.observe_segment(flow, &segment),
            true => Relative { sequence: self.known(flow), acknowledgment: self.known(flow.reversed()) },
        })
    }

    fn observe_segment(&mut self, flow: Flow, segment: &Segment<'_>) -> Relative {
        let known = self.recall(flow);
        let sequence = if segment.is_syn() {
            if known.is_some_and(|known| known != segment.sequence) {
                // The ports are used again: what the other side once began with no longer counts.
                self.forget(flow.reversed());
            }
            self.remember(flow, segment.sequence);
            segment.sequence
        } else if let Some(known) = known {
            known
        } else if segment.is_rst() {
            // RFC 9293 §3.10.7.1: a reset that refuses a connection makes up its number; nothing begins with it.
            0
        } else {
            let before = segment.sequence.wrapping_sub(1);
            self.remember(flow, before);
            before
        };
        Relative { sequence, acknowledgment: self.acknowledged(flow.reversed(), segment) }
    }

    /// What the other side's numbers are counted from.
    fn acknowledged(&mut self, other: Flow, segment: &Segment<'_>) -> u32 {
        if let Some(known) = self.recall(other) {
            return known;
        }
        if !segment.is_ack() {
            return 0;
        }
        let before = segment.acknowledgment.wrapping_sub(1);
        if !segment.is_rst() {
            self.remember(other, before);
        }
        before
    }

    /// What a direction's numbers are counted from, if it has been met; zero otherwise. Takes no note.
    fn known(&self, flow: Flow) -> u32 {
        self.recent.get(&flow).or_else(|| self.older.get(&flow)).copied().unwrap_or_default()
    }

    fn recall(&mut self, flow: Flow) -> Option<u32> {
        if let Some(known) = self.recent.get(&flow) {
            return Some(*known);
        }
        let known = self.older.remove(&flow)?;
        self.remember(flow, known);
        Some(known)
    }

    fn remember(&mut self, flow: Flow, first: u32) {
        if self.recent.len() >= DIRECTIONS_MAX / 2 {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(flow, first);
    }

    fn forget(&mut self, flow: Flow) {
        self.recent.remove(&flow);
        self.older.remove(&flow);
    }
}

impl Relative {
    /// A number of the sender's.
    #[must_use]
    pub fn sequence(self, raw: u32) -> u32 {
        raw.wrapping_sub(self.sequence)
    }

    /// A number of the receiver's.
    #[must_use]
    pub fn acknowledgment(self, raw: u32) -> u32 {
        raw.wrapping_sub(self.acknowledgment)
    }
}

impl<'a> Segment<'a> {
    /// Reads a segment whose header is all there. `claimed` is its length by what the IP header says.
    pub(super) fn read(tcp: &'a [u8], claimed: usize) -> Option<Self> {
        let header = tcp_header_bytes(tcp)?;
        Some(Self {
            sequence: be32(tcp, 4)?,
            acknowledgment: be32(tcp, 8)?,
            flags: byte(tcp, 13)?,
            window: be16(tcp, 14)?,
            urgent: be16(tcp, 18)?,
            options: tcp.get(20..header)?,
            length: u32::try_from(claimed.saturating_sub(header)).unwrap_or(u32::MAX),
        })
    }

    pub(super) fn is_fin(&self) -> bool {
        self.flags & 0x01 != 0
    }

    pub(super) fn is_syn(&self) -> bool {
        self.flags & 0x02 != 0
    }

    pub(super) fn is_rst(&self) -> bool {
        self.flags & 0x04 != 0
    }

    pub(super) fn is_ack(&self) -> bool {
        self.flags & 0x10 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::flow::Ports;
    use std::net::{IpAddr, Ipv4Addr};

    /// From the `index`-th of very many hosts to one server.
    fn flow(index: u32) -> Flow {
        Flow {
            source: IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + index)),
            destination: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            protocol: IpProtocol::Tcp,
            ports: Ports::Pair { source: 49152, destination: 80 },
        }
    }

    fn segment(sequence: u32, flags: u8) -> Segment<'static> {
        Segment { sequence, acknowledgment: 0, flags, window: 0, urgent: 0, options: &[], length: 0 }
    }

    #[test]
    fn what_is_used_is_remembered_and_what_is_not_is_forgotten() {
        let mut conversations = Conversations::default();
        let syn = |sequence| segment(sequence, 0x02);
        conversations.observe_segment(flow(0), &syn(500));
        conversations.observe_segment(flow(1), &syn(500));
        let most = u32::try_from(DIRECTIONS_MAX).unwrap();
        for index in 2..most + 2 {
            conversations.observe_segment(flow(index), &syn(7));
            if index % 1000 == 0 {
                conversations.observe_segment(flow(0), &segment(501, 0));
            }
        }
        assert!(conversations.recent.len() + conversations.older.len() <= DIRECTIONS_MAX);
        let number = |conversations: &mut Conversations, index| {
            conversations.observe_segment(flow(index), &segment(600, 0)).sequence(600)
        };
        assert_eq!(number(&mut conversations, 0), 100);
        // Met again as if in the middle.
        assert_eq!(number(&mut conversations, 1), 1);
    }
}
