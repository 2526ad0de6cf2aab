//! The threads that parts run on.
//!
//! A part is handed to its thread and back: whoever has it owns it, so that nothing is shared and nothing can be seen half
//! done. The caller's own thread takes a share of the work. Who waits looks again for a few microseconds, then lets others
//! have the processor between two looks, then sleeps: a machine with more to do than processors is not kept busy by waiting.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use crate::network::part::{Halt, Part};
use crate::time::Time;

/// How often who waits looks, a few microseconds long, before letting others have the processor in between.
const LOOKS: u32 = 300;

/// How often who waits looks with others having the processor in between, before going to sleep.
const POLITE_LOOKS: u32 = 30;

/// What one part is to do until all meet again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg {
    /// Which part.
    pub(super) part: usize,
    /// Until when.
    pub(super) until: Time,
    /// How many events at most.
    pub(super) events: u64,
}

/// How it went: perhaps the part cannot go on; perhaps something in it panicked.
pub(super) type Outcome = Result<Result<(), Halt>, Box<dyn Any + Send>>;

/// A part on its way to its thread, with what it is to do.
struct Job {
    part: Box<Part>,
    leg: Leg,
}

/// A part on its way back.
struct Done {
    part: Box<Part>,
    outcome: Outcome,
}

/// A thread, and what stands in for its part while it has it.
struct Desk {
    jobs: SyncSender<Job>,
    done: Receiver<Done>,
    stand_in: Option<Box<Part>>,
}

/// A thread for every part but the first, made when it is first needed. They end with the scope.
pub(super) struct Crew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    desks: Vec<Option<Desk>>,
}

impl<'scope, 'env> Crew<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>) -> Self {
        Self { scope, desks: Vec::new() }
    }

    /// Has every part go its leg, at the same time; what became of each is put into `outcomes`, in the order of `legs`.
    ///
    /// Afterwards all parts are back in their places, whatever has happened.
    pub(super) fn go(&mut self, parts: &mut [Box<Part>], legs: &[Leg], outcomes: &mut Vec<Outcome>) {
        let Some((own, others)) = legs.split_first() else { return };
        for leg in others {
            let desk = self.desk(leg.part);
            let stand_in = desk.stand_in.take().unwrap_or_else(|| Box::new(Part::new(false)));
            let part = std::mem::replace(&mut parts[leg.part], stand_in);
            desk.jobs.send(Job { part, leg: *leg }).expect("a thread waits for jobs until the crew is gone");
        }
        outcomes.push(go(&mut parts[own.part], own));
        for leg in others {
            let desk = self.desk(leg.part);
            let Done { part, outcome } = look(&desk.done).expect("a thread gives back every part, come what may");
            desk.stand_in = Some(std::mem::replace(&mut parts[leg.part], part));
            outcomes.push(outcome);
        }
    }

    fn desk(&mut self, part: usize) -> &mut Desk {
        if self.desks.len() <= part {
            self.desks.resize_with(part + 1, || None);
        }
        let scope = self.scope;
        self.desks[part].get_or_insert_with(|| {
            let (jobs, todo) = sync_channel::<Job>(1);
            let (finished, done) = sync_channel(1);
            scope.spawn(move || {
                while let Some(Job { mut part, leg }) = look(&todo) {
                    let outcome = go(&mut part, &leg);
                    if finished.send(Done { part, outcome }).is_err() {
                        return;
                    }
                }
            });
            Desk { jobs, done, stand_in: None }
        })
    }
}

/// Goes one leg on this thread.
pub(super) fn go(part: &mut Part, leg: &Leg) -> Outcome {
    // A panic is passed on to who called the network, once every part is back: nothing is looked at before.
    catch_unwind(AssertUnwindSafe(|| part.run_ahead(leg.until, leg.events)))
}

/// Waits for the next thing; `None` if there will be none.
fn look<T>(from: &Receiver<T>) -> Option<T> {
    for look in 0..LOOKS + POLITE_LOOKS {
        if let Ok(thing) = from.try_recv() {
            return Some(thing);
        }
        if look < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
    }
    from.recv().ok()
}
