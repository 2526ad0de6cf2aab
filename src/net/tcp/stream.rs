//! What a program holds of a connection.

use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use smoltcp::socket::tcp::State;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::arena::Key;
use super::super::context::Net;
use super::super::core::{Core, Turn};
use super::super::errors;
use super::super::lookup::Flow;
use super::super::owned::Handle;
use super::super::ports::Local;
use super::connection::{Connection, state_name};
use super::options::Wishes;

/// A connection: tokio's [`AsyncRead`] and [`AsyncWrite`], so that what is written for those runs here.
///
/// Dropping it closes it: with a FIN after all that was written, or, if the program has not read all that came, with a
/// RST. What was written is still delivered then; the connection lingers until the peer has agreed.
#[derive(Debug)]
pub struct TcpStream {
    pub(in crate::net) net: Net,
    pub(in crate::net) key: Key,
    flow: Flow,
}

impl TcpStream {
    pub(super) fn new(net: Net, key: Key, flow: Flow) -> Self {
        net.own(Handle::Stream(key));
        Self { net, key, flow }
    }

    /// Connects to `peer`, from a free port of the address that leads there.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionRefused`] (a RST, or ICMP "port unreachable"),
    /// [`io::ErrorKind::HostUnreachable`] and [`io::ErrorKind::NetworkUnreachable`] (no route, or ICMP says so),
    /// [`io::ErrorKind::TimedOut`] (no answer at all).
    pub async fn connect(net: &Net, peer: SocketAddr) -> io::Result<Self> {
        Self::connect_from(net, Local::ANY, peer).await
    }

    /// Connects to `peer` from a given address, port, or both.
    ///
    /// If the peer does the same towards this port at the same time, the two open one connection together.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect); [`io::ErrorKind::AddrInUse`] if something listens at the port, or a connection of
    /// these two ends is there already, perhaps in TIME-WAIT; [`io::ErrorKind::AddrNotAvailable`] for an address of
    /// another machine.
    pub async fn connect_from(net: &Net, local: impl Into<Local>, peer: SocketAddr) -> io::Result<Self> {
        Self::connect_as(net, local.into(), peer, &Wishes::default()).await
    }

    /// Connects to `peer`, but waits no longer than `limit`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect); [`io::ErrorKind::TimedOut`] when the time is over.
    pub async fn connect_timeout(net: &Net, peer: SocketAddr, limit: Duration) -> io::Result<Self> {
        net.timeout(limit, Self::connect(net, peer)).await?
    }

    pub(super) async fn connect_as(net: &Net, local: Local, peer: SocketAddr, wishes: &Wishes) -> io::Result<Self> {
        let (key, flow) = net.turn(|core, turn| core.tcp.connect(local, peer, wishes, turn))?;
        // From here on, dropping the future drops the stream, which takes the connection back.
        let stream = Self::new(net.clone(), key, flow);
        poll_fn(|context| stream.poll_connected(context)).await?;
        Ok(stream)
    }

    fn poll_connected(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |connection, context| {
            if connection.is_established {
                return Poll::Ready(Ok(()));
            }
            if connection.is_over {
                return Poll::Ready(Err(connection.failure.unwrap_or(io::ErrorKind::ConnectionAborted).into()));
            }
            connection.socket_mut().register_send_waker(context.waker());
            Poll::Pending
        })
    }

    /// The far end.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.flow.remote
    }

    /// The near end.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.flow.local
    }

    /// Ends the connection with a RST. What was not sent or not read is lost.
    pub fn abort(&self) {
        // Without the IP layer there is no program to abort anything.
        let _ = self.net.turn(|core, turn| {
            if let Some(connection) = core.tcp.connections.get_mut(self.key).filter(|connection| !connection.is_over) {
                connection.failure.get_or_insert(io::ErrorKind::ConnectionAborted);
                connection.socket_mut().abort();
                core.tcp.pump(self.key, turn);
            }
            Ok(())
        });
    }

    /// The connection's state, as RFC 9293 spells it: `ESTABLISHED`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        state_name(self.with(|connection| connection.state()).unwrap_or(State::Closed))
    }

    /// How many bytes have arrived in order and wait to be read. As long as a program does not read, they fill its
    /// window.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.with(|connection| connection.unread()).unwrap_or(0)
    }

    /// How many bytes have been written and are not acknowledged, sent or not.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.with(|connection| connection.socket().send_queue()).unwrap_or(0)
    }

    /// Closes one half of the connection, or both, at once.
    ///
    /// Writing: a FIN follows what was written. Reading: what arrives from now on is not wanted, and reads say that it is
    /// the end; the peer is not told.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] when the connection is over.
    pub fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        self.net.turn(|core, turn| {
            let connection = self.connection(core)?;
            if connection.is_over {
                return Err(io::ErrorKind::NotConnected.into());
            }
            if how != Shutdown::Write {
                connection.is_read_shut = true;
                connection.wake_reader();
            }
            if how != Shutdown::Read {
                connection.socket_mut().close();
                core.tcp.pump(self.key, turn);
            }
            Ok(())
        })
    }

    /// Looks at what has arrived without taking it: the next read gives the same bytes. 0 means that the peer has
    /// finished.
    ///
    /// # Errors
    ///
    /// As reading.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| {
            self.poll(context, |connection, context| match connection.poll_unread(context) {
                Poll::Ready(Ok(_)) => Poll::Ready(Ok(connection.peek(buffer))),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending if buffer.is_empty() => Poll::Ready(Ok(0)),
                Poll::Pending => Poll::Pending,
            })
        })
        .await
    }

    /// Waits until there is something to read, the end or an error included.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn readable(&self) -> io::Result<()> {
        let readable = |context: &mut Context<'_>| {
            self.poll(context, |connection, context| connection.poll_unread(context).map(Ok))
        };
        poll_fn(readable).await.map(drop)
    }

    /// Waits until something can be written, or writing would fail.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| {
            self.poll(context, |connection, context| {
                let socket = connection.socket_mut();
                if socket.can_send() || !socket.may_send() {
                    return Poll::Ready(Ok(()));
                }
                socket.register_send_waker(context.waker());
                Poll::Pending
            })
        })
        .await
    }

    /// Reads what is there, without waiting.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if nothing is; as reading.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        now_or_never(self.poll_read_into(&mut Context::from_waker(Waker::noop()), &mut buffer))?;
        Ok(buffer.filled().len())
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if there is none; as writing.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        now_or_never(self.poll_write_from(&mut Context::from_waker(Waker::noop()), bytes))
    }

    /// How many bytes are on their way: sent, and not acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let flight = self.with(|connection| {
            let track = &connection.track;
            track.next_sent.wrapping_sub(track.unacknowledged)
        });
        flight.and_then(|flight| usize::try_from(flight).ok()).unwrap_or(0)
    }

    /// How many segments have been sent again; a SYN that was is not among them.
    #[must_use]
    pub fn retransmissions(&self) -> u64 {
        self.with(|connection| connection.track.retransmissions).unwrap_or(0)
    }

    /// Closes this half of the connection, when nobody is there to wait for it.
    pub(super) fn close_writing(&self) {
        self.net.core(|core| {
            if let Some(connection) = core.tcp.connections.get_mut(self.key).filter(|connection| !connection.is_over) {
                connection.socket_mut().close();
                core.tcp.touch(self.key);
            }
        });
    }

    pub(super) fn with<R>(&self, look: impl FnOnce(&mut Connection) -> R) -> Option<R> {
        self.net.core(|core| core.tcp.connections.get_mut(self.key).map(look))
    }

    fn poll<R>(
        &self,
        context: &mut Context<'_>,
        act: impl FnOnce(&mut Connection, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        self.net.poll_turn(context, |core, _, context| act(self.connection(core)?, context))
    }

    fn connection<'a>(&self, core: &'a mut Core) -> io::Result<&'a mut Connection> {
        core.tcp.connections.get_mut(self.key).ok_or_else(errors::gone)
    }
}

impl TcpStream {
    pub(super) fn poll_read_into(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.net.poll_turn(context, |core, _, context| {
            let connection = self.connection(core)?;
            if connection.is_read_shut {
                return Poll::Ready(Ok(()));
            }
            let length = take_unread(connection, buffer);
            if length > 0 {
                // The window has grown; perhaps that is worth telling.
                core.tcp.touch(self.key);
                return Poll::Ready(Ok(()));
            }
            if buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            connection.poll_unread(context).map_ok(drop)
        })
    }

    pub(super) fn poll_write_from(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.net.poll_turn(context, |core, turn: &mut Turn<'_>, context| {
            let connection = self.connection(core)?;
            if let Some(kind) = connection.failure {
                return Poll::Ready(Err(kind.into()));
            }
            let Ok(length) = connection.socket_mut().send_slice(bytes) else {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            };
            if length == 0 && !bytes.is_empty() {
                connection.socket_mut().register_send_waker(context.waker());
                return Poll::Pending;
            }
            core.tcp.pump(self.key, turn);
            Poll::Ready(Ok(length))
        })
    }

    pub(super) fn poll_close_writing(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.net.poll_turn(context, |core, turn: &mut Turn<'_>, _| {
            let connection = self.connection(core)?;
            if !connection.is_over {
                connection.socket_mut().close();
                core.tcp.pump(self.key, turn);
            }
            Poll::Ready(Ok(()))
        })
    }
}

/// What is there now.
fn now_or_never<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Moves what has arrived to the program.
fn take_unread(connection: &mut Connection, buffer: &mut ReadBuf<'_>) -> usize {
    let before = buffer.filled().len();
    while !connection.leftover.is_empty() && buffer.remaining() > 0 {
        let (part, _) = connection.leftover.as_slices();
        let length = part.len().min(buffer.remaining());
        buffer.put_slice(&part[..length]);
        connection.leftover.drain(..length);
    }
    // Twice, because the ring buffer's contents may go round its end.
    for _ in 0..2 {
        let _ = connection.socket_mut().recv(|part| {
            let length = part.len().min(buffer.remaining());
            buffer.put_slice(&part[..length]);
            (length, ())
        });
    }
    buffer.filled().len() - before
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_read_into(context, buffer)
    }
}

impl AsyncWrite for TcpStream {
    /// Takes as much as the send buffer has room for; what may be sent is sent at once.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_from(context, bytes)
    }

    /// Takes several pieces at once, so that they can share a segment: what a TLS record or a header and its body are.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &*self;
        this.net.poll_turn(context, |core, turn: &mut Turn<'_>, context| {
            let connection = this.connection(core)?;
            if let Some(kind) = connection.failure {
                return Poll::Ready(Err(kind.into()));
            }
            let mut written = 0;
            for slice in slices {
                let Ok(length) = connection.socket_mut().send_slice(slice) else {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                };
                written += length;
                if length < slice.len() {
                    break;
                }
            }
            if written == 0 && slices.iter().any(|slice| !slice.is_empty()) {
                connection.socket_mut().register_send_waker(context.waker());
                return Poll::Pending;
            }
            core.tcp.pump(this.key, turn);
            Poll::Ready(Ok(written))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing to do: what is written is under way as soon as window and Nagle allow.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes this half of the connection: a FIN follows what was written. Reading goes on until the peer closes too.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_close_writing(context)
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.net.close(Handle::Stream(self.key));
    }
}
