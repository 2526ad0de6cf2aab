//! Fault rules: named, exact misfortune.
//!
//! A rule picks frames by a match expression and an ordinal, and does one thing to each it picks. It counts the frames
//! that match, from the moment it was added, and signs its victims with its name. It counts whatever enters its
//! direction while the link is up, fits the MTU and finds room in the queue, even what another rule loses: adding a
//! rule does not shift the count of any other.
//!
//! A rule that a scenario gives to both directions of a link becomes two, each with a *count of its own*: nothing may
//! depend on how the events of the two directions interleave. To mean the first frame of either, name the direction.

use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

use super::impair::Fate;
use crate::filter::Filter;
use crate::id::RuleId;
use crate::read::{Diagnostic, Item, Read};
use crate::time::Time;
use crate::wire::view::{tcp_header_bytes, udp_payload};
use crate::wire::{Frame, View};

/// Which of the matching frames.
///
/// A scenario writes `1`, `[1, 3]`, `"every 5th"`, `"first 3"` or `"all"`.
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

    /// Whether none is meant behind the `count`-th.
    #[must_use]
    pub fn is_over_after(&self, count: u64) -> bool {
        match self {
            Self::All => false,
            Self::Every(k) => *k == 0,
            Self::First(n) => count >= *n,
            Self::Nth(list) => list.last().is_none_or(|last| count >= *last),
        }
    }

    /// Reads the words of a scenario: `every 5th`, `first 3`, `all`; `None` if they are no ordinal.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let text = text.trim();
            let digits = ["st", "nd", "rd", "th"].iter().find_map(|suffix| text.strip_suffix(suffix)).unwrap_or(text);
            digits.parse().ok().filter(|count: &u64| *count > 0)
        };
        if text == "all" {
            return Some(Self::All);
        }
        match text.split_once(' ') {
            Some(("every", rest)) => number(rest).map(Self::Every),
            Some(("first", rest)) => number(rest).map(Self::First),
            _ => None,
        }
    }
}

impl<'d> Read<'d> for Ordinal {
    fn read(item: &Item<'d>) -> Option<Self> {
        let refuse = |title: String| {
            item.reader.report(
                Diagnostic::new(item.span.clone(), title)
                    .label("such as 1, [1, 3], \"every 5th\", \"first 3\" or \"all\", counted from 1"),
            );
        };
        match item.value {
            DeValue::String(text) => {
                let ordinal = Self::parse(text);
                if ordinal.is_none() {
                    refuse(format!("`{text}` does not say which frames"));
                }
                ordinal
            }
            DeValue::Integer(_) | DeValue::Array(_) => {
                let mut list: Vec<u64> = Vec::read(item)?;
                if list.is_empty() || list.contains(&0) {
                    refuse(format!("`{}` must name frames, counted from 1", item.path));
                    return None;
                }
                list.sort_unstable();
                list.dedup();
                Some(Self::Nth(list))
            }
            _ => {
                item.expected("a number, a list of numbers, or words such as \"every 5th\"");
                None
            }
        }
    }
}

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Every(k) => write!(f, "every {}", Self::Nth(vec![*k])),
            Self::First(n) => write!(f, "first {n}"),
            Self::Nth(list) => {
                for (index, count) in list.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    let suffix = match (count % 10, count % 100) {
                        (1..=3, 11..=13) => "th",
                        (1, _) => "st",
                        (2, _) => "nd",
                        (3, _) => "rd",
                        _ => "th",
                    };
                    write!(f, "{comma}{count}{suffix}")?;
                }
                Ok(())
            }
        }
    }
}

/// What is done to a frame that was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A bit is flipped: this bit of this byte, counted from the Ethernet header.
    Corrupt {
        /// Byte offset; taken modulo the frame's length. `None`: in the middle of what the innermost header carries,
        /// or of the whole frame if it carries nothing.
        byte: Option<u32>,
        /// 0 to 7; 7 is the highest.
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
#[derive(Debug, Clone)]
pub struct FaultRule {
    rule: RuleId,
    filter: Filter,
    ordinal: Ordinal,
    verb: Verb,
    /// The rule ends here, if it does.
    until: Option<Time>,
    seen: u64,
    picked: u64,
}

impl FaultRule {
    /// A rule that holds from when it is added to a pipe until a time, that time not included; `None`: for ever.
    #[must_use]
    pub fn new(rule: RuleId, filter: Filter, ordinal: Ordinal, verb: Verb, until: Option<Time>) -> Self {
        Self { rule, filter, ordinal, verb, until, seen: 0, picked: 0 }
    }

    /// Under which name its victims are signed.
    #[must_use]
    pub fn rule(&self) -> RuleId {
        self.rule
    }

    /// How many frames matched its expression. Not counted any more once none further can be picked.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// How many frames it picked: a rule that never picked one is worth a warning.
    #[must_use]
    pub fn picked(&self) -> u64 {
        self.picked
    }

    /// Whether it may still pick a frame.
    #[must_use]
    pub fn is_live(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until) && !self.ordinal.is_over_after(self.seen)
    }

    /// Decides about one frame that enters now, its checksums complete.
    pub fn judge(&mut self, frame: &Frame, now: Time) -> Fate {
        if !self.is_live(now) || !self.filter.matches(frame) {
            return Fate::Pass;
        }
        self.seen += 1;
        if !self.ordinal.picks(self.seen) {
            return Fate::Pass;
        }
        self.picked += 1;
        match self.verb {
            Verb::Corrupt { byte, bit } => Fate::Corrupt { byte: byte.unwrap_or_else(|| middle_of_data(frame)), bit },
            Verb::Delay(delay) => Fate::HoldBack(delay),
            Verb::Drop => Fate::Drop,
            Verb::Duplicate => Fate::Duplicate,
        }
    }
}

/// The offset of the byte in the middle of a frame's data: of what the innermost header carries.
fn middle_of_data(frame: &Frame) -> u32 {
    let view = View::of(frame);
    let tcp = || view.tcp().and_then(|tcp| tcp.get(tcp_header_bytes(tcp)?..));
    let udp = || view.udp().and_then(udp_payload);
    let icmp = || view.icmp().or_else(|| view.icmpv6()).and_then(|icmp| icmp.get(8..));
    let data = tcp().or_else(udp).or_else(icmp).or_else(|| view.ip.map(|ip| ip.payload));
    let data = data.filter(|data| !data.is_empty()).unwrap_or(view.bytes);
    let begins_at = data.as_ptr().addr() - view.bytes.as_ptr().addr();
    u32::try_from(begins_at + data.len() / 2).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::{any_frame, frame, problems_of, read_example};

    #[test]
    fn an_ordinal_picks_exactly_what_it_says() {
        let picked = |ordinal: Ordinal| (1..=10).filter(|count| ordinal.picks(*count)).collect::<Vec<u64>>();
        assert_eq!(picked(Ordinal::Nth(vec![1, 3])), [1, 3]);
        assert_eq!(picked(Ordinal::Every(5)), [5, 10]);
        assert_eq!(picked(Ordinal::First(2)), [1, 2]);
        assert_eq!(picked(Ordinal::All).len(), 10);
        assert_eq!(picked(Ordinal::Every(0)), [0; 0]);
    }

    #[test]
    fn an_ordinal_is_over_once_it_picks_nothing_more() {
        for ordinal in [Ordinal::Nth(vec![2, 4]), Ordinal::First(4), Ordinal::Every(0), Ordinal::Nth(vec![])] {
            let over = (0..=10).find(|count| ordinal.is_over_after(*count)).unwrap();
            assert!((over + 1..=10).all(|count| !ordinal.picks(count)) && (over == 0 || ordinal.picks(over)));
        }
        assert!(!Ordinal::All.is_over_after(u64::MAX) && !Ordinal::Every(3).is_over_after(u64::MAX));
    }

    #[test]
    fn an_ordinal_is_read_in_each_of_its_forms() {
        for (text, ordinal, shown) in [
            ("nth = 1", Ordinal::Nth(vec![1]), "1st"),
            ("nth = [3, 1, 3]", Ordinal::Nth(vec![1, 3]), "1st, 3rd"),
            ("nth = 'every 5th'", Ordinal::Every(5), "every 5th"),
            ("nth = 'every 12'", Ordinal::Every(12), "every 12th"),
            ("nth = 'first 3'", Ordinal::First(3), "first 3"),
            ("nth = 'all'", Ordinal::All, "all"),
        ] {
            let read: Ordinal = read_example(text, |table| table.get("nth")).unwrap();
            assert_eq!((read.to_string().as_str(), read), (shown, ordinal), "{text}");
        }
        for text in ["nth = 0", "nth = []", "nth = 'every 0th'", "nth = 'each'", "nth = -1", "nth = 1.5", "nth = ['x']"]
        {
            assert_eq!(problems_of(text, |table| drop(table.get::<Ordinal>("nth"))).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_rule_ends_at_its_time_exactly_and_counts_what_it_picked() {
        let until = Some(Time::from_secs(1));
        let mut rule = FaultRule::new(RuleId(0), any_frame(), Ordinal::Every(2), Verb::Drop, until);
        let (frame, last) = (frame(0, 100), Time::from_nanos(999_999_999));
        assert_eq!([(); 4].map(|()| rule.judge(&frame, last)), [Fate::Pass, Fate::Drop, Fate::Pass, Fate::Drop]);
        assert!(rule.is_live(last) && !rule.is_live(Time::from_secs(1)));
        assert_eq!([(); 2].map(|()| rule.judge(&frame, Time::from_secs(1))), [Fate::Pass; 2]);
        assert_eq!((rule.seen(), rule.picked()), (4, 2));
    }
}
