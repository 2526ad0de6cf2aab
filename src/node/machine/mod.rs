//! A machine: one implementation for host and router.
//!
//! ```text
//!        programs, sockets           net::Stack, made when the first program is installed
//!      ▲ deliver      │ send
//!  ┌───┴──────────────▼──────┐
//!  │ input   forward  output │  routes, TTL, fragments, ICMP errors   input, forward, output, route, fragment,
//!  │    └───▶  ─┴──▶   │     │                                        reassembly, icmp
//!  │   (gate)          │     │  address translation, firewall         gate, nat, firewall
//!  │                   │     │  sizes that fit the whole path          path_mtu
//!  │ arp               │     │  who is where on the link              arp, neighbor
//!  │ nic ◀─────────────┘     │  Ethernet headers                      nic
//!  └──▲───────────────┬──────┘
//!   receive          send
//! ```
//!
//! This file is the walk: it calls the IP layer (`ip`) with what comes in, hands up what is for sockets, answers for
//! what nobody wants, carries round what the machine sends to itself, and lets programs run, until all is quiet.

mod address;
mod arp;
mod conflict;
mod control;
mod counters;
mod ecmp;
pub mod firewall;
mod forward;
mod fragment;
mod gate;
pub mod gateway;
mod header;
mod hop;
mod icmp;
mod icmp_limit;
mod input;
mod ip;
mod ipv4_settings;
mod ipv6;
mod learned;
mod lessons;
mod middle;
mod mss;
pub mod nat;
mod neighbor;
mod nic;
mod options;
mod output;
mod path_mtu;
mod pieces;
mod quick;
mod reassembly;
mod redirect;
mod route;
pub mod settings;
mod spec;
mod tap;
mod tools;
mod trie;
mod vlan;

use std::any::Any;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use gateway::{Gateway, GatewaySpec};
pub use ipv4_settings::{IcmpLimit, Ipv4Settings};
pub use ipv6::{autoconfigured_address, stable_address};
pub use spec::{
    AdvertiseSettings, ArpSettings, Defence, InterfaceSpec, Ipv6Settings, MachineSpec, NdSettings, NeighborSpec,
    RouteKind, RouteSpec, RouterPreference, TTL_DEFAULT, VlanSpec,
};

use self::header::Header;
use self::ip::IpLayer;
use self::ipv6::Ipv6Layer;
use self::route::Route;
use super::{Command, LinkState, Node};
use crate::id::{AppId, PortId, RuleId};
use crate::net::{Delivery, Ip, Program, Stack, StackConfig};
use crate::record::{Cause, Outbox, Value};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::{Frame, Layer};

/// How often, at one instant, programs may run and packets go round the loopback before time must move on.
const ROUNDS_MAX: usize = 10_000;

/// How far time moves on then. The least that a stack's clock can tell.
const NEXT_ROUND_AFTER: Duration = Duration::from_micros(1);

/// An installed program.
#[derive(Debug)]
struct Installed {
    app: AppId,
    /// It begins before addresses are known.
    is_early: bool,
    /// It has been started and not been stopped: a restart of the machine starts it again.
    is_enabled: bool,
}

/// A host or a router.
#[derive(Debug)]
pub struct Machine {
    spec: Arc<MachineSpec>,
    /// `None` only while lent to programs.
    ip: Option<Box<IpLayer>>,
    /// `None` while no program was installed: an idle machine stays small.
    stack: Option<Box<Stack>>,
    programs: Vec<Installed>,
    /// Where the kernel is that has the place of the programs, if this is a gateway.
    gateway: Option<Box<Gateway>>,
    /// Programs that are to be started at a time.
    starts: BTreeSet<(Time, AppId)>,
    /// When to go on with what had too many rounds.
    resume_at: Option<Time>,
    is_down: bool,
    /// Some interface is that of a VLAN on another's link.
    has_vlans: bool,
    /// The run has begun.
    is_started: bool,
    /// Of so many changes of interfaces programs have been told.
    told_changes: u64,
}

impl Machine {
    /// A machine that knows nobody yet.
    #[must_use]
    pub fn new(spec: MachineSpec) -> Self {
        let spec = Arc::new(spec);
        Self {
            ip: Some(Box::new(IpLayer::new(Arc::clone(&spec)))),
            has_vlans: spec.interfaces.iter().any(|interface| interface.vlan.is_some()),
            spec,
            stack: None,
            programs: Vec::new(),
            gateway: None,
            starts: BTreeSet::new(),
            resume_at: None,
            is_down: false,
            is_started: false,
            told_changes: 0,
        }
    }

    /// Installs a program, to be started at a time or, with `None`, only by a command.
    pub fn add_program(&mut self, app: AppId, name: impl Into<String>, start: Option<Time>, program: Program) {
        // A gateway's are the kernel's.
        let start = start.filter(|_| self.gateway.is_none());
        let stack = self.stack.get_or_insert_with(|| {
            Box::new(Stack::new(StackConfig {
                seed: Rng::stream(self.spec.seed, &format!("node {}/net", self.spec.name)).next_u64(),
                run_seed: self.spec.seed,
                host_name: self.spec.name.clone(),
                hosts: Arc::clone(&self.spec.hosts),
                settings: self.spec.tcp.clone(),
                resolver: self.spec.resolver.clone(),
            }))
        });
        let is_early = program.is_early();
        stack.add_program(app, name, program);
        self.programs.push(Installed { app, is_early, is_enabled: false });
        self.starts.extend(start.map(|start| (start, app)));
    }

    /// What the machine is made from.
    #[must_use]
    pub fn spec(&self) -> &MachineSpec {
        &self.spec
    }

    /// The machine's sockets and programs, if any program was installed.
    #[must_use]
    pub fn stack(&self) -> Option<&Stack> {
        self.stack.as_deref()
    }

    /// Other routes than before, beside those that follow from addresses.
    pub fn set_routes(&mut self, routes: &[RouteSpec]) {
        self.ip_mut().set_routes(routes);
    }

    /// The route that a packet to `destination` takes, as `ip route get` finds it; of several that cost the same, the
    /// first. It says its interface.
    #[must_use]
    pub fn route_to(&self, destination: IpAddr) -> Option<RouteSpec> {
        let route = self.ip().routes.lookup(destination)?;
        let Route { prefix, via, interface, metric, kind, .. } = *route;
        Some(RouteSpec { prefix, via, interface: Some(interface.into()), metric, kind })
    }

    /// A part of the machine's state as the tools of a Unix machine show it: `addr`, `route`, `neigh` and `cache` (what
    /// was learned about paths) as `ip` does, `sockets` all sockets, `ss`, `netstat` and
    /// `arp` as these do, `nat` and `firewall` what these have decided and
    /// know, `leases` what DHCP programs have given away or been given, `resolv` the name servers that are written or learned
    /// of, `dns` what name servers on it know by heart, `ospf` and `rip` what these programs know; all empty where there is none. `None` for anything else.
    #[must_use]
    pub fn show(&self, what: &str, now: Time) -> Option<String> {
        let ip = self.ip();
        // Both families one after the other, IPv4 first.
        let of_ipv6 = |show: &dyn Fn(&Ipv6Layer) -> String| ip.ipv6.as_deref().map_or_else(String::new, show);
        match what {
            "addr" => Some(ip.show_addresses(now)),

            "resolv" => Some(self.stack.as_ref().map_or_else(String::new, |stack| stack.show_resolvers())),
            "cache" => {
                let paths = ip.paths.show(now) + &ip.redirects.show(&self.spec.interfaces, now);
                Some(paths + &of_ipv6(&|ipv6| ipv6.show_paths(now)))
            }
            "firewall" => Some(ip.show_firewall(now)),
            "nat" => Some(ip.show_nat(now)),
            "neigh" => Some(ip.neighbors.show(&self.spec.interfaces, now) + &of_ipv6(&|ipv6| ipv6.show_neighbors(now))),
            "dns" | "leases" | "ospf" | "rip" => {
                Some(self.stack.as_ref().map_or_else(String::new, |stack| stack.show(what, now)))
            }
            "route" => Some(ip.routes.show(&self.spec.interfaces, false) + &of_ipv6(&|ipv6| ipv6.show_routes(now))),
            "sockets" => Some(self.show_sockets()),
            "arp" => Some(tools::arp(&ip.neighbors.show(&self.spec.interfaces, now))),
            "netstat" => Some(tools::netstat(&self.sockets())),
            "ss" => Some(tools::ss(&self.sockets())),
            _ => None,
        }
    }

    /// What [`show`](Self::show) can be asked for.
    pub const VIEWS: [&'static str; 15] = [
        "addr", "arp", "cache", "dns", "firewall", "leases", "nat", "neigh", "netstat", "ospf", "resolv", "rip",
        "route", "sockets", "ss",
    ];

    fn sockets(&self) -> Vec<crate::net::SocketRow> {
        self.stack.as_ref().map_or_else(Vec::new, |stack| stack.sockets())
    }

    fn show_sockets(&self) -> String {
        let rows = self.sockets();
        let end = |end: Option<std::net::SocketAddr>| end.map_or_else(|| "*".to_owned(), |end| end.to_string());
        let line = |row: &crate::net::SocketRow| {
            let (local, peer) = (end(row.local), end(row.peer));
            let (protocol, state, unread, unsent) = (row.protocol, row.state, row.receive_queue, row.send_queue);
            format!("{protocol:<5} {state:<11} {unread:>6} {unsent:>6}  {local:<21} {peer}\n")
        };
        rows.iter().map(line).collect()
    }

    fn ip(&self) -> &IpLayer {
        self.ip.as_deref().expect("the IP layer is lent only while programs run")
    }

    fn ip_mut(&mut self) -> &mut IpLayer {
        self.ip.as_deref_mut().expect("the IP layer is lent only while programs run")
    }

    /// Hands a packet to the sockets, or answers for it if nobody wants it.
    fn deliver(&mut self, packet: Frame, now: Time, out: &mut Outbox) {
        if self.gateway.is_some() {
            return self.hand_over_own(packet, out);
        }
        let ip = self.ip.as_deref_mut().expect("the IP layer is lent only while programs run");
        let refused = match &mut self.stack {
            None => packet,
            Some(stack) => match stack.deliver(packet, now, ip, out) {
                Delivery::NobodyWants(packet) => packet,
                Delivery::Taken | Delivery::Dropped => return,
            },
        };
        ip.refuse(refused, now, out);
    }

    /// Lets programs run and packets go round the loopback until all is quiet.
    fn settle(&mut self, now: Time, out: &mut Outbox) {
        for _ in 0..ROUNDS_MAX {
            self.tell_changes(now);
            let has_ready_programs = self.stack.as_ref().is_some_and(|stack| stack.has_ready_programs());
            let looped = self.ip().looped_count();
            if looped == 0 && !has_ready_programs {
                return;
            }
            let before = out.effects().len();
            self.take_looped(looped, now, out);
            if has_ready_programs {
                self.run_programs(now, out);
            }
            self.tap_sent(before, now, out);
        }
        self.resume_at = Some(now + NEXT_ROUND_AFTER);
        out.note(None, || format!("no end after {ROUNDS_MAX} rounds of programs and loopback; going on 1us later"));
    }

    /// Tells programs of what has changed about the interfaces; those that waited for addresses begin when these are known.
    fn tell_changes(&mut self, now: Time) {
        let changes = self.ip().changes;
        if changes == self.told_changes {
            return;
        }
        self.told_changes = changes;
        if let Some(stack) = &mut self.stack {
            stack.interfaces_changed();
        }
        if self.ip().is_starting {
            self.ip_mut().look_for_start();
            self.start_due(now);
        }
    }

    /// Takes in so many of the packets that this machine has sent to itself.
    fn take_looped(&mut self, count: usize, now: Time, out: &mut Outbox) {
        for _ in 0..count {
            self.tap_looped(now);
            if let Some(Some(packet)) = self.ip_mut().next_looped(now, out) {
                self.deliver(packet, now, out);
            }
        }
    }

    fn run_programs(&mut self, now: Time, out: &mut Outbox) {
        let Some(stack) = &mut self.stack else { return };
        let lent: Box<dyn Ip> = self.ip.take().expect("the IP layer is lent only while programs run");
        let returned = stack.run(now, lent, out).into_any().downcast::<IpLayer>();
        self.ip = Some(returned.expect("the stack gives back what it was lent"));
    }

    /// Starts the programs whose time has come.
    fn start_due(&mut self, now: Time) {
        // As services wait for the network to be online: a program that begins with an address that is still being
        // checked would find no way to anybody.
        while let Some((_, app)) = self.next_start().filter(|(at, _)| *at <= now) {
            self.start_program(app, now);
        }
    }

    /// The program that is to be started next, and when; of those that need no address while these are being checked.
    fn next_start(&self) -> Option<(Time, AppId)> {
        let is_coming_up = self.ip().is_coming_up();
        self.starts.iter().copied().find(|(_, app)| !is_coming_up || self.is_early(*app))
    }

    fn is_early(&self, app: AppId) -> bool {
        self.programs.iter().any(|program| program.app == app && program.is_early)
    }

    /// Starts the programs that had to wait, if addresses were being checked and are no longer.
    fn start_late(&mut self, was_coming_up: bool, now: Time) {
        if was_coming_up {
            self.start_due(now);
        }
    }

    fn start_program(&mut self, app: AppId, now: Time) -> bool {
        self.starts.retain(|(_, planned)| *planned != app);
        if self.gateway.is_some() {
            return false;
        }
        self.set_enabled(app, true);
        self.stack.as_mut().is_some_and(|stack| stack.start_program(app, now))
    }

    fn set_enabled(&mut self, app: AppId, is_enabled: bool) {
        for program in self.programs.iter_mut().filter(|program| program.app == app) {
            program.is_enabled = is_enabled;
        }
    }

    fn crash(&mut self, now: Time, out: &mut Outbox) {
        self.is_down = true;
        self.resume_at = None;
        if let Some(stack) = &mut self.stack {
            stack.crash(now);
        }
        self.ip_mut().power_off(out);
        if let Some(gateway) = &mut self.gateway {
            gateway.power_off(out);
        }
    }

    fn restart(&mut self, now: Time, out: &mut Outbox) {
        self.is_down = false;
        self.ip_mut().start(now, out);
        self.start_due(now);
        let enabled = self.programs.iter().filter(|program| program.is_enabled);
        let enabled: Vec<AppId> = enabled.map(|program| program.app).collect();
        for app in enabled {
            if self.ip().is_coming_up() && !self.is_early(app) {
                self.starts.insert((now, app));
            } else {
                self.start_program(app, now);
            }
        }
    }

    fn inject(
        &mut self,
        port: Option<PortId>,
        layer: Layer,
        bytes: &[u8],
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), String> {
        let name = &self.spec.name;
        if let Some(port) = port.filter(|port| usize::from(port.0) >= self.spec.interfaces.len()) {
            return Err(format!("`{name}` has no port {}", port.0));
        }
        if layer == Layer::Ethernet {
            let port = match (port, self.spec.interfaces.len()) {
                (Some(port), _) => port,
                (None, 1) => PortId(0),
                (None, _) => {
                    return Err(format!("`{name}` has several interfaces: which one is the frame to leave by?"));
                }
            };
            let frame = super::foreign_frame(bytes, Layer::Ethernet, out);
            vlan::send(&self.spec.interfaces, port.0, frame, out);
            return Ok(());
        }
        if bytes.first().is_some_and(|first| first >> 4 == 6) && self.ip().ipv6.is_some() {
            let packet = super::foreign_frame(bytes, Layer::Ip, out);
            if let Some(ipv6) = &mut self.ip_mut().ipv6 {
                ipv6.inject(port.map(|port| port.0), packet, now, out);
            }
            return Ok(());
        }
        let header = match Header::of_own(bytes) {
            Ok(header) => header,
            Err(cause) => return Err(format!("that is not an IPv4 packet: {}", cause.explanation())),
        };
        let packet = super::foreign_frame(bytes, Layer::Ip, out);
        // A packet that cannot be sent has been recorded with its cause.
        let _ = self.ip_mut().send_as_is(port.map(|port| port.0), header, packet, now, out);
        Ok(())
    }
}

impl Node for Machine {
    fn kind(&self) -> &'static str {
        match self.gateway {
            Some(_) => "gateway",
            None if self.spec.forwards => "router",
            None => "host",
        }
    }

    fn enrol(&mut self, register: &mut dyn FnMut(String, Option<u32>) -> RuleId) {
        let name = self.spec.name.clone();
        let ip = self.ip_mut();
        if let Some(gate) = &mut ip.gate {
            gate.enrol(&name, register);
            if let (Some(firewall), Some(ipv6)) = (gate.firewall(), &mut ip.ipv6) {
                ipv6.call_rules_as(firewall);
            }
        }
    }

    fn start(&mut self, now: Time, out: &mut Outbox) {
        self.is_started = true;
        self.ip_mut().start(now, out);
        self.start_due(now);
        self.settle(now, out);
    }

    fn receive(&mut self, port: PortId, frame: Frame, now: Time, out: &mut Outbox) {
        if self.is_down {
            return self.ip_mut().drop_packet(frame, Cause::NodeDown, out);
        }
        let frame = match self.gateway {
            None => frame,
            Some(_) => match self.leave(port, frame, out) {
                Some(frame) => frame,
                None => return,
            },
        };
        let is_tapped = self.tap_received(port, &frame, now);
        if !is_tapped && let Some(way) = self.ip().quick_way(port, &frame, now) {
            if !way.ends_here() {
                return self.ip_mut().pass_quickly(&way, frame, out);
            }
            let packet = self.ip_mut().take_quickly(port, frame);
            self.deliver(packet, now, out);
            return self.settle(now, out);
        }
        let before = out.effects().len();
        let was_coming_up = self.ip().is_coming_up();
        if let Some(packet) = self.ip_mut().receive(port, frame, now, out) {
            self.deliver(packet, now, out);
        }
        self.tap_sent(before, now, out);
        self.start_late(was_coming_up, now);
        self.settle(now, out);
    }

    fn wake(&mut self, now: Time, out: &mut Outbox) {
        if self.is_down {
            return;
        }
        self.resume_at = self.resume_at.filter(|at| *at > now);
        self.start_due(now);
        let before = out.effects().len();
        let was_coming_up = self.ip().is_coming_up();
        self.ip_mut().wake(now, out);
        self.start_late(was_coming_up, now);
        // "Host unreachable" about a SYN that is due to be sent again at this very instant: the connection fails first.
        self.take_looped(self.ip().looped_count(), now, out);
        if let Some(stack) = &mut self.stack
            && stack.wake_at().is_some_and(|at| at <= now)
        {
            let ip = self.ip.as_deref_mut().expect("the IP layer is lent only while programs run");
            stack.poll_sockets(now, ip, out);
        }
        self.tap_sent(before, now, out);
        self.settle(now, out);
    }

    fn wake_at(&self) -> Option<Time> {
        if self.is_down {
            return None;
        }
        let stack = self.stack.as_ref().and_then(|stack| stack.wake_at());
        let start = self.next_start().map(|(at, _)| at);
        [self.ip().wake_at(), stack, start, self.resume_at].into_iter().flatten().min()
    }

    fn link_changed(&mut self, port: PortId, state: LinkState, now: Time, out: &mut Outbox) {
        let before = out.effects().len();
        let is_running = self.is_started && !self.is_down;
        if self.has_vlans {
            for interface in vlan::sharing(&self.spec.interfaces, port) {
                self.ip_mut().link_changed(interface, state, now, is_running, out);
            }
        } else {
            self.ip_mut().link_changed(port.0, state, now, is_running, out);
        }
        if is_running {
            if let Some(stack) = &mut self.stack {
                stack.interfaces_changed();
            }
            self.tap_sent(before, now, out);
            self.settle(now, out);
        }
    }

    fn command(&mut self, command: &Command, now: Time, out: &mut Outbox) -> Result<(), String> {
        let before = out.effects().len();
        let name = &self.spec.name;
        if self.is_down && !matches!(command, Command::Crash | Command::Restart | Command::StopApp(_)) {
            return Err(format!("`{name}` is down and cannot {}", command.verb()));
        }
        match command {
            Command::Crash => self.crash(now, out),
            // Power off and on again, if it was running.
            Command::Restart => {
                if !self.is_down {
                    self.crash(now, out);
                }
                self.restart(now, out);
            }
            Command::StartApp(app) => {
                if self.gateway.is_some() {
                    return Err(format!("`{name}` is a gateway: its programs are those of the real machine"));
                }
                if !self.start_program(*app, now) {
                    return Err(format!("`{}` has no such program", self.spec.name));
                }
            }
            Command::StopApp(app) => {
                if !self.programs.iter().any(|program| program.app == *app) {
                    return Err(format!("`{}` has no such program", self.spec.name));
                }
                self.starts.retain(|(_, planned)| planned != app);
                self.set_enabled(*app, false);
                // One that has ended by itself, or with the machine, needs no stopping.
                if let Some(stack) = &mut self.stack {
                    stack.stop_program(*app, now);
                }
            }
            Command::Inject { port, layer, bytes } => self.inject(*port, *layer, bytes, now, out)?,
        }
        if !self.is_down {
            self.tap_sent(before, now, out);
            self.settle(now, out);
        }
        Ok(())
    }

    fn counter(&self, path: &str) -> Option<Value> {
        self.counters().into_iter().find(|(name, _)| name == path).map(|(_, value)| value)
    }

    fn counters(&self) -> Vec<(String, Value)> {
        let mut list = self.ip().counters.list();
        let twin = self.ip().ipv6.as_ref().and_then(|ipv6| ipv6.firewall());
        list.extend(self.ip().gate.as_ref().map_or_else(Vec::new, |gate| gate.counters(twin)));
        list.extend(self.ip().ipv6.iter().flat_map(|ipv6| ipv6.counters()));
        list.extend(self.gateway.iter().flat_map(|gateway| gateway.counters()));
        for (name, value) in self.stack.as_ref().map_or_else(Vec::new, |stack| stack.counters()) {
            // Both refuse segments: IP those that nobody wants, connections those that do not fit.
            match (list.iter_mut().find(|(known, _)| *known == name), value) {
                (Some((_, Value::Integer(sum))), Value::Integer(more)) => *sum += more,
                (_, value) => list.push((name, value)),
            }
        }
        list
    }

    fn outcome(&self, app: AppId, key: &str) -> Option<Value> {
        self.stack.as_ref()?.outcome(app, key)
    }

    fn outcomes(&self, app: AppId) -> Vec<(String, Value)> {
        self.stack.as_ref().map_or_else(Vec::new, |stack| stack.outcomes(app))
    }

    fn show(&self, what: &str, now: Time) -> Option<String> {
        Self::show(self, what, now)
    }

    fn views(&self) -> &'static [&'static str] {
        &Self::VIEWS
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
