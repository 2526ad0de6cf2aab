//! Buffers that are used again.
//!
//! A frame takes its bytes from a [`Pool`] and its last owner gives them back, so that in the steady state no hop
//! allocates. A buffer keeps room in front of its contents: a header is put on or taken off by moving one index.

/// Bytes with room in front.
///
/// ```text
/// data:  [ headroom | contents | unused ]
///                   ^start     ^end
/// ```
#[derive(Debug, Clone, Default)]
pub struct Buffer {
    data: Vec<u8>,
    // Half as wide as usual: a frame fits a line of the processor's cache.
    start: u32,
    end: u32,
}

/// Room in front of a packet for an Ethernet header (14 bytes) and a VLAN tag (4), rounded up.
pub const HEADROOM: usize = 32;

/// What a fresh buffer can hold beside its headroom: a full Ethernet frame, and what keeps the sum a power of two.
const CAPACITY: usize = 2048;

/// How many idle buffers a pool keeps; beyond that they are freed.
const POOL_BUFFERS_MAX: usize = 65_536;

impl Buffer {
    /// The contents.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data[self.start as usize..self.end as usize]
    }

    /// The contents, to be edited in place.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.data[self.start as usize..self.end as usize]
    }

    /// How many bytes the contents are.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are no contents.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Puts `count` bytes in front of the contents; what they hold is unspecified.
    pub fn grow_front(&mut self, count: usize) {
        let count = index(count);
        if self.start < count {
            // Rare: more headers than the headroom allows for.
            let missing = count - self.start;
            self.data.splice(0..0, std::iter::repeat_n(0, missing as usize));
            self.start += missing;
            self.end += missing;
        }
        self.start -= count;
    }

    /// Takes up to `count` bytes off the front.
    pub fn shrink_front(&mut self, count: usize) {
        self.start = self.start.saturating_add(index(count)).min(self.end);
    }

    /// Cuts the contents to at most `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.end = self.end.min(self.start.saturating_add(index(length)));
    }

    /// Makes the contents `length` bytes long; what new bytes hold is unspecified.
    pub fn resize(&mut self, length: usize) {
        let end = self.start + index(length);
        if self.data.len() < end as usize {
            self.data.resize(end as usize, 0);
        }
        self.end = end;
    }
}

/// A place in a buffer. Nothing on a network is longer than a 32-bit number counts.
fn index(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX / 2)
}

/// Idle buffers, ready to be filled again.
#[derive(Debug, Default)]
pub struct Pool {
    idle: Vec<Vec<u8>>,
}

impl Pool {
    /// A buffer of `length` bytes of unspecified contents, with [`HEADROOM`] in front.
    pub fn take(&mut self, length: usize) -> Buffer {
        let mut data = self.idle.pop().unwrap_or_default();
        let end = HEADROOM + length;
        if data.len() < end {
            data.resize(end.max(CAPACITY), 0);
        }
        Buffer { data, start: index(HEADROOM), end: index(end) }
    }

    /// A buffer that holds a copy of `bytes`.
    pub fn copy(&mut self, bytes: &[u8]) -> Buffer {
        let mut buffer = self.take(bytes.len());
        buffer.bytes_mut().copy_from_slice(bytes);
        buffer
    }

    /// How many buffers are idle: with nothing under way, as many as were ever made.
    #[must_use]
    pub fn idle_count(&self) -> usize {
        self.idle.len()
    }

    /// Moves idle buffers to another pool, `most` at most; how many.
    pub fn move_to(&mut self, other: &mut Self, most: usize) -> usize {
        let count = most.min(self.idle.len());
        other.idle.extend(self.idle.drain(self.idle.len() - count..));
        count
    }

    /// Takes a buffer back.
    pub fn give(&mut self, buffer: Buffer) {
        if buffer.data.capacity() > 0 && self.idle.len() < POOL_BUFFERS_MAX {
            self.idle.push(buffer.data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_goes_on_and_off_without_moving_the_rest() {
        let mut pool = Pool::default();
        let mut buffer = pool.copy(b"packet");
        buffer.grow_front(14);
        buffer.bytes_mut()[..14].fill(7);
        assert_eq!(&buffer.bytes()[14..], b"packet");
        buffer.shrink_front(14);
        assert_eq!(buffer.bytes(), b"packet");
    }

    #[test]
    fn more_headers_than_headroom_still_fit() {
        let mut buffer = Pool::default().copy(b"x");
        for _ in 0..5 {
            buffer.grow_front(20);
        }
        assert_eq!((buffer.bytes().len(), buffer.bytes()[100]), (101, b'x'));
    }

    #[test]
    fn a_buffer_that_is_given_back_is_used_again() {
        let mut pool = Pool::default();
        let buffer = pool.copy(&[1; 1500]);
        let address = buffer.bytes().as_ptr();
        pool.give(buffer);
        assert_eq!(pool.take(9).bytes().as_ptr(), address);
    }
}
