//! IPv6: a layer beside the IPv4 one, with its own addresses, routes, neighbors and half-finished packets.
//!
//! ```text
//!        programs, sockets
//!      ▲ deliver      │ send
//!  ┌───┴──────────────▼──────┐
//!  │ input   forward  output │  input, extension, forward, output, fragment, reassembly, icmp, path_mtu
//!  │ neighbor discovery      │  discovery, neighbor, message, redirect
//!  │ addresses               │  address, duplicate, autoconfiguration, advertising, listener
//!  └──▲───────────────┬──────┘
//!   receive          emit          nic (Ethernet headers), shared with IPv4
//! ```
//!
//! A machine has such a layer only if one of its interfaces has an IPv6 address or IPv6 is asked for; only on such
//! interfaces is anything sent or taken. The [`IpLayer`](super::ip::IpLayer) hands packets over by their version.
//!
//! Read RFC 8200, 4291, 4443, 4861 and 4862 first, in this order; each file says which it obeys. What is not here:
//! multicast routing, anycast but for the subnet-router address, IPsec.

mod address;
mod advertising;
mod autoconfiguration;
mod counters;
mod discovery;
mod duplicate;
mod extension;
mod forward;
mod fragment;
mod gate;
mod gateway;
mod header;
mod icmp;
mod input;
mod listener;
mod message;
mod neighbor;
mod output;
mod path_mtu;
mod reassembly;
mod redirect;
mod router_message;
mod show;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};
use smoltcp::wire::EthernetAddress;

use self::address::{
    ALL_NODES, ALL_ROUTERS, LINK_LOCAL, Own, Source, eui64, solicited_node, stable_identifier, with_identifier,
};
use self::advertising::Advertising;
use self::autoconfiguration::{Learned, SOLICITATIONS_MAX};
use self::counters::Counters;
use self::gate::Gate;
use self::neighbor::{NeighborKey, NeighborTable};
use self::path_mtu::PathMtus;
use self::reassembly::FragmentKey;
use self::redirect::Redirects;
use super::icmp_limit::ErrorBudget;
use super::pieces::Partials;
use super::route::{Route, RouteTable};
use super::spec::{InterfaceSpec, MachineSpec, RouteSpec};
use crate::node::{LinkState, MTU_DEFAULT};
use crate::record::{Cause, Outbox, Value};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::Frame;

/// The address that an interface with this hardware address makes itself from an advertised prefix of 64 bits.
#[must_use]
pub fn autoconfigured_address(prefix: Ipv6Addr, mac: EthernetAddress) -> Ipv6Addr {
    with_identifier(prefix, eui64(mac))
}

/// The address that an interface of a node whose identifiers are made of a secret makes itself from such a prefix, in a run
/// with this seed, if nobody else has it.
#[must_use]
pub fn stable_address(seed: u64, node: &str, interface: &str, prefix: Ipv6Addr) -> Ipv6Addr {
    with_identifier(prefix, stable_identifier(seed, node, interface, prefix, 0))
}

/// Where a packet comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node::machine) enum Origin {
    /// A link.
    Link {
        /// At which interface.
        interface: u16,
        /// As a link-layer multicast.
        is_for_many: bool,
    },
    /// This machine itself.
    Loopback,
}

/// Something that is due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// It is time to advertise to everybody on a link.
    Advertise(u16),
    /// A host on a link waits for an advertisement.
    AdvertiseTo(u16, Ipv6Addr),
    /// Nobody has objected to an address of an interface: ask again, or take it.
    Duplicate(u16, Ipv6Addr),
    /// Something about an address of an interface ends.
    Lifetime(u16, Ipv6Addr),
    /// A neighbor has not answered, or has not been heard of.
    Neighbor(NeighborKey),
    /// What was learned about a path is old.
    PathMtu(Ipv6Addr),
    /// A prefix is no longer known to be on a link.
    Prefix(u16, Ipv6Net),
    /// Fragments have waited too long.
    Reassembly(FragmentKey),
    /// What was said about a better first hop is old.
    Redirect(Ipv6Addr),
    /// A default router has not been heard of for too long.
    Router(u16, Ipv6Addr),
    /// No router has answered.
    Solicit(u16),
}

/// What IPv6 knows of an interface.
#[derive(Debug)]
struct Link {
    /// The largest packet that it sends.
    mtu: usize,
    is_up: bool,
    /// Somebody has told of a link there.
    was_told_of: bool,
    /// Nothing is plugged in: an address of the machine itself, as on a dummy interface.
    is_unplugged: bool,
    /// Whether IPv6 is spoken there.
    is_active: bool,
    addresses: Vec<Own>,
    /// The groups that are listened to, each with how many reasons there are.
    groups: BTreeMap<Ipv6Addr, u32>,
    /// How long a neighbor's answer is trusted (RFC 4861 §6.3.2: drawn anew for each interface).
    reachable_for: Duration,
    /// What that was drawn from.
    base_reachable: Duration,
    /// How long a neighbor's answer is waited for.
    retry_after: Duration,
    /// The hop limit that a router has told to use.
    hop_limit: Option<u8>,
    /// How often an address with a prefix was somebody else's, for those whose identifiers are made of a secret.
    duplicates: BTreeMap<Ipv6Addr, u8>,
    /// What a router has said of the MTU.
    advertised_mtu: Option<usize>,
    /// How often routers were asked for.
    solicitations: u8,
    /// Programs wait for a router's answer.
    awaits_router: bool,
    /// How many temporary addresses were somebody else's.
    identifiers_refused: u8,
    advertising: Advertising,
}

impl Link {
    /// The link-local address that is in use.
    fn link_local(&self) -> Option<Ipv6Addr> {
        let own = self.addresses.iter().find(|own| own.address.is_unicast_link_local() && own.is_usable());
        own.map(|own| own.address)
    }
}

/// An address that means this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Local {
    interface: u16,
    /// It means any router of the subnet: nothing is sent from it.
    is_anycast: bool,
}

/// A machine's IPv6.
#[derive(Debug)]
pub(in crate::node::machine) struct Ipv6Layer {
    spec: Arc<MachineSpec>,
    /// Those of the configuration.
    written_routes: Vec<RouteSpec>,
    /// Those that programs found.
    found_routes: Vec<Route>,
    links: Vec<Link>,
    /// The addresses that are in use, and those of subnets whose routers this is one of.
    locals: BTreeMap<Ipv6Addr, Local>,
    routes: RouteTable,
    neighbors: NeighborTable,
    paths: PathMtus,
    redirects: Redirects,
    partials: Partials<FragmentKey>,
    /// Packets from this machine to itself, oldest first.
    looped: VecDeque<Frame>,
    /// What is due, earliest first.
    timers: BTreeSet<(Time, Timer)>,
    error_budget: ErrorBudget,
    /// Nonces, times to wait.
    luck: Rng,
    ident: u32,
    /// How many addresses are being checked since the start; programs wait for them.
    coming_up: usize,
    learned: Learned,
    /// The firewall, where there is one.
    gate: Option<Box<Gate>>,
    counters: Counters,
}

impl Ipv6Layer {
    /// The IPv6 of a machine, if it speaks any.
    pub(in crate::node::machine) fn new(spec: &Arc<MachineSpec>) -> Option<Box<Self>> {
        let has_ipv6 = |interface: &InterfaceSpec| interface.addresses.iter().any(|own| own.addr().is_ipv6());
        let is_active = |interface: &InterfaceSpec| spec.ipv6.is_enabled || has_ipv6(interface);
        if !spec.ipv6.is_enabled && !spec.interfaces.iter().any(has_ipv6) {
            return None;
        }
        let stream = |name: &str| Rng::stream(spec.seed, &format!("node {}/ipv6/{name}", spec.name));
        let mut luck = stream("luck");
        let links = spec.interfaces.iter().map(|interface| Link {
            mtu: interface.mtu.unwrap_or(MTU_DEFAULT),
            is_up: true,
            was_told_of: false,
            is_unplugged: false,
            is_active: is_active(interface),
            addresses: Vec::new(),
            groups: BTreeMap::new(),
            reachable_for: draw_reachable_for(spec.ipv6.nd.reachable_for, &mut luck),
            base_reachable: spec.ipv6.nd.reachable_for,
            retry_after: spec.ipv6.nd.retry_after,
            hop_limit: None,
            duplicates: BTreeMap::new(),
            advertised_mtu: None,
            solicitations: 0,
            awaits_router: false,
            identifiers_refused: 0,
            advertising: Advertising::default(),
        });
        let mut layer = Self {
            links: links.collect(),
            locals: BTreeMap::new(),
            written_routes: spec.routes.clone(),
            found_routes: Vec::new(),
            routes: RouteTable::default(),
            neighbors: NeighborTable::default(),
            paths: PathMtus::default(),
            redirects: Redirects::default(),
            partials: Partials::default(),
            looped: VecDeque::new(),
            timers: BTreeSet::new(),
            error_budget: ErrorBudget::default(),
            luck,
            ident: stream("ident").next_u64() as u32,
            coming_up: 0,
            learned: Learned::default(),
            gate: spec.firewall.as_ref().map(|firewall| Box::new(Gate::new(firewall))),
            counters: Counters::default(),
            spec: Arc::clone(spec),
        };
        layer.reset();
        Some(Box::new(layer))
    }

    /// Everything as the configuration says, nothing learned.
    fn reset(&mut self) {
        let spec = Arc::clone(&self.spec);
        self.locals.clear();
        self.error_budget = ErrorBudget::default();
        self.coming_up = 0;
        self.learned = Learned::default();
        for (index, interface) in spec.interfaces.iter().enumerate() {
            let base = spec.ipv6.nd.reachable_for;
            let own_link_local = self.address_with(index as u16, LINK_LOCAL, 0);
            let link = &mut self.links[index];
            link.addresses.clear();
            if link.base_reachable != base {
                (link.base_reachable, link.reachable_for) = (base, draw_reachable_for(base, &mut self.luck));
            }
            (link.hop_limit, link.retry_after) = (None, spec.ipv6.nd.retry_after);
            link.duplicates.clear();
            link.groups.clear();
            (link.advertised_mtu, link.solicitations, link.awaits_router) = (None, 0, false);
            link.identifiers_refused = 0;
            link.advertising = Advertising::default();
            if !link.is_active {
                continue;
            }
            let written = interface.addresses.iter().filter_map(|address| match address {
                IpNet::V6(address) => Some(Own::new(address.addr(), address.prefix_len(), Source::Written)),
                IpNet::V4(_) => None,
            });
            let mut addresses: Vec<Own> = written.collect();
            // RFC 4291 §2.8: a host recognizes "Its required Link-Local address for each interface".
            if !addresses.iter().any(|own| own.address.is_unicast_link_local()) {
                addresses.insert(0, Own::new(own_link_local, 64, Source::LinkLocal));
            }
            link.groups.insert(ALL_NODES, 1);
            if spec.forwards {
                link.groups.insert(ALL_ROUTERS, 1);
                self.add_anycast(index as u16, &addresses);
            }
            self.links[index].addresses = addresses;
        }
        self.find_routes();
        self.add_permanent_neighbors();
    }

    /// RFC 4291 §2.6.1: "All routers are required to support the Subnet-Router anycast addresses for the subnets to which
    /// they have interfaces." Those of two addresses (RFC 6164 §5) and of one have none.
    fn add_anycast(&mut self, interface: u16, addresses: &[Own]) {
        for own in addresses.iter().filter(|own| own.source == Source::Written && own.prefix_length < 127) {
            let Ok(net) = Ipv6Net::new(own.address, own.prefix_length) else { continue };
            if !own.address.is_unicast_link_local() && net.network() != own.address {
                self.locals.insert(net.network(), Local { interface, is_anycast: true });
                *self.links[usize::from(interface)].groups.entry(solicited_node(net.network())).or_insert(0) += 1;
            }
        }
    }

    fn add_permanent_neighbors(&mut self) {
        let spec = Arc::clone(&self.spec);
        for neighbor in &spec.neighbors {
            if let (Ok(interface), IpAddr::V6(address)) = (u16::try_from(neighbor.interface), neighbor.address) {
                self.neighbors.add_permanent(NeighborKey { interface, address }, neighbor.mac);
            }
        }
    }

    /// Makes the table of routes: those that follow from addresses, and those of the configuration.
    fn find_routes(&mut self) {
        let is_v6 = |route: &&RouteSpec| route.prefix.addr().is_ipv6();
        let written = self.written_routes.iter().filter(is_v6).cloned().chain(self.learned_routes());
        let interfaces = self.spec.interfaces.iter().zip(&self.links).map(|(interface, link)| InterfaceSpec {
            addresses: link
                .addresses
                .iter()
                // RFC 5942 §4: that an address was made from a prefix does not tell who else is on the link.
                .filter(|own| matches!(own.source, Source::LinkLocal | Source::Written))
                .filter_map(|own| Ipv6Net::new(own.address, own.prefix_length).ok().map(IpNet::V6))
                .collect(),
            ..interface.clone()
        });
        let (interfaces, written): (Vec<_>, Vec<_>) = (interfaces.collect(), written.collect());
        self.routes = RouteTable::with_learned(&interfaces, &written, self.found_routes.clone());
        if self.spec.forwards {
            self.disable_dead_routes();
        }
    }

    /// Other routes than before, beside those that follow from addresses.
    pub(in crate::node::machine) fn set_routes(&mut self, routes: &[RouteSpec]) {
        self.written_routes = routes.to_vec();
        self.find_routes();
    }

    /// What programs have found, in place of what they had.
    pub(in crate::node::machine) fn set_learned(&mut self, found: Vec<Route>) {
        self.found_routes = found;
        self.find_routes();
    }

    /// The addresses of an interface that are in use, and the link-local one.
    pub(in crate::node::machine) fn addresses_in_use(&self, interface: u16) -> (Vec<IpNet>, Option<Ipv6Addr>) {
        let usable = || {
            let link = self.links.get(usize::from(interface)).filter(|link| link.is_active);
            link.into_iter().flat_map(|link| &link.addresses).filter(|own| own.is_usable())
        };
        let wide = usable().filter(|own| !own.address.is_unicast_link_local());
        let wide = wide.filter_map(|own| Ipv6Net::new(own.address, own.prefix_length).ok().map(IpNet::V6));
        let link_local = usable().map(|own| own.address).find(Ipv6Addr::is_unicast_link_local);
        (wide.collect(), link_local)
    }

    /// As for IPv4: a router does without the routes whose links are down.
    fn disable_dead_routes(&mut self) {
        let is_up: Vec<bool> = self.links.iter().map(|link| link.is_up).collect();
        self.routes.set_down(|interface| is_up.get(usize::from(interface)) == Some(&false));
    }

    /// The machine begins to work: its addresses are checked, its groups reported.
    pub(in crate::node::machine) fn start(&mut self, now: Time, out: &mut Outbox) {
        // Whoever tells of links tells of all that there are, before the run begins.
        let is_told = self.links.iter().any(|link| link.was_told_of);
        for link in &mut self.links {
            link.is_unplugged = is_told && !link.was_told_of;
        }
        for interface in 0..self.links.len() as u16 {
            self.bring_up(interface, now, out);
        }
        let working = self.links.iter().filter(|link| link.is_active && link.is_up);
        self.coming_up = working.flat_map(|link| &link.addresses).filter(|own| own.is_tentative()).count();
        if self.autoconfigures() {
            for link in self.links.iter_mut().filter(|link| link.is_active && link.is_up && !link.is_unplugged) {
                link.awaits_router = link.solicitations < SOLICITATIONS_MAX;
                self.coming_up += usize::from(link.awaits_router);
            }
        }
    }

    /// Whether programs had better wait: addresses are still being checked.
    pub(in crate::node::machine) fn is_coming_up(&self) -> bool {
        self.coming_up > 0
    }

    /// Begins to work on an interface, if IPv6 is spoken there and its link is up.
    fn bring_up(&mut self, interface: u16, now: Time, out: &mut Outbox) {
        let Some(link) = self.links.get(usize::from(interface)).filter(|link| link.is_active && link.is_up) else {
            return;
        };
        let tentative: Vec<Ipv6Addr> =
            link.addresses.iter().filter(|own| own.is_tentative()).map(|own| own.address).collect();
        if link.is_unplugged {
            // Nobody is there who could have an address too, or whom anything could be told.
            for address in tentative {
                self.take_address(interface, address, now, out);
            }
            return;
        }
        let has_link_local = link.link_local().is_some();
        for address in &tentative {
            self.join(interface, solicited_node(*address));
        }
        // Where nothing is checked, the link-local address is usable at once, and the report follows from that.
        if !has_link_local && self.spec.ipv6.nd.dad_transmits > 0 {
            self.report_groups(interface, out);
        }
        for address in tentative {
            self.check_address(interface, address, now, out);
        }
        // With a new link there may be other routers.
        if has_link_local {
            self.link_local_is_usable(interface, now, out);
        }
    }

    /// The interface can talk to its link.
    fn link_local_is_usable(&mut self, interface: u16, now: Time, out: &mut Outbox) {
        self.report_groups(interface, out);
        if self.autoconfigures() {
            if let Some(link) = self.links.get_mut(usize::from(interface)) {
                link.solicitations = 0;
            }
            self.timers.retain(|(_, timer)| *timer != Timer::Solicit(interface));
            self.solicit_routers(interface, now, out);
        }
        self.begin_advertising(interface, now, out);
    }

    /// Forgets what a machine forgets when it loses its power. Every packet that was waiting ends here.
    pub(in crate::node::machine) fn power_off(&mut self, out: &mut Outbox) {
        self.timers.clear();
        self.paths.clear();
        self.found_routes.clear();
        self.redirects.clear();
        if let Some(gate) = &mut self.gate {
            gate.power_off();
        }
        let waiting = self.neighbors.drain().chain(self.partials.drain());
        let frames: Vec<Frame> = self.looped.drain(..).chain(waiting).collect();
        for frame in frames {
            out.drop_frame(frame, Cause::NodeDown);
        }
        self.reset();
    }

    /// The link at an interface has changed.
    pub(in crate::node::machine) fn link_changed(
        &mut self,
        interface: u16,
        state: LinkState,
        now: Time,
        is_running: bool,
        out: &mut Outbox,
    ) {
        let configured = self.spec.interfaces.get(usize::from(interface)).and_then(|spec| spec.mtu);
        let Some(link) = self.links.get_mut(usize::from(interface)) else { return };
        link.mtu = configured.unwrap_or(state.mtu);
        link.was_told_of = true;
        let was_up = std::mem::replace(&mut link.is_up, state.is_up);
        if self.spec.forwards && was_up != state.is_up {
            self.disable_dead_routes();
        }
        match (was_up, state.is_up) {
            (true, false) => {
                self.stop_checking(interface);
                self.cease_waiting_for_routers(interface);
                for (key, neighbor) in self.neighbors.take_from(interface) {
                    if let Some(at) = neighbor.timer_at {
                        self.timers.remove(&(at, Timer::Neighbor(key)));
                    }
                    for packet in neighbor.waiting {
                        out.drop_frame(packet, Cause::LinkDown);
                    }
                }
            }
            (false, true) if is_running => self.bring_up(interface, now, out),
            _ => {}
        }
    }

    /// When something is next due.
    pub(in crate::node::machine) fn wake_at(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Does what is due.
    pub(in crate::node::machine) fn wake(&mut self, now: Time, out: &mut Outbox) {
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Advertise(interface) => self.advertise_to_all(interface, now, out),
                Timer::AdvertiseTo(interface, host) => self.advertise_to(interface, host, now, out),
                Timer::Duplicate(interface, address) => self.nobody_objected(interface, address, now, out),
                Timer::Lifetime(interface, address) => self.lifetime_is_due(interface, address, now, out),
                Timer::Neighbor(key) => self.neighbor_is_due(key, now, out),
                Timer::PathMtu(destination) => self.forget_path_mtu(destination),
                Timer::Prefix(interface, net) => self.forget_prefix(interface, net),
                Timer::Redirect(destination) => self.forget_redirect(destination),
                Timer::Reassembly(key) => self.reassembly_timeout(key, now, out),
                Timer::Router(interface, address) => self.forget_router(interface, address, out),
                Timer::Solicit(interface) => self.solicit_routers(interface, now, out),
            }
        }
    }

    /// The address that is in use or a subnet's anycast address, if it is this machine's; loopback left out.
    fn local(&self, address: Ipv6Addr) -> Option<Local> {
        self.locals.get(&address).copied()
    }

    /// Whether packets to `address` are for this machine, loopback and anycast included.
    pub(in crate::node::machine) fn owns(&self, address: Ipv6Addr) -> bool {
        address.is_loopback() || self.local(address).is_some()
    }

    /// Whether `address` is this machine's alone.
    fn owns_unicast(&self, address: Ipv6Addr) -> bool {
        address.is_loopback() || self.local(address).is_some_and(|local| !local.is_anycast)
    }

    fn link(&self, interface: u16) -> Option<&Link> {
        self.links.get(usize::from(interface))
    }

    fn own(&self, interface: u16, address: Ipv6Addr) -> Option<&Own> {
        self.link(interface)?.addresses.iter().find(|own| own.address == address)
    }

    fn own_mut(&mut self, interface: u16, address: Ipv6Addr) -> Option<&mut Own> {
        self.links.get_mut(usize::from(interface))?.addresses.iter_mut().find(|own| own.address == address)
    }

    /// The interface's MTU.
    fn mtu_of(&self, interface: u16) -> usize {
        self.link(interface).map_or(MTU_DEFAULT, |link| link.advertised_mtu.map_or(link.mtu, |said| said.min(link.mtu)))
    }

    /// The hop limit of what this machine sends to `destination`, unless a program asks for another.
    pub(in crate::node::machine) fn hop_limit_for(&self, destination: Ipv6Addr) -> u8 {
        let link = self.next_on_the_way(destination).and_then(|(interface, _)| self.link(interface));
        link.and_then(|link| link.hop_limit).unwrap_or(self.spec.ttl)
    }

    /// How long a neighbor's answer is waited for.
    fn retry_after(&self, interface: u16) -> Duration {
        self.link(interface).map_or(self.spec.ipv6.nd.retry_after, |link| link.retry_after)
    }

    /// The address that an interface makes itself with a prefix, after so many that were somebody else's.
    fn address_with(&self, interface: u16, prefix: Ipv6Addr, duplicates: u8) -> Ipv6Addr {
        if !self.spec.ipv6.has_stable_identifiers {
            return with_identifier(prefix, eui64(self.mac_of(interface)));
        }
        let name = self.name_of(interface);
        with_identifier(prefix, stable_identifier(self.spec.seed, &self.spec.name, name, prefix, duplicates))
    }

    /// What the interface is called.
    fn name_of(&self, interface: u16) -> &str {
        self.spec.interfaces.get(usize::from(interface)).map_or("?", |spec| &spec.name)
    }

    /// The packet from this machine to itself that is to be taken in next.
    pub(in crate::node::machine) fn first_looped(&self) -> Option<&Frame> {
        self.looped.front()
    }

    /// How many packets from this machine to itself wait to be taken in.
    pub(in crate::node::machine) fn looped_count(&self) -> usize {
        self.looped.len()
    }

    /// All counters, in a fixed order.
    pub(in crate::node::machine) fn counters(&self) -> impl Iterator<Item = (String, Value)> {
        self.counters.list()
    }
}

/// RFC 4861 §6.3.2: "This value should be a uniformly distributed random value between MIN_RANDOM_FACTOR and
/// MAX_RANDOM_FACTOR times BaseReachableTime milliseconds": from half to three halves.
fn draw_reachable_for(base: Duration, luck: &mut Rng) -> Duration {
    base / 2 + Duration::from_millis(luck.below(u64::try_from(base.as_millis()).unwrap_or(u64::MAX)))
}
