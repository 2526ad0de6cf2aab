//! What the network has taught about destinations, each believed until a time: path MTUs and redirects, of both versions.
//!
//! The table is bounded; a lesson too many pushes out the one that ends soonest. It knows no timers: whoever has them is
//! told which one is not needed any more.

use std::collections::BTreeMap;

use crate::time::Time;

/// Lessons by destination, at most so many.
#[derive(Debug)]
pub(super) struct Lessons<A, L, const MOST: usize> {
    lessons: BTreeMap<A, (Time, L)>,
}

impl<A, L, const MOST: usize> Default for Lessons<A, L, MOST> {
    fn default() -> Self {
        Self { lessons: BTreeMap::new() }
    }
}

impl<A: Copy + Ord, L, const MOST: usize> Lessons<A, L, MOST> {
    /// What was learned about a destination.
    pub(super) fn get(&self, destination: A) -> Option<&L> {
        // Mostly empty.
        if self.lessons.is_empty() {
            return None;
        }
        self.lessons.get(&destination).map(|(_, lesson)| lesson)
    }

    /// Every lesson and when it ends, by destination.
    pub(super) fn iter(&self) -> impl Iterator<Item = (A, &L, Time)> {
        self.lessons.iter().map(|(destination, (until, lesson))| (*destination, lesson, *until))
    }

    /// Learns; what had been learned about the same destination, or what had to make room, is forgotten: when that would
    /// have ended, and which it was.
    pub(super) fn learn(&mut self, destination: A, lesson: L, until: Time) -> Option<(Time, A)> {
        let old = self.lessons.insert(destination, (until, lesson)).map(|(until, _)| (until, destination));
        if old.is_some() || self.lessons.len() <= MOST {
            return old;
        }
        let others = self.lessons.iter().filter(|(other, _)| **other != destination);
        let soonest = others.map(|(other, (until, _))| (*until, *other)).min()?;
        self.lessons.remove(&soonest.1);
        Some(soonest)
    }

    /// Forgets a lesson: when it would have ended, if there was one.
    pub(super) fn forget(&mut self, destination: A) -> Option<Time> {
        self.lessons.remove(&destination).map(|(until, _)| until)
    }

    /// Forgets everything. Who calls this has dropped the timers too.
    pub(super) fn clear(&mut self) {
        self.lessons.clear();
    }
}
