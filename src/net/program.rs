//! Programs: async functions that a machine can start, stop and start again.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use super::context::Net;

/// A program while it runs.
pub type ProgramFuture = Pin<Box<dyn Future<Output = Result<(), ProgramError>> + Send>>;

/// Why a program failed: one line for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProgramError(String);

impl ProgramError {
    /// A failure in the program's own words: lower case, no full stop.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<io::Error> for ProgramError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<&str> for ProgramError {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for ProgramError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Something that a machine can run: an async function over [`Net`], which may be started any number of times.
///
/// ```
/// use hopwise::net::{Program, UdpSocket};
///
/// let echo = Program::new(|net| async move {
///     let socket = UdpSocket::bind(&net, 7)?;
///     let mut buffer = [0; 1500];
///     loop {
///         let (length, from) = socket.recv_from(&mut buffer).await?;
///         socket.send_to(&buffer[..length], from).await?;
///     }
/// });
/// # let _ = echo;
/// ```
#[derive(Clone)]
pub struct Program {
    start: Arc<dyn Fn(Net) -> ProgramFuture + Send + Sync>,
}

impl Program {
    /// The program that `main` is.
    pub fn new<F, Fut>(main: F) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ProgramError>> + Send + 'static,
    {
        Self { start: Arc::new(move |net| Box::pin(main(net))) }
    }

    /// A fresh run of the program, not polled yet.
    pub(crate) fn start(&self, net: Net) -> ProgramFuture {
        (self.start)(net)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").finish_non_exhaustive()
    }
}
