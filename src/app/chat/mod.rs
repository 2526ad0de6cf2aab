//! A chat: one server, many clients, lines of text over TCP.
//!
//! ```text
//!  client > alice                  the first line is the name
//!  client < * alice has joined, 2 here
//!  client > hello
//!  client < <alice> hello          to everybody, whoever said it
//!  client > /quit
//! ```
//!
//! What everybody is told waits in a mailbox for each client, which is bounded: a server that waited for its slowest
//! client would be as slow as that for all, and one that kept everything would run out of memory. Whose mailbox is full
//! has to go.

pub(super) mod client;
mod room;
pub(super) mod server;
