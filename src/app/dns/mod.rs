//! DNS (RFC 1034, RFC 1035): who knows names, who asks for others, and the tools that show it.
//!
//! Messages and records are `wire::dns`'s, which are the `domain` crate's. What decides stands apart from what moves
//! messages, so that whatever a hostile network sends can be tried on the former alone.
//!
//! | file | what it holds |
//! |---|---|
//! | `zone` | a zone, read from a master file, and where a name is in it |
//! | `authority` | what an authority answers to a query |
//! | `columns` | messages as `dig` prints them |
//! | `dig`, `nslookup` | the tools of these names |
//! | `forger` | `dns-forger`, who lies |
//! | `question` | how the tools ask |
//! | `resolver` | `dns-resolver` |
//! | `serve` | port 53 over UDP and TCP |
//! | `server` | `dns-server` |
//! | `settings` | what a scenario says of them |

mod authority;
mod columns;
pub(crate) mod dig;
pub(crate) mod forger;
pub(crate) mod nslookup;
mod question;
pub(crate) mod resolver;
mod serve;
pub(crate) mod server;
mod settings;
mod zone;
