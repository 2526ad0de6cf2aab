//! Raw IP sockets: those who speak a protocol of their own beside UDP and TCP, as OSPF (89) does.
//!
//! Each sees every packet of its protocol that is for this machine. Headers are the machine's; a program sees and gives
//! what stands behind them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::task::Poll;

use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::super::arena::{Arena, Key};
use super::super::context::Net;
use super::super::core::{Turn, Wakers};
use super::super::interface::Egress;
use super::super::membership::Memberships;
use super::super::owned::Handle;
use super::super::packet::{Envelope, Header};
use super::super::stack::{Delivery, SocketRow};
use super::super::{errors, udp};
use crate::record::{Cause, Value};
use crate::wire::{Frame, Layer};

/// What each waiting packet counts for beside its payload.
const PACKET_OVERHEAD: usize = 64;

/// A packet that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpPacket {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom it is for: this machine, or a group.
    pub destination: IpAddr,
    /// Where it came in; `None`: from this machine.
    pub interface: Option<u16>,
    /// The time to live that it arrived with.
    pub ttl: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

#[derive(Debug)]
struct Socket {
    protocol: IpProtocol,
    queue: VecDeque<IpPacket>,
    queued_bytes: usize,
    groups: Memberships,
    readers: Wakers,
}

/// Every raw IP socket of a machine.
#[derive(Debug, Default)]
pub(crate) struct RawIp {
    sockets: Arena<Socket>,
    received: u64,
    sent: u64,
    overflow: u64,
}

impl RawIp {
    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.sockets.clear();
    }

    /// Forgets a socket; gives back the groups that nobody listens to on its account any more.
    pub(crate) fn close(&mut self, key: Key) -> Memberships {
        self.sockets.remove(key).map(|socket| socket.groups).unwrap_or_default()
    }

    /// Gives a packet to every socket of its protocol.
    pub(crate) fn deliver(&mut self, packet: Frame, header: &Header, turn: &mut Turn<'_>) -> Delivery {
        let (mut is_wanted, mut has_room) = (false, false);
        let payload = &packet.bytes()[header.payload.clone()];
        for (_, socket) in self.sockets.iter_mut().filter(|(_, socket)| socket.protocol == header.protocol) {
            is_wanted = true;
            let bytes = payload.len() + PACKET_OVERHEAD;
            if socket.queued_bytes > 0 && socket.queued_bytes + bytes > udp::RECEIVE_BUFFER {
                self.overflow += 1;
                continue;
            }
            has_room = true;
            self.received += 1;
            socket.queued_bytes += bytes;
            socket.queue.push_back(IpPacket {
                source: header.source,
                destination: header.destination,
                interface: turn.ip.arrived_on(),
                ttl: header.ttl,
                payload: payload.to_vec(),
            });
            socket.readers.wake();
        }
        match (is_wanted, has_room) {
            (false, _) => Delivery::NobodyWants(packet),
            (true, true) => {
                turn.out.consume(packet);
                Delivery::Taken
            }
            (true, false) => {
                turn.out.drop_frame(packet, Cause::ReceiveBufferFull);
                Delivery::Dropped
            }
        }
    }

    fn send(&mut self, key: Key, payload: &[u8], to: IpAddr, by: Egress, turn: &mut Turn<'_>) -> io::Result<()> {
        /// RFC 791's precedence 6, "internetwork control", which is what these protocols do (RFC 2328 appendix A.1).
        const INTERNETWORK_CONTROL: u8 = 48;
        let socket = self.sockets.get(key).ok_or_else(errors::gone)?;
        if by.ttl == 0 {
            return Err(errors::invalid("a time to live of zero must not be sent"));
        }
        let envelope = Envelope {
            source: by.source,
            destination: to,
            protocol: socket.protocol,
            ttl: by.ttl,
            dont_fragment: false,
            ident: 0,
        };
        let (mut buffer, start) = envelope.open(payload.len(), &mut turn.out.pool)?;
        buffer.bytes_mut()[start..].copy_from_slice(payload);
        if to.is_ipv4() {
            Ipv4Packet::new_unchecked(buffer.bytes_mut()).set_dscp(INTERNETWORK_CONTROL);
        }
        self.sent += 1;
        let packet = Frame::new(buffer, Layer::Ip).caused_by(turn.cause);
        turn.ip.send_by(by.interface, packet, turn.now, turn.out)?;
        Ok(())
    }

    /// A line for each socket.
    pub(crate) fn rows(&self) -> impl Iterator<Item = SocketRow> {
        self.sockets.iter().map(|(_, socket)| SocketRow {
            protocol: "raw",
            state: "UNCONN",
            receive_queue: socket.queue.iter().map(|packet| packet.payload.len()).sum(),
            send_queue: 0,
            local: None,
            peer: None,
        })
    }

    /// Nothing while no raw socket was ever used, so that machines without one list no more than they ever did.
    pub(crate) fn counters(&self) -> Vec<(&'static str, Value)> {
        if self.sent + self.received + self.overflow == 0 {
            return Vec::new();
        }
        vec![
            ("raw_ip.received", self.received.into()),
            ("raw_ip.sent", self.sent.into()),
            ("raw_ip.receive_buffer_full", self.overflow.into()),
        ]
    }
}

/// A raw IP socket of one protocol. It closes when it is dropped.
#[derive(Debug)]
pub struct IpSocket {
    net: Net,
    key: Key,
}

impl IpSocket {
    /// Opens one for a protocol, by its number.
    #[must_use]
    pub fn open(net: &Net, protocol: u8) -> Self {
        let socket = Socket {
            protocol: protocol.into(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            groups: Memberships::default(),
            readers: Wakers::default(),
        };
        let key = net.core(|core| core.raw_ip.sockets.insert(socket));
        net.own(Handle::Ip(key));
        Self { net: net.clone(), key }
    }

    /// Listens to a group on an interface, until the socket is dropped.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for what is no multicast address.
    pub fn join(&self, interface: u16, group: IpAddr) -> io::Result<()> {
        self.net.turn(|core, turn| {
            let socket = core.raw_ip.sockets.get_mut(self.key).ok_or_else(errors::gone)?;
            socket.groups.join(interface, group, turn)
        })
    }

    /// Listens to a group on an interface no longer.
    pub fn leave(&self, interface: u16, group: IpAddr) {
        self.net.core(|core| {
            let socket = core.raw_ip.sockets.get_mut(self.key);
            core.errands.extend(socket.and_then(|socket| socket.groups.leave(interface, group)));
        });
    }

    /// Sends a packet to a neighbor, or to a group of neighbors, by a given interface.
    ///
    /// # Errors
    ///
    /// What the IP layer says at once; [`io::ErrorKind::InvalidInput`] for a time to live of 0.
    pub async fn send_by(&self, payload: &[u8], to: IpAddr, by: Egress) -> io::Result<()> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, turn, _| {
                if core.programs.count_packet(self.net.app(), core.now).is_err() {
                    return Poll::Pending;
                }
                Poll::Ready(core.raw_ip.send(self.key, payload, to, by, turn))
            })
        })
        .await
    }

    /// Waits for a packet, oldest first.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn recv(&self) -> io::Result<IpPacket> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, _, context| {
                let socket = core.raw_ip.sockets.get_mut(self.key).ok_or_else(errors::gone)?;
                let Some(packet) = socket.queue.pop_front() else {
                    socket.readers.register(context);
                    return Poll::Pending;
                };
                socket.queued_bytes -= packet.payload.len() + PACKET_OVERHEAD;
                Poll::Ready(Ok(packet))
            })
        })
        .await
    }
}

impl Drop for IpSocket {
    fn drop(&mut self) {
        self.net.close(Handle::Ip(self.key));
    }
}
