//! RIP as a machine that knows nothing of sockets: messages, carriers and time in, messages and routes out.
//!
//! RFC 2453 §3.9 (input) and §3.10 (output) are the things to read first; RFC 2080 changes addresses and little else, so
//! both protocols are this one machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::table::{Route, Source, Table};
use crate::net::{NextHop, RouteChange};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::rip::{
    INFINITY, RIP_GROUP, RIP_PORT, RIPNG_GROUP, RIPNG_PORT, RipCommand, RipEntry, RipMessage, RipVersion,
};

/// What to do about telling a neighbor of what it itself has told (RFC 2453 §3.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SplitHorizon {
    /// It is told all the same.
    None,
    /// It is told that it cannot be reached this way.
    Poisoned,
    /// It is not told.
    Simple,
}

/// How the protocol is run.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) version: RipVersion,
    /// From one regular update to the next, on average.
    pub(super) update: Duration,
    /// How long a route lives without being told of again.
    pub(super) timeout: Duration,
    /// How long a route that has ended is told of as not reachable.
    pub(super) garbage: Duration,
    pub(super) split_horizon: SplitHorizon,
    /// Whether changes are told at once.
    pub(super) triggers: bool,
    /// Prefixes that are announced beside those of the router's subnets.
    pub(super) announced: Vec<IpNet>,
}

/// An interface that is up and has an address to speak from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    /// Its subnets.
    pub(super) nets: Vec<IpNet>,
    /// What it speaks from.
    pub(super) source: IpAddr,
    pub(super) mtu: usize,
    /// What crossing it costs.
    pub(super) cost: u8,
    /// It listens and says nothing.
    pub(super) is_passive: bool,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Route(RouteChange),
    Say(String),
    Send { interface: u16, source: IpAddr, to: SocketAddr, ttl: u8, payload: Vec<u8> },
}

/// What has been counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Updates sent to everybody, the triggered ones included, each once for each interface.
    pub(super) updates_sent: u64,
    pub(super) triggered: u64,
    pub(super) received: u64,
    /// Messages, and entries of messages, that must not be believed.
    pub(super) ignored: u64,
    /// Routes that there was no room for.
    pub(super) refused: u64,
    /// When a route that packets take last changed.
    pub(super) last_change: Option<Time>,
}

/// The state of one router.
#[derive(Debug)]
pub(super) struct Engine {
    settings: Settings,
    ports: BTreeMap<u16, Port>,
    table: Table,
    luck: Rng,
    update_at: Time,
    /// No triggered update before this.
    quiet_until: Time,
    counts: Counts,
    actions: Vec<Action>,
}

impl Engine {
    pub(super) fn new(settings: Settings, luck: Rng, now: Time) -> Self {
        let mut engine = Self {
            settings,
            ports: BTreeMap::new(),
            table: Table::default(),
            luck,
            update_at: Time::MAX,
            quiet_until: Time::ZERO,
            counts: Counts::default(),
            actions: Vec::new(),
        };
        engine.update_at = engine.next_update_after(now);
        for prefix in engine.settings.announced.clone() {
            engine.own(prefix, 1);
        }
        engine
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn ports(&self) -> &BTreeMap<u16, Port> {
        &self.ports
    }

    /// What is to be done now, in order.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// When something is next due.
    pub(super) fn wake_at(&self) -> Time {
        let triggered_at = (self.settings.triggers && self.table.has_changes()).then_some(self.quiet_until);
        let times = [Some(self.update_at), triggered_at, self.table.next_end_at()];
        times.into_iter().flatten().min().unwrap_or(Time::MAX)
    }

    /// The interfaces that are up are these, and no others.
    pub(super) fn set_ports(&mut self, ports: BTreeMap<u16, Port>, now: Time) {
        // RFC 2453 §3.5: "The metric for a directly-connected network is set to the cost of that network."
        let nets = |ports: &BTreeMap<u16, Port>| -> BTreeMap<IpNet, u8> {
            let own = ports.values().flat_map(|port| port.nets.iter().map(|net| (net.trunc(), port.cost)));
            let mut nets = BTreeMap::new();
            for (net, cost) in own.chain(self.settings.announced.iter().map(|net| (*net, 1))) {
                let known = nets.entry(net).or_insert(cost);
                *known = cost.min(*known);
            }
            nets
        };
        let (before, after) = (nets(&self.ports), nets(&ports));
        let before_ports = std::mem::replace(&mut self.ports, ports);
        // A neighbor behind a link that is down is not waited for.
        let is_gone = |route: &Route| route.learned_on().is_some_and(|interface| !self.ports.contains_key(&interface));
        let gone: Vec<IpNet> = self.table.iter().filter(|(_, route)| is_gone(route)).map(|(net, _)| *net).collect();
        for prefix in gone.into_iter().chain(before.into_keys().filter(|net| !after.contains_key(net))) {
            self.end(prefix, now);
        }
        for (prefix, metric) in after {
            self.own(prefix, metric);
        }
        let new = self.ports.iter().filter(|(index, port)| before_ports.get(index) != Some(port));
        let new: Vec<u16> = new.filter(|(_, port)| !port.is_passive).map(|(index, _)| *index).collect();
        for interface in new {
            // RFC 2453 §3.9.1: "When a router first comes up, it multicasts a Request on every connected network asking for a
            // complete routing table."
            self.say_to_all(interface, &RipMessage::request_all());
        }
        self.flush(now);
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Time) {
        while let Some(prefix) = self.table.next_ended(now) {
            if self.table.get(&prefix).is_some_and(Route::is_reachable) {
                self.end(prefix, now);
            } else {
                self.table.remove(&prefix);
            }
        }
        if self.update_at <= now {
            self.update_at = self.next_update_after(now);
            self.update_all(false);
        }
        self.flush(now);
    }

    /// Takes a message that has come in at an interface.
    pub(super) fn receive(&mut self, interface: u16, from: SocketAddr, hops_left: u8, bytes: &[u8], now: Time) {
        let Some(port) = self.ports.get(&interface).cloned() else { return };
        // What this router itself says may come back, and says nothing new.
        if self
            .ports
            .values()
            .any(|port| port.source == from.ip() || port.nets.iter().any(|net| net.addr() == from.ip()))
        {
            self.counts.ignored += 1;
            return;
        }
        self.counts.received += 1;
        match RipMessage::parse(bytes, self.settings.version) {
            Err(error) => self.ignore(&format!("message from {} with {error}", from.ip())),
            Ok(message) if message.command == RipCommand::Request => self.answer(interface, &port, from, &message),
            Ok(message) => self.believe(interface, &port, from, hops_left, &message, now),
        }
        self.flush(now);
    }

    fn ignore(&mut self, what: &str) {
        self.counts.ignored += 1;
        self.actions.push(Action::Say(format!("ignored a {what}")));
    }

    /// RFC 2453 §3.9.1: a request.
    fn answer(&mut self, interface: u16, port: &Port, from: SocketAddr, request: &RipMessage) {
        // Who says nothing still answers programs that look into it. RFC 2453 §3.6: "Specific queries may be sent from ports
        // other than the RIP port".
        if port.is_passive && from.port() == self.port_number() {
            return;
        }
        if request.asks_for_all {
            let entries = self.entries_for(interface, false);
            self.send_entries(interface, port, from, &entries);
            return;
        }
        // "If there are no entries, no response is given."
        let entries = request.entries.iter().map(|asked| {
            let known = asked.prefix.and_then(|prefix| self.table.get(&prefix));
            RipEntry { metric: known.map_or(INFINITY, |route| route.metric).into(), ..*asked }
        });
        let entries: Vec<RipEntry> = entries.collect();
        if !entries.is_empty() {
            self.send_entries(interface, port, from, &entries);
        }
    }

    /// RFC 2453 §3.9.2: a response.
    fn believe(
        &mut self,
        interface: u16,
        port: &Port,
        from: SocketAddr,
        hops_left: u8,
        response: &RipMessage,
        now: Time,
    ) {
        // "The Response must be ignored if it is not from the RIP port."
        if from.port() != self.port_number() {
            return self.ignore(&format!("response from port {} of {}", from.port(), from.ip()));
        }
        let is_neighbor = match from.ip() {
            // "The datagram's IPv4 source address should be checked to see whether the datagram is from a valid neighbor; the
            // source of the datagram must be on a directly-connected network."
            IpAddr::V4(_) => port.nets.iter().any(|net| net.contains(&from.ip())),
            // RFC 2080 §2.4.2: "the source of the datagram must be a link-local address", and multicasts "must be examined to
            // ensure that the hop count is 255". Here all responses are.
            IpAddr::V6(address) => address.is_unicast_link_local() && hops_left == u8::MAX,
        };
        if !is_neighbor {
            return self.ignore(&format!("response from {}, which is no neighbor", from.ip()));
        }
        for entry in &response.entries {
            match entry.prefix.filter(|prefix| is_destination(*prefix) && (1..=16).contains(&entry.metric)) {
                Some(prefix) => self.learn(prefix, entry, interface, port, from.ip(), now),
                // "If any check fails, ignore that entry and proceed to the next."
                None => self.counts.ignored += 1,
            }
        }
    }

    fn learn(&mut self, prefix: IpNet, entry: &RipEntry, interface: u16, port: &Port, from: IpAddr, now: Time) {
        // RFC 2453 §3.9.2: "update the metric by adding the cost of the network on which the message arrived. If the result
        // is greater than infinity, use infinity."
        let metric = (entry.metric as u8).saturating_add(port.cost).min(INFINITY);
        // RFC 2453 §4.4: "If the received Next Hop is not directly reachable, it should be treated as 0.0.0.0", and that is
        // who speaks.
        let is_near = |hop: &IpAddr| match hop {
            IpAddr::V4(_) => port.nets.iter().any(|net| net.contains(hop) && net.addr() != *hop),
            IpAddr::V6(_) => port.source != *hop,
        };
        let via = entry.next_hop.filter(is_near).unwrap_or(from);
        let new = Route {
            source: Source::Learned { from, interface, via },
            metric,
            tag: entry.tag,
            is_changed: true,
            ends_at: Some(now + self.settings.timeout),
        };
        let Some(old) = self.table.get(&prefix).copied() else {
            if !new.is_reachable() {
                // "add this route to the routing table, unless the metric is infinity (there is no point in adding a route
                // which is unusable)."
                return;
            }
            if self.table.has_room() {
                return self.adopt(prefix, new, now);
            }
            self.counts.refused += 1;
            return;
        };
        let is_same_router =
            matches!(old.source, Source::Learned { from: told, interface: at, .. } if told == from && at == interface);
        match old.source {
            Source::Own if old.is_reachable() => {}
            _ if is_same_router && !new.is_reachable() => self.end(prefix, now),
            _ if is_same_router && (metric != old.metric || new.source != old.source || new.tag != old.tag) => {
                self.adopt(prefix, new, now);
            }
            // "If this datagram is from the same router as the existing route, reinitialize the timeout."
            _ if is_same_router => self.table.put(prefix, Route { ends_at: new.ends_at, ..old }),
            _ if metric < old.metric => self.adopt(prefix, new, now),
            // "examine the timeout for the existing route. If it is at least halfway to the expiration point, switch to the
            // new route. This heuristic is optional, but highly recommended."
            _ if metric == old.metric && new.is_reachable() && self.is_fading(&old, now) => {
                self.adopt(prefix, new, now)
            }
            _ => {}
        }
    }

    fn is_fading(&self, route: &Route, now: Time) -> bool {
        route.ends_at.is_some_and(|at| at.since(now) <= self.settings.timeout / 2)
    }

    /// Takes a route that leads somewhere for the best one.
    fn adopt(&mut self, prefix: IpNet, route: Route, now: Time) {
        if let Source::Learned { interface, via, .. } = route.source {
            let next_hops = vec![NextHop { interface, via: Some(via) }];
            let change = RouteChange::Put { prefix, next_hops, metric: route.metric.into() };
            self.actions.push(Action::Route(change));
            self.counts.last_change = Some(now);
        }
        self.table.put(prefix, route);
    }

    /// RFC 2453 §3.8: the deletion process. Neighbors hear of it until the garbage collection.
    fn end(&mut self, prefix: IpNet, now: Time) {
        let Some(old) = self.table.get(&prefix).copied().filter(Route::is_reachable) else { return };
        if old.source != Source::Own {
            self.actions.push(Action::Route(RouteChange::Remove(prefix)));
        }
        self.counts.last_change = Some(now);
        let ends_at = Some(now + self.settings.garbage);
        self.table.put(prefix, Route { metric: INFINITY, is_changed: true, ends_at, ..old });
    }

    /// A prefix of the router's own.
    fn own(&mut self, prefix: IpNet, metric: u8) {
        let old = self.table.get(&prefix);
        if old.is_some_and(|old| old.source == Source::Own && old.metric == metric) {
            return;
        }
        if old.is_some_and(|old| old.source != Source::Own && old.is_reachable()) {
            self.actions.push(Action::Route(RouteChange::Remove(prefix)));
        }
        self.table.put(prefix, Route { source: Source::Own, metric, tag: 0, is_changed: true, ends_at: None });
    }

    /// Tells of changes, if it is time to.
    fn flush(&mut self, now: Time) {
        if !self.settings.triggers || now < self.quiet_until || !self.table.has_changes() {
            return;
        }
        // RFC 2453 §3.10.1: "After a triggered update is sent, a timer should be set for a random interval between 1 and 5
        // seconds. If other changes that would trigger updates occur before the timer expires, a single update is triggered
        // when the timer expires." That is from a thirtieth to a sixth of the time between updates.
        let (least, most) = (self.settings.update / 30, self.settings.update / 6);
        self.quiet_until = now + least + self.luck.up_to(most - least);
        self.counts.triggered += 1;
        self.update_all(true);
    }

    /// Sends what is known, or what has changed, to everybody.
    fn update_all(&mut self, is_triggered: bool) {
        for (interface, port) in self.ports.clone().into_iter().filter(|(_, port)| !port.is_passive) {
            let entries = self.entries_for(interface, is_triggered);
            let to = (self.group(), self.port_number()).into();
            self.counts.updates_sent += u64::from(!entries.is_empty());
            self.send_entries(interface, &port, to, &entries);
        }
        // "Once all of the triggered updates have been generated, the route change flags should be cleared." A regular
        // update tells of all changes as well.
        self.table.all_told();
    }

    /// RFC 2453 §3.10.2 and §3.4.3: what is told on an interface.
    fn entries_for(&self, interface: u16, only_changes: bool) -> Vec<RipEntry> {
        let told = self.table.iter().filter(|(_, route)| route.is_changed || !only_changes);
        let entries = told.filter_map(|(prefix, route)| {
            // A subnet is known to everybody on it.
            let is_there =
                || self.ports.get(&interface).is_some_and(|port| port.nets.iter().any(|net| net.trunc() == *prefix));
            let is_horizon = self.settings.split_horizon != SplitHorizon::None;
            if is_horizon && route.source == Source::Own && is_there() {
                return None;
            }
            let is_from_there = route.learned_on() == Some(interface);
            let metric = match self.settings.split_horizon {
                SplitHorizon::Simple if is_from_there => return None,
                SplitHorizon::Poisoned if is_from_there => INFINITY,
                _ => route.metric,
            };
            Some(RipEntry { prefix: Some(*prefix), next_hop: None, metric: metric.into(), tag: route.tag })
        });
        entries.collect()
    }

    /// Sends entries in as many messages as they need; none if there are none.
    fn send_entries(&mut self, interface: u16, port: &Port, to: SocketAddr, entries: &[RipEntry]) {
        for some in entries.chunks(self.settings.version.entries_max(port.mtu)) {
            let message = RipMessage { command: RipCommand::Response, entries: some.to_vec(), asks_for_all: false };
            self.send(interface, port.source, to, &message);
        }
    }

    fn say_to_all(&mut self, interface: u16, message: &RipMessage) {
        if let Some(source) = self.ports.get(&interface).map(|port| port.source) {
            let to = (self.group(), self.port_number()).into();
            self.send(interface, source, to, message);
        }
    }

    fn send(&mut self, interface: u16, source: IpAddr, to: SocketAddr, message: &RipMessage) {
        let payload = message.emit(self.settings.version);
        let ttl = match self.settings.version {
            RipVersion::Two => 1,
            // RFC 2080 §2.4.2: who hears it can tell that it was not forwarded.
            RipVersion::Ng => u8::MAX,
        };
        self.actions.push(Action::Send { interface, source, to, ttl, payload });
    }

    /// RFC 2453 §3.8: "The 30-second timer is offset by a small random time (+/- 0 to 5 seconds) each time it is set": a
    /// sixth of it. RFC 2080 §2.3: "The offset is derived from: 0.5 * the update period (i.e. 30)."
    fn next_update_after(&mut self, now: Time) -> Time {
        let offset = match self.settings.version {
            RipVersion::Two => self.settings.update / 6,
            RipVersion::Ng => self.settings.update / 2,
        };
        now + (self.settings.update - offset) + self.luck.up_to(offset * 2)
    }

    fn group(&self) -> IpAddr {
        match self.settings.version {
            RipVersion::Two => RIP_GROUP.into(),
            RipVersion::Ng => RIPNG_GROUP.into(),
        }
    }

    pub(super) fn port_number(&self) -> u16 {
        match self.settings.version {
            RipVersion::Two => RIP_PORT,
            RipVersion::Ng => RIPNG_PORT,
        }
    }
}

/// RFC 2453 §3.9.2: "is the destination address valid (e.g., unicast; not net 0 or 127)"; RFC 2080 §2.4.2: "(e.g., not a
/// multicast prefix and not a link-local address)".
fn is_destination(prefix: IpNet) -> bool {
    match prefix {
        IpNet::V4(net) => {
            let [first, ..] = net.network().octets();
            (net.prefix_len() == 0 && first == 0) || (first != 0 && first != 127 && first < 224)
        }
        IpNet::V6(net) => {
            let address = net.network();
            !address.is_multicast() && !address.is_unicast_link_local() && !address.is_loopback()
        }
    }
}
