//! UDP: queues of datagrams, bounded by bytes.
//!
//! The formats are smoltcp's, the sockets are ours: smoltcp's would hand a broadcast to the first socket only, could
//! not say "don't fragment", and would cost more with each socket. RFC 768 is the thing to read first; RFC 1122 §4.1 for
//! what a host owes its programs.

mod neighbor;
mod options;
mod socket;

pub use socket::{Datagram, UdpSocket};

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;

use smoltcp::wire::{IpProtocol, UdpPacket};

use super::arena::{Arena, Key};
use super::control::Through;
use super::core::{Turn, Wakers};
use super::errors;
use super::icmp::{IcmpError, IcmpKind, IcmpMessage, Reason};
use super::interface::Egress;
use super::ip::SendError;
use super::membership::Memberships;
use super::packet::{self, Envelope, Header};
use super::ports::{Local, Ports};
use super::stack::{Delivery, SocketRow};
use crate::record::{Cause, Value};
use crate::rng::Rng;
use crate::wire::Frame;

/// How many bytes of datagrams may wait to be read, unless set otherwise: Linux's `net.core.rmem_default`.
pub(crate) const RECEIVE_BUFFER: usize = 212_992;

/// What each waiting datagram counts for beside its payload, so that empty ones are bounded too.
const DATAGRAM_OVERHEAD: usize = 64;

/// How many ICMP errors a socket keeps; beyond that the newest are forgotten.
const ERRORS_MAX: usize = 64;

const HEADER: usize = 8;

/// A datagram that waits to be read.
#[derive(Debug)]
struct Waiting {
    frame: Frame,
    from: SocketAddr,
    to: SocketAddr,
    ttl: u8,
    interface: Option<u16>,
    payload: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Socket {
    local: SocketAddr,
    peer: Option<SocketAddr>,
    /// `None`: as the machine has it.
    ttl: Option<u8>,
    dont_fragment: bool,
    may_broadcast: bool,
    /// Of what is sent to groups; `None`: 1.
    multicast_ttl: Option<u8>,
    /// What it sends to a group goes to the members on this machine too.
    loops_multicast: bool,
    receive_buffer: usize,
    queue: VecDeque<Waiting>,
    queued_bytes: usize,
    /// What the next operation of a connected socket fails with.
    pending: Option<io::ErrorKind>,
    errors: VecDeque<IcmpError>,
    /// The groups that it listens to, each on an interface.
    groups: Memberships,
    readers: Wakers,
    error_readers: Wakers,
}

/// Every UDP socket of a machine.
#[derive(Debug)]
pub(crate) struct Udp {
    sockets: Arena<Socket>,
    ports: Ports<Key>,
    next_ident: u16,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    received: u64,
    sent: u64,
    nobody: u64,
    overflow: u64,
    errors: u64,
}

impl Udp {
    pub(crate) fn new(seed: u64) -> Self {
        let next_ident = Rng::stream(seed, "ip ident").next_u64() as u16;
        Self {
            sockets: Arena::default(),
            ports: Ports::new(seed, "udp ports"),
            next_ident,
            counters: Counters::default(),
        }
    }

    fn bind(&mut self, local: Local, is_shared: bool, turn: &Turn<'_>) -> io::Result<(Key, SocketAddr)> {
        let local = if is_shared {
            self.ports.choose_shared(local, turn.ip)?
        } else {
            self.ports.choose(local, turn.ip, |_, _| true)?
        };
        let key = self.sockets.insert(Socket {
            local,
            peer: None,
            ttl: None,
            dont_fragment: false,
            may_broadcast: false,
            multicast_ttl: None,
            loops_multicast: true,
            receive_buffer: RECEIVE_BUFFER,
            queue: VecDeque::new(),
            queued_bytes: 0,
            pending: None,
            errors: VecDeque::new(),
            groups: Memberships::default(),
            readers: Wakers::default(),
            error_readers: Wakers::default(),
        });
        self.ports.bind_as(local, key, is_shared);
        Ok((key, local))
    }

    /// Forgets a socket and what it has not read; gives back the groups that nobody listens to on its account any more.
    pub(crate) fn close(&mut self, key: Key) -> Memberships {
        let Some(socket) = self.sockets.remove(key) else { return Memberships::default() };
        self.ports.release(socket.local, key);
        socket.groups
    }

    /// What is called `udp [::]:53`.
    pub(crate) fn name(&self, key: Key) -> Option<String> {
        self.sockets.get(key).map(|socket| format!("udp {}", socket.local))
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.sockets.clear();
        self.ports.clear();
    }

    /// Sends a datagram.
    fn send(&mut self, key: Key, payload: &[u8], to: SocketAddr, turn: &mut Turn<'_>) -> io::Result<()> {
        let (envelope, local_port) = self.envelope(key, to, None, turn)?;
        let datagram = self.datagram(&envelope, local_port, payload, to, turn)?;
        let copy = self.loops(key, to.ip()).then(|| datagram.duplicate(&mut turn.out.pool));
        let sent = packet::send(datagram, &envelope, turn);
        if let Some(frame) = copy {
            let payload = frame.len() - payload.len()..frame.len();
            let from = packet::endpoint(envelope.source, local_port);
            let waiting = Waiting { frame, from, to, ttl: envelope.ttl, interface: None, payload };
            if let Delivery::NobodyWants(frame) = self.deliver_to_all(waiting, turn) {
                turn.out.consume(frame);
            }
        }
        Ok(sent?)
    }

    /// Whether what a socket sends to a group is for this machine too (RFC 1112 §6.1: "the ability to disable the
    /// delivery of multicast datagrams to the sending host").
    fn loops(&self, key: Key, group: IpAddr) -> bool {
        let is_wanted = group.is_multicast() && self.sockets.get(key).is_some_and(|socket| socket.loops_multicast);
        is_wanted && self.sockets.iter().any(|(_, socket)| socket.groups.contains(group))
    }

    /// Sends a datagram through an interface, whatever routes say.
    fn send_through(
        &mut self,
        key: Key,
        payload: &[u8],
        to: SocketAddr,
        through: Through,
        turn: &mut Turn<'_>,
    ) -> io::Result<()> {
        let (envelope, local_port) = self.envelope(key, to, Some(through.source), turn)?;
        let packet = self.datagram(&envelope, local_port, payload, to, turn)?;
        let Some(control) = turn.ip.control() else {
            turn.out.consume(packet);
            return Err(io::ErrorKind::Unsupported.into());
        };
        Ok(control.send_through(through, packet, turn.now, turn.out)?)
    }

    /// What goes around a datagram, and the port that it comes from; its source is found unless it is given.
    fn envelope(
        &self,
        key: Key,
        to: SocketAddr,
        source: Option<Ipv4Addr>,
        turn: &Turn<'_>,
    ) -> io::Result<(Envelope, u16)> {
        let socket = self.sockets.get(key).ok_or_else(errors::gone)?;
        if to.port() == 0 || to.ip().is_unspecified() {
            return Err(errors::invalid("a datagram needs an address and a port to go to"));
        }
        // RFC 1122 §4.1.3.6 and socket(7): broadcasting must be asked for, lest it happen by mistake.
        if turn.ip.is_broadcast(to.ip()) && !socket.may_broadcast {
            return Err(SendError::PermissionDenied.into());
        }
        let bound = socket.local.ip();
        let source = if let Some(source) = source {
            source.into()
        } else if bound.is_unspecified() || bound.is_multicast() || turn.ip.is_broadcast(bound) {
            turn.source_for(to.ip())?
        } else {
            bound
        };
        if source.is_ipv4() != to.is_ipv4() || (bound.is_ipv4() && bound.is_unspecified() && to.is_ipv6()) {
            return Err(errors::invalid("the socket is bound to an address of the other IP version"));
        }
        let envelope = Envelope {
            source,
            destination: to.ip(),
            protocol: IpProtocol::Udp,
            // RFC 1112 §6.1: "If the upper-layer protocol chooses not to specify a time-to-live, it should default to 1
            // for all multicast IP datagrams, so that an explicit choice is required to multicast beyond a single
            // network."
            ttl: if to.ip().is_multicast() {
                socket.multicast_ttl.unwrap_or(1)
            } else {
                socket.ttl.unwrap_or_else(|| turn.ip.hop_limit_for(to.ip()))
            },
            dont_fragment: socket.dont_fragment,
            ident: if socket.dont_fragment { 0 } else { self.next_ident },
        };
        Ok((envelope, socket.local.port()))
    }

    /// Sends a datagram by a given interface.
    fn send_by(&mut self, key: Key, payload: &[u8], to: SocketAddr, by: Egress, turn: &mut Turn<'_>) -> io::Result<()> {
        let socket = self.sockets.get(key).ok_or_else(errors::gone)?;
        if by.ttl == 0 {
            return Err(errors::invalid("a time to live of zero must not be sent"));
        }
        let envelope = Envelope {
            source: by.source,
            destination: to.ip(),
            protocol: IpProtocol::Udp,
            ttl: by.ttl,
            dont_fragment: false,
            ident: self.next_ident,
        };
        let local_port = socket.local.port();
        let datagram = self.datagram(&envelope, local_port, payload, to, turn)?;
        turn.ip.send_by(by.interface, datagram, turn.now, turn.out)?;
        Ok(())
    }

    /// Makes a datagram.
    fn datagram(
        &mut self,
        envelope: &Envelope,
        local_port: u16,
        payload: &[u8],
        to: SocketAddr,
        turn: &mut Turn<'_>,
    ) -> io::Result<Frame> {
        let (mut buffer, start) = envelope.open(HEADER + payload.len(), &mut turn.out.pool)?;
        let mut datagram = UdpPacket::new_unchecked(&mut buffer.bytes_mut()[start..]);
        datagram.set_src_port(local_port);
        datagram.set_dst_port(to.port());
        datagram.set_len(u16::try_from(HEADER + payload.len()).expect("the envelope has checked the length"));
        datagram.set_checksum(0);
        datagram.payload_mut().copy_from_slice(payload);
        self.next_ident = self.next_ident.wrapping_add(1);
        self.counters.sent += 1;
        Ok(packet::seal(buffer).caused_by(turn.cause))
    }

    /// Gives a datagram to whom it is for: one socket, or each that takes it if it is a broadcast or multicast.
    pub(crate) fn deliver(&mut self, frame: Frame, header: &Header, turn: &mut Turn<'_>) -> Delivery {
        let start = header.payload.start;
        let Some((from, to, payload)) = read(&frame.bytes()[header.payload.clone()], header) else {
            turn.out.drop_frame(frame, Cause::Malformed);
            return Delivery::Dropped;
        };
        let interface = turn.ip.arrived_on();
        let payload = start + payload.start..start + payload.end;
        let waiting = Waiting { frame, from, to, ttl: header.ttl, interface, payload };
        if to.ip().is_multicast() || turn.ip.is_broadcast(to.ip()) {
            return self.deliver_to_all(waiting, turn);
        }
        let holder = self.ports.holder(to.ip(), to.port());
        let Some(socket) = holder.and_then(|key| self.sockets.get_mut(key)).filter(|socket| socket.wants(from)) else {
            self.counters.nobody += 1;
            return Delivery::NobodyWants(waiting.frame);
        };
        match socket.enqueue(waiting) {
            None => {
                self.counters.received += 1;
                Delivery::Taken
            }
            Some(refused) => {
                self.counters.overflow += 1;
                turn.out.drop_frame(refused, Cause::ReceiveBufferFull);
                Delivery::Dropped
            }
        }
    }

    fn deliver_to_all(&mut self, waiting: Waiting, turn: &mut Turn<'_>) -> Delivery {
        let mut was_taken = false;
        for held in self.ports.holders(waiting.to.port()) {
            let Some(socket) = self.sockets.get_mut(held.holder) else { continue };
            if !socket.takes_for_all(waiting.to.ip()) || !socket.wants(waiting.from) {
                continue;
            }
            let frame = waiting.frame.duplicate(&mut turn.out.pool);
            let copy = Waiting { frame, payload: waiting.payload.clone(), ..waiting };
            was_taken = true;
            match socket.enqueue(copy) {
                None => self.counters.received += 1,
                Some(refused) => {
                    self.counters.overflow += 1;
                    turn.out.drop_frame(refused, Cause::ReceiveBufferFull);
                }
            }
        }
        if was_taken {
            turn.out.consume(waiting.frame);
            Delivery::Taken
        } else {
            self.counters.nobody += 1;
            Delivery::NobodyWants(waiting.frame)
        }
    }

    /// Gives an ICMP error to the socket that had sent what it is about.
    pub(crate) fn deliver_error(&mut self, message: &IcmpMessage) {
        let Some(quote) = message.kind.quote() else { return };
        let Some((local_port, remote_port)) = quote.ports else { return };
        let Some(socket) = self.ports.holder(quote.source, local_port).and_then(|key| self.sockets.get_mut(key)) else {
            return;
        };
        let remote = packet::endpoint(quote.destination, remote_port);
        if socket.peer.is_some_and(|peer| peer != remote) {
            return;
        }
        self.counters.errors += 1;
        if socket.errors.len() < ERRORS_MAX {
            let error = IcmpError { from: message.source, ttl: message.ttl, kind: message.kind.clone() };
            socket.errors.push_back(error);
            socket.error_readers.wake();
        }
        // As on Linux, only a connected socket's next operation fails: nobody else could tell which datagram it was.
        // RFC 1122 §4.1.3.3: "UDP MUST pass to the application layer all ICMP error messages that it receives from the
        // IP layer." Time exceeded is a hint of a passing loop and stays in the queue of errors.
        let is_hard = matches!(&message.kind, IcmpKind::Unreachable { reason, .. } if *reason != Reason::TooBig);
        if socket.peer.is_some() && is_hard {
            socket.pending = message.kind.error_kind();
            socket.readers.wake();
        }
    }

    /// A line for each socket.
    pub(crate) fn rows(&self) -> impl Iterator<Item = SocketRow> {
        self.sockets.iter().map(|(_, socket)| SocketRow {
            protocol: "udp",
            state: if socket.peer.is_some() { "ESTABLISHED" } else { "UNCONN" },
            receive_queue: socket.queue.iter().map(|waiting| waiting.payload.len()).sum(),
            send_queue: 0,
            local: Some(socket.local),
            peer: socket.peer,
        })
    }

    pub(crate) fn counters(&self) -> [(&'static str, Value); 5] {
        let Counters { received, sent, nobody, overflow, errors } = self.counters;
        [
            ("udp.received", received.into()),
            ("udp.sent", sent.into()),
            ("udp.nobody_listens", nobody.into()),
            ("udp.receive_buffer_full", overflow.into()),
            ("udp.errors", errors.into()),
        ]
    }
}

impl Socket {
    /// Whether it is not connected to somebody else.
    fn wants(&self, from: SocketAddr) -> bool {
        self.peer.is_none_or(|peer| peer == from)
    }

    /// Whether it takes what is sent to a broadcast address or a group: if it is bound to that, or to all addresses.
    fn takes_for_all(&self, to: IpAddr) -> bool {
        super::ports::covers(self.local.ip(), to)
    }

    /// Queues a datagram, or gives back the frame for which there is no room.
    fn enqueue(&mut self, waiting: Waiting) -> Option<Frame> {
        let bytes = waiting.payload.len() + DATAGRAM_OVERHEAD;
        // A single datagram always fits, however small the buffer: it could never be received otherwise.
        if self.queued_bytes > 0 && self.queued_bytes + bytes > self.receive_buffer {
            return Some(waiting.frame);
        }
        self.queued_bytes += bytes;
        if self.queue.capacity() == 0 {
            // Most programs read what has come before the next comes.
            self.queue.reserve_exact(1);
        }
        self.queue.push_back(waiting);
        self.readers.wake();
        None
    }

    fn dequeue(&mut self) -> Option<Waiting> {
        let waiting = self.queue.pop_front()?;
        self.queued_bytes -= waiting.payload.len() + DATAGRAM_OVERHEAD;
        Some(waiting)
    }
}

/// Who sent a datagram, to whom, and where in the datagram its payload is. `None` if it is malformed.
fn read(datagram: &[u8], header: &Header) -> Option<(SocketAddr, SocketAddr, Range<usize>)> {
    let udp = UdpPacket::new_checked(datagram).ok()?;
    let length = usize::from(udp.len());
    if udp.dst_port() == 0 || length < HEADER {
        return None;
    }
    let from = packet::endpoint(header.source, udp.src_port());
    let to = packet::endpoint(header.destination, udp.dst_port());
    Some((from, to, HEADER..length))
}
