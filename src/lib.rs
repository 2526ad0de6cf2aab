//! hopwise
pub mod id;
pub mod time;
pub mod units;
pub mod rng;
pub mod wire;
pub mod read;
pub mod record;
pub mod filter;
pub mod link;
pub mod net;
pub mod node;
pub mod output;
