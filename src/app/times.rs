//! Times that were measured: what `ping` makes of them, and how they are printed.
//!
//! All in whole nanoseconds, so that the figures are the same on every machine.

use std::time::Duration;

/// The least, the greatest, the mean and the deviation of what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    count: u64,
    sum: u128,
    /// Of squares: 10¹³ measurements of an hour fit.
    sum_squares: u128,
    min: u64,
    max: u64,
}

impl Times {
    /// Takes a measurement in.
    pub(super) fn add(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.min = if self.count == 0 { nanoseconds } else { self.min.min(nanoseconds) };
        self.max = self.max.max(nanoseconds);
        self.count += 1;
        self.sum += u128::from(nanoseconds);
        self.sum_squares = self.sum_squares.saturating_add(u128::from(nanoseconds) * u128::from(nanoseconds));
    }

    /// The least; zero if there is none.
    pub(super) fn min(&self) -> Duration {
        Duration::from_nanos(self.min)
    }

    /// The greatest; zero if there is none.
    pub(super) fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The mean, rounded down; zero if there is none.
    pub(super) fn avg(&self) -> Duration {
        whole(self.sum / u128::from(self.count.max(1)))
    }

    /// What `ping` calls `mdev`: the standard deviation of all of them, rounded down.
    pub(super) fn mdev(&self) -> Duration {
        let count = u128::from(self.count.max(1));
        // Like ping's, the mean of the squares less the square of the mean, in the order that rounds least.
        let square_of_sum = self.sum.saturating_mul(self.sum);
        let variance = self.sum_squares.saturating_sub(square_of_sum / count) / count;
        whole(variance.isqrt())
    }

    /// Whether anything was measured.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `rtt min/avg/max/mdev = 20.044/20.059/20.071/0.010 ms`, as `ping` ends with.
    pub(super) fn line(&self) -> String {
        let [min, avg, max, mdev] = [self.min(), self.avg(), self.max(), self.mdev()].map(three_decimals);
        format!("rtt min/avg/max/mdev = {min}/{avg}/{max}/{mdev} ms")
    }
}

/// Milliseconds with three decimals, rounded down: `20.044`.
pub(super) fn three_decimals(time: Duration) -> String {
    let microseconds = time.as_micros();
    format!("{}.{:03}", microseconds / 1_000, microseconds % 1_000)
}

/// Milliseconds as each line of `ping` shows them, with fewer decimals the longer: `0.044`, `1.04`, `20.1`, `300`.
pub(super) fn about_three_digits(time: Duration) -> String {
    // The thresholds and roundings are those of iputils' gather_statistics: to the last decimal that is shown.
    let microseconds = time.as_micros();
    match microseconds {
        0..1_000 => three_decimals(time),
        1_000..9_995 => {
            let hundredths = (microseconds + 5) / 10;
            format!("{}.{:02}", hundredths / 100, hundredths % 100)
        }
        9_995..99_950 => {
            let tenths = (microseconds + 50) / 100;
            format!("{}.{}", tenths / 10, tenths % 10)
        }
        _ => format!("{}", (microseconds + 500) / 1_000),
    }
}

/// `lost` of `sent` in percent, with six significant digits at most, as C's `%g` prints them: `25`, `33.3333`.
pub(super) fn percent(lost: u64, sent: u64) -> String {
    if sent == 0 {
        return "0".to_owned();
    }
    // Single precision, as ping computes it; every operation here is exact or correctly rounded, on every machine.
    let value = f64::from((lost as f64 * 100.0 / sent as f64) as f32);
    let decimals = match value {
        100.0.. => 3,
        10.0.. => 4,
        1.0.. => 5,
        0.1.. => 6,
        0.01.. => 7,
        _ => 8,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn whole(nanoseconds: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(microseconds: &[u64]) -> Times {
        let mut times = Times::default();
        for us in microseconds {
            times.add(Duration::from_micros(*us));
        }
        times
    }

    #[test]
    fn the_line_is_the_one_that_ping_prints() {
        // Mean (20 + 30 + 40) / 3 = 30 ms; deviation sqrt((100 + 0 + 100) / 3) = 8.16496… ms
        assert_eq!(of(&[20_000, 30_000, 40_000]).line(), "rtt min/avg/max/mdev = 20.000/30.000/40.000/8.164 ms");
        assert_eq!(of(&[44]).line(), "rtt min/avg/max/mdev = 0.044/0.044/0.044/0.000 ms");
    }

    #[test]
    fn equal_times_do_not_deviate() {
        let times = of(&[20_001; 1000]);
        assert_eq!((times.min(), times.avg(), times.max()), (times.avg(), times.max(), times.min()));
        assert_eq!(times.mdev(), Duration::ZERO);
    }

    #[test]
    fn nothing_measured_is_zero_and_does_not_divide_by_it() {
        let times = Times::default();
        assert!(times.is_empty());
        assert_eq!((times.min(), times.avg(), times.mdev()), (Duration::ZERO, Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn the_longest_times_do_not_overflow() {
        let mut times = Times::default();
        for _ in 0..4 {
            times.add(Duration::MAX);
        }
        assert_eq!(times.max(), Duration::from_nanos(u64::MAX));
        let _ = times.line();
    }

    #[test]
    fn each_line_shows_about_three_digits_rounded() {
        let shown = |us| about_three_digits(Duration::from_micros(us));
        assert_eq!(shown(44), "0.044");
        assert_eq!((shown(999), shown(1_000)), ("0.999".into(), "1.00".into()));
        assert_eq!((shown(9_994), shown(9_995)), ("9.99".into(), "10.0".into()));
        assert_eq!(shown(20_123), "20.1");
        assert_eq!((shown(99_949), shown(99_950)), ("99.9".into(), "100".into()));
        assert_eq!(shown(300_499), "300");
    }

    #[test]
    fn loss_is_printed_with_six_digits() {
        assert_eq!(percent(0, 4), "0");
        assert_eq!(percent(1, 4), "25");
        assert_eq!(percent(1, 3), "33.3333");
        assert_eq!(percent(2, 3), "66.6667");
        assert_eq!(percent(4, 4), "100");
        assert_eq!(percent(1, 300), "0.333333");
        assert_eq!(percent(1, 9), "11.1111");
        assert_eq!(percent(1, 65_535), "0.0015259");
        assert_eq!(percent(0, 0), "0");
    }
}
