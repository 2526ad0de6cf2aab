//! What a program holds of a port that it listens at.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::super::arena::Key;
use super::super::context::Net;
use super::super::owned::Handle;
use super::super::ports::Local;
use super::{TcpSocket, TcpStream};

/// Waits for connections. When it is dropped, those that nobody has accepted are reset.
#[derive(Debug)]
pub struct TcpListener {
    pub(in crate::net) net: Net,
    pub(in crate::net) key: Key,
    local: SocketAddr,
}

impl TcpListener {
    /// Listens at `local`, with room for `backlog` connections that are half open or wait to be accepted; for at
    /// least one. A SYN that finds no room is dropped, and the client tries again.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`]; [`io::ErrorKind::AddrNotAvailable`] for an address of another machine.
    pub fn bind(net: &Net, local: impl Into<Local>, backlog: usize) -> io::Result<Self> {
        let mut socket = TcpSocket::new(net);
        // As std and tokio do it on Unix.
        socket.set_reuse_address(true);
        socket.bind(local)?;
        socket.listen_as_machine(backlog)
    }

    pub(super) fn new(net: Net, key: Key, local: SocketAddr) -> Self {
        net.own(Handle::Listener(key));
        Self { net, key, local }
    }

    /// Waits for a connection whose handshake is over: it, and who is at its far end.
    ///
    /// # Errors
    ///
    /// When the machine has crashed. A connection that failed before it was accepted is still handed out; its first read
    /// fails.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// As [`accept`](Self::accept), for who polls.
    pub fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accepted = self.net.poll_turn(context, |core, _, context| match core.tcp.accept(self.key, context)? {
            Some(accepted) => Poll::Ready(Ok(accepted)),
            None => Poll::Pending,
        });
        accepted.map_ok(|(key, flow)| (TcpStream::new(self.net.clone(), key, flow), flow.remote))
    }

    /// The connections that come, one after the other, without end.
    #[must_use]
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self)
    }

    /// Accepts for ever, and serves each connection in a task of its own.
    ///
    /// ```
    /// # use hopwise::net::{Program, TcpListener};
    /// use tokio::io::AsyncWriteExt as _;
    ///
    /// let daytime = Program::new(|net| async move {
    ///     let listener = TcpListener::bind(&net, 13, 16)?;
    ///     let never = listener.serve(move |mut stream, _| {
    ///         let net = net.clone();
    ///         async move {
    ///             let _ = stream.write_all(format!("{}\r\n", net.now()).as_bytes()).await;
    ///         }
    ///     });
    ///     match never.await? {}
    /// });
    /// # let _ = daytime;
    /// ```
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn serve<F, Fut>(&self, mut service: F) -> io::Result<Infallible>
    where
        F: FnMut(TcpStream, SocketAddr) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        loop {
            let (stream, peer) = self.accept().await?;
            self.net.spawn(service(stream, peer));
        }
    }

    /// Where it listens: its address is `::` or `0.0.0.0` if that is all of them.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

/// The connections that come to a listener: [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a>(&'a TcpListener);

impl Incoming<'_> {
    /// The next connection. There is always another; it only may have to be waited for.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`].
    pub async fn next(&mut self) -> io::Result<TcpStream> {
        self.0.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.net.close(Handle::Listener(self.key));
    }
}
