//! `rip` and `ripng`: routers that tell their neighbors how far everything is (RFC 2453, RFC 2080).
//!
//! | file | what it holds |
//! |---|---|
//! | `engine` | the protocol, without sockets or clocks |
//! | `show` | what it knows, in lines |
//! | `table` | destinations and when they end |
//!
//! What is not here: authentication (an authenticated message is ignored, as RFC 2453 §4.1 wants of a router that is not
//! configured for it), version 1, and next hops other than the speaker in what is sent: with split horizon no route is
//! told where its next hop is. RIPng's answers to requests from afar, which would need a global source.

mod engine;
mod show;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;

use self::engine::{Action, Engine, Port, Settings, SplitHorizon};
use super::places::{self, Places};
use super::race::{First, race};
use super::{AppBuilder, Outcome};
use crate::net::{Egress, Interface, LearnedRoutes, Net, Program, ProgramError, RouteChange, RouteProtocol, UdpSocket};
use crate::read::{Field, Form, Kind, Located, Need, Table};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::rip::{RIP_GROUP, RIPNG_GROUP, RipVersion};

/// The row of RIP.
pub(super) const KIND: Kind<AppBuilder> = Kind {
    name: "rip",
    doc: "Finds IPv4 routes with its neighbors by RIP version 2; routers that run it are given none.",
    example: "rip = { on = \"router\", kind = \"rip\" }",
    fields: FIELDS,
    build: |table| build(table, RipVersion::Two),
};

/// The row of RIPng.
pub(super) const KIND_NG: Kind<AppBuilder> = Kind {
    name: "ripng",
    doc: "Finds IPv6 routes with its neighbors by RIPng; routers that run it are given none.",
    example: "ripng = { on = \"router\", kind = \"ripng\" }",
    fields: FIELDS,
    build: |table| build(table, RipVersion::Ng),
};

const SPLIT_HORIZONS: &[&str] = &["none", "poisoned", "simple"];

const FIELDS: &[Field] = &[
    Field {
        name: "update",
        form: Form::Duration,
        need: Need::Default("30s"),
        doc: "From one update to the next; each time up to a sixth more or less.",
    },
    Field {
        name: "timeout",
        form: Form::Duration,
        need: Need::Optional,
        doc: "How long a route lives that nobody tells of any more; six times `update` if absent.",
    },
    Field {
        name: "garbage",
        form: Form::Duration,
        need: Need::Optional,
        doc: "How long neighbors are told that a route has ended; four times `update` if absent.",
    },
    Field {
        name: "split_horizon",
        form: Form::OneOf(SPLIT_HORIZONS),
        need: Need::Default("simple"),
        doc: "What a neighbor is told of routes that come from it: nothing (`simple`), that they cannot be reached this way (`poisoned`), or all the same as everybody (`none`).",
    },
    Field {
        name: "triggered",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether changes are told at once, rather than with the next update.",
    },
    Field {
        name: "metric",
        form: Form::Any,
        need: Need::Optional,
        doc: "What crossing an interface costs, 1 unless said: a number, or a table by link, node or `node:interface`.",
    },
    Field {
        name: "passive",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "Links, nodes or `node:interface` where nothing is said, but listened.",
    },
    Field {
        name: "announce",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "Prefixes that are announced beside those of the router's own subnets: `0.0.0.0/0` makes it everybody's way out.",
    },
];

/// What both report.
pub(super) const OUTCOMES: &[Outcome] = &[
    ("routes", "How many destinations it knows a way to, its own subnets included."),
    ("updates_sent", "How many updates it sent, for each interface."),
    ("triggered", "How many times a change made it speak before its time."),
    ("received", "How many messages came from neighbors."),
    ("ignored", "How many messages and entries it did not believe."),
    ("refused", "How many routes there was no room for."),
    ("last_change", "When a way last changed, since the beginning of the run; absent if none ever did."),
];

#[derive(Debug)]
struct Plan {
    settings: Settings,
    metric: Places<u32>,
    passive: Places<()>,
}

fn build(table: &Table<'_>, version: RipVersion) -> Option<Program> {
    let update = table.get_or("update", Duration::from_secs(30));
    if update < Duration::from_secs(1) {
        table.report("update", "a router that speaks that often does nothing else", "at least \"1s\"");
    }
    let timeout = table.get_or("timeout", update * 6);
    if timeout < update {
        table.report("timeout", "routes would time out between two updates", "at least as long as `update`");
    }
    let split_horizon = match table.item("split_horizon").map(|_| table.one_of("split_horizon", SPLIT_HORIZONS)) {
        None | Some(Some("simple")) => SplitHorizon::Simple,
        Some(Some("poisoned")) => SplitHorizon::Poisoned,
        Some(Some(_)) => SplitHorizon::None,
        Some(None) => return None,
    };
    let settings = Settings {
        version,
        update,
        timeout,
        garbage: table.get_or("garbage", update * 4),
        split_horizon,
        triggers: table.get_or("triggered", true),
        announced: announced(table, version),
    };
    let metric = Places::read(table, "metric", |item| places::number(item, 1, 15));
    let plan = Arc::new(Plan { settings, metric, passive: Places::read_list(table, "passive") });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

fn announced(table: &Table<'_>, version: RipVersion) -> Vec<IpNet> {
    let texts: Vec<Located<String>> = table.get("announce").unwrap_or_default();
    let read = |text: Located<String>| {
        let net = text.value.parse::<IpNet>().ok();
        let net = net.filter(|net| net.addr().is_ipv6() == (version == RipVersion::Ng));
        if net.is_none() {
            let (title, label) = match version {
                RipVersion::Two => ("is not an IPv4 prefix", "such as \"0.0.0.0/0\""),
                RipVersion::Ng => ("is not an IPv6 prefix", "such as \"::/0\""),
            };
            let title = format!("`{}` {title}", text.value);
            table.reader.report(crate::read::Diagnostic::new(text.span, title).label(label));
        }
        net.map(|net| net.trunc())
    };
    texts.into_iter().filter_map(read).collect()
}

type Shared = Arc<Mutex<Engine>>;

fn with<R>(engine: &Shared, act: impl FnOnce(&mut Engine) -> R) -> R {
    act(&mut engine.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    let luck = Rng::stream(net.random(), "rip");
    let engine: Shared = Arc::new(Mutex::new(Engine::new(plan.settings.clone(), luck, net.now())));
    let viewed = Arc::clone(&engine);
    net.offer_view("rip", move |now| with(&viewed, |engine| show::show(engine, now)));
    let unspecified: IpAddr = match plan.settings.version {
        RipVersion::Two => [0, 0, 0, 0].into(),
        RipVersion::Ng => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(&net, (unspecified, with(&engine, |engine| engine.port_number())))?;
    let mut daemon =
        Daemon { routes: LearnedRoutes::new(&net, RouteProtocol::Rip), net: &net, plan: &plan, socket, engine };
    let mut watch = net.watch_interfaces();
    daemon.look_at_interfaces()?;
    loop {
        daemon.act().await?;
        let until = with(&daemon.engine, |engine| engine.wake_at());
        let event = race(daemon.socket.recv_datagram(), race(watch.changed(), net.sleep_until(until))).await;
        let now = net.now();
        match event {
            First::One(datagram) => {
                let datagram = datagram?;
                let Some(interface) = datagram.interface else { continue };
                let (from, ttl) = (datagram.from, datagram.ttl);
                with(&daemon.engine, |engine| engine.receive(interface, from, ttl, &datagram.payload, now));
            }
            First::Other(First::One(changed)) => {
                changed?;
                daemon.look_at_interfaces()?;
            }
            First::Other(First::Other(())) => with(&daemon.engine, |engine| engine.wake(now)),
        }
    }
}

struct Daemon<'a> {
    net: &'a Net,
    plan: &'a Plan,
    socket: UdpSocket,
    engine: Shared,
    routes: LearnedRoutes,
}

impl Daemon<'_> {
    /// Learns which interfaces are up.
    fn look_at_interfaces(&mut self) -> Result<(), ProgramError> {
        let host = self.net.host_name();
        let group: IpAddr = match self.plan.settings.version {
            RipVersion::Two => RIP_GROUP.into(),
            RipVersion::Ng => RIPNG_GROUP.into(),
        };
        let mut ports = BTreeMap::new();
        for interface in self.net.interfaces()?.iter().filter(|interface| interface.is_up) {
            if let Some(port) = self.port_of(&host, interface) {
                self.socket.join(interface.index, group)?;
                ports.insert(interface.index, port);
            }
        }
        let now = self.net.now();
        with(&self.engine, |engine| engine.set_ports(ports, now));
        Ok(())
    }

    /// What the protocol needs to know of an interface; `None` if it does not speak there.
    fn port_of(&self, host: &str, interface: &Interface) -> Option<Port> {
        let is_ng = self.plan.settings.version == RipVersion::Ng;
        let nets = interface.addresses.iter().filter(|net| net.addr().is_ipv6() == is_ng).copied();
        let nets: Vec<IpNet> = nets.collect();
        let source = match self.plan.settings.version {
            RipVersion::Two => nets.first()?.addr(),
            // RFC 2080 §2.4.2: "the source of the datagram must be a link-local address."
            RipVersion::Ng => interface.link_local?.into(),
        };
        Some(Port {
            name: interface.name.clone(),
            nets,
            source,
            mtu: interface.mtu,
            cost: self.plan.metric.of(host, interface).map_or(1, |metric| *metric as u8),
            // Nobody is there to be spoken to.
            is_passive: interface.link.is_none() || self.plan.passive.of(host, interface).is_some(),
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
                Action::Route(change) => self.net.log(|| change.to_string()),
                Action::Say(text) => self.net.log(|| text),
                Action::Send { interface, source, to, ttl, payload } => {
                    // What cannot be sent has been told of by the machine; the next update is another chance.
                    let _ = self.socket.send_by(&payload, to, Egress { interface, source, ttl }).await;
                }
            }
        }
        self.report(no_room);
        Ok(())
    }

    fn report(&self, no_room: usize) {
        let (counts, routes) = with(&self.engine, |engine| (engine.counts(), engine.table().reachable_count()));
        self.net.report("routes", routes);
        let numbers = [
            ("updates_sent", counts.updates_sent),
            ("triggered", counts.triggered),
            ("received", counts.received),
            ("ignored", counts.ignored),
            ("refused", counts.refused + no_room as u64),
        ];
        numbers.into_iter().for_each(|(key, count)| self.net.report(key, count));
        if let Some(at) = counts.last_change {
            self.net.report("last_change", at.since(Time::ZERO));
        }
    }
}
