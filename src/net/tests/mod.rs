//! Programs, UDP and raw sockets over the lab's wire.

mod datagrams;
mod programs;
