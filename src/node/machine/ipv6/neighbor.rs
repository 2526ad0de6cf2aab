//! The neighbor cache: which hardware address answers for which IPv6 address, and whether it still does (RFC 4861 §5.1,
//! §7.3.2).
//!
//! ```text
//!            first packet               solicited answer
//!   (none) ───────────────▶ INCOMPLETE ─────────────────▶ REACHABLE ◀─────────────┐
//!                             │     │ other sign of life     │ time passes          │ solicited
//!              no answer,     ▼     └──────────────────▶  STALE                    │ answer
//!              asked thrice FAILED                           │ a packet is sent     │
//!                             ▲                              ▼        5 s           │
//!                             │                            DELAY ──────────▶ PROBE ─┤
//!                             └────────────── no answer, asked thrice ◀───────┘
//! ```
//!
//! Only the table and its states are here: which packets go out, and what becomes of packets that wait, is decided in
//! [`discovery`](super::discovery). From REACHABLE to STALE no timer is needed: whoever looks compares the time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::Ipv6Addr;

use smoltcp::wire::EthernetAddress;

use crate::node::Mac;
use crate::node::machine::spec::InterfaceSpec;
use crate::time::Time;
use crate::wire::Frame;

/// How many neighbors a machine knows. As Linux's `gc_thresh3`; when it is reached, the one that was heard of least
/// recently makes room.
pub(super) const NEIGHBORS_MAX: usize = 1024;

/// A neighbor: on which link, and its address there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NeighborKey {
    pub(super) interface: u16,
    pub(super) address: Ipv6Addr,
}

/// What is known of a neighbor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Used though it was last heard of long ago; it will be asked.
    Delay,
    /// Nobody answered.
    Failed,
    /// It has been asked, this many times, and packets wait for the answer.
    Incomplete { tries: u8 },
    /// Known from the configuration, for ever.
    Permanent,
    /// It has been asked, this many times, whether it is still there.
    Probe { tries: u8 },
    /// It has answered, and that is trusted until then.
    Reachable { until: Time },
    /// It was heard of, but nobody knows whether packets reach it.
    Stale,
}

/// A neighbor.
#[derive(Debug)]
pub(super) struct Neighbor {
    pub(super) state: State,
    /// Meaningless while incomplete or failed.
    pub(super) mac: EthernetAddress,
    /// It says that it is a router.
    pub(super) is_router: bool,
    /// Packets for it, oldest first.
    pub(super) waiting: VecDeque<Frame>,
    /// Its entry among the machine's timers.
    pub(super) timer_at: Option<Time>,
    /// When its state last changed.
    changed_at: Time,
}

impl Neighbor {
    /// Whether packets can be sent to its hardware address.
    pub(super) fn has_mac(&self) -> bool {
        !matches!(self.state, State::Failed | State::Incomplete { .. })
    }

    /// Its state at `now`: an answer that is no longer trusted leaves it stale.
    pub(super) fn state_at(&self, now: Time) -> State {
        match self.state {
            State::Reachable { until } if until <= now => State::Stale,
            state => state,
        }
    }

    /// Puts it into another state.
    pub(super) fn change(&mut self, state: State, now: Time) {
        (self.state, self.changed_at) = (state, now);
    }
}

/// All neighbors of a machine.
#[derive(Debug, Default)]
pub(super) struct NeighborTable {
    neighbors: BTreeMap<NeighborKey, Neighbor>,
}

const NO_MAC: EthernetAddress = EthernetAddress([0; 6]);

impl NeighborTable {
    pub(super) fn get(&self, key: NeighborKey) -> Option<&Neighbor> {
        self.neighbors.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: NeighborKey) -> Option<&mut Neighbor> {
        self.neighbors.get_mut(&key)
    }

    /// The neighbor with this key, a new one in `state` if it was unknown. `None` if there is no room for a new one.
    pub(super) fn entry(&mut self, key: NeighborKey, state: State, now: Time) -> Option<&mut Neighbor> {
        if self.neighbors.len() >= NEIGHBORS_MAX && !self.neighbors.contains_key(&key) && !self.evict() {
            return None;
        }
        Some(self.neighbors.entry(key).or_insert_with(|| Neighbor {
            state,
            mac: NO_MAC,
            is_router: false,
            waiting: VecDeque::new(),
            timer_at: None,
            changed_at: now,
        }))
    }

    /// Adds a neighbor that is known for ever.
    pub(super) fn add_permanent(&mut self, key: NeighborKey, mac: EthernetAddress) {
        if let Some(neighbor) = self.entry(key, State::Permanent, Time::ZERO) {
            (neighbor.state, neighbor.mac) = (State::Permanent, mac);
        }
    }

    /// The interface on whose link a neighbor with this address was heard of, the first one if there are several.
    pub(super) fn interface_of(&self, address: Ipv6Addr) -> Option<u16> {
        let known = self.neighbors.iter().find(|(key, neighbor)| key.address == address && neighbor.has_mac());
        known.map(|(key, _)| key.interface)
    }

    /// The link-local address of a neighbor that is known by another one: the two have the same hardware address.
    pub(super) fn link_local_of(&self, key: NeighborKey) -> Option<Ipv6Addr> {
        let mac = self.get(key).filter(|known| known.has_mac())?.mac;
        let link_local = NeighborKey { address: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), ..key };
        let rest = self.neighbors.range(link_local..);
        let on_link =
            rest.take_while(|(other, _)| other.interface == key.interface && other.address.is_unicast_link_local());
        let mut same = on_link.filter(|(_, other)| other.has_mac() && other.mac == mac);
        same.next().map(|(other, _)| other.address)
    }

    /// Takes out every neighbor on `interface` that is not permanent.
    pub(super) fn take_from(&mut self, interface: u16) -> Vec<(NeighborKey, Neighbor)> {
        let is_there = |key: &NeighborKey, neighbor: &mut Neighbor| {
            key.interface == interface && neighbor.state != State::Permanent
        };
        self.neighbors.extract_if(.., is_there).collect()
    }

    /// Every packet that waits, the table left empty.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Frame> + use<> {
        std::mem::take(&mut self.neighbors).into_values().flat_map(|neighbor| neighbor.waiting)
    }

    /// The table, one neighbor a line, as `ip -6 neigh` shows it.
    pub(super) fn show(&self, interfaces: &[InterfaceSpec], now: Time) -> String {
        let mut text = String::new();
        for (key, neighbor) in &self.neighbors {
            let device = interfaces.get(usize::from(key.interface)).map_or("?", |interface| &interface.name);
            let _ = write!(text, "{} dev {device}", key.address);
            if neighbor.has_mac() {
                let _ = write!(text, " lladdr {}", Mac(neighbor.mac));
            }
            if neighbor.is_router {
                text.push_str(" router");
            }
            let state = match neighbor.state_at(now) {
                State::Delay => "DELAY",
                State::Failed => "FAILED",
                State::Incomplete { .. } => "INCOMPLETE",
                State::Permanent => "PERMANENT",
                State::Probe { .. } => "PROBE",
                State::Reachable { .. } => "REACHABLE",
                State::Stale => "STALE",
            };
            let _ = writeln!(text, " {state}");
        }
        text
    }

    /// Makes room by forgetting the neighbor that was heard of least recently; false if none can be spared.
    fn evict(&mut self) -> bool {
        // Linear, but only while the table is full. Who is being asked has packets or a timer.
        let spare =
            |neighbor: &Neighbor| matches!(neighbor.state, State::Failed | State::Reachable { .. } | State::Stale);
        let candidates = self.neighbors.iter().filter(|(_, neighbor)| spare(neighbor));
        let oldest = candidates.min_by_key(|(key, neighbor)| (neighbor.changed_at, **key)).map(|(key, _)| *key);
        oldest.is_some_and(|key| self.neighbors.remove(&key).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u128) -> NeighborKey {
        NeighborKey { interface: 0, address: Ipv6Addr::from_bits(number) }
    }

    #[test]
    fn a_full_table_forgets_whom_it_heard_of_least_recently() {
        let mut table = NeighborTable::default();
        for number in 0..NEIGHBORS_MAX as u64 {
            let now = Time::from_secs(number + 1);
            assert!(table.entry(key(u128::from(number)), State::Stale, now).is_some());
        }
        table.get_mut(key(0)).unwrap().change(State::Reachable { until: Time::MAX }, Time::from_secs(5000));
        assert!(table.entry(key(9999), State::Incomplete { tries: 1 }, Time::from_secs(5001)).is_some());
        assert!(table.get(key(0)).is_some() && table.get(key(1)).is_none() && table.get(key(2)).is_some());
    }

    #[test]
    fn who_is_being_asked_is_not_forgotten() {
        let mut table = NeighborTable::default();
        for number in 0..NEIGHBORS_MAX as u128 {
            let state = if number % 2 == 0 { State::Incomplete { tries: 1 } } else { State::Delay };
            let _ = table.entry(key(number), state, Time::ZERO);
        }
        assert!(table.entry(key(9999), State::Stale, Time::ZERO).is_none());
        assert!(table.entry(key(7), State::Stale, Time::ZERO).is_some());
    }
}
