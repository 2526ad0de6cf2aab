//! A connection that ends in good order, or in a RST where it is meant to.
//!
//! RFC 9112 §9.6: "If a server performs an immediate close of a TCP connection, there is a significant risk that the client
//! will not be able to read the last HTTP response. […] To avoid the TCP reset problem, servers typically close a connection in
//! stages. First, the server performs a half-close by closing only the write side of the read/write connection. The server then
//! continues to read from the connection until it receives a corresponding close by the client".

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::app::tls::Wire;
use crate::net::{Net, Sleep};

/// How long the other side's close is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// A connection that hears what the other side still has to say before it is gone.
pub(super) struct Polite {
    net: Net,
    wire: Wire,
    lingers: bool,
    is_reset: Arc<AtomicBool>,
    leaving: Option<Sleep>,
    /// Whether the end of what the client says need not wait any longer.
    end_is_told: bool,
}

impl Polite {
    /// A server's: it waits for the client's close, unless `is_reset` says in the end that it does not.
    pub(super) fn server(net: &Net, wire: Wire, is_reset: Arc<AtomicBool>) -> Self {
        Self { net: net.clone(), wire, lingers: true, is_reset, leaving: None, end_is_told: false }
    }

    /// A client's: with TLS the server has a last word, which nobody would read; TCP would answer it with a RST.
    pub(super) fn client(net: &Net, wire: Wire) -> Self {
        let lingers = !matches!(wire, Wire::Plain(_));
        Self { net: net.clone(), wire, lingers, is_reset: Arc::default(), leaving: None, end_is_told: true }
    }
}

impl Drop for Polite {
    fn drop(&mut self) {
        if self.is_reset.load(Ordering::Relaxed) {
            self.wire.tcp().abort();
        }
    }
}

impl AsyncRead for Polite {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(context, into))?;
        let is_end = into.filled().len() == before && into.remaining() > 0;
        if is_end && !self.end_is_told {
            // Who types a request into `nc` has closed his side when it arrives. hyper takes an end that it sees during a request
            // for a client who has gone; told a moment later, it has answered what can be answered at once.
            self.end_is_told = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Polite {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.leaving.is_none() {
            ready!(Pin::new(&mut this.wire).poll_shutdown(context))?;
            if !this.lingers {
                return Poll::Ready(Ok(()));
            }
        }
        let leaving = this.leaving.get_or_insert_with(|| this.net.sleep(PATIENCE));
        if Future::poll(Pin::new(leaving), context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut buffer = [0; 4096];
            let mut into = ReadBuf::new(&mut buffer);
            match ready!(Pin::new(&mut this.wire).poll_read(context, &mut into)) {
                Ok(()) if !into.filled().is_empty() => {}
                // An end, or a failure: either way there is nothing more to hear.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
