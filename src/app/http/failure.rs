//! How a transfer fails, with the numbers and words of curl.

use std::io;
use std::time::Duration;

use super::url::UrlError;
use crate::app::tls::TlsError;

/// Why a transfer failed: curl's exit code, and one line for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("curl: ({code}) {text}")]
pub(super) struct Failure {
    pub(super) code: u64,
    pub(super) text: String,
    /// Whether the connection was closed before any answer: a connection that had been used before may simply have become
    /// too old, and the request can be made again.
    pub(super) is_stale: bool,
}

impl Failure {
    pub(super) fn new(code: u64, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), is_stale: false }
    }

    pub(super) fn address(error: &UrlError) -> Self {
        match error {
            UrlError::Malformed(_) => Self::new(3, error.to_string()),
            UrlError::Unsupported(_) => Self::new(1, error.to_string()),
        }
    }

    pub(super) fn lookup(host: &str) -> Self {
        Self::new(6, format!("Could not resolve host: {host}"))
    }

    pub(super) fn connect(host: &str, port: u16, after: Duration, error: &io::Error) -> Self {
        let after = after.as_millis();
        match error.kind() {
            io::ErrorKind::TimedOut => {
                Self::new(28, format!("Failed to connect to {host} port {port} after {after} ms: Timeout was reached"))
            }
            _ => Self::new(7, format!("Failed to connect to {host} port {port} after {after} ms: {error}")),
        }
    }

    pub(super) fn connect_timeout(after: Duration) -> Self {
        Self::new(28, format!("Connection timed out after {} milliseconds", after.as_millis()))
    }

    pub(super) fn timeout(after: Duration, received: u64) -> Self {
        Self::new(
            28,
            format!("Operation timed out after {} milliseconds with {received} bytes received", after.as_millis()),
        )
    }

    pub(super) fn tls(error: &TlsError) -> Self {
        match error {
            TlsError::Certificate(text) => Self::new(60, format!("SSL certificate problem: {text}")),
            TlsError::Handshake(text) | TlsError::Connection(text) => {
                Self::new(35, format!("TLS connect error: {text}"))
            }
        }
    }

    /// What hyper says before the head of an answer is there.
    pub(super) fn before_answer(error: &hyper::Error) -> Self {
        let is_stale = error.is_canceled() || error.is_closed() || error.is_incomplete_message();
        match io_kind(error) {
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                Self { is_stale: true, ..Self::new(56, "Recv failure: Connection reset by peer") }
            }
            Some(io::ErrorKind::TimedOut) => Self::new(56, "Recv failure: Connection timed out"),
            Some(kind) => Self::new(56, format!("Recv failure: {kind}")),
            None if is_stale => Self { is_stale, ..Self::new(52, "Empty reply from server") },
            None if error.is_parse() => {
                Self::new(8, format!("Weird server reply: {}", super::server::with_sources(error)))
            }
            None => Self::new(56, format!("Recv failure: {}", super::server::with_sources(error))),
        }
    }

    /// What hyper says in the middle of an answer.
    pub(super) fn within_answer(error: &hyper::Error, received: u64, expected: Option<u64>) -> Self {
        match (io_kind(error), expected) {
            (Some(io::ErrorKind::ConnectionReset), _) => Self::new(56, "Recv failure: Connection reset by peer"),
            (Some(io::ErrorKind::TimedOut), _) => Self::new(56, "Recv failure: Connection timed out"),
            (_, Some(expected)) => {
                let remaining = expected.saturating_sub(received);
                Self::new(18, format!("end of response with {remaining} bytes missing"))
            }
            (_, None) => Self::new(18, "transfer closed with outstanding read data remaining"),
        }
    }
}

/// What kind of failure of the connection lies below an error of hyper.
fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // TLS ends without a word: the same as a connection that is closed.
            return Some(error.kind()).filter(|kind| *kind != io::ErrorKind::UnexpectedEof);
        }
        source = error.source();
    }
    None
}
