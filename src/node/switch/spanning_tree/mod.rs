//! The spanning tree: switches agree on which links carry traffic, so that no frame goes round in circles, and on others
//! when one of those fails (IEEE 802.1D-2004 clause 17, the rapid spanning tree protocol, RSTP).
//!
//! Read clause 17 first. Its state machines are here, one file for each group, with the standard's names in the
//! comments; what is a state there and leads nowhere else by itself is a step here. After every message, timer and
//! change of a link all machines take steps until none can ([`SpanningTree::settle`]); then messages go out.
//!
//! | file | machines |
//! |---|---|
//! | `info` | port receive, bridge detection, protocol migration, port information |
//! | `roles` | port role selection, port role transitions, port state transition |
//! | `topology` | topology change |
//! | `transmit` | port transmit |
//! | `timer` | port timers: deadlines rather than ticks |
//!
//! All links are point-to-point. A neighbor that speaks the protocol of 1998 is spoken to in that; a whole switch may be
//! made to (`TreeProtocol::Old`). One tree serves all VLANs.

mod info;
mod port;
mod roles;
mod timer;
mod topology;
mod transmit;
mod vector;

use std::fmt::Write as _;
use std::time::Duration;

use self::port::{Port, Role};
use self::timer::Timer;
use self::vector::{Times, Vector};
use super::fdb::Fdb;
use super::spec::{SpanningTreeSpec, SwitchSpec, TreeProtocol};
use crate::id::FrameId;
use crate::node::LinkState;
use crate::record::{Outbox, Value};
use crate::time::Time;
use crate::units::{Rate, format_duration};
use crate::wire::bpdu::{Bpdu, BridgeId};

/// Twelve bits number the ports of a switch.
pub const PORTS_MAX: u16 = 4095;

/// How long a port waits before it takes its neighbor's silence for an answer (Migrate Time, table 17-1).
const MIGRATE_TIME: Duration = Duration::from_secs(3);

/// What a link costs whose rate is not limited: as 1 Gbit/s (table 17-3).
const COST_DEFAULT: u32 = 20_000;

/// The most that a link costs (table 17-3).
pub(super) const COST_MAX: u32 = 200_000_000;

/// How many rounds of steps one cause may take. A few times the number of ports' machines is usual.
const ROUNDS_MAX: usize = 10_000;

/// What has last been told of a port, so that only changes are told.
type Told = (Role, &'static str);

/// One switch's part in the tree.
#[derive(Debug)]
pub(super) struct SpanningTree {
    bridge: BridgeId,
    /// rstpVersion
    is_rapid: bool,
    own_times: Times,
    ports: Vec<Port>,
    /// rootPriority
    root: Vector,
    /// rootPortId; `None`: this switch is the root.
    root_port: Option<u16>,
    root_times: Times,
    /// Every timer that ended by then has had its effect.
    settled_at: Time,
    /// When something is next due: asked after every frame, found once after every change.
    due_at: Option<Time>,
    has_begun: bool,
    told: Vec<Told>,
    told_root: Option<(BridgeId, u32, Option<u16>)>,
    /// Stations forgotten since that was last told.
    forgotten: usize,
    sent: u64,
    received: u64,
    /// Changes that ports of this switch have made.
    changes: u64,
}

impl SpanningTree {
    pub(super) fn new(switch: &SwitchSpec, spec: &SpanningTreeSpec) -> Self {
        let bridge = BridgeId { priority: spec.priority & 0xf000, mac: spec.mac.0 };
        let (own, own_times) = (Vector::of_bridge(bridge), Times::of_spec(spec));
        let ports = switch.ports.iter().enumerate();
        let ports: Vec<Port> = ports.map(|(index, port)| Port::new(port, index, own, own_times)).collect();
        Self {
            bridge,
            is_rapid: spec.protocol == TreeProtocol::Rapid,
            own_times,
            told: vec![(Role::Disabled, "discarding"); ports.len()],
            ports,
            root: own,
            root_port: None,
            root_times: own_times,
            settled_at: Time::ZERO,
            due_at: None,
            has_begun: false,
            told_root: None,
            forgotten: 0,
            sent: 0,
            received: 0,
            changes: 0,
        }
    }

    /// Begins, as after power on (BEGIN).
    pub(super) fn begin(&mut self, now: Time, fdb: &mut Fdb, out: &mut Outbox) {
        self.has_begun = true;
        for port in &mut self.ports {
            port.speaks_rapid = self.is_rapid;
        }
        self.settle(None, now, fdb, out);
    }

    /// The link at a port has changed. May be told before the beginning.
    pub(super) fn link_changed(&mut self, index: usize, state: LinkState, now: Time, fdb: &mut Fdb, out: &mut Outbox) {
        let Some(port) = self.ports.get_mut(index) else { return };
        let cost = port.cost_set.unwrap_or_else(|| state.rate.map_or(COST_DEFAULT, cost_of));
        let is_changed = (port.is_enabled, port.cost) != (state.is_up, cost);
        if std::mem::replace(&mut port.cost, cost) != cost {
            (port.reselect, port.selected) = (true, false);
        }
        port.is_enabled = state.is_up;
        if is_changed && self.has_begun {
            self.settle(None, now, fdb, out);
        }
    }

    /// Takes a message that came in at a port: the bytes behind the LLC header. False if it is none.
    pub(super) fn receive(
        &mut self,
        index: usize,
        bytes: &[u8],
        cause: Option<FrameId>,
        now: Time,
        fdb: &mut Fdb,
        out: &mut Outbox,
    ) -> bool {
        let Some(message) = Bpdu::parse(bytes) else { return false };
        let Some(port) = self.ports.get_mut(index) else { return false };
        self.received += 1;
        // Before the link is known to be up nobody listens; a port's own message (§9.3.4) says nothing new.
        if port.is_enabled && self.has_begun && (message.bridge, message.port) != (self.bridge, port.id) {
            self.take_message(index, message, now);
            self.settle(cause, now, fdb, out);
        }
        true
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Time, fdb: &mut Fdb, out: &mut Outbox) {
        if self.has_begun {
            self.settle(None, now, fdb, out);
        }
    }

    /// When something is next due.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.due_at
    }

    pub(super) fn is_learning(&self, index: usize) -> bool {
        self.ports.get(index).is_some_and(|port| port.learning)
    }

    pub(super) fn is_forwarding(&self, index: usize) -> bool {
        self.ports.get(index).is_some_and(|port| port.forwarding)
    }

    /// The tree as this switch sees it, as `show spanning-tree` tells it.
    pub(super) fn show(&self) -> String {
        let mut text = String::new();
        let protocol = if self.is_rapid { "rstp" } else { "stp" };
        let _ = write!(text, "bridge {} {protocol}\nroot   {}", self.bridge, self.root.root);
        match self.ports.iter().find(|port| Some(port.id) == self.root_port) {
            Some(port) => text.push_str(&format!(" cost {} by port {}\n", self.root.cost, port.name)),
            None => text.push_str(" (this switch)\n"),
        }
        let times = &self.root_times;
        let [hello, max_age, delay] =
            [times.hello, times.max_age, times.forward_delay].map(|time| format_duration(time.duration()));
        let _ = writeln!(text, "hello {hello}, max age {max_age}, forward delay {delay}");
        let width = self.ports.iter().map(|port| port.name.chars().count()).max().unwrap_or(0);
        for port in &self.ports {
            let (name, role, state) = (&port.name, port.role.name(), port.state_name());
            let edge = if port.is_edge { " edge" } else { "" };
            let old = if port.speaks_rapid || !self.is_rapid { "" } else { " stp" };
            let _ =
                writeln!(text, "{name:width$} {role:10} {state:10} cost {} id {:04x}{edge}{old}", port.cost, port.id);
        }
        text
    }

    /// What is counted, and what the ports are just now.
    pub(super) fn counters(&self) -> Vec<(String, Value)> {
        let is_root = self.root_port.is_none();
        let mut list = vec![
            ("stp.sent".to_owned(), self.sent.into()),
            ("stp.received".to_owned(), self.received.into()),
            ("stp.topology_changes".to_owned(), self.changes.into()),
            ("stp.is_root".to_owned(), is_root.into()),
            ("stp.root".to_owned(), self.root.root.to_string().into()),
            ("stp.cost".to_owned(), u64::from(self.root.cost).into()),
        ];
        for port in &self.ports {
            list.push((format!("stp.{}.role", port.name), port.role.name().into()));
            list.push((format!("stp.{}.state", port.name), port.state_name().into()));
        }
        list
    }

    /// When a port's next timer ends that anything waits for.
    fn port_due_at(&self, port: &Port) -> Option<Time> {
        let waits_for_edge = port.proposing && !port.is_edge && port.speaks_rapid;
        let timers = [
            Some(port.hello),
            Some(port.migration_delay),
            waits_for_edge.then_some(port.edge_delay),
            (port.is_active() && !port.forward).then_some(port.forward_delay),
            Some(port.received_info),
            Some(port.recent_backup),
            Some(port.recent_root),
            Some(port.topology_change),
        ];
        let ends = timers.into_iter().flatten().filter_map(Timer::ends_at).filter(|at| *at > self.settled_at);
        let may_send_at = (port.has_news && !port.may_send(self.settled_at)).then(|| port.may_send_at());
        ends.chain(may_send_at).min()
    }

    /// Lets all machines take steps until none can, and sends what they have to say.
    fn settle(&mut self, cause: Option<FrameId>, now: Time, fdb: &mut Fdb, out: &mut Outbox) {
        self.settled_at = now;
        let mut is_settled = false;
        for _ in 0..ROUNDS_MAX {
            if self.step(now, fdb) {
                continue;
            }
            // Only what is settled is told.
            let sent =
                (0..self.ports.len()).map(|index| self.transmit(index, now, cause, out)).filter(|sent| *sent).count();
            if sent == 0 {
                is_settled = true;
                break;
            }
        }
        let enabled = self.ports.iter().filter(|port| port.is_enabled);
        self.due_at = enabled.filter_map(|port| self.port_due_at(port)).min();
        debug_assert!(is_settled, "the machines of {} do not settle: {:?}", self.bridge, self.ports);
        self.tell(out);
    }

    /// Every machine takes a step; whether any did.
    fn step(&mut self, now: Time, fdb: &mut Fdb) -> bool {
        let mut has_moved = false;
        for index in 0..self.ports.len() {
            has_moved |= self.detect_edge(index, now);
            has_moved |= self.migrate(index, now);
            has_moved |= self.update_info(index, now);
        }
        has_moved |= self.select_roles();
        for index in 0..self.ports.len() {
            has_moved |= self.change_role(index, now);
            has_moved |= self.ports[index].change_state();
            has_moved |= self.note_changes(index, now, fdb);
        }
        has_moved
    }

    /// Tells what has changed.
    fn tell(&mut self, out: &mut Outbox) {
        let forgotten = std::mem::take(&mut self.forgotten);
        let root = (self.root.root, self.root.cost, self.root_port);
        if self.told_root.replace(root) != Some(root) {
            let by = self.ports.iter().find(|port| Some(port.id) == self.root_port).map(|port| &port.name);
            out.note(None, || match by {
                Some(port) => format!("stp: the root is {}, at a cost of {} by port {port}", root.0, root.1),
                None => format!("stp: this switch is the root, {}", root.0),
            });
        }
        for (port, told) in self.ports.iter().zip(&mut self.told) {
            let is = (port.role, port.state_name());
            if std::mem::replace(told, is) != is {
                out.note(None, || format!("stp: port {} is {}, {}", port.name, is.0.name(), is.1));
            }
        }
        if forgotten > 0 {
            let plural = if forgotten == 1 { "" } else { "s" };
            out.note(None, || format!("stp: the topology has changed: {forgotten} station{plural} to be found anew"));
        }
    }
}

/// What a link of this rate costs: 2,000,000 at 10 Mbit/s, 20,000 at 1 Gbit/s (table 17-3).
fn cost_of(rate: Rate) -> u32 {
    let cost = 20_000_000_000_000 / rate.bits_per_second();
    u32::try_from(cost).unwrap_or(COST_MAX).clamp(1, COST_MAX)
}
