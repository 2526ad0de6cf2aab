//! What is due when, earliest first.

use std::collections::BTreeSet;

use super::arena::Key;
use crate::time::Time;

/// Whose timer it is. At one instant connections come before sleepers, and each kind by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Connection(Key),
    Sleeper(Key),
}

/// Every timer of a stack. Each owner has at most one and remembers for when it is set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Moves a timer from where it was (`None`: it was not set) to where it shall be (`None`: unset).
    pub(crate) fn arm(&mut self, timer: Timer, from: Option<Time>, to: Option<Time>) {
        if from == to {
            return;
        }
        if let Some(at) = from {
            self.queue.remove(&(at, timer));
        }
        if let Some(at) = to {
            self.queue.insert((at, timer));
        }
    }

    /// Takes the earliest timer if it is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        (at <= now).then(|| {
            self.queue.pop_first();
            timer
        })
    }

    /// When the earliest is due.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Unsets all.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::arena::Arena;
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_a_moved_timer_comes_once() {
        let mut keys = Arena::default();
        let (first, second) = (Timer::Sleeper(keys.insert(())), Timer::Connection(keys.insert(())));
        let mut timers = Timers::default();
        timers.arm(first, None, Some(Time::from_secs(1)));
        timers.arm(second, None, Some(Time::from_secs(3)));
        timers.arm(first, Some(Time::from_secs(1)), Some(Time::from_secs(3)));
        assert_eq!(timers.pop_due(Time::from_secs(2)), None);
        assert_eq!(timers.next_at(), Some(Time::from_secs(3)));
        // Of one instant: connections first.
        assert_eq!(timers.pop_due(Time::from_secs(3)), Some(second));
        assert_eq!(timers.pop_due(Time::from_secs(3)), Some(first));
        assert_eq!(timers.next_at(), None);
    }
}
