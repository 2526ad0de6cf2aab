//! The loop that moves time.

use super::Network;
use super::agenda::{Class, Entry};
use crate::id::{AppId, FrameId, NodeId, PipeId, PortId};
use crate::record::{Cause, Effect, Place, Record, What};
use crate::time::Time;
use crate::wire::Frame;

/// How often a node may be woken at one instant before time is said to stand still.
const ROUNDS_MAX: u32 = 10_000;

/// How many events a run may take unless told otherwise: some minutes of real time.
pub(super) const EVENTS_MAX: u64 = 1_000_000_000;

/// How many misdeeds of programs are kept; of more only the number is known.
pub(super) const MISDEEDS_MAX: usize = 100;

/// What a program did that no program may: it panicked, never yielded, or ended and left a socket open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misdeed {
    /// When.
    pub at: Time,
    /// Which program.
    pub app: AppId,
    /// Which program, on which machine, and what it did: one line.
    pub text: String,
}

/// Why a run was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A timed action could not be carried out.
    #[error("{action} at {at} s: {message}")]
    Action {
        /// When.
        at: Time,
        /// What should have been done.
        action: String,
        /// Why not.
        message: String,
    },
    /// A node wanted to be woken at one instant again and again.
    #[error("time stands still at {at} s: {node} was woken {ROUNDS_MAX} times at one instant")]
    Standstill {
        /// When.
        at: Time,
        /// Which node.
        node: String,
    },
    /// A program did what no program may, and the run was to stop for that.
    #[error("{text}")]
    Misbehaved {
        /// When.
        at: Time,
        /// Which program, on which machine, and what it did.
        text: String,
    },
    /// The run would not end.
    #[error("given up at {at} s after {events} events; the last was at {node} (a loop of switches or routers?)")]
    TooManyEvents {
        /// When.
        at: Time,
        /// How many.
        events: u64,
        /// Where the last one was.
        node: String,
    },
}

impl Network {
    /// Runs until nothing is left to happen, or until `until`, whichever is first. Events at `until` itself still happen.
    ///
    /// # Errors
    ///
    /// When an action cannot be carried out, or the run would not end.
    pub fn run_until(&mut self, until: Time) -> Result<(), RunError> {
        self.start()?;
        loop {
            self.check_programs()?;
            let action_at = self.actions.first_key_value().map(|((at, _), _)| *at);
            let event_at = self.agenda.next_at();
            let next = match (action_at, event_at) {
                (None, None) => return Ok(()),
                (Some(action), Some(event)) => action.min(event),
                (Some(at), None) | (None, Some(at)) => at,
            };
            if next > until {
                self.now = until;
                return Ok(());
            }
            self.now = next;
            if action_at == Some(next) {
                self.act()?;
            } else if let Some(entry) = self.agenda.first() {
                self.take_place(entry)?;
            }
        }
    }

    /// Runs one event or action if there is one at or before `until`; whether there was.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn step(&mut self, until: Time) -> Result<bool, RunError> {
        self.start()?;
        self.check_programs()?;
        let next = self.next_at().filter(|next| *next <= until);
        let Some(next) = next else { return Ok(false) };
        self.now = next;
        if self.actions.first_key_value().is_some_and(|((at, _), _)| *at == next) {
            self.act()?;
        } else if let Some(entry) = self.agenda.first() {
            self.take_place(entry)?;
        }
        self.check_programs()?;
        Ok(true)
    }

    /// Stops the run if a program has done what no program may, and that is to stop it.
    fn check_programs(&self) -> Result<(), RunError> {
        match self.misdeeds.first().filter(|_| self.stops_at_misdeeds) {
            Some(misdeed) => Err(RunError::Misbehaved { at: misdeed.at, text: misdeed.text.clone() }),
            None => Ok(()),
        }
    }

    /// When the next thing happens; `None` when nothing is left to happen.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        let action_at = self.actions.first_key_value().map(|((at, _), _)| *at);
        [action_at, self.agenda.next_at()].into_iter().flatten().min()
    }

    /// Tells every observer that the run is over.
    pub fn finish(&mut self) {
        for observer in &mut self.observers {
            observer.finish(self.now, &self.names);
        }
    }

    /// Begins the run: every node is told of its links, then the actions of this time happen, then every node begins.
    ///
    /// So a fault that is planned for time zero meets the first frame. A node that is the object of such an action
    /// begins before it.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn start(&mut self) -> Result<(), RunError> {
        if std::mem::replace(&mut self.has_started, true) {
            return Ok(());
        }
        let nodes = u32::try_from(self.nodes.len()).expect("add_node counted them");
        for node in (0..nodes).map(NodeId) {
            let pipes = self.nodes[node.0 as usize].pipes.clone();
            for (port, pipe) in pipes.into_iter().enumerate() {
                let Some(pipe) = pipe else { continue };
                let port = PortId(u16::try_from(port).expect("a node has fewer ports than a u16 counts"));
                let state = self.link_state(pipe);
                self.nodes[node.0 as usize].node.link_changed(port, state, self.now, &mut self.outbox);
            }
            self.carry_out(node);
        }
        while self.actions.first_key_value().is_some_and(|((at, _), _)| *at <= self.now) {
            self.act()?;
        }
        for node in (0..nodes).map(NodeId) {
            self.start_node(node);
        }
        Ok(())
    }

    /// Has a node begin, if it has not yet.
    pub(super) fn start_node(&mut self, node: NodeId) {
        let slot = &mut self.nodes[node.0 as usize];
        if !std::mem::replace(&mut slot.has_started, true) {
            slot.node.start(self.now, &mut self.outbox);
            self.carry_out(node);
        }
    }

    fn act(&mut self) -> Result<(), RunError> {
        let Some((_, mut action)) = self.actions.pop_first() else { return Ok(()) };
        self.events += 1;
        if self.events > self.events_max {
            let node = action.describe();
            return Err(RunError::TooManyEvents { at: self.now, events: self.events_max, node });
        }
        let result = action.apply(self);
        if let (Err(message), Some(complaints)) = (&result, &mut self.complaints) {
            complaints.push(format!("{}: {message}", action.describe()));
            return Ok(());
        }
        result.map_err(|message| RunError::Action { at: self.now, action: action.describe(), message })
    }

    /// The first entry of the agenda comes true, and leaves the agenda.
    fn take_place(&mut self, entry: Entry) -> Result<(), RunError> {
        self.events += 1;
        if self.events > self.events_max {
            let node = self.names.node(entry.node).to_owned();
            return Err(RunError::TooManyEvents { at: self.now, events: self.events_max, node });
        }
        match entry.class {
            Class::Arrival => {
                self.arrive(entry);
                Ok(())
            }
            Class::Wake => {
                self.agenda.replace_first(None);
                self.wake(entry)
            }
        }
    }

    /// Frames come out of the pipe that ends at a port.
    fn arrive(&mut self, entry: Entry) {
        let outgoing = self.nodes[entry.node.0 as usize].pipes[usize::from(entry.port.0)];
        let pipe = outgoing.map(|pipe| PipeId::new(pipe.link(), pipe.direction().reversed()));
        let pipe = pipe.expect("only a pipe that ends at a port makes an arrival there");
        let slot = &mut self.pipes[pipe.0 as usize];
        if slot.scheduled != Some(entry.at) {
            return self.agenda.replace_first(None);
        }
        loop {
            let slot = &mut self.pipes[pipe.0 as usize];
            let arrived = slot.pipe.take_arrival(self.now);
            let next_at = slot.pipe.next_arrival_at();
            let is_last = arrived.is_none() || next_at.is_none_or(|at| at > self.now);
            if is_last {
                // What follows on this pipe takes the place of what has come out, in one movement of the heap. Nothing
                // that happened in this round can have gone before it: that would be earlier, or at a lower place.
                debug_assert_eq!(self.agenda.first(), Some(entry), "an arrival is the first entry until it is through");
                slot.scheduled = next_at;
                self.agenda.replace_first(next_at.map(|at| Entry { at, ..entry }));
            }
            if let Some(mut frame) = arrived {
                if !self.observers.is_empty() {
                    frame.complete();
                    self.tell(Place::Port(entry.node, entry.port), What::Delivered { frame: &frame });
                }
                self.nodes[entry.node.0 as usize].node.receive(entry.port, frame, self.now, &mut self.outbox);
                self.carry_out(entry.node);
            }
            if is_last {
                return;
            }
        }
    }

    /// A node's timer is due.
    fn wake(&mut self, entry: Entry) -> Result<(), RunError> {
        let slot = &mut self.nodes[entry.node.0 as usize];
        if slot.scheduled != Some(entry.at) {
            return Ok(());
        }
        slot.scheduled = None;
        if slot.node.wake_at().is_some_and(|at| at <= self.now) {
            slot.rounds = if slot.rounds_at == self.now { slot.rounds + 1 } else { 0 };
            slot.rounds_at = self.now;
            if slot.rounds >= ROUNDS_MAX {
                return Err(RunError::Standstill { at: self.now, node: self.names.node(entry.node).to_owned() });
            }
            slot.node.wake(self.now, &mut self.outbox);
            self.carry_out(entry.node);
        } else {
            self.schedule_node(entry.node);
        }
        Ok(())
    }

    /// Does what a node has put into the outbox, and asks when it wants to be woken.
    pub(super) fn carry_out(&mut self, node: NodeId) {
        let keeps_timers = self.outbox.take_keeps_timers();
        if let Some((port, frame)) = self.outbox.take_only_send() {
            self.transmit(node, port, frame);
        } else if !self.outbox.effects().is_empty() {
            let mut effects = self.spare.pop().unwrap_or_default();
            self.outbox.swap_effects(&mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Send { port, frame } => self.transmit(node, port, frame),
                    told => self.tell_effect(Place::Node(node), told),
                }
            }
            self.spare.push(effects);
        }
        if !keeps_timers {
            self.schedule_node(node);
        }
    }

    /// Tells what a pipe has put into the outbox.
    pub(super) fn carry_out_for_pipe(&mut self, pipe: PipeId) {
        if self.outbox.effects().is_empty() {
            return;
        }
        let mut effects = self.spare.pop().unwrap_or_default();
        self.outbox.swap_effects(&mut effects);
        for effect in effects.drain(..) {
            self.tell_effect(Place::Pipe(pipe), effect);
        }
        self.spare.push(effects);
    }

    /// Puts a frame on the link at a port: numbers it, tells of it, and moves it into the pipe.
    fn transmit(&mut self, node: NodeId, port: PortId, mut frame: Frame) {
        let slot = &mut self.nodes[node.0 as usize];
        let Some(pipe) = slot.pipes.get(usize::from(port.0)).copied().flatten() else {
            let effect = Effect::Dropped { frame, cause: Cause::NoLink, rule: None };
            return self.tell_effect(Place::Node(node), effect);
        };
        frame.cause = frame.id.or(frame.cause);
        frame.id = Some(FrameId { origin: node.0, count: slot.frames });
        slot.frames = slot.frames.wrapping_add(1);
        if !self.observers.is_empty() {
            frame.complete();
            self.tell(Place::Port(node, port), What::Sent { frame: &frame });
        }
        self.pipes[pipe.0 as usize].pipe.send(frame, self.now, &mut self.outbox);
        self.carry_out_for_pipe(pipe);
        self.schedule_pipe(pipe);
    }

    /// Tells of one effect that is not a sending, and ends the frame if it was a drop.
    fn tell_effect(&mut self, place: Place, effect: Effect) {
        match effect {
            Effect::Altered { frame, how, rule } => self.tell(place, What::Altered { frame, how, rule }),
            Effect::Dropped { mut frame, cause, rule } => {
                if let Place::Node(node) = place {
                    let drops =
                        self.nodes[node.0 as usize].drops.get_or_insert_with(|| Box::new([0; Cause::ALL.len()]));
                    drops[cause as usize] += 1;
                }
                if !self.observers.is_empty() {
                    frame.complete();
                    self.tell(place, What::Dropped { frame: &frame, cause, rule });
                }
                frame.recycle(&mut self.outbox.pool);
            }
            Effect::Misbehaved { app, text } => {
                self.misdeeds_count += 1;
                if self.misdeeds.len() < MISDEEDS_MAX {
                    self.misdeeds.push(Misdeed { at: self.now, app, text });
                }
            }
            Effect::Note { app, text } => self.tell(place, What::Note { app, text: &text }),
            Effect::Secret { line } => self.tell(place, What::Secret { line: &line }),
            Effect::Send { .. } => unreachable!("a pipe never sends; a node's sendings are carried out"),
        }
    }

    pub(super) fn tell_link_is_up(&mut self, pipe: PipeId, is_up: bool) {
        self.tell(Place::Pipe(pipe), What::LinkIsUp(is_up));
    }

    fn tell(&mut self, place: Place, what: What<'_>) {
        let record = Record { at: self.now, place, what };
        for observer in &mut self.observers {
            observer.record(&record, &self.names);
        }
    }
}
