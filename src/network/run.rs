//! The loop that moves time.

use super::Network;
use super::agenda::{Entry, EventKey};
use super::part::{Halt, ROUNDS_MAX};
use super::watch::Watch;
use crate::id::{AppId, NodeId, PortId};
use crate::time::Time;

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
    /// A program did what no program may, and the run was to stop for that.
    #[error("{text}")]
    Misbehaved {
        /// When.
        at: Time,
        /// Which program, on which machine, and what it did.
        text: String,
    },
    /// A node wanted to be woken at one instant again and again.
    #[error("time stands still at {at} s: {node} was woken {ROUNDS_MAX} times at one instant")]
    Standstill {
        /// When.
        at: Time,
        /// Which node.
        node: String,
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
        self.run_some(until, u64::MAX).map(drop)
    }

    /// As [`run_until`](Self::run_until), but stops when about `events` events have happened, so that whoever shows
    /// progress is asked now and then. Whether it stopped for that.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn run_some(&mut self, until: Time, events: u64) -> Result<bool, RunError> {
        self.start()?;
        let enough = self.events().saturating_add(events);
        loop {
            self.check_programs()?;
            let action_at = self.action_at().filter(|at| *at <= until);
            // What happens at the time of an action comes behind it.
            let end = action_at.map_or(Some(until), just_before);
            if let Some(end) = end {
                self.run_parts(end, enough)?;
            }
            if self.events() >= enough {
                return Ok(true);
            }
            match action_at {
                Some(at) => {
                    self.now = at;
                    self.act()?;
                }
                None => break,
            }
        }
        self.parts.iter_mut().for_each(|part| part.drop_stale());
        if self.next_at().is_some() {
            self.now = until;
        }
        Ok(false)
    }

    /// Runs one event or action if there is one at or before `until`; whether there was.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn step(&mut self, until: Time) -> Result<bool, RunError> {
        self.start()?;
        self.check_programs()?;
        let before = self.events();
        // An entry of the agenda that turns out stale is no event.
        while self.events() == before {
            let Some(next) = self.next_at().filter(|next| *next <= until) else { return Ok(false) };
            if self.action_at() == Some(next) {
                self.now = next;
                self.act()?;
            } else {
                self.take_first()?;
            }
        }
        self.parts.iter_mut().for_each(|part| part.drop_stale());
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

    /// Writes down, in the one order, what programs have done before this event that no program may.
    pub(super) fn collect_misdeeds(&mut self, key: EventKey) {
        let mut collected: Vec<(EventKey, Misdeed)> = Vec::new();
        for part in self.parts.iter_mut().filter(|part| !part.misdeeds.is_empty()) {
            let before = part.misdeeds.partition_point(|(at, _)| *at < key);
            collected.extend(part.misdeeds.drain(..before));
        }
        collected.sort_by_key(|(at, _)| *at);
        let room = MISDEEDS_MAX - self.misdeeds.len();
        self.misdeeds.extend(collected.into_iter().map(|(_, misdeed)| misdeed).take(room));
    }

    /// When the next action happens.
    fn action_at(&self) -> Option<Time> {
        self.actions.first_key_value().map(|((at, _), _)| *at)
    }

    /// When the next thing happens; `None` when nothing is left to happen.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        let parts = self.parts.iter().filter_map(|part| part.next_at());
        parts.chain(self.action_at()).min()
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
        let nodes = u32::try_from(self.node_seats.len()).expect("add_node counted them");
        self.begin_parallel();
        for node in (0..nodes).map(NodeId) {
            let ports = u16::try_from(self.node_slot(node).ports.len()).expect("fewer ports than a u16 counts");
            let pipes = (0..ports).map(PortId).filter_map(|port| Some((port, self.pipe_from(node, port)?)));
            let states: Vec<_> = pipes.map(|(port, pipe)| (port, self.link_state(pipe))).collect();
            self.call(node, |node, now, out| {
                states.into_iter().for_each(|(port, state)| node.link_changed(port, state, now, out));
            });
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
        if !std::mem::replace(&mut self.node_slot_mut(node).has_started, true) {
            self.call(node, |node, now, out| node.start(now, out));
        }
    }

    fn act(&mut self) -> Result<(), RunError> {
        let Some((_, mut action)) = self.actions.pop_first() else { return Ok(()) };
        self.acted += 1;
        if self.events() > self.events_max {
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

    /// The first thing of all parts happens.
    fn take_first(&mut self) -> Result<(), RunError> {
        self.parts.iter_mut().for_each(|part| part.open_mail());
        let first = self.parts.iter().enumerate().filter_map(|(index, part)| Some((part.first_key()?, index))).min();
        let Some((_, index)) = first else { return Ok(()) };
        let events_max = self.events_max_of(index);
        let part = &mut self.parts[index];
        let Some(entry) = part.agenda.first() else { return Ok(()) };
        part.events_max = events_max;
        let result = part.take_place(entry, &mut Watch::now(&mut self.observers, &self.names));
        self.now = part.now.max(self.now);
        self.deliver_mail();
        self.collect_misdeeds(EventKey::END);
        result.map_err(|halt| self.error(index, halt))
    }

    /// Runs what there is until `until`, but about so many events in all that `enough` have happened.
    fn run_parts(&mut self, until: Time, enough: u64) -> Result<(), RunError> {
        if self.parts.len() > 1 {
            return self.run_in_parallel(until, enough);
        }
        loop {
            let until_look = self.events_until_look();
            let most = enough.saturating_sub(self.events()).min(until_look);
            let events_max = self.events_max_of(0);
            let part = &mut self.parts[0];
            part.events_max = events_max;
            let before = part.events;
            let result = part.run(until, most, &mut Watch::now(&mut self.observers, &self.names));
            let is_over = part.events - before < most || result.is_err();
            self.now = part.now.max(self.now);
            self.collect_misdeeds(EventKey::END);
            result.map_err(|halt| self.error(0, halt))?;
            if is_over || self.events() >= enough {
                return Ok(());
            }
            if self.look_at_division() {
                return self.run_in_parallel(until, enough);
            }
        }
    }

    /// How many events there may be in one part, if the others have none.
    pub(super) fn events_max_of(&self, part: usize) -> u64 {
        let others = self.events() - self.parts[part].events;
        self.events_max.saturating_sub(others)
    }

    /// What is said of a part that cannot go on.
    pub(super) fn error(&self, part: usize, halt: Halt) -> RunError {
        let name = |entry: Entry| self.names.node(self.parts[part].key(entry).node).to_owned();
        match halt {
            Halt::Misbehaved(_) => {
                let misdeed = self.misdeeds.first().expect("it is written down before anybody asks");
                RunError::Misbehaved { at: misdeed.at, text: misdeed.text.clone() }
            }
            Halt::Standstill(entry) => RunError::Standstill { at: entry.at, node: name(entry) },
            Halt::TooManyEvents(entry) => {
                RunError::TooManyEvents { at: entry.at, events: self.events_max, node: name(entry) }
            }
        }
    }
}

/// The last instant before this one; `None` before the beginning.
fn just_before(at: Time) -> Option<Time> {
    at.as_nanos().checked_sub(1).map(Time::from_nanos)
}
