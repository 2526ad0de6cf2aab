//! Virtual time from the wall.
//!
//! The clock is `CLOCK_MONOTONIC`, which stands while the machine is suspended, rather than `CLOCK_BOOTTIME`, which does
//! not. The other side of the device is this machine's kernel, whose own TCP timers stand too: with the same clock both
//! sides wake up at the same moment of the session, and the simulation need not catch up with a night in a burst.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use rustix::thread::set_current_timer_slack;
use rustix::time::{ClockId, clock_gettime};

use crate::time::Time;

/// A speed is counted in millionths.
const MILLION: u64 = 1_000_000;

/// How fast virtual time passes: 1 is as on the wall, 0.1 a tenth of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    millionths: NonZeroU64,
}

/// Why a speed could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a speed: a number from 0.001 to 1000, such as 0.1 for a tenth of real time")]
pub struct SpeedError(String);

impl Default for Speed {
    /// As on the wall.
    fn default() -> Self {
        Self { millionths: NonZeroU64::new(MILLION).expect("a million is not zero") }
    }
}

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        let speed: f64 = text.trim().trim_end_matches('x').parse().map_err(|_| SpeedError(text.to_owned()))?;
        let is_usable = (0.001..=1000.0).contains(&speed);
        let millionths = is_usable.then(|| NonZeroU64::new((speed * MILLION as f64) as u64)).flatten();
        millionths.map(|millionths| Self { millionths }).ok_or_else(|| SpeedError(text.to_owned()))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.millionths.get() as f64 / MILLION as f64)
    }
}

impl Speed {
    /// How much virtual time passes meanwhile.
    fn virtual_of(self, real: Duration) -> Duration {
        let nanoseconds = real.as_nanos() * u128::from(self.millionths.get()) / u128::from(MILLION);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// How long that takes on the wall, rounded up: who sleeps that long does not wake too early.
    fn real_of(self, span: Duration) -> Duration {
        let nanoseconds = (span.as_nanos() * u128::from(MILLION)).div_ceil(u128::from(self.millionths.get()));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// Tells virtual time while a session goes on.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// What the monotonic clock showed in the beginning.
    started: Duration,
    /// What virtual time it was then.
    from: Time,
    speed: Speed,
}

impl Clock {
    /// A clock that shows `from` now.
    #[must_use]
    pub fn starting_at(from: Time, speed: Speed) -> Self {
        // A sleeping thread is woken 50 us late by default, for the sake of batteries; a link's delay is less than that.
        // A kernel that refuses only makes the session less exact.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
        Self { started: monotonic(), from, speed }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Time {
        self.from + self.speed.virtual_of(monotonic().saturating_sub(self.started))
    }

    /// How long it takes on the wall until virtual time is `then`; zero if it is past.
    #[must_use]
    pub fn real_until(&self, then: Time) -> Duration {
        self.speed.real_of(then.since(self.now()))
    }

    /// How long virtual time `span` takes on the wall.
    #[must_use]
    pub fn real_of(&self, span: Duration) -> Duration {
        self.speed.real_of(span)
    }
}

/// What the monotonic clock shows.
pub(super) fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_within_reason() {
        for (text, printed) in [("1", "1"), ("0.1", "0.1"), ("20x", "20"), (" 0.001", "0.001")] {
            assert_eq!(text.parse::<Speed>().map(|speed| speed.to_string()), Ok(printed.to_owned()));
        }
        for text in ["", "0", "-1", "fast", "NaN", "inf", "0.0001", "1001"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }

    #[test]
    fn at_a_tenth_of_the_speed_a_second_takes_ten() {
        let tenth: Speed = "0.1".parse().unwrap();
        assert_eq!(tenth.virtual_of(Duration::from_secs(10)), Duration::from_secs(1));
        assert_eq!(tenth.real_of(Duration::from_secs(1)), Duration::from_secs(10));
        // 584 years do not overflow.
        assert!(tenth.real_of(Duration::from_nanos(u64::MAX)) >= Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn who_sleeps_until_a_time_does_not_wake_before_it() {
        let odd: Speed = "0.7".parse().unwrap();
        for nanoseconds in 0..1000 {
            let span = Duration::from_nanos(nanoseconds);
            assert!(odd.virtual_of(odd.real_of(span)) >= span, "{span:?}");
        }
    }

    #[test]
    fn the_clock_begins_where_it_is_told_and_never_goes_back() {
        let clock = Clock::starting_at(Time::from_secs(7), Speed::default());
        let mut last = Time::from_secs(7);
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
