//! A machine's sockets and the programs that use them.
//!
//! ```text
//!   programs (async fn) ── Net: TcpListener, TcpStream, UdpSocket, RawSocket, sleep, lookup, log, report
//!        │ polled by the executor (first in, first out, virtual time)
//!   Stack ── demultiplexer ─┬─ TCP: one smoltcp socket, alone in its set, for each connection
//!        │                  ├─ UDP: queues of datagrams
//!        │                  └─ raw ICMP: copies of messages
//!   Ip (the machine's IP layer, lent while programs run)
//! ```
//!
//! smoltcp is the TCP engine and nothing else: its `Interface` sees a point-to-point IP device with an MTU of 65,535 and
//! one socket at a time, so the cost of a packet does not grow with the number of sockets. What smoltcp leaves open is
//! closed around it here: backlogs, giving up, the reasons of failures, local ports, ICMP errors, segments cut to the
//! path's MTU. Routes, neighbors, fragments and path MTU discovery are the machine's.

mod arena;
mod channel;
mod context;
pub mod control;
mod core;
mod errors;
mod executor;
mod hosts;
pub mod hyper;
pub mod icmp;
mod interface;
mod interval;
pub mod ip;
mod lookup;
mod membership;
mod owned;
mod packet;
mod ports;
mod program;
mod race;
mod raw;
pub(crate) mod resolve;
mod route;
mod settings;
mod stack;
mod task;
pub mod tcp;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timers;
mod udp;

pub(crate) use arena::{Arena, Key};
pub use channel::{CHANNEL_VALUES_MAX, CHANNELS_MAX, Channel};
pub use context::{Net, Sleep};
pub use hosts::Hosts;
pub use icmp::{IcmpError, IcmpKind, IcmpMessage, Quote, Reason};
pub use interface::{Egress, Interface, InterfaceWatch};
pub use interval::{Interval, MissedTicks};
pub use ip::{Ip, SendError};
pub(crate) use lookup::Lookup;
pub use ports::Local;
pub use program::{Program, ProgramError, ProgramFuture};
pub use race::{First, join_all, race, race_all};
pub use raw::{IpPacket, IpSocket, PacketSocket, Place, RawSocket, Seen, TAP_BUFFER};
pub use resolve::{ResolverSettings, SERVERS_MAX};
pub use route::{LearnedRoutes, NEXT_HOPS_MAX, NextHop, RouteChange, RouteOwner, RouteProtocol};
pub use settings::{Congestion, Recovery, TcpSettings};
pub use stack::{Delivery, SocketRow, Stack, StackConfig};
pub use task::{JoinError, JoinHandle};
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::{Datagram, UdpSocket};
