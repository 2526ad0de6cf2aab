//! Things with keys that are never mistaken for one another.
//!
//! A handle may outlive what it stands for: a machine crashes while a program's variable still holds a socket. A key
//! therefore carries a serial number beside the place in the slab, and a stale key finds nothing.

use slab::Slab;

/// Where something is in an [`Arena`], and which of those that ever were there it is.
///
/// Keys order by age, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    serial: u64,
    index: usize,
}

impl Key {
    /// No younger than any.
    pub(crate) const OLDEST: Self = Self { serial: 0, index: 0 };
    /// No older than any.
    pub(crate) const YOUNGEST: Self = Self { serial: u64::MAX, index: usize::MAX };
}

/// A slab whose keys are good for one occupant only.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    slots: Slab<(u64, T)>,
    next_serial: u64,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Slab::new(), next_serial: 0 }
    }
}

impl<T> Arena<T> {
    /// Adds something.
    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Adds something that knows its key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        if self.slots.capacity() == 0 {
            // Often it stays the only one.
            self.slots.reserve_exact(1);
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let place = self.slots.vacant_entry();
        let key = Key { serial, index: place.key() };
        place.insert((serial, make(key)));
        key
    }

    /// What the key stands for, if it is still here.
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key.index).filter(|(serial, _)| *serial == key.serial).map(|(_, value)| value)
    }

    /// What the key stands for, if it is still here.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key.index).filter(|(serial, _)| *serial == key.serial).map(|(_, value)| value)
    }

    /// Takes out what the key stands for, if it is still here.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        Some(self.slots.remove(key.index).1)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Everything, by place: an order that the history of insertions and removals alone decides.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().map(|(index, (serial, value))| (Key { serial: *serial, index }, value))
    }

    /// Everything, in the order of [`iter`](Self::iter).
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.slots.iter_mut().map(|(index, (serial, value))| (Key { serial: *serial, index }, value))
    }

    /// Removes everything. Old keys stay stale.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_find_its_successor() {
        let mut arena = Arena::default();
        let first = arena.insert('a');
        assert_eq!(arena.remove(first), Some('a'));
        let second = arena.insert('b');
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!((arena.get(second), arena.len()), (Some(&'b'), 1));
    }
}
