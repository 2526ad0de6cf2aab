//! How a machine's programs come from names to addresses: the table of hosts, then name servers (RFC 1034 §5.3.1: a stub
//! resolver).
//!
//! | file | what it holds |
//! |---|---|
//! | `exchange` | one query to one server, and which answers count |
//! | `settings` | what `resolv.conf` says elsewhere |
//! | `stub` | search list, servers, repetitions |

mod exchange;
mod settings;
mod stub;

pub(crate) use exchange::{Reply, ask_by_tcp, ask_by_udp};
pub(crate) use settings::show;
pub use settings::{ResolverSettings, SERVERS_MAX};
