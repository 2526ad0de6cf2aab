//! Fault rules: named, exact misfortune.
//!
//! A rule picks frames by a match expression and an ordinal, and does one thing to each it picks. It counts the frames
//! that match, from the moment it was added, and signs its victims with its name.

use std::time::Duration;

use super::impair::Fate;
use crate::filter::Filter;
use crate::id::RuleId;
use crate::time::Time;
use crate::wire::Frame;

/// Which of the matching frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordinal {
    /// All of them.
    All,
    /// Every k-th: the k-th, the 2k-th, …
    Every(u64),
    /// The first n.
    First(u64),
    /// These, counted from 1, in ascending order.
    Nth(Vec<u64>),
}

impl Ordinal {
    /// Whether the `count`-th matching frame, counted from 1, is meant.
    #[must_use]
    pub fn picks(&self, count: u64) -> bool {
        match self {
            Self::All => true,
            Self::Every(k) => *k > 0 && count.is_multiple_of(*k),
            Self::First(n) => count <= *n,
            Self::Nth(list) => list.binary_search(&count).is_ok(),
        }
    }
}

/// What is done to a frame that was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A bit is flipped: this bit of this byte, counted from the Ethernet header.
    Corrupt {
        /// Byte offset.
        byte: u32,
        /// 0 to 7.
        bit: u8,
    },
    /// It arrives this much later; others may overtake it.
    Delay(Duration),
    /// It is lost.
    Drop,
    /// A copy arrives right behind it.
    Duplicate,
}

/// A named rule on one direction of a link.
#[derive(Debug)]
pub struct FaultRule {
    rule: RuleId,
    filter: Filter,
    ordinal: Ordinal,
    verb: Verb,
    /// The rule ends here, if it does.
    until: Option<Time>,
    seen: u64,
}

impl FaultRule {
    /// A rule that holds from now on, or until a time.
    #[must_use]
    pub fn new(rule: RuleId, filter: Filter, ordinal: Ordinal, verb: Verb, until: Option<Time>) -> Self {
        Self { rule, filter, ordinal, verb, until, seen: 0 }
    }

    /// Under which name its victims are signed.
    #[must_use]
    pub fn rule(&self) -> RuleId {
        self.rule
    }

    /// Decides about one frame that enters now.
    pub fn judge(&mut self, frame: &Frame, now: Time) -> Fate {
        if self.until.is_some_and(|until| now >= until) || !self.filter.matches(frame) {
            return Fate::Pass;
        }
        self.seen += 1;
        if !self.ordinal.picks(self.seen) {
            return Fate::Pass;
        }
        match self.verb {
            Verb::Corrupt { byte, bit } => Fate::Corrupt { byte, bit },
            Verb::Delay(delay) => Fate::HoldBack(delay),
            Verb::Drop => Fate::Drop,
            Verb::Duplicate => Fate::Duplicate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinal_picks_exactly_what_it_says() {
        let picked = |ordinal: Ordinal| (1..=10).filter(|count| ordinal.picks(*count)).collect::<Vec<u64>>();
        assert_eq!(picked(Ordinal::Nth(vec![1, 3])), [1, 3]);
        assert_eq!(picked(Ordinal::Every(5)), [5, 10]);
        assert_eq!(picked(Ordinal::First(2)), [1, 2]);
        assert_eq!(picked(Ordinal::All).len(), 10);
        assert_eq!(picked(Ordinal::Every(0)), [0; 0]);
    }
}
