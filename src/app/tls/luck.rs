//! What rustls asks of the world: luck, the time, and where to tell secrets.
//!
//! rustls wants one source of random bytes for the whole process. There is one here that has nothing of its own: it hands out
//! the luck of the program that is being polled, and fails where there is none. Nothing else could be random by accident.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::KeyLog;
use rustls::crypto::{GetRandomFailed, SecureRandom};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::app::calendar::Moment;
use crate::net::Net;

thread_local! {
    /// Whose luck it is at the moment.
    static CURRENT: RefCell<Option<Net>> = const { RefCell::new(None) };
}

/// Does something with a program's luck as the thread's.
pub(super) fn with_luck<R>(net: &Net, act: impl FnOnce() -> R) -> R {
    /// Gives the luck back that was there before, even if `act` panics.
    struct Restore(Option<Net>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some(net.clone())));
    act()
}

/// Fills a buffer with the luck of whoever is being polled.
///
/// # Errors
///
/// When nobody is: there is no other luck.
pub(super) fn draw(buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
    CURRENT.with_borrow(|current| {
        let net = current.as_ref().ok_or(GetRandomFailed)?;
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&net.random().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    })
}

/// The source of random bytes of [`provider`](super::provider).
#[derive(Debug)]
pub(super) struct Luck;

impl SecureRandom for Luck {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        draw(buffer)
    }
}

/// A stream or a future of rustls that has its program's luck while it is polled.
#[derive(Debug)]
pub struct Lucky<T> {
    net: Net,
    inner: T,
}

impl<T> Lucky<T> {
    /// Wraps a stream or a future for a program.
    pub fn new(net: &Net, inner: T) -> Self {
        Self { net: net.clone(), inner }
    }

    /// What is wrapped.
    pub const fn inner(&self) -> &T {
        &self.inner
    }
}

impl<T: Future + Unpin> Future for Lucky<T> {
    type Output = T::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T::Output> {
        let this = &mut *self;
        with_luck(&this.net, || Pin::new(&mut this.inner).poll(context))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lucky<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        with_luck(&this.net, || Pin::new(&mut this.inner).poll_read(context, into))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Lucky<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        with_luck(&this.net, || Pin::new(&mut this.inner).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        with_luck(&this.net, || Pin::new(&mut this.inner).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        with_luck(&this.net, || Pin::new(&mut this.inner).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        with_luck(&this.net, || Pin::new(&mut this.inner).poll_shutdown(context))
    }
}

/// The calendar of a program's machine, for the dates of certificates and the age of tickets: runs begin with 2026.
#[derive(Debug)]
pub struct Clock(Net);

impl Clock {
    /// The calendar of a program's machine.
    #[must_use]
    pub fn new(net: &Net) -> Self {
        Self(net.clone())
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(Moment::of(self.0.now()).unix_seconds()).ok()?;
        let nanoseconds = self.0.now().as_nanos() % 1_000_000_000;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)))
    }
}

/// A key log that tells whoever observes the run.
#[derive(Debug)]
pub struct Secrets(Net);

impl Secrets {
    /// A key log of a program.
    #[must_use]
    pub fn new(net: &Net) -> Self {
        Self(net.clone())
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.0.reveal(|| {
            let mut line = format!("{label} ");
            for byte in client_random {
                let _ = write!(line, "{byte:02x}");
            }
            line.push(' ');
            for byte in secret {
                let _ = write!(line, "{byte:02x}");
            }
            line
        });
    }
}
