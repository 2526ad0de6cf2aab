//! How many frames may wait for the transmitter.
//!
//! The queue is drop-tail: a newcomer that finds no room is dropped. The frame that is being clocked out does not wait
//! and does not count. Because the discipline never changes its mind, a frame's departure is known when it enters, and
//! the queue is only a list of when each waiting frame begins to be sent.

use std::collections::VecDeque;

use crate::time::Time;

/// What a queue is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueLimit {
    /// At most this many bytes of waiting frames.
    Bytes(u64),
    /// At most this many waiting frames. Zero: only an idle transmitter accepts.
    Packets(u64),
}

impl Default for QueueLimit {
    /// 1000 frames: what Linux gives an Ethernet interface.
    fn default() -> Self {
        Self::Packets(1000)
    }
}

/// A frame that waits: when it begins to be sent, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// When the transmitter begins with it.
    pub begins_at: Time,
    /// Its length in bytes, link header included.
    pub bytes: u64,
}

/// The frames that wait for one transmitter.
#[derive(Debug, Default)]
pub struct Queue {
    /// What it may hold.
    pub limit: QueueLimit,
    waiting: VecDeque<Waiting>,
    bytes: u64,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(limit: QueueLimit) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Lets go of the frames whose transmission has begun by `now`.
    pub fn advance(&mut self, now: Time) {
        while let Some(first) = self.waiting.front().filter(|first| first.begins_at <= now) {
            self.bytes -= first.bytes;
            self.waiting.pop_front();
        }
    }

    /// Whether a frame of `bytes` bytes may wait.
    #[must_use]
    pub fn has_room(&self, bytes: u64) -> bool {
        match self.limit {
            QueueLimit::Bytes(most) => self.bytes + bytes <= most,
            QueueLimit::Packets(most) => (self.waiting.len() as u64) < most,
        }
    }

    /// Adds a frame behind the others.
    pub fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes;
        self.waiting.push_back(waiting);
    }

    /// Forgets all that waits.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }

    /// The waiting frames, first to be sent first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.waiting.iter_mut()
    }

    /// How many frames wait.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(begins_at: u64, bytes: u64) -> Waiting {
        Waiting { begins_at: Time::from_nanos(begins_at), bytes }
    }

    #[test]
    fn a_queue_counted_in_packets_takes_exactly_that_many() {
        let mut queue = Queue::new(QueueLimit::Packets(2));
        queue.push(waiting(10, 100));
        assert!(queue.has_room(9000));
        queue.push(waiting(20, 100));
        assert!(!queue.has_room(1));
        queue.advance(Time::from_nanos(10));
        assert!(queue.has_room(1) && queue.packets() == 1);
    }

    #[test]
    fn a_queue_counted_in_bytes_takes_exactly_that_many() {
        let mut queue = Queue::new(QueueLimit::Bytes(300));
        queue.push(waiting(10, 100));
        assert!(queue.has_room(200) && !queue.has_room(201));
    }
}
