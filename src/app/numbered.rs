//! Datagrams that carry a number and a time, and how their receiver judges them.
//!
//! ```text
//!  0               4                       12                      20
//! ┌───────────────┬───────────────────────┬───────────────────────┬──────────────
//! │ "hop1"        │ number, from 0        │ sent at, in ns        │ pattern …
//! └───────────────┴───────────────────────┴───────────────────────┴──────────────
//! ```
//!
//! Numbers are in network byte order. All machines of a run have the same clock, so that the receiver can tell how long
//! the way took, which no real receiver can. A datagram without this header is just counted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::payload::fill_with_pattern;
use crate::time::Time;

/// The length of the header: a datagram must be this long to be numbered.
pub(super) const HEADER_LEN: usize = 20;

/// How many separate runs of numbers one [`Judge`] remembers; the oldest is taken for complete beyond that.
const RUNS_MAX: usize = 4096;

const MAGIC: &[u8; 4] = b"hop1";

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The how-manieth of its sender, from 0.
    pub(super) number: u64,
    /// When it was sent.
    pub(super) sent_at: Time,
}

impl Stamp {
    /// Fills `datagram` with the pattern and, if there is room, this header.
    pub(super) fn write(self, datagram: &mut [u8]) {
        fill_with_pattern(0, datagram);
        if let Some((header, _)) = datagram.split_first_chunk_mut::<HEADER_LEN>() {
            header[..4].copy_from_slice(MAGIC);
            header[4..12].copy_from_slice(&self.number.to_be_bytes());
            header[12..].copy_from_slice(&self.sent_at.as_nanos().to_be_bytes());
        }
    }

    /// The header of a datagram that has one.
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        let (magic, rest) = datagram.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (sent_at, _) = rest.split_first_chunk::<8>()?;
        let stamp =
            Self { number: u64::from_be_bytes(*number), sent_at: Time::from_nanos(u64::from_be_bytes(*sent_at)) };
        (magic == MAGIC).then_some(stamp)
    }
}

/// Judges the numbered datagrams of one sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Judge {
    /// What has arrived: first and last number of each run, no two of which touch.
    runs: BTreeMap<u64, u64>,
    /// How many different numbers those are.
    arrived: u64,
    duplicates: u64,
    out_of_order: u64,
    delay_before: Option<Duration>,
    /// RFC 3550's jitter, times 16, in nanoseconds.
    jitter_16: u64,
}

impl Judge {
    /// Takes in a datagram that has arrived `now`.
    pub(super) fn arrived(&mut self, stamp: Stamp, now: Time) {
        let delay = now.since(stamp.sent_at);
        if let Some(before) = self.delay_before.replace(delay) {
            self.add_jitter(delay.abs_diff(before));
        }
        let is_late = self.runs.last_key_value().is_some_and(|(_, last)| stamp.number < *last);
        if !self.insert(stamp.number) {
            self.duplicates += 1;
        } else if is_late {
            // As RFC 4737 §3 has it: its number is smaller than the next one that was expected.
            self.out_of_order += 1;
        }
    }

    /// How many numbers up to the greatest that has arrived are missing. What is lost after it cannot be known.
    pub(super) fn lost(&self) -> u64 {
        let expected = self.runs.last_key_value().map_or(0, |(_, last)| last.saturating_add(1));
        expected.saturating_sub(self.arrived)
    }

    /// How many arrived after one with a greater number.
    pub(super) fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    /// How many arrived again.
    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// RFC 3550's interarrival jitter: how much the time on the way changes from one datagram to the next, smoothed.
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_nanos(self.jitter_16 / 16)
    }

    fn add_jitter(&mut self, difference: Duration) {
        // RFC 3550 §6.4.1: "J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16", in the integer form of its appendix A.8:
        // "s->jitter += d - ((s->jitter + 8) >> 4)".
        let difference = u64::try_from(difference.as_nanos()).unwrap_or(u64::MAX);
        let fading = self.jitter_16.saturating_add(8) >> 4;
        self.jitter_16 = self.jitter_16.saturating_sub(fading).saturating_add(difference);
    }

    /// Notes that a number has arrived; false if it had before.
    fn insert(&mut self, number: u64) -> bool {
        let before = self.runs.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| number <= last) {
            return false;
        }
        self.arrived = self.arrived.saturating_add(1);
        let mut run = (number, number);
        if let Some((first, last)) = before
            && last.checked_add(1) == Some(number)
        {
            run.0 = first;
        }
        if let Some(last) = number.checked_add(1).and_then(|next| self.runs.remove(&next)) {
            run.1 = last;
        }
        self.runs.insert(run.0, run.1);
        if self.runs.len() > RUNS_MAX {
            self.forget_oldest_hole();
        }
        true
    }

    /// Joins the two oldest runs. The numbers between them stay lost, but if one should come after all it will pass for
    /// a duplicate.
    fn forget_oldest_hole(&mut self) {
        if let Some((first, _)) = self.runs.pop_first()
            && let Some((_, last)) = self.runs.pop_first()
        {
            self.runs.insert(first, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn judged(numbers: &[u64]) -> (u64, u64, u64) {
        let mut judge = Judge::default();
        for number in numbers {
            judge.arrived(Stamp { number: *number, sent_at: Time::ZERO }, Time::ZERO);
        }
        (judge.lost(), judge.out_of_order(), judge.duplicates())
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let stamp = Stamp { number: 7, sent_at: Time::from_millis(1_020) };
        let mut datagram = [0; 100];
        stamp.write(&mut datagram);
        assert_eq!(Stamp::read(&datagram), Some(stamp));
        assert_eq!(Stamp::read(&datagram[..HEADER_LEN]), Some(stamp));
        assert_eq!(Stamp::read(&datagram[..HEADER_LEN - 1]), None);
        assert_eq!(Stamp::read(b"hello, this is not a numbered datagram"), None);
    }

    #[test]
    fn a_datagram_too_short_for_the_header_has_the_pattern_only() {
        let mut datagram = [0; HEADER_LEN - 1];
        Stamp { number: 7, sent_at: Time::ZERO }.write(&mut datagram);
        assert_eq!(&datagram[..4], b" !\"#");
    }

    #[test]
    fn what_is_missing_before_the_greatest_is_lost() {
        assert_eq!(judged(&[0, 1, 2, 3]), (0, 0, 0));
        assert_eq!(judged(&[0, 2, 5]), (3, 0, 0));
        assert_eq!(judged(&[3]), (3, 0, 0));
        assert_eq!(judged(&[]), (0, 0, 0));
    }

    #[test]
    fn what_comes_late_is_out_of_order_and_not_lost() {
        assert_eq!(judged(&[0, 2, 1, 3]), (0, 1, 0));
        assert_eq!(judged(&[3, 2, 1, 0]), (0, 3, 0));
    }

    #[test]
    fn what_comes_again_is_a_duplicate_and_not_out_of_order() {
        assert_eq!(judged(&[0, 0, 1, 2, 1]), (0, 0, 2));
    }

    #[test]
    fn the_greatest_number_does_not_overflow() {
        assert_eq!(judged(&[u64::MAX, u64::MAX, u64::MAX - 1]).2, 1);
    }

    #[test]
    fn a_steady_way_has_no_jitter_and_an_alternating_one_approaches_its_step() {
        let mut judge = Judge::default();
        for number in 0..200 {
            let sent_at = Time::from_millis(number * 20);
            judge.arrived(Stamp { number, sent_at }, sent_at + Duration::from_millis(50));
        }
        assert_eq!(judge.jitter(), Duration::ZERO);
        for number in 200..600 {
            let sent_at = Time::from_millis(number * 20);
            judge.arrived(Stamp { number, sent_at }, sent_at + Duration::from_millis(50 + number % 2 * 8));
        }
        // |D| is 8 ms each time: J grows towards 8 ms, and after 400 steps is within (15/16)^400 of it.
        let miss = judge.jitter().abs_diff(Duration::from_millis(8));
        assert!(miss < Duration::from_nanos(10), "{miss:?}");
    }

    #[test]
    fn a_sender_that_skips_every_other_number_does_not_take_memory_without_bound() {
        let mut judge = Judge::default();
        for number in 0..10_000 {
            judge.arrived(Stamp { number: number * 2, sent_at: Time::ZERO }, Time::ZERO);
        }
        assert_eq!(judge.runs.len(), RUNS_MAX);
        assert_eq!(judge.lost(), 9_999);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against the plain definition, with a set of all numbers.
        #[test]
        fn the_judge_agrees_with_a_plain_count(numbers in proptest::collection::vec(0_u64..40, 0..60)) {
            let (mut seen, mut late, mut again) = (BTreeSet::new(), 0, 0);
            for number in &numbers {
                let is_late = seen.last().is_some_and(|greatest| number < greatest);
                match seen.insert(*number) {
                    true => late += u64::from(is_late),
                    false => again += 1,
                }
            }
            let lost = seen.last().map_or(0, |greatest| greatest + 1 - seen.len() as u64);
            prop_assert_eq!(judged(&numbers), (lost, late, again));
        }
    }
}
