//! A timer of the spanning tree: off, running down, or held at its full length.
//!
//! The standard counts in ticks of a second and sets some timers anew at each tick, so that they never run down while a
//! port has a certain role (`fdWhile` of an alternate port, `rrWhile` of the root port). Here such a timer is *held*; it
//! begins to run when it is released. Nothing else needs a tick.

use std::time::Duration;

use crate::time::Time;

/// One of a port's timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// It would run this long, but is set again and again.
    Held(Duration),
    /// Zero.
    Off,
    /// It runs, until then.
    Until(Time),
}

impl Timer {
    pub(super) fn start(now: Time, duration: Duration) -> Self {
        Self::Until(now + duration)
    }

    /// Whether it is other than zero.
    pub(super) fn is_running(self, now: Time) -> bool {
        match self {
            Self::Held(_) => true,
            Self::Off => false,
            Self::Until(at) => at > now,
        }
    }

    /// Holds it at `duration`; whether it was not held so before.
    pub(super) fn hold(&mut self, duration: Duration) -> bool {
        std::mem::replace(self, Self::Held(duration)) != Self::Held(duration)
    }

    /// Lets it run, if it was held.
    pub(super) fn release(&mut self, now: Time) {
        if let Self::Held(duration) = *self {
            *self = Self::start(now, duration);
        }
    }

    /// When it runs out, if it runs.
    pub(super) fn ends_at(self) -> Option<Time> {
        match self {
            Self::Until(at) => Some(at),
            Self::Held(_) | Self::Off => None,
        }
    }
}
