//! What is translated into what: mappings, and the connections that go through them.
//!
//! ```text
//! mapping   udp  10.0.0.2:4000  ◀─▶  192.0.2.1:4000      outside endpoints are unique: nothing is overloaded
//!   sessions      to 198.51.100.7:53   for 299 s         who may answer, and how long the mapping lives
//!                 to 203.0.113.9:3478  for 120 s
//! ```
//!
//! A mapping lives as long as one of its sessions; a port forwarding's lives always. Whether a packet to another far end
//! uses an old mapping is `mapping`, whether a far end that was never sent to may answer is `filtering` (RFC 4787 §4.1, §5).
//! Timers are lazy: a session's entry stays where it was while packets go through, and is looked at when it is due.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::super::middle::Way;
use super::ports::Ports;
use super::rewrite::Endpoint;
use super::session::Session;
use super::spec::{Dependence, Forwarded, NatSpec, Pooling};
use super::transport::{Flow, Protocol};
use crate::net::{Arena, Key, Lookup};
use crate::rng::Rng;
use crate::time::Time;

/// One inside endpoint and the outside endpoint that stands for it.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) protocol: Protocol,
    pub(super) inside: Endpoint,
    pub(super) outside: Endpoint,
    /// A port forwarding's.
    pub(super) is_static: bool,
    /// The inside endpoint is the translator's own.
    pub(super) is_own: bool,
    /// By far end.
    pub(super) sessions: BTreeMap<Endpoint, Session>,
    /// Where it is found from inside, if it is.
    scope: Option<Scope>,
}

/// Which packets from inside use one mapping. What does not matter is unspecified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Scope {
    protocol: Protocol,
    inside: Endpoint,
    far: Endpoint,
}

/// A connection: protocol, inside endpoint, far end.
type Connection = (Protocol, Endpoint, Endpoint);

/// Why there is no room for something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    /// The interface outside has no address.
    Addresses,
    /// All outside ports are taken.
    Ports,
    /// The inside address holds as many ports as it may.
    PortsOfHost,
    /// As many connections are known as may be.
    Sessions,
}

impl Exhausted {
    pub(super) fn explanation(self) -> &'static str {
        match self {
            Self::Addresses => "the interface outside has no address",
            Self::Ports => "no outside port is free",
            Self::PortsOfHost => "this host holds as many ports as it may",
            Self::Sessions => "the table of connections is full",
        }
    }
}

/// What a packet from outside meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is for this inside endpoint, which may be the translator's own.
    Inside(Endpoint),
    /// There is a mapping, but not for this far end.
    Filtered,
    /// There is a mapping, but no room for another connection.
    Full,
    /// Nothing is mapped to its destination.
    Unmapped,
}

/// All mappings and sessions.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) mappings: Arena<Mapping>,
    by_outside: Lookup<(Protocol, Endpoint), Key>,
    by_scope: Lookup<Scope, Key>,
    by_connection: Lookup<Connection, Key>,
    ports: BTreeMap<(Protocol, Ipv4Addr), Ports>,
    /// How many outside ports each inside address holds.
    ports_of_hosts: BTreeMap<Ipv4Addr, usize>,
    /// When sessions are to be looked at.
    due: BTreeSet<(Time, Key, Endpoint)>,
    pub(super) session_count: usize,
    /// The addresses outside, in order.
    pub(super) addresses: Vec<Ipv4Addr>,
    next_address: usize,
    luck: Rng,
}

impl Table {
    pub(super) fn new(luck: Rng) -> Self {
        Self {
            mappings: Arena::default(),
            by_outside: Lookup::default(),
            by_scope: Lookup::default(),
            by_connection: Lookup::default(),
            ports: BTreeMap::new(),
            ports_of_hosts: BTreeMap::new(),
            due: BTreeSet::new(),
            session_count: 0,
            addresses: Vec::new(),
            next_address: 0,
            luck,
        }
    }

    /// Forgets everything, and has these addresses outside.
    pub(super) fn reset(&mut self, addresses: Vec<Ipv4Addr>, spec: &NatSpec) {
        self.mappings.clear();
        self.by_outside.clear();
        self.by_scope.clear();
        self.by_connection.clear();
        self.ports.clear();
        self.ports_of_hosts.clear();
        self.due.clear();
        self.session_count = 0;
        self.addresses = addresses;
        for forward in &spec.forwards {
            let protocols: &[Protocol] = match forward.protocols {
                Forwarded::Both => &[Protocol::Tcp, Protocol::Udp],
                Forwarded::Tcp => &[Protocol::Tcp],
                Forwarded::Udp => &[Protocol::Udp],
            };
            let inside = Endpoint::new(forward.address, forward.inside_port);
            for protocol in protocols {
                for address in self.addresses.clone() {
                    self.ports.entry((*protocol, address)).or_insert_with(Ports::new).take(forward.port);
                    let outside = Endpoint::new(address, forward.port);
                    // What the host inside sends from that port has the forwarded one too, where one mapping is for all.
                    let scope = Scope { protocol: *protocol, inside, far: NOBODY };
                    let is_found = spec.mapping == Dependence::Endpoint && !self.by_scope.contains(&scope);
                    self.add(*protocol, inside, outside, true, is_found.then_some(scope));
                }
            }
        }
    }

    /// The inside endpoint whose connection this is, if it is known: from outside, `end` being the outside endpoint.
    pub(super) fn inside_of(&self, protocol: Protocol, outside: Endpoint, far: Endpoint) -> Option<Endpoint> {
        let mapping = self.mappings.get(self.by_outside.get(&(protocol, outside))?)?;
        mapping.sessions.contains_key(&far).then_some(mapping.inside)
    }

    /// The outside endpoint of a connection that is known.
    pub(super) fn outside_of(&self, protocol: Protocol, inside: Endpoint, far: Endpoint) -> Option<Endpoint> {
        let key = self.by_connection.get(&(protocol, inside, far))?;
        self.mappings.get(key).map(|mapping| mapping.outside)
    }

    /// For whom an endpoint outside stands.
    pub(super) fn holder_of(&self, protocol: Protocol, outside: Endpoint) -> Option<Endpoint> {
        let mapping = self.mappings.get(self.by_outside.get(&(protocol, outside))?)?;
        (!mapping.is_own).then_some(mapping.inside)
    }

    /// Whether an endpoint outside stands for somebody inside.
    pub(super) fn is_mapped(&self, protocol: Protocol, outside: Endpoint) -> bool {
        self.holder_of(protocol, outside).is_some()
    }

    /// A packet goes out: its outside source. A mapping and a session are made if they are not there.
    pub(super) fn go_out(&mut self, flow: Flow, spec: &NatSpec, now: Time) -> Result<Endpoint, Exhausted> {
        let (protocol, inside, far) = (flow.protocol, flow.source, flow.far(flow.destination));
        let key = match self.by_connection.get(&(protocol, inside, far)) {
            Some(key) => key,
            None => {
                if self.session_count >= spec.sessions_max {
                    return Err(Exhausted::Sessions);
                }
                let depends = match spec.mapping {
                    Dependence::Endpoint => NOBODY,
                    Dependence::Address => Endpoint::new(far.address, 0),
                    Dependence::AddressAndPort => far,
                };
                let scope = Scope { protocol, inside, far: depends };
                match self.by_scope.get(&scope) {
                    Some(key) => key,
                    None => self.map(scope, spec)?,
                }
            }
        };
        self.touch(key, flow, far, Way::There, spec, now);
        self.mappings.get(key).map(|mapping| mapping.outside).ok_or(Exhausted::Ports)
    }

    /// A packet comes in: for whom it is.
    pub(super) fn come_in(&mut self, flow: Flow, spec: &NatSpec, now: Time) -> Entry {
        let far = flow.far(flow.source);
        let key = self.by_outside.get(&(flow.protocol, flow.destination));
        let Some((key, mapping)) = key.and_then(|key| Some((key, self.mappings.get(key)?))) else {
            return Entry::Unmapped;
        };
        let inside = mapping.inside;
        if !mapping.sessions.contains_key(&far) {
            let may_enter = mapping.is_static
                || mapping.is_own
                || match spec.filtering {
                    Dependence::Endpoint => true,
                    Dependence::Address => {
                        let from = Endpoint::new(far.address, 0);
                        let to = Endpoint::new(far.address, u16::MAX);
                        mapping.sessions.range(from..=to).next().is_some()
                    }
                    Dependence::AddressAndPort => false,
                };
            if !may_enter {
                return Entry::Filtered;
            }
            // Two forwarded ports may lead to one endpoint; one far end cannot use both at once from one port.
            let is_other = self.by_connection.contains(&(flow.protocol, inside, far));
            if self.session_count >= spec.sessions_max || is_other {
                return Entry::Full;
            }
        }
        self.touch(key, flow, far, Way::Back, spec, now);
        Entry::Inside(inside)
    }

    /// When a session is next due.
    pub(super) fn due_at(&self) -> Option<Time> {
        self.due.first().map(|(at, _, _)| *at)
    }

    /// Takes out one session that is over, if one is; what was mapped if that was the mapping's last.
    pub(super) fn expire_one(&mut self, now: Time) -> Option<Option<Mapping>> {
        loop {
            let entry = self.due.first().copied().filter(|(at, _, _)| *at <= now)?;
            self.due.remove(&entry);
            let (_, key, far) = entry;
            let Some(mapping) = self.mappings.get_mut(key) else { continue };
            let Some(session) = mapping.sessions.get_mut(&far) else { continue };
            if session.expires_at > now {
                session.due_at = session.expires_at;
                self.due.insert((session.due_at, key, far));
                continue;
            }
            mapping.sessions.remove(&far);
            self.session_count -= 1;
            self.by_connection.remove(&(mapping.protocol, mapping.inside, far));
            let is_over = mapping.sessions.is_empty() && !mapping.is_static;
            return Some(is_over.then(|| self.unmap(key)).flatten());
        }
    }

    /// A packet goes through: its session, which is made if need be, lives on.
    fn touch(&mut self, key: Key, flow: Flow, far: Endpoint, way: Way, spec: &NatSpec, now: Time) {
        let Some(mapping) = self.mappings.get_mut(key) else { return };
        let is_new = !mapping.sessions.contains_key(&far);
        let session = mapping.sessions.entry(far).or_insert_with(|| Session::new(flow.protocol == Protocol::Tcp));
        session.packet(way, flow.segment, spec, flow.protocol == Protocol::Icmp, now);
        if is_new {
            self.session_count += 1;
            self.by_connection.insert((mapping.protocol, mapping.inside, far), key);
        }
        // Later than before is seen to when the old time comes; sooner is not.
        if is_new || session.expires_at < session.due_at {
            self.due.remove(&(session.due_at, key, far));
            session.due_at = session.expires_at;
            self.due.insert((session.due_at, key, far));
        }
    }

    /// Makes a mapping.
    fn map(&mut self, scope: Scope, spec: &NatSpec) -> Result<Key, Exhausted> {
        let Scope { protocol, inside, .. } = scope;
        if self.addresses.contains(&inside.address) {
            return self.map_own(scope, spec);
        }
        let held = self.ports_of_hosts.get(&inside.address).copied().unwrap_or(0);
        if spec.ports_per_host.is_some_and(|most| held >= most) {
            return Err(Exhausted::PortsOfHost);
        }
        let count = self.addresses.len();
        let index = match spec.pooling {
            _ if count == 0 => return Err(Exhausted::Addresses),
            Pooling::Paired => inside.address.to_bits() as usize % count,
            Pooling::Arbitrary => {
                self.next_address += 1;
                (self.next_address - 1) % count
            }
        };
        let address = self.addresses[index];
        let port = self.choose_port(protocol, address, inside.port, spec)?;
        *self.ports_of_hosts.entry(inside.address).or_default() += 1;
        Ok(self.add(protocol, inside, Endpoint::new(address, port), false, Some(scope)))
    }

    /// Makes a mapping for the translator's own endpoint: its own port if that is free, so that nothing changes.
    fn map_own(&mut self, scope: Scope, spec: &NatSpec) -> Result<Key, Exhausted> {
        let Scope { protocol, inside, .. } = scope;
        let ports = self.ports.entry((protocol, inside.address)).or_insert_with(Ports::new);
        let port = if ports.is_taken(inside.port) {
            self.choose_port(protocol, inside.address, inside.port, spec)?
        } else {
            ports.take(inside.port);
            inside.port
        };
        Ok(self.add(protocol, inside, Endpoint::new(inside.address, port), false, Some(scope)))
    }

    fn choose_port(
        &mut self,
        protocol: Protocol,
        address: Ipv4Addr,
        inside: u16,
        spec: &NatSpec,
    ) -> Result<u16, Exhausted> {
        let ports = self.ports.entry((protocol, address)).or_insert_with(Ports::new);
        ports.choose(inside, protocol == Protocol::Icmp, spec, &mut self.luck).ok_or(Exhausted::Ports)
    }

    fn add(
        &mut self,
        protocol: Protocol,
        inside: Endpoint,
        outside: Endpoint,
        is_static: bool,
        scope: Option<Scope>,
    ) -> Key {
        let is_own = self.addresses.contains(&inside.address);
        let sessions = BTreeMap::new();
        let key = self.mappings.insert(Mapping { protocol, inside, outside, is_static, is_own, sessions, scope });
        self.by_outside.insert((protocol, outside), key);
        if let Some(scope) = scope {
            self.by_scope.insert(scope, key);
        }
        key
    }

    fn unmap(&mut self, key: Key) -> Option<Mapping> {
        let mapping = self.mappings.remove(key)?;
        self.by_outside.remove(&(mapping.protocol, mapping.outside));
        if let Some(scope) = mapping.scope {
            self.by_scope.remove(&scope);
        }
        if let Some(ports) = self.ports.get_mut(&(mapping.protocol, mapping.outside.address)) {
            ports.release(mapping.outside.port);
        }
        if let Some(held) = self.ports_of_hosts.get_mut(&mapping.inside.address).filter(|_| !mapping.is_own) {
            *held -= 1;
            if *held == 0 {
                self.ports_of_hosts.remove(&mapping.inside.address);
            }
        }
        Some(mapping)
    }
}

/// The far end of a mapping that is for all.
const NOBODY: Endpoint = Endpoint::new(Ipv4Addr::UNSPECIFIED, 0);

#[cfg(test)]
mod tests;
