//! The counters of a [`Summary`](super::Summary).

use std::collections::BTreeMap;

use crate::id::{FrameId, NodeId, PipeId};
use crate::output::journal::{Journal, Relation};
use crate::output::places::{Wiring, opposite};
use crate::record::{Alteration, Cause, Names, Place, Record, What};
use crate::wire::{Flow, Frame};

/// How many flows have counters of their own; what comes after them is counted together.
pub(super) const FLOWS_MAX: usize = 4_096;

/// Frames and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Amount {
    fn count(&mut self, frame: &Frame) {
        self.packets += 1;
        self.bytes += frame.len() as u64;
    }
}

/// How many were dropped, by cause.
pub(super) type Drops = BTreeMap<Cause, u64>;

/// How many frames a pipe changed, copied or held back; each frame is counted once, however many rules meet it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Altered {
    pub(super) copied: u64,
    pub(super) damaged: u64,
    pub(super) held_back: u64,
    last_damaged: Option<FrameId>,
    last_held_back: Option<FrameId>,
}

impl Altered {
    fn count(&mut self, frame: FrameId, how: Alteration) {
        // All that a pipe does to a frame it does at once, so the last one is enough to remember.
        match how {
            Alteration::Corrupted { .. } => {
                self.damaged += u64::from(self.last_damaged.replace(frame) != Some(frame));
            }
            Alteration::Delayed(_) => {
                self.held_back += u64::from(self.last_held_back.replace(frame) != Some(frame));
            }
            Alteration::Duplicated { .. } => self.copied += 1,
        }
    }
}

/// What became of the frames of one pipe or one flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) sent: Amount,
    pub(super) received: Amount,
    pub(super) dropped: Drops,
    /// For a pipe.
    pub(super) altered: Altered,
}

impl Tally {
    /// Adds another's counts.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, part) in [(&mut self.sent, other.sent), (&mut self.received, other.received)] {
            sum.packets += part.packets;
            sum.bytes += part.bytes;
        }
        for (cause, count) in &other.dropped {
            *self.dropped.entry(*cause).or_default() += count;
        }
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// By pipe: what went in, what came out, what the link itself dropped.
    pub(super) pipes: BTreeMap<PipeId, Tally>,
    /// What nodes dropped inside themselves.
    pub(super) nodes: BTreeMap<NodeId, Drops>,
    /// All flows beyond the first [`FLOWS_MAX`].
    pub(super) other_flows: Tally,
    /// Where each flow's counters are.
    flow_places: BTreeMap<Flow, usize>,
    /// In the order in which flows were first seen.
    flow_tallies: Vec<Tally>,
    journal: Journal,
    wiring: Wiring,
}

impl Counters {
    pub(super) fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.journal.record(record);
        match record.what {
            What::Sent { frame } => {
                if let Place::Port(node, port) = record.place
                    && let Some(pipe) = self.wiring.pipe_from(node, port, names)
                {
                    self.pipes.entry(pipe).or_default().sent.count(frame);
                }
                let origin = self.journal.origin(frame, record.place);
                if origin.is_none_or(|origin| origin.relation != Relation::Forwards) {
                    self.flow(frame, |tally| tally.sent.count(frame));
                }
            }
            What::Delivered { frame } => {
                if let Place::Port(node, port) = record.place
                    && let Some(pipe) = self.wiring.pipe_from(node, port, names)
                {
                    self.pipes.entry(opposite(pipe)).or_default().received.count(frame);
                }
            }
            What::Dropped { frame, cause, .. } => {
                let drops = match record.place {
                    Place::Pipe(pipe) => &mut self.pipes.entry(pipe).or_default().dropped,
                    Place::Node(node) | Place::Port(node, _) => self.nodes.entry(node).or_default(),
                };
                *drops.entry(cause).or_default() += 1;
                self.flow(frame, |tally| *tally.dropped.entry(cause).or_default() += 1);
            }
            What::Altered { frame, how, .. } => {
                if let Place::Pipe(pipe) = record.place {
                    self.pipes.entry(pipe).or_default().altered.count(frame, how);
                }
            }
            What::LinkIsUp(_) | What::Note { .. } | What::Secret { .. } => {}
        }
    }

    /// The flows, first seen first.
    pub(super) fn flows(&self) -> Vec<(Flow, &Tally)> {
        let mut flows: Vec<(usize, Flow)> = self.flow_places.iter().map(|(flow, place)| (*place, *flow)).collect();
        flows.sort_unstable();
        flows.into_iter().filter_map(|(place, flow)| Some((flow, self.flow_tallies.get(place)?))).collect()
    }

    fn flow(&mut self, frame: &Frame, count: impl FnOnce(&mut Tally)) {
        let Some(flow) = Flow::of(frame) else { return };
        let known = self.flow_places.get(&flow).copied();
        let place = known.or_else(|| {
            let next = self.flow_tallies.len();
            (next < FLOWS_MAX).then(|| {
                self.flow_places.insert(flow, next);
                self.flow_tallies.push(Tally::default());
                next
            })
        });
        count(place.and_then(|place| self.flow_tallies.get_mut(place)).unwrap_or(&mut self.other_flows));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::*;
    use crate::record::Observer;

    struct Counting(Counters);

    impl Observer for Counting {
        fn record(&mut self, record: &Record<'_>, names: &Names) {
            self.0.record(record, names);
        }
    }

    #[test]
    fn a_flow_beyond_the_last_is_counted_with_the_others() {
        let mut counting = Counting(Counters::default());
        let mut teller = Teller::new(&mut counting);
        for count in 0..u32::try_from(FLOWS_MAX).unwrap() + 2 {
            let mut bytes = udp(b"", 64);
            // The UDP header's source port stands behind Ethernet's 14 and IPv4's 20 bytes.
            bytes[34..36].copy_from_slice(&u16::try_from(count).unwrap().to_be_bytes());
            teller.sent(0, CLIENT, ETH0, &frame(&bytes, id(CLIENT, count), None));
        }
        assert_eq!(counting.0.flows().len(), FLOWS_MAX);
        assert_eq!(counting.0.other_flows.sent, Amount { packets: 2, bytes: 84 });
    }
}
