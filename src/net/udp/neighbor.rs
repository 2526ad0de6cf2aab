//! What a routing daemon does with a UDP socket: groups, and datagrams that leave by a given interface.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;

use super::super::interface::Egress;
use super::super::{errors, packet};
use super::UdpSocket;

impl UdpSocket {
    /// Listens to a group on an interface, until the socket is dropped (`IP_ADD_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for what is no multicast address.
    pub fn join(&self, interface: u16, group: IpAddr) -> io::Result<()> {
        self.net.turn(|core, turn| {
            let socket = core.udp.sockets.get_mut(self.key).ok_or_else(errors::gone)?;
            socket.groups.join(interface, group, turn)
        })
    }

    /// Listens to a group on an interface no longer.
    pub fn leave(&self, interface: u16, group: IpAddr) {
        self.net.core(|core| {
            let socket = core.udp.sockets.get_mut(self.key);
            core.errands.extend(socket.and_then(|socket| socket.groups.leave(interface, group)));
        });
    }

    /// Sends one datagram to a neighbor, or to a group of neighbors, by a given interface.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); [`io::ErrorKind::InvalidInput`] for a time to live of 0.
    pub async fn send_by(&self, payload: &[u8], to: SocketAddr, by: Egress) -> io::Result<()> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, turn, _| {
                if core.programs.count_packet(self.net.app(), core.now).is_err() {
                    return Poll::Pending;
                }
                let to = packet::endpoint(to.ip(), to.port());
                Poll::Ready(core.udp.send_by(self.key, payload, to, by, turn))
            })
        })
        .await
    }
}
