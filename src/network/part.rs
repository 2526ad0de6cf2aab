//! Nodes and pipes with an agenda of their own: a whole network, or a part of it that runs on its own thread.
//!
//! Inside a part everything is known by its [`Index`]; the order of the indices is that of the ids, so that the order of
//! events in a part is the order in which they stand among all events. What is told, and what frames are called, goes by
//! ids: it does not depend on how a network is divided.
//!
//! What is sent to a node of another part is put into a [`Mailbox`], and waits in that part in a [`Lane`] for its time.

use super::agenda::{Agenda, Class, Entry, EventKey};
use super::run::{MISDEEDS_MAX, Misdeed};
use super::watch::{Log, Watch};
use crate::id::{FrameId, NodeId, PortId};
use crate::link::{Lane, OnWay, Pipe};
use crate::node::Node;
use crate::record::{Cause, Effect, Outbox, Place, Record, What};
use crate::time::Time;
use crate::wire::Frame;

/// How often a node may be woken at one instant before time is said to stand still.
pub(super) const ROUNDS_MAX: u32 = 10_000;

/// A place among the nodes, pipes or lanes of one part.
pub(super) type Index = u32;

/// A node in its place.
pub(super) struct NodeSlot {
    pub(super) id: NodeId,
    pub(super) node: Box<dyn Node>,
    pub(super) ports: Vec<PortSlot>,
    /// The wake-up that the agenda holds; any other entry for this node is stale.
    pub(super) scheduled: Option<Time>,
    /// How many frames the node has sent: the count of its next frame's id.
    pub(super) frames: u32,
    /// What has been dropped inside the node, by cause in the order of [`Cause::ALL`]; made at the first drop.
    pub(super) drops: Option<Box<[u64; Cause::ALL.len()]>>,
    /// How often the node was woken at the present instant.
    rounds: u32,
    /// When that instant was.
    rounds_at: Time,
    pub(super) has_started: bool,
}

/// What is plugged in at a port.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PortSlot {
    /// The pipe that begins here.
    pub(super) begins: Option<Index>,
    /// What ends here.
    pub(super) ends: Option<Ends>,
}

/// Where frames come from that arrive at a port.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ends {
    /// A pipe of the same part.
    Pipe(Index),
    /// A lane: the pipe is another part's.
    Lane(Index),
}

/// A pipe in its place.
pub(super) struct PipeSlot {
    pub(super) pipe: Pipe,
    /// Where it ends, if that is in the same part.
    pub(super) to: (Index, PortId),
    /// Where it ends, if that is in another part.
    pub(super) crossing: Option<Crossing>,
    /// The arrival that the agenda holds; any other entry for this pipe is stale.
    pub(super) scheduled: Option<Time>,
}

/// The far end of a pipe in another part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossing {
    pub(super) part: u32,
    pub(super) lane: Index,
}

/// A lane in its place.
pub(super) struct LaneSlot {
    pub(super) lane: Lane,
    /// Where it ends.
    pub(super) to: (Index, PortId),
    /// The arrival that the agenda holds; any other entry for this lane is stale.
    pub(super) scheduled: Option<Time>,
}

/// What is sent from one part to another, in the order of sending.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) frames: Vec<(Index, OnWay)>,
    /// When the first of them arrives.
    pub(super) earliest_at: Time,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self { frames: Vec::new(), earliest_at: Time::MAX }
    }
}

/// Why a part cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// In this event a program did what no program may, and the run was to stop for that.
    Misbehaved(Entry),
    /// The node of this entry was woken again and again at one instant.
    Standstill(Entry),
    /// So many events are enough; this entry would be the next.
    TooManyEvents(Entry),
}

impl Halt {
    /// Where it stands.
    pub(super) fn entry(self) -> Entry {
        match self {
            Self::Misbehaved(entry) | Self::Standstill(entry) | Self::TooManyEvents(entry) => entry,
        }
    }
}

/// See the head of this file.
pub(super) struct Part {
    pub(super) now: Time,
    pub(super) nodes: Vec<NodeSlot>,
    pub(super) pipes: Vec<PipeSlot>,
    pub(super) lanes: Vec<LaneSlot>,
    pub(super) agenda: Agenda,
    pub(super) outbox: Outbox,
    /// Vectors that effects are collected in while others are carried out; kept for their room.
    pub(super) spare: Vec<Vec<Effect>>,
    /// How many events have been carried out here.
    pub(super) events: u64,
    /// How many may be.
    pub(super) events_max: u64,
    /// What programs did that no program may and has not been collected yet, in order; of many the first.
    pub(super) misdeeds: Vec<(EventKey, Misdeed)>,
    /// How often programs did so.
    pub(super) misdeeds_count: u64,
    /// Whether the run ends with that.
    pub(super) stops_at_misdeeds: bool,
    /// What is for other parts, by the part.
    pub(super) mail: Vec<Mailbox>,
    /// What has come from other parts and has not been put into lanes.
    pub(super) inbox: Vec<Mailbox>,
    /// Empty mailboxes, kept for their room.
    pub(super) blank: Vec<Mailbox>,
    /// What is to be told once no other part can have anything to tell before it.
    pub(super) log: Log,
    /// Which events were carried out that another part may not have come to yet; only kept while asked for.
    pub(super) ahead: Option<Vec<EventKey>>,
}

impl NodeSlot {
    pub(super) fn new(id: NodeId, node: Box<dyn Node>, ports: Vec<PortSlot>) -> Self {
        Self {
            id,
            node,
            ports,
            scheduled: None,
            frames: 0,
            drops: None,
            rounds: 0,
            rounds_at: Time::ZERO,
            has_started: false,
        }
    }
}

impl Part {
    /// An empty part; `is_observed`: somebody wants to know what happens in it.
    pub(super) fn new(is_observed: bool) -> Self {
        Self {
            now: Time::ZERO,
            nodes: Vec::new(),
            pipes: Vec::new(),
            lanes: Vec::new(),
            agenda: Agenda::default(),
            outbox: Outbox::new(is_observed),
            spare: Vec::new(),
            events: 0,
            events_max: u64::MAX,
            misdeeds: Vec::new(),
            misdeeds_count: 0,
            stops_at_misdeeds: false,
            mail: Vec::new(),
            inbox: Vec::new(),
            blank: Vec::new(),
            log: Log::default(),
            ahead: None,
        }
    }

    /// Adds a node with an id above those of all nodes here.
    pub(super) fn add_node(&mut self, slot: NodeSlot) -> Index {
        self.nodes.push(slot);
        u32::try_from(self.nodes.len() - 1).expect("there are no more than ids")
    }

    /// When the next thing happens here; `None` when nothing is left to happen.
    pub(super) fn next_at(&self) -> Option<Time> {
        let mail_at = self.inbox.iter().map(|mailbox| mailbox.earliest_at).min();
        [mail_at, self.agenda.next_at()].into_iter().flatten().min()
    }

    /// The place of the first entry among all events; what is in the inbox is not looked at.
    pub(super) fn first_key(&self) -> Option<EventKey> {
        self.agenda.first().map(|entry| self.key(entry))
    }

    /// The place of an entry among all events: behind all that its node has done at that instant.
    pub(super) fn key(&self, entry: Entry) -> EventKey {
        EventKey { at: entry.at, node: self.nodes[entry.node.0 as usize].id, count: u64::MAX }
    }

    /// Has the agenda begin with something that will happen: an arrival that a sooner one has overtaken is taken off.
    pub(super) fn drop_stale(&mut self) {
        while let Some(entry) = self.agenda.first().filter(|entry| entry.class == Class::Arrival) {
            let ends = self.nodes[entry.node.0 as usize].ports[usize::from(entry.port.0)].ends;
            let ends = ends.expect("only what ends at a port makes an arrival there");
            if *self.expected(ends).1 == Some(entry.at) {
                return;
            }
            self.agenda.replace_first(None);
        }
    }

    /// Carries out what happens at `until` and before, but no more than `events` events.
    pub(super) fn run(&mut self, until: Time, events: u64, watch: &mut Watch<'_>) -> Result<(), Halt> {
        self.open_mail();
        let enough = self.events.saturating_add(events);
        while let Some(entry) = self.agenda.first().filter(|entry| entry.at <= until) {
            if self.events >= enough {
                break;
            }
            self.take_place(entry, watch)?;
        }
        Ok(())
    }

    /// As [`run`](Self::run), for whoever does not know who watches: what is to be told goes into the log.
    pub(super) fn run_ahead(&mut self, until: Time, events: u64) -> Result<(), Halt> {
        if !self.outbox.is_observed() {
            return self.run(until, events, &mut Watch::Nobody);
        }
        let mut log = std::mem::take(&mut self.log);
        let result = self.run(until, events, &mut Watch::Later(&mut log));
        self.log = log;
        result
    }

    /// The first entry comes true, and leaves the agenda.
    pub(super) fn take_place(&mut self, entry: Entry, watch: &mut Watch<'_>) -> Result<(), Halt> {
        match entry.class {
            Class::Arrival => self.arrive(entry, watch)?,
            Class::Wake => {
                self.count(entry, watch)?;
                self.agenda.replace_first(None);
                self.wake(entry, watch)?;
            }
        }
        if self.stops_at_misdeeds && !self.misdeeds.is_empty() {
            return Err(Halt::Misbehaved(entry));
        }
        Ok(())
    }

    /// One more event: time moves.
    fn count(&mut self, entry: Entry, watch: &mut Watch<'_>) -> Result<(), Halt> {
        self.now = entry.at;
        self.events += 1;
        if self.events > self.events_max {
            return Err(Halt::TooManyEvents(entry));
        }
        if self.ahead.is_some() || matches!(watch, Watch::Later(_)) {
            let key = EventKey { count: self.events, ..self.key(entry) };
            watch.begin(key);
            self.ahead.iter_mut().for_each(|ahead| ahead.push(key));
        }
        Ok(())
    }

    /// Frames come out of what ends at a port.
    fn arrive(&mut self, entry: Entry, watch: &mut Watch<'_>) -> Result<(), Halt> {
        let ends = self.nodes[entry.node.0 as usize].ports[usize::from(entry.port.0)].ends;
        let ends = ends.expect("only what ends at a port makes an arrival there");
        let (next_at, scheduled) = self.expected(ends);
        if *scheduled != Some(entry.at) {
            self.agenda.replace_first(None);
            return Ok(());
        }
        if next_at.is_none_or(|at| at > entry.at) {
            // What should have come was lost with its link, or comes later now. That is no event.
            *scheduled = next_at;
            self.agenda.replace_first(next_at.map(|at| Entry { at, ..entry }));
            return Ok(());
        }
        self.count(entry, watch)?;
        loop {
            let arrived = match ends {
                Ends::Pipe(pipe) => self.pipes[pipe as usize].pipe.take_arrival(self.now),
                Ends::Lane(lane) => self.lanes[lane as usize].lane.take_arrival(self.now),
            };
            let (next_at, scheduled) = self.expected(ends);
            let is_last = next_at.is_none_or(|at| at > entry.at);
            if is_last {
                // What follows on this pipe takes the place of what has come out, in one movement of the heap. Nothing
                // that happened in this round can have gone before it: that would be earlier, or at a lower place.
                *scheduled = next_at;
                debug_assert_eq!(self.agenda.first(), Some(entry), "an arrival is the first entry until it is through");
                self.agenda.replace_first(next_at.map(|at| Entry { at, ..entry }));
            }
            if let Some(mut frame) = arrived {
                if !watch.is_nobody() {
                    frame.complete();
                    let place = Place::Port(self.nodes[entry.node.0 as usize].id, entry.port);
                    self.tell(place, What::Delivered { frame: &frame }, watch);
                }
                self.nodes[entry.node.0 as usize].node.receive(entry.port, frame, self.now, &mut self.outbox);
                self.carry_out(entry.node.0, watch);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// When the next frame comes out of what ends at a port, and when the agenda says so.
    fn expected(&mut self, ends: Ends) -> (Option<Time>, &mut Option<Time>) {
        match ends {
            Ends::Pipe(pipe) => {
                let slot = &mut self.pipes[pipe as usize];
                (slot.pipe.next_arrival_at(), &mut slot.scheduled)
            }
            Ends::Lane(lane) => {
                let slot = &mut self.lanes[lane as usize];
                (slot.lane.next_arrival_at(), &mut slot.scheduled)
            }
        }
    }

    /// A node's timer is due.
    fn wake(&mut self, entry: Entry, watch: &mut Watch<'_>) -> Result<(), Halt> {
        let slot = &mut self.nodes[entry.node.0 as usize];
        if slot.scheduled != Some(entry.at) {
            return Ok(());
        }
        slot.scheduled = None;
        if slot.node.wake_at().is_some_and(|at| at <= self.now) {
            slot.rounds = if slot.rounds_at == self.now { slot.rounds + 1 } else { 0 };
            slot.rounds_at = self.now;
            if slot.rounds >= ROUNDS_MAX {
                return Err(Halt::Standstill(entry));
            }
            slot.node.wake(self.now, &mut self.outbox);
            self.carry_out(entry.node.0, watch);
        } else {
            self.schedule_node(entry.node.0);
        }
        Ok(())
    }

    /// Does what a node has put into the outbox, and asks when it wants to be woken.
    pub(super) fn carry_out(&mut self, node: Index, watch: &mut Watch<'_>) {
        let keeps_timers = self.outbox.take_keeps_timers();
        if let Some((port, frame)) = self.outbox.take_only_send() {
            self.transmit(node, port, frame, watch);
        } else if !self.outbox.effects().is_empty() {
            let mut effects = self.spare.pop().unwrap_or_default();
            self.outbox.swap_effects(&mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Send { port, frame } => self.transmit(node, port, frame, watch),
                    told => self.tell_of_node(node, told, watch),
                }
            }
            self.spare.push(effects);
        }
        if !keeps_timers {
            self.schedule_node(node);
        }
    }

    /// Takes a pipe up or down, and tells of it.
    pub(super) fn set_pipe_up(&mut self, pipe: Index, is_up: bool, watch: &mut Watch<'_>) {
        let slot = &mut self.pipes[pipe as usize];
        let place = Place::Pipe(slot.pipe.id());
        if slot.pipe.set_up(is_up, self.now, &mut self.outbox) {
            self.tell(place, What::LinkIsUp(is_up), watch);
        }
        self.carry_out_for_pipe(pipe, watch);
    }

    /// Tells what a pipe has put into the outbox.
    fn carry_out_for_pipe(&mut self, pipe: Index, watch: &mut Watch<'_>) {
        if self.outbox.effects().is_empty() {
            return;
        }
        let place = Place::Pipe(self.pipes[pipe as usize].pipe.id());
        let mut effects = self.spare.pop().unwrap_or_default();
        self.outbox.swap_effects(&mut effects);
        for effect in effects.drain(..) {
            self.tell_effect(place, effect, watch);
        }
        self.spare.push(effects);
    }

    /// Puts a frame on the link at a port: numbers it, tells of it, and moves it into the pipe.
    fn transmit(&mut self, node: Index, port: PortId, mut frame: Frame, watch: &mut Watch<'_>) {
        let slot = &mut self.nodes[node as usize];
        let Some(pipe) = slot.ports.get(usize::from(port.0)).and_then(|port| port.begins) else {
            let effect = Effect::Dropped { frame, cause: Cause::NoLink, rule: None };
            return self.tell_of_node(node, effect, watch);
        };
        frame.cause = frame.id.or(frame.cause);
        frame.id = Some(FrameId { origin: slot.id.0, count: slot.frames });
        slot.frames = slot.frames.wrapping_add(1);
        if !watch.is_nobody() {
            frame.complete();
            let place = Place::Port(slot.id, port);
            self.tell(place, What::Sent { frame: &frame }, watch);
        }
        self.pipes[pipe as usize].pipe.send(frame, self.now, &mut self.outbox);
        self.carry_out_for_pipe(pipe, watch);
        self.schedule_pipe(pipe);
    }

    /// Tells of an effect inside a node that is not a sending, and counts it if it is a drop.
    fn tell_of_node(&mut self, node: Index, effect: Effect, watch: &mut Watch<'_>) {
        let slot = &mut self.nodes[node as usize];
        if let Effect::Dropped { cause, .. } = effect {
            slot.drops.get_or_insert_with(|| Box::new([0; Cause::ALL.len()]))[cause as usize] += 1;
        }
        let place = Place::Node(slot.id);
        self.tell_effect(place, effect, watch);
    }

    /// Tells of one effect that is not a sending, and ends the frame if it was a drop.
    fn tell_effect(&mut self, place: Place, effect: Effect, watch: &mut Watch<'_>) {
        match effect {
            Effect::Altered { frame, how, rule } => self.tell(place, What::Altered { frame, how, rule }, watch),
            Effect::Dropped { mut frame, cause, rule } => {
                if !watch.is_nobody() {
                    frame.complete();
                    self.tell(place, What::Dropped { frame: &frame, cause, rule }, watch);
                }
                frame.recycle(&mut self.outbox.pool);
            }
            Effect::Misbehaved { app, text } => {
                self.misdeeds_count += 1;
                if self.misdeeds.len() < MISDEEDS_MAX {
                    let node = if let Place::Node(node) = place { node } else { NodeId(0) };
                    let key = EventKey { at: self.now, node, count: self.events };
                    self.misdeeds.push((key, Misdeed { at: self.now, app, text }));
                }
            }
            Effect::Note { app, text } => self.tell(place, What::Note { app, text: &text }, watch),
            Effect::Secret { line } => self.tell(place, What::Secret { line: &line }, watch),
            Effect::Send { .. } => unreachable!("a pipe never sends; a node's sendings are carried out"),
        }
    }

    fn tell(&mut self, place: Place, what: What<'_>, watch: &mut Watch<'_>) {
        watch.tell(&Record { at: self.now, place, what }, &mut self.outbox.pool);
    }

    /// Sees to it that the agenda knows when the next frame comes out of a pipe, or hands over what is on its way.
    pub(super) fn schedule_pipe(&mut self, pipe: Index) {
        let slot = &mut self.pipes[pipe as usize];
        if let Some(crossing) = slot.crossing {
            return self.post(pipe, crossing);
        }
        let Some(at) = slot.pipe.next_arrival_at() else { return };
        if slot.scheduled.is_none_or(|scheduled| at < scheduled) {
            slot.scheduled = Some(at);
            let (node, port) = slot.to;
            self.agenda.push(Entry { at, node: NodeId(node), class: Class::Arrival, port });
        }
    }

    /// Takes the arrivals out of what ends somewhere out of the agenda.
    pub(super) fn forget_arrivals(&mut self, ends: Ends) {
        let (to, scheduled) = match ends {
            Ends::Pipe(pipe) => {
                let slot = &mut self.pipes[pipe as usize];
                (slot.to, &mut slot.scheduled)
            }
            Ends::Lane(lane) => {
                let slot = &mut self.lanes[lane as usize];
                (slot.to, &mut slot.scheduled)
            }
        };
        if scheduled.take().is_some() {
            self.agenda.forget_arrivals(NodeId(to.0), to.1);
        }
    }

    /// Puts what is on its way to another part into that part's mailbox.
    fn post(&mut self, pipe: Index, crossing: Crossing) {
        let mailbox = &mut self.mail[crossing.part as usize];
        while let Some(frame) = self.pipes[pipe as usize].pipe.hand_over() {
            mailbox.earliest_at = mailbox.earliest_at.min(frame.arrives_at());
            mailbox.frames.push((crossing.lane, frame));
        }
    }

    /// Puts what has come from other parts into its lanes.
    pub(super) fn open_mail(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        for mut mailbox in inbox.drain(..) {
            for (lane, frame) in mailbox.frames.drain(..) {
                self.lanes[lane as usize].lane.join(frame);
                self.schedule_lane(lane);
            }
            mailbox.earliest_at = Time::MAX;
            self.blank.push(mailbox);
        }
        self.inbox = inbox;
    }

    fn schedule_lane(&mut self, lane: Index) {
        let slot = &mut self.lanes[lane as usize];
        let Some(at) = slot.lane.next_arrival_at() else { return };
        if slot.scheduled.is_none_or(|scheduled| at < scheduled) {
            slot.scheduled = Some(at);
            let (node, port) = slot.to;
            self.agenda.push(Entry { at, node: NodeId(node), class: Class::Arrival, port });
        }
    }

    /// Sees to it that the agenda knows when a node wants to be woken.
    fn schedule_node(&mut self, node: Index) {
        let slot = &mut self.nodes[node as usize];
        let Some(at) = slot.node.wake_at() else { return };
        let at = at.max(self.now);
        if slot.scheduled.is_none_or(|scheduled| at < scheduled) {
            slot.scheduled = Some(at);
            self.agenda.push(Entry { at, node: NodeId(node), class: Class::Wake, port: PortId(0) });
        }
    }
}
