//! Frames and packets: what they are made of, how to look at them, how to edit them.
//!
//! Formats come from `smoltcp::wire`; what is here only *looks* (a [`Flow`](flow::Flow), a one-line summary) and
//! *edits* (in place, one function each). Nothing here decides anything.

pub mod frame;
pub mod pool;

pub use frame::{Checksum, Frame, Layer};
pub use pool::Pool;
