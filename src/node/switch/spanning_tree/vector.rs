//! What switches compare: priority vectors and the root's times (IEEE 802.1D-2004 §17.5, §17.13).

use std::time::Duration;

use super::SpanningTreeSpec;
use crate::wire::bpdu::{Bpdu, BpduTime, BridgeId};

/// One second, as BPDUs count it.
const SECOND: u16 = 256;

/// A priority vector: which root, how far, told by whom. Of two, the lesser is the better, the first difference counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Vector {
    pub(super) root: BridgeId,
    pub(super) cost: u32,
    pub(super) bridge: BridgeId,
    pub(super) port: u16,
}

impl Vector {
    /// What `bridge` says of itself: that it is the root.
    pub(super) fn of_bridge(bridge: BridgeId) -> Self {
        Self { root: bridge, cost: 0, bridge, port: 0 }
    }

    pub(super) fn of_message(message: &Bpdu) -> Self {
        Self { root: message.root, cost: message.cost, bridge: message.bridge, port: message.port }
    }

    /// Whether both were told by one port of one switch, whatever their priorities.
    pub(super) fn has_sender_of(&self, other: &Self) -> bool {
        const NUMBER: u16 = 0x0fff;
        self.bridge.mac == other.bridge.mac && self.port & NUMBER == other.port & NUMBER
    }
}

/// The root's times, with the age of its news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) message_age: BpduTime,
    pub(super) max_age: BpduTime,
    pub(super) hello: BpduTime,
    pub(super) forward_delay: BpduTime,
}

impl Times {
    pub(super) fn of_spec(spec: &SpanningTreeSpec) -> Self {
        Self {
            message_age: BpduTime(0),
            max_age: BpduTime::of(spec.max_age),
            hello: BpduTime::of(spec.hello),
            forward_delay: BpduTime::of(spec.forward_delay),
        }
    }

    /// As a message tells them; a hello time of less than a second is a second (§17.21.11).
    pub(super) fn of_message(message: &Bpdu) -> Self {
        Self {
            message_age: message.message_age,
            max_age: message.max_age,
            hello: message.hello.max(BpduTime(SECOND)),
            forward_delay: message.forward_delay,
        }
    }

    /// The age of the news one switch further on: a second more, in whole seconds (§17.21.25 d).
    pub(super) fn next_age(&self) -> BpduTime {
        let age = self.message_age.0.saturating_add(SECOND);
        BpduTime(age.saturating_add(SECOND / 2) / SECOND * SECOND)
    }

    /// How long such news count: three hello times, or not at all if they have come too far (§17.21.23).
    pub(super) fn valid_for(&self) -> Option<Duration> {
        (self.next_age() <= self.max_age).then(|| 3 * self.hello.duration())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridge(priority: u16, last: u8) -> BridgeId {
        BridgeId { priority, mac: [2, 0, 0, 0, 0, last] }
    }

    #[test]
    fn the_root_counts_before_the_cost_and_the_cost_before_who_tells() {
        let vector =
            |root: u8, cost, teller: u8, port| Vector { root: bridge(0, root), cost, bridge: bridge(0, teller), port };
        let sorted =
            [vector(1, 9, 9, 9), vector(2, 1, 9, 9), vector(2, 2, 3, 9), vector(2, 2, 4, 1), vector(2, 2, 4, 2)];
        assert!(sorted.is_sorted_by(|a, b| a < b));
        assert!(bridge(0x1000, 9) < bridge(0x2000, 1), "priority counts before the address");
    }

    #[test]
    fn news_that_have_come_too_far_do_not_count() {
        let times = |age: u16| Times {
            message_age: BpduTime(age),
            max_age: BpduTime(20 * 256),
            hello: BpduTime(2 * 256),
            forward_delay: BpduTime(15 * 256),
        };
        assert_eq!(times(19 * 256).valid_for(), Some(Duration::from_secs(6)));
        assert_eq!(times(20 * 256).valid_for(), None);
        assert_eq!(times(300).next_age(), BpduTime(512));
        assert_eq!(times(u16::MAX).valid_for(), None);
    }
}
