//! SYNs that came before anybody inside asked for them.
//!
//! RFC 5382 REQ-4: "A NAT MUST NOT respond to an unsolicited inbound SYN packet for at least 6 seconds after the packet is
//! received. If during this interval the NAT receives and translates an outbound SYN for the connection the NAT MUST
//! silently drop the original unsolicited inbound SYN packet. Otherwise, the NAT SHOULD send an ICMP Port Unreachable
//! error (Type 3, Code 3) for the original SYN". An answer at once would end what two hosts behind two translators begin
//! at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rewrite::Endpoint;
use crate::time::Time;
use crate::wire::Frame;

/// How long a SYN is held.
const HELD_FOR: Duration = Duration::from_secs(6);

/// How many are held at once; further ones vanish.
const HELD_MAX: usize = 256;

/// Where a SYN came from and for which outside endpoint it was.
type Opening = (Endpoint, Endpoint);

/// SYNs that wait for their answer.
#[derive(Debug, Default)]
pub(super) struct HeldSyns {
    syns: BTreeMap<Opening, (Time, Frame)>,
}

impl HeldSyns {
    /// Holds a SYN, or gives it back: it is held already, or there is no room.
    pub(super) fn hold(&mut self, outside: Endpoint, far: Endpoint, syn: Frame, now: Time) -> Option<Frame> {
        if self.syns.len() >= HELD_MAX || self.syns.contains_key(&(outside, far)) {
            return Some(syn);
        }
        self.syns.insert((outside, far), (now + HELD_FOR, syn));
        None
    }

    /// Somebody inside has begun the same connection: the SYN, which is not to be answered.
    pub(super) fn take(&mut self, outside: Endpoint, far: Endpoint) -> Option<Frame> {
        // Mostly empty.
        if self.syns.is_empty() {
            return None;
        }
        self.syns.remove(&(outside, far)).map(|(_, syn)| syn)
    }

    /// When a SYN is next to be answered. Few are held: all are looked at.
    pub(super) fn due_at(&self) -> Option<Time> {
        self.syns.values().map(|(at, _)| *at).min()
    }

    /// A SYN whose time has come.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Frame> {
        let due = self.syns.iter().find(|(_, (at, _))| *at <= now).map(|(opening, _)| *opening)?;
        self.syns.remove(&due).map(|(_, syn)| syn)
    }

    /// All of them.
    pub(super) fn drain(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.syns).into_values().map(|(_, syn)| syn).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Layer, Pool};

    #[test]
    fn no_more_are_held_than_there_is_room_for_and_room_comes_back() {
        let (mut held, mut pool) = (HeldSyns::default(), Pool::default());
        let end = |port: usize| Endpoint { address: std::net::Ipv4Addr::new(203, 0, 113, 1), port: port as u16 };
        let mut hold = |held: &mut HeldSyns, port| {
            held.hold(end(port), end(9), Frame::new(pool.copy(b"syn"), Layer::Ip), Time::ZERO).is_none()
        };
        assert!((0..HELD_MAX).all(|port| hold(&mut held, port)));
        assert!(!hold(&mut held, HELD_MAX));
        assert!(held.take_due(Time::ZERO + HELD_FOR).is_some());
        assert!(hold(&mut held, HELD_MAX));
        assert_eq!(held.drain().len(), HELD_MAX);
    }
}
