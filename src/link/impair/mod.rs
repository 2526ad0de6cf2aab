//! Impairments: what a link does to frames by chance.
//!
//! Each impairment is one file with one type, which looks at a frame and answers with a [`Fate`]. It draws from a
//! stream of its own that it is handed, knows nothing of queues or time to come, and never touches the frame.

use std::time::Duration;

use crate::rng::Rng;
use crate::time::Time;
use crate::wire::Frame;

/// What becomes of a frame: a small closed set, so that the pipe does the work once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// One bit is flipped: bit `bit` (7 is the highest) of byte `byte`, counted from the Ethernet header.
    Corrupt {
        /// Byte offset; taken modulo the frame's length.
        byte: u32,
        /// 0 to 7.
        bit: u8,
    },
    /// It arrives later, and what follows it stays behind it.
    Delay(Duration),
    /// It is lost.
    Drop,
    /// A copy arrives right behind it.
    Duplicate,
    /// It arrives later, and what follows may overtake it.
    HoldBack(Duration),
    /// Nothing happens to it.
    Pass,
}

/// Something that a link does to frames by chance.
pub trait Impairment: Send + std::fmt::Debug {
    /// Decides about one frame that enters the link now. Draws the same number of values whatever it decides, so that
    /// changing a chance does not move later draws.
    fn judge(&mut self, frame: &Frame, now: Time, rng: &mut Rng) -> Fate;
}
