//! The IP layer: what all the files of this folder work on, and how sockets see it.
//!
//! One [`IpLayer`] holds a machine's addresses, routes, neighbors and half-finished datagrams. Its behaviour is told
//! in the other files, in the order in which a packet meets it: [`nic`](super::nic), [`input`](super::input),
//! [`forward`](super::forward), [`output`](super::output). While programs run it is lent to the sockets as an
//! [`Ip`].

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::address::{Own, written};
use super::counters::Counters;
use super::ecmp::FlowHash;
use super::gate::Gate;
use super::hop::HopCache;
use super::icmp_limit::ErrorBudget;
use super::ipv6::Ipv6Layer;
use super::learned::{Groups, LearnedTable};
use super::neighbor::{NeighborKey, NeighborTable, State};
use super::path_mtu::PathMtus;
use super::reassembly::{FragmentKey, Reassembly};
use super::redirect::Redirects;
use super::route::{Route, RouteTable};
use super::spec::{MachineSpec, RouteKind, RouteSpec};
use crate::net::control::Control;
use crate::net::{Interface as InterfaceView, Ip, RouteChange, RouteOwner, SendError};
use crate::node::{LinkState, MTU_DEFAULT, Mac};
use crate::record::{Cause, Outbox};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Rate;
use crate::wire::Frame;

/// The MTU of the loopback: whatever fits into a packet's length field.
const LOOPBACK_MTU: usize = super::header::PACKET_BYTES_MAX;

/// An IPv4 address that means this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    /// One of its own.
    Own,
    /// The broadcast address of one of its subnets.
    Broadcast,
    /// One of its subnets itself, which once was a broadcast address too.
    Subnet,
}

/// What changes about an interface.
#[derive(Debug)]
pub(super) struct Interface {
    /// The largest IP packet it sends.
    pub(super) mtu: usize,
    pub(super) is_up: bool,
    /// Something was said about its link: without one, nobody is there.
    was_told_of: bool,
    rate: Option<Rate>,
    /// Its IPv4 addresses, those that are not in use too.
    pub(super) addresses: Vec<Own>,
    /// How many of its addresses were somebody else's since it began.
    pub(super) conflicts: u32,
}

/// Something that is due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The next step in checking an address of an interface.
    Check(u16, Ipv4Addr),
    /// An address of an interface is no longer valid.
    Lifetime(u16, Ipv4Addr),
    /// A neighbor has not answered.
    Neighbor(NeighborKey),
    /// What was learned about a path is old.
    PathMtu(Ipv4Addr),
    /// Programs have waited long enough for addresses.
    Patience,
    /// Fragments have waited too long.
    Reassembly(FragmentKey),
    /// What was learned about a better way is old.
    Redirect(Ipv4Addr),
}

/// A machine's IP layer.
#[derive(Debug)]
pub(super) struct IpLayer {
    pub(super) spec: Arc<MachineSpec>,
    pub(super) interfaces: Vec<Interface>,
    /// Sorted by address.
    pub(super) locals: Vec<(Ipv4Addr, Local)>,
    pub(super) routes: RouteTable,
    /// Those that were written after the machine was made; `None`: those that it was made with.
    pub(super) written_routes: Option<Vec<RouteSpec>>,
    /// What programs have found.
    pub(super) learned: LearnedTable,
    pub(super) groups: Groups,
    /// The routers that programs have learned of, by interface.
    pub(super) routers: BTreeMap<u16, Vec<Ipv4Addr>>,
    /// How often addresses or links have changed.
    pub(super) changes: u64,
    /// The interfaces whose first address programs wait for.
    pub(super) awaited: BTreeSet<u16>,
    /// Programs wait until addresses are known.
    pub(super) is_starting: bool,
    pub(super) probe_luck: Option<Box<Rng>>,
    pub(super) hops: HopCache,
    pub(super) neighbors: NeighborTable,
    pub(super) paths: PathMtus,
    pub(super) redirects: Redirects,
    pub(super) reassembly: Reassembly,
    /// Address translator and firewall, where there are any.
    pub(super) gate: Option<Box<Gate>>,
    /// Where the packet came in that is being dealt with; `None`: from this machine.
    pub(super) arrived_on: Option<u16>,
    /// Packets from this machine to itself, oldest first.
    pub(super) looped: VecDeque<Frame>,
    /// What is due, earliest first; each neighbor and each reassembly at most once.
    pub(super) timers: BTreeSet<(Time, Timer)>,
    ident: u16,
    pub(super) error_budget: ErrorBudget,
    pub(super) flow_hash: FlowHash,
    pub(super) counters: Counters,
    /// `None` if the machine does not speak IPv6.
    pub(super) ipv6: Option<Box<Ipv6Layer>>,
}

impl IpLayer {
    pub(super) fn new(spec: Arc<MachineSpec>) -> Self {
        let interfaces = spec.interfaces.iter().map(|interface| Interface {
            mtu: interface.mtu.unwrap_or(MTU_DEFAULT),
            is_up: true,
            was_told_of: false,
            rate: None,
            addresses: written(interface, spec.arp.detects_conflicts),
            conflicts: 0,
        });
        let mut layer = Self {
            interfaces: interfaces.collect(),
            locals: Vec::new(),
            routes: RouteTable::default(),
            written_routes: None,
            learned: LearnedTable::default(),
            groups: Groups::default(),
            routers: BTreeMap::new(),
            changes: 0,
            awaited: BTreeSet::new(),
            is_starting: false,
            probe_luck: None,
            hops: HopCache::new(),
            neighbors: NeighborTable::default(),
            paths: PathMtus::default(),
            redirects: Redirects::default(),
            reassembly: Reassembly::default(),
            gate: Gate::new(&spec),
            arrived_on: None,
            looped: VecDeque::new(),
            timers: BTreeSet::new(),
            ident: Rng::stream(spec.seed, &format!("node {}/ip/ident", spec.name)).next_u64() as u16,
            error_budget: ErrorBudget::default(),
            flow_hash: FlowHash::new(spec.seed, &spec.name),
            counters: Counters::default(),
            ipv6: Ipv6Layer::new(&spec),
            spec,
        };
        layer.add_permanent_neighbors();
        layer.addresses_changed();
        layer
    }

    /// Forgets what a machine forgets when it loses its power. Every packet that was waiting ends here.
    pub(super) fn power_off(&mut self, out: &mut Outbox) {
        self.timers.clear();
        self.paths.clear();
        self.redirects.clear();
        self.error_budget = ErrorBudget::default();
        let waiting = self.neighbors.drain().chain(self.reassembly.drain());
        let frames: Vec<Frame> = self.looped.drain(..).chain(waiting).collect();
        let held = self.gate.as_mut().map_or_else(Vec::new, |gate| gate.power_off());
        for frame in frames.into_iter().chain(held) {
            self.drop_packet(frame, Cause::NodeDown, out);
        }
        self.groups.clear();
        if !self.learned.is_empty() {
            self.learned.clear();
            self.find_routes();
        }
        self.hops.forget();
        self.reset_addresses();
        self.add_permanent_neighbors();
        if let Some(ipv6) = &mut self.ipv6 {
            ipv6.power_off(out);
        }
    }

    /// The machine begins to work.
    pub(super) fn start(&mut self, now: Time, out: &mut Outbox) {
        self.start_addresses(now, out);
        // Where links are told of, an interface that was not told of one is not plugged in.
        let has_links = self.interfaces.iter().any(|interface| interface.was_told_of);
        let is_plugged = |interface: &Interface| interface.was_told_of || !has_links;
        let plugged: Vec<bool> = self.interfaces.iter().map(is_plugged).collect();
        (0..).zip(plugged).filter(|(_, plugged)| *plugged).for_each(|(interface, _)| self.announce(interface, out));
        if let Some(ipv6) = &mut self.ipv6 {
            ipv6.start(now, out);
        }
    }

    /// Whether programs had better wait, because addresses are still being checked.
    pub(super) fn is_coming_up(&self) -> bool {
        self.is_starting || self.ipv6.as_ref().is_some_and(|ipv6| ipv6.is_coming_up())
    }

    /// How many packets from this machine to itself wait to be taken in.
    pub(super) fn looped_count(&self) -> usize {
        self.looped.len() + self.ipv6.as_ref().map_or(0, |ipv6| ipv6.looped_count())
    }

    fn add_permanent_neighbors(&mut self) {
        for neighbor in &self.spec.neighbors {
            if let (Ok(interface), IpAddr::V4(address)) = (u16::try_from(neighbor.interface), neighbor.address) {
                let key = NeighborKey { interface, address };
                let _ = self.neighbors.set(key, State::Permanent, neighbor.mac, Time::ZERO);
            }
        }
    }

    /// Other routes than before, beside those that follow from addresses.
    pub(super) fn set_routes(&mut self, routes: &[RouteSpec]) {
        self.written_routes = Some(routes.to_vec());
        self.find_routes();
        if let Some(ipv6) = &mut self.ipv6 {
            ipv6.set_routes(routes);
        }
    }

    /// The link at an interface has changed.
    pub(super) fn link_changed(
        &mut self,
        interface: u16,
        state: LinkState,
        now: Time,
        is_running: bool,
        out: &mut Outbox,
    ) {
        if let Some(ipv6) = &mut self.ipv6 {
            ipv6.link_changed(interface, state, now, is_running, out);
        }
        let Some(runtime) = self.interfaces.get_mut(usize::from(interface)) else { return };
        let configured = self.spec.interfaces.get(usize::from(interface)).and_then(|spec| spec.mtu);
        runtime.mtu = configured.unwrap_or(state.mtu);
        let was_up = std::mem::replace(&mut runtime.is_up, state.is_up);
        runtime.was_told_of = true;
        runtime.rate = state.rate;
        let (went_down, came_up) = (was_up && !state.is_up, !was_up && state.is_up);
        self.changes += u64::from(was_up != state.is_up);
        if is_running && came_up {
            self.check_again(interface, now, out);
        }
        self.hops.forget();
        if came_up || went_down {
            self.disable_dead_routes();
        }
        if came_up && is_running {
            self.announce(interface, out);
        }
        if went_down {
            self.stop_checking(interface);
            // As Linux does when the carrier is lost: whoever is there when it returns may be somebody else.
            for (key, neighbor) in self.neighbors.take_from(interface) {
                if let Some(at) = neighbor.timer_at {
                    self.timers.remove(&(at, Timer::Neighbor(key)));
                }
                for packet in neighbor.waiting {
                    self.drop_packet(packet, Cause::LinkDown, out);
                }
            }
        }
    }

    /// A router does without the routes whose links are down. A host sends as before, and its packets end at the link.
    pub(super) fn disable_dead_routes(&mut self) {
        if self.spec.forwards {
            let is_up: Vec<bool> = self.interfaces.iter().map(|interface| interface.is_up).collect();
            self.routes.set_down(|interface| is_up.get(usize::from(interface)) == Some(&false));
        }
    }

    /// When something is next due.
    pub(super) fn wake_at(&self) -> Option<Time> {
        let gate = self.gate.as_ref().and_then(|gate| gate.wake_at());
        let ipv6 = self.ipv6.as_ref().and_then(|ipv6| ipv6.wake_at());
        self.timers.first().map(|(at, _)| *at).into_iter().chain(gate).chain(ipv6).min()
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Time, out: &mut Outbox) {
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Check(interface, address) => self.go_on_checking(interface, address, now, out),
                Timer::Lifetime(interface, address) => self.address_expires(interface, address, out),
                Timer::Neighbor(key) => self.neighbor_is_silent(key, now, out),
                Timer::PathMtu(destination) => self.forget_path_mtu(destination),
                Timer::Patience => self.lose_patience(out),
                Timer::Reassembly(key) => self.reassembly_timeout(key, now, out),
                Timer::Redirect(destination) => self.forget_redirect(destination),
            }
        }
        if self.gate.is_some() {
            self.wake_gate(now, out);
        }
        if let Some(ipv6) = &mut self.ipv6 {
            ipv6.wake(now, out);
        }
    }

    /// Ends a packet, counted.
    pub(super) fn drop_packet(&mut self, packet: Frame, cause: Cause, out: &mut Outbox) {
        out.drop_frame(packet, cause);
    }

    /// An identification for the next packet of this machine's own.
    pub(super) fn next_ident(&mut self) -> u16 {
        self.ident = self.ident.wrapping_add(1);
        self.ident
    }

    /// Whether this is an address of the machine's own, loopback included.
    pub(super) fn owns_v4(&self, address: Ipv4Addr) -> bool {
        address.is_loopback() || self.local(address) == Some(Local::Own)
    }

    /// Whether this is a broadcast address here: limited, or of one of the machine's subnets.
    pub(super) fn is_broadcast_v4(&self, address: Ipv4Addr) -> bool {
        address.is_broadcast() || self.local(address) == Some(Local::Broadcast)
    }

    /// Whether this is the address of one of the machine's subnets: nobody's.
    pub(super) fn is_subnet_v4(&self, address: Ipv4Addr) -> bool {
        self.local(address) == Some(Local::Subnet)
    }

    fn local(&self, address: Ipv4Addr) -> Option<Local> {
        let index = self.locals.binary_search_by_key(&address, |(address, _)| *address).ok()?;
        Some(self.locals[index].1)
    }

    /// Whether this is one of the addresses on `interface`.
    pub(super) fn owns_on(&self, interface: u16, address: Ipv4Addr) -> bool {
        self.addresses_on(interface).any(|own| own.addr() == address)
    }

    /// The interface that has this address of the machine's own, loopback left out.
    pub(super) fn interface_of(&self, address: Ipv4Addr) -> Option<u16> {
        (0..self.spec.interfaces.len() as u16).find(|interface| self.owns_on(*interface, address))
    }

    /// The address on `interface` that a packet for `neighbor` on its link carries: the first of the neighbor's subnet,
    /// or else the first of all.
    pub(super) fn source_on(&self, interface: u16, neighbor: Ipv4Addr) -> Option<Ipv4Addr> {
        let mut addresses = self.addresses_on(interface);
        let first = addresses.clone().next();
        addresses.find(|address| address.contains(&neighbor)).or(first).map(|address| address.addr())
    }

    /// The source address for a packet to somebody else's `destination`; `None` without a route or an address.
    pub(super) fn source_toward(&self, destination: Ipv4Addr) -> Option<Ipv4Addr> {
        let route = self.routes.lookup(destination.into()).filter(|route| route.kind == RouteKind::Unicast)?;
        let neighbor = next_hop(route, destination)?;
        self.source_on(route.interface, neighbor)
    }

    /// The machine's first address, for want of a better one.
    pub(super) fn any_address(&self) -> Option<Ipv4Addr> {
        (0..self.spec.interfaces.len() as u16).find_map(|interface| self.source_on(interface, Ipv4Addr::UNSPECIFIED))
    }

    /// Whether the link at an interface passes frames.
    pub(super) fn is_up(&self, interface: u16) -> bool {
        self.interfaces.get(usize::from(interface)).is_some_and(|interface| interface.is_up)
    }

    /// The interface's MTU.
    pub(super) fn mtu_of(&self, interface: u16) -> usize {
        self.interfaces.get(usize::from(interface)).map_or(MTU_DEFAULT, |interface| interface.mtu)
    }

    fn link_mtu_for(&self, destination: IpAddr) -> usize {
        self.routes.lookup(destination).map_or(MTU_DEFAULT, |route| self.mtu_of(route.interface))
    }

    /// The interfaces and their addresses, as `ip addr` shows them.
    pub(super) fn show_addresses(&self, now: Time) -> String {
        let mut text = format!("lo: <LOOPBACK,UP> mtu {LOOPBACK_MTU}\n    inet 127.0.0.1/8\n");
        if self.ipv6.is_some() {
            text.push_str("    inet6 ::1/128 scope host\n");
        }
        for (index, (spec, interface)) in self.spec.interfaces.iter().zip(&self.interfaces).enumerate() {
            let state = if interface.is_up { "UP" } else { "DOWN" };
            let parent = spec.vlan.and_then(|vlan| self.spec.interfaces.get(vlan.parent));
            let parent = parent.map_or_else(String::new, |parent| format!("@{}", parent.name));
            let _ = writeln!(text, "{}{parent}: <BROADCAST,MULTICAST,{state}> mtu {}", spec.name, interface.mtu);
            let _ = writeln!(text, "    link/ether {}", Mac(spec.mac));
            text.push_str(&self.show_own(index, now));
            text.extend(self.ipv6.as_ref().map(|ipv6| ipv6.show_addresses(index as u16, now)));
        }
        text
    }
}

/// Whether a packet is of version 6.
pub(super) fn is_ipv6(packet: &Frame) -> bool {
    packet.bytes().first().is_some_and(|first| first >> 4 == 6)
}

/// Whom a route hands a packet for `destination` to; `None` if that is of another family.
pub(super) fn next_hop(route: &Route, destination: Ipv4Addr) -> Option<Ipv4Addr> {
    match route.via {
        None => Some(destination),
        Some(IpAddr::V4(router)) => Some(router),
        Some(IpAddr::V6(_)) => None,
    }
}

/// What a program is told when the route that it needs refuses.
pub(super) fn refusal(kind: RouteKind) -> Option<(Cause, SendError)> {
    match kind {
        RouteKind::Unicast => None,
        RouteKind::Blackhole => Some((Cause::Blackhole, SendError::NetworkUnreachable)),
        RouteKind::Prohibit => Some((Cause::Filtered, SendError::PermissionDenied)),
        RouteKind::Unreachable => Some((Cause::NoRoute, SendError::HostUnreachable)),
    }
}

impl Ip for IpLayer {
    fn source_for(&self, destination: IpAddr) -> Result<IpAddr, SendError> {
        let destination = match (destination, &self.ipv6) {
            (IpAddr::V4(destination), _) => destination,
            (IpAddr::V6(destination), Some(ipv6)) => return ipv6.source_for(destination).map(IpAddr::from),
            (IpAddr::V6(_), None) => return Err(SendError::NetworkUnreachable),
        };
        if self.owns_v4(destination) {
            return Ok(destination.into());
        }
        if let Some((interface, neighbor)) = self.link_for_many(|| None, destination) {
            return self.source_on(interface, neighbor).map(IpAddr::from).ok_or(SendError::NetworkUnreachable);
        }
        let route = self.routes.lookup(destination.into()).ok_or(SendError::NetworkUnreachable)?;
        if let Some((_, error)) = refusal(route.kind) {
            return Err(error);
        }
        self.source_toward(destination).map(IpAddr::from).ok_or(SendError::NetworkUnreachable)
    }

    fn mtu_for(&self, destination: IpAddr) -> usize {
        match destination {
            IpAddr::V4(address) if self.owns_v4(address) => LOOPBACK_MTU,
            IpAddr::V4(address) => {
                self.hops.mtu_for(address, || self.paths.limit(address, self.link_mtu_for(destination)))
            }
            IpAddr::V6(address) => match &self.ipv6 {
                Some(ipv6) => ipv6.mtu_for(address),
                None => MTU_DEFAULT,
            },
        }
    }

    fn source_in_zone(&self, interface: &str, destination: IpAddr) -> Result<IpAddr, SendError> {
        let index = self.spec.interfaces.iter().position(|spec| spec.name == interface);
        match (index, destination, &self.ipv6) {
            (Some(index), IpAddr::V6(destination), Some(ipv6)) => ipv6.source_on(index as u16, destination),
            _ => None,
        }
        .map(IpAddr::from)
        .ok_or(SendError::NetworkUnreachable)
    }

    fn hop_limit_for(&self, destination: IpAddr) -> u8 {
        match (destination, &self.ipv6) {
            (IpAddr::V6(destination), Some(ipv6)) => ipv6.hop_limit_for(destination),
            _ => self.spec.ttl,
        }
    }

    fn owns(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.owns_v4(address),
            IpAddr::V6(address) => self.ipv6.as_ref().is_some_and(|ipv6| ipv6.owns(address)),
        }
    }

    fn is_broadcast(&self, address: IpAddr) -> bool {
        matches!(address, IpAddr::V4(address) if self.is_broadcast_v4(address))
    }

    fn send(&mut self, packet: Frame, now: Time, out: &mut Outbox) -> Result<(), SendError> {
        let packet = match self.send_quickly(packet, now, out) {
            Ok(()) => return Ok(()),
            Err(packet) => packet,
        };
        let has_source = self.has_source_of(&packet);
        match &mut self.ipv6 {
            Some(ipv6) if is_ipv6(&packet) => ipv6.send_own(packet, now, out),
            _ if !has_source => {
                self.drop_packet(packet, Cause::AddressGone, out);
                Err(SendError::NetworkUnreachable)
            }
            _ => match self.stamp_own(packet, now, out) {
                Some(packet) => self.send_own(packet, now, out),
                // Its options were wrong, which its sender has been told as any other would be.
                None => Ok(()),
            },
        }
    }

    fn interfaces(&self) -> Vec<InterfaceView> {
        let of_ipv6 = self.ipv6.as_deref();
        let view = |(index, (spec, interface)): (usize, (&super::InterfaceSpec, &Interface))| {
            let index = index as u16;
            let v4 = self.addresses_on(index).map(ipnet::IpNet::V4);
            let (v6, link_local) = of_ipv6.map_or((Vec::new(), None), |ipv6| ipv6.addresses_in_use(index));
            InterfaceView {
                index,
                name: spec.name.clone(),
                link: spec.link.clone(),
                addresses: v4.chain(v6).collect(),
                link_local,
                mtu: interface.mtu,
                rate: interface.rate,
                is_up: interface.is_up,
            }
        };
        self.spec.interfaces.iter().zip(&self.interfaces).enumerate().map(view).collect()
    }

    fn send_by(&mut self, interface: u16, packet: Frame, now: Time, out: &mut Outbox) -> Result<(), SendError> {
        match &mut self.ipv6 {
            Some(ipv6) if is_ipv6(&packet) => ipv6.send_through(Some(interface), packet, now, out),
            _ => self.send_through(Some(interface), packet, now, out),
        }
    }

    fn join(&mut self, interface: u16, group: IpAddr, out: &mut Outbox) {
        self.join_group(interface, group, out);
    }

    fn leave(&mut self, interface: u16, group: IpAddr, out: &mut Outbox) {
        self.leave_group(interface, group, out);
    }

    fn change_routes(&mut self, owner: RouteOwner, changes: &[RouteChange]) -> usize {
        self.change_learned(owner, changes)
    }

    fn withdraw_routes(&mut self, owner: RouteOwner) {
        self.withdraw_learned(owner);
    }

    fn confirm(&mut self, peer: IpAddr, now: Time) {
        if let (Some(ipv6), IpAddr::V6(peer)) = (&mut self.ipv6, peer) {
            ipv6.confirm(peer, now);
        }
    }

    fn arrived_on(&self) -> Option<u16> {
        self.arrived_on
    }

    fn control(&mut self) -> Option<&mut dyn Control> {
        Some(self)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
