//! What a Unix program says when a call fails.

use std::io;

/// The words of `strerror` for what sockets fail with.
pub(super) fn strerror(error: &io::Error) -> String {
    let text = match error.kind() {
        io::ErrorKind::AddrInUse => "Address already in use",
        io::ErrorKind::AddrNotAvailable => "Cannot assign requested address",
        io::ErrorKind::BrokenPipe => "Broken pipe",
        io::ErrorKind::ConnectionAborted => "Software caused connection abort",
        io::ErrorKind::ConnectionRefused => "Connection refused",
        io::ErrorKind::ConnectionReset => "Connection reset by peer",
        io::ErrorKind::HostUnreachable => "No route to host",
        io::ErrorKind::NetworkUnreachable => "Network is unreachable",
        io::ErrorKind::NotConnected => "Transport endpoint is not connected",
        io::ErrorKind::PermissionDenied => "Permission denied",
        io::ErrorKind::TimedOut => "Connection timed out",
        _ => return error.to_string(),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_their_usual_words_and_strange_ones_their_own() {
        assert_eq!(strerror(&io::ErrorKind::ConnectionRefused.into()), "Connection refused");
        assert_eq!(strerror(&io::Error::other("the cat sat on it")), "the cat sat on it");
    }
}
