//! A learning switch (IEEE 802.1D): joins links into one Ethernet.
//!
//! It learns from source addresses where each station is, sends a frame for a known station out of one port and any
//! other out of all but the one it came from. Frames are passed on as they are; a flood copies for every port but the
//! last, which gets the original. Forwarding takes no time of its own: a link's delay is never zero. There is no
//! spanning tree: a loop of switches floods for ever, as it would in a cupboard.

use std::any::Any;
use std::collections::BTreeMap;
use std::time::Duration;

use smoltcp::wire::{EthernetAddress, EthernetFrame};

use super::{Build, Command, LinkState, Mac, Node, NodeKind, NodeSpec, Role};
use crate::id::PortId;
use crate::read::{Field, Form, Need, Table};
use crate::record::{Cause, Outbox, Value};
use crate::time::Time;
use crate::wire::{Frame, Layer};

/// The row of switches.
pub static KIND: NodeKind = NodeKind {
    name: "switch",
    doc: "A learning Ethernet switch: all its links are one subnet.",
    example: "kind = \"switch\"",
    fields: &[Field {
        name: "age",
        form: Form::Duration,
        need: Need::Default("\"300s\""),
        doc: "How long a station is remembered after its last frame.",
    }],
    build: Build { role: Role::Bridge, build },
};

fn build(table: &Table<'_>, spec: NodeSpec) -> Option<Box<dyn Node>> {
    let ports = spec.ports.into_iter().map(|port| port.name).collect();
    Some(Box::new(Switch::new(SwitchSpec { name: spec.name, ports, age: table.get_or("age", AGE_DEFAULT) })))
}

/// How long a station is remembered after its last frame. IEEE 802.1D table 7-5: 300 s.
pub const AGE_DEFAULT: Duration = Duration::from_secs(300);

/// How many stations a switch remembers; frames for those it has no room for are flooded. A common size of real ones.
pub const STATIONS_MAX: usize = 8192;

/// What a switch is made from.
#[derive(Debug, Clone)]
pub struct SwitchSpec {
    /// As in the scenario: `sw1`.
    pub name: String,
    /// The ports' names, in the order of their ids: `p0`, `p1`.
    pub ports: Vec<String>,
    /// How long a station is remembered after its last frame.
    pub age: Duration,
}

impl SwitchSpec {
    /// A switch with `count` ports called `p0`, `p1` and so on.
    #[must_use]
    pub fn new(name: impl Into<String>, count: usize) -> Self {
        Self { name: name.into(), ports: (0..count).map(|port| format!("p{port}")).collect(), age: AGE_DEFAULT }
    }
}

/// Where a station is.
#[derive(Debug, Clone, Copy)]
struct Station {
    port: u16,
    /// When it last sent; it is forgotten `age` later.
    seen_at: Time,
}

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
    /// Looked up on every frame, walked for views and when full; a tree keeps the order of walking fixed.
    stations: BTreeMap<[u8; 6], Station>,
    counters: Counters,
    is_down: bool,
}

impl Switch {
    /// A switch that knows nobody yet.
    #[must_use]
    pub fn new(spec: SwitchSpec) -> Self {
        Self { spec, stations: BTreeMap::new(), counters: Counters::default(), is_down: false }
    }

    /// The forwarding database as `bridge fdb` shows it, one station a line, those that are forgotten left out.
    #[must_use]
    pub fn show(&self, now: Time) -> String {
        let known = self.stations.iter().filter(|(_, station)| self.is_fresh(station, now));
        known
            .map(|(mac, station)| {
                let age = now.since(station.seen_at).as_secs();
                format!("{} dev {} age {age}s\n", Mac(EthernetAddress(*mac)), self.port_name(station.port))
            })
            .collect()
    }

    fn is_fresh(&self, station: &Station, now: Time) -> bool {
        // IEEE 802.1D §7.9.2: an entry is removed once the ageing time has passed since it was last updated.
        now.since(station.seen_at) < self.spec.age
    }

    fn port_name(&self, port: u16) -> &str {
        self.spec.ports.get(usize::from(port)).map_or("?", String::as_str)
    }

    fn drop_frame(&mut self, frame: Frame, cause: Cause, out: &mut Outbox) {
        out.drop_frame(frame, cause);
    }

    /// Remembers where `source` is.
    fn learn(&mut self, source: EthernetAddress, port: PortId, now: Time, out: &mut Outbox) {
        let age = self.spec.age;
        if let Some(station) = self.stations.get_mut(&source.0) {
            let was_fresh = now.since(station.seen_at) < age;
            let came_from = std::mem::replace(&mut station.port, port.0);
            station.seen_at = now;
            if !was_fresh {
                self.counters.learned += 1;
                out.note(None, || format!("learned {} on {} again", Mac(source), self.port_name(port.0)));
            } else if came_from != port.0 {
                self.counters.moved += 1;
                out.note(None, || {
                    format!("{} moved from {} to {}", Mac(source), self.port_name(came_from), self.port_name(port.0))
                });
            }
            return;
        }
        if self.stations.len() >= STATIONS_MAX {
            // Walks the table, but only while it is full: what has been forgotten makes room.
            self.stations.retain(|_, station| now.since(station.seen_at) < age);
        }
        if self.stations.len() >= STATIONS_MAX {
            self.counters.not_learned += 1;
            return;
        }
        self.stations.insert(source.0, Station { port: port.0, seen_at: now });
        self.counters.learned += 1;
        out.note(None, || format!("learned {} on {}", Mac(source), self.port_name(port.0)));
    }

    /// Sends `frame` out of every port but `from`.
    fn flood(&mut self, from: PortId, frame: Frame, out: &mut Outbox) {
        let ports = (0..u16::try_from(self.spec.ports.len()).unwrap_or(u16::MAX)).filter(|port| *port != from.0);
        let Some(last) = ports.clone().next_back() else {
            return self.drop_frame(frame, Cause::NoLink, out);
        };
        self.counters.flooded += 1;
        for port in ports.filter(|port| *port != last) {
            let copy = frame.duplicate(&mut out.pool);
            out.send(PortId(port), copy);
        }
        out.send(PortId(last), frame);
    }
}

impl Node for Switch {
    fn kind(&self) -> &'static str {
        "switch"
    }

    fn receive(&mut self, port: PortId, frame: Frame, now: Time, out: &mut Outbox) {
        if self.is_down {
            return self.drop_frame(frame, Cause::NodeDown, out);
        }
        self.counters.received += 1;
        let Ok(header) = EthernetFrame::new_checked(frame.bytes()) else {
            return self.drop_frame(frame, Cause::Malformed, out);
        };
        let (source, destination) = (header.src_addr(), header.dst_addr());
        if frame.layer != Layer::Ethernet || source.is_multicast() {
            return self.drop_frame(frame, Cause::Malformed, out);
        }
        self.learn(source, port, now, out);
        let known = match self.stations.get(&destination.0) {
            // IEEE 802.1D §7.12.6: group addresses are never learned, so that they are always flooded.
            Some(station) if self.is_fresh(station, now) => Some(station.port),
            _ => None,
        };
        match known {
            Some(there) if there == port.0 => self.drop_frame(frame, Cause::SamePort, out),
            Some(there) => {
                self.counters.forwarded += 1;
                out.send(PortId(there), frame);
            }
            None => self.flood(port, frame, out),
        }
    }

    fn link_changed(&mut self, port: PortId, state: LinkState, _now: Time, _out: &mut Outbox) {
        // IEEE 802.1D §7.9: what was learned through a port that is no longer in use leads nowhere.
        if !state.is_up {
            self.stations.retain(|_, station| station.port != port.0);
        }
    }

    fn command(&mut self, command: &Command, _now: Time, out: &mut Outbox) -> Result<(), String> {
        match command {
            Command::Crash => {
                self.stations.clear();
                self.is_down = true;
            }
            Command::Restart => self.is_down = false,
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
        named.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
