//! Who is wired to whom, and the loop that moves time.
//!
//! A [`Network`] owns nodes, pipes and the [`Agenda`]. [`Network::run_until`] takes the next thing that is due, calls the
//! node or the action it concerns, and carries out what was put into the outbox: a frame that is sent goes into a pipe
//! and comes out at its far end later. Nobody holds a reference to the network.
//!
//! ```text
//! agenda ─▶ pipe: frame arrives ─▶ node.receive ─▶ outbox ─▶ Send ─▶ pipe ─▶ agenda
//!        ─▶ node.wake ─────────────────────────────┘    └─▶ Dropped, Note, Altered ─▶ observers
//! ```
//!
//! The order of events is (time, actions before nodes, node, arrivals by port before timers): see [`agenda`].

pub mod action;
pub mod agenda;
mod build;
mod facts;
mod outside;
mod run;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod view;

pub use action::Action;
pub use build::WiringError;
pub use outside::Enter;
pub use run::{Misdeed, RunError};

use std::collections::BTreeMap;

use crate::id::{AppId, Direction, LinkId, NodeId, PipeId, PortId, RuleId};
use crate::link::{FaultRule, Impairment, Pipe, PipeCounters, Property};
use crate::node::{Command, LinkState, Node};
use crate::record::{Cause, Effect, Names, Observer, Outbox};
use crate::rng::Rng;
use crate::time::Time;
use agenda::{Agenda, Class, Entry};

/// A node in its place.
struct NodeSlot {
    node: Box<dyn Node>,
    /// The pipe that begins at each port.
    pipes: Vec<Option<PipeId>>,
    /// The wake-up that the agenda holds; any other entry for this node is stale.
    scheduled: Option<Time>,
    /// How many frames the node has sent: the count of its next frame's id.
    frames: u32,
    /// What has been dropped inside the node, by cause in the order of [`Cause::ALL`]; made at the first drop.
    drops: Option<Box<[u64; Cause::ALL.len()]>>,
    /// How often the node was woken at the present instant.
    rounds: u32,
    /// When that instant was.
    rounds_at: Time,
    has_started: bool,
}

/// A pipe in its place.
struct PipeSlot {
    pipe: Pipe,
    /// Where it ends.
    to: (NodeId, PortId),
    /// The arrival that the agenda holds; any other entry for this pipe is stale.
    scheduled: Option<Time>,
}

/// Nodes, links, and what will happen to them.
pub struct Network {
    seed: u64,
    now: Time,
    nodes: Vec<NodeSlot>,
    pipes: Vec<PipeSlot>,
    agenda: Agenda,
    /// By time, then in the order in which they were planned.
    actions: BTreeMap<(Time, u64), Box<dyn Action>>,
    actions_planned: u64,
    observers: Vec<Box<dyn Observer>>,
    names: Names,
    outbox: Outbox,
    /// Vectors that effects are collected in while others are carried out; kept for their room.
    spare: Vec<Vec<Effect>>,
    events: u64,
    events_max: u64,
    has_started: bool,
    /// Why actions could not be carried out, if such a one does not end the run.
    complaints: Option<Vec<String>>,
    /// What programs did that no program may: the first of it.
    misdeeds: Vec<Misdeed>,
    misdeeds_count: u64,
    stops_at_misdeeds: bool,
}

impl Network {
    /// An empty network, whose random streams derive from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Time::ZERO,
            nodes: Vec::new(),
            pipes: Vec::new(),
            agenda: Agenda::default(),
            actions: BTreeMap::new(),
            actions_planned: 0,
            observers: Vec::new(),
            names: Names::default(),
            outbox: Outbox::new(false),
            spare: Vec::new(),
            events: 0,
            events_max: run::EVENTS_MAX,
            has_started: false,
            complaints: None,
            misdeeds: Vec::new(),
            misdeeds_count: 0,
            stops_at_misdeeds: false,
        }
    }

    /// Adds somebody who watches from now on.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
        self.outbox.set_observed(true);
    }

    /// Has `action` happen at `at`. Actions of one time happen in the order in which they were planned, before anything
    /// else at that time.
    pub fn plan(&mut self, at: Time, action: Box<dyn Action>) {
        self.actions.insert((at.max(self.now), self.actions_planned), action);
        self.actions_planned += 1;
    }

    /// Sets the most events that a run may take before it is given up as endless.
    pub fn limit_events(&mut self, most: u64) {
        self.events_max = most;
    }

    /// Whether the run ends when a program does what no program may; it goes on without the program unless set.
    pub fn stop_at_misdeeds(&mut self, stops: bool) {
        self.stops_at_misdeeds = stops;
    }

    /// What programs have done that no program may, the first hundred times.
    #[must_use]
    pub fn misdeeds(&self) -> &[Misdeed] {
        &self.misdeeds
    }

    /// How often programs have done what no program may.
    #[must_use]
    pub fn misdeeds_count(&self) -> u64 {
        self.misdeeds_count
    }

    /// Registers a name under which frames are dropped or altered.
    pub fn add_rule(&mut self, name: impl Into<String>, line: Option<u32>) -> RuleId {
        self.names.add_rule(name, line)
    }

    /// Adds a fault rule to one direction of a link.
    pub fn add_fault(&mut self, pipe: PipeId, fault: FaultRule) {
        self.pipes[pipe.0 as usize].pipe.add_fault(fault);
    }

    /// Adds an impairment to one direction of a link, under a name made of the link's, the direction's and its kind:
    /// `wan/ab/loss`. Its luck is the stream of that name.
    pub fn add_impairment(&mut self, pipe: PipeId, impairment: Box<dyn Impairment>, line: Option<u32>) {
        let (rule, rng) = enrol(&mut self.names, self.seed, pipe, impairment.kind(), line);
        self.pipes[pipe.0 as usize].pipe.add_impairment(rule, rng, impairment);
    }

    /// Changes one property of one direction of a link. The nodes at its ends are told.
    pub fn set(&mut self, pipe: PipeId, property: &Property) {
        let Self { pipes, names, seed, now, .. } = self;
        property.apply(&mut pipes[pipe.0 as usize].pipe, *now, |kind| enrol(names, *seed, pipe, kind, None));
        self.schedule_pipe(pipe);
        if matches!(property, Property::Mtu(_)) {
            self.tell_ends(pipe.link());
        }
    }

    /// Takes a link up or down, both directions. What is on a link that goes down is lost.
    pub fn set_link_up(&mut self, link: LinkId, is_up: bool) {
        for direction in Direction::BOTH {
            let pipe = PipeId::new(link, direction);
            if self.pipes[pipe.0 as usize].pipe.set_up(is_up, self.now, &mut self.outbox) {
                self.tell_link_is_up(pipe, is_up);
            }
            self.carry_out_for_pipe(pipe);
        }
        self.tell_ends(link);
    }

    /// Has a node do what a timed action says.
    ///
    /// # Errors
    ///
    /// A phrase for the user when that kind of node cannot.
    pub fn command(&mut self, node: NodeId, command: &Command) -> Result<(), String> {
        // An action at time zero comes before the nodes begin; a node that has not begun can do nothing.
        if self.has_started {
            self.start_node(node);
        }
        match command {
            Command::Crash => self.outbox.note(None, || "crashed".to_owned()),
            Command::Restart => self.outbox.note(None, || "restarted".to_owned()),
            Command::Inject { .. } | Command::StartApp(_) | Command::StopApp(_) => {}
        }
        let result = self.nodes[node.0 as usize].node.command(command, self.now, &mut self.outbox);
        self.carry_out(node);
        result
    }

    /// Says something in the name of a node, to whoever watches.
    pub fn note(&mut self, node: NodeId, text: impl FnOnce() -> String) {
        self.outbox.note(None, text);
        self.carry_out(node);
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// How many events have been carried out: arrivals, wake-ups and actions.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What everything is called.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What has gone through one direction of a link.
    #[must_use]
    pub fn counters(&self, pipe: PipeId) -> PipeCounters {
        self.pipes[pipe.0 as usize].pipe.counters()
    }

    /// One direction of a link.
    #[must_use]
    pub fn pipe(&self, pipe: PipeId) -> &Pipe {
        &self.pipes[pipe.0 as usize].pipe
    }

    /// A node.
    #[must_use]
    pub fn node(&self, node: NodeId) -> &dyn Node {
        &*self.nodes[node.0 as usize].node
    }

    /// A node, to be asked for its type.
    pub fn node_mut(&mut self, node: NodeId) -> &mut dyn Node {
        &mut *self.nodes[node.0 as usize].node
    }

    /// The node with this name.
    #[must_use]
    pub fn find_node(&self, name: &str) -> Option<NodeId> {
        let index = self.names.nodes.iter().position(|node| node.name == name)?;
        Some(NodeId(u32::try_from(index).ok()?))
    }

    /// The link with this name.
    #[must_use]
    pub fn find_link(&self, name: &str) -> Option<LinkId> {
        let index = self.names.links.iter().position(|link| link.name == name)?;
        Some(LinkId(u32::try_from(index).ok()?))
    }

    /// The program with this name.
    #[must_use]
    pub fn find_app(&self, name: &str) -> Option<AppId> {
        let index = self.names.apps.iter().position(|app| app.name == name)?;
        Some(AppId(u32::try_from(index).ok()?))
    }

    /// What a node may know of the link at a port: the direction that begins there.
    fn link_state(&self, pipe: PipeId) -> LinkState {
        let pipe = &self.pipes[pipe.0 as usize].pipe;
        LinkState { is_up: pipe.is_up(), mtu: pipe.spec().mtu, rate: pipe.spec().rate }
    }

    /// Tells both ends of a link what it is like now.
    fn tell_ends(&mut self, link: LinkId) {
        for direction in Direction::BOTH {
            let (node, port) = self.names.source(PipeId::new(link, direction));
            let state = self.link_state(PipeId::new(link, direction));
            self.nodes[node.0 as usize].node.link_changed(port, state, self.now, &mut self.outbox);
            self.carry_out(node);
        }
    }

    /// Sees to it that the agenda knows when the next frame comes out of a pipe.
    fn schedule_pipe(&mut self, pipe: PipeId) {
        let slot = &mut self.pipes[pipe.0 as usize];
        let Some(at) = slot.pipe.next_arrival_at() else { return };
        if slot.scheduled.is_none_or(|scheduled| at < scheduled) {
            slot.scheduled = Some(at);
            let (node, port) = slot.to;
            self.agenda.push(Entry { at, node, class: Class::Arrival, port });
        }
    }

    /// Sees to it that the agenda knows when a node wants to be woken.
    fn schedule_node(&mut self, node: NodeId) {
        let slot = &mut self.nodes[node.0 as usize];
        let Some(at) = slot.node.wake_at() else { return };
        let at = at.max(self.now);
        if slot.scheduled.is_none_or(|scheduled| at < scheduled) {
            slot.scheduled = Some(at);
            self.agenda.push(Entry { at, node, class: Class::Wake, port: PortId(0) });
        }
    }
}

/// Registers the rule, and opens the stream, of an impairment on a pipe.
fn enrol(names: &mut Names, seed: u64, pipe: PipeId, kind: &str, line: Option<u32>) -> (RuleId, Rng) {
    let way = if pipe.direction() == Direction::AToB { "ab" } else { "ba" };
    let name = format!("{}/{way}/{kind}", names.link(pipe.link()));
    let rng = Rng::stream(seed, &format!("link {name}"));
    (names.add_rule(name, line), rng)
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (nodes, pipes) = (self.nodes.len(), self.pipes.len());
        write!(f, "Network at {} s: {nodes} nodes, {} links, {} events", self.now, pipes / 2, self.events)
    }
}
