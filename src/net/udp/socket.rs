//! What a program holds of a UDP socket.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::super::arena::Key;
use super::super::context::Net;
use super::super::control::Through;
use super::super::core::Turn;
use super::super::icmp::IcmpError;
use super::super::ports::Local;
use super::super::{errors, packet};
use super::{Socket, Waiting};

/// A datagram that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// Where to: one of this machine's addresses, a broadcast address, a group.
    pub to: SocketAddr,
    /// The time to live that it arrived with.
    pub ttl: u8,
    /// Where it came in; `None`: from this machine itself.
    pub interface: Option<u16>,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// A UDP socket. It closes when it is dropped.
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) net: Net,
    pub(super) key: Key,
    local: SocketAddr,
}

impl UdpSocket {
    /// Takes a local port. Port 0 asks for a free one.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`], [`io::ErrorKind::AddrNotAvailable`] for an address of another machine.
    pub fn bind(net: &Net, local: impl Into<Local>) -> io::Result<Self> {
        let local = local.into();
        let (key, local) = net.turn(|core, turn| core.udp.bind(local, turn))?;
        Ok(Self { net: net.clone(), key, local })
    }

    /// Makes `peer` the only one to send to and to hear from.
    ///
    /// From then on an ICMP error about a datagram of this socket makes the next operation fail:
    /// [`io::ErrorKind::ConnectionRefused`] when nobody listens there.
    ///
    /// # Errors
    ///
    /// When no route leads there.
    pub fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        let peer = packet::endpoint(peer.ip(), peer.port());
        self.net.turn(|core, turn| {
            let source = turn.source_for(peer.ip())?;
            if source.is_ipv4() != peer.is_ipv4() {
                return Err(io::ErrorKind::NetworkUnreachable.into());
            }
            core.udp.sockets.get_mut(self.key).ok_or_else(errors::gone)?.peer = Some(peer);
            Ok(())
        })
    }

    /// Where it is bound: its address is `::` or `0.0.0.0` if it takes all.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Sends one datagram; all of it or nothing.
    ///
    /// # Errors
    ///
    /// What the IP layer says at once: [`io::ErrorKind::NetworkUnreachable`], [`io::ErrorKind::HostUnreachable`],
    /// [`io::ErrorKind::PermissionDenied`] for a broadcast that was not allowed; a message that is too long is an
    /// [`io::ErrorKind::InvalidInput`] with a [`SendError::MessageTooLong`](crate::net::SendError) inside. For a
    /// connected socket also what ICMP has said since.
    pub async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        poll_fn(|context| self.poll_send(context, payload, Some(to))).await
    }

    /// Sends one IPv4 datagram through an interface, whatever routes say: what a packet socket does elsewhere.
    ///
    /// # Errors
    ///
    /// What the IP layer says at once; [`io::ErrorKind::Unsupported`] where it cannot be configured.
    pub async fn send_through(&self, payload: &[u8], to: SocketAddr, through: Through) -> io::Result<()> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, turn: &mut Turn<'_>, _| {
                if core.programs.count_packet(self.net.app(), core.now).is_err() {
                    return Poll::Pending;
                }
                Poll::Ready(core.udp.send_through(self.key, payload, to, through, turn))
            })
        })
        .await
    }

    /// Sends one datagram to the peer.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); [`io::ErrorKind::NotConnected`] without a peer.
    pub async fn send(&self, payload: &[u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_send(context, payload, None)).await
    }

    fn poll_send(&self, context: &mut Context<'_>, payload: &[u8], to: Option<SocketAddr>) -> Poll<io::Result<usize>> {
        self.net.poll_turn(context, |core, turn: &mut Turn<'_>, _| {
            // A program that sends for ever without letting time pass would fill the memory: it is stopped.
            if core.programs.count_packet(self.net.app(), core.now).is_err() {
                return Poll::Pending;
            }
            let socket = core.udp.sockets.get_mut(self.key).ok_or_else(errors::gone)?;
            if let Some(kind) = socket.pending.take() {
                return Poll::Ready(Err(kind.into()));
            }
            let to = to.or(socket.peer).ok_or(io::ErrorKind::NotConnected)?;
            let to = packet::endpoint(to.ip(), to.port());
            Poll::Ready(core.udp.send(self.key, payload, to, turn).map(|()| payload.len()))
        })
    }

    /// Waits for a datagram; what does not fit into `buffer` is lost.
    ///
    /// # Errors
    ///
    /// For a connected socket, what ICMP has said about what it sent.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(|waiting| {
            let payload = &waiting.frame.bytes()[waiting.payload.clone()];
            let length = payload.len().min(buffer.len());
            buffer[..length].copy_from_slice(&payload[..length]);
            (length, waiting.from)
        })
        .await
    }

    /// Waits for a datagram; what does not fit into `buffer` is lost.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).await.map(|(length, _)| length)
    }

    /// Waits for a datagram and gives all that is known of it.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub async fn recv_datagram(&self) -> io::Result<Datagram> {
        self.receive(|waiting| Datagram {
            from: waiting.from,
            to: waiting.to,
            ttl: waiting.ttl,
            interface: waiting.interface,
            payload: waiting.frame.bytes()[waiting.payload.clone()].to_vec(),
        })
        .await
    }

    async fn receive<T>(&self, mut take: impl FnMut(&Waiting) -> T) -> io::Result<T> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, turn, context| {
                let socket = core.udp.sockets.get_mut(self.key).ok_or_else(errors::gone)?;
                if let Some(kind) = socket.pending.take() {
                    return Poll::Ready(Err(kind.into()));
                }
                let Some(waiting) = socket.dequeue() else {
                    socket.readers.register(context);
                    return Poll::Pending;
                };
                let taken = take(&waiting);
                turn.out.consume(waiting.frame);
                Poll::Ready(Ok(taken))
            })
        })
        .await
    }

    /// Waits for an ICMP error about a datagram of this socket, oldest first: `IP_RECVERR` on Linux.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn recv_error(&self) -> io::Result<IcmpError> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, _, context| {
                let socket = core.udp.sockets.get_mut(self.key).ok_or_else(errors::gone)?;
                let Some(error) = socket.errors.pop_front() else {
                    socket.error_readers.register(context);
                    return Poll::Pending;
                };
                Poll::Ready(Ok(error))
            })
        })
        .await
    }

    /// Takes what ICMP has said about what was sent: `SO_ERROR`. Of a socket without a peer, the oldest error of its
    /// queue.
    #[must_use]
    pub fn take_error(&self) -> Option<io::Error> {
        self.with(|socket| {
            let kind = socket.pending.take().or_else(|| socket.errors.pop_front()?.kind.error_kind());
            kind.map(io::Error::from)
        })?
    }

    /// The time to live of what is sent from now on; 64 unless set, and never 0.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for 0.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        // RFC 1122 §3.2.1.7: "A host MUST NOT send a datagram with a Time-to-Live (TTL) value of zero."
        if ttl == 0 {
            return Err(errors::invalid("a time to live of zero must not be sent"));
        }
        self.with(|socket| socket.ttl = Some(ttl)).ok_or_else(errors::gone)
    }

    /// Whether what is sent from now on must not be fragmented; it may be unless set.
    ///
    /// A datagram that is larger than what is known of the path's MTU is then refused with "message too long".
    pub fn set_dont_fragment(&self, dont_fragment: bool) {
        let _ = self.with(|socket| socket.dont_fragment = dont_fragment);
    }

    /// Whether it may send to broadcast addresses; it may not unless set.
    pub fn set_broadcast(&self, is_allowed: bool) {
        let _ = self.with(|socket| socket.may_broadcast = is_allowed);
    }

    /// How many bytes of datagrams may wait to be read, each counted with 64 bytes beside its payload.
    pub fn set_receive_buffer(&self, bytes: usize) {
        let _ = self.with(|socket| socket.receive_buffer = bytes);
    }

    fn with<R>(&self, change: impl FnOnce(&mut Socket) -> R) -> Option<R> {
        self.net.core(|core| core.udp.sockets.get_mut(self.key).map(change))
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.net.core(|core| {
            let groups = core.udp.close(self.key);
            core.errands.extend(groups.leave_all());
        });
    }
}
