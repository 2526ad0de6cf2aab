//! TCP.
use super::{context::Net, ports::Local};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{io, net::SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Waits for connections.
#[derive(Debug)]
pub struct TcpListener {}

impl TcpListener {
    /// Listens at `local`, with room for `backlog` connections that are half open or not accepted yet.
    ///
    /// # Errors
    ///
    /// In use, not available.
    pub fn bind(net: &Net, local: impl Into<Local>, backlog: usize) -> io::Result<Self> {
        let _ = (net, local.into(), backlog);
        todo!()
    }
    /// The next connection.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        todo!()
    }
    /// Bound where.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        todo!()
    }
}

/// A connection.
#[derive(Debug)]
pub struct TcpStream {}

impl TcpStream {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Refused, timed out, unreachable.
    pub async fn connect(net: &Net, peer: SocketAddr) -> io::Result<Self> {
        let _ = (net, peer);
        todo!()
    }
    /// Connects from a given address or port.
    ///
    /// # Errors
    ///
    /// Refused, timed out, unreachable, in use.
    pub async fn connect_from(net: &Net, local: impl Into<Local>, peer: SocketAddr) -> io::Result<Self> {
        let _ = (net, local.into(), peer);
        todo!()
    }
    /// The far end.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        todo!()
    }
    /// The near end.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        todo!()
    }
    /// Switches Nagle's algorithm off, or on again.
    pub fn set_nodelay(&self, nodelay: bool) {
        let _ = nodelay;
        todo!()
    }
    /// Ends the connection with a RST.
    pub fn abort(&self) {
        todo!()
    }
    /// The connection's state as in RFC 9293: `ESTABLISHED`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        todo!()
    }
    /// How many bytes have arrived and wait to be read.
    #[must_use]
    pub fn unread(&self) -> usize {
        todo!()
    }
    /// How many bytes were written and are not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        todo!()
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
}
impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        todo!()
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
}

/// Answers a TCP segment that nobody wants: the RST that RFC 9293 §3.10.7.1 asks for. `None` if it must not be
/// answered: it is a RST itself, or not a segment.
pub fn reset_reply(packet: &crate::wire::Frame, pool: &mut crate::wire::Pool) -> Option<crate::wire::Frame> {
    let _ = (packet, pool);
    todo!()
}
