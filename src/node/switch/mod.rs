//! A learning switch (IEEE 802.1D, 802.1Q): joins links into one Ethernet, or into one for each VLAN.
//!
//! It learns from source addresses where each station is, sends a frame for a known station out of one port and any
//! other out of all but the one it came from. Frames are passed on as they are, but for their VLAN tags; a flood copies
//! for every port but the last, which gets the original. Forwarding takes no time of its own: a link's delay is never
//! zero. Without a spanning tree a loop of switches floods for ever, as it would in a cupboard.
//!
//! ```text
//!  receive ─▶ BPDU? ─▶ spanning_tree
//!     └─▶ vlan: which VLAN ─▶ spanning_tree: may it pass ─▶ fdb: learn, look up ─▶ storm: may it be flooded
//!                                                                    └─▶ vlan: which form ─▶ send
//! ```

mod fdb;
pub mod settings;
mod spanning_tree;
mod spec;
mod storm;
mod vlan;

use std::any::Any;

use smoltcp::wire::{EthernetAddress, EthernetFrame};

pub use settings::KIND;
pub use spanning_tree::PORTS_MAX as TREE_PORTS_MAX;
pub use spec::{
    AGE_DEFAULT, Membership, PORT_PRIORITY_DEFAULT, STATIONS_MAX, SpanningTreeSpec, SwitchPortSpec, SwitchSpec,
    TreeProtocol, VLAN_DEFAULT, VlanSet,
};

use self::fdb::{Fdb, Learned, StationKey};
use self::spanning_tree::SpanningTree;
use self::storm::{StormControl, Verdict};
use super::{Command, LinkState, Mac, Node};
use crate::id::PortId;
use crate::record::{Cause, Outbox, Value};
use crate::time::Time;
use crate::wire::bpdu::{BPDU_ADDRESS, is_for_neighbor};
use crate::wire::vlan::{is_tag_truncated, tag_of};
use crate::wire::{Frame, Layer, View};

/// What has gone through.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    received: u64,
    forwarded: u64,
    flooded: u64,
    learned: u64,
    moved: u64,
    not_learned: u64,
}

/// A learning switch.
#[derive(Debug)]
pub struct Switch {
    spec: SwitchSpec,
    fdb: Fdb,
    storm: Option<StormControl>,
    tree: Option<SpanningTree>,
    /// What is known of the links, for a tree that begins anew.
    links: Vec<Option<LinkState>>,
    counters: Counters,
    is_down: bool,
}

impl Switch {
    /// A switch that knows nobody yet.
    #[must_use]
    pub fn new(spec: SwitchSpec) -> Self {
        Self {
            fdb: Fdb::new(spec.age, spec.stations_max.max(1)),
            storm: spec.storm_limit.map(|limit| StormControl::new(limit, spec.ports.len())),
            tree: spec.spanning_tree.as_ref().map(|tree| SpanningTree::new(&spec, tree)),
            links: vec![None; spec.ports.len()],
            counters: Counters::default(),
            is_down: false,
            spec,
        }
    }

    /// A part of the switch's state: `fdb` as `bridge fdb` shows it, `vlan` as `bridge vlan` does, `stp` as `show
    /// spanning-tree` does. `None` for anything else.
    #[must_use]
    pub fn show(&self, what: &str, now: Time) -> Option<String> {
        match what {
            "fdb" => Some(self.fdb.show(|port| self.port_name(port).to_owned(), now)),
            "stp" => Some(self.tree.as_ref().map_or_else(|| "no spanning tree\n".to_owned(), SpanningTree::show)),
            "vlan" => Some(self.show_vlans()),
            _ => None,
        }
    }

    /// What [`show`](Self::show) can be asked for.
    pub const VIEWS: [&'static str; 3] = ["fdb", "stp", "vlan"];

    fn show_vlans(&self) -> String {
        if !self.spec.is_vlan_aware {
            return "no VLANs\n".to_owned();
        }
        let width = self.spec.ports.iter().map(|port| port.name.chars().count()).max().unwrap_or(0);
        self.spec.ports.iter().map(|port| format!("{:width$} {}\n", port.name, port.vlans)).collect()
    }

    fn port_name(&self, port: u16) -> &str {
        self.spec.ports.get(usize::from(port)).map_or("?", |port| &port.name)
    }

    /// The VLAN of a frame that came in at a port, 0 in a switch that knows none; `None`: the port does not take it.
    fn vlan_of(&self, port: PortId, frame: &Frame) -> Option<u16> {
        if !self.spec.is_vlan_aware {
            return Some(0);
        }
        self.spec.ports.get(usize::from(port.0))?.vlans.vlan_of(tag_of(frame.bytes()))
    }

    /// Whether a port carries a VLAN.
    fn carries(&self, port: u16, vlan: u16) -> bool {
        !self.spec.is_vlan_aware || self.spec.ports.get(usize::from(port)).is_some_and(|port| port.vlans.carries(vlan))
    }

    fn is_forwarding(&self, port: u16) -> bool {
        self.tree.as_ref().is_none_or(|tree| tree.is_forwarding(usize::from(port)))
    }

    /// Remembers where `source` is.
    fn learn(&mut self, vlan: u16, source: EthernetAddress, port: PortId, now: Time, out: &mut Outbox) {
        let learned = self.fdb.learn(StationKey { vlan, mac: source.0 }, port.0, now);
        let place = |port: u16| match vlan {
            0 => self.port_name(port).to_owned(),
            _ => format!("{} in vlan {vlan}", self.port_name(port)),
        };
        match learned {
            Learned::Known => return,
            Learned::New => out.note(None, || format!("learned {} on {}", Mac(source), place(port.0))),
            Learned::Again => out.note(None, || format!("learned {} on {} again", Mac(source), place(port.0))),
            Learned::Moved { from } => {
                out.note(None, || format!("{} moved from {} to {}", Mac(source), self.port_name(from), place(port.0)));
            }
            Learned::NoRoom { is_news: true } => {
                let most = self.spec.stations_max;
                out.note(None, || format!("no room for more than {most} stations: what is for others is flooded"));
            }
            Learned::NoRoom { is_news: false } => {}
        }
        let Counters { learned: new, moved, not_learned, .. } = &mut self.counters;
        *match learned {
            Learned::Moved { .. } => moved,
            Learned::NoRoom { .. } => not_learned,
            Learned::New | Learned::Again | Learned::Known => new,
        } += 1;
    }

    /// Sends `frame` out of every port that carries its VLAN but `from`.
    fn flood(&mut self, from: PortId, vlan: u16, frame: Frame, now: Time, out: &mut Outbox) {
        let all = 0..u16::try_from(self.spec.ports.len()).unwrap_or(u16::MAX);
        let others = all.filter(|port| *port != from.0 && self.carries(*port, vlan));
        let Some(last) = others.clone().rfind(|port| self.is_forwarding(*port)) else {
            let cause = match others.count() {
                0 if self.spec.is_vlan_aware => Cause::WrongVlan,
                0 => Cause::NoLink,
                _ => Cause::PortBlocked,
            };
            return out.drop_frame(frame, cause);
        };
        match self.storm.as_mut().map_or(Verdict::Pass, |storm| storm.judge(from.0, now)) {
            Verdict::Pass => {}
            Verdict::Refuse { is_first } => {
                if is_first {
                    let limit = self.spec.storm_limit.unwrap_or_default();
                    out.note(None, || format!("storm on {}: {limit} frames flooded within 1s", self.port_name(from.0)));
                }
                return out.drop_frame(frame, Cause::StormLimit);
            }
        }
        for port in (0..last).filter(|port| *port != from.0 && self.carries(*port, vlan) && self.is_forwarding(*port)) {
            let copy = frame.duplicate(&mut out.pool);
            self.send(port, vlan, copy, out);
        }
        self.counters.flooded += 1;
        self.send(last, vlan, frame, out);
    }

    /// Sends a frame of a VLAN out of a port, in the form that it has there.
    fn send(&self, port: u16, vlan: u16, mut frame: Frame, out: &mut Outbox) {
        if self.spec.is_vlan_aware
            && let Some(port) = self.spec.ports.get(usize::from(port))
        {
            port.vlans.reform(&mut frame, vlan);
        }
        out.send(PortId(port), frame);
    }

    /// Takes a message of the spanning tree.
    fn receive_bpdu(&mut self, port: PortId, frame: Frame, now: Time, out: &mut Outbox) {
        let (Some(tree), view) = (&mut self.tree, View::of(&frame)) else { return out.consume(frame) };
        let bytes = view.stp.unwrap_or_default();
        if tree.receive(usize::from(port.0), bytes, frame.id, now, &mut self.fdb, out) {
            out.consume(frame);
        } else {
            out.drop_frame(frame, Cause::Malformed);
        }
    }

    /// Begins a tree as after power on.
    fn begin_tree(&mut self, now: Time, out: &mut Outbox) {
        let Some(spec) = &self.spec.spanning_tree else { return };
        let mut tree = SpanningTree::new(&self.spec, spec);
        for (port, link) in self.links.iter().enumerate() {
            if let Some(link) = link {
                tree.link_changed(port, *link, now, &mut self.fdb, out);
            }
        }
        tree.begin(now, &mut self.fdb, out);
        self.tree = Some(tree);
    }
}

impl Node for Switch {
    fn kind(&self) -> &'static str {
        "switch"
    }

    fn start(&mut self, now: Time, out: &mut Outbox) {
        if !self.is_down {
            self.begin_tree(now, out);
        }
    }

    fn receive(&mut self, port: PortId, frame: Frame, now: Time, out: &mut Outbox) {
        if self.is_down {
            return out.drop_frame(frame, Cause::NodeDown);
        }
        self.counters.received += 1;
        let Ok(header) = EthernetFrame::new_checked(frame.bytes()) else {
            return out.drop_frame(frame, Cause::Malformed);
        };
        let (source, destination) = (header.src_addr(), header.dst_addr());
        if frame.layer != Layer::Ethernet || source.is_multicast() {
            return out.drop_frame(frame, Cause::Malformed);
        }
        if is_for_neighbor(&destination.0) {
            let is_bpdu = destination.0 == BPDU_ADDRESS;
            match &self.tree {
                Some(_) if is_bpdu => return self.receive_bpdu(port, frame, now, out),
                // As Linux and cheap switches do: without a tree of its own a switch lets others find theirs through it.
                None if is_bpdu => {}
                // IEEE 802.1D-2004 §7.12.6: "Frames containing any of the group MAC Addresses specified in Table 7-10
                // in their destination address field shall not be relayed by the Bridge."
                _ => return out.drop_frame(frame, Cause::LinkLocal),
            }
        }
        if self.spec.is_vlan_aware && is_tag_truncated(frame.bytes()) {
            return out.drop_frame(frame, Cause::Malformed);
        }
        let Some(vlan) = self.vlan_of(port, &frame) else {
            return out.drop_frame(frame, Cause::WrongVlan);
        };
        if !self.is_forwarding(port.0) {
            if self.tree.as_ref().is_some_and(|tree| tree.is_learning(usize::from(port.0))) {
                self.learn(vlan, source, port, now, out);
            }
            return out.drop_frame(frame, Cause::PortBlocked);
        }
        self.learn(vlan, source, port, now, out);
        // IEEE 802.1D §7.12.6: group addresses are never learned, so that they are always flooded.
        match self.fdb.find(StationKey { vlan, mac: destination.0 }, now) {
            Some(there) if there == port.0 => out.drop_frame(frame, Cause::SamePort),
            Some(there) if self.is_forwarding(there) => {
                self.counters.forwarded += 1;
                self.send(there, vlan, frame, out);
            }
            _ => self.flood(port, vlan, frame, now, out),
        }
    }

    fn wake(&mut self, now: Time, out: &mut Outbox) {
        if let (Some(tree), false) = (&mut self.tree, self.is_down) {
            tree.wake(now, &mut self.fdb, out);
        }
    }

    fn wake_at(&self) -> Option<Time> {
        if self.is_down { None } else { self.tree.as_ref()?.wake_at() }
    }

    fn link_changed(&mut self, port: PortId, state: LinkState, now: Time, out: &mut Outbox) {
        if let Some(link) = self.links.get_mut(usize::from(port.0)) {
            *link = Some(state);
        }
        // IEEE 802.1D §7.9: what was learned through a port that is no longer in use leads nowhere.
        if !state.is_up {
            self.fdb.forget_port(port.0);
        }
        if let (Some(tree), false) = (&mut self.tree, self.is_down) {
            tree.link_changed(usize::from(port.0), state, now, &mut self.fdb, out);
        }
    }

    fn command(&mut self, command: &Command, now: Time, out: &mut Outbox) -> Result<(), String> {
        match command {
            Command::Crash => {
                self.fdb.clear();
                self.is_down = true;
            }
            Command::Restart => {
                self.fdb.clear();
                self.is_down = false;
                self.begin_tree(now, out);
            }
            Command::Inject { .. } if self.is_down => {
                return Err(format!("`{}` is down and cannot {}", self.spec.name, command.verb()));
            }
            Command::Inject { port: Some(port), layer: Layer::Ethernet, bytes } => {
                if usize::from(port.0) >= self.spec.ports.len() {
                    return Err("the switch has no such port".into());
                }
                let frame = super::foreign_frame(bytes, Layer::Ethernet, out);
                out.send(*port, frame);
            }
            Command::Inject { .. } => return Err("a switch needs a port and a whole Ethernet frame".into()),
            Command::StartApp(_) | Command::StopApp(_) => return Err(format!("a switch cannot {}", command.verb())),
        }
        Ok(())
    }

    fn counter(&self, path: &str) -> Option<Value> {
        self.counters().into_iter().find(|(name, _)| name == path).map(|(_, value)| value)
    }

    fn counters(&self) -> Vec<(String, Value)> {
        let Counters { received, forwarded, flooded, learned, moved, not_learned } = self.counters;
        let named = [
            ("received", received),
            ("forwarded", forwarded),
            ("flooded", flooded),
            ("learned", learned),
            ("moved", moved),
            ("not_learned", not_learned),
        ];
        let own = named.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
        own.chain(self.tree.as_ref().map_or_else(Vec::new, SpanningTree::counters)).collect()
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
