//! hopwise
pub mod expect;
pub mod filter;
pub mod id;
pub mod link;
pub mod net;
pub mod network;
pub mod node;
pub mod output;
pub mod read;
pub mod record;
pub mod rng;
pub mod time;
pub mod units;
pub mod wire;
