//! The neighbor table: which hardware address answers for which IP address.
//!
//! ```text
//!            first packet                     answer
//!   (none) ───────────────▶ Incomplete ──────────────────────▶ Reachable ◀──┐ answer
//!                             │      ▲                            │         │
//!               no answer,    ▼      │ next packet      used      ▼         │
//!               asked thrice Failed ─┘                after 60 s Probing ───┤
//!                             ▲                                   │         │
//!                             └──────────── no answer ────────────┘
//! ```
//!
//! Only the table and its states are here: which packets go out, and what becomes of packets that wait, is decided in
//! [`arp`](super::arp). While a neighbor is asked again (`Probing`), packets still go to its old hardware address.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use smoltcp::wire::EthernetAddress;

use super::spec::InterfaceSpec;
use crate::node::Mac;
use crate::time::Time;
use crate::wire::Frame;

/// How many neighbors a machine knows on one link. As Linux's `gc_thresh3`, which is for all links together; here a
/// router with ten thousand links knows who is on each, and a storm on one cannot push out those on others. When it is
/// reached, the one on that link that was heard of least recently makes room.
pub(super) const NEIGHBORS_MAX: usize = 1024;

/// A neighbor: on which link, and its address there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NeighborKey {
    pub(super) interface: u16,
    pub(super) address: Ipv4Addr,
}

/// What is known of a neighbor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody answered.
    Failed,
    /// It has been asked, this many times, and packets wait for the answer.
    Incomplete { tries: u8 },
    /// Known from the configuration, for ever.
    Permanent,
    /// Its answer has aged; it has been asked again, this many times.
    Probing { tries: u8 },
    /// It has answered, and that is trusted until then. Afterwards the next packet makes the machine ask again.
    Reachable { until: Time },
}

/// A neighbor.
#[derive(Debug)]
pub(super) struct Neighbor {
    pub(super) state: State,
    /// Meaningless while incomplete or failed.
    pub(super) mac: EthernetAddress,
    /// Packets for it, oldest first.
    pub(super) waiting: VecDeque<Frame>,
    /// When it is to be asked again or given up: its entry among the machine's timers.
    pub(super) timer_at: Option<Time>,
    /// When its state last changed.
    changed_at: Time,
}

impl Neighbor {
    /// Whether packets can be sent to its hardware address.
    pub(super) fn has_mac(&self) -> bool {
        matches!(self.state, State::Permanent | State::Probing { .. } | State::Reachable { .. })
    }
}

/// All neighbors of a machine.
#[derive(Debug, Default)]
pub(super) struct NeighborTable {
    /// In boxes: the smallest tree has room for eleven.
    neighbors: BTreeMap<NeighborKey, Box<Neighbor>>,
    /// How many there are on each interface; as long as it needs to be.
    counts: Vec<u16>,
}

impl NeighborTable {
    pub(super) fn get_mut(&mut self, key: NeighborKey) -> Option<&mut Neighbor> {
        self.neighbors.get_mut(&key).map(|neighbor| &mut **neighbor)
    }

    /// The hardware address that answers for a neighbor, and until when that is trusted; `None` unless it is at `now`.
    pub(super) fn mac_of(&self, key: NeighborKey, now: Time) -> Option<(EthernetAddress, Time)> {
        let neighbor = self.neighbors.get(&key)?;
        match neighbor.state {
            State::Permanent => Some((neighbor.mac, Time::MAX)),
            State::Reachable { until } if now < until => Some((neighbor.mac, until)),
            _ => None,
        }
    }

    /// When a neighbor was given up, if nothing has been heard of it since.
    pub(super) fn failed_at(&self, key: NeighborKey) -> Option<Time> {
        let neighbor = self.neighbors.get(&key)?;
        (neighbor.state == State::Failed).then_some(neighbor.changed_at)
    }

    /// Puts a neighbor, known or new, into this state, and says whether another had to make room for it. `None` if there is
    /// no room for a new one.
    pub(super) fn set(
        &mut self,
        key: NeighborKey,
        state: State,
        mac: EthernetAddress,
        now: Time,
    ) -> Option<(&mut Neighbor, bool)> {
        let has_evicted = if self.neighbors.contains_key(&key) { false } else { self.make_room(key.interface)? };
        let fresh = || Box::new(Neighbor { state, mac, waiting: VecDeque::new(), timer_at: None, changed_at: now });
        let neighbor = self.neighbors.entry(key).or_insert_with(fresh);
        (neighbor.state, neighbor.mac, neighbor.changed_at) = (state, mac, now);
        Some((neighbor, has_evicted))
    }

    /// Takes out every neighbor on `interface` that is not permanent.
    pub(super) fn take_from(&mut self, interface: u16) -> Vec<(NeighborKey, Neighbor)> {
        let is_there = |key: &NeighborKey, neighbor: &mut Box<Neighbor>| {
            key.interface == interface && neighbor.state != State::Permanent
        };
        let taken = self.neighbors.extract_if(.., is_there).map(|(key, neighbor)| (key, *neighbor));
        let taken: Vec<(NeighborKey, Neighbor)> = taken.collect();
        if let Some(count) = self.counts.get_mut(usize::from(interface)) {
            *count -= taken.len() as u16;
        }
        taken
    }

    /// Every packet that waits, the table left empty.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Frame> + use<> {
        self.counts.clear();
        std::mem::take(&mut self.neighbors).into_values().flat_map(|neighbor| neighbor.waiting)
    }

    /// The table, one neighbor a line, as `ip neigh` shows it.
    pub(super) fn show(&self, interfaces: &[InterfaceSpec], now: Time) -> String {
        let mut text = String::new();
        for (key, neighbor) in &self.neighbors {
            let device = interfaces.get(usize::from(key.interface)).map_or("?", |interface| &interface.name);
            let _ = write!(text, "{} dev {device}", key.address);
            if neighbor.has_mac() {
                let _ = write!(text, " lladdr {}", Mac(neighbor.mac));
            }
            let state = match neighbor.state {
                State::Failed => "FAILED",
                State::Incomplete { .. } => "INCOMPLETE",
                State::Permanent => "PERMANENT",
                State::Probing { .. } => "PROBE",
                State::Reachable { until } if now < until => "REACHABLE",
                State::Reachable { .. } => "STALE",
            };
            let _ = writeln!(text, " {state}");
        }
        text
    }

    /// Counts another neighbor on an interface, for whom the one that was heard of least recently may have to be
    /// forgotten, and whether it was; `None` if none can be spared.
    fn make_room(&mut self, interface: u16) -> Option<bool> {
        let place = usize::from(interface);
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        if usize::from(self.counts[place]) < NEIGHBORS_MAX {
            self.counts[place] += 1;
            return Some(false);
        }
        // Linear in what a link may hold, but only while that is reached. Who is being asked has packets and a timer.
        let spare = |neighbor: &Neighbor| matches!(neighbor.state, State::Failed | State::Reachable { .. });
        let on_link = |address| NeighborKey { interface, address };
        let range = on_link(Ipv4Addr::UNSPECIFIED)..=on_link(Ipv4Addr::BROADCAST);
        let candidates = self.neighbors.range(range).filter(|(_, neighbor)| spare(neighbor));
        let oldest = candidates.min_by_key(|(key, neighbor)| (neighbor.changed_at, **key)).map(|(key, _)| *key);
        self.neighbors.remove(&oldest?).map(|_| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> NeighborKey {
        NeighborKey { interface: 0, address: number.into() }
    }

    const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 9]);

    #[test]
    fn a_full_table_forgets_whom_it_heard_of_least_recently() {
        let mut table = NeighborTable::default();
        for number in 0..NEIGHBORS_MAX as u32 {
            let now = Time::from_secs(u64::from(number + 1));
            assert!(table.set(key(number), State::Reachable { until: Time::MAX }, MAC, now).is_some());
        }
        // The first is heard of again, so the second is the oldest.
        let _ = table.set(key(0), State::Reachable { until: Time::MAX }, MAC, Time::from_secs(5000));
        assert!(table.set(key(9999), State::Incomplete { tries: 1 }, MAC, Time::from_secs(5001)).is_some());
        assert!(table.get_mut(key(0)).is_some() && table.get_mut(key(1)).is_none() && table.get_mut(key(2)).is_some());
    }

    #[test]
    fn a_full_link_takes_nothing_from_others_and_has_room_again_once_it_was_down() {
        let mut table = NeighborTable::default();
        let other = NeighborKey { interface: 3, address: Ipv4Addr::from_bits(1) };
        assert!(table.set(other, State::Reachable { until: Time::MAX }, MAC, Time::ZERO).is_some());
        for number in 0..2 * NEIGHBORS_MAX as u32 {
            let _ = table.set(key(number), State::Incomplete { tries: 1 }, MAC, Time::from_secs(1));
        }
        assert!(table.get_mut(other).is_some() && table.get_mut(key(NEIGHBORS_MAX as u32)).is_none());
        assert_eq!(table.take_from(0).len(), NEIGHBORS_MAX);
        assert!(table.set(key(9999), State::Incomplete { tries: 1 }, MAC, Time::ZERO).is_some());
    }

    #[test]
    fn who_is_being_asked_is_not_forgotten() {
        let mut table = NeighborTable::default();
        for number in 0..NEIGHBORS_MAX as u32 {
            let _ = table.set(key(number), State::Incomplete { tries: 1 }, MAC, Time::ZERO);
        }
        assert!(table.set(key(9999), State::Incomplete { tries: 1 }, MAC, Time::ZERO).is_none());
    }
}
