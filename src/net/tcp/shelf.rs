//! Sockets of smoltcp that have served, kept for the next connection.
//!
//! smoltcp takes a socket's buffers when the socket is made, in full, and neither lets them grow nor gives them back.
//! What makes a connection cheap all the same is that the system gives memory only where it is written: of two buffers of
//! 64 KiB a connection that says little uses a page of each. But that holds for memory that is fresh. What is freed and
//! taken again has to be zeroed, all of it: ten thousand connections that open, close and open again would hold 2.6 GB.
//! So sockets are used again instead.

use std::collections::BTreeMap;
use std::task::Waker;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};

use super::super::settings::TcpSettings;
use super::connection::buffer_sizes;

/// How many sockets are kept at most, for as many connections as an address has ephemeral ports.
const KEPT_MAX: usize = 16_384;

/// Sets of one socket each, which is closed, by the sizes of its buffers.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    sets: BTreeMap<(usize, usize), Vec<SocketSet<'static>>>,
    count: usize,
}

impl Shelf {
    /// A set with a socket that is closed: one that was kept, or a new one. Whatever can be set is to be set anew.
    pub(super) fn take(&mut self, settings: &TcpSettings) -> SocketSet<'static> {
        let sizes = buffer_sizes(settings);
        if let Some(set) = self.sets.get_mut(&sizes).and_then(Vec::pop) {
            self.count -= 1;
            return set;
        }
        let buffer = |bytes| SocketBuffer::new(vec![0; bytes]);
        let mut set = SocketSet::new(Vec::with_capacity(1));
        set.add(Socket::new(buffer(sizes.0), buffer(sizes.1)));
        set
    }

    /// Keeps the socket of a connection that is over and has never sent data again.
    ///
    /// Opening a closed socket resets it, but for four things. That the peer knows SACK is told by the next handshake; the
    /// last sequence number received matters once data is out of order, and then it is a new one; the last acknowledgment
    /// received is one of another stream, as all but one of 2^32 are. That a segment is to be sent again at once would
    /// stay: which is why sockets that have sent data again are not kept.
    pub(super) fn keep(&mut self, mut set: SocketSet<'static>) {
        let socket = set.get_mut::<Socket<'static>>(SocketHandle::default());
        if socket.state() != State::Closed || self.count >= KEPT_MAX {
            return;
        }
        // Nobody is to be woken when it is reset.
        socket.register_recv_waker(Waker::noop());
        socket.register_send_waker(Waker::noop());
        let sizes = (socket.recv_capacity(), socket.send_capacity());
        self.sets.entry(sizes).or_default().push(set);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(receive_buffer: usize) -> TcpSettings {
        TcpSettings { receive_buffer, send_buffer: 10, ..TcpSettings::default() }
    }

    #[test]
    fn a_socket_is_used_again_for_the_sizes_that_it_has() {
        let mut shelf = Shelf::default();
        let set = shelf.take(&settings(100));
        shelf.keep(set);
        assert_eq!(shelf.count, 1);
        let other = shelf.take(&settings(200));
        assert_eq!((shelf.count, other.get::<Socket<'static>>(SocketHandle::default()).recv_capacity()), (1, 200));
        shelf.take(&settings(100));
        assert_eq!(shelf.count, 0);
    }

    #[test]
    fn no_more_are_kept_than_may_be_needed_and_none_that_is_open() {
        let mut shelf = Shelf::default();
        let sets: Vec<_> = (0..KEPT_MAX + 2).map(|_| shelf.take(&settings(1))).collect();
        sets.into_iter().for_each(|set| shelf.keep(set));
        assert_eq!(shelf.count, KEPT_MAX);
        let mut open = shelf.take(&settings(1));
        open.get_mut::<Socket<'static>>(SocketHandle::default()).listen(80).unwrap();
        shelf.keep(open);
        assert_eq!(shelf.count, KEPT_MAX - 1);
    }
}
