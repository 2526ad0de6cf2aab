//! Rounds: every part runs as far as it may, all meet, mail is handed over.
//!
//! A part may run until just before a frame from another could reach it. Every part knows that from when the others have
//! their next event and from the least delays between them, so that windows are as wide as the moment allows and nobody
//! sends messages only to say that there are none. What is told by parts that have run ahead waits until no part can have
//! anything to tell before it.

use std::panic::resume_unwind;

use super::crew::{Crew, Leg, Outcome, go};
use super::{LATE, Network};
use crate::network::RunError;
use crate::network::agenda::EventKey;
use crate::network::part::{Halt, Part};
use crate::network::watch::Watch;
use crate::time::Time;

/// How many events a part carries out in one round at most, so that what it has to hand over or to tell stays small.
const ROUND_EVENTS_MAX: u64 = 1 << 14;

/// So near to the greatest number of events everything is carried out in order, so that the last one is the right one.
pub(super) const NEARLY_TOO_MANY: u64 = 1 << 21;

/// Over so many rounds it is counted what several threads have spared each other.
const PACE_ROUNDS: u32 = 256;

/// How many events of a round must happen beside those of the busiest part for threads to be worth their meeting.
const EVENTS_SPARED_MIN: u64 = 100;

/// What rounds have been like of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    rounds: u32,
    /// Events that need not have waited for those of the busiest part of their round.
    spared: u64,
}

impl Network {
    /// Runs what there is until `until`, but only about so many events that `enough` have happened.
    pub(in crate::network) fn run_in_parallel(&mut self, until: Time, enough: u64) -> Result<(), RunError> {
        let result = std::thread::scope(|scope| self.rounds(until, enough, &mut Crew::new(scope)));
        let reached = self.parts.iter().map(|part| part.now).max();
        self.now = reached.unwrap_or(self.now).max(self.now);
        result
    }

    fn rounds(&mut self, mut until: Time, enough: u64, crew: &mut Crew<'_, '_>) -> Result<(), RunError> {
        self.measure_distances();
        let count = self.parts.len();
        for part in &mut self.parts {
            part.events_max = u64::MAX;
        }
        let mut halted: Vec<Option<Halt>> = vec![None; count];
        let (mut nexts, mut legs, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            self.deliver_mail();
            nexts.clear();
            // Who has halted does nothing more.
            let parts = self.parts.iter().zip(&halted);
            nexts.extend(parts.map(|(part, halt)| part.next_at().filter(|_| halt.is_none())));
            let first = nexts.iter().flatten().min().copied().filter(|first| *first <= until);
            let Some(first) = first else { break };
            self.tell_before(EventKey::before(first));
            let events = self.events();
            if events >= enough {
                // Nobody goes on, and who has stayed behind catches up.
                until = until.min(self.parts.iter().map(|part| part.now).max().unwrap_or(until));
            }
            let left = self.events_max.saturating_sub(events);
            let nearly = self.parallel.nearly_too_many.max(count as u64);
            if (left < nearly || first > LATE) && halted.iter().all(Option::is_none) {
                return self.run_in_order(until, enough);
            }
            let share = (left / count as u64).clamp(1, ROUND_EVENTS_MAX);
            legs.clear();
            for (part, next) in nexts.iter().enumerate() {
                let horizon = self.horizon(part, &nexts).min(until);
                if next.is_some_and(|next| next <= horizon) {
                    legs.push(Leg { part, until: horizon, events: share });
                }
            }
            self.go(&legs, crew, &mut outcomes);
            pass_on(&self.parts, &legs, &mut outcomes);
            for (leg, outcome) in legs.iter().zip(outcomes.drain(..)) {
                if let Ok(Err(halt)) = outcome {
                    // The others still have to come so far: one of them may have to halt before.
                    until = until.min(halt.entry().at);
                    halted[leg.part] = Some(halt);
                }
            }
        }
        let first =
            halted.iter().enumerate().filter_map(|(part, halt)| Some((self.halt_key(part, (*halt)?), part))).min();
        let Some((key, part)) = first else {
            self.tell_before(EventKey::END);
            return Ok(());
        };
        self.end_behind(key);
        Err(self.error(part, halted[part].expect("it has halted")))
    }

    /// One round: on several threads, or on this one if those would not be worth their meeting.
    fn go(&mut self, legs: &[Leg], crew: &mut Crew<'_, '_>, outcomes: &mut Vec<Outcome>) {
        let mut before = [0; super::THREADS_MAX];
        legs.iter().for_each(|leg| before[leg.part] = self.parts[leg.part].events);
        if self.parallel.uses_threads {
            crew.go(&mut self.parts, legs, outcomes);
        } else {
            outcomes.extend(legs.iter().map(|leg| go(&mut self.parts[leg.part], leg)));
        }
        let events = legs.iter().map(|leg| self.parts[leg.part].events - before[leg.part]);
        let (total, busiest) = events.fold((0, 0), |(total, busiest), events| (total + events, events.max(busiest)));
        self.keep_pace(total - busiest);
    }

    /// Counts what a round has spared, and decides now and then whether threads are worth it.
    fn keep_pace(&mut self, spared: u64) {
        let parallel = &mut self.parallel;
        parallel.meetings += 1;
        parallel.pace.spared += spared;
        parallel.pace.rounds += 1;
        if parallel.pace.rounds == PACE_ROUNDS {
            parallel.uses_threads = parallel.pace.spared >= EVENTS_SPARED_MIN * u64::from(PACE_ROUNDS);
            parallel.pace = Pace::default();
        }
    }

    /// Everything in the one order, on this thread: where it matters which event is the last.
    fn run_in_order(&mut self, until: Time, enough: u64) -> Result<(), RunError> {
        // What some parts have done while others stayed behind counts when the others have come so far.
        let mut ahead: Vec<EventKey> =
            self.parts.iter_mut().flat_map(|part| part.ahead.take().unwrap_or_default()).collect();
        ahead.sort_unstable();
        let mut passed = 0;
        loop {
            self.parts.iter_mut().for_each(|part| part.open_mail());
            let keys = self.parts.iter().enumerate().filter_map(|(index, part)| Some((part.first_key()?, index)));
            let first = keys.min().filter(|(key, _)| key.at <= until);
            self.pass(&ahead, &mut passed, first.map_or(EventKey::END, |(key, _)| key))?;
            let Some((key, index)) = first else { break };
            self.tell_before(key);
            if passed == ahead.len() && self.events() >= enough {
                break;
            }
            let events_max = self.events_max_of(index);
            let part = &mut self.parts[index];
            part.events_max = events_max;
            let Some(entry) = part.agenda.first() else { break };
            let result = part.take_place(entry, &mut Watch::now(&mut self.observers, &self.names));
            if let Err(halt) = result {
                self.tell_before(self.halt_key(index, halt));
                self.forget_untold();
                return Err(self.error(index, halt));
            }
            self.deliver_mail();
        }
        self.parallel.ahead = 0;
        self.parts.iter_mut().for_each(|part| part.ahead = Some(Vec::new()));
        self.tell_before(EventKey::END);
        Ok(())
    }

    /// What was carried out ahead has been come to, as far as it lies before `key`: it counts from now on.
    fn pass(&mut self, ahead: &[EventKey], passed: &mut usize, key: EventKey) -> Result<(), RunError> {
        while let Some(passing) = ahead.get(*passed).filter(|passing| **passing < key) {
            *passed += 1;
            self.parallel.ahead = (ahead.len() - *passed) as u64;
            if self.events() > self.events_max {
                self.tell_before(*passing);
                self.forget_untold();
                let node = self.names.node(passing.node).to_owned();
                return Err(RunError::TooManyEvents { at: passing.at, events: self.events_max, node });
            }
        }
        self.parallel.ahead = (ahead.len() - *passed) as u64;
        Ok(())
    }

    /// Tells, in the one order, what belongs to events before this one; nothing more can happen before it.
    fn tell_before(&mut self, key: EventKey) {
        self.collect_misdeeds(key);
        for part in &mut self.parts {
            if let Some(ahead) = &mut part.ahead {
                let past = ahead.partition_point(|other| *other < key);
                ahead.drain(..past);
            }
        }
        if self.observers.is_empty() {
            return;
        }
        let mut watch = Watch::now(&mut self.observers, &self.names);
        loop {
            let firsts = self.parts.iter().enumerate().filter_map(|(index, part)| Some((part.log.first()?, index)));
            let Some((first, index)) = firsts.min().filter(|(first, _)| *first < key) else { return };
            let part = &mut self.parts[index];
            while part.log.first() == Some(first) {
                part.log.tell_first(&mut watch, &mut part.outbox.pool);
            }
        }
    }

    /// The run ends with this event: what belongs to it, or comes before it, is told; what lies behind it does not count.
    fn end_behind(&mut self, key: EventKey) {
        self.tell_before(key);
        self.parallel.ahead =
            self.parts.iter().filter_map(|part| part.ahead.as_ref()).map(|ahead| ahead.len() as u64).sum();
        self.forget_untold();
    }

    fn forget_untold(&mut self) {
        for part in &mut self.parts {
            part.log.clear();
            part.misdeeds_count -= part.misdeeds.len() as u64;
            part.misdeeds.clear();
        }
    }

    fn halt_key(&self, part: usize, halt: Halt) -> EventKey {
        self.parts[part].key(halt.entry())
    }
}

/// Passes a panic on, the first in the order of events, once every part is back.
fn pass_on(parts: &[Box<Part>], legs: &[Leg], outcomes: &mut Vec<Outcome>) {
    let panicked = (0..legs.len()).filter(|index| outcomes[*index].is_err());
    let Some(first) = panicked.min_by_key(|index| parts[legs[*index].part].now) else { return };
    if let Err(panic) = outcomes.swap_remove(first) {
        resume_unwind(panic);
    }
}
