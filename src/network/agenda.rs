//! What will happen: a heap of small keys.
//!
//! An entry says only *where to look*; the truth about what is due lies with the pipe or the node. A busy pipe has one
//! entry (for its head), a node one (for its earliest timer). An entry that turns out stale is ignored or moved.
//!
//! The order is (time, node, class, lane): it depends on simulated time and on ids that belong to one node, never on
//! the order in which entries were made. Packed into one `u128`, a comparison is one instruction pair.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::id::{NodeId, PortId};
use crate::time::Time;

/// What kind of thing is due at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A frame reaches a port: the lane is the port.
    Arrival,
    /// A timer of the node.
    Wake,
}

/// Where to look, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// At which node.
    pub node: NodeId,
    /// For what.
    pub class: Class,
    /// At which port, for an arrival; port 0 otherwise.
    pub port: PortId,
}

/// The place of an event among all events of a run: those of one instant at different nodes are independent, and come in
/// the order of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventKey {
    /// When.
    pub at: Time,
    /// At which node.
    pub node: NodeId,
    /// The how-manieth event of the part that the node is in: an order among those of one node at one instant. The greatest
    /// number stands behind all of those.
    pub count: u64,
}

impl EventKey {
    /// Behind everything.
    pub const END: Self = Self { at: Time::MAX, node: NodeId(u32::MAX), count: u64::MAX };

    /// Before everything that happens at an instant.
    #[must_use]
    pub fn before(at: Time) -> Self {
        Self { at, node: NodeId(0), count: 0 }
    }
}

impl Entry {
    /// ```text
    /// 127           64 63         32 31    24 23   16 15      0
    /// |     time      |    node     | unused | class |  port  |
    /// ```
    fn pack(self) -> u128 {
        u128::from(self.at.as_nanos()) << 64
            | u128::from(self.node.0) << 32
            | u128::from(self.class == Class::Wake) << 16
            | u128::from(self.port.0)
    }

    fn unpack(key: u128) -> Self {
        let class = if key >> 16 & 1 == 1 { Class::Wake } else { Class::Arrival };
        Self {
            at: Time::from_nanos((key >> 64) as u64),
            node: NodeId((key >> 32) as u32),
            class,
            port: PortId(key as u16),
        }
    }
}

/// Everything that is due, earliest first.
#[derive(Debug, Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<u128>>,
}

impl Agenda {
    /// Adds an entry.
    pub fn push(&mut self, entry: Entry) {
        self.heap.push(Reverse(entry.pack()));
    }

    /// The time of the first entry.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(key)| Entry::unpack(*key).at)
    }

    /// The first entry.
    #[must_use]
    pub fn first(&self) -> Option<Entry> {
        self.heap.peek().map(|Reverse(key)| Entry::unpack(*key))
    }

    /// Takes the first entry and, in the same movement of the heap, puts another in.
    pub fn replace_first(&mut self, entry: Option<Entry>) {
        let Some(mut first) = self.heap.peek_mut() else { return entry.into_iter().for_each(|entry| self.push(entry)) };
        match entry {
            Some(entry) => *first = Reverse(entry.pack()),
            None => drop(PeekMut::pop(first)),
        }
    }

    /// Takes the first entry if it is due at `until` or before.
    pub fn pop_until(&mut self, until: Time) -> Option<Entry> {
        let Reverse(key) = self.heap.peek()?;
        let entry = Entry::unpack(*key);
        (entry.at <= until).then(|| {
            self.heap.pop();
            entry
        })
    }

    /// Takes out all arrivals at a port. That looks at every entry: for what happens seldom.
    pub fn forget_arrivals(&mut self, node: NodeId, port: PortId) {
        let arrival = Entry { at: Time::ZERO, node, class: Class::Arrival, port }.pack() as u64;
        self.heap.retain(|Reverse(key)| *key as u64 != arrival);
    }

    /// All entries, in no order.
    pub fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.heap.into_iter().map(|Reverse(key)| Entry::unpack(key))
    }

    /// How many entries there are, stale ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        (0..5_u64, 0..4_u32, any::<bool>(), 0..3_u16).prop_map(|(at, node, wake, port)| Entry {
            at: Time::from_nanos(at),
            node: NodeId(node),
            class: if wake { Class::Wake } else { Class::Arrival },
            port: PortId(port),
        })
    }

    proptest! {
        #[test]
        fn entries_come_out_in_the_one_order_whatever_order_they_went_in(mut entries in prop::collection::vec(entry(), 0..50)) {
            let mut agenda = Agenda::default();
            entries.iter().for_each(|entry| agenda.push(*entry));
            let out: Vec<Entry> = std::iter::from_fn(|| agenda.pop_until(Time::MAX)).collect();
            entries.sort();
            prop_assert_eq!(out, entries);
        }
    }

    #[test]
    fn the_first_gives_way_to_another_in_one_movement() {
        let entry = |at| Entry { at: Time::from_secs(at), node: NodeId(0), class: Class::Wake, port: PortId(0) };
        let mut agenda = Agenda::default();
        for at in [3, 1, 2] {
            agenda.push(entry(at));
        }
        agenda.replace_first(Some(entry(4)));
        assert_eq!(agenda.first(), Some(entry(2)));
        agenda.replace_first(None);
        assert_eq!((agenda.first(), agenda.len()), (Some(entry(3)), 2));
    }

    #[test]
    fn nothing_is_taken_before_its_time() {
        let mut agenda = Agenda::default();
        agenda.push(Entry { at: Time::from_secs(2), node: NodeId(0), class: Class::Wake, port: PortId(0) });
        assert_eq!(agenda.pop_until(Time::from_secs(1)), None);
        assert_eq!(agenda.next_at(), Some(Time::from_secs(2)));
        assert!(agenda.pop_until(Time::from_secs(2)).is_some() && agenda.is_empty());
    }
}
