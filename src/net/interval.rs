//! Things that happen again and again, in virtual time.

use std::time::Duration;

use super::context::Net;
use crate::time::Time;

/// What a tick does that comes when others are overdue.
///
/// ```text
///  due       1   2   3   4   5   6          the program is busy from 1.2 to 3.5
///  Burst     1        ---3.5 3.5 4   5   6     all come, the late ones at once
///  Delay     1        ---3.5     4.5   5.5     the beat begins anew
///  Skip      1        ---3.5 4   5   6         those that were missed are left out
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTicks {
    /// All come, those that are late at once.
    #[default]
    Burst,
    /// The beat begins anew with the late one.
    Delay,
    /// The late one comes, and the beat goes on as it was; what lies between is left out.
    Skip,
}

/// Ticks; made by [`Net::interval`].
#[derive(Debug)]
pub struct Interval {
    net: Net,
    period: Duration,
    next: Time,
    missed: MissedTicks,
}

impl Net {
    /// Ticks now, and then after each `period`, which is at least 1 ns.
    pub fn interval(&self, period: Duration) -> Interval {
        self.interval_at(self.now(), period)
    }

    /// Ticks at `start`, and then after each `period`, which is at least 1 ns.
    pub fn interval_at(&self, start: Time, period: Duration) -> Interval {
        let period = period.max(Duration::from_nanos(1));
        Interval { net: self.clone(), period, next: start, missed: MissedTicks::default() }
    }
}

impl Interval {
    /// What is to become of ticks that the program was too busy for.
    pub fn set_missed_ticks(&mut self, missed: MissedTicks) {
        self.missed = missed;
    }

    /// How long from tick to tick.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick: when it was due. Giving up waiting loses none.
    pub async fn tick(&mut self) -> Time {
        let due = self.next;
        self.net.sleep_until(due).await;
        let now = self.net.now();
        self.next = match self.missed {
            MissedTicks::Burst => due + self.period,
            MissedTicks::Delay => now + self.period,
            MissedTicks::Skip => {
                let missed = now.since(due).as_nanos() / self.period.as_nanos();
                let skipped = (missed + 1).saturating_mul(self.period.as_nanos());
                due + Duration::from_nanos(u64::try_from(skipped).unwrap_or(u64::MAX))
            }
        };
        due
    }

    /// Begins the beat anew: the next tick comes a period from now.
    pub fn reset(&mut self) {
        self.next = self.net.now() + self.period;
    }
}
