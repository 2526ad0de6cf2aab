//! Ctrl-C and friends, as bytes in a pipe that the loop polls.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

/// The signals that end a session in order.
const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Somebody's wish that the session end. While this lives, the signals do nothing else.
#[derive(Debug)]
pub(super) struct Signals {
    reader: UnixStream,
    registered: Vec<SigId>,
}

impl Signals {
    /// Begins to listen.
    pub(super) fn listen() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let registered = ENDING.iter().map(|signal| pipe::register(*signal, writer.try_clone()?));
        let registered = registered.collect::<io::Result<_>>()?;
        Ok(Self { reader, registered })
    }

    /// Whether a signal has come.
    pub(super) fn has_come(&mut self) -> bool {
        let mut bytes = [0; 16];
        matches!(self.reader.read(&mut bytes), Ok(count) if count > 0)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for registered in self.registered.drain(..) {
            unregister(registered);
        }
    }
}
