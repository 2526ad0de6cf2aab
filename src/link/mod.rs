//! What lies between nodes.
//!
//! A link is two [`Pipe`]s, one for each direction. A frame that enters a pipe meets, in this order:
//!
//! ```text
//! queue (drop-tail) → transmitter (rate) → impairments and fault rules, as written → propagation delay → far port
//! ```
//!
//! Everything is decided when the frame enters, because with a drop-tail queue its departure is known then: one hop is
//! one event. An impairment ([`impair`]) answers with a [`Fate`]; a fault rule ([`fault`]) picks frames by a match
//! expression and an ordinal and hands out a `Fate` too; the pipe obeys.

pub mod fault;
pub mod impair;
pub mod pipe;
pub mod queue;

pub use fault::{FaultRule, Ordinal, Verb};
pub use impair::{Fate, Impairment};
pub use pipe::{Pipe, PipeCounters, PipeSpec};
pub use queue::{Queue, QueueLimit};
