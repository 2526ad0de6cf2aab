//! Raw ICMP sockets: what `ping` and `traceroute -I` use.
//!
//! Each sees a copy of every ICMP message for this machine, of both IP versions, and keeps what it recognises by its
//! identifier. The machine answers echo requests itself.

mod ip;
mod socket;
mod tap;

pub(crate) use ip::RawIp;
pub use ip::{IpPacket, IpSocket};
pub use socket::RawSocket;
pub(crate) use tap::Taps;
pub use tap::{PacketSocket, Place, Seen, TAP_BUFFER};

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;

use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::arena::{Arena, Key};
use super::core::{Turn, Wakers};
use super::icmp::IcmpMessage;
use super::packet::{self, Envelope};
use super::stack::SocketRow;
use super::{errors, udp};
use crate::record::Value;

/// The most that an IPv4 header has room for.
const IP_OPTIONS_MAX: usize = 40;

/// What each waiting message counts for beside its bytes.
const MESSAGE_OVERHEAD: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Socket {
    ident: u16,
    /// What stands between the header and the message of each IPv4 packet that it sends.
    options: Vec<u8>,
    queue: VecDeque<IcmpMessage>,
    queued_bytes: usize,
    readers: Wakers,
}

/// Every raw ICMP socket of a machine.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    sockets: Arena<Socket>,
    last_ident: u16,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    received: u64,
    sent: u64,
    overflow: u64,
}

impl Raw {
    fn open(&mut self) -> Key {
        self.last_ident = self.last_ident.wrapping_add(1);
        self.sockets.insert(Socket { ident: self.last_ident, ..Socket::default() })
    }

    fn set_options(&mut self, key: Key, options: &[u8]) -> io::Result<()> {
        if options.len() > IP_OPTIONS_MAX || !options.len().is_multiple_of(4) {
            return Err(errors::invalid("IP options take up to 40 bytes, in steps of four"));
        }
        self.sockets.get_mut(key).ok_or_else(errors::gone)?.options = options.to_vec();
        Ok(())
    }

    pub(crate) fn close(&mut self, key: Key) {
        self.sockets.remove(key);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.sockets.clear();
    }

    fn send(&mut self, key: Key, message: &[u8], options: Options, turn: &mut Turn<'_>) -> io::Result<()> {
        let Options { destination, ttl, dont_fragment } = options;
        let socket = self.sockets.get(key).ok_or_else(errors::gone)?;
        let ip_options = if destination.is_ipv4() { socket.options.as_slice() } else { &[] };
        // RFC 1122 §3.2.1.7: "A host MUST NOT send a datagram with a Time-to-Live (TTL) value of zero."
        if ttl == 0 {
            return Err(errors::invalid("a time to live of zero must not be sent"));
        }
        if message.len() < 8 {
            return Err(errors::invalid("an ICMP message has at least eight bytes"));
        }
        let protocol = if destination.is_ipv4() { IpProtocol::Icmp } else { IpProtocol::Icmpv6 };
        let source = turn.source_for(destination)?;
        let ident = (self.counters.sent as u16).wrapping_add(1);
        let envelope = Envelope { source, destination, protocol, ttl, dont_fragment, ident };
        let (mut buffer, start) = envelope.open(ip_options.len() + message.len(), &mut turn.out.pool)?;
        let (options, payload) = buffer.bytes_mut()[start..].split_at_mut(ip_options.len());
        options.copy_from_slice(ip_options);
        payload.copy_from_slice(message);
        if !ip_options.is_empty() {
            let header_bytes = u8::try_from(start + ip_options.len()).expect("options were bounded when they were set");
            Ipv4Packet::new_unchecked(buffer.bytes_mut()).set_header_len(header_bytes);
        }
        self.counters.sent += 1;
        packet::send(packet::seal(buffer).caused_by(turn.cause), &envelope, turn)?;
        Ok(())
    }

    /// Gives every socket a copy; true if there was one with room.
    pub(crate) fn deliver(&mut self, message: &IcmpMessage) -> bool {
        let mut was_taken = false;
        for (_, socket) in self.sockets.iter_mut() {
            let bytes = message.bytes.len() + MESSAGE_OVERHEAD;
            if socket.queued_bytes > 0 && socket.queued_bytes + bytes > udp::RECEIVE_BUFFER {
                self.counters.overflow += 1;
                continue;
            }
            was_taken = true;
            self.counters.received += 1;
            socket.queued_bytes += bytes;
            socket.queue.push_back(message.clone());
            socket.readers.wake();
        }
        was_taken
    }

    /// Whether anybody would take a message.
    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.len() == 0
    }

    /// A line for each socket.
    pub(crate) fn rows(&self) -> impl Iterator<Item = SocketRow> {
        self.sockets.iter().map(|(_, socket)| SocketRow {
            protocol: "icmp",
            state: "UNCONN",
            receive_queue: socket.queue.iter().map(|message| message.bytes.len()).sum(),
            send_queue: 0,
            local: None,
            peer: None,
        })
    }

    pub(crate) fn counters(&self) -> [(&'static str, Value); 3] {
        let Counters { received, sent, overflow } = self.counters;
        [("raw.received", received.into()), ("raw.sent", sent.into()), ("raw.receive_buffer_full", overflow.into())]
    }
}

impl Socket {
    fn dequeue(&mut self) -> Option<IcmpMessage> {
        let message = self.queue.pop_front()?;
        self.queued_bytes -= message.bytes.len() + MESSAGE_OVERHEAD;
        Some(message)
    }
}

/// How a message shall travel.
#[derive(Debug, Clone, Copy)]
struct Options {
    destination: IpAddr,
    ttl: u8,
    dont_fragment: bool,
}
