//! What a program may ask of a UDP socket: socket options, under the names that std and tokio give them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::errors;
use super::super::interface::Interface;
use super::UdpSocket;

/// A time to live that may be sent.
fn check_ttl(ttl: u8) -> io::Result<u8> {
    // RFC 1122 §3.2.1.7: "A host MUST NOT send a datagram with a Time-to-Live (TTL) value of zero."
    if ttl == 0 { Err(errors::invalid("a time to live of zero must not be sent")) } else { Ok(ttl) }
}

impl UdpSocket {
    /// Who it is connected to.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.with(|socket| socket.peer).flatten().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Sends to and hears from anybody again.
    pub fn disconnect(&self) {
        self.with(|socket| (socket.peer, socket.pending) = (None, None));
    }

    /// The time to live of what is sent from now on, groups apart; the machine's unless set, which is 64, and never 0.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for 0.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        let ttl = check_ttl(ttl)?;
        self.with(|socket| socket.ttl = Some(ttl)).ok_or_else(errors::gone)
    }

    /// The time to live that was set; `None`: the machine's.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.with(|socket| socket.ttl).flatten()
    }

    /// Whether what is sent from now on must not be fragmented; it may be unless set.
    ///
    /// A datagram that is larger than what is known of the path's MTU is then refused with "message too long".
    pub fn set_dont_fragment(&self, dont_fragment: bool) {
        self.with(|socket| socket.dont_fragment = dont_fragment);
    }

    /// Whether it may send to broadcast addresses; it may not unless set.
    pub fn set_broadcast(&self, is_allowed: bool) {
        self.with(|socket| socket.may_broadcast = is_allowed);
    }

    /// Whether it may send to broadcast addresses.
    #[must_use]
    pub fn broadcast(&self) -> bool {
        self.with(|socket| socket.may_broadcast).unwrap_or(false)
    }

    /// How many bytes of datagrams may wait to be read, each counted with 64 bytes beside its payload.
    pub fn set_receive_buffer(&self, bytes: usize) {
        self.with(|socket| socket.receive_buffer = bytes);
    }

    /// How many bytes of datagrams may wait to be read.
    #[must_use]
    pub fn receive_buffer(&self) -> usize {
        self.with(|socket| socket.receive_buffer).unwrap_or(0)
    }

    /// The time to live of what is sent to groups from now on: how many networks it may cross. 1 unless set.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for 0.
    pub fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()> {
        let ttl = check_ttl(ttl)?;
        self.with(|socket| socket.multicast_ttl = Some(ttl)).ok_or_else(errors::gone)
    }

    /// The time to live of what is sent to groups.
    #[must_use]
    pub fn multicast_ttl(&self) -> u8 {
        self.with(|socket| socket.multicast_ttl).flatten().unwrap_or(1)
    }

    /// Whether what is sent to a group goes to the members on this machine too, this socket among them; it does unless
    /// set.
    pub fn set_multicast_loop(&self, does_loop: bool) {
        self.with(|socket| socket.loops_multicast = does_loop);
    }

    /// Whether what is sent to a group goes to the members on this machine too.
    #[must_use]
    pub fn multicast_loop(&self) -> bool {
        self.with(|socket| socket.loops_multicast).unwrap_or(false)
    }

    /// Listens to a group on the interface that has an address, or, for `0.0.0.0`, on the first.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for what is no multicast address; [`io::ErrorKind::AddrNotAvailable`] if no interface
    /// has the address.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.join(self.interface_with(interface)?, group.into())
    }

    /// Listens to a group on the interface that has an address no longer.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrNotAvailable`] if no interface has the address.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.leave(self.interface_with(interface)?, group.into());
        Ok(())
    }

    /// Listens to a group on an interface ([`Interface::index`]).
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for what is no multicast address.
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u16) -> io::Result<()> {
        self.join(interface, group.into())
    }

    /// Listens to a group on an interface no longer.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u16) {
        self.leave(interface, group.into());
    }

    fn interface_with(&self, address: Ipv4Addr) -> io::Result<u16> {
        let wanted = |interface: &Interface| {
            let has_it = |own: &ipnet::IpNet| own.addr() == IpAddr::V4(address);
            address.is_unspecified() || interface.addresses.iter().any(has_it)
        };
        let interfaces = self.net.interfaces()?;
        let found = interfaces.iter().find(|interface| wanted(interface)).map(|interface| interface.index);
        found.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
}
