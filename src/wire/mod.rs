//! Frames and packets: what they are made of, how to look at them, how to edit them.
//!
//! Formats come from `smoltcp::wire`; what is here only *looks* (a [`View`], a [`Flow`], a one-line summary) and
//! *edits* (in place, one function each). Nothing here decides anything.

pub mod anatomy;
pub mod bpdu;
pub mod conversation;
pub mod dhcp;
pub mod dns;
pub mod flow;
pub mod frame;
pub(crate) mod http;
pub mod ntp;
pub mod ospf;
pub mod pool;
pub mod rip;
pub mod summary;
pub(crate) mod tls;
pub mod verify;
pub mod view;
pub mod vlan;

pub use anatomy::{Anatomy, Known};
pub use conversation::{Conversations, Relative};
pub use flow::{Flow, Ports};
pub use frame::{Checksum, Frame, Layer};
pub use pool::Pool;
pub use summary::{Numeric, Resolve, Summary, summarize};
pub use view::View;
