//! OSPF as a machine that knows nothing of sockets: packets, carriers and time in, packets and routes out.
//!
//! This file is the frame: interfaces that come and go, packets that are sorted, timers that are due. What is then done is
//! told in `hello` (who is there), `exchange` (databases are made equal), `flood` (news), `originate` (what this router
//! itself says) and `routes` (what follows from all that).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::database::Database;
use super::interface::{Interface, Port, Role};
use super::neighbor::State;
use super::routes::Throttle;
use super::spf::Path;
use super::timers::{Timer, Timers};
use crate::net::RouteChange;
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::ospf::lsa::LsaKey;
use crate::wire::ospf::{ALL_DESIGNATED, ALL_ROUTERS, OspfBody, OspfPacket};

/// The only area there is.
pub(super) const AREA: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// How the protocol is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// From one hello to the next, in seconds.
    pub(super) hello: u16,
    /// After how many seconds of silence a neighbor is gone.
    pub(super) dead: u32,
    /// How long an acknowledgment is waited for.
    pub(super) retransmit: Duration,
    /// How long after the first change in a while paths are found.
    pub(super) spf_delay: Duration,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Listen to what is for designated routers on an interface, or do so no longer.
    Listen {
        interface: u16,
        is_designated: bool,
    },
    Route(RouteChange),
    Say(String),
    Send {
        interface: u16,
        to: Ipv4Addr,
        payload: Vec<u8>,
    },
}

/// What has been counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Packets, and advertisements, that must not be believed.
    pub(super) ignored: u64,
    /// Advertisements and neighbors that there was no room for.
    pub(super) refused: u64,
    pub(super) retold: u64,
    pub(super) spf_runs: u64,
    /// When a route last changed.
    pub(super) last_change: Option<Time>,
}

/// The state of one router.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) settings: Settings,
    /// Its router ID.
    pub(super) id: Ipv4Addr,
    pub(super) interfaces: BTreeMap<u16, Interface>,
    pub(super) database: Database,
    pub(super) timers: Timers,
    /// What it has said itself, and when it last did.
    pub(super) originated: BTreeMap<LsaKey, Time>,
    /// What others have said in its name: it is to be said anew.
    pub(super) disputed: BTreeSet<LsaKey>,
    /// Until when its own news wait for others.
    pub(super) waiting: BTreeMap<LsaKey, Time>,
    /// What is to be forgotten once everybody knows that.
    pub(super) ended: BTreeSet<LsaKey>,
    /// What it would say itself may have changed.
    pub(super) is_changed: bool,
    pub(super) throttle: Throttle,
    /// The routes that packets take.
    pub(super) routes: BTreeMap<Ipv4Net, Path>,
    pub(super) luck: Rng,
    pub(super) counts: Counts,
    pub(super) actions: Vec<Action>,
}

impl Engine {
    pub(super) fn new(settings: Settings, id: Ipv4Addr, luck: Rng) -> Self {
        Self {
            settings,
            id,
            interfaces: BTreeMap::new(),
            database: Database::default(),
            timers: Timers::default(),
            originated: BTreeMap::new(),
            disputed: BTreeSet::new(),
            waiting: BTreeMap::new(),
            ended: BTreeSet::new(),
            is_changed: false,
            throttle: Throttle::default(),
            routes: BTreeMap::new(),
            luck,
            counts: Counts::default(),
            actions: Vec::new(),
        }
    }

    /// What is to be done now, in order.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// When something is next due.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.timers.next_at()
    }

    /// The interfaces that are up are these, and no others.
    pub(super) fn set_ports(&mut self, ports: BTreeMap<u16, Port>, now: Time) {
        let is_other = |index: &u16, interface: &Interface| {
            // What it costs may change while everything goes on.
            ports.get(index).is_none_or(|port| Port { cost: interface.port.cost, ..port.clone() } != interface.port)
        };
        let gone = self.interfaces.iter().filter(|(index, interface)| is_other(index, interface));
        let gone: Vec<u16> = gone.map(|(index, _)| *index).collect();
        for index in gone {
            self.take_down(index);
        }
        for (index, port) in ports {
            match self.interfaces.get_mut(&index) {
                Some(interface) => interface.port = port,
                None => self.bring_up(index, port, now),
            }
        }
        self.is_changed = true;
        self.settle(now);
    }

    /// §9.3, InterfaceUp.
    fn bring_up(&mut self, index: u16, port: Port, now: Time) {
        let interface = Interface::new(port);
        let (is_passive, role) = (interface.port.is_passive, interface.role);
        self.interfaces.insert(index, interface);
        if is_passive {
            return;
        }
        if role == Role::Waiting {
            let wait = Duration::from_secs(self.settings.dead.into());
            self.timers.set(Timer::Wait(index), now + wait);
        }
        self.timers.set(Timer::Hello(index), now);
    }

    /// §9.3, InterfaceDown.
    fn take_down(&mut self, index: u16) {
        let Some(interface) = self.interfaces.remove(&index) else { return };
        for timer in [Timer::Hello(index), Timer::Wait(index), Timer::Acknowledge(index)] {
            self.timers.stop(timer);
        }
        for (address, neighbor) in &interface.neighbors {
            self.stop_neighbor_timers(index, *address);
            let text = format!(
                "neighbor {} on {}: {} -> Down, no carrier",
                neighbor.id,
                interface.port.name,
                neighbor.state.name()
            );
            self.actions.push(Action::Say(text));
        }
        if interface.is_designated_or_backup() {
            self.actions.push(Action::Listen { interface: index, is_designated: false });
        }
    }

    pub(super) fn stop_neighbor_timers(&mut self, index: u16, address: Ipv4Addr) {
        let timers = [Timer::Inactivity, Timer::Describe, Timer::Request, Timer::Retell];
        timers.into_iter().for_each(|timer| self.timers.stop(timer(index, address)));
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Time) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Acknowledge(index) => self.acknowledge(index),
                Timer::Age(key) => self.lsa_is_old(key, now),
                Timer::Describe(index, neighbor) => self.describe_again(index, neighbor, now),
                Timer::Hello(index) => {
                    self.timers.set(timer, now + Duration::from_secs(self.settings.hello.into()));
                    self.say_hello(index);
                }
                Timer::Inactivity(index, neighbor) => self.neighbor_is_silent(index, neighbor, now),
                Timer::Originate(_) => self.is_changed = true,
                Timer::Request(index, neighbor) => self.request_again(index, neighbor, now),
                Timer::Retell(index, neighbor) => self.retell(index, neighbor, now),
                Timer::Spf => self.find_routes(now),
                Timer::SpfHold => self.throttle.hold_is_over(&mut self.timers),
                Timer::SpfLearn => self.throttle.learn_is_over(),
                Timer::Wait(index) => self.elect(index, now),
            }
        }
        self.settle(now);
    }

    /// Takes a packet that has come in at an interface.
    pub(super) fn receive(&mut self, index: u16, source: Ipv4Addr, destination: Ipv4Addr, bytes: &[u8], now: Time) {
        let Some(interface) = self.interfaces.get(&index).filter(|interface| !interface.port.is_passive) else {
            return;
        };
        // §8.2: "Packets whose IP destination is AllDRouters should only be accepted if the state of the receiving interface
        // is DR or Backup".
        let is_for_others = destination == ALL_DESIGNATED && !interface.is_designated_or_backup();
        if is_for_others || self.interfaces.values().any(|interface| interface.address() == source) {
            self.counts.ignored += 1;
            return;
        }
        let is_near = interface.role == Role::PointToPoint || interface.port.net.contains(&source);
        let packet = match OspfPacket::parse(bytes) {
            Ok(packet) => packet,
            Err(error) => return self.ignore(&format!("packet from {source} with {error}")),
        };
        if !is_near {
            return self.ignore(&format!("packet from {source}, which is not on that network"));
        }
        if packet.area != AREA {
            return self.ignore(&format!("packet from {source} of area {}", packet.area));
        }
        if packet.router == self.id {
            return self.ignore(&format!("packet from {source}, which has this router's own ID"));
        }
        self.counts.received += 1;
        if let OspfBody::Hello(hello) = &packet.body {
            self.hear_hello(index, source, packet.router, hello, now);
        } else if self.neighbor(index, source).is_some_and(|neighbor| neighbor.id == packet.router) {
            match packet.body {
                OspfBody::Hello(_) => {}
                OspfBody::Description(description) => self.hear_description(index, source, &description, now),
                OspfBody::Request(keys) => self.hear_request(index, source, &keys, now),
                OspfBody::Update(lsas) => self.hear_update(index, source, lsas, now),
                OspfBody::Acknowledgment(headers) => self.hear_acknowledgment(index, source, &headers, now),
            }
        } else {
            self.counts.ignored += 1;
        }
        self.settle(now);
    }

    pub(super) fn ignore(&mut self, what: &str) {
        self.counts.ignored += 1;
        self.actions.push(Action::Say(format!("ignored a {what}")));
    }

    /// What follows from what has happened: new advertisements of its own, news for neighbors, what can be forgotten.
    fn settle(&mut self, now: Time) {
        for (index, address) in self.satisfied() {
            self.request_more(index, address, now);
        }
        // Forgetting may let an advertisement begin anew, once.
        for _ in 0..2 {
            if std::mem::take(&mut self.is_changed) {
                self.originate_all(now);
            }
            self.flood_all(now);
            self.forget_ended();
            if !self.is_changed {
                break;
            }
        }
    }

    /// The neighbors of which all that they were asked for has come, be it from others.
    fn satisfied(&self) -> Vec<(u16, Ipv4Addr)> {
        let all = self.interfaces.iter().flat_map(|(index, interface)| {
            interface.neighbors.iter().map(|(address, neighbor)| (*index, *address, neighbor))
        });
        let satisfied = all.filter(|(.., neighbor)| {
            neighbor.is_exchanging() && !neighbor.asked.iter().any(|key| neighbor.missing.contains_key(key))
        });
        satisfied.map(|(index, address, _)| (index, address)).collect()
    }

    pub(super) fn send(&mut self, interface: u16, to: Ipv4Addr, body: OspfBody) {
        // §8.1: between two routers everything is sent to the group, even what is for one of them.
        let is_between_two = self.interfaces.get(&interface).is_some_and(|one| one.role == Role::PointToPoint);
        let to = if is_between_two { ALL_ROUTERS } else { to };
        self.counts.sent += 1;
        let payload = OspfPacket { router: self.id, area: AREA, body }.emit();
        self.actions.push(Action::Send { interface, to, payload });
    }

    /// How many neighbors there are, and with how many databases are equal.
    pub(super) fn neighbor_counts(&self) -> (usize, usize) {
        let all = || self.interfaces.values().flat_map(|interface| interface.neighbors.values());
        (all().count(), all().filter(|neighbor| neighbor.state == State::Full).count())
    }
}
