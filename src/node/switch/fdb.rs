//! The forwarding database: behind which port each station is (IEEE 802.1D §7.9).
//!
//! Stations of different VLANs are different stations, even with one address (IEEE 802.1Q: independent learning). The
//! table is bounded. While it is full, newcomers are not learned, so that what is for them is flooded; it is searched
//! for room only when the earliest of its entries can have been forgotten.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use crate::node::Mac;
use crate::time::Time;

/// A station as the switch knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StationKey {
    /// 0 in a switch that knows no VLANs.
    pub(super) vlan: u16,
    pub(super) mac: [u8; 6],
}

/// Where a station is.
#[derive(Debug, Clone, Copy)]
struct Station {
    port: u16,
    /// When it last sent.
    seen_at: Time,
    /// When it is forgotten.
    fresh_until: Time,
}

/// What came of learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learned {
    /// It had been forgotten.
    Again,
    /// It was there.
    Known,
    /// It was at another port.
    Moved { from: u16 },
    /// It is new.
    New,
    /// There is no room for it; `is_news`: there was, when this was last looked for.
    NoRoom { is_news: bool },
}

/// Who is where.
#[derive(Debug)]
pub(super) struct Fdb {
    age: Duration,
    stations_max: usize,
    /// Looked up on every frame, walked for views and when full; a tree keeps the order of walking fixed.
    stations: BTreeMap<StationKey, Station>,
    /// While the table is full: nobody is forgotten before this.
    full_until: Option<Time>,
}

impl Fdb {
    pub(super) fn new(age: Duration, stations_max: usize) -> Self {
        Self { age, stations_max, stations: BTreeMap::new(), full_until: None }
    }

    /// Remembers that a station is behind `port`.
    pub(super) fn learn(&mut self, key: StationKey, port: u16, now: Time) -> Learned {
        let heard = Station { port, seen_at: now, fresh_until: now + self.age };
        if let Some(station) = self.stations.get_mut(&key) {
            let before = std::mem::replace(station, heard);
            return match before.fresh_until > now {
                false => Learned::Again,
                true if before.port == port => Learned::Known,
                true => Learned::Moved { from: before.port },
            };
        }
        if self.stations.len() >= self.stations_max {
            if self.full_until.is_some_and(|until| now < until) {
                return Learned::NoRoom { is_news: false };
            }
            self.stations.retain(|_, station| station.fresh_until > now);
            if self.stations.len() >= self.stations_max {
                let is_news = self.full_until.is_none();
                self.full_until = self.stations.values().map(|station| station.fresh_until).min();
                return Learned::NoRoom { is_news };
            }
        }
        self.full_until = None;
        self.stations.insert(key, heard);
        Learned::New
    }

    /// The port behind which a station is, while it is remembered.
    pub(super) fn find(&self, key: StationKey, now: Time) -> Option<u16> {
        // IEEE 802.1D §7.9.2: an entry is removed once the ageing time has passed since it was last updated.
        self.stations.get(&key).filter(|station| station.fresh_until > now).map(|station| station.port)
    }

    /// Forgets who is behind `port`; how many were.
    pub(super) fn forget_port(&mut self, port: u16) -> usize {
        let before = self.stations.len();
        self.stations.retain(|_, station| station.port != port);
        before - self.stations.len()
    }

    /// Forgets who is behind `port` unless they are heard of within `age` of their last frame; how many that may be.
    pub(super) fn hasten_port(&mut self, port: u16, age: Duration) -> usize {
        let there = self.stations.values_mut().filter(|station| station.port == port);
        let hasten = |station: &mut Station| station.fresh_until = station.fresh_until.min(station.seen_at + age);
        there.map(hasten).count()
    }

    pub(super) fn clear(&mut self) {
        self.stations.clear();
    }

    /// The table as `bridge fdb` shows it, one station a line, those that are forgotten left out.
    pub(super) fn show(&self, port_name: impl Fn(u16) -> String, now: Time) -> String {
        let mut text = String::new();
        for (key, station) in self.stations.iter().filter(|(_, station)| station.fresh_until > now) {
            let vlan = if key.vlan == 0 { String::new() } else { format!(" vlan {}", key.vlan) };
            let (mac, port) = (Mac(EthernetAddress(key.mac)), port_name(station.port));
            let _ = writeln!(text, "{mac} dev {port}{vlan} age {}s", now.since(station.seen_at).as_secs());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> StationKey {
        StationKey { vlan: 0, mac: [2, 0, 0, 0, 0, number] }
    }

    fn secs(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    #[test]
    fn one_address_in_two_vlans_is_two_stations() {
        let mut fdb = Fdb::new(Duration::from_secs(10), 9);
        let of = |vlan| StationKey { vlan, ..key(1) };
        assert_eq!(fdb.learn(of(10), 0, secs(0)), Learned::New);
        assert_eq!(fdb.learn(of(20), 1, secs(0)), Learned::New);
        assert_eq!(
            (fdb.find(of(10), secs(1)), fdb.find(of(20), secs(1)), fdb.find(of(30), secs(1))),
            (Some(0), Some(1), None)
        );
        assert_eq!(fdb.learn(of(10), 1, secs(1)), Learned::Moved { from: 0 });
    }

    #[test]
    fn a_full_table_has_room_again_when_somebody_is_forgotten() {
        let mut fdb = Fdb::new(Duration::from_secs(10), 2);
        assert_eq!([1, 2].map(|number| fdb.learn(key(number), 0, secs(number.into()))), [Learned::New; 2]);
        assert_eq!(fdb.learn(key(3), 0, secs(3)), Learned::NoRoom { is_news: true });
        assert_eq!(fdb.learn(key(3), 0, secs(4)), Learned::NoRoom { is_news: false });
        assert_eq!(fdb.learn(key(1), 0, secs(5)), Learned::Known);
        // At 11 s the first would have gone, had it not been heard of; the second goes at 12 s.
        assert_eq!(fdb.learn(key(3), 0, secs(11)), Learned::NoRoom { is_news: false });
        assert_eq!(fdb.learn(key(3), 0, secs(12)), Learned::New);
        assert_eq!(fdb.find(key(2), secs(12)), None);
    }

    #[test]
    fn a_hastened_port_keeps_those_who_speak() {
        let mut fdb = Fdb::new(Duration::from_secs(300), 9);
        let _ = [(1, 0), (2, 0), (3, 1)].map(|(number, port)| fdb.learn(key(number), port, secs(0)));
        assert_eq!(fdb.hasten_port(0, Duration::from_secs(15)), 2);
        let _ = fdb.learn(key(2), 0, secs(10));
        assert_eq!([1, 2, 3].map(|number| fdb.find(key(number), secs(15))), [None, Some(0), Some(1)]);
        assert_eq!(fdb.forget_port(0), 2);
    }
}
