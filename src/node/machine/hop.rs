//! What was found out about the destinations of the day: port and hardware address, one probe away.
//!
//! In front of the route and neighbor tables of a machine that forwards stands a small direct-mapped cache. It is never
//! a truth of its own: any change of a route, an interface or a neighbor makes all of it void by moving the generation
//! on, and an entry knows how long the neighbor's answer is trusted.

use std::net::Ipv4Addr;

use smoltcp::wire::EthernetAddress;

use crate::time::Time;

/// How many destinations are kept; a power of two.
const SLOTS: usize = 512;

#[derive(Debug, Clone, Copy)]
struct Slot {
    fresh_until: Time,
    destination: Ipv4Addr,
    /// 0: empty.
    generation: u32,
    interface: u16,
    mac: EthernetAddress,
}

/// Destinations and the next hop's link address.
#[derive(Debug)]
pub(super) struct HopCache {
    /// Empty until first needed, so that a machine that forwards nothing stays small.
    slots: Vec<Slot>,
    generation: u32,
}

impl HopCache {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), generation: 1 }
    }

    /// The port and hardware address for `destination`, if they are known and trusted at `now`.
    pub(super) fn find(&self, destination: Ipv4Addr, now: Time) -> Option<(u16, EthernetAddress)> {
        let slot = self.slots.get(index(destination))?;
        let is_valid = slot.destination == destination && slot.generation == self.generation && now < slot.fresh_until;
        is_valid.then_some((slot.interface, slot.mac))
    }

    /// Remembers how to reach `destination`, until `fresh_until` at the latest.
    pub(super) fn remember(&mut self, destination: Ipv4Addr, interface: u16, mac: EthernetAddress, fresh_until: Time) {
        if self.slots.is_empty() {
            let empty = Slot {
                fresh_until: Time::ZERO,
                destination: Ipv4Addr::UNSPECIFIED,
                generation: 0,
                interface: 0,
                mac: EthernetAddress([0; 6]),
            };
            self.slots = vec![empty; SLOTS];
        }
        self.slots[index(destination)] = Slot { fresh_until, destination, generation: self.generation, interface, mac };
    }

    /// Something has changed: whatever was remembered is void.
    pub(super) fn forget(&mut self) {
        self.generation = self.generation.wrapping_add(1).max(1);
        if self.generation == 1 {
            // Four thousand million changes later, an ancient slot could look young again.
            self.slots.clear();
        }
    }
}

fn index(destination: Ipv4Addr) -> usize {
    // Fibonacci hashing: the high bits of the product depend on all bits of the address.
    let product = destination.to_bits().wrapping_mul(0x9e37_79b9);
    (product >> 16) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_found_until_it_ages_or_anything_changes() {
        let mut cache = HopCache::new();
        let (there, mac) = (Ipv4Addr::new(10, 0, 0, 2), EthernetAddress([2, 0, 0, 0, 0, 2]));
        assert_eq!(cache.find(there, Time::ZERO), None);
        cache.remember(there, 3, mac, Time::from_secs(60));
        assert_eq!(cache.find(there, Time::from_nanos(59_999_999_999)), Some((3, mac)));
        assert_eq!(cache.find(there, Time::from_secs(60)), None);
        assert_eq!(cache.find(Ipv4Addr::new(10, 0, 0, 3), Time::ZERO), None);
        cache.forget();
        assert_eq!(cache.find(there, Time::ZERO), None);
    }
}
