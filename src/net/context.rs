//! What a program sees of its machine beside sockets: time, luck, names, and a way to say something.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::record::Value;
use crate::time::Time;

/// A program's view of its machine. Clones are the same view.
#[derive(Debug, Clone)]
pub struct Net {}

impl Net {
    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Time {
        todo!()
    }
    /// Waits.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let _ = duration;
        todo!()
    }
    /// Waits until `until`; not at all if that has passed.
    pub fn sleep_until(&self, until: Time) -> Sleep {
        let _ = until;
        todo!()
    }
    /// Waits for `future`, but no longer than `limit`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] when the time is over.
    pub async fn timeout<T>(&self, limit: Duration, future: impl Future<Output = T>) -> io::Result<T> {
        let _ = (limit, future.await);
        todo!()
    }
    /// Runs `future` beside the program; it ends with the program.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(future);
        todo!()
    }
    /// Any 64 bits, from the stream `app NAME`.
    #[must_use]
    pub fn random(&self) -> u64 {
        todo!()
    }
    /// A number from 0 up to, but not including, `bound`, from the stream `app NAME`.
    #[must_use]
    pub fn random_below(&self, bound: u64) -> u64 {
        let _ = bound;
        todo!()
    }
    /// Says something worth knowing; `text` is only called while somebody observes.
    pub fn log(&self, text: impl FnOnce() -> String) {
        let _ = text();
        todo!()
    }
    /// Reports a named outcome; the latest of a name counts.
    pub fn report(&self, key: &str, value: impl Into<Value>) {
        let _: (Value, &str) = (value.into(), key);
        todo!()
    }
    /// Finds the address of a host: a literal, or a name of the table of hosts.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] for an unknown name.
    pub async fn lookup(&self, host: &str) -> io::Result<IpAddr> {
        let _ = host;
        todo!()
    }
    /// The machine's name.
    #[must_use]
    pub fn host_name(&self) -> String {
        todo!()
    }
}

/// Waits until a moment; see [`Net::sleep`].
#[derive(Debug)]
pub struct Sleep {}

impl Future for Sleep {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        todo!()
    }
}
