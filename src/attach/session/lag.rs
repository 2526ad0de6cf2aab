//! How far a session is behind the clock.

use std::time::Duration;

use crate::time::Time;

/// Being later than this is worth a warning: a person would feel it.
const WARN_BEYOND: Duration = Duration::from_millis(50);

/// How often.
const WARN_EVERY: Duration = Duration::from_secs(5);

/// How late the simulation is, and was at worst.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// How late what was due most urgently was, the last time.
    pub(super) now: Duration,
    /// The most.
    pub(super) max: Duration,
    /// How many rounds were late enough for a warning.
    pub(super) late_rounds: u64,
    /// The most since the last warning.
    recent: Duration,
    warned_at: Option<Duration>,
}

impl Lag {
    /// Looks at what is due: how late it is.
    pub(super) fn measure(&mut self, due: Option<Time>, now: Time) -> Duration {
        self.now = due.map_or(Duration::ZERO, |due| now.since(due));
        self.max = self.max.max(self.now);
        self.recent = self.recent.max(self.now);
        self.late_rounds += u64::from(self.now > WARN_BEYOND);
        self.now
    }

    /// What to tell, if it is worth telling now; `clock` is that on the wall.
    pub(super) fn warning(&mut self, clock: Duration) -> Option<String> {
        let is_time = self.warned_at.is_none_or(|at| clock.saturating_sub(at) >= WARN_EVERY);
        if self.recent <= WARN_BEYOND || !is_time {
            return None;
        }
        self.warned_at = Some(clock);
        let late = std::mem::take(&mut self.recent);
        Some(format!(
            "the simulation was {} ms behind the clock: packets came late, but in order (`--speed 0.5` gives it more time)",
            late.as_millis()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_told_now_and_then() {
        let mut lag = Lag::default();
        assert_eq!(lag.measure(Some(Time::from_millis(10)), Time::from_millis(60)), Duration::from_millis(50));
        assert_eq!(lag.warning(Duration::from_secs(1)), None, "50 ms are not beyond 50 ms");
        lag.measure(Some(Time::from_millis(10)), Time::from_millis(61));
        assert!(lag.warning(Duration::from_secs(1)).is_some_and(|text| text.contains("51 ms")));
        lag.measure(Some(Time::from_millis(10)), Time::from_millis(100));
        assert_eq!(lag.warning(Duration::from_secs(5)), None, "not again so soon");
        assert!(lag.warning(Duration::from_secs(6)).is_some_and(|text| text.contains("90 ms")));
        lag.measure(Some(Time::from_millis(200)), Time::from_millis(100));
        assert_eq!((lag.now, lag.max, lag.late_rounds), (Duration::ZERO, Duration::from_millis(90), 2));
    }
}
