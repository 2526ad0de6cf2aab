//! TCP: smoltcp's engine, one connection at a time, and what it leaves open.
//!
//! ```text
//!                    ┌ flow known ──────────── connection: SocketSet of one ── Interface (shared)
//!  segment ─ inbound ┼ SYN, port listened at ─ new connection, if the backlog has room
//!                    └ else ────────────────── nobody's: the machine answers with a RST
//!
//!  connection ─ engine: MSS option, cutting, give-up, notes ─ Ip
//! ```
//!
//! `inbound` finds the connection and keeps from smoltcp what it would get wrong (a SYN in TIME-WAIT, RFC 1122
//! §4.2.2.13; a SYN in a synchronized state, RFC 9293 §3.10.7.4). `engine` lets it work and looks at what comes out.
//! `window` keeps windows from seeming to shrink. `open` opens and closes. [`TcpStream`] and [`TcpListener`] are what
//! programs hold.
//!
//! Left as smoltcp has it: TIME-WAIT lasts 10 s; the least retransmission timeout is 1 s; lost segments are found by
//! three duplicate acknowledgments or by the timeout, without SACK; a RST counts anywhere in the window.

mod connection;
mod engine;
mod eyeballs;
mod halves;
mod inbound;
mod listener;
mod open;
mod options;
mod phy;
mod segment;
mod shelf;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod track;
mod window;

pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use listener::{Incoming, TcpListener};
pub use segment::reset_reply;
pub use socket::TcpSocket;
pub use stream::TcpStream;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use self::connection::{Connection, state_name};
use self::options::Wishes;
use self::phy::LazyInterface;
use self::shelf::Shelf;
use super::arena::{Arena, Key};
use super::core::Wakers;
use super::lookup::{Flow, Lookup};
use super::ports::Ports;
use super::settings::TcpSettings;
use super::stack::SocketRow;
use crate::record::Value;
use crate::rng::Rng;
use crate::wire::Frame;

/// Everything that is TCP in a machine.
pub(crate) struct Tcp {
    settings: Arc<TcpSettings>,
    interface: LazyInterface,
    connections: Arena<Connection>,
    /// What connections that are over were made of.
    shelf: Shelf,
    flows: Lookup<Flow, Key>,
    listeners: Arena<Listener>,
    ports: Ports<Key>,
    /// Connections that a handle has given something to say, or to close.
    touched: VecDeque<Key>,
    /// Connections of listeners that are gone.
    abandoned: Vec<Key>,
    /// What smoltcp has just sent; empty between calls.
    sent: Vec<Frame>,
    /// The pieces of a segment that had to be cut; empty between calls.
    pieces: Vec<Frame>,
    counters: Counters,
}

/// A port at which connections are welcome.
#[derive(Debug)]
struct Listener {
    local: SocketAddr,
    /// It listens; otherwise it only holds its port.
    is_open: bool,
    backlog: usize,
    /// How its connections behave.
    wishes: Wishes,
    /// Those that are half open or wait to be accepted.
    pending: BTreeSet<Key>,
    /// Those that wait to be accepted, in the order in which they completed.
    ready: VecDeque<Key>,
    accepters: Wakers,
}

#[derive(Debug, Default)]
struct Counters {
    active_opens: u64,
    passive_opens: u64,
    failures: u64,
    backlog_full: u64,
    resets_received: u64,
    resets_sent: u64,
    segments_received: u64,
    segments_sent: u64,
    retransmissions: u64,
    polls: u64,
}

impl std::fmt::Debug for Tcp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tcp").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Tcp {
    pub(crate) fn new(seed: u64, settings: TcpSettings) -> Self {
        Self {
            settings: Arc::new(settings),
            interface: LazyInterface::new(Rng::stream(seed, "tcp isn").next_u64()),
            connections: Arena::default(),
            shelf: Shelf::default(),
            flows: Lookup::default(),
            listeners: Arena::default(),
            ports: Ports::new(seed, "tcp ports"),
            touched: VecDeque::new(),
            abandoned: Vec::new(),
            sent: Vec::new(),
            pieces: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// For connections that begin after this.
    pub(crate) fn set_settings(&mut self, settings: TcpSettings) {
        self.settings = Arc::new(settings);
    }

    /// Forgets every connection and listener, in silence.
    pub(crate) fn clear(&mut self) {
        self.connections.clear();
        self.flows.clear();
        self.listeners.clear();
        self.ports.clear();
        self.touched.clear();
        self.abandoned.clear();
    }

    /// Whether somebody has something to say.
    pub(crate) fn has_touched(&self) -> bool {
        !self.touched.is_empty() || !self.abandoned.is_empty()
    }

    /// What is called `tcp [::]:80 LISTEN`.
    pub(crate) fn listener_name(&self, key: Key) -> Option<String> {
        let listener = self.listeners.get(key)?;
        Some(format!("tcp {}{}", listener.local, if listener.is_open { " LISTEN" } else { "" }))
    }

    /// What is called `tcp 10.0.0.1:49152 > 10.0.0.2:80 ESTABLISHED`.
    pub(crate) fn connection_name(&self, key: Key) -> Option<String> {
        let connection = self.connections.get(key)?;
        let Flow { local, remote } = connection.flow;
        Some(format!("tcp {local} > {remote} {}", state_name(connection.state())))
    }

    /// A line for each listener, then for each connection, each kind by age.
    pub(crate) fn rows(&self) -> impl Iterator<Item = SocketRow> {
        let mut listeners: Vec<_> = self.listeners.iter().filter(|(_, listener)| listener.is_open).collect();
        listeners.sort_by_key(|(key, _)| *key);
        let mut connections: Vec<_> = self.connections.iter().filter(|(_, one)| !one.is_over).collect();
        connections.sort_by_key(|(key, _)| *key);
        let listeners = listeners.into_iter().map(|(_, listener)| SocketRow {
            protocol: "tcp",
            state: "LISTEN",
            receive_queue: listener.ready.len(),
            send_queue: listener.backlog,
            local: Some(listener.local),
            peer: None,
        });
        let connections = connections.into_iter().map(|(_, connection)| SocketRow {
            protocol: "tcp",
            state: state_name(connection.state()),
            receive_queue: connection.unread(),
            send_queue: connection.socket().send_queue(),
            local: Some(connection.flow.local),
            peer: Some(connection.flow.remote),
        });
        listeners.chain(connections)
    }

    pub(crate) fn counters(&self) -> Vec<(&'static str, Value)> {
        let counters = &self.counters;
        let connections = self.connections.iter().filter(|(_, one)| !one.is_over).count();
        vec![
            ("tcp.connections", connections.into()),
            ("tcp.active_opens", counters.active_opens.into()),
            ("tcp.passive_opens", counters.passive_opens.into()),
            ("tcp.failures", counters.failures.into()),
            ("tcp.backlog_full", counters.backlog_full.into()),
            ("tcp.resets_received", counters.resets_received.into()),
            ("tcp.resets_sent", counters.resets_sent.into()),
            ("tcp.segments_received", counters.segments_received.into()),
            ("tcp.segments_sent", counters.segments_sent.into()),
            ("tcp.retransmissions", counters.retransmissions.into()),
            ("tcp.polls", counters.polls.into()),
        ]
    }
}
