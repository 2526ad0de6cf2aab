//! What has gone through a pipe, or not: counted for summaries and expectations.

use std::time::Duration;

use crate::record::{Cause, Value};

/// What has gone through one direction of a link, or not.
///
/// At any moment `sent + duplicated` is `delivered + dropped` and what is on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PipeCounters {
    /// Frames that were put in, whatever became of them.
    pub sent: u64,
    /// Bytes of those frames.
    pub sent_bytes: u64,
    /// Frames that came out, copies included.
    pub delivered: u64,
    /// Bytes of those frames.
    pub delivered_bytes: u64,
    /// Frames that did not come out: the sum of the causes below.
    pub dropped: u64,
    /// Of these: dropped by a fault rule.
    pub dropped_fault: u64,
    /// Of these: dropped because the link was down.
    pub dropped_link_down: u64,
    /// Of these: dropped because more frames were on the way than a link may carry.
    pub dropped_link_full: u64,
    /// Of these: lost by chance.
    pub dropped_loss: u64,
    /// Of these: dropped because they were larger than the MTU.
    pub dropped_over_mtu: u64,
    /// Of these: dropped because the queue had no room.
    pub dropped_queue_full: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Frames of which bits were flipped.
    pub corrupted: u64,
    /// Frames held back so that others may overtake them.
    pub held_back: u64,
    /// Frames that the transmitter began with, those that did not have to wait included.
    pub transmitted: u64,
    /// The most frames that ever waited at once.
    pub queue_packets_max: u64,
    /// The most bytes that ever waited at once.
    pub queue_bytes_max: u64,
    /// All waits for the transmitter together.
    pub queue_delay_total: Duration,
    /// The longest wait for the transmitter.
    pub queue_delay_max: Duration,
}

impl PipeCounters {
    /// The names that expectations use, in the order of [`rows`](Self::rows), each with one sentence.
    pub const NAMES: [(&'static str, &'static str); 19] = [
        ("sent", "Frames that were put in, whatever became of them."),
        ("sent_bytes", "Bytes of those frames."),
        ("delivered", "Frames that came out, copies included."),
        ("delivered_bytes", "Bytes of those frames."),
        ("dropped", "Frames that did not come out: the sum of the causes below."),
        ("dropped_fault", "Of these: dropped by a fault rule."),
        ("dropped_link_down", "Of these: dropped because the link was down."),
        ("dropped_link_full", "Of these: dropped because more frames were on the way than a link may carry."),
        ("dropped_loss", "Of these: lost by chance."),
        ("dropped_over_mtu", "Of these: dropped because they were larger than the MTU."),
        ("dropped_queue_full", "Of these: dropped because the queue had no room."),
        ("duplicated", "Copies made."),
        ("corrupted", "Frames of which bits were flipped."),
        ("held_back", "Frames held back so that others may overtake them."),
        ("transmitted", "Frames that the transmitter began with, those that did not have to wait included."),
        ("queue_packets_max", "The most frames that ever waited at once."),
        ("queue_bytes_max", "The most bytes that ever waited at once."),
        ("queue_delay_max", "The longest wait for the transmitter."),
        ("queue_delay_mean", "How long a frame waited for the transmitter on average."),
    ];

    /// How long a frame waited for the transmitter on average; zero if there was none.
    #[must_use]
    pub fn queue_delay_mean(&self) -> Duration {
        let nanoseconds = self.queue_delay_total.as_nanos().checked_div(u128::from(self.transmitted));
        Duration::from_nanos(u64::try_from(nanoseconds.unwrap_or(0)).unwrap_or(u64::MAX))
    }

    /// Every counter with the name that expectations use, in a fixed order.
    #[must_use]
    pub fn rows(&self) -> [(&'static str, Value); 19] {
        [
            ("sent", self.sent.into()),
            ("sent_bytes", self.sent_bytes.into()),
            ("delivered", self.delivered.into()),
            ("delivered_bytes", self.delivered_bytes.into()),
            ("dropped", self.dropped.into()),
            ("dropped_fault", self.dropped_fault.into()),
            ("dropped_link_down", self.dropped_link_down.into()),
            ("dropped_link_full", self.dropped_link_full.into()),
            ("dropped_loss", self.dropped_loss.into()),
            ("dropped_over_mtu", self.dropped_over_mtu.into()),
            ("dropped_queue_full", self.dropped_queue_full.into()),
            ("duplicated", self.duplicated.into()),
            ("corrupted", self.corrupted.into()),
            ("held_back", self.held_back.into()),
            ("transmitted", self.transmitted.into()),
            ("queue_packets_max", self.queue_packets_max.into()),
            ("queue_bytes_max", self.queue_bytes_max.into()),
            ("queue_delay_max", self.queue_delay_max.into()),
            ("queue_delay_mean", self.queue_delay_mean().into()),
        ]
    }

    /// Both directions of a link together: sums, and the larger of two maxima.
    #[must_use]
    pub fn together(&self, other: &Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            sent_bytes: self.sent_bytes + other.sent_bytes,
            delivered: self.delivered + other.delivered,
            delivered_bytes: self.delivered_bytes + other.delivered_bytes,
            dropped: self.dropped + other.dropped,
            dropped_fault: self.dropped_fault + other.dropped_fault,
            dropped_link_down: self.dropped_link_down + other.dropped_link_down,
            dropped_link_full: self.dropped_link_full + other.dropped_link_full,
            dropped_loss: self.dropped_loss + other.dropped_loss,
            dropped_over_mtu: self.dropped_over_mtu + other.dropped_over_mtu,
            dropped_queue_full: self.dropped_queue_full + other.dropped_queue_full,
            duplicated: self.duplicated + other.duplicated,
            corrupted: self.corrupted + other.corrupted,
            held_back: self.held_back + other.held_back,
            transmitted: self.transmitted + other.transmitted,
            queue_packets_max: self.queue_packets_max.max(other.queue_packets_max),
            queue_bytes_max: self.queue_bytes_max.max(other.queue_bytes_max),
            queue_delay_total: self.queue_delay_total.saturating_add(other.queue_delay_total),
            queue_delay_max: self.queue_delay_max.max(other.queue_delay_max),
        }
    }

    pub(super) fn count_drop(&mut self, cause: Cause) {
        self.dropped += 1;
        match cause {
            Cause::Fault => self.dropped_fault += 1,
            Cause::LinkDown => self.dropped_link_down += 1,
            Cause::LinkFull => self.dropped_link_full += 1,
            Cause::Loss => self.dropped_loss += 1,
            Cause::OverMtu => self.dropped_over_mtu += 1,
            Cause::QueueFull => self.dropped_queue_full += 1,
            _ => unreachable!("a pipe drops for no other cause"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_wait_of_nothing_is_zero() {
        assert_eq!(PipeCounters::default().queue_delay_mean(), Duration::ZERO);
        let counters =
            PipeCounters { transmitted: 4, queue_delay_total: Duration::from_millis(6), ..PipeCounters::default() };
        assert_eq!(counters.queue_delay_mean(), Duration::from_micros(1_500));
    }

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let mut names: Vec<&str> = PipeCounters::default().rows().iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PipeCounters::default().rows().len());
        let documented = PipeCounters::NAMES.map(|(name, _)| name);
        assert_eq!(documented, PipeCounters::default().rows().map(|(name, _)| name));
    }
}
