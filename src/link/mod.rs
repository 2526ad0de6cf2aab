//! What lies between nodes.
//!
//! A link is two [`Pipe`]s, one for each direction. A frame that enters a pipe meets, in this order:
//!
//! ```text
//! queue (drop-tail) → transmitter (rate) → fault rules → impairments, as written → propagation delay → far port
//! ```
//!
//! Everything is decided when the frame enters, because with a drop-tail queue its departure is known then: one hop is
//! one event. An impairment ([`impair`]) answers with a [`Fate`]; a fault rule ([`fault`]) picks frames by a match
//! expression and an ordinal and hands out a `Fate` too; the pipe obeys. A frame that is lost has used the transmitter
//! all the same: it is lost on the way.
//!
//! What a scenario says of a link is read by [`spec`] and [`property`]; [`profile`] has typical links to start from.

mod counters;
pub mod crossing;
pub mod fault;
pub mod impair;
mod jury;
pub mod pipe;
pub mod profile;
pub mod property;
pub mod queue;
pub mod spec;
#[cfg(test)]
pub(crate) mod tests;

pub use counters::PipeCounters;
pub use crossing::{Lane, OnWay};
pub use fault::{FaultRule, Ordinal, Verb};
pub use impair::{Fate, Impairment};
pub use pipe::Pipe;
pub use profile::{PROFILES, Profile};
pub use property::Property;
pub use queue::{Queue, QueueLimit};
pub use spec::{
    LINK_FIELDS, PIPE_FIELDS, PipeProperties, PipeSpec, Placed, direction_key, read_link, read_pipe, rule_name,
    stream_name,
};
