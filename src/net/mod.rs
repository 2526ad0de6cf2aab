//! A machine's sockets and the programs that use them.

pub mod ip;

pub use ip::{Ip, SendError};
