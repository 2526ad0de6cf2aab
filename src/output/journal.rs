//! Numbers for frames, and what each frame has to do with the one before it.
//!
//! Ids are for machines. A person reads `#17`: frames are numbered from 1 in the order in which they were first put on a
//! link or copied by one. Every output keeps a journal over *all* records, whatever else it leaves out, so that
//! `#17` is the same frame in every output of a run.
//!
//! A frame that a router passes on is a new frame whose cause is the old one; the journal says so in a word
//! ([`Relation`]), judging by who sent the two and by their addresses.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use smoltcp::wire::{ArpPacket, EthernetFrame, EthernetProtocol, Ipv4Packet, Ipv6Packet};

use crate::id::{FrameId, NodeId};
use crate::record::{Alteration, Place, Record, What};
use crate::wire::vlan::{VLAN_TAG_BYTES, tag_of};
use crate::wire::{Frame, Layer};

/// How many of the latest frames are remembered: some 25 MB at most.
///
/// A frame that this many others have followed is named no more: it arrives as `#?`, and what it causes is told
/// without its cause. Frames in flight, in queues and in retransmission buffers are far fewer.
pub const FRAMES_REMEMBERED: usize = 1 << 18;

#[expect(clippy::disallowed_types, reason = "the hasher is fixed and the map is only looked up in")]
type FrameMap = std::collections::HashMap<FrameId, Entry, FixedState>;

/// What a frame has to do with the frame without which it would not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It goes back to whom the other came from: a reply, an error message.
    Answers,
    /// A link made it out of the other.
    Copies,
    /// Anything else: a router asks for an address because of what it has to forward.
    Follows,
    /// It carries the other on.
    Forwards,
    /// The same node sent the other: a retransmission.
    Resends,
}

impl Relation {
    /// As outputs say it, with the other's number behind it: `forwards`.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Copies => "copy of",
            Self::Follows => "because of",
            Self::Forwards => "forwards",
            Self::Resends => "resends",
        }
    }
}

/// The frame without which another would not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// What the two have to do with each other.
    pub relation: Relation,
    /// The earlier frame's number.
    pub number: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.relation.phrase(), self.number)
    }
}

/// Who a frame is from and for, and in which protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    protocol: EthernetProtocol,
    source: IpAddr,
    destination: IpAddr,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    number: u64,
    /// `None` for a copy that a link made.
    sent_by: Option<NodeId>,
    ends: Option<Ends>,
    /// Who sent the frame by its Ethernet header; asked only of what is no packet.
    station: Option<[u8; 6]>,
}

/// The numbers of the frames of one run.
#[derive(Debug, Default)]
pub struct Journal {
    entries: FrameMap,
    /// The remembered frames, oldest first.
    order: VecDeque<FrameId>,
    count: u64,
}

impl Journal {
    /// Takes note of a record. Every record must pass here, before anything is asked about its frame.
    pub fn record(&mut self, record: &Record<'_>) {
        match record.what {
            What::Sent { frame } => {
                let sent_by = match record.place {
                    Place::Node(node) | Place::Port(node, _) => Some(node),
                    Place::Pipe(_) => None,
                };
                if let Some(id) = frame.id {
                    self.add(id, sent_by, ends(frame), station(frame));
                }
            }
            What::Altered { frame, how: Alteration::Duplicated { copy }, .. } => {
                let original = self.entries.get(&frame);
                let (ends, station) = original.map_or((None, None), |original| (original.ends, original.station));
                self.add(copy, None, ends, station);
            }
            _ => {}
        }
    }

    /// The number of a frame that was sent or copied, while it is remembered.
    #[must_use]
    pub fn number(&self, id: FrameId) -> Option<u64> {
        self.entries.get(&id).map(|entry| entry.number)
    }

    /// The frame without which `frame`, last seen at `place`, would not be.
    #[must_use]
    pub fn origin(&self, frame: &Frame, place: Place) -> Option<Origin> {
        let cause = self.entries.get(&frame.cause?)?;
        let own = frame.id.and_then(|id| self.entries.get(&id));
        let sent_by = match (own, place) {
            (Some(entry), _) => entry.sent_by,
            (None, Place::Node(node) | Place::Port(node, _)) => Some(node),
            (None, Place::Pipe(_)) => None,
        };
        let relation = match (sent_by, ends(frame), cause.ends) {
            (None, ..) => Relation::Copies,
            _ if sent_by == cause.sent_by => Relation::Resends,
            (_, Some(new), Some(old)) if new.destination == old.source => Relation::Answers,
            // One of the two may have been translated.
            (_, Some(new), Some(old))
                if new.protocol == old.protocol && (new.source == old.source || new.destination == old.destination) =>
            {
                Relation::Forwards
            }
            // What is no packet at all has been passed on by a switch if its sender is still the same.
            (_, None, None) if station(frame) == cause.station => Relation::Forwards,
            _ => Relation::Follows,
        };
        Some(Origin { relation, number: cause.number })
    }

    /// How many frames have been numbered.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    fn add(&mut self, id: FrameId, sent_by: Option<NodeId>, ends: Option<Ends>, station: Option<[u8; 6]>) {
        if self.entries.contains_key(&id) {
            return;
        }
        if self.order.len() >= FRAMES_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.count += 1;
        self.entries.insert(id, Entry { number: self.count, sent_by, ends, station });
        self.order.push_back(id);
    }
}

/// `#17`, or `#?` for a frame that is remembered no more.
pub(super) fn hash_number(number: Option<u64>) -> String {
    number.map_or_else(|| "#?".to_owned(), |number| format!("#{number}"))
}

fn station(frame: &Frame) -> Option<[u8; 6]> {
    match frame.layer {
        Layer::Ethernet => frame.bytes().get(6..)?.first_chunk().copied(),
        Layer::Ip => None,
    }
}

fn ends(frame: &Frame) -> Option<Ends> {
    let (protocol, payload) = match frame.layer {
        Layer::Ethernet => {
            // A VLAN tag stands in front of the type of what is in the frame.
            let tag = tag_of(frame.bytes()).map_or(0, |_| VLAN_TAG_BYTES);
            let bytes = frame.bytes().get(tag..)?;
            let ethernet = EthernetFrame::new_checked(bytes).ok()?;
            (ethernet.ethertype(), bytes.get(EthernetFrame::<&[u8]>::header_len()..)?)
        }
        Layer::Ip if frame.bytes().first()? >> 4 == 6 => (EthernetProtocol::Ipv6, frame.bytes()),
        Layer::Ip => (EthernetProtocol::Ipv4, frame.bytes()),
    };
    let (source, destination) = match protocol {
        EthernetProtocol::Arp => {
            let arp = ArpPacket::new_checked(payload).ok()?;
            let source: [u8; 4] = arp.source_protocol_addr().try_into().ok()?;
            let target: [u8; 4] = arp.target_protocol_addr().try_into().ok()?;
            (IpAddr::from(source), IpAddr::from(target))
        }
        EthernetProtocol::Ipv4 => {
            let ip = Ipv4Packet::new_checked(payload).ok()?;
            (ip.src_addr().into(), ip.dst_addr().into())
        }
        EthernetProtocol::Ipv6 => {
            let ip = Ipv6Packet::new_checked(payload).ok()?;
            (ip.src_addr().into(), ip.dst_addr().into())
        }
        EthernetProtocol::Unknown(_) => return None,
    };
    Some(Ends { protocol, source, destination })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::record::{Names, Observer};
    use crate::time::Time;

    #[derive(Default)]
    struct Keeping(Journal);

    impl Observer for Keeping {
        fn record(&mut self, record: &Record<'_>, _names: &Names) {
            self.0.record(record);
        }
    }

    #[test]
    fn frames_are_numbered_as_they_are_sent_or_copied() {
        let mut keeping = Keeping::default();
        lossy_handshake(&mut keeping);
        let copy = FrameId { origin: FrameId::LINK_BIT | wan().0, count: 0 };
        let order = [id(CLIENT, 0), id(R1, 0), id(CLIENT, 1), id(R1, 1), copy, id(SERVER, 0), id(R1, 2), id(CLIENT, 2)];
        let numbers: Vec<Option<u64>> = order.iter().map(|id| keeping.0.number(*id)).collect();
        assert_eq!(numbers, (1..=8).map(Some).collect::<Vec<_>>());
        assert_eq!((keeping.0.count(), keeping.0.number(id(SERVER, 9))), (8, None));
    }

    #[test]
    fn what_a_frame_has_to_do_with_its_cause_shows_in_senders_and_addresses() {
        let mut journal = Journal::default();
        let send = |journal: &mut Journal, node, frame: &Frame| {
            let place = Place::Port(node, ETH0);
            journal.record(&Record { at: Time::ZERO, place, what: What::Sent { frame } });
        };
        let there = frame(&udp(b"x", 64), id(CLIENT, 0), None);
        send(&mut journal, CLIENT, &there);
        let back = tcp_back(smoltcp::wire::TcpControl::None, 0, Some(0), b"", 64);
        let cases = [
            (R1, udp(b"x", 63), Relation::Forwards),
            (CLIENT, udp(b"x", 64), Relation::Resends),
            (SERVER, back, Relation::Answers),
            (R1, arp_request(), Relation::Follows),
        ];
        for (count, (node, bytes, relation)) in (1..).zip(cases) {
            let frame = frame(&bytes, id(node, count), there.id);
            assert_eq!(Journal::default().origin(&frame, Place::Node(node)), None, "an unknown cause is not told");
            send(&mut journal, node, &frame);
            let origin = journal.origin(&frame, Place::Port(node, ETH0)).unwrap();
            assert_eq!((origin.relation, origin.number), (relation, 1));
        }
    }

    #[test]
    fn the_oldest_frame_is_forgotten_first() {
        let mut journal = Journal::default();
        let frames = u32::try_from(FRAMES_REMEMBERED).unwrap() + 1;
        for count in 0..frames {
            journal.add(id(CLIENT, count), Some(CLIENT), None, None);
        }
        assert_eq!((journal.number(id(CLIENT, 0)), journal.number(id(CLIENT, 1))), (None, Some(2)));
        assert_eq!(journal.number(id(CLIENT, frames - 1)), Some(u64::from(frames)));
        assert_eq!(hash_number(None), "#?");
    }
}
