//! Who is wired to whom, and the loop that moves time.
//!
//! A [`Network`] owns nodes, pipes and the [`agenda`], all of them kept in a `Part`, or in several that run on threads of
//! their own ([`parallel`]). [`Network::run_until`] takes the next thing that is due, calls the node or the action it
//! concerns, and carries out what was put into the outbox: a frame that is sent goes into a pipe and comes out at its far
//! end later. Nobody holds a reference to the network.
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
pub mod parallel;
mod part;
mod run;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod view;
mod watch;

pub use action::Action;
pub use build::WiringError;
pub use outside::Enter;
pub use parallel::Threads;
pub use run::{Misdeed, RunError};

use std::collections::BTreeMap;

use crate::id::{AppId, Direction, LinkId, NodeId, PipeId, PortId, RuleId};
use crate::link::{FaultRule, Impairment, OnWay, Pipe, PipeCounters, Property};
use crate::node::{Command, LinkState, Node};
use crate::record::{Names, Observer, Outbox};
use crate::rng::Rng;
use crate::time::Time;
use agenda::EventKey;
use parallel::Parallel;
use part::{Crossing, Ends, Index, NodeSlot, Part, PipeSlot};
use watch::Watch;

/// Where something is kept: in which part, at which place in it.
#[derive(Debug, Clone, Copy)]
struct Seat {
    part: u32,
    index: Index,
}

/// Nodes, links, and what will happen to them.
pub struct Network {
    seed: u64,
    now: Time,
    /// At least one. Where there are several, everything that a node sends over a link between two of them is mail.
    #[expect(clippy::vec_box, reason = "a part is handed from thread to thread many times a second")]
    parts: Vec<Box<Part>>,
    /// Where each node is kept, by its id.
    node_seats: Vec<Seat>,
    /// Where each direction of a link is kept, by its id: in the part of the node that sends into it.
    pipe_seats: Vec<Seat>,
    parallel: Parallel,
    /// By time, then in the order in which they were planned.
    actions: BTreeMap<(Time, u64), Box<dyn Action>>,
    actions_planned: u64,
    observers: Vec<Box<dyn Observer>>,
    names: Names,
    /// How many actions have been carried out.
    acted: u64,
    events_max: u64,
    has_started: bool,
    /// Why actions could not be carried out, if such a one does not end the run.
    complaints: Option<Vec<String>>,
    /// What programs did that no program may: the first of it.
    misdeeds: Vec<Misdeed>,
    stops_at_misdeeds: bool,
}

impl Network {
    /// An empty network, whose random streams derive from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Time::ZERO,
            parts: vec![Box::new(Part::new(false))],
            node_seats: Vec::new(),
            pipe_seats: Vec::new(),
            parallel: Parallel::default(),
            actions: BTreeMap::new(),
            actions_planned: 0,
            observers: Vec::new(),
            names: Names::default(),
            acted: 0,
            events_max: run::EVENTS_MAX,
            has_started: false,
            complaints: None,
            misdeeds: Vec::new(),
            stops_at_misdeeds: false,
        }
    }

    /// Adds somebody who watches from now on.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
        for part in &mut self.parts {
            part.outbox.set_observed(true);
        }
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
        self.parts.iter_mut().for_each(|part| part.stops_at_misdeeds = stops);
    }

    /// What programs have done that no program may, the first hundred times.
    #[must_use]
    pub fn misdeeds(&self) -> &[Misdeed] {
        &self.misdeeds
    }

    /// How often programs have done what no program may.
    #[must_use]
    pub fn misdeeds_count(&self) -> u64 {
        self.parts.iter().map(|part| part.misdeeds_count).sum()
    }

    /// Registers a name under which frames are dropped or altered.
    pub fn add_rule(&mut self, name: impl Into<String>, line: Option<u32>) -> RuleId {
        self.names.add_rule(name, line)
    }

    /// Adds a fault rule to one direction of a link.
    pub fn add_fault(&mut self, pipe: PipeId, fault: FaultRule) {
        self.pipe_slot_mut(pipe).pipe.add_fault(fault);
    }

    /// Adds an impairment to one direction of a link, under a name made of the link's, the direction's and its kind:
    /// `wan/ab/loss`. Its luck is the stream of that name.
    pub fn add_impairment(&mut self, pipe: PipeId, impairment: Box<dyn Impairment>, line: Option<u32>) {
        let (rule, rng) = enrol(&mut self.names, self.seed, pipe, impairment.kind(), line);
        self.pipe_slot_mut(pipe).pipe.add_impairment(rule, rng, impairment);
    }

    /// Changes one property of one direction of a link. The nodes at its ends are told.
    pub fn set(&mut self, pipe: PipeId, property: &Property) {
        self.recall(pipe);
        let seat = self.pipe_seats[pipe.0 as usize];
        let Self { parts, names, seed, now, .. } = self;
        let slot = &mut parts[seat.part as usize].pipes[seat.index as usize];
        property.apply(&mut slot.pipe, *now, |kind| enrol(names, *seed, pipe, kind, None));
        self.parallel.forget_distances();
        self.schedule_pipe(pipe);
        if matches!(property, Property::Mtu(_)) {
            self.tell_ends(pipe.link());
        }
    }

    /// Takes a link up or down, both directions. What is on a link that goes down is lost.
    pub fn set_link_up(&mut self, link: LinkId, is_up: bool) {
        for direction in Direction::BOTH {
            let pipe = PipeId::new(link, direction);
            self.recall(pipe);
            let seat = self.pipe_seats[pipe.0 as usize];
            let part = &mut self.parts[seat.part as usize];
            part.now = self.now;
            let mut watch = Watch::now(&mut self.observers, &self.names);
            part.set_pipe_up(seat.index, is_up, &mut watch);
            self.schedule_pipe(pipe);
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
        self.call(node, |node, now, out| {
            match command {
                Command::Crash => out.note(None, || "crashed".to_owned()),
                Command::Restart => out.note(None, || "restarted".to_owned()),
                Command::Inject { .. } | Command::StartApp(_) | Command::StopApp(_) => {}
            }
            node.command(command, now, out)
        })
    }

    /// Says something in the name of a node, to whoever watches.
    pub fn note(&mut self, node: NodeId, text: impl FnOnce() -> String) {
        self.call(node, |_, _, out| out.note(None, text));
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
        self.acted + self.parts.iter().map(|part| part.events).sum::<u64>() - self.parallel.ahead()
    }

    /// What everything is called.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What has gone through one direction of a link.
    #[must_use]
    pub fn counters(&self, pipe: PipeId) -> PipeCounters {
        let slot = self.pipe_slot(pipe);
        let mut counters = slot.pipe.counters();
        if let Some(crossing) = slot.crossing {
            self.parts[crossing.part as usize].lanes[crossing.lane as usize].lane.count(&mut counters);
        }
        counters
    }

    /// One direction of a link. What it has delivered is among its [`counters`](Self::counters).
    #[must_use]
    pub fn pipe(&self, pipe: PipeId) -> &Pipe {
        &self.pipe_slot(pipe).pipe
    }

    /// A node.
    #[must_use]
    pub fn node(&self, node: NodeId) -> &dyn Node {
        &*self.node_slot(node).node
    }

    /// A node, to be asked for its type.
    pub fn node_mut(&mut self, node: NodeId) -> &mut dyn Node {
        &mut *self.node_slot_mut(node).node
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
        let pipe = self.pipe(pipe);
        LinkState { is_up: pipe.is_up(), mtu: pipe.spec().mtu, rate: pipe.spec().rate }
    }

    /// Tells both ends of a link what it is like now.
    fn tell_ends(&mut self, link: LinkId) {
        for direction in Direction::BOTH {
            let (node, port) = self.names.source(PipeId::new(link, direction));
            let state = self.link_state(PipeId::new(link, direction));
            self.call(node, |node, now, out| node.link_changed(port, state, now, out));
        }
    }

    /// Calls a node outside of the loop, and carries out what it wants done.
    fn call<T>(&mut self, node: NodeId, what: impl FnOnce(&mut dyn Node, Time, &mut Outbox) -> T) -> T {
        let seat = self.node_seats[node.0 as usize];
        let part = &mut self.parts[seat.part as usize];
        part.now = self.now;
        let result = what(&mut *part.nodes[seat.index as usize].node, self.now, &mut part.outbox);
        part.carry_out(seat.index, &mut Watch::now(&mut self.observers, &self.names));
        self.deliver_mail();
        self.collect_misdeeds(EventKey::END);
        result
    }

    /// Sees to it that an agenda knows when the next frame comes out of a pipe that has been changed.
    fn schedule_pipe(&mut self, pipe: PipeId) {
        let seat = self.pipe_seats[pipe.0 as usize];
        self.parts[seat.part as usize].schedule_pipe(seat.index);
        self.deliver_mail();
    }

    /// Has everything that is on a pipe lie in that pipe, and nothing of it in an agenda, so that the pipe can be changed.
    /// Whoever does it [schedules](Self::schedule_pipe) the pipe again.
    fn recall(&mut self, pipe: PipeId) {
        let seat = self.pipe_seats[pipe.0 as usize];
        let slot = &mut self.parts[seat.part as usize].pipes[seat.index as usize];
        let crossing = slot.crossing;
        let (part, ends) = match crossing {
            None => (seat.part, Ends::Pipe(seat.index)),
            Some(Crossing { part, lane }) => (part, Ends::Lane(lane)),
        };
        let part = &mut self.parts[part as usize];
        part.open_mail();
        part.forget_arrivals(ends);
        if let Some(crossing) = crossing {
            let lane = &mut part.lanes[crossing.lane as usize].lane;
            let frames: Vec<OnWay> = std::iter::from_fn(|| lane.recall()).collect();
            self.pipe_slot_mut(pipe).pipe.take_back(frames.into_iter());
        }
    }

    fn node_slot(&self, node: NodeId) -> &NodeSlot {
        let seat = self.node_seats[node.0 as usize];
        &self.parts[seat.part as usize].nodes[seat.index as usize]
    }

    fn node_slot_mut(&mut self, node: NodeId) -> &mut NodeSlot {
        let seat = self.node_seats[node.0 as usize];
        &mut self.parts[seat.part as usize].nodes[seat.index as usize]
    }

    fn pipe_slot(&self, pipe: PipeId) -> &PipeSlot {
        let seat = self.pipe_seats[pipe.0 as usize];
        &self.parts[seat.part as usize].pipes[seat.index as usize]
    }

    fn pipe_slot_mut(&mut self, pipe: PipeId) -> &mut PipeSlot {
        let seat = self.pipe_seats[pipe.0 as usize];
        &mut self.parts[seat.part as usize].pipes[seat.index as usize]
    }

    /// The pipe that begins at a port, if a link is plugged in there.
    fn pipe_from(&self, node: NodeId, port: PortId) -> Option<PipeId> {
        let seat = self.node_seats[node.0 as usize];
        let part = &self.parts[seat.part as usize];
        let begins = part.nodes[seat.index as usize].ports.get(usize::from(port.0))?.begins?;
        Some(part.pipes[begins as usize].pipe.id())
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
        let (nodes, pipes) = (self.node_seats.len(), self.pipe_seats.len());
        write!(f, "Network at {} s: {nodes} nodes, {} links, {} events", self.now, pipes / 2, self.events())
    }
}
