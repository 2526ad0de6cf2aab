//! What a program holds of a raw ICMP socket.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::task::Poll;

use super::super::arena::Key;
use super::super::context::Net;
use super::super::errors;
use super::super::icmp::IcmpMessage;
use super::super::owned::Handle;
use super::Options;

/// A raw ICMP socket: sees a copy of every ICMP message for this machine. It closes when it is dropped.
#[derive(Debug)]
pub struct RawSocket {
    net: Net,
    key: Key,
}

impl RawSocket {
    /// Opens one.
    #[must_use]
    pub fn icmp(net: &Net) -> Self {
        let key = net.core(|core| core.raw.open());
        net.own(Handle::Icmp(key));
        Self { net: net.clone(), key }
    }

    /// An echo identifier that none of the machine's last 65,535 raw sockets has been given.
    #[must_use]
    pub fn ident(&self) -> u16 {
        self.net.core(|core| core.raw.sockets.get(self.key).map_or(0, |socket| socket.ident))
    }

    /// Sets the IP options that each IPv4 packet from here carries, padded to a multiple of four bytes (`IP_OPTIONS`).
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for more than 40 bytes, or an odd number of them.
    pub fn set_ip_options(&self, options: &[u8]) -> io::Result<()> {
        self.net.core(|core| core.raw.set_options(self.key, options))
    }

    /// Sends an ICMP message, from its type on; its checksum is filled in. The destination's version says whether
    /// it is ICMPv4 or ICMPv6.
    ///
    /// # Errors
    ///
    /// What the IP layer says at once, as [`UdpSocket::send_to`](crate::net::UdpSocket::send_to);
    /// [`io::ErrorKind::InvalidInput`] for a time to live of 0 or a message without a whole header.
    pub async fn send_to(&self, message: &[u8], destination: IpAddr, ttl: u8, dont_fragment: bool) -> io::Result<()> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, turn, _| {
                if core.programs.count_packet(self.net.app(), core.now).is_err() {
                    return Poll::Pending;
                }
                Poll::Ready(core.raw.send(self.key, message, Options { destination, ttl, dont_fragment }, turn))
            })
        })
        .await
    }

    /// Waits for the next message, oldest first: answers, errors about anything this machine has sent, echo requests.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn recv(&self) -> io::Result<IcmpMessage> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, _, context| {
                let socket = core.raw.sockets.get_mut(self.key).ok_or_else(errors::gone)?;
                let Some(message) = socket.dequeue() else {
                    socket.readers.register(context);
                    return Poll::Pending;
                };
                Poll::Ready(Ok(message))
            })
        })
        .await
    }
}

impl Drop for RawSocket {
    fn drop(&mut self) {
        self.net.close(Handle::Icmp(self.key));
    }
}
