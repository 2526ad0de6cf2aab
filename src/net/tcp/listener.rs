//! What a program holds of a port that it listens at.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use super::super::arena::Key;
use super::super::context::Net;
use super::super::ports::Local;
use super::TcpStream;

/// Waits for connections. When it is dropped, those that nobody has accepted are reset.
#[derive(Debug)]
pub struct TcpListener {
    net: Net,
    key: Key,
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
        let local = local.into();
        let (key, local) = net.turn(|core, turn| core.tcp.listen(local, backlog, turn))?;
        Ok(Self { net: net.clone(), key, local })
    }

    /// Waits for a connection whose handshake is over: it, and who is at its far end.
    ///
    /// # Errors
    ///
    /// When the machine has crashed. A connection that failed before it was accepted is still handed out; its first read
    /// fails.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, _, context| match core.tcp.accept(self.key, context)? {
                Some((key, flow)) => Poll::Ready(Ok((TcpStream::new(self.net.clone(), key, flow), flow.remote))),
                None => Poll::Pending,
            })
        })
        .await
    }

    /// Where it listens: its address is `::` or `0.0.0.0` if that is all of them.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.net.core(|core| core.tcp.unlisten(self.key));
    }
}
