//! Which connections are known, and what a packet is to them.
//!
//! As Linux's connection tracking has it, with one difference: a TCP segment that belongs to nothing and is no SYN is
//! invalid, never new. A connection is kept under the flow of its first packet; its answers are that flow reversed. What has
//! expired is forgotten when somebody looks, or when room is needed: nothing of it is to be seen before.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use smoltcp::wire::{IpProtocol, TcpPacket};

use super::super::middle::{ESTABLISHED_FOR, Seen, Segment, TRANSITORY_FOR, Way};
use super::spec::State;
use crate::net::{Arena, Key, Lookup};
use crate::time::Time;
use crate::wire::view::Ip;
use crate::wire::{Flow, Ports};

/// How long the answer to a datagram is waited for, and how long it may then be silent. RFC 6092 REC-14: "A state record
/// for a UDP flow [...] MUST NOT expire in less than two minutes", and five "or more" are recommended.
const UDP_FOR: Duration = Duration::from_secs(300);

/// The same for pings and what has no ports. RFC 5508 REQ-2 has 60 s for the former.
const OTHERS_FOR: Duration = Duration::from_secs(60);

/// Where ICMP messages have the beginning of the packet that they are about.
const QUOTE_AT: usize = 8;

/// What a packet is to the connections that are known, before anything is decided about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracking {
    pub(super) state: State,
    /// Which connection, if it is known; which way the packet goes.
    known: Option<(Key, Way)>,
    flow: Flow,
    segment: Segment,
    /// It begins a connection if it is accepted.
    begins: bool,
}

#[derive(Debug)]
struct Connection {
    /// Of its first packet.
    flow: Flow,
    tcp: Option<Seen>,
    is_answered: bool,
    expires_at: Time,
    /// Its entry among the timers; never later than `expires_at`.
    due_at: Time,
}

/// All connections that are known.
#[derive(Debug, Default)]
pub(super) struct Connections {
    connections: Arena<Connection>,
    by_flow: Lookup<Flow, Key>,
    due: BTreeSet<(Time, Key)>,
}

impl Connections {
    /// What a packet is to what is known; `is_own` if this machine has made it.
    pub(super) fn look(&self, ip: &Ip<'_>, is_own: bool, now: Time) -> Tracking {
        let flow = Flow::of_packet(ip);
        let segment = match ip.transport(IpProtocol::Tcp).map(TcpPacket::new_checked) {
            Some(Ok(tcp)) => Segment::of(&tcp),
            _ => Segment::NONE,
        };
        let kind = kind_of(ip);
        let opens = ip.protocol == IpProtocol::Tcp && segment.is_syn && !segment.is_ack;
        // A SYN into what is over begins anew, from whichever side it comes.
        let is_over =
            |key: &Key| self.connections.get(*key).and_then(|connection| connection.tcp).is_some_and(Seen::is_over);
        let known = self.find(flow, &kind, now).filter(|(key, _)| !(opens && is_over(key)));
        let base = Tracking { state: State::New, known, flow, segment, begins: false };
        if let Some((key, way)) = known {
            let is_answered = self.connections.get(key).is_some_and(|connection| connection.is_answered);
            let state = if way == Way::Back || is_answered { State::Established } else { State::New };
            return Tracking { state, ..base };
        }
        match kind {
            Kind::Asks => Tracking { begins: true, ..base },
            Kind::Begins => {
                let can_begin = ip.protocol != IpProtocol::Tcp || opens;
                let state = if can_begin { State::New } else { State::Invalid };
                Tracking { state, begins: can_begin, ..base }
            }
            // It may be about a packet that went no further than here, and so was never accepted.
            Kind::Error if is_own => Tracking { state: State::Related, ..base },
            Kind::Error => {
                let about = ip.payload.get(QUOTE_AT..).and_then(Flow::of_ip);
                // It is for whoever sent what it is about; otherwise who knows of one connection could write to everybody.
                let about = about.filter(|about| about.source == ip.destination);
                let is_known = about.is_some_and(|about| self.find(about, &Kind::Begins, now).is_some());
                Tracking { state: if is_known { State::Related } else { State::Invalid }, ..base }
            }
            Kind::Answers => Tracking { state: State::Invalid, ..base },
            // Of the link rather than of a connection: neighbor discovery, router advertisements.
            Kind::Single => base,
        }
    }

    /// The packet is accepted: its connection goes on, or begins. `Err` if there is no room for it.
    pub(super) fn accept(&mut self, tracking: Tracking, most: usize, now: Time) -> Result<(), ()> {
        let (key, way) = match tracking.known {
            Some(known) => known,
            None if !tracking.begins => return Ok(()),
            None => {
                self.forget_expired(now);
                for flow in [tracking.flow, tracking.flow.reversed()] {
                    // What was over, or what has the same name by chance: of two pings that cross, both are kept.
                    if let Some(key) = self.by_flow.get(&flow).filter(|_| tracking.segment.is_syn) {
                        self.forget(key);
                    }
                }
                if self.connections.len() >= most {
                    return Err(());
                }
                let tcp = (tracking.flow.protocol == IpProtocol::Tcp).then(Seen::default);
                let (expires_at, due_at) = (Time::ZERO, Time::ZERO);
                let connection = Connection { flow: tracking.flow, tcp, is_answered: false, expires_at, due_at };
                let key = self.connections.insert(connection);
                self.by_flow.insert(tracking.flow, key);
                (key, Way::There)
            }
        };
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        connection.is_answered |= way == Way::Back;
        let lasts_for = match (&mut connection.tcp, tracking.flow.protocol) {
            (Some(tcp), _) => {
                tcp.see(way, tracking.segment);
                if tcp.is_open() { ESTABLISHED_FOR } else { TRANSITORY_FOR }
            }
            (None, IpProtocol::Udp) => UDP_FOR,
            (None, _) => OTHERS_FOR,
        };
        connection.expires_at = now + lasts_for;
        // Later than before is seen to when the old time comes; sooner is not.
        if connection.due_at == Time::ZERO || connection.expires_at < connection.due_at {
            self.due.remove(&(connection.due_at, key));
            connection.due_at = connection.expires_at;
            self.due.insert((connection.due_at, key));
        }
        Ok(())
    }

    /// How many are known at `now`.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn clear(&mut self) {
        self.connections.clear();
        self.by_flow.clear();
        self.due.clear();
    }

    /// All connections, one a line, in the order of their flows.
    pub(super) fn show(&self, now: Time) -> String {
        let alive = self.connections.iter().map(|(_, connection)| connection);
        let mut alive: Vec<&Connection> = alive.filter(|connection| connection.expires_at > now).collect();
        alive.sort_by_key(|connection| connection.flow);
        let mut text = String::new();
        for connection in alive {
            let Connection { flow, tcp, is_answered, expires_at, .. } = connection;
            let state = match (tcp, is_answered) {
                (Some(tcp), _) => tcp.name(),
                (None, true) => "ANSWERED",
                (None, false) => "UNANSWERED",
            };
            let left = expires_at.since(now).as_secs();
            let _ = writeln!(text, "{:<5} {flow}  {state}  {left}s", flow.protocol.to_string().to_lowercase());
        }
        text
    }

    /// Whether all tables agree.
    #[cfg(test)]
    pub(super) fn is_consistent(&self) -> bool {
        let agrees = |(key, connection): (Key, &Connection)| {
            self.by_flow.get(&connection.flow) == Some(key) && self.due.contains(&(connection.due_at, key))
        };
        self.connections.iter().all(agrees) && self.due.len() == self.connections.len()
    }

    /// The connection of a flow, and which way that goes.
    fn find(&self, flow: Flow, kind: &Kind, now: Time) -> Option<(Key, Way)> {
        // A ping and its answer have one identifier, and so may two pings that cross: their types tell which is which.
        let there = || self.by_flow.get(&flow).map(|key| (key, Way::There));
        let back = || self.by_flow.get(&flow.reversed()).map(|key| (key, Way::Back));
        let found = match kind {
            Kind::Asks => there(),
            Kind::Answers => back(),
            Kind::Begins | Kind::Error | Kind::Single => there().or_else(back),
        };
        found.filter(|(key, _)| self.connections.get(*key).is_some_and(|connection| connection.expires_at > now))
    }

    fn forget_expired(&mut self, now: Time) {
        while let Some((at, key)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, key));
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.expires_at > now {
                connection.due_at = connection.expires_at;
                self.due.insert((connection.due_at, key));
            } else {
                self.forget(key);
            }
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(connection) = self.connections.remove(key) {
            self.by_flow.remove(&connection.flow);
            self.due.remove(&(connection.due_at, key));
        }
    }
}

/// What kind of packet it is, to somebody who follows connections.
enum Kind {
    /// An answer to a question of ICMP, which begins nothing.
    Answers,
    /// A question of ICMP.
    Asks,
    /// It may begin a connection.
    Begins,
    /// An ICMP error.
    Error,
    /// It belongs to no connection at all.
    Single,
}

fn kind_of(ip: &Ip<'_>) -> Kind {
    let icmp = |protocol| ip.transport(protocol).and_then(|message| message.first().copied());
    match (ip.protocol, icmp(ip.protocol)) {
        (IpProtocol::Icmp, Some(8)) | (IpProtocol::Icmpv6, Some(128)) => Kind::Asks,
        (IpProtocol::Icmp, Some(0)) | (IpProtocol::Icmpv6, Some(129)) => Kind::Answers,
        (IpProtocol::Icmp, Some(3 | 4 | 11 | 12)) | (IpProtocol::Icmpv6, Some(1..=127)) => Kind::Error,
        (IpProtocol::Icmp | IpProtocol::Icmpv6, _) => Kind::Single,
        // Too short for ports, or a later fragment.
        (IpProtocol::Tcp | IpProtocol::Udp, _) if matches!(Flow::of_packet(ip).ports, Ports::Absent) => Kind::Single,
        _ => Kind::Begins,
    }
}
