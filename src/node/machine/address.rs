//! A machine's own IPv4 addresses: those of its configuration, and those that a program adds while it runs.
//!
//! Only what is in use counts: it is answered for, packets carry it as their source, its subnet is a neighborhood. An
//! address that is still being checked ([`conflict`](super::conflict)) or that somebody else has is kept and shown, no
//! more. What a program has added is gone after a crash, and when the time is over for which it was added.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::conflict::Check;
use super::ip::{IpLayer, Local, Timer};
use super::route::RouteTable;
use super::spec::{InterfaceSpec, RouteSpec};
use crate::net::control::{AddedAddress, Standing};
use crate::record::Outbox;
use crate::time::Time;

/// How many addresses programs may add to one interface.
const ADDED_MAX: usize = 64;

/// What is preferred over a route that a program has learned: everything that is written. As NetworkManager has it.
const LEARNED_METRIC: u32 = 100;

/// An address of an interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) net: Ipv4Net,
    pub(super) standing: Standing,
    /// A program has added it.
    pub(super) is_added: bool,
    /// [`Time::MAX`]: for ever.
    pub(super) valid_until: Time,
    pub(super) check: Check,
}

impl Own {
    /// An address of the configuration; it is used at once unless it is to be checked first.
    pub(super) fn written(net: Ipv4Net, is_checked: bool) -> Self {
        let standing = if is_checked { Standing::Tentative } else { Standing::InUse };
        Self { net, standing, is_added: false, valid_until: Time::MAX, check: Check::default() }
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.standing == Standing::InUse
    }

    /// As `ip addr` shows it.
    fn show(&self, now: Time) -> String {
        let mut text = format!("    inet {}", self.net);
        if self.net.prefix_len() <= 30 {
            let _ = write!(text, " brd {}", self.net.broadcast());
        }
        text.push_str(if self.is_added { " dynamic" } else { "" });
        text.push_str(match self.standing {
            Standing::InUse => "",
            Standing::Tentative => " tentative",
            Standing::Conflict => " dadfailed tentative",
        });
        if self.valid_until != Time::MAX {
            let _ = write!(text, " valid_lft {}sec", self.valid_until.since(now).as_secs());
        }
        text + "\n"
    }
}

/// The addresses of an interface's configuration.
pub(super) fn written(spec: &InterfaceSpec, is_checked: bool) -> Vec<Own> {
    let v4 = spec.addresses.iter().filter_map(|net| match net {
        IpNet::V4(net) => Some(Own::written(*net, is_checked)),
        IpNet::V6(_) => None,
    });
    v4.collect()
}

impl IpLayer {
    /// The addresses of an interface that are in use, preferred ones first.
    pub(super) fn addresses_on(&self, interface: u16) -> impl Iterator<Item = Ipv4Net> + Clone {
        let own = self.interfaces.get(usize::from(interface)).map_or(&[][..], |one| &one.addresses);
        own.iter().filter(|own| own.is_in_use()).map(|own| own.net)
    }

    /// An address of an interface, whatever its standing.
    pub(super) fn own_mut(&mut self, interface: u16, address: Ipv4Addr) -> Option<&mut Own> {
        self.interfaces.get_mut(usize::from(interface))?.addresses.iter_mut().find(|own| own.net.addr() == address)
    }

    /// Begins to use, or to check, an address that a program adds; one that is there already only gets its new time.
    pub(super) fn add_address(&mut self, interface: u16, added: AddedAddress, now: Time, out: &mut Outbox) {
        let AddedAddress { net, valid_until } = added;
        self.timers.retain(|(_, timer)| *timer != Timer::Lifetime(interface, net.addr()));
        if valid_until != Time::MAX {
            self.timers.insert((valid_until, Timer::Lifetime(interface, net.addr())));
        }
        if let Some(own) = self.own_mut(interface, net.addr()).filter(|own| own.net == net) {
            own.valid_until = valid_until;
            if own.standing != Standing::Conflict {
                return;
            }
        }
        let Some(one) = self.interfaces.get_mut(usize::from(interface)) else { return };
        one.addresses.retain(|own| own.net.addr() != net.addr());
        if one.addresses.iter().filter(|own| own.is_added).count() >= ADDED_MAX {
            return out.note(None, || format!("addr: {net} is one too many, {ADDED_MAX} have been added"));
        }
        let check = Check::default();
        one.addresses.push(Own { net, standing: Standing::Tentative, is_added: true, valid_until, check });
        self.begin_check(interface, net.addr(), now, out);
        self.addresses_changed();
    }

    /// Ends the use of an address.
    pub(super) fn remove_address(&mut self, interface: u16, address: Ipv4Addr) {
        self.timers.retain(|(_, timer)| match timer {
            Timer::Check(of, which) | Timer::Lifetime(of, which) => (*of, *which) != (interface, address),
            _ => true,
        });
        let Some(one) = self.interfaces.get_mut(usize::from(interface)) else { return };
        let before = one.addresses.len();
        one.addresses.retain(|own| own.net.addr() != address);
        if one.addresses.len() != before {
            self.addresses_changed();
        }
    }

    /// The time is over for which an address was added.
    pub(super) fn address_expires(&mut self, interface: u16, address: Ipv4Addr, out: &mut Outbox) {
        let name = self.spec.interfaces.get(usize::from(interface)).map_or("?", |spec| &spec.name);
        out.note(None, || format!("addr: the time of {address} on {name} is over"));
        self.remove_address(interface, address);
    }

    /// Puts the addresses back that the configuration writes, and forgets those that were added.
    pub(super) fn reset_addresses(&mut self) {
        let had_added = self.interfaces.iter().any(|one| one.addresses.iter().any(|own| own.is_added));
        let is_checked = self.spec.arp.detects_conflicts;
        if !had_added && !is_checked {
            return;
        }
        for (one, spec) in self.interfaces.iter_mut().zip(&self.spec.interfaces) {
            one.addresses = written(spec, is_checked);
            one.conflicts = 0;
        }
        self.routers.clear();
        self.addresses_changed();
    }

    /// The default routers that a program has learned of on an interface, best first; they count while the interface has
    /// an address that was added.
    pub(super) fn set_routers(&mut self, interface: u16, routers: Vec<Ipv4Addr>) {
        let is_new = self.routers.get(&interface).is_none_or(|known| *known != routers);
        if is_new {
            self.routers.insert(interface, routers);
            self.addresses_changed();
        }
    }

    /// What follows from addresses is found anew.
    pub(super) fn addresses_changed(&mut self) {
        self.changes += 1;
        self.locals.clear();
        for own in self.interfaces.iter().flat_map(|one| &one.addresses).filter(|own| own.is_in_use()) {
            self.locals.push((own.net.addr(), Local::Own));
            // RFC 3021: a /31 has no broadcast address; a /32 is nobody but itself.
            if own.net.prefix_len() <= 30 {
                self.locals.push((own.net.broadcast(), Local::Broadcast));
                self.locals.push((own.net.network(), Local::Subnet));
            }
        }
        // Own addresses before broadcast addresses, should somebody configure one as the other.
        self.locals.sort_by_key(|(address, local)| (*address, *local as u8));
        self.locals.dedup_by_key(|(address, _)| *address);
        self.find_routes();
        self.tell_gate_of_addresses();
    }

    /// Makes the table of routes: those that follow from addresses, those of the configuration, those to routers that
    /// programs have learned of, and those that programs have found.
    pub(super) fn find_routes(&mut self) {
        let specs = self.spec.interfaces.iter().zip(&self.interfaces).map(|(spec, one)| {
            let v6 = spec.addresses.iter().filter(|net| net.addr().is_ipv6()).copied();
            let v4 = one.addresses.iter().filter(|own| own.is_in_use()).map(|own| IpNet::V4(own.net));
            InterfaceSpec { addresses: v4.chain(v6).collect(), ..spec.clone() }
        });
        let specs: Vec<InterfaceSpec> = specs.collect();
        let written = self.written_routes.as_ref().unwrap_or(&self.spec.routes);
        let routes: Vec<RouteSpec> = written.iter().cloned().chain(self.learned_routes()).collect();
        self.routes = RouteTable::with_learned(&specs, &routes, self.learned.routes(false));
        self.disable_dead_routes();
        self.hops.forget();
    }

    fn learned_routes(&self) -> impl Iterator<Item = RouteSpec> {
        let has_address = |interface: u16| {
            let one = self.interfaces.get(usize::from(interface));
            one.is_some_and(|one| one.addresses.iter().any(|own| own.is_added && own.is_in_use()))
        };
        let usable = self.routers.iter().filter(move |(interface, _)| has_address(**interface));
        usable.filter_map(|(interface, routers)| {
            let via = IpAddr::V4(*routers.first()?);
            let everything = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));
            let metric = LEARNED_METRIC + u32::from(*interface);
            Some(RouteSpec { interface: Some(usize::from(*interface)), metric, ..RouteSpec::via(everything, via) })
        })
    }

    /// The addresses of an interface, one a line, as `ip addr` shows them.
    pub(super) fn show_own(&self, interface: usize, now: Time) -> String {
        let own = self.interfaces.get(interface).map_or(&[][..], |one| &one.addresses);
        own.iter().map(|own| own.show(now)).collect()
    }
}
