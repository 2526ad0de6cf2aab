//! What a session has to tell: counts, and the first of each kind of trouble.

use std::fmt;
use std::time::Duration;

use super::lag::Lag;
use crate::attach::device::Refused;
use crate::time::Time;

/// How a session goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Virtual time.
    pub at: Time,
    /// Packets from the kernels.
    pub entered: u64,
    /// Packets to the kernels.
    pub left: u64,
    /// Packets that a kernel did not take.
    pub refused: u64,
    /// Frames and packets that were dropped inside the network.
    pub dropped: u64,
    /// How late the simulation is.
    pub lag: Duration,
    /// How late it was at worst.
    pub lag_max: Duration,
    /// How often it was so late that a person would feel it.
    pub late_rounds: u64,
}

impl fmt::Display for Status {
    /// One line: `12.345 s, 10 in, 9 out, 1 dropped, lag 0.1 ms (at most 0.3 ms)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |span: Duration| span.as_micros() / 100;
        let (lag, max) = (milliseconds(self.lag), milliseconds(self.lag_max));
        let whole = Time::from_millis(self.at.as_nanos() / 1_000_000);
        write!(f, "{whole} s, {} in, {} out, {} dropped", self.entered, self.left, self.dropped)?;
        if self.refused > 0 {
            write!(f, ", {} refused by the kernel", self.refused)?;
        }
        write!(f, ", lag {}.{} ms (at most {}.{} ms)", lag / 10, lag % 10, max / 10, max % 10)
    }
}

/// Counts, and what has been told already.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) entered: u64,
    pub(super) left: u64,
    refused: u64,
    /// Kinds of refusal that have been told, as bits.
    kinds: u8,
    news: Vec<String>,
}

impl Told {
    /// Counts a packet that the kernel did not take; the first of each kind is news.
    pub(super) fn not_written(&mut self, device: &str, refused: &Refused) {
        self.refused += 1;
        let news = self.refused(device, refused);
        self.news.extend(news);
    }

    /// What to say of trouble with a device, the first time.
    pub(super) fn refused(&mut self, device: &str, refused: &Refused) -> Option<String> {
        let (kind, text) = match refused {
            Refused::Busy => (1, format!("{device} has no room: packets for the kernel are lost there")),
            Refused::Down => (2, format!("{device} is down: packets for the kernel are lost until it is up again")),
            Refused::Gone => (4, format!("{device} is gone")),
            Refused::Malformed => (8, format!("the kernel takes a packet for {device} for no packet, and ignores it")),
            Refused::Other(error) => (16, format!("{device}: {error}")),
        };
        let is_new = self.kinds & kind == 0;
        self.kinds |= kind;
        // Being down is told again after it was up in between.
        is_new.then_some(text)
    }

    /// What has not been told yet.
    pub(super) fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    pub(super) fn status(&self, at: Time, dropped: u64, lag: &Lag) -> Status {
        Status {
            at,
            entered: self.entered,
            left: self.left,
            refused: self.refused,
            dropped,
            lag: lag.now,
            lag_max: lag.max,
            late_rounds: lag.late_rounds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_trouble_is_told_once_and_counted_always() {
        let mut told = Told::default();
        for _ in 0..3 {
            told.not_written("hop0", &Refused::Down);
            told.not_written("hop0", &Refused::Malformed);
        }
        assert_eq!(told.news().len(), 2);
        assert!(told.news().is_empty());
        assert_eq!(told.refused, 6);
    }

    #[test]
    fn a_status_is_one_line_of_what_matters() {
        let told = Told { entered: 10, left: 9, ..Told::default() };
        let mut lag = Lag::default();
        lag.measure(Some(Time::from_nanos(0)), Time::from_nanos(350_000));
        lag.measure(Some(Time::from_nanos(0)), Time::from_nanos(100_000));
        let status = told.status(Time::from_nanos(12_345_678_901), 1, &lag);
        assert_eq!(status.to_string(), "12.345 s, 10 in, 9 out, 1 dropped, lag 0.1 ms (at most 0.3 ms)");
    }
}
