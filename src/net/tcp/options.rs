//! What a program may ask of one connection: socket options, under the names that std and tokio give them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::errors;
use super::super::settings::{Congestion, TcpSettings};
use super::stream::TcpStream;

/// What a program asks of its connections before they begin.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// `None`: as the machine has it.
    pub(super) settings: Option<Arc<TcpSettings>>,
    /// `None`: as the machine has it.
    pub(super) ttl: Option<u8>,
    pub(super) linger: Option<Duration>,
}

/// A time to live that may be sent.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] for 0.
pub(super) fn check_ttl(ttl: u8) -> io::Result<u8> {
    // RFC 1122 §3.2.1.7: "A host MUST NOT send a datagram with a Time-to-Live (TTL) value of zero."
    if ttl == 0 { Err(errors::invalid("a time to live of zero must not be sent")) } else { Ok(ttl) }
}

impl TcpStream {
    /// Switches Nagle's algorithm off (true) or on.
    pub fn set_nodelay(&self, is_without_delay: bool) {
        self.with(|connection| connection.socket_mut().set_nagle_enabled(!is_without_delay));
    }

    /// Whether small segments are sent without waiting for acknowledgments of what is on its way.
    #[must_use]
    pub fn nodelay(&self) -> bool {
        self.with(|connection| !connection.socket().nagle_enabled()).unwrap_or(false)
    }

    /// What becomes of data that is not acknowledged yet when the stream is dropped (`SO_LINGER`).
    ///
    /// `None`, the default: it is delivered, however long that takes. Zero: the connection ends at once with a RST.
    /// Another time: it may take so long, then a RST ends it. Dropping never waits.
    pub fn set_linger(&self, linger: Option<Duration>) {
        self.with(|connection| connection.linger = linger);
    }

    /// What [`set_linger`](Self::set_linger) has set.
    #[must_use]
    pub fn linger(&self) -> Option<Duration> {
        self.with(|connection| connection.linger).flatten()
    }

    /// The time to live (IPv4) or hop limit (IPv6) of the segments from now on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for 0.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        let ttl = check_ttl(ttl)?;
        self.with(|connection| connection.socket_mut().set_hop_limit(Some(ttl))).ok_or_else(errors::gone)
    }

    /// The time to live or hop limit of its segments.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub fn ttl(&self) -> io::Result<u8> {
        let ttl = self.with(|connection| connection.socket().hop_limit()).flatten();
        ttl.ok_or_else(errors::gone)
    }

    /// After how much silence, and how often, the peer is asked whether it is still there; `None`: never. It is first asked
    /// at once.
    ///
    /// After [`TcpSettings::keep_alive_probes`] probes without an answer the connection fails with "timed out".
    pub fn set_keep_alive(&self, interval: Option<Duration>) {
        self.net.core(|core| {
            if let Some(connection) = core.tcp.connections.get_mut(self.key).filter(|connection| !connection.is_over) {
                Arc::make_mut(&mut connection.settings).keep_alive = interval;
                connection.socket_mut().set_keep_alive(interval.map(Into::into));
                // Otherwise the next timer would be the first to know.
                core.tcp.touch(self.key);
            }
        });
    }

    /// After how much silence the peer is asked whether it is still there.
    #[must_use]
    pub fn keep_alive(&self) -> Option<Duration> {
        self.with(|connection| connection.settings.keep_alive).flatten()
    }

    /// How many bytes may wait to be read: the largest window. Set before connecting or listening:
    /// [`TcpSocket::set_receive_buffer_size`](super::TcpSocket::set_receive_buffer_size).
    #[must_use]
    pub fn receive_buffer_size(&self) -> usize {
        self.with(|connection| connection.socket().recv_capacity()).unwrap_or(0)
    }

    /// How many bytes may be written before they are acknowledged. Set before connecting or listening:
    /// [`TcpSocket::set_send_buffer_size`](super::TcpSocket::set_send_buffer_size).
    #[must_use]
    pub fn send_buffer_size(&self) -> usize {
        self.with(|connection| connection.socket().send_capacity()).unwrap_or(0)
    }

    /// Which algorithm decides how much data may be on its way. Set before connecting or listening:
    /// [`TcpSocket::set_congestion`](super::TcpSocket::set_congestion).
    #[must_use]
    pub fn congestion(&self) -> Congestion {
        self.with(|connection| connection.settings.congestion).unwrap_or_default()
    }

    /// Why the connection ended, or what ICMP has said about it while it goes on (`SO_ERROR`).
    #[must_use]
    pub fn take_error(&self) -> Option<io::Error> {
        self.with(|connection| connection.failure.or_else(|| connection.soft_error.take()))?.map(io::Error::from)
    }
}
