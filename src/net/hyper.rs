//! What hyper needs to run on a simulated host: its IO traits, its clock, its executor.
//!
//! ```text
//!  hyper ── HyperIo<TcpStream> ── tokio's AsyncRead, AsyncWrite
//!        ├─ HyperTimer ── Net::sleep, Net::now        (timeouts in virtual time)
//!        └─ HyperExecutor ── Net::spawn               (its tasks end with the program)
//! ```
//!
//! A server must be built with `auto_date_header(false)`, or hyper writes the date of the real world into every answer;
//! and with a [`HyperTimer`], or hyper asks the real clock. Nothing else of hyper looks out of the simulation.
//!
//! ```
//! use std::convert::Infallible;
//! use hopwise::net::hyper::{HyperIo, HyperTimer};
//! use hopwise::net::{Program, TcpListener};
//! use http_body_util::Full;
//! use hyper::body::{Bytes, Incoming};
//! use hyper::server::conn::http1;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//!
//! let server = Program::new(|net| async move {
//!     let listener = TcpListener::bind(&net, 80, 128)?;
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         let timer = HyperTimer::new(&net);
//!         net.spawn(async move {
//!             let answer = service_fn(|request: Request<Incoming>| async move {
//!                 let text = format!("you asked for {}\n", request.uri().path());
//!                 Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
//!             });
//!             let mut http = http1::Builder::new();
//!             let http = http.timer(timer).auto_date_header(false);
//!             let _ = http.serve_connection(HyperIo::new(stream), answer).await;
//!         });
//!     }
//! });
//! # let _ = server;
//! ```

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{self, ReadBufCursor};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::context::{Net, Sleep};
use crate::time::Time;

#[expect(clippy::disallowed_types, reason = "hyper counts in it; only its differences mean anything here")]
type Instant = std::time::Instant;

/// How much is moved at once between the two kinds of buffers.
const CHUNK: usize = 16 * 1024;

/// tokio's IO traits as hyper's, and hyper's as tokio's (which an upgraded connection needs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HyperIo<T>(T);

impl<T> HyperIo<T> {
    /// Wraps a stream.
    pub const fn new(stream: T) -> Self {
        Self(stream)
    }

    /// The stream itself.
    pub const fn inner(&self) -> &T {
        &self.0
    }

    /// The stream itself.
    pub const fn inner_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// Takes the stream out again.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: AsyncRead + Unpin> rt::Read for HyperIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut chunk = [MaybeUninit::uninit(); CHUNK];
        let room = into.remaining().min(CHUNK);
        let mut buffer = ReadBuf::uninit(&mut chunk[..room]);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
        into.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> rt::Write for HyperIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }
}

impl<T: rt::Read + Unpin> AsyncRead for HyperIo<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [MaybeUninit::uninit(); CHUNK];
        let room = into.remaining().min(CHUNK);
        let mut buffer = rt::ReadBuf::uninit(&mut chunk[..room]);
        ready!(Pin::new(&mut self.0).poll_read(context, buffer.unfilled()))?;
        into.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: rt::Write + Unpin> AsyncWrite for HyperIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }
}

/// hyper's clock in virtual time.
#[derive(Debug, Clone)]
pub struct HyperTimer(Net);

impl HyperTimer {
    /// The clock of a program's machine.
    #[must_use]
    pub fn new(net: &Net) -> Self {
        Self(net.clone())
    }
}

/// The instant that stands for the beginning of virtual time. hyper's type has no other way to be made; which instant
/// it is never shows, because all that is done with it is to subtract it again.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

impl rt::Timer for HyperTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(self.0.sleep(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(self.0.sleep_until(Time::ZERO + deadline.saturating_duration_since(*EPOCH)))
    }

    fn now(&self) -> Instant {
        *EPOCH + self.0.now().since(Time::ZERO)
    }
}

impl rt::Sleep for Sleep {}

/// Runs hyper's own tasks beside the program, as [`Net::spawn`] does.
#[derive(Debug, Clone)]
pub struct HyperExecutor(Net);

impl HyperExecutor {
    /// The executor of a program's machine.
    #[must_use]
    pub fn new(net: &Net) -> Self {
        Self(net.clone())
    }
}

impl<F> rt::Executor<F> for HyperExecutor
where
    F: Future + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(async move {
            future.await;
        });
    }
}
