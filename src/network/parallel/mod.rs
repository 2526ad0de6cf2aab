//! One run on several threads.
//!
//! The nodes are divided (`division`) into parts. A part keeps what its nodes send into, has an agenda, an outbox and a pool
//! of its own, and runs alone until a frame from another part could reach it: no earlier than the other part's next event
//! and the least delay of the links between them (`rounds`). Then all meet, hand over what they have sent, and find out
//! how far each may go next.
//!
//! Nothing that anybody sees depends on it. The order of events is (time, node), events of one instant at different nodes
//! are independent, and what is written down goes by ids: so the parts' stories are merged into the one story
//! (`watch`), whatever the division, the number of threads, or the moment at which parts meet. Timed
//! actions may concern anything: all parts come to their time first.
//!
//! What it cannot do: a network whose parts are joined by links of hardly any delay meets after each few events, which
//! costs more than it brings. [`Threads::UpTo`] looks at what a run is like before it divides, and keeps looking.

mod crew;
mod division;
mod rounds;
#[cfg(test)]
mod tests;

use super::Network;
use super::part::{Mailbox, NodeSlot, Part, PipeSlot};
use crate::time::Time;
use division::Graph;

/// How many threads a run may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// The one that calls.
    #[default]
    One,
    /// Divided among so many from the beginning, if there are as many nodes. While they have little to do at the same time, one
    /// thread does it all; the division stays.
    Exactly(usize),
    /// At most so many, and only where and while that pays: a run that many events happen in while a frame crosses from one
    /// part to another, and that nobody observes, because telling of everything in order is one thread's work.
    UpTo(usize),
}

/// More threads than this are not used.
const THREADS_MAX: usize = 64;

/// How many events happen before a run is looked at for the first time: a few milliseconds of real time.
const FIRST_LOOK: u64 = 30_000;

/// How many times as many events have happened when it is looked at again.
const LOOKS_APART: u64 = 4;

/// Three centuries: from then on times may add up to more than there are, and everything is carried out in order.
const LATE: Time = Time::from_nanos(u64::MAX / 2);

/// What is kept for the parts of a network together.
#[derive(Debug)]
pub(super) struct Parallel {
    threads: Threads,
    /// The least time from an event in one part to what follows from it in another, in nanoseconds, by part and part;
    /// `u64::MAX` if nothing does. Empty: to be worked out.
    distances: Vec<u64>,
    /// How many buffers each part has had from another, and has not given back: by who has them, then by whose they were.
    owed: Vec<usize>,
    /// After how many events to look whether a division would pay.
    look_at: u64,
    /// Whether rounds are carried out by several threads just now.
    uses_threads: bool,
    /// How often all parts have met.
    meetings: u64,
    pace: rounds::Pace,
    /// How near to the greatest number of events everything is carried out in order.
    nearly_too_many: u64,
    /// How many events lie behind the one that ended the run, and do not count.
    ahead: u64,
}

impl Default for Parallel {
    fn default() -> Self {
        Self {
            threads: Threads::One,
            distances: Vec::new(),
            owed: Vec::new(),
            look_at: FIRST_LOOK,
            uses_threads: true,
            meetings: 0,
            pace: rounds::Pace::default(),
            nearly_too_many: rounds::NEARLY_TOO_MANY,
            ahead: 0,
        }
    }
}

impl Parallel {
    /// Delays have changed, or links.
    pub(super) fn forget_distances(&mut self) {
        self.distances.clear();
    }

    /// How many events lie behind the one that ended the run, and do not count.
    pub(super) fn ahead(&self) -> u64 {
        self.ahead
    }
}

impl Network {
    /// Says how many threads the run may have. What comes of it does not depend on that; programs in Rust that share
    /// something behind the network's back would see a difference.
    ///
    /// [`Threads::Exactly`] counts from the beginning of the run, so that it must be said before; and once a network has
    /// been divided it stays so.
    pub fn set_threads(&mut self, threads: Threads) {
        self.parallel.threads = threads;
    }

    /// In how many parts the network runs at the moment: one until it has been divided.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// How often all parts have met so far, and whether they were carried out by several threads of late.
    #[must_use]
    pub fn meetings(&self) -> (u64, bool) {
        (self.parallel.meetings, self.parallel.uses_threads)
    }

    /// The run begins.
    pub(super) fn begin_parallel(&mut self) {
        if let Threads::Exactly(threads) = self.parallel.threads {
            let graph = Graph::of(self);
            let division = graph.divide(threads.min(THREADS_MAX));
            if let Some(division) = division {
                self.divide(&division.part_of, division.parts);
            }
        }
    }

    /// How many events may happen before it is time to look whether a division pays.
    pub(super) fn events_until_look(&self) -> u64 {
        let may_divide = matches!(self.parallel.threads, Threads::UpTo(2..)) && self.observers.is_empty();
        if may_divide { self.parallel.look_at.saturating_sub(self.events()) } else { u64::MAX }
    }

    /// Divides the network if that pays. Whether it did.
    pub(super) fn look_at_division(&mut self) -> bool {
        let Threads::UpTo(threads) = self.parallel.threads else { return false };
        self.parallel.look_at = self.events().saturating_mul(LOOKS_APART).max(FIRST_LOOK);
        let graph = Graph::of(self);
        let division = (2..=threads.min(THREADS_MAX)).rev().find_map(|parts| graph.divide(parts).filter(|it| it.pays));
        let Some(division) = division else { return false };
        self.divide(&division.part_of, division.parts);
        true
    }

    /// Divides the one part into several: which each node is in, by its id.
    fn divide(&mut self, part_of: &[u32], parts: usize) {
        let Part { now, nodes, pipes, agenda, outbox, events, events_max, misdeeds_count, .. } =
            *self.parts.swap_remove(0);
        let is_observed = outbox.is_observed();
        let mut idle = outbox.pool;
        let idle_each = idle.idle_count() / parts;
        for index in 0..parts {
            let mut part = Box::new(Part::new(is_observed));
            part.now = now;
            (part.events, part.events_max) = (if index == 0 { events } else { 0 }, events_max);
            part.misdeeds_count = if index == 0 { misdeeds_count } else { 0 };
            part.stops_at_misdeeds = self.stops_at_misdeeds;
            part.mail.resize_with(parts, Mailbox::default);
            part.ahead = Some(Vec::new());
            idle.move_to(&mut part.outbox.pool, idle_each);
            self.parts.push(part);
        }
        self.parallel.owed = vec![0; parts * parts];
        for (node, slot) in nodes.into_iter().enumerate() {
            let NodeSlot { id, .. } = slot;
            let part = part_of[node];
            let index = self.parts[part as usize].add_node(slot);
            self.node_seats[id.0 as usize] = super::Seat { part, index };
        }
        // Wake-ups stay as they are, stale ones included; arrivals are planned anew by the pipes.
        for mut entry in agenda.into_entries().filter(|entry| entry.class == super::agenda::Class::Wake) {
            let seat = self.node_seats[entry.node.0 as usize];
            entry.node = crate::id::NodeId(seat.index);
            self.parts[seat.part as usize].agenda.push(entry);
        }
        for PipeSlot { pipe, .. } in pipes {
            let id = pipe.id();
            self.add_pipe(pipe);
            self.schedule_pipe(id);
        }
    }

    /// Brings what parts have sent each other to whom it is for, and as many buffers back as are idle there.
    pub(super) fn deliver_mail(&mut self) {
        let count = self.parts.len();
        if count == 1 {
            return;
        }
        for from in 0..count {
            for to in 0..count {
                if self.parts[from].mail.get(to).is_none_or(|mailbox| mailbox.frames.is_empty()) {
                    continue;
                }
                let [sender, receiver] = self.parts.get_disjoint_mut([from, to]).expect("nobody writes to themselves");
                let blank = receiver.blank.pop().unwrap_or_default();
                let mailbox = std::mem::replace(&mut sender.mail[to], blank);
                self.parallel.owed[to * count + from] += mailbox.frames.len();
                receiver.inbox.push(mailbox);
            }
        }
        // Where more goes there than comes back, one would run dry of buffers and the other heap them up.
        for debtor in 0..count {
            for creditor in 0..count {
                let there = self.parallel.owed[debtor * count + creditor];
                let back = self.parallel.owed[creditor * count + debtor];
                if there > back {
                    let [from, to] = self.parts.get_disjoint_mut([debtor, creditor]).expect("nobody owes themselves");
                    let paid = from.outbox.pool.move_to(&mut to.outbox.pool, there - back);
                    self.parallel.owed[debtor * count + creditor] = there - back - paid;
                    self.parallel.owed[creditor * count + debtor] = 0;
                }
            }
        }
    }

    /// Works out how long it takes at least from one part to another, if that has changed.
    fn measure_distances(&mut self) {
        let count = self.parts.len();
        if self.parallel.distances.len() == count * count {
            return;
        }
        let mut distances = vec![u64::MAX; count * count];
        for (from, part) in self.parts.iter().enumerate() {
            for slot in &part.pipes {
                if let Some(crossing) = slot.crossing {
                    let distance = &mut distances[from * count + crossing.part as usize];
                    let delay = u64::try_from(slot.pipe.spec().delay.as_nanos()).unwrap_or(u64::MAX);
                    *distance = delay.min(*distance);
                }
            }
        }
        // By way of others, and from a part back to itself.
        for by in 0..count {
            for from in 0..count {
                for to in 0..count {
                    let detour = distances[from * count + by].saturating_add(distances[by * count + to]);
                    let distance = &mut distances[from * count + to];
                    *distance = detour.min(*distance);
                }
            }
        }
        self.parallel.distances = distances;
    }

    /// Until when a part may run while every part has its next event at the time given, or none.
    fn horizon(&self, part: usize, nexts: &[Option<Time>]) -> Time {
        let count = self.parts.len();
        let reached = nexts.iter().enumerate().filter_map(|(from, next)| {
            let distance = self.parallel.distances[from * count + part];
            // At that time a frame may arrive, and come before what else happens then.
            next.map(|next| next.as_nanos().saturating_add(distance - 1))
        });
        Time::from_nanos(reached.min().unwrap_or(u64::MAX).min(LATE.as_nanos()))
    }
}
