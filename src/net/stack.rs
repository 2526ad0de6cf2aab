//! The machine's door to its sockets and programs.
use super::{Hosts, Ip, Program, TcpSettings};
use crate::id::AppId;
use crate::record::{Outbox, Value};
use crate::time::Time;
use crate::wire::Frame;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a stack needs to know of its machine.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// For initial sequence numbers, ephemeral ports, identifications and the programs' streams: drawn from a stream
    /// that is named after the machine.
    pub seed: u64,
    /// The machine's name.
    pub host_name: String,
    /// Names that programs can look up.
    pub hosts: Arc<Hosts>,
    /// How TCP behaves.
    pub settings: TcpSettings,
}

/// What became of a packet.
#[derive(Debug)]
pub enum Delivery {
    /// A socket has it, or the stack has dealt with it.
    Taken,
    /// No socket is there for it: the machine answers a TCP segment with [`reset_reply`](super::tcp::reset_reply), a
    /// UDP datagram with ICMP "port unreachable" (never one to a broadcast or multicast address), an ICMP echo request
    /// with a reply; then it recycles the packet.
    NobodyWants(Frame),
    /// It was dropped, with its cause.
    Dropped,
}

/// A line of a list as `ss -tan` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketRow {
    /// `tcp`, `udp`, `icmp`.
    pub protocol: &'static str,
    /// `LISTEN`, `ESTABLISHED`; `UNCONN` for UDP and ICMP without a peer.
    pub state: &'static str,
    /// Bytes that wait to be read; for a listener, connections that wait to be accepted.
    pub receive_queue: usize,
    /// Bytes that wait to be acknowledged; for a listener, its backlog.
    pub send_queue: usize,
    /// The near end; `None` for ICMP.
    pub local: Option<SocketAddr>,
    /// The far end, if there is one.
    pub peer: Option<SocketAddr>,
}

/// A machine's sockets and programs.
#[derive(Debug)]
pub struct Stack {}

impl Stack {
    /// A stack without sockets or programs.
    #[must_use]
    pub fn new(config: StackConfig) -> Self {
        let _ = config;
        todo!()
    }
    /// Installs a program; it does not run yet.
    pub fn add_program(&mut self, app: AppId, name: impl Into<String>, program: Program) {
        let _ = (app, name.into(), program);
        todo!()
    }
    /// Starts a program from its beginning; one that runs already is stopped first. It gets its first turn in the
    /// next [`run`](Self::run). False if there is no such program.
    pub fn start_program(&mut self, app: AppId, now: Time) -> bool {
        let _ = (app, now);
        todo!()
    }
    /// Ends a program where it stands. Its sockets close; what they then have to say is sent by the next
    /// [`poll_sockets`](Self::poll_sockets), which [`wake_at`](Self::wake_at) asks for. False if there is no such program.
    pub fn stop_program(&mut self, app: AppId, now: Time) -> bool {
        let _ = (app, now);
        todo!()
    }
    /// Hands over a whole, reassembled, verified IP packet that is for this machine.
    pub fn deliver(&mut self, packet: Frame, now: Time, ip: &mut dyn Ip, out: &mut Outbox) -> Delivery {
        let _ = (packet, now, ip, out);
        todo!()
    }
    /// Does what timers say is due.
    pub fn poll_sockets(&mut self, now: Time, ip: &mut dyn Ip, out: &mut Outbox) {
        let _ = (now, ip, out);
        todo!()
    }
    /// Lets programs run until none can go on, and gives the IP layer back.
    #[must_use]
    pub fn run(&mut self, now: Time, ip: Box<dyn Ip>, out: &mut Outbox) -> Box<dyn Ip> {
        let _ = (now, out);
        ip
    }
    /// Whether a program can go on: [`run`](Self::run) is wanted.
    #[must_use]
    pub fn has_ready_programs(&self) -> bool {
        todo!()
    }
    /// When [`poll_sockets`](Self::poll_sockets) is next wanted.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        todo!()
    }
    /// Forgets every socket and ends every program, in silence: the machine has lost its power.
    pub fn crash(&mut self, now: Time) {
        let _ = now;
        todo!()
    }
    /// How TCP behaves from now on, for connections that begin after this.
    pub fn set_settings(&mut self, settings: TcpSettings) {
        let _ = settings;
        todo!()
    }
    /// What a program has reported under `key`, or `state`, `started`, `elapsed`, `error`.
    #[must_use]
    pub fn outcome(&self, app: AppId, key: &str) -> Option<Value> {
        let _ = (app, key);
        todo!()
    }
    /// Everything that a program has reported, in a fixed order.
    #[must_use]
    pub fn outcomes(&self, app: AppId) -> Vec<(String, Value)> {
        let _ = app;
        todo!()
    }
    /// Every socket, as `ss -tan` lists them.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketRow> {
        todo!()
    }
    /// Every counter, by name.
    #[must_use]
    pub fn counters(&self) -> Vec<(String, Value)> {
        todo!()
    }
}
