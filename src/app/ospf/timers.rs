//! What is due when. Each thing that can be due is due at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::time::Time;
use crate::wire::ospf::lsa::LsaKey;

/// Something that can be due. At one instant, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A neighbor has been silent for too long.
    Inactivity(u16, Ipv4Addr),
    /// An interface has waited long enough for a designated router to be heard.
    Wait(u16),
    /// An advertisement reaches its greatest age, or is to be told anew.
    Age(LsaKey),
    /// An advertisement of the router's own may be changed again.
    Originate(LsaKey),
    /// Acknowledgments have waited for company.
    Acknowledge(u16),
    /// A description of the database has not been answered.
    Describe(u16, Ipv4Addr),
    /// What was requested has not come.
    Request(u16, Ipv4Addr),
    /// What was told has not been acknowledged.
    Retell(u16, Ipv4Addr),
    /// A hello is due.
    Hello(u16),
    /// Paths are to be found.
    Spf,
    /// Changes have gone on for so long that they are many.
    SpfLearn,
    /// Nothing has changed for a while.
    SpfHold,
}

/// All that is due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<Timer, Time>,
    queue: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Has something due at a time, and no longer when it was due before.
    pub(super) fn set(&mut self, timer: Timer, at: Time) {
        self.stop(timer);
        self.at.insert(timer, at);
        self.queue.insert((at, timer));
    }

    /// The same, unless it is due already.
    pub(super) fn set_once(&mut self, timer: Timer, at: Time) {
        if !self.is_set(timer) {
            self.set(timer, at);
        }
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    /// When something is due.
    pub(super) fn of(&self, timer: Timer) -> Option<Time> {
        self.at.get(&timer).copied()
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes what is due, earliest first.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        (at <= now).then(|| {
            self.stop(timer);
            timer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_again_is_due_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Spf, Time::from_secs(1));
        timers.set(Timer::Hello(3), Time::from_secs(1));
        timers.set(Timer::Spf, Time::from_secs(2));
        timers.set_once(Timer::Spf, Time::from_secs(9));
        assert_eq!(timers.pop_due(Time::from_secs(5)), Some(Timer::Hello(3)));
        assert_eq!(timers.pop_due(Time::from_secs(5)), Some(Timer::Spf));
        assert_eq!((timers.pop_due(Time::MAX), timers.next_at()), (None, None));
    }
}
