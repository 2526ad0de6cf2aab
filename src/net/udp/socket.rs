//! What a program holds of a UDP socket.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::super::arena::Key;
use super::super::context::Net;
use super::super::control::Through;
use super::super::core::Turn;
use super::super::icmp::IcmpError;
use super::super::owned::Handle;
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
    pub(in crate::net) net: Net,
    pub(in crate::net) key: Key,
    local: SocketAddr,
}

impl UdpSocket {
    /// Takes a local port. Port 0 asks for a free one.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`], [`io::ErrorKind::AddrNotAvailable`] for an address of another machine.
    pub fn bind(net: &Net, local: impl Into<Local>) -> io::Result<Self> {
        Self::bind_as(net, local.into(), false)
    }

    /// Takes a local port together with others that do the same (`SO_REUSEADDR`). What is broadcast or sent to a group
    /// comes to all of them, anything else to the one that was bound last.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind); [`io::ErrorKind::AddrInUse`] if somebody has the port for himself.
    pub fn bind_shared(net: &Net, local: impl Into<Local>) -> io::Result<Self> {
        Self::bind_as(net, local.into(), true)
    }

    fn bind_as(net: &Net, local: Local, is_shared: bool) -> io::Result<Self> {
        let (key, local) = net.turn(|core, turn| core.udp.bind(local, is_shared, turn))?;
        net.own(Handle::Udp(key));
        Ok(Self { net: net.clone(), key, local })
    }

    /// Makes `peer` the only one to send to and to hear from.
    ///
    /// From then on an ICMP error about a datagram of this socket makes the next operation fail:
    /// [`io::ErrorKind::ConnectionRefused`] when nobody listens there. A port that asked for any address keeps its wildcard:
    /// [`local_addr`](Self::local_addr) does not change.
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

    /// Waits for a datagram and copies it without taking it: the next receive gives the same.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|context| {
            self.poll_first(context, |waiting| {
                let payload = &waiting.frame.bytes()[waiting.payload.clone()];
                let length = payload.len().min(buffer.len());
                buffer[..length].copy_from_slice(&payload[..length]);
                (length, waiting.from)
            })
        })
        .await
    }

    /// Waits for a datagram and copies it without taking it.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buffer).await.map(|(length, _)| length)
    }

    /// Waits until there is a datagram, or an error to be told.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_first(context, |_| ())).await
    }

    /// Takes a datagram that is there, without waiting.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if none is; as [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut receiving = pin!(self.recv_from(buffer));
        match receiving.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Looks at the first datagram that waits.
    fn poll_first<T>(&self, context: &mut Context<'_>, look: impl FnOnce(&Waiting) -> T) -> Poll<io::Result<T>> {
        self.net.poll_turn(context, |core, _, context| {
            let socket = core.udp.sockets.get_mut(self.key).ok_or_else(errors::gone)?;
            if let Some(kind) = socket.pending.take() {
                return Poll::Ready(Err(kind.into()));
            }
            let Some(waiting) = socket.queue.front() else {
                socket.readers.register(context);
                return Poll::Pending;
            };
            Poll::Ready(Ok(look(waiting)))
        })
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

    pub(super) fn with<R>(&self, change: impl FnOnce(&mut Socket) -> R) -> Option<R> {
        self.net.core(|core| core.udp.sockets.get_mut(self.key).map(change))
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.net.close(Handle::Udp(self.key));
    }
}
