//! News: advertisements go from router to router until all have them (RFC 2328 §13).

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::engine::Engine;
use super::exchange::is_known;
use super::interface::Role;
use super::neighbor::State;
use super::timers::Timer;
use crate::time::Time;
use crate::wire::ospf::lsa::{self, Content, Lsa, LsaHeader, LsaKey, MAX_AGE, NETWORK, ROUTER, SEQUENCE_LAST};
use crate::wire::ospf::{ALL_DESIGNATED, ALL_ROUTERS, OspfBody};

/// Appendix B, MinLSArrival: of one advertisement a new instance is taken no more often than this.
const ARRIVAL_GAP: Duration = Duration::from_secs(1);

/// How long acknowledgments wait for company. §13.5: less than the time after which the sender would repeat itself.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_secs(1);

impl Engine {
    /// §13: an update has come in.
    pub(super) fn hear_update(&mut self, index: u16, from: Ipv4Addr, lsas: Vec<Lsa>, now: Time) {
        if self.neighbor(index, from).is_none_or(|neighbor| neighbor.state < State::Exchange) {
            self.counts.ignored += 1;
            return;
        }
        let mut received = Vec::new();
        for lsa in lsas {
            let header = lsa.header;
            match self.take(index, from, lsa, now) {
                Taken::Acknowledge => received.push(header),
                Taken::Done => {}
                Taken::Restart => return self.begin_exchange(index, from, now),
            }
        }
        let room = (self.body_bytes(index) / lsa::HEADER_BYTES).max(1);
        for some in received.chunks(room) {
            self.send(index, from, OspfBody::Acknowledgment(some.to_vec()));
        }
        self.request_more(index, from, now);
    }

    /// One advertisement of an update, step by step as in §13.
    fn take(&mut self, index: u16, from: Ipv4Addr, lsa: Lsa, now: Time) -> Taken {
        let header = lsa.header;
        let key = header.key;
        // (1) and (2): the checksum, the kind; and what no honest router says: another router's links, an age beyond the end.
        let is_possible = is_known(key.kind) && (key.kind != ROUTER || key.id == key.router) && header.age <= MAX_AGE;
        let Some(content) = lsa.content().filter(|_| is_possible && lsa.is_sound()) else {
            self.counts.ignored += 1;
            return Taken::Done;
        };
        let own = self.database.get(&key).map(|stored| (stored.header(now), stored.arrived_at));
        // (4): what nobody here knows of can be forgotten at once.
        if header.age >= MAX_AGE && own.is_none() && !self.is_exchanging() {
            self.no_longer_missing(&header);
            return Taken::Acknowledge;
        }
        let recency = own.map_or(Ordering::Greater, |(own, _)| header.recency(&own));
        if recency == Ordering::Greater {
            // (5) (a)
            if own.and_then(|(_, arrived_at)| arrived_at).is_some_and(|at| now.since(at) < ARRIVAL_GAP) {
                return Taken::Done;
            }
            if !self.database.has_room_for(&lsa) {
                self.counts.refused += 1;
                return Taken::Done;
            }
            // What was asked for has not come by flooding, and newer news may follow it at once.
            let was_asked = self.neighbor(index, from).is_some_and(|neighbor| neighbor.missing.contains_key(&key));
            self.install(lsa, content, (!was_asked).then_some(now), now);
            let went_back = self.flood(key, Some((index, from)), now);
            self.acknowledge_later(index, from, header, went_back, now);
            if self.is_own(&key) {
                self.take_back(key, now);
            }
            return Taken::Done;
        }
        // (6): it was asked for something newer than this.
        let neighbor = self.interfaces.get_mut(&index).and_then(|one| one.neighbors.get_mut(&from));
        let Some(neighbor) = neighbor else { return Taken::Done };
        if neighbor.missing.contains_key(&key) {
            return Taken::Restart;
        }
        if recency == Ordering::Equal {
            // (7): the same instance. If it was told of it, that is as good as an acknowledgment.
            if neighbor.unacknowledged.remove(&key).is_none() {
                return Taken::Acknowledge;
            }
            let Some(interface) = self.interfaces.get_mut(&index) else { return Taken::Done };
            if interface.role == Role::Backup && interface.designated == from {
                interface.to_acknowledge.insert(key, header);
                self.timers.set_once(Timer::Acknowledge(index), now + ACKNOWLEDGE_AFTER);
            }
            return Taken::Done;
        }
        // (8): it has an older one, and is told so, but not again and again.
        let Some(stored) = self.database.get_mut(&key) else { return Taken::Done };
        let is_wrapping = stored.age(now) >= MAX_AGE && own.is_some_and(|(own, _)| own.sequence == SEQUENCE_LAST);
        let is_recent = stored.corrected_at.is_some_and(|at| now.since(at) < ARRIVAL_GAP);
        if !is_wrapping && !is_recent {
            stored.corrected_at = Some(now);
            self.tell(index, from, &[key], now);
        }
        Taken::Done
    }

    /// Puts an instance into the database.
    pub(super) fn install(&mut self, lsa: Lsa, content: Content, arrived_at: Option<Time>, now: Time) {
        let key = lsa.header.key;
        let is_news = self.database.get(&key).is_none_or(|old| !old.says_the_same(&lsa, now));
        for interface in self.interfaces.values_mut() {
            for neighbor in interface.neighbors.values_mut() {
                neighbor.unacknowledged.remove(&key);
            }
        }
        self.ended.remove(&key);
        if lsa.header.age >= MAX_AGE {
            self.ended.insert(key);
            self.timers.stop(Timer::Age(key));
        } else {
            let left = MAX_AGE - lsa.header.age;
            self.timers.set(Timer::Age(key), now + Duration::from_secs(left.into()));
        }
        self.database.put(lsa, content, arrived_at, now);
        if is_news {
            self.paths_may_change(now);
        }
    }

    /// §13.3: tells all neighbors but the one that it is from; whether that goes out where it came in.
    pub(super) fn flood(&mut self, key: LsaKey, from: Option<(u16, Ipv4Addr)>, now: Time) -> bool {
        let Some(header) = self.database.get(&key).map(|stored| stored.header(now)) else { return false };
        let retell_at = now + self.settings.retransmit;
        let mut went_back = false;
        for (index, interface) in &mut self.interfaces {
            let mut is_wanted = false;
            for (address, neighbor) in interface.neighbors.iter_mut() {
                if neighbor.state < State::Exchange {
                    continue;
                }
                if let Some(missing) = neighbor.missing.get(&key) {
                    match header.recency(missing) {
                        Ordering::Less => continue,
                        // It has told of this very instance itself.
                        Ordering::Equal => {
                            neighbor.missing.remove(&key);
                            continue;
                        }
                        Ordering::Greater => drop(neighbor.missing.remove(&key)),
                    }
                }
                if from == Some((*index, *address)) {
                    continue;
                }
                neighbor.unacknowledged.insert(key, now);
                self.timers.set_once(Timer::Retell(*index, *address), retell_at);
                is_wanted = true;
            }
            let Some((_, teller)) = from.filter(|(came_in, _)| came_in == index) else {
                if is_wanted {
                    interface.to_flood.insert(key);
                }
                continue;
            };
            // (3) and (4): who speaks for the network tells everybody on it.
            let is_told = teller == interface.designated || teller == interface.backup;
            if is_wanted && !is_told && interface.role != Role::Backup {
                interface.to_flood.insert(key);
                went_back = true;
            }
        }
        went_back
    }

    /// §13.5: how the receipt of something new is acknowledged: together with others, a little later.
    fn acknowledge_later(&mut self, index: u16, from: Ipv4Addr, header: LsaHeader, went_back: bool, now: Time) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        // What goes back says it all; and the backup leaves the word to the designated router.
        if went_back || (interface.role == Role::Backup && interface.designated != from) {
            return;
        }
        interface.to_acknowledge.insert(header.key, header);
        self.timers.set_once(Timer::Acknowledge(index), now + ACKNOWLEDGE_AFTER);
    }

    /// Acknowledges what has been received on an interface.
    pub(super) fn acknowledge(&mut self, index: u16) {
        let room = (self.body_bytes(index) / lsa::HEADER_BYTES).max(1);
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let headers: Vec<LsaHeader> = std::mem::take(&mut interface.to_acknowledge).into_values().collect();
        let to = group(interface.role);
        for some in headers.chunks(room) {
            self.send(index, to, OspfBody::Acknowledgment(some.to_vec()));
        }
    }

    /// §13.7: an acknowledgment has come in.
    pub(super) fn hear_acknowledgment(&mut self, index: u16, from: Ipv4Addr, headers: &[LsaHeader], now: Time) {
        let database = &self.database;
        let is_same = |header: &LsaHeader| {
            database.get(&header.key).is_some_and(|stored| stored.header(now).recency(header).is_eq())
        };
        let Some(neighbor) = self.interfaces.get_mut(&index).and_then(|one| one.neighbors.get_mut(&from)) else {
            return;
        };
        if neighbor.state < State::Exchange {
            self.counts.ignored += 1;
            return;
        }
        for header in headers.iter().filter(|header| is_same(header)) {
            neighbor.unacknowledged.remove(&header.key);
        }
        if neighbor.unacknowledged.is_empty() {
            self.timers.stop(Timer::Retell(index, from));
        }
    }

    /// §13.6: tells a neighbor again what it has not acknowledged.
    pub(super) fn retell(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        let retransmit = self.settings.retransmit;
        let Some(neighbor) = self.neighbor_mut(index, address) else { return };
        let due = neighbor.unacknowledged.iter_mut().filter(|(_, told_at)| **told_at + retransmit <= now);
        let mut keys = Vec::new();
        for (key, told_at) in due {
            *told_at = now;
            keys.push(*key);
        }
        if let Some(first) = neighbor.unacknowledged.values().min().copied() {
            self.timers.set(Timer::Retell(index, address), first + retransmit);
        }
        self.counts.retold += keys.len() as u64;
        self.tell(index, address, &keys, now);
    }

    /// Sends advertisements to one neighbor.
    pub(super) fn tell(&mut self, index: u16, to: Ipv4Addr, keys: &[LsaKey], now: Time) {
        let mut rest: Vec<Lsa> = keys.iter().filter_map(|key| Some(self.database.get(key)?.to_send(now))).collect();
        // Behind the count.
        let room = self.body_bytes(index).saturating_sub(4);
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().take_while(|lsa| {
                bytes += lsa.len();
                bytes <= room
            });
            // One that is larger than a packet goes alone, in fragments.
            let count = fitting.count().max(1);
            let some = rest.drain(..count).collect();
            self.send(index, to, OspfBody::Update(some));
        }
    }

    /// Tells everybody what is to be told.
    pub(super) fn flood_all(&mut self, now: Time) {
        let due = self.interfaces.iter_mut().filter(|(_, interface)| !interface.to_flood.is_empty());
        let due: Vec<(u16, Ipv4Addr, Vec<LsaKey>)> = due
            .map(|(index, one)| (*index, group(one.role), std::mem::take(&mut one.to_flood).into_iter().collect()))
            .collect();
        for (index, to, keys) in due {
            self.tell(index, to, &keys, now);
        }
    }

    /// §14: forgets what has ended, once no neighbor need be told of it.
    pub(super) fn forget_ended(&mut self) {
        if self.ended.is_empty() || self.is_exchanging() {
            return;
        }
        let waiting: BTreeSet<&LsaKey> = self
            .interfaces
            .values()
            .flat_map(|interface| interface.neighbors.values())
            .flat_map(|neighbor| neighbor.unacknowledged.keys())
            .collect();
        let forgotten: Vec<LsaKey> = self.ended.iter().filter(|key| !waiting.contains(key)).copied().collect();
        for key in forgotten {
            self.ended.remove(&key);
            self.database.remove(&key);
            self.timers.stop(Timer::Age(key));
            // Where the sequence numbers had come to their end, they begin anew.
            self.is_changed |= self.originated.contains_key(&key);
        }
    }

    fn no_longer_missing(&mut self, header: &LsaHeader) {
        for neighbor in self.interfaces.values_mut().flat_map(|interface| interface.neighbors.values_mut()) {
            neighbor.missing.remove(&header.key);
        }
    }

    pub(super) fn is_exchanging(&self) -> bool {
        let mut neighbors = self.interfaces.values().flat_map(|interface| interface.neighbors.values());
        neighbors.any(|neighbor| neighbor.is_exchanging())
    }

    /// §13.4: whether this router is, or was, who says this.
    fn is_own(&self, key: &LsaKey) -> bool {
        let is_own_network =
            key.kind == NETWORK && self.interfaces.values().any(|interface| interface.address() == key.id);
        key.router == self.id || is_own_network
    }
}

/// What is to be done about an advertisement that has come in.
enum Taken {
    /// It is acknowledged at once.
    Acknowledge,
    /// Nothing more.
    Done,
    /// The exchange with its sender begins anew.
    Restart,
}

/// Whom what is for all on a link is sent to.
fn group(role: Role) -> Ipv4Addr {
    match role {
        Role::Designated | Role::Backup | Role::PointToPoint => ALL_ROUTERS,
        Role::Other | Role::Waiting => ALL_DESIGNATED,
    }
}
