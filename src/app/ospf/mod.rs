//! `ospf`: routers that all know the whole map (OSPF version 2, RFC 2328).
//!
//! | file | what it holds |
//! |---|---|
//! | `database` | the newest instance of every advertisement |
//! | `engine` | the frame: interfaces, packets, timers |
//! | `exchange` | two routers make their databases equal |
//! | `flood` | news go from router to router |
//! | `hello` | who is there, and who speaks for a network |
//! | `interface`, `neighbor` | what is known of each |
//! | `originate` | what a router itself says |
//! | `routes` | when paths are found, and what becomes of routes |
//! | `settings` | what a scenario may say |
//! | `show` | what it knows, in lines |
//! | `spf` | shortest paths |
//! | `timers` | what is due when |
//!
//! What is not here: areas other than 0, and with them area border routers and summaries; external routes (advertisements
//! of both are passed on, and not used); authentication; virtual links; networks that are neither broadcast nor
//! point-to-point; demand circuits.

mod database;
mod engine;
mod exchange;
mod flood;
mod hello;
mod interface;
mod neighbor;
mod originate;
mod routes;
mod settings;
mod show;
mod spf;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::{IpNet, Ipv4Net};

use self::engine::{Action, Engine};
use self::interface::{NetworkKind, Port};
pub(super) use self::settings::KIND;
use self::settings::Plan;
use super::Outcome;
use super::race::{First, race};
use crate::net::{Egress, Interface, IpSocket, LearnedRoutes, Net, ProgramError, RouteChange, RouteProtocol};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::ospf::{ALL_DESIGNATED, ALL_ROUTERS, OSPF_PROTOCOL};

pub(super) const OUTCOMES: &[Outcome] = &[
    ("router_id", "Text: what it calls itself."),
    ("neighbors", "How many neighbors it hears."),
    ("full", "With how many of them its database is equal."),
    ("lsas", "How many advertisements its database holds."),
    ("routes", "How many destinations beyond its own subnets it knows a way to."),
    ("spf_runs", "How many times it has found the shortest paths."),
    ("sent", "How many packets it sent."),
    ("received", "How many came from neighbors."),
    ("retold", "How many advertisements it had to tell again, for want of an acknowledgment."),
    ("ignored", "How many packets and advertisements it did not believe."),
    ("refused", "How many advertisements, neighbors and routes there was no room for."),
    ("last_change", "When a route last changed, since the beginning of the run; absent if none ever did."),
];

type Shared = Arc<Mutex<Engine>>;

fn with<R>(engine: &Shared, act: impl FnOnce(&mut Engine) -> R) -> R {
    act(&mut engine.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let host = net.host_name();
    let interfaces = net.interfaces()?;
    let id = plan.router_ids.of_node(&host).copied().or_else(|| router_id(&interfaces));
    let id = id.ok_or("there is no IPv4 address to take as router ID")?;
    net.report("router_id", id.to_string());
    let luck = Rng::stream(net.random(), "ospf");
    let engine: Shared = Arc::new(Mutex::new(Engine::new(plan.settings, id, luck)));
    let viewed = Arc::clone(&engine);
    net.offer_view("ospf", move |now| with(&viewed, |engine| show::show(engine, now)));
    let socket = IpSocket::open(&net, OSPF_PROTOCOL);
    let routes = LearnedRoutes::new(&net, RouteProtocol::Ospf);
    let mut watch = net.watch_interfaces();
    let mut daemon = Daemon { net: &net, plan: &plan, host, socket, engine, routes, sources: BTreeMap::new() };
    daemon.look_at_interfaces()?;
    loop {
        daemon.act().await?;
        let until = with(&daemon.engine, |engine| engine.wake_at()).unwrap_or(Time::MAX);
        let event = race(daemon.socket.recv(), race(watch.changed(), net.sleep_until(until))).await;
        let now = net.now();
        match event {
            First::One(packet) => {
                let packet = packet?;
                let (IpAddr::V4(source), IpAddr::V4(destination), Some(interface)) =
                    (packet.source, packet.destination, packet.interface)
                else {
                    continue;
                };
                with(&daemon.engine, |engine| engine.receive(interface, source, destination, &packet.payload, now));
            }
            First::Other(First::One(changed)) => {
                changed?;
                daemon.look_at_interfaces()?;
            }
            First::Other(First::Other(())) => with(&daemon.engine, |engine| engine.wake(now)),
        }
    }
}

/// As all routers choose it: the greatest address of a loopback, or else the greatest of all.
fn router_id(interfaces: &[Interface]) -> Option<Ipv4Addr> {
    let addresses = |is_wanted: &dyn Fn(&&Interface) -> bool| {
        let wanted = interfaces.iter().filter(is_wanted).flat_map(|interface| &interface.addresses);
        wanted.filter_map(|net| v4(net).map(|net| net.addr())).max()
    };
    addresses(&|interface| interface.name.starts_with("lo")).or_else(|| addresses(&|_| true))
}

fn v4(net: &IpNet) -> Option<Ipv4Net> {
    match net {
        IpNet::V4(net) => Some(*net),
        IpNet::V6(_) => None,
    }
}

struct Daemon<'a> {
    net: &'a Net,
    plan: &'a Plan,
    host: String,
    socket: IpSocket,
    engine: Shared,
    routes: LearnedRoutes,
    /// What is spoken from on each interface.
    sources: BTreeMap<u16, Ipv4Addr>,
}

impl Daemon<'_> {
    /// Learns which interfaces are up.
    fn look_at_interfaces(&mut self) -> Result<(), ProgramError> {
        let interfaces = self.net.interfaces()?;
        let ports: BTreeMap<u16, Port> = interfaces
            .iter()
            .filter(|interface| interface.is_up)
            .filter_map(|interface| Some((interface.index, self.port_of(interface)?)))
            .collect();
        for (interface, port) in ports.iter().filter(|(_, port)| !port.is_passive) {
            self.socket.join(*interface, ALL_ROUTERS.into())?;
            self.sources.insert(*interface, port.net.addr());
        }
        let now = self.net.now();
        with(&self.engine, |engine| engine.set_ports(ports, now));
        Ok(())
    }

    /// What the protocol needs to know of an interface; `None` if it has no address.
    fn port_of(&self, interface: &Interface) -> Option<Port> {
        let mut nets = interface.addresses.iter().filter_map(v4);
        let net = nets.next()?;
        let plan = self.plan;
        let written = plan.cost.of(&self.host, interface).and_then(|cost| u16::try_from(*cost).ok());
        let priority = plan.priority.of(&self.host, interface).and_then(|priority| u8::try_from(*priority).ok());
        Some(Port {
            name: interface.name.clone(),
            net,
            more_nets: nets.filter(|other| other.trunc() != net.trunc()).collect(),
            mtu: interface.mtu,
            cost: written.unwrap_or_else(|| plan.cost_of_rate(interface.rate)),
            priority: priority.unwrap_or(1),
            kind: plan.network.of(&self.host, interface).copied().unwrap_or(NetworkKind::Broadcast),
            // Where nobody can be, nobody is spoken to.
            is_passive: interface.link.is_none() || plan.passive.of(&self.host, interface).is_some(),
        })
    }

    /// Does what the protocol wants done, and reports.
    async fn act(&mut self) -> Result<(), ProgramError> {
        let actions = with(&self.engine, |engine| engine.take_actions());
        let changes = actions.iter().filter_map(|action| match action {
            Action::Route(change) => Some(change.clone()),
            _ => None,
        });
        let changes: Vec<RouteChange> = changes.collect();
        let no_room = self.routes.change(&changes)?;
        for action in actions {
            match action {
                Action::Listen { interface, is_designated: true } => {
                    self.socket.join(interface, ALL_DESIGNATED.into())?;
                }
                Action::Listen { interface, is_designated: false } => {
                    self.socket.leave(interface, ALL_DESIGNATED.into());
                }
                Action::Route(change) => self.net.log(|| change.to_string()),
                Action::Say(text) => self.net.log(|| text),
                Action::Send { interface, to, payload } => {
                    let Some(source) = self.sources.get(&interface).copied() else { continue };
                    let by = Egress { interface, source: source.into(), ttl: 1 };
                    // What cannot be sent has been told of by the machine; all that matters is sent again.
                    let _ = self.socket.send_by(&payload, to.into(), by).await;
                }
            }
        }
        self.report(no_room);
        Ok(())
    }

    fn report(&self, no_room: usize) {
        let (counts, lsas, routes, (neighbors, full)) = with(&self.engine, |engine| {
            (engine.counts, engine.database.len(), engine.routes.len(), engine.neighbor_counts())
        });
        let numbers = [
            ("neighbors", neighbors as u64),
            ("full", full as u64),
            ("lsas", lsas as u64),
            ("routes", routes as u64),
            ("spf_runs", counts.spf_runs),
            ("sent", counts.sent),
            ("received", counts.received),
            ("retold", counts.retold),
            ("ignored", counts.ignored),
            ("refused", counts.refused + no_room as u64),
        ];
        numbers.into_iter().for_each(|(key, count)| self.net.report(key, count));
        if let Some(at) = counts.last_change {
            self.net.report("last_change", at.since(Time::ZERO));
        }
    }
}
