//! What a resolver remembers of name servers: how fast each is, and what it cannot do.
//!
//! Who has not been tried yet is tried first, then who has been fastest; who has not answered comes later and later, and
//! is given another chance after a while.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Time;

/// How many servers are remembered; the one that was not heard of for the longest time makes room.
const SERVERS_MAX: usize = 1024;

/// For how long something is remembered of a server.
const MEMORY_FOR: Duration = Duration::from_secs(600);

/// The most that a server which does not answer is put back.
const PENALTY_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
struct Memory {
    /// Smoothed, as TCP's (RFC 6298).
    round_trip: Duration,
    /// What not answering costs it, on top.
    penalty: Duration,
    /// Whether it answers queries with an OPT record.
    knows_edns: bool,
    seen_at: Time,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Servers(BTreeMap<IpAddr, Memory>);

impl Servers {
    /// How good a server is: less is better, and nothing at all if it is not known.
    pub(super) fn cost(&self, server: IpAddr, now: Time) -> Duration {
        self.get(server, now).map_or(Duration::ZERO, |memory| memory.round_trip + memory.penalty)
    }

    /// Whether to ask it with an OPT record.
    pub(super) fn knows_edns(&self, server: IpAddr, now: Time) -> bool {
        self.get(server, now).is_none_or(|memory| memory.knows_edns)
    }

    /// It has answered, after so long.
    pub(super) fn answered(&mut self, server: IpAddr, after: Duration, now: Time) {
        let memory = self.remember(server, now);
        // RFC 6298 §2.3's gain of 1/8; the first measurement stands as it is.
        memory.round_trip = if memory.round_trip.is_zero() { after } else { (memory.round_trip * 7 + after) / 8 };
        memory.penalty = Duration::ZERO;
    }

    /// It has not answered for so long.
    pub(super) fn failed(&mut self, server: IpAddr, after: Duration, now: Time) {
        let memory = self.remember(server, now);
        memory.penalty = (memory.penalty * 2).max(after).max(Duration::from_millis(1)).min(PENALTY_MAX);
    }

    /// It does not know EDNS.
    pub(super) fn lacks_edns(&mut self, server: IpAddr, now: Time) {
        self.remember(server, now).knows_edns = false;
    }

    fn get(&self, server: IpAddr, now: Time) -> Option<&Memory> {
        self.0.get(&server).filter(|memory| now.since(memory.seen_at) < MEMORY_FOR)
    }

    fn remember(&mut self, server: IpAddr, now: Time) -> &mut Memory {
        if self.get(server, now).is_none() {
            self.0.remove(&server);
            if self.0.len() >= SERVERS_MAX
                && let Some(oldest) = self.0.iter().min_by_key(|(_, memory)| memory.seen_at).map(|(server, _)| *server)
            {
                self.0.remove(&oldest);
            }
        }
        let unknown = Memory { round_trip: Duration::ZERO, penalty: Duration::ZERO, knows_edns: true, seen_at: now };
        let memory = self.0.entry(server).or_insert(unknown);
        memory.seen_at = now;
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn server(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn unknown_comes_first_then_the_faster_and_last_who_does_not_answer() {
        let mut servers = Servers::default();
        let (now, ms) = (Time::from_secs(1), Duration::from_millis);
        servers.answered(server(1), ms(80), now);
        servers.answered(server(2), ms(20), now);
        servers.failed(server(3), ms(1000), now);
        let mut all: Vec<IpAddr> = (1..=4).map(server).collect();
        all.sort_by_key(|one| servers.cost(*one, now));
        assert_eq!(all, [4, 2, 1, 3].map(server));
        // Answering makes up for it.
        servers.answered(server(3), ms(10), now);
        assert_eq!(servers.cost(server(3), now), ms(10));
    }

    #[test]
    fn who_was_bad_gets_another_chance_after_ten_minutes() {
        let mut servers = Servers::default();
        servers.failed(server(1), Duration::from_secs(1), Time::ZERO);
        servers.lacks_edns(server(1), Time::ZERO);
        let after = |seconds| {
            (servers.cost(server(1), Time::from_secs(seconds)), servers.knows_edns(server(1), Time::from_secs(seconds)))
        };
        assert_eq!(after(599), (Duration::from_secs(1), false));
        assert_eq!(after(600), (Duration::ZERO, true));
    }

    #[test]
    fn no_more_servers_are_remembered_than_there_is_room_for() {
        let mut servers = Servers::default();
        for number in 0..3000 {
            servers.failed(server(number), Duration::from_secs(1), Time::from_secs(number.into()));
        }
        assert_eq!(servers.0.len(), SERVERS_MAX);
        assert!(servers.0.contains_key(&server(2999)) && !servers.0.contains_key(&server(0)));
    }
}
