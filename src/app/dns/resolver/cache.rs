//! What a resolver knows by heart, until its time is over.
//!
//! Sets of records, and that there are none; each with how far it is to be trusted (RFC 2181 §5.4.1), so that what a
//! referral mentions in passing neither replaces nor passes for what an authority has answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use domain::base::Ttl;
use domain::base::iana::Rtype;

use crate::time::Time;
use crate::wire::dns::{Data, Name, Record, data_text, name_text, type_word};

/// How far something is to be trusted; later is further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// An address that a referral came with.
    Glue,
    /// The name servers that a referral named.
    Referral,
    /// An authority's answer.
    Answer,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// There is no such name (any type), or no record of this type; with the zone's SOA record.
    Nothing {
        soa: Record,
    },
    Records(Vec<Record>),
}

/// What is known of what: a type, or with `None` that the name is not there at all.
type Key = (Name, Option<Rtype>);

#[derive(Debug, Clone)]
struct Entry {
    known: Known,
    trust: Trust,
    expires_at: Time,
}

/// How long things are kept, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) entries: usize,
    pub(super) positive_for: Duration,
    pub(super) negative_for: Duration,
}

/// The cache.
#[derive(Debug)]
pub(super) struct Cache {
    limits: Limits,
    entries: BTreeMap<Key, Entry>,
    /// The same keys by their end.
    ends: BTreeSet<(Time, Key)>,
    /// How many were thrown out before their time, to make room.
    pub(super) evicted: u64,
}

impl Cache {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, entries: BTreeMap::new(), ends: BTreeSet::new(), evicted: 0 }
    }

    /// How many sets, and absences of sets, are known.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    fn clear(&mut self) {
        self.entries.clear();
        self.ends.clear();
    }

    /// Takes in a set: records of one owner and type. What is trusted further stays.
    pub(super) fn put(&mut self, records: Vec<Record>, trust: Trust, now: Time) {
        let Some(first) = records.first() else { return };
        let key = (first.owner().clone(), Some(first.rtype()));
        // RFC 2181 §5.2: of a set whose TTLs differ, the least is taken.
        let ttl = records.iter().map(|record| record.ttl().as_secs()).min().unwrap_or(0);
        let live_for = seconds(ttl).min(self.limits.positive_for);
        if trust == Trust::Answer {
            // What is there is there, whatever was said before.
            self.forget(&(key.0.clone(), None));
        }
        self.insert(key, Entry { known: Known::Records(records), trust, expires_at: now + live_for }, now);
    }

    /// Takes in that a name (with `None`), or a type of it, is not there.
    pub(super) fn put_nothing(&mut self, name: Name, rtype: Option<Rtype>, soa: Record, now: Time) {
        let Data::Soa(data) = soa.data() else { return };
        // RFC 2308 §5: "Like normal answers negative answers have a time to live (TTL)"; it is "the minimum of the MINIMUM
        // field of the SOA record and the TTL of the SOA itself" (§3).
        let ttl = soa.ttl().as_secs().min(data.minimum().as_secs());
        let live_for = seconds(ttl).min(self.limits.negative_for);
        let entry = Entry { known: Known::Nothing { soa }, trust: Trust::Answer, expires_at: now + live_for };
        self.insert((name, rtype), entry, now);
    }

    fn insert(&mut self, key: Key, entry: Entry, now: Time) {
        if entry.expires_at <= now || self.limits.entries == 0 {
            // RFC 1035 §3.2.1: "Zero values are interpreted to mean that the RR can only be used for the transaction in
            // progress, and should not be cached."
            return;
        }
        if self.entries.get(&key).is_some_and(|old| old.expires_at > now && old.trust > entry.trust) {
            return;
        }
        self.forget(&key);
        while self.entries.len() >= self.limits.entries {
            let Some((end, soonest)) = self.ends.pop_first() else { break };
            self.entries.remove(&soonest);
            self.evicted += u64::from(end > now);
        }
        self.ends.insert((entry.expires_at, key.clone()));
        self.entries.insert(key, entry);
    }

    fn forget(&mut self, key: &Key) {
        if let Some(old) = self.entries.remove(key) {
            self.ends.remove(&(old.expires_at, key.clone()));
        }
    }

    /// What is known, trusted at least so far, with the time that is left of it.
    pub(super) fn get(&self, name: &Name, rtype: Option<Rtype>, trust: Trust, now: Time) -> Option<Known> {
        let entry = self.entries.get(&(name.clone(), rtype))?;
        if entry.expires_at <= now || entry.trust < trust {
            return None;
        }
        // Whole seconds, as `dig` at a resolver counts them down.
        let left = u32::try_from(entry.expires_at.since(now).as_secs()).unwrap_or(u32::MAX);
        let aged = |record: &Record| {
            let mut record = record.clone();
            record.set_ttl(Ttl::from_secs(left));
            record
        };
        Some(match &entry.known {
            Known::Nothing { soa } => Known::Nothing { soa: aged(soa) },
            Known::Records(records) => Known::Records(records.iter().map(aged).collect()),
        })
    }

    /// The records that are known of a name and type, trusted at least so far.
    pub(super) fn records(&self, name: &Name, rtype: Rtype, trust: Trust, now: Time) -> Vec<Record> {
        match self.get(name, Some(rtype), trust, now) {
            Some(Known::Records(records)) => records,
            _ => Vec::new(),
        }
    }

    /// What is known, a line for each record: what is left of its time, and where it is from if it is no answer.
    pub(super) fn show(&self, now: Time) -> String {
        let mut text = String::new();
        for ((name, rtype), entry) in self.entries.iter().filter(|(_, entry)| entry.expires_at > now) {
            let (name, left) = (name_text(name), entry.expires_at.since(now).as_secs());
            // Writing into a string does not fail.
            let _ = match (&entry.known, rtype) {
                (Known::Nothing { .. }, None) => writeln!(text, "{name} {left} no such name"),
                (Known::Nothing { .. }, Some(rtype)) => writeln!(text, "{name} {left} no {}", type_word(*rtype)),
                (Known::Records(records), _) => {
                    let from = match entry.trust {
                        Trust::Answer => "",
                        Trust::Glue => "  ; glue",
                        Trust::Referral => "  ; referral",
                    };
                    records.iter().try_for_each(|record| {
                        let (word, data) = (type_word(record.rtype()), data_text(record.data()));
                        writeln!(text, "{name} {left} {word} {data}{from}")
                    })
                }
            };
        }
        text
    }
}

fn seconds(ttl: u32) -> Duration {
    // RFC 2181 §8: a TTL is 31 bits; "Implementations should treat TTL values received with the most significant bit set
    // as if the entire value received was zero."
    Duration::from_secs(if ttl > i32::MAX.unsigned_abs() { 0 } else { ttl.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use domain::base::Name as DomainName;
    use domain::base::Serial;
    use domain::base::iana::Class;
    use domain::rdata::{A, Soa};
    use std::str::FromStr;

    const LIMITS: Limits =
        Limits { entries: 3, positive_for: Duration::from_secs(86_400), negative_for: Duration::from_secs(10_800) };

    fn name(text: &str) -> Name {
        DomainName::<Bytes>::from_str(text).unwrap()
    }

    fn a(owner: &str, ttl: u32, last: u8) -> Record {
        Record::new(name(owner), Class::IN, Ttl::from_secs(ttl), A::from_octets(10, 0, 0, last).into())
    }

    fn soa(ttl: u32, minimum: u32) -> Record {
        let times = [1, 1, 1, minimum].map(Ttl::from_secs);
        let [refresh, retry, expire, minimum] = times;
        let data = Soa::new(name("ns"), name("me"), Serial::from(1), refresh, retry, expire, minimum);
        Record::new(name("example"), Class::IN, Ttl::from_secs(ttl), data.into())
    }

    fn left(cache: &Cache, owner: &str, at: u64) -> Option<u32> {
        let records = cache.records(&name(owner), Rtype::A, Trust::Glue, Time::from_secs(at));
        records.first().map(|record| record.ttl().as_secs())
    }

    #[test]
    fn a_set_is_known_until_its_time_is_over_and_the_time_runs_down() {
        let mut cache = Cache::new(LIMITS);
        cache.put(vec![a("www.example", 300, 1), a("www.example", 200, 2)], Trust::Answer, Time::from_secs(10));
        assert_eq!(left(&cache, "WWW.Example", 10), Some(200));
        assert_eq!(left(&cache, "www.example", 209), Some(1));
        assert_eq!(left(&cache, "www.example", 210), None);
        assert_eq!(left(&cache, "example", 10), None);
    }

    #[test]
    fn a_ttl_of_zero_and_one_with_its_highest_bit_set_are_not_kept() {
        let mut cache = Cache::new(LIMITS);
        cache.put(vec![a("zero.example", 0, 1)], Trust::Answer, Time::ZERO);
        cache.put(vec![a("huge.example", u32::MAX, 1)], Trust::Answer, Time::ZERO);
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn glue_does_not_replace_an_answer_nor_pass_for_one() {
        let mut cache = Cache::new(LIMITS);
        cache.put(vec![a("ns.example", 300, 1)], Trust::Glue, Time::ZERO);
        assert_eq!(cache.get(&name("ns.example"), Some(Rtype::A), Trust::Answer, Time::ZERO), None);
        cache.put(vec![a("ns.example", 100, 2)], Trust::Answer, Time::ZERO);
        cache.put(vec![a("ns.example", 300, 3)], Trust::Glue, Time::ZERO);
        assert_eq!(left(&cache, "ns.example", 0), Some(100));
        // Until the answer's time is over.
        cache.put(vec![a("ns.example", 300, 3)], Trust::Glue, Time::from_secs(100));
        assert_eq!(left(&cache, "ns.example", 100), Some(300));
    }

    #[test]
    fn that_there_is_nothing_is_known_for_the_least_of_ttl_minimum_and_three_hours() {
        let mut cache = Cache::new(LIMITS);
        for (ttl, minimum, ends) in [(900, 300, 300), (200, 300, 200), (100_000, 100_000, 10_800)] {
            cache.put_nothing(name("no.example"), None, soa(ttl, minimum), Time::ZERO);
            let at = |at| cache.get(&name("no.example"), None, Trust::Answer, Time::from_secs(at)).is_some();
            assert_eq!((at(ends - 1), at(ends)), (true, false));
            cache.clear();
        }
    }

    #[test]
    fn a_name_that_turns_up_is_no_longer_known_to_be_missing() {
        let mut cache = Cache::new(LIMITS);
        cache.put_nothing(name("www.example"), None, soa(300, 300), Time::ZERO);
        cache.put(vec![a("www.example", 60, 1)], Trust::Answer, Time::ZERO);
        assert_eq!(cache.get(&name("www.example"), None, Trust::Answer, Time::ZERO), None);
    }

    #[test]
    fn a_full_cache_gives_up_what_would_end_first_and_counts_it() {
        let mut cache = Cache::new(LIMITS);
        for (owner, ttl) in [("a.example", 300), ("b.example", 100), ("c.example", 200), ("d.example", 400)] {
            cache.put(vec![a(owner, ttl, 1)], Trust::Answer, Time::ZERO);
        }
        assert_eq!((cache.len(), cache.evicted), (3, 1));
        assert_eq!(left(&cache, "b.example", 0), None);
        // What is over anyhow is no loss.
        cache.put(vec![a("e.example", 300, 1)], Trust::Answer, Time::from_secs(250));
        assert_eq!((cache.len(), cache.evicted, cache.ends.len()), (3, 1, 3));
    }

    #[test]
    fn the_view_tells_what_is_known_and_from_whom() {
        let mut cache = Cache::new(LIMITS);
        cache.put(vec![a("ns.example", 300, 1)], Trust::Glue, Time::ZERO);
        cache.put(vec![a("www.example", 60, 2)], Trust::Answer, Time::ZERO);
        cache.put_nothing(name("no.example"), None, soa(30, 300), Time::ZERO);
        let text = cache.show(Time::from_secs(1));
        assert_eq!(
            text,
            "no.example. 29 no such name\nns.example. 299 A 10.0.0.1  ; glue\nwww.example. 59 A 10.0.0.2\n"
        );
    }
}
