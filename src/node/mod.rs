//! What stands at the ends of links.
//!
//! A [`Node`] is called by the network loop and answers into an [`Outbox`]; it never sees the network. The kinds are
//! the [`machine`] (host, router and gateway are one implementation), the [`switch`] and the bare [`port`].

pub mod machine;
pub mod port;
pub mod switch;
#[cfg(test)]
mod tests;

pub use machine::{Gateway, GatewaySpec, Machine, MachineSpec, RouteSpec};
pub use port::{ForeignStack, Port, PortHandle};
pub use switch::{Switch, SwitchPortSpec, SwitchSpec};

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

use crate::id::{AppId, PortId, RuleId};
use crate::net::Hosts;
use crate::read::{Kind, Table};
use crate::record::{Outbox, Value};
use crate::time::Time;
use crate::units::Rate;
use crate::wire::{Frame, Layer};

/// Every kind of node that a scenario can name.
pub static KINDS: &[&NodeKind] =
    &[&machine::gateway::KIND, &machine::settings::HOST, &machine::settings::ROUTER, &switch::KIND, &port::KIND];

/// A row of [`KINDS`].
pub type NodeKind = Kind<Build>;

/// How a node is made, and what who plans a network's addresses needs to know of it.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// What part it plays in the network.
    pub role: Role,
    /// Makes one from its table and what was planned for it; `None` if a mistake was reported.
    pub build: fn(&Table<'_>, NodeSpec) -> Option<Box<dyn Node>>,
}

/// What part a kind of node plays in a network: whether its links are one subnet, whether it needs addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its links are one subnet, and it has no addresses.
    Bridge,
    /// As a host, but behind it is a real kernel.
    Gateway,
    /// Each of its links is a subnet of its own, on which it has an address; it leads nowhere else.
    Host,
    /// Its link ends at something with addresses of its own choosing.
    Outside,
    /// Each of its links is a subnet of its own, on which it has an address; ways lead through it.
    Router,
}

/// What was planned for a node.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// As in the scenario.
    pub name: String,
    /// The run's seed.
    pub seed: u64,
    /// Its ports, in the order of their ids.
    pub ports: Vec<PortSpec>,
    /// Routes that were found for it, its gateway among them; those that its table writes out are not.
    pub routes: Vec<RouteSpec>,
    /// The subnets to which there is a way from here, its own among them; found for gateways only.
    pub reach: Vec<IpNet>,
    /// Names that programs can look up.
    pub hosts: Arc<Hosts>,
    /// Whether IPv6 is to be spoken where no port has an IPv6 address.
    pub ipv6: Ipv6Wish,
}

/// Whether a node is to speak IPv6 on ports without an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ipv6Wish {
    /// Yes, with addresses that it makes itself from what routers advertise.
    Autoconfigured,
    /// Yes, with addresses that are found for it.
    Found,
    /// No.
    #[default]
    None,
}

/// What was planned for a port.
#[derive(Debug, Clone)]
pub struct PortSpec {
    /// As in the scenario, or made up: `eth0`, `p0`.
    pub name: String,
    /// Its hardware address.
    pub mac: EthernetAddress,
    /// Its addresses; none for a bridge.
    pub addresses: Vec<IpNet>,
    /// Whose link it uses and in which VLAN; `None`: it has a link of its own.
    pub vlan: Option<machine::VlanSpec>,
    /// The link that is plugged in, by its name.
    pub link: Option<Arc<str>>,
    /// Whether a program is to give it its IPv4 address: DHCP.
    pub is_dynamic: bool,
}

/// What a port believes its link carries until it is told: Ethernet's 1500 bytes.
pub(crate) const MTU_DEFAULT: usize = 1500;

/// A hardware address as everybody writes it: `02:00:00:00:00:01`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mac(pub(crate) EthernetAddress);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A frame whose bytes somebody else made: whoever receives it verifies its checksums.
pub(crate) fn foreign_frame(bytes: &[u8], layer: Layer, out: &mut Outbox) -> Frame {
    let mut frame = Frame::new(out.pool.copy(bytes), layer);
    frame.foreign = true;
    frame
}

/// Something at the ends of links.
///
/// After every call the network carries out what was put into the outbox and asks [`wake_at`](Node::wake_at) again:
/// the node's state is the only truth about its timers.
pub trait Node: Send {
    /// The kind's name, as in a scenario: `router`.
    fn kind(&self) -> &'static str;

    /// Registers the names of rules by which the node drops frames. Called once, when the node is put into a network.
    fn enrol(&mut self, _register: &mut dyn FnMut(String, Option<u32>) -> RuleId) {}

    /// The run begins: `now` is the time of starting.
    fn start(&mut self, _now: Time, _out: &mut Outbox) {}

    /// A frame has arrived at one of the node's ports.
    fn receive(&mut self, port: PortId, frame: Frame, now: Time, out: &mut Outbox);

    /// It is the time that [`wake_at`](Node::wake_at) named, or later.
    fn wake(&mut self, _now: Time, _out: &mut Outbox) {}

    /// When the node next wants to be woken without anything arriving; `None` if only an arrival matters.
    fn wake_at(&self) -> Option<Time> {
        None
    }

    /// The link at a port went up or down, or its MTU changed.
    fn link_changed(&mut self, _port: PortId, _state: LinkState, _now: Time, _out: &mut Outbox) {}

    /// Does what a timed action says.
    ///
    /// # Errors
    ///
    /// A phrase for the user when this kind of node cannot do that.
    fn command(&mut self, command: &Command, _now: Time, _out: &mut Outbox) -> Result<(), String> {
        Err(format!("a {} cannot {}", self.kind(), command.verb()))
    }

    /// A named counter of the node's own: `forwarded`, `icmp.sent.time_exceeded`.
    fn counter(&self, _path: &str) -> Option<Value> {
        None
    }

    /// All counters that [`counter`](Node::counter) knows, in a fixed order.
    fn counters(&self) -> Vec<(String, Value)> {
        Vec::new()
    }

    /// What a program has reported under a name: `rtt_avg`, `error`, `elapsed`.
    fn outcome(&self, _app: AppId, _key: &str) -> Option<Value> {
        None
    }

    /// Everything a program has reported, in a fixed order.
    fn outcomes(&self, _app: AppId) -> Vec<(String, Value)> {
        Vec::new()
    }

    /// A part of the node's state as the tools that people know show it, in lines; `None` if it has none of that name.
    fn show(&self, _what: &str, _now: Time) -> Option<String> {
        None
    }

    /// What [`show`](Node::show) can be asked for.
    fn views(&self) -> &'static [&'static str] {
        &[]
    }

    /// The node as itself, for whoever knows its type.
    fn as_any(&mut self) -> &mut dyn std::any::Any;
}

/// What a node knows of a link at one of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    /// Whether frames pass.
    pub is_up: bool,
    /// The largest packet, link header not counted, that the link carries.
    pub mtu: usize,
    /// How fast it is from here; `None`: as fast as anything.
    pub rate: Option<Rate>,
}

/// What a timed action can tell a node to do.
#[derive(Debug, Clone)]
pub enum Command {
    /// Lose all state and fall silent.
    Crash,
    /// Begin anew after a crash.
    Restart,
    /// Start a program, from its beginning.
    StartApp(AppId),
    /// End a program where it stands; its sockets close.
    StopApp(AppId),
    /// Put these bytes, a whole frame or an IP packet, out of the node as if it had made them.
    ///
    /// With a port, and beginning with an Ethernet header, they go onto that port's link as they are; an IP packet is
    /// routed by the machine, through the given port if there is one.
    Inject {
        /// Which port, if one was named.
        port: Option<PortId>,
        /// Whether the bytes begin with an Ethernet or an IP header.
        layer: Layer,
        /// The bytes, checksums right.
        bytes: Vec<u8>,
    },
}

impl Command {
    /// What the command does, to finish the sentence "a switch cannot …".
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Inject { .. } => "send a packet of its own",
            Self::Restart => "restart",
            Self::StartApp(_) => "start programs",
            Self::StopApp(_) => "stop programs",
        }
    }
}
