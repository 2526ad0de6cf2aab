//! How many ICMP errors a machine sends: a token bucket (RFC 1812 §4.3.2.8).
//!
//! RFC 1812 §4.3.2.8 asks for it because a flood of packets that cannot go on must not become a flood of complaints. The
//! bucket is kept as the one time at which it will be full again (the "generic cell rate algorithm"), so it costs one
//! number and counts without rounding. What is withheld is counted: `icmp.errors_limited`.

use std::time::Duration;

use super::ipv4_settings::IcmpLimit;
use crate::time::Time;

/// What a machine may still say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ErrorBudget {
    /// When the bucket will be full, if nothing more is taken.
    full_at: Time,
}

impl ErrorBudget {
    /// Takes one token, if there is one.
    pub(super) fn take(&mut self, limit: IcmpLimit, now: Time) -> bool {
        let each = Duration::from_secs(1) / limit.per_second.max(1);
        let whole = each * limit.burst.max(1);
        let full_at = self.full_at.max(now) + each;
        let has_token = full_at <= now + whole;
        if has_token {
            self.full_at = full_at;
        }
        has_token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: IcmpLimit = IcmpLimit { per_second: 10, burst: 3 };

    fn taken(budget: &mut ErrorBudget, now: Time) -> usize {
        (0..100).filter(|_| budget.take(LIMIT, now)).count()
    }

    #[test]
    fn a_full_bucket_holds_its_burst_and_no_more() {
        let mut budget = ErrorBudget::default();
        assert_eq!(taken(&mut budget, Time::ZERO), 3);
        // However long the quiet time was.
        assert_eq!(taken(&mut budget, Time::from_secs(3600)), 3);
    }

    #[test]
    fn a_token_comes_back_after_its_share_of_a_second_and_not_before() {
        let mut budget = ErrorBudget::default();
        taken(&mut budget, Time::ZERO);
        assert_eq!(taken(&mut budget, Time::from_nanos(99_999_999)), 0);
        assert_eq!(taken(&mut budget, Time::from_millis(100)), 1);
        // Half-grown tokens are kept: 100 ms to 350 ms are two and a half.
        assert_eq!(taken(&mut budget, Time::from_millis(350)), 2);
        assert_eq!(taken(&mut budget, Time::from_millis(400)), 1);
    }

    #[test]
    fn at_the_end_of_time_nothing_overflows() {
        let mut budget = ErrorBudget::default();
        let most = IcmpLimit { per_second: u32::MAX, burst: u32::MAX };
        assert!(budget.take(most, Time::MAX) && budget.take(IcmpLimit { per_second: 0, burst: 0 }, Time::MAX));
    }
}
