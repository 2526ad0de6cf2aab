//! Raw ICMP sockets: what `ping` and `traceroute -I` use.
use super::{context::Net, icmp::IcmpMessage};
use std::{io, net::IpAddr};

/// A raw ICMP socket: sees a copy of every ICMP message for this machine.
#[derive(Debug)]
pub struct RawSocket {}

impl RawSocket {
    /// Opens one.
    ///
    /// # Errors
    ///
    /// When the machine has no room for another socket.
    pub fn icmp(net: &Net) -> io::Result<Self> {
        let _ = net;
        todo!()
    }
    /// An echo identifier that no other socket of the machine has been given.
    #[must_use]
    pub fn ident(&self) -> u16 {
        todo!()
    }
    /// Sends an ICMP message, from its type on; its checksum is filled in.
    ///
    /// # Errors
    ///
    /// As a Unix program would see.
    pub async fn send_to(&self, message: &[u8], destination: IpAddr, ttl: u8, dont_fragment: bool) -> io::Result<()> {
        let _ = (message, destination, ttl, dont_fragment);
        todo!()
    }
    /// The next message, oldest first.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn recv(&self) -> io::Result<IcmpMessage> {
        todo!()
    }
}
