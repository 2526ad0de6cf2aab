//! UDP sockets.
use super::{context::Net, icmp::IcmpError, ports::Local};
use std::{io, net::SocketAddr};

/// A datagram that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// Where to: one of this machine's addresses, a broadcast address, a group.
    pub to: SocketAddr,
    /// The time to live that it arrived with.
    pub ttl: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// A UDP socket.
#[derive(Debug)]
pub struct UdpSocket {}

#[expect(clippy::unused_async, reason = "skeleton")]
impl UdpSocket {
    /// Binds.
    ///
    /// # Errors
    ///
    /// In use, not available.
    pub fn bind(net: &Net, local: impl Into<Local>) -> io::Result<Self> {
        let _ = (net, local.into());
        todo!()
    }
    /// Connects.
    ///
    /// # Errors
    ///
    /// No route.
    pub fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        let _ = peer;
        todo!()
    }
    /// Bound where.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        todo!()
    }
    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// As a Unix program would see.
    pub async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        let _ = (payload, to);
        todo!()
    }
    /// Sends to the peer.
    ///
    /// # Errors
    ///
    /// As a Unix program would see.
    pub async fn send(&self, payload: &[u8]) -> io::Result<usize> {
        let _ = payload;
        todo!()
    }
    /// Receives a datagram.
    ///
    /// # Errors
    ///
    /// As a Unix program would see.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let _ = buffer;
        todo!()
    }
    /// Receives from the peer.
    ///
    /// # Errors
    ///
    /// As a Unix program would see.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let _ = buffer;
        todo!()
    }
    /// Receives a datagram with all that is known of it.
    ///
    /// # Errors
    ///
    /// As a Unix program would see.
    pub async fn recv_datagram(&self) -> io::Result<Datagram> {
        todo!()
    }
    /// Receives an ICMP error about a datagram of this socket.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn recv_error(&self) -> io::Result<IcmpError> {
        todo!()
    }
    /// Takes the oldest pending error.
    #[must_use]
    pub fn take_error(&self) -> Option<io::Error> {
        todo!()
    }
    /// The time to live of what is sent; 64 unless set.
    pub fn set_ttl(&self, ttl: u8) {
        let _ = ttl;
        todo!()
    }
    /// Whether datagrams must not be fragmented.
    pub fn set_dont_fragment(&self, dont_fragment: bool) {
        let _ = dont_fragment;
        todo!()
    }
    /// Whether it may send to broadcast addresses.
    pub fn set_broadcast(&self, allowed: bool) {
        let _ = allowed;
        todo!()
    }
}
