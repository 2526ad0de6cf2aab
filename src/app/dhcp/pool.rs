//! The addresses of one subnet that a DHCP server gives away, and whose they are.
//!
//! A binding outlives its time: whoever had an address gets it again if nobody else has had it since (RFC 2131 §4.3.1).
//! So an address is looked for in four places: what the client has, what it had, what it asks for, and what was never
//! anybody's or has been free for longest. None of them takes longer the larger the pool is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use smoltcp::wire::EthernetAddress;

use crate::time::Time;

/// How many bindings one pool keeps, old ones included.
pub(super) const BINDINGS_MAX: usize = 65_536;

/// How long an address is kept for whom it was offered to.
pub(super) const OFFER_HELD_FOR: Duration = Duration::from_secs(30);

/// How long an address is left alone that somebody has who was not given it. dnsmasq's `DECLINE_BACKOFF`.
pub(super) const ABANDONED_FOR: Duration = Duration::from_secs(600);

/// By what a client is known.
///
/// RFC 2131 §4.2: "If the client does not provide a 'client identifier' option, the server MUST use the contents of the
/// 'chaddr' field to identify the client."
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClientId {
    Hardware(EthernetAddress),
    Identifier(Vec<u8>),
}

/// Who is always given one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    Hardware(EthernetAddress),
    /// By what it calls itself (option 12).
    Name(String),
}

/// What stands between an address and other clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Somebody has it who was not given it.
    Abandoned,
    Bound,
    Offered,
}

/// An address that has been somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) client: ClientId,
    pub(super) mac: EthernetAddress,
    pub(super) name: Option<String>,
    pub(super) claim: Claim,
    /// Until when nobody else gets it; it may have passed.
    pub(super) until: Time,
}

/// A client that wants an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applicant {
    pub(super) client: ClientId,
    pub(super) mac: EthernetAddress,
    pub(super) name: Option<String>,
    pub(super) wanted: Option<Ipv4Addr>,
}

/// What a pool is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PoolSpec {
    pub(super) subnet: Ipv4Net,
    /// Both ends included.
    pub(super) ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
    pub(super) excluded: Vec<(Ipv4Addr, Ipv4Addr)>,
    pub(super) fixed: Vec<(Who, Ipv4Addr)>,
    pub(super) lease_for: Duration,
    pub(super) renew_after: Duration,
    pub(super) rebind_after: Duration,
    /// `None`: the relay that requests come through.
    pub(super) routers: Option<Vec<Ipv4Addr>>,
    pub(super) servers: Vec<Ipv4Addr>,
    pub(super) domain: Option<String>,
}

/// Where an address was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) address: Ipv4Addr,
    /// Nobody is known to have it: it had better be asked for.
    pub(super) is_to_be_probed: bool,
}

/// A pool.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) spec: PoolSpec,
    bindings: BTreeMap<Ipv4Addr, Binding>,
    by_client: BTreeMap<ClientId, Ipv4Addr>,
    /// When each binding ends, earliest first.
    ends: BTreeSet<(Time, Ipv4Addr)>,
    /// Addresses of the ranges before this one have been looked at: which range, and how far.
    fresh: (usize, u32),
    /// The relay that requests come through, if they do.
    pub(super) relay: Option<Ipv4Addr>,
}

impl Pool {
    pub(super) fn new(spec: PoolSpec) -> Self {
        let bindings = BTreeMap::new();
        Self { spec, bindings, by_client: BTreeMap::new(), ends: BTreeSet::new(), fresh: (0, 0), relay: None }
    }

    /// All bindings, by address.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (Ipv4Addr, &Binding)> {
        self.bindings.iter().map(|(address, binding)| (*address, binding))
    }

    pub(super) fn get(&self, address: Ipv4Addr) -> Option<&Binding> {
        self.bindings.get(&address)
    }

    /// How many addresses are in use.
    pub(super) fn bound_count(&self, now: Time) -> usize {
        self.bindings.values().filter(|binding| binding.claim == Claim::Bound && binding.until > now).count()
    }

    /// The address that a client has been bound to or offered, lately or long ago.
    pub(super) fn address_of(&self, client: &ClientId) -> Option<Ipv4Addr> {
        self.by_client.get(client).copied()
    }

    /// The client that an address is kept for at `now`.
    pub(super) fn holder(&self, address: Ipv4Addr, now: Time) -> Option<&Binding> {
        self.bindings.get(&address).filter(|binding| binding.until > now)
    }

    /// The address that is always this client's.
    pub(super) fn fixed_for(&self, applicant: &Applicant) -> Option<Ipv4Addr> {
        let is_meant = |who: &Who| match who {
            Who::Hardware(mac) => *mac == applicant.mac,
            Who::Name(name) => applicant.name.as_ref() == Some(name),
        };
        self.spec.fixed.iter().find(|(who, _)| is_meant(who)).map(|(_, address)| *address)
    }

    /// Whether an address is one that may be anybody's.
    pub(super) fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        let is_in =
            |list: &[(Ipv4Addr, Ipv4Addr)]| list.iter().any(|(first, last)| (*first..=*last).contains(&address));
        let is_fixed = self.spec.fixed.iter().any(|(_, fixed)| *fixed == address);
        is_in(&self.spec.ranges) && !is_in(&self.spec.excluded) && !is_fixed
    }

    /// Whether this client may have this address now.
    pub(super) fn may_have(&self, applicant: &Applicant, address: Ipv4Addr, now: Time) -> bool {
        let holder = self.holder(address, now);
        let is_free = holder.is_none_or(|holder| holder.client == applicant.client && holder.claim != Claim::Abandoned);
        match self.fixed_for(applicant) {
            Some(fixed) => fixed == address && holder.is_none_or(|holder| holder.claim != Claim::Abandoned),
            None => is_free && self.is_dynamic(address) && self.has_record_for(address),
        }
    }

    /// Whether there is a record of the address, or room for one.
    fn has_record_for(&self, address: Ipv4Addr) -> bool {
        self.bindings.len() < BINDINGS_MAX || self.bindings.contains_key(&address)
    }

    /// An address for a client; `None` if there is none left.
    pub(super) fn find(&mut self, applicant: &Applicant, now: Time) -> Option<Found> {
        if let Some(fixed) = self.fixed_for(applicant) {
            let is_own = self.holder(fixed, now).is_some_and(|holder| holder.client == applicant.client);
            return self.may_have(applicant, fixed, now).then_some(Found { address: fixed, is_to_be_probed: !is_own });
        }
        // RFC 2131 §4.3.1: "The client's current address as recorded in the client's current binding, ELSE the client's
        // previous address [...], ELSE the address requested in the 'Requested IP Address' option, if that address is valid
        // and not already allocated, ELSE a new address allocated from the server's pool".
        let known = [self.address_of(&applicant.client), applicant.wanted];
        for address in known.into_iter().flatten() {
            if self.may_have(applicant, address, now) {
                let is_own = self.holder(address, now).is_some();
                return Some(Found { address, is_to_be_probed: !is_own });
            }
        }
        let address = self.take_fresh().or_else(|| self.longest_free(now))?;
        Some(Found { address, is_to_be_probed: true })
    }

    /// The next address that was never anybody's.
    fn take_fresh(&mut self) -> Option<Ipv4Addr> {
        if self.bindings.len() >= BINDINGS_MAX {
            return None;
        }
        loop {
            let (range, offset) = self.fresh;
            let (first, last) = *self.spec.ranges.get(range)?;
            let bits = first.to_bits().checked_add(offset).filter(|bits| *bits <= last.to_bits());
            let Some(bits) = bits else {
                self.fresh = (range + 1, 0);
                continue;
            };
            let address = Ipv4Addr::from_bits(bits);
            if self.is_dynamic(address) && !self.bindings.contains_key(&address) {
                // Not passed over: until somebody is bound to it, it is the next one.
                return Some(address);
            }
            self.fresh = (range, offset + 1);
        }
    }

    /// The address whose binding ended longest ago.
    fn longest_free(&self, now: Time) -> Option<Ipv4Addr> {
        let ended = self.ends.iter().take_while(|(until, _)| *until <= now);
        ended.map(|(_, address)| *address).find(|address| self.is_dynamic(*address))
    }

    /// Keeps an address for a client until a time.
    pub(super) fn keep(&mut self, address: Ipv4Addr, applicant: &Applicant, claim: Claim, until: Time) {
        let Applicant { client, mac, name, .. } = applicant.clone();
        self.put(address, Binding { client, mac, name, claim, until });
    }

    /// Keeps an address from everybody until a time.
    pub(super) fn abandon(&mut self, address: Ipv4Addr, until: Time) {
        if let Some(binding) = self.bindings.get(&address) {
            let binding = Binding { claim: Claim::Abandoned, until, ..binding.clone() };
            return self.put(address, binding);
        }
        if !self.has_record_for(address) {
            return;
        }
        let mac = EthernetAddress([0; 6]);
        let client = ClientId::Identifier(Vec::new());
        self.put(address, Binding { client, mac, name: None, claim: Claim::Abandoned, until });
    }

    /// Whoever has an address has it until `until`, from now on; its record stays.
    pub(super) fn end(&mut self, address: Ipv4Addr, until: Time) {
        if let Some(binding) = self.bindings.get(&address) {
            let binding = Binding { until, ..binding.clone() };
            self.put(address, binding);
        }
    }

    pub(super) fn put(&mut self, address: Ipv4Addr, binding: Binding) {
        if let Some(old) = self.bindings.remove(&address) {
            self.ends.remove(&(old.until, address));
            if self.by_client.get(&old.client) == Some(&address) {
                self.by_client.remove(&old.client);
            }
        }
        self.ends.insert((binding.until, address));
        if binding.claim != Claim::Abandoned {
            self.by_client.insert(binding.client.clone(), address);
        }
        self.bindings.insert(address, binding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn pool(first: u8, last: u8) -> Pool {
        let hour = Duration::from_secs(3600);
        Pool::new(PoolSpec {
            subnet: "10.0.0.0/24".parse().unwrap(),
            ranges: vec![(address(first), address(last))],
            excluded: vec![(address(102), address(103))],
            fixed: vec![(Who::Hardware(mac(9)), address(101)), (Who::Name("printer".into()), address(9))],
            lease_for: hour,
            renew_after: hour / 2,
            rebind_after: hour * 7 / 8,
            routers: None,
            servers: Vec::new(),
            domain: None,
        })
    }

    fn mac(number: u8) -> EthernetAddress {
        EthernetAddress([2, 0, 0, 0, 0, number])
    }

    fn applicant(number: u8) -> Applicant {
        Applicant { client: ClientId::Hardware(mac(number)), mac: mac(number), name: None, wanted: None }
    }

    fn find(pool: &mut Pool, number: u8, now: u64) -> Option<u8> {
        pool.find(&applicant(number), Time::from_secs(now)).map(|found| found.address.octets()[3])
    }

    fn bind(pool: &mut Pool, number: u8, last: u8, until: u64) {
        pool.keep(address(last), &applicant(number), Claim::Bound, Time::from_secs(until));
    }

    #[test]
    fn fresh_addresses_come_in_order_but_for_those_that_are_excluded_or_fixed() {
        let mut pool = pool(100, 105);
        let mut given = Vec::new();
        for number in 1..=4 {
            let Some(last) = find(&mut pool, number, 0) else { break };
            bind(&mut pool, number, last, 100);
            given.push(last);
        }
        assert_eq!(given, [100, 104, 105]);
    }

    #[test]
    fn who_has_or_had_an_address_gets_it_again_and_a_wish_comes_before_luck() {
        let mut pool = pool(100, 110);
        bind(&mut pool, 1, 107, 50);
        assert_eq!(find(&mut pool, 1, 10), Some(107), "it has it");
        assert_eq!(find(&mut pool, 1, 90), Some(107), "it had it");
        let mut wishing = Applicant { wanted: Some(address(108)), ..applicant(2) };
        let mut wish = |wanted: u8, now| {
            wishing.wanted = Some(address(wanted));
            pool.find(&wishing, Time::from_secs(now)).unwrap().address
        };
        assert_eq!(wish(108, 10), address(108));
        assert_eq!(wish(107, 10), address(100), "somebody else's");
        assert_eq!(wish(107, 90), address(107), "nobody's any more");
        assert_eq!(wish(102, 10), address(100), "excluded");
        assert_eq!(wish(200, 10), address(100), "outside");
    }

    #[test]
    fn a_full_pool_has_nothing_until_a_lease_ends_and_then_what_has_been_free_for_longest() {
        let mut pool = pool(104, 106);
        bind(&mut pool, 1, 104, 30);
        bind(&mut pool, 2, 105, 20);
        bind(&mut pool, 3, 106, 40);
        assert_eq!(find(&mut pool, 4, 19), None);
        assert_eq!(find(&mut pool, 4, 20), Some(105));
        assert_eq!(find(&mut pool, 4, 35), Some(105));
        bind(&mut pool, 4, 105, 99);
        assert_eq!(find(&mut pool, 5, 35), Some(104));
        assert_eq!(find(&mut pool, 2, 35), Some(104), "its own is gone");
    }

    #[test]
    fn a_full_list_of_bindings_takes_nobody_in_until_one_ends_whatever_is_wished_for() {
        let mut pool = pool(100, 110);
        pool.spec.subnet = "10.0.0.0/8".parse().unwrap();
        pool.spec.ranges = vec![(Ipv4Addr::new(10, 1, 0, 0), Ipv4Addr::new(10, 200, 0, 0))];
        let client = |number: u32| {
            let [a, b, c, d] = number.to_be_bytes();
            let mac = EthernetAddress([2, 1, a, b, c, d]);
            Applicant { client: ClientId::Hardware(mac), mac, name: None, wanted: None }
        };
        for number in 0..BINDINGS_MAX as u32 {
            let applicant = client(number);
            let found = pool.find(&applicant, Time::ZERO).expect("there is room");
            pool.keep(found.address, &applicant, Claim::Bound, Time::from_secs(u64::from(number) + 1));
        }
        let wish = Applicant { wanted: Some(Ipv4Addr::new(10, 100, 0, 7)), ..client(u32::MAX) };
        assert_eq!(pool.find(&wish, Time::ZERO), None);
        pool.abandon(Ipv4Addr::new(10, 100, 0, 8), Time::MAX);
        assert_eq!(pool.bindings().count(), BINDINGS_MAX);
        // The first lease has ended.
        let found = pool.find(&wish, Time::from_secs(1)).map(|found| found.address);
        assert_eq!(found, Some(Ipv4Addr::new(10, 1, 0, 0)));
    }

    #[test]
    fn a_fixed_address_is_nobody_elses_and_its_client_has_no_other() {
        let mut pool = pool(100, 105);
        assert_eq!(find(&mut pool, 9, 0), Some(101));
        let printer = Applicant { name: Some("printer".into()), wanted: Some(address(100)), ..applicant(7) };
        assert_eq!(pool.find(&printer, Time::ZERO).unwrap().address, address(9));
        assert!(!pool.may_have(&applicant(1), address(101), Time::ZERO));
        assert!(!pool.may_have(&printer, address(100), Time::ZERO));
        pool.abandon(address(9), Time::from_secs(10));
        assert_eq!(pool.find(&printer, Time::ZERO), None, "somebody has it");
    }

    #[test]
    fn what_somebody_has_who_was_not_given_it_is_left_alone_for_a_while() {
        let mut pool = pool(104, 105);
        bind(&mut pool, 1, 104, 50);
        pool.abandon(address(104), Time::from_secs(600));
        assert_eq!(find(&mut pool, 1, 0), Some(105));
        assert_eq!(pool.address_of(&applicant(1).client), None);
        bind(&mut pool, 1, 105, 9999);
        assert_eq!(find(&mut pool, 2, 599), None);
        assert_eq!(find(&mut pool, 2, 600), Some(104));
    }

    #[test]
    fn addresses_up_to_the_last_of_all_are_no_trouble() {
        let mut pool = pool(104, 105);
        pool.spec.ranges = vec![(Ipv4Addr::new(255, 255, 255, 254), Ipv4Addr::BROADCAST)];
        for number in 1..4 {
            if let Some(found) = pool.find(&applicant(number), Time::ZERO) {
                pool.keep(found.address, &applicant(number), Claim::Bound, Time::MAX);
            }
        }
        assert_eq!(pool.bindings().count(), 2);
    }
}
