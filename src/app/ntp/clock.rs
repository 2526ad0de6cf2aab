//! A clock that is wrong: ahead or behind, too fast or too slow, and can be set.

use crate::app::calendar::RUN_BEGINS_UNIX_SECONDS;
use crate::time::Time;
use crate::wire::ntp::NtpTimestamp;

/// When runs begin, 2026-01-01 00:00:00 UTC, in NTP's seconds since 1900.
pub(super) const EPOCH: u32 = (SECONDS_TO_1970 + RUN_BEGINS_UNIX_SECONDS) as u32;

/// From 1900 to 1970 (RFC 5905 figure 4).
const SECONDS_TO_1970: u64 = 2_208_988_800;

/// How much faster or slower a clock goes while it is slewed, in parts per thousand million: what `adjtime` does.
const SLEW_PPB: i128 = 500_000;

const BILLION: i128 = 1_000_000_000;

/// A machine's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clock {
    /// What it showed at `since`, in nanoseconds from the epoch.
    shown: i128,
    since: Time,
    /// How much too fast it goes, in parts per thousand million.
    drift_ppb: i128,
    /// What of a correction has not been made yet.
    slew: i128,
}

impl Clock {
    /// A clock that is ahead by `offset` nanoseconds when the run begins.
    pub(super) fn new(offset: i64, drift_ppb: i64) -> Self {
        Self { shown: offset.into(), since: Time::ZERO, drift_ppb: drift_ppb.into(), slew: 0 }
    }

    /// What it shows at `now`, in nanoseconds from the epoch.
    pub(super) fn read(&self, now: Time) -> i128 {
        let passed = i128::from(now.as_nanos()) - i128::from(self.since.as_nanos());
        self.shown + passed + passed * self.drift_ppb / BILLION + self.slewed(passed)
    }

    /// The same as a timestamp.
    pub(super) fn timestamp(&self, now: Time) -> NtpTimestamp {
        NtpTimestamp::after(EPOCH, self.read(now))
    }

    /// How wrong it is, in nanoseconds; positive if it is ahead. No real machine knows this.
    pub(super) fn error(&self, now: Time) -> i128 {
        self.read(now) - i128::from(now.as_nanos())
    }

    /// Sets it forward or back at once.
    pub(super) fn step(&mut self, by: i64, now: Time) {
        self.settle(now);
        self.shown += i128::from(by);
        self.slew = 0;
    }

    /// Has it go faster or slower until it has made up for `by`.
    pub(super) fn slew(&mut self, by: i64, now: Time) {
        self.settle(now);
        self.slew = by.into();
    }

    fn settle(&mut self, now: Time) {
        let passed = i128::from(now.as_nanos()) - i128::from(self.since.as_nanos());
        (self.shown, self.slew) = (self.read(now), self.slew - self.slewed(passed));
        self.since = now;
    }

    fn slewed(&self, passed: i128) -> i128 {
        let most = passed * SLEW_PPB / BILLION;
        self.slew.clamp(-most, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_by_its_offset_and_by_more_as_it_drifts() {
        let clock = Clock::new(-3_000_000_000, 50_000);
        assert_eq!(clock.error(Time::ZERO), -3_000_000_000);
        // 50 ppm of 100 s are 5 ms.
        assert_eq!(clock.error(Time::from_secs(100)), -3_000_000_000 + 5_000_000);
    }

    #[test]
    fn a_step_is_at_once_and_a_slew_takes_its_time_and_never_goes_back() {
        let mut clock = Clock::new(1_000_000, 0);
        clock.slew(-1_000_000, Time::ZERO);
        // 500 ppm: 1 ms takes 2 s.
        assert_eq!(clock.error(Time::from_secs(1)), 500_000);
        assert_eq!(clock.error(Time::from_secs(2)), 0);
        assert_eq!(clock.error(Time::from_secs(9)), 0);
        assert!(clock.read(Time::from_millis(1)) > clock.read(Time::ZERO));
        clock.step(7, Time::from_secs(9));
        assert_eq!(clock.error(Time::from_secs(9)), 7);
    }

    #[test]
    fn a_slew_that_is_cut_short_leaves_what_was_done() {
        let mut clock = Clock::new(0, 0);
        clock.slew(1_000_000, Time::ZERO);
        clock.slew(0, Time::from_secs(1));
        assert_eq!(clock.error(Time::from_secs(5)), 500_000);
    }

    #[test]
    fn the_epoch_is_new_year() {
        // From 1900 to 1970 there are 17 leap years, from 1970 to 2026 there are 14.
        let days = 70 * 365 + 17 + 56 * 365 + 14;
        assert_eq!(u64::from(EPOCH), days * 86_400);
    }
}
