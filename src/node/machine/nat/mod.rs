//! Network address and port translation (RFC 3022; RFC 4787 for UDP, RFC 5382 for TCP, RFC 5508 for ICMP).
//!
//! Read RFC 4787 first: it has the words. A translator stands between the networks *inside* and one interface *outside*.
//! What goes out gets an endpoint of the outside interface's address in place of its own; what comes back to that
//! endpoint is given to who holds it.
//!
//! | file | what it holds |
//! |---|---|
//! | `spec` | the knobs and the presets |
//! | `settings` | how a scenario writes them |
//! | `transport` | what of a packet matters here |
//! | `rewrite` | other ends in a packet, checksums mended |
//! | `ports` | which outside ports are taken |
//! | `session` | how long one connection is remembered |
//! | `table` | mappings and sessions |
//! | `translate` | what becomes of a packet that goes out or comes in |
//! | `error` | the same for ICMP errors, whose quotations are translated too |
//! | `turned` | who has sent what turns round, for the firewall |
//! | `held` | SYNs that nobody asked for, and that may yet be asked for |
//! | `show` | the table for people |
//!
//! Nothing here knows of routes, neighbors or fragments: whole packets come in from the
//! `gate`, and go back to it with a verdict.
//!
//! What this does not do: application gateways (RFC 4787 REQ-10 would have them off by default), overloading of ports,
//! protocols without ports.

mod error;
mod held;
mod ports;
mod rewrite;
mod session;
pub mod settings;
mod show;
mod spec;
mod table;
mod translate;
mod transport;
mod turned;

use std::net::Ipv4Addr;

pub(super) use rewrite::rewrite_ident;
pub use spec::{
    Dependence, Forwarded, NatSpec, PRESETS, Pooling, PortChoice, PortForward, SESSIONS_DEFAULT, SESSIONS_MAX,
    Unsolicited,
};
pub(super) use translate::Verdict;

use self::held::HeldSyns;
use self::rewrite::Endpoint;
use self::table::Table;
use self::transport::Protocol;
use crate::record::Outbox;
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::Frame;

/// What a translator counts.
#[derive(Debug, Default)]
struct Counters {
    went_out: u64,
    came_in: u64,
    hairpinned: u64,
    errors: u64,
    mapped: u64,
    filtered: u64,
    exhausted: u64,
}

/// An address translator.
#[derive(Debug)]
pub(super) struct Nat {
    spec: NatSpec,
    table: Table,
    held: HeldSyns,
    /// What ended with the outside addresses, and is to be told: protocol, inside, outside.
    ended: Vec<(Protocol, Endpoint, Endpoint)>,
    counters: Counters,
}

impl Nat {
    /// One whose outside interface has no address yet.
    pub(super) fn new(spec: NatSpec, luck: Rng) -> Self {
        Self {
            spec,
            table: Table::new(luck),
            held: HeldSyns::default(),
            ended: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// The interface outside.
    pub(super) fn outside(&self) -> u16 {
        self.spec.outside as u16
    }

    /// Whether what nobody wants is answered.
    pub(super) fn refuses(&self) -> bool {
        self.spec.unsolicited == Unsolicited::Refuse
    }

    /// Whether this is one of the addresses that stand for those inside.
    pub(super) fn has_address(&self, address: Ipv4Addr) -> bool {
        self.table.addresses.contains(&address)
    }

    /// The outside interface has these addresses now. If they are others than before, everything is forgotten: nobody
    /// would answer to the old ones.
    pub(super) fn set_addresses(&mut self, addresses: Vec<Ipv4Addr>) {
        if addresses != self.table.addresses {
            let made = self.table.mappings.iter().map(|(_, mapping)| mapping).filter(|it| !it.is_static && !it.is_own);
            self.ended.extend(made.map(|mapping| (mapping.protocol, mapping.inside, mapping.outside)));
            self.table.reset(addresses, &self.spec);
        }
    }

    /// Forgets everything but the addresses; gives back what was held.
    pub(super) fn power_off(&mut self) -> Vec<Frame> {
        let addresses = self.table.addresses.clone();
        self.table.reset(addresses, &self.spec);
        self.ended.clear();
        self.held.drain()
    }

    /// When something is next due.
    pub(super) fn wake_at(&self) -> Option<Time> {
        let at_once = (!self.ended.is_empty()).then_some(Time::ZERO);
        [at_once, self.table.due_at(), self.held.due_at()].into_iter().flatten().min()
    }

    /// Forgets what is over. SYNs that were held long enough are given back, one at each call, to be refused.
    pub(super) fn wake(&mut self, now: Time, out: &mut Outbox) -> Option<Frame> {
        let mut tell = |protocol: Protocol, inside: Endpoint, outside: Endpoint| {
            out.note(None, || format!("nat: {} {inside} is no longer {outside} outside", protocol.name()));
        };
        for (protocol, inside, outside) in self.ended.drain(..) {
            tell(protocol, inside, outside);
        }
        while let Some(unmapped) = self.table.expire_one(now) {
            if let Some(mapping) = unmapped.filter(|mapping| !mapping.is_own) {
                tell(mapping.protocol, mapping.inside, mapping.outside);
            }
        }
        self.held.take_due(now)
    }

    /// All counters, in a fixed order.
    pub(super) fn counters(&self) -> [(&'static str, u64); 9] {
        let Counters { went_out, came_in, hairpinned, errors, mapped, filtered, exhausted } = self.counters;
        [
            ("nat.went_out", went_out),
            ("nat.came_in", came_in),
            ("nat.hairpinned", hairpinned),
            ("nat.errors_translated", errors),
            ("nat.mappings_made", mapped),
            ("nat.mappings", self.table.mappings.len() as u64),
            ("nat.sessions", self.table.session_count as u64),
            ("nat.filtered", filtered),
            ("nat.exhausted", exhausted),
        ]
    }
}
