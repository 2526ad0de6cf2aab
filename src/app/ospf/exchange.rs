//! Two routers make their databases equal: descriptions, requests (RFC 2328 §10.6 to §10.9).

use std::net::Ipv4Addr;

use super::engine::Engine;
use super::neighbor::State;
use super::timers::Timer;
use crate::time::Time;
use crate::wire::ospf::lsa::{self, LsaHeader, LsaKey, MAX_AGE};
use crate::wire::ospf::{Description, HEADER_BYTES, OPTION_EXTERNAL, OspfBody, dd};

/// The IP header that an OSPF packet has before it.
const IP_HEADER_BYTES: usize = 20;

/// How long an entry of a request is.
const REQUEST_BYTES: usize = 12;

impl Engine {
    /// How many bytes there are for the body of a packet on an interface.
    pub(super) fn body_bytes(&self, index: u16) -> usize {
        let mtu = self.interfaces.get(&index).map_or(576, |interface| interface.port.mtu);
        mtu.saturating_sub(IP_HEADER_BYTES + HEADER_BYTES)
    }

    /// ExStart: each says that it is the master, and the greater router ID is right.
    pub(super) fn begin_exchange(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        self.clear_neighbor(index, address);
        let first = self.luck.next_u64() as u32;
        let Some(neighbor) = self.neighbor_mut(index, address) else { return };
        // §10.3: the first number is anything that was not used lately; each new try takes the next.
        neighbor.sequence = if neighbor.sequence == 0 { first } else { neighbor.sequence.wrapping_add(1) };
        neighbor.is_master = true;
        self.set_state(index, address, State::ExStart);
        self.describe(index, address, dd::INIT | dd::MORE | dd::MASTER, now);
    }

    /// Sends a description with flags, and with what is still to be described unless it is the first.
    fn describe(&mut self, index: u16, address: Ipv4Addr, flags: u8, now: Time) {
        let room = self.body_bytes(index).saturating_sub(8) / lsa::HEADER_BYTES;
        let retransmit = self.settings.retransmit;
        let mtu = self.interfaces.get(&index).map_or(0, |interface| interface.port.mtu);
        let Some(neighbor) = self.neighbor_mut(index, address) else { return };
        let count = if flags & dd::INIT == 0 { neighbor.to_describe.len().min(room.max(1)) } else { 0 };
        let headers: Vec<LsaHeader> = neighbor.to_describe.drain(..count).collect();
        let more = if flags & dd::INIT == 0 && !neighbor.to_describe.is_empty() { dd::MORE } else { 0 };
        let description = Description {
            mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
            options: OPTION_EXTERNAL,
            flags: flags | more,
            sequence: neighbor.sequence,
            headers,
        };
        neighbor.last_said = Some(description.clone());
        // The master says it again until it is answered; the slave when it is asked again.
        let repeats = neighbor.is_master;
        if repeats {
            self.timers.set(Timer::Describe(index, address), now + retransmit);
        }
        self.send(index, address, OspfBody::Description(description));
    }

    /// A description has not been answered.
    pub(super) fn describe_again(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        let retransmit = self.settings.retransmit;
        let said = self.neighbor(index, address).and_then(|neighbor| neighbor.last_said.clone());
        if let Some(said) = said {
            self.timers.set(Timer::Describe(index, address), now + retransmit);
            self.send(index, address, OspfBody::Description(said));
        }
    }

    /// §10.6: a description has come in.
    pub(super) fn hear_description(&mut self, index: u16, address: Ipv4Addr, heard: &Description, now: Time) {
        let mtu = self.interfaces.get(&index).map_or(0, |interface| interface.port.mtu);
        if usize::from(heard.mtu) > mtu {
            let text = format!("description from {address}: its MTU is {}, more than {mtu}", heard.mtu);
            return self.ignore(&text);
        }
        let Some(neighbor) = self.neighbor(index, address) else { return };
        if neighbor.state == State::Init {
            self.is_heard_both_ways(index, address, now);
            // NeighborChange, which the next hello would not tell of.
            self.neighbors_have_changed(index, now);
        }
        let own_id = self.id;
        let Some(neighbor) = self.neighbor_mut(index, address) else { return };
        let this = (heard.flags, heard.options, heard.sequence);
        match neighbor.state {
            State::Init | State::TwoWay => self.counts.ignored += 1,
            State::ExStart => {
                let all = dd::INIT | dd::MORE | dd::MASTER;
                let is_answer = heard.flags & (dd::INIT | dd::MASTER) == 0 && heard.sequence == neighbor.sequence;
                if heard.flags & all == all && heard.headers.is_empty() && neighbor.id > own_id {
                    neighbor.is_master = false;
                    neighbor.sequence = heard.sequence;
                } else if !(is_answer && neighbor.id < own_id) {
                    // The lesser one's claim to be the master; it will see.
                    return;
                }
                neighbor.last_heard = Some(this);
                self.roles_are_settled(index, address, now);
                self.go_on(index, address, heard, now);
            }
            _ if neighbor.last_heard == Some(this) => self.repeat_if_slave(index, address),
            State::Exchange => {
                let is_masters = heard.flags & dd::MASTER != 0;
                let next = neighbor.sequence.wrapping_add(u32::from(!neighbor.is_master));
                let has_same_options = neighbor.last_heard.is_none_or(|(_, options, _)| options == heard.options);
                let is_next = is_masters != neighbor.is_master && heard.flags & dd::INIT == 0 && heard.sequence == next;
                if !is_next || !has_same_options {
                    return self.begin_exchange(index, address, now);
                }
                neighbor.last_heard = Some(this);
                neighbor.sequence = heard.sequence;
                self.go_on(index, address, heard, now);
            }
            // SeqNumberMismatch: it has begun anew.
            State::Loading | State::Full => self.begin_exchange(index, address, now),
        }
    }

    fn repeat_if_slave(&mut self, index: u16, address: Ipv4Addr) {
        let neighbor = self.neighbor(index, address);
        let said = neighbor.filter(|neighbor| !neighbor.is_master).and_then(|neighbor| neighbor.last_said.clone());
        if let Some(said) = said {
            self.send(index, address, OspfBody::Description(said));
        }
    }

    /// NegotiationDone: all that there is now will be described.
    fn roles_are_settled(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        self.timers.stop(Timer::Describe(index, address));
        let all = self.database.iter().map(|(_, stored)| stored.header(now));
        // What is being forgotten is not described, but told of like any news (§10.3).
        let (ended, good): (Vec<LsaHeader>, Vec<LsaHeader>) = all.partition(|header| header.age >= MAX_AGE);
        let retransmit = self.settings.retransmit;
        let Some(neighbor) = self.neighbor_mut(index, address) else { return };
        neighbor.to_describe = good;
        let has_ended = !ended.is_empty();
        neighbor.unacknowledged.extend(ended.into_iter().map(|header| (header.key, now)));
        if has_ended {
            self.timers.set_once(Timer::Retell(index, address), now + retransmit);
        }
        self.set_state(index, address, State::Exchange);
    }

    /// Takes what was described, and says the next thing.
    fn go_on(&mut self, index: u16, address: Ipv4Addr, heard: &Description, now: Time) {
        // §10.6: an unknown kind is a mistake that the exchange does not get over.
        if heard.headers.iter().any(|header| !is_known(header.key.kind)) {
            return self.begin_exchange(index, address, now);
        }
        let database = &self.database;
        let is_missing = |header: &&LsaHeader| {
            let own = database.get(&header.key).map(|stored| stored.header(now));
            own.is_none_or(|own| header.recency(&own).is_gt())
        };
        let missing: Vec<LsaHeader> = heard.headers.iter().filter(is_missing).copied().collect();
        let Some(neighbor) = self.interfaces.get_mut(&index).and_then(|one| one.neighbors.get_mut(&address)) else {
            return;
        };
        neighbor.missing.extend(missing.into_iter().map(|header| (header.key, header)));
        let has_more = heard.flags & dd::MORE != 0;
        let said_all =
            |said: &Option<Description>| said.as_ref().is_some_and(|said| said.flags & (dd::MORE | dd::INIT) == 0);
        if neighbor.is_master {
            if !has_more && said_all(&neighbor.last_said) {
                self.exchange_is_done(index, address);
            } else {
                neighbor.sequence = neighbor.sequence.wrapping_add(1);
                self.describe(index, address, dd::MASTER, now);
            }
        } else {
            self.describe(index, address, 0, now);
            let has_said_all = self.neighbor(index, address).is_some_and(|neighbor| said_all(&neighbor.last_said));
            if !has_more && has_said_all {
                self.exchange_is_done(index, address);
            }
        }
        self.request_more(index, address, now);
    }

    /// ExchangeDone.
    fn exchange_is_done(&mut self, index: u16, address: Ipv4Addr) {
        self.timers.stop(Timer::Describe(index, address));
        self.set_state(index, address, State::Loading);
    }

    /// §10.9: asks for the next of what is missing, if nothing is being asked for; LoadingDone, if nothing is missing.
    pub(super) fn request_more(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        let room = (self.body_bytes(index) / REQUEST_BYTES).max(1);
        let retransmit = self.settings.retransmit;
        let Some(neighbor) = self.neighbor_mut(index, address) else { return };
        let missing = &neighbor.missing;
        neighbor.asked.retain(|key| missing.contains_key(key));
        if !neighbor.asked.is_empty() {
            return;
        }
        if neighbor.missing.is_empty() {
            let is_done = neighbor.state == State::Loading;
            self.timers.stop(Timer::Request(index, address));
            if is_done {
                self.set_state(index, address, State::Full);
            }
            return;
        }
        neighbor.asked = neighbor.missing.keys().take(room).copied().collect();
        let keys: Vec<LsaKey> = neighbor.asked.iter().copied().collect();
        self.timers.set(Timer::Request(index, address), now + retransmit);
        self.send(index, address, OspfBody::Request(keys));
    }

    /// What was asked for has not come.
    pub(super) fn request_again(&mut self, index: u16, address: Ipv4Addr, now: Time) {
        if let Some(neighbor) = self.neighbor_mut(index, address) {
            neighbor.asked.clear();
        }
        self.request_more(index, address, now);
    }

    /// §10.7: a request has come in.
    pub(super) fn hear_request(&mut self, index: u16, address: Ipv4Addr, keys: &[LsaKey], now: Time) {
        if self.neighbor(index, address).is_none_or(|neighbor| neighbor.state < State::Exchange) {
            self.counts.ignored += 1;
            return;
        }
        let found: Vec<LsaKey> = keys.iter().filter(|key| self.database.get(key).is_some()).copied().collect();
        if found.len() < keys.len() {
            // BadLSReq: something went wrong in the exchange.
            return self.begin_exchange(index, address, now);
        }
        self.tell(index, address, &found, now);
    }
}

/// The kinds that RFC 2328 knows.
pub(super) fn is_known(kind: u8) -> bool {
    (1..=5).contains(&kind)
}
