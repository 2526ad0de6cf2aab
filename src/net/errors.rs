//! What a Unix program would be told, as [`io::Error`]s.

use std::io;

use super::ip::SendError;

impl From<SendError> for io::Error {
    /// The error itself stays inside, so that "message too long", which has no stable [`io::ErrorKind`], can be told
    /// from other invalid input.
    fn from(error: SendError) -> Self {
        Self::new(kind(error), error)
    }
}

/// The kind that stands for a refusal of the IP layer.
pub(crate) fn kind(error: SendError) -> io::ErrorKind {
    match error {
        SendError::HostUnreachable => io::ErrorKind::HostUnreachable,
        SendError::MessageTooLong { .. } => io::ErrorKind::InvalidInput,
        SendError::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
        SendError::PermissionDenied => io::ErrorKind::PermissionDenied,
    }
}

/// The handle has outlived its socket.
pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket is gone with the machine's last crash")
}

/// A handle is used while no program runs.
pub(crate) fn not_running() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "a socket can only be used by a running program")
}

/// An argument that makes no sense.
pub(crate) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
