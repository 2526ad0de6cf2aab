//! What was found out about the flows of the day: one probe instead of the walk through checks, routes and neighbors.
//!
//! A machine that forwards keeps, in front of its route and neighbor tables, a small direct-mapped cache. It is never a
//! truth of its own: a way is remembered after the long walk was taken for a packet of the same source and
//! destination that came in on the same interface; any change of a route, an address, an interface or a neighbor makes
//! all of it void by moving the generation on; and an entry knows how long the neighbor's answer is trusted.
//!
//! What is decided for every packet anew (time to live, size, options, filters) is not in here: see
//! [`quick`](super::quick).

use std::cell::Cell;
use std::net::Ipv4Addr;

use smoltcp::wire::EthernetAddress;

use crate::time::Time;

/// How many flows are kept at first; a power of two.
const SLOTS_MIN: usize = 4;

/// In place of an interface: this machine itself, where a packet begins or ends.
pub(super) const HERE: u16 = u16::MAX;

/// How many flows are kept at most; a power of two.
const SLOTS_MAX: usize = 16_384;

/// Which packets take the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlowKey {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    /// The interface that they come in on; [`HERE`]: they are this machine's own.
    pub(super) from: u16,
}

/// The way that they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QuickWay {
    /// The neighbor's answer is trusted until then.
    pub(super) fresh_until: Time,
    /// The interface that they leave by, and its MTU (or the path's) and hardware address; [`HERE`]: they are for this
    /// machine.
    pub(super) interface: u16,
    pub(super) mtu: usize,
    pub(super) own_mac: EthernetAddress,
    /// The hardware address of the neighbor.
    pub(super) mac: EthernetAddress,
}

impl QuickWay {
    /// To this machine's sockets, for as long as nothing changes.
    pub(super) fn ending_here() -> Self {
        let nobody = EthernetAddress([0; 6]);
        Self { fresh_until: Time::MAX, interface: HERE, mtu: usize::MAX, own_mac: nobody, mac: nobody }
    }

    /// Whether packets end at this machine.
    pub(super) fn ends_here(&self) -> bool {
        self.interface == HERE
    }
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: FlowKey,
    /// 0: empty.
    generation: u32,
    way: QuickWay,
}

/// Flows and the ways that they take.
#[derive(Debug)]
pub(super) struct HopCache {
    /// Empty until first needed, so that a machine that forwards nothing stays small; a power of two.
    slots: Vec<Slot>,
    generation: u32,
    /// The answer to the last question for a packet size, and the generation that it is of.
    mtu: Cell<(u32, Ipv4Addr, usize)>,
}

impl HopCache {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), generation: 1, mtu: Cell::new((0, Ipv4Addr::UNSPECIFIED, 0)) }
    }

    /// The largest packet that reaches `destination` whole: as found out before, if that was the last question and nothing
    /// has changed.
    pub(super) fn mtu_for(&self, destination: Ipv4Addr, find_out: impl FnOnce() -> usize) -> usize {
        let (generation, asked, mtu) = self.mtu.get();
        if generation == self.generation && asked == destination {
            return mtu;
        }
        let mtu = find_out();
        self.mtu.set((self.generation, destination, mtu));
        mtu
    }

    /// The way for packets of this flow, if it is known and trusted at `now`.
    pub(super) fn find(&self, key: FlowKey, now: Time) -> Option<&QuickWay> {
        let slot = self.slots.get(self.index(key))?;
        let is_valid = slot.key == key && slot.generation == self.generation && now < slot.way.fresh_until;
        is_valid.then_some(&slot.way)
    }

    /// Remembers the way for packets of this flow.
    pub(super) fn remember(&mut self, key: FlowKey, way: QuickWay) {
        let is_taken = |slot: &Slot, generation| slot.generation == generation && slot.key != key;
        let is_full = self.slots.get(self.index(key)).is_none_or(|slot| is_taken(slot, self.generation));
        if is_full && self.slots.len() < SLOTS_MAX {
            self.grow();
        }
        let index = self.index(key);
        self.slots[index] = Slot { key, generation: self.generation, way };
    }

    /// Something has changed: whatever was remembered is void.
    pub(super) fn forget(&mut self) {
        self.generation = self.generation.wrapping_add(1).max(1);
        if self.generation == 1 {
            // Four thousand million changes later, an ancient slot could look young again.
            self.slots.clear();
            self.mtu.set((0, Ipv4Addr::UNSPECIFIED, 0));
        }
    }

    /// Twice as many slots: two flows have met in one.
    fn grow(&mut self) {
        let empty = Slot {
            key: FlowKey { source: Ipv4Addr::UNSPECIFIED, destination: Ipv4Addr::UNSPECIFIED, from: 0 },
            generation: 0,
            way: QuickWay {
                fresh_until: Time::ZERO,
                interface: 0,
                mtu: 0,
                own_mac: EthernetAddress([0; 6]),
                mac: EthernetAddress([0; 6]),
            },
        };
        let count = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![empty; count]);
        for slot in old.into_iter().filter(|slot| slot.generation == self.generation) {
            let index = self.index(slot.key);
            self.slots[index] = slot;
        }
    }

    fn index(&self, key: FlowKey) -> usize {
        // Fibonacci hashing: the high bits of the product depend on all bits of the addresses.
        let ends = u64::from(key.source.to_bits()) << 32 | u64::from(key.destination.to_bits());
        let product = (ends ^ u64::from(key.from).rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (product >> 40) as usize & self.slots.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(host: u8) -> FlowKey {
        FlowKey { source: Ipv4Addr::new(10, 0, 9, 1), destination: Ipv4Addr::new(10, 0, 0, host), from: 0 }
    }

    fn way(interface: u16) -> QuickWay {
        let mac = EthernetAddress([2, 0, 0, 0, 0, 2]);
        QuickWay { fresh_until: Time::from_secs(60), interface, mtu: 1500, own_mac: mac, mac }
    }

    #[test]
    fn what_is_remembered_is_found_until_it_ages_or_anything_changes() {
        let mut cache = HopCache::new();
        assert_eq!(cache.find(key(2), Time::ZERO), None);
        cache.remember(key(2), way(3));
        assert_eq!(cache.find(key(2), Time::from_nanos(59_999_999_999)), Some(&way(3)));
        assert_eq!(cache.find(key(2), Time::from_secs(60)), None);
        assert_eq!(cache.find(key(3), Time::ZERO), None);
        assert_eq!(cache.find(FlowKey { from: 1, ..key(2) }, Time::ZERO), None);
        assert_eq!(cache.find(FlowKey { source: Ipv4Addr::new(10, 0, 9, 2), ..key(2) }, Time::ZERO), None);
        cache.forget();
        assert_eq!(cache.find(key(2), Time::ZERO), None);
    }

    #[test]
    fn flows_that_meet_make_it_grow_up_to_a_bound() {
        let mut cache = HopCache::new();
        let flow = |index: u32| FlowKey { source: Ipv4Addr::from_bits(index), ..key(1) };
        for index in 0..100_000 {
            cache.remember(flow(index), way(0));
            assert!(cache.find(flow(index), Time::ZERO).is_some());
        }
        assert_eq!(cache.slots.len(), SLOTS_MAX);
        let kept = (0..100_000).filter(|index| cache.find(flow(*index), Time::ZERO).is_some()).count();
        assert!(kept > SLOTS_MAX / 2, "{kept}");
    }
}
