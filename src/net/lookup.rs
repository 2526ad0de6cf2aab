//! Hash tables for looking things up, and nothing else.
//!
//! Their order depends on the hash function, so they must never be walked; whatever is walked is in an arena, a vector
//! or a tree.

use std::net::SocketAddr;

/// A table from keys to values, with a hash function that is the same in every run.
#[derive(Debug)]
pub(crate) struct Lookup<K, V> {
    #[expect(clippy::disallowed_types, reason = "looked up only, never iterated; the hasher is fixed")]
    table: std::collections::HashMap<K, V, foldhash::fast::FixedState>,
}

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self { table: Default::default() }
    }
}

impl<K: Eq + std::hash::Hash, V: Copy> Lookup<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.table.get(key).copied()
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.table.contains_key(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.table.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.table.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.table.clear();
    }
}

/// The two ends of a connection, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}
