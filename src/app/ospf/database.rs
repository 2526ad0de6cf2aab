//! The link state database: the newest instance of every advertisement, and how old each is (RFC 2328 §12.2, §14).

use std::collections::BTreeMap;

use crate::time::Time;
use crate::wire::ospf::lsa::{Content, Lsa, LsaHeader, LsaKey, MAX_AGE};

/// How many advertisements are kept; those of others beyond that are not taken until there is room.
pub(super) const LSAS_MAX: usize = 20_000;

/// How many bytes all of them may have together.
pub(super) const BYTES_MAX: usize = 16 << 20;

/// An advertisement in the database.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// As it came or was made; its header's age is that of `since`.
    lsa: Lsa,
    /// What it says, read once.
    pub(super) content: Content,
    since: Time,
    /// When it came from a neighbor; `None`: it is the router's own.
    pub(super) arrived_at: Option<Time>,
    /// When it was last sent to somebody who had an older one.
    pub(super) corrected_at: Option<Time>,
}

/// The newest instance of every advertisement, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Database {
    lsas: BTreeMap<LsaKey, Stored>,
    bytes: usize,
}

impl Stored {
    /// How old it is, in seconds, never more than [`MAX_AGE`].
    pub(super) fn age(&self, now: Time) -> u16 {
        let older = u16::try_from(now.since(self.since).as_secs()).unwrap_or(MAX_AGE);
        self.lsa.header.age.saturating_add(older).min(MAX_AGE)
    }

    /// Its header, as old as it is.
    pub(super) fn header(&self, now: Time) -> LsaHeader {
        LsaHeader { age: self.age(now), ..self.lsa.header }
    }

    /// All of it, as old as it is once it has crossed a link. §13.3: the age is advanced by InfTransDelay, here one second.
    pub(super) fn to_send(&self, now: Time) -> Lsa {
        let header = LsaHeader { age: (self.age(now) + 1).min(MAX_AGE), ..self.lsa.header };
        Lsa { header, body: self.lsa.body.clone() }
    }

    pub(super) fn len(&self) -> usize {
        self.lsa.len()
    }

    /// Whether `other` says the same: then paths need not be found anew (§13.2).
    pub(super) fn says_the_same(&self, other: &Lsa, now: Time) -> bool {
        let (was_good, is_good) = (self.age(now) < MAX_AGE, other.header.age < MAX_AGE);
        was_good == is_good && self.lsa.header.options == other.header.options && self.lsa.body == other.body
    }

    /// Makes it as old as it can be: it is to be forgotten by everybody.
    pub(super) fn end(&mut self, now: Time) {
        (self.lsa.header.age, self.since) = (MAX_AGE, now);
    }
}

impl Database {
    pub(super) fn get(&self, key: &LsaKey) -> Option<&Stored> {
        self.lsas.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &LsaKey) -> Option<&mut Stored> {
        self.lsas.get_mut(key)
    }

    /// Whether an advertisement can be put.
    pub(super) fn has_room_for(&self, lsa: &Lsa) -> bool {
        let old = self.lsas.get(&lsa.header.key).map(Stored::len);
        self.bytes + lsa.len() - old.unwrap_or(0) <= BYTES_MAX && (old.is_some() || self.lsas.len() < LSAS_MAX)
    }

    /// Puts an instance in place of the one that was there.
    pub(super) fn put(&mut self, lsa: Lsa, content: Content, arrived_at: Option<Time>, now: Time) {
        self.remove(&lsa.header.key);
        self.bytes += lsa.len();
        let key = lsa.header.key;
        self.lsas.insert(key, Stored { lsa, content, since: now, arrived_at, corrected_at: None });
    }

    pub(super) fn remove(&mut self, key: &LsaKey) {
        if let Some(old) = self.lsas.remove(key) {
            self.bytes -= old.len();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&LsaKey, &Stored)> {
        self.lsas.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.lsas.len()
    }
}
